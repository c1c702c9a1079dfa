//! The journal: what the switch has answered for, in order, on disk.
//!
//! Entries are appended under a card's lock and become durable in batches: one batch is one
//! write and one `fdatasync`, and the next begins when that has ended. There is no timer: an idle
//! journal commits one entry at a time, a busy one as many as came in meanwhile.
//!
//! The journal knows nothing of cards and money. It takes entries of 128 octets and gives them
//! back in order; what it promises is that an entry at or below [`Journal::durable`] survives,
//! and that after a crash nothing else than a beginning of the sequence is read back. The format,
//! and what is a torn end and what is damage, stand in `docs/journal.md`.
//!
//! An error of a write or a sync is final. The system may have dropped what it could not write
//! and report the next sync as a success ("Can Applications Recover from fsync Failures?",
//! USENIX ATC 2020), so nothing is tried again: no later entry becomes durable, and the process
//! is told to end.
//!
//! ```
//! use std::sync::Arc;
//! use cekr_switch::journal::{Journal, JournalConfig, SimDisk};
//!
//! let disk = SimDisk::new(1);
//! let config = JournalConfig::default();
//! let shared = Arc::new(disk.clone());
//! let (journal, _) = Journal::with_disk_inline(shared, &config, &mut |_, _| Ok(()))?;
//! let seq = journal.append(&[7; 128])?;
//! assert!(journal.durable() < seq);
//! assert_eq!(journal.commit_now()?, seq);
//!
//! disk.power_cut();
//! let mut replayed = Vec::new();
//! Journal::with_disk_inline(Arc::new(disk), &config, &mut |seq, entry| {
//!     replayed.push((seq, *entry));
//!     Ok(())
//! })?;
//! assert_eq!(replayed, [(seq, [7; 128])]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod batch;
mod cut;
mod error;
mod mark;
mod prune;
mod queue;
mod read;
mod recent;
mod recover;
mod segment;
mod shelf;
mod simulated;
mod thread;
mod walk;
mod writer;

pub use cekr_issuer::{EntryBytes, Seq};
pub use cut::{Behind, CutAway, CutError, CutMay, Place, behind, cut, segment_of};
pub use error::{Cut, Damage, FailedAction, JournalFailure, OpenError, Recovered};
pub use mark::{MARK_OCTETS, Mark, Start};
pub use prune::{Pruned, bears_out, prune};
pub use queue::{Appended, Urgency};
pub use read::{ReadEnd, read};
pub(crate) use recover::{KEYS_NAME, UNBORN_FOLDER};
pub(crate) use segment::FOLDER as JOURNAL_FOLDER;
pub use simulated::{Faults, SimDisk};

use crate::disk::Disk;
use crate::sync::{
    Arc, AtomicU32, JoinHandle, Mutex, OnceLock, Ordering, ThreadBuilder, current_thread,
};
use queue::{Pending, Queue};
use recent::Recent;
use segment::Pool;
use shelf::Shelf;
use writer::{Turn, Writer, WriterParts};

/// Octets of an entry.
pub const ENTRY_OCTETS: usize = cekr_issuer::entry::ENTRY_OCTETS;

/// Which journal a batch belongs to: drawn at random when the data directory is made.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct JournalId(pub u64);

/// How a journal is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct JournalConfig {
    /// The id that stands in every batch.
    pub journal_id: JournalId,
    /// The shard whose entries these are.
    pub shard: u16,
    /// Length that segments grow to, in octets: a power of two from 4 KiB to 1 GiB.
    pub segment_octets: u64,
    /// Entries that may wait for the disk; one more is refused.
    pub queue_max: usize,
    /// Recent entries held in memory, 128 octets each; rounded up to a power of two and to
    /// `queue_max`.
    pub recent_max: usize,
    /// Entries in one batch, at most 65,535.
    pub batch_max: usize,
    /// Room kept for what cannot wait, in octets: when the next segment cannot be prepared and
    /// no more than this is left, entries that can wait are refused.
    pub reserve_octets: u64,
    /// How long the writer looks for work before it sleeps, in microseconds.
    ///
    /// 0 by default: where the writer shares two cores with the runtimes, 50 µs of looking take
    /// a core and make a lone commit no more than 6 % faster (119 to 112 µs at the median).
    pub spin_us: u32,
}

impl Default for JournalConfig {
    fn default() -> JournalConfig {
        JournalConfig {
            journal_id: JournalId::default(),
            shard: 0,
            segment_octets: 64 << 20,
            queue_max: 65_536,
            recent_max: 5_242_880,
            batch_max: 4_096,
            reserve_octets: 256 << 10,
            spin_us: 0,
        }
    }
}

