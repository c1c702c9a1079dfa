//! Whose it is: every route with an id in it is 404 to whoever it does not belong to.
//!
//! The routes are read out of the sources, so that a new one without a row here is found.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may")]

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;
use support::{Browser, Reply, Site};

/// Whom the id in a route belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Whose {
    /// Everybody may see it.
    Anyone,
    /// A call about a card: nobody signed in is 401.
    CallOfHolder,
    /// A call about a thing of a holder that is no card.
    CallOfOwn,
    /// A page about a card: nobody signed in is led to sign in.
    Holder,
    /// Whoever knows the name, which nobody can guess.
    Link,
    /// Only a program with the operator's token.
    Operator,
    /// A thing of a holder that is no card.
    Own,
}

use Whose::{Anyone, CallOfHolder, CallOfOwn, Holder, Link, Operator, Own};

/// Every route with an id in it but the desks', which all need an operator. Where the test below
/// fails, the new route gets its line here.
const ROUTES: &[(Whose, &str, &str)] = &[
    (Link, "GET", "/3ds/challenge/{id}"),
    (Link, "POST", "/3ds/challenge/{id}/cancel"),
    (Link, "GET", "/3ds/challenge/{id}/end"),
    (Anyone, "GET", "/assets/{name}"),
    (Holder, "GET", "/cards/{id}"),
    (Holder, "POST", "/cards/{id}/channels"),
    (Holder, "GET", "/cards/{id}/history"),
    (Holder, "GET", "/cards/{id}/limits"),
    (Holder, "POST", "/cards/{id}/limits"),
    (Holder, "GET", "/cards/{id}/live"),
    (Holder, "GET", "/cards/{id}/load/upn"),
    (Holder, "POST", "/cards/{id}/lock"),
    (Holder, "GET", "/cards/{id}/now"),
    (Holder, "GET", "/cards/{id}/report"),
    (Holder, "POST", "/cards/{id}/report"),
    (Holder, "GET", "/cards/{id}/turn-on"),
    (Holder, "GET", "/cards/{id}/unlock"),
    (Holder, "POST", "/cards/{id}/unlock"),
    (Holder, "POST", "/confirmations/cards/{card}/device"),
    (Holder, "POST", "/confirmations/cards/{card}/no-device"),
    (Own, "GET", "/confirmations/{id}"),
    (Own, "POST", "/confirmations/{id}/approve"),
    (Own, "POST", "/confirmations/{id}/begin"),
    (Own, "POST", "/confirmations/{id}/refuse"),
    (Own, "POST", "/devices/{id}/remove"),
    (Own, "POST", "/devices/{id}/rename"),
    (Holder, "GET", "/kranj/{id}"),
    (Holder, "GET", "/kranj/{id}/now"),
    (Holder, "GET", "/kranj/{id}/points"),
    (Link, "GET", "/load/{id}"),
    (Own, "POST", "/load/means/{id}/forget"),
    (Link, "GET", "/sandbox/psp/{order}"),
    (Link, "POST", "/sandbox/psp/{order}"),
    (Link, "GET", "/sandbox/psp/{order}/bank"),
    (Link, "POST", "/sandbox/psp/{order}/bank"),
    (Own, "POST", "/sessions/{id}/end"),
    (Operator, "GET", "/v1/card-loads/{id}"),
    (Operator, "POST", "/v1/card-loads/{id}/chargeback"),
    (Operator, "POST", "/v1/card-loads/{id}/refund"),
    (Operator, "POST", "/v1/cards/{id}/enrolment_codes"),
    (CallOfHolder, "GET", "/v1/holder/cards/{id}"),
    (CallOfHolder, "PATCH", "/v1/holder/cards/{id}"),
    (CallOfHolder, "GET", "/v1/holder/cards/{id}/confirmation_device"),
    (CallOfHolder, "PATCH", "/v1/holder/cards/{id}/confirmation_device"),
    (CallOfHolder, "GET", "/v1/holder/cards/{id}/events"),
    (CallOfHolder, "GET", "/v1/holder/cards/{id}/limits"),
    (CallOfHolder, "PATCH", "/v1/holder/cards/{id}/limits"),
    (CallOfHolder, "POST", "/v1/holder/cards/{id}/lock"),
    (CallOfHolder, "GET", "/v1/holder/cards/{id}/points"),
    (CallOfHolder, "GET", "/v1/holder/cards/{id}/points/history"),
    (CallOfHolder, "POST", "/v1/holder/cards/{id}/report"),
    (CallOfHolder, "GET", "/v1/holder/cards/{id}/transactions"),
    (CallOfHolder, "POST", "/v1/holder/cards/{id}/unlock"),
    (CallOfOwn, "GET", "/v1/holder/confirmations/{id}"),
    (CallOfOwn, "POST", "/v1/holder/confirmations/{id}/approve/begin"),
    (CallOfOwn, "POST", "/v1/holder/confirmations/{id}/approve/finish"),
    (CallOfOwn, "POST", "/v1/holder/confirmations/{id}/refuse"),
    (Operator, "POST", "/v1/holders/{id}/recovery"),
    (Operator, "GET", "/v1/receipts/{seq}"),
    (Operator, "POST", "/v1/suspense/{id}/assignments"),
    (Operator, "POST", "/v1/suspense/{id}/assignments/approve"),
    (Operator, "POST", "/v1/suspense/{id}/return"),
    (Operator, "GET", "/v1/suspense/{id}/return.xml"),
    (Operator, "DELETE", "/v1/webhooks/{id}"),
    (Operator, "GET", "/v1/webhooks/{id}"),
    (Operator, "GET", "/v1/webhooks/{id}/deliveries"),
    (Operator, "GET", "/v1/webhooks/{id}/deliveries/{delivery}"),
    (Operator, "POST", "/v1/webhooks/{id}/deliveries/{delivery}/resend"),
    (Operator, "POST", "/v1/webhooks/{id}/disable"),
    (Operator, "POST", "/v1/webhooks/{id}/enable"),
    (Operator, "POST", "/v1/webhooks/{id}/secret"),
];

