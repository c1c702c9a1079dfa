//! Who may come in, and who may not: registering, signing in, proving anew, and attacks on each.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may")]

mod support;

use cekr_portal::db::Database;
use cekr_portal::settings::DatabasePlace;
use serde_json::{Value, json};
use support::authenticator::Authenticator;
use support::{Browser, CODE, Reply, Site, back};

const MINUTE_MS: u64 = 60 * 1_000;

fn judge(browser: &Browser<'_>, mok_id: &str, last_six: &str, code: &str) -> Reply {
    let fields = [("mok_id", mok_id), ("last_six", last_six), ("code", code)];
    browser.post("/register", &fields)
}

#[test]
fn a_holder_registers_signs_out_and_signs_in_without_a_name() {
    let site = Site::start();
    let (browser, mut device) = site.registered("ana");
    assert!(browser.is_signed_in());
    let csrf = browser.csrf();
    assert_eq!(browser.post("/sign-out", &[("csrf", &csrf)]).status, 303);
    assert!(!browser.is_signed_in());
    let asked = browser.get("/devices");
    assert_eq!((asked.status, &*asked.location), (303, "/sign-in?next=/devices"));
    assert_eq!(browser.sign_in(&mut device).location, "/cards");
    assert!(browser.is_signed_in());
    assert!(browser.get("/devices").body.contains("Firefox, Linux"));
}

#[test]
fn a_session_is_a_cookie_that_scripts_and_other_sites_do_not_get() {
    let site = Site::start();
    let (browser, mut device) = (site.browser(), Authenticator::new(&site.url));
    let cookie = browser.register(&mut device, "ana", CODE).headers["set-cookie"].clone();
    for part in ["id=", "; Path=/", "; HttpOnly", "; SameSite=Strict"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "plain http on this machine");
    assert_eq!(browser.cookie("id").unwrap().len(), 43);
}

#[test]
fn a_session_ends_after_five_idle_minutes_and_a_stream_does_not_keep_it() {
    let site = Site::start();
    let (browser, _) = site.registered("ana");
    site.clock.advance_ms(4 * MINUTE_MS);
    assert!(browser.is_signed_in());
    site.clock.advance_ms(4 * MINUTE_MS);
    browser.get_with("/devices", &[("Accept", "text/event-stream")]);
    site.clock.advance_ms(MINUTE_MS + 1_000);
    assert!(!browser.is_signed_in());
}

#[test]
fn a_session_ends_after_eight_hours_however_busy() {
    let site = Site::start();
    let (browser, _) = site.registered("ana");
    for _ in 0..8 * 15 {
        assert!(browser.is_signed_in());
        site.clock.advance_ms(4 * MINUTE_MS);
    }
    site.clock.advance_ms(MINUTE_MS);
    assert!(!browser.is_signed_in());
}

#[test]
fn what_opens_a_card_asks_for_a_proof_of_the_last_five_minutes() {
    let site = Site::start();
    let (browser, mut device) = site.registered("ana");
    assert_eq!(browser.get("/devices/card").status, 200, "just proven");
    for _ in 0..2 {
        site.clock.advance_ms(3 * MINUTE_MS);
        assert!(browser.is_signed_in());
    }
    let asked = browser.get("/devices/card");
    assert_eq!((asked.status, &*asked.location), (303, "/prove?next=/devices/card"));
    let before = browser.cookie("id");
    assert_eq!(browser.prove(&mut device).status, 303);
    assert_ne!(browser.cookie("id"), before, "a new session for a new proof");
    assert_eq!(browser.get("/devices/card").status, 200);
    let old = site.browser();
    old.set_cookie("id", &before.unwrap());
    assert!(!old.is_signed_in(), "the session from before is over");
}

#[test]
fn a_session_is_never_one_that_somebody_else_chose() {
    let site = Site::start();
    let (_, mut device) = site.registered("ana");
    let browser = site.browser();
    let chosen = "A".repeat(43);
    browser.set_cookie("id", &chosen);
    assert_eq!(browser.sign_in(&mut device).status, 303);
    assert_ne!(browser.cookie("id").unwrap(), chosen);
    let attacker = site.browser();
    attacker.set_cookie("id", &chosen);
    assert!(!attacker.is_signed_in());
}

