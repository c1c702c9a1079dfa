//! What a holder answers: approved with the card's device, or refused. Pages and API come here.
//!
//! Every way to be wrong has its own answer: somebody else's purchase and one that does not exist
//! are the same 404, one that waits no more is a 409, a question that was used up or is about
//! another purchase a 422, and a proof that fails a 422 that counts.

use cekr_issuer::confirmation::ConfirmationRefused;
use cekr_issuer::{CardId, ConfirmationEnd, ConfirmationId, ConfirmationState};
use cekr_switch::control::{ConfirmationView, ControlError};
use serde_json::{Value, json};

use super::binding;
use super::challenge::Said;
use super::evidence::{Evidence, Given};
use super::open::{self, Channel, Taken, take};
use super::questions::Question;
use super::shown;
use crate::Portal;
use crate::acs::purchase::{self, Outcome, Purchase};
use crate::identity::passkeys::Owner;
use crate::identity::{Action, SignedIn, held_card, linked, secret};
use crate::page::failed::Failed;

/// A purchase of the holder, with its record.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What the shop said.
    pub purchase: Purchase,
    /// The journal's record.
    pub view: ConfirmationView,
    /// The card's opaque id.
    pub card: String,
}

impl Asked {
    /// What the holder's device signs.
    #[must_use]
    pub fn said(&self) -> Said {
        Said {
            id: self.purchase.id.0,
            amount: self.view.amount.minor(),
            currency: self.view.currency.to_string(),
            payee: self.purchase.payee.clone(),
            card: self.card.clone(),
            expires_at: self.view.expires_at,
        }
    }

    /// Whether it may still be answered.
    #[must_use]
    pub fn waits(&self, now_ms: u64) -> bool {
        self.view.state == ConfirmationState::Pending && now_ms < self.view.expires_at
    }
}

/// The holder's purchase with this id, whatever has become of it.
///
/// # Errors
/// [`Failed::NotFound`] if it is not theirs, whether there is one or not.
pub async fn find(portal: &Portal, who: &SignedIn, id: &str) -> Result<Asked, Failed> {
    let id = ConfirmationId::parse(id).ok_or(Failed::NotFound)?;
    let purchase = purchase::find(portal, id).await?.ok_or(Failed::NotFound)?;
    let card = shown::token(portal, purchase.card)?;
    held_card(portal, who, &card).await?;
    let view = record(portal, &purchase).await?;
    // The row is evidence, the record rules: where they differ nothing is shown to be signed.
    if view.amount != purchase.amount || view.currency != purchase.currency {
        tracing::error!(%id, "a purchase and its record differ");
        return Err(Failed::Internal);
    }
    Ok(Asked { purchase, view, card })
}

/// Asks the card's device: the question's name, and what the browser hands to it.
///
/// # Errors
/// [`Failed::Conflict`] if the purchase waits no more or the card has no device.
pub async fn begin(portal: &Portal, who: &SignedIn, id: &str) -> Result<Value, Failed> {
    let now_ms = portal.durable().now().unix_ms;
    let asked = waiting(portal, who, id, now_ms).await?;
    if portal.confirm().channel().name() != Channel::App {
        return Err(Failed::Conflict("confirm-elsewhere"));
    }
    let device = binding::device_of(portal, asked.purchase.card).await?;
    let device = device.ok_or(Failed::Conflict("confirm-no-device"))?;
    let (said, nonce) = (asked.said(), secret::draw::<32>()?);
    let owner = Owner::holder(&who.holder);
    let challenge = said.challenge(&nonce);
    let (options, state) = linked::ask(portal, &owner, &device.passkey, &challenge).await?;
    let (holder, passkey) = (who.holder.clone(), device.passkey);
    let question = Question { holder, passkey, said, nonce, state };
    let name = portal.confirm().questions().keep(question, now_ms)?;
    let public_key = options.get("publicKey").cloned().unwrap_or_default();
    Ok(json!({"ceremony": name, "publicKey": public_key}))
}

/// Judges the device's answer. When it returns, the seal is durable and the shop's side was told.
///
/// # Errors
/// [`Failed::Conflict`] if the purchase waits no more, [`Failed::Unprocessable`] if the answer is
/// not right or to another question.
pub async fn approve(
    portal: &Portal,
    who: &SignedIn,
    id: &str,
    ceremony: &str,
    credential: &str,
) -> Result<ConfirmationView, Failed> {
    let now = portal.durable().now();
    // Taken out before anything else is judged: no answer is looked at twice.
    let question = portal.confirm().questions().take(ceremony);
    let asked = waiting(portal, who, id, now.unix_ms).await?;
    let question = question.filter(|question| question.holder == who.holder);
    let question = question.ok_or(Failed::Unprocessable("confirm-question-over"))?;
    if question.said != asked.said() {
        return Err(Failed::Unprocessable("confirm-question-other"));
    }
    let device = binding::device_of(portal, asked.purchase.card).await?;
    if device.is_none_or(|device| device.passkey != question.passkey) {
        return Err(Failed::Conflict("confirm-no-device"));
    }
    let taken = take(portal, asked.purchase.id).ok_or(Failed::Conflict("confirm-answered"))?;
    // Looked at again now that nobody else is at it.
    waiting(portal, who, id, now.unix_ms).await?;
    let owner = Owner::holder(&who.holder);
    let checked =
        linked::check(portal, &owner, &question.passkey, credential, &question.state).await;
    let mut evidence = Evidence {
        said: &question.said,
        holder: who.holder.as_str(),
        channel: Channel::App,
        device: &question.passkey,
        given: Given::Approved,
        nonce: &question.nonce,
        assertion: credential,
    };
    let answered = match checked {
        Ok(answered) => answered,
        Err(Failed::Unprocessable(_)) => {
            evidence.given = Given::Failed;
            return Err(wrong(portal, &taken, &evidence).await?);
        }
        Err(failed) => return Err(failed),
    };
    let mut transaction = portal.database().pool().begin().await?;
    answered.used(&mut transaction, now.unix_ms).await?;
    evidence.write(&mut transaction, now.unix_ms).await?;
    transaction.commit().await?;
    approve_taken(portal, &taken).await
}

