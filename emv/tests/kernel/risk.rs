//! Restrictions, risk management and what follows from the findings.

use cekr_emv::data::{Tsi, Tvr};
use cekr_emv::terminal::{
    ActionCodes, Application, Config, Decision, Online, Outcome, RandomSelection, Reach, Reason,
    Route, Transaction,
};

use crate::scene::{Issuer, OFFLINE, Scene, Seen, purchase, withdrawal};
use crate::written::Written;

fn play(card: Written, row: Application<'static>, transaction: Transaction) -> (Outcome, Seen) {
    let applications = [row];
    let config = Config::point_of_sale(&applications, &[]);
    let mut card = card;
    Scene::default().play(&config, transaction, &mut card)
}

fn found(card: Written, transaction: Transaction) -> Tvr {
    let unusual = Tvr::OFFLINE_DATA_AUTHENTICATION_NOT_PERFORMED;
    play(card, OFFLINE, transaction).0.tvr.without(unusual)
}

#[test]
fn dates_versions_and_usage_are_findings() {
    for (tag, value, bit) in [
        (0x9F08, &[0x00, 0x96][..], Tvr::default()),
        (0x9F08, &[0x00, 0x8C], Tvr::DIFFERENT_VERSIONS),
        (0x5F25, &[0x26, 0x11, 0x22], Tvr::default()),
        (0x5F25, &[0x26, 0x11, 0x23], Tvr::NOT_YET_EFFECTIVE),
        (0x5F24, &[0x26, 0x11, 0x22], Tvr::default()),
        (0x5F24, &[0x26, 0x11, 0x21], Tvr::EXPIRED_APPLICATION),
        (0x9F07, &[0x01, 0x00], Tvr::default()),
        (0x9F07, &[0xFE, 0xC0], Tvr::SERVICE_NOT_ALLOWED),
    ] {
        assert_eq!(found(Written::plain().with(tag, value), purchase()), bit, "{tag:X} {value:?}");
    }
}

#[test]
fn usage_is_told_apart_by_country_and_kind() {
    let cash = withdrawal();
    let cashback = Transaction { kind: 0x09, other: 5_00, ..purchase() };
    for (usage, country, transaction, allowed) in [
        ([0x81, 0x00], [0x07, 0x05], cash, true),
        ([0x81, 0x00], [0x01, 0x91], cash, false),
        ([0x41, 0x00], [0x01, 0x91], cash, true),
        ([0x21, 0x00], [0x07, 0x05], purchase(), true),
        ([0x09, 0x00], [0x07, 0x05], purchase(), true),
        ([0x09, 0x00], [0x01, 0x91], purchase(), false),
        ([0x05, 0x00], [0x01, 0x91], purchase(), true),
        ([0x21, 0x00], [0x07, 0x05], cashback, false),
        ([0x21, 0x80], [0x07, 0x05], cashback, true),
        ([0x11, 0x80], [0x01, 0x91], cashback, false),
        ([0x11, 0x40], [0x01, 0x91], cashback, true),
        ([0x01, 0x00], [0x07, 0x05], Transaction { kind: 0x20, ..purchase() }, true),
        ([0x01, 0x00], [0x01, 0x91], Transaction { kind: 0x31, ..purchase() }, true),
    ] {
        let card = Written::plain().with(0x9F07, &usage).with(0x5F28, &country);
        let expected = if allowed { Tvr::default() } else { Tvr::SERVICE_NOT_ALLOWED };
        assert_eq!(found(card, transaction), expected, "{usage:02X?} {country:02X?}");
    }
}

#[test]
fn amounts_from_the_floor_limit_on_and_forced_ones_go_online() {
    for (amount, online, bit) in [
        (99_99, Online::ByRisk, Tvr::default()),
        (100_00, Online::ByRisk, Tvr::TRANSACTION_EXCEEDS_FLOOR_LIMIT),
        (1_00, Online::Forced, Tvr::MERCHANT_FORCED_ONLINE),
    ] {
        let transaction = Transaction { amount, online, ..purchase() };
        assert_eq!(found(Written::plain(), transaction), bit, "{amount}");
    }
    // A card that does not want it is not weighed.
    let card = Written { aip: [0x00, 0x00], ..Written::plain() };
    let (outcome, _) = play(card, OFFLINE, Transaction { amount: 100_00, ..purchase() });
    assert!(!outcome.tsi.has(Tsi::TERMINAL_RISK_MANAGEMENT_PERFORMED));
    assert!(!outcome.tvr.has(Tvr::TRANSACTION_EXCEEDS_FLOOR_LIMIT));
}

#[test]
fn small_amounts_go_online_by_chance() {
    let random = RandomSelection { threshold: 20_00, target_percent: 20, target_percent_max: 90 };
    let row = Application { random: Some(random), ..OFFLINE };
    let selected = |amount| {
        let mut count = 0;
        for entropy in 0..99 {
            let transaction = Transaction { amount, entropy, ..purchase() };
            let (outcome, _) = play(Written::plain(), row, transaction);
            count += usize::from(outcome.tvr.has(Tvr::RANDOMLY_SELECTED));
        }
        count
    };
    assert_eq!(selected(10_00), 20);
    assert_eq!(selected(60_00), 55);
}

#[test]
fn a_card_on_the_exception_file_is_found() {
    let applications = [OFFLINE];
    let exceptions = [cekr_emv::CardNumber::parse(b"4761730000000011").unwrap()];
    let config = Config { exceptions: &exceptions, ..Config::point_of_sale(&applications, &[]) };
    let (outcome, _) = Scene::default().play(&config, purchase(), &mut Written::plain());
    assert!(outcome.tvr.has(Tvr::CARD_ON_EXCEPTION_FILE));
}

