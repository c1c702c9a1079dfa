//! Finding a card: by its name, MOK ID, last four digits, its own id or its holder's.
//!
//! What is typed is posted, so that it stands in no address and no log; a whole card number is
//! taken by nobody and not shown again.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use cekr_issuer::{CardId, Seq};
use cekr_switch::control::desk::LastFour;
use cekr_switch::control::{CardView, ControlError};
use serde::Deserialize;

use super::Nav;
use super::role::Deed;
use crate::Portal;
use crate::identity::{HolderId, OnDesk, Posted, cards_of};
use crate::page::failed::Failed;
use crate::page::texts::Say;
use crate::page::{Page, show};

#[derive(Template)]
#[template(path = "desk/find.html")]
struct Find {
    page: Page,
    nav: Nav,
    /// What was typed, where it may be shown again.
    typed: String,
    fault: Option<&'static str>,
    found: Vec<Found>,
    has_more: bool,
}

/// A card in the list.
struct Found {
    card: CardView,
    state: String,
}

/// What was typed.
#[derive(Deserialize)]
pub(super) struct Typed {
    query: String,
}

/// `GET /desk/cards`
///
/// # Errors
/// [`Failed`].
pub(super) async fn ask(
    State(portal): State<Portal>,
    on_desk: OnDesk,
    page: Page,
) -> Result<Response, Failed> {
    on_desk.may(Deed::SeeCards, portal.durable().now().unix_ms)?;
    let nav = Nav::of(&on_desk, &page.say);
    let find =
        Find { page, nav, typed: String::new(), fault: None, found: Vec::new(), has_more: false };
    Ok(show(StatusCode::OK, &find))
}

/// `POST /desk/cards`: the only card's page, or a list.
///
/// # Errors
/// [`Failed`].
pub(super) async fn find(
    State(portal): State<Portal>,
    on_desk: OnDesk,
    page: Page,
    Posted(typed): Posted<Typed>,
) -> Result<Response, Failed> {
    on_desk.may(Deed::SeeCards, portal.durable().now().unix_ms)?;
    let nav = Nav::of(&on_desk, &page.say);
    let asked = Asked::read(&typed.query);
    let (cards, has_more) = match &asked {
        Asked::Nothing | Asked::WholeNumber => (Vec::new(), false),
        Asked::Named(text) => (named(&portal, text).await?, false),
        Asked::Ending(last_four) => ending(&portal, *last_four).await?,
    };
    if let [only] = cards.as_slice()
        && !has_more
    {
        return Ok(Redirect::to(&format!("/desk/cards/{}", only.id)).into_response());
    }
    let fault = match asked {
        Asked::WholeNumber => Some("desk-find-whole-number"),
        Asked::Nothing => Some("desk-find-nothing-typed"),
        Asked::Ending(_) | Asked::Named(_) => cards.is_empty().then_some("desk-find-none"),
    };
    let status = if fault.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let shown = |card: CardView| Found { state: state_words(&page.say, card.state), card };
    let found = cards.into_iter().map(shown).collect();
    let typed = match asked {
        Asked::Named(text) => text,
        Asked::Ending(_) | Asked::Nothing | Asked::WholeNumber => String::new(),
    };
    Ok(show(status, &Find { page, nav, typed, fault, found, has_more }))
}

/// The state of a card in words.
pub(super) fn state_words(say: &Say, state: &str) -> String {
    say.text(&format!("card-state-{}", state.replace('_', "-")))
}

/// What somebody looks for.
#[derive(Debug, Eq, PartialEq)]
enum Asked {
    /// Cards by the end of their number.
    Ending(LastFour),
    /// A name, a MOK ID, or an id.
    Named(String),
    Nothing,
    /// A whole card number, which nobody should type here.
    WholeNumber,
}

impl Asked {
    fn read(typed: &str) -> Asked {
        let text: String = typed.trim().chars().take(TYPED_CHARS_MAX).collect();
        let digits: String = text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
        let is_number = !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit());
        if text.is_empty() {
            return Self::Nothing;
        }
        if is_number && digits.len() > MOK_ID_DIGITS {
            return Self::WholeNumber;
        }
        match LastFour::parse(&digits).filter(|_| is_number) {
            Some(last_four) => Self::Ending(last_four),
            None if is_number => Self::Named(digits),
            None => Self::Named(text),
        }
    }
}

/// The cards that an id, a MOK ID or a name is of.
async fn named(portal: &Portal, text: &str) -> Result<Vec<CardView>, Failed> {
    let control = portal.durable().control();
    let mok_id = || text.parse().ok().and_then(|number| control.card_by_mok_id(number));
    let one = control.id(text).or_else(mok_id).or_else(|| control.find(text));
    let ids: Vec<CardId> = match one {
        Some(id) => vec![id],
        None => cards_of(portal, &HolderId::of(text.to_owned())).await?,
    };
    let (mut cards, mut newest) = (Vec::with_capacity(ids.len()), Seq::NONE);
    for id in ids {
        let (card, seq) = control.card(id)?;
        newest = newest.max(seq);
        cards.push(card);
    }
    durable(portal, newest).await?;
    Ok(cards)
}

async fn ending(portal: &Portal, last_four: LastFour) -> Result<(Vec<CardView>, bool), Failed> {
    let control = portal.durable().control();
    let (mut cards, mut newest, mut after) = (Vec::new(), Seq::NONE, None);
    loop {
        let room = CARDS_SHOWN - cards.len();
        let (found, seq, through) = control.cards_ending(last_four, after, (room, SCANNED_MAX));
        newest = newest.max(seq);
        cards.extend(found);
        after = through;
        if after.is_none() || cards.len() >= CARDS_SHOWN {
            break;
        }
        // Pages come first.
        tokio::task::yield_now().await;
    }
    durable(portal, newest).await?;
    Ok((cards, after.is_some()))
}

async fn durable(portal: &Portal, seq: Seq) -> Result<(), Failed> {
    let waited = portal.durable().wait(seq).await;
    waited.map_err(|_| ControlError::JournalFailed.into())
}

/// What the back of a card has at most.
const MOK_ID_DIGITS: usize = 9;
const TYPED_CHARS_MAX: usize = 64;
/// More cards than anybody reads: whoever gets so many asks by something else.
const CARDS_SHOWN: usize = 50;
/// Cards that are looked at in one go.
const SCANNED_MAX: u32 = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_told_apart_by_its_shape() {
        let named = |text: &str| Asked::Named(text.to_owned());
        for (typed, asked) in [
            ("  ", Asked::Nothing),
            ("ana", named("ana")),
            ("123 456 782", named("123456782")),
            ("4761 7300 0000 0011", Asked::WholeNumber),
            ("4761730000000011", Asked::WholeNumber),
            ("0123456789", Asked::WholeNumber),
        ] {
            assert_eq!(Asked::read(typed), asked, "{typed}");
        }
        assert!(matches!(Asked::read("0011"), Asked::Ending(_)));
    }
}
