//! The one place that names locks, atomics and threads.
//!
//! Everything else in this crate takes them from here, so that those of a scheduler that tries
//! interleavings can stand in for all of them at once: with the feature `shuttle` they are
//! shuttle's, for `tests/interleavings.rs` alone. The locks are `parking_lot`'s: they know no
//! poisoning, which a process that aborts on panic has no use for, and are one byte small.

use std::time::{Duration, Instant};

#[cfg(feature = "shuttle")]
pub use shuttle::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize};
pub use std::sync::atomic::Ordering;
#[cfg(not(feature = "shuttle"))]
pub use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize};
pub use std::sync::{Arc, OnceLock, Weak};
pub use std::thread::{Builder as ThreadBuilder, JoinHandle, Thread, current as current_thread};

pub use crossbeam::utils::CachePadded;
#[cfg(not(feature = "shuttle"))]
pub use parking_lot::{Mutex, MutexGuard};

#[cfg(feature = "shuttle")]
pub use scheduled::{Mutex, MutexGuard};

/// Locks whose holder the scheduler chooses, in the form of those that they stand in for.
#[cfg(feature = "shuttle")]
mod scheduled {
    use shuttle::sync;
    pub use shuttle::sync::MutexGuard;

    /// A lock without poisoning.
    #[derive(Debug, Default)]
    pub struct Mutex<T>(sync::Mutex<T>);

    impl<T> Mutex<T> {
        /// A lock around `value`.
        pub const fn new(value: T) -> Self {
            Self(sync::Mutex::new(value))
        }

        /// Waits for the lock.
        pub fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(sync::PoisonError::into_inner)
        }

        /// Whether somebody holds it.
        pub fn is_locked(&self) -> bool {
            self.0.try_lock().is_err()
        }
    }
}

/// Sleeps until the thread is unparked, or for `timeout_us` microseconds; 0 waits without end.
///
/// May return early: the caller looks again at what it waits for.
pub fn park(timeout_us: u64) {
    if timeout_us == 0 {
        std::thread::park();
    } else {
        std::thread::park_timeout(Duration::from_micros(timeout_us));
    }
}

/// Spins until `ready` says so or `limit_us` microseconds have passed; tells what `ready` said
/// last.
///
/// The clock is read here and not taken from the clock module: it bounds a wait, and no decision
/// ever sees it.
#[expect(clippy::disallowed_methods, reason = "bounds a wait, and no decision sees it")]
pub fn spin(limit_us: u32, mut ready: impl FnMut() -> bool) -> bool {
    if limit_us == 0 {
        return ready();
    }
    let started = Instant::now();
    let limit = Duration::from_micros(u64::from(limit_us));
    loop {
        for _ in 0..SPINS_PER_CLOCK_READ {
            if ready() {
                return true;
            }
            std::hint::spin_loop();
        }
        if started.elapsed() >= limit {
            return ready();
        }
    }
}

/// Looks between two readings of the clock: a reading costs about as much as sixteen looks.
const SPINS_PER_CLOCK_READ: u32 = 16;
