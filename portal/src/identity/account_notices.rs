//! What holders are told of their ways to sign in: a stranger's device does not stay unseen.
//!
//! A notice stands in the transaction of the change that it tells. Those of a year ago go.

use super::audit::Change;
use super::holder::HolderId;
use super::secret;
use super::sessions::at;
use crate::Portal;
use crate::page::failed::Failed;

/// What happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AccountEvent {
    /// A provider's identity signs in from now on.
    IdentityBound,
    /// A passkey signs in from now on.
    PasskeyAdded,
    /// A passkey does not sign in any more.
    PasskeyRemoved,
    /// An operator has taken every way to sign in away and given a code.
    Recovered,
}

impl AccountEvent {
    const ALL: [AccountEvent; 4] =
        [Self::IdentityBound, Self::PasskeyAdded, Self::PasskeyRemoved, Self::Recovered];

    const fn name(self) -> &'static str {
        match self {
            Self::IdentityBound => "identity_bound",
            Self::PasskeyAdded => "passkey_added",
            Self::PasskeyRemoved => "passkey_removed",
            Self::Recovered => "recovered",
        }
    }

    /// The key of the text that tells it.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::IdentityBound => "card-account-identity-bound",
            Self::PasskeyAdded => "card-account-passkey-added",
            Self::PasskeyRemoved => "card-account-passkey-removed",
            Self::Recovered => "card-account-recovered",
        }
    }
}

/// A notice.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AccountNotice {
    /// What happened.
    pub event: AccountEvent,
    /// The device's name, or the provider; may be empty.
    pub label: String,
    /// Milliseconds since 1970.
    pub made_at: i64,
    /// Whether it was not read yet.
    pub is_new: bool,
}

/// Tells a holder. The way to sign in that an account begins with is no news to whoever made it.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub async fn tell(
    change: &mut Change,
    holder: &str,
    event: AccountEvent,
    label: &str,
    now_ms: u64,
) -> Result<(), Failed> {
    let old = "DELETE FROM account_notice WHERE holder = $1 AND made_at < $2";
    let kept_from = at(now_ms.saturating_sub(KEPT_MS));
    sqlx::query(old).bind(holder).bind(kept_from).execute(change.on()).await?;
    let count = "SELECT (SELECT COUNT(*) FROM passkey WHERE face = 'holder' AND subject = $1) + \
                 (SELECT COUNT(*) FROM provider_identity WHERE holder = $1) + \
                 (SELECT COUNT(*) FROM account_notice WHERE holder = $1)";
    let known: i64 = sqlx::query_scalar(count).bind(holder).fetch_one(change.on()).await?;
    let is_first = known <= 1 && event != AccountEvent::Recovered;
    let read_at = if is_first { at(now_ms) } else { 0 };
    let insert = "INSERT INTO account_notice (id, holder, made_at, what, label, read_at) \
                  VALUES ($1, $2, $3, $4, $5, $6)";
    let insert = sqlx::query(insert).bind(secret::name("an_")?).bind(holder).bind(at(now_ms));
    insert.bind(event.name()).bind(label).bind(read_at).execute(change.on()).await?;
    Ok(())
}

/// A holder's notices, the newest first.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub async fn list(portal: &Portal, holder: &HolderId) -> Result<Vec<AccountNotice>, Failed> {
    let read = "SELECT what, label, made_at, read_at FROM account_notice WHERE holder = $1 \
                ORDER BY made_at DESC, id LIMIT $2";
    let read = sqlx::query_as(read).bind(holder.as_str()).bind(SHOWN_MAX);
    let rows: Vec<(String, String, i64, i64)> = read.fetch_all(portal.database().pool()).await?;
    let notice = |(what, label, made_at, read_at): (String, String, i64, i64)| {
        let event = AccountEvent::ALL.into_iter().find(|event| event.name() == what)?;
        Some(AccountNotice { event, label, made_at, is_new: read_at == 0 })
    };
    Ok(rows.into_iter().filter_map(notice).collect())
}

/// How many of them were not read.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub async fn unread(portal: &Portal, holder: &HolderId) -> Result<usize, Failed> {
    let count = "SELECT COUNT(*) FROM account_notice WHERE holder = $1 AND read_at = 0";
    let count = sqlx::query_scalar(count).bind(holder.as_str());
    let count: i64 = count.fetch_one(portal.database().pool()).await?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// Notes that they were read.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub async fn mark_read(portal: &Portal, holder: &HolderId) -> Result<(), Failed> {
    let read = "UPDATE account_notice SET read_at = $1 WHERE holder = $2 AND read_at = 0";
    let now_ms = at(portal.durable().now().unix_ms);
    let read = sqlx::query(read).bind(now_ms).bind(holder.as_str());
    read.execute(portal.database().pool()).await?;
    Ok(())
}

/// How long one is kept.
const KEPT_MS: u64 = 400 * 24 * 60 * 60 * 1_000;
/// How many a page has.
const SHOWN_MAX: i64 = 50;
