//! The oracle: what the rules of the card say, worked out slowly and without the issuer's code.
//!
//! It keeps a list of everything a card ever did and adds it up anew for each question: no running
//! totals, no index, its own reading of every element, its own fee. It knows messages only as
//! characters. Where it and the switch differ, one of them is wrong.

use std::collections::BTreeMap;

use cekr_issuer::{CardStatus, Channels, Now};

use crate::elements::{
    card_told, cashback, fee_of, is_private_cut, octets, private, share, surcharge,
};
use crate::support::{CardSpec, Told, luhn_holds, pin_block};

/// The settings of a world, as plain numbers; zero switches a limit off.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Foreign web shops need no ABROAD tick.
    pub abroad_with_card_only: bool,
    /// The cash of a purchase costs the cashpoint fee as well.
    pub cashback_fee: bool,
    /// A withdrawal needs chip data and a PIN.
    pub chip_at_cashpoints: bool,
    /// Whether any limit applies.
    pub limits: bool,
    /// Whether the format says what stands in DE 48.
    pub private_is_tagged: bool,
}

/// The defaults of the settings, in cents.
const CASH_DAY: u64 = 1_000_00;
const CASH_COUNT_DAY: usize = 3;
const POS_DAY: u64 = 2_000_00;
const ONLINE_DAY: u64 = 1_000_00;
const LOAD_DAY: u64 = 1_000_00;
const LOAD_MONTH: u64 = 5_000_00;
const BALANCE_MAX: i128 = 5_000_00;
const STRIPE_CAP: u64 = 50_00;

/// PINs that are typed by mistake in these worlds.
pub const WRONG_PINS: [&str; 2] = ["9999", "43210"];

/// What a reply must say.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Verdict {
    /// DE 39.
    pub code: &'static str,
    /// DE 4, where it is not the request's own.
    pub approved: Option<u64>,
    /// DE 8.
    pub fee: Option<u64>,
    /// DE 44.
    pub missing: Option<String>,
    /// DE 54.
    pub amounts: Option<String>,
    /// Whether DE 38 is there.
    pub has_auth_code: bool,
}

fn say(code: &'static str) -> Verdict {
    Verdict { code, ..Verdict::default() }
}

/// Everything that the rules need to know.
#[derive(Clone)]
pub struct Oracle {
    rules: Rules,
    accounts: BTreeMap<u64, Account>,
    answered: BTreeMap<Key, Answered>,
    newest: Option<(u64, usize)>,
}

#[derive(Clone)]
struct Account {
    status: CardStatus,
    ticks: Channels,
    expiry: u16,
    limited: bool,
    right_block: String,
    wrong_blocks: Vec<String>,
    tries: u8,
    opening: i128,
    loads: Vec<Load>,
    lines: Vec<Line>,
    reversed_early: Vec<(String, String, String)>,
}

