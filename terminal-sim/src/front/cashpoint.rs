//! A cashpoint's front: menu, amount, fee, PIN, notes, receipt, card.
//!
//! The order is the machine's ([`crate::cashpoint`]): the fee and its share are on the screen
//! before the PIN is asked for. Notes that nobody takes go into the bin and are reversed. A card
//! whose issuer wants it back (DE 39 = 04, 41, 43) stays in the machine.

use cekr_iso8583::response::Language;

use super::words::{Text, money};
use super::{Counter, End, Face, Front, FrontAction, FrontEvent, Hand, How, Touch, row, signed};
use crate::cashpoint::{Cashpoint, CashpointEvent, CashpointForm, FeeNotice};
use crate::cassettes::{AMOUNT_MAX, Cassettes, Mix};
use crate::chip_session::kind;
use crate::device::dispenser::{CashDispenser, Tray};
use crate::device::keypad::Key;
use crate::device::pin_pad::{EncipheredPin, PinStep};
use crate::form::{Entry, Tender};
use crate::moment::Moment;
use crate::outcome::Outcome;
use crate::place::Place;
use crate::pos::TillAction;

/// A cashpoint with its devices and the person before it.
#[derive(Debug)]
pub struct CashpointFront {
    /// Devices, wallet and language.
    pub counter: Counter,
    /// The notes.
    pub dispenser: CashDispenser,
    machine: Cashpoint,
    service: Service,
    step: Step,
    last: Option<Outcome>,
}

/// What a cashpoint is doing.
#[derive(Clone, Debug)]
enum Step {
    /// An amount is being typed, in whole euros.
    Amount { euros: u64 },
    /// It is over.
    Ended(End),
    /// The fee is on the screen.
    Fee(FeeNotice),
    /// No card is in.
    Idle,
    /// The card is in.
    Menu,
    /// Notes lie behind the open shutter.
    Notes(Mix),
    /// The PIN is being typed.
    Pin(PinFor),
    /// The host is asked.
    Waiting,
}

/// What a PIN is for.
#[derive(Clone, Debug)]
enum PinFor {
    /// The service that was chosen.
    Service,
    /// The new PIN of a change; the tender carries the old one.
    New(Box<Tender>),
    /// The new PIN again.
    NewAgain(Box<Tender>, EncipheredPin),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Service {
    Balance,
    PinChange,
    Withdrawal,
}

impl CashpointFront {
    /// A machine at this place with these notes.
    #[must_use]
    pub fn new(place: Place, notes: Cassettes, counter: Counter) -> Self {
        let mut front = Self {
            counter,
            machine: Cashpoint::new(place, notes.clone()),
            dispenser: CashDispenser::new(notes),
            service: Service::Withdrawal,
            step: Step::Idle,
            last: None,
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
            (Touch::NextCard, Step::Idle) => self.counter.wallet.next(),
            (Touch::Card, Step::Idle) => {
                if self.counter.present(Entry::Chip) {
                    self.step = Step::Menu;
                }
            }
            (Touch::Card, Step::Amount { .. } | Step::Ended(_) | Step::Menu) => self.give_back(),
            (Touch::Card, Step::Fee(_)) => return self.give_up(now),
            (Touch::TakeNotes, Step::Notes(_)) => {
                let note_count = self.dispenser.take().map_or(0, |mix| mix.note_count());
                return self.tell_dispensed(note_count, now);
            }
            (Touch::Key(key), Step::Pin(_)) => {
                // Straight into the pad: the machine never has the digits.
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
                1 => {
                    self.service = Service::Withdrawal;
                    self.step = Step::Amount { euros: 0 };
                }
                2 => self.ask_pin(Service::Balance, now),
                3 => self.ask_pin(Service::PinChange, now),
                _ => {}
            },
            (Step::Menu | Step::Ended(_), Key::Cancel | Key::Enter) => self.give_back(),
            (Step::Amount { euros }, Key::Digit(digit)) => {
                let typed = *euros * 10 + u64::from(digit.value());
                if typed * 100 <= AMOUNT_MAX {
                    *euros = typed;
                }
            }
            (Step::Amount { euros }, Key::Clear) => *euros /= 10,
            (Step::Amount { .. }, Key::Cancel) => self.step = Step::Menu,
            (Step::Amount { euros }, Key::Enter) => {
                let cents = *euros * 100;
                return if cents == 0 { vec![] } else { self.withdraw(cents, now) };
            }
            (Step::Fee(_), Key::Enter) => self.ask_pin(Service::Withdrawal, now),
            (Step::Fee(_), Key::Cancel) => return self.give_up(now),
            (Step::Notes(_), Key::Enter) => return self.touch(Touch::TakeNotes, now),
            (
                Step::Ended(_)
                | Step::Fee(_)
                | Step::Idle
                | Step::Menu
                | Step::Notes(_)
                | Step::Pin(_)
                | Step::Waiting,
                _,
            ) => {}
        }
        vec![]
    }

