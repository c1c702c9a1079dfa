//! One card: its controls, its money, its counters; [`Card::apply`] is the only way it changes.

mod confirmations;
mod loads;
mod points;
mod script;
mod state;

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use cekr_emv::issuer::AtcWindow;

use self::confirmations::Confirmations;
pub use self::confirmations::Unasked;
use self::script::Scripts;
pub use self::script::{DATA_REMEMBERED_MAX, ScriptsFull};
use crate::confirmation::{ConfirmationEnd, ConfirmationStep};
use crate::controls::{CardStatus, Controls};
use crate::entry::{
    Answered, Authorized, CardId, Cleared, ClearedAs, Completed, Consent, Entry, Fact, HoldExpired,
    Issued, LoadName, LoadSource, Loaded, Reference, Refund, Remembered, Reversed, Seq, Sum,
};
use crate::key::RequestKey;
use crate::limit::{OwnLimits, Spending, Spent};
use crate::money::{Amount, Balance, lessened};
use crate::planted::{self, Fault};
use crate::time::Now;
use crate::transaction::{Counted, Money, Transaction, Transactions, taken};
use loads::Loads;
pub use loads::{LOAD_TAKEN_BACK_MS, LOADS_REMEMBERED_MAX, TAKEN_BACK_MAX};
pub use points::EARNINGS_MAX;

/// Wrong PINs after which no PIN is tried any more.
pub const PIN_TRIES_MAX: u8 = 3;

/// Reversals without an original that one card remembers; the oldest is forgotten first.
pub const REMEMBERED_MAX: usize = 64;

/// Dispense faults that one card remembers; the oldest is forgotten first.
pub const DISPENSE_FAULTS_MAX: usize = 64;

/// How long a dispense fault counts, in milliseconds: thirty days.
pub const DISPENSE_FAULT_KEPT_MS: u64 = 30 * 24 * 60 * 60 * 1_000;

/// The first two digits of DE 22 where a card was read over the air (ISO 8583:1987, as networks
/// number them).
pub(crate) const CONTACTLESS_CHIP: u8 = 7;
pub(crate) const CONTACTLESS_STRIPE: u8 = 91;

/// The state of one card.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Card {
    id: CardId,
    controls: Controls,
    balance: Balance,
    held: Amount,
    limited: bool,
    pvv: Option<u16>,
    pin_tries_left: u8,
    /// Counters that its chip has used; apart, where they fill what the fields beside leave free.
    atc_last: u16,
    atc_seen: u64,
    /// Spent over the air without a PIN since the last one.
    contactless: Unasked,
    spent: Spent,
    declines: Declines,
    /// When something falls due, the first hold to expire as a rule, ms since 1970; the largest
    /// number when there is nothing.
    due_first: u64,
    last_seq: Seq,
    last_at: u64,
    transactions: Transactions,
    /// What no authorization asks for: apart, so that the rest of a card is near together.
    loads: Option<Box<Loads>>,
    /// What few cards have. Each authorization looks, and for most it must cost no memory.
    rare: Option<Box<Rare>>,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Rare {
    /// Originals whose reversal came before them.
    remembered: VecDeque<RequestKey>,
    /// When cashpoints gave back what they could not dispense, ms since 1970.
    dispense_faults: VecDeque<u64>,
    /// What its chip is to do.
    scripts: Scripts,
    /// The holder's own limits.
    limits: OwnLimits,
    /// Purchases that the holder confirms, and what was paid without that.
    confirmations: Confirmations,
}

/// Declines that change nothing, counted by the hour.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Declines {
    /// Hours since 1970.
    hour: u32,
    /// Those with an entry of their own.
    entered: u32,
    /// Those only counted.
    counted: u32,
}

impl Card {
    /// What an unknown number is judged as, so that it takes the same steps.
    #[must_use]
    pub fn unknown() -> Self {
        Self { due_first: u64::MAX, ..Self::default() }
    }

