//! What terminals would do, asked for over HTTP: `POST /v1/simulate/...`, only with `--sandbox`.
//!
//! Nothing is short-circuited: a call plays a simulated terminal that speaks ISO 8583 to the
//! switch's own listener, with the card's chip and PIN. What it answers is what the terminal saw.
//! The cards are those of the start's card file: their chips and PINs are known from there alone.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::post;
use axum::{Json, Router};
use cekr_emv::pin::Pin;
use cekr_iso8583::{Framing, Spec};
use cekr_switch::http::ApiError;
use cekr_terminal_sim::cassettes::Cassettes;
use cekr_terminal_sim::chip_session::{ChipSession, IssuerProof};
use cekr_terminal_sim::client::{
    CashpointTerminal, Host, PosTerminal, ShopTerminal, WithdrawOptions,
};
use cekr_terminal_sim::device::reader::{ChipSlot, Reader};
use cekr_terminal_sim::form::{Entry, PinPad, Tender};
use cekr_terminal_sim::link::LinkConfig;
use cekr_terminal_sim::outcome::Outcome;
use cekr_terminal_sim::place::Place;
use cekr_terminal_sim::pos::PosForm;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Mutex, Semaphore};

use crate::cards::CardRecord;
use crate::terminal::{self, Told};

/// Where the simulated terminals connect, and with which cards.
pub(crate) struct Simulator {
    to: String,
    spec: &'static Spec,
    framing: Framing,
    cards: Vec<CardRecord>,
    /// What was done lately, so that it can be taken back or completed by its id.
    done: Mutex<VecDeque<Done>>,
    at_once: Semaphore,
}

struct Done {
    id: String,
    card: String,
    place: Place,
    outcome: Outcome,
}

/// A transaction as the caller asks for it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// Name of the card; not needed where `transaction` tells it.
    card: Option<String>,
    /// Cents.
    amount: Option<u64>,
    /// Of the merchant: two letters; Slovenia when absent.
    country: Option<String>,
    merchant: Option<String>,
    /// `chip`, `contactless`, `stripe` or `key`.
    entry: Option<String>,
    /// What is typed; the card file's PIN when absent, none when empty.
    pin: Option<String>,
    /// The id of an earlier simulation that this one is about.
    transaction: Option<String>,
}

impl Simulator {
    /// Terminals for the listener at `to`.
    pub(crate) fn new(
        to: String,
        spec: &'static Spec,
        framing: Framing,
        cards: Vec<CardRecord>,
    ) -> Self {
        let done = Mutex::default();
        Self { to, spec, framing, cards, done, at_once: Semaphore::new(AT_ONCE_MAX) }
    }

    /// The calls, below the operator's token.
    pub(crate) fn routes(self) -> Router {
        Router::new().route("/v1/simulate/{kind}", post(simulate)).with_state(Arc::new(self))
    }

