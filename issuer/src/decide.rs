//! The decision: the rules from top to bottom, the first that applies wins.
//!
//! [`decide`] is pure and total. What it needs to know of a secret (is this PIN right) it asks for
//! with [`Decision::Need`]; the shell finds the proof outside any lock and asks again. A proof is
//! believed only after the counters of the card were judged, under its lock.

use crate::card::{Card, PIN_TRIES_MAX};
use crate::channel::Channels;
use crate::controls::CardStatus;
use crate::entry::{
    Answered, Authorized, Entry, Fact, NO_MERCHANT, NO_RRN, Place, Refund, Remembered, Reversed,
    Seq,
};
use crate::fee;
use crate::key::RequestKey;
use crate::limit::Spending;
use crate::money::Amount;
use crate::policy::{AbroadScope, CashpointRequires, Policy, PosRequires};
use crate::reason::Reason;
use crate::request::{Ask, ExpiryRead, Request};
use crate::reversal;
use crate::time::Now;

/// What the decision came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Decision {
    /// Go ahead, with this effect.
    Approve(Effect),
    /// No.
    Decline(Decline),
    /// Not decided yet: this must be proven first.
    Need(ProofKind),
}

/// What an approval does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Effect {
    /// Money is held or posted.
    Authorize(Authorization),
    /// Balances are told, or that the account exists.
    Inquire {
        /// [`Reason::Approved`] or [`Reason::AccountChecked`].
        reason: Reason,
        /// PIN tries after it, where a right PIN gave them back.
        pin_tries: Option<u8>,
    },
    /// The fee of a withdrawal is told; nothing changes.
    QuoteFee {
        /// Cents.
        fee: Amount,
    },
    /// A refund will come with clearing.
    RefundPending {
        /// The entry of the purchase that it names, or none.
        original: Seq,
    },
    /// A reversal without an original is remembered.
    Remember {
        /// The request that will be declined when it comes.
        original: RequestKey,
        /// [`Reason::Approved`] to an advice, [`Reason::NoOriginal`] to a request.
        reason: Reason,
    },
    /// Money is given back.
    Reverse(Reversal),
}

/// Money to be held or posted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Authorization {
    /// [`Reason::Approved`], or [`Reason::Partial`] when less than asked is approved.
    pub reason: Reason,
    /// Cents, without the fee.
    pub amount: Amount,
    /// Cents.
    pub fee: Amount,
    /// The cash in the amount.
    pub cash: Amount,
    /// Where it is spent.
    pub place: Place,
    /// The life of the hold; zero posts at once.
    pub hold_days: u8,
    /// PIN tries after it, where a right PIN gave them back.
    pub pin_tries: Option<u8>,
}

/// Money to be given back.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Reversal {
    /// The entry that is reversed, or none where a declined request was.
    pub original: Seq,
    /// Cents given back, without the fee.
    pub amount: Amount,
    /// Fee given back.
    pub fee: Amount,
    /// What is left of the amount.
    pub amount_left: Amount,
    /// What is left of the fee.
    pub fee_left: Amount,
    /// Whether the money had been posted.
    pub posted: bool,
    /// Whether it asks for more than there was, and waits for a person.
    pub parked: bool,
}

/// A refusal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Decline {
    /// Why.
    pub reason: Reason,
    /// Ticks that were needed and are off.
    pub missing: Channels,
    /// PIN tries left, where a wrong PIN took one.
    pub pin_tries: Option<u8>,
}

impl From<Reason> for Decline {
    fn from(reason: Reason) -> Self {
        Self { reason, missing: Channels::NONE, pin_tries: None }
    }
}

/// What must be proven before a decision.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProofKind {
    /// Whether the PIN block holds the card's PIN.
    Pin,
}

/// What was proven so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Proofs {
    /// About the PIN block.
    pub pin: Option<PinProof>,
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

/// What the node knows beyond the card.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Signals {
    /// What became of the request that a reversal names.
    pub original: OriginalSeen,
    /// Whether failures around this card, range or terminal passed their bound.
    pub is_enumeration: bool,
}

/// What the answers that are kept tell of a reversal's original.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OriginalSeen {
    /// It was approved by this entry.
    Approved(Seq),
    /// It was answered, and declined.
    Declined,
    /// Nothing.
    #[default]
    Unseen,
}

