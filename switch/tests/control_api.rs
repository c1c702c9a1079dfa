//! The control API as a program meets it, over real HTTP on a free port.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may")]

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use cekr_iso8583::Framing;
use cekr_switch::server::Running;
use common::{ANA, BOR, TOKEN, Terminal, frame, purchase, start};
use serde_json::{Value, json};

/// Calls of one switch; every answer is status and body.
struct Caller {
    base: String,
    agent: ureq::Agent,
}

impl Caller {
    fn new(running: &Running) -> Caller {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(20)))
            .build();
        Caller { base: format!("http://{}", running.http_addr), agent: config.into() }
    }

    fn get(&self, path: &str) -> (u16, Value) {
        let request = self.agent.get(format!("{}{path}", self.base));
        told(request.header("Authorization", format!("Bearer {TOKEN}")).call())
    }

    fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.post_with(path, body, "")
    }

    fn post_with(&self, path: &str, body: Value, key: &str) -> (u16, Value) {
        let mut request = self.agent.post(format!("{}{path}", self.base));
        request = request.header("Authorization", format!("Bearer {TOKEN}"));
        if !key.is_empty() {
            request = request.header("Idempotency-Key", key);
        }
        told(request.send_json(body))
    }

    fn patch(&self, path: &str, body: Value) -> (u16, Value) {
        let request = self.agent.patch(format!("{}{path}", self.base));
        told(request.header("Authorization", format!("Bearer {TOKEN}")).send_json(body))
    }

    fn path_of(&self, name: &str) -> String {
        let (_, page) = self.get(&format!("/v1/cards?name={name}"));
        format!("/v1/cards/{}", page["data"][0]["id"].as_str().unwrap())
    }
}

