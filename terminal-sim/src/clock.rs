//! The only place of this crate that reads the machine's clocks.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::moment::Moment;

/// The wall clock as read once, carried forward by the runtime's own clock: it never jumps, and
/// stands still where a test has paused time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Moment,
    at: Instant,
}

impl Clock {
    /// A clock that starts at the present time.
    #[must_use]
    pub fn start() -> Self {
        Self::starting_at(wall())
    }

    /// A clock that starts at this moment, for simulations with a given date.
    #[must_use]
    pub fn starting_at(started: Moment) -> Self {
        Self { started, at: Instant::now() }
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Moment {
        let passed = self.at.elapsed().as_millis();
        self.started.plus_ms(u64::try_from(passed).unwrap_or(u64::MAX))
    }
}

/// Measures how long something took, on the machine's monotonic clock, also where a test has
/// paused the runtime's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(std::time::Instant);

#[expect(clippy::disallowed_methods, reason = "this is the clock that others are told to ask")]
impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// Nanoseconds since the start.
    pub(crate) fn ns(self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// The system's time of day; 1970 when it stands before that.
#[expect(clippy::disallowed_methods, reason = "this is the clock that others are told to ask")]
pub(crate) fn wall() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment::from_unix_ms(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
