//! A street of terminals from a seed: what people in four towns and on the web would ask.
//!
//! The same seed gives the same octets, on every machine: the seeded simulation replays them and
//! the load generator draws its mix from them. The world knows no answers; what it sends does
//! not depend on what came back, so that a simulation can compare two switches message by
//! message. Some messages it repeats, some it reverses, some arrive damaged.
//!
//! ```
//! use cekr_iso8583::CEKR87;
//! use cekr_terminal_sim::world::{World, WorldConfig};
//! let config = WorldConfig::new(1, vec![]);
//! let (mut a, mut b) = (World::new(config.clone()), World::new(config));
//! assert_eq!(a.step().encode(&CEKR87), b.step().encode(&CEKR87));
//! ```

use core::ops::Range;
use std::collections::VecDeque;

use cekr_emv::pin::Pin;
use cekr_iso8583::{Spec, WriteError};

use crate::card::Card;
use crate::chip_session::kind;
use crate::device::pin_pad::EncipheredPin;
use crate::form::{self, Cause, Entry, Original, Tender};
use crate::message::Message;
use crate::mix::{Kind, Mix};
use crate::moment::{Moment, digits};
use crate::place::Place;
use crate::quick_chip::{QuickChip, Request, Terms, packed};
use crate::random::Random;

/// A person with a card.
#[derive(Clone, Debug)]
pub struct Holder {
    /// The card.
    pub card: Card,
    /// The PIN that is typed where one is asked for; without one, nothing is typed.
    pub pin: Option<Pin>,
}

/// What a world is made of.
#[derive(Clone, Debug)]
pub struct WorldConfig {
    /// Decides everything below.
    pub seed: u64,
    /// Who shops; without holders there are only echoes.
    pub holders: Vec<Holder>,
    /// What happens how often.
    pub mix: Mix,
    /// The first moment.
    pub start: Moment,
    /// Milliseconds from one message to the next.
    pub pause_ms: Range<u64>,
    /// So many messages of a thousand arrive damaged.
    pub damaged_per_mille: u16,
    /// So many messages of a thousand are a repeat of an earlier one.
    pub repeated_per_mille: u16,
}

impl WorldConfig {
    /// A quiet street without faults, from 2026-11-22T08:00:00Z, a message each second or so.
    #[must_use]
    pub const fn new(seed: u64, holders: Vec<Holder>) -> Self {
        Self {
            seed,
            holders,
            mix: Mix::TOWN,
            start: Moment::from_unix_ms(1_795_334_400_000),
            pause_ms: 1..2_000,
            damaged_per_mille: 0,
            repeated_per_mille: 0,
        }
    }

    /// The same with lost patience and bad lines: 3 % repeats, 2 % damaged.
    #[must_use]
    pub const fn rough(mut self) -> Self {
        self.damaged_per_mille = 20;
        self.repeated_per_mille = 30;
        self
    }
}

/// One message of the world.
#[derive(Clone, Debug)]
pub struct WorldStep {
    /// Counts from 0.
    pub number: u64,
    /// When it is sent.
    pub at: Moment,
    /// What it is about.
    pub kind: Kind,
    /// Index of the holder, if a card is involved.
    pub holder: Option<usize>,
    /// The message as it was meant.
    pub message: Message,
    /// What happens to it on the way.
    pub damage: Damage,
    /// The step that this one repeats.
    pub repeats: Option<u64>,
    /// The step that this one takes back.
    pub reverses: Option<u64>,
    /// What its chip was asked and said.
    pub chip: Option<(Terms, Request)>,
}

/// What a bad line does to a message. Places are draws that are reduced to the length.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Damage {
    /// One bit differs.
    BitFlipped(u64),
    /// The end is missing.
    Cut(u64),
    /// Nothing.
    None,
    /// Octets that were never a message.
    Noise(u64),
    /// Octets too many.
    Prolonged(u64),
}

impl WorldStep {
    /// The octets that arrive, without a frame: encoded, then damaged.
    ///
    /// # Errors
    /// A value that this dialect cannot carry.
    pub fn encode(&self, spec: &Spec) -> Result<Vec<u8>, WriteError> {
        let mut octets = vec![];
        self.message.encode(spec, &mut octets)?;
        self.damage.apply(&mut octets);
        Ok(octets)
    }
}

