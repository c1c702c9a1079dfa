//! Points against a slow oracle: whatever clearing brings, in whatever order, and after each crash.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "tests may"
)]

mod support;

use std::collections::BTreeMap;

use cekr_iso8583::{Mcc, MerchantId};
use cekr_issuer::clearing::Line;
use cekr_issuer::entry::{Cleared, ClearedAs, LineKey, Place, PointsTakenBack};
use cekr_issuer::points::books::{PointsAccount, PointsBooks};
use cekr_issuer::points::{Enrolled, MerchantName, Month, Programme, Rate, Rule};
use cekr_issuer::reply::auth_code;
use cekr_issuer::{Balance, Card, Channels, Entry, Fact, LocalDate, Now, Seq};
use proptest::prelude::*;
use support::{Account, Message};

const SHOP: &[u8; 15] = b"KRANJ0000000001";
const BAKERY: &[u8; 15] = b"PEKARNA00000001";
const CAFE: &[u8; 15] = b"KAVARNA00000001";

fn rule(number: u16, who: Enrolled, (points, per_cents): (u32, u32)) -> Rule {
    Rule {
        number,
        name: MerchantName::new("enrolled").unwrap(),
        who,
        rate: Rate { points, per_cents },
        purchase_max: 0,
        day_max: 0,
        from: LocalDate::new(2026, 1, 1),
        until: LocalDate::new(2027, 6, 30),
    }
}

/// A shop with caps, a bakery without, and all cafés.
fn programme() -> Programme {
    let shop = Rule {
        purchase_max: 90,
        day_max: 120,
        ..rule(1, Enrolled::Merchant(MerchantId::new(*SHOP)), (3, 200))
    };
    let bakery = rule(2, Enrolled::Merchant(MerchantId::new(*BAKERY)), (7, 30));
    let cafes = rule(3, Enrolled::Business(Mcc::new(5812).unwrap()), (1, 100));
    Programme { rules: vec![shop, bakery, cafes], expiry_months: 2, silver: 100, gold: 200 }
}

/// Something that may happen.
#[derive(Clone, Debug)]
enum Event {
    /// A purchase in a place: held (0100) or posted at once (0200); the cash is part of it.
    Bought { place: usize, cents: u64, cash: u64, is_posted: bool },
    /// Cash at a machine that wrongly tells the shop's name.
    Withdrawn { cents: u64 },
    /// The line of an earlier approval, at so many percent of it.
    Cleared { earlier: usize, percent: u64 },
    /// A line that names nothing.
    Forced { place: usize, cents: u64 },
    /// A line of before, once more.
    Again { earlier: usize },
    /// A refund is announced, of an earlier purchase or of nothing that is named.
    Announced { earlier: usize, cents: u64, is_named: bool },
    /// The line of an announced refund.
    Refunded { earlier: usize, cents: u64 },
    /// An earlier purchase is charged back.
    ChargedBack { earlier: usize, cents: u64 },
    /// An earlier purchase is reversed, down to so many cents.
    Reversed { earlier: usize, left: u64 },
    /// Time passes.
    Later { days: u64 },
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let cents = 1..120_00_u64;
    let event = prop_oneof![
        5 => (0..4_usize, cents.clone(), prop_oneof![3 => Just(0), 1 => 1..20_00_u64], any::<bool>())
            .prop_map(|(place, cents, cash, is_posted)| Event::Bought { place, cents, cash, is_posted }),
        1 => cents.clone().prop_map(|cents| Event::Withdrawn { cents }),
        6 => (0..6_usize, prop_oneof![3 => Just(100), 2 => 1..130_u64])
            .prop_map(|(earlier, percent)| Event::Cleared { earlier, percent }),
        2 => (0..4_usize, cents.clone()).prop_map(|(place, cents)| Event::Forced { place, cents }),
        1 => (0..6_usize).prop_map(|earlier| Event::Again { earlier }),
        3 => (0..6_usize, cents.clone(), any::<bool>())
            .prop_map(|(earlier, cents, is_named)| Event::Announced { earlier, cents, is_named }),
        3 => (0..3_usize, cents.clone()).prop_map(|(earlier, cents)| Event::Refunded { earlier, cents }),
        2 => (0..6_usize, cents.clone()).prop_map(|(earlier, cents)| Event::ChargedBack { earlier, cents }),
        1 => (0..6_usize, 0..60_00_u64).prop_map(|(earlier, left)| Event::Reversed { earlier, left }),
        2 => prop_oneof![4 => 0..3_u64, 1 => 20..45_u64].prop_map(|days| Event::Later { days }),
    ];
    proptest::collection::vec(event, 1..60)
}

