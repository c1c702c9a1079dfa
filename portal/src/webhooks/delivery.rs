//! Deliveries: an entry on its way to an endpoint, what came of each try, and how long it is kept.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::endpoint::Endpoint;
use super::whole;
use crate::Portal;
use crate::identity::audit::{Change, Line};
use crate::identity::secret;
use crate::page::failed::Failed;

/// An entry on its way to an endpoint.
#[derive(Clone, Debug)]
pub(super) struct Delivery {
    /// Its name: `whd_...`.
    pub id: String,
    /// Whom it goes to.
    pub endpoint: String,
    /// The entry's cursor: the same however often it is sent.
    pub event: String,
    /// The entry's kind.
    pub kind: String,
    /// What is sent.
    pub body: String,
    /// How it stands.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: i64,
    /// Moments in milliseconds since 1970: when it was made,
    pub made_at: i64,
    /// when it is tried next,
    pub next_at: i64,
    /// and when that ends.
    pub give_up_at: i64,
    /// What came of the newest try.
    pub last: Option<Attempt>,
}

/// How a delivery stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum DeliveryState {
    /// The endpoint has heard.
    Delivered,
    /// It was tried for three days, or its endpoint was switched off.
    GivenUp,
    /// It is tried, or will be.
    Waiting,
}

impl DeliveryState {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::GivenUp => "given_up",
            Self::Waiting => "waiting",
        }
    }

    /// Its name on the page.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Delivered => "webhooks-delivered",
            Self::GivenUp => "webhooks-given-up",
            Self::Waiting => "webhooks-waiting",
        }
    }

    fn of(name: &str) -> DeliveryState {
        match name {
            "delivered" => Self::Delivered,
            "waiting" => Self::Waiting,
            _ => Self::GivenUp,
        }
    }
}

/// What came of one try.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Attempt {
    /// Counts from 1.
    pub number: i64,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// Of the answer; 0 where there was none.
    pub status: i64,
    /// How long it took.
    pub latency_ms: i64,
    /// How the answer begins.
    pub answer: String,
    /// Why there was none.
    pub fault: String,
}

/// An event that is to be told.
pub(super) struct Event {
    pub seq: u64,
    pub id: String,
    pub kind: String,
    pub body: String,
}

impl Delivery {
    fn of(row: &AnyRow) -> Result<Delivery, sqlx::Error> {
        let state: String = row.try_get("state")?;
        let number: Option<i64> = row.try_get("number")?;
        let last = number.map(|number| -> Result<Attempt, sqlx::Error> {
            Ok(Attempt {
                number,
                at: row.try_get("tried_at")?,
                status: row.try_get("status")?,
                latency_ms: row.try_get("latency_ms")?,
                answer: row.try_get("answer")?,
                fault: row.try_get("fault")?,
            })
        });
        Ok(Delivery {
            id: row.try_get("id")?,
            endpoint: row.try_get("endpoint")?,
            event: row.try_get("event")?,
            kind: row.try_get("kind")?,
            body: row.try_get("body")?,
            state: DeliveryState::of(&state),
            attempts: row.try_get("attempts")?,
            made_at: row.try_get("made_at")?,
            next_at: row.try_get("next_at")?,
            give_up_at: row.try_get("give_up_at")?,
            last: last.transpose()?,
        })
    }
}