    fn tick(&mut self, now: Moment) -> Vec<FrontAction> {
        self.counter.pad.tick(now);
        match self.step {
            Step::Pin(_) => self.pin_step(now),
            Step::Notes(_) if self.dispenser.tick(now).is_some() => self.tell_dispensed(0, now),
            Step::Fee(_) if self.counter.is_idle_since(now) => self.give_up(now),
            Step::Amount { .. } | Step::Ended(_) | Step::Menu
                if self.counter.is_idle_since(now) =>
            {
                self.give_back();
                vec![]
            }
            Step::Amount { .. }
            | Step::Ended(_)
            | Step::Fee(_)
            | Step::Idle
            | Step::Menu
            | Step::Notes(_)
            | Step::Waiting => vec![],
        }
    }

    fn withdraw(&mut self, amount: u64, now: Moment) -> Vec<FrontAction> {
        let Some(tender) = self.counter.held.clone() else { return vec![] };
        self.service = Service::Withdrawal;
        if let Err(ending) = self.counter.begin_chip(kind::CASH, amount, now) {
            self.end(Outcome::unanswered(ending, amount, None), now);
            return vec![];
        }
        // The plan is made with what the dispenser can pay out now.
        self.machine.restock(self.dispenser.cassettes());
        let form = CashpointForm::Withdraw { tender, amount };
        let todo = self.machine.handle(CashpointEvent::Start(Box::new(form)));
        self.carry_out(todo, now)
    }

    fn ask_pin(&mut self, service: Service, now: Moment) {
        self.service = service;
        match self.counter.ask_pin(now) {
            None => self.step = Step::Pin(PinFor::Service),
            Some(_) => self.end_without(Text::PadBroken),
        }
    }

    /// Looks at what the pad has and goes on with it.
    fn pin_step(&mut self, now: Moment) -> Vec<FrontAction> {
        match self.counter.pad.step() {
            PinStep::Idle | PinStep::Typing { .. } => vec![],
            PinStep::Cancelled | PinStep::TimedOut => self.give_up(now),
            // No cashpoint asks for a PIN that the chip verifies.
            PinStep::Bypassed | PinStep::EnteredForChip(_) | PinStep::Failed(_) => {
                let actions = self.give_up(now);
                self.end_without(Text::PadBroken);
                actions
            }
            PinStep::Entered(pin) => self.pin_entered(pin, now),
        }
    }

