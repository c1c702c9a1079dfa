//! The story: a switch on disk, terminals over TCP, a holder who ticks, locks, loads and confirms.
//!
//! One step per sentence. Each step says what must come of it, so that the story is a test of the
//! whole as much as a tour; the demo ends with 0 only when every step came out so, the books
//! balance and the journal, read anew, gives the same cards.

#[cfg(feature = "portal")]
mod online;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use cekr_emv::chip::Faults;
use cekr_emv::pin::Pin;
use cekr_iso8583::{CEKR87, Framing, Pan};
use cekr_issuer::books::Books;
use cekr_issuer::entry::{LoadSource, Name, Reference};
use cekr_issuer::{Amount, Card, CardId, CardStatus, Channels, Controls, Now, Seq};
use cekr_switch::clock::Clock;
use cekr_switch::config::{Address, Config, Durability};
use cekr_switch::control::{ChannelsPatch, Control};
use cekr_switch::server::Running;
use cekr_switch::shard::{NewCard, Shard};
use cekr_terminal_sim::cassettes::{Cassette, Cassettes};
use cekr_terminal_sim::chip_session::{ChipSession, IssuerProof};
use cekr_terminal_sim::client::{
    CashpointTerminal, Host, PosTerminal, ShopTerminal, WithdrawOptions,
};
use cekr_terminal_sim::device::reader::{ChipSlot, Reader};
use cekr_terminal_sim::form::{Entry, PinPad, Tender};
use cekr_terminal_sim::link::LinkConfig;
use cekr_terminal_sim::load::report::LoadReport;
use cekr_terminal_sim::load::{self, Connections, LoadPlan, Pace};
use cekr_terminal_sim::outcome::Outcome;
use cekr_terminal_sim::place::Place;
use cekr_terminal_sim::world::Holder;
use serde_json::{Value, json};

use crate::serve::{self, Start};
use crate::{advantage, cards};

/// Starts a switch, terminals and cards, and tells a story with them.
#[derive(clap::Args)]
#[command(after_help = "Example: cekr demo --seed 1 --json")]
pub struct DemoArgs {
    /// Decides trace numbers and the messages of the load at the end.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// One JSON object a line on standard output.
    #[arg(long)]
    json: bool,
}

/// Tells the story.
pub fn run(args: &DemoArgs) -> ExitCode {
    let dir = scratch_dir();
    let mut teller = Teller { json: args.json, failures: Vec::new(), seen: SwitchTime::default() };
    let told = tell(args.seed, &dir, &mut teller);
    // What is left behind of it is the system's to clear.
    let _ = std::fs::remove_dir_all(&dir);
    if let Err(error) = told {
        eprintln!("cekr demo: {error}");
        return ExitCode::FAILURE;
    }
    teller.end()
}

type Told<T> = Result<T, Box<dyn std::error::Error>>;

fn tell(seed: u64, dir: &Path, teller: &mut Teller) -> Told<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let clock = Clock::system()?;
    let running = serve::start(Start::guest(config(dir)?))?;
    teller.begin(seed, &running);
    let told = runtime.block_on(tell_story(&running, seed, clock.clone(), teller));
    let before = State::of(running.control().shard());
    running.shutdown().map_err(|failure| failure.to_string())?;
    told?;

    // The same directory, read anew: what the journal says must be what the cards were.
    let running = serve::start(Start::guest(config(dir)?))?;
    teller.books(&before, &State::of(running.control().shard()));
    issue_load_cards(running.control(), clock.now())?;
    let report = runtime.block_on(load::run(load_plan(&running, seed)))?;
    let switch_time = SwitchTime::of(&running);
    teller.latency(&report, &switch_time);
    running.shutdown().map_err(|failure| failure.to_string())?;
    Ok(())
}

/// The tour itself: the terminals, the card in hand, and what to say of it.
struct Story<'a> {
    running: &'a Running,
    teller: &'a mut Teller,
    pos: PosTerminal,
    cashpoint: CashpointTerminal,
    shop: ShopTerminal,
    ana: Tender,
    id: CardId,
    clock: Clock,
}

