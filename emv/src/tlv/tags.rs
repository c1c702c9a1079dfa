//! What tags are called, who brings them, what they look like, and what of them may be shown.
//!
//! One table of the objects of EMV 4.3 Book 3, Annex A, with the contactless ones of Book C-3 and
//! Visa's usual own beside them. A tag that is not in it is shown as unknown, never guessed; what
//! it holds is shown, so a reader of real cards' data takes care with tags of issuers' own.
//!
//! ```
//! use cekr_emv::tlv::tags;
//!
//! let tag = tags::find(0x9F36).expect("a tag of the standard");
//! assert_eq!(tag.name, "Application Transaction Counter (ATC)");
//! assert_eq!(tags::name(0xDF81), "Unknown object");
//! let number = [0x47, 0x61, 0x73, 0x00, 0x00, 0x00, 0x00, 0x11];
//! assert_eq!(tags::shown(0x5A, &number).to_string(), "476173******0011");
//! ```

mod meaning;
mod table;

pub use meaning::explain;
pub use table::TAGS;

use core::fmt;

/// A row of the dictionary.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tag {
    /// The tag's octets as one number, such as 9F36.
    pub tag: u32,
    /// Its name in the standard.
    pub name: &'static str,
    /// Who brings it.
    pub source: Source,
    /// How its value is written.
    pub format: Format,
    /// The fewest octets that it has.
    pub len_min: u8,
    /// The most octets that it has.
    pub len_max: u8,
    /// What of it may be shown.
    pub sensitivity: Sensitivity,
}

/// Who brings an object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Source {
    /// The chip.
    Card,
    /// The issuer, in its answer.
    Issuer,
    /// The terminal.
    Terminal,
}

/// How a value is written (EMV 4.3 Book 3, section 4.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// a: letters.
    Alphabetic,
    /// an: letters and digits.
    Alphanumeric,
    /// ans: any characters of ISO 8859.
    AlphanumericSpecial,
    /// b: octets.
    Binary,
    /// cn: digits from the left, filled up with F.
    CompressedNumeric,
    /// n: digits from the right, filled up with zeros.
    Numeric,
    /// A list of objects.
    Template,
}

/// What of a value may be shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sensitivity {
    /// The first six and the last four digits.
    CardNumber,
    /// Nothing.
    Hidden,
    /// All.
    Open,
    /// The first six and the last four digits of the card number, nothing behind it.
    Track2,
}

/// The dictionary's row for a tag.
pub fn find(tag: u32) -> Option<&'static Tag> {
    let place = TAGS.binary_search_by_key(&tag, |row| row.tag).ok()?;
    TAGS.get(place)
}

/// What a tag is called; one that is not in the table is unknown.
pub fn name(tag: u32) -> &'static str {
    find(tag).map_or("Unknown object", |row| row.name)
}

/// Whether the dictionary allows for a value of this many octets; what it does not know is allowed.
pub fn is_len_allowed(tag: u32, len_octets: usize) -> bool {
    find(tag).is_none_or(|row| {
        (usize::from(row.len_min)..=usize::from(row.len_max)).contains(&len_octets)
    })
}

/// A value in hexadecimal digits, with stars for what may not be shown.
pub fn shown(tag: u32, value: &[u8]) -> Shown<'_> {
    let sensitivity = find(tag).map_or(Sensitivity::Open, |row| row.sensitivity);
    Shown { sensitivity, value }
}

/// The value as text, if the dictionary says that it is text, all of it is printable, and all of
/// it may be shown.
pub fn text(tag: u32, value: &[u8]) -> Option<&str> {
    let row = find(tag).filter(|row| row.sensitivity == Sensitivity::Open)?;
    match row.format {
        Format::Alphabetic | Format::Alphanumeric | Format::AlphanumericSpecial => {
            let printable = value.iter().all(|octet| (b' '..=b'~').contains(octet));
            core::str::from_utf8(value).ok().filter(|_| printable && !value.is_empty())
        }
        Format::Binary | Format::CompressedNumeric | Format::Numeric | Format::Template => None,
    }
}

