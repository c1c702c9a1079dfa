//! Textbook RSA, as payment chips use it: one modular power, without padding of its own.
//!
//! What stands in a block (header, hash, trailer) belongs to the formats in [`crate::oda`], which
//! recover it from a signature and check it; nothing here judges it. A public key recovers, a
//! private key signs or deciphers: all three are the same power. Private keys exist in this crate
//! for the simulated chip and its personalisation only; they are wiped on drop and have no `Debug`.
//! The power by a private exponent takes a time that does not depend on the exponent's bits; the
//! stack it has used is not wiped.
//!
//! Source: EMV 4.3 Book 2, Annex B2.1 (RSA algorithm, exponents 3 and 2^16 + 1) and Annex D1.1
//! (moduli of up to 1984 bits).
//!
//! ```
//! use cekr_emv::crypto::rsa::Block;
//! use cekr_emv::oda::development::TestKey;
//!
//! let key = TestKey::Chip.pair();
//! let block = Block::filled(128, 0x6A)?;
//! let signed = key.apply(&block)?;
//! assert_eq!(key.public().recover(signed.octets())?.octets(), block.octets());
//! # Ok::<(), cekr_emv::crypto::rsa::RsaError>(())
//! ```

use core::fmt;

use crypto_bigint::modular::{FixedMontyForm, FixedMontyParams};
use crypto_bigint::{Limb, Odd, Uint};
use zeroize::Zeroize;

/// Modulus and public exponent, 3 or 65 537.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct PublicKey {
    /// Big-endian, right-aligned, zeros before it.
    modulus: [u8; MODULUS_OCTETS_MAX],
    len_octets: u8,
    exponent: Exponent,
}

impl PublicKey {
    /// Takes a modulus of 64 to 248 octets whose highest and lowest bits are set, and an exponent
    /// of one or three octets (tags 9F32, 9F47 and 9F2E carry it so).
    ///
    /// # Errors
    ///
    /// [`RsaError::BadModulus`], [`RsaError::BadExponent`].
    pub fn new(modulus: &[u8], exponent: &[u8]) -> Result<Self, RsaError> {
        let is_odd = modulus.last().is_some_and(|last| last & 1 == 1);
        let is_full = modulus.first().is_some_and(|first| first & 0x80 != 0);
        if !is_odd || !is_full || modulus.len() < MODULUS_OCTETS_MIN {
            return Err(RsaError::BadModulus);
        }
        Ok(Self {
            modulus: right_aligned(modulus).ok_or(RsaError::BadModulus)?,
            len_octets: u8::try_from(modulus.len()).map_err(|_| RsaError::BadModulus)?,
            exponent: Exponent::parse(exponent)?,
        })
    }

    /// The modulus, big-endian.
    pub fn modulus(&self) -> &[u8] {
        tail(&self.modulus, self.len_octets())
    }

    /// How long the modulus is, and with it every block, in octets: 64 to 248.
    pub fn len_octets(&self) -> usize {
        usize::from(self.len_octets)
    }

    /// The exponent as its tag carries it: one or three octets.
    pub fn exponent(&self) -> &'static [u8] {
        match self.exponent {
            Exponent::Three => &[3],
            Exponent::F4 => &[1, 0, 1],
        }
    }

    /// Raises what was signed to the public exponent; also enciphers.
    ///
    /// # Errors
    ///
    /// [`RsaError::BadBlock`] unless `block` is as long as the modulus and below it.
    pub fn recover(&self, block: &[u8]) -> Result<Block, RsaError> {
        let block = Block::of(block).filter(|block| block.octets().len() == self.len_octets());
        let exponent = right_aligned(self.exponent()).ok_or(RsaError::BadExponent)?;
        let block = block.ok_or(RsaError::BadBlock)?;
        power(self, &block, &exponent, 8 * self.exponent().len())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} bits, e = {})", 8 * self.len_octets(), self.exponent.number())
    }
}

/// A key pair. Wiped on drop, never shown.
#[derive(Clone)]
pub struct PrivateKey {
    public: PublicKey,
    exponent: [u8; MODULUS_OCTETS_MAX],
}

impl PrivateKey {
    /// Takes a public key's parts and the private exponent, big-endian.
    ///
    /// Whether the exponents belong together is not judged: a wrong one makes wrong signatures.
    ///
    /// # Errors
    ///
    /// [`RsaError::BadModulus`], [`RsaError::BadExponent`].
    pub fn new(modulus: &[u8], exponent: &[u8], private: &[u8]) -> Result<Self, RsaError> {
        let public = PublicKey::new(modulus, exponent)?;
        let is_fitting = !private.is_empty() && private.len() <= modulus.len();
        let exponent = right_aligned(private).filter(|_| is_fitting);
        Ok(Self { public, exponent: exponent.ok_or(RsaError::BadExponent)? })
    }