impl Story<'_> {
    async fn step_purchase(&mut self) -> Told<()> {
        let outcome = self.pos.purchase(&self.ana, 24_90).await;
        let place = self.pos.place().clone();
        self.authorization("purchase", &place, &outcome, Expected { code: "00", available: 75_10 })
    }

    async fn step_withdrawals(&mut self) -> Told<()> {
        let place = self.cashpoint.cashpoint().place().clone();
        let any_fee = WithdrawOptions::default();
        hand_over(&mut self.pos.chip, &mut self.cashpoint.chip);
        let outcome = self.cashpoint.withdraw(&self.ana, 50_00, any_fee).await;
        let expected = Expected { code: "00", available: 10_10 };
        self.authorization("withdrawal", &place, &outcome, expected)?;
        self.teller.note("fee 15,00 € (5 % = 2,50 €, minimum 15,00 €)");
        let outcome = self.cashpoint.withdraw(&self.ana, 10_00, any_fee).await;
        let expected = Expected { code: "51", available: 10_10 };
        self.authorization("withdrawal_over", &place, &outcome, expected)?;
        hand_over(&mut self.cashpoint.chip, &mut self.pos.chip);
        self.teller.note("needs 25,00 €: 10,00 and the fee of 15,00");
        Ok(())
    }

    /// A wrong PIN at the cashpoint, and at the till a chip whose counter stands still: what it
    /// seals was sealed before.
    async fn step_refused(&mut self) -> Told<()> {
        let (till, bankomat) =
            (self.pos.place().clone(), self.cashpoint.cashpoint().place().clone());
        let card = self.ana.card.clone();
        let wrong = Tender::new(card, Entry::Chip).with_pin(&Pin::parse(b"9999")?);
        hand_over(&mut self.pos.chip, &mut self.cashpoint.chip);
        let outcome = self.cashpoint.withdraw(&wrong, 10_00, WithdrawOptions::default()).await;
        hand_over(&mut self.cashpoint.chip, &mut self.pos.chip);
        let expected = Expected { code: "55", available: 10_10 };
        self.authorization("wrong_pin", &bankomat, &outcome, expected)?;
        self.teller.note("two tries are left");
        self.stick_counter(true);
        let outcome = self.pos.purchase(&self.ana, 1_00).await;
        self.stick_counter(false);
        let expected = Expected { code: "82", available: 10_10 };
        self.authorization("replay", &till, &outcome, expected)?;
        self.teller.note("the same counter a second time");
        Ok(())
    }

    fn stick_counter(&mut self, stuck_atc: bool) {
        let slot = self.pos.chip.as_mut().and_then(|session| session.reader.slot());
        if let Some(chip) = slot.and_then(ChipSlot::chip) {
            *chip.faults() = Faults { stuck_atc, ..Faults::default() };
        }
    }

    async fn step_load(&mut self) -> Told<()> {
        let reference = Reference::new("SI05 8074720-123456782-200 demo").ok_or("too long")?;
        let amount = Amount::from_minor(200_00);
        let now = self.clock.now();
        let loaded =
            self.running.control().load(self.id, amount, LoadSource::Upn, reference, now)?;
        self.changed("load", json!({"amount": 200_00, "currency": "EUR", "source": "upn"}), loaded)
            .await?;
        self.teller.expect("load", self.available() == 210_10, "210.10 available");
        Ok(())
    }

    async fn step_abroad(&mut self) -> Told<Outcome> {
        self.pos.relocate(Place {
            terminal: *b"POSHR001",
            ..Place::shop("Konzum Zagreb", "Zagreb", *b"HR")
        });
        let place = self.pos.place().clone();
        let zagreb = self.pos.purchase(&self.ana, 12_00).await;
        let expected = Expected { code: "00", available: 198_10 };
        self.authorization("purchase_abroad", &place, &zagreb, expected)?;

        let patch = ChannelsPatch { abroad: Some(false), ..ChannelsPatch::default() };
        let set = self.running.control().set_channels(self.id, patch, self.clock.now())?;
        self.changed("untick_abroad", json!({"abroad": false}), set).await?;

        let outcome = self.pos.purchase(&self.ana, 12_00).await;
        let expected = Expected { code: "57", available: 198_10 };
        self.authorization("purchase_abroad_off", &place, &outcome, expected)?;
        Ok(zagreb)
    }

    /// Without the website nobody can be asked: the tick decides.
    #[cfg(not(feature = "portal"))]
    async fn step_online(&mut self) -> Told<()> {
        let place = self.shop.place().clone();
        let outcome = self.shop.buy(&self.ana.card, 39_00, None).await;
        let expected = Expected { code: "00", available: 159_10 };
        self.authorization("online", &place, &outcome, expected)?;
        self.teller.note("built without the website: the tick alone decides");
        Ok(())
    }

    async fn step_lock(&mut self) -> Told<()> {
        let locked = self.running.control().lock(self.id, self.clock.now())?;
        self.changed("lock", json!({"state": "locked"}), locked).await?;
        self.teller.note("lost or stolen? call +386 (0)14 772 000");
        self.pos.relocate(Place::shop("Mercator Kranj", "Kranj", *b"SI"));
        let place = self.pos.place().clone();
        let outcome = self.pos.purchase(&self.ana, 3_20).await;
        let expected = Expected { code: "62", available: 159_10 };
        self.authorization("purchase_locked", &place, &outcome, expected)
    }

    async fn step_reversal(&mut self, zagreb: &Outcome) -> Told<()> {
        let outcome = self.pos.reverse(zagreb).await;
        let place = Place::shop("Konzum Zagreb", "Zagreb", *b"HR");
        let expected = Expected { code: "00", available: 171_10 };
        self.authorization("reversal", &place, &outcome, expected)
    }

    /// Tells an answer of the switch and holds it against what the story expects.
    fn authorization(
        &mut self,
        step: &str,
        place: &Place,
        outcome: &Outcome,
        expected: Expected,
    ) -> Told<()> {
        self.confirmed(step, place, outcome, expected, None)
    }

    /// The same of what `by` confirmed.
    fn confirmed(
        &mut self,
        step: &str,
        place: &Place,
        outcome: &Outcome,
        expected: Expected,
        by: Option<&'static str>,
    ) -> Told<()> {
        let code = outcome.response_code_text();
        let available = self.available();
        let is_right = code == expected.code && available == expected.available;
        self.teller.expect(
            step,
            is_right,
            &format!("{} and {}", expected.code, expected.available),
        );
        let newest = self.running.control().shard().snapshot(self.id).map(|card| card.last_seq);
        let entry = newest.and_then(|seq| self.running.control().shard().entry(seq));
        let reason = entry.as_ref().and_then(|entry| entry.answered()).map(|given| given.reason);
        let event = if step == "reversal" { "reversal" } else { "authorization" };
        let switch_ns = SwitchTime::of(self.running).mean_ns_since(&mut self.teller.seen);
        self.teller.answer(&Answered {
            event,
            step,
            place,
            outcome,
            code: &code,
            reason: reason.map_or("unknown", |reason| reason.name()),
            words: reason.map_or("no answer", |reason| reason.words_en()),
            available,
            switch_ns,
            confirmed_by: by,
        });
        Ok(())
    }

    /// Waits until a change is durable, as the API does, and tells it.
    async fn changed(
        &mut self,
        step: &str,
        what: Value,
        changed: (cekr_switch::control::CardView, cekr_issuer::Seq),
    ) -> Told<()> {
        let (card, seq) = changed;
        while self.running.journal().durable() < seq {
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        self.teller.changed(step, &what, card.available);
        Ok(())
    }

    fn available(&self) -> i64 {
        let card = self.running.control().shard().snapshot(self.id);
        card.map_or(0, |card| card.available.minor())
    }
}

