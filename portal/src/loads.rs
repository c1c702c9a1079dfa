//! Loads: how money comes to a card, as its holder, anybody else and an operator see it.
//!
//! By a payment order ([`upn`]), which a bank statement brings home later; by another card
//! ([`flow`]); in cash at a branch, with a [`receipt`].

pub mod flow;
pub mod form;
mod operator;
mod pages;
pub mod psp;
pub mod receipt;
mod sandbox_pages;
pub mod simulated;
pub mod state;
pub mod store;
pub mod upn;

use axum::Router;
use axum::routing::{get, post};
use cekr_switch::control::Durable;
use cekr_switch::sync::Arc;

use crate::Portal;
use crate::db::Database;
use crate::settings::Settings;
use flow::Flow;
use psp::sandbox::Sandbox;

/// What loads keep while the website runs.
pub struct Loads {
    flow: Option<Flow>,
    sandbox: Option<Sandbox>,
}

impl Loads {
    /// Takes up what the last run left half done, and goes on with that in the background.
    pub(crate) async fn open(durable: &Durable, database: &Database, settings: &Settings) -> Loads {
        if !settings.sandbox {
            // No provider: loads by card are not offered.
            return Loads { flow: None, sandbox: None };
        }
        let sandbox = Sandbox::new(database.clone());
        let flow = Flow::new(durable.clone(), database.clone(), Arc::new(sandbox.clone()));
        if let Err(error) = flow.sweep().await {
            tracing::error!(%error, "loads by card of the last run cannot be read");
        }
        tokio::spawn(flow.clone().run());
        Loads { flow: Some(flow), sandbox: Some(sandbox) }
    }

    /// Loads by card, where a provider takes payments.
    #[must_use]
    pub const fn flow(&self) -> Option<&Flow> {
        self.flow.as_ref()
    }

    /// The provider for trying things out.
    #[must_use]
    pub const fn sandbox(&self) -> Option<&Sandbox> {
        self.sandbox.as_ref()
    }
}

/// The pages.
pub fn routes() -> Router<Portal> {
    Router::new()
        .route("/load", get(pages::form).post(pages::order))
        .route("/load/means/{id}/forget", post(pages::forget))
        .route("/load/upn", get(upn::pages::form).post(upn::pages::order))
        .route("/load/{id}", get(pages::status))
        .route("/cards/{id}/load/upn", get(upn::pages::own))
        .route("/sandbox/psp/{order}", get(sandbox_pages::show).post(sandbox_pages::give))
        .route("/sandbox/psp/{order}/bank", get(sandbox_pages::bank).post(sandbox_pages::answer))
}

/// What operators do.
pub fn operator_routes() -> Router<Portal> {
    Router::new()
        .route("/v1/receipts/{seq}", get(receipt::show))
        .route("/v1/card-loads/{id}", get(operator::show))
        .route("/v1/card-loads/{id}/refund", post(operator::refund))
        .route("/v1/card-loads/{id}/chargeback", post(operator::charge_back))
}

/// What a payment provider calls.
pub fn open_routes() -> Router<Portal> {
    Router::new().route("/v1/psp/notifications", post(operator::notified))
}

/// What operators and providers call, described.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    operator::charge_back,
    operator::notified,
    operator::refund,
    operator::show,
    receipt::show
))]
struct Described;

/// The description of these routes, for `/v1/openapi.json`.
pub fn openapi() -> serde_json::Value {
    use utoipa::OpenApi as _;
    let described = serde_json::to_value(Described::openapi()).unwrap_or_default();
    let of = |name: &str| described.get(name).cloned().unwrap_or_default();
    serde_json::json!({ "paths": of("paths"), "components": of("components") })
}
