//! Money: whole cents, never a float; amounts cannot be negative, balances can.

use core::fmt;

pub use cekr_iso8583::Amount;

/// A signed sum in minor units (euro cents): what an account holds.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Balance(i64);

impl Balance {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The most that DE 54 can tell, twelve digits, and far below what an entry's 48 bits hold: no
    /// load makes a balance larger.
    pub const TOLD_MAX: Self = Self(999_999_999_999);

    /// The least that DE 54 can tell: nothing that happened elsewhere takes a balance below it.
    pub const TOLD_MIN: Self = Self(-Self::TOLD_MAX.0);

    /// `minor` cents.
    #[must_use]
    pub const fn from_minor(minor: i64) -> Self {
        Self(minor)
    }

    /// Cents, negative when the account is below zero.
    #[must_use]
    pub const fn minor(self) -> i64 {
        self.0
    }

    /// This balance with `amount` added; saturates, which no sum of real money reaches: an amount
    /// has at most twelve digits, a balance nineteen.
    #[must_use]
    pub const fn plus(self, amount: Amount) -> Self {
        Self(self.0.saturating_add_unsigned(amount.minor()))
    }

    /// This balance with `amount` taken away; see [`Balance::plus`] on saturation.
    #[must_use]
    pub const fn minus(self, amount: Amount) -> Self {
        Self(self.0.saturating_sub_unsigned(amount.minor()))
    }

    /// This balance with a signed `change`; see [`Balance::plus`] on saturation.
    #[must_use]
    pub const fn changed_by(self, change: Self) -> Self {
        Self(self.0.saturating_add(change.0))
    }

    /// Whether this balance covers `amount`.
    #[must_use]
    pub const fn covers(self, amount: Amount) -> bool {
        self.0 >= 0 && self.0.unsigned_abs() >= amount.minor()
    }

    /// What can be spent of it: zero when it is negative.
    #[must_use]
    pub const fn spendable(self) -> Amount {
        Amount::from_minor(if self.0 > 0 { self.0.unsigned_abs() } else { 0 })
    }
}

/// What is left taken of `taken` when the account changes by `change`: the account's gain is taken
/// no more.
pub(crate) const fn lessened(taken: Amount, change: Balance) -> Amount {
    Amount::from_minor(taken.minor().saturating_add_signed(-change.0))
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let minor = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02}", minor / 100, minor % 100)
    }
}
