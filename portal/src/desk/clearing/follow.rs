//! Clearing and parked entries in the database, folded from durable entries in their order.
//!
//! What is read and the number up to which it was read are written together, so that each entry
//! counts once wherever the process ends. Most entries concern neither, and cost no write.

use std::time::Duration;

use cekr_issuer::Seq;
use serde_json::Value;
use sqlx::{Any, Transaction};
use tokio::sync::Mutex;

use crate::Portal;

/// How far the rows have come; the one who folds holds it.
#[derive(Debug, Default)]
pub(crate) struct Progress(Mutex<Option<(Seq, Seq)>>);

/// Follows the journal until the switch stops.
pub(crate) async fn follow(portal: Portal) {
    let mut stopped = std::pin::pin!(portal.durable().stopped());
    loop {
        let pause = match catch_up(&portal).await {
            Ok(()) => PAUSE,
            Err(error) => {
                tracing::error!(%error, "clearing is not projected; trying again");
                PAUSE_AFTER_ERROR
            }
        };
        tokio::select! {
            () = &mut stopped => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Brings the rows up to the newest durable entry.
///
/// # Errors
/// The database's.
pub(crate) async fn catch_up(portal: &Portal) -> Result<(), sqlx::Error> {
    let mut progress = portal.clearing().0.lock().await;
    let (durable, pool) = (portal.durable(), portal.database().pool());
    let newest = durable.newest();
    let (mut seen, mut stored) = match *progress {
        Some(known) => known,
        None => {
            let read = sqlx::query_scalar("SELECT seq FROM projection WHERE name = $1");
            let kept: Option<i64> = read.bind(NAME).fetch_optional(pool).await?;
            let kept = Seq(kept.and_then(|seq| u64::try_from(seq).ok()).unwrap_or_default());
            // The database has seen more than there is: it followed another journal.
            if kept > newest {
                drop_rows(portal).await?;
                (Seq::NONE, Seq::NONE)
            } else {
                (kept, kept)
            }
        }
    };
    while seen < newest {
        let (entries, through) = durable.control().clearing_and_parked(seen, newest, SCANNED_MAX);
        if !entries.is_empty() || through.0 - stored.0 >= UNSTORED_MAX {
            let mut transaction = pool.begin().await?;
            keep(&mut transaction, through).await?;
            for (seq, entry) in &entries {
                fold(&mut transaction, number(*seq), entry).await?;
            }
            transaction.commit().await?;
            stored = through;
        }
        seen = through;
        *progress = Some((seen, stored));
        // Pages come first.
        tokio::task::yield_now().await;
    }
    *progress = Some((seen, stored));
    Ok(())
}

async fn drop_rows(portal: &Portal) -> Result<(), sqlx::Error> {
    let mut transaction = portal.database().pool().begin().await?;
    sqlx::query("DELETE FROM desk_clearing").execute(&mut *transaction).await?;
    sqlx::query("DELETE FROM desk_parked").execute(&mut *transaction).await?;
    keep(&mut transaction, Seq::NONE).await?;
    transaction.commit().await
}

async fn keep(transaction: &mut Transaction<'_, Any>, seen: Seq) -> Result<(), sqlx::Error> {
    let write = "INSERT INTO projection (name, seq) VALUES ($1, $2) \
         ON CONFLICT (name) DO UPDATE SET seq = excluded.seq";
    let query = sqlx::query(write).bind(NAME).bind(number(seen));
    query.execute(&mut **transaction).await.map(|_| ())
}

/// What one entry says of clearing.
struct Parked {
    kind: &'static str,
    cause: String,
    amount: i64,
}

async fn fold(
    transaction: &mut Transaction<'_, Any>,
    seq: i64,
    entry: &Value,
) -> Result<(), sqlx::Error> {
    if let Some(line) = LineSum::of(entry) {
        line.add(transaction, &text(entry, "at")).await?;
    }
    let Some(parked) = parked(entry) else {
        return Ok(());
    };
    let insert = "INSERT INTO desk_parked \
         (seq, at, kind, cause, card, pan_masked, amount, merchant, reference, original) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    sqlx::query(insert)
        .bind(seq)
        .bind(text(entry, "at"))
        .bind(parked.kind)
        .bind(parked.cause)
        .bind(text(entry, "card"))
        .bind(text(entry, "pan_masked"))
        .bind(parked.amount)
        .bind(text(entry, "merchant").trim())
        .bind(text(entry, "rrn"))
        .bind(whole(entry, "original_seq"))
        .execute(&mut **transaction)
        .await
        .map(|_| ())
}

/// What one line of a file came to.
struct LineSum {
    file: String,
    outcome: String,
    change: i64,
    fee_change: i64,
    parked: i64,
}

impl LineSum {
    fn of(entry: &Value) -> Option<LineSum> {
        let (outcome, parked) = match text(entry, "kind").as_str() {
            "cleared" => (text(entry, "cleared_as"), whole(entry, "parked_amount")),
            "line_parked" => ("parked".to_owned(), whole(entry, "amount")),
            _ => return None,
        };
        let (change, fee_change) = (whole(entry, "change"), whole(entry, "fee_change"));
        Some(LineSum { file: text(entry, "file"), outcome, change, fee_change, parked })
    }

    async fn add(
        self,
        transaction: &mut Transaction<'_, Any>,
        at: &str,
    ) -> Result<(), sqlx::Error> {
        let add = "INSERT INTO desk_clearing \
             (file, outcome, lines, change, fee_change, parked, newest_at) \
             VALUES ($1, $2, 1, $3, $4, $5, $6) ON CONFLICT (file, outcome) DO UPDATE SET \
             lines = desk_clearing.lines + 1, change = desk_clearing.change + excluded.change, \
             fee_change = desk_clearing.fee_change + excluded.fee_change, \
             parked = desk_clearing.parked + excluded.parked, newest_at = excluded.newest_at";
        sqlx::query(add)
            .bind(self.file)
            .bind(self.outcome)
            .bind(self.change)
            .bind(self.fee_change)
            .bind(self.parked)
            .bind(at)
            .execute(&mut **transaction)
            .await
            .map(|_| ())
    }
}

/// What waits for a person because of this entry.
fn parked(entry: &Value) -> Option<Parked> {
    let is = |name: &str| entry.get(name).and_then(Value::as_bool).unwrap_or_default();
    let (kind, cause, amount) = match text(entry, "kind").as_str() {
        "line_parked" => ("line", text(entry, "cause"), whole(entry, "amount")),
        "cleared" if whole(entry, "parked_amount") != 0 => {
            ("rest", "above_approved".to_owned(), whole(entry, "parked_amount"))
        }
        "completed" => ("completion", "above_approved".to_owned(), whole(entry, "parked_amount")),
        "parked" => ("advice", text(entry, "cause"), whole(entry, "amount")),
        "reversed" if is("disputed") => {
            let left = whole(entry, "amount_left").saturating_add(whole(entry, "fee_left"));
            ("disputed", "dispense_faults".to_owned(), -left)
        }
        "reversed" if is("parked") => ("reversal", "amount_too_large".to_owned(), 0),
        _ => return None,
    };
    Some(Parked { kind, cause, amount })
}

fn text(entry: &Value, name: &str) -> String {
    entry.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn whole(entry: &Value, name: &str) -> i64 {
    entry.get(name).and_then(Value::as_i64).unwrap_or_default()
}

fn number(seq: Seq) -> i64 {
    i64::try_from(seq.0).unwrap_or(i64::MAX)
}

/// Its row in the table of projections.
const NAME: &str = "desk_clearing";
/// Entries that are looked at in one go, whatever they are about.
const SCANNED_MAX: usize = 512;
/// Entries, at most, that are looked at anew after a start: nothing in them was worth a write.
const UNSTORED_MAX: u64 = 65_536;
/// How often new entries are looked for: people look at these rows, no payment waits for them.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_waits_for_a_person_is_told_by_its_kind() {
        let kind = |entry: Value| parked(&entry).map(|parked| (parked.kind, parked.amount));
        let line = json!({"kind": "line_parked", "cause": "card_unknown", "amount": -5_00});
        assert_eq!(kind(line), Some(("line", -5_00)));
        let disputed = json!({"kind": "reversed", "parked": true, "disputed": true,
            "amount_left": 50_00, "fee_left": 15_00});
        assert_eq!(kind(disputed), Some(("disputed", -65_00)));
        assert_eq!(kind(json!({"kind": "cleared", "parked_amount": 3})), Some(("rest", 3)));
        assert_eq!(kind(json!({"kind": "cleared"})), None);
        assert_eq!(kind(json!({"kind": "reversed"})), None);
    }
}
