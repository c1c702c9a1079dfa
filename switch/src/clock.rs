//! The clock: the moment and the programme's calendar day, and a counter for intervals.
//!
//! This is the only file that reads time. A read of a socket takes one [`Now`] for all of its
//! messages; the calendar day is worked out once and kept until the next midnight in
//! Europe/Ljubljana, where daily limits turn over. Tests and the simulation hold a
//! [`ManualClock`] instead, and nothing else changes.
//!
//! ```
//! use cekr_switch::clock::Clock;
//!
//! // 2026-03-28T22:59:59Z is one second before midnight in Ljubljana.
//! let (clock, hand) = Clock::manual(1_774_738_799_000);
//! assert_eq!(clock.now().local_date.packed(), 2026_03_28);
//! hand.advance_ms(1_000);
//! assert_eq!(clock.now().local_date.packed(), 2026_03_29);
//! ```
#![expect(clippy::disallowed_methods, reason = "this is the clock that everybody else asks")]

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use cekr_issuer::{LocalDate, Now};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rustix::time::ClockId;

use crate::sync::{Arc, AtomicBool, AtomicI64, AtomicU64, Ordering};

/// Reads the moment; cheap to clone, shared by all threads.
#[derive(Clone)]
pub struct Clock {
    source: Source,
    day: Arc<DayCache>,
}

/// Nanoseconds since the clock was made. Never goes back, says nothing about the calendar.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Ticks(u64);

/// Moves a manual clock.
#[derive(Clone)]
pub struct ManualClock {
    unix_ms: Arc<AtomicU64>,
}

impl Clock {
    /// The machine's clock.
    ///
    /// # Errors
    /// If the zone rules of Europe/Ljubljana, which are built in, cannot be read.
    pub fn system() -> Result<Clock, jiff::Error> {
        let day = Arc::new(DayCache::new(TimeZone::get(ZONE)?));
        let agreement = Agreement::new(unix_ms_of(SystemTime::now()), counter_ms());
        let agreement = Arc::new(agreement);
        Ok(Clock { source: Source::System { started: Instant::now(), agreement }, day })
    }

    /// A clock that stands still until its hand is moved.
    #[must_use]
    pub fn manual(unix_ms: u64) -> (Clock, ManualClock) {
        // The zone is built in; a build without it would still count days, in UTC.
        let zone = TimeZone::get(ZONE).unwrap_or(TimeZone::UTC);
        let unix_ms = Arc::new(AtomicU64::new(unix_ms));
        let source = Source::Manual { started_ms: unix_ms.load(READ), unix_ms: unix_ms.clone() };
        (Clock { source, day: Arc::new(DayCache::new(zone)) }, ManualClock { unix_ms })
    }

    /// The moment, and the calendar day in the programme's zone.
    #[must_use]
    pub fn now(&self) -> Now {
        let unix_ms = match &self.source {
            Source::Manual { unix_ms, .. } => unix_ms.load(READ),
            Source::System { agreement, .. } => {
                agreement.judge(unix_ms_of(SystemTime::now()), counter_ms())
            }
        };
        Now { unix_ms, local_date: self.day.date(unix_ms) }
    }

    /// The counter for intervals.
    #[must_use]
    pub fn ticks(&self) -> Ticks {
        match &self.source {
            Source::Manual { started_ms, unix_ms } => {
                Ticks(unix_ms.load(READ).saturating_sub(*started_ms).saturating_mul(NS_PER_MS))
            }
            Source::System { started, .. } => {
                Ticks(u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX))
            }
        }
    }
}

impl Ticks {
    /// Nanoseconds from `earlier` to this; 0 if it is later.
    #[must_use]
    pub fn ns_since(self, earlier: Ticks) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whole milliseconds from `earlier` to this; 0 if it is later.
    #[must_use]
    pub fn ms_since(self, earlier: Ticks) -> u64 {
        self.ns_since(earlier) / NS_PER_MS
    }
}

