//! The Prometheus text format, as far as counters, gauges and histograms of nanoseconds need it.
//!
//! Source: Prometheus documentation, "Exposition formats", text-based format 0.0.4. Label values
//! are names of ours (codes, kinds, reasons) and need no escaping; seconds are written from whole
//! nanoseconds, without a float.

use std::fmt::Write as _;

use cekr_iso8583::ParseErrorKind;
use cekr_issuer::Reason;
use cekr_issuer::entry::Place;

use super::{Histogram, Metrics};
use crate::session::CloseReason;

/// A text that grows family by family.
#[derive(Default)]
pub struct Text {
    text: String,
}

impl Text {
    /// Opens a family: its name without labels, `counter` or `gauge`, and what it counts.
    pub fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One number of the family that was opened last.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        self.text.push_str(name);
        for (index, (label, word)) in labels.iter().enumerate() {
            let open = if index == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{open}{label}=\"{word}\"");
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{close} {value}");
    }

    /// A family of one number.
    pub fn single(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    /// A family of one histogram in seconds, added up over several.
    pub fn histogram<'h>(
        &mut self,
        name: &str,
        help: &str,
        parts: impl Iterator<Item = &'h Histogram> + Clone,
    ) {
        self.family(name, "histogram", help);
        // Buckets are read before the total: a scrape that overlaps a write never shows a bucket
        // above its total.
        for exponent in BUCKET_EXPONENTS {
            let below: u64 = parts.clone().map(|part| part.count_below(exponent)).sum();
            let end = Seconds(1 << exponent);
            let _ = writeln!(self.text, "{name}_bucket{{le=\"{end}\"}} {below}");
        }
        let count: u64 = parts.clone().map(Histogram::count).sum();
        let sum = Seconds(parts.map(Histogram::sum_ns).sum());
        let _ = writeln!(self.text, "{name}_bucket{{le=\"+Inf\"}} {count}");
        let _ = writeln!(self.text, "{name}_sum {sum}\n{name}_count {count}");
    }

    /// The whole text.
    #[must_use]
    pub fn finish(self) -> String {
        self.text
    }
}

/// What runtimes and edge count; the decisions and the journal are added by their owners.
pub fn write(metrics: &Metrics, text: &mut Text) {
    let edge = metrics.edge();
    text.single(
        "cekr_connections",
        "gauge",
        "Connections of terminals that are open.",
        metrics.sum(|lane| &lane.connections),
    );
    text.single(
        "cekr_connections_opened_total",
        "counter",
        "Connections of terminals that were taken over.",
        metrics.sum(|lane| &lane.connections_opened),
    );
    text.single(
        "cekr_connections_refused_total",
        "counter",
        "Connections refused because connections_max were open.",
        edge.connections_refused.read(),
    );
    text.single(
        "cekr_accepts_failed_total",
        "counter",
        "Accepts that failed, mostly for want of file descriptors.",
        edge.accepts_failed.read(),
    );
    let name = "cekr_connections_closed_total";
    text.family(name, "counter", "Connections of terminals that ended, by reason.");
    for reason in CloseReason::ALL {
        let count = metrics.lanes().map(|lane| lane.closed(reason)).sum();
        text.sample(name, &[("reason", reason.name())], count);
    }
    for (name, help, count) in [
        (
            "cekr_unanswered_total",
            "Messages without an answer.",
            metrics.sum(|lane| &lane.decisions.unanswered),
        ),
        (
            "cekr_repeats_total",
            "Answers that were given before.",
            metrics.sum(|lane| &lane.decisions.repeats),
        ),
        (
            "cekr_contradictions_total",
            "Messages whose signals contradict each other.",
            metrics.sum(|lane| &lane.decisions.contradictions),
        ),
        (
            "cekr_misconversions_total",
            "Messages whose DE 6 is not DE 4 at the rate of DE 10.",
            metrics.sum(|lane| &lane.decisions.misconversions),
        ),
        ("cekr_reads_total", "Reads that brought octets.", metrics.sum(|lane| &lane.reads)),
        ("cekr_octets_in_total", "Octets read.", metrics.sum(|lane| &lane.octets_in)),
        ("cekr_octets_out_total", "Octets written.", metrics.sum(|lane| &lane.octets_out)),
        (
            "cekr_http_connections_evicted_total",
            "Control API connections that asked nothing, closed for a newcomer.",
            edge.http_evicted.read(),
        ),
        (
            "cekr_http_connections_late_total",
            "Control API connections whose request took too long to come.",
            edge.http_late.read(),
        ),
        (
            "cekr_http_connections_refused_total",
            "Control API connections refused because all others were being answered.",
            edge.http_refused.read(),
        ),
        ("cekr_http_requests_total", "Control API requests.", edge.http_requests.read()),
        (
            "cekr_http_unauthorized_total",
            "Control API requests with a missing or wrong token.",
            edge.http_unauthorized.read(),
        ),
    ] {
        text.single(name, "counter", help, count);
    }
    text.single(
        "cekr_http_connections",
        "gauge",
        "Control API connections that are open.",
        edge.http_connections.read(),
    );
    text.single(
        "cekr_in_flight",
        "gauge",
        "Answers that wait for the journal.",
        metrics.sum(|lane| &lane.in_flight),
    );
    write_decisions(metrics, text);
    let lanes: Vec<_> = metrics.lanes().collect();
    text.histogram(
        "cekr_switch_seconds",
        "From the end of a read to its answers, without socket and disk.",
        lanes.iter().map(|lane| &lane.switch_time),
    );
    text.histogram(
        "cekr_commit_wait_seconds",
        "From the decision of an answer that waits to the commit that let it go.",
        lanes.iter().map(|lane| &lane.commit_wait),
    );
}

