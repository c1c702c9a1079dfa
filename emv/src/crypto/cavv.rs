//! The cardholder authentication value (CAVV): what an access control server gives a shop, and the
//! shop sends with the purchase.
//!
//! Usage 3, version 0: twenty octets, of which three digits are a [`cvv`] over the card, the
//! authentication's number and its outcome. A thousand values can be guessed, so the value alone
//! proves nothing: the issuer looks for its own record of the authentication besides.
//!
//! Source: Visa's layout as the cases of `tests/vectors/domain/cavv.json` fix it.
//!
//! ```text
//! outcome | second factor | key | 0 value | last 4 of number | number (8) | 00 | 00000000
//! ```

use crate::CardNumber;
use crate::crypto::cvv::{self, Expiry, ServiceCode};
use crate::keys::{Cvk, Key};

/// What an authentication was: the parts that its value is made of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Authentication {
    /// The authentication's number (ATN), sixteen packed digits.
    pub number: [u8; 8],
    /// Outcome, 0 to 9: 0 authenticated, 7 attempted, 5 and 9 not.
    pub outcome: u8,
    /// Second factor, 0 to 99: 7 is a fingerprint or face in the app.
    pub second_factor: u8,
    /// Which pair of keys made the value, 0 to 99.
    pub key_id: u8,
}

/// The CAVV of an authentication; `None` unless its parts are within their bounds.
///
/// Of a card number longer than sixteen digits the last sixteen count; a shorter one gets zeros
/// before it.
pub fn cavv(cvk: &Key<Cvk>, card: CardNumber, what: Authentication) -> Option<[u8; 20]> {
    let is_digits = what.number.iter().all(|octet| octet >> 4 <= 9 && octet & 0x0F <= 9);
    if what.outcome > 9 || !is_digits {
        return None;
    }
    let (factor, key_id) = (packed_pair(what.second_factor)?, packed_pair(what.key_id)?);
    let [.., third, last] = what.number;
    let expiry = Expiry::from_packed(u16::from_be_bytes([third, last]));
    let service = ServiceCode::from_packed(u16::from(what.outcome) << 8 | u16::from(factor));
    let value = cvv::cvv(cvk, card.in_sixteen(), expiry, service).number();
    let [a, b, c, d, e, f, g, h] = what.number;
    Some([
        what.outcome,
        factor,
        key_id,
        (value / 100) as u8,
        packed_pair((value % 100) as u8)?,
        third,
        last,
        a,
        b,
        c,
        d,
        e,
        f,
        g,
        h,
        0,
        0,
        0,
        0,
        0,
    ])
}

/// Two digits in one octet; `None` above 99.
fn packed_pair(number: u8) -> Option<u8> {
    (number <= 99).then_some(((number / 10) << 4) | (number % 10))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Authentication, cavv};
    use crate::CardNumber;
    use crate::keys::{Cvk, Key};

    #[test]
    fn refuses_parts_out_of_bounds() {
        let cvk = Key::<Cvk>::from_octets(&[0x3D; 16]).unwrap();
        let card = CardNumber::parse(b"4123456789012345").unwrap();
        let good = Authentication { number: [0x12; 8], outcome: 0, second_factor: 7, key_id: 1 };
        assert!(cavv(&cvk, card, good).is_some());
        assert_eq!(cavv(&cvk, card, Authentication { outcome: 10, ..good }), None);
        assert_eq!(cavv(&cvk, card, Authentication { second_factor: 100, ..good }), None);
        assert_eq!(cavv(&cvk, card, Authentication { key_id: 100, ..good }), None);
        assert_eq!(cavv(&cvk, card, Authentication { number: [0x1A; 8], ..good }), None);
    }
}
