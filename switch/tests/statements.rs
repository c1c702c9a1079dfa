//! Bank statements against a slow and obvious account of them: whatever order the lines come in,
//! however often, and wherever the power is cut, everybody has in the end what is theirs.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may")]

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use cekr_iso8583::{Expiry, Pan};
use cekr_issuer::books::Account;
use cekr_issuer::entry::{
    BankLine, LoadSource, Name, Reference, StatementKey, SuspenseReason, TakeBackCause,
};
use cekr_issuer::policy::Limits;
use cekr_issuer::{Amount, CardId, CardStatus, Channels, Controls, LocalDate, Now, Policy, Seq};
use cekr_switch::answers::AnswersConfig;
use cekr_switch::checkpoint::{Keeper, Pace};
use cekr_switch::control::{Control, ControlError};
use cekr_switch::disk::Disk;
use cekr_switch::journal::{Faults, JournalConfig, SimDisk};
use cekr_switch::keyring::StartKey;
use cekr_switch::recovery::{self, Drive, Plan};
use cekr_switch::shard::{NewCard, Shard};
use cekr_switch::statements::{
    LineFate, LineKind, LineTarget, LoadNamed, StatementLine, StatementOutcome,
};

const TODAY: LocalDate = LocalDate::new(2026, 11, 22);
const NOW: Now = Now { unix_ms: 1_795_341_600_000, local_date: TODAY };
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
const MOK_IDS: [u32; 3] = [123_456_782, 234_567_891, 345_678_909];
/// The third card.
const CLOSED: usize = 2;

/// A switch without sockets over a disk that can fail.
struct Bank {
    disk: SimDisk,
    shard: Arc<Shard>,
    control: Control,
    keeper: Keeper,
    now: Now,
}

fn no_limits() -> Limits {
    let off = Amount::default();
    Limits { load_day: off, load_month: off, balance_max: off, ..Limits::default() }
}

fn opened(disk: &SimDisk) -> Shard {
    let journal = JournalConfig {
        segment_octets: 8_192,
        queue_max: 48,
        recent_max: 16,
        batch_max: 8,
        ..JournalConfig::default()
    };
    let answers = AnswersConfig { answers_max: 64, window_min_ms: 0 };
    let start_key = StartKey::development();
    let plan = Plan { start_key: &start_key, journal, answers, drive: Drive::Inline };
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let (shard, _) = recovery::recover(&disk, &plan, &mut |out| out.fill(7)).unwrap();
    shard
}

impl Bank {
    fn new(limits: Limits) -> Self {
        let disk = SimDisk::new(1);
        let shard = opened(&disk);
        for (number, mok_id) in MOK_IDS.into_iter().enumerate() {
            let body = format!("476173{number:09}");
            let pan = (0..10).find_map(|last| Pan::parse(format!("{body}{last}").as_bytes()).ok());
            let is_closed = number == CLOSED;
            let status = if is_closed { CardStatus::Closed } else { CardStatus::Active };
            let expiry = Expiry::new(3012).unwrap();
            let new = NewCard {
                pan: pan.unwrap(),
                name: Name::new(&format!("card {number}")).unwrap(),
                mok_id,
                controls: Controls { status, ticks: Channels::NONE, expiry, version: 1 },
                pin: None,
                limited: true,
                balance: Amount::default(),
            };
            shard.issue(new, NOW).unwrap();
        }
        shard.journal().commit_now().unwrap();
        Self::over(disk, shard, limits, NOW)
    }

    fn over(disk: SimDisk, shard: Shard, limits: Limits, now: Now) -> Self {
        let shard = Arc::new(shard);
        let policy = Policy { limits, ..Policy::default() };
        let control = Control::new(shard.clone(), Arc::new(policy));
        let keeper = Keeper::new(Arc::new(disk.clone()), 20, Seq::NONE);
        Self { disk, shard, control, keeper, now }
    }

    /// The power is cut, and comes back.
    fn restarted(self, limits: Limits) -> Self {
        let Self { disk, shard, control, keeper, now } = self;
        drop((shard, control, keeper));
        disk.power_cut();
        let shard = opened(&disk);
        Self::over(disk, shard, limits, now)
    }

    /// All that was appended becomes durable; false when the disk has died.
    fn commit(&self) -> bool {
        let journal = self.shard.journal();
        journal.commit_now().is_ok_and(|durable| durable == journal.appended())
    }

