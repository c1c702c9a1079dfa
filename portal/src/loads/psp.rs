//! What a payment service provider does for loads: takes payments by card, tells how they stand.
//!
//! The payer gives the card's number to the provider's own page. Here a payment has a token, the
//! number's first six and last four digits, and the brand. An answer can be lost, so that every
//! call may be made again: it has one effect by the order's name, and tells how the payment stands.
//! Notifications only say that something happened; what happened is asked for.

pub mod faulty;
pub mod sandbox;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use serde::{Deserialize, Serialize};

/// What a call answers, or that it did not.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, NoAnswer>> + Send + 'a>>;

/// No answer came: whether the call had its effect is not known.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the payment provider does not answer")]
pub struct NoAnswer;

/// A payment service provider.
pub trait Psp: Send + Sync {
    /// Opens a payment; one that is there is told as it stands.
    fn open<'a>(&'a self, new: &'a NewPayment) -> Answer<'a, Payment>;

    /// How a payment stands, if it is known.
    fn find<'a>(&'a self, order: &'a str) -> Answer<'a, Option<Payment>>;

    /// Takes the money of an authorized payment.
    fn capture<'a>(&'a self, order: &'a str) -> Answer<'a, Payment>;

    /// Ends a payment whose money was not taken. An order that is not known is ended before it
    /// begins.
    fn cancel<'a>(&'a self, order: &'a str) -> Answer<'a, Payment>;

    /// Gives back `cents` of a captured payment, or what is left of it; the same `name` once.
    fn refund<'a>(&'a self, order: &'a str, name: &'a str, cents: u64) -> Answer<'a, Payment>;

    /// The address of the page where the payer gives the card's number.
    fn page(&self, order: &str) -> String;
}

/// A payment to be opened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewPayment {
    /// Our name for it.
    pub order: String,
    /// Cents.
    pub amount: u64,
    /// Where the payer's browser goes afterwards, on this website.
    pub back: String,
    /// First digits of cards that must not pay.
    pub refused_bins: Vec<String>,
    /// A means of payment that the provider knows already.
    pub token: Option<String>,
}

/// A payment as its provider tells it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Payment {
    /// Our name for it.
    pub order: String,
    /// Cents.
    pub amount: u64,
    /// How far it has come.
    pub status: PaymentStatus,
    /// By what it is paid, once that is known.
    pub means: Option<Means>,
    /// What was given back or taken back of it, in its order; none is ever dropped.
    pub reversals: Vec<Reversal>,
}

impl Payment {
    /// What was given or taken back, in cents.
    #[must_use]
    pub fn returned(&self) -> u64 {
        self.reversals.iter().fold(0, |sum, reversal| sum.saturating_add(reversal.amount))
    }
}

/// How far a payment has come.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    /// The payer's bank asks who is paying.
    Authenticating,
    /// The money is held.
    Authorized,
    /// It was ended before money was taken.
    Cancelled,
    /// The money was taken.
    Captured,
    /// The payer's bank refused it, or did not know the payer.
    Declined,
    /// Nobody gave a card yet.
    Open,
}

/// A means of payment.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
pub struct Means {
    /// The provider's name for it.
    pub token: String,
    /// First six and last four digits.
    pub masked: String,
    /// Whose card it is.
    pub brand: Brand,
}

impl fmt::Debug for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { masked, brand, token: _ } = self;
        f.debug_struct("Means").field("masked", masked).field("brand", brand).finish()
    }
}

/// The brand of a card.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Brand {
    /// Maestro.
    Maestro,
    /// Mastercard.
    Mastercard,
    /// Any other.
    Other,
    /// Visa.
    Visa,
}

impl Brand {
    /// The brand of a number, by its first digits.
    #[must_use]
    pub fn of(digits: &str) -> Brand {
        let first = |count: usize| digits.get(..count).and_then(|digits| digits.parse().ok());
        let (one, two, four): (u32, u32, u32) =
            (first(1).unwrap_or(0), first(2).unwrap_or(0), first(4).unwrap_or(0));
        if one == 4 {
            Self::Visa
        } else if (51..=55).contains(&two) || (2221..=2720).contains(&four) {
            Self::Mastercard
        } else if one == 6 || two == 50 || (56..=58).contains(&two) {
            Self::Maestro
        } else {
            Self::Other
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Maestro => "Maestro",
            Self::Mastercard => "Mastercard",
            Self::Other => "",
            Self::Visa => "Visa",
        }
    }
}

/// Money of a payment that went back.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Reversal {
    /// Its name; no two of a payment have the same.
    pub name: String,
    /// Why.
    pub cause: ReversalCause,
    /// Cents.
    pub amount: u64,
}

/// Why money went back.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReversalCause {
    /// The payer's bank took it.
    Chargeback,
    /// We gave it.
    Refund,
}
