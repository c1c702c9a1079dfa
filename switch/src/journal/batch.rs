//! The batch: one group commit as it lies on disk, and the chain that batches form.
//!
//! Pure: no disk, thread or clock. A batch is a header of 64 octets and 128 for each entry, so
//! every batch begins at a multiple of 64 and no header straddles two sectors. Integers are
//! little-endian. The page `docs/journal.md` draws it; [`FIELDS`] is the table it is checked
//! against.
//!
//! Both checksums are CRC-32C (Castagnoli; RFC 3720, appendix B.4) begun not at zero but at the
//! checksum of journal id and segment: a batch that lies in another journal's file, or in the
//! place of another segment, does not validate there.

use sha2::{Digest, Sha256};

use super::{ENTRY_OCTETS, EntryBytes, JournalId};
use crate::planted;

/// What a batch is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// The last batch of its segment: the chain goes on in the next one, which exists already.
    Close,
    /// Entries, at least one.
    Entries,
    /// Nothing: whoever reads it knows that the batch before it was whole.
    Seal,
}

impl Kind {
    const fn octet(self) -> u8 {
        match self {
            Kind::Entries => 1,
            Kind::Seal => 2,
            Kind::Close => 3,
        }
    }

    const fn from_octet(octet: u8) -> Option<Kind> {
        match octet {
            1 => Some(Kind::Entries),
            2 => Some(Kind::Seal),
            3 => Some(Kind::Close),
            _ => None,
        }
    }
}

/// The fields of a header, after the magic and without the checksums.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) shard: u16,
    pub(super) journal: JournalId,
    pub(super) epoch: u32,
    pub(super) segment: u32,
    pub(super) first_seq: u64,
    pub(super) count: u16,
    /// Length of the segment that the batch lies in, as a power of two octets.
    pub(super) segment_log2: u8,
    pub(super) previous: Hash,
}

/// The first 16 octets of the SHA-256 of a whole batch.
pub(super) type Hash = [u8; 16];

/// A whole batch that was found, both checksums right.
#[derive(Clone, Copy)]
pub(super) struct Batch<'a> {
    pub(super) header: Header,
    /// Header and entries.
    pub(super) octets: &'a [u8],
    pub(super) entries: &'a [EntryBytes],
}

/// Why octets are not a batch of this journal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    /// The header is whole, the entries are not all there or not what was written.
    BrokenEntries { count: u16 },
    /// The magic is there; the header's checksum or its fields are wrong.
    BrokenHeader,
    /// A whole header of another journal.
    Foreign,
    /// A whole header of a version that this program does not know.
    Newer { version: u8 },
    /// No magic.
    Nothing,
}

/// Where a chain stands: what its next batch must say, and where it lies.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Chain {
    pub(super) journal: JournalId,
    pub(super) shard: u16,
    pub(super) epoch: u32,
    pub(super) segment: u32,
    /// Length of the segment, as a power of two octets.
    pub(super) segment_log2: u8,
    /// Octets from the start of the segment.
    pub(super) offset: u64,
    pub(super) next_seq: u64,
    pub(super) previous: Hash,
    /// Whether the last batch was empty, so that what lies before it is known to be whole.
    pub(super) sealed: bool,
}

impl Chain {
    /// The chain before its first batch, in a segment of so many octets (a power of two).
    pub(super) fn new(journal: JournalId, shard: u16, segment_octets: u64) -> Chain {
        debug_assert!(segment_octets.is_power_of_two(), "the header tells the length by its log");
        Chain {
            journal,
            shard,
            epoch: 1,
            segment: 1,
            segment_log2: log2(segment_octets),
            offset: 0,
            next_seq: 1,
            previous: [0; 16],
            sealed: false,
        }
    }

    /// The header of the next batch.
    fn header(&self, kind: Kind, count: usize) -> Header {
        debug_assert!(count <= BATCH_ENTRIES_MAX, "a batch has a bound");
        Header {
            kind,
            shard: self.shard,
            journal: self.journal,
            epoch: self.epoch,
            segment: self.segment,
            first_seq: self.next_seq,
            count: u16::try_from(count).unwrap_or(u16::MAX),
            segment_log2: self.segment_log2,
            previous: self.previous,
        }
    }

    /// An empty batch for this place.
    pub(super) fn empty_batch(&self, kind: Kind) -> (Header, [u8; HEADER_OCTETS]) {
        let header = self.header(kind, 0);
        (header, header.encode(&[]))
    }

