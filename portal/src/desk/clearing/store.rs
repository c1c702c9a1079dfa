//! Parked money and what people said of it, as rows.

use crate::Portal;
use crate::identity::audit::Change;
use crate::identity::secret;
use crate::page::failed::Failed;

/// Something that waits for a person.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Parked {
    pub(super) seq: i64,
    pub(super) at: String,
    pub(super) kind: String,
    pub(super) cause: String,
    pub(super) card: String,
    pub(super) pan_masked: String,
    pub(super) amount: i64,
    pub(super) merchant: String,
    pub(super) reference: String,
    pub(super) original: i64,
}

impl Parked {
    /// Whether a card can be told to take it, or to get it.
    pub(super) fn can_move(&self) -> bool {
        match self.kind.as_str() {
            "line" => !matches!(self.cause.as_str(), "currency_foreign" | "amount_zero"),
            "rest" | "disputed" => true,
            _ => false,
        }
    }

    /// Whether it is of no card of ours: somebody must say whose it is.
    pub(super) fn is_homeless(&self) -> bool {
        self.card.is_empty()
    }
}

/// What somebody said of it.
#[derive(Clone, Debug, Default, sqlx::FromRow)]
pub(super) struct Decision {
    pub(super) id: String,
    pub(super) seq: i64,
    pub(super) at: String,
    pub(super) what: String,
    pub(super) card: String,
    pub(super) amount: i64,
    pub(super) words: String,
    pub(super) proposed_by: String,
    pub(super) proposed_at: i64,
    pub(super) decided_by: String,
    pub(super) state: String,
    pub(super) settled_by: i64,
}

/// How many wait, and how many of them are disputed.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub(super) async fn waiting(portal: &Portal) -> Result<(i64, i64), Failed> {
    let read = "SELECT COUNT(*), CAST(COALESCE(SUM(CASE WHEN parked.kind = 'disputed' THEN 1 \
         ELSE 0 END), 0) AS BIGINT) FROM desk_parked parked WHERE NOT EXISTS (SELECT 1 FROM \
         desk_decision said WHERE said.seq = parked.seq AND said.at = parked.at AND \
         said.state = 'done')";
    Ok(sqlx::query_as(read).fetch_one(portal.database().pool()).await?)
}

/// What waits behind the entry `after`, the oldest first.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub(super) async fn list(portal: &Portal, after: i64, limit: i64) -> Result<Vec<Parked>, Failed> {
    let read = "SELECT seq, at, kind, cause, card, pan_masked, amount, merchant, reference, \
         original FROM desk_parked parked WHERE seq > $1 AND NOT EXISTS (SELECT 1 FROM \
         desk_decision said WHERE said.seq = parked.seq AND said.at = parked.at AND \
         said.state = 'done') ORDER BY seq LIMIT $2";
    let read = sqlx::query_as(read).bind(after).bind(limit);
    Ok(read.fetch_all(portal.database().pool()).await?)
}

/// What the entry `seq` parked and nobody has dealt with.
///
/// # Errors
/// [`Failed::NotFound`] where nothing waits by this number.
pub(super) async fn one(portal: &Portal, seq: i64) -> Result<Parked, Failed> {
    let found = list(portal, seq.saturating_sub(1), 1).await?;
    found.into_iter().find(|parked| parked.seq == seq).ok_or(Failed::NotFound)
}

/// The newest thing said of `parked` that is still open.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub(super) async fn open(portal: &Portal, parked: &Parked) -> Result<Option<Decision>, Failed> {
    let read = sqlx::query_as(OPEN).bind(parked.seq).bind(&parked.at);
    Ok(read.fetch_optional(portal.database().pool()).await?)
}

/// The newest that is dealt with, or was refused.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub(super) async fn decided(portal: &Portal, limit: i64) -> Result<Vec<Decision>, Failed> {
    let read = sqlx::query_as(DECIDED).bind(limit);
    Ok(read.fetch_all(portal.database().pool()).await?)
}

/// Writes down what somebody says; what they or others said before and is open is refused with it.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub(super) async fn say(change: &mut Change, said: &Decision) -> Result<(), Failed> {
    let over = "UPDATE desk_decision SET state = 'refused', decided_by = $1, decided_at = $2 \
         WHERE seq = $3 AND at = $4 AND state = 'proposed'";
    let over = sqlx::query(over).bind(&said.proposed_by).bind(said.proposed_at);
    over.bind(said.seq).bind(&said.at).execute(change.on()).await?;
    let insert = "INSERT INTO desk_decision (id, seq, at, what, card, amount, words, proposed_by, \
         proposed_at, decided_by, decided_at, state, settled_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, '', 0, $10, 0)";
    sqlx::query(insert)
        .bind(secret::name("d_")?)
        .bind(said.seq)
        .bind(&said.at)
        .bind(&said.what)
        .bind(&said.card)
        .bind(said.amount)
        .bind(&said.words)
        .bind(&said.proposed_by)
        .bind(said.proposed_at)
        .bind(&said.state)
        .execute(change.on())
        .await?;
    Ok(())
}

/// Moves what was said from `from` to `to`; tells whether it stood there.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub(super) async fn decide(
    change: &mut Change,
    id: &str,
    (from, to): (&[&str; 2], &str),
    (by, now_ms): (&str, i64),
    settled_by: i64,
) -> Result<bool, Failed> {
    let [one, other] = *from;
    let update = "UPDATE desk_decision SET state = $1, decided_by = $2, decided_at = $3, \
         settled_by = $4 WHERE id = $5 AND (state = $6 OR state = $7)";
    let update = sqlx::query(update).bind(to).bind(by).bind(now_ms).bind(settled_by).bind(id);
    let moved = update.bind(one).bind(other).execute(change.on()).await?;
    Ok(moved.rows_affected() == 1)
}

const OPEN: &str = "SELECT id, seq, at, what, card, amount, words, proposed_by, proposed_at, \
     decided_by, state, settled_by FROM desk_decision WHERE seq = $1 AND at = $2 AND \
     (state = 'proposed' OR state = 'approved') ORDER BY proposed_at DESC, id DESC LIMIT 1";
const DECIDED: &str = "SELECT id, seq, at, what, card, amount, words, proposed_by, proposed_at, \
     decided_by, state, settled_by FROM desk_decision WHERE state = 'done' OR state = 'refused' \
     ORDER BY decided_at DESC, id DESC LIMIT $1";
