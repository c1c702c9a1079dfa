//! Notices: what happened to a holder's cards that they should know, and how much of it is new.
//!
//! Of those about cards nothing is kept but how far they were read: they are the cards' own
//! entries. Those about ways to sign in stand beside them.

use std::collections::HashMap;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::history::{Line, is_notice, lines, when_ms};
use super::merchants::Merchants;
use super::shown::Shown;
use crate::Portal;
use crate::identity::account_notices::{self, AccountNotice};
use crate::identity::{HolderId, Posted, SignedIn, cards_of};
use crate::page::failed::Failed;
use crate::page::{Page, show};

/// A card's notices.
struct OfCard {
    card: Shown,
    notices: Vec<(Line, bool)>,
}

#[derive(Template)]
#[template(path = "card/notices.html")]
struct Notices {
    page: Page,
    account: Vec<AccountNotice>,
    cards: Vec<OfCard>,
    has_new: bool,
}

impl Notices {
    fn told(&self, notice: &AccountNotice) -> String {
        self.page.say.with(notice.event.words(), "label", notice.label.as_str())
    }

    fn when(&self, unix_ms: &i64) -> String {
        when_ms(*unix_ms, self.page.say.language())
    }
}

/// `GET /notices`
///
/// # Errors
/// [`Failed`].
pub async fn list(
    State(portal): State<Portal>,
    who: SignedIn,
    page: Page,
) -> Result<Response, Failed> {
    let seen = seen(&portal, &who.holder).await?;
    let mut cards = Vec::new();
    for id in cards_of(&portal, &who.holder).await? {
        let card = super::shown(&portal, &page, id).await?;
        let (items, _) = super::entries(&portal, id, None, ENTRIES_LOOKED_AT).await?;
        let upto = seen.get(&card.id).copied().unwrap_or_default();
        let merchants = Merchants::of_card(&portal, id).await?;
        let told = lines(&page.say, &items, &merchants).into_iter().filter(|line| line.is_notice);
        let notices = told.map(|line| (line.clone(), line.seq > upto)).collect();
        cards.push(OfCard { card, notices });
    }
    let account = account_notices::list(&portal, &who.holder).await?;
    let has_new = account.iter().any(|notice| notice.is_new)
        || cards.iter().any(|card| card.notices.iter().any(|(_, is_new)| *is_new));
    Ok(show(StatusCode::OK, &Notices { page, account, cards, has_new }))
}

/// A form with nothing but its proof of origin.
#[derive(Deserialize)]
pub struct Nothing {}

/// `POST /notices/read`
///
/// # Errors
/// [`Failed`].
pub async fn mark_read(
    State(portal): State<Portal>,
    who: SignedIn,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Failed> {
    let control = portal.durable().control();
    for id in cards_of(&portal, &who.holder).await? {
        let (card, seq) = control.card(id)?;
        let write = "INSERT INTO notice_seen (holder, card, seq) VALUES ($1, $2, $3) \
                     ON CONFLICT (holder, card) DO UPDATE SET seq = excluded.seq";
        let write = sqlx::query(write).bind(who.holder.as_str()).bind(card.id);
        let seq = i64::try_from(seq.0).unwrap_or(i64::MAX);
        write.bind(seq).execute(portal.database().pool()).await?;
    }
    account_notices::mark_read(&portal, &who.holder).await?;
    Ok(Redirect::to("/notices").into_response())
}

/// How many notices a holder has not read; more than [`COUNT_MAX`] are told as that many.
///
/// # Errors
/// [`Failed`].
pub async fn unread(portal: &Portal, holder: &HolderId) -> Result<usize, Failed> {
    let seen = seen(portal, holder).await?;
    let control = portal.durable().control();
    let mut count = account_notices::unread(portal, holder).await?;
    for id in cards_of(portal, holder).await? {
        let (card, newest) = control.card(id)?;
        let upto = seen.get(&card.id).copied().unwrap_or_default();
        if newest.0 <= upto {
            continue;
        }
        let (page, _) = control.transactions(id, None, ENTRIES_LOOKED_AT)?;
        let is_new = |item: &&serde_json::Value| {
            item.get("seq").and_then(serde_json::Value::as_u64) > Some(upto)
        };
        count += page.items.iter().take_while(is_new).filter(|item| is_notice(item)).count();
    }
    Ok(count.min(COUNT_MAX))
}

/// How far each card's notices were read.
async fn seen(portal: &Portal, holder: &HolderId) -> Result<HashMap<String, u64>, Failed> {
    let read = "SELECT card, seq FROM notice_seen WHERE holder = $1";
    let read = sqlx::query_as::<_, (String, i64)>(read).bind(holder.as_str());
    let rows = read.fetch_all(portal.database().pool()).await?;
    Ok(rows.into_iter().map(|(card, seq)| (card, u64::try_from(seq).unwrap_or(0))).collect())
}

/// How many of a card's entries are looked through for notices.
const ENTRIES_LOOKED_AT: usize = 50;
/// The most that the header counts.
pub const COUNT_MAX: usize = 99;
