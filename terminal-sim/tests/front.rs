//! Terminals played by their keys, against a switch that is a function.
#![allow(
    clippy::inconsistent_digit_grouping,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking, and cents stand as 150_00"
)]

mod play;

use cekr_iso8583::response::Language;
use cekr_terminal_sim::device::dispenser::{Counts, DispenserFault, TAKE_MS};
use cekr_terminal_sim::device::keypad::KeypadFault;
use cekr_terminal_sim::device::pin_pad::{ENTRY_MS, PinPadFault};
use cekr_terminal_sim::front::{Front, IDLE_MS};
use cekr_terminal_sim::outcome::Ending;
use play::{Play, declining, generous, silent};

#[test]
fn the_fee_and_its_share_are_shown_before_the_pin_is_asked_for() {
    let mut play = Play::cashpoint(Language::Sl, generous);
    play.type_in("c150+");
    assert_eq!(play.kinds(), [(100, 320_000)], "nothing but the enquiry was sent");
    let glass = play.glass();
    assert_eq!(glass[0], "NADOMESTILO");
    assert!(glass.contains(&"Ta dvig vas stane 30 %.".to_owned()), "{glass:?}");
    play.type_in("+");
    assert_eq!(play.glass()[0], "VPIŠITE PIN");
    play.type_in("123");
    assert!(play.glass()[1].contains("* * *"));
    play.type_in("4+");
    assert_eq!(play.kinds(), [(100, 320_000), (200, 10_000)]);
    assert!(play.sent[1].has(52) && !play.sent[0].has(52));
    assert_eq!(play.glass()[..2], ["VZEMITE GOTOVINO", "50,00 €"]);
    play.type_in("m");
    assert_eq!(play.glass()[0], "ODOBRENO (00)");
    let paper = play.front.face().counter.paper().join("\n");
    assert!(paper.contains("476173******0011") && !paper.contains("4761730000000011"), "{paper}");
    assert!(paper.contains("NADOMESTILO   15,00 €"), "{paper}");
    let counts = play.front.dispenser.counts();
    assert_eq!(counts, Counts { taken: 50_00, retracted: 0 });
    play.type_in("c");
    assert_eq!(play.glass()[0], "DOBRODOŠLI");
}

#[test]
fn giving_up_at_the_fee_or_the_pin_sends_nothing_more() {
    for keys in ["c150+x", "c150+c", "c150++x", "c150++12x"] {
        let mut play = Play::cashpoint(Language::En, generous);
        play.type_in(keys);
        assert_eq!(play.kinds(), [(100, 320_000)], "{keys}");
        assert_eq!(play.glass(), ["CANCELLED", "Take your card."], "{keys}");
    }
    let mut play = Play::cashpoint(Language::En, generous);
    play.type_in("c150++12").wait_ms(ENTRY_MS);
    assert_eq!(play.glass()[0], "CANCELLED");
}

#[test]
fn notes_that_nobody_takes_are_reversed() {
    let mut play = Play::cashpoint(Language::En, generous);
    play.type_in("c150++1234+").wait_ms(TAKE_MS);
    assert_eq!(play.kinds(), [(100, 320_000), (200, 10_000), (420, 10_000)]);
    assert_eq!(play.sent[2].as_text(39), Some(&b"21"[..]));
    let counts = play.front.dispenser.counts();
    assert_eq!(counts, Counts { taken: 0, retracted: 50_00 });
}

#[test]
fn a_jam_pays_what_came_out_and_tells_the_issuer() {
    let mut play = Play::cashpoint(Language::En, generous);
    play.front.dispenser.set_fault(DispenserFault::JamsAfter(1));
    play.type_in("c170++1234+m");
    assert_eq!(play.kinds()[2], (420, 10_000));
    assert_eq!(play.sent[2].as_text(39), Some(&b"32"[..]));
    assert_eq!(&play.sent[2].as_text(95).unwrap()[..12], b"000000005000");
    let last = play.front.last().unwrap().clone();
    assert_eq!((last.dispensed, last.amount), (Some(50_00), 50_00));
    // The jammed cassette of twenties pays nothing more: 60 needs the tens.
    play.type_in("c");
    play.front.dispenser.set_fault(DispenserFault::ShutterStuck);
    play.type_in("c160++1234+");
    assert_eq!(play.sent.last().unwrap().as_text(39), Some(&b"21"[..]));
}

#[test]
fn an_amount_that_no_notes_make_is_not_asked_for() {
    let mut play = Play::cashpoint(Language::En, generous);
    play.type_in("c125+");
    assert!(play.sent.is_empty());
    assert_eq!(play.glass()[0], "NO NOTES FOR THIS AMOUNT");
    play.type_in("cc1000+");
    assert_eq!(play.glass()[0], "CASH WITHDRAWAL", "nothing is typed yet");
}

