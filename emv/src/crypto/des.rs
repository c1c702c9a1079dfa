//! DES and triple DES on single blocks: the cipher under PIN blocks, PVVs and cryptograms.
//!
//! Only the block cipher is here; modes, MACs and derivations build on it. DES alone protects
//! nothing any more: [`Des`] exists because derivations and retail MACs are made of it.
//!
//! Each round reads eight tables in which an S-box and the permutation after it are one look-up.
//! Halves are kept rotated left by one bit, so that the expansion of a half is the half itself and
//! its rotation by four. Inside triple DES the final permutation of one pass and the initial one of
//! the next cancel, so both are left out. All tables are computed at compile time from those of the
//! standard.
//!
//! Source: FIPS PUB 46-3, Appendix 1 (tables) and SP 800-67 (keying options 1 and 2); compared
//! with the `des` crate on random keys and blocks in `tests/des_differential.rs`.
//!
//! ```
//! use cekr_emv::crypto::des::Des;
//!
//! let cipher = Des::new(&[0x13, 0x34, 0x57, 0x79, 0x9B, 0xBC, 0xDF, 0xF1]);
//! let clear = [0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF];
//! let sealed = [0x85, 0xE8, 0x13, 0x54, 0x0F, 0x0A, 0xB4, 0x05];
//! assert_eq!(cipher.encrypt(clear), sealed);
//! assert_eq!(cipher.decrypt(sealed), clear);
//! ```

use zeroize::Zeroize;

/// DES with one expanded key; wiped on drop.
pub struct Des {
    schedule: Schedule,
}

impl Des {
    /// Expands a key of eight octets. The parity bits, the lowest of each octet, are ignored.
    pub fn new(key: &[u8; 8]) -> Self {
        Self { schedule: Schedule::new(*key) }
    }

    /// Enciphers one block.
    pub fn encrypt(&self, block: [u8; 8]) -> [u8; 8] {
        self.schedule.encrypt(Halves::enter(block)).leave()
    }

    /// Deciphers one block.
    pub fn decrypt(&self, block: [u8; 8]) -> [u8; 8] {
        self.schedule.decrypt(Halves::enter(block)).leave()
    }

    /// Key check value: the first three octets of zeros enciphered under this key.
    pub fn kcv(&self) -> [u8; 3] {
        let [first, second, third, ..] = self.encrypt([0; 8]);
        [first, second, third]
    }
}

/// Triple DES, encrypt-decrypt-encrypt, with two or three expanded keys; wiped on drop.
#[derive(Clone)]
pub struct TripleDes {
    first: Schedule,
    second: Schedule,
    /// Where it is not the first again: a copy costs its making and its wiping.
    third: Option<Schedule>,
}

impl TripleDes {
    /// Expands a key of two parts, 16 octets; the first part is also the third. Parity is ignored.
    pub fn new(key: &[u8; 16]) -> Self {
        let [a, b, c, d, e, f, g, h, second @ ..] = *key;
        let first = Schedule::new([a, b, c, d, e, f, g, h]);
        Self { first, second: Schedule::new(second), third: None }
    }

    /// Expands a key of three parts, 24 octets. Parity is ignored.
    pub fn with_three_parts(key: &[u8; 24]) -> Self {
        let [a, b, c, d, e, f, g, h, rest @ ..] = *key;
        let [i, j, k, l, m, n, o, p, third @ ..] = rest;
        Self {
            first: Schedule::new([a, b, c, d, e, f, g, h]),
            second: Schedule::new([i, j, k, l, m, n, o, p]),
            third: Some(Schedule::new(third)),
        }
    }

    /// Enciphers one block.
    pub fn encrypt(&self, block: [u8; 8]) -> [u8; 8] {
        let halves = self.first.encrypt(Halves::enter(block));
        let halves = self.second.decrypt(halves);
        self.third().encrypt(halves).leave()
    }

    /// Enciphers two blocks side by side: the look-ups of one fill the waits of the other.
    pub fn encrypt_two(&self, blocks: [[u8; 8]; 2]) -> [[u8; 8]; 2] {
        let halves = self.first.encrypt_two(blocks.map(Halves::enter));
        let halves = self.second.decrypt_two(halves);
        self.third().encrypt_two(halves).map(Halves::leave)
    }

    /// Deciphers one block.
    pub fn decrypt(&self, block: [u8; 8]) -> [u8; 8] {
        let halves = self.third().decrypt(Halves::enter(block));
        let halves = self.second.encrypt(halves);
        self.first.decrypt(halves).leave()
    }

