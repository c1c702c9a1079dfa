//! How often each kind of request occurs: the weights of a street and of a load run.
//!
//! As a file: TOML with one weight a line (`purchase = 55`); what is left out weighs nothing.
//! Weights are relative and need not sum to 100.

use serde::Deserialize;

use crate::random::Random;

/// Relative weights.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Mix {
    /// Purchases in Slovenia, card present.
    pub purchase: u32,
    /// Cash at a machine in Slovenia.
    pub withdrawal: u32,
    /// Web shops, here and abroad.
    pub ecommerce: u32,
    /// Purchases and cash outside Slovenia.
    pub abroad: u32,
    /// Balance inquiries.
    pub balance: u32,
    /// Reversals of something sent before.
    pub reversal: u32,
    /// Refunds.
    pub refund: u32,
    /// Echo, 0800/301.
    pub echo: u32,
}

/// What a request is about, as a mix counts it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Outside Slovenia, card present.
    Abroad,
    /// Balance inquiry.
    Balance,
    /// Echo.
    Echo,
    /// Web shop.
    Ecommerce,
    /// Shop in Slovenia.
    Purchase,
    /// Refund.
    Refund,
    /// Reversal.
    Reversal,
    /// Cash machine in Slovenia.
    Withdrawal,
}

impl Mix {
    /// Nothing at all: the ground for a file that names a few weights.
    pub const NONE: Self = Self {
        purchase: 0,
        withdrawal: 0,
        ecommerce: 0,
        abroad: 0,
        balance: 0,
        reversal: 0,
        refund: 0,
        echo: 0,
    };

    /// A busy day in town; used when no file is given.
    pub const TOWN: Self = Self {
        purchase: 55,
        withdrawal: 10,
        ecommerce: 15,
        abroad: 8,
        balance: 5,
        reversal: 4,
        refund: 2,
        echo: 1,
    };

    /// Draws a kind by weight; an echo when all weights are zero.
    #[must_use]
    pub fn pick(&self, random: &mut Random) -> Kind {
        let weights = self.weights();
        let total = weights.iter().map(|(weight, _)| u64::from(*weight)).sum();
        let mut left = random.below(total);
        for (weight, kind) in weights {
            if left < u64::from(weight) {
                return kind;
            }
            left -= u64::from(weight);
        }
        Kind::Echo
    }

    /// True when no kind weighs anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.weights().iter().all(|(weight, _)| *weight == 0)
    }

    const fn weights(&self) -> [(u32, Kind); 8] {
        [
            (self.purchase, Kind::Purchase),
            (self.withdrawal, Kind::Withdrawal),
            (self.ecommerce, Kind::Ecommerce),
            (self.abroad, Kind::Abroad),
            (self.balance, Kind::Balance),
            (self.reversal, Kind::Reversal),
            (self.refund, Kind::Refund),
            (self.echo, Kind::Echo),
        ]
    }
}

impl Default for Mix {
    fn default() -> Self {
        Self::NONE
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Mix};
    use crate::random::Random;

    #[test]
    fn draws_by_weight() {
        let mut random = Random::new(5);
        let mix = Mix { purchase: 3, withdrawal: 1, ..Mix::NONE };
        let drawn: Vec<Kind> = (0..4000).map(|_| mix.pick(&mut random)).collect();
        let purchases = drawn.iter().filter(|kind| **kind == Kind::Purchase).count();
        assert!((2_850..3_150).contains(&purchases), "{purchases}");
        assert!(drawn.iter().all(|kind| matches!(kind, Kind::Purchase | Kind::Withdrawal)));
        assert_eq!(Mix::NONE.pick(&mut random), Kind::Echo);
    }
}
