//! The open holds of one card, by expiry.
//!
//! In one row, for nearly every new hold expires after all others: it is put behind them without a
//! search, and the first is at hand however many fall due together.

use alloc::collections::VecDeque;

use crate::entry::Seq;

/// Expiry (ms since 1970) and entry of each open hold, the first to expire in front.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Holds {
    row: VecDeque<(u64, Seq)>,
}

impl Holds {
    pub(super) fn insert(&mut self, expires_at: u64, seq: Seq) {
        let hold = (expires_at, seq);
        if self.row.back().is_none_or(|last| *last < hold) {
            self.row.push_back(hold);
        } else if let Err(place) = self.row.binary_search(&hold) {
            self.row.insert(place, hold);
        }
    }

    /// Takes a hold off, and tells whether it was there.
    pub(super) fn remove(&mut self, expires_at: u64, seq: Seq) -> bool {
        let place = self.row.binary_search(&(expires_at, seq)).ok();
        place.and_then(|place| self.row.remove(place)).is_some()
    }

    /// The first to expire.
    pub(super) fn first(&self) -> Option<(u64, Seq)> {
        self.row.front().copied()
    }
}

impl FromIterator<(u64, Seq)> for Holds {
    fn from_iter<I: IntoIterator<Item = (u64, Seq)>>(holds: I) -> Self {
        let mut row = Self::default();
        holds.into_iter().for_each(|(expires_at, seq)| row.insert(expires_at, seq));
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_to_expire_is_in_front_in_whatever_order_they_came() {
        let mut holds: Holds =
            [(7, Seq(1)), (30, Seq(2)), (7, Seq(3)), (7, Seq(3))].into_iter().collect();
        assert!(!holds.remove(30, Seq(1)), "another entry's");
        let mut ended = [(0, Seq::NONE); 3];
        for end in &mut ended {
            *end = holds.first().unwrap_or_default();
            assert!(holds.remove(end.0, end.1));
        }
        assert_eq!(ended, [(7, Seq(1)), (7, Seq(3)), (30, Seq(2))]);
        assert_eq!(holds.first(), None);
    }
}
