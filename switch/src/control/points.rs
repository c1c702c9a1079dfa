//! The advantage programme for those who ask: a card's points, how they came, who is enrolled.

use serde::Serialize;

use cekr_iso8583::Mcc;
use cekr_issuer::entry::{Cleared, NO_MERCHANT, Place};
use cekr_issuer::points::{Enrolled, Rule};
use cekr_issuer::transaction::{Money, Transaction};
use cekr_issuer::{Card, CardId, Fact, Now, Seq};

use super::{Control, ControlError};
use crate::entry_view;

/// A card's points as the API shows them.
#[derive(Clone, Debug, Serialize)]
pub struct PointsView {
    /// Whether there is a programme.
    pub enabled: bool,
    /// Points that the holder has.
    pub points: u64,
    /// An estimate of what purchases that are not cleared yet will earn; in no books.
    pub pending: u64,
    /// Those that expire next; null where none ever do.
    pub expiring: Option<ExpiringView>,
    /// `basic`, `silver` or `gold`.
    pub tier: &'static str,
    /// Points of this month and the eleven before, less what was taken back: they make the tier.
    pub points_of_year: u64,
    /// The tier after this one; null for the highest.
    pub next_tier: Option<&'static str>,
    /// Points of twelve months at which it begins.
    pub next_tier_at: Option<u64>,
}

/// Points that expire together.
#[derive(Clone, Debug, Serialize)]
pub struct ExpiringView {
    /// How many.
    pub points: u64,
    /// The last day on which they are good.
    pub on: String,
}

/// A change of a card's points.
#[derive(Clone, Debug, Serialize)]
pub struct PointsLine {
    /// Its entry.
    pub seq: u64,
    /// When.
    pub at: String,
    /// `earned`, `taken_back` or `expired`.
    pub kind: &'static str,
    /// Points, with sign.
    pub points: i64,
    /// Of what was earned: the row's name, as far as there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Of what was earned: the merchant (DE 42).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merchant: Option<String>,
    /// Of what was earned: the last day on which it is good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_on: Option<String>,
    /// Of what was taken back: the entry that had earned it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of_seq: Option<u64>,
}

/// Changes of a card's points, from the newest.
#[derive(Clone, Debug)]
pub struct PointsHistory {
    /// The changes.
    pub items: Vec<PointsLine>,
    /// Where to go on, if there may be more: the entry that was looked at last.
    pub next: Option<Seq>,
}

/// A row of the table as the API shows it.
#[derive(Clone, Debug, Serialize)]
pub struct EnrolledView {
    /// What entries call it.
    pub number: u16,
    /// What people call it.
    pub name: String,
    /// The merchant (DE 42), where the row is one's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merchant: Option<String>,
    /// The business (DE 18), where the row is for all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mcc: Option<String>,
    /// So many points
    pub points: u32,
    /// for each so many cents.
    pub per_cents: u32,
    /// Points that a purchase earns at most; null: no bound.
    pub purchase_max: Option<u32>,
    /// Points that a day's purchases earn at most; null: no bound.
    pub day_max: Option<u32>,
    /// The first day of purchase.
    pub from: String,
    /// The last day of purchase.
    pub until: String,
}