    /// Enciphers one block with the first part alone, as a retail MAC does until its last block.
    pub(crate) fn encrypt_with_first_part(&self, block: [u8; 8]) -> [u8; 8] {
        self.first.encrypt(Halves::enter(block)).leave()
    }

    /// Key check value: the first three octets of zeros enciphered under this key.
    pub fn kcv(&self) -> [u8; 3] {
        let [first, second, third, ..] = self.encrypt([0; 8]);
        [first, second, third]
    }

    fn third(&self) -> &Schedule {
        self.third.as_ref().unwrap_or(&self.first)
    }
}

/// The sixteen round keys of one DES key, two rounds at a time.
#[derive(Clone)]
struct Schedule([[RoundKey; 2]; 8]);

impl Schedule {
    fn new(key: [u8; 8]) -> Self {
        let (c, d) = permuted_choice_1(key);
        // Each half twice in a row: a rotation of the 28 bits is then a window into the 56.
        let (c, d) = (c << 28 | c, d << 28 | d);
        let mut shift = 0;
        let mut rounds = [[RoundKey { odd: 0, even: 0 }; 2]; 8];
        for (round, key) in rounds.as_flattened_mut().iter_mut().enumerate() {
            // Rounds 1, 2, 9 and 16 rotate by one bit, all others by two.
            shift += if matches!(round, 0 | 1 | 8 | 15) { 1 } else { 2 };
            *key = RoundKey::choose(c >> (28 - shift), d >> (28 - shift));
        }
        Self(rounds)
    }

    fn encrypt(&self, halves: Halves) -> Halves {
        let Halves { mut left, mut right } = halves;
        for [first, second] in &self.0 {
            left ^= first.mix(right);
            right ^= second.mix(left);
        }
        // The standard leaves out the exchange of halves after the last round.
        Halves { left: right, right: left }
    }

    fn encrypt_two(&self, [mut one, mut two]: [Halves; 2]) -> [Halves; 2] {
        for [first, second] in &self.0 {
            one.left ^= first.mix(one.right);
            two.left ^= first.mix(two.right);
            one.right ^= second.mix(one.left);
            two.right ^= second.mix(two.left);
        }
        [one.exchanged(), two.exchanged()]
    }

    fn decrypt_two(&self, [mut one, mut two]: [Halves; 2]) -> [Halves; 2] {
        for [first, second] in self.0.iter().rev() {
            one.left ^= second.mix(one.right);
            two.left ^= second.mix(two.right);
            one.right ^= first.mix(one.left);
            two.right ^= first.mix(two.left);
        }
        [one.exchanged(), two.exchanged()]
    }

    fn decrypt(&self, halves: Halves) -> Halves {
        let Halves { mut left, mut right } = halves;
        for [first, second] in self.0.iter().rev() {
            left ^= second.mix(right);
            right ^= first.mix(left);
        }
        Halves { left: right, right: left }
    }
}

impl Drop for Schedule {
    fn drop(&mut self) {
        for round in self.0.as_flattened_mut() {
            round.odd.zeroize();
            round.even.zeroize();
        }
    }
}

/// One round's 48 key bits, six in each octet, as the look-ups want them.
#[derive(Clone, Copy)]
struct RoundKey {
    /// For S-boxes 1, 3, 5 and 7, from the highest octet down.
    odd: u32,
    /// For S-boxes 2, 4, 6 and 8, from the highest octet down.
    even: u32,
}

impl RoundKey {
    /// Permuted choice 2 over the low 28 bits of each half, by seven bits at a time.
    #[inline(always)]
    #[expect(clippy::indexing_slicing, reason = "seven bits index 128 entries")]
    fn choose(c: u64, d: u64) -> Self {
        let [c0, c1, c2, c3] = &CHOICE_2_C;
        let [d0, d1, d2, d3] = &CHOICE_2_D;
        let seven = |half: u64, place: u32| (half >> place & 0x7F) as usize;
        // Boxes 1 and 3 in the upper octets, 2 and 4 in the lower; likewise 5 and 7, 6 and 8.
        let upper = c0[seven(c, 21)] | c1[seven(c, 14)] | c2[seven(c, 7)] | c3[seven(c, 0)];
        let lower = d0[seven(d, 21)] | d1[seven(d, 14)] | d2[seven(d, 7)] | d3[seven(d, 0)];
        Self { odd: upper & 0xFFFF_0000 | lower >> 16, even: upper << 16 | lower & 0xFFFF }
    }

