//! An entry as people and programs read it: one JSON object, the same in API, events and dumps.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use cekr_emv::issuer::{Command, Letter, Order};
use cekr_iso8583::{Mcc, MerchantId, Pan, Rrn};
use cekr_issuer::confirmation::{ConfirmationStep, NewConfirmation, Payee};
use cekr_issuer::entry::{
    Answered, Authority, Authorized, BankLine, Cleared, Completed, Consent, Issued, LineKey,
    LineParked, LoadName, LoadTakenBack, Loaded, MaskedPan, NO_MERCHANT, NO_RRN, Parked,
    Reconciled, ReversalFate, Reversed, Sum, SuspenseHeld, SuspenseReleased,
};
use cekr_issuer::network::NO_TERMINAL;
use cekr_issuer::proof::letter_of;
use cekr_issuer::reply::auth_code;
use cekr_issuer::{About, Balance, ChipScript, Controls, Entry, Fact, Seq};

use crate::control::{ChannelsView, LimitsView};
use crate::keyring::Keyring;
use crate::shard::Shard;

/// The object of `entry`, whose number is `seq`.
#[must_use]
pub fn json(shard: &Shard, seq: Seq, entry: &Entry) -> Value {
    let cell = entry.card().and_then(|card| shard.cards().by_id(card));
    let pan = cell.and_then(crate::table::Cell::pan);
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
    match entry.about {
        About::Card(card) => add(&mut object, "card", keyring.card_id(card.0).to_string()),
        About::Desk(desk) => add(&mut object, "desk", desk.name()),
    }
    if let Some(pan) = pan {
        object.insert("pan_masked".to_owned(), json!(pan.masked().to_string()));
    }
    add_fact(&mut object, seq, &entry.fact);
    if let Fact::SuspenseAssigned(fact) = &entry.fact {
        add(&mut object, "assigned_to", keyring.card_id(fact.card.0).to_string());
    }
    Value::Object(object)
}