    /// The calls as the API's description tells them.
    pub(crate) fn description() -> Value {
        let kinds: Vec<&str> = Kind::ALL.into_iter().map(Kind::name).collect();
        let text = |what: &str| json!({ "type": "string", "description": what });
        let asked = json!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "card": text("Name of a card of the start's card file"),
                "amount": { "type": "integer", "minimum": 1, "maximum": AMOUNT_MAX,
                            "description": "Cents" },
                "country": text("Of the merchant, two letters; SI when absent"),
                "merchant": text("Its name, up to 22 characters of ASCII"),
                "entry": { "type": "string", "enum": ["chip", "contactless", "key", "stripe"] },
                "pin": text("What is typed; the card file's PIN when absent, none when empty"),
                "transaction": text("The id of the earlier simulation that this one is about"),
            },
        });
        let operation = json!({
            "operationId": "simulate",
            "summary": "Plays a simulated terminal against the switch's own listener",
            "description": "Only with --sandbox. What it answers is what the terminal saw.",
            "parameters": [{ "name": "kind", "in": "path", "required": true,
                             "schema": { "type": "string", "enum": kinds } }],
            "requestBody": { "required": true,
                             "content": { "application/json": { "schema": asked } } },
            "responses": {
                "200": { "description": "The outcome, a decline included",
                         "content": { "application/json": { "schema": { "type": "object" } } } },
                "default": { "description": "It could not be played",
                             "content": { "application/json": { "schema":
                                 { "$ref": "#/components/schemas/Error" } } } },
            },
        });
        json!({ "paths": { "/v1/simulate/{kind}": { "post": operation } } })
    }

    async fn play(&self, kind: Kind, asked: Asked) -> Result<Value, ApiError> {
        let before = self.named(kind, &asked).await?;
        let card = asked.card.as_ref().or(before.as_ref().map(|(card, ..)| card));
        let card = card.ok_or_else(|| ApiError::invalid("missing", "name a card").of("card"))?;
        let record = self.cards.iter().find(|record| record.name == *card).ok_or_else(|| {
            let message = "the card file of this start has no such card, so its chip is unknown";
            ApiError::not_found(message).of("card")
        })?;
        let place = match &before {
            Some((_, place, _)) => place.clone(),
            None => place(kind, &asked)?,
        };
        let amount = match kind {
            Kind::Balance | Kind::Reversal => 0,
            _ => {
                asked.amount.filter(|cents| (1..=AMOUNT_MAX).contains(cents)).ok_or_else(|| {
                    ApiError::invalid("invalid_amount", "amount is cents, above zero").of("amount")
                })?
            }
        };
        let _seat = self.at_once.acquire().await;
        let mut config = LinkConfig::new(self.spec, self.framing, place.terminal);
        config.stan_first = terminal::drawn();
        let unreachable = |error: cekr_terminal_sim::client::ConnectError| {
            ApiError::try_later(&format!("the switch's own listener: {error}"))
        };
        let host = Host::connect(&self.to, config).await.map_err(unreachable)?;
        let tender = tender(record, kind, &asked)?;
        let original = before.map(|(_, _, outcome)| outcome);
        let outcome = transact(kind, host, &place, record, tender, amount, original).await?;
        let told = Told { step: kind.name(), channel: kind.channel(), card: &record.name };
        let mut answer = terminal::told(told, &record.pan.masked().to_string(), &place, &outcome);
        let id = format!("sim_{:016x}", drawn_id());
        answer.insert("id".to_owned(), json!(id));
        let mut done = self.done.lock().await;
        if done.len() == DONE_MAX {
            done.pop_front();
        }
        done.push_back(Done { id, card: record.name.clone(), place, outcome });
        Ok(Value::Object(answer))
    }

    /// The earlier simulation that this one is about.
    async fn named(
        &self,
        kind: Kind,
        asked: &Asked,
    ) -> Result<Option<(String, Place, Outcome)>, ApiError> {
        let Some(id) = &asked.transaction else {
            return match kind {
                Kind::Completion | Kind::Reversal => {
                    let message = "name the id that an earlier simulation answered with";
                    Err(ApiError::invalid("missing", message).of("transaction"))
                }
                _ => Ok(None),
            };
        };
        let done = self.done.lock().await;
        let found = done.iter().find(|done| done.id == *id);
        let found = found.map(|done| (done.card.clone(), done.place.clone(), done.outcome.clone()));
        found.map(Some).ok_or_else(|| {
            let message = "no simulation of this id is remembered; the newest 1,000 are";
            ApiError::not_found(message).of("transaction")
        })
    }
}

/// `POST /v1/simulate/{kind}`
async fn simulate(
    State(simulator): State<Arc<Simulator>>,
    Path(kind): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let kind = Kind::ALL.into_iter().find(|known| known.name() == kind).ok_or_else(|| {
        let names: Vec<&str> = Kind::ALL.into_iter().map(Kind::name).collect();
        ApiError::not_found(format!("what can be simulated: {}", names.join(", ")))
    })?;
    let asked = serde_json::from_slice(&body)
        .map_err(|error| ApiError::invalid("invalid_body", error.to_string()))?;
    simulator.play(kind, asked).await.map(Json)
}

/// What can be simulated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Balance,
    Completion,
    OnlinePurchase,
    Preauthorization,
    Purchase,
    Refund,
    Reversal,
    Withdrawal,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::Balance,
        Self::Completion,
        Self::OnlinePurchase,
        Self::Preauthorization,
        Self::Purchase,
        Self::Refund,
        Self::Reversal,
        Self::Withdrawal,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Balance => "balance",
            Self::Completion => "completion",
            Self::OnlinePurchase => "online_purchase",
            Self::Preauthorization => "preauthorization",
            Self::Purchase => "purchase",
            Self::Refund => "refund",
            Self::Reversal => "reversal",
            Self::Withdrawal => "withdrawal",
        }
    }

    const fn channel(self) -> &'static str {
        match self {
            Self::OnlinePurchase => "shop",
            Self::Withdrawal => "atm",
            Self::Balance
            | Self::Completion
            | Self::Preauthorization
            | Self::Purchase
            | Self::Refund
            | Self::Reversal => "pos",
        }
    }
}

