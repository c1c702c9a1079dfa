//! Keys that know what they are for.
//!
//! A key's purpose is its type, so a key for PIN blocks cannot be handed to a function that makes
//! verification values. The octets are private, are wiped when the key is dropped, and `Debug`
//! shows purpose and check value only. Keys come in by [`Key::from_octets`] or out of a key block
//! ([`crate::crypto::tr31`]), and leave in a key block; the clear octets leave through
//! [`Key::expose`] alone, so that a reviewer can search for it.
//!
//! The key check value of a DES key is the first three octets of zeros enciphered under it, the
//! form that terminals, hosts and security modules of this trade print; that of an AES key is the
//! first three octets of the CMAC of sixteen zeros (ANSI X9.24-1:2017, Annex A).
//!
//! ```
//! use cekr_emv::keys::{Key, Pvk, Zpk};
//!
//! let zpk = Key::<Zpk>::development();
//! assert_eq!(format!("{zpk:?}"), format!("Key<ZPK>(kcv {})", zpk.kcv()));
//! assert_ne!(zpk.kcv(), Key::<Pvk>::development().kcv());
//! ```

mod development;

use core::fmt;
use core::marker::PhantomData;

use zeroize::Zeroize;

use crate::crypto::aes::{Aes, KeyLength};
use crate::crypto::des::TripleDes;
use crate::crypto::mac;

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

    /// The clear octets, 16 or 24: for calculators and test benches. A switch has no use for it.
    pub fn expose(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len_octets)).unwrap_or_default()
    }

    /// The cipher, for the functions of this crate that are typed by the key's purpose.
    pub(crate) fn cipher(&self) -> &TripleDes {
        &self.cipher
    }

    /// The first two parts. Derivations are defined over these; a third part has no place in them.
    pub(crate) fn two_parts(&self) -> [u8; 16] {
        let [octets @ .., _, _, _, _, _, _, _, _] = self.octets;
        octets
    }

    /// The same key once more, for a simulated chip that is copied as a whole.
    pub(crate) fn copied(&self) -> Self {
        Self {
            octets: self.octets,
            len_octets: self.len_octets,
            cipher: self.cipher.clone(),
            purpose: PhantomData,
        }
    }

    /// A key that was computed, with odd parity; the octets are wiped.
    pub(crate) fn derived(mut two_parts: [u8; 16]) -> Self {
        let mut odd = with_odd_parity(u128::from_be_bytes(two_parts)).to_be_bytes();
        let key = Self::from_two_parts(&odd);
        two_parts.zeroize();
        odd.zeroize();
        key
    }

    /// A key that was computed where its definition leaves parity as it falls.
    pub(crate) fn derived_without_parity(mut two_parts: [u8; 16]) -> Self {
        let key = Self::from_two_parts(&two_parts);
        two_parts.zeroize();
        key
    }

    /// The first two parts as a key for something else, where a definition says so. What was
    /// expanded is taken over: to expand it anew costs as much as the rest of a derivation.
    pub(crate) fn two_parts_as<Q: Purpose>(&self) -> Key<Q> {
        if self.len_octets > 16 {
            return Key::from_two_parts(&self.two_parts());
        }
        let Self { octets, len_octets, ref cipher, .. } = *self;
        Key { octets, len_octets, cipher: cipher.clone(), purpose: PhantomData }
    }
}

impl Key<Cvk> {
    /// The published test key for card verification values: no secret, for test cards only.
    ///
    /// The ASCII text `CEKR-CVK-TESTKEY` with odd parity, check value `A5B9F7`.
    pub fn development() -> Self {
        Self::from_two_parts(b"\x43\x45\x4A\x52\x2C\x43\x57\x4A\x2C\x54\x45\x52\x54\x4A\x45\x58")
    }
}

impl Key<ImkAc> {
    /// The published test key for application cryptograms: no secret, for test cards only.
    ///
    /// The ASCII text `CEKR-IAC-TESTKEY` with odd parity, check value `EE2CC5`.
    pub fn development() -> Self {
        Self::from_two_parts(b"\x43\x45\x4A\x52\x2C\x49\x40\x43\x2C\x54\x45\x52\x54\x4A\x45\x58")
    }
}

impl Key<ImkSmc> {
    /// The published test key for the secrecy of scripts: no secret, for test cards only.
    ///
    /// The ASCII text `CEKR-SMC-TESTKEY` with odd parity, check value `020A36`.
    pub fn development() -> Self {
        Self::from_two_parts(b"\x43\x45\x4A\x52\x2C\x52\x4C\x43\x2C\x54\x45\x52\x54\x4A\x45\x58")
    }
}

