//! What terminals would do, asked for over HTTP: `POST /v1/simulate/...`, only with `--sandbox`.
//!
//! Nothing is short-circuited: a call plays a simulated terminal that speaks ISO 8583 to the
//! switch's own listener, with the card's chip and PIN. What it answers is what the terminal saw.
//! What is no terminal's (a bank's statement, a payer at the website, the network's clearing) goes
//! through the very importers ([`world`]). What may go wrong on the way is [`mishap`]'s.
//! The cards are those of the start's card file: their chips and PINs are known from there alone.

mod mishap;
mod online;
mod relay;
mod world;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::post;
use axum::{Json, Router};
use cekr_emv::pin::Pin;
use cekr_iso8583::{Framing, Spec};
use cekr_switch::control::Durable;
use cekr_switch::http::ApiError;
use cekr_terminal_sim::cassettes::Cassettes;
use cekr_terminal_sim::chip_session::{ChipSession, IssuerProof};
use cekr_terminal_sim::client::{
    CashpointTerminal, Host, Note, PosTerminal, ShopTerminal, WithdrawOptions,
};
use cekr_terminal_sim::device::pin_pad::EncipheredPin;
use cekr_terminal_sim::device::reader::{ChipSlot, Reader};
use cekr_terminal_sim::form::{Authentication, Entry, PinPad, Tender};
use cekr_terminal_sim::link::LinkConfig;
use cekr_terminal_sim::outcome::Outcome;
use cekr_terminal_sim::place::Place;
use cekr_terminal_sim::pos::PosForm;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Mutex, Semaphore};

use self::mishap::Mishap;
use self::online::Issuer;
use self::relay::Relay;
use crate::cards::CardRecord;
use crate::terminal::{self, Told};

/// Where the simulated terminals connect, and with which cards.
pub(crate) struct Simulator {
    to: String,
    spec: &'static Spec,
    framing: Framing,
    /// Whom web shops ask first; nobody where the tick decides.
    issuer: Option<Issuer>,
    cards: Vec<CardRecord>,
    durable: Durable,
    #[cfg(feature = "portal")]
    portal: cekr_portal::Portal,
    /// PINs that were changed here, by the name of the card.
    pins: Mutex<HashMap<String, Pin>>,
    /// What was done lately, so that it can be taken back, completed or cleared by its id.
    done: Mutex<VecDeque<Done>>,
    at_once: Semaphore,
}

/// What the simulated terminals speak to.
pub(crate) struct Line {
    /// The listener's address.
    pub(crate) to: String,
    /// Its dialect.
    pub(crate) spec: &'static Spec,
    /// Its framing.
    pub(crate) framing: Framing,
    /// The access control server's address, where purchases are to be confirmed.
    pub(crate) issuer: Option<String>,
}

#[derive(Clone)]
struct Done {
    id: String,
    kind: Kind,
    card: String,
    place: Place,
    outcome: Outcome,
    fate: Fate,
}

/// What became of a simulation later.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    /// It was cleared.
    Cleared,
    /// It was taken back, or another took its place.
    Ended,
    /// Nothing yet.
    Open,
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
    /// The PIN to be, of a PIN change.
    new_pin: Option<String>,
    /// Of a payment order; the card's own when absent.
    #[cfg_attr(not(feature = "portal"), expect(dead_code, reason = "the importer is there"))]
    reference: Option<String>,
    /// What goes wrong; `well` lets any amount pass.
    world: Option<String>,
    /// How many seconds a web shop waits for the holder.
    wait_s: Option<u64>,
}

