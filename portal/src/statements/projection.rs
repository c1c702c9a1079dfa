//! Loads and suspense in the database, folded from durable entries in their order.
//!
//! A batch of entries and the number up to which they were seen are written together, so that each
//! entry counts once wherever the process ends. A journal that is shorter than that number is
//! another one: then the rows are made anew. The rows say nothing that the journal does not:
//! they can be dropped and made anew.

use std::time::Duration;

use cekr_issuer::Seq;
use cekr_switch::control::Durable;
use serde_json::Value;
use sqlx::{Any, Transaction};

use crate::Portal;
use crate::db::Database;

/// Follows the journal until the switch stops.
pub(crate) async fn follow(portal: Portal) {
    let mut stopped = std::pin::pin!(portal.durable().stopped());
    loop {
        let pause = match catch_up(&portal).await {
            Ok(_) => PAUSE,
            Err(error) => {
                tracing::error!(%error, "loads and suspense are not projected; trying again");
                PAUSE_AFTER_ERROR
            }
        };
        tokio::select! {
            () = &mut stopped => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Brings the rows up to the newest durable entry, and tells its number.
///
/// # Errors
/// The database's.
pub async fn catch_up(portal: &Portal) -> Result<Seq, sqlx::Error> {
    let mut progress = portal.desk().projecting().await;
    go_on(portal.durable(), portal.database(), &mut progress).await
}

/// How far the rows have come.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    /// Through which entry all was seen; `None` until the database was asked.
    seen: Option<Seq>,
    /// Which one the database knows of.
    stored: Seq,
}

/// From the last entry that was seen to the newest. Nothing is written while nothing of loads or
/// suspense comes: a write costs a sync, and payments use the same disk.
async fn go_on(
    durable: &Durable,
    database: &Database,
    progress: &mut Progress,
) -> Result<Seq, sqlx::Error> {
    let newest = durable.newest();
    let mut seen = match progress.seen {
        Some(seen) => seen,
        None => {
            let stored = stored(database).await?;
            // The database has seen more than there is: it followed another journal.
            progress.stored = if stored > newest { drop_rows(database).await? } else { stored };
            progress.stored
        }
    };
    let is_idle = seen >= newest;
    while seen < newest {
        let control = durable.control();
        let (entries, through) = control.loads_and_suspense(seen, newest, SCANNED_MAX);
        if !entries.is_empty() {
            let mut transaction = database.pool().begin().await?;
            for (seq, entry) in &entries {
                fold(&mut transaction, *seq, entry).await?;
            }
            keep(&mut transaction, through).await?;
            transaction.commit().await?;
            progress.stored = through;
        }
        seen = through;
        progress.seen = Some(seen);
        // Pages come first.
        tokio::task::yield_now().await;
    }
    if progress.stored < seen && (is_idle || seen.0 - progress.stored.0 >= UNSTORED_MAX) {
        let mut transaction = database.pool().begin().await?;
        keep(&mut transaction, seen).await?;
        transaction.commit().await?;
        progress.stored = seen;
    }
    Ok(newest)
}

/// Drops the rows and makes them anew; tells the newest entry within.
///
/// # Errors
/// The database's.
pub async fn rebuild(portal: &Portal) -> Result<Rebuilt, sqlx::Error> {
    let mut progress = portal.desk().projecting().await;
    let (durable, database) = (portal.durable(), portal.database());
    drop_rows(database).await?;
    *progress = Progress::default();
    let seq = go_on(durable, database, &mut progress).await?;
    let count = async |read: &'static str| -> Result<i64, sqlx::Error> {
        sqlx::query_scalar(read).fetch_one(database.pool()).await
    };
    Ok(Rebuilt {
        seq,
        loads: count("SELECT COUNT(*) FROM load_projection").await?,
        suspense: count("SELECT COUNT(*) FROM suspense_projection").await?,
    })
}

/// What was made anew.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rebuilt {
    /// The newest entry within.
    pub seq: Seq,
    /// Rows of loads.
    pub loads: i64,
    /// Rows of items that wait or waited.
    pub suspense: i64,
}

async fn drop_rows(database: &Database) -> Result<Seq, sqlx::Error> {
    let mut transaction = database.pool().begin().await?;
    sqlx::query("DELETE FROM load_projection").execute(&mut *transaction).await?;
    sqlx::query("DELETE FROM suspense_projection").execute(&mut *transaction).await?;
    keep(&mut transaction, Seq::NONE).await?;
    transaction.commit().await?;
    Ok(Seq::NONE)
}

