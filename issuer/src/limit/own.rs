//! The holder's own limits: each at most the programme's, which applies where there is none.

use cekr_iso8583::Amount;

use super::Limits;
use crate::snapshot::{Reader, SnapshotError, Writer};

/// What the holder allows in a day. Zero allows nothing; none leaves it to the programme.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct OwnLimits {
    /// Cash, in cents.
    pub cash_day: Option<Amount>,
    /// Withdrawals.
    pub cash_count_day: Option<u32>,
    /// Purchases without the card, in cents.
    pub online_day: Option<Amount>,
    /// Purchases in shops, in cents.
    pub pos_day: Option<Amount>,
}

/// A limit that a holder may set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OwnLimit {
    /// [`OwnLimits::cash_count_day`].
    CashCountDay,
    /// [`OwnLimits::cash_day`].
    CashDay,
    /// [`OwnLimits::online_day`].
    OnlineDay,
    /// [`OwnLimits::pos_day`].
    PosDay,
}

impl OwnLimit {
    /// The name in settings and API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CashCountDay => "cash_count_day",
            Self::CashDay => "cash_day",
            Self::OnlineDay => "online_day",
            Self::PosDay => "pos_day",
        }
    }
}

impl OwnLimits {
    /// No limits but the programme's.
    pub const NONE: Self =
        Self { cash_day: None, cash_count_day: None, online_day: None, pos_day: None };

    /// The first of these that is above the programme's; one that is off there bounds nothing.
    #[must_use]
    pub fn above(&self, programme: &Limits) -> Option<OwnLimit> {
        let amounts = [
            (OwnLimit::CashDay, self.cash_day, programme.cash_day),
            (OwnLimit::OnlineDay, self.online_day, programme.online_day),
            (OwnLimit::PosDay, self.pos_day, programme.pos_day),
        ];
        let is_above =
            |own: Option<Amount>, max: Amount| !max.is_zero() && own.is_some_and(|own| own > max);
        let amount = amounts.into_iter().find(|(_, own, max)| is_above(*own, *max));
        let count_max = programme.cash_count_day;
        let count = self.cash_count_day.filter(|own| count_max > 0 && *own > count_max);
        amount.map(|(limit, ..)| limit).or(count.map(|_| OwnLimit::CashCountDay))
    }

    pub(crate) fn write_state(&self, out: &mut Writer<'_>) {
        let Self { cash_day, cash_count_day, online_day, pos_day } = self;
        for amount in [cash_day, online_day, pos_day] {
            out.put([u8::from(amount.is_some())]);
            out.amount(amount.unwrap_or_default());
        }
        out.put([u8::from(cash_count_day.is_some())]);
        out.small(cash_count_day.unwrap_or_default());
    }

    pub(crate) fn read_state(from: &mut Reader<'_>) -> Result<Self, SnapshotError> {
        let mut amount = || {
            let is_set = from.flag()?;
            from.amount().map(|amount| is_set.then_some(amount))
        };
        let (cash_day, online_day, pos_day) = (amount()?, amount()?, amount()?);
        let is_counted = from.flag()?;
        let count = from.small()?;
        Ok(Self { cash_day, cash_count_day: is_counted.then_some(count), online_day, pos_day })
    }
}
