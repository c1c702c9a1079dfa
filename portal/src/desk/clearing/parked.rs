//! Parked money and messages, worked off: posted to a card, given back to the network, or closed.
//!
//! Where money moves one person proposes and another agrees, and only then is the switch asked.
//! What moves no money on our books needs one person and a reason.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use cekr_issuer::{Amount, Seq};
use cekr_switch::clearing::NotSettled;
use serde::Deserialize;

use super::super::Nav;
use super::super::audit::names;
use super::super::noted::{self, Noted};
use super::super::role::Deed;
use super::super::story::moment;
use super::follow;
use super::store::{self, Decision, Parked};
use crate::Portal;
use crate::card::history::when;
use crate::identity::{OnDesk, Posted};
use crate::page::failed::Failed;
use crate::page::texts::Say;
use crate::page::{Page, money, show};

#[derive(Template)]
#[template(path = "desk/parked.html")]
struct List {
    page: Page,
    nav: Nav,
    may_handle: bool,
    items: Vec<Item>,
    next: Option<i64>,
    decided: Vec<Decided>,
}

/// Something that waits, in words.
struct Item {
    parked: Parked,
    when: String,
    kind: String,
    cause: String,
    amount: String,
    proposal: Option<Proposal>,
}

struct Proposal {
    what: String,
    who: String,
    words: String,
    card: String,
    amount: Option<String>,
    is_own: bool,
}

/// Something that was dealt with, in words.
struct Decided {
    seq: i64,
    when: String,
    what: String,
    words: String,
    by: String,
    agreed: String,
    settled_by: i64,
    is_refused: bool,
}

/// Which page of the list.
#[derive(Deserialize)]
pub(in crate::desk) struct After {
    after: Option<i64>,
}

/// `GET /desk/parked?after=SEQ`
///
/// # Errors
/// [`Failed`].
pub(in crate::desk) async fn list(
    State(portal): State<Portal>,
    on_desk: OnDesk,
    page: Page,
    Query(after): Query<After>,
) -> Result<Response, Failed> {
    on_desk.may(Deed::SeeClearing, portal.durable().now().unix_ms)?;
    follow::catch_up(&portal).await?;
    let mut waiting =
        store::list(&portal, after.after.unwrap_or_default(), ITEMS_SHOWN + 1).await?;
    let has_more = waiting.len() > ITEMS_SHOWN as usize;
    waiting.truncate(ITEMS_SHOWN as usize);
    let next = waiting.last().filter(|_| has_more).map(|parked| parked.seq);
    let names = names(&portal).await?;
    let name = |id: &str| names.get(id).cloned().unwrap_or_default();
    let mut items = Vec::with_capacity(waiting.len());
    for parked in waiting {
        let open = store::open(&portal, &parked).await?;
        let proposal = open.map(|said| Proposal {
            what: what_words(&page.say, &said.what),
            who: name(&said.proposed_by),
            words: said.words,
            card: masked(&portal, &said.card),
            amount: (said.amount > 0).then(|| page.say.money(&said.amount)),
            is_own: said.proposed_by == on_desk.operator,
        });
        items.push(Item::of(parked, proposal, &page.say));
    }
    let decided = store::decided(&portal, DECIDED_SHOWN).await?;
    let decided = decided.into_iter().map(|said| Decided {
        seq: said.seq,
        when: moment(said.proposed_at, &page.say),
        what: what_words(&page.say, &said.what),
        by: name(&said.proposed_by),
        agreed: name(&said.decided_by),
        words: said.words,
        settled_by: said.settled_by,
        is_refused: said.state == "refused",
    });
    let list = List {
        nav: Nav::of(&on_desk, &page.say),
        may_handle: on_desk.has(Deed::HandleParked),
        items,
        next,
        decided: decided.collect(),
        page,
    };
    Ok(show(StatusCode::OK, &list))
}

/// What is to become of it.
#[derive(Clone, Copy, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
enum What {
    /// The card takes it, or gets it.
    Assign,
    /// It needs nothing: the network's line comes, or came, by itself.
    Close,
    /// The network has it back: what it asks was never posted.
    WriteBack,
}

impl What {
    const fn name(self) -> &'static str {
        match self {
            Self::Assign => "assign",
            Self::Close => "close",
            Self::WriteBack => "write_back",
        }
    }
}

/// What somebody says of it.
#[derive(Deserialize)]
pub(in crate::desk) struct Said {
    what: What,
    #[serde(default)]
    mok_id: String,
    #[serde(default)]
    amount: String,
    #[serde(default)]
    words: String,
}

