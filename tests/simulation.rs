//! Seeded worlds against an oracle that keeps its own books, with and without crashes.
//!
//! `CEKR_SIM_SEED=7 cargo test --test simulation` replays one seed, `CEKR_SIM_SEEDS=2000` runs
//! that many. A seed that fails is printed with the command that replays it.

#![allow(clippy::inconsistent_digit_grouping, reason = "cents are written 15_00")]

mod support;

#[path = "simulation/account.rs"]
mod account;
#[path = "simulation/bank.rs"]
mod bank;
#[path = "simulation/cleared.rs"]
mod cleared;
#[path = "simulation/clearing.rs"]
mod clearing;
#[path = "simulation/confirmed.rs"]
mod confirmed;
#[path = "simulation/consent.rs"]
mod consent;
#[path = "simulation/elements.rs"]
mod elements;
#[path = "simulation/oracle.rs"]
mod oracle;
#[path = "simulation/read.rs"]
mod read;
#[path = "simulation/requests.rs"]
mod requests;
#[path = "simulation/statements.rs"]
mod statements;
#[path = "simulation/totals.rs"]
mod totals;
#[path = "simulation/world.rs"]
mod world;

use std::collections::VecDeque;
use std::env;
use std::sync::Arc;

use cekr_iso8583::View;
use cekr_issuer::entry::{LoadSource, Reference};
use cekr_issuer::policy::{AbroadScope, Abuse, CashpointRequires, EcommerceRequires};
use cekr_issuer::{Amount, CardStatus, Channels, EntryBytes, Policy, Seq};
use cekr_switch::checkpoint::{self, Keeper};
use cekr_switch::control::{ChannelsPatch, Report};
use cekr_switch::disk::Disk;
use cekr_switch::engine::Ticket;
use cekr_switch::journal::{Faults, Journal, JournalConfig, SimDisk};
use cekr_switch::keyring::{Keyring, StartKey};
use cekr_switch::recovery::{self, Drive, Plan};
use cekr_switch::shard::Shard;

use oracle::{Oracle, Rules, Verdict};
use support::{
    ANSWERS, Bank, CardSpec, Reply, Told, framed, id_of, lenient, memory, no_limits, same_cards,
};
use world::{Event, World};

/// Seeds of an ordinary run.
const SEEDS: u64 = 100;
/// Seeds beyond those of an ordinary run that found a fault once, and which: they are always run.
const FOUND: [(u64, &str); 7] = [
    (124, "a refund that was cleared before its purchase left a part of the hold set aside"),
    (128, "a DE 90 that cannot be read was none, so that a completion was posted beside its hold"),
    (
        313,
        "a completion by DE 90 took another acquirer's hold of the same numbers; and an acquirer's \
         totals counted the reversal of what a clearing line had posted",
    ),
    (406, "the same, where the other hold was for cash"),
    (459, "a completion counted the cash anew that a reversal had taken off its hold"),
    (486, "chip data that cannot be read passed for none"),
    (736, "as 128, of nothing"),
];
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
        let mut run =
            Run { bank, oracle, may_crash: false, may_refuse: false, is_told: is_replay() };
        for step in 0..STEPS {
            let event = world.step(5);
            let place = format!("seed {seed}, step {step}");
            run.happens(&mut world, event, &place);
            run.bank_step(&mut world, &place);
            run.clearing_step(&mut world, &place);
            run.confirm_step(&mut world, &place);
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
    let found = FOUND.map(|(seed, _)| seed).into_iter();
    let found = found.filter(|seed| !is_replay() && !seeds.contains(seed));
    for seed in found.chain(seeds.clone()) {
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
        ecommerce_requires: if rules.confirms {
            EcommerceRequires::Confirmation
        } else {
            EcommerceRequires::Tick
        },
        limits: if rules.limits { lenient.limits } else { no_limits() },
        ..lenient
    }
}

/// A switch and the oracle beside it.
struct Run {
    bank: Bank,
    oracle: Oracle,
    /// Whether what was answered may still be lost, as long as the answer waits.
    may_crash: bool,
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
        500 | 501 | 520 | 521 => code != "30",
        800 | 801 => code == "00" && request.text(70) == Some("201"),
        500.. => false,
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

