//! Purchases confirmed over HTTP: devices bound to cards, and who is asked.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may")]

mod support;

use serde_json::{Value, json};
use support::Site;
use support::authenticator::Authenticator;

/// What was bound to a card, the oldest first: what was before, and what came.
fn bindings(site: &Site, name: &str) -> Vec<(String, String)> {
    let card = site.card(name);
    let (_, audit) = site.operator("GET", "/v1/audit?limit=100", &Value::Null);
    assert_eq!(audit["is_whole"], true);
    let lines = audit["data"].as_array().unwrap().iter();
    let bound =
        lines.filter(|line| line["what"] == "confirmation_device_bound" && line["about"] == *card);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    bound.map(|line| (text(&line["before"]), text(&line["after"]))).collect()
}

#[test]
fn the_device_that_a_card_was_registered_with_confirms_its_purchases() {
    let site = Site::start();
    let _ = site.registered("ana");
    let bound = bindings(&site, "ana");
    assert_eq!(bound.len(), 1);
    assert!(bound[0].0.is_empty() && !bound[0].1.is_empty(), "{bound:?}");
    assert!(bindings(&site, "bor").is_empty(), "each card is bound by itself");
}

#[test]
fn whoever_comes_back_with_another_device_confirms_with_that_one() {
    let site = Site::start();
    let _ = site.registered("ana");
    let path = format!("/v1/holders?card={}", site.card("ana"));
    let (_, holders) = site.operator("GET", &path, &Value::Null);
    let recovery = format!("/v1/holders/{}/recovery", holders["data"][0]["id"].as_str().unwrap());
    let (status, recovered) = site.operator("POST", &recovery, &json!({}));
    assert_eq!(status, 200, "{recovered}");
    let mut device = Authenticator::new(&site.url);
    let code = recovered["code"].as_str().unwrap();
    assert_eq!(site.browser().register(&mut device, "ana", code).status, 303);
    let bound = bindings(&site, "ana");
    assert_eq!(bound.len(), 2);
    assert_eq!(bound[1].0, bound[0].1);
    assert_ne!(bound[1].1, bound[0].1);
}
