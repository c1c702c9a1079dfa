//! Loads as a browser without scripts makes them: forms, the provider's pages, what comes of it.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may"
)]

use std::io::ErrorKind;
use std::process::{Command, Stdio};

use cekr_bank::upn::Payee;
use cekr_iso8583::{Expiry, Pan};
use cekr_issuer::entry::Name;
use cekr_issuer::{Amount, CardId, CardStatus, Channels, Controls};
use cekr_portal::Portal;
use cekr_portal::loads::psp::sandbox::TEST_CODE;
use cekr_portal::outbound::OutboundSettings;
use cekr_portal::settings::{DatabasePlace, Settings};
use cekr_switch::clock::Clock;
use cekr_switch::config::{Config, Durability};
use cekr_switch::keyring::StartKey;
use cekr_switch::server::{ClockBehind, Options, Running, Server, Signals};
use cekr_switch::shard::NewCard;
use serde_json::{Value, json};
use ureq::Agent;

const ANA: &str = "4761730000000011";
const BOR: &str = "4761730000000029";
const TOKEN: &str = "a-token-for-tests";

struct World {
    running: Running,
    url: String,
    agent: Agent,
}

/// An answer as far as the tests look at it.
struct Answer {
    status: u16,
    location: String,
    kind: String,
    octets: Vec<u8>,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8(self.octets.clone()).unwrap()
    }
}

impl World {
    fn new() -> World {
        let mut config = Config::parse("", "test").unwrap();
        let free = cekr_switch::config::Address::parse("127.0.0.1:0").unwrap();
        config.listener.first_mut().addr = free.clone();
        config.http.addr = free;
        config.http.operator_token = TOKEN.to_owned();
        config.data.durability = Durability::None;
        config.switch.threads = 1;
        let options = Options {
            start_key: StartKey::development(),
            clock: Clock::system().unwrap(),
            signals: Signals::Leave,
            clock_behind: ClockBehind::Refuse,
        };
        let mut server = Server::bind(config, options).unwrap();
        for (name, pan, mok_id) in [("ana", ANA, 123_456_782), ("bor", BOR, 223_456_781)] {
            issue(&server, name, pan, mok_id);
        }
        let url = server.http_url().unwrap();
        let settings = Settings {
            audit_head: None,
            database: DatabasePlace::Memory,
            public_url: url.clone(),
            sandbox: true,
            rekono: None,
            payee: Payee::default(),
            outbound: OutboundSettings::default(),
            results_url: String::new(),
        };
        let portal = server.block_on(Portal::open(server.durable().clone(), settings)).unwrap();
        server.extend(portal.extension());
        let running = server.start().unwrap();
        let agent = Agent::config_builder().http_status_as_error(false).max_redirects(0);
        let agent = agent.max_redirects_will_error(false).build().new_agent();
        World { running, url, agent }
    }

    fn get(&self, path: &str) -> Answer {
        let request = self.agent.get(format!("{}{path}", self.url));
        answer(request.header("accept-language", "en").call().unwrap())
    }

    fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let request = self.agent.post(format!("{}{path}", self.url));
        let request = request.header("origin", &self.url).header("accept-language", "en");
        answer(request.send_form(fields.iter().copied()).unwrap())
    }

    fn operator(&self, path: &str, body: Option<Value>) -> (u16, Value) {
        let url = format!("{}{path}", self.url);
        let bearer = format!("Bearer {TOKEN}");
        let answered = match body {
            None => self.agent.get(url).header("authorization", bearer).call(),
            Some(body) => {
                let request = self.agent.post(url).header("authorization", bearer);
                request.header("content-type", "application/json").send(body.to_string())
            }
        };
        let answered = answer(answered.unwrap());
        (answered.status, serde_json::from_slice(&answered.octets).unwrap_or(Value::Null))
    }

    fn balance(&self, card: u32) -> i64 {
        self.running.control().card(CardId(card)).unwrap().0.balance
    }

    /// A form filled in rightly, with some fields otherwise.
    fn order(&self, changes: &[(&str, &str)]) -> Answer {
        let page = self.get("/load").text();
        let form = page.split_once("name=\"form\" value=\"").unwrap().1;
        let form = form.split_once('"').unwrap().0.to_owned();
        self.post("/load", &filled(&form, changes))
    }

    /// An order that has come to the provider's page; its name.
    fn ordered(&self, changes: &[(&str, &str)]) -> String {
        let answer = self.order(changes);
        assert_eq!(answer.status, 303, "{}", answer.text());
        answer.location.strip_prefix("/sandbox/psp/").unwrap().to_owned()
    }
}

