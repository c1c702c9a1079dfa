//! What a page says when something cannot be done: a page too, in the reader's language.
//!
//! A handler knows neither language nor layout when it fails. So the answer carries what failed,
//! and the layer around all pages writes it out.

use askama::Template;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use cekr_issuer::confirmation::ConfirmationRefused;
use cekr_switch::control::ControlError;
use cekr_switch::http::ApiError;

use super::{Page, show};
use crate::Portal;
use crate::desk::role::Deed;
use crate::identity::StepUp;

/// Why a page cannot be shown, or a change not be made. Nothing was changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Failed {
    /// The state of things does not allow it; the key of a text says which.
    Conflict(&'static str),
    /// The request does not come from this website's pages, or may not do this.
    Forbidden,
    /// A fault of ours; the log says which.
    Internal,
    /// There is no such thing, or it is not theirs.
    NotFound,
    /// None of their roles at the desk may do this.
    Role(Deed),
    /// Who they are must be proven anew.
    StepUp(StepUp),
    /// Tried too often.
    TooMany {
        /// Seconds until it may be tried again.
        retry_after_s: u64,
    },
    /// No room now, or the database or journal does not answer.
    TryLater,
    /// It cannot be understood; the key of a text says what.
    Unprocessable(&'static str),
}

impl Failed {
    const fn status(&self) -> StatusCode {
        match self {
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Forbidden | Self::Role(_) | Self::StepUp(_) => StatusCode::FORBIDDEN,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::TryLater => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unprocessable(_) => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }

    /// The texts: a title, and what to do.
    const fn words(&self) -> (&'static str, &'static str) {
        match self {
            Self::Conflict(words) => ("failed-conflict-title", words),
            Self::Forbidden | Self::StepUp(_) => ("failed-forbidden-title", "failed-forbidden"),
            Self::Role(_) => ("failed-forbidden-title", "desk-role-missing"),
            Self::Internal => ("failed-internal-title", "failed-internal"),
            Self::NotFound => ("not-found-title", "not-found-words"),
            Self::TooMany { .. } => ("failed-too-many-title", "failed-too-many"),
            Self::TryLater => ("failed-later-title", "failed-later"),
            Self::Unprocessable(words) => ("failed-unprocessable-title", words),
        }
    }

    /// The same for a program.
    #[must_use]
    pub fn as_json(self) -> Response {
        let status = self.status();
        match self {
            Self::StepUp(step_up) => step_up.into_response(),
            Self::NotFound => ApiError::not_found("there is no such thing").into_response(),
            Self::TryLater => ApiError::try_later("no room now; try again").into_response(),
            Self::Conflict(code) => {
                ApiError::conflict(code, "its state does not allow this").into_response()
            }
            Self::Forbidden | Self::Role(_) => {
                let message = "a change comes from this website's own origin and carries the \
                               session's token in X-CSRF-Token";
                ApiError::with_status(status, "forbidden", message).into_response()
            }
            Self::Internal => {
                ApiError::with_status(status, "internal", "a fault of ours").into_response()
            }
            Self::TooMany { retry_after_s } => {
                let message = format!("tried too often; again in {retry_after_s} s");
                let response = ApiError::with_status(status, "too_many", message).into_response();
                with_retry(response, retry_after_s)
            }
            Self::Unprocessable(code) => {
                ApiError::with_status(status, code, "the request cannot be understood")
                    .into_response()
            }
        }
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        if let Self::StepUp(step_up) = self {
            return step_up.into_response();
        }
        let mut response = self.status().into_response();
        if let Self::TooMany { retry_after_s } = self {
            response = with_retry(response, retry_after_s);
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<ControlError> for Failed {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::Busy
            | ControlError::JournalFailed
            | ControlError::ScriptsFull
            | ControlError::SecurityModule
            | ControlError::StatementsFull => Self::TryLater,
            ControlError::Confirmation(ConfirmationRefused::NotFound)
            | ControlError::NotFound
            | ControlError::NoSuchItem
            | ControlError::NoSuchLoad => Self::NotFound,
            ControlError::AmountTooLarge | ControlError::AmountZero => {
                Self::Unprocessable("failed-amount")
            }
            ControlError::Limit(_) | ControlError::LimitAboveProgramme(_) => {
                Self::Conflict("failed-limit")
            }
            ControlError::Confirmation(_)
            | ControlError::Conflict(_)
            | ControlError::ItemLeft
            | ControlError::ItemTaken
            | ControlError::NotExempt
            | ControlError::TakenBackTooMuch => Self::Conflict("failed-state"),
        }
    }
}

impl From<sqlx::Error> for Failed {
    fn from(error: sqlx::Error) -> Self {
        tracing::error!(%error, "the website's database does not do what it should");
        Self::TryLater
    }
}

impl From<StepUp> for Failed {
    fn from(step_up: StepUp) -> Self {
        Self::StepUp(step_up)
    }
}

/// Around all pages: writes a page where a handler has failed.
pub async fn layer(State(portal): State<Portal>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let response = next.run(Request::from_parts(parts.clone(), body)).await;
    let failed = response.extensions().get::<Failed>().cloned();
    let unread = || is_unread(&response).then_some(Failed::Unprocessable("failed-form"));
    let Some(failed) = failed.or_else(unread) else {
        return response;
    };
    if parts.uri.path().starts_with("/v1/") {
        return failed.as_json();
    }
    let Ok(page) = Page::from_request_parts(&mut parts, &portal).await;
    if let Failed::Role(deed) = failed {
        return crate::desk::forbidden(page, deed);
    }
    let (title, words) = failed.words();
    let mut written = show(failed.status(), &Failure { page, title, words });
    if let Some(retry) = response.headers().get(header::RETRY_AFTER) {
        written.headers_mut().insert(header::RETRY_AFTER, retry.clone());
    }
    written
}

/// Whether the framework could not read the address or the form, and said so in words of its own.
fn is_unread(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_plain = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"));
    let status = response.status();
    is_plain && matches!(status.as_u16(), 400 | 415 | 422)
}

/// The page of a failure.
#[derive(Template)]
#[template(path = "failure.html")]
pub(super) struct Failure {
    pub(super) page: Page,
    pub(super) title: &'static str,
    pub(super) words: &'static str,
}

fn with_retry(mut response: Response, retry_after_s: u64) -> Response {
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after_s));
    response
}
