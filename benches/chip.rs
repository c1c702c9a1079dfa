//! The issuer's check of a chip and its answer, from the issuer's master key on.
//!
//! `chip/cvn_NN`: one iteration reads DE 55 of fifteen tags, derives the card's and the session's
//! key, checks the cryptogram and makes tag 91. Budgets: version 10 at most 1.5 us, 18 and 22 at
//! most 2 us. `chip/later_NN`: the answer alone, made again from an entry. `chip/authorization_NN`:
//! octets to octets, journal in memory: one framed 0200 with DE 55 in, its cryptogram checked and
//! its entry made, one framed 0210 with tag 91 out; budget 3.5 us. Eight cards take turns, each
//! with the next counter of its chip. `des/block`, `des/triple`: one block under a schedule that
//! stands ready; read the others as multiples of it.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};

use cekr_benches::{NOW, Template, engine, financial, link, pan};
use cekr_emv::CardNumber;
use cekr_emv::crypto::cvn::{Rules, Scheme, Transaction};
use cekr_emv::crypto::des::{Des, TripleDes};
use cekr_emv::crypto::script::Occasion;
use cekr_emv::data::{Cid, CvmResults};
use cekr_emv::issuer::{Card, Entry, Letter, Outcome, Profile, Request, Told, respond, verify};
use cekr_emv::keys::{ImkAc, Key};
use cekr_emv::tlv::Writer;
use cekr_iso8583::{CEKR87, FieldSet, View};
use cekr_issuer::{CardStatus, Channels};
use cekr_switch::engine::Outgoing;

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

/// Cards that take turns: more than a core keeps near would measure memory.
const HOT: u64 = 8;

/// All cards: a chip's counter ends, and the next eight take their turns.
const CARDS: u64 = 64;

/// What each card counts to.
const COUNTER_MAX: u64 = 65_000;

/// Framed purchases that stand ready but for key, counter and cryptogram.
struct Purchases {
    version: u8,
    imk: Key<ImkAc>,
    /// Each with the place of its cryptogram.
    templates: Vec<(Template, usize)>,
    next: u64,
}

impl Purchases {
    fn new(version: u8) -> Self {
        let imk = Key::<ImkAc>::development();
        let templates = (0..CARDS).map(|n| {
            let data = chip_data(&imk, &card_of(n), version);
            let template = Template::new(&with_chip_data(&financial(&CEKR87, n), &data));
            let arqc = cryptogram(&imk, &card_of(n), version, 28);
            let at = template.frame.windows(8).position(|octets| octets == arqc);
            (template, at.expect("the cryptogram stands in DE 55"))
        });
        Self { version, templates: templates.collect(), imk, next: 0 }
    }

    fn next(&mut self) -> Vec<u8> {
        let (turn, place) = (self.next / HOT, self.next % HOT);
        let (group, atc) = (turn / COUNTER_MAX, turn % COUNTER_MAX + 1);
        let n = group * HOT + place;
        assert!(n < CARDS, "no counter is left");
        self.next += 1;
        let atc = u16::try_from(atc).expect("below the largest");
        let arqc = cryptogram(&self.imk, &card_of(n), self.version, atc);
        let (template, at) = &self.templates[n as usize];
        let mut frame = template.frame.clone();
        template.set_key_of(&mut frame, self.next);
        frame[*at..at + 8].copy_from_slice(&arqc);
        frame[at + ATC_BEHIND..at + ATC_BEHIND + 2].copy_from_slice(&atc.to_be_bytes());
        frame
    }
}

/// From the cryptogram to the counter: 9F27 and 9F34 stand between.
const ATC_BEHIND: usize = 8 + 4 + 6 + 3;