    /// The card that `fact` issues.
    #[must_use]
    pub fn issued(id: CardId, fact: &Issued) -> Self {
        let loads = (!fact.opening.is_zero())
            .then(|| Box::new(Loads { opening: fact.opening, ..Loads::default() }));
        Self {
            due_first: if loads.is_some() { 0 } else { u64::MAX },
            loads,
            id,
            controls: fact.controls,
            limited: fact.limited,
            pvv: fact.pvv,
            pin_tries_left: PIN_TRIES_MAX,
            ..Self::default()
        }
    }

    /// The card's ordinal in its shard.
    #[must_use]
    pub const fn id(&self) -> CardId {
        self.id
    }

    /// Status, ticks, expiry, version.
    #[must_use]
    pub const fn controls(&self) -> Controls {
        self.controls
    }

    /// What the account holds, holds included.
    #[must_use]
    pub const fn balance(&self) -> Balance {
        self.balance
    }

    /// What is set aside by holds, fees included.
    #[must_use]
    pub const fn held(&self) -> Amount {
        self.held
    }

    /// What can be spent: balance less holds.
    #[must_use]
    pub const fn available(&self) -> Balance {
        self.balance.minus(self.held)
    }

    /// Whether the programme's limits apply.
    #[must_use]
    pub const fn is_limited(&self) -> bool {
        self.limited
    }

    /// The holder's own limits, if there are any.
    #[must_use]
    pub fn own_limits(&self) -> Option<&OwnLimits> {
        self.rare.as_ref().map(|rare| &rare.limits)
    }

    /// The PIN's verification value.
    #[must_use]
    pub const fn pvv(&self) -> Option<u16> {
        self.pvv
    }

    /// How many wrong PINs may still come.
    #[must_use]
    pub const fn pin_tries_left(&self) -> u8 {
        self.pin_tries_left
    }

    /// The counters that its chip has used.
    #[must_use]
    pub const fn counters_used(&self) -> AtcWindow {
        AtcWindow::from_parts(self.atc_last, self.atc_seen)
    }

    /// Spent over the air without a PIN since the last one.
    #[must_use]
    pub const fn contactless(&self) -> Unasked {
        self.contactless
    }

    /// What was used up of the limits.
    #[must_use]
    pub const fn spent(&self) -> &Spent {
        &self.spent
    }

    /// The card's newest entry.
    #[must_use]
    pub const fn last_seq(&self) -> Seq {
        self.last_seq
    }

    /// When its newest entry was made, ms since 1970.
    #[must_use]
    pub const fn last_at(&self) -> u64 {
        self.last_at
    }

    /// What it did lately.
    #[must_use]
    pub const fn transactions(&self) -> &Transactions {
        &self.transactions
    }

    /// Whether a reversal of the request with this key came before it.
    #[must_use]
    pub fn remembers_reversal_of(&self, key: &RequestKey) -> bool {
        let remembered = self.rare.iter().flat_map(|rare| &rare.remembered);
        remembered.into_iter().any(|original| {
            original.stan == key.stan
                && original.when == key.when
                && original.terminal == key.terminal
        })
    }

    /// How many dispense faults gave money back in the thirty days before `now`.
    #[must_use]
    pub fn dispense_faults(&self, now: Now) -> usize {
        let since = now.unix_ms.saturating_sub(DISPENSE_FAULT_KEPT_MS);
        let faults = self.rare.iter().flat_map(|rare| &rare.dispense_faults);
        faults.filter(|at| **at > since).count()
    }

    /// Whether one more decline that changes nothing gets an entry of its own in this hour.
    #[must_use]
    pub fn enters_decline(&self, now: Now, declines_per_hour: u32) -> bool {
        self.declines.hour != hour_of(now.unix_ms) || self.declines.entered < declines_per_hour
    }

    /// Counts a decline without an entry. It is no state that an answer rests on: what a crash
    /// takes of it is missing from a statistic.
    pub const fn count_decline(&mut self) {
        self.declines.counted = self.declines.counted.saturating_add(1);
    }

