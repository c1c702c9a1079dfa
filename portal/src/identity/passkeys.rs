//! Passkeys: made, asked for, checked and kept.
//!
//! They are discoverable, so that nobody needs a name to sign in, and the person is verified by
//! their device each time; the server checks both. The counter of a device is kept after every use:
//! one that goes back is a copy, and is refused. Source: W3C Web Authentication Level 3, sections
//! 7.1 and 7.2.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use webauthn_rs::prelude::{
    AuthenticationResult, DiscoverableAuthentication, Passkey, PasskeyAuthentication,
    PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, Url, Uuid, Webauthn,
    WebauthnBuilder,
};

use super::account_notices::{self, AccountEvent};
use super::audit::{Change, Line};
use super::holder::HolderId;
use super::secret;
use super::sessions::{Face, at};
use crate::Portal;
use crate::page::failed::Failed;

/// Whose passkey.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Owner {
    /// A holder or an operator.
    pub face: Face,
    /// Their id, a UUID, which the device keeps as its user handle.
    pub subject: String,
}

impl Owner {
    /// A holder.
    #[must_use]
    pub fn holder(holder: &HolderId) -> Owner {
        Owner { face: Face::Holder, subject: holder.as_str().to_owned() }
    }

    /// Somebody new.
    ///
    /// # Errors
    /// [`Failed`] if the system gives no random octets.
    pub fn drawn(face: Face) -> Result<Owner, Failed> {
        let subject = Uuid::from_bytes(secret::draw::<16>()?).to_string();
        Ok(Owner { face, subject })
    }
}

/// A passkey as the list of devices shows it.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its credential's id.
    pub id: String,
    /// What its owner calls it.
    pub label: String,
    /// When it was added, in milliseconds since 1970.
    pub made_at: i64,
    /// When it was last used, in milliseconds since 1970.
    pub used_at: i64,
}

/// What checks passkeys for this website's address; none where the address is no name.
pub(super) fn checker(public_url: &str) -> Option<Webauthn> {
    let url = Url::parse(public_url).ok();
    let made = url.as_ref().and_then(|url| {
        let name = url.domain()?;
        WebauthnBuilder::new(name, url).ok()?.rp_name("CeKR").build().ok()
    });
    if made.is_none() {
        tracing::warn!(
            public_url,
            "passkeys need a name: set [portal] public_url to https://NAME, or http://localhost:PORT"
        );
    }
    made
}

pub(super) fn webauthn(portal: &Portal) -> Result<&Webauthn, Failed> {
    portal.identity().webauthn().ok_or(Failed::Conflict("identity-no-passkeys-here"))
}

/// Asks a device for a new passkey.
///
/// # Errors
/// [`Failed`].
pub async fn ask_new(
    portal: &Portal,
    owner: &Owner,
    name: &str,
) -> Result<(Value, Box<PasskeyRegistration>), Failed> {
    let user = Uuid::parse_str(&owner.subject).map_err(|_| Failed::Internal)?;
    let known = passkeys_of(portal, owner).await?;
    if known.len() >= PASSKEYS_EACH_MAX {
        return Err(Failed::Conflict("identity-devices-full"));
    }
    let known = known.iter().map(|kept| kept.passkey.cred_id().clone()).collect();
    let asked = webauthn(portal)?.start_passkey_registration(user, name, name, Some(known));
    let (options, state) = asked.map_err(refused)?;
    let mut options = serde_json::to_value(options).map_err(|_| Failed::Internal)?;
    // Sign-in without a name needs a key that the device itself remembers; the library asks for
    // none. And nothing but elliptic curves.
    if let Some(public_key) = options.get_mut("publicKey").and_then(Value::as_object_mut) {
        let selection = json!({"residentKey": "required", "requireResidentKey": true,
            "userVerification": "required"});
        public_key.insert("authenticatorSelection".to_owned(), selection);
        let kinds = [ES256, EDDSA].map(|alg| json!({"type": "public-key", "alg": alg}));
        public_key.insert("pubKeyCredParams".to_owned(), json!(kinds));
    }
    Ok((options, Box::new(state)))
}