impl Simulator {
    /// Terminals on this line, with these cards.
    pub(crate) fn new(
        line: Line,
        cards: Vec<CardRecord>,
        durable: Durable,
        #[cfg(feature = "portal")] portal: cekr_portal::Portal,
    ) -> Self {
        Self {
            to: line.to,
            spec: line.spec,
            framing: line.framing,
            issuer: line.issuer.map(Issuer::new),
            cards,
            durable,
            #[cfg(feature = "portal")]
            portal,
            pins: Mutex::default(),
            done: Mutex::default(),
            at_once: Semaphore::new(AT_ONCE_MAX),
        }
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
                "new_pin": text("Of a PIN change: the PIN to be"),
                "reference": text("Of a payment order; the card's own when absent"),
                "world": { "type": "string", "enum": Mishap::names(),
                           "description": "What goes wrong, whatever the cents are" },
                "wait_s": { "type": "integer", "minimum": 0, "maximum": 300,
                            "description": "Seconds an online purchase waits for its holder; 60 \
                                            when absent. Then the buyer cancels" },
            },
        });
        let operation = json!({
            "operationId": "simulate",
            "summary": "Plays a simulated terminal, bank, payer or network against this switch",
            "description": format!(
                "Only with --sandbox. What it answers is what the other side saw. {}",
                Mishap::description()
            ),
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
        let mishap = Mishap::of(kind, asked.amount, asked.world.as_deref())?;
        if kind == Kind::Clearing {
            return world::clear(self, &asked).await;
        }
        let before = self.named(kind, &asked).await?;
        let card = asked.card.as_ref().or(before.as_ref().map(|done| &done.card));
        let card = card.ok_or_else(|| ApiError::invalid("missing", "name a card").of("card"))?;
        let record = self.cards.iter().find(|record| record.name == *card).ok_or_else(|| {
            let message = "the card file of this start has no such card, so its chip is unknown";
            ApiError::not_found(message).of("card")
        })?;
        let amount = match kind {
            Kind::Balance | Kind::PinChange | Kind::Reversal => 0,
            _ => {
                asked.amount.filter(|cents| (1..=AMOUNT_MAX).contains(cents)).ok_or_else(|| {
                    ApiError::invalid("invalid_amount", "amount is cents, above zero").of("amount")
                })?
            }
        };
        let mut _seat = self.at_once.acquire().await;
        match kind {
            Kind::CardLoad => return world::card_load(self, record, amount, mishap).await,
            Kind::UpnOrder => return world::upn_order(self, record, &asked, amount, mishap).await,
            _ => {}
        }
        let place = match &before {
            Some(done) => done.place.clone(),
            None => place(kind, &asked)?,
        };
        let tender = self.tender(record, kind, &asked, mishap).await?;
        let new_pin = new_pin(kind, &asked)?;
        let amount = Mishap::left_of(mishap, kind, amount);
        let issuer = self.issuer.as_ref().filter(|_| kind == Kind::OnlinePurchase);
        let three_ds = match issuer {
            None => None,
            Some(issuer) => {
                drop(_seat);
                let answered = issuer.ask(&tender, &place, amount, asked.wait_s).await?;
                _seat = self.at_once.acquire().await;
                Some(answered)
            }
        };
        let (outcome, notes) = match online::not_ordered(three_ds.as_ref(), amount) {
            Some(outcome) => (outcome, Vec::new()),
            None => {
                let host = self.connect(&place, mishap).await?;
                if kind == Kind::FeeEnquiry {
                    return Ok(enquire(host, &place, record, tender, amount).await);
                }
                let original = before.as_ref().map(|done| done.outcome.clone());
                let pin = self.pin_of(record).await;
                let chip = session(pin.as_ref(), &place, &tender, drawn_id());
                let (given, new_pin) = (online::given(three_ds.as_ref()), new_pin.as_ref());
                let request = Request { kind, amount, original, new_pin, given, mishap };
                transact(request, host, &place, chip, tender).await?
            }
        };
        if let Some(new_pin) = new_pin.filter(|_| outcome.is_approved()) {
            self.pins.lock().await.insert(record.name.clone(), new_pin);
        }
        let told = Told { step: kind.name(), channel: kind.channel(), card: &record.name };
        let mut answer = terminal::told(told, &record.pan.masked().to_string(), &place, &outcome);
        let id = format!("sim_{:016x}", drawn_id());
        answer.insert("id".to_owned(), json!(id));
        if kind == Kind::OnlinePurchase {
            answer.insert("three_ds".to_owned(), terminal::told_three_ds(three_ds.as_ref()));
        }
        answer.insert("world".to_owned(), json!(mishap.map(Mishap::name)));
        let cause =
            outcome.reversed.map(|cause| String::from_utf8_lossy(&cause.code()).into_owned());
        answer.insert("reversed".to_owned(), json!(cause));
        let notes: Vec<String> = notes.iter().map(ToString::to_string).collect();
        answer.insert("line".to_owned(), json!(notes));
        let fate = if outcome.reversed.is_some() && outcome.amount == 0 {
            Fate::Ended
        } else {
            Fate::Open
        };
        let card = record.name.clone();
        self.keep(Done { id, kind, card, place, outcome, fate }, before).await;
        Ok(Value::Object(answer))
    }

    /// Remembers what was done, and what it did to what was before.
    async fn keep(&self, new: Done, before: Option<Done>) {
        let mut done = self.done.lock().await;
        let ends = matches!(new.kind, Kind::Completion | Kind::Reversal);
        if let Some(before) = before.filter(|_| ends && new.outcome.is_approved())
            && let Some(known) = done.iter_mut().find(|known| known.id == before.id)
        {
            known.fate = Fate::Ended;
        }
        if done.len() == DONE_MAX {
            done.pop_front();
        }
        done.push_back(new);
    }

    /// A terminal's line, with what goes wrong on it.
    async fn connect(&self, place: &Place, mishap: Option<Mishap>) -> Result<Host, ApiError> {
        let unreachable = |error: &dyn std::fmt::Display| {
            ApiError::try_later(&format!("the switch's own listener: {error}"))
        };
        let mut config = LinkConfig::new(self.spec, self.framing, place.terminal);
        config.stan_first = terminal::drawn();
        if mishap == Some(Mishap::AnswerLate) {
            config.reply_timeout_ms = PATIENCE_SHORT_MS;
        }
        let to = match Relay::of(mishap, &self.to, self.spec, self.framing) {
            None => self.to.clone(),
            Some(relay) => relay.open().await.map_err(|error| unreachable(&error))?,
        };
        Host::connect(&to, config).await.map_err(|error| unreachable(&error))
    }

    /// The card's PIN, as it was changed here or as the file has it.
    async fn pin_of(&self, record: &CardRecord) -> Option<Pin> {
        self.pins.lock().await.get(&record.name).cloned().or_else(|| record.pin.clone())
    }

    /// The earlier simulation that this one is about.
    async fn named(&self, kind: Kind, asked: &Asked) -> Result<Option<Done>, ApiError> {
        let Some(id) = &asked.transaction else {
            return match kind {
                Kind::Completion | Kind::Incremental | Kind::Reversal => {
                    let message = "name the id that an earlier simulation answered with";
                    Err(ApiError::invalid("missing", message).of("transaction"))
                }
                _ => Ok(None),
            };
        };
        let done = self.done.lock().await;
        let found = done.iter().find(|done| done.id == *id).cloned();
        found.map(Some).ok_or_else(unknown)
    }

    /// The card as it is held to the terminal.
    async fn tender(
        &self,
        record: &CardRecord,
        kind: Kind,
        asked: &Asked,
        mishap: Option<Mishap>,
    ) -> Result<Tender, ApiError> {
        let entry = entry(kind, asked)?;
        let card = record.card().ok_or_else(|| {
            let message = "no terminal can be given this card's number";
            ApiError::conflict("no_such_terminal", message)
        })?;
        let pin = match asked.pin.as_deref() {
            None => self.pin_of(record).await,
            Some("") => None,
            Some(typed) => Some(pin(typed, "pin")?),
        };
        let tender = Tender::new(card, entry);
        Ok(match pin {
            Some(pin) if mishap == Some(Mishap::WrongPin) => {
                let wrong = wrong_pin(&pin, &tender)?;
                tender.with_pin(&wrong)
            }
            Some(pin) => tender.with_pin(&pin),
            None => tender,
        })
    }
}

