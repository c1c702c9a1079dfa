//! What operators and websites may ask of cards: one interface, and what it shows.
//!
//! Nothing here waits: a change comes back with the number of the entry that must be durable
//! before anybody is told. Time comes in as an argument.

mod confirmations;
pub mod desk;
mod durable;
mod limits;
mod lookup;
mod points;
pub mod process;
mod scripts;

use serde::Serialize;

use cekr_emv::issuer::SCRIPTS_MAX;
use cekr_issuer::confirmation::ConfirmationRefused;
use cekr_issuer::decide::entry as entry_of;
use cekr_issuer::entry::{LoadName, LoadSource, Reference};
use cekr_issuer::limit::{LoadRefused, OwnLimit};
use cekr_issuer::{
    Amount, Balance, Card, CardId, CardStatus, Channels, Controls, Fact, Now, Policy, Seq,
};

use crate::entry_view;
use crate::shard::{Shard, Snapshot, loaded};
use crate::sync::Arc;

pub use confirmations::{ConfirmationView, SealedConfirmation};
pub use durable::{Durable, JournalFailed};
pub use limits::{LimitChange, LimitsPatch, LimitsView};
pub use lookup::LastSix;
pub use points::{EnrolledView, ExpiringView, PointsHistory, PointsLine, PointsView};
pub use scripts::ScriptView;

/// The interface.
#[derive(Clone)]
pub struct Control {
    shard: Arc<Shard>,
    policy: Arc<Policy>,
}

/// A card as the API shows it.
#[derive(Clone, Debug, Serialize)]
pub struct CardView {
    /// Opaque.
    pub id: String,
    /// The handle for people.
    pub name: String,
    /// First six and last four digits.
    pub pan_masked: String,
    /// Nine digits.
    pub mok_id: String,
    /// `active`, `locked`, `lost`, `stolen`, `closed` or `not_activated`.
    pub state: &'static str,
    /// The ticks.
    pub channels: ChannelsView,
    /// The holder's own limits.
    pub limits: LimitsView,
    /// Cents, holds included.
    pub balance: i64,
    /// Cents, less holds.
    pub available: i64,
    /// Always `EUR`.
    pub currency: &'static str,
    /// Counts the changes of state and ticks.
    pub version: u32,
}

/// The three ticks.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ChannelsView {
    /// Purchases without the card.
    pub online: bool,
    /// Payments outside Slovenia.
    pub abroad: bool,
    /// Cash.
    pub cashpoint: bool,
}

impl From<Channels> for ChannelsView {
    fn from(ticks: Channels) -> Self {
        Self {
            online: ticks.contains(Channels::ONLINE),
            abroad: ticks.contains(Channels::ABROAD),
            cashpoint: ticks.contains(Channels::CASHPOINT),
        }
    }
}

/// Ticks to be changed; what is not named stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct ChannelsPatch {
    /// Purchases without the card.
    pub online: Option<bool>,
    /// Payments outside Slovenia.
    pub abroad: Option<bool>,
    /// Cash.
    pub cashpoint: Option<bool>,
}

impl ChannelsPatch {
    fn applied_to(self, ticks: Channels) -> Channels {
        let changes = [
            (Channels::ONLINE, self.online),
            (Channels::ABROAD, self.abroad),
            (Channels::CASHPOINT, self.cashpoint),
        ];
        changes.into_iter().fold(ticks, |ticks, (channel, change)| match change {
            Some(ticked) => ticks.with(channel, ticked),
            None => ticks,
        })
    }
}

/// Why a card was reported.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Report {
    /// It is lost.
    Lost,
    /// It was stolen.
    Stolen,
}

