//! The card file: test cards by name, for the switch that issues them and the terminals that use
//! them.
//!
//! The built-in set is the file `cards.toml` at the root of the repository. Faults name the file,
//! the line, the field and what to write instead. No fault shows a PAN or a PIN.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;

use cekr_emv::pin::Pin;
use cekr_iso8583::{Pan, PanError};
use cekr_issuer::{CardStatus, Channels};
use cekr_terminal_sim::amount;
use cekr_terminal_sim::card::Card;
use cekr_terminal_sim::world::Holder;
use serde::Deserialize;
use toml::Spanned;

/// One card of a card file. `Debug` masks the PAN and hides the PIN.
#[derive(Clone, Debug)]
pub struct CardRecord {
    /// A handle for people, unique in its file.
    pub name: String,
    /// The number; its check digit holds.
    pub pan: Pan,
    /// `YYMM`; the last day of the month is valid.
    pub expiry: u16,
    /// Nine digits, unique in its file.
    pub mok_id: u32,
    /// Cents.
    pub balance: u64,
    /// What is ticked.
    pub channels: Channels,
    /// `CardStatus::Active` when the file says nothing.
    pub status: CardStatus,
    /// Present on test cards only.
    pub pin: Option<Pin>,
    /// Whether the programme's limits apply.
    pub limits: CardLimits,
}

/// Whether the programme's limits apply to a card.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum CardLimits {
    /// The limits of the settings apply.
    #[default]
    Default,
    /// None applies: for load tests.
    Off,
}

impl CardRecord {
    /// The card as a terminal sees it.
    pub fn card(&self) -> Option<Card> {
        Card::new(&self.name, self.pan, self.expiry)
    }

    /// The card with its PIN, for a simulated street.
    pub fn holder(&self) -> Option<Holder> {
        Some(Holder { card: self.card()?, pin: self.pin.clone() })
    }
}

/// The built-in set: ana, bor, cilka, dana, edo, fani, gita, hugo.
///
/// # Errors
/// Never for the file that we ship; a test holds it to that.
pub fn built_in() -> Result<Vec<CardRecord>, CardFileError> {
    parse("cards.toml (built in)", BUILT_IN)
}

/// The cards of this file, or the built-in set when there is none.
///
/// # Errors
/// What is wrong, where, and what to do.
pub fn read_or_built_in(file: Option<&Path>) -> Result<Vec<CardRecord>, CardFileError> {
    file.map_or_else(built_in, read)
}

/// The cards of this file.
///
/// # Errors
/// What is wrong, where, and what to do.
pub fn read(file: &Path) -> Result<Vec<CardRecord>, CardFileError> {
    let name = file.display().to_string();
    match std::fs::read_to_string(file) {
        Ok(text) => parse(&name, &text),
        Err(error) => Err(CardFileError {
            file: name,
            line: None,
            field: "",
            fault: format!("cannot be read: {error}"),
            remedy: "name an existing TOML file; cards.toml in the project shows the form",
        }),
    }
}

/// The cards of a text in the card file's format; `file` names it in faults.
///
/// # Errors
/// The first fault, with its place and what to do.
pub fn parse(file: &str, text: &str) -> Result<Vec<CardRecord>, CardFileError> {
    let place = Place { file, text };
    let raw: RawFile = toml::from_str(text).map_err(|error| {
        // The parser's message may quote the value, but a value of the wrong type is no PAN.
        let first = error.message().lines().next().unwrap_or_default();
        place.fault(error.span(), "", first.to_owned(), "cards.toml in the project shows the form")
    })?;
    if raw.card.is_empty() {
        let remedy = "write at least one [[card]]; cards.toml in the project shows the form";
        return Err(place.fault(None, "card", "there is no card".to_owned(), remedy));
    }
    let cards = raw.card.iter().map(|card| place.record(card)).collect::<Result<Vec<_>, _>>()?;
    place.check_unique("name", &raw.card, |card| card.name.clone())?;
    place.check_unique("pan", &raw.card, |card| card.pan.clone())?;
    place.check_unique("mok_id", &raw.card, |card| card.mok_id.clone())?;
    Ok(cards)
}

