//! A message as a view over the octets that were received: checked once, copied never.
//!
//! [`View::parse`] walks the announced fields in one pass and remembers where each stands. What it
//! accepts is proven in shape: bounds, lengths, digits, no octets left over. The typed reads are in
//! [`crate::read`].
//!
//! Adjacent ASCII fields of digits, with their digit prefixes, are one run of digits: the walk only
//! adds up lengths, and each run is checked in one sweep where it ends. Only a failing run is
//! searched for its culprit.

use crate::bitmap::FieldSet;
use crate::error::{Damaged, ParseError, ParseErrorKind};
use crate::field::Field;
use crate::mti::Mti;
use crate::shape::{Shape, Shapes};
use crate::spec::{
    Check, Class, Counts, Encoding, FieldDef, Length, Pace, Spec, Stride, all_track, hex_value,
};
use crate::{digits, ebcdic};

/// The longest message a view takes, in octets: what a two-octet frame length can announce.
pub const MESSAGE_OCTETS_MAX: usize = 65_535;

/// A message read by a spec.
///
/// ```
/// use cekr_iso8583::{CEKR87, View};
/// let damaged = View::parse(&CEKR87, b"0800\x82").unwrap_err();
/// let words = "bitmap: message ends too early (offset 4, need 8, have 1)";
/// assert_eq!(damaged.error.to_string(), words);
/// assert_eq!(damaged.mti().map(|mti| mti.number()), Some(800));
/// ```
#[derive(Clone, Copy)]
pub struct View<'a> {
    spec: &'a Spec,
    bytes: &'a [u8],
    present: FieldSet,
    mti: Mti,
    /// Where each present element stands; what stands there for the others means nothing.
    slots: Slots,
}

/// Start and end in octets from the MTI, packed so that all slots fit eight cache lines.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Slot(u32);

impl Slot {
    #[inline]
    pub(crate) const fn new(start: usize, end: usize) -> Slot {
        // Both are at most MESSAGE_OCTETS_MAX.
        Slot((start as u32) << 16 | end as u32)
    }

    #[inline]
    pub(crate) const fn start(self) -> usize {
        (self.0 >> 16) as usize
    }

    #[inline]
    pub(crate) const fn end(self) -> usize {
        (self.0 & 0xffff) as usize
    }

    #[inline]
    pub(crate) const fn range(self) -> core::ops::Range<usize> {
        self.start()..self.end()
    }
}

/// Start and end of each element with its prefix: those of the primary bitmap, element 1 first,
/// and those of the secondary one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slots([[Slot; 64]; 2]);

impl Slots {
    const NONE: Slots = Slots([[Slot(0); 64]; 2]);

    /// The slot of an element, 1 to 128.
    #[inline]
    pub(crate) fn of(&self, de: u8) -> Option<Slot> {
        self.0.as_flattened().get(usize::from(de).wrapping_sub(1)).copied()
    }

    #[inline]
    fn at_mut(&mut self, index: usize) -> Option<&mut Slot> {
        self.0.as_flattened_mut().get_mut(index)
    }

    /// Takes over the slots of these elements, and perhaps others.
    #[inline]
    fn copy(&mut self, from: &Slots, elements: FieldSet) {
        let (Slots([primary, secondary]), Slots([from_primary, from_secondary])) = (self, from);
        *primary = *from_primary;
        // Few messages have any of them, and a copy takes time by its length.
        if elements.halves()[1] != 0 {
            *secondary = *from_secondary;
        }
    }
}

impl<'a> View<'a> {
    /// Reads a message. It must be whole and must end with its last field.
    ///
    /// # Errors
    /// [`Damaged`] with the first fault and a view of the fields before it.
    #[expect(clippy::result_large_err, reason = "both outcomes carry a view, on the stack")]
    #[inline]
    pub fn parse(spec: &'a Spec, bytes: &'a [u8]) -> Result<View<'a>, Damaged<'a>> {
        let mut view = View::empty(spec);
        match view.read(bytes) {
            Ok(()) => Ok(view),
            Err(error) => Err(Damaged { error, read: view }),
        }
    }

