//! One card as the oracle sees it: a list of all that was ever approved, added up anew each time.

use std::collections::{BTreeMap, BTreeSet};

use cekr_emv::CardNumber;
use cekr_emv::issuer::{self, Letter, Profile, Request};
use cekr_emv::keys::{ImkAc, Key as ChipKey};
use cekr_issuer::{CardStatus, Channels, Now};

use crate::cleared::Cleared;
use crate::consent::Record;
use crate::elements::{fee_of, private, share};
use crate::oracle::{PINS, Rules, Verdict, say};
use crate::read::{Ask, Key, Place, Read, new_block};
use crate::support::{CardSpec, DAY_MS, hex_octets, pin_block};

/// The defaults of the settings, in cents.
const CASH_DAY: u64 = 1_000_00;
const CASH_COUNT_DAY: usize = 3;
const POS_DAY: u64 = 2_000_00;
const ONLINE_DAY: u64 = 1_000_00;
const LOAD_DAY: u64 = 1_000_00;
const LOAD_MONTH: u64 = 5_000_00;
const BALANCE_MAX: i128 = 5_000_00;
const STRIPE_CAP: u64 = 50_00;
/// The most that DE 8 can tell.
const FEE_MAX: u64 = 99_999_999;

/// A card, and everything that it ever did.
#[derive(Clone)]
pub struct Account {
    pub status: CardStatus,
    pub ticks: Channels,
    pub loads: Vec<Load>,
    /// What was taken back: of which load, by which name, cents.
    pub taken_back: Vec<(String, String, u64)>,
    pub lines: Vec<Line>,
    expiry: u16,
    limited: bool,
    /// What each PIN of the world looks like for this card; any other block is noise.
    blocks: BTreeMap<String, &'static str>,
    pin: &'static str,
    tries: u8,
    /// Every counter that its chip has used.
    counters: BTreeSet<u16>,
    opening: i128,
    reversed_early: Vec<(String, String, String)>,
    /// What clearing brought beside all lines.
    pub brought: u64,
    /// What the holder was asked to confirm.
    pub records: Vec<Record>,
    /// How often the holder was asked and agreed.
    pub asked_times: u32,
    /// Paid online since then without being asked, cents.
    pub unasked: u64,
}

/// Money that came in.
#[derive(Clone)]
pub struct Load {
    pub date: u32,
    pub cents: u64,
    pub reference: String,
}

/// Where the money of a line is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Money {
    /// Set aside until this moment.
    Held { until: u64 },
    /// No longer set aside; what is left was held to the end.
    Expired,
    /// Taken.
    Posted,
    /// Promised back by a merchant: no money yet.
    Pending,
    /// This line was posted by that one.
    Completed { by: usize },
}

/// One approval, and what is left of it.
#[derive(Clone, Debug)]
pub struct Line {
    pub key: Key,
    pub rrn: Option<String>,
    pub merchant: Option<String>,
    pub auth_code: String,
    pub date: u32,
    /// DE 4 and DE 49.
    pub asked: u64,
    pub currency: String,
    /// The same in cents of the account.
    pub billed: u64,
    /// Surcharge and goods: they are paid before cash.
    pub not_cash: u64,
    /// Whether there was cash in it.
    pub has_cash: bool,
    /// Whether its cash costs the fee.
    pub has_fee: bool,
    pub left: u64,
    pub fee_left: u64,
    pub place: Place,
    pub money: Money,
    /// The hold that this line is a part of; its own number when it began one.
    pub first: usize,
    /// DE 25 was 06, and not for cash: more may be added to it.
    pub is_estimate: bool,
    /// Of a refund: the line that it gives back, when it names one.
    pub refund_of: Option<usize>,
    /// When a cashpoint told that it had dispensed less.
    pub faulted_at: Option<u64>,
    /// When it was approved.
    pub at_ms: u64,
    /// What the network's file did to it.
    pub clearing: Cleared,
    /// Paid without being asked: after how many times, and how much.
    pub unasked: Option<(u32, u64)>,
}

impl Line {
    pub fn cash_of(&self, left: u64) -> u64 {
        if self.has_cash { left.saturating_sub(self.not_cash) } else { 0 }
    }

