//! Coming in over an OpenID Connect provider, and answers of it that must not be believed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may")]

mod support;

use cekr_portal::settings::{ClientSecret, Rekono};
use serde_json::{Value, json};
use support::provider::{Asked, Provider, forged};
use support::tls::Authority;
use support::{Browser, CODE, Reply, Site, back};

const MINUTE_MS: u64 = 60 * 1_000;

fn site(provider: &Provider) -> Site {
    Site::with(|settings| settings.rekono = Some(rekono(provider)))
}

fn rekono(provider: &Provider) -> Rekono {
    Rekono {
        issuer: provider.url.clone(),
        client_id: "cekr".to_owned(),
        client_secret: ClientSecret::new("a secret for tests".to_owned()),
        level_claim: "acr".to_owned(),
        level_20: "20".to_owned(),
        level_30: "30".to_owned(),
        ..Rekono::default()
    }
}

fn now_ms(site: &Site) -> u64 {
    site.portal.durable().now().unix_ms
}

/// Away to the provider: what it is asked.
fn away(browser: &Browser<'_>, path: &str) -> Asked {
    let sent = browser.get(path);
    assert_eq!(sent.status, 303, "{}", sent.body);
    Asked::of(&sent.location)
}

/// Back with a code.
fn back_with(browser: &Browser<'_>, asked: &Asked, code: &str) -> Reply {
    browser.get(&format!("/rekono/callback?code={code}&state={}", asked.0["state"]))
}

/// Away and back with true claims.
fn over(browser: &Browser<'_>, provider: &Provider, path: &str, sub: &str, level: &str) -> Reply {
    let asked = away(browser, path);
    let claims = provider.claims(&asked, sub, level, now_ms(browser.site));
    back_with(browser, &asked, &provider.grant(&asked, &claims))
}

/// Somebody whose identity is bound to a card at a level.
fn registered<'a>(site: &'a Site, provider: &Provider, name: &str, level: &str) -> Browser<'a> {
    let browser = site.browser();
    let (mok_id, last_six) = back(name);
    let fields = [("mok_id", &*mok_id), ("last_six", &*last_six), ("code", CODE)];
    let enrolment = browser.post("/register", &fields).field("ceremony");
    let path = format!("/rekono?enrolment={enrolment}");
    let done = over(&browser, provider, &path, name, level);
    assert_eq!((done.status, &*done.headers["refresh"]), (200, "0; url=/cards"), "{}", done.body);
    browser
}

#[test]
fn an_identity_is_bound_to_a_card_and_then_signs_in() {
    let provider = Provider::start();
    let site = site(&provider);
    let browser = registered(&site, &provider, "ana", "30");
    assert!(browser.is_signed_in());
    let again = site.browser();
    assert!(again.get("/sign-in").body.contains("href=\"/rekono?next="));
    let done = over(&again, &provider, "/rekono?next=/devices", "ana", "30");
    assert_eq!((done.status, &*done.headers["refresh"]), (200, "0; url=/devices"));
    assert!(again.is_signed_in());
    let unknown = site.browser();
    assert_eq!(over(&unknown, &provider, "/rekono", "somebody else", "30").status, 422);
    assert!(!unknown.is_signed_in());
}

#[test]
fn what_may_be_done_follows_from_the_level_that_the_provider_tells() {
    let provider = Provider::start();
    let site = site(&provider);
    let lock = format!("/cards/{}/lock", site.card("ana"));
    for (level, may_lock, may_link) in
        [("30", true, true), ("20", true, false), ("10", false, false), ("gold", false, false)]
    {
        let browser = site.browser();
        if level == "30" {
            drop(registered(&site, &provider, "ana", level));
        }
        assert_eq!(over(&browser, &provider, "/rekono", "ana", level).status, 200);
        let linked = browser.get("/devices/card");
        assert_eq!(linked.status == 200, may_link, "{level}");
        let csrf = browser.csrf();
        let locked = browser.post(&lock, &[("csrf", &csrf)]);
        assert_eq!(!locked.location.starts_with("/prove"), may_lock, "{level} {}", locked.location);
    }
}

#[test]
fn a_proof_over_the_provider_is_made_anew_and_told_with_its_time() {
    let provider = Provider::start();
    let site = site(&provider);
    let browser = registered(&site, &provider, "ana", "30");
    for _ in 0..2 {
        site.clock.advance_ms(3 * MINUTE_MS);
        assert!(browser.is_signed_in());
    }
    assert_eq!(browser.get("/devices/card").location, "/prove?next=/devices/card");
    assert!(browser.get("/prove").body.contains("href=\"/rekono?prove=1"));
    let asked = away(&browser, "/rekono?prove=1&next=/devices/card");
    assert_eq!((&*asked.0["prompt"], &*asked.0["max_age"]), ("login", "0"));
    let mut claims = provider.claims(&asked, "ana", "30", now_ms(&site) - 6 * MINUTE_MS);
    claims["exp"] = json!(now_ms(&site) / 1_000 + 300);
    claims["iat"] = json!(now_ms(&site) / 1_000);
    let stale = back_with(&browser, &asked, &provider.grant(&asked, &claims));
    assert_eq!(stale.status, 422, "an old proof is no new one");
    assert_eq!(browser.get("/devices/card").status, 303);
    let before = browser.cookie("id");
    let path = "/rekono?prove=1&next=/devices/card";
    assert_eq!(over(&browser, &provider, path, "ana", "30").status, 200);
    assert_eq!(browser.get("/devices/card").status, 200);
    let old = site.browser();
    old.set_cookie("id", &before.unwrap());
    assert!(!old.is_signed_in());
}