/// Refuses a purchase.
///
/// # Errors
/// [`Failed::Conflict`] if it waits no more.
pub async fn refuse(portal: &Portal, who: &SignedIn, id: &str) -> Result<(), Failed> {
    let now = portal.durable().now();
    who.may(Action::Lock, now.unix_ms)?;
    let asked = waiting(portal, who, id, now.unix_ms).await?;
    let taken = take(portal, asked.purchase.id).ok_or(Failed::Conflict("confirm-answered"))?;
    waiting(portal, who, id, now.unix_ms).await?;
    let evidence = Evidence {
        said: &asked.said(),
        holder: who.holder.as_str(),
        channel: portal.confirm().channel().name(),
        device: "",
        given: Given::Refused,
        nonce: &secret::draw::<32>()?,
        assertion: "",
    };
    write(portal, &evidence).await?;
    open::end(portal, &taken, ConfirmationEnd::Denied).await
}

/// Approves what was taken, seals it and tells the shop's side.
///
/// # Errors
/// [`Failed::Conflict`] if its record waits no more.
pub(super) async fn approve_taken(
    portal: &Portal,
    taken: &Taken,
) -> Result<ConfirmationView, Failed> {
    let now = portal.durable().now();
    let approved = portal.durable().control().approve_confirmation(taken.open.card, taken.id, now);
    portal.durable().told(approved).await.map_err(late)?;
    open::seal(portal, taken).await
}

/// Writes an answer down by itself.
pub(super) async fn write(portal: &Portal, evidence: &Evidence<'_>) -> Result<(), Failed> {
    let now_ms = portal.durable().now().unix_ms;
    let mut connection = portal.database().pool().acquire().await?;
    evidence.write(&mut connection, now_ms).await
}

/// The holder's purchase, if it may still be answered.
async fn waiting(portal: &Portal, who: &SignedIn, id: &str, now_ms: u64) -> Result<Asked, Failed> {
    let asked = find(portal, who, id).await?;
    if asked.waits(now_ms) {
        return Ok(asked);
    }
    Err(Failed::Conflict(match asked.view.state {
        ConfirmationState::Approved | ConfirmationState::Sealed | ConfirmationState::Consumed => {
            "confirm-answered"
        }
        ConfirmationState::Denied => "confirm-was-refused",
        ConfirmationState::Cancelled => "confirm-was-cancelled",
        ConfirmationState::Created | ConfirmationState::Expired | ConfirmationState::Pending => {
            "confirm-late"
        }
    }))
}

/// Counts a proof that failed; the fifth in a row ends what waits.
async fn wrong(portal: &Portal, taken: &Taken, evidence: &Evidence<'_>) -> Result<Failed, Failed> {
    write(portal, evidence).await?;
    let now = portal.durable().now();
    let failed = portal.durable().control().fail_confirmation(taken.open.card, taken.id, now);
    let view = portal.durable().told(failed).await.map_err(late)?;
    if view.state == ConfirmationState::Pending {
        return Ok(Failed::Unprocessable("confirm-proof-wrong"));
    }
    open::conclude(portal, taken, Outcome::Failed).await?;
    Ok(Failed::Conflict("confirm-blocked"))
}

/// What the record does not allow came too late, or the card is not what it was.
fn late(error: ControlError) -> Failed {
    if let ControlError::Conflict(_) = error {
        Failed::Conflict("confirm-card-off")
    } else if let ControlError::Confirmation(refused) = error {
        Failed::Conflict(match refused {
            ConfirmationRefused::Blocked { .. } => "confirm-blocked",
            ConfirmationRefused::Differs
            | ConfirmationRefused::Full
            | ConfirmationRefused::NotFound
            | ConfirmationRefused::Wrong(_) => "confirm-late",
        })
    } else {
        error.into()
    }
}

/// The cards' purchases that wait, the oldest end first.
///
/// # Errors
/// [`Failed`] if the database or the journal does not answer.
pub async fn all_waiting(portal: &Portal, cards: &[CardId]) -> Result<Vec<Asked>, Failed> {
    let now_ms = portal.durable().now().unix_ms;
    let mut all = Vec::new();
    for id in portal.confirm().open().of(cards) {
        if let Some(asked) = asked(portal, id).await?
            && asked.waits(now_ms)
        {
            all.push(asked);
        }
    }
    Ok(all)
}

pub(super) async fn asked(portal: &Portal, id: ConfirmationId) -> Result<Option<Asked>, Failed> {
    let Some(purchase) = purchase::find(portal, id).await? else {
        return Ok(None);
    };
    let card = shown::token(portal, purchase.card)?;
    Ok(Some(Asked { view: record(portal, &purchase).await?, purchase, card }))
}

/// The journal's record; one that the journal forgot is as one that never was.
async fn record(portal: &Portal, purchase: &Purchase) -> Result<ConfirmationView, Failed> {
    let (control, now) = (portal.durable().control(), portal.durable().now());
    let view = control.confirmation(purchase.card, purchase.id, now);
    portal.durable().told(view).await.map_err(|error| {
        let is_unknown = error == ControlError::Confirmation(ConfirmationRefused::NotFound);
        if is_unknown { Failed::NotFound } else { error.into() }
    })
}
