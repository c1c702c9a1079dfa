//! IBM 3624: a PIN computed from the card's data, and the offset from it to the holder's own.
//!
//! The natural PIN is the card's validation data enciphered, each nibble read as a digit by a
//! table. The offset is the difference digit by digit, without carry; it is kept beside the card's
//! data in place of a PIN verification value.
//!
//! Source: the IBM 3624 method, as the cases of `tests/vectors/emv/card_crypto.json` fix it.

use crate::keys::{Key, Pvk};
use crate::pin::Pin;

/// Which digit stands for each of the sixteen nibbles.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DecimalTable([u8; 16]);

impl DecimalTable {
    /// Letters read as themselves less ten, which most issuers use.
    pub const USUAL: Self = Self([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5]);

    /// Reads sixteen ASCII digits.
    pub fn parse(ascii: &[u8]) -> Option<Self> {
        let ascii: [u8; 16] = ascii.try_into().ok()?;
        ascii.iter().all(u8::is_ascii_digit).then(|| Self(ascii.map(|octet| octet & 0x0F)))
    }
}

/// The offset of a PIN: as many digits as the PIN has, one in each nibble, right-aligned.
///
/// `validation` is what stands for the card, sixteen nibbles: digits of its number, filled up with
/// an agreed nibble.
pub fn offset(pvk: &Key<Pvk>, table: &DecimalTable, validation: [u8; 8], pin: &Pin) -> u64 {
    let natural = natural(pvk, table, validation);
    let len_digits = u32::from(pin.len_digits());
    (0..len_digits).rev().fold(0, |offset, place| {
        let digit = pin.packed() >> (4 * place) & 0x0F;
        // The natural PIN's digits count from its left.
        let from = natural >> (4 * (16 - len_digits + place)) & 0x0F;
        (offset << 4) | ((10 + digit - from) % 10)
    })
}

/// The sixteen digits of which the natural PIN is the beginning.
fn natural(pvk: &Key<Pvk>, table: &DecimalTable, validation: [u8; 8]) -> u64 {
    let sealed = u64::from_be_bytes(pvk.cipher().encrypt(validation));
    let DecimalTable(table) = table;
    (0..16).rev().fold(0, |digits, place| {
        let nibble = (sealed >> (4 * place) & 0x0F) as usize;
        digits << 4 | u64::from(table.get(nibble).copied().unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{DecimalTable, natural, offset};
    use crate::keys::{Key, Pvk};
    use crate::pin::Pin;

    #[test]
    fn the_natural_pin_has_an_offset_of_zeros() {
        let pvk = Key::<Pvk>::development();
        let digits = natural(&pvk, &DecimalTable::USUAL, [0x47; 8]);
        for len in 4..=12_u8 {
            let pin = Pin::from_packed(digits >> (4 * (16 - u32::from(len))), len).unwrap();
            assert_eq!(offset(&pvk, &DecimalTable::USUAL, [0x47; 8], &pin), 0, "{len} digits");
        }
    }

    #[test]
    fn a_table_has_sixteen_digits() {
        assert_eq!(DecimalTable::parse(b"0123456789012345"), Some(DecimalTable::USUAL));
        assert_eq!(DecimalTable::parse(b"012345678901234"), None);
        assert_eq!(DecimalTable::parse(b"012345678901234A"), None);
    }
}
