//! Purchases confirmed at an OpenID provider, over CIBA: asked, looked at, believed or not.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may")]

mod support;

use cekr_portal::settings::{ClientSecret, Confirmations, Rekono};
use serde_json::{Value, json};
use support::provider::{Asked, Provider, forged};
use support::shop::{ask, end, send_browser, waiting};
use support::{Browser, CODE, Site, back};

fn site(provider: &Provider) -> Site {
    let rekono = Rekono {
        issuer: provider.url.clone(),
        client_id: "cekr".to_owned(),
        client_secret: ClientSecret::new("a secret for tests".to_owned()),
        level_claim: "acr".to_owned(),
        level_20: "20".to_owned(),
        level_30: "30".to_owned(),
        confirmations: Confirmations::Ciba,
    };
    Site::with(|settings| settings.rekono = Some(rekono))
}

fn now_ms(site: &Site) -> u64 {
    site.portal.durable().now().unix_ms
}

/// Somebody whose identity at the provider is bound to a card.
fn registered<'a>(site: &'a Site, provider: &Provider, name: &str) -> Browser<'a> {
    let browser = site.browser();
    let (mok_id, last_six) = back(name);
    let fields = [("mok_id", &*mok_id), ("last_six", &*last_six), ("code", CODE)];
    let enrolment = browser.post("/register", &fields).field("ceremony");
    let sent = browser.get(&format!("/rekono?enrolment={enrolment}"));
    let asked = Asked::of(&sent.location);
    let claims = provider.claims(&asked, name, "30", now_ms(site));
    let code = provider.grant(&asked, &claims);
    let done = browser.get(&format!("/rekono/callback?code={code}&state={}", asked.0["state"]));
    assert_eq!(done.status, 200, "{}", done.body);
    browser
}

/// What a true token says.
fn claims(site: &Site, provider: &Provider, sub: &str) -> Value {
    let now_s = now_ms(site) / 1_000;
    json!({"iss": provider.url, "aud": "cekr", "sub": sub, "iat": now_s, "exp": now_s + 300,
        "auth_time": now_s, "acr": "30"})
}

fn granted(token: &str) -> (u16, Value) {
    (200, json!({"access_token": "a", "token_type": "Bearer", "id_token": token}))
}

fn signed(provider: &Provider, claims: &Value) -> String {
    provider.signed(&json!({"alg": "ES256", "kid": "k"}), claims)
}

fn error(name: &str) -> (u16, Value) {
    (400, json!({ "error": name }))
}

fn state(browser: &Browser<'_>, id: &str) -> String {
    let one = browser.get(&format!("/v1/holder/confirmations/{id}"));
    one.json()["state"].as_str().unwrap().to_owned()
}

#[test]
fn the_provider_shows_amount_and_payee_and_its_word_approves() {
    let provider = Provider::start();
    let site = site(&provider);
    let ana = registered(&site, &provider, "ana");
    let token = signed(&provider, &claims(&site, &provider, "ana"));
    provider.questions().turns = vec![error("authorization_pending"), granted(&token)];
    let id = waiting(&site, "ana", 39_00, "Knjigarna Čriček");
    assert_eq!(end(&site, &id), "Y");
    assert_eq!(state(&ana, &id), "sealed");
    let questions = provider.questions();
    let asked = &questions.asked[0];
    assert_eq!((&*asked["login_hint"], &*asked["scope"]), ("ana", "openid"));
    assert_eq!(asked["binding_message"], "Knjigarna Čriček: 39,00\u{a0}€");
    assert_eq!((&*asked["requested_expiry"], &*asked["acr_values"]), ("300", "30"));
    assert_eq!(questions.looks, 2);
}

#[test]
fn a_refusal_at_the_provider_and_one_on_our_page_both_refuse() {
    let provider = Provider::start();
    let site = site(&provider);
    let ana = registered(&site, &provider, "ana");
    provider.questions().turns = vec![error("access_denied")];
    let id = waiting(&site, "ana", 39_00, "Shop");
    assert_eq!(end(&site, &id), "N");
    assert_eq!(state(&ana, &id), "denied");

    provider.questions().turns = vec![error("authorization_pending")];
    let id = waiting(&site, "ana", 40_00, "Shop");
    let page = ana.get("/confirmations").body;
    assert!(page.contains("40,00") && page.contains("pri svojem ponudniku identitete"), "{page}");
    assert!(!page.contains("data-passkey"), "no passkey is asked");
    let csrf = ana.csrf();
    let path = format!("/v1/holder/confirmations/{id}/approve/begin");
    assert_eq!(ana.api("POST", &path, &csrf, &json!({})).status, 409);
    assert_eq!(ana.post(&format!("/confirmations/{id}/refuse"), &[("csrf", &csrf)]).status, 303);
    assert_eq!(end(&site, &id), "N");
}

#[test]
fn what_the_provider_gives_up_expires() {
    let provider = Provider::start();
    let site = site(&provider);
    let ana = registered(&site, &provider, "ana");
    provider.questions().turns = vec![error("expired_token")];
    let id = waiting(&site, "ana", 39_00, "Shop");
    assert_eq!(end(&site, &id), "N");
    assert_eq!(state(&ana, &id), "expired");
}

#[test]
fn a_token_that_is_not_about_this_holder_now_at_this_level_approves_nothing() {
    let provider = Provider::start();
    let site = site(&provider);
    let ana = registered(&site, &provider, "ana");
    let good = claims(&site, &provider, "ana");
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        signed(&provider, &claims)
    };
    let old = now_ms(&site) / 1_000 - 400;
    let bad = [
        with("sub", json!("bor")),
        with("aud", json!("another")),
        with("iss", json!("http://127.0.0.1:1")),
        with("acr", json!("20")),
        with("exp", json!(old)),
        with("iat", json!(old)),
        forged(&good),
        "no token".to_owned(),
    ];
    for (at, token) in bad.iter().enumerate() {
        provider.questions().turns = vec![granted(token)];
        let id = waiting(&site, "ana", 31_00 + u64::try_from(at).unwrap(), "Shop");
        assert_eq!(end(&site, &id), "N", "{at}");
        assert_eq!(state(&ana, &id), "denied", "{at}");
    }
}

#[test]
fn only_whom_the_provider_knows_is_asked_and_a_provider_that_does_not_ask_ends_it() {
    let provider = Provider::start();
    let site = site(&provider);
    // A passkey is no name at the provider.
    let _ = site.registered("bor");
    assert_ne!(ask(&site, "bor", 39_00, "Shop").ares["transStatus"], "C");
    let _ana = registered(&site, &provider, "ana");
    provider.questions().refuses = true;
    let bought = ask(&site, "ana", 39_00, "Shop");
    send_browser(&site, &bought);
    assert_ne!(end(&site, &bought.id), "Y");
    assert_eq!(provider.questions().looks, 0);
}
