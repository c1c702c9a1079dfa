//! PIN blocks: a PIN packed with the card's number into eight octets.
//!
//! Format 0 of ISO 9564-1: a control nibble 0, the length, the digits and fill `F`, exclusive-ored
//! with the twelve digits before the PAN's check digit. A block is only ever sent enciphered:
//! [`encipher_format0`] and [`decipher_format0`] do both steps and wipe what lies between. The
//! clear forms stand beside them for calculators and tests.
//!
//! Reading is strict, because what deciphers to a well-formed block for this PAN was made under
//! this key: any other result means a wrong key, a wrong PAN or tampering. Tell the peer only that
//! the block is bad; the [`PinBlockError`] is for logs and counters.
//!
//! ```
//! use cekr_emv::crypto::pin_block::{self, PinBlockError};
//! use cekr_emv::pin::Pin;
//!
//! let block = pin_block::encode_format0(&Pin::parse(b"1234")?, 4761730000000011);
//! assert_eq!(block, [0x04, 0x12, 0x23, 0xCF, 0xFF, 0xFF, 0xFF, 0xFE]);
//! assert_eq!(pin_block::decode_format0(block, 4761730000000011), Ok(Pin::parse(b"1234")?));
//! assert_eq!(pin_block::decode_format0(block, 4761730000000029), Err(PinBlockError::BadFill));
//! # Ok::<(), cekr_emv::pin::PinError>(())
//! ```

use core::fmt;

use zeroize::Zeroize;

use crate::crypto::packed_digits;
use crate::keys::{Key, Zpk};
use crate::pin::{Pin, PinError};

/// Packs a PIN into a format 0 block and enciphers it under a zone key.
///
/// `pan` is the whole PAN with its check digit.
pub fn encipher_format0(zpk: &Key<Zpk>, pin: &Pin, pan: u64) -> [u8; 8] {
    let mut clear = encode_format0(pin, pan);
    let enciphered = zpk.cipher().encrypt(clear);
    clear.zeroize();
    enciphered
}

/// Deciphers a format 0 block under a zone key and reads its PIN.
///
/// # Errors
///
/// As [`decode_format0`].
pub fn decipher_format0(zpk: &Key<Zpk>, block: [u8; 8], pan: u64) -> Result<Pin, PinBlockError> {
    let mut clear = zpk.cipher().decrypt(block);
    let pin = decode_format0(clear, pan);
    clear.zeroize();
    pin
}

/// Packs a PIN into a clear format 0 block, which the caller must encipher and wipe.
pub fn encode_format0(pin: &Pin, pan: u64) -> [u8; 8] {
    let len_digits = u64::from(pin.len_digits());
    let fill_bits = FIELD_BITS.saturating_sub(4 * u32::from(pin.len_digits()));
    let fill = (1 << fill_bits) - 1;
    let field = len_digits << FIELD_BITS | pin.packed() << fill_bits | fill;
    (field ^ account_digits(pan)).to_be_bytes()
}

/// Reads the PIN from a clear format 0 block.
///
/// # Errors
///
/// A [`PinBlockError`] that names the first part that is wrong: control nibble, length, digits,
/// fill, in this order.
pub fn decode_format0(block: [u8; 8], pan: u64) -> Result<Pin, PinBlockError> {
    let field = u64::from_be_bytes(block) ^ account_digits(pan);
    if field >> 60 != 0 {
        return Err(PinBlockError::BadControl);
    }
    let len_digits = (field >> FIELD_BITS) as u8;
    let fill_bits =
        FIELD_BITS.checked_sub(4 * u32::from(len_digits)).ok_or(PinBlockError::BadLength)?;
    let digits = (field & ((1 << FIELD_BITS) - 1)) >> fill_bits;
    let pin = Pin::from_packed(digits, len_digits).map_err(|error| match error {
        PinError::BadLength => PinBlockError::BadLength,
        PinError::NotDigits => PinBlockError::NotDigits,
    })?;
    let fill = (1 << fill_bits) - 1;
    if field & fill != fill {
        return Err(PinBlockError::BadFill);
    }
    Ok(pin)
}

/// Why a block holds no PIN for this card.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PinBlockError {
    /// The first nibble is not the format's number.
    BadControl,
    /// A fill nibble is not `F`.
    BadFill,
    /// The length is not 4 to 12.
    BadLength,
    /// A nibble of the PIN is not 0 to 9.
    NotDigits,
}

impl fmt::Display for PinBlockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadControl => "PIN block: the control nibble is not 0",
            Self::BadFill => "PIN block: the fill is not F",
            Self::BadLength => "PIN block: the length is not 4 to 12",
            Self::NotDigits => "PIN block: the PIN is not decimal",
        })
    }
}

impl core::error::Error for PinBlockError {}

/// The twelve digits before the PAN's check digit, below four zero nibbles.
fn account_digits(pan: u64) -> u64 {
    packed_digits(pan / 10, 12)
}

/// The bits after control and length nibble: fourteen nibbles of digits and fill.
const FIELD_BITS: u32 = 56;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::{
        PinBlockError, decipher_format0, decode_format0, encipher_format0, encode_format0,
    };
    use crate::keys::{Key, Zpk};
    use crate::pin::Pin;

    /// The digits before the check digit are zeros, so that a block shows its field as it is.
    const PAN_OF_ZEROS: u64 = 4_761_000_000_000_000_003;

    #[test]
    fn lays_out_control_length_digits_and_fill() {
        let pin = Pin::parse(b"123456789012").unwrap();
        assert_eq!(encode_format0(&pin, PAN_OF_ZEROS), 0x0C12_3456_7890_12FF_u64.to_be_bytes());
    }

    #[test]
    fn names_the_part_that_is_wrong() {
        for (block, error) in [
            (0x1412_34FF_FFFF_FFFF_u64, PinBlockError::BadControl),
            (0x0312_3FFF_FFFF_FFFF, PinBlockError::BadLength),
            (0x0D12_3456_7890_123F, PinBlockError::BadLength),
            (0x0F12_3456_7890_1234, PinBlockError::BadLength),
            (0x0412_3AFF_FFFF_FFFF, PinBlockError::NotDigits),
            (0x0412_34FF_FFFF_FFF0, PinBlockError::BadFill),
            (0x0412_34EF_FFFF_FFFF, PinBlockError::BadFill),
        ] {
            assert_eq!(decode_format0(block.to_be_bytes(), PAN_OF_ZEROS), Err(error), "{block:X}");
        }
    }

    proptest! {
        #[test]
        fn gives_back_what_was_packed(
            digits in "[0-9]{4,12}", pan in 1_000_000_000_000_u64..=9_999_999_999_999_999_999
        ) {
            let pin = Pin::parse(digits.as_bytes()).unwrap();
            prop_assert_eq!(decode_format0(encode_format0(&pin, pan), pan), Ok(pin.clone()));
            let zpk = Key::<Zpk>::development();
            let sent = encipher_format0(&zpk, &pin, pan);
            prop_assert_eq!(decipher_format0(&zpk, sent, pan), Ok(pin));
        }

        #[test]
        fn reads_only_what_it_would_write(
            mut block: [u8; 8], control_and_len in 0..=0x0C_u8, pan: u64
        ) {
            block[0] = control_and_len;
            if let Ok(pin) = decode_format0(block, pan) {
                prop_assert_eq!(encode_format0(&pin, pan), block);
            }
        }
    }
}
