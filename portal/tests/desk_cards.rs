//! A card at the desk: found, read from end to end, and changed with somebody's name on it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may")]

mod support;

use serde_json::Value;
use support::operator::{on_desk, post, prove};
use support::{Browser, Reply, Site};

const MINUTE_MS: u64 = 60 * 1_000;

fn find(browser: &Browser<'_>, query: &str) -> Reply {
    post(browser, "/desk/cards", &[("query", query)])
}

fn state(site: &Site, name: &str) -> String {
    let (_, page) = site.operator("GET", &format!("/v1/cards?name={name}"), &Value::Null);
    page["data"][0]["state"].as_str().unwrap().to_owned()
}

/// The newest line of the audit.
fn newest(site: &Site) -> Value {
    let (_, page) = site.operator("GET", "/v1/audit?limit=100", &Value::Null);
    assert_eq!(page["is_whole"], true);
    page["data"].as_array().unwrap().last().unwrap().clone()
}

#[test]
fn a_card_is_found_by_everything_but_its_whole_number() {
    let site = Site::start();
    let (_ana, _) = site.registered("ana");
    let (maja, _) = on_desk(&site, "Maja", &["support"]);
    let page = format!("/desk/cards/{}", site.card("ana"));
    let (_, holders) =
        site.operator("GET", &format!("/v1/holders?card={}", site.card("ana")), &Value::Null);
    let holder = holders["data"][0]["id"].as_str().unwrap();
    for query in ["ana", " ana ", "123 456 782", "0011", &site.card("ana"), holder] {
        let found = find(&maja, query);
        assert_eq!((found.status, &*found.location), (303, &*page), "{query}: {}", found.body);
    }
    for query in ["nobody", "9999", "111111111", " "] {
        assert_eq!(find(&maja, query).status, 422, "{query}");
    }
    let whole = find(&maja, "4761 7300 0000 0011");
    assert_eq!(whole.status, 422);
    assert!(!whole.body.contains("4761 7300") && !whole.body.contains("4761730000000011"));
    assert!(whole.body.contains("zadnjih štirih števkah"));
}

#[test]
fn a_cards_page_tells_its_story_and_what_was_done_about_it() {
    let site = Site::start();
    let (_ana, _) = site.registered("ana");
    let (maja, _) = on_desk(&site, "Maja", &["support"]);
    let page = format!("/desk/cards/{}", site.card("ana"));
    let before = maja.get(&page);
    assert_eq!(before.status, 200, "{}", before.body);
    for words in ["476173******0011", "Aktivna", "Začetno stanje", "123456782", "Kartica izdana"] {
        assert!(before.body.contains(words), "{words}: {}", before.body);
    }
    assert!(before.body.contains("Firefox"), "the holder's session");
    assert!(before.body.contains("kartica povezana z imetnikom"), "the audit");
    assert!(!before.body.contains("4761730000000011"));

    assert_eq!(post(&maja, &format!("{page}/lock"), &[]).status, 303);
    assert_eq!(state(&site, "ana"), "locked");
    let line = newest(&site);
    assert_eq!((&line["what"], &line["before"]), (&"card_lock".into(), &"active".into()));
    assert_eq!(line["after"], "locked");
    let after = maja.get(&page).body;
    assert!(after.contains("Kartica zaklenjena") && after.contains("Maja"), "{after}");
    assert_eq!(post(&maja, &format!("{page}/unlock"), &[]).status, 303);
    assert_eq!(post(&maja, &format!("{page}/report"), &[("reason", "stolen")]).status, 303);
    assert_eq!(state(&site, "ana"), "stolen");
    assert_eq!(post(&maja, &format!("{page}/lock"), &[]).status, 409);
    let refused = newest(&site);
    assert_eq!((&refused["what"], &refused["before"]), (&"refused".into(), &"card_lock".into()));
    assert_eq!(maja.get("/desk/cards/card_00000000000000000000000000").status, 404);
}

