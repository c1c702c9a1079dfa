//! Purchases confirmed over HTTP: with the card's device, by its holder, once, in time.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may")]

mod support;

use cekr_issuer::ConfirmationId;
use cekr_portal::settings::DatabasePlace;
use serde_json::{Value, json};
use support::authenticator::Authenticator;
use support::shop::{ask, end, waiting};
use support::{Browser, Reply, Site};

/// What the card's device is asked about a purchase.
fn begin(browser: &Browser<'_>, id: &str) -> Reply {
    let path = format!("/v1/holder/confirmations/{id}/approve/begin");
    browser.api("POST", &path, &browser.csrf(), &json!({}))
}

/// Sends a device's answer.
fn finish(browser: &Browser<'_>, id: &str, begun: &Reply, credential: &Value) -> Reply {
    let path = format!("/v1/holder/confirmations/{id}/approve/finish");
    let body = json!({"ceremony": begun.json()["ceremony"], "credential": credential});
    browser.api("POST", &path, &browser.csrf(), &body)
}

/// Both.
fn approve(browser: &Browser<'_>, device: &mut Authenticator, id: &str) -> Reply {
    let begun = begin(browser, id);
    if begun.status != 200 {
        return begun;
    }
    let credential = device.get(&begun.json()["publicKey"]);
    finish(browser, id, &begun, &credential)
}

fn refuse(browser: &Browser<'_>, id: &str) -> Reply {
    let path = format!("/v1/holder/confirmations/{id}/refuse");
    browser.api("POST", &path, &browser.csrf(), &json!({}))
}

fn state(browser: &Browser<'_>, id: &str) -> String {
    let one = browser.get(&format!("/v1/holder/confirmations/{id}"));
    assert_eq!(one.status, 200, "{}", one.body);
    one.json()["state"].as_str().unwrap().to_owned()
}

/// The status, and the code that a program reads.
fn told(reply: &Reply) -> (u16, String) {
    let code = reply.json()["error"]["code"].as_str().unwrap_or_default().to_owned();
    (reply.status, code)
}

fn is(reply: &Reply, status: u16, code: &str) {
    assert_eq!(told(reply), (status, code.to_owned()), "{}", reply.body);
}

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

#[test]
fn a_purchase_is_shown_with_payee_and_amount_and_confirmed_with_the_cards_device() {
    let site = Site::start();
    let (ana, mut device) = site.registered("ana");
    assert!(ana.get("/confirmations").body.contains("Noben spletni nakup ne čaka"));
    let id = waiting(&site, "ana", 39_00, "Knjigarna Čriček");
    let page = ana.get("/confirmations");
    for shown in ["Knjigarna Čriček", "39,00\u{a0}€", "0011", "Slovenija", "shop.invalid", "5:00"]
    {
        assert!(page.body.contains(shown), "{shown}");
    }
    assert!(ana.get("/cards").location.starts_with("/cards/"));
    let header = ana.get(&format!("/cards/{}", site.card("ana"))).body;
    assert!(header.contains("1 spletni nakup čaka na vašo potrditev"));

    let csrf = ana.csrf();
    let begun =
        ana.post_with(&format!("/confirmations/{id}/begin"), &[], &[("X-CSRF-Token", &csrf)]);
    assert_eq!(begun.status, 200, "{}", begun.body);
    let asked = begun.json();
    let allowed = asked["publicKey"]["allowCredentials"].as_array().unwrap();
    assert_eq!(allowed.len(), 1, "the card's device alone");
    let credential = device.get(&asked["publicKey"]).to_string();
    let ceremony = asked["ceremony"].as_str().unwrap();
    let fields = [("csrf", &*csrf), ("ceremony", ceremony), ("credential", &*credential)];
    let approved = ana.post(&format!("/confirmations/{id}/approve"), &fields);
    assert_eq!((approved.status, approved.location), (303, format!("/confirmations/{id}")));
    let page = ana.get(&format!("/confirmations/{id}")).body;
    assert!(page.contains("Vrnite se v trgovino"), "{page}");
    assert!(!page.contains("<button class=\"button wide\">"), "nothing is left to answer");
    assert_eq!(state(&ana, &id), "sealed");
    assert_eq!(end(&site, &id), "Y");
    assert!(!ana.get("/fee").body.contains("čaka na vašo potrditev"));
}

