//! The digits of a card number, as card cryptography uses them.
//!
//! A derivation takes the digits as they stand: how many there are and whether the first is 0
//! matters, the check digit does not. So this type promises less than a PAN of a message does, and
//! holds test numbers too. `Debug` shows the first six and the last four.
//!
//! ```
//! use cekr_emv::CardNumber;
//!
//! let number = CardNumber::parse(b"4761730000000011").expect("16 digits");
//! assert_eq!(CardNumber::from_number(4761730000000011), Some(number));
//! assert_eq!(format!("{number:?}"), "CardNumber(476173******0011)");
//! assert!(CardNumber::parse(b"47617300000").is_none());
//! ```

use core::fmt;
use core::ops::RangeInclusive;

/// A card number of 12 to 19 digits; its check digit is not judged.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct CardNumber {
    /// One digit in each nibble, right-aligned.
    packed: u128,
    len_digits: u8,
}

impl CardNumber {
    /// Reads 12 to 19 ASCII digits; `None` for anything else.
    pub fn parse(ascii: &[u8]) -> Option<Self> {
        let len_digits = u8::try_from(ascii.len()).ok().filter(|len| LEN_DIGITS.contains(len))?;
        let mut packed = 0;
        for octet in ascii {
            if !octet.is_ascii_digit() {
                return None;
            }
            packed = packed << 4 | u128::from(octet & 0x0F);
        }
        Some(Self { packed, len_digits })
    }

    /// The digits of a number without leading zeros; `None` unless they are 12 to 19.
    pub fn from_number(number: u64) -> Option<Self> {
        let len_digits = u8::try_from(number.checked_ilog10()? + 1).ok()?;
        let mut packed = 0;
        let mut rest = number;
        for place in 0..len_digits {
            packed |= u128::from(rest % 10) << (4 * u32::from(place));
            rest /= 10;
        }
        LEN_DIGITS.contains(&len_digits).then_some(Self { packed, len_digits })
    }

    /// How many digits there are, 12 to 19.
    pub fn len_digits(self) -> u8 {
        self.len_digits
    }

    /// All digits, one in each nibble, right-aligned.
    pub(crate) fn packed(self) -> u128 {
        self.packed
    }

    /// Sixteen digits: the last of a longer number, and zeros before a shorter one.
    pub(crate) fn in_sixteen(self) -> Self {
        Self { packed: self.packed & u128::from(u64::MAX), len_digits: 16 }
    }
}

impl fmt::Debug for CardNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.packed & 0xFFFF;
        let first = self.packed >> (4 * u32::from(self.len_digits.saturating_sub(6)));
        write!(f, "CardNumber({first:06x}")?;
        for _ in 10..self.len_digits {
            f.write_str("*")?;
        }
        write!(f, "{last:04x})")
    }
}

/// How many digits a card number has: ISO/IEC 7812-1 ends at 19, and test numbers begin at 12.
const LEN_DIGITS: RangeInclusive<u8> = 12..=19;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    extern crate std;

    use std::format;

    use super::CardNumber;

    #[test]
    fn keeps_a_leading_zero_that_a_number_cannot() {
        let number = CardNumber::parse(b"0605733491894871").unwrap();
        assert_eq!(number.len_digits(), 16);
        assert_eq!(number.packed(), 0x0605_7334_9189_4871);
        assert_eq!(CardNumber::from_number(605_733_491_894_871).unwrap().len_digits(), 15);
    }

    #[test]
    fn takes_twelve_to_nineteen_digits_and_shows_ten_of_them() {
        for len in 0..=24 {
            let digits = &b"123456789012345678901234"[..len];
            assert_eq!(CardNumber::parse(digits).is_some(), (12..=19).contains(&len), "{len}");
        }
        assert_eq!(CardNumber::parse(b"47617300000000A1"), None);
        let longest = CardNumber::from_number(9_999_999_999_999_999_999).unwrap();
        assert_eq!(format!("{longest:?}"), "CardNumber(999999*********9999)");
        assert_eq!(CardNumber::from_number(0), None);
        assert_eq!(longest.in_sixteen().packed(), 0x9999_9999_9999_9999);
    }
}
