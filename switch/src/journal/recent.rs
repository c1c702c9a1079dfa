//! The ring of recent entries: what answers are repeated from, and what waits for the disk.
//!
//! Memory is taken in chunks as the ring first fills and is then reused: the ring never holds
//! more than its bound, and a small journal stays small.

use super::{ENTRY_OCTETS, EntryBytes};

/// The last entries by sequence number.
pub(super) struct Recent {
    chunks: Vec<Box<[EntryBytes]>>,
    /// Sequence number of the newest entry; 0 while there is none.
    last: u64,
    /// The number in front of the first entry that was added.
    base: u64,
    /// One less than the number of slots, a power of two.
    slot_mask: u64,
    chunk_entries: u64,
}

impl Recent {
    /// A ring of at least `entries_max` slots, rounded up to a power of two.
    pub(super) fn new(entries_max: usize) -> Recent {
        let slots = entries_max.clamp(1, SLOTS_MAX).next_power_of_two() as u64;
        let chunk_entries = slots.min(CHUNK_ENTRIES);
        Recent { chunks: Vec::new(), last: 0, base: 0, slot_mask: slots - 1, chunk_entries }
    }

    /// Goes on behind the entry of that number, which it does not hold. Only before the first.
    pub(super) fn begin_behind(&mut self, seq: u64) {
        debug_assert!(self.chunks.is_empty(), "nothing was added yet");
        self.last = seq;
        self.base = seq;
    }

    /// Adds an entry in the place of the oldest, and tells its sequence number.
    pub(super) fn push(&mut self, entry: &EntryBytes) -> u64 {
        let seq = self.last.saturating_add(1);
        let (chunk, slot) = self.place(seq);
        if chunk == self.chunks.len() {
            // Chunks are first reached in order, so a missing one is always the next.
            let empty = [0; ENTRY_OCTETS];
            let entries = usize::try_from(self.chunk_entries).unwrap_or(1);
            self.chunks.push(vec![empty; entries].into_boxed_slice());
        }
        match self.chunks.get_mut(chunk).and_then(|chunk| chunk.get_mut(slot)) {
            Some(place) => *place = *entry,
            None => debug_assert!(false, "the ring has a chunk for each slot it has reached"),
        }
        self.last = seq;
        seq
    }

    /// The entry of that number, while it is still held.
    pub(super) fn entry(&self, seq: u64) -> Option<&EntryBytes> {
        let age = self.last.checked_sub(seq)?;
        if seq <= self.base || age > self.slot_mask {
            return None;
        }
        let (chunk, slot) = self.place(seq);
        self.chunks.get(chunk)?.get(slot)
    }

    /// How many entries it holds when it is full.
    pub(super) fn kept_max(&self) -> u64 {
        self.slot_mask + 1
    }

    /// Sequence number of the newest entry; 0 while there is none.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    fn place(&self, seq: u64) -> (usize, usize) {
        // Numbers begin behind the base, slots at 0.
        let slot = seq.wrapping_sub(self.base).wrapping_sub(1) & self.slot_mask;
        let chunk = usize::try_from(slot / self.chunk_entries).unwrap_or(usize::MAX);
        (chunk, usize::try_from(slot % self.chunk_entries).unwrap_or(usize::MAX))
    }
}

/// Entries in a chunk: 32 KiB, so that taking one holds up an append by a few microseconds.
const CHUNK_ENTRIES: u64 = 256;
/// Bound of the bound: 64 Mi entries, 8 GiB.
const SLOTS_MAX: usize = 1 << 26;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn holds_the_newest_and_forgets_the_rest() {
        let mut recent = Recent::new(1_000);
        assert_eq!(recent.entry(0), None);
        assert_eq!(recent.entry(1), None);
        for seq in 1..=5_000_u64 {
            let mut entry = [0; ENTRY_OCTETS];
            *entry.first_chunk_mut().unwrap() = seq.to_le_bytes();
            assert_eq!(recent.push(&entry), seq);
        }
        assert_eq!(recent.last(), 5_000);
        assert_eq!(recent.chunks.len(), 4, "1,024 slots and no more");
        assert_eq!(recent.entry(0), None);
        assert_eq!(recent.entry(5_000 - 1_024), None);
        assert_eq!(recent.entry(5_001), None);
        for seq in 5_000 - 1_023..=5_000_u64 {
            assert_eq!(recent.entry(seq).unwrap().first_chunk(), Some(&seq.to_le_bytes()));
        }
    }

    #[test]
    fn a_ring_that_begins_late_holds_nothing_from_before() {
        let mut recent = Recent::new(600);
        recent.begin_behind(1_000_001);
        assert_eq!((recent.last(), recent.entry(1_000_001)), (1_000_001, None));
        for seq in 1_000_002..1_001_000 {
            assert_eq!(recent.push(&[1; ENTRY_OCTETS]), seq);
        }
        assert!(recent.entry(1_000_500).is_some());
        assert_eq!(recent.entry(999_990), None);
    }

    #[test]
    fn a_ring_of_one_holds_one() {
        let mut recent = Recent::new(0);
        recent.push(&[1; ENTRY_OCTETS]);
        recent.push(&[2; ENTRY_OCTETS]);
        assert_eq!(recent.entry(1), None);
        assert_eq!(recent.entry(2), Some(&[2; ENTRY_OCTETS]));
    }
}
