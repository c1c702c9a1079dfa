//! An entry as people and programs read it: one JSON object, the same in API, events and dumps.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use cekr_iso8583::Pan;
use cekr_issuer::entry::{Answered, Authorized, Issued, Loaded, NO_MERCHANT, NO_RRN};
use cekr_issuer::reply::auth_code;
use cekr_issuer::{Controls, Entry, Fact, Seq};

use crate::control::ChannelsView;
use crate::keyring::Keyring;
use crate::shard::Shard;

/// The object of `entry`, whose number is `seq`.
#[must_use]
pub fn json(shard: &Shard, seq: Seq, entry: &Entry) -> Value {
    let pan = shard.cards().by_id(entry.card).and_then(crate::table::Cell::pan);
    json_of(shard.keyring(), pan, seq, entry)
}

/// The object of `entry`, whose number is `seq`, where there is no shard: with the directory's
/// keys, and the card's number as far as it is known.
#[must_use]
pub fn json_of(keyring: &Keyring, pan: Option<Pan>, seq: Seq, entry: &Entry) -> Value {
    let mut object = Map::new();
    object.insert("seq".to_owned(), json!(seq.0));
    object.insert("at".to_owned(), json!(moment(entry.at)));
    object.insert("kind".to_owned(), json!(entry.kind()));
    object.insert("card".to_owned(), json!(keyring.card_id(entry.card.0).to_string()));
    if let Some(pan) = pan {
        object.insert("pan_masked".to_owned(), json!(pan.masked().to_string()));
    }
    add_fact(&mut object, seq, &entry.fact);
    Value::Object(object)
}

fn add_fact(object: &mut Map<String, Value>, seq: Seq, fact: &Fact) {
    match fact {
        Fact::Authorized(fact) => add_authorized(object, seq, fact),
        Fact::ControlsSet(controls) => add_controls(object, *controls),
        Fact::Declined(answered) => {
            add_answered(object, answered);
            if !answered.missing.is_empty() {
                let missing: Vec<&str> = answered.missing.names().collect();
                object.insert("missing".to_owned(), json!(missing));
            }
        }
        Fact::DeclinesCounted { count } => add(object, "count", *count),
        Fact::HoldExpired(fact) => {
            add(object, "amount", fact.amount.minor());
            add(object, "fee", fact.fee.minor());
            add(object, "currency", "EUR");
            add(object, "original_seq", fact.original.0);
        }
        Fact::Inquired(answered) => {
            add_answered(object, answered);
            add(object, "auth_code", auth_code(seq).to_string());
        }
        Fact::Issued(fact) => add_issued(object, fact),
        Fact::Loaded(fact) => add_loaded(object, fact),
        Fact::RefundPending(fact) => {
            add_answered(object, &fact.answered);
            add(object, "auth_code", auth_code(seq).to_string());
            if fact.original != Seq::NONE {
                add(object, "original_seq", fact.original.0);
            }
        }
        Fact::ReversalRemembered(fact) => {
            add_answered(object, &fact.answered);
            add(object, "original_stan", format!("{:06}", fact.original.stan));
            add(object, "original_transmitted", format!("{:010}", fact.original.when));
        }
        Fact::Reversed(fact) => {
            add_answered(object, &fact.answered);
            if fact.original != Seq::NONE {
                add(object, "original_seq", fact.original.0);
            }
            add(object, "amount_left", fact.amount_left.minor());
            add(object, "fee_left", fact.fee_left.minor());
            add(object, "parked", fact.parked);
        }
    }
}

fn add_authorized(object: &mut Map<String, Value>, seq: Seq, fact: &Authorized) {
    add_answered(object, &fact.answered);
    add(object, "auth_code", auth_code(seq).to_string());
    add(object, "channel", fact.place.name());
    if fact.cash.minor() > 0 {
        add(object, "cash", fact.cash.minor());
    }
    add(object, "held", fact.hold_days > 0);
    if fact.hold_days > 0 {
        add(object, "hold_days", fact.hold_days);
    }
}

fn add_answered(object: &mut Map<String, Value>, answered: &Answered) {
    add(object, "mti", answered.mti.to_string());
    add(object, "stan", format!("{:06}", answered.key.stan));
    add(object, "terminal", answered.key.terminal.to_string());
    if let Some(acquirer) = answered.key.acquirer_number() {
        add(object, "acquirer", acquirer.to_string());
    }
    if answered.rrn != NO_RRN {
        add(object, "rrn", answered.rrn.to_string());
    }
    add(object, "transmitted", format!("{:010}", answered.key.when));
    add(object, "processing_code", answered.processing_code.to_string());
    add(object, "entry_mode", format!("{:03}", answered.entry_mode.number()));
    add(object, "mcc", answered.mcc.to_string());
    if answered.merchant != NO_MERCHANT {
        add(object, "merchant", answered.merchant.to_string());
    }
    if let Ok(country) = std::str::from_utf8(&answered.country)
        && answered.country != [0; 2]
    {
        add(object, "country", country);
    }
    add(object, "amount", answered.amount.minor());
    add(object, "fee", answered.fee.minor());
    add(object, "currency", "EUR");
    if answered.currency != cekr_iso8583::CurrencyCode::EUR {
        add(object, "transaction_amount", answered.transaction_amount.minor());
        add(object, "transaction_currency", answered.currency.to_string());
    }
    let code = answered.reason.response_code();
    add(object, "response_code", String::from_utf8_lossy(&code).into_owned());
    add(object, "reason", answered.reason.name());
    if let Some(tries) = answered.pin_tries {
        add(object, "pin_tries_left", tries);
    }
    add(object, "balance_after", answered.balance.minor());
    add(object, "available_after", answered.available.minor());
}

fn add_controls(object: &mut Map<String, Value>, controls: Controls) {
    add(object, "state", controls.status.name());
    add(object, "channels", json!(ChannelsView::from(controls.ticks)));
    let expiry = controls.expiry;
    add(object, "expiry", format!("20{:02}-{:02}", expiry.year(), expiry.month()));
    add(object, "version", controls.version);
}

fn add_issued(object: &mut Map<String, Value>, fact: &Issued) {
    add(object, "name", fact.name.as_str());
    add(object, "mok_id", format!("{:09}", fact.mok_id));
    add_controls(object, fact.controls);
    add(object, "limited", fact.limited);
}

fn add_loaded(object: &mut Map<String, Value>, fact: &Loaded) {
    add(object, "amount", fact.amount.minor());
    add(object, "currency", "EUR");
    add(object, "source", fact.source.name());
    add(object, "reference", fact.reference.as_str());
    add(object, "balance_after", fact.balance.minor());
    add(object, "available_after", fact.available.minor());
}

fn add(object: &mut Map<String, Value>, key: &str, value: impl Into<Value>) {
    object.insert(key.to_owned(), value.into());
}

/// RFC 3339 in UTC with milliseconds.
fn moment(unix_ms: u64) -> String {
    let ms = i64::try_from(unix_ms).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(ms).map(|at| format!("{at:.3}")).unwrap_or_default()
}
