//! One purchase from the shop's question to its result: what is asked of whom, and when it ends.
//!
//! Three things move it: the shop's question, the browser, and the holder's answer, which comes
//! over [`concluded`]. Whatever stops in between is taken up by a look at the clock: it asks the
//! journal how the confirmation stands, and the row follows. What a value stands on is durable
//! before the value leaves.

use cekr_iso8583::Mcc;
use cekr_issuer::CardId;
use cekr_issuer::confirmation::{
    ConfirmationEnd, ConfirmationId, ConfirmationRefused, ConfirmationState, NewConfirmation, Payee,
};
use cekr_issuer::consent::{ExemptionClaim, OnlinePurchase, OnlineVerdict};
use cekr_switch::control::ControlError;

use super::answer::{self, Answer, Info, Refusal};
use super::areq::{AReq, DeviceChannel, Payment, Preference};
use super::purchase::{self, Due, Outcome, Purchase, PurchaseState, Results};
use super::results;
use super::uuid::Uuid;
use crate::Portal;
use crate::confirm;
use crate::page::failed::Failed;

/// Answers a shop's question.
///
/// # Errors
/// [`Failed`] where it cannot be answered now.
pub(super) async fn ask(portal: &Portal, asked: &AReq, id: Uuid) -> Result<Answer, Failed> {
    let durable = portal.durable();
    let Some(payment) = &asked.payment else { return Ok(Answer::Not(answer::NO_PAYMENT)) };
    if asked.device_channel == DeviceChannel::Requestor {
        return Ok(Answer::Not(answer::NOBODY_THERE));
    }
    let card = asked.number.and_then(|number| durable.control().by_number(number));
    let Some(card) = card else { return Ok(Answer::Not(answer::NOT_ENROLLED)) };
    let Some(payee) = Payee::of(&payment.merchant, &payment.name) else {
        return Ok(Answer::Not(answer::NOT_ENROLLED));
    };
    let Some(mcc) = Mcc::new(payment.mcc) else { return Ok(Answer::Not(answer::NOT_ENROLLED)) };
    let about = OnlinePurchase {
        expiry: asked.expiry,
        amount: payment.amount,
        currency: payment.currency,
        country: payment.country,
        mcc,
        claim: (asked.preference == Preference::RiskAnalysed)
            .then_some(ExemptionClaim::RiskAnalysis),
    };
    let verdict = durable.control().judge_online(card, &about, durable.now())?;
    if let OnlineVerdict::Refused(reason) = verdict {
        return Ok(Answer::Not(told(portal, card, answer::refusal(reason))));
    }
    if asked.preference == Preference::OnlyTells {
        return Ok(Answer::Not(answer::ONLY_TOLD));
    }
    let new = NewConfirmation {
        id: ConfirmationId(id.0),
        amount: payment.amount,
        currency: payment.currency,
        payee,
    };
    match verdict {
        OnlineVerdict::Exempt(_) if asked.preference != Preference::Ask => {
            frictionless(portal, asked, payment, card, new, &about).await
        }
        OnlineVerdict::Exempt(_) | OnlineVerdict::NeedsConfirmation | OnlineVerdict::Refused(_) => {
            challenge(portal, asked, payment, card, new).await
        }
    }
}

/// The words that go with a channel that is off: which of the two it was.
fn told(portal: &Portal, card: CardId, refusal: Refusal) -> Refusal {
    if refusal.info != Info::OnlineOff {
        return refusal;
    }
    let view = portal.durable().control().card(card);
    let is_online = view.is_ok_and(|(view, _)| view.channels.online);
    if is_online { Refusal { info: Info::AbroadOff, ..refusal } } else { refusal }
}

async fn frictionless(
    portal: &Portal,
    asked: &AReq,
    payment: &Payment,
    card: CardId,
    new: NewConfirmation,
    about: &OnlinePurchase,
) -> Result<Answer, Failed> {
    let durable = portal.durable();
    let sealed = durable.control().seal_frictionless(card, new, about, durable.now());
    let sealed = match durable.told(sealed).await {
        // A purchase in between has used up what may go unasked.
        Err(ControlError::NotExempt) => return challenge(portal, asked, payment, card, new).await,
        sealed => sealed?,
    };
    let now_ms = durable.now().unix_ms;
    let purchase = Purchase {
        state: PurchaseState::Concluded,
        outcome: Some(Outcome::Frictionless),
        concluded_at: Some(now_ms),
        ..begun(portal, asked, payment, card, new.id)
    };
    purchase::insert(portal, &purchase, Due::Never).await?;
    Ok(Answer::Authenticated { cavv: sealed.cavv, eci: sealed.eci })
}

