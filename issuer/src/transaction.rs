//! What a card did lately: holds, and posted purchases that a reversal may still name.

use alloc::collections::{BTreeSet, VecDeque};

use cekr_iso8583::{CurrencyCode, MerchantId, Rrn};

use crate::entry::{Authorized, Place, Seq};
use crate::key::RequestKey;
use crate::money::Amount;
use crate::time::LocalDate;

/// The most transactions that one card keeps, open holds among them: more than a card can make in
/// the life of a hold, so that only a load test meets it.
pub const TRANSACTIONS_MAX: usize = 1 << 20;

/// Above this many, the oldest goes when it is no open hold: a card does not pay so often that a
/// reversal could still name it.
pub const POSTED_MAX: usize = 4_096;

/// How long a posted transaction can be reversed, in milliseconds: as long as answers are kept.
pub const POSTED_KEPT_MS: u64 = 24 * 60 * 60 * 1_000;

/// Where the money of a transaction is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Money {
    /// Set aside; it comes back at this moment (ms since 1970) unless it is posted before.
    Held {
        /// Milliseconds since 1970-01-01T00:00:00Z.
        expires_at: u64,
    },
    /// Taken from the balance.
    Posted,
    /// Given back, by expiry of the hold.
    Released,
}

/// One approval that moved or held money, and what became of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Transaction {
    /// Its entry.
    pub seq: Seq,
    /// When it was approved, ms since 1970.
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
    /// The cash in it, without a machine owner's surcharge.
    pub cash: Amount,
    /// The fee that was approved with it.
    pub fee: Amount,
    /// What is left of the amount after reversals.
    pub amount_left: Amount,
    /// What is left of the fee.
    pub fee_left: Amount,
    /// What refunds announced so far give back of it.
    pub refunded: Amount,
    /// Where it was spent.
    pub place: Place,
    /// Where the money is.
    pub money: Money,
}

impl Transaction {
    pub(crate) fn new(seq: Seq, at: u64, date: LocalDate, fact: &Authorized) -> Self {
        let answered = &fact.answered;
        let money = if fact.hold_days == 0 {
            Money::Posted
        } else {
            Money::Held { expires_at: at + u64::from(fact.hold_days) * DAY_MS }
        };
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
            cash: fact.cash,
            fee: answered.fee,
            amount_left: answered.amount,
            fee_left: answered.fee,
            refunded: Amount::from_minor(0),
            place: fact.place,
            money,
        }
    }

    /// The cash in what would be left of it at `amount_left`: the surcharge and the goods of a
    /// purchase with cashback were paid first.
    #[must_use]
    pub fn cash_of(&self, amount_left: Amount) -> Amount {
        amount_left.saturating_sub(self.amount.saturating_sub(self.cash))
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
}

/// The transactions of one card, oldest first.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Transactions {
    kept: VecDeque<Transaction>,
    /// The open holds among them, by expiry: however many fall due together, the next is at hand.
    holds: BTreeSet<(u64, Seq)>,
}

impl Transactions {
    /// Whether one more can be kept.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.kept.len() < TRANSACTIONS_MAX
    }

    pub(crate) fn push(&mut self, transaction: Transaction) {
        while let Some(oldest) = self.kept.front() {
            let is_young = oldest.at.saturating_add(POSTED_KEPT_MS) > transaction.at;
            if oldest.is_open() || (is_young && self.kept.len() < POSTED_MAX) {
                break;
            }
            self.kept.pop_front();
        }
        if let Money::Held { expires_at } = transaction.money
            && transaction.is_open()
        {
            self.holds.insert((expires_at, transaction.seq));
        }
        self.kept.push_back(transaction);
    }

    /// The hold of this entry is open no more: it expired, or nothing is left of it.
    pub(crate) fn end_hold(&mut self, expires_at: u64, seq: Seq) {
        self.holds.remove(&(expires_at, seq));
    }

    /// The newest transaction that `names` accepts, among the newest [`POSTED_MAX`]: what is
    /// reversed was seldom long ago, and the walk is made under the card's lock.
    pub fn newest(&self, names: impl Fn(&Transaction) -> bool) -> Option<&Transaction> {
        self.kept.iter().rev().take(POSTED_MAX).find(|kept| names(kept))
    }

    /// The transaction that this entry made.
    #[must_use]
    pub fn by_seq(&self, seq: Seq) -> Option<&Transaction> {
        self.kept.get(self.place(seq)?)
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
        self.holds.first().copied()
    }

    /// The transactions, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Transaction> {
        self.kept.iter()
    }
}

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
