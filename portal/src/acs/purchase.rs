//! Purchases that the access control server was asked about, and how far each has come.
//!
//! A row is evidence: who was to be paid, how much, which shop. That a purchase was confirmed is in
//! the journal, under the same id; a row that says so less is brought up to it.

use cekr_iso8583::CurrencyCode;
use cekr_issuer::confirmation::ConfirmationId;
use cekr_issuer::{Amount, CardId};
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::uuid::Uuid;
use crate::Portal;
use crate::db::Database;
use crate::page::failed::Failed;

/// A purchase.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Purchase {
    /// The acsTransID.
    pub id: ConfirmationId,
    /// Whose money it is.
    pub card: CardId,
    /// Who is paid: one line, short, without characters that control or turn the text. Still to be
    /// escaped where it is shown.
    pub payee: String,
    /// Minor units of `currency`.
    pub amount: Amount,
    /// ISO 4217 numeric.
    pub currency: CurrencyCode,
    /// Of the shop, ISO 3166-1 alpha-2.
    pub country: [u8; 2],
    /// Merchant category code.
    pub mcc: u16,
    /// The acquirerMerchantID, printable ASCII.
    pub merchant: String,
    /// `01` app, `02` browser.
    pub device_channel: &'static str,
    /// `sl` or `en`: what the browser asked for.
    pub language: &'static str,
    /// `2.1.0` or `2.2.0`.
    pub message_version: &'static str,
    /// The threeDSServerTransID.
    pub server_trans_id: Uuid,
    /// The dsTransID.
    pub ds_trans_id: Uuid,
    /// The dsReferenceNumber, given back as it came.
    pub ds_reference: String,
    /// What the shop says its address is. Never opened, never a link.
    pub shop_url: String,
    /// Where the browser takes the end to.
    pub notification_url: String,
    /// Where the result is sent to; empty where nothing may be sent.
    pub results_url: String,
    /// The shop's own mark, given back as it came.
    pub session_data: String,
    /// How far the conversation has come.
    pub state: PurchaseState,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// How the result was taken.
    pub results: Results,
    /// How often it was sent.
    pub attempts: u32,
    /// Milliseconds since 1970.
    pub created_at: u64,
    /// When the browser came.
    pub challenged_at: Option<u64>,
    /// When it ended.
    pub concluded_at: Option<u64>,
}

/// How far a conversation has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PurchaseState {
    /// The shop was told to send its buyer's browser.
    Created,
    /// The browser is here, and the holder is asked.
    Challenged,
    /// The outcome is known.
    Concluded,
}

/// How a purchase ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The holder confirmed it, and the seal is durable.
    Approved,
    /// Whoever sat before the shop's page gave it up.
    Cancelled,
    /// The holder refused it.
    Denied,
    /// The holder did not answer in time.
    Expired,
    /// The holder could not prove who they are.
    Failed,
    /// We could not ask the holder.
    Faulted,
    /// It needed no confirmation, and the seal is durable.
    Frictionless,
    /// The browser never came.
    NeverOpened,
}

/// How a result was taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Results {
    /// There is none to send.
    NotSent,
    /// It is to be sent, or sent again.
    Pending,
    /// The other side has it.
    Delivered,
    /// The other side answered, and does not want it.
    Refused,
    /// Nobody answered, and it is not sent any more.
    GivenUp,
}

/// The purchase with this acsTransID.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub async fn find(portal: &Portal, id: ConfirmationId) -> Result<Option<Purchase>, Failed> {
    let read = sqlx::query("SELECT * FROM purchases WHERE id = $1").bind(text(id));
    let row = read.fetch_optional(portal.database().pool()).await?;
    Ok(row.map(|row| purchase(portal, &row)).transpose()?.flatten())
}

/// The card's purchases that wait for the holder, the oldest first.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub async fn open_of(portal: &Portal, card: CardId) -> Result<Vec<Purchase>, Failed> {
    let read = "SELECT * FROM purchases WHERE card = $1 AND state = 'CHALLENGED' \
                ORDER BY created_at LIMIT $2";
    let read = sqlx::query(read).bind(token(portal, card)).bind(SHOWN_MAX);
    let rows = read.fetch_all(portal.database().pool()).await?;
    several(portal, &rows)
}

/// The purchases at which something is due, the most urgent first.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub(super) async fn due(portal: &Portal, now_ms: u64) -> Result<Vec<Purchase>, Failed> {
    let read = "SELECT * FROM purchases WHERE due_at <= $1 ORDER BY due_at LIMIT $2";
    let read = sqlx::query(read).bind(bound(now_ms)).bind(DUE_MAX);
    let rows = read.fetch_all(portal.database().pool()).await?;
    several(portal, &rows)
}

