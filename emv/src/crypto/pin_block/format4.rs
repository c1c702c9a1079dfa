//! Format 4: a PIN in sixteen octets, bound to the card's number inside the cipher.
//!
//! The PIN field (control 4, length, digits, fill `A`, eight octets drawn at random) is enciphered,
//! mixed with the PAN field (length less 12, digits, zeros) and enciphered again, so that no block
//! can be moved to another card. The PAN is not needed to see that a block is well-formed, but a
//! wrong one deciphers to noise.
//!
//! Source: ISO 9564-1:2017, section 9.4.2.3.
//!
//! ```
//! use cekr_emv::crypto::pin_block::format4;
//! use cekr_emv::keys::{AesKey, Zpk};
//! use cekr_emv::{CardNumber, Pin};
//!
//! let zpk = AesKey::<Zpk>::from_octets(&[0x2A; 16]).expect("16 octets");
//! let card = CardNumber::parse(b"4761730000000011").expect("16 digits");
//! let sent = format4::encipher(&zpk, &Pin::parse(b"1234")?, card, *b"entropy!");
//! assert_eq!(format4::decipher(&zpk, sent, card).ok(), Some(Pin::parse(b"1234")?));
//! # Ok::<(), cekr_emv::pin::PinError>(())
//! ```

use zeroize::Zeroize;

use crate::CardNumber;
use crate::crypto::modes::xor;
use crate::crypto::pin_block::PinBlockError;
use crate::keys::{AesKey, Zpk};
use crate::pin::{Pin, PinError};

/// Packs a PIN into a format 4 block and enciphers it under a zone key.
///
/// `entropy` is drawn anew for each block.
pub fn encipher(zpk: &AesKey<Zpk>, pin: &Pin, card: CardNumber, entropy: [u8; 8]) -> [u8; 16] {
    let mut field = pin_field(pin, entropy);
    let sealed = encipher_fields(zpk, field, card_field(card));
    field.zeroize();
    sealed
}

/// Enciphers a PIN field and a PAN field that stand ready, as test cases have them.
pub fn encipher_fields(zpk: &AesKey<Zpk>, pin_field: [u8; 16], pan_field: [u8; 16]) -> [u8; 16] {
    zpk.cipher().encrypt(xor(zpk.cipher().encrypt(pin_field), pan_field))
}

/// Deciphers a format 4 block and reads its PIN.
///
/// # Errors
///
/// A [`PinBlockError`] that names the first part that is wrong: control nibble, length, digits,
/// fill, in this order.
pub fn decipher(
    zpk: &AesKey<Zpk>,
    block: [u8; 16],
    card: CardNumber,
) -> Result<Pin, PinBlockError> {
    let mut field = zpk.cipher().decrypt(xor(zpk.cipher().decrypt(block), card_field(card)));
    let [a, b, c, d, e, f, g, h, ..] = field;
    let pin = read(u64::from_be_bytes([a, b, c, d, e, f, g, h]));
    field.zeroize();
    pin
}

/// The half of the PIN field that is no entropy.
fn read(half: u64) -> Result<Pin, PinBlockError> {
    if half >> 60 != 4 {
        return Err(PinBlockError::BadControl);
    }
    let len_digits = (half >> DIGIT_BITS) as u8 & 0x0F;
    let fill_bits =
        DIGIT_BITS.checked_sub(4 * u32::from(len_digits)).ok_or(PinBlockError::BadLength)?;
    let digits = (half & ((1 << DIGIT_BITS) - 1)) >> fill_bits;
    let pin = Pin::from_packed(digits, len_digits).map_err(|error| match error {
        PinError::BadLength => PinBlockError::BadLength,
        PinError::NotDigits => PinBlockError::NotDigits,
    })?;
    let mask = (1 << fill_bits) - 1;
    if half & mask != FILL & mask {
        return Err(PinBlockError::BadFill);
    }
    Ok(pin)
}

fn pin_field(pin: &Pin, entropy: [u8; 8]) -> [u8; 16] {
    let fill_bits = DIGIT_BITS.saturating_sub(4 * u32::from(pin.len_digits()));
    let head = 0x40 | u64::from(pin.len_digits());
    let half = head << DIGIT_BITS | pin.packed() << fill_bits | FILL & ((1 << fill_bits) - 1);
    (u128::from(half) << 64 | u128::from(u64::from_be_bytes(entropy))).to_be_bytes()
}

/// The PAN field: how many digits there are beyond twelve, the digits, zeros.
fn card_field(card: CardNumber) -> [u8; 16] {
    let len_digits = u32::from(card.len_digits());
    let beyond = u128::from(card.len_digits().saturating_sub(12));
    (beyond << 124 | card.packed() << (124 - 4 * len_digits)).to_be_bytes()
}

/// The bits after control and length nibble in the first half of the field.
const DIGIT_BITS: u32 = 56;

const FILL: u64 = 0xAAAA_AAAA_AAAA_AAAA;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::{card_field, decipher, encipher, pin_field, read};
    use crate::CardNumber;
    use crate::crypto::pin_block::PinBlockError;
    use crate::keys::{AesKey, Zpk};
    use crate::pin::Pin;

    #[test]
    fn lays_out_both_fields() {
        let pin = Pin::parse(b"1234").unwrap();
        let field = 0x4412_34AA_AAAA_AAAA_2F69_ADDE_2E9E_7ACE_u128.to_be_bytes();
        assert_eq!(pin_field(&pin, 0x2F69_ADDE_2E9E_7ACE_u64.to_be_bytes()), field);
        let card = CardNumber::parse(b"4111111111111111").unwrap();
        let field = 0x4411_1111_1111_1111_1000_0000_0000_0000_u128.to_be_bytes();
        assert_eq!(card_field(card), field);
    }

    #[test]
    fn names_the_part_that_is_wrong() {
        for (half, error) in [
            (0x0412_34AA_AAAA_AAAA_u64, PinBlockError::BadControl),
            (0x4312_3AAA_AAAA_AAAA, PinBlockError::BadLength),
            (0x4F12_3412_3412_3412, PinBlockError::BadLength),
            (0x4412_3AAA_AAAA_AAAA, PinBlockError::NotDigits),
            (0x4412_34AA_AAAA_AAAB, PinBlockError::BadFill),
        ] {
            assert_eq!(read(half), Err(error), "{half:X}");
        }
    }

    proptest! {
        #[test]
        fn gives_back_what_was_packed_and_to_no_other_card(
            digits in "[0-9]{4,12}", card in "[0-9]{12,19}", entropy: [u8; 8], key: [u8; 32]
        ) {
            let zpk = AesKey::<Zpk>::from_octets(&key).unwrap();
            let pin = Pin::parse(digits.as_bytes()).unwrap();
            let number = CardNumber::parse(card.as_bytes()).unwrap();
            let sent = encipher(&zpk, &pin, number, entropy);
            prop_assert_eq!(decipher(&zpk, sent, number), Ok(pin.clone()));
            let other = CardNumber::parse(b"4761730000000011").unwrap();
            prop_assert_ne!(decipher(&zpk, sent, other).ok(), Some(pin));
        }
    }
}
