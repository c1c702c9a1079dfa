//! The page that a buyer's browser sees while the holder is asked elsewhere.
//!
//! It shows what is to be confirmed, waits, and takes the browser back to the shop. It works
//! without JavaScript: it comes again by itself, and its end is a button. Shops show it within
//! their own page, so that it may stand in a frame of the shop's address, and its form may go there
//! and nowhere else.

use std::pin::pin;
use std::time::Duration;

use askama::Template;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use cekr_issuer::confirmation::ConfirmationId;
use serde::Deserialize;
use serde_json::json;

use super::answer::{cres, for_form};
use super::conversation;
use super::elements::origin;
use super::error_message::{ErrorCode, Fault};
use super::iso;
use super::purchase::{self, Outcome, Purchase, PurchaseState, Results};
use crate::Portal;
use crate::identity::Posted;
use crate::page::failed::Failed;
use crate::page::{Page, show as shown};

/// Where the page of a purchase is.
pub(super) fn address(purchase: &Purchase) -> String {
    format!("/3ds/challenge/{}", purchase.id)
}

#[derive(Template)]
#[template(path = "acs/waiting.html")]
struct Waiting {
    page: Page,
    address: String,
    payee: String,
    amount: String,
}

#[derive(Template)]
#[template(path = "acs/ended.html")]
struct Ended {
    page: Page,
    payee: String,
    amount: String,
    /// The key of what is said about the end.
    words: &'static str,
    is_good: bool,
    notification_url: String,
    cres: String,
    session_data: String,
}

#[derive(Template)]
#[template(path = "acs/fault.html")]
struct FaultPage {
    page: Page,
    words: &'static str,
    code: &'static str,
    detail: String,
}

/// `GET /3ds/challenge/{id}`
pub(super) async fn show(
    State(portal): State<Portal>,
    page: Page,
    Path(id): Path<String>,
) -> Result<Response, Failed> {
    let purchase = opened(&portal, &id).await?;
    let policy = policy(&page, &purchase);
    let amount = iso::shown(&page.say, purchase.amount, purchase.currency);
    let payee = purchase.payee.clone();
    let mut response = match outcome(&purchase) {
        None => {
            let address = address(&purchase);
            let page = Waiting { page, address, payee, amount };
            let mut response = shown(StatusCode::OK, &page);
            response.headers_mut().insert(REFRESH, HeaderValue::from_static("3"));
            response
        }
        Some(outcome) => {
            let page = Ended {
                page,
                payee,
                amount,
                words: words(outcome),
                is_good: outcome == Outcome::Approved,
                notification_url: purchase.notification_url.clone(),
                cres: for_form(&cres(&purchase, outcome)),
                session_data: purchase.session_data,
            };
            shown(StatusCode::OK, &page)
        }
    };
    if let Some(policy) = policy {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    Ok(response)
}

/// What a cancel button sends.
#[derive(Deserialize)]
pub(super) struct Nothing {}

/// `POST /3ds/challenge/{id}/cancel`
pub(super) async fn cancel(
    State(portal): State<Portal>,
    Path(id): Path<String>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Failed> {
    let purchase = opened(&portal, &id).await?;
    conversation::cancel(&portal, &purchase).await?;
    Ok(Redirect::to(&address(&purchase)).into_response())
}

/// `GET /3ds/challenge/{id}/end`: answers when the purchase has come to its end, or after a while.
pub(super) async fn end(
    State(portal): State<Portal>,
    Path(id): Path<String>,
) -> Result<Response, Failed> {
    let acs = portal.acs();
    let seat = acs.waiting.try_acquire();
    let _seat = seat.map_err(|_| Failed::TooMany { retry_after_s: RETRY_S })?;
    let mut stopped = Box::pin(portal.durable().stopped());
    let mut is_over = Box::pin(tokio::time::sleep(WAIT_MAX));
    loop {
        let mut ended = pin!(acs.end());
        // Registered before the look: an end in between is not missed.
        ended.as_mut().enable();
        let purchase = opened(&portal, &id).await?;
        if outcome(&purchase).is_some() {
            return Ok(Json(json!({ "ended": true })).into_response());
        }
        tokio::select! {
            () = ended => {}
            () = &mut stopped => break,
            () = &mut is_over => break,
        }
    }
    Ok(Json(json!({ "ended": false })).into_response())
}

/// A page that says what is wrong with what the shop sent.
pub(super) fn fault(page: Page, fault: &Fault) -> Response {
    let status = status(fault.code);
    let words = match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => "acs-fault-unknown",
        StatusCode::SERVICE_UNAVAILABLE => "failed-later",
        _ => "acs-fault-message",
    };
    let (code, detail) = (fault.code.number(), fault.detail.clone());
    shown(status, &FaultPage { page, words, code, detail })
}

/// The status that a browser's message with such a fault is answered with.
pub(super) const fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::TimedOut => StatusCode::GONE,
        ErrorCode::TransactionUnknown => StatusCode::NOT_FOUND,
        ErrorCode::TransientFailure => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::CriticalExtension
        | ErrorCode::ElementInvalid
        | ErrorCode::ElementMissing
        | ErrorCode::ElementTwice
        | ErrorCode::IsoCodeInvalid
        | ErrorCode::MessageInvalid
        | ErrorCode::TransactionInvalid
        | ErrorCode::VersionNotSupported => StatusCode::BAD_REQUEST,
    }
}

/// A purchase whose browser has come.
async fn opened(portal: &Portal, id: &str) -> Result<Purchase, Failed> {
    let id = ConfirmationId::parse(id).ok_or(Failed::NotFound)?;
    let purchase = purchase::find(portal, id).await?.ok_or(Failed::NotFound)?;
    let is_open = purchase.state != PurchaseState::Created && !purchase.notification_url.is_empty();
    if is_open { Ok(purchase) } else { Err(Failed::NotFound) }
}

/// The end that the browser may be told: after the shop's side was, or could not be.
fn outcome(purchase: &Purchase) -> Option<Outcome> {
    let is_told = purchase.results != Results::Pending || purchase.attempts > 0;
    purchase.outcome.filter(|_| is_told)
}

/// What the page may do: as every page, and besides its form may go to the shop, whose page may
/// have it in a frame.
fn policy(page: &Page, purchase: &Purchase) -> Option<HeaderValue> {
    let shop = origin(&purchase.notification_url)?;
    let policy = page
        .nonce
        .policy()
        .replace("form-action 'self'", &format!("form-action 'self' {shop}"))
        .replace("frame-ancestors 'none'", &format!("frame-ancestors {shop}"));
    HeaderValue::try_from(policy).ok()
}

const fn words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Approved | Outcome::Frictionless => "acs-ended-approved",
        Outcome::Cancelled | Outcome::Denied => "acs-ended-denied",
        Outcome::Expired | Outcome::NeverOpened => "acs-ended-expired",
        Outcome::Failed | Outcome::Faulted => "acs-ended-failed",
    }
}

const REFRESH: HeaderName = HeaderName::from_static("refresh");
/// How long a waiting page's question stays open.
const WAIT_MAX: Duration = Duration::from_secs(25);
const RETRY_S: u64 = 3;
