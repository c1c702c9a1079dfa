//! The holder's API: purchases that wait, confirmed with the card's device or refused, as JSON.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Router, middleware};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::{self, Asked};
use super::binding::{self, Bound};
use super::live;
use super::shown;
use crate::Portal;
use crate::identity::audit::Change;
use crate::identity::posted::{FromUs, PostedJson};
use crate::identity::{Action, SignedIn, Watching, cards_of, held_card};
use crate::page::failed::{self, Failed};

/// Below `/v1/holder`.
pub fn routes(portal: &Portal) -> Router<Portal> {
    Router::new()
        .route("/v1/holder/confirmations", get(list))
        .route("/v1/holder/confirmations/events", get(events))
        .route("/v1/holder/confirmations/{id}", get(show))
        .route("/v1/holder/confirmations/{id}/approve/begin", post(begin))
        .route("/v1/holder/confirmations/{id}/approve/finish", post(finish))
        .route("/v1/holder/confirmations/{id}/refuse", post(refuse))
        .route("/v1/holder/cards/{id}/confirmation_device", get(device).patch(bind))
        .layer(middleware::from_fn_with_state(portal.clone(), failed::layer))
}

/// A purchase that its holder is asked about.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct HolderConfirmation {
    /// The acsTransID, a UUID.
    #[schema(example = "8a880dc0-d2d2-4067-bcb1-b08d1690b26e")]
    id: String,
    /// The card's opaque id.
    card: String,
    /// `pending` while it can be answered; then `approved`, `sealed`, `consumed`, `denied`,
    /// `expired` or `cancelled`.
    state: &'static str,
    /// Minor units of the currency.
    amount: u64,
    /// ISO 4217, numeric.
    #[schema(example = "978")]
    currency: String,
    /// Who is paid, as the shop says; without characters that control or turn the text.
    payee: String,
    /// The shop's country, ISO 3166-1 alpha-2.
    country: String,
    /// Milliseconds since 1970.
    created_at: u64,
    /// When it ends, in milliseconds since 1970.
    expires_at: u64,
    /// How long that is from now, in milliseconds; 0 where it waits no more.
    left_ms: u64,
}

impl HolderConfirmation {
    fn of(asked: &Asked, now_ms: u64) -> HolderConfirmation {
        let (view, waits) = (&asked.view, asked.waits(now_ms));
        HolderConfirmation {
            id: view.id.to_string(),
            card: asked.card.clone(),
            state: shown::state(view.state, waits),
            amount: view.amount.minor(),
            currency: view.currency.to_string(),
            payee: asked.purchase.payee.clone(),
            country: String::from_utf8_lossy(&asked.purchase.country).into_owned(),
            created_at: view.created_at,
            expires_at: view.expires_at,
            left_ms: if waits { view.expires_at.saturating_sub(now_ms) } else { 0 },
        }
    }
}

/// The purchases that wait.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct HolderConfirmations {
    /// Those whose time ends first come first.
    data: Vec<HolderConfirmation>,
    /// Never: a card has at most five.
    has_more: bool,
}

#[utoipa::path(get, path = "/v1/holder/confirmations", tag = "holder",
    operation_id = "holder_confirmations", summary = "Purchases that wait for the holder",
    security(("holder" = [])), responses(
        (status = 200, description = "All of them", body = HolderConfirmations),
        (status = 401, description = "Nobody is signed in", body = ref("#/components/schemas/Error")),
))]
pub(crate) async fn list(
    State(portal): State<Portal>,
    who: SignedIn,
) -> Result<Json<HolderConfirmations>, Failed> {
    let cards = cards_of(&portal, &who.holder).await?;
    let all = answer::all_waiting(&portal, &cards).await?;
    let now_ms = portal.durable().now().unix_ms;
    let data = all.iter().map(|asked| HolderConfirmation::of(asked, now_ms)).collect();
    Ok(Json(HolderConfirmations { data, has_more: false }))
}

#[utoipa::path(get, path = "/v1/holder/confirmations/{id}", tag = "holder",
    operation_id = "holder_confirmation", summary = "A purchase, and what became of it",
    security(("holder" = [])),
    params(("id" = String, Path, description = "The acsTransID")), responses(
        (status = 200, description = "The purchase", body = HolderConfirmation),
        (status = 401, description = "Nobody is signed in", body = ref("#/components/schemas/Error")),
        (status = 404, description = "No purchase of theirs", body = ref("#/components/schemas/Error")),
))]
pub(crate) async fn show(
    State(portal): State<Portal>,
    who: SignedIn,
    Path(id): Path<String>,
) -> Result<Json<HolderConfirmation>, Failed> {
    told(&portal, &who, &id).await
}

