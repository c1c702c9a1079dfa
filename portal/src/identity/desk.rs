//! Operators as people: who they are, what their roles are, and how they come in.
//!
//! The operator's token makes an operator and their one-time code; with it they register a passkey,
//! and sign in with that from then on. Their sessions are apart from holders'.

use askama::Template;
use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::audit::{self, Change, Line};
use super::ceremonies::Ceremony;
use super::codes::{self, Code, For, Right};
use super::level::{Asker, FRESH_MS, Level, StepUp};
use super::local_path::LocalPath;
use super::passkeys::{self, Owner};
use super::posted::{FromUs, Posted};
use super::register::agent;
use super::session::{Csrf, asker};
use super::sessions::{self, Face, Means, Proof, Touch, at};
use super::sign_in::{Answer, FromUsOrForm, keep, lead, owner_of};
use crate::Portal;
use crate::desk::role::{Deed, Kind, Role};
use crate::page::failed::Failed;
use crate::page::{Page, show as show_page};

/// An operator who is signed in at a desk. As an extractor it leads to the sign-in and back.
#[derive(Clone, Debug)]
pub struct OnDesk {
    /// Their id, for good.
    pub operator: String,
    /// What they are called.
    pub name: String,
    /// What they are there for.
    pub roles: Vec<Role>,
    /// When they proved who they are, in milliseconds since 1970.
    pub proven_at: u64,
    /// The page to go on with after a new proof.
    pub back: LocalPath,
    asker: Asker,
    session: String,
}

/// An operator whose request is no activity: what a page asks for by itself.
#[derive(Clone, Debug)]
pub struct WatchingDesk(pub OnDesk);

impl OnDesk {
    /// Whether one of their roles may do this, and who they are was proven as freshly as it asks.
    ///
    /// # Errors
    /// [`Failed::Role`], and [`Failed::StepUp`] which leads to the sign-in and back.
    pub fn may(&self, deed: Deed, now_ms: u64) -> Result<(), Failed> {
        if !self.has(deed) {
            return Err(Failed::Role(deed));
        }
        let is_old = now_ms.saturating_sub(self.proven_at) > FRESH_MS;
        if deed.kind() == Kind::ChangesWithProof && is_old {
            let (next, asker) = (self.back.clone(), self.asker);
            return Err(Failed::StepUp(StepUp { next, asker, door: SIGN_IN }));
        }
        Ok(())
    }

    /// Whether one of their roles may do this.
    #[must_use]
    pub fn has(&self, deed: Deed) -> bool {
        deed.roles().iter().any(|role| self.roles.contains(role))
    }

    async fn find(parts: &Parts, portal: &Portal, touch: Touch) -> Result<Option<OnDesk>, Failed> {
        let found = sessions::find(portal, Face::Desk, &parts.headers, touch).await?;
        let Some(session) = found else {
            return Ok(None);
        };
        let read = sqlx::query_as("SELECT name, roles FROM operator WHERE id = $1");
        let read = read.bind(&session.subject).fetch_optional(portal.database().pool());
        let Some((name, roles)): Option<(String, String)> = read.await? else {
            return Ok(None);
        };
        let is_theirs = |role: &Role| roles.split(',').any(|word| word == role.name());
        Ok(Some(OnDesk {
            operator: session.subject,
            name,
            roles: Role::ALL.into_iter().filter(is_theirs).collect(),
            proven_at: session.proof.proven_at,
            back: LocalPath::of(parts, &portal.settings().public_url),
            asker: asker(parts),
            session: session.hash,
        }))
    }
}

impl FromRequestParts<Portal> for OnDesk {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, portal: &Portal) -> Result<Self, Response> {
        let found = OnDesk::find(parts, portal, Touch::Activity).await;
        let found = found.map_err(IntoResponse::into_response)?;
        found.ok_or_else(|| to_sign_in(parts, portal))
    }
}

impl FromRequestParts<Portal> for WatchingDesk {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, portal: &Portal) -> Result<Self, Response> {
        let found = OnDesk::find(parts, portal, Touch::Background).await;
        let found = found.map_err(IntoResponse::into_response)?;
        found.map(WatchingDesk).ok_or_else(|| to_sign_in(parts, portal))
    }
}

fn to_sign_in(parts: &Parts, portal: &Portal) -> Response {
    let back = LocalPath::of(parts, &portal.settings().public_url).in_query();
    asker(parts).lead(&format!("{SIGN_IN}?next={back}"))
}

