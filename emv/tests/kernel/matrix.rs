//! Every terminal, every chip, every fault: each of them ends, and no money is given for nothing.

use cekr_emv::chip::Faults;
use cekr_emv::chip::profile::{Limits, Oda, Profile};
use cekr_emv::data::{CryptogramType, TerminalCapabilities, Tvr};
use cekr_emv::terminal::{
    Application, Config, Decision, Interface, Outcome, Reach, Reason, Route, Transaction,
};

use crate::chip::{Inserted, VERSIONS, ask, inserted, profile};
use crate::scene::{Issuer, OFFLINE, Press, Scene, Seen, authorities, purchase, withdrawal};

/// What the issuer does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Line {
    Approves,
    Declines,
    Dead,
}

fn faults() -> Vec<Faults> {
    let none = Faults::default();
    let torn = (0..20).map(|count| Faults { torn_out_after: Some(count), ..none });
    let lost = (0..20).map(|count| Faults { answer_lost_at: Some(count), ..none });
    let writes = (0..10).map(|left| Faults { writes_left: Some(left), ..none });
    let kinds = [
        none,
        Faults { bad_signature: true, ..none },
        Faults { wrong_cryptogram: true, ..none },
        Faults { stuck_atc: true, ..none },
        Faults { wrong_cryptogram: true, bad_signature: true, ..none },
    ];
    kinds.into_iter().chain(torn).chain(lost).chain(writes).collect()
}

/// Chips fresh from personalisation, which takes long; each run has a copy of its own.
fn cards() -> Vec<(String, Inserted)> {
    let mut profiles = Vec::new();
    for version in VERSIONS {
        for oda in [Some(Oda::USUAL), Some(Oda::LONG), None] {
            profiles.push(Profile { oda, ..profile(version) });
        }
        let limits =
            Limits { count_lower: 3, count_upper: 9, total_lower: 300_00, total_upper: 900_00 };
        profiles.push(Profile { limits, ..profile(version) });
    }
    let named = |profile: Profile| {
        let name = format!("{:?}, {:?}, {:?}", profile.version, profile.oda, profile.limits);
        (name, inserted(&profile))
    };
    profiles.into_iter().map(named).collect()
}

/// Where the card goes on its own, an approval is what can be lost.
fn lines(faults: Faults) -> impl Iterator<Item = Line> {
    let count = if is_cut(faults) { 1 } else { 3 };
    [Line::Approves, Line::Declines, Line::Dead].into_iter().take(count)
}

/// Whether the chip loses its power some time.
fn is_cut(faults: Faults) -> bool {
    let Faults { torn_out_after, answer_lost_at, writes_left, .. } = faults;
    torn_out_after.or(answer_lost_at).or(writes_left).is_some()
}

fn run(
    config: &Config<'_>,
    transaction: Transaction,
    card: &mut Inserted,
    line: Line,
) -> (Outcome, Seen) {
    let scene =
        Scene { presses: vec![Press::Digits("9999"), Press::Digits("1234")], ..Scene::default() };
    scene.play_with(config, transaction, card, &mut |de55| {
        Some(match line {
            Line::Approves => ask(&transaction, *b"00", de55, &[]),
            Line::Declines => ask(&transaction, *b"05", de55, &[]),
            Line::Dead => Issuer::Silent,
        })
    })
}

