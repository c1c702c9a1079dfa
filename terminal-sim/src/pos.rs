//! A till: purchase, cashback, refund, preauthorization, completion, balance, cancellation.
//!
//! A state machine without I/O, clock or randomness. It makes the messages and judges the
//! answers; the line ([`crate::link`]) carries them, keeps the time and reverses by itself what
//! stays unanswered. One transaction at a time, as at a real till.
//!
//! ```
//! use cekr_iso8583::Pan;
//! use cekr_terminal_sim::card::Card;
//! use cekr_terminal_sim::form::{Entry, Tender};
//! use cekr_terminal_sim::place::Place;
//! use cekr_terminal_sim::pos::{Pos, PosEvent, PosForm, TillAction};
//!
//! let pan = Pan::parse(b"4761730000000011").expect("a valid number");
//! let tender = Tender::new(Card::new("ana", pan, 3012).expect("a valid expiry"), Entry::Chip);
//! let mut till = Pos::new(Place::shop("Mercator Kranj", "Kranj", *b"SI"));
//! let form = PosForm::Purchase { tender, amount: 24_90, cashback: None };
//! assert!(matches!(till.handle(PosEvent::Start(Box::new(form)))[..], [TillAction::Submit(..)]));
//! ```

use crate::device::pin_pad::EncipheredPin;
use crate::form::{self, Cause, Original, Tender};
use crate::link::{OnSilence, Refusal};
use crate::message::Message;
use crate::outcome::{Ending, Outcome};
use crate::place::Place;
use crate::reply::Reply;

/// What a person starts at a till.
#[derive(Clone, Debug)]
pub enum PosForm {
    /// How much is there?
    Balance(Tender),
    /// Takes a transaction back (0400, DE 39 = 17), all of it or down to `actual` cents.
    Cancel {
        /// The transaction, as its outcome tells it.
        of: Box<Outcome>,
        /// New total in cents; `None` takes all back.
        actual: Option<u64>,
    },
    /// Completes a preauthorization with the final amount (0220).
    Complete {
        /// The card.
        tender: Tender,
        /// Cents.
        amount: u64,
        /// The preauthorization.
        of: Original,
    },
    /// Holds more on top of a preauthorization (0100, DE 25 = 06, DE 90).
    Increment {
        /// The card.
        tender: Tender,
        /// Cents on top.
        amount: u64,
        /// The preauthorization.
        of: Original,
    },
    /// Changes the PIN; the tender carries the old one.
    PinChange {
        /// The card with its old PIN.
        tender: Tender,
        /// The new PIN, under the same key as the old one.
        new_pin: EncipheredPin,
    },
    /// Holds an estimated amount (0100, DE 25 = 06).
    Preauthorize {
        /// The card.
        tender: Tender,
        /// Cents.
        amount: u64,
    },
    /// Sells (0200); cash on top is part of `amount`.
    Purchase {
        /// The card.
        tender: Tender,
        /// Cents in total.
        amount: u64,
        /// Cents of it in cash.
        cashback: Option<u64>,
    },
    /// Pays back.
    Refund {
        /// The card.
        tender: Tender,
        /// Cents.
        amount: u64,
        /// The purchase, as far as the receipt tells it.
        of: Original,
    },
}

impl PosForm {
    /// Cents that are asked for.
    #[must_use]
    pub const fn asked(&self) -> u64 {
        match self {
            Self::Balance(_) | Self::PinChange { .. } => 0,
            Self::Cancel { of, .. } => of.asked,
            Self::Complete { amount, .. }
            | Self::Increment { amount, .. }
            | Self::Preauthorize { amount, .. }
            | Self::Purchase { amount, .. }
            | Self::Refund { amount, .. } => *amount,
        }
    }

    /// Whether an approval holds or moves money that can be taken back.
    #[must_use]
    pub const fn moves_money(&self) -> bool {
        match self {
            Self::Balance(_) | Self::Cancel { .. } | Self::PinChange { .. } => false,
            Self::Complete { .. }
            | Self::Increment { .. }
            | Self::Preauthorize { .. }
            | Self::Purchase { .. }
            | Self::Refund { .. } => true,
        }
    }
}

/// What happens at a till.
#[derive(Debug)]
pub enum PosEvent<'a> {
    /// News from the line.
    Line(LineEvent<'a>),
    /// Somebody starts a transaction.
    Start(Box<PosForm>),
}

/// What the line tells a terminal about its request.
#[derive(Debug)]
pub enum LineEvent<'a> {
    /// The answer came.
    Answered(&'a Reply),
    /// It was not sent.
    Refused(Refusal),
    /// It was sent; this is how it went out.
    Sent(Message),
    /// No answer in time.
    TimedOut,
}

/// What a till, a cashpoint or a web shop wants done.
#[derive(Debug)]
pub enum TillAction {
    /// Show the fee before the PIN is asked for, and wait for consent (cashpoint only).
    AskConsent(crate::cashpoint::FeeNotice),
    /// Pay out these notes (cashpoint only).
    Dispense(crate::cassettes::Mix),
    /// The transaction is over; take the next.
    Finish(Box<Outcome>),
    /// Send this; the line does what is named when nobody answers.
    Submit(Message, OnSilence),
}

