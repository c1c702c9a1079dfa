//! The access control server: it says to web shops whether a card's holder confirmed a purchase.
//!
//! EMV 3-D Secure 2.1.0 and 2.2.0. What a card may do is judged by the switch's control alone, what
//! the holder answered stands in the journal; here are the messages, and the evidence.
//!
//! A shop asks (`AReq`) and is answered (`ARes`); its buyer's browser comes with a `CReq` and waits
//! while the holder is asked elsewhere; the result goes to the shop's side (`RReq`), and the
//! browser goes back with a `CRes`.

mod answer;
mod areq;
mod conversation;
mod elements;
mod endpoints;
mod error_message;
mod iso;
mod json;
mod pages;
mod payee;
pub mod purchase;
mod results;
pub mod uuid;

use std::collections::HashSet;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use cekr_issuer::confirmation::ConfirmationId;
use cekr_switch::sync::{Arc, Mutex};
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, Semaphore};

use crate::Portal;
pub use conversation::{concluded, sweep};
pub use iso::shown as shown_amount;

/// What the server keeps while it runs. Cheap to clone.
#[derive(Clone)]
pub struct Acs {
    /// Rung when a purchase has come to its end.
    ended: Arc<Notify>,
    /// Results that are being sent.
    sending: Arc<Mutex<HashSet<ConfirmationId>>>,
    /// Questions at once.
    questions: Arc<Semaphore>,
    /// Pages that wait at once.
    waiting: Arc<Semaphore>,
}

impl Default for Acs {
    fn default() -> Self {
        Self {
            ended: Arc::default(),
            sending: Arc::default(),
            questions: Arc::new(Semaphore::new(QUESTIONS_MAX)),
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
        }
    }
}

impl Acs {
    fn ring(&self) {
        self.ended.notify_waiters();
    }

    /// The next end of any purchase.
    fn end(&self) -> Notified<'_> {
        self.ended.notified()
    }

    /// The turn to send one result; `None` while another has it.
    fn turn(&self, id: ConfirmationId) -> Option<Turn> {
        let is_first = self.sending.lock().insert(id);
        is_first.then(|| Turn { acs: self.clone(), id })
    }
}

/// The turn to send a result; given back when it is dropped.
struct Turn {
    acs: Acs,
    id: ConfirmationId,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.acs.sending.lock().remove(&self.id);
    }
}

/// What shops call, below no prefix of the API: the paths are the protocol's own world.
pub fn open_routes() -> Router<Portal> {
    Router::new().route("/3ds/areq", post(endpoints::areq))
}

/// What browsers open.
pub fn routes() -> Router<Portal> {
    Router::new()
        .route("/3ds/creq", post(endpoints::creq))
        .route("/3ds/challenge/{id}", get(pages::show))
        .route("/3ds/challenge/{id}/cancel", post(pages::cancel))
        .route("/3ds/challenge/{id}/end", get(pages::end))
}

/// Takes up what the last run left, then looks at the clock until the switch stops.
pub(crate) async fn follow(portal: Portal) {
    match purchase::unfinished(&portal).await {
        Ok(left) => {
            for purchase in left {
                if let Err(failed) = conversation::settle(&portal, &purchase).await {
                    tracing::warn!(?failed, id = %purchase.id, "an online purchase waits on");
                }
            }
        }
        Err(failed) => tracing::error!(?failed, "online purchases of the last run are unread"),
    }
    let mut look = tokio::time::interval(LOOK);
    let mut looks = 0_u64;
    let mut stopped = Box::pin(portal.durable().stopped());
    loop {
        tokio::select! {
            () = &mut stopped => return,
            _ = look.tick() => {}
        }
        if let Err(failed) = sweep(&portal).await {
            tracing::warn!(?failed, "online purchases are looked at later");
        }
        if looks.is_multiple_of(FORGET_LOOKS) {
            let now_ms = portal.durable().now().unix_ms;
            if let Err(failed) = purchase::forget(portal.database(), now_ms).await {
                tracing::warn!(?failed, "old online purchases stay");
            }
        }
        looks = looks.wrapping_add(1);
    }
}

/// Where browsers come with a `CReq`, as [`routes`] has it.
const CREQ: &str = "/3ds/creq";
/// How often is looked for what is due.
const LOOK: Duration = Duration::from_millis(500);
/// Once in two hours.
const FORGET_LOOKS: u64 = 2 * 3_600 * 2;
const QUESTIONS_MAX: usize = 64;
const WAITING_MAX: usize = 256;