#[test]
fn counters_of_the_card_are_asked_for_where_it_has_limits() {
    let both = Tvr::LOWER_LIMIT_EXCEEDED.with(Tvr::UPPER_LIMIT_EXCEEDED);
    for (counter, last, bits) in [
        (Some([0, 9]), Some([0, 6]), Tvr::default()),
        (Some([0, 9]), Some([0, 5]), Tvr::LOWER_LIMIT_EXCEEDED),
        (Some([0, 9]), Some([0, 3]), both),
        (Some([0, 9]), Some([0, 9]), both),
        (Some([0, 9]), Some([0, 10]), both),
        (Some([0, 2]), Some([0, 0]), Tvr::NEW_CARD),
        (None, Some([0, 3]), both),
        (Some([0, 9]), None, both),
    ] {
        let mut card = Written::plain().with(0x9F14, &[3]).with(0x9F23, &[5]);
        card.data.clear();
        for (tag, value) in [(0x9F36, counter), (0x9F13, last)] {
            card.data.extend(value.map(|value: [u8; 2]| (tag, value.to_vec())));
        }
        assert_eq!(found(card, purchase()), bits, "{counter:?} {last:?}");
    }
    // One limit alone asks for nothing.
    let (_, seen) = play(Written::plain().with(0x9F14, &[3]), OFFLINE, purchase());
    assert_eq!(seen.count(0xCA), 0);
}

#[test]
fn findings_decide_what_is_asked_of_the_card() {
    let expired = || Written::plain().with(0x5F24, &[0x20, 0x01, 0x31]);
    let bit = Tvr::EXPIRED_APPLICATION;
    let asked = |card: Written, action_codes| {
        let row = Application { action_codes, ..OFFLINE };
        let (outcome, seen) = play(card, row, purchase());
        (seen.asked()[0], outcome.response_code)
    };
    let none = ActionCodes::default();
    let denial = ActionCodes { denial: bit, ..none };
    let online = ActionCodes { online: bit, ..none };
    let default = ActionCodes { default: bit, ..none };
    assert_eq!(asked(expired(), none).0, 0x40);
    assert_eq!(asked(expired(), denial), (0x00, *b"Z1"));
    assert_eq!(asked(expired(), online), (0x80, *b"00"));
    assert_eq!(asked(expired(), default).0, 0x40, "the default is for terminals without a line");
    // The card's codes count as much.
    assert_eq!(asked(expired().with(0x9F0E, &bit.octets()), online).0, 0x00);
    assert_eq!(asked(expired().with(0x9F0F, &bit.octets()), none).0, 0x80);
    // A card without codes wants everything unusual online, and nothing declined.
    assert_eq!(asked(expired().without(0x9F0E), none).0, 0x40);
    assert_eq!(asked(expired().without(0x9F0F), none).0, 0x80);
}

#[test]
fn terminals_without_a_line_and_with_nothing_else_ask_as_they_must() {
    let asked = |reach, card: &Written, default| {
        let action_codes = ActionCodes { default, ..ActionCodes::default() };
        let applications = [Application { action_codes, ..OFFLINE }];
        let config = Config { reach, ..Config::point_of_sale(&applications, &[]) };
        let scene = Scene { issuer: Issuer::Silent, ..Scene::default() };
        let (outcome, seen) = scene.play(&config, purchase(), &mut card.clone());
        (seen.asked(), outcome.decision, outcome.route, outcome.response_code)
    };
    let plain = Written { kinds: vec![0x40], ..Written::plain() };
    let none = Tvr::default();
    let unusual = Tvr::OFFLINE_DATA_AUTHENTICATION_NOT_PERFORMED;
    let approved = (vec![0x40], Decision::Approved, Route::Offline, *b"Y1");
    assert_eq!(asked(Reach::OfflineOnly, &plain, none), approved);
    let declines = Written { kinds: vec![0x00], ..Written::plain() };
    let declined = (vec![0x00], Decision::Declined, Route::Offline, *b"Z1");
    assert_eq!(asked(Reach::OfflineOnly, &declines, unusual), declined);
    // A card that insists on its issuer is told that there is none.
    let asks = Written { kinds: vec![0x80, 0x40], ..Written::plain() };
    let without = (vec![0x40, 0x40], Decision::Approved, Route::UnableToGoOnline, *b"Y3");
    assert_eq!(asked(Reach::OfflineOnly, &asks, none), without);
    let refused = Written { kinds: vec![0x80, 0x00], ..Written::plain() };
    let without = (vec![0x80, 0x00], Decision::Declined, Route::UnableToGoOnline, *b"Z3");
    assert_eq!(asked(Reach::OnlineOnly, &refused, none), without);
}

#[test]
fn a_card_may_be_stricter_than_asked_and_never_more_generous() {
    let strict = Written { kinds: vec![0x00], ..Written::plain() };
    let (outcome, _) = play(strict, OFFLINE, purchase());
    assert_eq!((outcome.decision, outcome.response_code), (Decision::Declined, *b"Z1"));
    let generous = Written { kinds: vec![0x40], ..Written::plain() };
    let forced = Transaction { online: Online::Forced, ..purchase() };
    let (outcome, _) = play(generous.clone(), OFFLINE, forced);
    assert_eq!(outcome.decision, Decision::Terminated(Reason::WrongCryptogram));
    let row = Application {
        action_codes: ActionCodes {
            denial: Tvr::OFFLINE_DATA_AUTHENTICATION_NOT_PERFORMED,
            ..ActionCodes::default()
        },
        ..OFFLINE
    };
    for kind in [0x40, 0x80] {
        let card = Written { kinds: vec![kind], ..Written::plain() };
        let (outcome, _) = play(card, row, purchase());
        assert_eq!(outcome.decision, Decision::Terminated(Reason::WrongCryptogram));
    }
}
