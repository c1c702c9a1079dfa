//! Counters and latency histograms: what `/metrics` tells, and the text it tells it in.
//!
//! Each runtime writes its own set, so a count is a load and a store and never a contended
//! read-modify-write; a scrape adds the sets up. The text format (Prometheus, version 0.0.4) is
//! written here: it is a line for a number, and a library would want to own the numbers too.
//!
//! ```
//! use cekr_switch::metrics::Histogram;
//!
//! let histogram = Histogram::default();
//! histogram.record(1_000, 3); // three answers of one microsecond
//! assert_eq!(histogram.count(), 3);
//! assert!(histogram.percentile_ns(50) >= 1_000);
//! assert!(histogram.percentile_ns(50) <= 1_125); // a bucket is an eighth of its octave
//! ```

pub mod buckets;
pub mod text;

use cekr_iso8583::ParseErrorKind;
use cekr_issuer::Reason;
use cekr_issuer::entry::Place;

use crate::engine::{FAULTS, PLACES, REASONS, Tally};
use crate::session::CloseReason;
use crate::sync::{Arc, AtomicU64, Ordering};

/// A count that one thread writes and any thread reads.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds to a counter that only the calling thread writes.
    pub fn add(&self, count: u64) {
        self.0.store(self.read().wrapping_add(count), Ordering::Relaxed);
    }

    /// Adds to a counter that several threads write.
    pub fn add_shared(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// Sets a gauge that only the calling thread writes.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The count as it is now.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Durations in buckets of an eighth of an octave, from 1 ns to about 36 minutes. One writer.
pub struct Histogram {
    buckets: [Counter; BUCKETS],
    sum_ns: Counter,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram {
            buckets: [const { Counter(AtomicU64::new(0)) }; BUCKETS],
            sum_ns: Counter::default(),
        }
    }
}

impl Histogram {
    /// Records `count` events that took `ns` nanoseconds each.
    pub fn record(&self, ns: u64, count: u64) {
        if let Some(bucket) = self.buckets.get(bucket_of(ns)) {
            bucket.add(count);
        }
        self.sum_ns.add(ns.saturating_mul(count));
    }

    /// How many events were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(Counter::read).sum()
    }

    /// The sum of all durations in nanoseconds.
    #[must_use]
    pub fn sum_ns(&self) -> u64 {
        self.sum_ns.read()
    }

    /// The duration that `percent` of the events did not exceed, rounded up to its bucket's end;
    /// 0 without events.
    #[must_use]
    pub fn percentile_ns(&self, percent: u8) -> u64 {
        let rank = self.count().saturating_mul(u64::from(percent.min(100))).div_ceil(100).max(1);
        let mut seen = 0;
        for (index, bucket) in self.buckets.iter().enumerate() {
            seen += bucket.read();
            if seen >= rank {
                return bucket_end(index);
            }
        }
        0
    }

    /// Events that took less than `2^exponent` nanoseconds.
    fn count_below(&self, exponent: u32) -> u64 {
        self.buckets.iter().take(bucket_of(1 << exponent)).map(Counter::read).sum()
    }
}

/// What one runtime counts; only its thread writes. The buckets keep two sets on lines apart.
#[derive(Default)]
pub struct LaneMetrics {
    /// Connections open now.
    pub connections: Counter,
    /// Connections ever taken over.
    pub connections_opened: Counter,
    /// Closed connections, by [`CloseReason`].
    closed: [Counter; CloseReason::ALL.len()],
    /// What messages were answered.
    pub decisions: DecisionMetrics,
    /// Answers that wait for the journal now.
    pub in_flight: Counter,
    /// Read batches.
    pub reads: Counter,
    /// Octets read.
    pub octets_in: Counter,
    /// Octets written.
    pub octets_out: Counter,
    /// From the end of a read to its answers, without socket and disk.
    pub switch_time: Histogram,
    /// From an answer's decision to the commit that let it go.
    pub commit_wait: Histogram,
}

impl LaneMetrics {
    /// Counts the end of a connection.
    pub fn connection_closed(&self, reason: CloseReason) {
        if let Some(counter) = self.closed.get(reason as usize) {
            counter.add(1);
        }
    }

    /// Connections that ended for `reason`.
    #[must_use]
    pub fn closed(&self, reason: CloseReason) -> u64 {
        self.closed.get(reason as usize).map_or(0, Counter::read)
    }
}

/// What the engine counted, by reason of the answer and by where the money was to be spent.
pub struct DecisionMetrics {
    answers: [[Counter; PLACES]; REASONS],
    faults: [Counter; FAULTS],
    /// Messages without an answer.
    pub unanswered: Counter,
    /// Answers that were given before.
    pub repeats: Counter,
    /// Messages whose signals contradict each other.
    pub contradictions: Counter,
    /// Messages whose billed amount is not what their rate makes of it.
    pub misconversions: Counter,
}

impl Default for DecisionMetrics {
    fn default() -> Self {
        Self {
            answers: std::array::from_fn(|_| <[Counter; PLACES]>::default()),
            faults: Default::default(),
            unanswered: Counter::default(),
            repeats: Counter::default(),
            contradictions: Counter::default(),
            misconversions: Counter::default(),
        }
    }
}

impl DecisionMetrics {
    /// Adds what one read has counted, and empties it.
    pub fn take(&self, tally: &mut Tally) {
        for (counters, counts) in self.answers.iter().zip(&mut tally.answers) {
            // Most reasons are rare: a row of zeros costs one comparison.
            if *counts == [0; PLACES] {
                continue;
            }
            for (counter, count) in counters.iter().zip(std::mem::take(counts)) {
                counter.add(u64::from(count));
            }
        }
        if tally.faults != [0; FAULTS] {
            for (counter, count) in self.faults.iter().zip(std::mem::take(&mut tally.faults)) {
                counter.add(u64::from(count));
            }
        }
        self.unanswered.add(u64::from(std::mem::take(&mut tally.unanswered)));
        self.repeats.add(u64::from(std::mem::take(&mut tally.repeats)));
        self.contradictions.add(u64::from(std::mem::take(&mut tally.contradictions)));
        self.misconversions.add(u64::from(std::mem::take(&mut tally.misconversions)));
    }