#[test]
fn a_program_lists_confirms_and_refuses() {
    let site = Site::start();
    let (ana, mut device) = site.registered("ana");
    let one = waiting(&site, "ana", 39_00, "One");
    let other = waiting(&site, "ana", 40_00, "Other");
    let list = ana.get("/v1/holder/confirmations").json();
    let data = list["data"].as_array().unwrap();
    assert_eq!((data.len(), &list["has_more"]), (2, &json!(false)));
    let first = data.iter().find(|item| item["id"] == *one).unwrap();
    assert_eq!((&first["amount"], &first["currency"]), (&json!(39_00), &json!("978")));
    assert_eq!((&first["payee"], &first["country"]), (&json!("One"), &json!("SI")));
    assert_eq!((&first["left_ms"], &first["state"]), (&json!(300_000), &json!("pending")));
    let approved = approve(&ana, &mut device, &one);
    assert_eq!((approved.status, &approved.json()["state"]), (200, &json!("sealed")));
    let refused = refuse(&ana, &other);
    assert_eq!((refused.status, &refused.json()["state"]), (200, &json!("denied")));
    assert_eq!((end(&site, &one), end(&site, &other)), ("Y".to_owned(), "N".to_owned()));
    assert_eq!(ana.get("/v1/holder/confirmations").json()["data"], json!([]));
}

#[test]
fn a_purchase_is_refused_without_javascript() {
    let site = Site::start();
    let (ana, _) = site.registered("ana");
    let id = waiting(&site, "ana", 39_00, "Shop");
    let csrf = ana.csrf();
    let refused = ana.post(&format!("/confirmations/{id}/refuse"), &[("csrf", &csrf)]);
    assert_eq!(refused.status, 303);
    assert!(ana.get(&refused.location).body.contains("Nakup je zavrnjen"));
}

#[test]
fn of_two_approvals_at_once_one_counts() {
    let site = Site::start();
    let (ana, mut device) = site.registered("ana");
    for round in 0..8 {
        let id = waiting(&site, "ana", 31_00 + round, "Shop");
        let both: Vec<(Value, Value)> = (0..2)
            .map(|_| {
                let begun = begin(&ana, &id).json();
                let credential = device.get(&begun["publicKey"]);
                (begun["ceremony"].clone(), credential)
            })
            .collect();
        let (csrf, cookie) = (ana.csrf(), format!("id={}", ana.cookie("id").unwrap()));
        let path = format!("{}/v1/holder/confirmations/{id}/approve/finish", site.url);
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let sent = both.iter().map(|(ceremony, credential)| {
                let body = json!({"ceremony": ceremony, "credential": credential});
                let (path, csrf, cookie, origin) = (&path, &csrf, &cookie, &site.url);
                scope.spawn(move || post(path, csrf, cookie, origin, &body))
            });
            let sent: Vec<_> = sent.collect();
            sent.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 1, "{statuses:?}");
        assert_eq!(end(&site, &id), "Y");
    }
}

/// A change by a program of its own.
fn post(address: &str, csrf: &str, cookie: &str, origin: &str, body: &Value) -> u16 {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let sent = agent.post(address).header("Cookie", cookie).header("X-CSRF-Token", csrf);
    sent.header("Origin", origin).send_json(body).unwrap().status().as_u16()
}