    /// What of it uses up the limits of its day: no clearing line changes that.
    fn counted(&self) -> i128 {
        i128::from(self.left) + self.clearing.uncounted
    }

    fn counted_cash(&self) -> i128 {
        i128::from(self.cash_of(self.left)) + self.clearing.uncounted_cash
    }

    pub fn is_paid(&self) -> bool {
        self.money != Money::Pending
    }

    pub fn is_held(&self) -> bool {
        matches!(self.money, Money::Held { .. })
    }

    /// Leaves at most this much; gives what that gave back.
    fn keep(&mut self, cents: u64) -> u64 {
        let given = self.left.saturating_sub(cents);
        self.left -= given;
        if self.has_fee {
            self.fee_left = self.fee_left.min(fee_of(self.cash_of(self.left)));
        }
        given
    }

    fn is_named(&self, key: &Key) -> bool {
        self.key.stan == key.stan
            && self.key.when == key.when
            && self.key.terminal == key.terminal
            && (key.class == 0 || key.class == self.key.class)
    }
}

/// What a reversal did.
pub enum Undone {
    /// Nothing is named.
    Nothing,
    /// More than there was, or another currency.
    Unlike,
    /// That much came back, of a line that was where it tells.
    Given { cents: u64, class: u16, from: Money },
}

/// Whether a track 2 has another verification value than zeros: behind the separator follow expiry,
/// service code, the PIN's five digits, and then its three.
fn has_verification_value(track: &str) -> bool {
    let behind = track.trim_start_matches(|c: char| c.is_ascii_digit());
    let value: String = behind.chars().skip(1 + 12).take(3).collect();
    value.chars().count() == 3 && value != "000"
}

impl Account {
    pub fn new(card: &CardSpec) -> Self {
        Self {
            status: card.status,
            ticks: card.ticks,
            loads: Vec::new(),
            taken_back: Vec::new(),
            lines: Vec::new(),
            expiry: card.expiry,
            limited: card.limited,
            blocks: PINS.iter().map(|pin| (pin_block(card.pan, pin), *pin)).collect(),
            pin: card.pin,
            tries: 3,
            counters: BTreeSet::new(),
            opening: i128::from(card.balance),
            reversed_early: Vec::new(),
            brought: 0,
            records: Vec::new(),
            asked_times: 0,
            unasked: 0,
        }
    }

    pub fn expire(&mut self, now: Now) {
        self.expire_records(now);
        for line in &mut self.lines {
            if matches!(line.money, Money::Held { until } if until <= now.unix_ms) {
                line.money = Money::Expired;
            }
        }
    }

    fn sum(&self, counts: impl Fn(&Line) -> bool, of: impl Fn(&Line) -> u64) -> u64 {
        self.lines.iter().filter(|line| counts(line)).map(of).sum()
    }

    pub fn balance(&self) -> i128 {
        let loaded: u64 = self.loads.iter().map(|load| load.cents).sum();
        let posted = self.sum(|line| line.money == Money::Posted, |line| line.left + line.fee_left);
        let taken: u64 = self.taken_back.iter().map(|(.., cents)| cents).sum();
        self.opening + i128::from(loaded) + i128::from(self.brought)
            - i128::from(taken)
            - i128::from(posted)
    }

    pub fn available(&self) -> i128 {
        self.balance() - i128::from(self.sum(Line::is_held, |line| line.left + line.fee_left))
    }

    /// Loads money; tells whether that is possible.
    pub fn load(&mut self, cents: u64, reference: &str, now: Now, limits: bool) -> bool {
        if self.loads.iter().any(|load| load.reference == reference) {
            return true;
        }
        let is_possible = self.may_load(cents, now, limits);
        if is_possible {
            self.add_load(cents, reference, now);
        }
        is_possible
    }

    /// Loads money whatever stands against it.
    pub fn add_load(&mut self, cents: u64, reference: &str, now: Now) {
        let date = now.local_date.packed();
        self.loads.push(Load { date, cents, reference: reference.to_owned() });
    }

