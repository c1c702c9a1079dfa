//! The embedded payment provider for trying things out: as others see one, without money.
//!
//! Its payments stand in the website's database, so that a start finds them as they were. It takes
//! published test numbers only, and forgets a number as soon as it has made a token of it.

use std::fmt::Write as _;

use cekr_switch::sync::Arc;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::{
    Answer, Brand, Means, NewPayment, NoAnswer, Payment, PaymentStatus, Psp, Reversal,
    ReversalCause,
};
use crate::db::Database;

/// The provider. Cheap to clone.
#[derive(Clone)]
pub struct Sandbox {
    database: Database,
    turn: Arc<Mutex<()>>,
}

/// A number that may be tried.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TestCard {
    /// All of it.
    pub number: &'static str,
    /// What its bank does.
    pub bank: Bank,
}

/// What the bank of a test card does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Bank {
    /// Knows its customer without a question.
    Approves,
    /// Asks for a code ([`TEST_CODE`]) first.
    Asks,
    /// Refuses.
    Declines,
}

impl Bank {
    /// The key of the text that tells it.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Approves => "loads-psp-approves",
            Self::Asks => "loads-psp-asks",
            Self::Declines => "loads-psp-declines",
        }
    }
}

/// The numbers, as the page publishes them.
pub const TEST_CARDS: [TestCard; 5] = [
    TestCard { number: "4111111111111111", bank: Bank::Approves },
    TestCard { number: "4012888888881881", bank: Bank::Asks },
    TestCard { number: "5555555555554444", bank: Bank::Asks },
    TestCard { number: "6759649826438453", bank: Bank::Approves },
    TestCard { number: "4000000000000002", bank: Bank::Declines },
];

/// The code that every bank of the sandbox has sent.
pub const TEST_CODE: &str = "2468";

/// What is wrong with a card that somebody gave.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CardFault {
    /// Its number ends in a wrong check digit, or is none.
    NoNumber,
    /// It begins as cards do that must not pay.
    Refused,
    /// It is none of the test cards.
    Unknown,
}

/// What the payer sees.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Shown {
    /// Cents.
    pub amount: u64,
    /// How far it has come.
    pub status: PaymentStatus,
    /// The card that is known already, masked.
    pub masked: Option<String>,
    /// Where the browser goes when it is done.
    pub back: String,
}

#[derive(Deserialize, Serialize)]
struct Stored {
    payment: Payment,
    back: String,
    refused_bins: Vec<String>,
    /// The means that the order brought along.
    token: Option<String>,
    wrong_codes: u32,
}

impl Sandbox {
    /// The provider whose payments stand in `database`.
    #[must_use]
    pub fn new(database: Database) -> Sandbox {
        Sandbox { database, turn: Arc::new(Mutex::new(())) }
    }

    /// What the payer sees of an order.
    ///
    /// # Errors
    /// [`NoAnswer`] if the database does not answer.
    pub async fn shown(&self, order: &str) -> Result<Option<Shown>, NoAnswer> {
        let Some(stored) = self.read(order).await? else { return Ok(None) };
        let known = stored.token.as_deref().and_then(of_token);
        let masked = known.map(|card| masked(card.number));
        let Payment { amount, status, .. } = stored.payment;
        Ok(Some(Shown { amount, status, masked, back: stored.back }))
    }

    /// Pays by the card of this number, which goes no further than here.
    ///
    /// # Errors
    /// What is wrong with it; [`NoAnswer`] if the database does not answer.
    pub async fn give(&self, order: &str, number: &str) -> Result<Result<(), CardFault>, NoAnswer> {
        let typed = |letter: &char| !letter.is_whitespace() && *letter != '-';
        let digits: String = number.chars().filter(typed).collect();
        if !is_number(&digits) {
            return Ok(Err(CardFault::NoNumber));
        }
        let mut fault = None;
        self.change(order, |stored| {
            if stored.refused_bins.iter().any(|bin| digits.starts_with(bin.as_str())) {
                fault = Some(CardFault::Refused);
            } else if let Some(card) = TEST_CARDS.iter().find(|card| card.number == digits) {
                begin(stored, *card);
            } else {
                fault = Some(CardFault::Unknown);
            }
        })
        .await?;
        Ok(fault.map_or(Ok(()), Err))
    }

