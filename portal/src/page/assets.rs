//! Scripts, styles and pictures, built in, each under a name with a mark of its content.
//!
//! A changed file has another name, so that browsers may keep what they have for a year.

use std::collections::HashMap;
use std::fmt::Write as _;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest as _, Sha256};

use crate::Portal;

/// Every asset by its marked name.
pub struct Assets {
    by_address: HashMap<String, &'static Asset>,
    addresses: HashMap<&'static str, String>,
}

struct Asset {
    name: &'static str,
    kind: &'static str,
    octets: &'static [u8],
}

macro_rules! asset {
    ($name:literal, $kind:expr, $file:literal) => {
        Asset { name: $name, kind: $kind, octets: include_bytes!(concat!("../../assets/", $file)) }
    };
}

static ASSETS: &[Asset] = &[
    asset!("cekr.css", CSS, "cekr.css"),
    asset!("cekr.js", SCRIPT, "cekr.js"),
    asset!("icon.svg", PICTURE, "icon.svg"),
    asset!("icon-180.png", PNG, "icon-180.png"),
    asset!("icon-192.png", PNG, "icon-192.png"),
    asset!("icon-512.png", PNG, "icon-512.png"),
    asset!("icon-maskable-512.png", PNG, "icon-maskable-512.png"),
    asset!("htmx.js", SCRIPT, "htmx/htmx.min.js"),
    asset!("hx-csp.js", SCRIPT, "htmx/hx-csp.min.js"),
    asset!("hx-sse.js", SCRIPT, "htmx/hx-sse.min.js"),
];

impl Assets {
    /// What is built in.
    #[must_use]
    pub fn built_in() -> Assets {
        let mut assets = Assets { by_address: HashMap::new(), addresses: HashMap::new() };
        for asset in ASSETS {
            let (stem, ending) = asset.name.rsplit_once('.').unwrap_or((asset.name, ""));
            let address = format!("{stem}-{}.{ending}", mark(asset.octets));
            assets.addresses.insert(asset.name, format!("/assets/{address}"));
            assets.by_address.insert(address, asset);
        }
        assets
    }

    /// The address of an asset; an unknown name leads nowhere, and a test finds it.
    #[must_use]
    pub fn address(&self, name: &str) -> String {
        self.addresses.get(name).cloned().unwrap_or_else(|| format!("/assets/{name}"))
    }
}

/// `GET /assets/{name}`
pub async fn show(State(portal): State<Portal>, Path(name): Path<String>) -> Response {
    let Some(asset) = portal.assets().by_address.get(&name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, asset.kind),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (headers, asset.octets).into_response()
}

fn mark(octets: &[u8]) -> String {
    let digest: [u8; 32] = Sha256::digest(octets).into();
    digest.iter().take(MARK_OCTETS).fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

const MARK_OCTETS: usize = 6;
const CSS: &str = "text/css; charset=utf-8";
const PICTURE: &str = "image/svg+xml";
const PNG: &str = "image/png";
const SCRIPT: &str = "text/javascript; charset=utf-8";