/// Answers by code, reason and channel (only those that were given), faults by kind.
fn write_decisions(metrics: &Metrics, text: &mut Text) {
    let name = "cekr_answers_total";
    text.family(name, "counter", "Answers, by DE 39, its reason and the channel.");
    let places = [None, Some(Place::Cashpoint), Some(Place::Online), Some(Place::Shop)];
    for reason in Reason::ALL {
        let code = reason.response_code();
        let code = str::from_utf8(&code).unwrap_or_default();
        for place in places {
            let count = metrics.lanes().map(|lane| lane.decisions.answers(*reason, place)).sum();
            if count > 0 {
                let channel = place.map_or("none", Place::name);
                let labels = [("code", code), ("reason", reason.name()), ("channel", channel)];
                text.sample(name, &labels, count);
            }
        }
    }
    let name = "cekr_parse_faults_total";
    text.family(name, "counter", "Messages that could not be read to their end, by fault.");
    for kind in PARSE_FAULTS {
        let count = metrics.lanes().map(|lane| lane.decisions.faults(kind)).sum();
        text.sample(name, &[("kind", kind.as_str())], count);
    }
}

/// Nanoseconds that are written as seconds.
struct Seconds(u64);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:09}", self.0 / NS_PER_S, self.0 % NS_PER_S)
    }
}

const NS_PER_S: u64 = 1_000_000_000;

const PARSE_FAULTS: [ParseErrorKind; 8] = [
    ParseErrorKind::BadBitmap,
    ParseErrorKind::BadLength,
    ParseErrorKind::NotDigits,
    ParseErrorKind::NotHex,
    ParseErrorKind::OverMax,
    ParseErrorKind::Trailing,
    ParseErrorKind::Truncated,
    ParseErrorKind::UnknownField,
];

/// 128 ns to 4.3 s: powers of two, so that they are ends of our buckets.
const BUCKET_EXPONENTS: std::ops::RangeInclusive<u32> = 7..=32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_carries_its_labels() {
        let mut text = Text::default();
        text.family("cekr_x_total", "counter", "X.");
        text.sample("cekr_x_total", &[("code", "57"), ("channel", "pos")], 3);
        text.single("cekr_y", "gauge", "Y.", 7);
        assert_eq!(
            text.finish(),
            "# HELP cekr_x_total X.\n# TYPE cekr_x_total counter\n\
             cekr_x_total{code=\"57\",channel=\"pos\"} 3\n\
             # HELP cekr_y Y.\n# TYPE cekr_y gauge\ncekr_y 7\n"
        );
    }

    #[test]
    fn a_histogram_is_cumulative_and_in_seconds() {
        let metrics = Metrics::new(2);
        for lane in metrics.lanes() {
            lane.switch_time.record(200, 2);
            lane.switch_time.record(5_000_000_000, 1);
        }
        let mut text = Text::default();
        text.histogram(
            "cekr_t",
            "T.",
            metrics.lanes().map(|lane| &lane.switch_time).collect::<Vec<_>>().into_iter(),
        );
        let text = text.finish();
        assert!(text.contains("cekr_t_bucket{le=\"0.000000128\"} 0\n"), "{text}");
        assert!(text.contains("cekr_t_bucket{le=\"0.000000256\"} 4\n"), "{text}");
        assert!(text.contains("cekr_t_bucket{le=\"4.294967296\"} 4\n"), "{text}");
        assert!(text.contains("cekr_t_bucket{le=\"+Inf\"} 6\n"), "{text}");
        assert!(text.contains("cekr_t_sum 10.000000800\ncekr_t_count 6\n"), "{text}");
    }

    #[test]
    fn every_close_reason_has_its_line() {
        let mut text = Text::default();
        write(&Metrics::new(1), &mut text);
        let text = text.finish();
        for reason in CloseReason::ALL {
            assert!(text.contains(&format!("{{reason=\"{}\"}} 0", reason.name())), "{text}");
        }
    }
}
