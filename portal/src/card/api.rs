//! The holder's API: what the card's page does, as JSON, under the same rules.
//!
//! Who asks is known by the session's cookie. A change carries the session's token in
//! `X-CSRF-Token`; what opens a card answers `step_up` (403) when the proof of identity is too old.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use cekr_issuer::Seq;
use cekr_switch::control::{CardView, ChannelsPatch, ControlError};
use cekr_switch::http::ApiError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::controls::ReportReason;
use super::{live, own_limits};
use crate::Portal;
use crate::identity::posted::{FromUs, PostedJson};
use crate::identity::{Action, SignedIn, Watching, cards_of, held_card};
use crate::page::failed::{self, Failed};

/// Below `/v1/holder`.
pub fn routes(portal: &Portal) -> Router<Portal> {
    Router::new()
        .route("/v1/holder/cards", get(list))
        .route("/v1/holder/cards/{id}", get(show).patch(update))
        .route("/v1/holder/cards/{id}/lock", post(lock))
        .route("/v1/holder/cards/{id}/unlock", post(unlock))
        .route("/v1/holder/cards/{id}/report", post(report))
        .route("/v1/holder/cards/{id}/limits", get(own_limits::show).patch(own_limits::update))
        .route("/v1/holder/cards/{id}/transactions", get(transactions))
        .route("/v1/holder/cards/{id}/events", get(events))
        .layer(middleware::from_fn_with_state(portal.clone(), failed::layer))
}

/// A page of a list.
#[derive(Serialize)]
struct List<T> {
    data: Vec<T>,
    has_more: bool,
}

#[utoipa::path(get, path = "/v1/holder/cards", tag = "holder", operation_id = "holder_cards",
    summary = "The holder's cards", security(("holder" = [])), responses(
        (status = 200, description = "All of them, in the order in which they were bound",
            body = ref("#/components/schemas/HolderCards")),
        (status = 401, description = "Nobody is signed in", body = ref("#/components/schemas/Error")),
))]
pub(crate) async fn list(State(portal): State<Portal>, who: SignedIn) -> Result<Response, Failed> {
    let mut data = Vec::new();
    for id in cards_of(&portal, &who.holder).await? {
        data.push(told(&portal, portal.durable().control().card(id)).await?.0);
    }
    Ok(Json(List { data, has_more: false }).into_response())
}

#[utoipa::path(get, path = "/v1/holder/cards/{id}", tag = "holder", operation_id = "holder_card",
    summary = "A card of the holder", security(("holder" = [])),
    params(("id" = String, Path, description = "The card's opaque id")), responses(
        (status = 200, description = "The card", body = ref("#/components/schemas/Card")),
        (status = 401, description = "Nobody is signed in", body = ref("#/components/schemas/Error")),
        (status = 404, description = "No card of theirs", body = ref("#/components/schemas/Error")),
))]
pub(crate) async fn show(
    State(portal): State<Portal>,
    who: SignedIn,
    Path(token): Path<String>,
) -> Result<Json<CardView>, Failed> {
    let id = held_card(&portal, &who, &token).await?;
    told(&portal, portal.durable().control().card(id)).await
}

/// Ticks to be set; what is not named stays.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HolderUpdate {
    channels: Option<HolderTicks>,
}

/// The three ticks; what is not named stays.
#[derive(Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HolderTicks {
    /// Purchases without the card.
    online: Option<bool>,
    /// Payments outside Slovenia.
    abroad: Option<bool>,
    /// Cash.
    cashpoint: Option<bool>,
}

#[utoipa::path(patch, path = "/v1/holder/cards/{id}", tag = "holder",
    operation_id = "holder_card_update", summary = "Set ticks of a card",
    description = "To switch a channel on asks for a fresh proof of identity of level 30.",
    security(("holder" = [])), request_body = HolderUpdate,
    params(("id" = String, Path, description = "The card's opaque id"),
        ("X-CSRF-Token" = String, Header, description = "The session's token")), responses(
        (status = 200, description = "The card", body = ref("#/components/schemas/Card")),
        (status = 401, description = "Nobody is signed in", body = ref("#/components/schemas/Error")),
        (status = 403, description = "The proof of identity is too old (`step_up`), or the token is \
            missing", body = ref("#/components/schemas/Error")),
        (status = 404, description = "No card of theirs", body = ref("#/components/schemas/Error")),
        (status = 409, description = "The card is closed", body = ref("#/components/schemas/Error")),
        (status = 422, description = "The body cannot be read", body = ref("#/components/schemas/Error")),
))]
pub(crate) async fn update(
    State(portal): State<Portal>,
    who: SignedIn,
    Path(token): Path<String>,
    PostedJson(update): PostedJson<HolderUpdate>,
) -> Result<Json<CardView>, Failed> {
    let id = held_card(&portal, &who, &token).await?;
    let control = portal.durable().control();
    let Some(ticks) = update.channels else {
        return told(&portal, control.card(id)).await;
    };
    let now = portal.durable().now();
    let HolderTicks { online, abroad, cashpoint } = ticks;
    let opens = [online, abroad, cashpoint].contains(&Some(true));
    who.may(if opens { Action::Tick } else { Action::Untick }, now.unix_ms)?;
    let patch = ChannelsPatch { online, abroad, cashpoint };
    told(&portal, control.set_channels(id, patch, now)).await
}