/// `POST /desk/parked/{seq}/propose`
///
/// # Errors
/// [`Failed`]; asks for a fresh proof.
pub(in crate::desk) async fn propose(
    State(portal): State<Portal>,
    on_desk: OnDesk,
    Path(seq): Path<i64>,
    Posted(said): Posted<Said>,
) -> Result<Response, Failed> {
    let now_ms = portal.durable().now().unix_ms;
    on_desk.may(Deed::HandleParked, now_ms)?;
    follow::catch_up(&portal).await?;
    let parked = store::one(&portal, seq).await?;
    let words: String = said.words.trim().chars().take(WORDS_CHARS_MAX).collect();
    if words.is_empty() {
        return Err(Failed::Unprocessable("desk-parked-no-words"));
    }
    let is_approved =
        store::open(&portal, &parked).await?.is_some_and(|open| open.state == APPROVED);
    if is_approved {
        // Somebody agreed, and the switch may have been asked: that comes first.
        return Err(Failed::Conflict("desk-parked-approved"));
    }
    let card = match said.what {
        What::Assign if !parked.can_move() => {
            return Err(Failed::Unprocessable("desk-parked-moves-nothing"));
        }
        What::Assign if parked.is_homeless() => card_of(&portal, &said.mok_id)?,
        What::Assign => parked.card.clone(),
        What::Close | What::WriteBack => String::new(),
    };
    let amount = back(&said, &parked)?;
    let state = if said.what == What::Assign { PROPOSED } else { DONE };
    let decision = Decision {
        seq,
        at: parked.at.clone(),
        what: said.what.name().to_owned(),
        card,
        amount,
        words: words.clone(),
        proposed_by: on_desk.operator.clone(),
        proposed_at: now_ms.cast_signed(),
        state: state.to_owned(),
        ..Decision::default()
    };
    let mut change = noted::begin(&portal, &on_desk.operator).await?;
    store::say(&mut change, &decision).await?;
    let what = if said.what == What::Assign { "parked_propose" } else { "parked_close" };
    let about = seq.to_string();
    let after = format!("{} {} {words}", decision.what, decision.card);
    let line = Noted { what, about: &about, before: &parked.cause, after: &after };
    noted::write(&mut change, &on_desk.operator, line).await?;
    change.commit().await?;
    Ok(back_to_list())
}

/// A form with nothing but its token.
#[derive(Deserialize)]
pub(in crate::desk) struct Nothing {}

