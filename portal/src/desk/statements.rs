//! Bank statements at the desk: a file is sent by somebody, and every line of it is told.
//!
//! What is done with a file is [`crate::statements::import`]'s. A file of a form is held in memory
//! while it is read; larger ones go through `POST /v1/statements`, which reads them as they come.

use askama::Template;
use axum::body::Bytes;
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::Nav;
use super::audit::names;
use super::noted::{Noted, note};
use super::role::Deed;
use super::story::moment;
use crate::Portal;
use crate::identity::OnDesk;
use crate::identity::posted::{check, csrf_of};
use crate::page::failed::Failed;
use crate::page::{Page, show};
use crate::statements::import::{self, ImportFailed, LineReport, Outcome, Report};
use crate::statements::suspense::Actor;
use crate::statements::upload::Received;

/// A file from a page of ours: its form's first field is the session's token.
pub(super) struct PostedFile {
    name: String,
    octets: Bytes,
}

impl FromRequest<Portal> for PostedFile {
    type Rejection = Response;

    async fn from_request(request: Request, portal: &Portal) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let refuse = |failed: Failed| failed.into_response();
        let csrf = csrf_of(&mut parts, portal).await.map_err(refuse)?;
        let request = Request::from_parts(parts.clone(), body);
        let form = Multipart::from_request(request, portal).await;
        let mut form = form.map_err(|_| refuse(Failed::Unprocessable("failed-form")))?;
        let broken = |_| refuse(Failed::Unprocessable("desk-file-too-large"));
        let mut sent = None;
        while let Some(field) = form.next_field().await.map_err(broken)? {
            match field.name() {
                Some("csrf") => sent = Some(field.text().await.map_err(broken)?),
                Some("file") => {
                    // The token stands before the file: nobody else's file is read at all.
                    check(&parts, portal, csrf.as_ref(), sent.as_deref()).map_err(refuse)?;
                    let name = field.file_name().unwrap_or_default();
                    let name = name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX);
                    let name: String = name.collect();
                    let octets = field.bytes().await.map_err(broken)?;
                    return Ok(PostedFile { name, octets });
                }
                Some(_) | None => {}
            }
        }
        check(&parts, portal, csrf.as_ref(), sent.as_deref()).map_err(refuse)?;
        Err(refuse(Failed::Unprocessable("desk-file-missing")))
    }
}

#[derive(Template)]
#[template(path = "desk/statements.html")]
struct Statements {
    page: Page,
    nav: Nav,
    may_import: bool,
    files: Vec<File>,
    fault: Option<String>,
    report: Option<Told>,
}

/// A file that was read.
struct File {
    name: String,
    who: String,
    when: String,
    is_finished: bool,
    lines: i64,
}

/// What became of a file, in words.
struct Told {
    report: Report,
    outcomes: Vec<(String, u64, String)>,
    lines: Vec<Line>,
    /// Whether more lines are in the report than are shown.
    is_cut: bool,
}

struct Line {
    line: LineReport,
    amount: String,
    outcome: String,
}

/// `GET /desk/statements`
///
/// # Errors
/// [`Failed`].
pub(super) async fn ask(
    State(portal): State<Portal>,
    on_desk: OnDesk,
    page: Page,
) -> Result<Response, Failed> {
    on_desk.may(Deed::SeeSuspense, portal.durable().now().unix_ms)?;
    page_of(&portal, &on_desk, page, None, None, StatusCode::OK).await
}

