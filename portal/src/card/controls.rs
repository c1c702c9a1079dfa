//! What a holder changes on a card: the ticks, the lock, the report.
//!
//! What protects is one tap. What opens asks who they are anew; the proof leads to a page that says
//! what is about to be opened and has one button, so that nothing is opened by the way.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use cekr_switch::control::Report;
use serde::Deserialize;

use super::shown::{Channel, Shown, Tick};
use crate::Portal;
use crate::identity::{Action, LocalPath, Posted, SignedIn, StepUp, held_card};
use crate::page::failed::Failed;
use crate::page::{Page, show};

/// The page that a button stands on, and leads back to.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Back {
    /// The card's own.
    #[default]
    Card,
    /// Smart Kranj.
    Kranj,
}

impl Back {
    /// The name in forms.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Kranj => "kranj",
        }
    }

    fn to(self, token: &str) -> Response {
        match self {
            Self::Card => to_card(token),
            Self::Kranj => Redirect::to(&format!("/kranj/{token}")).into_response(),
        }
    }
}

/// The form of a switch.
#[derive(Deserialize)]
pub struct Ticked {
    channel: Channel,
    ticked: bool,
    #[serde(default)]
    back: Back,
}

/// `POST /cards/{id}/channels`
///
/// # Errors
/// [`Failed`]; to open a channel asks for a fresh proof.
pub async fn set_channel(
    State(portal): State<Portal>,
    who: SignedIn,
    Path(token): Path<String>,
    Posted(ticked): Posted<Ticked>,
) -> Result<Response, Failed> {
    let id = held_card(&portal, &who, &token).await?;
    let now = portal.durable().now();
    if ticked.ticked {
        let next = format!("/cards/{token}/turn-on?channel={}", ticked.channel.name());
        proven(&who, Action::Tick, now.unix_ms, &next)?;
    } else {
        who.may(Action::Untick, now.unix_ms)?;
    }
    let patch = ticked.channel.patch(ticked.ticked);
    let control = portal.durable().control();
    portal.durable().told(control.set_channels(id, patch, now)).await?;
    Ok(ticked.back.to(&token))
}

#[derive(Template)]
#[template(path = "card/turn_on.html")]
struct TurnOn {
    page: Page,
    card: Shown,
    tick: Tick,
}

/// Which channel is to be opened.
#[derive(Deserialize)]
pub struct Wanted {
    channel: Channel,
}

/// `GET /cards/{id}/turn-on?channel=`
///
/// # Errors
/// [`Failed`].
pub async fn turn_on(
    State(portal): State<Portal>,
    who: SignedIn,
    page: Page,
    Path(token): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Failed> {
    let id = held_card(&portal, &who, &token).await?;
    who.may(Action::Tick, portal.durable().now().unix_ms)?;
    let card = super::shown(&portal, &page, id).await?;
    let name = wanted.channel.name();
    let tick = card.ticks.iter().find(|tick| tick.channel == name).cloned();
    let tick = tick.ok_or(Failed::NotFound)?;
    if tick.is_on {
        return Ok(to_card(&token));
    }
    Ok(show(StatusCode::OK, &TurnOn { page, card, tick }))
}

/// A form with nothing but its proof of origin.
#[derive(Deserialize)]
pub struct Nothing {}

/// A button that says where it stands.
#[derive(Deserialize)]
pub struct Pressed {
    #[serde(default)]
    back: Back,
}

/// `POST /cards/{id}/lock`
///
/// # Errors
/// [`Failed`].
pub async fn lock(
    State(portal): State<Portal>,
    who: SignedIn,
    Path(token): Path<String>,
    Posted(Pressed { back }): Posted<Pressed>,
) -> Result<Response, Failed> {
    let id = held_card(&portal, &who, &token).await?;
    let now = portal.durable().now();
    who.may(Action::Lock, now.unix_ms)?;
    portal.durable().told(portal.durable().control().lock(id, now)).await?;
    Ok(back.to(&token))
}

#[derive(Template)]
#[template(path = "card/unlock.html")]
struct AskUnlock {
    page: Page,
    card: Shown,
}

/// `GET /cards/{id}/unlock`
///
/// # Errors
/// [`Failed`].
pub async fn ask_unlock(
    State(portal): State<Portal>,
    who: SignedIn,
    page: Page,
    Path(token): Path<String>,
) -> Result<Response, Failed> {
    let id = held_card(&portal, &who, &token).await?;
    who.may(Action::Unlock, portal.durable().now().unix_ms)?;
    let card = super::shown(&portal, &page, id).await?;
    if !card.is_locked() {
        return Ok(to_card(&token));
    }
    Ok(show(StatusCode::OK, &AskUnlock { page, card }))
}

/// `POST /cards/{id}/unlock`
///
/// # Errors
/// [`Failed`]; asks for a fresh proof.
pub async fn unlock(
    State(portal): State<Portal>,
    who: SignedIn,
    Path(token): Path<String>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Failed> {
    let id = held_card(&portal, &who, &token).await?;
    let now = portal.durable().now();
    proven(&who, Action::Unlock, now.unix_ms, &format!("/cards/{token}/unlock"))?;
    portal.durable().told(portal.durable().control().unlock(id, now)).await?;
    Ok(to_card(&token))
}

#[derive(Template)]
#[template(path = "card/report.html")]
struct AskReport {
    page: Page,
    card: Shown,
    /// Whether the form came back without saying what happened.
    is_missing: bool,
}

/// `GET /cards/{id}/report`
///
/// # Errors
/// [`Failed`].
pub async fn ask_report(
    State(portal): State<Portal>,
    who: SignedIn,
    page: Page,
    Path(token): Path<String>,
) -> Result<Response, Failed> {
    let id = held_card(&portal, &who, &token).await?;
    let card = super::shown(&portal, &page, id).await?;
    Ok(show(StatusCode::OK, &AskReport { page, card, is_missing: false }))
}

/// The form of a report.
#[derive(Deserialize)]
pub struct Reported {
    reason: Option<ReportReason>,
}

/// What happened to the card.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportReason {
    /// It is lost.
    Lost,
    /// It was stolen.
    Stolen,
}

impl From<ReportReason> for Report {
    fn from(reason: ReportReason) -> Report {
        match reason {
            ReportReason::Lost => Self::Lost,
            ReportReason::Stolen => Self::Stolen,
        }
    }
}

/// `POST /cards/{id}/report`
///
/// # Errors
/// [`Failed`].
pub async fn report(
    State(portal): State<Portal>,
    who: SignedIn,
    page: Page,
    Path(token): Path<String>,
    Posted(reported): Posted<Reported>,
) -> Result<Response, Failed> {
    let id = held_card(&portal, &who, &token).await?;
    let now = portal.durable().now();
    who.may(Action::Report, now.unix_ms)?;
    let Some(reason) = reported.reason else {
        let card = super::shown(&portal, &page, id).await?;
        let again = AskReport { page, card, is_missing: true };
        return Ok(show(StatusCode::UNPROCESSABLE_ENTITY, &again));
    };
    let control = portal.durable().control();
    portal.durable().told(control.report(id, reason.into(), now)).await?;
    Ok(to_card(&token))
}

/// Whether who they are is proven freshly enough; if not, the proof leads to `next`.
fn proven(who: &SignedIn, action: Action, now_ms: u64, next: &str) -> Result<(), Failed> {
    who.may(action, now_ms).map_err(|step_up| {
        Failed::StepUp(StepUp { next: LocalPath::or_start(Some(next)), ..step_up })
    })
}

fn to_card(token: &str) -> Response {
    Redirect::to(&format!("/cards/{token}")).into_response()
}
