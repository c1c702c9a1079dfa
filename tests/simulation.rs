//! Seeded worlds against an oracle that keeps its own books, with and without crashes.
//!
//! `CEKR_SIM_SEED=7 cargo test --test simulation` replays one seed, `CEKR_SIM_SEEDS=2000` runs
//! that many. A seed that fails is printed with the command that replays it.

#![allow(clippy::inconsistent_digit_grouping, reason = "cents are written 15_00")]

mod support;

#[path = "simulation/account.rs"]
mod account;
#[path = "simulation/elements.rs"]
mod elements;
#[path = "simulation/oracle.rs"]
mod oracle;
#[path = "simulation/read.rs"]
mod read;
#[path = "simulation/requests.rs"]
mod requests;
#[path = "simulation/totals.rs"]
mod totals;
#[path = "simulation/world.rs"]
mod world;

use std::collections::VecDeque;
use std::env;
use std::sync::Arc;

use cekr_iso8583::View;
use cekr_issuer::entry::{LoadSource, Reference};
use cekr_issuer::policy::{AbroadScope, Abuse, CashpointRequires};
use cekr_issuer::{Amount, CardStatus, Channels, EntryBytes, Policy, Seq};
use cekr_switch::control::{ChannelsPatch, Report};
use cekr_switch::engine::Ticket;
use cekr_switch::journal::{Faults, Journal, JournalConfig, JournalId, SimDisk};

use oracle::{Oracle, Rules, Verdict};
use support::{
    Bank, CardSpec, Reply, Told, framed, id_of, lenient, memory, no_limits, same_cards, shard_over,
};
use world::{Event, World};

/// Seeds of an ordinary run.
const SEEDS: u64 = 100;
/// Events of one world.
const STEPS: u64 = 400;
/// Steps between two looks at all balances.
const COMPARED_EACH: u64 = 25;

#[test]
fn every_answer_and_every_balance_is_what_the_rules_say() {
    each_seed("every_answer", |seed| {
        let mut world = World::new(seed);
        let policy = policy_of(&world.rules);
        let bank = Bank::new(world.dialect, policy, &world.cards);
        let oracle = Oracle::new(world.rules.clone(), &world.cards);
        let mut run = Run { bank, oracle, may_refuse: false, is_told: is_replay() };
        for step in 0..STEPS {
            let event = world.step(5);
            let place = format!("seed {seed}, step {step}");
            run.happens(&mut world, event, &place);
            // Seldom: it enters what fell due, which is otherwise left to the next request.
            if step % COMPARED_EACH == seed % COMPARED_EACH {
                run.compare_money(&world, &place);
            }
        }
        run.compare_money(&world, &format!("seed {seed}, at the end"));
        run.bank.audit();
    });
}

#[test]
fn what_was_answered_survives_every_crash() {
    each_seed("what_was_answered", |seed| {
        let mut world = World::new(seed);
        let mut crashing = Crashing::new(seed, &world);
        for step in 0..STEPS {
            crashing.step(&mut world, &format!("seed {seed}, step {step}"));
        }
        crashing.end(&world);
    });
}

/// Runs `body` for each seed that is asked for.
fn each_seed(test: &str, body: impl Fn(u64)) {
    let number = |name| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds = match number("CEKR_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("CEKR_SIM_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        let announce = Announce { test, seed };
        body(seed);
        drop(announce);
    }
}

/// Whether one seed was asked for.
fn is_replay() -> bool {
    env::var_os("CEKR_SIM_SEED").is_some()
}

/// Tells how to replay a seed, if it is dropped by a failure.
struct Announce<'t> {
    test: &'t str,
    seed: u64,
}

impl Drop for Announce<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { test, seed } = self;
            eprintln!("seed {seed} failed; replay it with:");
            eprintln!("  CEKR_SIM_SEED={seed} cargo test --test simulation {test}");
        }
    }
}

