//! A payment order as its form and its QR code have it: twenty fields, each with its shape.
//!
//! The twentieth is the control sum, which the code computes. A value of [`PaymentOrder`] proves
//! that every field has its shape and can be written in ISO 8859-2.
//!
//! Source: Združenje bank Slovenije, guide to UPN QR for programmers (May 2017); account and
//! reference of a load: RULES, "Loads".
//!
//! ```
//! use cekr_bank::upn::{Field, PaymentOrder, Payee, Payer};
//! let payer = Payer::default();
//! let order = PaymentOrder::load(123_456_782, 50_00, &payer, &Payee::default()).unwrap();
//! assert_eq!(order.field(Field::PayeeReference), "SI058074720-123456782-200");
//! assert_eq!(order.field(Field::Amount), "00000005000");
//! ```

use std::fmt;

use super::latin2;

/// A field of an order, in the order of the code's lines.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Field {
    /// 1: the name of the format.
    Title,
    /// 2: the payer's account.
    PayerAccount,
    /// 3: X for cash paid in.
    Deposit,
    /// 4: X for cash paid out.
    Withdrawal,
    /// 5: the payer's reference.
    PayerReference,
    /// 6: the payer's name.
    PayerName,
    /// 7: the payer's street.
    PayerStreet,
    /// 8: the payer's town.
    PayerTown,
    /// 9: eleven digits of cents; zeros leave it to the payer.
    Amount,
    /// 10: the day of the payment.
    PaymentDay,
    /// 11: X for urgent.
    Urgent,
    /// 12: four letters of purpose.
    PurposeCode,
    /// 13: the purpose in words.
    Purpose,
    /// 14: the day until which to pay.
    DueDay,
    /// 15: the payee's account.
    PayeeAccount,
    /// 16: the payee's reference.
    PayeeReference,
    /// 17: the payee's name.
    PayeeName,
    /// 18: the payee's street.
    PayeeStreet,
    /// 19: the payee's town.
    PayeeTown,
}

impl Field {
    /// Every field, by its line.
    pub const ALL: [Self; FIELD_COUNT] = [
        Self::Title,
        Self::PayerAccount,
        Self::Deposit,
        Self::Withdrawal,
        Self::PayerReference,
        Self::PayerName,
        Self::PayerStreet,
        Self::PayerTown,
        Self::Amount,
        Self::PaymentDay,
        Self::Urgent,
        Self::PurposeCode,
        Self::Purpose,
        Self::DueDay,
        Self::PayeeAccount,
        Self::PayeeReference,
        Self::PayeeName,
        Self::PayeeStreet,
        Self::PayeeTown,
    ];

    /// The number of its line, from 1.
    #[must_use]
    pub const fn number(self) -> usize {
        self as usize + 1
    }

    const fn shape(self) -> Shape {
        match self {
            Self::Title => Shape::Title,
            Self::Amount => Shape::Amount,
            Self::PurposeCode => Shape::Code,
            Self::Deposit | Self::Withdrawal | Self::Urgent => Shape::Tick,
            Self::PaymentDay | Self::DueDay => Shape::Date,
            Self::PayerAccount => Shape::UpTo(19),
            Self::PayeeAccount => Shape::UpTo(34),
            Self::PayerReference | Self::PayeeReference => Shape::UpTo(26),
            Self::Purpose => Shape::UpTo(42),
            Self::PayerName
            | Self::PayerStreet
            | Self::PayerTown
            | Self::PayeeName
            | Self::PayeeStreet
            | Self::PayeeTown => Shape::UpTo(NAME_CHARS_MAX),
        }
    }
}

/// Characters of a name, a street or a town.
pub const NAME_CHARS_MAX: usize = 33;

/// Lines before the control sum.
pub const FIELD_COUNT: usize = 19;

/// An order whose fields have their shapes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PaymentOrder {
    fields: [String; FIELD_COUNT],
}

/// Who pays: empty fields are filled in by hand.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Payer {
    /// First and last name.
    pub name: String,
    /// Street and number.
    pub street: String,
    /// Post code and town.
    pub town: String,
}

/// Who is paid, and for what.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Payee {
    /// The name.
    pub name: String,
    /// Street and number.
    pub street: String,
    /// Post code and town.
    pub town: String,
    /// What the payment is for, in words.
    pub purpose: String,
}

impl Default for Payee {
    fn default() -> Self {
        Self {
            name: "NLB d.d.".to_owned(),
            street: "Trg republike 2".to_owned(),
            town: "1000 Ljubljana".to_owned(),
            purpose: "Polnjenje kartice CeKR".to_owned(),
        }
    }
}

/// Why a field is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FieldFault {
    /// Which.
    pub field: Field,
    /// Why.
    pub cause: FieldCause,
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FieldCause {
    /// A character that ISO 8859-2 has not.
    Letter(char),
    /// More characters than its line takes.
    TooLong,
    /// Another shape; in words, what it should have been.
    Unlike(&'static str),
}

impl fmt::Display for FieldFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "field {}: ", self.field.number())?;
        match self.cause {
            FieldCause::Letter(letter) => {
                write!(f, "`{}` is not in ISO 8859-2", letter.escape_default())
            }
            FieldCause::TooLong => f.write_str("is too long"),
            FieldCause::Unlike(wanted) => f.write_str(wanted),
        }
    }
}

impl std::error::Error for FieldFault {}

