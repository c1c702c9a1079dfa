//! Webhooks: who is told what, by which signature, how often, and when that ends.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may")]

mod support;

use std::collections::BTreeSet;
use std::sync::mpsc::channel;
use std::time::Duration;

use cekr_portal::outbound::Reach;
use serde_json::{Value, json};
use support::Site;
use support::authenticator::Authenticator;
use support::receiver::{Answer, Heard, Receiver};
use support::tls::Authority;

const MINUTE_MS: u64 = 60 * 1_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// An endpoint for these kinds: its name and its secret.
fn endpoint(site: &Site, url: &str, events: &Value) -> (String, String) {
    let body = json!({"url": url, "events": events});
    let (status, made) = site.operator("POST", "/v1/webhooks", &body);
    assert_eq!(status, 200, "{made}");
    let text = |key: &str| made[key].as_str().unwrap().to_owned();
    (text("id"), text("secret"))
}

/// A load of one euro: something that happens.
fn load(site: &Site, reference: &str) {
    let card = site.card("ana");
    let body = json!({"amount": 1_00, "source": "branch_cash", "reference": reference});
    let (status, loaded) = site.operator("POST", &format!("/v1/cards/{card}/loads"), &body);
    assert_eq!(status, 200, "{loaded}");
}

/// The newest delivery, as soon as it is so.
fn newest(site: &Site, endpoint: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let path = format!("/v1/webhooks/{endpoint}/deliveries");
    let (_ring, bell) = channel::<()>();
    let mut seen = Value::Null;
    for _ in 0..3_000 {
        let (_, page) = site.operator("GET", &path, &Value::Null);
        seen = page["data"][0].clone();
        if is_so(&seen) {
            return seen;
        }
        let _ = bell.recv_timeout(Duration::from_millis(10));
    }
    panic!("it did not come to that: {seen}");
}

fn has_state(state: &str) -> impl Fn(&Value) -> bool {
    move |delivery| delivery["state"] == state
}

/// The signature by another implementation of HMAC.
fn signed(secret: &str, heard: &Heard) -> String {
    let (seconds, _) = heard.signature();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
    let tag = ring::hmac::sign(&key, format!("{seconds}.{}", heard.body).as_bytes());
    tag.as_ref().iter().map(|octet| format!("{octet:02x}")).collect()
}

#[test]
fn an_endpoint_is_told_what_happens_from_now_on_and_can_verify_it() {
    let (site, receiver) = (Site::start(), Receiver::start());
    load(&site, "before");
    let (id, secret) = endpoint(&site, &receiver.url, &json!(["loaded"]));
    assert!(secret.starts_with("whsec_") && secret.len() > 40, "{secret}");
    let card = site.card("ana");
    site.operator("POST", &format!("/v1/cards/{card}/lock"), &json!({}));
    load(&site, "behind");
    let heard = receiver.next();
    let (seconds, values) = heard.signature();
    assert_eq!(values, [signed(&secret, &heard)]);
    assert_eq!(seconds, site.portal.durable().now().unix_ms / 1_000);
    assert_eq!(heard.headers["content-type"], "application/json");
    let told = heard.json();
    let path = format!("/v1/cards/{card}/transactions?limit=1");
    let (_, history) = site.operator("GET", &path, &Value::Null);
    assert_eq!(told["data"], history["data"][0], "the entry as the history has it");
    assert_eq!(told["type"], "loaded");
    assert_eq!(told["data"]["reference"], "behind");
    assert!(heard.event().starts_with("ev_"), "{told}");
    let delivery = newest(&site, &id, has_state("delivered"));
    assert_eq!(delivery["event"], told["id"]);
    assert_eq!((&delivery["attempts"], &delivery["last"]["status"]), (&json!(1), &json!(200)));
    assert_eq!(delivery["last"]["answer"], "thanks");
    assert!(receiver.rest().is_empty(), "neither what was before nor what it did not ask for");
    for path in ["/v1/webhooks".to_owned(), format!("/v1/webhooks/{id}")] {
        let (_, shown) = site.operator("GET", &path, &Value::Null);
        assert!(!shown.to_string().contains("whsec_"), "{shown}");
    }
}

