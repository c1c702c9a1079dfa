//! DUKPT with triple DES: 80-bit serial numbers, 21 bits of counter.
//!
//! Source: ANSI X9.24-1:2009, Annex A; its A.4 has the cases of the vectors.
//!
//! ```
//! use cekr_emv::crypto::dukpt::tdes::{self, Ksn};
//! use cekr_emv::keys::{Bdk, Key};
//!
//! let bdk = Key::<Bdk>::from_octets(&0x0123456789ABCDEFFEDCBA9876543210_u128.to_be_bytes())?;
//! let ksn = Ksn::new([0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, 0xE0, 0x00, 0x01]);
//! let ik = tdes::initial_key(&bdk, ksn);
//! let transaction = tdes::transaction_key(&ik, ksn).expect("counter 1");
//! assert_eq!(transaction.expose()[..4], [0x04, 0x26, 0x66, 0xB4]);
//! # Ok::<(), cekr_emv::keys::KeyError>(())
//! ```

use zeroize::Zeroize;

use crate::crypto::des::Des;
use crate::crypto::dukpt::KsnError;
use crate::crypto::modes::xor;
use crate::keys::{Bdk, DukptIk, DukptTransaction, Key, Mak, Purpose, Zpk};

/// Key serial number: who the pad is, and in the last 21 bits its transaction counter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ksn([u8; 10]);

impl Ksn {
    /// The ten octets as a message carries them.
    pub fn new(octets: [u8; 10]) -> Self {
        Self(octets)
    }

    /// The transaction counter, 21 bits.
    pub fn counter(self) -> u32 {
        (self.low() & COUNTER_MASK) as u32
    }

    /// The last eight octets.
    fn low(self) -> u64 {
        let [_, _, low @ ..] = self.0;
        u64::from_be_bytes(low)
    }

    /// The first eight octets, with those bits of the counter that stand in them cleared.
    fn pad(self) -> [u8; 8] {
        let [a, b, c, d, e, f, g, h, _, _] = self.0;
        [a, b, c, d, e, f, g, h & 0xE0]
    }
}

/// The first key of a pad, which is loaded into it.
pub fn initial_key(bdk: &Key<Bdk>, ksn: Ksn) -> Key<DukptIk> {
    let other = Key::<Bdk>::derived_without_parity(xor(bdk.two_parts(), VARIANT));
    let left = u64::from_be_bytes(bdk.cipher().encrypt(ksn.pad()));
    let right = u64::from_be_bytes(other.cipher().encrypt(ksn.pad()));
    Key::derived_without_parity((u128::from(left) << 64 | u128::from(right)).to_be_bytes())
}

/// The key of the transaction that a serial number counts.
///
/// # Errors
///
/// [`KsnError`] for a counter that no pad uses.
pub fn transaction_key(ik: &Key<DukptIk>, ksn: Ksn) -> Result<Key<DukptTransaction>, KsnError> {
    let counter = u64::from(ksn.counter());
    if counter == 0 {
        return Err(KsnError::Zero);
    }
    if counter.count_ones() > COUNTER_ONES_MAX {
        return Err(KsnError::Skipped);
    }
    let mut register = ksn.low() & !COUNTER_MASK;
    let mut key = ik.two_parts();
    for bit in (0..21).rev().map(|place| 1 << place).filter(|bit| counter & bit != 0) {
        register |= bit;
        key = next(&mut key, register);
    }
    Ok(Key::derived_without_parity(key))
}

/// The transaction's key for PIN blocks.
pub fn pin_key(transaction: &Key<DukptTransaction>) -> Key<Zpk> {
    variant(transaction, 0xFF)
}

/// The transaction's key for the MAC of what the pad sends.
pub fn mac_key_request(transaction: &Key<DukptTransaction>) -> Key<Mak> {
    variant(transaction, 0xFF00)
}

/// The transaction's key for the MAC of what the pad receives.
pub fn mac_key_response(transaction: &Key<DukptTransaction>) -> Key<Mak> {
    variant(transaction, 0xFF00_0000)
}

/// The same mask over both halves, so that no purpose's key opens what another's sealed.
fn variant<P: Purpose>(transaction: &Key<DukptTransaction>, mask: u64) -> Key<P> {
    let mask = u128::from(mask) << 64 | u128::from(mask);
    Key::derived_without_parity(xor(transaction.two_parts(), mask.to_be_bytes()))
}

/// One step that cannot be undone: the key that follows from another at one set bit.
fn next(key: &mut [u8; 16], register: u64) -> [u8; 16] {
    let right = half(*key, register);
    let left = half(xor(*key, VARIANT), register);
    key.zeroize();
    (u128::from(left) << 64 | u128::from(right)).to_be_bytes()
}

fn half(key: [u8; 16], register: u64) -> u64 {
    let [a, b, c, d, e, f, g, h, right @ ..] = key;
    let right = u64::from_be_bytes(right);
    let sealed = Des::new(&[a, b, c, d, e, f, g, h]).encrypt((register ^ right).to_be_bytes());
    u64::from_be_bytes(sealed) ^ right
}

const COUNTER_MASK: u64 = 0x1F_FFFF;

/// A pad skips counters with more set bits, so that no key is more than ten steps away.
const COUNTER_ONES_MAX: u32 = 10;

/// Turns a key into the one for the other half.
const VARIANT: [u8; 16] = 0xC0C0_C0C0_0000_0000_C0C0_C0C0_0000_0000_u128.to_be_bytes();

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Ksn, transaction_key};
    use crate::crypto::dukpt::KsnError;
    use crate::keys::{DukptIk, Key};

    #[test]
    fn refuses_a_counter_that_no_pad_uses() {
        let ik = Key::<DukptIk>::from_octets(&[0x6A; 16]).unwrap();
        let at = |[a, b, c]: [u8; 3]| {
            transaction_key(&ik, Ksn::new([0xFF, 0xFF, 0x98, 0x76, 0x54, 0x32, 0x10, a, b, c]))
        };
        assert_eq!(at([0xE0, 0, 0]).err(), Some(KsnError::Zero));
        assert_eq!(at([0xE0, 0x07, 0xFF]).err(), Some(KsnError::Skipped));
        assert!(at([0xE0, 0x03, 0xFF]).is_ok());
    }
}
