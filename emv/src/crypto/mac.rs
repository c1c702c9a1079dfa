//! Message authentication: the retail MAC of DES, CBC-MAC and CMAC.
//!
//! A retail MAC chains single DES and closes with triple DES over the last block: it makes
//! application cryptograms, script MACs and the MACs of the wire. CMAC needs no padding rule of the
//! caller's and closes key blocks. Compare a received MAC with [`is_equal`], which takes the same
//! time wherever two values part.
//!
//! Source: ISO/IEC 9797-1, algorithms 1 and 3, padding methods 1 and 2; NIST SP 800-38B (CMAC).
//!
//! ```
//! use cekr_emv::crypto::mac::{self, Padding};
//! use cekr_emv::keys::{Key, Mak};
//!
//! // ISO/IEC 9797-1, B.4.
//! let key = Key::<Mak>::from_octets(&0x0123456789ABCDEFFEDCBA9876543210_u128.to_be_bytes())?;
//! let mac = mac::retail(&key, b"Now is the time for all ", Padding::Zeros);
//! assert_eq!(mac, 0xA1C72E74EA3FA9B6_u64.to_be_bytes());
//! # Ok::<(), cekr_emv::keys::KeyError>(())
//! ```

use crate::crypto::des::TripleDes;
use crate::crypto::modes::{BlockCipher, xor};
use crate::keys::{AesKey, Key, Mak};

/// How the last block is filled up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Padding {
    /// One octet `80`, then zeros: always at least one octet (method 2).
    Marked,
    /// Zeros, none where the block is full already (method 1). Two messages that differ by zeros at
    /// their end have one MAC: use it only where the length is fixed elsewhere.
    Zeros,
}

/// Retail MAC (algorithm 3) of `data`, eight octets.
pub fn retail(key: &Key<Mak>, data: &[u8], padding: Padding) -> [u8; 8] {
    retail_of(key.cipher(), &[data], padding)
}

/// CBC-MAC (algorithm 1) of `data` under an AES key, sixteen octets.
///
/// Only safe where all messages of a key have one length; CMAC has no such condition.
pub fn cbc_aes(key: &AesKey<Mak>, data: &[u8], padding: Padding) -> [u8; 16] {
    cbc_of(key.cipher(), &[data], padding)
}

/// CMAC of `data` under an AES key, sixteen octets.
pub fn cmac_aes(key: &AesKey<Mak>, data: &[u8]) -> [u8; 16] {
    cmac(key.cipher(), &[data])
}

/// CMAC of `data` under a triple DES key, eight octets.
pub fn cmac_des(key: &Key<Mak>, data: &[u8]) -> [u8; 8] {
    cmac(key.cipher(), &[data])
}

/// Whether two MACs are one, in a time that does not tell where they part.
#[must_use]
pub fn is_equal<const N: usize>(ours: [u8; N], theirs: [u8; N]) -> bool {
    let differ = ours.iter().zip(theirs).fold(0, |differ, (left, right)| differ | (left ^ right));
    core::hint::black_box(differ) == 0
}

/// Retail MAC over pieces that stand in different places.
pub(crate) fn retail_of(cipher: &TripleDes, pieces: &[&[u8]], padding: Padding) -> [u8; 8] {
    let (chain, block) =
        Chain::over(|block| cipher.encrypt_with_first_part(block), pieces, padding);
    cipher.encrypt(xor(chain, block))
}

/// CBC-MAC over pieces that stand in different places.
pub(crate) fn cbc_of<const N: usize>(
    cipher: &impl BlockCipher<N>,
    pieces: &[&[u8]],
    padding: Padding,
) -> [u8; N] {
    let (chain, block) = Chain::over(|block| cipher.encipher(block), pieces, padding);
    cipher.encipher(xor(chain, block))
}

/// CMAC over pieces that stand in different places.
pub(crate) fn cmac<const N: usize>(cipher: &impl BlockCipher<N>, pieces: &[&[u8]]) -> [u8; N] {
    let mut chain = Chain::new(|block| cipher.encipher(block));
    pieces.iter().for_each(|piece| chain.absorb(piece));
    // A full last block is mixed with the first subkey, a filled-up one with the second.
    let mut subkey = doubled(cipher.encipher([0; N]));
    if chain.len_octets < N {
        chain.absorb(&[0x80]);
        subkey = doubled(subkey);
    }
    cipher.encipher(xor(xor(chain.chain, chain.block), subkey))
}

