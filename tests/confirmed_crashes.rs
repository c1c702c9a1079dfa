//! Confirmations and purchases in any order, with a crash between any two steps: whatever was told
//! outside stays true, and nothing is honoured that was not confirmed.
//!
//! The disk keeps or loses what was not synced. What the world outside believes is only what was
//! durable when it was told; at the end the journal that survived is read from its beginning.

#![allow(clippy::inconsistent_digit_grouping, reason = "cents are written 15_00")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use cekr_iso8583::{CurrencyCode, subfield};
use cekr_issuer::entry::Consent;
use cekr_issuer::policy::EcommerceRequires;
use cekr_issuer::{
    Amount, CardId, CardStatus, ConfirmationEnd, ConfirmationId, ConfirmationNumber,
    ConfirmationState, ConfirmationStep, Entry, Fact, NewConfirmation, Payee, Policy, SecondFactor,
    Seq,
};
use cekr_switch::control::{ChannelsPatch, ControlError};
use cekr_switch::disk::Disk;
use cekr_switch::engine::Ticket;
use cekr_switch::journal::{JournalConfig, SimDisk};
use cekr_switch::keyring::StartKey;
use cekr_switch::recovery::{self, Drive, Plan};
use cekr_switch::shard::Shard;
use proptest::prelude::*;

use support::{
    ANSWERS, Bank, CEKR87_BE2, CardSpec, Told, after_ms, ana, lenient, no_limits, purchase_online,
};

/// What the holder is shown of each purchase.
const CONFIRMED: u64 = 40_00;
/// Confirmations of one run: fewer than a card remembers.
const RECORDS: u8 = 4;

#[derive(Clone, Debug)]
enum Op {
    /// Whatever comes next on the way of this record.
    Next(u8),
    Ask(u8),
    Push(u8),
    Approve(u8),
    Fail(u8),
    Seal(u8),
    End(u8, ConfirmationEnd),
    /// With the value of a record that was told, so many cents, at the right shop or another.
    Buy(u8, u64, bool),
    /// The newest purchase again.
    Repeat,
    Lock,
    Unlock,
    Tick(bool),
    Later(u64),
    Sync,
    /// The process dies, or the power fails.
    Crash(bool),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let record = 0..RECORDS;
    let end = prop::sample::select(vec![
        ConfirmationEnd::Cancelled,
        ConfirmationEnd::Denied,
        ConfirmationEnd::Expired,
    ]);
    let cents = prop::sample::select(&[10_00, CONFIRMED, CONFIRMED + 1][..]);
    let op = prop_oneof![
        30 => record.clone().prop_map(Op::Next),
        1 => record.clone().prop_map(Op::Ask),
        1 => record.clone().prop_map(Op::Push),
        1 => record.clone().prop_map(Op::Approve),
        1 => record.clone().prop_map(Op::Fail),
        2 => record.clone().prop_map(Op::Seal),
        1 => (record.clone(), end).prop_map(|(record, end)| Op::End(record, end)),
        16 => (record, cents, prop::bool::weighted(0.9))
            .prop_map(|(record, cents, is_right)| Op::Buy(record, cents, is_right)),
        3 => Just(Op::Repeat),
        1 => Just(Op::Lock),
        2 => Just(Op::Unlock),
        1 => any::<bool>().prop_map(Op::Tick),
        2 => prop::sample::select(&[1_000, 60_000, 60_000, 400_000, 100 * 86_400_000_u64][..])
            .prop_map(Op::Later),
        12 => Just(Op::Sync),
        5 => any::<bool>().prop_map(Op::Crash),
    ];
    proptest::collection::vec(op, 1..120)
}

/// An answer to a purchase, and what it waits for.
struct Answer {
    told: Told,
    record: u8,
    code: String,
    octets: Vec<u8>,
    after: Seq,
}

struct World {
    disk: SimDisk,
    bank: Bank,
    passed_ms: u64,
    stan: u32,
    /// Values and acknowledgements that wait for their entry.
    sealing: Vec<(u8, [u8; 20], Seq)>,
    waiting: Vec<Answer>,
    /// What shops have.
    values: BTreeMap<u8, [u8; 20]>,
    delivered: Vec<Answer>,
    newest: Option<Told>,
    told_max: Seq,
}

fn policy() -> Policy {
    let ecommerce_requires = EcommerceRequires::Confirmation;
    Policy { ecommerce_requires, limits: no_limits(), ..lenient() }
}

fn recovered(disk: &SimDisk) -> Shard {
    let start_key = StartKey::development();
    let journal = JournalConfig { segment_octets: 1 << 13, ..JournalConfig::default() };
    let plan = Plan { start_key: &start_key, journal, answers: ANSWERS, drive: Drive::Inline };
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    recovery::recover(&disk, &plan, &mut |out: &mut [u8]| out.fill(7)).unwrap().0
}

fn id(record: u8) -> ConfirmationId {
    ConfirmationId([record + 1; 16])
}

