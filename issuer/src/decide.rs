//! The decision: the rules from top to bottom, the first that applies wins.
//!
//! [`decide`] is pure and total. What it needs to know of a secret (is this PIN right) it asks for
//! with [`Decision::Need`]; the shell finds the proof outside any lock and asks again. A proof is
//! believed only after the counters of the card were judged, under its lock.

mod consent;
mod fact;

use cekr_emv::issuer::AtcJudgement;

use self::consent::ConsentStep;
use crate::advice;
use crate::card::{Card, PIN_TRIES_MAX};
use crate::channel::Channels;
use crate::consent::Allowance;
use crate::controls::CardStatus;
use crate::entry::{
    About, Authority, Consent, Entry, Fact, GivenBack, ParkCause, Place, ReversalFate, Seq, Sum,
};
use crate::fee;
use crate::key::RequestKey;
use crate::limit::Spending;
use crate::money::Amount;
use crate::policy::{AbroadScope, CashpointRequires, Policy, PosRequires};
use crate::proof::{
    ChipProof, ChipSeen, CvvProof, Findings, NewPinProof, PinProof, ProofKind, Proofs,
};
use crate::reason::Reason;
use crate::reply::auth_code;
use crate::request::{AdviceAsk, Ask, ExpiryRead, Named, Request, Spend};
use crate::reversal;
use crate::time::Now;
use crate::transaction::Transaction;

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
    /// The holder's new PIN takes the place of the old one.
    ChangePin {
        /// Its verification value.
        pvv: u16,
    },
    /// A hold is posted, in whole or in part, and the rest released.
    Complete(Completion),
    /// A decline that was given elsewhere is noted.
    DeclinedElsewhere,
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
    /// An advice cannot be posted and waits for a person.
    Park {
        /// Why.
        cause: ParkCause,
        /// The entry that it names, or none.
        original: Seq,
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
    /// How final the amount is.
    pub sum: Sum,
    /// Who approved it.
    pub authority: Authority,
    /// On what it rests, where it is a purchase without the card.
    pub consent: Consent,
}

impl Authorization {
    /// All that `request` asks, approved here, its amount exact.
    pub(crate) fn whole(request: &Request, fee: Amount, policy: &Policy) -> Self {
        Self {
            reason: Reason::Approved,
            amount: request.amount,
            fee,
            cash: request.cash,
            place: request.place,
            hold_days: hold_days(request, policy),
            pin_tries: None,
            sum: Sum::Exact,
            authority: Authority::Here,
            consent: Consent::NotAsked,
        }
    }
}

/// A hold to be posted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Completion {
    /// The first entry of the hold.
    pub original: Seq,
    /// Cents to be posted, without the fee.
    pub amount: Amount,
    /// Fee to be posted.
    pub fee: Amount,
    /// What is held now, fees included: none of it will be.
    pub held: Amount,
    /// What was asked above what may be posted.
    pub parked: Amount,
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
    /// Where the money comes back from.
    pub given_back: GivenBack,
    /// Whether it is carried out.
    pub fate: ReversalFate,
    /// Whether a cashpoint could not dispense.
    pub is_dispense_fault: bool,
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
    /// The cryptogram that was found right on the way: it is answered.
    pub chip: Option<ChipSeen>,
    /// Whether the card's counter moves by it.
    pub moves_counter: bool,
}

impl From<Reason> for Decline {
    fn from(reason: Reason) -> Self {
        Self { reason, missing: Channels::NONE, pin_tries: None, chip: None, moves_counter: false }
    }
}

impl Decline {
    /// Whether the card is the same after it.
    #[must_use]
    pub const fn changes_nothing(&self) -> bool {
        self.pin_tries.is_none() && !self.moves_counter
    }
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
    /// It was answered, and moved no money.
    NoMoney,
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
        Ask::Reversal(ask) => reversal::decide(request, &ask, card, signals, now, policy),
        Ask::Advice(ask) => advice::decide(request, &ask, card, policy),
        Ask::FeeEnquiry => standing(request, card, policy).and_then(|()| quote_fee(request)),
        Ask::Refund { .. } if request.is_advice() && not_reversed(request, card).is_err() => {
            Ok(park(ParkCause::OriginalReversed, Seq::NONE))
        }
        Ask::Refund { original } => not_reversed(request, card)
            .and_then(|()| standing(request, card, policy))
            .and_then(|()| refund(request, original, card)),
        Ask::AccountCheck
        | Ask::BalanceInquiry
        | Ask::Increment(_)
        | Ask::PinChange
        | Ask::Purchase
        | Ask::Withdrawal => authorize(request, proofs, card, signals, now, policy),
    };
    match decided {
        Ok(decision) => decision,
        Err(decline) => Decision::Decline(decline),
    }
}

