//! What holders do with their cards on the website, and what terminals then hear.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may")]

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use cekr_iso8583::{CEKR87, FieldSet, Mti, View, Writer};
use serde_json::{Value, json};
use support::authenticator::Authenticator;
use support::{Browser, Reply, Site};

const MINUTE_MS: u64 = 60 * 1_000;
const ANA: &str = "4761730000000011";

/// A purchase by a terminal in `country`; its response code.
fn purchase(site: &Site, stan: u64, cents: u64, country: &str) -> String {
    let mut room = [0; 512];
    let fields = FieldSet::of(&[2, 3, 4, 7, 11, 18, 22, 25, 32, 37, 41, 42, 43, 49]);
    let mut writer = Writer::new(&CEKR87, Mti::new(200).unwrap(), fields, &mut room).unwrap();
    writer.text(2, ANA.as_bytes()).unwrap();
    writer.number(3, 0).unwrap();
    writer.number(4, cents).unwrap();
    writer.number(7, 1122_101500).unwrap();
    writer.number(11, stan).unwrap();
    writer.number(18, 5411).unwrap();
    writer.number(22, 11).unwrap();
    writer.number(25, 0).unwrap();
    writer.number(32, 400_001).unwrap();
    writer.text(37, format!("632610{stan:06}").as_bytes()).unwrap();
    writer.text(41, b"POS00001").unwrap();
    writer.text(42, b"MERCHANT0000001").unwrap();
    writer.text(43, format!("{:<38}{country}", "A SHOP").as_bytes()).unwrap();
    writer.number(49, 978).unwrap();
    let octets = writer.finish().unwrap();
    let mut terminal = TcpStream::connect(site.iso8583).unwrap();
    terminal.write_all(&u16::try_from(octets).unwrap().to_be_bytes()).unwrap();
    terminal.write_all(&room[..octets]).unwrap();
    let mut length = [0; 2];
    terminal.read_exact(&mut length).unwrap();
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    terminal.read_exact(&mut answer).unwrap();
    let answer = View::parse(&CEKR87, &answer).ok().unwrap();
    String::from_utf8(answer.raw(39).unwrap().to_vec()).unwrap()
}

fn tick(browser: &Browser<'_>, card: &str, channel: &str, ticked: &str) -> Reply {
    let csrf = browser.csrf();
    let fields = [("csrf", &*csrf), ("channel", channel), ("ticked", ticked)];
    browser.post(&format!("/cards/{card}/channels"), &fields)
}

#[test]
fn a_tick_changed_on_the_page_governs_the_next_authorization() {
    let site = Site::start();
    let (browser, _) = site.registered("ana");
    let card = site.card("ana");
    assert_eq!(purchase(&site, 1, 1_00, "HR"), "00");
    let off = tick(&browser, &card, "abroad", "false");
    assert_eq!((off.status, off.location), (303, format!("/cards/{card}")));
    assert_eq!(purchase(&site, 2, 1_00, "HR"), "57");
    assert_eq!(purchase(&site, 3, 1_00, "SI"), "00", "at home it still pays");
    let page = browser.get_with(&format!("/cards/{card}"), &[("Accept-Language", "en")]).body;
    assert!(page.contains("This way of paying is switched off: Payments abroad"), "{page}");
    assert!(page.contains("€98.00"), "{page}");
    assert_eq!(tick(&browser, &card, "abroad", "true").status, 303);
    assert_eq!(purchase(&site, 4, 1_00, "HR"), "00");
}

#[test]
fn to_switch_on_asks_for_a_proof_and_then_says_what_is_switched_on() {
    let site = Site::start();
    let (browser, mut device) = site.registered("ana");
    let card = site.card("ana");
    for _ in 0..2 {
        site.clock.advance_ms(3 * MINUTE_MS);
        assert!(browser.is_signed_in());
    }
    assert_eq!(tick(&browser, &card, "online", "false").location, format!("/cards/{card}"));
    let asked = tick(&browser, &card, "online", "true");
    let wanted = format!("/prove?next=/cards/{card}/turn-on%3Fchannel%3Donline");
    assert_eq!((asked.status, asked.location), (303, wanted));
    assert_eq!(browser.prove(&mut device).status, 303);
    let page = browser.get(&format!("/cards/{card}/turn-on?channel=online"));
    assert_eq!((page.status, page.field("ticked")), (200, "true".to_owned()));
    assert_eq!(tick(&browser, &card, "online", "true").location, format!("/cards/{card}"));
}

