//! Whose card it is: every page and call that names a card is 404 to whoever does not hold it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may")]

mod support;

use support::{Browser, Reply, Site};

/// Every route of holders with a card's id in it: a new one gets a line here.
const ROUTES: &[(&str, &str)] = &[
    ("GET", "/cards/{id}"),
    ("POST", "/cards/{id}/channels"),
    ("GET", "/cards/{id}/turn-on?channel=abroad"),
    ("POST", "/cards/{id}/lock"),
    ("GET", "/cards/{id}/unlock"),
    ("POST", "/cards/{id}/unlock"),
    ("GET", "/cards/{id}/report"),
    ("POST", "/cards/{id}/report"),
    ("GET", "/cards/{id}/history"),
    ("GET", "/cards/{id}/live"),
    ("GET", "/cards/{id}/now"),
];

fn ask(browser: &Browser<'_>, method: &str, path: &str, id: &str) -> Reply {
    let path = path.replace("{id}", id);
    if method == "GET" {
        return browser.get(&path);
    }
    let csrf = browser.csrf();
    let fields = [
        ("csrf", &*csrf),
        ("channel", "abroad"),
        ("ticked", "false"),
        ("on", "false"),
        ("reason", "lost"),
        ("confirm", "yes"),
    ];
    browser.post(&path, &fields)
}

#[test]
fn a_foreign_card_and_one_that_is_none_are_the_same_404_on_every_route() {
    let site = Site::start();
    let (ana, _) = site.registered("ana");
    let _ = site.registered("bor");
    let own = site.card("ana");
    let mut last = own.clone();
    let changed = if last.pop() == Some('0') { '1' } else { '0' };
    last.push(changed);
    for (method, path) in ROUTES {
        let foreign = ask(&ana, method, path, &site.card("bor"));
        assert_eq!(foreign.status, 404, "{method} {path} of another holder");
        let unheld = ask(&ana, method, path, &site.card("nika"));
        assert_eq!(unheld.status, 404, "{method} {path} of nobody");
        for unknown in [&*last, "x", "card_00000000000000000000000000"] {
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
    for (method, path) in ROUTES {
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
}

#[test]
fn the_same_routes_are_there_for_the_holder() {
    let site = Site::start();
    let (ana, _) = site.registered("ana");
    let id = site.card("ana");
    // A stream has no end, and is seen elsewhere.
    for (method, path) in ROUTES.iter().filter(|(_, path)| !path.ends_with("/live")) {
        assert_ne!(ask(&ana, method, path, &id).status, 404, "{method} {path}");
    }
}

fn main_of(reply: &Reply) -> &str {
    reply.body.split_once("<main").map_or("", |(_, main)| main)
}
