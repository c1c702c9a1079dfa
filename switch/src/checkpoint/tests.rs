//! A shard over a simulated disk, with checkpoints taken while it works, crashed at every call:
//! what is recovered from a checkpoint is what the whole journal gives.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may")]

mod statements;

use cekr_iso8583::{Expiry, Mcc, Mti, Pan, TerminalId};
use cekr_issuer::entry::{LoadSource, Name, Reference};
use cekr_issuer::policy::{Limits, Policy};
use cekr_issuer::{
    Amount, CardId, CardStatus, Channels, Controls, Desk, Fact, LocalDate, Network, NetworkAsk,
    Now, RequestKey,
};

use super::*;
use crate::answers::AnswersConfig;
use crate::clearing::LineTold;
use crate::control::Control;
use crate::journal::{CutMay, Faults, JournalConfig, Place, Recovered, SimDisk};
use crate::keyring::StartKey;
use crate::recovery::{self, Drive, Plan, RecoveryError};
use crate::shard::NewCard;

const MORNING_MS: u64 = 1_795_341_600_000;
const TODAY: LocalDate = LocalDate::new(2026, 11, 22);

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// A shard at work.
struct World {
    disk: SimDisk,
    shard: Arc<Shard>,
    control: Control,
    random: Random,
    now: Now,
    steps: u64,
    taking: Option<Taking>,
    /// Checkpoints that were published.
    taken: u64,
}

/// The disk said no: the process has died.
struct Died;

impl From<io::Error> for Died {
    fn from(_: io::Error) -> Died {
        Died
    }
}

fn recover(disk: &SimDisk) -> Result<(Shard, Recovered), RecoveryError> {
    let journal = JournalConfig {
        segment_octets: 4096,
        queue_max: 32,
        recent_max: 8,
        batch_max: 4,
        ..JournalConfig::default()
    };
    let answers = AnswersConfig { answers_max: 64, window_min_ms: 0 };
    let start_key = StartKey::development();
    let plan = Plan { start_key: &start_key, journal, answers, drive: Drive::Inline };
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut next = 0_u8;
    recovery::recover(&disk, &plan, &mut |out| {
        out.fill_with(|| {
            next = next.wrapping_mul(5).wrapping_add(3);
            next
        });
    })
}

impl World {
    fn open(disk: &SimDisk, seed: u64) -> Result<World, RecoveryError> {
        let (shard, _) = recover(disk)?;
        let shard = Arc::new(shard);
        let limits = Limits { load_day: Amount::default(), ..Limits::default() };
        let policy = Policy { limits, ..Policy::default() };
        let control = Control::new(shard.clone(), Arc::new(policy));
        let now = Now { unix_ms: MORNING_MS + seed, local_date: TODAY };
        let (disk, random) = (disk.clone(), Random(seed * 2 + 1));
        Ok(World { disk, shard, control, random, now, steps: 0, taking: None, taken: 0 })
    }

    /// Something happens, or the journal or a checkpoint goes on.
    fn step(&mut self) -> Result<(), Died> {
        self.steps += 1;
        self.now.unix_ms += 1;
        let cards = u64::from(self.shard.cards().len());
        match self.random.below(13) {
            0 => self.issue(cards),
            1 | 2 => self.load(cards),
            3 => self.lock(cards),
            4 => self.cut_over(),
            5 => self.clear(cards),
            6 | 7 => self.commit()?,
            8 | 9 => self.post(cards),
            10 => self.resolve(cards),
            _ => self.take()?,
        }
        Ok(())
    }

    fn issue(&mut self, cards: u64) {
        let body = format!("476173{:09}", cards);
        let pan = (0..10).find_map(|check| Pan::parse(format!("{body}{check}").as_bytes()).ok());
        let new = NewCard {
            pan: pan.unwrap(),
            name: Name::new(&format!("card {cards}")).unwrap(),
            mok_id: u32::try_from(cards).unwrap(),
            controls: Controls {
                status: CardStatus::Active,
                ticks: Channels::NONE,
                expiry: Expiry::new(3012).unwrap(),
                version: 1,
            },
            pin: None,
            limited: true,
            balance: Amount::from_minor(self.random.below(2) * 50_00),
        };
        // A full queue refuses, as it should.
        let _ = self.shard.issue(new, self.now);
    }

    fn some_card(&mut self, cards: u64) -> Option<CardId> {
        (cards > 0).then(|| CardId(u32::try_from(self.random.below(cards)).unwrap()))
    }

    fn load(&mut self, cards: u64) {
        if let Some(card) = self.some_card(cards) {
            let reference = Reference::new(&self.steps.to_string()).unwrap();
            let amount = Amount::from_minor(self.random.below(9) + 1);
            let _ = self.control.load(card, amount, LoadSource::Upn, reference, self.now);
        }
    }