/// `POST /desk/statements`
///
/// # Errors
/// [`Failed`]; asks for a fresh proof.
pub(super) async fn import(
    State(portal): State<Portal>,
    on_desk: OnDesk,
    page: Page,
    PostedFile { name, octets }: PostedFile,
) -> Result<Response, Failed> {
    on_desk.may(Deed::ImportStatements, portal.durable().now().unix_ms)?;
    let _room = portal.desk().room().ok_or(Failed::TryLater)?;
    let name = if name.is_empty() { "statement.xml".to_owned() } else { name };
    let reading = tokio::task::spawn_blocking(move || Received::read(name, &*octets));
    let received = match reading.await.map_err(|_| Failed::Internal)? {
        Ok(received) => received,
        Err(unreadable) => {
            let (fault, status) = (Some(unreadable.to_string()), StatusCode::UNPROCESSABLE_ENTITY);
            return page_of(&portal, &on_desk, page, fault, None, status).await;
        }
    };
    let after = received.name.clone();
    let noted = Noted { what: "statement_import", about: received.id(), before: "", after: &after };
    note(&portal, &on_desk.operator, noted).await?;
    let actor = Actor::person(&on_desk.operator);
    let report = import::import(&portal, &received, actor.name()).await.map_err(failed)?;
    page_of(&portal, &on_desk, page, None, Some(report), StatusCode::OK).await
}

async fn page_of(
    portal: &Portal,
    on_desk: &OnDesk,
    page: Page,
    fault: Option<String>,
    report: Option<Report>,
    status: StatusCode,
) -> Result<Response, Failed> {
    let names = names(portal).await?;
    type Row = (String, String, i64, i64, i64);
    let read = "SELECT file.name, file.sent_by, file.received_at, file.finished_at, \
         (SELECT COUNT(*) FROM statement_line line WHERE line.file = file.id) \
         FROM statement_file file ORDER BY file.received_at DESC, file.id LIMIT $1";
    let read = sqlx::query_as(read).bind(FILES_SHOWN);
    let rows: Vec<Row> = read.fetch_all(portal.database().pool()).await?;
    let who = |actor: String| {
        let id = actor.strip_prefix("person:").unwrap_or(&actor);
        names.get(id).cloned().unwrap_or_else(|| page.say.text("desk-audit-token"))
    };
    let files = rows.into_iter().map(|(name, sent_by, at, finished, lines)| File {
        name,
        who: who(sent_by),
        when: moment(at, &page.say),
        is_finished: finished > 0,
        lines,
    });
    let files = files.collect();
    let report = report.map(|report| Told::of(report, &page));
    let nav = Nav::of(on_desk, &page.say);
    let may_import = on_desk.has(Deed::ImportStatements);
    Ok(show(status, &Statements { page, nav, may_import, files, fault, report }))
}

impl Told {
    fn of(mut report: Report, page: &Page) -> Told {
        let cents = |cents: u64| page.say.money(&i64::try_from(cents).unwrap_or(i64::MAX));
        let outcomes = report.totals.by_outcome.iter();
        let outcomes = outcomes
            .map(|(outcome, total)| {
                (page.say.text(text_of(*outcome)), total.count, cents(total.amount))
            })
            .collect();
        let is_cut = report.lines.len() > LINES_SHOWN;
        let lines = std::mem::take(&mut report.lines);
        let lines = lines.into_iter().take(LINES_SHOWN).map(|line| Line {
            amount: cents(line.amount),
            outcome: page.say.text(text_of(line.outcome)),
            line,
        });
        Told { lines: lines.collect(), outcomes, is_cut, report }
    }
}

const fn text_of(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Conflict => "desk-outcome-conflict",
        Outcome::Ignored => "desk-outcome-ignored",
        Outcome::Posted => "desk-outcome-posted",
        Outcome::Returned => "desk-outcome-returned",
        Outcome::Reversed => "desk-outcome-reversed",
        Outcome::Suspense => "desk-outcome-suspense",
    }
}

fn failed(why: ImportFailed) -> Failed {
    match why {
        ImportFailed::Control(refused) => refused.into(),
        ImportFailed::Database(error) => error.into(),
    }
}

/// What a form may bring; larger files go through the API.
pub(super) const FORM_OCTETS_MAX: usize = 16 << 20;
const NAME_CHARS_MAX: usize = 120;
const FILES_SHOWN: i64 = 20;
/// More lines than anybody reads on one page; the API's report has all of them.
const LINES_SHOWN: usize = 2_000;
