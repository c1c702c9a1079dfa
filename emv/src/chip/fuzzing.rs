//! What must hold of a chip for arbitrary commands: the body of a fuzz target, which tests run too.

use crate::chip::profile::{Limits, Profile, Version};
use crate::chip::{ANSWER_OCTETS_MAX, Chip, Protocol};
use crate::{CardNumber, Pin};

/// Commands out of arbitrary octets, each preceded by its length, to a chip that the first octet
/// chooses: every one is answered by a status word, the counter never goes back, and PIN tries
/// never exceed their number.
///
/// # Panics
///
/// Where a chip breaks one of these promises.
pub fn chip(data: &[u8]) {
    let Some((choice, mut rest)) = data.split_first() else { return };
    let Some(mut chip) = chosen(*choice) else { return };
    chip.reset([*choice; 32]);
    let mut out = [0; ANSWER_OCTETS_MAX];
    while let Some((len, after)) = rest.split_first() {
        let (apdu, after) = after.split_at(usize::from(*len).min(after.len()));
        rest = after;
        let before = chip.kept().atc();
        let written = chip.process(apdu, &mut out);
        assert!((2..=ANSWER_OCTETS_MAX).contains(&written), "an answer has a status");
        let status = written.checked_sub(2).and_then(|at| out.get(at));
        assert!(matches!(status, Some(0x61..=0x6F | 0x90)), "a status begins with 6 or is 9000");
        assert!(chip.kept().atc() >= before, "a counter never goes back");
        assert!(chip.kept().pin_tries() <= 15, "a status can tell the tries");
    }
}

/// One of the versions, with and without keys of its own, in either protocol.
fn chosen(choice: u8) -> Option<Chip> {
    let version = match choice % 3 {
        0 => Version::Ten,
        1 => Version::Eighteen,
        _ => Version::TwentyTwo,
    };
    let number = CardNumber::parse(b"4761730000000011")?;
    let pin = Pin::parse(b"1234").ok()?;
    let mut profile = Profile::development(number, 0x01, 3012, &pin, version)?;
    if choice & 0x40 == 0 {
        profile.oda = None;
    }
    profile.limits =
        Limits { count_lower: 2, count_upper: 4, total_lower: 50_00, total_upper: 100_00 };
    let mut chip = Chip::new(&profile);
    if choice & 0x80 != 0 {
        chip.speak(Protocol::T0);
    }
    Some(chip)
}