/// What the oracle knows of a purchase; it forgets none.
#[derive(Clone, Debug)]
struct Purchase {
    merchant: Vec<u8>,
    mcc: u16,
    date: LocalDate,
    approved: u64,
    cash: u64,
    /// What is left of it on the account, or held.
    left: u64,
    is_cash: bool,
    /// Entry of its clearing line, points, base, what came back of that, row, month of expiry,
    /// month of the line.
    earned: Option<Earning>,
}

#[derive(Clone, Debug)]
struct Earning {
    line: Seq,
    points: u64,
    base: u64,
    back: u64,
    row: u16,
    month: Month,
    has_expired: bool,
}

impl Earning {
    /// By the definition, in the largest numbers that there are.
    fn left(&self) -> u64 {
        let taken = u128::from(self.points) * u128::from(self.back) / u128::from(self.base);
        self.points - taken as u64
    }
}

/// Folds facts as they come, without a bound and without the card.
#[derive(Default)]
struct Oracle {
    purchases: BTreeMap<Seq, Purchase>,
    /// Purchases by the entry that posted them.
    posted: BTreeMap<Seq, Seq>,
    /// Announced refunds: the purchase's entry or none, and the merchant.
    refunds: BTreeMap<Seq, (Seq, Vec<u8>)>,
}

impl Oracle {
    fn see(&mut self, seq: Seq, entry: &Entry) {
        match &entry.fact {
            Fact::Authorized(fact) => {
                let answered = &fact.answered;
                self.purchases.insert(
                    seq,
                    Purchase {
                        merchant: answered.merchant.octets().to_vec(),
                        mcc: answered.mcc.number(),
                        date: entry.date,
                        approved: answered.amount.minor(),
                        cash: fact.cash.minor(),
                        left: answered.amount.minor(),
                        is_cash: fact.place == Place::Cashpoint,
                        earned: None,
                    },
                );
            }
            Fact::RefundPending(fact) => {
                let merchant = fact.answered.merchant.octets().to_vec();
                self.refunds.insert(seq, (fact.original, merchant));
            }
            Fact::Reversed(fact) => {
                let Some(purchase) = self.of(fact.original) else { return };
                let (before, after) = (purchase.left, fact.amount_left.minor());
                purchase.left = after;
                let goods = |left: u64| left.min(purchase.approved - purchase.cash);
                let back = goods(before) - goods(after);
                give_back(purchase, back);
            }
            Fact::Cleared(fact) => self.clear(seq, entry, fact),
            _ => {}
        }
    }

    fn of(&mut self, seq: Seq) -> Option<&mut Purchase> {
        let first = self.posted.get(&seq).copied().unwrap_or(seq);
        self.purchases.get_mut(&first)
    }

