//! A place on this website, and never on another: where a sign-in leads to afterwards.

use std::fmt::Write as _;

use axum::http::HeaderMap;
use axum::http::header::REFERER;
use axum::http::request::Parts;
use cekr_switch::http::quotable;

/// A path with its query.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LocalPath(String);

impl LocalPath {
    /// Takes what begins with one `/` and has only visible ASCII letters, and no `\`, which some
    /// browsers read as `/`. `//elsewhere` is a host and no path.
    #[must_use]
    pub fn parse(text: &str) -> Option<LocalPath> {
        let mut octets = text.bytes();
        let begins = octets.next() == Some(b'/') && octets.next() != Some(b'/');
        let is_plain = text.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'\\');
        // It will stand in an address: not with a card's number in it.
        let may_be_told = quotable(text) == text && text.len() <= OCTETS_MAX;
        (begins && is_plain && may_be_told).then(|| LocalPath(text.to_owned()))
    }

    /// What was typed, or the page that follows a sign-in.
    #[must_use]
    pub fn or_start(text: Option<&str>) -> LocalPath {
        text.and_then(Self::parse).unwrap_or_else(|| LocalPath(START.to_owned()))
    }

    /// The page that a request belongs to: its own when it reads, else the one that it came from.
    #[must_use]
    pub fn of(parts: &Parts, public_url: &str) -> LocalPath {
        if parts.method.is_safe() && !is_htmx(&parts.headers) {
            return Self::or_start(parts.uri.path_and_query().map(|path| path.as_str()));
        }
        let referer = parts.headers.get(REFERER).and_then(|value| value.to_str().ok());
        Self::or_start(referer.and_then(|address| address.strip_prefix(public_url)))
    }

    /// The path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path as a value in a query.
    #[must_use]
    pub fn in_query(&self) -> String {
        self.0.bytes().fold(String::with_capacity(self.0.len()), |mut text, octet| {
            if octet.is_ascii_alphanumeric() || b"-._~/".contains(&octet) {
                text.push(char::from(octet));
            } else {
                let _ = write!(text, "%{octet:02X}");
            }
            text
        })
    }
}

impl std::fmt::Display for LocalPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether the page's htmx sent it.
#[must_use]
pub fn is_htmx(headers: &HeaderMap) -> bool {
    headers.contains_key("hx-request")
}

const OCTETS_MAX: usize = 512;
const START: &str = "/cards";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_website_are_led_to() {
        for (text, taken) in [
            ("/card", true),
            ("/card?id=1&b=%20", true),
            ("/", true),
            ("//evil.example", false),
            ("/\\evil.example", false),
            ("/\t/evil.example", false),
            ("https://evil.example/", false),
            ("javascript:alert(1)", false),
            ("card", false),
            ("", false),
            ("/a b", false),
            ("/č", false),
            ("/a\r\nSet-Cookie: id=1", false),
        ] {
            assert_eq!(LocalPath::parse(text).is_some(), taken, "{text:?}");
        }
        assert_eq!(LocalPath::or_start(Some("//evil.example")).as_str(), START);
        assert!(LocalPath::parse(&format!("/{}", "a".repeat(OCTETS_MAX))).is_none());
    }

    #[test]
    fn a_path_survives_a_query() {
        let path = LocalPath::parse("/card?a=1&b=%2F").map(|path| path.in_query());
        assert_eq!(path.as_deref(), Some("/card%3Fa%3D1%26b%3D%252F"));
    }
}
