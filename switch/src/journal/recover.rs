//! Recovery: reads the journal in order, tells a torn end from damage, and makes the end safe to
//! write after.
//!
//! Batches are read for as long as each is the one that its predecessor announces. Where that
//! stops, everything behind is searched octet by octet for a whole batch of this journal. One
//! found means damage, for a crash tears the last batch only: recovery refuses and changes
//! nothing. None found means a torn end: it is zeroed, counted and reported, and the epoch rises.
//!
//! One gap is no damage. A seal is written without a sync of its own, so a power cut may lose it
//! and keep the batch behind it. But a seal's octets follow from its place: recovery makes the
//! seal anew, and if the batch behind it names exactly that one, the chain is whole.

use std::io;

use super::batch::{Chain, Fault, Hash, Kind};
use super::queue::Queue;
use super::segment;
use super::shelf::Shelf;
use super::walk::{Beginning, Company, Found, Walk, at, chain_of, list};
use super::{Cut, JournalConfig, OpenError, Recovered, ReplayAll, Senseless, Seq, Start};
use crate::disk::{Disk, DiskFile};
use crate::sync::Arc;

/// A journal that may be written after.
pub(super) struct Opened {
    pub(super) chain: Chain,
    pub(super) active: Arc<dyn DiskFile>,
    pub(super) recovered: Recovered,
}

/// What a journal is read into.
pub(super) struct Into<'a, 'b> {
    /// Gets the entries that are read.
    pub(super) queue: &'a Queue,
    /// Gets their places.
    pub(super) shelf: &'a Shelf,
    /// Is told of entries in front of the start.
    pub(super) refill: &'a mut ReplayAll<'b>,
    /// Is told of those behind it.
    pub(super) replay: &'a mut ReplayAll<'b>,
}

/// Makes the journal if there is none yet, reads it, and makes its end safe.
pub(super) fn open(
    disk: &dyn Disk,
    config: &JournalConfig,
    start: Option<&Start>,
    into: Into<'_, '_>,
) -> Result<Opened, OpenError> {
    let Into { queue, shelf, refill, replay } = into;
    let created = !disk.exists(segment::FOLDER).map_err(at(segment::FOLDER))?;
    if created {
        create(disk, config)?;
    }
    let chain = match start {
        Some(start) => begin_before(disk, config, start, shelf)?,
        None => Chain::new(config.journal_id, config.shard, 1),
    };
    queue.begin_behind(chain.next_seq.saturating_sub(1));
    let mut borne_out = start.map(BorneOut::new);
    let mut walk = Walk::new(disk, chain, Company::Alone)?;
    let mut entries = 0;
    let started_behind = start.map_or(Seq::NONE, |start| start.mark.seq());
    let end = walk.run(&mut |found| {
        if let Some(borne_out) = &mut borne_out {
            borne_out.see(found)?;
        }
        shelf.note(found.header, found.offset);
        queue.take_over(found.entries);
        // A mark stands between two batches: each is in front of it or behind it.
        let first = Seq(found.header.first_seq);
        let told = if first > started_behind {
            entries += found.entries.len() as u64;
            replay(first, found.entries)
        } else {
            refill(first, found.entries)
        };
        told.map_err(|Senseless { seq, reason }| OpenError::Replay { seq, reason })?;
        Ok(())
    })?;
    if let Some(borne_out) = borne_out {
        borne_out.end(&walk.chain)?;
    }
    let name = segment::name(walk.chain.segment);

    let mut recovered = Recovered {
        created,
        entries,
        started_behind,
        last: Seq(queue.appended()),
        epoch: walk.chain.epoch,
        segments: walk.segments_read(),
        cut: None,
        seal_rebuilt: walk.rebuilt.is_some(),
    };
    let length = Length { found: end.found, due: due_octets(&mut walk.chain, config, end.found) };
    if end.octets > 0 || length.found < length.due {
        recovered.cut = Some(Cut {
            file: name.clone(),
            offset: walk.chain.offset,
            octets: end.octets,
            missing_octets: length.due.saturating_sub(length.found),
            entries: torn_entries(end.fault),
        });
    }
    let active = disk.open(&name).map_err(at(&name))?;
    write_tail_again(disk, &walk, &*active).map_err(at(&name))?;
    repair(&mut walk.chain, &*active, &recovered, end.extent, length).map_err(at(&name))?;
    settle_folders(disk, &end.later)?;
    recovered.epoch = walk.chain.epoch;
    shelf.set_end(&walk.chain);
    Ok(Opened { chain: walk.chain, active, recovered })
}

