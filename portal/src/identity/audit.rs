//! Who changed what about people: a chain of lines that is only appended to.
//!
//! Each line's hash covers the one before under a key that is not in the database, so that a line
//! that was changed, left out or put in later is found. A change and its line stand in one
//! transaction.

use sqlx::{Any, Transaction};
use tokio::sync::OwnedMutexGuard;

use super::sessions::at;
use crate::Portal;
use crate::page::failed::Failed;

/// A transaction whose changes are noted. Dropped without a commit it has changed nothing.
///
/// Nothing else may be asked of the database while one is open: in memory there is one connection.
pub struct Change {
    transaction: Transaction<'static, Any>,
    portal: Portal,
    // One at a time: each line needs the hash of the line before.
    _order: OwnedMutexGuard<()>,
}

/// A line to be written.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// Who did it: a holder, an operator, or the operator's token.
    pub who: &'a str,
    /// What was done, in a word of `snake_case`.
    pub what: &'a str,
    /// Whom or what it concerns.
    pub about: &'a str,
    /// How it was before.
    pub before: &'a str,
    /// How it was afterwards.
    pub after: &'a str,
}

/// A line as it was written.
#[derive(Clone, Debug, serde::Serialize, utoipa::ToSchema)]
pub struct Written {
    /// Counts from 1 without gaps.
    pub number: i64,
    /// Milliseconds since 1970.
    pub at: i64,
    /// Who did it.
    pub who: String,
    /// What was done.
    pub what: String,
    /// Whom or what it concerns.
    pub about: String,
    /// How it was before.
    pub before: String,
    /// How it was afterwards.
    pub after: String,
    /// Of this line and the one before.
    pub hash: String,
}

impl Change {
    /// Begins one. Its first statement must write: a reader that becomes a writer may be refused.
    ///
    /// # Errors
    /// [`Failed`] if the database does not answer.
    pub async fn begin(portal: &Portal) -> Result<Change, Failed> {
        let order = portal.identity().audit_order().lock_owned().await;
        let transaction = portal.database().pool().begin().await?;
        Ok(Change { transaction, portal: portal.clone(), _order: order })
    }

    /// Where statements are run.
    pub fn on(&mut self) -> &mut sqlx::AnyConnection {
        &mut self.transaction
    }

    /// Writes a line.
    ///
    /// # Errors
    /// [`Failed`] if the database does not answer.
    pub async fn note(&mut self, line: Line<'_>) -> Result<(), Failed> {
        let read = "SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1";
        let last: Option<(i64, String)> = sqlx::query_as(read).fetch_optional(self.on()).await?;
        let (number, before) = last.unwrap_or_default();
        let written = Written {
            number: number.saturating_add(1),
            at: at(self.portal.durable().now().unix_ms),
            who: line.who.to_owned(),
            what: line.what.to_owned(),
            about: line.about.to_owned(),
            before: line.before.to_owned(),
            after: line.after.to_owned(),
            hash: String::new(),
        };
        let hash = written.hash_behind(&self.portal, &before);
        sqlx::query(
            "INSERT INTO audit (number, made_at, who, what, about, was, became, hash) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(written.number)
        .bind(written.at)
        .bind(&written.who)
        .bind(&written.what)
        .bind(&written.about)
        .bind(&written.before)
        .bind(&written.after)
        .bind(hash)
        .execute(self.on())
        .await?;
        Ok(())
    }

    /// Makes it last.
    ///
    /// # Errors
    /// [`Failed`] if the database does not answer: then nothing was changed.
    pub async fn commit(self) -> Result<(), Failed> {
        Ok(self.transaction.commit().await?)
    }
}

impl Written {
    fn hash_behind(&self, portal: &Portal, before: &str) -> String {
        let (number, at) = (self.number.to_string(), self.at.to_string());
        let parts =
            [before, &number, &at, &self.who, &self.what, &self.about, &self.before, &self.after];
        portal.identity().secret().hash("cekr-audit-v1", &parts)
    }
}

/// Lines behind `after`, at most `limit`, and whether the chain holds in them.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub async fn read(portal: &Portal, after: i64, limit: i64) -> Result<(Vec<Written>, bool), Failed> {
    let pool = portal.database().pool();
    let before: Option<String> = sqlx::query_scalar("SELECT hash FROM audit WHERE number = $1")
        .bind(after)
        .fetch_optional(pool)
        .await?;
    type Row = (i64, i64, String, String, String, String, String, String);
    let read = "SELECT number, made_at, who, what, about, was, became, hash FROM audit \
                WHERE number > $1 ORDER BY number LIMIT $2";
    let rows: Vec<Row> = sqlx::query_as(read).bind(after).bind(limit).fetch_all(pool).await?;
    let mut behind = before.unwrap_or_default();
    let (mut number_before, mut is_whole) = (after, true);
    let mut lines = Vec::with_capacity(rows.len());
    for (number, at, who, what, about, before, after, hash) in rows {
        let line = Written { number, at, who, what, about, before, after, hash };
        is_whole &= line.number == number_before + 1;
        is_whole &= line.hash_behind(portal, &behind) == line.hash;
        number_before = line.number;
        behind.clone_from(&line.hash);
        lines.push(line);
    }
    Ok((lines, is_whole))
}

/// The operator who calls with the token of the settings.
pub const TOKEN: &str = "operator token";