/// Why a control was not applied; nothing has changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ControlError {
    /// More than a balance can tell.
    #[error("the amount is larger than a balance can be")]
    AmountTooLarge,
    /// A load of nothing.
    #[error("the amount must be above zero")]
    AmountZero,
    /// The journal takes no more entries now.
    #[error("too much work is waiting for the journal; try again")]
    Busy,
    /// A step of a confirmation is not taken.
    #[error(transparent)]
    Confirmation(#[from] ConfirmationRefused),
    /// The card's state does not allow it.
    #[error("the card is {}", .0.name())]
    Conflict(CardStatus),
    /// The item of suspense went elsewhere.
    #[error("the item is in suspense no more")]
    ItemLeft,
    /// Only what came in can go back.
    #[error("the bank took this item: there is no payer to return it to")]
    ItemTaken,
    /// The journal has failed: what was changed will never be told.
    #[error("the journal has failed; the switch is stopping")]
    JournalFailed,
    /// A load would pass this limit.
    #[error("the load would pass the limit {}", limit_name(*.0))]
    Limit(LoadRefused),
    /// The holder's limit would be above the programme's.
    #[error("the limit {} is above the programme's", .0.name())]
    LimitAboveProgramme(OwnLimit),
    /// No card has this id.
    #[error("no such card")]
    NotFound,
    /// No item of suspense has this number.
    #[error("no such item in suspense")]
    NoSuchItem,
    /// No load is known by this name, or none that can be taken back so.
    #[error("no load of this name can be taken back so")]
    NoSuchLoad,
    /// The holder must be asked of this purchase, or it would be declined.
    #[error("the purchase is not exempt from confirmation")]
    NotExempt,
    /// The security module gave no answer.
    #[error("the security module is not available; try again")]
    SecurityModule,
    /// No place is left for keys of statement lines, or for items of suspense.
    #[error(
        "as many statement lines are remembered, or items in suspense, as there may be; let items \
         leave suspense, or wait for the next month"
    )]
    StatementsFull,
    /// More than is left of the load, or of what can be remembered.
    #[error("more would be taken back than is left of the load")]
    TakenBackTooMuch,
    /// Every place for scripts is taken by one that waits.
    #[error("{SCRIPTS_MAX} scripts wait for the card's chip; no more can be remembered")]
    ScriptsFull,
}

/// The setting that a refused load would pass.
#[must_use]
pub const fn limit_name(refused: LoadRefused) -> &'static str {
    match refused {
        LoadRefused::BalanceMax => "balance_max",
        LoadRefused::Day => "load_day",
        LoadRefused::Month => "load_month",
    }
}

/// A page of a list: the items, and whether more follow.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Whether more follow.
    pub has_more: bool,
}

impl Control {
    /// The interface to `shard`, whose limits are in `policy`.
    #[must_use]
    pub const fn new(shard: Arc<Shard>, policy: Arc<Policy>) -> Self {
        Self { shard, policy }
    }

    /// The shard behind it.
    #[must_use]
    pub const fn shard(&self) -> &Arc<Shard> {
        &self.shard
    }

    /// The card that an opaque id names.
    #[must_use]
    pub fn id(&self, token: &str) -> Option<CardId> {
        let id = CardId(self.shard.keyring().ordinal(token)?);
        self.shard.cards().by_id(id).map(|_| id)
    }

    /// Cards in the order of their issue, after `after`, at most `limit`.
    #[must_use]
    pub fn cards(&self, after: Option<CardId>, limit: usize) -> (Page<CardView>, Seq) {
        let first = after.map_or(0, |id| id.0.saturating_add(1));
        let count = self.shard.cards().len();
        let ids = (first..count).map(CardId).take(limit);
        let snapshots: Vec<Snapshot> = ids.filter_map(|id| self.shard.snapshot(id)).collect();
        let newest = snapshots.iter().map(|card| card.last_seq).max().unwrap_or_default();
        let has_more = (count.saturating_sub(first) as usize) > snapshots.len();
        let items = snapshots.iter().map(|card| self.view(card)).collect();
        (Page { items, has_more }, newest)
    }

