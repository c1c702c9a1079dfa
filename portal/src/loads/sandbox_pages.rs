//! The pages of the sandbox's payment provider: a card's number, and the question of its bank.
//!
//! They stand for pages of somebody else. What is typed here is read by the provider alone.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::form::{Asked, Input, Sent, Typed};
use super::pages::{cents, lead};
use super::psp::sandbox::{CardFault, Sandbox, Shown, TEST_CARDS, TEST_CODE, TestCard};
use super::psp::{NoAnswer, PaymentStatus};
use crate::Portal;
use crate::identity::Posted;
use crate::page::failed::Failed;
use crate::page::{Page, show as shown};

#[derive(Template)]
#[template(path = "loads/psp.html")]
struct CardPage {
    page: Page,
    amount: i64,
    back: String,
    inputs: Vec<Input>,
    kept: String,
    cards: Vec<(TestCard, String)>,
}

#[derive(Template)]
#[template(path = "loads/psp_bank.html")]
struct BankPage {
    page: Page,
    amount: i64,
    inputs: Vec<Input>,
    code: &'static str,
}

/// `GET /sandbox/psp/{order}`
pub(super) async fn show(
    State(portal): State<Portal>,
    page: Page,
    Path(order): Path<String>,
) -> Result<Response, Failed> {
    let (_, payment) = found(&portal, &order).await?;
    if payment.status == PaymentStatus::Open {
        return Ok(card_page(page, payment, &Sent::default(), StatusCode::OK));
    }
    Ok(onwards(&portal, &order, &payment))
}

/// `POST /sandbox/psp/{order}`
pub(super) async fn give(
    State(portal): State<Portal>,
    page: Page,
    Path(order): Path<String>,
    Posted(typed): Posted<Typed>,
) -> Result<Response, Failed> {
    let (sandbox, payment) = found(&portal, &order).await?;
    let mut sent = Sent::new(typed);
    let fault = if sent.is_ticked("kept") {
        sandbox.give_kept(&order).await?;
        None
    } else {
        sandbox.give(&order, sent.text("card_number")).await?.err()
    };
    if let Some(fault) = fault {
        let words = match fault {
            CardFault::NoNumber => "loads-psp-no-number",
            CardFault::Refused => "loads-psp-refused",
            CardFault::Unknown => "loads-psp-unknown",
        };
        sent.fault("card_number", words);
        return Ok(card_page(page, payment, &sent, StatusCode::UNPROCESSABLE_ENTITY));
    }
    let (_, payment) = found(&portal, &order).await?;
    Ok(onwards(&portal, &order, &payment))
}

/// `GET /sandbox/psp/{order}/bank`
pub(super) async fn bank(
    State(portal): State<Portal>,
    page: Page,
    Path(order): Path<String>,
) -> Result<Response, Failed> {
    let (_, payment) = found(&portal, &order).await?;
    if payment.status == PaymentStatus::Authenticating {
        return Ok(bank_page(page, &payment, &Sent::default(), StatusCode::OK));
    }
    Ok(onwards(&portal, &order, &payment))
}

/// `POST /sandbox/psp/{order}/bank`
pub(super) async fn answer(
    State(portal): State<Portal>,
    page: Page,
    Path(order): Path<String>,
    Posted(typed): Posted<Typed>,
) -> Result<Response, Failed> {
    use super::psp::Psp as _;
    let (sandbox, _) = found(&portal, &order).await?;
    let mut sent = Sent::new(typed);
    if sent.is_ticked("give_up") {
        sandbox.cancel(&order).await?;
    } else {
        sandbox.answer(&order, sent.text("bank_code")).await?;
    }
    let (_, payment) = found(&portal, &order).await?;
    if payment.status == PaymentStatus::Authenticating {
        sent.fault("bank_code", "loads-psp-wrong-code");
        return Ok(bank_page(page, &payment, &sent, StatusCode::UNPROCESSABLE_ENTITY));
    }
    Ok(onwards(&portal, &order, &payment))
}

async fn found<'a>(portal: &'a Portal, order: &str) -> Result<(&'a Sandbox, Shown), Failed> {
    let sandbox = portal.loads().sandbox().ok_or(Failed::NotFound)?;
    let payment = sandbox.shown(order).await?.ok_or(Failed::NotFound)?;
    Ok((sandbox, payment))
}

/// Where the payer goes on; what is done is told to the shop.
fn onwards(portal: &Portal, order: &str, payment: &Shown) -> Response {
    match payment.status {
        PaymentStatus::Open => lead(&format!("/sandbox/psp/{order}")),
        PaymentStatus::Authenticating => lead(&format!("/sandbox/psp/{order}/bank")),
        PaymentStatus::Authorized
        | PaymentStatus::Cancelled
        | PaymentStatus::Captured
        | PaymentStatus::Declined => {
            if let Some(flow) = portal.loads().flow().cloned() {
                let order = order.to_owned();
                // A notification: the browser may never come back.
                tokio::spawn(async move {
                    if let Err(error) = flow.settle(&order).await {
                        tracing::warn!(%error, load = order, "a notification did not settle it");
                    }
                });
            }
            let back = if payment.back.is_empty() { "/load" } else { &payment.back };
            lead(back)
        }
    }
}

fn card_page(page: Page, payment: Shown, sent: &Sent, status: StatusCode) -> Response {
    let grouped = |card: TestCard| (card, cekr_bank::upn::order::spaced(card.number));
    let card = CardPage {
        amount: cents(payment.amount),
        back: payment.back,
        inputs: sent.inputs(CARD, &page.say),
        kept: payment.masked.unwrap_or_default(),
        cards: TEST_CARDS.into_iter().map(grouped).collect(),
        page,
    };
    shown(status, &card)
}

fn bank_page(page: Page, payment: &Shown, sent: &Sent, status: StatusCode) -> Response {
    let amount = cents(payment.amount);
    let inputs = sent.inputs(CODE, &page.say);
    shown(status, &BankPage { amount, inputs, code: TEST_CODE, page })
}

impl From<NoAnswer> for Failed {
    fn from(NoAnswer: NoAnswer) -> Self {
        Self::TryLater
    }
}

const CARD: &[Asked] = &[Asked {
    name: "card_number",
    kind: "text",
    keys: "numeric",
    autocomplete: "cc-number",
    chars_max: 23,
}];
const CODE: &[Asked] = &[Asked {
    name: "bank_code",
    kind: "text",
    keys: "numeric",
    autocomplete: "one-time-code",
    chars_max: 8,
}];
