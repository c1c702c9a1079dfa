//! The pages that begin a session and end it.

use askama::Template;
use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ceremonies::Ceremony;
use super::holder::HolderId;
use super::level::Level;
use super::local_path::LocalPath;
use super::passkeys::{self, Owner};
use super::posted::{FromUs, Posted};
use super::rekono::is_offered;
use super::session::SignedIn;
use super::sessions::{self, Face, Means, Proof};
use crate::Portal;
use crate::page::failed::Failed;
use crate::page::{Page, show as show_page};

/// Where to go on.
#[derive(Deserialize)]
pub(super) struct Next {
    pub(super) next: Option<String>,
}

/// What a page's form has when a device has answered.
#[derive(Deserialize)]
pub(super) struct Answer {
    #[serde(default)]
    pub(super) ceremony: String,
    #[serde(default)]
    pub(super) credential: String,
    pub(super) next: Option<String>,
    #[serde(default)]
    pub(super) label: String,
}

#[derive(Template)]
#[template(path = "identity/sign_in.html")]
struct SignIn {
    page: Page,
    next: LocalPath,
    fault: Option<&'static str>,
    rekono: bool,
}

/// `GET /sign-in`
pub(super) async fn show(
    State(portal): State<Portal>,
    page: Page,
    Query(query): Query<Next>,
) -> Response {
    let next = LocalPath::or_start(query.next.as_deref());
    if page.signed_in.is_some() {
        return lead(&next, None);
    }
    show_page(StatusCode::OK, &SignIn { page, next, fault: None, rekono: is_offered(&portal) })
}

/// `POST /sign-in/begin`
pub(super) async fn begin(State(portal): State<Portal>, _: FromUs) -> Result<Json<Value>, Failed> {
    let (options, state) = passkeys::ask_anyone(&portal)?;
    keep(&portal, Ceremony::SignIn(state), &options)
}

/// `POST /sign-in/finish`
pub(super) async fn finish(
    State(portal): State<Portal>,
    page: Page,
    headers: HeaderMap,
    Posted(answer): Posted<Answer>,
) -> Result<Response, Failed> {
    let next = LocalPath::or_start(answer.next.as_deref());
    let owner = match owner_of(&portal, Face::Holder, &answer).await {
        Ok(owner) => owner,
        Err(Failed::Unprocessable(fault)) => {
            let sign_in = SignIn { page, next, fault: Some(fault), rekono: is_offered(&portal) };
            return Ok(show_page(StatusCode::UNPROCESSABLE_ENTITY, &sign_in));
        }
        Err(failed) => return Err(failed),
    };
    let cookie = begin_session(&portal, &HolderId::of(owner.subject), &headers).await?;
    Ok(lead(&next, Some(cookie)))
}

/// Whose passkey answered the question of a sign-in.
///
/// # Errors
/// [`Failed::Unprocessable`] with what to say beside the button, when it came too late or is none
/// of this face's.
pub(super) async fn owner_of(
    portal: &Portal,
    face: Face,
    answer: &Answer,
) -> Result<Owner, Failed> {
    let now_ms = portal.durable().now().unix_ms;
    let ceremony = portal.identity().ceremonies().take(&answer.ceremony, now_ms);
    let Some(Ceremony::SignIn(state)) = ceremony else {
        return Err(Failed::Unprocessable("identity-too-late"));
    };
    passkeys::check_anyone(portal, face, &answer.credential, *state).await
}

/// `POST /sign-out`
pub(super) async fn out(
    State(portal): State<Portal>,
    who: SignedIn,
    _: FromUsOrForm,
) -> Result<Response, Failed> {
    sessions::end(&portal, who.session()).await?;
    let cookie = sessions::forget_cookie(Face::Holder, &portal.settings().public_url)?;
    Ok(lead(&LocalPath::or_start(Some("/")), Some(cookie)))
}

/// `POST /sign-out/everywhere`
pub(super) async fn out_everywhere(
    State(portal): State<Portal>,
    who: SignedIn,
    _: FromUsOrForm,
) -> Result<Response, Failed> {
    sessions::end_all(&portal, &who.holder).await?;
    let cookie = sessions::forget_cookie(Face::Holder, &portal.settings().public_url)?;
    Ok(lead(&LocalPath::or_start(Some("/")), Some(cookie)))
}

/// A form that has nothing but its token.
pub(super) type FromUsOrForm = Posted<Nothing>;

/// No field of its own.
#[derive(Deserialize)]
pub(super) struct Nothing {}

/// Begins a holder's session after their passkey was right.
pub(super) async fn begin_session(
    portal: &Portal,
    holder: &HolderId,
    headers: &HeaderMap,
) -> Result<HeaderValue, Failed> {
    let proven_at = portal.durable().now().unix_ms;
    let proof = Proof { level: Level::High, proven_at, means: Means::Passkey };
    sessions::begin(portal, Face::Holder, holder.as_str(), proof, headers).await
}

/// Keeps a ceremony, and tells the page its name and what to ask the device.
pub(super) fn keep(
    portal: &Portal,
    ceremony: Ceremony,
    options: &Value,
) -> Result<Json<Value>, Failed> {
    let now_ms = portal.durable().now().unix_ms;
    let name = portal.identity().ceremonies().keep(ceremony, now_ms)?;
    let public_key = options.get("publicKey").cloned().unwrap_or_default();
    Ok(Json(json!({"ceremony": name, "publicKey": public_key})))
}

/// To a page of ours, perhaps with another session.
pub(super) fn lead(next: &LocalPath, cookie: Option<HeaderValue>) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    if let Ok(place) = HeaderValue::from_str(next.as_str()) {
        headers.insert(header::LOCATION, place);
    }
    if let Some(cookie) = cookie {
        headers.insert(header::SET_COOKIE, cookie);
    }
    response
}
