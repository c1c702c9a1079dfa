//! What the issuer says, what its scripts do, and what becomes of an approval.

use cekr_emv::data::{Tsi, Tvr};
use cekr_emv::terminal::{
    Application, Command, Config, Decision, IssuerDecision, Outcome, Reason, Route,
};

use crate::scene::{Issuer, Scene, Seen, purchase};
use crate::written::{Written, object, objects};

/// Every amount goes online.
fn play(card: Written, issuer: Issuer) -> (Outcome, Seen) {
    let applications = [Application::VISA];
    let config = Config::point_of_sale(&applications, &[]);
    let mut card = card;
    Scene { issuer, ..Scene::default() }.play(&config, purchase(), &mut card)
}

fn approves(data: &[u8]) -> Issuer {
    Issuer::Answers(IssuerDecision::Approve, *b"00", data.to_vec())
}

/// A card that authenticates its issuer by command.
fn authenticating() -> Written {
    Written { aip: [0x0C, 0x00], ..Written::plain() }
}

const PROOF: &[u8] = &[1, 2, 3, 4, 5, 6, 7, 8, 0x30, 0x30];

#[test]
fn the_request_carries_what_the_issuer_asks_for() {
    let (_, seen) = play(Written::plain(), approves(&[]));
    let request = &seen.requests[0];
    let value = |tag| cekr_emv::tlv::value_of(request, tag);
    assert_eq!(value(0x9F26), Some(&[0xAC; 8][..]));
    assert_eq!(value(0x9F27), Some(&[0x80][..]));
    assert_eq!(value(0x9F36), Some(&[0x00, 0x07][..]));
    assert_eq!(value(0x9F10), Some(&[6, 1, 10, 3, 0xA0, 0, 0][..]));
    assert_eq!(value(0x9F02), Some(&[0, 0, 0, 0, 0x24, 0x90][..]));
    assert_eq!(value(0x9F41), Some(&[0, 0, 0, 0x42][..]));
    assert_eq!(value(0x84), Some(crate::written::AID));
    assert_eq!(value(0x5F34), Some(&[1][..]));
    for tag in [0x82, 0x95, 0x9A, 0x9C, 0x5F2A, 0x9F03, 0x9F1A, 0x9F1E, 0x9F33, 0x9F34, 0x9F35] {
        assert!(value(tag).is_some(), "{tag:X}");
    }
    for secret in [0x57, 0x5A, 0x5F20, 0x5F24, 0x9F5B] {
        assert_eq!(value(secret), None, "{secret:X}");
    }
}

#[test]
fn the_issuers_proof_goes_to_the_card_by_command_or_in_the_list() {
    let data = object(0x91, PROOF);
    let (outcome, seen) = play(authenticating(), approves(&data));
    assert_eq!(seen.count(0x82), 1);
    assert!(outcome.tsi.has(Tsi::ISSUER_AUTHENTICATION_PERFORMED));
    assert_eq!(outcome.decision, Decision::Approved);
    let (outcome, seen) = play(Written::plain(), approves(&data));
    assert_eq!(seen.count(0x82), 0);
    assert!(!outcome.tsi.has(Tsi::ISSUER_AUTHENTICATION_PERFORMED));
    let second = &seen.apdus.last().expect("sent")[5..22];
    assert_eq!(second[..2], *b"00");
    assert_eq!(&second[7..], PROOF);
    let (outcome, seen) = play(authenticating(), approves(&[]));
    assert_eq!((seen.count(0x82), outcome.decision), (0, Decision::Approved));
}

#[test]
fn a_proof_that_the_card_refuses_is_a_finding_that_the_card_weighs() {
    let card = Written { kinds: vec![0x80, 0x00], ..authenticating() };
    let data = object(0x91, PROOF);
    let (outcome, _) = play(card.clone().instead(0x82, 0, &[0x63, 0x00]), approves(&data));
    assert!(outcome.tvr.has(Tvr::ISSUER_AUTHENTICATION_FAILED));
    assert_eq!(outcome.decision, Decision::Declined);
    assert!(outcome.needs_reversal, "what the issuer approved did not happen");
    for len in [7, 17] {
        let (outcome, seen) = play(card.clone(), approves(&object(0x91, &[1; 17][..len])));
        assert_eq!(seen.count(0x82), 0, "no card takes {len} octets");
        assert!(outcome.tvr.has(Tvr::ISSUER_AUTHENTICATION_FAILED));
    }
}

