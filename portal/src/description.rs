//! The description of what the website serves below `/v1`, in OpenAPI 3.1.
//!
//! It is made of the handlers' own annotations, checked in as `openapi.json` so that a reader and a
//! review see it, and merged into the description that the switch serves. What both have (cards,
//! entries, errors) stands in the switch's part and is named here.

use serde_json::{Value, json};
use utoipa::OpenApi;

use crate::card::{api, own_limits};
use crate::{confirm, identity, kranj, loads, statements, webhooks};

#[derive(OpenApi)]
#[openapi(
    paths(
        api::list,
        api::show,
        api::update,
        api::lock,
        api::unlock,
        api::report,
        api::transactions,
        api::events,
        own_limits::show,
        own_limits::update,
        confirm::api::list,
        confirm::api::show,
        confirm::api::begin,
        confirm::api::finish,
        confirm::api::refuse,
        confirm::api::events,
        confirm::api::device,
        confirm::api::bind,
    ),
    tags((name = "holder", description = "A signed-in holder's own cards"))
)]
struct Website;

/// Paths and components, to be merged into the switch's description: a part has no title and no
/// version of its own.
pub(crate) fn openapi() -> Value {
    let all = serde_json::to_value(Website::openapi()).unwrap_or_default();
    let part = |pointer| all.pointer(pointer).cloned().unwrap_or_default();
    let mut schemas = part("/components/schemas");
    if let Some(schemas) = schemas.as_object_mut() {
        schemas.insert("HolderCards".to_owned(), list("#/components/schemas/Card"));
        schemas.insert("HolderEntries".to_owned(), list("#/components/schemas/Entry"));
    }
    let holder = json!({
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-id",
        "description": "The session's cookie; without TLS, on this machine only, it is named `id`.",
    });
    let mut website = json!({
        "tags": part("/tags"),
        "paths": part("/paths"),
        "components": { "schemas": schemas, "securitySchemes": { "holder": holder } },
    });
    add(&mut website, loads::openapi());
    add(&mut website, kranj::openapi());
    add(&mut website, statements::openapi());
    add(&mut website, identity::openapi());
    add(&mut website, webhooks::openapi());
    website
}

/// Adds the part of a folder that writes its own: objects are joined, what is there stays.
fn add(all: &mut Value, part: Value) {
    let (Value::Object(all), Value::Object(part)) = (all, part) else {
        return;
    };
    for (key, value) in part {
        match all.get_mut(&key) {
            Some(known) => add(known, value),
            None => {
                all.insert(key, value);
            }
        }
    }
}

fn list(items: &str) -> Value {
    json!({
        "type": "object",
        "required": ["data", "has_more"],
        "properties": {
            "data": { "type": "array", "items": { "$ref": items } },
            "has_more": { "type": "boolean" },
        },
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    /// To renew it: `CEKR_WRITE_OPENAPI=1 cargo test -p cekr-portal description`.
    #[test]
    fn the_checked_in_description_is_the_generated_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        let generated = format!("{}\n", serde_json::to_string_pretty(&openapi()).unwrap());
        if std::env::var_os("CEKR_WRITE_OPENAPI").is_some() {
            std::fs::write(path, &generated).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap();
        assert_eq!(kept, generated, "see this test's comment");
    }
}
