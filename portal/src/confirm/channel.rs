//! The ways in which a holder is asked: the app's own page, or an OpenID provider.
//!
//! A channel says whether somebody can be asked over it, and asks. What comes of it goes through
//! [`super::answer`]: the record, the seal and the shop are no channel's matter.

use std::pin::Pin;

use cekr_issuer::{CardId, ConfirmationId};

use super::binding;
use super::ciba::Ciba;
use super::open::Channel;
use crate::Portal;
use crate::acs::purchase::Purchase;
use crate::page::failed::Failed;
use crate::settings::{Confirmations, Settings};

/// What a channel says as soon as it knows.
pub type Soon<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failed>> + Send + 'a>>;

/// A way to ask a holder whether they confirm a purchase.
pub trait ConfirmationChannel: Send + Sync {
    /// Which it is.
    fn name(&self) -> Channel;

    /// Whether this card's holder can be asked so.
    fn is_enrolled<'a>(&'a self, portal: &'a Portal, card: CardId) -> Soon<'a, bool>;

    /// Asks about a purchase that waits until `expires_at`, in milliseconds since 1970. It does not
    /// wait for an answer.
    fn start(&self, portal: &Portal, purchase: &Purchase, expires_at: u64);

    /// Goes on with what the last run asked under the name `request`.
    fn resume(&self, portal: &Portal, asked: Resumed);
}

/// What was asked before a stop.
#[derive(Clone, Debug)]
pub struct Resumed {
    /// Which purchase.
    pub id: ConfirmationId,
    /// Whose money it is.
    pub card: CardId,
    /// The provider's name for the question.
    pub request: String,
    /// Seconds between two looks.
    pub interval_s: u64,
    /// When it ends, in milliseconds since 1970.
    pub expires_at: u64,
}

/// The channel of the settings.
pub(super) fn of(settings: &Settings) -> Box<dyn ConfirmationChannel> {
    match &settings.rekono {
        Some(rekono) if rekono.confirmations == Confirmations::Ciba => Box::new(Ciba::new(rekono)),
        Some(_) | None => Box::new(AppPage),
    }
}

/// The app's own page. Its bell was rung when the purchase came to wait, and the passkey is asked
/// when the holder taps: nothing is left to be sent.
struct AppPage;

impl ConfirmationChannel for AppPage {
    fn name(&self) -> Channel {
        Channel::App
    }

    fn is_enrolled<'a>(&'a self, portal: &'a Portal, card: CardId) -> Soon<'a, bool> {
        Box::pin(async move { Ok(binding::device_of(portal, card).await?.is_some()) })
    }

    fn start(&self, _: &Portal, _: &Purchase, _: u64) {}

    fn resume(&self, _: &Portal, _: Resumed) {}
}