async fn tell_story(running: &Running, seed: u64, clock: Clock, teller: &mut Teller) -> Told<()> {
    let records = cards::built_in()?;
    let record = records.iter().find(|record| record.name == "ana").ok_or("no card ana")?;
    let card = record.card().ok_or("the card ana cannot be used at a terminal")?;
    let pin = record.pin.clone().ok_or("the card ana has no PIN")?;
    let chip = card.development_chip(&pin, 0).ok_or("the card ana has no chip")?;
    let ana = Tender::new(card, Entry::Chip).with_pin(&pin);
    let id = running.control().find("ana").ok_or("the card ana was not issued")?;

    let mercator = Place::shop("Mercator Kranj", "Kranj", *b"SI");
    let bankomat = Place::cashpoint("NLB Kranj 0042", "Kranj", *b"SI");
    let mimovrste = Place::web_shop("Mimovrste", "Ljubljana", *b"SI");
    let mut till_chip = chip_session(&mercator, seed);
    if let Some(slot) = till_chip.reader.slot() {
        slot.insert(chip);
    }
    let pos = PosTerminal::new(connect(running, seed, &mercator).await?, mercator);
    let pos = pos.with_chip(till_chip);
    let notes = Cassettes::new(&[Cassette::new(10_00, 100), Cassette::new(20_00, 100)]);
    let host = connect(running, seed, &bankomat).await?;
    let cashpoint_chip = chip_session(&bankomat, seed);
    let cashpoint = CashpointTerminal::new(host, bankomat, notes).with_chip(cashpoint_chip);
    let shop = ShopTerminal::new(connect(running, seed, &mimovrste).await?, mimovrste);

    let mut story = Story { running, teller, pos, cashpoint, shop, ana, id, clock };
    story.step_purchase().await?;
    story.step_withdrawals().await?;
    story.step_refused().await?;
    story.step_load().await?;
    let zagreb = story.step_abroad().await?;
    story.step_online().await?;
    story.step_lock().await?;
    story.step_reversal(&zagreb).await
}

