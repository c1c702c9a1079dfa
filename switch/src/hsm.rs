//! Payment verbs over card keys: what a hardware security module is asked, and nothing less.
//!
//! A verb takes what stands in a message and what of a card never changes, and gives a judgement or
//! a sealed thing; no key and no clear PIN crosses this trait, apart from the PIN of a test card
//! that is being issued. Nothing here is called under a card's lock: a real module answers in
//! milliseconds. What it judges is believed under the lock, where the card's counters stand.
//!
//! Two implementers: [`SoftHsm`], the module in software, and [`FaultyHsm`], which fails and
//! dawdles as its plan says.

mod faulty;
pub mod keys;
mod soft;

pub use faulty::{FaultyHsm, Plan};
pub use keys::{CardKeys, KeysError};
pub use soft::SoftHsm;

use cekr_emv::crypto::cvv::{Cvv, Expiry, ServiceCode};
use cekr_emv::crypto::ibm3624::DecimalTable;
use cekr_emv::crypto::tr31::BlockError;
use cekr_emv::issuer::{Command, Outcome, Told};
use cekr_emv::keys::Kcv;
use cekr_emv::pin::Pin;
use cekr_iso8583::Pan;
use cekr_issuer::{ChipProof, ChipSeen, ConfirmationNumber, NewPinProof, PinProof, SecondFactor};

/// What a security module does for an issuer. Each verb may fail as a whole: the module is not
/// there. Then nothing is known, and the request is answered as an internal fault.
pub trait Hsm: Send + Sync {
    /// Checks a chip's data against the message around them: all but the counter.
    ///
    /// # Errors
    /// [`Unavailable`], as every verb.
    fn verify_chip(&self, pan: Pan, data: &[u8], told: &Told) -> Result<ChipProof, Unavailable>;

    /// Answers a cryptogram that was found right: the value of DE 55 of the reply, the same for
    /// the same arguments. `code` is DE 39; `order` is what the chip is to do after it.
    ///
    /// # Errors
    /// [`Unavailable`].
    fn answer_chip(
        &self,
        pan: Pan,
        seen: &ChipSeen,
        code: [u8; 2],
        outcome: Outcome,
        order: Option<&ChipOrder>,
    ) -> Result<ChipAnswer, Unavailable>;

    /// Whether the PIN in `sealed` is the one that `reference` stands for.
    ///
    /// # Errors
    /// [`Unavailable`].
    fn verify_pin(
        &self,
        sealed: &SealedPin,
        pan: Pan,
        reference: &PinReference,
    ) -> Result<PinProof, Unavailable>;

    /// The verification value of the PIN in `sealed`, to be kept in place of the old one.
    ///
    /// # Errors
    /// [`Unavailable`].
    fn read_new_pin(&self, sealed: &SealedPin, pan: Pan) -> Result<NewPinProof, Unavailable>;

    /// The PIN in `sealed` as a block of format 0 under the zone key of the link `to`; `None` where
    /// there is no PIN in it.
    ///
    /// # Errors
    /// [`Unavailable`].
    fn translate_pin(
        &self,
        sealed: &SealedPin,
        pan: Pan,
        to: u32,
    ) -> Result<Option<[u8; 8]>, Unavailable>;

    /// The verification value of a new card's PIN, four digits.
    fn verification_value(&self, pan: Pan, pin: &Pin) -> u16;

    /// Whether `value` is the card's verification value for that expiry and service code: of the
    /// stripe, of the chip's copy of it (999), of the card's back (000, month and year).
    ///
    /// # Errors
    /// [`Unavailable`].
    fn verify_cvv(
        &self,
        pan: Pan,
        expiry: Expiry,
        service: ServiceCode,
        value: Cvv,
    ) -> Result<bool, Unavailable>;

