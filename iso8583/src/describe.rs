//! A message in words and as JSON, with what is secret left out unless someone asks for it.
//!
//! [`Description`] displays for people; [`Description::json`] displays the object that
//! `cekr msg view --json` prints. What is hidden is decided in [`crate::mask`].

use core::fmt::{self, Write as _};
use core::ops::Range;

use crate::amount::AdditionalAmount;
use crate::chip;
use crate::error::{Damaged, ParseError};
use crate::field::Field;
use crate::mask::Cover;
use crate::mti::Mti;
use crate::response::Language;
use crate::spec::{Subfields, hex_digit};
use crate::subfield::{self, Tagged};
use crate::view::View;

/// Whether secrets are shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Show {
    /// In full. For tests with test cards.
    Everything,
    /// Card numbers as first six and last four digits; tracks, PIN blocks and verification values
    /// as stars.
    Masked,
}

/// A message to be shown.
///
/// ```
/// use cekr_iso8583::{CEKR87, Show, View};
/// let begun = b"0200\x60\0\0\0\0\0\0\x00164761730000000011012";
/// let damaged = View::parse(&CEKR87, begun).unwrap_err();
/// assert_eq!(
///     damaged.describe(Show::Masked).json().to_string(),
///     concat!(
///         r#"{"mti":"0200","spec":"cekr87","fields":{"2":{"name":"Primary account number","#,
///         r#""value":"476173******0011"}},"error":{"field":3,"offset":30,"need":6,"have":3,"#,
///         r#""kind":"truncated"}}"#
///     )
/// );
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Description<'a> {
    view: &'a View<'a>,
    error: Option<ParseError>,
    show: Show,
}

impl View<'_> {
    /// The message, to be displayed.
    #[must_use]
    pub const fn describe(&self, show: Show) -> Description<'_> {
        Description { view: self, error: None, show }
    }
}

impl Damaged<'_> {
    /// What was read before the fault and the fault, to be displayed.
    #[must_use]
    pub const fn describe(&self, show: Show) -> Description<'_> {
        Description { view: &self.read, error: Some(self.error), show }
    }
}

impl<'a> Description<'a> {
    /// One JSON object: `mti`, `spec`, `fields` by data element with `name`, `value` and perhaps
    /// nested `fields`, and `error`, null or the fault.
    #[must_use]
    pub const fn json(self) -> Json<'a> {
        Json(self)
    }

    /// The value of one field on a line of its own, `None` if the message has it not.
    #[must_use]
    pub fn value(&self, de: u8) -> Option<Value<'a>> {
        let field = self.view.field(de)?;
        let cover = match self.show {
            Show::Everything => None,
            Show::Masked => Some(Cover::of(self.view, de)),
        };
        Some(Value { field, range: 0..field.characters().len(), cover })
    }

    /// The MTI, unless the fault is in it.
    fn mti(&self) -> Option<Mti> {
        if self.error.is_some_and(|error| error.field == 0) { None } else { Some(self.view.mti()) }
    }
}

/// A value, or a part of one, with what is hidden as stars. Displays on one line, whatever a peer
/// has put into it.
#[derive(Clone, Debug)]
pub struct Value<'a> {
    field: Field<'a>,
    range: Range<usize>,
    cover: Option<Cover>,
}

impl Value<'_> {
    /// Whether a part of it is hidden.
    #[must_use]
    pub fn is_masked(&self) -> bool {
        self.cover.as_ref().is_some_and(|cover| cover.hides_any(self.range.clone()))
    }

    fn part(&self, range: Range<usize>) -> Value<'_> {
        Value { field: self.field, range, cover: self.cover.clone() }
    }

    /// Hands out the characters: text that is UTF-8 as it is, other octets as Latin-1.
    fn for_each(&self, mut put: impl FnMut(char) -> fmt::Result) -> fmt::Result {
        let hides = |at| self.cover.as_ref().is_some_and(|cover| cover.hides(at));
        let utf8 = self.field.ascii().and_then(|text| text.get(self.range.clone()));
        if let Some(text) = utf8.and_then(|text| core::str::from_utf8(text).ok()) {
            for (at, character) in text.char_indices() {
                put(if hides(self.range.start + at) { '*' } else { character })?;
            }
            return Ok(());
        }
        for at in self.range.clone() {
            let octet = self.field.character(at).unwrap_or(b'?');
            put(if hides(at) { '*' } else { char::from(octet) })?;
        }
        Ok(())
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.for_each(|character| match character {
            '\\' => f.write_str("\\\\"),
            // A peer's text must not move the cursor or turn the line around.
            c if c.is_control() || is_direction(c) => write!(f, "\\u{{{:x}}}", u32::from(c)),
            c => f.write_char(c),
        })
    }
}