    fn clear(&mut self, seq: Seq, entry: &Entry, fact: &Cleared) {
        let change = fact.change.minor();
        match fact.how {
            ClearedAs::Posted | ClearedAs::Adjusted => {
                self.posted.insert(seq, fact.original);
                let purchase = self.purchases.get_mut(&fact.original).unwrap();
                purchase.left = match fact.how {
                    ClearedAs::Posted => change.unsigned_abs(),
                    _ => purchase.left.checked_add_signed(-change).unwrap(),
                };
                let goods = purchase.approved - purchase.cash;
                // Without cash all of it is goods, also what came above what was approved.
                let base =
                    if purchase.cash == 0 { purchase.left } else { purchase.left.min(goods) };
                purchase.approved = purchase.left;
                purchase.cash = purchase.left - base;
                let purchase = purchase.clone();
                let merchant = match fact.merchant.octets() {
                    [0, ..] => purchase.merchant.clone(),
                    told => told.to_vec(),
                };
                self.earn(fact.original, seq, entry, (merchant, fact.mcc.number()), base);
            }
            ClearedAs::Forced => {
                let cents = change.unsigned_abs();
                let merchant = fact.merchant.octets().to_vec();
                let is_cash = fact.place == Place::Cashpoint;
                let mcc = fact.mcc.number();
                let purchase = Purchase {
                    merchant: merchant.clone(),
                    mcc,
                    date: entry.date,
                    approved: cents,
                    cash: if is_cash { cents } else { 0 },
                    left: cents,
                    is_cash,
                    earned: None,
                };
                self.purchases.insert(seq, purchase);
                self.earn(seq, seq, entry, (merchant, mcc), cents);
            }
            ClearedAs::ChargedBack => {
                let purchase = self.of(fact.original).unwrap();
                purchase.left = purchase.left.saturating_sub(change.unsigned_abs());
                give_back(purchase, change.unsigned_abs());
            }
            ClearedAs::Refunded => {
                let (of, merchant) = self.refunds[&fact.original].clone();
                let mut cents = change.unsigned_abs();
                if of != Seq::NONE {
                    if let Some(purchase) = self.of(of) {
                        // What is kept no more may be given back in full again.
                        purchase.left = purchase.left.saturating_sub(cents);
                        give_back(purchase, cents);
                    }
                    return;
                }
                let mut there: Vec<_> = self
                    .purchases
                    .values_mut()
                    .filter(|purchase| purchase.earned.is_some() && purchase.merchant == merchant)
                    .collect();
                there.sort_by_key(|purchase| purchase.earned.as_ref().unwrap().line);
                for purchase in there.into_iter().rev() {
                    let earned = purchase.earned.as_mut().unwrap();
                    if !earned.has_expired {
                        let part = cents.min(earned.base - earned.back);
                        earned.back += part;
                        cents -= part;
                    }
                }
            }
        }
    }

    fn earn(
        &mut self,
        name: Seq,
        line: Seq,
        entry: &Entry,
        (merchant, mcc): (Vec<u8>, u16),
        base: u64,
    ) {
        let purchase = &self.purchases[&name];
        let day = purchase.date;
        // The test's own reading of the table.
        let (row, mut points) = match (&merchant[..], mcc) {
            (b"KRANJ0000000001", _) => (1, (base * 3 / 200).min(90)),
            (b"PEKARNA00000001", _) => (2, base * 7 / 30),
            (_, 5812) => (3, base / 100),
            _ => return,
        };
        if day > LocalDate::new(2027, 6, 30) || purchase.is_cash {
            return;
        }
        if row == 1 {
            let of_day = self.purchases.values().filter(|other| other.date == day);
            let earned = of_day.filter_map(|other| other.earned.as_ref());
            let before: u64 = earned.filter(|other| other.row == 1).map(|other| other.points).sum();
            points = points.min(120_u64.saturating_sub(before));
        }
        if points > 0 {
            let month = Month::of(entry.date);
            let purchase = self.purchases.get_mut(&name).unwrap();
            purchase.merchant = merchant;
            let earning = Earning { line, points, base, back: 0, row, month, has_expired: false };
            purchase.earned = Some(earning);
        }
    }

    /// What the card must have at the end of `today`'s settlements: all, and of the last year.
    fn points(&mut self, today: LocalDate) -> (u64, u64) {
        let now = Month::of(today);
        let (mut all, mut year) = (0, 0);
        for earned in self.purchases.values_mut().filter_map(|purchase| purchase.earned.as_mut()) {
            earned.has_expired |= earned.month.later(2) < now;
            all += if earned.has_expired { 0 } else { earned.left() };
            year += if earned.month.later(11) >= now { earned.left() } else { 0 };
        }
        (all, year)
    }
}

fn give_back(purchase: &mut Purchase, cents: u64) {
    if let Some(earned) = purchase.earned.as_mut().filter(|earned| !earned.has_expired) {
        earned.back = (earned.back + cents).min(earned.base);
    }
}

