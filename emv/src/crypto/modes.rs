//! Chaining of blocks: cipher block chaining and counter mode, in place and without padding.
//!
//! Only key blocks and enciphered script data need these; a PIN block and a cryptogram are made of
//! single blocks. Padding belongs to the format and is done there.
//!
//! Source: NIST SP 800-38A, sections 6.2 and 6.5.

use crate::crypto::aes::Aes;
use crate::crypto::des::TripleDes;

/// A cipher over blocks of `N` octets with its key in it.
pub(crate) trait BlockCipher<const N: usize> {
    /// Enciphers one block.
    fn encipher(&self, block: [u8; N]) -> [u8; N];

    /// Deciphers one block.
    fn decipher(&self, block: [u8; N]) -> [u8; N];
}

impl BlockCipher<8> for TripleDes {
    fn encipher(&self, block: [u8; 8]) -> [u8; 8] {
        self.encrypt(block)
    }

    fn decipher(&self, block: [u8; 8]) -> [u8; 8] {
        self.decrypt(block)
    }
}

impl BlockCipher<16> for Aes {
    fn encipher(&self, block: [u8; 16]) -> [u8; 16] {
        self.encrypt(block)
    }

    fn decipher(&self, block: [u8; 16]) -> [u8; 16] {
        self.decrypt(block)
    }
}

/// Enciphers whole blocks, each mixed with the one before. `None` unless the blocks are whole.
pub(crate) fn cbc_encipher<const N: usize>(
    cipher: &impl BlockCipher<N>,
    mut chain: [u8; N],
    data: &mut [u8],
) -> Option<()> {
    let (blocks, rest) = data.as_chunks_mut::<N>();
    rest.is_empty().then_some(())?;
    for block in blocks {
        *block = cipher.encipher(xor(*block, chain));
        chain = *block;
    }
    Some(())
}

/// Undoes [`cbc_encipher`]. `None` unless the blocks are whole.
pub(crate) fn cbc_decipher<const N: usize>(
    cipher: &impl BlockCipher<N>,
    mut chain: [u8; N],
    data: &mut [u8],
) -> Option<()> {
    let (blocks, rest) = data.as_chunks_mut::<N>();
    rest.is_empty().then_some(())?;
    for block in blocks {
        let sealed = *block;
        *block = xor(cipher.decipher(sealed), chain);
        chain = sealed;
    }
    Some(())
}

/// Enciphers or deciphers any number of octets with a key stream that counts from `start`.
pub(crate) fn counter(cipher: &Aes, start: [u8; 16], data: &mut [u8]) {
    let mut count = u128::from_be_bytes(start);
    for block in data.chunks_mut(16) {
        for (octet, key) in block.iter_mut().zip(cipher.encrypt(count.to_be_bytes())) {
            *octet ^= key;
        }
        count = count.wrapping_add(1);
    }
}

/// Octet by octet, exclusive or.
pub(crate) fn xor<const N: usize>(left: [u8; N], right: [u8; N]) -> [u8; N] {
    let mut mixed = left;
    for (octet, other) in mixed.iter_mut().zip(right) {
        *octet ^= other;
    }
    mixed
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::{cbc_decipher, cbc_encipher, counter};
    use crate::crypto::aes::Aes;
    use crate::crypto::des::TripleDes;

    #[test]
    fn refuses_a_block_that_is_not_whole() {
        let cipher = TripleDes::new(&[7; 16]);
        assert_eq!(cbc_encipher(&cipher, [0; 8], &mut [0; 15]), None);
        assert_eq!(cbc_decipher(&cipher, [0; 8], &mut [0; 9]), None);
    }

    proptest! {
        #[test]
        fn gives_back_what_was_chained(key: [u8; 32], start: [u8; 16], clear: [u8; 48]) {
            let aes = Aes::new(&key).unwrap();
            let mut data = clear;
            cbc_encipher(&aes, start, &mut data).unwrap();
            prop_assert_ne!(data, clear);
            cbc_decipher(&aes, start, &mut data).unwrap();
            prop_assert_eq!(data, clear);
            counter(&aes, start, &mut data[..37]);
            counter(&aes, start, &mut data[..37]);
            prop_assert_eq!(data, clear);
        }
    }
}
