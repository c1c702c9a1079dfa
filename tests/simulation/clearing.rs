//! The network's files in a world: lines about what its cards did, again, changed, about nothing.
//!
//! They are drawn from a sequence of their own, in three worlds of eight.

use cekr_iso8583::{AuthCode, Mcc, MerchantId, Rrn};
use cekr_issuer::Now;
use cekr_switch::clearing::{LineOutcome, LineTold};
use cekr_switch::control::ControlError;
use cekr_terminal_sim::random::Random;

use crate::Run;
use crate::account::Account;
use crate::cleared::Expected;
use crate::world::{CARDS, World};

/// What a world draws its files from.
pub struct ClearingDraws(Random);

/// What stands in a file next.
#[derive(Clone, Debug)]
pub enum ClearingEvent {
    /// A line of before, with what was told then or with a cent more.
    Again { nth: u64, more: i64 },
    /// A line of its own.
    New(Draw),
}

/// What a line is made of.
#[derive(Clone, Debug)]
pub struct Draw {
    card: usize,
    /// Which of the card's newest transactions it is about.
    nth: u64,
    by: By,
    share: Share,
    cash: bool,
    oddity: Oddity,
}

/// By what the line names it.
#[derive(Clone, Copy, Debug)]
enum By {
    Both,
    Code,
    Nothing,
    Reference,
}

/// How much of what was approved.
#[derive(Clone, Copy, Debug)]
enum Share {
    All,
    Back,
    BackPart,
    BackTooMuch,
    Fifth,
    Half,
    Nothing,
    TooMuch,
}

/// What is strange about a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Oddity {
    Currency,
    None,
    Stranger,
}

impl ClearingDraws {
    /// The files of a seed's world, if it has any.
    pub fn new(seed: u64) -> Option<Self> {
        matches!(seed % 8, 1 | 4 | 7).then(|| Self(Random::new(seed.rotate_left(32) ^ !seed)))
    }

    fn next(&mut self) -> Option<ClearingEvent> {
        let random = &mut self.0;
        if !random.per_mille(300) {
            return None;
        }
        if random.per_mille(150) {
            let more = i64::from(random.per_mille(300));
            return Some(ClearingEvent::Again { nth: random.below(20), more });
        }
        let by = [By::Both, By::Both, By::Code, By::Reference, By::Nothing];
        let share = [
            (Share::All, 300),
            (Share::Back, 100),
            (Share::BackPart, 150),
            (Share::BackTooMuch, 40),
            (Share::Fifth, 100),
            (Share::Half, 150),
            (Share::Nothing, 20),
            (Share::TooMuch, 140),
        ];
        let mut at = random.below(1_000);
        let is_it = |(_, per_mille): &&(Share, u64)| {
            let is_below = at < *per_mille;
            at = at.saturating_sub(*per_mille);
            is_below
        };
        let share = share.iter().find(is_it).map_or(Share::All, |(share, _)| *share);
        let oddity = match random.below(40) {
            0 => Oddity::Currency,
            1 => Oddity::Stranger,
            _ => Oddity::None,
        };
        Some(ClearingEvent::New(Draw {
            card: usize::try_from(random.below(CARDS)).unwrap(),
            nth: random.below(6),
            by: *random.pick(&by).unwrap(),
            share,
            cash: random.per_mille(200),
            oddity,
        }))
    }
}

