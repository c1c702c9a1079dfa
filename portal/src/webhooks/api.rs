//! `/v1/webhooks`: endpoints are made, listed, switched off and on; deliveries are looked at and
//! sent again. A secret is shown once.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use cekr_switch::http::ApiError;
use serde::Deserialize;
use serde_json::{Value, json};

use super::delivery::{self, Attempt, Delivery, DeliveryState};
use super::endpoint::{self, Endpoint, EndpointState, NoEndpoint};
use super::signature::SigningSecret;
use crate::Portal;
use crate::identity::audit::TOKEN;
use crate::page::failed::Failed;

/// An endpoint to be made.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    url: String,
    events: Vec<String>,
}

/// Which page of a list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Behind {
    limit: Option<i64>,
    starting_after: Option<String>,
}

/// `POST /v1/webhooks`
pub(super) async fn create(
    State(portal): State<Portal>,
    body: Result<Json<New>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let Json(new) =
        body.map_err(|rejection| ApiError::invalid("invalid_body", rejection.body_text()))?;
    let reach = portal.outbound().reach();
    let checked = endpoint::check_url(&new.url, reach);
    let checked = checked.and_then(|()| endpoint::check_kinds(&new.events));
    let kinds = checked.map_err(|why| match why {
        NoEndpoint::Url(message) => ApiError::invalid("invalid_url", message).of("url"),
        NoEndpoint::Events => {
            let message = "events names 1 to 64 kinds of entries in snake_case, or \"*\" for all";
            ApiError::invalid("invalid_events", message).of("events")
        }
    })?;
    let made = endpoint::create(&portal, TOKEN, &new.url, &kinds).await;
    let (endpoint, secret) = made.map_err(|failed| answer(&failed))?;
    Ok(Json(with_secret(&endpoint, &secret)))
}

/// `GET /v1/webhooks`
pub(super) async fn list(State(portal): State<Portal>) -> Result<Json<Value>, ApiError> {
    let all = endpoint::all(&portal).await.map_err(|error| answer(&error.into()))?;
    let data: Vec<Value> = all.iter().map(view).collect();
    Ok(Json(json!({ "data": data, "has_more": false })))
}

/// `GET /v1/webhooks/{id}`
pub(super) async fn show(
    State(portal): State<Portal>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let found = endpoint::find(&portal, &id).await.map_err(|failed| answer(&failed))?;
    Ok(Json(view(&found)))
}

/// `DELETE /v1/webhooks/{id}`: what it was told goes with it.
pub(super) async fn remove(
    State(portal): State<Portal>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let removed = endpoint::remove(&portal, TOKEN, &id).await;
    let removed = removed.map_err(|failed| answer(&failed))?;
    Ok(Json(json!({ "id": removed.id, "deleted": true })))
}

/// `POST /v1/webhooks/{id}/disable`
pub(super) async fn disable(
    State(portal): State<Portal>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    switch(&portal, &id, EndpointState::Disabled).await
}

/// `POST /v1/webhooks/{id}/enable`
pub(super) async fn enable(
    State(portal): State<Portal>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    switch(&portal, &id, EndpointState::Enabled).await
}

async fn switch(portal: &Portal, id: &str, to: EndpointState) -> Result<Json<Value>, ApiError> {
    let changed = endpoint::set_state(portal, TOKEN, id, to).await;
    Ok(Json(view(&changed.map_err(|failed| answer(&failed))?)))
}

/// `POST /v1/webhooks/{id}/secret`
pub(super) async fn rotate(
    State(portal): State<Portal>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let changed = endpoint::rotate(&portal, TOKEN, &id).await;
    let (endpoint, secret) = changed.map_err(|failed| answer(&failed))?;
    Ok(Json(with_secret(&endpoint, &secret)))
}

/// `GET /v1/webhooks/{id}/deliveries`
pub(super) async fn deliveries(
    State(portal): State<Portal>,
    Path(id): Path<String>,
    query: Result<Query<Behind>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let Query(behind) =
        query.map_err(|rejection| ApiError::invalid("invalid_query", rejection.body_text()))?;
    let limit = behind.limit.unwrap_or(PAGE_ITEMS);
    if !(1..=PAGE_ITEMS_MAX).contains(&limit) {
        return Err(ApiError::invalid("invalid_limit", "limit is 1 to 100").of("limit"));
    }
    let failed = |failed: Failed| answer(&failed);
    endpoint::find(&portal, &id).await.map_err(failed)?;
    let after = behind.starting_after.as_deref();
    let found = delivery::list(&portal, &id, after, limit + 1).await.map_err(failed)?;
    let has_more = i64::try_from(found.len()).is_ok_and(|count| count > limit);
    let shown = found.iter().take(usize::try_from(limit).unwrap_or_default());
    let data: Vec<Value> = shown.map(view_delivery).collect();
    Ok(Json(json!({ "data": data, "has_more": has_more })))
}

