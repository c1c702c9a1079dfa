//! Segments: the journal's files, their names and sizes, and the pool that zeroes the next one
//! ahead.
//!
//! A segment is written full of zeros and synced before it gets its name: a commit then overwrites
//! octets whose place on the disk is settled, and `fdatasync` need not touch the file system's own
//! journal (1.3 to 1.9 times faster than a growing file).
//!
//! Where zeros cannot be written ahead, the room is reserved instead: commits are slower then, for
//! the file system notes each first write, but they go on.
//!
//! The first segment is small and each is twice as long as the one before, up to the setting: a
//! new data directory is ready in milliseconds, a busy one soon changes files rarely.

use std::io;

use crate::disk::Disk;
use crate::sync::{self, Arc, AtomicBool, AtomicU32, Mutex, OnceLock, Ordering, Thread};

/// The file of a segment, counted from 1.
pub(super) fn name(segment: u32) -> String {
    format!("{FOLDER}/{segment:08}{SUFFIX}")
}

/// The number in a segment's name (without its folder), if it is one.
pub(super) fn number(file: &str) -> Option<u32> {
    let digits = file.strip_suffix(SUFFIX)?;
    let segment = digits.parse().ok().filter(|segment| *segment > 0)?;
    (name(segment).strip_prefix(FOLDER)?.strip_prefix('/')? == file).then_some(segment)
}

/// How long a segment is made, in octets.
pub(super) fn octets(segment: u32, octets_max: u64) -> u64 {
    let doublings = segment.saturating_sub(1).min(32);
    (FIRST_OCTETS << doublings).min(octets_max)
}

/// Keeps one zeroed file ready beside the journal.
pub(super) struct Pool {
    disk: Arc<dyn Disk>,
    octets_max: u64,
    /// Who zeroes: a thread of its own, or whoever asks.
    background: bool,
    state: Mutex<State>,
    /// Files still to be zeroed without pauses, since the journal had to wait for one.
    urgent: AtomicU32,
    /// The last file could not be prepared.
    failing: AtomicBool,
    stopping: AtomicBool,
    thread: OnceLock<Thread>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// A file of so many octets is ready.
    Ready { octets: u64 },
    /// A file of so many octets is wanted.
    Wanted { octets: u64 },
}

