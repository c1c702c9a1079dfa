//! Entries: what happened to a card, as facts of fixed layout.
//!
//! An entry is never a command: it says what was decided, with the answer in it, so that a repeat
//! gets the same answer, and applying the entries of a card in order gives the card. Each takes
//! 128 octets in the journal; [`Entry::encode`] and [`Entry::decode`] are each other's inverse.
//!
//! The layout stands in `octets`.

mod fact;
mod octets;
mod points;
mod script;
mod statement;

pub use fact::{
    Answered, Authority, Authorized, Cleared, ClearedAs, Completed, Consent, Fact, FileActioned,
    GivenBack, HoldExpired, Issued, LineCause, LineKey, LineParked, LoadSource, Loaded, MaskedPan,
    NO_MERCHANT, NO_RRN, ParkCause, Parked, PinChanged, Place, Reconciled, Refund, Remembered,
    ReversalFate, Reversed, Sum,
};
pub use points::{Earned, PointsExpired, PointsTakenBack};
pub use script::{ScriptAsked, ScriptSettled};
pub use statement::{
    BankLine, LoadName, LoadTakenBack, ReleaseCause, StatementKey, SuspenseAssigned, SuspenseHeld,
    SuspenseReason, SuspenseReleased, TakeBackCause,
};

use core::fmt;

use crate::confirmation::ConfirmationStep;
use crate::money::Balance;
use crate::time::LocalDate;

/// The octets of one entry.
pub const ENTRY_OCTETS: usize = 128;

/// One entry as it stands in the journal.
pub type EntryBytes = [u8; ENTRY_OCTETS];

/// The newest layout that this code writes; whatever fits the first is written in that.
pub const ENTRY_VERSION: u8 = 4;

/// The place of an entry in its shard's journal, from 1; zero is no entry.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Seq(pub u64);

impl Seq {
    /// No entry.
    pub const NONE: Self = Self(0);

    /// The entry after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A card's ordinal in its shard. It never leaves the switch in the clear.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CardId(pub u32);

/// What an entry is about: the one thing that it changes.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum About {
    /// A card.
    Card(CardId),
    /// What the issuer keeps beside its cards.
    Desk(Desk),
}

/// What the issuer keeps beside its cards.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Desk {
    /// Acquirers: their cutovers and reconciliations.
    Links,
    /// What concerns no card of ours and waits for a person.
    Suspense,
}

impl Desk {
    /// Every desk.
    pub const ALL: [Self; 2] = [Self::Links, Self::Suspense];

    /// The name in journal and API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Links => "links",
            Self::Suspense => "suspense",
        }
    }
}

/// One fact about one card, or one desk.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// What it is about.
    pub about: About,
    /// The entry about the same before this one: a history is a walk along these.
    pub previous: Seq,
    /// Milliseconds since 1970-01-01T00:00:00Z; never goes back within a shard.
    pub at: u64,
    /// The day in the programme's zone.
    pub date: LocalDate,
    /// What happened.
    pub fact: Fact,
}

/// A short text of at most `N` octets, kept inline.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct ShortText<const N: usize> {
    octets: [u8; N],
    len: u8,
}

/// A card's handle for people, at most 32 octets of UTF-8.
pub type Name = ShortText<32>;

/// A load's reference, at most 64 octets of UTF-8.
pub type Reference = ShortText<64>;

impl<const N: usize> ShortText<N> {
    /// Takes `text` when it is not longer than `N` octets.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let mut octets = [0; N];
        octets.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self { octets, len: u8::try_from(text.len()).ok()? })
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let octets = self.octets.get(..usize::from(self.len)).unwrap_or_default();
        core::str::from_utf8(octets).unwrap_or_default()
    }
}

impl<const N: usize> fmt::Debug for ShortText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

/// Why octets are no entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EntryError {
    /// A field holds what no version of this layout writes; the octet at which it stands.
    BadField(u8),
    /// A kind that this code does not know.
    UnknownKind(u8),
    /// Written by a newer version.
    UnknownVersion(u8),
}

impl fmt::Display for EntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadField(at) => write!(f, "octet {at} of the entry holds no value of its field"),
            Self::UnknownKind(kind) => write!(f, "entry kind {kind} is not known"),
            Self::UnknownVersion(version) => write!(
                f,
                "entry version {version} was written by a newer cekr; this one reads up to \
                 {ENTRY_VERSION}"
            ),
        }
    }
}

impl core::error::Error for EntryError {}

impl Entry {
    /// The card that it is about, unless that is a desk.
    #[must_use]
    pub const fn card(&self) -> Option<CardId> {
        match self.about {
            About::Card(id) => Some(id),
            About::Desk(_) => None,
        }
    }

