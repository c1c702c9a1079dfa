//! The verbs over the published test keys: what is right passes, and each way to be wrong has its
//! own answer.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may")]

use cekr_emv::CardNumber;
use cekr_emv::crypto::aes::KeyLength;
use cekr_emv::crypto::cavv::{Authentication, cavv};
use cekr_emv::crypto::cvv;
use cekr_emv::crypto::dukpt::{aes, tdes};
use cekr_emv::crypto::ibm3624;
use cekr_emv::crypto::pin_block::{self, format4};
use cekr_emv::crypto::tr31::{self, Header, ProtectionKey, Version};
use cekr_emv::keys::{AesKey, Bdk, Cvk, Kbpk, Key, Mak, Pvk, Zpk};

use super::keys::{ComponentError, Components, KeyBlocks};
use super::*;
use crate::keyring::StartKey;

const NUMBER: u64 = 4_761_730_000_000_011;
const LINK: u32 = 3;

fn pan() -> Pan {
    Pan::from_number(NUMBER).unwrap()
}

fn card() -> CardNumber {
    CardNumber::from_number(NUMBER).unwrap()
}

fn pin(digits: &[u8]) -> Pin {
    Pin::parse(digits).unwrap()
}

/// A PIN in every way in which it may travel.
fn sealed(pin: &Pin) -> Vec<SealedPin> {
    let zpk = Key::<Zpk>::development();
    let format0 = pin_block::encipher_format0(&zpk, pin, NUMBER);
    let format3 = zpk.encipher_block(pin_block::encode_format3(pin, NUMBER, 0x5A5A_1234));
    let ksn = [0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xE0, 0x00, 0x08];
    let serial = tdes::Ksn::new(ksn);
    let first = tdes::initial_key(&Key::<Bdk>::development(), serial);
    let key = tdes::pin_key(&tdes::transaction_key(&first, serial).unwrap());
    let by_pad = pin_block::encipher_format0(&key, pin, NUMBER);
    let ksn_aes = [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 3];
    let serial = aes::Ksn::new(ksn_aes);
    let first = aes::initial_key(&AesKey::<Bdk>::development(), [1, 2, 3, 4, 5, 6, 7, 8]);
    let transaction = aes::transaction_key(&first, serial).unwrap();
    let key = aes::pin_key(&transaction, serial, KeyLength::Bits128);
    let zone_aes = format4::encipher(&AesKey::<Zpk>::development(), pin, card(), [9; 8]);
    vec![
        SealedPin::Zone { link: LINK, block: format0 },
        SealedPin::Zone { link: LINK, block: format3 },
        SealedPin::DukptTdes { block: by_pad, ksn },
        SealedPin::DukptAes { block: format4::encipher(&key, pin, card(), [7; 8]), ksn: ksn_aes },
        SealedPin::ZoneAes { block: zone_aes },
    ]
}

#[test]
fn a_pin_is_found_right_or_wrong_however_it_travels() {
    let hsm = SoftHsm::development();
    let expected = PinReference::Pvv(hsm.verification_value(pan(), &pin(b"1234")));
    let table = ibm3624::DecimalTable::USUAL;
    let pvk = Key::<Pvk>::development();
    let offset = ibm3624::offset(&pvk, &table, [0x47; 8], &pin(b"1234"));
    let by_offset = PinReference::Offset { offset, validation: [0x47; 8], table };
    for reference in [expected, by_offset] {
        for way in sealed(&pin(b"1234")) {
            assert_eq!(hsm.verify_pin(&way, pan(), &reference), Ok(PinProof::Right), "{way:?}");
            let none = PinReference::None;
            assert_eq!(hsm.verify_pin(&way, pan(), &none), Ok(PinProof::Wrong));
        }
        for way in sealed(&pin(b"1235")) {
            assert_eq!(hsm.verify_pin(&way, pan(), &reference), Ok(PinProof::Wrong));
        }
    }
    for way in sealed(&pin(b"1234")) {
        let value = hsm.verification_value(pan(), &pin(b"1234"));
        assert_eq!(hsm.read_new_pin(&way, pan()), Ok(NewPinProof::Read { pvv: value }));
        let block = hsm.translate_pin(&way, pan(), 9).unwrap().unwrap();
        let translated = SealedPin::Zone { link: 9, block };
        assert_eq!(hsm.verify_pin(&translated, pan(), &expected), Ok(PinProof::Right));
    }
}

