//! The writer: one turn takes what waits, writes it as a batch, syncs, and says so.
//!
//! A state machine without thread or clock. [`thread`](super::thread) turns it for a serving
//! switch; a simulated world turns it by hand.

use std::io;

use super::batch::{BATCH_ENTRIES_MAX, Chain, Draft, Header, Kind};
use super::queue::Queue;
use super::segment::{self, Pool};
use super::shelf::Shelf;
use super::{FailedAction, JournalFailure};
use crate::disk::{Disk, DiskFile};
use crate::planted::{self, Fault};
use crate::sync::Arc;

pub(super) struct Writer {
    disk: Arc<dyn Disk>,
    pool: Arc<Pool>,
    shelf: Arc<Shelf>,
    chain: Chain,
    active: Arc<dyn DiskFile>,
    draft: Draft,
    batch_max: usize,
    /// Whether it was told that there is no room: it looks a thousand times a second.
    lacks_room: bool,
}

/// What a writer is made of.
pub(super) struct WriterParts {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) pool: Arc<Pool>,
    pub(super) shelf: Arc<Shelf>,
    pub(super) chain: Chain,
    pub(super) active: Arc<dyn DiskFile>,
    pub(super) batch_max: usize,
}

/// What one turn did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Turn {
    /// Entries up to this number became durable.
    Committed(u64),
    /// Nothing waits, and the last batch is sealed.
    Dry,
    /// Entries wait for the next segment, which is not ready.
    Waiting,
}

impl Writer {
    pub(super) fn new(parts: WriterParts) -> Writer {
        let WriterParts { disk, pool, shelf, chain, active, batch_max } = parts;
        let batch_max = batch_max.clamp(1, BATCH_ENTRIES_MAX);
        Writer {
            disk,
            pool,
            shelf,
            chain,
            active,
            draft: Draft::new(),
            batch_max,
            lacks_room: false,
        }
    }

    /// Commits one batch, if anything waits; else seals the last one.
    ///
    /// `committed` is told as soon as the batch is durable.
    ///
    /// # Errors
    /// Final: of what was written since the last sync nothing is known, and no later sync would
    /// tell.
    pub(super) fn turn(
        &mut self,
        queue: &Queue,
        committed: &dyn Fn(u64),
    ) -> Result<Turn, JournalFailure> {
        let waiting = queue.waiting();
        if waiting == 0 {
            self.seal()?;
            // Who was refused for want of room has woken us to look again.
            queue.set_room(self.room());
            return Ok(Turn::Dry);
        }
        if self.chain.room_entries() == 0 && !self.roll()? {
            queue.set_room(self.room());
            return Ok(Turn::Waiting);
        }
        let count = waiting.min(self.chain.room_entries()).min(self.batch_max);
        queue.copy_waiting(count, self.draft.restart());
        let Some(header) = self.draft.complete(&self.chain) else {
            debug_assert!(false, "a draft has room for its header");
            return Ok(Turn::Waiting);
        };
        if planted::is(Fault::AckBeforeSync) {
            // The sync of what was acknowledged a batch ago.
            self.sync()?;
        }
        self.write(self.draft.octets())?;
        if !planted::is(Fault::AckBeforeSync) {
            self.sync()?;
        }
        let durable = header.first_seq.saturating_add(u64::from(header.count)).saturating_sub(1);
        // Before anybody can hear that they are durable, and ask for them.
        self.shelf.note(&header, self.chain.offset);
        queue.commit(durable);
        committed(durable);
        // The hash that names this batch is made while its answers are already on their way.
        self.chain.advance(&header, self.draft.octets());
        self.shelf.set_end(&self.chain);
        queue.set_room(self.room());
        Ok(Turn::Committed(durable))
    }

    /// Octets that are left for entries, while no more can be prepared.
    fn room(&self) -> Option<u64> {
        let left = self.chain.segment_octets().saturating_sub(self.chain.offset);
        (self.pool.is_failing() || self.lacks_room).then_some(left)
    }

    /// Seals and syncs: what lies on disk is then all there will be.
    ///
    /// # Errors
    /// As [`Writer::turn`].
    pub(super) fn finish(&mut self) -> Result<(), JournalFailure> {
        self.seal()?;
        self.sync()
    }

    /// The failure of a journal that is to end while entries wait for room.
    pub(super) fn no_room(&self) -> JournalFailure {
        let error = io::Error::from(io::ErrorKind::StorageFull);
        failure(FailedAction::MakeRoom, &segment::name(self.chain.segment), error)
    }

    /// Appends an empty batch, unless the last one is empty. It is not synced for itself: the
    /// next batch's sync covers it, and if it is lost until then, recovery knows every octet that
    /// must have been there.
    fn seal(&mut self) -> Result<(), JournalFailure> {
        if self.chain.sealed || !self.chain.has_room_for_seal() {
            return Ok(());
        }
        self.write_empty(Kind::Seal)
    }

    /// Closes the active segment and goes on in the next; `false` while that one is not ready.
    fn roll(&mut self) -> Result<bool, JournalFailure> {
        let next = self.chain.segment.saturating_add(1);
        let name = segment::name(next);
        // Nothing up to the rename is final: the segment that is full stays as it is.
        let opened = match self.pool.ready() {
            Ok(None) => return Ok(false),
            Ok(Some(spare)) => self.disk.open(spare).and_then(|file| {
                let octets = file.len()?;
                self.disk.rename(spare, &name)?;
                Ok((file, octets))
            }),
            Err(error) => Err(error),
        };
        let (file, octets) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                if !std::mem::replace(&mut self.lacks_room, true) {
                    tracing::warn!(%error, segment = next, "the journal has no room for now");
                }
                return Ok(false);
            }
        };
        self.lacks_room = false;
        self.pool.taken(next.saturating_add(1));
        for folder in [segment::POOL_FOLDER, segment::FOLDER] {
            let failed = |error| failure(FailedAction::SyncFolder, folder, error);
            self.disk.sync_dir(folder).map_err(failed)?;
        }
        // The closing batch says that the next segment is there. It is durable before the first
        // octet of that segment is, so losing either file is seen.
        self.write_empty(Kind::Close)?;
        self.sync_segment(next.saturating_sub(1))?;
        self.chain.enter(octets);
        self.active = file;
        Ok(true)
    }

    fn write_empty(&mut self, kind: Kind) -> Result<(), JournalFailure> {
        let (header, octets): (Header, _) = self.chain.empty_batch(kind);
        self.write(&octets)?;
        self.chain.advance(&header, &octets);
        Ok(())
    }

    fn write(&self, octets: &[u8]) -> Result<(), JournalFailure> {
        self.active.write_at(self.chain.offset, octets).map_err(|error| {
            failure(FailedAction::Write, &segment::name(self.chain.segment), error)
        })
    }

    fn sync(&self) -> Result<(), JournalFailure> {
        self.sync_segment(self.chain.segment)
    }

    /// Syncs the active file, which is that of `segment`.
    fn sync_segment(&self, segment: u32) -> Result<(), JournalFailure> {
        let failed = |error| failure(FailedAction::Sync, &segment::name(segment), error);
        self.active.sync_data().map_err(failed)
    }
}

fn failure(action: FailedAction, file: &str, error: io::Error) -> JournalFailure {
    JournalFailure { action, file: file.to_owned(), kind: error.kind(), message: error.to_string() }
}