    /// What happens at the bank, if anything does.
    fn bank_step(&mut self, world: &mut World, place: &str) {
        if let Some(event) = world.bank_step() {
            self.tells(&|| format!("{place}: {event:?}"));
            let pans: Vec<u64> = world.cards.iter().map(|card| card.pan).collect();
            let (bank, oracle) = (&self.bank, &mut self.oracle);
            bank::happens(bank, oracle, &pans, self.may_refuse, &event, place);
        }
    }

    /// A step of a confirmation, if there is one.
    fn confirm_step(&mut self, world: &mut World, place: &str) {
        if let Some(event) = world.confirm_step() {
            self.tells(&|| format!("{place}: {event:?}"));
            let both = (&self.bank, &mut self.oracle);
            confirmed::happens(both, world, self.may_refuse, event, place);
        }
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
            if !self.may_crash {
                world.keep(told, &reply.told);
            }
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
        answers_chip: told.text(55).is_some_and(|data| data.starts_with("91")),
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
    sizes: Sizes,
    /// Takes checkpoints between messages.
    keeper: Keeper,
    /// Every entry that was appended.
    recorded: Vec<EntryBytes>,
    /// The oracle after each message, with the newest entry then; from the durable one on.
    snapshots: VecDeque<(Seq, Oracle)>,
    /// Answers that wait for their entry.
    waiting: Vec<Exchange>,
    /// Answers that have left since the last crash, and the newest entry they rest on.
    released: Vec<Exchange>,
    released_max: Seq,
    crashes: u32,
}

/// Sizes that a seed has shrunk, so that their ends are met.
struct Sizes {
    journal: JournalConfig,
    /// Entries between two checkpoints; 0 takes none.
    checkpoint_entries: u64,
}

impl Sizes {
    fn of(seed: u64) -> Self {
        let journal = JournalConfig {
            segment_octets: 1 << (12 + seed % 5),
            queue_max: 1_024,
            recent_max: 1 << (3 + seed % 11),
            batch_max: usize::try_from(1 + seed % 23).unwrap(),
            ..JournalConfig::default()
        };
        let checkpoint_entries = [0, 7, 20, 50, 120][usize::try_from(seed / 5 % 5).unwrap()];
        Self { journal, checkpoint_entries }
    }
}

impl Crashing {
    fn new(seed: u64, world: &World) -> Self {
        let disk = SimDisk::new(seed);
        let sizes = Sizes::of(seed);
        let shard = recover(&disk, &sizes);
        assert_eq!(shard.journal().durable(), Seq::NONE);
        let policy = policy_of(&world.rules);
        let bank = Bank::over(shard, world.dialect, policy, &world.cards);
        let oracle = Oracle::new(world.rules.clone(), &world.cards);
        let keeper = keeper(&disk, &sizes);
        let mut crashing = Self {
            run: Run { bank, oracle, may_crash: true, may_refuse: false, is_told: is_replay() },
            disk,
            sizes,
            keeper,
            recorded: Vec::new(),
            snapshots: VecDeque::new(),
            waiting: Vec::new(),
            released: Vec::new(),
            released_max: Seq::NONE,
            crashes: 0,
        };
        crashing.record();
        crashing.journal().commit_now().unwrap();
        let durable = crashing.journal().durable();
        crashing.snapshots.push_back((durable, crashing.run.oracle.clone()));
        crashing.released_max = durable;
        crashing
    }

    /// Keeps what was appended since the last time.
    fn record(&mut self) {
        let journal = self.journal();
        let next = self.recorded.len() as u64 + 1;
        let new = (next..=journal.appended().0).map(|seq| journal.entry(Seq(seq)).unwrap());
        self.recorded.extend(new);
    }

    fn journal(&self) -> Journal {
        self.run.bank.shard().journal().clone()
    }

