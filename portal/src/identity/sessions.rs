//! The store of sessions: begun, found, touched, ended, and swept when they are over.

use axum::http::{HeaderMap, HeaderValue, header};

use super::holder::HolderId;
use super::level::Level;
use super::secret;
use crate::Portal;
use crate::page::failed::Failed;

/// Whose sessions.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Face {
    /// An operator's.
    Desk,
    /// A holder's.
    Holder,
}

impl Face {
    /// The word in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Desk => "desk",
            Self::Holder => "holder",
        }
    }

    /// The cookie's name. With TLS the prefix lets nobody but this very host set it.
    #[must_use]
    pub fn cookie(self, public_url: &str) -> &'static str {
        match (self, is_tls(public_url)) {
            (Self::Desk, true) => "__Host-desk",
            (Self::Desk, false) => "desk",
            (Self::Holder, true) => "__Host-id",
            (Self::Holder, false) => "id",
        }
    }
}

/// By what somebody proved who they are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Means {
    /// A passkey.
    Passkey,
    /// An OpenID Connect provider.
    Rekono,
}

impl Means {
    const fn name(self) -> &'static str {
        match self {
            Self::Passkey => "passkey",
            Self::Rekono => "rekono",
        }
    }

    fn parse(name: &str) -> Means {
        if name == Self::Rekono.name() { Self::Rekono } else { Self::Passkey }
    }
}

/// A proof of identity, as a session begins with it.
#[derive(Clone, Copy, Debug)]
pub struct Proof {
    /// How sure it is.
    pub level: Level,
    /// When it was made, in milliseconds since 1970.
    pub proven_at: u64,
    /// By what.
    pub means: Means,
}

/// A session that goes on.
#[derive(Clone, Debug)]
pub struct Session {
    /// The hash of its cookie: its name in the store.
    pub hash: String,
    /// The value of the cookie, of which the CSRF token is made.
    pub(super) value: String,
    /// A holder, or an operator.
    pub subject: String,
    /// What it rests on.
    pub proof: Proof,
}

/// A session as the list of them shows it.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its name in the store.
    pub hash: String,
    /// The browser's name for itself.
    pub agent: String,
    /// When it began, in milliseconds since 1970.
    pub made_at: i64,
    /// When it was last used, in milliseconds since 1970.
    pub seen_at: i64,
}

/// Begins a session after a proof, ends the one that the browser had, and gives the cookie's value.
///
/// # Errors
/// [`Failed`] if the store has no room or does not answer.
pub async fn begin(
    portal: &Portal,
    face: Face,
    subject: &str,
    proof: Proof,
    headers: &HeaderMap,
) -> Result<HeaderValue, Failed> {
    let now_ms = at(portal.durable().now().unix_ms);
    let public_url = &portal.settings().public_url;
    let pool = portal.database().pool();
    if let Some(old) = crate::page::cookie(headers, face.cookie(public_url)) {
        end(portal, &secret::plain_hash(PURPOSE, old)).await?;
    }
    let over = "DELETE FROM session WHERE seen_at < $1 OR made_at < $2";
    let over = sqlx::query(over).bind(now_ms - at(IDLE_MS)).bind(now_ms - at(AGE_MAX_MS));
    over.execute(pool).await?;
    // One more than may be is never there: the oldest of this person's go, others' never.
    let theirs = "DELETE FROM session WHERE face = $1 AND subject = $2 AND hash NOT IN (SELECT hash \
                  FROM session WHERE face = $1 AND subject = $2 ORDER BY seen_at DESC LIMIT $3)";
    let theirs = sqlx::query(theirs).bind(face.name()).bind(subject).bind(SESSIONS_EACH_MAX - 1);
    theirs.execute(pool).await?;
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM session").fetch_one(pool).await?;
    if count >= SESSIONS_MAX {
        return Err(Failed::TryLater);
    }
    let value = secret::token()?;
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let agent: String = agent.unwrap_or_default().chars().take(AGENT_CHARS_MAX).collect();
    sqlx::query(
        "INSERT INTO session (hash, face, subject, level, proven_at, means, made_at, seen_at, agent) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(secret::plain_hash(PURPOSE, &value))
    .bind(face.name())
    .bind(subject)
    .bind(proof.level.number())
    .bind(at(proof.proven_at))
    .bind(proof.means.name())
    .bind(now_ms)
    .bind(now_ms)
    .bind(agent)
    .execute(pool)
    .await?;
    set_cookie(face, public_url, &value, None)
}

/// The session of the request's cookie, if it goes on.
///
/// # Errors
/// The database's.
pub(super) async fn find(
    portal: &Portal,
    face: Face,
    headers: &HeaderMap,
    touch: Touch,
) -> Result<Option<Session>, sqlx::Error> {
    let Some(value) = crate::page::cookie(headers, face.cookie(&portal.settings().public_url))
    else {
        return Ok(None);
    };
    let hash = secret::plain_hash(PURPOSE, value);
    let now_ms = at(portal.durable().now().unix_ms);
    let pool = portal.database().pool();
    let read = "SELECT subject, level, proven_at, means, seen_at FROM session WHERE hash = $1 AND \
                face = $2 AND seen_at >= $3 AND made_at >= $4";
    let read = sqlx::query_as(read).bind(&hash).bind(face.name());
    let read = read.bind(now_ms - at(IDLE_MS)).bind(now_ms - at(AGE_MAX_MS));
    let Some((subject, level, proven_at, means, seen_at)) =
        read.fetch_optional(pool).await? as Option<(String, i64, i64, String, i64)>
    else {
        return Ok(None);
    };
    if touch == Touch::Activity && now_ms - seen_at >= TOUCH_MS {
        let seen = sqlx::query("UPDATE session SET seen_at = $1 WHERE hash = $2");
        seen.bind(now_ms).bind(&hash).execute(pool).await?;
    }
    let proven_at = u64::try_from(proven_at).unwrap_or_default();
    let proof = Proof { level: Level::of(level), proven_at, means: Means::parse(&means) };
    Ok(Some(Session { hash, value: value.to_owned(), subject, proof }))
}

/// Whether a request keeps a session from ending.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Touch {
    /// Somebody did something.
    Activity,
    /// A stream that stays open, or a page that asks by itself.
    Background,
}