fn told(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> (u16, Value) {
    let mut response = answer.unwrap();
    assert!(response.headers().contains_key("request-id"));
    (response.status().as_u16(), response.body_mut().read_json().unwrap_or(Value::Null))
}

fn code(answer: &(u16, Value)) -> (u16, &str) {
    assert!(answer.1["error"]["message"].is_string(), "{answer:?}");
    assert!(answer.1["error"]["type"].is_string(), "{answer:?}");
    (answer.0, answer.1["error"]["code"].as_str().unwrap())
}

#[test]
fn a_card_shows_what_people_need_and_no_number() {
    let running = start("");
    let caller = Caller::new(&running);
    let (status, page) = caller.get("/v1/cards?name=ana");
    assert_eq!((status, &page["has_more"]), (200, &json!(false)));
    let mut card = page["data"][0].clone();
    let id = card["id"].take();
    assert!(id.as_str().unwrap().starts_with("card_"));
    let expected = json!({
        "id": null, "name": "ana", "pan_masked": "476173******0011", "mok_id": "123456782",
        "state": "active", "channels": {"online": true, "abroad": true, "cashpoint": true},
            "limits": {"cash_day": null, "cash_count_day": null, "pos_day": null, "online_day": null},
        "balance": 100_000, "available": 100_000, "currency": "EUR", "version": 1,
    });
    assert_eq!(card, expected);
    assert_eq!(caller.get(&caller.path_of("ana")).1["name"], "ana");
    assert_eq!(caller.get("/v1/cards?name=nobody").1["data"], json!([]));
}

#[test]
fn calls_without_the_operators_token_are_refused() {
    let running = start("");
    let base = format!("http://{}", running.http_addr);
    let caller = Caller::new(&running);
    for sent in ["", "Bearer ", "Bearer wrong", "Basic YTpi", &format!("Token {TOKEN}")] {
        let request = caller.agent.get(format!("{base}/v1/cards")).header("Authorization", sent);
        assert_eq!(code(&told(request.call())), (401, "unauthorized"), "{sent}");
    }
    for open in ["/healthz", "/readyz", "/metrics", "/v1/openapi.json"] {
        let response = caller.agent.get(format!("{base}{open}")).call().unwrap();
        assert_eq!(response.status(), 200, "{open}");
    }
}

#[test]
fn an_untick_is_followed_by_the_next_decision() {
    let running = start("");
    let caller = Caller::new(&running);
    let mut terminal = Terminal::connect(&running);
    let path = caller.path_of("ana");
    let (status, card) = caller.patch(&path, json!({"channels": {"abroad": false}}));
    assert_eq!((status, &card["channels"]["abroad"]), (200, &json!(false)));
    assert_eq!((&card["channels"]["online"], &card["version"]), (&json!(true), &json!(2)));
    assert_eq!(caller.post(&format!("{path}/lock"), json!({})).1["state"], "locked");
    terminal.send(&frame(Framing::Be2, &purchase(ANA, 1, 3_20)));
    assert_eq!(terminal.answer().unwrap().code, "62");
    assert_eq!(caller.post(&format!("{path}/unlock"), json!({})).1["state"], "active");
    terminal.send(&frame(Framing::Be2, &purchase(ANA, 2, 3_20)));
    assert_eq!(terminal.answer().unwrap().code, "00");
}

#[test]
fn limits_of_the_holders_own_govern_the_next_decision_and_go_back_by_null() {
    let running = start("");
    let caller = Caller::new(&running);
    let mut terminal = Terminal::connect(&running);
    let path = caller.path_of("ana");
    let none =
        json!({"cash_day": null, "cash_count_day": null, "pos_day": null, "online_day": null});
    assert_eq!(caller.get(&path).1["limits"], none);
    let own =
        json!({"limits": {"pos_day": 3_19, "cash_count_day": 0}, "channels": {"abroad": true}});
    let (status, card) = caller.patch(&path, own);
    assert_eq!((status, &card["limits"]["pos_day"]), (200, &json!(3_19)));
    assert_eq!(card["limits"]["cash_count_day"], 0);
    terminal.send(&frame(Framing::Be2, &purchase(ANA, 1, 3_20)));
    assert_eq!(terminal.answer().unwrap().code, "61");
    let (_, card) = caller.patch(&path, json!({"limits": {"cash_count_day": null}}));
    assert_eq!(
        card["limits"],
        json!({"pos_day": 3_19, "cash_day": null, "cash_count_day": null,
        "online_day": null})
    );
    let above = json!({"limits": {"online_day": 1_000_01}, "channels": {"abroad": false}});
    let answer = caller.patch(&path, above);
    assert_eq!(code(&answer), (400, "limit_above_programme"));
    assert_eq!(answer.1["error"]["param"], "online_day");
    assert_eq!(caller.get(&path).1["channels"]["abroad"], true, "of two changes none alone");
    for wrong in [json!({"load_day": 1}), json!({"pos_day": -1}), json!({"pos_day": 1.5})] {
        assert_eq!(caller.patch(&path, json!({ "limits": wrong })).0, 400);
    }
    let (_, card) = caller.patch(&path, json!({"limits": {"pos_day": null}}));
    assert_eq!(card["limits"], none);
    terminal.send(&frame(Framing::Be2, &purchase(ANA, 2, 3_20)));
    assert_eq!(terminal.answer().unwrap().code, "00");
    let history = caller.get(&format!("{path}/transactions")).1;
    let kinds: Vec<&str> = history["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds[..5], ["authorized", "limits_set", "limits_set", "declined", "limits_set"]);
}

#[test]
fn what_is_not_described_is_refused_with_its_name() {
    let running = start("");
    let caller = Caller::new(&running);
    let path = caller.path_of("ana");
    let answer = caller.patch(&path, json!({"channels": {"shops": false}}));
    assert_eq!(code(&answer), (400, "invalid_body"));
    assert!(answer.1["error"]["message"].as_str().unwrap().contains("shops"));
    assert_eq!(code(&caller.patch(&path, json!({"state": "locked"}))).0, 400);
    assert_eq!(code(&caller.post(&format!("{path}/lock"), json!({"why": "x"}))).0, 400);
    assert_eq!(code(&caller.get("/v1/cards?limits=3")), (400, "invalid_query"));
    assert_eq!(code(&caller.get("/v1/cards?limit=0")), (400, "invalid_limit"));
    assert_eq!(code(&caller.get("/v1/cards?limit=101")), (400, "invalid_limit"));
    assert_eq!(code(&caller.get("/v1/cards/card_nonsense")), (404, "not_found"));
    assert_eq!(code(&caller.get("/v1/accounts")), (404, "not_found"));
    assert_eq!(code(&caller.patch("/v1/cards", json!({}))), (405, "method_not_allowed"));
    let long = json!({"reason": "x".repeat(70_000)});
    assert_eq!(code(&caller.post(&format!("{path}/report"), long)), (413, "body_too_large"));
}

#[test]
fn a_load_posts_once_for_its_reference() {
    let running = start("");
    let caller = Caller::new(&running);
    let path = format!("{}/loads", caller.path_of("ana"));
    let load = json!({"amount": 5_000, "source": "branch_cash", "reference": "slip-1"});
    assert_eq!(caller.post(&path, load.clone()).1["available"], 105_000);
    assert_eq!(caller.post(&path, load).1["available"], 105_000);
    let second = json!({"amount": 1, "source": "branch_cash", "reference": "slip-2"});
    assert_eq!(caller.post(&path, second).1["available"], 105_001);
    for (body, expected) in [
        (json!({"amount": 0, "source": "upn", "reference": "r"}), "invalid_amount"),
        (
            json!({"amount": 1_000_000_000_000_u64, "source": "upn", "reference": "r"}),
            "invalid_amount",
        ),
        (json!({"amount": 1, "source": "gift", "reference": "r"}), "invalid_source"),
        (json!({"amount": 1, "source": "opening", "reference": "r"}), "invalid_source"),
        (json!({"amount": 1, "source": "upn", "reference": ""}), "invalid_reference"),
        (json!({"amount": 1, "source": "upn", "reference": "r".repeat(65)}), "invalid_reference"),
        (json!({"amount": -1, "source": "upn", "reference": "r"}), "invalid_body"),
        (json!({"amount": 1.5, "source": "upn", "reference": "r"}), "invalid_body"),
        (json!({"amount": 1, "source": "upn"}), "invalid_body"),
    ] {
        assert_eq!(code(&caller.post(&path, body)), (400, expected));
    }
}

#[test]
fn an_idempotency_key_gives_the_first_answer_again() {
    let running = start("");
    let caller = Caller::new(&running);
    let path = format!("{}/loads", caller.path_of("ana"));
    let load = |cents, slip| json!({"amount": cents, "source": "upn", "reference": slip});
    let first = caller.post_with(&path, load(100, "a"), "key-1");
    assert_eq!(first.1["available"], 100_100);
    caller.post(&path, load(100, "b"));
    assert_eq!(caller.post_with(&path, load(100, "a"), "key-1"), first);
    let other = caller.post_with(&path, load(100, "c"), "key-1");
    assert_eq!(code(&other), (400, "idempotency_key_reused"));
    assert_eq!(caller.get(&caller.path_of("ana")).1["available"], 100_200);
    let faulty = caller.post_with(&path, load(0, "d"), "key-2");
    assert_eq!(code(&faulty), (400, "invalid_amount"));
    assert_eq!(caller.post_with(&path, load(0, "d"), "key-2"), faulty);
    let long = "k".repeat(256);
    let refused = caller.post_with(&path, load(1, "e"), &long);
    assert_eq!(code(&refused), (400, "bad_idempotency_key"));
}

#[test]
fn pages_follow_one_another() {
    let running = start("");
    let caller = Caller::new(&running);
    let (_, first) = caller.get("/v1/cards?limit=1");
    assert_eq!((&first["data"][0]["name"], &first["has_more"]), (&json!("ana"), &json!(true)));
    let after = first["data"][0]["id"].as_str().unwrap();
    let (_, second) = caller.get(&format!("/v1/cards?limit=1&starting_after={after}"));
    assert_eq!((&second["data"][0]["name"], &second["has_more"]), (&json!("bor"), &json!(false)));
    assert_eq!(code(&caller.get("/v1/cards?starting_after=x")), (400, "no_such_card"));
}

#[test]
fn a_history_walks_back_page_by_page() {
    let running = start("");
    let caller = Caller::new(&running);
    let mut terminal = Terminal::connect(&running);
    for stan in 1..=3 {
        terminal.send(&frame(Framing::Be2, &purchase(ANA, stan, 1_00)));
        terminal.answer().unwrap();
    }
    let path = format!("{}/transactions", caller.path_of("ana"));
    let (_, page) = caller.get(&format!("{path}?limit=2"));
    let stans: Vec<_> =
        page["data"].as_array().unwrap().iter().map(|entry| entry["stan"].clone()).collect();
    assert_eq!(stans, ["000003", "000002"]);
    assert_eq!(page["has_more"], true);
    let seq = page["data"][1]["seq"].as_u64().unwrap();
    let (_, rest) = caller.get(&format!("{path}?starting_after={seq}"));
    let kinds: Vec<_> =
        rest["data"].as_array().unwrap().iter().map(|entry| entry["kind"].clone()).collect();
    assert_eq!(kinds, ["authorized", "loaded", "issued"]);
    assert_eq!(rest["has_more"], false);
    assert_eq!(code(&caller.get(&format!("{path}?starting_after=9999"))), (400, "no_such_entry"));
    let text = page.to_string();
    assert!(text.contains("476173******0011") && !text.contains(ANA));
}

#[test]
fn a_report_is_for_good_as_far_as_unlock_goes() {
    let running = start("");
    let caller = Caller::new(&running);
    let path = caller.path_of("bor");
    let (status, card) = caller.post(&format!("{path}/report"), json!({"reason": "stolen"}));
    assert_eq!((status, card["state"].as_str()), (200, Some("stolen")));
    assert_eq!(code(&caller.post(&format!("{path}/unlock"), json!({}))), (409, "card_state"));
    let mut terminal = Terminal::connect(&running);
    terminal.send(&frame(Framing::Be2, &purchase(BOR, 1, 1)));
    assert_eq!(terminal.answer().unwrap().code, "43");
    assert_eq!(code(&caller.post(&format!("{path}/report"), json!({"reason": "eaten"}))).0, 400);
}

#[test]
fn a_card_can_be_issued_and_never_twice() {
    let running = start("");
    let caller = Caller::new(&running);
    let card = json!({
        "name": "iva", "pan": "4761730000000094", "expiry": "2030-12", "mok_id": "323456780",
        "balance": 1_000, "channels": ["online"], "pin": "1234",
    });
    let (status, issued) = caller.post("/v1/cards", card.clone());
    assert_eq!(status, 200, "{issued}");
    assert_eq!((&issued["available"], &issued["state"]), (&json!(1_000), &json!("active")));
    assert_eq!(issued["channels"], json!({"online": true, "abroad": false, "cashpoint": false}));
    assert_eq!(code(&caller.post("/v1/cards", card.clone())).0, 409);
    let with = |key: &str, value: Value| {
        let mut card = card.clone();
        card["name"] = json!("jan");
        card["pan"] = json!("4761730000000102");
        card["mok_id"] = json!("423456789");
        card[key] = value;
        card
    };
    for (body, expected) in [
        (with("pan", json!("4761730000000095")), "invalid_pan"),
        (with("pan", json!("4111111111111111")), "not_our_bin"),
        (with("expiry", json!("2030-13")), "invalid_expiry"),
        (with("mok_id", json!("12345678")), "invalid_mok_id"),
        (with("pin", json!("12")), "invalid_pin"),
        (with("channels", json!(["shops"])), "invalid_channel"),
        (with("state", json!("asleep")), "invalid_state"),
        (with("name", json!("")), "invalid_name"),
    ] {
        let answer = caller.post("/v1/cards", body);
        assert_eq!(code(&answer), (400, expected));
        assert!(!answer.1.to_string().contains("47617300"), "a message repeats the number");
    }
    assert_eq!(code(&caller.post("/v1/cards", with("name", json!("ana")))), (409, "name_taken"));
    assert_eq!(caller.post("/v1/cards", with("balance", json!(0))).0, 200);
}

#[test]
fn events_tell_what_happens_and_go_on_behind_a_cursor() {
    let running = start("");
    let caller = Caller::new(&running);
    let mut live = Stream::open(&running, None);
    let path = caller.path_of("ana");
    caller.post(&format!("{path}/lock"), json!({}));
    let (kind, cursor, data) = live.event();
    assert_eq!((kind.as_str(), &data["state"]), ("controls_set", &json!("locked")));
    caller.post(&format!("{path}/unlock"), json!({}));
    let (_, _, unlocked) = live.event();
    assert_eq!(unlocked["state"], "active");
    drop(live);
    let (_, _, again) = Stream::open(&running, Some(&cursor)).event();
    assert_eq!(again, unlocked);
    // A stream that is open does not keep the switch from stopping.
    let mut open = Stream::open(&running, None);
    running.shutdown().unwrap();
    assert_eq!(open.rest(), "");
}

#[test]
fn books_balance_and_metrics_count() {
    let running = start("");
    let caller = Caller::new(&running);
    let mut terminal = Terminal::connect(&running);
    terminal.send(&frame(Framing::Be2, &purchase(ANA, 1, 24_90)));
    terminal.answer().unwrap();
    let (_, books) = caller.get("/v1/books");
    assert_eq!((&books["sum"], &books["accounts"]["visa_settlement"]), (&json!(0), &json!(24_90)));
    let response = caller.agent.get(format!("{}/metrics", caller.base)).call();
    let text = response.unwrap().body_mut().read_to_string().unwrap();
    let approved = "cekr_answers_total{code=\"00\",reason=\"approved\",channel=\"pos\"} 1\n";
    assert!(text.contains(approved), "{text}");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (_, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
}

/// A connection that says `octets` and waits.
fn quiet(running: &Running, octets: &[u8]) -> TcpStream {
    let mut socket = TcpStream::connect(running.http_addr).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    socket.write_all(octets).unwrap();
    socket
}

fn metric(caller: &Caller, name: &str) -> u64 {
    let response = caller.agent.get(format!("{}/metrics", caller.base)).call();
    let text = response.unwrap().body_mut().read_to_string().unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.unwrap().parse().unwrap()
}

#[test]
fn connections_that_ask_nothing_give_way_to_one_that_does() {
    let running = start("");
    let half = b"GET /healthz HTTP/1.1\r\nHost:";
    let idle: Vec<TcpStream> =
        (0..600).map(|n| quiet(&running, if n % 2 == 0 { b"" } else { half })).collect();
    let caller = Caller::new(&running);
    assert_eq!(caller.get("/v1/cards?name=ana").0, 200);
    assert!(metric(&caller, "cekr_http_connections_evicted_total") >= 89);
    assert_eq!(metric(&caller, "cekr_http_connections_refused_total"), 0);
    assert!(metric(&caller, "cekr_http_connections") <= 512);
    // The oldest went first, and the newest still may ask.
    let mut end = String::new();
    let mut idle = idle.into_iter();
    let _ = idle.next().unwrap().read_to_string(&mut end);
    assert_eq!(end, "");
    let mut newest = idle.next_back().unwrap();
    newest.write_all(b" x\r\nConnection: close\r\n\r\n").unwrap();
    newest.read_to_string(&mut end).unwrap();
    assert!(end.starts_with("HTTP/1.1 200"), "{end}");
}

#[test]
fn a_request_that_does_not_become_whole_in_time_ends_its_connection() {
    let running = start(
        "[http]\nheader_timeout_s = 1\naddr = \"127.0.0.1:0\"\n\
                         [[listener]]\naddr = \"127.0.0.1:0\"\n",
    );
    let caller = Caller::new(&running);
    let mut end = String::new();
    quiet(&running, b"GET /healthz HTTP/1.1\r\n").read_to_string(&mut end).unwrap();
    assert_eq!(end, "");
    assert_eq!(metric(&caller, "cekr_http_connections_late_total"), 1);
}

#[test]
fn a_newcomer_is_told_503_while_every_connection_is_being_answered() {
    let running = start(
        "[http]\nconnections_max = 2\naddr = \"127.0.0.1:0\"\n\
                         [[listener]]\naddr = \"127.0.0.1:0\"\n",
    );
    let streams = [Stream::open(&running, None), Stream::open(&running, None)];
    let mut told = String::new();
    quiet(&running, b"").read_to_string(&mut told).unwrap();
    assert!(told.starts_with("HTTP/1.1 503") && told.contains("connections_max"), "{told}");
    drop(streams);
}

/// A stream of events, read by hand.
struct Stream {
    socket: TcpStream,
    text: String,
}

impl Stream {
    fn open(running: &Running, cursor: Option<&str>) -> Stream {
        let mut socket = TcpStream::connect(running.http_addr).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let cursor = cursor.map_or(String::new(), |id| format!("Last-Event-ID: {id}\r\n"));
        write!(
            socket,
            "GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n{cursor}\r\n"
        )
        .unwrap();
        let mut stream = Stream { socket, text: String::new() };
        let head = stream.until("\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 200") && head.contains("text/event-stream"), "{head}");
        stream
    }

    /// Kind, cursor and data of the next event.
    fn event(&mut self) -> (String, String, Value) {
        let text = self.until("\n\n");
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name} in {text}")).trim().to_owned()
        };
        (field("event:"), field("id:"), serde_json::from_str(&field("data:")).unwrap())
    }

    fn until(&mut self, end: &str) -> String {
        loop {
            if let Some(at) = self.text.find(end) {
                let rest = self.text.split_off(at + end.len());
                return std::mem::replace(&mut self.text, rest);
            }
            let mut buffer = [0; 4_096];
            let octets = self.socket.read(&mut buffer).unwrap();
            assert!(octets > 0, "the stream ended: {}", self.text);
            self.text.push_str(std::str::from_utf8(&buffer[..octets]).unwrap());
        }
    }

    fn rest(&mut self) -> String {
        let mut text = String::new();
        let _ = self.socket.read_to_string(&mut text);
        text.replace("0\r\n\r\n", "")
    }
}