#[utoipa::path(post, path = "/v1/holder/cards/{id}/lock", tag = "holder",
    operation_id = "holder_card_lock", summary = "Lock a card", security(("holder" = [])),
    params(("id" = String, Path, description = "The card's opaque id"),
        ("X-CSRF-Token" = String, Header, description = "The session's token")), responses(
        (status = 200, description = "The card", body = ref("#/components/schemas/Card")),
        (status = 401, description = "Nobody is signed in", body = ref("#/components/schemas/Error")),
        (status = 403, description = "The token is missing", body = ref("#/components/schemas/Error")),
        (status = 404, description = "No card of theirs", body = ref("#/components/schemas/Error")),
        (status = 409, description = "The card is not in use", body = ref("#/components/schemas/Error")),
))]
pub(crate) async fn lock(
    State(portal): State<Portal>,
    who: SignedIn,
    _: FromUs,
    Path(token): Path<String>,
) -> Result<Json<CardView>, Failed> {
    let id = held_card(&portal, &who, &token).await?;
    let now = portal.durable().now();
    who.may(Action::Lock, now.unix_ms)?;
    told(&portal, portal.durable().control().lock(id, now)).await
}

#[utoipa::path(post, path = "/v1/holder/cards/{id}/unlock", tag = "holder",
    operation_id = "holder_card_unlock", summary = "Unlock a card",
    description = "Asks for a fresh proof of identity of level 30.", security(("holder" = [])),
    params(("id" = String, Path, description = "The card's opaque id"),
        ("X-CSRF-Token" = String, Header, description = "The session's token")), responses(
        (status = 200, description = "The card", body = ref("#/components/schemas/Card")),
        (status = 401, description = "Nobody is signed in", body = ref("#/components/schemas/Error")),
        (status = 403, description = "The proof of identity is too old (`step_up`), or the token is \
            missing", body = ref("#/components/schemas/Error")),
        (status = 404, description = "No card of theirs", body = ref("#/components/schemas/Error")),
        (status = 409, description = "The card is not locked", body = ref("#/components/schemas/Error")),
))]
pub(crate) async fn unlock(
    State(portal): State<Portal>,
    who: SignedIn,
    _: FromUs,
    Path(token): Path<String>,
) -> Result<Json<CardView>, Failed> {
    let id = held_card(&portal, &who, &token).await?;
    let now = portal.durable().now();
    who.may(Action::Unlock, now.unix_ms)?;
    told(&portal, portal.durable().control().unlock(id, now)).await
}

/// What happened to the card.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HolderReport {
    #[schema(value_type = String, example = "lost", pattern = "^(lost|stolen)$")]
    reason: ReportReason,
}

#[utoipa::path(post, path = "/v1/holder/cards/{id}/report", tag = "holder",
    operation_id = "holder_card_report", summary = "Report a card lost or stolen, for good",
    security(("holder" = [])), request_body = HolderReport,
    params(("id" = String, Path, description = "The card's opaque id"),
        ("X-CSRF-Token" = String, Header, description = "The session's token")), responses(
        (status = 200, description = "The card", body = ref("#/components/schemas/Card")),
        (status = 401, description = "Nobody is signed in", body = ref("#/components/schemas/Error")),
        (status = 403, description = "The token is missing", body = ref("#/components/schemas/Error")),
        (status = 404, description = "No card of theirs", body = ref("#/components/schemas/Error")),
        (status = 409, description = "The card is closed", body = ref("#/components/schemas/Error")),
        (status = 422, description = "The body cannot be read", body = ref("#/components/schemas/Error")),
))]
pub(crate) async fn report(
    State(portal): State<Portal>,
    who: SignedIn,
    Path(token): Path<String>,
    PostedJson(report): PostedJson<HolderReport>,
) -> Result<Json<CardView>, Failed> {
    let id = held_card(&portal, &who, &token).await?;
    let now = portal.durable().now();
    who.may(Action::Report, now.unix_ms)?;
    told(&portal, portal.durable().control().report(id, report.reason.into(), now)).await
}

