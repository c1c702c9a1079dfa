//! The website of a prepaid card: who somebody is, what their cards may do, and how money comes in.
//!
//! It reaches cards only through the switch's control interface, holds no card's key and no card's
//! number, and keeps no money: that lives in the journal. Its database has people, their ways to
//! sign in, the evidence of loads, and projections that can be made anew at any time.
//!
//! A folder is a thing that a person does: its handlers, its page, its store.

pub mod acs;
pub mod card;
pub mod confirm;
pub mod db;
mod description;
pub mod desk;
pub mod identity;
pub mod kranj;
pub mod loads;
pub mod outbound;
pub mod page;
pub mod settings;
pub mod statements;
pub mod webhooks;

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use cekr_switch::control::Durable;
use cekr_switch::http::Extension;

use acs::Acs;
use card::live::Streams;
use confirm::Confirm;
use db::{Database, DatabaseError};
use identity::Identity;
use loads::Loads;
use outbound::{Outbound, OutboundError};
use page::assets::{self, Assets};
use page::texts::Texts;
use settings::Settings;
use statements::StatementDesk;
use webhooks::Webhooks;

/// The website. Cheap to clone; every handler has one.
#[derive(Clone)]
pub struct Portal {
    inner: Arc<Inner>,
}

struct Inner {
    acs: Acs,
    confirm: Confirm,
    durable: Durable,
    database: Database,
    identity: Identity,
    loads: Loads,
    outbound: Outbound,
    settings: Settings,
    streams: Streams,
    texts: Texts,
    assets: Assets,
    desk: StatementDesk,
    webhooks: Webhooks,
    desks: desk::Kept,
}

/// Why the website does not open. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database cannot be had.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Nobody can be called.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// The texts that are built in cannot be read: a fault of the build.
    #[error("the built-in texts cannot be read: {0}")]
    Texts(#[from] page::texts::TextsError),
}

impl Portal {
    /// Opens the database, brings it to this version, and finishes what the last run left half
    /// done. Must run on the runtime that will serve the pages.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(durable: Durable, settings: Settings) -> Result<Portal, OpenError> {
        let database = Database::open(&settings.database).await?;
        let texts = Texts::built_in()?;
        let assets = Assets::built_in();
        let outbound = Outbound::open(&settings.outbound)?;
        let identity = Identity::new(&durable, &settings, &outbound);
        let loads = Loads::open(&durable, &database, &settings).await;
        let (streams, desk) = (Streams::default(), StatementDesk::default());
        let confirm = Confirm::new(&settings);
        let inner = Inner {
            acs: Acs::default(),
            confirm,
            durable,
            database,
            identity,
            loads,
            outbound,
            settings,
            streams,
            texts,
            assets,
            desk,
            webhooks: Webhooks::default(),
            desks: desk::Kept::default(),
        };
        let portal = Portal { inner: Arc::new(inner) };
        if let Err(error) = identity::audit::begin_head(&portal).await {
            tracing::error!(?error, "the audit's newest line cannot be read");
        }
        tokio::spawn(statements::projection::follow(portal.clone()));
        tokio::spawn(webhooks::follow(portal.clone()));
        tokio::spawn(acs::follow(portal.clone()));
        desk::open(&portal).await;
        tokio::spawn(confirm::follow(portal.clone()));
        Ok(portal)
    }

    /// The routes, for the switch's HTTP port.
    #[must_use]
    pub fn extension(&self) -> Extension {
        let pages = Router::new()
            .route("/", get(page::home))
            .route("/language", post(page::language::choose))
            .route("/assets/{name}", get(assets::show))
            .merge(acs::routes())
            .merge(identity::routes())
            .merge(card::routes())
            .merge(confirm::routes())
            .merge(desk::routes())
            .merge(kranj::routes())
            .merge(loads::routes())
            .merge(statements::routes())
            .merge(webhooks::routes())
            .fallback(page::not_found)
            .layer(from_fn_with_state(self.clone(), page::failed::layer))
            .layer(from_fn_with_state(self.clone(), page::address::lead_home))
            .layer(from_fn(page::headers))
            .with_state(self.clone());
        let operator = identity::operator_routes()
            .merge(loads::operator_routes())
            .merge(statements::operator_routes())
            .merge(webhooks::operator_routes());
        self.inner.webhooks.begin();
        Extension {
            pages: Some(pages),
            anyone: acs::open_routes()
                .merge(loads::open_routes())
                .merge(card::api::routes(self))
                .merge(confirm::api::routes(self))
                .merge(kranj::api::routes(self))
                .with_state(self.clone()),
            operator: operator.with_state(self.clone()),
            uploads: statements::upload_routes().with_state(self.clone()),
            openapi: description::openapi(),
        }
    }

    /// The access control server.
    pub(crate) fn acs(&self) -> &Acs {
        &self.inner.acs
    }

    /// How purchases are confirmed.
    #[must_use]
    pub fn confirm(&self) -> &Confirm {
        &self.inner.confirm
    }

    /// The cards.
    #[must_use]
    pub fn durable(&self) -> &Durable {
        &self.inner.durable
    }

    /// The database.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.inner.database
    }

    /// Who is who.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.inner.identity
    }

    /// How money comes to cards.
    #[must_use]
    pub fn loads(&self) -> &Loads {
        &self.inner.loads
    }

    /// Calls to others.
    #[must_use]
    pub fn outbound(&self) -> &Outbound {
        &self.inner.outbound
    }

    /// What was set.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// The open pages that are told of their cards.
    #[must_use]
    pub fn streams(&self) -> &Streams {
        &self.inner.streams
    }

    /// Where statements are imported.
    #[must_use]
    pub fn desk(&self) -> &StatementDesk {
        &self.inner.desk
    }

    /// Those who are told what happens.
    #[must_use]
    pub fn webhooks(&self) -> &Webhooks {
        &self.inner.webhooks
    }

    /// How far clearing was followed.
    pub(crate) fn clearing(&self) -> &desk::Progress {
        self.inner.desks.clearing()
    }

    /// Traffic of the last minutes.
    pub(crate) fn samples(&self) -> &desk::Samples {
        self.inner.desks.samples()
    }

    /// What is said, in every language.
    #[must_use]
    pub fn texts(&self) -> &Texts {
        &self.inner.texts
    }

    /// Scripts, styles, pictures.
    #[must_use]
    pub fn assets(&self) -> &Assets {
        &self.inner.assets
    }
}
