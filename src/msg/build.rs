//! `cekr msg build`: a message made from the JSON object that `cekr msg view --json` prints, or
//! from a shorter one of the same shape.

use std::io::Write;
use std::path::PathBuf;

use cekr_iso8583::subfield::Tagged;
use cekr_iso8583::{Class, FieldSet, Framing, Header, Mti, Spec, WriteError, Writer};
use serde_json::{Map, Value};

use super::input::{MESSAGE_OCTETS_MAX, framing_by_name, spec_by_name, unhex};
use super::{Failure, print_hex};

/// Options of `cekr msg build`.
#[derive(Debug, clap::Args)]
pub(super) struct BuildArgs {
    /// File with the JSON object; `-` or nothing is standard input.
    #[arg(value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// Message format; without it, the object's own "spec", else cekr87.
    #[arg(long, value_parser = spec_by_name, value_name = "S")]
    pub(super) spec: Option<&'static Spec>,
    /// Frame around the message: none, be2, nac or ascii4.
    #[arg(long, default_value = "none", value_parser = framing_by_name, value_name = "F")]
    pub(super) framing: Framing,
    /// One JSON object: {"hex":"...","octets":n}.
    #[arg(long)]
    pub(super) json: bool,
}

/// Builds the message that `text` describes and prints it in hexadecimal.
pub(super) fn build(text: &str, args: &BuildArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let usage = |text: String| Failure::Usage(text);
    let document: Value = serde_json::from_str(text).map_err(|error| {
        usage(format!("the input is no JSON: {error}; `cekr msg build --help` shows an example"))
    })?;
    let spec = match (args.spec, document.get("spec").and_then(Value::as_str)) {
        (Some(spec), _) => spec,
        (None, Some(name)) => spec_by_name(name).map_err(usage)?,
        (None, None) => &cekr_iso8583::CEKR87,
    };
    let mti = document.get("mti").and_then(Value::as_str).map(str::as_bytes).and_then(Mti::parse);
    let mti = mti.ok_or_else(|| usage("\"mti\" must be a text of four digits".to_owned()))?;
    let empty = Map::new();
    let fields = match document.get("fields") {
        Some(Value::Object(fields)) => fields,
        None => &empty,
        Some(_) => return Err(usage("\"fields\" must be an object".to_owned())),
    };
    let mut values = Vec::new();
    for (key, value) in fields {
        let de = key.parse().ok().filter(|de| (2..=128).contains(de)).ok_or_else(|| {
            usage(format!("\"{key}\": fields are named by their number, 2 to 128"))
        })?;
        values.push((de, value_text(de, value)?));
    }
    values.sort_unstable();
    let numbers: Vec<u8> = values.iter().map(|(de, _)| *de).collect();
    let head_len = args.framing.header_len();
    let mut octets = vec![0; MESSAGE_OCTETS_MAX];
    let body = octets.get_mut(head_len..).unwrap_or_default();
    let len = write_message(spec, mti, FieldSet::of(&numbers), &values, body)?;
    octets.truncate(head_len + len);
    args.framing.write_header(Header::default(), len, &mut octets).map_err(|_| {
        let name = args.framing.name();
        Failure::Failed(format!("a message of {len} octets does not fit framing {name}"))
    })?;
    print_hex(&octets, args.json, out)
}

fn write_message(
    spec: &Spec,
    mti: Mti,
    fields: FieldSet,
    values: &[(u8, String)],
    out: &mut [u8],
) -> Result<usize, Failure> {
    let explain = |error: WriteError| {
        let hint = match error {
            WriteError::NotOfClass { .. } => "; a value with stars was shown without --unsafe",
            WriteError::Missing { .. }
            | WriteError::NoRoom
            | WriteError::NotExpected { .. }
            | WriteError::TooLong { .. }
            | WriteError::TooShort { .. }
            | WriteError::UnknownField { .. } => "",
        };
        Failure::Usage(format!("{error}{hint}"))
    };
    let mut writer = Writer::new(spec, mti, fields, out).map_err(explain)?;
    for (de, value) in values {
        match spec.field(*de).map(|def| def.class()) {
            Some(Class::B) => {
                let octets = unhex(value).ok_or_else(|| {
                    let text = "a binary value is written in pairs of hexadecimal digits";
                    Failure::Usage(format!("DE {de}: {text}"))
                })?;
                writer.octets(*de, &octets).map_err(explain)?;
            }
            Some(Class::An | Class::Ans | Class::N | Class::Xn | Class::Z) | None => {
                writer.text(*de, value.as_bytes()).map_err(explain)?;
            }
        }
    }
    writer.finish().map_err(explain)
}

/// The text of a field in the input of `build`: a text, or an object with a text in `value`, or
/// for DE 48 an object of subfields.
fn value_text(de: u8, value: &Value) -> Result<String, Failure> {
    let whole = value.get("value").unwrap_or(value);
    if let Some(text) = whole.as_str() {
        return Ok(text.to_owned());
    }
    let parts = value.get("fields").unwrap_or(value).as_object().filter(|_| de == 48);
    let Some(parts) = parts else {
        let text = "give the value as text, with its leading zeros";
        return Err(Failure::Usage(format!("DE {de}: {text}")));
    };
    let mut text = String::new();
    for (id, part) in parts {
        let part = part.get("value").unwrap_or(part).as_str().unwrap_or_default();
        text.push_str(&format!("{id}{:02}{part}", part.len()));
    }
    if Tagged::new(text.as_bytes()).is_well_formed() {
        return Ok(text);
    }
    let rule = "subfields are texts of at most 99 characters under ids of two digits";
    Err(Failure::Usage(format!("DE 48: {rule}")))
}
