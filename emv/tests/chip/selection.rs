//! Finding the application, its records and its single data.

use cekr_emv::chip::profile::{Application, Profile, Version};
use cekr_emv::chip::{ANSWER_OCTETS_MAX, Protocol};

use crate::terminal::{AID, OK, find, powered, profile};

const NOT_FOUND: [u8; 2] = [0x6A, 0x82];

/// Two names with one beginning.
const TWO: &[Application] = &[
    Application { aid: &[0xA0, 0, 0, 0, 3, 0x10, 0x10], label: b"CeKR VISA", priority: 1 },
    Application { aid: &[0xA0, 0, 0, 0, 3, 0x20, 0x10], label: b"CeKR E", priority: 2 },
];

#[test]
fn the_directory_leads_to_the_application() {
    let mut terminal = powered(&profile(Version::Ten));
    let (fci, status) = terminal.select(b"1PAY.SYS.DDF01");
    assert_eq!(status, OK);
    let file = find(&fci, &[0x6F, 0xA5, 0x88]).unwrap()[0];
    let (record, status) = terminal.read(file, 1);
    assert_eq!(status, OK);
    assert_eq!(find(&record, &[0x70, 0x61, 0x4F]).unwrap(), AID);
    assert_eq!(find(&record, &[0x70, 0x61, 0x50]).unwrap(), b"CeKR VISA");
    assert_eq!(terminal.read(file, 2).1, [0x6A, 0x83]);
    assert_eq!(terminal.read(file + 1, 1).1, NOT_FOUND);
    let (fci, status) = terminal.select(&AID);
    assert_eq!(status, OK);
    assert_eq!(find(&fci, &[0x6F, 0x84]).unwrap(), AID);
    assert_eq!(find(&fci, &[0x6F, 0xA5, 0x5F2D]).unwrap(), b"slen");
}

#[test]
fn the_contactless_directory_names_the_application_and_what_it_wants_to_know() {
    let mut terminal = powered(&profile(Version::Ten));
    let (fci, status) = terminal.select(b"2PAY.SYS.DDF01");
    assert_eq!(status, OK);
    assert_eq!(find(&fci, &[0x6F, 0xA5, 0xBF0C, 0x61, 0x4F]).unwrap(), AID);
    assert_eq!(terminal.read(1, 1).1, [0x69, 0x85]);
    let list = |fci: &[u8]| find(fci, &[0x6F, 0xA5, 0x9F38]).unwrap();
    let contactless = list(&terminal.select(&AID).0);
    assert_eq!(contactless[..3], [0x9F, 0x66, 4]);
    terminal.select(b"1PAY.SYS.DDF01");
    assert_ne!(list(&terminal.select(&AID).0), contactless);
}

#[test]
fn the_beginning_of_a_name_finds_one_application_after_the_other() {
    let profile = Profile { applications: TWO, ..profile(Version::Eighteen) };
    let mut terminal = powered(&profile);
    let next = [0x00, 0xA4, 0x04, 0x02];
    assert_eq!(terminal.send(next, &AID[..5]).1, NOT_FOUND);
    let (fci, status) = terminal.select(&AID[..5]);
    assert_eq!((find(&fci, &[0x6F, 0x84]).as_deref(), status), (Some(TWO[0].aid), OK));
    let (fci, status) = terminal.send(next, &AID[..5]);
    assert_eq!((find(&fci, &[0x6F, 0x84]).as_deref(), status), (Some(TWO[1].aid), OK));
    assert_eq!(terminal.send(next, &AID[..5]).1, NOT_FOUND);
    let (fci, status) = terminal.select(TWO[1].aid);
    assert_eq!((find(&fci, &[0x6F, 0x84]).as_deref(), status), (Some(TWO[1].aid), OK));
}

