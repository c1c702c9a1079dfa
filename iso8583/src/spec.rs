//! A spec: for each data element its class, encoding, length rule, padding, mask and parts.
//!
//! One interpreter ([`crate::View`], [`crate::Writer`]) serves every spec, so a table built from a
//! file at start-up runs exactly like the tables in [`crate::table`].

use crate::error::ParseErrorKind;
use crate::{ebcdic, table};

/// What characters a field may hold (ISO 8583:1987, 4.4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Class {
    /// Letters and digits. Not checked: peers use more.
    An,
    /// Letters, digits and special characters: any octet.
    Ans,
    /// Octets without a character set.
    B,
    /// Digits.
    N,
    /// A sign, `C` or `D`, then digits; the sign counts in the length.
    Xn,
    /// Track 2 and 3 characters (ISO/IEC 7811-2): `0` to `?` in ASCII, and `D` for `=`.
    Z,
}

/// How characters, digits or octets are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Encoding {
    /// One ASCII character an octet.
    Ascii,
    /// Two decimal digits an octet, the first in the high nibble.
    Bcd,
    /// Octets as they are; as a length prefix, a big-endian number.
    Binary,
    /// One character an octet, code page 1047.
    Ebcdic,
    /// Two hexadecimal ASCII characters an octet.
    Hex,
}

/// Where a value shorter than its field is filled, and which nibble of an odd BCD value is idle.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pad {
    /// Before the value: `051` in BCD is `00 51`.
    Left,
    /// After the value: `051` in BCD is `05 10`.
    Right,
}

/// What a length prefix counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Counts {
    /// Digits or characters; for class b, octets of the value whatever the encoding.
    Characters,
    /// Octets as written.
    Octets,
}

/// The length prefix of a variable field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Prefix {
    /// Decimal digits, 1 to 6: 2 for LLVAR, 3 for LLLVAR. In BCD and binary two of them share an
    /// octet; an odd count has an idle nibble in front.
    pub digits: u8,
    /// How the digits are written.
    pub encoding: Encoding,
    /// What they count.
    pub counts: Counts,
}

impl Prefix {
    /// LLVAR: two digits that count characters.
    #[must_use]
    pub const fn ll(encoding: Encoding) -> Prefix {
        Prefix { digits: 2, encoding, counts: Counts::Characters }
    }

    /// LLLVAR: three digits that count characters.
    #[must_use]
    pub const fn lll(encoding: Encoding) -> Prefix {
        Prefix { digits: 3, encoding, counts: Counts::Characters }
    }

    /// Octets that the prefix takes.
    #[must_use]
    pub const fn octets(self) -> usize {
        match self.encoding {
            Encoding::Ascii | Encoding::Ebcdic | Encoding::Hex => self.digits as usize,
            Encoding::Bcd | Encoding::Binary => self.digits.div_ceil(2) as usize,
        }
    }

    /// The number a prefix of the right length writes, or `None` if it writes none.
    pub(crate) fn read(self, octets: &[u8]) -> Option<usize> {
        let radix = match self.encoding {
            Encoding::Ascii | Encoding::Bcd | Encoding::Ebcdic => 10,
            Encoding::Hex => 16,
            Encoding::Binary => 256,
        };
        octets.iter().try_fold(0, |sum: usize, octet| {
            let octet = *octet;
            match self.encoding {
                Encoding::Binary => Some(sum * radix + usize::from(octet)),
                Encoding::Bcd => {
                    let (high, low) = (octet >> 4, octet & 0x0f);
                    (high <= 9 && low <= 9)
                        .then(|| sum * 100 + usize::from(high) * 10 + usize::from(low))
                }
                Encoding::Ascii | Encoding::Ebcdic | Encoding::Hex => {
                    let character = match self.encoding {
                        Encoding::Ebcdic => ebcdic::to_ascii(octet),
                        Encoding::Ascii | Encoding::Bcd | Encoding::Binary | Encoding::Hex => octet,
                    };
                    let digit =
                        char::from(character).to_digit(if radix == 16 { 16 } else { 10 })?;
                    Some(sum * radix + usize::try_from(digit).ok()?)
                }
            }
        })
    }