fn add_fact(object: &mut Map<String, Value>, seq: Seq, fact: &Fact) {
    match fact {
        Fact::Authorized(fact) => add_authorized(object, seq, fact),
        Fact::Cleared(fact) => add_cleared(object, fact),
        Fact::Completed(fact) => add_completed(object, seq, fact),
        Fact::Confirmation(step) => add_confirmation(object, step),
        Fact::ControlsSet(controls) => add_controls(object, *controls),
        Fact::Declined(answered) => {
            add_answered(object, answered);
            if !answered.missing.is_empty() {
                let missing: Vec<&str> = answered.missing.names().collect();
                object.insert("missing".to_owned(), json!(missing));
            }
        }
        Fact::CutOver(answered) => add_link(object, answered),
        Fact::DeclinedElsewhere(answered) => add_answered(object, answered),
        Fact::FileActioned(fact) => {
            add_link(object, &fact.answered);
            add_controls(object, fact.controls);
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
        Fact::LimitsSet(limits) => add(object, "limits", json!(LimitsView::from(*limits))),
        Fact::LineParked(fact) => add_line_parked(object, fact),
        Fact::LoadTakenBack(fact) => add_taken_back(object, fact),
        Fact::Loaded(fact) => add_loaded(object, fact),
        Fact::Parked(fact) => add_parked(object, fact),
        Fact::PinChanged(fact) => {
            add_answered(object, &fact.answered);
            add(object, "auth_code", auth_code(seq).to_string());
        }
        Fact::PointsExpired(fact) => {
            add(object, "points", fact.points);
            add(object, "expired_on", fact.month.last_day().to_string());
        }
        Fact::PointsTakenBack(fact) => {
            add(object, "points", fact.points);
            add(object, "of_seq", fact.of.0);
        }
        Fact::Reconciled(fact) => add_reconciled(object, fact),
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
        Fact::Reversed(fact) => add_reversed(object, fact),
        Fact::ScriptAsked(fact) => {
            add(object, "script", fact.number);
            add_order(object, fact.order);
        }
        Fact::ScriptSettled(fact) => {
            add(object, "script", fact.number);
            add_order(object, fact.order);
            add(object, "outcome", fact.outcome_name());
            add(object, "sends", fact.sends);
            if fact.sends > 0 {
                add(object, "atc", u16::from_be_bytes(fact.at));
            }
        }
        Fact::SuspenseAssigned(fact) => add_suspense(object, fact.line, fact.amount, fact.item),
        Fact::SuspenseHeld(fact) => add_held(object, seq, fact),
        Fact::SuspenseReleased(fact) => add_released(object, fact),
    }
}

fn add_confirmation(object: &mut Map<String, Value>, step: &ConfirmationStep) {
    match step {
        ConfirmationStep::Approved(id)
        | ConfirmationStep::Failed(id)
        | ConfirmationStep::Pushed(id) => add(object, "confirmation", id.to_string()),
        ConfirmationStep::Asked(new) => add_confirmed(object, new),
        ConfirmationStep::Ended(id, end) => {
            add(object, "confirmation", id.to_string());
            add(object, "confirmation_state", end.state().name());
        }
        ConfirmationStep::Sealed(sealed) => {
            add_confirmed(object, &sealed.purchase);
            add(object, "confirmation_number", sealed.number.to_string());
            add(object, "second_factor", sealed.factor.number());
            if let Some(exemption) = sealed.exemption {
                add(object, "exemption", exemption.name());
            }
        }
        ConfirmationStep::Unblocked => {}
    }
}

/// What the holder sees of a purchase, without the shop's name, which is not kept here.
fn add_confirmed(object: &mut Map<String, Value>, new: &NewConfirmation) {
    add(object, "confirmation", new.id.to_string());
    add(object, "transaction_amount", new.amount.minor());
    add(object, "transaction_currency", new.currency.to_string());
    if let Payee::Merchant(merchant) = new.payee {
        add(object, "merchant", merchant.to_string());
    }
}

fn add_bank_line(object: &mut Map<String, Value>, line: BankLine) {
    add(object, "statement_key", line.key.to_string());
    add(object, "booked_on", line.booked_on.to_string());
}

fn add_load_name(object: &mut Map<String, Value>, name: &LoadName) {
    match name {
        LoadName::Line(line) => add_bank_line(object, *line),
        LoadName::Reference(reference) => add(object, "reference", reference.as_str()),
    }
}

fn add_suspense(object: &mut Map<String, Value>, line: BankLine, amount: Balance, item: Seq) {
    add(object, "item", item.0);
    add(object, "amount", amount.minor());
    add(object, "currency", "EUR");
    add_bank_line(object, line);
}

fn add_held(object: &mut Map<String, Value>, seq: Seq, fact: &SuspenseHeld) {
    add_suspense(object, fact.line, fact.amount, seq);
    add(object, "reason", fact.reason.name());
    if let Some(mok_id) = fact.mok_id {
        add(object, "mok_id", format!("{mok_id:09}"));
    }
    if let Some(of) = fact.of {
        add(object, "of_key", of.to_string());
    }
}

fn add_released(object: &mut Map<String, Value>, fact: &SuspenseReleased) {
    add_suspense(object, fact.line, fact.amount, fact.item);
    add(object, "cause", fact.cause.name());
    if let Some(by) = fact.by {
        add(object, "by_key", by.key.to_string());
        add(object, "by_booked_on", by.booked_on.to_string());
    }
}

fn add_taken_back(object: &mut Map<String, Value>, fact: &LoadTakenBack) {
    add(object, "amount", fact.amount.minor());
    add(object, "currency", "EUR");
    add(object, "cause", fact.cause.name());
    add_load_name(object, &fact.name);
    if fact.load != Seq::NONE {
        add(object, "original_seq", fact.load.0);
        add(object, "amount_left", fact.left.minor());
    }
    add(object, "balance_after", fact.balance.minor());
    add(object, "available_after", fact.available.minor());
    if fact.available.minor() < 0 {
        add(object, "overdrawn", true);
    }
}

fn add_completed(object: &mut Map<String, Value>, seq: Seq, fact: &Completed) {
    add_answered(object, &fact.answered);
    add(object, "auth_code", auth_code(seq).to_string());
    add(object, "original_seq", fact.original.0);
    add(object, "held_before", fact.held.minor());
    if !fact.parked.is_zero() {
        add(object, "parked_amount", fact.parked.minor());
    }
    add_overdrawn(object, &fact.answered);
}

fn add_parked(object: &mut Map<String, Value>, fact: &Parked) {
    add_answered(object, &fact.answered);
    add(object, "cause", fact.cause.name());
    if fact.original != Seq::NONE {
        add(object, "original_seq", fact.original.0);
    }
    add_stranger(object, fact.stranger);
}

fn add_stranger(object: &mut Map<String, Value>, stranger: Option<MaskedPan>) {
    if let Some(MaskedPan { first_six, last_four }) = stranger {
        add(object, "pan_masked", format!("{first_six:06}******{last_four:04}"));
    }
}

fn add_line(object: &mut Map<String, Value>, line: LineKey) {
    add(object, "file", format!("{:016x}", line.file));
    add(object, "line", line.line);
}

fn add_cleared(object: &mut Map<String, Value>, fact: &Cleared) {
    add_line(object, fact.line);
    add(object, "cleared_as", fact.how.name());
    if fact.original != Seq::NONE {
        add(object, "original_seq", fact.original.0);
    }
    add(object, "channel", fact.place.name());
    add(object, "change", fact.change.minor());
    add(object, "fee_change", fact.fee_change.minor());
    add(object, "currency", "EUR");
    add(object, "held_before", fact.held.minor());
    if !fact.parked.is_zero() {
        add(object, "parked_amount", fact.parked.minor());
    }
    add_merchant(object, fact.rrn, fact.mcc, fact.merchant);
    if let Some(earned) = fact.earned {
        add(object, "points", earned.points);
        add(object, "points_rule", earned.rule);
        if let Some(month) = earned.expires {
            add(object, "points_expire_on", month.last_day().to_string());
        }
    }
    add(object, "balance_after", fact.balance.minor());
    add(object, "available_after", fact.available.minor());
    if fact.available.minor() < 0 {
        add(object, "overdrawn", true);
    }
}

fn add_line_parked(object: &mut Map<String, Value>, fact: &LineParked) {
    add_line(object, fact.line);
    add_stranger(object, fact.stranger);
    add(object, "cause", fact.cause.name());
    if fact.original != Seq::NONE {
        add(object, "original_seq", fact.original.0);
    }
    add(object, "amount", fact.amount.minor());
    add(object, "currency", "EUR");
    add_merchant(object, fact.rrn, fact.mcc, fact.merchant);
}

fn add_merchant(object: &mut Map<String, Value>, rrn: Rrn, mcc: Mcc, merchant: MerchantId) {
    if rrn != NO_RRN {
        add(object, "rrn", rrn.to_string());
    }
    add(object, "mcc", mcc.to_string());
    if merchant != NO_MERCHANT {
        add(object, "merchant", merchant.to_string());
    }
}

fn add_reconciled(object: &mut Map<String, Value>, fact: &Reconciled) {
    add_link(object, &fact.answered);
    let totals = &fact.totals;
    let each = [
        ("credits", totals.credits),
        ("credit_reversals", totals.credit_reversals),
        ("debits", totals.debits),
        ("debit_reversals", totals.debit_reversals),
    ];
    for (name, total) in each {
        let total = json!({ "count": total.count, "amount": total.amount.minor() });
        add(object, name, total);
    }
}

fn add_reversed(object: &mut Map<String, Value>, fact: &Reversed) {
    add_answered(object, &fact.answered);
    if fact.original != Seq::NONE {
        add(object, "original_seq", fact.original.0);
    }
    add(object, "amount_left", fact.amount_left.minor());
    add(object, "fee_left", fact.fee_left.minor());
    add(object, "parked", fact.fate != ReversalFate::Done);
    if fact.fate == ReversalFate::Disputed {
        add(object, "disputed", true);
    }
}

/// An account below zero is flagged: only what happened elsewhere can bring it there.
fn add_overdrawn(object: &mut Map<String, Value>, answered: &Answered) {
    if answered.available.minor() < 0 {
        add(object, "overdrawn", true);
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
    match fact.consent {
        Consent::Confirmed(number) => add(object, "confirmation_number", number.to_string()),
        Consent::Exempt => add(object, "exempt", true),
        Consent::NotAsked => {}
    }
    match fact.sum {
        Sum::AddsTo(first) => add(object, "adds_to_seq", first.0),
        Sum::Estimated => add(object, "estimated", true),
        Sum::Exact => {}
    }
    if fact.authority == Authority::Elsewhere {
        add(object, "advice", true);
        add_overdrawn(object, &fact.answered);
    }
}

/// What every message has, whatever it is about: type, key, answer.
fn add_link(object: &mut Map<String, Value>, answered: &Answered) {
    add_key(object, answered);
    add_response(object, answered);
}

fn add_key(object: &mut Map<String, Value>, answered: &Answered) {
    add(object, "mti", answered.mti.to_string());
    add(object, "stan", format!("{:06}", answered.key.stan));
    if answered.key.terminal != NO_TERMINAL {
        add(object, "terminal", answered.key.terminal.to_string());
    }
    if let Some(acquirer) = answered.key.acquirer_number() {
        add(object, "acquirer", acquirer.to_string());
    }
    add(object, "transmitted", format!("{:010}", answered.key.when));
}

fn add_response(object: &mut Map<String, Value>, answered: &Answered) {
    let code = answered.reason.response_code();
    add(object, "response_code", String::from_utf8_lossy(&code).into_owned());
    add(object, "reason", answered.reason.name());
}

fn add_answered(object: &mut Map<String, Value>, answered: &Answered) {
    add_key(object, answered);
    if answered.rrn != NO_RRN {
        add(object, "rrn", answered.rrn.to_string());
    }
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
    add_response(object, answered);
    if let Some(tries) = answered.pin_tries {
        add(object, "pin_tries_left", tries);
    }
    add_chip(object, answered);
    add(object, "balance_after", answered.balance.minor());
    add(object, "available_after", answered.available.minor());
}

/// The letter of a chip's check, the counter of a right cryptogram, what its chip is to do.
fn add_chip(object: &mut Map<String, Value>, answered: &Answered) {
    let letter = letter_of(answered.reason).or(answered.chip.map(|_| Letter::C));
    if let Some(letter) = letter {
        add(object, "chip_result", format!("{letter:?}"));
    }
    if let Some(seen) = answered.chip {
        add(object, "atc", u16::from_be_bytes(seen.atc));
        if let Some(script) = seen.script {
            add(object, "script", script.name());
        }
    }
}

/// What a chip is to do, as the API is asked for it.
pub(crate) fn add_order(object: &mut Map<String, Value>, order: Order) {
    add(object, "command", ChipScript::of_order(order).name());
    if let Order::Command(Command::PutData(datum)) = order {
        add(object, "tag", format!("{:X}", datum.tag));
        let value: String = datum.value().iter().map(|octet| format!("{octet:02X}")).collect();
        add(object, "value", value);
    }
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
    add_load_name(object, &fact.name);
    add(object, "balance_after", fact.balance.minor());
    add(object, "available_after", fact.available.minor());
}

fn add(object: &mut Map<String, Value>, key: &str, value: impl Into<Value>) {
    object.insert(key.to_owned(), value.into());
}

/// RFC 3339 in UTC with milliseconds.
pub(crate) fn moment(unix_ms: u64) -> String {
    let ms = i64::try_from(unix_ms).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(ms).map(|at| format!("{at:.3}")).unwrap_or_default()
}
