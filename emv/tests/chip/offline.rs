//! Offline data authentication: a terminal recovers everything from the card, down to signatures
//! over its own numbers.

use cekr_emv::chip::profile::{Profile, Version};
use cekr_emv::crypto::rsa::PublicKey;
use cekr_emv::data::Cvr;
use cekr_emv::oda::certificate::{self, Certified};
use cekr_emv::oda::{OdaError, development, signed};
use cekr_emv::tlv;

use crate::issuer::{conclude, judge, recomputed, results};
use crate::terminal::{
    Cryptogram, DATE, OK, PAN, Terminal, UNPREDICTABLE, VERSIONS, cryptogram, find, long_profile,
    powered, profile,
};

/// Keys as a terminal recovers them.
struct Recovered {
    issuer: PublicKey,
    icc: PublicKey,
    static_data: Vec<u8>,
    objects: Vec<u8>,
}

fn recover(terminal: &mut Terminal, options: &[u8]) -> Recovered {
    let records = terminal.records(options);
    let objects = records.iter().flat_map(|(content, _)| content.clone()).collect::<Vec<_>>();
    let signed_records = records.iter().filter(|(_, is_signed)| *is_signed);
    let mut static_data: Vec<u8> =
        signed_records.flat_map(|(content, _)| content.clone()).collect();
    assert_eq!(tlv::value_of(&objects, 0x9F4A), Some(&[0x82][..]));
    static_data.extend(find(options, &[0x77, 0x82]).unwrap());
    let value = |tag| tlv::value_of(&objects, tag).unwrap_or_default();
    let index = value(0x8F)[0];
    let authority =
        development::authorities().into_iter().find(|authority| authority.index == index).unwrap();
    let shown = |certificate, remainder, exponent| Certified {
        certificate: value(certificate),
        remainder: value(remainder),
        exponent: value(exponent),
    };
    let issuer =
        certificate::issuer_key(&authority.key, shown(0x90, 0x92, 0x9F32), &PAN, DATE).unwrap();
    let icc = shown(0x9F46, 0x9F48, 0x9F47);
    let icc = certificate::icc_key(&issuer, icc, &[&static_data], &PAN, DATE).unwrap();
    if tlv::value_of(&objects, 0x9F2D).is_some() {
        let pin = shown(0x9F2D, 0x9F2F, 0x9F2E);
        let pin = certificate::icc_key(&issuer, pin, &[], &PAN, DATE).unwrap();
        assert_eq!(pin, *development::TestKey::ChipPin.pair().public());
    }
    Recovered { issuer, icc, static_data, objects }
}

/// The cryptogram inside a signed answer.
fn combined(terminal: &Terminal, icc: &PublicKey, answer: &[u8]) -> Result<Cryptogram, OdaError> {
    let content = find(answer, &[0x77]).expect("a template");
    let value = |tag| tlv::value_of(&content, tag).expect("an object");
    assert_eq!(tlv::value_of(&content, 0x9F26), None, "the cryptogram is in the signature only");
    let lists: Vec<&[u8]> = terminal.lists.iter().map(Vec::as_slice).collect();
    let transaction = signed::transaction_hash(&lists, &content).unwrap();
    let information = value(0x9F27)[0];
    let read = signed::combined(icc, value(0x9F4B), information, transaction, UNPREDICTABLE)?;
    Ok(Cryptogram {
        information,
        atc: value(0x9F36).try_into().unwrap(),
        value: read.cryptogram,
        issuer_data: value(0x9F10).to_vec(),
    })
}

fn cards() -> Vec<Profile> {
    VERSIONS.into_iter().flat_map(|version| [profile(version), long_profile(version)]).collect()
}