/// What forms are sent: enough of each for its handler to look at whose the id is.
const FIELDS: [(&str, &str); 6] = [
    ("channel", "abroad"),
    ("ticked", "false"),
    ("on", "false"),
    ("reason", "lost"),
    ("confirm", "yes"),
    ("label", "mine now"),
];

fn rows(whose: Whose) -> impl Iterator<Item = (&'static str, &'static str)> {
    let of = move |row: &&(Whose, &str, &str)| row.0 == whose;
    ROUTES.iter().filter(of).map(|(_, method, path)| (*method, *path))
}

fn ask(browser: &Browser<'_>, method: &str, path: &str, id: &str) -> Reply {
    let at = path.find('{').unwrap();
    let end = path.find('}').unwrap();
    let mut path = format!("{}{id}{}", &path[..at], &path[end + 1..]);
    if path.ends_with("/turn-on") {
        path.push_str("?channel=abroad");
    }
    if method == "GET" {
        return browser.get(&path);
    }
    let csrf = browser.csrf();
    if path.starts_with("/v1/") {
        let body = match path.rsplit('/').next().unwrap() {
            "report" => json!({ "reason": "lost" }),
            "confirmation_device" => json!({ "device": null }),
            "finish" => json!({ "ceremony": "x", "credential": {} }),
            "limits" => json!({ "cash_day": 100_00 }),
            _ => json!({ "channels": { "abroad": false } }),
        };
        return browser.api(method, &path, &csrf, &body);
    }
    let fields: Vec<(&str, &str)> = FIELDS.into_iter().chain([("csrf", &*csrf)]).collect();
    browser.post(&path, &fields)
}

/// What was answered, without the reader's path and nonce in the page's head.
fn main_of(reply: &Reply) -> &str {
    reply.body.split_once("<main").map_or(&*reply.body, |(_, main)| main)
}

/// Every `.route("...", get(...).post(...))` below `folder`.
fn routes_of(folder: &Path, found: &mut BTreeSet<(String, String)>) {
    for item in std::fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            routes_of(&path, found);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        for (at, mark) in text.match_indices(".route(") {
            let rest = text[at + mark.len()..].trim_start();
            let Some(rest) = rest.strip_prefix('"') else {
                let name = rest.split(',').next().unwrap();
                assert_eq!(name, "provider::CALLBACK", "{path:?}: write the path as a text");
                continue;
            };
            let (route, rest) = rest.split_once('"').unwrap();
            for method in methods(rest) {
                found.insert((method.to_owned(), route.to_owned()));
            }
        }
    }
}

