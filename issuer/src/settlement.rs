//! Settlement: what was approved, once somebody tells what it came to.
//!
//! Up to a fifth above what was approved is posted in full; above that what was approved is posted,
//! and the rest waits for a person. The fee is computed anew on the cash in it. A completion and a
//! clearing line settle by the same rule.

use crate::entry::Seq;
use crate::fee;
use crate::money::Amount;
use crate::transaction::{Money, Transaction, Transactions};

/// What a hold, or what was posted at once, comes to.
pub(crate) struct Settlement {
    /// Cents to be posted, without the fee.
    pub(crate) amount: Amount,
    /// The fee that goes with it.
    pub(crate) fee: Amount,
    /// What is held for it now, fees included.
    pub(crate) held: Amount,
    /// What was told above what may be posted.
    pub(crate) parked: Amount,
}

/// Settles all parts of what begins with the entry `first` for `told` cents; `None` when nothing is
/// left of it, for it was reversed.
pub(crate) fn settle(transactions: &Transactions, first: Seq, told: Amount) -> Option<Settlement> {
    let sum = |of: fn(&Transaction) -> Amount| {
        transactions.hold(first).map(of).fold(Amount::default(), Amount::saturating_add)
    };
    let approved = sum(|part| part.amount_left);
    if approved.is_zero() {
        return None;
    }
    let is_near = told.minor().saturating_mul(5) <= approved.minor().saturating_mul(6);
    let amount = if is_near { told } else { approved };
    // Nothing that is added to a hold has a fee of its own.
    let had_fee = transactions.by_seq(first).is_some_and(|first| !first.fee.is_zero());
    let fee = if had_fee {
        fee::cashpoint(transactions.cash_of_hold(first, amount))
    } else {
        Amount::default()
    };
    let held = sum(|part| match part.money {
        Money::Held { .. } => part.amount_left.saturating_add(part.fee_left),
        Money::Completed { .. } | Money::Posted | Money::RefundPending { .. } | Money::Released => {
            Amount::default()
        }
    });
    Some(Settlement { amount, fee, held, parked: told.saturating_sub(amount) })
}
