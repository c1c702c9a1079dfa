//! What a load run measured.

use core::fmt;
use std::collections::BTreeMap;

use hdrhistogram::Histogram;

/// The figures of a run. Latencies are nanoseconds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LoadReport {
    /// Messages sent.
    pub sent: u64,
    /// Answers that matched a message.
    pub answered: u64,
    /// Messages without an answer when the run ended or their connection was lost.
    pub unanswered: u64,
    /// Answers that matched no message.
    pub unmatched: u64,
    /// Answers that could not be read.
    pub damaged: u64,
    /// Messages that were due within the run and never sent.
    pub unsent: u64,
    /// Connections that ended before the run did.
    pub connections_lost: u64,
    /// Answers by response code (DE 39); `--` where there was none.
    pub by_response_code: BTreeMap<String, u64>,
    /// How long messages were sent, in milliseconds.
    pub duration_ms: u64,
    /// Answers per second of that time.
    pub rate: u64,
    /// From the moment at which a message should have started.
    pub corrected: Latency,
    /// From the moment at which it was sent.
    pub raw: Latency,
}

/// Percentiles of a latency in nanoseconds; all zero when nothing was answered.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Latency {
    /// Median.
    pub p50_ns: u64,
    /// 90th percentile.
    pub p90_ns: u64,
    /// 99th percentile.
    pub p99_ns: u64,
    /// 99.9th percentile.
    pub p999_ns: u64,
    /// The slowest.
    pub max_ns: u64,
}

impl LoadReport {
    /// Everything that should not happen: unanswered, unmatched, damaged, unsent, lost. A decline
    /// is none of it.
    #[must_use]
    pub fn error_count(&self) -> u64 {
        self.unanswered + self.unmatched + self.damaged + self.unsent + self.connections_lost
    }
}

impl fmt::Display for LoadReport {
    /// A table for people; latencies in microseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "sent {}  answered {}  unanswered {}  unmatched {}  damaged {}  unsent {}  lost {}",
            self.sent,
            self.answered,
            self.unanswered,
            self.unmatched,
            self.damaged,
            self.unsent,
            self.connections_lost
        )?;
        writeln!(f, "rate {} answers/s over {} ms", self.rate, self.duration_ms)?;
        write!(f, "codes")?;
        for (code, count) in &self.by_response_code {
            write!(f, "  {code} {count}")?;
        }
        writeln!(f)?;
        writeln!(f, "latency (us)   from intended start   from sending")?;
        let rows = [
            ("p50", self.corrected.p50_ns, self.raw.p50_ns),
            ("p90", self.corrected.p90_ns, self.raw.p90_ns),
            ("p99", self.corrected.p99_ns, self.raw.p99_ns),
            ("p99.9", self.corrected.p999_ns, self.raw.p999_ns),
            ("max", self.corrected.max_ns, self.raw.max_ns),
        ];
        for (at, (name, corrected, raw)) in rows.into_iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            write!(f, "{name:<12} {:>21} {:>14}", micros(corrected), micros(raw))?;
        }
        Ok(())
    }
}

/// Microseconds with one decimal.
fn micros(ns: u64) -> String {
    format!("{}.{}", ns / 1000, ns / 100 % 10)
}

/// Counts while a run goes on.
pub(crate) struct Tally {
    pub(crate) sent: u64,
    pub(crate) unanswered: u64,
    pub(crate) unmatched: u64,
    pub(crate) damaged: u64,
    pub(crate) unsent: u64,
    pub(crate) connections_lost: u64,
    answered: u64,
    by_code: BTreeMap<[u8; 2], u64>,
    corrected: Option<Histogram<u64>>,
    raw: Option<Histogram<u64>>,
}

impl Tally {
    pub(crate) fn new() -> Self {
        // The bounds are constants that the histogram accepts; were they not, the figures would
        // read zero and the tests would fail.
        let histogram = || Histogram::new_with_bounds(1, LATENCY_MAX_NS, DIGITS).ok();
        Self {
            sent: 0,
            unanswered: 0,
            unmatched: 0,
            damaged: 0,
            unsent: 0,
            connections_lost: 0,
            answered: 0,
            by_code: BTreeMap::new(),
            corrected: histogram(),
            raw: histogram(),
        }
    }

    /// Counts one answer with its latencies in nanoseconds.
    pub(crate) fn answer(&mut self, code: [u8; 2], corrected_ns: u64, raw_ns: u64) {
        self.answered += 1;
        // A host that invents codes must not make the table grow.
        if self.by_code.len() < CODES_MAX || self.by_code.contains_key(&code) {
            *self.by_code.entry(code).or_default() += 1;
        } else {
            *self.by_code.entry(*b"..").or_default() += 1;
        }
        if let Some(histogram) = &mut self.corrected {
            histogram.saturating_record(corrected_ns);
        }
        if let Some(histogram) = &mut self.raw {
            histogram.saturating_record(raw_ns);
        }
    }

    /// The figures, when messages were sent for so many nanoseconds.
    pub(crate) fn report(&self, sending_ns: u64) -> LoadReport {
        let per_second = u128::from(self.answered) * 1_000_000_000;
        let rate = per_second.checked_div(sending_ns.into()).unwrap_or(0);
        let text = |code: &[u8; 2]| String::from_utf8_lossy(code).into_owned();
        LoadReport {
            sent: self.sent,
            answered: self.answered,
            unanswered: self.unanswered,
            unmatched: self.unmatched,
            damaged: self.damaged,
            unsent: self.unsent,
            connections_lost: self.connections_lost,
            by_response_code: self.by_code.iter().map(|(code, n)| (text(code), *n)).collect(),
            duration_ms: sending_ns / 1_000_000,
            rate: u64::try_from(rate).unwrap_or(u64::MAX),
            corrected: latency(self.corrected.as_ref()),
            raw: latency(self.raw.as_ref()),
        }
    }
}

fn latency(histogram: Option<&Histogram<u64>>) -> Latency {
    match histogram {
        None => Latency::default(),
        Some(histogram) => Latency {
            p50_ns: histogram.value_at_quantile(0.5),
            p90_ns: histogram.value_at_quantile(0.9),
            p99_ns: histogram.value_at_quantile(0.99),
            p999_ns: histogram.value_at_quantile(0.999),
            max_ns: histogram.max(),
        },
    }
}

/// A minute: slower answers count as this.
const LATENCY_MAX_NS: u64 = 60_000_000_000;
/// Significant decimal digits of a latency.
const DIGITS: u8 = 3;
/// Different response codes that are counted apart.
const CODES_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn reports_percentiles_codes_and_rate() {
        let mut tally = Tally::new();
        for n in 1..=1000u64 {
            tally.answer(if n % 10 == 0 { *b"51" } else { *b"00" }, n * 1_000, n * 500);
        }
        let report = tally.report(500_000_000);
        assert_eq!(report.rate, 2000);
        assert_eq!(report.by_response_code["51"], 100);
        assert!(report.corrected.p50_ns.abs_diff(500_000) < 1_000, "{report}");
        assert!(report.raw.p99_ns.abs_diff(495_000) < 1_000, "{report}");
        assert!(report.corrected.max_ns >= 1_000_000);
        assert_eq!(report.error_count(), 0);
    }

    #[test]
    fn stays_bounded_when_codes_are_invented() {
        let mut tally = Tally::new();
        for n in 0..=u16::MAX {
            tally.answer(n.to_be_bytes(), 1, 1);
        }
        assert!(tally.report(1).by_response_code.len() <= 129);
    }
}