/// No simulation has this id.
fn unknown() -> ApiError {
    let message = "no simulation of this id is remembered; the newest 1,000 are";
    ApiError::not_found(message).of("transaction")
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
    CardLoad,
    Clearing,
    Completion,
    FeeEnquiry,
    Incremental,
    OnlinePurchase,
    PinChange,
    Preauthorization,
    Purchase,
    Refund,
    Reversal,
    UpnOrder,
    Withdrawal,
}

impl Kind {
    const ALL: [Self; 14] = [
        Self::Balance,
        Self::CardLoad,
        Self::Clearing,
        Self::Completion,
        Self::FeeEnquiry,
        Self::Incremental,
        Self::OnlinePurchase,
        Self::PinChange,
        Self::Preauthorization,
        Self::Purchase,
        Self::Refund,
        Self::Reversal,
        Self::UpnOrder,
        Self::Withdrawal,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Balance => "balance",
            Self::CardLoad => "card_load",
            Self::Clearing => "clearing",
            Self::Completion => "completion",
            Self::FeeEnquiry => "fee_enquiry",
            Self::Incremental => "incremental",
            Self::OnlinePurchase => "online_purchase",
            Self::PinChange => "pin_change",
            Self::Preauthorization => "preauthorization",
            Self::Purchase => "purchase",
            Self::Refund => "refund",
            Self::Reversal => "reversal",
            Self::UpnOrder => "upn_order",
            Self::Withdrawal => "withdrawal",
        }
    }

    const fn channel(self) -> &'static str {
        match self {
            Self::OnlinePurchase => "shop",
            Self::FeeEnquiry | Self::PinChange | Self::Withdrawal => "atm",
            Self::Balance
            | Self::CardLoad
            | Self::Clearing
            | Self::Completion
            | Self::Incremental
            | Self::Preauthorization
            | Self::Purchase
            | Self::Refund
            | Self::Reversal
            | Self::UpnOrder => "pos",
        }
    }

    /// Whether it is a request that moves or holds money, and is reversed where nobody answers.
    const fn is_request(self) -> bool {
        match self {
            Self::Incremental
            | Self::OnlinePurchase
            | Self::Preauthorization
            | Self::Purchase
            | Self::Refund
            | Self::Withdrawal => true,
            Self::Balance
            | Self::CardLoad
            | Self::Clearing
            | Self::Completion
            | Self::FeeEnquiry
            | Self::PinChange
            | Self::Reversal
            | Self::UpnOrder => false,
        }
    }
}