/// Writes down in one go what is to be told to an endpoint, and that all through `through` was
/// looked at. `false`: it is switched off by now, and nothing was written.
pub(super) async fn add(
    portal: &Portal,
    endpoint: &Endpoint,
    events: &[Event],
    through: u64,
) -> Result<bool, Failed> {
    let now_ms = portal.durable().now().unix_ms;
    let mut transaction = portal.database().pool().begin().await?;
    let update = "UPDATE webhook_endpoint SET seq = $1 WHERE id = $2 AND state = 'enabled'";
    let update = sqlx::query(update).bind(whole(through)).bind(&endpoint.id);
    if update.execute(&mut *transaction).await?.rows_affected() == 0 {
        return Ok(false);
    }
    let insert = "INSERT INTO webhook_delivery (id, endpoint, seq, event, kind, body, state, \
         attempts, made_at, next_at, give_up_at) \
         VALUES ($1, $2, $3, $4, $5, $6, 'waiting', 0, $7, $7, $8) \
         ON CONFLICT (endpoint, seq) DO NOTHING";
    for event in events {
        sqlx::query(insert)
            .bind(secret::name("whd_")?)
            .bind(&endpoint.id)
            .bind(whole(event.seq))
            .bind(&event.id)
            .bind(&event.kind)
            .bind(&event.body)
            .bind(whole(now_ms))
            .bind(whole(now_ms.saturating_add(GIVE_UP_MS)))
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(true)
}

/// How many wait for an endpoint.
pub(super) async fn waiting(portal: &Portal, endpoint: &str) -> Result<i64, sqlx::Error> {
    let read = "SELECT COUNT(*) FROM webhook_delivery WHERE endpoint = $1 AND state = 'waiting'";
    sqlx::query_scalar(read).bind(endpoint).fetch_one(portal.database().pool()).await
}

/// Those that are due, the longest first.
pub(super) async fn due(
    portal: &Portal,
    endpoint: &str,
    max: usize,
) -> Result<Vec<Delivery>, sqlx::Error> {
    let read = format!(
        "{SELECT} WHERE d.endpoint = $1 AND d.state = 'waiting' AND d.next_at <= $2 \
         ORDER BY d.next_at, d.seq LIMIT $3"
    );
    let now = whole(portal.durable().now().unix_ms);
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let read = sqlx::query(sqlx::AssertSqlSafe(read)).bind(endpoint).bind(now).bind(max);
    let rows = read.fetch_all(portal.database().pool()).await?;
    rows.iter().map(Delivery::of).collect()
}

/// The newest of an endpoint, or those before one of them.
pub(super) async fn list(
    portal: &Portal,
    endpoint: &str,
    before: Option<&str>,
    max: i64,
) -> Result<Vec<Delivery>, Failed> {
    let pool = portal.database().pool();
    let below = match before {
        None => i64::MAX,
        Some(id) => {
            let read = "SELECT seq FROM webhook_delivery WHERE id = $1 AND endpoint = $2";
            let seq = sqlx::query_scalar(read).bind(id).bind(endpoint).fetch_optional(pool).await?;
            seq.ok_or(Failed::NotFound)?
        }
    };
    let read =
        format!("{SELECT} WHERE d.endpoint = $1 AND d.seq < $2 ORDER BY d.seq DESC LIMIT $3");
    let read = sqlx::query(sqlx::AssertSqlSafe(read)).bind(endpoint).bind(below).bind(max);
    let rows = read.fetch_all(pool).await?;
    Ok(rows.iter().map(Delivery::of).collect::<Result<_, _>>()?)
}

/// One of them.
///
/// # Errors
/// [`Failed::NotFound`].
pub(super) async fn find(portal: &Portal, id: &str) -> Result<Delivery, Failed> {
    let read = sqlx::AssertSqlSafe(format!("{SELECT} WHERE d.id = $1"));
    let read = sqlx::query(read).bind(id).fetch_optional(portal.database().pool());
    Ok(Delivery::of(&read.await?.ok_or(Failed::NotFound)?)?)
}

/// What came of each try, the newest first.
pub(super) async fn attempts(portal: &Portal, id: &str) -> Result<Vec<Attempt>, sqlx::Error> {
    let read = "SELECT number, tried_at, status, latency_ms, answer, fault FROM webhook_attempt \
                WHERE delivery = $1 ORDER BY number DESC LIMIT $2";
    let read = sqlx::query_as::<_, (i64, i64, i64, i64, String, String)>(read);
    let rows = read.bind(id).bind(ATTEMPTS_KEPT).fetch_all(portal.database().pool()).await?;
    let told = |(number, at, status, latency_ms, answer, fault)| Attempt {
        number,
        at,
        status,
        latency_ms,
        answer,
        fault,
    };
    Ok(rows.into_iter().map(told).collect())
}

/// Writes down what came of a try, and how the delivery stands then.
pub(super) async fn record(
    portal: &Portal,
    delivery: &str,
    attempt: &Attempt,
    state: DeliveryState,
    next_at: i64,
) -> Result<(), sqlx::Error> {
    let mut transaction = portal.database().pool().begin().await?;
    // Whoever gave it up, or had it sent again, meanwhile: only a waiting one changes its state.
    let update = "UPDATE webhook_delivery SET state = $1, next_at = $2 \
                  WHERE id = $3 AND state = 'waiting'";
    let update = sqlx::query(update).bind(state.name()).bind(next_at).bind(delivery);
    update.execute(&mut *transaction).await?;
    let count = "UPDATE webhook_delivery SET attempts = $1 WHERE id = $2";
    let count = sqlx::query(count).bind(attempt.number).bind(delivery);
    if count.execute(&mut *transaction).await?.rows_affected() == 0 {
        // Its endpoint was removed meanwhile.
        return Ok(());
    }
    let insert = "INSERT INTO webhook_attempt \
         (delivery, number, tried_at, status, latency_ms, answer, fault) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)";
    sqlx::query(insert)
        .bind(delivery)
        .bind(attempt.number)
        .bind(attempt.at)
        .bind(attempt.status)
        .bind(attempt.latency_ms)
        .bind(&attempt.answer)
        .bind(&attempt.fault)
        .execute(&mut *transaction)
        .await?;
    let drop = "DELETE FROM webhook_attempt WHERE delivery = $1 AND number <= $2";
    let drop = sqlx::query(drop).bind(delivery).bind(attempt.number - ATTEMPTS_KEPT);
    drop.execute(&mut *transaction).await?;
    transaction.commit().await
}

/// Sends one again, whatever came of it, for three days from now.
///
/// # Errors
/// [`Failed::NotFound`]; [`Failed::Conflict`] where its endpoint is switched off.
pub(super) async fn resend(portal: &Portal, who: &str, id: &str) -> Result<Delivery, Failed> {
    let found = find(portal, id).await?;
    let endpoint = super::endpoint::find(portal, &found.endpoint).await?;
    if endpoint.state != super::endpoint::EndpointState::Enabled {
        return Err(Failed::Conflict("webhooks-is-off"));
    }
    let now_ms = portal.durable().now().unix_ms;
    let mut change = Change::begin(portal).await?;
    let update = "UPDATE webhook_delivery \
                  SET state = 'waiting', next_at = $1, give_up_at = $2 WHERE id = $3";
    let update = sqlx::query(update).bind(whole(now_ms));
    let update = update.bind(whole(now_ms.saturating_add(GIVE_UP_MS))).bind(id);
    update.execute(change.on()).await?;
    let (before, after) = (found.state.name(), DeliveryState::Waiting.name());
    change.note(Line { who, what: "webhook_resent", about: id, before, after }).await?;
    change.commit().await?;
    portal.webhooks().ring();
    find(portal, id).await
}

/// Drops what is settled and old, or beyond the newest [`SETTLED_KEPT`] of its endpoint.
pub(super) async fn prune(portal: &Portal, endpoint: &str) -> Result<u64, sqlx::Error> {
    let pool = portal.database().pool();
    let now = whole(portal.durable().now().unix_ms);
    let last = "SELECT seq FROM webhook_delivery WHERE endpoint = $1 AND state <> 'waiting' \
                ORDER BY seq DESC LIMIT 1 OFFSET $2";
    let last = sqlx::query_scalar(last).bind(endpoint).bind(SETTLED_KEPT);
    let beyond: i64 = last.fetch_optional(pool).await?.unwrap_or(-1);
    let settled = "endpoint = $1 AND state <> 'waiting' AND (made_at < $2 OR seq <= $3)";
    let mut transaction = pool.begin().await?;
    let attempts = format!(
        "DELETE FROM webhook_attempt WHERE delivery IN \
         (SELECT id FROM webhook_delivery WHERE {settled})"
    );
    let deliveries = format!("DELETE FROM webhook_delivery WHERE {settled}");
    let mut dropped = 0;
    for delete in [attempts, deliveries] {
        let delete = sqlx::query(sqlx::AssertSqlSafe(delete)).bind(endpoint);
        let delete = delete.bind(now - KEPT_MS).bind(beyond).execute(&mut *transaction);
        dropped = delete.await?.rows_affected();
    }
    transaction.commit().await?;
    Ok(dropped)
}

/// A delivery with its newest try.
const SELECT: &str = "SELECT d.*, a.number, a.tried_at, a.status, a.latency_ms, a.answer, a.fault \
     FROM webhook_delivery d \
     LEFT JOIN webhook_attempt a ON a.delivery = d.id AND a.number = d.attempts";
/// How long a delivery is tried.
pub(super) const GIVE_UP_MS: u64 = 3 * 24 * 60 * 60 * 1_000;
/// Tries of one delivery that are kept.
const ATTEMPTS_KEPT: i64 = 100;
/// Settled deliveries of one endpoint that are kept,
const SETTLED_KEPT: i64 = 10_000;
/// and for how long: thirty days.
const KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1_000;