/// A value to be displayed, see [`shown`].
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    sensitivity: Sensitivity,
    value: &'a [u8],
}

impl Shown<'_> {
    /// Whether the hexadecimal digit at `place` must not be seen; the first is 0.
    pub fn hides(&self, place: usize) -> bool {
        let digits = 2 * self.value.len();
        match self.sensitivity {
            Sensitivity::Open => false,
            Sensitivity::Hidden => true,
            Sensitivity::CardNumber => {
                let len = self.digits().position(|digit| digit == 0xF).unwrap_or(digits);
                hides_middle(place, len)
            }
            Sensitivity::Track2 => match self.digits().position(|digit| digit == 0xD) {
                Some(len) => hides_middle(place, len),
                // Without a separator nobody can say where the card number ends.
                None => true,
            },
        }
    }

    fn digits(&self) -> impl Iterator<Item = u8> + '_ {
        self.value.iter().flat_map(|octet| [octet >> 4, octet & 0x0F])
    }
}

/// All but the first six and the last four of `len` digits; all of what is too short for a card
/// number, and what follows the number.
fn hides_middle(place: usize, len: usize) -> bool {
    len < 13 || place >= len || (6..len - 4).contains(&place)
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, digit) in self.digits().enumerate() {
            if self.hides(place) {
                f.write_str("*")?;
            } else {
                write!(f, "{digit:X}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shown({self})")
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::ToString;

    use super::*;

    #[test]
    fn every_row_is_a_tag_with_a_name_in_order() {
        assert!(TAGS.is_sorted_by(|a, b| a.tag < b.tag));
        for row in TAGS {
            let [_, octets @ ..] = row.tag.to_be_bytes();
            let octets = &octets[octets.iter().position(|octet| *octet != 0).expect("a tag")..];
            assert_eq!(crate::tlv::read_tag(octets), Some((row.tag, &[][..])), "{:X}", row.tag);
            assert!(row.len_min <= row.len_max && !row.name.is_empty(), "{row:?}");
            let is_template = octets[0] & 0x20 != 0;
            assert_eq!(row.format == Format::Template, is_template, "{row:?}");
        }
    }

    #[test]
    fn what_names_a_person_a_card_or_a_pin_is_not_shown() {
        let track = [0x47, 0x61, 0x73, 0, 0, 0, 0, 0x11, 0xD3, 0x01, 0x22, 0x01, 0x1F];
        assert_eq!(shown(0x57, &track).to_string(), "476173******0011**********");
        assert_eq!(shown(0x57, &track[..8]).to_string(), "*".repeat(16));
        let filled = [0x47, 0x61, 0x73, 0x00, 0x00, 0x00, 0x01, 0x1F, 0xFF];
        assert_eq!(shown(0x5A, &filled).to_string(), "476173*****0011***");
        for tag in [0x56, 0x5F20, 0x99, 0x9F0B, 0x9F1F, 0x9F20] {
            assert_eq!(shown(tag, b"\x12\x34").to_string(), "****", "{tag:X}");
            assert_eq!(text(tag, b"NOVAK/ANA"), None, "{tag:X}");
        }
        assert_eq!(shown(0x5A, &[0x12, 0x34]).to_string(), "****");
        assert_eq!(shown(0x9F36, &[0x00, 0x1C]).to_string(), "001C");
        assert_eq!(shown(0xDF01, &[0xAB]).to_string(), "AB");
    }

    #[test]
    fn text_is_shown_where_it_is_text() {
        assert_eq!(text(0x50, b"CeKR VISA"), Some("CeKR VISA"));
        assert_eq!(text(0x50, b"CeKR\x1B[2J"), None);
        assert_eq!(text(0x9F36, b"AB"), None);
    }

    #[test]
    fn lengths_are_those_of_the_standard() {
        assert!(is_len_allowed(0x95, 5) && !is_len_allowed(0x95, 4));
        assert!(is_len_allowed(0x5A, 8) && is_len_allowed(0x5A, 10) && !is_len_allowed(0x5A, 11));
        assert!(is_len_allowed(0xDF01, 200));
    }
}
