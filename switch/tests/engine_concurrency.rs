//! Many threads at one engine: one request is decided once, and a lock is the end of approvals.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "tests may"
)]

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use cekr_iso8583::{CEKR87, Expiry, FieldSet, Framing, Mti, Pan, Writer};
use cekr_issuer::entry::Name;
use cekr_issuer::policy::{EcommerceRequires, Limits};
use cekr_issuer::{
    Amount, CardId, CardStatus, Channels, Controls, Fact, LocalDate, Now, Policy, Seq,
};
use cekr_switch::answers::AnswersConfig;
use cekr_switch::control::{ChannelsPatch, Control};
use cekr_switch::engine::{Engine, Link, MacRule, Outgoing};
use cekr_switch::journal::{Journal, JournalConfig, SimDisk};
use cekr_switch::keyring::Keyring;
use cekr_switch::shard::{NewCard, Shard};

const NOW: Now = Now { unix_ms: 1_795_341_600_000, local_date: LocalDate::new(2026, 11, 22) };
const LINK: Link =
    Link { id: 1, spec: &CEKR87, framing: Framing::Be2, octets_max: 4_096, mac: MacRule::Off };
const PANS: [u64; 2] = [4_761_730_000_000_011, 4_761_730_000_000_029];
const OPENING: u64 = 1_000_00;

fn engine_over(journal: Journal) -> Arc<Engine> {
    let none = Amount::from_minor(0);
    let limits = Limits { pos_day: none, online_day: none, ..Limits::default() };
    let policy = Policy {
        ecommerce_requires: EcommerceRequires::Tick,
        limits,
        declines_per_card_hour: u32::MAX,
        ..Policy::default()
    };
    let keyring = Keyring::ephemeral(&mut |out| out.fill(7));
    let answers = AnswersConfig { answers_max: 1 << 16, window_min_ms: 0 };
    let shard = Shard::new(journal, keyring, answers);
    for (mok_id, pan) in (1..).zip(PANS) {
        let controls = Controls {
            status: CardStatus::Active,
            ticks: Channels::ALL,
            expiry: Expiry::new(3012).unwrap(),
            version: 0,
        };
        let new = NewCard {
            pan: Pan::from_number(pan).unwrap(),
            name: Name::new(&format!("card {mok_id}")).unwrap(),
            mok_id,
            controls,
            pin: None,
            limited: true,
            balance: Amount::from_minor(OPENING),
        };
        shard.issue(new, NOW).unwrap();
    }
    Arc::new(Engine::new(Arc::new(shard), policy))
}

fn engine() -> Arc<Engine> {
    let config = JournalConfig { recent_max: 1 << 20, ..JournalConfig::default() };
    engine_over(Journal::memory(&config))
}