/// What must hold whatever happened.
fn check(outcome: &Outcome, seen: &Seen, faults: Faults, line: Line, place: &str) {
    let kind = outcome.cryptogram.and_then(|cryptogram| cryptogram.information.cryptogram());
    let is_tap = seen.apdus.first().is_some_and(|apdu| apdu[5..].starts_with(b"2PAY"));
    if outcome.decision == Decision::Approved {
        let expected = if is_tap { CryptogramType::Arqc } else { CryptogramType::Tc };
        assert_eq!(kind, Some(expected), "{place}: an approval has its cryptogram");
        assert!(!outcome.needs_reversal, "{place}");
        assert!(!faults.wrong_cryptogram || outcome.route != Route::Online, "{place}");
        assert!(!outcome.tvr.has(Tvr::CDA_FAILED), "{place}");
    }
    if outcome.needs_reversal {
        assert_eq!((outcome.route, line), (Route::Online, Line::Approves), "{place}");
    }
    if outcome.route == Route::Online && line == Line::Approves && !faults.wrong_cryptogram {
        assert_ne!(outcome.needs_reversal, outcome.decision == Decision::Approved, "{place}");
    }
    match outcome.decision {
        Decision::Approved | Decision::Declined => {}
        Decision::Terminated(Reason::CardGone) => assert!(is_cut(faults), "{place}"),
        Decision::Terminated(reason) => panic!("{place}: {reason:?}"),
    }
}

#[test]
fn every_terminal_with_every_chip_and_every_fault_ends_defined() {
    let (authorities, all) = (authorities(), [Application::VISA]);
    let offline = [OFFLINE];
    let cards = cards();
    let mut count = 0;
    for application in [&all, &offline] {
        let till = Config::point_of_sale(application, &authorities);
        let bare = TerminalCapabilities::from_octets([0xE0, 0x08, 0x00]);
        let terminals = [
            till,
            Config::unattended(application, &authorities),
            Config::cashpoint(application, &authorities),
            Config { reach: Reach::OfflineOnly, ..till },
            Config { capabilities: bare, ..till },
        ];
        for (number, config) in terminals.iter().enumerate() {
            for (name, fresh) in &cards {
                for faults in faults() {
                    for line in lines(faults) {
                        let transaction = if number == 2 { withdrawal() } else { purchase() };
                        let mut card = fresh.clone();
                        *card.0.faults() = faults;
                        let (outcome, seen) = run(config, transaction, &mut card, line);
                        let place =
                            format!("terminal {number}, {name}, {faults:?}, {line:?}: {outcome:?}");
                        check(&outcome, &seen, faults, line, &place);
                        count += 1;
                    }
                }
            }
        }
    }
    assert!(count > 5_000, "{count}");
}

#[test]
fn every_tap_with_every_fault_ends_defined() {
    let (authorities, applications) = (authorities(), [Application::VISA]);
    let config = Config::point_of_sale(&applications, &authorities);
    for (name, fresh) in cards() {
        for faults in faults() {
            for line in lines(faults) {
                let tap = Transaction { interface: Interface::Contactless, ..purchase() };
                let mut card = fresh.clone();
                *card.0.faults() = faults;
                let (outcome, seen) = run(&config, tap, &mut card, line);
                let place = format!("{name}, {faults:?}, {line:?}: {outcome:?}");
                check(&outcome, &seen, faults, line, &place);
            }
        }
    }
}

#[test]
fn a_bad_signature_is_found_by_every_method_that_looks_at_it() {
    let (authorities, applications) = (authorities(), [Application::VISA]);
    for (able, bit) in [(0xC8, Tvr::CDA_FAILED), (0xC0, Tvr::DDA_FAILED)] {
        let config = Config {
            capabilities: TerminalCapabilities::from_octets([0xE0, 0xF8, able]),
            ..Config::point_of_sale(&applications, &authorities)
        };
        for version in VERSIONS {
            let mut card = inserted(&profile(version));
            card.0.faults().bad_signature = true;
            let (outcome, seen) = run(&config, purchase(), &mut card, Line::Approves);
            assert!(outcome.tvr.has(bit), "{outcome:?}");
            if bit == Tvr::CDA_FAILED {
                assert_eq!(outcome.decision, Decision::Declined);
                assert!(seen.requests.is_empty(), "a request that is not believed is not sent");
                assert_eq!(seen.asked(), [0x90, 0x00], "the card is told to decline");
            }
        }
    }
}
