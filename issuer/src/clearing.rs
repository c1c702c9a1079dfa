//! Clearing: what a line of the network's file does to a card.
//!
//! A line settles what was approved: it posts a hold, or adjusts what a 02xx posted at once. Up to
//! a fifth above what was approved is posted in full, more waits for a person. A line that names
//! nothing we know is posted nevertheless, for the network has paid the merchant. A negative line
//! brings money: an announced refund, or a chargeback of a purchase. Ticks, lock, limits and funds
//! are no question any more.
//!
//! Amounts are in cents of the account; the fee is computed anew on the cash that was cleared.

use cekr_iso8583::{AuthCode, Mcc, MerchantId, Rrn};

use crate::card::Card;
use crate::controls::CardStatus;
use crate::entry::{
    Cleared, ClearedAs, Fact, LineCause, LineKey, LineParked, MaskedPan, NO_MERCHANT, NO_RRN,
    Place, Seq,
};
use crate::fee;
use crate::money::{Amount, Balance};
use crate::reply::auth_code;
use crate::settlement::settle;
use crate::transaction::{Money, Transaction};

/// One line of a clearing file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Line {
    /// What makes it the same line again.
    pub key: LineKey,
    /// The acquirer's reference (DE 37 of the authorization).
    pub rrn: Option<Rrn>,
    /// The approval code (DE 38 of the authorization).
    pub auth_code: Option<AuthCode>,
    /// Cents: positive takes, negative brings.
    pub amount: Balance,
    /// The merchant.
    pub merchant: Option<MerchantId>,
    /// The merchant's business.
    pub mcc: Mcc,
}

impl Line {
    /// What this line does to `card`.
    #[must_use]
    pub fn fact(&self, card: &Card) -> Fact {
        match self.decide(card) {
            Ok(effect) => Fact::Cleared(self.cleared(card, &effect)),
            Err((cause, original)) => Fact::LineParked(self.parked(cause, original, None)),
        }
    }

    /// The line put aside: for a card that is none of ours, or for `cause`.
    #[must_use]
    pub fn parked(
        &self,
        cause: LineCause,
        original: Seq,
        stranger: Option<MaskedPan>,
    ) -> LineParked {
        LineParked {
            line: self.key,
            cause,
            original,
            amount: self.amount,
            rrn: self.rrn.unwrap_or(NO_RRN),
            merchant: self.merchant.unwrap_or(NO_MERCHANT),
            mcc: self.mcc,
            stranger,
        }
    }

    fn decide(&self, card: &Card) -> Result<Effect, (LineCause, Seq)> {
        let amount = Amount::from_minor(self.amount.minor().unsigned_abs());
        if amount.is_zero() {
            return Err((LineCause::AmountZero, Seq::NONE));
        }
        if self.amount < Balance::ZERO {
            self.credit(amount, card)
        } else {
            self.debit(amount, card)
        }
    }