#[test]
fn what_is_no_block_or_names_no_key_is_unreadable() {
    let hsm = SoftHsm::development();
    let block = [0x5A; 8];
    for way in [
        SealedPin::Unreadable,
        SealedPin::Zone { link: LINK, block },
        SealedPin::DukptTdes { block, ksn: [0xFF; 10] },
        SealedPin::DukptTdes { block, ksn: [0; 10] },
        SealedPin::DukptAes { block: [1; 16], ksn: [0xFF; 12] },
        SealedPin::DukptAes { block: [1; 16], ksn: [0; 12] },
        SealedPin::ZoneAes { block: [1; 16] },
    ] {
        assert_eq!(
            hsm.verify_pin(&way, pan(), &PinReference::Pvv(1)),
            Ok(PinProof::Unreadable),
            "{way:?}"
        );
        assert_eq!(hsm.translate_pin(&way, pan(), 1), Ok(None));
        assert_eq!(format!("{way:?}"), "SealedPin(..)");
    }
}

#[test]
fn verification_values_are_those_of_the_card_and_its_expiry() {
    let hsm = SoftHsm::development();
    let (expiry, service) = (Expiry::parse(b"3012").unwrap(), ServiceCode::parse(b"201").unwrap());
    let right = cvv::cvv(&Key::<Cvk>::development(), card(), expiry, service);
    assert_eq!(hsm.verify_cvv(pan(), expiry, service, right), Ok(true));
    assert_eq!(hsm.verify_cvv(pan(), expiry, ServiceCode::ICVV, right), Ok(false));
    let what = Authentication { number: [0x12; 8], outcome: 0, second_factor: 7, key_id: 1 };
    let made = cavv(&Key::<Cvk>::development(), card(), what).unwrap();
    assert_eq!(hsm.verify_cavv(pan(), &made), Ok(true));
    // Of the authentication's number the value covers the last four digits: the issuer's own record
    // has to know the rest.
    for place in (0..made.len()).filter(|place| !(7..13).contains(place)) {
        let mut changed = made;
        changed[place] ^= 1;
        assert_eq!(hsm.verify_cavv(pan(), &changed), Ok(false), "octet {place}");
    }
}

/// A block under the published exchange key.
fn exchanged(usage: [u8; 2], key: &[u8]) -> Vec<u8> {
    let exchange = ProtectionKey::Aes(AesKey::<Kbpk>::development());
    let header = Header::new(Version::D, usage, b'T');
    let mut room = [0; tr31::BLOCK_OCTETS_MAX];
    let len = tr31::seal(&exchange, header, key, [0x55; 64], &mut room).unwrap();
    room[..len].to_vec()
}

#[test]
fn a_working_key_holds_for_its_link_alone() {
    let hsm = SoftHsm::development();
    let key = [0x3E; 16];
    let kcv = Key::<Mak>::from_octets(&key).unwrap().kcv();
    let before = hsm.mac(LINK, b"0800").unwrap();
    let told = kcv.to_string();
    assert_eq!(hsm.import_key(LINK, &exchanged(*b"M3", &key), told.as_bytes()), Ok(kcv));
    let after = hsm.mac(LINK, b"0800").unwrap();
    assert_ne!(before, after);
    assert_eq!(hsm.mac(LINK + 1, b"0800"), Ok(before));
    assert_eq!(hsm.verify_mac(LINK, b"0800", after), Ok(true));
    assert_eq!(hsm.verify_mac(LINK, b"0801", after), Ok(false));
    assert_eq!(hsm.import_key(LINK, &exchanged(*b"P0", &key), b""), Ok(kcv));
    assert_eq!(hsm.mac(LINK, b"0800"), Ok(after), "the other key stays");
    let block =
        pin_block::encipher_format0(&Key::<Zpk>::from_octets(&key).unwrap(), &pin(b"1234"), NUMBER);
    let reference = PinReference::Pvv(hsm.verification_value(pan(), &pin(b"1234")));
    let way = SealedPin::Zone { link: LINK, block };
    assert_eq!(hsm.verify_pin(&way, pan(), &reference), Ok(PinProof::Right));
}