#[test]
fn an_answer_that_another_browser_asked_for_is_refused() {
    let provider = Provider::start();
    let site = site(&provider);
    drop(registered(&site, &provider, "ana", "30"));
    let (attacker, victim) = (site.browser(), site.browser());
    let asked = away(&attacker, "/rekono");
    let code = provider.grant(&asked, &provider.claims(&asked, "ana", "30", now_ms(&site)));
    assert_eq!(back_with(&victim, &asked, &code).status, 422);
    assert!(!victim.is_signed_in());
    away(&victim, "/rekono");
    assert_eq!(back_with(&victim, &asked, &code).status, 422, "with a state of its own");
    assert!(!victim.is_signed_in());
}

#[test]
fn an_answer_is_taken_once_and_within_five_minutes() {
    let provider = Provider::start();
    let site = site(&provider);
    drop(registered(&site, &provider, "ana", "30"));
    let browser = site.browser();
    let asked = away(&browser, "/rekono");
    let code = provider.grant(&asked, &provider.claims(&asked, "ana", "30", now_ms(&site)));
    assert_eq!(back_with(&browser, &asked, &code).status, 200);
    browser.set_cookie("rekono", &asked.0["state"]);
    assert_eq!(back_with(&browser, &asked, &code).status, 422);
    let late = site.browser();
    let asked = away(&late, "/rekono");
    site.clock.advance_ms(5 * MINUTE_MS);
    let code = provider.grant(&asked, &provider.claims(&asked, "ana", "30", now_ms(&site)));
    assert_eq!(back_with(&late, &asked, &code).status, 422);
}

#[test]
fn a_token_that_is_not_for_this_question_is_refused() {
    let provider = Provider::start();
    let site = site(&provider);
    drop(registered(&site, &provider, "ana", "30"));
    let refused = |name: &str, change: &dyn Fn(&mut Value)| {
        let browser = site.browser();
        let asked = away(&browser, "/rekono");
        let mut claims = provider.claims(&asked, "ana", "30", now_ms(&site));
        change(&mut claims);
        let reply = back_with(&browser, &asked, &provider.grant(&asked, &claims));
        assert_eq!((reply.status, browser.is_signed_in()), (422, false), "{name}");
    };
    refused("nonce", &|claims| claims["nonce"] = json!("another"));
    refused("audience", &|claims| claims["aud"] = json!("another"));
    refused("issuer", &|claims| claims["iss"] = json!("https://evil.example"));
    refused("expired", &|claims| claims["exp"] = json!(1));
    for kind in ["forged", "none", "text"] {
        let browser = site.browser();
        let asked = away(&browser, "/rekono");
        let claims = provider.claims(&asked, "ana", "30", now_ms(&site));
        let token = match kind {
            "forged" => forged(&claims),
            "none" => provider.signed(&json!({"alg": "none"}), &claims),
            _ => "a.b.c".to_owned(),
        };
        let reply = back_with(&browser, &asked, &provider.grant_token(&asked, token));
        assert_eq!((reply.status, browser.is_signed_in()), (422, false), "{kind}");
    }
    let browser = site.browser();
    let asked = away(&browser, "/rekono");
    let denied = format!("/rekono/callback?error=access_denied&state={}", asked.0["state"]);
    assert_eq!(browser.get(&denied).status, 422);
}

#[test]
fn a_provider_over_tls_is_believed_by_the_authority_of_the_settings() {
    let authority = Authority::new();
    let provider = Provider::start_tls(&authority);
    assert!(provider.url.starts_with("https://"));
    let file = authority.file();
    let site = Site::with(|settings| {
        settings.rekono = Some(rekono(&provider));
        settings.outbound.ca_file = Some(file.clone());
    });
    let browser = registered(&site, &provider, "ana", "30");
    assert!(browser.is_signed_in());
    std::fs::remove_file(file).unwrap();
}

#[test]
fn a_provider_whose_certificate_nobody_vouches_for_is_not_spoken_to() {
    let provider = Provider::start_tls(&Authority::new());
    let other = Authority::new().file();
    for ca_file in [None, Some(other.clone())] {
        let site = Site::with(|settings| {
            settings.rekono = Some(rekono(&provider));
            settings.outbound.ca_file = ca_file;
        });
        assert_eq!(site.browser().get("/rekono").status, 503);
    }
    std::fs::remove_file(other).unwrap();
}

#[test]
fn without_a_provider_there_is_no_such_way() {
    let site = Site::start();
    assert_eq!(site.browser().get("/rekono").status, 404);
    assert!(!site.browser().get("/sign-in").body.contains("/rekono"));
}
