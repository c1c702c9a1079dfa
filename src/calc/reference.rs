//! Payment references and account numbers, as calculations.

use cekr_bank::reference;
use serde_json::json;

use super::given::Operation;

/// Every calculation of this family.
pub(crate) const OPERATIONS: &[Operation] = &[
    ("mod11", |given| {
        let check = reference::mod11(given.text("data")?)
            .ok_or("`data` has not 1 to 12 digits: the weights end with the twelfth")?;
        Ok(json!({ "k": check }))
    }),
    ("si_reference", |given| {
        let normalized = reference::normalized(given.text("input")?);
        let result = reference::si_reference(&normalized);
        let result = result.map_or_else(reference::SiFault::name, |()| "OK");
        Ok(json!({ "normalized": normalized, "result": result }))
    }),
    ("cekr_reference", |given| {
        let judged = reference::judge(given.text("input")?);
        let mok_id = judged.mok_id.map(|mok_id| format!("{mok_id:09}"));
        Ok(json!({ "verdict": judged.verdict.name(), "mok_id": mok_id }))
    }),
    ("rf_reference", |given| {
        Ok(json!({ "valid": reference::is_rf_reference(given.text("input")?) }))
    }),
    ("iban", |given| {
        Ok(json!({ "valid": reference::Iban::parse(given.text("input")?).is_some() }))
    }),
];