fn filled<'a>(form: &'a str, changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![
        ("form", form),
        ("amount", "50,00"),
        ("mok_id", "123456782"),
        ("last_six", "000011"),
        ("payer_name", "Žiga Čuk"),
        ("payer_address", "Koroška cesta 1, 4000 Kranj"),
        ("payer_email", "ziga@example.si"),
    ];
    for (name, value) in changes {
        fields.retain(|(known, _)| known != name);
        fields.push((name, value));
    }
    fields
}

fn answer(mut response: ureq::http::Response<ureq::Body>) -> Answer {
    let header = |name: &str| {
        let value = response.headers().get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let (location, kind) = (header("location"), header("content-type"));
    let status = response.status().as_u16();
    Answer { status, location, kind, octets: response.body_mut().read_to_vec().unwrap() }
}

fn issue(server: &Server, name: &str, pan: &str, mok_id: u32) {
    let card = NewCard {
        pan: Pan::parse(pan.as_bytes()).unwrap(),
        name: Name::new(name).unwrap(),
        mok_id,
        controls: Controls {
            status: CardStatus::Active,
            ticks: Channels::NONE,
            expiry: Expiry::new(3012).unwrap(),
            version: 1,
        },
        pin: None,
        limited: true,
        balance: Amount::from_minor(100_00),
    };
    server.control().shard().issue(card, server.clock().now()).unwrap();
}

#[test]
fn anybody_loads_a_card_through_the_bank_s_question_once() {
    let world = World::new();
    let id = world.ordered(&[]);
    let page = world.get(&format!("/sandbox/psp/{id}"));
    assert!(page.text().contains("4012 8888 8888 1881"), "{}", page.text());
    let given = world.post(&format!("/sandbox/psp/{id}"), &[("card_number", "4012888888881881")]);
    assert_eq!((given.status, given.location), (303, format!("/sandbox/psp/{id}/bank")));
    let wrong = world.post(&format!("/sandbox/psp/{id}/bank"), &[("bank_code", "0000")]);
    assert_eq!(wrong.status, 422);
    assert!(wrong.text().contains("id=\"bank_code-error\""), "{}", wrong.text());
    assert_eq!(world.balance(0), 100_00, "nothing before the bank has said yes");
    let right = world.post(&format!("/sandbox/psp/{id}/bank"), &[("bank_code", TEST_CODE)]);
    assert_eq!((right.status, right.location), (303, format!("/load/{id}")));
    for _ in 0..3 {
        let status = world.get(&format!("/load/{id}")).text();
        assert!(status.contains("The money is on the card."), "{status}");
        assert!(status.contains("401288******1881") && !status.contains("4012888888881881"));
        assert!(!status.contains("Žiga"), "who paid is nobody's business any more");
    }
    assert_eq!(world.balance(0), 150_00);
    // Going back and sending everything again changes nothing.
    let again = world.post(&format!("/sandbox/psp/{id}/bank"), &[("bank_code", TEST_CODE)]);
    assert_eq!(again.location, format!("/load/{id}"));
    let again = world.post(&format!("/sandbox/psp/{id}"), &[("card_number", "4111111111111111")]);
    assert_eq!(again.location, format!("/load/{id}"));
    assert_eq!(world.balance(0), 150_00);
    world.running.shutdown().unwrap();
}

#[test]
fn a_form_sent_twice_orders_once_and_after_the_payment_leads_to_how_it_stands() {
    let world = World::new();
    let form = "0123456789abcdef0123456789abcdef";
    let first = world.post("/load", &filled(form, &[]));
    let second = world.post("/load", &filled(form, &[]));
    assert_eq!(first.status, 303, "{}", first.text());
    assert_eq!(first.location, second.location);
    let id = first.location.strip_prefix("/sandbox/psp/").unwrap();
    world.post(&first.location, &[("card_number", "4111 1111 1111 1111")]);
    world.get(&format!("/load/{id}"));
    assert_eq!(world.balance(0), 150_00);
    let late = world.post("/load", &filled(form, &[]));
    assert_eq!(late.location, format!("/load/{id}"));
    // Even where the day's limit leaves no room for a second one.
    let large = [("amount", "800")];
    let form = "fedcba9876543210fedcba9876543210";
    let ordered = world.post("/load", &filled(form, &large)).location;
    world.post(&ordered, &[("card_number", "4111 1111 1111 1111")]);
    let id = ordered.strip_prefix("/sandbox/psp/").unwrap();
    assert!(world.get(&format!("/load/{id}")).text().contains("The money is on the card."));
    assert_eq!(world.post("/load", &filled(form, &large)).location, format!("/load/{id}"));
    assert_eq!(world.balance(0), 950_00);
    // Another amount on the same page is another order.
    let other = world.post("/load", &filled(form, &[("amount", "60")]));
    assert_ne!(other.location, first.location);
    assert!(other.location.starts_with("/sandbox/psp/"));
    world.running.shutdown().unwrap();
}

#[test]
fn a_refund_and_a_chargeback_take_the_load_off_the_card_and_no_more() {
    let world = World::new();
    let pay = |amount: &str| {
        let id = world.ordered(&[("amount", amount)]);
        world.post(&format!("/sandbox/psp/{id}"), &[("card_number", "5555555555554444")]);
        world.post(&format!("/sandbox/psp/{id}/bank"), &[("bank_code", TEST_CODE)]);
        world.get(&format!("/load/{id}"));
        id
    };
    let id = pay("80");
    assert_eq!(world.balance(0), 180_00);
    let refund = format!("/v1/card-loads/{id}/refund");
    let part = json!({"amount": 30_00, "reference": "part"});
    for _ in 0..2 {
        let (status, load) = world.operator(&refund, Some(part.clone()));
        assert_eq!(
            (status, &load["state"], &load["taken_back"]),
            (200, &json!("CREDITED"), &json!(30_00))
        );
    }
    assert_eq!(world.balance(0), 150_00, "the same reference goes back once");
    let (status, error) = world.operator(&refund, Some(json!({"amount": 50_01})));
    assert_eq!((status, &error["error"]["code"]), (409, &json!("taken_back_too_much")));
    let (status, load) = world.operator(&refund, Some(json!({})));
    assert_eq!((status, &load["state"]), (200, &json!("REFUNDED")));
    assert_eq!(world.balance(0), 100_00);
    let (status, error) = world.operator(&refund, Some(json!({})));
    assert_eq!((status, &error["error"]["code"]), (409, &json!("load_state")));
    let id = pay("40");
    let (status, load) =
        world.operator(&format!("/v1/card-loads/{id}/chargeback"), Some(json!({})));
    assert_eq!(
        (status, &load["state"], &load["paid_by"]),
        (200, &json!("CHARGED_BACK"), &json!("555555******4444"))
    );
    assert_eq!(world.balance(0), 100_00);
    assert_eq!(world.operator("/v1/card-loads/nothing", None).0, 404);
    world.running.shutdown().unwrap();
}

#[test]
fn a_card_of_ours_a_refusing_bank_and_a_limit_take_no_money() {
    let world = World::new();
    let id = world.ordered(&[]);
    let path = format!("/sandbox/psp/{id}");
    for (number, words) in [
        (BOR, "A CeKR card cannot pay for a load."),
        ("4761731234567891", "This is no card number."),
        ("4242424242424242", "Only the test numbers below work here."),
        ("", "This is no card number."),
    ] {
        let refused = world.post(&path, &[("card_number", number)]);
        assert_eq!(refused.status, 422, "{number}");
        assert!(refused.text().contains(words), "{number}: {}", refused.text());
    }
    let declined = world.post(&path, &[("card_number", "4000000000000002")]);
    assert_eq!(declined.location, format!("/load/{id}"));
    let status = world.get(&declined.location).text();
    assert!(status.contains("The bank of the paying card refused."), "{status}");
    let id = world.ordered(&[]);
    world.post(&format!("/sandbox/psp/{id}"), &[("card_number", "4012888888881881")]);
    let given_up = world.post(&format!("/sandbox/psp/{id}/bank"), &[("give_up", "1")]);
    assert!(world.get(&given_up.location).text().contains("It was given up."));
    let over = world.order(&[("amount", "1000,01")]);
    assert_eq!(over.status, 422);
    assert!(over.text().contains("above what may be loaded in a day"), "{}", over.text());
    assert_eq!(world.balance(0), 100_00);
    world.running.shutdown().unwrap();
}

#[test]
fn every_wrong_field_is_told_beside_it_and_what_was_typed_stays() {
    let world = World::new();
    let long = "x".repeat(141);
    for (field, value) in [
        ("amount", ""),
        ("amount", "1.234"),
        ("amount", "-5"),
        ("amount", "0,99"),
        ("amount", "12345678901234567890"),
        ("mok_id", ""),
        ("mok_id", "12345678x"),
        ("mok_id", "1234567890"),
        ("last_six", "00001"),
        ("last_six", "00001\u{0661}"),
        ("payer_name", ""),
        ("payer_name", "Ana\u{202E}kavoN"),
        ("payer_address", long.as_str()),
        ("payer_email", "ana"),
    ] {
        let answer = world.order(&[(field, value)]);
        let text = answer.text();
        assert_eq!(answer.status, 422, "{field} {value:?}");
        assert!(text.contains(&format!("id=\"{field}-error\"")), "{field} {value:?}: {text}");
        assert_eq!(text.matches("class=\"error\"").count(), 1, "{field} {value:?}");
        assert!(field == "payer_name" || text.contains("value=\"Žiga Čuk\""), "{text}");
    }
    // Markup is a name like any other, and stays one.
    let hostile = "<script>alert(1)</script>\"'&";
    let text = world.order(&[("payer_name", hostile), ("amount", "")]).text();
    assert!(!text.contains("<script>alert"), "{text}");
    assert!(text.contains("alert(1)"), "{text}");
    world.running.shutdown().unwrap();
}

#[test]
fn wrong_pairs_look_alike_and_the_sixth_is_not_judged() {
    let world = World::new();
    let wrong = |mok_id: &str, last_six: &str| {
        let answer = world.order(&[("mok_id", mok_id), ("last_six", last_six)]);
        assert_eq!(answer.status, 422, "{}", answer.text());
        let text = answer.text();
        let error = text.split_once("class=\"error\"").unwrap().1.to_owned();
        let error = error.split_once("</p>").unwrap().0.to_owned();
        assert!(error.contains("do not belong together"), "{error}");
        error
    };
    let half = wrong("223456781", "000011");
    assert_eq!(wrong("999999999", "000029"), half);
    for _ in 0..4 {
        assert_eq!(wrong("223456781", "111111"), half);
    }
    let blocked = world.order(&[("mok_id", "223456781"), ("last_six", "000029")]);
    assert_eq!(blocked.status, 429, "{}", blocked.text());
    assert_eq!(world.order(&[]).status, 303, "others go on");
    let upn = [("amount", "5"), ("mok_id", "223456781"), ("last_six", "000029")];
    assert_eq!(world.post("/load/upn", &upn).status, 429, "every page counts together");
    world.running.shutdown().unwrap();
}

#[test]
fn orders_and_forms_from_elsewhere_are_refused() {
    let world = World::new();
    for path in ["/load", "/load/upn", "/sandbox/psp/x"] {
        let request = world.agent.post(format!("{}{path}", world.url));
        let request = request.header("origin", "http://evil.example");
        let answered = answer(request.send_form([("amount", "5")]).unwrap());
        assert_eq!(answered.status, 403, "{path}");
    }
    for path in ["/load/nothing", "/sandbox/psp/nothing", "/sandbox/psp/nothing/bank"] {
        assert_eq!(world.get(path).status, 404, "{path}");
    }
    let own = world.get("/cards/nothing/load/upn");
    assert_eq!(own.status, 303, "only who is signed in");
    assert!(own.location.starts_with("/sign-in?next="), "{}", own.location);
    world.running.shutdown().unwrap();
}

#[test]
fn a_notification_settles_a_payment_whose_payer_never_came_back() {
    let world = World::new();
    let id = world.ordered(&[]);
    world.post(&format!("/sandbox/psp/{id}"), &[("card_number", "4111111111111111")]);
    for order in [id.as_str(), id.as_str(), "unknown"] {
        let request = world.agent.post(format!("{}/v1/psp/notifications", world.url));
        let told = answer(request.send(json!({"order": order}).to_string()).unwrap());
        assert_eq!(told.status, 204);
    }
    assert_eq!(world.balance(0), 150_00);
    let request = world.agent.post(format!("{}/v1/psp/notifications", world.url));
    assert_eq!(answer(request.send("nonsense").unwrap()).status, 400);
    world.running.shutdown().unwrap();
}

#[test]
fn a_payment_order_is_a_page_a_picture_and_a_form_to_print() {
    let world = World::new();
    assert_eq!(world.get("/load/upn").status, 200);
    let fields = |view| {
        [
            ("amount", "12,34"),
            ("mok_id", "123456782"),
            ("last_six", "000011"),
            ("upn_name", "<b>Žiga</b> Čuk"),
            ("view", view),
        ]
    };
    let page = world.post("/load/upn", &fields("page"));
    let text = page.text();
    assert_eq!(page.status, 200, "{text}");
    assert!(text.contains("SI05 8074720-123456782-200"), "{text}");
    assert!(text.contains("SI56 0290 0000 0200 020"), "{text}");
    let print = world.post("/load/upn", &fields("print")).text();
    assert!(print.contains("VZOREC") && print.contains("***12,34"), "{print}");
    assert!(print.contains("Žiga") && !print.contains("<b>"), "{print}");
    let svg = world.post("/load/upn", &fields("svg"));
    assert_eq!(svg.kind, "image/svg+xml");
    let png = world.post("/load/upn", &fields("png"));
    assert_eq!(png.kind, "image/png");
    match decoded(&png.octets) {
        Some(lines) => {
            assert_eq!(lines[5], "<b>Žiga</b> Čuk");
            assert_eq!(lines[8], "00000001234");
            assert_eq!(lines[15], "SI058074720-123456782-200");
        }
        None => println!("skipped: zbarimg (Debian's zbar-tools) is not installed"),
    }
    for (name, words) in [
        ("Ηλίας", "a character that a payment order cannot have"),
        ("A\u{202E}B", "characters that cannot be shown"),
        ("Ana Novak Ana Novak Ana Novak Ana N", "This is too long."),
    ] {
        let mut wrong = fields("png");
        wrong[3] = ("upn_name", name);
        let refused = world.post("/load/upn", &wrong);
        assert_eq!(refused.status, 422, "{name}");
        assert!(refused.text().contains(words), "{name}: {}", refused.text());
    }
    world.running.shutdown().unwrap();
}

fn decoded(png: &[u8]) -> Option<Vec<String>> {
    let file = std::env::temp_dir().join(format!("cekr-upn-page-{}.png", std::process::id()));
    std::fs::write(&file, png).unwrap();
    let mut command = Command::new("zbarimg");
    let command = command.args(["--quiet", "--raw", "-Sdisable", "-Sqrcode.enable"]).arg(&file);
    let done = command.stdin(Stdio::null()).output();
    std::fs::remove_file(&file).unwrap();
    match done {
        Ok(done) => {
            let text = String::from_utf8(done.stdout).unwrap();
            Some(text.lines().map(str::to_owned).collect())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn cash_at_a_branch_has_a_receipt_as_json_text_and_page() {
    let world = World::new();
    let (_, cards) = world.operator("/v1/cards?name=ana", None);
    let id = cards["data"][0]["id"].as_str().unwrap();
    let load = json!({"amount": 50_00, "source": "branch_cash", "reference": "K-2026-17"});
    assert_eq!(world.operator(&format!("/v1/cards/{id}/loads"), Some(load)).0, 200);
    let (_, history) = world.operator(&format!("/v1/cards/{id}/transactions"), None);
    let entry = &history["data"][0];
    assert_eq!(entry["kind"], "loaded", "{history}");
    let seq = &entry["seq"];
    let (status, receipt) = world.operator(&format!("/v1/receipts/{seq}"), None);
    assert_eq!(status, 200, "{receipt}");
    assert_eq!(receipt["amount"], 50_00);
    assert_eq!(receipt["mok_id"], "123456782");
    assert_eq!(receipt["reference"], "K-2026-17");
    let text = receipt["text"].as_str().unwrap();
    assert!(text.lines().all(|line| line.chars().count() <= 42), "{text}");
    let bearer = format!("Bearer {TOKEN}");
    let page = |format: &str| {
        let url = format!("{}/v1/receipts/{seq}?format={format}", world.url);
        answer(world.agent.get(url).header("authorization", &bearer).call().unwrap())
    };
    assert_eq!(page("text").text(), text);
    assert!(page("html").text().contains("K-2026-17"));
    assert_eq!(page("pdf").status, 400);
    for other in ["0", "1", "99999", "x", "18446744073709551615"] {
        assert_eq!(world.operator(&format!("/v1/receipts/{other}"), None).0, 404, "{other}");
    }
    assert_eq!(world.get(&format!("/v1/receipts/{seq}")).status, 401);
    let described: Value = serde_json::from_slice(&world.get("/v1/openapi.json").octets).unwrap();
    for path in ["/v1/receipts/{seq}", "/v1/card-loads/{id}/refund", "/v1/psp/notifications"] {
        assert!(described["paths"][path].is_object(), "{path}");
    }
    world.running.shutdown().unwrap();
}
