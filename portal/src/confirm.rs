//! Online purchases confirmed by the holder: which device does it, and what it signs.

pub mod binding;
pub mod challenge;

use cekr_issuer::CardId;

use crate::Portal;
use crate::page::failed::Failed;

/// Whether the holder of `card` can be asked: the card has a device of theirs.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub async fn is_enrolled(portal: &Portal, card: CardId) -> Result<bool, Failed> {
    Ok(binding::device_of(portal, card).await?.is_some())
}
