//! PIN blocks: a PIN packed into eight octets, in most formats together with the card's number.
//!
//! The formats of ISO 9564-1: a control nibble with the format's number, the length, the digits and
//! fill. Formats 0 and 3 are exclusive-ored with the twelve digits before the PAN's check digit;
//! format 0 is filled with `F`, format 3 with letters drawn at random, so that one PIN has many
//! blocks. Format 1 knows no card and is filled with anything; format 2 is filled with `F` and goes
//! from a terminal into a chip only. Format 4, sixteen octets under AES, stands in [`format4`].
//!
//! A block is only ever sent enciphered: [`encipher_format0`] and [`decipher_format0`] do both
//! steps and wipe what lies between. The clear forms stand beside them for calculators and tests.
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

pub mod format4;

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

/// Deciphers a block of format 0 or 3 under a zone key and reads its PIN.
///
/// The block itself says which of the two it is; no other format is taken, so that a block cannot
/// be read as something that it was not made as.
///
/// # Errors
///
/// As [`decode_format0`].
pub fn decipher_zone(zpk: &Key<Zpk>, block: [u8; 8], pan: u64) -> Result<Pin, PinBlockError> {
    let mut clear = zpk.cipher().decrypt(block);
    let [control, ..] = clear;
    let pin = match control >> 4 {
        3 => decode_format3(clear, pan),
        _ => decode_format0(clear, pan),
    };
    clear.zeroize();
    pin
}

/// Packs a PIN into a clear format 0 block, which the caller must encipher and wipe.
pub fn encode_format0(pin: &Pin, pan: u64) -> [u8; 8] {
    (field(0, pin, u64::MAX) ^ account_digits(pan)).to_be_bytes()
}

/// Reads the PIN from a clear format 0 block.
///
/// # Errors
///
/// A [`PinBlockError`] that names the first part that is wrong: control nibble, length, digits,
/// fill, in this order.
pub fn decode_format0(block: [u8; 8], pan: u64) -> Result<Pin, PinBlockError> {
    read(u64::from_be_bytes(block) ^ account_digits(pan), 0, Fill::Ones)
}

/// Packs a PIN into a clear format 1 block.
///
/// `fill` is a number that differs in each transaction; its nibbles from the left follow the PIN.
pub fn encode_format1(pin: &Pin, fill: u64) -> [u8; 8] {
    field(1, pin, fill >> (FIELD_BITS + 8 - fill_bits(pin))).to_be_bytes()
}

/// Reads the PIN from a clear format 1 block.
///
/// # Errors
///
/// As [`decode_format0`], but any fill is good.
pub fn decode_format1(block: [u8; 8]) -> Result<Pin, PinBlockError> {
    read(u64::from_be_bytes(block), 1, Fill::Any)
}

/// Packs a PIN into a clear format 2 block, as a chip takes it.
pub fn encode_format2(pin: &Pin) -> [u8; 8] {
    field(2, pin, u64::MAX).to_be_bytes()
}

/// Reads the PIN from a clear format 2 block.
///
/// # Errors
///
/// As [`decode_format0`].
pub fn decode_format2(block: [u8; 8]) -> Result<Pin, PinBlockError> {
    read(u64::from_be_bytes(block), 2, Fill::Ones)
}

/// Packs a PIN into a clear format 3 block, which the caller must encipher and wipe.
///
/// `entropy` fills the block, one letter from `A` to `F` for each of its nibbles.
pub fn encode_format3(pin: &Pin, pan: u64, entropy: u64) -> [u8; 8] {
    let letters =
        (0..16).fold(0, |letters, place| letters << 4 | (10 + (entropy >> (4 * place) & 0x0F) % 6));
    (field(3, pin, letters) ^ account_digits(pan)).to_be_bytes()
}

/// Reads the PIN from a clear format 3 block.
///
/// # Errors
///
/// As [`decode_format0`].
pub fn decode_format3(block: [u8; 8], pan: u64) -> Result<Pin, PinBlockError> {
    read(u64::from_be_bytes(block) ^ account_digits(pan), 3, Fill::Letters)
}

/// How the nibbles behind the PIN must look.
#[derive(Clone, Copy)]
enum Fill {
    /// As they like.
    Any,
    /// Each a letter, A to F.
    Letters,
    /// All F.
    Ones,
}

/// Control, length, digits and the low bits of `fill`.
fn field(control: u64, pin: &Pin, fill: u64) -> u64 {
    let fill_bits = fill_bits(pin);
    let head = control << 4 | u64::from(pin.len_digits());
    head << FIELD_BITS | pin.packed() << fill_bits | fill & ((1 << fill_bits) - 1)
}

