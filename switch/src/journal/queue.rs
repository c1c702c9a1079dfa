//! Where entries wait for the disk: appended under one short lock, taken out by the writer.
//!
//! The ring of recent entries is the queue as well: the writer copies out of it what lies between
//! the durable and the appended sequence number, a few entries to each holding of the lock, so
//! that an append never waits for a batch.

use super::recent::Recent;
use super::{EntryBytes, Full};
use crate::sync::{AtomicU64, CachePadded, Mutex, MutexGuard, OnceLock, Ordering, Thread};

pub(super) struct Queue {
    inside: CachePadded<Mutex<Inside>>,
    /// Sequence number of the newest entry; written under the lock, read without.
    appended: CachePadded<AtomicU64>,
    /// Up to here entries are on disk; written by the writer.
    durable: CachePadded<AtomicU64>,
    /// Entries that may wait; none ever waits in memory mode.
    pending: Pending,
    /// Whom to wake; none while the journal is driven by hand.
    writer: OnceLock<Thread>,
}

/// What becomes of an entry once it is appended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Pending {
    /// It counts as durable at once.
    None,
    /// It waits for the writer, with at most so many others.
    UpTo(u64),
}

struct Inside {
    recent: Recent,
    /// The writer sleeps, or is about to: whoever appends must wake it.
    asleep: bool,
    open: bool,
}

impl Queue {
    /// A queue behind the entries that are already durable.
    pub(super) fn new(recent: Recent, pending: Pending) -> Queue {
        let last = recent.last();
        Queue {
            inside: CachePadded::new(Mutex::new(Inside { recent, asleep: false, open: true })),
            appended: CachePadded::new(AtomicU64::new(last)),
            durable: CachePadded::new(AtomicU64::new(last)),
            pending,
            writer: OnceLock::new(),
        }
    }

    pub(super) fn append(&self, entry: &EntryBytes) -> Result<u64, Full> {
        let mut inside = self.room_for(1)?;
        let seq = inside.recent.push(entry);
        self.appended_to(inside, seq);
        Ok(seq)
    }

    /// Appends two entries or none; `make` gets the first one's number, and the same is returned.
    pub(super) fn append_two(
        &self,
        make: impl FnOnce(u64) -> [EntryBytes; 2],
    ) -> Result<u64, Full> {
        let mut inside = self.room_for(2)?;
        let [first, second] = make(inside.recent.last().saturating_add(1));
        let seq = inside.recent.push(&first);
        let last = inside.recent.push(&second);
        self.appended_to(inside, last);
        Ok(seq)
    }

    /// The queue, locked, if it takes `count` more entries.
    fn room_for(&self, count: u64) -> Result<MutexGuard<'_, Inside>, Full> {
        let inside = self.inside.lock();
        if !inside.open {
            return Err(Full);
        }
        if let Pending::UpTo(max) = self.pending {
            let waiting = inside.recent.last().saturating_sub(self.durable());
            // An empty queue takes them however small it was made, or they would never go.
            if waiting > 0 && waiting.saturating_add(count) > max {
                return Err(Full);
            }
        }
        Ok(inside)
    }

    /// Publishes that entries up to `seq` were appended, and wakes the writer if it sleeps.
    fn appended_to(&self, mut inside: MutexGuard<'_, Inside>, seq: u64) {
        if self.pending == Pending::None {
            self.durable.store(seq, Ordering::Release);
        }
        self.appended.store(seq, Ordering::Release);
        let wake = std::mem::replace(&mut inside.asleep, false);
        drop(inside);
        if wake {
            self.wake();
        }
    }

    pub(super) fn entry(&self, seq: u64) -> Option<EntryBytes> {
        self.inside.lock().recent.entry(seq).copied()
    }

    pub(super) fn appended(&self) -> u64 {
        self.appended.load(Ordering::Acquire)
    }

    pub(super) fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// Entries that wait for the disk.
    pub(super) fn waiting(&self) -> usize {
        usize::try_from(self.appended().saturating_sub(self.durable())).unwrap_or(usize::MAX)
    }

    /// Copies the next `count` waiting entries to the end of `out`.
    pub(super) fn copy_waiting(&self, count: usize, out: &mut Vec<u8>) {
        let first = self.durable().saturating_add(1);
        let end = first.saturating_add(count as u64);
        let mut next = first;
        while next < end {
            let slice_end = next.saturating_add(COPIED_PER_LOCK).min(end);
            let inside = self.inside.lock();
            for seq in next..slice_end {
                match inside.recent.entry(seq) {
                    Some(entry) => out.extend_from_slice(entry),
                    None => debug_assert!(false, "a waiting entry is never overwritten"),
                }
            }
            next = slice_end;
        }
    }

    /// Entries up to `seq` are on disk.
    pub(super) fn commit(&self, seq: u64) {
        debug_assert!(seq >= self.durable() && seq <= self.appended(), "commits go forward");
        self.durable.store(seq, Ordering::Release);
    }

    /// Whether the writer has a reason not to sleep.
    pub(super) fn is_stirring(&self) -> bool {
        self.appended() != self.durable()
    }

    /// The writer goes to sleep, unless there is work or the queue is closed: then `false`.
    ///
    /// Told under the lock, so that the next append sees the sleeper or was seen by it.
    pub(super) fn fall_asleep(&self) -> bool {
        let mut inside = self.inside.lock();
        inside.asleep = inside.open && inside.recent.last() == self.durable();
        inside.asleep
    }

    /// Takes no more entries; what waits is still written.
    pub(super) fn close(&self) {
        self.inside.lock().open = false;
        self.wake();
    }

    pub(super) fn is_open(&self) -> bool {
        self.inside.lock().open
    }

    /// Names the thread that appends wake.
    pub(super) fn wake_by(&self, writer: Thread) {
        debug_assert!(self.writer.get().is_none(), "a journal has one writer");
        let _ = self.writer.set(writer);
    }

    fn wake(&self) {
        if let Some(writer) = self.writer.get() {
            writer.unpark();
        }
    }
}

/// Entries copied out in one holding of the lock: 8 KiB, a few hundred nanoseconds.
const COPIED_PER_LOCK: u64 = 64;
