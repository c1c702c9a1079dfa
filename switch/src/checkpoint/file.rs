//! A checkpoint's file: a header, records in blocks, a trailer. Whoever reads it knows of every
//! octet that it is the one that was written.
//!
//! ```text
//! header, 96 octets: magic CEKRCKPT 8, version 2, zeros 6, mark 56, zeros 20, CRC 4
//! block: length 4, index 4, CRC 4, then so many octets of records
//! record: kind 1, length 4, then so many octets
//! trailer: length 0, index 4, CRC 4, then magic CEKRDONE 8, highest entry 8, epoch 4, zeros 4,
//!          newest moment 8, records 8, CRC over the CRCs of all blocks 4, CRC 4
//! ```
//! Numbers are little-endian, CRCs CRC-32C. That of a block begins at the CRC of the header and
//! covers its length and index, so that a block of another file or in another place does not
//! validate.

use std::io;

use crate::disk::{Disk, DiskFile};
use crate::journal::{MARK_OCTETS, Mark, Seq};
use crate::sync::Arc;

/// A kind of record and its octets.
pub(crate) type Record<'a> = (u8, &'a [u8]);

/// What the trailer tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Trailer {
    /// The newest entry that may be in it.
    pub(crate) highest: Seq,
    /// The epoch in which it was taken.
    pub(crate) epoch: u32,
    /// The moment of its newest entry, ms since 1970.
    pub(crate) newest_at: u64,
    /// How many records there are.
    pub(crate) records: u64,
}

/// Why a file is no whole checkpoint.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("it is damaged at offset {0}")]
    Damaged(u64),
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("it has format {0}; this program reads up to format 1")]
    Newer(u16),
}

/// Writes a checkpoint, block by block.
pub(crate) struct FileWriter {
    file: Arc<dyn DiskFile>,
    offset: u64,
    index: u32,
    seed: u32,
    all: u32,
    records: u64,
    block: Vec<u8>,
}

impl FileWriter {
    /// Makes the file and writes its header.
    pub(crate) fn create(disk: &dyn Disk, name: &str, mark: &Mark) -> io::Result<FileWriter> {
        let file = disk.create(name)?;
        let header = header(mark);
        file.write_at(0, &header)?;
        let seed = crc32c::crc32c(&header);
        let block = vec![0; BLOCK_HEADER_OCTETS];
        let offset = HEADER_OCTETS as u64;
        Ok(FileWriter { file, offset, index: 0, seed, all: 0, records: 0, block })
    }

    /// Adds a record to the block that is being made.
    pub(crate) fn add(&mut self, (kind, octets): Record<'_>) {
        self.block.push(kind);
        let len = u32::try_from(octets.len()).unwrap_or(u32::MAX);
        self.block.extend_from_slice(&len.to_le_bytes());
        self.block.extend_from_slice(octets);
        self.records += 1;
    }

    /// Octets of the block that is being made.
    pub(crate) fn block_octets(&self) -> usize {
        self.block.len()
    }

    /// Writes the block.
    pub(crate) fn write_block(&mut self) -> io::Result<()> {
        let Some((head, records)) = self.block.split_first_chunk_mut::<BLOCK_HEADER_OCTETS>()
        else {
            return Ok(());
        };
        if records.is_empty() {
            return Ok(());
        }
        let len = u32::try_from(records.len()).unwrap_or(u32::MAX);
        let crc = block_crc(self.seed, len, self.index, records);
        *head = block_header(len, self.index, crc);
        self.all = crc32c::crc32c_append(self.all, &crc.to_le_bytes());
        self.file.write_at(self.offset, &self.block)?;
        self.offset = self.offset.saturating_add(self.block.len() as u64);
        self.index += 1;
        self.block.truncate(BLOCK_HEADER_OCTETS);
        Ok(())
    }

    /// Makes durable what was written so far.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Writes the trailer and makes all of it durable.
    pub(crate) fn finish(&mut self, trailer: Trailer) -> io::Result<()> {
        self.write_block()?;
        let trailer = Trailer { records: self.records, ..trailer };
        let octets = trailer.octets(self.seed, self.index, self.all);
        self.file.write_at(self.offset, &octets)?;
        self.file.sync_data()
    }
}