    fn pin_entered(&mut self, pin: EncipheredPin, now: Moment) -> Vec<FrontAction> {
        let Step::Pin(purpose) = self.step.clone() else { return vec![] };
        let Some(held) = self.counter.held.clone() else { return vec![] };
        let form = match (purpose, self.service) {
            (PinFor::Service, Service::Withdrawal) => {
                let mut tender = Box::new(held.with_enciphered(pin));
                if let Err(ending) = self.counter.complete_chip(&mut tender) {
                    let actions = self.give_up(now);
                    self.end(Outcome::unanswered(ending, 0, None), now);
                    return actions;
                }
                let mut todo = self.machine.handle(CashpointEvent::Tendered(tender));
                todo.extend(self.machine.handle(CashpointEvent::Consent));
                return self.carry_out(todo, now);
            }
            (PinFor::Service, Service::Balance) => {
                CashpointForm::Balance(held.with_enciphered(pin))
            }
            (PinFor::Service, Service::PinChange) => {
                return self.ask_new_pin(PinFor::New(Box::new(held.with_enciphered(pin))), now);
            }
            (PinFor::New(tender), _) => {
                return self.ask_new_pin(PinFor::NewAgain(tender, pin), now);
            }
            (PinFor::NewAgain(tender, new_pin), _) if new_pin == pin => {
                CashpointForm::PinChange { tender: *tender, new_pin }
            }
            (PinFor::NewAgain(..), _) => {
                self.end_without(Text::PinsDiffer);
                return vec![];
            }
        };
        self.start(form, now)
    }

    /// Starts what needs no money, the chip's part in it first.
    fn start(&mut self, mut form: CashpointForm, now: Moment) -> Vec<FrontAction> {
        let part = match &mut form {
            CashpointForm::Balance(tender) => Some((tender, kind::BALANCE)),
            CashpointForm::PinChange { tender, .. } => Some((tender, kind::PIN_CHANGE)),
            CashpointForm::Cancel { .. } | CashpointForm::Withdraw { .. } => None,
        };
        if let Some((tender, kind)) = part {
            let begun = self.counter.begin_chip(kind, 0, now);
            if let Err(ending) = begun.and_then(|_| self.counter.complete_chip(tender)) {
                self.end(Outcome::unanswered(ending, 0, None), now);
                return vec![];
            }
        }
        let todo = self.machine.handle(CashpointEvent::Start(Box::new(form)));
        self.carry_out(todo, now)
    }

    fn ask_new_pin(&mut self, purpose: PinFor, now: Moment) -> Vec<FrontAction> {
        match self.counter.ask_pin(now) {
            None => self.step = Step::Pin(purpose),
            Some(_) => self.end_without(Text::PadBroken),
        }
        vec![]
    }

    /// Does what the machine wants, until it waits for somebody.
    fn carry_out(&mut self, todo: Vec<TillAction>, now: Moment) -> Vec<FrontAction> {
        let mut actions = vec![];
        for action in todo {
            match action {
                TillAction::AskConsent(notice) => self.step = Step::Fee(notice),
                TillAction::Dispense(mix) => actions.extend(self.dispense(&mix, now)),
                TillAction::Finish(outcome) => self.end(*outcome, now),
                TillAction::Submit(message, on_silence) => {
                    self.step = Step::Waiting;
                    actions.push(FrontAction::Submit(message, on_silence));
                }
            }
        }
        actions
    }

    fn dispense(&mut self, mix: &Mix, now: Moment) -> Vec<FrontAction> {
        if self.counter.chip_refused() {
            return self.tell_dispensed(0, now);
        }
        let stacked = self.dispenser.stage(mix);
        // Nobody opens a shutter over nothing; an empty stack is cleared by presenting it.
        let presented = stacked.and_then(|stacked| {
            self.dispenser.present(now)?;
            Ok(stacked)
        });
        match presented {
            Ok(stacked) if stacked.note_count() > 0 => {
                self.step = Step::Notes(stacked);
                vec![]
            }
            Ok(_) | Err(_) => {
                self.dispenser.retract();
                self.tell_dispensed(0, now)
            }
        }
    }

    fn tell_dispensed(&mut self, note_count: u32, now: Moment) -> Vec<FrontAction> {
        let todo = self.machine.handle(CashpointEvent::Dispensed { note_count });
        self.carry_out(todo, now)
    }

    /// The person does not want it any more: before the PIN is sent nothing has happened.
    fn give_up(&mut self, now: Moment) -> Vec<FrontAction> {
        self.counter.abandon_chip();
        let todo = self.machine.handle(CashpointEvent::Cancel);
        if todo.is_empty() {
            self.step = Step::Ended(End::cancelled(Some(Text::TakeCard)));
        }
        self.carry_out(todo, now)
    }