impl Control {
    /// A card's points.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn points(&self, id: CardId, now: Now) -> Result<(PointsView, Seq), ControlError> {
        let cell = self.shard.cards().by_id(id).ok_or(ControlError::NotFound)?;
        let now = self.shard.not_before_last(now);
        let programme = &self.policy.programme;
        let mut card = cell.lock();
        self.shard.settle_due(cell, &mut card, now).map_err(|_| ControlError::Busy)?;
        let open: Vec<Transaction> = if programme.is_on() { pending(&card) } else { Vec::new() };
        drop(card);
        // The business stands in the entry alone, which may be on the disk: not under the lock.
        let open: Vec<_> = open.into_iter().map(|open| (open, self.business(open.seq))).collect();
        let card = cell.lock();
        let points_of_year = card.points_of_year(now.local_date);
        let next = programme.next_tier(points_of_year);
        let first = card.points_by_expiry().next();
        let view = PointsView {
            enabled: programme.is_on(),
            points: card.points(),
            pending: programme.expected(&card, &open),
            expiring: first.and_then(|(month, points)| {
                Some(ExpiringView { points, on: month?.last_day().to_string() })
            }),
            tier: programme.tier(points_of_year).name(),
            points_of_year,
            next_tier: next.map(|(tier, _)| tier.name()),
            next_tier_at: next.map(|(_, bound)| bound),
        };
        Ok((view, card.last_seq()))
    }

    /// How a card's points changed, from the newest, or from before the entry `before`: at most
    /// `limit` changes, and at most as many entries looked at as one call may.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub fn points_history(
        &self,
        id: CardId,
        before: Option<Seq>,
        limit: usize,
    ) -> Result<(PointsHistory, Seq), ControlError> {
        let newest = self.shard.snapshot(id).ok_or(ControlError::NotFound)?.last_seq;
        let of_card = |seq: Seq| self.shard.entry(seq).filter(|entry| entry.card() == Some(id));
        let mut at = match before {
            None => newest,
            Some(before) => of_card(before).ok_or(ControlError::NotFound)?.previous,
        };
        let (mut items, mut looked_at, mut last) = (Vec::new(), 0, Seq::NONE);
        while at != Seq::NONE && items.len() < limit && looked_at < LOOKED_AT_MAX {
            let Some(entry) = self.shard.entry(at) else {
                break;
            };
            items.extend(self.points_line(at, entry.at, &entry.fact));
            (last, at) = (at, entry.previous);
            looked_at += 1;
        }
        // In memory old entries are gone: there is more only where asking again would bring it.
        let has_more = at != Seq::NONE && self.shard.entry(at).is_some();
        let next = (has_more && last != Seq::NONE).then_some(last);
        Ok((PointsHistory { items, next }, newest))
    }

    /// Who is enrolled, in the order of the settings.
    #[must_use]
    pub fn enrolled(&self) -> Vec<EnrolledView> {
        self.policy.programme.rules.iter().map(EnrolledView::from).collect()
    }

    fn business(&self, seq: Seq) -> Mcc {
        let entry = self.shard.entry(seq);
        entry.and_then(|entry| Some(entry.answered()?.mcc)).unwrap_or_default()
    }

    fn points_line(&self, seq: Seq, at: u64, fact: &Fact) -> Option<PointsLine> {
        let line = |kind, points| PointsLine {
            seq: seq.0,
            at: entry_view::moment(at),
            kind,
            points,
            name: None,
            merchant: None,
            expires_on: None,
            of_seq: None,
        };
        if let Fact::Cleared(Cleared { earned: Some(earned), merchant, .. }) = fact {
            let rule = self.policy.programme.rule_numbered(earned.rule);
            return Some(PointsLine {
                name: rule.map(|rule| rule.name.as_str().to_owned()),
                merchant: (*merchant != NO_MERCHANT)
                    .then(|| merchant.to_string().trim_end().to_owned()),
                expires_on: earned.expires.map(|month| month.last_day().to_string()),
                ..line("earned", i64::from(earned.points))
            });
        }
        if let Fact::PointsTakenBack(taken) = fact {
            let of_seq = Some(taken.of.0);
            return Some(PointsLine { of_seq, ..line("taken_back", -i64::from(taken.points)) });
        }
        if let Fact::PointsExpired(expired) = fact {
            let points = i64::try_from(expired.points).unwrap_or(i64::MAX);
            return Some(line("expired", -points));
        }
        None
    }
}

/// Purchases that are approved and not cleared, the newest first.
fn pending(card: &Card) -> Vec<Transaction> {
    let is_open = |kept: &&Transaction| {
        let has_money = matches!(kept.money, Money::Held { .. } | Money::Posted);
        has_money
            && !kept.is_cleared
            && !kept.amount_left.is_zero()
            && kept.place != Place::Cashpoint
    };
    card.transactions().iter().rev().filter(is_open).take(PENDING_MAX).copied().collect()
}

impl From<&Rule> for EnrolledView {
    fn from(rule: &Rule) -> Self {
        let (merchant, mcc) = match rule.who {
            Enrolled::Business(mcc) => (None, Some(mcc.to_string())),
            Enrolled::Merchant(id) => (Some(id.to_string().trim_end().to_owned()), None),
        };
        let bound = |max: u32| (max > 0).then_some(max);
        Self {
            number: rule.number,
            name: rule.name.as_str().to_owned(),
            merchant,
            mcc,
            points: rule.rate.points,
            per_cents: rule.rate.per_cents,
            purchase_max: bound(rule.purchase_max),
            day_max: bound(rule.day_max),
            from: rule.from.to_string(),
            until: rule.until.to_string(),
        }
    }
}

/// Entries that one call for a history looks at.
const LOOKED_AT_MAX: usize = 2_000;

/// Purchases that the estimate of what is pending takes into account.
const PENDING_MAX: usize = 256;
