//! A card's page while it is open: a stream that tells of each durable entry of that card.
//!
//! A stream looks at its card a few times a second instead of reading every entry of the switch, so
//! that open pages cost the same whether one card is used in a second or fifty thousand. What it
//! tells is the newest entry's number; the page then asks for itself anew, and there is one way in
//! which a card is drawn. A reader who comes back says what they saw last (`Last-Event-ID`).

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use cekr_issuer::{CardId, Seq};
use cekr_switch::sync::{Arc, Mutex};
use futures_core::Stream;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::Portal;
use crate::identity::sessions::lives;
use crate::identity::{HolderId, Watching, held_card};
use crate::page::failed::Failed;

/// How many streams are open, for each holder. Cheap to clone.
#[derive(Clone, Default)]
pub struct Streams {
    open: Arc<Mutex<HashMap<HolderId, usize>>>,
}

/// A place among the open streams; given back when it is dropped.
pub struct Place {
    streams: Streams,
    holder: HolderId,
}

impl Streams {
    /// A place for one more stream of `holder`; `None` where they, or all together, have too many.
    #[must_use]
    pub fn take(&self, holder: &HolderId) -> Option<Place> {
        let mut open = self.open.lock();
        let theirs = open.get(holder).copied().unwrap_or_default();
        if theirs >= STREAMS_PER_HOLDER || open.values().sum::<usize>() >= STREAMS_MAX {
            return None;
        }
        open.insert(holder.clone(), theirs + 1);
        Some(Place { streams: self.clone(), holder: holder.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.open.lock();
        if let Some(theirs) = open.get_mut(&self.holder) {
            *theirs -= 1;
            if *theirs == 0 {
                open.remove(&self.holder);
            }
        }
    }
}

/// `GET /cards/{id}/live`
///
/// # Errors
/// [`Failed`].
pub async fn of_page(
    State(portal): State<Portal>,
    Watching(who): Watching,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let card = held_card(&portal, &who, &token).await?;
    let place = portal.streams().take(&who.holder);
    let place = place.ok_or(Failed::TooMany { retry_after_s: RETRY_S })?;
    let (_, newest) = portal.durable().control().card(card)?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let last = last.and_then(|value| value.parse().ok()).map(Seq);
    // A number of another run in memory may be above all: then nothing was missed that is known.
    let after = last.unwrap_or(newest).min(newest);
    let (events, received) = channel(EVENTS_AHEAD);
    let session = who.session().to_owned();
    let watched = Watched { portal, card, session, after };
    tokio::spawn(async move {
        watched.tell(&events).await;
        drop(place);
    });
    let keep_alive = KeepAlive::new().interval(HEARTBEAT);
    Ok(Sse::new(Received(received)).keep_alive(keep_alive).into_response())
}

/// A card, watched for as long as a session lives.
struct Watched {
    portal: Portal,
    card: CardId,
    session: String,
    after: Seq,
}

impl Watched {
    /// Tells until the reader goes, the session ends or the switch stops.
    async fn tell(mut self, events: &Sender<Event>) {
        let mut stopped = Box::pin(self.portal.durable().stopped());
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut session_looked_at = Instant::now();
        loop {
            tokio::select! {
                () = &mut stopped => return,
                () = events.closed() => return,
                _ = look.tick() => {}
            }
            if session_looked_at.elapsed() >= SESSION_LOOK {
                session_looked_at = Instant::now();
                if !matches!(lives(&self.portal, &self.session).await, Ok(true)) {
                    let over = Event::default().event(SIGNED_OUT).data(SIGNED_OUT);
                    let _ = events.send(over).await;
                    return;
                }
            }
            let Some(newest) = self.newest().await else { return };
            if newest > self.after {
                let event = Event::default().event(CARD_CHANGED).id(newest.0.to_string());
                // A reader who takes nothing for so long has gone without saying so.
                let sent = timeout(SEND_MAX, events.send(event.data(newest.0.to_string())));
                if !matches!(sent.await, Ok(Ok(()))) {
                    return;
                }
                self.after = newest;
            }
        }
    }

    /// The card's newest entry, durable.
    async fn newest(&self) -> Option<Seq> {
        let (_, seq) = self.portal.durable().control().card(self.card).ok()?;
        self.portal.durable().wait(seq).await.ok()?;
        Some(seq)
    }
}

/// The receiving end as a stream.
struct Received(Receiver<Event>);

impl Stream for Received {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|event| event.map(Ok))
    }
}

/// Browsers open six connections to a host; a page must still be able to ask beside its streams.
const STREAMS_PER_HOLDER: usize = 4;
const STREAMS_MAX: usize = 4_096;
const EVENTS_AHEAD: usize = 4;
const RETRY_S: u64 = 60;
/// How often a stream looks at its card: an entry is seen well within a second.
const LOOK: Duration = Duration::from_millis(150);
/// How often it looks whether the session is over.
const SESSION_LOOK: Duration = Duration::from_secs(5);
const SEND_MAX: Duration = Duration::from_secs(30);
const HEARTBEAT: Duration = Duration::from_secs(15);
/// What the page listens to; `cekr.js` and the templates name them.
const CARD_CHANGED: &str = "card-changed";
const SIGNED_OUT: &str = "signed-out";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    #[test]
    fn a_holder_has_so_many_streams_and_gets_a_place_back() {
        let streams = Streams::default();
        let holder = HolderId::of("one".to_owned());
        let mut places: Vec<Place> =
            (0..STREAMS_PER_HOLDER).map(|_| streams.take(&holder).unwrap()).collect();
        assert!(streams.take(&holder).is_none());
        assert!(streams.take(&HolderId::of("two".to_owned())).is_some());
        places.pop();
        assert!(streams.take(&holder).is_some());
        drop(places);
        assert!(streams.open.lock().is_empty());
    }
}