    fn balance(&self, card: usize) -> i64 {
        let id = CardId(u32::try_from(card).unwrap());
        self.shard.snapshot(id).unwrap().balance.minor()
    }

    fn suspense(&self) -> i128 {
        self.control.suspense_total().0.amount
    }

    /// What the books say, after a look that they are in order.
    fn booked(&self, account: Account) -> i128 {
        let (books, seen) = self.shard.books();
        assert_eq!(seen, self.shard.journal().durable());
        assert_eq!(books.sum(), 0);
        books.total(account)
    }

    fn post(&self, lines: &[StatementLine]) -> Vec<StatementOutcome> {
        let outcomes = self.control.post_lines(lines, self.now).unwrap().0;
        assert!(self.commit());
        outcomes
    }

    /// The one item in suspense.
    fn only_item(&self) -> Seq {
        let (page, _) = self.control.suspense(Seq::NONE, 9, self.now);
        assert_eq!(page.items.len(), 1);
        Seq(page.items[0].item)
    }
}

fn line(number: u8, cents: u64, kind: LineKind) -> StatementLine {
    let key = StatementKey([number; 16]);
    let line = BankLine { key, booked_on: LocalDate::new(2026, 11, 20) };
    StatementLine { line, amount: Amount::from_minor(cents), kind }
}

fn credit(number: u8, cents: u64, mok_id: u32) -> StatementLine {
    line(number, cents, LineKind::Credit(LineTarget::MokId(mok_id)))
}

fn unmatched(number: u8, cents: u64, reason: SuspenseReason) -> StatementLine {
    let target = LineTarget::Suspense { reason, mok_id: None };
    line(number, cents, LineKind::Credit(target))
}

fn reversal(number: u8, cents: u64, of: u8) -> StatementLine {
    line(number, cents, LineKind::Reversal { of: StatementKey([of; 16]) })
}

fn fates(outcomes: &[StatementOutcome]) -> Vec<(LineFate, bool)> {
    outcomes.iter().map(|outcome| (outcome.outcome, outcome.repeated)).collect()
}

/// A line of the universe that a case draws from, and what a person does about it.
#[derive(Clone, Copy, Debug)]
struct Planned {
    cents: u64,
    /// The card that the payer named: one of three, or none of ours.
    card: usize,
    reversed: bool,
    person: Person,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Person {
    Assigns(usize),
    Leaves,
    Returns,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Commit,
    Checkpoint,
    Person(usize),
    Post { first: usize, count: usize, reversals: bool },
    PowerCut,
    Refund { load: usize },
}

fn planned() -> impl Strategy<Value = Planned> {
    let person = prop_oneof![
        (0..2_usize).prop_map(Person::Assigns),
        Just(Person::Leaves),
        Just(Person::Returns)
    ];
    (1..500_00_u64, 0..4_usize, any::<bool>(), person).prop_map(
        |(cents, card, reversed, person)| {
            // What went back to its payer and is then taken by the bank is a case of its own.
            let reversed = reversed && person != Person::Returns;
            Planned { cents, card, reversed, person }
        },
    )
}

fn step(lines: usize) -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Commit),
        2 => Just(Step::Checkpoint),
        3 => (0..lines).prop_map(Step::Person),
        6 => (0..lines, 1..8_usize, any::<bool>())
            .prop_map(|(first, count, reversals)| Step::Post { first, count, reversals }),
        1 => Just(Step::PowerCut),
        2 => (0..LOADS).prop_map(|load| Step::Refund { load }),
    ]
}

/// Loads by card beside the statements, each with two refunds.
const LOADS: usize = 3;

struct Story {
    bank: Bank,
    plan: Vec<Planned>,
}

impl Story {
    fn lines(&self, first: usize, count: usize, reversals: bool) -> Vec<StatementLine> {
        let numbers = (first..first + count).map(|number| number % self.plan.len());
        let of = |number: usize| {
            let Planned { cents, card, .. } = self.plan[number];
            let name = u8::try_from(number).unwrap();
            if reversals {
                reversal(name + 100, cents, name)
            } else {
                credit(name, cents, MOK_IDS.get(card).copied().unwrap_or(999_999_998))
            }
        };
        numbers.filter(|number| !reversals || self.plan[*number].reversed).map(of).collect()
    }

