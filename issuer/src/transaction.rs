//! What a card did lately: holds, and posted purchases that a reversal may still name.

mod holds;

use alloc::collections::VecDeque;

use cekr_iso8583::{CurrencyCode, MerchantId, Rrn};

use crate::entry::{Answered, Authorized, Cleared, Completed, Place, Refund, Seq, Sum};
use crate::key::RequestKey;
use crate::money::{Amount, Balance};
use crate::network::NO_TERMINAL;
use crate::time::LocalDate;
use holds::Holds;

/// The most transactions that one card keeps, open holds among them: more than a card can make in
/// the life of a hold, so that only a load test meets it.
pub const TRANSACTIONS_MAX: usize = 1 << 20;

/// Above this many, the oldest goes when it is no open hold: a card does not pay so often that a
/// reversal could still name it.
pub const POSTED_MAX: usize = 4_096;

/// How long a posted transaction can be reversed, in milliseconds: as long as answers are kept.
pub const POSTED_KEPT_MS: u64 = DAY_MS;

/// How long a posted transaction, or a hold that expired, waits to be cleared, in milliseconds: the
/// network brings it within days.
pub const UNCLEARED_KEPT_MS: u64 = 30 * DAY_MS;

/// How long an announced refund is remembered, in milliseconds: clearing brings it within weeks.
pub const REFUND_KEPT_MS: u64 = 30 * DAY_MS;

/// Where the money of a transaction is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Money {
    /// A completion took its place.
    Completed {
        /// The completion's entry.
        by: Seq,
    },
    /// Set aside; it comes back at this moment (ms since 1970) unless it is posted before.
    Held {
        /// Milliseconds since 1970-01-01T00:00:00Z.
        expires_at: u64,
    },
    /// Taken from the balance.
    Posted,
    /// On its way to the card, when it is cleared.
    RefundPending {
        /// The entry of the purchase that it gives back, or none.
        of: Seq,
    },
    /// Given back, by expiry of the hold.
    Released,
}

/// One approval that moved or held money, and what became of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Transaction {
    /// Its entry.
    pub seq: Seq,
    /// When it was approved, completed or expired, ms since 1970: it is kept for a time from then.
    pub at: u64,
    /// The day that its limits count for.
    pub date: LocalDate,
    /// The key of its request.
    pub key: RequestKey,
    /// DE 37.
    pub rrn: Rrn,
    /// DE 42.
    pub merchant: MerchantId,
    /// DE 4 as it was asked, in the currency of the transaction.
    pub transaction_amount: Amount,
    /// DE 49.
    pub currency: CurrencyCode,
    /// What was approved, in cents.
    pub amount: Amount,
    /// What DE 4 comes to in cents: above the amount where only part of it could be posted.
    pub billed: Amount,
    /// The cash in it, without a machine owner's surcharge.
    pub cash: Amount,
    /// The fee that was approved with it.
    pub fee: Amount,
    /// What is left of the amount after reversals; what was left when the hold expired.
    pub amount_left: Amount,
    /// What is left of the fee.
    pub fee_left: Amount,
    /// What refunds announced so far give back of it.
    pub refunded: Amount,
    /// Where it was spent.
    pub place: Place,
    /// How final the amount is.
    pub sum: Sum,
    /// Whether a clearing line has settled it.
    pub is_cleared: bool,
    /// Whether a cashpoint gave some of it back because it could not dispense.
    pub is_faulted: bool,
    /// What it was counted towards, where the holder was asked of nothing.
    pub unasked: Option<Counted>,
    /// Where the money is.
    pub money: Money,
}

/// What a payment of which the holder was asked nothing counts towards, and since which time the
/// holder was asked: it is taken back only from the same sum.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Counted {
    /// Payments over the air without a PIN.
    Contactless {
        /// Of [`crate::card::Unasked`].
        epoch: u16,
    },
    /// Purchases without the card and without a confirmation.
    Remote {
        /// Of [`crate::card::Unasked`].
        epoch: u16,
    },
}

impl Transaction {
    pub(crate) fn new(seq: Seq, at: u64, date: LocalDate, fact: &Authorized) -> Self {
        let money = if fact.hold_days == 0 {
            Money::Posted
        } else {
            Money::Held { expires_at: at + u64::from(fact.hold_days) * DAY_MS }
        };
        Self {
            cash: fact.cash,
            place: fact.place,
            sum: fact.sum,
            money,
            ..Self::asked(seq, at, date, &fact.answered)
        }
    }