    /// Pays by the means that the order brought along.
    ///
    /// # Errors
    /// [`NoAnswer`] if the database does not answer.
    pub async fn give_kept(&self, order: &str) -> Result<(), NoAnswer> {
        let give = |stored: &mut Stored| {
            if let Some(card) = stored.token.as_deref().and_then(of_token) {
                begin(stored, card);
            }
        };
        self.change(order, give).await.map(|_| ())
    }

    /// Answers the bank's question; the third wrong code is the last.
    ///
    /// # Errors
    /// [`NoAnswer`] if the database does not answer.
    pub async fn answer(&self, order: &str, code: &str) -> Result<Option<Payment>, NoAnswer> {
        self.change(order, |stored| {
            if stored.payment.status != PaymentStatus::Authenticating {
                return;
            }
            if code.trim() == TEST_CODE {
                stored.payment.status = PaymentStatus::Authorized;
                return;
            }
            stored.wrong_codes += 1;
            if stored.wrong_codes >= WRONG_CODES_MAX {
                stored.payment.status = PaymentStatus::Declined;
            }
        })
        .await
    }

    /// The payer's bank takes `cents` of a captured payment back; the same `name` once.
    ///
    /// # Errors
    /// [`NoAnswer`] if the database does not answer.
    pub async fn charge_back(
        &self,
        order: &str,
        name: &str,
        cents: u64,
    ) -> Result<Option<Payment>, NoAnswer> {
        let cause = ReversalCause::Chargeback;
        self.change(order, |stored| reverse(&mut stored.payment, name, cause, cents)).await
    }

    async fn read(&self, order: &str) -> Result<Option<Stored>, NoAnswer> {
        let read = sqlx::query_scalar("SELECT body FROM sandbox_payment WHERE order_id = $1");
        let body: Option<String> =
            read.bind(order).fetch_optional(self.database.pool()).await.map_err(no_answer)?;
        body.map(|body| serde_json::from_str(&body).map_err(|_| NoAnswer)).transpose()
    }

    async fn write(&self, stored: &Stored) -> Result<(), NoAnswer> {
        let body = serde_json::to_string(stored).map_err(|_| NoAnswer)?;
        let write = "INSERT INTO sandbox_payment (order_id, body) VALUES ($1, $2) ON CONFLICT \
                     (order_id) DO UPDATE SET body = excluded.body";
        let write = sqlx::query(write).bind(&stored.payment.order).bind(body);
        write.execute(self.database.pool()).await.map(|_| ()).map_err(no_answer)
    }

    /// Changes a payment that is there, one change at a time.
    async fn change(
        &self,
        order: &str,
        change: impl FnOnce(&mut Stored),
    ) -> Result<Option<Payment>, NoAnswer> {
        let _turn = self.turn.lock().await;
        let Some(mut stored) = self.read(order).await? else { return Ok(None) };
        let before = (stored.payment.clone(), stored.wrong_codes);
        change(&mut stored);
        if before != (stored.payment.clone(), stored.wrong_codes) {
            self.write(&stored).await?;
        }
        Ok(Some(stored.payment))
    }
}

impl Psp for Sandbox {
    fn open<'a>(&'a self, new: &'a NewPayment) -> Answer<'a, Payment> {
        Box::pin(async move {
            let _turn = self.turn.lock().await;
            if let Some(stored) = self.read(&new.order).await? {
                return Ok(stored.payment);
            }
            let stored = opened(new, PaymentStatus::Open);
            self.write(&stored).await?;
            Ok(stored.payment)
        })
    }

    fn find<'a>(&'a self, order: &'a str) -> Answer<'a, Option<Payment>> {
        Box::pin(async move { Ok(self.read(order).await?.map(|stored| stored.payment)) })
    }

    fn capture<'a>(&'a self, order: &'a str) -> Answer<'a, Payment> {
        Box::pin(async move {
            let capture = |stored: &mut Stored| {
                if stored.payment.status == PaymentStatus::Authorized {
                    stored.payment.status = PaymentStatus::Captured;
                }
            };
            self.change(order, capture).await?.ok_or(NoAnswer)
        })
    }

