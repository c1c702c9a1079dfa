//! The rows of loads by card, and of means of payment that holders keep.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::psp::{Means, Payment};
use super::state::{Failure, Known, State};
use crate::db::Database;

/// Who pays, as they wrote it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PayerData {
    /// First and last name.
    pub name: String,
    /// Street, number, town.
    pub address: String,
    /// Where a confirmation could go.
    pub email: String,
}

/// Whether the payer agreed that means and data are kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Consent {
    /// They are wiped when the payment is settled.
    Forget,
    /// They are kept until the holder deletes them.
    Keep,
}

/// A load by card.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CardLoad {
    /// Its name here, at the provider, and in the journal.
    pub id: String,
    /// The card's opaque id.
    pub card: String,
    /// What stands on the card's back.
    pub mok_id: String,
    /// Cents.
    pub amount: u64,
    /// Cents that were taken off the card again.
    pub taken_back: u64,
    /// How far it has come.
    pub state: State,
    /// Why it failed, or is being ended.
    pub failure: Option<Failure>,
    /// Milliseconds since 1970.
    pub made_at: i64,
    /// Milliseconds since 1970.
    pub changed_at: i64,
    /// Who ordered it; empty for a stranger.
    pub holder: String,
    /// First six and last four digits of the card that pays; empty until that is known.
    pub masked: String,
    /// Its brand.
    pub brand: String,
    /// Empty when it was settled and is not to be kept.
    pub payer: PayerData,
    /// What the payer agreed to.
    pub consent: Consent,
}

impl CardLoad {
    /// What the next step depends on.
    #[must_use]
    pub fn known(&self, is_late: bool, is_own_card: bool, is_taken: bool) -> Known {
        Known {
            state: self.state,
            amount: self.amount,
            taken_back: self.taken_back,
            failure: self.failure,
            is_late,
            is_own_card,
            is_taken,
        }
    }
}

/// A means of payment that a holder keeps.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeptMeans {
    /// Its name here.
    pub id: String,
    /// First six and last four digits.
    pub masked: String,
    /// Its brand.
    pub brand: String,
    /// The payer's data with it.
    pub payer: PayerData,
}