/// Whether the character changes the direction of text, or ends a line.
const fn is_direction(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// One part of a value.
struct PartOf {
    key: Key,
    name: &'static str,
    range: Range<usize>,
}

/// What names a part in its field.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Key {
    Id([u8; 2]),
    Place(usize),
    Tag(u32),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Id(id) => f.pad(core::str::from_utf8(id).unwrap_or_default()),
            Key::Place(place) => fmt::Display::fmt(place, f),
            Key::Tag(tag) => {
                // Two digits for each octet of the tag; its first octet is never zero.
                let octets = tag.to_be_bytes();
                let mut text = [0; 8];
                let (pairs, _) = text.as_chunks_mut::<2>();
                for (pair, octet) in pairs.iter_mut().zip(octets) {
                    *pair = [hex_digit(octet >> 4), hex_digit(octet & 0x0f)];
                }
                let skipped = octets.iter().take_while(|octet| **octet == 0).count() * 2;
                let digits = text.get(skipped..).unwrap_or_default();
                f.pad(core::str::from_utf8(digits).unwrap_or_default())
            }
        }
    }
}

/// Hands out the parts of a field in order; none at all where its form is broken.
fn for_each_part(field: &Field<'_>, put: &mut dyn FnMut(PartOf) -> fmt::Result) -> fmt::Result {
    let count = field.characters().len();
    match field.def().subfields() {
        Subfields::None => Ok(()),
        Subfields::Amounts => {
            let groups = if count.is_multiple_of(AdditionalAmount::LEN) { count / 20 } else { 0 };
            (0..groups).try_for_each(|group| {
                let start = group * AdditionalAmount::LEN;
                let kind = [field.character(start + 2), field.character(start + 3)];
                let range = start..start + AdditionalAmount::LEN;
                put(PartOf { key: Key::Place(group + 1), name: amount_name(kind), range })
            })
        }
        Subfields::Original => positional(count, &ORIGINAL_PARTS, put),
        Subfields::Replacements => positional(count, &REPLACEMENT_PARTS, put),
        Subfields::Tagged => {
            let Some(tagged) = field.ascii().map(Tagged::new).filter(Tagged::is_well_formed) else {
                return Ok(());
            };
            for part in tagged {
                // A name stands once in an object; the value shows the rest.
                let mut before = tagged.iter().take_while(|other| other.offset < part.offset);
                if before.any(|other| other.id == part.id) {
                    continue;
                }
                let range = part.offset..part.offset + part.value.len();
                put(PartOf { key: Key::Id(part.id), name: subfield_name(part.id), range })?;
            }
            Ok(())
        }
        Subfields::Chip => {
            let mut objects = chip::Objects::new(*field);
            objects.by_ref().for_each(drop);
            if objects.broken().is_some() {
                return Ok(());
            }
            for object in chip::Objects::new(*field) {
                let mut before = chip::Objects::new(*field)
                    .take_while(|other| other.value.start < object.value.start);
                if before.any(|other| other.tag == object.tag) {
                    continue;
                }
                let range = object.value.start * 2..object.value.end * 2;
                put(PartOf { key: Key::Tag(object.tag), name: chip::name(object.tag), range })?;
            }
            Ok(())
        }
    }
}