    /// Whether a whole batch is the one that belongs at this place.
    pub(super) fn expects(&self, header: &Header) -> bool {
        // An epoch begins with an empty batch, never in the middle of work.
        let epoch = match header.kind {
            Kind::Entries => header.epoch == self.epoch,
            Kind::Close | Kind::Seal => {
                header.epoch == self.epoch || Some(header.epoch) == self.epoch.checked_add(1)
            }
        };
        epoch
            && header.journal == self.journal
            && header.shard == self.shard
            && header.segment == self.segment
            && header.segment_log2 == self.segment_log2
            && header.first_seq == self.next_seq
            && header.previous == self.previous
    }

    /// Steps over a batch that was written or read here.
    pub(super) fn advance(&mut self, header: &Header, octets: &[u8]) {
        debug_assert!(self.expects(header), "batches are chained in order");
        self.epoch = header.epoch;
        self.previous = hash(octets);
        self.next_seq = self.next_seq.saturating_add(u64::from(header.count));
        self.sealed = header.kind != Kind::Entries;
        match header.kind {
            Kind::Close => {
                self.segment = self.segment.saturating_add(1);
                self.offset = 0;
            }
            Kind::Entries | Kind::Seal => {
                self.offset = self.offset.saturating_add(octets.len() as u64);
            }
        }
    }

    /// Goes on in the segment after the one that was closed, which has so many octets.
    pub(super) fn enter(&mut self, segment_octets: u64) {
        self.segment_log2 = log2(segment_octets);
    }

    /// Length of the segment, in octets.
    pub(super) fn segment_octets(&self) -> u64 {
        1_u64.checked_shl(u32::from(self.segment_log2)).unwrap_or(0)
    }

    /// How many entries the next batch may hold, so that a seal and the closing batch still fit
    /// behind it in the segment.
    pub(super) fn room_entries(&self) -> usize {
        let taken = self.offset.saturating_add(3 * HEADER_OCTETS as u64);
        let room = self.segment_octets().saturating_sub(taken) / ENTRY_OCTETS as u64;
        usize::try_from(room).unwrap_or(usize::MAX)
    }

    /// Whether an empty batch fits and leaves room for the closing one.
    pub(super) fn has_room_for_seal(&self) -> bool {
        self.offset.saturating_add(2 * HEADER_OCTETS as u64) <= self.segment_octets()
    }
}

/// A batch in the making; its memory is used again for the next.
pub(super) struct Draft {
    // Never shorter than a header.
    octets: Vec<u8>,
}

impl Draft {
    pub(super) fn new() -> Draft {
        Draft { octets: vec![0; HEADER_OCTETS] }
    }

    /// Where entries are appended, after the last batch's were dropped.
    pub(super) fn restart(&mut self) -> &mut Vec<u8> {
        self.octets.truncate(HEADER_OCTETS);
        &mut self.octets
    }

    /// Sets the header of a batch of entries for its place in the chain, before the entries.
    pub(super) fn complete(&mut self, chain: &Chain) -> Option<Header> {
        let (head, entries) = self.octets.split_first_chunk_mut::<HEADER_OCTETS>()?;
        debug_assert!(entries.len().is_multiple_of(ENTRY_OCTETS), "entries are slots");
        let header = chain.header(Kind::Entries, entries.len() / ENTRY_OCTETS);
        *head = header.encode(entries);
        Some(header)
    }

    pub(super) fn octets(&self) -> &[u8] {
        &self.octets
    }
}

impl Header {
    fn encode(&self, entries: &[u8]) -> [u8; HEADER_OCTETS] {
        let seed = seed(self.journal, self.segment);
        let mut out = [0; HEADER_OCTETS];
        let mut cursor = Cursor(&mut out);
        cursor.put(&MAGIC);
        cursor.put(&[VERSION, self.kind.octet()]);
        cursor.put(&self.shard.to_le_bytes());
        cursor.put(&self.journal.0.to_le_bytes());
        cursor.put(&self.epoch.to_le_bytes());
        cursor.put(&self.segment.to_le_bytes());
        cursor.put(&self.first_seq.to_le_bytes());
        cursor.put(&self.count.to_le_bytes());
        cursor.put(&[self.segment_log2, 0]);
        cursor.put(&length_octets(self.count).to_le_bytes());
        cursor.put(&self.previous);
        cursor.put(&crc32c::crc32c_append(seed, entries).to_le_bytes());
        debug_assert_eq!(cursor.0.len(), CRC_OCTETS, "the header's checksum comes last");
        let (covered, _) = out.split_at(HEADER_OCTETS - CRC_OCTETS);
        let crc = crc32c::crc32c_append(seed, covered);
        Cursor(out.split_at_mut(HEADER_OCTETS - CRC_OCTETS).1).put(&crc.to_le_bytes());
        out
    }
}

