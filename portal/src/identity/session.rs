//! Who sends a request: the extractors of signed-in people.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use cekr_switch::http::ApiError;

use super::holder::HolderId;
use super::level::{Action, Asker, Level, StepUp};
use super::local_path::{LocalPath, is_htmx};
use super::secret;
use super::sessions::{self, Face, Means, Session, Touch};
use crate::Portal;
use crate::page::failed::Failed;

/// A holder who is signed in. As an extractor it leads a page's reader to the sign-in and back, and
/// answers a program with 401.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Who.
    pub holder: HolderId,
    /// How sure the proof was.
    pub level: Level,
    /// When it was made, in milliseconds since 1970.
    pub proven_at: u64,
    /// By what.
    pub means: Means,
    /// What every change must carry.
    pub csrf: Csrf,
    /// The page to go on with after a step-up.
    pub back: LocalPath,
    asker: Asker,
    session: String,
}

/// The token that a change must carry, in the field `csrf` or the header `X-CSRF-Token`. It is made
/// of the session's cookie, so that there is one for each session and none outlives it.
#[derive(Clone, Eq, PartialEq)]
pub struct Csrf(String);

/// A signed-in holder whose request is no activity: a stream, or what a page asks for by itself.
/// Sessions end while such requests go on.
#[derive(Clone, Debug)]
pub struct Watching(pub SignedIn);

/// Nobody is signed in.
#[derive(Clone, Debug)]
pub struct NotSignedIn {
    back: LocalPath,
    asker: Asker,
}

impl SignedIn {
    /// Whether this session may do `action` now.
    ///
    /// # Errors
    /// [`StepUp`]: who they are must be proven anew.
    pub fn may(&self, action: Action, now_ms: u64) -> Result<(), StepUp> {
        if action.allows(self.level, self.proven_at, now_ms) {
            return Ok(());
        }
        Err(StepUp { next: self.back.clone(), asker: self.asker, door: "/prove" })
    }

    /// The session's name in the store, for [`sessions::lives`].
    #[must_use]
    pub fn session(&self) -> &str {
        &self.session
    }

    fn of(session: Session, parts: &Parts, portal: &Portal) -> SignedIn {
        SignedIn {
            holder: HolderId::of(session.subject),
            level: session.proof.level,
            proven_at: session.proof.proven_at,
            means: session.proof.means,
            csrf: Csrf::of(&session.value),
            back: LocalPath::of(parts, &portal.settings().public_url),
            asker: asker(parts),
            session: session.hash,
        }
    }

    /// Who is signed in, if somebody is. Looked up once a request.
    pub(crate) async fn find(
        parts: &mut Parts,
        portal: &Portal,
    ) -> Result<Option<SignedIn>, Failed> {
        let accepts = parts.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
        let is_stream = accepts.is_some_and(|accepts| accepts.contains("text/event-stream"));
        let touch = if is_stream { Touch::Background } else { Touch::Activity };
        Self::look(parts, portal, touch).await
    }

    async fn look(
        parts: &mut Parts,
        portal: &Portal,
        touch: Touch,
    ) -> Result<Option<SignedIn>, Failed> {
        if let Some(Looked(known)) = parts.extensions.get::<Looked>() {
            return Ok(known.clone());
        }
        let session = sessions::find(portal, Face::Holder, &parts.headers, touch).await?;
        let signed_in = session.map(|session| SignedIn::of(session, parts, portal));
        parts.extensions.insert(Looked(signed_in.clone()));
        Ok(signed_in)
    }
}

impl Csrf {
    pub(super) fn of(cookie: &str) -> Csrf {
        Csrf(secret::plain_hash("cekr-csrf-v1", cookie))
    }

    /// The token as a form has it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `sent` is it.
    #[must_use]
    pub fn is(&self, sent: &str) -> bool {
        secret::same(&self.0, sent)
    }
}

impl std::fmt::Debug for Csrf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Csrf(..)")
    }
}

impl FromRequestParts<Portal> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, portal: &Portal) -> Result<Self, Response> {
        let found = SignedIn::find(parts, portal).await.map_err(IntoResponse::into_response)?;
        found.ok_or_else(|| NotSignedIn::of(parts, portal).into_response())
    }
}

impl FromRequestParts<Portal> for Watching {
    type Rejection = Response;

    /// Stands before `Page` in a handler's arguments, which would take the request for activity.
    async fn from_request_parts(parts: &mut Parts, portal: &Portal) -> Result<Self, Response> {
        let found = SignedIn::look(parts, portal, Touch::Background).await;
        let found = found.map_err(IntoResponse::into_response)?;
        found.map(Watching).ok_or_else(|| NotSignedIn::of(parts, portal).into_response())
    }
}

impl NotSignedIn {
    fn of(parts: &Parts, portal: &Portal) -> NotSignedIn {
        let back = LocalPath::of(parts, &portal.settings().public_url);
        NotSignedIn { back, asker: asker(parts) }
    }
}

impl IntoResponse for NotSignedIn {
    fn into_response(self) -> Response {
        match self.asker {
            Asker::Api => {
                let message = "nobody is signed in, or the session is over: sign in at /sign-in";
                let code = "not_signed_in";
                ApiError::with_status(StatusCode::UNAUTHORIZED, code, message).into_response()
            }
            Asker::Htmx | Asker::Page => {
                self.asker.lead(&format!("/sign-in?next={}", self.back.in_query()))
            }
        }
    }
}

/// What kind of program sent it.
pub(crate) fn asker(parts: &Parts) -> Asker {
    if parts.uri.path().starts_with("/v1/") {
        Asker::Api
    } else if is_htmx(&parts.headers) {
        Asker::Htmx
    } else {
        Asker::Page
    }
}

/// What was found for this request.
#[derive(Clone)]
struct Looked(Option<SignedIn>);