#[test]
fn an_answer_after_the_time_is_over_is_too_late() {
    let site = Site::start();
    let (ana, mut device) = site.registered("ana");
    let id = waiting(&site, "ana", 39_00, "Shop");
    let begun = begin(&ana, &id);
    let credential = device.get(&begun.json()["publicKey"]);
    // Seen in between, so that the session goes on.
    site.clock.advance_ms(200_000);
    assert!(ana.is_signed_in());
    site.clock.advance_ms(100_000);
    is(&finish(&ana, &id, &begun, &credential), 409, "confirm-late");
    is(&begin(&ana, &id), 409, "confirm-late");
    is(&refuse(&ana, &id), 409, "confirm-late");
    assert_eq!(end(&site, &id), "N");
    assert_eq!(state(&ana, &id), "expired");
    let page = ana.get(&format!("/confirmations/{id}"));
    assert!(page.body.contains("Čas za potrditev je potekel"), "{}", page.body);
}

#[test]
fn a_locked_card_confirms_nothing() {
    let site = Site::start();
    let (ana, mut device) = site.registered("ana");
    let id = waiting(&site, "ana", 39_00, "Shop");
    let begun = begin(&ana, &id);
    let credential = device.get(&begun.json()["publicKey"]);
    let lock = format!("/v1/holder/cards/{}/lock", site.card("ana"));
    assert_eq!(ana.api("POST", &lock, &ana.csrf(), &json!({})).status, 200);
    is(&finish(&ana, &id, &begun, &credential), 409, "confirm-card-off");
    assert_ne!(state(&ana, &id), "sealed");
    assert_eq!(refuse(&ana, &id).status, 200, "and may still be refused");
}

#[test]
fn what_was_refused_stays_refused_and_what_was_confirmed_confirmed() {
    let site = Site::start();
    let (ana, mut device) = site.registered("ana");
    let id = waiting(&site, "ana", 39_00, "Shop");
    let begun = begin(&ana, &id);
    let credential = device.get(&begun.json()["publicKey"]);
    assert_eq!(refuse(&ana, &id).status, 200);
    is(&finish(&ana, &id, &begun, &credential), 409, "confirm-was-refused");
    assert_eq!(state(&ana, &id), "denied");

    let id = waiting(&site, "ana", 39_00, "Shop");
    assert_eq!(approve(&ana, &mut device, &id).status, 200);
    is(&refuse(&ana, &id), 409, "confirm-answered");
    is(&begin(&ana, &id), 409, "confirm-answered");
    assert_eq!(state(&ana, &id), "sealed");
}

#[test]
fn somebody_elses_purchase_and_one_that_does_not_exist_are_the_same_404() {
    let site = Site::start();
    let (ana, mut device) = site.registered("ana");
    let (bor, mut bors) = site.registered("bor");
    let id = waiting(&site, "ana", 39_00, "Shop");
    let none = "8a880dc0-d2d2-4067-bcb1-b08d1690b26f";
    let begun = begin(&ana, &id);
    let credential = device.get(&begun.json()["publicKey"]);
    for id in [&*id, none, "x"] {
        is(&begin(&bor, id), 404, "not_found");
        is(&finish(&bor, id, &begun, &credential), 404, "not_found");
        is(&refuse(&bor, id), 404, "not_found");
        is(&bor.get(&format!("/v1/holder/confirmations/{id}")), 404, "not_found");
        assert_eq!(bor.get(&format!("/confirmations/{id}")).status, 404);
        let csrf = bor.csrf();
        for step in ["begin", "approve", "refuse"] {
            let path = format!("/confirmations/{id}/{step}");
            let fields = [("csrf", &*csrf)];
            let sent = bor.post_with(&path, &fields, &[("X-CSRF-Token", &*csrf)]);
            assert_eq!(sent.status, 404, "{path}");
        }
    }
    assert_eq!(bor.get("/v1/holder/confirmations").json()["data"], json!([]));
    assert!(!bor.get("/confirmations").body.contains("39,00"));
    // What was answered once, by whomever, is not answered again.
    is(&finish(&ana, &id, &begun, &credential), 422, "confirm-question-over");
    let theirs = waiting(&site, "bor", 39_00, "Shop");
    assert_eq!(approve(&bor, &mut bors, &theirs).status, 200);
    assert_eq!(approve(&ana, &mut device, &id).status, 200);
}

