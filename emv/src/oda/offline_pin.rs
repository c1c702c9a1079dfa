//! A PIN enciphered for the chip: what VERIFY carries where the PIN pad does not send it in clear.
//!
//! The block holds the PIN and the number that the chip gave in GET CHALLENGE, so that nobody can
//! play it again. What fills it is drawn at random, so that equal PINs make different blocks.
//!
//! Source: EMV 4.3 Book 2, section 7.2, table 23.
//!
//! ```
//! use cekr_emv::Pin;
//! use cekr_emv::oda::development::TestKey;
//! use cekr_emv::oda::offline_pin;
//!
//! let chip = TestKey::ChipPin.pair();
//! let (pin, challenge) = (Pin::parse(b"1234").expect("four digits"), [7; 8]);
//! let sent = offline_pin::encipher(chip.public(), &pin, challenge, [0x5A; 248])?;
//! assert_eq!(offline_pin::decipher(&chip, sent.octets(), challenge), Ok(pin));
//! # Ok::<(), offline_pin::OfflinePinError>(())
//! ```

use core::fmt;

use zeroize::Zeroize;

use crate::Pin;
use crate::crypto::mac;
use crate::crypto::pin_block;
use crate::crypto::rsa::{Block, MODULUS_OCTETS_MAX, PrivateKey, PublicKey, RsaError};

/// Enciphers a PIN under the chip's key for PINs, or its only key where it has none for them.
///
/// `challenge` is the chip's answer to GET CHALLENGE; `filler` is drawn anew each time.
///
/// # Errors
///
/// [`OfflinePinError::BadKey`], which a key from a certificate never is.
pub fn encipher(
    key: &PublicKey,
    pin: &Pin,
    challenge: [u8; 8],
    filler: [u8; MODULUS_OCTETS_MAX],
) -> Result<Block, OfflinePinError> {
    let mut clear = pin_block::encode_format2(pin);
    let mut block = Block::filled(key.len_octets(), 0)?;
    let content = [HEADER].into_iter().chain(clear).chain(challenge).chain(filler);
    for (to, from) in block.octets_mut().iter_mut().zip(content) {
        *to = from;
    }
    clear.zeroize();
    Ok(key.recover(block.octets())?)
}

/// Deciphers what VERIFY carried and checks that it answers `challenge`.
///
/// # Errors
///
/// The first [`OfflinePinError`] that applies. Tell the terminal only that the PIN is wrong.
pub fn decipher(
    key: &PrivateKey,
    sealed: &[u8],
    challenge: [u8; 8],
) -> Result<Pin, OfflinePinError> {
    let sealed = Block::of(sealed).ok_or(OfflinePinError::BadLength)?;
    let block = key.apply(&sealed)?;
    let [header, rest @ ..] = block.octets() else { return Err(OfflinePinError::BadLength) };
    let (clear, rest) = rest.split_first_chunk::<8>().ok_or(OfflinePinError::BadLength)?;
    let answered = rest.first_chunk::<8>().ok_or(OfflinePinError::BadLength)?;
    if *header != HEADER {
        return Err(OfflinePinError::BadHeader);
    }
    if !mac::is_equal(*answered, challenge) {
        return Err(OfflinePinError::OtherChallenge);
    }
    pin_block::decode_format2(*clear).map_err(|_| OfflinePinError::BadBlock)
}

/// Why an enciphered PIN is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OfflinePinError {
    /// The PIN block inside holds no PIN.
    BadBlock,
    /// The first octet is not 7F: another key, or damage.
    BadHeader,
    /// The key is none.
    BadKey,
    /// Not as long as the key, or not below its modulus.
    BadLength,
    /// It answers another challenge.
    OtherChallenge,
}

impl fmt::Display for OfflinePinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadBlock => "enciphered PIN: the block inside holds none",
            Self::BadHeader => "enciphered PIN: does not begin as one",
            Self::BadKey => "enciphered PIN: the key is none",
            Self::BadLength => "enciphered PIN: not as long as its key",
            Self::OtherChallenge => "enciphered PIN: answers another challenge",
        })
    }
}

impl core::error::Error for OfflinePinError {}

impl From<RsaError> for OfflinePinError {
    fn from(error: RsaError) -> Self {
        match error {
            RsaError::BadBlock => Self::BadLength,
            RsaError::BadExponent | RsaError::BadModulus => Self::BadKey,
        }
    }
}

const HEADER: u8 = 0x7F;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::*;
    use crate::oda::development::TestKey;

    #[test]
    fn names_what_is_wrong() {
        let (pair, other) = (TestKey::ChipPin.pair(), TestKey::Chip.pair());
        let pin = Pin::parse(b"123456").unwrap();
        let sent = encipher(pair.public(), &pin, [1; 8], [0xA5; 248]).unwrap();
        let sent = sent.octets();
        assert_eq!(decipher(&pair, sent, [1; 8]), Ok(pin));
        assert_eq!(decipher(&pair, sent, [2; 8]), Err(OfflinePinError::OtherChallenge));
        assert_eq!(decipher(&pair, &sent[1..], [1; 8]), Err(OfflinePinError::BadLength));
        assert_eq!(decipher(&pair, &[0xFF; 300], [1; 8]), Err(OfflinePinError::BadLength));
        assert_eq!(decipher(&pair, &[0xFF; 128], [1; 8]), Err(OfflinePinError::BadLength));
        assert!(decipher(&other, sent, [1; 8]).is_err());
        let mut block = Block::filled(128, 0x11).unwrap();
        let none = pair.public().recover(block.octets()).unwrap();
        assert_eq!(decipher(&pair, none.octets(), [0x11; 8]), Err(OfflinePinError::BadHeader));
        block.octets_mut()[0] = HEADER;
        let none = pair.public().recover(block.octets()).unwrap();
        assert_eq!(decipher(&pair, none.octets(), [0x11; 8]), Err(OfflinePinError::BadBlock));
    }
}
