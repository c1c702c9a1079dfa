//! BER-TLV, the shape of a chip's data (EMV Book 3, Annex B): reading, checking, writing.
//!
//! Nothing is copied: an object is a tag and a slice of what was read. [`check`] walks a whole tree
//! once, within bounds on depth and number that no card comes near, so that what follows may trust
//! its shape. Tags have one to three octets, lengths one to three; octets of zero between objects
//! mean nothing. Lists of what a chip wants to be told stand in [`dol`], names and looks of the
//! usual tags in [`tags`].
//!
//! ```
//! use cekr_emv::tlv::{self, Writer};
//!
//! let mut room = [0; 16];
//! let mut writer = Writer::new(&mut room);
//! writer.put(0x9F36, &[0x00, 0x1C])?;
//! let inner = writer.written();
//! assert_eq!(inner, [0x9F, 0x36, 0x02, 0x00, 0x1C]);
//! let mut room = [0; 16];
//! let mut outer = Writer::new(&mut room);
//! outer.put(0x70, inner)?;
//! assert_eq!(tlv::check(outer.written())?, 2);
//! let template = tlv::objects(outer.written()).next().expect("one object")?;
//! assert_eq!(tlv::value_of(template.value, 0x9F36), Some(&[0x00, 0x1C][..]));
//! # Ok::<(), tlv::TlvError>(())
//! ```

pub mod dol;
pub mod fuzzing;
pub mod tags;

use core::fmt;

/// One object: what it is, and what is in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Object<'a> {
    /// The tag's octets as one number, such as 9F36.
    pub tag: u32,
    /// What the length counts.
    pub value: &'a [u8],
    is_constructed: bool,
}

impl<'a> Object<'a> {
    /// Whether the value is a list of objects again.
    pub fn is_constructed(&self) -> bool {
        self.is_constructed
    }

    /// The objects inside; those of a primitive object are none.
    pub fn children(&self) -> Objects<'a> {
        objects(if self.is_constructed { self.value } else { &[] })
    }
}

/// The objects at the top level of `data`, one after the other, until the first fault.
pub fn objects(data: &[u8]) -> Objects<'_> {
    Objects { rest: data }
}

/// An iterator over the objects of a list.
#[derive(Clone, Debug)]
pub struct Objects<'a> {
    rest: &'a [u8],
}

impl<'a> Objects<'a> {
    /// What has not been read yet; nothing after a fault.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Objects<'a> {
    type Item = Result<Object<'a>, TlvError>;

    fn next(&mut self) -> Option<Self::Item> {
        while let [0, padded @ ..] = self.rest {
            self.rest = padded;
        }
        let first = *self.rest.first()?;
        match read_object(self.rest, first) {
            Ok((object, rest)) => {
                self.rest = rest;
                Some(Ok(object))
            }
            Err(error) => {
                self.rest = &[];
                Some(Err(error))
            }
        }
    }
}

fn read_object(data: &[u8], first: u8) -> Result<(Object<'_>, &[u8]), TlvError> {
    let (tag, after_tag) = read_tag(data).ok_or(TlvError::BadTag)?;
    let (len, after_len) = read_length(after_tag).ok_or(TlvError::BadLength)?;
    let (value, rest) = after_len.split_at_checked(len).ok_or(TlvError::Truncated)?;
    Ok((Object { tag, value, is_constructed: first & 0x20 != 0 }, rest))
}

/// Walks the whole tree of `data` and gives the number of objects in it.
///
/// # Errors
///
/// The first [`TlvError`] on the way.
pub fn check(data: &[u8]) -> Result<usize, TlvError> {
    let mut count = 0;
    check_level(data, DEPTH_MAX, &mut count)?;
    Ok(count)
}

fn check_level(data: &[u8], depth_left: usize, count: &mut usize) -> Result<(), TlvError> {
    let depth_left = depth_left.checked_sub(1).ok_or(TlvError::TooDeep)?;
    for object in objects(data) {
        let object = object?;
        *count += 1;
        if *count > OBJECTS_MAX {
            return Err(TlvError::TooMany);
        }
        if object.is_constructed {
            check_level(object.value, depth_left, count)?;
        }
    }
    Ok(())
}

/// Writes objects one after the other into room that the caller brings.
pub struct Writer<'a> {
    room: &'a mut [u8],
    len_octets: usize,
}

impl<'a> Writer<'a> {
    /// Begins at the front of `room`.
    pub fn new(room: &'a mut [u8]) -> Self {
        Self { room, len_octets: 0 }
    }