#[test]
fn a_working_key_that_cannot_be_taken_leaves_the_old_one() {
    let hsm = SoftHsm::development();
    let before = hsm.mac(LINK, b"x").unwrap();
    let good = exchanged(*b"M3", &[0x3E; 16]);
    let mut changed = good.clone();
    changed[20] = if changed[20] == b'0' { b'1' } else { b'0' };
    let mut other_header = good.clone();
    other_header[5] = b'P';
    other_header[6] = b'0';
    for (block, told, error) in [
        (&good, &b"000000"[..], ExchangeError::CheckValue),
        (&changed, b"", BlockError::BadMac.into()),
        (&other_header, b"", BlockError::BadMac.into()),
        (&exchanged(*b"E0", &[0x3E; 16]), b"", BlockError::OtherUse.into()),
    ] {
        assert_eq!(hsm.import_key(LINK, block, told), Err(error));
    }
    assert_eq!(hsm.mac(LINK, b"x"), Ok(before));
}

#[test]
fn keys_come_of_two_parts_or_more_and_open_under_the_start_key_alone() {
    let start_key = StartKey::new([0x77; 32]);
    let mut parts = Components::default();
    let first = parts.add(&[0x11; 16], b'T').unwrap();
    assert_eq!(parts.seal(&start_key, *b"V2", b'T', [0; 64]), Err(ComponentError::TooFew));
    let second = parts.add(&[0x2F; 16], b'T').unwrap();
    assert_ne!(first, second);
    assert_eq!(parts.add(&[0x2F; 24], b'T'), Err(ComponentError::BadLength));
    let (block, kcv) = parts.seal(&start_key, *b"V2", b'T', [0; 64]).unwrap();
    assert_eq!(kcv, Key::<Pvk>::from_octets(&[0x3E; 16]).unwrap().kcv());
    let blocks = KeyBlocks { pvk: &block, ..KeyBlocks::default() };
    let (keys, tests) = CardKeys::load(&blocks, &start_key).unwrap();
    assert_eq!(keys.pvk.kcv(), kcv);
    assert_eq!(tests.len(), 10);
    assert!(!tests.contains(&"pvk"));
    let refused = |blocks: &KeyBlocks<'_>, start_key: &StartKey| {
        let Err(error) = CardKeys::load(blocks, start_key) else { panic!("refused") };
        error
    };
    let error = refused(&blocks, &StartKey::development());
    assert_eq!(error, KeysError { name: "pvk", cause: BlockError::BadMac });
    let error = refused(&KeyBlocks { cvk: &block, ..KeyBlocks::default() }, &start_key);
    assert_eq!(error, KeysError { name: "cvk", cause: BlockError::OtherUse });
    let error = refused(&KeyBlocks { zpk_aes: &block, ..KeyBlocks::default() }, &start_key);
    assert_eq!(error.cause, BlockError::OtherUse);
}

#[test]
fn a_faulty_module_fails_as_planned_and_tells_its_time() {
    let plan = Plan { fails_each: 3, latency_us: 1_500 };
    let hsm = FaultyHsm::new(SoftHsm::development(), plan);
    let failed: Vec<_> = (1..=9).filter(|_| hsm.mac(LINK, b"x").is_err()).collect();
    assert_eq!(failed, [3, 6, 9]);
    assert_eq!(hsm.taken_us(), 9 * 1_500);
    let never = FaultyHsm::new(SoftHsm::development(), Plan::default());
    assert!((0..20).all(|_| never.mac(LINK, b"x").is_ok()));
}