impl<'a> Batch<'a> {
    /// Reads the batch that begins with `octets`, if there is a whole one of this journal. In
    /// which segment it belongs is for the caller to compare.
    pub(super) fn parse(octets: &'a [u8], journal: JournalId) -> Result<Batch<'a>, Fault> {
        if !octets.starts_with(&MAGIC) {
            return Err(Fault::Nothing);
        }
        let (head, rest) =
            octets.split_first_chunk::<HEADER_OCTETS>().ok_or(Fault::BrokenHeader)?;
        let mut reader = Reader(head.as_slice());
        let _magic: [u8; 4] = reader.take();
        let [version, kind] = reader.take();
        let shard = u16::from_le_bytes(reader.take());
        let of_journal = JournalId(u64::from_le_bytes(reader.take()));
        let epoch = u32::from_le_bytes(reader.take());
        let segment = u32::from_le_bytes(reader.take());
        let first_seq = u64::from_le_bytes(reader.take());
        let count = u16::from_le_bytes(reader.take());
        let [segment_log2, reserved] = reader.take();
        let length = u32::from_le_bytes(reader.take());
        let previous: Hash = reader.take();
        let entries_crc = u32::from_le_bytes(reader.take());
        let header_crc = u32::from_le_bytes(reader.take());

        let seed = seed(of_journal, segment);
        let (covered, _) = head.split_at(HEADER_OCTETS - CRC_OCTETS);
        if crc32c::crc32c_append(seed, covered) != header_crc {
            return Err(Fault::BrokenHeader);
        }
        if of_journal != journal {
            return Err(Fault::Foreign);
        }
        if version > VERSION {
            return Err(Fault::Newer { version });
        }
        let kind = Kind::from_octet(kind).ok_or(Fault::BrokenHeader)?;
        let is_empty = match kind {
            Kind::Entries => false,
            Kind::Close | Kind::Seal => true,
        };
        if length != length_octets(count) || is_empty != (count == 0) || reserved != 0 {
            return Err(Fault::BrokenHeader);
        }
        if !(SEGMENT_LOG2_MIN..=SEGMENT_LOG2_MAX).contains(&segment_log2) {
            return Err(Fault::BrokenHeader);
        }
        let broken = Fault::BrokenEntries { count };
        let length = usize::try_from(length).map_err(|_| broken)?;
        let entries = rest.get(..length.saturating_sub(HEADER_OCTETS)).ok_or(broken)?;
        let is_torn = crc32c::crc32c_append(seed, entries) != entries_crc;
        if is_torn && !planted::is(planted::Fault::TornBatchAccepted) {
            return Err(broken);
        }
        let (entries, _) = entries.as_chunks::<ENTRY_OCTETS>();
        let header = Header {
            kind,
            shard,
            journal: of_journal,
            epoch,
            segment,
            first_seq,
            count,
            segment_log2,
            previous,
        };
        let octets = octets.get(..length).ok_or(broken)?;
        Ok(Batch { header, octets, entries })
    }
}

/// The hash by which the next batch names this one.
fn hash(octets: &[u8]) -> Hash {
    let digest = Sha256::digest(octets);
    let mut hash = [0; 16];
    hash.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    hash
}

/// Where both checksums of a batch begin.
fn seed(journal: JournalId, segment: u32) -> u32 {
    let seed = crc32c::crc32c(&journal.0.to_le_bytes());
    crc32c::crc32c_append(seed, &segment.to_le_bytes())
}

/// Octets of a whole batch.
pub(super) fn length_octets(count: u16) -> u32 {
    u32::from(count).saturating_mul(ENTRY_OCTETS as u32).saturating_add(HEADER_OCTETS as u32)
}

fn log2(octets: u64) -> u8 {
    u8::try_from(octets.checked_ilog2().unwrap_or(0)).unwrap_or(0)
}

struct Cursor<'a>(&'a mut [u8]);

impl Cursor<'_> {
    fn put(&mut self, octets: &[u8]) {
        let (place, rest) = std::mem::take(&mut self.0).split_at_mut(octets.len());
        place.copy_from_slice(octets);
        self.0 = rest;
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    // Called for the 64 octets of a header only, whose fields add up to 64.
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let Some((octets, rest)) = self.0.split_first_chunk::<N>() else {
            debug_assert!(false, "the fields of a header fill it");
            return [0; N];
        };
        self.0 = rest;
        *octets
    }
}

