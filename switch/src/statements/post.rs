//! Posting lines: each once, to its card or into suspense.

use cekr_issuer::decide::entry as entry_of;
use cekr_issuer::entry::{
    BankLine, LoadName, LoadSource, ReleaseCause, StatementKey, SuspenseHeld, SuspenseReason,
    SuspenseReleased, TakeBackCause,
};
use cekr_issuer::{Amount, Balance, CardId, Desk, Entry, Fact, Now, Seq};
use serde::Serialize;

use super::resolve::finish_one;
use super::take_back::{LoadFound, taken_back};
use super::{Item, Statements, is_old, reason_of};
use crate::control::{Control, ControlError};
use crate::shard::loaded;

/// One line of a bank statement, as whoever reads the files understands it.
#[derive(Clone, Copy, Debug)]
pub struct StatementLine {
    /// What makes it the same again, and the day on which the bank booked it.
    pub line: BankLine,
    /// Cents, above zero.
    pub amount: Amount,
    /// What it does.
    pub kind: LineKind,
}

/// What a line does.
#[derive(Clone, Copy, Debug)]
pub enum LineKind {
    /// It brings money.
    Credit(LineTarget),
    /// It takes back what the line of this key brought.
    Reversal {
        /// That line's key.
        of: StatementKey,
    },
}

/// For whom a line brings money.
#[derive(Clone, Copy, Debug)]
pub enum LineTarget {
    /// For the card with this number on its back.
    MokId(u32),
    /// Nobody can tell.
    Suspense {
        /// Why.
        reason: SuspenseReason,
        /// The number of a card's back, as far as one could be read.
        mok_id: Option<u32>,
    },
}

/// Where a line went.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LineFate {
    /// Nowhere: its key came before with another amount, and that is a mistake.
    Conflict,
    /// To its card.
    Loaded,
    /// It came before and went back to its payer since.
    Returned,
    /// This line and one in suspense are nothing together.
    Reversed,
    /// Into suspense.
    Suspense,
    /// Off the card that the other line had loaded.
    TakenBack,
}

/// What became of a line.
#[derive(Clone, Debug, Serialize)]
pub struct StatementOutcome {
    /// The line's key, 32 hexadecimal digits.
    pub statement_key: String,
    /// Where it went.
    pub outcome: LineFate,
    /// Whether it was posted before, and not again.
    pub repeated: bool,
    /// Why it is in suspense.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// The card that it went to, or was taken from.
    #[serde(skip)]
    pub card: Option<CardId>,
    /// The entry that says so.
    pub seq: u64,
}

impl Control {
    /// Posts lines of bank statements in their order, each once.
    ///
    /// It holds the lock of all statements meanwhile: whoever has many gives some thousands at a
    /// time and lets them become durable between.
    ///
    /// # Errors
    /// [`ControlError::AmountZero`] and [`ControlError::AmountTooLarge`]: then none was posted.
    /// [`ControlError::Busy`] when the journal takes no more, [`ControlError::StatementsFull`]:
    /// lines before that one are posted, and all of them may be sent again.
    pub fn post_lines(
        &self,
        lines: &[StatementLine],
        now: Now,
    ) -> Result<(Vec<StatementOutcome>, Seq), ControlError> {
        if lines.iter().any(|line| line.amount.is_zero()) {
            return Err(ControlError::AmountZero);
        }
        if lines.iter().any(|line| Balance::ZERO.plus(line.amount) > Balance::TOLD_MAX) {
            return Err(ControlError::AmountTooLarge);
        }
        let shard = self.shard();
        let now = shard.not_before_last(now);
        let mut statements = shard.statements().lock();
        let mut outcomes = Vec::with_capacity(lines.len());
        for line in lines {
            let outcome = match statements.find(line.line.key) {
                Some(seq) => StatementOutcome::repeated(line, seq, shard.entry(seq).as_ref()),
                None => {
                    let (seq, entry) = self.post_line(line, &mut statements, now)?;
                    statements.see(seq, &entry);
                    StatementOutcome::of(line, seq, Some(&entry))
                }
            };
            outcomes.push(outcome);
        }
        // What a repetition tells may wait for its entry as well.
        Ok((outcomes, statements.newest()))
    }

    fn post_line(
        &self,
        told: &StatementLine,
        statements: &mut Statements,
        now: Now,
    ) -> Result<(Seq, Entry), ControlError> {
        if statements.is_full() {
            return Err(ControlError::StatementsFull);
        }
        let is_old = is_old(told.line, now.local_date);
        match told.kind {
            LineKind::Credit(target) => {
                let (reason, mok_id) = match target {
                    LineTarget::MokId(mok_id) => (None, Some(mok_id)),
                    LineTarget::Suspense { reason, mok_id } => (Some(reason), mok_id),
                };
                let amount = Balance::ZERO.plus(told.amount);
                let held =
                    |reason| SuspenseHeld { line: told.line, amount, reason, mok_id, of: None };
                if is_old {
                    return self.hold(held(SuspenseReason::LineOld), now);
                }
                if let Some((seq, item)) = statements.waiting_for(told.line.key, amount) {
                    return self.reverse(seq, &item, told.line, now);
                }
                match (reason, mok_id) {
                    (None, Some(mok_id)) => match self.load_line(told, mok_id, now) {
                        Ok(done) => Ok(done),
                        Err(refused) => match reason_of(refused) {
                            Some(reason) => self.hold(held(reason), now),
                            None => Err(refused),
                        },
                    },
                    (reason, _) => {
                        self.hold(held(reason.unwrap_or(SuspenseReason::NoReference)), now)
                    }
                }
            }
            LineKind::Reversal { of } => {
                let held = |reason| SuspenseHeld {
                    line: told.line,
                    amount: Balance::ZERO.minus(told.amount),
                    reason,
                    mok_id: None,
                    of: Some(of),
                };
                if is_old {
                    return self.hold(held(SuspenseReason::LineOld), now);
                }
                match self.reverse_line(told, of, statements, now)? {
                    Some(done) => Ok(done),
                    None => self.hold(held(SuspenseReason::ReversalUnmatched), now),
                }
            }
        }
    }