    /// Answers for `reason`; `place` is `None` for messages about no money.
    #[must_use]
    pub fn answers(&self, reason: Reason, place: Option<Place>) -> u64 {
        let place = place.map_or(0, |place| place as usize);
        self.answers.get(reason as usize).and_then(|by| by.get(place)).map_or(0, Counter::read)
    }

    /// All answers.
    #[must_use]
    pub fn answers_total(&self) -> u64 {
        self.answers.iter().flatten().map(Counter::read).sum()
    }

    /// Unreadable messages by fault.
    #[must_use]
    pub fn faults(&self, kind: ParseErrorKind) -> u64 {
        self.faults.get(kind as usize).map_or(0, Counter::read)
    }
}

/// What the acceptor and the control API count.
#[derive(Default)]
pub struct EdgeMetrics {
    /// Connections refused because `connections_max` were open.
    pub connections_refused: Counter,
    /// Accepts that failed, mostly for want of file descriptors.
    pub accepts_failed: Counter,
    /// Connections of the control API that are open; only its acceptor writes it.
    pub http_connections: Counter,
    /// Connections of the control API that were closed, asking nothing, for a newcomer.
    pub http_evicted: Counter,
    /// Connections of the control API whose request's head was not whole in time.
    pub http_late: Counter,
    /// Connections of the control API refused because all others were being answered.
    pub http_refused: Counter,
    /// Requests of the control API.
    pub http_requests: Counter,
    /// Requests of the control API with a missing or wrong token.
    pub http_unauthorized: Counter,
}

/// All that is counted, one set a runtime and one for the edge.
#[derive(Clone)]
pub struct Metrics {
    lanes: Arc<[Arc<LaneMetrics>]>,
    edge: Arc<EdgeMetrics>,
}

impl Metrics {
    /// Empty sets for `lanes` runtimes.
    #[must_use]
    pub fn new(lanes: usize) -> Metrics {
        Metrics { lanes: (0..lanes).map(|_| Arc::default()).collect(), edge: Arc::default() }
    }

    /// The sets of all runtimes.
    pub fn lanes(&self) -> impl Iterator<Item = &Arc<LaneMetrics>> {
        self.lanes.iter()
    }

    /// The set of acceptor and control API.
    #[must_use]
    pub fn edge(&self) -> &EdgeMetrics {
        &self.edge
    }

    /// A number added up over all runtimes.
    #[must_use]
    pub fn sum(&self, read: impl Fn(&LaneMetrics) -> &Counter) -> u64 {
        self.lanes().map(|lane| read(lane).read()).sum()
    }
}

/// The bucket of a duration: its octave, and which eighth of it.
fn bucket_of(ns: u64) -> usize {
    let octave = ns.max(1).ilog2();
    let bucket = if octave < SUB_BITS {
        ns
    } else {
        let sub = ns >> (octave - SUB_BITS) & (SUB_COUNT - 1);
        u64::from(octave - SUB_BITS + 1) * SUB_COUNT + sub
    };
    usize::try_from(bucket).unwrap_or(usize::MAX).min(BUCKETS - 1)
}

/// The longest duration of a bucket.
fn bucket_end(index: usize) -> u64 {
    let index = index as u64;
    if index < SUB_COUNT {
        return index;
    }
    let octave = index / SUB_COUNT - 1;
    ((SUB_COUNT + index % SUB_COUNT + 1) << octave) - 1
}

/// Eighths of an octave: an error of at most 12.5 %.
const SUB_BITS: u32 = 3;
const SUB_COUNT: u64 = 1 << SUB_BITS;
/// Up to 2^41 ns; the last bucket takes what is longer.
const BUCKETS: usize = 312;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_one_another_without_gap() {
        let mut last = 0;
        for ns in 0..100_000 {
            let bucket = bucket_of(ns);
            assert!(bucket == last || bucket == last + 1, "{ns}");
            assert!(bucket_end(bucket) >= ns, "{ns}");
            last = bucket;
        }
        for index in 0..BUCKETS - 1 {
            assert_eq!(bucket_of(bucket_end(index)), index);
            assert_eq!(bucket_of(bucket_end(index) + 1), index + 1);
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_come_from_the_bucket_of_their_rank() {
        let histogram = Histogram::default();
        assert_eq!(histogram.percentile_ns(99), 0);
        histogram.record(100, 98);
        histogram.record(1 << 20, 2);
        assert!((100..=112).contains(&histogram.percentile_ns(50)));
        assert!((100..=112).contains(&histogram.percentile_ns(98)));
        assert!(histogram.percentile_ns(99) >= 1 << 20);
        assert_eq!(histogram.sum_ns(), 9_800 + (2 << 20));
        assert_eq!(histogram.count_below(7), 98);
        assert_eq!(histogram.count_below(21), 100);
    }

    #[test]
    fn sets_are_added_up_over_runtimes() {
        let metrics = Metrics::new(2);
        for lane in metrics.lanes() {
            lane.reads.add(3);
            lane.connection_closed(CloseReason::Idle);
        }
        assert_eq!(metrics.sum(|lane| &lane.reads), 6);
        assert_eq!(metrics.lanes().map(|lane| lane.closed(CloseReason::Idle)).sum::<u64>(), 2);
    }
}
