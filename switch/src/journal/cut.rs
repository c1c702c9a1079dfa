//! What stands behind a place in a journal, and the explicit cut there.
//!
//! A cut leaves what a crash would leave: a batch that has begun and nothing behind it. The next
//! start finds the torn end, reports it, and begins a new epoch; so there is one way to end a
//! journal, and this is not another.

use std::io;

use super::batch::MAGIC;
use super::read::beginning;
use super::recover::write_zeros;
use super::walk::{Company, Walk, at, numbers, salvage};
use super::{EntryBytes, JournalId, OpenError, Seq, segment};
use crate::disk::Disk;

/// A place in a journal: a segment's number, and octets from its beginning.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place {
    /// The segment, from 1.
    pub segment: u32,
    /// The octet.
    pub offset: u64,
}

/// Whole batches behind a place.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Behind {
    /// How many, those without entries included.
    pub batches: u64,
    /// Entries in them.
    pub entries: u64,
}

/// What a cut took away.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CutAway {
    /// Whole batches and their entries.
    pub behind: Behind,
    /// Octets from the place to the end of its segment that were not all zero.
    pub octets: u64,
    /// Later segments that were removed.
    pub segments: u32,
}

/// What a cut may take.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CutMay {
    /// Only what is no whole batch.
    LoseNothing,
    /// Whole batches too.
    LoseEntries,
}

/// Why a journal is not cut. Nothing was changed, except after [`CutError::Open`] of the disk.
#[derive(Debug, thiserror::Error)]
pub enum CutError {
    /// No batch begins or ends there.
    #[error("no batch ends at offset {offset}; the last one before it ends at {before}")]
    NoBoundary {
        /// The place that was asked for.
        offset: u64,
        /// The nearest place before it that can be cut at.
        before: u64,
    },
    /// Nothing would be left.
    #[error("a journal without its first batch does not start; nothing can be cut there")]
    NothingLeft,
    /// The journal cannot be read up to there.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Nothing of what is whole ends in that segment.
    #[error("the journal does not reach {file} in one piece")]
    Unreached {
        /// The segment's file.
        file: String,
    },
    /// Entries that were durable once would be lost.
    #[error(
        "{} whole batches with {} entries stand behind this place, and a cut would lose them",
        .0.batches,
        .0.entries
    )]
    WholeBehind(Behind),
}

/// Tells of every entry in whole batches from `place` on, and counts them.
///
/// # Errors
/// [`OpenError`].
pub fn behind(
    disk: &dyn Disk,
    id: JournalId,
    place: Place,
    visit: &mut dyn FnMut(Seq, &EntryBytes),
) -> Result<Behind, OpenError> {
    let mut behind = Behind::default();
    salvage(disk, id, (place.segment, place.offset), &mut |found| {
        behind.batches = behind.batches.saturating_add(1);
        for (seq, entry) in (found.header.first_seq..).map(Seq).zip(found.entries) {
            behind.entries = behind.entries.saturating_add(1);
            visit(seq, entry);
        }
    })?;
    Ok(behind)
}

/// Cuts a journal at `place`, which must be the end of what is whole or the end of a batch.
///
/// # Errors
/// [`CutError`].
pub fn cut(disk: &dyn Disk, id: JournalId, place: Place, may: CutMay) -> Result<CutAway, CutError> {
    if place == (Place { segment: 1, offset: 0 }) {
        return Err(CutError::NothingLeft);
    }
    check_boundary(disk, id, place)?;
    let lost = behind(disk, id, place, &mut |_, _| {})?;
    if may == CutMay::LoseNothing && lost.batches > 0 {
        return Err(CutError::WholeBehind(lost));
    }
    let mut segments = 0;
    // From the last one back: cut short, this leaves the same damage or less of it.
    for later in numbers(disk)?.into_iter().rev().filter(|listed| *listed > place.segment) {
        let name = segment::name(later);
        disk.remove(&name).map_err(at(&name))?;
        segments += 1;
    }
    disk.sync_dir(segment::FOLDER).map_err(at(segment::FOLDER))?;
    let name = segment::name(place.segment);
    let octets = end_at(disk, &name, place).map_err(at(&name))?;
    Ok(CutAway { behind: lost, octets, segments })
}

/// Makes the segment end at `place` in a batch that has begun.
fn end_at(disk: &dyn Disk, name: &str, place: Place) -> io::Result<u64> {
    if !disk.exists(name)? {
        // The chain leads into a segment that is gone.
        segment::create_zeroed(disk, name, segment::octets(1, super::SEGMENT_OCTETS_MAX))?;
        disk.sync_dir(segment::FOLDER)?;
    }
    let file = disk.open(name)?;
    let end = file.len()?;
    write_zeros(&*file, place.offset, end)?;
    if place.offset.saturating_add(MAGIC.len() as u64) <= end {
        file.write_at(place.offset, &MAGIC)?;
    }
    file.sync_data()?;
    Ok(end.saturating_sub(place.offset))
}

/// Whether what is whole reaches `place`, and a batch ends there.
fn check_boundary(disk: &dyn Disk, id: JournalId, place: Place) -> Result<(), CutError> {
    let mut before = None;
    let mut reached = false;
    let mut see = |segment: u32, offset: u64| {
        let here = segment == place.segment;
        reached |= here && offset == place.offset;
        if here && offset < place.offset {
            before = Some(offset);
        }
    };
    let mut walk = Walk::new(disk, beginning(disk, id)?, Company::Alone)?;
    let ended = walk.run(&mut |found| {
        see(found.header.segment, found.offset);
        Ok(())
    });
    match ended {
        Ok(_) | Err(OpenError::Damaged { .. }) => see(walk.chain.segment, walk.chain.offset),
        Err(error) => return Err(error.into()),
    }
    if reached {
        return Ok(());
    }
    match before {
        Some(before) => Err(CutError::NoBoundary { offset: place.offset, before }),
        None => Err(CutError::Unreached { file: segment::name(place.segment) }),
    }
}

/// The segment that a name, a path or a number means.
#[must_use]
pub fn segment_of(text: &str) -> Option<u32> {
    let file = text.rsplit_once('/').map_or(text, |(_, file)| file);
    segment::number(file).or_else(|| file.parse().ok().filter(|number| *number > 0))
}
