//! The front of a terminal: what a person sees, touches and puts into it.
//!
//! [`cashpoint::CashpointFront`] and [`till::TillFront`] join a terminal's state machine with its
//! devices. Touches, answers of the line and the passing of time go in as [`FrontEvent`]s; what is
//! to be sent comes out as [`FrontAction`]s. No socket, clock, thread or screen: whoever owns the
//! terminal feeds it and draws it, and a test plays it with keys and answers of its own.
//!
//! People's hands are part of it: a [`Wallet`] of cards that can be inserted, held to the reader
//! or pulled through, and hands that take notes or leave them.

pub mod cashpoint;
mod chip_part;
pub mod till;
pub mod words;

use cekr_emv::chip::Chip;
use cekr_iso8583::Pan;
use cekr_iso8583::response::Language;

use self::chip_part::ChipPart;
use self::words::{Text, money};
use crate::card::Card;
use crate::chip_session::ChipSession;
use crate::device::display::Display;
use crate::device::keypad::{Key, Keypad};
use crate::device::pin_pad::{Bypass, PinPad, PinRequest, PinStep, PinTarget};
use crate::device::printer::{Paper, ReceiptLine, ReceiptPrinter, VALUE_COLUMNS};
use crate::device::reader::Reader;
use crate::form::{Entry, Tender};
use crate::link::OnSilence;
use crate::message::Message;
use crate::moment::Moment;
use crate::outcome::{Ending, Outcome};
use crate::place::Place;
use crate::pos::LineEvent;

/// What happens at a terminal.
#[derive(Debug)]
pub enum FrontEvent<'a> {
    /// News from the line about the message that was submitted last.
    Line(LineEvent<'a>),
    /// Time passes.
    Tick,
    /// A person does something.
    Touch(Touch),
}

/// What a person does at a terminal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Touch {
    /// Puts the chosen card in, or takes it out.
    Card,
    /// Presses a key.
    Key(Key),
    /// Changes the language of what is shown.
    Language,
    /// Chooses the next card of the wallet.
    NextCard,
    /// Pulls the chosen card through the stripe reader (till only).
    Swipe,
    /// Takes the notes (cashpoint only).
    TakeNotes,
    /// Holds the chosen card to the reader (till only).
    Tap,
}

/// What a terminal wants done.
#[derive(Debug)]
pub enum FrontAction {
    /// Send this; the line does what is named when nobody answers.
    Submit(Message, OnSilence),
}

/// A terminal as whoever owns it sees it: events in, actions out, something to draw.
pub trait Front {
    /// Takes one event and says what is to be sent.
    fn handle(&mut self, event: FrontEvent<'_>, now: Moment) -> Vec<FrontAction>;

    /// What a screen shows.
    fn face(&self) -> Face<'_>;

    /// True while money or an answer is on its way: nobody should switch it off.
    fn is_busy(&self) -> bool;

    /// Ends what can be ended at once, before it is switched off: an entry is given up, notes
    /// that nobody took go into the bin.
    fn leave(&mut self, now: Moment) -> Vec<FrontAction>;
}

/// The cards that a person carries, one of them at hand.
#[derive(Debug)]
pub struct Wallet {
    cards: Vec<Carried>,
    chosen: usize,
}

/// One card; its chip is elsewhere while a terminal has it.
struct Carried {
    card: Card,
    chip: Option<Box<Chip>>,
}

impl core::fmt::Debug for Carried {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.card.fmt(f)
    }
}

impl Wallet {
    /// These cards without chips, the first at hand; those beyond [`CARDS_MAX`] stay at home.
    #[must_use]
    pub fn new(cards: impl IntoIterator<Item = Card>) -> Self {
        Self::with_chips(cards.into_iter().map(|card| (card, None)))
    }

    /// These cards with their chips, if they have one.
    #[must_use]
    pub fn with_chips(cards: impl IntoIterator<Item = (Card, Option<Box<Chip>>)>) -> Self {
        let carried = cards.into_iter().map(|(card, chip)| Carried { card, chip });
        Self { cards: carried.take(CARDS_MAX).collect(), chosen: 0 }
    }

