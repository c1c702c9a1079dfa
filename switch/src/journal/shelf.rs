//! The shelf: where in the segments an entry stands that has left the ring of recent ones.
//!
//! A mark for each eighth of a mebibyte says which entry stands there first; from the mark on,
//! batches are read until the one with the entry. So an entry costs a look at 128 KiB and one
//! batch at the most, and its checksums are checked once more. Whoever reads in order goes on
//! where the last look ended.

use super::batch::{Header, Kind};
use super::walk::Pieces;
use super::{EntryBytes, JournalId};
use crate::disk::Disk;
use crate::sync::{Arc, Mutex};

pub(super) struct Shelf {
    disk: Arc<dyn Disk>,
    journal: JournalId,
    /// In the order of their entries. Locked for moments: the writer waits here too.
    marks: Mutex<Vec<Mark>>,
    /// Locked while the disk is read.
    hand: Mutex<Option<Hand>>,
}

/// A batch of entries and its place.
#[derive(Clone, Copy)]
struct Mark {
    first_seq: u64,
    segment: u32,
    offset: u64,
}

/// A segment that is open, and where in it the last look ended.
struct Hand {
    pieces: Pieces,
    at: Mark,
}

impl Shelf {
    pub(super) fn new(disk: Arc<dyn Disk>, journal: JournalId) -> Shelf {
        Shelf { disk, journal, marks: Mutex::default(), hand: Mutex::default() }
    }

    /// A batch is durable at `offset` of its segment. Told of every batch in order.
    pub(super) fn note(&self, header: &Header, offset: u64) {
        if header.kind != Kind::Entries {
            return;
        }
        let mut marks = self.marks.lock();
        let is_near = marks.last().is_some_and(|last| {
            last.segment == header.segment && offset < last.offset.saturating_add(MARK_OCTETS)
        });
        if !is_near {
            let Header { first_seq, segment, .. } = *header;
            marks.push(Mark { first_seq, segment, offset });
        }
    }

    /// The entry of that number, which is durable.
    pub(super) fn entry(&self, seq: u64) -> Option<EntryBytes> {
        let mark = {
            let marks = self.marks.lock();
            let behind = marks.partition_point(|mark| mark.first_seq <= seq);
            *marks.get(behind.checked_sub(1)?)?
        };
        let mut hand = self.hand.lock();
        let goes_on = hand.as_ref().is_some_and(|hand| {
            hand.at.segment == mark.segment && (mark.first_seq..=seq).contains(&hand.at.first_seq)
        });
        if !goes_on {
            let pieces = Pieces::open_small(&*self.disk, mark.segment).ok()?;
            *hand = Some(Hand { pieces, at: mark });
        }
        let found = hand.as_mut()?.entry(seq, self.journal);
        if found.is_none() {
            *hand = None;
        }
        found
    }
}

impl Hand {
    /// Looks from where it is up to the batch with `seq`.
    fn entry(&mut self, seq: u64, journal: JournalId) -> Option<EntryBytes> {
        // The octets may have been read before the batch was written.
        let mut is_fresh = false;
        loop {
            let Ok(batch) = self.pieces.batch_at(self.at.offset, journal).ok()? else {
                if is_fresh {
                    return None;
                }
                self.pieces.forget();
                is_fresh = true;
                continue;
            };
            let within = usize::try_from(seq.checked_sub(batch.header.first_seq)?).ok()?;
            if let Some(entry) = batch.entries.get(within) {
                self.at.first_seq = batch.header.first_seq;
                return Some(*entry);
            }
            let behind = batch.header.first_seq.saturating_add(u64::from(batch.header.count));
            self.at.first_seq = behind;
            self.at.offset = self.at.offset.saturating_add(batch.octets.len() as u64);
        }
    }
}

/// Octets between two marks.
const MARK_OCTETS: u64 = 128 << 10;
