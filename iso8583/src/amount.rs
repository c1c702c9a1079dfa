//! Amounts: one in minor units, with a sign, and the groups of them in DE 54 and DE 95.

use core::fmt;

use crate::digits;
use crate::element::{CurrencyCode, number};
use crate::error::Malformed;
use crate::field::Field;

/// An amount in minor units (euro cents for currency 978). Never negative, never a float.
///
/// ```
/// use cekr_iso8583::Amount;
/// let price = Amount::from_minor(24_90);
/// assert_eq!(price.checked_add(Amount::from_minor(10)), Some(Amount::from_minor(25_00)));
/// assert_eq!(price.to_string(), "24.90");
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Amount(u64);

impl Amount {
    /// Nothing.
    pub const ZERO: Amount = Amount(0);

    /// So many minor units.
    #[must_use]
    pub const fn from_minor(minor: u64) -> Amount {
        Amount(minor)
    }

    /// Minor units.
    #[must_use]
    pub const fn minor(self) -> u64 {
        self.0
    }

    /// Whether it is nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, unless it exceeds what a `u64` holds.
    #[must_use]
    pub const fn checked_add(self, other: Amount) -> Option<Amount> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Amount(sum)),
            None => None,
        }
    }

    /// The difference, unless it is below zero.
    #[must_use]
    pub const fn checked_sub(self, other: Amount) -> Option<Amount> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Some(Amount(difference)),
            None => None,
        }
    }

    /// The sum, or the largest amount there is; twelve digits, all that a message holds, are far
    /// below it.
    #[must_use]
    pub const fn saturating_add(self, other: Amount) -> Amount {
        Amount(self.0.saturating_add(other.0))
    }

    /// The difference, or nothing where it is below zero.
    #[must_use]
    pub const fn saturating_sub(self, other: Amount) -> Amount {
        Amount(self.0.saturating_sub(other.0))
    }

    /// The share of this amount that `part` is of `whole`, half up to the minor unit; all of it
    /// where `whole` is nothing.
    #[must_use]
    pub fn share(self, part: Amount, whole: Amount) -> Amount {
        if whole.is_zero() {
            return self;
        }
        let doubled = u128::from(self.0) * u128::from(part.0) * 2 + u128::from(whole.0);
        Amount(u64::try_from(doubled / (u128::from(whole.0) * 2)).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Amount {
    /// With two decimals, as euros: `24.90`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

/// Whose favour an amount is in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sign {
    /// `C`: to the cardholder or the receiver of the message.
    Credit,
    /// `D`: from them.
    Debit,
}

impl Sign {
    /// The letter that writes it.
    #[must_use]
    pub const fn letter(self) -> u8 {
        match self {
            Sign::Credit => b'C',
            Sign::Debit => b'D',
        }
    }

    /// The sign of a letter.
    #[must_use]
    pub const fn from_letter(letter: u8) -> Option<Sign> {
        match letter {
            b'C' => Some(Sign::Credit),
            b'D' => Some(Sign::Debit),
            _ => None,
        }
    }
}

/// An amount with its sign (DE 28 to 31, 97): a fee's `D00001500`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SignedAmount {
    /// Whose favour it is in.
    pub sign: Sign,
    /// How much.
    pub amount: Amount,
}

impl SignedAmount {
    /// Reads the letter and the ASCII digits after it.
    pub(crate) fn parse(text: &[u8]) -> Option<SignedAmount> {
        let (letter, rest) = text.split_first()?;
        let sign = Sign::from_letter(*letter)?;
        Some(SignedAmount { sign, amount: amount(rest)? })
    }
}

/// One of the amounts in DE 54.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AdditionalAmount {
    /// Account type, two digits: 00 the default.
    pub account: u8,
    /// Amount type, two digits: 01 ledger, 02 available, 40 cash, 57 asked.
    pub kind: u8,
    /// Currency.
    pub currency: CurrencyCode,
    /// Sign.
    pub sign: Sign,
    /// How much.
    pub amount: Amount,
}

impl AdditionalAmount {
    /// Characters that one amount takes in DE 54.
    pub const LEN: usize = 20;