#[test]
fn a_session_is_over_on_the_server_when_it_is_signed_out() {
    let site = Site::start();
    let (browser, mut device) = site.registered("ana");
    let thief = site.browser();
    thief.set_cookie("id", &browser.cookie("id").unwrap());
    assert!(thief.is_signed_in());
    let csrf = browser.csrf();
    browser.post("/sign-out", &[("csrf", &csrf)]);
    assert!(!thief.is_signed_in());
    // And everywhere at once.
    browser.sign_in(&mut device);
    let other = site.browser();
    other.sign_in(&mut device);
    let csrf = browser.csrf();
    assert_eq!(browser.post("/sign-out/everywhere", &[("csrf", &csrf)]).status, 303);
    assert!(!browser.is_signed_in() && !other.is_signed_in());
}

#[test]
fn a_change_without_our_origin_or_the_sessions_token_is_refused() {
    let site = Site::start();
    let (browser, _) = site.registered("ana");
    let (other, _) = site.registered("bor");
    let (csrf, foreign) = (browser.csrf(), other.csrf());
    assert_ne!(csrf, foreign);
    for token in ["", &foreign, &csrf[1..]] {
        let refused = browser.post("/sign-out/everywhere", &[("csrf", token)]);
        assert_eq!(refused.status, 403, "{token}");
    }
    assert_eq!(browser.post("/sign-out/everywhere", &[]).status, 403);
    for origin in [Some("https://evil.example".to_owned()), Some("null".to_owned()), None] {
        *browser.origin.borrow_mut() = origin.clone();
        let refused = browser.post("/sign-out/everywhere", &[("csrf", &csrf)]);
        assert_eq!(refused.status, 403, "{origin:?}");
    }
    *browser.origin.borrow_mut() = Some(site.url.clone());
    let fields = [("csrf", &*csrf)];
    let refused = browser.post_with("/sign-out", &fields, &[("Sec-Fetch-Site", "cross-site")]);
    assert_eq!(refused.status, 403);
    assert!(browser.is_signed_in());
    let stranger = site.browser();
    *stranger.origin.borrow_mut() = Some("https://evil.example".to_owned());
    assert_eq!(stranger.post("/sign-in/begin", &[]).status, 403, "nobody is signed in as another");
}

#[test]
fn an_answer_is_taken_once() {
    let site = Site::start();
    let (_, mut device) = site.registered("ana");
    let browser = site.browser();
    let begun = browser.begin("/sign-in/begin");
    let answer = device.get(&begun.json()["publicKey"]);
    assert_eq!(browser.finish("/sign-in/finish", answer.clone(), &begun).status, 303);
    let thief = site.browser();
    assert_eq!(thief.finish("/sign-in/finish", answer.clone(), &begun).status, 422);
    let anew = thief.begin("/sign-in/begin");
    assert_eq!(thief.finish("/sign-in/finish", answer, &anew).status, 422, "another challenge");
    assert!(!thief.is_signed_in());
}

#[test]
fn an_answer_comes_within_five_minutes() {
    let site = Site::start();
    let (_, mut device) = site.registered("ana");
    let browser = site.browser();
    let begun = browser.begin("/sign-in/begin");
    site.clock.advance_ms(5 * MINUTE_MS);
    let answer = device.get(&begun.json()["publicKey"]);
    assert_eq!(browser.finish("/sign-in/finish", answer, &begun).status, 422);
}

#[test]
fn an_answer_given_to_another_site_is_refused() {
    let site = Site::start();
    let (_, mut device) = site.registered("ana");
    let browser = site.browser();
    device.origin = "https://evil.example".to_owned();
    assert_eq!(browser.sign_in(&mut device).status, 422);
    device.origin = site.url.clone();
    assert_eq!(browser.sign_in(&mut device).status, 303);
}

#[test]
fn the_server_refuses_a_device_that_has_not_verified_the_person() {
    let site = Site::start();
    let (browser, mut device) = site.registered("ana");
    device.verifies = false;
    assert_eq!(site.browser().sign_in(&mut device).status, 422);
    assert_eq!(browser.prove(&mut device).status, 422);
    let mut careless = Authenticator::new(&site.url);
    careless.verifies = false;
    let newcomer = site.browser();
    assert_eq!(newcomer.register(&mut careless, "bor", CODE).status, 422);
    assert!(!newcomer.is_signed_in());
}