/// Checks a device's new passkey.
///
/// # Errors
/// [`Failed::Unprocessable`] if it is not what was asked for.
pub fn check_new(
    portal: &Portal,
    credential: &str,
    state: &PasskeyRegistration,
) -> Result<Passkey, Failed> {
    let credential: RegisterPublicKeyCredential =
        serde_json::from_str(credential).map_err(|_| Failed::Unprocessable(REFUSED))?;
    webauthn(portal)?.finish_passkey_registration(&credential, state).map_err(refused)
}

/// Keeps a checked passkey.
///
/// # Errors
/// [`Failed`] if the database does not answer, or somebody has this very passkey.
pub async fn keep(
    change: &mut Change,
    owner: &Owner,
    passkey: &Passkey,
    label: &str,
    now_ms: u64,
) -> Result<(), Failed> {
    let id = id_of(passkey);
    let credential = serde_json::to_string(passkey).map_err(|_| Failed::Internal)?;
    let insert = "INSERT INTO passkey (id, face, subject, label, credential, version, made_at, \
                  used_at) VALUES ($1, $2, $3, $4, $5, 0, $6, $6) ON CONFLICT (id) DO NOTHING";
    let insert = sqlx::query(insert).bind(&id).bind(owner.face.name()).bind(&owner.subject);
    let insert = insert.bind(label).bind(credential).bind(at(now_ms));
    if insert.execute(change.on()).await?.rows_affected() == 0 {
        return Err(Failed::Conflict("identity-device-known"));
    }
    let what = "passkey_added";
    change.note(Line { who: &owner.subject, what, about: &id, before: "", after: label }).await?;
    told(change, owner, AccountEvent::PasskeyAdded, label, now_ms).await
}

/// Asks whoever it may be to sign in.
///
/// # Errors
/// [`Failed`].
pub fn ask_anyone(portal: &Portal) -> Result<(Value, Box<DiscoverableAuthentication>), Failed> {
    let (options, state) =
        webauthn(portal)?.start_discoverable_authentication().map_err(refused)?;
    Ok((serde_json::to_value(options).map_err(|_| Failed::Internal)?, Box::new(state)))
}

/// Who answered.
///
/// # Errors
/// [`Failed::Unprocessable`] if the answer is not right, whatever is wrong with it.
pub async fn check_anyone(
    portal: &Portal,
    face: Face,
    credential: &str,
    state: DiscoverableAuthentication,
) -> Result<Owner, Failed> {
    let wrong = Failed::Unprocessable(REFUSED);
    let credential: PublicKeyCredential =
        serde_json::from_str(credential).map_err(|_| wrong.clone())?;
    let webauthn = webauthn(portal)?;
    let (user, id) = webauthn.identify_discoverable_authentication(&credential).map_err(refused)?;
    let owner = Owner { face, subject: user.to_string() };
    let id = URL_SAFE_NO_PAD.encode(id);
    let kept = passkeys_of(portal, &owner).await?;
    let mut kept = kept.into_iter().find(|kept| kept.id == id).ok_or(wrong)?;
    let key = webauthn_rs::prelude::DiscoverableKey::from(&kept.passkey);
    let checked = webauthn.finish_discoverable_authentication_v2(&credential, state, &key);
    kept.used(portal, &checked.map_err(refused)?).await?;
    Ok(owner)
}

/// Asks somebody who is signed in for one of their passkeys.
///
/// # Errors
/// [`Failed`].
pub async fn ask_owner(
    portal: &Portal,
    owner: &Owner,
) -> Result<(Value, Box<PasskeyAuthentication>), Failed> {
    let kept = passkeys_of(portal, owner).await?;
    let passkeys: Vec<Passkey> = kept.into_iter().map(|kept| kept.passkey).collect();
    if passkeys.is_empty() {
        return Err(Failed::Conflict("identity-no-passkey"));
    }
    let asked = webauthn(portal)?.start_passkey_authentication(&passkeys);
    let (options, state) = asked.map_err(refused)?;
    Ok((serde_json::to_value(options).map_err(|_| Failed::Internal)?, Box::new(state)))
}