/// `GET /v1/webhooks/{id}/deliveries/{delivery}`: with its body and every try that is kept.
pub(super) async fn delivery(
    State(portal): State<Portal>,
    Path((id, delivery)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let found = of_endpoint(&portal, &id, &delivery).await?;
    let tries = delivery::attempts(&portal, &delivery).await;
    let tries = tries.map_err(|error| answer(&error.into()))?;
    let mut shown = view_delivery(&found);
    if let Some(shown) = shown.as_object_mut() {
        let body = serde_json::from_str::<Value>(&found.body).unwrap_or_default();
        shown.insert("body".to_owned(), body);
        let tries: Vec<Value> = tries.iter().map(view_attempt).collect();
        shown.insert("tries".to_owned(), Value::Array(tries));
    }
    Ok(Json(shown))
}

/// `POST /v1/webhooks/{id}/deliveries/{delivery}/resend`
pub(super) async fn resend(
    State(portal): State<Portal>,
    Path((id, delivery)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    of_endpoint(&portal, &id, &delivery).await?;
    let sent = delivery::resend(&portal, TOKEN, &delivery).await;
    Ok(Json(view_delivery(&sent.map_err(|failed| answer(&failed))?)))
}

async fn of_endpoint(portal: &Portal, id: &str, delivery: &str) -> Result<Delivery, ApiError> {
    let found = delivery::find(portal, delivery).await.map_err(|failed| answer(&failed))?;
    if found.endpoint == id { Ok(found) } else { Err(answer(&Failed::NotFound)) }
}

fn with_secret(endpoint: &Endpoint, secret: &SigningSecret) -> Value {
    let mut shown = view(endpoint);
    if let Some(shown) = shown.as_object_mut() {
        shown.insert("secret".to_owned(), json!(secret.expose()));
    }
    shown
}

fn view(endpoint: &Endpoint) -> Value {
    let events: Vec<&str> = endpoint.kinds.split(',').collect();
    json!({
        "id": endpoint.id,
        "url": endpoint.url,
        "events": events,
        "state": endpoint.state.name(),
        "created": endpoint.made_at,
    })
}

fn view_delivery(delivery: &Delivery) -> Value {
    let next = (delivery.state == DeliveryState::Waiting).then_some(delivery.next_at);
    json!({
        "id": delivery.id,
        "endpoint": delivery.endpoint,
        "event": delivery.event,
        "type": delivery.kind,
        "state": delivery.state.name(),
        "attempts": delivery.attempts,
        "created": delivery.made_at,
        "next_attempt": next,
        "last": delivery.last.as_ref().map(view_attempt),
    })
}

fn view_attempt(attempt: &Attempt) -> Value {
    json!({
        "number": attempt.number,
        "at": attempt.at,
        "status": (attempt.status > 0).then_some(attempt.status),
        "latency_ms": attempt.latency_ms,
        "answer": attempt.answer,
        "fault": (!attempt.fault.is_empty()).then_some(&attempt.fault),
    })
}

/// The failure in the API's words.
fn answer(failed: &Failed) -> ApiError {
    match failed {
        Failed::NotFound => ApiError::not_found("there is no such endpoint or delivery"),
        Failed::Conflict("too_many_endpoints") => {
            let message = format!(
                "there are {} endpoints, and no more are told: remove one first",
                endpoint::ENDPOINTS_MAX
            );
            ApiError::conflict("too_many_endpoints", message)
        }
        Failed::Conflict(_) => {
            let message = "the endpoint is switched off: enable it first";
            ApiError::conflict("endpoint_off", message)
        }
        Failed::Unprocessable(code) => ApiError::invalid(code, "this cannot be understood"),
        Failed::Forbidden
        | Failed::Internal
        | Failed::Role(_)
        | Failed::StepUp(_)
        | Failed::TooMany { .. }
        | Failed::TryLater => ApiError::try_later("no room now; try again"),
    }
}

const PAGE_ITEMS: i64 = 20;
const PAGE_ITEMS_MAX: i64 = 100;
