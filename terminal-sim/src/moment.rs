//! A point in time as a terminal writes it into a message: DE 7 in UTC, DE 12 and 13 local.
//!
//! The terminals of this crate stand in countries of Central European Time, so the zone is one
//! rule: UTC + 1 h, and + 2 h from the last Sunday of March to the last Sunday of October, both
//! at 01:00 UTC (Directive 2000/84/EC, articles 2 and 3). No clock is read here.
//!
//! ```
//! use cekr_terminal_sim::moment::Moment;
//! let noon = Moment::from_unix_ms(1_795_341_600_000); // 2026-11-22T10:00:00Z
//! assert_eq!(noon.transmission(), 1_122_100_000);
//! assert_eq!(noon.local_time(), 110_000);
//! assert_eq!(noon.utc(), 20_261_122_100_000);
//! ```

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Moment(u64);

impl Moment {
    /// A moment of this many milliseconds since the Unix epoch.
    #[must_use]
    pub const fn from_unix_ms(unix_ms: u64) -> Self {
        Self(unix_ms)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn unix_ms(self) -> u64 {
        self.0
    }

    /// This moment and `ms` milliseconds more.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to here, 0 when it is later.
    #[must_use]
    pub const fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// DE 7: `MMDDhhmmss` in UTC as a number.
    #[must_use]
    pub const fn transmission(self) -> u32 {
        let seconds = self.0 / 1000;
        let date = Date::of_day(seconds / DAY_S);
        (date.month * 100 + date.day) * 1_000_000 + clock(seconds)
    }

    /// Year, month, day and time in UTC as a number of fourteen digits.
    #[must_use]
    pub const fn utc(self) -> u64 {
        let year = Date::of_day(self.0 / 1000 / DAY_S).year;
        year as u64 * 10_000_000_000 + self.transmission() as u64
    }

    /// DE 12: `hhmmss` in Central European Time as a number.
    #[must_use]
    pub const fn local_time(self) -> u32 {
        clock(self.local_seconds())
    }

    /// DE 13: `MMDD` in Central European Time as a number.
    #[must_use]
    pub const fn local_date(self) -> u32 {
        let date = Date::of_day(self.local_seconds() / DAY_S);
        date.month * 100 + date.day
    }

    /// Tag 9A: year, month and day in Central European Time, two packed digits each.
    #[must_use]
    pub const fn packed_date(self) -> [u8; 3] {
        let date = Date::of_day(self.local_seconds() / DAY_S);
        [packed(date.year % 100), packed(date.month), packed(date.day)]
    }

    /// Tag 9F21: hour, minute and second in Central European Time, two packed digits each.
    #[must_use]
    pub const fn packed_time(self) -> [u8; 3] {
        let time = self.local_time();
        [packed(time / 10_000), packed(time / 100 % 100), packed(time % 100)]
    }

    /// DE 37 for a message of this moment: last digit of the year, day of the year, hour, STAN.
    #[must_use]
    pub fn rrn(self, stan: u32) -> [u8; 12] {
        let seconds = self.0 / 1000;
        let date = Date::of_day(seconds / DAY_S);
        let day_of_year = seconds / DAY_S - day_number(date.year, 1, 1) + 1;
        let head = u64::from(date.year % 10) * 100_000 + day_of_year * 100 + seconds / 3600 % 24;
        digits(head * 1_000_000 + u64::from(stan))
    }

    const fn local_seconds(self) -> u64 {
        let seconds = self.0 / 1000;
        let year = Date::of_day(seconds / DAY_S).year;
        let summer = last_sunday(year, 3) * DAY_S + 3600 <= seconds
            && seconds < last_sunday(year, 10) * DAY_S + 3600;
        seconds + if summer { 7200 } else { 3600 }
    }
}

/// The decimal digits of a number in ASCII, zeros in front; what does not fit is cut off.
#[must_use]
pub fn digits<const N: usize>(mut number: u64) -> [u8; N] {
    let mut out = [b'0'; N];
    for digit in out.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
    out
}

struct Date {
    year: u32,
    month: u32,
    day: u32,
}

impl Date {
    /// The date of a day since 1970-01-01, by the era arithmetic of Hinnant's "chrono-Compatible
    /// Low-Level Date Algorithms" (`civil_from_days`), for days from 1970 on.
    const fn of_day(day: u64) -> Self {
        let shifted = day + 719_468;
        let era = shifted / 146_097;
        let of_era = shifted % 146_097;
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * of_year + 2) / 153;
        let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
        let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
        let day_of_month = of_year - (153 * march_month + 2) / 5 + 1;
        Self { year: year as u32, month: month as u32, day: day_of_month as u32 }
    }
}

/// Days from 1970-01-01 to this date (`days_from_civil` of the same paper).
const fn day_number(year: u32, month: u32, day: u32) -> u64 {
    let year = (year - if month <= 2 { 1 } else { 0 }) as u64;
    let march_month = ((month + 9) % 12) as u64;
    let of_year = (153 * march_month + 2) / 5 + day as u64 - 1;
    let of_era = year % 400 * 365 + year % 400 / 4 - year % 400 / 100 + of_year;
    year / 400 * 146_097 + of_era - 719_468
}

/// The day number of the last Sunday of March or October, both of 31 days.
const fn last_sunday(year: u32, month: u32) -> u64 {
    let last = day_number(year, month, 31);
    // 1970-01-01 was a Thursday, so day 3 was the first Sunday.
    last - (last + 4) % 7
}

/// Two digits in one octet.
const fn packed(number: u32) -> u8 {
    (number / 10 % 10 * 16 + number % 10) as u8
}

const fn clock(seconds: u64) -> u32 {
    let of_day = (seconds % DAY_S) as u32;
    of_day / 3600 * 10_000 + of_day / 60 % 60 * 100 + of_day % 60
}

const DAY_S: u64 = 86_400;

#[cfg(test)]
mod tests {
    use super::{Moment, digits};

    fn at(unix_s: u64) -> Moment {
        Moment::from_unix_ms(unix_s * 1000 + 999)
    }

    #[test]
    fn writes_utc_into_de_7_and_winter_time_into_de_12_and_13() {
        let late = at(1_795_390_199); // 2026-11-22T23:29:59Z
        assert_eq!(late.transmission(), 1_122_232_959);
        assert_eq!((late.local_date(), late.local_time()), (1123, 2959));
        assert_eq!((late.packed_date(), late.packed_time()), ([0x26, 0x11, 0x23], [0, 0x29, 0x59]));
    }

    #[test]
    fn changes_to_summer_time_and_back_at_one_utc_on_the_last_sundays() {
        // 2026: 29 March and 25 October.
        assert_eq!(at(1_774_745_999).local_time(), 15_959);
        assert_eq!(at(1_774_746_000).local_time(), 30_000);
        assert_eq!(at(1_792_889_999).local_time(), 25_959);
        assert_eq!(at(1_792_890_000).local_time(), 20_000);
    }

    #[test]
    fn knows_the_leap_day() {
        assert_eq!(at(1_709_164_800).transmission(), 229_000_000); // 2024-02-29T00:00:00Z
        assert_eq!(at(1_709_251_200).transmission(), 301_000_000);
    }

    #[test]
    fn makes_a_reference_number_from_year_day_hour_and_stan() {
        assert_eq!(&at(1_795_341_600).rrn(42), b"632610000042");
    }

    #[test]
    fn pads_digits_with_zeros() {
        assert_eq!(&digits::<6>(42), b"000042");
        assert_eq!(&digits::<2>(1234), b"34");
    }
}
