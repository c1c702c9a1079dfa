//! One address for the website: a browser that came by the machine's number is led to its name.
//!
//! Passkeys, cookies and the proof that a change comes from our own page are bound to the address
//! that the settings name. At `http://127.0.0.1:8080` the pages would show, and every form on them
//! would be refused.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::Portal;
use crate::identity::LocalPath;

/// Around all pages: leads a person's browser to the website's own address.
pub async fn lead_home(State(portal): State<Portal>, request: Request, next: Next) -> Response {
    let is_visit = request.method().is_safe() && is_navigation(request.headers());
    if is_visit && is_by_number(request.headers(), &portal.settings().public_url) {
        let path = request.uri().path_and_query().map(|path| path.as_str());
        let path = path.and_then(LocalPath::parse);
        let path = path.as_ref().map_or("/", LocalPath::as_str);
        let address = format!("{}{path}", portal.settings().public_url);
        if let Ok(address) = HeaderValue::from_str(&address) {
            let led = [(header::LOCATION, address)];
            return (StatusCode::TEMPORARY_REDIRECT, led).into_response();
        }
    }
    next.run(request).await
}

/// Whether a person opens a page; programs may come by any address.
fn is_navigation(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-mode").is_some_and(|mode| mode == "navigate")
}

/// Whether somebody came to the port of `public_url` by a loopback address, and not by its name.
/// A proxy in front that names us by number stands on another port, and is left alone.
fn is_by_number(headers: &HeaderMap, public_url: &str) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let came_by = host.and_then(|host| format!("http://{host}").parse::<Uri>().ok());
    let (Some(came_by), Ok(ours)) = (came_by, public_url.parse::<Uri>()) else {
        return false;
    };
    let is_loopback = matches!(came_by.host(), Some("127.0.0.1" | "[::1]" | "0.0.0.0"));
    let is_other = came_by.host() != ours.host() && ours.scheme_str() == Some("http");
    is_loopback && is_other && came_by.port_u16() == ours.port_u16()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    #[test]
    fn only_the_number_of_the_same_port_is_another_name_of_ours() {
        for (host, public_url, by_number) in [
            ("127.0.0.1:8080", "http://localhost:8080", true),
            ("[::1]:8080", "http://localhost:8080", true),
            ("localhost:8080", "http://localhost:8080", false),
            ("127.0.0.1:8080", "http://127.0.0.1:8080", false),
            ("127.0.0.1:8080", "http://localhost:3000", false),
            ("127.0.0.1:8080", "https://cekr.example", false),
            ("evil.example:8080", "http://localhost:8080", false),
            ("no host", "http://localhost:8080", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(host));
            assert_eq!(is_by_number(&headers, public_url), by_number, "{host} {public_url}");
        }
    }
}