    /// The announced refund of `fact`.
    pub(crate) fn refund(seq: Seq, at: u64, date: LocalDate, fact: &Refund) -> Self {
        Self {
            fee: Amount::from_minor(0),
            fee_left: Amount::from_minor(0),
            money: Money::RefundPending { of: fact.original },
            ..Self::asked(seq, at, date, &fact.answered)
        }
    }

    /// What was asked, posted, with no cash in it.
    fn asked(seq: Seq, at: u64, date: LocalDate, answered: &Answered) -> Self {
        Self {
            seq,
            at,
            date,
            key: answered.key,
            rrn: answered.rrn,
            merchant: answered.merchant,
            transaction_amount: answered.transaction_amount,
            currency: answered.currency,
            amount: answered.amount,
            billed: answered.amount,
            cash: Amount::from_minor(0),
            fee: answered.fee,
            amount_left: answered.amount,
            fee_left: answered.fee,
            refunded: Amount::from_minor(0),
            place: Place::Shop,
            sum: Sum::Exact,
            is_cleared: false,
            is_faulted: false,
            unasked: None,
            money: Money::Posted,
        }
    }

    /// What was posted, as the completion `fact` names it.
    pub(crate) fn completed(self, fact: &Completed) -> Self {
        let answered = &fact.answered;
        Self {
            key: answered.key,
            rrn: answered.rrn,
            transaction_amount: answered.transaction_amount,
            currency: answered.currency,
            billed: answered.amount.saturating_add(fact.parked),
            ..self
        }
    }

    /// What a clearing line that named nothing we know has posted.
    pub(crate) fn forced(seq: Seq, at: u64, date: LocalDate, fact: &Cleared) -> Self {
        let amount = taken(fact.change);
        let fee = taken(fact.fee_change);
        Self {
            seq,
            at,
            date,
            key: NO_KEY,
            rrn: fact.rrn,
            merchant: fact.merchant,
            transaction_amount: amount,
            currency: CurrencyCode::EUR,
            amount,
            billed: amount,
            cash: if fact.place == Place::Cashpoint { amount } else { Amount::from_minor(0) },
            fee,
            amount_left: amount,
            fee_left: fee,
            refunded: Amount::from_minor(0),
            place: fact.place,
            sum: Sum::Exact,
            is_cleared: true,
            is_faulted: false,
            unasked: None,
            money: Money::Posted,
        }
    }

    /// Whether it is an announced refund.
    #[must_use]
    pub const fn is_refund(&self) -> bool {
        matches!(self.money, Money::RefundPending { .. })
    }

    /// The first entry of the hold that it belongs to.
    #[must_use]
    pub const fn first_of_hold(&self) -> Seq {
        match self.sum {
            Sum::AddsTo(first) => first,
            Sum::Estimated | Sum::Exact => self.seq,
        }
    }

    /// The cash in what would be left of it at `amount_left`: the surcharge and the goods of a
    /// purchase with cashback were paid first.
    #[must_use]
    pub fn cash_of(&self, amount_left: Amount) -> Amount {
        cash_of(amount_left, self.amount.saturating_sub(self.cash), self.cash)
    }

    /// Whether `key` names this transaction as its original: trace number, terminal, time.
    ///
    /// The acquirer of DE 90 is filled in by too few terminals to decide.
    #[must_use]
    pub fn is_named_by(&self, key: &RequestKey) -> bool {
        self.key.stan == key.stan
            && self.key.when == key.when
            && self.key.terminal == key.terminal
            && (key.class == 0 || self.key.class == key.class)
    }

    fn is_open(&self) -> bool {
        matches!(self.money, Money::Held { .. }) && self.amount_left.minor() > 0
    }

    /// Whether it must still be known at `now_ms`, however many came after it.
    fn is_awaited(&self, now_ms: u64) -> bool {
        match self.money {
            // One that was reversed too: its completion must not pass for something unknown.
            Money::Held { expires_at } => {
                self.is_open() || expires_at.saturating_add(POSTED_KEPT_MS) > now_ms
            }
            Money::RefundPending { .. } => {
                !self.amount_left.is_zero() && self.at.saturating_add(REFUND_KEPT_MS) > now_ms
            }
            Money::Completed { .. } | Money::Posted | Money::Released => false,
        }
    }

    /// Whether it may still be named: reversed, or cleared.
    fn is_young(&self, now_ms: u64) -> bool {
        let kept_ms = match self.money {
            Money::Posted | Money::Released if !self.is_cleared => UNCLEARED_KEPT_MS,
            Money::Completed { .. }
            | Money::Held { .. }
            | Money::Posted
            | Money::RefundPending { .. }
            | Money::Released => POSTED_KEPT_MS,
        };
        self.at.saturating_add(kept_ms) > now_ms
    }
}

