//! A card's whole story on one page: how it stands, what it did, who said what about it.
//!
//! Everything comes from where it is true: state, holds, scripts and entries from the switch,
//! people and evidence from the database. Entries are paged; numbers are masked as everywhere.

mod entries;
mod evidence;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use cekr_issuer::{Amount, CardId, Seq};
use cekr_switch::control::desk::{HoldView, InsideView};
use cekr_switch::control::{CardView, Control, ScriptView};
use serde::Deserialize;

use super::Nav;
use super::audit::{Told, about};
use super::find::state_words;
use super::role::Deed;
use crate::Portal;
use crate::card::history::when;
use crate::identity::OnDesk;
use crate::identity::holder::holder_of;
use crate::page::failed::Failed;
use crate::page::texts::Say;
use crate::page::{Page, show};
pub(super) use evidence::moment;

use entries::Row;
use evidence::{Holder, Load};

#[derive(Template)]
#[template(path = "desk/card.html")]
struct Story {
    page: Page,
    nav: Nav,
    card: CardView,
    state: String,
    address: String,
    inside: InsideView,
    holds: Vec<Hold>,
    limits: Vec<Limit>,
    scripts: Vec<Script>,
    rows: Vec<Row>,
    /// The entry behind which the next page begins.
    older: Option<u64>,
    /// Whether this is the newest page.
    is_newest: bool,
    loads: Vec<Load>,
    holder: Option<Holder>,
    told: Vec<Told>,
    may: May,
}

/// What the reader may do here besides reading.
#[expect(clippy::struct_excessive_bools, reason = "each is a form that is there or not")]
struct May {
    block: bool,
    help: bool,
    limits: bool,
    script: bool,
    unblock_pin: bool,
    unlock: bool,
}

struct Hold {
    hold: HoldView,
    since: String,
    until: String,
    amount: String,
}

struct Limit {
    name: &'static str,
    own: Option<String>,
    programme: String,
}

struct Script {
    script: ScriptView,
    command: String,
    state: String,
}

/// Which page of the entries.
#[derive(Deserialize)]
pub(super) struct Before {
    before: Option<u64>,
}

/// `GET /desk/cards/{id}?before=SEQ`
///
/// # Errors
/// [`Failed`].
pub(super) async fn show_card(
    State(portal): State<Portal>,
    on_desk: OnDesk,
    page: Page,
    Path(token): Path<String>,
    Query(before): Query<Before>,
) -> Result<Response, Failed> {
    on_desk.may(Deed::SeeCards, portal.durable().now().unix_ms)?;
    let id = portal.durable().control().id(&token).ok_or(Failed::NotFound)?;
    let (durable, control) = (portal.durable(), portal.durable().control());
    let card = durable.told(control.card(id)).await?;
    let inside = durable.told(control.inside(id, HOLDS_SHOWN)).await?;
    let scripts = durable.told(control.scripts(id)).await?;
    let before = before.before.map(Seq);
    let (items, has_more) = crate::card::entries(&portal, id, before, ENTRIES_SHOWN).await?;
    let holder = match holder_of(&portal, &card.id).await? {
        Some(holder) => Some(Holder::read(&portal, &page.say, &holder).await?),
        None => None,
    };
    let subject = holder.as_ref().map_or("", |holder| holder.id.as_str());
    let story = Story {
        nav: Nav::of(&on_desk, &page.say),
        state: state_words(&page.say, card.state),
        address: format!("/desk/cards/{}", card.id),
        holds: inside.holds.iter().map(|hold| Hold::of(hold, &page.say)).collect(),
        limits: limits(control, &card, &page.say),
        scripts: scripts.into_iter().map(|script| Script::of(script, &page.say)).collect(),
        rows: entries::rows(&page.say, &items),
        older: items.last().filter(|_| has_more).and_then(entries::seq_of),
        is_newest: before.is_none(),
        loads: evidence::loads(&portal, &page.say, &card.id).await?,
        told: about(&portal, &page.say, &[&card.id, subject]).await?,
        may: May::of(&on_desk),
        holder,
        inside,
        card,
        page,
    };
    Ok(show(StatusCode::OK, &story))
}

impl May {
    fn of(on_desk: &OnDesk) -> May {
        May {
            block: on_desk.has(Deed::BlockCard),
            help: on_desk.has(Deed::HelpHolder),
            limits: on_desk.has(Deed::SetLimits),
            script: on_desk.has(Deed::SendScript),
            unblock_pin: on_desk.has(Deed::UnblockPin),
            unlock: on_desk.has(Deed::UnlockCard),
        }
    }

    const fn anything(&self) -> bool {
        self.block || self.help || self.limits || self.script || self.unblock_pin || self.unlock
    }
}

impl Hold {
    fn of(hold: &HoldView, say: &Say) -> Hold {
        let cents = i64::try_from(hold.amount.saturating_add(hold.fee)).unwrap_or(i64::MAX);
        Hold {
            since: when(&hold.at, say.language()),
            until: when(&hold.expires_at, say.language()),
            amount: say.money(&cents),
            hold: hold.clone(),
        }
    }
}

impl Script {
    fn of(script: ScriptView, say: &Say) -> Script {
        let command = script.order.get("command").and_then(serde_json::Value::as_str);
        Script {
            command: command.unwrap_or_default().to_owned(),
            state: say.text(&format!("desk-script-{}", script.state)),
            script,
        }
    }
}

fn limits(control: &Control, card: &CardView, say: &Say) -> Vec<Limit> {
    let programme = control.programme_limits();
    let money = |cents: u64| say.money(&i64::try_from(cents).unwrap_or(i64::MAX));
    let most = |limit: Amount| {
        if limit.is_zero() { say.text("card-limits-none") } else { money(limit.minor()) }
    };
    let count = match programme.cash_count_day {
        0 => say.text("card-limits-none"),
        count => count.to_string(),
    };
    let own = card.limits;
    let limit = |name, own, programme| Limit { name, own, programme };
    vec![
        limit("card-limits-cash", own.cash_day.map(money), most(programme.cash_day)),
        limit("card-limits-count", own.cash_count_day.map(|count| count.to_string()), count),
        limit("card-limits-shops", own.pos_day.map(money), most(programme.pos_day)),
        limit("card-limits-online", own.online_day.map(money), most(programme.online_day)),
    ]
}

/// The card that an address names.
///
/// # Errors
/// [`Failed::NotFound`].
pub(super) fn named(portal: &Portal, token: &str) -> Result<CardId, Failed> {
    portal.durable().control().id(token).ok_or(Failed::NotFound)
}

const ENTRIES_SHOWN: usize = 25;
const HOLDS_SHOWN: usize = 20;
