//! What cardholders and evil terminals live through at the chip, the PIN and the MAC: octets in,
//! octets out.

mod support;

use std::sync::Arc;
use std::thread;

use cekr_emv::CardNumber;
use cekr_emv::crypto::cvn::Scheme;
use cekr_emv::crypto::cvv::{self, Expiry, ServiceCode};
use cekr_emv::crypto::mac::{self, Padding};
use cekr_emv::crypto::script::Occasion;
use cekr_emv::crypto::tr31::{self, Header, ProtectionKey, Version};
use cekr_emv::issuer::{Card, Outcome, respond};
use cekr_emv::keys::{AesKey, Cvk, ImkAc, Kbpk, Key, Mak};
use cekr_iso8583::View;
use cekr_issuer::policy::{CashpointRequires, PosRequires};
use cekr_issuer::{Fact, Policy, Reason, Seq};
use cekr_switch::engine::{MacRule, Outgoing, Ticket};
use cekr_switch::hsm::{FaultyHsm, Plan, SoftHsm};
use cekr_switch::shard::Shard;

use support::chip::{Sealed, issuer_answer, sealed};
use support::{
    Bank, CEKR87_BE2, Told, ana, in_every_dialect, lenient, memory, pin_block, purchase,
    same_cards, shard_over, withdrawal,
};

const NUMBER: u64 = 4_761_730_000_000_011;

/// A purchase of `cents` with the chip at the counter `atc`.
fn with_chip(stan: u32, atc: u16, cents: u64) -> Told {
    sealed(atc, cents).within(purchase(&ana(), stan, cents), NUMBER)
}

/// The reason of the newest entry.
fn newest_reason(bank: &Bank) -> Reason {
    bank.entries().last().unwrap().answered().unwrap().reason
}

fn available(bank: &Bank) -> i64 {
    bank.money("ana").1
}

/// What the issuer should answer the chip with.
fn expected_answer(sealed: &Sealed, code: &[u8; 2], outcome: Outcome) -> Vec<u8> {
    let card = Card { number: CardNumber::from_number(NUMBER).unwrap(), sequence: 0x01 };
    let occasion = Occasion { atc: sealed.transaction.atc, arqc: sealed.cryptogram(NUMBER) };
    let by = (Scheme::Visa, sealed.issuer_data[2]);
    let imk = Key::<ImkAc>::development();
    respond(&imk, &card, by, occasion, *code, outcome).unwrap().octets().to_vec()
}

#[test]
fn approvals_and_declines_answer_the_chip_and_a_repeat_gets_the_same_octets() {
    in_every_dialect(&lenient(), |bank| {
        for (stan, version, cents, code) in
            [(1, 0x12, 24_90, b"00"), (2, 0x0A, 10_00, b"00"), (3, 0x12, 99_00, b"51")]
        {
            let chip = sealed(stan as u16, cents).of_version(version);
            let message = chip.within(purchase(&ana(), stan, cents), NUMBER);
            let first = bank.read(&message.framed(bank.dialect())).remove(0);
            assert_eq!(first.told.code().as_bytes(), code);
            let outcome = if code == b"00" { Outcome::Approved } else { Outcome::Declined };
            let answer = issuer_answer(&first.told).unwrap();
            assert_eq!(answer, expected_answer(&chip, code, outcome));
            assert_ne!(first.ticket, Ticket::Now, "the counter must be on disk first");
            let again = bank.read(&message.clone().of_mti(201).framed(bank.dialect())).remove(0);
            assert_eq!(again.octets, first.octets);
        }
        assert_eq!(available(bank), 100_00 - 24_90 - 10_00);
    });
}

#[test]
fn a_replayed_cryptogram_is_declined_and_moves_nothing() {
    in_every_dialect(&lenient(), |bank| {
        assert_eq!(bank.ask(&with_chip(1, 7, 24_90)).code(), "00");
        let replay = bank.ask(&with_chip(2, 7, 24_90));
        assert_eq!(replay.code(), "82");
        assert_eq!(newest_reason(bank), Reason::ChipReplay);
        assert_eq!(available(bank), 75_10);
        assert_eq!(bank.ask(&with_chip(3, 8, 24_90)).code(), "00");
    });
}