/// The cash in `amount`, where `goods` were paid first; none where there was no `cash`.
const fn cash_of(amount: Amount, goods: Amount, cash: Amount) -> Amount {
    if cash.is_zero() { cash } else { amount.saturating_sub(goods) }
}

/// What a change of the account has taken from it.
pub(crate) const fn taken(change: Balance) -> Amount {
    Amount::from_minor(if change.minor() < 0 { change.minor().unsigned_abs() } else { 0 })
}

/// The key of what no terminal asked: no message has a class of zero.
const NO_KEY: RequestKey =
    RequestKey { acquirer: 0, terminal: NO_TERMINAL, when: 0, stan: 0, class: 0 };

/// The transactions of one card, oldest first.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Transactions {
    kept: VecDeque<Transaction>,
    /// The open holds among them.
    holds: Holds,
}

impl Transactions {
    /// The same transactions again, oldest first, and the open holds among them.
    pub(crate) fn restored(kept: VecDeque<Transaction>) -> Self {
        let holds = kept.iter().filter(|kept| kept.is_open()).filter_map(|kept| match kept.money {
            Money::Held { expires_at } => Some((expires_at, kept.seq)),
            Money::Completed { .. }
            | Money::Posted
            | Money::RefundPending { .. }
            | Money::Released => None,
        });
        let holds = holds.collect();
        Self { kept, holds }
    }