    /// Writes one object, its length in as few octets as it needs.
    ///
    /// # Errors
    ///
    /// [`TlvError::BadTag`] for a number that is no tag, [`TlvError::BadLength`] for a value of
    /// more than 65 535 octets, [`TlvError::NoRoom`]; nothing is written then.
    pub fn put(&mut self, tag: u32, value: &[u8]) -> Result<(), TlvError> {
        let [_, tag_octets @ ..] = tag.to_be_bytes();
        let tag_len = (32 - tag.leading_zeros() as usize).div_ceil(8).max(1);
        let tag_octets =
            tag_octets.get(3_usize.saturating_sub(tag_len)..).ok_or(TlvError::BadTag)?;
        let is_tag = tag != 0 && read_tag(tag_octets) == Some((tag, &[]));
        is_tag.then_some(()).ok_or(TlvError::BadTag)?;
        let len = u16::try_from(value.len()).map_err(|_| TlvError::BadLength)?;
        let [high, low] = len.to_be_bytes();
        let len_octets: &[u8] = match len {
            ..=0x7F => &[low],
            0x80..=0xFF => &[0x81, low],
            0x100.. => &[0x82, high, low],
        };
        let total = tag_octets.len() + len_octets.len() + value.len();
        let end = self.len_octets + total;
        let room = self.room.get_mut(self.len_octets..end).ok_or(TlvError::NoRoom)?;
        for (to, from) in room.iter_mut().zip(tag_octets.iter().chain(len_octets).chain(value)) {
            *to = *from;
        }
        self.len_octets = end;
        Ok(())
    }

    /// What has been written so far.
    pub fn written(&self) -> &[u8] {
        self.room.get(..self.len_octets).unwrap_or_default()
    }
}

/// Why octets are no list of objects, or cannot become one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TlvError {
    /// A length of more than three octets, of the indefinite form, or none where one should be.
    BadLength,
    /// A tag of more than three octets, or one that breaks off.
    BadTag,
    /// What is to be written does not fit.
    NoRoom,
    /// Objects inside objects beyond [`DEPTH_MAX`].
    TooDeep,
    /// More objects than [`OBJECTS_MAX`].
    TooMany,
    /// A value ends before its length does.
    Truncated,
}

impl fmt::Display for TlvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadLength => "TLV: a length that cannot be read",
            Self::BadTag => "TLV: a tag that cannot be read",
            Self::NoRoom => "TLV: no room for what is to be written",
            Self::TooDeep => "TLV: objects inside objects too deep",
            Self::TooMany => "TLV: too many objects",
            Self::Truncated => "TLV: a value ends before its length",
        })
    }
}

impl core::error::Error for TlvError {}

/// How deep objects may stand in one another; a card's directory uses three levels.
pub const DEPTH_MAX: usize = 6;

/// How many objects one tree may have; the data of a transaction are about twenty.
pub const OBJECTS_MAX: usize = 256;

/// The value of the first object with this `tag` at the top level of `data`.
///
/// `None` as well when the list breaks off before it: what cannot be read is not there. Tags have
/// one to three octets, lengths one to three.
///
/// ```
/// let data = [0x5F, 0x2A, 0x02, 0x09, 0x78, 0x9F, 0x1A, 0x02, 0x07, 0x05];
/// assert_eq!(cekr_emv::tlv::value_of(&data, 0x9F1A), Some(&[0x07, 0x05][..]));
/// assert_eq!(cekr_emv::tlv::value_of(&data, 0x9F36), None);
/// ```
#[must_use]
pub fn value_of(data: &[u8], tag: u32) -> Option<&[u8]> {
    let mut rest = data;
    while let Some((first, padded)) = rest.split_first() {
        // Octets of zero may stand before, between and after objects, and mean nothing.
        if *first == 0 {
            rest = padded;
            continue;
        }
        let (found, after_tag) = read_tag(rest)?;
        let (len, after_len) = read_length(after_tag)?;
        let (value, after) = after_len.split_at_checked(len)?;
        if found == tag {
            return Some(value);
        }
        rest = after;
    }
    None
}

/// The low five bits all set say that the tag goes on; bit 8 of each further octet says so again.
fn read_tag(data: &[u8]) -> Option<(u32, &[u8])> {
    let (first, mut rest) = data.split_first()?;
    let mut tag = u32::from(*first);
    if first & 0x1F != 0x1F {
        return Some((tag, rest));
    }
    for _ in 0..2 {
        let (next, after) = rest.split_first()?;
        tag = tag << 8 | u32::from(*next);
        rest = after;
        if next & 0x80 == 0 {
            return Some((tag, rest));
        }
    }
    None
}

