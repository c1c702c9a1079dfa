//! Facts of a bank statement: what its lines bring, what waits in suspense, what is taken back.
//!
//! A credit to a card is a load that its line names. What cannot be matched is held at the desk
//! `suspense` and leaves it in full: to a card, back to the payer, or by the bank's own reversal.

use core::fmt;

use super::{CardId, LoadSource, Reference, Seq};
use crate::money::{Amount, Balance};
use crate::time::LocalDate;

/// What makes a line of a bank statement the same line again, whatever file brings it.
///
/// Sixteen octets that whoever reads the files makes of account and bank's reference; the line of
/// a reversal has a key of its own.
#[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct StatementKey(pub [u8; 16]);

impl StatementKey {
    /// Reads 32 hexadecimal digits, as [`fmt::Display`] writes them.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = text.len() == 32 && text.bytes().all(|c| c.is_ascii_hexdigit());
        let number = u128::from_str_radix(text, 16).ok().filter(|_| is_hex)?;
        Some(Self(number.to_be_bytes()))
    }
}

impl fmt::Display for StatementKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for StatementKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A line of a bank statement.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct BankLine {
    /// What makes it the same again.
    pub key: StatementKey,
    /// The day on which the bank booked it.
    pub booked_on: LocalDate,
}

/// What names money that came in, or that was taken back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LoadName {
    /// A line of a bank statement.
    Line(BankLine),
    /// What its source calls it.
    Reference(Reference),
}

impl LoadName {
    /// The line, if it is one.
    #[must_use]
    pub const fn line(&self) -> Option<BankLine> {
        match self {
            Self::Line(line) => Some(*line),
            Self::Reference(_) => None,
        }
    }
}

/// Money on the bank account that belongs to no card yet, or that the bank took and nobody knows
/// from whom.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SuspenseHeld {
    /// The line that brought or took it.
    pub line: BankLine,
    /// Cents: positive came in, negative was taken by the bank.
    pub amount: Balance,
    /// Why it is here.
    pub reason: SuspenseReason,
    /// The number of a card's back that the payer told, as far as one could be read.
    pub mok_id: Option<u32>,
    /// The line that it takes back: money that the bank took.
    pub of: Option<StatementKey>,
}

/// Money in suspense that belongs to a card: the card's own entry follows and names the same line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SuspenseAssigned {
    /// The line that brought or took it.
    pub line: BankLine,
    /// The entry that held it.
    pub item: Seq,
    /// Cents, signed as there.
    pub amount: Balance,
    /// The card.
    pub card: CardId,
}

/// Money that left suspense and went to no card.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SuspenseReleased {
    /// The line that brought or took it.
    pub line: BankLine,
    /// The entry that held it.
    pub item: Seq,
    /// Cents, signed as there.
    pub amount: Balance,
    /// Where it went.
    pub cause: ReleaseCause,
    /// The line that took back what this one brought, or brought what it took.
    pub by: Option<BankLine>,
}

/// Where money went that left suspense and went to no card.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum ReleaseCause {
    /// Back to the payer, by an order of ours.
    Returned = 1,
    /// The bank booked it and took it back: two lines are nothing together.
    Reversed = 2,
}

impl ReleaseCause {
    pub(super) const ALL: [Self; 2] = [Self::Returned, Self::Reversed];

    /// The name in journal and API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Returned => "returned",
            Self::Reversed => "reversed",
        }
    }

    pub(super) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| *cause as u8 == number)
    }
}

/// Why money of a statement is in suspense.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum SuspenseReason {
    /// The reference has not three parts of digits.
    BadParts = 1,
    /// The parts of a batch do not sum to it.
    BatchMismatch = 2,
    /// The card is closed.
    CardClosed = 3,
    /// Not in euros.
    Currency = 4,
    /// It would pass a limit of loads or of the balance.
    Limit = 5,
    /// Booked longer ago than keys are kept: it may have been posted already.
    LineOld = 6,
    /// No card has this number on its back.
    MokIdUnknown = 7,
    /// The payer told no reference.
    NoReference = 8,
    /// The check digit of the first part is wrong.
    P1Check = 9,
    /// The first part is not the programme's.
    P1Mismatch = 10,
    /// The second part has more than nine digits, or none.
    P2Length = 11,
    /// The third part is not the programme's.
    P3Mismatch = 12,
    /// The bank took back what it never told of, or another amount.
    ReversalUnmatched = 13,
    /// The reference is of another model.
    WrongModel = 14,
}

impl SuspenseReason {
    /// Every reason, in alphabetical order.
    pub const ALL: [Self; 14] = [
        Self::BadParts,
        Self::BatchMismatch,
        Self::CardClosed,
        Self::Currency,
        Self::Limit,
        Self::LineOld,
        Self::MokIdUnknown,
        Self::NoReference,
        Self::P1Check,
        Self::P1Mismatch,
        Self::P2Length,
        Self::P3Mismatch,
        Self::ReversalUnmatched,
        Self::WrongModel,
    ];

    /// The name in journal and API, in the words of the matching verdicts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadParts => "BAD_PARTS",
            Self::BatchMismatch => "BATCH_MISMATCH",
            Self::CardClosed => "CARD_CLOSED",
            Self::Currency => "CURRENCY",
            Self::Limit => "LIMIT",
            Self::LineOld => "LINE_OLD",
            Self::MokIdUnknown => "MOKID_UNKNOWN",
            Self::NoReference => "NO_REFERENCE",
            Self::P1Check => "P1_CHECK",
            Self::P1Mismatch => "P1_MISMATCH",
            Self::P2Length => "P2_LENGTH",
            Self::P3Mismatch => "P3_MISMATCH",
            Self::ReversalUnmatched => "REVERSAL_UNMATCHED",
            Self::WrongModel => "WRONG_MODEL",
        }
    }

    /// The reason of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// The reason with this number in an entry or a checkpoint.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| *reason as u8 == number)
    }
}

/// A load, or a part of it, that is taken back from the card; it may go below zero.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LoadTakenBack {
    /// The entry of the load; none for what the bank took and a person assigned to the card.
    pub load: Seq,
    /// Who took it.
    pub cause: TakeBackCause,
    /// Cents.
    pub amount: Amount,
    /// What is left of the load.
    pub left: Amount,
    /// What names it: the same has one effect.
    pub name: LoadName,
    /// The balance after it.
    pub balance: Balance,
    /// What was available after it.
    pub available: Balance,
}

/// Who took a load back, and thereby which account it goes to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum TakeBackCause {
    /// The bank, by a reversal of the line that brought it.
    BankReversal = 1,
    /// The payer's bank charged the payment by card back.
    Chargeback = 2,
    /// The payment provider refunded the payment by card.
    Refund = 3,
    /// A person found this card for what the bank had taken.
    Suspense = 4,
}

impl TakeBackCause {
    pub(super) const ALL: [Self; 4] =
        [Self::BankReversal, Self::Chargeback, Self::Refund, Self::Suspense];

    /// The name in journal and API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BankReversal => "bank_reversal",
            Self::Chargeback => "chargeback",
            Self::Refund => "refund",
            Self::Suspense => "suspense",
        }
    }

    /// Whether it takes back loads of this source.
    #[must_use]
    pub const fn takes(self, source: LoadSource) -> bool {
        match self {
            Self::BankReversal => matches!(source, LoadSource::Suspense | LoadSource::Upn),
            Self::Chargeback | Self::Refund => matches!(source, LoadSource::Card),
            Self::Suspense => false,
        }
    }

    pub(super) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| *cause as u8 == number)
    }
}
