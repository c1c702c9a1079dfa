//! A seeded world: who holds which card, what is asked where, what goes wrong on the way.
//!
//! One seed gives one world, on every machine. It knows no rule: it only makes trouble.

use std::collections::BTreeMap;

use cekr_iso8583::{Framing, View};
use cekr_issuer::{CardStatus, Channels, Now};
use cekr_terminal_sim::moment::Moment;
use cekr_terminal_sim::random::Random;

use crate::bank::BankDraws;
use crate::clearing::ClearingDraws;
use crate::confirmed::Confirming;
use crate::oracle::{PINS, Rules};
use crate::support::{
    CardSpec, DAY_MS, DIALECTS, Dialect, Told, actual, after_ms, original_of, pan_of, pin_block,
    reversal,
};

/// What happens next.
#[derive(Clone, Debug)]
pub enum Event {
    /// Messages arrive in one read: their octets, without frames.
    Read(Vec<Vec<u8>>),
    /// The holder ticks or unticks a channel.
    Tick(usize, Channels, bool),
    /// The card moves from one state to another, as lock, unlock and activate do.
    Move(usize, CardStatus, CardStatus),
    /// The card is reported lost or stolen.
    Report(usize, CardStatus),
    /// Money comes in.
    Load(usize, u64, String),
}

/// The world.
pub struct World {
    /// Who holds a card.
    pub cards: Vec<CardSpec>,
    /// The settings.
    pub rules: Rules,
    /// What terminals speak.
    pub dialect: Dialect,
    pub(crate) random: Random,
    passed_ms: u64,
    stan: u32,
    loads: u64,
    pub(crate) sent: Vec<Sent>,
    /// Requests that their reversal overtook, and until when they may still come.
    late: Vec<(Told, u64)>,
    /// What each acquirer was last told of its totals.
    pub(crate) totals: BTreeMap<Option<String>, Told>,
    /// The family that the message being made belongs to.
    of: Option<usize>,
    pub(crate) bank: Option<BankDraws>,
    pub(crate) clearing: Option<ClearingDraws>,
    /// Chips that seal, in some worlds: what they draw from, and where each has come to.
    pub(crate) chips: Option<(Random, BTreeMap<u64, u16>)>,
    /// Holders who confirm what they buy, in some worlds.
    pub(crate) confirming: Option<Confirming>,
}

/// A request that went out.
pub(crate) struct Sent {
    pub(crate) told: Told,
    at_ms: u64,
    /// So long may later messages name it.
    until_ms: u64,
    /// A hold, what was added to it and what completed it are one family.
    of: usize,
    /// Its end is known: it was kept for as long as a hold lives, or was ended before.
    is_dated: bool,
    pub(crate) auth_code: Option<String>,
}

/// A request of before, as a later message names it.
pub(crate) struct Named {
    pub(crate) told: Told,
    pub(crate) auth_code: Option<String>,
    of: usize,
}

/// Requests older than this are named by nobody any more: answers and posted transactions are
/// promised for a day.
const NAMED_MS: u64 = 20 * 3_600_000;

/// Nobody names what so many messages came after.
const NAMED_MAX: usize = 60;

/// Who holds a card.
pub(crate) const CARDS: u64 = 24;

