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
    #[inline]
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
    #[inline]
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
    #[inline]
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
    #[inline]
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        if let Some(ascii) = self.ascii() {
            let proven = matches!(self.def.class(), Class::N);
            return if proven || digits::all_digits(ascii) { digits::number(ascii) } else { None };
        }
        if (self.def.class(), self.def.encoding()) == (Class::N, Encoding::Bcd) {
            return self.packed_number();
        }
        let mut characters = self.characters();
        if characters.count > 19 {
            return None;
        }
        characters.try_fold(0, |number: u64, character| {
            character.is_ascii_digit().then(|| number * 10 + u64::from(character & 0x0f))
        })
    }

    /// The number of proven BCD digits: an idle nibble in front is zero, one behind is cut off.
    fn packed_number(&self) -> Option<u64> {
        if self.len > 19 {
            return None;
        }
        let (last, head) = self.octets.split_last()?;
        let pair = |octet: &u8| u64::from(octet >> 4) * 10 + u64::from(octet & 0x0f);
        let upper = head.iter().fold(0, |number, octet| number * 100 + pair(octet));
        let is_cut = self.def.pad() == Pad::Right && !self.len.is_multiple_of(2);
        Some(if is_cut { upper * 10 + u64::from(last >> 4) } else { upper * 100 + pair(last) })
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

    /// An octet of a binary value or of hexadecimal text.
    pub(crate) fn octet(&self, at: usize) -> Option<u8> {
        let high = hex_value(self.character(at * 2)?)?;
        Some(high << 4 | hex_value(self.character(at * 2 + 1)?)?)
    }

    /// The character at a place below the count, as [`Field::characters`] gives it.
    pub(crate) fn character(&self, at: usize) -> Option<u8> {
        let place = self.place(at);
        let octet = *self.octets.get(place.octet)?;
        let nibble = match place.part {
            Part::High => octet >> 4,
            Part::Low => octet & 0x0f,
            Part::Whole => {
                return Some(match (self.def.class(), self.def.encoding()) {
                    (Class::B, Encoding::Hex) => octet.to_ascii_uppercase(),
                    (Class::B, _) => octet,
                    (_, Encoding::Ebcdic) => ebcdic::to_ascii(octet),
                    (_, Encoding::Ascii | Encoding::Bcd | Encoding::Binary | Encoding::Hex) => {
                        octet
                    }
                });
            }
        };
        Some(match (self.def.class(), nibble) {
            (_, 0..=9) | (Class::B, _) => hex_digit(nibble),
            // The only other nibble that decoding lets through: a track's separator.
            _ => b'=',
        })
    }

    /// Where a character stands in the value's octets.
    pub(crate) const fn place(&self, at: usize) -> Place {
        match (self.def.class(), self.def.encoding()) {
            (Class::B, Encoding::Hex) => Place::whole(at),
            (Class::B, _) => Place::nibble(at),
            (Class::Xn, Encoding::Bcd) if at == 0 => Place::whole(0),
            (Class::Xn, Encoding::Bcd) => {
                let idle = self.idle_nibbles(self.len.saturating_sub(1));
                // The sign takes the two places before the digits.
                Place::nibble(at + 1 + idle)
            }
            (_, Encoding::Bcd) => Place::nibble(at + self.idle_nibbles(self.len)),
            (_, Encoding::Ascii | Encoding::Binary | Encoding::Ebcdic | Encoding::Hex) => {
                Place::whole(at)
            }
        }
    }

    /// Idle nibbles before so many digits.
    const fn idle_nibbles(&self, digits: usize) -> usize {
        match self.def.pad() {
            Pad::Left => digits % 2,
            Pad::Right => 0,
        }
    }
}

/// Where a character stands.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// Octets from the start of the value.
    pub(crate) octet: usize,
    /// Which part of that octet.
    pub(crate) part: Part,
}

/// What part of an octet a character takes.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    High,
    Low,
    Whole,
}

impl Place {
    const fn whole(octet: usize) -> Place {
        Place { octet, part: Part::Whole }
    }

    const fn nibble(place: usize) -> Place {
        let part = if place.is_multiple_of(2) { Part::High } else { Part::Low };
        Place { octet: place / 2, part }
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
