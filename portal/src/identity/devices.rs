//! Somebody's devices, sessions and cards: seen, added, renamed, removed.

use askama::Template;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::Value;

use super::audit::Change;
use super::ceremonies::Ceremony;
use super::codes;
use super::level::Action;
use super::local_path::LocalPath;
use super::passkeys::{self, Device, LABEL_CHARS_MAX, Owner};
use super::posted::{FromUs, Posted};
use super::register::{Faults, Typed, agent};
use super::session::SignedIn;
use super::sessions::{self, Face, Listed};
use super::sign_in::{Answer, FromUsOrForm, keep, lead};
use crate::Portal;
use crate::card::history;
use crate::page::failed::Failed;
use crate::page::{Page, show as show_page};

#[derive(Template)]
#[template(path = "identity/devices.html")]
struct Devices {
    page: Page,
    devices: Vec<Device>,
    sessions: Vec<Listed>,
    this: String,
    label: String,
    label_chars_max: usize,
}

impl Devices {
    /// A moment as the reader's calendar has it.
    fn when(&self, unix_ms: &i64) -> String {
        history::when_ms(*unix_ms, self.page.say.language())
    }

    fn named(&self, session: &Listed) -> String {
        passkeys::label("", &session.agent)
    }
}

#[derive(Template)]
#[template(path = "identity/add_card.html")]
struct AddCard {
    page: Page,
    typed: Typed,
    faults: Faults,
    published: Option<&'static str>,
}

/// `GET /devices`
pub(super) async fn show(
    State(portal): State<Portal>,
    who: SignedIn,
    page: Page,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let devices = passkeys::devices(&portal, &Owner::holder(&who.holder)).await?;
    let sessions = sessions::list(&portal, &who.holder).await?;
    let label = passkeys::label("", &agent(&headers));
    let this = who.session().to_owned();
    let label_chars_max = LABEL_CHARS_MAX;
    let shown = Devices { page, devices, sessions, this, label, label_chars_max };
    Ok(show_page(StatusCode::OK, &shown))
}

/// `POST /devices/begin`
pub(super) async fn begin(
    State(portal): State<Portal>,
    who: SignedIn,
    _: FromUs,
) -> Result<Json<Value>, Failed> {
    who.may(Action::LinkDevice, portal.durable().now().unix_ms)?;
    let owner = Owner::holder(&who.holder);
    let (options, state) = passkeys::ask_new(&portal, &owner, "CeKR").await?;
    keep(&portal, Ceremony::Add(owner, state), &options)
}

/// `POST /devices/finish`
pub(super) async fn finish(
    State(portal): State<Portal>,
    who: SignedIn,
    headers: HeaderMap,
    Posted(answer): Posted<Answer>,
) -> Result<Response, Failed> {
    let now_ms = portal.durable().now().unix_ms;
    who.may(Action::LinkDevice, now_ms)?;
    let (owner, state) = match portal.identity().ceremonies().take(&answer.ceremony, now_ms) {
        Some(Ceremony::Add(owner, state)) if owner == Owner::holder(&who.holder) => (owner, state),
        Some(_) | None => return Err(Failed::Unprocessable("identity-too-late")),
    };
    let passkey = passkeys::check_new(&portal, &answer.credential, &state)?;
    let label = passkeys::label(&answer.label, &agent(&headers));
    let mut change = Change::begin(&portal).await?;
    passkeys::keep(&mut change, &owner, &passkey, &label, now_ms).await?;
    change.commit().await?;
    Ok(back())
}

/// `POST /devices/{id}/rename`
pub(super) async fn rename(
    State(portal): State<Portal>,
    who: SignedIn,
    Path(id): Path<String>,
    headers: HeaderMap,
    Posted(answer): Posted<Answer>,
) -> Result<Response, Failed> {
    let label = passkeys::label(&answer.label, &agent(&headers));
    passkeys::rename(&portal, &Owner::holder(&who.holder), &id, &label).await?;
    Ok(back())
}

/// `POST /devices/{id}/remove`
pub(super) async fn remove(
    State(portal): State<Portal>,
    who: SignedIn,
    Path(id): Path<String>,
    _: FromUsOrForm,
) -> Result<Response, Failed> {
    who.may(Action::LinkDevice, portal.durable().now().unix_ms)?;
    passkeys::remove(&portal, &Owner::holder(&who.holder), &id).await?;
    Ok(back())
}

/// `POST /sessions/{id}/end`
pub(super) async fn end_session(
    State(portal): State<Portal>,
    who: SignedIn,
    Path(id): Path<String>,
    _: FromUsOrForm,
) -> Result<Response, Failed> {
    sessions::end_of(&portal, &who.holder, &id).await?;
    let is_own = id == who.session();
    let forget = || sessions::forget_cookie(Face::Holder, &portal.settings().public_url);
    let cookie = if is_own { Some(forget()?) } else { None };
    Ok(lead(&LocalPath::or_start(Some("/devices")), cookie))
}

/// `GET /devices/card`
pub(super) async fn show_card(
    State(portal): State<Portal>,
    who: SignedIn,
    page: Page,
) -> Result<Response, Failed> {
    who.may(Action::LinkDevice, portal.durable().now().unix_ms)?;
    let published = portal.settings().sandbox.then_some(codes::PUBLISHED);
    let (typed, faults) = (Typed::default(), Faults::default());
    Ok(show_page(StatusCode::OK, &AddCard { page, typed, faults, published }))
}

/// `POST /devices/card`
pub(super) async fn add_card(
    State(portal): State<Portal>,
    who: SignedIn,
    page: Page,
    Posted(typed): Posted<Typed>,
) -> Result<Response, Failed> {
    let now_ms = portal.durable().now().unix_ms;
    who.may(Action::LinkDevice, now_ms)?;
    let enrolment = match typed.judged(&portal, Some(&who)).await? {
        Ok(enrolment) => enrolment,
        Err(faults) => {
            let published = portal.settings().sandbox.then_some(codes::PUBLISHED);
            let add = AddCard { page, typed, faults, published };
            return Ok(show_page(faults.status(), &add));
        }
    };
    let mut change = Change::begin(&portal).await?;
    enrolment.code.use_up(&mut change, now_ms).await?;
    codes::bind_card(&mut change, &enrolment, &who.holder, now_ms).await?;
    change.commit().await?;
    Ok(lead(&LocalPath::or_start(None), None))
}

fn back() -> Response {
    lead(&LocalPath::or_start(Some("/devices")), None)
}
