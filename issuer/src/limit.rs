//! Daily and monthly limits: what was spent and loaded in the programme's calendar.
//!
//! Amounts count without fees. A reversal on the same day gives back what it used up.

mod own;

use crate::entry::Place;
use crate::money::{Amount, Balance};
use crate::policy::Limits;
use crate::reason::Reason;
use crate::snapshot::{Reader, SnapshotError, Writer};
use crate::time::LocalDate;
pub use own::{OwnLimit, OwnLimits};

/// What a card used up of its limits.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Spent {
    /// The day that the daily sums are of.
    date: LocalDate,
    cash: Amount,
    cash_count: u32,
    pos: Amount,
    online: Amount,
    load: Amount,
    /// Of the month that `date` lies in.
    load_month: Amount,
}

/// What a request would use up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Spending {
    /// Cash, in cents.
    pub cash: Amount,
    /// Goods and services, in cents.
    pub purchase: Amount,
    /// Whether the purchase is made without the card.
    pub online: bool,
}

impl Spending {
    /// What `amount`, of which `cash` is cash, uses up when it is spent at `place`.
    #[must_use]
    pub const fn of(place: Place, cash: Amount, amount: Amount) -> Self {
        match place {
            // A machine owner's surcharge is neither cash nor a purchase.
            Place::Cashpoint => Self { cash, purchase: Amount::from_minor(0), online: false },
            Place::Online => Self { cash, purchase: amount.saturating_sub(cash), online: true },
            Place::Shop => Self { cash, purchase: amount.saturating_sub(cash), online: false },
        }
    }
}

/// Why a load is refused; the API tells it in these words.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LoadRefused {
    /// The balance would pass `balance_max`.
    BalanceMax,
    /// The day's loads would pass `load_day`.
    Day,
    /// The month's loads would pass `load_month`.
    Month,
}

impl Spent {
    pub(crate) fn write_state(&self, out: &mut Writer<'_>) {
        let Self { date, cash, cash_count, pos, online, load, load_month } = self;
        out.small(date.packed());
        out.small(*cash_count);
        [cash, pos, online, load, load_month].into_iter().for_each(|sum| out.amount(*sum));
    }

    pub(crate) fn read_state(from: &mut Reader<'_>) -> Result<Self, SnapshotError> {
        Ok(Self {
            date: LocalDate::from_packed(from.small()?),
            cash_count: from.small()?,
            cash: from.amount()?,
            pos: from.amount()?,
            online: from.amount()?,
            load: from.amount()?,
            load_month: from.amount()?,
        })
    }

    /// Judges a spending on `date` by the programme's limits, where they apply to the card, and the
    /// holder's own: the smaller one counts; amounts first, then counts.
    ///
    /// # Errors
    /// With the reason for which it is declined.
    pub fn allows(
        &self,
        date: LocalDate,
        spending: Spending,
        programme: Option<&Limits>,
        own: Option<&OwnLimits>,
    ) -> Result<(), Reason> {
        let today = self.on(date);
        if let Some(limits) = programme {
            let bought_max = if spending.online { limits.online_day } else { limits.pos_day };
            if exceeds(today.cash, spending.cash, limits.cash_day)
                || exceeds(today.bought(spending), spending.purchase, bought_max)
            {
                return Err(Reason::LimitAmount);
            }
        }
        if let Some(limits) = own {
            let bought_max = if spending.online { limits.online_day } else { limits.pos_day };
            if passes(today.cash, spending.cash, limits.cash_day)
                || passes(today.bought(spending), spending.purchase, bought_max)
            {
                return Err(Reason::LimitAmount);
            }
        }
        if spending.cash.is_zero() {
            return Ok(());
        }
        let programme_max = programme.map(|limits| limits.cash_count_day).filter(|max| *max > 0);
        let own_max = own.and_then(|limits| limits.cash_count_day);
        let maxima = [programme_max, own_max];
        if maxima.into_iter().flatten().any(|max| today.cash_count >= max) {
            return Err(Reason::LimitCount);
        }
        Ok(())
    }

    /// What was bought in the way in which `spending` is.
    const fn bought(&self, spending: Spending) -> Amount {
        if spending.online { self.online } else { self.pos }
    }

    /// Judges a load of `amount` that makes the balance `balance_after`.
    ///
    /// # Errors
    /// With the limit that it would pass.
    pub fn allows_load(
        &self,
        date: LocalDate,
        amount: Amount,
        balance_after: Balance,
        limits: &Limits,
    ) -> Result<(), LoadRefused> {
        let today = self.on(date);
        if limits.balance_max.minor() > 0
            && !Balance::ZERO.plus(limits.balance_max).covers(balance_after.spendable())
        {
            return Err(LoadRefused::BalanceMax);
        }
        if exceeds(today.load, amount, limits.load_day) {
            return Err(LoadRefused::Day);
        }
        if exceeds(today.load_month, amount, limits.load_month) {
            return Err(LoadRefused::Month);
        }
        Ok(())
    }

