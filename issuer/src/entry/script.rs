//! Facts about the scripts to a card's chip, and their octets.
//!
//! ```text
//!  28 outcome, 0 where it was asked for   29 sendings   30 counter of the last one (2)
//!  32 number (u32)                        36 order (10): kind, and of a value: length, tag, octets
//! ```

use cekr_emv::crypto::derive::Atc;
use cekr_emv::issuer::{Command, Datum, Order, ScriptOutcome};

use super::octets::{put, take};
use super::{EntryBytes, EntryError};

/// A script that somebody wants the chip to carry out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ScriptAsked {
    /// Its place among all scripts of the card, from 1.
    pub number: u32,
    /// What the chip is to do.
    pub order: Order,
}

/// What became of a script.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ScriptSettled {
    /// Its place among all scripts of the card, from 1.
    pub number: u32,
    /// What the chip was to do.
    pub order: Order,
    /// What came of it.
    pub outcome: ScriptOutcome,
    /// How often it went out.
    pub sends: u8,
    /// With the answer to which of the chip's counters, the last time.
    pub at: Atc,
}

/// An order in octets: kind; of a value its length, tag and octets, else zeros.
pub(crate) type OrderBytes = [u8; 10];

impl ScriptAsked {
    pub(crate) fn order_octets(order: Order) -> OrderBytes {
        let Order::Command(command) = order else {
            return [KIND_PIN_CHANGE, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        };
        let kind = match command {
            Command::ApplicationBlock => KIND_APPLICATION_BLOCK,
            Command::ApplicationUnblock => KIND_APPLICATION_UNBLOCK,
            Command::CardBlock => KIND_CARD_BLOCK,
            Command::PinUnblock => KIND_PIN_UNBLOCK,
            Command::PutData(datum) => {
                let mut octets = [0; 10];
                let len = u8::try_from(datum.value().len()).unwrap_or_default();
                let [high, low] = datum.tag.to_be_bytes();
                let all = [KIND_PUT_DATA, len, high, low].into_iter();
                let all = all.chain(datum.value().iter().copied());
                octets.iter_mut().zip(all).for_each(|(to, from)| *to = from);
                return octets;
            }
        };
        [kind, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    }

    pub(crate) fn order_of(octets: &OrderBytes) -> Option<Order> {
        let [kind, len, high, low, value @ ..] = octets;
        let command = match *kind {
            KIND_APPLICATION_BLOCK => Command::ApplicationBlock,
            KIND_APPLICATION_UNBLOCK => Command::ApplicationUnblock,
            KIND_CARD_BLOCK => Command::CardBlock,
            KIND_PIN_CHANGE => return Some(Order::PinChange),
            KIND_PIN_UNBLOCK => Command::PinUnblock,
            KIND_PUT_DATA => {
                let tag = u16::from_be_bytes([*high, *low]);
                Command::PutData(Datum::new(tag, value.get(..usize::from(*len))?)?)
            }
            _ => return None,
        };
        Some(Order::Command(command))
    }

    pub(super) fn encode(&self, out: &mut EntryBytes) {
        put(out, 32, self.number.to_le_bytes());
        put(out, 36, Self::order_octets(self.order));
    }

    pub(super) fn decode(octets: &EntryBytes) -> Result<Self, EntryError> {
        Ok(Self {
            number: u32::from_le_bytes(take(octets, 32)),
            order: Self::order_of(&take(octets, 36)).ok_or(EntryError::BadField(36))?,
        })
    }
}

impl ScriptSettled {
    pub(super) fn encode(&self, out: &mut EntryBytes) {
        let outcome = match self.outcome {
            ScriptOutcome::Accepted => ACCEPTED,
            ScriptOutcome::Cancelled => CANCELLED,
            ScriptOutcome::Failed => FAILED,
            ScriptOutcome::Refused => REFUSED,
        };
        put(out, 28, [outcome, self.sends]);
        put(out, 30, self.at);
        ScriptAsked { number: self.number, order: self.order }.encode(out);
    }

    pub(super) fn decode(octets: &EntryBytes) -> Result<Self, EntryError> {
        let ScriptAsked { number, order } = ScriptAsked::decode(octets)?;
        let [outcome, sends] = take(octets, 28);
        let outcome = match outcome {
            ACCEPTED => ScriptOutcome::Accepted,
            CANCELLED => ScriptOutcome::Cancelled,
            FAILED => ScriptOutcome::Failed,
            REFUSED => ScriptOutcome::Refused,
            _ => return Err(EntryError::BadField(28)),
        };
        Ok(Self { number, order, outcome, sends, at: take(octets, 30) })
    }
}

const KIND_APPLICATION_BLOCK: u8 = 1;
const KIND_APPLICATION_UNBLOCK: u8 = 2;
const KIND_CARD_BLOCK: u8 = 3;
const KIND_PIN_CHANGE: u8 = 4;
const KIND_PIN_UNBLOCK: u8 = 5;
const KIND_PUT_DATA: u8 = 6;

const ACCEPTED: u8 = 1;
const CANCELLED: u8 = 2;
const FAILED: u8 = 3;
const REFUSED: u8 = 4;
