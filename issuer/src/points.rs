//! The advantage programme: which purchases earn points, how many, and until when.
//!
//! Points are no money. A purchase earns them when a clearing line settles it, by a table of
//! enrolled merchants and kinds of business, and the line's entry says how many: what the table
//! says later changes nothing. Cash, fees and loads earn nothing. What is given back takes its part
//! of the points back ([`taken_back`]). No decision reads any of this.
//!
//! Source: our own rules; of the card's programme only its existence is published.
//!
//! ```
//! use cekr_issuer::Amount;
//! use cekr_issuer::points::{Rate, taken_back};
//!
//! let one_a_euro = Rate { points: 1, per_cents: 100 };
//! assert_eq!(one_a_euro.of(Amount::from_minor(24_90)), 24);
//! // 4.90 of 24.90 came back: 24 x 490 / 2490 is 4.7, and the holder keeps the rest.
//! assert_eq!(taken_back(24, Amount::from_minor(24_90), Amount::from_minor(4_90)), 4);
//! assert_eq!(taken_back(24, Amount::from_minor(24_90), Amount::from_minor(24_90)), 24);
//! ```

pub mod books;
mod month;

use alloc::vec::Vec;

use cekr_iso8583::{Mcc, MerchantId};

use crate::card::Card;
use crate::entry::{Cleared, Earned, NO_MERCHANT, ShortText};
use crate::money::Amount;
use crate::time::LocalDate;
use crate::transaction::Transaction;
pub use month::Month;

/// Rows that the table has at most.
pub const RULES_MAX: usize = 10_000;

/// The longest that points may be good for, in months.
pub const EXPIRY_MONTHS_MAX: u8 = 60;

/// A merchant's name for people, at most 40 octets of UTF-8.
pub type MerchantName = ShortText<40>;

/// The rules of the programme; without a row there is none.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Programme {
    /// Who is enrolled, in the order of the settings.
    pub rules: Vec<Rule>,
    /// Points are good until the end of the month so many months after they were earned; 0: for
    /// ever.
    pub expiry_months: u8,
    /// Points of twelve months that make a holder silver; 0: nobody.
    pub silver: u64,
    /// Points of twelve months that make a holder golden; 0: nobody.
    pub gold: u64,
}

/// One row of the table: who is enrolled, and what a purchase there earns.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rule {
    /// What entries call it: it keeps its number.
    pub number: u16,
    /// What people call it.
    pub name: MerchantName,
    /// Whose purchases earn.
    pub who: Enrolled,
    /// What they earn.
    pub rate: Rate,
    /// Points that one purchase earns at most; 0: as many as there are.
    pub purchase_max: u32,
    /// Points that the purchases of one day earn at most under this row; 0: as many as there are.
    pub day_max: u32,
    /// The first day of purchase.
    pub from: LocalDate,
    /// The last day of purchase.
    pub until: LocalDate,
}

/// Whose purchases earn points.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Enrolled {
    /// All merchants of this business.
    Business(Mcc),
    /// This merchant (DE 42).
    Merchant(MerchantId),
}

/// Points for money, an exact fraction: whole points only, the rest earns nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate {
    /// So many points
    pub points: u32,
    /// for each so many cents, above 0.
    pub per_cents: u32,
}

impl Rate {
    /// What `amount` earns.
    #[must_use]
    pub const fn of(self, amount: Amount) -> u32 {
        fraction(amount.minor(), self.points as u64, self.per_cents as u64)
    }
}

/// How much of a year's points a holder has.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Tier {
    /// Everybody.
    Basic,
    /// From the first bound on.
    Silver,
    /// From the second bound on.
    Gold,
}

impl Tier {
    /// The name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Silver => "silver",
            Self::Gold => "gold",
        }
    }
}

/// Of `points` that a purchase of `base` earned, those that are taken back once `back` of it was
/// given back: all with all, the part rounded for the holder else. Several parts take what their
/// sum takes.
#[must_use]
pub const fn taken_back(points: u32, base: Amount, back: Amount) -> u32 {
    if base.is_zero() {
        return 0;
    }
    let back = if back.minor() < base.minor() { back.minor() } else { base.minor() };
    fraction(back, points as u64, base.minor())
}