/// Those that a stopped website left unfinished.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub(super) async fn unfinished(portal: &Portal) -> Result<Vec<Purchase>, Failed> {
    let read = "SELECT * FROM purchases WHERE state <> 'CONCLUDED' ORDER BY created_at LIMIT $1";
    let read = sqlx::query(read).bind(UNFINISHED_MAX);
    let rows = read.fetch_all(portal.database().pool()).await?;
    several(portal, &rows)
}

/// Puts a purchase down.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub(super) async fn insert(
    portal: &Portal,
    purchase: &Purchase,
    due_at: Due,
) -> Result<(), Failed> {
    let insert = "INSERT INTO purchases (id, card, payee, amount, currency, country, mcc, merchant, \
                  device_channel, language, message_version, server_trans_id, ds_trans_id, \
                  ds_reference, shop_url, notification_url, results_url, session_data, state, \
                  outcome, results, attempts, created_at, challenged_at, concluded_at, due_at) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, \
                  $17, $18, $19, $20, $21, 0, $22, 0, $23, $24)";
    sqlx::query(insert)
        .bind(text(purchase.id))
        .bind(token(portal, purchase.card))
        .bind(&purchase.payee)
        .bind(bound(purchase.amount.minor()))
        .bind(i64::from(purchase.currency.number()))
        .bind(String::from_utf8_lossy(&purchase.country).into_owned())
        .bind(i64::from(purchase.mcc))
        .bind(&purchase.merchant)
        .bind(purchase.device_channel)
        .bind(purchase.language)
        .bind(purchase.message_version)
        .bind(purchase.server_trans_id.to_string())
        .bind(purchase.ds_trans_id.to_string())
        .bind(&purchase.ds_reference)
        .bind(&purchase.shop_url)
        .bind(&purchase.notification_url)
        .bind(&purchase.results_url)
        .bind(&purchase.session_data)
        .bind(purchase.state.name())
        .bind(purchase.outcome.map_or("", Outcome::name))
        .bind(purchase.results.name())
        .bind(bound(purchase.created_at))
        .bind(bound(purchase.concluded_at.unwrap_or_default()))
        .bind(due_at.bound())
        .execute(portal.database().pool())
        .await?;
    Ok(())
}

/// Notes that the browser came, once.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub(super) async fn challenged(
    db: &Database,
    id: ConfirmationId,
    session_data: &str,
    now_ms: u64,
    due_at: Due,
) -> Result<bool, Failed> {
    let update = "UPDATE purchases SET state = 'CHALLENGED', challenged_at = $2, session_data = $3, \
                  due_at = $4 WHERE id = $1 AND state = 'CREATED'";
    let update = sqlx::query(update).bind(text(id)).bind(bound(now_ms)).bind(session_data);
    let done = update.bind(due_at.bound()).execute(db.pool()).await?;
    Ok(done.rows_affected() == 1)
}

/// Notes how it ended, once; what was noted first stays.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub(super) async fn conclude(
    db: &Database,
    id: ConfirmationId,
    outcome: Outcome,
    results: Results,
    now_ms: u64,
) -> Result<bool, Failed> {
    let update = "UPDATE purchases SET state = 'CONCLUDED', outcome = $2, results = $3, \
                  concluded_at = $4, due_at = $5 WHERE id = $1 AND state <> 'CONCLUDED'";
    let due = if results == Results::Pending { Due::At(now_ms) } else { Due::Never };
    let update = sqlx::query(update).bind(text(id)).bind(outcome.name()).bind(results.name());
    let done = update.bind(bound(now_ms)).bind(due.bound()).execute(db.pool()).await?;
    Ok(done.rows_affected() == 1)
}

/// Notes how sending the result went.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub(super) async fn sent(
    db: &Database,
    id: ConfirmationId,
    results: Results,
    due_at: Due,
) -> Result<(), Failed> {
    let update = "UPDATE purchases SET results = $2, attempts = attempts + 1, due_at = $3 \
                  WHERE id = $1 AND results = 'PENDING'";
    let update = sqlx::query(update).bind(text(id)).bind(results.name()).bind(due_at.bound());
    update.execute(db.pool()).await?;
    Ok(())
}

/// Sets when to look again.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub(super) async fn postpone(db: &Database, id: ConfirmationId, due_at: Due) -> Result<(), Failed> {
    let update = sqlx::query("UPDATE purchases SET due_at = $2 WHERE id = $1").bind(text(id));
    update.bind(due_at.bound()).execute(db.pool()).await?;
    Ok(())
}

/// Removes the evidence that nobody can ask for any more.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub(super) async fn forget(db: &Database, now_ms: u64) -> Result<(), Failed> {
    let delete = "DELETE FROM purchases WHERE created_at < $1 AND state = 'CONCLUDED'";
    let before = now_ms.saturating_sub(KEPT_MS);
    sqlx::query(delete).bind(bound(before)).execute(db.pool()).await?;
    Ok(())
}

/// When something is to be done at a purchase.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Due {
    /// Milliseconds since 1970.
    At(u64),
    /// Nothing is left to do.
    Never,
}

