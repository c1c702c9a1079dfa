//! What the files said, in the database: who paid, from where, with which words.
//!
//! It is written before a line is posted, so that whatever stands in the journal has its evidence.
//! Of money it proves nothing: that is the journal's.

use sqlx::{Any, AssertSqlSafe, Row as _, Transaction};

use super::upload::Received;
use crate::db::Database;
use cekr_bank::lines::{self, Contents, Doing, Line, Sums};

/// What is known of a file that came before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct FileKnown {
    /// All of its lines were posted.
    pub(super) is_finished: bool,
    /// The newest entry of the journal that a line of it has.
    pub(super) seq: u64,
}

/// Who paid, as a file told it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Payer {
    /// The bank's name for the payment.
    pub bank_reference: String,
    /// The payer's.
    pub end_to_end: String,
    /// Who.
    pub name: String,
    /// From which account.
    pub account: String,
    /// The reference as it was told.
    pub reference: String,
}

/// A statement that came before, or the number that should have come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct StatementSeen {
    /// The same statement came before.
    pub(super) is_known: bool,
    /// The greatest number of the account's statements before this one.
    pub(super) last_sequence: Option<u64>,
}

/// The file, if it came before.
pub(super) async fn file(
    database: &Database,
    received: &Received,
) -> Result<Option<FileKnown>, sqlx::Error> {
    let read = "SELECT finished_at, seq FROM statement_file WHERE id = $1";
    let row = sqlx::query(read).bind(received.id()).fetch_optional(database.pool()).await?;
    row.map(|row| {
        let (finished_at, seq): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        Ok(FileKnown { is_finished: finished_at > 0, seq: u64::try_from(seq).unwrap_or(0) })
    })
    .transpose()
}

/// Keeps the file, its statements and its lines; tells of each statement whether it came before.
pub(super) async fn keep(
    database: &Database,
    received: &Received,
    sent_by: &str,
    now_ms: u64,
) -> Result<Vec<StatementSeen>, sqlx::Error> {
    let mut transaction = database.pool().begin().await?;
    let insert = "INSERT INTO statement_file \
         (id, name, sent_by, octets, received_at, finished_at, seq) \
         VALUES ($1, $2, $3, $4, $5, 0, 0) ON CONFLICT (id) DO NOTHING";
    sqlx::query(insert)
        .bind(received.id())
        .bind(received.name.as_str())
        .bind(sent_by)
        .bind(number(received.octets))
        .bind(number(now_ms))
        .execute(&mut *transaction)
        .await?;
    let mut seen = Vec::with_capacity(received.contents.statements.len());
    for sums in &received.contents.statements {
        seen.push(keep_statement(&mut transaction, received, sums).await?);
    }
    keep_lines(&mut transaction, received, &received.contents).await?;
    transaction.commit().await?;
    Ok(seen)
}

/// All lines of the file are posted.
pub(super) async fn finish(
    database: &Database,
    received: &Received,
    now_ms: u64,
    seq: u64,
) -> Result<(), sqlx::Error> {
    let update = "UPDATE statement_file SET finished_at = $1, seq = $2 WHERE id = $3";
    let query = sqlx::query(update).bind(number(now_ms)).bind(number(seq)).bind(received.id());
    query.execute(database.pool()).await.map(|_| ())
}

/// Who paid the line of this key.
///
/// # Errors
/// The database's.
pub async fn payer(database: &Database, statement_key: &str) -> Result<Option<Payer>, sqlx::Error> {
    let read = "SELECT bank_reference, end_to_end, payer, payer_account, reference \
         FROM statement_line WHERE statement_key = $1";
    let row = sqlx::query(read).bind(statement_key).fetch_optional(database.pool()).await?;
    row.map(|row| {
        Ok(Payer {
            bank_reference: row.try_get(0)?,
            end_to_end: row.try_get(1)?,
            name: row.try_get(2)?,
            account: row.try_get(3)?,
            reference: row.try_get(4)?,
        })
    })
    .transpose()
}

async fn keep_statement(
    transaction: &mut Transaction<'_, Any>,
    received: &Received,
    sums: &Sums,
) -> Result<StatementSeen, sqlx::Error> {
    let statement = &sums.statement;
    let account = statement.account.as_deref().unwrap_or_default();
    let kind = statement.kind.name();
    let read = "SELECT MAX(sequence) FROM statement WHERE account = $1 AND kind = $2";
    let last: Option<i64> =
        sqlx::query_scalar(read).bind(account).bind(kind).fetch_one(&mut **transaction).await?;
    let insert = "INSERT INTO statement \
         (id, file, kind, account, message_id, statement_id, sequence) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING";
    let done = sqlx::query(insert)
        .bind(lines::statement_name(statement))
        .bind(received.id())
        .bind(kind)
        .bind(account)
        .bind(statement.message.as_str())
        .bind(statement.id.as_str())
        .bind(statement.sequence.map_or(-1, number))
        .execute(&mut **transaction)
        .await?;
    let last_sequence = last.and_then(|last| u64::try_from(last).ok());
    Ok(StatementSeen { is_known: done.rows_affected() == 0, last_sequence })
}

async fn keep_lines(
    transaction: &mut Transaction<'_, Any>,
    received: &Received,
    contents: &Contents,
) -> Result<(), sqlx::Error> {
    let posted: Vec<(&Line, String, String)> = contents
        .lines
        .iter()
        .filter_map(|line| match &line.doing {
            Doing::Ignore(_) => None,
            Doing::Post { line: posted, .. } => {
                Some((line, posted.line.key.to_string(), posted.line.booked_on.to_string()))
            }
        })
        .collect();
    for some in posted.chunks(ROWS_TOGETHER) {
        let mut statement = String::from(
            "INSERT INTO statement_line (statement_key, file, statement, entry, part, amount, \
             currency, booked_on, bank_reference, end_to_end, payer, payer_account, reference) \
             VALUES ",
        );
        for row in 0..some.len() {
            let places: Vec<String> =
                (1..=COLUMNS).map(|column| format!("${}", row * COLUMNS + column)).collect();
            let comma = if row == 0 { "" } else { ", " };
            statement.push_str(&format!("{comma}({})", places.join(", ")));
        }
        statement.push_str(" ON CONFLICT (statement_key) DO NOTHING");
        let mut query = sqlx::query(AssertSqlSafe(statement));
        for (line, key, booked_on) in some {
            query = query
                .bind(key.as_str())
                .bind(received.id())
                .bind(index(line.statement))
                .bind(index(line.entry))
                .bind(index(line.transaction))
                .bind(number(line.cents))
                .bind(String::from_utf8_lossy(&line.currency).into_owned())
                .bind(booked_on.as_str())
                .bind(line.bank_reference.as_str())
                .bind(line.end_to_end.as_str())
                .bind(line.payer.as_str())
                .bind(line.payer_account.as_str())
                .bind(line.reference.as_str());
        }
        query.execute(&mut **transaction).await?;
    }
    Ok(())
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn index(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Rows of one statement: few enough for any database's places.
const ROWS_TOGETHER: usize = 200;
const COLUMNS: usize = 13;
