//! Signed data: what the issuer signed once (SDA), and what the chip signs anew each time (DDA,
//! CDA).
//!
//! Static data show that nobody changed the records, but can be copied to another chip. A dynamic
//! signature covers the terminal's unpredictable number, so only the chip that holds the key can
//! make it. Combined with the cryptogram, it covers the whole transaction as well, so that nobody
//! between chip and terminal can turn a decline into an approval.
//!
//! Source: EMV 4.3 Book 2, sections 5.4 (static), 6.5 (DDA) and 6.6 (CDA), tables 7, 15, 17, 19.
//!
//! ```
//! use cekr_emv::oda::development::TestKey;
//! use cekr_emv::oda::signed::{self, DynamicNumber};
//!
//! let chip = TestKey::Chip.pair();
//! let number = DynamicNumber::new(&[1, 2, 3, 4]).expect("2 to 8 octets");
//! let signature = signed::sign_dynamic(&chip, number, b"what the DDOL asks for")?;
//! let read = signed::dynamic(chip.public(), signature.octets(), b"what the DDOL asks for")?;
//! assert_eq!(read, number);
//! # Ok::<(), cekr_emv::oda::OdaError>(())
//! ```

use sha1::{Digest, Sha1};

use crate::crypto::mac;
use crate::crypto::rsa::{Block, PrivateKey, PublicKey};
use crate::oda::{Kind, OdaError, SHA_1, open, seal};
use crate::tlv;

/// The chip's own unpredictable number (tag 9F4C), two to eight octets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DynamicNumber {
    octets: [u8; 8],
    len_octets: u8,
}

impl DynamicNumber {
    /// A number of two to eight octets; `None` for another length.
    pub fn new(number: &[u8]) -> Option<Self> {
        let len_octets = u8::try_from(number.len()).ok().filter(|len| (2..=8).contains(len))?;
        let mut octets = [0; 8];
        octets.get_mut(..number.len())?.copy_from_slice(number);
        Some(Self { octets, len_octets })
    }

    /// Its octets.
    pub fn octets(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len_octets)).unwrap_or_default()
    }
}

/// What a combined signature holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Combined {
    /// The chip's own unpredictable number (tag 9F4C).
    pub number: DynamicNumber,
    /// Cryptogram information data (tag 9F27).
    pub information: u8,
    /// The cryptogram (tag 9F26), which the answer leaves out.
    pub cryptogram: [u8; 8],
}

/// Signs a card's static data with a data authentication code (tag 9F45) of the issuer's choice.
///
/// # Errors
///
/// [`OdaError::NoRoom`] for a key that is too short.
pub fn sign_static(
    issuer: &PrivateKey,
    code: [u8; 2],
    static_data: &[&[u8]],
) -> Result<Block, OdaError> {
    seal(issuer, Kind::Static, &[&[SHA_1], &code], static_data)
}

/// Checks signed static data (tag 93) and gives the data authentication code (tag 9F45).
///
/// `static_data` as for [`super::certificate::icc_key`].
///
/// # Errors
///
/// The first [`OdaError`] that applies: length, trailer, header, format, algorithm, hash.
pub fn static_data(
    issuer: &PublicKey,
    signature: &[u8],
    static_data: &[&[u8]],
) -> Result<[u8; 2], OdaError> {
    match open(issuer, signature, Kind::Static, static_data)?.body() {
        [_, first, second, ..] => Ok([*first, *second]),
        _ => Err(OdaError::BadLength),
    }
}

/// Signs what a terminal sent in INTERNAL AUTHENTICATE.
///
/// # Errors
///
/// [`OdaError::NoRoom`] for a key that is too short.
pub fn sign_dynamic(
    icc: &PrivateKey,
    number: DynamicNumber,
    terminal_data: &[u8],
) -> Result<Block, OdaError> {
    let body = [&[SHA_1, 1 + number.len_octets, number.len_octets], number.octets()];
    seal(icc, Kind::Dynamic, &body, &[terminal_data])
}

