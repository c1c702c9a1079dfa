//! The pad against the host's side of the same keys, and each way in which it refuses.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use cekr_emv::CardNumber;
use cekr_emv::crypto::aes::KeyLength;
use cekr_emv::crypto::dukpt::{aes, tdes};
use cekr_emv::crypto::pin_block::{decipher_format0, format4};
use cekr_emv::crypto::tr31::{self, BlockError, Header, ProtectionKey, Version};
use cekr_emv::keys::{AesKey, Bdk, Key as CipherKey, Zpk};
use cekr_emv::oda::development::TestKey;
use cekr_emv::oda::offline_pin;
use cekr_emv::pin::Pin;
use cekr_iso8583::Pan;

use super::{
    Bypass, ENTRY_MS, EncipheredPin, PadKind, PinPad, PinPadError, PinPadFault, PinRequest,
    PinStep, PinTarget, following,
};
use crate::device::keypad::Key;
use crate::moment::Moment;

const NOON: Moment = Moment::from_unix_ms(1_795_341_600_000);
/// The base key and serial number of ANSI X9.24-1:2009, A.4.
const BDK: u128 = 0x0123_4567_89AB_CDEF_FEDC_BA98_7654_3210;
const PAD: [u8; 10] = [0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xE0, 0, 0];

fn pan() -> Pan {
    Pan::parse(b"4761730000000011").unwrap()
}

fn protection() -> ProtectionKey {
    ProtectionKey::aes(&[0x42; 16]).unwrap()
}

fn block(usage: [u8; 2], algorithm: u8, key: &[u8]) -> Vec<u8> {
    let mut room = [0; tr31::BLOCK_OCTETS_MAX];
    let header = Header::new(Version::D, usage, algorithm);
    let len = tr31::seal(&protection(), header, key, [7; 64], &mut room).unwrap();
    room[..len].to_vec()
}

fn bdk() -> CipherKey<Bdk> {
    CipherKey::from_octets(&BDK.to_be_bytes()).unwrap()
}

fn tdes_pad() -> PinPad {
    let mut pad = PinPad::new(protection(), 1);
    let first = tdes::initial_key(&bdk(), tdes::Ksn::new(PAD));
    let kcv = pad.load_tdes(&block(*b"B1", b'T', first.expose()), PAD).unwrap();
    assert_eq!(kcv, first.kcv());
    pad
}

fn type_pin(pad: &mut PinPad, keys: &str) -> PinStep {
    if let Err(error) = pad.begin(PinRequest::online(pan()), NOON) {
        return PinStep::Failed(error);
    }
    for key in keys.chars().filter_map(Key::of_char) {
        pad.press(key, NOON);
    }
    pad.press(Key::Enter, NOON);
    pad.step()
}

#[test]
fn the_host_deciphers_what_a_triple_des_pad_sends_each_time_under_another_key() {
    let mut pad = tdes_pad();
    let first = tdes::initial_key(&bdk(), tdes::Ksn::new(PAD));
    let mut blocks = vec![];
    for counter in 1..=20 {
        let PinStep::Entered(EncipheredPin::Tdes { block, ksn }) = type_pin(&mut pad, "1234")
        else {
            panic!("no block at {counter}")
        };
        assert_eq!(tdes::Ksn::new(ksn).counter(), counter);
        let key = tdes::transaction_key(&first, tdes::Ksn::new(ksn)).unwrap();
        let pin = decipher_format0(&tdes::pin_key(&key), block, pan().expose()).unwrap();
        assert_eq!(pin, Pin::parse(b"1234").unwrap());
        assert!(!blocks.contains(&block));
        blocks.push(block);
    }
}