    fn cancel<'a>(&'a self, order: &'a str) -> Answer<'a, Payment> {
        Box::pin(async move {
            let cancel = |stored: &mut Stored| match stored.payment.status {
                PaymentStatus::Authenticating | PaymentStatus::Authorized | PaymentStatus::Open => {
                    stored.payment.status = PaymentStatus::Cancelled
                }
                PaymentStatus::Cancelled | PaymentStatus::Captured | PaymentStatus::Declined => {}
            };
            if let Some(payment) = self.change(order, cancel).await? {
                return Ok(payment);
            }
            let _turn = self.turn.lock().await;
            let new = NewPayment {
                order: order.to_owned(),
                amount: 0,
                back: String::new(),
                refused_bins: Vec::new(),
                token: None,
            };
            let stored = opened(&new, PaymentStatus::Cancelled);
            self.write(&stored).await?;
            Ok(stored.payment)
        })
    }

    fn refund<'a>(&'a self, order: &'a str, name: &'a str, cents: u64) -> Answer<'a, Payment> {
        Box::pin(async move {
            let cause = ReversalCause::Refund;
            let refund = |stored: &mut Stored| reverse(&mut stored.payment, name, cause, cents);
            self.change(order, refund).await?.ok_or(NoAnswer)
        })
    }

    fn page(&self, order: &str) -> String {
        format!("/sandbox/psp/{order}")
    }
}

fn opened(new: &NewPayment, status: PaymentStatus) -> Stored {
    let NewPayment { order, amount, back, refused_bins, token } = new.clone();
    let payment = Payment { order, amount, status, means: None, reversals: Vec::new() };
    Stored { payment, back, refused_bins, token, wrong_codes: 0 }
}

/// Goes to the bank of a card.
fn begin(stored: &mut Stored, card: TestCard) {
    if stored.payment.status != PaymentStatus::Open {
        return;
    }
    stored.payment.means = Some(Means {
        token: token_of(card),
        masked: masked(card.number),
        brand: Brand::of(card.number),
    });
    stored.payment.status = match card.bank {
        Bank::Approves => PaymentStatus::Authorized,
        Bank::Asks => PaymentStatus::Authenticating,
        Bank::Declines => PaymentStatus::Declined,
    };
}

fn reverse(payment: &mut Payment, name: &str, cause: ReversalCause, cents: u64) {
    let is_known = payment.reversals.iter().any(|reversal| reversal.name == name);
    let amount = cents.min(payment.amount.saturating_sub(payment.returned()));
    if payment.status == PaymentStatus::Captured && !is_known && amount > 0 {
        payment.reversals.push(Reversal { name: name.to_owned(), cause, amount });
    }
}

/// A name for a test card that says nothing of its digits.
fn token_of(card: TestCard) -> String {
    let place = TEST_CARDS.iter().position(|known| *known == card).unwrap_or_default();
    format!("sandbox-means-{place}")
}

fn of_token(token: &str) -> Option<TestCard> {
    TEST_CARDS.into_iter().find(|card| token_of(*card) == token)
}

fn masked(number: &str) -> String {
    let (first, last) = (number.get(..6), number.get(number.len().saturating_sub(4)..));
    let mut text = first.unwrap_or_default().to_owned();
    for _ in 10..number.len() {
        text.push('*');
    }
    let _ = write!(text, "{}", last.unwrap_or_default());
    text
}

/// Whether it is 12 to 19 digits of which the last checks the others.
fn is_number(digits: &str) -> bool {
    let is_long = (12..=19).contains(&digits.len());
    let sum = digits.bytes().rev().enumerate().try_fold(0_u32, |sum, (place, octet)| {
        let digit = char::from(octet).to_digit(10)?;
        let doubled = if place % 2 == 1 { digit * 2 } else { digit };
        Some(sum + doubled / 10 + doubled % 10)
    });
    is_long && sum.is_some_and(|sum| sum % 10 == 0)
}

fn no_answer(error: sqlx::Error) -> NoAnswer {
    tracing::error!(%error, "the sandbox's payments cannot be had");
    NoAnswer
}

/// Wrong codes after which a bank refuses.
const WRONG_CODES_MAX: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_published_number_is_one_and_shows_ten_digits_at_most() {
        for card in TEST_CARDS {
            assert!(is_number(card.number), "{}", card.number);
            assert_eq!(masked(card.number).len(), 16);
            assert_eq!(of_token(&token_of(card)), Some(card));
        }
        assert_eq!(masked("4111111111111111"), "411111******1111");
        for wrong in ["", "4111111111111112", "411111111111111č", "0"] {
            assert!(!is_number(wrong), "{wrong}");
        }
    }
}
