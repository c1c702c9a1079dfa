//! Cards: look, tick, lock, load, history.

use axum::Json;
use axum::extract::{Path, State};
use cekr_issuer::entry::{LoadSource, Reference};
use cekr_issuer::{Amount, CardId, Seq};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::Api;
use super::error::ApiError;
use super::json::{JsonBody, Parameters, page_items};
use crate::control::{
    CardView, ChannelsPatch, ControlError, LimitChange, LimitsPatch, Page, Report,
};

/// What a list of cards may be asked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    limit: Option<u32>,
    name: Option<String>,
    starting_after: Option<String>,
}

/// `GET /v1/cards`
pub(super) async fn list(
    State(api): State<Api>,
    Parameters(query): Parameters<ListQuery>,
) -> Result<Json<Value>, ApiError> {
    let limit = page_items(query.limit)?;
    let after = match &query.starting_after {
        Some(token) => Some(api.control().id(token).ok_or_else(|| {
            ApiError::invalid("no_such_card", "no card has this id").of("starting_after")
        })?),
        None => None,
    };
    let (page, seq) = match &query.name {
        None => api.control().cards(after, limit),
        Some(name) => match api.control().find(name).filter(|_| after.is_none()) {
            Some(id) => {
                let (card, seq) = api.control().card(id).map_err(ApiError::from)?;
                (Page { items: vec![card], has_more: false }, seq)
            }
            None => (Page { items: Vec::new(), has_more: false }, Seq::NONE),
        },
    };
    api.durable(seq).await?;
    Ok(Json(json!({ "data": page.items, "has_more": page.has_more })))
}

/// `GET /v1/cards/{id}`
pub(super) async fn show(
    State(api): State<Api>,
    Path(token): Path<String>,
) -> Result<Json<CardView>, ApiError> {
    let id = named(&api, &token)?;
    told(&api, api.control().card(id)).await
}

/// The body of a `PATCH`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Update {
    channels: Option<Ticks>,
    limits: Option<OwnLimits>,
}

/// What is not named stays; null goes back to the programme's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnLimits {
    #[serde(default, deserialize_with = "named_limit")]
    cash_day: LimitChange<u64>,
    #[serde(default, deserialize_with = "named_limit")]
    cash_count_day: LimitChange<u32>,
    #[serde(default, deserialize_with = "named_limit")]
    pos_day: LimitChange<u64>,
    #[serde(default, deserialize_with = "named_limit")]
    online_day: LimitChange<u64>,
}

impl OwnLimits {
    fn patch(self) -> Result<LimitsPatch, ApiError> {
        Ok(LimitsPatch {
            cash_day: amount_limit(self.cash_day, "cash_day")?,
            cash_count_day: self.cash_count_day,
            pos_day: amount_limit(self.pos_day, "pos_day")?,
            online_day: amount_limit(self.online_day, "online_day")?,
        })
    }
}

/// A limit that is there, be it null.
fn named_limit<'de, D, T>(from: D) -> Result<LimitChange<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let named = Option::deserialize(from)?;
    Ok(named.map_or(LimitChange::Programme, LimitChange::Own))
}

