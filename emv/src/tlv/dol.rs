//! Data object lists: what a chip wants to be told, as tags and lengths without values.
//!
//! The terminal answers with the values side by side, each cut or filled up to the length that the
//! chip asked for; what it does not know is zeros.
//!
//! Source: EMV 4.3 Book 3, section 5.4.
//!
//! ```
//! use cekr_emv::tlv::dol::{self, Format};
//!
//! // Amount (numeric), six octets; date, three; an unknown tag, two.
//! let list = [0x9F, 0x02, 0x06, 0x9A, 0x03, 0xDF, 0x01, 0x02];
//! let mut room = [0; 16];
//! let len = dol::fill(&list, &mut room, |tag| match tag {
//!     0x9F02 => Some((&[0x24, 0x90][..], Format::Numeric)),
//!     0x9A => Some((&[0x26, 0x11, 0x22][..], Format::Numeric)),
//!     _ => None,
//! })?;
//! assert_eq!(room[..len], [0, 0, 0, 0, 0x24, 0x90, 0x26, 0x11, 0x22, 0, 0]);
//! # Ok::<(), cekr_emv::tlv::TlvError>(())
//! ```

use super::{OBJECTS_MAX, TlvError, read_tag};

/// How a value is cut and filled up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// Digits from the left: filled up with F behind.
    CompressedNumeric,
    /// Digits from the right: cut and filled up with zeros in front.
    Numeric,
    /// Anything else: cut behind, filled up with zeros behind.
    Other,
}

/// Writes the values that `list` asks for into `room`, and gives their length together in octets.
///
/// # Errors
///
/// [`TlvError::BadTag`] or [`TlvError::BadLength`] where the list cannot be read,
/// [`TlvError::TooMany`] beyond [`OBJECTS_MAX`] entries, [`TlvError::NoRoom`].
pub fn fill<'v>(
    list: &[u8],
    room: &mut [u8],
    mut value_of: impl FnMut(u32) -> Option<(&'v [u8], Format)>,
) -> Result<usize, TlvError> {
    let (mut rest, mut len_octets) = (list, 0);
    for _ in 0..=OBJECTS_MAX {
        if rest.is_empty() {
            return Ok(len_octets);
        }
        let (tag, after_tag) = read_tag(rest).ok_or(TlvError::BadTag)?;
        let (len, after_len) = after_tag.split_first().ok_or(TlvError::BadLength)?;
        rest = after_len;
        let end = len_octets + usize::from(*len);
        let place = room.get_mut(len_octets..end).ok_or(TlvError::NoRoom)?;
        let (value, format) = value_of(tag).unwrap_or((&[], Format::Other));
        fit(value, format, place);
        len_octets = end;
    }
    Err(TlvError::TooMany)
}

/// A value cut and filled up to the place it gets.
fn fit(value: &[u8], format: Format, place: &mut [u8]) {
    match format {
        Format::Numeric => {
            let digits = value.iter().rev().copied().chain(core::iter::repeat(0));
            place.iter_mut().rev().zip(digits).for_each(|(to, from)| *to = from);
        }
        Format::CompressedNumeric | Format::Other => {
            let filler = if format == Format::CompressedNumeric { 0xFF } else { 0 };
            let octets = value.iter().copied().chain(core::iter::repeat(filler));
            place.iter_mut().zip(octets).for_each(|(to, from)| *to = from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Format, fill};
    use crate::tlv::TlvError;

    #[test]
    fn cuts_and_fills_on_the_side_of_the_format() {
        let value = &[0x12, 0x34, 0x56][..];
        for (format, len, expected) in [
            (Format::Numeric, 2, &[0x34, 0x56][..]),
            (Format::Numeric, 4, &[0x00, 0x12, 0x34, 0x56]),
            (Format::CompressedNumeric, 2, &[0x12, 0x34]),
            (Format::CompressedNumeric, 4, &[0x12, 0x34, 0x56, 0xFF]),
            (Format::Other, 2, &[0x12, 0x34]),
            (Format::Other, 4, &[0x12, 0x34, 0x56, 0x00]),
        ] {
            let mut room = [0xEE; 4];
            let filled = fill(&[0x5A, len], &mut room, |_| Some((value, format)));
            assert_eq!(filled, Ok(usize::from(len)));
            assert_eq!(room.get(..expected.len()), Some(expected), "{format:?} in {len}");
        }
    }

    #[test]
    fn a_list_that_breaks_off_or_asks_too_much_is_refused() {
        let filled = |list: &[u8]| fill(list, &mut [0; 8], |_| None);
        assert_eq!(filled(&[]), Ok(0));
        assert_eq!(filled(&[0x9F]), Err(TlvError::BadTag));
        assert_eq!(filled(&[0x9F, 0x02]), Err(TlvError::BadLength));
        assert_eq!(filled(&[0x95, 0x09]), Err(TlvError::NoRoom));
        let many: [u8; 600] = core::array::from_fn(|place| if place % 2 == 0 { 0x95 } else { 0 });
        assert_eq!(filled(&many), Err(TlvError::TooMany));
    }
}