fn fill_bits(pin: &Pin) -> u32 {
    FIELD_BITS.saturating_sub(4 * u32::from(pin.len_digits()))
}

fn read(field: u64, control: u64, fill: Fill) -> Result<Pin, PinBlockError> {
    if field >> 60 != control {
        return Err(PinBlockError::BadControl);
    }
    let len_digits = (field >> FIELD_BITS) as u8 & 0x0F;
    let fill_bits =
        FIELD_BITS.checked_sub(4 * u32::from(len_digits)).ok_or(PinBlockError::BadLength)?;
    let digits = (field & ((1 << FIELD_BITS) - 1)) >> fill_bits;
    let pin = Pin::from_packed(digits, len_digits).map_err(|error| match error {
        PinError::BadLength => PinBlockError::BadLength,
        PinError::NotDigits => PinBlockError::NotDigits,
    })?;
    let mask = (1 << fill_bits) - 1;
    let is_filled = match fill {
        Fill::Any => true,
        // A letter has its 8 set, and its 4 or its 2.
        Fill::Letters => field & (field << 1 | field << 2) & mask & EIGHTS == mask & EIGHTS,
        Fill::Ones => field & mask == mask,
    };
    if is_filled { Ok(pin) } else { Err(PinBlockError::BadFill) }
}

/// Why a block holds no PIN for this card.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PinBlockError {
    /// The first nibble is not the format's number.
    BadControl,
    /// A fill nibble is not what the format wants.
    BadFill,
    /// The length is not 4 to 12.
    BadLength,
    /// A nibble of the PIN is not 0 to 9.
    NotDigits,
}

impl fmt::Display for PinBlockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadControl => "PIN block: the control nibble is not the format's",
            Self::BadFill => "PIN block: the fill is not the format's",
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

/// The highest bit of each nibble.
const EIGHTS: u64 = 0x8888_8888_8888_8888;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::{
        PinBlockError, decipher_format0, decode_format0, decode_format1, decode_format2,
        decode_format3, encipher_format0, encode_format0, encode_format1, encode_format2,
        encode_format3,
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

    #[test]
    fn each_format_refuses_the_blocks_of_the_others() {
        let pin = Pin::parse(b"1234").unwrap();
        let blocks = [
            encode_format0(&pin, PAN_OF_ZEROS),
            encode_format1(&pin, 0),
            encode_format2(&pin),
            encode_format3(&pin, PAN_OF_ZEROS, 0),
        ];
        for (format, block) in blocks.into_iter().enumerate() {
            let read = [
                decode_format0(block, PAN_OF_ZEROS),
                decode_format1(block),
                decode_format2(block),
                decode_format3(block, PAN_OF_ZEROS),
            ];
            for (reader, result) in read.into_iter().enumerate() {
                let expected = (reader == format).then_some(&pin);
                assert_eq!(result.as_ref().ok(), expected, "{format} read as {reader}");
            }
        }
    }

    #[test]
    fn format_3_is_filled_with_letters_only() {
        for (block, is_good) in [
            (0x3412_34AB_CDEF_FEDC_u64, true),
            (0x3412_34AB_CDEF_FED9, false),
            (0x3412_348B_CDEF_FEDC, false),
        ] {
            let read = decode_format3(block.to_be_bytes(), PAN_OF_ZEROS);
            assert_eq!(read.is_ok(), is_good, "{block:X}");
        }
    }

    proptest! {
        #[test]
        fn gives_back_what_was_filled_at_random(digits in "[0-9]{4,12}", pan: u64, fill: u64) {
            let pin = Pin::parse(digits.as_bytes()).unwrap();
            prop_assert_eq!(decode_format1(encode_format1(&pin, fill)), Ok(pin.clone()));
            prop_assert_eq!(decode_format3(encode_format3(&pin, pan, fill), pan), Ok(pin));
        }

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

    #[test]
    fn a_zone_takes_formats_0_and_3_and_no_other() {
        use crate::keys::{Key, Zpk};
        let (zpk, pan) = (Key::<Zpk>::development(), 4_761_730_000_000_011);
        let pin = super::Pin::parse(b"12345").expect("five digits");
        let clear = [
            (super::encode_format0(&pin, pan), true),
            (super::encode_format1(&pin, 7), false),
            (super::encode_format2(&pin), false),
            (super::encode_format3(&pin, pan, 0x0123_4567_89AB_CDEF), true),
        ];
        for (block, is_taken) in clear {
            let read = super::decipher_zone(&zpk, zpk.encipher_block(block), pan);
            assert_eq!(read.ok(), is_taken.then(|| pin.clone()));
        }
    }
}
