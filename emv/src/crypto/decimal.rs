//! Decimal digits out of a cipher's result, as verification values take them.
//!
//! Nibbles up to 9 count first, from left to right; where they run out, the letters follow, each
//! read as itself less ten. Key derivation by option B takes its digits the same way.

/// The first `count` digits of `octets`, one in each nibble, right-aligned; `count` is at most 16.
pub(crate) fn decimalized(octets: &[u8], count: usize) -> u64 {
    debug_assert!(count <= 16, "64 bits hold sixteen packed digits");
    let nibbles = || octets.iter().flat_map(|octet| [octet >> 4, octet & 0x0F]);
    let digits = nibbles().filter(|nibble| *nibble <= 9);
    let letters = nibbles().filter(|nibble| *nibble > 9).map(|nibble| nibble - 10);
    digits.chain(letters).take(count).fold(0, |packed, digit| packed << 4 | u64::from(digit))
}

/// The number that packed digits write.
pub(crate) fn number(packed: u64, count: u32) -> u64 {
    (0..count).rev().fold(0, |number, place| number * 10 + (packed >> (4 * place) & 0x0F))
}

#[cfg(test)]
mod tests {
    use super::{decimalized, number};

    #[test]
    fn reads_letters_as_digits_where_digits_run_out() {
        for (sealed, digits) in [
            (0x1234_5678_90AB_CDEF_u64, 0x1234),
            (0xABCD_1EF2_3ABC_4DEF, 0x1234),
            (0xABCD_EF12_FEDC_BA3A, 0x1230),
            (0xFFFF_FFFF_FFFF_FFF7, 0x7555),
            (0xFEDC_BAFE_DCBA_FEDC, 0x5432),
        ] {
            assert_eq!(decimalized(&sealed.to_be_bytes(), 4), digits, "{sealed:016X}");
        }
        assert_eq!(number(0x0407, 4), 407);
    }
}