#[test]
fn a_clearing_line_is_carried_out_once_by_file_and_number() {
    let running = start("");
    let caller = Caller::new(&running);
    let lines = |file: &str, amount: i64| {
        let line = |number: u32, card: &str| json!({"line": number, "card": card, "amount": amount, "currency": "EUR"});
        let lines = [line(1, ANA), line(2, "4761730000009999")];
        caller.post("/v1/clearing", json!({"file": file, "lines": lines}))
    };
    let balance = || caller.get(&caller.path_of("ana")).1["balance"].as_i64().unwrap();
    let before = balance();
    let (status, first) = lines("visa-1.csv", 12_00);
    assert_eq!(status, 200, "{first}");
    assert_eq!(first["data"][0]["outcome"], "forced");
    assert_eq!(first["data"][1]["outcome"], "parked");
    assert_eq!(first["data"][1]["cause"], "card_unknown");
    assert_eq!(balance(), before - 12_00);

    let (_, again) = lines("visa-1.csv", 12_00);
    assert_eq!(again["data"][0]["repeated"], true);
    assert_eq!(again["data"][0]["seq"], first["data"][0]["seq"]);
    assert_eq!(balance(), before - 12_00);

    let (_, other) = lines("visa-1.csv", 13_00);
    assert_eq!(other["data"][0]["outcome"], "conflict");
    assert_eq!(balance(), before - 12_00);
    assert_eq!(lines("visa-2.csv", 13_00).1["data"][0]["outcome"], "forced");
    assert_eq!(balance(), before - 25_00);

    let long = json!({"line": 1, "card": ANA, "amount": 1, "currency": "EUR", "mcc": "12345"});
    let refused = caller.post("/v1/clearing", json!({"file": "x", "lines": [long]}));
    assert_eq!(code(&refused), (400, "invalid_line"));
}