/// Checks a dynamic signature (tag 9F4B of INTERNAL AUTHENTICATE) over `terminal_data`, the values
/// that the DDOL asked for.
///
/// # Errors
///
/// The first [`OdaError`] that applies: length, trailer, header, format, algorithm, hash, content.
pub fn dynamic(
    icc: &PublicKey,
    signature: &[u8],
    terminal_data: &[u8],
) -> Result<DynamicNumber, OdaError> {
    let opened = open(icc, signature, Kind::Dynamic, &[terminal_data])?;
    Ok(dynamic_data(opened.body().get(1..).unwrap_or_default())?.0)
}

/// Signs an answer to GENERATE AC.
///
/// `transaction` is [`transaction_hash`] of it, `unpredictable_number` the terminal's (tag 9F37).
///
/// # Errors
///
/// [`OdaError::NoRoom`] for a key that is too short.
pub fn sign_combined(
    icc: &PrivateKey,
    content: Combined,
    transaction: [u8; 20],
    unpredictable_number: [u8; 4],
) -> Result<Block, OdaError> {
    let Combined { number, information, cryptogram } = content;
    let len = 1 + number.len_octets + 1 + 8 + 20;
    let body = [
        &[SHA_1, len, number.len_octets],
        number.octets(),
        &[information],
        &cryptogram,
        &transaction,
    ];
    seal(icc, Kind::Dynamic, &body, &[&unpredictable_number])
}

/// Checks a combined signature (tag 9F4B of GENERATE AC).
///
/// `information` is the cryptogram information data (tag 9F27) of the answer's clear part;
/// `transaction` and `unpredictable_number` as for [`sign_combined`].
///
/// # Errors
///
/// The first [`OdaError`] that applies: length, trailer, header, format, algorithm, hash, content,
/// [`OdaError::OtherCryptogram`], [`OdaError::OtherTransaction`].
pub fn combined(
    icc: &PublicKey,
    signature: &[u8],
    information: u8,
    transaction: [u8; 20],
    unpredictable_number: [u8; 4],
) -> Result<Combined, OdaError> {
    let opened = open(icc, signature, Kind::Dynamic, &[&unpredictable_number])?;
    let (number, rest) = dynamic_data(opened.body().get(1..).unwrap_or_default())?;
    let (signed_information, rest) = rest.split_first().ok_or(OdaError::BadLength)?;
    let (cryptogram, rest) = rest.split_first_chunk::<8>().ok_or(OdaError::BadLength)?;
    let signed: &[u8; 20] = rest.try_into().map_err(|_| OdaError::BadLength)?;
    if *signed_information != information {
        return Err(OdaError::OtherCryptogram);
    }
    if !mac::is_equal(*signed, transaction) {
        return Err(OdaError::OtherTransaction);
    }
    Ok(Combined { number, information, cryptogram: *cryptogram })
}

/// The hash of a transaction that a combined signature covers.
///
/// `lists` are the values sent for PDOL and CDOL1, and for the second cryptogram also for CDOL2;
/// `answer` is the content of template 77 of GENERATE AC, of which the signature is left out.
///
/// # Errors
///
/// [`OdaError::BadLength`] where the answer cannot be read.
pub fn transaction_hash(lists: &[&[u8]], answer: &[u8]) -> Result<[u8; 20], OdaError> {
    let mut hash = Sha1::new();
    lists.iter().for_each(|list| hash.update(list));
    let (mut objects, mut before) = (tlv::objects(answer), answer);
    while let Some(object) = objects.next() {
        let object = object.map_err(|_| OdaError::BadLength)?;
        let (taken, rest) = before.split_at(before.len().saturating_sub(objects.rest().len()));
        if object.tag != SIGNATURE {
            hash.update(taken);
        }
        before = rest;
    }
    Ok(hash.finalize().into())
}

/// Tag of a dynamic signature.
const SIGNATURE: u32 = 0x9F4B;

