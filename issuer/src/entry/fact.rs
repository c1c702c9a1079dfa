//! Facts: what can happen to a card or at a desk, and what is kept of it.

use cekr_iso8583::{CurrencyCode, Mcc, MerchantId, Mti, Pan, PosEntryMode, ProcessingCode, Rrn};

use super::{
    Earned, LoadName, LoadTakenBack, Name, PointsExpired, PointsTakenBack, ScriptAsked,
    ScriptSettled, Seq, SuspenseAssigned, SuspenseHeld, SuspenseReleased,
};
use crate::channel::Channels;
use crate::confirmation::{ConfirmationNumber, ConfirmationStep};
use crate::controls::Controls;
use crate::key::RequestKey;
use crate::limit::OwnLimits;
use crate::money::{Amount, Balance};
use crate::proof::ChipSeen;
use crate::reason::Reason;
use crate::reconciliation::Totals;

/// What happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fact {
    /// Money was held or posted at a terminal's request.
    Authorized(Authorized),
    /// A line of a clearing file was carried out.
    Cleared(Cleared),
    /// A hold was completed: the money was posted, the rest released.
    Completed(Completed),
    /// Something happened to a confirmation of a purchase without the card.
    Confirmation(ConfirmationStep),
    /// Status, ticks or expiry were set; the whole of them stands here.
    ControlsSet(Controls),
    /// An acquirer's day ended.
    CutOver(Answered),
    /// A request was declined.
    Declined(Answered),
    /// An advice told of a decline that was given elsewhere.
    DeclinedElsewhere(Answered),
    /// Declines of one hour that are not entries of their own.
    DeclinesCounted {
        /// How many.
        count: u32,
    },
    /// A link asked for, or set, a card's record in a file.
    FileActioned(FileActioned),
    /// A hold came to its end without being posted.
    HoldExpired(HoldExpired),
    /// Balances were told.
    Inquired(Answered),
    /// A card came to be.
    Issued(Issued),
    /// A line of a clearing file waits for a person.
    LineParked(LineParked),
    /// The holder set limits of their own; all of them stand here.
    LimitsSet(OwnLimits),
    /// A load was taken back, or a part of it.
    LoadTakenBack(LoadTakenBack),
    /// Money came in.
    Loaded(Loaded),
    /// An advice could not be posted and waits for a person.
    Parked(Parked),
    /// The holder chose another PIN.
    PinChanged(PinChanged),
    /// Points were not used in time.
    PointsExpired(PointsExpired),
    /// Points went with what was given back of their purchase.
    PointsTakenBack(PointsTakenBack),
    /// An acquirer's totals were compared with ours.
    Reconciled(Reconciled),
    /// A refund was announced; the money comes with clearing.
    RefundPending(Refund),
    /// A reversal named an original that is not known: it will be declined when it comes.
    ReversalRemembered(Remembered),
    /// Money was given back.
    Reversed(Reversed),
    /// The chip is to carry something out.
    ScriptAsked(ScriptAsked),
    /// It has, or has not.
    ScriptSettled(ScriptSettled),
    /// Money in suspense belongs to a card, whose own entry follows.
    SuspenseAssigned(SuspenseAssigned),
    /// Money of a bank statement belongs to no card yet.
    SuspenseHeld(SuspenseHeld),
    /// Money left suspense and went to no card.
    SuspenseReleased(SuspenseReleased),
}

