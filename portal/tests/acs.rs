//! The access control server as shops, browsers and holders meet it: messages in, messages out.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may")]

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use cekr_issuer::CardId;
use cekr_issuer::confirmation::{ConfirmationEnd, ConfirmationId, SecondFactor};
use cekr_switch::control::ChannelsPatch;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use support::{Reply, Site};

fn vector(name: &str) -> Value {
    let path = format!("{}/../tests/vectors/domain/3ds/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The published question, about ana's card, changed as `change` says.
fn areq(change: &Value) -> Value {
    let mut areq = vector("areq.json");
    areq["acctNumber"] = json!("4761730000000011");
    areq["cardExpiryDate"] = json!("3012");
    for (name, value) in change.as_object().unwrap() {
        areq[name] = value.clone();
    }
    areq
}

fn ask(site: &Site, areq: &Value) -> Value {
    let answer = site.send("/3ds/areq", "application/json", areq.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

fn text<'a>(message: &'a Value, name: &str) -> &'a str {
    message[name].as_str().unwrap_or_default()
}

/// A shop's ear: answers each call with what `answer` makes of it, and gives what it heard.
struct Shop {
    url: String,
    socket: TcpListener,
}

impl Shop {
    fn open() -> Shop {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/3ds/rreq", socket.local_addr().unwrap());
        Shop { url, socket }
    }

    /// Waits for a result and takes it.
    fn result(&self) -> Value {
        self.answered(|result| {
            let mut rres = vector("rres.json");
            for id in ["threeDSServerTransID", "dsTransID", "acsTransID", "messageVersion"] {
                rres[id] = result[id].clone();
            }
            rres.to_string()
        })
    }

    fn answered(&self, answer: impl FnOnce(&Value) -> String) -> Value {
        let (mut stream, _) = self.socket.accept().unwrap();
        let mut read = Vec::new();
        let mut octet = [0];
        while !read.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut octet).unwrap();
            read.push(octet[0]);
        }
        let head = String::from_utf8(read).unwrap().to_ascii_lowercase();
        let length = head.split_once("content-length:").unwrap().1.lines().next().unwrap();
        let mut body = vec![0; length.trim().parse().unwrap()];
        stream.read_exact(&mut body).unwrap();
        let result: Value = serde_json::from_slice(&body).unwrap();
        let answer = answer(&result);
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            answer.len()
        );
        stream.write_all(format!("{head}{answer}").as_bytes()).unwrap();
        result
    }
}

/// After so long an open purchase is held against the journal, should nobody tell.
const LOOK_MS: u64 = 3_000;

/// A purchase of 39.00 whose shop was told to send the browser.
struct Challenge<'a> {
    site: &'a Site,
    shop: Shop,
    asked: Value,
    ares: Value,
}

impl Challenge<'_> {
    fn begin(site: &Site) -> Challenge<'_> {
        let shop = Shop::open();
        let asked = areq(&json!({"purchaseAmount": "3900", "dsURL": shop.url}));
        let ares = ask(site, &asked);
        assert_eq!(text(&ares, "transStatus"), "C", "{ares}");
        Challenge { site, shop, asked, ares }
    }

    fn id(&self) -> ConfirmationId {
        ConfirmationId::parse(text(&self.ares, "acsTransID")).unwrap()
    }

    fn creq(&self) -> Value {
        let mut creq = vector("creq-browser.json");
        creq["acsTransID"] = self.ares["acsTransID"].clone();
        creq["threeDSServerTransID"] = self.ares["threeDSServerTransID"].clone();
        creq
    }

    /// The browser comes, and is shown a page.
    fn open(&self) -> String {
        let reply = post_creq(self.site, &self.creq());
        assert_eq!(reply.status, 303, "{}", reply.body);
        reply.location
    }

    fn card(&self) -> CardId {
        let control = self.site.portal.durable().control();
        control.find("ana").unwrap()
    }

    /// The holder agrees, and the seal is there.
    fn approve(&self) {
        let (durable, id) = (self.site.portal.durable(), self.id());
        let control = durable.control();
        control.approve_confirmation(self.card(), id, durable.now()).unwrap();
        let factor = SecondFactor::OutOfBandBiometric;
        control.seal_confirmation(self.card(), id, factor, durable.now()).unwrap();
    }

    /// Waits until the browser's page has its end, and gives the `CRes` of it.
    fn cres(&self, page: &str) -> Value {
        let browser = self.site.browser();
        let ended = browser.get(&format!("{page}/end"));
        assert_eq!(ended.json(), json!({"ended": true}));
        let shown = browser.get(page);
        let cres = URL_SAFE_NO_PAD.decode(shown.field("cres")).unwrap();
        assert!(shown.body.contains("action=\"https://shop.invalid/3ds\""), "{}", shown.body);
        serde_json::from_slice(&cres).unwrap()
    }
}

