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

use super::batch::{Batch, Chain, Fault, HEADER_OCTETS, Kind, MAGIC};
use super::recent::Recent;
use super::segment;
use super::{Cut, Damage, EntryBytes, JournalConfig, OpenError, Recovered, Seq};
use crate::disk::{self, Disk, DiskFile};
use crate::sync::Arc;

/// A journal that may be written after.
pub(super) struct Opened {
    pub(super) chain: Chain,
    pub(super) active: Arc<dyn DiskFile>,
    pub(super) recent: Recent,
    pub(super) recovered: Recovered,
}

/// Told of each entry in order.
pub(super) type Replay<'a> = dyn FnMut(Seq, &EntryBytes) -> Result<(), String> + 'a;

/// Makes the journal if there is none yet, reads it, and makes its end safe.
pub(super) fn open(
    disk: &dyn Disk,
    config: &JournalConfig,
    replay: &mut Replay<'_>,
) -> Result<Opened, OpenError> {
    let created = !disk.exists(segment::FOLDER).map_err(at(segment::FOLDER))?;
    if created {
        create(disk, config)?;
    }
    let segments = list(disk)?;
    let mut walk = Walk {
        chain: Chain::new(config.journal_id, config.shard, 1),
        // Two entries may be appended at once even where fewer may wait.
        recent: Recent::new(config.recent_max.max(config.queue_max).max(2)),
        replay,
        tail: Vec::new(),
        rebuilt: None,
    };
    let mut position = 0;
    let mut octets;
    let fault = loop {
        let Some(name) = segments.get(position) else {
            // The last segment that is there says that another one follows.
            let file = segment::name(walk.chain.segment);
            return Err(OpenError::Damaged { file, offset: 0, cause: Damage::MissingSegment });
        };
        octets = read_segment(disk, name)?;
        match walk.read_segment(name, &octets)? {
            End::Closed => position += 1,
            End::Stopped(fault) => break fault,
        }
    };
    let (before, later) = segments.split_at_checked(position + 1).unwrap_or((&segments, &[]));
    let name = segment::name(walk.chain.segment);
    judge_fault(&name, walk.chain.offset, fault)?;
    let torn = search(disk, &walk.chain, &name, &octets, later)?;
    if walk.chain.segment == 1 && walk.chain.offset == 0 {
        // A journal gets its name only when its first batch is durable.
        return Err(OpenError::Damaged { file: name, offset: 0, cause: Damage::NoFirstBatch });
    }

    let mut recovered = Recovered {
        created,
        entries: walk.recent.last(),
        last: Seq(walk.recent.last()),
        epoch: walk.chain.epoch,
        segments: u32::try_from(before.len()).unwrap_or(u32::MAX),
        cut: None,
        seal_rebuilt: walk.rebuilt.is_some(),
    };
    let found = octets.len() as u64;
    let length = Length { found, due: walk.due_octets(config, found) };
    if torn.octets > 0 || length.found < length.due {
        recovered.cut = Some(Cut {
            file: name.clone(),
            offset: walk.chain.offset,
            octets: torn.octets,
            missing_octets: length.due.saturating_sub(length.found),
            entries: match fault {
                Fault::BrokenEntries { count } => u32::from(count),
                Fault::BrokenHeader | Fault::Foreign | Fault::Newer { .. } | Fault::Nothing => 0,
            },
        });
    }
    let active = disk.open(&name).map_err(at(&name))?;
    write_tail_again(disk, &walk, &*active).map_err(at(&name))?;
    repair(&mut walk, &*active, &recovered, &torn, length).map_err(at(&name))?;
    settle_folders(disk, later)?;
    recovered.epoch = walk.chain.epoch;
    let Walk { chain, recent, .. } = walk;
    Ok(Opened { chain, active, recent, recovered })
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

/// The segments by name, from the first without a gap.
fn list(disk: &dyn Disk) -> Result<Vec<String>, OpenError> {
    let mut numbers = Vec::new();
    for file in disk.list(segment::FOLDER).map_err(at(segment::FOLDER))? {
        let Some(number) = segment::number(&file) else {
            return Err(OpenError::NotASegment { file: format!("{}/{file}", segment::FOLDER) });
        };
        numbers.push(number);
    }
    numbers.sort_unstable();
    for (found, due) in numbers.iter().zip(1..) {
        if *found != due {
            let file = segment::name(due);
            return Err(OpenError::Damaged { file, offset: 0, cause: Damage::MissingSegment });
        }
    }
    Ok(numbers.into_iter().map(segment::name).collect())
}

fn read_segment(disk: &dyn Disk, name: &str) -> Result<Vec<u8>, OpenError> {
    let file = disk.open(name).map_err(at(name))?;
    disk::read_all(&*file, super::SEGMENT_OCTETS_MAX).map_err(at(name))
}

struct Walk<'a, 'b> {
    chain: Chain,
    recent: Recent,
    replay: &'a mut Replay<'b>,
    /// The last batches: the ones that may not be on disk although they can be read.
    tail: Vec<Read>,
    /// Where a seal had to be made anew.
    rebuilt: Option<u64>,
}

/// A batch and its place.
struct Read {
    segment: u32,
    offset: u64,
    octets: Vec<u8>,
}

enum End {
    /// The closing batch was read.
    Closed,
    /// No batch that belongs here.
    Stopped(Fault),
}

impl Walk<'_, '_> {
    fn read_segment(&mut self, name: &str, octets: &[u8]) -> Result<End, OpenError> {
        let segment = self.chain.segment;
        if self.chain.offset == 0 {
            // Each segment tells its own length; the first batch is the first to say it.
            if let Ok(batch) = Batch::parse(octets, self.chain.journal) {
                self.chain.segment_log2 = batch.header.segment_log2;
            }
        }
        while self.chain.segment == segment {
            let offset = self.chain.offset;
            let rest = usize::try_from(offset).ok().and_then(|offset| octets.get(offset..));
            let rest = rest.unwrap_or_default();
            match Batch::parse(rest, self.chain.journal) {
                Ok(batch) if self.chain.expects(&batch.header) => self.step(name, &batch)?,
                Ok(_) => {
                    let file = name.to_owned();
                    return Err(OpenError::Damaged { file, offset, cause: Damage::Misplaced });
                }
                Err(Fault::Nothing) if self.rebuild_seal(name, rest)? => {}
                Err(fault) => return Ok(End::Stopped(fault)),
            }
        }
        Ok(End::Closed)
    }

    /// Takes over a batch: replays its entries and goes on behind it.
    fn step(&mut self, name: &str, batch: &Batch<'_>) -> Result<(), OpenError> {
        if let Some(offset) = self.rebuilt.filter(|_| !self.is_behind_rebuilt()) {
            // A lost seal belongs to the last commit before a crash, and here is a later one.
            let file = name.to_owned();
            return Err(OpenError::Damaged { file, offset, cause: Damage::LostSeal });
        }
        for entry in batch.entries {
            let seq = Seq(self.recent.push(entry));
            (self.replay)(seq, entry).map_err(|reason| OpenError::Replay { seq, reason })?;
        }
        self.remember(batch.octets);
        self.chain.advance(&batch.header, batch.octets);
        Ok(())
    }

    /// Whether the next batch is the one directly behind the seal that was made anew.
    fn is_behind_rebuilt(&self) -> bool {
        let behind = self.rebuilt.map(|offset| offset.saturating_add(HEADER_OCTETS as u64));
        behind == Some(self.chain.offset)
    }

    /// Whether a seal was lost here; if so, steps over it.
    fn rebuild_seal(&mut self, name: &str, rest: &[u8]) -> Result<bool, OpenError> {
        let Some((place, behind)) = rest.split_first_chunk::<HEADER_OCTETS>() else {
            return Ok(false);
        };
        if self.chain.sealed || place.iter().any(|octet| *octet != 0) {
            return Ok(false);
        }
        let (header, seal) = self.chain.empty_batch(Kind::Seal);
        let mut probe = self.chain.clone();
        probe.advance(&header, &seal);
        let follows = Batch::parse(behind, probe.journal)
            .is_ok_and(|batch| batch.header.epoch == probe.epoch && probe.expects(&batch.header));
        if follows {
            if let Some(offset) = self.rebuilt {
                let file = name.to_owned();
                return Err(OpenError::Damaged { file, offset, cause: Damage::LostSeal });
            }
            self.rebuilt = Some(self.chain.offset);
            self.remember(&seal);
            self.chain = probe;
        }
        Ok(follows)
    }

    fn remember(&mut self, octets: &[u8]) {
        if self.tail.len() == TAIL_BATCHES {
            self.tail.remove(0);
        }
        let Chain { segment, offset, .. } = self.chain;
        self.tail.push(Read { segment, offset, octets: octets.to_vec() });
    }

    /// How long the last segment was made. Its batches say it; while it has none, its length if
    /// that is a possible one, else the settings.
    fn due_octets(&mut self, config: &JournalConfig, found: u64) -> u64 {
        if self.chain.offset == 0 {
            let possible = found.is_power_of_two() && found >= super::SEGMENT_OCTETS_MIN;
            let due = segment::octets(self.chain.segment, config.segment_octets);
            self.chain.enter(if possible { found } else { due });
        }
        self.chain.segment_octets()
    }
}

/// What the place where the chain stops says by itself.
fn judge_fault(name: &str, offset: u64, fault: Fault) -> Result<(), OpenError> {
    let file = name.to_owned();
    match fault {
        Fault::Foreign => Err(OpenError::Foreign { file, offset }),
        Fault::Newer { version } => Err(OpenError::Newer { file, version }),
        Fault::BrokenEntries { .. } | Fault::BrokenHeader | Fault::Nothing => Ok(()),
    }
}

/// What lies behind the end of the chain and is no batch.
struct Torn {
    /// Octets from the end of the chain to the last one in the segment that is not zero.
    extent: u64,
    /// The same, with all that later segments hold.
    octets: u64,
}

/// Searches behind the end of the chain for whole batches.
fn search(
    disk: &dyn Disk,
    chain: &Chain,
    name: &str,
    octets: &[u8],
    later: &[String],
) -> Result<Torn, OpenError> {
    let stop = chain.offset;
    let start = usize::try_from(stop).unwrap_or(usize::MAX);
    let behind = octets.get(start..).unwrap_or_default();
    let found_at = |file: &str, offset: u64| OpenError::Damaged {
        file: name.to_owned(),
        offset: stop,
        cause: Damage::Broken { whole_file: file.to_owned(), whole_offset: offset },
    };
    // The place itself was judged; from the octet after it on, any whole batch counts.
    if let Some(found) = find_batch(behind.get(1..).unwrap_or_default(), chain) {
        return Err(found_at(name, stop.saturating_add(1).saturating_add(found)));
    }
    let extent = nonzero_extent(behind);
    let mut torn = Torn { extent, octets: extent };
    for file in later {
        let octets = read_segment(disk, file)?;
        if let Err(fault) = Batch::parse(&octets, chain.journal) {
            judge_fault(file, 0, fault)?;
        }
        if let Some(found) = find_batch(&octets, chain) {
            return Err(found_at(file, found));
        }
        torn.octets = torn.octets.saturating_add(nonzero_extent(&octets));
    }
    Ok(torn)
}

/// Where the first whole batch of this journal begins, at whatever octet.
fn find_batch(octets: &[u8], chain: &Chain) -> Option<u64> {
    let [first, ..] = MAGIC;
    let mut start = 0;
    loop {
        start += zero_octets(octets.get(start..)?);
        start += octets.get(start..)?.iter().position(|octet| *octet == first)?;
        if Batch::parse(octets.get(start..)?, chain.journal).is_ok() {
            return Some(start as u64);
        }
        start += 1;
    }
}

/// How many octets are zero before the first that is not, rounded down to sixteen: most of a
/// segment is zeros, and this passes over them quickly.
fn zero_octets(octets: &[u8]) -> usize {
    let (words, _) = octets.as_chunks::<16>();
    words.iter().take_while(|word| **word == [0; 16]).count() * 16
}

/// Octets up to and with the last one that is not zero.
fn nonzero_extent(octets: &[u8]) -> u64 {
    let (front, words) = octets.as_rchunks::<16>();
    let zeros = words.iter().rev().take_while(|word| **word == [0; 16]).count() * 16;
    let end = front.len() + words.len() * 16 - zeros;
    let kept = octets.get(..end).unwrap_or_default();
    kept.iter().rposition(|octet| *octet != 0).map_or(0, |last| last as u64 + 1)
}

/// How long a segment is and how long it was made, in octets.
#[derive(Clone, Copy)]
struct Length {
    found: u64,
    due: u64,
}

/// Writes the last batches again. After a failed sync they can be read from the cache and not be
/// on disk, and another sync would say nothing of it.
fn write_tail_again(disk: &dyn Disk, walk: &Walk<'_, '_>, active: &dyn DiskFile) -> io::Result<()> {
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
    walk: &mut Walk<'_, '_>,
    active: &dyn DiskFile,
    recovered: &Recovered,
    torn: &Torn,
    length: Length,
) -> io::Result<()> {
    if length.found < length.due {
        write_zeros(active, length.found, length.due)?;
    }
    let cut_from = walk.chain.offset;
    if recovered.cut.is_some() {
        walk.chain.epoch = walk.chain.epoch.saturating_add(1);
        // Where no seal fits, the closing batch will carry the epoch.
        if walk.chain.has_room_for_seal() {
            let (header, seal) = walk.chain.empty_batch(Kind::Seal);
            active.write_at(walk.chain.offset, &seal)?;
            // Before the torn octets go: should this be cut short, they are found again.
            active.sync_data()?;
            walk.chain.advance(&header, &seal);
        }
        write_zeros(active, walk.chain.offset, cut_from.saturating_add(torn.extent))?;
    }
    active.sync_data()
}

/// Takes away the segments in which nothing was ever committed, and makes durable which are left.
fn settle_folders(disk: &dyn Disk, later: &[String]) -> Result<(), OpenError> {
    for file in later {
        disk.remove(file).map_err(at(file))?;
    }
    for folder in [segment::FOLDER, ""] {
        disk.sync_dir(folder).map_err(at(folder))?;
    }
    Ok(())
}

fn write_zeros(file: &dyn DiskFile, from: u64, to: u64) -> io::Result<()> {
    let zeros = vec![0; ZEROS_OCTETS];
    let mut offset = from;
    while offset < to {
        let left = usize::try_from(to - offset).unwrap_or(usize::MAX).min(ZEROS_OCTETS);
        file.write_at(offset, zeros.get(..left).unwrap_or_default())?;
        offset = offset.saturating_add(left as u64);
    }
    Ok(())
}

/// An input or output error at a file.
fn at(file: &str) -> impl FnOnce(io::Error) -> OpenError {
    let file = file.to_owned();
    move |source| OpenError::Io { file, source }
}

fn file_of(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, file)| file)
}

/// Where a journal is made before it gets its name. The keys are made after this folder and
/// before the journal: keys without either tell of a journal that was taken away.
pub(crate) const UNBORN_FOLDER: &str = "journal.new";
/// The file of the keys.
pub(crate) const KEYS_NAME: &str = "meta";
/// Batches that a crash or a failed sync can leave unsynced: a seal and the one behind it.
const TAIL_BATCHES: usize = 2;
const ZEROS_OCTETS: usize = 1 << 16;