fn number(record: u8) -> ConfirmationNumber {
    ConfirmationNumber::from_packed([0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, record]).unwrap()
}

const CARD: CardId = CardId(0);
const FACTOR: SecondFactor = SecondFactor::OutOfBandBiometric;

impl World {
    fn new(seed: u64) -> Self {
        let disk = SimDisk::new(seed);
        let rich = CardSpec { balance: 1_000_00, ..ana() };
        let bank = Bank::over(recovered(&disk), CEKR87_BE2, policy(), &[rich]);
        bank.shard().journal().commit_now().unwrap();
        let told_max = bank.shard().journal().durable();
        Self {
            disk,
            bank,
            passed_ms: 0,
            stan: 0,
            sealing: Vec::new(),
            waiting: Vec::new(),
            values: BTreeMap::new(),
            delivered: Vec::new(),
            newest: None,
            told_max,
        }
    }

    /// The step that leads on from where a record is.
    fn next(&self, record: u8) -> Op {
        let view = self.bank.control.confirmation(CARD, id(record), self.bank.now);
        match view.map(|(view, _)| view.state) {
            Err(_) => Op::Ask(record),
            Ok(ConfirmationState::Created) => Op::Push(record),
            Ok(ConfirmationState::Pending) => Op::Approve(record),
            Ok(_) => Op::Seal(record),
        }
    }

    fn happens(&mut self, op: &Op) {
        self.bank.now = after_ms(self.passed_ms);
        let (control, now) = (&self.bank.control, self.bank.now);
        let payee = Payee::of("KRANJ0000000001", "").unwrap();
        let amount = Amount::from_minor(CONFIRMED);
        match *op {
            Op::Next(record) => self.happens(&self.next(record)),
            Op::Ask(record) => {
                let currency = CurrencyCode::EUR;
                let new = NewConfirmation { id: id(record), amount, currency, payee };
                tried(control.ask_confirmation(CARD, new, now));
            }
            Op::Push(record) => tried(control.push_confirmation(CARD, id(record), now)),
            Op::Approve(record) => tried(control.approve_confirmation(CARD, id(record), now)),
            Op::Fail(record) => tried(control.fail_confirmation(CARD, id(record), now)),
            Op::Seal(record) => {
                let sealed =
                    control.seal_confirmation_as(CARD, id(record), FACTOR, number(record), now);
                if let Ok((sealed, seq)) = sealed {
                    self.sealing.push((record, sealed.cavv, seq));
                }
            }
            Op::End(record, end) => tried(control.end_confirmation(CARD, id(record), end, now)),
            Op::Buy(record, cents, is_right) => self.buy(record, cents, is_right),
            Op::Repeat => self.repeat(),
            Op::Lock => tried(control.lock(CARD, now)),
            Op::Unlock => tried(control.unlock(CARD, now)),
            Op::Tick(online) => {
                let patch = ChannelsPatch { online: Some(online), ..ChannelsPatch::default() };
                control.set_channels(CARD, patch, now).unwrap();
            }
            Op::Later(ms) => self.passed_ms += ms,
            Op::Sync => {
                self.bank.shard().journal().commit_now().unwrap();
                self.tell();
            }
            Op::Crash(is_power) => self.crash(is_power),
        }
    }

    /// A shop asks with a value that it was given; what it is answered follows from the record.
    fn buy(&mut self, record: u8, cents: u64, is_right: bool) {
        let Some(cavv) = self.values.get(&record) else { return };
        self.stan += 1;
        let text = subfield::cavv_text(cavv);
        let merchant = if is_right { "KRANJ0000000001" } else { "KRANJ0000000002" };
        let told = purchase_online(&ana(), self.stan, cents)
            .with(42, merchant)
            .with(48, format!("4202054328{}", std::str::from_utf8(&text).unwrap()));
        let expected = self.expected(record, cents, is_right);
        let code = self.send(&told, record);
        assert_eq!(code, expected, "record {record}, {cents} cents");
        self.newest = Some(told);
    }

