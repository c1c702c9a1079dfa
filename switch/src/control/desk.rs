//! What the people at the desks see of a card beside what its holder does.
//!
//! Cards by how their number ends, what is held and until when, and the entries of clearing for
//! those who keep a copy of them. Nothing here changes anything.

use std::fmt;

use cekr_emv::issuer::{Command, Order};
use cekr_issuer::entry::{NO_MERCHANT, ReversalFate};
use cekr_issuer::transaction::{Money, Transaction};
use cekr_issuer::{CardId, Fact, Now, Seq};
use serde::Serialize;

use super::{CardView, Control, ControlError, ScriptView};
use crate::entry_view;
use crate::table::Cell;

/// The last four digits of a card's number. `Debug` shows none of them.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct LastFour(u64);

impl LastFour {
    /// Reads exactly four digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_four = text.len() == 4 && text.bytes().all(|c| c.is_ascii_digit());
        text.parse().ok().filter(|_| is_four).map(Self)
    }

    fn ends(self, cell: &Cell) -> bool {
        cell.pan().is_some_and(|pan| pan.expose() % 10_000 == self.0)
    }
}

impl fmt::Debug for LastFour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LastFour(****)")
    }
}

/// What a chip may be told to do from a desk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ChipOrder {
    /// Refuse every transaction until it is unblocked.
    ApplicationBlock,
    /// Take transactions again.
    ApplicationUnblock,
    /// Refuse everything for good.
    CardBlock,
    /// Take the PIN that its holder enters next.
    PinChange,
    /// Count PIN tries anew.
    PinUnblock,
}

impl ChipOrder {
    /// The name in API and audit.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ApplicationBlock => "application_block",
            Self::ApplicationUnblock => "application_unblock",
            Self::CardBlock => "card_block",
            Self::PinChange => "pin_change",
            Self::PinUnblock => "pin_unblock",
        }
    }

    const fn order(self) -> Order {
        match self {
            Self::ApplicationBlock => Order::Command(Command::ApplicationBlock),
            Self::ApplicationUnblock => Order::Command(Command::ApplicationUnblock),
            Self::CardBlock => Order::Command(Command::CardBlock),
            Self::PinChange => Order::PinChange,
            Self::PinUnblock => Order::Command(Command::PinUnblock),
        }
    }
}

/// Money that is set aside.
#[derive(Clone, Debug, Serialize)]
pub struct HoldView {
    /// The entry that made it.
    pub seq: u64,
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// When it comes back unless it is posted before.
    pub expires_at: String,
    /// Cents, without the fee.
    pub amount: u64,
    /// Cents of the fee.
    pub fee: u64,
    /// `cashpoint`, `online` or `pos`.
    pub channel: &'static str,
    /// DE 42, where there was one.
    pub merchant: Option<String>,
}

/// What a card has inside.
#[derive(Clone, Debug, Serialize)]
pub struct InsideView {
    /// `2030-12`.
    pub expiry: String,
    /// Whether the programme's limits apply to it.
    pub limited: bool,
    /// Wrong PINs that are left.
    pub pin_tries_left: u8,
    /// Posted transactions that still wait to be cleared.
    pub uncleared: usize,
    /// The newest holds, the newest first.
    pub holds: Vec<HoldView>,
    /// Whether there are more holds than are shown.
    pub has_more_holds: bool,
}

impl Control {
    /// Cards whose number ends so, in the order of their issue behind `after`, at most `limit`, of
    /// the next `scanned_max`; and the card through which was looked, `None` at the end.
    #[must_use]
    pub fn cards_ending(
        &self,
        last_four: LastFour,
        after: Option<CardId>,
        (limit, scanned_max): (usize, u32),
    ) -> (Vec<CardView>, Seq, Option<CardId>) {
        let cards = self.shard.cards();
        let first = after.map_or(0, |id| id.0.saturating_add(1));
        let end = cards.len().min(first.saturating_add(scanned_max));
        let (mut found, mut newest) = (Vec::new(), Seq::NONE);
        for ordinal in first..end {
            let id = CardId(ordinal);
            if !cards.by_id(id).is_some_and(|cell| last_four.ends(cell)) {
                continue;
            }
            if let Some(card) = self.shard.snapshot(id) {
                newest = newest.max(card.last_seq);
                found.push(self.view(&card));
            }
            if found.len() >= limit {
                return (found, newest, Some(id));
            }
        }
        let through = (end < cards.len()).then(|| CardId(end.saturating_sub(1)));
        (found, newest, through)
    }

