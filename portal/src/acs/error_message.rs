//! The protocol's own error message: which fault, who found it, and in which elements.
//!
//! Source: EMV 3-D Secure Protocol and Core Functions Specification 2.1.0 and 2.2.0, tables of the
//! error message and of error codes. An error message is an answer: it leaves with status 200.

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::json::Members;
use super::uuid::Uuid;

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ErrorCode {
    /// 101.
    MessageInvalid,
    /// 102.
    VersionNotSupported,
    /// 201.
    ElementMissing,
    /// 202.
    CriticalExtension,
    /// 203.
    ElementInvalid,
    /// 204.
    ElementTwice,
    /// 301.
    TransactionUnknown,
    /// 304.
    IsoCodeInvalid,
    /// 305.
    TransactionInvalid,
    /// 402.
    TimedOut,
    /// 403.
    TransientFailure,
}

impl ErrorCode {
    /// `errorCode`.
    #[must_use]
    pub(super) const fn number(self) -> &'static str {
        match self {
            Self::MessageInvalid => "101",
            Self::VersionNotSupported => "102",
            Self::ElementMissing => "201",
            Self::CriticalExtension => "202",
            Self::ElementInvalid => "203",
            Self::ElementTwice => "204",
            Self::TransactionUnknown => "301",
            Self::IsoCodeInvalid => "304",
            Self::TransactionInvalid => "305",
            Self::TimedOut => "402",
            Self::TransientFailure => "403",
        }
    }

    /// `errorDescription`.
    #[must_use]
    pub(super) const fn description(self) -> &'static str {
        match self {
            Self::MessageInvalid => "The message is none that this server takes here",
            Self::VersionNotSupported => "The message version is not supported",
            Self::ElementMissing => "A required data element is missing",
            Self::CriticalExtension => "A critical message extension is not known",
            Self::ElementInvalid => "A data element has no valid format or value",
            Self::ElementTwice => "A data element occurs more than once",
            Self::TransactionUnknown => "No transaction has this id",
            Self::IsoCodeInvalid => "An ISO code is not valid",
            Self::TransactionInvalid => "The data of the transaction are not valid",
            Self::TimedOut => "The time for this message is over",
            Self::TransientFailure => "The server cannot do this now; try again",
        }
    }
}

/// A fault of a message, ready to be told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Fault {
    /// Which.
    pub(super) code: ErrorCode,
    /// The elements, or what else helps; never a value that was sent.
    pub(super) detail: String,
}

impl Fault {
    /// A fault in these elements.
    #[must_use]
    pub(super) fn new(code: ErrorCode, detail: impl Into<String>) -> Fault {
        Fault { code, detail: detail.into() }
    }

    /// The whole message about a message of the kind `kind`; `sent` is as much of that as could be
    /// read.
    #[must_use]
    pub(super) fn about(&self, kind: &str, sent: Option<&Members>) -> ErrorMessage {
        let mut body = Map::new();
        let version = sent.and_then(|sent| sent.text("messageVersion"));
        let version = version.and_then(known_version).unwrap_or(VERSION_NEWEST);
        body.insert("messageVersion".into(), json!(version));
        body.insert("messageType".into(), json!("Erro"));
        for id in ["threeDSServerTransID", "acsTransID", "dsTransID", "sdkTransID"] {
            let read = sent.and_then(|sent| sent.text(id)).and_then(Uuid::parse);
            if let Some(read) = read {
                body.insert(id.into(), json!(read.to_string()));
            }
        }
        let detail: String = self.detail.chars().take(DETAIL_CHARS_MAX).collect();
        body.insert("errorCode".into(), json!(self.code.number()));
        body.insert("errorComponent".into(), json!("A"));
        body.insert("errorDescription".into(), json!(self.code.description()));
        body.insert("errorDetail".into(), json!(detail));
        body.insert("errorMessageType".into(), json!(kind));
        ErrorMessage(Value::Object(body))
    }
}

/// The message as JSON.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ErrorMessage(Value);

impl IntoResponse for ErrorMessage {
    fn into_response(self) -> Response {
        Json(self.0).into_response()
    }
}

/// A version that is spoken here.
#[must_use]
pub(super) fn known_version(text: &str) -> Option<&'static str> {
    VERSIONS.into_iter().find(|version| *version == text)
}

/// The versions that are spoken here.
pub(super) const VERSIONS: [&str; 2] = ["2.1.0", "2.2.0"];
const VERSION_NEWEST: &str = "2.2.0";
/// The longest `errorDetail`.
const DETAIL_CHARS_MAX: usize = 2_048;
