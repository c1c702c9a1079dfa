//! Reversals: which transaction one names, and what it gives back.
//!
//! Reversals of one transaction have one outcome in every order and number: the amount that is
//! left only falls, to the smallest that any of them told.

use crate::card::Card;
use crate::decide::{Decision, Decline, Effect, OriginalSeen, Reversal, Signals};
use crate::fee;
use crate::money::Amount;
use crate::reason::Reason;
use crate::reply::auth_code;
use crate::request::{Request, ReversalAsk};
use crate::transaction::{Money, Transaction};

pub(crate) fn decide(
    request: &Request,
    ask: &ReversalAsk,
    card: &Card,
    signals: &Signals,
) -> Result<Decision, Decline> {
    let Some(original) = find(request, ask, card, signals) else {
        return Ok(without_original(ask, signals));
    };
    let told = request.transaction_amount.max(ask.actual);
    if told > original.transaction_amount {
        return too_large(ask, original);
    }
    let left = original.amount_left.min(billed(original, ask.actual));
    let fee_left = if original.fee.minor() == 0 {
        Amount::default()
    } else {
        original.fee_left.min(fee::cashpoint(original.cash_of(left)))
    };
    Ok(reverse(Reversal {
        original: original.seq,
        amount: original.amount_left.saturating_sub(left),
        fee: original.fee_left.saturating_sub(fee_left),
        amount_left: left,
        fee_left,
        posted: original.money == Money::Posted,
        parked: false,
    }))
}

/// By DE 90, else by trace number, time and terminal, else by reference and approval code.
///
/// The answers lead to it at once; the walk is for an original that came from an acquirer which the
/// reversal does not name.
fn find<'c>(
    request: &Request,
    ask: &ReversalAsk,
    card: &'c Card,
    signals: &Signals,
) -> Option<&'c Transaction> {
    let transactions = card.transactions();
    if let OriginalSeen::Approved(seq) = signals.original
        && let Some(found) = transactions.by_seq(seq)
    {
        return Some(found);
    }
    transactions.newest(|kept| kept.is_named_by(&ask.original)).or_else(|| {
        let (rrn, code) = (request.rrn?, ask.auth_code?);
        transactions.newest(|kept| kept.rrn == rrn && auth_code(kept.seq) == code)
    })
}

fn without_original(ask: &ReversalAsk, signals: &Signals) -> Decision {
    if signals.original == OriginalSeen::Declined {
        return reverse(Reversal::default());
    }
    // An advice is answered 00 so that the terminal stops repeating it.
    let reason = if ask.is_advice { Reason::Approved } else { Reason::NoOriginal };
    Decision::Approve(Effect::Remember { original: ask.original, reason })
}

fn too_large(ask: &ReversalAsk, original: &Transaction) -> Result<Decision, Decline> {
    if !ask.is_advice {
        return Err(Reason::AmountTooLarge.into());
    }
    Ok(reverse(Reversal {
        original: original.seq,
        amount_left: original.amount_left,
        fee_left: original.fee_left,
        posted: original.money == Money::Posted,
        parked: true,
        ..Reversal::default()
    }))
}

const fn reverse(reversal: Reversal) -> Decision {
    Decision::Approve(Effect::Reverse(reversal))
}

/// What `actual`, in the currency of the transaction, is in cents of the account: the share of
/// what was billed, half up. In euros it is the amount itself, which a partial approval may have
/// set below what was asked.
fn billed(original: &Transaction, actual: Amount) -> Amount {
    if original.currency == cekr_iso8583::CurrencyCode::EUR {
        return actual;
    }
    original.amount.share(actual, original.transaction_amount)
}