/// The chip's number, and what stands behind it, in dynamic data with their length before them.
fn dynamic_data(counted: &[u8]) -> Result<(DynamicNumber, &[u8]), OdaError> {
    let (len, rest) = counted.split_first().ok_or(OdaError::BadLength)?;
    let data = rest.get(..usize::from(*len)).ok_or(OdaError::BadLength)?;
    let (number_len, rest) = data.split_first().ok_or(OdaError::BadLength)?;
    let (number, rest) =
        rest.split_at_checked(usize::from(*number_len)).ok_or(OdaError::BadLength)?;
    Ok((DynamicNumber::new(number).ok_or(OdaError::BadLength)?, rest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::*;
    use crate::oda::development::TestKey;

    const NUMBER: [u8; 4] = [0xC0, 0xDE, 0x00, 0x07];

    fn content(information: u8) -> Combined {
        let number = DynamicNumber::new(&[9; 8]).unwrap();
        Combined { number, information, cryptogram: [0xAC; 8] }
    }

    #[test]
    fn a_number_has_two_to_eight_octets() {
        for len in 0..=9 {
            let number = DynamicNumber::new(&[7; 9][..len]);
            assert_eq!(number.is_some(), (2..=8).contains(&len), "{len}");
            assert_eq!(number.map_or(0, |number| number.octets().len()), number.map_or(0, |_| len));
        }
    }

    #[test]
    fn static_data_are_believed_while_nobody_changes_them() {
        let issuer = TestKey::Issuer.pair();
        let signature = sign_static(&issuer, [0xDA, 0xC1], &[b"record one", b"\x7C\x00"]).unwrap();
        let check = |data: &[&[u8]]| static_data(issuer.public(), signature.octets(), data);
        assert_eq!(check(&[b"record one\x7C\x00"]), Ok([0xDA, 0xC1]));
        assert_eq!(check(&[b"record 0ne\x7C\x00"]), Err(OdaError::BadHash));
    }

    #[test]
    fn a_signature_answers_one_number_of_the_terminal() {
        let chip = TestKey::ChipLong.pair();
        let number = DynamicNumber::new(&[1; 8]).unwrap();
        let signature = sign_dynamic(&chip, number, &NUMBER).unwrap();
        assert_eq!(dynamic(chip.public(), signature.octets(), &NUMBER), Ok(number));
        let other = dynamic(chip.public(), signature.octets(), &[0; 4]);
        assert_eq!(other, Err(OdaError::BadHash));
    }

    #[test]
    fn a_combined_signature_names_what_differs() {
        let chip = TestKey::ChipLong.pair();
        let signature = sign_combined(&chip, content(0x80), [1; 20], NUMBER).unwrap();
        let check = |information, transaction| {
            combined(chip.public(), signature.octets(), information, transaction, NUMBER)
        };
        assert_eq!(check(0x80, [1; 20]), Ok(content(0x80)));
        assert_eq!(check(0x40, [1; 20]), Err(OdaError::OtherCryptogram));
        assert_eq!(check(0x80, [2; 20]), Err(OdaError::OtherTransaction));
    }

    #[test]
    fn the_transaction_covers_all_of_an_answer_but_its_signature() {
        let with = [0x9F, 0x27, 1, 0x80, 0x9F, 0x4B, 2, 7, 7, 0x9F, 0x36, 2, 0, 1];
        let without = [0x9F, 0x27, 1, 0x80, 0x9F, 0x36, 2, 0, 1];
        assert_eq!(transaction_hash(&[b"ab"], &with), transaction_hash(&[b"a", b"b"], &without));
        assert_ne!(transaction_hash(&[b"ab"], &with), transaction_hash(&[b"ab"], &with[..9]));
        assert_eq!(transaction_hash(&[], &with[..8]), Err(OdaError::BadLength));
    }

    #[test]
    fn content_that_is_too_short_is_refused_though_its_signature_is_good() {
        let chip = TestKey::Chip.pair();
        for data in [&[SHA_1, 0][..], &[SHA_1, 1, 1], &[SHA_1, 3, 9, 1, 1], &[SHA_1, 200, 8]] {
            let block = seal(&chip, Kind::Dynamic, &[data], &[&NUMBER]).unwrap();
            let read = dynamic(chip.public(), block.octets(), &NUMBER);
            assert_eq!(read, Err(OdaError::BadLength), "{data:?}");
        }
        let block = sign_dynamic(&chip, content(0).number, &NUMBER).unwrap();
        let read = combined(chip.public(), block.octets(), 0, [0; 20], NUMBER);
        assert_eq!(read, Err(OdaError::BadLength));
    }
}
