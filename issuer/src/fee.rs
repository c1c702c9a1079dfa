//! The cashpoint fee: 5 % of the withdrawal, and at least 15 euros.
//!
//! Source: the programme's cardholder page, "5% of the withdrawal amount or a minimum of 15
//! euros". The page does not name a rounding; ours is half up to the cent, per transaction.
//!
//! ```
//! use cekr_issuer::{Amount, fee};
//!
//! let fee = fee::cashpoint(Amount::from_minor(200_00));
//! assert_eq!(fee, Amount::from_minor(15_00)); // 10.00 is below the minimum
//! ```

use crate::money::Amount;
use crate::planted::{self, Fault};

/// The least that a withdrawal costs, in cents.
pub const FEE_MIN: Amount = Amount::from_minor(15_00);

/// The share of the withdrawal, as one part in so many: 5 % is one in twenty.
pub const FEE_DIVISOR: u64 = 20;

/// The fee of a withdrawal of `base`, in cents; nothing for nothing.
///
/// `base` is the cash dispensed in the billing currency, without the machine owner's surcharge.
#[must_use]
pub fn cashpoint(base: Amount) -> Amount {
    if base.minor() == 0 {
        return Amount::from_minor(0);
    }
    let share = percentage(base);
    if share.minor() > FEE_MIN.minor() { share } else { FEE_MIN }
}

/// The largest withdrawal that `available` covers with its fee, in cents.
///
/// ```
/// use cekr_issuer::{Amount, fee};
///
/// let largest = fee::withdrawal_max(Amount::from_minor(315_10));
/// assert_eq!(largest, Amount::from_minor(300_09)); // one cent stays: 300.10 needs 315.11
/// ```
#[must_use]
pub fn withdrawal_max(available: Amount) -> Amount {
    let available = available.minor();
    if available <= FEE_MIN.minor() {
        return Amount::from_minor(0);
    }
    // The fee never falls as the base grows, so the answer lies below both of these bounds and
    // within one step of rounding of the lower one.
    let by_minimum = available - FEE_MIN.minor();
    // Divided before it is multiplied: what is lost is made up by the steps below.
    let by_share = available / (FEE_DIVISOR + 1) * FEE_DIVISOR + FEE_DIVISOR;
    let mut base = if by_minimum < by_share { by_minimum } else { by_share };
    while base > 0 && base.saturating_add(cashpoint(Amount::from_minor(base)).minor()) > available {
        base -= 1;
    }
    Amount::from_minor(base)
}

/// 5 % of `base`, half up to the cent.
fn percentage(base: Amount) -> Amount {
    let minor = base.minor();
    let is_up = minor % FEE_DIVISOR >= FEE_DIVISOR / 2 && !planted::is(Fault::WrongRounding);
    let half_up = u64::from(is_up);
    Amount::from_minor(minor / FEE_DIVISOR + half_up)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VECTORS: &str =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/domain/atm_fee.json"));

    #[test]
    fn agrees_with_every_worked_case() {
        let vectors: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
        let cases = vectors["fee"].as_array().unwrap();
        assert!(cases.len() > 20);
        for case in cases {
            let amount = Amount::from_minor(case["amount"].as_u64().unwrap());
            let fee = cashpoint(amount);
            assert_eq!(fee.minor(), case["fee"].as_u64().unwrap(), "fee of {amount:?}");
            assert_eq!(fee.minor() + amount.minor(), case["hold_total"].as_u64().unwrap());
        }
    }

    #[test]
    fn the_largest_withdrawal_agrees_with_every_worked_case() {
        let vectors: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
        for case in vectors["max_withdrawal"].as_array().unwrap() {
            let available = Amount::from_minor(case["available"].as_u64().unwrap());
            assert_eq!(
                withdrawal_max(available).minor(),
                case["max_withdrawal"].as_u64().unwrap(),
                "with {available:?}"
            );
        }
    }

    #[test]
    fn the_largest_amount_does_not_overflow() {
        assert_eq!(cashpoint(Amount::from_minor(u64::MAX)).minor(), u64::MAX / 20 + 1);
        assert!(withdrawal_max(Amount::from_minor(u64::MAX)).minor() > 0);
    }

    proptest! {
        /// The rule in exact arithmetic: hundredths of a cent, in 128 bits.
        #[test]
        fn is_the_rule_in_exact_arithmetic(minor in 0_u64..=999_999_999_999) {
            let exact_hundredths = u128::from(minor) * 5;
            let rounded = (exact_hundredths + 50) / 100;
            let expected = if minor == 0 { 0 } else { rounded.max(1500) };
            prop_assert_eq!(u128::from(cashpoint(Amount::from_minor(minor)).minor()), expected);
        }

        #[test]
        fn the_largest_withdrawal_fits_and_one_cent_more_does_not(available in 0_u64..100_000_000) {
            let largest = withdrawal_max(Amount::from_minor(available)).minor();
            let needs = |base: u64| base + cashpoint(Amount::from_minor(base)).minor();
            prop_assert!(largest == 0 || needs(largest) <= available);
            prop_assert!(needs(largest + 1) > available);
        }
    }
}
