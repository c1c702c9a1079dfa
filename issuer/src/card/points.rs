//! What a card has of the advantage programme: points, and the purchases that earned them.
//!
//! No decision looks in here. What a purchase earned came with its clearing line; what is given
//! back of it, and the end of a month, make points fall due to be taken, by entries of their own:
//! a crash between the two loses nothing.

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use cekr_iso8583::MerchantId;

use super::{Card, remember};
use crate::entry::{
    Cleared, ClearedAs, Earned, Entry, Fact, NO_MERCHANT, Place, PointsExpired, PointsTakenBack,
    Seq,
};
use crate::money::{Amount, lessened};
use crate::points::{Month, Purchase, taken_back};
use crate::snapshot::{Reader, SnapshotError, Writer};
use crate::time::{LocalDate, Now};
use crate::transaction::{Money, taken};

/// Purchases with points that one card remembers; the oldest is forgotten first, and keeps what it
/// earned whatever is given back of it.
pub const EARNINGS_MAX: usize = 1_024;

/// How long a purchase with points is remembered, in months: the longest that a payer may dispute
/// a payment.
const EARNING_KEPT_MONTHS: u16 = 13;

/// Months whose points make the tier.
const YEAR: u16 = 12;

/// The programme's part of a card.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Points {
    /// The oldest first.
    earnings: VecDeque<Earning>,
    /// Points by the month with which they expire, the first first; those that never do last.
    lots: VecDeque<(Option<Month>, u64)>,
    /// Points by the month in which they were earned, less what was taken back; the last year's.
    months: VecDeque<(Month, u64)>,
    /// No earlier than this anything falls due, ms since 1970.
    due_at: u64,
}

/// A purchase that earned points.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Earning {
    /// The entry of its clearing line.
    seq: Seq,
    /// What that line settled, or none.
    original: Seq,
    /// The day of purchase.
    date: LocalDate,
    /// The month of the line.
    month: Month,
    /// The merchant, or zeros.
    merchant: MerchantId,
    /// What earned.
    base: Amount,
    /// What was given back of it.
    back: Amount,
    /// Points, with row and expiry.
    earned: Earned,
    /// Points that were taken back.
    taken: u32,
    /// Whether the rest of them expired: it counts for its day's bound yet, and gives nothing back.
    has_expired: bool,
}

impl Earning {
    /// What is to be taken back yet.
    const fn owes(&self) -> u32 {
        if self.has_expired {
            return 0;
        }
        taken_back(self.earned.points, self.base, self.back).saturating_sub(self.taken)
    }

    /// Gives back up to `amount` of it; tells what is left of that.
    fn give_back(&mut self, amount: Amount) -> Amount {
        if self.has_expired {
            return amount;
        }
        let left = self.base.saturating_sub(self.back);
        let part = if amount < left { amount } else { left };
        self.back = self.back.saturating_add(part);
        amount.saturating_sub(part)
    }
}

impl Card {
    /// The points that its holder has.
    #[must_use]
    pub fn points(&self) -> u64 {
        self.points_state().map_or(0, |points| points.lots.iter().map(|(_, left)| left).sum())
    }

    /// Its points by the month with which they expire, the first first; those that never do last.
    pub fn points_by_expiry(&self) -> impl Iterator<Item = (Option<Month>, u64)> {
        self.points_state().into_iter().flat_map(|points| points.lots.iter().copied())
    }

    /// Points earned in the month of `today` and the eleven before, less what was taken back.
    #[must_use]
    pub fn points_of_year(&self, today: LocalDate) -> u64 {
        let since = Month::of(today).earlier(YEAR - 1);
        let months = self.points_state().into_iter().flat_map(|points| &points.months);
        months.filter(|(month, _)| *month >= since).map(|(_, points)| points).sum()
    }

    /// Points that the purchases of `date` earned by the row of this number.
    #[must_use]
    pub fn points_of_day(&self, rule: u16, date: LocalDate) -> u64 {
        let earnings = self.points_state().into_iter().flat_map(|points| &points.earnings);
        earnings
            .filter(|earning| earning.earned.rule == rule && earning.date == date)
            .map(|earning| u64::from(earning.earned.points))
            .sum()
    }

    /// The purchase that a clearing line settles, before it is applied; none where it brings money
    /// or is all cash.
    pub(crate) fn purchase_of(&self, fact: &Cleared, today: LocalDate) -> Option<Purchase> {
        if fact.place == Place::Cashpoint {
            return None;
        }
        let original = self.transactions.by_seq(fact.original);
        let (base, date) = match fact.how {
            ClearedAs::Adjusted => {
                let posted = original?;
                let amount = lessened(posted.amount_left, fact.change);
                (amount.saturating_sub(posted.cash_of(amount)), posted.date)
            }
            ClearedAs::Posted => {
                let amount = taken(fact.change);
                let cash = self.transactions.cash_of_hold(fact.original, amount);
                (amount.saturating_sub(cash), original?.date)
            }
            ClearedAs::Forced => (taken(fact.change), today),
            ClearedAs::ChargedBack | ClearedAs::Refunded => return None,
        };
        let merchant = match fact.merchant {
            NO_MERCHANT => original.map_or(NO_MERCHANT, |original| original.merchant),
            merchant => merchant,
        };
        Some(Purchase { base, date, merchant })
    }

