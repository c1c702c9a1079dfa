//! The shelf: where in the segments an entry stands that has left the ring of recent ones.
//!
//! A mark for each eighth of a mebibyte says which entry stands there first; from the mark on,
//! batches are read until the one with the entry. So an entry costs a look at 128 KiB and one
//! batch at the most, and its checksums are checked once more. Of segments that a start had no
//! need to read, only the beginning is marked; the first look into one marks the rest on its way.
//! Whoever reads in order goes on where the last look ended.

use std::collections::BTreeMap;

use super::batch::{Chain, HEADER_OCTETS, Header, Kind};
use super::walk::Pieces;
use super::{ENTRY_OCTETS, EntryBytes, JournalId, Mark};
use crate::disk::Disk;
use crate::sync::{Arc, Mutex};

pub(super) struct Shelf {
    disk: Arc<dyn Disk>,
    journal: JournalId,
    /// Where entries begin, by their numbers. Locked for moments: the writer waits here too.
    spots: Mutex<BTreeMap<u64, Spot>>,
    /// Locked while the disk is read.
    hand: Mutex<Option<Hand>>,
    /// Behind the newest durable entry.
    end: Mutex<Option<Mark>>,
}

/// Where a batch begins.
#[derive(Clone, Copy)]
struct Spot {
    segment: u32,
    offset: u64,
}

/// A segment that is open, and where in it the last look ended.
struct Hand {
    pieces: Pieces,
    spot: Spot,
    /// The first entry that may stand there.
    first_seq: u64,
    /// How many entries stand there for certain: the batch was found whole.
    count: u64,
}

impl Shelf {
    pub(super) fn new(disk: Arc<dyn Disk>, journal: JournalId) -> Shelf {
        let (spots, hand, end) = (Mutex::default(), Mutex::default(), Mutex::default());
        Shelf { disk, journal, spots, hand, end }
    }

    /// The chain stands here, and all before it is durable.
    pub(super) fn set_end(&self, chain: &Chain) {
        *self.end.lock() = Some(Mark(chain.clone()));
    }

    /// Behind the newest durable entry, or behind one shortly before it.
    pub(super) fn end(&self) -> Option<Mark> {
        self.end.lock().clone()
    }

    /// The batches of a segment begin with the entry of that number.
    pub(super) fn note_segment(&self, first_seq: u64, segment: u32) {
        self.spots.lock().entry(first_seq).or_insert(Spot { segment, offset: 0 });
    }

    /// A batch is durable at `offset` of its segment.
    pub(super) fn note(&self, header: &Header, offset: u64) {
        if header.kind != Kind::Entries {
            return;
        }
        let Header { first_seq, segment, .. } = *header;
        let mut spots = self.spots.lock();
        let before = spots.range(..=first_seq).next_back();
        let is_near = before.is_some_and(|(_, before)| {
            before.segment == segment && offset < before.offset.saturating_add(SPOT_OCTETS)
        });
        if !is_near {
            spots.insert(first_seq, Spot { segment, offset });
        }
    }

    /// The entry of that number, which is durable.
    pub(super) fn entry(&self, seq: u64) -> Option<EntryBytes> {
        let (first_seq, spot) = {
            let spots = self.spots.lock();
            let (first_seq, spot) = spots.range(..=seq).next_back()?;
            (*first_seq, *spot)
        };
        let mut hand = self.hand.lock();
        let goes_on = hand.as_ref().is_some_and(|hand| {
            hand.spot.segment == spot.segment && (first_seq..=seq).contains(&hand.first_seq)
        });
        if !goes_on {
            let pieces = Pieces::open_small(&*self.disk, spot.segment).ok()?;
            *hand = Some(Hand { pieces, spot, first_seq, count: 0 });
        }
        let found = self.look(hand.as_mut()?, seq);
        if found.is_none() {
            *hand = None;
        }
        found
    }

    /// Looks from where the hand is up to the batch with `seq`.
    fn look(&self, hand: &mut Hand, seq: u64) -> Option<EntryBytes> {
        // The octets may have been read before the batch was written.
        let mut is_fresh = false;
        loop {
            let offset = hand.spot.offset;
            let within = seq.checked_sub(hand.first_seq)?;
            if within < hand.count {
                let entry = offset
                    .saturating_add(HEADER_OCTETS as u64)
                    .saturating_add(within.saturating_mul(ENTRY_OCTETS as u64));
                return hand.pieces.at(entry, ENTRY_OCTETS).ok()?.first_chunk().copied();
            }
            let Ok(batch) = hand.pieces.batch_at(offset, self.journal).ok()? else {
                if is_fresh {
                    return None;
                }
                hand.pieces.forget();
                is_fresh = true;
                continue;
            };
            self.note(&batch.header, offset);
            let Header { first_seq, count, .. } = batch.header;
            let octets = batch.octets.len() as u64;
            let behind = first_seq.saturating_add(u64::from(count));
            if seq < behind {
                (hand.first_seq, hand.count) = (first_seq, u64::from(count));
            } else {
                (hand.first_seq, hand.count) = (behind, 0);
                hand.spot.offset = offset.saturating_add(octets);
            }
        }
    }
}

/// Octets between two marks.
const SPOT_OCTETS: u64 = 128 << 10;
