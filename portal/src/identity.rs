//! Who somebody is: sessions, what they may do, and the cards that are theirs.
//!
//! A session is a cookie with 256 random bits of which only the hash is kept. It ends after five
//! minutes without anything being asked for by hand, and a new one takes its place whenever
//! somebody proves anew who they are. What a page may do depends on how sure that proof was and how
//! old it is ([`level`]); which cards it may touch, on [`holder`].

pub mod account_notices;
pub mod attempts;
pub mod audit;
mod audit_head;
pub mod back;
mod ceremonies;
pub mod codes;
pub mod desk;
mod devices;
pub mod holder;
pub mod level;
pub mod linked;
pub mod local_path;
pub(crate) mod operator;
pub mod passkeys;
pub mod posted;
mod prove;
mod provider;
mod register;
mod rekono;
pub mod secret;
pub mod session;
pub mod sessions;
mod sign_in;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use cekr_switch::control::Durable;
use webauthn_rs::prelude::Webauthn;

use crate::Portal;
use crate::outbound::Outbound;
use crate::settings::Settings;

pub use attempts::Attempts;
pub use back::{Back, BackFault, NoCard, card_by_back};
pub use desk::{OnDesk, WatchingDesk};
pub use holder::{HolderId, cards_of, held_card};
pub use level::{Action, Level, StepUp};
pub use local_path::LocalPath;
pub use posted::Posted;
pub(crate) use provider::level_in as provider_level;
pub use session::{Csrf, SignedIn, Watching};

use audit_head::AuditHead;
use ceremonies::Ceremonies;
use provider::Provider;
use secret::Secret;

/// What identity keeps while the website runs.
pub struct Identity {
    attempts: Attempts,
    audit_head: AuditHead,
    audit_order: Arc<tokio::sync::Mutex<()>>,
    ceremonies: Ceremonies,
    provider: Option<Provider>,
    secret: Secret,
    webauthn: Option<Webauthn>,
}

/// The pages.
pub fn routes() -> Router<Portal> {
    Router::new()
        .route("/register", get(register::show).post(register::judge))
        .route("/register/begin", post(register::begin))
        .route("/register/finish", post(register::finish))
        .route("/sign-in", get(sign_in::show))
        .route("/sign-in/begin", post(sign_in::begin))
        .route("/sign-in/finish", post(sign_in::finish))
        .route("/sign-out", post(sign_in::out))
        .route("/sign-out/everywhere", post(sign_in::out_everywhere))
        .route("/prove", get(prove::show))
        .route("/prove/begin", post(prove::begin))
        .route("/prove/finish", post(prove::finish))
        .route("/rekono", get(rekono::go))
        .route(provider::CALLBACK, get(rekono::back))
        .route("/desk/sign-in", get(desk::show_sign_in))
        .route("/desk/sign-in/begin", post(desk::begin))
        .route("/desk/sign-in/finish", post(desk::finish))
        .route("/desk/sign-out", post(desk::out))
        .route("/desk/register", get(desk::show_register).post(desk::judge))
        .route("/desk/register/begin", post(desk::begin_register))
        .route("/desk/register/finish", post(desk::finish_register))
        .route("/devices", get(devices::show))
        .route("/devices/begin", post(devices::begin))
        .route("/devices/finish", post(devices::finish))
        .route("/devices/{id}/rename", post(devices::rename))
        .route("/devices/{id}/remove", post(devices::remove))
        .route("/devices/card", get(devices::show_card).post(devices::add_card))
        .route("/sessions/{id}/end", post(devices::end_session))
}

/// The operator's calls in the API's description.
pub(crate) fn openapi() -> serde_json::Value {
    serde_json::from_str(include_str!("identity/openapi.json")).unwrap_or_default()
}

/// The operator's calls.
pub fn operator_routes() -> Router<Portal> {
    Router::new()
        .route("/v1/cards/{id}/enrolment_codes", post(operator::make_code))
        .route("/v1/holders", get(operator::find_holder))
        .route("/v1/holders/{id}/recovery", post(operator::recover))
        .route("/v1/operators", post(operator::make_operator))
        .route("/v1/audit", get(operator::audit))
}

impl Identity {
    pub(crate) fn new(durable: &Durable, settings: &Settings, outbound: &Outbound) -> Identity {
        let secret = Secret::of(durable);
        let key = secret.digest("cekr-audit-head-v1", &[]);
        let audit_head = AuditHead::open(settings.audit_head.clone(), key);
        Identity {
            attempts: Attempts::new(&secret),
            audit_head,
            audit_order: Arc::default(),
            ceremonies: Ceremonies::default(),
            provider: provider_of(settings, outbound),
            webauthn: passkeys::checker(&settings.public_url),
            secret,
        }
    }

    const fn audit_head(&self) -> &AuditHead {
        &self.audit_head
    }

    fn audit_order(&self) -> Arc<tokio::sync::Mutex<()>> {
        self.audit_order.clone()
    }

    const fn ceremonies(&self) -> &Ceremonies {
        &self.ceremonies
    }

    const fn provider(&self) -> Option<&Provider> {
        self.provider.as_ref()
    }

    const fn webauthn(&self) -> Option<&Webauthn> {
        self.webauthn.as_ref()
    }

    /// Wrong pairs of MOK ID and last digits.
    #[must_use]
    pub const fn attempts(&self) -> &Attempts {
        &self.attempts
    }

    /// What hashes of codes are made with.
    #[must_use]
    pub const fn secret(&self) -> &Secret {
        &self.secret
    }
}

fn provider_of(settings: &Settings, outbound: &Outbound) -> Option<Provider> {
    Provider::new(settings.rekono.as_ref()?, &settings.public_url, outbound)
}