    /// The view of nothing, for [`View::read`].
    #[inline]
    #[must_use]
    pub fn empty(spec: &'a Spec) -> View<'a> {
        View { spec, bytes: &[], present: FieldSet::EMPTY, mti: Mti::default(), slots: Slots::NONE }
    }

    /// Reads a message in place of the one before, as [`View::parse`] does: without moving a view,
    /// which is half a kilobyte.
    ///
    /// # Errors
    /// The first fault; then the view is of the fields before it.
    #[inline]
    pub fn read(&mut self, bytes: &'a [u8]) -> Result<(), ParseError> {
        let (announced, at) = self.begin(bytes)?;
        self.walk(announced, at)
    }

    /// Reads a message by `spec` in place of the one before, to the same result as
    /// [`View::parse`], sooner if a message of its shape was read lately.
    ///
    /// # Errors
    /// The first fault; then the view is of the fields before it.
    #[inline]
    pub fn read_alike<'s: 'a>(
        &mut self,
        spec: &'s Spec,
        bytes: &'a [u8],
        shapes: &mut Shapes<'s>,
    ) -> Result<(), ParseError> {
        self.spec = spec;
        let (announced, at) = self.begin(bytes)?;
        let place = shapes.place(announced, bytes.len());
        if let Some(shape) = place
            && shape.fits(spec, announced, at, bytes)
        {
            self.slots.copy(&shape.slots, announced);
            self.present = announced;
            return Ok(());
        }
        self.walk(announced, at)?;
        *place = Shape::of(spec, announced, at, &self.slots, bytes);
        Ok(())
    }

    /// The spec it was read by.
    #[must_use]
    pub const fn spec(&self) -> &'a Spec {
        self.spec
    }

    /// The whole message.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The message type; 0000 if a damaged message's could not be read.
    #[must_use]
    pub const fn mti(&self) -> Mti {
        self.mti
    }

    /// The data elements that can be read.
    #[must_use]
    pub const fn present(&self) -> FieldSet {
        self.present
    }

    /// Whether the data element is there.
    #[inline]
    #[must_use]
    pub const fn has(&self, de: u8) -> bool {
        self.present.has(de)
    }