fn post_creq(site: &Site, creq: &Value) -> Reply {
    let browser = site.browser();
    // A shop's page sends it: the origin is another's.
    *browser.origin.borrow_mut() = Some("https://shop.invalid".to_owned());
    let creq = URL_SAFE_NO_PAD.encode(creq.to_string());
    browser.post("/3ds/creq", &[("creq", &*creq), ("threeDSSessionData", "c2Vzc2lvbg")])
}

#[test]
fn small_purchases_need_nobody_and_get_a_value() {
    let site = Site::start();
    let ares = ask(&site, &areq(&json!({})));
    let mut wanted = vector("ares-frictionless.json");
    for drawn in ["acsTransID", "authenticationValue"] {
        wanted[drawn] = ares[drawn].clone();
    }
    assert_eq!(ares.to_string(), wanted.to_string());
    let value = STANDARD.decode(text(&ares, "authenticationValue")).unwrap();
    assert_eq!((value.len(), value[0], value[1]), (20, 0, 0x97));
    // A shop that wants its buyer asked is heard, and nobody can be who has no device.
    let mandated = areq(&json!({"threeDSRequestorChallengeInd": "04"}));
    assert_eq!(text(&ask(&site, &mandated), "transStatusReason"), "13");
}

#[test]
fn what_the_switch_would_decline_is_refused_before() {
    let site = Site::start();
    let durable = site.portal.durable();
    let (control, now) = (durable.control(), durable.now());
    let of = |number: &str| areq(&json!({"acctNumber": number}));
    let same_but = |ares: &Value, name: &str| {
        let mut wanted = vector(name);
        wanted["acsTransID"] = ares["acsTransID"].clone();
        assert_eq!(ares.to_string(), wanted.to_string());
    };
    same_but(&ask(&site, &vector("areq.json")), "ares-not-enrolled.json");
    same_but(&ask(&site, &of("4761730000000102")), "ares-not-enrolled.json");
    let off = ChannelsPatch { online: Some(false), ..ChannelsPatch::default() };
    control.set_channels(control.find("bor").unwrap(), off, now).unwrap();
    same_but(&ask(&site, &of("4761730000000029")), "ares-rejected-online-off.json");
    control.lock(control.find("cilka").unwrap(), now).unwrap();
    let locked = ask(&site, &of("4761730000000037"));
    assert_eq!((text(&locked, "transStatus"), text(&locked, "transStatusReason")), ("R", "12"));
    assert_eq!(locked["cardholderInfo"], Value::Null);
    let expired = ask(&site, &areq(&json!({"cardExpiryDate": "2911"})));
    assert_eq!((text(&expired, "transStatus"), text(&expired, "transStatusReason")), ("R", "05"));
    let off = ChannelsPatch { abroad: Some(false), ..ChannelsPatch::default() };
    control.set_channels(control.find("ana").unwrap(), off, now).unwrap();
    let change = json!({"merchantCountryCode": "191", "browserLanguage": "en"});
    let abroad = ask(&site, &areq(&change));
    assert_eq!(text(&abroad, "cardholderInfo"), "Payments abroad are switched off for this card.");
    for (change, reason) in [
        (json!({"messageCategory": "02"}), "20"),
        (json!({"deviceChannel": "03", "threeRIInd": "01"}), "21"),
    ] {
        let ares = ask(&site, &areq(&change));
        assert_eq!((text(&ares, "transStatus"), text(&ares, "transStatusReason")), ("U", reason));
    }
}