    /// What a clearing line does to the points; before it does anything to the money.
    pub(super) fn apply_points_cleared(&mut self, seq: Seq, entry: &Entry, fact: &Cleared) {
        if let Some(earned) = fact.earned
            && let Some(purchase) = self.purchase_of(fact, entry.date)
        {
            let Purchase { base, date, merchant } = purchase;
            let month = Month::of(entry.date);
            let (original, back) = (fact.original, Amount::default());
            let (taken, has_expired) = (0, false);
            let earning = Earning {
                seq,
                original,
                date,
                month,
                merchant,
                base,
                back,
                earned,
                taken,
                has_expired,
            };
            let points = self.loads.get_or_insert_default().points.get_or_insert_default();
            points.earn(earning);
            self.due_first = self.due_first.min(points.due_at);
        }
        let brought = Amount::from_minor(fact.change.minor().max(0).unsigned_abs());
        match fact.how {
            ClearedAs::ChargedBack => self.lessen_points(&[fact.original], brought),
            ClearedAs::Refunded => self.lessen_refunded(fact, brought),
            ClearedAs::Adjusted | ClearedAs::Forced | ClearedAs::Posted => {}
        }
    }

    /// A refund came: of its purchase, or of the newest ones at its merchant where it names none.
    fn lessen_refunded(&mut self, fact: &Cleared, brought: Amount) {
        let Some(refund) = self.transactions.by_seq(fact.original) else {
            return;
        };
        let Money::RefundPending { of } = refund.money else {
            return;
        };
        if of == Seq::NONE {
            let merchants = [refund.merchant, fact.merchant];
            return self.change_points(|points| points.give_back_at(&merchants, brought));
        }
        let names = match self.transactions.by_seq(of) {
            Some(named) => [of, self.transactions.settled(named).seq, named.first_of_hold()],
            None => [of; 3],
        };
        self.lessen_points(&names, brought);
    }

    /// So much came back of what one of these entries made or settled.
    pub(super) fn lessen_points(&mut self, names: &[Seq], brought: Amount) {
        self.change_points(|points| points.give_back(names, brought));
    }

    pub(super) fn apply_points_taken_back(&mut self, fact: &PointsTakenBack) {
        self.change_points(|points| points.take_back(fact));
    }

    pub(super) fn apply_points_expired(&mut self, fact: &PointsExpired) {
        self.change_points(|points| points.expire(fact));
    }

    fn change_points(&mut self, change: impl FnOnce(&mut Points)) {
        let points = self.loads.as_mut().and_then(|loads| loads.points.as_mut());
        if let Some(points) = points {
            change(points);
            points.due_at = points.next_due();
            self.due_first = self.next_due();
        }
    }

    /// What has fallen due of its points by `now`.
    pub(super) fn points_due(&self, now: Now) -> Option<Fact> {
        let points = self.points_state().filter(|points| points.due_at <= now.unix_ms)?;
        points.due(now.local_date)
    }

    /// No earlier than this any of them falls due, ms since 1970.
    pub(super) fn points_due_at(&self) -> u64 {
        self.points_state().map_or(u64::MAX, |points| points.due_at)
    }

    fn points_state(&self) -> Option<&Points> {
        self.loads.as_ref()?.points.as_deref()
    }
}

impl Points {
    fn earn(&mut self, earning: Earning) {
        let Earning { month, earned, .. } = earning;
        let points = u64::from(earned.points);
        let since = month.earlier(EARNING_KEPT_MONTHS);
        self.earnings.retain(|earning| earning.month >= since);
        remember(&mut self.earnings, earning, EARNINGS_MAX);
        add(&mut self.lots, earned.expires, points, |at| at.unwrap_or(NEVER));
        self.months.retain(|(earned, _)| *earned > month.earlier(YEAR));
        add(&mut self.months, month, points, |month| month);
        self.due_at = self.next_due();
    }

    fn give_back(&mut self, names: &[Seq], amount: Amount) {
        let named = |earning: &&mut Earning| {
            let is_named = |name: &Seq| *name == earning.seq || *name == earning.original;
            names.iter().any(|name| *name != Seq::NONE && is_named(name))
        };
        if let Some(earning) = self.earnings.iter_mut().rev().find(named) {
            earning.give_back(amount);
        }
    }

    /// The newest purchases first.
    fn give_back_at(&mut self, merchants: &[MerchantId], amount: Amount) {
        let mut left = amount;
        for earning in self.earnings.iter_mut().rev() {
            let is_there = merchants.contains(&earning.merchant);
            if is_there && earning.merchant != NO_MERCHANT && !left.is_zero() {
                left = earning.give_back(left);
            }
        }
    }

