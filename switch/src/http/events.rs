//! `GET /v1/events`: what happens, as it becomes durable, as server-sent events.
//!
//! Each event's `id` is a cursor: a caller that comes back with `Last-Event-ID` goes on behind it,
//! as long as that entry is among the recent ones; else it is told so and reads the history.
//! Without a cursor the stream begins now. Source: WHATWG HTML, "Server-sent events".

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use cekr_issuer::Seq;
use futures_core::Stream;

use super::Api;
use super::error::ApiError;
use crate::entry_view;

/// `GET /v1/events`
pub(super) async fn stream(
    State(api): State<Api>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let durable = api.journal().durable();
    let after = match headers.get(LAST_EVENT_ID) {
        None => durable,
        Some(cursor) => {
            let seq = cursor.to_str().ok().and_then(|cursor| seq_of(cursor, api.journal().epoch()));
            // A cursor of another run of a switch in memory names nothing here.
            let seq = seq.filter(|seq| *seq <= durable).ok_or_else(|| {
                ApiError::invalid("invalid_cursor", "Last-Event-ID is no cursor of this switch")
            })?;
            if seq < durable && api.journal().entry(seq.next()).is_none() {
                let message = "events behind this cursor are no longer kept: read the history";
                return Err(ApiError::with_status(StatusCode::GONE, "cursor_too_old", message));
            }
            seq
        }
    };
    let stopped = Box::pin(api.durably().stopped());
    let events = Events { api, after, ready: VecDeque::new(), pause: None, stopped };
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)))
}

/// The entries behind a cursor, as events.
struct Events {
    api: Api,
    after: Seq,
    ready: VecDeque<Event>,
    pause: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    stopped: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Stream for Events {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if self.stopped.as_mut().poll(context).is_ready() {
                return Poll::Ready(None);
            }
            if let Some(event) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(event)));
            }
            match self.fetch() {
                Fetched::Some => continue,
                // The caller was too slow: it comes back with its cursor and is told.
                Fetched::Lost => return Poll::Ready(None),
                Fetched::None => {}
            }
            let moment = self.api.durably().moment();
            let pause = self.pause.get_or_insert_with(|| Box::pin(moment));
            ready!(pause.as_mut().poll(context));
            self.pause = None;
        }
    }
}

enum Fetched {
    Lost,
    None,
    Some,
}

impl Events {
    /// Turns the next durable entries into events.
    fn fetch(&mut self) -> Fetched {
        let durable = self.api.journal().durable();
        let shard = self.api.control().shard().clone();
        while self.after < durable && self.ready.len() < EVENTS_AHEAD {
            let seq = self.after.next();
            let Some(entry) = shard.entry(seq) else { return Fetched::Lost };
            let data = entry_view::json(&shard, seq, &entry);
            let id = cursor(seq, self.api.journal().epoch());
            self.ready
                .push_back(Event::default().event(entry.kind()).id(id).data(data.to_string()));
            self.after = seq;
        }
        if self.ready.is_empty() { Fetched::None } else { Fetched::Some }
    }
}

/// The cursor of an entry: epoch and number, which together name it for good.
pub(crate) fn cursor(seq: Seq, epoch: u32) -> String {
    format!("ev_{epoch:08x}{:016x}", seq.0)
}

fn seq_of(cursor: &str, epoch: u32) -> Option<Seq> {
    let digits = cursor.strip_prefix("ev_").filter(|digits| digits.len() == 24)?;
    let (its_epoch, seq) = digits.split_at_checked(8)?;
    // An entry of an older epoch keeps its number: a cut takes only what nobody was told.
    let known = u32::from_str_radix(its_epoch, 16).ok()? <= epoch;
    u64::from_str_radix(seq, 16).ok().filter(|_| known).map(Seq)
}

const LAST_EVENT_ID: &str = "last-event-id";
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Events made ahead of what the caller has taken.
const EVENTS_AHEAD: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_its_entry() {
        assert_eq!(seq_of(&cursor(Seq(77), 3), 3), Some(Seq(77)));
        assert_eq!(seq_of(&cursor(Seq(77), 3), 4), Some(Seq(77)), "of an older epoch");
        assert_eq!(seq_of(&cursor(Seq(77), 5), 4), None, "of an epoch to come");
        for wrong in ["", "ev_", "77", "ev_0000000100000000000000xx", "ev_0000000z0000000000000001"]
        {
            assert_eq!(seq_of(wrong, 9), None, "{wrong}");
        }
    }
}
