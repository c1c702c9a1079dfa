//! A till's front: what is sold, the amount, the card, the PIN, the receipt.
//!
//! The shop's assistant types, the customer holds a card: inserted, held to the reader or pulled
//! through. The kernel says whether a PIN is wanted; without one it is where the card is inserted
//! or swiped, and above 50 euros where it is held to the reader.

use super::chip_part::ChipWants;
use super::words::{Text, money};
use super::{Counter, End, Face, Front, FrontAction, FrontEvent, Hand, How, Touch, row, signed};
use crate::chip_session::kind;
use crate::device::keypad::Key;
use crate::device::pin_pad::{EncipheredPin, PinStep};
use crate::form::{Entry, Original, Tender};
use crate::moment::Moment;
use crate::outcome::{Ending, Outcome};
use crate::place::Place;
use crate::pos::{Pos, PosEvent, PosForm, TillAction};

/// A till with its devices and the people at it.
#[derive(Debug)]
pub struct TillFront {
    /// Devices, wallet and language.
    pub counter: Counter,
    machine: Pos,
    service: Service,
    amount: u64,
    step: Step,
    /// What can be taken back.
    last: Option<Outcome>,
    /// A sale that the card refused, while it is being taken back.
    refused: Option<(Outcome, Ending)>,
}

#[derive(Clone, Debug)]
enum Step {
    /// An amount is being typed, in cents.
    Amount { cents: u64 },
    /// A card is wanted.
    Card,
    /// It is over.
    Ended(End),
    /// Nothing is sold.
    Menu,
    /// The PIN is being typed.
    Pin,
    /// The host is asked.
    Waiting,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Service {
    Balance,
    Purchase,
    Refund,
    TakeBack,
}

impl Service {
    const fn title(self) -> Text {
        match self {
            Self::Balance => Text::Balance,
            Self::Purchase => Text::Purchase,
            Self::Refund => Text::Refund,
            Self::TakeBack => Text::TakeBack,
        }
    }
}

impl TillFront {
    /// A till at this place.
    #[must_use]
    pub fn new(place: Place, counter: Counter) -> Self {
        let mut front = Self {
            counter,
            machine: Pos::new(place),
            service: Service::Purchase,
            amount: 0,
            step: Step::Menu,
            last: None,
            refused: None,
        };
        front.show();
        front
    }

    /// Where it stands.
    #[must_use]
    pub const fn place(&self) -> &Place {
        self.machine.place()
    }

    /// How the last transaction ended.
    #[must_use]
    pub const fn last(&self) -> Option<&Outcome> {
        self.last.as_ref()
    }

    fn touch(&mut self, touch: Touch, now: Moment) -> Vec<FrontAction> {
        match (touch, &self.step) {
            (Touch::Language, _) => self.counter.toggle_language(),
            (Touch::NextCard, Step::Amount { .. } | Step::Card | Step::Menu) => {
                self.counter.wallet.next();
            }
            (Touch::Card, Step::Card) => return self.present(Entry::Chip, now),
            (Touch::Tap, Step::Card) => return self.present(Entry::Contactless, now),
            (Touch::Swipe, Step::Card) => return self.present(Entry::Stripe, now),
            (Touch::Card, Step::Ended(_)) => self.clear(),
            (Touch::Key(key), Step::Pin) => {
                // Straight into the pad: the till never has the digits.
                self.counter.pad.press(key, now);
                return self.pin_step(now);
            }
            (Touch::Key(key), _) => {
                self.counter.keypad.press(key);
                let mut actions = vec![];
                while let Some(key) = self.counter.keypad.next() {
                    actions.extend(self.key(key, now));
                }
                return actions;
            }
            (Touch::Card | Touch::NextCard | Touch::Swipe | Touch::TakeNotes | Touch::Tap, _) => {}
        }
        vec![]
    }

    fn key(&mut self, key: Key, now: Moment) -> Vec<FrontAction> {
        match (&mut self.step, key) {
            (Step::Menu, Key::Digit(digit)) => match digit.value() {
                1 => self.choose(Service::Purchase, Step::Amount { cents: 0 }),
                2 => self.choose(Service::Refund, Step::Amount { cents: 0 }),
                3 => self.choose(Service::Balance, Step::Card),
                4 => return self.take_back(now),
                _ => {}
            },
            (Step::Amount { cents }, Key::Digit(digit)) => {
                let typed = *cents * 10 + u64::from(digit.value());
                if typed <= CENTS_MAX {
                    *cents = typed;
                }
            }
            (Step::Amount { cents }, Key::Clear) => *cents /= 10,
            (Step::Amount { cents }, Key::Enter) if *cents > 0 => {
                self.amount = *cents;
                self.step = Step::Card;
            }
            (Step::Amount { .. } | Step::Card, Key::Cancel) => self.clear(),
            (Step::Ended(_), Key::Cancel | Key::Enter) => self.clear(),
            (
                Step::Amount { .. }
                | Step::Card
                | Step::Ended(_)
                | Step::Menu
                | Step::Pin
                | Step::Waiting,
                _,
            ) => {}
        }
        vec![]
    }

