//! What clearing did, by file and outcome, and how much of it waits for a person.
//!
//! The rows are folded from the journal ([`follow`]); the receivable of chargebacks is the books'.

pub(super) mod follow;
pub(super) mod parked;
mod store;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use cekr_issuer::books::Account;

use super::Nav;
use super::role::Deed;
use crate::Portal;
use crate::card::history::when;
use crate::identity::OnDesk;
use crate::page::failed::Failed;
use crate::page::{Page, show};

#[derive(Template)]
#[template(path = "desk/clearing.html")]
struct Clearing {
    page: Page,
    nav: Nav,
    outcomes: Vec<Outcome>,
    files: Vec<Outcome>,
    waiting: i64,
    disputes: i64,
    chargebacks: String,
    /// Loads by card that were charged back: name, MOK ID, amount.
    card_loads: Vec<(String, String, String)>,
}

/// Lines of one outcome.
struct Outcome {
    file: String,
    outcome: String,
    lines: i64,
    change: String,
    fee_change: String,
    parked: String,
    when: String,
}

type Row = (String, String, i64, i64, i64, i64, String);

/// `GET /desk/clearing`
///
/// # Errors
/// [`Failed`].
pub(super) async fn report(
    State(portal): State<Portal>,
    on_desk: OnDesk,
    page: Page,
) -> Result<Response, Failed> {
    on_desk.may(Deed::SeeClearing, portal.durable().now().unix_ms)?;
    follow::catch_up(&portal).await?;
    let pool = portal.database().pool();
    let all = "SELECT '', outcome, CAST(SUM(lines) AS BIGINT), CAST(SUM(change) AS BIGINT), \
         CAST(SUM(fee_change) AS BIGINT), CAST(SUM(parked) AS BIGINT), MAX(newest_at) \
         FROM desk_clearing GROUP BY outcome ORDER BY outcome";
    let all: Vec<Row> = sqlx::query_as(all).fetch_all(pool).await?;
    let files = "SELECT file, outcome, lines, change, fee_change, parked, newest_at \
         FROM desk_clearing ORDER BY newest_at DESC, file, outcome LIMIT $1";
    let files: Vec<Row> = sqlx::query_as(files).bind(FILES_SHOWN).fetch_all(pool).await?;
    let loads = "SELECT id, amount, mok_id FROM card_load WHERE state = 'CHARGED_BACK' \
         ORDER BY changed_at DESC, id LIMIT $1";
    let loads: Vec<(String, i64, String)> =
        sqlx::query_as(loads).bind(FILES_SHOWN).fetch_all(pool).await?;
    let (waiting, disputes) = store::waiting(&portal).await?;
    let (books, seq) = portal.durable().control().shard().books();
    portal.durable().wait(seq).await.map_err(|_| Failed::TryLater)?;
    let receivable = i64::try_from(books.total(Account::ChargebackReceivable)).unwrap_or(i64::MAX);
    let outcome = |(file, outcome, lines, change, fee_change, parked, at): Row| Outcome {
        file,
        outcome: page.say.text(&format!("desk-line-{}", outcome.replace('_', "-"))),
        lines,
        change: page.say.money(&change),
        fee_change: page.say.money(&fee_change),
        parked: page.say.money(&parked),
        when: when(&at, page.say.language()),
    };
    let clearing = Clearing {
        nav: Nav::of(&on_desk, &page.say),
        outcomes: all.into_iter().map(outcome).collect(),
        files: files.into_iter().map(outcome).collect(),
        waiting,
        disputes,
        chargebacks: page.say.money(&-receivable),
        card_loads: loads
            .into_iter()
            .map(|(id, amount, mok_id)| (id, mok_id, page.say.money(&amount)))
            .collect(),
        page,
    };
    Ok(show(StatusCode::OK, &clearing))
}

const FILES_SHOWN: i64 = 60;