    fn due(&self, today: LocalDate) -> Option<Fact> {
        if let Some(earning) = self.earnings.iter().find(|earning| earning.owes() > 0) {
            let (of, points) = (earning.seq, earning.owes());
            return Some(Fact::PointsTakenBack(PointsTakenBack { of, points }));
        }
        let (month, points) = *self.lots.front()?;
        let month = month.filter(|month| *month < Month::of(today))?;
        Some(Fact::PointsExpired(PointsExpired { month, points }))
    }

    fn next_due(&self) -> u64 {
        if self.earnings.iter().any(|earning| earning.owes() > 0) {
            return 0;
        }
        let first = self.lots.front().and_then(|(month, _)| *month);
        first.map_or(u64::MAX, Month::ends_not_before_ms)
    }

    fn take_back(&mut self, fact: &PointsTakenBack) {
        let found = self.earnings.iter_mut().find(|earning| earning.seq == fact.of);
        let Some(earning) = found else {
            return;
        };
        earning.taken = earning.taken.saturating_add(fact.points);
        let (month, expires) = (earning.month, earning.earned.expires);
        let points = u64::from(fact.points);
        take(&mut self.lots, &expires, points);
        take(&mut self.months, &month, points);
    }

    /// What a purchase earned for that month is gone: nothing can be taken back of it.
    fn expire(&mut self, fact: &PointsExpired) {
        self.lots.retain(|(month, _)| *month != Some(fact.month));
        let of_month = |earning: &&mut Earning| earning.earned.expires == Some(fact.month);
        self.earnings.iter_mut().filter(of_month).for_each(|earning| earning.has_expired = true);
    }

    pub(super) fn write_state(&self, out: &mut Writer<'_>) {
        let Self { earnings, lots, months, due_at } = self;
        out.all(earnings.iter(), |out, earning| {
            let Earning {
                seq,
                original,
                date,
                month,
                merchant,
                base,
                back,
                earned,
                taken,
                has_expired,
            } = earning;
            out.number(seq.0);
            out.number(original.0);
            out.small(date.packed());
            out.put(month.number().to_le_bytes());
            out.put(*merchant.octets());
            out.amount(*base);
            out.amount(*back);
            let Earned { points, rule, expires } = earned;
            out.small(*points);
            out.put(rule.to_le_bytes());
            out.put(expires.map_or(0, Month::number).to_le_bytes());
            out.small(*taken);
            out.put([u8::from(*has_expired)]);
        });
        out.all(lots.iter(), |out, (month, points)| {
            out.put(month.map_or(0, Month::number).to_le_bytes());
            out.number(*points);
        });
        out.all(months.iter(), |out, (month, points)| {
            out.put(month.number().to_le_bytes());
            out.number(*points);
        });
        out.number(*due_at);
    }

    pub(super) fn read_state(from: &mut Reader<'_>) -> Result<Self, SnapshotError> {
        let month = |from: &mut Reader<'_>| from.take().map(u16::from_le_bytes);
        let expiry = |number: u16| (number > 0).then(|| Month::from_number(number));
        let earnings = from.all(|from| {
            let (seq, original) = (Seq(from.number()?), Seq(from.number()?));
            let date = LocalDate::from_packed(from.small()?);
            let earned_in = Month::from_number(month(from)?);
            let merchant = MerchantId::new(from.take()?);
            let (base, back) = (from.amount()?, from.amount()?);
            let points = from.small()?;
            let rule = u16::from_le_bytes(from.take()?);
            let earned = Earned { points, rule, expires: expiry(month(from)?) };
            let (month, taken, has_expired) = (earned_in, from.small()?, from.flag()?);
            Ok(Earning {
                seq,
                original,
                date,
                month,
                merchant,
                base,
                back,
                earned,
                taken,
                has_expired,
            })
        })?;
        let lots = from.all(|from| Ok((expiry(month(from)?), from.number()?)))?;
        let months = from.all(|from| Ok((Month::from_number(month(from)?), from.number()?)))?;
        Ok(Self { earnings, lots, months, due_at: from.number()? })
    }

    /// What a checkpoint says of a card without points.
    pub(super) fn boxed(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}

/// Adds to the item of this key, or makes one in its place.
fn add<K: Copy + Eq>(
    items: &mut VecDeque<(K, u64)>,
    key: K,
    points: u64,
    order: impl Fn(K) -> Month,
) {
    if let Some((_, sum)) = items.iter_mut().find(|(known, _)| *known == key) {
        *sum = sum.saturating_add(points);
        return;
    }
    let place = items.iter().position(|(known, _)| order(*known) > order(key));
    items.insert(place.unwrap_or(items.len()), (key, points));
}

/// Takes from the item of this key, which goes when nothing is left.
fn take<K: Eq>(items: &mut VecDeque<(K, u64)>, key: &K, points: u64) {
    if let Some((_, sum)) = items.iter_mut().find(|(known, _)| known == key) {
        *sum = sum.saturating_sub(points);
    }
    items.retain(|(_, sum)| *sum > 0);
}

/// In the order of expiry behind every month.
const NEVER: Month = Month::from_number(u16::MAX);
