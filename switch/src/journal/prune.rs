//! Pruning: the explicit act that takes old segments away, never more than two checkpoints and
//! the memory of answers can do without.

use super::recover::BorneOut;
use super::walk::{Company, Walk, at, chain_of, list};
use super::{JournalId, OpenError, Seq, Start, segment};
use crate::disk::Disk;

/// What pruning took away.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Pruned {
    /// Segments.
    pub segments: u32,
    /// Their octets.
    pub octets: u64,
    /// The first entry that is left.
    pub first: Seq,
}

/// Whether the journal of a disk bears out what a checkpoint says of it; changes nothing.
///
/// # Errors
/// [`OpenError::NoStart`] if not, another one if the journal cannot be read from there.
pub fn bears_out(disk: &dyn Disk, id: JournalId, start: &Start) -> Result<(), OpenError> {
    let beginning = chain_of(disk, id, start.mark.segment())?;
    let no_segment = OpenError::NoStart { reason: "its segment is not there" };
    let chain = beginning.ok_or(no_segment)?.chain;
    let mut borne_out = BorneOut::new(start);
    let mut walk = Walk::new(disk, chain, Company::Alone)?;
    walk.run(&mut |found| borne_out.see(found))?;
    borne_out.end(&walk.chain)
}

/// Removes segments, the oldest first, as far as a start from `oldest` and the memory of answers
/// need none of them, and no entry in them is of `keep_from_ms` (ms since 1970) or later.
///
/// # Errors
/// [`OpenError`]; what was removed before stays removed, and what is left is a whole end.
pub fn prune(
    disk: &dyn Disk,
    id: JournalId,
    oldest: &Start,
    keep_from_ms: u64,
) -> Result<Pruned, OpenError> {
    let mut pruned = Pruned::default();
    let listed = list(disk)?;
    let keep_from_ms = keep_from_ms.min(oldest.back_to_ms);
    for (segment, next) in listed.iter().zip(listed.iter().skip(1)) {
        let Some(behind) = chain_of(disk, id, *next)? else { break };
        let is_old = behind.first_at.is_some_and(|at| at < keep_from_ms);
        if !is_old || *next > oldest.mark.segment() {
            break;
        }
        let name = segment::name(*segment);
        pruned.octets += disk.open(&name).and_then(|file| file.len()).map_err(at(&name))?;
        disk.remove(&name).map_err(at(&name))?;
        // One after the other: a power cut must not leave a gap.
        disk.sync_dir(segment::FOLDER).map_err(at(segment::FOLDER))?;
        pruned.segments += 1;
    }
    if let Some(first) = list(disk)?.first() {
        let beginning = chain_of(disk, id, *first)?;
        pruned.first = Seq(beginning.map_or(0, |beginning| beginning.chain.next_seq));
    }
    Ok(pruned)
}