impl World {
    /// The world of a seed.
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let confirming = Confirming::new(seed);
        let rules = Rules {
            abroad_with_card_only: random.per_mille(250),
            cashback_fee: random.per_mille(250),
            chip_at_cashpoints: random.per_mille(250),
            dispense_faults: if random.per_mille(750) { 3 } else { 0 },
            limits: random.per_mille(700),
            confirms: confirming.is_some(),
            private_is_tagged: false,
        };
        let cards = (0..CARDS).map(|number| card(number, &mut random)).collect();
        let dialect = *random.pick(&DIALECTS).unwrap();
        let rules = Rules { private_is_tagged: dialect.spec.name() == "cekr87", ..rules };
        let stan = u32::try_from(random.below(900_000)).unwrap();
        Self {
            cards,
            rules,
            dialect,
            random,
            passed_ms: 0,
            stan,
            loads: 0,
            sent: Vec::new(),
            late: Vec::new(),
            totals: BTreeMap::new(),
            of: None,
            bank: BankDraws::new(seed),
            clearing: ClearingDraws::new(seed),
            chips: matches!(seed % 8, 2 | 5).then(|| (Random::new(!seed), BTreeMap::new())),
            confirming,
        }
    }

    /// The moment.
    pub fn now(&self) -> Now {
        after_ms(self.passed_ms)
    }

    /// A number below `bound`, for whoever runs this world.
    pub fn draw(&mut self, bound: u64) -> u64 {
        self.random.below(bound)
    }

    /// What happens next; a read brings at most `frames_max` messages.
    pub fn step(&mut self, frames_max: u64) -> Event {
        self.passed_ms += match self.random.below(60) {
            0 => self.random.within(&(DAY_MS / 2..3 * DAY_MS)),
            1 => self.random.within(&(3_600_000..DAY_MS / 4)),
            _ => self.random.within(&(1..90_000)),
        };
        let card = usize::try_from(self.random.below(CARDS)).unwrap();
        match self.random.below(100) {
            0..=5 => {
                let channels = [Channels::ABROAD, Channels::CASHPOINT, Channels::ONLINE];
                Event::Tick(card, *self.random.pick(&channels).unwrap(), self.random.per_mille(700))
            }
            6..=8 => Event::Move(card, CardStatus::Active, CardStatus::Locked),
            9..=12 => Event::Move(card, CardStatus::Locked, CardStatus::Active),
            13 => Event::Move(card, CardStatus::NotActivated, CardStatus::Active),
            14 if self.random.per_mille(150) => {
                let reasons = [CardStatus::Lost, CardStatus::Stolen];
                Event::Report(card, *self.random.pick(&reasons).unwrap())
            }
            15..=20 => self.load(card),
            _ => {
                let frames = self.random.within(&(1..frames_max + 1));
                Event::Read((0..frames).map(|_| self.message()).collect())
            }
        }
    }

    /// Tells the world what one of its requests was answered.
    pub fn hear(&mut self, request: &Told, reply: &Told) {
        if matches!(reply.mti, 510 | 530) {
            self.totals.insert(request.text(32).map(str::to_owned), reply.clone());
        }
        let Some(code) = reply.text(38) else { return };
        let kind = request.text(3).unwrap_or_default().get(..2).unwrap_or_default();
        if kind == "92" {
            self.hear_pin(request);
        }
        let found = self.sent.iter_mut().rev().find(|sent| sent.told == *request);
        if let Some(sent) = found.filter(|sent| sent.auth_code.is_none()) {
            sent.auth_code = Some(code.to_owned());
        }
    }

    /// Tells the world that what a request was answered cannot be lost any more: a hold may be
    /// named as long as it lives.
    pub fn keep(&mut self, request: &Told, reply: &Told) {
        let kind = request.text(3).unwrap_or_default().get(..2).unwrap_or_default();
        let is_hold = matches!(request.mti / 10, 10 | 12)
            && matches!(kind, "00" | "01" | "09" | "11" | "17")
            && reply.text(38).is_some();
        let days = match request.text(25) {
            _ if !is_hold => return,
            Some("06") => 30,
            // The shortest life of a hold.
            _ => 2,
        };
        let found = self.sent.iter_mut().find(|sent| sent.told == *request);
        if let Some(sent) = found.filter(|sent| !sent.is_dated) {
            sent.is_dated = true;
            sent.until_ms += days * DAY_MS;
        }
    }

    /// Tells the world that a file settled something of a card: what is settled may be named for a
    /// day, and which of its requests that was is not the world's to know.
    pub fn settle(&mut self, pan: u64) {
        let until_ms = self.passed_ms + NAMED_MS;
        let number = pan.to_string();
        let names_it = |told: &Told| {
            [2, 35].iter().any(|de| told.text(*de).is_some_and(|text| text.starts_with(&number)))
        };
        for sent in self.sent.iter_mut().filter(|sent| names_it(&sent.told)) {
            sent.until_ms = sent.until_ms.min(until_ms);
            sent.is_dated = true;
        }
    }

    /// The holder has another PIN now.
    fn hear_pin(&mut self, request: &Told) {
        let pan = request.number(2);
        for card in self.cards.iter_mut().filter(|card| Some(card.pan) == pan) {
            let told = request.text(48).unwrap_or_default();
            let is_new = |pin: &&&str| told.ends_with(&pin_block(card.pan, pin));
            if let Some(pin) = PINS.iter().find(is_new) {
                card.pin = pin;
            }
        }
    }

    fn load(&mut self, card: usize) -> Event {
        // One in five comes a second time.
        if self.loads == 0 || self.random.per_mille(800) {
            self.loads += 1;
        }
        let cents = *self.random.pick(&[0, 1, 50_00, 200_00, 700_00, 1_000_00]).unwrap();
        // A reference is one card's own, as it is on a bank's statement.
        Event::Load(card, cents, format!("load {} of card {card}", self.loads))
    }

    /// One message on the line: new, again, changed, taken back, late; whole or damaged.
    fn message(&mut self) -> Vec<u8> {
        self.of = None;
        let told = match self.random.below(100) {
            0..=44 => self.request(),
            45..=53 => self.again(),
            54..=57 => self.key_reused(),
            58..=73 => self.reversal(),
            74..=77 => self.reversal_first(),
            78..=80 => self.late(),
            81..=85 => self.completion(),
            86..=88 => self.increment(),
            89..=92 => self.advice(),
            93 | 94 => self.reconciliation(),
            95 => self.file_action(),
            _ => self.network(),
        };
        let octets = told.octets(self.dialect.spec);
        // Whatever comes again is as old as it was the first time.
        let first = self.sent.iter().rev().take(NAMED_MAX).find(|sent| same_key(&sent.told, &told));
        let at_ms = first.map_or(self.passed_ms, |sent| sent.at_ms);
        let of = self.of.or(first.map(|sent| sent.of)).unwrap_or(self.sent.len());
        let until_ms = first.map_or(self.until_ms(), |sent| sent.until_ms);
        let is_dated = first.is_some_and(|sent| sent.is_dated);
        let auth_code = first.and_then(|sent| sent.auth_code.clone());
        self.sent.push(Sent { told, at_ms, until_ms, of, is_dated, auth_code });
        if !self.random.per_mille(60) {
            return octets;
        }
        let damaged = self.damaged(octets.clone());
        if self.is_bearable(&damaged) { damaged } else { octets }
    }

    /// An advice is never declined: millions are beyond what these worlds' books can tell.
    fn is_bearable(&self, octets: &[u8]) -> bool {
        let Ok(view) = View::parse(self.dialect.spec, octets) else { return true };
        let told = Told::of(&view);
        let is_huge = |de: u8| told.number(de).is_some_and(|cents| cents > 1_000_000_00);
        !matches!(told.mti / 10, 12 | 22) || !(is_huge(4) || is_huge(6))
    }

    fn damaged(&mut self, mut octets: Vec<u8>) -> Vec<u8> {
        let place = usize::try_from(self.random.below(octets.len() as u64)).unwrap();
        match self.random.below(5) {
            0..=2 => octets[place] ^= 1 << self.random.below(8),
            3 => octets.truncate(place),
            _ => octets.extend(b"0123".iter().take(place % 4 + 1)),
        }
        // A frame of no octets is a keep-alive, and not what is meant here.
        if octets.is_empty() && self.dialect.framing != Framing::None {
            octets.push(b'0');
        }
        octets
    }

    /// A request that moves money or asks about it, sent lately.
    pub(crate) fn earlier(&mut self) -> Option<Named> {
        self.earlier_that(40, |_| true)
    }

    /// One of the newest requests that may still be named.
    pub(crate) fn earlier_that(
        &mut self,
        newest: usize,
        is_meant: impl Fn(&Sent) -> bool,
    ) -> Option<Named> {
        let is_named = |sent: &&Sent| {
            let is_recent = sent.until_ms >= self.passed_ms;
            is_recent && (100..300).contains(&sent.told.mti) && is_meant(sent)
        };
        let found: Vec<_> = self.sent.iter().rev().filter(is_named).take(newest).collect();
        let chosen = usize::try_from(self.random.below(found.len() as u64)).unwrap();
        let sent = found.get(chosen)?;
        Some(Named { told: sent.told.clone(), auth_code: sent.auth_code.clone(), of: sent.of })
    }

    /// Until when the message being made may come, or be named: as long as all that it belongs to.
    fn until_ms(&self) -> u64 {
        let family = self.sent.iter().filter(|sent| Some(sent.of) == self.of);
        family.map(|sent| sent.until_ms).fold(self.passed_ms + NAMED_MS, u64::min)
    }

    /// The message being made belongs to what it names.
    pub(crate) fn belongs_to(&mut self, named: &Named) {
        self.of = Some(named.of);
    }

    /// What was ended is remembered for as long as what was just posted.
    pub(crate) fn ends(&mut self, named: &Named) {
        let until_ms = self.passed_ms + NAMED_MS;
        for sent in self.sent.iter_mut().filter(|sent| sent.of == named.of) {
            sent.until_ms = sent.until_ms.min(until_ms);
            sent.is_dated = true;
        }
    }

    /// Whether a moment is so near that answers and transactions of it are still promised.
    pub fn is_recent(&self, unix_ms: u64) -> bool {
        unix_ms + NAMED_MS >= self.now().unix_ms
    }

    /// When a request came for the first time: its answer is promised from then on, not from its
    /// latest repeat.
    pub fn first_came(&self, told: &Told) -> Option<u64> {
        let mut latest = self.sent.iter().rev().take(NAMED_MAX);
        latest.find(|sent| same_key(&sent.told, told)).map(|sent| sent.at_ms)
    }

    /// Any message that was sent lately, again; most terminals mark it as a repeat.
    fn again(&mut self) -> Told {
        let since = self.passed_ms.saturating_sub(NAMED_MS);
        // What was damaged on its way comes for the first time now.
        let may_come = |sent: &&Sent| sent.at_ms >= since && sent.until_ms >= self.passed_ms;
        let lately: Vec<_> = self.sent.iter().rev().take(40).filter(may_come).collect();
        let chosen = usize::try_from(self.random.below(lately.len() as u64)).unwrap();
        match lately.get(chosen).map(|sent| sent.told.clone()) {
            None => self.request(),
            Some(told) if self.random.per_mille(700) => told.clone().of_mti(told.mti | 1),
            Some(told) => told,
        }
    }

    /// A request with the key of another.
    fn key_reused(&mut self) -> Told {
        // What was told of somebody else's card is nowhere written under its key, and a key is
        // known for a day.
        let ours: Vec<_> = self.cards.iter().map(|card| card.pan.to_string()).collect();
        let since = self.passed_ms.saturating_sub(NAMED_MS);
        let is_known = |sent: &Sent| {
            sent.at_ms >= since
                && sent.told.text(2).is_some_and(|pan| ours.iter().any(|o| o == pan))
        };
        let Some(Named { told, .. }) = self.earlier_that(40, is_known) else {
            return self.request();
        };
        let other = self.random.below(CARDS + 1);
        match self.random.below(4) {
            0 => told.with(2, pan_of(other)).without(&[35]),
            1 => told.with(3, "010000").with(4, "000000000500"),
            2 => told.with(4, format!("{:012}", self.random.below(50_00))),
            _ => told.with(49, "840").with(6, "000000000700").with(51, "978"),
        }
    }

    /// Something is taken back, whole or in part, named in one of three ways.
    fn reversal(&mut self) -> Told {
        let Some(named) = self.earlier() else { return self.request() };
        let original = named.told.clone();
        if is_nameless(&original) {
            return self.request();
        }
        self.ends(&named);
        self.belongs_to(&named);
        let stan = self.next_stan();
        let mti = *self.random.pick(&[400, 420]).unwrap();
        let asked = original.number(4).unwrap_or(0);
        let mut told = reversal(&original, mti, stan)
            .with(7, self.transmitted())
            .with(4, format!("{asked:012}"));
        told = match self.random.below(10) {
            0..=4 => told,
            5..=7 => {
                let kept = self.random.below(asked + 1);
                told.with(95, actual(kept))
            }
            8 => told.with(95, actual(asked + 1)),
            _ => told.with(4, format!("{:012}", asked + 1)),
        };
        told = match self.random.below(10) {
            0..=2 => told,
            3..=5 => told.with(39, *self.random.pick(&["17", "68"]).unwrap()),
            6..=8 => told.with(39, *self.random.pick(&["21", "32"]).unwrap()),
            _ if told.text(49) == Some("978") => {
                told.with(49, "840").with(6, format!("{asked:012}")).with(51, "978")
            }
            _ => told.with(49, "978"),
        };
        match (self.random.below(6), named.auth_code) {
            (0, Some(code)) => told.without(&[90]).with(38, code),
            (1, _) => {
                let own = |de| original.text(de).unwrap().to_owned();
                let (stan, transmitted) = (own(11), own(7));
                told.without(&[90]).with(11, stan).with(7, transmitted)
            }
            (2, _) => told.with(90, format!("0000{}", &original_of(&original)[4..])),
            _ => told,
        }
    }

    /// The reversal overtakes its request.
    fn reversal_first(&mut self) -> Told {
        let original = match self.random.below(8) {
            0 => self.advice(),
            1 => self.completion(),
            _ => self.request(),
        };
        if is_nameless(&original) {
            return original;
        }
        let stan = self.next_stan();
        let mti = *self.random.pick(&[400, 420]).unwrap();
        let told = reversal(&original, mti, stan).with(7, self.transmitted());
        self.late.push((original, self.until_ms()));
        told
    }

    /// What was overtaken comes after all, unless it is too late for what it names.
    fn late(&mut self) -> Told {
        self.late.retain(|(_, until_ms)| *until_ms >= self.passed_ms);
        self.late.pop().map_or_else(|| self.request(), |(told, _)| told)
    }

    pub(crate) fn next_stan(&mut self) -> u32 {
        self.stan = self.stan % 999_999 + 1;
        self.stan
    }

    pub(crate) fn transmitted(&self) -> String {
        format!("{:010}", Moment::from_unix_ms(self.now().unix_ms).transmission())
    }
}

