//! Checkpoints: the state of a shard on disk, so that a start replays only what came after.
//!
//! One is taken while the switch runs, card by card under its lock, each as of its own last entry.
//! It carries a place in the journal: every entry in front of it is in the checkpoint, and of
//! those behind it each card tells which ones it has. It gets its name only when every entry that
//! may be in it is durable, or a power cut could leave a state that the journal knows nothing of.
//!
//! Two are kept. A start takes the newest that is whole and that the journal bears out, else the
//! one before, else it replays everything. Answers are not in it: they are read from the journal
//! again, as far back as they are kept.
//!
//! A checkpoint is a help and never a source: whatever fails while one is taken is said in the
//! log, and tried again later.

mod file;

use std::io;

use crate::disk::Disk;
use crate::journal::{Mark, OpenError, Seq, Start};
use crate::planted::{self, Fault};
use crate::shard::Shard;
use crate::shard::state::{self, StateError};
use crate::sync::Arc;
pub(crate) use file::Record;
use file::{FileError, FileWriter, Trailer};

/// A checkpoint in the making; its owner steps it and paces it.
pub struct Taking {
    disk: Arc<dyn Disk>,
    writer: FileWriter,
    mark: Mark,
    /// Cards when it began: those that came later are behind the mark.
    cards: u32,
    next_card: u32,
    unsynced_octets: usize,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Cards,
    Rest,
    /// All is written; it waits for the journal.
    Written {
        highest: Seq,
    },
    Done,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// It has its name, and is as durable as the journal.
    Done,
    /// It is written and waits until the entries up to this one are durable.
    Waits(Seq),
    /// There is more to do.
    Working,
}

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file is not whole.
    #[error("{name}: {reason}")]
    File {
        /// The file.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// The file is whole and makes no sense.
    #[error("{name}: {cause}")]
    State {
        /// The file.
        name: String,
        /// What does not.
        cause: StateError,
    },
}

impl Taking {
    /// Begins a checkpoint; `None` where the journal is in memory, or nothing came since the
    /// newest one.
    ///
    /// # Errors
    /// What the disk says.
    pub fn begin(disk: Arc<dyn Disk>, shard: &Shard) -> io::Result<Option<Taking>> {
        // The place first: whatever is in front of it has been applied when a card is looked at,
        // for an entry is applied under the lock under which it was appended.
        let Some(mark) = shard.journal().mark() else {
            return Ok(None);
        };
        if newest_first(&*disk)?.first().is_some_and(|newest| *newest >= mark.seq()) {
            return Ok(None);
        }
        disk.create_dir(FOLDER)?;
        disk.sync_dir("")?;
        if disk.exists(MAKING_NAME)? {
            disk.remove(MAKING_NAME)?;
        }
        let writer = FileWriter::create(&*disk, MAKING_NAME, &mark)?;
        let cards = shard.card_count_settled();
        let (next_card, unsynced_octets, stage) = (0, 0, Stage::Cards);
        Ok(Some(Taking { disk, writer, mark, cards, next_card, unsynced_octets, stage }))
    }

    /// Does a little: some cards, a write, or a look at the journal.
    ///
    /// # Errors
    /// What the disk says; then this one is to be given up.
    pub fn step(&mut self, shard: &Shard) -> io::Result<Step> {
        match self.stage {
            Stage::Cards => {
                self.take_cards(shard);
                self.write_block()?;
                if self.next_card == self.cards {
                    self.stage = Stage::Rest;
                }
                Ok(Step::Working)
            }
            Stage::Rest => {
                self.take_rest(shard)?;
                Ok(Step::Working)
            }
            Stage::Written { highest } => {
                if shard.journal().durable() < highest {
                    return Ok(Step::Waits(highest));
                }
                self.publish()?;
                self.stage = Stage::Done;
                Ok(Step::Done)
            }
            Stage::Done => Ok(Step::Done),
        }
    }