#[test]
fn the_host_deciphers_what_an_aes_pad_sends() {
    let bdk = AesKey::<Bdk>::from_octets(&[0x6A; 16]).unwrap();
    let first = aes::initial_key(&bdk, *b"PAD00001");
    let mut pad = PinPad::new(protection(), 7);
    pad.load_aes(&block(*b"B1", b'A', first.expose()), *b"PAD00001").unwrap();
    let PinStep::Entered(EncipheredPin::Aes { block, ksn }) = type_pin(&mut pad, "123456") else {
        panic!("no block")
    };
    let ksn = aes::Ksn::new(ksn);
    assert_eq!(ksn.counter(), 1);
    let key = aes::pin_key(&aes::transaction_key(&first, ksn).unwrap(), ksn, KeyLength::Bits128);
    let card = CardNumber::from_number(pan().expose()).unwrap();
    assert_eq!(format4::decipher(&key, block, card), Ok(Pin::parse(b"123456").unwrap()));
}

#[test]
fn a_zone_key_comes_in_a_key_block_and_a_changed_block_does_not() {
    let mut pad = PinPad::new(protection(), 1);
    assert_eq!(type_pin(&mut pad, "1234"), PinStep::Failed(PinPadError::NoKey));
    let zone = CipherKey::<Zpk>::development();
    let mut sealed = block(*b"P0", b'T', zone.expose());
    assert_eq!(pad.load_zone_key(&sealed), Ok(zone.kcv()));
    let expected = EncipheredPin::development(&Pin::parse(b"1234").unwrap(), pan());
    assert_eq!(type_pin(&mut pad, "1234"), PinStep::Entered(expected));
    assert_eq!(
        pad.load_tdes(&sealed, PAD),
        Err(PinPadError::KeyBlock(BlockError::OtherUse)),
        "a zone key is no DUKPT key"
    );
    sealed[5] = b'B';
    assert_eq!(pad.load_zone_key(&sealed), Err(PinPadError::KeyBlock(BlockError::BadMac)));
}

#[test]
fn a_used_up_pad_refuses_before_it_asks_the_holder() {
    let mut pad = tdes_pad();
    // Ten ones at the top: the last counter that a pad uses.
    pad.resume_after(0x1F_F7FF);
    assert!(matches!(type_pin(&mut pad, "1234"), PinStep::Entered(_)));
    assert_eq!(type_pin(&mut pad, "1234"), PinStep::Failed(PinPadError::Exhausted));
    assert_eq!(pad.begin(PinRequest::online(pan()), NOON), Err(PinPadError::Exhausted));
}

#[test]
fn counters_with_too_many_ones_are_skipped() {
    let slow = |mut counter: u32, ones_max| {
        loop {
            counter += 1;
            if counter.count_ones() <= ones_max {
                return counter;
            }
        }
    };
    for start in [0, 0x3FE, 0x3FF, 0x7FE, 0x7FF, 0xF_FBFF, 0x1F_0000, 0x1F_F000] {
        assert_eq!(following(start, u32::MAX, 10), Ok(slow(start, 10)), "{start:X}");
    }
    assert_eq!(following(0x1F_F800, 0x1F_FFFF, 10), Err(PinPadError::Exhausted));
    assert_eq!(following(0xFFFF_0000, u32::MAX, 16), Err(PinPadError::Exhausted));
    assert_eq!(following(u32::MAX, u32::MAX, 32), Err(PinPadError::Exhausted));
}

#[test]
fn opening_the_case_wipes_the_keys_for_good() {
    let mut pad = tdes_pad();
    pad.begin(PinRequest::online(pan()), NOON).unwrap();
    pad.tamper();
    assert_eq!(pad.step(), PinStep::Failed(PinPadError::Tampered));
    assert_eq!(type_pin(&mut pad, "1234"), PinStep::Failed(PinPadError::Tampered));
    let first = tdes::initial_key(&bdk(), tdes::Ksn::new(PAD));
    let sealed = block(*b"B1", b'T', first.expose());
    assert_eq!(pad.load_tdes(&sealed, PAD), Err(PinPadError::Tampered));
}

