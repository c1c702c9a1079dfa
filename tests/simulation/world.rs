//! A seeded world: who holds which card, what is asked where, what goes wrong on the way.
//!
//! One seed gives one world, on every machine. It knows no rule: it only makes trouble.

use cekr_iso8583::Framing;
use cekr_issuer::{CardStatus, Channels, Now};
use cekr_terminal_sim::moment::Moment;
use cekr_terminal_sim::random::Random;

use crate::oracle::{Rules, WRONG_PINS};
use crate::support::{
    CardSpec, DAY_MS, DIALECTS, Dialect, Told, actual, after_ms, balance_inquiry, original_of,
    pan_of, pin_block, purchase, purchase_abroad, purchase_online, reversal, withdrawal,
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
    random: Random,
    passed_ms: u64,
    stan: u32,
    loads: u64,
    sent: Vec<Sent>,
    /// Requests that their reversal overtook, and when they should have come.
    late: Vec<(Told, u64)>,
}

/// A request that went out.
struct Sent {
    told: Told,
    at_ms: u64,
    auth_code: Option<String>,
}

/// Requests older than this are named by nobody any more: answers and posted transactions are
/// promised for a day.
const NAMED_MS: u64 = 20 * 3_600_000;

/// Nobody names what so many messages came after.
const NAMED_MAX: usize = 60;

const CARDS: u64 = 24;

