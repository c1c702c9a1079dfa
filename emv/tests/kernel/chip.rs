//! The kernel and our own chip, with an issuer that checks and answers every cryptogram.

use cekr_emv::chip::profile::{Limits, Oda, Profile, Version};
use cekr_emv::chip::{ANSWER_OCTETS_MAX, Chip, Protocol};
use cekr_emv::data::{CvmMethod, CvmResult, TerminalCapabilities, Tsi, Tvr};
use cekr_emv::issuer::{self, Entry, Letter, Outcome as Said, Request, Told};
use cekr_emv::keys::{ImkAc, Key};
use cekr_emv::terminal::{
    Application, Config, Decision, Interface, IssuerDecision, Outcome, Reach, Route, Transaction,
};
use cekr_emv::tlv::Writer;
use cekr_emv::{CardNumber, Pin};

use crate::scene::{Card, Issuer, OFFLINE, Press, Scene, Seen, authorities, purchase, withdrawal};

pub(crate) const VERSIONS: [Version; 3] = [Version::Ten, Version::Eighteen, Version::TwentyTwo];

/// Our chip in a reader.
#[derive(Clone)]
pub(crate) struct Inserted(pub(crate) Chip);

impl Card for Inserted {
    fn answer(&mut self, apdu: &[u8]) -> Vec<u8> {
        let mut out = [0; ANSWER_OCTETS_MAX];
        let len = self.0.process(apdu, &mut out);
        out[..len].to_vec()
    }
}

pub(crate) fn profile(version: Version) -> Profile {
    let number = CardNumber::parse(b"4761730000000011").unwrap();
    let pin = Pin::parse(b"1234").unwrap();
    Profile::development(number, 0x01, 3012, &pin, version).unwrap()
}

pub(crate) fn inserted(profile: &Profile) -> Inserted {
    let mut chip = Chip::new(profile);
    chip.reset([0x5E; 32]);
    Inserted(chip)
}

/// The issuer of the test cards: it answers as it is told to if the cryptogram is right.
pub(crate) fn ask(transaction: &Transaction, code: [u8; 2], de55: &[u8], scripts: &[u8]) -> Issuer {
    let request = Request::parse(de55).expect("DE 55 that an issuer can read");
    let entry = match transaction.interface {
        Interface::Contact => Entry::Contact,
        Interface::Contactless => Entry::Contactless,
    };
    let told = Told {
        amount: Some(transaction.amount),
        currency: 978,
        sequence: Some(1),
        entry,
        date: None,
    };
    let card =
        issuer::Card { number: CardNumber::parse(b"4761730000000011").unwrap(), sequence: 0x01 };
    let (imk, profile) = (Key::<ImkAc>::development(), issuer::Profile::PREPAID);
    let verdict = issuer::verify(&request, &told, &imk, &card, &profile, None);
    let Some(proven) = verdict.proven else {
        assert_eq!(verdict.letter, Letter::I, "{:?}", verdict.cause);
        return Issuer::Answers(IssuerDecision::Decline, *b"82", Vec::new());
    };
    let (decision, said) = if code == *b"00" {
        (IssuerDecision::Approve, Said::Approved)
    } else {
        (IssuerDecision::Decline, Said::Declined)
    };
    let mut room = [0; 32];
    let mut writer = Writer::new(&mut room);
    writer.put(0x91, proven.answer(code, said).octets()).unwrap();
    let data = [writer.written(), scripts].concat();
    Issuer::Answers(decision, code, data)
}

/// Plays with the issuer of the test cards.
pub(crate) fn play(
    scene: &Scene,
    config: &Config<'_>,
    transaction: Transaction,
    card: &mut Inserted,
    code: [u8; 2],
) -> (Outcome, Seen) {
    scene.play_with(config, transaction, card, &mut |de55| Some(ask(&transaction, code, de55, &[])))
}

