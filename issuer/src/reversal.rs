//! Reversals: which transaction one names, and what it gives back.
//!
//! Reversals of one transaction have one outcome in every order and number: the amount that is
//! left only falls, to the smallest that any of them told.

use cekr_iso8583::{CurrencyCode, ResponseCode};

use crate::card::Card;
use crate::decide::{Decision, Decline, Effect, OriginalSeen, Reversal, Signals};
use crate::entry::{GivenBack, Place, ReversalFate};
use crate::fee;
use crate::money::Amount;
use crate::planted::{self, Fault};
use crate::policy::Policy;
use crate::reason::Reason;
use crate::reply::auth_code;
use crate::request::{Request, ReversalAsk};
use crate::time::Now;
use crate::transaction::{Money, Transaction};

pub(crate) fn decide(
    request: &Request,
    ask: &ReversalAsk,
    card: &Card,
    signals: &Signals,
    now: Now,
    policy: &Policy,
) -> Result<Decision, Decline> {
    let named = match find(request, ask, card, signals) {
        Found::Named(named) => named,
        Found::NoMoney => return Ok(reverse(Reversal::default())),
        Found::Nothing => return Ok(without_original(ask)),
    };
    let original = card.transactions().settled(named);
    let told = request.transaction_amount.max(ask.actual);
    // A terminal may quote the hold, or what it was completed with.
    let told_max = named.transaction_amount.max(original.transaction_amount);
    if told > told_max || request.currency != original.currency {
        return too_large(ask, original);
    }
    let left = original.amount_left.min(billed(original, ask.actual));
    let fee_left = if planted::is(Fault::FeeKeptOnReversal) {
        original.fee_left
    } else if original.fee.is_zero() {
        Amount::default()
    } else {
        original.fee_left.min(fee::cashpoint(original.cash_of(left)))
    };
    let is_dispense_fault = ask.is_advice
        && original.place == Place::Cashpoint
        // However many messages tell of it, it is one fault.
        && !original.is_faulted
        && ask.cause.is_some_and(|cause| DISPENSE_FAULTS.contains(&cause));
    let whole = Reversal {
        original: original.seq,
        amount: original.amount_left.saturating_sub(left),
        fee: original.fee_left.saturating_sub(fee_left),
        amount_left: left,
        fee_left,
        given_back: given_back(original),
        fate: ReversalFate::Done,
        is_dispense_fault,
    };
    let faults_max = usize::try_from(policy.abuse.dispense_faults).unwrap_or(usize::MAX);
    let is_one_too_many = faults_max > 0
        && is_dispense_fault
        && !whole.amount.is_zero()
        && card.dispense_faults(now) + 1 >= faults_max;
    Ok(reverse(if is_one_too_many {
        Reversal { fate: ReversalFate::Disputed, ..nothing_of(original) }
    } else if original.money == Money::Released {
        // The hold gave all of it back when it expired; a completion is still bound by this.
        Reversal { amount: Amount::default(), fee: Amount::default(), ..whole }
    } else {
        whole
    }))
}

/// Why a cashpoint gives back what it was to dispense (DE 39): no action was taken, or only a part
/// of it.
const DISPENSE_FAULTS: [ResponseCode; 2] = [ResponseCode::new(*b"21"), ResponseCode::new(*b"32")];

const fn given_back(original: &Transaction) -> GivenBack {
    match original.money {
        Money::Completed { .. } | Money::Held { .. } | Money::Released => GivenBack::Held,
        // What a hold came to stands under the hold's own request, if no message completed it.
        Money::Posted if original.key.class != 2 => GivenBack::PostedByClearing,
        Money::Posted => GivenBack::Posted,
        Money::RefundPending { .. } => GivenBack::RefundPending,
    }
}

/// A reversal that gives back nothing.
const fn nothing_of(original: &Transaction) -> Reversal {
    Reversal {
        original: original.seq,
        amount: Amount::from_minor(0),
        fee: Amount::from_minor(0),
        amount_left: original.amount_left,
        fee_left: original.fee_left,
        given_back: given_back(original),
        fate: ReversalFate::Done,
        is_dispense_fault: false,
    }
}

/// What a reversal names.
enum Found<'c> {
    /// This transaction.
    Named(&'c Transaction),
    /// A request that moved no money.
    NoMoney,
    /// Nothing that is known.
    Nothing,
}

/// By DE 90, else by trace number, time and terminal, else by reference and approval code.
///
/// The answers lead to it at once; the walk is for an original that came from an acquirer which the
/// reversal does not name. A request that is known and moved nothing ends the search: what else the
/// reversal carries may be that of another transaction.
fn find<'c>(request: &Request, ask: &ReversalAsk, card: &'c Card, signals: &Signals) -> Found<'c> {
    let transactions = card.transactions();
    if let OriginalSeen::Approved(seq) = signals.original
        && let Some(found) = transactions.by_seq(seq)
    {
        return Found::Named(found);
    }
    if let Some(found) = transactions.newest(|kept| kept.is_named_by(&ask.original)) {
        return Found::Named(found);
    }
    if signals.original == OriginalSeen::NoMoney {
        return Found::NoMoney;
    }
    let (Some(rrn), Some(code)) = (request.rrn, ask.auth_code) else {
        return Found::Nothing;
    };
    match transactions.newest(|kept| kept.rrn == rrn && auth_code(kept.seq) == code) {
        Some(found) => Found::Named(found),
        None => Found::Nothing,
    }
}

fn without_original(ask: &ReversalAsk) -> Decision {
    // An advice is answered 00 so that the terminal stops repeating it.
    let reason = if ask.is_advice { Reason::Approved } else { Reason::NoOriginal };
    Decision::Approve(Effect::Remember { original: ask.original, reason })
}

fn too_large(ask: &ReversalAsk, original: &Transaction) -> Result<Decision, Decline> {
    if !ask.is_advice {
        return Err(Reason::AmountTooLarge.into());
    }
    Ok(reverse(Reversal { fate: ReversalFate::Parked, ..nothing_of(original) }))
}

const fn reverse(reversal: Reversal) -> Decision {
    Decision::Approve(Effect::Reverse(reversal))
}

/// What `actual`, in the currency of the transaction, is in cents of the account: the share of
/// what was billed, half up. In euros it is the amount itself, which a partial approval may have
/// set below what was asked.
fn billed(original: &Transaction, actual: Amount) -> Amount {
    if original.currency == CurrencyCode::EUR {
        return actual;
    }
    original.billed.share(actual, original.transaction_amount)
}
