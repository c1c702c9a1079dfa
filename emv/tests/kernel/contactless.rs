//! The contactless fast path with our own chip, and with cards that do otherwise.

use cekr_emv::chip::profile::Version;
use cekr_emv::data::{CvmMethod, TerminalCapabilities, Tvr};
use cekr_emv::terminal::{
    Application, Config, ContactlessLimits, Decision, Interface, Reason, Route, Transaction,
};

use crate::chip::{VERSIONS, inserted, play, profile};
use crate::scene::{Card, Issuer, Press, Scene, purchase};
use crate::written::{AID, object, objects};

fn tap(amount: u64) -> Transaction {
    Transaction { amount, interface: Interface::Contactless, ..purchase() }
}

#[test]
fn a_tap_is_three_commands_and_one_question_to_the_issuer() {
    let applications = [Application::VISA];
    let config = Config::point_of_sale(&applications, &[]);
    for version in VERSIONS {
        for (code, decision) in [(*b"00", Decision::Approved), (*b"51", Decision::Declined)] {
            let mut card = inserted(&profile(version));
            let (outcome, seen) = play(&Scene::default(), &config, tap(24_90), &mut card, code);
            assert_eq!((outcome.decision, outcome.route), (decision, Route::Online));
            assert_eq!(seen.apdus.len(), 3, "directory, application, processing options");
            assert!(seen.pins.is_empty() && !outcome.needs_reversal);
            assert_eq!(outcome.tvr, Tvr::default(), "as the card has sealed it");
        }
    }
}

#[test]
fn above_the_limit_the_pin_is_asked_for_online() {
    let applications = [Application::VISA];
    let config = Config::point_of_sale(&applications, &[]);
    let mut card = inserted(&profile(Version::Eighteen));
    let (outcome, seen) = play(&Scene::default(), &config, tap(50_01), &mut card, *b"00");
    assert_eq!((outcome.decision, seen.pins), (Decision::Approved, vec!["online"]));
    assert_eq!(outcome.cvm.method(), CvmMethod::OnlinePin);
    let scene = Scene { presses: vec![Press::Bypass], ..Scene::default() };
    let (outcome, _) = play(&scene, &config, tap(50_01), &mut card, *b"00");
    assert_eq!(outcome.decision, Decision::Terminated(Reason::UseContact));
    // A reader that cannot ask for PINs takes a signature.
    let config = Config {
        capabilities: TerminalCapabilities::from_octets([0xE0, 0x28, 0x00]),
        ttq: cekr_emv::data::Ttq::from_octets([0x32, 0x00, 0x40, 0x00]),
        ..config
    };
    let (outcome, _) = play(&Scene::default(), &config, tap(50_01), &mut card, *b"00");
    assert_eq!(outcome.decision, Decision::Approved);
    assert!(outcome.wants_signature());
}

#[test]
fn above_the_readers_limit_the_card_is_to_be_inserted() {
    let limits = ContactlessLimits { transaction: 100_00, verification: 50_00 };
    let applications = [Application { contactless: Some(limits), ..Application::VISA }];
    let config = Config::point_of_sale(&applications, &[]);
    let mut card = inserted(&profile(Version::Ten));
    let (outcome, seen) = play(&Scene::default(), &config, tap(100_01), &mut card, *b"00");
    assert_eq!(outcome.decision, Decision::Terminated(Reason::UseContact));
    assert!(seen.apdus.is_empty(), "the card is not even asked");
    let applications = [Application { contactless: None, ..Application::VISA }];
    let config = Config::point_of_sale(&applications, &[]);
    let (outcome, _) = play(&Scene::default(), &config, tap(1_00), &mut card, *b"00");
    assert_eq!(outcome.decision, Decision::Terminated(Reason::UseContact));
}

#[test]
fn without_the_issuer_a_tap_is_declined() {
    let applications = [Application::VISA];
    let config = Config::point_of_sale(&applications, &[]);
    let mut card = inserted(&profile(Version::Ten));
    let scene = Scene { issuer: Issuer::Silent, ..Scene::default() };
    let (outcome, _) = scene.play(&config, tap(1_00), &mut card);
    assert_eq!((outcome.decision, outcome.route), (Decision::Declined, Route::UnableToGoOnline));
    assert_eq!(outcome.response_code, *b"Z3");
}

/// A card whose answer to the processing options is the story's.
struct Tapped {
    options: Vec<u8>,
}

impl Card for Tapped {
    fn answer(&mut self, apdu: &[u8]) -> Vec<u8> {
        let done = |data: Vec<u8>| [data, vec![0x90, 0x00]].concat();
        match (apdu[1], apdu.get(5..10)) {
            (0xA4, Some(b"2PAY.")) => {
                let entry = object(0x61, &object(0x4F, AID));
                let inner = object(0xA5, &object(0xBF0C, &entry));
                done(object(0x6F, &[object(0x84, b"2PAY.SYS.DDF01"), inner].concat()))
            }
            (0xA4, _) => {
                let list = object(0x9F38, &[0x9F, 0x66, 4, 0x9F, 0x02, 6, 0x9F, 0x37, 4]);
                done(object(0x6F, &[object(0x84, AID), object(0xA5, &list)].concat()))
            }
            _ => self.options.clone(),
        }
    }
}