#[test]
fn a_purchase_with_every_method_and_version_ends_approved() {
    let (applications, authorities) = ([Application::VISA], authorities());
    for version in VERSIONS {
        for oda in [Some(Oda::USUAL), Some(Oda::LONG), None] {
            for able in [0xC8, 0xC0, 0x80, 0x00] {
                let config = Config {
                    capabilities: TerminalCapabilities::from_octets([0xE0, 0xF8, able]),
                    ..Config::point_of_sale(&applications, &authorities)
                };
                let mut card = inserted(&Profile { oda, ..profile(version) });
                let (outcome, seen) =
                    play(&Scene::default(), &config, purchase(), &mut card, *b"00");
                let place = format!("{version:?} {oda:?} {able:X}: {outcome:?}");
                assert_eq!(outcome.decision, Decision::Approved, "{place}");
                assert_eq!(outcome.route, Route::Online, "{place}");
                assert!(!outcome.needs_reversal, "{place}");
                assert_eq!(outcome.response_code, *b"00");
                let failed = Tvr::SDA_FAILED.with(Tvr::DDA_FAILED).with(Tvr::CDA_FAILED);
                assert!(!outcome.tvr.meets(failed), "{place}");
                let is_done = oda.is_some() && able != 0;
                assert_eq!(
                    outcome.tvr.has(Tvr::OFFLINE_DATA_AUTHENTICATION_NOT_PERFORMED),
                    !is_done,
                    "{place}"
                );
                assert_eq!(outcome.tsi.has(Tsi::OFFLINE_DATA_AUTHENTICATION_PERFORMED), is_done);
                let is_asked = usize::from(is_done && able == 0xC0);
                assert_eq!(seen.count(0x88), is_asked, "{place}");
                let signs = if is_done && able == 0xC8 { 0x10 } else { 0 };
                assert_eq!(seen.asked(), [0x80 | signs, 0x40 | signs], "{place}");
            }
        }
    }
}

#[test]
fn a_cashpoint_asks_for_the_pin_online_and_pays_out_after_the_second_cryptogram() {
    let (applications, authorities) = ([Application::VISA], authorities());
    let config = Config::cashpoint(&applications, &authorities);
    for version in VERSIONS {
        let mut card = inserted(&profile(version));
        let scene = Scene::default();
        let (outcome, seen) = play(&scene, &config, withdrawal(), &mut card, *b"00");
        assert_eq!(outcome.decision, Decision::Approved, "{outcome:?}");
        assert_eq!(outcome.cvm.method(), CvmMethod::OnlinePin);
        assert!(outcome.tvr.has(Tvr::ONLINE_PIN_ENTERED));
        assert_eq!(seen.pins, ["online"]);
        assert_eq!(seen.count(0x20), 0, "no PIN goes to the chip");
        assert_eq!(config.reach, Reach::OnlineOnly);
        let (outcome, _) = play(&scene, &config, withdrawal(), &mut card, *b"51");
        assert_eq!(outcome.decision, Decision::Declined, "{outcome:?}");
        assert_eq!(outcome.response_code, *b"51");
        assert!(!outcome.needs_reversal);
    }
}

#[test]
fn a_forged_approval_is_refused_by_the_chip_and_reversed() {
    let (applications, authorities) = ([Application::VISA], authorities());
    let config = Config::point_of_sale(&applications, &authorities);
    for version in VERSIONS {
        for data in [
            Vec::new(),
            vec![0x91, 0x0A, 1, 2, 3, 4, 5, 6, 7, 8, 0x30, 0x30],
            vec![0x91, 0x08, 1, 2, 3, 4, 0, 0x83, 0, 0],
            vec![0x91, 0x02, 1, 2],
            vec![0x91, 0x82],
        ] {
            let issuer = Issuer::Answers(IssuerDecision::Approve, *b"00", data.clone());
            let scene = Scene { issuer, ..Scene::default() };
            let mut card = inserted(&profile(version));
            let (outcome, _) = scene.play(&config, purchase(), &mut card);
            let place = format!("{version:?} {data:02X?}: {outcome:?}");
            assert_eq!(outcome.decision, Decision::Declined, "{place}");
            assert!(outcome.needs_reversal, "{place}");
        }
    }
}