/// Decides `request` for `card`.
#[must_use]
pub fn decide(
    request: &Request,
    proofs: &Proofs,
    card: &Card,
    signals: &Signals,
    now: Now,
    policy: &Policy,
) -> Decision {
    let decided = match request.ask {
        Ask::Reversal(ask) => reversal::decide(request, &ask, card, signals),
        Ask::FeeEnquiry => standing(request, card, policy).and_then(|()| quote_fee(request)),
        Ask::Refund { original } => not_reversed(request, card)
            .and_then(|()| standing(request, card, policy))
            .and_then(|()| refund(request, original, card)),
        Ask::AccountCheck | Ask::BalanceInquiry | Ask::Purchase | Ask::Withdrawal => {
            authorize(request, proofs, card, signals, now, policy)
        }
    };
    match decided {
        Ok(decision) => decision,
        Err(decline) => Decision::Decline(decline),
    }
}

impl Decision {
    /// The fact that this decision about `request` makes of `card`, or none when it changes
    /// nothing and no answer rests on it.
    ///
    /// The answer is part of the fact, balances after it included.
    #[must_use]
    pub fn fact(&self, request: &Request, card: &Card) -> Option<Fact> {
        if !card.is_known() {
            return None;
        }
        match self {
            Self::Approve(Effect::Authorize(authorization)) => {
                Some(authorized(request, card, authorization))
            }
            Self::Approve(Effect::Inquire { reason, pin_tries }) => {
                let answered = answered(request, card, *reason);
                Some(Fact::Inquired(Answered { pin_tries: *pin_tries, ..answered }))
            }
            Self::Approve(Effect::QuoteFee { .. }) | Self::Need(_) => None,
            Self::Approve(Effect::RefundPending { original }) => {
                Some(Fact::RefundPending(Refund {
                    answered: answered(request, card, Reason::Approved),
                    original: *original,
                }))
            }
            Self::Approve(Effect::Remember { original, reason }) => {
                Some(Fact::ReversalRemembered(Remembered {
                    answered: answered(request, card, *reason).without_merchant(),
                    original: RequestKey { acquirer: 0, ..*original },
                }))
            }
            Self::Approve(Effect::Reverse(reversal)) => Some(reversed(request, card, reversal)),
            Self::Decline(decline) => Some(Fact::Declined(Answered {
                missing: decline.missing,
                pin_tries: decline.pin_tries,
                ..answered(request, card, decline.reason)
            })),
        }
    }
}

/// An entry about `card` that says `fact` at `now`.
#[must_use]
pub fn entry(card: &Card, now: Now, fact: Fact) -> Entry {
    Entry {
        card: card.id(),
        previous: card.last_seq(),
        // A card's history never goes back, whatever the clock does.
        at: now.unix_ms.max(card.last_at()),
        date: now.local_date.max(card.spent().date()),
        fact,
    }
}

/// A request whose reversal came before it is late, whatever it asks.
fn not_reversed(request: &Request, card: &Card) -> Result<(), Decline> {
    if card.remembers_reversal_of(&request.key) {
        return Err(Reason::AlreadyReversed.into());
    }
    Ok(())
}

/// Number, range and state of the card: rows that hold for everything but reversals.
fn standing(request: &Request, card: &Card, policy: &Policy) -> Result<(), Decline> {
    let Ok(pan) = request.pan else {
        return Err(Reason::NoSuchCard.into());
    };
    if !policy.is_ours(pan) {
        return Err(Reason::NotOurBin.into());
    }
    let reason = match card.controls().status {
        CardStatus::Unknown => Reason::NoSuchCard,
        CardStatus::NotActivated => Reason::NotActivated,
        CardStatus::Lost => Reason::Lost,
        CardStatus::Stolen => Reason::Stolen,
        CardStatus::Closed => Reason::Closed,
        CardStatus::Active | CardStatus::Locked => return Ok(()),
    };
    Err(reason.into())
}

fn authorize(
    request: &Request,
    proofs: &Proofs,
    card: &Card,
    signals: &Signals,
    now: Now,
    policy: &Policy,
) -> Result<Decision, Decline> {
    not_reversed(request, card)?;
    standing(request, card, policy)?;
    expiry(request, card, now)?;
    if card.controls().status == CardStatus::Locked {
        return Err(Reason::Locked.into());
    }
    if request.takes_money() || request.ask == Ask::AccountCheck {
        channels(request, card, policy)?;
    }
    if request.takes_money() && request.amount.minor() == 0 {
        return Err(Reason::AmountZero.into());
    }
    fallback(request, policy)?;
    let pin_tries = match pin(request, proofs, card, policy)? {
        PinStep::Judged(pin_tries) => pin_tries,
        PinStep::Need => return Ok(Decision::Need(ProofKind::Pin)),
    };
    if card.is_limited() && request.takes_money() {
        let spending = Spending::of(request.place, request.cash, request.amount);
        card.spent().allows(now.local_date, spending, &policy.limits)?;
    }
    if signals.is_enumeration {
        return Err(Reason::SuspectedFraud.into());
    }
    match request.ask {
        Ask::AccountCheck => Ok(inquire(Reason::AccountChecked, pin_tries)),
        Ask::BalanceInquiry => Ok(inquire(Reason::Approved, pin_tries)),
        Ask::FeeEnquiry
        | Ask::Purchase
        | Ask::Refund { .. }
        | Ask::Reversal(_)
        | Ask::Withdrawal => funds(request, card, policy, pin_tries),
    }
}