    fn choose(&mut self, service: Service, step: Step) {
        self.service = service;
        self.amount = 0;
        self.step = step;
    }

    fn tick(&mut self, now: Moment) -> Vec<FrontAction> {
        self.counter.pad.tick(now);
        match self.step {
            Step::Pin => self.pin_step(now),
            Step::Amount { .. } | Step::Card | Step::Ended(_) | Step::Menu | Step::Waiting => {
                vec![]
            }
        }
    }

    fn present(&mut self, entry: Entry, now: Moment) -> Vec<FrontAction> {
        if !self.counter.present(entry) {
            return vec![];
        }
        let is_small_tap = entry == Entry::Contactless && self.amount <= TAP_MAX;
        let kind = match self.service {
            Service::Balance => Some(kind::BALANCE),
            Service::Purchase => Some(kind::PURCHASE),
            Service::Refund | Service::TakeBack => None,
        };
        let wants = match kind {
            None => Ok(ChipWants::NoPart),
            Some(kind) => self.counter.begin_chip(kind, self.amount, now),
        };
        let needs_pin = match wants {
            Err(ending) => {
                self.end(Outcome::unanswered(ending, self.amount, None), now);
                return vec![];
            }
            Ok(ChipWants::NoPart) => self.service != Service::Refund && !is_small_tap,
            Ok(ChipWants::Pin) => true,
            Ok(ChipWants::Request) => false,
        };
        if !needs_pin {
            return self.start(None, now);
        }
        self.ask_pin(now);
        vec![]
    }

    fn ask_pin(&mut self, now: Moment) {
        match self.counter.ask_pin(now) {
            None => self.step = Step::Pin,
            Some(_) => self.end_without(Text::PadBroken),
        }
    }

    fn pin_step(&mut self, now: Moment) -> Vec<FrontAction> {
        match self.counter.pad.step() {
            PinStep::Idle | PinStep::Typing { .. } => {}
            PinStep::Cancelled | PinStep::TimedOut => {
                self.counter.abandon_chip();
                self.step = Step::Ended(End::cancelled(self.then()));
            }
            PinStep::Bypassed | PinStep::Failed(_) => self.end_without(Text::PadBroken),
            PinStep::Entered(pin) => return self.start(Some(pin), now),
            PinStep::EnteredForChip(block) => match self.counter.give_chip_pin(&block) {
                Err(ending) => self.end(Outcome::unanswered(ending, self.amount, None), now),
                Ok(ChipWants::Pin) => self.ask_pin(now),
                Ok(ChipWants::NoPart | ChipWants::Request) => return self.start(None, now),
            },
        }
        vec![]
    }

    fn start(&mut self, pin: Option<EncipheredPin>, now: Moment) -> Vec<FrontAction> {
        let Some(held) = self.counter.held.clone() else { return vec![] };
        let mut tender = Tender { pin, ..held };
        if let Err(ending) = self.counter.complete_chip(&mut tender) {
            self.end(Outcome::unanswered(ending, self.amount, None), now);
            return vec![];
        }
        let amount = self.amount;
        let form = match self.service {
            Service::Balance => PosForm::Balance(tender),
            Service::Purchase => PosForm::Purchase { tender, amount, cashback: None },
            Service::Refund => PosForm::Refund { tender, amount, of: Original::default() },
            Service::TakeBack => return vec![],
        };
        let todo = self.machine.handle(PosEvent::Start(Box::new(form)));
        self.carry_out(todo, now)
    }

    fn take_back(&mut self, now: Moment) -> Vec<FrontAction> {
        let Some(last) = self.last.clone() else { return vec![] };
        self.service = Service::TakeBack;
        let form = PosForm::Cancel { of: Box::new(last), actual: None };
        let todo = self.machine.handle(PosEvent::Start(Box::new(form)));
        self.carry_out(todo, now)
    }

    fn carry_out(&mut self, todo: Vec<TillAction>, now: Moment) -> Vec<FrontAction> {
        let mut actions = vec![];
        for action in todo {
            match action {
                // A till pays out no cash and asks for no consent.
                TillAction::AskConsent(_) | TillAction::Dispense(_) => {}
                TillAction::Finish(outcome) => actions.extend(self.finish(*outcome, now)),
                TillAction::Submit(message, on_silence) => {
                    self.step = Step::Waiting;
                    actions.push(FrontAction::Submit(message, on_silence));
                }
            }
        }
        actions
    }

