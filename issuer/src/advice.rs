//! Advices: what happened already, told by 012x and 022x.
//!
//! One that names a hold completes it; one that names nothing is an approval that was given
//! elsewhere, by a terminal offline or a stand-in. Ticks, lock, limits and funds are no question
//! any more. An advice is always answered 00: what cannot be posted waits for a person.

use crate::card::Card;
use crate::controls::CardStatus;
use crate::decide::{
    Authorization, Completion, Decision, Decline, Effect, fee_of, find, own_sum, park,
};
use crate::entry::{Authority, ParkCause, Place, Seq, Sum};
use crate::money::{Amount, Balance};
use crate::policy::Policy;
use crate::reason::Reason;
use crate::request::{AdviceAsk, Outcome, Request};
use crate::settlement::{Settlement, settle};
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
    if available < Balance::TOLD_MIN || !card.transactions().has_room() {
        return Err(Reason::TryLater.into());
    }
    let whole = Authorization::whole(request, fee, policy);
    let advised = Authorization { sum, authority: Authority::Elsewhere, ..whole };
    Ok(Decision::Approve(Effect::Authorize(advised)))
}

/// Posts a hold, once.
fn complete(request: &Request, ask: &AdviceAsk, card: &Card, named: &Transaction) -> Decision {
    match named.money {
        Money::Completed { .. } => return park(ParkCause::AlreadyCompleted, named.seq),
        Money::Posted | Money::RefundPending { .. } => {
            return park(ParkCause::AlreadyPosted, named.seq);
        }
        Money::Held { .. } | Money::Released => {}
    }
    let told = match ask.outcome {
        Outcome::Approved => request.amount,
        Outcome::Declined => Amount::default(),
    };
    let original = named.first_of_hold();
    match settle(card.transactions(), original, told) {
        None => park(ParkCause::OriginalReversed, original),
        Some(Settlement { amount, fee, held, parked }) => {
            Decision::Approve(Effect::Complete(Completion { original, amount, fee, held, parked }))
        }
    }
}