    /// Loads the card with this number on its back, if it takes the load.
    fn load_line(
        &self,
        told: &StatementLine,
        mok_id: u32,
        now: Now,
    ) -> Result<(Seq, Entry), ControlError> {
        let shard = self.shard();
        let id = shard.id_by_mok_id(mok_id).ok_or(ControlError::NotFound)?;
        let cell = shard.cards().by_id(id).ok_or(ControlError::NotFound)?;
        let mut card = cell.lock();
        shard.settle_due(cell, &mut card, now).map_err(|_| ControlError::Busy)?;
        self.allow_load(&card, told.amount, now)?;
        let fact = loaded(&card, told.amount, LoadSource::Upn, LoadName::Line(told.line));
        let entry = entry_of(&card, now, fact);
        let seq = shard.commit(cell, &mut card, &entry).map_err(|_| ControlError::Busy)?;
        Ok((seq, entry))
    }

    /// Takes back what the line of the key `of` brought, wherever that is; `None` when that is
    /// not known, or less than this.
    fn reverse_line(
        &self,
        told: &StatementLine,
        of: StatementKey,
        statements: &mut Statements,
        now: Now,
    ) -> Result<Option<(Seq, Entry)>, ControlError> {
        let shard = self.shard();
        let Some(mut seq) = statements.find(of) else {
            return Ok(None);
        };
        if let Some(item) = statements.items.get(&seq).copied() {
            match item.assigned {
                None if item.held.amount == Balance::ZERO.plus(told.amount) => {
                    return self.reverse(seq, &item, told.line, now).map(Some);
                }
                None => return Ok(None),
                // It is on its way to a card: it arrives first, as soon as it may.
                Some((_, by)) if shard.journal().durable() < by => return Err(ControlError::Busy),
                Some(_) => {
                    finish_one(shard, statements, seq, now).map_err(|_| ControlError::Busy)?;
                    seq = statements.find(of).unwrap_or_default();
                }
            }
        }
        let Some(load) = LoadFound::at(shard, seq) else {
            return Ok(None);
        };
        let name = LoadName::Line(told.line);
        match taken_back(shard, &load, told.amount, TakeBackCause::BankReversal, name, now) {
            Ok(taken) => Ok(taken),
            Err(ControlError::Busy) => Err(ControlError::Busy),
            Err(_) => Ok(None),
        }
    }

    /// Holds money at the desk.
    fn hold(&self, held: SuspenseHeld, now: Now) -> Result<(Seq, Entry), ControlError> {
        self.at_desk(Fact::SuspenseHeld(held), now)
    }

    /// The item and the line `by` are nothing together.
    fn reverse(
        &self,
        seq: Seq,
        item: &Item,
        by: BankLine,
        now: Now,
    ) -> Result<(Seq, Entry), ControlError> {
        let fact = SuspenseReleased {
            line: item.held.line,
            item: seq,
            amount: item.held.amount,
            cause: ReleaseCause::Reversed,
            by: Some(by),
        };
        self.at_desk(Fact::SuspenseReleased(fact), now)
    }

    pub(super) fn at_desk(&self, fact: Fact, now: Now) -> Result<(Seq, Entry), ControlError> {
        let shard = self.shard();
        let mut desk = shard.desks().lock(Desk::Suspense);
        shard.commit_desk(Desk::Suspense, &mut desk, now, fact).map_err(|_| ControlError::Busy)
    }
}

impl StatementOutcome {
    fn repeated(line: &StatementLine, seq: Seq, entry: Option<&Entry>) -> Self {
        Self { repeated: true, ..Self::of(line, seq, entry) }
    }

    /// What the entry says, or that it was posted where the entry is kept no more.
    fn of(told: &StatementLine, seq: Seq, entry: Option<&Entry>) -> Self {
        let brings = matches!(told.kind, LineKind::Credit(_));
        let mut outcome = Self {
            statement_key: told.line.key.to_string(),
            outcome: if brings { LineFate::Loaded } else { LineFate::TakenBack },
            repeated: false,
            reason: None,
            card: entry.and_then(Entry::card),
            seq: seq.0,
        };
        let moved = match entry.map(|entry| &entry.fact) {
            Some(Fact::LoadTakenBack(fact)) => Some(Balance::ZERO.minus(fact.amount)),
            Some(Fact::Loaded(fact)) => Some(Balance::ZERO.plus(fact.amount)),
            Some(Fact::SuspenseHeld(held)) => {
                outcome.outcome = LineFate::Suspense;
                outcome.reason = Some(held.reason.name());
                Some(held.amount)
            }
            Some(Fact::SuspenseReleased(fact)) => {
                outcome.outcome = match fact.cause {
                    ReleaseCause::Returned => LineFate::Returned,
                    ReleaseCause::Reversed => LineFate::Reversed,
                };
                // Of two lines that are nothing together, either may be this one.
                let is_item = fact.line.key == told.line.key;
                let sign = if is_item { 1 } else { -1 };
                Some(Balance::from_minor(sign * fact.amount.minor()))
            }
            _ => None,
        };
        let asked = match told.kind {
            LineKind::Credit(_) => Balance::ZERO.plus(told.amount),
            LineKind::Reversal { .. } => Balance::ZERO.minus(told.amount),
        };
        if moved.is_some_and(|moved| moved != asked) {
            outcome.outcome = LineFate::Conflict;
        }
        outcome
    }
}