#[test]
fn another_amount_than_was_sealed_is_declined_and_the_counter_stays_free() {
    in_every_dialect(&lenient(), |bank| {
        let told_more = with_chip(1, 7, 24_90).with(4, format!("{:012}", 74_90));
        assert_eq!(bank.ask(&told_more).code(), "82");
        assert_eq!(newest_reason(bank), Reason::ChipFormat);
        let mut forged = sealed(7, 24_90);
        forged.transaction.amount = sealed(7, 74_90).transaction.amount;
        let hex = forged.hex(NUMBER);
        let cryptogram = |sealed: &Sealed| -> String {
            sealed.cryptogram(NUMBER).iter().map(|octet| format!("{octet:02X}")).collect()
        };
        let hex = hex.replace(&cryptogram(&forged), &cryptogram(&sealed(7, 24_90)));
        let forged = with_chip(2, 7, 74_90).with(55, hex);
        let reply = bank.ask(&forged);
        assert_eq!(reply.code(), "82");
        assert_eq!(newest_reason(bank), Reason::ChipInvalid);
        assert_eq!(reply.text(55), None, "nobody is answered who has proven nothing");
        assert_eq!(available(bank), 100_00);
        assert_eq!(bank.ask(&with_chip(3, 7, 24_90)).code(), "00");
    });
}

#[test]
fn a_terminal_that_claims_a_pin_which_the_chip_never_saw_is_refused() {
    in_every_dialect(&lenient(), |bank| {
        let mut lie = sealed(7, 24_90);
        lie.cvm_results = [0x41, 0x03, 0x02];
        assert_eq!(bank.ask(&lie.within(purchase(&ana(), 1, 24_90), NUMBER)).code(), "82");
        assert_eq!(newest_reason(bank), Reason::ChipFindings);
        let mut truth = sealed(8, 24_90);
        truth.cvm_results = [0x41, 0x03, 0x02];
        truth.issuer_data[4] = 0xA4;
        assert_eq!(bank.ask(&truth.within(purchase(&ana(), 2, 24_90), NUMBER)).code(), "00");
    });
}

#[test]
fn the_stripe_of_a_chip_card_is_taken_up_to_its_cap_only() {
    in_every_dialect(&lenient(), |bank| {
        let swiped = |stan, cents| purchase(&ana(), stan, cents).with(22, "801");
        assert_eq!(bank.ask(&swiped(1, 50_01)).code(), "57");
        assert_eq!(newest_reason(bank), Reason::FallbackRefused);
        assert_eq!(bank.ask(&swiped(2, 50_00)).code(), "00");
    });
    let strict = Policy { pos_requires: PosRequires::Chip, ..lenient() };
    in_every_dialect(&strict, |bank| {
        assert_eq!(bank.ask(&purchase(&ana(), 1, 1_00)).code(), "57");
        let terminal_only = purchase(&ana(), 2, 1_00).with(22, "051").with(55, "9F1A020705");
        assert_eq!(bank.ask(&terminal_only).code(), "57");
        assert_eq!(bank.ask(&with_chip(3, 1, 1_00)).code(), "00");
    });
}

#[test]
fn a_cashpoint_wants_chip_and_pin_where_that_is_required() {
    let strict = Policy { cashpoint_requires: CashpointRequires::ChipAndPin, ..lenient() };
    in_every_dialect(&strict, |bank| {
        let plain = |stan| withdrawal(&ana(), stan, 20_00);
        let chip = |stan, atc| sealed(atc, 20_00).within(plain(stan), NUMBER);
        assert_eq!(bank.ask(&plain(1)).code(), "57");
        assert_eq!(bank.ask(&chip(2, 1).without(&[52])).code(), "55");
        assert_eq!(newest_reason(bank), Reason::PinMissing);
        assert_eq!(bank.ask(&chip(3, 2)).code(), "00");
        assert_eq!(available(bank), 100_00 - 20_00 - 15_00);
    });
}

/// A shard that was given all entries of another.
fn restarted(bank: &Bank) -> Shard {
    let fresh = shard_over(memory());
    for seq in 1..=bank.shard().journal().appended().0 {
        let octets = bank.shard().journal().entry(Seq(seq)).unwrap();
        fresh.replay(Seq(seq), &octets).unwrap();
    }
    same_cards(bank.shard(), &fresh);
    fresh
}