#[test]
fn a_decline_asks_for_a_decline() {
    let said = Issuer::Answers(IssuerDecision::Decline, *b"51", object(0x91, PROOF));
    let card = Written { kinds: vec![0x80, 0x00], ..authenticating() };
    let (outcome, seen) = play(card, said.clone());
    assert_eq!(seen.asked(), [0x80, 0x00]);
    assert_eq!((outcome.decision, outcome.route), (Decision::Declined, Route::Online));
    assert!(!outcome.needs_reversal);
    // A card cannot approve what was declined.
    let card = Written { kinds: vec![0x80, 0x40], ..authenticating() };
    let (outcome, _) = play(card, said);
    assert_eq!(outcome.decision, Decision::Terminated(Reason::WrongCryptogram));
}

#[test]
fn whatever_goes_wrong_after_an_approval_is_reversed() {
    for (kinds, answer, decision) in [
        (vec![0x80, 0x00], None, Decision::Declined),
        (vec![0x80, 0x80], None, Decision::Terminated(Reason::WrongCryptogram)),
        (
            vec![0x80],
            Some(&[0x69, 0x85][..]),
            Decision::Terminated(Reason::BadStatus(Command::GenerateAc, 0x6985)),
        ),
        (
            vec![0x80],
            Some(&[0x90, 0x00]),
            Decision::Terminated(Reason::MalformedAnswer(Command::GenerateAc)),
        ),
        (vec![0x80], Some(&[]), Decision::Terminated(Reason::CardGone)),
    ] {
        let mut card = Written { kinds, ..Written::plain() };
        if let Some(answer) = answer {
            card = card.instead(0xAE, 1, answer);
        }
        let (outcome, _) = play(card, approves(&[]));
        assert_eq!(outcome.decision, decision);
        assert!(outcome.needs_reversal, "{decision:?}");
    }
    let (outcome, _) = play(Written::plain(), approves(&[]));
    assert!(!outcome.needs_reversal);
}

fn script(tag: u32, identifier: [u8; 4], commands: &[&[u8]]) -> Vec<u8> {
    let mut inner = object(0x9F18, &identifier);
    commands.iter().for_each(|command| inner.extend(object(0x86, command)));
    object(tag, &inner)
}

const COMMAND: &[u8] = &[0x84, 0x24, 0x00, 0x00, 0x00];

#[test]
fn scripts_run_on_their_side_of_the_second_cryptogram() {
    let before = script(0x71, [0, 0, 0, 1], &[COMMAND, COMMAND]);
    let after = script(0x72, [0, 0, 0, 2], &[COMMAND]);
    let card = Written::plain()
        .instead(0x24, 0, &[0x90, 0x00])
        .instead(0x24, 1, &[0x62, 0x00])
        .instead(0x24, 2, &[0x90, 0x00]);
    let (outcome, seen) = play(card, approves(&[after, before].concat()));
    let order: Vec<u8> = seen.apdus.iter().map(|apdu| apdu[1]).skip_while(|i| *i != 0xAE).collect();
    assert_eq!(order, [0xAE, 0x24, 0x24, 0xAE, 0x24]);
    assert_eq!(outcome.scripts.octets(), [0x20, 0, 0, 0, 1, 0x20, 0, 0, 0, 2]);
    assert!(outcome.tsi.has(Tsi::SCRIPT_PROCESSING_PERFORMED));
    assert!(!outcome.tvr.meets(FAILED));
    assert_eq!(outcome.decision, Decision::Approved);
}

const FAILED: Tvr = Tvr::from_octets([0, 0, 0, 0, 0x30]);

#[test]
fn a_script_that_fails_stops_there_and_says_where() {
    for (tag, bit) in
        [(0x71, Tvr::SCRIPT_FAILED_BEFORE_FINAL), (0x72, Tvr::SCRIPT_FAILED_AFTER_FINAL)]
    {
        let two = [
            script(tag, [0, 0, 0, 7], &[COMMAND, COMMAND, COMMAND]),
            script(tag, [0, 0, 0, 8], &[COMMAND]),
        ];
        let card = Written::plain()
            .instead(0x24, 0, &[0x90, 0x00])
            .instead(0x24, 1, &[0x69, 0x88])
            .instead(0x24, 2, &[0x90, 0x00]);
        let (outcome, seen) = play(card, approves(&two.concat()));
        assert_eq!(seen.count(0x24), 3, "the third command of the first is not sent");
        assert_eq!(outcome.scripts.octets(), [0x12, 0, 0, 0, 7, 0x20, 0, 0, 0, 8]);
        assert_eq!(outcome.tvr.without(Tvr::from_octets([0x80, 0, 0, 0x80, 0])), bit);
        assert_eq!(outcome.decision, Decision::Approved, "what was decided stays decided");
    }
}