/// Reads a whole checkpoint, telling each record; what is told before an error is worth nothing.
pub(crate) fn read(
    disk: &dyn Disk,
    name: &str,
    tell: &mut dyn FnMut(Record<'_>) -> Result<(), FileError>,
) -> Result<(Mark, Trailer), FileError> {
    let file = disk.open(name)?;
    let len = file.len()?;
    let mut at = At { file: &*file, offset: 0 };
    let head: [u8; HEADER_OCTETS] = at.take()?;
    let mark = mark_of(&head)?;
    let seed = crc32c::crc32c(&head);
    let (mut index, mut all, mut records) = (0, 0, 0);
    let mut block = Vec::new();
    loop {
        let start = at.offset;
        let damaged = FileError::Damaged(start);
        let head: [u8; BLOCK_HEADER_OCTETS] = at.take()?;
        let (octets, found, crc) = split_block_header(&head);
        let is_there = u64::from(octets) <= len.saturating_sub(at.offset);
        if found != index || !is_there || (octets == 0 && crc != 0) {
            return Err(damaged);
        }
        if octets == 0 {
            let trailer = Trailer::parse(&at.take()?, seed, index, all);
            let trailer = trailer.filter(|trailer| at.offset == len && trailer.records == records);
            return Ok((mark, trailer.ok_or(damaged)?));
        }
        block.resize(octets as usize, 0);
        at.fill(&mut block)?;
        if block_crc(seed, octets, index, &block) != crc {
            return Err(damaged);
        }
        all = crc32c::crc32c_append(all, &crc.to_le_bytes());
        index += 1;
        let mut rest = block.as_slice();
        while !rest.is_empty() {
            let (record, behind) = split_record(rest).ok_or(FileError::Damaged(start))?;
            tell(record)?;
            records += 1;
            rest = behind;
        }
    }
}

struct At<'a> {
    file: &'a dyn DiskFile,
    offset: u64,
}

impl At<'_> {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), FileError> {
        if self.file.read_at(self.offset, out)? != out.len() {
            return Err(FileError::Damaged(self.offset));
        }
        self.offset = self.offset.saturating_add(out.len() as u64);
        Ok(())
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], FileError> {
        let mut octets = [0; N];
        self.fill(&mut octets)?;
        Ok(octets)
    }
}

impl Trailer {
    fn octets(&self, seed: u32, index: u32, all: u32) -> Vec<u8> {
        let mut octets = Vec::with_capacity(BLOCK_HEADER_OCTETS + TRAILER_OCTETS);
        octets.extend_from_slice(&block_header(0, index, 0));
        octets.extend_from_slice(&DONE);
        octets.extend_from_slice(&self.highest.0.to_le_bytes());
        octets.extend_from_slice(&self.epoch.to_le_bytes());
        octets.extend_from_slice(&[0; 4]);
        octets.extend_from_slice(&self.newest_at.to_le_bytes());
        octets.extend_from_slice(&self.records.to_le_bytes());
        octets.extend_from_slice(&all.to_le_bytes());
        let (_, covered) = octets.split_at(BLOCK_HEADER_OCTETS);
        let crc = block_crc(seed, 0, index, covered);
        octets.extend_from_slice(&crc.to_le_bytes());
        octets
    }

    fn parse(octets: &[u8; TRAILER_OCTETS], seed: u32, index: u32, all: u32) -> Option<Trailer> {
        let (covered, crc) = octets.split_last_chunk::<4>()?;
        if block_crc(seed, 0, index, covered) != u32::from_le_bytes(*crc) {
            return None;
        }
        let (done, rest) = covered.split_first_chunk::<8>()?;
        let (highest, rest) = rest.split_first_chunk::<8>()?;
        let (epoch, rest) = rest.split_first_chunk::<4>()?;
        let (_, rest) = rest.split_first_chunk::<4>()?;
        let (newest_at, rest) = rest.split_first_chunk::<8>()?;
        let (records, rest) = rest.split_first_chunk::<8>()?;
        let is_whole = *done == DONE && rest == all.to_le_bytes();
        is_whole.then_some(Trailer {
            highest: Seq(u64::from_le_bytes(*highest)),
            epoch: u32::from_le_bytes(*epoch),
            newest_at: u64::from_le_bytes(*newest_at),
            records: u64::from_le_bytes(*records),
        })
    }
}

fn header(mark: &Mark) -> [u8; HEADER_OCTETS] {
    let mut octets = [0; HEADER_OCTETS];
    let fields: [&[u8]; 4] = [&MAGIC, &VERSION.to_le_bytes(), &[0; 6], &mark.to_octets()];
    octets.iter_mut().zip(fields.into_iter().flatten()).for_each(|(to, from)| *to = *from);
    let (covered, crc) = octets.split_at_mut(HEADER_OCTETS - 4);
    crc.copy_from_slice(&crc32c::crc32c(covered).to_le_bytes());
    octets
}