    /// Whether it takes a load.
    pub fn may_load(&self, cents: u64, now: Now, limits: bool) -> bool {
        if cents == 0 || self.status == CardStatus::Closed {
            return false;
        }
        let date = now.local_date.packed();
        if limits && self.limited {
            let loaded = |same: &dyn Fn(u32) -> bool| -> u64 {
                let loads = self.loads.iter().filter(|load| same(load.date));
                loads.map(|load| load.cents).sum()
            };
            let is_over = self.balance() + i128::from(cents) > BALANCE_MAX
                || loaded(&|day| day == date) + cents > LOAD_DAY
                || loaded(&|day| day / 100 == date / 100) + cents > LOAD_MONTH;
            if is_over {
                return false;
            }
        }
        true
    }

    /// Takes back a part of a load; tells whether that is possible.
    pub fn refund_load(&mut self, load: &str, name: &str, cents: u64) -> bool {
        let Some(loaded) = self.loads.iter().find(|known| known.reference == load) else {
            return false;
        };
        let of_load = || self.taken_back.iter().filter(|(of, ..)| of == load);
        if of_load().any(|(_, known, _)| known == name) {
            return true;
        }
        let taken: u64 = of_load().map(|(.., cents)| cents).sum();
        let is_possible = cents > 0 && taken + cents <= loaded.cents;
        if is_possible {
            self.taken_back.push((load.to_owned(), name.to_owned(), cents));
        }
        is_possible
    }

    pub fn newest(&self, matches: impl Fn(&Line) -> bool) -> Option<usize> {
        self.lines.iter().rposition(matches)
    }

    /// By trace number, time and terminal; of the message's own acquirer before any other's.
    pub fn by_key(&self, named: &Key, is_meant: impl Fn(&Line) -> bool) -> Option<usize> {
        let is_named = |line: &Line| is_meant(line) && line.is_named(named);
        self.newest(|line| line.key.acquirer == named.acquirer && is_named(line))
            .or_else(|| self.newest(is_named))
    }

    /// By DE 37 and DE 38.
    pub fn by_codes(&self, read: &Read<'_>) -> Option<usize> {
        let (rrn, code) = (read.told.text(37)?, read.told.text(38)?);
        self.newest(|line| line.rrn.as_deref() == Some(rrn) && line.auth_code == code)
    }

    /// By DE 38 alone.
    fn by_code(&self, read: &Read<'_>) -> Option<usize> {
        let code = read.told.text(38)?;
        self.newest(|line| line.auth_code == code)
    }

    /// What an increment, a completion or an advice names: no refund, for that is money of another
    /// way.
    fn by_any(&self, read: &Read<'_>) -> Option<usize> {
        if read.told.text(90).is_some() {
            return self.by_key(&read.original_by_90()?, Line::is_paid);
        }
        let named = self.by_codes(read).or_else(|| self.by_code(read));
        named.filter(|at| self.lines[*at].is_paid())
    }

    /// Who names what was completed means its completion.
    pub fn now_of(&self, mut at: usize) -> usize {
        while let Money::Completed { by } = self.lines[at].money {
            at = by;
        }
        at
    }

    /// All parts of a hold.
    pub fn parts(&self, first: usize) -> Vec<usize> {
        (0..self.lines.len()).filter(|at| self.lines[*at].first == first).collect()
    }

    /// Notes that this was taken back before it came.
    pub fn remember_reversed(&mut self, named: Key) {
        self.reversed_early.push((named.stan, named.when, named.terminal));
    }

    fn was_reversed_early(&self, key: &Key) -> bool {
        self.reversed_early.iter().any(|(stan, when, terminal)| {
            *stan == key.stan && *when == key.when && *terminal == key.terminal
        })
    }

