//! DE 55 as a tree: the tags of a chip by name, their values, and what these say.
//!
//! `cekr_iso8583` knows the field as octets and hides what it must; names, meanings and what else
//! to hide come from the dictionary of `cekr_emv`. A digit is hidden where either says so.

use std::fmt::Write as _;

use cekr_emv::tlv::{self, TlvError, tags};
use cekr_iso8583::{Description, Show, View};
use serde_json::{Map, Value, json};

use super::input::unhex;

/// The data element that holds a chip's data.
const CHIP: u8 = 55;

/// What DE 55 of a message holds.
pub(super) struct ChipData {
    /// The whole value in hexadecimal, as the message's own description shows it.
    plain: String,
    /// The same with everything hidden.
    shown: String,
    objects: Result<Vec<Object>, TlvError>,
}

/// One object, and those in it.
struct Object {
    tag: u32,
    /// The value in hexadecimal digits, with stars for what is hidden.
    shown: String,
    /// The value as text, if it is text.
    text: Option<String>,
    /// What the value says, finding by finding.
    means: Vec<String>,
    objects: Vec<Object>,
}

impl ChipData {
    /// Reads DE 55; `None` if the message has none, or it cannot be read as octets.
    pub(super) fn of(view: &View<'_>, show: Show) -> Option<ChipData> {
        let octets = unhex(&view.describe(Show::Everything).value(CHIP)?.to_string())?;
        let plain = view.describe(show).value(CHIP)?.to_string();
        let mut shown = plain.clone().into_bytes();
        let objects = tlv::check(&octets).map(|_| read(&octets, 0, show, &mut shown));
        let shown = String::from_utf8(shown).ok()?;
        Some(ChipData { plain, shown, objects })
    }

    /// The message's description as text, with the tree below DE 55.
    pub(super) fn display(&self, description: Description<'_>) -> String {
        let mut text = String::new();
        let mut lines = description.to_string();
        lines.truncate(lines.trim_end_matches('\n').len());
        let mut is_below = false;
        for line in lines.lines() {
            // Parts of a field stand deeper than any field.
            is_below &= line.starts_with(PART_INDENT);
            if is_below {
                continue;
            }
            let label = line.trim_start().split_once("  ").map(|(_, rest)| rest);
            is_below = label.is_some_and(|rest| rest.starts_with("DE 55 "));
            if !is_below {
                let _ = writeln!(text, "{line}");
                continue;
            }
            let _ = writeln!(text, "{}", line.replace(&self.plain, &self.shown));
            match &self.objects {
                Ok(objects) => objects.iter().for_each(|object| object.write(0, &mut text)),
                Err(error) => drop(writeln!(text, "{PART_INDENT} {error}")),
            }
        }
        text
    }

    /// The message's description as JSON, with the tree in DE 55.
    pub(super) fn json(&self, description: Description<'_>) -> String {
        let line = description.json().to_string();
        let Ok(mut document) = serde_json::from_str::<Value>(&line) else { return line };
        let Some(field) = document.pointer_mut("/fields/55").and_then(Value::as_object_mut) else {
            return line;
        };
        field.insert("value".to_owned(), json!(self.shown));
        match &self.objects {
            Ok(objects) => drop(field.insert("fields".to_owned(), fields(objects))),
            Err(error) => drop(field.insert("fault".to_owned(), json!(error.to_string()))),
        }
        document.to_string()
    }
}

impl Object {
    fn write(&self, depth: usize, text: &mut String) {
        let indent = PART_INDENT.len() + 1 + 2 * depth;
        let (tag, name) = (format!("{:X}", self.tag), tags::name(self.tag));
        let width = NAME_WIDTH.saturating_sub(2 * depth);
        let _ = write!(text, "{:indent$}{tag:<6} {name:<width$} {}", "", self.shown);
        if let Some(value) = &self.text {
            let _ = write!(text, " \"{value}\"");
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        for finding in &self.means {
            let _ = writeln!(text, "{:indent$}       - {finding}", "");
        }
        self.objects.iter().for_each(|object| object.write(depth + 1, text));
    }

    fn json(&self) -> Value {
        let mut object = Map::new();
        object.insert("name".to_owned(), json!(tags::name(self.tag)));
        object.insert("value".to_owned(), json!(self.shown));
        if let Some(text) = &self.text {
            object.insert("text".to_owned(), json!(text));
        }
        if !self.means.is_empty() {
            object.insert("means".to_owned(), json!(self.means));
        }
        if !self.objects.is_empty() {
            object.insert("fields".to_owned(), fields(&self.objects));
        }
        Value::Object(object)
    }
}

/// The objects under their tags; where a tag stands more than once, the others carry their number.
fn fields(objects: &[Object]) -> Value {
    let mut fields = Map::new();
    for object in objects {
        let mut key = format!("{:X}", object.tag);
        let mut number = 2;
        while fields.contains_key(&key) {
            key = format!("{:X}#{number}", object.tag);
            number += 1;
        }
        fields.insert(key, object.json());
    }
    Value::Object(fields)
}

/// Reads the objects of a list that begins at octet `start` of the field, and hides in `shown`, two
/// digits an octet, what the dictionary hides.
fn read(data: &[u8], start: usize, show: Show, shown: &mut [u8]) -> Vec<Object> {
    let mut read_so_far = Vec::new();
    let mut objects = tlv::objects(data);
    while let Some(Ok(object)) = objects.next() {
        let end = start + data.len() - objects.rest().len();
        let value_start = end - object.value.len();
        let inside = if object.is_constructed() {
            read(object.value, value_start, show, shown)
        } else {
            Vec::new()
        };
        let cover = tags::shown(object.tag, object.value);
        let digits = shown.get_mut(2 * value_start..2 * end).unwrap_or_default();
        for (place, digit) in digits.iter_mut().enumerate() {
            if show == Show::Masked && cover.hides(place) {
                *digit = b'*';
            }
        }
        // What is hidden as digits must not come back as text.
        let is_open = !digits.contains(&b'*');
        let mut means = Vec::new();
        tags::explain(object.tag, object.value, &mut |words| means.push(words.to_string()));
        read_so_far.push(Object {
            tag: object.tag,
            shown: String::from_utf8_lossy(digits).into_owned(),
            text: tags::text(object.tag, object.value).filter(|_| is_open).map(str::to_owned),
            means: if is_open { means } else { Vec::new() },
            objects: inside,
        });
    }
    read_so_far
}

/// How far in the parts of a field stand.
const PART_INDENT: &str = "            ";

/// How wide the column of names is.
const NAME_WIDTH: usize = 40;

#[cfg(test)]
mod tests {
    use cekr_iso8583::{CEKR87, FieldSet, Mti, Writer};