/// A card, its oracle, and the lines of before.
struct World {
    account: Account,
    oracle: Oracle,
    bought: Vec<(Message, Seq)>,
    refunds: Vec<Seq>,
    lines: Vec<Line>,
    stan: u32,
    seen: usize,
}

impl World {
    fn new() -> Self {
        let mut account = Account::new(Channels::ALL, 100_000_00);
        account.policy.programme = programme();
        let (bought, refunds, lines) = Default::default();
        Self { account, oracle: Oracle::default(), bought, refunds, lines, stan: 0, seen: 0 }
    }

    /// Settles what is due, as the switch does before it judges anything.
    fn settle(&mut self) {
        while let Some(fact) = self.account.card.due(self.account.now) {
            self.account.enter(fact);
        }
        self.follow();
    }

    fn follow(&mut self) {
        for (at, entry) in self.account.entries.iter().enumerate().skip(self.seen) {
            self.oracle.see(Seq(at as u64 + 1), entry);
        }
        self.seen = self.account.entries.len();
    }

    /// The process ends and begins: the card is what its entries say.
    fn crash(&mut self) {
        let mut again = Card::unknown();
        for (seq, entry) in (1..).zip(&self.account.entries) {
            again.apply(Seq(seq), &Entry::decode(&entry.encode()).unwrap());
        }
        assert_eq!(again, self.account.card, "bit for bit");
        self.account.card = again;
    }

    fn message(&mut self, place: usize, cents: u64) -> Message {
        self.stan += 1;
        let (merchant, mcc) = [(SHOP, 5411), (BAKERY, 5462), (CAFE, 5812), (CAFE, 5814)][place];
        let merchant = String::from_utf8(merchant.to_vec()).unwrap();
        Message::purchase(self.stan, cents).with(42, merchant).with(18, mcc)
    }

    fn clear(&mut self, line: Line) {
        let fact = match line.fact(&self.account.card) {
            Fact::Cleared(cleared) => {
                let (programme, card) = (&self.account.policy.programme, &self.account.card);
                let earned = programme.earned(card, &cleared, self.account.now.local_date);
                Fact::Cleared(Cleared { earned, ..cleared })
            }
            other => other,
        };
        self.account.enter(fact);
        self.lines.push(line);
    }

    fn line(&self, of: Option<Seq>, cents: i64, mcc: u16) -> Line {
        Line {
            key: LineKey { file: 1, line: self.lines.len() as u32, content: 1 },
            rrn: None,
            auth_code: of.map(auth_code),
            amount: Balance::from_minor(cents),
            merchant: None,
            mcc: Mcc::new(mcc).unwrap(),
        }
    }

    fn earlier(&self, earlier: usize) -> Option<(Message, Seq)> {
        self.bought.len().checked_sub(earlier + 1).map(|at| self.bought[at].clone())
    }

    fn ask(&mut self, message: Message) -> Option<Seq> {
        let before = self.account.entries.len();
        let is_good = self.account.code(&message) == "00";
        let is_new = is_good && self.account.entries.len() > before;
        is_new.then(|| {
            let seq = self.account.card.last_seq();
            self.bought.push((message, seq));
            seq
        })
    }