    /// The cipher function of the standard: expansion, key, S-boxes and permutation of one half.
    #[inline(always)]
    #[expect(clippy::indexing_slicing, reason = "six bits index 64 entries")]
    fn mix(self, half: u32) -> u32 {
        let [s1, s2, s3, s4, s5, s6, s7, s8] = &SUBSTITUTE_AND_PERMUTE;
        let six = |word: u32, place: u32| (word >> place & 0x3F) as usize;
        let odd = half.rotate_right(4) ^ self.odd;
        let even = half ^ self.even;
        (s1[six(odd, 24)] ^ s3[six(odd, 16)] ^ s5[six(odd, 8)] ^ s7[six(odd, 0)])
            ^ (s2[six(even, 24)] ^ s4[six(even, 16)] ^ s6[six(even, 8)] ^ s8[six(even, 0)])
    }
}

/// A block between its permutations, each half rotated left by one bit.
#[derive(Clone, Copy)]
struct Halves {
    left: u32,
    right: u32,
}

impl Halves {
    /// The initial permutation, as exchanges of bit groups between the halves, and the rotation.
    #[inline(always)]
    fn enter(block: [u8; 8]) -> Self {
        let block = u64::from_be_bytes(block);
        let (mut left, mut right) = ((block >> 32) as u32, block as u32);
        exchange(&mut left, &mut right, 4, 0x0F0F_0F0F);
        exchange(&mut left, &mut right, 16, 0x0000_FFFF);
        exchange(&mut right, &mut left, 2, 0x3333_3333);
        exchange(&mut right, &mut left, 8, 0x00FF_00FF);
        right = right.rotate_left(1);
        exchange(&mut left, &mut right, 0, 0xAAAA_AAAA);
        Self { left: left.rotate_left(1), right }
    }

    /// As the standard leaves a block after its last round.
    #[inline(always)]
    const fn exchanged(self) -> Self {
        Self { left: self.right, right: self.left }
    }

    /// The final permutation: the steps of [`Halves::enter`] undone in reverse.
    #[inline(always)]
    fn leave(self) -> [u8; 8] {
        let (mut left, mut right) = (self.left.rotate_right(1), self.right);
        exchange(&mut left, &mut right, 0, 0xAAAA_AAAA);
        right = right.rotate_right(1);
        exchange(&mut right, &mut left, 8, 0x00FF_00FF);
        exchange(&mut right, &mut left, 2, 0x3333_3333);
        exchange(&mut left, &mut right, 16, 0x0000_FFFF);
        exchange(&mut left, &mut right, 4, 0x0F0F_0F0F);
        (u64::from(left) << 32 | u64::from(right)).to_be_bytes()
    }
}

/// Exchanges the bits of `low` under `mask` with the bits of `high` that lie `shift` above it.
#[inline(always)]
fn exchange(high: &mut u32, low: &mut u32, shift: u32, mask: u32) {
    let differ = (*high >> shift ^ *low) & mask;
    *low ^= differ;
    *high ^= differ << shift;
}

/// Permuted choice 1: the 56 key bits as two halves of 28.
///
/// Read as a square of bits with the last octet on top, the table of the standard is the square
/// turned over its diagonal: three exchanges do what 56 single moves would.
fn permuted_choice_1(key: [u8; 8]) -> (u64, u64) {
    let mut square = u64::from_le_bytes(key);
    for (shift, mask) in
        [(7, 0x00AA_00AA_00AA_00AA), (14, 0x0000_CCCC_0000_CCCC), (28, 0x0000_0000_F0F0_F0F0)]
    {
        let differ = (square ^ square >> shift) & mask;
        square ^= differ ^ differ << shift;
    }
    // Rows of eight, from the top: 57 49 .. 1; 58 .. 2; 59 .. 3; 60 .. 36 and 28 .. 4; 61 .. 5;
    // 62 .. 6; 63 .. 7; and the parity bits, which are dropped.
    let row = |index: u32| square >> (56 - 8 * index) & 0xFF;
    (square >> 36, row(6) << 20 | row(5) << 12 | row(4) << 4 | row(3) & 0x0F)
}

/// For each S-box: what each input contributes to the result of the cipher function.
static SUBSTITUTE_AND_PERMUTE: [[u32; 64]; 8] = substitute_and_permute();

/// For each seven bits of the left key half, what they contribute to a round key.
static CHOICE_2_C: [[u32; 128]; 4] = choice_2([
    14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2,
]);