/// What an answered request asked and was told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Answered {
    /// The message type of the request.
    pub mti: Mti,
    /// What makes a repeat the same request.
    pub key: RequestKey,
    /// Why it was answered so, and with it DE 39.
    pub reason: Reason,
    /// Ticks that were needed and are off (DE 44).
    pub missing: Channels,
    /// PIN tries left after it, where it changed them.
    pub pin_tries: Option<u8>,
    /// DE 3.
    pub processing_code: ProcessingCode,
    /// DE 22.
    pub entry_mode: PosEntryMode,
    /// DE 18.
    pub mcc: Mcc,
    /// DE 49.
    pub currency: CurrencyCode,
    /// DE 4, in the currency of DE 49.
    pub transaction_amount: Amount,
    /// What was approved, held, posted or given back, in cents of the account; for a decline what
    /// was asked.
    pub amount: Amount,
    /// The cashpoint fee that goes with it, in cents.
    pub fee: Amount,
    /// The balance after it.
    pub balance: Balance,
    /// What was available after it.
    pub available: Balance,
    /// The country of the merchant as two letters, or zeros.
    pub country: [u8; 2],
    /// DE 37, or zeros.
    pub rrn: Rrn,
    /// DE 42, or zeros.
    pub merchant: MerchantId,
    /// The cryptogram that was found right: its answer is part of this one, and the card's counter
    /// has moved by it.
    pub chip: Option<ChipSeen>,
    /// Whether the holder's PIN was found right.
    pub is_pin_proven: bool,
}

/// An approval that moves or holds money.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Authorized {
    /// The request and its answer.
    pub answered: Answered,
    /// The part of the amount that is cash, without a machine owner's surcharge.
    pub cash: Amount,
    /// Where the money was spent: which limits it uses up.
    pub place: Place,
    /// Days until the hold expires; zero when the money was posted at once.
    pub hold_days: u8,
    /// How final the amount is.
    pub sum: Sum,
    /// Who approved it.
    pub authority: Authority,
    /// On what it rests, where it is a purchase without the card.
    pub consent: Consent,
}

/// On what an approved purchase without the card rests.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Consent {
    /// The holder's confirmation with this number, which is used up by it.
    Confirmed(ConfirmationNumber),
    /// An exemption: it counts towards the sum that needs no confirmation.
    Exempt,
    /// None was asked for.
    #[default]
    NotAsked,
}

/// How final an approved amount is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Sum {
    /// It adds to the estimate of this entry: both are one hold.
    AddsTo(Seq),
    /// An estimate, which a completion settles.
    Estimated,
    /// The amount of the purchase.
    #[default]
    Exact,
}

/// Who approved a transaction.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Authority {
    /// Somebody else, who tells by an advice: a terminal offline, a stand-in.
    Elsewhere,
    /// This issuer.
    #[default]
    Here,
}

/// A hold that was completed; amount and fee of the answer are what was posted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Completed {
    /// The request and its answer.
    pub answered: Answered,
    /// The entry of the hold, the first where others added to it.
    pub original: Seq,
    /// What was held before, fees included, in cents: all of it is held no more.
    pub held: Amount,
    /// What was asked above what may be posted, in cents: it waits for a person.
    pub parked: Amount,
}

/// What makes a clearing line the same line again.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LineKey {
    /// A fingerprint of the file's name.
    pub file: u64,
    /// The number that stands in the line.
    pub line: u32,
    /// A fingerprint of all that stands in it: another content under one number is another line,
    /// and a mistake.
    pub content: u32,
}

/// A line of a clearing file that was carried out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cleared {
    /// The line.
    pub line: LineKey,
    /// What it was taken for.
    pub how: ClearedAs,
    /// The entry that it settles, or none.
    pub original: Seq,
    /// Where the money was spent.
    pub place: Place,
    /// What it changes on the account, in cents, without the fee.
    pub change: Balance,
    /// What it changes by the fee.
    pub fee_change: Balance,
    /// What was held for it, fees included: it is held no more.
    pub held: Amount,
    /// What it asks above what may be posted: it waits for a person.
    pub parked: Amount,
    /// The balance after it.
    pub balance: Balance,
    /// What was available after it.
    pub available: Balance,
    /// The reference, or zeros.
    pub rrn: Rrn,
    /// The merchant, or zeros.
    pub merchant: MerchantId,
    /// The merchant's business.
    pub mcc: Mcc,
    /// The points that it earned.
    pub earned: Option<Earned>,
}

/// What a clearing line was taken for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum ClearedAs {
    /// What was posted at once is confirmed, or made what it came to.
    Adjusted = 1,
    /// A purchase was charged back.
    ChargedBack = 2,
    /// Nothing that we know was named: posted all the same.
    Forced = 3,
    /// A hold was posted.
    Posted = 4,
    /// An announced refund came.
    Refunded = 5,
}