    /// What has fallen due by `now` and is not entered yet: one fact a call, until there is none.
    #[must_use]
    pub fn due(&self, now: Now) -> Option<Fact> {
        if self.declines.counted > 0 && self.declines.hour != hour_of(now.unix_ms) {
            return Some(Fact::DeclinesCounted { count: self.declines.counted });
        }
        if now.unix_ms < self.due_first {
            return None;
        }
        if let Some(opening) = self.loads.as_ref().map(|loads| loads.opening)
            && !opening.is_zero()
        {
            return self.opening_load(opening);
        }
        let expired = self.rare.as_ref().and_then(|rare| rare.confirmations.first_due());
        if let Some((expires_at, id)) = expired
            && now.unix_ms >= expires_at
        {
            let step = ConfirmationStep::Ended(id, ConfirmationEnd::Expired);
            return Some(Fact::Confirmation(step));
        }
        if let Some(points) = self.points_due(now) {
            return Some(points);
        }
        let (expires_at, seq) = self.transactions.first_expiry()?;
        if now.unix_ms < expires_at || planted::is(Fault::HoldNeverExpired) {
            return None;
        }
        let hold = self.transactions.by_seq(seq)?;
        Some(Fact::HoldExpired(HoldExpired {
            original: seq,
            amount: hold.amount_left,
            fee: hold.fee_left,
        }))
    }

    fn opening_load(&self, amount: Amount) -> Option<Fact> {
        Some(Fact::Loaded(Loaded {
            amount,
            source: LoadSource::Opening,
            name: LoadName::Reference(Reference::new("opening")?),
            balance: self.balance.plus(amount),
            available: self.available().plus(amount),
        }))
    }

    /// Makes this card what it is after `entry`, its entry with the number `seq`.
    ///
    /// It cannot fail: what can be refused was refused before the entry was appended.
    pub fn apply(&mut self, seq: Seq, entry: &Entry) {
        match &entry.fact {
            Fact::Authorized(fact) => self.apply_authorized(seq, entry, fact),
            Fact::Cleared(fact) => self.apply_cleared(seq, entry, fact),
            Fact::Completed(fact) => self.apply_completed(seq, entry, fact),
            Fact::Confirmation(step) => self.apply_confirmation(entry, step),
            Fact::ControlsSet(controls) => self.controls = *controls,
            Fact::Declined(answered) => {
                self.apply_pin_tries(answered);
                self.declines.entered = self.declines_of(entry.at).entered.saturating_add(1);
                self.declines.hour = hour_of(entry.at);
            }
            Fact::DeclinesCounted { .. } => {
                self.declines = Declines { hour: hour_of(entry.at), ..Declines::default() };
            }
            Fact::FileActioned(fact) => self.controls = fact.controls,
            Fact::HoldExpired(fact) => self.apply_hold_expired(entry, fact),
            Fact::Inquired(answered) => self.apply_pin_tries(answered),
            Fact::Issued(fact) => *self = Self::issued(entry.card().unwrap_or_default(), fact),
            Fact::LimitsSet(limits) => self.apply_limits_set(limits),
            Fact::LoadTakenBack(fact) => self.apply_load_taken_back(entry, fact),
            Fact::Loaded(fact) => self.apply_loaded(seq, entry, fact),
            Fact::PinChanged(fact) => {
                self.pvv = Some(fact.pvv);
                self.apply_new_pin();
                self.pin_tries_left = PIN_TRIES_MAX;
            }
            Fact::PointsExpired(fact) => self.apply_points_expired(fact),
            Fact::PointsTakenBack(fact) => self.apply_points_taken_back(fact),
            Fact::RefundPending(fact) => self.apply_refund(seq, entry, fact),
            Fact::ReversalRemembered(fact) => self.apply_remembered(fact),
            Fact::Reversed(fact) => self.apply_reversed(entry, fact),
            Fact::ScriptAsked(fact) => self.apply_script_asked(fact),
            Fact::ScriptSettled(fact) => self.apply_script_settled(fact),
            // They move nothing, or are about no card.
            Fact::CutOver(_)
            | Fact::DeclinedElsewhere(_)
            | Fact::LineParked(_)
            | Fact::Parked(_)
            | Fact::Reconciled(_)
            | Fact::SuspenseAssigned(_)
            | Fact::SuspenseHeld(_)
            | Fact::SuspenseReleased(_) => {}
        }
        if let Some(answered) = entry.answered() {
            self.apply_verified(answered);
        }
        self.last_seq = seq;
        self.last_at = entry.at;
    }

