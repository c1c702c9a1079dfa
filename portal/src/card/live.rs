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
use serde_json::Value;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::Portal;
use crate::identity::sessions::lives;
use crate::identity::{HolderId, SignedIn, Watching, held_card};
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

/// What a stream tells of a new entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Tells {
    /// That the card has changed: a page asks for itself anew.
    Change,
    /// The entries themselves.
    Entries,
}

/// `GET /cards/{id}/live`
///
/// # Errors
/// [`Failed`].
pub async fn of_page(
    State(portal): State<Portal>,
    who: Result<Watching, Response>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    // A stream cannot lead a page elsewhere that comes back after its session's end: it tells it.
    let Ok(Watching(who)) = who else {
        let (events, received) = channel(EVENTS_AHEAD);
        let _ = events.try_send(signed_out());
        return Ok(Sse::new(Received(received)).into_response());
    };
    let card = held_card(&portal, &who, &token).await?;
    open(&portal, &who, card, &headers, Tells::Change)
}

/// Opens a stream about `card` for `who`.
///
/// # Errors
/// [`Failed::TooMany`].
pub(crate) fn open(
    portal: &Portal,
    who: &SignedIn,
    card: CardId,
    headers: &HeaderMap,
    tells: Tells,
) -> Result<Response, Failed> {
    let place = portal.streams().take(&who.holder);
    let place = place.ok_or(Failed::TooMany { retry_after_s: RETRY_S })?;
    let (_, newest) = portal.durable().control().card(card)?;
    // A number of another run in memory may be above all: then nothing was missed that is known.
    let after = last_event(headers).unwrap_or(newest).min(newest);
    let (events, received) = channel(EVENTS_AHEAD);
    let session = who.session().to_owned();
    let watched = Watched { portal: portal.clone(), card, session, after, tells };
    tokio::spawn(async move {
        watched.tell(&events).await;
        drop(place);
    });
    let keep_alive = KeepAlive::new().interval(HEARTBEAT);
    Ok(Sse::new(Received(received)).keep_alive(keep_alive).into_response())
}

/// What the reader saw last, if they say so.
pub(crate) fn last_event(headers: &HeaderMap) -> Option<Seq> {
    let last = headers.get(LAST_EVENT_ID)?.to_str().ok()?;
    last.parse().ok().map(Seq)
}

/// The card's entries behind `after`, oldest first; `None` where they are more than a stream tells.
pub(crate) fn entries_behind(portal: &Portal, card: CardId, after: Seq) -> Option<Vec<Value>> {
    let control = portal.durable().control();
    let (page, _) = control.transactions(card, None, ENTRIES_BEHIND_MAX).ok()?;
    let is_behind = |item: &Value| item.get("seq").and_then(Value::as_u64) > Some(after.0);
    let is_whole = page.items.iter().any(|item| !is_behind(item))
        || (page.items.len() < ENTRIES_BEHIND_MAX && !page.has_more);
    let mut behind: Vec<Value> = page.items.into_iter().filter(is_behind).collect();
    behind.reverse();
    is_whole.then_some(behind)
}

/// A card, watched for as long as a session lives.
struct Watched {
    portal: Portal,
    card: CardId,
    session: String,
    after: Seq,
    tells: Tells,
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
                    let _ = events.send(signed_out()).await;
                    return;
                }
            }
            let Some(newest) = self.newest().await else { return };
            if newest > self.after {
                let Some(told) = self.events(newest) else { return };
                for event in told {
                    // A reader who takes nothing for so long has gone without saying so.
                    if !matches!(timeout(SEND_MAX, events.send(event)).await, Ok(Ok(()))) {
                        return;
                    }
                }
                self.after = newest;
            }
        }
    }

    /// What is told of the entries behind the last one up to `newest`, which are durable.
    fn events(&self, newest: Seq) -> Option<Vec<Event>> {
        if self.tells == Tells::Change {
            let seq = newest.0.to_string();
            return Some(vec![Event::default().event(CARD_CHANGED).id(&seq).data(&seq)]);
        }
        let behind = entries_behind(&self.portal, self.card, self.after)?;
        let durable = behind
            .into_iter()
            .filter(|item| item.get("seq").and_then(Value::as_u64) <= Some(newest.0));
        let event = |item: Value| {
            let kind = item.get("kind").and_then(Value::as_str).unwrap_or_default();
            let id = item.get("seq").map(Value::to_string).unwrap_or_default();
            Event::default().event(kind).id(id).data(item.to_string())
        };
        Some(durable.map(event).collect())
    }

    /// The card's newest entry, durable.
    async fn newest(&self) -> Option<Seq> {
        let (_, seq) = self.portal.durable().control().card(self.card).ok()?;
        self.portal.durable().wait(seq).await.ok()?;
        Some(seq)
    }
}

pub(crate) fn signed_out() -> Event {
    Event::default().event(SIGNED_OUT).data(SIGNED_OUT)
}

/// The receiving end as a stream.
pub(crate) struct Received(pub(crate) Receiver<Event>);

impl Stream for Received {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|event| event.map(Ok))
    }
}

/// Browsers open six connections to a host; a page must still be able to ask beside its streams.
const STREAMS_PER_HOLDER: usize = 4;
const STREAMS_MAX: usize = 4_096;
pub(crate) const EVENTS_AHEAD: usize = 4;
/// How many entries a reader may have missed and still be told them.
const ENTRIES_BEHIND_MAX: usize = 256;
const LAST_EVENT_ID: &str = "last-event-id";
pub(crate) const RETRY_S: u64 = 60;
/// How often a stream looks at its card: an entry is seen well within a second.
const LOOK: Duration = Duration::from_millis(150);
/// How often it looks whether the session is over.
pub(crate) const SESSION_LOOK: Duration = Duration::from_secs(5);
pub(crate) const SEND_MAX: Duration = Duration::from_secs(30);
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(15);
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