/// The chain at the beginning of the segment from which reading gives back what a start wants
/// from before its mark. Segments in front of it are noted, for whoever asks for their entries.
fn begin_before(
    disk: &dyn Disk,
    config: &JournalConfig,
    start: &Start,
    shelf: &Shelf,
) -> Result<Chain, OpenError> {
    let Start { mark, back_max, back_to_ms, .. } = start;
    if mark.journal_id() != config.journal_id || mark.0.shard != config.shard {
        return Err(OpenError::NoStart { reason: "it is another journal's" });
    }
    let listed = list(disk)?;
    let (mut begun, mut earliest) = (None, None);
    for segment in listed.into_iter().rev().filter(|listed| *listed <= mark.segment()) {
        let Some(Beginning { chain, first_at }) = chain_of(disk, config.journal_id, segment)?
        else {
            if begun.is_none() && segment < mark.segment() {
                // It is there, is wanted, and cannot be read: the whole walk will tell why. Only
                // the mark's own segment may not have begun yet.
                return Err(OpenError::NoStart { reason: "a segment in front cannot be read" });
            }
            continue;
        };
        shelf.note_segment(chain.next_seq, segment);
        if begun.is_none() {
            let back = mark.0.next_seq.saturating_sub(chain.next_seq);
            let is_enough = back >= *back_max || first_at.is_some_and(|at| at < *back_to_ms);
            // Further back there may be nothing left.
            (begun, earliest) = if is_enough { (Some(chain), None) } else { (None, Some(chain)) };
        }
    }
    begun.or(earliest).ok_or(OpenError::NoStart { reason: "its segment is not there" })
}

/// Whether a journal has in it what a start says.
pub(super) struct BorneOut<'a> {
    start: &'a Start,
    is_mark_met: bool,
}

impl BorneOut<'_> {
    pub(super) fn new(start: &Start) -> BorneOut<'_> {
        BorneOut { start, is_mark_met: false }
    }

    pub(super) fn see(&mut self, found: &Found<'_>) -> Result<(), OpenError> {
        let Start { mark, highest, epoch, .. } = self.start;
        if found.header.segment == mark.segment() && found.offset == mark.0.offset {
            self.meet(found.header.previous)?;
        }
        let behind = found.header.first_seq.saturating_add(u64::from(found.header.count));
        if behind > mark.0.next_seq && !self.is_mark_met {
            // Before anything behind it is put into a state that it does not follow on.
            return Err(OpenError::NoStart { reason: "its mark is no place in the journal" });
        }
        let is_within = found.header.first_seq >= mark.0.next_seq
            && found.header.first_seq <= highest.0
            && !found.entries.is_empty();
        if is_within && found.header.epoch != *epoch {
            return Err(OpenError::NoStart { reason: "entries in it were cut off since" });
        }
        Ok(())
    }

    fn meet(&mut self, previous: Hash) -> Result<(), OpenError> {
        if previous != self.start.mark.0.previous {
            return Err(OpenError::NoStart { reason: "another batch stands at its mark" });
        }
        self.is_mark_met = true;
        Ok(())
    }

    pub(super) fn end(mut self, chain: &Chain) -> Result<(), OpenError> {
        let mark = &self.start.mark.0;
        if chain.segment == mark.segment && chain.offset == mark.offset {
            self.meet(chain.previous)?;
        }
        if !self.is_mark_met {
            return Err(OpenError::NoStart { reason: "its mark is no place in the journal" });
        }
        if chain.next_seq <= self.start.highest.0 {
            return Err(OpenError::NoStart { reason: "the journal ends before it" });
        }
        Ok(())
    }
}

/// How many entries the batch at the end says it held, as far as it can be read.
pub(super) fn torn_entries(fault: Fault) -> u32 {
    match fault {
        Fault::BrokenEntries { count } => u32::from(count),
        Fault::BrokenHeader | Fault::Foreign | Fault::Newer { .. } | Fault::Nothing => 0,
    }
}

/// How long the last segment was made. Its batches say it; while it has none, its length if that
/// is a possible one, else the settings.
fn due_octets(chain: &mut Chain, config: &JournalConfig, found: u64) -> u64 {
    if chain.offset == 0 {
        let possible = found.is_power_of_two() && found >= super::SEGMENT_OCTETS_MIN;
        let due = segment::octets(chain.segment, config.segment_octets);
        chain.enter(if possible { found } else { due });
    }
    chain.segment_octets()
}