    /// The value's octets as on the wire, without a length prefix.
    #[inline]
    #[must_use]
    pub fn raw(&self, de: u8) -> Option<&'a [u8]> {
        let (def, slot) = self.entry(de)?;
        self.bytes.get(slot.start() + def.prefix_octets()..slot.end())
    }

    /// The field's octets as on the wire, with a length prefix.
    #[inline]
    #[must_use]
    pub fn wire(&self, de: u8) -> Option<&'a [u8]> {
        let (_, slot) = self.entry(de)?;
        self.bytes.get(slot.start()..slot.end())
    }

    /// Where the field begins, its prefix included: octets from the MTI.
    #[must_use]
    pub fn offset(&self, de: u8) -> Option<usize> {
        self.entry(de).map(|(_, slot)| slot.start())
    }

    /// Where the value begins, behind its prefix: octets from the MTI.
    pub(crate) fn value_offset(&self, de: u8) -> Option<usize> {
        self.entry(de).map(|(def, slot)| slot.start() + def.prefix_octets())
    }

    /// The field with its definition.
    #[inline]
    #[must_use]
    pub fn field(&self, de: u8) -> Option<Field<'a>> {
        let (def, slot) = self.entry(de)?;
        let value_at = slot.start() + def.prefix_octets();
        let value = self.bytes.get(value_at..slot.end())?;
        let len = match def.length() {
            Length::Absent => return None,
            Length::Fixed(length) => usize::from(length),
            Length::Variable { prefix, .. } => {
                let claimed = prefix.read(self.bytes.get(slot.start()..value_at)?)?;
                characters_of(def, prefix.counts, claimed)
            }
        };
        Some(Field::new(value, def, len))
    }

    /// The value of a numeric field of at most 19 digits; `None` if it is absent, longer, or of a
    /// class that lets other characters through and has them.
    #[inline(always)]
    #[must_use]
    pub fn number(&self, de: u8) -> Option<u64> {
        let (def, slot) = self.entry(de)?;
        if def.check() == Check::Digits {
            let len = slot.end() - slot.start() - def.prefix_octets();
            if let (0..=8, Some(octets)) = (len, self.octets_before::<8>(slot.end())) {
                return Some(digits::last_of_eight(octets, len));
            }
        }
        self.long_number(de)
    }

    fn long_number(&self, de: u8) -> Option<u64> {
        self.field(de)?.number()
    }

    /// The `N` octets that end at `end`: to read fewer out of one load. There are as many wherever
    /// a bitmap stands before the value.
    #[inline(always)]
    fn octets_before<const N: usize>(&self, end: usize) -> Option<&'a [u8; N]> {
        self.bytes.get(..end)?.last_chunk()
    }

    /// The octets from the start of one present field to the end of another that follows it, itself
    /// included.
    #[inline]
    pub(crate) fn span(&self, first: u8, last: u8) -> Option<&'a [u8]> {
        self.bytes.get(self.slots.of(first)?.start()..self.slots.of(last)?.end())
    }

    /// The value, where the spec has it as `N` ASCII digits, which the walk has proven.
    #[inline(always)]
    pub(crate) fn fixed_digits<const N: usize>(&self, de: u8) -> Option<&'a [u8; N]> {
        const { assert!(N < 1 << 14, "a stride can say how long it is") }
        if !self.has(de) || self.stride(de)? != Stride::digits(N as u16) {
            return None;
        }
        // The walk went by the same stride: the slot has these octets.
        let start = self.slots.of(de)?.start();
        self.bytes.get(start..start + N)?.as_array()
    }

    /// The value, where the spec has it as `N` ASCII characters.
    #[inline(always)]
    pub(crate) fn fixed_text<const N: usize>(&self, de: u8) -> Option<&'a [u8; N]> {
        let def = if self.has(de) { self.spec.field(de)? } else { return None };
        if !def.is_ascii_text(N) {
            return None;
        }
        let start = self.slots.of(de)?.start();
        self.bytes.get(start..start + N)?.as_array()
    }

    #[inline(always)]
    fn stride(&self, de: u8) -> Option<Stride> {
        self.spec.strides().get(usize::from(de).wrapping_sub(1)).copied()
    }

    #[inline]
    pub(crate) fn entry(&self, de: u8) -> Option<(&'a FieldDef, Slot)> {
        if !self.has(de) {
            return None;
        }
        Some((self.spec.field(de)?, self.slots.of(de)?))
    }

    /// Reads what stands before the elements: tells which are announced, and where they begin.
    #[inline]
    fn begin(&mut self, bytes: &'a [u8]) -> Result<(FieldSet, usize), ParseError> {
        self.bytes = bytes;
        self.present = FieldSet::EMPTY;
        self.mti = Mti::default();
        if bytes.len() > MESSAGE_OCTETS_MAX {
            let have = MESSAGE_OCTETS_MAX;
            return Err(fault(0, 0, bytes.len(), have, ParseErrorKind::OverMax));
        }
        let (mti, at) = read_mti(self.spec.mti(), bytes)?;
        self.mti = mti;
        read_bitmaps(self.spec.bitmap(), bytes, at)
    }

    /// Passes the announced elements, the first of them at `at`, and fills set and slots; on a
    /// fault they hold what stands before it.
    fn walk(&mut self, announced: FieldSet, mut at: usize) -> Result<(), ParseError> {
        let (spec, bytes) = (self.spec, self.bytes);
        let mut digits_from = at;
        let mut last = 1;
        let [primary, secondary] = announced.halves();
        for (half, base) in [(primary, 0), (secondary, 64)] {
            let mut rest = half;
            while rest != 0 {
                let index = base + rest.trailing_zeros() as usize;
                rest &= rest - 1;
                let (Some(stride), Some(slot)) =
                    (spec.strides().get(index), self.slots.at_mut(index))
                else {
                    break;
                };
                // At most 128.
                let de = index as u8 + 1;
                let octets = stride.octets();
                let end = match stride.pace() {
                    // The run of digits goes on.
                    Pace::Digits if octets <= bytes.len() - at => at + octets,
                    Pace::Text
                        if octets <= bytes.len() - at
                            && is_run_of_digits(bytes, digits_from..at) =>
                    {
                        digits_from = at + octets;
                        digits_from
                    }
                    Pace::Defined | Pace::Digits | Pace::Text => {
                        match pass(spec, bytes, index, at, &mut digits_from) {
                            Ok(end) => end,
                            Err(error) => {
                                return Err(self.stop(
                                    announced,
                                    de,
                                    digits_from..at,
                                    error.of(de),
                                ));
                            }
                        }
                    }
                };
                *slot = Slot::new(at, end);
                at = end;
                last = de;
            }
        }
        let trailing =
            At { offset: at, need: 0, have: bytes.len() - at, kind: ParseErrorKind::Trailing };
        if trailing.have != 0 || !digits::all_digits(bytes.get(digits_from..at).unwrap_or_default())
        {
            let error = self.stop(announced, 129, digits_from..at, trailing.of(last));
            return Err(error);
        }
        self.present = announced;
        Ok(())
    }

    /// Ends the walk at element `de`. An earlier octet of the run of digits that is no digit comes
    /// before the error at hand.
    #[cold]
    fn stop(
        &mut self,
        announced: FieldSet,
        de: u8,
        run: core::ops::Range<usize>,
        error: ParseError,
    ) -> ParseError {
        self.present = announced.below(de);
        let octets = self.bytes.get(run.clone()).unwrap_or_default();
        let Some(bad) = octets.iter().position(|octet| !octet.is_ascii_digit()) else {
            return error;
        };
        let bad = run.start + bad;
        let culprit = self
            .present
            .iter()
            .find(|de| self.entry(*de).is_some_and(|(_, slot)| slot.range().contains(&bad)));
        let Some(culprit) = culprit else { return error };
        self.present = announced.below(culprit);
        At::one(bad, ParseErrorKind::NotDigits).of(culprit)
    }
}

