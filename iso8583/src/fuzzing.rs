//! What must hold for arbitrary octets: the bodies of the fuzz targets, which tests run as well.
//!
//! Each function panics where a promise of this crate is broken, and on nothing else.

use core::fmt;

use crate::bitmap::FieldSet;
use crate::describe::Show;
use crate::frame::{Framing, Step};
use crate::mti::Mti;
use crate::shape::Shapes;
use crate::spec::{Class, Spec};
use crate::view::View;
use crate::writer::Writer;

/// Longest message that is written again here, in octets.
const OCTETS_MAX: usize = 8192;

/// A stream is cut into frames that lie within it, and a header is written as it was read.
pub fn frame(stream: &[u8]) {
    for framing in Framing::ALL {
        let mut rest = stream;
        while let Ok(Step::KeepAlive { consumed } | Step::Message { consumed, .. }) =
            framing.next(rest, OCTETS_MAX)
        {
            assert!(consumed > 0, "a frame takes octets");
            if let Ok(Step::Message { header, message, .. }) = framing.next(rest, OCTETS_MAX) {
                assert_eq!(framing.header_len() + message.len(), consumed, "a frame adds up");
                let mut out = [0; 7];
                let written = framing.write_header(header, message.len(), &mut out);
                assert!(written.is_ok(), "what was read fits");
                assert_eq!(out.get(..framing.header_len()), rest.get(..framing.header_len()));
                assert_eq!(header.reply().reply(), header, "swapping twice changes nothing");
            }
            rest = rest.get(consumed..).unwrap_or_default();
        }
    }
}

/// A message of arbitrary octets is read to its end or to a fault inside it, every typed read
/// answers, and a damaged message's fields are those of the whole one.
pub fn view(spec: &Spec, message: &[u8]) {
    alike(spec, message);
    match View::parse(spec, message) {
        Ok(view) => {
            read_everything(&view);
            let last =
                view.present().last().and_then(|de| Some((view.offset(de)?, view.wire(de)?)));
            if let Some((offset, wire)) = last {
                assert_eq!(offset + wire.len(), message.len(), "fields fill the message");
            }
        }
        Err(damaged) => {
            let error = damaged.error;
            let (field, offset) = (error.field, error.offset);
            assert!(usize::try_from(offset).is_ok_and(|at| at <= message.len()), "{error}");
            let is_trailing = error.kind == crate::ParseErrorKind::Trailing;
            assert!(is_trailing || damaged.read.present().below(field) == damaged.read.present());
            read_everything(&damaged.read);
        }
    }
}

/// A message is read to the same result with the shapes of others as without: its own, and those of
/// a message that differs in one octet, both ways round.
pub fn alike(spec: &Spec, message: &[u8]) {
    let mut other = [0; OCTETS_MAX];
    let Some(other) = other.get_mut(..message.len()) else { return };
    other.copy_from_slice(message);
    let sum = message
        .iter()
        .fold(0, |sum: usize, octet| sum.wrapping_mul(31).wrapping_add(usize::from(*octet)));
    // Any octet may be changed, and by any bits; a digit mostly stays one.
    if let Some(octet) = sum.checked_rem(message.len()).and_then(|at| other.get_mut(at)) {
        *octet ^= if sum.is_multiple_of(2) { 1 } else { (sum >> 8) as u8 };
    }
    for [first, second] in [[message, &*other], [&*other, message]] {
        let mut shapes = Shapes::default();
        for message in [first, first, second, first, second] {
            read_alike(spec, message, &mut shapes);
        }
    }
}

/// Reads a message with shapes and without, and compares all that either tells.
pub fn read_alike<'s>(spec: &'s Spec, message: &[u8], shapes: &mut Shapes<'s>) {
    let mut one = View::empty(spec);
    let error = one.read_alike(spec, message, shapes).err();
    let (other, expected) = match View::parse(spec, message) {
        Ok(view) => (view, None),
        Err(damaged) => (damaged.read, Some(damaged.error)),
    };
    assert_eq!(error, expected, "the same fault, or none");
    assert_eq!((one.mti(), one.present()), (other.mti(), other.present()));
    for de in one.present() {
        assert_eq!((one.offset(de), one.wire(de)), (other.offset(de), other.wire(de)), "DE {de}");
    }
}

/// What was read, written field by field and read again, is the same; and the second writing is
/// the first one octet for octet.
pub fn round_trip(spec: &Spec, message: &[u8]) {
    let Ok(view) = View::parse(spec, message) else { return };
    let mut first = [0; OCTETS_MAX];
    let Some(first) = rewrite(&view, &mut first) else {
        assert!(message.len() > OCTETS_MAX / 2, "a short message can be written again");
        return;
    };
    let again = View::parse(spec, first);
    assert!(again.is_ok(), "what is written can be read");
    let Ok(again) = again else { return };
    assert_eq!((again.mti(), again.present()), (view.mti(), view.present()));
    for de in view.present() {
        let values = (view.field(de), again.field(de));
        let (Some(one), Some(other)) = values else { continue };
        assert!(one.characters().eq(other.characters()), "DE {de} keeps its value");
    }
    let mut second = [0; OCTETS_MAX];
    assert_eq!(rewrite(&again, &mut second), Some(first), "writing is settled");

    let mut out = [0; OCTETS_MAX];
    let all = view.present();
    let echoed = Writer::reply(&view, view.mti(), all, FieldSet::EMPTY, &mut out);
    let echoed = echoed.and_then(Writer::finish).ok().and_then(|len| out.get(..len));
    assert!(echoed.is_some_and(|echoed| message.ends_with(body_of(&view, echoed))));
}

