//! The settings of the advantage programme: its bounds, and the table of enrolled merchants.
//!
//! A row that cannot be right is refused while the file is read. Without a row there is no
//! programme.

use cekr_iso8583::{Mcc, MerchantId};
use cekr_issuer::LocalDate;
use cekr_issuer::points::{
    EXPIRY_MONTHS_MAX, Enrolled, MerchantName, Month, Programme, RULES_MAX, Rate, Rule,
};
use serde::{Deserialize, Deserializer, Serialize};

use super::settings::within;

/// The advantage programme.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdvantageConfig {
    /// Months after the one in which they were earned that points are good for; 0: for ever.
    #[serde(deserialize_with = "within::<_, u8, 0, { EXPIRY_MONTHS_MAX as u64 }>")]
    pub expiry_months: u8,
    /// Points of twelve months that make a holder silver; 0: nobody.
    #[serde(deserialize_with = "within::<_, u64, 0, 1_000_000_000>")]
    pub silver_points: u64,
    /// Points of twelve months that make a holder golden; 0: nobody.
    #[serde(deserialize_with = "within::<_, u64, 0, 1_000_000_000>")]
    pub gold_points: u64,
    /// Who is enrolled.
    #[serde(deserialize_with = "rows")]
    pub merchant: Vec<EnrolledRow>,
}

impl Default for AdvantageConfig {
    fn default() -> Self {
        Self { expiry_months: 24, silver_points: 500, gold_points: 2_000, merchant: Vec::new() }
    }
}

impl AdvantageConfig {
    /// The rules that clearing follows.
    #[must_use]
    pub fn programme(&self) -> Programme {
        Programme {
            rules: self.merchant.iter().map(|row| row.rule).collect(),
            expiry_months: self.expiry_months,
            silver: self.silver_points,
            gold: self.gold_points,
        }
    }
}

/// A row of the table.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct EnrolledRow {
    rule: Rule,
    written: Written,
}

/// A row as it is written.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Written {
    number: i64,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    merchant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mcc: Option<String>,
    #[serde(default = "one_point")]
    points: i64,
    #[serde(default = "a_euro")]
    per_cents: i64,
    #[serde(default)]
    purchase_max: i64,
    #[serde(default)]
    day_max: i64,
    #[serde(default = "since_ever")]
    from: String,
    #[serde(default = "for_ever")]
    until: String,
}

fn one_point() -> i64 {
    1
}

fn a_euro() -> i64 {
    1_00
}

fn since_ever() -> String {
    "2000-01-01".to_owned()
}

fn for_ever() -> String {
    "2099-12-31".to_owned()
}

/// Why a row cannot be right.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RowError {
    /// A business that pays out cash.
    #[error("mcc: 6010 and 6011 are cash, which earns nothing")]
    Cash,
    /// No day, or not written so.
    #[error("from, until: a day such as \"2026-11-22\"")]
    Date,
    /// It ends before it begins.
    #[error("until: before from")]
    Dates,
    /// Nobody, or two.
    #[error(
        "either merchant (1 to 15 characters, DE 42) or mcc (four digits) says who is enrolled"
    )]
    Who,
    /// No name, or one too long.
    #[error("name: 1 to 40 octets")]
    Name,
    /// A number out of bounds.
    #[error("number: from 1 to 65535; entries name the row by it")]
    Number,
    /// A rate out of bounds.
    #[error("points and per_cents: from 1 to 1000000")]
    Rate,
    /// A cap out of bounds.
    #[error("purchase_max and day_max: from 0 (no cap) to 1000000000 points")]
    Cap,
}

impl TryFrom<Written> for EnrolledRow {
    type Error = RowError;

    fn try_from(written: Written) -> Result<Self, RowError> {
        let number = u16::try_from(written.number).ok().filter(|number| *number > 0);
        let name = MerchantName::new(&written.name).filter(|_| !written.name.trim().is_empty());
        let part = |value: i64| u32::try_from(value).ok().filter(|v| (1..=1_000_000).contains(v));
        let cap = |value: i64| u32::try_from(value).ok().filter(|v| *v <= 1_000_000_000);
        let rate = part(written.points).zip(part(written.per_cents)).ok_or(RowError::Rate)?;
        let (from, until) = (date(&written.from)?, date(&written.until)?);
        if until < from {
            return Err(RowError::Dates);
        }
        let rule = Rule {
            number: number.ok_or(RowError::Number)?,
            name: name.ok_or(RowError::Name)?,
            who: who(written.merchant.as_deref(), written.mcc.as_deref())?,
            rate: Rate { points: rate.0, per_cents: rate.1 },
            purchase_max: cap(written.purchase_max).ok_or(RowError::Cap)?,
            day_max: cap(written.day_max).ok_or(RowError::Cap)?,
            from,
            until,
        };
        Ok(Self { rule, written })
    }
}

impl From<EnrolledRow> for Written {
    fn from(row: EnrolledRow) -> Self {
        row.written
    }
}

