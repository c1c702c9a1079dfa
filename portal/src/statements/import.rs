//! Importing a file: its lines are posted once, whatever brought them before, and each is told.
//!
//! The order is: the whole file is read; its evidence is written; its lines are posted and durable;
//! the file is marked as finished. Whatever breaks in between, the file may come again, and does no
//! more than what was missing.

use std::collections::{BTreeMap, HashSet};

use cekr_issuer::Seq;
use cekr_switch::control::ControlError;
use cekr_switch::statements::{LineFate, LineKind, LineTarget, StatementLine, StatementOutcome};
use serde::Serialize;

use super::evidence::{self, StatementSeen};
use super::upload::Received;
use crate::Portal;
use cekr_bank::lines::{Doing, Line, Sums, Told};

/// What became of a file.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What it is called.
    pub file: String,
    /// Its SHA-256.
    pub sha256: String,
    /// The same file was imported before, and nothing was posted now.
    pub already_imported: bool,
    /// Its statements.
    pub statements: Vec<StatementReport>,
    /// Its lines.
    pub lines: Vec<LineReport>,
    /// What they come to.
    pub totals: Totals,
    /// What somebody should look at.
    pub alarms: Vec<Alarm>,
}

/// What is told of a statement.
#[derive(Clone, Debug, Serialize)]
pub struct StatementReport {
    /// `camt.052`, `camt.053` or `camt.054`.
    pub kind: &'static str,
    /// The message's id.
    pub message_id: String,
    /// Its own.
    pub statement_id: String,
    /// Its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// The account.
    pub account: String,
    /// Cents before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opening: Option<i64>,
    /// Cents afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closing: Option<i64>,
    /// Cents that came, booked.
    pub credits: i64,
    /// Cents that went, booked.
    pub debits: i64,
    /// The same statement came before, in this file or another.
    pub already_imported: bool,
}

/// What became of a line.
#[derive(Clone, Debug, Serialize)]
pub struct LineReport {
    /// Its statement in the file, from 1.
    pub statement: usize,
    /// Its entry in the statement, from 1.
    pub entry: usize,
    /// Its number in the entry, from 1; 0 for an entry as a whole.
    pub transaction: usize,
    /// The bank's name for it.
    pub bank_reference: String,
    /// Cents.
    pub amount: u64,
    /// Three capitals.
    pub currency: String,
    /// Who paid.
    pub payer: String,
    /// The reference as it was told.
    pub reference: String,
    /// What became of it.
    pub outcome: Outcome,
    /// It was posted before, and not again.
    pub repeated: bool,
    /// Why it is in suspense, or why nothing was done with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// What its reference says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<&'static str>,
    /// The number on the card's back that its reference names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mok_id: Option<String>,
    /// The id of the card that it went to or was taken from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub card: Option<String>,
    /// What makes it the same again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement_key: Option<String>,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It came before with another amount: a mistake, and nothing was posted.
    Conflict,
    /// Nothing was to be done.
    Ignored,
    /// It loaded its card.
    Posted,
    /// It came before and went back to its payer since.
    Returned,
    /// It and another line are nothing together, or it took back what another had loaded.
    Reversed,
    /// It waits in suspense.
    Suspense,
}

/// Lines and cents by what became of them; what was repeated is counted apart.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Totals {
    /// All lines.
    pub lines: u64,
    /// Lines that were posted before.
    pub repeated: u64,
    /// The others.
    #[serde(flatten)]
    pub by_outcome: BTreeMap<Outcome, Total>,
}

/// So many lines of so many cents.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Total {
    /// Lines.
    pub count: u64,
    /// Cents.
    pub amount: u64,
}

/// What somebody should look at.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Alarm {
    /// Its name for programs.
    pub kind: &'static str,
    /// What it is about, for people.
    pub message: String,
}

