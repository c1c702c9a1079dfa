//! Certificates: the authority's of the issuer's key, the issuer's of the chip's keys.
//!
//! A certificate holds as much of the modulus as it has room for; the rest travels beside it as the
//! remainder, the exponent always does. A chip's certificate also covers the card's static data, so
//! that nobody can change a record and keep the key; the one of a key for PINs does not.
//!
//! Source: EMV 4.3 Book 2, sections 6.3 (issuer key), 6.4 (chip key) and 7.1 (PIN key), tables 13,
//! 14 and 21.
//!
//! ```
//! use cekr_emv::oda::certificate::{self, ExpiryMonth, Label};
//! use cekr_emv::oda::development::TestKey;
//!
//! let (authority, issuer) = (TestKey::Authority.pair(), TestKey::Issuer.pair());
//! let label = Label { expiry: ExpiryMonth([0x12, 0x30]), serial: [0, 0, 1] };
//! let bin = b"\x47\x61\x73\xFF";
//! let issued = certificate::sign_issuer_key(&authority, bin, label, issuer.public())?;
//! let shown = issued.as_certified();
//! let (pan, date) = (b"\x47\x61\x73\x00\x00\x00\x00\x11", [0x26, 0x11, 0x22]);
//! let key = certificate::issuer_key(authority.public(), shown, pan, date)?;
//! assert_eq!(key, *issuer.public());
//! # Ok::<(), cekr_emv::oda::OdaError>(())
//! ```

use crate::crypto::rsa::{Block, MODULUS_OCTETS_MAX, PrivateKey, PublicKey};
use crate::oda::{Kind, OdaError, RSA, SHA_1, open, seal};

/// A key as a card shows it: certificate, remainder and exponent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Certified<'a> {
    /// Tag 90 of an issuer, 9F46 of a chip, 9F2D of a PIN key.
    pub certificate: &'a [u8],
    /// Tag 92, 9F48 or 9F2F; empty where the card has none.
    pub remainder: &'a [u8],
    /// Tag 9F32, 9F47 or 9F2E.
    pub exponent: &'a [u8],
}

/// Month of expiry as a certificate has it: packed month, packed year.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ExpiryMonth(pub [u8; 2]);

impl ExpiryMonth {
    /// Whether the month has ended on `date`, packed year, month and day as tag 9A has it.
    ///
    /// Years from 50 are of the last century (EMV 4.3 Book 4, section 6.7.3).
    ///
    /// # Errors
    ///
    /// [`OdaError::BadDate`] where month or year are no packed numbers, or the month is none.
    pub fn is_past(self, date: [u8; 3]) -> Result<bool, OdaError> {
        let ([month, year], [this_year, this_month, _]) = (self.0, date);
        let months = |year: u8, month: u8| {
            let (year, month) = (packed(year)?, packed(month)?);
            let century = if year >= 50 { 0 } else { 100 };
            (1..=12).contains(&month).then_some((century + year) * 12 + month)
        };
        let expiry = months(year, month).ok_or(OdaError::BadDate)?;
        Ok(expiry < months(this_year, this_month).ok_or(OdaError::BadDate)?)
    }
}

/// What a certificate says besides whose key it holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Label {
    /// Until when it is good.
    pub expiry: ExpiryMonth,
    /// The certifier's number for it.
    pub serial: [u8; 3],
}

/// A certificate that was made, with what travels beside it.
#[derive(Clone)]
pub struct Issued {
    certificate: Block,
    remainder: Block,
    exponent: &'static [u8],
}

impl Issued {
    /// What goes into the card.
    pub fn as_certified(&self) -> Certified<'_> {
        Certified {
            certificate: self.certificate.octets(),
            remainder: self.remainder.octets(),
            exponent: self.exponent,
        }
    }
}

