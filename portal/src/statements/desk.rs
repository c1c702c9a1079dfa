//! The desk's page of suspense: what waits, and where two people say that it belongs.
//!
//! One person proposes the card, another approves: the second name is that of another passkey.
//! Either may order that the money goes back.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use cekr_issuer::Seq;
use cekr_switch::control::ControlError;
use serde::Deserialize;

use super::return_order;
use super::suspense::{self, Actor, Reconciled, SuspenseFailed, Waiting};
use crate::Portal;
use crate::desk::Nav;
use crate::desk::noted::{Noted, note};
use crate::desk::role::Deed;
use crate::identity::{OnDesk, Posted};
use crate::page::failed::Failed;
use crate::page::{Page, show as show_page};
use cekr_bank::reference::MOK_ID_DIGITS;

#[derive(Template)]
#[template(path = "statements/suspense.html")]
struct Suspense {
    page: Page,
    nav: Nav,
    actor: Actor,
    /// Whether they may settle anything; others look.
    may_settle: bool,
    items: Vec<Waiting>,
    total: Reconciled,
    /// The item behind which the next page begins.
    next: Option<u64>,
}

/// Which page of the list.
#[derive(Deserialize)]
pub(super) struct Behind {
    after: Option<u64>,
}

/// The card that money belongs to, as it is typed.
#[derive(Deserialize)]
pub(super) struct Belongs {
    mok_id: String,
}

/// A form with nothing but its token.
#[derive(Deserialize)]
pub(super) struct Nothing {}

/// `GET /desk/suspense`
///
/// # Errors
/// [`Failed`].
pub(super) async fn show(
    State(portal): State<Portal>,
    on_desk: OnDesk,
    page: Page,
    Query(behind): Query<Behind>,
) -> Result<Response, Failed> {
    on_desk.may(Deed::SeeSuspense, portal.durable().now().unix_ms)?;
    let after = Seq(behind.after.unwrap_or_default());
    let (items, has_more) = suspense::list(&portal, after, ITEMS_SHOWN).await.map_err(failed)?;
    let total = suspense::reconciled(&portal).await.map_err(Failed::from)?;
    let next = items.last().filter(|_| has_more).map(|last| last.item.item);
    let (actor, may_settle) = (Actor::person(&on_desk.operator), on_desk.has(Deed::SettleSuspense));
    let nav = Nav::of(&on_desk, &page.say);
    let suspense = Suspense { page, nav, actor, may_settle, items, total, next };
    Ok(show_page(StatusCode::OK, &suspense))
}

/// `POST /desk/suspense/{item}/propose`
///
/// # Errors
/// [`Failed`]; an unknown card is 422.
pub(super) async fn propose(
    State(portal): State<Portal>,
    on_desk: OnDesk,
    Path(item): Path<u64>,
    Posted(belongs): Posted<Belongs>,
) -> Result<Response, Failed> {
    on_desk.may(Deed::SettleSuspense, portal.durable().now().unix_ms)?;
    let typed: String = belongs.mok_id.chars().filter(|c| !c.is_whitespace()).collect();
    let is_number = typed.len() == MOK_ID_DIGITS && typed.bytes().all(|c| c.is_ascii_digit());
    let number = typed.parse().ok().filter(|_| is_number);
    let card = number.and_then(|number| portal.durable().control().card_by_mok_id(number));
    let card = card.ok_or(Failed::Unprocessable("statements-no-card"))?;
    let actor = Actor::person(&on_desk.operator);
    let proposed = suspense::propose(&portal, item, card, &actor).await.map_err(failed)?;
    let card = proposed.assignment.map(|assignment| assignment.card).unwrap_or_default();
    told(&portal, &on_desk, "suspense_propose", item, &card).await?;
    Ok(back())
}

/// `POST /desk/suspense/{item}/approve`
///
/// # Errors
/// [`Failed`]; 409 where the same person proposed it.
pub(super) async fn approve(
    State(portal): State<Portal>,
    on_desk: OnDesk,
    Path(item): Path<u64>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Failed> {
    on_desk.may(Deed::SettleSuspense, portal.durable().now().unix_ms)?;
    let actor = Actor::person(&on_desk.operator);
    let approved = suspense::approve(&portal, item, &actor).await.map_err(failed)?;
    told(&portal, &on_desk, "suspense_approve", item, &approved.card).await?;
    Ok(back())
}

/// `POST /desk/suspense/{item}/return`: the answer is the order for the bank.
///
/// # Errors
/// [`Failed`]; 409 where it went elsewhere, or no account of the payer's is known.
pub(super) async fn give_back(
    State(portal): State<Portal>,
    on_desk: OnDesk,
    Path(item): Path<u64>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Failed> {
    on_desk.may(Deed::SettleSuspense, portal.durable().now().unix_ms)?;
    let actor = Actor::person(&on_desk.operator);
    let returned = suspense::give_back(&portal, item, &actor).await.map_err(failed)?;
    told(&portal, &on_desk, "suspense_return", item, &returned.payer_account).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/xml; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"return-{item}.xml\"")),
    ];
    Ok((headers, return_order::write(&returned)).into_response())
}

/// The line of the audit; who proposed and who agreed stands with the item besides.
async fn told(
    portal: &Portal,
    on_desk: &OnDesk,
    what: &str,
    item: u64,
    after: &str,
) -> Result<(), Failed> {
    let about = item.to_string();
    let noted = Noted { what, about: &about, before: "suspense", after };
    note(portal, &on_desk.operator, noted).await
}

fn back() -> Response {
    Redirect::to("/desk/suspense").into_response()
}

fn failed(why: SuspenseFailed) -> Failed {
    match why {
        SuspenseFailed::Control(ControlError::NoSuchItem) | SuspenseFailed::NotReturned => {
            Failed::NotFound
        }
        SuspenseFailed::Control(ControlError::ItemLeft | ControlError::ItemTaken) => {
            Failed::Conflict("statements-item-left")
        }
        SuspenseFailed::Control(refused) => refused.into(),
        SuspenseFailed::Database(error) => error.into(),
        SuspenseFailed::NothingProposed => Failed::Conflict("statements-nothing-proposed"),
        SuspenseFailed::SamePerson => Failed::Conflict("statements-two-people"),
        SuspenseFailed::NoAccount => Failed::Conflict("statements-no-account"),
    }
}

const ITEMS_SHOWN: usize = 50;
