//! Who waits for news of their purchases: rung when one comes, is answered or ends.
//!
//! Nothing is looked for by the clock: whoever changes a purchase rings its holder's bell, and the
//! pages that listen ask for themselves anew. A stream tells once when it opens, so that what
//! happened between page and stream is not missed.

use std::collections::HashMap;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use cekr_switch::sync::Mutex;
use tokio::sync::mpsc::{Sender, channel};
use tokio::sync::watch;
use tokio::time::{interval, timeout};

use crate::Portal;
use crate::card::live::{
    EVENTS_AHEAD, HEARTBEAT, RETRY_S, Received, SEND_MAX, SESSION_LOOK, signed_out,
};
use crate::identity::sessions::lives;
use crate::identity::{HolderId, Watching};
use crate::page::failed::Failed;

/// The bells of those who listen. There are at most as many as there are open streams.
#[derive(Default)]
pub struct Bells {
    by_holder: Mutex<HashMap<HolderId, watch::Sender<()>>>,
}

impl Bells {
    /// Hears of everything from now on.
    #[must_use]
    pub fn listen(&self, holder: &HolderId) -> watch::Receiver<()> {
        let mut bells = self.by_holder.lock();
        // Whoever has gone leaves the bell behind; the next who comes takes them all away.
        bells.retain(|_, bell| bell.receiver_count() > 0);
        bells.entry(holder.clone()).or_insert_with(|| watch::Sender::new(())).subscribe()
    }

    /// Something about this holder's purchases has changed.
    pub fn ring(&self, holder: &HolderId) {
        if let Some(bell) = self.by_holder.lock().get(holder) {
            bell.send_replace(());
        }
    }
}

/// `GET /confirmations/live` and `GET /v1/holder/confirmations/events`
///
/// # Errors
/// [`Failed::TooMany`].
pub async fn stream(
    State(portal): State<Portal>,
    who: Result<Watching, Response>,
) -> Result<Response, Failed> {
    let (events, received) = channel(EVENTS_AHEAD);
    // A stream cannot lead a page elsewhere that comes back after its session's end: it tells it.
    let Ok(Watching(who)) = who else {
        let _ = events.try_send(signed_out());
        return Ok(Sse::new(Received(received)).into_response());
    };
    let place = portal.streams().take(&who.holder);
    let place = place.ok_or(Failed::TooMany { retry_after_s: RETRY_S })?;
    let bell = portal.confirm().bells().listen(&who.holder);
    let session = who.session().to_owned();
    tokio::spawn(async move {
        tell(&portal, &session, bell, &events).await;
        drop(place);
    });
    let keep_alive = KeepAlive::new().interval(HEARTBEAT);
    Ok(Sse::new(Received(received)).keep_alive(keep_alive).into_response())
}

/// Tells until the reader goes, the session ends or the switch stops.
async fn tell(
    portal: &Portal,
    session: &str,
    mut bell: watch::Receiver<()>,
    events: &Sender<Event>,
) {
    let mut stopped = Box::pin(portal.durable().stopped());
    let mut look = interval(SESSION_LOOK);
    let changed = || Event::default().event(CHANGED).data(CHANGED);
    bell.mark_changed();
    loop {
        let event = tokio::select! {
            () = &mut stopped => return,
            () = events.closed() => return,
            rung = bell.changed() => match rung {
                Ok(()) => changed(),
                Err(_) => return,
            },
            _ = look.tick() => {
                if matches!(lives(portal, session).await, Ok(true)) {
                    continue;
                }
                let _ = events.send(signed_out()).await;
                return;
            }
        };
        // A reader who takes nothing for so long has gone without saying so.
        if !matches!(timeout(SEND_MAX, events.send(event)).await, Ok(Ok(()))) {
            return;
        }
    }
}

/// What pages listen to; the templates name it.
const CHANGED: &str = "confirmations-changed";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bell_is_heard_by_its_holder_alone_and_goes_with_the_last_listener() {
        let (one, two) = (HolderId::of("one".to_owned()), HolderId::of("two".to_owned()));
        let bells = Bells::default();
        let (mut ones, mut twos) = (bells.listen(&one), bells.listen(&two));
        bells.ring(&one);
        assert!(ones.has_changed().is_ok_and(|changed| changed));
        ones.mark_unchanged();
        assert!(twos.has_changed().is_ok_and(|changed| !changed));
        twos.mark_unchanged();
        drop(ones);
        bells.ring(&one);
        let _again = bells.listen(&two);
        assert_eq!(bells.by_holder.lock().len(), 1);
    }
}