impl core::fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // Never the octets: they hold card numbers.
        f.debug_struct("View")
            .field("spec", &self.spec.name())
            .field("mti", &self.mti)
            .field("present", &self.present)
            .field("octets", &self.bytes.len())
            .finish()
    }
}

/// A fault whose element is not yet named.
#[derive(Clone, Copy)]
pub(crate) struct At {
    offset: usize,
    need: usize,
    have: usize,
    kind: ParseErrorKind,
}

impl At {
    const fn one(offset: usize, kind: ParseErrorKind) -> At {
        At { offset, need: 1, have: 1, kind }
    }

    const fn of(self, field: u8) -> ParseError {
        fault(field, self.offset, self.need, self.have, self.kind)
    }
}

const fn fault(
    field: u8,
    offset: usize,
    need: usize,
    have: usize,
    kind: ParseErrorKind,
) -> ParseError {
    // A message longer than u32 could say is refused before anything is counted.
    ParseError { field, offset: offset as u32, need: need as u32, have: have as u32, kind }
}

#[cold]
fn truncated(bytes: &[u8], offset: usize, need: usize) -> At {
    let have = bytes.len().saturating_sub(offset);
    At { offset, need, have, kind: ParseErrorKind::Truncated }
}

/// Whether this run is digits throughout, as it is where text follows on text: empty.
#[inline]
fn is_run_of_digits(bytes: &[u8], run: core::ops::Range<usize>) -> bool {
    run.is_empty() || digits::all_digits(bytes.get(run).unwrap_or_default())
}

