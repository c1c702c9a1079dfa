//! Thresholds of a load run: `p99>200us` fails the run when the 99th percentile is above 200 us.
//!
//! Grammar: `NAME` then `<` or `>` then a figure. Names: `p50 p90 p99 p99.9 max` with a unit
//! (`ns us ms s`), `rate` per second (`50000`, `50k`, `1.5M`), `errors` as a count. Several
//! stand side by side, divided by commas. Percentiles are the corrected ones.
//!
//! ```
//! use cekr_terminal_sim::load::threshold::Threshold;
//! let limit: Threshold = "p99>200us".parse().unwrap();
//! assert_eq!(limit.to_string(), "p99>200us");
//! ```

use core::fmt;
use core::str::FromStr;

use super::report::LoadReport;

/// A condition that fails a run when it holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Threshold {
    measure: Measure,
    fails: Fails,
    /// Nanoseconds, messages per second or a count, by the measure.
    bound: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Measure {
    Errors,
    Max,
    P50,
    P90,
    P99,
    P999,
    Rate,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fails {
    Above,
    Below,
}

impl Threshold {
    /// True when the report breaks this threshold.
    #[must_use]
    pub fn is_broken_by(&self, report: &LoadReport) -> bool {
        let measured = self.measured(report);
        match self.fails {
            Fails::Above => measured > self.bound,
            Fails::Below => measured < self.bound,
        }
    }

    fn measured(&self, report: &LoadReport) -> u64 {
        let latency = &report.corrected;
        match self.measure {
            Measure::Errors => report.error_count(),
            Measure::Max => latency.max_ns,
            Measure::P50 => latency.p50_ns,
            Measure::P90 => latency.p90_ns,
            Measure::P99 => latency.p99_ns,
            Measure::P999 => latency.p999_ns,
            Measure::Rate => report.rate,
        }
    }
}

/// Reads thresholds divided by commas.
///
/// # Errors
/// The first one that does not read.
pub fn parse_all(text: &str) -> Result<Vec<Threshold>, ThresholdError> {
    text.split(',').map(str::trim).filter(|one| !one.is_empty()).map(str::parse).collect()
}

impl FromStr for Threshold {
    type Err = ThresholdError;

    fn from_str(text: &str) -> Result<Self, ThresholdError> {
        let at = text.find(['<', '>']).ok_or(ThresholdError::NoComparison)?;
        let (name, rest) = text.split_at(at);
        let fails = if rest.starts_with('>') { Fails::Above } else { Fails::Below };
        let measure = MEASURES
            .iter()
            .find(|(known, _)| *known == name.trim())
            .map(|(_, measure)| *measure)
            .ok_or(ThresholdError::UnknownMeasure)?;
        let figure = rest.get(1..).unwrap_or_default().trim();
        let units = match measure {
            Measure::Errors => COUNT_UNITS,
            Measure::Max | Measure::P50 | Measure::P90 | Measure::P99 | Measure::P999 => TIME_UNITS,
            Measure::Rate => RATE_UNITS,
        };
        Ok(Self { measure, fails, bound: scaled(figure, units)? })
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = MEASURES.iter().find(|(_, known)| *known == self.measure);
        let sign = match self.fails {
            Fails::Above => '>',
            Fails::Below => '<',
        };
        write!(f, "{}{sign}", name.map_or("", |(name, _)| name))?;
        match self.measure {
            Measure::Errors | Measure::Rate => write!(f, "{}", self.bound),
            Measure::Max | Measure::P50 | Measure::P90 | Measure::P99 | Measure::P999 => {
                let unit = TIME_UNITS
                    .iter()
                    .filter(|(_, scale)| self.bound.is_multiple_of(*scale))
                    .max_by_key(|(_, scale)| *scale);
                let (name, scale) = unit.copied().unwrap_or(("ns", 1));
                write!(f, "{}{name}", self.bound / scale)
            }
        }
    }
}

/// Why a threshold does not read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ThresholdError {
    /// The figure is no number, or has more than nine decimals.
    #[error("the figure is not a number: write for example p99>200us")]
    BadFigure,
    /// The unit does not belong to the measure, or is missing.
    #[error("the unit is missing or unknown: latencies take ns, us, ms or s; rate takes k or M")]
    BadUnit,
    /// There is no `<` or `>`.
    #[error("there is no < or >: write for example p99>200us or rate<50k")]
    NoComparison,
    /// The measure is not one of ours.
    #[error("the measure is unknown: take p50, p90, p99, p99.9, max, rate or errors")]
    UnknownMeasure,
}

