//! A card's page: what is on it, what it may do, what it did, and what its holder should know.

pub mod api;
pub mod controls;
pub mod fee;
pub mod history;
pub mod limits;
pub mod live;
pub mod merchants;
pub mod notices;
pub(crate) mod own_limits;
pub mod shown;

use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use cekr_issuer::{CardId, Seq};
use cekr_switch::control::ControlError;
use serde::Deserialize;

use crate::Portal;
use crate::identity::{Action, SignedIn, Watching, cards_of, held_card};
use crate::page::failed::Failed;
use crate::page::{Page, show};
use controls::Back;
use history::{Line, lines};
use merchants::Merchants;
use shown::Shown;

/// The pages.
pub fn routes() -> Router<Portal> {
    Router::new()
        .route("/card", get(|| async { Redirect::to("/cards") }))
        .route("/cards", get(list))
        .route("/cards/{id}", get(card))
        .route("/cards/{id}/channels", post(controls::set_channel))
        .route("/cards/{id}/turn-on", get(controls::turn_on))
        .route("/cards/{id}/lock", post(controls::lock))
        .route("/cards/{id}/unlock", get(controls::ask_unlock).post(controls::unlock))
        .route("/cards/{id}/report", get(controls::ask_report).post(controls::report))
        .route("/cards/{id}/limits", get(limits::ask).post(limits::set))
        .route("/cards/{id}/history", get(whole_history))
        .route("/cards/{id}/live", get(live::of_page))
        .route("/cards/{id}/now", get(card_now))
        .route("/fee", get(fee::calculator))
        .route("/notices", get(notices::list))
        .route("/notices/read", post(notices::mark_read))
}

#[derive(Template)]
#[template(path = "card/list.html")]
struct List {
    page: Page,
    cards: Vec<Shown>,
}

/// `GET /cards`: the only card's page, or a list of several.
async fn list(State(portal): State<Portal>, who: SignedIn, page: Page) -> Result<Response, Failed> {
    let mut cards = Vec::new();
    for id in cards_of(&portal, &who.holder).await? {
        cards.push(shown(&portal, &page, id).await?);
    }
    if let [only] = cards.as_slice() {
        return Ok(Redirect::to(&only.address).into_response());
    }
    Ok(show(StatusCode::OK, &List { page, cards }))
}

#[derive(Template)]
#[template(path = "card/card.html")]
struct OfCard {
    page: Page,
    card: Shown,
    lines: Vec<Line>,
    has_more: bool,
    /// Whether a channel may be opened, or the card unlocked, without proving anew who they are.
    is_fresh: bool,
    /// The most cash that what is available covers with its fee.
    cash_max: String,
    /// Where its buttons lead back to.
    back: Back,
}

/// `GET /cards/{id}`
async fn card(
    State(portal): State<Portal>,
    who: SignedIn,
    page: Page,
    Path(id): Path<String>,
) -> Result<Response, Failed> {
    write_card(&portal, &who, page, &id).await
}

/// `GET /cards/{id}/now`: the same, asked for by the page itself, which is no activity of its
/// reader: a session ends while cards are used.
async fn card_now(
    State(portal): State<Portal>,
    Watching(who): Watching,
    mut page: Page,
    Path(id): Path<String>,
) -> Result<Response, Failed> {
    page.path = format!("/cards/{id}");
    write_card(&portal, &who, page, &id).await
}

async fn write_card(
    portal: &Portal,
    who: &SignedIn,
    page: Page,
    id: &str,
) -> Result<Response, Failed> {
    let id = held_card(portal, who, id).await?;
    let card = shown(portal, &page, id).await?;
    let (items, has_more) = entries(portal, id, None, LINES_ON_CARD).await?;
    let lines = lines(&page.say, &items, &Merchants::of_card(portal, id).await?);
    let is_fresh = who.may(Action::Tick, portal.durable().now().unix_ms).is_ok();
    let cash_max = page.say.money(&fee::withdrawal_max(card.available_cents));
    let back = Back::Card;
    Ok(show(StatusCode::OK, &OfCard { page, card, lines, has_more, is_fresh, cash_max, back }))
}

#[derive(Template)]
#[template(path = "card/history.html")]
struct WholeHistory {
    page: Page,
    card: Shown,
    lines: Vec<Line>,
    older: Option<u64>,
}

#[derive(Deserialize)]
struct After {
    starting_after: Option<u64>,
}

/// `GET /cards/{id}/history?starting_after=`
async fn whole_history(
    State(portal): State<Portal>,
    who: SignedIn,
    page: Page,
    Path(id): Path<String>,
    Query(after): Query<After>,
) -> Result<Response, Failed> {
    let id = held_card(&portal, &who, &id).await?;
    let card = shown(&portal, &page, id).await?;
    let before = after.starting_after.map(Seq);
    let (items, has_more) = entries(&portal, id, before, LINES_ON_HISTORY).await?;
    let older = if has_more {
        items.last().and_then(|item| item.get("seq").and_then(serde_json::Value::as_u64))
    } else {
        None
    };
    let lines = lines(&page.say, &items, &Merchants::of_card(&portal, id).await?);
    Ok(show(StatusCode::OK, &WholeHistory { page, card, lines, older }))
}

/// A card as its page shows it, durable.
pub(crate) async fn shown(portal: &Portal, page: &Page, id: CardId) -> Result<Shown, Failed> {
    let card = portal.durable().told(portal.durable().control().card(id)).await?;
    Ok(Shown::of(&card, &page.say))
}

/// Entries of a card from the newest, or from before `before`, and whether there are older ones.
///
/// # Errors
/// [`Failed`]; an entry that is not this card's is not found.
pub(crate) async fn entries(
    portal: &Portal,
    id: CardId,
    before: Option<Seq>,
    limit: usize,
) -> Result<(Vec<serde_json::Value>, bool), Failed> {
    let (page, newest) = portal.durable().control().transactions(id, before, limit)?;
    let waited = portal.durable().wait(newest).await;
    waited.map_err(|_| Failed::from(ControlError::JournalFailed))?;
    Ok((page.items, page.has_more))
}

const LINES_ON_CARD: usize = 10;
const LINES_ON_HISTORY: usize = 25;
