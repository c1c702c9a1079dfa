//! The table of data elements in `docs/wire.md` is the one that the code runs on.
//!
//! `UPDATE_DOCS=1 cargo test -p cekr-iso8583 --test wire_page` writes it anew.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failing test says so")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use cekr_iso8583::{CEKR87, Class, Encoding, FieldDef, ISO87ASCII, ISO87BINARY, Length, Mask};

const BEGIN: &str = "<!-- table of data elements: begin -->\n";
const END: &str = "<!-- table of data elements: end -->\n";

fn table() -> String {
    let mut text = String::from(
        "| DE | name | format | cekr87 | iso87ascii | iso87binary | shown |\n\
         |---:|---|---|---|---|---|---|\n",
    );
    for de in 2..=128 {
        let name = CEKR87.field_name(de).unwrap();
        let [cekr87, ascii, binary] =
            [&CEKR87, &ISO87ASCII, &ISO87BINARY].map(|spec| spec.field(de).unwrap());
        let (format, shown) = (format_of(cekr87), shown(cekr87));
        let [cekr87, ascii, binary] = [cekr87, ascii, binary].map(written);
        writeln!(text, "| {de} | {name} | {format} | {cekr87} | {ascii} | {binary} | {shown} |")
            .unwrap();
    }
    text
}

/// The notation of ISO 8583: class, and length or longest length.
fn format_of(def: &FieldDef) -> String {
    let class = match def.class() {
        Class::An => "an",
        Class::Ans => "ans",
        Class::B => "b",
        Class::N => "n",
        Class::Xn => "x+n",
        Class::Z => "z",
    };
    // The sign is not one of the digits that the notation counts.
    let sign = u16::from(def.class() == Class::Xn);
    match def.length() {
        Length::Absent => "-".to_owned(),
        Length::Fixed(length) => format!("{class} {}", length - sign),
        Length::Variable { max, .. } => format!("{class} ..{max}"),
    }
}

/// How a dialect writes length and value.
fn written(def: &FieldDef) -> String {
    let value = match (def.class(), def.encoding()) {
        (Class::B, Encoding::Binary) => "octets",
        (Class::B, _) => "hex",
        (Class::Xn, Encoding::Bcd) => "letter + BCD",
        (_, Encoding::Bcd) => "BCD",
        (_, Encoding::Ascii | Encoding::Binary | Encoding::Ebcdic | Encoding::Hex) => "ASCII",
    };
    match def.length() {
        Length::Absent | Length::Fixed(_) => value.to_owned(),
        Length::Variable { prefix, .. } => {
            format!("{} {value}", "L".repeat(usize::from(prefix.digits)))
        }
    }
}

fn shown(def: &FieldDef) -> &'static str {
    match def.mask() {
        Mask::Clear => "",
        Mask::Pan => "6 + 4 digits",
        Mask::Track => "6 + 4 digits of the number",
        Mask::Wipe => "stars",
    }
}

#[test]
fn the_page_shows_the_table_that_the_code_runs_on() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/wire.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (shown, after) = rest.split_once(END).unwrap();
    let table = table();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
        return;
    }
    assert!(
        shown == table,
        "docs/wire.md differs from the field table; to write it anew: \
         UPDATE_DOCS=1 cargo test -p cekr-iso8583 --test wire_page"
    );
}