    /// A pair that stands in this crate's own text.
    pub(crate) fn published<const N: usize>(
        modulus: &[u8; N],
        exponent: Exponent,
        private: &[u8; N],
    ) -> Self {
        const { assert!(N >= MODULUS_OCTETS_MIN && N <= MODULUS_OCTETS_MAX) };
        let whole = |octets| right_aligned(octets).unwrap_or([0; MODULUS_OCTETS_MAX]);
        let public = PublicKey { modulus: whole(modulus), len_octets: N as u8, exponent };
        Self { public, exponent: whole(private) }
    }

    /// The half that everybody may know.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Raises a block to the private exponent: signs it, or deciphers it.
    ///
    /// # Errors
    ///
    /// [`RsaError::BadBlock`] unless `block` is as long as the modulus and below it.
    pub fn apply(&self, block: &Block) -> Result<Block, RsaError> {
        if block.octets().len() != self.public.len_octets() {
            return Err(RsaError::BadBlock);
        }
        power(&self.public, block, &self.exponent, 8 * self.public.len_octets())
    }
}

impl Drop for PrivateKey {
    fn drop(&mut self) {
        self.exponent.zeroize();
    }
}

/// As many octets as a modulus has. Wiped on drop, for one of them may hold a PIN.
#[derive(Clone)]
pub struct Block {
    /// Right-aligned, zeros before it.
    octets: [u8; MODULUS_OCTETS_MAX],
    len_octets: usize,
}

impl Block {
    /// A block of `len_octets` octets, at most [`MODULUS_OCTETS_MAX`], that are all `octet`.
    ///
    /// # Errors
    ///
    /// [`RsaError::BadBlock`] if it would be longer.
    pub fn filled(len_octets: usize, octet: u8) -> Result<Self, RsaError> {
        if len_octets > MODULUS_OCTETS_MAX {
            return Err(RsaError::BadBlock);
        }
        let mut block = Self { octets: [0; MODULUS_OCTETS_MAX], len_octets };
        block.octets_mut().fill(octet);
        Ok(block)
    }

    /// A copy of octets; `None` if there are more than [`MODULUS_OCTETS_MAX`].
    pub fn of(octets: &[u8]) -> Option<Self> {
        Some(Self { octets: right_aligned(octets)?, len_octets: octets.len() })
    }

    /// What stands in it.
    pub fn octets(&self) -> &[u8] {
        tail(&self.octets, self.len_octets)
    }

    /// What stands in it, to be written.
    pub fn octets_mut(&mut self) -> &mut [u8] {
        let before = MODULUS_OCTETS_MAX.saturating_sub(self.len_octets);
        self.octets.get_mut(before..).unwrap_or_default()
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.octets.zeroize();
    }
}

/// Why a power was not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RsaError {
    /// The block is not as long as the modulus, or not below it.
    BadBlock,
    /// The public exponent is neither 3 nor 65 537, or the private one is longer than the modulus.
    BadExponent,
    /// The modulus has no 64 to 248 octets, or its highest or lowest bit is not set.
    BadModulus,
}

impl fmt::Display for RsaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadBlock => "RSA: the block does not fit the modulus",
            Self::BadExponent => "RSA: the exponent is none that chips use",
            Self::BadModulus => "RSA: the modulus is none that chips use",
        })
    }
}

impl core::error::Error for RsaError {}

/// The longest modulus in octets: 1984 bits, so that its certificate fits into one record.
pub const MODULUS_OCTETS_MAX: usize = 248;

/// The shortest modulus in octets; formats need some forty of them.
const MODULUS_OCTETS_MIN: usize = 64;

/// The two exponents that EMV allows.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Exponent {
    Three,
    F4,
}

impl Exponent {
    fn parse(octets: &[u8]) -> Result<Self, RsaError> {
        match octets {
            [3] => Ok(Self::Three),
            [1, 0, 1] => Ok(Self::F4),
            _ => Err(RsaError::BadExponent),
        }
    }

    fn number(self) -> u32 {
        match self {
            Self::Three => 3,
            Self::F4 => 65_537,
        }
    }
}

/// The power in the narrowest of three widths: a step costs by the square of the width.
fn power(
    key: &PublicKey,
    block: &Block,
    exponent: &[u8; MODULUS_OCTETS_MAX],
    exponent_bits: usize,
) -> Result<Block, RsaError> {
    let bits = u32::try_from(exponent_bits).map_err(|_| RsaError::BadExponent)?;
    match key.len_octets() {
        ..=128 => power_of::<{ limbs(1024) }>(key, block, exponent, bits),
        129..=176 => power_of::<{ limbs(1408) }>(key, block, exponent, bits),
        177.. => power_of::<{ limbs(1984) }>(key, block, exponent, bits),
    }
}

