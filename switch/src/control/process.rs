//! What is told of the process itself: its settings, its listeners, what it counts, its journal.
//!
//! Nothing of it is state of cards. Settings are told as they were at the start, secrets masked;
//! none can be changed while the process runs.

use cekr_iso8583::ParseErrorKind;
use cekr_issuer::Reason;
use cekr_issuer::entry::Place;
use cekr_issuer::reconciliation::Totals;

use super::Control;
use crate::config::{Config, to_json_lines};
use crate::metrics::Metrics;
use crate::metrics::buckets::Buckets;
use crate::sync::Arc;

/// The process, for those who show it. Cheap to clone.
#[derive(Clone)]
pub struct Process {
    metrics: Metrics,
    listeners: Arc<[ListenerView]>,
    settings: Arc<str>,
}

/// Where terminals connect.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ListenerView {
    /// The address of the settings.
    pub address: String,
    /// The dialect.
    pub spec: String,
    /// How messages are told apart.
    pub framing: &'static str,
    /// Whether answers leave in the order of the requests.
    pub ordered: bool,
}

/// What was counted, at a moment.
#[derive(Clone, Debug, Default)]
pub struct TrafficView {
    /// Answers by DE 39, those that were given.
    pub answers: Vec<(String, u64)>,
    /// Answers that were given before.
    pub repeats: u64,
    /// Messages without an answer.
    pub unanswered: u64,
    /// Messages that could not be read to their end.
    pub faults: u64,
    /// Connections of terminals that are open.
    pub connections: u64,
    /// Connections that were refused.
    pub connections_refused: u64,
    /// Answers that wait for the journal.
    pub in_flight: u64,
    /// From the end of a read to its answers.
    pub switch_time: Buckets,
    /// From an answer's decision to the commit that let it go.
    pub commit_wait: Buckets,
    /// The newest entry.
    pub appended: u64,
    /// The newest durable entry.
    pub durable: u64,
    /// Cards.
    pub cards: u32,
}

impl Process {
    pub(crate) fn new(metrics: Metrics, config: &Config) -> Process {
        let listener = |listener: &crate::config::ListenerConfig| ListenerView {
            address: listener.addr.to_string(),
            spec: String::from(listener.spec.clone()),
            framing: listener.framing.as_str(),
            ordered: listener.ordered,
        };
        Process {
            metrics,
            listeners: config.listener.iter().map(listener).collect(),
            settings: to_json_lines(config).into(),
        }
    }

    pub(crate) const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Where terminals connect, in the order of the settings.
    #[must_use]
    pub fn listeners(&self) -> &[ListenerView] {
        &self.listeners
    }

    /// Every setting as `cekr config --json` tells it, one JSON object a line, secrets masked.
    #[must_use]
    pub fn settings(&self) -> &str {
        &self.settings
    }

    /// What was counted until now.
    #[must_use]
    pub fn traffic(&self, control: &Control) -> TrafficView {
        let metrics = &self.metrics;
        let journal = control.shard().journal();
        let edge = metrics.edge();
        // Read before the newest: a lag is never below none.
        let durable = journal.durable().0;
        TrafficView {
            answers: answers(metrics),
            repeats: metrics.sum(|lane| &lane.decisions.repeats),
            unanswered: metrics.sum(|lane| &lane.decisions.unanswered),
            faults: faults(metrics),
            connections: metrics.sum(|lane| &lane.connections),
            connections_refused: edge.connections_refused.read(),
            in_flight: metrics.sum(|lane| &lane.in_flight),
            switch_time: Buckets::of(metrics.lanes().map(|lane| &lane.switch_time)),
            commit_wait: Buckets::of(metrics.lanes().map(|lane| &lane.commit_wait)),
            appended: journal.appended().0,
            durable,
            cards: control.shard().cards().len(),
        }
    }
}

impl Control {
    /// Acquirers with what they and we counted since their last cutover, by their number; at most
    /// as many as totals are kept for.
    #[must_use]
    pub fn acquirers(&self) -> Vec<(u64, Totals)> {
        let mut all = self.shard.all_totals();
        all.sort_unstable_by_key(|(acquirer, _)| *acquirer);
        all
    }
}

fn answers(metrics: &Metrics) -> Vec<(String, u64)> {
    let places = [None, Some(Place::Cashpoint), Some(Place::Online), Some(Place::Shop)];
    let mut codes: Vec<(String, u64)> = Vec::new();
    for reason in Reason::ALL {
        let of_place = |place: Option<Place>| -> u64 {
            metrics.lanes().map(|lane| lane.decisions.answers(*reason, place)).sum()
        };
        let count: u64 = places.into_iter().map(of_place).sum();
        if count == 0 {
            continue;
        }
        let code = String::from_utf8_lossy(&reason.response_code()).into_owned();
        match codes.iter_mut().find(|(known, _)| *known == code) {
            Some((_, sum)) => *sum += count,
            None => codes.push((code, count)),
        }
    }
    codes.sort_unstable();
    codes
}

fn faults(metrics: &Metrics) -> u64 {
    let kinds = [
        ParseErrorKind::BadBitmap,
        ParseErrorKind::BadLength,
        ParseErrorKind::NotDigits,
        ParseErrorKind::NotHex,
        ParseErrorKind::OverMax,
        ParseErrorKind::Trailing,
        ParseErrorKind::Truncated,
        ParseErrorKind::UnknownField,
    ];
    let of = |kind| -> u64 { metrics.lanes().map(|lane| lane.decisions.faults(kind)).sum() };
    kinds.into_iter().map(of).sum()
}