#[test]
fn an_answer_is_worth_something_once_and_for_its_own_purchase() {
    let site = Site::start();
    let (ana, mut device) = site.registered("ana");
    let (one, other) = (waiting(&site, "ana", 39_00, "Shop"), waiting(&site, "ana", 39_00, "Shop"));
    let begun = begin(&ana, &one);
    let credential = device.get(&begun.json()["publicKey"]);
    // The question of one purchase under the address of another.
    is(&finish(&ana, &other, &begun, &credential), 422, "confirm-question-other");
    is(&finish(&ana, &one, &begun, &credential), 422, "confirm-question-over");
    // The answer to one question given to another.
    let begun = begin(&ana, &one);
    let credential = device.get(&begun.json()["publicKey"]);
    let another = begin(&ana, &other);
    is(&finish(&ana, &other, &another, &credential), 422, "confirm-proof-wrong");
    assert_eq!(finish(&ana, &one, &begun, &credential).status, 200);
    // Sent again, it finds a purchase that was answered.
    is(&finish(&ana, &one, &begun, &credential), 409, "confirm-answered");
    let another = begin(&ana, &other);
    is(&finish(&ana, &other, &another, &credential), 422, "confirm-proof-wrong");
    assert_eq!(state(&ana, &other), "pending");
    let (first, second) = (begin(&ana, &other).json(), begin(&ana, &other).json());
    let challenge = |begun: &Value| begun["publicKey"]["challenge"].clone();
    assert_ne!(challenge(&first), challenge(&second), "each question is asked once");
}

#[test]
fn only_the_cards_own_device_that_knows_its_holder_confirms() {
    let site = Site::start();
    let (ana, mut device) = site.registered("ana");
    let mut second = Authenticator::new(&site.url);
    let begun = ana.begin("/devices/begin");
    let added = ana.finish("/devices/finish", second.create(&begun.json()["publicKey"]), &begun);
    assert_eq!(added.status, 303, "{}", added.body);
    let id = waiting(&site, "ana", 39_00, "Shop");
    is(&approve(&ana, &mut second, &id), 422, "confirm-proof-wrong");
    device.verifies = false;
    is(&approve(&ana, &mut device, &id), 422, "confirm-proof-wrong");
    device.verifies = true;
    device.origin = "http://localhost:1".to_owned();
    is(&approve(&ana, &mut device, &id), 422, "confirm-proof-wrong");
    device.origin.clone_from(&site.url);
    let begun = begin(&ana, &id);
    is(&finish(&ana, &id, &begun, &json!({"id": "x"})), 422, "confirm-proof-wrong");
    assert_eq!(state(&ana, &id), "pending");
    assert_eq!(approve(&ana, &mut device, &id).status, 200);
}

#[test]
fn five_failures_in_a_row_stop_a_cards_confirmations() {
    let site = Site::start();
    let (ana, mut device) = site.registered("ana");
    let (id, other) = (waiting(&site, "ana", 39_00, "Shop"), waiting(&site, "ana", 40_00, "Shop"));
    device.verifies = false;
    for _ in 0..4 {
        is(&approve(&ana, &mut device, &id), 422, "confirm-proof-wrong");
    }
    is(&approve(&ana, &mut device, &id), 409, "confirm-blocked");
    device.verifies = true;
    assert_eq!(state(&ana, &id), "denied");
    assert_eq!(end(&site, &id), "N");
    assert_eq!(state(&ana, &other), "denied", "what else waits goes with it");
    assert_eq!(end(&site, &other), "N");
    let next = ask(&site, "ana", 41_00, "Shop");
    assert_ne!(next.ares["transStatus"], "C", "nobody is asked any more");
}

