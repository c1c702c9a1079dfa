//! `cekr pos`, `cekr atm` and `cekr shop`: one transaction at a simulated terminal.
//!
//! A decline is an answer and ends with 0; only a missing answer, or another code than `--expect`
//! names, ends with 1. Without a form, till and cashpoint take the whole screen when a terminal is
//! attached ([`full_screen`]); else the commands say what to type.

mod chip;
mod full_screen;
mod lent;
mod pad;
mod shop;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use cekr_emv::chip::Chip;
use cekr_emv::pin::Pin;
use cekr_iso8583::response::Language;
use cekr_iso8583::{Framing, Pan};
use cekr_issuer::Reason;
use cekr_terminal_sim::amount;
use cekr_terminal_sim::card::Card;
use cekr_terminal_sim::cashpoint::FeeNotice;
use cekr_terminal_sim::cassettes::Cassettes;
use cekr_terminal_sim::chip_session::ChipSession;
use cekr_terminal_sim::client::{CashpointTerminal, Host, Note, PosTerminal, WithdrawOptions};
use cekr_terminal_sim::device::reader::Reader;
use cekr_terminal_sim::form::{Entry, Original, PinPad, Sent, Tender};
use cekr_terminal_sim::link::LinkConfig;
use cekr_terminal_sim::link::seal::Macs;
use cekr_terminal_sim::outcome::{Ending, Outcome};
use cekr_terminal_sim::place::{Place, padded};
use cekr_terminal_sim::pos::PosForm;
use clap::ValueEnum;
use serde_json::{Value, json};

use self::chip::ChipArgs;
pub(crate) use self::chip::clock;
use self::pad::PadArgs;
pub(crate) use self::shop::told_three_ds;
pub use self::shop::{ShopArgs, run_shop};
use crate::cards;
use crate::load::{SpecName, address, duration, framing, spec};

/// A till in a shop
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cekr pos purchase --card ana --amount 24.90
  cekr pos purchase --card ana --amount 12.00 --country HR --expect 57
  cekr pos purchase --card ana --amount 44.90 --cashback 20 --pin 1234
  cekr pos preauth --card ana --amount 80
  cekr pos complete --card ana --amount 75.20 --rrn 632610000042 --auth-code A1B2C3
  cekr pos balance --card ana --json
  cekr pos                                  the whole screen, with a terminal attached")]