/// Passes the element `index` (from 0) by its definition and tells where it ends. Where it is no
/// part of a run of digits, that run ends before it and is checked, and the next begins behind it.
#[inline]
fn pass(
    spec: &Spec,
    bytes: &[u8],
    index: usize,
    at: usize,
    digits_from: &mut usize,
) -> Result<usize, At> {
    let Some(def) = spec.fields().get(index) else {
        return Err(At { offset: at, need: 0, have: 0, kind: ParseErrorKind::UnknownField });
    };
    let value_at = at + def.prefix_octets();
    let (end, len) = field_end(def, bytes, at)?;
    let value = bytes.get(value_at..end).unwrap_or_default();
    if def.check() == Check::Digits {
        // The run of digits goes on.
        return Ok(end);
    }
    let bad = value_fault(def, value, len);
    if bad.is_some() || !is_run_of_digits(bytes, *digits_from..at) {
        let (offset, kind) = bad.unwrap_or((0, ParseErrorKind::NotDigits));
        return Err(At::one(value_at + offset, kind));
    }
    *digits_from = end;
    Ok(end)
}

/// The first octet of a value that its field forbids; digits are left to the run that they are in.
#[inline(always)]
pub(crate) fn value_fault(
    def: &FieldDef,
    value: &[u8],
    len: usize,
) -> Option<(usize, ParseErrorKind)> {
    match def.check() {
        Check::Anything | Check::Digits => None,
        Check::Track if all_track(value) => None,
        Check::Track | Check::Other => def.fault(value, len),
    }
}

/// Where the field that begins at `at` ends, and how many characters its value has.
#[inline(always)]
pub(crate) fn field_end(def: &FieldDef, bytes: &[u8], at: usize) -> Result<(usize, usize), At> {
    let (value_at, octets, len) = match def.length() {
        Length::Fixed(len) => (at, def.fixed_octets(), usize::from(len)),
        Length::Variable { max, prefix } => {
            let value_at = at + def.prefix_octets();
            let Some(octets) = bytes.get(at..value_at) else {
                return Err(truncated(bytes, at, def.prefix_octets()));
            };
            let claimed = match (prefix.encoding, octets) {
                (Encoding::Ascii, [tens, ones]) => {
                    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
                    (tens <= 9 && ones <= 9).then(|| usize::from(tens) * 10 + usize::from(ones))
                }
                _ => prefix.read(octets),
            };
            let Some(claimed) = claimed else {
                return Err(bad_prefix(def, octets, at));
            };
            let len = characters_of(def, prefix.counts, claimed);
            if len > usize::from(max) {
                let have = usize::from(max);
                return Err(At { offset: at, need: len, have, kind: ParseErrorKind::OverMax });
            }
            (value_at, def.octets_of(len), len)
        }
        Length::Absent => {
            return Err(At { offset: at, need: 0, have: 0, kind: ParseErrorKind::UnknownField });
        }
    };
    let end = value_at + octets;
    if end > bytes.len() { Err(truncated(bytes, value_at, octets)) } else { Ok((end, len)) }
}

/// The first octet of a length prefix that is no digit.
#[cold]
fn bad_prefix(def: &FieldDef, octets: &[u8], at: usize) -> At {
    let Length::Variable { prefix, .. } = def.length() else {
        return At::one(at, ParseErrorKind::BadLength);
    };
    let bad = octets.iter().position(|octet| prefix.read(&[*octet]).is_none()).unwrap_or(0);
    At::one(at + bad, ParseErrorKind::BadLength)
}

/// The digits of DE 2 as a number, without a look at the rest: a hint for whoever wants to fetch
/// the card while the message is parsed. It proves nothing; `None` where the element is absent or
/// does not stand where it should.
///
/// ```
/// use cekr_iso8583::{CEKR87, view};
/// let begun = b"0200\x40\0\0\0\0\0\0\x00164761730000000011";
/// assert_eq!(view::card_number_ahead(&CEKR87, begun), Some(4_761_730_000_000_011));
/// ```
#[must_use]
#[inline]
pub fn card_number_ahead(spec: &Spec, message: &[u8]) -> Option<u64> {
    let mti_octets = match spec.mti() {
        Encoding::Bcd | Encoding::Binary => 2,
        Encoding::Ascii | Encoding::Ebcdic | Encoding::Hex => 4,
    };
    let (announced, at) = read_bitmaps(spec.bitmap(), message, mti_octets).ok()?;
    let def = spec.fields().get(1).filter(|_| announced.has(2))?;
    let (end, len) = field_end(def, message, at).ok()?;
    let value = message.get(at + def.prefix_octets()..end)?;
    Field::new(value, def, len).number()
}

