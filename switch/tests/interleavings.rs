//! Lock, approve, append, commit and read in every order that a scheduler thinks of.
//!
//! With the feature `shuttle` every lock and atomic of the crate is shuttle's: each of their
//! operations is a place where another thread may go on. A small world, with the real engine,
//! shard, journal and a simulated disk, is run under thousands of schedules, half of them random,
//! half by probabilistic concurrency testing, which finds what needs few but certain changes of
//! thread. A schedule that fails is printed; `shuttle::replay` runs it again. What it does not
//! show: shuttle takes every atomic operation as sequentially consistent.
//!
//! `cargo test -p cekr-switch --features shuttle --test interleavings`; CEKR_SCHEDULES says how
//! many.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "tests may"
)]

use std::sync::Arc;

use cekr_iso8583::{CEKR87, Expiry, FieldSet, Framing, Mti, Pan, Writer};
use cekr_issuer::entry::Name;
use cekr_issuer::policy::{EcommerceRequires, Limits};
use cekr_issuer::{
    Amount, CardId, CardStatus, Channels, Controls, Entry, EntryBytes, Fact, LocalDate, Now,
    Policy, Seq,
};
use cekr_switch::answers::AnswersConfig;
use cekr_switch::control::{ChannelsPatch, Control};
use cekr_switch::engine::{Engine, Link, MacRule, Outgoing, Ticket};
use cekr_switch::journal::{Journal, JournalConfig, SimDisk};
use cekr_switch::keyring::Keyring;
use cekr_switch::shard::{NewCard, Shard};
use cekr_switch::sync::{AtomicU64, Ordering};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner, thread};

const NOW: Now = Now { unix_ms: 1_795_341_600_000, local_date: LocalDate::new(2026, 11, 22) };
const LINK: Link =
    Link { id: 1, spec: &CEKR87, framing: Framing::Be2, octets_max: 4_096, mac: MacRule::Off };
const PAN: u64 = 4_761_730_000_000_011;
const CARD: CardId = CardId(0);
/// Enough for two purchases of 4.00, not for three.
const OPENING: u64 = 10_00;
const PRICE: u64 = 4_00;

/// Runs `body` under many schedules.
fn under_many_schedules(body: fn()) {
    let wanted = std::env::var("CEKR_SCHEDULES").ok().and_then(|text| text.parse().ok());
    let schedules: usize = wanted.unwrap_or(2_000);
    let config = || {
        let mut config = Config::new();
        // An engine keeps room for a reply on its stack.
        config.stack_size = 1 << 20;
        config
    };
    Runner::new(RandomScheduler::new(schedules / 2), config()).run(body);
    Runner::new(PctScheduler::new(3, schedules / 2), config()).run(body);
}

/// One card, and a disk that forgets what was not synced.
struct World {
    engine: Engine,
    control: Control,
    disk: SimDisk,
}

fn journal_config() -> JournalConfig {
    JournalConfig {
        segment_octets: 4_096,
        recent_max: 32,
        queue_max: 32,
        ..JournalConfig::default()
    }
}

fn shard_over(journal: Journal) -> Shard {
    let keyring = Keyring::ephemeral(&mut |out| out.fill(7));
    Shard::new(journal, keyring, AnswersConfig { answers_max: 32, window_min_ms: 0 })
}

impl World {
    fn new() -> Arc<World> {
        let disk = SimDisk::new(1);
        let shared = Arc::new(disk.clone());
        let (journal, _) =
            Journal::with_disk_inline(shared, &journal_config(), &mut |_, _| Ok(())).unwrap();
        let shard = shard_over(journal);
        let new = NewCard {
            pan: Pan::from_number(PAN).unwrap(),
            name: Name::new("ana").unwrap(),
            mok_id: 1,
            controls: Controls {
                status: CardStatus::Active,
                ticks: Channels::ALL,
                expiry: Expiry::new(3012).unwrap(),
                version: 0,
            },
            pin: None,
            limited: true,
            balance: Amount::from_minor(OPENING),
        };
        shard.issue(new, NOW).unwrap();
        shard.journal().commit_now().unwrap();
        let none = Amount::from_minor(0);
        let policy = Policy {
            ecommerce_requires: EcommerceRequires::Tick,
            limits: Limits { pos_day: none, online_day: none, ..Limits::default() },
            ..Policy::default()
        };
        let shard = Arc::new(shard);
        let control = Control::new(shard.clone(), Arc::new(policy.clone()));
        Arc::new(World { engine: Engine::new(shard, policy), control, disk })
    }