/// Whether two messages have one trace number, time and terminal.
fn same_key(one: &Told, other: &Told) -> bool {
    [7, 11, 41].iter().all(|de| one.text(*de) == other.text(*de))
}

/// Whether a message lacks what another could name it by.
pub(crate) fn is_nameless(told: &Told) -> bool {
    [2, 3, 7, 11, 32, 37, 41, 49].iter().any(|de| told.text(*de).is_none())
}

fn card(number: u64, random: &mut Random) -> CardSpec {
    let status = match random.below(24) {
        0 => CardStatus::NotActivated,
        1 => CardStatus::Closed,
        2 => CardStatus::Locked,
        _ => CardStatus::Active,
    };
    let mut ticks = Channels::NONE;
    for channel in [Channels::ABROAD, Channels::CASHPOINT, Channels::ONLINE] {
        ticks = ticks.with(channel, random.per_mille(750));
    }
    CardSpec {
        name: format!("card {number}"),
        pan: pan_of(number + 1),
        expiry: if random.per_mille(80) { 2611 } else { 3012 },
        status,
        ticks,
        balance: *random.pick(&[0, 15_00, 100_00, 400_00, 2_000_00, 4_500_00]).unwrap(),
        pin: "1234",
        limited: random.per_mille(800),
    }
}
