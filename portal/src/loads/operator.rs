//! Loads by card for operators: how one stands, a refund; and the provider's notifications.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use cekr_switch::http::ApiError;
use serde::{Deserialize, Serialize};

use super::flow::{Flow, FlowError};
use super::form::drawn;
use super::store::{self, CardLoad};
use crate::Portal;

/// A load by card as the API shows it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct CardLoadView {
    /// Its name, at the payment provider and as the load's reference too.
    id: String,
    /// The card's id.
    card: String,
    /// Nine digits.
    mok_id: String,
    /// Cents.
    amount: u64,
    /// Cents that went back to the payer.
    taken_back: u64,
    /// Always `EUR`.
    currency: &'static str,
    /// `CREATED`, `AUTHENTICATING`, `AUTHORIZED`, `CAPTURED`, `CREDITED`, `REFUNDED`,
    /// `CHARGED_BACK`, `FAILED` or `EXPIRED`.
    state: &'static str,
    /// Why it failed.
    failure: Option<&'static str>,
    /// First six and last four digits of the card that pays.
    paid_by: String,
    /// Its brand.
    brand: String,
    /// Milliseconds since 1970.
    made_at: i64,
}

impl From<CardLoad> for CardLoadView {
    fn from(load: CardLoad) -> Self {
        Self {
            id: load.id,
            card: load.card,
            mok_id: load.mok_id,
            amount: load.amount,
            taken_back: load.taken_back,
            currency: "EUR",
            state: load.state.name(),
            failure: load.failure.map(super::state::Failure::name),
            paid_by: load.masked,
            brand: load.brand,
            made_at: load.made_at,
        }
    }
}

/// What is to go back to the payer.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GiveBack {
    /// Cents; all that is left where it is missing.
    amount: Option<u64>,
    /// A name for it: what has the same goes back once. Drawn where it is missing.
    reference: Option<String>,
}

/// What a provider tells.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub(super) struct Notification {
    /// Which payment has news; what they are is asked for.
    order: String,
}

/// A load by card.
#[utoipa::path(
    get, path = "/v1/card-loads/{id}", operation_id = "showCardLoad", tag = "loads",
    params(("id" = String, Path, description = "The load's name")),
    responses(
        (status = 200, body = CardLoadView),
        (status = 401, description = "Not the operator's token", body = ref("#/components/schemas/Error")),
        (status = 404, description = "No such load", body = ref("#/components/schemas/Error")),
    )
)]
pub(super) async fn show(
    State(portal): State<Portal>,
    Path(id): Path<String>,
) -> Result<Json<CardLoadView>, ApiError> {
    let load = store::find(portal.database(), &id).await.map_err(no_database)?;
    load.map(|load| Json(load.into())).ok_or_else(unknown)
}