    /// The chip's counter has moved; a PIN begins the sum over the air anew.
    fn apply_verified(&mut self, answered: &Answered) {
        if let Some(chip) = &answered.chip {
            let window = self.counters_used().after(chip.atc);
            (self.atc_last, self.atc_seen) = window.parts();
            self.apply_chip_answered(chip);
        }
        if answered.is_pin_proven {
            self.contactless.begin_anew();
        }
    }

    fn apply_authorized(&mut self, seq: Seq, entry: &Entry, fact: &Authorized) {
        let answered = &fact.answered;
        let mut transaction = Transaction::new(seq, entry.at, entry.date, fact);
        transaction.unasked = self.apply_unasked(seq, fact);
        let total = answered.amount.saturating_add(answered.fee);
        match transaction.money {
            Money::Held { expires_at } => {
                self.held = self.held.saturating_add(total);
                if let Sum::AddsTo(first) = fact.sum {
                    self.transactions.extend_hold(first, expires_at);
                    self.due_first = self.next_due();
                }
                self.due_first = self.due_first.min(expires_at);
            }
            Money::Completed { .. }
            | Money::Posted
            | Money::RefundPending { .. }
            | Money::Released => {
                let is_lost = planted::is(Fault::LostDecrement) && seq.0.is_multiple_of(16);
                let total = if is_lost { Amount::default() } else { total };
                self.balance = self.balance.minus(total);
            }
        }
        self.spent.add(entry.date, Spending::of(fact.place, fact.cash, answered.amount));
        self.apply_pin_tries(answered);
        self.transactions.push(transaction);
    }

    /// Counts what was paid without the holder being asked, and uses up what the holder confirmed.
    fn apply_unasked(&mut self, seq: Seq, fact: &Authorized) -> Option<Counted> {
        let answered = &fact.answered;
        let is_remote = match fact.consent {
            Consent::Confirmed(number) => self.apply_consumed(number, seq, answered.amount),
            Consent::Exempt => {
                let rare = self.rare.get_or_insert_default();
                rare.confirmations.unasked.add(answered.amount);
                true
            }
            Consent::NotAsked => false,
        };
        if is_remote {
            return Some(Counted::Remote { epoch: self.unasked_remote().epoch() });
        }
        if !matches!(answered.entry_mode.entry, CONTACTLESS_CHIP | CONTACTLESS_STRIPE) {
            return None;
        }
        self.contactless.add(answered.amount);
        Some(Counted::Contactless { epoch: self.contactless.epoch() })
    }

    fn apply_completed(&mut self, seq: Seq, entry: &Entry, fact: &Completed) {
        let answered = &fact.answered;
        self.held = self.held.saturating_sub(fact.held);
        self.balance = self.balance.minus(answered.amount.saturating_add(answered.fee));
        let sums = (answered.amount, answered.fee);
        if let Some(posted) = self.transactions.posted_of_hold(fact.original, (seq, entry.at), sums)
        {
            self.settle_hold(fact.original, posted.completed(fact));
        }
    }

    /// `posted` takes the place of the hold that begins with the entry `first`.
    fn settle_hold(&mut self, first: Seq, posted: Transaction) {
        self.spend_instead(&posted, first);
        self.transactions.complete_hold(first, posted.seq, posted.at);
        self.due_first = self.next_due();
        self.transactions.push(posted);
    }

    /// On the day of its first approval, what was posted counts in place of what was held; what
    /// was added on other days keeps what it used up.
    fn spend_instead(&mut self, posted: &Transaction, first: Seq) {
        let date = posted.date;
        let Self { transactions, spent, .. } = self;
        for part in transactions.hold(first).filter(|part| part.date == date) {
            let cash = part.cash_of(part.amount_left);
            let held = Spending::of(part.place, cash, part.amount_left);
            // A reversal may have taken all of the cash and not of the rest: it counts still.
            let is_counted = !part.cash.is_zero() && !part.amount_left.is_zero();
            spent.give_back(date, held, is_counted);
        }
        if spent.date() == date {
            spent.add(date, Spending::of(posted.place, posted.cash, posted.amount));
        }
    }

