//! Terminals played by their keys with chips in the cards, against an issuer that checks them.
#![allow(
    clippy::inconsistent_digit_grouping,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking, and cents stand as 150_00"
)]

mod issuer;
mod play;
mod support;

use cekr_iso8583::CEKR87;
use cekr_terminal_sim::chip_session::PinBy;
use cekr_terminal_sim::device::dispenser::Counts;
use cekr_terminal_sim::message::Message;
use cekr_terminal_sim::reply::Reply;
use issuer::{Issuer, Lie};
use play::Play;

fn answer(lie: Lie, message: &Message) -> Option<Reply> {
    let mut octets = vec![];
    message.encode(&CEKR87, &mut octets).unwrap();
    let (_, framed) = Issuer { lie }.answer(&octets);
    Some(Reply::read(&support::view(&framed[2..])))
}

fn honest(message: &Message) -> Option<Reply> {
    answer(Lie::None, message)
}

fn unproven(message: &Message) -> Option<Reply> {
    answer(Lie::NoProof, message)
}

fn no_funds(message: &Message) -> Option<Reply> {
    answer(Lie::Declines(*b"51"), message)
}

#[test]
fn a_card_is_inserted_again_and_again_and_its_issuer_finds_every_cryptogram_right() {
    let mut play = Play::cashpoint_with_chips(honest);
    for _ in 0..3 {
        play.type_in("c150++1234+m");
        assert_eq!(play.glass()[0], "ODOBRENO (00)");
        play.type_in("cc2").type_in("1234+");
        assert_eq!(play.glass()[0], "ODOBRENO (00)");
        play.type_in("cc31234+4321+4321+");
        assert_eq!(play.glass()[0], "ODOBRENO (00)");
        play.type_in("cn");
    }
    assert_eq!(play.front.dispenser.counts(), Counts { taken: 150_00, retracted: 0 });
    assert!(play.sent.iter().all(|sent| sent.has(55) || sent.as_number(3) == Some(320_000)));
}

#[test]
fn a_cashpoint_pays_nothing_when_the_card_refuses_the_approval() {
    let mut play = Play::cashpoint_with_chips(unproven);
    play.type_in("c150++1234+");
    assert_eq!(play.glass()[0], "KARTICA JE ZAVRNILA");
    assert_eq!(play.kinds(), [(100, 320_000), (200, 10_000), (420, 10_000)]);
    assert_eq!(play.front.dispenser.counts(), Counts::default());
}

#[test]
fn a_till_takes_back_what_the_card_refuses() {
    let mut play = Play::till_with_chips(unproven);
    play.type_in("12490+c1234+");
    assert_eq!(play.glass()[0], "KARTICA JE ZAVRNILA");
    assert_eq!(play.kinds(), [(200, 0), (400, 0)]);
    // The next customer is served.
    play.type_in("c11200+nt");
    assert_eq!(play.glass()[0], "ODOBRENO (00)", "held to the reader the card has no last word");
}

#[test]
fn a_till_asks_for_the_pin_that_the_chip_wants() {
    let mut play = Play::till_with_chips(honest);
    play.type_in("11200+t");
    assert_eq!(play.glass()[0], "ODOBRENO (00)");
    play.type_in("c16000+t");
    assert_eq!(play.glass()[0], "VPIŠITE PIN");
    play.type_in("1234+");
    assert_eq!(play.glass()[0], "ODOBRENO (00)");
    play.type_in("c16000+c12x");
    assert_eq!(play.glass()[0], "PREKLICANO");
    play.type_in("c160000+t");
    assert_eq!(play.glass()[0], "VSTAVITE KARTICO");
    assert_eq!(play.sent.len(), 2);
    play.type_in("c3c1234+");
    assert_eq!(play.kinds()[2], (200, 310_000));
}

#[test]
fn a_decline_is_told_and_nothing_is_taken_back() {
    let mut play = Play::till_with_chips(no_funds);
    play.type_in("12490+c1234+");
    assert_eq!(play.glass()[0], "PREMALO SREDSTEV (51)");
    assert_eq!(play.kinds(), [(200, 0)]);
}

#[test]
fn a_chip_that_verifies_the_pin_itself_asks_again_and_blocks_after_three_wrong_ones() {
    let mut play = Play::till_with_chips(honest);
    let place = play.front.place().clone();
    let session = play.front.counter.chip.take().unwrap();
    play.front.counter.chip = Some(session.with_pin_by(&place, PinBy::ChipFirst));
    play.type_in("12490+c9999+");
    assert_eq!(play.glass()[0], "VPIŠITE PIN", "once more");
    play.type_in("1234+");
    assert_eq!(play.glass()[0], "ODOBRENO (00)");
    assert!(!play.sent[0].has(52), "the issuer needs no PIN");
    // Three wrong ones: the chip takes no more, the issuer is asked for the PIN instead.
    play.type_in("c12490+c9999+9999+9999+");
    assert_eq!(play.glass()[0], "VPIŠITE PIN");
    play.type_in("1234+");
    assert!(play.sent[1].has(52));
    assert!(play.glass()[0].ends_with("(82)"), "an issuer hears of it: {:?}", play.glass());
}