impl ClearedAs {
    pub(super) const ALL: [Self; 5] =
        [Self::Adjusted, Self::ChargedBack, Self::Forced, Self::Posted, Self::Refunded];

    /// The name in journal and API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Adjusted => "adjusted",
            Self::ChargedBack => "charged_back",
            Self::Forced => "forced",
            Self::Posted => "posted",
            Self::Refunded => "refunded",
        }
    }

    pub(super) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|how| *how as u8 == number)
    }
}

/// A line of a clearing file that waits for a person.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LineParked {
    /// The line.
    pub line: LineKey,
    /// Why.
    pub cause: LineCause,
    /// The entry that it names, or none.
    pub original: Seq,
    /// Cents: positive would take, negative would bring.
    pub amount: Balance,
    /// The reference, or zeros.
    pub rrn: Rrn,
    /// The merchant, or zeros.
    pub merchant: MerchantId,
    /// The merchant's business.
    pub mcc: Mcc,
    /// The card that it is about, where it is none of ours.
    pub stranger: Option<MaskedPan>,
}

/// Why a clearing line waits for a person.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum LineCause {
    /// What it names was cleared by another line.
    AlreadyCleared = 1,
    /// More than a balance can tell.
    AmountTooLarge = 2,
    /// Nothing.
    AmountZero = 3,
    /// The card is closed, and nothing that we know was named.
    CardClosed = 4,
    /// No card of ours.
    CardUnknown = 5,
    /// More comes back than was taken.
    CreditTooLarge = 6,
    /// Not in euros.
    CurrencyForeign = 7,
    /// What it names was reversed.
    OriginalReversed = 8,
    /// It brings money for nothing that we know.
    OriginalUnknown = 9,
    /// What it names is too long ago to be settled by itself.
    OriginalOld = 10,
}

impl LineCause {
    pub(super) const ALL: [Self; 10] = [
        Self::AlreadyCleared,
        Self::AmountTooLarge,
        Self::AmountZero,
        Self::CardClosed,
        Self::CardUnknown,
        Self::CreditTooLarge,
        Self::CurrencyForeign,
        Self::OriginalReversed,
        Self::OriginalUnknown,
        Self::OriginalOld,
    ];

    /// The name in journal and API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AlreadyCleared => "already_cleared",
            Self::AmountTooLarge => "amount_too_large",
            Self::AmountZero => "amount_zero",
            Self::CardClosed => "card_closed",
            Self::CardUnknown => "card_unknown",
            Self::CreditTooLarge => "credit_too_large",
            Self::CurrencyForeign => "currency_foreign",
            Self::OriginalReversed => "original_reversed",
            Self::OriginalUnknown => "original_unknown",
            Self::OriginalOld => "original_old",
        }
    }

    pub(super) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| *cause as u8 == number)
    }
}

/// A file action that was carried out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FileActioned {
    /// The request and its answer.
    pub answered: Answered,
    /// The card's controls after it.
    pub controls: Controls,
}

/// An advice that could not be posted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Parked {
    /// The request and its answer; its amount is what waits.
    pub answered: Answered,
    /// Why.
    pub cause: ParkCause,
    /// The entry that it names, or none.
    pub original: Seq,
    /// The card that it is about, where it is none of ours.
    pub stranger: Option<MaskedPan>,
}

/// Why an advice could not be posted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum ParkCause {
    /// What it names was completed already.
    AlreadyCompleted = 1,
    /// What it names was posted when it was approved.
    AlreadyPosted = 2,
    /// The card is closed.
    CardClosed = 3,
    /// No card of ours has this number.
    CardUnknown = 4,
    /// It names an approval that we gave ourselves.
    KnownAlready = 5,
    /// What it names was reversed, before it or after.
    OriginalReversed = 6,
    /// It names nothing that is known.
    OriginalUnknown = 7,
    /// A refund above what it gives back.
    RefundTooLarge = 8,
}