/// What is wrong with a card file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CardFileError {
    /// As it was given.
    pub file: String,
    /// From 1; `None` when the fault has no line.
    pub line: Option<usize>,
    /// The key, empty when the fault is not in one.
    pub field: &'static str,
    /// What is wrong.
    pub fault: String,
    /// What to write instead.
    pub remedy: &'static str,
}

impl fmt::Display for CardFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": ")?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        write!(f, "{}; {}", self.fault, self.remedy)
    }
}

impl std::error::Error for CardFileError {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    card: Vec<RawCard>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCard {
    name: Spanned<String>,
    pan: Spanned<String>,
    expiry: Spanned<String>,
    mok_id: Spanned<String>,
    #[serde(default)]
    balance: Option<Spanned<String>>,
    #[serde(default)]
    channels: Vec<Spanned<String>>,
    #[serde(default)]
    state: Option<Spanned<String>>,
    #[serde(default)]
    pin: Option<Spanned<String>>,
    #[serde(default)]
    limits: CardLimits,
}

/// The file that is being read, for faults.
struct Place<'a> {
    file: &'a str,
    text: &'a str,
}

impl Place<'_> {
    fn record(&self, raw: &RawCard) -> Result<CardRecord, CardFileError> {
        let name = raw.name.get_ref();
        let is_name = |c: char| c.is_ascii_graphic() && c != '"';
        if name.is_empty() || name.len() > NAME_MAX || !name.chars().all(is_name) {
            let remedy = "write 1 to 32 letters, digits and signs, without spaces";
            return Err(self.at(&raw.name, "name", "is no handle", remedy));
        }
        let pan = Pan::parse(raw.pan.get_ref().as_bytes()).map_err(|error| {
            let (fault, remedy) = match error {
                PanError::BadLength => ("is not 13 to 19 digits", "write digits without spaces"),
                PanError::LeadingZero => ("begins with 0", "write a number of BIN 476173"),
                PanError::Luhn => ("has a wrong check digit", "change its last digit (Luhn)"),
            };
            self.at(&raw.pan, "pan", fault, remedy)
        })?;
        let expiry = expiry(raw.expiry.get_ref()).ok_or_else(|| {
            self.at(&raw.expiry, "expiry", "is no month", "write year and month, as 2030-12")
        })?;
        let mok_id = mok_id(raw.mok_id.get_ref()).ok_or_else(|| {
            self.at(&raw.mok_id, "mok_id", "is not nine digits", "write nine digits, as 123456782")
        })?;
        let balance = match &raw.balance {
            None => 0,
            Some(text) => amount::parse(text.get_ref()).map_err(|error| {
                self.at(text, "balance", &error.to_string(), "write euros, as 100.00")
            })?,
        };
        let pin = match &raw.pin {
            None => None,
            Some(text) => Some(Pin::parse(text.get_ref().as_bytes()).map_err(|_| {
                self.at(text, "pin", "is not 4 to 12 digits", "write digits, as 1234")
            })?),
        };
        let (channels, status) = (self.channels(&raw.channels)?, self.status(raw.state.as_ref())?);
        let name = name.clone();
        Ok(CardRecord {
            name,
            pan,
            expiry,
            mok_id,
            balance,
            channels,
            status,
            pin,
            limits: raw.limits,
        })
    }

    fn channels(&self, ticked: &[Spanned<String>]) -> Result<Channels, CardFileError> {
        ticked.iter().try_fold(Channels::NONE, |set, name| {
            let channel = match name.get_ref().as_str() {
                "abroad" => Channels::ABROAD,
                "cashpoint" => Channels::CASHPOINT,
                "online" => Channels::ONLINE,
                _ => {
                    let remedy = "write online, abroad or cashpoint";
                    return Err(self.at(name, "channels", "holds an unknown channel", remedy));
                }
            };
            Ok(set.union(channel))
        })
    }

    fn status(&self, state: Option<&Spanned<String>>) -> Result<CardStatus, CardFileError> {
        let Some(state) = state else { return Ok(CardStatus::Active) };
        match state.get_ref().as_str() {
            "active" => Ok(CardStatus::Active),
            "closed" => Ok(CardStatus::Closed),
            "locked" => Ok(CardStatus::Locked),
            "lost" => Ok(CardStatus::Lost),
            "not_activated" => Ok(CardStatus::NotActivated),
            "stolen" => Ok(CardStatus::Stolen),
            _ => {
                let remedy = "write active, locked, lost, stolen, closed or not_activated";
                Err(self.at(state, "state", "is unknown", remedy))
            }
        }
    }

    fn check_unique(
        &self,
        field: &'static str,
        cards: &[RawCard],
        value: impl Fn(&RawCard) -> Spanned<String>,
    ) -> Result<(), CardFileError> {
        let mut seen = HashMap::new();
        for card in cards {
            let value = value(card);
            // Lines are counted from the file's beginning: for a fault alone, or a file of many
            // cards would be read as many times.
            if let Some(first) = seen.insert(value.get_ref().clone(), value.span().start) {
                let fault = format!("is the same as in line {}", self.line(first));
                return Err(self.at(&value, field, &fault, "every card needs its own"));
            }
        }
        Ok(())
    }

    fn at(
        &self,
        value: &Spanned<String>,
        field: &'static str,
        fault: &str,
        remedy: &'static str,
    ) -> CardFileError {
        self.fault(Some(value.span()), field, fault.to_owned(), remedy)
    }

    fn fault(
        &self,
        span: Option<Range<usize>>,
        field: &'static str,
        fault: String,
        remedy: &'static str,
    ) -> CardFileError {
        let line = span.map(|span| self.line(span.start));
        CardFileError { file: self.file.to_owned(), line, field, fault, remedy }
    }

    fn line(&self, offset: usize) -> usize {
        self.text.bytes().take(offset).filter(|octet| *octet == b'\n').count() + 1
    }
}