fn positional(
    count: usize,
    parts: &[(usize, &'static str)],
    put: &mut dyn FnMut(PartOf) -> fmt::Result,
) -> fmt::Result {
    if count != parts.iter().map(|(len, _)| len).sum() {
        return Ok(());
    }
    let mut start = 0;
    for (place, (len, name)) in (1..).zip(parts) {
        put(PartOf { key: Key::Place(place), name, range: start..start + len })?;
        start += len;
    }
    Ok(())
}

const ORIGINAL_PARTS: [(usize, &str); 5] = [
    (4, "Message type"),
    (6, "System trace audit number"),
    (10, "Transmission date and time"),
    (11, "Acquiring institution"),
    (11, "Forwarding institution"),
];

const REPLACEMENT_PARTS: [(usize, &str); 4] = [
    (12, "Amount, transaction"),
    (12, "Amount, settlement"),
    (9, "Amount, transaction fee"),
    (9, "Amount, settlement fee"),
];

const fn amount_name(kind: [Option<u8>; 2]) -> &'static str {
    match kind {
        [Some(b'0'), Some(b'1')] => "Ledger balance",
        [Some(b'0'), Some(b'2')] => "Available balance",
        [Some(b'4'), Some(b'0')] => "Amount, cash",
        [Some(b'5'), Some(b'7')] => "Amount, asked for",
        _ => "Additional amount",
    }
}

const fn subfield_name(id: [u8; 2]) -> &'static str {
    match id {
        subfield::ECI => "Electronic commerce indicator",
        subfield::CAVV => "Cardholder authentication verification value",
        subfield::EXEMPTION => "Exemption claimed",
        subfield::PIN_BLOCK => "PIN block, format 4",
        subfield::KSN => "Key serial number",
        subfield::NEW_PIN_BLOCK => "New PIN block, format 4",
        subfield::PARTIAL_APPROVAL => "Partial approval allowed",
        subfield::CVV2 => "Card verification value 2",
        _ => "Private subfield",
    }
}

impl fmt::Display for Description<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let view = self.view;
        match self.mti() {
            Some(mti) => write!(f, "{mti} {} {}", mti.class_words(), mti.function_words())?,
            None => f.write_str("unknown message")?,
        }
        writeln!(f, ", {}, {} octets", view.spec().name(), view.bytes().len())?;
        for de in view.present() {
            let Some(value) = self.value(de) else { continue };
            let name = view.spec().field_name(de).unwrap_or_default();
            let offset = view.offset(de).unwrap_or_default();
            write!(f, "{offset:>6}  DE {de:<3} {name:<44} {value}")?;
            if let Some(words) =
                view.response_code().filter(|_| de == 39).and_then(|code| code.words(Language::En))
            {
                write!(f, " ({words})")?;
            }
            writeln!(f)?;
            for_each_part(&value.field, &mut |part| {
                let value = value.part(part.range);
                writeln!(f, "{:>12} {:<4} {:<42} {value}", "", part.key, part.name)
            })?;
        }
        match self.error {
            Some(error) => writeln!(f, "fault: {error}"),
            None => Ok(()),
        }
    }
}

/// A [`Description`] that displays as one JSON object on one line.
#[derive(Clone, Copy, Debug)]
pub struct Json<'a>(Description<'a>);

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Json(description) = self;
        let view = description.view;
        match description.mti() {
            Some(mti) => write!(f, "{{\"mti\":\"{mti}\"")?,
            None => f.write_str("{\"mti\":null")?,
        }
        write!(f, ",\"spec\":\"{}\",\"fields\":{{", view.spec().name())?;
        for (at, de) in view.present().iter().enumerate() {
            let Some(value) = description.value(de) else { continue };
            let name = view.spec().field_name(de).unwrap_or_default();
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}\"{de}\":{{\"name\":\"{name}\",\"value\":")?;
            write_json_string(&value, f)?;
            write_json_parts(&value, f)?;
            f.write_char('}')?;
        }
        f.write_str("},\"error\":")?;
        match description.error {
            None => f.write_str("null}"),
            Some(ParseError { field, offset, need, have, kind }) => {
                let kind = kind.as_str();
                write!(
                    f,
                    "{{\"field\":{field},\"offset\":{offset},\"need\":{need},\"have\":{have},\
                     \"kind\":\"{kind}\"}}}}"
                )
            }
        }
    }
}

fn write_json_parts(value: &Value<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut count = 0;
    for_each_part(&value.field, &mut |part| {
        f.write_str(if count == 0 { ",\"fields\":{" } else { "," })?;
        count += 1;
        write!(f, "\"{}\":{{\"name\":\"{}\",\"value\":", part.key, part.name)?;
        write_json_string(&value.part(part.range), f)?;
        f.write_char('}')
    })?;
    if count == 0 { Ok(()) } else { f.write_char('}') }
}

fn write_json_string(value: &Value<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_char('"')?;
    value.for_each(|character| match character {
        '"' => f.write_str("\\\""),
        '\\' => f.write_str("\\\\"),
        c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c)),
        c => f.write_char(c),
    })?;
    f.write_char('"')
}