pub struct PosArgs {
    /// What to do
    #[arg(value_enum)]
    form: Option<PosFormName>,
    #[command(flatten)]
    common: CommonArgs,
    #[command(flatten)]
    original: OriginalArgs,
    /// Cash on top of a purchase, part of --amount
    #[arg(long, value_name = "EUR", value_parser = amount::parse)]
    cashback: Option<u64>,
    /// The new PIN of a PIN change
    #[arg(long, value_name = "PIN", value_parser = pin)]
    new_pin: Option<Pin>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PosFormName {
    /// How much is on the card
    Balance,
    /// The final amount of a preauthorization
    Complete,
    /// Another PIN
    PinChange,
    /// Hold an estimated amount
    Preauth,
    /// Sell
    Purchase,
    /// Pay back
    Refund,
}

/// A cash machine
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cekr atm withdraw --card ana --amount 50 --pin 1234
  cekr atm withdraw --card ana --amount 50 --pin 1234 --fee-max 5
  cekr atm withdraw --card ana --amount 70 --pin 1234 --jam-after 1
  cekr atm balance --card ana --pin 1234
  cekr atm --language en                    the whole screen, with a terminal attached")]
pub struct AtmArgs {
    /// What to do
    #[arg(value_enum)]
    form: Option<AtmFormName>,
    #[command(flatten)]
    common: CommonArgs,
    /// The highest fee to accept; above it the withdrawal is given up before the PIN
    #[arg(long, value_name = "EUR", value_parser = amount::parse)]
    fee_max: Option<u64>,
    /// Let the dispenser jam after so many notes
    #[arg(long, value_name = "N")]
    jam_after: Option<u32>,
    /// The new PIN of a PIN change
    #[arg(long, value_name = "PIN", value_parser = pin)]
    new_pin: Option<Pin>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum AtmFormName {
    /// How much is on the card
    Balance,
    /// Another PIN
    PinChange,
    /// Cash: the fee is asked for and shown before the PIN
    Withdraw,
}

#[derive(Debug, clap::Args)]
struct CommonArgs {
    /// MACs under the published test key; an answer without a right one is no answer
    #[arg(long)]
    mac: bool,
    /// A card by its name in the card file
    #[arg(long, value_name = "NAME", conflicts_with = "pan")]
    card: Option<String>,
    /// Card file; without it the built-in set
    #[arg(long, value_name = "F")]
    cards: Option<PathBuf>,
    /// A card by its number
    #[arg(long, value_name = "P", requires = "expiry", value_parser = pan)]
    pan: Option<Pan>,
    /// Expiry of --pan, as on the stripe
    #[arg(long, value_name = "YYMM", value_parser = expiry)]
    expiry: Option<u16>,
    /// Euros: 24.90, 24,90 or 24
    #[arg(long, value_name = "EUR", value_parser = amount::parse, allow_hyphen_values = true)]
    amount: Option<u64>,
    /// Country of the terminal
    #[arg(long, value_name = "CC", default_value = "SI", value_parser = country)]
    country: [u8; 2],
    #[command(flatten)]
    pad: PadArgs,
    /// How the card is read
    #[arg(long, value_enum)]
    entry: Option<EntryName>,
    #[command(flatten)]
    chip: ChipArgs,
    /// Exit 1 unless the response code is this one
    #[arg(long, value_name = "CODE", value_parser = response_code)]
    expect: Option<[u8; 2]>,
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
    /// How long to wait for an answer
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = duration)]
    timeout: Duration,
    /// Name of the shop or bank
    #[arg(long, value_name = "NAME")]
    merchant: Option<String>,
    /// Merchant category, four digits
    #[arg(long, value_name = "MCC", value_parser = clap::value_parser!(u16).range(0..=9999))]
    mcc: Option<u16>,
    /// Terminal (DE 41), at most 8 characters
    #[arg(long, value_name = "ID", value_parser = terminal_id)]
    terminal: Option<[u8; 8]>,
    /// STAN of the first message (the sign-on); without it one from the clock
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=999_999))]
    stan: Option<u32>,
    /// Language of receipt and screen; without it English on lines, Slovene on the screen
    #[arg(long, value_enum)]
    language: Option<LanguageName>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// Show the card number in full
    #[arg(long = "unsafe")]
    in_full: bool,
}

impl CommonArgs {
    fn language(&self) -> Language {
        self.language.map_or(Language::En, LanguageName::language)
    }
}

/// What a receipt tells about the transaction that a refund or completion refers to.
#[derive(Debug, clap::Args)]
struct OriginalArgs {
    /// Reference number (DE 37) of the original
    #[arg(long, value_name = "RRN", value_parser = rrn)]
    rrn: Option<[u8; 12]>,
    /// Approval code (DE 38) of the original
    #[arg(long, value_name = "CODE", value_parser = auth_code)]
    auth_code: Option<[u8; 6]>,
    /// MTI, STAN and transmission time (DE 90) of the original
    #[arg(long, value_name = "0100:STAN:MMDDhhmmss", value_parser = original)]
    original: Option<(u16, u32, u32)>,
}