/// Certifies an issuer's key. `identifier` is three to eight digits of its card numbers, packed,
/// filled up with F.
///
/// # Errors
///
/// [`OdaError::NoRoom`] if the key is longer than the authority's.
pub fn sign_issuer_key(
    authority: &PrivateKey,
    identifier: &[u8; 4],
    label: Label,
    key: &PublicKey,
) -> Result<Issued, OdaError> {
    sign(authority, Kind::Issuer, identifier, label, key, &[])
}

/// Certifies a chip's key together with the card's static data, or a key for PINs with none.
///
/// `pan` is the card number as tag 5A has it, packed, at most ten octets.
///
/// # Errors
///
/// [`OdaError::NoRoom`] if the key is longer than the issuer's or the number than ten octets.
pub fn sign_icc_key(
    issuer: &PrivateKey,
    pan: &[u8],
    label: Label,
    key: &PublicKey,
    static_data: &[&[u8]],
) -> Result<Issued, OdaError> {
    let subject = filled_number(pan).ok_or(OdaError::NoRoom)?;
    sign(issuer, Kind::Icc, &subject, label, key, static_data)
}

/// Recovers an issuer's key from the authority's certificate of it.
///
/// `pan` is the card number as tag 5A has it; `date` the date of the transaction (tag 9A).
///
/// # Errors
///
/// The first [`OdaError`] that applies: length, trailer, header, format, algorithm, hash, issuer,
/// expiry, key.
pub fn issuer_key(
    authority: &PublicKey,
    shown: Certified<'_>,
    pan: &[u8],
    date: [u8; 3],
) -> Result<PublicKey, OdaError> {
    let opened =
        open(authority, shown.certificate, Kind::Issuer, &[shown.remainder, shown.exponent])?;
    let (identifier, rest) = opened.body().split_first_chunk::<4>().ok_or(OdaError::BadLength)?;
    if !begins_with_identifier(pan, *identifier) {
        return Err(OdaError::OtherIssuer);
    }
    key_of(rest, shown, date)
}

/// Recovers a chip's key, or its key for PINs, from the issuer's certificate of it.
///
/// `static_data` is what the chip's certificate covers: the signed records' contents in the order
/// read, then the value of each tag that 9F4A lists; nothing for a PIN key.
///
/// # Errors
///
/// As [`issuer_key`], with [`OdaError::OtherCard`] for the issuer's.
pub fn icc_key(
    issuer: &PublicKey,
    shown: Certified<'_>,
    static_data: &[&[u8]],
    pan: &[u8],
    date: [u8; 3],
) -> Result<PublicKey, OdaError> {
    let mut tail = [&[][..]; STATIC_PIECES_MAX + 2];
    let pieces = [shown.remainder, shown.exponent].into_iter().chain(static_data.iter().copied());
    if static_data.len() > STATIC_PIECES_MAX {
        return Err(OdaError::NoRoom);
    }
    for (to, from) in tail.iter_mut().zip(pieces) {
        *to = from;
    }
    let opened = open(issuer, shown.certificate, Kind::Icc, &tail)?;
    let (subject, rest) = opened.body().split_first_chunk::<10>().ok_or(OdaError::BadLength)?;
    if filled_number(pan) != Some(*subject) {
        return Err(OdaError::OtherCard);
    }
    key_of(rest, shown, date)
}

/// How many pieces the static data may come in.
pub const STATIC_PIECES_MAX: usize = 34;