/// `POST /desk/parked/{seq}/approve`
///
/// # Errors
/// [`Failed`]; 409 where the same person proposed it, or the card does not take it.
pub(in crate::desk) async fn approve(
    State(portal): State<Portal>,
    on_desk: OnDesk,
    Path(seq): Path<i64>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Failed> {
    let now = portal.durable().now();
    on_desk.may(Deed::HandleParked, now.unix_ms)?;
    let (parked, said) = proposed(&portal, seq).await?;
    if said.proposed_by == on_desk.operator {
        return Err(Failed::Conflict("statements-two-people"));
    }
    let control = portal.durable().control();
    let card = control.id(&said.card).ok_or(Failed::NotFound)?;
    // Written first: nothing moves without two names on it. The same again settles once.
    decide(&portal, &on_desk, &said, APPROVED, 0, "parked_approve").await?;
    let back = (said.amount > 0).then(|| Amount::from_minor(said.amount.unsigned_abs()));
    let entry = Seq(parked.seq.unsigned_abs());
    match control.settle_parked(entry, (card, back), now) {
        Ok((settled, seq)) => {
            portal.durable().wait(seq).await.map_err(|_| Failed::TryLater)?;
            let settled_by = settled.seq.cast_signed();
            decide(&portal, &on_desk, &said, DONE, settled_by, "parked_settle").await?;
            Ok(back_to_list())
        }
        Err(NotSettled::Refused(refused)) => Err(refused.into()),
        Err(refused) => {
            decide(&portal, &on_desk, &said, REFUSED, 0, "refused").await?;
            Err(Failed::Conflict(text_of(refused)))
        }
    }
}

/// `POST /desk/parked/{seq}/refuse`
///
/// # Errors
/// [`Failed`]; asks for a fresh proof.
pub(in crate::desk) async fn refuse(
    State(portal): State<Portal>,
    on_desk: OnDesk,
    Path(seq): Path<i64>,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Failed> {
    on_desk.may(Deed::HandleParked, portal.durable().now().unix_ms)?;
    let (_, said) = proposed(&portal, seq).await?;
    if said.state == APPROVED {
        return Err(Failed::Conflict("desk-parked-approved"));
    }
    decide(&portal, &on_desk, &said, REFUSED, 0, "parked_refuse").await?;
    Ok(back_to_list())
}

async fn proposed(portal: &Portal, seq: i64) -> Result<(Parked, Decision), Failed> {
    follow::catch_up(portal).await?;
    let parked = store::one(portal, seq).await?;
    let said = store::open(portal, &parked).await?;
    Ok((parked, said.ok_or(Failed::Conflict("statements-nothing-proposed"))?))
}

async fn decide(
    portal: &Portal,
    on_desk: &OnDesk,
    said: &Decision,
    to: &str,
    settled_by: i64,
    what: &str,
) -> Result<(), Failed> {
    let now_ms = portal.durable().now().unix_ms.cast_signed();
    let mut change = noted::begin(portal, &on_desk.operator).await?;
    let (moves, by) = ((&[PROPOSED, APPROVED], to), (on_desk.operator.as_str(), now_ms));
    if !store::decide(&mut change, &said.id, moves, by, settled_by).await? {
        return Err(Failed::Conflict("statements-item-left"));
    }
    let (about, before) = (said.seq.to_string(), format!("{} {}", said.what, said.card));
    let after = if settled_by > 0 { format!("{to}, entry {settled_by}") } else { to.to_owned() };
    let line = Noted { what, about: &about, before: &before, after: &after };
    noted::write(&mut change, &on_desk.operator, line).await?;
    change.commit().await
}

/// What a disputed reversal gives back, in cents; 0 for all that is left.
fn back(said: &Said, parked: &Parked) -> Result<i64, Failed> {
    let typed = said.amount.trim();
    if said.what != What::Assign || parked.kind != "disputed" || typed.is_empty() {
        return Ok(0);
    }
    let cents = money::read(typed).filter(|cents| *cents > 0);
    let cents = cents.and_then(|cents| i64::try_from(cents).ok());
    cents.ok_or(Failed::Unprocessable("desk-cash-amount-fault"))
}

/// The opaque id of the card with this MOK ID.
fn card_of(portal: &Portal, typed: &str) -> Result<String, Failed> {
    let control = portal.durable().control();
    let plain: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
    let id = plain.parse().ok().and_then(|number| control.card_by_mok_id(number));
    let card = id.and_then(|id| control.card(id).ok());
    card.map(|(card, _)| card.id).ok_or(Failed::Unprocessable("statements-no-card"))
}

fn masked(portal: &Portal, card: &str) -> String {
    let control = portal.durable().control();
    let card = control.id(card).and_then(|id| control.card(id).ok());
    card.map(|(card, _)| card.pan_masked).unwrap_or_default()
}

impl Item {
    fn of(parked: Parked, proposal: Option<Proposal>, say: &Say) -> Item {
        let cause = format!("desk-cause-{}", parked.cause.replace('_', "-"));
        Item {
            when: when(&parked.at, say.language()),
            kind: say.text(&format!("desk-parked-{}", parked.kind)),
            cause: say.maybe(&cause).unwrap_or_else(|| parked.cause.clone()),
            amount: say.money(&parked.amount),
            proposal,
            parked,
        }
    }
}

fn what_words(say: &Say, what: &str) -> String {
    say.text(&format!("desk-parked-{}", what.replace('_', "-")))
}

/// What to say where the card did not take it.
const fn text_of(refused: NotSettled) -> &'static str {
    match refused {
        NotSettled::AboveLeft => "desk-parked-above-left",
        NotSettled::Elsewhere => "desk-parked-elsewhere",
        NotSettled::NotEuros | NotSettled::NotParked => "desk-parked-moves-nothing",
        NotSettled::NotPosted => "desk-parked-not-posted",
        NotSettled::OtherCard => "desk-parked-other-card",
        NotSettled::Refused(_) => "failed-state",
        NotSettled::Would(_) => "desk-parked-card-refuses",
    }
}

fn back_to_list() -> Response {
    Redirect::to("/desk/parked").into_response()
}

const PROPOSED: &str = "proposed";
const APPROVED: &str = "approved";
const DONE: &str = "done";
const REFUSED: &str = "refused";
const WORDS_CHARS_MAX: usize = 200;
const ITEMS_SHOWN: i64 = 25;
const DECIDED_SHOWN: i64 = 20;