impl OriginalArgs {
    fn read(&self, place: &Place) -> Original {
        let acquirer = place.acquirer;
        let sent =
            self.original.map(|(mti, stan, transmitted)| Sent { mti, stan, transmitted, acquirer });
        Original { sent, rrn: self.rrn, auth_code: self.auth_code }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum EntryName {
    Chip,
    Contactless,
    Ecom,
    Key,
    Stripe,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LanguageName {
    En,
    Sl,
}

/// Runs `cekr pos`.
pub fn run_pos(args: PosArgs) -> ExitCode {
    let place = place(&args.common, usual_place("pos", args.common.country));
    let form = match args.form {
        Some(form) => form,
        None if full_screen::is_possible(&args.common) => {
            return full_screen::run_till(&args.common, place);
        }
        None => return say_what_to_type("pos", "purchase"),
    };
    let channel = Channel { command: "pos", step: name_of(form), entry: Entry::Chip };
    run(&args.common, channel, place, async |line, tender| {
        let form = pos_form(&args, form, tender, &line.place)?;
        let mut till = PosTerminal::new(line.open().await?, line.place);
        till.chip = line.chip;
        let outcome = till.transact(form).await;
        Ok((outcome, settled(&mut till.host).await, serde_json::Map::new()))
    })
}

/// What the till is to do, once everything that it needs is there.
fn pos_form(
    args: &PosArgs,
    form: PosFormName,
    tender: Tender,
    place: &Place,
) -> Result<PosForm, Fault> {
    let sum = || args.common.amount.ok_or_else(|| Fault::missing("--amount 24.90"));
    let of = args.original.read(place);
    Ok(match form {
        PosFormName::Balance => PosForm::Balance(tender),
        PosFormName::Complete if of == Original::default() => {
            return Err(Fault::missing("--rrn with --auth-code of the preauthorization"));
        }
        PosFormName::Complete => PosForm::Complete { tender, amount: sum()?, of },
        PosFormName::PinChange => {
            let new_pin = args.new_pin.as_ref().ok_or_else(|| Fault::missing("--new-pin"))?;
            let new_pin = args.common.pad.new_pin(new_pin, *tender.card.pan())?;
            PosForm::PinChange { tender, new_pin }
        }
        PosFormName::Preauth => PosForm::Preauthorize { tender, amount: sum()? },
        PosFormName::Purchase => {
            let (amount, cashback) = (sum()?, args.cashback);
            if cashback.is_some_and(|cash| cash > amount) {
                let words = "--cashback is part of --amount and cannot exceed it";
                return Err(Fault::Use(words.to_owned()));
            }
            PosForm::Purchase { tender, amount, cashback }
        }
        PosFormName::Refund => PosForm::Refund { tender, amount: sum()?, of },
    })
}

/// Runs `cekr atm`.
pub fn run_atm(args: AtmArgs) -> ExitCode {
    let place = place(&args.common, usual_place("atm", args.common.country));
    let form = match args.form {
        Some(form) => form,
        None if full_screen::is_possible(&args.common) => {
            return full_screen::run_cashpoint(&args.common, place, args.jam_after);
        }
        None => return say_what_to_type("atm", "withdraw"),
    };
    let channel = Channel { command: "atm", step: name_of(form), entry: Entry::Chip };
    run(&args.common, channel, place, async |line, tender| {
        let sum = match (form, args.common.amount) {
            (AtmFormName::Withdraw, None) => return Err(Fault::missing("--amount 50")),
            (_, sum) => sum.unwrap_or(0),
        };
        let new_pin = match (form, &args.new_pin) {
            (AtmFormName::PinChange, None) => return Err(Fault::missing("--new-pin")),
            (_, None) => None,
            (_, Some(pin)) => Some(args.common.pad.new_pin(pin, *tender.card.pan())?),
        };
        let host = line.open().await?;
        let mut machine = CashpointTerminal::new(host, line.place, Cassettes::default());
        machine.chip = line.chip;
        let outcome = match (form, new_pin) {
            (AtmFormName::PinChange, Some(new_pin)) => machine.change_pin(&tender, new_pin).await,
            (AtmFormName::Balance | AtmFormName::PinChange, _) => machine.balance(&tender).await,
            (AtmFormName::Withdraw, _) => {
                let options = WithdrawOptions { fee_max: args.fee_max, jam_after: args.jam_after };
                let show = |notice| show_fee(&args.common, notice);
                machine.withdraw_asking(&tender, sum, options, show).await
            }
        };
        Ok((outcome, settled(&mut machine.host).await, serde_json::Map::new()))
    })
}

/// Why a command ends without an outcome.
enum Fault {
    /// The host cannot be reached.
    Connect(String),
    /// The command was not used as it must be.
    Use(String),
}

impl Fault {
    fn missing(what: &str) -> Self {
        Self::Use(format!("{what} is missing"))
    }
}

/// Which command runs, for its lines.
#[derive(Clone)]
struct Channel {
    command: &'static str,
    step: String,
    /// How a card is read when nobody says.
    entry: Entry,
}

/// The line that a transaction opens once its arguments have proven right.
struct Line {
    to: String,
    config: LinkConfig,
    place: Place,
    /// Kernel and reader with the card's chip, where a chip takes part.
    chip: Option<ChipSession<Reader>>,
}

impl Line {
    async fn open(&self) -> Result<Host, Fault> {
        Host::connect(&self.to, self.config).await.map_err(|error| {
            Fault::Connect(format!(
                "{error}; start `cekr serve`, or say where it is with --to ADDR"
            ))
        })
    }
}

/// How a transaction ended, what the line noticed, and what its JSON line has besides.
type Done = (Outcome, Vec<Note>, serde_json::Map<String, Value>);

/// Everything that the three commands have in common.
fn run(
    common: &CommonArgs,
    channel: Channel,
    place: Place,
    transact: impl AsyncFnOnce(Line, Tender) -> Result<Done, Fault>,
) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cekr {}: cannot start: {error}", channel.command);
            return ExitCode::from(2);
        }
    };
    let result = hand(common, channel.entry).and_then(|(tender, chip)| {
        let chip = session(common, &place, &tender, chip)?;
        let (to, config) = (common.to.clone(), config(common, &place));
        let line = Line { to, config, place: place.clone(), chip };
        let card = tender.card.clone();
        runtime.block_on(transact(line, tender)).map(|done| (card, done))
    });
    match result {
        Err(Fault::Use(fault)) => {
            eprintln!("cekr {}: {fault}", channel.command);
            ExitCode::from(2)
        }
        Err(Fault::Connect(fault)) => {
            eprintln!("cekr {}: {fault}", channel.command);
            ExitCode::from(1)
        }
        Ok((card, (outcome, notes, more))) => {
            for note in notes.iter().filter(|note| !matches!(note, Note::SignedOn(_))) {
                eprintln!("cekr {}: {note}", channel.command);
            }
            report(common, &channel, &place, &card, (&outcome, more));
            conclude(common, &channel, &outcome)
        }
    }
}