fn amount_limit(
    change: LimitChange<u64>,
    name: &'static str,
) -> Result<LimitChange<Amount>, ApiError> {
    match change {
        LimitChange::Keep => Ok(LimitChange::Keep),
        LimitChange::Programme => Ok(LimitChange::Programme),
        LimitChange::Own(cents) if cents <= LOAD_MAX => {
            Ok(LimitChange::Own(Amount::from_minor(cents)))
        }
        LimitChange::Own(_) => {
            let message = "an amount has at most twelve digits of cents";
            Err(ApiError::invalid("invalid_amount", message).of(name))
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ticks {
    online: Option<bool>,
    abroad: Option<bool>,
    cashpoint: Option<bool>,
}

/// `PATCH /v1/cards/{id}`
pub(super) async fn update(
    State(api): State<Api>,
    Path(token): Path<String>,
    JsonBody(update): JsonBody<Update>,
) -> Result<Json<CardView>, ApiError> {
    let id = named(&api, &token)?;
    let (control, now) = (api.control(), api.clock().now());
    let limits = update.limits.map(OwnLimits::patch).transpose()?;
    // What may refuse comes first: of two changes in one call none is made alone.
    if let Some(patch) = limits {
        control.allow_limits(patch)?;
    }
    let mut changed = control.card(id)?;
    if let Some(Ticks { online, abroad, cashpoint }) = update.channels {
        changed = control.set_channels(id, ChannelsPatch { online, abroad, cashpoint }, now)?;
    }
    if let Some(patch) = limits {
        changed = control.set_limits(id, patch, now)?;
    }
    told(&api, Ok(changed)).await
}

/// A body that says nothing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// `POST /v1/cards/{id}/activate`
pub(super) async fn activate(
    State(api): State<Api>,
    Path(token): Path<String>,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<Json<CardView>, ApiError> {
    let id = named(&api, &token)?;
    told(&api, api.control().activate(id, api.clock().now())).await
}

/// `POST /v1/cards/{id}/lock`
pub(super) async fn lock(
    State(api): State<Api>,
    Path(token): Path<String>,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<Json<CardView>, ApiError> {
    let id = named(&api, &token)?;
    told(&api, api.control().lock(id, api.clock().now())).await
}

/// `POST /v1/cards/{id}/unlock`
pub(super) async fn unlock(
    State(api): State<Api>,
    Path(token): Path<String>,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<Json<CardView>, ApiError> {
    let id = named(&api, &token)?;
    told(&api, api.control().unlock(id, api.clock().now())).await
}

/// The body of a report.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reported {
    reason: ReportReason,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ReportReason {
    Lost,
    Stolen,
}

/// `POST /v1/cards/{id}/report`
pub(super) async fn report(
    State(api): State<Api>,
    Path(token): Path<String>,
    JsonBody(reported): JsonBody<Reported>,
) -> Result<Json<CardView>, ApiError> {
    let id = named(&api, &token)?;
    let report = match reported.reason {
        ReportReason::Lost => Report::Lost,
        ReportReason::Stolen => Report::Stolen,
    };
    told(&api, api.control().report(id, report, api.clock().now())).await
}

/// The body of a load.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Load {
    /// Cents.
    amount: u64,
    source: String,
    reference: String,
}

/// `POST /v1/cards/{id}/loads`
pub(super) async fn load(
    State(api): State<Api>,
    Path(token): Path<String>,
    JsonBody(load): JsonBody<Load>,
) -> Result<Json<CardView>, ApiError> {
    let id = named(&api, &token)?;
    if load.amount > LOAD_MAX {
        let message = "an amount has at most twelve digits of cents";
        return Err(ApiError::invalid("invalid_amount", message).of("amount"));
    }
    let source = LoadSource::by_name(&load.source).ok_or_else(|| {
        let message = "source is branch_cash, card or upn";
        ApiError::invalid("invalid_source", message).of("source")
    })?;
    let reference = Reference::new(&load.reference).filter(|_| !load.reference.is_empty());
    let reference = reference.ok_or_else(|| {
        let message = "reference has 1 to 64 octets";
        ApiError::invalid("invalid_reference", message).of("reference")
    })?;
    let amount = Amount::from_minor(load.amount);
    told(&api, api.control().load(id, amount, source, reference, api.clock().now())).await
}

/// What a card's history may be asked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryQuery {
    limit: Option<u32>,
    starting_after: Option<u64>,
}

/// `GET /v1/cards/{id}/transactions`
pub(super) async fn transactions(
    State(api): State<Api>,
    Path(token): Path<String>,
    Parameters(query): Parameters<HistoryQuery>,
) -> Result<Json<Value>, ApiError> {
    let id = named(&api, &token)?;
    let limit = page_items(query.limit)?;
    let before = query.starting_after.map(Seq);
    let (page, seq) = api.control().transactions(id, before, limit).map_err(|error| {
        let message = "no recent entry of this card has this seq";
        match (error, before) {
            (ControlError::NotFound, Some(_)) => {
                ApiError::invalid("no_such_entry", message).of("starting_after")
            }
            _ => error.into(),
        }
    })?;
    api.durable(seq).await?;
    Ok(Json(json!({ "data": page.items, "has_more": page.has_more })))
}

/// Answers with the card once the entry behind it is durable.
pub(super) async fn told(
    api: &Api,
    outcome: Result<(CardView, Seq), ControlError>,
) -> Result<Json<CardView>, ApiError> {
    let (card, seq) = outcome.map_err(ApiError::from)?;
    api.durable(seq).await?;
    Ok(Json(card))
}

pub(super) fn named(api: &Api, token: &str) -> Result<CardId, ApiError> {
    api.control().id(token).ok_or_else(|| ControlError::NotFound.into())
}

/// Twelve digits, as DE 4 has.
const LOAD_MAX: u64 = 999_999_999_999;
