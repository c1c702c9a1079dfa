//! Webhooks: other programs are told what happens, signed, until they say that they heard.
//!
//! An event is an entry of the journal, told behind the number up to which it is durable, as
//! `GET /v1/events` tells it. Each endpoint has its own place in the journal: what it was told is
//! written down together with how far it was told, so that a crash repeats and never skips. What
//! one endpoint takes long for keeps neither another nor the switch waiting: it only lags.

mod api;
mod backoff;
mod delivery;
mod desk;
mod endpoint;
mod follow;
mod signature;

use axum::Router;
use axum::routing::{get, post};
use tokio::sync::Notify;

use crate::Portal;

pub(crate) use follow::follow;

/// What rings those who tell others.
#[derive(Default)]
pub struct Webhooks {
    /// Somebody serves: `cekr portal rebuild` does not, and tells nobody anything.
    serving: Notify,
    /// Endpoints or deliveries were changed by hand.
    changed: Notify,
}

impl Webhooks {
    /// From now on endpoints are told.
    pub(crate) fn begin(&self) {
        self.serving.notify_one();
    }

    fn ring(&self) {
        self.changed.notify_one();
    }
}

/// The desk's pages.
pub fn routes() -> Router<Portal> {
    Router::new()
        .route("/desk/webhooks", get(desk::show))
        .route("/desk/webhooks/{id}/resend", post(desk::resend))
}

/// Endpoints and deliveries, below `/v1` with the operator's token.
pub fn operator_routes() -> Router<Portal> {
    Router::new()
        .route("/v1/webhooks", get(api::list).post(api::create))
        .route("/v1/webhooks/{id}", get(api::show).delete(api::remove))
        .route("/v1/webhooks/{id}/disable", post(api::disable))
        .route("/v1/webhooks/{id}/enable", post(api::enable))
        .route("/v1/webhooks/{id}/secret", post(api::rotate))
        .route("/v1/webhooks/{id}/deliveries", get(api::deliveries))
        .route("/v1/webhooks/{id}/deliveries/{delivery}", get(api::delivery))
        .route("/v1/webhooks/{id}/deliveries/{delivery}/resend", post(api::resend))
}

/// These calls in the API's description.
pub(crate) fn openapi() -> serde_json::Value {
    serde_json::from_str(include_str!("webhooks/openapi.json")).unwrap_or_default()
}

/// Moments and numbers as SQL has them.
fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