    /// The card at hand.
    #[must_use]
    pub fn chosen(&self) -> Option<&Card> {
        self.cards.get(self.chosen).map(|carried| &carried.card)
    }

    fn take_chip(&mut self) -> Option<Box<Chip>> {
        self.cards.get_mut(self.chosen)?.chip.take()
    }

    /// The chip of this card comes back.
    fn put_chip(&mut self, pan: Pan, chip: Option<Box<Chip>>) {
        if let Some(carried) = self.cards.iter_mut().find(|carried| *carried.card.pan() == pan) {
            carried.chip = chip;
        }
    }

    /// The names of all cards, each with whether it is at hand.
    pub fn names(&self) -> impl Iterator<Item = (&str, bool)> {
        self.cards
            .iter()
            .enumerate()
            .map(|(at, carried)| (carried.card.name.as_str(), at == self.chosen))
    }

    /// Takes the card of this name to hand, if there is one.
    pub fn choose(&mut self, name: &str) {
        if let Some(at) = self.cards.iter().position(|carried| carried.card.name == name) {
            self.chosen = at;
        }
    }

    fn next(&mut self) {
        self.chosen = (self.chosen + 1).checked_rem(self.cards.len()).unwrap_or(0);
    }

    /// A card that a machine keeps.
    fn lose(&mut self, pan: Pan) {
        self.cards.retain(|carried| *carried.card.pan() != pan);
        self.chosen = self.chosen.min(self.cards.len().saturating_sub(1));
    }
}

/// What every terminal has, whatever it sells.
#[derive(Debug)]
pub struct Counter {
    /// The holder's cards.
    pub wallet: Wallet,
    /// The PIN pad.
    pub pad: PinPad,
    /// The keys beside it.
    pub keypad: Keypad,
    /// The printer.
    pub printer: ReceiptPrinter,
    /// The glass.
    pub display: Display,
    /// The language of what is shown and printed.
    pub language: Language,
    /// Kernel and reader, where the terminal has them.
    pub chip: Option<ChipSession<Reader>>,
    /// The chip's part in this visit.
    pub(crate) part: ChipPart,
    /// The card in the terminal or at its reader, and how it is read.
    pub(crate) held: Option<Tender>,
    /// What the printer gave out last.
    pub(crate) paper: Vec<String>,
    /// When somebody last did something.
    pub(crate) touched: Moment,
}

impl Counter {
    /// Whole devices, a pad with the development zone key, and this wallet; `seed` decides what
    /// the devices draw.
    #[must_use]
    pub fn new(wallet: Wallet, language: Language, seed: u64) -> Self {
        Self {
            wallet,
            pad: PinPad::development(seed),
            keypad: Keypad::default(),
            printer: ReceiptPrinter::default(),
            display: Display::new(DISPLAY_COLUMNS, DISPLAY_ROWS),
            language,
            chip: None,
            part: ChipPart::default(),
            held: None,
            paper: vec![],
            touched: Moment::default(),
        }
    }

    /// The card that the terminal holds.
    #[must_use]
    pub fn held(&self) -> Option<&Tender> {
        self.held.as_ref()
    }

    /// The last receipt, line by line; empty when there is none to take.
    #[must_use]
    pub fn paper(&self) -> &[String] {
        &self.paper
    }