    /// Writes `length` over the whole of `out`, which has [`Prefix::octets`] octets. `None` if it
    /// does not fit.
    pub(crate) fn write(self, length: usize, out: &mut [u8]) -> Option<()> {
        let radix = match self.encoding {
            Encoding::Ascii | Encoding::Ebcdic => 10,
            Encoding::Bcd => 100,
            Encoding::Hex => 16,
            Encoding::Binary => 256,
        };
        let mut rest = length;
        for octet in out.iter_mut().rev() {
            // Each remainder is below 256 by its radix.
            let digit = (rest % radix) as u8;
            rest /= radix;
            *octet = match self.encoding {
                Encoding::Ascii => b'0' + digit,
                Encoding::Ebcdic => 0xf0 + digit,
                Encoding::Bcd => (digit / 10) << 4 | (digit % 10),
                Encoding::Hex => hex_digit(digit),
                Encoding::Binary => digit,
            };
        }
        (rest == 0).then_some(())
    }
}

/// How long a field's value is. Lengths count digits or characters; for class b, octets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Length {
    /// The spec does not define the field.
    Absent,
    /// Always this long.
    Fixed(u16),
    /// As long as its prefix says.
    Variable {
        /// The longest value.
        max: u16,
        /// How the length is written.
        prefix: Prefix,
    },
}

/// What of a value may be shown to people and logs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mask {
    /// Everything, except what looks like a card number in free text.
    Clear,
    /// A card number: its first six and last four digits.
    Pan,
    /// Track 2: first six and last four digits of the card number.
    Track,
    /// Nothing but the length.
    Wipe,
}

/// What parts a value has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Subfields {
    /// DE 54: groups of 20 characters, one amount each.
    Amounts,
    /// DE 55: BER-TLV objects of a chip.
    Chip,
    /// None that the spec knows.
    None,
    /// DE 90: MTI, STAN, transmission time, acquirer and forwarder of the original.
    Original,
    /// DE 95: amounts that replace those of the original.
    Replacements,
    /// DE 48: two-digit id, two-digit length, value; and so on.
    Tagged,
}

/// The definition of one data element.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FieldDef {
    class: Class,
    encoding: Encoding,
    length: Length,
    pad: Pad,
    mask: Mask,
    subfields: Subfields,
    /// Octets of a fixed value; kept so that decoding need not work them out.
    octets: u16,
    /// Octets of the length prefix, kept likewise; 0 where the length is fixed.
    prefix_octets: u8,
    check: Check,
    /// Octets of a fixed value of any ASCII characters; 0 for every other field.
    ascii_text: u16,
}

/// What decoding verifies of a value; follows from class, encoding and padding.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Check {
    Anything,
    Digits,
    Other,
    Track,
}

impl FieldDef {
    /// A field that the spec does not define.
    pub const ABSENT: FieldDef = FieldDef::new(Class::B, Encoding::Binary, Length::Absent);

    /// A field that shows its value and has no parts. BCD pads on the left where the length is
    /// fixed, on the right where it is not; numbers pad on the left, text on the right.
    #[must_use]
    pub const fn new(class: Class, encoding: Encoding, length: Length) -> FieldDef {
        let pad = match (class, length) {
            (Class::N | Class::Xn, Length::Fixed(_)) => Pad::Left,
            _ => Pad::Right,
        };
        let octets = match length {
            // At most twice a u16's maximum is refused by the longest message anyway.
            Length::Fixed(length) => octets_of(class, encoding, length as usize) as u16,
            Length::Absent | Length::Variable { .. } => 0,
        };
        let prefix_octets = match length {
            // At most as many as a u8 of digits.
            Length::Variable { prefix, .. } => prefix.octets() as u8,
            Length::Absent | Length::Fixed(_) => 0,
        };
        // A prefix that is no text would break the run of digits that decoding checks at once.
        let in_run = match length {
            Length::Variable { prefix, .. } => matches!(prefix.encoding, Encoding::Ascii),
            Length::Absent | Length::Fixed(_) => true,
        };
        let check = match (class, encoding) {
            (Class::An | Class::Ans, _) | (Class::B, Encoding::Binary) => Check::Anything,
            (Class::N, Encoding::Ascii) if in_run => Check::Digits,
            (Class::Z, Encoding::Ascii) => Check::Track,
            _ => Check::Other,
        };
        let ascii_text = match (class, encoding) {
            (Class::An | Class::Ans, Encoding::Ascii) => octets,
            _ => 0,
        };
        FieldDef {
            class,
            encoding,
            length,
            pad,
            mask: Mask::Clear,
            subfields: Subfields::None,
            octets,
            prefix_octets,
            check,
            ascii_text,
        }
    }