/// Gives money of a credited load back to the payer and takes it off the card.
#[utoipa::path(
    post, path = "/v1/card-loads/{id}/refund", operation_id = "refundCardLoad", tag = "loads",
    params(("id" = String, Path, description = "The load's name")),
    request_body = GiveBack,
    responses(
        (status = 200, body = CardLoadView),
        (status = 400, description = "The body or the Idempotency-Key cannot be read", body = ref("#/components/schemas/Error")),
        (status = 401, description = "Not the operator's token", body = ref("#/components/schemas/Error")),
        (status = 404, description = "No such load", body = ref("#/components/schemas/Error")),
        (status = 409, description = "More than is left of it, or it is not on the card", body = ref("#/components/schemas/Error")),
        (status = 503, description = "No room now, or the provider does not answer", body = ref("#/components/schemas/Error")),
    )
)]
pub(super) async fn refund(
    State(portal): State<Portal>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<CardLoadView>, ApiError> {
    let flow = flow(&portal)?;
    let (amount, name) = given(&portal, &id, &body).await?;
    let load = flow.refund(&id, &name, amount).await.map_err(stuck)?.ok_or_else(unknown)?;
    Ok(Json(load.into()))
}

/// Plays the payer's bank, which takes the money back: with `--sandbox` only.
#[utoipa::path(
    post, path = "/v1/card-loads/{id}/chargeback", operation_id = "chargeBackCardLoad",
    tag = "loads",
    params(("id" = String, Path, description = "The load's name")),
    request_body = GiveBack,
    responses(
        (status = 200, body = CardLoadView),
        (status = 400, description = "The body or the Idempotency-Key cannot be read", body = ref("#/components/schemas/Error")),
        (status = 401, description = "Not the operator's token", body = ref("#/components/schemas/Error")),
        (status = 404, description = "No such load, or no sandbox", body = ref("#/components/schemas/Error")),
        (status = 409, description = "More than is left of it, or it is not on the card", body = ref("#/components/schemas/Error")),
        (status = 503, description = "No room now, or the provider does not answer", body = ref("#/components/schemas/Error")),
    )
)]
pub(super) async fn charge_back(
    State(portal): State<Portal>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<CardLoadView>, ApiError> {
    let flow = flow(&portal)?;
    let sandbox = portal.loads().sandbox().ok_or_else(unknown)?;
    let (amount, name) = given(&portal, &id, &body).await?;
    let no_answer = |error| stuck(FlowError::NoAnswer(error));
    sandbox.charge_back(&id, &name, amount).await.map_err(no_answer)?;
    let load = flow.settle(&id).await.map_err(stuck)?.ok_or_else(unknown)?;
    Ok(Json(load.into()))
}

/// A payment has news. What they are is asked for, so that nobody need be believed; an unknown
/// order is nobody's business.
#[utoipa::path(
    post, path = "/v1/psp/notifications", operation_id = "notifyPayment", tag = "loads",
    request_body = Notification, security(),
    responses((status = 204, description = "Heard"), (status = 400, description = "No JSON", body = ref("#/components/schemas/Error")))
)]
pub(super) async fn notified(
    State(portal): State<Portal>,
    body: Bytes,
) -> Result<StatusCode, ApiError> {
    let Notification { order } = serde_json::from_slice(&body)
        .map_err(|error| ApiError::invalid("invalid_body", error.to_string()))?;
    if let Some(flow) = portal.loads().flow()
        && let Err(error) = flow.settle(&order).await
    {
        // The sweep takes it up; the provider need not come again.
        tracing::warn!(%error, "a notification did not settle its load");
    }
    Ok(StatusCode::NO_CONTENT)
}

/// How much goes back, and under which name.
async fn given(portal: &Portal, id: &str, body: &Bytes) -> Result<(u64, String), ApiError> {
    let empty = body.trim_ascii().is_empty();
    let given = if empty {
        GiveBack::default()
    } else {
        serde_json::from_slice(body)
            .map_err(|error| ApiError::invalid("invalid_body", error.to_string()))?
    };
    let load = store::find(portal.database(), id).await.map_err(no_database)?;
    let load = load.ok_or_else(unknown)?;
    if load.state != super::state::State::Credited {
        let message = format!("the load is {}", load.state.name());
        return Err(ApiError::conflict("load_state", message));
    }
    let left = load.amount.saturating_sub(load.taken_back);
    let amount = given.amount.unwrap_or(left);
    if amount == 0 {
        return Err(ApiError::invalid("invalid_amount", "nothing is to go back").of("amount"));
    }
    if amount > left {
        let message = format!("{left} cents are left of the load");
        return Err(ApiError::conflict("taken_back_too_much", message).of("amount"));
    }
    let name = match given.reference {
        Some(name) if (1..=REFERENCE_OCTETS_MAX).contains(&name.len()) => name,
        Some(_) => {
            let message = "reference has 1 to 64 octets";
            return Err(ApiError::invalid("invalid_reference", message).of("reference"));
        }
        None => drawn().ok_or_else(|| ApiError::try_later("no randomness"))?,
    };
    Ok((amount, name))
}

fn flow(portal: &Portal) -> Result<&Flow, ApiError> {
    portal.loads().flow().ok_or_else(|| ApiError::not_found("no payment provider is set"))
}

fn unknown() -> ApiError {
    ApiError::not_found("no load by card has this name")
}

fn stuck(error: FlowError) -> ApiError {
    tracing::warn!(%error, "a load by card waits for an answer");
    ApiError::try_later("the payment provider or the switch does not answer now; try again")
}

fn no_database(error: sqlx::Error) -> ApiError {
    tracing::error!(%error, "loads by card cannot be read");
    ApiError::try_later("the database does not answer; try again")
}

const REFERENCE_OCTETS_MAX: usize = 64;
