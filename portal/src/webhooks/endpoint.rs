//! Endpoints: where they are, what they want to hear, and how far they were told.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::signature::SigningSecret;
use super::whole;
use crate::Portal;
use crate::identity::audit::{Change, Line};
use crate::identity::secret;
use crate::outbound::Reach;
use crate::page::failed::Failed;

/// A program that wants to hear what happens.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    /// Its name for good: `we_...`.
    pub id: String,
    /// Where it is called.
    pub url: String,
    /// Kinds of entries, apart by commas; `*` for all.
    pub kinds: String,
    /// Whether it is told.
    pub state: EndpointState,
    /// Counts its secrets.
    pub generation: i64,
    /// When the newest secret was made, in milliseconds since 1970.
    pub rotated_at: i64,
    /// When it was made.
    pub made_at: i64,
    /// The entry up to which it was told, or is being told.
    pub seq: u64,
}

/// Whether an endpoint is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum EndpointState {
    /// An operator has switched it off.
    Disabled,
    /// It is told.
    Enabled,
    /// It answered 410: it wants nothing more.
    Gone,
}

impl EndpointState {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Enabled => "enabled",
            Self::Gone => "gone",
        }
    }

    fn of(name: &str) -> EndpointState {
        match name {
            "enabled" => Self::Enabled,
            "gone" => Self::Gone,
            _ => Self::Disabled,
        }
    }
}

/// Why something cannot be an endpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum NoEndpoint {
    /// The address.
    Url(&'static str),
    /// What it wants to hear.
    Events,
}

impl Endpoint {
    /// Whether it wants to hear of this kind.
    pub(super) fn wants(&self, kind: &str) -> bool {
        self.kinds.split(',').any(|wanted| wanted == ALL || wanted == kind)
    }

    fn of(row: &AnyRow) -> Result<Endpoint, sqlx::Error> {
        let state: String = row.try_get("state")?;
        let seq: i64 = row.try_get("seq")?;
        Ok(Endpoint {
            id: row.try_get("id")?,
            url: row.try_get("url")?,
            kinds: row.try_get("kinds")?,
            state: EndpointState::of(&state),
            generation: row.try_get("generation")?,
            rotated_at: row.try_get("rotated_at")?,
            made_at: row.try_get("made_at")?,
            seq: u64::try_from(seq).unwrap_or_default(),
        })
    }
}

/// Whether an address may be called. What it leads to is looked at with each call.
///
/// # Errors
/// [`NoEndpoint::Url`].
pub(super) fn check_url(url: &str, reach: Reach) -> Result<(), NoEndpoint> {
    let refused = |why| Err(NoEndpoint::Url(why));
    let uri = url.parse::<axum::http::Uri>().ok().filter(|uri| uri.authority().is_some());
    let Some(uri) = uri else { return refused("url is an https address with a host") };
    if url.len() > URL_OCTETS_MAX || url.contains('#') {
        return refused("url has at most 2,000 octets and no #");
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return refused("url has no name or password in it: calls are signed instead");
    }
    match (uri.scheme_str(), reach) {
        (Some("https"), _) | (Some("http"), Reach::Anywhere) => Ok(()),
        (Some("http"), Reach::Public) => {
            refused("url is https; http is for [portal] private_targets and --sandbox")
        }
        (Some(_) | None, _) => refused("url is an https address"),
    }
}

/// The kinds as they are kept.
///
/// # Errors
/// [`NoEndpoint::Events`].
pub(super) fn check_kinds(kinds: &[String]) -> Result<String, NoEndpoint> {
    let is_word = |kind: &String| {
        kind == ALL
            || (1..=KIND_OCTETS_MAX).contains(&kind.len())
                && kind.bytes().all(|octet| octet.is_ascii_lowercase() || octet == b'_')
    };
    let is_right = (1..=KINDS_MAX).contains(&kinds.len()) && kinds.iter().all(is_word);
    if is_right { Ok(kinds.join(",")) } else { Err(NoEndpoint::Events) }
}

/// Makes one; it is told what happens from now on.
///
/// # Errors
/// [`Failed::Conflict`] where there are [`ENDPOINTS_MAX`].
pub(super) async fn create(
    portal: &Portal,
    who: &str,
    url: &str,
    kinds: &str,
) -> Result<(Endpoint, SigningSecret), Failed> {
    let now_ms = portal.durable().now().unix_ms;
    let endpoint = Endpoint {
        id: secret::name("we_")?,
        url: url.to_owned(),
        kinds: kinds.to_owned(),
        state: EndpointState::Enabled,
        generation: 1,
        rotated_at: whole(now_ms),
        made_at: whole(now_ms),
        seq: portal.durable().newest().0,
    };
    let mut change = Change::begin(portal).await?;
    let insert = "INSERT INTO webhook_endpoint \
         (id, url, kinds, state, generation, rotated_at, made_at, seq) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    sqlx::query(insert)
        .bind(&endpoint.id)
        .bind(&endpoint.url)
        .bind(&endpoint.kinds)
        .bind(endpoint.state.name())
        .bind(endpoint.generation)
        .bind(endpoint.rotated_at)
        .bind(endpoint.made_at)
        .bind(whole(endpoint.seq))
        .execute(change.on())
        .await?;
    let count = sqlx::query_scalar("SELECT COUNT(*) FROM webhook_endpoint");
    let count: i64 = count.fetch_one(change.on()).await?;
    if count > ENDPOINTS_MAX {
        return Err(Failed::Conflict("too_many_endpoints"));
    }
    let (what, about) = ("webhook_made", endpoint.id.as_str());
    change.note(Line { who, what, about, before: "", after: kinds }).await?;
    change.commit().await?;
    portal.webhooks().ring();
    let secret = SigningSecret::of(portal.identity().secret(), &endpoint.id, endpoint.generation);
    Ok((endpoint, secret))
}