    fn apply_cleared(&mut self, seq: Seq, entry: &Entry, fact: &Cleared) {
        self.apply_points_cleared(seq, entry, fact);
        self.held = self.held.saturating_sub(fact.held);
        self.balance = self.balance.changed_by(fact.change).changed_by(fact.fee_change);
        match fact.how {
            ClearedAs::Adjusted => {
                if let Some(posted) = self.transactions.by_seq_mut(fact.original) {
                    posted.amount_left = lessened(posted.amount_left, fact.change);
                    posted.fee_left = lessened(posted.fee_left, fact.fee_change);
                    posted.is_cleared = true;
                }
            }
            ClearedAs::ChargedBack => {
                if let Some(purchase) = self.transactions.by_seq_mut(fact.original) {
                    purchase.amount_left = lessened(purchase.amount_left, fact.change);
                }
            }
            ClearedAs::Forced => {
                let forced = Transaction::forced(seq, entry.at, entry.date, fact);
                self.transactions.push(forced);
            }
            ClearedAs::Posted => {
                let sums = (taken(fact.change), taken(fact.fee_change));
                let made = (seq, entry.at);
                if let Some(posted) = self.transactions.posted_of_hold(fact.original, made, sums) {
                    let posted = Transaction { is_cleared: true, ..posted };
                    self.settle_hold(fact.original, posted);
                }
            }
            ClearedAs::Refunded => self.apply_refund_cleared(fact),
        }
    }

    /// An announced refund came: what it announced is no more to come, and its purchase gives
    /// back so much less.
    fn apply_refund_cleared(&mut self, fact: &Cleared) {
        let Some(refund) = self.transactions.by_seq_mut(fact.original) else {
            return;
        };
        let Money::RefundPending { of } = refund.money else {
            return;
        };
        let announced = core::mem::take(&mut refund.amount_left);
        refund.is_cleared = true;
        if let Some(purchase) = self.transactions.settled_mut(of) {
            purchase.refunded = purchase.refunded.saturating_sub(announced);
            match purchase.money {
                Money::Posted => {
                    purchase.amount_left = lessened(purchase.amount_left, fact.change);
                }
                // The purchase itself is still to come, for all that was approved.
                Money::Completed { .. }
                | Money::Held { .. }
                | Money::RefundPending { .. }
                | Money::Released => {
                    let brought = Amount::from_minor(fact.change.minor().unsigned_abs());
                    purchase.refunded = purchase.refunded.saturating_add(brought);
                }
            }
        }
    }

    fn apply_hold_expired(&mut self, entry: &Entry, fact: &HoldExpired) {
        self.held = self.held.saturating_sub(fact.amount).saturating_sub(fact.fee);
        if let Some(hold) = self.transactions.by_seq_mut(fact.original) {
            let money = core::mem::replace(&mut hold.money, Money::Released);
            hold.at = entry.at;
            self.end_hold(money, fact.original);
        }
    }

    fn apply_refund(&mut self, seq: Seq, entry: &Entry, fact: &Refund) {
        if let Some(purchase) = self.transactions.by_seq_mut(fact.original) {
            purchase.refunded = purchase.refunded.saturating_add(fact.answered.amount);
        }
        self.transactions.push(Transaction::refund(seq, entry.at, entry.date, fact));
    }

    fn apply_limits_set(&mut self, limits: &OwnLimits) {
        let mut rare = self.rare.take().unwrap_or_default();
        rare.limits = *limits;
        self.rare = (*rare != Rare::default()).then_some(rare);
    }

    fn apply_remembered(&mut self, fact: &Remembered) {
        let rare = self.rare.get_or_insert_default();
        remember(&mut rare.remembered, fact.original, REMEMBERED_MAX);
    }