#[test]
fn what_is_not_there_is_not_found() {
    let mut terminal = powered(&profile(Version::Ten));
    for name in [&AID[..4], b"1PAY.SYS.DDF0", &[0xA0, 0, 0, 0, 4], &[0xA0; 17]] {
        assert_eq!(terminal.select(name).1, NOT_FOUND, "{name:02X?}");
    }
    assert_eq!(terminal.send([0x00, 0xA4, 0x00, 0x00], &AID).1, [0x6A, 0x86]);
    assert_eq!(terminal.read(1, 1).1, [0x69, 0x85]);
    assert_eq!(terminal.datum(0x9F36).1, [0x69, 0x85]);
    terminal.select(&AID);
    assert_eq!(terminal.read(1, 9).1, [0x6A, 0x83]);
    assert_eq!(terminal.read(9, 1).1, NOT_FOUND);
    assert_eq!(terminal.send([0x00, 0xB2, 1, 0x08], &[]).1, [0x6A, 0x86]);
    assert_eq!(terminal.datum(0x9F99).1, [0x6A, 0x88]);
    assert_eq!(terminal.send([0x00, 0xEE, 0, 0], &[]).1, [0x6D, 0x00]);
    assert_eq!(terminal.send([0xB0, 0xA4, 0, 0], &[]).1, [0x6E, 0x00]);
    assert_eq!(terminal.raw(&[0, 0xA4]).unwrap().1, [0x67, 0x00]);
}

#[test]
fn single_data_tell_counters_tries_and_the_form_of_the_log() {
    let mut terminal = powered(&profile(Version::Ten));
    terminal.begin();
    assert_eq!(terminal.datum(0x9F36).0, [0x9F, 0x36, 2, 0, 1]);
    assert_eq!(terminal.datum(0x9F13).0, [0x9F, 0x13, 2, 0, 0]);
    assert_eq!(terminal.datum(0x9F17).0, [0x9F, 0x17, 1, 3]);
    let form = find(&terminal.datum(0x9F4F).0, &[0x9F4F]).unwrap();
    let len: usize = terminal.filled(&form).len();
    assert_eq!(terminal.read(11, 1).1, [0x6A, 0x83]);
    terminal.first(0x00);
    let (entry, status) = terminal.read(11, 1);
    assert_eq!((entry.len(), status), (len, OK));
    assert_eq!(entry[4..10], [0, 0, 0, 0, 0x24, 0x90]);
}

#[test]
fn t0_fetches_what_waits_and_asks_again_for_the_right_length() {
    let mut terminal = powered(&profile(Version::Ten));
    let whole = terminal.select(&AID).0;
    terminal.chip.speak(Protocol::T0);
    terminal.chip.reset([1; 32]);
    assert_eq!(terminal.chip.atr()[..2], [0x3B, 0x64]);
    let select = [&[0x00, 0xA4, 0x04, 0x00, 7][..], &AID].concat();
    let len = whole.len() as u8;
    assert_eq!(terminal.raw(&select).unwrap(), (vec![], [0x61, len]));
    assert_eq!(terminal.raw(&[0, 0xC0, 0, 0, 0]).unwrap(), (vec![], [0x6C, len]));
    assert_eq!(terminal.raw(&[0, 0xC0, 0, 0, len]).unwrap(), (whole, OK));
    assert_eq!(terminal.raw(&[0, 0xC0, 0, 0, len]).unwrap().1, [0x69, 0x85]);
    let (_, [high, right]) = terminal.raw(&[0x00, 0xB2, 1, 0x0C, 0]).unwrap();
    assert_eq!(high, 0x6C);
    let (record, status) = terminal.raw(&[0x00, 0xB2, 1, 0x0C, right]).unwrap();
    assert_eq!((record.len(), status), (usize::from(right), OK));
}

#[test]
fn a_command_that_asks_for_too_little_is_not_carried_out_twice() {
    let mut terminal = powered(&profile(Version::Ten));
    terminal.begin();
    let (record, _) = terminal.read(3, 2);
    let values = terminal.filled(&find(&record, &[0x70, 0x8C]).unwrap());
    let mut apdu = [&[0x80, 0xAE, 0x80, 0, values.len() as u8][..], &values, &[5]].concat();
    let (_, [high, len]) = terminal.raw(&apdu).unwrap();
    assert_eq!(high, 0x6C);
    *apdu.last_mut().unwrap() = len;
    let (data, status) = terminal.raw(&apdu).unwrap();
    assert_eq!((data.len(), status), (usize::from(len), OK));
    let (_, status) = terminal.raw(&apdu).unwrap();
    assert_eq!(status, [0x6A, 0x86], "a second request is none");
}

#[test]
fn little_room_for_an_answer_still_takes_a_status() {
    let mut terminal = powered(&profile(Version::Ten));
    let select = [&[0x00, 0xA4, 0x04, 0x00, 7][..], &AID].concat();
    for room in 0..ANSWER_OCTETS_MAX {
        let mut out = vec![0; room];
        let len = terminal.chip.process(&select, &mut out);
        assert!(len <= room && (len >= 2) == (room >= 2), "{len} octets in {room}");
    }
}