#[test]
fn one_tap_locks_and_a_fresh_proof_unlocks() {
    let site = Site::start();
    let (browser, mut device) = site.registered("ana");
    let card = site.card("ana");
    let change = |name: &str| {
        let csrf = browser.csrf();
        browser.post(&format!("/cards/{card}/{name}"), &[("csrf", &*csrf)])
    };
    for _ in 0..2 {
        site.clock.advance_ms(3 * MINUTE_MS);
        assert!(browser.is_signed_in());
    }
    assert_eq!(change("lock").location, format!("/cards/{card}"));
    assert_eq!(purchase(&site, 1, 1_00, "SI"), "62");
    assert!(browser.get(&format!("/cards/{card}")).body.contains("+386 (0)14 772 000"));
    assert_eq!(change("unlock").location, format!("/prove?next=/cards/{card}/unlock"));
    assert_eq!(purchase(&site, 2, 1_00, "SI"), "62", "still locked");
    assert_eq!(browser.prove(&mut device).status, 303);
    assert_eq!(browser.get(&format!("/cards/{card}/unlock")).status, 200);
    assert_eq!(change("unlock").location, format!("/cards/{card}"));
    assert_eq!(purchase(&site, 3, 1_00, "SI"), "00");
}

#[test]
fn a_report_says_what_happened_and_is_final() {
    let site = Site::start();
    let (browser, _) = site.registered("ana");
    let path = format!("/cards/{}/report", site.card("ana"));
    let csrf = browser.csrf();
    let missing = browser.post(&path, &[("csrf", &*csrf)]);
    assert_eq!(missing.status, 422);
    assert!(missing.body.contains("report-error"));
    assert_eq!(purchase(&site, 1, 1_00, "SI"), "00", "nothing was reported");
    assert_eq!(browser.post(&path, &[("csrf", &*csrf), ("reason", "stolen")]).status, 303);
    assert_eq!(purchase(&site, 2, 1_00, "SI"), "43");
}

#[test]
fn an_own_limit_governs_the_next_authorization_and_none_is_above_the_programmes() {
    let site = Site::start();
    let (browser, _) = site.registered("ana");
    let path = format!("/cards/{}/limits", site.card("ana"));
    assert_eq!(browser.get(&path).status, 200);
    let csrf = browser.csrf();
    let set = |pos_day: &str| browser.post(&path, &[("csrf", &*csrf), ("pos_day", pos_day)]);
    for wrong in ["a lot", "-1", "1000000"] {
        let told = set(wrong);
        assert_eq!(told.status, 422, "{wrong}");
        assert!(told.body.contains("pos_day-fault"), "{wrong}");
        assert_eq!(told.field("pos_day"), "", "no hidden field");
        assert!(told.body.contains(&format!("value=\"{wrong}\"")), "what was typed is kept");
    }
    assert_eq!(set("5,00").status, 303);
    assert_eq!(purchase(&site, 1, 5_01, "SI"), "61");
    assert_eq!(purchase(&site, 2, 5_00, "SI"), "00");
    assert!(browser.get(&path).body.contains("value=\"5,00\""));
}

#[test]
fn a_card_of_somebody_else_is_a_card_that_does_not_exist() {
    let site = Site::start();
    let (browser, _) = site.registered("ana");
    let csrf = browser.csrf();
    let fields = [("csrf", &*csrf), ("channel", "abroad"), ("ticked", "false"), ("reason", "lost")];
    for id in [&*site.card("bor"), "card_00000000000000000000000000", "x", "..", "%00"] {
        for path in [
            "",
            "/now",
            "/history",
            "/live",
            "/unlock",
            "/report",
            "/limits",
            "/turn-on?channel=abroad",
        ] {
            let reply = browser.get(&format!("/cards/{id}{path}"));
            assert_eq!(reply.status, 404, "GET /cards/{id}{path}");
        }
        for path in ["/channels", "/lock", "/unlock", "/report", "/limits"] {
            let reply = browser.post(&format!("/cards/{id}{path}"), &fields);
            assert_eq!(reply.status, 404, "POST /cards/{id}{path}");
        }
        for path in ["", "/transactions", "/events"] {
            let reply = browser.get(&format!("/v1/holder/cards/{id}{path}"));
            assert_eq!(reply.status, 404, "GET /v1/holder/cards/{id}{path}");
        }
        for (method, path, body) in [
            ("PATCH", "", json!({"channels": {"abroad": false}})),
            ("POST", "/lock", json!({})),
            ("POST", "/unlock", json!({})),
            ("POST", "/report", json!({"reason": "lost"})),
        ] {
            let reply = browser.api(method, &format!("/v1/holder/cards/{id}{path}"), &csrf, &body);
            assert_eq!(reply.status, 404, "{method} /v1/holder/cards/{id}{path}");
        }
    }
}