#[test]
fn three_wrong_pins_end_it_and_neither_tries_nor_counters_come_back_with_a_restart() {
    let mut bank = Bank::new(CEKR87_BE2, lenient(), &[ana()]);
    let wrong = |stan, atc| {
        let message = sealed(atc, 20_00).within(withdrawal(&ana(), stan, 20_00), NUMBER);
        message.with(52, pin_block(NUMBER, "9999"))
    };
    assert_eq!(bank.ask(&wrong(1, 1)).code(), "55");
    assert_eq!(bank.ask(&wrong(2, 2)).code(), "55");
    let mut bank = Bank::around(restarted(&bank), CEKR87_BE2, lenient());
    assert_eq!(bank.ask(&wrong(3, 2)).code(), "82", "the counter was used before the restart");
    assert_eq!(bank.ask(&wrong(4, 3)).code(), "55", "the third one");
    let right = sealed(4, 20_00).within(withdrawal(&ana(), 5, 20_00), NUMBER);
    let reply = bank.ask(&right);
    assert_eq!(reply.code(), "75");
    assert!(issuer_answer(&reply).is_some(), "declined, and the chip is answered");
    assert_eq!(available(&bank), 100_00);
}

#[test]
fn a_right_pin_has_a_blocked_chip_take_pins_again() {
    let mut bank = Bank::new(CEKR87_BE2, lenient(), &[ana()]);
    let mut chip = sealed(1, 20_00);
    chip.issuer_data[5] = 0x40;
    let message = chip.within(withdrawal(&ana(), 1, 20_00), NUMBER);
    let reply = bank.ask(&message);
    assert_eq!(reply.code(), "00");
    let data = support::hex_octets(reply.text(55).unwrap());
    let script = cekr_emv::tlv::value_of(&data, 0x72).unwrap();
    let command = cekr_emv::tlv::value_of(script, 0x86).unwrap();
    assert_eq!(command[..5], [0x84, 0x24, 0x00, 0x00, 0x08]);
    assert_eq!(bank.ask(&message.of_mti(201)), reply);
}

#[test]
fn two_lines_with_one_counter_at_once_approve_once() {
    for round in 0..20 {
        let bank = Bank::new(CEKR87_BE2, lenient(), &[ana()]);
        let start = Arc::new(std::sync::Barrier::new(4));
        let lines: Vec<_> = (0..4)
            .map(|line| {
                let (engine, start) = (Arc::clone(&bank.engine), Arc::clone(&start));
                let link = bank.link;
                thread::spawn(move || {
                    let message = with_chip(100 + line, 7, 1_00).framed(CEKR87_BE2);
                    let mut out = Outgoing::default();
                    start.wait();
                    engine.handle_read(&link, &message, support::MORNING, &mut out).unwrap();
                    let octets = out.bytes()[2..].to_vec();
                    Told::of(&View::parse(link.spec, &octets).unwrap()).code().to_owned()
                })
            })
            .collect();
        let mut codes: Vec<_> = lines.into_iter().map(|line| line.join().unwrap()).collect();
        codes.sort();
        assert_eq!(codes, ["00", "82", "82", "82"], "round {round}");
        assert_eq!(available(&bank), 99_00);
        bank.audit();
    }
}

#[test]
fn over_the_air_a_pin_is_asked_for_above_fifty_euros() {
    in_every_dialect(&lenient(), |bank| {
        let tapped = |stan, atc, cents| with_chip(stan, atc, cents).with(22, "071");
        assert_eq!(bank.ask(&tapped(1, 1, 50_01)).code(), "70");
        assert_eq!(bank.ask(&tapped(2, 2, 50_00)).code(), "00");
    });
}

/// Track 2 with a verification value.
fn track(service: &str, value: u16) -> String {
    format!("{NUMBER}=3012{service}10000{value:03}")
}

