//! The holder's API of points: what the page shows, as JSON.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use cekr_switch::control::{PointsHistory, PointsView};
use serde_json::json;

use super::points::{read, read_history};
use crate::Portal;
use crate::card::api::{Asked, page_of};
use crate::identity::{SignedIn, held_card};
use crate::page::failed::{self, Failed};

/// Below `/v1/holder`.
pub fn routes(portal: &Portal) -> Router<Portal> {
    Router::new()
        .route("/v1/holder/cards/{id}/points", get(show))
        .route("/v1/holder/cards/{id}/points/history", get(history))
        .layer(middleware::from_fn_with_state(portal.clone(), failed::layer))
}

#[derive(utoipa::OpenApi)]
#[openapi(paths(show, history))]
struct Described;

pub(super) fn openapi() -> serde_json::Value {
    use utoipa::OpenApi as _;
    let described = serde_json::to_value(Described::openapi()).unwrap_or_default();
    let list = json!({
        "type": "object",
        "required": ["data", "has_more", "next"],
        "properties": {
            "data": { "type": "array", "items": { "$ref": "#/components/schemas/PointsLine" } },
            "has_more": { "type": "boolean" },
            "next": { "type": ["integer", "null"], "description": "Where to go on." },
        },
    });
    let paths = described.get("paths").cloned().unwrap_or_default();
    json!({ "paths": paths, "components": { "schemas": { "HolderPointsHistory": list } } })
}

#[utoipa::path(get, path = "/v1/holder/cards/{id}/points", tag = "holder",
    operation_id = "holder_card_points", summary = "The points of a card",
    security(("holder" = [])),
    params(("id" = String, Path, description = "The card's opaque id")), responses(
        (status = 200, description = "The points", body = ref("#/components/schemas/Points")),
        (status = 401, description = "Nobody is signed in", body = ref("#/components/schemas/Error")),
        (status = 404, description = "No card of theirs", body = ref("#/components/schemas/Error")),
))]
pub(crate) async fn show(
    State(portal): State<Portal>,
    who: SignedIn,
    Path(token): Path<String>,
) -> Result<Json<PointsView>, Failed> {
    let id = held_card(&portal, &who, &token).await?;
    Ok(Json(read(&portal, id).await?))
}

#[utoipa::path(get, path = "/v1/holder/cards/{id}/points/history", tag = "holder",
    operation_id = "holder_card_points_history", summary = "How a card's points changed",
    security(("holder" = [])),
    params(("id" = String, Path, description = "The card's opaque id"),
        ("limit" = Option<u32>, Query, description = "1 to 100, else 10"),
        ("starting_after" = Option<u64>, Query, description = "`next` of the page before")),
    responses(
        (status = 200, description = "A page, the newest first",
            body = ref("#/components/schemas/HolderPointsHistory")),
        (status = 400, description = "A wrong parameter", body = ref("#/components/schemas/Error")),
        (status = 401, description = "Nobody is signed in", body = ref("#/components/schemas/Error")),
        (status = 404, description = "No card of theirs, or no such entry of it",
            body = ref("#/components/schemas/Error")),
))]
pub(crate) async fn history(
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
    let PointsHistory { items, next } = read_history(&portal, id, before, limit).await?;
    let next = next.map(|seq| seq.0);
    let page = json!({ "data": items, "has_more": next.is_some(), "next": next });
    Ok(Json(page).into_response())
}
