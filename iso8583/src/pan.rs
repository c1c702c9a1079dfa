//! The primary account number: the one value that must not leak.

use core::fmt;

use crate::digits;

/// Primary account number (DE 2, and the front of track 2): 13 to 19 digits, no leading zero, with
/// a valid Luhn check digit (ISO/IEC 7812-1 annex B).
///
/// Packed into a `u64`, which 19 digits fit. `Debug` and [`Pan::masked`] show the first six and
/// last four digits; the full number leaves only through [`Pan::expose`], so that a reviewer can
/// search for it.
///
/// ```
/// use cekr_iso8583::Pan;
/// let pan = Pan::parse(b"4761730000000011")?;
/// assert_eq!(pan.masked().to_string(), "476173******0011");
/// assert_eq!(pan.bin(6), 476173);
/// # Ok::<(), cekr_iso8583::PanError>(())
/// ```
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Pan(u64);

/// Why digits are no card number.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum PanError {
    /// Fewer than 13 or more than 19 digits, or something else than digits.
    BadLength,
    /// The first digit is 0.
    LeadingZero,
    /// The check digit is wrong.
    Luhn,
}

impl Pan {
    /// The card number that ASCII digits write.
    ///
    /// # Errors
    /// [`PanError`], the first that applies in its order.
    #[inline]
    pub fn parse(ascii: &[u8]) -> Result<Pan, PanError> {
        if !digits::all_digits(ascii) {
            return Err(PanError::BadLength);
        }
        Pan::of_digits(ascii)
    }

    /// The card number of octets that are known to be ASCII digits.
    #[inline]
    pub(crate) fn of_digits(ascii: &[u8]) -> Result<Pan, PanError> {
        // Nearly all have sixteen: then every length is known when it is compiled.
        if let Some(sixteen) = ascii.as_array::<16>() {
            return Pan::checked(sixteen, digits::of_array(sixteen));
        }
        if !(13..=19).contains(&ascii.len()) {
            return Err(PanError::BadLength);
        }
        Pan::checked(ascii, digits::number(ascii).ok_or(PanError::BadLength)?)
    }

    /// The number that these digits write, if it is a card's.
    #[inline(always)]
    fn checked(ascii: &[u8], number: u64) -> Result<Pan, PanError> {
        if ascii.first() == Some(&b'0') {
            return Err(PanError::LeadingZero);
        }
        let sum = digits::luhn_sum(ascii).ok_or(PanError::BadLength)?;
        if sum.is_multiple_of(10) { Ok(Pan(number)) } else { Err(PanError::Luhn) }
    }

    /// The card number of this numeric value.
    ///
    /// # Errors
    /// [`PanError`]; a leading zero cannot be told from a short number and is a bad length.
    pub fn from_number(number: u64) -> Result<Pan, PanError> {
        let len = digits::count(number);
        let mut ascii = [0; 20];
        let ascii = ascii.get_mut(..len).ok_or(PanError::BadLength)?;
        digits::write_number(number, ascii);
        Pan::parse(ascii)
    }

    /// The full number. For the card table, ciphers and messages; never for people or logs.
    #[must_use]
    pub const fn expose(self) -> u64 {
        self.0
    }

    /// Number of digits, 13 to 19.
    #[must_use]
    pub const fn len_digits(self) -> usize {
        digits::count(self.0)
    }

    /// The first `digits` digits, at most all, as a number.
    #[must_use]
    pub fn bin(self, digits: usize) -> u64 {
        self.0 / digits::power_of_ten(self.len_digits().saturating_sub(digits))
    }

    /// The last four digits as a number.
    #[must_use]
    pub const fn last_four(self) -> u16 {
        (self.0 % 10_000) as u16
    }

    /// First six and last four digits, stars between.
    #[must_use]
    pub fn masked(self) -> MaskedPan {
        let len = self.len_digits();
        // Below a million: six digits. The digits between are not kept.
        MaskedPan { first_six: self.bin(6) as u32, last_four: self.last_four(), len }
    }
}

impl fmt::Debug for Pan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.masked(), f)
    }
}

/// How people see a card number.
#[derive(Clone, Copy)]
pub struct MaskedPan {
    first_six: u32,
    last_four: u16,
    len: usize,
}

impl fmt::Display for MaskedPan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.first_six)?;
        for _ in 10..self.len {
            f.write_str("*")?;
        }
        write!(f, "{:04}", self.last_four)
    }
}

impl fmt::Debug for MaskedPan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for PanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PanError::BadLength => "a card number has 13 to 19 digits",
            PanError::LeadingZero => "a card number does not begin with 0",
            PanError::Luhn => "the check digit is wrong",
        })
    }
}

impl core::error::Error for PanError {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::format;

    use super::*;

    #[test]
    fn each_way_not_to_be_a_card_number_is_told_apart() {
        assert_eq!(Pan::parse(b"4761730000000012"), Err(PanError::Luhn));
        assert_eq!(Pan::parse(b"0761730000000011"), Err(PanError::LeadingZero));
        assert_eq!(Pan::parse(b"476173000000"), Err(PanError::BadLength));
        assert_eq!(Pan::parse(b"47617300000000110000"), Err(PanError::BadLength));
        assert_eq!(Pan::parse(b"476173000000001x"), Err(PanError::BadLength));
        assert_eq!(Pan::from_number(u64::MAX), Err(PanError::BadLength));
    }

    #[test]
    fn all_lengths_are_kept_and_masked() {
        for (text, masked) in [
            ("4222222222222", "422222***2222"),
            ("30569309025904", "305693****5904"),
            ("4761730000000011", "476173******0011"),
            ("6304000000000000000", "630400*********0000"),
        ] {
            let pan = Pan::parse(text.as_bytes()).unwrap();
            assert_eq!(Pan::from_number(pan.expose()), Ok(pan));
            assert_eq!(pan.len_digits(), text.len());
            assert_eq!(format!("{pan:?}"), masked);
            assert_eq!(format!("{}", pan.masked()), masked);
        }
    }
}