impl Due {
    fn bound(self) -> i64 {
        match self {
            Self::At(ms) => bound(ms),
            Self::Never => i64::MAX,
        }
    }
}

impl PurchaseState {
    /// As the row has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Challenged => "CHALLENGED",
            Self::Concluded => "CONCLUDED",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        let all = [Self::Created, Self::Challenged, Self::Concluded];
        all.into_iter().find(|state| state.name() == name)
    }
}

impl Outcome {
    /// As the row has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Approved => "APPROVED",
            Self::Cancelled => "CANCELLED",
            Self::Denied => "DENIED",
            Self::Expired => "EXPIRED",
            Self::Failed => "FAILED",
            Self::Faulted => "FAULTED",
            Self::Frictionless => "FRICTIONLESS",
            Self::NeverOpened => "NEVER_OPENED",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        let all = [
            Self::Approved,
            Self::Cancelled,
            Self::Denied,
            Self::Expired,
            Self::Failed,
            Self::Faulted,
            Self::Frictionless,
            Self::NeverOpened,
        ];
        all.into_iter().find(|outcome| outcome.name() == name)
    }
}

impl Results {
    /// As the row has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotSent => "NOT_SENT",
            Self::Pending => "PENDING",
            Self::Delivered => "DELIVERED",
            Self::Refused => "REFUSED",
            Self::GivenUp => "GIVEN_UP",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        let all = [Self::NotSent, Self::Pending, Self::Delivered, Self::Refused, Self::GivenUp];
        all.into_iter().find(|results| results.name() == name)
    }
}

fn text(id: ConfirmationId) -> String {
    id.to_string()
}

fn token(portal: &Portal, card: CardId) -> String {
    portal.durable().control().shard().keyring().card_id(card.0).to_string()
}

fn bound(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn several(portal: &Portal, rows: &[AnyRow]) -> Result<Vec<Purchase>, Failed> {
    let read = rows.iter().map(|row| purchase(portal, row)).collect::<Result<Vec<_>, _>>()?;
    Ok(read.into_iter().flatten().collect())
}

/// A row as it was written; `None` for a card that the journal does not have.
fn purchase(portal: &Portal, row: &AnyRow) -> Result<Option<Purchase>, sqlx::Error> {
    let wrong = |name: &str| sqlx::Error::Decode(format!("purchases.{name}").into());
    let string = |name: &str| row.try_get::<String, _>(name);
    let number = |name: &str| -> Result<u64, sqlx::Error> {
        u64::try_from(row.try_get::<i64, _>(name)?).map_err(|_| wrong(name))
    };
    let uuid = |name: &str| Uuid::parse(&string(name)?).ok_or_else(|| wrong(name));
    let known = |name: &str, all: &[&'static str]| {
        let value = string(name)?;
        all.iter().copied().find(|known| *known == value).ok_or_else(|| wrong(name))
    };
    let moment = |name: &str| number(name).map(|ms| (ms != 0).then_some(ms));
    let Some(card) = portal.durable().control().id(&string("card")?) else { return Ok(None) };
    let currency = u16::try_from(number("currency")?).ok().and_then(CurrencyCode::new);
    Ok(Some(Purchase {
        id: ConfirmationId(uuid("id")?.0),
        card,
        payee: string("payee")?,
        amount: Amount::from_minor(number("amount")?),
        currency: currency.ok_or_else(|| wrong("currency"))?,
        country: string("country")?.as_bytes().try_into().map_err(|_| wrong("country"))?,
        mcc: u16::try_from(number("mcc")?).map_err(|_| wrong("mcc"))?,
        merchant: string("merchant")?,
        device_channel: known("device_channel", &["01", "02"])?,
        language: known("language", &["sl", "en"])?,
        message_version: known("message_version", &["2.1.0", "2.2.0"])?,
        server_trans_id: uuid("server_trans_id")?,
        ds_trans_id: uuid("ds_trans_id")?,
        ds_reference: string("ds_reference")?,
        shop_url: string("shop_url")?,
        notification_url: string("notification_url")?,
        results_url: string("results_url")?,
        session_data: string("session_data")?,
        state: PurchaseState::parse(&string("state")?).ok_or_else(|| wrong("state"))?,
        outcome: Outcome::parse(&string("outcome")?),
        results: Results::parse(&string("results")?).ok_or_else(|| wrong("results"))?,
        attempts: u32::try_from(number("attempts")?).map_err(|_| wrong("attempts"))?,
        created_at: number("created_at")?,
        challenged_at: moment("challenged_at")?,
        concluded_at: moment("concluded_at")?,
    }))
}

/// A card has at most five confirmations open.
const SHOWN_MAX: i64 = 5;
/// What one look takes up.
const DUE_MAX: i64 = 100;
/// What a start takes up.
const UNFINISHED_MAX: i64 = 10_000;
/// Thirteen months: as long as a payment can be disputed.
const KEPT_MS: u64 = 400 * 24 * 3_600 * 1_000;