    /// Takes back what `at` names, as far as the reversal says.
    pub fn undo(&mut self, read: &Read<'_>, at: Option<usize>, now: Now, rules: &Rules) -> Undone {
        let Some(named) = at else { return Undone::Nothing };
        let actual = read.told.text(95).map_or(0, |text| text[..12].parse().unwrap());
        let at = self.now_of(named);
        let told_max = self.lines[named].asked.max(self.lines[at].asked);
        let line = &self.lines[at];
        if read.currency != line.currency || read.asked.max(actual) > told_max {
            return Undone::Unlike;
        }
        let kept = if read.is_euro() { actual } else { share(line.billed, actual, line.asked) };
        let (class, from) = (line.key.class, line.money);
        let is_fault = read.is_advice()
            && matches!(read.told.text(39), Some("21" | "32"))
            && line.place == Place::Cashpoint;
        let gives = from != Money::Expired && line.left > kept;
        if is_fault && gives && line.faulted_at.is_none() {
            let lately = |at: u64| now.unix_ms - at < 30 * DAY_MS;
            let faults = self.lines.iter().filter(|line| line.faulted_at.is_some_and(lately));
            let nth = u32::try_from(faults.count()).unwrap() + 1;
            if rules.dispense_faults > 0 && nth >= rules.dispense_faults {
                return Undone::Given { cents: 0, class, from };
            }
            self.lines[at].faulted_at = Some(now.unix_ms);
        }
        let was_open = self.lines[at].left > 0;
        let cents = self.lines[at].keep(kept);
        if was_open && self.lines[at].left == 0 {
            self.take_back_unasked(at);
        }
        Undone::Given { cents, class, from }
    }

    /// An 0100 or 0200.
    pub fn judge(&mut self, read: &Read<'_>, ask: Ask, now: Now, rules: &Rules) -> Verdict {
        if self.was_reversed_early(&read.key) && ask != Ask::Enquiry {
            return say("12");
        }
        if let Some(verdict) = self.judge_status() {
            return verdict;
        }
        match ask {
            Ask::Enquiry if fee_of(read.cash) > FEE_MAX => say("13"),
            Ask::Enquiry => Verdict { fee: Some(fee_of(read.cash)), ..say("00") },
            Ask::Refund if read.billed == 0 => say("13"),
            Ask::Refund => self.refund(read, now).unwrap_or(say("13")),
            Ask::Balance | Ask::Check | Ask::PinChange | Ask::Purchase | Ask::Withdrawal => {
                self.judge_use(read, ask, now, rules).unwrap_or_else(|verdict| verdict)
            }
        }
    }

    /// An 0120 or 0220: it is answered 00, whatever becomes of it; but for a refund that a card in
    /// this state would not take from an 0200 either.
    pub fn judge_advice(&mut self, read: &Read<'_>, ask: Ask, now: Now, rules: &Rules) -> Verdict {
        let parked = say("00");
        if self.was_reversed_early(&read.key) {
            return parked;
        }
        if ask == Ask::Refund {
            return match self.judge_status() {
                Some(verdict) => verdict,
                None => self.refund(read, now).unwrap_or(parked),
            };
        }
        let named = self.by_any(read);
        if let Some(named) = named.filter(|_| read.key.class == 2) {
            return self.complete(read, named);
        }
        // Cash is no part of an estimate.
        let hold = self.open_hold(read).filter(|_| ask != Ask::Withdrawal && read.cash == 0);
        let is_unknown = hold.is_none() && (named.is_some() || read.told.text(90).is_some());
        if is_unknown || self.status == CardStatus::Closed || !read.did_happen() {
            return parked;
        }
        let has_fee = ask == Ask::Withdrawal || rules.cashback_fee;
        let fee = if has_fee { fee_of(read.cash) } else { 0 };
        self.push(read, now, read.billed, has_fee);
        self.join(hold);
        Verdict { fee: (fee > 0).then_some(fee), has_auth_code: true, ..say("00") }
    }

    fn judge_status(&self) -> Option<Verdict> {
        match self.status {
            CardStatus::NotActivated => Some(say("78")),
            CardStatus::Lost => Some(say("41")),
            CardStatus::Stolen => Some(say("43")),
            CardStatus::Closed => Some(say("46")),
            CardStatus::Active | CardStatus::Locked | CardStatus::Unknown => None,
        }
    }