/// A journal; clones are the same one.
///
/// The last clone to be dropped closes it. A callback must not hold a clone, or none is the last.
#[derive(Clone)]
pub struct Journal {
    inner: Arc<Inner>,
}

/// The queue is full, or the journal takes nothing any more: nothing was appended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the journal takes no more entries for now")]
pub struct Full;

impl Journal {
    /// A journal that keeps recent entries in memory and nothing on disk: an entry counts as
    /// durable when it is appended.
    pub fn memory(config: &JournalConfig) -> Journal {
        let queue = Queue::new(Recent::new(config.recent_max), Pending::None, config);
        queue.open();
        let inner = Inner::new(queue, None);
        // Nothing was set before.
        let _ = inner.drive.set(Drive::Memory);
        Journal { inner: Arc::new(inner) }
    }

    /// The journal of a disk before it is read: it takes nothing until [`Journal::recover`], so
    /// that what it is replayed into can hold it already.
    ///
    /// # Errors
    /// [`OpenError::Config`].
    pub fn unread(disk: Arc<dyn Disk>, config: &JournalConfig) -> Result<Journal, OpenError> {
        config.check()?;
        // Two entries may be appended at once even where fewer may wait.
        let recent = Recent::new(config.recent_max.max(config.queue_max).max(2));
        let pending = Pending::UpTo(config.queue_max as u64);
        let queue = Queue::new(recent, pending, config);
        let shelf = Arc::new(Shelf::new(Arc::clone(&disk), config.journal_id));
        let files = Files { disk, config: config.clone(), shelf };
        Ok(Journal { inner: Arc::new(Inner::new(queue, Some(files))) })
    }

    /// Reads the journal, making it where there is none, and starts its writer.
    ///
    /// `replay` is told of every entry in order, before anything else happens.
    ///
    /// # Errors
    /// [`OpenError`], with the file and the place; nothing was changed, except when the disk
    /// itself refused.
    pub fn recover(&self, replay: &mut Replay<'_>) -> Result<Recovered, OpenError> {
        self.recover_from(None, &mut |_, _| Ok(()), &mut one_by_one(replay))
    }

    /// The same for a state that has entries in it already: only what is behind the start's mark
    /// is replayed. `refill` is told before of entries in front of it, as far back as the start
    /// says, and may be told of more.
    ///
    /// # Errors
    /// As [`Journal::recover`]; [`OpenError::NoStart`] when the journal does not bear out the
    /// start, with nothing changed on the disk.
    pub fn recover_from(
        &self,
        start: Option<&Start>,
        refill: &mut ReplayAll<'_>,
        replay: &mut ReplayAll<'_>,
    ) -> Result<Recovered, OpenError> {
        let (writer, pool, recovered) = self.inner.recover(start, refill, replay, true)?;
        let Inner { queue, listeners, .. } = &*self.inner;
        let spin_us = self.inner.files.as_ref().map_or(0, |files| files.config.spin_us);
        // Before the thread looks: a closed queue with nothing in it is its end.
        queue.open();
        let threads = start_threads(writer, queue, listeners, &pool, spin_us)?;
        let drive = Drive::Thread { threads: Mutex::new(Some(threads)), pool };
        // A journal is recovered once.
        let _ = self.inner.drive.set(drive);
        Ok(recovered)
    }

    /// The same without a thread: nothing is committed but by [`Journal::commit_now`]. For worlds
    /// that decide themselves what happens when.
    ///
    /// # Errors
    /// As [`Journal::recover`].
    pub fn recover_inline(&self, replay: &mut Replay<'_>) -> Result<Recovered, OpenError> {
        self.recover_from_inline(None, &mut |_, _| Ok(()), &mut one_by_one(replay))
    }

    /// [`Journal::recover_from`] without a thread.
    ///
    /// # Errors
    /// As [`Journal::recover_from`].
    pub fn recover_from_inline(
        &self,
        start: Option<&Start>,
        refill: &mut ReplayAll<'_>,
        replay: &mut ReplayAll<'_>,
    ) -> Result<Recovered, OpenError> {
        let (writer, _, recovered) = self.inner.recover(start, refill, replay, false)?;
        let _ = self.inner.drive.set(Drive::Inline(Mutex::new(writer)));
        self.inner.queue.open();
        Ok(recovered)
    }

