//! Operators as people: made by the token, signed in by passkeys, apart from holders.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may")]

mod support;

use serde_json::{Value, json};
use support::authenticator::Authenticator;
use support::{Browser, Reply, Site};

const MINUTE_MS: u64 = 60 * 1_000;

fn made(site: &Site, name: &str, roles: &Value) -> String {
    let (status, made) =
        site.operator("POST", "/v1/operators", &json!({"name": name, "roles": roles}));
    assert_eq!(status, 200, "{made}");
    made["code"].as_str().unwrap().to_owned()
}

fn register(browser: &Browser<'_>, device: &mut Authenticator, name: &str, code: &str) -> Reply {
    let judged = browser.post("/desk/register", &[("name", name), ("code", code)]);
    if judged.status != 200 {
        return judged;
    }
    let ceremony = judged.field("ceremony");
    let begun = browser.post("/desk/register/begin", &[("ceremony", &ceremony)]);
    let credential = device.create(&begun.json()["publicKey"]);
    finish(browser, "/desk/register/finish", &begun, &credential)
}

fn sign_in(browser: &Browser<'_>, device: &mut Authenticator) -> Reply {
    let begun = browser.post("/desk/sign-in/begin", &[]);
    let credential = device.get(&begun.json()["publicKey"]);
    finish(browser, "/desk/sign-in/finish", &begun, &credential)
}

fn finish(browser: &Browser<'_>, path: &str, begun: &Reply, credential: &Value) -> Reply {
    let ceremony = begun.json()["ceremony"].as_str().unwrap().to_owned();
    let credential = credential.to_string();
    browser.post(path, &[("ceremony", &*ceremony), ("credential", &*credential)])
}

#[test]
fn an_operator_registers_with_a_code_and_signs_in_with_a_passkey() {
    let site = Site::start();
    let code = made(&site, "Maja  Novak", &json!(["reconciliation"]));
    let (browser, mut device) = (site.browser(), Authenticator::new(&site.url));
    let asked = browser.get("/desk");
    assert_eq!((asked.status, &*asked.location), (303, "/desk/sign-in?next=/desk"));
    assert_eq!(register(&browser, &mut device, "Maja Novak", &code).location, "/desk");
    let desk = browser.get("/desk");
    assert!(desk.body.contains("Maja Novak") && desk.body.contains("Neprepoznana plačila"));
    assert!(!desk.body.contains("Poslovalnica"), "only their own roles");
    assert_eq!(browser.post("/desk/sign-out", &[]).status, 403, "without the desk's token");
    assert_eq!(browser.post("/desk/sign-out", &[("csrf", &desk.field("csrf"))]).status, 303);
    assert_eq!(browser.get("/desk").status, 303);
    assert_eq!(sign_in(&browser, &mut device).status, 303);
    assert_eq!(browser.get("/desk").status, 200);
    site.clock.advance_ms(5 * MINUTE_MS + 1_000);
    assert_eq!(browser.get("/desk").status, 303);
    let again = site.browser();
    let mut other = Authenticator::new(&site.url);
    assert_eq!(register(&again, &mut other, "Maja Novak", &code).status, 422, "the code is used");
}

#[test]
fn holders_and_operators_do_not_come_in_by_each_others_doors() {
    let site = Site::start();
    let (holder, mut holders) = site.registered("ana");
    let code = made(&site, "Maja", &json!(["branch"]));
    let (desk, mut operators) = (site.browser(), Authenticator::new(&site.url));
    register(&desk, &mut operators, "Maja", &code);
    assert_eq!(sign_in(&site.browser(), &mut holders).status, 422);
    assert_eq!(site.browser().sign_in(&mut operators).status, 422);
    holder.set_cookie("desk", &holder.cookie("id").unwrap());
    assert_eq!(holder.get("/desk").status, 303);
    desk.set_cookie("id", &desk.cookie("desk").unwrap());
    assert!(!desk.is_signed_in());
}

#[test]
fn an_operator_made_anew_has_only_the_new_code() {
    let site = Site::start();
    let first = made(&site, "Maja", &json!(["branch"]));
    let (browser, mut device) = (site.browser(), Authenticator::new(&site.url));
    register(&browser, &mut device, "Maja", &first);
    let second = made(&site, "Maja", &json!(["branch", "support"]));
    assert_eq!(browser.get("/desk").status, 303, "sessions end");
    assert_eq!(sign_in(&browser, &mut device).status, 422, "passkeys end");
    assert_eq!(register(&browser, &mut Authenticator::new(&site.url), "Maja", &second).status, 303);
}

#[test]
fn five_wrong_codes_block_a_name_whether_somebody_has_it_or_not() {
    let site = Site::start();
    let code = made(&site, "Maja", &json!([]));
    for name in ["Maja", "Nobody"] {
        let typed = |code: &str| {
            site.browser().post("/desk/register", &[("name", name), ("code", code)]).status
        };
        for _ in 0..5 {
            assert_eq!(typed("00000-00000"), 422, "{name}");
        }
        assert_eq!(typed(&code), 429, "{name}");
    }
}

#[test]
fn what_is_no_operator_is_refused_with_its_reason() {
    let site = Site::start();
    for body in
        [json!({}), json!({"name": "", "roles": []}), json!({"name": "A", "roles": ["king"]})]
    {
        let (status, refused) = site.operator("POST", "/v1/operators", &body);
        assert_eq!(status, 400, "{refused}");
        assert!(refused["error"]["message"].is_string(), "{refused}");
    }
}
