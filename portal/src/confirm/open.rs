//! Purchases whose end the shop has not been told: kept until it has, over stops as well.
//!
//! Whoever answers takes the purchase for themselves, so that of two answers at once one is judged
//! and the other hears that it comes too late. A look every moment ends what nobody answered and
//! finishes what a stop left between the holder's answer and the shop.

use std::collections::BTreeMap;
use std::time::Duration;

use cekr_issuer::confirmation::ConfirmationRefused;
use cekr_issuer::{CardId, ConfirmationEnd, ConfirmationId, ConfirmationState, SecondFactor};
use cekr_switch::control::{ConfirmationView, ControlError};
use cekr_switch::sync::Mutex;

use super::channel::Resumed;
use super::ring;
use crate::Portal;
use crate::acs::{self, purchase::Outcome, purchase::Purchase};
use crate::identity::sessions::at;
use crate::page::failed::Failed;

/// The purchases that wait, by their ids.
#[derive(Default)]
pub(super) struct OpenOnes {
    by_id: Mutex<BTreeMap<ConfirmationId, Open>>,
}

/// A purchase that waits.
#[derive(Clone, Debug)]
pub(super) struct Open {
    /// Whose money it is.
    pub(super) card: CardId,
    /// When it ends by itself, in milliseconds since 1970.
    pub(super) expires_at: u64,
    /// What seals it.
    pub(super) factor: SecondFactor,
    /// Somebody is just answering it.
    is_taken: bool,
    /// Before this it is not tried again.
    again_at: u64,
}

/// A purchase that its holder of the moment alone may answer; given back when it is dropped.
pub(super) struct Taken {
    portal: Portal,
    /// Which.
    pub(super) id: ConfirmationId,
    /// What is known of it.
    pub(super) open: Open,
}

impl OpenOnes {
    /// Those of `cards`, the oldest end first.
    pub(super) fn of(&self, cards: &[CardId]) -> Vec<ConfirmationId> {
        let by_id = self.by_id.lock();
        let theirs = by_id.iter().filter(|(_, open)| cards.contains(&open.card));
        let mut theirs: Vec<_> = theirs.map(|(id, open)| (open.expires_at, *id)).collect();
        theirs.sort_unstable();
        theirs.into_iter().map(|(_, id)| id).collect()
    }

    /// Whether it waits.
    pub(super) fn has(&self, id: ConfirmationId) -> bool {
        self.by_id.lock().contains_key(&id)
    }

    fn forget(&self, id: ConfirmationId) {
        self.by_id.lock().remove(&id);
    }
}

/// Takes a purchase to answer it; `None` if it does not wait, or somebody else is at it.
pub(super) fn take(portal: &Portal, id: ConfirmationId) -> Option<Taken> {
    let mut by_id = portal.confirm().open().by_id.lock();
    let open = by_id.get_mut(&id).filter(|open| !open.is_taken)?;
    open.is_taken = true;
    Some(Taken { portal: portal.clone(), id, open: open.clone() })
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(open) = self.portal.confirm().open().by_id.lock().get_mut(&self.id) {
            open.is_taken = false;
        }
    }
}

impl Taken {
    /// Not to be tried again for a moment.
    fn later(&self, now_ms: u64) {
        if let Some(open) = self.portal.confirm().open().by_id.lock().get_mut(&self.id) {
            open.again_at = now_ms.saturating_add(AGAIN_MS);
        }
    }
}

/// Keeps a purchase that waits from now on.
///
/// # Errors
/// [`Failed::TryLater`] if too many wait, or the database does not answer.
pub(super) async fn keep(
    portal: &Portal,
    purchase: &Purchase,
    channel: Channel,
    expires_at: u64,
) -> Result<(), Failed> {
    let insert = "INSERT INTO confirm_open (id, card, channel, request, interval_s, expires_at) \
                  VALUES ($1, $2, $3, '', 0, $4) ON CONFLICT (id) DO NOTHING";
    let (card, _) = portal.durable().control().card(purchase.card)?;
    let insert =
        sqlx::query(insert).bind(purchase.id.to_string()).bind(card.id).bind(channel.name());
    insert.bind(at(expires_at)).execute(portal.database().pool()).await?;
    let mut by_id = portal.confirm().open().by_id.lock();
    if by_id.len() >= OPEN_MAX {
        return Err(Failed::TryLater);
    }
    by_id.insert(purchase.id, Open::new(purchase.card, channel, expires_at));
    Ok(())
}