impl Programme {
    /// Whether anybody is enrolled.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.rules.is_empty()
    }

    /// What a clearing line that does `cleared` to `card` earns on `today`.
    #[must_use]
    pub fn earned(&self, card: &Card, cleared: &Cleared, today: LocalDate) -> Option<Earned> {
        if !self.is_on() {
            return None;
        }
        let purchase = card.purchase_of(cleared, today)?;
        let rule = self.rule(purchase.merchant, cleared.mcc, purchase.date)?;
        let before = card.points_of_day(rule.number, purchase.date);
        let points = rule.points(purchase.base, before);
        let expires =
            (self.expiry_months > 0).then(|| Month::of(today).later(u16::from(self.expiry_months)));
        (points > 0).then_some(Earned { points, rule: rule.number, expires })
    }

    /// What the purchases `open` of `card` will earn if they are cleared as they were approved,
    /// each with its business.
    #[must_use]
    pub fn expected(&self, card: &Card, open: &[(Transaction, Mcc)]) -> u64 {
        let mut sums: Vec<((u16, LocalDate), u64)> = Vec::new();
        for (open, mcc) in open {
            let Some(rule) = self.rule(open.merchant, *mcc, open.date) else {
                continue;
            };
            let base = open.amount_left.saturating_sub(open.cash_of(open.amount_left));
            let day = (rule.number, open.date);
            let expected = sums.iter().find(|(known, _)| *known == day).map_or(0, |(_, sum)| *sum);
            let before = card.points_of_day(rule.number, open.date).saturating_add(expected);
            let points = u64::from(rule.points(base, before));
            match sums.iter_mut().find(|(known, _)| *known == day) {
                Some((_, sum)) => *sum = sum.saturating_add(points),
                None => sums.push((day, points)),
            }
        }
        sums.iter().map(|(_, sum)| sum).sum()
    }

    /// The row for a purchase: the merchant's own before one of its business.
    #[must_use]
    pub fn rule(&self, merchant: MerchantId, mcc: Mcc, date: LocalDate) -> Option<&Rule> {
        let valid = |rule: &&Rule| rule.from <= date && date <= rule.until;
        let own = |rule: &&Rule| {
            merchant != NO_MERCHANT && rule.who == Enrolled::Merchant(merchant) && valid(rule)
        };
        let business = |rule: &&Rule| rule.who == Enrolled::Business(mcc) && valid(rule);
        self.rules.iter().find(own).or_else(|| self.rules.iter().find(business))
    }

    /// The row of this number.
    #[must_use]
    pub fn rule_numbered(&self, number: u16) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.number == number)
    }

    /// What the points of twelve months make of a holder.
    #[must_use]
    pub const fn tier(&self, points: u64) -> Tier {
        if self.gold > 0 && points >= self.gold {
            Tier::Gold
        } else if self.silver > 0 && points >= self.silver {
            Tier::Silver
        } else {
            Tier::Basic
        }
    }

    /// The points of twelve months at which the next tier begins, if there is one.
    #[must_use]
    pub fn next_tier(&self, points: u64) -> Option<(Tier, u64)> {
        let tiers = [(Tier::Silver, self.silver), (Tier::Gold, self.gold)];
        tiers.into_iter().find(|(_, bound)| *bound > points)
    }
}

impl Rule {
    /// What `base` earns where `before` points were earned on its day.
    fn points(&self, base: Amount, before: u64) -> u32 {
        let bounded = |points: u32, max: u32| if max > 0 { points.min(max) } else { points };
        let points = bounded(self.rate.of(base), self.purchase_max);
        if self.day_max == 0 {
            return points;
        }
        let left = u64::from(self.day_max).saturating_sub(before);
        points.min(u32::try_from(left).unwrap_or(u32::MAX))
    }
}

/// `amount * part / whole` rounded down, at most what 32 bits hold.
const fn fraction(amount: u64, part: u64, whole: u64) -> u32 {
    if whole == 0 {
        return 0;
    }
    let exact = amount as u128 * part as u128 / whole as u128;
    if exact > u32::MAX as u128 { u32::MAX } else { exact as u32 }
}