const fn inquire(reason: Reason, pin_tries: Option<u8>) -> Decision {
    Decision::Approve(Effect::Inquire { reason, pin_tries })
}

fn expiry(request: &Request, card: &Card, now: Now) -> Result<(), Decline> {
    let differs = match request.expiry {
        ExpiryRead::Absent => false,
        ExpiryRead::Contradictory => true,
        ExpiryRead::Told(expiry) => expiry != card.controls().expiry,
    };
    if !differs && !now.local_date.is_past(card.controls().expiry) {
        return Ok(());
    }
    // Without the card a wrong expiry looks like a wrong number: a guesser learns nothing.
    let reason = if request.is_not_present() { Reason::ExpiredNotPresent } else { Reason::Expired };
    Err(reason.into())
}

fn channels(request: &Request, card: &Card, policy: &Policy) -> Result<(), Decline> {
    let mut needs = request.needs;
    if policy.abroad_scope == AbroadScope::CardPresent && request.is_not_present() {
        needs = needs.minus(Channels::ABROAD);
    }
    let missing = needs.minus(card.controls().ticks);
    if missing.is_empty() {
        return Ok(());
    }
    Err(Decline { missing, ..Reason::ChannelOff.into() })
}

/// Cash without the chip where the chip is required, and stripe fallback above its cap.
fn fallback(request: &Request, policy: &Policy) -> Result<(), Decline> {
    let cap = policy.abuse.stripe_cap;
    let is_over_cap = request.is_fallback() && cap.minor() > 0 && request.amount > cap;
    let needs_chip = match request.place {
        Place::Cashpoint => policy.cashpoint_requires == CashpointRequires::ChipAndPin,
        Place::Shop => policy.pos_requires == PosRequires::Chip && request.takes_money(),
        Place::Online => false,
    };
    if is_over_cap || (needs_chip && !request.has_chip_data) {
        return Err(Reason::FallbackRefused.into());
    }
    Ok(())
}

enum PinStep {
    /// Judged, with the tries after it where they changed.
    Judged(Option<u8>),
    /// Not proven yet.
    Need,
}

fn pin(
    request: &Request,
    proofs: &Proofs,
    card: &Card,
    policy: &Policy,
) -> Result<PinStep, Decline> {
    let is_missing = request.pin_block.is_none();
    let is_required = request.ask == Ask::Withdrawal
        && policy.cashpoint_requires == CashpointRequires::ChipAndPin;
    if is_missing && !is_required {
        return Ok(PinStep::Judged(None));
    }
    if card.pin_tries_left() == 0 {
        return Err(Reason::PinTriesExceeded.into());
    }
    if is_missing {
        return Err(Reason::PinMissing.into());
    }
    match proofs.pin {
        None => Ok(PinStep::Need),
        Some(PinProof::Right) => {
            let is_full = card.pin_tries_left() == PIN_TRIES_MAX;
            Ok(PinStep::Judged((!is_full).then_some(PIN_TRIES_MAX)))
        }
        Some(PinProof::Unreadable) => Err(Reason::PinBlockUnreadable.into()),
        Some(PinProof::Wrong) => {
            let pin_tries = Some(card.pin_tries_left().saturating_sub(1));
            Err(Decline { pin_tries, ..Reason::PinWrong.into() })
        }
    }
}

/// Amount and fee against what is available; part of it where the terminal can take part.
fn funds(
    request: &Request,
    card: &Card,
    policy: &Policy,
    pin_tries: Option<u8>,
) -> Result<Decision, Decline> {
    let fee = fee_of(request, policy)?;
    let available = card.available();
    if !card.transactions().has_room() {
        return Err(Reason::TryLater.into());
    }
    let whole = Authorization {
        reason: Reason::Approved,
        amount: request.amount,
        fee,
        cash: request.cash,
        place: request.place,
        hold_days: hold_days(request, policy),
        pin_tries,
    };
    if available.covers(request.amount.saturating_add(fee)) {
        return Ok(Decision::Approve(Effect::Authorize(whole)));
    }
    let may_be_part = request.partial_allowed
        && request.place != Place::Cashpoint
        && request.cash.minor() == 0
        && request.is_domestic_currency()
        && available.minor() > 0;
    if !may_be_part {
        return Err(Reason::InsufficientFunds.into());
    }
    let part = Authorization { reason: Reason::Partial, amount: available.spendable(), ..whole };
    Ok(Decision::Approve(Effect::Authorize(part)))
}