#[test]
fn who_is_not_signed_in_sees_no_card() {
    let site = Site::start();
    let browser = site.browser();
    let card = site.card("ana");
    for path in ["/cards".to_owned(), format!("/cards/{card}"), "/notices".to_owned()] {
        let reply = browser.get(&path);
        assert_eq!((reply.status, reply.location), (303, format!("/sign-in?next={path}")));
    }
    let reply = browser.get("/v1/holder/cards");
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (401, &json!("not_signed_in")));
    let mut told = browser.stream(&format!("/cards/{card}/live"), &[]);
    assert_eq!(told.next().as_deref(), Some("event: signed-out"), "an open page learns of it");
}

#[test]
fn the_holders_api_does_what_the_page_does_under_the_same_rules() {
    let site = Site::start();
    let (browser, _) = site.registered("ana");
    let csrf = browser.csrf();
    let path = format!("/v1/holder/cards/{}", site.card("ana"));
    assert_eq!(browser.get("/v1/holder/cards").json()["data"][0]["name"], "ana");
    let off = json!({"channels": {"abroad": false}});
    assert_eq!(browser.api("PATCH", &path, "wrong", &off).status, 403);
    assert_eq!(purchase(&site, 1, 1_00, "HR"), "00", "nothing was changed");
    let told = browser.api("PATCH", &path, &csrf, &off);
    assert_eq!((told.status, &told.json()["channels"]["abroad"]), (200, &json!(false)));
    assert_eq!(purchase(&site, 2, 1_00, "HR"), "57");
    for _ in 0..2 {
        site.clock.advance_ms(3 * MINUTE_MS);
        assert!(browser.is_signed_in());
    }
    let on = browser.api("PATCH", &path, &csrf, &json!({"channels": {"abroad": true}}));
    assert_eq!((on.status, &on.json()["error"]["code"]), (403, &json!("step_up")));
    let odd = browser.api("PATCH", &path, &csrf, &json!({"channels": {"cash": true}}));
    assert_eq!(odd.status, 422);
    let locked = browser.api("POST", &format!("{path}/lock"), &csrf, &json!({}));
    assert_eq!(locked.json()["state"], "locked");
    let page = browser.get(&format!("{path}/transactions?limit=2")).json();
    assert_eq!(page["has_more"], true);
    let last = page["data"][1]["seq"].clone();
    let next = browser.get(&format!("{path}/transactions?limit=2&starting_after={last}")).json();
    assert!(next["data"][0]["seq"].as_u64() < last.as_u64());
    for wrong in ["limit=0", "limit=101", "limit=x", "page=2"] {
        assert_eq!(browser.get(&format!("{path}/transactions?{wrong}")).status, 400, "{wrong}");
    }
}

