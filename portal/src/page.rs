//! What every page has in common: language, layout, headers, and how it says that something failed.

pub mod address;
pub mod assets;
pub mod failed;
pub mod language;
pub mod money;
pub mod nonce;
pub mod texts;

use askama::Template;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{self, HeaderMap, HeaderName};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use cekr_switch::http::ApiError;

use crate::Portal;
use crate::card::notices;
use crate::confirm;
use crate::identity::SignedIn;
use crate::identity::posted::csrf_of;
use failed::Failure;
use nonce::Nonce;
use texts::{Language, Say};

/// What a template needs besides its own matter. Every template's struct has one as `page`.
#[derive(Clone)]
pub struct Page {
    /// The texts in the reader's language.
    pub say: Say,
    /// The path that was asked for, so that a link can lead back to it.
    pub path: String,
    /// What this page's scripts and live elements carry: whatever is injected does not know it.
    pub nonce: Nonce,
    /// Who is signed in, if somebody is.
    pub signed_in: Option<SignedIn>,
    /// What the hidden field `csrf` of a form has; empty while nobody is signed in.
    pub csrf: String,
    /// How many notices they have not read.
    pub notices: usize,
    /// How many purchases wait for their confirmation.
    pub waiting: usize,
    portal: Portal,
}

impl Page {
    /// The address of an asset, with a mark of its content in it.
    #[must_use]
    pub fn asset(&self, name: &str) -> String {
        self.portal.assets().address(name)
    }

    /// The header's links: addresses and the keys of their names.
    #[must_use]
    pub const fn menu(&self) -> &'static [(&'static str, &'static str)] {
        match self.signed_in {
            Some(_) => &[
                ("/cards", "menu-cards"),
                ("/confirmations", "menu-confirmations"),
                ("/kranj", "menu-kranj"),
                ("/load", "menu-load"),
                ("/fee", "menu-fee"),
                ("/devices", "menu-devices"),
            ],
            None => &[("/load", "menu-load"), ("/fee", "menu-fee"), ("/sign-in", "menu-sign-in")],
        }
    }

    /// The languages that the header offers.
    #[must_use]
    pub fn languages(&self) -> &'static [Language] {
        &Language::ALL
    }
}

impl FromRequestParts<Portal> for Page {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        portal: &Portal,
    ) -> Result<Page, Self::Rejection> {
        let language = language_of(&parts.headers);
        let say = portal.texts().say(language);
        let nonce = parts.extensions.get::<Nonce>().cloned().unwrap_or_default();
        // The store's failure is logged; a page that needs somebody asks for them itself.
        let signed_in = SignedIn::find(parts, portal).await.unwrap_or_default();
        let csrf = csrf_of(parts, portal).await.unwrap_or_default();
        let csrf = csrf.map(|csrf| csrf.as_str().to_owned()).unwrap_or_default();
        // A page repeats its path: never with a card's number that somebody put into it.
        let path = language::within(parts.uri.path()).to_owned();
        let notices = match &signed_in {
            // A header without its count is still a header.
            Some(who) => notices::unread(portal, &who.holder).await.unwrap_or_default(),
            None => 0,
        };
        let waiting = match &signed_in {
            Some(who) => confirm::waiting(portal, &who.holder).await.unwrap_or_default(),
            None => 0,
        };
        Ok(Page { say, path, nonce, signed_in, csrf, notices, waiting, portal: portal.clone() })
    }
}

/// The reader's language: the one chosen by hand (cookie `lang`), else the browser's first that we
/// have, else Slovene.
#[must_use]
pub fn language_of(headers: &HeaderMap) -> Language {
    let chosen = cookie(headers, LANGUAGE_COOKIE).and_then(Language::parse);
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let accepts = || accepted?.split(',').find_map(|part| Language::parse(part.trim()));
    chosen.or_else(accepts).unwrap_or_default()
}

/// The value of a cookie.
#[must_use]
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

/// A template as an answer.
pub fn show(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    page: Page,
}

/// `GET /`
pub async fn home(page: Page) -> Response {
    show(StatusCode::OK, &Home { page })
}

/// What nobody serves: a page for people, the API's shape below `/v1`.
pub async fn not_found(State(_): State<Portal>, page: Page, request: Request) -> Response {
    let path = request.uri().path();
    if path.starts_with("/v1/") {
        return ApiError::not_found(format!("there is no {path}; see /v1/openapi.json"))
            .into_response();
    }
    let failure = Failure { page, title: "not-found-title", words: "not-found-words" };
    show(StatusCode::NOT_FOUND, &failure)
}

/// Headers of every page: nothing from elsewhere, nothing inline, in no frame, in no cache.
///
/// Scripts run by the page's own nonce alone, and text becomes elements only through the policy of
/// htmx, whose extension takes no live attribute without that nonce.
pub async fn headers(mut request: Request, next: Next) -> Response {
    let Some(nonce) = Nonce::drawn() else {
        tracing::error!("no randomness is to be had for a page");
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    request.extensions_mut().insert(nonce.clone());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::try_from(nonce.policy()) {
        headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
    }
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// The cookie that keeps a language chosen by hand.
pub const LANGUAGE_COOKIE: &str = "lang";

const HEADERS: [(HeaderName, &str); 4] = [
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::CACHE_CONTROL, "no-store"),
];