/// What a history may be asked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    limit: Option<usize>,
    starting_after: Option<u64>,
}

/// Which page of a history: what comes before this entry, and how much of it.
///
/// # Errors
/// What the caller hears of a wrong parameter.
pub(crate) fn page_of(
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<(Option<Seq>, usize), ApiError> {
    let Ok(Query(asked)) = asked else {
        let message = "limit and starting_after are numbers, and nothing else can be asked";
        return Err(ApiError::invalid("invalid_parameter", message));
    };
    let limit = asked.limit.unwrap_or(ITEMS);
    if !(1..=ITEMS_MAX).contains(&limit) {
        let message = format!("limit is from 1 to {ITEMS_MAX}");
        return Err(ApiError::invalid("invalid_limit", message).of("limit"));
    }
    Ok((asked.starting_after.map(Seq), limit))
}

#[utoipa::path(get, path = "/v1/holder/cards/{id}/transactions", tag = "holder",
    operation_id = "holder_card_transactions", summary = "What a card did, from the newest",
    security(("holder" = [])),
    params(("id" = String, Path, description = "The card's opaque id"),
        ("limit" = Option<u32>, Query, description = "1 to 100, else 10"),
        ("starting_after" = Option<u64>, Query, description = "The `seq` of the last entry of the \
            page before")), responses(
        (status = 200, description = "A page", body = ref("#/components/schemas/HolderEntries")),
        (status = 400, description = "A wrong parameter", body = ref("#/components/schemas/Error")),
        (status = 401, description = "Nobody is signed in", body = ref("#/components/schemas/Error")),
        (status = 404, description = "No card of theirs, or no such entry of it",
            body = ref("#/components/schemas/Error")),
))]
pub(crate) async fn transactions(
    State(portal): State<Portal>,
    who: SignedIn,
    Path(token): Path<String>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Failed> {
    let (before, limit) = match page_of(asked) {
        Ok(page) => page,
        Err(refused) => return Ok(refused.into_response()),
    };
    let id = held_card(&portal, &who, &token).await?;
    let (data, has_more) = super::entries(&portal, id, before, limit).await?;
    Ok(Json(List::<Value> { data, has_more }).into_response())
}

#[utoipa::path(get, path = "/v1/holder/cards/{id}/events", tag = "holder",
    operation_id = "holder_card_events", summary = "What a card does, as it becomes durable",
    description = "Server-sent events: `event` is the entry's kind, `id` a cursor for \
        `Last-Event-ID`, `data` the entry. Ends with the session (`event: signed-out`).",
    security(("holder" = [])),
    params(("id" = String, Path, description = "The card's opaque id"),
        ("Last-Event-ID" = Option<String>, Header, description = "Where to go on")), responses(
        (status = 200, description = "The stream", body = String, content_type = "text/event-stream"),
        (status = 401, description = "Nobody is signed in", body = ref("#/components/schemas/Error")),
        (status = 404, description = "No card of theirs", body = ref("#/components/schemas/Error")),
        (status = 410, description = "Entries behind the cursor are too many: read the history",
            body = ref("#/components/schemas/Error")),
        (status = 429, description = "Too many streams", body = ref("#/components/schemas/Error")),
))]
pub(crate) async fn events(
    State(portal): State<Portal>,
    Watching(who): Watching,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let id = held_card(&portal, &who, &token).await?;
    if let Some(after) = live::last_event(&headers)
        && live::entries_behind(&portal, id, after).is_none()
    {
        let message = "events behind this cursor are too many: read the history";
        let gone = ApiError::with_status(StatusCode::GONE, "cursor_too_old", message);
        return Ok(gone.into_response());
    }
    live::open(&portal, &who, id, &headers, live::Tells::Entries)
}

/// A card once the entry behind it is durable.
async fn told(
    portal: &Portal,
    done: Result<(CardView, Seq), ControlError>,
) -> Result<Json<CardView>, Failed> {
    Ok(Json(portal.durable().told(done).await?))
}

const ITEMS: usize = 10;
const ITEMS_MAX: usize = 100;