async fn challenge(
    portal: &Portal,
    asked: &AReq,
    payment: &Payment,
    card: CardId,
    new: NewConfirmation,
) -> Result<Answer, Failed> {
    if asked.device_channel == DeviceChannel::App {
        return Ok(Answer::Not(answer::APP));
    }
    if !confirm::is_enrolled(portal, card).await? {
        return Ok(Answer::Not(answer::NOT_ENROLLED));
    }
    let durable = portal.durable();
    let created = durable.control().ask_confirmation(card, new, durable.now());
    match durable.told(created).await {
        Ok(_) => {}
        Err(ControlError::Confirmation(ConfirmationRefused::Full)) => {
            return Ok(Answer::Not(answer::TOO_MANY_OPEN));
        }
        Err(ControlError::Confirmation(ConfirmationRefused::Blocked { .. })) => {
            return Ok(Answer::Not(answer::BLOCKED));
        }
        Err(error) => return Err(error.into()),
    }
    let purchase = begun(portal, asked, payment, card, new.id);
    let due = Due::At(purchase.created_at.saturating_add(FIRST_CREQ_MS));
    if let Err(failed) = purchase::insert(portal, &purchase, due).await {
        // Without its row nobody could end it before its time.
        end(portal, card, new.id, ConfirmationEnd::Cancelled).await;
        return Err(failed);
    }
    Ok(Answer::Challenge { url: format!("{}{}", portal.settings().public_url, super::CREQ) })
}

fn begun(
    portal: &Portal,
    asked: &AReq,
    payment: &Payment,
    card: CardId,
    id: ConfirmationId,
) -> Purchase {
    Purchase {
        id,
        card,
        payee: payment.payee.clone(),
        amount: payment.amount,
        currency: payment.currency,
        country: payment.country,
        mcc: payment.mcc,
        merchant: payment.merchant.clone(),
        device_channel: asked.device_channel.number(),
        language: asked.language,
        message_version: asked.version,
        server_trans_id: asked.server_trans_id,
        ds_trans_id: asked.ds_trans_id,
        ds_reference: asked.ds_reference.clone(),
        shop_url: asked.shop_url.clone(),
        notification_url: asked.notification_url.clone(),
        results_url: results::target(&portal.settings().results_url, &asked.ds_url),
        session_data: String::new(),
        state: PurchaseState::Created,
        outcome: None,
        results: Results::NotSent,
        attempts: 0,
        created_at: portal.durable().now().unix_ms,
        challenged_at: None,
        concluded_at: None,
    }
}

/// Whether a browser came in its time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Arrival {
    InTime,
    TooLate,
}

/// Takes the browser: from now on the holder is asked. A browser that comes again finds the same.
///
/// # Errors
/// [`Failed`].
pub(super) async fn challenged(
    portal: &Portal,
    purchase: &Purchase,
    session_data: &str,
) -> Result<Arrival, Failed> {
    if purchase.outcome == Some(Outcome::NeverOpened) {
        return Ok(Arrival::TooLate);
    }
    if purchase.state != PurchaseState::Created {
        return Ok(Arrival::InTime);
    }
    let now_ms = portal.durable().now().unix_ms;
    if now_ms >= purchase.created_at.saturating_add(FIRST_CREQ_MS) {
        settle(portal, purchase).await?;
        return Ok(Arrival::TooLate);
    }
    let due = Due::At(now_ms.saturating_add(LOOK_MS));
    let db = portal.database();
    if !purchase::challenged(db, purchase.id, session_data, now_ms, due).await? {
        return Ok(Arrival::InTime);
    }
    let found = purchase::find(portal, purchase.id).await?;
    let purchase = found.ok_or(Failed::NotFound)?;
    if let Err(failed) = confirm::start(portal, &purchase).await {
        tracing::error!(?failed, id = %purchase.id, "the holder cannot be asked");
        end(portal, purchase.card, purchase.id, ConfirmationEnd::Cancelled).await;
        concluded(portal, purchase.id, Outcome::Faulted).await?;
    }
    Ok(Arrival::InTime)
}

/// Whoever sits before the page gives it up.
///
/// # Errors
/// [`Failed`].
pub(super) async fn cancel(portal: &Portal, purchase: &Purchase) -> Result<(), Failed> {
    if purchase.state != PurchaseState::Challenged {
        return Ok(());
    }
    // A refusal is taken before an approval only: whichever came first is what is reported.
    end(portal, purchase.card, purchase.id, ConfirmationEnd::Denied).await;
    match state(portal, purchase).await? {
        Some(ConfirmationState::Denied) => concluded(portal, purchase.id, Outcome::Cancelled).await,
        Some(_) | None => settle(portal, purchase).await,
    }
}