    pub(crate) fn text(&self, text: Text) -> &'static str {
        text.words(self.language)
    }

    pub(crate) fn toggle_language(&mut self) {
        self.language = match self.language {
            Language::En => Language::Sl,
            Language::Sl => Language::En,
        };
    }

    /// The card at hand goes to the terminal.
    pub(crate) fn present(&mut self, entry: Entry) -> bool {
        self.held = self.wallet.chosen().map(|card| Tender::new(card.clone(), entry));
        self.paper.clear();
        let has_chip = matches!(entry, Entry::Chip | Entry::Contactless);
        if let Some(slot) = self.chip.as_mut().and_then(|chip| chip.reader.slot())
            && has_chip
            && let Some(chip) = self.wallet.take_chip()
        {
            slot.insert(chip);
        }
        self.held.is_some()
    }

    /// The card goes back into the wallet, the receipt with it.
    pub(crate) fn release(&mut self) {
        let chip = self.chip.as_mut().and_then(|chip| chip.reader.slot()?.remove());
        if let Some(held) = self.held.take() {
            self.wallet.put_chip(*held.card.pan(), chip);
        }
        self.paper.clear();
    }

    /// The machine keeps the card for good.
    pub(crate) fn keep_card(&mut self) {
        self.chip.as_mut().and_then(|chip| chip.reader.slot()?.remove());
        if let Some(held) = self.held.take() {
            self.wallet.lose(*held.card.pan());
        }
    }

    /// Asks the holder for a PIN; `None` when the pad asks, else why it cannot.
    pub(crate) fn ask_pin(&mut self, now: Moment) -> Option<PinStep> {
        let pan = *self.held.as_ref()?.card.pan();
        let request = match self.chip_wants_pin() {
            Some((challenge, key)) => {
                PinRequest { target: PinTarget::Chip(challenge, key), bypass: Bypass::Refused }
            }
            None => PinRequest::online(pan),
        };
        self.pad.begin(request, now).err().map(PinStep::Failed)
    }

    /// Stars for what was typed.
    pub(crate) fn stars(&self) -> String {
        match self.pad.step() {
            PinStep::Typing { digit_count } => "* ".repeat(digit_count),
            PinStep::Bypassed
            | PinStep::Cancelled
            | PinStep::Entered(_)
            | PinStep::EnteredForChip(_)
            | PinStep::Failed(_)
            | PinStep::Idle
            | PinStep::TimedOut => String::new(),
        }
    }

    /// Prints and cuts; a printer that cannot leaves no paper, and the terminal goes on.
    pub(crate) fn print(&mut self, lines: &[ReceiptLine]) {
        let printed = self.printer.print(lines).and_then(|()| self.printer.cut());
        self.paper = printed.unwrap_or_default();
    }

    /// Card slot and printer, for the line about the devices.
    pub(crate) fn device_line(&self) -> String {
        let card = match &self.held {
            None => self.text(Text::NoCard).to_owned(),
            Some(tender) => {
                let how = match tender.entry {
                    Entry::Chip => self.text(Text::Inserted),
                    Entry::Contactless => self.text(Text::Held),
                    Entry::Stripe => self.text(Text::Swiped),
                    Entry::Ecommerce | Entry::Key => "",
                };
                format!("{} {how}", tender.card.name)
            }
        };
        let paper = match self.printer.paper() {
            Paper::Low => Text::PaperLow,
            Paper::Ok => Text::PaperOk,
            Paper::Out => Text::PaperOut,
        };
        let (slot, printer) = (self.text(Text::Slot), self.text(Text::Printer));
        format!("{slot}: {card} · {printer}: {}", self.text(paper))
    }

    pub(crate) fn is_idle_since(&self, now: Moment) -> bool {
        now.ms_since(self.touched) >= IDLE_MS
    }

    /// What a receipt says of an outcome.
    pub(crate) fn receipt(
        &self,
        place: &Place,
        title: Text,
        outcome: &Outcome,
        now: Moment,
    ) -> Vec<ReceiptLine> {
        let pair =
            |name: Text, value: String| ReceiptLine::Pair(self.text(name).to_uppercase(), value);
        let money = |cents| money(cents, self.language);
        let terminal = String::from_utf8_lossy(&place.terminal).trim_end().to_owned();
        let mut lines = vec![
            ReceiptLine::Centred(place.name.clone()),
            ReceiptLine::Centred(format!("{} {}", place.city, place.country_text())),
            ReceiptLine::Rule,
            pair(Text::Terminal, format!("{terminal}  {}", date_and_time(now))),
        ];
        if let Some(tender) = &self.held {
            let name = Text::Card.words(self.language);
            lines.push(ReceiptLine::Card(name, tender.card.pan().masked()));
        }
        if outcome.asked > 0 {
            lines.push(pair(title, money(signed(outcome.dispensed.unwrap_or(outcome.asked)))));
        } else {
            lines.push(ReceiptLine::Centred(self.text(title).to_uppercase()));
        }
        if outcome.fee > 0 {
            lines.push(pair(Text::Fee, money(signed(outcome.fee))));
        }
        let (code, words) = (outcome.response_code_text(), outcome.words(self.language));
        let answer = format!("{code} {words}");
        if answer.chars().count() <= VALUE_COLUMNS {
            lines.push(pair(Text::Answer, answer));
        } else {
            lines.push(pair(Text::Answer, code));
            lines.push(ReceiptLine::Centred(words));
        }
        if let Some(code) = outcome.auth_code_text() {
            lines.push(pair(Text::Approval, code));
        }
        if let Some(rrn) = outcome.rrn() {
            lines.push(ReceiptLine::Pair("RRN".to_owned(), rrn));
        }
        if let Some(available) = outcome.available {
            lines.push(pair(Text::Available, money(available)));
        }
        lines
    }

    /// What is shown at the end: how it ended, what is left, what to do.
    pub(crate) fn ending(&self, end: &End) -> Vec<String> {
        let mut lines = match &end.how {
            How::Outcome(outcome) => self.outcome_lines(outcome),
            How::Words(words) => vec![self.text(*words).to_uppercase()],
        };
        lines.extend(end.then.map(|then| self.text(then).to_owned()));
        lines
    }

    fn outcome_lines(&self, outcome: &Outcome) -> Vec<String> {
        let mut headline = outcome.words(self.language).to_uppercase();
        if outcome.response_code().is_some() {
            headline.push_str(&format!(" ({})", outcome.response_code_text()));
        }
        let mut lines = vec![headline];
        if !outcome.remark.is_empty() {
            lines.push(outcome.remark.clone());
        }
        if let Some(available) = outcome.available {
            let name = self.text(Text::Available);
            lines.push(format!("{name}: {}", money(available, self.language)));
        }
        lines
    }
}

