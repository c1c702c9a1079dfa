//! Plays a terminal's front: keys go in as text, a switch made of a closure answers.
#![allow(dead_code, reason = "each test file uses its part of it")]

use cekr_emv::pin::Pin;
use cekr_iso8583::Pan;
use cekr_iso8583::response::Language;
use cekr_terminal_sim::card::Card;
use cekr_terminal_sim::cassettes::Cassettes;
use cekr_terminal_sim::chip_session::{ChipSession, IssuerProof};
use cekr_terminal_sim::device::keypad::Key;
use cekr_terminal_sim::device::reader::{ChipSlot, Reader};
use cekr_terminal_sim::form::{self, PinPad};
use cekr_terminal_sim::front::cashpoint::CashpointFront;
use cekr_terminal_sim::front::till::TillFront;
use cekr_terminal_sim::front::{Counter, Front, FrontAction, FrontEvent, Touch, Wallet};
use cekr_terminal_sim::message::Message;
use cekr_terminal_sim::moment::Moment;
use cekr_terminal_sim::place::Place;
use cekr_terminal_sim::pos::LineEvent;
use cekr_terminal_sim::reply::{Balance, Reply};

/// 2026-11-22, 11:00:00 in Kranj.
pub(crate) const START: Moment = Moment::from_unix_ms(1_795_341_600_000);

/// A terminal, a clock, and a switch that answers what a test wants.
pub(crate) struct Play<F> {
    pub(crate) front: F,
    pub(crate) now: Moment,
    /// What was sent, as it went out.
    pub(crate) sent: Vec<Message>,
    answer: fn(&Message) -> Option<Reply>,
    stan: u32,
}

impl Play<CashpointFront> {
    pub(crate) fn cashpoint(language: Language, answer: fn(&Message) -> Option<Reply>) -> Self {
        let place = Place::cashpoint("NLB bankomat", "Kranj", *b"SI");
        let counter = Counter::new(wallet(), language, 1);
        let front = CashpointFront::new(place, Cassettes::default(), counter);
        Self::new(front, answer)
    }

    /// The same with chips in the cards and a kernel in the machine.
    pub(crate) fn cashpoint_with_chips(answer: fn(&Message) -> Option<Reply>) -> Self {
        let place = Place::cashpoint("NLB bankomat", "Kranj", *b"SI");
        let counter = with_chips(&place);
        Self::new(CashpointFront::new(place, Cassettes::default(), counter), answer)
    }
}

impl Play<TillFront> {
    pub(crate) fn till(language: Language, answer: fn(&Message) -> Option<Reply>) -> Self {
        let place = Place::shop("Mercator", "Kranj", *b"SI");
        let counter = Counter::new(wallet(), language, 1);
        Self::new(TillFront::new(place, counter), answer)
    }

    /// The same with chips in the cards and a kernel in the till.
    pub(crate) fn till_with_chips(answer: fn(&Message) -> Option<Reply>) -> Self {
        let place = Place::shop("Mercator", "Kranj", *b"SI");
        let counter = with_chips(&place);
        Self::new(TillFront::new(place, counter), answer)
    }
}

impl<F: Front> Play<F> {
    fn new(front: F, answer: fn(&Message) -> Option<Reply>) -> Self {
        Self { front, now: START, sent: vec![], answer, stan: 0 }
    }

    /// Digits and `+` confirm, `<` clear, `x` cancel, `c` card, `m` notes, `t` tap, `s` swipe,
    /// `n` next card, `l` language.
    pub(crate) fn type_in(&mut self, keys: &str) -> &mut Self {
        for key in keys.chars() {
            let touch = match key {
                '+' => Touch::Key(Key::Enter),
                '<' => Touch::Key(Key::Clear),
                'c' => Touch::Card,
                'l' => Touch::Language,
                'm' => Touch::TakeNotes,
                'n' => Touch::NextCard,
                's' => Touch::Swipe,
                't' => Touch::Tap,
                'x' => Touch::Key(Key::Cancel),
                digit => Touch::Key(Key::of_char(digit).unwrap()),
            };
            self.happen(FrontEvent::Touch(touch));
        }
        self
    }

    /// Lets time pass.
    pub(crate) fn wait_ms(&mut self, ms: u64) -> &mut Self {
        self.now = self.now.plus_ms(ms);
        self.happen(FrontEvent::Tick);
        self
    }

    fn happen(&mut self, event: FrontEvent<'_>) {
        let mut todo = self.front.handle(event, self.now);
        while let Some(FrontAction::Submit(message, _)) = todo.pop() {
            self.stan += 1;
            let sent = form::stamp(message, self.stan, self.now);
            self.sent.push(sent.clone());
            let answer = (self.answer)(&sent);
            todo.extend(self.front.handle(FrontEvent::Line(LineEvent::Sent(sent)), self.now));
            let news = match &answer {
                Some(reply) => LineEvent::Answered(reply),
                // The switch thinks on; a test calls `time_out` when it has seen enough.
                None => continue,
            };
            todo.extend(self.front.handle(FrontEvent::Line(news), self.now));
        }
    }

    /// Nobody answered in time.
    pub(crate) fn time_out(&mut self) -> &mut Self {
        self.happen(FrontEvent::Line(LineEvent::TimedOut));
        self
    }

    /// What stands on the glass, without empty lines.
    pub(crate) fn glass(&self) -> Vec<String> {
        let face = self.front.face();
        let lines = face.counter.display.lines();
        lines.iter().filter(|line| !line.is_empty()).cloned().collect()
    }

    /// Message types and processing codes of what was sent.
    pub(crate) fn kinds(&self) -> Vec<(u16, u64)> {
        let kind = |sent: &Message| (sent.mti().number(), sent.as_number(3).unwrap_or(0));
        self.sent.iter().map(kind).collect()
    }
}

fn cards() -> [Card; 2] {
    let cards = [("ana", b"4761730000000011"), ("bor", b"4761730000000029")];
    cards.map(|(name, pan)| Card::new(name, Pan::parse(pan).unwrap(), 3012).unwrap())
}

pub(crate) fn wallet() -> Wallet {
    Wallet::new(cards())
}

fn with_chips(place: &Place) -> Counter {
    let pin = Pin::parse(b"1234").unwrap();
    let wallet = cards().map(|card| {
        let chip = card.development_chip(&pin, 0);
        (card, chip)
    });
    let reader = Reader::Slot(ChipSlot::new(1));
    let chip = ChipSession::new(reader, place, PinPad::Present, IssuerProof::Required, 1);
    Counter::new(Wallet::with_chips(wallet), Language::Sl, 1).with_chip(chip)
}

/// A switch with a card that has 100 euros and a fee of 15 on cash.
pub(crate) fn generous(message: &Message) -> Option<Reply> {
    let is_cash = message.as_number(18) == Some(6011) && message.has(4);
    let available = Balance { kind: 2, cents: 35_00 };
    Some(Reply {
        response_code: Some(*b"00"),
        auth_code: Some(*b"A1B2C3"),
        fee: is_cash.then_some(15_00),
        amount: message.as_number(4),
        balances: if message.as_number(3) == Some(320_000) { vec![] } else { vec![available] },
        ..Reply::default()
    })
}

/// A switch that answers the enquiry and declines the rest with this code.
pub(crate) fn declining(message: &Message, code: [u8; 2], remark: &str) -> Option<Reply> {
    if message.as_number(3) == Some(320_000) {
        return generous(message);
    }
    Some(Reply { response_code: Some(code), remark: remark.to_owned(), ..Reply::default() })
}

pub(crate) fn silent(_: &Message) -> Option<Reply> {
    None
}
