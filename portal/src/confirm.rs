//! Online purchases confirmed by the holder: asked about, answered, sealed, and told to the shop.
//!
//! The record of a confirmation is the journal's (`Control::confirmation`); here is who is asked,
//! by which channel, what they are shown and what their device signs. The order is always the same:
//! the answer is evidence, the record is approved, its seal is durable, then the shop hears of it.
//! What a stop leaves between two of these steps is finished by the next start.

pub mod answer;
pub mod api;
pub mod binding;
pub mod challenge;
pub mod channel;
pub mod ciba;
mod evidence;
pub mod live;
mod open;
mod pages;
mod questions;
pub mod shown;

use axum::Router;
use axum::routing::{get, post};
use cekr_issuer::CardId;

use crate::Portal;
use crate::acs::purchase::Purchase;
use crate::identity::HolderId;
use crate::page::failed::Failed;
use crate::settings::Settings;
use channel::ConfirmationChannel;
use live::Bells;
use open::OpenOnes;
use questions::Questions;

/// What confirmations keep while the website runs.
pub struct Confirm {
    bells: Bells,
    channel: Box<dyn ConfirmationChannel>,
    open: OpenOnes,
    questions: Questions,
}

/// The pages.
pub fn routes() -> Router<Portal> {
    Router::new()
        .route("/confirmations", get(pages::list))
        .route("/confirmations/now", get(pages::list_now))
        .route("/confirmations/notice", get(pages::notice))
        .route("/confirmations/live", get(live::stream))
        .route("/confirmations/cards/{card}/device", post(pages::bind))
        .route("/confirmations/cards/{card}/no-device", post(pages::unbind))
        .route("/confirmations/{id}", get(pages::one))
        .route("/confirmations/{id}/begin", post(pages::begin))
        .route("/confirmations/{id}/approve", post(pages::approve))
        .route("/confirmations/{id}/refuse", post(pages::refuse))
}

impl Confirm {
    pub(crate) fn new(settings: &Settings) -> Confirm {
        Confirm {
            bells: Bells::default(),
            channel: channel::of(settings),
            open: OpenOnes::default(),
            questions: Questions::default(),
        }
    }

    /// Whoever waits for news of purchases.
    #[must_use]
    pub const fn bells(&self) -> &Bells {
        &self.bells
    }

    const fn open(&self) -> &OpenOnes {
        &self.open
    }

    const fn questions(&self) -> &Questions {
        &self.questions
    }

    fn channel(&self) -> &dyn ConfirmationChannel {
        &*self.channel
    }
}

/// Whether the holder of `card` can be asked: the card has a device, or its holder a name at the
/// provider, as the channel needs it.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub async fn is_enrolled(portal: &Portal, card: CardId) -> Result<bool, Failed> {
    portal.confirm().channel().is_enrolled(portal, card).await
}

/// Asks the holder about a purchase whose record was made: from now on it waits, for 300 seconds.
/// The end comes to [`crate::acs::concluded`].
///
/// # Errors
/// [`Failed::Conflict`] if the record cannot wait any more; [`Failed::TryLater`] without room.
pub async fn start(portal: &Portal, purchase: &Purchase) -> Result<(), Failed> {
    let now = portal.durable().now();
    let pushed = portal.durable().control().push_confirmation(purchase.card, purchase.id, now);
    let view = portal.durable().told(pushed).await?;
    let channel = portal.confirm().channel();
    open::keep(portal, purchase, channel.name(), view.expires_at).await?;
    ring(portal, purchase.card).await;
    channel.start(portal, purchase, view.expires_at);
    Ok(())
}

/// How many purchases wait for this holder.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub async fn waiting(portal: &Portal, holder: &HolderId) -> Result<usize, Failed> {
    Ok(portal.confirm().open().of(&shown::held(portal, holder).await?).len())
}

/// Finishes what the last run left, then watches for what nobody answers.
pub(crate) async fn follow(portal: Portal) {
    open::follow(&portal).await;
}

/// Rings for the card's holder, wherever they look.
async fn ring(portal: &Portal, card: CardId) {
    if let Ok(Some(holder)) = shown::holder_of_card(portal, card).await {
        portal.confirm().bells().ring(&holder);
    }
}
