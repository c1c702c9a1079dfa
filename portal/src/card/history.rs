//! What a card did, in words: each entry of the journal as one line that a holder understands.
//!
//! The words of reasons are the issuer's ([`cekr_issuer::reason`]). What concerns only the switch
//! and its peers makes no line.

use cekr_issuer::reason::Reason;
use fluent_bundle::FluentArgs;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::Value;

use super::merchants::Merchants;
use crate::page::texts::{Language, Say};

/// One line of the history.
#[derive(Clone, Debug)]
pub struct Line {
    /// The entry's number.
    pub seq: u64,
    /// When, as people say it.
    pub when: String,
    /// When, as programs do.
    pub at: String,
    /// What happened.
    pub what: String,
    /// With sign and currency; `None` where no money moved.
    pub amount: Option<String>,
    /// The cashpoint fee, with sign.
    pub fee: Option<String>,
    /// Where, and what kind of place it is.
    pub place: String,
    /// Why it was declined.
    pub reason: Option<String>,
    /// `out`, `in`, `declined` or `told`: how it is drawn.
    pub class: &'static str,
    /// Whether the holder is told of it besides the history.
    pub is_notice: bool,
}

/// The lines of `items`, which are a card's entries from the newest.
#[must_use]
pub fn lines(say: &Say, items: &[Value], merchants: &Merchants) -> Vec<Line> {
    let mut entries: Vec<Entry> =
        items.iter().filter_map(|item| Entry::deserialize(item).ok()).collect();
    for merchant in entries.iter_mut().filter_map(|entry| entry.merchant.as_mut()) {
        *merchant = merchants.name(say, merchant);
    }
    let older = |place: usize| {
        let older = entries.get(place + 1..).unwrap_or_default();
        older.iter().find(|entry| entry.state.is_some())
    };
    let each = entries.iter().enumerate();
    each.filter_map(|(place, entry)| line(say, entry, older(place))).collect()
}

/// Whether the holder is told of `item` besides the history.
#[must_use]
pub fn is_notice(item: &Value) -> bool {
    let text = |name| item.get(name).and_then(Value::as_str).unwrap_or_default();
    is_told(text("kind"), text("source"))
}

/// The opening balance came with the card: nobody needs to be told of it.
fn is_told(kind: &str, source: &str) -> bool {
    NOTICES.contains(&kind) && source != "opening"
}

/// What is read of an entry's object; what a kind lacks stays empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    seq: u64,
    at: String,
    kind: String,
    amount: i64,
    fee: i64,
    change: i64,
    fee_change: i64,
    count: u64,
    response_code: String,
    reason: String,
    missing: Vec<String>,
    merchant: Option<String>,
    mcc: Option<String>,
    country: Option<String>,
    channel: Option<String>,
    processing_code: String,
    entry_mode: String,
    source: Option<String>,
    cleared_as: Option<String>,
    held: bool,
    state: Option<String>,
    channels: Option<Channels>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
struct Channels {
    online: bool,
    abroad: bool,
    cashpoint: bool,
}

/// Which way the money went.
#[derive(Clone, Copy)]
enum Way {
    Declined,
    In,
    None,
    Out,
}

fn line(say: &Say, entry: &Entry, older: Option<&Entry>) -> Option<Line> {
    let purchase = || say.text(&format!("card-line-{}", deed(entry)));
    let (what, way) = match entry.kind.as_str() {
        "authorized" | "completed" => (purchase(), Way::Out),
        "declined" | "declined_elsewhere" => (purchase(), Way::Declined),
        "declines_counted" => (say.with("card-line-declines", "count", entry.count), Way::None),
        "reversed" if entry.amount + entry.fee == 0 => return None,
        "reversed" => (say.text("card-line-reversed"), Way::In),
        "hold_expired" => (say.text("card-line-hold-expired"), Way::In),
        "refund_pending" => (say.text("card-line-refund-pending"), Way::In),
        "loaded" => (say.text(source(entry)), Way::In),
        "load_taken_back" => (say.text("card-line-load-taken-back"), Way::Out),
        "cleared" if entry.change == 0 && entry.fee_change == 0 => return None,
        "cleared" => return Some(cleared(say, entry)),
        "controls_set" | "file_action" => (controls(say, entry, older), Way::None),
        "limits_set" => (say.text("card-line-limits"), Way::None),
        "issued" => (say.text("card-line-issued"), Way::None),
        "pin_changed" => (say.text("card-line-pin-changed"), Way::None),
        "inquired" => (say.text("card-line-inquired"), Way::None),
        _ => return None,
    };
    Some(drawn(say, entry, what, way, (entry.amount, entry.fee)))
}