    /// The final amount of a hold.
    fn complete(&mut self, read: &Read<'_>, named: usize) -> Verdict {
        let parked = say("00");
        let first = self.lines[named].first;
        let is_open = matches!(self.lines[named].money, Money::Held { .. } | Money::Expired);
        let parts = self.parts(first);
        let held: u64 = parts.iter().map(|at| self.lines[*at].left).sum();
        if !is_open || held == 0 {
            return parked;
        }
        let billed = if read.did_happen() { read.billed } else { 0 };
        let posted = if u128::from(billed) * 5 <= u128::from(held) * 6 { billed } else { held };
        let hold = self.lines[first].clone();
        let cashes = parts.iter().filter(|at| self.lines[**at].has_cash).count();
        let is_cash = hold.place == Place::Cashpoint || cashes > 0;
        let not_cash = match is_cash {
            true => parts.iter().map(|at| self.lines[*at].not_cash).sum(),
            false => posted,
        };
        let had_fee = |at: &usize| self.lines[*at].has_cash && self.lines[*at].has_fee;
        let has_fee = hold.place == Place::Cashpoint || parts.iter().any(had_fee);
        let faulted_at = parts.iter().filter_map(|at| self.lines[*at].faulted_at).max();
        let by = self.lines.len();
        let mut line = Line {
            key: read.key.clone(),
            rrn: read.told.text(37).map(str::to_owned),
            merchant: read.told.text(42).map(str::to_owned),
            auth_code: String::new(),
            asked: read.asked,
            currency: read.currency.clone(),
            billed: read.billed,
            not_cash,
            has_cash: posted > not_cash,
            has_fee,
            left: posted,
            money: Money::Posted,
            first: by,
            is_estimate: false,
            faulted_at,
            clearing: Cleared::default(),
            unasked: hold.unasked_of(posted),
            ..hold
        };
        line.fee_left = if has_fee { fee_of(line.cash_of(posted)) } else { 0 };
        let fee = (line.fee_left > 0).then_some(line.fee_left);
        for at in parts {
            let part = &mut self.lines[at];
            (part.money, part.faulted_at) = (Money::Completed { by }, None);
        }
        self.lines.push(line);
        Verdict { fee, has_auth_code: true, ..say("00") }
    }

    /// Promises money back; `None` when that would be more than there is.
    fn refund(&mut self, read: &Read<'_>, now: Now) -> Option<Verdict> {
        let named = match read.original_by_90() {
            Some(key) => self.by_key(&key, Line::is_paid),
            None => {
                let told = (read.told.text(37), read.told.text(42));
                self.newest(|line| {
                    line.is_paid()
                        && told.0.is_some()
                        && told.1.is_some()
                        && told == (line.rrn.as_deref(), line.merchant.as_deref())
                })
            }
        };
        if let Some(named) = named {
            let at = self.now_of(named);
            // An expired hold may still be completed: as long as it may, it may be refunded.
            let left = self.lines[at].left;
            let gives_back = |line: &Line| line.refund_of.map(|of| self.now_of(of)) == Some(at);
            let refunded = self.sum(gives_back, |line| line.left);
            if refunded + read.billed > left {
                return None;
            }
        }
        self.push(read, now, read.billed, false);
        let line = self.lines.last_mut().unwrap();
        (line.money, line.refund_of) = (Money::Pending, named);
        Some(Verdict { has_auth_code: true, ..say("00") })
    }

    fn judge_use(
        &mut self,
        read: &Read<'_>,
        ask: Ask,
        now: Now,
        rules: &Rules,
    ) -> Result<Verdict, Verdict> {
        let takes_money = matches!(ask, Ask::Purchase | Ask::Withdrawal);
        let this_month = now.local_date.packed() / 100;
        let is_past = this_month > 200_000 + u32::from(self.expiry);
        if is_past || read.expiries.iter().any(|told| *told != self.expiry) {
            return Err(say(if read.is_online { "14" } else { "54" }));
        }
        if self.status == CardStatus::Locked {
            return Err(say("62"));
        }
        if takes_money || ask == Ask::Check {
            self.judge_channels(read, rules)?;
        }
        if takes_money && read.billed == 0 {
            return Err(say("13"));
        }
        let is_stripe_fallback = read.told.text(22).is_some_and(|mode| mode.starts_with("80"));
        let needs_chip = rules.chip_at_cashpoints && read.place == Place::Cashpoint;
        if (is_stripe_fallback && read.billed > STRIPE_CAP)
            || (needs_chip && read.told.text(55).is_none())
        {
            return Err(say("57"));
        }
        let Some(data) = read.told.text(55) else {
            return self.judge_holder(read, ask, now, rules, needs_chip);
        };
        match self.judge_chip(read, data) {
            Sealed::Nothing if needs_chip => Err(say("57")),
            Sealed::Nothing => self.judge_holder(read, ask, now, rules, needs_chip),
            Sealed::Wrong => Err(say("82")),
            // From here on the chip is answered, whatever comes of the rest.
            Sealed::Refused => Err(Verdict { answers_chip: true, ..say("82") }),
            Sealed::Right => {
                let with_chip = |verdict| Verdict { answers_chip: true, ..verdict };
                self.judge_holder(read, ask, now, rules, needs_chip)
                    .map(with_chip)
                    .map_err(with_chip)
            }
        }
    }