fn policy_of(rules: &Rules) -> Policy {
    let lenient = lenient();
    Policy {
        abroad_scope: if rules.abroad_with_card_only {
            AbroadScope::CardPresent
        } else {
            AbroadScope::All
        },
        abuse: Abuse { dispense_faults: rules.dispense_faults, ..lenient.abuse },
        cashback_fee: rules.cashback_fee,
        cashpoint_requires: if rules.chip_at_cashpoints {
            CashpointRequires::ChipAndPin
        } else {
            CashpointRequires::Any
        },
        limits: if rules.limits { lenient.limits } else { no_limits() },
        ..lenient
    }
}

/// A switch and the oracle beside it.
struct Run {
    bank: Bank,
    oracle: Oracle,
    /// Whether the disk fails at times, so that what can wait may be told to come later.
    may_refuse: bool,
    is_told: bool,
}

/// A request that was answered, and how.
struct Exchange {
    octets: Vec<u8>,
    request: Told,
    reply: Reply,
    at_ms: u64,
}

/// Whether an answer tells what must not be lost: anything but a decline that changed nothing, the
/// link's own messages, what a withdrawal would cost, and what is asked of no card of ours.
fn must_survive(request: &Told, code: &str, cards: &[CardSpec]) -> bool {
    let is_enquiry = request.text(3).is_some_and(|kind| kind.starts_with("32"));
    let is_ours = cards.iter().any(|card| Some(card.pan) == request.number(2));
    let changes = match code {
        "00" | "10" | "25" | "85" => true,
        "55" => request.text(52).is_some(),
        _ => false,
    };
    match request.mti {
        120..=121 | 220..=221 => changes,
        302..=303 => changes && is_ours && request.text(91) != Some("5"),
        500..=521 => code != "30",
        800.. => code == "00" && request.text(70) == Some("201"),
        _ => changes && is_ours && !is_enquiry,
    }
}

/// Whether a request for which somebody waits was refused for want of room on the disk; what has
/// happened already is never refused.
fn is_told_to_wait(request: &Told, reply: &Reply) -> bool {
    matches!(request.mti / 10, 10 | 20) && reply.told.code() == "91" && reply.ticket == Ticket::Now
}

impl Run {
    /// Lets an event happen to both and compares; gives what was asked and answered.
    fn happens(&mut self, world: &mut World, event: Event, place: &str) -> Vec<Exchange> {
        self.bank.now = world.now();
        if !matches!(event, Event::Read(_)) {
            self.tells(&|| format!("{place}: {event:?}"));
        }
        match event {
            Event::Read(messages) => return self.reads(world, &messages, place),
            Event::Tick(card, channel, ticked) => {
                let patch = patch(channel, ticked);
                let (id, now) = (self.id(card), self.bank.now);
                let done = self.bank.control.set_channels(id, patch, now).is_ok();
                let expected = self.oracle.set_ticks(world.cards[card].pan, channel, ticked);
                assert_eq!(done, expected, "{place}: {channel:?} of card {card}");
            }
            Event::Move(card, from, to) => {
                let (control, now, id) = (&self.bank.control, self.bank.now, self.id(card));
                let done = match (from, to) {
                    (_, CardStatus::Locked) => control.lock(id, now),
                    (CardStatus::Locked, _) => control.unlock(id, now),
                    _ => control.activate(id, now),
                };
                let expected = self.oracle.move_between(world.cards[card].pan, from, to);
                assert_eq!(done.is_ok(), expected, "{place}: card {card} from {from:?} to {to:?}");
            }
            Event::Report(card, status) => {
                let report = if status == CardStatus::Lost { Report::Lost } else { Report::Stolen };
                let done = self.bank.control.report(self.id(card), report, self.bank.now).is_ok();
                let expected = self.oracle.report(world.cards[card].pan, status);
                assert_eq!(done, expected, "{place}: card {card} is {status:?}");
            }
            Event::Load(card, cents, reference) => {
                let named = Reference::new(&reference).unwrap();
                let (amount, now) = (Amount::from_minor(cents), self.bank.now);
                let source = LoadSource::Upn;
                let done = self.bank.control.load(self.id(card), amount, source, named, now);
                let expected = self.oracle.load(world.cards[card].pan, cents, &reference, now);
                assert_eq!(done.is_ok(), expected, "{place}: {reference} of {cents}: {done:?}");
            }
        }
        Vec::new()
    }

