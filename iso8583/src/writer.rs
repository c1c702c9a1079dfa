//! Writes messages into a caller's buffer, field by field in ascending order.
//!
//! The bitmap is announced first, so [`Writer::finish`] can tell that nothing promised is missing.
//! An answer copies what it echoes octet for octet, prefixes included, in runs of adjacent fields.

use crate::amount::SignedAmount;
use crate::bitmap::FieldSet;
use crate::digits;
use crate::ebcdic;
use crate::error::WriteError;
use crate::mti::Mti;
use crate::spec::{
    Class, Counts, Encoding, FieldDef, Length, Pad, Spec, Subfields, hex_digit, is_track,
};
use crate::view::View;

/// A message being written.
///
/// ```
/// use cekr_iso8583::{CEKR87, FieldSet, Mti, View, Writer};
/// let message = b"0800\x82\x20\0\0\0\0\0\0\x04\0\0\0\0\0\0\01122101500000123301";
/// let request = View::parse(&CEKR87, message).map_err(|damaged| damaged.error)?;
///
/// let mut out = [0; 64];
/// let mti = request.mti().reply().ok_or("a request")?;
/// let mut reply =
///     Writer::reply(&request, mti, FieldSet::of(&[7, 11, 70]), FieldSet::of(&[39]), &mut out)?;
/// reply.text(39, b"00")?;
/// let len = reply.finish()?;
/// assert_eq!(out.get(len - 5..len), Some(&b"00301"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Writer<'b, 'v> {
    spec: &'v Spec,
    out: &'b mut [u8],
    at: usize,
    /// Announced, to be given by the caller, not yet written.
    own: FieldSet,
    /// Announced, to be copied from the request, not yet written.
    echo: FieldSet,
    request: Option<&'v View<'v>>,
}

impl<'b, 'v> Writer<'b, 'v> {
    /// Begins a message with these fields.
    ///
    /// # Errors
    /// [`WriteError::NoRoom`].
    pub fn new(
        spec: &'v Spec,
        mti: Mti,
        fields: FieldSet,
        out: &'b mut [u8],
    ) -> Result<Writer<'b, 'v>, WriteError> {
        Writer::begin(spec, mti, fields, FieldSet::EMPTY, None, out)
    }

    /// Begins an answer: what `echo` names and the request has is copied; what `own` names is
    /// written by the caller, in the place of an echo if it stands in both.
    ///
    /// # Errors
    /// [`WriteError::NoRoom`].
    #[inline]
    pub fn reply(
        request: &'v View<'v>,
        mti: Mti,
        echo: FieldSet,
        own: FieldSet,
        out: &'b mut [u8],
    ) -> Result<Writer<'b, 'v>, WriteError> {
        let echo = echo.intersect(request.present()).minus(own);
        Writer::begin(request.spec(), mti, own, echo, Some(request), out)
    }