/// What the device is asked.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct HolderConfirmationQuestion {
    /// The question's name, for the answer.
    ceremony: String,
    /// `PublicKeyCredentialRequestOptionsJSON` of WebAuthn.
    #[serde(rename = "publicKey")]
    #[schema(value_type = Object)]
    public_key: Value,
}

#[utoipa::path(post, path = "/v1/holder/confirmations/{id}/approve/begin", tag = "holder",
    operation_id = "holder_confirmation_begin", summary = "Ask the card's device",
    description = "The challenge is SHA-256 of `cekr-sca-v1`, the id, amount, currency, payee, card, \
        expiry and a nonce: the device signs this purchase and no other.",
    security(("holder" = [])),
    params(("id" = String, Path, description = "The acsTransID"),
        ("X-CSRF-Token" = String, Header, description = "The session's token")), responses(
        (status = 200, description = "What `navigator.credentials.get` takes",
            body = HolderConfirmationQuestion),
        (status = 401, description = "Nobody is signed in", body = ref("#/components/schemas/Error")),
        (status = 403, description = "The token is missing", body = ref("#/components/schemas/Error")),
        (status = 404, description = "No purchase of theirs", body = ref("#/components/schemas/Error")),
        (status = 409, description = "It waits no more, or the card has no device",
            body = ref("#/components/schemas/Error")),
))]
pub(crate) async fn begin(
    State(portal): State<Portal>,
    who: SignedIn,
    _: FromUs,
    Path(id): Path<String>,
) -> Result<Json<Value>, Failed> {
    answer::begin(&portal, &who, &id).await.map(Json)
}

/// A device's answer.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HolderConfirmationAnswer {
    /// The question's name.
    ceremony: String,
    /// `AuthenticationResponseJSON` of WebAuthn.
    #[schema(value_type = Object)]
    credential: Value,
}

#[utoipa::path(post, path = "/v1/holder/confirmations/{id}/approve/finish", tag = "holder",
    operation_id = "holder_confirmation_finish", summary = "Confirm with the device's answer",
    description = "Answers when the confirmation is sealed and durable. Five wrong answers in a row \
        stop the card's confirmations for a day.",
    security(("holder" = [])), request_body = HolderConfirmationAnswer,
    params(("id" = String, Path, description = "The acsTransID"),
        ("X-CSRF-Token" = String, Header, description = "The session's token")), responses(
        (status = 200, description = "The purchase", body = HolderConfirmation),
        (status = 401, description = "Nobody is signed in", body = ref("#/components/schemas/Error")),
        (status = 403, description = "The token is missing", body = ref("#/components/schemas/Error")),
        (status = 404, description = "No purchase of theirs", body = ref("#/components/schemas/Error")),
        (status = 409, description = "It waits no more, was answered meanwhile, or the card is not in \
            use", body = ref("#/components/schemas/Error")),
        (status = 422, description = "The answer is not right, or is to another question",
            body = ref("#/components/schemas/Error")),
))]
pub(crate) async fn finish(
    State(portal): State<Portal>,
    who: SignedIn,
    Path(id): Path<String>,
    PostedJson(given): PostedJson<HolderConfirmationAnswer>,
) -> Result<Json<HolderConfirmation>, Failed> {
    let credential = given.credential.to_string();
    answer::approve(&portal, &who, &id, &given.ceremony, &credential).await?;
    told(&portal, &who, &id).await
}

#[utoipa::path(post, path = "/v1/holder/confirmations/{id}/refuse", tag = "holder",
    operation_id = "holder_confirmation_refuse", summary = "Refuse a purchase",
    security(("holder" = [])),
    params(("id" = String, Path, description = "The acsTransID"),
        ("X-CSRF-Token" = String, Header, description = "The session's token")), responses(
        (status = 200, description = "The purchase", body = HolderConfirmation),
        (status = 401, description = "Nobody is signed in", body = ref("#/components/schemas/Error")),
        (status = 403, description = "The token is missing", body = ref("#/components/schemas/Error")),
        (status = 404, description = "No purchase of theirs", body = ref("#/components/schemas/Error")),
        (status = 409, description = "It waits no more", body = ref("#/components/schemas/Error")),
))]
pub(crate) async fn refuse(
    State(portal): State<Portal>,
    who: SignedIn,
    _: FromUs,
    Path(id): Path<String>,
) -> Result<Json<HolderConfirmation>, Failed> {
    answer::refuse(&portal, &who, &id).await?;
    told(&portal, &who, &id).await
}

