//! Telling endpoints: one task that looks what is new and what is due, and calls side by side.
//!
//! The task itself waits for no endpoint. Each has a few calls of its own under way, and a number
//! of deliveries that may wait for it; when they are that many its place in the journal stands
//! still until some are settled. Nobody else notices.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::time::Duration;

use axum::http::{Request, StatusCode, header};
use cekr_issuer::Seq;
use serde_json::json;
use tokio::task::JoinSet;
use ureq::http::Response;

use super::backoff::Jitter;
use super::delivery::{self, Attempt, Delivery, DeliveryState, Event};
use super::endpoint::{self, Endpoint, EndpointState};
use super::{signature, whole};
use crate::Portal;
use crate::identity::secret;
use crate::outbound::{Bounds, Longer, SendError, Target};
use crate::page::failed::Failed;

/// Tells endpoints until the switch stops.
pub(crate) async fn follow(portal: Portal) {
    portal.webhooks().serving.notified().await;
    let mut stopped = pin!(portal.durable().stopped());
    let seed = secret::draw::<8>().map(u64::from_be_bytes).unwrap_or_default();
    let mut teller = Teller::new(portal.clone(), Jitter::seeded(seed));
    loop {
        let pause = match teller.pass().await {
            Ok(()) if teller.endpoints.is_empty() => PAUSE_IDLE,
            Ok(()) => PAUSE,
            Err(failed) => {
                tracing::error!(?failed, "webhooks wait for the website's database");
                PAUSE_AFTER_ERROR
            }
        };
        tokio::select! {
            () = &mut stopped => return,
            Some(ended) = teller.calls.join_next() => teller.ended(ended.ok()),
            () = portal.webhooks().changed.notified() => teller.look_anew = true,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

struct Teller {
    portal: Portal,
    jitter: Jitter,
    /// Those that are told, as they were when they were last looked at.
    endpoints: Vec<Endpoint>,
    /// Whether they have to be looked at again.
    look_anew: bool,
    /// What the database knows of how far each was told, where that is less.
    stored: HashMap<String, u64>,
    calls: JoinSet<(String, String)>,
    /// Endpoint and delivery of each call.
    under_way: HashSet<(String, String)>,
    pruned_at: u64,
}

impl Teller {
    fn new(portal: Portal, jitter: Jitter) -> Teller {
        Teller {
            portal,
            jitter,
            endpoints: Vec::new(),
            look_anew: true,
            stored: HashMap::new(),
            calls: JoinSet::new(),
            under_way: HashSet::new(),
            pruned_at: 0,
        }
    }

    fn ended(&mut self, ended: Option<(String, String)>) {
        match ended {
            Some(call) => {
                self.under_way.remove(&call);
            }
            // A call that panicked does not say which it was: look which are still there.
            None => self.under_way.clear(),
        }
    }

    /// Looks at each endpoint once.
    async fn pass(&mut self) -> Result<(), Failed> {
        if self.look_anew {
            let all = endpoint::all(&self.portal).await?;
            let told = |endpoint: &Endpoint| endpoint.state == EndpointState::Enabled;
            self.stored = all.iter().map(|known| (known.id.clone(), known.seq)).collect();
            self.endpoints = all.into_iter().filter(told).collect();
            self.look_anew = false;
        }
        self.prune().await?;
        for index in 0..self.endpoints.len() {
            let Some(mut endpoint) = self.endpoints.get(index).cloned() else { continue };
            self.gather(&mut endpoint).await?;
            self.call(&endpoint).await?;
            if let Some(known) = self.endpoints.get_mut(index) {
                known.seq = endpoint.seq;
            }
            // Pages come first.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Writes down what is new for an endpoint, as far as there is room.
    async fn gather(&mut self, endpoint: &mut Endpoint) -> Result<(), Failed> {
        let durable = self.portal.durable();
        let newest = durable.newest();
        let stored = self.stored.get(&endpoint.id).copied().unwrap_or_default();
        if endpoint.seq > newest.0 {
            tracing::warn!(endpoint = endpoint.id, "the journal is another one: told from now on");
            return self.store(endpoint, &[], newest.0).await;
        }
        if endpoint.seq == newest.0 {
            // Nothing came meanwhile: now there is time to write down how far was looked.
            let is_behind = stored < endpoint.seq;
            return if is_behind { self.store(endpoint, &[], newest.0).await } else { Ok(()) };
        }
        let waiting = delivery::waiting(&self.portal, &endpoint.id).await?;
        let room = WAITING_MAX.saturating_sub(usize::try_from(waiting).unwrap_or(WAITING_MAX));
        if room == 0 {
            return Ok(());
        }
        let mut through = Seq(endpoint.seq);
        let mut events = Vec::new();
        for _ in 0..SCANS_MAX {
            if through >= newest || !events.is_empty() {
                break;
            }
            let control = self.portal.durable().control();
            let wants = |kind: &str| endpoint.wants(kind);
            let (entries, seen) = control.entries_of(through, newest, room.min(SCANNED_MAX), wants);
            events.extend(entries.into_iter().map(|(seq, entry)| {
                let id = control.event_id(seq);
                let kind = entry.get("kind").and_then(serde_json::Value::as_str);
                let kind = kind.unwrap_or_default().to_owned();
                let body = json!({ "id": id, "type": kind, "data": entry }).to_string();
                Event { seq: seq.0, id, kind, body }
            }));
            through = seen;
        }
        if events.is_empty() && through.0 - stored < UNSTORED_MAX {
            endpoint.seq = through.0;
            return Ok(());
        }
        self.store(endpoint, &events, through.0).await
    }

    async fn store(
        &mut self,
        endpoint: &mut Endpoint,
        events: &[Event],
        through: u64,
    ) -> Result<(), Failed> {
        if delivery::add(&self.portal, endpoint, events, through).await? {
            self.stored.insert(endpoint.id.clone(), through);
            endpoint.seq = through;
        } else {
            self.look_anew = true;
        }
        Ok(())
    }

    /// Calls an endpoint for what is due, as far as it has calls left.
    async fn call(&mut self, endpoint: &Endpoint) -> Result<(), Failed> {
        let own = self.under_way.iter().filter(|(of, _)| *of == endpoint.id).count();
        let free = CALLS_MAX.saturating_sub(own);
        if free == 0 {
            return Ok(());
        }
        // Those under way are due too.
        let due = delivery::due(&self.portal, &endpoint.id, CALLS_MAX + own).await?;
        let keyed = due.into_iter().map(|due| ((endpoint.id.clone(), due.id.clone()), due));
        let fresh: Vec<_> =
            keyed.filter(|(key, _)| !self.under_way.contains(key)).take(free).collect();
        for (key, delivery) in fresh {
            self.under_way.insert(key.clone());
            let (portal, endpoint, jitter) = (self.portal.clone(), endpoint.clone(), self.jitter);
            self.calls.spawn(async move {
                if let Err(failed) = attempt(&portal, &endpoint, &delivery, jitter).await {
                    // It waits as before, and is sent again: at least once.
                    tracing::error!(?failed, delivery = delivery.id, "a delivery is not noted");
                    tokio::time::sleep(PAUSE_AFTER_ERROR).await;
                }
                key
            });
        }
        Ok(())
    }

    async fn prune(&mut self) -> Result<(), Failed> {
        let now = self.portal.durable().now().unix_ms;
        if now.saturating_sub(self.pruned_at) < PRUNE_MS {
            return Ok(());
        }
        self.pruned_at = now;
        for known in endpoint::all(&self.portal).await? {
            delivery::prune(&self.portal, &known.id).await?;
        }
        Ok(())
    }
}

/// One try, and what is made of it.
async fn attempt(
    portal: &Portal,
    endpoint: &Endpoint,
    delivery: &Delivery,
    jitter: Jitter,
) -> Result<(), Failed> {
    let began = portal.durable().now().unix_ms;
    let secret = portal.identity().secret();
    let signature = signature::header(secret, endpoint, &delivery.body, began);
    let request = Request::post(&endpoint.url)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, concat!("cekr/", env!("CARGO_PKG_VERSION")))
        .header(signature::HEADER, signature)
        .body(delivery.body.clone().into_bytes());
    let sent = match request {
        Ok(request) => portal.outbound().send(Target::Given, request, BOUNDS).await,
        Err(error) => Err(SendError::Http(error.into())),
    };
    let ended = portal.durable().now().unix_ms;
    let number = delivery.attempts.saturating_add(1);
    let latency_ms = whole(ended.saturating_sub(began));
    let (status, answer, fault) = match &sent {
        Ok(response) => (Some(response.status()), shown(response.body()), String::new()),
        Err(error) => (None, String::new(), shown(error.to_string().as_bytes())),
    };
    let told = Attempt {
        number,
        at: whole(began),
        status: status.map_or(0, |status| i64::from(status.as_u16())),
        latency_ms,
        answer,
        fault,
    };
    let attempts = u64::try_from(number).unwrap_or(1);
    let pause_ms = jitter.pause_ms(&delivery.id, attempts).max(asked_pause_ms(&sent));
    let next_at = whole(ended.saturating_add(pause_ms));
    let (state, is_gone) = match status {
        Some(status) if status.is_success() => (DeliveryState::Delivered, false),
        Some(StatusCode::GONE) => (DeliveryState::GivenUp, true),
        _ if next_at > delivery.give_up_at => (DeliveryState::GivenUp, false),
        _ => (DeliveryState::Waiting, false),
    };
    if state == DeliveryState::GivenUp {
        tracing::warn!(endpoint = endpoint.id, delivery = delivery.id, "a webhook is given up");
    }
    delivery::record(portal, &delivery.id, &told, state, next_at).await?;
    if is_gone {
        endpoint::set_state(portal, GONE_BY, &endpoint.id, EndpointState::Gone).await?;
    }
    Ok(())
}

/// What the endpoint asks for with `Retry-After`, up to an hour.
fn asked_pause_ms(sent: &Result<Response<Vec<u8>>, SendError>) -> u64 {
    let Ok(response) = sent else { return 0 };
    let seconds = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let seconds: u64 = seconds.and_then(|value| value.trim().parse().ok()).unwrap_or_default();
    seconds.min(ASKED_PAUSE_MAX_S) * 1_000
}

/// Octets as a page and a database can have them: no control signs, at most [`ANSWER_MAX`].
fn shown(octets: &[u8]) -> String {
    let text = String::from_utf8_lossy(octets);
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(ANSWER_MAX).collect()
}

/// Who switched an endpoint off, in the audit.
const GONE_BY: &str = "endpoint's own answer 410";
const BOUNDS: Bounds = Bounds {
    time_max: Duration::from_secs(10),
    body_octets_max: ANSWER_MAX as u64,
    longer: Longer::Cut,
};
/// Octets of an answer that are kept.
const ANSWER_MAX: usize = 512;
/// Calls of one endpoint side by side.
const CALLS_MAX: usize = 4;
/// Deliveries that wait for one endpoint, before its place in the journal stands still.
const WAITING_MAX: usize = 1_000;
/// Entries that are looked at in one go.
const SCANNED_MAX: usize = 256;
/// Goes in one pass while nothing is wanted of what is seen.
const SCANS_MAX: usize = 16;
/// Entries, at most, that are looked at anew after a start: nothing in them was wanted.
const UNSTORED_MAX: u64 = 65_536;
/// How often new entries and due deliveries are looked for.
const PAUSE: Duration = Duration::from_millis(100);
/// The same where there is no endpoint: making one rings.
const PAUSE_IDLE: Duration = Duration::from_secs(60);
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(5);
const PRUNE_MS: u64 = 60 * 60 * 1_000;
const ASKED_PAUSE_MAX_S: u64 = 60 * 60;