#[test]
fn an_endpoint_with_tls_is_told_when_its_authority_is_believed() {
    let authority = Authority::new();
    let (receiver, file) = (Receiver::start_tls(&authority), authority.file());
    let site = Site::with(|settings| settings.outbound.ca_file = Some(file.clone()));
    endpoint(&site, &receiver.url, &json!(["loaded"]));
    load(&site, "tls");
    assert_eq!(receiver.next().json()["data"]["reference"], "tls");
    std::fs::remove_file(file).unwrap();
}

#[test]
fn what_was_not_heard_is_told_again_and_the_pause_grows() {
    let (site, receiver) = (Site::start(), Receiver::start());
    let (id, secret) = endpoint(&site, &receiver.url, &json!(["*"]));
    receiver.answer([
        Answer::Says(500, "no".to_owned()),
        Answer::Says(302, String::new()),
        Answer::Says(200, format!("\u{1}{}", "x".repeat(5_000))),
    ]);
    load(&site, "again");
    let first = receiver.next();
    let after_one = newest(&site, &id, |delivery| delivery["attempts"] == 1);
    let now = site.portal.durable().now().unix_ms;
    let pause = |delivery: &Value| delivery["next_attempt"].as_u64().unwrap() - now;
    assert!((2_500..=5_000).contains(&pause(&after_one)), "{after_one}");
    assert_eq!(after_one["last"]["status"], 500);
    site.clock.advance_ms(5_000);
    let second = receiver.next();
    assert_eq!((first.event(), &first.body), (second.event(), &second.body));
    assert_eq!(second.signature().1, [signed(&secret, &second)]);
    assert_ne!(first.signature().0, second.signature().0, "signed anew");
    let after_two = newest(&site, &id, |delivery| delivery["attempts"] == 2);
    assert!(pause(&after_two) > 5_000 + 5_000 - 1, "{after_two}");
    site.clock.advance_ms(10_000);
    assert_eq!(receiver.next().event(), first.event());
    let delivery = newest(&site, &id, has_state("delivered"));
    let answer = delivery["last"]["answer"].as_str().unwrap();
    assert!(answer.starts_with(" xxx") && answer.len() <= 512, "{answer}");
    let path = format!("/v1/webhooks/{id}/deliveries/{}", delivery["id"].as_str().unwrap());
    let (_, shown) = site.operator("GET", &path, &Value::Null);
    let statuses: Vec<&Value> =
        shown["tries"].as_array().unwrap().iter().map(|attempt| &attempt["status"]).collect();
    assert_eq!(statuses, [200, 302, 500]);
    assert_eq!(shown["body"]["data"]["reference"], "again");
}

#[test]
fn an_endpoint_that_is_gone_is_told_no_more() {
    let (site, receiver) = (Site::start(), Receiver::start());
    let (id, _) = endpoint(&site, &receiver.url, &json!(["loaded"]));
    receiver.answer([Answer::Says(410, String::new())]);
    load(&site, "gone");
    receiver.next();
    newest(&site, &id, has_state("given_up"));
    let path = format!("/v1/webhooks/{id}");
    let state = || site.operator("GET", &path, &Value::Null).1["state"].clone();
    assert_eq!(newest(&site, &id, |_| state() == "gone")["attempts"], 1);
    load(&site, "unheard");
    let (status, enabled) = site.operator("POST", &format!("{path}/enable"), &json!({}));
    assert_eq!((status, &enabled["state"]), (200, &json!("enabled")));
    load(&site, "heard");
    assert_eq!(receiver.next().json()["data"]["reference"], "heard");
    assert!(receiver.rest().is_empty());
}

#[test]
fn a_silent_endpoint_keeps_no_other_waiting() {
    let (site, silent, quick) = (Site::start(), Receiver::start(), Receiver::start());
    silent.answer(vec![Answer::Never; 100]);
    let (of_silent, _) = endpoint(&site, &silent.url, &json!(["loaded"]));
    let (of_quick, _) = endpoint(&site, &quick.url, &json!(["loaded"]));
    for count in 0..30 {
        load(&site, &format!("n{count}"));
    }
    let heard: BTreeSet<String> = (0..30).map(|_| quick.next().event()).collect();
    assert_eq!(heard.len(), 30);
    assert_eq!(newest(&site, &of_quick, has_state("delivered"))["attempts"], 1);
    let waits = newest(&site, &of_silent, has_state("waiting"));
    assert_eq!(waits["attempts"], 0, "{waits}");
    assert!(silent.rest().len() <= 4, "few calls of one endpoint are under way");
}