#[test]
fn a_holder_corrects_gives_up_goes_without_or_falls_asleep() {
    let mut pad = PinPad::development(1);
    let one = Key::of_char('1').unwrap();
    pad.press(one, NOON);
    assert_eq!(pad.step(), PinStep::Idle, "nobody asked");
    let ask = PinRequest { target: PinTarget::Issuer(pan()), bypass: Bypass::Allowed };
    pad.begin(ask.clone(), NOON).unwrap();
    pad.press(one, NOON);
    pad.press(Key::Enter, NOON);
    assert_eq!(pad.step(), PinStep::Typing { digit_count: 1 }, "one digit is no PIN");
    pad.press(Key::Clear, NOON);
    pad.press(Key::Enter, NOON);
    assert_eq!(pad.step(), PinStep::Bypassed);
    pad.begin(ask.clone(), NOON).unwrap();
    pad.press(Key::Cancel, NOON);
    assert_eq!(pad.step(), PinStep::Cancelled);
    pad.begin(ask.clone(), NOON).unwrap();
    for _ in 0..20 {
        pad.press(one, NOON);
    }
    assert_eq!(pad.step(), PinStep::Typing { digit_count: 12 });
    pad.tick(NOON.plus_ms(ENTRY_MS - 1));
    assert_eq!(pad.step(), PinStep::Typing { digit_count: 12 });
    pad.tick(NOON.plus_ms(ENTRY_MS));
    assert_eq!(pad.step(), PinStep::TimedOut);
    pad.set_fault(PinPadFault::Broken);
    assert_eq!(pad.begin(ask.clone(), NOON), Err(PinPadError::Broken));
}

#[test]
fn development_pads_use_the_published_keys() {
    let pin = Pin::parse(b"1234").unwrap();
    let mut pad = PinPad::development_of(PadKind::DukptTdes, 1);
    pad.resume_after(41);
    let EncipheredPin::Tdes { block, ksn } = pad.enter(&pin, pan()).unwrap() else {
        panic!("another kind")
    };
    let ksn = tdes::Ksn::new(ksn);
    assert_eq!(ksn.counter(), 42);
    let first = tdes::initial_key(&CipherKey::<Bdk>::development(), ksn);
    let key = tdes::pin_key(&tdes::transaction_key(&first, ksn).unwrap());
    assert_eq!(decipher_format0(&key, block, pan().expose()), Ok(pin.clone()));

    let mut pad = PinPad::development_of(PadKind::DukptAes, 1);
    let EncipheredPin::Aes { block, ksn } = pad.enter(&pin, pan()).unwrap() else {
        panic!("another kind")
    };
    let (name, ksn) = (*ksn.first_chunk().unwrap(), aes::Ksn::new(ksn));
    let first = aes::initial_key(&AesKey::<Bdk>::development(), name);
    let key = aes::pin_key(&aes::transaction_key(&first, ksn).unwrap(), ksn, KeyLength::Bits128);
    let card = CardNumber::from_number(pan().expose()).unwrap();
    assert_eq!(format4::decipher(&key, block, card), Ok(pin));
}

#[test]
fn a_pin_for_the_chip_is_enciphered_under_its_key_and_answers_its_number() {
    let chip = TestKey::Chip.pair();
    let mut pad = PinPad::development(1);
    let target = PinTarget::Chip([7; 8], Box::new(*chip.public()));
    pad.begin(PinRequest { target, bypass: Bypass::Refused }, NOON).unwrap();
    for key in "4321".chars().filter_map(Key::of_char).chain([Key::Enter]) {
        pad.press(key, NOON);
    }
    let PinStep::EnteredForChip(block) = pad.step() else { panic!("no block") };
    let pin = Pin::parse(b"4321").unwrap();
    assert_eq!(offline_pin::decipher(&chip, &block, [7; 8]), Ok(pin));
    assert!(offline_pin::decipher(&chip, &block, [8; 8]).is_err());
}

#[test]
fn no_digit_and_no_block_is_shown() {
    let mut pad = PinPad::development(1);
    let PinStep::Entered(pin) = type_pin(&mut pad, "987654") else { panic!("no block") };
    let EncipheredPin::Zone { block } = &pin else { panic!("another kind") };
    let shown = format!("{pad:?} {pin:?}");
    assert!(!shown.contains("987654") && !shown.contains(&format!("{:?}", block)), "{shown}");
}