/// Descriptions of a message, whole or damaged, are made without a fault, and redacting leaves it
/// readable.
pub fn describe(message: &[u8]) {
    for spec in Spec::built_in() {
        for show in [Show::Masked, Show::Everything] {
            let (text, json) = match View::parse(spec, message) {
                Ok(view) => {
                    let mut out = [0; OCTETS_MAX];
                    if let Some(redacted) = view.redact(&mut out) {
                        assert!(View::parse(spec, redacted).is_ok(), "what is redacted reads");
                    }
                    (display(&view.describe(show)), display(&view.describe(show).json()))
                }
                Err(damaged) => {
                    (display(&damaged.describe(show)), display(&damaged.describe(show).json()))
                }
            };
            assert!(text.is_printable && json.is_printable, "nothing controls a terminal");
            assert_eq!(json.lines, 0, "JSON stays on one line");
        }
    }
}

/// Everything at once, by the first octet: the body of a single target.
pub fn any(data: &[u8]) {
    let Some((choice, message)) = data.split_first() else { return };
    frame(message);
    describe(message);
    if let Some(spec) = Spec::built_in().into_iter().nth(usize::from(choice % 3)) {
        view(spec, message);
        round_trip(spec, message);
    }
}

/// Writes every field of a view by its value. `None` if the message is longer than `out`.
pub fn rewrite<'o>(view: &View<'_>, out: &'o mut [u8]) -> Option<&'o [u8]> {
    let mut writer = Writer::new(view.spec(), view.mti(), view.present(), out).ok()?;
    for de in view.present() {
        let field = view.field(de)?;
        let mut scratch = [0; 2048];
        match field.def().class() {
            Class::B => writer.octets(de, field.octets(&mut scratch)?).ok()?,
            Class::An | Class::Ans | Class::N | Class::Xn | Class::Z => {
                writer.text(de, field.text(&mut scratch)?).ok()?;
            }
        }
    }
    let len = writer.finish().ok()?;
    out.get(..len)
}

/// The octets behind the bitmaps of a message that was written by `view`'s spec.
fn body_of<'m>(view: &View<'_>, message: &'m [u8]) -> &'m [u8] {
    let body = view.present().first().and_then(|de| view.wire(de)).unwrap_or_default();
    let at = View::parse(view.spec(), message).ok().and_then(|again| {
        let first = again.present().first()?;
        assert_eq!(again.wire(first), Some(body), "an echo is exact");
        again.offset(first)
    });
    at.and_then(|at| message.get(at..)).unwrap_or_default()
}

fn read_everything(view: &View<'_>) {
    let mut scratch = [0; 2048];
    for de in 1..=128 {
        assert_eq!(view.has(de), view.raw(de).is_some(), "DE {de}");
        assert_eq!(view.has(de), view.field(de).is_some(), "DE {de}");
        let Some(field) = view.field(de) else { continue };
        let _ = (field.number(), field.octets(&mut scratch).map(<[u8]>::len));
        assert_eq!(field.number(), view.number(de), "both ways to a number agree");
        assert_eq!(field.characters().count(), field.characters().len(), "characters are counted");
        let _ = (view.amount(de), view.currency(de), view.fee_amount(de));
    }
    let _ = (view.pan(), view.track2(), view.processing_code(), view.transmission_time());
    let _ = (view.stan(), view.local_time(), view.local_date(), view.expiry(), view.mcc());
    let _ = (view.acquirer_country(), view.pos_entry_mode(), view.pos_condition());
    let _ = (view.acquirer(), view.forwarder(), view.rrn(), view.auth_code());
    let _ = (view.response_code(), view.terminal(), view.merchant(), view.pin_block());
    let _ = view.location().map(|place| (place.name().len(), place.city().len(), place.country()));
    let _ = view.private().map(|tagged| tagged.iter().count());
    let _ = view.additional_amounts().map(Iterator::count);
    let _ = (view.network_code(), view.original_data(), view.replacement_amounts());
    assert!(view.mti() <= Mti::new(9999).unwrap_or_default(), "four digits");
}

/// Counts what a description writes.
#[derive(Default)]
struct Sink {
    lines: usize,
    is_printable: bool,
}

fn display(value: &dyn fmt::Display) -> Sink {
    let mut sink = Sink { lines: 0, is_printable: true };
    let written = fmt::write(&mut sink, format_args!("{value}"));
    assert!(written.is_ok(), "a sink takes everything");
    sink
}

impl fmt::Write for Sink {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            self.lines += usize::from(character == '\n');
            self.is_printable &= character == '\n' || !character.is_control();
        }
        Ok(())
    }
}