    /// The last word is the card's: what it refuses is taken back before the end is told.
    fn finish(&mut self, outcome: Outcome, now: Moment) -> Vec<FrontAction> {
        if let Some((sale, ending)) = self.refused.take() {
            self.end(sale.refused_by_card(ending), now);
            return vec![];
        }
        match self.counter.take_refusal() {
            None => self.end(outcome, now),
            Some(ending) if self.service == Service::Purchase => {
                let form = PosForm::Cancel { of: Box::new(outcome.clone()), actual: None };
                self.refused = Some((outcome, ending));
                let todo = self.machine.handle(PosEvent::Start(Box::new(form)));
                return self.carry_out(todo, now);
            }
            Some(ending) => self.end(outcome.refused_by_card(ending), now),
        }
        vec![]
    }

    fn end(&mut self, outcome: Outcome, now: Moment) {
        if outcome.response_code().is_some() {
            let place = self.machine.place().clone();
            let receipt = self.counter.receipt(&place, self.service.title(), &outcome, now);
            self.counter.print(&receipt);
        }
        // A second cancellation of the same sale would have nothing to take back.
        self.last = Some(outcome.clone()).filter(|last| {
            last.is_approved() && matches!(self.service, Service::Purchase | Service::Refund)
        });
        let how = How::Outcome(Box::new(outcome));
        self.step = Step::Ended(End { how, then: self.then() });
    }

    fn end_without(&mut self, why: Text) {
        self.step = Step::Ended(End { how: How::Words(why), then: self.then() });
    }

    /// A card in the slot has to come out.
    fn then(&self) -> Option<Text> {
        let is_in = self.counter.held.as_ref().is_some_and(|held| held.entry == Entry::Chip);
        is_in.then_some(Text::TakeCard)
    }

    fn clear(&mut self) {
        self.counter.release();
        self.step = Step::Menu;
    }

    fn show(&mut self) {
        let lines = self.lines();
        self.counter.display.show(lines);
    }

    fn lines(&self) -> Vec<String> {
        let counter = &self.counter;
        let text = |text: Text| counter.text(text).to_owned();
        let title = text(self.service.title()).to_uppercase();
        let amount = |cents: u64| row(&text(Text::Amount), &money(signed(cents), counter.language));
        match &self.step {
            Step::Menu => {
                let mut lines = vec![text(Text::Choose), String::new()];
                let services = [Text::Purchase, Text::Refund, Text::Balance];
                let take_back = self.last.is_some().then_some(Text::TakeBack);
                let named = services.into_iter().chain(take_back).zip(1..);
                lines.extend(named.map(|(service, key)| format!("{key}  {}", text(service))));
                lines
            }
            Step::Amount { cents } => {
                vec![title, String::new(), amount(*cents), String::new(), text(Text::EnterAmount)]
            }
            Step::Card => {
                let mut lines = vec![title, String::new()];
                if self.amount > 0 {
                    lines.extend([amount(self.amount), String::new()]);
                }
                lines.push(text(Text::InsertTapSwipe));
                lines
            }
            Step::Pin => {
                let mut lines = vec![text(Text::EnterPin), String::new()];
                if self.amount > 0 {
                    lines.extend([amount(self.amount), String::new()]);
                }
                lines.extend([
                    format!("   {}", counter.stars()),
                    String::new(),
                    text(Text::CoverKeys),
                ]);
                lines
            }
            Step::Waiting => vec![text(Text::Wait)],
            Step::Ended(end) => counter.ending(end),
        }
    }
}

impl Front for TillFront {
    fn handle(&mut self, event: FrontEvent<'_>, now: Moment) -> Vec<FrontAction> {
        let actions = match event {
            FrontEvent::Line(event) => {
                self.counter.tell_chip(&event);
                let todo = self.machine.handle(PosEvent::Line(event));
                self.carry_out(todo, now)
            }
            FrontEvent::Tick => self.tick(now),
            FrontEvent::Touch(touch) => {
                self.counter.touched = now;
                self.touch(touch, now)
            }
        };
        self.show();
        actions
    }

    fn face(&self) -> Face<'_> {
        let place = self.place();
        Face {
            title: format!("{} · {}", place.name, place.city.to_uppercase()),
            counter: &self.counter,
            devices: vec![self.counter.device_line()],
            hands: HANDS,
        }
    }

    fn is_busy(&self) -> bool {
        match self.step {
            Step::Waiting => true,
            Step::Amount { .. } | Step::Card | Step::Ended(_) | Step::Menu | Step::Pin => false,
        }
    }

    fn leave(&mut self, _: Moment) -> Vec<FrontAction> {
        vec![]
    }
}

/// Largest amount that a till takes: 99,999.99 euros.
const CENTS_MAX: u64 = 99_999_99;
/// Up to here a card that is held to the reader needs no PIN, cents.
const TAP_MAX: u64 = 50_00;

const HANDS: &[Hand] = &[
    Hand { key: 'c', touch: Touch::Card, name: Text::HandCard },
    Hand { key: 't', touch: Touch::Tap, name: Text::HandTap },
    Hand { key: 's', touch: Touch::Swipe, name: Text::HandSwipe },
    Hand { key: '\t', touch: Touch::NextCard, name: Text::HandNext },
    Hand { key: 'l', touch: Touch::Language, name: Text::Language },
];