impl Damage {
    /// Does to these octets what the line does.
    pub fn apply(self, octets: &mut Vec<u8>) {
        match self {
            Self::None => {}
            Self::BitFlipped(draw) => {
                let bit = reduced(draw, octets.len() * 8);
                if let Some(octet) = octets.get_mut(bit / 8) {
                    *octet ^= 1 << (bit % 8);
                }
            }
            Self::Cut(draw) => octets.truncate(reduced(draw, octets.len())),
            Self::Noise(draw) => {
                let mut random = Random::new(draw);
                octets.clear();
                octets.resize(reduced(random.next(), 300) + 1, 0);
                for octet in octets {
                    *octet = random.next().to_le_bytes()[0];
                }
            }
            Self::Prolonged(draw) => {
                octets.extend((0..=draw % 16).map(|_| b'0' + (draw % 10) as u8));
            }
        }
    }

    fn draw(random: &mut Random) -> Self {
        let draw = random.next();
        match random.below(4) {
            0 => Self::BitFlipped(draw),
            1 => Self::Cut(draw),
            2 => Self::Noise(draw),
            _ => Self::Prolonged(draw),
        }
    }
}

/// The street.
#[derive(Debug)]
pub struct World {
    config: WorldConfig,
    random: Random,
    now: Moment,
    number: u64,
    stans: Vec<u32>,
    places: Vec<Place>,
    /// The holders' chips; without one a card that is inserted says nothing in DE 55.
    chips: Vec<Option<QuickChip>>,
    /// The last messages, for repeats and reversals; bounded.
    past: VecDeque<WorldStep>,
}

impl World {
    /// The world of a seed, before its first message.
    #[must_use]
    pub fn new(config: WorldConfig) -> Self {
        let places: Vec<Place> = STREET.iter().enumerate().map(place).collect();
        let mut random = Random::new(config.seed);
        let stans = places.iter().map(|_| stan(random.below(999_999))).collect();
        let now = config.start;
        let (chips, past) = (Vec::new(), VecDeque::new());
        Self { config, random, now, number: 0, stans, places, chips, past }
    }

    /// The same where inserted cards have these chips, in the order of the holders.
    #[must_use]
    pub fn with_chips(self, chips: Vec<Option<QuickChip>>) -> Self {
        Self { chips, ..self }
    }

    /// The chips, as far as they have counted.
    #[must_use]
    pub fn into_chips(self) -> Vec<Option<QuickChip>> {
        self.chips
    }

    /// Who has a card here.
    #[must_use]
    pub fn holders(&self) -> &[Holder] {
        &self.config.holders
    }

    /// The next message. There is always one.
    pub fn step(&mut self) -> WorldStep {
        let pause = self.random.within(&self.config.pause_ms.clone());
        self.now = self.now.plus_ms(pause);
        let mut step = if self.random.per_mille(self.config.repeated_per_mille) {
            self.repeat()
        } else {
            self.fresh()
        };
        if self.random.per_mille(self.config.damaged_per_mille) {
            step.damage = Damage::draw(&mut self.random);
        }
        step.number = self.number;
        step.at = self.now;
        self.number += 1;
        if self.past.len() >= PAST_MAX {
            self.past.pop_front();
        }
        self.past.push_back(step.clone());
        step
    }

    /// An earlier message again, marked as a repeat or, as careless terminals do, not marked.
    fn repeat(&mut self) -> WorldStep {
        let drawn = self.random.below(self.past.len() as u64);
        let marked = self.random.per_mille(700);
        let earlier = usize::try_from(drawn).ok().and_then(|at| self.past.get(at)).cloned();
        match earlier {
            None => self.fresh(),
            Some(mut step) => {
                if marked {
                    step.message = step.message.with_mti(step.message.mti().repeat());
                }
                step.repeats = Some(step.repeats.unwrap_or(step.number));
                step.damage = Damage::None;
                step
            }
        }
    }

    fn fresh(&mut self) -> WorldStep {
        let kind = self.config.mix.pick(&mut self.random);
        let holder = usize::try_from(self.random.below(self.config.holders.len() as u64)).ok();
        match (kind, holder.filter(|at| *at < self.config.holders.len())) {
            (Kind::Echo, _) | (_, None) => self.echo(),
            (Kind::Reversal, Some(_)) => self.reversal(),
            (kind, Some(holder)) => self.request(kind, holder),
        }
    }

