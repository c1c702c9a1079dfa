//! Health, metrics, books, and the description of the API.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cekr_issuer::books::Account;
use cekr_issuer::points::books::PointsAccount;
use serde_json::{Map, Value, json};

use super::Api;
use super::error::ApiError;
use crate::metrics::text::{self, Text};

/// The description that is served and checked in.
pub(super) const OPENAPI: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json"));

/// `GET /healthz`: the process runs and its journal has not failed.
pub(super) async fn healthz(State(api): State<Api>) -> Response {
    state(api.journal().failure().is_none(), "journal_failed")
}

/// `GET /readyz`: terminals are served.
pub(super) async fn readyz(State(api): State<Api>) -> Response {
    let why = if api.durably().is_stopping() { "stopping" } else { "journal_failed" };
    state(!api.durably().is_stopping() && api.journal().failure().is_none(), why)
}

/// `GET /metrics`
pub(super) async fn metrics(State(api): State<Api>) -> impl IntoResponse {
    let mut text = Text::default();
    text::write(api.metrics(), &mut text);
    let (appended, durable) = (api.journal().appended(), api.journal().durable());
    text.single("cekr_journal_appended", "gauge", "The newest entry.", appended.0);
    text.single("cekr_journal_durable", "gauge", "The newest durable entry.", durable.0);
    let lag = appended.0.saturating_sub(durable.0);
    text.single("cekr_journal_lag", "gauge", "Entries that wait for the disk.", lag);
    let failed = u64::from(api.journal().failure().is_some());
    text.single("cekr_journal_failed", "gauge", "1 after a write or sync failed.", failed);
    let cards = u64::from(api.control().shard().cards().len());
    text.single("cekr_cards", "gauge", "Cards of this switch.", cards);
    let (keys, items) = api.control().shard().statements().lock().counts();
    let help = "Lines of bank statements that are known again.";
    text.single("cekr_statement_keys", "gauge", help, keys);
    text.single("cekr_suspense_items", "gauge", "Items that wait in suspense.", items);
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], text.finish())
}

/// `GET /v1/books`
pub(super) async fn books(State(api): State<Api>) -> Result<Json<Value>, ApiError> {
    let (books, points, seq) = api.control().shard().books_with_points();
    api.durable(seq).await?;
    let mut accounts = Map::new();
    for account in Account::ALL {
        accounts.insert(account.name().to_owned(), number(books.total(account)));
    }
    let mut in_points = Map::new();
    for account in PointsAccount::ALL {
        in_points.insert(account.name().to_owned(), number(points.total(account)));
    }
    Ok(Json(json!({
        "accounts": accounts,
        "sum": number(books.sum()),
        "held": number(books.held()),
        "currency": "EUR",
        "points": { "accounts": in_points, "sum": number(points.sum()) },
        "seq": seq.0,
    })))
}

/// `GET /v1/openapi.json`
pub(super) async fn openapi(State(api): State<Api>) -> impl IntoResponse {
    let kind = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, kind)], api.openapi().to_owned())
}

fn state(good: bool, why_not: &str) -> Response {
    if good {
        return Json(json!({ "status": "ok" })).into_response();
    }
    let body = Json(json!({ "status": "failing", "reason": why_not }));
    (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
}

/// Cents as a JSON number: no total of this programme leaves 64 bits.
fn number(cents: i128) -> Value {
    i64::try_from(cents).map_or(Value::Null, Value::from)
}