    use super::*;

    fn message(chip: &[u8]) -> Vec<u8> {
        let mut octets = vec![0; 600];
        let mti = Mti::parse(b"0100").unwrap();
        let fields = FieldSet::of(&[2, CHIP, 70]);
        let mut writer = Writer::new(&CEKR87, mti, fields, &mut octets).unwrap();
        writer.text(2, b"4761730000000011").unwrap();
        writer.octets(CHIP, chip).unwrap();
        writer.text(70, b"301").unwrap();
        let len = writer.finish().unwrap();
        octets.truncate(len);
        octets
    }

    fn shown(chip: &[u8], show: Show) -> (String, Value) {
        let octets = message(chip);
        let view = View::parse(&CEKR87, &octets).unwrap();
        let data = ChipData::of(&view, show).unwrap();
        let description = view.describe(show);
        (data.display(description), serde_json::from_str(&data.json(description)).unwrap())
    }

    #[test]
    fn tags_are_a_tree_with_names_values_and_meanings() {
        let chip =
            unhex("95050040000000500843654B5220563A29720F860484240000860784180000039F01DF0101AA");
        let (text, json) = shown(&chip.unwrap(), Show::Masked);
        let fields = &json["fields"]["55"]["fields"];
        assert_eq!(fields["95"]["value"], "0040000000");
        assert_eq!(fields["95"]["means"], json!(["Expired application"]));
        assert_eq!(fields["50"]["text"], "CeKR V:)");
        assert_eq!(fields["72"]["name"], "Issuer Script Template 2");
        assert_eq!(fields["72"]["fields"]["86"]["value"], "84240000");
        assert_eq!(fields["72"]["fields"]["86#2"]["value"], "84180000039F01");
        assert_eq!(fields["DF01"]["name"], "Unknown object");
        let lines: Vec<_> = text.lines().map(str::trim_start).collect();
        assert!(lines.iter().any(|line| line.starts_with("- Expired application")), "{text}");
        assert!(lines.iter().any(|line| line.starts_with("86     Issuer Script Command")));
        assert!(lines.last().is_some_and(|line| line.contains("DE 70")), "{text}");
        assert!(!text.contains("Terminal verification results"), "no part is shown twice");
    }

    #[test]
    fn what_either_dictionary_hides_is_hidden_everywhere() {
        let chip =
            unhex("5A0847617300000000115F20094E4F56414B2F414E419F3602001C57084761730000000011");
        let chip = chip.unwrap();
        let (text, json) = shown(&chip, Show::Masked);
        for hidden in ["4E4F56414B2F414E41", "NOVAK", "4761730000000011"] {
            assert!(!text.contains(hidden) && !json.to_string().contains(hidden), "{hidden}");
        }
        assert_eq!(json["fields"]["55"]["fields"]["9F36"]["value"], "001C");
        let (text, json) = shown(&chip, Show::Everything);
        assert!(text.contains("4E4F56414B2F414E41"));
        assert_eq!(json["fields"]["55"]["fields"]["5A"]["value"], "4761730000000011");
    }

    #[test]
    fn damaged_chip_data_are_said_to_be() {
        let (text, json) = shown(&[0x95, 0x05, 0x00], Show::Masked);
        assert!(text.contains("ends before its length"), "{text}");
        assert_eq!(json["fields"]["55"]["value"], "950500");
        assert_eq!(json["fields"]["55"]["fault"], "TLV: a value ends before its length");
    }
}