#[test]
fn what_opens_a_card_asks_for_a_proof_of_the_last_five_minutes() {
    let site = Site::start();
    let (maja, mut device) = on_desk(&site, "Maja", &["support"]);
    let page = format!("/desk/cards/{}", site.card("bor"));
    for _ in 0..2 {
        // Two looks keep the session, and make the proof old.
        site.clock.advance_ms(3 * MINUTE_MS);
        assert_eq!(maja.get(&page).status, 200);
    }
    assert_eq!(post(&maja, &format!("{page}/lock"), &[]).status, 303, "protects: no fresh proof");
    for (path, fields) in [
        ("unlock", &[][..]),
        ("scripts", &[("command", "pin_unblock")]),
        ("limits", &[("cash_day", "1")]),
        ("code", &[]),
    ] {
        let led = post(&maja, &format!("{page}/{path}"), fields);
        assert_eq!(led.status, 303, "{path}");
        assert!(led.location.starts_with("/desk/sign-in?next="), "{path}: {}", led.location);
    }
    assert_eq!(state(&site, "bor"), "locked");
    assert_eq!(prove(&maja, &mut device).status, 303);
    assert_eq!(post(&maja, &format!("{page}/unlock"), &[]).location, page);
    assert_eq!(state(&site, "bor"), "active");
}

#[test]
fn limits_scripts_and_codes_are_set_from_the_desk_each_by_its_role() {
    let site = Site::start();
    let (maja, _) = on_desk(&site, "Maja", &["support"]);
    let (vid, _) = on_desk(&site, "Vid", &["security"]);
    let id = site.card("cilka");
    let page = format!("/desk/cards/{id}");
    assert!(maja.get(&format!("{page}/limits")).body.contains("cash_day"));
    let limits = |cash: &str| post(&maja, &format!("{page}/limits"), &[("cash_day", cash)]);
    assert_eq!(limits("abc").status, 422);
    assert_eq!(limits("99999").status, 422, "above the programme's");
    assert_eq!(limits("50,00").status, 303);
    let (_, card) = site.operator("GET", &format!("/v1/cards/{id}"), &Value::Null);
    assert_eq!(card["limits"]["cash_day"], 50_00);
    assert!(newest(&site)["after"].as_str().unwrap().contains("50,00"));

    let script = |browser: &Browser<'_>, command: &str| {
        post(browser, &format!("{page}/scripts"), &[("command", command)]).status
    };
    assert_eq!(script(&maja, "card_block"), 403, "security's");
    assert_eq!(script(&maja, "pin_unblock"), 303);
    assert_eq!(script(&vid, "card_block"), 303);
    assert_eq!(script(&vid, "put_data"), 422);
    let shown = vid.get(&page).body;
    assert!(
        shown.contains("<code>pin_unblock</code>") && shown.contains("<code>card_block</code>")
    );

    let code = post(&maja, &format!("{page}/code"), &[]);
    assert_eq!(code.status, 200, "{}", code.body);
    let (_, rest) = code.body.split_once("<code id=\"code\">").unwrap();
    let code = rest.split('<').next().unwrap();
    let (browser, mut device) =
        (site.browser(), support::authenticator::Authenticator::new(&site.url));
    assert_eq!(browser.register(&mut device, "cilka", code).status, 303);
    assert_eq!(post(&maja, &format!("{page}/code"), &[]).status, 409, "somebody holds it now");
    let held = maja.get(&page).body;
    let (_, rest) = held.split_once("/desk/holders/").unwrap();
    let recovery = format!("/desk/holders/{}/recovery", rest.split('/').next().unwrap());
    assert!(browser.is_signed_in());
    assert_eq!(post(&maja, &recovery, &[]).status, 200);
    assert!(!browser.is_signed_in(), "their sessions end");
    assert_eq!(newest(&site)["what"], "recovery");
}

#[test]
fn the_audits_page_says_whether_its_chain_holds() {
    let site = Site::start();
    let (vid, _) = on_desk(&site, "Vid", &["security"]);
    post(&vid, &format!("/desk/cards/{}/lock", site.card("ana")), &[]);
    let page = vid.get("/desk/audit");
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(page.body.contains("Veriga teh zapisov je cela"), "{}", page.body);
    assert!(page.body.contains("kartica zaklenjena") && page.body.contains("Vid"));
}