fn read_length(data: &[u8]) -> Option<(usize, &[u8])> {
    match data {
        [short @ ..=0x7F, rest @ ..] => Some((usize::from(*short), rest)),
        [0x81, len, rest @ ..] => Some((usize::from(*len), rest)),
        [0x82, high, low, rest @ ..] => {
            Some((usize::from(u16::from_be_bytes([*high, *low])), rest))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    extern crate std;

    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_length_past_the_end_ends_the_search() {
        assert_eq!(value_of(&[0x95, 0x05, 0, 0, 0], 0x95), None);
        assert_eq!(value_of(&[0x95, 0x82, 0xFF], 0x95), None);
        assert_eq!(value_of(&[0x9F], 0x9F), None);
        assert_eq!(value_of(&[0x9F, 0x81, 0x82, 0x83, 0x01, 0x00], 0x9F81), None);
    }

    #[test]
    fn zeros_between_objects_mean_nothing() {
        let data = [0x00, 0x82, 0x01, 0x00, 0x00, 0x00, 0x95, 0x01, 0x07, 0x00];
        assert_eq!(value_of(&data, 0x95), Some(&[0x07][..]));
        assert_eq!(value_of(&data, 0x9A), None);
    }

    #[test]
    fn a_long_length_and_a_three_octet_tag_are_read() {
        let mut data = [0_u8; 4 + 2 + 200];
        data[..6].copy_from_slice(&[0xDF, 0x81, 0x01, 0x81, 0xC8, 0x07]);
        let data = &data[..5 + 200];
        assert_eq!(value_of(data, 0x00DF_8101).map(<[u8]>::len), Some(200));
    }

    #[test]
    fn names_what_is_wrong() {
        for (data, error) in [
            (&[0x9F][..], TlvError::BadTag),
            (&[0x9F, 0x81, 0x82, 0x83, 0x01, 0x00], TlvError::BadTag),
            (&[0x95], TlvError::BadLength),
            (&[0x95, 0x80, 0x00, 0x00], TlvError::BadLength),
            (&[0x95, 0x83, 0x00, 0x00, 0x01, 0x00], TlvError::BadLength),
            (&[0x95, 0x02, 0x00], TlvError::Truncated),
            (&[0x70, 0x03, 0x95, 0x02, 0x00], TlvError::Truncated),
        ] {
            assert_eq!(check(data), Err(error), "{data:02X?}");
        }
        assert_eq!(check(&[0x82, 0x00].repeat(OBJECTS_MAX)), Ok(OBJECTS_MAX));
        assert_eq!(check(&[0x82, 0x00].repeat(OBJECTS_MAX + 1)), Err(TlvError::TooMany));
        let mut nested: Vec<u8> = [].into();
        for depth in 1..=DEPTH_MAX {
            let mut outer = std::vec![0x70, nested.len() as u8];
            outer.append(&mut nested);
            nested = outer;
            let expected = if depth < DEPTH_MAX { Ok(depth) } else { Err(TlvError::TooDeep) };
            assert_eq!(check(&nested), expected, "{depth} levels");
        }
    }

    #[test]
    fn writes_nothing_that_it_could_not_read() {
        let mut room = [0; 6];
        let mut writer = Writer::new(&mut room);
        for tag in [0, 0x9F, 0x001F_3600, 0x0100, 0x009F_3601, 0xDF81_8101, 0x0001_0000_u32] {
            assert_eq!(writer.put(tag, &[1]), Err(TlvError::BadTag), "{tag:X}");
        }
        assert_eq!(writer.put(0x95, &[0; 70_000]), Err(TlvError::BadLength));
        assert_eq!(writer.put(0x95, &[0; 5]), Err(TlvError::NoRoom));
        assert!(writer.written().is_empty());
        assert_eq!(writer.put(0x00DF_8101, &[7, 8]), Ok(()));
        assert_eq!(writer.written(), [0xDF, 0x81, 0x01, 2, 7, 8]);
    }

    proptest! {
        #[test]
        fn reads_what_was_written(
            tag in prop::sample::select(std::vec![0x82_u32, 0x95, 0x9F36, 0x5F2A, 0x00DF_8101]),
            first in prop::collection::vec(any::<u8>(), 0..300),
            second in prop::collection::vec(any::<u8>(), 0..10),
        ) {
            let mut room = [0; 400];
            let mut writer = Writer::new(&mut room);
            writer.put(tag, &first).unwrap();
            writer.put(0x9C, &second).unwrap();
            let read: Vec<_> = objects(writer.written()).map(Result::unwrap).collect();
            prop_assert_eq!((read[0].tag, read[0].value), (tag, &first[..]));
            prop_assert_eq!((read[1].tag, read[1].value), (0x9C, &second[..]));
            prop_assert_eq!(read.len(), 2);
        }

        #[test]
        fn any_octets_are_read_or_refused(data in prop::collection::vec(any::<u8>(), 0..200)) {
            if check(&data).is_ok() {
                prop_assert!(objects(&data).all(|object| object.is_ok()));
            }
        }
    }
}
