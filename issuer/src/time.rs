//! Moments and calendar days as the issuer sees them; it reads no clock and knows no zone.

use core::fmt;

use cekr_iso8583::Expiry;

/// The moment of a decision, taken once per read by the switch's clock.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Now {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub unix_ms: u64,
    /// The calendar day in the programme's zone (Europe/Ljubljana): daily limits count by it.
    pub local_date: LocalDate,
}

/// A calendar day, packed as the decimal number yyyymmdd, so that days compare as numbers.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LocalDate(u32);

impl LocalDate {
    /// The day `day` of `month` of `year`; fields out of range give the zero date.
    #[must_use]
    pub const fn new(year: u16, month: u8, day: u8) -> Self {
        if month == 0 || month > 12 || day == 0 || day > 31 || year > 9999 {
            return Self(0);
        }
        Self(year as u32 * 10_000 + month as u32 * 100 + day as u32)
    }

    /// From the packed form that [`LocalDate::packed`] gives.
    #[must_use]
    pub const fn from_packed(packed: u32) -> Self {
        Self(packed)
    }

    /// The decimal number yyyymmdd.
    #[must_use]
    pub const fn packed(self) -> u32 {
        self.0
    }

    /// The decimal number yyyymm, by which monthly limits count.
    #[must_use]
    pub const fn month(self) -> u32 {
        self.0 / 100
    }

    /// The same day so many months earlier. It is a bound to compare with and no calendar's day
    /// where that month is shorter; the zero date where there is no such year.
    #[must_use]
    pub const fn months_earlier(self, months: u32) -> Self {
        let (year, month, day) = (self.0 / 10_000, self.0 / 100 % 100, self.0 % 100);
        match (year * 12 + month).checked_sub(months + 1) {
            Some(since) => Self(since / 12 * 10_000 + (since % 12 + 1) * 100 + day),
            None => Self(0),
        }
    }

    /// Whether a card that is good to `expiry` has expired on this day.
    ///
    /// The last day of the expiry month is valid.
    #[must_use]
    pub const fn is_past(self, expiry: Expiry) -> bool {
        let yymm = expiry.number() as u32;
        // Two-digit years are of this century: the oldest card of the programme is of 2024.
        self.month() > 200_000 + yymm
    }
}

impl fmt::Display for LocalDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.0 / 10_000, self.0 / 100 % 100, self.0 % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_earlier_pass_the_turn_of_the_year() {
        let day = LocalDate::new(2026, 11, 22);
        let earlier = |months| day.months_earlier(months).packed();
        assert_eq!(earlier(0), 20_261_122);
        assert_eq!(earlier(10), 20_260_122);
        assert_eq!(earlier(11), 20_251_222);
        assert_eq!(earlier(13), 20_251_022);
        assert_eq!(earlier(24), 20_241_122);
        assert_eq!(LocalDate::default().months_earlier(13), LocalDate::default());
    }

    #[test]
    fn the_last_day_of_the_expiry_month_is_valid() {
        let expiry = Expiry::new(3012).unwrap_or_default();
        assert!(!LocalDate::new(2030, 12, 31).is_past(expiry));
        assert!(LocalDate::new(2031, 1, 1).is_past(expiry));
    }
}