/// The fee of what is asked, which must fit the eight digits in which DE 8 tells it.
fn fee_of(request: &Request, policy: &Policy) -> Result<Amount, Decline> {
    let fee = match request.ask {
        Ask::FeeEnquiry | Ask::Withdrawal => fee::cashpoint(request.cash),
        Ask::Purchase if policy.cashback_fee => fee::cashpoint(request.cash),
        Ask::AccountCheck
        | Ask::BalanceInquiry
        | Ask::Purchase
        | Ask::Refund { .. }
        | Ask::Reversal(_) => Amount::default(),
    };
    if fee.minor() > FEE_TOLD_MAX { Err(Reason::AmountTooLarge.into()) } else { Ok(fee) }
}

const FEE_TOLD_MAX: u64 = 99_999_999;

fn quote_fee(request: &Request) -> Result<Decision, Decline> {
    let fee = fee::cashpoint(request.cash);
    if fee.minor() > FEE_TOLD_MAX {
        return Err(Reason::AmountTooLarge.into());
    }
    Ok(Decision::Approve(Effect::QuoteFee { fee }))
}

/// A 01xx holds, a 02xx posts at once.
fn hold_days(request: &Request, policy: &Policy) -> u8 {
    if request.key.class != 1 {
        return 0;
    }
    let days = match request.place {
        Place::Cashpoint => policy.hold_days.cashpoint,
        Place::Online | Place::Shop if request.condition == 6 => policy.hold_days.estimated,
        Place::Online => policy.hold_days.ecommerce,
        Place::Shop => policy.hold_days.present,
    };
    u8::try_from(days).unwrap_or(u8::MAX).max(1)
}

/// A refund gives back at most what its purchase took, when it names one.
fn refund(
    request: &Request,
    original: Option<RequestKey>,
    card: &Card,
) -> Result<Decision, Decline> {
    if request.amount.minor() == 0 {
        return Err(Reason::AmountZero.into());
    }
    let named = card.transactions().newest(|kept| match original {
        Some(key) => kept.is_named_by(&key),
        None => request.rrn == Some(kept.rrn) && request.merchant == Some(kept.merchant),
    });
    match named {
        Some(purchase)
            if request.amount.saturating_add(purchase.refunded) > purchase.amount_left =>
        {
            Err(Reason::AmountTooLarge.into())
        }
        Some(purchase) => refund_of(purchase.seq),
        None => refund_of(Seq::NONE),
    }
}

const fn refund_of(original: Seq) -> Result<Decision, Decline> {
    Ok(Decision::Approve(Effect::RefundPending { original }))
}

/// What every answered request keeps: balances as they are before any effect.
fn answered(request: &Request, card: &Card, reason: Reason) -> Answered {
    Answered {
        mti: request.mti,
        key: request.key,
        reason,
        missing: Channels::NONE,
        pin_tries: None,
        processing_code: request.processing_code,
        entry_mode: request.entry_mode,
        mcc: request.mcc,
        currency: request.currency,
        transaction_amount: request.transaction_amount,
        amount: request.amount,
        fee: Amount::default(),
        balance: card.balance(),
        available: card.available(),
        country: request.country.unwrap_or_default(),
        rrn: request.rrn.unwrap_or(NO_RRN),
        merchant: request.merchant.unwrap_or(NO_MERCHANT),
    }
}

fn authorized(request: &Request, card: &Card, authorization: &Authorization) -> Fact {
    let total = authorization.amount.saturating_add(authorization.fee);
    let before = answered(request, card, authorization.reason);
    let is_held = authorization.hold_days > 0;
    Fact::Authorized(Authorized {
        answered: Answered {
            amount: authorization.amount,
            fee: authorization.fee,
            pin_tries: authorization.pin_tries,
            balance: if is_held { before.balance } else { before.balance.minus(total) },
            available: before.available.minus(total),
            ..before
        },
        cash: authorization.cash,
        place: authorization.place,
        hold_days: authorization.hold_days,
    })
}

fn reversed(request: &Request, card: &Card, reversal: &Reversal) -> Fact {
    let total = reversal.amount.saturating_add(reversal.fee);
    let before = answered(request, card, Reason::Approved);
    Fact::Reversed(Reversed {
        answered: Answered {
            amount: reversal.amount,
            fee: reversal.fee,
            balance: if reversal.posted { before.balance.plus(total) } else { before.balance },
            available: before.available.plus(total),
            ..before
        }
        .without_merchant(),
        original: reversal.original,
        amount_left: reversal.amount_left,
        fee_left: reversal.fee_left,
        posted: reversal.posted,
        parked: reversal.parked,
    })
}

#[cfg(test)]
mod tests;