    /// The card with this handle.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<CardId> {
        self.shard.id_by_name(name)
    }

    /// A card, and the entry that must be durable before it is shown.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub fn card(&self, id: CardId) -> Result<(CardView, Seq), ControlError> {
        let card = self.shard.snapshot(id).ok_or(ControlError::NotFound)?;
        Ok((self.view(&card), card.last_seq))
    }

    /// Sets ticks; what is not named stays.
    ///
    /// # Errors
    /// [`ControlError`]; a closed card keeps its ticks.
    pub fn set_channels(
        &self,
        id: CardId,
        patch: ChannelsPatch,
        now: Now,
    ) -> Result<(CardView, Seq), ControlError> {
        self.set(id, now, |controls| {
            not_closed(controls)?;
            Ok(Controls { ticks: patch.applied_to(controls.ticks), ..controls })
        })
    }

    /// Locks a card: nothing is approved for it after this entry.
    ///
    /// # Errors
    /// [`ControlError`]; only a card in use can be locked.
    pub fn lock(&self, id: CardId, now: Now) -> Result<(CardView, Seq), ControlError> {
        self.move_between(id, now, CardStatus::Active, CardStatus::Locked)
    }

    /// Unlocks a locked card.
    ///
    /// # Errors
    /// [`ControlError`]; only a locked card can be unlocked.
    pub fn unlock(&self, id: CardId, now: Now) -> Result<(CardView, Seq), ControlError> {
        self.move_between(id, now, CardStatus::Locked, CardStatus::Active)
    }

    /// Activates a new card.
    ///
    /// # Errors
    /// [`ControlError`]; only a card that waits for it can be activated.
    pub fn activate(&self, id: CardId, now: Now) -> Result<(CardView, Seq), ControlError> {
        self.move_between(id, now, CardStatus::NotActivated, CardStatus::Active)
    }

    /// Reports a card lost or stolen.
    ///
    /// # Errors
    /// [`ControlError`]; a closed card cannot be reported.
    pub fn report(
        &self,
        id: CardId,
        report: Report,
        now: Now,
    ) -> Result<(CardView, Seq), ControlError> {
        let status = match report {
            Report::Lost => CardStatus::Lost,
            Report::Stolen => CardStatus::Stolen,
        };
        self.set(id, now, |controls| {
            not_closed(controls)?;
            Ok(Controls { status, ..controls })
        })
    }

    /// Loads money; the same reference posts once.
    ///
    /// # Errors
    /// [`ControlError`]; a closed card takes no load, a locked one does.
    pub fn load(
        &self,
        id: CardId,
        amount: Amount,
        source: LoadSource,
        reference: Reference,
        now: Now,
    ) -> Result<(CardView, Seq), ControlError> {
        let cell = self.shard.cards().by_id(id).ok_or(ControlError::NotFound)?;
        let now = self.shard.not_before_last(now);
        let mut card = cell.lock();
        self.shard.settle_due(cell, &mut card, now).map_err(|_| ControlError::Busy)?;
        if !card.has_load(source, &reference) {
            self.allow_load(&card, amount, now)?;
            let fact = loaded(&card, amount, source, LoadName::Reference(reference));
            let entry = entry_of(&card, now, fact);
            self.shard.commit(cell, &mut card, &entry).map_err(|_| ControlError::Busy)?;
        }
        let snapshot = self.shard.snapshot_of(cell, &card).ok_or(ControlError::NotFound)?;
        drop(card);
        Ok((self.view(&snapshot), snapshot.last_seq))
    }

    /// The rules, for those who tell them before they apply.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether the card takes a load of `amount` now; later it may not.
    ///
    /// # Errors
    /// Why [`Self::load`] would refuse it.
    pub fn takes_load(&self, id: CardId, amount: Amount, now: Now) -> Result<(), ControlError> {
        let cell = self.shard.cards().by_id(id).ok_or(ControlError::NotFound)?;
        self.allow_load(&cell.lock(), amount, now)
    }

    /// Whether the card takes a load of `amount`.
    pub(crate) fn allow_load(
        &self,
        card: &Card,
        amount: Amount,
        now: Now,
    ) -> Result<(), ControlError> {
        if amount.is_zero() {
            return Err(ControlError::AmountZero);
        }
        if card.controls().status == CardStatus::Closed {
            return Err(ControlError::Conflict(CardStatus::Closed));
        }
        let balance_after = card.balance().plus(amount);
        if balance_after > Balance::TOLD_MAX {
            return Err(ControlError::Limit(LoadRefused::BalanceMax));
        }
        if !card.is_limited() {
            return Ok(());
        }
        card.spent()
            .allows_load(now.local_date, amount, balance_after, &self.policy.limits)
            .map_err(ControlError::Limit)
    }

    /// The card's entries from the newest, or from before `before`; at most `limit`.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub fn transactions(
        &self,
        id: CardId,
        before: Option<Seq>,
        limit: usize,
    ) -> Result<(Page<serde_json::Value>, Seq), ControlError> {
        let newest = self.shard.snapshot(id).ok_or(ControlError::NotFound)?.last_seq;
        let mut items = Vec::new();
        let mut at = match before {
            None => newest,
            Some(before) => {
                self.shard
                    .entry(before)
                    .filter(|entry| entry.card() == Some(id))
                    .ok_or(ControlError::NotFound)?
                    .previous
            }
        };
        while at != Seq::NONE && items.len() < limit {
            let Some(entry) = self.shard.entry(at) else {
                break;
            };
            items.push(entry_view::json(&self.shard, at, &entry));
            at = entry.previous;
        }
        // In memory old entries are gone: there is more only where asking again would bring it.
        let has_more = at != Seq::NONE && self.shard.entry(at).is_some();
        Ok((Page { items, has_more }, newest))
    }

    fn move_between(
        &self,
        id: CardId,
        now: Now,
        from: CardStatus,
        to: CardStatus,
    ) -> Result<(CardView, Seq), ControlError> {
        self.set(id, now, |controls| {
            if controls.status == from || controls.status == to {
                Ok(Controls { status: to, ..controls })
            } else {
                Err(ControlError::Conflict(controls.status))
            }
        })
    }

    /// Changes the controls under the card's lock; what changes nothing makes no entry.
    fn set(
        &self,
        id: CardId,
        now: Now,
        change: impl FnOnce(Controls) -> Result<Controls, ControlError>,
    ) -> Result<(CardView, Seq), ControlError> {
        let cell = self.shard.cards().by_id(id).ok_or(ControlError::NotFound)?;
        let now = self.shard.not_before_last(now);
        let mut card = cell.lock();
        let before = card.controls();
        let after = change(before)?;
        if after != before {
            let after = Controls { version: before.version.wrapping_add(1), ..after };
            let fact = Fact::ControlsSet(after);
            let entry = entry_of(&card, now, fact);
            self.shard.commit(cell, &mut card, &entry).map_err(|_| ControlError::Busy)?;
        }
        let snapshot = self.shard.snapshot_of(cell, &card).ok_or(ControlError::NotFound)?;
        drop(card);
        Ok((self.view(&snapshot), snapshot.last_seq))
    }

    /// A snapshot as the API shows it.
    #[must_use]
    pub fn view(&self, card: &Snapshot) -> CardView {
        CardView {
            id: self.shard.keyring().card_id(card.id.0).to_string(),
            name: card.profile.name.as_str().to_owned(),
            pan_masked: card.pan.masked().to_string(),
            mok_id: format!("{:09}", card.profile.mok_id),
            state: card.controls.status.name(),
            channels: card.controls.ticks.into(),
            limits: card.limits.into(),
            balance: card.balance.minor(),
            available: card.available.minor(),
            currency: "EUR",
            version: card.controls.version,
        }
    }
}