/// The token that a desk's changes must carry, when somebody is signed in there.
pub(super) async fn csrf(parts: &Parts, portal: &Portal) -> Result<Option<Csrf>, Failed> {
    let found = sessions::find(portal, Face::Desk, &parts.headers, Touch::Activity).await?;
    Ok(found.map(|session| Csrf::of(&session.value)))
}

/// An operator as the API shows them.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Made {
    id: String,
    name: String,
    roles: Vec<Role>,
    /// Shown once; good for thirty days.
    code: String,
}

/// Somebody to be made an operator.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    name: String,
    roles: Vec<Role>,
}

/// Makes an operator, or a new code for one who lost their devices: those are good no more.
pub(super) async fn make(portal: &Portal, new: New) -> Result<Made, Failed> {
    let name = new.name.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_name = (1..=NAME_CHARS_MAX).contains(&name.chars().count());
    if !is_name || name.chars().any(char::is_control) {
        return Err(Failed::Unprocessable("bad_name"));
    }
    let roles: Vec<Role> = Role::ALL.into_iter().filter(|role| new.roles.contains(role)).collect();
    let words = roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(",");
    let fresh = Owner::drawn(Face::Desk)?.subject;
    let mut change = Change::begin(portal).await?;
    let insert = "INSERT INTO operator (id, name, roles, made_at) VALUES ($1, $2, $3, $4) \
                  ON CONFLICT (name) DO UPDATE SET roles = $3";
    let insert = sqlx::query(insert).bind(fresh).bind(&name).bind(&words);
    insert.bind(at(portal.durable().now().unix_ms)).execute(change.on()).await?;
    let id = sqlx::query_scalar("SELECT id FROM operator WHERE name = $1").bind(&name);
    let id: String = id.fetch_one(change.on()).await?;
    for delete in [
        "DELETE FROM passkey WHERE face = 'desk' AND subject = $1",
        "DELETE FROM session WHERE face = 'desk' AND subject = $1",
    ] {
        sqlx::query(delete).bind(&id).execute(change.on()).await?;
    }
    let code = codes::make(&mut change, &For::Desk(&id), portal).await?;
    let (who, what, after) = (audit::TOKEN, "operator_made", words.as_str());
    change.note(Line { who, what, about: &id, before: "", after }).await?;
    change.commit().await?;
    Ok(Made { id, name, roles, code: code.expose() })
}

#[derive(Template)]
#[template(path = "identity/desk_sign_in.html")]
struct SignIn {
    page: Page,
    next: LocalPath,
    fault: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "identity/desk_register.html")]
