//! Who changed what about people: a chain of lines that is only appended to.
//!
//! Each line's hash covers the one before under a key that is not in the database, so that a line
//! that was changed, left out or put in later is found; that the newest are there, `audit_head`
//! knows. A change and its line stand in one transaction.

use sqlx::{Any, Transaction};
use tokio::sync::OwnedMutexGuard;

use super::audit_head::Head;
use super::sessions::at;
use crate::Portal;
use crate::page::failed::Failed;

/// A transaction whose changes are noted. Dropped without a commit it has changed nothing.
///
/// Nothing else may be asked of the database while one is open: in memory there is one connection.
pub struct Change {
    transaction: Transaction<'static, Any>,
    portal: Portal,
    /// The line behind which this change writes, and the newest that it has written.
    written: Option<(Head, Head)>,
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
        Ok(Change { transaction, portal: portal.clone(), written: None, _order: order })
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
        let behind = Head { number, hash: before.clone() };
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
        .bind(&hash)
        .execute(self.on())
        .await?;
        let newest = Head { number: written.number, hash };
        let behind = self.written.take().map_or(behind, |(behind, _)| behind);
        self.written = Some((behind, newest));
        Ok(())
    }

    /// Makes it last.
    ///
    /// # Errors
    /// [`Failed`] if the database does not answer: then nothing was changed.
    pub async fn commit(self) -> Result<(), Failed> {
        self.transaction.commit().await?;
        if let Some((behind, newest)) = self.written {
            self.portal.identity().audit_head().advance(&behind, newest);
        }
        Ok(())
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

/// Brings what is known of the newest line up to the database at a start: a crash may have come
/// between the two. Where nothing was known, the newest line is taken for it.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub async fn begin_head(portal: &Portal) -> Result<(), Failed> {
    let head = portal.identity().audit_head();
    let Some(known) = head.known() else {
        let read = "SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1";
        let newest = sqlx::query_as(read).fetch_optional(portal.database().pool()).await?;
        if let Some((number, hash)) = newest {
            head.advance(&Head::default(), Head { number, hash });
        }
        return Ok(());
    };
    let (lines, is_whole) = read(portal, known.number, LINES_OF_A_CHANGE_MAX).await?;
    if let (true, Some(newest)) = (is_whole, lines.last()) {
        head.advance(&known, Head { number: newest.number, hash: newest.hash.clone() });
    }
    Ok(())
}

/// Whether the newest line that was ever written is still there.
async fn has_its_end(portal: &Portal) -> Result<bool, sqlx::Error> {
    let head = portal.identity().audit_head();
    let Some(known) = head.known().filter(|known| known.number > 0) else {
        return Ok(head.is_believed());
    };
    let read = sqlx::query_scalar("SELECT hash FROM audit WHERE number = $1").bind(known.number);
    let hash: Option<String> = read.fetch_optional(portal.database().pool()).await?;
    Ok(hash == Some(known.hash))
}

/// Lines behind `after`, at most `limit`; whether the chain holds in them, and has its end.
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
    let (mut number_before, mut is_whole) = (after, has_its_end(portal).await?);
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

/// More lines than one change writes.
const LINES_OF_A_CHANGE_MAX: i64 = 100;
/// The operator who calls with the token of the settings.
pub const TOKEN: &str = "operator token";
