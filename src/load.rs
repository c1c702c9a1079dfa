//! `cekr load`: the load generator on the command line.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use cekr_iso8583::{Framing, Spec};
use cekr_terminal_sim::load::report::{Latency, LoadReport};
use cekr_terminal_sim::load::threshold::{self, Threshold};
use cekr_terminal_sim::load::{self, Connections, Counters, LoadError, LoadPlan, Pace};
use cekr_terminal_sim::mix::Mix;
use serde_json::{Value, json};

use crate::cards;
use crate::{chip_counter, terminal};

/// Sends many messages and measures the answers, from the moment each should have started
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cekr load --rate 20k --connections 16 --duration 10s
  cekr load --max --connections 64 --depth 64 --duration 5s --json
  cekr load --rate 5000 --fail-if 'p99>200us,errors>0'     exit 99 when broken

A mix file holds weights, one a line: purchase, withdrawal, ecommerce, abroad, balance, reversal,
refund, echo. Latencies count from the intended start; the ones from sending stand beside them.
Inserted cards have chips: their cryptograms are made before the run (--rate), else when they are
sent (--max). A chip's counter ends, so that a run has at most 16,000 of each card; what it sends
behind them is declined 82, and more cards have more. Cards run empty: give --cards a file with large balances and limits = \"off\", the one that the
switch was started with.")]
pub struct LoadArgs {
    /// Messages a second over all connections (5000, 20k, 1.5M): open loop
    #[arg(long, value_name = "R", value_parser = rate, required_unless_present = "max")]
    rate: Option<u64>,
    /// As fast as answers allow: closed loop
    #[arg(long, conflicts_with = "rate")]
    max: bool,
    /// Connections; each is a terminal of its own
    #[arg(long, value_name = "N", default_value_t = 8)]
    connections: usize,
    /// Requests under way on each connection at most
    #[arg(long, value_name = "D", default_value_t = 64)]
    depth: usize,
    /// How long to send (500ms, 10s, 2m)
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = run_time)]
    duration: Duration,
    /// How long to wait for answers after that
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    timeout: Duration,
    /// TOML file with the weights of the mix; without it a busy day in town
    #[arg(long, value_name = "F")]
    mix: Option<PathBuf>,
    /// Exit 99 when this holds: p50, p90, p99, p99.9, max, rate, errors with < or >
    #[arg(long = "fail-if", value_name = "LIMITS", value_parser = thresholds)]
    fail_if: Vec<Thresholds>,
    /// Decides cards, places and sums
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The switch
    #[arg(long, value_name = "ADDR", env = "CEKR_TO", default_value = "127.0.0.1:8583",
          value_parser = address)]
    to: String,
    /// Dialect: cekr87, iso87ascii, iso87binary
    #[arg(long, value_name = "S", default_value = "cekr87", value_parser = spec)]
    spec: SpecName,
    /// Frames: be2, nac, ascii4
    #[arg(long, value_name = "F", default_value = "be2", value_parser = framing)]
    framing: Framing,
    /// Card file; without it the built-in set
    #[arg(long, value_name = "F")]
    cards: Option<PathBuf>,
    /// One JSON object with the result
    #[arg(long)]
    json: bool,
}

/// A dialect that was found by its name.
#[derive(Clone, Copy)]
pub(crate) struct SpecName(pub(crate) &'static Spec);

impl std::fmt::Debug for SpecName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name())
    }
}

/// The limits of one `--fail-if`.
#[derive(Clone, Debug)]
struct Thresholds(Vec<Threshold>);

/// Runs the command.
pub fn run(args: &LoadArgs) -> ExitCode {
    let plan = match plan(args) {
        Ok(plan) => plan,
        Err(fault) => return wrong_use(&fault),
    };
    match load::run_blocking(&plan) {
        Ok(report) => conclude(args, &report),
        Err(error @ LoadError::Plan(_)) => wrong_use(&error.to_string()),
        Err(error @ LoadError::Connect { .. }) => {
            eprintln!("cekr load: {error}; start `cekr serve`, or say where it is with --to ADDR");
            ExitCode::from(1)
        }
        Err(error @ (LoadError::Start(_) | LoadError::Unwritable(_))) => {
            eprintln!("cekr load: {error}");
            ExitCode::from(1)
        }
    }
}

