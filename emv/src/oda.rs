//! Offline data authentication: what a chip proves to a terminal without its issuer.
//!
//! An authority certifies the issuer's key, the issuer the chip's, and the chip signs what a
//! terminal asks of it. Each certificate and signature is one RSA block with a header, a hash and a
//! trailer. Here they are checked, as a terminal does, and made, as personalisation and the chip
//! do. Who trusts which authority, and what follows from a failure, is the terminal's affair.
//!
//! | module | what |
//! |---|---|
//! | [`certificate`] | certificates of issuer and chip keys |
//! | [`signed`] | signed data: static (SDA), dynamic (DDA), combined with a cryptogram (CDA) |
//! | [`offline_pin`] | a PIN enciphered for the chip |
//! | [`development`] | test keys, no secrets |
//!
//! Source: EMV 4.3 Book 2, sections 5 (static), 6 (dynamic), 7 (PIN); hashes are SHA-1, the only
//! algorithm that Annex B2 names for them.

pub mod certificate;
pub mod development;
pub mod offline_pin;
pub mod signed;

use core::fmt;

use sha1::{Digest, Sha1};

use crate::crypto::rsa::{Block, PrivateKey, PublicKey, RsaError};

/// A certification authority's key, as terminals hold it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Authority {
    /// Registered application provider: the first five octets of the application's name.
    pub rid: [u8; 5],
    /// Which of the provider's keys (tag 8F).
    pub index: u8,
    /// The key.
    pub key: PublicKey,
}

impl Authority {
    /// The check sum that goes with the key: a hash of name, index, modulus and exponent.
    pub fn checksum(&self) -> [u8; 20] {
        hash(&[&self.rid, &[self.index], self.key.modulus(), self.key.exponent()])
    }
}

/// Why a certificate or a signature is not believed, or cannot be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OdaError {
    /// Another algorithm than SHA-1 or RSA is named.
    BadAlgorithm,
    /// The date on the certificate is none.
    BadDate,
    /// The format octet is another: a block of one kind was shown as one of another.
    BadFormat,
    /// The hash does not fit what it covers.
    BadHash,
    /// The first octet is not 6A (7F of a PIN): another key, or damage.
    BadHeader,
    /// The key inside has a length or an exponent that does not fit.
    BadKey,
    /// The block is not as long as the key that recovers it.
    BadLength,
    /// The last octet is not BC.
    BadTrailer,
    /// The date on the certificate has passed.
    Expired,
    /// What is to go into the block does not fit, or is too short to read.
    NoRoom,
    /// The certificate is for another card number.
    OtherCard,
    /// The cryptogram information inside the signature is not that of the answer.
    OtherCryptogram,
    /// The certificate is for another issuer.
    OtherIssuer,
    /// The signature answers another unpredictable number or another transaction.
    OtherTransaction,
}

impl fmt::Display for OdaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadAlgorithm => "signed block: an algorithm that nobody uses",
            Self::BadDate => "signed block: the date is none",
            Self::BadFormat => "signed block: of another kind",
            Self::BadHash => "signed block: the hash does not fit",
            Self::BadHeader => "signed block: does not begin as one",
            Self::BadKey => "signed block: the key in it does not fit",
            Self::BadLength => "signed block: not as long as its key",
            Self::BadTrailer => "signed block: does not end as one",
            Self::Expired => "signed block: expired",
            Self::NoRoom => "signed block: its content does not fit",
            Self::OtherCard => "signed block: for another card",
            Self::OtherCryptogram => "signed block: another kind of cryptogram",
            Self::OtherIssuer => "signed block: for another issuer",
            Self::OtherTransaction => "signed block: answers another transaction",
        })
    }
}

impl core::error::Error for OdaError {}

impl From<RsaError> for OdaError {
    fn from(error: RsaError) -> Self {
        match error {
            RsaError::BadBlock => Self::BadLength,
            RsaError::BadExponent | RsaError::BadModulus => Self::BadKey,
        }
    }
}