/// For each seven bits of the right key half, whose bits the standard counts from 29.
static CHOICE_2_D: [[u32; 128]; 4] = choice_2([
    41 - 28,
    52 - 28,
    31 - 28,
    37 - 28,
    47 - 28,
    55 - 28,
    30 - 28,
    40 - 28,
    51 - 28,
    45 - 28,
    33 - 28,
    48 - 28,
    44 - 28,
    49 - 28,
    39 - 28,
    56 - 28,
    34 - 28,
    53 - 28,
    46 - 28,
    42 - 28,
    50 - 28,
    36 - 28,
    29 - 28,
    32 - 28,
]);

#[expect(clippy::indexing_slicing, reason = "runs in the compiler, which would refuse")]
const fn substitute_and_permute() -> [[u32; 64]; 8] {
    let mut tables = [[0; 64]; 8];
    let mut number = 0;
    while number < 8 {
        let mut input = 0;
        while input < 64 {
            // The outer two bits choose the row, the inner four the column.
            let row = (input >> 4 & 2) | (input & 1);
            let column = input >> 1 & 0x0F;
            let output = (S_BOXES[number][row][column] as u32) << (28 - 4 * number);
            let mut permuted = 0;
            let mut bit = 0;
            while bit < 32 {
                permuted |= (output >> (32 - PERMUTATION[bit]) & 1) << (31 - bit);
                bit += 1;
            }
            tables[number][input] = permuted.rotate_left(1);
            input += 1;
        }
        number += 1;
    }
    tables
}

#[expect(clippy::indexing_slicing, reason = "runs in the compiler, which would refuse")]
const fn choice_2(order: [u32; 24]) -> [[u32; 128]; 4] {
    /// Where the first key bit of each of four neighbouring S-boxes goes: odd boxes first.
    const HIGHEST: [u32; 4] = [29, 13, 21, 5];
    let mut tables = [[0; 128]; 4];
    let mut position = 0;
    while position < order.len() {
        // Bit 1 of the standard is the highest of the 28.
        let source = 28 - order[position];
        let target = HIGHEST[position / 6] - (position % 6) as u32;
        let mut seven = 0;
        while seven < 128 {
            if seven >> (source % 7) & 1 == 1 {
                tables[3 - (source / 7) as usize][seven] |= 1 << target;
            }
            seven += 1;
        }
        position += 1;
    }
    tables
}

/// The permutation P after the S-boxes: which of their bits, counted from 1, stands at each place.
const PERMUTATION: [u32; 32] = [
    16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, 2, 8, 24, 14, 32, 27, 3, 9, 19,
    13, 30, 6, 22, 11, 4, 25,
];

