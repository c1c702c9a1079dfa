//! The walk along the chain: batch after batch out of segments that are read in pieces, until
//! what stands there is not the next one; then the search that tells a torn end from damage.
//!
//! Recovery walks a journal that nobody else writes. The tools walk one that a switch may be
//! writing at the same time, with no lock: a batch that was not there a moment ago may be whole
//! when it is looked at again. Batches are written in order, so whoever has seen a later one and
//! looks again at an earlier place sees that one whole, or it is damaged.

use std::io;

use super::batch::{Batch, Chain, Fault, HEADER_OCTETS, Header, Kind, MAGIC, length_octets};
use super::segment;
use super::{Damage, EntryBytes, JournalId, OpenError};
use crate::disk::{Disk, DiskFile};
use crate::planted;
use crate::sync::Arc;

/// Who else may be writing the journal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Company {
    /// Nobody: the directory's lock is held.
    Alone,
    /// A switch, perhaps.
    Writer,
}

/// A whole batch in its place.
pub(super) struct Found<'a> {
    pub(super) header: &'a Header,
    /// The octet of its segment at which it begins.
    pub(super) offset: u64,
    pub(super) entries: &'a [EntryBytes],
}

/// Told of each batch in order, before the walk goes on behind it.
pub(super) type Visit<'a> = dyn FnMut(&Found<'_>) -> Result<(), OpenError> + 'a;

/// A walk from a place in the chain to its end.
pub(super) struct Walk<'d> {
    /// Where the chain stands.
    pub(super) chain: Chain,
    /// The last batches: the ones that may not be on disk although they can be read.
    pub(super) tail: Vec<Read>,
    /// Where a seal had to be made anew.
    pub(super) rebuilt: Option<u64>,
    disk: &'d dyn Disk,
    company: Company,
    /// The segment in which it began.
    first: u32,
    segments: Vec<u32>,
    pieces: Pieces,
}

/// A batch and its place.
pub(super) struct Read {
    pub(super) segment: u32,
    pub(super) offset: u64,
    pub(super) octets: Vec<u8>,
}

/// Where and how a walk ended.
pub(super) struct End {
    /// What stands where the next batch would.
    pub(super) fault: Fault,
    /// Octets from there to the last one in the segment that is not zero.
    pub(super) extent: u64,
    /// The same, with all that later segments hold.
    pub(super) octets: u64,
    /// How long the last segment is, in octets.
    pub(super) found: u64,
    /// Segments behind it, in which no whole batch stands.
    pub(super) later: Vec<u32>,
}

/// What the walk met in a segment.
enum Stop {
    /// The closing batch was read.
    Closed,
    /// No batch that belongs here.
    At(Fault),
}

impl<'d> Walk<'d> {
    /// A walk that begins where `chain` stands.
    pub(super) fn new(
        disk: &'d dyn Disk,
        chain: Chain,
        company: Company,
    ) -> Result<Self, OpenError> {
        let segments = list(disk)?;
        if !segments.contains(&chain.segment) {
            return Err(damaged(chain.segment, 0, Damage::MissingSegment));
        }
        let pieces = Pieces::open(disk, chain.segment)?;
        let (first, tail) = (chain.segment, Vec::new());
        Ok(Walk { chain, tail, rebuilt: None, disk, company, first, segments, pieces })
    }

    /// How many segments the walk has met.
    pub(super) fn segments_read(&self) -> u32 {
        self.chain.segment.saturating_sub(self.first).saturating_add(1)
    }

    /// Walks to the end of the chain and judges what stands behind it.
    pub(super) fn run(&mut self, visit: &mut Visit<'_>) -> Result<End, OpenError> {
        loop {
            let fault = self.run_chain(visit)?;
            let name = segment::name(self.chain.segment);
            judge_fault(&name, self.chain.offset, fault)?;
            match self.search(&name, fault) {
                Err(OpenError::Damaged { .. }) if self.is_whole_now()? => {}
                ended => return ended,
            }
        }
    }

    fn run_chain(&mut self, visit: &mut Visit<'_>) -> Result<Fault, OpenError> {
        loop {
            match self.run_segment(visit)? {
                Stop::Closed => self.enter()?,
                Stop::At(fault) => return Ok(fault),
            }
        }
    }

    /// Opens the segment into which the last one leads.
    fn enter(&mut self) -> Result<(), OpenError> {
        let segment = self.chain.segment;
        if !self.segments.contains(&segment) {
            self.segments = list(self.disk)?;
        }
        if !self.segments.contains(&segment) {
            // The last segment that is there says that another one follows.
            let file = segment::name(segment);
            return Err(OpenError::Damaged { file, offset: 0, cause: Damage::MissingSegment });
        }
        self.pieces = Pieces::open(self.disk, segment)?;
        Ok(())
    }

