//! The three channels that a cardholder ticks, and which of them a request needs.
//!
//! A new card has all three off; purchases in domestic shops need none. A transaction needs every
//! tick it falls under, so a foreign web shop needs two.
//!
//! Source: the programme's cardholder page (online purchases, payments abroad, cash withdrawals).

use core::fmt;

/// A set of channels: those ticked on a card, or those that a request needs.
#[derive(Clone, Copy, Default, Eq, Hash, PartialEq)]
pub struct Channels(u8);

impl Channels {
    /// No channel.
    pub const NONE: Self = Self(0);
    /// Payments outside Slovenia.
    pub const ABROAD: Self = Self(1);
    /// Cash.
    pub const CASHPOINT: Self = Self(2);
    /// Payments without the card at hand.
    pub const ONLINE: Self = Self(4);
    /// All three.
    pub const ALL: Self = Self(7);

    /// The set whose bits stand in a journal entry; unknown bits are dropped.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// One bit a channel, in alphabetical order from the lowest.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set without `other`.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all of `other` is in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the set is empty.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// This set with `channels` added or taken away.
    #[must_use]
    pub const fn with(self, channels: Self, ticked: bool) -> Self {
        if ticked { self.union(channels) } else { self.minus(channels) }
    }

    /// The names of the set's channels in alphabetical order, as DE 44 tells them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        [(Self::ABROAD, "ABROAD"), (Self::CASHPOINT, "CASHPOINT"), (Self::ONLINE, "ONLINE")]
            .into_iter()
            .filter_map(move |(channel, name)| self.contains(channel).then_some(name))
    }
}

impl fmt::Debug for Channels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}