/// The first octets of every batch, in every version.
pub(super) const MAGIC: [u8; 4] = [0xCE, b'K', b'R', b'J'];
/// Version of the format. Magic, version, journal id, segment and the header's checksum keep
/// their places in every version, so that an older program can tell a newer journal from damage.
pub(super) const VERSION: u8 = 1;
/// Octets of a header, and what every batch begins at a multiple of.
pub(super) const HEADER_OCTETS: usize = 64;
const CRC_OCTETS: usize = 4;
/// Segments are 4 KiB to 1 GiB long: the shortest holds thirty entries, and recovery reads one as
/// a whole.
pub(super) const SEGMENT_LOG2_MIN: u8 = 12;
pub(super) const SEGMENT_LOG2_MAX: u8 = 30;
/// Entries that a batch can hold at most: 8 MiB of them.
pub(super) const BATCH_ENTRIES_MAX: usize = u16::MAX as usize;

/// The fields of a header in order: name, octets. The format page is checked against it.
#[cfg(test)]
pub(super) const FIELDS: [(&str, usize); 15] = [
    ("magic", 4),
    ("version", 1),
    ("kind", 1),
    ("shard", 2),
    ("journal id", 8),
    ("epoch", 4),
    ("segment", 4),
    ("first seq", 8),
    ("count", 2),
    ("segment log2", 1),
    ("reserved", 1),
    ("length", 4),
    ("previous hash", 16),
    ("entries CRC", 4),
    ("header CRC", 4),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    const ID: JournalId = JournalId(0x0123_4567_89AB_CDEF);

    fn batch_of(chain: &Chain, entries: &[EntryBytes]) -> Vec<u8> {
        let mut draft = Draft::new();
        draft.restart().extend_from_slice(entries.as_flattened());
        draft.complete(chain).unwrap();
        draft.octets().to_vec()
    }

    #[test]
    fn reads_what_it_wrote() {
        let mut chain = Chain::new(ID, 3, 4096);
        let batch = batch_of(&chain, &[[7; 128], [9; 128]]);
        assert_eq!(batch.len(), 64 + 2 * 128);
        let read = Batch::parse(&batch, ID).ok().unwrap();
        assert!(chain.expects(&read.header));
        assert_eq!(read.entries, &[[7; 128], [9; 128]]);
        chain.advance(&read.header, read.octets);
        assert_eq!((chain.next_seq, chain.offset, chain.sealed), (3, 320, false));
        let (_, seal) = chain.empty_batch(Kind::Seal);
        let read = Batch::parse(&seal, ID).ok().unwrap();
        assert!(chain.expects(&read.header));
        chain.advance(&read.header, read.octets);
        assert!(chain.sealed);
    }

    #[test]
    fn every_changed_bit_and_every_cut_is_seen() {
        let chain = Chain::new(ID, 0, 4096);
        let batch = batch_of(&chain, &[[0x55; 128]]);
        for bit in 0..batch.len() * 8 {
            let mut changed = batch.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(Batch::parse(&changed, ID).is_err(), "bit {bit}");
        }
        for len in 0..batch.len() {
            assert!(Batch::parse(&batch[..len], ID).is_err(), "length {len}");
        }
    }

    #[test]
    fn another_journal_and_another_version_are_told_from_damage() {
        let chain = Chain::new(JournalId(9), 0, 4096);
        let batch = batch_of(&chain, &[[1; 128]]);
        assert_eq!(Batch::parse(&batch, ID).err(), Some(Fault::Foreign));
        let mut newer = batch_of(&Chain::new(ID, 0, 4096), &[[1; 128]]);
        newer[4] = VERSION + 1;
        assert_eq!(Batch::parse(&newer, ID).err(), Some(Fault::BrokenHeader), "a flipped bit");
        let crc = crc32c::crc32c_append(seed(ID, 1), &newer[..60]);
        newer[60..64].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(Batch::parse(&newer, ID).err(), Some(Fault::Newer { version: 2 }));
    }

    #[test]
    fn a_batch_in_another_place_is_not_expected() {
        let mut chain = Chain::new(ID, 0, 4096);
        let first = batch_of(&chain, &[[1; 128]]);
        let read = Batch::parse(&first, ID).ok().unwrap();
        for change in [
            |chain: &mut Chain| chain.epoch = 2,
            |chain: &mut Chain| chain.next_seq = 2,
            |chain: &mut Chain| chain.previous = [1; 16],
            |chain: &mut Chain| chain.segment = 2,
            |chain: &mut Chain| chain.segment_log2 = 13,
            |chain: &mut Chain| chain.shard = 1,
        ] {
            let mut other = chain.clone();
            change(&mut other);
            assert!(!other.expects(&read.header));
        }
        chain.advance(&read.header, read.octets);
        assert!(!chain.expects(&read.header), "the same batch twice");
    }
}
