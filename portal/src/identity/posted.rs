//! Bodies of changes: taken only from this website's own pages.
//!
//! Two proofs are asked for. `Origin` and `Sec-Fetch-Site`, which a page elsewhere cannot forge,
//! must say that the sender is one of ours; and when somebody is signed in, the session's token
//! must come along. Either would do; the second also holds where a proxy drops the first.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Form, FromRequest, FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::header::ORIGIN;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;

use super::desk;
use super::level::Asker;
use super::session::{Csrf, SignedIn, asker};
use crate::Portal;
use crate::page::failed::Failed;

/// A form from a page of ours.
#[derive(Clone, Debug)]
pub struct Posted<T>(pub T);

/// A JSON body for the holder's API, from a page of ours or a program with the session's token.
#[derive(Clone, Debug)]
pub struct PostedJson<T>(pub T);

/// A change without a body, or with one that its handler reads: origin and header were checked.
#[derive(Clone, Copy, Debug)]
pub struct FromUs;

impl<T: DeserializeOwned> FromRequest<Portal> for Posted<T> {
    type Rejection = Response;

    async fn from_request(request: Request, portal: &Portal) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let csrf = csrf_of(&mut parts, portal).await.map_err(refuse(&parts))?;
        let body = Bytes::from_request(Request::from_parts(parts.clone(), body), portal)
            .await
            .map_err(IntoResponse::into_response)?;
        let again = || Request::from_parts(parts.clone(), body.clone().into());
        let sent = Form::<Token>::from_request(again(), portal).await.ok();
        let sent = sent.and_then(|Form(token)| token.csrf);
        check(&parts, portal, csrf.as_ref(), sent.as_deref()).map_err(refuse(&parts))?;
        match Form::<T>::from_request(again(), portal).await {
            Ok(Form(form)) => Ok(Posted(form)),
            Err(_) => Err(refuse(&parts)(Failed::Unprocessable("failed-form"))),
        }
    }
}

impl<T: DeserializeOwned> FromRequest<Portal> for PostedJson<T> {
    type Rejection = Response;

    async fn from_request(request: Request, portal: &Portal) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        FromUs::from_request_parts(&mut parts, portal).await?;
        let kept = parts.clone();
        match Json::<T>::from_request(Request::from_parts(parts, body), portal).await {
            Ok(Json(body)) => Ok(PostedJson(body)),
            Err(_) => Err(refuse(&kept)(Failed::Unprocessable("failed-form"))),
        }
    }
}

impl FromRequestParts<Portal> for FromUs {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, portal: &Portal) -> Result<Self, Response> {
        let csrf = csrf_of(parts, portal).await.map_err(refuse(parts))?;
        check(parts, portal, csrf.as_ref(), None).map_err(refuse(parts))?;
        Ok(FromUs)
    }
}

/// The token that changes on this page must carry: a desk's below `/desk`, else a holder's.
pub(crate) async fn csrf_of(parts: &mut Parts, portal: &Portal) -> Result<Option<Csrf>, Failed> {
    let path = parts.uri.path();
    if path == "/desk" || path.starts_with("/desk/") {
        return desk::csrf(parts, portal).await;
    }
    Ok(SignedIn::find(parts, portal).await?.map(|signed_in| signed_in.csrf))
}

/// Whether a change comes from a page of ours, with the token `csrf` in the header or as `sent`.
///
/// # Errors
/// [`Failed::Forbidden`].
pub(crate) fn check(
    parts: &Parts,
    portal: &Portal,
    csrf: Option<&Csrf>,
    sent: Option<&str>,
) -> Result<(), Failed> {
    let header = |name| header(&parts.headers, name);
    let is_ours = match (header(ORIGIN.as_str()), header("sec-fetch-site")) {
        (_, Some(site)) if site != "same-origin" => false,
        (Some(origin), _) => origin == portal.settings().public_url,
        (None, site) => site.is_some(),
    };
    let sent = sent.or_else(|| header("x-csrf-token"));
    let has_token = csrf.is_none_or(|csrf| sent.is_some_and(|sent| csrf.is(sent)));
    if is_ours && has_token { Ok(()) } else { Err(Failed::Forbidden) }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    // A header that is there and is no text is not ours either.
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

/// The failure in the shape that the asker reads.
fn refuse(parts: &Parts) -> impl Fn(Failed) -> Response + use<> {
    let asker = asker(parts);
    move |failed| match asker {
        Asker::Api => failed.as_json(),
        Asker::Htmx | Asker::Page => failed.into_response(),
    }
}

#[derive(serde::Deserialize)]
struct Token {
    csrf: Option<String>,
}