    fn apply_reversed(&mut self, entry: &Entry, fact: &Reversed) {
        if fact.is_dispense_fault && !fact.answered.amount.is_zero() {
            let rare = self.rare.get_or_insert_default();
            remember(&mut rare.dispense_faults, entry.at, DISPENSE_FAULTS_MAX);
        }
        let given_back = fact.answered.amount.saturating_add(fact.answered.fee);
        let Some(original) = self.transactions.by_seq_mut(fact.original) else {
            return;
        };
        let was_open = original.amount_left.minor() > 0;
        let cash_before = original.cash_of(original.amount_left);
        let cash_after = original.cash_of(fact.amount_left);
        if !planted::is(Fault::ReversalTwice) {
            original.amount_left = fact.amount_left;
            original.fee_left = fact.fee_left;
        }
        original.is_faulted |= fact.is_dispense_fault && !fact.answered.amount.is_zero();
        let money = original.money;
        match money {
            Money::Held { .. } => self.held = self.held.saturating_sub(given_back),
            Money::Posted => self.balance = self.balance.plus(given_back),
            Money::RefundPending { of } => {
                if let Some(purchase) = self.transactions.settled_mut(of) {
                    purchase.refunded = purchase.refunded.saturating_sub(given_back);
                }
                return;
            }
            Money::Completed { .. } | Money::Released => {}
        }
        let cash_back = cash_before.saturating_sub(cash_after);
        let back = Spending::of(original.place, cash_back, fact.answered.amount);
        let date = original.date;
        let is_whole = fact.amount_left.minor() == 0;
        let is_cash_undone = is_whole && was_open && original.cash.minor() > 0;
        let (unasked, amount) =
            (original.unasked.filter(|_| is_whole && was_open), original.amount);
        self.spent.give_back(date, back, is_cash_undone);
        match (unasked, self.rare.as_mut()) {
            (Some(Counted::Contactless { epoch }), _) => self.contactless.take_back(amount, epoch),
            (Some(Counted::Remote { epoch }), Some(rare)) => {
                rare.confirmations.unasked.take_back(amount, epoch);
                self.forget_empty();
            }
            (Some(Counted::Remote { .. }) | None, _) => {}
        }
        if is_whole {
            self.end_hold(money, fact.original);
        }
        if money == Money::Posted {
            let goods_back = fact.answered.amount.saturating_sub(cash_back);
            self.lessen_points(&[fact.original], goods_back);
        }
    }

    fn apply_pin_tries(&mut self, answered: &Answered) {
        if let Some(tries) = answered.pin_tries {
            self.pin_tries_left = tries;
        }
    }

    /// Takes the hold of the entry `seq` off those that will expire, if it was one.
    fn end_hold(&mut self, money: Money, seq: Seq) {
        if let Money::Held { expires_at } = money {
            self.transactions.end_hold(expires_at, seq);
        }
        self.due_first = self.next_due();
    }

    /// When the next thing falls due, ms since 1970; the largest number when nothing does.
    fn next_due(&self) -> u64 {
        let confirmation = self.rare.as_ref().and_then(|rare| rare.confirmations.first_due());
        let confirmation = confirmation.map_or(u64::MAX, |(at, _)| at);
        confirmation.min(self.transactions.next_expiry()).min(self.points_due_at())
    }

    fn declines_of(&self, at: u64) -> Declines {
        if self.declines.hour == hour_of(at) {
            self.declines
        } else {
            Declines { hour: hour_of(at), entered: 0, counted: 0 }
        }
    }

    /// Whether the card is one of ours.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.controls.status != CardStatus::Unknown
    }
}

fn remember<T>(kept: &mut VecDeque<T>, new: T, max: usize) {
    if kept.len() >= max {
        kept.pop_front();
    }
    kept.push_back(new);
}

/// Hours since 1970; 32 bits of them last half a million years.
fn hour_of(unix_ms: u64) -> u32 {
    u32::try_from(unix_ms / 3_600_000).unwrap_or(u32::MAX)
}
