//! Decimal digits, eight at a time: checks, numbers and the Luhn sum over ASCII octets.
//!
//! A word is loaded so that the first digit stands in the lowest octet; then one addition or
//! multiplication works on all eight at once. Nothing here depends on the machine's byte order.

/// `0` in all eight places.
const ZEROS: u64 = 0x3030_3030_3030_3030;

/// The powers of ten that fit in a `u64`: `POWERS[n]` is 10 to the n.
const POWERS: [u64; 20] = {
    let mut powers = [1; 20];
    let mut rest: &mut [u64] = &mut powers;
    let mut power = 1;
    while let [first, tail @ ..] = rest {
        *first = power;
        power = power.wrapping_mul(10);
        rest = tail;
    }
    powers
};

/// Ten to the `exponent`, or the largest `u64` where that does not fit.
pub(crate) fn power_of_ten(exponent: usize) -> u64 {
    POWERS.get(exponent).copied().unwrap_or(u64::MAX)
}

/// Whether all octets are ASCII digits.
#[inline]
pub(crate) fn all_digits(octets: &[u8]) -> bool {
    if let Some(last) = octets.last_chunk::<16>() {
        let mut wrong = [0; 16];
        for sixteen in octets.as_chunks::<16>().0 {
            note_wrong(&mut wrong, sixteen);
        }
        // The last sixteen overlap those before: cheaper than a loop over the rest.
        note_wrong(&mut wrong, last);
        return u128::from_le_bytes(wrong) == 0;
    }
    match (octets.first_chunk::<8>(), octets.last_chunk::<8>()) {
        (Some(first), Some(last)) => {
            not_digits(u64::from_le_bytes(*first)) | not_digits(u64::from_le_bytes(*last)) == 0
        }
        _ => not_digits(short_word(octets)) == 0,
    }
}

/// Notes in each lane whether its octet is no ASCII digit, in a form that compilers work out for
/// all lanes at once.
#[inline(always)]
fn note_wrong(wrong: &mut [u8; 16], octets: &[u8; 16]) {
    for (wrong, octet) in wrong.iter_mut().zip(octets) {
        // With `0` moved to the least of signed octets, the digits are the ten least.
        let is_wrong = octet.wrapping_add(0x50).cast_signed() > -119;
        *wrong |= u8::from(is_wrong).wrapping_neg();
    }
}

/// Whether three octets are ASCII digits.
#[inline]
pub(crate) const fn are_three(&[a, b, c]: &[u8; 3]) -> bool {
    a.is_ascii_digit() & b.is_ascii_digit() & c.is_ascii_digit()
}

/// Whether four octets are ASCII digits.
#[inline]
pub(crate) const fn are_four(octets: &[u8; 4]) -> bool {
    // As in `not_digits`.
    let word = u32::from_le_bytes(*octets);
    let high = (word & 0xf0f0_f0f0) ^ 0x3030_3030;
    let high_of_more = (word.wrapping_add(0x0606_0606) & 0xf0f0_f0f0) ^ 0x3030_3030;
    high | high_of_more == 0
}

/// Not zero if one of the eight octets is no ASCII digit.
#[inline]
const fn not_digits(word: u64) -> u64 {
    // A digit keeps its high nibble 3 when 6 is added; octets from 3A to 3F do not. An octet that
    // carries into its neighbour has a wrong high nibble itself.
    ((word & 0xf0f0_f0f0_f0f0_f0f0) ^ ZEROS)
        | ((word.wrapping_add(0x0606_0606_0606_0606) & 0xf0f0_f0f0_f0f0_f0f0) ^ ZEROS)
}

/// The number that at most 19 ASCII digits write. The octets must be digits; anything else gives
/// a meaningless number, never a panic. More than 19 digits: `None`.
#[inline]
pub(crate) fn number(octets: &[u8]) -> Option<u64> {
    match octets.len() {
        0..=8 => Some(eight(short_word(octets))),
        // No shorter part to put together.
        16 => {
            let (head, tail) = octets.split_first_chunk::<8>()?;
            let tail = u64::from_le_bytes(*tail.as_array()?);
            Some(eight(u64::from_le_bytes(*head)) * 100_000_000 + eight(tail))
        }
        9..=15 => {
            let (head, tail) = octets.split_last_chunk::<8>()?;
            Some(eight(short_word(head)) * 100_000_000 + eight(u64::from_le_bytes(*tail)))
        }
        17..=19 => {
            let (head, tail) = octets.split_last_chunk::<8>()?;
            let (head, middle) = head.split_last_chunk::<8>()?;
            let upper = eight(short_word(head)).wrapping_mul(10_000_000_000_000_000);
            let lower =
                eight(u64::from_le_bytes(*middle)) * 100_000_000 + eight(u64::from_le_bytes(*tail));
            // Octets that are no digits may exceed the range; digits never do.
            Some(upper.wrapping_add(lower))
        }
        _ => None,
    }
}