    fn happen(&mut self, event: &Event) {
        match *event {
            Event::Bought { place, cents, cash, is_posted } => {
                let message = self.message(place, cents + cash);
                let message = message.of_mti(if is_posted { 200 } else { 100 });
                let message = match cash {
                    0 => message,
                    cash => message.with(3, "090000").with(54, format!("0040978D{cash:012}")),
                };
                self.ask(message);
            }
            Event::Withdrawn { cents } => {
                let message = self.message(0, cents).with(3, "010000").with(18, "6011");
                self.ask(message);
            }
            Event::Cleared { earlier, percent } => {
                let Some((_, seq)) = self.earlier(earlier) else { return };
                let Some(of) = self.oracle.purchases.get(&seq) else { return };
                let (cents, mcc) = ((of.approved * percent / 100).max(1), of.mcc);
                self.clear(self.line(Some(seq), i64::try_from(cents).unwrap(), mcc));
            }
            Event::Forced { place, cents } => {
                let (merchant, mcc) =
                    [(SHOP, 5411), (BAKERY, 6011), (CAFE, 5812), (CAFE, 5814)][place];
                let line = self.line(None, i64::try_from(cents).unwrap(), mcc);
                self.clear(Line { merchant: Some(MerchantId::new(*merchant)), ..line });
            }
            Event::Again { earlier } => {
                let Some(at) = self.lines.len().checked_sub(earlier + 1) else { return };
                // The switch knows the key; where it were forgotten, the card knows its original.
                if self.lines[at].auth_code.is_some() && self.lines[at].amount > Balance::ZERO {
                    self.clear(self.lines[at]);
                }
            }
            Event::Announced { earlier, cents, is_named } => {
                let Some((message, _)) = self.earlier(earlier) else { return };
                self.stan += 1;
                let refund = message
                    .of_mti(200)
                    .with(3, "200000")
                    .with(4, format!("{cents:012}"))
                    .with(11, format!("{:06}", self.stan))
                    .without(54);
                let refund = if is_named { refund } else { refund.with(37, "999999999999") };
                let before = self.bought.len();
                if let Some(seq) = self.ask(refund) {
                    self.bought.truncate(before);
                    self.refunds.push(seq);
                }
            }
            Event::Refunded { earlier, cents } => {
                let Some(at) = self.refunds.len().checked_sub(earlier + 1) else { return };
                let cents = i64::try_from(cents).unwrap();
                self.clear(self.line(Some(self.refunds[at]), -cents, 5411));
            }
            Event::ChargedBack { earlier, cents } => {
                let Some((_, seq)) = self.earlier(earlier) else { return };
                self.clear(self.line(Some(seq), -i64::try_from(cents).unwrap(), 5411));
            }
            Event::Reversed { earlier, left } => {
                let Some((message, _)) = self.earlier(earlier) else { return };
                self.stan += 1;
                let reversal = message.reversed(420, self.stan);
                let reversal = match left {
                    0 => reversal,
                    left => reversal.with(95, format!("{left:012}{}", "0".repeat(30))),
                };
                self.account.code(&reversal);
            }
            Event::Later { days } => self.account.now = later(self.account.now, days),
        }
    }

    fn check(&mut self) {
        let card = &self.account.card;
        let mut books = PointsBooks::default();
        let mut earned = BTreeMap::new();
        for (seq, entry) in (1..).zip(&self.account.entries) {
            books.add(entry);
            assert_eq!(books.sum(), 0);
            assert!(books.total(PointsAccount::Liability) >= 0);
            if let Fact::Cleared(Cleared { earned: Some(fact), .. }) = &entry.fact {
                earned.insert(Seq(seq), fact.points);
            }
            if let Fact::PointsTakenBack(PointsTakenBack { of, points }) = &entry.fact {
                let left = earned.get_mut(of).unwrap();
                assert!(*points <= *left, "never more than was earned");
                *left -= points;
            }
        }
        let liability = books.total(PointsAccount::Liability);
        assert_eq!(liability, i128::from(card.points()));
        let (all, year) = self.oracle.points(self.account.now.local_date);
        assert_eq!(card.points(), all, "the oracle's");
        assert_eq!(card.points_of_year(self.account.now.local_date), year, "of a year");
    }
}

/// So many days later: none of them has an hour more or less where it matters.
fn later(now: Now, days: u64) -> Now {
    let mut date = now.local_date;
    for _ in 0..days {
        let (year, month, day) =
            (date.packed() / 10_000, date.packed() / 100 % 100, date.packed() % 100);
        let is_last = date == Month::of(date).last_day();
        let next = match (is_last, month) {
            (false, _) => (year, month, day + 1),
            (true, 12) => (year + 1, 1, 1),
            (true, _) => (year, month + 1, 1),
        };
        date = LocalDate::new(next.0 as u16, next.1 as u8, next.2 as u8);
    }
    Now { unix_ms: now.unix_ms + days * 86_400_000, local_date: date }
}

proptest! {
    #[test]
    fn points_are_those_of_a_slow_oracle_whatever_clearing_brings_and_when_it_crashes(
        events in events(),
        crashes in any::<u64>(),
    ) {
        let mut world = World::new();
        for (at, event) in events.iter().enumerate() {
            world.settle();
            world.happen(event);
            world.follow();
            if crashes >> (at % 64) & 1 == 1 {
                // Between what happened and what falls due of it.
                world.crash();
            }
            world.settle();
            world.check();
        }
        world.account.audit();
    }
}

