//! PINs: in clear, enciphered, and their tries.

use cekr_emv::Pin;
use cekr_emv::chip::profile::Version;
use cekr_emv::data::Cvr;
use cekr_emv::oda::development::TestKey;
use cekr_emv::oda::offline_pin;

use crate::issuer::results;
use crate::terminal::{OK, Terminal, cryptogram, long_profile, powered, profile};

fn begun() -> Terminal {
    let mut terminal = powered(&profile(Version::Eighteen));
    terminal.begin();
    terminal
}

fn enciphered(terminal: &mut Terminal, key: TestKey, digits: &str) -> Vec<u8> {
    let (challenge, status) = terminal.send([0x00, 0x84, 0x00, 0x00], &[]);
    assert_eq!(status, OK);
    let pin = Pin::parse(digits.as_bytes()).unwrap();
    let challenge = challenge.try_into().unwrap();
    let sealed = offline_pin::encipher(key.pair().public(), &pin, challenge, [0x3C; 248]);
    sealed.unwrap().octets().to_vec()
}

const VERIFY_ENCIPHERED: [u8; 4] = [0x00, 0x20, 0x00, 0x88];

#[test]
fn three_wrong_pins_spend_the_tries() {
    let mut terminal = begun();
    assert_eq!(terminal.verify("9999"), [0x63, 0xC2]);
    assert_eq!(terminal.verify("12345"), [0x63, 0xC1]);
    assert_eq!(terminal.verify("1235"), [0x63, 0xC0]);
    assert_eq!(terminal.verify("1234"), [0x69, 0x83], "the right one comes too late");
    let made = cryptogram(&terminal.first(0x80));
    let found = Cvr::PIN_TRY_LIMIT_EXCEEDED.with(Cvr::OFFLINE_PIN_FAILED);
    assert!(results(&made).has(found));
}

#[test]
fn a_right_pin_gives_the_tries_back_and_is_sealed() {
    let mut terminal = begun();
    terminal.verify("9999");
    assert_eq!(terminal.verify("1234"), OK);
    assert_eq!(terminal.chip.kept().pin_tries(), 3);
    let found = results(&cryptogram(&terminal.first(0x80)));
    assert!(found.has(Cvr::OFFLINE_PIN_PERFORMED) && !found.meets(Cvr::OFFLINE_PIN_FAILED));
    terminal.begin();
    let found = results(&cryptogram(&terminal.first(0x80)));
    assert!(!found.meets(Cvr::OFFLINE_PIN_PERFORMED), "each transaction has its own");
}

#[test]
fn a_pin_under_the_chips_key_is_compared() {
    for (mut terminal, key) in [
        (powered(&profile(Version::Ten)), TestKey::Chip),
        (powered(&long_profile(Version::Ten)), TestKey::ChipPin),
    ] {
        terminal.begin();
        let wrong = enciphered(&mut terminal, key, "4321");
        assert_eq!(terminal.send(VERIFY_ENCIPHERED, &wrong).1, [0x63, 0xC2]);
        let right = enciphered(&mut terminal, key, "1234");
        assert_eq!(terminal.send(VERIFY_ENCIPHERED, &right).1, OK);
        assert_eq!(terminal.send(VERIFY_ENCIPHERED, &right).1, [0x69, 0x85], "one challenge, once");
        terminal.send([0x00, 0x84, 0x00, 0x00], &[]);
        let (_, replayed) = terminal.send(VERIFY_ENCIPHERED, &right);
        assert_eq!(replayed, [0x63, 0xC2], "an old block costs a try");
        assert_eq!(terminal.send(VERIFY_ENCIPHERED, &right[1..]).1, [0x67, 0x00]);
    }
}

#[test]
fn a_block_of_another_form_costs_a_try_and_one_of_another_length_none() {
    let mut terminal = begun();
    let plain = [0x00, 0x20, 0x00, 0x80];
    assert_eq!(
        terminal.send(plain, &[0x04, 0x12, 0x34, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]).1,
        [0x63, 0xC2]
    );
    assert_eq!(terminal.send(plain, &[0x24, 0x12, 0x34]).1, [0x67, 0x00]);
    assert_eq!(terminal.send([0x00, 0x20, 0x00, 0x81], &[0; 8]).1, [0x6A, 0x86]);
    assert_eq!(terminal.chip.kept().pin_tries(), 2);
}

#[test]
fn challenges_differ_and_follow_from_the_entropy() {
    let draw = |entropy| {
        let mut terminal = powered(&profile(Version::Ten));
        terminal.chip.reset([entropy; 32]);
        terminal.begin();
        [0, 1].map(|_| terminal.send([0x00, 0x84, 0x00, 0x00], &[]).0)
    };
    let [first, second] = draw(1);
    assert_ne!(first, second);
    assert_eq!(draw(1), [first.clone(), second]);
    assert_ne!(draw(2)[0], first);
}

#[test]
fn a_chip_without_keys_takes_no_enciphered_pin() {
    let profile = cekr_emv::chip::profile::Profile { oda: None, ..profile(Version::Ten) };
    let mut terminal = powered(&profile);
    terminal.begin();
    terminal.send([0x00, 0x84, 0x00, 0x00], &[]);
    assert_eq!(terminal.send(VERIFY_ENCIPHERED, &[0; 128]).1, [0x6A, 0x86]);
    assert_eq!(terminal.send([0x00, 0x88, 0, 0], &[0; 4]).1, [0x6D, 0x00]);
}
