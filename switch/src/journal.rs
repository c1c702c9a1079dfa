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
mod queue;
mod read;
mod recent;
mod recover;
mod segment;
mod simulated;
mod thread;
mod walk;
mod writer;

use std::fmt;
use std::io;

pub use cekr_issuer::{EntryBytes, Seq};
pub use cut::{Behind, CutAway, CutError, CutMay, Place, behind, cut, segment_of};
pub use read::{ReadEnd, read};
pub(crate) use recover::{KEYS_NAME, UNBORN_FOLDER};
pub(crate) use segment::FOLDER as JOURNAL_FOLDER;
pub use simulated::{Faults, SimDisk};

use crate::disk::Disk;
use crate::sync::{Arc, JoinHandle, Mutex, OnceLock, ThreadBuilder, current_thread};
use queue::{Pending, Queue};
use recent::Recent;
use segment::Pool;
use writer::{Turn, Writer};

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

/// What opening found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Recovered {
    /// The journal was made now.
    pub created: bool,
    /// Entries replayed.
    pub entries: u64,
    /// The newest of them.
    pub last: Seq,
    /// The epoch that new entries get.
    pub epoch: u32,
    /// Segments read.
    pub segments: u32,
    /// What was cut off the end.
    pub cut: Option<Cut>,
    /// A seal was lost in a power cut, and the batch behind it was not.
    pub seal_rebuilt: bool,
}

/// A torn end that was cut off: a batch that no answer had waited for to the end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cut {
    /// The segment's file.
    pub file: String,
    /// Where the cut begins, in octets.
    pub offset: u64,
    /// Octets cut, up to the last that was not zero.
    pub octets: u64,
    /// Octets by which the file was shorter than it had been made. No crash does that: a copy
    /// was cut short.
    pub missing_octets: u64,
    /// Entries that the torn batch says it held; 0 when its header cannot be read.
    pub entries: u32,
}

/// Why a journal cannot be opened. Nothing was changed, except after [`OpenError::Io`].
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A setting is out of its range.
    #[error("{setting}: {reason}")]
    Config {
        /// The setting's name.
        setting: &'static str,
        /// Its range, in words.
        reason: &'static str,
    },
    /// What was durable once cannot be read, and it is not the torn end of a crash.
    #[error("{file} is damaged at offset {offset}: {cause}; nothing was changed")]
    Damaged {
        /// The segment's file.
        file: String,
        /// Where, in octets.
        offset: u64,
        /// What is wrong.
        cause: Damage,
    },
    /// A batch of another journal.
    #[error(
        "{file} belongs to another journal (offset {offset}); put back this directory's own \
         file, or give the other journal its own --data"
    )]
    Foreign {
        /// The segment's file.
        file: String,
        /// Where, in octets.
        offset: u64,
    },
    /// The disk refused.
    #[error("{file}: {source}")]
    Io {
        /// The file or folder.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// The directory has keys and no journal.
    #[error(
        "the directory has been in use, but its folder `journal` is gone; put it back, or start \
         in an empty directory"
    )]
    Missing,
    /// Written by a newer program.
    #[error("{file} has journal format {version}; this program reads up to format 1")]
    Newer {
        /// The segment's file.
        file: String,
        /// Its version.
        version: u8,
    },
    /// No journal has begun in the directory.
    #[error("there is no journal here")]
    NotBegun,
    /// The journal's folder holds something else.
    #[error("{file} is no journal segment; move it away")]
    NotASegment {
        /// The file.
        file: String,
    },
    /// An entry was read whole and refused by what it was replayed into.
    #[error("entry {seq} cannot be replayed: {reason}")]
    Replay {
        /// The entry.
        seq: Seq,
        /// What the replay said.
        reason: String,
    },
    /// The system gave no thread.
    #[error("the journal's thread cannot be started: {0}")]
    Thread(io::Error),
}

