//! A card's points as the page shows them: how many, how they came, how far to the next tier.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use cekr_issuer::{CardId, Seq};
use cekr_switch::control::{ControlError, PointsHistory, PointsLine, PointsView};
use fluent_bundle::FluentArgs;
use serde::Deserialize;

use crate::Portal;
use crate::card::history::when;
use crate::card::shown::Shown;
use crate::identity::{SignedIn, held_card};
use crate::page::failed::Failed;
use crate::page::texts::{Language, Say};
use crate::page::{Page, show};

/// The points of a card.
pub struct Points {
    /// Whether there is anything to show: a programme, or points of one that was.
    pub is_shown: bool,
    /// Points in words.
    pub count: String,
    /// What is pending, in words; `None` for nothing.
    pub pending: Option<String>,
    /// What expires next, in words.
    pub expiring: Option<String>,
    /// The tier's name.
    pub tier: String,
    /// What is missing to the next one.
    pub next: Option<Next>,
}

/// The way to the next tier.
pub struct Next {
    /// What is missing, in words.
    pub missing: String,
    /// Points of twelve months.
    pub have: u64,
    /// Points at which it begins.
    pub need: u64,
}

/// A change of points.
pub struct Change {
    /// The entry's number.
    pub seq: u64,
    /// What happened.
    pub what: String,
    /// Points, with sign.
    pub points: String,
    /// Until when they are good.
    pub detail: Option<String>,
    /// When, as people say it.
    pub when: String,
    /// When, as programs do.
    pub at: String,
    /// `in` or `out`: how it is drawn.
    pub class: &'static str,
}

/// The points of a card that its holder was found to hold, durable.
///
/// # Errors
/// [`Failed`].
pub async fn read(portal: &Portal, id: CardId) -> Result<PointsView, Failed> {
    let durable = portal.durable();
    Ok(durable.told(durable.control().points(id, durable.now())).await?)
}

/// The same for the page.
///
/// # Errors
/// [`Failed`].
pub async fn shown(portal: &Portal, say: &Say, id: CardId) -> Result<Points, Failed> {
    let view = read(portal, id).await?;
    let next = view.next_tier.zip(view.next_tier_at).map(|(tier, need)| {
        let mut places = FluentArgs::new();
        places.set("count", need.saturating_sub(view.points_of_year));
        places.set("tier", tier);
        let missing = say.filled("kranj-next", &places);
        Next { missing, have: view.points_of_year, need }
    });
    let expiring = view.expiring.map(|expiring| {
        let mut places = FluentArgs::new();
        places.set("count", expiring.points);
        places.set("day", day(&expiring.on, say.language()));
        say.filled("kranj-expiring", &places)
    });
    Ok(Points {
        is_shown: view.enabled || view.points > 0,
        count: say.with("kranj-count", "count", view.points),
        pending: (view.pending > 0).then(|| say.with("kranj-pending", "count", view.pending)),
        expiring,
        tier: say.text(&format!("kranj-tier-{}", view.tier)),
        next,
    })
}

/// How the points of a card changed, from the newest or from before `before`, durable; and where to
/// go on.
///
/// # Errors
/// [`Failed`]; an entry that is not this card's is not found.
pub async fn read_history(
    portal: &Portal,
    id: CardId,
    before: Option<Seq>,
    limit: usize,
) -> Result<PointsHistory, Failed> {
    let (history, newest) = portal.durable().control().points_history(id, before, limit)?;
    let waited = portal.durable().wait(newest).await;
    waited.map_err(|_| Failed::from(ControlError::JournalFailed))?;
    Ok(history)
}

/// The same for the page.
///
/// # Errors
/// [`Failed`].
pub async fn changes(
    portal: &Portal,
    say: &Say,
    id: CardId,
    before: Option<Seq>,
    limit: usize,
) -> Result<(Vec<Change>, Option<Seq>), Failed> {
    let PointsHistory { items, next } = read_history(portal, id, before, limit).await?;
    Ok((items.iter().map(|line| change(say, line)).collect(), next))
}

fn change(say: &Say, line: &PointsLine) -> Change {
    let what = match (line.kind, line.name.as_deref().or(line.merchant.as_deref())) {
        ("earned", Some(name)) => say.with("kranj-earned-at", "name", name),
        ("earned", None) => say.text("kranj-earned"),
        ("taken_back", _) => say.text("kranj-taken-back"),
        _ => say.text("kranj-expired"),
    };
    let detail = line
        .expires_on
        .as_deref()
        .map(|on| say.with("kranj-good-until", "day", day(on, say.language())));
    let sign = if line.points < 0 { '−' } else { '+' };
    Change {
        seq: line.seq,
        what,
        points: format!("{sign}{}", line.points.unsigned_abs()),
        detail,
        when: when(&line.at, say.language()),
        at: line.at.clone(),
        class: if line.points < 0 { "out" } else { "in" },
    }
}

/// A day such as `2026-11-22` as people say it.
pub(super) fn day(text: &str, language: Language) -> String {
    let format = match language {
        Language::English => "%-d %b %Y",
        Language::Slovene => "%-d. %-m. %Y",
    };
    let day: Result<jiff::civil::Date, _> = text.parse();
    day.map_or_else(|_| text.to_owned(), |day| day.strftime(format).to_string())
}

#[derive(Template)]
#[template(path = "kranj/points.html")]
struct WholeHistory {
    page: Page,
    card: Shown,
    changes: Vec<Change>,
    older: Option<u64>,
}

/// Where to go on.
#[derive(Deserialize)]
pub struct After {
    starting_after: Option<u64>,
}

/// `GET /kranj/{id}/points?starting_after=`
///
/// # Errors
/// [`Failed`].
pub async fn history(
    State(portal): State<Portal>,
    who: SignedIn,
    page: Page,
    Path(id): Path<String>,
    Query(after): Query<After>,
) -> Result<Response, Failed> {
    let id = held_card(&portal, &who, &id).await?;
    let card = crate::card::shown(&portal, &page, id).await?;
    let before = after.starting_after.map(Seq);
    let (changes, next) = changes(&portal, &page.say, id, before, CHANGES_ON_HISTORY).await?;
    let older = next.map(|seq| seq.0);
    Ok(show(StatusCode::OK, &WholeHistory { page, card, changes, older }))
}

const CHANGES_ON_HISTORY: usize = 25;
