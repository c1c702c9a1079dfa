//! The settings that the process was started with, and what was otherwise at the starts before.
//!
//! Settings are a file and an environment, read once at the start: none is changed here, and none
//! can be while the process runs. Who may change the file, and that two people look at it, is for
//! whoever keeps it; here it is seen that it was changed, and when that took effect.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::Nav;
use super::role::Deed;
use super::story::moment;
use crate::Portal;
use crate::identity::{OnDesk, secret};
use crate::page::failed::Failed;
use crate::page::{Page, show};

#[derive(Template)]
#[template(path = "desk/settings.html")]
struct Shown {
    page: Page,
    nav: Nav,
    settings: Vec<Setting>,
    starts: Vec<Start>,
}

/// A setting as the process has it.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Setting {
    name: String,
    value: String,
    about: String,
}

/// A start, and what was otherwise at the one before.
struct Start {
    when: String,
    version: String,
    /// The first sixteen digits: enough to tell two apart by eye.
    hash: String,
    changes: Vec<Change>,
    is_first: bool,
}

/// A setting that was otherwise before.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Change {
    name: String,
    before: String,
    after: String,
}

/// Writes down with which settings the process was started.
///
/// # Errors
/// The database's.
pub(crate) async fn write_down(portal: &Portal) -> Result<(), sqlx::Error> {
    let settings = portal.durable().process().settings();
    let hash = secret::hex(&Sha256::digest(settings.as_bytes()));
    let mut transaction = portal.database().pool().begin().await?;
    // The oldest go first: a transaction that begins with a write is not refused later.
    let old = "DELETE FROM desk_start WHERE number <= (SELECT MAX(number) FROM desk_start) - $1";
    sqlx::query(old).bind(STARTS_KEPT - 1).execute(&mut *transaction).await?;
    let insert = "INSERT INTO desk_start (number, started_at, version, hash, settings) \
         SELECT COALESCE(MAX(number), 0) + 1, $1, $2, $3, $4 FROM desk_start";
    sqlx::query(insert)
        .bind(portal.durable().now().unix_ms.cast_signed())
        .bind(env!("CARGO_PKG_VERSION"))
        .bind(hash)
        .bind(settings)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

/// `GET /desk/settings`
///
/// # Errors
/// [`Failed`].
pub(super) async fn look(
    State(portal): State<Portal>,
    on_desk: OnDesk,
    page: Page,
) -> Result<Response, Failed> {
    on_desk.may(Deed::SeeSettings, portal.durable().now().unix_ms)?;
    type Row = (i64, i64, String, String, String);
    let read = "SELECT number, started_at, version, hash, settings FROM desk_start \
                ORDER BY number DESC LIMIT $1";
    let read = sqlx::query_as(read).bind(STARTS_SHOWN + 1);
    let rows: Vec<Row> = read.fetch_all(portal.database().pool()).await?;
    let before = rows.iter().skip(1).map(|row| Some(row.4.as_str())).chain([None]);
    let starts = rows.iter().zip(before).take(STARTS_SHOWN as usize);
    let starts = starts.map(|((_, at, version, hash, settings), before)| Start {
        when: moment(*at, &page.say),
        version: version.clone(),
        hash: hash.chars().take(HASH_SHOWN).collect(),
        changes: before.map(|before| changes(before, settings)).unwrap_or_default(),
        is_first: before.is_none(),
    });
    let starts = starts.collect();
    let settings = settings(portal.durable().process().settings());
    let nav = Nav::of(&on_desk, &page.say);
    Ok(show(StatusCode::OK, &Shown { page, nav, settings, starts }))
}

/// The settings of a text that has one as JSON in each line.
fn settings(text: &str) -> Vec<Setting> {
    let each = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let setting = |line: Value| {
        let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default();
        let value = line.get("default").cloned().unwrap_or_default();
        Setting {
            name: format!("{}.{}", text("section"), text("key")),
            value: value.as_str().map_or_else(|| value.to_string(), str::to_owned),
            about: text("about").to_owned(),
        }
    };
    each.map(setting).collect()
}

/// What stands otherwise in `after` than in `before`, by name.
fn changes(before: &str, after: &str) -> Vec<Change> {
    // A setting of several listeners comes once for each of them.
    let collected = |text: &str| {
        let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for setting in settings(text) {
            all.entry(setting.name).or_default().push(setting.value);
        }
        all
    };
    let (before, after) = (collected(before), collected(after));
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let value = |all: &BTreeMap<String, Vec<String>>, name: &String| {
        all.get(name).map(|values| values.join(", ")).unwrap_or_default()
    };
    let change = |name: &String| Change {
        name: name.clone(),
        before: value(&before, name),
        after: value(&after, name),
    };
    names.into_iter().map(change).filter(|change| change.before != change.after).collect()
}

const STARTS_KEPT: i64 = 1_000;
const STARTS_SHOWN: i64 = 20;
const HASH_SHOWN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_otherwise_between_two_starts_is_told_by_its_name() {
        let line = |key: &str, value: &str| {
            format!(
                "{{\"section\":\"limits\",\"key\":\"{key}\",\"default\":{value},\"about\":\"x\"}}\n"
            )
        };
        let before = line("cash_day", "100000") + &line("pos_day", "5");
        let after = line("cash_day", "50000") + &line("pos_day", "5") + &line("new", "\"a\"");
        let wanted = |name: &str, before: &str, after: &str| Change {
            name: name.to_owned(),
            before: before.to_owned(),
            after: after.to_owned(),
        };
        assert_eq!(
            changes(&before, &after),
            [wanted("limits.cash_day", "100000", "50000"), wanted("limits.new", "", "a")]
        );
        assert_eq!(changes(&after, &after), []);
    }
}
