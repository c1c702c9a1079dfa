//! The holder's own limits as an API: seen beside the programme's, and set.

use axum::Json;
use axum::extract::{Path, State};
use cekr_issuer::{Amount, CardId};
use cekr_switch::control::{LimitChange, LimitsPatch};
use serde::{Deserialize, Deserializer, Serialize};

use crate::Portal;
use crate::identity::posted::PostedJson;
use crate::identity::{Action, SignedIn, held_card};
use crate::page::failed::Failed;

/// A card's limits for a day.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct HolderLimits {
    /// The holder's own; null where the programme's applies.
    own: DayLimits,
    /// The programme's, which no own limit exceeds; null is none.
    programme: DayLimits,
}

/// Limits for a day.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct DayLimits {
    /// Cents of cash, without fees.
    cash_day: Option<u64>,
    /// Withdrawals.
    cash_count_day: Option<u32>,
    /// Cents of purchases in shops.
    pos_day: Option<u64>,
    /// Cents of purchases without the card.
    online_day: Option<u64>,
}

/// Own limits to be set. What is not named stays; null goes back to the programme's.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HolderLimitsUpdate {
    /// Cents of cash, without fees.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<u64>, maximum = 999999999999_u64)]
    cash_day: LimitChange<u64>,
    /// Withdrawals.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<u32>)]
    cash_count_day: LimitChange<u32>,
    /// Cents of purchases in shops.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<u64>, maximum = 999999999999_u64)]
    pos_day: LimitChange<u64>,
    /// Cents of purchases without the card.
    #[serde(default, deserialize_with = "named")]
    #[schema(value_type = Option<u64>, maximum = 999999999999_u64)]
    online_day: LimitChange<u64>,
}

#[utoipa::path(get, path = "/v1/holder/cards/{id}/limits", tag = "holder",
    operation_id = "holder_card_limits", summary = "A card's limits", security(("holder" = [])),
    params(("id" = String, Path, description = "The card's opaque id")), responses(
        (status = 200, description = "The limits", body = HolderLimits),
        (status = 401, description = "Nobody is signed in", body = ref("#/components/schemas/Error")),
        (status = 404, description = "No card of theirs", body = ref("#/components/schemas/Error")),
))]
pub(crate) async fn show(
    State(portal): State<Portal>,
    who: SignedIn,
    Path(token): Path<String>,
) -> Result<Json<HolderLimits>, Failed> {
    let id = held_card(&portal, &who, &token).await?;
    limits(&portal, id).await
}

#[utoipa::path(patch, path = "/v1/holder/cards/{id}/limits", tag = "holder",
    operation_id = "holder_card_limits_update", summary = "Set own limits of a card",
    description = "Asks for a fresh proof of identity of level 30. Nothing is set unless all can be.",
    security(("holder" = [])), request_body = HolderLimitsUpdate,
    params(("id" = String, Path, description = "The card's opaque id"),
        ("X-CSRF-Token" = String, Header, description = "The session's token")), responses(
        (status = 200, description = "The limits", body = HolderLimits),
        (status = 401, description = "Nobody is signed in", body = ref("#/components/schemas/Error")),
        (status = 403, description = "The proof of identity is too old (`step_up`), or the token is \
            missing", body = ref("#/components/schemas/Error")),
        (status = 404, description = "No card of theirs", body = ref("#/components/schemas/Error")),
        (status = 409, description = "The card is closed, or a limit is above the programme's",
            body = ref("#/components/schemas/Error")),
        (status = 422, description = "The body cannot be read", body = ref("#/components/schemas/Error")),
))]
pub(crate) async fn update(
    State(portal): State<Portal>,
    who: SignedIn,
    Path(token): Path<String>,
    PostedJson(update): PostedJson<HolderLimitsUpdate>,
) -> Result<Json<HolderLimits>, Failed> {
    let id = held_card(&portal, &who, &token).await?;
    let now = portal.durable().now();
    who.may(Action::SetLimits, now.unix_ms)?;
    let patch = LimitsPatch {
        cash_day: amount(update.cash_day)?,
        cash_count_day: update.cash_count_day,
        pos_day: amount(update.pos_day)?,
        online_day: amount(update.online_day)?,
    };
    portal.durable().told(portal.durable().control().set_limits(id, patch, now)).await?;
    limits(&portal, id).await
}

async fn limits(portal: &Portal, id: CardId) -> Result<Json<HolderLimits>, Failed> {
    let control = portal.durable().control();
    let own = portal.durable().told(control.card(id)).await?.limits;
    let programme = control.programme_limits();
    let cents = |limit: Amount| (!limit.is_zero()).then(|| limit.minor());
    let count = (programme.cash_count_day > 0).then_some(programme.cash_count_day);
    Ok(Json(HolderLimits {
        own: DayLimits {
            cash_day: own.cash_day,
            cash_count_day: own.cash_count_day,
            pos_day: own.pos_day,
            online_day: own.online_day,
        },
        programme: DayLimits {
            cash_day: cents(programme.cash_day),
            cash_count_day: count,
            pos_day: cents(programme.pos_day),
            online_day: cents(programme.online_day),
        },
    }))
}

/// A limit that is there, be it null.
fn named<'de, D, T>(from: D) -> Result<LimitChange<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let named = Option::deserialize(from)?;
    Ok(named.map_or(LimitChange::Programme, LimitChange::Own))
}

fn amount(change: LimitChange<u64>) -> Result<LimitChange<Amount>, Failed> {
    match change {
        LimitChange::Keep => Ok(LimitChange::Keep),
        LimitChange::Programme => Ok(LimitChange::Programme),
        LimitChange::Own(cents) if cents <= CENTS_MAX => {
            Ok(LimitChange::Own(Amount::from_minor(cents)))
        }
        LimitChange::Own(_) => Err(Failed::Unprocessable("failed-amount")),
    }
}

/// Twelve digits, as messages have them.
const CENTS_MAX: u64 = 999_999_999_999;
