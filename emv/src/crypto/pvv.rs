//! Visa's PIN verification value: four digits that prove a PIN without keeping it.
//!
//! Eleven digits of the PAN, one digit that names the key, and the first four digits of the PIN
//! are packed into one block and enciphered; the value is the first four decimal digits of the
//! result, and where there are too few, its letters read as digits. Ten thousand values stand for
//! all PINs, so a wrong PIN passes once in ten thousand: count tries elsewhere.
//!
//! Source: the Visa PVV method, as the published cases of `tests/vectors/emv/card_crypto.json`
//! fix it.
//!
//! ```
//! use cekr_emv::crypto::pvv::{self, Pvv};
//! use cekr_emv::keys::{Key, Pvk};
//! use cekr_emv::pin::Pin;
//!
//! let pvk = Key::<Pvk>::development();
//! let value = pvv::pvv(&pvk, 1, 4761730000000011, &Pin::parse(b"1234")?);
//! assert_eq!(Pvv::new(value.number()), Some(value));
//! # Ok::<(), cekr_emv::pin::PinError>(())
//! ```

use core::fmt;

use crate::crypto::{decimal, packed_digits};
use crate::keys::{Key, Pvk};
use crate::pin::Pin;

/// A PIN verification value, four decimal digits.
///
/// It is no PIN, but whoever holds it and the key can find one: `Debug` does not show it.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Pvv(u16);

impl Pvv {
    /// A stored value, 0 to 9999; `None` above.
    pub fn new(number: u16) -> Option<Self> {
        (number <= 9999).then_some(Self(number))
    }

    /// The value as a number, 0 to 9999.
    pub fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Debug for Pvv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pvv(..)")
    }
}

/// The verification value of a PIN.
///
/// `pvki` is the key index, one digit 0 to 9, as it stands on the card beside the value. `pan` is
/// the whole PAN with its check digit, 12 to 19 digits; the eleven before the check digit count.
/// Only the first four digits of a longer PIN count.
pub fn pvv(pvk: &Key<Pvk>, pvki: u8, pan: u64, pin: &Pin) -> Pvv {
    debug_assert!(pvki <= 9, "a key index is one digit");
    let account = packed_digits(pan / 10, 11);
    let block = account << 20 | u64::from(pvki & 0x0F) << 16 | pin.packed_first_four();
    let digits = decimal::decimalized(&pvk.cipher().encrypt(block.to_be_bytes()), 4);
    Pvv(decimal::number(digits, 4) as u16)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Pvv, pvv};
    use crate::keys::{Key, Pvk};
    use crate::pin::Pin;

    const PAN: u64 = 4_761_730_000_000_011;

    #[test]
    fn depends_on_pan_index_and_first_four_digits_only() {
        let pvk = Key::<Pvk>::development();
        let pin = Pin::parse(b"1234").unwrap();
        let value = pvv(&pvk, 1, PAN, &pin);
        assert_ne!(pvv(&pvk, 2, PAN, &pin), value);
        assert_ne!(pvv(&pvk, 1, PAN + 10, &pin), value);
        assert_ne!(pvv(&pvk, 1, PAN, &Pin::parse(b"1235").unwrap()), value);
        assert_eq!(pvv(&pvk, 1, PAN + 1, &pin), value, "the check digit is left out");
        assert_eq!(pvv(&pvk, 1, PAN, &Pin::parse(b"123499").unwrap()), value);
    }

    #[test]
    fn is_stored_as_four_digits_only() {
        assert_eq!(Pvv::new(9999).map(Pvv::number), Some(9999));
        assert_eq!(Pvv::new(10_000), None);
    }
}