/// Doubling in the field of the block's size, as CMAC makes its subkeys.
fn doubled<const N: usize>(block: [u8; N]) -> [u8; N] {
    let mut double = [0; N];
    let mut carry = 0;
    for (to, from) in double.iter_mut().zip(block).rev() {
        *to = from << 1 | carry;
        carry = from >> 7;
    }
    if let Some(last) = double.last_mut() {
        let reduction = if N == 8 { 0x1B } else { 0x87 };
        *last ^= reduction * carry;
    }
    double
}

/// Blocks on their way through a chain; the last one stays outside, since each MAC closes its own
/// way.
struct Chain<const N: usize, E: Fn([u8; N]) -> [u8; N]> {
    encipher: E,
    chain: [u8; N],
    block: [u8; N],
    len_octets: usize,
}

impl<const N: usize, E: Fn([u8; N]) -> [u8; N]> Chain<N, E> {
    fn new(encipher: E) -> Self {
        Self { encipher, chain: [0; N], block: [0; N], len_octets: 0 }
    }

    /// The chain before the last block, and the last block filled up.
    fn over(encipher: E, pieces: &[&[u8]], padding: Padding) -> ([u8; N], [u8; N]) {
        let mut chain = Self::new(encipher);
        pieces.iter().for_each(|piece| chain.absorb(piece));
        match padding {
            Padding::Marked => chain.absorb(&[0x80]),
            // The rest of a begun block is zeros already.
            Padding::Zeros => (),
        }
        (chain.chain, chain.block)
    }

    fn absorb(&mut self, data: &[u8]) {
        let begun = if self.len_octets == N { 0 } else { (N - self.len_octets) % N };
        let (first, rest) = data.split_at_checked(begun).unwrap_or((data, &[]));
        self.absorb_octets(first);
        let (blocks, last) = rest.as_chunks();
        for block in blocks {
            self.close_full_block();
            self.block = *block;
            self.len_octets = N;
        }
        self.absorb_octets(last);
    }

    fn absorb_octets(&mut self, octets: &[u8]) {
        for octet in octets {
            self.close_full_block();
            if let Some(place) = self.block.get_mut(self.len_octets) {
                *place = *octet;
            }
            self.len_octets += 1;
        }
    }

    fn close_full_block(&mut self) {
        if self.len_octets == N {
            self.chain = (self.encipher)(xor(self.chain, self.block));
            self.block = [0; N];
            self.len_octets = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Padding, cmac_aes, cmac_des, is_equal, retail};
    use crate::keys::{AesKey, Key, Mak};

    #[test]
    fn zeros_at_the_end_are_told_apart_by_the_mark_only() {
        let key = Key::<Mak>::from_octets(&[0x51; 16]).unwrap();
        let (short, long) = (&[1, 2, 3][..], &[1, 2, 3, 0][..]);
        assert_eq!(retail(&key, short, Padding::Zeros), retail(&key, long, Padding::Zeros));
        assert_ne!(retail(&key, short, Padding::Marked), retail(&key, long, Padding::Marked));
        let whole = [9; 8];
        assert_ne!(retail(&key, &whole, Padding::Zeros), retail(&key, &whole, Padding::Marked));
    }

    #[test]
    fn a_full_and_a_filled_up_block_have_different_cmacs() {
        let des = Key::<Mak>::from_octets(&[0x51; 16]).unwrap();
        let aes = AesKey::<Mak>::from_octets(&[0x51; 24]).unwrap();
        let mut marked = [0; 16];
        marked[..3].copy_from_slice(&[1, 2, 0x80]);
        assert_ne!(cmac_aes(&aes, &marked), cmac_aes(&aes, &[1, 2]));
        assert_ne!(cmac_des(&des, &marked[..8]), cmac_des(&des, &[1, 2]));
    }

    #[test]
    fn one_bit_makes_two_macs_differ() {
        assert!(is_equal([1, 2, 3], [1, 2, 3]));
        assert!(!is_equal([1, 2, 3], [1, 2, 0x83]));
    }
}
