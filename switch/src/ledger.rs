//! The ledger: what is folded from entries in their order, behind the decisions.
//!
//! Totals of accounts, and of acquirers since their last cutover. Nothing that decides about a card
//! reads it.

use std::collections::BTreeMap;

use cekr_issuer::books::Books;
use cekr_issuer::points::books::PointsBooks;
use cekr_issuer::{Entry, Fact, Seq, Totals};

/// Totals up to an entry.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Ledger {
    books: Books,
    points: PointsBooks,
    acquirers: BTreeMap<u64, Totals>,
    seen: Seq,
}

/// Acquirers that totals are kept for; those of one more are not. Only an approval, a reversal or a
/// refund makes one known.
pub const ACQUIRERS_MAX: usize = 65_536;

impl Ledger {
    /// Adds the entry `seq`, the one after the last that was added.
    pub fn add(&mut self, seq: Seq, entry: &Entry) {
        self.books.add(entry);
        self.points.add(entry);
        if let Some(answered) = entry.answered() {
            let acquirer = answered.key.acquirer;
            if matches!(entry.fact, Fact::CutOver(_)) {
                self.acquirers.remove(&acquirer);
            } else {
                self.add_totals(acquirer, entry);
            }
        }
        self.seen = seq;
    }

    fn add_totals(&mut self, acquirer: u64, entry: &Entry) {
        if let Some(totals) = self.acquirers.get_mut(&acquirer) {
            return totals.add(entry);
        }
        let mut totals = Totals::default();
        totals.add(entry);
        if totals != Totals::default() && self.acquirers.len() < ACQUIRERS_MAX {
            self.acquirers.insert(acquirer, totals);
        }
    }

    /// The totals of all accounts.
    #[must_use]
    pub const fn books(&self) -> &Books {
        &self.books
    }

    /// The totals of the advantage programme's accounts.
    #[must_use]
    pub const fn points(&self) -> PointsBooks {
        self.points
    }

    /// The totals of `acquirer` since its last cutover.
    #[must_use]
    pub fn totals(&self, acquirer: u64) -> Totals {
        self.acquirers.get(&acquirer).copied().unwrap_or_default()
    }

    /// All acquirers with their totals.
    pub(crate) fn acquirers(&self) -> impl Iterator<Item = (u64, Totals)> {
        self.acquirers.iter().map(|(acquirer, totals)| (*acquirer, *totals))
    }

    /// Begins with the books as they were up to `seen`.
    pub(crate) fn restore(&mut self, books: Books, seen: Seq) {
        (self.books, self.seen) = (books, seen);
    }

    /// The programme's books as they were then.
    pub(crate) fn restore_points(&mut self, points: PointsBooks) {
        self.points = points;
    }

    /// The totals of an acquirer as they were then.
    pub(crate) fn restore_totals(&mut self, acquirer: u64, totals: Totals) {
        self.acquirers.insert(acquirer, totals);
    }

    /// The newest entry within.
    #[must_use]
    pub const fn seen(&self) -> Seq {
        self.seen
    }
}
