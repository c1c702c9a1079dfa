//! What was changed by whom: about one card, or all of it from the newest.
//!
//! The lines are the audit's own ([`crate::identity::audit`]); whether their chain holds is worked
//! out for the page that is shown.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;

use super::Nav;
use super::role::Deed;
use super::story::moment;
use crate::Portal;
use crate::identity::OnDesk;
use crate::identity::audit::{self, TOKEN};
use crate::page::failed::Failed;
use crate::page::texts::Say;
use crate::page::{Page, show};

/// A line of the audit in words.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) number: i64,
    pub(super) when: String,
    pub(super) who: String,
    pub(super) what: String,
    pub(super) about: String,
    pub(super) before: String,
    pub(super) after: String,
}

type Row = (i64, i64, String, String, String, String, String);

/// The newest lines about any of `subjects`; an empty subject is nobody.
///
/// # Errors
/// [`Failed`] if the database does not answer.
pub(super) async fn about(
    portal: &Portal,
    say: &Say,
    subjects: &[&str; 2],
) -> Result<Vec<Told>, Failed> {
    let [one, other] = *subjects;
    let read = "SELECT number, made_at, who, what, about, was, became FROM audit \
                WHERE about <> '' AND (about = $1 OR about = $2) ORDER BY number DESC LIMIT $3";
    let read = sqlx::query_as(read).bind(one).bind(other).bind(LINES_ABOUT);
    let rows: Vec<Row> = read.fetch_all(portal.database().pool()).await?;
    let names = names(portal).await?;
    Ok(rows.into_iter().map(|row| told(row, &names, say)).collect())
}

#[derive(Template)]
#[template(path = "desk/audit.html")]
struct Audit {
    page: Page,
    nav: Nav,
    told: Vec<Told>,
    is_whole: bool,
    older: Option<i64>,
}

/// Which page of the lines.
#[derive(Deserialize)]
pub(super) struct Before {
    before: Option<i64>,
}

/// `GET /desk/audit?before=NUMBER`
///
/// # Errors
/// [`Failed`].
pub(super) async fn list(
    State(portal): State<Portal>,
    on_desk: OnDesk,
    page: Page,
    Query(before): Query<Before>,
) -> Result<Response, Failed> {
    on_desk.may(Deed::SeeAudit, portal.durable().now().unix_ms)?;
    let newest = sqlx::query_scalar("SELECT COALESCE(MAX(number), 0) FROM audit");
    let newest: i64 = newest.fetch_one(portal.database().pool()).await?;
    let end = before.before.map_or(newest, |before| before.saturating_sub(1)).clamp(0, newest);
    let first = (end - LINES_SHOWN).max(0);
    let (lines, is_whole) = audit::read(&portal, first, end - first).await?;
    let names = names(&portal).await?;
    let row = |line: audit::Written| {
        (line.number, line.at, line.who, line.what, line.about, line.before, line.after)
    };
    let told = lines.into_iter().rev().map(|line| told(row(line), &names, &page.say)).collect();
    let nav = Nav::of(&on_desk, &page.say);
    let older = (first > 0).then_some(first + 1);
    Ok(show(StatusCode::OK, &Audit { page, nav, told, is_whole, older }))
}

/// What operators are called, by their ids.
pub(super) async fn names(portal: &Portal) -> Result<HashMap<String, String>, Failed> {
    let read = sqlx::query_as("SELECT id, name FROM operator");
    let rows: Vec<(String, String)> = read.fetch_all(portal.database().pool()).await?;
    Ok(rows.into_iter().collect())
}

fn told(row: Row, names: &HashMap<String, String>, say: &Say) -> Told {
    let (number, at, who, what, about, before, after) = row;
    let who = match names.get(&who) {
        Some(name) => name.clone(),
        None if who == TOKEN => say.text("desk-audit-token"),
        None => say.with("desk-audit-holder", "id", who),
    };
    let key = format!("desk-audit-{}", what.replace('_', "-"));
    let what = say.maybe(&key).unwrap_or(what);
    Told { number, when: moment(at, say), who, what, about, before, after }
}

const LINES_ABOUT: i64 = 20;
const LINES_SHOWN: i64 = 50;