    fn echo(&mut self) -> WorldStep {
        let at = self.place_where(|_| true);
        let message = form::network(self.place(at).terminal, 301);
        self.finished(Kind::Echo, None, at, message)
    }

    /// Takes back one of the last messages that moved money; when there is none, a purchase is
    /// made instead.
    fn reversal(&mut self) -> WorldStep {
        let candidates: Vec<usize> = (0..self.past.len())
            .filter(|at| self.past.get(*at).is_some_and(WorldStep::moved_money))
            .collect();
        let chosen = self.random.pick(&candidates).and_then(|at| self.past.get(*at)).cloned();
        let Some(original) = chosen else {
            let holder = self.random.below(self.config.holders.len() as u64);
            return self.request(Kind::Purchase, usize::try_from(holder).unwrap_or(0));
        };
        let cause = match self.random.below(3) {
            0 => Cause::Cancelled,
            _ => Cause::TooLate,
        };
        let terminal = original.message.as_text(41).unwrap_or_default();
        let at = self.places.iter().position(|place| place.terminal == *terminal).unwrap_or(0);
        let message = form::reversal(&original.message, cause, None, None);
        let mut step = self.finished(Kind::Reversal, original.holder, at, message);
        step.reverses = Some(original.number);
        step
    }

    fn request(&mut self, kind: Kind, holder: usize) -> WorldStep {
        let Some(person) = self.config.holders.get(holder).cloned() else { return self.echo() };
        let at = match kind {
            Kind::Abroad => self.place_where(|place| place.country != *b"SI" && !is_web(place)),
            Kind::Ecommerce => self.place_where(is_web),
            Kind::Balance | Kind::Withdrawal => {
                self.place_where(|place| place.mcc == 6011 && place.country == *b"SI")
            }
            Kind::Echo | Kind::Purchase | Kind::Refund | Kind::Reversal => {
                self.place_where(|place| {
                    place.country == *b"SI" && place.mcc != 6011 && !is_web(place)
                })
            }
        };
        let place = self.place(at).clone();
        let (message, chip) = self.message(kind, &place, (holder, &person));
        WorldStep { chip, ..self.finished(kind, Some(holder), at, message) }
    }

    fn message(
        &mut self,
        kind: Kind,
        place: &Place,
        (holder, person): (usize, &Holder),
    ) -> (Message, Option<(Terms, Request)>) {
        let notes = (self.random.below(12) + 1) * 10_00;
        let cents = self.price();
        let entry = self.entry();
        let mut tender = Tender::new(person.card.clone(), entry);
        let typed =
            || person.pin.as_ref().map(|pin| EncipheredPin::development(pin, *person.card.pan()));
        let is_small_tap = entry == Entry::Contactless && cents < 50_00;
        if entry != Entry::Key && (place.mcc == 6011 || !is_small_tap) {
            tender.pin = typed();
        }
        let is_cash = place.mcc == 6011;
        // A cashpoint reads the chip of a card that has one.
        let has_chip = self.chips.get(holder).is_some_and(Option::is_some);
        if is_cash && (has_chip || matches!(entry, Entry::Key | Entry::Contactless)) {
            tender.entry = Entry::Chip;
            tender.pin = typed();
        }
        match kind {
            Kind::Abroad | Kind::Withdrawal if is_cash => {
                let chip = self.ask_chip(holder, &mut tender, place, (kind::CASH, notes, 0));
                (form::withdrawal(place, &tender, notes, 0), chip)
            }
            Kind::Balance => {
                let chip = self.ask_chip(holder, &mut tender, place, (kind::BALANCE, 0, 0));
                (form::balance(place, &tender), chip)
            }
            Kind::Ecommerce => (form::web_purchase(place, &person.card, cents, None), None),
            Kind::Refund => (form::refund(place, &tender, cents, &Original::default()), None),
            Kind::Abroad | Kind::Echo | Kind::Purchase | Kind::Reversal | Kind::Withdrawal => {
                let cashback = self.random.per_mille(30).then_some(20_00);
                let back = cashback.unwrap_or(0);
                let total = cents + back;
                let code = if back > 0 { kind::CASHBACK } else { kind::PURCHASE };
                let chip = self.ask_chip(holder, &mut tender, place, (code, total, back));
                (form::purchase(place, &tender, total, cashback), chip)
            }
        }
    }

