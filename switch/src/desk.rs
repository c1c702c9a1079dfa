//! Desks: what the issuer keeps beside its cards, each under its own lock.
//!
//! As with a card, an entry about a desk is appended under the desk's lock, so that the order of
//! its entries is the order of its states. Lock order: a desk stands where a card does.

use cekr_issuer::{Desk, Seq};

use crate::sync::{Mutex, MutexGuard};

/// All desks of a shard.
#[derive(Default)]
pub struct Desks {
    links: Mutex<DeskState>,
    suspense: Mutex<DeskState>,
}

/// Where the history of a desk ends.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DeskState {
    /// Its newest entry.
    pub last_seq: Seq,
    /// When that was made, ms since 1970.
    pub last_at: u64,
}

impl Desks {
    /// Takes the lock of `desk`.
    pub fn lock(&self, desk: Desk) -> MutexGuard<'_, DeskState> {
        match desk {
            Desk::Links => self.links.lock(),
            Desk::Suspense => self.suspense.lock(),
        }
    }
}
