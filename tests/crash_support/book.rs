//! What was asked and answered, and what that must have done to the cards: the test's own books.
//!
//! The rules are written down a second time, as plainly as can be, and every entry of a dumped
//! journal is held against them.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use serde_json::Value;

use super::message::{Ask, Kind, Name, Reply, pan};

/// What every card starts with, in cents.
pub const OPENING: i64 = 1_000_000_00;

/// What the card that runs dry starts with, in cents.
pub const POOR: i64 = 60_00;

/// The place of the card that runs dry in the card file.
pub const POOR_CARD: usize = 1;

/// What a card of the file starts with.
pub fn opening(card: usize) -> i64 {
    if card == POOR_CARD { POOR } else { OPENING }
}

/// A card file of `count` cards, everything ticked, without limits.
pub fn card_file(count: usize) -> String {
    let mut text = String::new();
    for card in 0..count {
        let (euros, cents) = (opening(card) / 100, opening(card) % 100);
        write!(
            text,
            "[[card]]\nname = \"{}\"\npan = \"{}\"\nexpiry = \"2030-12\"\nmok_id = \"{}\"\n\
             balance = \"{euros}.{cents:02}\"\nchannels = [\"online\", \"abroad\", \"cashpoint\"]\n\
             pin = \"1234\"\nlimits = \"off\"\n",
            name(card),
            pan(card),
            100_000_000 + card,
        )
        .unwrap();
    }
    text
}

/// The name of the card at this place of the file.
pub fn name(card: usize) -> String {
    format!("c{card:05}")
}

/// The cashpoint fee: the greater of 15 euros and 5 %, half a cent up.
fn fee(cents: i64) -> i64 {
    1500.max((cents * 5 + 50) / 100)
}

/// A card as the dumped entries and the test's own rules have it.
#[derive(Clone, Debug)]
pub struct Standing {
    pub balance: i64,
    pub available: i64,
    pub state: String,
    pub channels: Value,
    pub tries: i64,
    pub last_seq: u64,
    /// Of the controls, as each entry has set them.
    pub versions: Vec<u64>,
    /// Of the chip, as they were approved.
    pub counters: HashSet<u16>,
}

/// What was asked, and what was answered first.
#[derive(Default)]
pub struct Book {
    asked: HashMap<Name, (Ask, Option<Reply>)>,
}

impl Book {
    /// Notes what a connection said and heard.
    pub fn note(&mut self, said: Vec<(Ask, Option<Reply>)>) {
        for (ask, reply) in said {
            let (_, known) = self.asked.entry(ask.key()).or_insert((ask, None));
            match (&known, reply) {
                (Some(first), Some(reply)) => assert_eq!(*first, reply, "a repeat is the same"),
                (None, reply) => *known = reply,
                (Some(_), None) => {}
            }
        }
    }

    /// Everything that was asked, with its answer.
    pub fn all(&self) -> impl Iterator<Item = &(Ask, Option<Reply>)> {
        self.asked.values()
    }

    /// How many approvals were heard.
    pub fn approved(&self) -> usize {
        self.all().filter(|(_, reply)| reply.as_ref().is_some_and(Reply::is_approved)).count()
    }

    /// Holds a journal against what was heard: every approval is there once, every entry is one
    /// that was asked for, and every balance is what the rules make it.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self, dump: &[Value]) -> Result<HashMap<String, Standing>, String> {
        let mut fold = Fold { book: self, cards: HashMap::new(), seen: HashMap::new() };
        fold.open(dump)?;
        let heard = self.all().filter_map(|(ask, reply)| Some((ask, reply.as_ref()?)));
        for (ask, reply) in heard {
            // A decline that changed nothing may leave before its entry is durable.
            if !reply.is_approved() && reply.code != "55" {
                continue;
            }
            let Some(entry) = fold.seen.get(&ask.key()) else {
                return Err(format!("LOST: {} was heard for {ask:?}", reply.code));
            };
            if entry["response_code"] != *reply.code
                || entry["auth_code"].as_str() != reply.auth_code.as_deref()
            {
                return Err(format!("{reply:?} was heard, and the journal says {entry}"));
            }
        }
        Ok(fold.cards.into_values().collect())
    }

    /// The same, for a journal that must pass. Declines whose entries were lost are forgotten:
    /// they will be decided anew.
    pub fn must_hold(&mut self, dump: &[Value]) -> HashMap<String, Standing> {
        let standings = self.check(dump).unwrap_or_else(|fault| panic!("{fault}"));
        let key = |entry: &Value| {
            let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
            Some((text("mti").chars().nth(1)?, text("terminal"), text("stan")))
        };
        let durable: HashSet<Name> = dump.iter().filter_map(key).collect();
        for (key, (_, reply)) in &mut self.asked {
            if !durable.contains(key) {
                *reply = None;
            }
        }
        standings
    }
}