const fn limbs(bits: u32) -> usize {
    bits.div_ceil(Limb::BITS) as usize
}

fn power_of<const LIMBS: usize>(
    key: &PublicKey,
    block: &Block,
    exponent: &[u8; MODULUS_OCTETS_MAX],
    exponent_bits: u32,
) -> Result<Block, RsaError> {
    let number =
        |octets: &[u8]| Uint::<LIMBS>::from_be_slice_truncated(octets, Uint::<LIMBS>::BITS);
    let modulus = number(&key.modulus);
    let mut base = number(&block.octets);
    if base >= modulus {
        return Err(RsaError::BadBlock);
    }
    let modulus = Option::<Odd<_>>::from(Odd::new(modulus)).ok_or(RsaError::BadModulus)?;
    // The modulus is no secret, so finding its parameters may take a time that shows it.
    let params = FixedMontyParams::new_vartime(modulus);
    let mut exponent = number(exponent);
    let mut raised = FixedMontyForm::new(&base, &params).pow_bounded_exp(&exponent, exponent_bits);
    let result = raised.retrieve().to_be_bytes();
    base.zeroize();
    exponent.zeroize();
    raised.zeroize();
    let octets = result.as_slice();
    let before = octets.len().saturating_sub(key.len_octets());
    octets.get(before..).and_then(Block::of).ok_or(RsaError::BadBlock)
}

/// Octets behind as many zeros as fill the room; `None` if they are too many.
fn right_aligned(octets: &[u8]) -> Option<[u8; MODULUS_OCTETS_MAX]> {
    let mut room = [0; MODULUS_OCTETS_MAX];
    let before = room.len().checked_sub(octets.len())?;
    room.get_mut(before..)?.copy_from_slice(octets);
    Some(room)
}

fn tail(room: &[u8; MODULUS_OCTETS_MAX], len_octets: usize) -> &[u8] {
    room.get(room.len().saturating_sub(len_octets)..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    extern crate std;

    use std::format;

    use super::{Block, PrivateKey, PublicKey, RsaError};
    use crate::oda::development::TestKey;

    #[test]
    fn takes_the_moduli_and_exponents_that_chips_have() {
        let key = |len: usize, first, last, exponent: &[u8]| {
            let mut modulus = [0x55; 300];
            modulus[0] = first;
            modulus[len - 1] = last;
            PublicKey::new(&modulus[..len], exponent).err()
        };
        for len in [64, 128, 144, 248] {
            assert_eq!(key(len, 0x80, 1, &[3]), None, "{len}");
        }
        for (len, first, last) in [(63, 0x80, 1), (249, 0x80, 1), (128, 0x7F, 1), (128, 0x80, 2)] {
            assert_eq!(key(len, first, last, &[3]), Some(RsaError::BadModulus), "{len}");
        }
        assert_eq!(PublicKey::new(&[], &[3]).err(), Some(RsaError::BadModulus));
        assert_eq!(key(128, 0x80, 1, &[1, 0, 1]), None);
        for exponent in [&[][..], &[2], &[0, 3], &[0, 1, 0, 1], &[1, 0, 3]] {
            assert_eq!(key(128, 0x80, 1, exponent), Some(RsaError::BadExponent), "{exponent:?}");
        }
        let pair = |private: &[u8]| PrivateKey::new(&[0x81; 64], &[3], private).err();
        assert_eq!(pair(&[1; 65]), Some(RsaError::BadExponent));
        assert_eq!(pair(&[]), Some(RsaError::BadExponent));
        assert_eq!(pair(&[1; 64]), None);
    }

    #[test]
    fn a_block_is_as_long_as_the_modulus_and_below_it() {
        let pair = TestKey::Chip.pair();
        let refused = |octets: &[u8]| pair.public().recover(octets).err();
        assert_eq!(refused(pair.public().modulus()), Some(RsaError::BadBlock));
        assert_eq!(refused(&[0xFF; 128]), Some(RsaError::BadBlock));
        assert_eq!(refused(&[0; 127]), Some(RsaError::BadBlock));
        assert_eq!(refused(&[0; 300]), Some(RsaError::BadBlock));
        let short = Block::filled(64, 1).unwrap();
        assert_eq!(pair.apply(&short).err(), Some(RsaError::BadBlock));
        assert_eq!(Block::filled(249, 1).err(), Some(RsaError::BadBlock));
        assert_eq!(pair.public().recover(&[0; 128]).unwrap().octets(), [0; 128]);
    }

    #[test]
    fn a_key_shows_its_size_only() {
        let key = *TestKey::AuthorityLong.pair().public();
        assert_eq!(format!("{key:?}"), "PublicKey(1984 bits, e = 65537)");
    }
}
