//! What a decision must have proven, and what was found: cryptogram, verification value, PIN.
//!
//! The shell finds proofs outside any lock, from the message and what of a card never changes. They
//! are believed only after the card's own counters were judged, under its lock: the tries of its
//! PIN, the counter of its chip.

use cekr_emv::crypto::derive::Atc;
use cekr_emv::issuer::{Command, Letter, Order, ScriptResult};

use crate::confirmation::{ConfirmationNumber, NameKey};
use crate::key::folded;
use crate::reason::Reason;

/// What must be proven before a decision.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProofKind {
    /// Whether an authentication value (CAVV) is ours and the card's.
    Cavv,
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
    /// About an authentication value.
    pub cavv: Option<CavvProof>,
    /// About the chip's data.
    pub chip: Option<ChipProof>,
    /// About a verification value.
    pub cvv: Option<CvvProof>,
    /// About the PIN block.
    pub pin: Option<PinProof>,
    /// About the block of a new PIN.
    pub new_pin: Option<NewPinProof>,
    /// What marks the PIN blocks of the message: a script that is made of them is made of no
    /// others, whoever repeats the message.
    pub pin_mark: u16,
    /// What a message that proves nothing tells of a script of an earlier answer.
    pub script_told: Option<ScriptResult>,
}

impl Proofs {
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

/// The letter of a chip's check that declined for this reason.
#[must_use]
pub fn letter_of(reason: Reason) -> Option<Letter> {
    let letters = [Letter::A, Letter::E, Letter::F, Letter::G, Letter::I, Letter::T, Letter::U];
    letters.into_iter().find(|letter| reason_of(*letter) == Some(reason))
}

const fn reason_of(letter: Letter) -> Option<Reason> {
    match (letter, ChipFault::of(letter)) {
        (_, Some(fault)) => Some(fault.reason()),
        (Letter::A, None) => Some(Reason::ChipCounter),
        (Letter::E, None) => Some(Reason::ChipReplay),
        (Letter::T, None) => Some(Reason::ChipFindings),
        (Letter::C | Letter::F | Letter::G | Letter::I | Letter::U, None) => None,
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
    /// How many commands it carried out after its last transaction, and whether it refused one.
    pub scripts_sealed: (u8, bool),
    /// What the terminal tells of a script of an earlier answer.
    pub script_told: Option<ScriptResult>,
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

/// What a chip is to do: what of a script stands in the entry of the answer that it goes out with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ChipScript {
    /// Make no cryptogram until it is unblocked.
    ApplicationBlock,
    /// Make cryptograms again.
    ApplicationUnblock,
    /// Be silent for good.
    CardBlock,
    /// Take the PIN that the message brings.
    PinChange {
        /// What marks the PIN blocks of the message.
        mark: u16,
    },
    /// Take PINs again.
    PinUnblock,
    /// Take a value, which the card's state names.
    PutData,
}

impl ChipScript {
    /// The kind of a command.
    #[must_use]
    pub const fn of(command: Command) -> Self {
        match command {
            Command::ApplicationBlock => Self::ApplicationBlock,
            Command::ApplicationUnblock => Self::ApplicationUnblock,
            Command::CardBlock => Self::CardBlock,
            Command::PinUnblock => Self::PinUnblock,
            Command::PutData(_) => Self::PutData,
        }
    }

    /// Whether `order` is of this kind.
    #[must_use]
    pub fn is(self, order: Order) -> bool {
        match order {
            Order::Command(command) => self == Self::of(command),
            Order::PinChange => matches!(self, Self::PinChange { .. }),
        }
    }

    /// The name in journal and API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ApplicationBlock => "application_block",
            Self::ApplicationUnblock => "application_unblock",
            Self::CardBlock => "card_block",
            Self::PinChange { .. } => "pin_change",
            Self::PinUnblock => "pin_unblock",
            Self::PutData => "put_data",
        }
    }

    /// The kind of an order; what it marks is left open.
    #[must_use]
    pub const fn of_order(order: Order) -> Self {
        match order {
            Order::Command(command) => Self::of(command),
            Order::PinChange => Self::PinChange { mark: 0 },
        }
    }

    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::PinUnblock => 1,
            Self::ApplicationBlock => 2,
            Self::ApplicationUnblock => 3,
            Self::CardBlock => 4,
            Self::PinChange { .. } => 5,
            Self::PutData => 6,
        }
    }

    pub(crate) const fn from_number(number: u8, mark: u16) -> Option<Self> {
        match number {
            1 => Some(Self::PinUnblock),
            2 => Some(Self::ApplicationBlock),
            3 => Some(Self::ApplicationUnblock),
            4 => Some(Self::CardBlock),
            5 => Some(Self::PinChange { mark }),
            6 => Some(Self::PutData),
            _ => None,
        }
    }
}

/// What marks these PIN blocks under `secret`: others seldom have it, and who does not know the
/// secret cannot choose blocks that do.
#[must_use]
pub fn pin_mark<'b>(secret: [u64; 2], blocks: impl Iterator<Item = &'b [u8]>) -> u16 {
    let [left, right] = secret;
    let mut mark = left;
    for block in blocks {
        mark = folded(mark ^ right, (1 + block.len() as u64) ^ left);
        for piece in block.chunks(8) {
            let octets = piece.iter().fold(0, |octets, octet| octets << 8 | u64::from(*octet));
            mark = folded(mark ^ octets, right ^ 0x9E37_79B9_7F4A_7C15);
        }
    }
    let [high, low, ..] = mark.to_be_bytes();
    u16::from_be_bytes([high, low])
}

/// What an authentication value turned out to be. Three digits of it can be guessed, so that it
/// proves nothing without the card's own record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CavvProof {
    /// One that we make for this card.
    Right {
        /// By what it names the record.
        number: ConfirmationNumber,
        /// The shop's name as the message tells it (DE 43).
        shop: Option<NameKey>,
    },
    /// No value, or another card's, or nobody's.
    Wrong,
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