#[test]
fn a_device_whose_counter_goes_back_is_a_copy() {
    let site = Site::start();
    let (_, mut device) = site.registered("ana");
    let mut copy = device.clone();
    assert_eq!(site.browser().sign_in(&mut device).status, 303);
    assert_eq!(site.browser().sign_in(&mut device).status, 303);
    assert_eq!(site.browser().sign_in(&mut copy).status, 422);
}

#[test]
fn a_proof_by_somebody_elses_device_proves_nothing() {
    let site = Site::start();
    let (ana, _) = site.registered("ana");
    let (_, mut bors) = site.registered("bor");
    assert_eq!(ana.prove(&mut bors).status, 422);
    let (bor, mut anas) = (site.browser(), ana.begin("/prove/begin"));
    assert_eq!(bor.sign_in(&mut bors).status, 303);
    let answer = bors.get(&anas.json()["publicKey"]);
    assert_eq!(bor.finish("/prove/finish", answer, &anas).status, 422, "another's ceremony");
    anas.body.clear();
}

#[test]
fn a_sign_in_leads_to_this_site_and_nowhere_else() {
    let site = Site::start();
    let (_, mut device) = site.registered("ana");
    for (next, leads) in [
        ("/devices", "/devices"),
        ("https://evil.example/", "/cards"),
        ("//evil.example", "/cards"),
        ("/\\evil.example", "/cards"),
        ("javascript:alert(1)", "/cards"),
    ] {
        let browser = site.browser();
        let begun = browser.begin("/sign-in/begin");
        let credential = device.get(&begun.json()["publicKey"]).to_string();
        let ceremony = begun.json()["ceremony"].as_str().unwrap().to_owned();
        let fields = [("ceremony", &*ceremony), ("credential", &*credential), ("next", next)];
        assert_eq!(browser.post("/sign-in/finish", &fields).location, leads, "{next}");
    }
}

#[test]
fn the_same_is_said_whichever_number_of_the_back_was_wrong() {
    let site = Site::start();
    let (mok_id, last_six) = back("ana");
    let typed = |mok_id: &str, last_six: &str, code: &str| {
        let reply = judge(&site.browser(), mok_id, last_six, code);
        assert_eq!(reply.status, 422);
        // What was typed stays in the form; all else must be the same. The page's nonce is not.
        let body = reply.body.replace(mok_id, "M").replace(last_six, "L").replace(code, "C");
        let begin = body.find("<main").unwrap();
        body[begin..].to_owned()
    };
    let wrong_six = typed(&mok_id, "999999", CODE);
    let wrong_mok_id = typed("999999998", &last_six, CODE);
    let wrong_code = typed(&mok_id, &last_six, "KRANJ-40001");
    assert_eq!(wrong_six.replace("KRANJ-40000", "C"), wrong_mok_id.replace("KRANJ-40000", "C"));
    assert_eq!(wrong_six.replace("KRANJ-40000", "C"), wrong_code.replace("KRANJ-40000", "C"));
}

#[test]
fn the_right_pair_after_five_wrong_ones_is_blocked_for_fifteen_minutes() {
    let site = Site::start();
    let (mok_id, last_six) = back("ana");
    for wrong in 0..5 {
        let reply = judge(&site.browser(), &mok_id, &format!("99999{wrong}"), CODE);
        assert_eq!(reply.status, 422);
    }
    assert_eq!(judge(&site.browser(), &mok_id, &last_six, CODE).status, 429);
    // A MOK ID that no card has is blocked alike.
    for _ in 0..5 {
        assert_eq!(judge(&site.browser(), "999999998", "000000", CODE).status, 422);
    }
    assert_eq!(judge(&site.browser(), "999999998", "000000", CODE).status, 429);
    let (other, six) = back("bor");
    assert_eq!(judge(&site.browser(), &other, &six, CODE).status, 200);
    site.clock.advance_ms(15 * MINUTE_MS);
    assert_eq!(judge(&site.browser(), &mok_id, &last_six, CODE).status, 200);
}