/// The end of a visit, kept as what it is so that it can be told in either language.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) how: How,
    /// What the person should do now.
    pub(crate) then: Option<Text>,
}

/// How a visit ended.
#[derive(Clone, Debug)]
pub(crate) enum How {
    Outcome(Box<Outcome>),
    /// Before anything was sent.
    Words(Text),
}

impl End {
    /// The person gave up before anything was sent.
    pub(crate) fn cancelled(then: Option<Text>) -> Self {
        let outcome = Outcome::unanswered(Ending::Cancelled, 0, None);
        Self { how: How::Outcome(Box::new(outcome)), then }
    }
}

/// What a screen shows of a terminal, whatever it sells.
#[derive(Debug)]
pub struct Face<'a> {
    /// The machine and where it stands.
    pub title: String,
    /// Devices, wallet and language.
    pub counter: &'a Counter,
    /// Lines about the devices, at most two.
    pub devices: Vec<String>,
    /// What hands can do here, beside the keys.
    pub hands: &'static [Hand],
}

/// One thing that hands can do.
#[derive(Clone, Copy, Debug)]
pub struct Hand {
    /// The key on a keyboard; `\t` stands for Tab.
    pub key: char,
    /// What it does.
    pub touch: Touch,
    /// How it is called.
    pub name: Text,
}

/// A name at the left and a sum at the right, in the columns of the display.
pub(crate) fn row(name: &str, value: &str) -> String {
    format!("{name:<24}{value:>14}")
}

pub(crate) fn signed(cents: u64) -> i64 {
    i64::try_from(cents).unwrap_or(i64::MAX)
}

/// `22.11. 11:00:00`, local.
fn date_and_time(now: Moment) -> String {
    let (date, time) = (now.local_date(), now.local_time());
    let (month, day) = (date / 100, date % 100);
    format!("{day}.{month}. {:02}:{:02}:{:02}", time / 10_000, time / 100 % 100, time % 100)
}

/// Cards that fit into a wallet.
pub const CARDS_MAX: usize = 16;
/// The glass of both terminals.
pub const DISPLAY_COLUMNS: usize = 46;
/// Rows of the glass.
pub const DISPLAY_ROWS: usize = 16;
/// After so many milliseconds without a touch a terminal gives the card back.
pub const IDLE_MS: u64 = 45_000;