    /// Puts what the card's chip says into the tender, where it is inserted and has one.
    fn ask_chip(
        &mut self,
        holder: usize,
        tender: &mut Tender,
        place: &Place,
        (kind, amount, cashback): (u8, u64, u64),
    ) -> Option<(Terms, Request)> {
        let chip = self.chips.get_mut(holder)?.as_mut()?;
        (tender.entry == Entry::Chip).then_some(())?;
        let [a, b, c, d, ..] = self.random.next().to_be_bytes();
        let terms = Terms {
            amount,
            cashback,
            kind,
            country: packed(place.country_number().unwrap_or(0).into()),
            date: self.now.packed_date(),
            has_pin: tender.pin.is_some(),
            unpredictable_number: [a, b, c, d],
        };
        let request = chip.ask(&terms)?;
        tender.chip = Some(chip.data(&terms, &request));
        Some((terms, request))
    }

    /// Many small sums, few large ones: a coffee to a bicycle.
    fn price(&mut self) -> u64 {
        match self.random.below(10) {
            0..=3 => self.random.within(&(90..10_00)),
            4..=7 => self.random.within(&(10_00..50_00)),
            8 => self.random.within(&(50_00..150_00)),
            _ => self.random.within(&(150_00..600_00)),
        }
    }

    fn entry(&mut self) -> Entry {
        match self.random.below(20) {
            0..=9 => Entry::Contactless,
            10..=16 => Entry::Chip,
            17..=18 => Entry::Stripe,
            _ => Entry::Key,
        }
    }

    fn place_where(&mut self, suits: impl Fn(&Place) -> bool) -> usize {
        let suited: Vec<usize> = self
            .places
            .iter()
            .enumerate()
            .filter(|(_, place)| suits(place))
            .map(|(at, _)| at)
            .collect();
        self.random.pick(&suited).copied().unwrap_or(0)
    }

    fn place(&self, at: usize) -> &Place {
        let first = self.places.first();
        self.places.get(at).or(first).unwrap_or_else(|| unreachable!("the street has places"))
    }

    fn finished(
        &mut self,
        kind: Kind,
        holder: Option<usize>,
        place: usize,
        message: Message,
    ) -> WorldStep {
        let next = self.stans.get_mut(place).map_or(1, |next| {
            let used = *next;
            *next = stan(u64::from(used));
            used
        });
        let message = form::stamp(message, next, self.now);
        WorldStep {
            number: 0,
            at: self.now,
            kind,
            holder,
            message,
            damage: Damage::None,
            repeats: None,
            reverses: None,
            chip: None,
        }
    }
}

impl WorldStep {
    fn moved_money(&self) -> bool {
        let is_payment = matches!(self.kind, Kind::Abroad | Kind::Ecommerce | Kind::Purchase)
            || self.kind == Kind::Withdrawal;
        is_payment && self.repeats.is_none()
    }
}

fn is_web(place: &Place) -> bool {
    place.mcc == 5964
}

/// The STAN after `used`: 1 to 999999.
fn stan(used: u64) -> u32 {
    u32::try_from(used % 999_999 + 1).unwrap_or(1)
}

fn reduced(draw: u64, len: usize) -> usize {
    usize::try_from(draw.checked_rem(len as u64).unwrap_or(0)).unwrap_or(0)
}

fn place((at, (name, city, country, mcc)): (usize, &(&str, &str, &[u8; 2], u16))) -> Place {
    let number: [u8; 5] = digits(at as u64 + 1);
    let mut terminal = *b"TRM00000";
    for (to, from) in terminal.iter_mut().skip(3).zip(number) {
        *to = from;
    }
    let mut merchant = *b"CEKRSTREET00000";
    for (to, from) in merchant.iter_mut().skip(10).zip(number) {
        *to = from;
    }
    let acquirer = match *country {
        b"SI" => 476_173,
        b"HR" => 476_191,
        b"IT" => 476_380,
        _ => 476_999,
    };
    Place { mcc: *mcc, terminal, merchant, acquirer, ..Place::shop(name, city, **country) }
}

