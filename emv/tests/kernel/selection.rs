//! Which application is used, and what cards do to make that hard.

use cekr_emv::terminal::{
    Application, Choice, Command, Config, Decision, Matching, Reason, Text, Transaction,
};

use crate::scene::{Scene, Seen, purchase};
use crate::written::{AID, Written, object, objects};

const OTHER: &[u8] = &[0xA0, 0, 0, 0, 3, 0x20, 0x10];
const LONGER: &[u8] = &[0xA0, 0, 0, 0, 3, 0x10, 0x10, 0x01];
const LONGEST: &[u8] = &[0xA0, 0, 0, 0, 3, 0x10, 0x10, 0x02];

fn applications() -> [Application<'static>; 2] {
    [Application::VISA, Application { aid: OTHER, ..Application::VISA }]
}

fn play(mut card: Written, scene: &Scene) -> (Decision, Seen, String) {
    let applications = applications();
    let config = Config::point_of_sale(&applications, &[]);
    let transaction: Transaction = purchase();
    let (outcome, seen) = scene.play(&config, transaction, &mut card);
    (outcome.decision, seen, format!("{:02X?}", outcome.application.octets()))
}

fn named(names: &[&[u8]]) -> Written {
    Written {
        names: names.iter().map(|name| (name.to_vec(), 0x9000)).collect(),
        ..Written::plain()
    }
}

fn entry(name: &[u8], priority: u8) -> Vec<u8> {
    objects(&[(0x4F, name), (0x50, b"WRITTEN"), (0x87, &[priority])])
}

#[test]
fn without_a_directory_the_terminals_list_finds_the_application() {
    let (decision, seen, name) = play(named(&[OTHER]), &Scene::default());
    assert_eq!(decision, Decision::Approved);
    assert_eq!(name, format!("{OTHER:02X?}"));
    // Directory, two names, and the one that was found again.
    assert_eq!(seen.count(0xA4), 4);
}

#[test]
fn a_directory_is_read_to_its_end_and_offered_by_rank() {
    let mut card = named(&[AID, OTHER]);
    card.directory = vec![entry(AID, 2), entry(&[0xA0, 0, 0, 0, 4, 1], 1), entry(OTHER, 1)];
    let (decision, seen, name) = play(card, &Scene::default());
    assert_eq!(decision, Decision::Approved);
    assert_eq!(seen.offered, [2]);
    assert_eq!(name, format!("{OTHER:02X?}"), "rank 1 stands first");
    assert_eq!(seen.count(0xA4), 2);
}

#[test]
fn a_name_that_goes_on_is_found_by_its_beginning_and_each_next_one_too() {
    let scene = Scene { choice: Some(1), ..Scene::default() };
    let (decision, seen, name) = play(named(&[LONGER, LONGEST]), &scene);
    assert_eq!(decision, Decision::Approved);
    assert_eq!(seen.offered, [2]);
    assert_eq!(name, format!("{LONGEST:02X?}"));
    let nexts = seen.apdus.iter().filter(|apdu| apdu[1] == 0xA4 && apdu[3] == 2).count();
    assert_eq!(nexts, 2, "until there is no next one");
}

#[test]
fn an_exact_name_takes_no_longer_one() {
    let applications = [Application { matching: Matching::Exact, ..Application::VISA }];
    let config = Config::point_of_sale(&applications, &[]);
    let (outcome, _) = Scene::default().play(&config, purchase(), &mut named(&[LONGER]));
    assert_eq!(outcome.decision, Decision::Terminated(Reason::NoApplication));
}

#[test]
fn a_card_that_gives_the_same_next_one_for_ever_is_left() {
    let inner = objects(&[(0x84, LONGER), (0xA5, &object(0x50, b"AGAIN"))]);
    let same = [object(0x6F, &inner), vec![0x90, 0x00]].concat();
    let mut card = named(&[LONGER]);
    for number in 1..10 {
        card = card.instead(0xA4, number, &same);
    }
    let (decision, seen, _) = play(card, &Scene::default());
    assert_eq!(decision, Decision::Approved);
    assert!(seen.count(0xA4) < 7, "{}", seen.count(0xA4));
}