#[test]
fn a_card_without_a_device_is_not_enrolled_and_one_that_loses_it_confirms_nothing() {
    let site = Site::start();
    let unheld = ask(&site, "bor", 39_00, "Shop");
    assert_ne!(unheld.ares["transStatus"], "C", "nobody holds it");
    let (ana, mut device) = site.registered("ana");
    let id = waiting(&site, "ana", 39_00, "Shop");
    let card = site.card("ana");
    let path = format!("/v1/holder/cards/{card}/confirmation_device");
    let bound = ana.get(&path).json()["device"].clone();
    assert!(bound.is_string());
    let csrf = ana.csrf();
    let gone = ana.post(&format!("/confirmations/cards/{card}/no-device"), &[("csrf", &csrf)]);
    assert_eq!(gone.status, 303);
    assert_eq!(ana.get(&path).json()["device"], Value::Null);
    is(&begin(&ana, &id), 409, "confirm-no-device");
    assert_ne!(ask(&site, "ana", 39_00, "Shop").ares["transStatus"], "C");
    assert_eq!(ana.api("PATCH", &path, &csrf, &json!({ "device": bound })).status, 200);
    assert_eq!(ana.api("PATCH", &path, &csrf, &json!({ "device": null })).status, 200);
    assert_eq!(ana.get(&path).json()["device"], Value::Null);
    let again = format!("/confirmations/cards/{card}/device");
    let fields = [("csrf", &*csrf), ("device", bound.as_str().unwrap())];
    assert_eq!(ana.post(&again, &fields).status, 303);
    assert_eq!(ana.get(&path).json()["device"], bound);
    assert_eq!(approve(&ana, &mut device, &id).status, 200);
}

#[test]
fn a_device_is_bound_by_a_fresh_proof_to_ones_own_card_and_passkey() {
    let site = Site::start();
    let (ana, _) = site.registered("ana");
    let (bor, _) = site.registered("bor");
    let device = |browser: &Browser<'_>, card: &str| {
        let path = format!("/v1/holder/cards/{card}/confirmation_device");
        browser.get(&path).json()["device"].as_str().unwrap_or_default().to_owned()
    };
    let (anas, bors) = (site.card("ana"), site.card("bor"));
    let (own, foreign) = (device(&ana, &anas), device(&bor, &bors));
    let bind = |browser: &Browser<'_>, card: &str, device: &str| {
        let csrf = browser.csrf();
        let fields = [("csrf", &*csrf), ("device", device)];
        browser.post(&format!("/confirmations/cards/{card}/device"), &fields)
    };
    assert_eq!(bind(&ana, &bors, &own).status, 404);
    assert_eq!(bind(&ana, &anas, &foreign).status, 422);
    assert_eq!(device(&ana, &anas), own, "and nothing was changed");
    for _ in 0..2 {
        site.clock.advance_ms(160_000);
        assert!(ana.is_signed_in());
    }
    let stale = bind(&ana, &anas, &own);
    assert!(stale.location.starts_with("/prove"), "{} {}", stale.status, stale.location);
}

#[test]
fn an_open_page_hears_of_purchases_at_once() {
    let site = Site::start();
    let (ana, mut device) = site.registered("ana");
    let (bor, _) = site.registered("bor");
    let mut lines = ana.stream("/confirmations/live", &[]);
    let mut changed = || {
        assert_eq!(lines.next().unwrap(), "event: confirmations-changed");
        lines.next().unwrap()
    };
    changed();
    // Another's purchase rings another's bell: the next event below is about this one.
    let _ = waiting(&site, "bor", 50_00, "Shop");
    assert!(bor.get("/confirmations").body.contains("50,00"));
    let id = waiting(&site, "ana", 39_00, "Shop");
    changed();
    assert_eq!(ana.get("/v1/holder/confirmations").json()["data"].as_array().unwrap().len(), 1);
    assert_eq!(approve(&ana, &mut device, &id).status, 200);
    changed();
    assert_eq!(ana.get("/v1/holder/confirmations").json()["data"], json!([]));
    let stranger: Vec<String> = site.browser().stream("/confirmations/live", &[]).collect();
    assert_eq!(stranger, ["event: signed-out", "data: signed-out"]);
}

