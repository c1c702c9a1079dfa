//! The pages on which a holder confirms purchases, refuses them, and chooses the device for it.

use askama::Template;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;
use serde_json::Value;

use super::answer::{self, Asked};
use super::binding::{self, Bound};
use super::open::Channel;
use super::shown::Shown;
use crate::Portal;
use crate::card::shown::Shown as ShownCard;
use crate::identity::audit::Change;
use crate::identity::passkeys::{self, Device, Owner};
use crate::identity::posted::FromUs;
use crate::identity::{Action, Posted, SignedIn, Watching, cards_of, held_card};
use crate::page::failed::Failed;
use crate::page::{Page, show};

/// A card, and the device that confirms its purchases.
struct OfCard {
    card: ShownCard,
    device: Option<Bound>,
}

impl OfCard {
    fn is_bound_to(&self, device: &Device) -> bool {
        self.device.as_ref().is_some_and(|bound| bound.passkey == device.id)
    }
}

#[derive(Template)]
#[template(path = "confirm/list.html")]
struct List {
    page: Page,
    waiting: Vec<Shown>,
    cards: Vec<OfCard>,
    devices: Vec<Device>,
    in_app: bool,
}

/// `GET /confirmations`
pub(super) async fn list(
    State(portal): State<Portal>,
    who: SignedIn,
    page: Page,
) -> Result<Response, Failed> {
    write_list(&portal, &who, page).await
}

/// `GET /confirmations/now`: the same, asked for by the page itself, which is no activity of its
/// reader.
pub(super) async fn list_now(
    State(portal): State<Portal>,
    Watching(who): Watching,
    mut page: Page,
) -> Result<Response, Failed> {
    PAGE.clone_into(&mut page.path);
    write_list(&portal, &who, page).await
}

async fn write_list(portal: &Portal, who: &SignedIn, page: Page) -> Result<Response, Failed> {
    let ids = cards_of(portal, &who.holder).await?;
    let mut cards = Vec::new();
    for id in &ids {
        let view = portal.durable().told(portal.durable().control().card(*id)).await?;
        let device = binding::device_of(portal, *id).await?;
        cards.push(OfCard { card: ShownCard::of(&view, &page.say), device });
    }
    let now_ms = portal.durable().now().unix_ms;
    let mut waiting = Vec::new();
    for asked in answer::all_waiting(portal, &ids).await? {
        waiting.push(shown(portal, &page, &asked, now_ms).await?);
    }
    let devices = passkeys::devices(portal, &Owner::holder(&who.holder)).await?;
    let in_app = portal.confirm().channel().name() == Channel::App;
    Ok(show(StatusCode::OK, &List { page, waiting, cards, devices, in_app }))
}

#[derive(Template)]
#[template(path = "confirm/notice.html")]
struct Notice {
    page: Page,
}

/// Which page asks.
#[derive(Deserialize)]
pub(super) struct On {
    #[serde(default)]
    on: String,
}

/// `GET /confirmations/notice?on=`: what an open page's header says, asked for by that page.
pub(super) async fn notice(
    who: Result<Watching, Response>,
    mut page: Page,
    Query(On { on }): Query<On>,
) -> Response {
    // The page that lists them says nothing twice.
    page.path = on;
    // Whoever is not signed in any more is not led away from what they are writing.
    if who.is_err() {
        return StatusCode::NO_CONTENT.into_response();
    }
    show(StatusCode::OK, &Notice { page })
}

#[derive(Template)]
#[template(path = "confirm/one.html")]
struct One {
    page: Page,
    bought: Shown,
    in_app: bool,
}

/// `GET /confirmations/{id}`: one purchase, and what became of it.
pub(super) async fn one(
    State(portal): State<Portal>,
    who: SignedIn,
    page: Page,
    Path(id): Path<String>,
) -> Result<Response, Failed> {
    let asked = answer::find(&portal, &who, &id).await?;
    let now_ms = portal.durable().now().unix_ms;
    let bought = shown(&portal, &page, &asked, now_ms).await?;
    let in_app = portal.confirm().channel().name() == Channel::App;
    Ok(show(StatusCode::OK, &One { page, bought, in_app }))
}

/// `POST /confirmations/{id}/begin`: what the card's device is asked.
pub(super) async fn begin(
    State(portal): State<Portal>,
    who: SignedIn,
    _: FromUs,
    Path(id): Path<String>,
) -> Result<Json<Value>, Failed> {
    answer::begin(&portal, &who, &id).await.map(Json)
}

/// A device's answer in a form.
#[derive(Deserialize)]
pub(super) struct Answered {
    #[serde(default)]
    ceremony: String,
    #[serde(default)]
    credential: String,
}

/// `POST /confirmations/{id}/approve`
pub(super) async fn approve(
    State(portal): State<Portal>,
    who: SignedIn,
    Path(id): Path<String>,
    Posted(answered): Posted<Answered>,
) -> Result<Response, Failed> {
    answer::approve(&portal, &who, &id, &answered.ceremony, &answered.credential).await?;
    Ok(Redirect::to(&format!("{PAGE}/{id}")).into_response())
}

/// A form with nothing but its proof of origin.
#[derive(Deserialize)]
pub(super) struct Nothing {}

/// `POST /confirmations/{id}/refuse`
pub(super) async fn refuse(
    State(portal): State<Portal>,
    who: SignedIn,
    Path(id): Path<String>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Failed> {
    answer::refuse(&portal, &who, &id).await?;
    Ok(Redirect::to(&format!("{PAGE}/{id}")).into_response())
}

/// Which device is to confirm.
#[derive(Deserialize)]
pub(super) struct Chosen {
    #[serde(default)]
    device: String,
}

/// `POST /confirmations/cards/{card}/device`
pub(super) async fn bind(
    State(portal): State<Portal>,
    who: SignedIn,
    Path(card): Path<String>,
    Posted(chosen): Posted<Chosen>,
) -> Result<Response, Failed> {
    held_card(&portal, &who, &card).await?;
    let now_ms = portal.durable().now().unix_ms;
    who.may(Action::LinkDevice, now_ms)?;
    let mut change = Change::begin(&portal).await?;
    binding::bind(&mut change, who.holder.as_str(), &card, &chosen.device, now_ms).await?;
    change.commit().await?;
    Ok(Redirect::to(PAGE).into_response())
}

/// `POST /confirmations/cards/{card}/no-device`
pub(super) async fn unbind(
    State(portal): State<Portal>,
    who: SignedIn,
    Path(card): Path<String>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Failed> {
    held_card(&portal, &who, &card).await?;
    who.may(Action::Untick, portal.durable().now().unix_ms)?;
    binding::unbind(&portal, who.holder.as_str(), &card).await?;
    Ok(Redirect::to(PAGE).into_response())
}

async fn shown(portal: &Portal, page: &Page, asked: &Asked, now_ms: u64) -> Result<Shown, Failed> {
    let card = asked.purchase.card;
    let (view, _) = portal.durable().control().card(card)?;
    let last_four = ShownCard::of(&view, &page.say).last_four;
    let device = binding::device_of(portal, card).await?.map(|bound| bound.label);
    Ok(Shown::of(asked, &page.say, &last_four, device, now_ms))
}

const PAGE: &str = "/confirmations";
