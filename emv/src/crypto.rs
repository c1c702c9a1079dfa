//! The algorithms, each a pure function of keys and octets.
//!
//! Nothing here allocates or fails for want of memory, and nothing keeps state between calls.
//! Where keys come from and what may be done with them is decided in [`crate::keys`].
//!
//! ```
//! use cekr_emv::crypto::des::TripleDes;
//!
//! let cipher = TripleDes::new(b"0123456789abcdef");
//! assert_eq!(cipher.decrypt(cipher.encrypt(*b"one unit")), *b"one unit");
//! ```

pub mod aes;
pub mod cavv;
pub mod cryptogram;
pub mod cvn;
pub mod cvv;
mod decimal;
pub mod derive;
pub mod des;
pub mod dukpt;
pub mod ibm3624;
pub mod mac;
pub(crate) mod modes;
pub mod pin_block;
pub mod pvv;
pub mod rsa;
pub mod script;
pub mod tr31;

/// The low `count` decimal digits of `number` as packed BCD, right-aligned in 64 bits.
///
/// `count` is at most 16; digits beyond the number's own are 0.
pub(crate) fn packed_digits(number: u64, count: u32) -> u64 {
    debug_assert!(count <= 16, "64 bits hold sixteen packed digits");
    let mut rest = number;
    let mut packed = 0;
    for position in 0..count {
        packed |= (rest % 10) << (4 * position);
        rest /= 10;
    }
    packed
}

#[cfg(test)]
mod tests {
    use super::packed_digits;

    #[test]
    fn packs_the_low_digits_and_pads_with_zeros() {
        assert_eq!(packed_digits(4_761_730_000_000_011, 4), 0x0011);
        assert_eq!(packed_digits(4_761_730_000_000_011, 16), 0x4761_7300_0000_0011);
        assert_eq!(packed_digits(u64::MAX, 12), 0x0737_0955_1615);
        assert_eq!(packed_digits(7, 6), 0x07);
        assert_eq!(packed_digits(7, 0), 0);
    }
}
