//! Errors of the control API: one shape, a status, a code that programs can rely on.
//!
//! The shape follows Stripe's API reference ("Errors"):
//! `{"error":{"type","code","message","param"}}`. The message is for people and may change.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use cekr_issuer::confirmation::ConfirmationRefused;
use serde::Serialize;

use super::quote::quotable;
use crate::control::{ControlError, limit_name};

/// An error as the caller sees it.
#[derive(Clone, Debug)]
pub struct ApiError {
    status: StatusCode,
    body: Body,
}

#[derive(Clone, Debug, Serialize)]
struct Body {
    #[serde(rename = "type")]
    kind: &'static str,
    code: &'static str,
    message: String,
    param: Option<&'static str>,
}

impl ApiError {
    /// The caller's fault: 400.
    pub fn invalid(code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, INVALID, code, message.into())
    }

    /// No such thing: 404.
    pub fn not_found(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, INVALID, "not_found", message.into())
    }

    /// The thing's state does not allow it: 409.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::CONFLICT, INVALID, code, message.into())
    }

    /// No token, or a wrong one: 401.
    #[must_use]
    pub fn unauthorized(message: &str) -> ApiError {
        let kind = "authentication_error";
        ApiError::new(StatusCode::UNAUTHORIZED, kind, "unauthorized", message.to_owned())
    }

    /// An idempotency key used for something else, or still in use.
    pub(crate) fn idempotency(status: StatusCode, code: &'static str, message: &str) -> ApiError {
        ApiError::new(status, "idempotency_error", code, message.to_owned())
    }

    /// No room now: 503, to be tried again with the same idempotency key.
    #[must_use]
    pub fn try_later(message: &str) -> ApiError {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        ApiError::new(status, "api_error", "try_later", message.to_owned())
    }

    /// A status that the framework gave.
    pub fn with_status(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
    ) -> ApiError {
        ApiError::new(status, INVALID, code, message.into())
    }

    /// Names the parameter that is wrong.
    #[must_use]
    pub fn of(mut self, param: &'static str) -> ApiError {
        self.body.param = Some(param);
        self
    }

    fn new(
        status: StatusCode,
        kind: &'static str,
        code: &'static str,
        message: String,
    ) -> ApiError {
        let message = quotable(&message).into_owned();
        ApiError { status, body: Body { kind, code, message, param: None } }
    }
}

impl From<ControlError> for ApiError {
    fn from(error: ControlError) -> Self {
        let message = error.to_string();
        match error {
            ControlError::AmountTooLarge | ControlError::AmountZero => {
                ApiError::invalid("invalid_amount", message).of("amount")
            }
            ControlError::Busy
            | ControlError::JournalFailed
            | ControlError::SecurityModule
            | ControlError::StatementsFull => ApiError::try_later(&message),
            ControlError::Confirmation(ConfirmationRefused::NotFound) => {
                ApiError::not_found(message)
            }
            ControlError::Confirmation(_) | ControlError::NotExempt => {
                ApiError::conflict("confirmation_state", message)
            }
            ControlError::Conflict(_) => ApiError::conflict("card_state", message),
            ControlError::Limit(limit) => {
                ApiError::conflict(limit_name(limit), message).of("amount")
            }
            ControlError::LimitAboveProgramme(limit) => {
                ApiError::invalid("limit_above_programme", message).of(limit.name())
            }
            ControlError::ItemLeft => ApiError::conflict("item_left", message),
            ControlError::ItemTaken => ApiError::conflict("item_taken", message),
            ControlError::NotFound | ControlError::NoSuchItem | ControlError::NoSuchLoad => {
                ApiError::not_found(message)
            }
            ControlError::TakenBackTooMuch => {
                ApiError::conflict("taken_back_too_much", message).of("amount")
            }
            ControlError::ScriptsFull => ApiError::conflict("scripts_full", message),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response =
            (self.status, axum::Json(serde_json::json!({ "error": self.body }))).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = axum::http::HeaderValue::from_static("Bearer realm=\"cekr\"");
            response.headers_mut().insert(axum::http::header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

const INVALID: &str = "invalid_request_error";