/// Characters that a length prefix's number stands for.
#[inline]
const fn characters_of(def: &FieldDef, counts: Counts, claimed: usize) -> usize {
    match (counts, def.encoding(), def.class()) {
        (Counts::Octets, Encoding::Bcd, _) => claimed * 2,
        (Counts::Octets, Encoding::Hex, Class::B) => claimed / 2,
        (Counts::Characters | Counts::Octets, _, _) => claimed,
    }
}

#[inline]
fn read_mti(encoding: Encoding, bytes: &[u8]) -> Result<(Mti, usize), ParseError> {
    let not_digits = |at| At::one(at, ParseErrorKind::NotDigits).of(0);
    match encoding {
        Encoding::Bcd | Encoding::Binary => {
            let Some([a, b]) = bytes.first_chunk::<2>() else {
                return Err(truncated(bytes, 0, 2).of(0));
            };
            let text = [a >> 4, a & 0x0f, b >> 4, b & 0x0f].map(|nibble| b'0' + nibble);
            let bad = text.iter().position(|digit| !digit.is_ascii_digit()).unwrap_or(0) / 2;
            Mti::parse(&text).map(|mti| (mti, 2)).ok_or_else(|| not_digits(bad))
        }
        Encoding::Ascii | Encoding::Ebcdic | Encoding::Hex => {
            let Some(text) = bytes.first_chunk::<4>() else {
                return Err(truncated(bytes, 0, 4).of(0));
            };
            let text = match encoding {
                Encoding::Ebcdic => text.map(ebcdic::to_ascii),
                Encoding::Ascii | Encoding::Bcd | Encoding::Binary | Encoding::Hex => *text,
            };
            let bad = text.iter().position(|digit| !digit.is_ascii_digit());
            Mti::parse(&text).map(|mti| (mti, 4)).ok_or_else(|| not_digits(bad.unwrap_or(0)))
        }
    }
}

/// The announced elements, and where the first of them begins.
#[inline]
fn read_bitmaps(
    encoding: Encoding,
    bytes: &[u8],
    at: usize,
) -> Result<(FieldSet, usize), ParseError> {
    let (primary, at) = read_bitmap(encoding, bytes, at)?;
    let (secondary, at) =
        if primary & 1 == 0 { (0, at) } else { read_bitmap(encoding, bytes, at)? };
    // Element 1 only announces the second bitmap.
    let bits = u128::from(secondary) << 64 | u128::from(primary & !1);
    Ok((FieldSet::from_bits(bits), at))
}

/// One bitmap, its first bit lowest.
#[inline(always)]
fn read_bitmap(encoding: Encoding, bytes: &[u8], at: usize) -> Result<(u64, usize), ParseError> {
    match encoding {
        Encoding::Bcd | Encoding::Binary => {
            match bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
                Some(octets) => Ok((u64::from_be_bytes(*octets).reverse_bits(), at + 8)),
                None => Err(truncated(bytes, at, 8).of(1)),
            }
        }
        Encoding::Ascii | Encoding::Ebcdic | Encoding::Hex => read_text_bitmap(encoding, bytes, at),
    }
}

/// One bitmap of 16 hexadecimal characters.
fn read_text_bitmap(
    encoding: Encoding,
    bytes: &[u8],
    at: usize,
) -> Result<(u64, usize), ParseError> {
    let Some(text) = bytes.get(at..).and_then(<[u8]>::first_chunk::<16>) else {
        return Err(truncated(bytes, at, 16).of(1));
    };
    let mut bits = 0;
    for (place, octet) in text.iter().enumerate() {
        let character = match encoding {
            Encoding::Ebcdic => ebcdic::to_ascii(*octet),
            Encoding::Ascii | Encoding::Bcd | Encoding::Binary | Encoding::Hex => *octet,
        };
        let Some(nibble) = hex_value(character) else {
            return Err(At::one(at + place, ParseErrorKind::BadBitmap).of(1));
        };
        bits = bits << 4 | u64::from(nibble);
    }
    Ok((bits.reverse_bits(), at + 16))
}