fn not_closed(controls: Controls) -> Result<(), ControlError> {
    if controls.status == CardStatus::Closed {
        return Err(ControlError::Conflict(controls.status));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use cekr_issuer::LocalDate;
    use cekr_issuer::policy::Limits;

    use super::*;

    const NOW: Now = Now { unix_ms: 1_795_341_600_000, local_date: LocalDate::new(2026, 11, 22) };

    #[test]
    fn no_load_passes_what_a_balance_can_be_told_in_even_without_limits() {
        let off = Amount::default();
        let limits =
            Limits { load_day: off, load_month: off, balance_max: off, ..Limits::default() };
        let shard = crate::fuzzing::small_engine().shard().clone();
        let control = Control::new(shard, Arc::new(Policy { limits, ..Policy::default() }));
        let load = |cents: i64, reference| {
            let amount = Amount::from_minor(cents.unsigned_abs());
            let reference = Reference::new(reference).unwrap();
            control.load(CardId(0), amount, LoadSource::Upn, reference, NOW).map(|_| ())
        };
        let room = Balance::TOLD_MAX.minor() - 100_00;
        let passed = Err(ControlError::Limit(LoadRefused::BalanceMax));
        assert_eq!(load(room + 1, "too much"), passed);
        assert_eq!(load(room, "all"), Ok(()));
        assert_eq!(load(1, "a cent more"), passed);
    }
}