/// A kernel with an empty slot.
fn chip_session(place: &Place, seed: u64) -> ChipSession<Reader> {
    let reader = Reader::Slot(ChipSlot::new(seed));
    ChipSession::new(reader, place, PinPad::Present, IssuerProof::Required, seed)
}

/// The card goes from one terminal to the other.
fn hand_over(from: &mut Option<ChipSession<Reader>>, to: &mut Option<ChipSession<Reader>>) {
    let chip = from.as_mut().and_then(|session| session.reader.slot()?.remove());
    let slot = to.as_mut().and_then(|session| session.reader.slot());
    if let (Some(slot), Some(chip)) = (slot, chip) {
        slot.insert(chip);
    }
}

async fn connect(running: &Running, seed: u64, place: &Place) -> Told<Host> {
    let to = running.iso_addrs.first().ok_or("the switch has no listener")?.to_string();
    let mut config = LinkConfig::new(&CEKR87, Framing::Be2, place.terminal);
    config.stan_first = u32::try_from(seed % 900_000).unwrap_or_default() + 1;
    Ok(Host::connect(&to, config).await?)
}

/// What must come of a step.
struct Expected {
    code: &'static str,
    available: i64,
}

/// One answer of the switch, ready to be told.
struct Answered<'a> {
    event: &'a str,
    step: &'a str,
    place: &'a Place,
    outcome: &'a Outcome,
    code: &'a str,
    reason: &'a str,
    words: &'a str,
    available: i64,
    switch_ns: u64,
    confirmed_by: Option<&'static str>,
}

/// Tells the story to a person or a program, and remembers what went wrong.
struct Teller {
    json: bool,
    failures: Vec<String>,
    seen: SwitchTime,
}

impl Teller {
    fn begin(&self, seed: u64, running: &Running) {
        let iso8583 = running.iso_addrs.first().map(ToString::to_string).unwrap_or_default();
        if self.json {
            let line = json!({"event": "begin", "seed": seed, "iso8583": iso8583,
                "http": running.http_url(), "durability": "sync"});
            return self.line(&line);
        }
        println!("cekr demo · seed {seed} · switch {iso8583} · api {}\n", running.http_url());
    }

    fn answer(&self, told: &Answered<'_>) {
        let Answered { event, step, place, outcome, .. } = *told;
        if self.json {
            let mut line = json!({
                "event": event, "step": step, "channel": channel(place),
                "merchant": place.name, "country": place.country_text(),
                "amount": outcome.asked, "fee": outcome.fee, "currency": "EUR",
                "response_code": told.code, "reason": told.reason,
                "available_after": told.available, "switch_ns": told.switch_ns,
                "round_trip_ns": outcome.round_trip_ns,
            });
            if let (Some(line), Some(by)) = (line.as_object_mut(), told.confirmed_by) {
                line.insert("confirmed_by".to_owned(), json!(by));
            }
            return self.line(&line);
        }
        let mark = match (event, outcome.is_approved()) {
            ("reversal", _) => "↺",
            (_, true) => "✓",
            (_, false) => "✗",
        };
        println!(
            " {mark} {step:<20} {name:<16} {country} {amount:>9} €   {code} {words:<42} {us:>7.1} µs   available {available:>8} €",
            name = place.name,
            country = place.country_text(),
            amount = euros(i64::try_from(outcome.asked).unwrap_or(i64::MAX)),
            code = told.code,
            words = told.words,
            us = micros(told.switch_ns),
            available = euros(told.available),
        );
    }