impl OpenError {
    /// The segment's file and the octet in it, where the error has a place.
    #[must_use]
    pub fn place(&self) -> Option<(&str, u64)> {
        match self {
            OpenError::Damaged { file, offset, .. } | OpenError::Foreign { file, offset } => {
                Some((file, *offset))
            }
            OpenError::Newer { file, .. } => Some((file, 0)),
            OpenError::Config { .. }
            | OpenError::Io { .. }
            | OpenError::Missing
            | OpenError::NotASegment { .. }
            | OpenError::NotBegun
            | OpenError::Replay { .. }
            | OpenError::Thread(_) => None,
        }
    }
}

/// What is wrong with a damaged journal.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Damage {
    /// The chain stops, but not at the end.
    #[error(
        "what stands here is no whole batch, but one follows at offset {whole_offset} of \
         {whole_file}"
    )]
    Broken {
        /// Where a whole batch was found.
        whole_file: String,
        /// Where in it, in octets.
        whole_offset: u64,
    },
    /// A seal is missing between batches that were both durable.
    #[error("a seal is missing here, and batches that were written later follow")]
    LostSeal,
    /// A whole batch that does not follow on the one before it.
    #[error("a whole batch that does not belong here: repeated, moved, or from an older copy")]
    Misplaced,
    /// A segment that must be there is not.
    #[error("this segment is missing")]
    MissingSegment,
    /// The first batch of all is not there.
    #[error("the journal's first batch is not there")]
    NoFirstBatch,
}

/// A write or sync that failed. The journal takes and acknowledges nothing more.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "the journal has failed: {action} {file}: {message}; nothing later is acknowledged, and \
     nothing is tried again"
)]
pub struct JournalFailure {
    /// What was tried.
    pub action: FailedAction,
    /// On which file or folder.
    pub file: String,
    /// The kind of error.
    pub kind: io::ErrorKind,
    /// What the system said.
    pub message: String,
}

/// What was tried when a journal failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FailedAction {
    /// Finding room for what still waited at a clean stop.
    MakeRoom,
    /// Making written octets durable.
    Sync,
    /// Making durable which files a folder holds.
    SyncFolder,
    /// Writing a batch.
    Write,
}

impl fmt::Display for FailedAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FailedAction::MakeRoom => "making room behind",
            FailedAction::Sync => "sync of",
            FailedAction::SyncFolder => "sync of folder",
            FailedAction::Write => "write to",
        })
    }
}

impl Journal {
    /// A journal that keeps recent entries in memory and nothing on disk: an entry counts as
    /// durable when it is appended.
    pub fn memory(config: &JournalConfig) -> Journal {
        let queue = Arc::new(Queue::new(Recent::new(config.recent_max), Pending::None));
        let listeners = Arc::new(Listeners::default());
        Journal { inner: Arc::new(Inner { queue, listeners, epoch: 1, drive: Drive::Memory }) }
    }

    /// Opens the journal of a disk, making it where there is none, and starts its writer.
    ///
    /// `replay` is told of every entry in order, before anything else happens.
    ///
    /// # Errors
    /// [`OpenError`], with the file and the place; nothing was changed, except when the disk
    /// itself refused.
    pub fn open(
        disk: Arc<dyn Disk>,
        config: &JournalConfig,
        replay: &mut dyn FnMut(Seq, &EntryBytes) -> Result<(), String>,
    ) -> Result<(Journal, Recovered), OpenError> {
        let Parts { queue, writer, pool, recovered } = parts(disk, config, replay, true)?;
        let listeners = Arc::new(Listeners::default());
        let threads = start(writer, &queue, &listeners, &pool, config.spin_us)?;
        let drive = Drive::Thread { threads: Mutex::new(Some(threads)), pool };
        let inner = Inner { queue, listeners, epoch: recovered.epoch, drive };
        Ok((Journal { inner: Arc::new(inner) }, recovered))
    }