/// One till.
#[derive(Debug)]
pub struct Pos {
    place: Place,
    exchange: Exchange,
}

impl Pos {
    /// A till at this place.
    #[must_use]
    pub const fn new(place: Place) -> Self {
        Self { place, exchange: Exchange::Idle }
    }

    /// Where it stands.
    #[must_use]
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// Takes one event and says what is to be done, in order. An event that does not belong to
    /// the current state changes nothing.
    pub fn handle(&mut self, event: PosEvent<'_>) -> Vec<TillAction> {
        match event {
            PosEvent::Start(form) => self.start(*form),
            PosEvent::Line(event) => self.exchange.hear(event),
        }
    }

    fn start(&mut self, form: PosForm) -> Vec<TillAction> {
        let place = &self.place;
        match form {
            PosForm::Balance(tender) => {
                self.exchange.start(0, form::balance(place, &tender), OnSilence::Forget)
            }
            PosForm::Cancel { of, actual } => cancel(&mut self.exchange, &of, actual),
            PosForm::Complete { tender, amount, of } => {
                let message = form::completion(place, &tender, amount, &of);
                self.exchange.start(amount, message, OnSilence::Repeat)
            }
            PosForm::Increment { tender, amount, of } => {
                let message = form::increment(place, &tender, amount, &of);
                self.exchange.start(amount, message, OnSilence::Reverse)
            }
            PosForm::PinChange { tender, new_pin } => {
                let message = form::pin_change(place, &tender, &new_pin);
                self.exchange.start(0, message, OnSilence::Forget)
            }
            PosForm::Preauthorize { tender, amount } => {
                let message = form::preauthorization(place, &tender, amount);
                self.exchange.start(amount, message, OnSilence::Reverse)
            }
            PosForm::Purchase { tender, amount, cashback } => {
                let message = form::purchase(place, &tender, amount, cashback);
                self.exchange.start(amount, message, OnSilence::Reverse)
            }
            PosForm::Refund { tender, amount, of } => {
                let message = form::refund(place, &tender, amount, &of);
                self.exchange.start(amount, message, OnSilence::Reverse)
            }
        }
    }
}

/// The reversal of a finished transaction; nothing was sent, so nothing is taken back.
pub(crate) fn cancel(
    exchange: &mut Exchange,
    of: &Outcome,
    actual: Option<u64>,
) -> Vec<TillAction> {
    match &of.sent {
        None => {
            let outcome = Outcome::unanswered(Ending::Cancelled, of.asked, None);
            vec![TillAction::Finish(Box::new(outcome))]
        }
        Some(sent) => {
            let message = form::reversal(sent, Cause::Cancelled, actual, of.auth_code);
            exchange.start(of.asked, message, OnSilence::Repeat)
        }
    }
}

/// One request and its answer: what all terminals have in common.
#[derive(Debug)]
pub(crate) enum Exchange {
    /// Nothing is under way.
    Idle,
    /// A request waits; the message once the line has sent it.
    Waiting { asked: u64, sent: Option<Message> },
}

impl Exchange {
    pub(crate) fn start(
        &mut self,
        asked: u64,
        message: Message,
        on_silence: OnSilence,
    ) -> Vec<TillAction> {
        match self {
            Self::Waiting { .. } => vec![],
            Self::Idle => {
                *self = Self::Waiting { asked, sent: None };
                vec![TillAction::Submit(message, on_silence)]
            }
        }
    }

    /// What the line's news mean when the transaction is nothing but this exchange.
    pub(crate) fn hear(&mut self, event: LineEvent<'_>) -> Vec<TillAction> {
        match event {
            LineEvent::Answered(reply) => {
                let outcome = self.finish(reply).map(Box::new);
                outcome.map(TillAction::Finish).into_iter().collect()
            }
            LineEvent::Refused(why) => self.ended(Ending::Refused(why)),
            LineEvent::Sent(message) => {
                self.sent(message);
                vec![]
            }
            LineEvent::TimedOut => self.ended(Ending::TimedOut),
        }
    }

    pub(crate) fn sent(&mut self, message: Message) {
        match self {
            Self::Idle => {}
            Self::Waiting { sent, .. } => *sent = Some(message),
        }
    }

    /// The outcome of this answer, unless nothing waits.
    pub(crate) fn finish(&mut self, reply: &Reply) -> Option<Outcome> {
        match core::mem::replace(self, Self::Idle) {
            Self::Idle => None,
            Self::Waiting { asked, sent } => Some(Outcome::answered(reply, asked, sent)),
        }
    }

    pub(crate) fn ended(&mut self, ending: Ending) -> Vec<TillAction> {
        match core::mem::replace(self, Self::Idle) {
            Self::Idle => vec![],
            Self::Waiting { asked, sent } => {
                let mut outcome = Outcome::unanswered(ending, asked, sent);
                if ending == Ending::TimedOut {
                    outcome.reversed = Some(Cause::TooLate);
                }
                vec![TillAction::Finish(Box::new(outcome))]
            }
        }
    }
}