    fn shard(&self) -> &Shard {
        self.engine.shard()
    }

    /// Asks, and looks once whether the answer may leave. Gives the reply, and whether it was
    /// heard.
    fn ask(&self, frame: &[u8]) -> (Vec<u8>, bool) {
        let mut out = Outgoing::default();
        self.engine.handle_read(&LINK, frame, NOW, &mut out).unwrap();
        let may_leave = match out.spans[0].ticket {
            Ticket::Now => true,
            Ticket::After(seq) => self.shard().journal().durable() >= seq,
        };
        (out.bytes().to_vec(), may_leave)
    }

    /// Every entry, in order.
    fn entries(&self) -> Vec<Entry> {
        let last = self.shard().journal().appended().0;
        (1..=last).map(|seq| self.shard().entry(Seq(seq)).unwrap()).collect()
    }

    /// What must hold when all threads have ended, whatever their order was.
    fn check(&self, heard: &[(u64, Vec<u8>)], off: Option<Seq>) {
        let entries = self.entries();
        let mut spent = 0;
        let mut keys = Vec::new();
        for (seq, entry) in (1..).map(Seq).zip(&entries) {
            let Some(answered) = entry.answered() else { continue };
            assert!(!keys.contains(&answered.key), "entry {seq:?} is the second of its key");
            keys.push(answered.key);
            if let Fact::Authorized(fact) = &entry.fact {
                spent += fact.answered.amount.minor();
                assert!(off.is_none_or(|off| seq < off), "approved after the card was off");
            }
        }
        let card = self.shard().snapshot(CARD).unwrap();
        assert_eq!(card.balance.minor(), OPENING as i64 - spent as i64);
        assert!(spent <= OPENING, "more was spent than there was");
        assert_eq!(card.last_seq, Seq(entries.len() as u64));

        // The power goes: what was heard is there, and the rest is a beginning of what was.
        self.disk.power_cut();
        let mut kept: Vec<EntryBytes> = Vec::new();
        let shared = Arc::new(self.disk.clone());
        let (journal, _) = Journal::with_disk_inline(shared, &journal_config(), &mut |_, entry| {
            kept.push(*entry);
            Ok(())
        })
        .unwrap();
        for (octets, entry) in kept.iter().zip(&entries) {
            assert_eq!(Entry::decode(octets).unwrap(), *entry);
        }
        for (stan, reply) in heard {
            let is_approved = reply.windows(2).any(|two| two == b"00") && is_approval(reply);
            let is_kept = entries[..kept.len()].iter().any(|entry| {
                let key = entry.answered().map(|answered| u64::from(answered.key.stan));
                key == Some(*stan) && matches!(entry.fact, Fact::Authorized(_))
            });
            assert!(!is_approved || is_kept, "the approval of {stan} was heard and is lost");
        }
        if kept.len() == entries.len() {
            let again = shard_over(journal);
            for (seq, octets) in (1..).map(Seq).zip(&kept) {
                again.replay(seq, octets).unwrap();
            }
            let replayed = again.snapshot(CARD).unwrap();
            assert_eq!(replayed.balance, card.balance, "a replay comes to the same");
            assert_eq!(replayed.controls, card.controls);
        }
    }
}

/// Whether a reply carries DE 38: only an approval does.
fn is_approval(reply: &[u8]) -> bool {
    let view = cekr_iso8583::View::parse(&CEKR87, &reply[2..]).unwrap();
    view.has(38)
}

/// A framed purchase; in a web shop where `is_online`.
fn purchase(stan: u64, is_online: bool) -> Vec<u8> {
    let elements = [2, 3, 4, 7, 11, 22, 25, 32, 41, 43, 49];
    let mut out = [0; 512];
    let mti = Mti::new(200).unwrap();
    let mut writer = Writer::new(&CEKR87, mti, FieldSet::of(&elements), &mut out).unwrap();
    writer.text(2, PAN.to_string().as_bytes()).unwrap();
    writer.number(3, 0).unwrap();
    writer.number(4, PRICE).unwrap();
    writer.number(7, 1_122_100_000).unwrap();
    writer.number(11, stan).unwrap();
    writer.number(22, if is_online { 812 } else { 12 }).unwrap();
    writer.number(25, if is_online { 59 } else { 0 }).unwrap();
    writer.number(32, 408_972).unwrap();
    writer.text(41, b"POS00001").unwrap();
    writer.text(43, b"MERCATOR                 KRANJ        SI").unwrap();
    writer.number(49, 978).unwrap();
    let len = writer.finish().unwrap();
    let mut framed = vec![0, u8::try_from(len).unwrap()];
    framed.extend_from_slice(&out[..len]);
    framed
}