/// A framed purchase; in a web shop where `is_online`.
fn purchase(pan: u64, stan: u64, cents: u64, is_online: bool) -> Vec<u8> {
    let elements = [2, 3, 4, 7, 11, 22, 25, 32, 41, 43, 49];
    let mut out = [0; 512];
    let mti = Mti::new(200).unwrap();
    let mut writer = Writer::new(&CEKR87, mti, FieldSet::of(&elements), &mut out).unwrap();
    writer.text(2, pan.to_string().as_bytes()).unwrap();
    writer.number(3, 0).unwrap();
    writer.number(4, cents).unwrap();
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

/// Sends one frame and gives its reply.
fn ask(engine: &Engine, frame: &[u8]) -> Vec<u8> {
    let mut out = Outgoing::default();
    let consumed = engine.handle_read(&LINK, frame, NOW, &mut out).unwrap();
    assert_eq!((consumed, out.spans.len()), (frame.len(), 1));
    out.bytes().to_vec()
}

/// How many approvals stand in the journal, after the entry `from`.
fn approvals(engine: &Engine, card: CardId, from: Seq) -> usize {
    let shard = engine.shard();
    (from.0 + 1..=shard.journal().appended().0)
        .filter(|seq| {
            let entry = shard.entry(Seq(*seq)).unwrap();
            entry.card() == Some(card) && matches!(entry.fact, Fact::Authorized(_))
        })
        .count()
}

#[test]
fn one_request_from_many_threads_at_once_is_one_entry_and_equal_answers() {
    const THREADS: usize = 8;
    let engine = engine();
    for stan in 1..=200 {
        let frame = purchase(PANS[0], stan, 1_00, false);
        let (before, barrier) = (engine.shard().journal().appended(), Barrier::new(THREADS));
        let answers: Vec<Vec<u8>> = thread::scope(|scope| {
            let send = || {
                barrier.wait();
                ask(&engine, &frame)
            };
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(send)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(answers.iter().all(|answer| *answer == answers[0]), "every answer is the first");
        assert_eq!(engine.shard().journal().appended(), before.next(), "and one entry was made");
    }
    let card = engine.shard().snapshot(CardId(0)).unwrap();
    assert_eq!(card.balance.minor(), 1_000_00 - 200_00);
}

#[test]
fn one_key_with_two_cards_at_once_is_decided_for_one_of_them() {
    let engine = engine();
    for stan in 1..=300 {
        let frames = PANS.map(|pan| purchase(pan, stan, 1_00, false));
        let (before, barrier) = (engine.shard().journal().appended(), Barrier::new(2));
        let answers = thread::scope(|scope| {
            let barrier = &barrier;
            let engine = &engine;
            let threads = frames.each_ref().map(|frame| {
                scope.spawn(move || {
                    barrier.wait();
                    ask(engine, frame)
                })
            });
            threads.map(|thread| thread.join().unwrap())
        });
        let holds = |code: &[u8; 2], answer: &Vec<u8>| answer.windows(2).any(|two| two == code);
        assert_eq!(engine.shard().journal().appended(), before.next());
        assert!(answers.iter().any(|answer| holds(b"94", answer)), "the other is 94");
    }
    let shard = engine.shard();
    let spent =
        [0, 1].map(|id| OPENING as i64 - shard.snapshot(CardId(id)).unwrap().balance.minor());
    assert_eq!(spent.iter().sum::<i64>(), 300_00, "each key moved money once");
}

#[test]
fn together_threads_never_spend_more_than_there_is() {
    let engine = engine();
    thread::scope(|scope| {
        for thread in 0..4 {
            let engine = &engine;
            scope.spawn(move || {
                for stan in 0..100 {
                    ask(engine, &purchase(PANS[0], thread * 1_000 + stan, 7_00, false));
                }
            });
        }
    });
    assert_eq!(approvals(&engine, CardId(0), Seq::NONE), 142, "as often as 7.00 fits 1000.00");
    assert_eq!(engine.shard().snapshot(CardId(0)).unwrap().balance.minor(), 6_00);
    assert_eq!(engine.shard().books().0.sum(), 0);
}

/// How often the card is switched off.
const ROUNDS: u32 = 60;

/// Two threads buy while a third switches the card off and on; no approval is later than a
/// switch-off that was told done.
fn nothing_is_approved_after(
    is_online: bool,
    off: impl Fn(&Control) -> Seq,
    on: impl Fn(&Control) -> Seq,
) {
    let engine = engine();
    let policy = Arc::new(engine.policy().clone());
    let control = Control::new(Arc::clone(engine.shard()), policy);
    let (stan, answered) = (AtomicU32::new(0), AtomicU32::new(0));
    let is_done = AtomicBool::new(false);
    // Gives the buyers time to try.
    let wait = || {
        let until = answered.load(Ordering::Acquire) + 4;
        while answered.load(Ordering::Acquire) < until {
            thread::yield_now();
        }
    };
    let spans = thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_done.load(Ordering::Acquire) {
                    let stan = u64::from(stan.fetch_add(1, Ordering::Relaxed));
                    ask(&engine, &purchase(PANS[0], stan, 1, is_online));
                    answered.fetch_add(1, Ordering::AcqRel);
                    thread::yield_now();
                }
            });
        }
        let mut spans = Vec::new();
        for _ in 0..ROUNDS {
            let locked = off(&control);
            wait();
            let unlocked = on(&control);
            spans.push(locked.0 + 1..unlocked.0);
            wait();
        }
        is_done.store(true, Ordering::Release);
        spans
    });
    let shard = engine.shard();
    let mut declined = 0;
    for seq in spans.into_iter().flatten() {
        match shard.entry(Seq(seq)).unwrap().fact {
            Fact::Authorized(_) => panic!("entry {seq} was approved while the card was off"),
            Fact::Declined(_) => declined += 1,
            _ => {}
        }
    }
    assert!(declined >= ROUNDS, "the buyers tried while the card was off: {declined}");
    assert!(approvals(&engine, CardId(0), Seq::NONE) > 0, "and succeeded while it was on");
}

#[test]
fn after_a_lock_was_told_no_approval_has_a_later_entry() {
    let card = CardId(0);
    nothing_is_approved_after(
        false,
        |control| control.lock(card, NOW).unwrap().1,
        |control| control.unlock(card, NOW).unwrap().1,
    );
}

#[test]
fn after_an_untick_was_told_no_approval_has_a_later_entry() {
    let set = |control: &Control, online: bool| {
        let patch = ChannelsPatch { online: Some(online), ..ChannelsPatch::default() };
        control.set_channels(CardId(0), patch, NOW).unwrap().1
    };
    nothing_is_approved_after(true, |control| set(control, false), |control| set(control, true));
}

#[test]
fn a_full_journal_answers_91_and_changes_nothing() {
    let config = JournalConfig { queue_max: 16, ..JournalConfig::default() };
    let disk = Arc::new(SimDisk::new(1));
    let (journal, _) = Journal::with_disk_inline(disk, &config, &mut |_, _| Ok(())).unwrap();
    let engine = engine_over(journal);
    engine.shard().journal().commit_now().unwrap();
    for stan in 0..16 {
        ask(&engine, &purchase(PANS[0], stan, 1_00, false));
    }
    let before = engine.shard().snapshot(CardId(0)).unwrap();
    let refused = purchase(PANS[0], 16, 1_00, false);
    let answer = ask(&engine, &refused);
    assert!(answer.windows(2).any(|two| two == b"91"));
    let after = engine.shard().snapshot(CardId(0)).unwrap();
    assert_eq!((before.balance, before.last_seq), (after.balance, after.last_seq));
    // With room again the same request is decided, for it was not answered for good.
    engine.shard().journal().commit_now().unwrap();
    ask(&engine, &refused);
    let spent = engine.shard().snapshot(CardId(0)).unwrap();
    assert_eq!(spent.balance.minor(), 1_000_00 - 17_00);
}