/// What a terminal is to do.
struct Request<'a> {
    kind: Kind,
    amount: u64,
    original: Option<Outcome>,
    new_pin: Option<&'a Pin>,
    /// What the issuer gave for an order.
    given: Option<Authentication>,
    mishap: Option<Mishap>,
}

async fn transact(
    request: Request<'_>,
    host: Host,
    place: &Place,
    chip: Option<ChipSession<Reader>>,
    tender: Tender,
) -> Result<(Outcome, Vec<Note>), ApiError> {
    let Request { kind, amount, original, new_pin, given, mishap } = request;
    let of = original.as_ref().map(Outcome::original).unwrap_or_default();
    let form = match kind {
        Kind::OnlinePurchase => {
            let mut shop = ShopTerminal::new(host, place.clone());
            let outcome = match given {
                Some(given) => shop.buy_authenticated(&tender.card, amount, None, given).await,
                None => shop.buy(&tender.card, amount, None).await,
            };
            return Ok((outcome, settled(&mut shop.host, mishap).await));
        }
        Kind::PinChange | Kind::Withdrawal => {
            let mut machine = CashpointTerminal::new(host, place.clone(), Cassettes::default());
            machine.chip = chip;
            let outcome = match new_pin {
                Some(new_pin) => {
                    let new_pin = EncipheredPin::development(new_pin, *tender.card.pan());
                    machine.change_pin(&tender, new_pin).await
                }
                None => {
                    let jam_after = jam_after(amount, mishap);
                    let options = WithdrawOptions { jam_after, ..WithdrawOptions::default() };
                    machine.withdraw(&tender, amount, options).await
                }
            };
            return Ok((outcome, settled(&mut machine.host, mishap).await));
        }
        Kind::Balance | Kind::CardLoad | Kind::Clearing | Kind::FeeEnquiry | Kind::UpnOrder => {
            PosForm::Balance(tender)
        }
        Kind::Completion => PosForm::Complete { tender, amount, of },
        Kind::Incremental => PosForm::Increment { tender, amount, of },
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
    let outcome = till.transact(form).await;
    Ok((outcome, settled(&mut till.host, mishap).await))
}

/// Lets what went wrong on a line come to its end, and tells what the terminal noticed of it.
async fn settled(host: &mut Host, mishap: Option<Mishap>) -> Vec<Note> {
    match mishap {
        Some(Mishap::AnswerLate) => {
            // The reversal, then the late answer behind it, then the second reversal.
            host.settle(SETTLE_PATIENCE).await;
            host.idle(LATE_ANSWER).await;
            host.settle(SETTLE_PATIENCE).await;
        }
        Some(Mishap::SentTwice) => host.idle(LATE_ANSWER).await,
        Some(_) | None => {
            host.settle(SETTLE_PATIENCE).await;
        }
    }
    let notes = host.take_notes();
    notes.into_iter().filter(|note| !matches!(note, Note::SignedOn(_))).collect()
}

/// Notes that come out before the dispenser jams.
fn jam_after(amount: u64, mishap: Option<Mishap>) -> Option<u32> {
    match mishap? {
        Mishap::DispenserJams => Some(0),
        Mishap::PartlyDispensed => {
            let notes = Cassettes::default().plan(amount).map_or(0, |mix| mix.note_count());
            Some(notes / 2)
        }
        Mishap::AnswerLate
        | Mishap::AnswerLost
        | Mishap::PayerDeclined
        | Mishap::SentTwice
        | Mishap::WrongPin => None,
    }
}

/// What a withdrawal would cost, as the machine shows it before the PIN; nothing is withdrawn.
async fn enquire(
    host: Host,
    place: &Place,
    record: &CardRecord,
    tender: Tender,
    amount: u64,
) -> Value {
    let mut machine = CashpointTerminal::new(host, place.clone(), Cassettes::default());
    let mut shown = None;
    // Nobody consents: a fee of nothing at all is what nobody is asked for.
    let options = WithdrawOptions { fee_max: Some(0), jam_after: Some(0) };
    let ended = machine.withdraw_asking(&tender, amount, options, |notice| shown = Some(notice));
    let ended = ended.await;
    json!({
        "event": "fee_enquiry", "step": Kind::FeeEnquiry.name(), "card": record.name,
        "pan": record.pan.masked().to_string(), "amount": amount, "currency": "EUR",
        "fee": shown.and_then(|notice| notice.fee),
        "share_percent": shown.and_then(|notice| notice.share_percent()),
        "text": ended.words(cekr_iso8583::response::Language::En),
    })
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

fn entry(kind: Kind, asked: &Asked) -> Result<Entry, ApiError> {
    match (asked.entry.as_deref(), kind) {
        (None, Kind::OnlinePurchase) => Ok(Entry::Ecommerce),
        (None | Some("chip"), _) => Ok(Entry::Chip),
        (Some("contactless"), _) => Ok(Entry::Contactless),
        (Some("key"), _) => Ok(Entry::Key),
        (Some("stripe"), _) => Ok(Entry::Stripe),
        (Some(_), _) => {
            let message = "entry is chip, contactless, stripe or key";
            Err(ApiError::invalid("invalid_entry", message).of("entry"))
        }
    }
}

fn pin(typed: &str, param: &'static str) -> Result<Pin, ApiError> {
    Pin::parse(typed.as_bytes())
        .map_err(|_| ApiError::invalid("invalid_pin", "a PIN is 4 to 12 digits").of(param))
}

/// The PIN to be; none where no PIN is changed.
fn new_pin(kind: Kind, asked: &Asked) -> Result<Option<Pin>, ApiError> {
    match (&asked.new_pin, kind) {
        (Some(typed), Kind::PinChange) => pin(typed, "new_pin").map(Some),
        (None, Kind::PinChange) => {
            Err(ApiError::invalid("missing", "name the PIN to be").of("new_pin"))
        }
        _ => Ok(None),
    }
}

/// Another PIN than this.
fn wrong_pin(right: &Pin, tender: &Tender) -> Result<Pin, ApiError> {
    let pan = *tender.card.pan();
    let right = EncipheredPin::development(right, pan);
    let mut others = ["9999", "8888"].into_iter().filter_map(|typed| pin(typed, "pin").ok());
    let other = others.find(|typed| EncipheredPin::development(typed, pan) != right);
    other.ok_or_else(|| ApiError::invalid("invalid_pin", "no other PIN is to be had").of("pin"))
}

/// Kernel and reader with the card's chip in it; none where the card is read without its chip.
fn session(
    pin: Option<&Pin>,
    place: &Place,
    tender: &Tender,
    seed: u64,
) -> Option<ChipSession<Reader>> {
    match tender.entry {
        Entry::Chip | Entry::Contactless => {}
        Entry::Ecommerce | Entry::Key | Entry::Stripe => return None,
    }
    let atc = crate::chip_counter::take(USES, terminal::clock().as_secs());
    let chip = tender.card.development_chip(pin?, atc)?;
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

/// How long a terminal waits for an answer that comes too late.
const PATIENCE_SHORT_MS: u64 = 500;
/// How long reversals may take to be answered.
const SETTLE_PATIENCE: Duration = Duration::from_secs(5);
/// How long a terminal listens for an answer that nobody expects.
const LATE_ANSWER: Duration = Duration::from_millis(200);
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
