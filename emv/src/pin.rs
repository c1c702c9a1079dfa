//! A personal identification number, held as briefly as possible.
//!
//! A [`Pin`] is wiped when it is dropped, compares without branching on its digits, and has no
//! `Display`. It cannot be printed: `Debug` shows neither digits nor length. The only ways out
//! are a PIN block and a verification value, both in [`crate::crypto`].
//!
//! Source: ISO 9564-1 limits a PIN to 4 to 12 digits.
//!
//! ```
//! use cekr_emv::pin::{Pin, PinError};
//!
//! let pin = Pin::parse(b"1234")?;
//! assert_eq!(format!("{pin:?}"), "Pin(..)");
//! assert_eq!(Pin::parse(b"123").err(), Some(PinError::BadLength));
//! # Ok::<(), PinError>(())
//! ```

use core::fmt;
use core::ops::RangeInclusive;

use zeroize::Zeroize;

/// A PIN of 4 to 12 decimal digits.
#[derive(Clone)]
pub struct Pin {
    /// One digit in each nibble, right-aligned; the nibbles above `len_digits` are 0.
    packed: u64,
    len_digits: u8,
}

impl Pin {
    /// Reads a PIN from ASCII digits.
    ///
    /// # Errors
    ///
    /// [`PinError::BadLength`] unless there are 4 to 12 octets, [`PinError::NotDigits`] if one of
    /// them is no ASCII digit.
    pub fn parse(ascii: &[u8]) -> Result<Self, PinError> {
        let len_digits = match u8::try_from(ascii.len()) {
            Ok(len) if LEN_DIGITS.contains(&len) => len,
            Ok(_) | Err(_) => return Err(PinError::BadLength),
        };
        let mut packed = 0;
        for octet in ascii {
            if !octet.is_ascii_digit() {
                return Err(PinError::NotDigits);
            }
            packed = packed << 4 | u64::from(octet & 0x0F);
        }
        Ok(Self { packed, len_digits })
    }

    /// Takes digits that already stand one in each nibble, right-aligned, with zeros above them.
    pub(crate) fn from_packed(packed: u64, len_digits: u8) -> Result<Self, PinError> {
        if !LEN_DIGITS.contains(&len_digits) {
            return Err(PinError::BadLength);
        }
        debug_assert!(packed >> (4 * len_digits) == 0, "no digit may stand above the length");
        // A nibble above 9 is one with its 8 and also its 4 or its 2 set.
        if packed & (packed << 1 | packed << 2) & EIGHTS != 0 {
            return Err(PinError::NotDigits);
        }
        Ok(Self { packed, len_digits })
    }

    /// How many digits the PIN has, 4 to 12.
    pub fn len_digits(&self) -> u8 {
        self.len_digits
    }

    /// All digits, one in each nibble, right-aligned.
    pub(crate) fn packed(&self) -> u64 {
        self.packed
    }

    /// The first four digits, one in each nibble, right-aligned.
    pub(crate) fn packed_first_four(&self) -> u64 {
        self.packed >> (4 * u32::from(self.len_digits.saturating_sub(4)))
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.packed.zeroize();
        self.len_digits.zeroize();
    }
}

impl Eq for Pin {}

impl PartialEq for Pin {
    fn eq(&self, other: &Self) -> bool {
        // One comparison at the end, so that its time says nothing about where two PINs part.
        (self.packed ^ other.packed) | u64::from(self.len_digits ^ other.len_digits) == 0
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(..)")
    }
}

/// Why octets are no PIN.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PinError {
    /// Fewer than 4 or more than 12 digits.
    BadLength,
    /// A character that is no decimal digit.
    NotDigits,
}

impl fmt::Display for PinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadLength => "a PIN has 4 to 12 digits",
            Self::NotDigits => "a PIN consists of the digits 0 to 9",
        })
    }
}

impl core::error::Error for PinError {}

/// How many digits a PIN has (ISO 9564-1).
const LEN_DIGITS: RangeInclusive<u8> = 4..=12;

/// The highest bit of each nibble.
const EIGHTS: u64 = 0x8888_8888_8888_8888;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Pin, PinError};

    #[test]
    fn takes_four_to_twelve_digits_and_nothing_else() {
        for len in 0..=20 {
            let digits = &b"98765432109876543210"[..len];
            assert_eq!(Pin::parse(digits).is_ok(), (4..=12).contains(&len), "{len} digits");
        }
        assert_eq!(Pin::parse(&[b'1'; 300]), Err(PinError::BadLength));
        for octet in (0..=255_u8).filter(|octet| !octet.is_ascii_digit()) {
            assert_eq!(Pin::parse(&[b'1', b'2', octet, b'4']), Err(PinError::NotDigits));
        }
    }

    #[test]
    fn refuses_a_nibble_above_nine_at_every_place() {
        for nibble in 0..16 {
            for place in 0..12 {
                let pin = Pin::from_packed(nibble << (4 * place), 12);
                assert_eq!(pin.is_ok(), nibble <= 9, "nibble {nibble:X} at place {place}");
            }
        }
    }

    #[test]
    fn differs_by_a_leading_zero() {
        let (four, five) = (Pin::parse(b"1234").unwrap(), Pin::parse(b"01234").unwrap());
        assert_ne!(four, five);
        assert_eq!(four, Pin::parse(b"1234").unwrap());
        assert_eq!((four.len_digits(), five.len_digits()), (4, 5));
    }

    #[test]
    fn gives_its_first_four_digits_whatever_its_length() {
        assert_eq!(Pin::parse(b"1234").unwrap().packed_first_four(), 0x1234);
        assert_eq!(Pin::parse(b"987654321098").unwrap().packed_first_four(), 0x9876);
    }
}