    fn run_segment(&mut self, visit: &mut Visit<'_>) -> Result<Stop, OpenError> {
        let segment = self.chain.segment;
        if self.chain.offset == 0 {
            // Each segment tells its own length; the first batch is the first to say it.
            if let Ok(batch) = self.pieces.batch_at(0, self.chain.journal)? {
                self.chain.segment_log2 = batch.header.segment_log2;
            }
        }
        while self.chain.segment == segment {
            let offset = self.chain.offset;
            match self.pieces.batch_at(offset, self.chain.journal)? {
                Ok(batch) if self.chain.expects(&batch.header) => {
                    let behind = self.rebuilt.map(|at| at.saturating_add(HEADER_OCTETS as u64));
                    if let Some(lost) = self.rebuilt.filter(|_| behind != Some(offset)) {
                        // A lost seal belongs to the last commit before a crash, and here is a
                        // later one.
                        return Err(damaged(segment, lost, Damage::LostSeal));
                    }
                    visit(&Found { header: &batch.header, offset, entries: batch.entries })?;
                    remember(&mut self.tail, &self.chain, batch.octets);
                    self.chain.advance(&batch.header, batch.octets);
                }
                Ok(_) => return Err(damaged(segment, offset, Damage::Misplaced)),
                Err(fault) => {
                    if fault != Fault::Nothing || !self.rebuild_seal()? {
                        return Ok(Stop::At(fault));
                    }
                }
            }
        }
        Ok(Stop::Closed)
    }

    /// Whether a seal was lost here; if so, steps over it.
    fn rebuild_seal(&mut self) -> Result<bool, OpenError> {
        let offset = self.chain.offset;
        let place = self.pieces.at(offset, HEADER_OCTETS)?.first_chunk::<HEADER_OCTETS>();
        if self.chain.sealed || place != Some(&[0; HEADER_OCTETS]) {
            return Ok(false);
        }
        let (header, seal) = self.chain.empty_batch(Kind::Seal);
        let mut probe = self.chain.clone();
        probe.advance(&header, &seal);
        let follows = self
            .pieces
            .batch_at(probe.offset, probe.journal)?
            .is_ok_and(|batch| batch.header.epoch == probe.epoch && probe.expects(&batch.header));
        if !follows {
            return Ok(false);
        }
        if self.is_whole_now()? {
            return Ok(true);
        }
        if let Some(lost) = self.rebuilt {
            return Err(damaged(self.chain.segment, lost, Damage::LostSeal));
        }
        self.rebuilt = Some(offset);
        remember(&mut self.tail, &self.chain, &seal);
        self.chain = probe;
        Ok(true)
    }

    /// Whether somebody has completed the batch at the end of the chain since it was read.
    fn is_whole_now(&mut self) -> Result<bool, OpenError> {
        if self.company == Company::Alone {
            return Ok(false);
        }
        self.pieces.forget();
        Ok(self.pieces.batch_at(self.chain.offset, self.chain.journal)?.is_ok())
    }

    /// Searches behind the end of the chain for whole batches.
    fn search(&mut self, name: &str, fault: Fault) -> Result<End, OpenError> {
        let stop = self.chain.offset;
        let found_at = |file: &str, offset: u64| OpenError::Damaged {
            file: name.to_owned(),
            offset: stop,
            cause: Damage::Broken { whole_file: file.to_owned(), whole_offset: offset },
        };
        // The place itself was judged; from the octet after it on, any whole batch counts.
        if let Some(found) = self.pieces.find_batch(stop.saturating_add(1), self.chain.journal)? {
            return Err(found_at(name, found));
        }
        let extent = self.pieces.nonzero_extent(stop)?;
        if self.company == Company::Writer {
            // It may have gone on to another segment since the folder was listed.
            self.segments = list(self.disk)?;
        }
        let later: Vec<u32> =
            self.segments.iter().copied().filter(|later| *later > self.chain.segment).collect();
        let mut octets = extent;
        for segment in &later {
            if planted::is(planted::Fault::StaleSegmentAccepted) {
                continue;
            }
            let file = segment::name(*segment);
            let mut pieces = Pieces::open(self.disk, *segment)?;
            if let Err(fault) = pieces.batch_at(0, self.chain.journal)? {
                judge_fault(&file, 0, fault)?;
            }
            if let Some(found) = pieces.find_batch(0, self.chain.journal)? {
                return Err(found_at(&file, found));
            }
            octets = octets.saturating_add(pieces.nonzero_extent(0)?);
        }
        if self.chain.segment == 1 && stop == 0 {
            // A journal gets its name only when its first batch is durable.
            return Err(damaged(1, 0, Damage::NoFirstBatch));
        }
        Ok(End { fault, extent, octets, found: self.pieces.len, later })
    }
}