/// Every method and path that the website serves.
fn served() -> BTreeSet<(String, String)> {
    let mut all = BTreeSet::new();
    routes_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
    all
}

/// The methods that are named up to the end of the call.
fn methods(rest: &str) -> Vec<&'static str> {
    let mut depth = 1;
    let end = rest.find(|letter| {
        depth += i32::from(letter == '(') - i32::from(letter == ')');
        depth == 0
    });
    let call = &rest[..end.unwrap()];
    let is_named = |name: &str| {
        call.match_indices(&format!("{name}(")).any(|(at, _)| {
            let before = call[..at].chars().next_back();
            !before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
        })
    };
    let all = ["get", "post", "put", "patch", "delete", "any"].into_iter();
    let words = ["GET", "POST", "PUT", "PATCH", "DELETE", "ANY"];
    all.zip(words).filter(|(name, _)| is_named(name)).map(|(_, word)| word).collect()
}

#[test]
fn every_route_with_an_id_has_its_row_here() {
    let all = served();
    assert!(all.contains(&("GET".to_owned(), "/cards".to_owned())), "the sources can be read");
    let is_row = |path: &str| path.contains('{') && !path.starts_with("/desk/");
    let there: BTreeSet<_> = all.into_iter().filter(|(_, path)| is_row(path)).collect();
    let row = |(_, method, path): &(Whose, &str, &str)| (method.to_string(), path.to_string());
    let rows: BTreeSet<_> = ROUTES.iter().map(row).collect();
    let missing: Vec<_> = there.difference(&rows).collect();
    assert!(missing.is_empty(), "these get a line in ROUTES, with whose they are: {missing:#?}");
    let gone: Vec<_> = rows.difference(&there).collect();
    assert!(gone.is_empty(), "these are served no more: {gone:#?}");
    let described: serde_json::Value =
        serde_json::from_str(include_str!("../openapi.json")).unwrap();
    for (_, method, path) in ROUTES.iter().filter(|(_, _, path)| path.starts_with("/v1/")) {
        let described = &described["paths"][path][method.to_lowercase()];
        assert!(described.is_object(), "{method} {path} is not in openapi.json");
    }
}

#[test]
fn a_foreign_card_and_one_that_is_none_are_the_same_404_on_every_route() {
    let site = Site::start();
    let (ana, _) = site.registered("ana");
    let _ = site.registered("bor");
    let mut last = site.card("ana");
    let changed = if last.pop() == Some('0') { '1' } else { '0' };
    last.push(changed);
    for (method, path) in rows(Holder).chain(rows(CallOfHolder)) {
        let foreign = ask(&ana, method, path, &site.card("bor"));
        assert_eq!(foreign.status, 404, "{method} {path} of another holder: {}", foreign.body);
        let unheld = ask(&ana, method, path, &site.card("nika"));
        assert_eq!(unheld.status, 404, "{method} {path} of nobody");
        for unknown in [&*last, "x", "card_00000000000000000000000000", "%27%20OR%201=1"] {
            let unknown = ask(&ana, method, path, unknown);
            assert_eq!(unknown.status, 404, "{method} {path} unknown");
            assert_eq!(main_of(&unknown), main_of(&foreign), "{method} {path}");
        }
    }
}

#[test]
fn nobody_who_is_not_signed_in_sees_any_of_them() {
    let site = Site::start();
    let stranger = site.browser();
    let id = site.card("ana");
    for (method, path) in rows(Holder) {
        let led = ask(&stranger, method, path, &id);
        if path.ends_with("/live") {
            // A stream cannot lead anywhere: it says that nobody is signed in, and ends.
            assert_eq!((led.status, led.body.matches("event:").count()), (200, 1), "{}", led.body);
            assert!(led.body.contains("event: signed-out"), "{}", led.body);
            continue;
        }
        assert_eq!(led.status, 303, "{method} {path}");
        assert!(led.location.starts_with("/sign-in?next="), "{method} {path} {}", led.location);
    }
    for (method, path) in rows(CallOfHolder) {
        assert_eq!(ask(&stranger, method, path, &id).status, 401, "{method} {path}");
    }
    for (method, path) in rows(CallOfOwn) {
        assert_eq!(ask(&stranger, method, path, "x").status, 401, "{method} {path}");
    }
    for (method, path) in rows(Own) {
        let led = ask(&stranger, method, path, "x");
        assert_eq!(led.status, 303, "{method} {path}");
        assert!(led.location.starts_with("/sign-in?next="), "{method} {path} {}", led.location);
    }
}