#[test]
fn what_cannot_be_a_number_is_said_beside_its_field_and_kept() {
    let site = Site::start();
    let reply = judge(&site.browser(), "12<34", "1", "?");
    assert_eq!(reply.status, 422);
    assert!(reply.body.contains("value=\"12&#60;34\""), "{}", reply.body);
    for field in ["mok_id", "last_six", "code"] {
        assert!(reply.body.contains(&format!("id=\"{field}-fault\"")), "{field}");
    }
}

#[test]
fn an_operators_code_is_good_once_and_for_one_card() {
    let site = Site::start();
    let path = format!("/v1/cards/{}/enrolment_codes", site.card("nika"));
    let (status, made) = site.operator("POST", &path, &json!({}));
    assert_eq!(status, 200, "{made}");
    let code = made["code"].as_str().unwrap();
    let mut device = Authenticator::new(&site.url);
    let browser = site.browser();
    assert_eq!(browser.register(&mut device, "ana", code).status, 422, "another card's");
    assert_eq!(browser.register(&mut device, "nika", CODE).status, 422, "no built-in card");
    assert_eq!(browser.register(&mut device, "nika", code).status, 303);
    let again = site.browser();
    assert_eq!(again.register(&mut Authenticator::new(&site.url), "nika", code).status, 422);
    let (status, refused) = site.operator("POST", &path, &json!({}));
    assert_eq!((status, &refused["error"]["code"]), (409, &json!("card_held")));
}

#[test]
fn a_newer_code_ends_the_older_and_none_outlives_thirty_days() {
    let site = Site::start();
    let path = format!("/v1/cards/{}/enrolment_codes", site.card("nika"));
    let made = || site.operator("POST", &path, &json!({})).1["code"].as_str().unwrap().to_owned();
    let (older, newer) = (made(), made());
    let (mok_id, last_six) = back("nika");
    assert_eq!(judge(&site.browser(), &mok_id, &last_six, &older).status, 422);
    assert_eq!(judge(&site.browser(), &mok_id, &last_six, &newer).status, 200);
    site.clock.advance_ms(30 * 24 * 60 * MINUTE_MS);
    assert_eq!(judge(&site.browser(), &mok_id, &last_six, &newer).status, 422);
}

#[test]
fn a_holder_adds_renames_and_removes_devices_but_never_the_last() {
    let site = Site::start();
    let (browser, mut first) = site.registered("ana");
    let mut second = Authenticator::new(&site.url);
    let begun = browser.begin("/devices/begin");
    let answer = second.create(&begun.json()["publicKey"]);
    assert_eq!(browser.finish("/devices/finish", answer, &begun).location, "/devices");
    assert_eq!(site.browser().sign_in(&mut second).status, 303);
    let csrf = browser.csrf();
    let id = |device: &Authenticator| {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&device.id)
    };
    let rename = format!("/devices/{}/rename", id(&second));
    let renamed = browser.post(&rename, &[("csrf", &csrf), ("label", " Moj  <telefon> ")]);
    assert_eq!(renamed.status, 303);
    assert!(browser.get("/devices").body.contains("Moj &#60;telefon&#62;"));
    let (stranger, _) = site.registered("bor");
    let theirs = stranger.csrf();
    assert_eq!(stranger.post(&rename, &[("csrf", &theirs), ("label", "x")]).status, 404);
    let remove = |device: &Authenticator| format!("/devices/{}/remove", id(device));
    assert_eq!(stranger.post(&remove(&first), &[("csrf", &theirs)]).status, 404);
    assert_eq!(browser.post(&remove(&first), &[("csrf", &csrf)]).status, 303);
    assert_eq!(site.browser().sign_in(&mut first).status, 422, "it is removed");
    assert_eq!(browser.post(&remove(&second), &[("csrf", &csrf)]).status, 409);
    assert_eq!(site.browser().sign_in(&mut second).status, 303);
}