#[test]
fn a_confirmed_purchase_is_told_to_the_shop_and_then_to_its_browser() {
    let site = Site::start();
    let _holder = site.registered("ana");
    let challenge = Challenge::begin(&site);
    let mut wanted = vector("ares-challenge-oob.json");
    wanted["acsTransID"] = challenge.ares["acsTransID"].clone();
    wanted["acsURL"] = json!(format!("{}/3ds/creq", site.url));
    assert_eq!(challenge.ares.to_string(), wanted.to_string());

    let page = challenge.open();
    let waiting = site.browser().get(&page);
    assert!(waiting.body.contains("Trgovina d.o.o."), "{}", waiting.body);
    assert_eq!(waiting.headers["refresh"], "3");
    let policy = &waiting.headers["content-security-policy"];
    assert!(policy.contains("form-action 'self' https://shop.invalid;"), "{policy}");
    assert!(policy.contains("frame-ancestors https://shop.invalid;"), "{policy}");

    challenge.approve();
    site.clock.advance_ms(LOOK_MS);
    let result = challenge.shop.result();
    let mut wanted = vector("rreq-ok.json");
    for drawn in ["acsTransID", "authenticationValue"] {
        wanted[drawn] = result[drawn].clone();
    }
    assert_eq!(result.to_string(), wanted.to_string());
    let value = STANDARD.decode(text(&result, "authenticationValue")).unwrap();
    assert_eq!((value.len(), value[0], value[1]), (20, 0, 0x07));
    let mut wanted = vector("cres-final.json");
    wanted["acsTransID"] = challenge.ares["acsTransID"].clone();
    assert_eq!(challenge.cres(&page).to_string(), wanted.to_string());
    let shown = site.browser().get(&page);
    assert_eq!(shown.field("threeDSSessionData"), "c2Vzc2lvbg");
}

#[test]
fn a_result_that_is_lost_comes_again_and_is_the_same() {
    let site = Site::start();
    let _holder = site.registered("ana");
    let challenge = Challenge::begin(&site);
    let page = challenge.open();
    challenge.approve();
    site.clock.advance_ms(LOOK_MS);
    let lost = challenge.shop.answered(|_| "not an answer".to_owned());
    // The browser does not wait for a shop that does not answer.
    assert_eq!(text(&challenge.cres(&page), "transStatus"), "Y");
    site.clock.advance_ms(2_000);
    assert_eq!(challenge.shop.result().to_string(), lost.to_string());
}

#[test]
fn a_refusal_is_reported_as_the_holders() {
    let site = Site::start();
    let _holder = site.registered("ana");
    let challenge = Challenge::begin(&site);
    let page = challenge.open();
    let durable = site.portal.durable();
    let (control, now) = (durable.control(), durable.now());
    control
        .end_confirmation(challenge.card(), challenge.id(), ConfirmationEnd::Denied, now)
        .unwrap();
    site.clock.advance_ms(LOOK_MS);
    let result = challenge.shop.result();
    let mut wanted = vector("rreq-declined-by-cardholder.json");
    wanted["acsTransID"] = result["acsTransID"].clone();
    assert_eq!(result.to_string(), wanted.to_string());
    assert_eq!(text(&challenge.cres(&page), "transStatus"), "N");
}

#[test]
fn the_cancel_button_ends_it_for_good() {
    let site = Site::start();
    let _holder = site.registered("ana");
    let challenge = Challenge::begin(&site);
    let page = challenge.open();
    let browser = site.browser();
    *browser.origin.borrow_mut() = Some("https://shop.invalid".to_owned());
    assert_eq!(browser.post(&format!("{page}/cancel"), &[]).status, 403);
    *browser.origin.borrow_mut() = Some(site.url.clone());
    let (cancelled, result) = std::thread::scope(|scope| {
        let result = scope.spawn(|| challenge.shop.result());
        (browser.post(&format!("{page}/cancel"), &[]), result.join().unwrap())
    });
    assert_eq!(cancelled.status, 303);
    assert_eq!(text(&result, "challengeCancel"), "01");
    let durable = site.portal.durable();
    let late =
        durable.control().approve_confirmation(challenge.card(), challenge.id(), durable.now());
    assert!(late.is_err());
    assert_eq!(text(&challenge.cres(&page), "transStatus"), "N");
}

#[test]
fn whoever_does_not_come_or_does_not_answer_runs_out_of_time() {
    let site = Site::start();
    let _holder = site.registered("ana");
    let never = Challenge::begin(&site);
    site.clock.advance_ms(31_000);
    let result = never.shop.result();
    let mut wanted = vector("rreq-timeout.json");
    wanted["acsTransID"] = result["acsTransID"].clone();
    assert_eq!(result.to_string(), wanted.to_string());
    let late = post_creq(&site, &never.creq());
    assert_eq!((late.status, text(&late.json(), "errorCode")), (410, "402"));

    let slow = Challenge::begin(&site);
    let page = slow.open();
    site.clock.advance_ms(301_000);
    let result = slow.shop.result();
    let mut wanted = vector("rreq-oob-timeout.json");
    wanted["acsTransID"] = result["acsTransID"].clone();
    assert_eq!(result.to_string(), wanted.to_string());
    assert_eq!(text(&slow.cres(&page), "transStatus"), "N");
}

