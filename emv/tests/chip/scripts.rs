//! What an issuer has a chip do, and what a chip does not let others do.

use cekr_emv::chip::Block;
use cekr_emv::chip::profile::Version;
use cekr_emv::crypto::script::Occasion;
use cekr_emv::data::Cvr;
use cekr_emv::issuer::{Command, Datum};

use crate::issuer::{conclude, judge, new_pin, results, sealed, sealed_raw};
use crate::terminal::{AID, OK, Terminal, VERSIONS, cryptogram, find, pin, powered, profile};

const MAC_WRONG: [u8; 2] = [0x69, 0x88];
const NOT_NOW: [u8; 2] = [0x69, 0x85];

/// A terminal after an approved transaction, and what its scripts are sealed for.
fn approved(version: Version) -> (Terminal, Occasion) {
    let mut terminal = powered(&profile(version));
    let occasion = approve(&mut terminal, version);
    (terminal, occasion)
}

fn approve(terminal: &mut Terminal, version: Version) -> Occasion {
    let options = terminal.begin().0;
    let aip = find(&options, &[0x77, 0x82]).unwrap();
    let made = cryptogram(&terminal.first(0x80));
    let proven = judge(terminal, &aip, &made).1.unwrap();
    conclude(terminal, &proven, version);
    proven.occasion
}

fn run(terminal: &mut Terminal, command: &[u8]) -> [u8; 2] {
    terminal.raw(command).unwrap().1
}

#[test]
fn an_application_is_blocked_and_unblocked() {
    for version in VERSIONS {
        let (mut terminal, occasion) = approved(version);
        let block = sealed(version, occasion, Command::ApplicationBlock);
        assert_eq!(run(&mut terminal, &block), OK, "{version:?}");
        assert_eq!(terminal.chip.kept().block(), Block::Application);
        terminal.chip.reset([9; 32]);
        let (fci, status) = terminal.select(&AID);
        assert_eq!(status, [0x62, 0x83]);
        let list = find(&fci, &[0x6F, 0xA5, 0x9F38]).unwrap();
        assert_eq!(terminal.options(&list).1, NOT_NOW);
        assert_eq!(terminal.chip.kept().atc(), 1, "a blocked application takes no counter");
        let unblock = sealed(version, occasion, Command::PinUnblock);
        assert_eq!(run(&mut terminal, &unblock), NOT_NOW, "nothing but unblocking");
        let unblock = sealed(version, occasion, Command::ApplicationUnblock);
        assert_eq!(run(&mut terminal, &unblock), OK, "{version:?}");
        assert_eq!(terminal.begin().1, OK);
    }
}

#[test]
fn a_blocked_card_is_silent_for_good() {
    let (mut terminal, occasion) = approved(Version::Ten);
    let block = sealed(Version::Ten, occasion, Command::CardBlock);
    assert_eq!(run(&mut terminal, &block), OK);
    terminal.chip.reset([9; 32]);
    for name in [&AID[..], b"1PAY.SYS.DDF01", b"2PAY.SYS.DDF01"] {
        assert_eq!(terminal.select(name).1, [0x6A, 0x81]);
    }
    let unblock = sealed(Version::Ten, occasion, Command::ApplicationUnblock);
    assert_eq!(run(&mut terminal, &unblock), [0x6A, 0x81]);
}

#[test]
fn tries_are_given_back() {
    for version in VERSIONS {
        let mut terminal = powered(&profile(version));
        terminal.begin();
        for _ in 0..3 {
            terminal.verify("9999");
        }
        let made = cryptogram(&terminal.first(0x80));
        let occasion = Occasion { atc: made.atc, arqc: made.value };
        let unblock = sealed(version, occasion, Command::PinUnblock);
        assert_eq!(run(&mut terminal, &unblock), OK, "{version:?}");
        assert_eq!(terminal.verify("1234"), OK);
    }
}

#[test]
fn a_new_pin_takes_the_place_of_the_old() {
    for version in VERSIONS {
        for old in [None, Some(pin("1234"))] {
            let (mut terminal, occasion) = approved(version);
            let change = new_pin(version, occasion, "987654", old.as_ref());
            assert_eq!(run(&mut terminal, &change), OK, "{version:?}");
            terminal.begin();
            assert_eq!(terminal.verify("1234"), [0x63, 0xC2]);
            assert_eq!(terminal.verify("987654"), OK, "{version:?}");
        }
        let (mut terminal, occasion) = approved(version);
        let change = new_pin(version, occasion, "987654", Some(&pin("4321")));
        assert_eq!(run(&mut terminal, &change), [0x6A, 0x80], "another old PIN");
    }
}

#[test]
fn limits_are_set() {
    let version = Version::Eighteen;
    let (mut terminal, occasion) = approved(version);
    for (tag, value) in [
        (0x9F58, &[3][..]),
        (0x9F59, &[5]),
        (0x9F54, &[0, 0, 0, 0x01, 0x00, 0x00]),
        (0x9F5C, &[0, 0, 0, 0x02, 0x00, 0x00]),
        (0x9F17, &[2]),
    ] {
        let datum = Command::PutData(Datum::new(tag, value).unwrap());
        let command = sealed(version, occasion, datum);
        assert_eq!(run(&mut terminal, &command), OK, "{tag:X}");
    }
    let kept = terminal.chip.kept();
    assert_eq!((kept.limits().count_lower, kept.limits().count_upper), (3, 5));
    assert_eq!((kept.limits().total_lower, kept.limits().total_upper), (100_00, 200_00));
    assert_eq!(kept.pin_tries(), 2);
    terminal.begin();
    assert_eq!(cryptogram(&terminal.first(0x40)).information, 0x40, "it may approve alone now");
}