/// Why an import did not come to its end. What was posted is not posted again.
#[derive(Debug, thiserror::Error)]
pub enum ImportFailed {
    /// The switch does not take it now.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The database does not.
    #[error("the website's database failed: {0}")]
    Database(#[from] sqlx::Error),
}

/// Imports a file that was read.
///
/// # Errors
/// [`ImportFailed`]: import it again.
pub async fn import(
    portal: &Portal,
    received: &Received,
    sent_by: &str,
) -> Result<Report, ImportFailed> {
    // One after the other: what is repeated is then told truly.
    let _alone = portal.desk().alone().await;
    let (durable, database) = (portal.durable(), portal.database());
    let newest = durable.newest();
    let known = evidence::file(database, received).await?;
    // A journal that has not what the file brought is another one, and the file is posted again.
    let is_done = known.is_some_and(|known| known.is_finished && Seq(known.seq) <= newest);
    if is_done {
        let seen = StatementSeen { is_known: true, last_sequence: None };
        let seen = vec![seen; received.contents.statements.len()];
        return Ok(report(portal, received, &seen, None, newest));
    }
    let seen = evidence::keep(database, received, sent_by, durable.now().unix_ms).await?;
    let lines: Vec<StatementLine> = received.contents.lines.iter().filter_map(posted).collect();
    let outcomes = durable.post_lines(&lines).await?;
    let seq = outcomes.iter().map(|outcome| outcome.seq).max().unwrap_or_default();
    evidence::finish(database, received, durable.now().unix_ms, seq).await?;
    Ok(report(portal, received, &seen, Some(outcomes), newest))
}

fn posted(line: &Line) -> Option<StatementLine> {
    match line.doing {
        Doing::Ignore(_) => None,
        Doing::Post { line, .. } => Some(line),
    }
}

/// What became of it all. Without outcomes all was posted before.
fn report(
    portal: &Portal,
    received: &Received,
    seen: &[StatementSeen],
    outcomes: Option<Vec<StatementOutcome>>,
    before: Seq,
) -> Report {
    let already_imported = outcomes.is_none();
    let mut outcomes = outcomes.map(Vec::into_iter);
    let mut keys = HashSet::new();
    let mut lines = Vec::with_capacity(received.contents.lines.len());
    for line in &received.contents.lines {
        let mut told = untold(line);
        if let Doing::Post { line: asked, verdict } = &line.doing {
            told.verdict = match verdict {
                Told::Reference(verdict) => Some(verdict.name()),
                Told::Nothing => None,
                Told::Several => Some("SEVERAL"),
            };
            told.mok_id = match asked.kind {
                LineKind::Credit(LineTarget::MokId(number)) => Some(format!("{number:09}")),
                LineKind::Credit(LineTarget::Suspense { .. }) | LineKind::Reversal { .. } => None,
            };
            told.statement_key = Some(asked.line.key.to_string());
            told.repeated = true;
            told.outcome = match asked.kind {
                LineKind::Credit(_) => Outcome::Posted,
                LineKind::Reversal { .. } => Outcome::Reversed,
            };
            if let Some(outcome) = outcomes.as_mut().and_then(Iterator::next) {
                told.outcome = match outcome.outcome {
                    LineFate::Conflict => Outcome::Conflict,
                    LineFate::Loaded => Outcome::Posted,
                    LineFate::Returned => Outcome::Returned,
                    LineFate::Reversed | LineFate::TakenBack => Outcome::Reversed,
                    LineFate::Suspense => Outcome::Suspense,
                };
                // A line that found no room at first was posted by this import nevertheless.
                let is_first = keys.insert(asked.line.key);
                told.repeated = outcome.seq <= before.0 || !is_first;
                told.reason = outcome.reason;
                let card = outcome.card.and_then(|id| portal.durable().control().card(id).ok());
                told.card = card.map(|(card, _)| card.id);
            }
        }
        lines.push(told);
    }
    let statements = received.contents.statements.iter().zip(seen);
    Report {
        file: received.name.clone(),
        sha256: received.id().to_owned(),
        already_imported,
        statements: statements.map(|(sums, seen)| statement(sums, *seen)).collect(),
        totals: totals(&lines),
        alarms: alarms(received, seen, &lines),
        lines,
    }
}

fn untold(line: &Line) -> LineReport {
    let reason = match line.doing {
        Doing::Ignore(why) => Some(why.name()),
        Doing::Post { .. } => None,
    };
    LineReport {
        statement: line.statement + 1,
        entry: line.entry,
        transaction: line.transaction,
        bank_reference: line.bank_reference.clone(),
        amount: line.cents,
        currency: String::from_utf8_lossy(&line.currency).into_owned(),
        payer: line.payer.clone(),
        reference: line.reference.clone(),
        outcome: Outcome::Ignored,
        repeated: false,
        reason,
        verdict: None,
        mok_id: None,
        card: None,
        statement_key: None,
    }
}

fn statement(sums: &Sums, seen: StatementSeen) -> StatementReport {
    let Sums { statement, credits, debits, .. } = sums;
    let cents = |sum: i128| i64::try_from(sum).unwrap_or(i64::MAX);
    StatementReport {
        kind: statement.kind.name(),
        message_id: statement.message.clone(),
        statement_id: statement.id.clone(),
        sequence: statement.sequence,
        account: statement.account.clone().unwrap_or_default(),
        opening: statement.opening.map(cents),
        closing: statement.closing.map(cents),
        credits: cents(*credits),
        debits: cents(*debits),
        already_imported: seen.is_known,
    }
}

fn totals(lines: &[LineReport]) -> Totals {
    let mut totals = Totals::default();
    for line in lines {
        totals.lines += 1;
        if line.repeated {
            totals.repeated += 1;
            continue;
        }
        let total = totals.by_outcome.entry(line.outcome).or_default();
        total.count += 1;
        total.amount = total.amount.saturating_add(line.amount);
    }
    totals
}

/// What is odd about the file. Its lines were posted all the same.
fn alarms(received: &Received, seen: &[StatementSeen], lines: &[LineReport]) -> Vec<Alarm> {
    let mut alarms = Vec::new();
    for (sums, seen) in received.contents.statements.iter().zip(seen) {
        let statement = &sums.statement;
        let name = format!("{} {}", statement.kind.name(), statement.id);
        if !sums.is_own {
            let account = statement.account.as_deref().unwrap_or_default();
            let message = format!("{name} is of the account {account}, which is not ours");
            alarms.push(Alarm { kind: "other_account", message });
            continue;
        }
        if let Some(difference) = sums.difference().filter(|difference| *difference != 0) {
            let message = format!(
                "{name}: the closing balance differs by {} from what the booked entries make of \
                 the opening one",
                euros(difference)
            );
            alarms.push(Alarm { kind: "balance", message });
        }
        let sequence = statement.sequence.zip(seen.last_sequence).filter(|_| !seen.is_known);
        if let Some((sequence, last)) = sequence.filter(|(sequence, last)| *sequence > last + 1) {
            let message =
                format!("{name}: statements {} to {} are missing", last + 1, sequence - 1);
            alarms.push(Alarm { kind: "sequence_gap", message });
        }
    }
    let odd = lines.iter().filter_map(|line| {
        let kind = match (line.outcome, line.reason) {
            (Outcome::Conflict, _) => "conflict",
            (Outcome::Suspense, Some("CURRENCY")) if !line.repeated => "currency",
            _ => return None,
        };
        let what = match kind {
            "conflict" => "came before with another amount; nothing was posted",
            _ => "is not in euros; it waits in suspense by its digits",
        };
        let place = format!("statement {} entry {}", line.statement, line.entry);
        Some(Alarm { kind, message: format!("{place} ({}) {what}", line.bank_reference) })
    });
    alarms.extend(odd.take(LINE_ALARMS_MAX));
    alarms
}

fn euros(cents: i128) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let cents = cents.unsigned_abs();
    format!("{sign}{}.{:02} EUR", cents / 100, cents % 100)
}

/// Lines that are told as alarms; all of them are in the report.
const LINE_ALARMS_MAX: usize = 100;