#[test]
fn of_two_ends_the_first_stays() {
    let site = Site::start();
    let _holder = site.registered("ana");
    let challenge = Challenge::begin(&site);
    let page = challenge.open();
    let browser = site.browser();
    let result = std::thread::scope(|scope| {
        let result = scope.spawn(|| challenge.shop.result());
        challenge.approve();
        result.join().unwrap()
    });
    assert_eq!(text(&result, "transStatus"), "Y");
    assert_eq!(browser.post(&format!("{page}/cancel"), &[]).status, 303);
    assert_eq!(text(&challenge.cres(&page), "transStatus"), "Y");
}

#[test]
fn five_purchases_may_wait_and_no_more() {
    let site = Site::start();
    let _holder = site.registered("ana");
    let asked: Vec<Challenge<'_>> = (0..5).map(|_| Challenge::begin(&site)).collect();
    let one_more = ask(&site, &asked[0].asked);
    let told = (text(&one_more, "transStatus"), text(&one_more, "transStatusReason"));
    assert_eq!(told, ("N", "04"), "{one_more}");
}

#[test]
fn faults_are_answered_by_the_protocols_own_message() {
    let site = Site::start();
    let mut without = areq(&json!({}));
    without.as_object_mut().unwrap().remove("merchantName");
    without.as_object_mut().unwrap().remove("mcc");
    let critical = json!([{"name": "x", "id": "A1", "criticalityIndicator": true, "data": {}}]);
    let quiet = json!([{"name": "x", "id": "A1", "criticalityIndicator": false, "data": {}}]);
    for (sent, code, detail) in [
        (json!({"messageType": "CReq"}), "101", "messageType: AReq is taken here"),
        (areq(&json!({"messageVersion": "2.3.1"})), "102", "2.1.0,2.2.0"),
        (areq(&json!({"messageVersion": null})), "201", "messageVersion"),
        (areq(&json!({"messageVersion": "two"})), "203", "messageVersion"),
        (without, "201", "mcc,merchantName"),
        (areq(&json!({"browserJavaEnabled": "yes", "mcc": "57"})), "203", "browserJavaEnabled,mcc"),
        (
            areq(&json!({"threeDSRequestorChallengeInd": "79"})),
            "203",
            "threeDSRequestorChallengeInd",
        ),
        (areq(&json!({"messageExtension": critical})), "202", "A1"),
        (areq(&json!({"purchaseCurrency": "999"})), "304", "purchaseCurrency"),
        (areq(&json!({"merchantCountryCode": "999"})), "304", "merchantCountryCode"),
        (areq(&json!({"purchaseExponent": "0"})), "305", "purchaseExponent"),
        (areq(&json!({"purchaseAmount": "0"})), "305", "purchaseAmount"),
        (areq(&json!({"purchaseAmount": "9".repeat(48)})), "305", "purchaseAmount"),
        (areq(&json!({"notificationURL": "javascript:alert(1)"})), "203", "notificationURL"),
    ] {
        let erro = ask(&site, &sent);
        assert_eq!(text(&erro, "messageType"), "Erro", "{erro}");
        assert_eq!((text(&erro, "errorCode"), text(&erro, "errorDetail")), (code, detail));
        assert_eq!(text(&erro, "errorComponent"), "A");
        assert_eq!(text(&erro, "errorMessageType"), "AReq");
        if sent["threeDSServerTransID"].is_string() {
            assert_eq!(erro["threeDSServerTransID"], sent["threeDSServerTransID"]);
            assert_eq!(erro["dsTransID"], sent["dsTransID"]);
        }
    }
    let twice = areq(&json!({})).to_string().replacen('{', "{\"mcc\":\"5732\",", 1);
    let erro = site.send("/3ds/areq", "application/json", twice.as_bytes()).json();
    assert_eq!((text(&erro, "errorCode"), text(&erro, "errorDetail")), ("204", "mcc"));
    for octets in [&b""[..], b"{", b"[1]", b"\xff\xfe"] {
        let erro = site.send("/3ds/areq", "text/plain", octets);
        assert_eq!((erro.status, text(&erro.json(), "errorCode")), (200, "101"));
    }
    // What is not known is let be, and what an older version does not have is not asked for.
    let newer = areq(&json!({"whatIsThis": [1, {"a": 2}], "messageExtension": quiet}));
    assert_eq!(text(&ask(&site, &newer), "transStatus"), "Y");
    let mut older = areq(&json!({"messageVersion": "2.1.0", "purchaseAmount": "100"}));
    older.as_object_mut().unwrap().remove("browserJavascriptEnabled");
    let ares = ask(&site, &older);
    assert_eq!((text(&ares, "transStatus"), text(&ares, "messageVersion")), ("Y", "2.1.0"));
}