#[test]
fn what_a_stop_left_between_approval_and_seal_is_finished() {
    let site = Site::start();
    let (ana, _) = site.registered("ana");
    let id = waiting(&site, "ana", 39_00, "Shop");
    let (durable, card) = (site.portal.durable(), site.card("ana"));
    let control = durable.control();
    let card = control.id(&card).unwrap();
    let confirmation = ConfirmationId::parse(&id).unwrap();
    control.approve_confirmation(card, confirmation, durable.now()).unwrap();
    assert_eq!(end(&site, &id), "Y");
    assert_eq!(state(&ana, &id), "sealed");
}

#[test]
fn a_form_from_elsewhere_or_without_the_sessions_token_confirms_nothing() {
    let site = Site::start();
    let (ana, mut device) = site.registered("ana");
    let id = waiting(&site, "ana", 39_00, "Shop");
    let begun = begin(&ana, &id);
    let credential = device.get(&begun.json()["publicKey"]);
    let path = format!("/v1/holder/confirmations/{id}/approve/finish");
    let body = json!({"ceremony": begun.json()["ceremony"], "credential": credential});
    is(&ana.api("POST", &path, "", &body), 403, "forbidden");
    let csrf = ana.csrf();
    *ana.origin.borrow_mut() = Some("https://evil.example".to_owned());
    is(&ana.api("POST", &path, &csrf, &body), 403, "forbidden");
    let refused = ana.post(&format!("/confirmations/{id}/refuse"), &[("csrf", &csrf)]);
    assert_eq!(refused.status, 403);
    *ana.origin.borrow_mut() = Some(site.url.clone());
    assert_eq!(state(&ana, &id), "pending");
    assert_eq!(finish(&ana, &id, &begun, &credential).status, 200);
}

#[test]
fn every_answer_is_kept_with_what_the_device_signed() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    let folder = std::env::temp_dir().join(format!("cekr-portal-confirm-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("portal.db");
    let site = Site::with(|settings| settings.database = DatabasePlace::File(path.clone()));
    let (ana, mut device) = site.registered("ana");
    let id = waiting(&site, "ana", 39_00, "Knjigarna");
    device.verifies = false;
    is(&approve(&ana, &mut device, &id), 422, "confirm-proof-wrong");
    device.verifies = true;
    assert_eq!(approve(&ana, &mut device, &id).status, 200);
    let other = waiting(&site, "ana", 40_00, "Knjigarna");
    assert_eq!(refuse(&ana, &other).status, 200);

    type Row = (String, String, i64, String, String, String);
    let read = async {
        sqlx::any::install_default_drivers();
        let pool = sqlx::AnyPool::connect(&format!("sqlite://{}", path.display())).await.unwrap();
        let read = "SELECT id, answer, amount, payee, challenge, assertion FROM confirm_answer \
                    ORDER BY made_at, answer DESC";
        let rows: Vec<Row> = sqlx::query_as(read).fetch_all(&pool).await.unwrap();
        pool.close().await;
        rows
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let rows = runtime.block_on(read);
    let mut answers: Vec<&str> = rows.iter().map(|row| &*row.1).collect();
    answers.sort_unstable();
    assert_eq!(answers, ["approved", "failed", "refused"]);
    for (of, answer, amount, payee, challenge, assertion) in &rows {
        assert_eq!(payee, "Knjigarna");
        assert_eq!(*amount, if *of == id { 39_00 } else { 40_00 });
        if answer == "refused" {
            assert_eq!((of, &**assertion), (&other, ""));
            continue;
        }
        let assertion: Value = serde_json::from_str(assertion).unwrap();
        let client = assertion["response"]["clientDataJSON"].as_str().unwrap();
        let client: Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(client).unwrap()).unwrap();
        let signed = URL_SAFE_NO_PAD.decode(client["challenge"].as_str().unwrap()).unwrap();
        assert_eq!(*challenge, cekr_portal::identity::secret::hex(&signed));
    }
    drop(ana);
    drop(site);
    std::fs::remove_dir_all(&folder).unwrap();
}