/// Name, town, country, MCC.
const STREET: &[(&str, &str, &[u8; 2], u16)] = &[
    ("Mercator Primskovo", "Kranj", b"SI", 5411),
    ("Pekarna Umnik", "Kranj", b"SI", 5462),
    ("Lekarna Kranj", "Kranj", b"SI", 5912),
    ("Knjigarna na trgu", "Kranj", b"SI", 5942),
    ("Letni bazen Kranj", "Kranj", b"SI", 7997),
    ("Bankomat Kranj 0042", "Kranj", b"SI", 6011),
    ("Bankomat Kranj 0043", "Kranj", b"SI", 6011),
    ("Kavarna Tromostovje", "Ljubljana", b"SI", 5812),
    ("Bencinski servis Celovska", "Ljubljana", b"SI", 5541),
    ("Bankomat Ljubljana 0007", "Ljubljana", b"SI", 6011),
    ("Konzum Ilica", "Zagreb", b"HR", 5411),
    ("Kavana na Dolcu", "Zagreb", b"HR", 5812),
    ("Bankomat Zagreb 0101", "Zagreb", b"HR", 6011),
    ("Libreria del Porto", "Trieste", b"IT", 5942),
    ("Bar al Molo", "Trieste", b"IT", 5813),
    ("Spletna knjigarna", "Ljubljana", b"SI", 5964),
    ("Igrace na spletu", "Maribor", b"SI", 5964),
    ("Schuhe im Netz", "Graz", b"AT", 5964),
];

/// How many messages back a repeat or a reversal may reach.
const PAST_MAX: usize = 64;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use cekr_emv::pin::Pin;
    use cekr_iso8583::{CEKR87, Pan, View};

    use super::{Damage, Holder, World, WorldConfig};
    use crate::card::Card;
    use crate::mix::Kind;

    fn holders() -> Vec<Holder> {
        ["4761730000000011", "4761730000000029"]
            .iter()
            .map(|pan| Holder {
                card: Card::new("x", Pan::parse(pan.as_bytes()).unwrap(), 3012).unwrap(),
                pin: Some(Pin::parse(b"1234").unwrap()),
            })
            .collect()
    }

    fn octets(seed: u64, count: usize) -> Vec<Vec<u8>> {
        let mut world = World::new(WorldConfig::new(seed, holders()).rough());
        (0..count).map(|_| world.step().encode(&CEKR87).unwrap()).collect()
    }

    #[test]
    fn a_seed_gives_the_same_octets_and_another_seed_gives_others() {
        assert_eq!(octets(7, 500), octets(7, 500));
        assert_ne!(octets(7, 500), octets(8, 500));
    }

    #[test]
    fn every_message_that_is_not_damaged_reads_in_every_dialect() {
        for spec in [&CEKR87, &cekr_iso8583::ISO87ASCII, &cekr_iso8583::ISO87BINARY] {
            let mut world = World::new(WorldConfig::new(3, holders()).rough());
            for _ in 0..2000 {
                let step = world.step();
                let octets = step.encode(spec).unwrap();
                if step.damage == Damage::None {
                    let view = View::parse(spec, &octets).map_err(|damaged| damaged.error).unwrap();
                    assert_eq!(view.mti(), step.message.mti());
                    assert!(view.has(11) && view.has(7) && view.has(41));
                    let is_network = step.kind == Kind::Echo;
                    assert!(is_network || view.has(2) || view.has(35));
                }
            }
        }
    }

    #[test]
    fn every_kind_occurs_with_repeats_reversals_and_damage() {
        let mut world = World::new(WorldConfig::new(1, holders()).rough());
        let steps: Vec<_> = (0..3000).map(|_| world.step()).collect();
        for kind in [
            Kind::Abroad,
            Kind::Balance,
            Kind::Echo,
            Kind::Ecommerce,
            Kind::Purchase,
            Kind::Refund,
            Kind::Reversal,
            Kind::Withdrawal,
        ] {
            assert!(steps.iter().any(|step| step.kind == kind), "{kind:?}");
        }
        assert!(steps.iter().any(|step| step.repeats.is_some()));
        assert!(steps.iter().any(|step| step.reverses.is_some()));
        assert!(steps.iter().any(|step| step.damage != Damage::None));
        assert!(steps.windows(2).all(|pair| pair[0].at < pair[1].at));
    }

    #[test]
    fn a_world_without_cards_still_sends_echoes() {
        let mut world = World::new(WorldConfig::new(1, vec![]).rough());
        assert!((0..200).all(|_| world.step().kind == Kind::Echo));
    }
}