/// Checks the answer of somebody who is signed in.
///
/// # Errors
/// [`Failed::Unprocessable`] if it is not right, whatever is wrong with it.
pub async fn check_owner(
    portal: &Portal,
    owner: &Owner,
    credential: &str,
    state: &PasskeyAuthentication,
) -> Result<(), Failed> {
    let wrong = Failed::Unprocessable(REFUSED);
    let credential: PublicKeyCredential =
        serde_json::from_str(credential).map_err(|_| wrong.clone())?;
    let checked = webauthn(portal)?.finish_passkey_authentication(&credential, state);
    let checked = checked.map_err(refused)?;
    let id = URL_SAFE_NO_PAD.encode(checked.cred_id());
    // Looked up again: a device that was removed meanwhile proves nothing.
    let kept = passkeys_of(portal, owner).await?;
    let mut kept = kept.into_iter().find(|kept| kept.id == id).ok_or(wrong)?;
    kept.used(portal, &checked).await
}

/// Somebody's devices, the oldest first.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub async fn devices(portal: &Portal, owner: &Owner) -> Result<Vec<Device>, Failed> {
    let read = "SELECT id, label, made_at, used_at FROM passkey WHERE face = $1 AND subject = $2 \
                ORDER BY made_at, id";
    let read = sqlx::query_as(read).bind(owner.face.name()).bind(&owner.subject);
    let rows: Vec<(String, String, i64, i64)> = read.fetch_all(portal.database().pool()).await?;
    let device = |(id, label, made_at, used_at)| Device { id, label, made_at, used_at };
    Ok(rows.into_iter().map(device).collect())
}

/// Gives one of somebody's devices another name.
///
/// # Errors
/// [`Failed::NotFound`] if it is not theirs.
pub async fn rename(portal: &Portal, owner: &Owner, id: &str, label: &str) -> Result<(), Failed> {
    let mut change = Change::begin(portal).await?;
    let rename = "UPDATE passkey SET label = $1 WHERE id = $2 AND face = $3 AND subject = $4";
    let rename = sqlx::query(rename).bind(label).bind(id).bind(owner.face.name());
    let renamed = rename.bind(&owner.subject).execute(change.on()).await?;
    if renamed.rows_affected() == 0 {
        return Err(Failed::NotFound);
    }
    let what = "passkey_renamed";
    change.note(Line { who: &owner.subject, what, about: id, before: "", after: label }).await?;
    change.commit().await
}

/// Removes one of somebody's devices, and never the last.
///
/// # Errors
/// [`Failed::NotFound`] if it is not theirs, [`Failed::Conflict`] if there is no other.
pub async fn remove(portal: &Portal, owner: &Owner, id: &str) -> Result<(), Failed> {
    let mut change = Change::begin(portal).await?;
    let remove = "DELETE FROM passkey WHERE id = $1 AND face = $2 AND subject = $3 AND \
                  (SELECT COUNT(*) FROM passkey WHERE face = $2 AND subject = $3) > 1 \
                  RETURNING label";
    let remove = sqlx::query_scalar(remove).bind(id).bind(owner.face.name()).bind(&owner.subject);
    let removed: Option<String> = remove.fetch_optional(change.on()).await?;
    let Some(label) = removed else {
        let count = "SELECT COUNT(*) FROM passkey WHERE id = $1 AND face = $2 AND subject = $3";
        let count = sqlx::query_scalar(count).bind(id).bind(owner.face.name());
        let count: i64 = count.bind(&owner.subject).fetch_one(change.on()).await?;
        let last = Failed::Conflict("identity-last-device");
        return Err(if count == 0 { Failed::NotFound } else { last });
    };
    let what = "passkey_removed";
    change.note(Line { who: &owner.subject, what, about: id, before: &label, after: "" }).await?;
    let now_ms = portal.durable().now().unix_ms;
    told(&mut change, owner, AccountEvent::PasskeyRemoved, &label, now_ms).await?;
    change.commit().await
}

