//! Facts of the advantage programme, and their octets.
//!
//! What a purchase earns is part of its clearing line's entry, in octets that are zero where it
//! earns nothing; what becomes less later has entries of its own.
//!
//! ```text
//! cleared with points: 119 points (u32)  123 month of expiry (u16, 0: none)  125 row (u16)
//! taken back:           32 entry that earned them (u64)  40 points (u32)
//! expired:              32 points (u64)  40 month (u16)
//! ```

use super::octets::{put, take};
use super::{EntryBytes, EntryError, Seq};
use crate::points::Month;

/// What a purchase earned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Earned {
    /// Points, above 0.
    pub points: u32,
    /// The row of the table that said so.
    pub rule: u16,
    /// They expire with the end of this month, if they do.
    pub expires: Option<Month>,
}

/// Points that a purchase had earned and that went with what was given back of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PointsTakenBack {
    /// The entry that earned them.
    pub of: Seq,
    /// Points, above 0.
    pub points: u32,
}

/// Points that nobody used in time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PointsExpired {
    /// The month that they were good for.
    pub month: Month,
    /// Points, above 0.
    pub points: u64,
}

impl Earned {
    pub(super) fn encode(&self, out: &mut EntryBytes) {
        put(out, 119, self.points.to_le_bytes());
        put(out, 123, self.expires.map_or(0, Month::number).to_le_bytes());
        put(out, 125, self.rule.to_le_bytes());
    }

    pub(super) fn decode(octets: &EntryBytes) -> Result<Self, EntryError> {
        let points = u32::from_le_bytes(take(octets, 119));
        if points == 0 {
            return Err(EntryError::BadField(119));
        }
        let month = u16::from_le_bytes(take(octets, 123));
        let expires = (month > 0).then(|| Month::from_number(month));
        Ok(Self { points, rule: u16::from_le_bytes(take(octets, 125)), expires })
    }
}

impl PointsTakenBack {
    pub(super) fn encode(&self, out: &mut EntryBytes) {
        put(out, 32, self.of.0.to_le_bytes());
        put(out, 40, self.points.to_le_bytes());
    }

    pub(super) fn decode(octets: &EntryBytes) -> Self {
        Self {
            of: Seq(u64::from_le_bytes(take(octets, 32))),
            points: u32::from_le_bytes(take(octets, 40)),
        }
    }
}

impl PointsExpired {
    pub(super) fn encode(&self, out: &mut EntryBytes) {
        put(out, 32, self.points.to_le_bytes());
        put(out, 40, self.month.number().to_le_bytes());
    }

    pub(super) fn decode(octets: &EntryBytes) -> Self {
        Self {
            points: u64::from_le_bytes(take(octets, 32)),
            month: Month::from_number(u16::from_le_bytes(take(octets, 40))),
        }
    }
}