fn sign(
    certifier: &PrivateKey,
    kind: Kind,
    subject: &[u8],
    label: Label,
    key: &PublicKey,
    static_data: &[&[u8]],
) -> Result<Issued, OdaError> {
    let room = left_room(certifier.public(), kind)?;
    let modulus = key.modulus();
    let (left, right) = modulus.split_at(room.min(modulus.len()));
    let is_fitting = modulus.len() <= certifier.public().len_octets();
    let len = u8::try_from(modulus.len()).ok().filter(|_| is_fitting).ok_or(OdaError::NoRoom)?;
    let exponent = key.exponent();
    let exponent_len = if exponent.len() == 1 { 1 } else { 3 };
    let ExpiryMonth(expiry) = label.expiry;
    let lengths = [SHA_1, RSA, len, exponent_len];
    let mut tail = [&[][..]; STATIC_PIECES_MAX + 2];
    if static_data.len() > STATIC_PIECES_MAX {
        return Err(OdaError::NoRoom);
    }
    let pieces = [right, exponent].into_iter().chain(static_data.iter().copied());
    for (to, from) in tail.iter_mut().zip(pieces) {
        *to = from;
    }
    let body = [subject, &expiry, &label.serial, &lengths, left];
    Ok(Issued {
        certificate: seal(certifier, kind, &body, &tail)?,
        remainder: Block::of(right).ok_or(OdaError::NoRoom)?,
        exponent,
    })
}

/// Octets of the modulus that a certificate under `certifier` has room for.
fn left_room(certifier: &PublicKey, kind: Kind) -> Result<usize, OdaError> {
    // Algorithm of the hash and what stands before it; then of the key, and two lengths.
    let before = 2 + kind.algorithm_at() + 4;
    certifier.len_octets().checked_sub(before + 20 + 1).ok_or(OdaError::NoRoom)
}

/// The key in what follows the subject: expiry, serial number, algorithms, lengths, modulus.
fn key_of(rest: &[u8], shown: Certified<'_>, date: [u8; 3]) -> Result<PublicKey, OdaError> {
    let [month, year, _, _, _, _, algorithm, len, exponent_len, left @ ..] = rest else {
        return Err(OdaError::BadLength);
    };
    if ExpiryMonth([*month, *year]).is_past(date)? {
        return Err(OdaError::Expired);
    }
    if *algorithm != RSA {
        return Err(OdaError::BadAlgorithm);
    }
    let len = usize::from(*len);
    let inside = left.get(..len.min(left.len())).ok_or(OdaError::BadKey)?;
    let is_whole = inside.len() + shown.remainder.len() == len;
    if !is_whole || usize::from(*exponent_len) != shown.exponent.len() {
        return Err(OdaError::BadKey);
    }
    let mut modulus = [0; MODULUS_OCTETS_MAX];
    let modulus = modulus.get_mut(..len).ok_or(OdaError::BadKey)?;
    for (to, from) in modulus.iter_mut().zip(inside.iter().chain(shown.remainder)) {
        *to = *from;
    }
    Ok(PublicKey::new(modulus, shown.exponent)?)
}

/// A card number filled up with F to ten octets; `None` if it is longer.
fn filled_number(pan: &[u8]) -> Option<[u8; 10]> {
    let mut filled = [0xFF; 10];
    filled.get_mut(..pan.len())?.copy_from_slice(pan);
    Some(filled)
}

/// Whether a number begins with three to eight digits, the rest of `identifier` being F.
fn begins_with_identifier(pan: &[u8], identifier: [u8; 4]) -> bool {
    let digits =
        |octets: &[u8]| octets.first_chunk::<4>().map_or(0, |octets| u32::from_be_bytes(*octets));
    let (identifier, number) = (digits(&identifier), digits(pan));
    let filled_nibbles = identifier.trailing_ones() / 4;
    filled_nibbles <= 5 && (identifier ^ number) >> (4 * filled_nibbles) == 0
}

