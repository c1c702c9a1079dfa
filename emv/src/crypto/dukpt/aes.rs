//! DUKPT with AES: 96-bit serial numbers, 32 bits of counter, keys of 128, 192 or 256 bits.
//!
//! Every key is made the same way: sixteen octets that say what it is for, how long it is and of
//! which transaction it is, enciphered under the key above it.
//!
//! Source: ANSI X9.24-3:2017, section 6.3; its supplement has the cases of the vectors.
//!
//! ```
//! use cekr_emv::crypto::dukpt::aes::{self, Ksn};
//! use cekr_emv::crypto::aes::KeyLength;
//! use cekr_emv::keys::{AesKey, Bdk};
//!
//! let bdk = 0xFEDCBA9876543210F1F1F1F1F1F1F1F1_u128.to_be_bytes();
//! let bdk = AesKey::<Bdk>::from_octets(&bdk)?;
//! let ik = aes::initial_key(&bdk, 0x1234567890123456_u64.to_be_bytes());
//! assert_eq!(ik.expose()[..4], [0x12, 0x73, 0x67, 0x1E]);
//! let ksn = Ksn::new([0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56, 0, 0, 0, 1]);
//! let transaction = aes::transaction_key(&ik, ksn).expect("counter 1");
//! let pin_key = aes::pin_key(&transaction, ksn, KeyLength::Bits128);
//! assert_eq!(pin_key.expose()[..4], [0xAF, 0x8C, 0xB1, 0x33]);
//! # Ok::<(), cekr_emv::keys::KeyError>(())
//! ```

use zeroize::Zeroize;

use crate::crypto::aes::{Aes, KeyLength};
use crate::crypto::dukpt::KsnError;
use crate::keys::{AesKey, Bdk, Dek, DukptIk, DukptTransaction, Mak, Purpose, Zpk};

/// Key serial number: eight octets that name the pad's first key, four of transaction counter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ksn([u8; 12]);

impl Ksn {
    /// The twelve octets as a message carries them.
    pub fn new(octets: [u8; 12]) -> Self {
        Self(octets)
    }

    /// The transaction counter.
    pub fn counter(self) -> u32 {
        let [.., a, b, c, d] = self.0;
        u32::from_be_bytes([a, b, c, d])
    }

    /// What a key is bound to: the second half of the pad's name, and a counter.
    fn context(self, counter: u32) -> [u8; 8] {
        let [_, _, _, _, a, b, c, d, ..] = self.0;
        let [e, f, g, h] = counter.to_be_bytes();
        [a, b, c, d, e, f, g, h]
    }
}

/// The first key of a pad, which is loaded into it; as long as the base key.
///
/// `pad` is the pad's initial key identifier, the first eight octets of its serial numbers.
pub fn initial_key(bdk: &AesKey<Bdk>, pad: [u8; 8]) -> AesKey<DukptIk> {
    derived(bdk.cipher(), USAGE_INITIAL, bdk.length(), pad)
}

/// The key of the transaction that a serial number counts; as long as the first key.
///
/// # Errors
///
/// [`KsnError`] for a counter that no pad uses.
pub fn transaction_key(
    ik: &AesKey<DukptIk>,
    ksn: Ksn,
) -> Result<AesKey<DukptTransaction>, KsnError> {
    let counter = ksn.counter();
    if counter.count_ones() > COUNTER_ONES_MAX {
        return Err(KsnError::Skipped);
    }
    let mut bits = (0..32).rev().map(|place| 1 << place).filter(|bit| counter & bit != 0);
    let mut so_far = bits.next().ok_or(KsnError::Zero)?;
    let step =
        |above: &Aes, so_far| derived(above, USAGE_DERIVATION, ik.length(), ksn.context(so_far));
    let mut key = step(ik.cipher(), so_far);
    for bit in bits {
        so_far |= bit;
        key = step(key.cipher(), so_far);
    }
    Ok(key)
}

/// The transaction's key for PIN blocks.
pub fn pin_key(transaction: &AesKey<DukptTransaction>, ksn: Ksn, length: KeyLength) -> AesKey<Zpk> {
    working(transaction, USAGE_PIN, ksn, length)
}

/// The transaction's key for the MAC of what the pad sends.
pub fn mac_key(transaction: &AesKey<DukptTransaction>, ksn: Ksn, length: KeyLength) -> AesKey<Mak> {
    working(transaction, USAGE_MAC_GENERATION, ksn, length)
}

/// The transaction's key for data that the pad enciphers.
pub fn data_key(
    transaction: &AesKey<DukptTransaction>,
    ksn: Ksn,
    length: KeyLength,
) -> AesKey<Dek> {
    working(transaction, USAGE_DATA_ENCRYPTION, ksn, length)
}

fn working<P: Purpose>(
    transaction: &AesKey<DukptTransaction>,
    usage: u16,
    ksn: Ksn,
    length: KeyLength,
) -> AesKey<P> {
    derived(transaction.cipher(), usage, length, ksn.context(ksn.counter()))
}

/// A key of `length` out of two blocks, of which a short one needs the first.
fn derived<P: Purpose>(above: &Aes, usage: u16, length: KeyLength, context: [u8; 8]) -> AesKey<P> {
    let [high, low] = usage.to_be_bytes();
    let [bits_high, bits_low] = length.bits();
    let [a, b, c, d, e, f, g, h] = context;
    let block = |number| {
        let algorithm = length.algorithm();
        above.encrypt([
            1, number, high, low, 0, algorithm, bits_high, bits_low, a, b, c, d, e, f, g, h,
        ])
    };
    let mut octets = [0; 32];
    for (to, from) in octets.iter_mut().zip(block(1).into_iter().chain(block(2))) {
        *to = from;
    }
    let key = AesKey::derived(length, octets);
    octets.zeroize();
    key
}

/// A pad skips counters with more set bits, so that no key is more than sixteen steps away.
const COUNTER_ONES_MAX: u32 = 16;

// What a key is for, in derivation data (X9.24-3:2017, table 2).
const USAGE_PIN: u16 = 0x1000;
const USAGE_MAC_GENERATION: u16 = 0x2000;
const USAGE_DATA_ENCRYPTION: u16 = 0x3000;
const USAGE_DERIVATION: u16 = 0x8000;
const USAGE_INITIAL: u16 = 0x8001;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Ksn, transaction_key};
    use crate::crypto::dukpt::KsnError;
    use crate::keys::{AesKey, DukptIk};

    #[test]
    fn refuses_a_counter_that_no_pad_uses() {
        let ik = AesKey::<DukptIk>::from_octets(&[0x6A; 24]).unwrap();
        let at = |counter: u32| {
            let [a, b, c, d] = counter.to_be_bytes();
            let ksn = Ksn::new([1, 2, 3, 4, 5, 6, 7, 8, a, b, c, d]);
            transaction_key(&ik, ksn).err()
        };
        assert_eq!(at(0), Some(KsnError::Zero));
        assert_eq!(at(0x0001_FFFF), Some(KsnError::Skipped));
        assert_eq!(at(0xFFFF_0000), None);
        assert_eq!(at(0x0000_FFFF), None);
    }
}