    /// Whether one more can be kept.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.kept.len() < TRANSACTIONS_MAX
    }

    pub(crate) fn push(&mut self, transaction: Transaction) {
        let now_ms = transaction.at;
        while let Some(oldest) = self.kept.front() {
            let is_named_yet = oldest.is_young(now_ms) && self.kept.len() < POSTED_MAX;
            if oldest.is_awaited(now_ms) || is_named_yet {
                break;
            }
            self.kept.pop_front();
        }
        // An old hold at the front must not keep all that came after it. Only at lengths that
        // double, so that a push costs the same on average.
        let len = self.kept.len();
        if len >= POSTED_MAX && len.is_power_of_two() {
            let mut place = 0;
            self.kept.retain(|kept| {
                place += 1;
                let is_new = place + POSTED_MAX / 2 > len;
                kept.is_awaited(now_ms) || (is_new && kept.is_young(now_ms))
            });
        }
        if let Money::Held { expires_at } = transaction.money
            && transaction.is_open()
        {
            self.holds.insert(expires_at, transaction.seq);
        }
        self.kept.push_back(transaction);
    }

    /// The hold of this entry is open no more: it expired, or nothing is left of it.
    pub(crate) fn end_hold(&mut self, expires_at: u64, seq: Seq) {
        self.holds.remove(expires_at, seq);
    }

    /// The newest transaction that `names` accepts, among the newest [`POSTED_MAX`]: what is
    /// reversed was seldom long ago, and the walk is made under the card's lock.
    pub fn newest(&self, names: impl Fn(&Transaction) -> bool) -> Option<&Transaction> {
        self.kept.iter().rev().take(POSTED_MAX).find(|kept| names(kept))
    }

    /// The newest purchase or cash that `key` names: one of its own acquirer first, and then of
    /// any, for too few terminals fill in DE 32 alike in both messages.
    #[must_use]
    pub fn named_by(&self, key: &RequestKey) -> Option<&Transaction> {
        let is_named = |kept: &Transaction| kept.is_named_by(key) && !kept.is_refund();
        self.newest(|kept| kept.key.acquirer == key.acquirer && is_named(kept))
            .or_else(|| self.newest(is_named))
    }

    /// The transaction that this entry made.
    #[must_use]
    pub fn by_seq(&self, seq: Seq) -> Option<&Transaction> {
        self.kept.get(self.place(seq)?)
    }

    /// What became of `transaction`: itself, or the completion that took its place.
    #[must_use]
    pub fn settled<'t>(&'t self, transaction: &'t Transaction) -> &'t Transaction {
        match transaction.money {
            Money::Completed { by } => self.by_seq(by).unwrap_or(transaction),
            Money::Held { .. } | Money::Posted | Money::RefundPending { .. } | Money::Released => {
                transaction
            }
        }
    }

    /// What became of the transaction that the entry `seq` made, to be changed.
    pub(crate) fn settled_mut(&mut self, seq: Seq) -> Option<&mut Transaction> {
        let by = self.by_seq(seq).map(|made| self.settled(made).seq)?;
        self.by_seq_mut(by)
    }

    /// Whether a message with an estimated amount can still add to the hold of `part`.
    #[must_use]
    pub fn takes_more(&self, part: &Transaction) -> bool {
        matches!(part.money, Money::Held { .. })
            && part.sum != Sum::Exact
            && self.hold(part.first_of_hold()).any(Transaction::is_open)
    }

    /// The hold that begins with the entry `first`: that one, and what was added to it.
    pub fn hold(&self, first: Seq) -> impl Iterator<Item = &Transaction> {
        let (start, len_max) = self.extent_of_hold(first);
        let parts = self.kept.iter().skip(start).take(len_max);
        parts.filter(move |kept| kept.first_of_hold() == first)
    }

    /// The cash in `posted` of the hold that begins with the entry `first`: what was not cash in
    /// any of its parts was paid first.
    #[must_use]
    pub fn cash_of_hold(&self, first: Seq, posted: Amount) -> Amount {
        let (goods, cash) = self.hold(first).fold(Default::default(), |(goods, cash), part| {
            let other = part.amount.saturating_sub(part.cash);
            (Amount::saturating_add(goods, other), Amount::saturating_add(cash, part.cash))
        });
        cash_of(posted, goods, cash)
    }

    /// What a settlement posts of the hold that begins with the entry `first`. Day, place and
    /// merchant stay those of the approval: it used up that day's limits.
    pub(crate) fn posted_of_hold(
        &self,
        first: Seq,
        (seq, at): (Seq, u64),
        (amount, fee): (Amount, Amount),
    ) -> Option<Transaction> {
        let refunded = self.hold(first).map(|part| part.refunded);
        let begun = self.by_seq(first)?;
        Some(Transaction {
            seq,
            at,
            amount,
            cash: self.cash_of_hold(first, amount),
            fee,
            amount_left: amount,
            fee_left: fee,
            refunded: refunded.fold(Amount::from_minor(0), Amount::saturating_add),
            sum: Sum::Exact,
            is_cleared: false,
            is_faulted: self.hold(first).any(|part| part.is_faulted),
            // No more is taken back of a sum than was counted.
            unasked: begun.unasked.filter(|_| amount <= begun.amount),
            money: Money::Posted,
            ..*begun
        })
    }

    /// Where the hold begins, and in how many transactions from there its parts stand: nothing is
    /// added to an exact amount, so that the usual hold is found without a walk.
    fn extent_of_hold(&self, first: Seq) -> (usize, usize) {
        match self.place(first) {
            Some(start) if self.kept.get(start).is_some_and(|kept| kept.sum == Sum::Exact) => {
                (start, 1)
            }
            Some(start) => (start, usize::MAX),
            None => (0, 0),
        }
    }

    /// All of the hold that begins with the entry `first` now expires at `expires_at`.
    pub(crate) fn extend_hold(&mut self, first: Seq, expires_at: u64) {
        self.change_hold(first, |part, holds| {
            if let Money::Held { expires_at: before } = part.money
                && holds.remove(before, part.seq)
            {
                part.money = Money::Held { expires_at };
                holds.insert(expires_at, part.seq);
            }
        });
    }

    /// The completion `by` takes the place of the hold that begins with the entry `first`.
    pub(crate) fn complete_hold(&mut self, first: Seq, by: Seq, at: u64) {
        self.change_hold(first, |part, holds| {
            if let Money::Held { expires_at } = part.money {
                holds.remove(expires_at, part.seq);
            }
            part.money = Money::Completed { by };
            part.at = at;
        });
    }

    fn change_hold(&mut self, first: Seq, mut change: impl FnMut(&mut Transaction, &mut Holds)) {
        let (start, len_max) = self.extent_of_hold(first);
        let parts = self.kept.iter_mut().skip(start).take(len_max);
        for part in parts.filter(|kept| kept.first_of_hold() == first) {
            change(part, &mut self.holds);
        }
    }

    pub(crate) fn by_seq_mut(&mut self, seq: Seq) -> Option<&mut Transaction> {
        let at = self.place(seq)?;
        self.kept.get_mut(at)
    }

    fn place(&self, seq: Seq) -> Option<usize> {
        self.kept.binary_search_by_key(&seq, |kept| kept.seq).ok()
    }

    /// The earliest moment at which a hold expires, in ms since 1970, and its entry.
    #[must_use]
    pub fn first_expiry(&self) -> Option<(u64, Seq)> {
        self.holds.first()
    }

    /// The earliest moment at which a hold expires, ms since 1970; the largest number when there is
    /// none.
    #[must_use]
    pub fn next_expiry(&self) -> u64 {
        self.first_expiry().map_or(u64::MAX, |(at, _)| at)
    }

    /// The transactions, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Transaction> + ExactSizeIterator {
        self.kept.iter()
    }
}

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
