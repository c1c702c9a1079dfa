//! What an operator wants a card's chip to do, and how far that came.
//!
//! A script goes out with the answer to the chip's next cryptogram; until then it waits here. PINs
//! are no operator's business: `pin_change` has the chip take the PIN that its holder enters next,
//! once that was found right.

use serde::Serialize;

use cekr_emv::issuer::{Order, QueuedScript, ScriptState};
use cekr_issuer::decide::entry as entry_of;
use cekr_issuer::{CardId, CardStatus, Now, Seq};

use super::{Control, ControlError};
use crate::entry_view;

/// A script as the API shows it.
#[derive(Clone, Debug, Serialize)]
pub struct ScriptView {
    /// Its place among all scripts of the card, from 1.
    pub script: u32,
    /// What the chip is to do: `command`, and of a value `tag` and `value`.
    #[serde(flatten)]
    pub order: serde_json::Map<String, serde_json::Value>,
    /// `pending`, `sent`, `accepted`, `cancelled` or `failed`.
    pub state: &'static str,
    /// How often it went out.
    pub sends: u8,
    /// With the answer to which of the chip's counters, the last time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub atc: Option<u16>,
}

impl From<&QueuedScript> for ScriptView {
    fn from(script: &QueuedScript) -> Self {
        let mut order = serde_json::Map::new();
        entry_view::add_order(&mut order, script.order);
        let state = match script.state {
            ScriptState::Accepted => "accepted",
            ScriptState::Cancelled => "cancelled",
            ScriptState::Failed => "failed",
            ScriptState::Pending => "pending",
            ScriptState::Sent => "sent",
        };
        let atc = (script.sends > 0).then(|| u16::from_be_bytes(script.at));
        Self { script: script.number, order, state, sends: script.sends, atc }
    }
}

impl Control {
    /// Has the card's chip do something. What waits already with the same order is not asked twice.
    ///
    /// # Errors
    /// [`ControlError`]; a closed card's chip is told nothing.
    pub fn ask_script(
        &self,
        id: CardId,
        order: Order,
        now: Now,
    ) -> Result<(ScriptView, Seq), ControlError> {
        let cell = self.shard.cards().by_id(id).ok_or(ControlError::NotFound)?;
        let now = self.shard.not_before_last(now);
        let mut card = cell.lock();
        if card.controls().status == CardStatus::Closed {
            return Err(ControlError::Conflict(CardStatus::Closed));
        }
        if let Some(fact) = card.ask_script(order).map_err(|_| ControlError::ScriptsFull)? {
            let entry = entry_of(&card, now, fact);
            self.shard.commit(cell, &mut card, &entry).map_err(|_| ControlError::Busy)?;
        }
        let asked = card.scripts().filter(|script| script.order == order).last();
        let view = asked.map(ScriptView::from).ok_or(ControlError::NotFound)?;
        Ok((view, card.last_seq()))
    }

    /// The scripts that the card remembers, the oldest first.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub fn scripts(&self, id: CardId) -> Result<(Vec<ScriptView>, Seq), ControlError> {
        let cell = self.shard.cards().by_id(id).ok_or(ControlError::NotFound)?;
        let card = cell.lock();
        Ok((card.scripts().map(ScriptView::from).collect(), card.last_seq()))
    }
}
