//! The QR code of a Slovenian payment order (UPN QR), which the website draws: its calculation.
//!
//! Shape and size only: whether a field's account number or reference is right is not asked.

use cekr_bank::upn::{Code, PaymentOrder, payload};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::given::{Given, Operation};

/// Every calculation of this family.
pub(crate) const OPERATIONS: &[Operation] = &[("upn_qr", |given| computed(fields(given)?))];

/// The nineteen fields that are given, and a twentieth that is not looked at.
fn fields<'a>(given: &Given<'a>) -> Result<[&'a str; FIELD_COUNT], String> {
    let fields = given.value("fields").and_then(Value::as_array).ok_or("`fields` is no list")?;
    if fields.len() != FIELD_COUNT + 1 {
        return Err(format!("`fields` has {} texts instead of 20", fields.len()));
    }
    let mut texts = [""; FIELD_COUNT];
    for (number, (text, field)) in (1..).zip(texts.iter_mut().zip(fields)) {
        *text = field.as_str().ok_or_else(|| format!("field {number} is no text"))?;
    }
    Ok(texts)
}

fn computed(fields: [&str; FIELD_COUNT]) -> Result<Value, String> {
    let order = PaymentOrder::parse(fields).map_err(|fault| fault.to_string())?;
    let payload = payload(&order);
    let code = Code::of(&order).ok_or("the fields do not fit the code")?;
    let hex = |octets: &[u8]| octets.iter().map(|octet| format!("{octet:02x}")).collect::<String>();
    Ok(serde_json::json!({
        "payload_hex": hex(&payload.octets),
        "control_sum": payload.control_sum,
        "modules_sha256": hex(&Sha256::digest(code.modules())),
    }))
}

/// Lines before the control sum.
const FIELD_COUNT: usize = 19;
