//! Messages packed by an independent codec, and our own dialect's: every vector decodes to the
//! values beside it and is written again octet for octet.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failing test says so"
)]

use std::collections::BTreeMap;

use cekr_iso8583::{Class, FieldSet, Framing, Header, Mti, Spec, Step, View, Writer};
use serde_json::Value;

fn load(text: &str) -> Vec<Value> {
    let document: Value = serde_json::from_str(text).unwrap();
    document["cases"].as_array().unwrap().clone()
}

macro_rules! vectors {
    ($name:literal) => {
        load(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/iso8583/", $name)))
    };
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |c: u8| u8::try_from(char::from(c).to_digit(16).unwrap()).unwrap();
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn fields_of(case: &Value) -> BTreeMap<u8, String> {
    let fields = case["fields"].as_object().unwrap();
    fields
        .iter()
        .map(|(de, value)| {
            let value = value.as_str().unwrap();
            (de.parse().unwrap(), value.strip_prefix("hex:").unwrap_or(value).to_owned())
        })
        .collect()
}

fn values_of(view: &View<'_>) -> BTreeMap<u8, String> {
    let mut values = BTreeMap::from([(0, view.mti().to_string())]);
    for de in view.present() {
        let characters = view.field(de).unwrap().characters();
        values.insert(de, characters.map(char::from).collect());
    }
    values
}

fn write(spec: &Spec, values: &BTreeMap<u8, String>) -> Vec<u8> {
    let mti = Mti::parse(values[&0].as_bytes()).unwrap();
    let numbers: Vec<u8> = values.keys().copied().filter(|de| *de > 0).collect();
    let mut out = vec![0; 4096];
    let mut writer = Writer::new(spec, mti, FieldSet::of(&numbers), &mut out).unwrap();
    for (de, value) in values.iter().filter(|(de, _)| **de > 0) {
        if spec.field(*de).unwrap().class() == Class::B {
            writer.octets(*de, &unhex(value)).unwrap();
        } else {
            writer.text(*de, value.as_bytes()).unwrap();
        }
    }
    let len = writer.finish().unwrap();
    out.truncate(len);
    out
}

fn check(id: &str, spec: &Spec, message: &[u8], expected: &BTreeMap<u8, String>) {
    let view = View::parse(spec, message).unwrap_or_else(|damaged| panic!("{id}: {damaged}"));
    assert_eq!(&values_of(&view), expected, "{id}");
    assert_eq!(write(spec, expected), message, "{id} written again");
}

#[test]
fn messages_of_the_independent_codec_are_read_and_written_as_it_does() {
    let mut seen = 0;
    for case in vectors!("jpos_oracle.json") {
        let Some(spec) = Spec::by_name(case["dialect"].as_str().unwrap()) else { continue };
        let message = unhex(case["raw_hex"].as_str().unwrap());
        check(case["id"].as_str().unwrap(), spec, &message, &fields_of(&case));
        seen += 1;
    }
    assert_eq!(seen, 22);
}

#[test]
fn framed_messages_are_read_and_answered_in_their_frames() {
    let cases = vectors!("cekr87.json");
    assert!(!cases.is_empty());
    for case in cases {
        let id = case["id"].as_str().unwrap();
        let spec = Spec::by_name(case["spec"].as_str().unwrap()).unwrap();
        let framing = Framing::by_name(case["framing"].as_str().unwrap()).unwrap();
        let message = unhex(case["message_hex"].as_str().unwrap());
        let framed = unhex(case["framed_hex"].as_str().unwrap());
        check(id, spec, &message, &fields_of(&case));

        let Step::Message { header, message: inner, consumed } =
            framing.next(&framed, 4096).unwrap()
        else {
            panic!("{id}: no whole frame")
        };
        assert_eq!((inner, consumed), (&message[..], framed.len()), "{id}");
        let mut out = vec![0; framing.header_len()];
        framing.write_header(header, message.len(), &mut out).unwrap();
        assert_eq!(out, framed[..framing.header_len()], "{id}");
        if let Some(tpdu) = case["reply_tpdu_hex"].as_str() {
            assert_eq!(header.reply().tpdu[..], unhex(tpdu), "{id}");
        } else {
            assert_eq!(header, Header::default(), "{id}");
        }
    }
}