#[test]
fn a_card_torn_out_in_its_last_scripts_has_paid_all_the_same() {
    for answer in [&[][..], &[0x90]] {
        let card = Written::plain().instead(0x24, 0, answer);
        let after = script(0x72, [0, 0, 0, 9], &[COMMAND]);
        let (outcome, _) = play(card, approves(&after));
        assert_eq!(outcome.decision, Decision::Approved);
        assert!(!outcome.needs_reversal);
        assert_eq!(outcome.scripts.octets(), [0x11, 0, 0, 0, 9]);
        assert!(outcome.tvr.has(Tvr::SCRIPT_FAILED_AFTER_FINAL));
    }
    let card = Written::plain().instead(0x24, 0, &[]);
    let before = script(0x71, [0, 0, 0, 9], &[COMMAND]);
    let (outcome, _) = play(card, approves(&before));
    assert_eq!(outcome.decision, Decision::Terminated(Reason::CardGone));
    assert!(outcome.needs_reversal);
}

#[test]
fn scripts_that_are_none_fail_without_reaching_the_card() {
    for commands in [&[&[0x84, 0x24, 0x00][..]][..], &[&[]]] {
        let data = script(0x71, [0; 4], commands);
        let (outcome, seen) = play(Written::plain(), approves(&data));
        assert_eq!(seen.count(0x24), 0);
        assert_eq!(outcome.scripts.octets(), [0x11, 0, 0, 0, 0]);
        assert!(outcome.tvr.has(Tvr::SCRIPT_FAILED_BEFORE_FINAL));
    }
    // Empty ones are done at once; one without a name has zeros for it.
    let data = objects(&[(0x71, &[]), (0x72, &object(0x9F18, &[1, 2]))]);
    let (outcome, _) = play(Written::plain(), approves(&data));
    assert_eq!(outcome.scripts.octets(), [0x20, 0, 0, 0, 0, 0x20, 0, 0, 0, 0]);
    // Data that cannot be read bring nothing.
    let (outcome, seen) = play(Written::plain(), approves(&[0x71, 0x07, 0x86]));
    assert_eq!((seen.count(0x24), outcome.scripts.octets()), (0, &[][..]));
}

#[test]
fn a_card_that_goes_while_the_issuer_is_asked_may_leave_an_approval_behind() {
    use cekr_emv::terminal::{Action, Event, Kernel};

    use crate::scene::Card;

    let applications = [Application::VISA];
    let config = Config::point_of_sale(&applications, &[]);
    let mut kernel = Kernel::new(&config);
    let mut card = Written::plain();
    let mut answer = Vec::new();
    let mut event = Event::Start(purchase());
    while let Action::Apdu(apdu) = kernel.step(event) {
        answer = card.answer(apdu);
        event = Event::Response(&answer);
    }
    assert!(!answer.is_empty());
    let Action::Done(outcome) = kernel.step(Event::CardGone) else { panic!("an end") };
    assert_eq!(outcome.decision, Decision::Terminated(Reason::CardGone));
    assert!(outcome.needs_reversal);
}

#[test]
fn what_nobody_asked_for_ends_the_transaction() {
    use cekr_emv::terminal::{Action, Event, Kernel, OnlineResult, PinEntered};

    let applications = [Application::VISA];
    let config = Config::point_of_sale(&applications, &[]);
    for event in [
        Event::Chosen(Some(0)),
        Event::Displayed,
        Event::Online(OnlineResult::Unable),
        Event::Pin(PinEntered::OnlineDone),
    ] {
        let mut kernel = Kernel::new(&config);
        let _ = kernel.step(Event::Start(purchase()));
        let Action::Done(outcome) = kernel.step(event) else { panic!("an end") };
        assert_eq!(outcome.decision, Decision::Terminated(Reason::UnexpectedEvent));
        // The next card is a new transaction.
        assert!(matches!(kernel.step(Event::Start(purchase())), Action::Apdu(_)));
    }
}