    fn changed(&self, step: &str, what: &Value, available: i64) {
        if self.json {
            let mut line = json!({"event": step, "step": step});
            if let (Some(line), Some(what)) = (line.as_object_mut(), what.as_object()) {
                line.extend(what.clone());
                line.insert("available_after".to_owned(), json!(available));
            }
            return self.line(&line);
        }
        println!(" + {step:<20} {:<88} available {:>8} €", what.to_string(), euros(available));
    }

    fn note(&self, text: &str) {
        if !self.json {
            println!("   {:<20} {text}", "");
        }
    }

    /// Holds the books, and the cards that the journal gives when it is read anew.
    fn books(&mut self, before: &State, after: &State) {
        let same = before.cards == after.cards;
        let balanced = after.books.sum() == 0 && after.books == before.books;
        self.expect("books", balanced, "postings that sum to zero");
        self.expect("books", same, "the journal to give the same cards");
        if self.json {
            return self.line(&json!({"event": "books", "step": "books", "entries": after.seq.0,
                "balanced": balanced, "replay_equal": same, "cards": after.cards.len()}));
        }
        let mark = |ok: bool| if ok { "✓" } else { "✗" };
        println!(
            "\n books: debits = credits {}   journal of {} entries read anew, same {} cards {}",
            mark(balanced),
            after.seq,
            after.cards.len(),
            mark(same),
        );
    }

    fn latency(&mut self, report: &LoadReport, switch: &SwitchTime) {
        let is_whole = report.error_count() == 0 && report.answered > 0;
        self.expect("latency", is_whole, "every message of the load to be answered");
        let trip = &report.corrected;
        if self.json {
            return self.line(&json!({
                "event": "latency", "step": "latency", "sent": report.sent,
                "answered": report.answered, "rate": report.rate,
                "errors": report.error_count(), "switch_ns": {
                    "p50": switch.p50_ns, "p99": switch.p99_ns },
                "round_trip_ns": {"p50": trip.p50_ns, "p90": trip.p90_ns, "p99": trip.p99_ns,
                    "p99.9": trip.p999_ns, "max": trip.max_ns},
            }));
        }
        println!(
            "\n load: {} messages in {} ms over 8 connections, on disk, {} errors",
            report.answered,
            report.duration_ms,
            report.error_count()
        );
        println!(
            "          switch (a read, decoded, decided, encoded)   round trip over TCP, durable"
        );
        println!("   p50    {:>9.1} µs {:>42.1} µs", micros(switch.p50_ns), micros(trip.p50_ns));
        println!("   p99    {:>9.1} µs {:>42.1} µs", micros(switch.p99_ns), micros(trip.p99_ns));
        println!("   p99.9  {:>12} {:>42.1} µs", "", micros(trip.p999_ns));
    }

    fn expect(&mut self, step: &str, is_right: bool, expected: &str) {
        if !is_right {
            self.failures.push(format!("{step}: expected {expected}"));
        }
    }

    fn end(self) -> ExitCode {
        let ok = self.failures.is_empty();
        if self.json {
            self.line(&json!({"event": "summary", "ok": ok, "failures": self.failures}));
        } else if ok {
            println!("\n✓ every step came out as told");
            println!(
                "next: cekr serve · cekr pos purchase --card ana --amount 24.90 · cekr msg view --help"
            );
        }
        for failure in &self.failures {
            eprintln!("cekr demo: {failure}");
        }
        if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn line(&self, line: &Value) {
        println!("{line}");
    }
}

/// What the lanes measured: from the end of a read to its answers.
#[derive(Clone, Copy, Default)]
struct SwitchTime {
    sum_ns: u64,
    count: u64,
    p50_ns: u64,
    p99_ns: u64,
}

impl SwitchTime {
    fn of(running: &Running) -> Self {
        let lanes = running.metrics().lanes();
        lanes.fold(Self::default(), |all, lane| {
            let time = &lane.switch_time;
            Self {
                sum_ns: all.sum_ns + time.sum_ns(),
                count: all.count + time.count(),
                p50_ns: all.p50_ns.max(time.percentile_ns(50)),
                p99_ns: all.p99_ns.max(time.percentile_ns(99)),
            }
        })
    }

