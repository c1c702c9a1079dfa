//! Holders, and the cards that are theirs.
//!
//! A card that is somebody else's and a card that does not exist are the same to whoever asks.

use cekr_issuer::CardId;

use super::session::SignedIn;
use crate::Portal;
use crate::page::failed::Failed;

/// A holder's name in the database: a random UUID, also their handle in a passkey.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct HolderId(String);

impl HolderId {
    pub(crate) const fn of(id: String) -> HolderId {
        HolderId(id)
    }

    /// The text of it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for HolderId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The holder's cards, in the order in which they were bound.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub async fn cards_of(portal: &Portal, holder: &HolderId) -> Result<Vec<CardId>, Failed> {
    let read = "SELECT card FROM held_card WHERE holder = $1 ORDER BY bound_at, card";
    let read = sqlx::query_scalar(read).bind(holder.as_str());
    let cards: Vec<String> = read.fetch_all(portal.database().pool()).await?;
    Ok(cards.iter().filter_map(|card| portal.durable().control().id(card)).collect())
}

/// The holder's card with this opaque id.
///
/// # Errors
/// [`Failed::NotFound`] for a card that is not theirs, whether it exists or not.
pub async fn held_card(portal: &Portal, who: &SignedIn, id: &str) -> Result<CardId, Failed> {
    let held = holder_of(portal, id).await?.as_ref() == Some(&who.holder);
    let card = portal.durable().control().id(id).filter(|_| held);
    card.ok_or(Failed::NotFound)
}

/// Whose card this is.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub async fn holder_of(portal: &Portal, card: &str) -> Result<Option<HolderId>, Failed> {
    let read = sqlx::query_scalar("SELECT holder FROM held_card WHERE card = $1").bind(card);
    let holder: Option<String> = read.fetch_optional(portal.database().pool()).await?;
    Ok(holder.map(HolderId))
}