impl World {
    /// The world of a seed.
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let rules = Rules {
            abroad_with_card_only: random.per_mille(250),
            cashback_fee: random.per_mille(250),
            chip_at_cashpoints: random.per_mille(250),
            limits: random.per_mille(700),
            private_is_tagged: false,
        };
        let cards = (0..CARDS).map(|number| card(number, &mut random)).collect();
        let dialect = *random.pick(&DIALECTS).unwrap();
        let rules = Rules { private_is_tagged: dialect.spec.name() == "cekr87", ..rules };
        let stan = u32::try_from(random.below(900_000)).unwrap();
        let (sent, late) = (Vec::new(), Vec::new());
        Self { cards, rules, dialect, random, passed_ms: 0, stan, loads: 0, sent, late }
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
    pub fn hear(&mut self, request: &Told, auth_code: Option<&str>) {
        let found = self.sent.iter_mut().rev().find(|sent| sent.told == *request);
        if let (Some(sent), Some(code)) = (found, auth_code) {
            sent.auth_code = Some(code.to_owned());
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
        let told = match self.random.below(100) {
            0..=54 => self.request(),
            55..=63 => self.again(),
            64..=67 => self.key_reused(),
            68..=86 => self.reversal(),
            87..=90 => self.reversal_first(),
            91..=94 => self.late(),
            _ => self.network(),
        };
        let octets = told.octets(self.dialect.spec);
        // Whatever comes again is as old as it was the first time.
        let first = self.sent.iter().rev().take(NAMED_MAX).find(|sent| same_key(&sent.told, &told));
        let at_ms = first.map_or(self.passed_ms, |sent| sent.at_ms);
        self.sent.push(Sent { told, at_ms, auth_code: None });
        if self.random.per_mille(60) { self.damaged(octets) } else { octets }
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

    /// A request of a card in its class, sent lately.
    fn earlier(&mut self) -> Option<(Told, Option<String>)> {
        let since = self.passed_ms.saturating_sub(NAMED_MS);
        let is_named = |sent: &&Sent| sent.at_ms >= since && sent.told.mti < 400;
        let lately: Vec<_> = self.sent.iter().rev().take(NAMED_MAX).filter(is_named).collect();
        let chosen = usize::try_from(self.random.below(lately.len().min(40) as u64)).unwrap();
        lately.get(chosen).map(|sent| (sent.told.clone(), sent.auth_code.clone()))
    }

    /// Whether a moment is so near that answers and transactions of it are still promised.
    pub fn is_recent(&self, unix_ms: u64) -> bool {
        unix_ms + NAMED_MS >= self.now().unix_ms
    }

    /// Any message that was sent lately, again; most terminals mark it as a repeat.
    fn again(&mut self) -> Told {
        let since = self.passed_ms.saturating_sub(NAMED_MS);
        let lately: Vec<_> =
            self.sent.iter().rev().take(40).filter(|sent| sent.at_ms >= since).collect();
        let chosen = usize::try_from(self.random.below(lately.len() as u64)).unwrap();
        match lately.get(chosen).map(|sent| sent.told.clone()) {
            None => self.request(),
            Some(told) if self.random.per_mille(700) => told.clone().of_mti(told.mti | 1),
            Some(told) => told,
        }
    }

    /// A request with the key of another.
    fn key_reused(&mut self) -> Told {
        let Some((told, _)) = self.earlier() else { return self.request() };
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
        let Some((original, auth_code)) = self.earlier() else { return self.request() };
        if original.text(11).is_none() || original.text(7).is_none() || original.text(32).is_none()
        {
            return self.request();
        }
        let stan = self.next_stan();
        let mti = *self.random.pick(&[400, 420]).unwrap();
        let mut told = reversal(&original, mti, stan).with(7, self.transmitted());
        let asked = original.number(4).unwrap_or(0);
        told = match self.random.below(10) {
            0..=4 => told,
            5..=7 => {
                let kept = self.random.below(asked + 1);
                told.with(95, actual(kept))
            }
            8 => told.with(95, actual(asked + 1)),
            _ => told.with(4, format!("{:012}", asked + 1)),
        };
        match (self.random.below(6), auth_code) {
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
        let original = self.request();
        if [7, 11, 32, 41].iter().any(|de| original.text(*de).is_none()) {
            return original;
        }
        let stan = self.next_stan();
        let mti = *self.random.pick(&[400, 420]).unwrap();
        let told = reversal(&original, mti, stan).with(7, self.transmitted());
        self.late.push((original, self.passed_ms));
        told
    }

    /// What was overtaken comes after all, unless it is too late for what it names.
    fn late(&mut self) -> Told {
        let since = self.passed_ms.saturating_sub(NAMED_MS);
        self.late.retain(|(_, at_ms)| *at_ms >= since);
        self.late.pop().map_or_else(|| self.request(), |(told, _)| told)
    }

    fn network(&mut self) -> Told {
        let code = *self.random.pick(&["001", "002", "201", "301", "301"]).unwrap();
        let stan = self.next_stan();
        Told::new(800).with(7, self.transmitted()).with(11, format!("{stan:06}")).with(70, code)
    }

    fn next_stan(&mut self) -> u32 {
        self.stan = self.stan % 999_999 + 1;
        self.stan
    }

    fn transmitted(&self) -> String {
        format!("{:010}", Moment::from_unix_ms(self.now().unix_ms).transmission())
    }

    fn cents(&mut self) -> u64 {
        match self.random.below(20) {
            0 => *self.random.pick(&[0, 1, 300_00, 300_10, 301_00, 1_234_50]).unwrap(),
            1 => self.random.within(&(500_00..3_000_00)),
            2..=4 => self.random.within(&(100_00..400_00)),
            _ => self.random.within(&(1..60_00)),
        }
    }

    fn request(&mut self) -> Told {
        let number = usize::try_from(self.random.below(CARDS)).unwrap();
        let card = self.cards[number].clone();
        let (stan, cents) = (self.next_stan(), self.cents());
        let told = self.kind(&card, stan, cents);
        let told = self.oddity(told, &card);
        let terminal = told.text(41).unwrap_or("POS00001")[..3].to_owned();
        let till = self.random.below(3) + 1;
        told.with(7, self.transmitted()).with(41, format!("{terminal}{till:05}"))
    }

    fn kind(&mut self, card: &CardSpec, stan: u32, cents: u64) -> Told {
        let notes = (cents / 10_00 + 1) * 10_00;
        let is_cekr87 = self.dialect.spec.name() == "cekr87";
        match self.random.below(26) {
            0..=5 => purchase(card, stan, cents),
            6 | 7 => purchase(card, stan, cents).of_mti(100),
            8 => purchase(card, stan, cents).of_mti(100).with(25, "06"),
            9 if is_cekr87 => purchase(card, stan, cents).with(48, "61011"),
            9..=11 => purchase_online(card, stan, cents),
            12 if is_cekr87 => purchase(card, stan, cents).of_mti(100).with(48, "420207"),
            12 | 13 => purchase_abroad(card, stan, cents),
            14..=16 => withdrawal(card, stan, notes),
            17 => withdrawal(card, stan, notes + 2_50).with(28, "D00000250").of_mti(100),
            18 => {
                let cash = self.random.within(&(1..cents + 2));
                purchase(card, stan, cents)
                    .with(3, "090000")
                    .with(54, format!("0040978D{cash:012}"))
            }
            19 => {
                let billed = cents * 9 / 10;
                let at = self.random.below(2);
                let told = if at == 0 {
                    purchase_abroad(card, stan, cents)
                } else {
                    withdrawal(card, stan, notes).with(43, format!("{:38}HR", "ATM ZAGREB"))
                };
                told.with(49, "840").with(6, format!("{billed:012}")).with(51, "978")
            }
            20 | 21 => balance_inquiry(card, stan),
            22 => purchase(card, stan, 0).with(25, "51"),
            23 => withdrawal(card, stan, notes).of_mti(100).with(3, "320000").without(&[52]),
            _ => self.refund(card, stan, cents),
        }
    }

    fn refund(&mut self, card: &CardSpec, stan: u32, cents: u64) -> Told {
        let refund = purchase(card, stan, cents.min(30_00)).with(3, "200000");
        let Some((original, _)) = self.earlier() else { return refund };
        let is_nameless = [2, 7, 11, 32, 37, 41].iter().any(|de| original.text(*de).is_none());
        // A refund's reference may be that of a purchase of long ago.
        if is_nameless || original.text(3) == Some("200000") {
            return refund;
        }
        let own = |de| original.text(de).unwrap().to_owned();
        match self.random.below(3) {
            0 => refund,
            1 => refund.with(2, own(2)).without(&[14]).with(37, own(37)),
            _ => refund
                .with(2, own(2))
                .without(&[14])
                .with(41, own(41))
                .with(90, original_of(&original)),
        }
    }

    /// One request in three has something odd about it.
    fn oddity(&mut self, told: Told, card: &CardSpec) -> Told {
        let wrong = *self.random.pick(&WRONG_PINS).unwrap();
        match self.random.below(51) {
            0 => told.with(2, pan_of(CARDS + 7)),
            1 => told.with(2, 5_555_555_555_554_444_u64),
            2 => told.with(2, card.pan + 1),
            3 => told.with(14, "2911"),
            4 => told.without(&[14]),
            5 => told.without(&[32]),
            6 | 7 => told.with(52, pin_block(card.pan, wrong)),
            8 => told.with(52, pin_block(card.pan, card.pin)),
            9 => told.with(52, "0123456789ABCDEF"),
            10 => told.with(22, "801"),
            11 => told.with(55, "9F3602002A"),
            12 => told.without(&[43]).with(19, *self.random.pick(&["705", "191"]).unwrap()),
            13 => told.without(&[43]),
            14 => told.with(25, *self.random.pick(&["01", "05", "08", "59"]).unwrap()),
            15 => told.without(&[*self.random.pick(&[3, 4, 7, 11, 41, 49]).unwrap()]),
            16 => {
                let track = format!("{}={:04}2010000000000", card.pan, card.expiry);
                told.with(35, track)
            }
            17 => told.with(35, format!("{}=30112010000000000", card.pan)),
            18 => told.with(18, *self.random.pick(&["6010", "6011"]).unwrap()),
            19 => told.with(3, *self.random.pick(&["110000", "170000", "400000"]).unwrap()),
            _ => told,
        }
    }
}

/// Whether two messages have one trace number, time and terminal.
fn same_key(one: &Told, other: &Told) -> bool {
    [7, 11, 41].iter().all(|de| one.text(*de) == other.text(*de))
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