#[derive(Clone)]
struct Load {
    date: u32,
    cents: u64,
    reference: String,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Money {
    Held { until: u64 },
    Posted,
    Expired,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Place {
    Cashpoint,
    Online,
    Shop,
}

/// One approval, and what is left of it.
#[derive(Clone)]
struct Line {
    key: Key,
    rrn: Option<String>,
    merchant: Option<String>,
    auth_code: String,
    date: u32,
    asked: u64,
    is_euro: bool,
    billed: u64,
    cash: u64,
    fee: u64,
    left: u64,
    fee_left: u64,
    refunded: u64,
    place: Place,
    money: Money,
}

impl Line {
    /// Surcharge and goods are paid before cash.
    fn cash_of(&self, left: u64) -> u64 {
        left.saturating_sub(self.billed - self.cash)
    }
}

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Key {
    class: u16,
    acquirer: String,
    terminal: String,
    stan: String,
    when: String,
}

#[derive(Clone)]
struct Answered {
    pan: u64,
    code: String,
    amount: u64,
    currency: String,
    verdict: Verdict,
    is_decline: bool,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Ask {
    Balance,
    Check,
    Enquiry,
    Purchase,
    Refund,
    Withdrawal,
}

/// A request, read.
struct Read<'t> {
    told: &'t Told,
    key: Key,
    number: String,
    expiries: Vec<u16>,
    asked: u64,
    is_euro: bool,
    billed: u64,
    cash: u64,
    place: Place,
    is_online: bool,
    is_cash: bool,
    is_abroad: bool,
}

impl Oracle {
    /// An oracle that knows these cards.
    pub fn new(rules: Rules, cards: &[CardSpec]) -> Self {
        let account = |card: &CardSpec| Account {
            status: card.status,
            ticks: card.ticks,
            expiry: card.expiry,
            limited: card.limited,
            right_block: pin_block(card.pan, card.pin),
            wrong_blocks: WRONG_PINS.iter().map(|pin| pin_block(card.pan, pin)).collect(),
            tries: 3,
            opening: i128::from(card.balance),
            loads: Vec::new(),
            lines: Vec::new(),
            reversed_early: Vec::new(),
        };
        let accounts = cards.iter().map(|card| (card.pan, account(card))).collect();
        Self { rules, accounts, answered: BTreeMap::new(), newest: None }
    }

    /// Balance and available of a card at a moment, in cents.
    pub fn money(&mut self, pan: u64, now: Now) -> (i128, i128) {
        let account = self.accounts.get_mut(&pan).unwrap();
        account.expire(now);
        (account.balance(), account.available())
    }

    /// The approval code that the newest approval was given.
    pub fn learn(&mut self, auth_code: &str) {
        if let Some((pan, line)) = self.newest.take() {
            self.accounts.get_mut(&pan).unwrap().lines[line].auth_code = auth_code.to_owned();
        }
    }

    /// What a message that can be read is answered.
    pub fn judge(&mut self, told: &Told, now: Now) -> Verdict {
        self.newest = None;
        match told.mti {
            800 | 801 => network(told),
            100 | 101 | 200 | 201 | 400 | 401 | 420 | 421
                if self.rules.private_is_tagged && is_private_cut(told) =>
            {
                say("30")
            }
            100 | 101 | 200 | 201 => match read_money(told) {
                Ok((read, ask)) => self.judge_money(&read, ask, now),
                Err(code) => say(code),
            },
            400 | 401 | 420 | 421 => match read_reversal(told) {
                Ok(read) => self.judge_reversal(&read, now),
                Err(code) => say(code),
            },
            _ => say("12"),
        }
    }

    fn judge_money(&mut self, read: &Read<'_>, ask: Ask, now: Now) -> Verdict {
        if let Some(verdict) = self.answered_before(read) {
            return verdict;
        }
        let rules = self.rules.clone();
        let pan = read.number.parse().unwrap();
        let Some(account) = self.accounts.get_mut(&pan) else {
            return say(stranger(&read.number));
        };
        account.expire(now);
        let verdict = account.judge(read, ask, now, &rules);
        if verdict.has_auth_code && matches!(ask, Ask::Purchase | Ask::Withdrawal) {
            self.newest = Some((pan, account.lines.len() - 1));
        }
        if ask != Ask::Enquiry || verdict.code != "00" {
            let is_decline = !matches!(verdict.code, "00" | "10" | "85");
            self.remember(read, pan, &verdict, is_decline);
        }
        verdict
    }

    fn judge_reversal(&mut self, read: &Read<'_>, now: Now) -> Verdict {
        if let Some(verdict) = self.answered_before(read) {
            return verdict;
        }
        let is_advice = matches!(read.told.mti, 420 | 421);
        let unknown = say(if is_advice { "00" } else { "25" });
        let pan = read.number.parse().unwrap();
        let named = original(read);
        let is_named = |class: &&u16| named.class == 0 || named.class == **class;
        let was_declined = [1, 2].iter().filter(is_named).any(|class| {
            let key = Key { class: *class, acquirer: read.key.acquirer.clone(), ..named.clone() };
            self.answered.get(&key).is_some_and(|given| given.pan == pan && given.is_decline)
        });
        let Some(account) = self.accounts.get_mut(&pan) else {
            return unknown;
        };
        account.expire(now);
        let actual = read.told.text(95).map_or(0, |text| text[..12].parse().unwrap());
        let rrn_and_code = (read.told.text(37), read.told.text(38));
        let verdict = match account.find(&named, rrn_and_code) {
            None if was_declined => say("00"),
            None => {
                let Key { stan, when, terminal, .. } = named;
                account.reversed_early.push((stan, when, terminal));
                unknown
            }
            Some(line) if read.asked.max(actual) > line.asked => {
                say(if is_advice { "00" } else { "13" })
            }
            Some(line) => {
                let kept =
                    if line.is_euro { actual } else { share(line.billed, actual, line.asked) };
                line.left = line.left.min(kept);
                if line.fee > 0 {
                    line.fee_left = line.fee_left.min(fee_of(line.cash_of(line.left)));
                }
                say("00")
            }
        };
        let is_decline = verdict.code == "13";
        self.remember(read, pan, &verdict, is_decline);
        verdict
    }

    fn answered_before(&self, read: &Read<'_>) -> Option<Verdict> {
        let given = self.answered.get(&read.key)?;
        let is_same = read.number.parse() == Ok(given.pan)
            && read.told.text(3) == Some(given.code.as_str())
            && read.asked == given.amount
            && read.told.text(49) == Some(given.currency.as_str());
        Some(if is_same { given.verdict.clone() } else { say("94") })
    }

    fn remember(&mut self, read: &Read<'_>, pan: u64, verdict: &Verdict, is_decline: bool) {
        let given = Answered {
            pan,
            code: read.told.text(3).unwrap().to_owned(),
            amount: read.asked,
            currency: read.told.text(49).unwrap().to_owned(),
            verdict: verdict.clone(),
            is_decline,
        };
        self.answered.insert(read.key.clone(), given);
    }

    /// Sets ticks; tells whether that is possible.
    pub fn set_ticks(&mut self, pan: u64, channel: Channels, ticked: bool) -> bool {
        let account = self.accounts.get_mut(&pan).unwrap();
        if account.status == CardStatus::Closed {
            return false;
        }
        account.ticks = account.ticks.with(channel, ticked);
        true
    }

    /// Moves a card between two states; tells whether that is possible.
    pub fn move_between(&mut self, pan: u64, from: CardStatus, to: CardStatus) -> bool {
        let account = self.accounts.get_mut(&pan).unwrap();
        let is_possible = account.status == from || account.status == to;
        if is_possible {
            account.status = to;
        }
        is_possible
    }

    /// Reports a card; tells whether that is possible.
    pub fn report(&mut self, pan: u64, as_status: CardStatus) -> bool {
        let account = self.accounts.get_mut(&pan).unwrap();
        let is_possible = account.status != CardStatus::Closed;
        if is_possible {
            account.status = as_status;
        }
        is_possible
    }

    /// Loads money; tells whether that is possible.
    pub fn load(&mut self, pan: u64, cents: u64, reference: &str, now: Now) -> bool {
        let limits = self.rules.limits;
        let account = self.accounts.get_mut(&pan).unwrap();
        if account.loads.iter().any(|load| load.reference == reference) {
            return true;
        }
        if cents == 0 || account.status == CardStatus::Closed {
            return false;
        }
        let date = now.local_date.packed();
        if limits && account.limited {
            let loaded = |same: &dyn Fn(u32) -> bool| -> u64 {
                let loads = account.loads.iter().filter(|load| same(load.date));
                loads.map(|load| load.cents).sum()
            };
            let is_over = account.balance() + i128::from(cents) > BALANCE_MAX
                || loaded(&|day| day == date) + cents > LOAD_DAY
                || loaded(&|day| day / 100 == date / 100) + cents > LOAD_MONTH;
            if is_over {
                return false;
            }
        }
        account.loads.push(Load { date, cents, reference: reference.to_owned() });
        true
    }
}

impl Account {
    fn expire(&mut self, now: Now) {
        for line in &mut self.lines {
            if matches!(line.money, Money::Held { until } if until <= now.unix_ms) {
                (line.left, line.fee_left, line.money) = (0, 0, Money::Expired);
            }
        }
    }

    fn sum(&self, counts: impl Fn(&Line) -> bool, of: impl Fn(&Line) -> u64) -> u64 {
        self.lines.iter().filter(|line| counts(line)).map(of).sum()
    }

    fn balance(&self) -> i128 {
        let loaded: u64 = self.loads.iter().map(|load| load.cents).sum();
        let posted = self.sum(|line| line.money == Money::Posted, |line| line.left + line.fee_left);
        self.opening + i128::from(loaded) - i128::from(posted)
    }

    fn available(&self) -> i128 {
        let is_held = |line: &Line| matches!(line.money, Money::Held { .. });
        self.balance() - i128::from(self.sum(is_held, |line| line.left + line.fee_left))
    }

    /// The newest approval that is named: by trace number, time and terminal, of the reversal's own
    /// acquirer before any other's; else by reference and approval code.
    fn find(&mut self, named: &Key, by_code: (Option<&str>, Option<&str>)) -> Option<&mut Line> {
        let newest = |matches: &dyn Fn(&Line) -> bool| self.lines.iter().rposition(matches);
        let is_own = |line: &Line| line.key.acquirer == named.acquirer && line.is_named(named);
        let is_coded = |line: &Line| {
            by_code.0.is_some() && by_code == (line.rrn.as_deref(), Some(line.auth_code.as_str()))
        };
        let by_key = newest(&is_own).or_else(|| newest(&|line| line.is_named(named)));
        let at = by_key.or_else(|| newest(&is_coded))?;
        self.lines.get_mut(at)
    }

    fn judge(&mut self, read: &Read<'_>, ask: Ask, now: Now, rules: &Rules) -> Verdict {
        let is_late = self.reversed_early.iter().any(|(stan, when, terminal)| {
            *stan == read.key.stan && *when == read.key.when && *terminal == read.key.terminal
        });
        if is_late && ask != Ask::Enquiry {
            return say("12");
        }
        match self.status {
            CardStatus::NotActivated => return say("78"),
            CardStatus::Lost => return say("41"),
            CardStatus::Stolen => return say("43"),
            CardStatus::Closed => return say("46"),
            CardStatus::Active | CardStatus::Locked | CardStatus::Unknown => {}
        }
        match ask {
            Ask::Enquiry if fee_of(read.cash) > 99_999_999 => say("13"),
            Ask::Enquiry => Verdict { fee: Some(fee_of(read.cash)), ..say("00") },
            Ask::Refund => self.judge_refund(read),
            Ask::Balance | Ask::Check | Ask::Purchase | Ask::Withdrawal => {
                self.judge_use(read, ask, now, rules).unwrap_or_else(|verdict| verdict)
            }
        }
    }

    fn judge_refund(&mut self, read: &Read<'_>) -> Verdict {
        if read.billed == 0 {
            return say("13");
        }
        let by_90 = original_by_90(read);
        let named = self.lines.iter_mut().rev().find(|line| match &by_90 {
            Some(key) => line.is_named(key),
            None => {
                let told = (read.told.text(37), read.told.text(42));
                told.0.is_some()
                    && told.1.is_some()
                    && told == (line.rrn.as_deref(), line.merchant.as_deref())
            }
        });
        if let Some(line) = named {
            if line.refunded + read.billed > line.left {
                return say("13");
            }
            line.refunded += read.billed;
        }
        Verdict { has_auth_code: true, ..say("00") }
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
        let needs_chip = rules.chip_at_cashpoints && ask == Ask::Withdrawal;
        if (is_stripe_fallback && read.billed > STRIPE_CAP)
            || (needs_chip && read.told.text(55).is_none())
        {
            return Err(say("57"));
        }
        let forgiven = self.judge_pin(read, needs_chip)?;
        if ask == Ask::Check {
            self.tries = forgiven;
            return Ok(Verdict { has_auth_code: true, ..say("85") });
        }
        if ask == Ask::Balance {
            self.tries = forgiven;
            let (balance, available) = (self.balance(), self.available());
            let amounts = format!("{}{}", part(read, "01", balance), part(read, "02", available));
            return Ok(Verdict { amounts: Some(amounts), has_auth_code: true, ..say("00") });
        }
        if rules.limits && self.limited {
            self.judge_limits(read, now)?;
        }
        self.judge_funds(read, ask, now, rules, forgiven)
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
        if block == self.right_block {
            return Ok(3);
        }
        if self.wrong_blocks.iter().any(|wrong| wrong == block) {
            self.tries -= 1;
            return Err(say("55"));
        }
        Err(say("81"))
    }

    fn judge_limits(&self, read: &Read<'_>, now: Now) -> Result<(), Verdict> {
        let date = now.local_date.packed();
        let exceeds = |used: u64, more: u64, max: u64| more > 0 && used + more > max;
        let cash_today = self.sum(|line| line.date == date, |line| line.cash_of(line.left));
        let bought = |place: Place| {
            self.sum(
                |line| line.date == date && line.place == place,
                |line| line.left - line.cash_of(line.left),
            )
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
        let is_withdrawal = |line: &&Line| line.date == date && line.cash > 0 && line.left > 0;
        let withdrawals = self.lines.iter().filter(is_withdrawal).count();
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
        if fee > 99_999_999 {
            return Err(say("13"));
        }
        let available = self.available();
        let is_covered = i128::from(read.billed) + i128::from(fee) <= available;
        let takes_part = private(read.told, b"61").as_deref() == Some(b"1");
        let may_be_part = takes_part && read.cash == 0 && ask == Ask::Purchase && read.is_euro;
        let billed = match (is_covered, may_be_part && available > 0) {
            (true, _) => read.billed,
            (false, true) => u64::try_from(available).unwrap(),
            (false, false) => return Err(say("51")),
        };
        let is_estimate = read.told.number(25) == Some(6);
        let days = match read.place {
            Place::Cashpoint => 2,
            Place::Online | Place::Shop if is_estimate => 30,
            Place::Online => 10,
            Place::Shop => 5,
        };
        let until = now.unix_ms + days * 86_400_000;
        self.lines.push(Line {
            key: read.key.clone(),
            rrn: read.told.text(37).map(str::to_owned),
            merchant: read.told.text(42).map(str::to_owned),
            auth_code: String::new(),
            date: now.local_date.packed(),
            asked: read.asked,
            is_euro: read.is_euro,
            billed,
            cash: read.cash,
            fee,
            left: billed,
            fee_left: fee,
            refunded: 0,
            place: read.place,
            money: if read.key.class == 1 { Money::Held { until } } else { Money::Posted },
        });
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
}

impl Line {
    fn is_named(&self, key: &Key) -> bool {
        self.key.stan == key.stan
            && self.key.when == key.when
            && self.key.terminal == key.terminal
            && (key.class == 0 || key.class == self.key.class)
    }
}

/// One part of DE 54.
fn part(read: &Read<'_>, kind: &str, cents: i128) -> String {
    let account = &read.told.text(3).unwrap()[2..4];
    let sign = if cents < 0 { 'D' } else { 'C' };
    format!("{account}{kind}978{sign}{:012}", cents.unsigned_abs())
}

fn stranger(number: &str) -> &'static str {
    let is_number = (13..=19).contains(&number.len()) && !number.starts_with('0');
    let is_card = is_number && luhn_holds(number.parse().unwrap());
    if is_card && !number.starts_with("476173") { "15" } else { "14" }
}

/// A transmission time as keys hold it, in 32 bits: the months that exist are far below.
fn is_time(text: &str) -> bool {
    text.parse::<u32>().is_ok()
}

fn network(told: &Told) -> Verdict {
    let is_missing = [7, 11, 70].iter().any(|de| told.text(*de).is_none());
    if is_missing || !told.text(7).is_some_and(is_time) {
        return say("30");
    }
    match told.text(70) {
        Some("001" | "002" | "201" | "301") => say("00"),
        // Keys are exchanged once there is something to protect with them.
        _ => say("12"),
    }
}

/// The elements that every request about a card has.
fn read_card(told: &Told) -> Result<(Key, String, Vec<u16>), &'static str> {
    if [3, 7, 11, 41, 49].iter().any(|de| told.text(*de).is_none()) {
        return Err("30");
    }
    let is_currency = told.text(49).unwrap().bytes().all(|c| c.is_ascii_digit());
    if !is_currency || !is_time(told.text(7).unwrap()) {
        return Err("30");
    }
    let text = |de: u8| told.text(de).unwrap().to_owned();
    let key = Key {
        class: told.mti / 100,
        acquirer: told.text(32).map_or("the listener".to_owned(), |id| format!("{id:0>11}")),
        terminal: text(41),
        stan: text(11),
        when: text(7),
    };
    let (number, expiries) = card_told(told).ok_or("30")?;
    Ok((key, number, expiries))
}

fn billed(told: &Told, asked: u64, is_euro: bool) -> Result<u64, &'static str> {
    if is_euro || asked == 0 {
        return Ok(asked);
    }
    match (told.number(6), told.text(51)) {
        (Some(billed), Some("978")) => Ok(billed),
        _ => Err("12"),
    }
}

fn read_money(told: &Told) -> Result<(Read<'_>, Ask), &'static str> {
    let (key, number, expiries) = read_card(told)?;
    let kind = &told.text(3).unwrap()[..2];
    let condition = told.number(25).unwrap_or(0);
    let amount = told.number(4);
    let is_bank = matches!(told.number(18), Some(6010 | 6011));
    let ask = match kind {
        "00" if condition == 51 && amount.unwrap_or(0) == 0 => Ask::Check,
        "00" | "09" | "11" if is_bank => Ask::Withdrawal,
        "00" | "09" | "11" => Ask::Purchase,
        "01" | "17" => Ask::Withdrawal,
        "20" => Ask::Refund,
        "30" | "31" => Ask::Balance,
        "32" => Ask::Enquiry,
        _ => return Err("12"),
    };
    let asked = match ask {
        Ask::Balance | Ask::Check => amount.unwrap_or(0),
        Ask::Enquiry | Ask::Purchase | Ask::Refund | Ask::Withdrawal => amount.ok_or("30")?,
    };
    let is_euro = told.text(49) == Some("978");
    let billed = billed(told, asked, is_euro)?;
    let cash = match ask {
        Ask::Enquiry | Ask::Withdrawal => asked.checked_sub(surcharge(told)).ok_or("30")?,
        Ask::Purchase => {
            let cash = cashback(told).ok_or("30")?;
            asked.checked_sub(cash).ok_or("30")?;
            cash
        }
        Ask::Balance | Ask::Check | Ask::Refund => 0,
    };
    let cash = if is_euro { cash } else { share(billed, cash, asked) };
    let mode = told.text(22).unwrap_or("000");
    let is_read = [35, 45, 52, 55].iter().any(|de| told.text(*de).is_some());
    let is_online = matches!(&mode[..2], "09" | "10" | "81" | "82")
        || private(told, b"42").is_some()
        || (matches!(condition, 1 | 5 | 8 | 59) && !is_read);
    let is_cash = match ask {
        Ask::Withdrawal => true,
        Ask::Purchase => cash > 0 || kind == "09",
        Ask::Balance | Ask::Check | Ask::Enquiry | Ask::Refund => false,
    };
    let place = match ask {
        Ask::Enquiry | Ask::Withdrawal => Place::Cashpoint,
        _ if is_online => Place::Online,
        _ => Place::Shop,
    };
    let is_abroad = is_abroad(told);
    let read = Read {
        told,
        key,
        number,
        expiries,
        asked,
        is_euro,
        billed,
        cash,
        place,
        is_online,
        is_cash,
        is_abroad,
    };
    Ok((read, ask))
}

fn is_abroad(told: &Told) -> bool {
    let location = octets(told, 43);
    match location.get(38..) {
        Some(country) if country.iter().all(u8::is_ascii_alphabetic) => {
            !country.eq_ignore_ascii_case(b"SI")
        }
        // These worlds send no tag 9F1A: who tells nothing counts as abroad.
        _ => told.text(19) != Some("705"),
    }
}

fn read_reversal(told: &Told) -> Result<Read<'_>, &'static str> {
    let (key, number, expiries) = read_card(told)?;
    if told.text(95).is_some_and(|text| !is_replacement(text)) {
        return Err("30");
    }
    let asked = told.number(4).ok_or("30")?;
    let is_euro = told.text(49) == Some("978");
    let billed = billed(told, asked, is_euro)?;
    Ok(Read {
        told,
        key,
        number,
        expiries,
        asked,
        is_euro,
        billed,
        cash: 0,
        place: Place::Shop,
        is_online: false,
        is_cash: false,
        is_abroad: false,
    })
}

fn is_replacement(text: &str) -> bool {
    text.len() == 42
        && text.bytes().enumerate().all(|(at, c)| match at {
            24 | 33 => matches!(c, b'C' | b'D'),
            _ => c.is_ascii_digit(),
        })
}

/// The original by DE 90 at the message's own terminal.
fn original_by_90(read: &Read<'_>) -> Option<Key> {
    let text = read.told.text(90)?;
    let is_number = text.len() == 42 && text.bytes().all(|c| c.is_ascii_digit());
    (is_number && is_time(&text[10..20])).then(|| Key {
        class: text[..4].parse::<u16>().unwrap() / 100,
        stan: text[4..10].to_owned(),
        when: text[10..20].to_owned(),
        ..read.key.clone()
    })
}

fn original(read: &Read<'_>) -> Key {
    original_by_90(read).unwrap_or_else(|| Key { class: 0, ..read.key.clone() })
}