fn conclude(common: &CommonArgs, channel: &Channel, outcome: &Outcome) -> ExitCode {
    let code = outcome.response_code();
    match (common.expect, outcome.ending) {
        (Some(expected), _) if code != Some(expected) => {
            let expected = String::from_utf8_lossy(&expected);
            let got = outcome.response_code_text();
            eprintln!("cekr {}: expected {expected}, got {got}", channel.command);
            ExitCode::from(1)
        }
        (_, Ending::Answered(_) | Ending::Cancelled) => ExitCode::SUCCESS,
        (_, Ending::CardFault(why)) => {
            eprintln!("cekr {}: the card cannot be used: {why}", channel.command);
            ExitCode::from(1)
        }
        (_, Ending::CardRefused) => {
            eprintln!("cekr {}: the card's chip refused the issuer's answer", channel.command);
            ExitCode::from(1)
        }
        (_, Ending::NoNotes) => {
            eprintln!("cekr {}: the machine holds notes of 10, 20 and 50", channel.command);
            ExitCode::from(2)
        }
        (_, Ending::Refused(why)) => {
            eprintln!("cekr {}: {why}", channel.command);
            ExitCode::from(1)
        }
        (_, Ending::TimedOut) => {
            let hint = "is this a cekr listener with this --spec and --framing?";
            eprintln!("cekr {}: no answer in time; {hint}", channel.command);
            ExitCode::from(1)
        }
    }
}

/// Lets a reversal that is under way find its answer, and collects what was noticed.
async fn settled(host: &mut Host) -> Vec<Note> {
    host.settle(SETTLE_PATIENCE).await;
    host.take_notes()
}