#[test]
fn a_stream_tells_of_its_own_card_and_goes_on_behind_what_was_seen() {
    let site = Site::start();
    let (browser, _) = site.registered("ana");
    let card = site.card("ana");
    let mut told = browser.stream(&format!("/v1/holder/cards/{card}/events"), &[]);
    assert_eq!(purchase(&site, 1, 1_00, "SI"), "00");
    assert_eq!(told.next().as_deref(), Some("event: authorized"));
    let cursor = told.next().unwrap().strip_prefix("id: ").unwrap().to_owned();
    let entry = told.next().unwrap();
    let entry: Value = serde_json::from_str(entry.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!((&entry["card"], &entry["amount"]), (&json!(card), &json!(1_00)));
    drop(told);
    let (other, _) = site.registered("bor");
    let mut others = other.stream(&format!("/cards/{}/live", site.card("bor")), &[]);
    assert_eq!(purchase(&site, 2, 2_00, "SI"), "00", "while nobody looks");
    let since = [("Last-Event-ID", cursor.as_str())];
    let mut again = browser.stream(&format!("/v1/holder/cards/{card}/events"), &since);
    assert_eq!(again.next().as_deref(), Some("event: authorized"));
    assert!(again.nth(1).unwrap().contains("\"amount\":200"), "the second alone");
    // The other card's stream has nothing of this one: its first event is its own.
    let csrf = other.csrf();
    other.post(&format!("/cards/{}/lock", site.card("bor")), &[("csrf", &*csrf)]);
    assert_eq!(others.next().as_deref(), Some("event: card-changed"));
    let seq: u64 = others.next().unwrap().strip_prefix("id: ").unwrap().parse().unwrap();
    assert!(seq > cursor.parse().unwrap());
}

#[test]
fn notices_are_counted_until_they_are_read() {
    let site = Site::start();
    let (browser, _) = site.registered("ana");
    let csrf = browser.csrf();
    assert_eq!(browser.post("/notices/read", &[("csrf", &*csrf)]).status, 303);
    assert!(!browser.get("/fee").body.contains("class=\"count\""));
    assert_eq!(purchase(&site, 1, 1_000_00, "SI"), "51");
    assert!(browser.get("/fee").body.contains("<span class=\"count\""));
    let page = browser.get("/notices").body;
    assert!(page.contains("declined new"), "{page}");
    browser.post("/notices/read", &[("csrf", &*csrf)]);
    assert!(!browser.get("/notices").body.contains("declined new"));
}

#[test]
fn a_browser_that_comes_by_number_is_led_to_the_name() {
    let site = Site::start();
    let browser = site.browser();
    let visit = [("Sec-Fetch-Mode", "navigate")];
    let led = browser.get_with("/register?next=%2Fcards", &visit);
    assert_eq!((led.status, led.location), (307, format!("{}/register?next=%2Fcards", site.url)));
    let name = site.url.trim_start_matches("http://");
    assert_eq!(browser.get_with("/register", &[visit[0], ("Host", name)]).status, 200);
    assert_eq!(browser.get("/register").status, 200, "a program comes as it likes");
    let told = browser.get_with("/v1/holder/cards", &visit);
    assert_eq!(told.status, 401, "a call is no page");
}

#[test]
fn a_device_that_came_or_went_is_told_and_the_first_is_no_news() {
    let site = Site::start();
    let (browser, mut device) = site.registered("ana");
    let page = browser.get("/notices").body;
    assert!(page.contains("Dodan ključ za dostop"), "{page}");
    assert!(!page.contains("class=\"count\""), "neither the first device nor the opening balance");
    let begun = browser.begin("/devices/begin");
    let mut second = Authenticator::new(&site.url);
    let made = second.create(&begun.json()["publicKey"]);
    assert_eq!(browser.finish("/devices/finish", made, &begun).status, 303);
    let page = browser.get("/notices").body;
    assert!(page.contains("<span class=\"count\"") && page.contains("told new"), "{page}");
    let csrf = browser.csrf();
    browser.post("/notices/read", &[("csrf", &*csrf)]);
    assert!(!browser.get("/notices").body.contains("told new"));
    let id = browser.get("/devices").body;
    let id = id.split_once("/devices/").unwrap().1.split_once("/remove").unwrap().0;
    let id = id.rsplit('/').next().unwrap();
    let _ = browser.prove(&mut device);
    let csrf = browser.csrf();
    browser.post(&format!("/devices/{id}/remove"), &[("csrf", &*csrf)]);
    assert!(browser.get("/notices").body.contains("Odstranjen ključ za dostop"));
}

#[test]
fn own_limits_are_seen_and_set_over_the_api_with_a_fresh_proof() {
    let site = Site::start();
    let (browser, mut device) = site.registered("ana");
    let path = format!("/v1/holder/cards/{}/limits", site.card("ana"));
    let limits = browser.get(&path).json();
    assert_eq!(
        (&limits["own"]["cash_day"], &limits["programme"]["cash_day"]),
        (&json!(null), &json!(1_000_00))
    );
    let token = browser.csrf();
    let set =
        browser.api("PATCH", &path, &token, &json!({"cash_day": 200_00, "cash_count_day": 1}));
    assert_eq!(set.status, 200, "{}", set.body);
    assert_eq!(set.json()["own"]["cash_day"], 200_00);
    let set = browser.api("PATCH", &path, &token, &json!({"cash_day": null}));
    assert_eq!(
        (&set.json()["own"]["cash_day"], &set.json()["own"]["cash_count_day"]),
        (&json!(null), &json!(1))
    );
    for (body, status) in [
        (json!({"pos_day": 5_000_00}), 409),
        (json!({"pos_day": 1_000_000_000_000_u64}), 422),
        (json!({"pos_day": -1}), 422),
        (json!({"nothing": 1}), 422),
    ] {
        assert_eq!(browser.api("PATCH", &path, &token, &body).status, status, "{body}");
    }
    for _ in 0..2 {
        site.clock.advance_ms(3 * 60 * 1_000);
        assert!(browser.is_signed_in());
    }
    let old = browser.api("PATCH", &path, &token, &json!({"cash_day": 100_00}));
    assert_eq!((old.status, &old.json()["error"]["code"]), (403, &json!("step_up")));
    let _ = browser.prove(&mut device);
    let token = browser.csrf();
    assert_eq!(browser.api("PATCH", &path, &token, &json!({"cash_day": 100_00})).status, 200);
}

#[test]
fn an_address_that_cannot_be_read_gets_a_page_in_the_readers_language() {
    let site = Site::start();
    let (browser, _) = site.registered("ana");
    let path = format!("/cards/{}/history?starting_after=yesterday", site.card("ana"));
    let refused = browser.get_with(&path, &[("Accept-Language", "en")]);
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("<main") && refused.body.contains("lang=\"en\""));
}