    fn expected(&self, record: u8, cents: u64, is_right: bool) -> &'static str {
        let (state, card) = self.look(record);
        let (status, has_tick, available) = card;
        let honours = state == ConfirmationState::Sealed && is_right && cents <= CONFIRMED;
        match (status, has_tick, honours) {
            (CardStatus::Locked, ..) => "62",
            (_, false, _) => "57",
            (_, _, false) => "1A",
            (..) if available < i64::try_from(cents).unwrap() => "51",
            (..) => "00",
        }
    }

    /// The record's state and the card's, as they stand after what fell due.
    fn look(&self, record: u8) -> (ConfirmationState, (CardStatus, bool, i64)) {
        let state = match self.bank.control.confirmation(CARD, id(record), self.bank.now) {
            Ok((view, _)) => view.state,
            Err(ControlError::Confirmation(_)) => panic!("a value without a record was told"),
            Err(error) => panic!("{error}"),
        };
        let cell = self.bank.shard().cards().by_id(CARD).unwrap();
        let card = cell.lock();
        let online = card.controls().ticks.contains(cekr_issuer::Channels::ONLINE);
        (state, (card.controls().status, online, card.available().minor()))
    }

    fn send(&mut self, told: &Told, record: u8) -> String {
        let reply = self.bank.read(&told.framed(CEKR87_BE2)).remove(0);
        let code = reply.told.code().to_owned();
        if let Ticket::After(after) = reply.ticket {
            let (told, octets) = (told.clone(), reply.octets);
            self.waiting.push(Answer { told, record, code: code.clone(), octets, after });
        }
        code
    }

    fn repeat(&mut self) {
        let Some(told) = self.newest.clone() else { return };
        let entries = self.bank.shard().journal().appended();
        let known = self.delivered.iter().chain(&self.waiting).find(|answer| answer.told == told);
        let known = known.map(|answer| (answer.octets.clone(), answer.record));
        if let Some((octets, record)) = known {
            let reply = self.bank.read(&told.framed(CEKR87_BE2)).remove(0);
            assert_eq!(reply.octets, octets, "the same answer again");
            let used = |entry: &Entry| is_use_of(entry, record);
            let after = (entries.0 + 1..=self.bank.shard().journal().appended().0).map(Seq);
            let mut new = after.filter_map(|seq| self.bank.shard().entry(seq));
            assert!(!new.any(|entry| used(&entry)), "a repeat uses nothing up");
        }
    }

    /// What is durable is told to those who wait for it.
    fn tell(&mut self) {
        let durable = self.bank.shard().journal().durable();
        self.told_max = self.told_max.max(durable);
        self.sealing.retain(|(record, cavv, seq)| {
            let is_told = *seq <= durable;
            if is_told {
                self.values.insert(*record, *cavv);
            }
            !is_told
        });
        let (told, waiting) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|answer| answer.after <= durable);
        self.waiting = waiting;
        self.delivered.extend(Vec::from_iter::<Vec<Answer>>(told));
    }

    fn crash(&mut self, is_power: bool) {
        if is_power {
            self.disk.power_cut()
        } else {
            self.disk.restart()
        }
        let shard = recovered(&self.disk);
        assert!(shard.journal().durable() >= self.told_max, "what was told was kept");
        self.bank = Bank::around(shard, CEKR87_BE2, policy());
        self.bank.now = after_ms(self.passed_ms);
        self.sealing.clear();
        self.waiting.clear();
        for record in self.values.keys() {
            let (state, _) = self.look(*record);
            let is_kept = matches!(
                state,
                ConfirmationState::Sealed
                    | ConfirmationState::Consumed
                    | ConfirmationState::Expired
                    | ConfirmationState::Cancelled
            );
            assert!(is_kept, "record {record} of a value that a shop has is {state:?}");
        }
    }

    /// Reads the journal from its beginning.
    fn end(mut self) {
        self.bank.shard().journal().commit_now().unwrap();
        self.tell();
        let entries = self.bank.entries();
        let mut sealed: BTreeMap<[u8; 8], u64> = BTreeMap::new();
        let mut is_locked = false;
        for (seq, entry) in (1..).map(Seq).zip(&entries) {
            match &entry.fact {
                Fact::Confirmation(ConfirmationStep::Sealed(fact)) => {
                    let before = sealed.insert(fact.number.packed(), fact.purchase.amount.minor());
                    assert_eq!(before, None, "a number is drawn once");
                }
                Fact::ControlsSet(controls) => {
                    is_locked = controls.status == CardStatus::Locked;
                }
                Fact::Authorized(fact) => {
                    let Consent::Confirmed(number) = fact.consent else {
                        panic!("entry {seq} rests on no confirmation: {:?}", fact.consent)
                    };
                    assert!(!is_locked, "entry {seq} approves for a locked card");
                    let most = sealed.remove(&number.packed());
                    let amount = fact.answered.amount.minor();
                    assert!(
                        most.is_some_and(|most| amount <= most),
                        "entry {seq} takes {amount} of {most:?}"
                    );
                }
                _ => {}
            }
        }
        for answer in self.delivered.iter().filter(|answer| answer.code == "00") {
            let entry = entries.get(usize::try_from(answer.after.0).unwrap() - 1).unwrap();
            assert!(is_use_of(entry, answer.record), "an approval that left is in the journal");
        }
        self.bank.audit();
    }
}

/// Whether a step was taken is for the records to tell.
fn tried<T>(_: T) {}

fn is_use_of(entry: &Entry, record: u8) -> bool {
    matches!(&entry.fact, Fact::Authorized(fact) if fact.consent == Consent::Confirmed(number(record)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn no_value_is_honoured_twice_or_for_more_or_after_a_lock_whenever_it_crashes(
        seed in any::<u64>(), ops in ops(),
    ) {
        let mut world = World::new(seed);
        for op in &ops {
            world.happens(op);
        }
        world.end();
    }
}