impl Key<ImkSmi> {
    /// The published test key for the integrity of scripts: no secret, for test cards only.
    ///
    /// The ASCII text `CEKR-SMI-TESTKEY` with odd parity, check value `4761A8`.
    pub fn development() -> Self {
        Self::from_two_parts(b"\x43\x45\x4A\x52\x2C\x52\x4C\x49\x2C\x54\x45\x52\x54\x4A\x45\x58")
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

impl Key<Zpk> {
    /// A clear block that stands ready, enciphered, as test cases have it.
    ///
    /// Use [`crate::crypto::pin_block`] for a PIN: it wipes what lies between.
    pub fn encipher_block(&self, clear: [u8; 8]) -> [u8; 8] {
        self.cipher.encrypt(clear)
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

/// An AES key of 128, 192 or 256 bits, usable for one purpose only.
pub struct AesKey<P: Purpose> {
    octets: [u8; AES_LEN_OCTETS_MAX],
    length: KeyLength,
    cipher: Aes,
    purpose: PhantomData<fn() -> P>,
}

impl<P: Purpose> AesKey<P> {
    /// Takes the clear octets of a key: 16, 24 or 32.
    ///
    /// # Errors
    ///
    /// [`KeyError::BadLength`] for any other number of octets.
    pub fn from_octets(clear: &[u8]) -> Result<Self, KeyError> {
        let length = KeyLength::of_octets(clear.len()).ok_or(KeyError::BadLength)?;
        let mut octets = [0; AES_LEN_OCTETS_MAX];
        for (to, from) in octets.iter_mut().zip(clear) {
            *to = *from;
        }
        Ok(Self::derived(length, octets))
    }

    /// A key that was computed: the first octets of `octets`, which are wiped.
    pub(crate) fn derived(length: KeyLength, mut octets: [u8; AES_LEN_OCTETS_MAX]) -> Self {
        let cipher = Aes::of_length(length, &octets);
        let key = Self { octets, length, cipher, purpose: PhantomData };
        octets.zeroize();
        key
    }

    /// The clear octets: for calculators and test benches. A switch has no use for it.
    pub fn expose(&self) -> &[u8] {
        self.octets.get(..self.length.octets()).unwrap_or_default()
    }

    /// How long the key is.
    pub fn length(&self) -> KeyLength {
        self.length
    }

    /// The key check value, safe to print and to compare.
    pub fn kcv(&self) -> Kcv {
        let [first, second, third, ..] = mac::cmac(&self.cipher, &[&[0; 16]]);
        Kcv([first, second, third])
    }

    /// The cipher, for the functions of this crate that are typed by the key's purpose.
    pub(crate) fn cipher(&self) -> &Aes {
        &self.cipher
    }
}

impl<P: Purpose> Drop for AesKey<P> {
    fn drop(&mut self) {
        // The cipher wipes its own schedule.
        self.octets.zeroize();
    }
}

impl<P: Purpose> fmt::Debug for AesKey<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AesKey<{}>(kcv {})", P::NAME, self.kcv())
    }
}

/// What a key may be used for. Closed: only this crate names purposes.
pub trait Purpose: sealed::Sealed {
    /// The trade's abbreviation, as in `docs/glossary.md`.
    const NAME: &'static str;

    /// What a key block says of such a key (X9.143, table 2); empty where it never travels.
    const USAGES: &'static [&'static [u8; 2]];
}

/// An issuer's master key, from which each card's key is derived.
pub trait IssuerPurpose: Purpose {
    /// What the key derived for one card is for.
    type Card: CardPurpose;
}

/// A card's own key, from which each transaction's key is derived.
pub trait CardPurpose: Purpose {
    /// What the key derived for one transaction is for.
    type Session: Purpose;
}

/// Names purposes, each an empty type.
macro_rules! purposes {
    ($($(#[$words:meta])+ $purpose:ident = $name:literal, $usages:expr;)+) => {
        $(
            $(#[$words])+
            pub enum $purpose {}

            impl Purpose for $purpose {
                const NAME: &'static str = $name;
                const USAGES: &'static [&'static [u8; 2]] = &$usages;
            }

            impl sealed::Sealed for $purpose {}
        )+
    };
}

purposes! {
    /// Base derivation key: makes the first key of each PIN pad (DUKPT).
    Bdk = "BDK", [b"B0"];
    /// Card verification key: makes CVV, CVV2, iCVV and CAVV.
    Cvk = "CVK", [b"C0"];
    /// Data key: enciphers what is neither PIN nor key.
    Dek = "DEK", [b"D0"];
    /// The first key of one PIN pad (DUKPT): makes the keys of all its transactions.
    DukptIk = "IK", [b"B1"];
    /// The key of one DUKPT transaction: makes its PIN, MAC and data keys.
    DukptTransaction = "DUKPT", [];
    /// Issuer master key for application cryptograms.
    ImkAc = "IMK-AC", [b"E0"];
    /// Issuer master key for the secrecy of scripts.
    ImkSmc = "IMK-SMC", [b"E1"];
    /// Issuer master key for the integrity of scripts.
    ImkSmi = "IMK-SMI", [b"E2"];
    /// Key block protection key: opens and closes TR-31 key blocks.
    Kbpk = "KBPK", [b"K0", b"K1"];
    /// Message authentication key.
    Mak = "MAK", [b"M0", b"M1", b"M3", b"M6"];
    /// A card's key for application cryptograms.
    MkAc = "MK-AC", [];
    /// A card's key for the secrecy of scripts.
    MkSmc = "MK-SMC", [];
    /// A card's key for the integrity of scripts.
    MkSmi = "MK-SMI", [];
    /// PIN verification key: makes and checks PIN verification values and offsets.
    Pvk = "PVK", [b"V0", b"V1", b"V2"];
    /// One transaction's key for application cryptograms.
    SkAc = "SK-AC", [];
    /// One transaction's key for the secrecy of scripts.
    SkSmc = "SK-SMC", [];
    /// One transaction's key for the integrity of scripts.
    SkSmi = "SK-SMI", [];
    /// Zone PIN key: enciphers PIN blocks between two parties.
    Zpk = "ZPK", [b"P0"];
}

impl IssuerPurpose for ImkAc {
    type Card = MkAc;
}

impl IssuerPurpose for ImkSmc {
    type Card = MkSmc;
}

impl IssuerPurpose for ImkSmi {
    type Card = MkSmi;
}

impl CardPurpose for MkAc {
    type Session = SkAc;
}

impl CardPurpose for MkSmc {
    type Session = SkSmc;
}

impl CardPurpose for MkSmi {
    type Session = SkSmi;
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
    /// Not 16 or 24 octets of a DES key, nor 16, 24 or 32 of an AES key.
    BadLength,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadLength => "a DES key has 16 or 24 octets, an AES key 16, 24 or 32",
        })
    }
}