fn options(without: u32, with: &[(u32, &[u8])]) -> Vec<u8> {
    let track = [0x47, 0x61, 0x73, 0, 0, 0, 0, 0x11, 0xD3, 0x01, 0x22, 0x01, 0x1F];
    let mut list: Vec<(u32, &[u8])> = vec![
        (0x82, &[0, 0]),
        (0x57, &track),
        (0x9F10, &[6, 1, 0x0A, 3, 0xA0, 0, 0]),
        (0x9F26, &[0xAC; 8]),
        (0x9F36, &[0, 1]),
    ];
    list.retain(|(tag, _)| *tag != without);
    list.extend(with);
    [object(0x77, &objects(&list)), vec![0x90, 0x00]].concat()
}

#[test]
fn cards_that_answer_otherwise_end_defined() {
    let applications = [Application::VISA];
    let config = Config::point_of_sale(&applications, &[]);
    let play = |options: Vec<u8>| {
        let (outcome, _) = Scene::default().play(&config, tap(1_00), &mut Tapped { options });
        outcome.decision
    };
    // What kind of cryptogram it is, the issuer data say where 9F27 does not.
    assert_eq!(play(options(0, &[])), Decision::Approved);
    assert_eq!(play(options(0, &[(0x9F27, &[0x80])])), Decision::Approved);
    assert_eq!(play(options(0, &[(0x9F27, &[0x00])])), Decision::Declined);
    let wrong = Decision::Terminated(Reason::WrongCryptogram);
    assert_eq!(play(options(0, &[(0x9F27, &[0x40])])), wrong, "nobody has checked it");
    for tag in [0x57, 0x82, 0x9F10, 0x9F26, 0x9F36] {
        assert_eq!(play(options(tag, &[])), Decision::Terminated(Reason::Missing(tag)), "{tag:X}");
    }
    assert_eq!(play(vec![0x69, 0x84]), Decision::Terminated(Reason::UseContact));
    for answer in [&[][..], &[0x90], &[0x90, 0x00], &[0x69, 0x85], &[0x80, 0x00, 0x90, 0x00]] {
        assert!(matches!(play(answer.to_vec()), Decision::Terminated(_)), "{answer:02X?}");
    }
}

#[test]
fn a_phone_that_has_recognised_its_owner_needs_no_pin() {
    let applications = [Application::VISA];
    let config = Config::point_of_sale(&applications, &[]);
    for (wishes, pins, signature) in
        [([0x00, 0x80], 0, false), ([0x80, 0x00], 1, false), ([0x40, 0x00], 0, true)]
    {
        let options = options(0, &[(0x9F6C, &wishes)]);
        let (outcome, seen) = Scene::default().play(&config, tap(80_00), &mut Tapped { options });
        assert_eq!(outcome.decision, Decision::Approved, "{wishes:02X?}");
        assert_eq!((seen.pins.len(), outcome.wants_signature()), (pins, signature));
    }
}

#[test]
fn a_card_that_was_held_to_the_reader_may_go_before_the_issuer_answers() {
    use cekr_emv::terminal::{Action, Event, IssuerDecision, Kernel, OnlineResult, PinEntered};

    let applications = [Application::VISA];
    let config = Config::point_of_sale(&applications, &[]);
    let mut kernel = Kernel::new(&config);
    let mut card = inserted(&profile(Version::Eighteen));
    let mut answer;
    let mut event = Event::Start(tap(80_00));
    while let Action::Apdu(apdu) = kernel.step(event) {
        answer = card.answer(apdu);
        event = Event::Response(&answer);
    }
    assert!(matches!(kernel.step(Event::CardGone), Action::EnterPin(_)));
    assert!(matches!(kernel.step(Event::Pin(PinEntered::OnlineDone)), Action::GoOnline));
    assert!(matches!(kernel.step(Event::CardGone), Action::GoOnline));
    let said = OnlineResult::Answered {
        decision: IssuerDecision::Approve,
        response_code: *b"00",
        chip_data: &[],
    };
    let Action::Done(outcome) = kernel.step(Event::Online(said)) else { panic!("an end") };
    assert_eq!(outcome.decision, Decision::Approved);
}

#[test]
fn what_a_card_adds_to_its_request_leaves_the_rest_whole() {
    let applications = [Application::VISA];
    let config = Config::point_of_sale(&applications, &[]);
    for (len, is_there) in [(4, true), (32, true), (150, false)] {
        let form = vec![0x20; len];
        let options = options(0, &[(0x9F6E, &form)]);
        let (outcome, seen) = Scene::default().play(&config, tap(1_00), &mut Tapped { options });
        assert_eq!(outcome.decision, Decision::Approved);
        let request = &seen.requests[0];
        assert_eq!(cekr_emv::tlv::value_of(request, 0x9F6E).is_some(), is_there, "{len}");
        assert!(cekr_emv::tlv::value_of(request, 0x9F41).is_some());
    }
}