    /// Writes a number: digits of a numeric field, zeros on the left where the length is fixed.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn number(&mut self, de: u8, number: u64) -> Result<(), WriteError> {
        let def = self.place(de)?;
        let digits = digits::count(number);
        let len = match def.length() {
            Length::Fixed(length) if digits <= usize::from(length) => usize::from(length),
            Length::Variable { max, .. } if digits <= usize::from(max) => digits,
            Length::Fixed(_) | Length::Variable { .. } => {
                return Err(WriteError::TooLong { field: de });
            }
            Length::Absent => return Err(WriteError::UnknownField { field: de }),
        };
        if let (Class::N, Encoding::Ascii, Length::Fixed(_)) =
            (def.class(), def.encoding(), def.length())
        {
            digits::write_number(number, self.take(len)?);
            return Ok(());
        }
        if len > NUMBER_DIGITS_MAX {
            return Err(WriteError::TooLong { field: de });
        }
        let mut text = [b'0'; NUMBER_DIGITS_MAX];
        let text = text.get_mut(..len).ok_or(WriteError::TooLong { field: de })?;
        digits::write_number(number, text);
        self.value(de, def, text)
    }

    /// Writes characters, given in ASCII whatever the field's encoding. A fixed field is padded:
    /// numbers with zeros on the left, text with spaces on the right.
    ///
    /// # Errors
    /// [`WriteError`]; a binary field takes no text.
    #[inline(always)]
    pub fn text(&mut self, de: u8, text: &[u8]) -> Result<(), WriteError> {
        let def = self.place(de)?;
        match (def.class(), def.encoding(), def.length()) {
            // The usual text of an answer: any character will do, and none is missing.
            (Class::An | Class::Ans, Encoding::Ascii, Length::Fixed(length))
                if usize::from(length) == text.len() =>
            {
                self.take(text.len())?.copy_from_slice(text);
                Ok(())
            }
            (Class::B, _, _) => Err(WriteError::NotOfClass { field: de }),
            _ => self.value(de, def, text),
        }
    }

    /// Writes octets: those of a binary field, or of chip data where the spec writes it as text.
    ///
    /// # Errors
    /// [`WriteError`]; a field of another class takes no octets.
    pub fn octets(&mut self, de: u8, octets: &[u8]) -> Result<(), WriteError> {
        let def = self.place(de)?;
        let as_text = match def.class() {
            Class::B => def.encoding() == Encoding::Hex,
            Class::An | Class::Ans if def.subfields() == Subfields::Chip => true,
            Class::An | Class::Ans | Class::N | Class::Xn | Class::Z => {
                return Err(WriteError::NotOfClass { field: de });
            }
        };
        let len = match def.class() {
            Class::B => octets.len(),
            Class::An | Class::Ans | Class::N | Class::Xn | Class::Z => octets.len() * 2,
        };
        match def.length() {
            Length::Fixed(length) if len < usize::from(length) => {
                return Err(WriteError::TooShort { field: de });
            }
            Length::Absent | Length::Fixed(_) | Length::Variable { .. } => {}
        }
        self.prefix(de, def, len)?;
        if as_text {
            let (pairs, _) = self.take(octets.len() * 2)?.as_chunks_mut::<2>();
            for (pair, octet) in pairs.iter_mut().zip(octets) {
                *pair = [hex_digit(octet >> 4), hex_digit(octet & 0x0f)];
            }
        } else {
            self.take(octets.len())?.copy_from_slice(octets);
        }
        Ok(())
    }

    /// Writes an amount with its sign (DE 28 to 31, 97).
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn signed(&mut self, de: u8, signed: SignedAmount) -> Result<(), WriteError> {
        let def = self.place(de)?;
        let (Class::Xn, Length::Fixed(length)) = (def.class(), def.length()) else {
            return Err(WriteError::NotOfClass { field: de });
        };
        let mut text = [b'0'; NUMBER_DIGITS_MAX];
        let text = text.get_mut(..usize::from(length)).ok_or(WriteError::TooLong { field: de })?;
        let Some((sign, digits)) = text.split_first_mut() else {
            return Err(WriteError::TooLong { field: de });
        };
        if signed.amount.minor() >= digits::power_of_ten(digits.len()) {
            return Err(WriteError::TooLong { field: de });
        }
        *sign = signed.sign.letter();
        digits::write_number(signed.amount.minor(), digits);
        self.value(de, def, text)
    }

    /// Ends the message and says how many octets it has.
    ///
    /// # Errors
    /// [`WriteError::Missing`] if an announced field was not written.
    #[inline]
    pub fn finish(mut self) -> Result<usize, WriteError> {
        if let Some(field) = self.own.first() {
            return Err(WriteError::Missing { field });
        }
        if !self.echo.is_empty() {
            self.copy_echoes(self.echo)?;
        }
        Ok(self.at)
    }

    #[inline(always)]
    fn begin(
        spec: &'v Spec,
        mti: Mti,
        own: FieldSet,
        echo: FieldSet,
        request: Option<&'v View<'v>>,
        out: &'b mut [u8],
    ) -> Result<Writer<'b, 'v>, WriteError> {
        let own = own.without(1);
        let mut writer = Writer { spec, out, at: 0, own, echo, request };
        writer.mti(mti)?;
        writer.bitmaps(own.union(echo))?;
        Ok(writer)
    }

    #[inline(always)]
    fn mti(&mut self, mti: Mti) -> Result<(), WriteError> {
        let text = mti.digits();
        match self.spec.mti() {
            Encoding::Ascii | Encoding::Hex => self.take(4)?.copy_from_slice(&text),
            Encoding::Ebcdic => {
                self.take(4)?.copy_from_slice(&text.map(|digit| digit | 0xf0));
            }
            Encoding::Bcd | Encoding::Binary => {
                let [a, b, c, d] = text.map(|digit| digit & 0x0f);
                self.take(2)?.copy_from_slice(&[a << 4 | b, c << 4 | d]);
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn bitmaps(&mut self, fields: FieldSet) -> Result<(), WriteError> {
        let [primary, secondary] = fields.halves();
        if secondary == 0 {
            return self.bitmap(primary);
        }
        self.bitmap(primary | 1)?;
        self.bitmap(secondary)
    }

    #[inline(always)]
    fn bitmap(&mut self, bits: u64) -> Result<(), WriteError> {
        let octets = bits.reverse_bits().to_be_bytes();
        match self.spec.bitmap() {
            Encoding::Bcd | Encoding::Binary => self.take(8)?.copy_from_slice(&octets),
            encoding @ (Encoding::Ascii | Encoding::Ebcdic | Encoding::Hex) => {
                let (pairs, _) = self.take(16)?.as_chunks_mut::<2>();
                for (pair, octet) in pairs.iter_mut().zip(octets) {
                    let text = [hex_digit(octet >> 4), hex_digit(octet & 0x0f)];
                    *pair = match encoding {
                        Encoding::Ebcdic => {
                            text.map(|c| ebcdic::from_ascii(c).unwrap_or(ebcdic::SUBSTITUTE))
                        }
                        Encoding::Ascii | Encoding::Bcd | Encoding::Binary | Encoding::Hex => text,
                    };
                }
            }
        }
        Ok(())
    }

    /// Makes `de` the next field: copies the echoes before it and hands out its definition.
    #[inline(always)]
    fn place(&mut self, de: u8) -> Result<&'v FieldDef, WriteError> {
        // That it is the first one announced is asked in two questions that, for a known element,
        // are each a test of bits.
        if !self.own.has(de) || !self.own.below(de).is_empty() {
            return Err(WriteError::NotExpected { field: de });
        }
        let before = self.echo.below(de);
        if !before.is_empty() {
            self.copy_echoes(before)?;
        }
        self.own = self.own.without(de);
        self.spec.field(de).ok_or(WriteError::UnknownField { field: de })
    }

    /// Copies these fields of the request, neighbours in one copy.
    fn copy_echoes(&mut self, fields: FieldSet) -> Result<(), WriteError> {
        let Some(request) = self.request else { return Ok(()) };
        self.echo = self.echo.minus(fields);
        let [primary, secondary] = fields.halves();
        let [of_primary, of_secondary] = request.present().halves();
        self.copy_runs(request, primary, of_primary, 1)?;
        if secondary != 0 {
            self.copy_runs(request, secondary, of_secondary, 65)?;
        }
        Ok(())
    }

    /// Copies fields of one bitmap, whose first element is `base`.
    #[inline]
    fn copy_runs(
        &mut self,
        request: &View<'_>,
        fields: u64,
        present: u64,
        base: u8,
    ) -> Result<(), WriteError> {
        let others = present & !fields;
        let mut rest = fields;
        while rest != 0 {
            // The run ends before the next field of the request that is not to be copied.
            let behind = others & !((rest & rest.wrapping_neg()) - 1);
            let run = rest & (behind & behind.wrapping_neg()).wrapping_sub(1);
            // Both below 64.
            let (first, last) = (base + rest.trailing_zeros() as u8, base + run.ilog2() as u8);
            if let Some(octets) = request.span(first, last) {
                self.take(octets.len())?.copy_from_slice(octets);
            }
            rest &= !run;
        }
        Ok(())
    }

    /// Writes a value of any class but b, from ASCII characters.
    fn value(&mut self, de: u8, def: &FieldDef, text: &[u8]) -> Result<(), WriteError> {
        if !of_class(def, text) {
            return Err(WriteError::NotOfClass { field: de });
        }
        let len = match def.length() {
            Length::Fixed(length) => usize::from(length),
            Length::Absent | Length::Variable { .. } => text.len(),
        };
        if text.len() > len {
            return Err(WriteError::TooLong { field: de });
        }
        self.prefix(de, def, len)?;
        let fill = len - text.len();
        match (def.encoding(), def.class()) {
            // Most values have their field's length: no margins to work out.
            (Encoding::Ascii | Encoding::Binary | Encoding::Hex, _) if fill == 0 => {
                self.take(len)?.copy_from_slice(text);
            }
            (Encoding::Ascii | Encoding::Binary | Encoding::Hex, class) => {
                let out = self.take(len)?;
                let (before, after) = margins(class, fill);
                let (front, rest) = out.split_at_mut_checked(before).ok_or(WriteError::NoRoom)?;
                let (middle, back) =
                    rest.split_at_mut_checked(text.len()).ok_or(WriteError::NoRoom)?;
                debug_assert_eq!(back.len(), after, "margins add up to the field's length");
                front.fill(b'0');
                middle.copy_from_slice(text);
                back.fill(b' ');
            }
            (Encoding::Ebcdic, class) => {
                let (before, after) = margins(class, fill);
                let characters = core::iter::repeat_n(b'0', before)
                    .chain(text.iter().copied())
                    .chain(core::iter::repeat_n(b' ', after));
                for (to, character) in self.take(len)?.iter_mut().zip(characters) {
                    *to = ebcdic::from_ascii(character)
                        .ok_or(WriteError::NotOfClass { field: de })?;
                }
            }
            (Encoding::Bcd, class) => {
                let (sign, digits) = match (class, text.split_first()) {
                    (Class::Xn, Some((sign, digits))) => (Some(*sign), digits),
                    _ => (None, text),
                };
                if let Some(sign) = sign {
                    self.take(1)?.copy_from_slice(&[sign]);
                }
                let places = len - usize::from(sign.is_some());
                let idle = places % 2;
                let out = self.take(places.div_ceil(2))?;
                out.fill(0);
                let first = match def.pad() {
                    Pad::Left => idle + fill,
                    Pad::Right => fill,
                };
                for (place, character) in (first..).zip(digits) {
                    let nibble = if character.is_ascii_digit() { character & 0x0f } else { 0xd };
                    if let Some(octet) = out.get_mut(place / 2) {
                        *octet |= if place % 2 == 0 { nibble << 4 } else { nibble };
                    }
                }
            }
        }
        Ok(())
    }

    /// Checks a length against its maximum and writes its prefix.
    fn prefix(&mut self, de: u8, def: &FieldDef, len: usize) -> Result<(), WriteError> {
        match def.length() {
            Length::Absent => Err(WriteError::UnknownField { field: de }),
            Length::Fixed(length) if len > usize::from(length) => {
                Err(WriteError::TooLong { field: de })
            }
            Length::Fixed(_) => Ok(()),
            Length::Variable { max, .. } if len > usize::from(max) => {
                Err(WriteError::TooLong { field: de })
            }
            Length::Variable { prefix, .. } => {
                let counted = match prefix.counts {
                    Counts::Characters => len,
                    Counts::Octets => def.octets_of(len),
                };
                let out = self.take(prefix.octets())?;
                prefix.write(counted, out).ok_or(WriteError::TooLong { field: de })
            }
        }
    }

    /// The next `octets` octets of the buffer.
    #[inline]
    fn take(&mut self, octets: usize) -> Result<&mut [u8], WriteError> {
        let end = self.at + octets;
        let taken = self.out.get_mut(self.at..end).ok_or(WriteError::NoRoom)?;
        self.at = end;
        Ok(taken)
    }
}

/// Digits that [`Writer::number`] and [`Writer::signed`] can write at once: the longest numeric
/// field, DE 90.
const NUMBER_DIGITS_MAX: usize = 42;

/// Zeros before and spaces after a value that is `fill` characters short.
const fn margins(class: Class, fill: usize) -> (usize, usize) {
    match class {
        Class::N => (fill, 0),
        Class::An | Class::Ans | Class::B | Class::Xn | Class::Z => (0, fill),
    }
}

/// Whether the characters may stand in the field.
fn of_class(def: &FieldDef, text: &[u8]) -> bool {
    match def.class() {
        Class::An | Class::Ans => true,
        Class::B => false,
        Class::N => digits::all_digits(text),
        Class::Z if def.encoding() == Encoding::Bcd => {
            text.iter().all(|c| c.is_ascii_digit() || matches!(c, b'=' | b'D'))
        }
        Class::Z => text.iter().all(|c| is_track(*c)),
        // A sign cannot be padded, so the length must be exact.
        Class::Xn => match (text.split_first(), def.length()) {
            (Some((b'C' | b'D', digits)), Length::Fixed(length)) => {
                text.len() == usize::from(length) && digits::all_digits(digits)
            }
            _ => false,
        },
    }
}