impl Pool {
    /// A pool that wants the file for `segment`. Takes over a file that an earlier run left
    /// ready, and removes a half-made one.
    ///
    /// # Errors
    /// When the disk cannot make or list the pool's folder.
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        octets_max: u64,
        background: bool,
        segment: u32,
    ) -> io::Result<Pool> {
        disk.create_dir(POOL_FOLDER)?;
        let wanted = octets(segment, octets_max);
        let mut state = State::Wanted { octets: wanted };
        if disk.exists(READY_NAME)? && disk.open(READY_NAME)?.len()? == wanted {
            state = State::Ready { octets: wanted };
        }
        Ok(Pool {
            disk,
            octets_max,
            background,
            state: Mutex::new(state),
            urgent: AtomicU32::new(0),
            failing: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            thread: OnceLock::new(),
        })
    }

    /// The zeroed file for the next segment, still under its name in the pool; `None` while it is
    /// not ready yet.
    ///
    /// # Errors
    /// When the file has to be made here and now and the disk refuses. Not final: nothing was
    /// acknowledged on the strength of it.
    pub(super) fn ready(&self) -> io::Result<Option<&'static str>> {
        let state = *self.state.lock();
        match state {
            State::Ready { .. } => Ok(Some(READY_NAME)),
            State::Wanted { .. } if self.background => {
                self.urgent.store(URGENT_FILES, Ordering::Release);
                Ok(None)
            }
            State::Wanted { octets } => {
                self.prepare(octets)?;
                Ok(Some(READY_NAME))
            }
        }
    }

    /// The ready file has become a segment: wants the one for `segment` next.
    pub(super) fn taken(&self, segment: u32) {
        *self.state.lock() = State::Wanted { octets: octets(segment, self.octets_max) };
        // Only the journal's writer changes it.
        let urgent = self.urgent.load(Ordering::Acquire);
        self.urgent.store(urgent.saturating_sub(1), Ordering::Release);
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// The background thread's work: zeroes what is wanted, and sleeps.
    pub(super) fn run(&self) {
        // Whoever wants a file before this is set finds it wanted when the loop first looks.
        let _ = self.thread.set(sync::current_thread());
        while !self.stopping.load(Ordering::Acquire) {
            let state = *self.state.lock();
            match state {
                State::Ready { .. } => sync::park(0),
                State::Wanted { octets } => {
                    if let Err(error) = self.prepare(octets) {
                        tracing::warn!(
                            %error,
                            octets,
                            "the next journal segment cannot be prepared; trying again"
                        );
                        sync::park(RETRY_US);
                    }
                }
            }
        }
    }

    /// Ends the background thread; what it has half made is left behind.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// Whether the disk refused to prepare the next file, so that what is there is all there is.
    pub(super) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Acquire)
    }

    fn prepare(&self, octets: u64) -> io::Result<()> {
        let made = self.make(octets, Self::zero).or_else(|error| {
            let reserved = self.make(octets, Self::reserve);
            if reserved.is_ok() {
                tracing::warn!(%error, octets, "a journal segment is reserved, not zeroed ahead");
            }
            reserved
        });
        self.failing.store(made.is_err(), Ordering::Release);
        if made? == Made::Whole {
            *self.state.lock() = State::Ready { octets };
        }
        Ok(())
    }

    /// Makes the ready file by `fill`, under another name until it is whole.
    fn make(
        &self,
        octets: u64,
        fill: impl FnOnce(&Self, u64) -> io::Result<Made>,
    ) -> io::Result<Made> {
        for leftover in [MAKING_NAME, READY_NAME] {
            if self.disk.exists(leftover)? {
                self.disk.remove(leftover)?;
            }
        }
        let made = fill(self, octets)?;
        if made == Made::Whole {
            // Whoever makes a segment of it syncs the folders.
            self.disk.rename(MAKING_NAME, READY_NAME)?;
        }
        Ok(made)
    }

    fn zero(&self, octets: u64) -> io::Result<Made> {
        make_zeroed(&*self.disk, MAKING_NAME, octets, || {
            if self.background && self.urgent.load(Ordering::Acquire) == 0 {
                sync::park(PAUSE_US);
            }
            self.stopping.load(Ordering::Acquire)
        })
    }

    fn reserve(&self, octets: u64) -> io::Result<Made> {
        let file = self.disk.create(MAKING_NAME)?;
        file.reserve(octets)?;
        file.sync_data()?;
        Ok(Made::Whole)
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Made {
    Abandoned,
    Whole,
}

/// Makes a durable file of zeros.
///
/// # Errors
/// What the disk says; a half-made file may be left.
pub(super) fn create_zeroed(disk: &dyn Disk, name: &str, octets: u64) -> io::Result<()> {
    make_zeroed(disk, name, octets, || false).map(|_| ())
}

/// Writes in pieces, each synced, with `pause` between them: one long write-back would stall the
/// journal's own syncs. `pause` tells whether to give up.
fn make_zeroed(
    disk: &dyn Disk,
    name: &str,
    octets: u64,
    mut pause: impl FnMut() -> bool,
) -> io::Result<Made> {
    let file = disk.create(name)?;
    let piece_octets = usize::try_from(octets.min(PIECE_OCTETS)).unwrap_or_default();
    let zeros = vec![0; piece_octets];
    let mut written = 0;
    while written < octets {
        if written > 0 && pause() {
            return Ok(Made::Abandoned);
        }
        let left = usize::try_from(octets - written).unwrap_or(usize::MAX);
        let piece = zeros.get(..left.min(piece_octets)).unwrap_or_default();
        file.write_at(written, piece)?;
        file.sync_data()?;
        written = written.saturating_add(piece.len() as u64);
    }
    Ok(Made::Whole)
}

/// Holds segments and nothing else.
pub(crate) const FOLDER: &str = "journal";
const SUFFIX: &str = ".seg";
/// Length of the first segment, in octets: 8,000 entries.
const FIRST_OCTETS: u64 = 1 << 20;
/// Beside the journal, so that its folder holds segments only.
pub(super) const POOL_FOLDER: &str = "spare";
const MAKING_NAME: &str = "spare/zeroing";
const READY_NAME: &str = "spare/zeroed";
/// Octets zeroed between two syncs.
const PIECE_OCTETS: u64 = 1 << 20;
/// Pause between two pieces while the journal does not wait.
const PAUSE_US: u64 = 5_000;
/// Files zeroed without pauses after the journal had to wait for one.
const URGENT_FILES: u32 = 4;
/// Pause after a failure.
const RETRY_US: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::simulated::{Faults, SimDisk};
    use super::*;

    #[test]
    fn a_name_has_one_spelling() {
        assert_eq!(name(7), "journal/00000007.seg");
        assert_eq!(number("00000007.seg"), Some(7));
        assert_eq!(number("123456789.seg"), Some(123_456_789));
        for wrong in ["7.seg", "00000000.seg", "00000007", "+0000007.seg", "000000007.seg", ""] {
            assert_eq!(number(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn segments_double_up_to_the_setting() {
        let max = 64 << 20;
        let sizes: Vec<u64> = (1..=8).map(|segment| octets(segment, max) >> 20).collect();
        assert_eq!(sizes, [1, 2, 4, 8, 16, 32, 64, 64]);
        assert_eq!(octets(1, 4096), 4096);
        assert_eq!(octets(u32::MAX, max), max);
    }

    #[test]
    fn a_ready_file_is_zeroed_synced_and_taken_over_by_the_next_run() {
        let disk = SimDisk::new(1);
        let pool = Pool::open(Arc::new(disk.clone()), 4096, false, 2).unwrap();
        assert_eq!(pool.ready().unwrap(), Some(READY_NAME));
        disk.sync_dir("").unwrap();
        disk.power_cut();
        assert_eq!(disk.contents(READY_NAME), Some(vec![0; 4096]));
        let pool = Pool::open(Arc::new(disk.clone()), 4096, true, 2).unwrap();
        assert_eq!(pool.ready().unwrap(), Some(READY_NAME), "without a thread to make it");
        let pool = Pool::open(Arc::new(disk), 8192, true, 2).unwrap();
        assert_eq!(pool.ready().unwrap(), None, "of another length");
    }

    #[test]
    fn room_is_reserved_where_zeros_cannot_be_written() {
        let faults: [fn(u64) -> Faults; 2] = [
            |call| Faults { short_write_at: Some(call), ..Faults::default() },
            |call| Faults { fail_sync_at: Some(call), ..Faults::default() },
        ];
        for (fault, calls_before) in faults.into_iter().zip([2, 3]) {
            let disk = SimDisk::new(1);
            let pool = Pool::open(Arc::new(disk.clone()), 4096, false, 2).unwrap();
            disk.plant(fault(disk.calls() + calls_before));
            assert_eq!(pool.ready().unwrap(), Some(READY_NAME));
            assert!(!pool.is_failing());
            disk.sync_dir("").unwrap();
            disk.power_cut();
            assert_eq!(disk.contents(READY_NAME), Some(vec![0; 4096]));
        }
    }

    #[test]
    fn a_full_disk_prepares_nothing_and_says_so_until_there_is_room() {
        let disk = SimDisk::new(1);
        let pool = Pool::open(Arc::new(disk.clone()), 4096, false, 2).unwrap();
        disk.plant(Faults { octets_max: Some(4095), ..Faults::default() });
        assert_eq!(pool.ready().unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert!(pool.is_failing());
        disk.plant(Faults::default());
        assert_eq!(pool.ready().unwrap(), Some(READY_NAME));
        assert!(!pool.is_failing());
    }
}