fn who(merchant: Option<&str>, mcc: Option<&str>) -> Result<Enrolled, RowError> {
    match (merchant, mcc) {
        (Some(merchant), None) => {
            let mut octets = [b' '; 15];
            let is_text = !merchant.trim().is_empty()
                && merchant.bytes().all(|octet| octet.is_ascii_graphic() || octet == b' ');
            let room = octets.get_mut(..merchant.len()).filter(|_| is_text).ok_or(RowError::Who)?;
            room.copy_from_slice(merchant.as_bytes());
            Ok(Enrolled::Merchant(MerchantId::new(octets)))
        }
        (None, Some(mcc)) => {
            let is_number = mcc.len() == 4 && mcc.bytes().all(|digit| digit.is_ascii_digit());
            let number: u16 = mcc.parse().ok().filter(|_| is_number).ok_or(RowError::Who)?;
            if matches!(number, 6010 | 6011) {
                return Err(RowError::Cash);
            }
            Mcc::new(number).map(Enrolled::Business).ok_or(RowError::Who)
        }
        (None, None) | (Some(_), Some(_)) => Err(RowError::Who),
    }
}

/// `2026-11-22`, a day that there is.
fn date(text: &str) -> Result<LocalDate, RowError> {
    let mut parts = text.split('-');
    let mut part = |len: usize| {
        let digits = parts.next().filter(|part| part.len() == len)?;
        digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse::<u16>().ok())?
    };
    let (year, month, day) = (part(4), part(2), part(2));
    let narrow = |value: Option<u16>| value.and_then(|value| u8::try_from(value).ok());
    let fields = year.zip(narrow(month)).zip(narrow(day)).filter(|_| parts.next().is_none());
    let ((year, month), day) = fields.ok_or(RowError::Date)?;
    let date = LocalDate::new(year, month, day);
    let is_day = date != LocalDate::default() && date <= Month::of(date).last_day();
    if is_day { Ok(date) } else { Err(RowError::Date) }
}

/// Rows with a number each of their own, and not more than there may be.
fn rows<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<EnrolledRow>, D::Error> {
    let rows = Vec::<EnrolledRow>::deserialize(from)?;
    if rows.len() > RULES_MAX {
        let message = format_args!("at most {RULES_MAX} rows of advantage.merchant").to_string();
        return Err(serde::de::Error::custom(message));
    }
    let mut numbers: Vec<u16> = rows.iter().map(|row| row.rule.number).collect();
    numbers.sort_unstable();
    let twice = numbers.windows(2).find(|pair| pair.first() == pair.last());
    match twice.and_then(|pair| pair.first()) {
        Some(number) => {
            let message = format!("two rows of advantage.merchant have the number {number}");
            Err(serde::de::Error::custom(message))
        }
        None => Ok(rows),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may")]

    use crate::config::Config;

    fn row(text: &str) -> String {
        format!("[[advantage.merchant]]\nnumber = 7\nname = \"Pekarna\"\n{text}\n")
    }

    fn refused(text: &str) -> String {
        Config::parse(text, "switch.toml").unwrap_err().to_string()
    }

    #[test]
    fn a_row_says_who_is_enrolled_and_what_a_purchase_earns() {
        let text = row("merchant = \"KRANJ0000000001\"\npoints = 3\nper_cents = 200");
        let config = Config::parse(&text, "switch.toml").unwrap();
        let programme = config.policy().programme;
        assert_eq!(programme.expiry_months, 24);
        let rule = programme.rules[0];
        assert_eq!((rule.number, rule.name.as_str()), (7, "Pekarna"));
        assert_eq!((rule.rate.points, rule.rate.per_cents), (3, 200));
        assert_eq!(rule.from.to_string(), "2000-01-01");
        let printed = toml::to_string(&config).unwrap();
        assert_eq!(Config::parse(&printed, "printed").unwrap(), config);
    }

    #[test]
    fn a_row_that_cannot_be_right_is_shown_with_its_place_and_reason() {
        for (text, words) in [
            ("", "either merchant"),
            ("merchant = \"A\"\nmcc = \"5411\"", "either merchant"),
            ("merchant = \"SIXTEENCHARACTER\"", "either merchant"),
            ("merchant = \"  \"", "either merchant"),
            ("mcc = \"541\"", "either merchant"),
            ("mcc = \"6011\"", "cash"),
            ("mcc = \"5411\"\npoints = 0", "points and per_cents"),
            ("mcc = \"5411\"\nper_cents = -1", "points and per_cents"),
            ("mcc = \"5411\"\nday_max = -1", "day_max"),
            ("mcc = \"5411\"\nfrom = \"2026-02-29\"", "from, until"),
            ("mcc = \"5411\"\nfrom = \"1.1.2026\"", "from, until"),
            ("mcc = \"5411\"\nfrom = \"2026-02-02\"\nuntil = \"2026-02-01\"", "before from"),
            ("mcc = \"5411\"\nrate = 1", "unknown field"),
        ] {
            let message = refused(&row(text));
            assert!(message.contains(words), "{text}: {message}");
            assert!(message.contains("line "), "{text}: {message}");
        }
    }

    #[test]
    fn two_rows_of_one_number_are_refused() {
        let text = row("mcc = \"5411\"") + &row("mcc = \"5412\"");
        assert!(refused(&text).contains("two rows of advantage.merchant have the number 7"));
    }

    #[test]
    fn the_sample_of_the_project_is_good() {
        let sample = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../advantage.toml"));
        let config = Config::parse(sample, "advantage.toml").unwrap();
        assert!(config.advantage.merchant.len() >= 5);
    }
}