    /// A replayed seed tells its story.
    fn tells(&self, story: &dyn Fn() -> String) {
        if self.is_told {
            println!("{}", story());
        }
    }

    fn id(&self, card: usize) -> cekr_issuer::CardId {
        id_of(u32::try_from(card).unwrap())
    }

    fn reads(&mut self, world: &mut World, messages: &[Vec<u8>], place: &str) -> Vec<Exchange> {
        let framing = self.bank.link.framing;
        let input: Vec<u8> = messages.iter().flat_map(|octets| framed(framing, octets)).collect();
        let mut replies = self.bank.read(&input).into_iter();
        let mut exchanges = Vec::new();
        for octets in messages {
            let before = self.may_refuse.then(|| self.oracle.clone());
            let Some((request, verdict)) = self.expects(octets) else { continue };
            let told = &request;
            let Some(reply) = replies.next() else {
                panic!("{place}: no reply to {told:?}, but {verdict:?} was expected")
            };
            self.tells(&|| format!("{place}: {told:?}\n  -> {:?}", reply.told.elements));
            if let Some(before) = before.filter(|_| is_told_to_wait(told, &reply)) {
                // Nothing has changed.
                self.oracle = before;
                continue;
            }
            check(told, &verdict, &reply, place);
            if let Some(code) = reply.told.text(38) {
                self.oracle.learn(code);
            }
            world.hear(told, &reply.told);
            if must_survive(told, verdict.code, &world.cards) {
                let waits = matches!(reply.ticket, Ticket::After(_));
                assert!(waits, "{place}: {told:?} is answered before its entry is kept");
            }
            let at_ms = self.bank.now.unix_ms;
            exchanges.push(Exchange { octets: octets.clone(), request, reply, at_ms });
        }
        assert!(replies.next().is_none(), "{place}: a reply to nothing");
        exchanges
    }

    /// What a message is to be answered, if anything.
    fn expects(&mut self, octets: &[u8]) -> Option<(Told, Verdict)> {
        let parsed = View::parse(self.bank.link.spec, octets);
        let (view, damaged) = match &parsed {
            Ok(view) => (*view, false),
            Err(damaged) => (damaged.read, true),
        };
        let told = Told::of(&view);
        let is_request = (told.mti / 10).is_multiple_of(2);
        if !is_request {
            return None;
        }
        let verdict = if damaged {
            Verdict { code: "30", ..Verdict::default() }
        } else {
            self.oracle.judge(&told, self.bank.now)
        };
        told.text(11).is_some().then_some((told, verdict))
    }

    /// Enters what fell due, and compares balance and available of every card.
    fn compare_money(&mut self, world: &World, place: &str) {
        let now = world.now();
        let shard = self.bank.shard();
        for (ordinal, card) in (0..).zip(&world.cards) {
            let cell = shard.cards().by_id(id_of(ordinal)).unwrap();
            let mut locked = cell.lock();
            shard.settle_due(cell, &mut locked, now).unwrap();
            let balance = i128::from(locked.balance().minor());
            let available = i128::from(locked.available().minor());
            let expected = self.oracle.money(card.pan, now);
            assert_eq!(
                (balance, available),
                expected,
                "{place}: money of {} ({})",
                card.name,
                card.pan
            );
        }
    }
}

fn patch(channel: Channels, ticked: bool) -> ChannelsPatch {
    let none = ChannelsPatch::default();
    if channel == Channels::ABROAD {
        ChannelsPatch { abroad: Some(ticked), ..none }
    } else if channel == Channels::CASHPOINT {
        ChannelsPatch { cashpoint: Some(ticked), ..none }
    } else {
        ChannelsPatch { online: Some(ticked), ..none }
    }
}