async fn stored(database: &Database) -> Result<Seq, sqlx::Error> {
    let read = "SELECT seq FROM projection WHERE name = $1";
    let stored: Option<i64> =
        sqlx::query_scalar(read).bind(NAME).fetch_optional(database.pool()).await?;
    Ok(Seq(stored.and_then(|seq| u64::try_from(seq).ok()).unwrap_or(0)))
}

async fn keep(transaction: &mut Transaction<'_, Any>, seen: Seq) -> Result<(), sqlx::Error> {
    let write = "INSERT INTO projection (name, seq) VALUES ($1, $2) \
         ON CONFLICT (name) DO UPDATE SET seq = excluded.seq";
    let query = sqlx::query(write).bind(NAME).bind(number(seen));
    query.execute(&mut **transaction).await.map(|_| ())
}

/// What one entry changes.
async fn fold(
    transaction: &mut Transaction<'_, Any>,
    seq: Seq,
    entry: &Value,
) -> Result<(), sqlx::Error> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let whole = |name: &str| entry.get(name).and_then(Value::as_i64).unwrap_or_default();
    let name = || {
        let reference = text("reference");
        if reference.is_empty() { text("statement_key") } else { reference }
    };
    match text("kind").as_str() {
        "loaded" => {
            let insert = "INSERT INTO load_projection \
                 (seq, at, card, amount, source, name, booked_on, taken_back) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, 0)";
            sqlx::query(insert)
                .bind(number(seq))
                .bind(text("at"))
                .bind(text("card"))
                .bind(whole("amount"))
                .bind(text("source"))
                .bind(name())
                .bind(text("booked_on"))
                .execute(&mut **transaction)
                .await?;
            arrive(transaction, seq, &text("statement_key")).await
        }
        "load_taken_back" => {
            let update = "UPDATE load_projection SET taken_back = taken_back + $1 WHERE seq = $2";
            sqlx::query(update)
                .bind(whole("amount"))
                .bind(whole("original_seq"))
                .execute(&mut **transaction)
                .await?;
            arrive(transaction, seq, &text("statement_key")).await
        }
        "suspense_held" => {
            let insert = "INSERT INTO suspense_projection (item, statement_key, at, amount, \
                 reason, mok_id, booked_on, state, card, changed_by) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, 'waiting', '', 0)";
            sqlx::query(insert)
                .bind(number(seq))
                .bind(text("statement_key"))
                .bind(text("at"))
                .bind(whole("amount"))
                .bind(text("reason"))
                .bind(text("mok_id"))
                .bind(text("booked_on"))
                .execute(&mut **transaction)
                .await
                .map(|_| ())
        }
        "suspense_assigned" => {
            let update = "UPDATE suspense_projection \
                 SET state = 'assigned', card = $1, changed_by = $2 WHERE item = $3";
            sqlx::query(update)
                .bind(text("assigned_to"))
                .bind(number(seq))
                .bind(whole("item"))
                .execute(&mut **transaction)
                .await
                .map(|_| ())
        }
        "suspense_released" => {
            let update = "UPDATE suspense_projection SET state = $1, changed_by = $2 \
                 WHERE item = $3";
            sqlx::query(update)
                .bind(text("cause"))
                .bind(number(seq))
                .bind(whole("item"))
                .execute(&mut **transaction)
                .await
                .map(|_| ())
        }
        _ => Ok(()),
    }
}

/// What was assigned has come to its card.
async fn arrive(
    transaction: &mut Transaction<'_, Any>,
    seq: Seq,
    statement_key: &str,
) -> Result<(), sqlx::Error> {
    if statement_key.is_empty() {
        return Ok(());
    }
    let update = "UPDATE suspense_projection SET state = 'loaded', changed_by = $1 \
         WHERE statement_key = $2 AND state = 'assigned'";
    let query = sqlx::query(update).bind(number(seq)).bind(statement_key);
    query.execute(&mut **transaction).await.map(|_| ())
}

fn number(seq: Seq) -> i64 {
    i64::try_from(seq.0).unwrap_or(i64::MAX)
}

/// Its row in the table of projections.
const NAME: &str = "loads_and_suspense";
/// Entries that are looked at in one go, whatever they are about.
const SCANNED_MAX: usize = 512;
/// Entries, at most, that are looked at anew after a start: nothing in them was worth a write.
const UNSTORED_MAX: u64 = 65_536;
/// How often new entries are looked for: people look at these rows, no payment waits for them.
const PAUSE: Duration = Duration::from_millis(500);
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(10);