    /// The transaction that the line names: by reference and approval code, or else by either.
    fn find<'c>(
        &self,
        card: &'c Card,
        is_wanted: impl Fn(&Transaction) -> bool,
    ) -> Option<&'c Transaction> {
        let transactions = card.transactions();
        let by_code = |kept: &Transaction| self.auth_code == Some(auth_code(kept.seq));
        let by_rrn = |kept: &Transaction| self.rrn == Some(kept.rrn) && kept.rrn != NO_RRN;
        transactions
            .newest(|kept| is_wanted(kept) && by_code(kept) && by_rrn(kept))
            .or_else(|| transactions.newest(|kept| is_wanted(kept) && by_code(kept)))
            .or_else(|| transactions.newest(|kept| is_wanted(kept) && by_rrn(kept)))
            .map(|named| transactions.settled(named))
    }

    fn debit(&self, amount: Amount, card: &Card) -> Result<Effect, (LineCause, Seq)> {
        let Some(named) = self.find(card, |kept| !kept.is_refund()) else {
            return self.forced(amount, card);
        };
        if named.is_cleared {
            return Err((LineCause::AlreadyCleared, named.seq));
        }
        let transactions = card.transactions();
        let first = transactions.by_seq(named.first_of_hold()).unwrap_or(named);
        let Some(settled) = settle(transactions, first.seq, amount) else {
            return Err((LineCause::OriginalReversed, first.seq));
        };
        let (how, before, fee_before) = if first.money == Money::Posted {
            (ClearedAs::Adjusted, first.amount_left, first.fee_left)
        } else {
            (ClearedAs::Posted, Amount::default(), Amount::default())
        };
        Ok(Effect {
            how,
            original: first.seq,
            place: first.place,
            change: difference(before, settled.amount),
            fee_change: difference(fee_before, settled.fee),
            held: settled.held,
            parked: settled.parked,
        })
    }

    /// What we know nothing of was paid all the same.
    fn forced(&self, amount: Amount, card: &Card) -> Result<Effect, (LineCause, Seq)> {
        if card.controls().status == CardStatus::Closed {
            return Err((LineCause::CardClosed, Seq::NONE));
        }
        let is_cash = matches!(self.mcc.number(), 6010 | 6011);
        let place = if is_cash { Place::Cashpoint } else { Place::Shop };
        let fee = if is_cash { fee::cashpoint(amount) } else { Amount::default() };
        let total = amount.saturating_add(fee);
        if card.available().minus(total) < Balance::TOLD_MIN {
            return Err((LineCause::AmountTooLarge, Seq::NONE));
        }
        Ok(Effect {
            how: ClearedAs::Forced,
            original: Seq::NONE,
            place,
            change: difference(Amount::default(), amount),
            fee_change: difference(Amount::default(), fee),
            held: Amount::default(),
            parked: Amount::default(),
        })
    }

    fn credit(&self, amount: Amount, card: &Card) -> Result<Effect, (LineCause, Seq)> {
        let brought = |how, original: &Transaction| Effect {
            how,
            original: original.seq,
            place: original.place,
            change: difference(amount, Amount::default()),
            fee_change: Balance::ZERO,
            held: Amount::default(),
            parked: Amount::default(),
        };
        if let Some(refund) = self.find(card, Transaction::is_refund) {
            return if amount > refund.amount_left {
                Err((LineCause::CreditTooLarge, refund.seq))
            } else if purchase_left(refund, card).is_some_and(|left| amount > left) {
                Err((LineCause::OriginalReversed, refund.seq))
            } else {
                Ok(brought(ClearedAs::Refunded, refund))
            };
        }
        match self.find(card, |kept| !kept.is_refund()) {
            None => Err((LineCause::OriginalUnknown, Seq::NONE)),
            Some(purchase) if purchase.money != Money::Posted || amount > purchase.amount_left => {
                Err((LineCause::CreditTooLarge, purchase.seq))
            }
            Some(purchase) => Ok(brought(ClearedAs::ChargedBack, purchase)),
        }
    }

    fn cleared(&self, card: &Card, effect: &Effect) -> Cleared {
        let after =
            |before: Balance| before.changed_by(effect.change).changed_by(effect.fee_change);
        Cleared {
            line: self.key,
            how: effect.how,
            original: effect.original,
            place: effect.place,
            change: effect.change,
            fee_change: effect.fee_change,
            held: effect.held,
            parked: effect.parked,
            balance: after(card.balance()),
            available: after(card.available()).plus(effect.held),
            rrn: self.rrn.unwrap_or(NO_RRN),
            merchant: self.merchant.unwrap_or(NO_MERCHANT),
            mcc: self.mcc,
            earned: None,
        }
    }
}

/// What a line comes to.
struct Effect {
    how: ClearedAs,
    original: Seq,
    place: Place,
    change: Balance,
    fee_change: Balance,
    held: Amount,
    parked: Amount,
}

/// What the purchase behind an announced refund can still give back; none when it is not known.
fn purchase_left(refund: &Transaction, card: &Card) -> Option<Amount> {
    let Money::RefundPending { of } = refund.money else {
        return None;
    };
    let transactions = card.transactions();
    transactions.by_seq(of).map(|purchase| transactions.settled(purchase).amount_left)
}

/// What changes on the account when `before` was taken and `after` is.
const fn difference(before: Amount, after: Amount) -> Balance {
    Balance::ZERO.plus(before).minus(after)
}