    /// What the chip's data are worth. Some send a counter (9F36) and nothing that was sealed with
    /// it; a flipped bit can make another tag of it: such data prove nothing, and nothing is held
    /// against them.
    fn judge_chip(&mut self, read: &Read<'_>, data: &str) -> Sealed {
        if !data.len().is_multiple_of(2) || !data.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Sealed::Wrong;
        }
        let is_short = data.len() == 10 && &data[4..6] == "02";
        if is_short && NOT_OF_A_CRYPTOGRAM.contains(&&data[..4]) {
            return Sealed::Nothing;
        }
        let octets = hex_octets(data);
        let Ok(request) = Request::parse(&octets) else { return Sealed::Wrong };
        let number = |de| read.told.number(de).and_then(|number| u16::try_from(number).ok());
        let day = number(13).map(|day| {
            let packed = |two: u16| u8::try_from(two / 10 * 16 + two % 10).unwrap();
            [packed(day / 100), packed(day % 100)]
        });
        let told = issuer::Told {
            amount: read.told.number(4),
            currency: number(49).unwrap(),
            sequence: number(23),
            entry: issuer::Entry::of_mode(
                read.told.text(22).map_or(0, |mode| mode[..2].parse().unwrap()),
            ),
            date: day,
        };
        let card = issuer::Card {
            number: CardNumber::from_number(read.number.parse().unwrap()).unwrap(),
            sequence: 0x01,
        };
        let imk = ChipKey::<ImkAc>::development();
        let verdict = issuer::verify(&request, &told, &imk, &card, &Profile::PREPAID, None);
        let Some(proven) = verdict.proven else { return Sealed::Wrong };
        let atc = u16::from_be_bytes(proven.occasion.atc);
        let last = self.counters.last().copied().unwrap_or(0);
        let is_new = !self.counters.contains(&atc) && atc > 0 && u32::from(atc) + 64 > last.into();
        if !is_new || atc == u16::MAX {
            return Sealed::Refused;
        }
        self.counters.insert(atc);
        if verdict.letter == Letter::C { Sealed::Right } else { Sealed::Refused }
    }

    /// The rows behind the chip's.
    fn judge_holder(
        &mut self,
        read: &Read<'_>,
        ask: Ask,
        now: Now,
        rules: &Rules,
        needs_chip: bool,
    ) -> Result<Verdict, Verdict> {
        // The world's stripes have zeros in place of a verification value: other digits are a
        // flipped bit's, and wrong.
        if read.told.text(35).is_some_and(has_verification_value) {
            return Err(say(if read.is_online { "14" } else { "82" }));
        }
        let forgiven = self.judge_pin(read, needs_chip || ask == Ask::PinChange)?;
        let approved = Verdict { has_auth_code: true, ..say("00") };
        let value = self.value(read);
        if !matches!(ask, Ask::Purchase | Ask::Withdrawal) {
            value.clone()?;
        }
        if ask == Ask::PinChange {
            let new = new_block(read.told).unwrap();
            let pin = self.blocks.get(&new).copied().ok_or(say("81"))?;
            (self.pin, self.tries) = (pin, 3);
            return Ok(approved);
        }
        if ask == Ask::Check {
            self.tries = forgiven;
            return Ok(Verdict { code: "85", ..approved });
        }
        if ask == Ask::Balance {
            self.tries = forgiven;
            let (balance, available) = (self.balance(), self.available());
            let amounts = format!("{}{}", part(read, "01", balance), part(read, "02", available));
            return Ok(Verdict { amounts: Some(amounts), ..approved });
        }
        if rules.limits && self.limited {
            self.judge_limits(read, now)?;
        }
        let ground = self.ground(read, ask, rules, value?)?;
        let verdict = self.judge_funds(read, ask, now, rules, forgiven)?;
        self.rests_on(ground);
        Ok(verdict)
    }

    fn judge_channels(&self, read: &Read<'_>, rules: &Rules) -> Result<(), Verdict> {
        let abroad = read.is_abroad && !(rules.abroad_with_card_only && read.is_online);
        let needs = [
            (abroad, Channels::ABROAD, "ABROAD"),
            (read.is_cash, Channels::CASHPOINT, "CASHPOINT"),
            (read.is_online, Channels::ONLINE, "ONLINE"),
        ];
        let missing: Vec<_> = needs
            .iter()
            .filter(|(needed, tick, _)| *needed && !self.ticks.contains(*tick))
            .map(|(_, _, name)| *name)
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Verdict { missing: Some(missing.join(",")), ..say("57") })
    }

    /// The tries after an approval, or why there is none.
    fn judge_pin(&mut self, read: &Read<'_>, is_needed: bool) -> Result<u8, Verdict> {
        let Some(block) = read.told.text(52) else {
            return match (is_needed, self.tries) {
                (true, 0) => Err(say("75")),
                (true, _) => Err(say("55")),
                (false, tries) => Ok(tries),
            };
        };
        if self.tries == 0 {
            return Err(say("75"));
        }
        match self.blocks.get(block) {
            Some(pin) if *pin == self.pin => Ok(3),
            Some(_) => {
                self.tries -= 1;
                Err(say("55"))
            }
            None => Err(say("81")),
        }
    }

    /// Whether a line counts towards the limits of its day. What a hold came to counts in its
    /// place, on the day of its first part; what was added to it on another day has its own.
    fn counts(&self, line: &Line) -> bool {
        if line.clearing.is_forced {
            return false;
        }
        match line.money {
            Money::Held { .. } | Money::Expired | Money::Posted => true,
            Money::Completed { .. } => line.date != self.lines[line.first].date,
            Money::Pending => false,
        }
    }

    fn judge_limits(&self, read: &Read<'_>, now: Now) -> Result<(), Verdict> {
        let date = now.local_date.packed();
        let exceeds =
            |used: i128, more: u64, max: u64| more > 0 && used + i128::from(more) > max.into();
        let counts = |line: &Line| line.date == date && self.counts(line);
        let lines = || self.lines.iter().filter(|line| counts(line));
        let cash_today: i128 = lines().map(Line::counted_cash).sum();
        let bought = |place: Place| -> i128 {
            let there = lines().filter(|line| line.place == place);
            there.map(|line| line.counted() - line.counted_cash()).sum()
        };
        let goods = read.billed - read.cash;
        let is_over = match read.place {
            Place::Cashpoint => false,
            Place::Online => exceeds(bought(Place::Online), goods, ONLINE_DAY),
            Place::Shop => exceeds(bought(Place::Shop), goods, POS_DAY),
        };
        if is_over || exceeds(cash_today, read.cash, CASH_DAY) {
            return Err(say("61"));
        }
        let is_withdrawal =
            |line: &&Line| line.has_cash && (line.left > 0 || line.clearing.is_emptied);
        let withdrawals = lines().filter(is_withdrawal).count();
        if read.cash > 0 && withdrawals >= CASH_COUNT_DAY {
            return Err(say("65"));
        }
        Ok(())
    }

    fn judge_funds(
        &mut self,
        read: &Read<'_>,
        ask: Ask,
        now: Now,
        rules: &Rules,
        forgiven: u8,
    ) -> Result<Verdict, Verdict> {
        let has_fee = ask == Ask::Withdrawal || rules.cashback_fee;
        let fee = if has_fee { fee_of(read.cash) } else { 0 };
        if fee > FEE_MAX {
            return Err(say("13"));
        }
        let available = self.available();
        let is_covered = i128::from(read.billed) + i128::from(fee) <= available;
        let takes_part = private(read.told, b"61").as_deref() == Some(b"1");
        let may_be_part = takes_part && read.cash == 0 && ask == Ask::Purchase && read.is_euro();
        let billed = match (is_covered, may_be_part && available > 0) {
            (true, _) => read.billed,
            (false, true) => u64::try_from(available).unwrap(),
            (false, false) => return Err(say("51")),
        };
        let hold = match ask {
            Ask::Purchase if read.key.class == 1 && read.is_estimate() => self.open_hold(read),
            _ => None,
        };
        self.push(read, now, billed, has_fee);
        self.join(hold);
        self.tries = forgiven;
        let fee = (fee > 0).then_some(fee);
        let whole = Verdict { fee, has_auth_code: true, ..say("00") };
        if is_covered {
            return Ok(whole);
        }
        let asked = part(read, "57", i128::from(read.asked));
        let amounts = Some(format!("{asked}{}", part(read, "02", self.available())));
        Ok(Verdict { code: "10", approved: Some(billed), amounts, ..whole })
    }

    /// The open hold that an increment names.
    fn open_hold(&self, read: &Read<'_>) -> Option<usize> {
        let first = self.lines[self.by_any(read)?].first;
        let parts = self.parts(first);
        let is_open = parts.iter().any(|at| self.lines[*at].is_held() && self.lines[*at].left > 0);
        (is_open && self.lines[first].is_estimate).then_some(first)
    }

    /// Makes the newest line a part of a hold: both live as long as the newest does.
    fn join(&mut self, hold: Option<usize>) {
        let (Some(first), Some(newest)) = (hold, self.lines.last_mut()) else { return };
        newest.first = first;
        let until = newest.money;
        for line in self.lines.iter_mut().filter(|line| line.first == first) {
            line.money = until;
        }
    }

    /// Holds or takes money.
    fn push(&mut self, read: &Read<'_>, now: Now, billed: u64, has_fee: bool) {
        let days = match read.place {
            Place::Cashpoint => 2,
            Place::Online | Place::Shop if read.is_estimate() => 30,
            Place::Online => 10,
            Place::Shop => 5,
        };
        let until = now.unix_ms + days * DAY_MS;
        self.lines.push(Line {
            key: read.key.clone(),
            rrn: read.told.text(37).map(str::to_owned),
            merchant: read.told.text(42).map(str::to_owned),
            auth_code: String::new(),
            date: now.local_date.packed(),
            asked: read.asked,
            currency: read.currency.clone(),
            billed,
            not_cash: billed - read.cash,
            has_cash: read.cash > 0,
            has_fee,
            left: billed,
            fee_left: if has_fee { fee_of(read.cash) } else { 0 },
            place: read.place,
            money: if read.key.class == 1 { Money::Held { until } } else { Money::Posted },
            first: self.lines.len(),
            is_estimate: read.is_estimate() && read.place != Place::Cashpoint,
            refund_of: None,
            faulted_at: None,
            at_ms: now.unix_ms,
            clearing: Cleared::default(),
            unasked: None,
        });
    }
}

/// One part of DE 54.
fn part(read: &Read<'_>, kind: &str, cents: i128) -> String {
    let account = &read.told.text(3).unwrap()[2..4];
    let sign = if cents < 0 { 'D' } else { 'C' };
    format!("{account}{kind}978{sign}{:012}", cents.unsigned_abs())
}

/// What chip data are worth.
enum Sealed {
    /// They prove nothing.
    Nothing,
    /// The cryptogram is right, and its counter or what was found declines.
    Refused,
    /// They are right.
    Right,
    /// They are not.
    Wrong,
}

/// What one flipped bit can make of tag 9F36 that no cryptogram brings.
const NOT_OF_A_CRYPTOGRAM: [&str; 7] = ["9F32", "9F3E", "9F16", "9F76", "1F36", "DF36", "BF36"];