    fn lock(&mut self, cards: u64) {
        if let Some(card) = self.some_card(cards) {
            let _ = self.control.lock(card, self.now);
            let _ = self.control.unlock(card, self.now);
        }
    }

    /// An acquirer's day ends: an entry of a desk, with a key that is remembered.
    fn cut_over(&mut self) {
        let key = RequestKey {
            acquirer: self.random.below(3),
            terminal: TerminalId::new(*b"ATM00001"),
            when: 1_122_101_500,
            stan: u32::try_from(self.steps).unwrap(),
            class: 8,
        };
        let network = Network { mti: Mti::new(800).unwrap(), key, ask: NetworkAsk::Cutover };
        let fact: Fact = network.cut_over();
        let mut state = self.shard.desks().lock(Desk::Links);
        let _ = self.shard.commit_desk(Desk::Links, &mut state, self.now, fact);
    }

    fn clear(&mut self, cards: u64) {
        let Some(card) = self.some_card(cards) else { return };
        let line = LineTold {
            line: u32::try_from(self.steps).unwrap(),
            card: self.shard.keyring().card_id(card.0).to_string(),
            network_id: String::new(),
            rrn: None,
            auth_code: None,
            amount: i64::try_from(self.random.below(5)).unwrap() + 1,
            currency: "EUR".to_owned(),
            merchant: None,
            mcc: Mcc::new(5411).unwrap(),
            date: "2026-11-22".to_owned(),
        };
        let file = format!("file {}", self.random.below(2));
        let _ = self.control.clear(&file, &[line], self.now);
    }

    fn commit(&self) -> Result<(), Died> {
        let journal = self.shard.journal();
        let durable = journal.commit_now().map_err(|_| Died)?;
        // A disk that gives no next segment has crashed under the pool, which goes on trying.
        if durable == journal.appended() { Ok(()) } else { Err(Died) }
    }

    fn take(&mut self) -> Result<(), Died> {
        if self.taking.is_none() {
            self.taking = Taking::begin(Arc::new(self.disk.clone()), &self.shard)?;
        }
        let Some(taking) = &mut self.taking else { return Ok(()) };
        if taking.step(&self.shard)? == Step::Done {
            self.taking = None;
            self.taken += 1;
        }
        Ok(())
    }

    /// Takes a checkpoint from beginning to end.
    fn take_whole(&mut self) {
        self.taking = None;
        let taken = self.taken;
        while self.taken == taken {
            assert!(self.take().is_ok() && self.commit().is_ok());
        }
    }
}

/// All that a shard knows, as a checkpoint would have it.
fn state_of(shard: &Shard) -> Vec<(u8, Vec<u8>)> {
    let mut records = Vec::new();
    for ordinal in 0..shard.cards().len() {
        let mut octets = Vec::new();
        let kind = shard.write_card(ordinal, &mut octets).unwrap();
        records.push((kind, octets));
        let card = shard.snapshot(CardId(ordinal)).unwrap();
        assert_eq!(shard.id_by_name(card.profile.name.as_str()), Some(CardId(ordinal)));
        assert_eq!(shard.id_by_mok_id(card.profile.mok_id), Some(CardId(ordinal)));
        assert_eq!(shard.cards().by_id(CardId(ordinal)).unwrap().controls(), card.controls);
    }
    shard.write_rest(shard.journal().durable(), &mut |(kind, octets)| {
        records.push((kind, octets.to_vec()));
    });
    records
}

/// Recovers twice, with checkpoints and without, and compares; tells where the replay began.
fn check(disk: &SimDisk, what: &str) -> Recovered {
    let bare = disk.copy(1);
    for name in bare.names().iter().filter(|name| name.starts_with(FOLDER)) {
        bare.forget(name);
    }
    let (shard, recovered) = recover(disk).unwrap_or_else(|error| panic!("{what}: {error}"));
    let (whole, all) = recover(&bare).unwrap();
    assert_eq!(all.started_behind, Seq::NONE);
    assert_eq!(recovered.last, all.last, "{what}");
    assert_eq!(recovered.entries, all.last.0 - recovered.started_behind.0, "{what}");
    assert_eq!(state_of(&shard), state_of(&whole), "{what}");
    // A checkpoint may know a later moment: one at which somebody asked and nothing was entered.
    assert!(shard.last_at() >= whole.last_at(), "{what}");
    // Recent answers are known as well, and each entry can be had.
    for seq in (1..=all.last.0).map(Seq) {
        let entry = shard.entry(seq);
        assert_eq!(entry, whole.entry(seq), "{what}: entry {seq}");
        if let Some(answered) = entry.as_ref().and_then(cekr_issuer::Entry::answered) {
            let known = |shard: &Shard| {
                let held = shard.answers().hold(shard.answers().mark(&answered.key)).unwrap();
                held.candidates().any(|candidate| candidate == seq)
            };
            let is_recent = seq.0 + 64 > recovered.started_behind.0;
            assert!(!is_recent || known(&shard) == known(&whole), "{what}: answer of entry {seq}");
        }
    }
    recovered
}