/// The number that exactly `N` digits write, of the lengths that elements have. The octets must be
/// digits; anything else gives a meaningless number.
#[inline(always)]
pub(crate) fn of_array<const N: usize>(octets: &[u8; N]) -> u64 {
    const { assert!(N <= 16, "they fit in a `u64`") }
    // Which arm it is, is known when it is compiled, and so are the lengths in it.
    match octets.as_slice() {
        [a, b] => two([*a, *b]),
        [a, b, c] => two([*a, *b]) * 10 + u64::from(c & 0x0f),
        [a, b, c, d] => four([*a, *b, *c, *d]),
        [head @ .., a, b] if N == 6 => {
            four(head.as_array().copied().unwrap_or_default()) * 100 + two([*a, *b])
        }
        [head @ .., a, b] if N == 10 => {
            let head = head.as_array().copied().unwrap_or_default();
            eight(u64::from_le_bytes(head)) * 100 + two([*a, *b])
        }
        [head @ .., a, b, c, d] if N == 12 => {
            let head = head.as_array().copied().unwrap_or_default();
            eight(u64::from_le_bytes(head)) * 10_000 + four([*a, *b, *c, *d])
        }
        _ if N == 16 => {
            let (words, _) = octets.as_chunks::<8>();
            words.iter().fold(0, |sum, word| sum * 100_000_000 + eight(u64::from_le_bytes(*word)))
        }
        other => number(other).unwrap_or_default(),
    }
}

#[inline(always)]
const fn two([a, b]: [u8; 2]) -> u64 {
    (a & 0x0f) as u64 * 10 + (b & 0x0f) as u64
}

#[inline(always)]
const fn four(octets: [u8; 4]) -> u64 {
    let digits = u32::from_le_bytes(octets) & 0x0f0f_0f0f;
    // As in `eight`, one step less.
    let pairs = (digits.wrapping_mul(2561) >> 8) & 0x00ff_00ff;
    (pairs.wrapping_mul(6_553_601) >> 16) as u64
}

/// The number that the last `len` of eight octets write, which must be digits; what stands before
/// them does not matter.
#[inline]
pub(crate) const fn last_of_eight(octets: &[u8; 8], len: usize) -> u64 {
    if len == 0 {
        return 0;
    }
    // Octets before the number become zeros, which the digits' masks take for digits 0.
    eight(u64::from_le_bytes(*octets) & (u64::MAX << (8 * (8 - len))))
}

/// At most eight digits as one word, padded with zeros on the left.
#[inline]
fn short_word(octets: &[u8]) -> u64 {
    let len = octets.len();
    let word =
        if let (Some(first), Some(last)) = (octets.first_chunk::<4>(), octets.last_chunk::<4>()) {
            // The two halves overlap where the length is below eight; the overlap is equal.
            let first = u64::from(u32::from_le_bytes(*first));
            let last = u64::from(u32::from_le_bytes(*last));
            first | (last << (8 * (len.min(8) - 4)))
        } else {
            octets.iter().rev().fold(0, |word, octet| (word << 8) | u64::from(*octet))
        };
    match len {
        0 => ZEROS,
        1..=7 => (word << (8 * (8 - len))) | (ZEROS >> (8 * len)),
        _ => word,
    }
}

/// The number that eight digits write; the first digit stands in the lowest octet.
#[inline]
const fn eight(word: u64) -> u64 {
    // Pairs, then fours, then the eight: three multiplications instead of eight.
    let digits = word & 0x0f0f_0f0f_0f0f_0f0f;
    let pairs = (digits.wrapping_mul(2561) >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(6_553_601) >> 16) & 0x0000_ffff_0000_ffff;
    fours.wrapping_mul(42_949_672_960_001) >> 32
}

/// The Luhn sum (ISO/IEC 7812-1 annex B) of at most 24 digits; a valid number's is a multiple
/// of ten. `None` for more.
#[inline]
pub(crate) fn luhn_sum(octets: &[u8]) -> Option<u64> {
    let mut sum = 0;
    let mut head = octets;
    while let Some((front, word)) = head.split_last_chunk::<8>() {
        sum += luhn_word(u64::from_le_bytes(*word));
        head = front;
    }
    (octets.len() <= 24).then(|| sum + luhn_word(short_word(head)))
}