/// A decimal figure times its unit, exactly: `1.5M` is 1,500,000.
fn scaled(figure: &str, units: &[(&str, u64)]) -> Result<u64, ThresholdError> {
    let end = figure.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(figure.len());
    let (number, unit) = figure.split_at(end);
    let (_, scale) = units.iter().find(|(name, _)| *name == unit).ok_or(ThresholdError::BadUnit)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.len() > 9 {
        return Err(ThresholdError::BadFigure);
    }
    let whole: u64 = whole.parse().map_err(|_| ThresholdError::BadFigure)?;
    let mut bound = whole.checked_mul(*scale).ok_or(ThresholdError::BadFigure)?;
    if !fraction.is_empty() {
        let part: u64 = fraction.parse().map_err(|_| ThresholdError::BadFigure)?;
        let tenths = 10u64.pow(u32::try_from(fraction.len()).unwrap_or(9));
        let part = part.checked_mul(*scale).ok_or(ThresholdError::BadFigure)?;
        if !part.is_multiple_of(tenths) {
            return Err(ThresholdError::BadFigure);
        }
        bound = bound.checked_add(part / tenths).ok_or(ThresholdError::BadFigure)?;
    }
    Ok(bound)
}

const MEASURES: &[(&str, Measure)] = &[
    ("errors", Measure::Errors),
    ("max", Measure::Max),
    ("p50", Measure::P50),
    ("p90", Measure::P90),
    ("p99", Measure::P99),
    ("p99.9", Measure::P999),
    ("rate", Measure::Rate),
];

const COUNT_UNITS: &[(&str, u64)] = &[("", 1)];
const RATE_UNITS: &[(&str, u64)] = &[("", 1), ("/s", 1), ("k", 1_000), ("M", 1_000_000)];
const TIME_UNITS: &[(&str, u64)] =
    &[("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000)];

#[cfg(test)]
mod tests {
    use super::{Threshold, ThresholdError, parse_all};
    use crate::load::report::LoadReport;

    fn read(text: &str) -> Result<String, ThresholdError> {
        text.parse::<Threshold>().map(|threshold| threshold.to_string())
    }

    #[test]
    fn reads_each_measure_with_its_units() {
        assert_eq!(read("p50>200us").unwrap(), "p50>200us");
        assert_eq!(read("p99.9 > 1.5ms").unwrap(), "p99.9>1500us");
        assert_eq!(read("max>2s").unwrap(), "max>2s");
        assert_eq!(read("rate<50k").unwrap(), "rate<50000");
        assert_eq!(read("rate<1.5M").unwrap(), "rate<1500000");
        assert_eq!(read("errors>0").unwrap(), "errors>0");
        assert_eq!(parse_all("p99>50us, errors>0").unwrap().len(), 2);
    }

    #[test]
    fn names_what_is_wrong() {
        assert_eq!(read("p99=5us"), Err(ThresholdError::NoComparison));
        assert_eq!(read("p95>5us"), Err(ThresholdError::UnknownMeasure));
        assert_eq!(read("p99>5"), Err(ThresholdError::BadUnit));
        assert_eq!(read("p99>us"), Err(ThresholdError::BadFigure));
        assert_eq!(read("p99>0.5ns"), Err(ThresholdError::BadFigure));
        assert_eq!(read("errors>1k"), Err(ThresholdError::BadUnit));
        assert_eq!(read("rate<99999999999999999999"), Err(ThresholdError::BadFigure));
    }

    #[test]
    fn breaks_only_on_its_side() {
        let mut report = LoadReport::default();
        report.corrected.p99_ns = 200_000;
        assert!(!"p99>200us".parse::<Threshold>().unwrap().is_broken_by(&report));
        report.corrected.p99_ns += 1;
        assert!("p99>200us".parse::<Threshold>().unwrap().is_broken_by(&report));
        assert!("rate<1".parse::<Threshold>().unwrap().is_broken_by(&report));
    }
}