#[test]
fn a_track_with_a_wrong_verification_value_is_refused_and_one_without_is_not() {
    let value = |service: &str| {
        let card = CardNumber::from_number(NUMBER).unwrap();
        let (expiry, service) = (Expiry::parse(b"3012"), ServiceCode::parse(service.as_bytes()));
        let cvk = Key::<Cvk>::development();
        cvv::cvv(&cvk, card, expiry.unwrap(), service.unwrap()).number()
    };
    let (stripe, chip) = (value("201"), value("999"));
    assert_ne!(stripe, chip);
    in_every_dialect(&lenient(), |bank| {
        let swiped = |stan, value| {
            purchase(&ana(), stan, 1_00).with(22, "901").with(35, track("201", value))
        };
        assert_eq!(bank.ask(&swiped(1, stripe)).code(), "00");
        assert_eq!(bank.ask(&swiped(2, chip)).code(), "82", "the chip's copy on a stripe");
        assert_eq!(newest_reason(bank), Reason::CvvWrong);
        assert_eq!(bank.ask(&swiped(3, 0)).code(), "00", "none");
        let short = purchase(&ana(), 4, 1_00).with(22, "901").with(35, format!("{NUMBER}=3012201"));
        assert_eq!(bank.ask(&short).code(), "00", "none");
        let dipped = |stan, atc, value| with_chip(stan, atc, 1_00).with(35, track("201", value));
        assert_eq!(bank.ask(&dipped(5, 1, chip)).code(), "00");
        assert_eq!(bank.ask(&dipped(6, 2, stripe)).code(), "82", "skimmed from the stripe");
    });
}

#[test]
fn what_is_printed_on_the_card_must_be_right_where_a_web_shop_sends_it() {
    let card = CardNumber::from_number(NUMBER).unwrap();
    let expiry = Expiry::parse(b"1230").unwrap();
    let right = cvv::cvv(&Key::<Cvk>::development(), card, expiry, ServiceCode::CVV2).number();
    let mut bank = Bank::new(CEKR87_BE2, lenient(), &[ana()]);
    let online = |stan, value: u16| {
        support::purchase_online(&ana(), stan, 1_00).with(48, format!("9203{value:03}"))
    };
    assert_eq!(bank.ask(&online(1, right)).code(), "00");
    assert_eq!(bank.ask(&online(2, (right + 1) % 1000)).code(), "14");
    assert_eq!(newest_reason(&bank), Reason::CvvWrongNotPresent);
}

#[test]
fn a_module_that_is_away_is_an_internal_fault_and_nothing_is_applied() {
    let plan = Plan { fails_each: 1, latency_us: 0 };
    let hsm = Arc::new(FaultyHsm::new(SoftHsm::development(), plan));
    let shard = shard_over(memory()).with_hsm(hsm.clone());
    let mut bank = Bank::over(shard, CEKR87_BE2, lenient(), &[ana()]);
    let entries = bank.entries().len();
    assert_eq!(bank.ask(&with_chip(1, 1, 1_00)).code(), "96");
    assert_eq!(bank.ask(&withdrawal(&ana(), 2, 20_00)).code(), "96");
    assert_eq!(bank.entries().len(), entries);
    assert_eq!(bank.ask(&purchase(&ana(), 3, 1_00)).code(), "00", "nothing is to be proven");
    assert!(hsm.asked() >= 2);
}

/// The MAC that a message should end with, in hexadecimal.
fn mac_of(key: &Key<Mak>, octets: &[u8]) -> String {
    let mac = mac::retail(key, octets, Padding::Zeros);
    mac.iter().map(|octet| format!("{octet:02X}")).collect()
}

/// `message` with the MAC of `key` as its last element.
fn sealed_message(bank: &Bank, message: Told, key: &Key<Mak>) -> Told {
    let element = if message.elements.keys().any(|de| *de > 64) { 128 } else { 64 };
    let spec = bank.link.spec;
    let zeros = message.with(element, "0000000000000000");
    let octets = zeros.octets(spec);
    let end = View::parse(spec, &octets).unwrap().offset(element).unwrap();
    zeros.with(element, mac_of(key, &octets[..end]))
}

fn assert_sealed(bank: &Bank, reply: &[u8], key: &Key<Mak>) {
    let header = bank.link.framing.header_len();
    let message = &reply[header..];
    let view = View::parse(bank.link.spec, message).unwrap();
    let element = if view.has(128) { 128 } else { 64 };
    let end = view.offset(element).unwrap();
    let told = Told::of(&view);
    assert_eq!(told.text(element), Some(mac_of(key, &message[..end]).as_str()));
}