#[utoipa::path(get, path = "/v1/holder/confirmations/events", tag = "holder",
    operation_id = "holder_confirmation_events", summary = "Tells when the waiting purchases change",
    description = "Server-sent events `confirmations-changed`, the first at once: read the list then. \
        Ends with the session (`event: signed-out`).", security(("holder" = [])), responses(
        (status = 200, description = "The stream", body = String, content_type = "text/event-stream"),
        (status = 401, description = "Nobody is signed in", body = ref("#/components/schemas/Error")),
        (status = 429, description = "Too many streams", body = ref("#/components/schemas/Error")),
))]
pub(crate) async fn events(
    State(portal): State<Portal>,
    who: Watching,
) -> Result<Response, Failed> {
    live::stream(State(portal), Ok(who)).await
}

/// The device that confirms a card's purchases.
#[derive(Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HolderConfirmationDevice {
    /// The credential's id of one of the holder's passkeys; null where the card has none.
    device: Option<String>,
}

impl HolderConfirmationDevice {
    async fn of(portal: &Portal, who: &SignedIn, card: &str) -> Result<Json<Self>, Failed> {
        let card = held_card(portal, who, card).await?;
        let device = binding::device_of(portal, card).await?;
        Ok(Json(Self { device: device.map(|Bound { passkey, .. }| passkey) }))
    }
}

#[utoipa::path(get, path = "/v1/holder/cards/{id}/confirmation_device", tag = "holder",
    operation_id = "holder_card_confirmation_device", summary = "The device that confirms",
    security(("holder" = [])),
    params(("id" = String, Path, description = "The card's opaque id")), responses(
        (status = 200, description = "The device", body = HolderConfirmationDevice),
        (status = 401, description = "Nobody is signed in", body = ref("#/components/schemas/Error")),
        (status = 404, description = "No card of theirs", body = ref("#/components/schemas/Error")),
))]
pub(crate) async fn device(
    State(portal): State<Portal>,
    who: SignedIn,
    Path(card): Path<String>,
) -> Result<Json<HolderConfirmationDevice>, Failed> {
    HolderConfirmationDevice::of(&portal, &who, &card).await
}

#[utoipa::path(patch, path = "/v1/holder/cards/{id}/confirmation_device", tag = "holder",
    operation_id = "holder_card_confirmation_device_update",
    summary = "Bind a device to a card, or none",
    description = "To bind one asks for a fresh proof of identity of level 30; the device before \
        confirms no more. With null the card's purchases cannot be confirmed in the app.",
    security(("holder" = [])), request_body = HolderConfirmationDevice,
    params(("id" = String, Path, description = "The card's opaque id"),
        ("X-CSRF-Token" = String, Header, description = "The session's token")), responses(
        (status = 200, description = "The device", body = HolderConfirmationDevice),
        (status = 401, description = "Nobody is signed in", body = ref("#/components/schemas/Error")),
        (status = 403, description = "The proof of identity is too old (`step_up`), or the token is \
            missing", body = ref("#/components/schemas/Error")),
        (status = 404, description = "No card of theirs", body = ref("#/components/schemas/Error")),
        (status = 422, description = "No device of theirs, or the body cannot be read",
            body = ref("#/components/schemas/Error")),
))]
pub(crate) async fn bind(
    State(portal): State<Portal>,
    who: SignedIn,
    Path(card): Path<String>,
    PostedJson(chosen): PostedJson<HolderConfirmationDevice>,
) -> Result<Json<HolderConfirmationDevice>, Failed> {
    held_card(&portal, &who, &card).await?;
    let now_ms = portal.durable().now().unix_ms;
    match chosen.device {
        Some(device) => {
            who.may(Action::LinkDevice, now_ms)?;
            let mut change = Change::begin(&portal).await?;
            binding::bind(&mut change, who.holder.as_str(), &card, &device, now_ms).await?;
            change.commit().await?;
        }
        None => {
            who.may(Action::Untick, now_ms)?;
            binding::unbind(&portal, who.holder.as_str(), &card).await?;
        }
    }
    HolderConfirmationDevice::of(&portal, &who, &card).await
}

async fn told(
    portal: &Portal,
    who: &SignedIn,
    id: &str,
) -> Result<Json<HolderConfirmation>, Failed> {
    let asked = answer::find(portal, who, id).await?;
    Ok(Json(HolderConfirmation::of(&asked, portal.durable().now().unix_ms)))
}