    /// The same field with another mask.
    #[must_use]
    pub const fn masked(mut self, mask: Mask) -> FieldDef {
        self.mask = mask;
        self
    }

    /// The same field with parts.
    #[must_use]
    pub const fn with_subfields(mut self, subfields: Subfields) -> FieldDef {
        self.subfields = subfields;
        self
    }

    /// The same field padded elsewhere.
    #[must_use]
    pub const fn padded(mut self, pad: Pad) -> FieldDef {
        self.pad = pad;
        self
    }

    /// What characters it may hold.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.class
    }

    /// How the value is written.
    #[must_use]
    pub const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// How long it is.
    #[must_use]
    pub const fn length(&self) -> Length {
        self.length
    }

    /// Where it is padded.
    #[must_use]
    pub const fn pad(&self) -> Pad {
        self.pad
    }

    /// What of it may be shown.
    #[must_use]
    pub const fn mask(&self) -> Mask {
        self.mask
    }

    /// What parts it has.
    #[must_use]
    pub const fn subfields(&self) -> Subfields {
        self.subfields
    }

    /// Octets of a fixed value as written.
    #[inline]
    pub(crate) const fn fixed_octets(&self) -> usize {
        self.octets as usize
    }

    /// What decoding verifies.
    #[inline]
    pub(crate) const fn check(&self) -> Check {
        self.check
    }

    /// Octets of the length prefix; 0 where the length is fixed.
    #[inline]
    pub(crate) const fn prefix_octets(&self) -> usize {
        self.prefix_octets as usize
    }

    /// Whether the value is always so many ASCII characters of any kind.
    #[inline]
    pub(crate) const fn is_ascii_text(&self, octets: usize) -> bool {
        self.ascii_text as usize == octets && octets != 0
    }

    /// Octets that `characters` of the value take as written.
    pub(crate) const fn octets_of(&self, characters: usize) -> usize {
        octets_of(self.class, self.encoding, characters)
    }

    /// Finds the first octet of a value that its class or encoding forbids.
    #[inline(always)]
    pub(crate) fn fault(&self, value: &[u8], characters: usize) -> Option<(usize, ParseErrorKind)> {
        let not_digits = |at| (at, ParseErrorKind::NotDigits);
        match (self.class, self.encoding) {
            (Class::An | Class::Ans, _)
            | (Class::B, Encoding::Ascii | Encoding::Bcd | Encoding::Binary | Encoding::Ebcdic) => {
                None
            }
            (Class::B, Encoding::Hex) => value
                .iter()
                .position(|octet| !octet.is_ascii_hexdigit())
                .map(|at| (at, ParseErrorKind::NotHex)),
            (Class::N | Class::Z, Encoding::Bcd) => {
                self.bcd_fault(value, characters).map(not_digits)
            }
            (Class::Xn, Encoding::Bcd) => {
                let (sign, rest) = value.split_first()?;
                if !matches!(sign, b'C' | b'D') {
                    return Some(not_digits(0));
                }
                self.bcd_fault(rest, characters.saturating_sub(1)).map(|at| not_digits(at + 1))
            }
            (
                Class::N | Class::Xn | Class::Z,
                Encoding::Ascii | Encoding::Binary | Encoding::Ebcdic | Encoding::Hex,
            ) => value
                .iter()
                .enumerate()
                .position(|(at, octet)| {
                    let character = match self.encoding {
                        Encoding::Ebcdic => ebcdic::to_ascii(*octet),
                        Encoding::Ascii | Encoding::Bcd | Encoding::Binary | Encoding::Hex => {
                            *octet
                        }
                    };
                    !match self.class {
                        Class::Xn if at == 0 => matches!(character, b'C' | b'D'),
                        Class::Z => is_track(character),
                        Class::An | Class::Ans | Class::B | Class::N | Class::Xn => {
                            character.is_ascii_digit()
                        }
                    }
                })
                .map(not_digits),
        }
    }

    /// First octet with a nibble that is no digit (or separator of a track), or with an idle
    /// nibble that is not idle.
    #[inline]
    fn bcd_fault(&self, value: &[u8], digits: usize) -> Option<usize> {
        let odd = digits % 2 == 1;
        let idle = match (odd, self.pad, value) {
            (false, _, _) => 0,
            (true, Pad::Left, [first, ..]) => first >> 4,
            (true, Pad::Right, [.., last]) => last & 0x0f,
            (true, _, []) => 0,
        };
        if idle == 0 && all_packed(value) {
            return None;
        }
        self.first_bcd_fault(value, odd)
    }

    fn first_bcd_fault(&self, value: &[u8], odd: bool) -> Option<usize> {
        let last = value.len().saturating_sub(1);
        value.iter().enumerate().position(|(at, octet)| {
            let good = |nibble: u8| nibble <= 9 || (nibble == 0xd && self.class == Class::Z);
            let (high, low) = (octet >> 4, octet & 0x0f);
            match self.pad {
                Pad::Left if odd && at == 0 => high != 0 || !good(low),
                // Peers fill with 0 or F; both say that there is no digit.
                Pad::Right if odd && at == last => !good(high) || !matches!(low, 0 | 0xf),
                Pad::Left | Pad::Right => !good(high) || !good(low),
            }
        })
    }
}

