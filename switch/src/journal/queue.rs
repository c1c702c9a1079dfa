//! Where entries wait for the disk: appended under one short lock, taken out by the writer.
//!
//! The ring of recent entries is the queue as well: the writer copies out of it what lies between
//! the durable and the appended sequence number, a few entries to each holding of the lock, so
//! that an append never waits for a batch.

use super::recent::Recent;
use super::{EntryBytes, Full, JournalConfig, Seq};
use crate::sync::{AtomicU64, CachePadded, Mutex, MutexGuard, OnceLock, Ordering, Thread};

pub(super) struct Queue {
    inside: CachePadded<Mutex<Inside>>,
    /// Sequence number of the newest entry; written under the lock, read without.
    appended: CachePadded<AtomicU64>,
    /// Up to here entries are on disk; written by the writer.
    durable: CachePadded<AtomicU64>,
    /// Octets that are prepared for entries, while it is known that no more can be; the largest
    /// number as long as that is not so. Written by the writer.
    room_octets: AtomicU64,
    /// What is kept of it for entries that cannot wait.
    reserve_octets: u64,
    /// Entries that may wait; none ever waits in memory mode.
    pending: Pending,
    /// Entries that the ring holds.
    kept_max: u64,
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

/// An entry that was put behind the others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Appended {
    /// Its number.
    pub seq: Seq,
    /// Its moment, ms since 1970: its own, or that of the entry in front of it where that is later.
    pub at: u64,
}

/// Whether an entry has to go although the disk has no more room.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Urgency {
    /// Whoever asks can ask again: an approval.
    CanWait,
    /// A lock, an untick, a reversal, an advice: it has happened, or protects somebody.
    MustGo,
}

struct Inside {
    recent: Recent,
    /// The moment of the newest entry.
    last_at: u64,
    /// The writer sleeps, or is about to: whoever appends must wake it.
    asleep: bool,
    open: bool,
}

impl Queue {
    /// A queue that takes nothing until it is opened.
    pub(super) fn new(recent: Recent, pending: Pending, config: &JournalConfig) -> Queue {
        let kept_max = recent.kept_max();
        let inside = Inside { recent, last_at: 0, asleep: false, open: false };
        Queue {
            inside: CachePadded::new(Mutex::new(inside)),
            appended: CachePadded::new(AtomicU64::new(0)),
            durable: CachePadded::new(AtomicU64::new(0)),
            room_octets: AtomicU64::new(u64::MAX),
            reserve_octets: config.reserve_octets,
            pending,
            kept_max,
            writer: OnceLock::new(),
        }
    }

    /// Begins behind the entry of that number.
    pub(super) fn begin_behind(&self, seq: u64) {
        self.inside.lock().recent.begin_behind(seq);
        self.durable.store(seq, Ordering::Release);
        self.appended.store(seq, Ordering::Release);
    }

    /// Puts entries behind the others that are durable already.
    pub(super) fn take_over(&self, entries: &[EntryBytes]) {
        let mut inside = self.inside.lock();
        for entry in entries {
            inside.recent.push(entry);
            inside.last_at = inside.last_at.max(moment_of(entry));
        }
        let last = inside.recent.last();
        self.durable.store(last, Ordering::Release);
        self.appended.store(last, Ordering::Release);
    }

    /// Takes entries from now on.
    pub(super) fn open(&self) {
        self.inside.lock().open = true;
    }

    pub(super) fn append(&self, entry: &EntryBytes, urgency: Urgency) -> Result<Appended, Full> {
        let mut inside = self.room_for(urgency)?;
        let at = inside.last_at.max(moment_of(entry));
        inside.last_at = at;
        let seq = inside.recent.push(&dated(*entry, at));
        self.appended_to(inside, seq);
        Ok(Appended { seq: Seq(seq), at })
    }

    /// The queue, locked, if it takes one more entry.
    fn room_for(&self, urgency: Urgency) -> Result<MutexGuard<'_, Inside>, Full> {
        let mut inside = self.inside.lock();
        if !inside.open {
            return Err(Full);
        }
        if let Pending::UpTo(max) = self.pending {
            let waiting = inside.recent.last().saturating_sub(self.durable());
            // An empty queue takes it however small it was made, or it would never go.
            if waiting > 0 && waiting >= max {
                return Err(Full);
            }
            if urgency == Urgency::CanWait {
                let wanted = waiting.saturating_add(1).saturating_mul(OCTETS_PER_ENTRY);
                let room = self.room_octets.load(Ordering::Relaxed);
                if room.saturating_sub(wanted) < self.reserve_octets {
                    // The writer alone learns that there is room again, and it may be asleep.
                    let wake = std::mem::replace(&mut inside.asleep, false);
                    drop(inside);
                    if wake {
                        self.wake();
                    }
                    return Err(Full);
                }
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

    /// Entries that the ring holds at most.
    pub(super) fn kept_max(&self) -> u64 {
        self.kept_max
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

    /// What is prepared for entries: so many octets, or as many as anybody wants.
    pub(super) fn set_room(&self, octets: Option<u64>) {
        self.room_octets.store(octets.unwrap_or(u64::MAX), Ordering::Relaxed);
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

/// The moment of an entry, ms since 1970: the one thing in it that the journal looks at.
pub(super) fn moment_of(entry: &EntryBytes) -> u64 {
    let moment = entry.get(MOMENT).and_then(|octets| octets.first_chunk());
    moment.map_or(0, |[a, b, c, d, e, f]| u64::from_le_bytes([*a, *b, *c, *d, *e, *f, 0, 0]))
}

/// The entry with the moment `at`.
fn dated(mut entry: EntryBytes, at: u64) -> EntryBytes {
    if let Some(moment) = entry.get_mut(MOMENT) {
        moment.iter_mut().zip(at.to_le_bytes()).for_each(|(to, from)| *to = from);
    }
    entry
}

/// Where an entry has its moment: 48 bits last nine thousand years, what follows may be another's.
const MOMENT: std::ops::Range<usize> = 16..22;
/// Octets that an entry takes at most: it may be a batch of its own, and sealed.
const OCTETS_PER_ENTRY: u64 = 256;
/// Entries copied out in one holding of the lock: 8 KiB, a few hundred nanoseconds.
const COPIED_PER_LOCK: u64 = 64;
