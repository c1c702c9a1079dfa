//! Statements and suspense over the API, with the operator's token.
//!
//! The token is one person: nothing in it tells people apart, and a header that names somebody
//! would be a claim and no proof. So who holds it may propose an assignment; approving one needs
//! somebody who has signed in at the desk, or the other way round.

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use cekr_issuer::{CardId, Seq};
use cekr_switch::http::ApiError;
use serde::Deserialize;
use serde_json::{Value, json};

use super::import::{self, ImportFailed, Report};
use super::suspense::{self, Actor, Returned, SuspenseFailed, Waiting};
use super::{return_order, upload};
use crate::Portal;
use cekr_bank::reference::MOK_ID_DIGITS;
use cekr_bank::xml::{Fault, Unreadable};

/// How a file is called.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UploadQuery {
    #[serde(default)]
    file: String,
}

/// `POST /v1/statements?file=NAME`: the body is the file.
///
/// # Errors
/// 400 when it cannot be read, 413 when it is too large, 503 when it should come again.
pub async fn upload(
    State(portal): State<Portal>,
    query: Result<Query<UploadQuery>, QueryRejection>,
    body: Body,
) -> Result<Json<Report>, ApiError> {
    let Query(UploadQuery { file }) =
        query.map_err(|rejection| ApiError::invalid("invalid_query", rejection.body_text()))?;
    let is_name = file.len() <= FILE_NAME_MAX && !file.contains(char::is_control);
    if !is_name {
        let message =
            format!("file has at most {FILE_NAME_MAX} octets, none of them control signs");
        return Err(ApiError::invalid("invalid_file", message).of("file"));
    }
    let name = if file.is_empty() { "statement.xml".to_owned() } else { file };
    let busy = "other statements are being read; send this one again in a moment";
    let _room = portal.desk().room().ok_or_else(|| ApiError::try_later(busy))?;
    let received = upload::receive(name.clone(), body).await;
    let received = received.map_err(|unreadable| refused(&name, &unreadable))?;
    let report = import::import(&portal, &received, Actor::token().name()).await;
    report.map(Json).map_err(ApiError::from)
}

/// What is asked of a list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    limit: Option<usize>,
    starting_after: Option<u64>,
}

/// `GET /v1/suspense`
///
/// # Errors
/// As every page of the API.
pub async fn list(
    State(portal): State<Portal>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let Query(ListQuery { limit, starting_after }) =
        query.map_err(|rejection| ApiError::invalid("invalid_query", rejection.body_text()))?;
    let limit = limit.unwrap_or(PAGE_ITEMS);
    if !(1..=PAGE_ITEMS_MAX).contains(&limit) {
        return Err(ApiError::invalid("invalid_limit", "limit is 1 to 100").of("limit"));
    }
    let after = Seq(starting_after.unwrap_or_default().min(ITEM_MAX));
    let (items, has_more) = suspense::list(&portal, after, limit).await?;
    let total = suspense::reconciled(&portal).await?;
    Ok(Json(json!({ "data": items, "has_more": has_more, "total": total })))
}

/// Where an item belongs: a card by its id, or by the number on its back.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssignmentBody {
    card: Option<String>,
    mok_id: Option<String>,
}

/// `POST /v1/suspense/{id}/assignments`
///
/// # Errors
/// 400, 404 and 409 as their codes say.
pub async fn propose(
    State(portal): State<Portal>,
    Path(item): Path<String>,
    body: Result<Json<AssignmentBody>, JsonRejection>,
) -> Result<Json<Waiting>, ApiError> {
    let item = numbered(&item)?;
    let Json(body) =
        body.map_err(|rejection| ApiError::invalid("invalid_body", rejection.body_text()))?;
    let card = named(&portal, &body)?;
    Ok(Json(suspense::propose(&portal, item, card, &Actor::token()).await?))
}

/// `POST /v1/suspense/{id}/assignments/approve`
///
/// # Errors
/// 409 where the token proposed it itself.
pub async fn approve(
    State(portal): State<Portal>,
    Path(item): Path<String>,
) -> Result<Json<suspense::Proposal>, ApiError> {
    Ok(Json(suspense::approve(&portal, numbered(&item)?, &Actor::token()).await?))
}