#[test]
fn what_a_chip_cannot_take_is_refused() {
    let version = Version::TwentyTwo;
    let put = [0x04, 0xDA, 0x9F, 0x58];
    for (header, data, status) in [
        (put, &[1, 2][..], [0x67, 0x00]),
        (put, &[], [0x67, 0x00]),
        ([0x04, 0xDA, 0x9F, 0x54], &[0, 0, 0, 0, 0, 0x0A], [0x6A, 0x80]),
        ([0x04, 0xDA, 0x9F, 0x36], &[0, 0], [0x6A, 0x88]),
        ([0x04, 0xDC, 9, 0x1C], &[0], [0x6A, 0x83]),
        ([0x04, 0xDC, 1, 0x1C], &[0], [0x67, 0x00]),
        ([0x84, 0x24, 0, 3], &[], [0x6A, 0x86]),
        ([0x84, 0x24, 0, 2], &[0; 16], [0x6A, 0x80]),
        ([0x84, 0x24, 0, 2], &[0; 15], [0x67, 0x00]),
        ([0x84, 0x1E, 0, 0], &[1], [0x67, 0x00]),
    ] {
        let (mut terminal, occasion) = approved(version);
        let before = terminal.chip.kept().limits();
        let command = sealed_raw(version, occasion, header, data);
        assert_eq!(run(&mut terminal, &command), status, "{header:02X?}");
        assert_eq!(terminal.chip.kept().limits(), before);
    }
}

#[test]
fn a_record_is_written_anew() {
    let version = Version::Ten;
    let (mut terminal, occasion) = approved(version);
    let (mut record, _) = terminal.read(1, 1);
    let last = record.len() - 1;
    record[last] = b'X';
    let command = sealed_raw(version, occasion, [0x04, 0xDC, 1, 0x0C], &record);
    assert_eq!(run(&mut terminal, &command), OK);
    assert_eq!(terminal.read(1, 1).0, record);
}

#[test]
fn a_changed_script_and_one_for_another_transaction_are_refused() {
    for version in VERSIONS {
        let (mut terminal, occasion) = approved(version);
        let good = sealed(version, occasion, Command::CardBlock);
        for place in 2..good.len() {
            let mut changed = good.clone();
            changed[place] ^= 1;
            let mut terminal = terminal.clone();
            assert_ne!(run(&mut terminal, &changed), OK, "{version:?}, octet {place}");
            assert_eq!(terminal.chip.kept().block(), Block::None);
        }
        approve(&mut terminal, version);
        assert_eq!(run(&mut terminal, &good), MAC_WRONG, "{version:?}");
        assert_eq!(run(&mut terminal, &good[..9]), [0x67, 0x00]);
        assert_eq!(run(&mut terminal, &[0x84, 0x16, 0, 0]), [0x69, 0x87]);
        assert_eq!(terminal.chip.kept().block(), Block::None);
    }
}

#[test]
fn a_script_is_taken_once() {
    let version = Version::Eighteen;
    let (mut terminal, occasion) = approved(version);
    let unblock = sealed(version, occasion, Command::PinUnblock);
    assert_eq!(run(&mut terminal, &unblock), OK);
    assert_eq!(run(&mut terminal, &unblock), NOT_NOW);
}

#[test]
fn without_a_cryptogram_there_is_no_script() {
    let version = Version::Eighteen;
    let (mut terminal, occasion) = approved(version);
    let unblock = sealed(version, occasion, Command::PinUnblock);
    terminal.chip.reset([9; 32]);
    assert_eq!(run(&mut terminal, &unblock), NOT_NOW);
    terminal.begin();
    assert_eq!(run(&mut terminal, &unblock), NOT_NOW);
}

#[test]
fn the_issuer_is_told_what_became_of_its_scripts() {
    for version in VERSIONS {
        let (mut terminal, occasion) = approved(version);
        let good = sealed(version, occasion, Command::PinUnblock);
        let datum = Command::PutData(Datum::new(0x9F58, &[1]).unwrap());
        let other = sealed(version, occasion, datum);
        assert_eq!(run(&mut terminal, &good), OK);
        assert_eq!(run(&mut terminal, &other), OK);
        assert_ne!(run(&mut terminal, &good), OK);
        terminal.begin();
        let told = results(&cryptogram(&terminal.first(0x80)));
        assert_eq!((told.script_count(), told.has(Cvr::SCRIPT_FAILED)), (2, true), "{version:?}");
        terminal.issuer_answer.clear();
        approve(&mut terminal, version);
        terminal.begin();
        let told = results(&cryptogram(&terminal.first(0x80)));
        assert_eq!((told.script_count(), told.has(Cvr::SCRIPT_FAILED)), (0, false), "{version:?}");
    }
}