/// Which way a holder is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Channel {
    /// The app's own page, with a passkey.
    App,
    /// An OpenID provider, over CIBA.
    Ciba,
}

impl Channel {
    /// The word in the database and the settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Ciba => "ciba",
        }
    }

    const fn factor(self) -> SecondFactor {
        match self {
            Self::App => SecondFactor::OutOfBandBiometric,
            Self::Ciba => SecondFactor::OutOfBandLogin,
        }
    }
}

impl Open {
    const fn new(card: CardId, channel: Channel, expires_at: u64) -> Open {
        Open { card, expires_at, factor: channel.factor(), is_taken: false, again_at: 0 }
    }
}

/// Finishes what the last run left, then looks every moment.
pub(super) async fn follow(portal: &Portal) {
    if let Err(failed) = resume(portal).await {
        tracing::error!(?failed, "open confirmations could not be read");
    }
    let mut look = tokio::time::interval(LOOK);
    let mut stopped = Box::pin(portal.durable().stopped());
    loop {
        tokio::select! {
            () = &mut stopped => return,
            _ = look.tick() => {}
        }
        let now_ms = portal.durable().now().unix_ms;
        let idle: Vec<(ConfirmationId, Open)> = {
            let by_id = portal.confirm().open().by_id.lock();
            let is_idle = |open: &Open| !open.is_taken && open.again_at <= now_ms;
            let idle = by_id.iter().filter(|(_, open)| is_idle(open));
            idle.map(|(id, open)| (*id, open.clone())).collect()
        };
        for (id, open) in idle {
            // Looked at before it is taken: who answers just now must not find it taken by a look.
            if waits(portal, id, &open, now_ms) {
                continue;
            }
            let Some(taken) = take(portal, id) else { continue };
            if let Err(failed) = settle(portal, &taken).await {
                tracing::warn!(?failed, %id, "a confirmation waits on");
                taken.later(now_ms);
            }
        }
    }
}

/// Whether the holder may still answer.
fn waits(portal: &Portal, id: ConfirmationId, open: &Open, now_ms: u64) -> bool {
    let now = portal.durable().now();
    let view = portal.durable().control().confirmation(open.card, id, now);
    view.is_ok_and(|(view, _)| match view.state {
        ConfirmationState::Created | ConfirmationState::Pending => now_ms < open.expires_at,
        ConfirmationState::Approved
        | ConfirmationState::Cancelled
        | ConfirmationState::Consumed
        | ConfirmationState::Denied
        | ConfirmationState::Expired
        | ConfirmationState::Sealed => false,
    })
}

async fn resume(portal: &Portal) -> Result<(), Failed> {
    let read = "SELECT id, card, channel, request, interval_s, expires_at FROM confirm_open \
                ORDER BY expires_at LIMIT $1";
    let read = sqlx::query_as(read).bind(i64::try_from(OPEN_MAX).unwrap_or(i64::MAX));
    let rows: Vec<(String, String, String, String, i64, i64)> =
        read.fetch_all(portal.database().pool()).await?;
    for (id, card, channel, request, interval_s, expires_at) in rows {
        let known = ConfirmationId::parse(&id).zip(portal.durable().control().id(&card));
        let Some((id, card)) = known else { continue };
        let channel = if channel == Channel::Ciba.name() { Channel::Ciba } else { Channel::App };
        let expires_at = u64::try_from(expires_at).unwrap_or_default();
        let open = Open::new(card, channel, expires_at);
        portal.confirm().open().by_id.lock().entry(id).or_insert(open);
        if !request.is_empty() {
            let interval_s = u64::try_from(interval_s).unwrap_or_default();
            let asked = Resumed { id, card, request, interval_s, expires_at };
            portal.confirm().channel().resume(portal, asked);
        }
    }
    Ok(())
}

