//! Shapes: how messages were laid out lately, so that the next one alike need not be walked.
//!
//! Terminals of one kind mostly send the same elements in the same lengths. Where a message has
//! bitmaps, length prefixes and length in octets of one that was walked by the same spec before,
//! each element stands where it stood there, and what is left to prove is what depends on values:
//! digits, tracks, packed and hexadecimal values. Whatever does not fit is walked afresh, so that a
//! shape never decides what is wrong with a message.
//!
//! A shape keeps places and length prefixes, never a value.
//!
//! ```
//! use cekr_iso8583::{CEKR87, Shapes, View};
//! let mut shapes = Shapes::default();
//! for message in [b"0800\0\x20\0\0\0\0\0\0000123", b"0800\0\x20\0\0\0\0\0\0000124"] {
//!     let mut view = View::empty(&CEKR87);
//!     view.read_alike(&CEKR87, message, &mut shapes)?;
//!     assert!(view.stan().is_some());
//! }
//! # Ok::<(), cekr_iso8583::ParseError>(())
//! ```

use crate::bitmap::FieldSet;
use crate::digits;
use crate::spec::{Check, Spec};
use crate::view::{Slot, Slots, field_end, value_fault};

/// The shapes of the messages that were read lately, by specs that live as long as `'s`.
///
/// A few kilobytes: it is to be kept from read to read, for all connections of a thread.
#[derive(Clone, Debug, Default)]
pub struct Shapes<'s>([Option<Shape<'s>>; SHAPES]);

/// How many shapes are kept: each has one place, where a later one replaces it.
const SHAPES: usize = 1 << 4;

/// Runs of digits and length prefixes in a shape: a message with more is walked each time.
const PARTS_MAX: usize = 8;

/// The layout of a message that was walked to its end without a fault.
#[derive(Clone, Debug)]
pub(crate) struct Shape<'s> {
    spec: &'s Spec,
    announced: FieldSet,
    /// Where the first element begins, behind the bitmaps.
    values_at: usize,
    octets: usize,
    prefixes: Few<Prefix>,
    /// Runs of adjacent digits, prefixes between them included.
    runs: Few<Slot>,
    /// Elements whose values are checked one by one.
    checked: FieldSet,
    pub(crate) slots: Slots,
}

impl<'s> Shapes<'s> {
    /// The only place of messages with these elements and this length.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "four bits of a number choose among sixteen")]
    pub(crate) fn place(&mut self, announced: FieldSet, octets: usize) -> &mut Option<Shape<'s>> {
        let [low, high] = announced.halves();
        let mixed = (low ^ high.rotate_left(32)).wrapping_add(octets as u64);
        // The upper bits of the product depend on all bits.
        &mut self.0[(mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 60) as usize]
    }
}

impl<'s> Shape<'s> {
    /// The shape of a message that was walked without a fault; `None` for one of too many parts.
    pub(crate) fn of(
        spec: &'s Spec,
        announced: FieldSet,
        values_at: usize,
        slots: &Slots,
        bytes: &[u8],
    ) -> Option<Shape<'s>> {
        let mut shape = Shape {
            spec,
            announced,
            values_at,
            octets: bytes.len(),
            prefixes: Few::default(),
            runs: Few::default(),
            checked: FieldSet::EMPTY,
            slots: *slots,
        };
        let mut run = values_at..values_at;
        for de in announced {
            let (def, slot) = (spec.field(de)?, slots.of(de)?);
            if def.prefix_octets() > 0 {
                shape.prefixes.push(Prefix::of(bytes, slot.start(), def.prefix_octets())?)?;
            }
            match def.check() {
                Check::Digits => run.end = slot.end(),
                Check::Anything | Check::Other | Check::Track => {
                    shape.push_run(&run)?;
                    run = slot.end()..slot.end();
                }
            }
            if matches!(def.check(), Check::Other | Check::Track) {
                shape.checked = shape.checked.with(de);
            }
        }
        shape.push_run(&run)?;
        Some(shape)
    }

    fn push_run(&mut self, run: &core::ops::Range<usize>) -> Option<()> {
        if run.is_empty() { Some(()) } else { self.runs.push(Slot::new(run.start, run.end)) }
    }

    /// Whether a walk over this message would end without a fault and with this shape's slots.
    ///
    /// The walk's way is determined by the spec, the announced elements, the place of the first one
    /// and the length prefixes: all are compared, and the last element ends with the message as it
    /// did before. What the walk checks besides is checked here of the same octets.
    #[inline]
    pub(crate) fn fits(
        &self,
        spec: &Spec,
        announced: FieldSet,
        values_at: usize,
        bytes: &[u8],
    ) -> bool {
        // The same spec, not one that is called alike.
        core::ptr::eq(self.spec, spec)
            && self.announced == announced
            && self.values_at == values_at
            && self.octets == bytes.len()
            && self.prefixes.all(|prefix| prefix.stands_in(bytes))
            && self.runs.all(|run| bytes.get(run.range()).is_some_and(digits::all_digits))
            && (self.checked.is_empty() || self.are_values_sound(bytes))
    }

    #[inline(never)]
    fn are_values_sound(&self, bytes: &[u8]) -> bool {
        self.checked.iter().all(|de| {
            let (Some(def), Some(slot)) = (self.spec.field(de), self.slots.of(de)) else {
                return false;
            };
            let Ok((end, len)) = field_end(def, bytes, slot.start()) else { return false };
            let value = bytes.get(slot.start() + def.prefix_octets()..end);
            value.is_some_and(|value| value_fault(def, value, len).is_none())
        })
    }
}

/// A length prefix: up to four octets, compared as one word with the octets behind it left out.
#[derive(Clone, Copy, Debug, Default)]
struct Prefix {
    /// Below the longest message.
    at: u16,
    mask: u32,
    octets: u32,
}

impl Prefix {
    /// `None` where it is too long, or too near the message's end to be loaded as a word.
    fn of(bytes: &[u8], at: usize, octets: usize) -> Option<Prefix> {
        if octets > 4 {
            return None;
        }
        let mask = (u64::MAX >> (64 - 8 * octets)) as u32;
        let word = u32::from_le_bytes(*bytes.get(at..at + 4)?.as_array()?);
        Some(Prefix { at: u16::try_from(at).ok()?, mask, octets: word & mask })
    }

    #[inline]
    fn stands_in(self, bytes: &[u8]) -> bool {
        let at = usize::from(self.at);
        let word = bytes.get(at..at + 4).and_then(<[u8]>::as_array);
        word.is_some_and(|word| u32::from_le_bytes(*word) & self.mask == self.octets)
    }
}

/// At most [`PARTS_MAX`] of something.
#[derive(Clone, Copy, Debug, Default)]
struct Few<T> {
    parts: [T; PARTS_MAX],
    len: usize,
}

impl<T: Copy> Few<T> {
    fn push(&mut self, part: T) -> Option<()> {
        *self.parts.get_mut(self.len)? = part;
        self.len += 1;
        Some(())
    }

    #[inline]
    fn all(&self, good: impl FnMut(T) -> bool) -> bool {
        self.parts.get(..self.len).is_some_and(|parts| parts.iter().copied().all(good))
    }
}