struct Fold<'a> {
    book: &'a Book,
    /// By the opaque id: name and standing.
    cards: HashMap<String, (String, Standing)>,
    seen: HashMap<Name, &'a Value>,
}

impl<'a> Fold<'a> {
    fn open(&mut self, dump: &'a [Value]) -> Result<(), String> {
        for (number, entry) in (1..).zip(dump) {
            if entry["seq"] != number {
                return Err(format!("entry {number} has another number: {entry}"));
            }
            self.entry(entry).map_err(|fault| format!("{fault}: {entry}"))?;
        }
        Ok(())
    }

    fn entry(&mut self, entry: &'a Value) -> Result<(), String> {
        let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        let id = text("card");
        let kind = text("kind");
        if kind == "issued" {
            let standing = Standing {
                balance: 0,
                available: 0,
                state: text("state"),
                channels: entry["channels"].clone(),
                tries: 3,
                last_seq: 0,
                versions: Vec::new(),
                counters: HashSet::new(),
            };
            self.cards.insert(id.clone(), (text("name"), standing));
        }
        let Some((name, card)) = self.cards.get_mut(&id) else {
            return Err("of a card that was never issued".to_owned());
        };
        card.last_seq = entry["seq"].as_u64().unwrap_or_default();
        match kind.as_str() {
            "issued" => return Ok(()),
            "controls_set" => {
                card.state = text("state");
                card.channels = entry["channels"].clone();
                card.versions.extend(entry["version"].as_u64());
                return Ok(());
            }
            "loaded" => {
                let cents = entry["amount"].as_i64().unwrap_or_default();
                card.balance += cents;
                card.available += cents;
            }
            "authorized" | "declined" | "reversed" => {
                let key =
                    (text("mti").chars().nth(1).unwrap_or('?'), text("terminal"), text("stan"));
                let Some((ask, _)) = self.book.asked.get(&key) else {
                    return Err("nobody asked for this".to_owned());
                };
                if super::book::name(ask.card) != *name {
                    return Err("it was asked for another card".to_owned());
                }
                if kind == "authorized" && card.state != "active" {
                    return Err("approved while the card was off".to_owned());
                }
                let original = |key: &Name| self.seen.get(key).is_some_and(|e| approved(e));
                apply(card, ask, entry, original)?;
                if self.seen.insert(key, entry).is_some() {
                    return Err("its key has an entry already".to_owned());
                }
            }
            other => return Err(format!("an entry of kind {other} is not expected")),
        }
        let told = (entry["balance_after"].as_i64(), entry["available_after"].as_i64());
        if told != (Some(card.balance), Some(card.available)) {
            return Err(format!("balances should be {} and {}", card.balance, card.available));
        }
        if card.available < 0 {
            return Err("below zero".to_owned());
        }
        Ok(())
    }
}

fn approved(entry: &Value) -> bool {
    entry["response_code"] == "00"
}

/// What the rules say that an entry did to its card.
fn apply(
    card: &mut Standing,
    ask: &Ask,
    entry: &Value,
    original_stands: impl Fn(&Name) -> bool,
) -> Result<(), String> {
    let cents = i64::try_from(ask.cents).unwrap();
    match (ask.kind, approved(entry)) {
        (Kind::Hold, true) => card.available -= cents,
        (Kind::Purchase, true) => {
            card.balance -= cents;
            card.available -= cents;
        }
        (Kind::Withdrawal | Kind::WithChip(_), true) => {
            card.balance -= cents + fee(cents);
            card.available -= cents + fee(cents);
            if let Kind::WithChip(atc) = ask.kind
                && !card.counters.insert(atc)
            {
                return Err(format!("the counter {atc} was approved before"));
            }
        }
        (Kind::Reversal { mti, stan }, true) => {
            let original = Ask::new(kind_of(mti), ask.card, ask.cents, ask.terminal, stan);
            if !original_stands(&original.key()) {
                return Err("it gives back what was never taken".to_owned());
            }
            card.available += cents;
            if mti == 200 {
                card.balance += cents;
            }
        }
        (Kind::WithPin(pin), is_approved) => {
            match (pin == "1234", entry["response_code"].as_str()) {
                (true, Some("00")) => card.tries = 3,
                (false, Some("55")) => card.tries -= 1,
                (_, Some("75")) if card.tries == 0 => {}
                (_, code) => return Err(format!("{code:?} with {} tries left", card.tries)),
            }
            if entry["pin_tries_left"].as_i64().is_some_and(|left| left != card.tries) {
                return Err(format!("{} tries are left", card.tries));
            }
            if is_approved {
                card.balance -= cents;
                card.available -= cents;
            }
        }
        (_, false) => {}
    }
    Ok(())
}

fn kind_of(mti: u16) -> Kind {
    if mti == 100 { Kind::Hold } else { Kind::Purchase }
}
