//! The way over Rekono: to sign in, to prove anew, and to register with a card.
//!
//! The browser comes back from another site, so that it does not bring the session along. What it
//! went away for is kept under `state`, and a cookie of its own, which does come along, says that
//! it is the same browser.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::account_notices::{self, AccountEvent};
use super::audit::{Change, Line};
use super::ceremonies::Ceremony;
use super::codes::{self, Enrolment};
use super::holder::HolderId;
use super::level::FRESH_MS;
use super::local_path::LocalPath;
use super::passkeys::Owner;
use super::provider::{Ask, Provider, ProviderError, Question, Vouched};
use super::secret;
use super::session::SignedIn;
use super::sessions::{self, Face, Means, Proof, at};
use crate::Portal;
use crate::page::failed::Failed;
use crate::page::{Page, cookie, show as show_page};

/// What somebody went away for.
pub(super) enum Purpose {
    /// Prove anew who is signed in, in this session.
    Prove(HolderId, String),
    /// Bind the identity to the card's holder.
    Register(Enrolment),
    /// Sign in.
    SignIn,
}

/// What is kept of it.
pub(super) struct Away {
    question: Question,
    purpose: Purpose,
    next: LocalPath,
}

#[derive(Deserialize)]
pub(super) struct Go {
    next: Option<String>,
    /// An enrolment under way, to register.
    enrolment: Option<String>,
    /// Set to prove anew.
    prove: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Back {
    code: Option<String>,
    state: Option<String>,
}

#[derive(Template)]
#[template(path = "identity/rekono.html")]
struct Rekono {
    page: Page,
    next: LocalPath,
    fault: Option<&'static str>,
}

/// `GET /rekono`: away to the provider.
pub(super) async fn go(
    State(portal): State<Portal>,
    page: Page,
    Query(go): Query<Go>,
) -> Result<Response, Failed> {
    let now_ms = portal.durable().now().unix_ms;
    let provider = provider(&portal)?;
    let ceremonies = portal.identity().ceremonies();
    let next = LocalPath::or_start(go.next.as_deref());
    let purpose = match (go.enrolment, go.prove, page.signed_in) {
        (Some(enrolment), _, _) => {
            let enrolment = ceremonies.enrolment(&enrolment, now_ms);
            Purpose::Register(enrolment.ok_or(Failed::Unprocessable("identity-too-late"))?)
        }
        (None, Some(_), Some(who)) => Purpose::Prove(who.holder.clone(), who.session().to_owned()),
        (None, _, _) => Purpose::SignIn,
    };
    let ask = if matches!(purpose, Purpose::Prove(..)) { Ask::Anew } else { Ask::Anyone };
    let (question, address) = provider.question(ask, now_ms).await.map_err(told)?;
    let away = Ceremony::Rekono(Box::new(Away { question, purpose, next }));
    let state = ceremonies.keep(away, now_ms)?;
    let cookie = state_cookie(&portal, &state, STATE_S)?;
    let place = HeaderValue::from_str(&address(state)).map_err(|_| Failed::TryLater)?;
    let headers = [(header::LOCATION, place), (header::SET_COOKIE, cookie)];
    Ok((StatusCode::SEE_OTHER, headers).into_response())
}

/// `GET /rekono/callback`: back from the provider.
pub(super) async fn back(
    State(portal): State<Portal>,
    page: Page,
    headers: HeaderMap,
    Query(back): Query<Back>,
) -> Result<Response, Failed> {
    let now_ms = portal.durable().now().unix_ms;
    let state = back.state.unwrap_or_default();
    let is_same =
        cookie(&headers, state_name(&portal)).is_some_and(|own| secret::same(own, &state));
    let away = portal.identity().ceremonies().take(&state, now_ms).filter(|_| is_same);
    let Some(Ceremony::Rekono(away)) = away else {
        return Ok(refuse(page, LocalPath::or_start(None), "identity-too-late"));
    };
    let Away { question, purpose, next } = *away;
    let Some(code) = back.code else {
        return Ok(refuse(page, next, "identity-rekono-refused"));
    };
    let vouched = match provider(&portal)?.answer(question, code, now_ms).await {
        Ok(vouched) => vouched,
        Err(error @ ProviderError::Refused(_)) => {
            tracing::info!(%error, "an identity was refused");
            return Ok(refuse(page, next, "identity-rekono-refused"));
        }
        Err(error) => return Err(told(error)),
    };
    let holder = match arrived(&portal, &purpose, &vouched, now_ms).await {
        Ok(holder) => holder,
        Err(Failed::Unprocessable(fault)) => return Ok(refuse(page, next, fault)),
        Err(failed) => return Err(failed),
    };
    if let Purpose::Prove(_, session) = &purpose {
        sessions::end(&portal, session).await?;
    }
    let (level, proven_at) = (vouched.level, vouched.proven_at);
    let proof = Proof { level, proven_at, means: Means::Rekono };
    let begun = sessions::begin(&portal, Face::Holder, holder.as_str(), proof, &headers).await?;
    // Not a redirect: a browser that was sent here by another site would go on without its session.
    let refresh = HeaderValue::from_str(&format!("0; url={next}")).map_err(|_| Failed::Internal)?;
    let mut response = show_page(StatusCode::OK, &Rekono { page, next, fault: None });
    response.headers_mut().insert(header::REFRESH, refresh);
    response.headers_mut().append(header::SET_COOKIE, begun);
    response.headers_mut().append(header::SET_COOKIE, state_cookie(&portal, "", 0)?);
    Ok(response)
}

/// The holder for what somebody went away for.
async fn arrived(
    portal: &Portal,
    purpose: &Purpose,
    vouched: &Vouched,
    now_ms: u64,
) -> Result<HolderId, Failed> {
    let known = holder_of(portal, vouched).await?;
    match purpose {
        Purpose::SignIn => known.ok_or(Failed::Unprocessable("identity-rekono-unknown")),
        Purpose::Prove(holder, _) => {
            let is_fresh = now_ms.saturating_sub(vouched.proven_at) <= FRESH_MS;
            let is_it = known.as_ref() == Some(holder) && is_fresh;
            known.filter(|_| is_it).ok_or(Failed::Unprocessable("identity-rekono-refused"))
        }
        Purpose::Register(enrolment) => register(portal, enrolment, vouched, known, now_ms).await,
    }
}

async fn register(
    portal: &Portal,
    enrolment: &Enrolment,
    vouched: &Vouched,
    known: Option<HolderId>,
    now_ms: u64,
) -> Result<HolderId, Failed> {
    let holder = match known.as_ref().or(enrolment.holder.as_ref()) {
        Some(holder) => holder.clone(),
        None => HolderId::of(Owner::drawn(Face::Holder)?.subject),
    };
    let mut change = Change::begin(portal).await?;
    enrolment.code.use_up(&mut change, now_ms).await?;
    let insert = "INSERT INTO holder (id, made_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
    let insert = sqlx::query(insert).bind(holder.as_str()).bind(at(now_ms));
    insert.execute(change.on()).await?;
    codes::bind_card(&mut change, enrolment, &holder, now_ms).await?;
    if known.is_none() {
        let insert = "INSERT INTO provider_identity (issuer, sub, holder, made_at) \
                      VALUES ($1, $2, $3, $4)";
        let insert = sqlx::query(insert).bind(&vouched.issuer).bind(&vouched.sub);
        insert.bind(holder.as_str()).bind(at(now_ms)).execute(change.on()).await?;
        let (who, what, about) = (holder.as_str(), "identity_bound", vouched.issuer.as_str());
        change.note(Line { who, what, about, before: "", after: who }).await?;
        let event = AccountEvent::IdentityBound;
        account_notices::tell(&mut change, who, event, about, now_ms).await?;
    }
    change.commit().await?;
    Ok(holder)
}

async fn holder_of(portal: &Portal, vouched: &Vouched) -> Result<Option<HolderId>, Failed> {
    let read = "SELECT holder FROM provider_identity WHERE issuer = $1 AND sub = $2";
    let read = sqlx::query_scalar(read).bind(&vouched.issuer).bind(&vouched.sub);
    let holder: Option<String> = read.fetch_optional(portal.database().pool()).await?;
    Ok(holder.map(HolderId::of))
}

fn provider(portal: &Portal) -> Result<&Provider, Failed> {
    portal.identity().provider().ok_or(Failed::NotFound)
}

fn told(error: ProviderError) -> Failed {
    tracing::error!(%error, "nobody can come in over the provider now");
    Failed::TryLater
}

fn refuse(page: Page, next: LocalPath, fault: &'static str) -> Response {
    let refused = Rekono { page, next, fault: Some(fault) };
    show_page(StatusCode::UNPROCESSABLE_ENTITY, &refused)
}

fn state_name(portal: &Portal) -> &'static str {
    let is_tls = portal.settings().public_url.starts_with("https://");
    if is_tls { "__Host-rekono" } else { "rekono" }
}

/// `Lax`, because the browser brings it back from another site.
fn state_cookie(portal: &Portal, state: &str, age_s: u32) -> Result<HeaderValue, Failed> {
    let name = state_name(portal);
    let secure = if name.starts_with("__Host-") { "; Secure" } else { "" };
    let text = format!("{name}={state}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age_s}{secure}");
    HeaderValue::from_str(&text).map_err(|_| Failed::Internal)
}

/// Whether people can come in over a provider: pages offer it then.
pub(super) fn is_offered(portal: &Portal) -> bool {
    portal.identity().provider().is_some()
}

/// Whether somebody who is signed in came over the provider, and proves it anew there.
pub(super) fn is_theirs(who: &SignedIn) -> bool {
    who.means == Means::Rekono
}

/// As long as a ceremony.
const STATE_S: u32 = 300;