#[test]
fn the_same_routes_are_there_for_the_holder() {
    let site = Site::start();
    let (ana, _) = site.registered("ana");
    let id = site.card("ana");
    // A stream has no end, and is seen elsewhere.
    let is_stream = |path: &str| path.ends_with("/live") || path.ends_with("/events");
    for (method, path) in rows(Holder).chain(rows(CallOfHolder)).filter(|row| !is_stream(row.1)) {
        let status = ask(&ana, method, path, &id).status;
        assert!(!matches!(status, 401 | 404 | 405), "{method} {path}: {status}");
    }
}

#[test]
fn devices_sessions_and_means_of_others_stay_as_they_are() {
    let site = Site::start();
    let (ana, _) = site.registered("ana");
    let (bor, mut device) = site.registered("bor");
    let second = site.browser();
    second.sign_in(&mut device);
    let page = bor.get("/devices").body;
    let between = |from: &str, to: &str| {
        let rest = page.split_once(from).map(|(_, rest)| rest).unwrap();
        rest.split_once(to).map(|(id, _)| id.to_owned()).unwrap()
    };
    let (passkey, session) = (between("/devices/", "/rename"), between("/sessions/", "/end"));
    for (method, path) in rows(Own) {
        let foreign = if path.starts_with("/sessions") { &session } else { &passkey };
        let of_another = ask(&ana, method, path, foreign);
        let unknown = ask(&ana, method, path, "x");
        assert_eq!(of_another.status, unknown.status, "{method} {path}");
        assert_eq!(main_of(&of_another), main_of(&unknown), "{method} {path}");
    }
    assert!(!bor.get("/devices").body.contains("mine now"));
    assert!(bor.is_signed_in() && second.is_signed_in());
}

#[test]
fn a_name_that_nobody_has_is_404_for_everybody() {
    let site = Site::start();
    let (ana, _) = site.registered("ana");
    for (method, path) in rows(Link).chain(rows(Anyone)) {
        for unknown in ["x", "0123456789abcdef0123456789abcdef", "%2e%2e%2fcekr.css"] {
            for browser in [&ana, &site.browser()] {
                assert_eq!(ask(browser, method, path, unknown).status, 404, "{method} {path}");
            }
        }
    }
}

#[test]
fn what_is_nobodys_is_404_for_every_holder() {
    let site = Site::start();
    let (ana, _) = site.registered("ana");
    for (method, path) in rows(CallOfOwn) {
        for unknown in ["x", "8a880dc0-d2d2-4067-bcb1-b08d1690b26f", "%27%20OR%201=1"] {
            assert_eq!(ask(&ana, method, path, unknown).status, 404, "{method} {path}");
        }
    }
}

#[test]
fn what_operators_do_is_not_for_holders() {
    let site = Site::start();
    let (ana, _) = site.registered("ana");
    let own = site.card("ana");
    for id in [&*own, "1", "x"] {
        for (method, path) in rows(Operator) {
            for browser in [&ana, &site.browser()] {
                assert_eq!(ask(browser, method, path, id).status, 401, "{method} {path} {id}");
            }
        }
        let desks = served().into_iter().filter(|(_, path)| path.starts_with("/desk/"));
        for (method, path) in desks.filter(|(_, path)| path.contains('{')) {
            for browser in [&ana, &site.browser()] {
                let led = ask(browser, &method, &path, id);
                assert_eq!(led.status, 303, "{method} {path} {id}");
                assert!(led.location.starts_with("/desk/sign-in"), "{path} {}", led.location);
            }
        }
    }
}
