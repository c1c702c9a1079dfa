//! The issuer's check of a chip and its answer, from the issuer's master key on.
//!
//! `chip/cvn_NN`: one iteration reads DE 55 of fifteen tags, derives the card's and the session's
//! key, checks the cryptogram and makes tag 91. Budgets: version 10 at most 1.5 us, 18 and 22 at
//! most 2 us. `chip/later_NN`: the answer alone, made again from an entry. `des/block`,
//! `des/triple`: one block under a schedule that stands ready; read the others as multiples of it.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};

use cekr_emv::CardNumber;
use cekr_emv::crypto::cvn::{Rules, Scheme, Transaction};
use cekr_emv::crypto::des::{Des, TripleDes};
use cekr_emv::crypto::script::Occasion;
use cekr_emv::issuer::{Card, Entry, Letter, Outcome, Profile, Request, Told, respond, verify};
use cekr_emv::keys::{ImkAc, Key};
use cekr_emv::tlv::Writer;

const TOLD: Told = Told {
    amount: Some(24_90),
    currency: 978,
    sequence: Some(1),
    entry: Entry::Contact,
    date: Some([0x11, 0x22]),
};

fn chip(c: &mut Criterion) {
    let imk = Key::<ImkAc>::from_octets(&[0x2A; 16]).expect("a key");
    let number = CardNumber::from_number(4_761_730_000_000_011).expect("a card");
    let card = Card { number, sequence: 0x01 };
    for (name, version) in [("10", 0x0A), ("18", 0x12), ("22", 0x22)] {
        let data = chip_data(&imk, &card, version);
        c.bench_function(&format!("chip/cvn_{name}"), |b| {
            b.iter(|| {
                let request = Request::parse(black_box(&data)).expect("whole");
                let verdict = verify(&request, &TOLD, &imk, &card, &Profile::PREPAID, None);
                assert_eq!(verdict.letter, Letter::C);
                verdict.proven.expect("with C").answer(*b"00", Outcome::Approved)
            });
        });
        let occasion = Occasion { atc: [0, 28], arqc: [7; 8] };
        c.bench_function(&format!("chip/later_{name}"), |b| {
            b.iter(|| {
                let by = (Scheme::Visa, version);
                respond(&imk, &card, by, black_box(occasion), *b"00", Outcome::Approved)
            });
        });
    }
}

fn chip_data(imk: &Key<ImkAc>, card: &Card, version: u8) -> Vec<u8> {
    let transaction = Transaction {
        amount: [0, 0, 0, 0, 0x24, 0x90],
        amount_other: [0; 6],
        country: [0x07, 0x05],
        tvr: [0x00, 0x00, 0x00, 0x80, 0x00],
        currency: [0x09, 0x78],
        date: [0x26, 0x11, 0x22],
        kind: 0,
        unpredictable_number: [1, 2, 3, 4],
        aip: [0x3D, 0x00],
        atc: [0, 28],
    };
    let mut long = [0; 32];
    long[..5].copy_from_slice(&[0x1F, 0x22, 0x01, 0x00, 0xA4]);
    let short = [0x06, 0x01, version, 0x03, 0xA4, 0x00, 0x00];
    let issuer_data: &[u8] = if version == 0x22 { &long } else { &short };
    let rules = Rules::of(Scheme::Visa, issuer_data).expect("a known version");
    let mk = rules.card_key(imk, card.number, card.sequence);
    let sk = rules.session_key(&mk, transaction.atc, transaction.unpredictable_number);
    let pieces = rules.sealed_of(issuer_data).expect("long enough");
    let arqc = rules.cryptogram(&sk, &transaction, pieces);
    let t = &transaction;
    let mut room = [0; 255];
    let mut writer = Writer::new(&mut room);
    for (tag, value) in [
        (0x82, &t.aip[..]),
        (0x95, &t.tvr),
        (0x9A, &t.date),
        (0x9C, &[t.kind]),
        (0x5F2A, &t.currency),
        (0x5F34, &[0x01]),
        (0x9F02, &t.amount),
        (0x9F03, &t.amount_other),
        (0x9F10, issuer_data),
        (0x9F1A, &t.country),
        (0x9F26, &arqc),
        (0x9F27, &[0x80]),
        (0x9F34, &[0x44, 0x03, 0x02]),
        (0x9F36, &t.atc),
        (0x9F37, &t.unpredictable_number),
    ] {
        writer.put(tag, value).expect("room");
    }
    writer.written().to_vec()
}

fn des(c: &mut Criterion) {
    let single = Des::new(b"CEKRDES1");
    let triple = TripleDes::new(b"CEKRDES1CEKRDES2");
    // Each block is the one before it enciphered: nothing can be done ahead.
    c.bench_function("des/block", |b| {
        let mut block = [0x5A; 8];
        b.iter(|| {
            block = single.encrypt(black_box(block));
            block
        });
    });
    c.bench_function("des/triple", |b| {
        let mut block = [0x5A; 8];
        b.iter(|| {
            block = triple.encrypt(black_box(block));
            block
        });
    });
}

criterion_group!(benches, chip, des);
criterion_main!(benches);
