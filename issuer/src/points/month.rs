//! A calendar month, as the programme counts: points are earned in one and expire with one.

use core::fmt;

use crate::time::LocalDate;

/// A month of a year, counted from year 0, so that months compare as numbers.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Month(u16);

impl Month {
    /// The month of `date`.
    #[must_use]
    pub const fn of(date: LocalDate) -> Self {
        let month = date.month();
        // Years of a date have four digits: the number fits.
        Self((month / 100 * 12 + (month % 100).saturating_sub(1)) as u16)
    }

    /// From what [`Month::number`] gives.
    #[must_use]
    pub const fn from_number(number: u16) -> Self {
        Self(number)
    }

    /// Months since the January of year 0.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The month so many months later.
    #[must_use]
    pub const fn later(self, months: u16) -> Self {
        Self(self.0.saturating_add(months))
    }

    /// The month so many months earlier.
    #[must_use]
    pub const fn earlier(self, months: u16) -> Self {
        Self(self.0.saturating_sub(months))
    }

    /// Its last day.
    #[must_use]
    pub fn last_day(self) -> LocalDate {
        let (year, month) = self.parts();
        let is_leap =
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let days = match month {
            4 | 6 | 9 | 11 => 30,
            2 if is_leap => 29,
            2 => 28,
            _ => 31,
        };
        LocalDate::new(year, month, days)
    }

    /// A moment at which it has not yet ended in any zone, and not long before it ends, ms since
    /// 1970. Whether it has ended the local day alone tells.
    #[must_use]
    pub fn ends_not_before_ms(self) -> u64 {
        let next = self.0.saturating_add(1);
        let days = days_before_year(u64::from(next / 12)) + days_before_month(next / 12, next % 12);
        // No zone is a day ahead.
        days.saturating_sub(DAYS_BEFORE_1970 + 1) * DAY_MS
    }

    fn parts(self) -> (u16, u8) {
        // The rest of a division by twelve fits.
        (self.0 / 12, (self.0 % 12) as u8 + 1)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month) = self.parts();
        write!(f, "{year:04}-{month:02}")
    }
}

/// Days from the first of year 0 to the first of `year`.
const fn days_before_year(year: u64) -> u64 {
    match year.checked_sub(1) {
        // Year 0 is a leap year.
        Some(past) => year * 365 + past / 4 - past / 100 + past / 400 + 1,
        None => 0,
    }
}

/// Days from the first of `year` to the first of its month `month`, counted from 0.
fn days_before_month(year: u16, month: u16) -> u64 {
    let months = (0..month).map(|before| Month(year.saturating_mul(12).saturating_add(before)));
    months.map(|month| u64::from(month.last_day().packed() % 100)).sum()
}

const DAYS_BEFORE_1970: u64 = days_before_year(1970);
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_pass_the_turn_of_the_year_and_know_their_last_day() {
        let month = Month::of(LocalDate::new(2026, 11, 22));
        assert_eq!(month.later(2), Month::of(LocalDate::new(2027, 1, 1)));
        assert_eq!(month.earlier(11), Month::of(LocalDate::new(2025, 12, 31)));
        assert_eq!(month.last_day(), LocalDate::new(2026, 11, 30));
        assert_eq!(month.later(15).last_day(), LocalDate::new(2028, 2, 29));
        assert_eq!(month.later(3).last_day(), LocalDate::new(2027, 2, 28));
        assert_eq!(Month::from_number(month.number()), month);
    }

    #[test]
    fn its_end_is_a_day_ahead_in_no_zone_too_late() {
        // 2026-12-01T00:00:00Z, less a day.
        let month = Month::of(LocalDate::new(2026, 11, 22));
        assert_eq!(month.ends_not_before_ms(), 1_796_083_200_000 - DAY_MS);
        // 2028-03-01T00:00:00Z, less a day.
        assert_eq!(month.later(15).ends_not_before_ms(), 1_835_481_600_000 - DAY_MS);
        assert_eq!(Month::default().ends_not_before_ms(), 0);
    }
}