/// Puts an order down; `false` where the form has ordered one already.
///
/// # Errors
/// The database's.
pub async fn insert(db: &Database, load: &CardLoad, form: &str) -> Result<bool, sqlx::Error> {
    let insert = "INSERT INTO card_load (id, card, mok_id, amount, taken_back, state, failure, \
                  made_at, changed_at, due_at, holder, form, masked, brand, payer_name, \
                  payer_address, payer_email, keep) VALUES ($1, $2, $3, $4, 0, $5, '', $6, $7, $8, \
                  $9, $10, '', '', $11, $12, $13, $14) ON CONFLICT (form) DO NOTHING";
    let done = sqlx::query(insert)
        .bind(&load.id)
        .bind(&load.card)
        .bind(&load.mok_id)
        .bind(cents(load.amount))
        .bind(load.state.name())
        .bind(load.made_at)
        .bind(load.made_at)
        .bind(load.made_at)
        .bind(&load.holder)
        .bind(form)
        .bind(&load.payer.name)
        .bind(&load.payer.address)
        .bind(&load.payer.email)
        .bind(i64::from(load.consent == Consent::Keep))
        .execute(db.pool())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// The load of this name.
///
/// # Errors
/// The database's.
pub async fn find(db: &Database, id: &str) -> Result<Option<CardLoad>, sqlx::Error> {
    let row = sqlx::query("SELECT * FROM card_load WHERE id = $1").bind(id);
    row.fetch_optional(db.pool()).await?.map(|row| load(&row)).transpose()
}

/// The load that this form ordered.
///
/// # Errors
/// The database's.
pub async fn find_form(db: &Database, form: &str) -> Result<Option<CardLoad>, sqlx::Error> {
    let row = sqlx::query("SELECT * FROM card_load WHERE form = $1").bind(form);
    row.fetch_optional(db.pool()).await?.map(|row| load(&row)).transpose()
}

/// Orders that were not finished.
///
/// # Errors
/// The database's.
pub async fn open_count(db: &Database) -> Result<i64, sqlx::Error> {
    let count = "SELECT COUNT(*) FROM card_load WHERE state IN ('CREATED', 'AUTHENTICATING', \
                 'AUTHORIZED', 'CAPTURED')";
    sqlx::query_scalar(count).fetch_one(db.pool()).await
}

/// Names of loads whose payment is to be asked for.
///
/// # Errors
/// The database's.
pub async fn due(db: &Database, now_ms: i64) -> Result<Vec<String>, sqlx::Error> {
    let due = "SELECT id FROM card_load WHERE due_at <= $1 ORDER BY due_at LIMIT $2";
    sqlx::query_scalar(due).bind(now_ms).bind(DUE_MAX).fetch_all(db.pool()).await
}

/// Sets when the payment is asked for next.
///
/// # Errors
/// The database's.
pub async fn set_due(db: &Database, id: &str, due_at: i64) -> Result<(), sqlx::Error> {
    let set = sqlx::query("UPDATE card_load SET due_at = $2 WHERE id = $1").bind(id).bind(due_at);
    set.execute(db.pool()).await.map(|_| ())
}

/// Notes why a load is being ended, before it is.
///
/// # Errors
/// The database's.
pub async fn note(db: &Database, id: &str, failure: Failure) -> Result<(), sqlx::Error> {
    let note = sqlx::query("UPDATE card_load SET failure = $2 WHERE id = $1");
    note.bind(id).bind(failure.name()).execute(db.pool()).await.map(|_| ())
}

/// Notes what was taken off the card again.
///
/// # Errors
/// The database's.
pub async fn taken_back(db: &Database, id: &str, total: u64) -> Result<(), sqlx::Error> {
    let note = sqlx::query("UPDATE card_load SET taken_back = $2 WHERE id = $1");
    note.bind(id).bind(cents(total)).execute(db.pool()).await.map(|_| ())
}

/// A move as the row has it afterwards.
#[derive(Clone, Copy, Debug)]
pub struct Moved<'a> {
    /// The load as it was.
    pub load: &'a CardLoad,
    /// Where to.
    pub to: State,
    /// Why; `None` while nothing is wrong.
    pub failure: Option<Failure>,
    /// How the payment stands.
    pub payment: Option<&'a Payment>,
    /// Milliseconds since 1970.
    pub now_ms: i64,
    /// When the payment is asked for next.
    pub due_at: i64,
}

