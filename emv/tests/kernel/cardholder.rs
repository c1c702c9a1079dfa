//! The card's list of cardholder verification methods, with every condition and every way to fail.

use cekr_emv::data::{CvmResults, TerminalCapabilities, Tsi, Tvr};
use cekr_emv::terminal::{Application, Config, Decision, Outcome, Reason, Text, Transaction};

use crate::scene::{OFFLINE, Press, Scene, Seen, purchase, withdrawal};
use crate::written::Written;

/// Key entry, stripe and chip; PINs to the issuer and to the chip, signature, and none.
const ALL: [u8; 3] = [0xE0, 0xF8, 0x00];
const NO_PIN_PAD: [u8; 3] = [0xE0, 0x28, 0x00];

fn play_at(
    able: [u8; 3],
    rules: &[[u8; 2]],
    transaction: Transaction,
    presses: &[Press],
    pins: &[u16],
) -> (Outcome, Seen) {
    let applications = [OFFLINE];
    let config = Config {
        capabilities: TerminalCapabilities::from_octets(able),
        ..Config::point_of_sale(&applications, &[])
    };
    let mut card = Written { pins: pins.to_vec(), ..Written::plain().verifying(rules) };
    let scene = Scene { presses: presses.to_vec(), ..Scene::default() };
    scene.play(&config, transaction, &mut card)
}

fn play(rules: &[[u8; 2]], presses: &[Press], pins: &[u16]) -> (Outcome, Seen) {
    play_at(ALL, rules, purchase(), presses, pins)
}

const PIN: [Press; 1] = [Press::Digits("1234")];

#[test]
fn each_method_says_what_it_has_found() {
    for (rule, results, found, wants_signature) in [
        ([0x1F, 0x00], [0x1F, 0x00, 0x02], Tvr::default(), false),
        ([0x1E, 0x03], [0x1E, 0x03, 0x00], Tvr::default(), true),
        ([0x02, 0x00], [0x02, 0x00, 0x00], Tvr::ONLINE_PIN_ENTERED, false),
        ([0x01, 0x03], [0x01, 0x03, 0x02], Tvr::default(), false),
        ([0x03, 0x03], [0x03, 0x03, 0x00], Tvr::default(), true),
        ([0x00, 0x00], [0x00, 0x00, 0x01], Tvr::CARDHOLDER_VERIFICATION_FAILED, false),
        ([0x40, 0x00], [0x40, 0x00, 0x01], Tvr::CARDHOLDER_VERIFICATION_FAILED, false),
    ] {
        let (outcome, _) = play(&[rule], &PIN, &[0x9000]);
        assert_eq!(outcome.cvm, CvmResults(results), "{rule:02X?}");
        let asked = Tvr::OFFLINE_DATA_AUTHENTICATION_NOT_PERFORMED;
        assert_eq!(outcome.tvr.without(asked), found, "{rule:02X?}");
        assert!(outcome.tsi.has(Tsi::CARDHOLDER_VERIFICATION_PERFORMED));
        assert_eq!(outcome.wants_signature(), wants_signature, "{rule:02X?}");
    }
}

#[test]
fn conditions_choose_the_rule() {
    let cashback = Transaction { kind: 0x09, other: 10_00, ..purchase() };
    let manual_cash = withdrawal();
    for (condition, transaction, applies) in [
        (0x00, purchase(), true),
        (0x01, purchase(), false),
        (0x01, manual_cash, false),
        (0x02, purchase(), true),
        (0x02, cashback, false),
        (0x02, manual_cash, false),
        (0x03, purchase(), true),
        (0x04, manual_cash, true),
        (0x04, purchase(), false),
        (0x05, cashback, true),
        (0x05, purchase(), false),
        (0x0A, purchase(), false),
        (0x80, purchase(), false),
    ] {
        let (outcome, _) = play_at(ALL, &[[0x1F, condition]], transaction, &PIN, &[]);
        let expected = if applies { [0x1F, condition, 0x02] } else { [0x3F, 0x00, 0x01] };
        assert_eq!(outcome.cvm, CvmResults(expected), "{condition:X} {:X}", transaction.kind);
    }
}