/// `2030-12` as 3012.
fn expiry(text: &str) -> Option<u16> {
    let (year, month) = text.split_once('-')?;
    let are_digits = |part: &str| part.bytes().all(|octet| octet.is_ascii_digit());
    if year.len() != 4 || month.len() != 2 || !are_digits(year) || !are_digits(month) {
        return None;
    }
    let year: u16 = year.parse().ok()?;
    let month: u16 = month.parse().ok().filter(|month| matches!(month, 1..=12))?;
    // The card itself has two digits of the year.
    (2000..=2099).contains(&year).then(|| year % 100 * 100 + month)
}

fn mok_id(text: &str) -> Option<u32> {
    let are_digits = text.len() == 9 && text.bytes().all(|octet| octet.is_ascii_digit());
    are_digits.then(|| text.parse().ok()).flatten()
}

/// Characters of a handle, as many as a journal entry keeps.
const NAME_MAX: usize = 32;

const BUILT_IN: &str = include_str!("../cards.toml");

#[cfg(test)]
mod tests {
    use cekr_issuer::{CardStatus, Channels};

    use super::{built_in, parse};

    const ANA: &str = "[[card]]\nname = \"ana\"\npan = \"4761730000000011\"\nexpiry = \"2030-12\"\n\
                       mok_id = \"123456782\"\n";

    fn fault(text: &str) -> String {
        parse("f.toml", text).unwrap_err().to_string()
    }