    /// Has the card's chip do something, as [`Control::ask_script`] does.
    ///
    /// # Errors
    /// [`ControlError`]; a closed card's chip is told nothing.
    pub fn ask_chip(
        &self,
        id: CardId,
        order: ChipOrder,
        now: Now,
    ) -> Result<(ScriptView, Seq), ControlError> {
        self.ask_script(id, order.order(), now)
    }

    /// What a card has inside; of its holds the newest, at most `holds_max`.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub fn inside(&self, id: CardId, holds_max: usize) -> Result<(InsideView, Seq), ControlError> {
        let cell = self.shard.cards().by_id(id).ok_or(ControlError::NotFound)?;
        let card = cell.lock();
        let expiry = card.controls().expiry;
        let mut open = card.transactions().iter().rev().filter_map(hold);
        let holds: Vec<HoldView> = open.by_ref().take(holds_max).collect();
        let has_more_holds = open.next().is_some();
        let waits = |kept: &&Transaction| kept.money == Money::Posted && !kept.is_cleared;
        let inside = InsideView {
            expiry: format!("20{:02}-{:02}", expiry.year(), expiry.month()),
            limited: card.is_limited(),
            pin_tries_left: card.pin_tries_left(),
            uncleared: card.transactions().iter().filter(waits).count(),
            holds,
            has_more_holds,
        };
        Ok((inside, card.last_seq()))
    }

    /// Those of the entries behind `after` that come of clearing or were parked for a person, as
    /// the journal's dump shows them, and the entry through which was looked: at most
    /// `scanned_max` further, and not behind `newest`, which is durable.
    #[must_use]
    pub fn clearing_and_parked(
        &self,
        after: Seq,
        newest: Seq,
        scanned_max: usize,
    ) -> (Vec<(Seq, serde_json::Value)>, Seq) {
        let shard = self.shard();
        let scanned = u64::try_from(scanned_max).unwrap_or(u64::MAX);
        let through = newest.min(Seq(after.0.saturating_add(scanned)));
        let behind = (after.0.saturating_add(1)..=through.0).map(Seq);
        let entries = behind.filter_map(|seq| Some((seq, shard.entry(seq)?)));
        let wanted = entries.filter(|(_, entry)| concerns_clearing(&entry.fact));
        (wanted.map(|(seq, entry)| (seq, entry_view::json(shard, seq, &entry))).collect(), through)
    }
}

/// Whether it comes of clearing, or waits for a person.
fn concerns_clearing(fact: &Fact) -> bool {
    matches!(fact, Fact::Cleared(_) | Fact::LineParked(_) | Fact::Parked(_))
        || matches!(fact, Fact::Completed(completed) if !completed.parked.is_zero())
        || matches!(fact, Fact::Reversed(reversed) if reversed.fate != ReversalFate::Done)
}

fn hold(kept: &Transaction) -> Option<HoldView> {
    let Money::Held { expires_at } = kept.money else {
        return None;
    };
    Some(HoldView {
        seq: kept.seq.0,
        at: entry_view::moment(kept.at),
        expires_at: entry_view::moment(expires_at),
        amount: kept.amount_left.minor(),
        fee: kept.fee_left.minor(),
        channel: kept.place.name(),
        merchant: (kept.merchant != NO_MERCHANT).then(|| kept.merchant.to_string()),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    #[test]
    fn a_card_is_found_by_its_last_four_digits_within_what_was_looked_at() {
        let control = Control::new(
            crate::fuzzing::small_engine().shard().clone(),
            crate::sync::Arc::default(),
        );
        let (first, _) = control.card(CardId(0)).unwrap();
        let ends = first.pan_masked.get(first.pan_masked.len() - 4..).unwrap();
        let last_four = LastFour::parse(ends).unwrap();
        let (found, seq, _) = control.cards_ending(last_four, None, (10, u32::MAX));
        assert!(found.iter().any(|card| card.id == first.id), "{ends}");
        assert!(seq > Seq::NONE);
        let (none, _, through) = control.cards_ending(last_four, Some(CardId(0)), (10, 0));
        assert!(none.is_empty() && through == Some(CardId(0)) || control.shard.cards().len() == 1);
        let (inside, _) = control.inside(CardId(0), 5).unwrap();
        assert!(inside.holds.is_empty() && !inside.has_more_holds);
    }

    #[test]
    fn four_digits_are_four_digits_and_are_not_shown() {
        for wrong in ["", "123", "12345", "12a4", "+123"] {
            assert_eq!(LastFour::parse(wrong), None, "{wrong}");
        }
        assert_eq!(format!("{:?}", LastFour::parse("0011").unwrap()), "LastFour(****)");
    }
}
