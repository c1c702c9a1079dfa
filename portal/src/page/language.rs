//! `POST /language`: the reader's language chosen by hand, kept in a cookie.

use axum::extract::{Form, State};
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::LANGUAGE_COOKIE;
use super::texts::Language;
use crate::Portal;
use crate::identity::LocalPath;

/// What the header's form sends.
#[derive(Deserialize)]
pub struct Chosen {
    language: String,
    #[serde(default)]
    next: String,
}

/// Keeps the language for a year and leads back. An unknown language changes nothing.
pub async fn choose(State(portal): State<Portal>, Form(chosen): Form<Chosen>) -> Response {
    let back = Redirect::to(within(&chosen.next));
    let Some(language) = Language::parse(&chosen.language) else {
        return back.into_response();
    };
    let secure = if portal.settings().public_url.starts_with("https:") { "; Secure" } else { "" };
    let cookie = format!(
        "{LANGUAGE_COOKIE}={}; Path=/; Max-Age={KEPT_S}; HttpOnly; SameSite=Lax{secure}",
        language.code()
    );
    ([(header::SET_COOKIE, cookie)], back).into_response()
}

/// `path` if it leads nowhere but into this site, else the start.
#[must_use]
pub fn within(path: &str) -> &str {
    if LocalPath::parse(path).is_some() { path } else { "/" }
}

/// A year.
const KEPT_S: u32 = 31_536_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_back_never_leads_out_of_the_site() {
        assert_eq!(within("/cards/abc?x=1"), "/cards/abc?x=1");
        for other in
            ["", "//evil.example", "/\\evil.example", "https://evil.example", "/a b", "/\r\nx"]
        {
            assert_eq!(within(other), "/", "{other:?}");
        }
    }
}