fn report(
    common: &CommonArgs,
    channel: &Channel,
    place: &Place,
    card: &Card,
    (outcome, more): (&Outcome, serde_json::Map<String, Value>),
) {
    let pan = if common.in_full {
        card.pan().expose().to_string()
    } else {
        card.pan().masked().to_string()
    };
    let mut out = std::io::stdout().lock();
    // A reader that has gone away needs no receipt; the exit code still tells the end.
    let _ = if common.json {
        let told = Told { step: &channel.step, channel: channel.command, card: &card.name };
        let mut line = self::told(told, &pan, place, outcome);
        line.insert("text".to_owned(), json!(outcome.words(common.language())));
        line.extend(more);
        let line = Value::Object(line);
        writeln!(out, "{line}")
    } else {
        writeln!(out, "{}", receipt(common, channel, place, &pan, outcome))
    };
}

/// Which transaction an outcome is told of.
pub(crate) struct Told<'a> {
    /// What was done, as its command calls it.
    pub(crate) step: &'a str,
    /// `pos`, `atm` or `shop`.
    pub(crate) channel: &'a str,
    /// The card's name.
    pub(crate) card: &'a str,
}

/// An outcome as programs read it.
pub(crate) fn told(
    told: Told<'_>,
    pan: &str,
    place: &Place,
    outcome: &Outcome,
) -> serde_json::Map<String, Value> {
    let line = json!({
            "event": "authorization",
            "step": told.step,
            "channel": told.channel,
            "card": told.card,
            "pan": pan,
            "merchant": place.name,
            "country": place.country_text(),
            "terminal": String::from_utf8_lossy(&place.terminal).trim_end(),
            "stan": outcome.stan().map(|stan| format!("{stan:06}")),
            "rrn": outcome.rrn(),
            "transmitted": outcome.original().sent.map(|sent| format!("{:010}", sent.transmitted)),
            "amount": outcome.asked,
            "amount_approved": outcome.amount,
            "fee": outcome.fee,
            "currency": "EUR",
            "response_code": outcome.response_code().map(|_| outcome.response_code_text()),
            "reason": reason(outcome),
            "text": outcome.words(Language::En),
            "remark": outcome.remark,
            "auth_code": outcome.auth_code_text(),
            "dispensed": outcome.dispensed,
            "balance_after": outcome.ledger,
            "available_after": outcome.available,
            "round_trip_ns": outcome.round_trip_ns,
    });
    match line {
        Value::Object(line) => line,
        _ => serde_json::Map::new(),
    }
}

/// One line of a receipt, and a second one where there is more to say.
fn receipt(
    common: &CommonArgs,
    channel: &Channel,
    place: &Place,
    pan: &str,
    outcome: &Outcome,
) -> String {
    let sign = if outcome.is_approved() { '✓' } else { '✗' };
    let mut line = format!(
        "{sign} {:<11} {:<24} {}  {pan}  {:>9} EUR  {} {}",
        channel.step,
        place.name,
        place.country_text(),
        amount::text(outcome.asked),
        outcome.response_code_text(),
        outcome.words(common.language()),
    );
    if !outcome.remark.is_empty() {
        line.push_str(&format!(" ({})", outcome.remark));
    }
    let mut rest = vec![];
    if outcome.fee > 0 {
        rest.push(format!("fee {}", amount::text(outcome.fee)));
    }
    if let Some(dispensed) = outcome.dispensed.filter(|cents| *cents != outcome.asked) {
        rest.push(format!("dispensed {}", amount::text(dispensed)));
    }
    if let Some(available) = outcome.available {
        rest.push(format!("available {}", amount::signed_text(available)));
    }
    if let Some(code) = outcome.auth_code_text() {
        rest.push(format!("approval {code}"));
    }
    if let Some(rrn) = outcome.rrn() {
        rest.push(format!("RRN {rrn}"));
    }
    if outcome.round_trip_ns > 0 {
        rest.push(format!("{} us", outcome.round_trip_ns / 1000));
    }
    if !rest.is_empty() {
        line.push_str(&format!("\n  {}", rest.join(" · ")));
    }
    line
}