#[test]
fn a_cashpoint_is_where_cash_is_unattended() {
    let applications = [OFFLINE];
    let config = Config::cashpoint(&applications, &[]);
    let mut card = Written::plain().verifying(&[[0x1F, 0x04], [0x02, 0x01], [0x1F, 0x00]]);
    let (outcome, seen) = Scene::default().play(&config, withdrawal(), &mut card);
    assert_eq!(outcome.cvm, CvmResults([0x02, 0x01, 0x00]));
    assert_eq!(seen.pins, ["online"]);
}

#[test]
fn amounts_are_compared_in_the_cards_currency_only() {
    for (condition, x, applies) in [
        (0x06, 24_91, true),
        (0x06, 24_90, false),
        (0x07, 24_89, true),
        (0x07, 24_90, false),
        (0x08, 24_91, true),
        (0x09, 24_89, true),
        (0x09, 24_91, false),
    ] {
        for currency in [[0x09, 0x78], [0x08, 0x40]] {
            let limit = u32::to_be_bytes(x);
            let list = [&limit[..], &limit, &[0x1F, condition]].concat();
            let card = Written::plain().verifying(&[]).with(0x8E, &list);
            let mut card = card.with(0x9F42, &currency);
            let applications = [OFFLINE];
            let config = Config::point_of_sale(&applications, &[]);
            let (outcome, _) = Scene::default().play(&config, purchase(), &mut card);
            let is_tried = applies && currency == [0x09, 0x78];
            assert_eq!(outcome.cvm.0[0] == 0x1F, is_tried, "{condition:X} {x} {currency:02X?}");
        }
    }
}

#[test]
fn what_the_terminal_cannot_do_gives_way_to_the_next_rule() {
    for (able, rule, bits) in [
        ([0xE0, 0x08, 0x00], [0x5E, 0x00], Tvr::default()),
        (NO_PIN_PAD, [0x41, 0x00], Tvr::PIN_PAD_MISSING),
        (NO_PIN_PAD, [0x42, 0x00], Tvr::PIN_PAD_MISSING),
        ([0xE0, 0x48, 0x00], [0x41, 0x00], Tvr::default()),
        (ALL, [0x60, 0x00], Tvr::UNRECOGNISED_CVM),
        // Without keys there is nothing to encipher under.
        (ALL, [0x44, 0x00], Tvr::default()),
    ] {
        let (outcome, seen) = play_at(able, &[rule, [0x1F, 0x00]], purchase(), &PIN, &[]);
        assert_eq!(outcome.cvm, CvmResults([0x1F, 0x00, 0x02]), "{rule:02X?}");
        let others = Tvr::OFFLINE_DATA_AUTHENTICATION_NOT_PERFORMED.with(Tvr::ICC_DATA_MISSING);
        assert_eq!(outcome.tvr.without(others), bits, "{rule:02X?}");
        assert!(seen.pins.is_empty());
        // The same rule, and no next one: not tried is not performed.
        let last = [rule[0] & !0x40, rule[1]];
        let (outcome, _) = play_at(able, &[last, [0x1F, 0x00]], purchase(), &PIN, &[]);
        assert!(outcome.tvr.has(Tvr::CARDHOLDER_VERIFICATION_FAILED), "{rule:02X?}");
        assert_eq!(outcome.cvm.0[2], 0x01, "{rule:02X?}");
    }
}

#[test]
fn a_pin_that_is_not_entered_is_not_asked_for_again() {
    for (press, bit) in
        [(Press::Bypass, Tvr::PIN_NOT_ENTERED), (Press::PadBroken, Tvr::PIN_PAD_MISSING)]
    {
        let (outcome, seen) = play(&[[0x41, 0x03], [0x42, 0x03], [0x5E, 0x03]], &[press], &[]);
        assert_eq!(seen.pins, ["plain"], "once");
        assert_eq!(outcome.cvm, CvmResults([0x5E, 0x03, 0x00]));
        assert!(outcome.tvr.has(bit));
        let (outcome, seen) = play(&[[0x42, 0x03], [0x01, 0x03], [0x1F, 0x00]], &[press], &[]);
        assert_eq!(seen.pins, ["online"], "once");
        assert!(outcome.tvr.has(bit.with(Tvr::CARDHOLDER_VERIFICATION_FAILED)));
        assert_eq!(outcome.cvm, CvmResults([0x01, 0x03, 0x01]), "the last rule that was tried");
    }
}