    /// A person does what is planned about a line, if it is in suspense.
    fn person(&self, number: usize) -> Result<(), ControlError> {
        let number = number % self.plan.len();
        let key = StatementKey([u8::try_from(number).unwrap(); 16]).to_string();
        let (page, _) = self.bank.control.suspense(Seq::NONE, 1_000, self.bank.now);
        let Some(item) = page.items.iter().find(|item| item.statement_key == key) else {
            return Ok(());
        };
        let (control, now) = (&self.bank.control, self.bank.now);
        match self.plan[number].person {
            Person::Assigns(card) => {
                let card = CardId(u32::try_from(card).unwrap());
                control.assign(Seq(item.item), card, now)?;
            }
            Person::Leaves => {}
            Person::Returns => {
                control.return_to_payer(Seq(item.item), now)?;
            }
        }
        Ok(())
    }

    /// A load by card, and both of its refunds.
    fn refund(&self, load: usize) -> Result<(), ControlError> {
        let (control, now) = (&self.bank.control, self.bank.now);
        let card = CardId(u32::try_from(load % 2).unwrap());
        let reference = Reference::new(&format!("order {load}")).unwrap();
        control.load(card, Amount::from_minor(100_00), LoadSource::Card, reference, now)?;
        for (name, cents) in [("a part", 30_00), ("another", 70_00)] {
            let of = LoadNamed::Reference { card, source: LoadSource::Card, reference };
            let name = Reference::new(name).unwrap();
            let cause = TakeBackCause::Refund;
            control.take_back(of, Amount::from_minor(cents), cause, name, now)?;
        }
        Ok(())
    }

    fn step(&mut self, step: Step) {
        let now = self.bank.now;
        // What the full queue refuses is done again at the end.
        let _ = match step {
            Step::Commit => {
                self.bank.commit();
                self.bank.control.finish_assignments(now).map(|_| ())
            }
            Step::Checkpoint => {
                while self.bank.keeper.turn(&self.bank.shard) == Pace::GoOn {}
                Ok(())
            }
            Step::Person(number) => self.person(number),
            Step::Post { first, count, reversals } => {
                let lines = self.lines(first, count, reversals);
                self.bank.control.post_lines(&lines, now).map(|_| ())
            }
            Step::PowerCut => Ok(()),
            Step::Refund { load } => self.refund(load),
        };
    }

    /// All lines once more, as every file holds them, and what persons had planned.
    fn end(&mut self) {
        let until_done = |bank: &Bank, act: &dyn Fn() -> Result<(), ControlError>| {
            while let Err(refused) = act() {
                assert_eq!(refused, ControlError::Busy);
                assert!(bank.commit());
            }
            assert!(bank.commit());
        };
        let control = self.bank.control.clone();
        let now = self.bank.now;
        for number in 0..self.plan.len() {
            for reversals in [false, true] {
                let lines = self.lines(number, 1, reversals);
                until_done(&self.bank, &|| control.post_lines(&lines, now).map(|_| ()));
            }
            until_done(&self.bank, &|| self.person(number));
        }
        (0..LOADS).for_each(|load| until_done(&self.bank, &|| self.refund(load)));
        until_done(&self.bank, &|| control.finish_assignments(now).map(|_| ()));
    }