impl ManualClock {
    /// Moves on.
    pub fn advance_ms(&self, ms: u64) {
        self.unix_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// Jumps, also back.
    pub fn set_unix_ms(&self, unix_ms: u64) {
        self.unix_ms.store(unix_ms, Ordering::Relaxed);
    }
}

/// A moment as DE 7 has it: the decimal number MMDDhhmmss, in UTC.
#[must_use]
pub fn utc_transmission_time(unix_ms: u64) -> u32 {
    let moment = i64::try_from(unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let utc = moment.unwrap_or(Timestamp::MAX).to_zoned(TimeZone::UTC);
    [utc.month(), utc.day(), utc.hour(), utc.minute(), utc.second()]
        .into_iter()
        .fold(0, |number, part| number * 100 + u32::try_from(part).unwrap_or_default())
}

#[derive(Clone)]
enum Source {
    Manual { started_ms: u64, unix_ms: Arc<AtomicU64> },
    System { started: Instant, agreement: Arc<Agreement> },
}

/// Whether the machine's calendar clock goes along with its counter.
///
/// A step of the calendar clock is somebody's mistake until it is shown not to be: holds would
/// expire at once, or a day's limits begin anew. While the two disagree the moment stands still,
/// and with it expiry and the change of days. Small corrections are followed.
struct Agreement {
    /// Calendar less counter when they agreed last, in milliseconds.
    apart_ms: AtomicI64,
    /// The moment then.
    agreed_ms: AtomicU64,
    is_frozen: AtomicBool,
}

impl Agreement {
    fn new(unix_ms: u64, counter_ms: u64) -> Agreement {
        Agreement {
            apart_ms: AtomicI64::new(apart(unix_ms, counter_ms)),
            agreed_ms: AtomicU64::new(unix_ms),
            is_frozen: AtomicBool::new(false),
        }
    }

    /// The moment to go by.
    fn judge(&self, unix_ms: u64, counter_ms: u64) -> u64 {
        let apart_ms = apart(unix_ms, counter_ms);
        let before_ms = self.apart_ms.load(READ);
        if apart_ms.abs_diff(before_ms) > JUMP_MS {
            return self.freeze(apart_ms.saturating_sub(before_ms));
        }
        if apart_ms != before_ms {
            self.apart_ms.store(apart_ms, READ);
        }
        self.agreed_ms.store(unix_ms, READ);
        if self.is_frozen.load(READ) {
            self.thaw();
        }
        unix_ms
    }

    #[cold]
    fn freeze(&self, jump_ms: i64) -> u64 {
        if !self.is_frozen.swap(true, READ) {
            tracing::error!(
                jump_ms,
                "the machine's clock has jumped; until it agrees again nothing expires and no day \
                 begins. Set it right, or restart the switch if it is right now"
            );
        }
        self.agreed_ms.load(READ)
    }

    #[cold]
    fn thaw(&self) {
        if self.is_frozen.swap(false, READ) {
            tracing::info!("the machine's clock agrees again");
        }
    }
}

/// The machine's counter, which goes on while the machine sleeps: after that the calendar clock is
/// right and must not be taken for one that has jumped.
fn counter_ms() -> u64 {
    let counter = rustix::time::clock_gettime(COUNTER);
    let seconds = u64::try_from(counter.tv_sec).unwrap_or_default();
    let millis = u64::try_from(counter.tv_nsec).unwrap_or_default() / NS_PER_MS;
    seconds.saturating_mul(1_000).saturating_add(millis)
}

fn apart(unix_ms: u64, counter_ms: u64) -> i64 {
    let ms = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    ms(unix_ms).saturating_sub(ms(counter_ms))
}

/// A machine set before 1970 reads as 1970; no card is valid then.
fn unix_ms_of(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The calendar day that was asked for last, with the moments at which it begins and ends.
///
/// The three stand packed in one word, so that a reader needs no lock and never sees the date of
/// one day with the bounds of another: minute of its start (26 bits, until the year 2097), length
/// in minutes (11 bits: 1380, 1440 or 1500 by summer time), date (27 bits, yyyymmdd). Midnights of
/// this zone fall on whole minutes since 1970.
struct DayCache {
    zone: TimeZone,
    packed: AtomicU64,
}

impl DayCache {
    fn new(zone: TimeZone) -> DayCache {
        DayCache { zone, packed: AtomicU64::new(0) }
    }

    fn date(&self, unix_ms: u64) -> LocalDate {
        let packed = self.packed.load(Ordering::Relaxed);
        let start = packed >> START_SHIFT;
        let length = packed >> DATE_BITS & LENGTH_MASK;
        if (unix_ms / MS_PER_MINUTE).wrapping_sub(start) < length {
            return LocalDate::from_packed(u32::try_from(packed & DATE_MASK).unwrap_or_default());
        }
        self.find(unix_ms)
    }

    /// Asks the zone's rules; once a day.
    #[cold]
    fn find(&self, unix_ms: u64) -> LocalDate {
        let moment =
            i64::try_from(unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let local = moment.unwrap_or(Timestamp::MAX).to_zoned(self.zone.clone());
        let date = LocalDate::new(
            u16::try_from(local.year()).unwrap_or_default(),
            u8::try_from(local.month()).unwrap_or_default(),
            u8::try_from(local.day()).unwrap_or_default(),
        );
        let minute = |at: Result<jiff::Zoned, jiff::Error>| {
            let second = at.ok()?.timestamp().as_second();
            Some(u64::try_from(second).ok()? / SECONDS_PER_MINUTE)
        };
        let start = minute(local.start_of_day());
        let end = minute(local.tomorrow().and_then(|next| next.start_of_day()));
        if let (Some(start), Some(end)) = (start, end) {
            let length = end.saturating_sub(start);
            if start <= START_MAX && length <= LENGTH_MASK {
                let packed = start << START_SHIFT | length << DATE_BITS | u64::from(date.packed());
                self.packed.store(packed, Ordering::Relaxed);
            }
        }
        date
    }
}

/// The programme's zone, by which days and months of limits are counted.
const ZONE: &str = "Europe/Ljubljana";
const READ: Ordering = Ordering::Relaxed;
#[cfg(target_os = "linux")]
const COUNTER: ClockId = ClockId::Boottime;
/// Elsewhere the counter of intervals does, which some systems stop while they sleep.
#[cfg(not(target_os = "linux"))]
const COUNTER: ClockId = ClockId::Monotonic;
/// A step of the calendar clock against the counter that is no correction any more.
const JUMP_MS: u64 = 5_000;
const NS_PER_MS: u64 = 1_000_000;
const MS_PER_MINUTE: u64 = 60_000;
const SECONDS_PER_MINUTE: u64 = 60;
const DATE_BITS: u32 = 27;
const DATE_MASK: u64 = (1 << DATE_BITS) - 1;
const LENGTH_MASK: u64 = (1 << 11) - 1;
const START_SHIFT: u32 = DATE_BITS + 11;
const START_MAX: u64 = (1 << 26) - 1;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn ms(utc: &str) -> u64 {
        u64::try_from(utc.parse::<Timestamp>().unwrap().as_millisecond()).unwrap()
    }

    #[test]
    fn the_day_turns_at_midnight_in_ljubljana_and_not_at_midnight_utc() {
        let (clock, hand) = Clock::manual(0);
        for (utc, date) in [
            // Winter, UTC+1.
            ("2026-11-22T22:59:59.999Z", 2026_11_22),
            ("2026-11-22T23:00:00.000Z", 2026_11_23),
            ("2026-11-23T00:00:00.000Z", 2026_11_23),
            // Summer, UTC+2.
            ("2026-07-01T21:59:59.999Z", 2026_07_01),
            ("2026-07-01T22:00:00.000Z", 2026_07_02),
            // New year.
            ("2026-12-31T22:59:59.999Z", 2026_12_31),
            ("2026-12-31T23:00:00.000Z", 2027_01_01),
        ] {
            hand.set_unix_ms(ms(utc));
            assert_eq!(clock.now().local_date.packed(), date, "{utc}");
        }
    }

    #[test]
    fn the_days_of_the_change_of_clocks_have_23_and_25_hours() {
        let (clock, hand) = Clock::manual(0);
        for (utc, date) in [
            // 2026-03-29: from UTC+1 to UTC+2 at 01:00Z.
            ("2026-03-28T23:00:00Z", 2026_03_29),
            ("2026-03-29T21:59:59Z", 2026_03_29),
            ("2026-03-29T22:00:00Z", 2026_03_30),
            // 2026-10-25: from UTC+2 back to UTC+1 at 01:00Z.
            ("2026-10-24T22:00:00Z", 2026_10_25),
            ("2026-10-25T22:59:59Z", 2026_10_25),
            ("2026-10-25T23:00:00Z", 2026_10_26),
        ] {
            hand.set_unix_ms(ms(utc));
            assert_eq!(clock.now().local_date.packed(), date, "{utc}");
        }
    }

    #[test]
    fn the_kept_day_is_dropped_when_the_clock_goes_back() {
        let (clock, hand) = Clock::manual(ms("2026-11-22T23:00:00Z"));
        assert_eq!(clock.now().local_date.packed(), 2026_11_23);
        hand.set_unix_ms(ms("2026-11-22T22:59:59Z"));
        assert_eq!(clock.now().local_date.packed(), 2026_11_22);
    }

    #[test]
    fn every_hour_of_ten_years_agrees_with_the_zone_rules() {
        let zone = TimeZone::get(ZONE).unwrap();
        let (clock, hand) = Clock::manual(0);
        let start = ms("2024-01-01T00:30:00Z");
        for hour in 0..24 * 3_653 {
            let unix_ms = start + hour * 3_600_000;
            hand.set_unix_ms(unix_ms);
            let moment = Timestamp::from_millisecond(i64::try_from(unix_ms).unwrap()).unwrap();
            let date = moment.to_zoned(zone.clone()).date();
            let expected = LocalDate::new(
                u16::try_from(date.year()).unwrap(),
                u8::try_from(date.month()).unwrap(),
                u8::try_from(date.day()).unwrap(),
            );
            assert_eq!(clock.now().local_date, expected, "{moment}");
        }
    }

    #[test]
    fn the_ends_of_time_are_dates_too() {
        let (clock, hand) = Clock::manual(0);
        assert_eq!(clock.now().local_date.packed(), 1970_01_01);
        hand.set_unix_ms(u64::MAX);
        // The last day that the calendar can count to.
        assert_eq!(clock.now().local_date.packed(), 9999_12_30);
    }

    #[test]
    fn intervals_follow_the_hand() {
        let (clock, hand) = Clock::manual(5_000);
        let before = clock.ticks();
        hand.advance_ms(3);
        assert_eq!(clock.ticks().ns_since(before), 3_000_000);
        assert_eq!(clock.ticks().ms_since(before), 3);
        assert_eq!(before.ms_since(clock.ticks()), 0);
    }

    #[test]
    fn de_7_is_in_utc() {
        assert_eq!(utc_transmission_time(ms("2026-11-22T09:05:07Z")), 11_22_09_05_07);
        assert_eq!(utc_transmission_time(ms("2026-01-01T00:00:00Z")), 1_01_00_00_00);
    }

    #[test]
    fn a_jump_against_the_counter_stops_the_moment_until_both_agree_again() {
        let start = ms("2026-11-22T22:59:58Z");
        let agreement = Agreement::new(start, 0);
        assert_eq!(agreement.judge(start + 1_000, 1_000), start + 1_000);
        // Corrections, small ones and many, are followed.
        assert_eq!(agreement.judge(start + 7_000, 2_000), start + 7_000);
        assert_eq!(agreement.judge(start + 12_999, 3_000), start + 12_999);
        let agreed = start + 12_999;
        for jumped in [start + 86_400_000, start, 0, agreed + 1_000 + 5_001] {
            assert_eq!(agreement.judge(jumped, 4_000), agreed, "{jumped}");
        }
        assert_eq!(agreement.judge(agreed + 6_000, 5_000), agreed + 6_000);
        assert_eq!(agreement.judge(agreed + 7_000, 6_000), agreed + 7_000);
    }

    #[test]
    fn the_machines_clock_moves_forward() {
        let clock = Clock::system().unwrap();
        let (now, ticks) = (clock.now(), clock.ticks());
        assert!(now.unix_ms > ms("2024-01-01T00:00:00Z"));
        assert!(clock.ticks() >= ticks);
    }
}