/// An entry about `card` that says `fact` at `now`.
#[must_use]
pub fn entry(card: &Card, now: Now, fact: Fact) -> Entry {
    Entry {
        about: About::Card(card.id()),
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
    let chip = match chip(request, proofs, card, policy)? {
        ChipStep::Judged(chip) => chip,
        ChipStep::Need => return Ok(Decision::Need(ProofKind::Chip)),
    };
    // From here on the card's counter has moved, whatever comes of the rest.
    verified(request, proofs, card, signals, now, policy).map_err(|decline| Decline {
        chip,
        moves_counter: chip.is_some(),
        ..decline
    })
}

/// The rows behind the chip's.
fn verified(
    request: &Request,
    proofs: &Proofs,
    card: &Card,
    signals: &Signals,
    now: Now,
    policy: &Policy,
) -> Result<Decision, Decline> {
    if request.has_verification_value && is_cvv_unproven(request, proofs)? {
        return Ok(Decision::Need(ProofKind::Cvv));
    }
    let pin_tries = match pin(request, proofs, card, policy)? {
        PinStep::Judged(pin_tries) => pin_tries,
        PinStep::Need => return Ok(Decision::Need(ProofKind::Pin)),
    };
    if request.is_contactless() {
        contactless(request, proofs, card, policy)?;
    }
    if request.takes_money() {
        let spending = Spending::of(request.place, request.cash, request.amount);
        let programme = card.is_limited().then_some(&policy.limits);
        card.spent().allows(now.local_date, spending, programme, card.own_limits())?;
    }
    let consent = match consent::judge(request, proofs, card, now, policy)? {
        ConsentStep::Judged(consent) => consent,
        ConsentStep::Need => return Ok(Decision::Need(ProofKind::Cavv)),
    };
    if signals.is_enumeration {
        return Err(Reason::SuspectedFraud.into());
    }
    match request.ask {
        Ask::AccountCheck => Ok(inquire(Reason::AccountChecked, pin_tries)),
        Ask::BalanceInquiry => Ok(inquire(Reason::Approved, pin_tries)),
        Ask::PinChange => change_pin(proofs),
        Ask::Advice(_)
        | Ask::FeeEnquiry
        | Ask::Increment(_)
        | Ask::Purchase
        | Ask::Refund { .. }
        | Ask::Reversal(_)
        | Ask::Withdrawal => funds(request, card, policy, (pin_tries, consent)),
    }
}

/// The old PIN was right; the new one must be readable.
fn change_pin(proofs: &Proofs) -> Result<Decision, Decline> {
    match proofs.new_pin {
        None => Ok(Decision::Need(ProofKind::NewPin)),
        Some(NewPinProof::Read { pvv }) => Ok(Decision::Approve(Effect::ChangePin { pvv })),
        Some(NewPinProof::Unreadable) => Err(Reason::PinBlockUnreadable.into()),
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
    if is_over_cap || (needs_chip(request, policy) && !request.has_chip_data) {
        return Err(Reason::FallbackRefused.into());
    }
    Ok(())
}

fn needs_chip(request: &Request, policy: &Policy) -> bool {
    match request.place {
        Place::Cashpoint => policy.cashpoint_requires == CashpointRequires::ChipAndPin,
        Place::Shop => policy.pos_requires == PosRequires::Chip && request.takes_money(),
        Place::Online => false,
    }
}

enum ChipStep {
    /// Judged, with the cryptogram if there is one.
    Judged(Option<ChipSeen>),
    /// Not proven yet.
    Need,
}

/// The chip's data, where they came. What is right is judged here, by the card's own counter.
fn chip(
    request: &Request,
    proofs: &Proofs,
    card: &Card,
    policy: &Policy,
) -> Result<ChipStep, Decline> {
    if !request.has_chip_data {
        return Ok(ChipStep::Judged(None));
    }
    let right = match proofs.chip {
        None => return Ok(ChipStep::Need),
        Some(ChipProof::Absent) if needs_chip(request, policy) => {
            return Err(Reason::FallbackRefused.into());
        }
        Some(ChipProof::Absent) => return Ok(ChipStep::Judged(None)),
        Some(ChipProof::Refused(fault)) => return Err(fault.reason().into()),
        Some(ChipProof::Right(right)) => right,
    };
    let declined = |reason: Reason, moves_counter| Decline {
        chip: Some(right.seen),
        moves_counter,
        ..reason.into()
    };
    match card.counters_used().judge(right.seen.atc, policy.atc_jump_max) {
        AtcJudgement::Replayed | AtcJudgement::TooOld => Err(declined(Reason::ChipReplay, false)),
        AtcJudgement::UsedUp => Err(declined(Reason::ChipCounter, false)),
        // The card stands there, as its cryptogram proves: the next one passes.
        AtcJudgement::Jumped(_) => Err(declined(Reason::ChipCounter, true)),
        AtcJudgement::Fresh(_) => match right.findings {
            Findings::Refused => Err(declined(Reason::ChipFindings, true)),
            Findings::Fine => Ok(ChipStep::Judged(Some(right.seen))),
        },
    }
}

/// Whether the verification value is still to be looked at.
fn is_cvv_unproven(request: &Request, proofs: &Proofs) -> Result<bool, Decline> {
    match proofs.cvv {
        None => Ok(true),
        Some(CvvProof::Absent | CvvProof::Right) => Ok(false),
        // Without the card it looks like a wrong number, as a wrong expiry does.
        Some(CvvProof::Wrong) if request.is_not_present() => Err(Reason::CvvWrongNotPresent.into()),
        Some(CvvProof::Wrong) => Err(Reason::CvvWrong.into()),
    }
}

/// Without a PIN, over the air: a single amount, and a sum since the last PIN.
fn contactless(
    request: &Request,
    proofs: &Proofs,
    card: &Card,
    policy: &Policy,
) -> Result<(), Decline> {
    let is_judged = request.place == Place::Shop
        && request.takes_money()
        && card.is_limited()
        && !proofs.is_pin_proven()
        && !is_fare(request);
    if !is_judged {
        return Ok(());
    }
    let allowance = Allowance::contactless(&policy.limits);
    if allowance.covers(request.amount, card.contactless()).is_err() {
        return Err(Reason::PinRequired.into());
    }
    Ok(())
}

/// Fares and parking at machines, where nobody enters a PIN.
pub(crate) fn is_fare(request: &Request) -> bool {
    matches!(request.mcc.number(), 4111 | 4112 | 4131 | 4784 | 7523)
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
    let is_missing = !request.has_pin();
    let is_required = request.ask == Ask::PinChange
        || request.place == Place::Cashpoint
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
    (pin_tries, consent): (Option<u8>, Consent),
) -> Result<Decision, Decline> {
    let fee = fee_of(request, policy)?;
    let available = card.available();
    if !card.transactions().has_room() {
        return Err(Reason::TryLater.into());
    }
    let whole = Authorization::whole(request, fee, policy);
    let whole = Authorization { pin_tries, consent, sum: sum(request, card), ..whole };
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
pub(crate) fn fee_of(request: &Request, policy: &Policy) -> Result<Amount, Decline> {
    let fee = match request.ask {
        Ask::Advice(AdviceAsk { spend: Spend::Withdrawal, .. })
        | Ask::FeeEnquiry
        | Ask::Withdrawal => fee::cashpoint(request.cash),
        Ask::Advice(_) | Ask::Purchase if policy.cashback_fee => fee::cashpoint(request.cash),
        Ask::AccountCheck
        | Ask::Advice(_)
        | Ask::BalanceInquiry
        | Ask::Increment(_)
        | Ask::PinChange
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

/// Whether the amount is the last word, and if it adds to an estimate, to which.
fn sum(request: &Request, card: &Card) -> Sum {
    let own = own_sum(request);
    if let (Sum::Estimated, Ask::Increment(named)) = (own, &request.ask)
        && let Some(hold) = find(request, named, card)
        && card.transactions().takes_more(hold)
    {
        return Sum::AddsTo(hold.first_of_hold());
    }
    own
}

/// Whether the amount is the last word, for a request that adds to nothing.
pub(crate) fn own_sum(request: &Request) -> Sum {
    if request.is_estimated() && request.place != Place::Cashpoint {
        Sum::Estimated
    } else {
        Sum::Exact
    }
}

/// The transaction that a completion or an increment names: by DE 90, or else by reference and
/// approval code, or else by the approval code alone.
pub(crate) fn find<'c>(
    request: &Request,
    named: &Named,
    card: &'c Card,
) -> Option<&'c Transaction> {
    let transactions = card.transactions();
    if let Some(original) = &named.original {
        return transactions.named_by(original);
    }
    let code = named.auth_code?;
    let is_named = |kept: &Transaction| auth_code(kept.seq) == code && !kept.is_refund();
    transactions
        .newest(|kept| request.rrn == Some(kept.rrn) && is_named(kept))
        .or_else(|| transactions.newest(is_named))
}

pub(crate) const fn park(cause: ParkCause, original: Seq) -> Decision {
    Decision::Approve(Effect::Park { cause, original })
}

/// A refund gives back at most what its purchase took, when it names one.
fn refund(
    request: &Request,
    original: Option<RequestKey>,
    card: &Card,
) -> Result<Decision, Decline> {
    if request.amount.is_zero() && !request.is_advice() {
        return Err(Reason::AmountZero.into());
    }
    let transactions = card.transactions();
    let named = match original {
        Some(key) => transactions.named_by(&key),
        None => transactions.newest(|kept| {
            let is_its = request.rrn == Some(kept.rrn) && request.merchant == Some(kept.merchant);
            is_its && !kept.is_refund()
        }),
    };
    let Some(purchase) = named.map(|named| transactions.settled(named)) else {
        return refund_of(Seq::NONE);
    };
    if request.amount.saturating_add(purchase.refunded) <= purchase.amount_left {
        return refund_of(purchase.seq);
    }
    if request.is_advice() {
        return Ok(park(ParkCause::RefundTooLarge, purchase.seq));
    }
    Err(Reason::AmountTooLarge.into())
}

const fn refund_of(original: Seq) -> Result<Decision, Decline> {
    Ok(Decision::Approve(Effect::RefundPending { original }))
}

#[cfg(test)]
mod tests;