    /// The name of the kind in journal and API.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.fact {
            Fact::Authorized(_) => "authorized",
            Fact::Cleared(_) => "cleared",
            Fact::Completed(_) => "completed",
            Fact::Confirmation(step) => match step {
                ConfirmationStep::Approved(_) => "confirmation_approved",
                ConfirmationStep::Asked(_) => "confirmation_asked",
                ConfirmationStep::Ended(..) => "confirmation_ended",
                ConfirmationStep::Failed(_) => "confirmation_failed",
                ConfirmationStep::Pushed(_) => "confirmation_pushed",
                ConfirmationStep::Sealed(_) => "confirmation_sealed",
                ConfirmationStep::Unblocked => "confirmations_unblocked",
            },
            Fact::ControlsSet(_) => "controls_set",
            Fact::CutOver(_) => "cut_over",
            Fact::Declined(_) => "declined",
            Fact::DeclinedElsewhere(_) => "declined_elsewhere",
            Fact::DeclinesCounted { .. } => "declines_counted",
            Fact::FileActioned(_) => "file_action",
            Fact::HoldExpired(_) => "hold_expired",
            Fact::Inquired(_) => "inquired",
            Fact::Issued(_) => "issued",
            Fact::LimitsSet(_) => "limits_set",
            Fact::LineParked(_) => "line_parked",
            Fact::LoadTakenBack(_) => "load_taken_back",
            Fact::Loaded(_) => "loaded",
            Fact::Parked(_) => "parked",
            Fact::PinChanged(_) => "pin_changed",
            Fact::PointsExpired(_) => "points_expired",
            Fact::PointsTakenBack(_) => "points_taken_back",
            Fact::Reconciled(_) => "reconciled",
            Fact::RefundPending(_) => "refund_pending",
            Fact::ReversalRemembered(_) => "reversal_remembered",
            Fact::Reversed(_) => "reversed",
            Fact::ScriptAsked(_) => "script_asked",
            Fact::ScriptSettled(_) => "script_settled",
            Fact::SuspenseAssigned(_) => "suspense_assigned",
            Fact::SuspenseHeld(_) => "suspense_held",
            Fact::SuspenseReleased(_) => "suspense_released",
        }
    }

    /// What the entry came of.
    #[must_use]
    pub const fn origin(&self) -> Origin<'_> {
        match &self.fact {
            Fact::Authorized(Authorized { answered, .. })
            | Fact::Completed(Completed { answered, .. })
            | Fact::CutOver(answered)
            | Fact::Declined(answered)
            | Fact::DeclinedElsewhere(answered)
            | Fact::FileActioned(FileActioned { answered, .. })
            | Fact::Inquired(answered)
            | Fact::Parked(Parked { answered, .. })
            | Fact::PinChanged(PinChanged { answered, .. })
            | Fact::Reconciled(Reconciled { answered, .. })
            | Fact::RefundPending(Refund { answered, .. })
            | Fact::ReversalRemembered(Remembered { answered, .. })
            | Fact::Reversed(Reversed { answered, .. }) => Origin::Answered(answered),
            Fact::Cleared(Cleared { line, .. }) | Fact::LineParked(LineParked { line, .. }) => {
                Origin::Line(*line)
            }
            Fact::LoadTakenBack(LoadTakenBack { name: LoadName::Line(line), .. })
            | Fact::Loaded(Loaded { name: LoadName::Line(line), .. })
            | Fact::SuspenseAssigned(SuspenseAssigned { line, .. })
            | Fact::SuspenseHeld(SuspenseHeld { line, .. })
            | Fact::SuspenseReleased(SuspenseReleased { line, .. }) => Origin::Statement(*line),
            Fact::Confirmation(_)
            | Fact::ControlsSet(_)
            | Fact::DeclinesCounted { .. }
            | Fact::HoldExpired(_)
            | Fact::Issued(_)
            | Fact::LimitsSet(_)
            | Fact::LoadTakenBack(_)
            | Fact::Loaded(_)
            | Fact::PointsExpired(_)
            | Fact::PointsTakenBack(_)
            | Fact::ScriptAsked(_)
            | Fact::ScriptSettled(_) => Origin::Own,
        }
    }

    /// The answer within, where the entry came of a terminal's request.
    #[must_use]
    pub const fn answered(&self) -> Option<&Answered> {
        match self.origin() {
            Origin::Answered(answered) => Some(answered),
            Origin::Line(_) | Origin::Own | Origin::Statement(_) => None,
        }
    }

    /// The clearing line within, where the entry came of one.
    #[must_use]
    pub const fn line(&self) -> Option<LineKey> {
        match self.origin() {
            Origin::Line(line) => Some(line),
            Origin::Answered(_) | Origin::Own | Origin::Statement(_) => None,
        }
    }

    /// The bank's line within, where the entry came of one, or is about what one brought.
    #[must_use]
    pub const fn bank_line(&self) -> Option<BankLine> {
        match self.origin() {
            Origin::Statement(line) => Some(line),
            Origin::Answered(_) | Origin::Line(_) | Origin::Own => None,
        }
    }

    /// The card's balance and what was available after it, where it tells them.
    #[must_use]
    pub fn balances(&self) -> Option<(Balance, Balance)> {
        self.card()?;
        if let Fact::Cleared(cleared) = &self.fact {
            return Some((cleared.balance, cleared.available));
        }
        if let Fact::Loaded(loaded) = &self.fact {
            return Some((loaded.balance, loaded.available));
        }
        if let Fact::LoadTakenBack(taken) = &self.fact {
            return Some((taken.balance, taken.available));
        }
        self.answered().map(|answered| (answered.balance, answered.available))
    }
}

/// What an entry came of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Origin<'e> {
    /// A terminal's request, with the answer to it.
    Answered(&'e Answered),
    /// A line of a clearing file.
    Line(LineKey),
    /// Somebody at the control API, or the clock.
    Own,
    /// A line of a bank statement, or somebody who decided about what it brought.
    Statement(BankLine),
}

#[cfg(test)]
mod tests;
