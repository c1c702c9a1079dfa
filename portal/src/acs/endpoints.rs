//! The two doors of the protocol: shops with an `AReq`, browsers with a `CReq`.
//!
//! A fault in a message is answered by the protocol's own error message, with status 200; a browser
//! gets a page instead.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::{BytesRejection, FormRejection};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::answer::ares;
use super::areq::{AReq, kind_and_version};
use super::conversation::{self, Arrival};
use super::elements::{Context, Element, Holds, Needed, check};
use super::error_message::{ErrorCode, Fault};
use super::json::Members;
use super::pages;
use super::purchase::{self, Purchase};
use super::uuid::Uuid;
use crate::Portal;
use crate::page::Page;
use cekr_issuer::confirmation::ConfirmationId;

/// `POST /3ds/areq`
pub(super) async fn areq(
    State(portal): State<Portal>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let too_long = || Fault::new(ErrorCode::MessageInvalid, "the message is too long");
    let body = match body.map_err(|_| too_long()) {
        Ok(body) if body.len() <= MESSAGE_OCTETS_MAX => body,
        Ok(_) | Err(_) => return too_long().about("AReq", None).into_response(),
    };
    let members = match Members::read(&body) {
        Ok(members) => members,
        Err(fault) => return fault.about("AReq", None).into_response(),
    };
    let asked = match AReq::read(&members) {
        Ok(asked) => asked,
        Err(fault) => return fault.about("AReq", Some(&members)).into_response(),
    };
    let busy = |detail: &str| {
        let fault = Fault::new(ErrorCode::TransientFailure, detail);
        fault.about("AReq", Some(&members)).into_response()
    };
    let Ok(_seat) = portal.acs().questions.try_acquire() else {
        return busy("too many questions at once");
    };
    let Ok(id) = Uuid::drawn() else { return busy("no randomness") };
    match conversation::ask(&portal, &asked, id).await {
        Ok(answer) => Json(ares(&asked, id, &answer)).into_response(),
        Err(failed) => {
            tracing::warn!(?failed, "a shop's question was not answered");
            busy("try again")
        }
    }
}

/// The form that a shop's page makes the browser send.
#[derive(Deserialize)]
pub(super) struct Sent {
    #[serde(default)]
    creq: String,
    #[serde(default, rename = "threeDSSessionData")]
    session_data: String,
}

/// `POST /3ds/creq`
pub(super) async fn creq(
    State(portal): State<Portal>,
    page: Page,
    headers: HeaderMap,
    form: Result<axum::Form<Sent>, FormRejection>,
) -> Response {
    let is_browser = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    let taken = match form {
        Ok(axum::Form(sent)) => take(&portal, &sent).await,
        Err(_) => Err((Fault::new(ErrorCode::MessageInvalid, "a form with `creq`"), None)),
    };
    match taken {
        Ok(purchase) => Redirect::to(&pages::address(&purchase)).into_response(),
        Err((fault, _)) if is_browser => pages::fault(page, &fault),
        Err((fault, members)) => {
            let message = fault.about("CReq", members.as_ref());
            (pages::status(fault.code), message).into_response()
        }
    }
}

async fn take(portal: &Portal, sent: &Sent) -> Result<Purchase, (Fault, Option<Members>)> {
    let invalid = |detail: &str| Fault::new(ErrorCode::MessageInvalid, detail);
    if sent.creq.len() > MESSAGE_OCTETS_MAX {
        return Err((invalid("the message is too long"), None));
    }
    let octets = URL_SAFE_NO_PAD
        .decode(sent.creq.trim_end_matches('='))
        .map_err(|_| (invalid("creq: base64url of a CReq"), None))?;
    let members = Members::read(&octets).map_err(|fault| (fault, None))?;
    match understood(portal, &members, &sent.session_data).await {
        Ok(purchase) => Ok(purchase),
        Err(fault) => Err((fault, Some(members))),
    }
}

async fn understood(
    portal: &Portal,
    members: &Members,
    session_data: &str,
) -> Result<Purchase, Fault> {
    let version = kind_and_version(members, "CReq")?;
    let context =
        Context { version, device_channel: "02", message_category: "01", runs_scripts: true };
    check(members, CREQ_ELEMENTS, context)?;
    let is_mark = |octet: u8| octet.is_ascii_graphic() && !b"\"'<>&".contains(&octet);
    if session_data.len() > SESSION_OCTETS_MAX || !session_data.bytes().all(is_mark) {
        return Err(Fault::new(ErrorCode::ElementInvalid, "threeDSSessionData"));
    }
    let uuid = |name: &str| members.text(name).and_then(Uuid::parse);
    let unknown = |name: &str| Fault::new(ErrorCode::TransactionUnknown, name);
    let later = |_| Fault::new(ErrorCode::TransientFailure, "try again");
    let id = uuid("acsTransID").ok_or_else(|| unknown("acsTransID"))?;
    let found = purchase::find(portal, ConfirmationId(id.0)).await.map_err(later)?;
    let found = found.filter(|found| !found.notification_url.is_empty());
    let found = found.ok_or_else(|| unknown("acsTransID"))?;
    if uuid("threeDSServerTransID") != Some(found.server_trans_id) {
        return Err(unknown("threeDSServerTransID"));
    }
    if found.message_version != version {
        return Err(Fault::new(ErrorCode::ElementInvalid, "messageVersion"));
    }
    match conversation::challenged(portal, &found, session_data).await.map_err(later)? {
        Arrival::InTime => Ok(found),
        Arrival::TooLate => Err(Fault::new(ErrorCode::TimedOut, "acsTransID")),
    }
}

const fn row(name: &'static str, holds: Holds) -> Element {
    Element { name, holds, needed: Needed::Always }
}

const CREQ_ELEMENTS: &[Element] = &[
    row("acsTransID", Holds::Uuid),
    row("challengeWindowSize", Holds::OneOf(&["01", "02", "03", "04", "05"])),
    row("threeDSServerTransID", Holds::Uuid),
];

/// Longer than every element at its longest that a shop really sends.
const MESSAGE_OCTETS_MAX: usize = 96 * 1_024;
/// As the protocol bounds it.
const SESSION_OCTETS_MAX: usize = 1_024;