    #[test]
    fn the_built_in_set_has_the_eight_cards_of_the_story() {
        let cards = built_in().unwrap();
        let names: Vec<&str> = cards.iter().map(|card| card.name.as_str()).collect();
        assert_eq!(names, ["ana", "bor", "cilka", "dana", "edo", "fani", "gita", "hugo"]);
        let channels: Vec<Channels> = cards.iter().map(|card| card.channels).collect();
        assert_eq!(channels[0], Channels::ALL);
        assert_eq!(channels[1], Channels::ALL.minus(Channels::ABROAD));
        assert_eq!(channels[2], Channels::ALL.minus(Channels::CASHPOINT));
        assert_eq!(channels[3], Channels::ALL.minus(Channels::ONLINE));
        assert_eq!(cards[4].status, CardStatus::Locked);
        assert_eq!(cards[5].balance, 2_00);
        assert_eq!(cards[6].status, CardStatus::NotActivated);
        assert_eq!(cards[7].expiry, 2406);
        assert!(cards.iter().all(|card| card.pan.bin(6) == 476_173 && card.pin.is_some()));
        assert!(cards.iter().all(|card| card.holder().is_some()));
        assert_eq!((cards[0].mok_id, cards[0].balance), (123_456_782, 10_000));
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let cards = parse("f.toml", ANA).unwrap();
        assert_eq!((cards[0].balance, cards[0].channels), (0, Channels::NONE));
        assert_eq!((cards[0].status, cards[0].pin.is_none()), (CardStatus::Active, true));
    }

    #[test]
    fn names_file_line_field_and_remedy() {
        for (from, to, words) in [
            ("ana", "a na", "f.toml:2: name: is no handle; write 1 to 32"),
            ("0011", "0012", "f.toml:3: pan: has a wrong check digit; change its last digit"),
            ("4761730000000011", "4761 7300", "f.toml:3: pan: is not 13 to 19 digits"),
            ("2030-12", "2030-13", "f.toml:4: expiry: is no month"),
            ("2030-12", "12/30", "f.toml:4: expiry: is no month"),
            ("123456782", "12345678", "f.toml:5: mok_id: is not nine digits"),
            ("name", "nam", "f.toml:2: unknown field `nam`"),
        ] {
            let message = fault(&ANA.replacen(from, to, 1));
            assert!(message.starts_with(words), "{message}");
        }
        for (line, words) in [
            ("balance = \"ten\"", "f.toml:6: balance: the amount is not a number"),
            ("balance = 100", "f.toml:6: invalid type"),
            ("pin = \"12\"", "f.toml:6: pin: is not 4 to 12 digits"),
            ("state = \"lent\"", "f.toml:6: state: is unknown; write active, locked"),
            ("channels = [\"onlin\"]", "f.toml:6: channels: holds an unknown channel"),
            ("limits = \"none\"", "f.toml:6: unknown variant"),
            ("colour = \"red\"", "f.toml:6: unknown field `colour`"),
        ] {
            let message = fault(&format!("{ANA}{line}\n"));
            assert!(message.starts_with(words), "{message}");
        }
        assert!(fault("").contains("there is no card"));
        assert!(
            fault("[[card]]\n").starts_with("f.toml:1: missing field"),
            "{}",
            fault("[[card]]\n")
        );
    }

    #[test]
    fn twins_are_found_by_name_number_and_mok_id() {
        let twin = ANA.replace("ana", "bor");
        let message = fault(&format!("{ANA}{twin}"));
        assert!(message.starts_with("f.toml:8: pan: is the same as in line 3"), "{message}");
        let message = fault(&format!("{ANA}{ANA}"));
        assert!(message.starts_with("f.toml:7: name: is the same as in line 2"), "{message}");
    }

    #[test]
    fn no_fault_shows_a_pan_or_a_pin() {
        let text = format!("{ANA}pin = \"99x9\"\n");
        assert!(!fault(&text).contains("99x9"));
        assert!(!fault(&ANA.replace("0011", "0013")).contains("47617300"));
        assert!(!format!("{:?}", built_in().unwrap()).contains("4761730000000011"));
    }
}