/// A purchase as the programme sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Purchase {
    /// What earns: without cash, without a fee.
    pub(crate) base: Amount,
    /// The day of purchase.
    pub(crate) date: LocalDate,
    /// The merchant, or zeros.
    pub(crate) merchant: MerchantId,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    const DAY: LocalDate = LocalDate::new(2026, 11, 22);

    fn rule(number: u16, who: Enrolled) -> Rule {
        Rule {
            number,
            name: MerchantName::new("shop").unwrap(),
            who,
            rate: Rate { points: 1, per_cents: 100 },
            purchase_max: 0,
            day_max: 0,
            from: LocalDate::new(2026, 1, 1),
            until: LocalDate::new(2026, 12, 31),
        }
    }

    fn cents(cents: u64) -> Amount {
        Amount::from_minor(cents)
    }

    #[test]
    fn a_rate_is_an_exact_fraction_rounded_down() {
        for (points, per_cents, amount, expected) in [
            (1, 100, 99, 0),
            (1, 100, 100, 1),
            (1, 100, 199, 1),
            (3, 200, 199, 2),
            (5, 1, 1, 5),
            (u32::MAX, 1, 999_999_999_999, u32::MAX),
            (1, 0, 100, 0),
        ] {
            assert_eq!(Rate { points, per_cents }.of(cents(amount)), expected, "{amount}");
        }
    }

    #[test]
    fn parts_given_back_one_after_the_other_take_what_they_take_together() {
        let mut last = 0;
        for back in 0..=1_100 {
            let taken = taken_back(7, cents(1_000), cents(back));
            assert!(taken >= last && taken <= 7, "{back}");
            last = taken;
        }
        assert_eq!(last, 7, "more than all takes no more than all");
        assert_eq!(taken_back(7, cents(0), cents(5)), 0);
    }

    #[test]
    fn a_merchants_own_row_comes_before_that_of_its_business_and_dates_bound_both() {
        let merchant = MerchantId::new(*b"KRANJ0000000001");
        let mcc = Mcc::new(5411).unwrap();
        let late =
            Rule { from: LocalDate::new(2026, 12, 1), ..rule(3, Enrolled::Merchant(merchant)) };
        let rules = [rule(1, Enrolled::Business(mcc)), late, rule(2, Enrolled::Merchant(merchant))]
            .to_vec();
        let programme = Programme { rules, ..Programme::default() };
        let number =
            |merchant, mcc, date| programme.rule(merchant, mcc, date).map(|rule| rule.number);
        assert_eq!(number(merchant, mcc, DAY), Some(2));
        assert_eq!(number(merchant, mcc, LocalDate::new(2026, 12, 2)), Some(3));
        assert_eq!(number(NO_MERCHANT, mcc, DAY), Some(1));
        assert_eq!(number(NO_MERCHANT, Mcc::new(5812).unwrap(), DAY), None);
        assert_eq!(number(merchant, mcc, LocalDate::new(2027, 1, 1)), None);
        assert_eq!(number(merchant, mcc, LocalDate::new(2025, 12, 31)), None);
    }

    #[test]
    fn a_purchase_and_a_day_earn_at_most_what_the_row_says() {
        let mcc = Mcc::new(5411).unwrap();
        let rule = Rule { purchase_max: 50, day_max: 70, ..rule(1, Enrolled::Business(mcc)) };
        assert_eq!(rule.points(cents(40_00), 0), 40);
        assert_eq!(rule.points(cents(60_00), 0), 50);
        assert_eq!(rule.points(cents(60_00), 50), 20);
        assert_eq!(rule.points(cents(60_00), 71), 0);
    }

    #[test]
    fn tiers_begin_at_their_bounds_and_a_bound_of_zero_is_no_tier() {
        let programme = Programme { silver: 500, gold: 2_000, ..Programme::default() };
        assert_eq!(programme.tier(499), Tier::Basic);
        assert_eq!(programme.next_tier(499), Some((Tier::Silver, 500)));
        assert_eq!(programme.tier(500), Tier::Silver);
        assert_eq!(programme.next_tier(500), Some((Tier::Gold, 2_000)));
        assert_eq!(programme.tier(2_000), Tier::Gold);
        assert_eq!(programme.next_tier(2_000), None);
        let none = Programme::default();
        assert_eq!((none.tier(u64::MAX), none.next_tier(0)), (Tier::Basic, None));
    }
}