/// Makes a journal under another name and renames it when its first batch is durable: a folder
/// of the right name always holds a journal that has begun.
fn create(disk: &dyn Disk, config: &JournalConfig) -> Result<(), OpenError> {
    let begun_before = disk.exists(KEYS_NAME).map_err(at(KEYS_NAME))?;
    if begun_before && !disk.exists(UNBORN_FOLDER).map_err(at(UNBORN_FOLDER))? {
        return Err(OpenError::Missing);
    }
    let name = format!("{UNBORN_FOLDER}/{}", file_of(&segment::name(1)));
    let make = || {
        disk.create_dir(UNBORN_FOLDER)?;
        for leftover in disk.list(UNBORN_FOLDER)? {
            disk.remove(&format!("{UNBORN_FOLDER}/{leftover}"))?;
        }
        let octets = segment::octets(1, config.segment_octets);
        segment::create_zeroed(disk, &name, octets)?;
        let file = disk.open(&name)?;
        let (_, seal) = Chain::new(config.journal_id, config.shard, octets).empty_batch(Kind::Seal);
        file.write_at(0, &seal)?;
        file.sync_data()?;
        disk.sync_dir(UNBORN_FOLDER)?;
        // The end of recovery syncs the folder above.
        disk.rename(UNBORN_FOLDER, segment::FOLDER)
    };
    make().map_err(at(&name))
}

/// How long a segment is and how long it was made, in octets.
#[derive(Clone, Copy)]
struct Length {
    found: u64,
    due: u64,
}

/// Writes the last batches again. After a failed sync they can be read from the cache and not be
/// on disk, and another sync would say nothing of it.
fn write_tail_again(disk: &dyn Disk, walk: &Walk<'_>, active: &dyn DiskFile) -> io::Result<()> {
    for read in &walk.tail {
        if read.segment == walk.chain.segment {
            active.write_at(read.offset, &read.octets)?;
        } else {
            // The closing batch, and a seal before it, of a segment that nothing follows yet.
            let closed = disk.open(&segment::name(read.segment))?;
            closed.write_at(read.offset, &read.octets)?;
            closed.sync_data()?;
        }
    }
    Ok(())
}

/// Makes the end of the chain durable and everything behind it zero, before anything is answered
/// on the strength of it.
fn repair(
    chain: &mut Chain,
    active: &dyn DiskFile,
    recovered: &Recovered,
    extent: u64,
    length: Length,
) -> io::Result<()> {
    if length.found < length.due {
        write_zeros(active, length.found, length.due)?;
    }
    let cut_from = chain.offset;
    if recovered.cut.is_some() {
        chain.epoch = chain.epoch.saturating_add(1);
        // Where no seal fits, the closing batch will carry the epoch.
        if chain.has_room_for_seal() {
            let (header, seal) = chain.empty_batch(Kind::Seal);
            active.write_at(chain.offset, &seal)?;
            // Before the torn octets go: should this be cut short, they are found again.
            active.sync_data()?;
            chain.advance(&header, &seal);
        }
        write_zeros(active, chain.offset, cut_from.saturating_add(extent))?;
    }
    active.sync_data()
}

/// Takes away the segments in which nothing was ever committed, and makes durable which are left.
fn settle_folders(disk: &dyn Disk, later: &[u32]) -> Result<(), OpenError> {
    for file in later.iter().copied().map(segment::name) {
        disk.remove(&file).map_err(at(&file))?;
    }
    for folder in [segment::FOLDER, ""] {
        disk.sync_dir(folder).map_err(at(folder))?;
    }
    Ok(())
}

pub(super) fn write_zeros(file: &dyn DiskFile, from: u64, to: u64) -> io::Result<()> {
    let zeros = vec![0; ZEROS_OCTETS];
    let mut offset = from;
    while offset < to {
        let left = usize::try_from(to - offset).unwrap_or(usize::MAX).min(ZEROS_OCTETS);
        file.write_at(offset, zeros.get(..left).unwrap_or_default())?;
        offset = offset.saturating_add(left as u64);
    }
    Ok(())
}

fn file_of(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, file)| file)
}

/// Where a journal is made before it gets its name. The keys are made after this folder and
/// before the journal: keys without either tell of a journal that was taken away.
pub(crate) const UNBORN_FOLDER: &str = "journal.new";
/// The file of the keys.
pub(crate) const KEYS_NAME: &str = "meta";
const ZEROS_OCTETS: usize = 1 << 16;