fn mark_of(octets: &[u8; HEADER_OCTETS]) -> Result<Mark, FileError> {
    let damaged = || FileError::Damaged(0);
    let (covered, crc) = octets.split_last_chunk::<4>().ok_or_else(damaged)?;
    let (magic, rest) = covered.split_first_chunk::<8>().ok_or_else(damaged)?;
    let (version, rest) = rest.split_first_chunk::<2>().ok_or_else(damaged)?;
    let (_, rest) = rest.split_first_chunk::<6>().ok_or_else(damaged)?;
    let mark = rest.first_chunk::<MARK_OCTETS>().and_then(Mark::from_octets);
    if *magic != MAGIC || crc32c::crc32c(covered) != u32::from_le_bytes(*crc) {
        return Err(damaged());
    }
    match u16::from_le_bytes(*version) {
        VERSION => mark.ok_or_else(damaged),
        newer => Err(FileError::Newer(newer)),
    }
}

fn block_header(len: u32, index: u32, crc: u32) -> [u8; BLOCK_HEADER_OCTETS] {
    let mut octets = [0; BLOCK_HEADER_OCTETS];
    let fields = [len, index, crc].into_iter().flat_map(u32::to_le_bytes);
    octets.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
    octets
}

fn split_block_header(octets: &[u8; BLOCK_HEADER_OCTETS]) -> (u32, u32, u32) {
    let (words, _) = octets.as_chunks::<4>();
    match words {
        [len, index, crc] => {
            (u32::from_le_bytes(*len), u32::from_le_bytes(*index), u32::from_le_bytes(*crc))
        }
        _ => (u32::MAX, u32::MAX, 0),
    }
}

fn block_crc(seed: u32, len: u32, index: u32, octets: &[u8]) -> u32 {
    let seed = crc32c::crc32c_append(seed, &len.to_le_bytes());
    let seed = crc32c::crc32c_append(seed, &index.to_le_bytes());
    crc32c::crc32c_append(seed, octets)
}

fn split_record(octets: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let ([kind], rest) = octets.split_first_chunk::<1>()?;
    let (len, rest) = rest.split_first_chunk::<4>()?;
    let (record, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
    Some(((*kind, record), rest))
}

const MAGIC: [u8; 8] = *b"CEKRCKPT";
const DONE: [u8; 8] = *b"CEKRDONE";
const VERSION: u16 = 1;
const HEADER_OCTETS: usize = 96;
const BLOCK_HEADER_OCTETS: usize = 12;
const TRAILER_OCTETS: usize = 48;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::journal::{Journal, JournalConfig, SimDisk};

    fn mark() -> Mark {
        let disk = Arc::new(SimDisk::new(1));
        let config = JournalConfig::default();
        let (journal, _) = Journal::with_disk_inline(disk, &config, &mut |_, _| Ok(())).unwrap();
        journal.mark().unwrap()
    }

    fn written(disk: &SimDisk) -> Trailer {
        let mut writer = FileWriter::create(disk, "a", &mark()).unwrap();
        for record in 0..10_u8 {
            writer.add((record, &[record; 20][..usize::from(record)]));
            if record % 4 == 3 {
                writer.write_block().unwrap();
            }
        }
        let trailer = Trailer { highest: Seq(7), epoch: 2, newest_at: 99, records: 10 };
        writer.finish(trailer).unwrap();
        trailer
    }

    /// Kind and length of each record, and what stands around them.
    type Whole = (Vec<(u8, usize)>, Mark, Trailer);

    fn read_all(disk: &SimDisk) -> Result<Whole, FileError> {
        let mut records = Vec::new();
        let (mark, trailer) = read(disk, "a", &mut |(kind, octets)| {
            records.push((kind, octets.len()));
            Ok(())
        })?;
        Ok((records, mark, trailer))
    }

    #[test]
    fn reads_what_it_wrote() {
        let disk = SimDisk::new(1);
        let trailer = written(&disk);
        let (records, found, told) = read_all(&disk).unwrap();
        assert_eq!(
            records,
            (0..10).map(|record| (record, usize::from(record))).collect::<Vec<_>>()
        );
        assert_eq!((found, told), (mark(), trailer));
    }

    #[test]
    fn every_flipped_bit_every_cut_and_every_octet_more_is_seen() {
        let disk = SimDisk::new(1);
        written(&disk);
        let whole = disk.contents("a").unwrap();
        for bit in 0..whole.len() * 8 {
            let mut changed = whole.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            disk.set_contents("a", &changed);
            assert!(read_all(&disk).is_err(), "bit {bit}");
        }
        for len in 0..whole.len() {
            disk.set_contents("a", &whole[..len]);
            assert!(read_all(&disk).is_err(), "length {len}");
        }
        disk.set_contents("a", &[whole.as_slice(), &[0]].concat());
        assert!(read_all(&disk).is_err());
    }
}
