//! What a chip keeps without power, and the order in which it is written.
//!
//! Every change goes through [`Chip::keep`](super::Chip), before the answer that depends on it
//! leaves: the counter before a cryptogram, a spent PIN try before the comparison. A chip that is
//! torn out between two writes therefore never makes two cryptograms of one counter and never gives
//! a try back.

use core::fmt;

use crate::Pin;
use crate::chip::files::Files;
use crate::chip::profile::Limits;
use crate::crypto::script::Occasion;

/// The contents of the chip's memory that survive the power. `Debug` shows neither PIN nor records.
#[derive(Clone, PartialEq)]
pub struct Kept {
    pub(super) atc: u16,
    pub(super) atc_last_online: u16,
    pub(super) total_since_online: u64,
    pub(super) limits: Limits,
    pub(super) pin: Pin,
    pub(super) pin_tries: u8,
    pub(super) block: Block,
    pub(super) unfinished: Unfinished,
    /// The last transaction that made a cryptogram: what scripts are sealed for.
    pub(super) occasion: Option<Occasion>,
    pub(super) scripts: Scripts,
    pub(super) log: Log,
    pub(super) files: Files,
}

impl Kept {
    /// Application transaction counter (9F36).
    pub fn atc(&self) -> u16 {
        self.atc
    }

    /// The same memory with another counter: a card that has been used so often, and whose issuer
    /// was reached each time.
    #[must_use]
    pub fn with_atc(self, atc: u16) -> Self {
        Self { atc, atc_last_online: atc, ..self }
    }

    /// The counter when the issuer was last reached (9F13).
    pub fn atc_last_online(&self) -> u16 {
        self.atc_last_online
    }

    /// How many PIN tries are left (9F17).
    pub fn pin_tries(&self) -> u8 {
        self.pin_tries
    }

    /// Whether application or card are blocked.
    pub fn block(&self) -> Block {
        self.block
    }

    /// What the chip approves without its issuer.
    pub fn limits(&self) -> Limits {
        self.limits
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("atc", &self.atc)
            .field("atc_last_online", &self.atc_last_online)
            .field("total_since_online", &self.total_since_online)
            .field("limits", &self.limits)
            .field("pin_tries", &self.pin_tries)
            .field("block", &self.block)
            .field("unfinished", &self.unfinished)
            .field("scripts", &self.scripts)
            .finish_non_exhaustive()
    }
}

/// What the issuer has blocked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Block {
    /// Nothing.
    None,
    /// The application, until a script unblocks it.
    Application,
    /// The card, for good.
    Card,
}

/// What earlier transactions left to be told.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Unfinished {
    /// No transaction has reached the issuer yet.
    pub(super) is_new: bool,
    /// An ARQC left, and the issuer's answer was not believed or did not come.
    pub(super) online: bool,
    /// The issuer's answer was wrong.
    pub(super) issuer_authentication: bool,
    /// Static data authentication failed and the transaction was declined offline.
    pub(super) static_data: bool,
    /// Dynamic data authentication failed and the transaction was declined offline.
    pub(super) dynamic_data: bool,
    /// The issuer wants to see the next transaction.
    pub(super) go_online: bool,
}

/// What became of the scripts since the issuer was last told.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Scripts {
    /// Carried out after a second cryptogram.
    pub(super) count: u8,
    /// One was refused.
    pub(super) has_failed: bool,
}

/// The last transactions, as the log file shows them.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) struct Log {
    entries: [[u8; LOG_OCTETS]; LOG_COUNT],
    count: usize,
    next: usize,
}

/// What each entry of the log holds, as tags and lengths (9F4F): date, type, amount, currency,
/// country, counter, cryptogram information.
pub(super) const LOG_FORMAT: &[u8] =
    &[0x9A, 3, 0x9C, 1, 0x9F, 0x02, 6, 0x5F, 0x2A, 2, 0x9F, 0x1A, 2, 0x9F, 0x36, 2, 0x9F, 0x27, 1];

/// Octets of an entry: the sum of its format's lengths.
pub(super) const LOG_OCTETS: usize = 17;

/// How many transactions the log holds.
pub(super) const LOG_COUNT: usize = 10;

impl Log {
    pub(super) const EMPTY: Self =
        Self { entries: [[0; LOG_OCTETS]; LOG_COUNT], count: 0, next: 0 };

    pub(super) fn add(&mut self, entry: [u8; LOG_OCTETS]) {
        if let Some(place) = self.entries.get_mut(self.next) {
            *place = entry;
        }
        self.next = (self.next + 1) % LOG_COUNT;
        self.count = LOG_COUNT.min(self.count + 1);
    }

    /// Record 1 is the newest.
    pub(super) fn read(&self, record: u8) -> Option<&[u8; LOG_OCTETS]> {
        let age = usize::from(record).checked_sub(1).filter(|age| *age < self.count)?;
        self.entries.get((self.next + LOG_COUNT - 1 - age) % LOG_COUNT)
    }
}

#[cfg(test)]
mod tests {
    use super::{LOG_COUNT, LOG_OCTETS, Log};

    #[test]
    fn the_log_shows_the_newest_first_and_forgets_the_oldest() {
        let mut log = Log::EMPTY;
        assert_eq!(log.read(1), None);
        for number in 1..=12 {
            log.add([number; LOG_OCTETS]);
        }
        assert_eq!(log.read(0), None);
        assert_eq!(log.read(1), Some(&[12; LOG_OCTETS]));
        assert_eq!(log.read(LOG_COUNT as u8), Some(&[3; LOG_OCTETS]));
        assert_eq!(log.read(LOG_COUNT as u8 + 1), None);
    }
}