#[test]
fn without_the_issuer_an_online_card_declines_and_one_with_limits_does_not() {
    let authorities = authorities();
    for (limits, application, decision, code) in [
        (Limits::ONLINE_ONLY, Application::VISA, Decision::Declined, *b"Z3"),
        (
            Limits { count_upper: 9, total_upper: 1_000_00, ..Limits::ONLINE_ONLY },
            OFFLINE,
            Decision::Approved,
            *b"Y3",
        ),
    ] {
        let applications = [application];
        let config = Config::point_of_sale(&applications, &authorities);
        let mut card = inserted(&Profile { limits, ..profile(Version::Eighteen) });
        // A chip that has never reached its issuer approves nothing without it.
        play(&Scene::default(), &config, purchase(), &mut card, *b"00");
        let scene = Scene { issuer: Issuer::Silent, ..Scene::default() };
        let (outcome, _) = scene.play(&config, purchase(), &mut card);
        assert_eq!(
            (outcome.decision, outcome.route),
            (decision, Route::UnableToGoOnline),
            "{outcome:?}"
        );
        assert!(!outcome.needs_reversal);
        assert_eq!(outcome.response_code, code);
    }
}

#[test]
fn a_chip_pin_is_asked_again_while_tries_are_left() {
    let (applications, authorities) = ([Application::VISA], authorities());
    for (able, kind) in [(0x88, "plain"), (0x18, "enciphered")] {
        for oda in [Oda::USUAL, Oda::LONG] {
            let config = Config {
                capabilities: TerminalCapabilities::from_octets([0xE0, able, 0xC8]),
                ..Config::point_of_sale(&applications, &authorities)
            };
            let mut card = inserted(&Profile { oda: Some(oda), ..profile(Version::Eighteen) });
            let scene = Scene {
                presses: vec![Press::Digits("9999"), Press::Digits("1234")],
                ..Scene::default()
            };
            let (outcome, seen) = play(&scene, &config, purchase(), &mut card, *b"00");
            assert_eq!(outcome.decision, Decision::Approved, "{outcome:?}");
            assert_eq!(outcome.cvm.result(), CvmResult::Successful, "{outcome:?}");
            assert_eq!(seen.pins, [kind, kind]);
            assert_eq!(seen.tries_left, [Some(3), Some(2)]);
            let scene = Scene { presses: vec![Press::Digits("9999")], ..Scene::default() };
            let (outcome, seen) = play(&scene, &config, purchase(), &mut card, *b"00");
            assert_eq!(seen.pins.len(), 3);
            assert!(outcome.tvr.has(Tvr::PIN_TRY_LIMIT_EXCEEDED), "{outcome:?}");
            let (outcome, seen) = play(&scene, &config, purchase(), &mut card, *b"00");
            assert!(seen.pins.is_empty(), "no try is left to ask for");
            assert!(outcome.tvr.has(Tvr::PIN_TRY_LIMIT_EXCEEDED), "{outcome:?}");
        }
    }
}

#[test]
fn both_protocols_of_the_chip_are_spoken() {
    let (applications, authorities) = ([Application::VISA], authorities());
    let config = Config::point_of_sale(&applications, &authorities);
    for oda in [Oda::USUAL, Oda::LONG] {
        let mut card = inserted(&Profile { oda: Some(oda), ..profile(Version::Ten) });
        card.0.speak(Protocol::T0);
        card.0.reset([1; 32]);
        let (outcome, seen) = play(&Scene::default(), &config, purchase(), &mut card, *b"00");
        assert_eq!(outcome.decision, Decision::Approved, "{outcome:?}");
        assert!(seen.count(0xC0) > 2, "answers are fetched");
    }
}
