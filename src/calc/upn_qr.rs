//! The QR code of a Slovenian payment order (UPN QR): twenty lines of text, and the code they make.
//!
//! Shape and size only: whether a field's account number or reference is right is not asked here.
//! It stands with the calculator until the website has a crate of its own, and moves there.
//!
//! Source: Združenje bank Slovenije, guide to UPN QR for programmers (May 2017): QR version 15,
//! error correction M, extended channel 4 (ISO 8859-2), each line ended by a line feed; the control
//! sum is the length of the first nineteen lines in characters with their line feeds.

use qrcodegen::{Mask, QrCode, QrCodeEcc, QrSegment, Version};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::given::{Given, Operation};

/// Every calculation of this family.
pub(crate) const OPERATIONS: &[Operation] = &[("upn_qr", |given| {
    let payload = payload(&fields(given)?)?;
    let code = code(&payload.octets)?;
    let hex = |octets: &[u8]| octets.iter().map(|octet| format!("{octet:02x}")).collect::<String>();
    Ok(json!({
        "payload_hex": hex(&payload.octets),
        "control_sum": payload.control_sum,
        "modules_sha256": hex(&Sha256::digest(modules(&code))),
    }))
})];

/// What the code carries.
struct Payload {
    octets: Vec<u8>,
    control_sum: String,
}

/// The nineteen fields that are given, and a twentieth that is not looked at.
fn fields<'a>(given: &Given<'a>) -> Result<Vec<&'a str>, String> {
    let fields = given.value("fields").and_then(Value::as_array).ok_or("`fields` is no list")?;
    if fields.len() != FIELDS.len() + 1 {
        return Err(format!("`fields` has {} texts instead of 20", fields.len()));
    }
    let text = |(place, field): (usize, &'a Value)| {
        field.as_str().ok_or_else(|| format!("field {} is no text", place + 1))
    };
    fields.iter().take(FIELDS.len()).enumerate().map(text).collect()
}

/// The twenty lines in ISO 8859-2, the control sum computed.
fn payload(fields: &[&str]) -> Result<Payload, String> {
    let mut octets = Vec::new();
    let mut char_count = 0;
    for (number, (field, shape)) in (1..).zip(fields.iter().zip(&FIELDS)) {
        shape.check(field).map_err(|reason| format!("field {number}: {reason}"))?;
        for letter in field.chars() {
            octets.push(latin2(letter).ok_or_else(|| {
                format!("field {number}: `{}` is not in ISO 8859-2", letter.escape_default())
            })?);
            char_count += 1;
        }
        octets.push(b'\n');
        char_count += 1;
    }
    let control_sum = format!("{char_count:03}");
    octets.extend(control_sum.bytes());
    octets.push(b'\n');
    Ok(Payload { octets, control_sum })
}

/// What a field must look like.
enum Shape {
    /// Eleven digits of cents.
    Amount,
    /// Four capital letters, or nothing.
    Code,
    /// Day, month and year, or nothing.
    Date,
    /// A letter X, or nothing.
    Tick,
    /// The name of the format.
    Title,
    /// Up to so many characters, no space at either end.
    UpTo(usize),
}

impl Shape {
    fn check(&self, field: &str) -> Result<(), String> {
        let is_digits = |text: &str| text.bytes().all(|octet| octet.is_ascii_digit());
        let (is_right, wanted) = match self {
            Shape::Amount => (field.len() == 11 && is_digits(field), "is not eleven digits"),
            Shape::Code => {
                let is_code = field.len() == 4 && field.bytes().all(|b| b.is_ascii_uppercase());
                (is_code || field.is_empty(), "is not four capital letters")
            }
            Shape::Date => {
                let parts: Vec<&str> = field.split('.').collect();
                let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
                let is_date = lengths == [2, 2, 4] && parts.into_iter().all(is_digits);
                (is_date || field.is_empty(), "is no date such as 31.12.2026")
            }
            Shape::Tick => (matches!(field, "" | "X"), "is neither X nor empty"),
            Shape::Title => (field == "UPNQR", "is not UPNQR"),
            Shape::UpTo(most) => {
                let is_short = field.chars().count() <= *most;
                let is_plain = !field.chars().any(char::is_control) && field.trim() == field;
                let wanted = "has a space at an end or a control character";
                (is_short && is_plain, if is_short { wanted } else { "is too long" })
            }
        };
        is_right.then_some(()).ok_or_else(|| wanted.to_owned())
    }
}