/// A message format: encodings of MTI and bitmap, and one definition for each data element.
#[derive(Clone, Debug)]
pub struct Spec {
    name: &'static str,
    mti: Encoding,
    bitmap: Encoding,
    /// What the walk over a message needs of `fields`, close together.
    strides: [Stride; 128],
    fields: [FieldDef; 128],
    names: [&'static str; 128],
}

/// How the walk over a message passes an element; follows from its definition.
///
/// One word of two octets, the kind above, the length in octets below: a read of a value that it
/// expects to have six digits asks for kind and length in one comparison.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Stride(u16);

/// The kinds of a [`Stride`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Pace {
    /// By its definition.
    Defined,
    /// ASCII digits.
    Digits,
    /// Octets that may be anything.
    Text,
}

impl Stride {
    const DEFINED: Stride = Stride(0);
    const DIGITS: u16 = 1 << 14;
    const TEXT: u16 = 2 << 14;
    const OCTETS: u16 = Stride::DIGITS - 1;

    const fn of(def: &FieldDef) -> Stride {
        match (def.length, def.check) {
            // A longer value is passed by its definition.
            (Length::Fixed(_), _) if def.octets > Stride::OCTETS => Stride::DEFINED,
            (Length::Fixed(_), Check::Digits) => Stride::digits(def.octets),
            (Length::Fixed(_), Check::Anything) => Stride(Stride::TEXT | def.octets),
            _ => Stride::DEFINED,
        }
    }

    /// So many digits.
    pub(crate) const fn digits(octets: u16) -> Stride {
        Stride(Stride::DIGITS | octets)
    }

    #[inline]
    pub(crate) const fn pace(self) -> Pace {
        match self.0 & !Stride::OCTETS {
            Stride::DIGITS => Pace::Digits,
            Stride::TEXT => Pace::Text,
            _ => Pace::Defined,
        }
    }

    /// Octets of the value, unless it is passed by its definition.
    #[inline]
    pub(crate) const fn octets(self) -> usize {
        (self.0 & Stride::OCTETS) as usize
    }
}