fn earns(world: &mut World, seq: Seq, cents: i64, mcc: u16) -> Option<u32> {
    world.clear(world.line(Some(seq), cents, mcc));
    match &world.account.entries.last().unwrap().fact {
        Fact::Cleared(cleared) => cleared.earned.map(|earned| earned.points),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_purchase_earns_when_it_is_cleared_and_gives_back_its_part_with_a_refund() {
    let mut world = World::new();
    let message = world.message(1, 24_90);
    let seq = world.ask(message.clone()).unwrap();
    assert_eq!(world.account.card.points(), 0, "approved is not cleared");
    assert_eq!(earns(&mut world, seq, 24_90, 5462), Some(581));
    assert_eq!(world.account.card.points(), 581);
    world.stan += 1;
    let refund = message.with(3, "200000").with(4, "000000000490").with(11, "000002");
    let refund = world.ask(refund).unwrap();
    world.clear(world.line(Some(refund), -4_90, 5462));
    assert_eq!(world.account.card.points(), 581, "it falls due, and has not been entered");
    world.crash();
    world.settle();
    // 581 x 490 / 2490 is 114.3.
    assert_eq!(world.account.card.points(), 467);
    world.check();
    world.account.audit();
}

#[test]
fn cash_earns_nothing_and_cash_with_a_purchase_is_left_out() {
    let mut world = World::new();
    let cash = world.message(0, 50_00).with(3, "010000").with(18, "6011");
    let seq = world.ask(cash).unwrap();
    assert_eq!(earns(&mut world, seq, 50_00, 6011), None);
    let both = world.message(2, 30_00).with(3, "090000").with(54, "0040978D000000002000");
    let seq = world.ask(both).unwrap();
    assert_eq!(earns(&mut world, seq, 30_00, 5812), Some(10));
}

#[test]
fn points_end_with_their_month_and_the_purchase_can_take_back_no_more() {
    let mut world = World::new();
    let seq = {
        let message = world.message(2, 80_00);
        world.ask(message).unwrap()
    };
    earns(&mut world, seq, 80_00, 5812);
    let expiring: Vec<_> = world.account.card.points_by_expiry().collect();
    assert_eq!(expiring, [(Some(Month::of(LocalDate::new(2027, 1, 1))), 80)]);
    // 2027-01-31 is the last day.
    world.account.now = later(world.account.now, 70);
    assert_eq!(world.account.now.local_date, LocalDate::new(2027, 1, 31));
    world.settle();
    assert_eq!(world.account.card.points(), 80);
    world.account.now = later(world.account.now, 1);
    world.settle();
    assert_eq!(world.account.card.points(), 0);
    world.check();
    assert_eq!(world.account.card.points_of_year(world.account.now.local_date), 80);
    world.clear(world.line(Some(seq), -80_00, 5812));
    world.settle();
    world.check();
    assert_eq!(world.account.card.due(later(world.account.now, 400)), None);
}

#[test]
fn without_a_row_nothing_is_earned_and_no_entry_is_another() {
    let mut world = World::new();
    world.account.policy.programme = Programme::default();
    let message = world.message(0, 80_00);
    let seq = world.ask(message).unwrap();
    assert_eq!(earns(&mut world, seq, 80_00, 5411), None);
    assert_eq!(
        world.account.entries.last().unwrap().encode()[0],
        19,
        "as before there were points"
    );
}

#[test]
fn a_line_that_comes_late_counts_for_its_day_after_that_days_points_expired() {
    let mut world = World::new();
    let message = world.message(0, 67);
    let seq = world.ask(message).unwrap();
    for cents in [20_00, 60_00] {
        world.happen(&Event::Forced { place: 0, cents });
    }
    world.account.now = later(world.account.now, 71);
    world.settle();
    assert_eq!(world.account.card.points(), 0, "they expired");
    assert_eq!(earns(&mut world, seq, 67, 5411), None, "its day had earned all it may");
}