/// The code, of one size whatever it holds.
fn code(payload: &[u8]) -> Result<QrCode, String> {
    let segments = [QrSegment::make_eci(LATIN2_CHANNEL), QrSegment::make_bytes(payload)];
    let version = Version::new(15);
    let best_mask: Option<Mask> = None;
    let ecc = QrCodeEcc::Medium;
    QrCode::encode_segments_advanced(&segments, ecc, version, version, best_mask, false)
        .map_err(|error| format!("the fields do not fit the code: {error}"))
}

/// The code row by row, `1` for dark and `0` for light.
fn modules(code: &QrCode) -> Vec<u8> {
    let side = code.size();
    let row = |y| (0..side).map(move |x| if code.get_module(x, y) { b'1' } else { b'0' });
    (0..side).flat_map(row).collect()
}

/// A character in ISO 8859-2, if it has it.
fn latin2(letter: char) -> Option<u8> {
    if matches!(letter, ' '..='~') {
        return u8::try_from(letter).ok();
    }
    let place = LATIN2_UPPER.chars().position(|known| known == letter)?;
    u8::try_from(0xA0 + place).ok()
}

/// The first nineteen fields, in their order.
const FIELDS: [Shape; 19] = [
    Shape::Title,
    Shape::UpTo(19), // payer's account
    Shape::Tick,     // deposit
    Shape::Tick,     // withdrawal
    Shape::UpTo(26), // payer's reference
    Shape::UpTo(33), // payer's name
    Shape::UpTo(33), // payer's street
    Shape::UpTo(33), // payer's town
    Shape::Amount,
    Shape::Date, // of payment
    Shape::Tick, // urgent
    Shape::Code, // purpose
    Shape::UpTo(42),
    Shape::Date,     // due
    Shape::UpTo(34), // payee's account
    Shape::UpTo(26), // payee's reference
    Shape::UpTo(33), // payee's name
    Shape::UpTo(33), // payee's street
    Shape::UpTo(33), // payee's town
];

/// The number by which a QR code says ISO 8859-2.
const LATIN2_CHANNEL: u32 = 4;

/// ISO 8859-2 from A0 to FF.
const LATIN2_UPPER: &str = "\u{A0}Ą˘Ł¤ĽŚ§¨ŠŞŤŹ\u{AD}ŽŻ°ą˛ł´ľśˇ¸šşťź˝žżŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎ\
    ĐŃŇÓÔŐÖ×ŘŮÚŰÜÝŢßŕáâăäĺćçčéęëěíîďđńňóôőö÷řůúűüýţ˙";

#[cfg(test)]
mod tests {
    use super::*;

    /// The fields of a load of 50.00 euros, with one of them changed.
    fn with(number: usize, text: &str) -> Result<Payload, String> {
        let mut fields = [
            "UPNQR",
            "",
            "",
            "",
            "",
            "Janez Novak",
            "Koroška cesta 1",
            "4000 Kranj",
            "00000005000",
            "",
            "",
            "OTHR",
            "Polnjenje kartice CeKR",
            "",
            "SI56029000000200020",
            "SI058074720-123456789-200",
            "NLB d.d.",
            "Trg republike 2",
            "1000 Ljubljana",
        ];
        fields[number - 1] = text;
        payload(&fields)
    }

    #[test]
    fn a_field_of_another_shape_is_refused_by_its_number() {
        for (number, text) in [
            (1, "UPN"),
            (2, "SI560290000002000200"),
            (3, "x"),
            (6, "Ηλίας"),
            (6, " Janez"),
            (6, "Ja\nnez"),
            (9, "8105"),
            (9, "0000000500,"),
            (10, "1.2.2026"),
            (12, "oth1"),
            (13, &"Č".repeat(43)),
        ] {
            let reason = with(number, text).err();
            assert!(
                reason.is_some_and(|why| why.starts_with(&format!("field {number}: "))),
                "{text}"
            );
        }
        assert_eq!(
            with(13, &"Č".repeat(42)).ok().map(|payload| payload.control_sum).as_deref(),
            Some("198")
        );
    }

    #[test]
    fn the_alphabet_has_a_place_for_each_octet_from_a0() {
        assert_eq!(LATIN2_UPPER.chars().count(), 96);
        assert_eq!(latin2('\u{A0}'), Some(0xA0));
        assert_eq!(latin2('˙'), Some(0xFF));
        assert_eq!(latin2('Č'), Some(0xC8));
        assert_eq!(latin2('\n'), None);
        assert_eq!(latin2('€'), None);
    }
}