#[test]
fn a_power_cut_before_every_call_leaves_the_state_that_the_whole_journal_gives() {
    let mut started_late = 0;
    for at in 1.. {
        let disk = SimDisk::new(at);
        disk.plant(Faults { crash_at: Some(at), ..Faults::default() });
        let run = |world: &mut World| (0..400).all(|_| world.step().is_ok());
        let (mut done, mut durable) = (false, Seq::NONE);
        if let Ok(mut world) = World::open(&disk, 3) {
            done = run(&mut world);
            durable = world.shard.journal().durable();
        }
        disk.power_cut();
        let recovered = check(&disk, &format!("call {at}"));
        assert!(recovered.last >= durable, "call {at}");
        started_late += u64::from(recovered.started_behind > Seq::NONE);
        if done {
            break;
        }
    }
    assert!(started_late > 100, "{started_late} starts from a checkpoint prove little");
}

#[test]
fn worlds_that_crash_again_and_again_agree_each_time() {
    for seed in 1..=20 {
        let disk = SimDisk::new(seed);
        let mut random = Random(seed);
        for life in 0..6 {
            let mut world = World::open(&disk, seed * 100 + life).unwrap();
            let crash_at = Some(disk.calls() + random.below(150) + 1);
            let fail_sync_at = (random.below(3) == 0).then(|| disk.calls() + random.below(90) + 1);
            disk.plant(Faults { crash_at, fail_sync_at, ..Faults::default() });
            while world.step().is_ok() {}
            drop(world);
            if random.below(3) == 0 {
                disk.restart()
            } else {
                disk.power_cut()
            }
            check(&disk, &format!("seed {seed}, life {life}"));
        }
    }
}

/// A world that has taken two checkpoints and gone on; their numbers, newest first.
fn twice_taken() -> (World, [Seq; 2]) {
    let mut world = World::open(&SimDisk::new(5), 5).unwrap();
    for _ in 0..3 {
        (0..120).for_each(|_| assert!(world.step().is_ok()));
        world.take_whole();
    }
    (0..30).for_each(|_| assert!(world.step().is_ok()));
    assert!(world.commit().is_ok());
    let all = newest_first(&world.disk).unwrap();
    let [newest, older] = *all else { panic!("two are kept, not {}", all.len()) };
    (world, [newest, older])
}

fn flip(disk: &SimDisk, name: &str) {
    let mut octets = disk.contents(name).unwrap();
    let middle = octets.len() / 2;
    *octets.get_mut(middle).unwrap() ^= 1;
    disk.set_contents(name, &octets);
}

#[test]
fn a_damaged_checkpoint_gives_way_to_the_older_one_and_that_to_the_journal() {
    let (world, [newest, older]) = twice_taken();
    let disk = world.disk.clone();
    drop(world);
    let recovered = check(&disk, "both whole");
    assert_eq!(recovered.started_behind, newest);
    flip(&disk, &name(newest));
    assert_eq!(check(&disk, "the newest damaged").started_behind, older);
    flip(&disk, &name(older));
    assert_eq!(check(&disk, "both damaged").started_behind, Seq::NONE);
}

#[test]
fn a_checkpoint_of_entries_that_were_cut_off_is_not_believed() {
    let (world, [newest, older]) = twice_taken();
    let (disk, id) = (world.disk.clone(), world.shard.keyring().journal_id());
    let last = world.shard.journal().durable();
    drop(world);
    let (_, recovered) = recover(&disk).unwrap();
    let mut kept = last;
    // Back, batch by batch, until nothing of the newest checkpoint is left.
    for segment in (1..=recovered.segments + 64).rev() {
        for offset in (0..64_u64).rev().map(|unit| unit * 64) {
            let place = Place { segment, offset };
            let Ok(gone) = crate::journal::cut(&disk, id, place, CutMay::LoseEntries) else {
                continue;
            };
            kept = Seq(kept.0 - gone.behind.entries);
            let recovered = check(&disk, &format!("cut to {kept}"));
            assert_eq!(recovered.last, kept);
            if kept < newest {
                assert!(recovered.started_behind <= older);
                // What is appended now has the numbers of what was lost.
                let mut world = World::open(&disk, 77).unwrap();
                while world.shard.journal().appended() <= last {
                    assert!(world.step().is_ok());
                    world.taking = None;
                }
                assert!(world.commit().is_ok());
                drop(world);
                check(&disk, "other entries under the same numbers");
                return;
            }
        }
    }
    panic!("the journal was not cut that far");
}