fn authorizations(c: &mut Criterion) {
    for (name, version) in [("10", 0x0A), ("18", 0x12), ("22", 0x22)] {
        let engine = engine(CARDS, CardStatus::Active, Channels::ALL);
        let (mut purchases, link, mut out) = (Purchases::new(version), link(), Outgoing::default());
        c.bench_function(&format!("chip/authorization_{name}"), |b| {
            b.iter_batched_ref(
                || purchases.next(),
                |frame| {
                    out.clear();
                    let consumed = engine.handle_read(&link, black_box(frame), NOW, &mut out);
                    assert_eq!(consumed, Ok(frame.len()));
                    out.spans.len()
                },
                BatchSize::SmallInput,
            );
        });
        let reply = View::parse(&CEKR87, &out.bytes()[2..]).expect("a reply");
        assert_eq!(reply.response_code().map(|code| *code.octets()), Some(*b"00"));
        assert!(reply.has(55), "the chip was answered");
    }
}

fn card_of(n: u64) -> Card {
    Card { number: CardNumber::from_number(pan(n).expose()).expect("a card"), sequence: 0x01 }
}

/// `plain` with DE 55.
fn with_chip_data(plain: &[u8], data: &[u8]) -> Vec<u8> {
    let view = View::parse(&CEKR87, plain).expect("a message of ours");
    let elements: Vec<u8> = view.present().iter().filter(|de| *de > 1).collect();
    let fields = FieldSet::of(&[&elements[..], &[55]].concat());
    let mut out = vec![0; 1_024];
    let mut writer =
        cekr_iso8583::Writer::new(&CEKR87, view.mti(), fields, &mut out).expect("room");
    for de in elements {
        let text: Vec<u8> = view.field(de).expect("present").characters().collect();
        writer.text(de, &text).expect("as it was");
    }
    writer.octets(55, data).expect("room");
    let len = writer.finish().expect("all fields were written");
    out.truncate(len);
    out
}

fn transaction(atc: u16) -> Transaction {
    Transaction {
        amount: [0, 0, 0, 0, 0x24, 0x90],
        amount_other: [0; 6],
        country: [0x07, 0x05],
        tvr: [0x00, 0x00, 0x00, 0x80, 0x00],
        currency: [0x09, 0x78],
        date: [0x26, 0x11, 0x22],
        kind: 0,
        unpredictable_number: [1, 2, 3, 4],
        aip: [0x3D, 0x00],
        atc: atc.to_be_bytes(),
    }
}

fn issuer_data(version: u8) -> Vec<u8> {
    if version == 0x22 {
        let mut long = vec![0; 32];
        long[..5].copy_from_slice(&[0x1F, 0x22, 0x01, 0x00, 0xA4]);
        return long;
    }
    vec![0x06, 0x01, version, 0x03, 0xA4, 0x00, 0x00]
}

fn cryptogram(imk: &Key<ImkAc>, card: &Card, version: u8, atc: u16) -> [u8; 8] {
    let (transaction, issuer_data) = (transaction(atc), issuer_data(version));
    let rules = Rules::of(Scheme::Visa, &issuer_data).expect("a known version");
    let mk = rules.card_key(imk, card.number, card.sequence);
    let sk = rules.session_key(&mk, transaction.atc, transaction.unpredictable_number);
    let pieces = rules.sealed_of(&issuer_data).expect("long enough");
    rules.cryptogram(&sk, &transaction, pieces)
}

fn chip_data(imk: &Key<ImkAc>, card: &Card, version: u8) -> Vec<u8> {
    let issuer_data = issuer_data(version);
    let request = Request {
        transaction: transaction(28),
        cryptogram: cryptogram(imk, card, version, 28),
        information: Cid(0x80),
        issuer_data: &issuer_data,
        sequence: Some(0x01),
        cvm_results: Some(CvmResults([0x44, 0x03, 0x02])),
        script_results: None,
    };
    let mut room = [0; 255];
    let mut writer = Writer::new(&mut room);
    request.write(&mut writer).expect("room");
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

criterion_group!(benches, chip, authorizations, des);
criterion_main!(benches);