    fn end(&mut self, mut outcome: Outcome, now: Moment) {
        if let Some(ending) = self.counter.take_refusal() {
            outcome.ending = ending;
        }
        if outcome.response_code().is_some() {
            let title = match self.service {
                Service::Balance => Text::Balance,
                Service::PinChange => Text::PinChange,
                Service::Withdrawal => Text::CashWithdrawal,
            };
            let place = self.machine.place().clone();
            let receipt = self.counter.receipt(&place, title, &outcome, now);
            self.counter.print(&receipt);
        }
        let mut then = Text::TakeCard;
        if outcome.response_code().is_some_and(|code| PICK_UP.contains(&&code)) {
            self.counter.keep_card();
            then = Text::CardKept;
        }
        self.last = Some(outcome.clone());
        self.step = Step::Ended(End { how: How::Outcome(Box::new(outcome)), then: Some(then) });
    }

    /// Ends before anything was sent.
    fn end_without(&mut self, why: Text) {
        self.step = Step::Ended(End { how: How::Words(why), then: Some(Text::TakeCard) });
    }

    fn give_back(&mut self) {
        self.counter.release();
        self.step = Step::Idle;
    }

    fn show(&mut self) {
        let lines = self.lines();
        self.counter.display.show(lines);
    }

    /// What stands on the glass: a headline, then the rest.
    fn lines(&self) -> Vec<String> {
        let counter = &self.counter;
        let text = |text: Text| counter.text(text).to_owned();
        let money = |cents: u64| money(signed(cents), counter.language);
        match &self.step {
            Step::Idle => vec![text(Text::Welcome), String::new(), text(Text::InsertCard)],
            Step::Menu => vec![
                text(Text::Choose),
                String::new(),
                format!("1  {}", text(Text::CashWithdrawal)),
                format!("2  {}", text(Text::Balance)),
                format!("3  {}", text(Text::PinChange)),
                format!("✗  {}", text(Text::CardBack)),
            ],
            Step::Amount { euros } => vec![
                text(Text::CashWithdrawal).to_uppercase(),
                String::new(),
                row(&text(Text::Amount), &format!("{euros} €")),
                String::new(),
                text(Text::EnterAmount),
                format!("{}: {}", text(Text::NotesAre), self.notes()),
            ],
            Step::Fee(notice) => self.fee_lines(notice),
            Step::Pin(purpose) => {
                let headline = match purpose {
                    PinFor::Service => Text::EnterPin,
                    PinFor::New(_) => Text::EnterNewPin,
                    PinFor::NewAgain(..) => Text::EnterNewPinAgain,
                };
                let stars = format!("   {}", counter.stars());
                vec![text(headline), String::new(), stars, String::new(), text(Text::CoverKeys)]
            }
            Step::Waiting => vec![text(Text::Wait)],
            Step::Notes(mix) => {
                let notes = mix.notes.iter().rev().filter(|note| note.note_count > 0);
                let each =
                    notes.map(|note| format!("{} × {}", note.note_count, money(note.denomination)));
                let mut lines = vec![text(Text::TakeNotes), String::new(), money(mix.total())];
                lines.extend(each);
                lines
            }
            Step::Ended(end) => counter.ending(end),
        }
    }

    fn fee_lines(&self, notice: &FeeNotice) -> Vec<String> {
        let counter = &self.counter;
        let money = |cents: u64| money(signed(cents), counter.language);
        let text = |text: Text| counter.text(text).to_owned();
        let mut lines = vec![
            text(Text::Fee).to_uppercase(),
            String::new(),
            row(&text(Text::CashWithdrawal), &money(notice.amount)),
        ];
        match (notice.fee, notice.share_percent()) {
            (Some(fee), Some(share)) => {
                lines.push(row(&text(Text::Fee), &money(fee)));
                lines.push(row(&text(Text::Total), &money(notice.amount + fee)));
                lines.push(String::new());
                lines.push(format!("{} {share} %.", text(Text::ThisCosts)));
            }
            (None, _) | (_, None) => lines.push(text(Text::FeeUnknown)),
        }
        lines.push(String::new());
        lines.push(text(Text::ConfirmOrCancel));
        lines
    }