#[test]
fn a_card_that_the_issuer_wants_back_stays_in_the_machine() {
    let mut play = Play::cashpoint(Language::En, |message| declining(message, *b"43", ""));
    play.type_in("c150++1234+");
    assert_eq!(play.glass().last().unwrap(), "The card was kept.");
    play.type_in("c");
    let face = play.front.face();
    assert_eq!(face.counter.wallet.names().collect::<Vec<_>>(), [("bor", true)]);
}

#[test]
fn an_unanswered_withdrawal_pays_nothing() {
    let mut play = Play::cashpoint(Language::En, |message| {
        if message.as_number(3) == Some(320_000) { generous(message) } else { None }
    });
    play.type_in("c150++1234+");
    assert_eq!(play.glass(), ["ONE MOMENT"]);
    play.type_in("x1+m").time_out();
    assert_eq!(play.front.last().unwrap().ending, Ending::TimedOut);
    assert_eq!(play.front.dispenser.counts(), Counts::default());
    // An enquiry without an answer does not stop a withdrawal.
    let mut play = Play::cashpoint(Language::Sl, silent);
    play.type_in("c150+").time_out();
    assert!(play.glass().contains(&"Nadomestilo ni znano.".to_owned()));
}

#[test]
fn a_pin_change_wants_the_new_pin_twice() {
    let mut play = Play::cashpoint(Language::En, generous);
    play.type_in("c31234+");
    assert_eq!(play.glass()[0], "ENTER THE NEW PIN");
    play.type_in("4321+4321+");
    assert_eq!(play.kinds(), [(100, 920_000)]);
    assert_eq!(play.glass()[0], "APPROVED (00)");
    play.type_in("cc31234+4321+4322+");
    assert_eq!(play.glass()[0], "THE NEW PINS DIFFER.");
    assert_eq!(play.sent.len(), 1);
}

#[test]
fn a_balance_is_told_after_the_pin() {
    let mut play = Play::cashpoint(Language::En, generous);
    play.type_in("c2").type_in("1234+");
    assert_eq!(play.kinds(), [(200, 310_000)]);
    assert!(play.glass().contains(&"Available: 35.00 €".to_owned()));
}

#[test]
fn a_forgotten_card_comes_back_and_a_broken_pad_ends_the_visit() {
    let mut play = Play::cashpoint(Language::En, generous);
    play.type_in("c1").wait_ms(IDLE_MS);
    assert_eq!(play.glass()[0], "WELCOME");
    play.front.counter.pad.set_fault(PinPadFault::Broken);
    play.type_in("c2");
    assert_eq!(play.glass()[0], "THE PIN PAD DOES NOT WORK.");
    play.front.counter.keypad.set_fault(KeypadFault::Unplugged);
    play.type_in("cc1");
    assert_eq!(play.glass()[0], "CHOOSE", "no key does anything");
    assert!(play.sent.is_empty());
}

#[test]
fn a_till_sells_by_chip_tap_and_stripe_and_asks_for_a_pin_where_one_is_due() {
    for (keys, mode, has_pin) in [
        ("12490+c1234+", 51, true),
        ("12490+t", 71, false),
        ("16000+t1234+", 71, true),
        ("12490+s1234+", 901, true),
    ] {
        let mut play = Play::till(Language::Sl, generous);
        play.type_in(keys);
        assert_eq!(play.kinds(), [(200, 0)], "{keys}");
        assert_eq!(play.sent[0].as_number(22), Some(mode), "{keys}");
        assert_eq!(play.sent[0].has(52), has_pin, "{keys}");
        assert_eq!(play.glass()[0], "ODOBRENO (00)", "{keys}");
    }
}

#[test]
fn a_till_corrects_an_amount_and_takes_the_last_sale_back_once() {
    let mut play = Play::till(Language::En, generous);
    play.type_in("12499<0+nc1234+");
    assert_eq!(play.sent[0].as_number(4), Some(24_90));
    assert_eq!(play.sent[0].as_text(2), Some(&b"4761730000000029"[..]));
    play.type_in("c4");
    assert_eq!(play.kinds(), [(200, 0), (400, 0)]);
    play.type_in("x4");
    assert_eq!(play.sent.len(), 2, "it is taken back already");
}

#[test]
fn a_decline_shows_its_words_code_and_remark_in_the_language_of_the_moment() {
    let mut play = Play::till(Language::Sl, |message| declining(message, *b"57", "ABROAD"));
    play.type_in("12490+t");
    let glass = play.glass();
    assert!(glass[0].ends_with("(57)") && glass[1] == "ABROAD", "{glass:?}");
    play.type_in("l");
    assert_ne!(play.glass()[0], glass[0]);
}
