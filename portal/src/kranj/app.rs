//! What makes the website installable: its manifest, its worker, and the page without a network.
//!
//! The worker keeps a page that is nobody's own, with its style and icon, and nothing else: no
//! answer that somebody was signed in for is ever kept.

use askama::Template;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::Portal;
use crate::page::{Page, show};

/// `GET /manifest.webmanifest`
pub async fn manifest(State(portal): State<Portal>, page: Page) -> Response {
    let icon = |name: &str, sizes: &str, purpose: &str| {
        let kind = if name.ends_with(".svg") { "image/svg+xml" } else { "image/png" };
        let src = portal.assets().address(name);
        json!({ "src": src, "sizes": sizes, "type": kind, "purpose": purpose })
    };
    let manifest = json!({
        "id": "/kranj",
        "name": page.say.text("kranj-title"),
        "short_name": page.say.text("kranj-title"),
        "description": page.say.text("kranj-about"),
        "lang": page.say.language().code(),
        "start_url": "/kranj",
        "scope": "/",
        "display": "standalone",
        "background_color": PAPER,
        "theme_color": BRAND,
        "icons": [
            icon("icon-192.png", "192x192", "any"),
            icon("icon-512.png", "512x512", "any"),
            icon("icon-maskable-512.png", "512x512", "maskable"),
            icon("icon.svg", "any", "any"),
        ],
    });
    let kind = [(header::CONTENT_TYPE, "application/manifest+json")];
    (kind, manifest.to_string()).into_response()
}

#[derive(Template)]
#[template(path = "kranj/offline.html")]
struct Offline {
    style: String,
    icon: String,
}

/// `GET /offline`: what the worker shows where the network does not answer. It is the same for
/// everybody, in both languages, and asks no session.
pub async fn offline(State(portal): State<Portal>) -> Response {
    show(StatusCode::OK, &page_without_network(&portal))
}

fn page_without_network(portal: &Portal) -> Offline {
    let address = |name| portal.assets().address(name);
    Offline { style: address("cekr.css"), icon: address("icon.svg") }
}

#[derive(Template)]
#[template(path = "kranj/worker.js", escape = "none")]
struct Worker {
    mark: String,
    shell: String,
}

/// `GET /worker.js`: the browser asks for it anew at each visit, and takes another one over.
pub async fn worker(State(portal): State<Portal>) -> Response {
    let offline = page_without_network(&portal);
    let shell = json!(["/offline", offline.style, offline.icon]).to_string();
    let page = offline.render().unwrap_or_default();
    let digest: [u8; 32] = Sha256::digest(page.as_bytes()).into();
    let mark = digest.iter().take(6).map(|octet| format!("{octet:02x}")).collect();
    match (Worker { mark, shell }).render() {
        Ok(script) => {
            let kind = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")];
            (kind, script).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "the worker's script could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

const PAPER: &str = "#f5f6f4";
const BRAND: &str = "#0d4f5c";
