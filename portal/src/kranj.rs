//! Smart Kranj: the card on one page of a phone, with its points, and what makes it installable.
//!
//! What a button does is the card's own page's ([`crate::card`]); points are the journal's.

pub mod api;
pub mod app;
pub mod merchants;
pub mod points;

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;

use crate::Portal;
use crate::card::controls::Back;
use crate::card::shown::Shown;
use crate::identity::{Action, SignedIn, Watching, cards_of, held_card};
use crate::page::failed::Failed;
use crate::page::{Page, show};
use merchants::Merchant;
use points::{Change, Points};

/// The pages.
pub fn routes() -> Router<Portal> {
    Router::new()
        .route("/kranj", get(choose))
        .route("/kranj/merchants", get(merchants::list))
        .route("/kranj/{id}", get(of_card))
        .route("/kranj/{id}/now", get(of_card_now))
        .route("/kranj/{id}/points", get(points::history))
        .route("/manifest.webmanifest", get(app::manifest))
        .route("/offline", get(app::offline))
        .route("/worker.js", get(app::worker))
}

/// The description of the calls, for `/v1/openapi.json`.
pub fn openapi() -> serde_json::Value {
    api::openapi()
}

#[derive(Template)]
#[template(path = "kranj/choose.html")]
struct Choose {
    page: Page,
    cards: Vec<Shown>,
}

/// `GET /kranj`: where the installed website begins.
async fn choose(
    State(portal): State<Portal>,
    who: SignedIn,
    page: Page,
) -> Result<Response, Failed> {
    let mut cards = Vec::new();
    for id in cards_of(&portal, &who.holder).await? {
        cards.push(crate::card::shown(&portal, &page, id).await?);
    }
    if let [only] = cards.as_slice() {
        return Ok(Redirect::to(&format!("/kranj/{}", only.id)).into_response());
    }
    Ok(show(StatusCode::OK, &Choose { page, cards }))
}

#[derive(Template)]
#[template(path = "kranj/card.html")]
struct OfCard {
    page: Page,
    card: Shown,
    points: Points,
    changes: Vec<Change>,
    has_more: bool,
    merchants: Vec<Merchant>,
    is_fresh: bool,
    back: Back,
}

/// `GET /kranj/{id}`
async fn of_card(
    State(portal): State<Portal>,
    who: SignedIn,
    page: Page,
    Path(id): Path<String>,
) -> Result<Response, Failed> {
    write(&portal, &who, page, &id).await
}

/// `GET /kranj/{id}/now`: the same, asked for by the page itself.
async fn of_card_now(
    State(portal): State<Portal>,
    Watching(who): Watching,
    mut page: Page,
    Path(id): Path<String>,
) -> Result<Response, Failed> {
    page.path = format!("/kranj/{id}");
    write(&portal, &who, page, &id).await
}

async fn write(portal: &Portal, who: &SignedIn, page: Page, id: &str) -> Result<Response, Failed> {
    let id = held_card(portal, who, id).await?;
    let card = crate::card::shown(portal, &page, id).await?;
    let points = points::shown(portal, &page.say, id).await?;
    let (changes, next) = points::changes(portal, &page.say, id, None, CHANGES_ON_PAGE).await?;
    let mut merchants = merchants::enrolled(portal, &page.say, "");
    merchants.truncate(MERCHANTS_ON_PAGE);
    let is_fresh = who.may(Action::Tick, portal.durable().now().unix_ms).is_ok();
    let (has_more, back) = (next.is_some(), Back::Kranj);
    let template = OfCard { page, card, points, changes, has_more, merchants, is_fresh, back };
    Ok(show(StatusCode::OK, &template))
}

const CHANGES_ON_PAGE: usize = 5;
const MERCHANTS_ON_PAGE: usize = 5;
