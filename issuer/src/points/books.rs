//! The programme's books: points are double entry too, apart from money.
//!
//! What an entry adds to the points of its card it adds to what they cost; the two accounts sum to
//! zero after every entry.

use crate::entry::{Cleared, Entry, Fact, PointsExpired, PointsTakenBack};

/// The accounts of points.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum PointsAccount {
    /// Points given, less those that ended: what the programme costs.
    Cost,
    /// Points that holders have.
    Liability,
}

impl PointsAccount {
    /// Every account, in alphabetical order.
    pub const ALL: [Self; 2] = [Self::Cost, Self::Liability];

    /// The name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cost => "points_cost",
            Self::Liability => "points_liability",
        }
    }
}

/// One line of an entry, in points: credits are positive, debits negative.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PointsPosting {
    /// The account.
    pub account: PointsAccount,
    /// Points.
    pub points: i64,
}

/// The postings of `entry` in points: none, or two lines that sum to zero.
pub fn postings(entry: &Entry) -> impl Iterator<Item = PointsPosting> + use<> {
    let points = change(&entry.fact);
    let line = |account, points| PointsPosting { account, points };
    [line(PointsAccount::Liability, points), line(PointsAccount::Cost, -points)]
        .into_iter()
        .filter(|line| line.points != 0)
}

/// What a fact adds to its card's points.
#[must_use]
pub fn change(fact: &Fact) -> i64 {
    if let Fact::Cleared(Cleared { earned: Some(earned), .. }) = fact {
        i64::from(earned.points)
    } else if let Fact::PointsExpired(PointsExpired { points, .. }) = fact {
        i64::try_from(*points).map_or(i64::MIN, |points| -points)
    } else if let Fact::PointsTakenBack(PointsTakenBack { points, .. }) = fact {
        -i64::from(*points)
    } else {
        0
    }
}

/// Totals of both accounts, folded entry by entry.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PointsBooks {
    cost: i128,
    liability: i128,
}

impl PointsBooks {
    /// Books with these totals.
    #[must_use]
    pub const fn restored(cost: i128, liability: i128) -> Self {
        Self { cost, liability }
    }

    /// Adds the postings of `entry`.
    pub fn add(&mut self, entry: &Entry) {
        for line in postings(entry) {
            let total = match line.account {
                PointsAccount::Cost => &mut self.cost,
                PointsAccount::Liability => &mut self.liability,
            };
            *total += i128::from(line.points);
        }
    }

    /// The total of `account` in points; credits are positive.
    #[must_use]
    pub const fn total(&self, account: PointsAccount) -> i128 {
        match account {
            PointsAccount::Cost => self.cost,
            PointsAccount::Liability => self.liability,
        }
    }

    /// The sum of both: zero, or the books are wrong.
    #[must_use]
    pub const fn sum(&self) -> i128 {
        self.cost + self.liability
    }
}