/// Brings a purchase that has its answer, or whose time is over, to its end.
async fn settle(portal: &Portal, taken: &Taken) -> Result<(), Failed> {
    let control = portal.durable().control();
    let now = portal.durable().now();
    let view =
        match portal.durable().told(control.confirmation(taken.open.card, taken.id, now)).await {
            Ok(view) => view,
            // Nobody knows it any more: nothing is left to be told.
            Err(
                ControlError::NotFound | ControlError::Confirmation(ConfirmationRefused::NotFound),
            ) => {
                return forget(portal, taken).await;
            }
            Err(error) => return Err(error.into()),
        };
    match view.state {
        ConfirmationState::Created | ConfirmationState::Pending => {
            if now.unix_ms < taken.open.expires_at {
                return Ok(());
            }
            end(portal, taken, ConfirmationEnd::Expired).await
        }
        ConfirmationState::Approved => seal(portal, taken).await.map(|_| ()),
        ConfirmationState::Sealed | ConfirmationState::Consumed => {
            conclude(portal, taken, Outcome::Approved).await
        }
        ConfirmationState::Denied => conclude(portal, taken, Outcome::Denied).await,
        ConfirmationState::Expired => conclude(portal, taken, Outcome::Expired).await,
        ConfirmationState::Cancelled => conclude(portal, taken, Outcome::Cancelled).await,
    }
}

/// Seals an approved purchase; the shop is told as soon as the seal is durable.
///
/// # Errors
/// [`Failed`] if it cannot be sealed: then the shop is told nothing.
pub(super) async fn seal(portal: &Portal, taken: &Taken) -> Result<ConfirmationView, Failed> {
    let (control, now) = (portal.durable().control(), portal.durable().now());
    let sealed = control.seal_confirmation(taken.open.card, taken.id, taken.open.factor, now);
    let sealed = portal.durable().told(sealed).await?;
    conclude(portal, taken, Outcome::Approved).await?;
    Ok(sealed.view)
}

/// Ends a purchase that is not approved, and tells the shop.
///
/// # Errors
/// [`Failed`] if its record does not allow it.
pub(super) async fn end(
    portal: &Portal,
    taken: &Taken,
    end: ConfirmationEnd,
) -> Result<(), Failed> {
    let (control, now) = (portal.durable().control(), portal.durable().now());
    let ended = control.end_confirmation(taken.open.card, taken.id, end, now);
    portal.durable().told(ended).await?;
    let outcome = match end {
        ConfirmationEnd::Cancelled => Outcome::Cancelled,
        ConfirmationEnd::Denied => Outcome::Denied,
        ConfirmationEnd::Expired => Outcome::Expired,
    };
    conclude(portal, taken, outcome).await
}

/// Ends a purchase whose holder could not prove who they are, or could not be asked.
///
/// # Errors
/// [`Failed`] if its record does not allow it.
pub(super) async fn fail(portal: &Portal, taken: &Taken) -> Result<(), Failed> {
    let (control, now) = (portal.durable().control(), portal.durable().now());
    let (card, id) = (taken.open.card, taken.id);
    portal.durable().told(control.end_confirmation(card, id, ConfirmationEnd::Denied, now)).await?;
    conclude(portal, taken, Outcome::Failed).await
}

/// Tells the shop's side, and everybody who looks.
///
/// # Errors
/// [`Failed`]: then it is tried again.
pub(super) async fn conclude(
    portal: &Portal,
    taken: &Taken,
    outcome: Outcome,
) -> Result<(), Failed> {
    match acs::concluded(portal, taken.id, outcome).await {
        // A purchase whose evidence is gone has nobody left to be told.
        Ok(()) | Err(Failed::NotFound) => forget(portal, taken).await,
        Err(failed) => Err(failed),
    }
}

async fn forget(portal: &Portal, taken: &Taken) -> Result<(), Failed> {
    portal.confirm().open().forget(taken.id);
    let delete = sqlx::query("DELETE FROM confirm_open WHERE id = $1").bind(taken.id.to_string());
    delete.execute(portal.database().pool()).await?;
    ring(portal, taken.open.card).await;
    Ok(())
}

/// At most five of a card: room for thirteen thousand cards at once.
const OPEN_MAX: usize = 65_536;
/// How often is looked for what nobody answered.
const LOOK: Duration = Duration::from_millis(250);
/// How long something that did not go is left.
const AGAIN_MS: u64 = 5_000;
