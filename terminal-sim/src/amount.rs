//! Sums of money as people type and read them: `24.90`, `24,90`, `24` are euros, kept in cents.
//!
//! ```
//! use cekr_terminal_sim::amount::{parse, text};
//! assert_eq!(parse("24,90"), Ok(24_90));
//! assert_eq!(text(24_90), "24.90");
//! ```

/// Reads a sum in euros: digits, then nothing, or a point or comma and one or two digits.
///
/// # Errors
/// What is wrong, in words that say how to write it.
pub fn parse(text: &str) -> Result<u64, AmountError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(AmountError::Empty);
    }
    if text.starts_with('-') {
        return Err(AmountError::Negative);
    }
    let (euros, cents) = text.split_once(['.', ',']).unwrap_or((text, "00"));
    let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_digit());
    if !are_digits(euros) || !are_digits(cents) {
        return Err(AmountError::NotDigits);
    }
    let cents: u64 = match cents.len() {
        1 => cents.parse::<u64>().map_err(|_| AmountError::NotDigits)? * 10,
        2 => cents.parse().map_err(|_| AmountError::NotDigits)?,
        _ => return Err(AmountError::TooFine),
    };
    let euros: u64 = euros.parse().map_err(|_| AmountError::TooLarge)?;
    let total = euros.checked_mul(100).and_then(|whole| whole.checked_add(cents));
    total.filter(|total| *total <= CENTS_MAX).ok_or(AmountError::TooLarge)
}

/// Cents as euros with a point: `24.90`.
#[must_use]
pub fn text(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// Signed cents as euros with a point: `-0.10`.
#[must_use]
pub fn signed_text(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}", text(cents.unsigned_abs()))
}

/// Why a text is no sum of money.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AmountError {
    /// Nothing was typed.
    #[error("the amount is empty: write euros, for example 24.90")]
    Empty,
    /// Below zero.
    #[error("the amount is negative: write what changes hands, for example 24.90")]
    Negative,
    /// Letters, signs, or two points.
    #[error("the amount is not a number: write euros, for example 24.90, 24,90 or 24")]
    NotDigits,
    /// More than two decimals.
    #[error("the amount has more than two decimals: the smallest coin is 0.01")]
    TooFine,
    /// More than twelve digits of cents, which DE 4 cannot carry.
    #[error("the amount is too large: at most 9999999999.99")]
    TooLarge,
}

/// Twelve digits, DE 4.
const CENTS_MAX: u64 = 999_999_999_999;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{AmountError, parse, signed_text, text};

    #[test]
    fn reads_points_commas_and_whole_euros() {
        assert_eq!(parse("24.90"), Ok(24_90));
        assert_eq!(parse("24,9"), Ok(24_90));
        assert_eq!(parse(" 24 "), Ok(24_00));
        assert_eq!(parse("0.01"), Ok(1));
        assert_eq!(parse("9999999999.99"), Ok(999_999_999_999));
    }

    #[test]
    fn names_what_is_wrong() {
        assert_eq!(parse(""), Err(AmountError::Empty));
        assert_eq!(parse("-1"), Err(AmountError::Negative));
        assert_eq!(parse("1.234"), Err(AmountError::TooFine));
        for text in ["x", "1.x", ".5", "5.", "1.2.3", "1 000", "+5", "１"] {
            assert_eq!(parse(text), Err(AmountError::NotDigits), "{text}");
        }
        for text in ["10000000000", "99999999999999999999999"] {
            assert_eq!(parse(text), Err(AmountError::TooLarge), "{text}");
        }
    }

    #[test]
    fn shows_debts_with_a_sign() {
        assert_eq!(signed_text(-10), "-0.10");
        assert_eq!(signed_text(171_10), "171.10");
    }

    proptest! {
        #[test]
        fn reads_back_what_it_writes(cents in 0u64..=999_999_999_999) {
            prop_assert_eq!(parse(&text(cents)), Ok(cents));
        }
    }
}