async fn transact(
    kind: Kind,
    host: Host,
    place: &Place,
    record: &CardRecord,
    tender: Tender,
    amount: u64,
    original: Option<Outcome>,
) -> Result<Outcome, ApiError> {
    let mut seed = [0; 8];
    cekr_switch::entropy::fill(&mut seed);
    let chip = session(record, place, &tender, u64::from_be_bytes(seed));
    let of = original.as_ref().map(Outcome::original).unwrap_or_default();
    let form = match kind {
        Kind::OnlinePurchase => {
            let mut shop = ShopTerminal::new(host, place.clone());
            return Ok(shop.buy(&tender.card, amount, None).await);
        }
        Kind::Withdrawal => {
            let mut machine = CashpointTerminal::new(host, place.clone(), Cassettes::default());
            machine.chip = chip;
            return Ok(machine.withdraw(&tender, amount, WithdrawOptions::default()).await);
        }
        Kind::Balance => PosForm::Balance(tender),
        Kind::Completion => PosForm::Complete { tender, amount, of },
        Kind::Preauthorization => PosForm::Preauthorize { tender, amount },
        Kind::Purchase => PosForm::Purchase { tender, amount, cashback: None },
        Kind::Refund => PosForm::Refund { tender, amount, of },
        Kind::Reversal => {
            let sent = original.filter(|outcome| outcome.sent.is_some()).ok_or_else(|| {
                ApiError::conflict("nothing_sent", "that simulation sent nothing to take back")
            })?;
            PosForm::Cancel { of: Box::new(sent), actual: None }
        }
    };
    let mut till = PosTerminal::new(host, place.clone());
    till.chip = chip;
    Ok(till.transact(form).await)
}

/// Where it happens.
fn place(kind: Kind, asked: &Asked) -> Result<Place, ApiError> {
    let country = asked.country.as_deref().unwrap_or("SI");
    let country = terminal::country(country)
        .map_err(|why| ApiError::invalid("invalid_country", why).of("country"))?;
    let mut place = terminal::usual_place(kind.channel(), country);
    if let Some(merchant) = &asked.merchant {
        if merchant.is_empty() || merchant.len() > MERCHANT_OCTETS_MAX || !merchant.is_ascii() {
            let message = "merchant is 1 to 22 characters of ASCII";
            return Err(ApiError::invalid("invalid_merchant", message).of("merchant"));
        }
        place.name.clone_from(merchant);
    }
    Ok(place)
}

/// The card as it is held to the terminal.
fn tender(record: &CardRecord, kind: Kind, asked: &Asked) -> Result<Tender, ApiError> {
    let entry = match (asked.entry.as_deref(), kind) {
        (None, Kind::OnlinePurchase) => Entry::Ecommerce,
        (None | Some("chip"), _) => Entry::Chip,
        (Some("contactless"), _) => Entry::Contactless,
        (Some("key"), _) => Entry::Key,
        (Some("stripe"), _) => Entry::Stripe,
        (Some(_), _) => {
            let message = "entry is chip, contactless, stripe or key";
            return Err(ApiError::invalid("invalid_entry", message).of("entry"));
        }
    };
    let card = record.card().ok_or_else(|| {
        ApiError::conflict("no_such_terminal", "no terminal can be given this card's number")
    })?;
    let pin =
        match asked.pin.as_deref() {
            None => record.pin.clone(),
            Some("") => None,
            Some(typed) => Some(Pin::parse(typed.as_bytes()).map_err(|_| {
                ApiError::invalid("invalid_pin", "a PIN is 4 to 12 digits").of("pin")
            })?),
        };
    let tender = Tender::new(card, entry);
    Ok(match pin {
        Some(pin) => tender.with_pin(&pin),
        None => tender,
    })
}

/// Kernel and reader with the card's chip in it; none where the card is read without its chip.
fn session(
    record: &CardRecord,
    place: &Place,
    tender: &Tender,
    seed: u64,
) -> Option<ChipSession<Reader>> {
    match tender.entry {
        Entry::Chip | Entry::Contactless => {}
        Entry::Ecommerce | Entry::Key | Entry::Stripe => return None,
    }
    let atc = crate::chip_counter::take(USES, terminal::clock().as_secs());
    let chip = tender.card.development_chip(record.pin.as_ref()?, atc)?;
    let pad = if tender.pin.is_some() { PinPad::Present } else { PinPad::Absent };
    let reader = Reader::Slot(ChipSlot::new(seed));
    let mut session = ChipSession::new(reader, place, pad, IssuerProof::Required, seed);
    session.reader.slot()?.insert(chip);
    Some(session)
}

fn drawn_id() -> u64 {
    let mut octets = [0; 8];
    cekr_switch::entropy::fill(&mut octets);
    u64::from_be_bytes(octets)
}

/// Simulations that run side by side; more wait.
const AT_ONCE_MAX: usize = 8;
/// Simulations that are remembered by their id.
const DONE_MAX: usize = 1_000;
/// Cents: a hundred thousand euros.
const AMOUNT_MAX: u64 = 100_000_00;
/// What DE 43 has for a name.
const MERCHANT_OCTETS_MAX: usize = 22;
/// Transactions that the chip of one simulation may make.
const USES: u16 = 2;
