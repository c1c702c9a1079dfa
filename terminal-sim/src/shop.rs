//! A web shop: the number is typed, the card is not there (DE 22 = 812, DE 25 = 59, ECI 07).
//!
//! The same rules as at a till: one order at a time, no I/O, no clock, no randomness. Strong
//! confirmation by the cardholder does not exist yet; orders go without it and say so by ECI 07.

use crate::card::Card;
use crate::form::{self, Entry, Original, Tender};
use crate::link::OnSilence;
use crate::outcome::Outcome;
use crate::place::Place;
use crate::pos::{Exchange, LineEvent, TillAction, cancel};

/// What a buyer or the shop starts.
#[derive(Clone, Debug)]
pub enum ShopForm {
    /// An order (0100).
    Buy {
        /// The card whose number is typed.
        card: Card,
        /// Cents.
        amount: u64,
        /// The three digits from the back.
        cvv2: Option<[u8; 3]>,
    },
    /// Takes an order back.
    Cancel {
        /// The order, as its outcome tells it.
        of: Box<Outcome>,
    },
    /// Pays back.
    Refund {
        /// The card.
        card: Card,
        /// Cents.
        amount: u64,
        /// The order.
        of: Original,
    },
}

/// What happens in a web shop: an order, or news from the line.
#[derive(Debug)]
pub enum ShopEvent<'a> {
    /// News from the line.
    Line(LineEvent<'a>),
    /// Somebody orders or takes back.
    Start(Box<ShopForm>),
}

/// One web shop.
#[derive(Debug)]
pub struct Shop {
    place: Place,
    exchange: Exchange,
}

impl Shop {
    /// A shop with its seat at this place.
    #[must_use]
    pub const fn new(place: Place) -> Self {
        Self { place, exchange: Exchange::Idle }
    }

    /// Its seat.
    #[must_use]
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// Takes one event and says what is to be done, in order.
    pub fn handle(&mut self, event: ShopEvent<'_>) -> Vec<TillAction> {
        match event {
            ShopEvent::Start(form) => self.start(*form),
            ShopEvent::Line(event) => self.exchange.hear(event),
        }
    }

    fn start(&mut self, form: ShopForm) -> Vec<TillAction> {
        match form {
            ShopForm::Buy { card, amount, cvv2 } => {
                let message = form::web_purchase(&self.place, &card, amount, cvv2);
                self.exchange.start(amount, message, OnSilence::Reverse)
            }
            ShopForm::Cancel { of } => cancel(&mut self.exchange, &of, None),
            ShopForm::Refund { card, amount, of } => {
                let tender = Tender::new(card, Entry::Ecommerce);
                let message = form::refund(&self.place, &tender, amount, &of);
                self.exchange.start(amount, message, OnSilence::Reverse)
            }
        }
    }
}