/// Compares a reply with what the oracle expects.
fn check(request: &Told, verdict: &Verdict, reply: &Reply, place: &str) {
    let told = &reply.told;
    let elements = [66, 74, 75, 76, 77, 86, 87, 88, 89, 97];
    let totals: Box<[_]> =
        elements.iter().filter_map(|de| Some((*de, told.text(*de)?.to_owned()))).collect();
    let found = Verdict {
        code: verdict.code,
        approved: told.number(4).filter(|_| told.text(4) != request.text(4)),
        fee: told.number(8),
        missing: told.text(44).map(str::to_owned),
        amounts: told.text(54).map(str::to_owned),
        has_auth_code: told.text(38).is_some(),
        totals: Some(totals).filter(|totals| !totals.is_empty()),
    };
    let place = format!("{place}: {request:?} was answered {told:?}");
    assert_eq!(told.code(), verdict.code, "{place}");
    assert_eq!(&found, verdict, "{place}");
    assert_eq!(told.mti, (request.mti & !1) + 10, "{place}");
    let echoed: &[u8] = match request.mti {
        // A message about no card has no more to be known by; whatever else came is damage.
        500.. => &[7, 11, 32],
        _ => &[2, 3, 7, 11, 32, 37, 41, 42, 49],
    };
    for de in echoed.iter().copied() {
        assert_eq!(told.text(de), request.text(de), "{place}: DE {de} comes back");
    }
}

/// A world whose switch keeps its journal on a disk that fails.
struct Crashing {
    run: Run,
    disk: SimDisk,
    config: JournalConfig,
    /// The oracle after each message, with the newest entry then; from the durable one on.
    snapshots: VecDeque<(Seq, Oracle)>,
    /// Answers that wait for their entry.
    waiting: Vec<Exchange>,
    /// Answers that have left since the last crash, and the newest entry they rest on.
    released: Vec<Exchange>,
    released_max: Seq,
    crashes: u32,
}

impl Crashing {
    fn new(seed: u64, world: &World) -> Self {
        let disk = SimDisk::new(seed);
        let config = JournalConfig {
            journal_id: JournalId(seed + 1),
            segment_octets: 1 << (12 + seed % 5),
            queue_max: 1_024,
            recent_max: 1 << 13,
            batch_max: usize::try_from(1 + seed % 23).unwrap(),
            ..JournalConfig::default()
        };
        let (journal, replayed) = open(&disk, &config);
        assert!(replayed.is_empty());
        let policy = policy_of(&world.rules);
        let bank = Bank::over(shard_over(journal), world.dialect, policy, &world.cards);
        let oracle = Oracle::new(world.rules.clone(), &world.cards);
        bank.shard().journal().commit_now().unwrap();
        let durable = bank.shard().journal().durable();
        let snapshots = VecDeque::from([(durable, oracle.clone())]);
        Self {
            run: Run { bank, oracle, may_refuse: false, is_told: is_replay() },
            disk,
            config,
            snapshots,
            waiting: Vec::new(),
            released: Vec::new(),
            released_max: durable,
            crashes: 0,
        }
    }

    fn journal(&self) -> Journal {
        self.run.bank.shard().journal().clone()
    }

    fn step(&mut self, world: &mut World, place: &str) {
        let event = world.step(1);
        let exchanges = self.run.happens(world, event, place);
        self.waiting.extend(exchanges);
        self.snapshots.push_back((self.journal().appended(), self.run.oracle.clone()));
        self.release();
        match world.draw(100) {
            0..=3 => self.crash(world, place),
            4..=5 => self.plant(world),
            6..=50 => {
                if self.journal().commit_now().is_err() {
                    // The switch ends itself: what was not durable is nobody's answer.
                    self.crash(world, place);
                }
                self.release();
            }
            _ => {}
        }
    }

    /// The disk will fail one of its next calls.
    fn plant(&mut self, world: &mut World) {
        let at = Some(self.disk.calls() + 1 + world.draw(12));
        self.run.may_refuse = true;
        let none = Faults::default();
        self.disk.plant(match world.draw(3) {
            0 => Faults { crash_at: at, ..none },
            1 => Faults { fail_sync_at: at, ..none },
            _ => Faults { short_write_at: at, ..none },
        });
    }

