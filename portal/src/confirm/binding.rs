//! Which device confirms a card's purchases: one of its holder's passkeys for each card.
//!
//! The passkey that somebody registers a card with is bound to it by that: they have just shown the
//! card's back, its one-time code and a device that verified them. Every other binding asks for a
//! fresh proof of the highest level. A device that is removed confirms nothing any more.

use cekr_issuer::CardId;

use crate::Portal;
use crate::identity::audit::{Change, Line};
use crate::identity::sessions::at;
use crate::page::failed::Failed;

/// The device of a card, as its holder named it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Bound {
    /// The passkey's credential id.
    pub passkey: String,
    /// Its name in the list of devices.
    pub label: String,
}

/// The device that confirms this card's purchases.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub async fn device_of(portal: &Portal, card: CardId) -> Result<Option<Bound>, Failed> {
    let Ok((view, _)) = portal.durable().control().card(card) else {
        return Ok(None);
    };
    let read = sqlx::query_as(DEVICE_OF).bind(view.id);
    let row: Option<(String, String)> = read.fetch_optional(portal.database().pool()).await?;
    Ok(row.map(|(passkey, label)| Bound { passkey, label }))
}

/// Binds `card`, an opaque id, to a passkey of `holder`; whoever was bound before is bound no more.
///
/// # Errors
/// [`Failed::Unprocessable`] if the card or the passkey is not theirs.
pub async fn bind(
    change: &mut Change,
    holder: &str,
    card: &str,
    passkey: &str,
    now_ms: u64,
) -> Result<(), Failed> {
    // Written first, which a transaction here must be, and gives what was before.
    let was = "DELETE FROM confirm_device WHERE card = $1 RETURNING passkey";
    let was: Option<String> =
        sqlx::query_scalar(was).bind(card).fetch_optional(change.on()).await?;
    let was = was.unwrap_or_default();
    let bind = "INSERT INTO confirm_device (card, passkey, bound_at) SELECT h.card, p.id, $4 \
                FROM held_card h JOIN passkey p ON p.subject = h.holder AND p.face = 'holder' \
                WHERE h.card = $1 AND p.id = $2 AND h.holder = $3";
    let bind = sqlx::query(bind).bind(card).bind(passkey).bind(holder).bind(at(now_ms));
    if bind.execute(change.on()).await?.rows_affected() == 0 {
        return Err(Failed::Unprocessable("confirm-device-unknown"));
    }
    let what = "confirmation_device_bound";
    change.note(Line { who: holder, what, about: card, before: &was, after: passkey }).await
}

/// Takes a card's device away: its purchases cannot be confirmed until one is bound again.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub async fn unbind(portal: &Portal, holder: &str, card: &str) -> Result<(), Failed> {
    let mut change = Change::begin(portal).await?;
    let unbind = "DELETE FROM confirm_device WHERE card = $1 AND EXISTS \
                  (SELECT 1 FROM held_card h WHERE h.card = $1 AND h.holder = $2)";
    let unbind = sqlx::query(unbind).bind(card).bind(holder);
    if unbind.execute(change.on()).await?.rows_affected() == 0 {
        return Ok(());
    }
    let what = "confirmation_device_unbound";
    change.note(Line { who: holder, what, about: card, before: "", after: "" }).await?;
    change.commit().await
}

const DEVICE_OF: &str = "SELECT p.id, p.label FROM confirm_device b \
                         JOIN held_card h ON h.card = b.card \
                         JOIN passkey p ON p.id = b.passkey AND p.face = 'holder' \
                         AND p.subject = h.holder WHERE b.card = $1";
