//! What a decision must have proven, and what was found: cryptogram, verification value, PIN.
//!
//! The shell finds proofs outside any lock, from the message and what of a card never changes. They
//! are believed only after the card's own counters were judged, under its lock: the tries of its
//! PIN, the counter of its chip.

use cekr_emv::crypto::derive::Atc;
use cekr_emv::issuer::Letter;

use crate::reason::Reason;

/// What must be proven before a decision.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProofKind {
    /// What the chip's data hold.
    Chip,
    /// Whether a verification value (of a track, or CVV2) is the card's.
    Cvv,
    /// What the block of a new PIN holds.
    NewPin,
    /// Whether the PIN block holds the card's PIN.
    Pin,
}

/// What was proven so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Proofs {
    /// About the chip's data.
    pub chip: Option<ChipProof>,
    /// About a verification value.
    pub cvv: Option<CvvProof>,
    /// About the PIN block.
    pub pin: Option<PinProof>,
    /// About the block of a new PIN.
    pub new_pin: Option<NewPinProof>,
}

impl Proofs {
    /// The cryptogram of a request that is approved, with what the chip is to do after it: where
    /// its own PIN tries are used up and the holder's PIN is right here, it may take PINs again.
    #[must_use]
    pub fn chip_approved(&self) -> Option<ChipSeen> {
        let Some(ChipProof::Right(right)) = self.chip else {
            return None;
        };
        let unblocks = right.is_pin_blocked && self.pin == Some(PinProof::Right);
        let script = unblocks.then_some(ChipScript::PinUnblock);
        Some(ChipSeen { script, ..right.seen })
    }

    /// Whether the holder was verified: by a PIN that we, or the chip itself, found right.
    #[must_use]
    pub const fn is_pin_proven(&self) -> bool {
        let by_chip = match self.chip {
            Some(ChipProof::Right(right)) => right.has_verified_pin,
            Some(ChipProof::Absent | ChipProof::Refused(_)) | None => false,
        };
        by_chip || matches!(self.pin, Some(PinProof::Right))
    }
}

/// What a chip's data turned out to hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ChipProof {
    /// No cryptogram: such data describe a terminal and prove nothing.
    Absent,
    /// Something that is refused whatever the card's state is.
    Refused(ChipFault),
    /// A cryptogram that is right; its counter is judged under the card's lock.
    Right(ChipRight),
}

/// Why chip data are refused before any counter is looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ChipFault {
    /// They cannot be read, or contradict the message (F).
    Format,
    /// The cryptogram is wrong (I).
    Invalid,
    /// The chip did not ask its issuer (G).
    NoRequest,
    /// A cryptogram version that nobody here knows (U).
    Unsupported,
}

impl ChipFault {
    /// The fault of a check's letter; `None` for those that are no such fault.
    #[must_use]
    pub const fn of(letter: Letter) -> Option<Self> {
        match letter {
            Letter::F => Some(Self::Format),
            Letter::G => Some(Self::NoRequest),
            Letter::I => Some(Self::Invalid),
            Letter::U => Some(Self::Unsupported),
            Letter::A | Letter::C | Letter::E | Letter::T => None,
        }
    }

    /// Why the request is declined.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Format => Reason::ChipFormat,
            Self::Invalid => Reason::ChipInvalid,
            Self::NoRequest => Reason::ChipNotArqc,
            Self::Unsupported => Reason::ChipUnsupported,
        }
    }
}

/// A cryptogram that is right, with what else the chip's data tell.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ChipRight {
    /// What an answer is made from.
    pub seen: ChipSeen,
    /// What chip and terminal found.
    pub findings: Findings,
    /// Whether the chip itself found the holder's PIN right, and sealed that.
    pub has_verified_pin: bool,
    /// Whether the chip says that its own PIN tries are used up.
    pub is_pin_blocked: bool,
}

/// What chip and terminal found, by the issuer's tables.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Findings {
    /// Nothing that declines.
    Fine,
    /// Something that declines (T).
    Refused,
}

/// A cryptogram that was found right: what the answer to the chip is made from, then and later.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ChipSeen {
    /// The card's transaction counter (9F36).
    pub atc: Atc,
    /// The cryptogram (9F26).
    pub arqc: [u8; 8],
    /// Its version.
    pub version: ChipVersion,
    /// What the chip is to do after it.
    pub script: Option<ChipScript>,
}

/// The cryptogram versions of our cards.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum ChipVersion {
    /// Version 10 (0A).
    Cvn10 = 1,
    /// Version 18 (12).
    Cvn18 = 2,
    /// Version "22" (22).
    Cvn22 = 3,
}

impl ChipVersion {
    const ALL: [Self; 3] = [Self::Cvn10, Self::Cvn18, Self::Cvn22];

    /// The version as a chip states it in its issuer application data.
    #[must_use]
    pub const fn octet(self) -> u8 {
        match self {
            Self::Cvn10 => 0x0A,
            Self::Cvn18 => 0x12,
            Self::Cvn22 => 0x22,
        }
    }

    /// The version that a chip states by this octet.
    #[must_use]
    pub fn of_octet(octet: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.octet() == octet)
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|version| *version as u8 == number)
    }
}

/// What a chip is to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum ChipScript {
    /// Take PINs again: its tries were used up, and the holder's PIN is right.
    PinUnblock = 1,
}

impl ChipScript {
    pub(crate) const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::PinUnblock),
            _ => None,
        }
    }
}

/// What a verification value turned out to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CvvProof {
    /// There is none where one could stand.
    Absent,
    /// The card's.
    Right,
    /// Another.
    Wrong,
}

/// What the block of a new PIN turned out to hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NewPinProof {
    /// A PIN with this verification value.
    Read {
        /// Four digits.
        pvv: u16,
    },
    /// No PIN block, or not under our key.
    Unreadable,
}

/// What a PIN block turned out to hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PinProof {
    /// The card's PIN.
    Right,
    /// No PIN block, or not under our key.
    Unreadable,
    /// Another PIN.
    Wrong,
}
