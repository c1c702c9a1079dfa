//! Calculations about a cashpoint's fee, by the rule that the switch itself uses.

use cekr_issuer::{Amount, fee};
use serde_json::json;

use super::given::Operation;

/// Every calculation of this family.
pub(crate) const OPERATIONS: &[Operation] = &[
    ("atm_fee", |given| {
        let amount = Amount::from_minor(given.number("amount")?);
        let fee = fee::cashpoint(amount);
        let total = amount.minor().checked_add(fee.minor());
        let total = total.ok_or("`amount` is too large for its fee to be added")?;
        Ok(json!({ "fee": fee.minor(), "hold_total": total }))
    }),
    ("max_withdrawal", |given| {
        let available = Amount::from_minor(given.number("available")?);
        Ok(json!({ "amount": fee::withdrawal_max(available).minor() }))
    }),
];