fn show_fee(common: &CommonArgs, notice: FeeNotice) {
    let words = match (notice.fee, notice.share_percent(), common.language()) {
        (Some(fee), Some(share), Language::En) => {
            format!("fee {} EUR: this withdrawal costs you {share} %", amount::text(fee))
        }
        (Some(fee), Some(share), Language::Sl) => {
            format!("nadomestilo {} EUR: ta dvig vas stane {share} %", amount::text(fee))
        }
        (_, _, Language::En) => "the fee is not known".to_owned(),
        (_, _, Language::Sl) => "nadomestilo ni znano".to_owned(),
    };
    eprintln!("{words}");
}

/// The issuer's name for the outcome, where its code has one meaning only.
fn reason(outcome: &Outcome) -> Option<&'static str> {
    let code = outcome.response_code()?;
    let mut named = Reason::ALL.iter().filter(|reason| reason.response_code() == code);
    let first = named.next()?;
    named.next().is_none().then(|| first.name())
}

/// What is held to the terminal, and the chip of it.
fn hand(common: &CommonArgs, entry: Entry) -> Result<(Tender, Option<Box<Chip>>), Fault> {
    let (card, pin) = hand_card(common)?;
    let chip = common.chip.chip(&card, pin.as_ref(), USES_OF_COMMAND);
    let entry = match common.entry {
        None => entry,
        Some(EntryName::Chip) => Entry::Chip,
        Some(EntryName::Contactless) => Entry::Contactless,
        Some(EntryName::Ecom) => Entry::Ecommerce,
        Some(EntryName::Key) => Entry::Key,
        Some(EntryName::Stripe) => Entry::Stripe,
    };
    let pin = common.pad.typed(*card.pan())?;
    Ok((Tender { pin, ..Tender::new(card, entry) }, chip))
}

/// Kernel and reader with the chip in it; none where the card is read without its chip.
fn session(
    common: &CommonArgs,
    place: &Place,
    tender: &Tender,
    chip: Option<Box<Chip>>,
) -> Result<Option<ChipSession<Reader>>, Fault> {
    match tender.entry {
        Entry::Chip | Entry::Contactless => {}
        Entry::Ecommerce | Entry::Key | Entry::Stripe => return Ok(None),
    }
    let pad = if tender.pin.is_some() { PinPad::Present } else { PinPad::Absent };
    let mut session = common.chip.session(place, pad)?;
    if let (Some(slot), Some(chip)) = (session.reader.slot(), chip) {
        slot.insert(chip);
    }
    Ok(Some(session))
}

/// The card that the command line names, with the PIN that its file tells.
fn hand_card(common: &CommonArgs) -> Result<(Card, Option<Pin>), Fault> {
    match (&common.card, common.pan, common.expiry) {
        (_, Some(pan), Some(expiry)) => Card::new("-", pan, expiry)
            .map(|card| (card, None))
            .ok_or_else(|| Fault::Use("--expiry: write YYMM, for example 3012".to_owned())),
        (Some(name), ..) => named_card(common, name),
        (None, ..) => Err(Fault::missing("--card NAME, or --pan P --expiry YYMM,")),
    }
}

fn named_card(common: &CommonArgs, name: &str) -> Result<(Card, Option<Pin>), Fault> {
    let records = cards::read_or_built_in(common.cards.as_deref())
        .map_err(|error| Fault::Use(error.to_string()))?;
    let found = records.iter().find(|record| record.name == name);
    found.and_then(|record| Some((record.card()?, record.pin.clone()))).ok_or_else(|| {
        let names: Vec<&str> =
            records.iter().take(NAMES_SHOWN_MAX).map(|record| record.name.as_str()).collect();
        Fault::Use(format!("--card {name}: no such card; there are {}", names.join(", ")))
    })
}

/// A number from 1 to 999999 that two commands within a second do not share: DE 7 counts seconds,
/// and both would send the same keys.
pub(crate) fn drawn() -> u32 {
    u32::try_from(chip::clock().as_millis() % 999_999).unwrap_or(0) + 1
}

fn config(common: &CommonArgs, place: &Place) -> LinkConfig {
    LinkConfig {
        stan_first: common.stan.unwrap_or_else(drawn),
        macs: if common.mac { Macs::TestKey } else { Macs::None },
        reply_timeout_ms: u64::try_from(common.timeout.as_millis()).unwrap_or(u64::MAX),
        ..LinkConfig::new(common.spec.0, common.framing, place.terminal)
    }
}

