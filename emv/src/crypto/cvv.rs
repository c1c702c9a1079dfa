//! Card verification values: three digits that prove a card's data without its key.
//!
//! The same computation makes the value of the stripe (CVV), of the chip's copy of the stripe
//! (iCVV, service code 999) and of the back of the card (CVV2, service code 000 and the expiry
//! turned round), and is the core of the CAVV ([`super::cavv`]). A thousand values guard nothing by
//! themselves: count failures elsewhere.
//!
//! Source: the Visa CVV method, as the published cases of `tests/vectors/emv/card_crypto.json` fix
//! it.
//!
//! ```
//! use cekr_emv::crypto::cvv::{self, Expiry, ServiceCode};
//! use cekr_emv::keys::{Cvk, Key};
//! use cekr_emv::CardNumber;
//!
//! let cvk = Key::<Cvk>::from_octets(&0x99999999999999998888888888888888_u128.to_be_bytes())?;
//! let card = CardNumber::parse(b"2222222222222222").expect("16 digits");
//! let (expiry, service) = (Expiry::parse(b"3333"), ServiceCode::parse(b"111"));
//! let value = cvv::cvv(&cvk, card, expiry.expect("4 digits"), service.expect("3 digits"));
//! assert_eq!(value.number(), 361);
//! # Ok::<(), cekr_emv::keys::KeyError>(())
//! ```

use core::fmt;

use crate::CardNumber;
use crate::crypto::decimal;
use crate::crypto::modes::xor;
use crate::keys::{Cvk, Key};

/// Four digits of expiry in the order that the value wants: year and month for CVV and iCVV, month
/// and year for CVV2.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Expiry(u16);

impl Expiry {
    /// Reads four ASCII digits; which two are the month is the caller's business.
    pub fn parse(ascii: &[u8]) -> Option<Self> {
        Some(Self(packed::<4>(ascii)?))
    }

    /// Four packed digits, of which each is at most 9.
    pub(crate) fn from_packed(digits: u16) -> Self {
        Self(digits)
    }
}

/// Three digits that say where and how a card may be used (the end of track 2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ServiceCode(u16);

impl ServiceCode {
    /// Stands in CVV2 where the card's own code would.
    pub const CVV2: Self = Self(0x000);
    /// Stands in iCVV where the card's own code would.
    pub const ICVV: Self = Self(0x999);

    /// Reads three ASCII digits.
    pub fn parse(ascii: &[u8]) -> Option<Self> {
        Some(Self(packed::<3>(ascii)?))
    }

    /// Three packed digits, of which each is at most 9.
    pub(crate) fn from_packed(digits: u16) -> Self {
        Self(digits)
    }
}

/// A card verification value, three digits. `Debug` does not show it.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Cvv(u16);

impl Cvv {
    /// A value as a message carries it, 0 to 999; `None` above.
    pub fn new(number: u16) -> Option<Self> {
        (number <= 999).then_some(Self(number))
    }

    /// The value as a number, 0 to 999.
    pub fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Debug for Cvv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cvv(..)")
    }
}

/// The value of a card's number, expiry and service code.
pub fn cvv(cvk: &Key<Cvk>, card: CardNumber, expiry: Expiry, service: ServiceCode) -> Cvv {
    let digits = card.packed() << 28 | u128::from(expiry.0) << 12 | u128::from(service.0);
    // From the left, zeros behind: up to 26 digits in the 32 of two blocks.
    let blocks = digits << (4 * (32 - 7 - u32::from(card.len_digits())));
    let (first, second) = ((blocks >> 64) as u64, blocks as u64);
    let chain = cvk.cipher().encrypt_with_first_part(first.to_be_bytes());
    let sealed = cvk.cipher().encrypt(xor(chain, second.to_be_bytes()));
    Cvv(decimal::number(decimal::decimalized(&sealed, 3), 3) as u16)
}

/// `N` ASCII digits, one in each nibble.
fn packed<const N: usize>(ascii: &[u8]) -> Option<u16> {
    let ascii: [u8; N] = ascii.try_into().ok()?;
    let is_digits = ascii.iter().all(u8::is_ascii_digit);
    is_digits.then(|| ascii.iter().fold(0, |digits, octet| digits << 4 | u16::from(octet & 0x0F)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Cvv, Expiry, ServiceCode, cvv};
    use crate::CardNumber;
    use crate::keys::{Cvk, Key};

    #[test]
    fn every_part_of_a_card_counts() {
        let cvk = Key::<Cvk>::from_octets(b"0123456789ABCDEF").unwrap();
        let value = |digits: &[u8], expiry: &[u8], service| {
            let expiry = Expiry::parse(expiry).unwrap();
            cvv(&cvk, CardNumber::parse(digits).unwrap(), expiry, service).number()
        };
        let base = value(b"4761730000000011", b"3012", ServiceCode::CVV2);
        let others = [
            value(b"4761730000000012", b"3012", ServiceCode::CVV2),
            value(b"4761730000000011", b"1230", ServiceCode::CVV2),
            value(b"4761730000000011", b"3012", ServiceCode::ICVV),
            value(b"4761730000000011000", b"3012", ServiceCode::CVV2),
        ];
        assert!(others.iter().all(|other| *other != base), "{base} {others:?}");
    }

    #[test]
    fn takes_digits_of_the_right_number_only() {
        for wrong in [&b""[..], b"301", b"30122", b"30A2"] {
            assert_eq!(Expiry::parse(wrong), None);
        }
        assert_eq!(ServiceCode::parse(b"999"), Some(ServiceCode::ICVV));
        assert_eq!(ServiceCode::parse(b"99"), None);
        assert_eq!(Cvv::new(1000), None);
        assert_eq!(Cvv::new(999).map(Cvv::number), Some(999));
    }
}