#[test]
fn a_link_that_requires_macs_takes_no_message_without_the_right_one_and_seals_its_replies() {
    let key = Key::<Mak>::development();
    in_every_dialect(&lenient(), |bank| {
        bank.link.mac = MacRule::Required;
        assert_eq!(bank.ask(&purchase(&ana(), 1, 1_00)).code(), "30");
        let right = sealed_message(bank, purchase(&ana(), 2, 1_00), &key);
        let more = right.clone().with(4, format!("{:012}", 9_00));
        assert_eq!(bank.ask(&more).code(), "63");
        assert_eq!(available(bank), 100_00);
        let reply = bank.read(&right.framed(bank.dialect())).remove(0);
        assert_eq!(reply.told.code(), "00");
        assert_sealed(bank, &reply.octets, &key);
        let echo = Told::new(800).with(7, "1122100000").with(11, "000009").with(70, "301");
        let reply = bank.read(&sealed_message(bank, echo, &key).framed(bank.dialect())).remove(0);
        assert_eq!(reply.told.code(), "00");
        assert_sealed(bank, &reply.octets, &key);
    });
}

#[test]
fn a_link_exchanges_its_key_by_a_key_block() {
    let mut bank = Bank::new(CEKR87_BE2, lenient(), &[ana()]);
    let (old, octets) = (Key::<Mak>::development(), [0x3E; 16]);
    let new = Key::<Mak>::from_octets(&octets).unwrap();
    let exchange = ProtectionKey::Aes(AesKey::<Kbpk>::development());
    let mut room = [0; tr31::BLOCK_OCTETS_MAX];
    let header = Header::new(Version::D, *b"M3", b'T');
    let len = tr31::seal(&exchange, header, &octets, [0x55; 64], &mut room).unwrap();
    let block = String::from_utf8(room[..len].to_vec()).unwrap();
    bank.link.mac = MacRule::Required;
    let ask = |bank: &mut Bank, stan: u32, text: String| {
        let message = Told::new(800)
            .with(7, "1122100000")
            .with(11, format!("{stan:06}"))
            .with(70, "161")
            .with(120, text);
        let message = sealed_message(bank, message, &old);
        bank.read(&message.framed(bank.dialect())).remove(0).told
    };
    assert_eq!(ask(&mut bank, 1, format!("{block}000000")).code(), "63", "another check value");
    let tampered = block.replacen("M3", "P0", 1);
    assert_eq!(ask(&mut bank, 2, tampered).code(), "63");
    let reply = ask(&mut bank, 3, format!("{block}{}", new.kcv()));
    assert_eq!((reply.code(), reply.text(120)), ("00", Some(new.kcv().to_string().as_str())));
    let by_old = sealed_message(&bank, purchase(&ana(), 4, 1_00), &old);
    let reply = bank.read(&by_old.framed(bank.dialect())).remove(0);
    assert_eq!(reply.told.code(), "63");
    let by_new = sealed_message(&bank, purchase(&ana(), 5, 1_00), &new);
    let reply = bank.read(&by_new.framed(bank.dialect())).remove(0);
    assert_eq!(reply.told.code(), "00");
    assert_sealed(&bank, &reply.octets, &new);
}

#[test]
fn what_was_proven_stands_in_the_entry_and_no_more_than_that() {
    let mut bank = Bank::new(CEKR87_BE2, lenient(), &[ana()]);
    let chip = sealed(7, 20_00);
    bank.ask(&chip.within(withdrawal(&ana(), 1, 20_00), NUMBER));
    let entry = bank.entries().pop().unwrap();
    let Fact::Authorized(authorized) = &entry.fact else { panic!("{entry:?}") };
    let seen = authorized.answered.chip.unwrap();
    assert_eq!((seen.atc, seen.arqc), ([0, 7], chip.cryptogram(NUMBER)));
    assert!(authorized.answered.is_pin_proven);
    let octets = bank.shard().journal().entry(bank.shard().journal().appended()).unwrap();
    let block = support::hex_octets(&pin_block(NUMBER, "1234"));
    assert!(!octets.windows(8).any(|window| window == block), "no PIN block is kept");
}
