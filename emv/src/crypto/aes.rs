//! AES on single blocks, with a key of 128, 192 or 256 bits.
//!
//! The cipher is RustCrypto's, which uses the processor's instructions where there are any; here
//! the three key lengths become one type. MACs stand in [`crate::crypto::mac`].
//!
//! Source: FIPS PUB 197; the example is its Appendix C.1.
//!
//! ```
//! use cekr_emv::crypto::aes::Aes;
//!
//! let cipher = Aes::new(&core::array::from_fn::<u8, 16, _>(|i| i as u8)).expect("16 octets");
//! let clear = 0x0011_2233_4455_6677_8899_AABB_CCDD_EEFF_u128.to_be_bytes();
//! let sealed = 0x69C4_E0D8_6A7B_0430_D8CD_B780_70B4_C55A_u128.to_be_bytes();
//! assert_eq!(cipher.encrypt(clear), sealed);
//! assert_eq!(cipher.decrypt(sealed), clear);
//! assert!(Aes::new(&[0; 17]).is_none());
//! ```

use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes192, Aes256};
use zeroize::Zeroize;

/// How long a key is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyLength {
    /// 128 bits.
    Bits128,
    /// 192 bits.
    Bits192,
    /// 256 bits.
    Bits256,
}

impl KeyLength {
    /// The length of a key of so many octets; `None` unless 16, 24 or 32.
    pub fn of_octets(len_octets: usize) -> Option<Self> {
        [Self::Bits128, Self::Bits192, Self::Bits256]
            .into_iter()
            .find(|length| length.octets() == len_octets)
    }

    /// The number of octets: 16, 24 or 32.
    pub fn octets(self) -> usize {
        match self {
            Self::Bits128 => 16,
            Self::Bits192 => 24,
            Self::Bits256 => 32,
        }
    }

    /// The algorithm's number in derivation data (ANSI X9.24-3, X9.143).
    pub(crate) fn algorithm(self) -> u8 {
        match self {
            Self::Bits128 => 2,
            Self::Bits192 => 3,
            Self::Bits256 => 4,
        }
    }

    /// The number of bits, big-endian.
    pub(crate) fn bits(self) -> [u8; 2] {
        match self {
            Self::Bits128 => [0x00, 0x80],
            Self::Bits192 => [0x00, 0xC0],
            Self::Bits256 => [0x01, 0x00],
        }
    }
}

/// AES with one expanded key; wiped on drop.
pub struct Aes(Variant);

impl Aes {
    /// Expands a key of 16, 24 or 32 octets; `None` for any other number.
    pub fn new(key: &[u8]) -> Option<Self> {
        let length = KeyLength::of_octets(key.len())?;
        let mut octets = [0; 32];
        for (to, from) in octets.iter_mut().zip(key) {
            *to = *from;
        }
        let cipher = Self::of_length(length, &octets);
        octets.zeroize();
        Some(cipher)
    }

    /// Expands the first octets of `key`, as many as `length` says.
    pub(crate) fn of_length(length: KeyLength, key: &[u8; 32]) -> Self {
        let [first_24 @ .., _, _, _, _, _, _, _, _] = key;
        let [first_16 @ .., _, _, _, _, _, _, _, _] = first_24;
        Self(match length {
            KeyLength::Bits128 => Variant::Aes128(Aes128::new(&Array(*first_16))),
            KeyLength::Bits192 => Variant::Aes192(Aes192::new(&Array(*first_24))),
            KeyLength::Bits256 => Variant::Aes256(Aes256::new(&Array(*key))),
        })
    }

    /// Enciphers one block.
    pub fn encrypt(&self, block: [u8; 16]) -> [u8; 16] {
        let mut block = Array(block);
        match &self.0 {
            Variant::Aes128(cipher) => cipher.encrypt_block(&mut block),
            Variant::Aes192(cipher) => cipher.encrypt_block(&mut block),
            Variant::Aes256(cipher) => cipher.encrypt_block(&mut block),
        }
        block.0
    }

    /// Deciphers one block.
    pub fn decrypt(&self, block: [u8; 16]) -> [u8; 16] {
        let mut block = Array(block);
        match &self.0 {
            Variant::Aes128(cipher) => cipher.decrypt_block(&mut block),
            Variant::Aes192(cipher) => cipher.decrypt_block(&mut block),
            Variant::Aes256(cipher) => cipher.decrypt_block(&mut block),
        }
        block.0
    }
}

enum Variant {
    Aes128(Aes128),
    Aes192(Aes192),
    Aes256(Aes256),
}