#[test]
fn a_browser_with_a_wrong_message_gets_a_clear_answer() {
    let site = Site::start();
    let _holder = site.registered("ana");
    let challenge = Challenge::begin(&site);
    let right = challenge.creq();
    let with = |name: &str, value: &str| {
        let mut creq = right.clone();
        creq[name] = json!(value);
        creq
    };
    let stranger = "00000000-0000-4000-8000-000000000000";
    for (creq, status, code) in [
        (with("acsTransID", stranger), 404, "301"),
        (with("threeDSServerTransID", stranger), 404, "301"),
        (with("challengeWindowSize", "06"), 400, "203"),
        (with("messageType", "AReq"), 400, "101"),
        (with("messageVersion", "2.1.0"), 400, "203"),
        (with("messageVersion", "1.0.2"), 400, "102"),
    ] {
        let reply = post_creq(&site, &creq);
        assert_eq!((reply.status, text(&reply.json(), "errorCode")), (status, code));
    }
    let reply = site.browser().post("/3ds/creq", &[("creq", "!!!")]);
    assert_eq!((reply.status, text(&reply.json(), "errorCode")), (400, "101"));
    let shown = site.browser().post_with(
        "/3ds/creq",
        &[("creq", "!!!")],
        &[("Accept", "text/html,*/*;q=0.8")],
    );
    assert_eq!(shown.status, 400);
    assert!(shown.body.contains("<h1>"), "{}", shown.body);
    // None of it was the browser that is waited for.
    let page = format!("/3ds/challenge/{}", challenge.id());
    assert_eq!(site.browser().get(&page).status, 404);
    assert_eq!(challenge.open(), page);
    assert_eq!(challenge.open(), page);
}

#[test]
fn a_hostile_name_is_shown_as_text() {
    let site = Site::start();
    let _holder = site.registered("ana");
    let shop = Shop::open();
    let name = "\u{202e}<img src=x onerror=1>\u{0}\u{200b}";
    let asked = areq(&json!({"purchaseAmount": "3900", "dsURL": shop.url, "merchantName": name}));
    let ares = ask(&site, &asked);
    let challenge = Challenge { site: &site, shop, asked, ares };
    let shown = site.browser().get(&challenge.open());
    assert!(shown.body.contains("&#60;img src=x onerror=1&#62;"), "{}", shown.body);
    assert!(!shown.body.contains(['\u{202e}', '\u{200b}', '\u{0}']));
}

#[test]
fn a_start_finishes_what_the_last_run_left() {
    let folder = std::env::temp_dir().join(format!("cekr-acs-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let place = cekr_portal::settings::DatabasePlace::File(folder.join("portal.db"));
    let site = Site::with(|settings| settings.database = place);
    let _holder = site.registered("ana");
    let challenge = Challenge::begin(&site);
    challenge.open();
    // The holder's answer is in the journal, and whoever was to tell the shop is gone.
    challenge.approve();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (durable, settings) = (site.portal.durable().clone(), site.portal.settings().clone());
    let result = std::thread::scope(|scope| {
        let result = scope.spawn(|| challenge.shop.result());
        runtime.block_on(async {
            let _again = cekr_portal::Portal::open(durable, settings).await.unwrap();
            while !result.is_finished() {
                tokio::task::yield_now().await;
            }
        });
        result.join().unwrap()
    });
    assert_eq!(text(&result, "transStatus"), "Y");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn whatever_is_mangled_gets_an_answer_of_the_protocol() {
    let site = Site::start();
    let names: Vec<String> = vector("areq.json").as_object().unwrap().keys().cloned().collect();
    let value = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[0-9]{0,50}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({"a": [{}]})),
        Just(json!("x".repeat(5_000))),
    ];
    let mangled = prop::collection::vec((prop::sample::select(names), value), 1..4);
    let cut = prop::option::of(0_usize..2_000);
    let mut runner = TestRunner::new(Config { cases: 256, ..Config::default() });
    let run = runner.run(&(mangled, cut), |(mangled, cut)| {
        let mut sent = areq(&json!({}));
        for (name, value) in mangled {
            sent[&name] = value;
        }
        let mut octets = sent.to_string().into_bytes();
        octets.truncate(cut.unwrap_or(usize::MAX));
        let answer = site.send("/3ds/areq", "application/json", &octets);
        prop_assert_eq!(answer.status, 200);
        let kind = answer.json()["messageType"].clone();
        prop_assert!(kind == "ARes" || kind == "Erro", "{}", answer.body);
        prop_assert!(!answer.body.contains("4761730000000011"));
        Ok(())
    });
    run.unwrap();
}