/// A number of two packed digits.
fn packed(octet: u8) -> Option<u32> {
    let (tens, ones) = (octet >> 4, octet & 0x0F);
    (tens <= 9 && ones <= 9).then_some(u32::from(tens) * 10 + u32::from(ones))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use proptest::prelude::*;

    use super::*;
    use crate::oda::development::TestKey;

    const PAN: &[u8] = b"\x47\x61\x73\x00\x00\x00\x00\x11";
    const TODAY: [u8; 3] = [0x26, 0x11, 0x22];
    const LABEL: Label = Label { expiry: ExpiryMonth([0x12, 0x30]), serial: [0, 0, 1] };

    #[test]
    fn a_chain_leads_from_the_authority_to_the_chip() {
        let chains = [
            (TestKey::Authority, TestKey::Issuer, TestKey::Chip),
            (TestKey::AuthorityLong, TestKey::IssuerLong, TestKey::ChipLong),
        ];
        for (authority, issuer, chip) in chains.map(|(a, i, c)| (a.pair(), i.pair(), c.pair())) {
            let issued =
                sign_issuer_key(&authority, b"\x47\x61\x73\xFF", LABEL, issuer.public()).unwrap();
            let key = issuer_key(authority.public(), issued.as_certified(), PAN, TODAY).unwrap();
            assert_eq!(key, *issuer.public());
            let data = [&b"record"[..], b"\x7C\x00"];
            let issued = sign_icc_key(&issuer, PAN, LABEL, chip.public(), &data).unwrap();
            let joined = [&b"record\x7C\x00"[..]];
            assert_eq!(
                icc_key(&key, issued.as_certified(), &joined, PAN, TODAY),
                Ok(*chip.public())
            );
        }
    }

    #[test]
    fn a_key_longer_than_its_certifiers_is_not_certified() {
        let (issuer, long) = (TestKey::Issuer.pair(), TestKey::ChipLong.pair());
        let refused = sign_icc_key(&issuer, PAN, LABEL, long.public(), &[]);
        assert_eq!(refused.err(), Some(OdaError::NoRoom));
        let refused = sign_icc_key(&issuer, &[0x47; 11], LABEL, TestKey::Chip.pair().public(), &[]);
        assert_eq!(refused.err(), Some(OdaError::NoRoom));
    }

    #[test]
    fn a_certificate_is_good_until_the_end_of_its_month() {
        let expiry = ExpiryMonth([0x12, 0x30]);
        for (date, is_past) in [
            ([0x30, 0x12, 0x31], Ok(false)),
            ([0x31, 0x01, 0x01], Ok(true)),
            ([0x26, 0x13, 0x01], Err(OdaError::BadDate)),
            ([0x99, 0x12, 0x01], Ok(false)),
        ] {
            assert_eq!(expiry.is_past(date), is_past, "{date:02X?}");
        }
        assert_eq!(ExpiryMonth([0x12, 0x99]).is_past(TODAY), Ok(true));
        assert_eq!(ExpiryMonth([0x0A, 0x30]).is_past(TODAY), Err(OdaError::BadDate));
        assert_eq!(ExpiryMonth([0x00, 0x30]).is_past(TODAY), Err(OdaError::BadDate));
    }

    #[test]
    fn an_identifier_is_the_beginning_of_the_number() {
        for (identifier, is_beginning) in [
            (b"\x47\x61\x73\xFF", true),
            (b"\x47\x61\x73\x00", true),
            (b"\x47\x6F\xFF\xFF", true),
            (b"\x47\xFF\xFF\xFF", false),
            (b"\xFF\xFF\xFF\xFF", false),
            (b"\x47\x61\x74\xFF", false),
            (b"\x47\x61\xF3\xFF", false),
        ] {
            assert_eq!(begins_with_identifier(PAN, *identifier), is_beginning, "{identifier:02X?}");
        }
        assert!(!begins_with_identifier(&PAN[..2], *b"\x47\x61\x73\xFF"));
    }

    #[test]
    fn names_what_is_wrong_with_a_certificate() {
        let (authority, issuer) = (TestKey::Authority.pair(), TestKey::Issuer.pair());
        let issued = |subject, expiry| {
            let label = Label { expiry: ExpiryMonth(expiry), ..LABEL };
            sign_issuer_key(&authority, subject, label, issuer.public()).unwrap()
        };
        let check = |issued: &Issued| {
            issuer_key(authority.public(), issued.as_certified(), PAN, TODAY).err()
        };
        let good = issued(b"\x47\x61\x73\xFF", [0x12, 0x30]);
        assert_eq!(check(&good), None);
        let other = issued(b"\x47\x61\x74\xFF", [0x12, 0x30]);
        assert_eq!(check(&other), Some(OdaError::OtherIssuer));
        let past = issued(b"\x47\x61\x73\xFF", [0x10, 0x26]);
        assert_eq!(check(&past), Some(OdaError::Expired));

        let shown = good.as_certified();
        let of = |shown| issuer_key(authority.public(), shown, PAN, TODAY).err();
        let damaged = Certified { remainder: &shown.certificate[..1], ..shown };
        assert_eq!(of(damaged), Some(OdaError::BadHash));
        let short = Certified { certificate: &shown.certificate[1..], ..shown };
        assert_eq!(of(short), Some(OdaError::BadLength));
        let by_another = issuer_key(TestKey::ChipLong.pair().public(), shown, PAN, TODAY).err();
        assert_eq!(by_another, Some(OdaError::BadTrailer));
        let icc = sign_icc_key(&authority, PAN, LABEL, issuer.public(), &[]).unwrap();
        assert_eq!(of(icc.as_certified()), Some(OdaError::BadFormat));
    }

    #[test]
    fn a_chips_certificate_is_for_one_number_and_one_set_of_records() {
        let (issuer, chip) = (TestKey::Issuer.pair(), TestKey::Chip.pair());
        let issued = sign_icc_key(&issuer, PAN, LABEL, chip.public(), &[b"record"]).unwrap();
        let check = |data: &[&[u8]], pan| {
            icc_key(issuer.public(), issued.as_certified(), data, pan, TODAY).err()
        };
        assert_eq!(check(&[b"rec", b"ord"], PAN), None);
        assert_eq!(check(&[b"recorD"], PAN), Some(OdaError::BadHash));
        let other = b"\x47\x61\x73\x00\x00\x00\x00\x29";
        assert_eq!(check(&[b"record"], other), Some(OdaError::OtherCard));
        assert_eq!(check(&[&[][..]; STATIC_PIECES_MAX + 1], PAN), Some(OdaError::NoRoom));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_certificate_with_a_bit_turned_is_refused(
            place in 0..176_usize, bit in 0..8_u32, beside in 0..4_usize
        ) {
            let authority = TestKey::Authority.pair();
            let issuer = TestKey::Issuer.pair();
            let issued =
                sign_issuer_key(&authority, b"\x47\x61\x73\xFF", LABEL, issuer.public()).unwrap();
            let good = issued.as_certified();
            let mut certificate = [0; 176];
            certificate.copy_from_slice(good.certificate);
            certificate[place] ^= 1 << bit;
            let turned = Certified { certificate: &certificate, ..good };
            prop_assert!(issuer_key(authority.public(), turned, PAN, TODAY).is_err());
            let mut remainder = [0; 4];
            remainder.copy_from_slice(good.remainder);
            remainder[beside] ^= 1 << bit;
            let turned = Certified { remainder: &remainder, ..good };
            let refused = issuer_key(authority.public(), turned, PAN, TODAY).err();
            prop_assert_eq!(refused, Some(OdaError::BadHash));
        }

        #[test]
        fn any_octets_are_no_certificate(
            certificate in prop::collection::vec(any::<u8>(), 0..260),
            beside in prop::collection::vec(any::<u8>(), 0..260),
        ) {
            let key = TestKey::Authority.pair();
            let mut whole = certificate.clone();
            whole.resize(176, 0x11);
            for certificate in [&certificate, &whole] {
                let shown =
                    Certified { certificate, remainder: &beside, exponent: &beside };
                prop_assert!(issuer_key(key.public(), shown, &beside, TODAY).is_err());
                prop_assert!(icc_key(key.public(), shown, &[&beside], &beside, TODAY).is_err());
            }
        }
    }
}