/// Tells a holder; operators read the audit.
async fn told(
    change: &mut Change,
    owner: &Owner,
    event: AccountEvent,
    label: &str,
    now_ms: u64,
) -> Result<(), Failed> {
    match owner.face {
        Face::Holder => account_notices::tell(change, &owner.subject, event, label, now_ms).await,
        Face::Desk => Ok(()),
    }
}

/// A label as somebody typed it, or what their browser calls itself.
#[must_use]
pub fn label(typed: &str, agent: &str) -> String {
    let plain = typed.split_whitespace().collect::<Vec<_>>().join(" ");
    if !plain.is_empty() {
        return plain.chars().filter(|c| !c.is_control()).take(LABEL_CHARS_MAX).collect();
    }
    let first = |names: &[(&'static str, &'static str)]| {
        names.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name)
    };
    let browser = first(&[
        ("Firefox/", "Firefox"),
        ("Edg/", "Edge"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ]);
    let system = first(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser}, {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "\u{2013}".to_owned(),
    }
}

/// A kept passkey.
pub(super) struct Kept {
    pub(super) id: String,
    pub(super) passkey: Passkey,
    pub(super) version: i64,
}

impl Kept {
    /// Notes that it was used, with its counter. Of two uses at once one is refused: the counter of
    /// the other is not known yet.
    async fn used(&mut self, portal: &Portal, result: &AuthenticationResult) -> Result<(), Failed> {
        if !result.user_verified() {
            return Err(Failed::Unprocessable(REFUSED));
        }
        self.passkey.update_credential(result);
        let credential = serde_json::to_string(&self.passkey).map_err(|_| Failed::Internal)?;
        let update = "UPDATE passkey SET credential = $1, version = version + 1, used_at = $2 \
                      WHERE id = $3 AND version = $4";
        let update = sqlx::query(update).bind(credential);
        let update = update.bind(at(portal.durable().now().unix_ms));
        let update = update.bind(&self.id).bind(self.version);
        let updated = update.execute(portal.database().pool()).await?;
        let one = updated.rows_affected() == 1;
        if one { Ok(()) } else { Err(Failed::Unprocessable(REFUSED)) }
    }
}

pub(super) async fn passkeys_of(portal: &Portal, owner: &Owner) -> Result<Vec<Kept>, Failed> {
    let read = "SELECT id, credential, version FROM passkey WHERE face = $1 AND subject = $2";
    let read = sqlx::query_as(read).bind(owner.face.name()).bind(&owner.subject);
    let rows: Vec<(String, String, i64)> = read.fetch_all(portal.database().pool()).await?;
    let kept = |(id, credential, version): (String, String, i64)| {
        let passkey = serde_json::from_str(&credential).ok()?;
        Some(Kept { id, passkey, version })
    };
    Ok(rows.into_iter().filter_map(kept).collect())
}

pub(super) fn id_of(passkey: &Passkey) -> String {
    URL_SAFE_NO_PAD.encode(passkey.cred_id())
}

pub(super) fn refused(error: webauthn_rs::prelude::WebauthnError) -> Failed {
    tracing::info!(%error, "a passkey was refused");
    Failed::Unprocessable(REFUSED)
}

/// The text for an answer that is not right.
pub const REFUSED: &str = "identity-passkey-refused";
/// COSE algorithm identifiers.
const ES256: i64 = -7;
const EDDSA: i64 = -8;
const PASSKEYS_EACH_MAX: usize = 10;
/// Letters of a device's name.
pub const LABEL_CHARS_MAX: usize = 40;