#[test]
fn a_holder_adds_a_card_that_nobody_else_has() {
    let site = Site::start();
    let (ana, _) = site.registered("ana");
    let _ = site.registered("bor");
    let add = |name: &str| {
        let ((mok_id, last_six), csrf) = (back(name), ana.csrf());
        let fields =
            [("csrf", &*csrf), ("mok_id", &*mok_id), ("last_six", &*last_six), ("code", CODE)];
        ana.post("/devices/card", &fields).status
    };
    assert_eq!(add("cilka"), 303);
    assert_eq!(add("bor"), 409, "it is bor's");
    let holder = |name: &str| {
        let path = format!("/v1/holders?card={}", site.card(name));
        site.operator("GET", &path, &Value::Null).1["data"][0]["id"].clone()
    };
    assert_eq!(holder("ana"), holder("cilka"));
    assert_ne!(holder("ana"), holder("bor"));
}

#[test]
fn recovery_ends_passkeys_and_sessions_and_lets_the_same_holder_in_again() {
    let site = Site::start();
    let (browser, mut lost) = site.registered("ana");
    let path = format!("/v1/holders?card={}", site.card("ana"));
    let holder = site.operator("GET", &path, &Value::Null).1["data"][0]["id"].clone();
    let holder = holder.as_str().unwrap();
    let (status, made) =
        site.operator("POST", &format!("/v1/holders/{holder}/recovery"), &json!({}));
    assert_eq!(status, 200, "{made}");
    assert!(!browser.is_signed_in());
    assert_eq!(site.browser().sign_in(&mut lost).status, 422);
    let mut found = Authenticator::new(&site.url);
    let back_again = site.browser();
    let code = made["code"].as_str().unwrap();
    assert_eq!(back_again.register(&mut found, "ana", code).status, 303);
    assert!(back_again.is_signed_in());
    let again = site.operator("GET", &path, &Value::Null).1["data"][0].clone();
    assert_eq!((again["id"].as_str(), again["passkeys"].as_u64()), (Some(holder), Some(1)));
    let (status, _) = site.operator("POST", "/v1/holders/nobody/recovery", &json!({}));
    assert_eq!(status, 404);
}

#[test]
fn what_was_changed_about_people_stands_in_a_chain() {
    let folder = std::env::temp_dir().join(format!("cekr-portal-audit-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = DatabasePlace::File(folder.join("portal.db"));
    let site = Site::with(|settings| settings.database = file.clone());
    let _ = site.registered("ana");
    let (status, first) = site.operator("GET", "/v1/audit?limit=2", &Value::Null);
    assert_eq!((status, &first["has_more"], &first["is_whole"]), (200, &json!(true), &json!(true)));
    assert_eq!(first["data"][0]["what"], "holder_made");
    assert_eq!(first["data"][1]["what"], "card_bound");
    let (_, rest) = site.operator("GET", "/v1/audit?starting_after=2", &Value::Null);
    assert_eq!(rest["data"][0]["what"], "passkey_added");
    assert_eq!((&rest["has_more"], &rest["is_whole"]), (&json!(false), &json!(true)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let database = Database::open(&file).await.unwrap();
        let alter = sqlx::query("UPDATE audit SET about = 'x' WHERE number = 2");
        alter.execute(database.pool()).await.unwrap();
        database.pool().close().await;
    });
    let (_, altered) = site.operator("GET", "/v1/audit", &Value::Null);
    assert_eq!(altered["is_whole"], false);
    drop(site);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn an_audit_whose_newest_lines_were_cut_off_is_not_whole_any_more() {
    let folder = std::env::temp_dir().join(format!("cekr-audit-cut-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = DatabasePlace::File(folder.join("portal.db"));
    let site = Site::with(|settings| {
        settings.database = file.clone();
        settings.audit_head = Some(folder.join("audit-head"));
    });
    let _ = site.registered("ana");
    let is_whole = || site.operator("GET", "/v1/audit", &Value::Null).1["is_whole"].clone();
    assert_eq!(is_whole(), true);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let database = Database::open(&file).await.unwrap();
        let cut = "DELETE FROM audit WHERE number = (SELECT MAX(number) FROM audit)";
        sqlx::query(cut).execute(database.pool()).await.unwrap();
        database.pool().close().await;
    });
    assert_eq!(is_whole(), false);
    let _ = site.registered("bor");
    assert_eq!(is_whole(), false, "new lines do not hide it");
    drop(site);
    std::fs::remove_dir_all(&folder).unwrap();
}
