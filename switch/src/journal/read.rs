//! Reading a journal that belongs to somebody else: no lock, no change, entry after entry up to
//! the last whole batch. A switch may be writing it meanwhile.

use super::batch::Chain;
use super::recover::torn_entries;
use super::walk::{Company, Walk, at, chain_of, list};
use super::{Cut, EntryBytes, JournalId, OpenError, Seq, segment};
use crate::disk::Disk;

/// Where a journal ends for a reader.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReadEnd {
    /// Entries read.
    pub entries: u64,
    /// The first of them; above 1 where older ones were pruned.
    pub begins: Seq,
    /// The newest of them.
    pub last: Seq,
    /// The epoch of the newest batch.
    pub epoch: u32,
    /// Segments read.
    pub segments: u32,
    /// The segment's file in which the last whole batch ends.
    pub file: String,
    /// Where in it, in octets.
    pub offset: u64,
    /// What stands behind it and is no whole batch: torn by a crash, or being written now.
    pub torn: Option<Cut>,
    /// A seal was lost in a power cut, and the batch behind it was not.
    pub seal_missing: bool,
}

/// Reads all entries of the journal `id` in order.
///
/// # Errors
/// [`OpenError`], as at a start; [`OpenError::Replay`] with what `visit` said.
pub fn read(
    disk: &dyn Disk,
    id: JournalId,
    visit: &mut dyn FnMut(Seq, &EntryBytes) -> Result<(), String>,
) -> Result<ReadEnd, OpenError> {
    if !disk.exists(segment::FOLDER).map_err(at(segment::FOLDER))? {
        return Err(OpenError::NotBegun);
    }
    let chain = beginning(disk, id)?;
    let begins = Seq(chain.next_seq);
    let mut walk = Walk::new(disk, chain, Company::Writer)?;
    let mut entries = 0;
    let end = walk.run(&mut |found| {
        for (seq, entry) in (found.header.first_seq..).map(Seq).zip(found.entries) {
            visit(seq, entry).map_err(|reason| OpenError::Replay { seq, reason })?;
            entries += 1;
        }
        Ok(())
    })?;
    let segments = walk.segments_read();
    let chain = walk.chain;
    let file = segment::name(chain.segment);
    // A segment in which nothing stands yet does not say how long it was made.
    let due = if chain.offset == 0 { end.found } else { chain.segment_octets() };
    let missing_octets = due.saturating_sub(end.found);
    let torn = (end.octets > 0 || missing_octets > 0).then(|| Cut {
        file: file.clone(),
        offset: chain.offset,
        octets: end.octets,
        missing_octets,
        entries: torn_entries(end.fault),
    });
    Ok(ReadEnd {
        entries,
        begins,
        last: Seq(chain.next_seq.saturating_sub(1)),
        epoch: chain.epoch,
        segments,
        file,
        offset: chain.offset,
        torn,
        seal_missing: walk.rebuilt.is_some(),
    })
}

/// The chain where the journal begins.
pub(super) fn beginning(disk: &dyn Disk, id: JournalId) -> Result<Chain, OpenError> {
    let first = list(disk)?.first().copied().unwrap_or(1);
    // What was pruned is not missed: the first segment that is left says where it begins.
    Ok(match chain_of(disk, id, first)? {
        Some(beginning) if first > 1 => beginning.chain,
        Some(_) | None => Chain::new(id, SHARD, 1),
    })
}

/// One node runs one shard.
const SHARD: u16 = 0;