impl Run {
    /// What the network's file brings, if it does; whether anything was asked of the switch.
    pub fn clearing_step(&mut self, world: &mut World, place: &str) -> bool {
        let Some(event) = world.clearing.as_mut().and_then(ClearingDraws::next) else {
            return false;
        };
        let now = self.bank.now;
        let (told, number, is_repeat) = match event {
            ClearingEvent::Again { nth, more } => {
                let lines = &self.oracle.clearing.lines;
                let Some(at) = lines.len().checked_sub(usize::try_from(nth).unwrap() + 1) else {
                    return false;
                };
                let told = &lines[at].0;
                (LineTold { amount: told.amount + more, ..told.clone() }, at, true)
            }
            ClearingEvent::New(draw) => {
                let number = self.oracle.clearing.lines.len();
                // Most lines are about a card that did something lately.
                let count = world.cards.len();
                let pans = (0..count).map(|more| world.cards[(draw.card + more) % count].pan);
                let mut pans = pans.filter(|pan| {
                    let account = self.oracle.account(*pan, now);
                    matches!(draw.by, By::Nothing) || account.young(now).next().is_some()
                });
                let pan = pans.next().unwrap_or(world.cards[draw.card].pan);
                let account = self.oracle.account(pan, now);
                (account.told(&draw, pan, number, now), number, false)
            }
        };
        let file = format!("file {}", number % 3);
        let done = self.bank.control.clear(&file, std::slice::from_ref(&told), now);
        self.tells(&|| format!("{place}: {file}: {told:?}\n  -> {done:?}"));
        if self.may_refuse && done.as_ref().err() == Some(&ControlError::Busy) {
            return true;
        }
        let outcome = done.unwrap().0.remove(0);
        let place = format!("{place}: {file}: {told:?} came to {outcome:?}");
        if is_repeat {
            let (before, expected) = &self.oracle.clearing.lines[number];
            if before.amount == told.amount {
                assert!(outcome.repeated, "{place}");
                assert_eq!(&found(&outcome), expected, "{place}");
            } else {
                assert_eq!((outcome.outcome, outcome.repeated), ("conflict", false), "{place}");
            }
            return true;
        }
        let expected = match told.card.parse() {
            Ok(STRANGER) => Expected::parked("card_unknown", told.amount),
            Ok(_) if told.currency == "USD" => Expected::parked("currency_foreign", told.amount),
            Ok(pan) => self.oracle.account(pan, now).clear(&told, now),
            Err(_) => unreachable!("a line names its card by number"),
        };
        assert_eq!(found(&outcome), expected, "{place}");
        assert!(!outcome.repeated, "{place}");
        if let ("adjusted" | "posted" | "refunded", Ok(pan)) = (expected.outcome, told.card.parse())
        {
            world.settle(pan);
        }
        self.oracle.clearing.lines.push((told, expected));
        true
    }
}

fn found(outcome: &LineOutcome) -> Expected {
    Expected {
        outcome: outcome.outcome,
        cause: outcome.cause,
        change: outcome.change.into(),
        fee_change: outcome.fee_change.into(),
        parked: outcome.parked.into(),
    }
}

impl Account {
    /// What is not too old to be named, the newest first.
    fn young(&self, now: Now) -> impl Iterator<Item = usize> {
        let is_young = move |at: &usize| {
            let refunded = self.lines[*at].refund_of.map(|of| self.now_of(of));
            let all = self.parts(self.lines[*at].first).into_iter().chain([*at]).chain(refunded);
            all.into_iter().all(|at| now.unix_ms - self.lines[at].at_ms < NAMED_MS)
        };
        (0..self.lines.len()).rev().filter(is_young)
    }

    /// A line about one of the newest transactions, as the file of the network has it.
    fn told(&self, draw: &Draw, pan: u64, number: usize, now: Now) -> LineTold {
        let young: Vec<usize> = self.young(now).take(6).collect();
        let nth = usize::try_from(draw.nth).unwrap();
        let at = nth.checked_rem(young.len()).map(|nth| young[nth]);
        let line = at.map(|at| &self.lines[at]).filter(|_| !matches!(draw.by, By::Nothing));
        let cents = line.map_or(30_00, |line| i64::try_from(line.left).unwrap());
        let amount = match draw.share {
            Share::All => cents,
            Share::Back => -cents,
            Share::BackPart => -(cents / 3),
            Share::BackTooMuch => -cents - 1,
            Share::Fifth => cents + cents / 5,
            Share::Half => cents / 2,
            Share::Nothing => 0,
            Share::TooMuch => cents + cents / 5 + 1,
        };
        let (by_code, by_rrn) = match draw.by {
            By::Both => (true, true),
            By::Code => (true, false),
            By::Nothing => (false, false),
            By::Reference => (false, true),
        };
        let octets = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec());
        let code = line.map(|line| line.auth_code.as_str()).filter(|_| by_code);
        let rrn = line.and_then(|line| line.rrn.as_deref()).filter(|_| by_rrn);
        let unknown = format!("CLR{number:09}");
        let rrn = if line.is_some() { rrn } else { Some(unknown.as_str()) };
        let card = if draw.oddity == Oddity::Stranger { STRANGER } else { pan };
        LineTold {
            line: u32::try_from(number).unwrap(),
            card: card.to_string(),
            network_id: number.to_string(),
            rrn: octets(rrn).and_then(|rrn| rrn.try_into().ok()).map(Rrn::new),
            auth_code: octets(code).and_then(|code| code.try_into().ok()).map(AuthCode::new),
            amount,
            currency: if draw.oddity == Oddity::Currency { "USD" } else { "EUR" }.to_owned(),
            merchant: Some(MerchantId::new(*b"CLEARED AT LAST")),
            mcc: Mcc::new(if draw.cash { 6011 } else { 5411 }).unwrap(),
            date: "2026-11-23".to_owned(),
        }
    }
}

/// Nobody's card, with a check digit that holds.
const STRANGER: u64 = 4_761_739_999_999_992;
/// Older transactions are named by no line here: what is settled is kept for a day.
const NAMED_MS: u64 = 20 * 3_600_000;