#[test]
fn a_checkpoint_gets_its_name_only_when_all_in_it_is_durable() {
    let mut world = World::open(&SimDisk::new(9), 9).unwrap();
    world.issue(0);
    assert!(world.commit().is_ok());
    world.load(1);
    let mut taking = Taking::begin(Arc::new(world.disk.clone()), &world.shard).unwrap().unwrap();
    let appended = world.shard.journal().appended();
    let waits = loop {
        match taking.step(&world.shard).unwrap() {
            Step::Working => {}
            ended @ (Step::Done | Step::Waits(_)) => break ended,
        }
    };
    assert_eq!(waits, Step::Waits(appended));
    assert_eq!(taking.step(&world.shard).unwrap(), Step::Waits(appended), "until it is");
    assert_eq!(newest_first(&world.disk).unwrap(), []);
    assert!(world.commit().is_ok());
    assert_eq!(taking.step(&world.shard).unwrap(), Step::Done);
    assert_eq!(newest_first(&world.disk).unwrap().len(), 1);
    assert!(Taking::begin(Arc::new(world.disk.clone()), &world.shard).unwrap().is_some());
    world.disk.power_cut();
    check(&world.disk, "published");
}

#[test]
fn a_start_from_a_checkpoint_reads_the_end_of_the_journal_only() {
    let (world, [newest, _]) = twice_taken();
    let disk = world.disk.clone();
    drop(world);
    let (_, recovered) = recover(&disk).unwrap();
    assert_eq!(recovered.started_behind, newest);
    let segments = disk.names().iter().filter(|name| name.starts_with("journal/")).count();
    assert!((recovered.segments as usize) < segments, "{} of {segments}", recovered.segments);
}

#[test]
fn what_is_pruned_no_start_misses_and_the_rest_reads_as_before() {
    let mut world = World::open(&SimDisk::new(5), 5).unwrap();
    (0..200).for_each(|_| assert!(world.step().is_ok()));
    world.now.unix_ms += 3 * 24 * 60 * 60 * 1_000;
    for _ in 0..2 {
        (0..60).for_each(|_| assert!(world.step().is_ok()));
        world.take_whole();
    }
    let (disk, id) = (world.disk.clone(), world.shard.keyring().journal_id());
    drop(world);
    let [newest, older] = *newest_first(&disk).unwrap() else { panic!("two are kept") };
    let before = check(&disk, "whole");
    let state = state_of(&recover(&disk).unwrap().0);
    let oldest = look(&disk, older).unwrap();
    crate::journal::bears_out(&disk, id, &oldest).unwrap();
    let nothing = crate::journal::prune(&disk, id, &oldest, 0).unwrap();
    assert_eq!((nothing.segments, nothing.first), (0, Seq(1)));
    // A crash between any two calls leaves a journal without a gap.
    for at in 1.. {
        let other = disk.copy(at);
        other.plant(Faults { crash_at: Some(at), ..Faults::default() });
        let done = crate::journal::prune(&other, id, &oldest, u64::MAX).is_ok();
        other.power_cut();
        let (shard, recovered) = recover(&other).unwrap();
        assert_eq!((recovered.last, recovered.started_behind), (before.last, newest));
        assert!(state_of(&shard) == state, "call {at}");
        if done {
            break;
        }
    }
    let pruned = crate::journal::prune(&disk, id, &oldest, u64::MAX).unwrap();
    assert!(pruned.segments > 3 && pruned.first <= older, "{pruned:?}");
    let (shard, _) = recover(&disk).unwrap();
    for seq in (pruned.first.0..=before.last.0).map(Seq) {
        assert!(shard.entry(seq).is_some(), "entry {seq}");
    }
    assert_eq!(shard.entry(Seq(pruned.first.0 - 1)), None);
    drop(shard);
    let mut begins = None;
    let end = crate::journal::read(&disk, id, &mut |seq, _| {
        begins.get_or_insert(seq);
        Ok(())
    });
    assert_eq!(begins, Some(pruned.first));
    assert_eq!(end.unwrap().begins, pruned.first);
    flip(&disk, &name(newest));
    let (shard, recovered) = recover(&disk).unwrap();
    assert_eq!(recovered.started_behind, older);
    assert!(state_of(&shard) == state);
    drop(shard);
    flip(&disk, &name(older));
    let refused = recover(&disk).map(|_| ()).unwrap_err().to_string();
    assert!(refused.contains("00000001.seg") && refused.contains("missing"), "{refused}");
}