    pub(crate) fn add(&mut self, date: LocalDate, spending: Spending) {
        *self = self.on(date);
        self.cash = self.cash.saturating_add(spending.cash);
        self.cash_count = self.cash_count.saturating_add(u32::from(spending.cash.minor() > 0));
        let bought = if spending.online { &mut self.online } else { &mut self.pos };
        *bought = bought.saturating_add(spending.purchase);
    }

    /// Gives back what a spending on `date` used up, when the sums are still of that day.
    /// `is_cash_undone` gives back the count as well.
    pub(crate) fn give_back(&mut self, date: LocalDate, spending: Spending, is_cash_undone: bool) {
        if self.date != date {
            return;
        }
        self.cash = self.cash.saturating_sub(spending.cash);
        self.cash_count = self.cash_count.saturating_sub(u32::from(is_cash_undone));
        let bought = if spending.online { &mut self.online } else { &mut self.pos };
        *bought = bought.saturating_sub(spending.purchase);
    }

    pub(crate) fn add_load(&mut self, date: LocalDate, amount: Amount) {
        *self = self.on(date);
        self.load = self.load.saturating_add(amount);
        self.load_month = self.load_month.saturating_add(amount);
    }

    /// The day that these sums are of.
    pub(crate) const fn date(&self) -> LocalDate {
        self.date
    }

    /// The sums as they stand on `date`: a new day begins at nothing, a new month as well. A day
    /// that is over does not come back: a request that was read before midnight and is decided
    /// after one that was read later must not empty the sums.
    fn on(self, date: LocalDate) -> Self {
        if date <= self.date {
            return self;
        }
        let is_same_month = self.date.month() == date.month();
        let load_month = if is_same_month { self.load_month } else { Amount::default() };
        Self { date, load_month, ..Self::default() }
    }
}

/// Passes a limit of the programme, of which zero is none.
fn exceeds(used: Amount, more: Amount, max: Amount) -> bool {
    passes(used, more, (!max.is_zero()).then_some(max))
}

