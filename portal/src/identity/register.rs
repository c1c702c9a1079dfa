//! The pages that bind somebody to a card: its back and its code, then a passkey.

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;

use super::audit::{Change, Line};
use super::back::Back;
use super::ceremonies::Ceremony;
use super::codes::{self, Code, Enrolment};
use super::holder::HolderId;
use super::local_path::LocalPath;
use super::passkeys::{self, LABEL_CHARS_MAX, Owner};
use super::posted::Posted;
use super::rekono::is_offered;
use super::session::SignedIn;
use super::sessions::{Face, at};
use super::sign_in::{Answer, begin_session, keep, lead};
use crate::Portal;
use crate::confirm::binding;
use crate::page::failed::Failed;
use crate::page::{Page, show as show_page};

/// What stands on a card, and the code that came with it, as they were typed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Typed {
    pub(super) mok_id: String,
    pub(super) last_six: String,
    pub(super) code: String,
}

/// What is wrong with it: keys of texts, beside the field or above the form.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Faults {
    pub(super) mok_id: Option<&'static str>,
    pub(super) last_six: Option<&'static str>,
    pub(super) code: Option<&'static str>,
    pub(super) whole: Option<&'static str>,
}

impl Typed {
    /// The card that it is about.
    pub(super) async fn judged(
        &self,
        portal: &Portal,
        who: Option<&SignedIn>,
    ) -> Result<Result<Enrolment, Faults>, Failed> {
        let back = Back::parse(&self.mok_id, &self.last_six);
        let (Ok(back), Some(code)) = (back, Code::parse(&self.code)) else {
            let fault = back.err().unwrap_or_default();
            let no_code = Code::parse(&self.code).is_none();
            return Ok(Err(Faults {
                mok_id: fault.mok_id.then_some("identity-mok-id-fault"),
                last_six: fault.last_six.then_some("identity-last-six-fault"),
                code: no_code.then_some("identity-code-fault"),
                whole: None,
            }));
        };
        let judged = codes::judge(portal, &back, &code, who).await?;
        Ok(judged.map_err(|no_card| {
            let whole = match no_card {
                super::NoCard::Blocked { .. } => "identity-back-blocked",
                super::NoCard::Wrong => "identity-enrolment-wrong",
            };
            Faults { whole: Some(whole), ..Faults::default() }
        }))
    }
}

impl Faults {
    /// 429 where waiting helps, else 422.
    pub(super) fn status(&self) -> StatusCode {
        match self.whole {
            Some("identity-back-blocked") => StatusCode::TOO_MANY_REQUESTS,
            Some(_) | None => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }
}

#[derive(Template)]
#[template(path = "identity/register.html")]
struct Register {
    page: Page,
    typed: Typed,
    faults: Faults,
    published: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "identity/register_passkey.html")]
struct RegisterPasskey {
    page: Page,
    ceremony: String,
    label: String,
    label_chars_max: usize,
    rekono: bool,
}

/// `GET /register`
pub(super) async fn show(State(portal): State<Portal>, page: Page) -> Response {
    let published = portal.settings().sandbox.then_some(codes::PUBLISHED);
    let (typed, faults) = (Typed::default(), Faults::default());
    show_page(StatusCode::OK, &Register { page, typed, faults, published })
}

/// `POST /register`
pub(super) async fn judge(
    State(portal): State<Portal>,
    page: Page,
    headers: HeaderMap,
    Posted(typed): Posted<Typed>,
) -> Result<Response, Failed> {
    match typed.judged(&portal, page.signed_in.as_ref()).await? {
        Ok(enrolment) => ask(&portal, page, &headers, enrolment),
        Err(faults) => {
            let published = portal.settings().sandbox.then_some(codes::PUBLISHED);
            Ok(show_page(faults.status(), &Register { page, typed, faults, published }))
        }
    }
}

/// The page that makes the passkey.
fn ask(
    portal: &Portal,
    page: Page,
    headers: &HeaderMap,
    enrolment: Enrolment,
) -> Result<Response, Failed> {
    let now_ms = portal.durable().now().unix_ms;
    let enrolled = Ceremony::Enrolled(enrolment);
    let ceremony = portal.identity().ceremonies().keep(enrolled, now_ms)?;
    let label = passkeys::label("", &agent(headers));
    let label_chars_max = LABEL_CHARS_MAX;
    let rekono = is_offered(portal);
    let asked = RegisterPasskey { page, ceremony, label, label_chars_max, rekono };
    Ok(show_page(StatusCode::OK, &asked))
}

/// `POST /register/begin`
pub(super) async fn begin(
    State(portal): State<Portal>,
    Posted(answer): Posted<Answer>,
) -> Result<Json<Value>, Failed> {
    let now_ms = portal.durable().now().unix_ms;
    let enrolment = portal.identity().ceremonies().enrolment(&answer.ceremony, now_ms);
    let Some(enrolment) = enrolment else {
        return Err(Failed::Unprocessable("identity-too-late"));
    };
    let owner = match &enrolment.holder {
        Some(holder) => Owner::holder(holder),
        None => Owner::drawn(Face::Holder)?,
    };
    let (options, state) = passkeys::ask_new(&portal, &owner, "CeKR").await?;
    keep(&portal, Ceremony::Register(enrolment, owner, state), &options)
}

/// `POST /register/finish`
pub(super) async fn finish(
    State(portal): State<Portal>,
    headers: HeaderMap,
    Posted(answer): Posted<Answer>,
) -> Result<Response, Failed> {
    let now_ms = portal.durable().now().unix_ms;
    let ceremony = portal.identity().ceremonies().take(&answer.ceremony, now_ms);
    let Some(Ceremony::Register(enrolment, owner, state)) = ceremony else {
        return Err(Failed::Unprocessable("identity-too-late"));
    };
    let passkey = passkeys::check_new(&portal, &answer.credential, &state)?;
    let holder = HolderId::of(owner.subject.clone());
    let mut change = Change::begin(&portal).await?;
    enrolment.code.use_up(&mut change, now_ms).await?;
    if enrolment.holder.is_none() {
        let insert = sqlx::query("INSERT INTO holder (id, made_at) VALUES ($1, $2)");
        insert.bind(holder.as_str()).bind(at(now_ms)).execute(change.on()).await?;
        let (who, what) = (holder.as_str(), "holder_made");
        change.note(Line { who, what, about: who, before: "", after: "" }).await?;
    }
    codes::bind_card(&mut change, &enrolment, &holder, now_ms).await?;
    let label = passkeys::label(&answer.label, &agent(&headers));
    passkeys::keep(&mut change, &owner, &passkey, &label, now_ms).await?;
    let device = passkeys::id_of(&passkey);
    binding::bind(&mut change, holder.as_str(), &enrolment.card, &device, now_ms).await?;
    change.commit().await?;
    let cookie = begin_session(&portal, &holder, &headers).await?;
    Ok(lead(&LocalPath::or_start(None), Some(cookie)))
}

/// What the browser calls itself.
pub(super) fn agent(headers: &HeaderMap) -> String {
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    agent.unwrap_or_default().to_owned()
}
