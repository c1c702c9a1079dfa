//! A passkey asked with a challenge of our own, so that its signature is about one thing alone.
//!
//! The library draws every challenge at random and gives no way to name one. So the question is
//! made by it as always, and the challenge is put in the place of the drawn one both in what the
//! browser gets and in what its answer is checked against; everything else (origin, person
//! verified, signature, counter) is checked as for every passkey. The state never leaves the
//! process.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sqlx::AnyConnection;
use webauthn_rs::prelude::{Passkey, PasskeyAuthentication, PublicKeyCredential};

use super::passkeys::{self, Kept, Owner, REFUSED, passkeys_of, webauthn};
use super::sessions::at;
use crate::Portal;
use crate::page::failed::Failed;

/// An answer that is right. It is worth nothing until [`Self::used`] has noted it.
pub struct Answered {
    kept: Kept,
    credential: String,
}

/// Asks one passkey of `owner`, with `challenge`: what the browser gets, and what must be kept.
///
/// # Errors
/// [`Failed::NotFound`] if the passkey is not theirs.
pub async fn ask(
    portal: &Portal,
    owner: &Owner,
    passkey: &str,
    challenge: &[u8; 32],
) -> Result<(Value, Box<PasskeyAuthentication>), Failed> {
    let kept = passkeys_of(portal, owner).await?;
    let kept = kept.into_iter().find(|kept| kept.id == passkey).ok_or(Failed::NotFound)?;
    let passkeys: [Passkey; 1] = [kept.passkey];
    let asked = webauthn(portal)?.start_passkey_authentication(&passkeys);
    let (options, state) = asked.map_err(passkeys::refused)?;
    let mut options = serde_json::to_value(options).map_err(|_| Failed::Internal)?;
    let state = with_challenge(&state, &mut options, challenge).ok_or(Failed::Internal)?;
    Ok((options, Box::new(state)))
}

/// Checks the answer of the passkey that was asked.
///
/// # Errors
/// [`Failed::Unprocessable`] if it is not right, whatever is wrong with it.
pub async fn check(
    portal: &Portal,
    owner: &Owner,
    passkey: &str,
    credential: &str,
    state: &PasskeyAuthentication,
) -> Result<Answered, Failed> {
    let wrong = Failed::Unprocessable(REFUSED);
    let credential: PublicKeyCredential =
        serde_json::from_str(credential).map_err(|_| wrong.clone())?;
    let checked = webauthn(portal)?.finish_passkey_authentication(&credential, state);
    let checked = checked.map_err(passkeys::refused)?;
    let is_it = URL_SAFE_NO_PAD.encode(checked.cred_id()) == passkey;
    if !is_it || !checked.user_verified() {
        return Err(wrong);
    }
    // Looked up again: a device that was removed meanwhile proves nothing.
    let kept = passkeys_of(portal, owner).await?;
    let mut kept = kept.into_iter().find(|kept| kept.id == passkey).ok_or(wrong)?;
    kept.passkey.update_credential(&checked);
    let credential = serde_json::to_string(&kept.passkey).map_err(|_| Failed::Internal)?;
    Ok(Answered { kept, credential })
}

impl Answered {
    /// Notes the use with its counter, in a transaction with what it stands for.
    ///
    /// # Errors
    /// [`Failed::Conflict`] if the same passkey answered something else meanwhile.
    pub async fn used(&self, on: &mut AnyConnection, now_ms: u64) -> Result<(), Failed> {
        let update = "UPDATE passkey SET credential = $1, version = version + 1, used_at = $2 \
                      WHERE id = $3 AND version = $4";
        let update = sqlx::query(update).bind(&self.credential).bind(at(now_ms));
        let update = update.bind(&self.kept.id).bind(self.kept.version);
        let one = update.execute(on).await?.rows_affected() == 1;
        if one { Ok(()) } else { Err(Failed::Conflict("identity-passkey-busy")) }
    }
}

fn with_challenge(
    state: &PasskeyAuthentication,
    options: &mut Value,
    challenge: &[u8; 32],
) -> Option<PasskeyAuthentication> {
    let text = Value::String(URL_SAFE_NO_PAD.encode(challenge));
    let mut state = serde_json::to_value(state).ok()?;
    *state.pointer_mut("/ast/challenge")? = text.clone();
    *options.pointer_mut("/publicKey/challenge")? = text;
    serde_json::from_value(state).ok()
}
