//! One field of a view: its octets, and its characters whatever the encoding.

use core::fmt;

use crate::spec::{Class, Encoding, FieldDef, Pad, Subfields, hex_digit, hex_value};
use crate::{digits, ebcdic};

/// A field of a message. Its shape is proven; its value is not judged. `Debug` shows no value.
#[derive(Clone, Copy)]
pub struct Field<'a> {
    octets: &'a [u8],
    def: &'a FieldDef,
    len: usize,
}

impl<'a> Field<'a> {
    pub(crate) const fn new(octets: &'a [u8], def: &'a FieldDef, len: usize) -> Field<'a> {
        Field { octets, def, len }
    }

    /// The value as on the wire, without its length prefix.
    #[must_use]
    pub const fn raw(&self) -> &'a [u8] {
        self.octets
    }

    /// The definition that it was read by.
    #[must_use]
    pub const fn def(&self) -> &'a FieldDef {
        self.def
    }

    /// Digits or characters; for class b, octets of the value.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether a variable field came empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The value as ASCII characters: digits of a number, text, `=` for a packed track's
    /// separator, upper-case hexadecimal digits of octets.
    #[must_use]
    pub fn characters(&self) -> Characters<'a> {
        let count = match self.def.class() {
            Class::B => self.len * 2,
            Class::An | Class::Ans | Class::N | Class::Xn | Class::Z => self.len,
        };
        Characters { field: *self, at: 0, count }
    }

    /// The text itself, where it is written in ASCII.
    #[must_use]
    pub const fn ascii(&self) -> Option<&'a [u8]> {
        match (self.def.class(), self.def.encoding()) {
            (Class::B, _) => None,
            (_, Encoding::Ascii) => Some(self.octets),
            (_, Encoding::Bcd | Encoding::Binary | Encoding::Ebcdic | Encoding::Hex) => None,
        }
    }

    /// Copies the characters to the front of `out`; `None` if it is too short.
    #[must_use]
    pub fn text<'o>(&self, out: &'o mut [u8]) -> Option<&'o [u8]> {
        let characters = self.characters();
        let out = out.get_mut(..characters.count)?;
        if let Some(ascii) = self.ascii() {
            out.copy_from_slice(ascii);
        } else {
            for (to, from) in out.iter_mut().zip(characters) {
                *to = from;
            }
        }
        Some(out)
    }

    /// The characters as an array, padded with spaces on the right, cut if there are more.
    #[must_use]
    pub fn array<const N: usize>(&self) -> [u8; N] {
        if let Some(exact) = self.ascii().and_then(<[u8]>::as_array::<N>) {
            return *exact;
        }
        let mut array = [b' '; N];
        for (to, from) in array.iter_mut().zip(self.characters()) {
            *to = from;
        }
        array
    }

    /// The numeric value; `None` if it has more than 19 digits or something else than digits.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        if let Some(ascii) = self.ascii() {
            let proven = matches!(self.def.class(), Class::N);
            return if proven || digits::all_digits(ascii) { digits::number(ascii) } else { None };
        }
        if self.len > 19 {
            return None;
        }
        self.characters().try_fold(0, |number: u64, character| {
            character.is_ascii_digit().then(|| number * 10 + u64::from(character & 0x0f))
        })
    }

    /// The octets of a binary value: as they are, or decoded from hexadecimal text to the front of
    /// `out`. `None` if `out` is too short, or a text is no hexadecimal one.
    #[must_use]
    pub fn octets<'o>(&self, out: &'o mut [u8]) -> Option<&'o [u8]>
    where
        'a: 'o,
    {
        let is_hex = match (self.def.class(), self.def.encoding()) {
            (Class::B, Encoding::Hex) => true,
            (Class::B, _) => false,
            (Class::An | Class::Ans, Encoding::Ascii) => self.def.subfields() == Subfields::Chip,
            (Class::An | Class::Ans | Class::N | Class::Xn | Class::Z, _) => false,
        };
        if !is_hex {
            return Some(self.octets);
        }
        let (pairs, rest) = self.octets.as_chunks::<2>();
        let out = out.get_mut(..pairs.len())?;
        for (to, [high, low]) in out.iter_mut().zip(pairs) {
            *to = hex_value(*high)? << 4 | hex_value(*low)?;
        }
        rest.is_empty().then_some(out)
    }

    /// The character at a place below the count, as [`Field::characters`] gives it.
    fn character(&self, at: usize) -> Option<u8> {
        match (self.def.class(), self.def.encoding()) {
            (Class::B, Encoding::Hex) => self.octets.get(at).map(u8::to_ascii_uppercase),
            (Class::B, _) => self.octets.get(at / 2).map(|octet| hex_digit(nibble(*octet, at))),
            (Class::Xn, Encoding::Bcd) if at == 0 => self.octets.first().copied(),
            (Class::Xn, Encoding::Bcd) => {
                self.packed(self.octets.get(1..)?, self.len.saturating_sub(1), at - 1)
            }
            (_, Encoding::Bcd) => self.packed(self.octets, self.len, at),
            (_, Encoding::Ebcdic) => self.octets.get(at).map(|octet| ebcdic::to_ascii(*octet)),
            (_, Encoding::Ascii | Encoding::Binary | Encoding::Hex) => self.octets.get(at).copied(),
        }
    }

    fn packed(&self, octets: &[u8], digits: usize, at: usize) -> Option<u8> {
        let idle = match self.def.pad() {
            Pad::Left => digits % 2,
            Pad::Right => 0,
        };
        let place = at + idle;
        octets.get(place / 2).map(|octet| match nibble(*octet, place) {
            digit @ 0..=9 => b'0' + digit,
            // The only other nibble that decoding lets through: a track's separator.
            _ => b'=',
        })
    }
}

impl fmt::Debug for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Field").field("len", &self.len).finish_non_exhaustive()
    }
}

/// The characters of a field.
#[derive(Clone, Debug)]
pub struct Characters<'a> {
    field: Field<'a>,
    at: usize,
    count: usize,
}

impl Iterator for Characters<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        if self.at >= self.count {
            return None;
        }
        let character = self.field.character(self.at);
        self.at += 1;
        character
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let rest = self.count.saturating_sub(self.at);
        (rest, Some(rest))
    }
}

impl ExactSizeIterator for Characters<'_> {}

const fn nibble(octet: u8, place: usize) -> u8 {
    if place.is_multiple_of(2) { octet >> 4 } else { octet & 0x0f }
}