    /// The authentication value of the card for this authentication (usage 3, version 0): that the
    /// holder, known by `factor`, was authenticated under `number`.
    ///
    /// # Errors
    /// [`Unavailable`].
    fn make_cavv(
        &self,
        pan: Pan,
        number: ConfirmationNumber,
        factor: SecondFactor,
    ) -> Result<[u8; 20], Unavailable>;

    /// Whether `cavv` is an authentication value of ours for that card (usage 3, version 0).
    ///
    /// # Errors
    /// [`Unavailable`].
    fn verify_cavv(&self, pan: Pan, cavv: &[u8; 20]) -> Result<bool, Unavailable>;

    /// The MAC of `octets` under the key of the link, eight octets.
    ///
    /// # Errors
    /// [`Unavailable`].
    fn mac(&self, link: u32, octets: &[u8]) -> Result<[u8; 8], Unavailable>;

    /// Whether `mac` is that of `octets` under the key of the link.
    ///
    /// # Errors
    /// [`Unavailable`].
    fn verify_mac(&self, link: u32, octets: &[u8], mac: [u8; 8]) -> Result<bool, Unavailable>;

    /// Takes a working key for the link out of a key block under the exchange key. `told` is its
    /// check value in hexadecimal digits as its sender has it, empty where none was told.
    ///
    /// # Errors
    /// [`ExchangeError`]; then the key of before stays.
    fn import_key(&self, link: u32, block: &[u8], told: &[u8]) -> Result<Kcv, ExchangeError>;
}

/// The module is not there, or gave no answer in time.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the security module is not available")]
pub struct Unavailable;

/// Why a working key was not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ExchangeError {
    /// The block does not open, or its key is for something else.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// Its check value is not what was told.
    #[error("the key has another check value than was told")]
    CheckValue,
    /// The module.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// A PIN as it travels.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum SealedPin {
    /// Format 4 under the key of one transaction of a pad (DUKPT over AES).
    DukptAes {
        /// The block.
        block: [u8; 16],
        /// The pad's serial number and counter.
        ksn: [u8; 12],
    },
    /// Format 0 or 3 under the key of one transaction of a pad (DUKPT over triple DES).
    DukptTdes {
        /// The block.
        block: [u8; 8],
        /// The pad's serial number and counter.
        ksn: [u8; 10],
    },
    /// Something that was sent in place of one.
    Unreadable,
    /// Format 0 or 3 under the zone key of a link.
    Zone {
        /// The link, by its listener's number.
        link: u32,
        /// The block.
        block: [u8; 8],
    },
    /// Format 4 under the AES zone key.
    ZoneAes {
        /// The block.
        block: [u8; 16],
    },
}

impl std::fmt::Debug for SealedPin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealedPin(..)")
    }
}

/// What a chip is to do, with what it takes to say so.
#[derive(Clone, Copy, Debug)]
pub enum ChipOrder {
    /// A command that is sealed as it stands.
    Command(Command),
    /// To take this PIN.
    NewPin(SealedPin),
}

/// What is kept of a card's PIN.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PinReference {
    /// By IBM 3624: the offset from the natural PIN.
    Offset {
        /// Its digits, one a nibble, right-aligned.
        offset: u64,
        /// Eight octets of the card's data.
        validation: [u8; 8],
        /// How nibbles become digits.
        table: DecimalTable,
    },
    /// Nothing: no PIN is right.
    None,
    /// Visa's verification value, four digits.
    Pvv(u16),
}

/// The value of DE 55 of a reply: tag 91, and what the chip is to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ChipAnswer {
    octets: [u8; CHIP_ANSWER_OCTETS_MAX],
    len_octets: u8,
}

impl ChipAnswer {
    /// No chip is answered.
    pub const NONE: Self = Self { octets: [0; CHIP_ANSWER_OCTETS_MAX], len_octets: 0 };

    /// The octets.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len_octets)).unwrap_or_default()
    }
}

/// Tag 91 with twelve octets and one script: its name, and a command of up to 29.
const CHIP_ANSWER_OCTETS_MAX: usize = 56;

#[cfg(test)]
mod tests;