#[test]
fn after_three_days_a_delivery_is_given_up_and_can_be_sent_again_by_hand() {
    let site = Site::start();
    let receiver = Receiver::start();
    let (id, _) = endpoint(&site, &receiver.url, &json!(["loaded"]));
    receiver.answer([Answer::Says(503, String::new()), Answer::Says(503, String::new())]);
    load(&site, "late");
    receiver.next();
    newest(&site, &id, |delivery| delivery["attempts"] == 1);
    site.clock.advance_ms(3 * DAY_MS);
    receiver.next();
    let delivery = newest(&site, &id, has_state("given_up"));
    assert_eq!((&delivery["attempts"], &delivery["next_attempt"]), (&json!(2), &Value::Null));
    let path = format!("/v1/webhooks/{id}/deliveries/{}", delivery["id"].as_str().unwrap());
    let (status, sent) = site.operator("POST", &format!("{path}/resend"), &json!({}));
    assert_eq!((status, &sent["state"]), (200, &json!("waiting")));
    assert_eq!(receiver.next().event(), delivery["event"].as_str().unwrap());
    assert_eq!(newest(&site, &id, has_state("delivered"))["attempts"], 3);
    site.clock.advance_ms(31 * DAY_MS);
    newest(&site, &id, Value::is_null);
    assert_eq!(site.operator("GET", &path, &Value::Null).0, 404, "old deliveries are dropped");
}

#[test]
fn a_new_secret_signs_beside_the_old_one_for_a_day() {
    let (site, receiver) = (Site::start(), Receiver::start());
    let (id, old) = endpoint(&site, &receiver.url, &json!(["loaded"]));
    let (status, changed) = site.operator("POST", &format!("/v1/webhooks/{id}/secret"), &json!({}));
    assert_eq!(status, 200, "{changed}");
    let new = changed["secret"].as_str().unwrap();
    assert_ne!(new, old);
    load(&site, "both");
    let heard = receiver.next();
    assert_eq!(heard.signature().1, [signed(new, &heard), signed(&old, &heard)]);
    site.clock.advance_ms(DAY_MS);
    load(&site, "one");
    let heard = receiver.next();
    assert_eq!(heard.signature().1, [signed(new, &heard)]);
}

#[test]
fn what_cannot_be_an_endpoint_is_refused_with_its_place() {
    let site = Site::with(|settings| settings.outbound.reach = Reach::Public);
    let (good, long) =
        ("https://example.com/hook", format!("https://a.example/{}", "a".repeat(2_000)));
    for (body, param) in [
        (json!({"url": "http://example.com/", "events": ["*"]}), json!("url")),
        (json!({"url": "example.com", "events": ["*"]}), json!("url")),
        (json!({"url": "https://me:pw@example.com/", "events": ["*"]}), json!("url")),
        (json!({"url": long, "events": ["*"]}), json!("url")),
        (json!({"url": good, "events": []}), json!("events")),
        (json!({"url": good, "events": ["Loaded"]}), json!("events")),
        (json!({"url": good}), Value::Null),
        (json!({"url": good, "events": ["*"], "secret": "mine"}), Value::Null),
    ] {
        let (status, told) = site.operator("POST", "/v1/webhooks", &body);
        assert_eq!((status, &told["error"]["param"]), (400, &param), "{body} {told}");
    }
    for path in ["/v1/webhooks/we_x", "/v1/webhooks/we_x/deliveries"] {
        assert_eq!(site.operator("GET", path, &Value::Null).0, 404);
    }
    let body = json!({"url": good, "events": ["never_happens"]});
    let made: Vec<u16> = (0..17).map(|_| site.operator("POST", "/v1/webhooks", &body).0).collect();
    assert_eq!((&made[..16], made[16]), (&[200; 16][..], 409));
    let (_, all) = site.operator("GET", "/v1/webhooks", &Value::Null);
    let first = format!("/v1/webhooks/{}", all["data"][0]["id"].as_str().unwrap());
    assert_eq!(site.operator("DELETE", &first, &Value::Null).0, 200);
    assert_eq!(site.operator("GET", &first, &Value::Null).0, 404);
    assert_eq!(site.operator("POST", "/v1/webhooks", &body).0, 200);
}