impl Spec {
    /// A spec; `fields` and `names` begin with data element 1, whose definition is not used.
    #[must_use]
    pub const fn new(
        name: &'static str,
        mti: Encoding,
        bitmap: Encoding,
        fields: [FieldDef; 128],
        names: [&'static str; 128],
    ) -> Spec {
        let mut strides = [Stride::DEFINED; 128];
        let mut rest: (&mut [Stride], &[FieldDef]) = (&mut strides, &fields);
        while let ([stride, strides @ ..], [def, defs @ ..]) = rest {
            *stride = Stride::of(def);
            rest = (strides, defs);
        }
        Spec { name, mti, bitmap, strides, fields, names }
    }

    /// A built-in spec: `cekr87`, `iso87ascii` or `iso87binary`.
    #[must_use]
    pub fn by_name(name: &str) -> Option<&'static Spec> {
        Spec::built_in().into_iter().find(|spec| spec.name == name)
    }

    /// The built-in specs, the default one first.
    #[must_use]
    pub fn built_in() -> [&'static Spec; 3] {
        [&table::CEKR87, &table::ISO87ASCII, &table::ISO87BINARY]
    }

    /// What settings and commands call it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// How the MTI is written: ASCII, BCD or EBCDIC.
    #[must_use]
    pub const fn mti(&self) -> Encoding {
        self.mti
    }

    /// How the bitmaps are written: eight octets each, or 16 hexadecimal characters.
    #[must_use]
    pub const fn bitmap(&self) -> Encoding {
        self.bitmap
    }

    /// The definition of a data element, 2 to 128.
    #[inline]
    #[must_use]
    pub fn field(&self, de: u8) -> Option<&FieldDef> {
        self.fields.get(usize::from(de).wrapping_sub(1))
    }

    /// What people call a data element, 1 to 128.
    #[must_use]
    pub fn field_name(&self, de: u8) -> Option<&'static str> {
        self.names.get(usize::from(de).wrapping_sub(1)).copied()
    }

    /// How to pass each element, element 1 first.
    #[inline]
    pub(crate) const fn strides(&self) -> &[Stride; 128] {
        &self.strides
    }

    /// The definitions, element 1 first.
    #[inline]
    pub(crate) const fn fields(&self) -> &[FieldDef; 128] {
        &self.fields
    }
}

impl PartialEq for Spec {
    /// Two specs are equal if they have the same name: names are unique where specs are loaded.
    fn eq(&self, other: &Spec) -> bool {
        self.name == other.name
    }
}

impl Eq for Spec {}

/// Whether all nibbles are decimal digits.
#[inline]
fn all_packed(octets: &[u8]) -> bool {
    // A nibble above nine has its highest bit and one of the two below.
    let above_nine = |octet: &u8| (octet >> 3) & ((octet >> 2) | (octet >> 1)) & 0x11;
    octets.iter().fold(0, |wrong, octet| wrong | above_nine(octet)) == 0
}

/// Whether track 2 or 3 can hold the ASCII character; `D` is how some peers write `=`.
pub(crate) const fn is_track(character: u8) -> bool {
    matches!(character, b'0'..=b'?' | b'D')
}

/// Whether all octets can stand in an ASCII track.
#[inline]
pub(crate) fn all_track(octets: &[u8]) -> bool {
    let (words, tail) = octets.as_chunks::<8>();
    let wrong = words.iter().fold(0, |wrong, word| {
        wrong | ((u64::from_le_bytes(*word) & 0xf0f0_f0f0_f0f0_f0f0) ^ 0x3030_3030_3030_3030)
    });
    // The letter D is rare: only a track with it is looked at octet by octet.
    let words_good = wrong == 0 || octets.iter().all(|octet| is_track(*octet));
    words_good && tail.iter().all(|octet| is_track(*octet))
}

/// The upper-case hexadecimal digit of a value below 16.
pub(crate) const fn hex_digit(value: u8) -> u8 {
    match value & 0x0f {
        digit @ 0..=9 => b'0' + digit,
        letter => b'A' + (letter - 10),
    }
}

/// The value of a hexadecimal character.
pub(crate) fn hex_value(character: u8) -> Option<u8> {
    char::from(character).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

const fn octets_of(class: Class, encoding: Encoding, characters: usize) -> usize {
    match (class, encoding) {
        (Class::Xn, Encoding::Bcd) => 1 + characters.saturating_sub(1).div_ceil(2),
        (_, Encoding::Bcd) => characters.div_ceil(2),
        (Class::B, Encoding::Hex) => characters * 2,
        _ => characters,
    }
}