    /// Opens the journal of a disk at once: [`Journal::unread`], then [`Journal::recover`].
    ///
    /// # Errors
    /// As these.
    pub fn open(
        disk: Arc<dyn Disk>,
        config: &JournalConfig,
        replay: &mut Replay<'_>,
    ) -> Result<(Journal, Recovered), OpenError> {
        let journal = Journal::unread(disk, config)?;
        let recovered = journal.recover(replay)?;
        Ok((journal, recovered))
    }

    /// The same without a thread, as [`Journal::recover_inline`].
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn with_disk_inline(
        disk: Arc<dyn Disk>,
        config: &JournalConfig,
        replay: &mut Replay<'_>,
    ) -> Result<(Journal, Recovered), OpenError> {
        let journal = Journal::unread(disk, config)?;
        let recovered = journal.recover_inline(replay)?;
        Ok((journal, recovered))
    }

    /// Puts an entry behind all others. Copies it and returns; never waits for the disk.
    ///
    /// # Errors
    /// [`Full`] when `queue_max` entries wait, when the reserve is reached, and after a failure or
    /// [`Journal::close`].
    pub fn append(&self, entry: &EntryBytes) -> Result<Seq, Full> {
        self.append_as(entry, Urgency::CanWait).map(|appended| appended.seq)
    }

    /// The same for an entry that may have to go although room is scarce; tells the moment that
    /// the entry got, which is never before that of the one in front of it.
    ///
    /// # Errors
    /// [`Full`], as [`Journal::append`]; of the reserve only where it can wait.
    pub fn append_as(&self, entry: &EntryBytes, urgency: Urgency) -> Result<Appended, Full> {
        self.inner.queue.append(entry, urgency)
    }

    /// The newest entry that was appended.
    pub fn appended(&self) -> Seq {
        Seq(self.inner.queue.appended())
    }

    /// The newest entry that survives a power cut.
    pub fn durable(&self) -> Seq {
        Seq(self.inner.queue.durable())
    }

    /// The epoch of new entries: it rises when recovery cuts an end off, so that (epoch, seq)
    /// names an entry once and for all.
    pub fn epoch(&self) -> u32 {
        self.inner.epoch.load(Ordering::Acquire)
    }

    /// An entry by its number while it is among the recent ones, durable or not; without the disk.
    pub fn recent_entry(&self, seq: Seq) -> Option<EntryBytes> {
        self.inner.queue.entry(seq.0)
    }

    /// An entry by its number: a recent one, or one that is read from its segment. That takes as
    /// long as the disk takes; `None` when there is none, or it cannot be read.
    pub fn entry(&self, seq: Seq) -> Option<EntryBytes> {
        self.recent_entry(seq).or_else(|| {
            let files = self.inner.files.as_ref().filter(|_| seq <= self.durable())?;
            files.shelf.entry(seq.0)
        })
    }

    /// A place behind the newest durable entry, or behind one shortly before it; `None` in memory.
    pub fn mark(&self) -> Option<Mark> {
        self.inner.files.as_ref()?.shelf.end()
    }

    /// How many entries there are to be had at most, in memory; `None` on a disk, which keeps all.
    pub fn kept_max(&self) -> Option<u64> {
        self.inner.files.is_none().then(|| self.inner.queue.kept_max())
    }

    /// Calls `wake` once after each commit, with the newest durable entry, on the journal's
    /// thread. Whoever waits looks at [`Journal::durable`] again after it has registered. In
    /// memory mode there is nothing to wait for, and no call.
    pub fn on_commit(&self, wake: Box<dyn Fn(Seq) + Send + Sync>) {
        let mut commits = self.inner.listeners.commits.lock();
        let mut all: Vec<Commit> = commits.to_vec();
        all.push(Arc::from(wake));
        *commits = all.into();
    }

    /// Calls `told` when a write or sync has failed, at once if that has happened already. It
    /// is to end the process: nothing more will be durable.
    pub fn on_failure(&self, told: Box<dyn Fn(&JournalFailure) + Send + Sync>) {
        let listeners = &self.inner.listeners;
        let mut failures = listeners.failures.lock();
        match listeners.failure.get() {
            Some(failure) => told(failure),
            None => failures.push(told),
        }
    }

    /// The failure that ended this journal, if one has.
    pub fn failure(&self) -> Option<JournalFailure> {
        self.inner.listeners.failure.get().cloned()
    }