impl PaymentOrder {
    /// The order of these nineteen lines.
    ///
    /// # Errors
    /// The first field that has not its shape.
    pub fn parse(fields: [&str; FIELD_COUNT]) -> Result<Self, FieldFault> {
        for (field, text) in Field::ALL.into_iter().zip(fields) {
            field.shape().check(text).map_err(|cause| FieldFault { field, cause })?;
        }
        Ok(Self { fields: fields.map(str::to_owned) })
    }

    /// The order that loads a card with `cents`; 0 leaves the amount to the payer.
    ///
    /// # Errors
    /// A field of payer or payee that does not fit its line, or an amount of more than 11 digits.
    pub fn load(mok_id: u32, cents: u64, payer: &Payer, payee: &Payee) -> Result<Self, FieldFault> {
        let mut fields = [""; FIELD_COUNT];
        let amount = format!("{cents:011}");
        let reference = reference(mok_id);
        for (field, text) in [
            (Field::Title, TITLE),
            (Field::PayerName, payer.name.as_str()),
            (Field::PayerStreet, payer.street.as_str()),
            (Field::PayerTown, payer.town.as_str()),
            (Field::Amount, amount.as_str()),
            (Field::PurposeCode, PURPOSE_CODE),
            (Field::Purpose, payee.purpose.as_str()),
            (Field::PayeeAccount, ACCOUNT),
            (Field::PayeeReference, reference.as_str()),
            (Field::PayeeName, payee.name.as_str()),
            (Field::PayeeStreet, payee.street.as_str()),
            (Field::PayeeTown, payee.town.as_str()),
        ] {
            if let Some(line) = fields.get_mut(field as usize) {
                *line = text;
            }
        }
        Self::parse(fields)
    }

    /// A field's text.
    #[must_use]
    pub fn field(&self, field: Field) -> &str {
        self.fields.get(field as usize).map_or("", String::as_str)
    }

    /// The nineteen lines.
    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(String::as_str)
    }
}

/// The account that loads are paid to, without spaces.
pub const ACCOUNT: &str = "SI56029000000200020";

/// The reference that brings a payment to a card, as a form has it without spaces.
#[must_use]
pub fn reference(mok_id: u32) -> String {
    format!("SI058074720-{mok_id:09}-200")
}

/// An account number in groups of four.
#[must_use]
pub fn spaced(account: &str) -> String {
    let mut text = String::with_capacity(account.len() + account.len() / 4);
    for (place, letter) in account.chars().enumerate() {
        if place > 0 && place.is_multiple_of(4) {
            text.push(' ');
        }
        text.push(letter);
    }
    text
}

/// What a field must look like.
#[derive(Clone, Copy)]
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
    fn check(self, field: &str) -> Result<(), FieldCause> {
        let is_digits = |text: &str| text.bytes().all(|octet| octet.is_ascii_digit());
        let (is_right, wanted) = match self {
            Self::Amount => (field.len() == 11 && is_digits(field), "is not eleven digits"),
            Self::Code => {
                let is_code = field.len() == 4 && field.bytes().all(|b| b.is_ascii_uppercase());
                (is_code || field.is_empty(), "is not four capital letters")
            }
            Self::Date => {
                let parts: Vec<&str> = field.split('.').collect();
                let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
                let is_date = lengths == [2, 2, 4] && parts.into_iter().all(is_digits);
                (is_date || field.is_empty(), "is no date such as 31.12.2026")
            }
            Self::Tick => (matches!(field, "" | "X"), "is neither X nor empty"),
            Self::Title => (field == TITLE, "is not UPNQR"),
            Self::UpTo(most) => {
                if field.chars().count() > most {
                    return Err(FieldCause::TooLong);
                }
                let is_plain = !field.chars().any(char::is_control) && field.trim() == field;
                (is_plain, "has a space at an end or a control character")
            }
        };
        if !is_right {
            return Err(FieldCause::Unlike(wanted));
        }
        let foreign = field.chars().find(|letter| latin2::octet(*letter).is_none());
        foreign.map_or(Ok(()), |letter| Err(FieldCause::Letter(letter)))
    }
}

const TITLE: &str = "UPNQR";

/// Other: the programme published none.
const PURPOSE_CODE: &str = "OTHR";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    /// The fields of a load of 50.00 euros, with one of them changed.
    fn with(number: usize, text: &str) -> Result<PaymentOrder, FieldFault> {
        let mut fields = [
            TITLE,
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
        *fields.get_mut(number - 1).unwrap() = text;
        PaymentOrder::parse(fields)
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
            (6, "\u{202E}zenaJ"),
            (9, "8105"),
            (9, "0000000500,"),
            (10, "1.2.2026"),
            (12, "oth1"),
            (13, &"Č".repeat(43)),
        ] {
            let fault = with(number, text).unwrap_err();
            assert!(fault.to_string().starts_with(&format!("field {number}: ")), "{text}");
        }
        assert!(with(13, &"Č".repeat(42)).is_ok());
    }

    #[test]
    fn a_load_has_the_fields_of_the_published_example() {
        let payer = Payer {
            name: "Janez Novak".into(),
            street: "Koroška cesta 1".into(),
            town: "4000 Kranj".into(),
        };
        let order = PaymentOrder::load(123_456_789, 50_00, &payer, &Payee::default()).unwrap();
        assert_eq!(Ok(order), with(1, TITLE));
        let large = PaymentOrder::load(1, 100_000_000_000, &payer, &Payee::default()).unwrap_err();
        assert_eq!(large.field, Field::Amount);
        assert_eq!(reference(12_345_678), "SI058074720-012345678-200");
        assert_eq!(spaced(ACCOUNT), "SI56 0290 0000 0200 020");
    }
}
