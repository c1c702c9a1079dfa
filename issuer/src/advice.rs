//! Advices: what happened already, told by 012x and 022x.
//!
//! One that names a hold completes it; one that names nothing is an approval that was given
//! elsewhere, by a terminal offline or a stand-in. Ticks, lock, limits and funds are no question
//! any more. An advice is always answered 00: what cannot be posted waits for a person.

use crate::card::Card;
use crate::controls::CardStatus;
use crate::decide::{
    Authorization, Completion, Decision, Decline, Effect, fee_of, find, hold_days, park,
};
use crate::entry::{Authority, ParkCause, Place, Seq, Sum};
use crate::fee;
use crate::money::{Amount, Balance};
use crate::policy::Policy;
use crate::reason::Reason;
use crate::request::{AdviceAsk, Outcome, Request};
use crate::transaction::{Money, Transaction};

pub(crate) fn decide(
    request: &Request,
    ask: &AdviceAsk,
    card: &Card,
    policy: &Policy,
) -> Result<Decision, Decline> {
    if !card.is_known() {
        return Ok(park(ParkCause::CardUnknown, Seq::NONE));
    }
    if card.remembers_reversal_of(&request.key) {
        return Ok(park(ParkCause::OriginalReversed, Seq::NONE));
    }
    match find(request, &ask.named, card) {
        Some(named) if request.key.class == 2 => Ok(complete(request, ask, card, named)),
        Some(named) if takes(request, named, card) => {
            elsewhere(request, ask, card, policy, Sum::AddsTo(named.first_of_hold()))
        }
        Some(named) => Ok(park(ParkCause::KnownAlready, named.seq)),
        None if ask.named.original.is_some() => Ok(park(ParkCause::OriginalUnknown, Seq::NONE)),
        None if card.controls().status == CardStatus::Closed => {
            Ok(park(ParkCause::CardClosed, Seq::NONE))
        }
        None => elsewhere(request, ask, card, policy, own_sum(request)),
    }
}

/// Whether the advice can add to the hold that it names: cash is no part of an estimate.
fn takes(request: &Request, named: &Transaction, card: &Card) -> bool {
    let is_cash = request.place == Place::Cashpoint || !request.cash.is_zero();
    !is_cash && card.transactions().takes_more(named)
}

fn own_sum(request: &Request) -> Sum {
    if request.is_estimated() && request.place != Place::Cashpoint {
        Sum::Estimated
    } else {
        Sum::Exact
    }
}

/// An approval that was given elsewhere: 012x holds, 022x posts.
fn elsewhere(
    request: &Request,
    ask: &AdviceAsk,
    card: &Card,
    policy: &Policy,
    sum: Sum,
) -> Result<Decision, Decline> {
    if ask.outcome == Outcome::Declined {
        return Ok(Decision::Approve(Effect::DeclinedElsewhere));
    }
    let fee = fee_of(request, policy)?;
    let available = card.available().minus(request.amount.saturating_add(fee));
    if available < LOWEST || !card.transactions().has_room() {
        return Err(Reason::TryLater.into());
    }
    Ok(Decision::Approve(Effect::Authorize(Authorization {
        reason: Reason::Approved,
        amount: request.amount,
        fee,
        cash: request.cash,
        place: request.place,
        hold_days: hold_days(request, policy),
        pin_tries: None,
        sum,
        authority: Authority::Elsewhere,
    })))
}

/// Below what DE 54 can tell no balance goes, whatever is advised.
const LOWEST: Balance = Balance::from_minor(-Balance::TOLD_MAX.minor());

/// Posts a hold: up to a fifth above it in full, otherwise the hold, and the rest waits.
fn complete(request: &Request, ask: &AdviceAsk, card: &Card, named: &Transaction) -> Decision {
    match named.money {
        Money::Completed { .. } => return park(ParkCause::AlreadyCompleted, named.seq),
        Money::Posted | Money::RefundPending { .. } => {
            return park(ParkCause::AlreadyPosted, named.seq);
        }
        Money::Held { .. } | Money::Released => {}
    }
    let transactions = card.transactions();
    let original = named.first_of_hold();
    let first = transactions.by_seq(original).unwrap_or(named);
    let approved = sum_of(transactions.hold(original), |part| part.amount_left);
    if approved.is_zero() {
        return park(ParkCause::OriginalReversed, original);
    }
    let told = match ask.outcome {
        Outcome::Approved => request.amount,
        Outcome::Declined => Amount::default(),
    };
    let is_near = told.minor().saturating_mul(5) <= approved.minor().saturating_mul(6);
    let amount = if is_near { told } else { approved };
    let fee = if first.fee.is_zero() {
        Amount::default()
    } else {
        fee::cashpoint(transactions.cash_of_hold(original, amount))
    };
    let held = sum_of(transactions.hold(original), |part| match part.money {
        Money::Held { .. } => part.amount_left.saturating_add(part.fee_left),
        Money::Completed { .. } | Money::Posted | Money::RefundPending { .. } | Money::Released => {
            Amount::default()
        }
    });
    let parked = told.saturating_sub(amount);
    Decision::Approve(Effect::Complete(Completion { original, amount, fee, held, parked }))
}

fn sum_of<'t>(
    parts: impl Iterator<Item = &'t Transaction>,
    of: impl Fn(&Transaction) -> Amount,
) -> Amount {
    parts.fold(Amount::default(), |sum, part| sum.saturating_add(of(part)))
}