fn plan(args: &LoadArgs) -> Result<LoadPlan, String> {
    let records = cards::read_or_built_in(args.cards.as_deref()).map_err(|e| e.to_string())?;
    Ok(LoadPlan {
        to: args.to.clone(),
        spec: args.spec.0,
        framing: args.framing,
        pace: args.rate.map_or(Pace::Max, Pace::PerSecond),
        connections: Connections(args.connections),
        depth: args.depth,
        duration: args.duration,
        timeout: args.timeout,
        mix: args.mix.as_deref().map_or(Ok(Mix::TOWN), read_mix)?,
        holders: records.iter().filter_map(cards::CardRecord::holder).collect(),
        counters: Some(counters(args, records.len())),
        seed: args.seed,
    })
}

/// Counters of this machine's chips for one run: as many as the cards may need, as far as a chip's
/// life allows.
fn counters(args: &LoadArgs, card_count: usize) -> Counters {
    let sent = args.rate.map(|rate| u128::from(rate) * args.duration.as_millis() / 1_000);
    // Less than half of a mix is inserted cards; what is drawn by chance is more for some.
    let each = sent.map(|sent| sent / 2 / card_count.max(1) as u128 + COUNTERS_MIN);
    let count = each.map_or(COUNTERS_MAX, |each| u16::try_from(each).unwrap_or(COUNTERS_MAX));
    let count = count.min(COUNTERS_MAX);
    Counters { first: chip_counter::take(count, terminal::clock().as_secs()), count }
}

/// Counters of a run that sends little: each connection's templates take some.
const COUNTERS_MIN: u128 = 2_000;
/// A quarter of a chip's life.
const COUNTERS_MAX: u16 = 16_000;

fn conclude(args: &LoadArgs, report: &LoadReport) -> ExitCode {
    let limits = || args.fail_if.iter().flat_map(|limits| &limits.0);
    let broken: Vec<String> =
        limits().filter(|limit| limit.is_broken_by(report)).map(ToString::to_string).collect();
    let mut out = std::io::stdout().lock();
    // A closed pipe must not turn a broken threshold into success.
    let _ = if args.json {
        let mut line = to_json(report);
        if let Value::Object(object) = &mut line {
            object.insert("broken".to_owned(), json!(broken));
            object.insert("ok".to_owned(), json!(broken.is_empty()));
        }
        writeln!(out, "{line}")
    } else {
        limits()
            .try_fold((), |(), limit| {
                let sign = if limit.is_broken_by(report) { "broken " } else { "kept   " };
                writeln!(out, "{sign} {limit}")
            })
            .and_then(|()| writeln!(out, "{report}"))
    };
    if !broken.is_empty() {
        eprintln!("cekr load: broken: {}", broken.join(", "));
        return ExitCode::from(99);
    }
    if report.answered == 0 && report.sent > 0 {
        eprintln!("cekr load: no answer at all; do --spec and --framing fit the listener?");
        return ExitCode::from(1);
    }
    ExitCode::SUCCESS
}

/// The result as one JSON object; latencies in microseconds.
pub fn to_json(report: &LoadReport) -> Value {
    json!({
        "event": "load",
        "sent": report.sent,
        "answered": report.answered,
        "unanswered": report.unanswered,
        "unmatched": report.unmatched,
        "damaged": report.damaged,
        "unsent": report.unsent,
        "connections_lost": report.connections_lost,
        "errors": report.error_count(),
        "by_response_code": report.by_response_code,
        "duration_ms": report.duration_ms,
        "rate": report.rate,
        "latency_us": latency(&report.corrected),
        "latency_from_sending_us": latency(&report.raw),
    })
}

fn latency(latency: &Latency) -> Value {
    let us = |ns: u64| Value::from(ns as f64 / 1000.0);
    json!({
        "p50": us(latency.p50_ns),
        "p90": us(latency.p90_ns),
        "p99": us(latency.p99_ns),
        "p99.9": us(latency.p999_ns),
        "max": us(latency.max_ns),
    })
}

fn read_mix(file: &Path) -> Result<Mix, String> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("{}: cannot be read: {error}", file.display()))?;
    parse_mix(&text).map_err(|fault| format!("{}: {fault}", file.display()))
}

fn parse_mix(text: &str) -> Result<Mix, String> {
    toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())
}

fn wrong_use(fault: &str) -> ExitCode {
    eprintln!("cekr load: {fault}");
    ExitCode::from(2)
}