#[test]
fn blocked_cards_and_applications_are_told_apart() {
    let blocked = Written { names: vec![(AID.to_vec(), 0x6283)], ..Written::plain() };
    let (decision, ..) = play(blocked, &Scene::default());
    assert_eq!(decision, Decision::Terminated(Reason::ApplicationBlocked));
    let card = Written::plain().instead(0xA4, 0, &[0x6A, 0x81]);
    let (decision, ..) = play(card, &Scene::default());
    assert_eq!(decision, Decision::Terminated(Reason::CardBlocked));
    let (decision, ..) = play(named(&[]), &Scene::default());
    assert_eq!(decision, Decision::Terminated(Reason::NoApplication));
    // One of two is blocked: the other does.
    let names = vec![(AID.to_vec(), 0x6283), (OTHER.to_vec(), 0x9000)];
    let (decision, ..) = play(Written { names, ..Written::plain() }, &Scene::default());
    assert_eq!(decision, Decision::Approved);
}

#[test]
fn a_directory_that_cannot_be_read_gives_way_to_the_list() {
    let mut card = named(&[AID]);
    card.directory = vec![entry(AID, 1)];
    for broken in [&[0x6A, 0x82][..], &[0x90, 0x00], &[0x70, 0x05, 0x61, 0x90, 0x00], &[0x62, 0x83]]
    {
        let (decision, seen, _) = play(card.clone().instead(0xB2, 0, broken), &Scene::default());
        assert_eq!(decision, Decision::Approved, "{broken:02X?}");
        assert!(seen.count(0xA4) > 2);
        let (decision, ..) = play(card.clone().instead(0xA4, 0, broken), &Scene::default());
        assert_eq!(decision, Decision::Approved, "{broken:02X?}");
    }
}

#[test]
fn what_needs_the_cardholders_word_is_not_taken_without_it() {
    let mut card = named(&[AID]);
    card.directory = vec![entry(AID, 0x81)];
    let (decision, seen, _) = play(card.clone(), &Scene::default());
    assert_eq!((decision, seen.offered), (Decision::Approved, vec![1]));
    let refused = Scene { choice: None, ..Scene::default() };
    let (decision, ..) = play(card.clone(), &refused);
    assert_eq!(decision, Decision::Terminated(Reason::Cancelled));
    let applications = applications();
    let config = Config { choice: Choice::Priority, ..Config::point_of_sale(&applications, &[]) };
    let (outcome, _) = Scene::default().play(&config, purchase(), &mut card);
    assert_eq!(outcome.decision, Decision::Terminated(Reason::NoApplication));
}

#[test]
fn an_application_that_does_not_work_leads_to_the_next() {
    // The final selection fails, or the card refuses to begin.
    for (instruction, number, status) in
        [(0xA4, 3, [0x62, 0x83]), (0xA4, 3, [0x90, 0x00]), (0xA8, 0, [0x69, 0x85])]
    {
        let card = named(&[AID, OTHER]).instead(instruction, number, &status);
        let (decision, seen, name) = play(card, &Scene::default());
        assert_eq!(decision, Decision::Approved, "{instruction:X}");
        assert_eq!(seen.texts, [Text::TryAgain]);
        assert_eq!(name, format!("{OTHER:02X?}"));
    }
    let card = named(&[AID]).instead(0xA8, 0, &[0x69, 0x85]);
    let (decision, ..) = play(card, &Scene::default());
    assert_eq!(decision, Decision::Terminated(Reason::NoApplication));
}

#[test]
fn what_the_card_wants_to_know_is_told_it() {
    let card = Written {
        pdol: vec![0x9F, 0x33, 3, 0x9F, 0x1A, 2, 0x9F, 0x35, 1, 0x9F, 0x02, 6, 0x5A, 8, 0xDF, 1, 1],
        ..Written::plain()
    };
    let (_, seen, _) = play(card, &Scene::default());
    let options = seen.apdus.iter().find(|apdu| apdu[1] == 0xA8).expect("sent");
    let expected = [
        0x83, 21, 0xE0, 0xF8, 0xC8, 0x07, 0x05, 0x22, 0, 0, 0, 0, 0x24, 0x90, 0, 0, 0, 0, 0, 0, 0,
        0, 0,
    ];
    assert_eq!(options[5..28], expected);
}