/// Passes a limit, of which zero allows nothing.
fn passes(used: Amount, more: Amount, max: Option<Amount>) -> bool {
    !more.is_zero() && max.is_some_and(|max| used.saturating_add(more) > max)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONDAY: LocalDate = LocalDate::new(2026, 11, 30);
    const TUESDAY: LocalDate = LocalDate::new(2026, 12, 1);

    const fn cash(minor: u64) -> Spending {
        Spending { cash: Amount::from_minor(minor), purchase: Amount::from_minor(0), online: false }
    }

    #[test]
    fn the_fourth_withdrawal_of_a_day_is_one_too_many_and_the_next_day_begins_anew() {
        let limits = Limits::default();
        let mut spent = Spent::default();
        for _ in 0..3 {
            assert_eq!(spent.allows(MONDAY, cash(20_00), Some(&limits), None), Ok(()));
            spent.add(MONDAY, cash(20_00));
        }
        assert_eq!(spent.allows(MONDAY, cash(20_00), Some(&limits), None), Err(Reason::LimitCount));
        assert_eq!(spent.allows(TUESDAY, cash(20_00), Some(&limits), None), Ok(()));
    }

    #[test]
    fn the_limit_itself_is_allowed_and_a_cent_more_is_not() {
        let limits = Limits::default();
        let spent = Spent::default();
        assert_eq!(spent.allows(MONDAY, cash(1_000_00), Some(&limits), None), Ok(()));
        assert_eq!(
            spent.allows(MONDAY, cash(1_000_01), Some(&limits), None),
            Err(Reason::LimitAmount)
        );
    }

    #[test]
    fn a_reversal_gives_back_amount_and_count_only_on_its_own_day() {
        let limits = Limits::default();
        let mut spent = Spent::default();
        for _ in 0..3 {
            spent.add(MONDAY, cash(20_00));
        }
        let mut same_day = spent;
        same_day.give_back(MONDAY, cash(20_00), true);
        assert_eq!(same_day.allows(MONDAY, cash(20_00), Some(&limits), None), Ok(()));
        spent.add(TUESDAY, cash(20_00));
        spent.give_back(MONDAY, cash(20_00), true);
        spent.add(TUESDAY, cash(20_00));
        spent.add(TUESDAY, cash(20_00));
        assert_eq!(
            spent.allows(TUESDAY, cash(20_00), Some(&limits), None),
            Err(Reason::LimitCount)
        );
    }

    #[test]
    fn a_request_from_before_midnight_does_not_empty_the_sums_of_the_new_day() {
        let limits = Limits::default();
        let mut spent = Spent::default();
        spent.add(TUESDAY, cash(1_000_00));
        assert_eq!(spent.allows(MONDAY, cash(1), Some(&limits), None), Err(Reason::LimitAmount));
        spent.add_load(MONDAY, Amount::from_minor(1));
        assert_eq!(spent.allows(TUESDAY, cash(1), Some(&limits), None), Err(Reason::LimitAmount));
    }

    #[test]
    fn loads_of_a_month_add_up_over_its_days() {
        let limits = Limits::default();
        let mut spent = Spent::default();
        let thousand = Amount::from_minor(1_000_00);
        for day in 1..=5 {
            let date = LocalDate::new(2026, 11, day);
            assert_eq!(spent.allows_load(date, thousand, Balance::from_minor(1), &limits), Ok(()));
            spent.add_load(date, thousand);
        }
        let cent = Amount::from_minor(1);
        assert_eq!(
            spent.allows_load(MONDAY, cent, Balance::from_minor(1), &limits),
            Err(LoadRefused::Month)
        );
        assert_eq!(spent.allows_load(TUESDAY, cent, Balance::from_minor(1), &limits), Ok(()));
        assert_eq!(
            spent.allows_load(TUESDAY, cent, Balance::from_minor(5_000_01), &limits),
            Err(LoadRefused::BalanceMax)
        );
    }

    #[test]
    fn of_two_limits_the_smaller_counts_and_amounts_come_before_counts() {
        let limits = Limits::default();
        let amount = |minor| Some(Amount::from_minor(minor));
        let own =
            OwnLimits { cash_day: amount(100_00), cash_count_day: Some(1), ..OwnLimits::NONE };
        let judge =
            |spent: &Spent, spending| spent.allows(MONDAY, spending, Some(&limits), Some(&own));
        let mut spent = Spent::default();
        assert_eq!(judge(&spent, cash(100_00)), Ok(()));
        assert_eq!(judge(&spent, cash(100_01)), Err(Reason::LimitAmount));
        spent.add(MONDAY, cash(60_00));
        assert_eq!(judge(&spent, cash(40_01)), Err(Reason::LimitAmount));
        assert_eq!(judge(&spent, cash(40_00)), Err(Reason::LimitCount));
        // The programme's holds where the holder's is larger, as after it was lowered.
        let lower = Limits { cash_day: Amount::from_minor(70_00), ..Limits::default() };
        let lowered = spent.allows(MONDAY, cash(10_01), Some(&lower), Some(&own));
        assert_eq!(lowered, Err(Reason::LimitAmount));
    }

    #[test]
    fn the_holders_own_zero_allows_nothing_and_the_programmes_bounds_nothing() {
        let off = Limits {
            cash_day: Amount::default(),
            cash_count_day: 0,
            pos_day: Amount::default(),
            online_day: Amount::default(),
            ..Limits::default()
        };
        let none = Some(Amount::default());
        let own = OwnLimits { online_day: none, ..OwnLimits::NONE };
        let buy =
            |online| Spending { cash: Amount::default(), purchase: Amount::from_minor(1), online };
        let spent = Spent::default();
        for programme in [None, Some(&off)] {
            let refused = spent.allows(MONDAY, buy(true), programme, Some(&own));
            assert_eq!(refused, Err(Reason::LimitAmount));
            assert_eq!(spent.allows(MONDAY, buy(false), programme, Some(&own)), Ok(()));
            assert_eq!(spent.allows(MONDAY, buy(true), programme, None), Ok(()));
        }
        let no_cash = OwnLimits { cash_count_day: Some(0), ..OwnLimits::NONE };
        assert_eq!(spent.allows(MONDAY, cash(1), None, Some(&no_cash)), Err(Reason::LimitCount));
        assert_eq!(own.above(&off), None);
    }

    #[test]
    fn an_own_limit_is_at_most_the_programmes() {
        let limits = Limits::default();
        let amount = |minor| Some(Amount::from_minor(minor));
        let at = OwnLimits {
            cash_day: amount(1_000_00),
            cash_count_day: Some(3),
            online_day: amount(1_000_00),
            pos_day: amount(2_000_00),
        };
        assert_eq!(at.above(&limits), None);
        for (own, limit) in [
            (OwnLimits { cash_day: amount(1_000_01), ..at }, OwnLimit::CashDay),
            (OwnLimits { cash_count_day: Some(4), ..at }, OwnLimit::CashCountDay),
            (OwnLimits { online_day: amount(1_000_01), ..at }, OwnLimit::OnlineDay),
            (OwnLimits { pos_day: amount(2_000_01), ..at }, OwnLimit::PosDay),
        ] {
            assert_eq!(own.above(&limits), Some(limit));
            assert!(!limit.name().is_empty());
        }
    }
}