#[test]
fn a_private_address_is_not_called_where_the_settings_forbid_it() {
    let site = Site::with(|settings| settings.outbound.reach = Reach::Public);
    let receiver = Receiver::start();
    let url = receiver.url.replace("http://", "https://");
    let (id, _) = endpoint(&site, &url, &json!(["loaded"]));
    load(&site, "inside");
    let delivery = newest(&site, &id, |delivery| delivery["attempts"] == 1);
    assert_eq!(delivery["last"]["status"], Value::Null);
    let fault = delivery["last"]["fault"].as_str().unwrap();
    assert!(fault.contains("private_targets"), "{fault}");
    assert!(receiver.rest().is_empty());
}

#[test]
fn the_desk_shows_what_was_sent_and_sends_it_again() {
    let (site, receiver) = (Site::start(), Receiver::start());
    let (id, secret) = endpoint(&site, &receiver.url, &json!(["loaded"]));
    receiver.answer([Answer::Says(500, "<script>alert(1)</script>".to_owned())]);
    load(&site, "desk");
    receiver.next();
    let delivery = newest(&site, &id, |delivery| delivery["attempts"] == 1);
    let on_desk = |name: &str, roles: Value| {
        let body = json!({"name": name, "roles": roles});
        let (_, made) = site.operator("POST", "/v1/operators", &body);
        let (browser, mut device) = (site.browser(), Authenticator::new(&site.url));
        let fields = [("name", name), ("code", made["code"].as_str().unwrap())];
        let ceremony = browser.post("/desk/register", &fields).field("ceremony");
        let begun = browser.post("/desk/register/begin", &[("ceremony", &ceremony)]).json();
        let credential = device.create(&begun["publicKey"]).to_string();
        let ceremony = begun["ceremony"].as_str().unwrap();
        let fields = [("ceremony", ceremony), ("credential", &*credential)];
        assert_eq!(browser.post("/desk/register/finish", &fields).status, 303);
        browser
    };
    let (maja, jan) = (on_desk("Maja", json!(["support"])), on_desk("Jan", json!(["branch"])));
    let auditor = on_desk("Eva", json!(["auditor"]));
    let page = maja.get(&format!("/desk/webhooks?endpoint={id}"));
    assert_eq!(page.status, 200, "{}", page.body);
    let event = delivery["event"].as_str().unwrap();
    assert!(page.body.contains(event) && page.body.contains("&#60;script&#62;"), "{}", page.body);
    assert!(!page.body.contains(&secret));
    let resend = format!("/desk/webhooks/{}/resend", delivery["id"].as_str().unwrap());
    let csrf = page.field("csrf");
    assert_eq!(maja.post(&resend, &[]).status, 403, "without the session's token");
    assert_eq!(maja.post(&resend, &[("csrf", &csrf)]).status, 303);
    assert_eq!(receiver.next().event(), event);
    newest(&site, &id, has_state("delivered"));
    let csrf = jan.get("/desk").field("csrf");
    assert_eq!(jan.get("/desk/webhooks").status, 403);
    assert_eq!(jan.post(&resend, &[("csrf", &csrf)]).status, 403);
    assert_eq!(site.browser().get("/desk/webhooks").status, 303);
    let csrf = auditor.get("/desk").field("csrf");
    assert_eq!(auditor.get("/desk/webhooks").status, 200, "looks");
    assert_eq!(auditor.post(&resend, &[("csrf", &csrf)]).status, 403, "and changes nothing");
    site.operator("POST", &format!("/v1/webhooks/{id}/disable"), &json!({}));
    let csrf = maja.get("/desk").field("csrf");
    assert_eq!(maja.post(&resend, &[("csrf", &csrf)]).status, 409);
}