fn rate(text: &str) -> Result<u64, String> {
    let (figure, scale) = match text.strip_suffix(['k', 'M']) {
        Some(figure) if text.ends_with('k') => (figure, 1_000),
        Some(figure) => (figure, 1_000_000),
        None => (text, 1),
    };
    let fault = || "write messages a second, for example 5000, 20k or 1.5M".to_owned();
    let figure: f64 = figure.parse().map_err(|_| fault())?;
    let rate = (figure * f64::from(scale)).round();
    // At most 100 million: far beyond a loopback, and exact in either type.
    if (1.0..=1e8).contains(&rate) { Ok(rate as u64) } else { Err(fault()) }
}

/// `500ms`, `10s`, `2m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let fault = || "write a time with its unit, for example 500ms, 10s or 2m".to_owned();
    let at = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(fault)?;
    let (figure, unit) = text.split_at(at);
    let figure: u64 = figure.parse().map_err(|_| fault())?;
    let ms = match unit {
        "ms" => figure,
        "s" => figure.saturating_mul(1_000),
        "m" => figure.saturating_mul(60_000),
        _ => return Err(fault()),
    };
    if ms <= 86_400_000 { Ok(Duration::from_millis(ms)) } else { Err("at most a day".to_owned()) }
}

/// A time in which something can be sent.
fn run_time(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if time.is_zero() { Err("nothing can be sent in no time".to_owned()) } else { Ok(time) }
}

/// A switch to connect to: `host:port`, the host a name or a number.
pub(crate) fn address(text: &str) -> Result<String, String> {
    let port = text
        .rsplit_once(':')
        .filter(|(host, _)| !host.is_empty())
        .and_then(|(_, port)| port.parse::<u16>().ok());
    match port {
        Some(1..) => Ok(text.to_owned()),
        Some(0) | None => Err("write host:port, for example 127.0.0.1:8583".to_owned()),
    }
}

pub(crate) fn spec(text: &str) -> Result<SpecName, String> {
    let names = || Spec::built_in().map(Spec::name).join(", ");
    Spec::by_name(text).map(SpecName).ok_or_else(|| format!("no such dialect; take {}", names()))
}

pub(crate) fn framing(text: &str) -> Result<Framing, String> {
    match Framing::by_name(text) {
        Some(Framing::None) | None => Err("no such framing; take be2, nac or ascii4".to_owned()),
        Some(framing) => Ok(framing),
    }
}

fn thresholds(text: &str) -> Result<Thresholds, String> {
    threshold::parse_all(text).map(Thresholds).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cekr_terminal_sim::mix::Mix;

    use super::{address, duration, framing, parse_mix, rate, run_time, spec};

    #[test]
    fn a_switch_is_named_by_host_and_port() {
        for text in ["127.0.0.1:8583", "localhost:1", "[::1]:8583", "switch.example:65535"] {
            assert_eq!(address(text).as_deref(), Ok(text));
        }
        for text in ["", "nowhere", ":8583", "localhost:", "localhost:0", "localhost:65536"] {
            assert!(address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_run_lasts_longer_than_nothing() {
        assert_eq!(run_time("1ms"), Ok(Duration::from_millis(1)));
        assert!(run_time("0s").is_err());
    }

    #[test]
    fn reads_rates_and_times_with_their_units() {
        assert_eq!(rate("5000"), Ok(5_000));
        assert_eq!(rate("20k"), Ok(20_000));
        assert_eq!(rate("1.5M"), Ok(1_500_000));
        for text in ["", "0", "-1", "k", "NaN", "1e99", "inf"] {
            assert!(rate(text).is_err(), "{text}");
        }
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for text in ["", "10", "s", "10h", "1.5s", "99999999m"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert!(spec("cekr87").is_ok() && spec("iso93").unwrap_err().contains("iso87binary"));
        assert!(framing("nac").is_ok() && framing("none").is_err());
    }

    #[test]
    fn a_mix_file_names_what_weighs_something() {
        let mix = parse_mix("purchase = 3\nwithdrawal = 1\n").unwrap();
        assert_eq!(mix, Mix { purchase: 3, withdrawal: 1, ..Mix::NONE });
        let fault = parse_mix("purchase = 3\nwithdrawl = 1\n").unwrap_err();
        assert!(fault.contains("line 2") && fault.contains("withdrawl"), "{fault}");
    }
}