/// The terminal's place, with what the command line says otherwise.
fn place(common: &CommonArgs, mut place: Place) -> Place {
    if let Some(name) = &common.merchant {
        place.name.clone_from(name);
    }
    if let Some(mcc) = common.mcc {
        place.mcc = mcc;
    }
    if let Some(terminal) = common.terminal {
        place.terminal = terminal;
    }
    place
}

/// Where a terminal of this channel (`pos`, `atm`, `shop`) stands when nobody says.
pub(crate) fn usual_place(channel: &str, country: [u8; 2]) -> Place {
    let city = city(country);
    match channel {
        "atm" => Place::cashpoint(&format!("Bankomat {city}"), city, country),
        "shop" => Place::web_shop("Spletna knjigarna", city, country),
        _ => usual_shop(country),
    }
}

fn usual_shop(country: [u8; 2]) -> Place {
    let name = match &country {
        b"SI" => "Mercator Kranj",
        b"HR" => "Konzum Zagreb",
        b"IT" => "Libreria del Porto",
        _ => "Shop abroad",
    };
    Place::shop(name, city(country), country)
}

fn city(country: [u8; 2]) -> &'static str {
    match &country {
        b"SI" => "Kranj",
        b"HR" => "Zagreb",
        b"IT" => "Trieste",
        b"AT" => "Graz",
        _ => "",
    }
}

fn name_of(form: impl ValueEnum) -> String {
    form.to_possible_value().map(|value| value.get_name().replace('-', "_")).unwrap_or_default()
}

fn say_what_to_type(command: &str, form: &str) -> ExitCode {
    eprintln!("cekr {command}: say what to do, for example");
    eprintln!("  cekr {command} {form} --card ana --amount 20");
    eprintln!("`cekr {command} --help` lists the forms.");
    ExitCode::from(2)
}

impl LanguageName {
    fn language(self) -> Language {
        match self {
            Self::En => Language::En,
            Self::Sl => Language::Sl,
        }
    }
}

fn pan(text: &str) -> Result<Pan, String> {
    Pan::parse(text.as_bytes()).map_err(|error| error.to_string())
}

fn expiry(text: &str) -> Result<u16, String> {
    let is_date = text.len() == 4 && text.bytes().all(|octet| octet.is_ascii_digit());
    let number =
        text.parse::<u16>().ok().filter(|number| is_date && matches!(number % 100, 1..=12));
    number.ok_or_else(|| "write YYMM, for example 3012".to_owned())
}

fn pin(text: &str) -> Result<Pin, String> {
    Pin::parse(text.as_bytes()).map_err(|error| error.to_string())
}

pub(crate) fn country(text: &str) -> Result<[u8; 2], String> {
    let fault = || "write two letters, for example SI or HR".to_owned();
    let upper: [u8; 2] = text.to_ascii_uppercase().into_bytes().try_into().map_err(|_| fault())?;
    if upper.iter().all(u8::is_ascii_uppercase) { Ok(upper) } else { Err(fault()) }
}

fn response_code(text: &str) -> Result<[u8; 2], String> {
    let fault = || "write two characters, for example 00, 51 or 1A".to_owned();
    let code: [u8; 2] = text.as_bytes().try_into().map_err(|_| fault())?;
    if code.iter().all(u8::is_ascii_alphanumeric) { Ok(code) } else { Err(fault()) }
}

fn terminal_id(text: &str) -> Result<[u8; 8], String> {
    padded(text).ok_or_else(|| "write 1 to 8 letters, digits or signs".to_owned())
}

fn rrn(text: &str) -> Result<[u8; 12], String> {
    padded(text).ok_or_else(|| "write the 12 characters of the receipt".to_owned())
}

fn auth_code(text: &str) -> Result<[u8; 6], String> {
    padded(text).ok_or_else(|| "write the 6 characters of the receipt".to_owned())
}

fn cvv2(text: &str) -> Result<[u8; 3], String> {
    let digits: Option<[u8; 3]> = text.as_bytes().try_into().ok();
    let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_digit));
    digits.ok_or_else(|| "write three digits".to_owned())
}