fn drawn(say: &Say, entry: &Entry, what: String, way: Way, (amount, fee): (i64, i64)) -> Line {
    let signed = |cents: i64| match way {
        Way::In => format!("+{}", say.money(&cents)),
        Way::None | Way::Declined => say.money(&cents),
        Way::Out => say.money(&-cents),
    };
    let has_money = amount != 0 && !matches!(way, Way::None);
    let is_declined = matches!(way, Way::Declined);
    Line {
        seq: entry.seq,
        when: when(&entry.at, say.language()),
        at: entry.at.clone(),
        what,
        amount: has_money.then(|| signed(amount)),
        fee: (has_money && fee != 0 && !is_declined).then(|| signed(fee)),
        place: place(say, entry),
        reason: is_declined.then(|| reason(say, entry)),
        class: match way {
            Way::Declined => "declined",
            Way::In => "in",
            Way::None => "told",
            Way::Out => "out",
        },
        is_notice: is_told(&entry.kind, entry.source.as_deref().unwrap_or_default()),
    }
}

/// A clearing line that changed what was posted: `change` is what it did to the balance's debit.
fn cleared(say: &Say, entry: &Entry) -> Line {
    let kind = entry.cleared_as.as_deref().unwrap_or_default();
    let key = match kind {
        "charged_back" => "card-line-charged-back",
        "refunded" => "card-line-refunded",
        "forced" => "card-line-forced",
        _ => "card-line-adjusted",
    };
    let way = if entry.change + entry.fee_change < 0 { Way::In } else { Way::Out };
    let money = match way {
        Way::In => (-entry.change, -entry.fee_change),
        Way::Declined | Way::None | Way::Out => (entry.change, entry.fee_change),
    };
    drawn(say, entry, say.text(key), way, money)
}

/// What kind of transaction it is, by the messages' own rules of reading.
fn deed(entry: &Entry) -> &'static str {
    let kind = entry.processing_code.get(..2).unwrap_or_default();
    match (kind, entry.channel.as_deref()) {
        ("01" | "17", _) | (_, Some("cashpoint")) => "withdrawal",
        ("31", _) => "inquired",
        ("20", _) => "refund-pending",
        (_, Some("online")) => "online",
        (_, Some(_)) => "purchase",
        _ if matches!(entry.mcc.as_deref(), Some("6010" | "6011")) => "withdrawal",
        _ if matches!(entry.entry_mode.get(..2), Some("09" | "10" | "81" | "82")) => "online",
        _ if entry.entry_mode.starts_with("01") => "online",
        _ => "purchase",
    }
}

fn source(entry: &Entry) -> &'static str {
    match entry.source.as_deref() {
        Some("branch_cash") => "card-line-loaded-cash",
        Some("card") => "card-line-loaded-card",
        Some("opening") => "card-line-loaded-opening",
        _ => "card-line-loaded-upn",
    }
}

/// What changed of state and ticks, against the last time that both were told.
fn controls(say: &Say, entry: &Entry, older: Option<&Entry>) -> String {
    let state = entry.state.as_deref().unwrap_or_default();
    let before = older.and_then(|older| older.state.as_deref());
    if before != Some(state) {
        let key = match (state, before) {
            ("active", Some("locked")) => "card-line-unlocked",
            ("active", _) => "card-line-active",
            ("locked", _) => "card-line-locked",
            ("lost", _) => "card-line-lost",
            ("stolen", _) => "card-line-stolen",
            _ => "card-line-state",
        };
        return say.text(key);
    }
    let now = entry.channels.unwrap_or_default();
    let was = older.and_then(|older| older.channels).unwrap_or_default();
    let changes = [
        ("online", was.online, now.online),
        ("abroad", was.abroad, now.abroad),
        ("cashpoint", was.cashpoint, now.cashpoint),
    ];
    let told: Vec<String> = changes
        .iter()
        .filter(|(_, was, now)| was != now)
        .map(|(name, _, now)| {
            let title = say.text(&format!("card-tick-{name}"));
            say.with(if *now { "card-line-on" } else { "card-line-off" }, "channel", title)
        })
        .collect();
    if told.is_empty() { say.text("card-line-controls") } else { told.join(", ") }
}

fn reason(say: &Say, entry: &Entry) -> String {
    let is_it = |reason: &&Reason| {
        reason.name() == entry.reason
            && reason.response_code().as_slice() == entry.response_code.as_bytes()
    };
    let words = Reason::ALL.iter().find(is_it).map_or("", |reason| match say.language() {
        Language::English => reason.words_en(),
        Language::Slovene => reason.words_sl(),
    });
    let ticks: Vec<String> = entry
        .missing
        .iter()
        .map(|name| say.text(&format!("card-tick-{}", name.to_lowercase())))
        .collect();
    if ticks.is_empty() {
        return words.to_owned();
    }
    let mut places = FluentArgs::new();
    places.set("reason", words);
    places.set("ticks", ticks.join(", "));
    say.filled("card-line-ticks-missing", &places)
}