/// Two buyers, of whom the second repeats the first one's message; a holder who switches the card
/// off; somebody who looks; and the journal, which commits in between.
fn off_while_they_buy(is_online: bool, off: fn(&Control) -> Seq, is_off: fn(Controls) -> bool) {
    let world = World::new();
    let told = Arc::new(AtomicU64::new(0));
    let buyers: Vec<_> = [[1, 2], [1, 3]]
        .into_iter()
        .map(|stans| {
            let world = world.clone();
            thread::spawn(move || {
                let ask = |stan| (stan, world.ask(&purchase(stan, is_online)));
                stans.map(ask).to_vec()
            })
        })
        .collect();
    let holder = {
        let (world, told) = (world.clone(), told.clone());
        thread::spawn(move || {
            let seq = off(&world.control);
            told.store(seq.0, Ordering::Release);
            seq
        })
    };
    let page = {
        let (world, told) = (world.clone(), told.clone());
        thread::spawn(move || {
            let was_told = told.load(Ordering::Acquire) > 0;
            let controls = world.shard().cards().by_id(CARD).unwrap().controls();
            assert!(!was_told || is_off(controls), "told to be off, and shown to be on");
        })
    };
    let journal = {
        let world = world.clone();
        thread::spawn(move || {
            for _ in 0..2 {
                world.shard().journal().commit_now().unwrap();
            }
        })
    };
    let answers: Vec<_> = buyers.into_iter().flat_map(|buyer| buyer.join().unwrap()).collect();
    let off = holder.join().unwrap();
    page.join().unwrap();
    journal.join().unwrap();

    let of_first = |answers: &[(u64, (Vec<u8>, bool))]| {
        let first = answers.iter().filter(|(stan, _)| *stan == 1);
        first.map(|(_, (reply, _))| reply.clone()).collect::<Vec<_>>()
    };
    let first = of_first(&answers);
    assert_eq!(first[0], first[1], "one message, one answer");
    let heard: Vec<(u64, Vec<u8>)> = answers
        .into_iter()
        .filter(|(_, (_, may_leave))| *may_leave)
        .map(|(stan, (reply, _))| (stan, reply))
        .collect();
    world.check(&heard, Some(off));
}

#[test]
fn in_any_order_nothing_is_approved_after_a_lock_was_told() {
    under_many_schedules(|| {
        off_while_they_buy(
            false,
            |control| control.lock(CARD, NOW).unwrap().1,
            |controls| controls.status == CardStatus::Locked,
        );
    });
}

#[test]
fn in_any_order_nothing_is_approved_after_an_untick_was_told() {
    under_many_schedules(|| {
        off_while_they_buy(
            true,
            |control| {
                let patch = ChannelsPatch { online: Some(false), ..ChannelsPatch::default() };
                control.set_channels(CARD, patch, NOW).unwrap().1
            },
            |controls| !controls.ticks.contains(Channels::ONLINE),
        );
    });
}

#[test]
fn in_any_order_a_card_is_not_spent_twice() {
    under_many_schedules(|| {
        let world = World::new();
        let buyers: Vec<_> = [1, 2, 3]
            .into_iter()
            .map(|stan| {
                let world = world.clone();
                thread::spawn(move || (stan, world.ask(&purchase(stan, false))))
            })
            .collect();
        let committed = {
            let world = world.clone();
            thread::spawn(move || world.shard().journal().commit_now().unwrap())
        };
        let answers: Vec<_> = buyers.into_iter().map(|buyer| buyer.join().unwrap()).collect();
        committed.join().unwrap();
        let approved = answers.iter().filter(|(_, (reply, _))| is_approval(reply)).count();
        assert_eq!(approved, 2, "10.00 is enough for two purchases of 4.00");
        let heard: Vec<_> = answers
            .into_iter()
            .filter(|(_, (_, may_leave))| *may_leave)
            .map(|(stan, (reply, _))| (stan, reply))
            .collect();
        world.check(&heard, None);
    });
}