impl ParkCause {
    pub(super) const ALL: [Self; 8] = [
        Self::AlreadyCompleted,
        Self::AlreadyPosted,
        Self::CardClosed,
        Self::CardUnknown,
        Self::KnownAlready,
        Self::OriginalReversed,
        Self::OriginalUnknown,
        Self::RefundTooLarge,
    ];

    /// The name in journal and API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AlreadyCompleted => "already_completed",
            Self::AlreadyPosted => "already_posted",
            Self::CardClosed => "card_closed",
            Self::CardUnknown => "card_unknown",
            Self::KnownAlready => "known_already",
            Self::OriginalReversed => "original_reversed",
            Self::OriginalUnknown => "original_unknown",
            Self::RefundTooLarge => "refund_too_large",
        }
    }

    pub(super) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| *cause as u8 == number)
    }
}

/// A card number's first six and last four digits: what may be kept of a card that is not ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MaskedPan {
    /// The first six digits as a number.
    pub first_six: u32,
    /// The last four digits as a number.
    pub last_four: u16,
}

impl From<Pan> for MaskedPan {
    fn from(pan: Pan) -> Self {
        Self {
            first_six: u32::try_from(pan.bin(6)).unwrap_or_default(),
            last_four: pan.last_four(),
        }
    }
}

/// Another PIN.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PinChanged {
    /// The request and its answer.
    pub answered: Answered,
    /// The new PIN's verification value.
    pub pvv: u16,
}

/// Totals that were compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reconciled {
    /// The request and its answer: of its fields, type, key and reason.
    pub answered: Answered,
    /// Ours, since the acquirer's last cutover.
    pub totals: Totals,
}

/// A refund that was announced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refund {
    /// The request and its answer.
    pub answered: Answered,
    /// The entry of the purchase that it gives back, or none when it names none that is known.
    pub original: Seq,
}

/// Where money is spent.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum Place {
    /// At a cashpoint or a bank's counter: all of it is cash.
    Cashpoint = 1,
    /// Without the card at hand.
    Online = 2,
    /// In a shop, some of it perhaps as cashback.
    #[default]
    Shop = 3,
}

impl Place {
    /// The name in metrics and API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cashpoint => "cashpoint",
            Self::Online => "online",
            Self::Shop => "pos",
        }
    }

    pub(crate) const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Cashpoint),
            2 => Some(Self::Online),
            3 => Some(Self::Shop),
            _ => None,
        }
    }
}

/// A reversal that found its original.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reversed {
    /// The request and its answer; amount and fee are what was given back.
    pub answered: Answered,
    /// The entry that is reversed; none when a declined request was reversed.
    pub original: Seq,
    /// What is left of the original's amount.
    pub amount_left: Amount,
    /// What is left of its fee.
    pub fee_left: Amount,
    /// Where the money comes back from.
    pub given_back: GivenBack,
    /// Whether it was carried out.
    pub fate: ReversalFate,
    /// Whether a cashpoint gave it back because it could not dispense (DE 39 = 21 or 32).
    pub is_dispense_fault: bool,
}

/// Where money that is given back comes from.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(u8)]
pub enum GivenBack {
    /// It was held only.
    #[default]
    Held = 0,
    /// It had been posted.
    Posted = 1,
    /// It was a refund that had been announced: it will not come.
    RefundPending = 2,
    /// It had been posted by a clearing line: no message told its acquirer so.
    PostedByClearing = 3,
}

impl GivenBack {
    pub(super) const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Held),
            1 => Some(Self::Posted),
            2 => Some(Self::RefundPending),
            3 => Some(Self::PostedByClearing),
            _ => None,
        }
    }

    /// Whether it comes back to the balance.
    #[must_use]
    pub const fn is_of_balance(self) -> bool {
        match self {
            Self::Posted | Self::PostedByClearing => true,
            Self::Held | Self::RefundPending => false,
        }
    }
}