/// `POST /v1/suspense/{id}/return`
///
/// # Errors
/// 409 where it went elsewhere, or no account of the payer's is known.
pub async fn give_back(
    State(portal): State<Portal>,
    Path(item): Path<String>,
) -> Result<Json<Returned>, ApiError> {
    Ok(Json(suspense::give_back(&portal, numbered(&item)?, &Actor::token()).await?))
}

/// `GET /v1/suspense/{id}/return.xml`
///
/// # Errors
/// 404 where no return was ordered.
pub async fn return_order(
    State(portal): State<Portal>,
    Path(item): Path<String>,
) -> Result<Response, ApiError> {
    let returned = suspense::returned(&portal, numbered(&item)?).await?;
    let kind = [(header::CONTENT_TYPE, "application/xml; charset=utf-8")];
    Ok((StatusCode::OK, kind, return_order::write(&returned)).into_response())
}

fn numbered(item: &str) -> Result<u64, ApiError> {
    let is_digits = item.bytes().all(|octet| octet.is_ascii_digit());
    let number = item.parse().ok().filter(|number| is_digits && *number <= ITEM_MAX);
    number.ok_or_else(|| ApiError::not_found("no money waits in suspense by this id"))
}

fn named(portal: &Portal, body: &AssignmentBody) -> Result<CardId, ApiError> {
    let control = portal.durable().control();
    match (&body.card, &body.mok_id) {
        (Some(card), None) => control
            .id(card)
            .ok_or_else(|| ApiError::invalid("no_such_card", "no card has this id").of("card")),
        (None, Some(text)) => {
            let is_number =
                text.len() == MOK_ID_DIGITS && text.bytes().all(|octet| octet.is_ascii_digit());
            let number = text.parse().ok().filter(|_| is_number);
            number.and_then(|number| control.card_by_mok_id(number)).ok_or_else(|| {
                ApiError::invalid("no_such_card", "no card has this MOK ID").of("mok_id")
            })
        }
        (None, None) | (Some(_), Some(_)) => {
            Err(ApiError::invalid("invalid_body", "say either card or mok_id"))
        }
    }
}

/// What is said of a file that cannot be read.
fn refused(name: &str, unreadable: &Unreadable) -> ApiError {
    let message = format!("{name}: {unreadable}");
    let is_too_large = matches!(
        unreadable.fault,
        Fault::FileTooLarge | Fault::TooManyLines | Fault::TooManyStatements
    );
    if is_too_large {
        return ApiError::with_status(
            StatusCode::PAYLOAD_TOO_LARGE,
            "statement_too_large",
            message,
        );
    }
    ApiError::invalid("unreadable_statement", message)
}

impl From<ImportFailed> for ApiError {
    fn from(failed: ImportFailed) -> Self {
        match failed {
            ImportFailed::Control(refused) => refused.into(),
            ImportFailed::Database(error) => database(&error),
        }
    }
}

impl From<SuspenseFailed> for ApiError {
    fn from(failed: SuspenseFailed) -> Self {
        let message = failed.to_string();
        match failed {
            SuspenseFailed::Control(refused) => refused.into(),
            SuspenseFailed::Database(error) => database(&error),
            SuspenseFailed::NothingProposed => ApiError::conflict("nothing_proposed", message),
            SuspenseFailed::SamePerson => ApiError::conflict("two_people", message),
            SuspenseFailed::NoAccount => ApiError::conflict("no_account", message),
            SuspenseFailed::NotReturned => ApiError::not_found(message),
        }
    }
}

fn database(error: &sqlx::Error) -> ApiError {
    tracing::error!(%error, "the website's database failed");
    ApiError::try_later("the website's database does not answer; try again in a moment")
}

const FILE_NAME_MAX: usize = 255;
const PAGE_ITEMS: usize = 20;
const PAGE_ITEMS_MAX: usize = 100;
/// The greatest number that the database can hold.
const ITEM_MAX: u64 = i64::MAX as u64;