/// The Luhn sum of eight digits of which the last one is not doubled.
#[inline]
const fn luhn_word(word: u64) -> u64 {
    let digits = word & 0x0f0f_0f0f_0f0f_0f0f;
    // Digits at even places are doubled; a double above nine counts nine less.
    let doubled = digits & 0x00ff_00ff_00ff_00ff;
    let above_four = (doubled.wrapping_add(0x007b_007b_007b_007b) >> 7) & 0x0001_0001_0001_0001;
    let sums = digits + doubled - above_four * 9;
    sums.wrapping_mul(0x0101_0101_0101_0101) >> 56
}

/// Where the first octet equal to one of two stands.
#[inline]
pub(crate) fn find_either(octets: &[u8], one: u8, other: u8) -> Option<usize> {
    let (words, tail) = octets.as_chunks::<8>();
    for (place, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = zero_octets(word ^ spread(one)) | zero_octets(word ^ spread(other));
        if found != 0 {
            // Below eight.
            return Some(place * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let at = tail.iter().position(|octet| *octet == one || *octet == other)?;
    Some(words.len() * 8 + at)
}

/// The octet in all eight places.
const fn spread(octet: u8) -> u64 {
    (octet as u64) * 0x0101_0101_0101_0101
}

/// The highest bit of each octet that is zero; the lowest of these bits is exact.
const fn zero_octets(word: u64) -> u64 {
    word.wrapping_sub(0x0101_0101_0101_0101) & !word & 0x8080_8080_8080_8080
}

/// Writes `number` as ASCII digits over the whole of `out`, zeros on the left. Digits that do not
/// fit are lost: the caller has compared with [`power_of_ten`].
#[inline]
pub(crate) fn write_number(number: u64, out: &mut [u8]) {
    let mut rest = number;
    let (head, pairs) = out.as_rchunks_mut::<2>();
    for pair in pairs.iter_mut().rev() {
        // Below a hundred, so both digits fit in an octet.
        let two = (rest % 100) as u8;
        *pair = [b'0' + two / 10, b'0' + two % 10];
        rest /= 100;
    }
    if let [first] = head {
        *first = b'0' + (rest % 10) as u8;
    }
}

/// How many decimal digits the number has; one for zero.
pub(crate) const fn count(number: u64) -> usize {
    match number.checked_ilog10() {
        Some(log) => log as usize + 1,
        None => 1,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use std::format;
    use std::string::ToString;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn digits_are_told_from_everything_else(octets in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(all_digits(&octets), octets.iter().all(u8::is_ascii_digit));
        }

        #[test]
        fn one_wrong_octet_among_digits_is_found(len in 1usize..40, at in 0usize..40, wrong: u8) {
            let mut octets = std::vec![b'7'; len];
            let at = at % len;
            octets[at] = wrong;
            prop_assert_eq!(all_digits(&octets), wrong.is_ascii_digit());
        }

        #[test]
        fn a_number_is_read_as_it_is_written(value in 0u64..10_000_000_000_000_000_000, width in 1usize..=19) {
            let value = value % power_of_ten(width);
            let text = format!("{value:0width$}");
            prop_assert_eq!(number(text.as_bytes()), Some(value));
            let mut out = std::vec![0; width];
            write_number(value, &mut out);
            prop_assert_eq!(out, text.as_bytes());
            prop_assert_eq!(count(value), value.to_string().len());
        }

        #[test]
        fn the_first_of_two_octets_is_found(octets in "[a-d]{0,30}") {
            let slow = octets.bytes().position(|octet| octet == b'c' || octet == b'd');
            prop_assert_eq!(find_either(octets.as_bytes(), b'c', b'd'), slow);
        }

        #[test]
        fn arbitrary_octets_never_panic(octets in proptest::collection::vec(any::<u8>(), 0..30)) {
            let _ = number(&octets);
            let _ = luhn_sum(&octets);
        }

        #[test]
        fn the_luhn_sum_is_that_of_the_schoolbook(text in "[0-9]{0,24}") {
            let slow: u64 = text.bytes().rev().enumerate().map(|(place, digit)| {
                let digit = u64::from(digit - b'0');
                match (place % 2, digit * 2) {
                    (0, _) => digit,
                    (_, double) if double > 9 => double - 9,
                    (_, double) => double,
                }
            }).sum();
            prop_assert_eq!(luhn_sum(text.as_bytes()), Some(slow));
        }
    }
}