impl core::error::Error for KeyError {}

/// Each octet with its lowest bit chosen so that the number of ones in it is odd.
const fn with_odd_parity(octets: u128) -> u128 {
    let upper = octets & !LOWEST_BITS;
    // The lowest bit of each octet becomes the sum of its bits; what the others become is left.
    let folded = upper ^ upper >> 4;
    let folded = folded ^ folded >> 2;
    let folded = folded ^ folded >> 1;
    upper | !folded & LOWEST_BITS
}

const LOWEST_BITS: u128 = u128::from_be_bytes([1; 16]);

mod sealed {
    /// Keeps [`super::Purpose`] closed.
    pub trait Sealed {}
}

/// The most octets a DES key has: three parts of eight.
const LEN_OCTETS_MAX: usize = 24;

/// The most octets an AES key has.
const AES_LEN_OCTETS_MAX: usize = 32;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    extern crate std;

    use std::format;

    use super::{Cvk, ImkAc, ImkSmc, ImkSmi, Kcv, Key, KeyError, Pvk, Zpk};

    #[test]
    fn takes_two_or_three_parts_and_no_other_length() {
        for len in 0..=40 {
            let key = Key::<Zpk>::from_octets(&[0x5A; 40][..len]);
            assert_eq!(key.is_ok(), len == 16 || len == 24, "{len} octets");
            assert_eq!(key.err(), (len != 16 && len != 24).then_some(KeyError::BadLength));
        }
    }

    #[test]
    fn every_octet_of_a_derived_key_has_odd_parity_and_keeps_its_upper_bits() {
        for octet in 0..=255_u8 {
            let mut parts = [0x5A; 16];
            parts[usize::from(octet % 16)] = octet;
            let key = Key::<ImkAc>::derived(parts);
            for (made, given) in key.expose().iter().zip(parts) {
                assert_eq!((made & 0xFE, made.count_ones() % 2), (given & 0xFE, 1));
            }
        }
    }

    #[test]
    fn shows_its_purpose_and_check_value_but_no_octet() {
        assert_eq!(format!("{:?}", Key::<Zpk>::development()), "Key<ZPK>(kcv E7C543)");
        assert_eq!(format!("{:?}", Key::<Pvk>::development()), "Key<PVK>(kcv 0345E3)");
        assert_eq!(format!("{:?}", Key::<Cvk>::development()), "Key<CVK>(kcv A5B9F7)");
        assert_eq!(format!("{:?}", Key::<ImkAc>::development()), "Key<IMK-AC>(kcv EE2CC5)");
        assert_eq!(format!("{:?}", Key::<ImkSmc>::development()), "Key<IMK-SMC>(kcv 020A36)");
        assert_eq!(format!("{:?}", Key::<ImkSmi>::development()), "Key<IMK-SMI>(kcv 4761A8)");
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
