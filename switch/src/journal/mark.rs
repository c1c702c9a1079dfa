//! A place in the chain between two batches, as a checkpoint keeps it: what is in front of it is
//! in the checkpoint, what is behind it has to be read.

use super::batch::Chain;
use super::{JournalId, Seq};

/// A place in the chain: the next batch must stand there and name the one before it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mark(pub(super) Chain);

/// From where a journal is replayed, and what of the time before is read again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Start {
    /// Entries up to here need not be replayed.
    pub mark: Mark,
    /// The newest entry that the state at hand may have in it.
    pub highest: Seq,
    /// The epoch in which the entries between were made.
    pub epoch: u32,
    /// Entries before the mark that are read again, at most.
    pub back_max: u64,
    /// Their moments, ms since 1970, need not be before this.
    pub back_to_ms: u64,
}

/// Octets of a mark.
pub const MARK_OCTETS: usize = 56;

impl Mark {
    /// The newest entry in front of it.
    #[must_use]
    pub fn seq(&self) -> Seq {
        Seq(self.0.next_seq.saturating_sub(1))
    }

    /// Its segment.
    #[must_use]
    pub fn segment(&self) -> u32 {
        self.0.segment
    }

    /// The journal that it is a place in.
    #[must_use]
    pub fn journal_id(&self) -> JournalId {
        self.0.journal
    }

    /// Its octets: journal id 8, next entry 8, offset 8, segment 4, epoch 4, hash 16, shard 2,
    /// length of the segment as a power of two 1, whether the last batch was empty 1, zeros 4.
    #[must_use]
    pub fn to_octets(&self) -> [u8; MARK_OCTETS] {
        let Chain {
            journal,
            shard,
            epoch,
            segment,
            segment_log2,
            offset,
            next_seq,
            previous,
            sealed,
        } = &self.0;
        let mut octets = [0; MARK_OCTETS];
        let fields: [&[u8]; 9] = [
            &journal.0.to_le_bytes(),
            &next_seq.to_le_bytes(),
            &offset.to_le_bytes(),
            &segment.to_le_bytes(),
            &epoch.to_le_bytes(),
            previous,
            &shard.to_le_bytes(),
            &[*segment_log2],
            &[u8::from(*sealed)],
        ];
        let all = fields.into_iter().flatten();
        octets.iter_mut().zip(all).for_each(|(to, from)| *to = *from);
        octets
    }

    /// The mark of these octets.
    #[must_use]
    pub fn from_octets(octets: &[u8; MARK_OCTETS]) -> Option<Mark> {
        let (journal, rest) = octets.split_first_chunk::<8>()?;
        let (next_seq, rest) = rest.split_first_chunk::<8>()?;
        let (offset, rest) = rest.split_first_chunk::<8>()?;
        let (segment, rest) = rest.split_first_chunk::<4>()?;
        let (epoch, rest) = rest.split_first_chunk::<4>()?;
        let (previous, rest) = rest.split_first_chunk::<16>()?;
        let (shard, rest) = rest.split_first_chunk::<2>()?;
        let [segment_log2, sealed, ..] = *rest.first_chunk::<2>()?;
        Some(Mark(Chain {
            journal: JournalId(u64::from_le_bytes(*journal)),
            shard: u16::from_le_bytes(*shard),
            epoch: u32::from_le_bytes(*epoch),
            segment: u32::from_le_bytes(*segment),
            segment_log2,
            offset: u64::from_le_bytes(*offset),
            next_seq: u64::from_le_bytes(*next_seq),
            previous: *previous,
            sealed: sealed != 0,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_comes_back_from_its_octets() {
        let mut chain = Chain::new(JournalId(7), 3, 4096);
        chain.epoch = 2;
        chain.segment = 9;
        chain.offset = 640;
        chain.next_seq = 41;
        chain.previous = [5; 16];
        chain.sealed = true;
        let mark = Mark(chain);
        assert_eq!(Mark::from_octets(&mark.to_octets()), Some(mark.clone()));
        assert_eq!((mark.seq(), mark.segment()), (Seq(40), 9));
    }
}