    /// What each card has, what is in suspense, and what went back, worked out from the plan alone.
    fn expected(&self) -> ([i64; 3], i128, i128) {
        let (mut cards, mut suspense, mut returned) = ([0; 3], 0, 0);
        for Planned { cents, card, reversed, person } in &self.plan {
            let cents = i64::try_from(*cents).unwrap();
            match (card, person) {
                _ if *reversed => {}
                (0 | 1, _) => cards[*card] += cents,
                (_, Person::Assigns(to)) => cards[*to] += cents,
                (_, Person::Leaves) => suspense += i128::from(cents),
                (_, Person::Returns) => returned += i128::from(cents),
            }
        }
        (cards, suspense, returned)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn everybody_has_what_is_theirs_in_any_order_and_repetition_and_after_power_cuts(
        plan in prop::collection::vec(planned(), 1..20),
        steps in prop::collection::vec(step(20), 0..60),
        crashes in prop::collection::vec(1..60_u64, 0..4),
    ) {
        let mut story = Story { bank: Bank::new(no_limits()), plan };
        let mut crashes = crashes.into_iter();
        let arm = |story: &Story, after: Option<u64>| {
            let crash_at = after.map(|after| story.bank.disk.calls() + after);
            story.bank.disk.plant(Faults { crash_at, ..Faults::default() });
        };
        arm(&story, crashes.next());
        for step in steps {
            story.step(step);
            let is_cut = matches!(step, Step::PowerCut);
            if is_cut || story.bank.shard.journal().failure().is_some() {
                story.bank = story.bank.restarted(no_limits());
                arm(&story, crashes.next());
            }
        }
        story.bank = story.bank.restarted(no_limits());
        arm(&story, None);
        story.end();
        for _ in 0..2 {
            let (cards, suspense, returned) = story.expected();
            let found = [0, 1, 2].map(|card| story.bank.balance(card));
            prop_assert_eq!(found, cards);
            prop_assert_eq!(story.bank.suspense(), suspense);
            prop_assert_eq!(story.bank.booked(Account::Suspense), suspense);
            let liability: i64 = cards.iter().sum();
            prop_assert_eq!(story.bank.booked(Account::CardLiability), i128::from(liability));
            // What the bank account holds is what cards and suspense are owed.
            let at_bank = i128::from(liability) + suspense;
            prop_assert_eq!(-story.bank.booked(Account::UpnClearing), at_bank);
            prop_assert_eq!(story.bank.booked(Account::PspReceivable), 0);
            let all: i64 = story.plan.iter().filter(|line| !line.reversed)
                .map(|line| i64::try_from(line.cents).unwrap()).sum();
            prop_assert_eq!(at_bank + returned, i128::from(all));
            // Once more, from what the disk has.
            story.bank = story.bank.restarted(no_limits());
        }
    }
}

#[test]
fn a_credit_loads_its_card_once_whatever_brings_it_again() {
    let bank = Bank::new(no_limits());
    let lines = [credit(1, 50_00, MOK_IDS[0]), credit(2, 50_00, MOK_IDS[0])];
    let first = bank.post(&lines);
    assert_eq!(fates(&first), [(LineFate::Loaded, false); 2]);
    assert_eq!(bank.balance(0), 100_00);
    let again = bank.post(&[lines[1], lines[0], lines[0]]);
    assert_eq!(fates(&again), [(LineFate::Loaded, true); 3]);
    assert_eq!((again[0].seq, again[1].seq), (first[1].seq, first[0].seq));
    let bank = bank.restarted(no_limits());
    assert_eq!(fates(&bank.post(&lines)), [(LineFate::Loaded, true); 2]);
    assert_eq!(bank.balance(0), 100_00);
    let other_amount = credit(1, 50_01, MOK_IDS[0]);
    assert_eq!(fates(&bank.post(&[other_amount])), [(LineFate::Conflict, true)]);
    assert_eq!(bank.balance(0), 100_00);
}

#[test]
fn what_matches_no_open_card_waits_with_its_reason() {
    let bank = Bank::new(Limits::default());
    let outcomes = bank.post(&[
        credit(1, 10_00, 999_999_998),
        credit(2, 20_00, MOK_IDS[CLOSED]),
        credit(3, 1_000_01, MOK_IDS[0]),
        unmatched(4, 30_00, SuspenseReason::P1Mismatch),
        reversal(5, 40_00, 77),
    ]);
    let reasons: Vec<_> = outcomes.iter().map(|outcome| outcome.reason.unwrap()).collect();
    let expected = ["MOKID_UNKNOWN", "CARD_CLOSED", "LIMIT", "P1_MISMATCH", "REVERSAL_UNMATCHED"];
    assert_eq!(reasons, expected);
    let total = 10_00 + 20_00 + 1_000_01 + 30_00 - 40_00;
    assert_eq!((bank.suspense(), bank.booked(Account::Suspense)), (total, total));
    let later = Now { unix_ms: NOW.unix_ms + 30 * DAY_MS, ..NOW };
    let (page, _) = bank.control.suspense(Seq::NONE, 2, later);
    assert!(page.has_more);
    let item = &page.items[0];
    assert_eq!((item.amount, item.age_days, item.reason), (10_00, 30, "MOKID_UNKNOWN"));
    assert_eq!(item.mok_id.as_deref(), Some("999999998"));
    let (rest, _) = bank.control.suspense(Seq(page.items[1].item), 9, later);
    assert_eq!((rest.items.len(), rest.has_more), (3, false));
    assert_eq!(rest.items[2].amount, -40_00);
}

#[test]
fn an_assignment_that_a_crash_left_half_done_is_finished_by_the_next_start() {
    let bank = Bank::new(no_limits());
    bank.post(&[unmatched(1, 25_00, SuspenseReason::BadParts)]);
    let item = bank.only_item();
    let seq = bank.control.assign(item, CardId(0), NOW).unwrap();
    bank.control.finish_assignments(NOW).unwrap();
    assert_eq!(bank.balance(0), 0, "the desk's entry is not durable yet");
    assert!(bank.commit());
    assert_eq!(bank.booked(Account::Suspense), 25_00, "until the card has it");
    let bank = bank.restarted(no_limits());
    assert_eq!(bank.control.assign(item, CardId(0), NOW), Ok(seq), "the same again");
    assert_eq!(bank.control.assign(item, CardId(1), NOW), Err(ControlError::ItemLeft));
    assert_eq!(bank.control.return_to_payer(item, NOW), Err(ControlError::ItemLeft));
    bank.control.finish_assignments(NOW).unwrap();
    assert!(bank.commit());
    assert_eq!((bank.balance(0), bank.suspense()), (25_00, 0));
    assert_eq!(bank.booked(Account::Suspense), 0);
    bank.control.finish_assignments(NOW).unwrap();
    assert_eq!(bank.balance(0), 25_00, "once");
    let told = bank.control.assign(item, CardId(0), NOW).unwrap();
    assert!(told > seq, "it tells the card's own entry now");
    assert_eq!(bank.control.assign(item, CardId(1), NOW), Err(ControlError::ItemLeft));
    assert_eq!(bank.control.assign(Seq(1), CardId(1), NOW), Err(ControlError::NoSuchItem));
    // The bank may take it back even then.
    let outcomes = bank.post(&[reversal(2, 25_00, 1)]);
    assert_eq!(fates(&outcomes), [(LineFate::TakenBack, false)]);
    assert_eq!(bank.balance(0), 0);
}

#[test]
fn what_the_bank_took_may_be_assigned_and_goes_to_no_payer() {
    let bank = Bank::new(no_limits());
    bank.post(&[reversal(1, 12_00, 9)]);
    let item = bank.only_item();
    assert_eq!(bank.control.return_to_payer(item, NOW), Err(ControlError::ItemTaken));
    bank.control.assign(item, CardId(1), NOW).unwrap();
    assert!(bank.commit());
    bank.control.finish_assignments(NOW).unwrap();
    assert!(bank.commit());
    assert_eq!((bank.balance(1), bank.suspense()), (-12_00, 0));
    assert_eq!(bank.booked(Account::Suspense), 0);
    assert_eq!(bank.booked(Account::UpnClearing), 12_00);
}

#[test]
fn money_returned_to_its_payer_leaves_once() {
    let bank = Bank::new(no_limits());
    bank.post(&[unmatched(1, 60_00, SuspenseReason::WrongModel)]);
    let item = bank.only_item();
    let seq = bank.control.return_to_payer(item, NOW).unwrap();
    assert!(bank.commit());
    assert_eq!(bank.control.return_to_payer(item, NOW), Ok(seq));
    assert_eq!(bank.control.assign(item, CardId(0), NOW), Err(ControlError::ItemLeft));
    assert_eq!((bank.suspense(), bank.booked(Account::UpnClearing)), (0, 0));
    let again = bank.post(&[unmatched(1, 60_00, SuspenseReason::WrongModel)]);
    assert_eq!(fates(&again), [(LineFate::Returned, true)]);
    let reversed = bank.post(&[reversal(2, 60_00, 1)]);
    assert_eq!(reversed[0].reason, Some("REVERSAL_UNMATCHED"), "nobody has it any more");
}

#[test]
fn a_reversal_and_its_credit_are_nothing_together_whichever_comes_first() {
    let (there, back) = (credit(1, 70_00, MOK_IDS[0]), reversal(2, 70_00, 1));
    let bank = Bank::new(no_limits());
    assert_eq!(
        fates(&bank.post(&[there, back])),
        [(LineFate::Loaded, false), (LineFate::TakenBack, false)]
    );
    assert_eq!((bank.balance(0), bank.suspense(), bank.booked(Account::UpnClearing)), (0, 0, 0));
    let bank = Bank::new(no_limits());
    assert_eq!(
        fates(&bank.post(&[back, there, back, there])),
        [
            (LineFate::Suspense, false),
            (LineFate::Reversed, false),
            (LineFate::Reversed, true),
            (LineFate::Reversed, true),
        ]
    );
    assert_eq!((bank.balance(0), bank.suspense(), bank.booked(Account::UpnClearing)), (0, 0, 0));
}

#[test]
fn a_reversal_takes_what_was_spent_already_and_never_more_than_came() {
    let bank = Bank::new(no_limits());
    bank.post(&[credit(1, 70_00, MOK_IDS[0])]);
    let outcomes =
        bank.post(&[reversal(2, 50_00, 1), reversal(3, 20_01, 1), reversal(4, 20_00, 1)]);
    assert_eq!(
        fates(&outcomes),
        [(LineFate::TakenBack, false), (LineFate::Suspense, false), (LineFate::TakenBack, false),]
    );
    assert_eq!((bank.balance(0), bank.suspense()), (0, -20_01));
}

#[test]
fn a_key_is_known_for_thirteen_months_and_an_older_line_is_not_posted() {
    let mut bank = Bank::new(no_limits());
    let there = credit(1, 5_00, MOK_IDS[0]);
    bank.post(&[there]);
    for (year, month, day, fate) in [
        (2027, 12, 20, (LineFate::Loaded, true)),
        (2027, 12, 31, (LineFate::Loaded, true)),
        // Its key is gone, and so is its chance.
        (2028, 1, 1, (LineFate::Suspense, false)),
        (2028, 1, 2, (LineFate::Suspense, true)),
    ] {
        bank.now = Now {
            unix_ms: bank.now.unix_ms + DAY_MS,
            local_date: LocalDate::new(year, month, day),
        };
        // Another line turns the month.
        bank.post(&[StatementLine {
            line: BankLine {
                key: StatementKey([day ^ month << 4; 16]),
                booked_on: bank.now.local_date,
            },
            ..credit(0, 1, MOK_IDS[1])
        }]);
        assert_eq!(fates(&bank.post(&[there])), [fate], "{year}-{month}-{day}");
        bank = bank.restarted(no_limits());
    }
    assert_eq!((bank.balance(0), bank.suspense()), (5_00, 5_00));
    let old = StatementLine {
        line: BankLine { booked_on: LocalDate::new(2026, 12, 1), ..there.line },
        ..reversal(9, 5_00, 1)
    };
    let old = StatementLine { line: BankLine { key: StatementKey([9; 16]), ..old.line }, ..old };
    let outcome = &bank.post(&[old])[0];
    assert_eq!(outcome.reason, Some("LINE_OLD"));
}

#[test]
fn a_load_by_card_is_refunded_in_parts_and_never_beyond_what_it_was() {
    let bank = Bank::new(no_limits());
    let (control, id) = (&bank.control, CardId(0));
    let order = Reference::new("order 1").unwrap();
    control.load(id, Amount::from_minor(100_00), LoadSource::Card, order, NOW).unwrap();
    let by_reference =
        LoadNamed::Reference { card: id, source: LoadSource::Card, reference: order };
    let take = |load, cents, cause, name: &str| {
        let name = Reference::new(name).unwrap();
        control
            .take_back(load, Amount::from_minor(cents), cause, name, NOW)
            .map(|(card, _)| card.balance)
    };
    let refund = TakeBackCause::Refund;
    assert_eq!(take(by_reference, 40_00, refund, "r1"), Ok(60_00));
    assert_eq!(take(by_reference, 40_00, refund, "r1"), Ok(60_00), "the same again");
    let too_much = Err(ControlError::TakenBackTooMuch);
    assert_eq!(take(by_reference, 60_01, refund, "r2"), too_much);
    let entry = bank.shard.snapshot(id).unwrap().last_seq;
    let load = Seq(entry.0 - 1);
    assert_eq!(take(LoadNamed::Entry(load), 60_00, TakeBackCause::Chargeback, "c1"), Ok(0));
    assert_eq!(take(by_reference, 1, refund, "r3"), too_much);
    let no_load = Err(ControlError::NoSuchLoad);
    assert_eq!(take(LoadNamed::Entry(entry), 1, refund, "r4"), no_load, "that is no load");
    assert_eq!(take(by_reference, 1, TakeBackCause::BankReversal, "r5"), no_load);
    let other = Reference::new("order 2").unwrap();
    let unknown = LoadNamed::Reference { card: id, source: LoadSource::Card, reference: other };
    assert_eq!(take(unknown, 1, refund, "r6"), no_load);
    assert!(bank.commit());
    assert_eq!(bank.booked(Account::PspReceivable), -60_00);
    assert_eq!(bank.booked(Account::ChargebackReceivable), 60_00);
    let bank = bank.restarted(no_limits());
    let name = Reference::new("r1").unwrap();
    bank.control.take_back(by_reference, Amount::from_minor(40_00), refund, name, NOW).unwrap();
    assert_eq!(bank.balance(0), 0, "known again after a start");
}

#[test]
fn lines_before_the_one_that_finds_no_room_are_posted_and_all_may_come_again() {
    let bank = Bank::new(no_limits());
    let lines: Vec<_> = (0..100).map(|number| credit(number, 1_00, MOK_IDS[0])).collect();
    let refused = bank.control.post_lines(&lines, NOW).unwrap_err();
    assert_eq!(refused, ControlError::Busy);
    assert_eq!(bank.balance(0), 48_00, "as many as the queue takes");
    let mut tries = 0;
    while bank.control.post_lines(&lines, NOW).is_err() {
        assert!(bank.commit());
        tries += 1;
    }
    assert!(bank.commit() && tries == 2);
    assert_eq!(bank.balance(0), 100_00);
    assert_eq!(bank.booked(Account::CardLiability), 100_00);
}

#[test]
fn nothing_is_posted_of_lines_with_an_amount_that_is_none() {
    let bank = Bank::new(no_limits());
    for (cents, refused) in
        [(0, ControlError::AmountZero), (1_000_000_000_000, ControlError::AmountTooLarge)]
    {
        let lines = [credit(1, 1_00, MOK_IDS[0]), credit(2, cents, MOK_IDS[0])];
        assert_eq!(bank.control.post_lines(&lines, NOW).unwrap_err(), refused);
    }
    assert_eq!((bank.balance(0), bank.suspense()), (0, 0));
}

#[test]
fn the_entries_of_a_statement_say_what_they_are() {
    let bank = Bank::new(no_limits());
    bank.post(&[
        credit(1, 10_00, MOK_IDS[0]),
        unmatched(2, 20_00, SuspenseReason::BadParts),
        reversal(3, 10_00, 1),
    ]);
    bank.control.assign(bank.only_item(), CardId(1), NOW).unwrap();
    assert!(bank.commit());
    bank.control.finish_assignments(NOW).unwrap();
    assert!(bank.commit());
    let newest = bank.shard.journal().durable();
    let shown: BTreeMap<String, serde_json::Value> = (4..=newest.0)
        .map(|seq| {
            let entry = bank.shard.entry(Seq(seq)).unwrap();
            let shown = cekr_switch::entry_view::json(&bank.shard, Seq(seq), &entry);
            (format!("{seq} {}", entry.kind()), shown)
        })
        .collect();
    let kinds: Vec<&str> = shown.keys().map(String::as_str).collect();
    let expected =
        ["4 loaded", "5 suspense_held", "6 load_taken_back", "7 suspense_assigned", "8 loaded"];
    assert_eq!(kinds, expected);
    let card = |ordinal| bank.shard.keyring().card_id(ordinal).to_string();
    let is = |kind: &str, field: &str, value: serde_json::Value| {
        assert_eq!(shown[kind][field], value, "{kind} {field}");
    };
    is("4 loaded", "source", "upn".into());
    is("4 loaded", "statement_key", "01".repeat(16).into());
    is("4 loaded", "booked_on", "2026-11-20".into());
    is("5 suspense_held", "desk", "suspense".into());
    is("5 suspense_held", "reason", "BAD_PARTS".into());
    is("5 suspense_held", "amount", 20_00.into());
    is("6 load_taken_back", "cause", "bank_reversal".into());
    is("6 load_taken_back", "original_seq", 4.into());
    is("6 load_taken_back", "card", card(0).into());
    is("7 suspense_assigned", "assigned_to", card(1).into());
    is("7 suspense_assigned", "item", 5.into());
    is("8 loaded", "source", "suspense".into());
    is("8 loaded", "balance_after", 20_00.into());
}