/// Whether a reversal was carried out.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(u8)]
pub enum ReversalFate {
    /// It was.
    #[default]
    Done = 0,
    /// It asked for more than there was, gave back nothing, and waits for a person.
    Parked = 1,
    /// One dispense fault too many: it gave back nothing until the cash is counted.
    Disputed = 2,
}

impl ReversalFate {
    pub(super) const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Done),
            1 => Some(Self::Parked),
            2 => Some(Self::Disputed),
            _ => None,
        }
    }
}

/// A reversal without an original.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Remembered {
    /// The request and its answer.
    pub answered: Answered,
    /// The key of the original that it names.
    pub original: RequestKey,
}

/// The end of a hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HoldExpired {
    /// The entry that made the hold.
    pub original: Seq,
    /// What was still held, in cents.
    pub amount: Amount,
    /// The fee that was held with it.
    pub fee: Amount,
}

/// A new card.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Issued {
    /// The PAN, sealed by the shell under the data key: this crate never sees it open here.
    pub sealed_pan: [u8; 24],
    /// Status, ticks, expiry.
    pub controls: Controls,
    /// The number on the back of the card.
    pub mok_id: u32,
    /// The PIN's verification value, where a PIN was set.
    pub pvv: Option<u16>,
    /// Whether the programme's limits apply to this card.
    pub limited: bool,
    /// The card's handle for people.
    pub name: Name,
    /// What it is to begin with, in cents: due as soon as the card is there, and loaded by an entry
    /// of its own.
    pub opening: Amount,
}

/// Where a load came from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum LoadSource {
    /// Cash at a branch.
    BranchCash = 1,
    /// Another card, through the website.
    Card = 2,
    /// The balance that a card file gives a new card; no limit applies.
    Opening = 3,
    /// Suspense: a person found the card that it belongs to.
    Suspense = 5,
    /// A payment order.
    Upn = 4,
}

impl LoadSource {
    pub(super) const ALL: [Self; 5] =
        [Self::BranchCash, Self::Card, Self::Opening, Self::Suspense, Self::Upn];

    /// The name in API and journal.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BranchCash => "branch_cash",
            Self::Card => "card",
            Self::Opening => "opening",
            Self::Suspense => "suspense",
            Self::Upn => "upn",
        }
    }

    /// The source of this name that a caller may load from: an opening balance comes with the
    /// issue of a card, and what was in suspense by an assignment, and in no other way.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        let sources = [Self::BranchCash, Self::Card, Self::Upn];
        sources.into_iter().find(|source| source.name() == name)
    }

    pub(super) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|source| *source as u8 == number)
    }
}

/// Money that came in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Loaded {
    /// Cents.
    pub amount: Amount,
    /// Where it came from.
    pub source: LoadSource,
    /// What names this load at its source; the same posts once.
    pub name: LoadName,
    /// The balance after it.
    pub balance: Balance,
    /// What was available after it.
    pub available: Balance,
}

impl Answered {
    /// The answer to a message that is about a link, or a file: no money, no merchant.
    #[must_use]
    pub(crate) fn about_link(mti: Mti, key: RequestKey, reason: Reason) -> Self {
        Self {
            mti,
            key,
            reason,
            missing: Channels::NONE,
            pin_tries: None,
            processing_code: ProcessingCode::default(),
            entry_mode: PosEntryMode::default(),
            mcc: Mcc::default(),
            currency: CurrencyCode::EUR,
            transaction_amount: Amount::default(),
            amount: Amount::default(),
            fee: Amount::default(),
            balance: Balance::ZERO,
            available: Balance::ZERO,
            country: [0; 2],
            rrn: NO_RRN,
            merchant: NO_MERCHANT,
            chip: None,
            is_pin_proven: false,
        }
    }

    /// A reversal's entry keeps the original where others keep the merchant.
    #[must_use]
    pub(crate) fn without_merchant(mut self) -> Self {
        self.merchant = NO_MERCHANT;
        self
    }
}

/// In place of DE 37 where a request has none.
pub const NO_RRN: Rrn = Rrn::new([0; 12]);

/// In place of DE 42 where a request has none.
pub const NO_MERCHANT: MerchantId = MerchantId::new([0; 15]);