    fn take_cards(&mut self, shard: &Shard) {
        let mut octets = Vec::new();
        while self.next_card < self.cards && self.writer.block_octets() < BLOCK_OCTETS {
            octets.clear();
            if let Some(kind) = shard.write_card(self.next_card, &mut octets) {
                self.writer.add((kind, &octets));
            }
            self.next_card += 1;
        }
    }

    fn take_rest(&mut self, shard: &Shard) -> io::Result<()> {
        let mut blocks = Ok(());
        let writer = &mut self.writer;
        shard.write_rest(self.mark.seq(), &mut |record| {
            writer.add(record);
            if blocks.is_ok() && writer.block_octets() >= BLOCK_OCTETS {
                blocks = writer.write_block();
            }
        });
        blocks?;
        // All that was looked at was appended before now.
        let journal = shard.journal();
        let is_ahead = planted::is(Fault::CheckpointAhead);
        let highest = if is_ahead { journal.durable() } else { journal.appended() };
        let (epoch, newest_at) = (journal.epoch(), shard.last_at());
        self.writer.finish(Trailer { highest, epoch, newest_at, records: 0 })?;
        self.stage = Stage::Written { highest };
        Ok(())
    }

    /// Syncs from time to time: one long write-back would stall the journal's own syncs.
    fn write_block(&mut self) -> io::Result<()> {
        self.unsynced_octets += self.writer.block_octets();
        self.writer.write_block()?;
        if self.unsynced_octets >= UNSYNCED_OCTETS {
            self.unsynced_octets = 0;
            self.writer.sync()?;
        }
        Ok(())
    }

    /// Gives it its name, and takes away those that are older than the one before.
    fn publish(&self) -> io::Result<()> {
        self.disk.rename(MAKING_NAME, &name(self.mark.seq()))?;
        self.disk.sync_dir(FOLDER)?;
        for old in newest_first(&*self.disk)?.into_iter().skip(KEPT) {
            self.disk.remove(&name(old))?;
        }
        self.disk.sync_dir(FOLDER)
    }
}

/// Takes checkpoints when they are due, in steps that its owner paces.
pub struct Keeper {
    disk: Arc<dyn Disk>,
    /// Entries between two checkpoints; 0 takes none.
    every: u64,
    /// The entry in front of the newest one's mark.
    newest: Seq,
    taking: Option<Taking>,
}

/// What a keeper wants next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pace {
    /// Nothing for now.
    Rest,
    /// The next step, after a short pause.
    GoOn,
}

impl Keeper {
    /// A keeper of a directory whose newest checkpoint is behind the entry `newest`.
    pub fn new(disk: Arc<dyn Disk>, every: u64, newest: Seq) -> Keeper {
        Keeper { disk, every, newest, taking: None }
    }

    /// Begins one if it is due, or goes on with the one that has begun. A fault of the disk gives
    /// it up; the next is due after as many entries again.
    pub fn turn(&mut self, shard: &Shard) -> Pace {
        self.try_turn(shard).unwrap_or_else(|error| {
            tracing::warn!(%error, "a checkpoint was given up; the next start reads more");
            self.taking = None;
            self.newest = shard.journal().durable();
            Pace::Rest
        })
    }

    fn try_turn(&mut self, shard: &Shard) -> io::Result<Pace> {
        let Some(taking) = &mut self.taking else {
            let came = shard.journal().durable().0.saturating_sub(self.newest.0);
            if self.every > 0 && came >= self.every {
                self.taking = Taking::begin(Arc::clone(&self.disk), shard)?;
            }
            return Ok(if self.taking.is_some() { Pace::GoOn } else { Pace::Rest });
        };
        match taking.step(shard)? {
            Step::Working => Ok(Pace::GoOn),
            Step::Waits(_) => Ok(Pace::Rest),
            Step::Done => {
                self.newest = taking.mark.seq();
                tracing::info!(seq = %self.newest, "a checkpoint was taken");
                self.taking = None;
                Ok(Pace::Rest)
            }
        }
    }
}