    /// The same journal without a thread: nothing is committed but by [`Journal::commit_now`].
    /// For worlds that decide themselves what happens when.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn with_disk_inline(
        disk: Arc<dyn Disk>,
        config: &JournalConfig,
        replay: &mut dyn FnMut(Seq, &EntryBytes) -> Result<(), String>,
    ) -> Result<(Journal, Recovered), OpenError> {
        let Parts { queue, writer, recovered, .. } = parts(disk, config, replay, false)?;
        let listeners = Arc::new(Listeners::default());
        let drive = Drive::Inline(Mutex::new(writer));
        let inner = Inner { queue, listeners, epoch: recovered.epoch, drive };
        Ok((Journal { inner: Arc::new(inner) }, recovered))
    }

    /// Puts an entry behind all others. Copies it and returns; never waits for the disk.
    ///
    /// # Errors
    /// [`Full`] when `queue_max` entries wait, and after a failure or [`Journal::close`].
    pub fn append(&self, entry: &EntryBytes) -> Result<Seq, Full> {
        self.inner.queue.append(entry).map(Seq)
    }

    /// Puts two entries behind all others, with nothing between them, or neither. `make` gets the
    /// number of the first, which is returned as well.
    ///
    /// # Errors
    /// [`Full`], as [`Journal::append`].
    pub fn append_two(&self, make: impl FnOnce(Seq) -> [EntryBytes; 2]) -> Result<Seq, Full> {
        self.inner.queue.append_two(|first| make(Seq(first))).map(Seq)
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
        self.inner.epoch
    }

    /// An entry by its number, while it is among the recent ones; durable or not.
    pub fn entry(&self, seq: Seq) -> Option<EntryBytes> {
        self.inner.queue.entry(seq.0)
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
        match &self.inner.drive {
            Drive::Inline(writer) => self.inner.commit_inline(&mut writer.lock())?,
            Drive::Memory => {}
            Drive::Thread { .. } => debug_assert!(false, "a journal with a thread commits itself"),
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
    epoch: u32,
    drive: Drive,
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
        match &self.drive {
            Drive::Inline(writer) => {
                let mut writer = writer.lock();
                self.commit_inline(&mut writer)?;
                if was_open {
                    writer.finish().map_err(|failure| self.fail(failure))?;
                }
            }
            Drive::Memory => {}
            Drive::Thread { threads, pool } => {
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
        if let Drive::Thread { .. } = self.drive {
            // A failure was told when it happened.
            let _ = self.close();
        }
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

/// An opened journal before somebody drives it.
struct Parts {
    queue: Arc<Queue>,
    writer: Writer,
    pool: Arc<Pool>,
    recovered: Recovered,
}

fn parts(
    disk: Arc<dyn Disk>,
    config: &JournalConfig,
    replay: &mut dyn FnMut(Seq, &EntryBytes) -> Result<(), String>,
    background: bool,
) -> Result<Parts, OpenError> {
    config.check()?;
    let opened = recover::open(&*disk, config, replay)?;
    let recover::Opened { chain, active, recent, recovered } = opened;
    let next = chain.segment.saturating_add(1);
    let pool = Pool::open(Arc::clone(&disk), config.segment_octets, background, next)
        .map_err(|source| OpenError::Io { file: segment::POOL_FOLDER.to_owned(), source })?;
    let pool = Arc::new(pool);
    let writer = Writer::new(disk, Arc::clone(&pool), chain, active, config.batch_max);
    let pending = Pending::UpTo(config.queue_max as u64);
    let queue = Arc::new(Queue::new(recent, pending));
    Ok(Parts { queue, writer, pool, recovered })
}

fn start(
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

const SEGMENT_OCTETS_MIN: u64 = 1 << batch::SEGMENT_LOG2_MIN;
const SEGMENT_OCTETS_MAX: u64 = 1 << batch::SEGMENT_LOG2_MAX;

#[cfg(test)]
mod tests;