/// The S-boxes by row and column.
const S_BOXES: [[[u8; 16]; 4]; 8] = [
    [
        [14, 4, 13, 1, 2, 15, 11, 8, 3, 10, 6, 12, 5, 9, 0, 7],
        [0, 15, 7, 4, 14, 2, 13, 1, 10, 6, 12, 11, 9, 5, 3, 8],
        [4, 1, 14, 8, 13, 6, 2, 11, 15, 12, 9, 7, 3, 10, 5, 0],
        [15, 12, 8, 2, 4, 9, 1, 7, 5, 11, 3, 14, 10, 0, 6, 13],
    ],
    [
        [15, 1, 8, 14, 6, 11, 3, 4, 9, 7, 2, 13, 12, 0, 5, 10],
        [3, 13, 4, 7, 15, 2, 8, 14, 12, 0, 1, 10, 6, 9, 11, 5],
        [0, 14, 7, 11, 10, 4, 13, 1, 5, 8, 12, 6, 9, 3, 2, 15],
        [13, 8, 10, 1, 3, 15, 4, 2, 11, 6, 7, 12, 0, 5, 14, 9],
    ],
    [
        [10, 0, 9, 14, 6, 3, 15, 5, 1, 13, 12, 7, 11, 4, 2, 8],
        [13, 7, 0, 9, 3, 4, 6, 10, 2, 8, 5, 14, 12, 11, 15, 1],
        [13, 6, 4, 9, 8, 15, 3, 0, 11, 1, 2, 12, 5, 10, 14, 7],
        [1, 10, 13, 0, 6, 9, 8, 7, 4, 15, 14, 3, 11, 5, 2, 12],
    ],
    [
        [7, 13, 14, 3, 0, 6, 9, 10, 1, 2, 8, 5, 11, 12, 4, 15],
        [13, 8, 11, 5, 6, 15, 0, 3, 4, 7, 2, 12, 1, 10, 14, 9],
        [10, 6, 9, 0, 12, 11, 7, 13, 15, 1, 3, 14, 5, 2, 8, 4],
        [3, 15, 0, 6, 10, 1, 13, 8, 9, 4, 5, 11, 12, 7, 2, 14],
    ],
    [
        [2, 12, 4, 1, 7, 10, 11, 6, 8, 5, 3, 15, 13, 0, 14, 9],
        [14, 11, 2, 12, 4, 7, 13, 1, 5, 0, 15, 10, 3, 9, 8, 6],
        [4, 2, 1, 11, 10, 13, 7, 8, 15, 9, 12, 5, 6, 3, 0, 14],
        [11, 8, 12, 7, 1, 14, 2, 13, 6, 15, 0, 9, 10, 4, 5, 3],
    ],
    [
        [12, 1, 10, 15, 9, 2, 6, 8, 0, 13, 3, 4, 14, 7, 5, 11],
        [10, 15, 4, 2, 7, 12, 9, 5, 6, 1, 13, 14, 0, 11, 3, 8],
        [9, 14, 15, 5, 2, 8, 12, 3, 7, 0, 4, 10, 1, 13, 11, 6],
        [4, 3, 2, 12, 9, 5, 15, 10, 11, 14, 1, 7, 6, 0, 8, 13],
    ],
    [
        [4, 11, 2, 14, 15, 0, 8, 13, 3, 12, 9, 7, 5, 10, 6, 1],
        [13, 0, 11, 7, 4, 9, 1, 10, 14, 3, 5, 12, 2, 15, 8, 6],
        [1, 4, 11, 13, 12, 3, 7, 14, 10, 15, 6, 8, 0, 5, 9, 2],
        [6, 11, 13, 8, 1, 4, 10, 7, 9, 5, 0, 15, 14, 2, 3, 12],
    ],
    [
        [13, 2, 8, 4, 6, 15, 11, 1, 10, 9, 3, 14, 5, 0, 12, 7],
        [1, 15, 13, 8, 10, 3, 7, 4, 12, 5, 6, 11, 0, 14, 9, 2],
        [7, 11, 4, 1, 9, 12, 14, 2, 0, 6, 10, 13, 15, 3, 5, 8],
        [2, 1, 14, 7, 4, 10, 8, 13, 15, 12, 9, 0, 3, 5, 6, 11],
    ],
];

#[cfg(test)]
mod tests {
    use super::{Des, TripleDes};

    #[test]
    fn enciphers_the_known_answers() {
        for (key, clear, sealed) in [
            // Validation cases of NIST SP 500-20: variable plaintext, key, permutation, S-box.
            (0x0101_0101_0101_0101_u64, 0x8000_0000_0000_0000, 0x95F8_A5E5_DD31_D900),
            (0x8001_0101_0101_0101, 0, 0x95A8_D728_13DA_A94D),
            (0x7CA1_1045_4A1A_6E57, 0x01A1_D6D0_3977_6742, 0x690F_5B0D_9A26_939B),
            (0x0123_4567_89AB_CDEF, 0x4E6F_7720_6973_2074, 0x3FA4_0E8A_984D_4815),
        ] {
            let cipher = Des::new(&key.to_be_bytes());
            assert_eq!(cipher.encrypt(u64::to_be_bytes(clear)), u64::to_be_bytes(sealed));
            assert_eq!(cipher.decrypt(u64::to_be_bytes(sealed)), u64::to_be_bytes(clear));
        }
    }

    #[test]
    fn is_single_des_when_all_parts_are_the_same() {
        let part = *b"8 octets";
        let (mut two, mut three) = ([0; 16], [0; 24]);
        two.chunks_exact_mut(8).for_each(|to| to.copy_from_slice(&part));
        three.chunks_exact_mut(8).for_each(|to| to.copy_from_slice(&part));
        let block = *b"a block.";
        let sealed = Des::new(&part).encrypt(block);
        assert_eq!(TripleDes::new(&two).encrypt(block), sealed);
        assert_eq!(TripleDes::with_three_parts(&three).decrypt(sealed), block);
        assert_eq!(TripleDes::new(&two).kcv(), Des::new(&part).kcv());
    }

    #[test]
    fn ignores_parity_bits_and_no_other() {
        let key = 0x0123_4567_89AB_CDEF_u64;
        let kcv = Des::new(&key.to_be_bytes()).kcv();
        for bit in 0..64 {
            let other = Des::new(&(key ^ 1 << bit).to_be_bytes()).kcv();
            assert_eq!(other == kcv, bit % 8 == 0, "bit {bit}");
        }
    }
}