/// The chain where a segment begins, as its first batch tells it; `None` where none stands there.
pub(super) fn chain_of(
    disk: &dyn Disk,
    journal: JournalId,
    segment: u32,
) -> Result<Option<Beginning>, OpenError> {
    let mut pieces = Pieces::open_small(disk, segment)?;
    let Ok(batch) = pieces.batch_at(0, journal)? else {
        return Ok(None);
    };
    let header = batch.header;
    let first_at = batch.entries.first().map(super::queue::moment_of);
    if header.segment != segment {
        return Ok(None);
    }
    let mut chain = Chain::new(journal, header.shard, 1);
    chain.epoch = header.epoch;
    chain.segment = segment;
    chain.segment_log2 = header.segment_log2;
    chain.next_seq = header.first_seq;
    chain.previous = header.previous;
    // The batch in front of it closed the segment before.
    chain.sealed = segment > 1;
    Ok(Some(Beginning { chain, first_at }))
}

/// How a segment begins.
pub(super) struct Beginning {
    pub(super) chain: Chain,
    /// The moment of its first entry, where its first batch has one.
    pub(super) first_at: Option<u64>,
}

/// Tells of every whole batch of a journal from a place on, whatever stands between them.
pub(super) fn salvage(
    disk: &dyn Disk,
    journal: JournalId,
    (segment, offset): (u32, u64),
    visit: &mut dyn FnMut(&Found<'_>),
) -> Result<(), OpenError> {
    let mut from = offset;
    for segment in numbers(disk)?.into_iter().filter(|listed| *listed >= segment) {
        let mut pieces = Pieces::open(disk, segment)?;
        while let Some(offset) = pieces.find_batch(from, journal)? {
            let Ok(batch) = pieces.batch_at(offset, journal)? else { break };
            visit(&Found { header: &batch.header, offset, entries: batch.entries });
            from = offset.saturating_add(batch.octets.len() as u64);
        }
        from = 0;
    }
    Ok(())
}

/// The numbers of the segments in order.
pub(super) fn numbers(disk: &dyn Disk) -> Result<Vec<u32>, OpenError> {
    let mut numbers = Vec::new();
    for file in disk.list(segment::FOLDER).map_err(at(segment::FOLDER))? {
        let Some(number) = segment::number(&file) else {
            return Err(OpenError::NotASegment { file: format!("{}/{file}", segment::FOLDER) });
        };
        numbers.push(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The numbers of the segments, without a gap from the first on that was not pruned.
pub(super) fn list(disk: &dyn Disk) -> Result<Vec<u32>, OpenError> {
    let numbers = numbers(disk)?;
    let first = numbers.first().copied().unwrap_or(1);
    for (found, due) in numbers.iter().zip(first..) {
        if *found != due {
            return Err(damaged(due, 0, Damage::MissingSegment));
        }
    }
    if numbers.is_empty() {
        return Err(damaged(1, 0, Damage::MissingSegment));
    }
    Ok(numbers)
}

/// A segment's file, read a piece at a time.
pub(super) struct Pieces {
    name: String,
    file: Arc<dyn DiskFile>,
    /// How long the file is, in octets.
    len: u64,
    /// Octets of the file from `start` on.
    window: Vec<u8>,
    start: u64,
    /// Octets read at once.
    piece_octets: usize,
}

impl Pieces {
    pub(super) fn open(disk: &dyn Disk, segment: u32) -> Result<Pieces, OpenError> {
        let name = segment::name(segment);
        let file = disk.open(&name).map_err(at(&name))?;
        let len = file.len().map_err(at(&name))?;
        if len > super::SEGMENT_OCTETS_MAX {
            let source = io::Error::new(io::ErrorKind::InvalidData, "the file is too long");
            return Err(OpenError::Io { file: name, source });
        }
        Ok(Pieces { name, file, len, window: Vec::new(), start: 0, piece_octets: PIECE_OCTETS })
    }

    /// The same, for a look at single entries.
    pub(super) fn open_small(disk: &dyn Disk, segment: u32) -> Result<Pieces, OpenError> {
        Ok(Pieces { piece_octets: SMALL_PIECE_OCTETS, ..Pieces::open(disk, segment)? })
    }

    /// The batch at `offset`, if a whole one of the journal stands there.
    pub(super) fn batch_at(
        &mut self,
        offset: u64,
        journal: JournalId,
    ) -> Result<Result<Batch<'_>, Fault>, OpenError> {
        let octets = self.at(offset, HEADER_OCTETS)?;
        // The header alone first: it says how many octets there are to be checked.
        let head = octets.get(..HEADER_OCTETS).unwrap_or(octets);
        let mut wanted = HEADER_OCTETS;
        if let Err(Fault::BrokenEntries { count }) = Batch::parse(head, journal) {
            wanted = usize::try_from(length_octets(count)).unwrap_or(wanted);
        }
        Ok(Batch::parse(self.at(offset, wanted)?, journal))
    }

    /// At least `wanted` octets from `offset` on, or all there are before the end of the file.
    pub(super) fn at(&mut self, offset: u64, wanted: usize) -> Result<&[u8], OpenError> {
        let wanted = wanted.min(usize::try_from(self.len.saturating_sub(offset)).unwrap_or(wanted));
        let within = offset.checked_sub(self.start).and_then(|at| usize::try_from(at).ok());
        let held = within.and_then(|at| self.window.get(at..)).map_or(0, <[u8]>::len);
        if held < wanted {
            self.fill(offset, wanted.max(self.piece_octets)).map_err(at(&self.name))?;
        }
        let within = usize::try_from(offset.saturating_sub(self.start)).unwrap_or(usize::MAX);
        Ok(self.window.get(within..).unwrap_or_default())
    }

    fn fill(&mut self, offset: u64, octets: usize) -> io::Result<()> {
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(octets);
        self.window.resize(octets.min(left), 0);
        self.start = offset;
        let read = self.file.read_at(offset, &mut self.window)?;
        self.window.truncate(read);
        if read < octets.min(left) {
            // Somebody is cutting the file short.
            self.len = offset.saturating_add(read as u64);
        }
        Ok(())
    }

    /// Drops what was read, so that it is read again.
    pub(super) fn forget(&mut self) {
        self.window.clear();
    }

    /// Where the first whole batch of the journal begins, at whatever octet from `from` on.
    fn find_batch(&mut self, from: u64, journal: JournalId) -> Result<Option<u64>, OpenError> {
        let [first, ..] = MAGIC;
        let mut offset = from;
        loop {
            let octets = self.at(offset, 1)?;
            if octets.is_empty() {
                return Ok(None);
            }
            let zeros = zero_octets(octets);
            let rest = octets.get(zeros..).unwrap_or_default();
            let Some(place) = rest.iter().position(|octet| *octet == first) else {
                offset = offset.saturating_add(octets.len() as u64);
                continue;
            };
            offset = offset.saturating_add(zeros as u64).saturating_add(place as u64);
            if self.batch_at(offset, journal)?.is_ok() {
                return Ok(Some(offset));
            }
            offset = offset.saturating_add(1);
        }
    }

    /// Octets from `from` up to and with the last one that is not zero.
    fn nonzero_extent(&mut self, from: u64) -> Result<u64, OpenError> {
        let mut offset = from;
        let mut extent = 0;
        loop {
            let octets = self.at(offset, 1)?;
            if octets.is_empty() {
                return Ok(extent);
            }
            let nonzero = nonzero_extent(octets);
            if nonzero > 0 {
                extent = offset.saturating_sub(from).saturating_add(nonzero);
            }
            offset = offset.saturating_add(octets.len() as u64);
        }
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

fn remember(tail: &mut Vec<Read>, chain: &Chain, octets: &[u8]) {
    let mut kept = if tail.len() == TAIL_BATCHES { tail.remove(0).octets } else { Vec::new() };
    kept.clear();
    kept.extend_from_slice(octets);
    tail.push(Read { segment: chain.segment, offset: chain.offset, octets: kept });
}

fn damaged(segment: u32, offset: u64, cause: Damage) -> OpenError {
    OpenError::Damaged { file: segment::name(segment), offset, cause }
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

/// An input or output error at a file.
pub(super) fn at(file: &str) -> impl FnOnce(io::Error) -> OpenError + use<> {
    let file = file.to_owned();
    move |source| OpenError::Io { file, source }
}

/// Batches that a crash or a failed sync can leave unsynced: a seal and the one behind it.
const TAIL_BATCHES: usize = 2;
/// Octets of a segment read at once.
const PIECE_OCTETS: usize = 1 << 20;
/// The same for a look at single entries.
const SMALL_PIECE_OCTETS: usize = 1 << 16;