/// Moves a load if the table of moves has it; the payer's data go when it is settled, unless they
/// are to be kept. `false`: it has not, or the load is elsewhere by now.
///
/// # Errors
/// The database's.
pub async fn advance(db: &Database, moved: Moved<'_>) -> Result<bool, sqlx::Error> {
    let Moved { load, to, failure, payment, now_ms, due_at } = moved;
    let means = payment.and_then(|payment| payment.means.as_ref());
    let masked = means.map_or(load.masked.as_str(), |means| means.masked.as_str());
    let brand = means.map_or(load.brand.as_str(), |means| means.brand.name());
    // Data are kept with the means of payment, and only of a payment that came about.
    let is_kept = !to.is_settled();
    let payer = |text: &str| if is_kept { text.to_owned() } else { String::new() };
    let update = "UPDATE card_load SET state = $3, failure = $4, changed_at = $5, due_at = $6, \
                  masked = $7, brand = $8, payer_name = $9, payer_address = $10, payer_email = $11 \
                  WHERE id = $1 AND state = $2 AND EXISTS (SELECT 1 FROM card_load_move WHERE \
                  from_state = $12 AND to_state = $13)";
    let done = sqlx::query(update)
        .bind(&load.id)
        .bind(load.state.name())
        .bind(to.name())
        .bind(failure.map_or("", Failure::name))
        .bind(now_ms)
        .bind(due_at)
        .bind(masked)
        .bind(brand)
        .bind(payer(&load.payer.name))
        .bind(payer(&load.payer.address))
        .bind(payer(&load.payer.email))
        .bind(load.state.name())
        .bind(to.name())
        .execute(db.pool())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Keeps a means of payment and the payer's data with it; a card that is kept already gets the
/// newer token.
///
/// # Errors
/// The database's.
pub async fn keep(
    db: &Database,
    id: &str,
    load: &CardLoad,
    means: &Means,
) -> Result<(), sqlx::Error> {
    let insert = "INSERT INTO kept_means (id, holder, token, masked, brand, payer_name, \
                  payer_address, payer_email, made_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
                  ON CONFLICT (holder, masked, brand) DO UPDATE SET token = excluded.token, \
                  payer_name = excluded.payer_name, payer_address = excluded.payer_address, \
                  payer_email = excluded.payer_email";
    sqlx::query(insert)
        .bind(id)
        .bind(&load.holder)
        .bind(&means.token)
        .bind(&means.masked)
        .bind(means.brand.name())
        .bind(&load.payer.name)
        .bind(&load.payer.address)
        .bind(&load.payer.email)
        .bind(load.changed_at)
        .execute(db.pool())
        .await
        .map(|_| ())
}

/// What a holder keeps.
///
/// # Errors
/// The database's.
pub async fn kept(db: &Database, holder: &str) -> Result<Vec<KeptMeans>, sqlx::Error> {
    let read = "SELECT id, masked, brand, payer_name, payer_address, payer_email FROM kept_means \
                WHERE holder = $1 ORDER BY made_at LIMIT $2";
    let rows = sqlx::query(read).bind(holder).bind(KEPT_MAX).fetch_all(db.pool()).await?;
    let kept = |row: &AnyRow| {
        Ok(KeptMeans {
            id: row.try_get("id")?,
            masked: row.try_get("masked")?,
            brand: row.try_get("brand")?,
            payer: payer(row)?,
        })
    };
    rows.iter().map(kept).collect()
}

/// The token of a means of payment that this holder keeps.
///
/// # Errors
/// The database's.
pub async fn token(db: &Database, holder: &str, id: &str) -> Result<Option<String>, sqlx::Error> {
    let read = "SELECT token FROM kept_means WHERE holder = $1 AND id = $2";
    sqlx::query_scalar(read).bind(holder).bind(id).fetch_optional(db.pool()).await
}

/// Forgets a means of payment and the data with it.
///
/// # Errors
/// The database's.
pub async fn forget(db: &Database, holder: &str, id: &str) -> Result<(), sqlx::Error> {
    let delete = sqlx::query("DELETE FROM kept_means WHERE holder = $1 AND id = $2");
    delete.bind(holder).bind(id).execute(db.pool()).await.map(|_| ())
}

fn load(row: &AnyRow) -> Result<CardLoad, sqlx::Error> {
    let state: String = row.try_get("state")?;
    let failure: String = row.try_get("failure")?;
    let keep: i64 = row.try_get("keep")?;
    let number = |name: &str| -> Result<u64, sqlx::Error> {
        let value: i64 = row.try_get(name)?;
        u64::try_from(value).map_err(|error| sqlx::Error::Decode(error.into()))
    };
    Ok(CardLoad {
        id: row.try_get("id")?,
        card: row.try_get("card")?,
        mok_id: row.try_get("mok_id")?,
        amount: number("amount")?,
        taken_back: number("taken_back")?,
        state: State::parse(&state).ok_or_else(|| sqlx::Error::Decode(state.into()))?,
        failure: Failure::parse(&failure),
        made_at: row.try_get("made_at")?,
        changed_at: row.try_get("changed_at")?,
        holder: row.try_get("holder")?,
        masked: row.try_get("masked")?,
        brand: row.try_get("brand")?,
        payer: payer(row)?,
        consent: if keep == 1 { Consent::Keep } else { Consent::Forget },
    })
}

fn payer(row: &AnyRow) -> Result<PayerData, sqlx::Error> {
    Ok(PayerData {
        name: row.try_get("payer_name")?,
        address: row.try_get("payer_address")?,
        email: row.try_get("payer_email")?,
    })
}

fn cents(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

/// Loads that one sweep takes up.
const DUE_MAX: i64 = 100;
/// Means of payment that a page shows.
const KEPT_MAX: i64 = 20;
