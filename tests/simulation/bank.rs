//! The bank of a world: lines of its statements, persons who look at suspense, loads by card.
//!
//! It draws from a sequence of its own, in every fourth world: the others are what they would be
//! without a bank.

use cekr_issuer::entry::{LoadSource, Reference, TakeBackCause};
use cekr_issuer::{Amount, Seq};
use cekr_switch::control::ControlError;
use cekr_switch::statements::LoadNamed;
use cekr_terminal_sim::random::Random;

use crate::oracle::Oracle;
use crate::statements::{BankBook, Does, LINES, Told, Went};
use crate::support::{Bank, id_of};
use crate::world::{CARDS, World};

/// What happens at the bank's side.
#[derive(Clone, Debug)]
pub enum BankEvent {
    /// A person assigns what a line brought, or took, to a card.
    Assign(Told, usize),
    /// What was assigned comes to its card.
    Finish,
    /// A line of a statement.
    Line(Told),
    /// A load by card.
    LoadByCard(usize, u64, String),
    /// A refund of such a load: the load's reference, the refund's, cents.
    Refund(usize, String, String, u64),
    /// A person returns what a line brought.
    Return(Told),
}

/// What the world draws its bank from.
pub struct BankDraws {
    seed: u64,
    random: Random,
}

impl BankDraws {
    /// The bank of a seed's world, if it has one.
    pub fn new(seed: u64) -> Option<Self> {
        (seed % 4 == 3).then(|| Self { seed, random: Random::new(!seed) })
    }

    fn next(&mut self) -> Option<BankEvent> {
        let random = &mut self.random;
        if !random.per_mille(250) {
            return None;
        }
        let card = usize::try_from(random.below(CARDS)).unwrap();
        let line = |random: &mut Random| {
            let number = random.below(LINES);
            // One in four is one that takes back.
            let number = if random.per_mille(250) { number + LINES } else { number };
            let told = Told::of(self.seed, number, CARDS);
            let cents = if random.per_mille(20) { told.cents + 1 } else { told.cents };
            Told { cents, ..told }
        };
        Some(match random.below(10) {
            0..=4 => BankEvent::Line(line(random)),
            5 => BankEvent::Assign(line(random), card),
            6 => BankEvent::Return(line(random)),
            7 => BankEvent::Finish,
            8 => BankEvent::LoadByCard(card, 90_00, format!("order {}", random.below(3))),
            _ => {
                let cents = *random.pick(&[1, 30_00, 60_00, 90_00]).unwrap();
                let (order, refund) = (random.below(3), random.below(4));
                BankEvent::Refund(card, format!("order {order}"), format!("refund {refund}"), cents)
            }
        })
    }
}

impl World {
    /// What happens next at the bank, if anything.
    pub fn bank_step(&mut self) -> Option<BankEvent> {
        self.bank.as_mut()?.next()
    }
}

/// Whether the world may do this now: one assignment is under way at a time, and nothing is taken
/// back while it is on its way to its card.
fn may_happen(event: &BankEvent, book: &BankBook) -> bool {
    match event {
        BankEvent::Assign(..) => book.assigned.is_none(),
        BankEvent::Line(Told { does: Does::TakesBack(of), .. }) => !book.is_assigned(*of),
        BankEvent::Finish
        | BankEvent::Line(_)
        | BankEvent::LoadByCard(..)
        | BankEvent::Refund(..)
        | BankEvent::Return(_) => true,
    }
}