/// All of them, the oldest first.
pub(super) async fn all(portal: &Portal) -> Result<Vec<Endpoint>, sqlx::Error> {
    let read = sqlx::query("SELECT * FROM webhook_endpoint ORDER BY made_at, id");
    let rows = read.fetch_all(portal.database().pool()).await?;
    rows.iter().map(Endpoint::of).collect()
}

/// One of them.
///
/// # Errors
/// [`Failed::NotFound`].
pub(super) async fn find(portal: &Portal, id: &str) -> Result<Endpoint, Failed> {
    let read = sqlx::query("SELECT * FROM webhook_endpoint WHERE id = $1").bind(id);
    let row = read.fetch_optional(portal.database().pool()).await?;
    Ok(Endpoint::of(&row.ok_or(Failed::NotFound)?)?)
}

/// Switches one on or off. What waits for one that is switched off is given up; one that is
/// switched on is told what happens from now on. To be what it is already changes nothing.
///
/// # Errors
/// [`Failed::NotFound`].
pub(super) async fn set_state(
    portal: &Portal,
    who: &str,
    id: &str,
    state: EndpointState,
) -> Result<Endpoint, Failed> {
    let before = find(portal, id).await?;
    if before.state == state {
        return Ok(before);
    }
    let newest = whole(portal.durable().newest().0);
    let mut change = Change::begin(portal).await?;
    let update = "UPDATE webhook_endpoint SET state = $1 WHERE id = $2";
    sqlx::query(update).bind(state.name()).bind(id).execute(change.on()).await?;
    if state == EndpointState::Enabled {
        let update = "UPDATE webhook_endpoint SET seq = $1 WHERE id = $2";
        sqlx::query(update).bind(newest).bind(id).execute(change.on()).await?;
    }
    let give_up = "UPDATE webhook_delivery SET state = 'given_up' \
                   WHERE endpoint = $1 AND state = 'waiting'";
    sqlx::query(give_up).bind(id).execute(change.on()).await?;
    let (what, before, after) = ("webhook_state", before.state.name(), state.name());
    change.note(Line { who, what, about: id, before, after }).await?;
    change.commit().await?;
    portal.webhooks().ring();
    find(portal, id).await
}

/// Removes one, with what it was told.
///
/// # Errors
/// [`Failed::NotFound`].
pub(super) async fn remove(portal: &Portal, who: &str, id: &str) -> Result<Endpoint, Failed> {
    let found = find(portal, id).await?;
    let mut change = Change::begin(portal).await?;
    for delete in [
        "DELETE FROM webhook_attempt WHERE delivery IN \
         (SELECT id FROM webhook_delivery WHERE endpoint = $1)",
        "DELETE FROM webhook_delivery WHERE endpoint = $1",
        "DELETE FROM webhook_endpoint WHERE id = $1",
    ] {
        sqlx::query(delete).bind(id).execute(change.on()).await?;
    }
    let (what, before) = ("webhook_removed", found.kinds.as_str());
    change.note(Line { who, what, about: id, before, after: "" }).await?;
    change.commit().await?;
    portal.webhooks().ring();
    Ok(found)
}

/// A new secret; the old one signs beside it for a day.
///
/// # Errors
/// [`Failed::NotFound`].
pub(super) async fn rotate(
    portal: &Portal,
    who: &str,
    id: &str,
) -> Result<(Endpoint, SigningSecret), Failed> {
    let now = whole(portal.durable().now().unix_ms);
    let mut change = Change::begin(portal).await?;
    let update = "UPDATE webhook_endpoint SET generation = generation + 1, rotated_at = $1 \
                  WHERE id = $2";
    let update = sqlx::query(update).bind(now).bind(id).execute(change.on()).await?;
    if update.rows_affected() == 0 {
        return Err(Failed::NotFound);
    }
    let line = Line { who, what: "webhook_secret", about: id, before: "", after: "a new one" };
    change.note(line).await?;
    change.commit().await?;
    portal.webhooks().ring();
    let endpoint = find(portal, id).await?;
    let secret = SigningSecret::of(portal.identity().secret(), id, endpoint.generation);
    Ok((endpoint, secret))
}

/// All kinds.
const ALL: &str = "*";
/// Endpoints of a switch.
pub(super) const ENDPOINTS_MAX: i64 = 16;
/// Kinds that an endpoint names.
const KINDS_MAX: usize = 64;
const KIND_OCTETS_MAX: usize = 40;
const URL_OCTETS_MAX: usize = 2_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_https_with_a_host_and_nothing_secret() {
        assert_eq!(check_url("https://example.com/hook?a=1", Reach::Public), Ok(()));
        assert_eq!(check_url("http://127.0.0.1:9000/", Reach::Anywhere), Ok(()));
        for wrong in [
            "",
            "/hook",
            "example.com",
            "http://example.com/",
            "ftp://example.com/",
            "https://",
            "https://me:word@example.com/",
            "https://example.com/#top",
            "file:///etc/passwd",
        ] {
            assert!(check_url(wrong, Reach::Public).is_err(), "{wrong}");
        }
        let long = format!("https://example.com/{}", "a".repeat(2_000));
        assert!(check_url(&long, Reach::Public).is_err());
    }

    #[test]
    fn kinds_are_words_or_all() {
        let kinds = |words: &[&str]| {
            check_kinds(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(kinds(&["authorized", "declined"]), Ok("authorized,declined".to_owned()));
        assert_eq!(kinds(&["*"]), Ok("*".to_owned()));
        for wrong in [&[][..], &["Authorized"], &["a,b"], &[""]] {
            assert_eq!(kinds(wrong), Err(NoEndpoint::Events), "{wrong:?}");
        }
    }
}
