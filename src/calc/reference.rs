//! Payment references and account numbers, as calculations.
//!
//! The rules stand in the website's crate, which reads bank statements by them; a build without it
//! knows these calculations by name and says what they need.

use super::given::Operation;

/// Every calculation of this family.
#[cfg(feature = "portal")]
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

/// Every calculation of this family.
#[cfg(not(feature = "portal"))]
pub(crate) const OPERATIONS: &[Operation] = &[
    ("mod11", |_| Err(NEEDS_PORTAL.into())),
    ("si_reference", |_| Err(NEEDS_PORTAL.into())),
    ("cekr_reference", |_| Err(NEEDS_PORTAL.into())),
    ("rf_reference", |_| Err(NEEDS_PORTAL.into())),
    ("iban", |_| Err(NEEDS_PORTAL.into())),
];

#[cfg(not(feature = "portal"))]
const NEEDS_PORTAL: &str = "this cekr was built without the feature `portal`, which has references";

#[cfg(feature = "portal")]
use cekr_portal::statements::reference;
#[cfg(feature = "portal")]
use serde_json::json;