    /// Reads twenty ASCII characters.
    ///
    /// # Errors
    /// [`Malformed`] if a digit or the sign is none.
    pub fn parse(text: &[u8; AdditionalAmount::LEN]) -> Result<AdditionalAmount, Malformed> {
        let read = || {
            Some(AdditionalAmount {
                account: u8::try_from(number(text.get(0..2)?)?).ok()?,
                kind: u8::try_from(number(text.get(2..4)?)?).ok()?,
                currency: CurrencyCode::from_digits(number(text.get(4..7)?)?)?,
                sign: Sign::from_letter(*text.get(7)?)?,
                amount: amount(text.get(8..20)?)?,
            })
        };
        read().ok_or(Malformed)
    }

    /// Writes the twenty ASCII characters of DE 54. `None` if the amount has more than twelve
    /// digits or a type more than two.
    #[must_use]
    pub fn octets(&self) -> Option<[u8; AdditionalAmount::LEN]> {
        let mut text = [0; AdditionalAmount::LEN];
        let [a, b, c, d, e, f, g, sign, digits @ ..] = &mut text;
        *sign = self.sign.letter();
        if self.amount.minor() >= digits::power_of_ten(12) || self.account > 99 || self.kind > 99 {
            return None;
        }
        digits::write_number(self.amount.minor(), digits);
        let head = u64::from(self.account) * 100_000
            + u64::from(self.kind) * 1000
            + u64::from(self.currency.number());
        let mut written = [0; 7];
        digits::write_number(head, &mut written);
        [*a, *b, *c, *d, *e, *f, *g] = written;
        Some(text)
    }
}

/// The amounts in DE 54, one after the other.
#[derive(Clone, Debug)]
pub struct AdditionalAmounts<'a> {
    field: Field<'a>,
    at: usize,
}

impl<'a> AdditionalAmounts<'a> {
    pub(crate) const fn new(field: Field<'a>) -> AdditionalAmounts<'a> {
        AdditionalAmounts { field, at: 0 }
    }
}

impl Iterator for AdditionalAmounts<'_> {
    type Item = Result<AdditionalAmount, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.field.len() {
            return None;
        }
        let mut text = [0; AdditionalAmount::LEN];
        let mut complete = 0;
        for (to, from) in text.iter_mut().zip(self.field.characters().skip(self.at)) {
            *to = from;
            complete += 1;
        }
        self.at += AdditionalAmount::LEN;
        // A group cut short keeps zero octets, which are no digits.
        debug_assert!(complete > 0, "a group begins before the field's end");
        Some(AdditionalAmount::parse(&text))
    }
}

/// What DE 95 puts in the place of the original's amounts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReplacementAmounts {
    /// New DE 4, in the currency of DE 49. Zero reverses everything.
    pub transaction: Amount,
    /// New DE 5.
    pub settlement: Amount,
    /// New DE 28.
    pub transaction_fee: SignedAmount,
    /// New DE 29.
    pub settlement_fee: SignedAmount,
}

impl ReplacementAmounts {
    /// Reads 42 ASCII characters.
    ///
    /// # Errors
    /// [`Malformed`] if a digit or a sign is none.
    pub fn parse(text: &[u8; 42]) -> Result<ReplacementAmounts, Malformed> {
        let read = || {
            Some(ReplacementAmounts {
                transaction: amount(text.get(0..12)?)?,
                settlement: amount(text.get(12..24)?)?,
                transaction_fee: SignedAmount::parse(text.get(24..33)?)?,
                settlement_fee: SignedAmount::parse(text.get(33..42)?)?,
            })
        };
        read().ok_or(Malformed)
    }

    /// Writes the 42 ASCII characters of DE 95. `None` if an amount has too many digits.
    #[must_use]
    pub fn octets(&self) -> Option<[u8; 42]> {
        let mut text = [b'0'; 42];
        let amounts = [
            (0..12, self.transaction),
            (12..24, self.settlement),
            (25..33, self.transaction_fee.amount),
            (34..42, self.settlement_fee.amount),
        ];
        for (range, amount) in amounts {
            if amount.minor() >= digits::power_of_ten(range.len()) {
                return None;
            }
            digits::write_number(amount.minor(), text.get_mut(range)?);
        }
        *text.get_mut(24)? = self.transaction_fee.sign.letter();
        *text.get_mut(33)? = self.settlement_fee.sign.letter();
        Some(text)
    }
}

fn amount(ascii: &[u8]) -> Option<Amount> {
    number(ascii).map(Amount)
}