/// Whether a session is still there: streams ask from time to time.
///
/// # Errors
/// The database's.
pub async fn lives(portal: &Portal, hash: &str) -> Result<bool, sqlx::Error> {
    let now_ms = at(portal.durable().now().unix_ms);
    let read = "SELECT COUNT(*) FROM session WHERE hash = $1 AND seen_at >= $2 AND made_at >= $3";
    let read = sqlx::query_scalar(read).bind(hash);
    let read = read.bind(now_ms - at(IDLE_MS)).bind(now_ms - at(AGE_MAX_MS));
    let count: i64 = read.fetch_one(portal.database().pool()).await?;
    Ok(count > 0)
}

/// Ends one session.
///
/// # Errors
/// The database's.
pub async fn end(portal: &Portal, hash: &str) -> Result<(), sqlx::Error> {
    let end = sqlx::query("DELETE FROM session WHERE hash = $1").bind(hash);
    end.execute(portal.database().pool()).await.map(|_| ())
}

/// Ends one of a holder's sessions.
///
/// # Errors
/// The database's.
pub async fn end_of(portal: &Portal, holder: &HolderId, hash: &str) -> Result<(), sqlx::Error> {
    let end = "DELETE FROM session WHERE hash = $1 AND face = 'holder' AND subject = $2";
    let end = sqlx::query(end).bind(hash).bind(holder.as_str());
    end.execute(portal.database().pool()).await.map(|_| ())
}

/// Ends every session of a holder.
///
/// # Errors
/// The database's.
pub async fn end_all(portal: &Portal, holder: &HolderId) -> Result<(), sqlx::Error> {
    let end = "DELETE FROM session WHERE face = 'holder' AND subject = $1";
    let end = sqlx::query(end).bind(holder.as_str());
    end.execute(portal.database().pool()).await.map(|_| ())
}

/// A holder's sessions that go on, the newest first.
///
/// # Errors
/// The database's.
pub async fn list(portal: &Portal, holder: &HolderId) -> Result<Vec<Listed>, sqlx::Error> {
    let now_ms = at(portal.durable().now().unix_ms);
    let read = "SELECT hash, agent, made_at, seen_at FROM session WHERE face = 'holder' AND \
                subject = $1 AND seen_at >= $2 AND made_at >= $3 ORDER BY seen_at DESC, hash";
    let read = sqlx::query_as(read).bind(holder.as_str());
    let read = read.bind(now_ms - at(IDLE_MS)).bind(now_ms - at(AGE_MAX_MS));
    let rows: Vec<(String, String, i64, i64)> = read.fetch_all(portal.database().pool()).await?;
    let listed = |(hash, agent, made_at, seen_at)| Listed { hash, agent, made_at, seen_at };
    Ok(rows.into_iter().map(listed).collect())
}

/// The header that makes the browser forget its session.
///
/// # Errors
/// Never: its text is fixed.
pub fn forget_cookie(face: Face, public_url: &str) -> Result<HeaderValue, Failed> {
    set_cookie(face, public_url, "", Some(0))
}

fn set_cookie(
    face: Face,
    public_url: &str,
    value: &str,
    age_s: Option<u32>,
) -> Result<HeaderValue, Failed> {
    let name = face.cookie(public_url);
    let secure = if is_tls(public_url) { "; Secure" } else { "" };
    let age = age_s.map(|age| format!("; Max-Age={age}")).unwrap_or_default();
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{age}");
    HeaderValue::from_str(&text).map_err(|_| Failed::Internal)
}

fn is_tls(public_url: &str) -> bool {
    public_url.starts_with("https://")
}

/// Milliseconds as the database has them.
pub(crate) fn at(unix_ms: u64) -> i64 {
    i64::try_from(unix_ms).unwrap_or(i64::MAX)
}

const PURPOSE: &str = "cekr-session-v1";
/// How long a session goes on when nothing is asked for. Delegated Regulation (EU) 2018/389,
/// Article 4(3)(d).
pub const IDLE_MS: u64 = 5 * 60 * 1_000;
/// How long one can last at all.
const AGE_MAX_MS: u64 = 8 * 60 * 60 * 1_000;
/// Not every request writes: one within this time of the last is not noted.
const TOUCH_MS: i64 = 10_000;
const SESSIONS_EACH_MAX: i64 = 10;
const SESSIONS_MAX: i64 = 200_000;
const AGENT_CHARS_MAX: usize = 200;