    /// Commits what waits, on the caller's thread, for a journal without one; gives the newest
    /// durable entry. Entries still wait after it only when there is no room for a next segment.
    ///
    /// # Errors
    /// The failure that has ended the journal, now or before.
    pub fn commit_now(&self) -> Result<Seq, JournalFailure> {
        match self.inner.drive.get() {
            Some(Drive::Inline(writer)) => self.inner.commit_inline(&mut writer.lock())?,
            Some(Drive::Memory) | None => {}
            Some(Drive::Thread { .. }) => {
                debug_assert!(false, "a journal with a thread commits itself");
            }
        }
        Ok(self.durable())
    }

    /// Takes no more entries, commits what waits, seals, syncs, and ends the threads.
    ///
    /// # Errors
    /// The failure that has ended the journal, now or before.
    pub fn close(&self) -> Result<(), JournalFailure> {
        self.inner.close()
    }
}

struct Inner {
    queue: Arc<Queue>,
    listeners: Arc<Listeners>,
    epoch: AtomicU32,
    /// None until the journal was read.
    drive: OnceLock<Drive>,
    /// None in memory.
    files: Option<Files>,
}

/// Where a journal lies and how it is kept.
struct Files {
    disk: Arc<dyn Disk>,
    config: JournalConfig,
    shelf: Arc<Shelf>,
}

/// Who turns the writer.
enum Drive {
    Inline(Mutex<Writer>),
    Memory,
    Thread { threads: Mutex<Option<Threads>>, pool: Arc<Pool> },
}

/// The threads of a journal that runs by itself.
struct Threads {
    writer: JoinHandle<()>,
    pool: JoinHandle<()>,
}

fn join(thread: JoinHandle<()>) {
    // A callback may drop the last clone: a thread does not wait for itself.
    if thread.thread().id() != current_thread().id() && thread.join().is_err() {
        tracing::error!("a thread of the journal has panicked");
    }
}

impl Inner {
    fn new(queue: Queue, files: Option<Files>) -> Inner {
        Inner {
            queue: Arc::new(queue),
            listeners: Arc::default(),
            epoch: AtomicU32::new(1),
            drive: OnceLock::new(),
            files,
        }
    }

    /// Reads the journal and makes its writer, which somebody has to drive.
    fn recover(
        &self,
        start: Option<&Start>,
        refill: &mut ReplayAll<'_>,
        replay: &mut ReplayAll<'_>,
        background: bool,
    ) -> Result<(Writer, Arc<Pool>, Recovered), OpenError> {
        let Some(Files { disk, config, shelf }) = &self.files else {
            debug_assert!(false, "a journal in memory has nothing to read");
            return Err(OpenError::NotBegun);
        };
        let into = recover::Into { queue: &self.queue, shelf, refill, replay };
        let opened = recover::open(&**disk, config, start, into)?;
        let recover::Opened { chain, active, recovered } = opened;
        self.epoch.store(recovered.epoch, Ordering::Release);
        let next = chain.segment.saturating_add(1);
        let pool = Pool::open(Arc::clone(disk), config.segment_octets, background, next)
            .map_err(|source| OpenError::Io { file: segment::POOL_FOLDER.to_owned(), source })?;
        let pool = Arc::new(pool);
        let parts = WriterParts {
            disk: Arc::clone(disk),
            pool: Arc::clone(&pool),
            shelf: Arc::clone(shelf),
            chain,
            active,
            batch_max: config.batch_max,
        };
        Ok((Writer::new(parts), pool, recovered))
    }

    fn commit_inline(&self, writer: &mut Writer) -> Result<(), JournalFailure> {
        if let Some(failure) = self.listeners.failure.get() {
            return Err(failure.clone());
        }
        let committed = |seq| self.listeners.committed(seq);
        loop {
            match writer.turn(&self.queue, &committed) {
                Ok(Turn::Committed(_)) => {}
                Ok(Turn::Dry | Turn::Waiting) => return Ok(()),
                Err(failure) => return Err(self.fail(failure)),
            }
        }
    }

    fn fail(&self, failure: JournalFailure) -> JournalFailure {
        self.queue.close();
        self.listeners.failed(failure.clone());
        failure
    }

