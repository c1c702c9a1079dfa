//! Taking loads back: what the payment provider refunds, what a payer's bank charges back.

use cekr_issuer::card::LOAD_TAKEN_BACK_MS;
use cekr_issuer::decide::entry as entry_of;
use cekr_issuer::entry::{LoadName, LoadSource, LoadTakenBack, Loaded, Reference, TakeBackCause};
use cekr_issuer::{Amount, Balance, CardId, Entry, Fact, Now, Seq};

use crate::control::{CardView, Control, ControlError};
use crate::shard::Shard;

/// Which load.
#[derive(Clone, Copy, Debug)]
pub enum LoadNamed {
    /// The one of this entry.
    Entry(Seq),
    /// The one that was posted to a card by this reference.
    Reference {
        /// The card.
        card: CardId,
        /// Its source.
        source: LoadSource,
        /// Its reference.
        reference: Reference,
    },
}

/// A load as its entry tells it.
pub(super) struct LoadFound {
    seq: Seq,
    card: CardId,
    amount: Amount,
    source: LoadSource,
    at: u64,
}

impl LoadFound {
    /// The load of the entry `seq`, if it is one.
    pub(super) fn at(shard: &Shard, seq: Seq) -> Option<Self> {
        let entry = shard.entry(seq)?;
        let card = entry.card()?;
        let Fact::Loaded(Loaded { amount, source, .. }) = entry.fact else {
            return None;
        };
        Some(Self { seq, card, amount, source, at: entry.at })
    }
}

impl Control {
    /// Takes back a load, or a part of it; the card may go below zero. What has the same
    /// `reference` for the same load has one effect.
    ///
    /// # Errors
    /// [`ControlError::NoSuchLoad`]: no load is known by this name, it is older than thirteen
    /// months, or comes from another source. [`ControlError::TakenBackTooMuch`].
    pub fn take_back(
        &self,
        load: LoadNamed,
        amount: Amount,
        cause: TakeBackCause,
        reference: Reference,
        now: Now,
    ) -> Result<(CardView, Seq), ControlError> {
        if amount.is_zero() {
            return Err(ControlError::AmountZero);
        }
        let shard = self.shard();
        let now = shard.not_before_last(now);
        let seq = match load {
            LoadNamed::Entry(seq) => seq,
            LoadNamed::Reference { card, source, reference } => {
                let cell = shard.cards().by_id(card).ok_or(ControlError::NotFound)?;
                let found = cell.lock().load_of(source, &reference);
                found.ok_or(ControlError::NoSuchLoad)?
            }
        };
        let found = LoadFound::at(shard, seq).ok_or(ControlError::NoSuchLoad)?;
        let id = found.card;
        taken_back(shard, &found, amount, cause, LoadName::Reference(reference), now)?;
        self.card(id)
    }
}

/// Takes back `amount` of a load; `None` where this was done before.
pub(super) fn taken_back(
    shard: &Shard,
    load: &LoadFound,
    amount: Amount,
    cause: TakeBackCause,
    name: LoadName,
    now: Now,
) -> Result<Option<(Seq, Entry)>, ControlError> {
    let is_too_old = now.unix_ms.saturating_sub(load.at) > LOAD_TAKEN_BACK_MS;
    if is_too_old || !cause.takes(load.source) {
        return Err(ControlError::NoSuchLoad);
    }
    let cell = shard.cards().by_id(load.card).ok_or(ControlError::NotFound)?;
    let mut card = cell.lock();
    shard.settle_due(cell, &mut card, now).map_err(|_| ControlError::Busy)?;
    if card.has_taken_back(load.seq, &name) {
        return Ok(None);
    }
    let left = load.amount.saturating_sub(card.taken_back_of(load.seq));
    let is_told = card.available().minus(amount) >= Balance::TOLD_MIN;
    if amount > left || !is_told || !card.remembers_taking_back(now.unix_ms) {
        return Err(ControlError::TakenBackTooMuch);
    }
    let fact = LoadTakenBack {
        load: load.seq,
        cause,
        amount,
        left: left.saturating_sub(amount),
        name,
        balance: card.balance().minus(amount),
        available: card.available().minus(amount),
    };
    let entry = entry_of(&card, now, Fact::LoadTakenBack(fact));
    let seq = shard.commit(cell, &mut card, &entry).map_err(|_| ControlError::Busy)?;
    Ok(Some((seq, entry)))
}