#[test]
fn a_wrong_pin_is_said_to_be_wrong_until_no_try_is_left() {
    let presses = [Press::Digits("9999")];
    let (outcome, seen) = play(&[[0x01, 0x00]], &presses, &[0x63C2, 0x63C1, 0x9000]);
    assert_eq!(seen.texts, [Text::IncorrectPin, Text::IncorrectPin, Text::PinOk]);
    assert_eq!(seen.tries_left, [Some(3), Some(2), Some(1)]);
    assert_eq!(outcome.cvm, CvmResults([0x01, 0x00, 0x02]));
    for last in [0x63C0, 0x6983, 0x6984] {
        let (outcome, seen) = play(&[[0x41, 0x00], [0x5E, 0x00]], &presses, &[0x63C1, last]);
        assert_eq!(seen.texts, [Text::IncorrectPin]);
        assert!(outcome.tvr.has(Tvr::PIN_TRY_LIMIT_EXCEEDED));
        assert_eq!(outcome.cvm, CvmResults([0x5E, 0x00, 0x00]), "the next rule");
    }
    let (outcome, _) = play(&[[0x01, 0x00]], &presses, &[0x6700]);
    let reason = Reason::BadStatus(cekr_emv::terminal::Command::Verify, 0x6700);
    assert_eq!(outcome.decision, Decision::Terminated(reason));
}

#[test]
fn without_tries_no_pin_is_asked_for_and_without_a_counter_it_is() {
    let applications = [OFFLINE];
    let config = Config::point_of_sale(&applications, &[]);
    for (data, pins, found) in [
        (vec![(0x9F17, vec![0])], 0, true),
        (vec![(0x9F17, vec![1, 2])], 1, false),
        (vec![], 1, false),
    ] {
        let mut card = Written { data, ..Written::plain().verifying(&[[0x01, 0x00]]) };
        let (outcome, seen) = Scene::default().play(&config, purchase(), &mut card);
        assert_eq!(seen.pins.len(), pins);
        assert_eq!(outcome.tvr.has(Tvr::PIN_TRY_LIMIT_EXCEEDED), found);
    }
}

#[test]
fn a_card_that_never_runs_out_of_tries_ends_all_the_same() {
    let (outcome, seen) = play(&[[0x01, 0x00]], &[Press::Digits("9999")], &[0x63CF]);
    assert_eq!(outcome.decision, Decision::Terminated(Reason::TooManyCommands));
    assert_eq!(seen.apdus.len(), usize::from(cekr_emv::terminal::COMMANDS_MAX));
}

#[test]
fn lists_that_say_nothing_are_not_gone_through() {
    let applications = [Application { floor_limit: 100_00, ..OFFLINE }];
    let config = Config::point_of_sale(&applications, &[]);
    let play = |mut card: Written| Scene::default().play(&config, purchase(), &mut card).0;
    let none = play(Written::plain().with(0x8E, &[0; 10]));
    assert_eq!(none.cvm, CvmResults::NONE, "the card does not want it");
    assert!(!none.tsi.has(Tsi::CARDHOLDER_VERIFICATION_PERFORMED));
    let empty = play(Written::plain().verifying(&[]));
    assert_eq!((empty.cvm, empty.tvr.has(Tvr::ICC_DATA_MISSING)), (CvmResults::NONE, false));
    let missing = play(Written::plain().verifying(&[]).without(0x8E));
    assert_eq!((missing.cvm, missing.tvr.has(Tvr::ICC_DATA_MISSING)), (CvmResults::NONE, true));
    for broken in [&[0; 9][..], &[0; 11]] {
        let outcome = play(Written::plain().verifying(&[]).with(0x8E, broken));
        assert_eq!(outcome.decision, Decision::Terminated(Reason::BadValue(0x8E)));
    }
}