    /// The notes that are there: `10, 20, 50 €`.
    fn notes(&self) -> String {
        let cassettes = self.dispenser.cassettes();
        let there = cassettes.contents().iter().filter(|cassette| cassette.note_count > 0);
        let names: Vec<String> = there.map(|note| (note.denomination / 100).to_string()).collect();
        format!("{} €", names.join(", "))
    }

    /// The bays: `10 €: 500 · 20 €: 1000`; a bay that cannot pay says why.
    fn cassette_line(&self) -> String {
        use crate::device::dispenser::CassetteState::{Empty, Jammed, Low, Missing, Ok};
        let state = |(cassette, state)| {
            let crate::cassettes::Cassette { denomination, note_count } = cassette;
            let word = match (state, self.counter.language) {
                (Ok, _) => "",
                (Low, Language::En) => " low",
                (Low, Language::Sl) => " malo",
                (Empty, Language::En) => " empty",
                (Empty, Language::Sl) => " prazno",
                (Jammed, Language::En) => " jammed",
                (Jammed, Language::Sl) => " zataknjeno",
                (Missing, Language::En) => " missing",
                (Missing, Language::Sl) => " manjka",
            };
            format!("{} €: {note_count}{word}", denomination / 100)
        };
        self.dispenser.states().map(state).collect::<Vec<_>>().join(" · ")
    }

    /// What lies behind the open shutter, in cents.
    fn notes_out(&self) -> Option<u64> {
        match self.dispenser.tray() {
            Tray::Presented(mix, _) => Some(mix.total()),
            Tray::Empty | Tray::Stacked(_) => None,
        }
    }
}

impl Front for CashpointFront {
    fn handle(&mut self, event: FrontEvent<'_>, now: Moment) -> Vec<FrontAction> {
        let actions = match event {
            FrontEvent::Line(event) => {
                self.counter.tell_chip(&event);
                let todo = self.machine.handle(CashpointEvent::Line(event));
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
        let counter = &self.counter;
        let cassettes = format!("{}: {}", counter.text(Text::Cassettes), self.cassette_line());
        let mut devices = counter.device_line();
        if let Some(cents) = self.notes_out() {
            let sum = money(signed(cents), counter.language);
            devices.push_str(&format!(" · {}: {sum}", counter.text(Text::Tray)));
        }
        Face {
            title: format!("{} · {}", place.name, place.city.to_uppercase()),
            counter,
            devices: vec![cassettes, devices],
            hands: HANDS,
        }
    }

    fn is_busy(&self) -> bool {
        match self.step {
            Step::Notes(_) | Step::Waiting => true,
            Step::Amount { .. }
            | Step::Ended(_)
            | Step::Fee(_)
            | Step::Idle
            | Step::Menu
            | Step::Pin(_) => false,
        }
    }

    fn leave(&mut self, now: Moment) -> Vec<FrontAction> {
        let actions = match self.step {
            Step::Fee(_) | Step::Pin(_) => self.give_up(now),
            Step::Notes(_) => {
                self.dispenser.retract();
                self.tell_dispensed(0, now)
            }
            Step::Amount { .. } | Step::Ended(_) | Step::Idle | Step::Menu | Step::Waiting => {
                vec![]
            }
        };
        self.show();
        actions
    }
}

/// DE 39 that ask to keep the card: pick up, lost, stolen.
const PICK_UP: [&[u8; 2]; 3] = [b"04", b"41", b"43"];

const HANDS: &[Hand] = &[
    Hand { key: 'c', touch: Touch::Card, name: Text::HandCard },
    Hand { key: 'm', touch: Touch::TakeNotes, name: Text::HandNotes },
    Hand { key: '\t', touch: Touch::NextCard, name: Text::HandNext },
    Hand { key: 'l', touch: Touch::Language, name: Text::Language },
];