    /// Answers leave when what they rest on is durable.
    fn release(&mut self) {
        let durable = self.journal().durable();
        let is_free = |exchange: &Exchange| match exchange.reply.ticket {
            Ticket::Now => true,
            Ticket::After(seq) => seq <= durable,
        };
        let (free, waiting) = std::mem::take(&mut self.waiting).into_iter().partition(is_free);
        self.waiting = waiting;
        for exchange in Vec::from_iter::<Vec<Exchange>>(free) {
            if let Ticket::After(seq) = exchange.reply.ticket {
                self.released_max = self.released_max.max(seq);
                self.released.push(exchange);
            }
        }
        while self.snapshots.get(1).is_some_and(|(seq, _)| *seq <= durable) {
            self.snapshots.pop_front();
        }
    }

    /// The power fails or the process dies; the switch starts anew over what the disk kept.
    fn crash(&mut self, world: &mut World, place: &str) {
        self.crashes += 1;
        self.run.tells(&|| format!("{place}: a crash"));
        let before = self.journal();
        let recorded: Vec<EntryBytes> =
            (1..=before.appended().0).map(|seq| before.entry(Seq(seq)).unwrap()).collect();
        if world.draw(4) == 0 {
            self.disk.restart()
        } else {
            self.disk.power_cut()
        }
        let (journal, replayed) = open(&self.disk, &self.config);
        let last = journal.durable();
        assert!(
            last >= self.released_max,
            "{place}: entry {} was answered for, and {last} is the last that was kept",
            self.released_max
        );
        assert!(recorded.starts_with(&replayed), "{place}: what was kept is a beginning");
        let shard = shard_over(journal);
        for (seq, octets) in (1..).zip(&replayed) {
            shard.replay(Seq(seq), octets).unwrap();
        }
        let fresh = shard_over(memory());
        for (seq, octets) in (1..).zip(&replayed) {
            fresh.replay(Seq(seq), octets).unwrap();
        }
        same_cards(&shard, &fresh);
        let known = self.snapshots.iter().rfind(|(seq, _)| *seq <= last);
        self.run.oracle = known.unwrap().1.clone();
        let policy = policy_of(&world.rules);
        self.run.bank = Bank::around(shard, world.dialect, policy);
        self.run.bank.now = world.now();
        self.run.may_refuse = false;
        self.waiting.clear();
        self.asks_again(world, place);
        self.run.compare_money(world, place);
        self.snapshots = VecDeque::from([(last, self.run.oracle.clone())]);
        self.snapshots.push_back((self.journal().appended(), self.run.oracle.clone()));
    }

    /// What was answered before the crash gets the same octets after it.
    fn asks_again(&mut self, world: &mut World, place: &str) {
        for exchange in std::mem::take(&mut self.released) {
            let Exchange { octets, request, reply, at_ms } = exchange;
            if !world.is_recent(at_ms) || world.draw(2) == 0 {
                continue;
            }
            let again = self.run.reads(world, &[octets], place).remove(0);
            assert_eq!(again.reply.octets, reply.octets, "{place}: {request:?} after a crash");
        }
    }

    fn end(mut self, world: &World) {
        assert!(self.crashes > 0, "a world without a crash proves little");
        self.disk.plant(Faults::default());
        self.run.compare_money(world, "at the end");
        self.journal().commit_now().unwrap();
        self.run.bank.audit();
    }
}

/// Opens the journal of a disk and gives the entries that it holds.
fn open(disk: &SimDisk, config: &JournalConfig) -> (Journal, Vec<EntryBytes>) {
    let mut entries = Vec::new();
    let disk = Arc::new(disk.clone());
    let (journal, recovered) = Journal::with_disk_inline(disk, config, &mut |_, octets| {
        entries.push(*octets);
        Ok(())
    })
    .unwrap();
    assert_eq!(recovered.entries, entries.len() as u64);
    (journal, entries)
}