    fn step(&mut self, world: &mut World, place: &str) {
        let event = world.step(1);
        let exchanges = self.run.happens(world, event, place);
        self.waiting.extend(exchanges);
        self.record();
        for _ in 0..world.draw(4) {
            self.keeper.turn(self.run.bank.shard());
        }
        self.snapshots.push_back((self.journal().appended(), self.run.oracle.clone()));
        self.run.bank_step(world, place);
        self.record();
        self.snapshots.push_back((self.journal().appended(), self.run.oracle.clone()));
        if self.run.clearing_step(world, place) {
            self.record();
            self.snapshots.push_back((self.journal().appended(), self.run.oracle.clone()));
        }
        self.run.confirm_step(world, place);
        self.record();
        self.snapshots.push_back((self.journal().appended(), self.run.oracle.clone()));
        self.release(world);
        match world.draw(100) {
            0..=3 => self.crash(world, place),
            4..=5 => self.plant(world),
            6..=50 => {
                if self.journal().commit_now().is_err() {
                    // The switch ends itself: what was not durable is nobody's answer.
                    self.crash(world, place);
                }
                self.release(world);
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
    fn release(&mut self, world: &mut World) {
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
                world.keep(&exchange.request, &exchange.reply.told);
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
        if world.draw(4) == 0 {
            self.disk.restart()
        } else {
            self.disk.power_cut()
        }
        let shard = recover(&self.disk, &self.sizes);
        let last = shard.journal().durable();
        assert!(
            last >= self.released_max,
            "{place}: entry {} was answered for, and {last} is the last that was kept",
            self.released_max
        );
        let kept = 1..=last.0;
        let kept: Vec<_> = kept.map(|seq| shard.journal().entry(Seq(seq)).unwrap()).collect();
        assert!(self.recorded.starts_with(&kept), "{place}: what was kept is a beginning");
        self.recorded = kept;
        same_cards(&shard, &self.replayed());
        let known = self.snapshots.iter().rfind(|(seq, _)| *seq <= last);
        self.run.oracle = known.unwrap().1.clone();
        let policy = policy_of(&world.rules);
        self.run.bank = Bank::around(shard, world.dialect, policy);
        self.run.bank.now = world.now();
        self.keeper = keeper(&self.disk, &self.sizes);
        self.run.may_refuse = false;
        self.waiting.clear();
        self.asks_again(world, place);
        self.run.compare_money(world, place);
        self.snapshots = VecDeque::from([(last, self.run.oracle.clone())]);
        self.snapshots.push_back((self.journal().appended(), self.run.oracle.clone()));
    }

    /// What the whole journal gives, without a checkpoint.
    fn replayed(&self) -> Shard {
        let start_key = StartKey::development();
        let mut known = |_: &mut [u8]| panic!("the keys are there");
        let keyring = Keyring::open_or_create(&self.disk, &start_key, &mut known).unwrap();
        let fresh = Shard::new(memory(), keyring, ANSWERS);
        for (seq, octets) in (1..).zip(&self.recorded) {
            fresh.replay(Seq(seq), octets).unwrap();
        }
        fresh
    }

    /// What was answered before the crash gets the same octets after it.
    fn asks_again(&mut self, world: &mut World, place: &str) {
        for exchange in std::mem::take(&mut self.released) {
            let Exchange { octets, request, reply, at_ms } = exchange;
            let since = world.first_came(&request).unwrap_or(at_ms);
            if !world.is_recent(since) || world.draw(2) == 0 {
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
        self.record();
        self.run.bank.audit_against(&self.replayed());
    }
}

/// A shard out of what a disk holds.
fn recover(disk: &SimDisk, sizes: &Sizes) -> Shard {
    let start_key = StartKey::development();
    let journal = sizes.journal.clone();
    let plan = Plan { start_key: &start_key, journal, answers: ANSWERS, drive: Drive::Inline };
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut entropy = |out: &mut [u8]| out.fill(7);
    recovery::recover(&disk, &plan, &mut entropy).unwrap().0
}

fn keeper(disk: &SimDisk, sizes: &Sizes) -> Keeper {
    let newest = checkpoint::newest_first(disk).unwrap().first().copied();
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    Keeper::new(disk, sizes.checkpoint_entries, newest.unwrap_or(Seq::NONE))
}