#[test]
fn a_terminal_recovers_every_key_and_signature_of_a_personalised_card() {
    for profile in cards() {
        let mut terminal = powered(&profile);
        let options = terminal.begin().0;
        let keys = recover(&mut terminal, &options);
        let code = tlv::value_of(&keys.objects, 0x93).unwrap();
        let code = signed::static_data(&keys.issuer, code, &[&keys.static_data]);
        assert_eq!(code, Ok([0xDA, 0xC1]));
        let (answer, status) = terminal.send([0x00, 0x88, 0, 0], &UNPREDICTABLE);
        assert_eq!(status, OK);
        let signature = find(&answer, &[0x77, 0x9F4B]).unwrap();
        assert!(signature.len() >= 128, "long signatures are where others fail");
        assert!(signed::dynamic(&keys.icc, &signature, &UNPREDICTABLE).is_ok());
        assert!(results(&cryptogram(&terminal.first(0x80))).has(Cvr::DDA_PERFORMED));
    }
}

#[test]
fn a_card_has_every_mandatory_object_once() {
    for profile in cards() {
        let mut terminal = powered(&profile);
        let options = terminal.begin().0;
        let objects = recover(&mut terminal, &options).objects;
        let mut tags: Vec<u32> = tlv::objects(&objects).map(|object| object.unwrap().tag).collect();
        for tag in [0x57, 0x5A, 0x5F24, 0x8C, 0x8D, 0x8E, 0x9F07, 0x9F0D, 0x9F0E, 0x9F0F] {
            assert!(tags.contains(&tag), "{tag:X}");
        }
        let count = tags.len();
        tags.sort_unstable();
        tags.dedup();
        assert_eq!(tags.len(), count, "no object stands twice");
        assert_eq!(tlv::value_of(&objects, 0x5A), Some(&PAN[..]));
        assert_eq!(tlv::value_of(&objects, 0x5F24), Some(&[0x30, 0x12, 0x31][..]));
        let track2 = tlv::value_of(&objects, 0x57).unwrap();
        assert_eq!((track2.len(), track2[8..12].to_vec()), (16, vec![0xD3, 0x01, 0x22, 0x01]));
    }
}

#[test]
fn a_signed_cryptogram_covers_the_whole_transaction() {
    for profile in cards() {
        let version = profile.version;
        let mut terminal = powered(&profile);
        let options = terminal.begin().0;
        let aip: [u8; 2] = find(&options, &[0x77, 0x82]).unwrap().try_into().unwrap();
        let keys = recover(&mut terminal, &options);
        let (answer, status) = terminal.first(0x90);
        assert_eq!(status, OK);
        let made = combined(&terminal, &keys.icc, &answer).unwrap();
        assert_eq!(made.value, recomputed(&terminal, aip, &made, version));

        let mut other = terminal.clone();
        other.lists[1][5] ^= 1;
        let refused = combined(&other, &keys.icc, &answer).err();
        assert_eq!(refused, Some(OdaError::OtherTransaction));

        let proven = judge(&terminal, &aip, &made).1.unwrap();
        let mut plain = terminal.clone();
        conclude(&mut plain, &proven, version);
        if version == Version::Ten {
            let answer = proven.answer(*b"00", cekr_emv::issuer::Outcome::Approved);
            terminal.send([0x00, 0x82, 0x00, 0x00], answer.octets());
        } else {
            terminal.issuer_answer = plain.issuer_answer.clone();
        }
        let (answer, status) = terminal.second(0x50);
        assert_eq!(status, OK);
        let last = combined(&terminal, &keys.icc, &answer).unwrap();
        assert_eq!(last.information, 0x40);
        assert_eq!(last.value, recomputed(&terminal, aip, &last, version));
    }
}

#[test]
fn a_decline_is_not_signed() {
    let mut terminal = powered(&profile(Version::Ten));
    terminal.begin();
    let answer = terminal.first(0x10);
    assert_eq!(cryptogram(&answer).information, 0x00);
}

#[test]
fn a_spoiled_signature_is_found_out() {
    let mut terminal = powered(&long_profile(Version::Eighteen));
    terminal.chip.faults().bad_signature = true;
    let options = terminal.begin().0;
    let keys = recover(&mut terminal, &options);
    let (answer, _) = terminal.send([0x00, 0x88, 0, 0], &UNPREDICTABLE);
    let signature = find(&answer, &[0x77, 0x9F4B]).unwrap();
    assert!(signed::dynamic(&keys.icc, &signature, &UNPREDICTABLE).is_err());
    let (answer, _) = terminal.first(0x90);
    assert!(combined(&terminal, &keys.icc, &answer).is_err());
}