struct Register {
    page: Page,
    name: String,
    fault: Option<&'static str>,
    /// Set when name and code were right: the passkey comes next.
    ceremony: Option<String>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(super) struct Typed {
    name: String,
    code: String,
}

/// `GET /desk/sign-in`
pub(super) async fn show_sign_in(
    page: Page,
    axum::extract::Query(query): axum::extract::Query<super::sign_in::Next>,
) -> Response {
    let next = next_of(query.next.as_deref());
    show_page(StatusCode::OK, &SignIn { page, next, fault: None })
}

/// `POST /desk/sign-in/begin`
pub(super) async fn begin(State(portal): State<Portal>, _: FromUs) -> Result<Json<Value>, Failed> {
    let (options, state) = passkeys::ask_anyone(&portal)?;
    keep(&portal, Ceremony::SignIn(state), &options)
}

/// `POST /desk/sign-in/finish`
pub(super) async fn finish(
    State(portal): State<Portal>,
    page: Page,
    headers: HeaderMap,
    Posted(answer): Posted<Answer>,
) -> Result<Response, Failed> {
    let next = next_of(answer.next.as_deref());
    match owner_of(&portal, Face::Desk, &answer).await {
        Ok(owner) => begin_session(&portal, &owner, &headers, &next).await,
        Err(Failed::Unprocessable(fault)) => {
            let sign_in = SignIn { page, next, fault: Some(fault) };
            Ok(show_page(StatusCode::UNPROCESSABLE_ENTITY, &sign_in))
        }
        Err(failed) => Err(failed),
    }
}

/// `POST /desk/sign-out`
pub(super) async fn out(
    State(portal): State<Portal>,
    on_desk: OnDesk,
    _: FromUsOrForm,
) -> Result<Response, Failed> {
    sessions::end(&portal, &on_desk.session).await?;
    let cookie = sessions::forget_cookie(Face::Desk, &portal.settings().public_url)?;
    Ok(lead(&LocalPath::or_start(Some("/desk/sign-in")), Some(cookie)))
}

/// `GET /desk/register`
pub(super) async fn show_register(page: Page) -> Response {
    let register = Register { page, name: String::new(), fault: None, ceremony: None };
    show_page(StatusCode::OK, &register)
}

/// `POST /desk/register`
pub(super) async fn judge(
    State(portal): State<Portal>,
    page: Page,
    Posted(typed): Posted<Typed>,
) -> Result<Response, Failed> {
    let name = typed.name.split_whitespace().collect::<Vec<_>>().join(" ");
    let id = sqlx::query_scalar("SELECT id FROM operator WHERE name = $1").bind(&name);
    let id: Option<String> = id.fetch_optional(portal.database().pool()).await?;
    // An unknown name is judged as one that nobody has, and counted like one.
    let id = id.unwrap_or_else(|| name.chars().take(NAME_CHARS_MAX).collect());
    let judged = match Code::parse(&typed.code) {
        Some(code) => codes::judge_desk(&portal, &id, &code).await?,
        None => Err(super::NoCard::Wrong),
    };
    let right = match judged {
        Ok(right) => right,
        Err(no_card) => {
            let (status, fault) = match no_card {
                super::NoCard::Blocked { .. } => {
                    (StatusCode::TOO_MANY_REQUESTS, "identity-back-blocked")
                }
                super::NoCard::Wrong => {
                    (StatusCode::UNPROCESSABLE_ENTITY, "identity-desk-code-wrong")
                }
            };
            let register = Register { page, name, fault: Some(fault), ceremony: None };
            return Ok(show_page(status, &register));
        }
    };
    let now_ms = portal.durable().now().unix_ms;
    let owner = Owner { face: Face::Desk, subject: id };
    let enrolled = Ceremony::DeskEnrolled(right, owner);
    let ceremony = Some(portal.identity().ceremonies().keep(enrolled, now_ms)?);
    Ok(show_page(StatusCode::OK, &Register { page, name, fault: None, ceremony }))
}

/// `POST /desk/register/begin`
pub(super) async fn begin_register(
    State(portal): State<Portal>,
    Posted(answer): Posted<Answer>,
) -> Result<Json<Value>, Failed> {
    let now_ms = portal.durable().now().unix_ms;
    let ceremony = portal.identity().ceremonies().take(&answer.ceremony, now_ms);
    let Some(Ceremony::DeskEnrolled(right, owner)) = ceremony else {
        return Err(Failed::Unprocessable("identity-too-late"));
    };
    let (options, state) = passkeys::ask_new(&portal, &owner, "CeKR").await?;
    keep(&portal, Ceremony::DeskRegister(right, owner, state), &options)
}

/// `POST /desk/register/finish`
pub(super) async fn finish_register(
    State(portal): State<Portal>,
    headers: HeaderMap,
    Posted(answer): Posted<Answer>,
) -> Result<Response, Failed> {
    let now_ms = portal.durable().now().unix_ms;
    let ceremony = portal.identity().ceremonies().take(&answer.ceremony, now_ms);
    let Some(Ceremony::DeskRegister(right, owner, state)) = ceremony else {
        return Err(Failed::Unprocessable("identity-too-late"));
    };
    let passkey = passkeys::check_new(&portal, &answer.credential, &state)?;
    let label = passkeys::label(&answer.label, &agent(&headers));
    register(&portal, &right, &owner, &passkey, &label).await?;
    begin_session(&portal, &owner, &headers, &next_of(None)).await
}

async fn register(
    portal: &Portal,
    right: &Right,
    owner: &Owner,
    passkey: &webauthn_rs::prelude::Passkey,
    label: &str,
) -> Result<(), Failed> {
    let now_ms = portal.durable().now().unix_ms;
    let mut change = Change::begin(portal).await?;
    right.use_up(&mut change, now_ms).await?;
    passkeys::keep(&mut change, owner, passkey, label, now_ms).await?;
    change.commit().await
}

async fn begin_session(
    portal: &Portal,
    owner: &Owner,
    headers: &HeaderMap,
    next: &LocalPath,
) -> Result<Response, Failed> {
    let proven_at = portal.durable().now().unix_ms;
    let proof = Proof { level: Level::High, proven_at, means: Means::Passkey };
    let cookie = sessions::begin(portal, Face::Desk, &owner.subject, proof, headers).await?;
    Ok(lead(next, Some(cookie)))
}

fn next_of(typed: Option<&str>) -> LocalPath {
    LocalPath::or_start(Some(typed.unwrap_or("/desk")))
}

const NAME_CHARS_MAX: usize = 60;
const SIGN_IN: &str = "/desk/sign-in";
