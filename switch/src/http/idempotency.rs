//! `Idempotency-Key`: the first answer to a key is kept for 24 hours and given again.
//!
//! A key belongs to one request: method, path and body. With another request it is refused, and
//! while the first is still at work a second is told so. What failed for want of room (5xx) is
//! not kept, so that it can be tried again. The store is bounded: beyond its bound the oldest
//! answer is forgotten. Source: Stripe API reference, "Idempotent requests".

use std::collections::{HashMap, VecDeque};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use sha2::{Digest as _, Sha256};

use super::Api;
use super::error::ApiError;
use crate::sync::Mutex;

/// The answers that are kept.
pub(crate) struct Idempotency {
    inside: Mutex<Inside>,
    answers_max: usize,
}

#[derive(Default)]
struct Inside {
    answers: HashMap<String, Slot>,
    /// Keys by age, the oldest first.
    order: VecDeque<(u64, String)>,
}

struct Slot {
    fingerprint: [u8; 32],
    /// None while the first request is at work.
    answer: Option<Kept>,
}

/// An answer that is given again.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Kept {
    status: StatusCode,
    body: Bytes,
}

/// What is known of a key.
#[derive(Debug, Eq, PartialEq)]
enum Seen {
    /// Answered: the same answer.
    Answered(Kept),
    /// The first request with it is at work.
    AtWork,
    /// Never seen; it is now at work.
    New,
    /// It belongs to another request.
    Other,
}

impl Idempotency {
    pub(crate) fn new(answers_max: u32) -> Idempotency {
        let answers_max = usize::try_from(answers_max).unwrap_or(usize::MAX);
        Idempotency { inside: Mutex::default(), answers_max }
    }

    fn begin(&self, key: &str, fingerprint: [u8; 32], now_ms: u64) -> Seen {
        let mut inside = self.inside.lock();
        inside.forget(now_ms, self.answers_max);
        match inside.answers.get(key) {
            Some(slot) if slot.fingerprint != fingerprint => Seen::Other,
            Some(Slot { answer: Some(kept), .. }) => Seen::Answered(kept.clone()),
            Some(Slot { answer: None, .. }) => Seen::AtWork,
            None => {
                inside.answers.insert(key.to_owned(), Slot { fingerprint, answer: None });
                inside.order.push_back((now_ms, key.to_owned()));
                Seen::New
            }
        }
    }

    fn finish(&self, key: &str, answer: Option<Kept>) {
        let mut inside = self.inside.lock();
        match answer {
            Some(kept) => {
                if let Some(slot) = inside.answers.get_mut(key) {
                    slot.answer = Some(kept);
                }
            }
            None => {
                inside.answers.remove(key);
                inside.order.retain(|(_, kept)| kept != key);
            }
        }
    }
}

impl Inside {
    /// Drops what is too old, and the oldest when there is no room for one more.
    fn forget(&mut self, now_ms: u64, answers_max: usize) {
        while let Some((at, _)) = self.order.front() {
            if now_ms.saturating_sub(*at) < KEPT_MS && self.order.len() < answers_max {
                return;
            }
            if let Some((_, key)) = self.order.pop_front() {
                self.answers.remove(&key);
            }
        }
    }
}

/// Around every change: answers from the store what it has answered before.
pub(crate) async fn layer(State(api): State<Api>, request: Request, next: Next) -> Response {
    let changes = [Method::POST, Method::PATCH].contains(request.method());
    let Some(key) = request.headers().get(IDEMPOTENCY_KEY).filter(|_| changes) else {
        return next.run(request).await;
    };
    let key = match key.to_str() {
        Ok(key) if (1..=KEY_CHARS_MAX).contains(&key.len()) => key.to_owned(),
        Ok(_) | Err(_) => {
            let message = "Idempotency-Key has 1 to 255 ASCII characters";
            return ApiError::invalid("bad_idempotency_key", message).into_response();
        }
    };
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, api.body_octets_max()).await else {
        let message = format!("a body has at most {} octets", api.body_octets_max());
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        return ApiError::with_status(status, "body_too_large", message).into_response();
    };
    let mut hash = Sha256::new();
    for part in [parts.method.as_str(), &parts.uri.to_string()] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.update(&body);
    match api.idempotency().begin(&key, hash.finalize().into(), api.clock().now().unix_ms) {
        Seen::Answered(kept) => answer(kept, true),
        Seen::AtWork => ApiError::idempotency(
            StatusCode::CONFLICT,
            "idempotency_key_in_use",
            "a request with this Idempotency-Key is at work: wait for it, then try again",
        )
        .into_response(),
        Seen::Other => ApiError::idempotency(
            StatusCode::BAD_REQUEST,
            "idempotency_key_reused",
            "this Idempotency-Key belongs to another request: draw a new one",
        )
        .into_response(),
        Seen::New => {
            // In a task of its own: a caller who hangs up must not leave a change half told.
            let request = Request::from_parts(parts, Body::from(body));
            let work = tokio::spawn(async move {
                let response = next.run(request).await;
                let status = response.status();
                let kept = to_bytes(response.into_body(), usize::MAX)
                    .await
                    .ok()
                    .map(|body| Kept { status, body });
                let keep = kept.clone().filter(|kept| !kept.status.is_server_error());
                api.idempotency().finish(&key, keep);
                kept
            });
            match work.await {
                Ok(Some(kept)) => answer(kept, false),
                Ok(None) | Err(_) => ApiError::try_later("the answer was lost").into_response(),
            }
        }
    }
}

fn answer(kept: Kept, again: bool) -> Response {
    let mut response = (kept.status, kept.body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if again {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const KEY_CHARS_MAX: usize = 255;
const KEPT_MS: u64 = 24 * 60 * 60 * 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(body: &'static str) -> Kept {
        Kept { status: StatusCode::OK, body: Bytes::from_static(body.as_bytes()) }
    }

    #[test]
    fn the_first_answer_is_given_again() {
        let store = Idempotency::new(10);
        assert_eq!(store.begin("k", [1; 32], 0), Seen::New);
        assert_eq!(store.begin("k", [1; 32], 1), Seen::AtWork);
        store.finish("k", Some(kept("first")));
        assert_eq!(store.begin("k", [1; 32], 2), Seen::Answered(kept("first")));
    }

    #[test]
    fn a_key_belongs_to_one_request() {
        let store = Idempotency::new(10);
        store.begin("k", [1; 32], 0);
        assert_eq!(store.begin("k", [2; 32], 0), Seen::Other);
    }

    #[test]
    fn what_failed_for_want_of_room_can_be_tried_again() {
        let store = Idempotency::new(10);
        store.begin("k", [1; 32], 0);
        store.finish("k", None);
        assert_eq!(store.begin("k", [1; 32], 0), Seen::New);
    }

    #[test]
    fn answers_are_forgotten_after_a_day_or_when_the_store_is_full() {
        let store = Idempotency::new(2);
        for key in ["a", "b", "c"] {
            assert_eq!(store.begin(key, [0; 32], 0), Seen::New);
            store.finish(key, Some(kept("x")));
        }
        assert_eq!(store.begin("c", [0; 32], KEPT_MS - 1), Seen::Answered(kept("x")));
        assert_eq!(store.begin("a", [0; 32], 1), Seen::New);
        store.finish("a", Some(kept("y")));
        assert_eq!(store.begin("a", [0; 32], KEPT_MS + 1), Seen::New);
    }
}
