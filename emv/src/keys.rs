//! Keys that know what they are for.
//!
//! A key's purpose is its type, so a key for PIN blocks cannot be handed to a function that makes
//! verification values. The octets are private, are wiped when the key is dropped, and `Debug`
//! shows purpose and check value only. There is no import but [`Key::from_octets`] and no export.
//!
//! The key check value is the first three octets of zeros enciphered under the key, the form that
//! terminals, hosts and security modules of this trade print.
//!
//! ```
//! use cekr_emv::keys::{Key, Pvk, Zpk};
//!
//! let zpk = Key::<Zpk>::development();
//! assert_eq!(format!("{zpk:?}"), format!("Key<ZPK>(kcv {})", zpk.kcv()));
//! assert_ne!(zpk.kcv(), Key::<Pvk>::development().kcv());
//! ```

use core::fmt;
use core::marker::PhantomData;

use zeroize::Zeroize;

use crate::crypto::des::TripleDes;

/// A triple DES key of two or three parts, usable for one purpose only.
///
/// It holds the expanded key schedule beside the octets: making it costs about as much as
/// enciphering a block, so make it once and share it.
pub struct Key<P: Purpose> {
    octets: [u8; LEN_OCTETS_MAX],
    len_octets: u8,
    cipher: TripleDes,
    purpose: PhantomData<fn() -> P>,
}

impl<P: Purpose> Key<P> {
    /// Takes the clear octets of a key: 16 (two parts) or 24 (three parts). Parity is not judged.
    ///
    /// # Errors
    ///
    /// [`KeyError::BadLength`] for any other number of octets.
    pub fn from_octets(clear: &[u8]) -> Result<Self, KeyError> {
        if let Ok(two_parts) = clear.try_into() {
            return Ok(Self::from_two_parts(two_parts));
        }
        let three_parts: &[u8; 24] = clear.try_into().map_err(|_| KeyError::BadLength)?;
        Ok(Self {
            octets: *three_parts,
            len_octets: 24,
            cipher: TripleDes::with_three_parts(three_parts),
            purpose: PhantomData,
        })
    }

    fn from_two_parts(two_parts: &[u8; 16]) -> Self {
        let mut octets = [0; LEN_OCTETS_MAX];
        for (to, from) in octets.iter_mut().zip(two_parts) {
            *to = *from;
        }
        Self { octets, len_octets: 16, cipher: TripleDes::new(two_parts), purpose: PhantomData }
    }

    /// The key check value, safe to print and to compare.
    pub fn kcv(&self) -> Kcv {
        Kcv(self.cipher.kcv())
    }

    /// The cipher, for the functions of this crate that are typed by the key's purpose.
    pub(crate) fn cipher(&self) -> &TripleDes {
        &self.cipher
    }
}

impl Key<Pvk> {
    /// The published test key for PIN verification values: no secret, for built-in cards only.
    ///
    /// The ASCII text `CEKR-PVK-TESTKEY` with odd parity: `43454A522C51574A2C544552544A4558`,
    /// check value `0345E3`.
    pub fn development() -> Self {
        Self::from_two_parts(b"\x43\x45\x4A\x52\x2C\x51\x57\x4A\x2C\x54\x45\x52\x54\x4A\x45\x58")
    }
}

impl Key<Zpk> {
    /// The published test key for PIN blocks: no secret, for simulated terminals only.
    ///
    /// The ASCII text `CEKR-ZPK-TESTKEY` with odd parity: `43454A522C5B514A2C544552544A4558`,
    /// check value `E7C543`.
    pub fn development() -> Self {
        Self::from_two_parts(b"\x43\x45\x4A\x52\x2C\x5B\x51\x4A\x2C\x54\x45\x52\x54\x4A\x45\x58")
    }
}

impl<P: Purpose> Drop for Key<P> {
    fn drop(&mut self) {
        // The cipher wipes its own schedule.
        self.octets.zeroize();
        self.len_octets.zeroize();
    }
}

impl<P: Purpose> fmt::Debug for Key<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key<{}>(kcv {})", P::NAME, self.kcv())
    }
}

/// What a key may be used for. Closed: only this crate names purposes.
pub trait Purpose: sealed::Sealed {
    /// The trade's abbreviation, as in `docs/glossary.md`.
    const NAME: &'static str;
}

/// PIN verification key: makes and checks PIN verification values.
pub enum Pvk {}

impl Purpose for Pvk {
    const NAME: &'static str = "PVK";
}

/// Zone PIN key: enciphers PIN blocks between two parties.
pub enum Zpk {}

impl Purpose for Zpk {
    const NAME: &'static str = "ZPK";
}

/// Key check value: three octets that tell keys apart and give nothing away.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Kcv([u8; 3]);

impl Kcv {
    /// A check value as another party states it, to compare ours with.
    pub fn from_octets(octets: [u8; 3]) -> Self {
        Self(octets)
    }

    /// The three octets.
    pub fn octets(self) -> [u8; 3] {
        self.0
    }
}

impl fmt::Display for Kcv {
    /// Six upper-case hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second, third] = self.0;
        write!(f, "{first:02X}{second:02X}{third:02X}")
    }
}

impl fmt::Debug for Kcv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why octets are no key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyError {
    /// Neither 16 nor 24 octets.
    BadLength,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadLength => "a triple DES key has 16 or 24 octets",
        })
    }
}

impl core::error::Error for KeyError {}

mod sealed {
    /// Keeps [`super::Purpose`] closed.
    pub trait Sealed {}

    impl Sealed for super::Pvk {}
    impl Sealed for super::Zpk {}
}

/// The most octets a key has: three parts of eight.
const LEN_OCTETS_MAX: usize = 24;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    extern crate std;

    use std::format;

    use super::{Kcv, Key, KeyError, Pvk, Zpk};

    #[test]
    fn takes_two_or_three_parts_and_no_other_length() {
        for len in 0..=40 {
            let key = Key::<Zpk>::from_octets(&[0x5A; 40][..len]);
            assert_eq!(key.is_ok(), len == 16 || len == 24, "{len} octets");
            assert_eq!(key.err(), (len != 16 && len != 24).then_some(KeyError::BadLength));
        }
    }

    #[test]
    fn shows_its_purpose_and_check_value_but_no_octet() {
        assert_eq!(format!("{:?}", Key::<Zpk>::development()), "Key<ZPK>(kcv E7C543)");
        assert_eq!(format!("{:?}", Key::<Pvk>::development()), "Key<PVK>(kcv 0345E3)");
    }

    #[test]
    fn has_the_check_value_of_its_first_two_parts_when_the_third_repeats_the_first() {
        let two = *b"0123456789ABCDEF";
        let mut three = [0; 24];
        three[..16].copy_from_slice(&two);
        three[16..].copy_from_slice(&two[..8]);
        let kcv = Key::<Pvk>::from_octets(&two).unwrap().kcv();
        assert_eq!(Key::<Pvk>::from_octets(&three).unwrap().kcv(), kcv);
        assert_eq!(Kcv::from_octets(kcv.octets()), kcv);
    }
}
