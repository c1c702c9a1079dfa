//! A chip that is torn out, at every command and at every write: what it keeps is whole.

use cekr_emv::chip::Kept;
use cekr_emv::chip::profile::{Profile, Version};
use cekr_emv::crypto::script::Occasion;
use cekr_emv::issuer::Command;

use crate::issuer::{recomputed, sealed};
use crate::terminal::{AID, Terminal, VERSIONS, cryptogram, find, long_profile, powered, profile};

/// What left the chip in a story that was cut short.
#[derive(Default)]
struct Left {
    cryptograms: Vec<([u8; 2], u8, [u8; 8])>,
    scripts_done: usize,
    right_pins: usize,
}

/// A whole transaction with a wrong and a right PIN, a cryptogram, an answer and scripts, as far as
/// the power lasts.
fn play(terminal: &mut Terminal, version: Version, left: &mut Left) -> Option<()> {
    terminal.lists.clear();
    let fci = terminal.try_send([0x00, 0xA4, 0x04, 0x00], &AID)?.0;
    let list = find(&fci, &[0x6F, 0xA5, 0x9F38]).unwrap();
    let values = terminal.filled(&list);
    let data = [&[0x83, values.len() as u8], &values[..]].concat();
    let options = terminal.try_send([0x80, 0xA8, 0, 0], &data)?.0;
    let aip: [u8; 2] = find(&options, &[0x77, 0x82]).unwrap().try_into().unwrap();
    let record = terminal.try_send([0x00, 0xB2, 2, 0x1C], &[])?.0;
    for (digits, is_right) in [("9999", false), ("1234", true)] {
        let block = cekr_emv::crypto::pin_block::encode_format2(&crate::terminal::pin(digits));
        terminal.try_send([0x00, 0x20, 0x00, 0x80], &block)?;
        left.right_pins += usize::from(is_right);
    }
    let values = terminal.filled(&find(&record, &[0x70, 0x8C]).unwrap());
    let made = cryptogram(&terminal.try_send([0x80, 0xAE, 0x80, 0], &values)?);
    left.cryptograms.push((made.atc, made.information, made.value));
    assert_eq!(made.value, recomputed(terminal, aip, &made, version));
    let occasion = Occasion { atc: made.atc, arqc: made.value };
    let values = terminal.filled(&find(&record, &[0x70, 0x8D]).unwrap());
    let last = cryptogram(&terminal.try_send([0x80, 0xAE, 0x00, 0], &values)?);
    left.cryptograms.push((last.atc, last.information, last.value));
    let unblock = sealed(version, occasion, Command::PinUnblock);
    terminal.raw(&unblock)?;
    left.scripts_done += 1;
    let block = sealed(version, occasion, Command::ApplicationBlock);
    terminal.raw(&block)?;
    left.scripts_done += 1;
    Some(())
}

/// What must hold after a card was torn out of a story, and in the one that follows.
fn check(mut terminal: Terminal, version: Version, before: &Kept, left: &Left, place: &str) {
    let kept = terminal.chip.kept().clone();
    let taken = kept.atc() - before.atc();
    assert!(taken <= 1, "{place}: one counter a transaction");
    assert!(kept.pin_tries() <= before.pin_tries(), "{place}: no try came from nowhere");
    if !left.cryptograms.is_empty() {
        assert_eq!(taken, 1, "{place}: no cryptogram left before its counter was kept");
    }
    *terminal.chip.faults() = cekr_emv::chip::Faults::default();
    terminal.chip.reset([0x77; 32]);
    let mut next = Left::default();
    let is_blocked = kept.block() != cekr_emv::chip::Block::None;
    if is_blocked {
        return;
    }
    play(&mut terminal, version, &mut next).expect("the power lasts now");
    for (atc, ..) in &next.cryptograms {
        assert!(
            left.cryptograms.iter().all(|(old, ..)| old != atc),
            "{place}: a counter came again"
        );
    }
}

fn cards() -> Vec<Profile> {
    VERSIONS.map(profile).into_iter().chain([long_profile(Version::Eighteen)]).collect()
}

#[test]
fn torn_out_after_any_command_a_chip_keeps_what_it_gave() {
    for profile in cards() {
        for count in 0..12 {
            for is_answer_lost in [false, true] {
                let mut terminal = powered(&profile);
                if is_answer_lost {
                    terminal.chip.faults().answer_lost_at = Some(count);
                } else {
                    terminal.chip.faults().torn_out_after = Some(count);
                }
                let (before, mut left) = (terminal.chip.kept().clone(), Left::default());
                let end = play(&mut terminal, profile.version, &mut left);
                assert_eq!(end.is_some(), count >= 9, "nine commands");
                let place = format!("after {count} commands, answer lost: {is_answer_lost}");
                if end.is_none() {
                    assert_eq!(terminal.raw(&[0x00, 0xB2, 1, 0x0C, 0]), None, "{place}: silence");
                }
                check(terminal, profile.version, &before, &left, &place);
            }
        }
    }
}

#[test]
fn torn_out_at_any_write_a_chip_keeps_what_it_gave() {
    for profile in cards() {
        let mut is_whole = false;
        for writes in 0..20 {
            let mut terminal = powered(&profile);
            terminal.chip.faults().writes_left = Some(writes);
            let (before, mut left) = (terminal.chip.kept().clone(), Left::default());
            is_whole = play(&mut terminal, profile.version, &mut left).is_some();
            check(terminal, profile.version, &before, &left, &format!("at write {writes}"));
        }
        assert!(is_whole, "twenty writes are more than a transaction takes");
    }
}

#[test]
fn tearing_saves_no_pin_try() {
    let mut terminal = powered(&profile(Version::Ten));
    for tries in (0..3).rev() {
        terminal.chip.reset([tries; 32]);
        terminal.begin();
        terminal.chip.faults().answer_lost_at = Some(2);
        let block = cekr_emv::crypto::pin_block::encode_format2(&crate::terminal::pin("9999"));
        assert_eq!(terminal.try_send([0x00, 0x20, 0x00, 0x80], &block), None);
        terminal.chip.faults().answer_lost_at = None;
        assert_eq!(terminal.chip.kept().pin_tries(), tries);
    }
}

#[test]
fn a_card_out_of_the_drawer_is_as_it_was() {
    let mut terminal = powered(&profile(Version::Ten));
    let kept = terminal.chip.kept().clone();
    terminal.begin();
    assert_ne!(*terminal.chip.kept(), kept);
    terminal.chip.restore(kept.clone());
    assert_eq!(*terminal.chip.kept(), kept);
    assert!(!format!("{kept:?}").contains("1234"));
}