fn place(say: &Say, entry: &Entry) -> String {
    let kind = entry.mcc.as_deref().and_then(|mcc| say.maybe(&format!("mcc-{mcc}")));
    let country = entry.country.as_deref().map(|country| {
        say.maybe(&format!("country-{country}")).unwrap_or_else(|| country.to_owned())
    });
    let merchant = entry.merchant.clone();
    let held = entry.held.then(|| say.text("card-line-held"));
    let parts = [kind, merchant, country, held];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// `22. 11. 2026 ob 14.05`, `22 Nov 2026, 14:05`: the time of the place where the card is at home.
#[must_use]
pub fn when(at: &str, language: Language) -> String {
    at.parse().map_or_else(|_| at.to_owned(), |moment| said(moment, language))
}

/// The same of a moment in milliseconds since 1970.
#[must_use]
pub fn when_ms(unix_ms: i64, language: Language) -> String {
    Timestamp::from_millisecond(unix_ms)
        .map_or_else(|_| String::new(), |moment| said(moment, language))
}

fn said(moment: Timestamp, language: Language) -> String {
    let zone = TimeZone::get(ZONE).unwrap_or(TimeZone::UTC);
    let format = match language {
        Language::English => "%-d %b %Y, %H:%M",
        Language::Slovene => "%-d. %-m. %Y ob %-H.%M",
    };
    moment.to_zoned(zone).strftime(format).to_string()
}

const ZONE: &str = "Europe/Ljubljana";
/// Kinds of entries that a holder is told of.
const NOTICES: [&str; 10] = [
    "controls_set",
    "declined",
    "declined_elsewhere",
    "declines_counted",
    "file_action",
    "limits_set",
    "load_taken_back",
    "loaded",
    "pin_changed",
    "refund_pending",
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use serde_json::json;

    use super::*;
    use crate::page::texts::Texts;

    fn told(language: Language, items: &[Value]) -> Vec<Line> {
        lines(&Texts::built_in().unwrap().say(language), items, &Merchants::default())
    }

    #[test]
    fn a_withdrawal_shows_its_fee_as_an_own_line() {
        let item = json!({"seq": 7, "at": "2026-11-22T13:05:00.000Z", "kind": "authorized",
            "processing_code": "010000", "mcc": "6011", "channel": "cashpoint", "country": "SI",
            "amount": 50_00, "fee": 15_00, "response_code": "00", "reason": "approved"});
        let [line] = told(Language::Slovene, std::slice::from_ref(&item)).try_into().unwrap();
        assert_eq!(line.what, "Dvig gotovine");
        assert_eq!(line.amount.as_deref(), Some("\u{2212}50,00\u{a0}€"));
        assert_eq!(line.fee.as_deref(), Some("\u{2212}15,00\u{a0}€"));
        assert_eq!(line.when, "22. 11. 2026 ob 14.05");
        assert!(!line.is_notice);
    }

    #[test]
    fn a_decline_says_why_and_which_tick_is_off() {
        let item = json!({"seq": 8, "at": "2026-11-22T13:05:00.000Z", "kind": "declined",
            "processing_code": "000000", "mcc": "5411", "country": "HR", "amount": 12_00, "fee": 0,
            "entry_mode": "051", "response_code": "57", "reason": "channel_off",
            "missing": ["ABROAD"]});
        let [line] = told(Language::English, std::slice::from_ref(&item)).try_into().unwrap();
        let reason = "This way of paying is switched off: Payments abroad";
        assert_eq!(line.reason.as_deref(), Some(reason));
        assert_eq!(line.place, "Groceries · Croatia");
        assert_eq!((line.class, line.is_notice), ("declined", true));
    }

    #[test]
    fn a_change_says_what_is_otherwise_than_before() {
        let all = json!({"online": true, "abroad": true, "cashpoint": true});
        let less = json!({"online": true, "abroad": false, "cashpoint": true});
        let items = [
            json!({"seq": 4, "kind": "controls_set", "state": "locked", "channels": less}),
            json!({"seq": 3, "kind": "controls_set", "state": "active", "channels": less}),
            json!({"seq": 2, "kind": "loaded", "amount": 5_00, "source": "upn"}),
            json!({"seq": 1, "kind": "issued", "state": "active", "channels": all}),
        ];
        let lines = told(Language::English, &items);
        let what: Vec<&str> = lines.iter().map(|line| line.what.as_str()).collect();
        let wanted =
            ["Card locked", "Payments abroad switched off", "Loaded by UPN", "Card issued"];
        assert_eq!(what, wanted);
        assert_eq!(lines[2].amount.as_deref(), Some("+€5.00"));
    }

    #[test]
    fn an_opening_balance_is_no_news_and_other_loads_are() {
        let item = |source| json!({"seq": 2, "kind": "loaded", "amount": 5_00, "source": source});
        for (source, is_news) in [("opening", false), ("upn", true), ("branch_cash", true)] {
            assert_eq!(is_notice(&item(source)), is_news, "{source}");
            let [line] = told(Language::Slovene, &[item(source)]).try_into().unwrap();
            assert_eq!(line.is_notice, is_news, "{source}");
        }
    }

    #[test]
    fn what_concerns_only_the_switch_makes_no_line() {
        let items = [
            json!({"seq": 1, "kind": "cleared", "change": 0, "fee_change": 0}),
            json!({"seq": 2, "kind": "reversal_remembered"}),
            json!({"seq": 3, "kind": "script_asked"}),
        ];
        assert!(told(Language::English, &items).is_empty());
    }
}