    /// The mean of what was measured since `seen`, which becomes what is seen now.
    fn mean_ns_since(self, seen: &mut Self) -> u64 {
        let count = self.count.saturating_sub(seen.count).max(1);
        let mean = self.sum_ns.saturating_sub(seen.sum_ns) / count;
        *seen = self;
        mean
    }
}

/// All that a shard's journal must give again.
struct State {
    cards: Vec<(Option<Pan>, Card)>,
    books: Books,
    seq: Seq,
}

impl State {
    fn of(shard: &Shard) -> Self {
        let cells =
            (0..shard.cards().len()).filter_map(|ordinal| shard.cards().by_id(CardId(ordinal)));
        let (books, seq) = shard.books();
        Self { cards: cells.map(|cell| (cell.pan(), cell.lock().clone())).collect(), books, seq }
    }
}

/// Cards for the load: rich, without limits, so that it is approvals that are measured.
fn issue_load_cards(control: &Control, now: Now) -> Told<()> {
    for holder in 0..LOAD_CARDS {
        let new = NewCard {
            pan: load_pan(holder)?,
            name: Name::new(&format!("load{holder}")).ok_or("too long")?,
            mok_id: 900_000_000 + u32::try_from(holder)?,
            controls: Controls {
                status: CardStatus::Active,
                ticks: Channels::ALL,
                expiry: cekr_iso8583::Expiry::new(LOAD_EXPIRY).ok_or("no expiry")?,
                version: 0,
            },
            pin: None,
            limited: false,
            balance: Amount::from_minor(1_000_000_00),
        };
        control.shard().issue(new, now)?;
    }
    Ok(())
}

const LOAD_CARDS: u64 = 64;
const LOAD_EXPIRY: u16 = 30_12;

fn load_pan(n: u64) -> Told<Pan> {
    let body = 476_173_900_000_000 + n;
    let pan = (0..10).find_map(|check| Pan::from_number(body * 10 + check).ok());
    Ok(pan.ok_or("no check digit fits")?)
}

fn load_plan(running: &Running, seed: u64) -> LoadPlan {
    let to = running.iso_addrs.first().map(ToString::to_string).unwrap_or_default();
    let holders = (0..LOAD_CARDS).filter_map(|n| {
        let card = cekr_terminal_sim::card::Card::new("load", load_pan(n).ok()?, LOAD_EXPIRY)?;
        Some(Holder { card, pin: None })
    });
    LoadPlan {
        pace: Pace::PerSecond(2_000),
        connections: Connections(8),
        duration: Duration::from_secs(2),
        holders: holders.collect(),
        seed,
        ..LoadPlan::new(&to, &CEKR87, Framing::Be2)
    }
}

fn config(dir: &Path) -> Told<Config> {
    let mut config = Config::default();
    config.data.dir = dir.display().to_string();
    config.data.durability = Durability::Sync;
    #[cfg(not(feature = "portal"))]
    {
        config.policy.ecommerce_requires = cekr_switch::config::EcommerceRequires::Tick;
    }
    // A tour writes little: preparing a segment of the usual size would take longer than it.
    config.journal.segment_octets = 4 * 1_024 * 1_024;
    config.listener.first_mut().addr = Address::parse("127.0.0.1:0")?;
    config.http.addr = Address::parse("127.0.0.1:0")?;
    advantage::enrol_sample(&mut config)?;
    Ok(config)
}

/// A directory of this run's own, which no other run uses at the same time.
fn scratch_dir() -> PathBuf {
    std::env::temp_dir().join(format!("cekr-demo-{}", std::process::id()))
}

fn channel(place: &Place) -> &'static str {
    match place.mcc {
        6010 | 6011 => "cashpoint",
        5964 => "online",
        _ => "pos",
    }
}

/// Cents as people of the programme write them.
fn euros(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{},{:02}", cents.unsigned_abs() / 100, cents.unsigned_abs() % 100)
}

fn micros(ns: u64) -> f64 {
    ns as f64 / 1_000.0
}
