//! A web shop: the number is typed, the card is not there (DE 22 = 812, DE 25 = 59).
//!
//! The same rules as at a till: one order at a time, no I/O, no clock, no randomness. An order goes
//! with what the card's issuer gave for it ([`crate::three_ds`]: ECI 05 and a value), or without
//! and says so by ECI 07. Only [`results`] has a socket: the issuer calls the shop.

pub mod results;

use crate::card::Card;
use crate::form::{self, Authentication, Entry, Original, Tender};
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
        /// What the card's issuer gave for it.
        given: Option<Authentication>,
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
            ShopForm::Buy { card, amount, cvv2, given } => {
                let place = &self.place;
                let message = match given {
                    None => form::web_purchase(place, &card, amount, cvv2),
                    Some(given) => form::authenticated_purchase(place, &card, amount, cvv2, &given),
                };
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