/// The checkpoints of a directory by the entry in front of their mark, newest first.
///
/// # Errors
/// What the disk says.
pub fn newest_first(disk: &dyn Disk) -> io::Result<Vec<Seq>> {
    if !disk.exists(FOLDER)? {
        return Ok(Vec::new());
    }
    let mut all: Vec<Seq> = disk.list(FOLDER)?.iter().filter_map(|file| number(file)).collect();
    all.sort_unstable_by(|left, right| right.cmp(left));
    Ok(all)
}

/// Puts the state of a checkpoint into an empty shard, and tells from where the journal is to be
/// replayed. After an error the shard is worth nothing.
///
/// # Errors
/// [`LoadError`].
pub fn load(disk: &dyn Disk, seq: Seq, shard: &Shard, back_max: u64) -> Result<Start, LoadError> {
    let name = name(seq);
    let broken =
        |error: FileError| LoadError::File { name: name.clone(), reason: error.to_string() };
    // Once over it before anything of it is believed: memory is twice as fast as regret.
    let (mark, trailer) = file::read(disk, &name, &mut |_| Ok(())).map_err(broken)?;
    if mark.journal_id() != shard.keyring().journal_id() {
        let reason = "it belongs to another journal".to_owned();
        return Err(LoadError::File { name, reason });
    }
    let mut senseless = None;
    let read = file::read(disk, &name, &mut |record| {
        shard.read_record(record).map_err(|cause| {
            senseless = Some(cause);
            FileError::Damaged(0)
        })
    });
    if let Some(cause) = senseless {
        return Err(LoadError::State { name, cause });
    }
    read.map_err(broken)?;
    shard.not_before_ms(trailer.newest_at);
    Ok(start(mark, trailer, back_max))
}

/// From where a whole checkpoint would start; it is read and put nowhere.
///
/// # Errors
/// [`LoadError`].
pub fn look(disk: &dyn Disk, seq: Seq) -> Result<Start, LoadError> {
    look_at(disk, seq, &mut |_| {})
}

/// The same; `tell` gets the ordinal and the sealed number of every card.
///
/// # Errors
/// [`LoadError`].
pub fn look_at(
    disk: &dyn Disk,
    seq: Seq,
    tell: &mut dyn FnMut((u32, [u8; 24])),
) -> Result<Start, LoadError> {
    let name = name(seq);
    let read = file::read(disk, &name, &mut |record| {
        if let Some(card) = state::sealed_number(record) {
            tell(card);
        }
        Ok(())
    });
    match read {
        Ok((mark, trailer)) => Ok(start(mark, trailer, 0)),
        Err(error) => Err(LoadError::File { name, reason: error.to_string() }),
    }
}

fn start(mark: Mark, trailer: Trailer, back_max: u64) -> Start {
    Start {
        mark,
        highest: trailer.highest,
        epoch: trailer.epoch,
        back_max,
        back_to_ms: trailer.newest_at.saturating_sub(ANSWERS_KEPT_MS),
    }
}

/// Whether another checkpoint may do where this one does not.
#[must_use]
pub fn is_refused(error: &OpenError) -> bool {
    matches!(error, OpenError::NoStart { .. })
}

fn name(seq: Seq) -> String {
    format!("{FOLDER}/{seq}{SUFFIX}")
}

fn number(file: &str) -> Option<Seq> {
    let digits = file.strip_suffix(SUFFIX)?;
    let seq = Seq(digits.parse().ok()?);
    (seq.to_string() == digits).then_some(seq)
}

/// Where checkpoints are.
pub const FOLDER: &str = "checkpoint";
const SUFFIX: &str = ".ckp";
const MAKING_NAME: &str = "checkpoint/making";
/// The newest, and the one before it in case the newest does not do.
const KEPT: usize = 2;
/// Octets of records after which a block is written.
const BLOCK_OCTETS: usize = 64 << 10;
/// Octets between two syncs.
const UNSYNCED_OCTETS: usize = 1 << 20;
/// How far back answers are read again.
const ANSWERS_KEPT_MS: u64 = 24 * 60 * 60 * 1_000;

#[cfg(test)]
mod tests;