/// Takes the end of a purchase, reports it to the shop, and lets the browser go. What came first
/// stays; a second end is no fault. An approval must be sealed durably before.
///
/// # Errors
/// [`Failed`] if the database does not answer: then it is to be told again.
pub async fn concluded(
    portal: &Portal,
    id: ConfirmationId,
    outcome: Outcome,
) -> Result<(), Failed> {
    let Some(purchase) = purchase::find(portal, id).await? else { return Err(Failed::NotFound) };
    let is_sent = !purchase.results_url.is_empty();
    let results = if is_sent { Results::Pending } else { Results::NotSent };
    let now_ms = portal.durable().now().unix_ms;
    if !purchase::conclude(portal.database(), id, outcome, results, now_ms).await? {
        return Ok(());
    }
    tracing::info!(%id, outcome = outcome.name(), is_sent, "an online purchase came to its end");
    let (task, kept) = (portal.clone(), id);
    tokio::spawn(async move {
        results::report(&task, kept).await;
        task.acs().ring();
    });
    Ok(())
}

/// Brings a purchase to where the journal and the clock say that it is.
///
/// # Errors
/// [`Failed`].
pub(super) async fn settle(portal: &Portal, purchase: &Purchase) -> Result<(), Failed> {
    let now_ms = portal.durable().now().unix_ms;
    match purchase.state {
        PurchaseState::Concluded => {
            results::report(portal, purchase.id).await;
            portal.acs().ring();
            return Ok(());
        }
        PurchaseState::Created => {
            if now_ms < purchase.created_at.saturating_add(FIRST_CREQ_MS) {
                return Ok(());
            }
            end(portal, purchase.card, purchase.id, ConfirmationEnd::Expired).await;
            return concluded(portal, purchase.id, Outcome::NeverOpened).await;
        }
        PurchaseState::Challenged => {}
    }
    let started = purchase.challenged_at.unwrap_or(purchase.created_at);
    if now_ms >= started.saturating_add(CONFIRMATION_MS) {
        // Refused where the holder was quicker; then their answer stands.
        end(portal, purchase.card, purchase.id, ConfirmationEnd::Expired).await;
    }
    let outcome = match state(portal, purchase).await? {
        Some(ConfirmationState::Created | ConfirmationState::Pending) => None,
        // Whoever took the answer seals it; should they be gone, its own time ends it.
        Some(ConfirmationState::Approved) => None,
        Some(ConfirmationState::Sealed | ConfirmationState::Consumed) => Some(Outcome::Approved),
        Some(ConfirmationState::Denied) => Some(Outcome::Denied),
        Some(ConfirmationState::Cancelled) => Some(Outcome::Cancelled),
        Some(ConfirmationState::Expired) | None => Some(Outcome::Expired),
    };
    match outcome {
        Some(outcome) => concluded(portal, purchase.id, outcome).await,
        None => {
            let due = Due::At(now_ms.saturating_add(LOOK_MS));
            purchase::postpone(portal.database(), purchase.id, due).await
        }
    }
}

/// How the confirmation stands, durably; `None` where the journal knows it no more.
async fn state(portal: &Portal, purchase: &Purchase) -> Result<Option<ConfirmationState>, Failed> {
    let durable = portal.durable();
    let known = durable.control().confirmation(purchase.card, purchase.id, durable.now());
    match durable.told(known).await {
        Ok(view) => Ok(Some(view.state)),
        Err(ControlError::Confirmation(ConfirmationRefused::NotFound)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Ends a confirmation if it can still be ended so.
async fn end(portal: &Portal, card: CardId, id: ConfirmationId, how: ConfirmationEnd) {
    let durable = portal.durable();
    let ended = durable.control().end_confirmation(card, id, how, durable.now());
    if let Err(error) = durable.told(ended).await {
        tracing::debug!(%error, %id, "a confirmation is not ended so");
    }
}

/// Does what is due, at all purchases.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub async fn sweep(portal: &Portal) -> Result<(), Failed> {
    let now_ms = portal.durable().now().unix_ms;
    for purchase in purchase::due(portal, now_ms).await? {
        if let Err(failed) = settle(portal, &purchase).await {
            tracing::warn!(?failed, id = %purchase.id, "an online purchase waits on");
        }
    }
    Ok(())
}

/// How long the shop has to send its buyer's browser.
const FIRST_CREQ_MS: u64 = 30 * 1_000;
/// How long the holder has to answer. A conversation so ends well before the ten minutes that it
/// may take.
const CONFIRMATION_MS: u64 = 300 * 1_000;
/// How often an open purchase is held against the journal, should nobody tell.
const LOOK_MS: u64 = 2_000;