#[test]
fn answers_to_the_initiation_that_are_none_end_the_transaction() {
    for (answer, reason) in [
        (&[0x90, 0x00][..], Reason::MalformedAnswer(Command::GetProcessingOptions)),
        (b"\x80\x01\x08\x90\x00", Reason::MalformedAnswer(Command::GetProcessingOptions)),
        (b"\x80\x02\x08\x00\x90\x00", Reason::BadValue(0x94)),
        (b"\x80\x05\x08\x00\x08\x01\x01\x90\x00", Reason::BadValue(0x94)),
        // A file of no number, a record 0, a range that goes back, more signed than read.
        (b"\x80\x06\x08\x00\x00\x01\x01\x00\x90\x00", Reason::BadValue(0x94)),
        (b"\x80\x06\x08\x00\x09\x01\x01\x00\x90\x00", Reason::BadValue(0x94)),
        (b"\x80\x06\x08\x00\xF8\x01\x01\x00\x90\x00", Reason::BadValue(0x94)),
        (b"\x80\x06\x08\x00\x08\x00\x01\x00\x90\x00", Reason::BadValue(0x94)),
        (b"\x80\x06\x08\x00\x08\x02\x01\x00\x90\x00", Reason::BadValue(0x94)),
        (b"\x80\x06\x08\x00\x08\x01\x01\x02\x90\x00", Reason::BadValue(0x94)),
        (b"\x77\x06\x94\x04\x08\x01\x01\x00\x90\x00", Reason::Missing(0x82)),
        (b"\x77\x04\x82\x02\x08\x00\x90\x00", Reason::Missing(0x94)),
        (b"\x77\x03\x82\x01\x08\x90\x00", Reason::BadValue(0x82)),
        (b"\x6D\x00", Reason::BadStatus(Command::GetProcessingOptions, 0x6D00)),
        (b"\x90", Reason::MalformedAnswer(Command::GetProcessingOptions)),
        (b"", Reason::CardGone),
    ] {
        let card = Written::plain().instead(0xA8, 0, answer);
        let (decision, ..) = play(card, &Scene::default());
        assert_eq!(decision, Decision::Terminated(reason), "{answer:02X?}");
    }
}

#[test]
fn records_that_are_none_end_the_transaction() {
    let read = |card: Written| play(card, &Scene::default()).0;
    for tag in [0x5A, 0x5F24, 0x8C, 0x8D] {
        let decision = read(Written::plain().without(tag));
        assert_eq!(decision, Decision::Terminated(Reason::Missing(tag)), "{tag:X}");
    }
    let mut twice = Written::plain();
    twice.record.push((0x5F24, vec![0x30, 0x12, 0x31]));
    assert_eq!(read(twice), Decision::Terminated(Reason::Duplicate(0x5F24)));
    for (tag, value) in [
        (0x5F24, &[0x30, 0x12][..]),
        (0x5F24, &[0x30, 0x13, 0x31]),
        (0x5F25, &[0xAA, 0x01, 0x01]),
        (0x5A, &[0x47, 0x61, 0xA3, 0, 0, 0, 0, 0x11]),
        (0x5A, &[0x47, 0x6F, 0x73, 0, 0, 0, 0, 0x11]),
        (0x8C, &[0x9F]),
        (0x8C, &[0x9F, 0x02, 255, 0x95, 255]),
    ] {
        let decision = read(Written::plain().with(tag, value));
        assert_eq!(decision, Decision::Terminated(Reason::BadValue(tag)), "{tag:X} {value:02X?}");
    }
    for (answer, reason) in [
        (&[0x6A, 0x83][..], Reason::BadStatus(Command::ReadRecord, 0x6A83)),
        (&[0x90, 0x00], Reason::MalformedAnswer(Command::ReadRecord)),
        (&[0x71, 0x00, 0x90, 0x00], Reason::MalformedAnswer(Command::ReadRecord)),
        (&[0x70, 0x02, 0x5A, 0x08, 0x90, 0x00], Reason::MalformedAnswer(Command::ReadRecord)),
    ] {
        let decision = read(Written::plain().instead(0xB2, 0, answer));
        assert_eq!(decision, Decision::Terminated(reason), "{answer:02X?}");
    }
}

#[test]
fn what_the_terminal_brings_never_comes_from_the_card() {
    let card = Written::plain().with(0x9F02, &[0, 0, 0, 0, 0, 1]).with(0x95, &[0; 5]);
    let (decision, seen, _) = play(card, &Scene::default());
    assert_eq!(decision, Decision::Approved);
    let asked = seen.apdus.iter().find(|apdu| apdu[1] == 0xAE).expect("asked");
    assert_eq!(asked[5..11], [0, 0, 0, 0, 0x24, 0x90]);
}