    fn close(&self) -> Result<(), JournalFailure> {
        let was_open = self.queue.is_open();
        self.queue.close();
        match self.drive.get() {
            Some(Drive::Inline(writer)) => {
                let mut writer = writer.lock();
                self.commit_inline(&mut writer)?;
                if was_open {
                    writer.finish().map_err(|failure| self.fail(failure))?;
                }
            }
            Some(Drive::Memory) | None => {}
            Some(Drive::Thread { threads, pool }) => {
                // The writer first: it may still need a segment from the pool.
                if let Some(Threads { writer: thread, pool: pool_thread }) = threads.lock().take() {
                    join(thread);
                    pool.stop();
                    join(pool_thread);
                }
            }
        }
        self.listeners.failure.get().map_or(Ok(()), |failure| Err(failure.clone()))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Inline journals end as their world says; a dropped one has crashed.
        if let Some(Drive::Thread { .. }) = self.drive.get() {
            // A failure was told when it happened.
            let _ = self.close();
        }
    }
}

/// Told of each entry in order, with its number; it can refuse in words.
pub type Replay<'a> = dyn FnMut(Seq, &EntryBytes) -> Result<(), String> + 'a;

/// The same for the entries of a batch, with the number of the first.
pub type ReplayAll<'a> = dyn FnMut(Seq, &[EntryBytes]) -> Result<(), Senseless> + 'a;

/// An entry that was refused, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Senseless {
    /// Its number.
    pub seq: Seq,
    /// What the replay said.
    pub reason: String,
}

fn one_by_one(replay: &mut Replay<'_>) -> impl FnMut(Seq, &[EntryBytes]) -> Result<(), Senseless> {
    |first, entries| {
        for (seq, entry) in (first.0..).map(Seq).zip(entries) {
            replay(seq, entry).map_err(|reason| Senseless { seq, reason })?;
        }
        Ok(())
    }
}

type Commit = Arc<dyn Fn(Seq) + Send + Sync>;
type Failed = Box<dyn Fn(&JournalFailure) + Send + Sync>;

/// Whom the journal tells.
struct Listeners {
    commits: Mutex<Arc<[Commit]>>,
    failures: Mutex<Vec<Failed>>,
    failure: OnceLock<JournalFailure>,
}

impl Default for Listeners {
    fn default() -> Listeners {
        Listeners {
            commits: Mutex::new(Arc::new([])),
            failures: Mutex::new(Vec::new()),
            failure: OnceLock::new(),
        }
    }
}

impl Listeners {
    fn committed(&self, seq: u64) {
        // Called without the lock: a callback may register another.
        let commits = Arc::clone(&self.commits.lock());
        commits.iter().for_each(|wake| wake(Seq(seq)));
    }

    fn failed(&self, failure: JournalFailure) {
        tracing::error!(%failure);
        let told = {
            let mut failures = self.failures.lock();
            if self.failure.set(failure.clone()).is_err() {
                return;
            }
            std::mem::take(&mut *failures)
        };
        told.iter().for_each(|told| told(&failure));
    }
}

fn start_threads(
    writer: Writer,
    queue: &Arc<Queue>,
    listeners: &Arc<Listeners>,
    pool: &Arc<Pool>,
    spin_us: u32,
) -> Result<Threads, OpenError> {
    let pool_thread = {
        let pool = Arc::clone(pool);
        let name = ThreadBuilder::new().name("cekr-segments".to_owned());
        name.spawn(move || pool.run()).map_err(OpenError::Thread)?
    };
    let writer_thread = {
        let queue = Arc::clone(queue);
        let listeners = Arc::clone(listeners);
        let name = ThreadBuilder::new().name("cekr-journal".to_owned());
        let spawned = name.spawn(move || thread::run(writer, &queue, &listeners, spin_us));
        spawned.inspect_err(|_| pool.stop()).map_err(OpenError::Thread)?
    };
    queue.wake_by(writer_thread.thread().clone());
    Ok(Threads { writer: writer_thread, pool: pool_thread })
}

impl JournalConfig {
    fn check(&self) -> Result<(), OpenError> {
        let octets = self.segment_octets;
        if !octets.is_power_of_two() || !(SEGMENT_OCTETS_MIN..=SEGMENT_OCTETS_MAX).contains(&octets)
        {
            let reason = "must be a power of two from 4096 to 1073741824";
            return Err(OpenError::Config { setting: "segment_octets", reason });
        }
        if self.queue_max == 0 {
            return Err(OpenError::Config { setting: "queue_max", reason: "must be at least 1" });
        }
        Ok(())
    }
}

/// The file of a segment, below the data directory.
pub(crate) fn segment_file(segment: u32) -> String {
    segment::name(segment)
}

const SEGMENT_OCTETS_MIN: u64 = 1 << batch::SEGMENT_LOG2_MIN;
const SEGMENT_OCTETS_MAX: u64 = 1 << batch::SEGMENT_LOG2_MAX;

#[cfg(test)]
mod tests;
