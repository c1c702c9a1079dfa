//! The holder's own limits: set, taken off, shown.

use cekr_issuer::decide::entry as entry_of;
use cekr_issuer::limit::OwnLimits;
use cekr_issuer::policy::Limits;
use cekr_issuer::{Amount, CardId, Fact, Now, Seq};
use serde::Serialize;

use super::{CardView, Control, ControlError, not_closed};

/// The holder's own limits as the API shows them; none where the programme's apply.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct LimitsView {
    /// Cash a day, in cents.
    pub cash_day: Option<u64>,
    /// Withdrawals a day.
    pub cash_count_day: Option<u32>,
    /// Purchases in shops a day, in cents.
    pub pos_day: Option<u64>,
    /// Purchases without the card a day, in cents.
    pub online_day: Option<u64>,
}

impl From<OwnLimits> for LimitsView {
    fn from(limits: OwnLimits) -> Self {
        Self {
            cash_day: limits.cash_day.map(Amount::minor),
            cash_count_day: limits.cash_count_day,
            pos_day: limits.pos_day.map(Amount::minor),
            online_day: limits.online_day.map(Amount::minor),
        }
    }
}

/// What is to become of one limit.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LimitChange<T> {
    /// It stays.
    #[default]
    Keep,
    /// Not more than this; zero allows nothing.
    Own(T),
    /// The programme's applies.
    Programme,
}

impl<T> LimitChange<T> {
    fn applied_to(self, limit: Option<T>) -> Option<T> {
        match self {
            Self::Keep => limit,
            Self::Own(own) => Some(own),
            Self::Programme => None,
        }
    }
}

/// Limits to be changed; what is not named stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct LimitsPatch {
    /// Cash a day.
    pub cash_day: LimitChange<Amount>,
    /// Withdrawals a day.
    pub cash_count_day: LimitChange<u32>,
    /// Purchases in shops a day.
    pub pos_day: LimitChange<Amount>,
    /// Purchases without the card a day.
    pub online_day: LimitChange<Amount>,
}

impl LimitsPatch {
    fn applied_to(self, limits: OwnLimits) -> OwnLimits {
        OwnLimits {
            cash_day: self.cash_day.applied_to(limits.cash_day),
            cash_count_day: self.cash_count_day.applied_to(limits.cash_count_day),
            online_day: self.online_day.applied_to(limits.online_day),
            pos_day: self.pos_day.applied_to(limits.pos_day),
        }
    }
}

impl Control {
    /// The programme's limits; zero is none.
    #[must_use]
    pub fn programme_limits(&self) -> &Limits {
        &self.policy.limits
    }

    /// Sets the holder's own limits; what is not named stays. What changes nothing makes no entry.
    ///
    /// # Errors
    /// [`ControlError::LimitAboveProgramme`]; a closed card keeps its limits.
    pub fn set_limits(
        &self,
        id: CardId,
        patch: LimitsPatch,
        now: Now,
    ) -> Result<(CardView, Seq), ControlError> {
        // A limit that was the programme's before it was lowered may stay; one that is named not.
        self.allow_limits(patch)?;
        let cell = self.shard.cards().by_id(id).ok_or(ControlError::NotFound)?;
        let now = self.shard.not_before_last(now);
        let mut card = cell.lock();
        not_closed(card.controls())?;
        let before = card.own_limits().copied().unwrap_or_default();
        let after = patch.applied_to(before);
        if after != before {
            let entry = entry_of(&card, now, Fact::LimitsSet(after));
            self.shard.commit(cell, &mut card, &entry).map_err(|_| ControlError::Busy)?;
        }
        let snapshot = self.shard.snapshot_of(cell, &card).ok_or(ControlError::NotFound)?;
        drop(card);
        Ok((self.view(&snapshot), snapshot.last_seq))
    }

    /// Whether the limits that `patch` names are at most the programme's.
    ///
    /// # Errors
    /// [`ControlError::LimitAboveProgramme`].
    pub fn allow_limits(&self, patch: LimitsPatch) -> Result<(), ControlError> {
        match patch.applied_to(OwnLimits::NONE).above(&self.policy.limits) {
            Some(limit) => Err(ControlError::LimitAboveProgramme(limit)),
            None => Ok(()),
        }
    }
}
