//! The advantage programme: `/v1/cards/{id}/points`, its history, and who is enrolled.

use axum::Json;
use axum::extract::{Path, State};
use cekr_issuer::Seq;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Api;
use super::cards::named;
use super::error::ApiError;
use super::json::{Parameters, page_items};
use crate::control::{ControlError, PointsHistory, PointsView};

/// `GET /v1/cards/{id}/points`
pub(super) async fn show(
    State(api): State<Api>,
    Path(token): Path<String>,
) -> Result<Json<PointsView>, ApiError> {
    let id = named(&api, &token)?;
    let (points, seq) = api.control().points(id, api.clock().now()).map_err(ApiError::from)?;
    api.durable(seq).await?;
    Ok(Json(points))
}

/// What a history of points may be asked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryQuery {
    limit: Option<u32>,
    starting_after: Option<u64>,
}

/// `GET /v1/cards/{id}/points/history`
pub(super) async fn history(
    State(api): State<Api>,
    Path(token): Path<String>,
    Parameters(query): Parameters<HistoryQuery>,
) -> Result<Json<Value>, ApiError> {
    let id = named(&api, &token)?;
    let limit = page_items(query.limit)?;
    let before = query.starting_after.map(Seq);
    let told = api.control().points_history(id, before, limit).map_err(|error| {
        let message = "no recent entry of this card has this seq";
        match (error, before) {
            (ControlError::NotFound, Some(_)) => {
                ApiError::invalid("no_such_entry", message).of("starting_after")
            }
            _ => error.into(),
        }
    });
    let (PointsHistory { items, next }, seq) = told?;
    api.durable(seq).await?;
    let next = next.map(|seq| seq.0);
    Ok(Json(json!({ "data": items, "has_more": next.is_some(), "next": next })))
}

/// `GET /v1/advantage/merchants`
pub(super) async fn enrolled(State(api): State<Api>) -> Json<Value> {
    Json(json!({ "data": api.control().enrolled(), "has_more": false }))
}