/// Lets an event happen to both and compares; what a disk without room refuses changes nothing.
pub fn happens(
    bank: &Bank,
    oracle: &mut Oracle,
    pans: &[u64],
    may_refuse: bool,
    event: &BankEvent,
    place: &str,
) {
    let now = bank.now;
    let control = &bank.control;
    if !may_happen(event, &oracle.bank) {
        return;
    }
    let is_refused =
        |error: Option<&ControlError>| may_refuse && error == Some(&ControlError::Busy);
    let item_of = |told: &Told| {
        let key = Told::key(told.number).to_string();
        let (page, _) = control.suspense(Seq::NONE, 1_000, now);
        let item = page.items.into_iter().find(|item| item.statement_key == key);
        item.map(|item| Seq(item.item))
    };
    let id = |card: usize| id_of(u32::try_from(card).unwrap());
    match event {
        BankEvent::Line(told) => {
            let posted = control.post_lines(&[told.line(now)], now);
            if is_refused(posted.as_ref().err()) {
                return;
            }
            let (outcomes, _) = posted.unwrap();
            let found = (outcomes[0].outcome, outcomes[0].reason, outcomes[0].repeated);
            assert_eq!(found, oracle.post(told, now), "{place}: {told:?}");
        }
        BankEvent::Assign(told, card) => {
            let item = item_of(told);
            assert_eq!(item.is_some(), oracle.bank.is_held(told.number), "{place}: {told:?}");
            let Some(item) = item else { return };
            let booked = oracle.bank.find(told.number).unwrap().cents;
            let done = control.assign(item, id(*card), now);
            if is_refused(done.as_ref().err()) {
                return;
            }
            let pan = pans[*card];
            let cents = u64::try_from(booked).ok();
            let expected = cents.is_none_or(|cents| oracle.may_load(pan, cents, now));
            assert_eq!(done.is_ok(), expected, "{place}: {told:?} to card {card}: {done:?}");
            if let Ok(seq) = done {
                oracle.bank.assigned = Some((told.number, pan, seq));
            }
        }
        BankEvent::Return(told) => {
            let Some(item) = item_of(told) else { return };
            let cents = oracle.bank.find(told.number).unwrap().cents;
            let expected = if oracle.bank.is_assigned(told.number) {
                Some(ControlError::ItemLeft)
            } else if cents < 0 {
                Some(ControlError::ItemTaken)
            } else {
                None
            };
            let done = control.return_to_payer(item, now);
            if is_refused(done.as_ref().err()) {
                return;
            }
            assert_eq!(done.err(), expected, "{place}: {told:?} back to its payer");
            if expected.is_none() {
                oracle.bank.went(told.number, Went::ToPayer);
            }
        }
        BankEvent::Finish => {
            let durable = bank.shard().journal().durable();
            control.finish_assignments(now).unwrap();
            if let Some((number, pan, _)) = oracle.bank.assigned.take_if(|it| it.2 <= durable) {
                let cents = oracle.bank.find(number).unwrap().cents;
                if let Ok(cents) = u64::try_from(cents) {
                    oracle.add_load(pan, cents, &format!("line {number}"), now);
                    oracle.bank.went(number, Went::ToCard(pan));
                } else {
                    oracle.take(pan, u64::try_from(-cents).unwrap());
                    oracle.bank.went(number, Went::OffCard);
                }
            }
        }
        BankEvent::LoadByCard(card, cents, reference) => {
            let named = Reference::new(reference).unwrap();
            let amount = Amount::from_minor(*cents);
            let done = control.load(id(*card), amount, LoadSource::Card, named, now);
            let expected = oracle.load(pans[*card], *cents, reference, now);
            assert_eq!(done.is_ok(), expected, "{place}: {reference} by card {card}: {done:?}");
        }
        BankEvent::Refund(card, order, refund, cents) => {
            let reference = Reference::new(order).unwrap();
            let load =
                LoadNamed::Reference { card: id(*card), source: LoadSource::Card, reference };
            let (amount, cause) = (Amount::from_minor(*cents), TakeBackCause::Refund);
            let name = Reference::new(refund).unwrap();
            let done = control.take_back(load, amount, cause, name, now).map(|_| ());
            let expected = oracle.refund_load(pans[*card], order, refund, *cents);
            assert_eq!(done.is_ok(), expected, "{place}: {refund} of {order}: {done:?}");
        }
    }
    let (total, _) = control.suspense_total();
    assert_eq!(total.amount, oracle.bank.suspense(), "{place}: suspense after {event:?}");
}
