//! Bank statements: how payment orders, cash at a branch and instant payments arrive.
//!
//! A file is read to its end before anything is done and its lines are judged ([`cekr_bank`]);
//! their evidence is kept and they are posted (`upload`, `evidence`, `import`); what matches no
//! card waits in suspense until people say where it belongs (`suspense`, `return_order`).
//! `projection` shows loads and suspense as rows.

pub mod api;
mod desk;
pub mod evidence;
pub mod import;
pub mod projection;
pub mod return_order;
pub mod suspense;
#[cfg(test)]
mod tests;
pub mod upload;

use axum::Router;
use axum::routing::{get, post};
use tokio::sync::{Mutex, MutexGuard, Semaphore, SemaphorePermit};

use crate::Portal;
use projection::Progress;

/// Files that are read at a time: each may have many lines in memory.
pub const UPLOADS_MAX: usize = 2;

/// What all imports of a website share.
#[derive(Debug)]
pub struct StatementDesk {
    importing: Mutex<()>,
    projecting: Mutex<Progress>,
    uploads: Semaphore,
}

impl Default for StatementDesk {
    fn default() -> Self {
        Self {
            importing: Mutex::new(()),
            projecting: Mutex::default(),
            uploads: Semaphore::new(UPLOADS_MAX),
        }
    }
}

impl StatementDesk {
    /// One import at a time.
    pub(crate) async fn alone(&self) -> MutexGuard<'_, ()> {
        self.importing.lock().await
    }

    /// One who folds entries at a time: each is folded once.
    pub(crate) async fn projecting(&self) -> MutexGuard<'_, Progress> {
        self.projecting.lock().await
    }

    /// Room for one file more, if there is any.
    pub(crate) fn room(&self) -> Option<SemaphorePermit<'_>> {
        self.uploads.try_acquire().ok()
    }
}

/// Files of statements, below `/v1` with the operator's token.
pub fn upload_routes() -> Router<Portal> {
    Router::new().route("/v1/statements", post(api::upload))
}

/// Their part of the API's description.
#[must_use]
pub fn openapi() -> serde_json::Value {
    serde_json::from_str(include_str!("statements/openapi.json")).unwrap_or_default()
}

/// The desk's pages.
pub fn routes() -> Router<Portal> {
    Router::new()
        .route("/desk/suspense", get(desk::show))
        .route("/desk/suspense/{item}/propose", post(desk::propose))
        .route("/desk/suspense/{item}/approve", post(desk::approve))
        .route("/desk/suspense/{item}/return", post(desk::give_back))
}

/// Suspense, below `/v1` with the operator's token.
pub fn operator_routes() -> Router<Portal> {
    Router::new()
        .route("/v1/suspense", get(api::list))
        .route("/v1/suspense/{id}/assignments", post(api::propose))
        .route("/v1/suspense/{id}/assignments/approve", post(api::approve))
        .route("/v1/suspense/{id}/return", post(api::give_back))
        .route("/v1/suspense/{id}/return.xml", get(api::return_order))
}