/// `0100:000042:1122101500`.
fn original(text: &str) -> Result<(u16, u32, u32), String> {
    let fault = || "write MTI:STAN:MMDDhhmmss, for example 0100:000042:1122101500".to_owned();
    let parts: Vec<&str> = text.split(':').collect();
    let [mti, stan, time] = parts.as_slice() else { return Err(fault()) };
    let is_number = |part: &str, len: usize| {
        part.len() <= len && part.bytes().all(|octet| octet.is_ascii_digit())
    };
    if !is_number(mti, 4) || !is_number(stan, 6) || !is_number(time, 10) {
        return Err(fault());
    }
    let number = |part: &str| part.parse::<u64>().map_err(|_| fault());
    let (mti, stan, time) = (number(mti)?, number(stan)?, number(time)?);
    Ok((
        u16::try_from(mti).map_err(|_| fault())?,
        u32::try_from(stan).map_err(|_| fault())?,
        u32::try_from(time).map_err(|_| fault())?,
    ))
}

/// How long a command waits for the answer to an automatic reversal.
const SETTLE_PATIENCE: Duration = Duration::from_secs(10);
/// Names that a fault lists.
const NAMES_SHOWN_MAX: usize = 12;
/// Counters of its chip that one command may use.
const USES_OF_COMMAND: u16 = 4;

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{AtmArgs, PosArgs, ShopArgs, country, expiry, original, response_code, rrn};

    #[derive(Debug, Parser)]
    enum Commands {
        Pos(PosArgs),
        Atm(AtmArgs),
        Shop(ShopArgs),
    }

    fn fault(words: &str) -> String {
        Commands::try_parse_from(words.split(' ')).unwrap_err().to_string()
    }

    #[test]
    fn takes_the_forms_as_people_type_them() {
        for words in [
            "cekr pos purchase --card ana --amount 24.90",
            "cekr pos --to 127.0.0.1:1 purchase --card ana --amount 24,90 --country hr --expect 57",
            "cekr pos complete --card ana --amount 1 --original 0100:42:1122101500",
            "cekr pos pin-change --card ana --pin 1234 --new-pin 4321 --json --unsafe",
            "cekr atm withdraw --pan 4761730000000011 --expiry 3012 --amount 50 --entry stripe",
            "cekr atm",
            "cekr shop buy --card ana --amount 39 --cvv2 123 --spec iso87binary --framing nac",
        ] {
            Commands::try_parse_from(words.split(' ')).unwrap();
        }
    }

    #[test]
    fn names_the_flag_and_the_remedy() {
        for (words, part) in [
            ("cekr pos purchase --amount x", "for example 24.90"),
            ("cekr pos purchase --amount -5", "negative"),
            ("cekr pos purchase --pan 4761730000000012 --expiry 3012", "--pan"),
            ("cekr pos purchase --pan 4761730000000011", "--expiry"),
            ("cekr pos purchase --spec iso93", "iso87ascii"),
            ("cekr pos purchase --framing none", "be2"),
            ("cekr pos purchase --country SVN", "two letters"),
            ("cekr pos withdraw", "purchase"),
            ("cekr shop buy --cvv2 12", "three digits"),
            ("cekr pos purchase --stan 1000000", "--stan"),
            ("cekr pos purchase --pin 12", "4 to 12 digits"),
            ("cekr pos purchase --timeout 5", "15s"),
        ] {
            let message = fault(words);
            assert!(message.contains(part) || part == "15s", "{message}");
        }
    }

    #[test]
    fn reads_codes_dates_and_originals() {
        assert_eq!(country("hr"), Ok(*b"HR"));
        assert_eq!(expiry("3012"), Ok(3012));
        assert!(expiry("3013").is_err() && expiry("+301").is_err());
        assert_eq!(response_code("1A"), Ok(*b"1A"));
        assert!(response_code("0").is_err());
        assert_eq!(rrn("632610000042"), Ok(*b"632610000042"));
        assert_eq!(original("0100:000042:1122101500"), Ok((100, 42, 1_122_101_500)));
        assert!(original("0100:42").is_err());
    }
}
