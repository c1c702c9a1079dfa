//! What operators do to a card: lock, report, limits, scripts, and the ways back in for its holder.
//!
//! Each is one form of the card's page. What protects is done at once; what opens asks for a proof
//! of the last five minutes. A new card in the place of a reported one is the personalizer's to
//! make: no number and no PIN is made here.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use cekr_switch::control::desk::ChipOrder;
use cekr_switch::control::{CardView, Report};
use serde::Deserialize;

use super::Nav;
use super::noted::{Noted, done};
use super::role::Deed;
use super::story::named;
use crate::Portal;
use crate::card::limits::{Field, Typed, fields};
use crate::identity::operator::recovered;
use crate::identity::{HolderId, OnDesk, Posted, codes};
use crate::page::failed::Failed;
use crate::page::{Page, show};

/// A form with nothing but its token.
#[derive(Deserialize)]
pub(super) struct Nothing {}

/// `POST /desk/cards/{id}/lock`
///
/// # Errors
/// [`Failed`]; 409 where its state does not allow it.
pub(super) async fn lock(
    State(portal): State<Portal>,
    on_desk: OnDesk,
    Path(token): Path<String>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Failed> {
    let now = portal.durable().now();
    on_desk.may(Deed::BlockCard, now.unix_ms)?;
    let (id, card) = (named(&portal, &token)?, view(&portal, &token).await?);
    let noted = Noted { what: "card_lock", about: &token, before: card.state, after: "locked" };
    done(&portal, &on_desk, noted, || portal.durable().control().lock(id, now)).await?;
    Ok(back(&token))
}

/// `POST /desk/cards/{id}/unlock`
///
/// # Errors
/// [`Failed`]; asks for a fresh proof.
pub(super) async fn unlock(
    State(portal): State<Portal>,
    on_desk: OnDesk,
    Path(token): Path<String>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Failed> {
    let now = portal.durable().now();
    on_desk.may(Deed::UnlockCard, now.unix_ms)?;
    let (id, card) = (named(&portal, &token)?, view(&portal, &token).await?);
    let noted = Noted { what: "card_unlock", about: &token, before: card.state, after: "active" };
    done(&portal, &on_desk, noted, || portal.durable().control().unlock(id, now)).await?;
    Ok(back(&token))
}

/// How a card was lost.
#[derive(Deserialize)]
pub(super) struct Reported {
    reason: Lost,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Lost {
    Lost,
    Stolen,
}

/// `POST /desk/cards/{id}/report`
///
/// # Errors
/// [`Failed`].
pub(super) async fn report(
    State(portal): State<Portal>,
    on_desk: OnDesk,
    Path(token): Path<String>,
    Posted(reported): Posted<Reported>,
) -> Result<Response, Failed> {
    let now = portal.durable().now();
    on_desk.may(Deed::BlockCard, now.unix_ms)?;
    let (id, card) = (named(&portal, &token)?, view(&portal, &token).await?);
    let (report, after) = match reported.reason {
        Lost::Lost => (Report::Lost, "lost"),
        Lost::Stolen => (Report::Stolen, "stolen"),
    };
    let noted = Noted { what: "card_report", about: &token, before: card.state, after };
    done(&portal, &on_desk, noted, || portal.durable().control().report(id, report, now)).await?;
    Ok(back(&token))
}

/// What a chip may be told to do from a desk. Counters of a chip are the API's to set.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Script {
    ApplicationBlock,
    ApplicationUnblock,
    CardBlock,
    PinChange,
    PinUnblock,
}

impl Script {
    const fn order(self) -> ChipOrder {
        match self {
            Self::ApplicationBlock => ChipOrder::ApplicationBlock,
            Self::ApplicationUnblock => ChipOrder::ApplicationUnblock,
            Self::CardBlock => ChipOrder::CardBlock,
            Self::PinChange => ChipOrder::PinChange,
            Self::PinUnblock => ChipOrder::PinUnblock,
        }
    }

    const fn deed(self) -> Deed {
        match self {
            Self::PinUnblock => Deed::UnblockPin,
            Self::ApplicationBlock
            | Self::ApplicationUnblock
            | Self::CardBlock
            | Self::PinChange => Deed::SendScript,
        }
    }
}

/// An order for a chip.
#[derive(Deserialize)]
pub(super) struct Asked {
    command: Script,
}

/// `POST /desk/cards/{id}/scripts`
///
/// # Errors
/// [`Failed`]; asks for a fresh proof.
pub(super) async fn script(
    State(portal): State<Portal>,
    on_desk: OnDesk,
    Path(token): Path<String>,
    Posted(asked): Posted<Asked>,
) -> Result<Response, Failed> {
    let now = portal.durable().now();
    on_desk.may(asked.command.deed(), now.unix_ms)?;
    let (id, order) = (named(&portal, &token)?, asked.command.order());
    let noted = Noted { what: "script_ask", about: &token, before: "", after: order.name() };
    done(&portal, &on_desk, noted, || portal.durable().control().ask_chip(id, order, now)).await?;
    Ok(back(&token))
}

#[derive(Template)]
#[template(path = "desk/limits.html")]
struct Limits {
    page: Page,
    nav: Nav,
    card: CardView,
    address: String,
    fields: Vec<Field>,
}

/// `GET /desk/cards/{id}/limits`
///
/// # Errors
/// [`Failed`]; asks for a fresh proof.
pub(super) async fn ask_limits(
    State(portal): State<Portal>,
    on_desk: OnDesk,
    page: Page,
    Path(token): Path<String>,
) -> Result<Response, Failed> {
    on_desk.may(Deed::SetLimits, portal.durable().now().unix_ms)?;
    let card = view(&portal, &token).await?;
    let programme = portal.durable().control().programme_limits();
    let typed = Typed::of(card.limits, &page.say);
    let fields = fields(&page.say, programme, typed, [None; 4]);
    let nav = Nav::of(&on_desk, &page.say);
    let address = format!("/desk/cards/{}", card.id);
    Ok(show(StatusCode::OK, &Limits { page, nav, card, address, fields }))
}

/// `POST /desk/cards/{id}/limits`
///
/// # Errors
/// [`Failed`]; asks for a fresh proof.
pub(super) async fn set_limits(
    State(portal): State<Portal>,
    on_desk: OnDesk,
    page: Page,
    Path(token): Path<String>,
    Posted(typed): Posted<Typed>,
) -> Result<Response, Failed> {
    let now = portal.durable().now();
    on_desk.may(Deed::SetLimits, now.unix_ms)?;
    let (id, card) = (named(&portal, &token)?, view(&portal, &token).await?);
    let control = portal.durable().control();
    let patch = match typed.read(control) {
        Ok(patch) => patch,
        Err(faults) => {
            let fields = fields(&page.say, control.programme_limits(), typed, faults);
            let nav = Nav::of(&on_desk, &page.say);
            let address = format!("/desk/cards/{}", card.id);
            let again = Limits { page, nav, card, address, fields };
            return Ok(show(StatusCode::UNPROCESSABLE_ENTITY, &again));
        }
    };
    let written = |limits| serde_json::to_string(&limits).unwrap_or_default();
    let before = written(card.limits);
    let after = typed.in_words();
    let noted = Noted { what: "limits_set", about: &token, before: &before, after: &after };
    done(&portal, &on_desk, noted, || control.set_limits(id, patch, now)).await?;
    Ok(back(&token))
}

#[derive(Template)]
#[template(path = "desk/code.html")]
struct Code {
    page: Page,
    nav: Nav,
    code: String,
    /// Where to go back to.
    address: String,
}

/// `POST /desk/cards/{id}/code`: a code for a card that nobody holds, shown once.
///
/// # Errors
/// [`Failed`]; 409 where somebody holds it; asks for a fresh proof.
pub(super) async fn code(
    State(portal): State<Portal>,
    on_desk: OnDesk,
    page: Page,
    Path(token): Path<String>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Failed> {
    on_desk.may(Deed::HelpHolder, portal.durable().now().unix_ms)?;
    let id = named(&portal, &token)?;
    let code = codes::for_card(&portal, id, &on_desk.operator).await?;
    let nav = Nav::of(&on_desk, &page.say);
    let address = format!("/desk/cards/{token}");
    Ok(show(StatusCode::OK, &Code { page, nav, code: code.expose(), address }))
}

/// `POST /desk/holders/{id}/recovery`: every way in ends, and a code begins anew, shown once.
///
/// # Errors
/// [`Failed`]; asks for a fresh proof.
pub(super) async fn recover(
    State(portal): State<Portal>,
    on_desk: OnDesk,
    page: Page,
    Path(holder): Path<String>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Failed> {
    on_desk.may(Deed::HelpHolder, portal.durable().now().unix_ms)?;
    let code = recovered(&portal, &HolderId::of(holder), &on_desk.operator).await?;
    let nav = Nav::of(&on_desk, &page.say);
    let address = "/desk/cards".to_owned();
    Ok(show(StatusCode::OK, &Code { page, nav, code: code.expose(), address }))
}

async fn view(portal: &Portal, token: &str) -> Result<CardView, Failed> {
    let id = named(portal, token)?;
    Ok(portal.durable().told(portal.durable().control().card(id)).await?)
}

fn back(token: &str) -> Response {
    Redirect::to(&format!("/desk/cards/{token}")).into_response()
}