/// The kinds of signed blocks, each with its format octet.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    /// 05: dynamic data.
    Dynamic,
    /// 04: certificate of a chip's key.
    Icc,
    /// 02: certificate of an issuer's key.
    Issuer,
    /// 03: static data.
    Static,
}

impl Kind {
    fn format(self) -> u8 {
        match self {
            Self::Dynamic => 0x05,
            Self::Icc => 0x04,
            Self::Issuer => 0x02,
            Self::Static => 0x03,
        }
    }

    /// Where in the body the hash algorithm is named.
    fn algorithm_at(self) -> usize {
        match self {
            Self::Dynamic | Self::Static => 0,
            // Card number, or issuer identifier, then date and serial number.
            Self::Icc => 10 + 2 + 3,
            Self::Issuer => 4 + 2 + 3,
        }
    }
}

/// A signed block whose frame and hash are good.
struct Opened {
    block: Block,
}

impl Opened {
    /// What stands between the format octet and the hash.
    fn body(&self) -> &[u8] {
        match self.block.octets() {
            [_, _, body @ .., _] => body.split_last_chunk::<20>().map_or(&[], |(body, _)| body),
            _ => &[],
        }
    }
}

/// Recovers a block and checks header, trailer, format and hash, in this order; the hash covers
/// format, body and `tail`.
fn open(key: &PublicKey, sealed: &[u8], kind: Kind, tail: &[&[u8]]) -> Result<Opened, OdaError> {
    let block = key.recover(sealed)?;
    let [header, middle @ .., trailer] = block.octets() else { return Err(OdaError::BadLength) };
    let (covered, expected) = middle.split_last_chunk::<20>().ok_or(OdaError::BadLength)?;
    let format = covered.first().ok_or(OdaError::BadLength)?;
    let refused = [
        (*trailer != TRAILER, OdaError::BadTrailer),
        (*header != HEADER, OdaError::BadHeader),
        (*format != kind.format(), OdaError::BadFormat),
        (covered.get(1 + kind.algorithm_at()) != Some(&SHA_1), OdaError::BadAlgorithm),
        (hash_of(covered, tail) != *expected, OdaError::BadHash),
    ];
    match refused.into_iter().find(|(is_refused, _)| *is_refused) {
        Some((_, error)) => Err(error),
        None => Ok(Opened { block }),
    }
}

/// Signs a block: header, format, `body` filled up with BB, the hash over these and `tail`,
/// trailer.
fn seal(key: &PrivateKey, kind: Kind, body: &[&[u8]], tail: &[&[u8]]) -> Result<Block, OdaError> {
    let mut block = Block::filled(key.public().len_octets(), PADDING)?;
    let [header, middle @ .., trailer] = block.octets_mut() else { return Err(OdaError::NoRoom) };
    (*header, *trailer) = (HEADER, TRAILER);
    let (covered, expected) = middle.split_last_chunk_mut::<20>().ok_or(OdaError::NoRoom)?;
    let mut rest = &mut *covered;
    for piece in core::iter::once(&&[kind.format()][..]).chain(body) {
        let (place, after) = rest.split_at_mut_checked(piece.len()).ok_or(OdaError::NoRoom)?;
        place.copy_from_slice(piece);
        rest = after;
    }
    *expected = hash_of(covered, tail);
    Ok(key.apply(&block)?)
}

fn hash(pieces: &[&[u8]]) -> [u8; 20] {
    hash_of(&[], pieces)
}

fn hash_of(first: &[u8], pieces: &[&[u8]]) -> [u8; 20] {
    let mut hash = Sha1::new();
    hash.update(first);
    pieces.iter().for_each(|piece| hash.update(piece));
    hash.finalize().into()
}

const HEADER: u8 = 0x6A;
const TRAILER: u8 = 0xBC;
const PADDING: u8 = 0xBB;

/// Hash algorithm indicator of SHA-1, and public key algorithm indicator of RSA.
const SHA_1: u8 = 0x01;
const RSA: u8 = 0x01;
