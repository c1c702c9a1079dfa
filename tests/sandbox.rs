//! `--sandbox`: calls that play a terminal against the switch's own listener, and their bad input.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// A switch in memory with the built-in cards.
struct Sandbox {
    process: Child,
    http: String,
    state: std::path::PathBuf,
}

impl Sandbox {
    fn start(name: &str, more: &[&str]) -> Sandbox {
        let state = std::env::temp_dir().join(format!("cekr-{name}-{}", std::process::id()));
        let mut process = Command::new(env!("CARGO_BIN_EXE_cekr"))
            .args(["serve", "--durability", "none", "--listen", "127.0.0.1:0"])
            .args(["--http", "127.0.0.1:0"])
            .args(more)
            .env("CEKR_OPERATOR_TOKEN", TOKEN)
            .env("CEKR_STATE_DIR", &state)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        let http = ready["http"].as_str().unwrap().to_owned();
        Sandbox { process, http, state }
    }

    /// Status and body of a call.
    fn simulate(&self, kind: &str, body: &Value) -> (u16, Value) {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build();
        let mut answer = ureq::Agent::new_with_config(agent)
            .post(format!("{}/v1/simulate/{kind}", self.http))
            .header("Authorization", format!("Bearer {TOKEN}"))
            .send(body.to_string())
            .unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), serde_json::from_str(&text).unwrap_or_default())
    }

    /// Cents that a card has left.
    fn available(&self, name: &str) -> i64 {
        let mut answer = ureq::get(format!("{}/v1/cards?name={name}", self.http))
            .header("Authorization", format!("Bearer {TOKEN}"))
            .call()
            .unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        let cards: Value = serde_json::from_str(&text).unwrap();
        cards["data"][0]["available"].as_i64().unwrap()
    }

    /// What a simulation that must be carried out has come to.
    fn done(&self, kind: &str, body: &Value) -> Value {
        let (status, answer) = self.simulate(kind, body);
        assert_eq!(status, 200, "{kind} {body}: {answer}");
        answer
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.state);
    }
}

#[test]
fn a_day_with_a_card_can_be_played_by_calls_alone() {
    let sandbox = Sandbox::start("sandbox-day", &["--sandbox"]);
    let told = |answer: &Value, code: &str, available: i64| {
        assert_eq!(answer["response_code"], code, "{answer}");
        assert_eq!(sandbox.available("ana"), available, "{answer}");
    };
    let purchase = sandbox.done("purchase", &json!({"card": "ana", "amount": 24_90}));
    told(&purchase, "00", 75_10);
    let cash = sandbox.done("withdrawal", &json!({"card": "ana", "amount": 50_00}));
    told(&cash, "00", 10_10);
    assert_eq!(cash["fee"], 15_00);
    let id = &purchase["id"];
    told(&sandbox.done("reversal", &json!({"transaction": id})), "00", 35_00);
    let hotel = sandbox.done("preauthorization", &json!({"card": "ana", "amount": 20_00}));
    told(&hotel, "00", 15_00);
    let id = &hotel["id"];
    told(&sandbox.done("completion", &json!({"transaction": id, "amount": 12_00})), "00", 23_00);
    let online = json!({"card": "dana", "amount": 9_90, "merchant": "Knjige"});
    let online = sandbox.done("online_purchase", &online);
    assert_eq!((&online["response_code"], &online["remark"]), (&json!("57"), &json!("ONLINE")));
    let abroad = json!({"card": "bor", "amount": 5_00, "country": "HR"});
    assert_eq!(sandbox.done("purchase", &abroad)["remark"], "ABROAD");
    let wrong = json!({"card": "bor", "amount": 20_00, "pin": "9999"});
    assert_eq!(sandbox.done("withdrawal", &wrong)["response_code"], "55");
    let refund = json!({"transaction": online["id"], "amount": 9_90, "card": "ana"});
    assert_eq!(sandbox.done("refund", &refund)["response_code"], "00");
    let balance = sandbox.done("balance", &json!({"card": "fani"}));
    assert_eq!(
        (&balance["response_code"], &balance["available_after"]),
        (&json!("00"), &json!(2_00))
    );
}

#[test]
fn banks_payers_and_the_network_can_be_played_too() {
    let sandbox = Sandbox::start("sandbox-world", &["--sandbox"]);
    let available = || sandbox.available("ana");
    let order = sandbox.done("upn_order", &json!({"card": "ana", "amount": 200_00}));
    assert_eq!((&order["lines"][0]["outcome"], available()), (&json!("posted"), 300_00), "{order}");
    let twice = sandbox.done("upn_order", &json!({"card": "ana", "amount": 10_94}));
    let repeated: Vec<&Value> =
        twice["lines"].as_array().unwrap().iter().map(|line| &line["repeated"]).collect();
    assert_eq!((repeated, available()), (vec![&json!(false), &json!(true)], 310_94), "{twice}");
    let lost = json!({"card": "ana", "amount": 5_00, "reference": "SI05 8074720-1-200"});
    let lost = sandbox.done("upn_order", &lost);
    assert_eq!((&lost["lines"][0]["outcome"], available()), (&json!("suspense"), 310_94), "{lost}");
    let load = sandbox.done("card_load", &json!({"card": "ana", "amount": 20_00}));
    assert_eq!((&load["state"], available()), (&json!("CREDITED"), 330_94), "{load}");
    let refused = sandbox.done("card_load", &json!({"card": "ana", "amount": 20_05}));
    assert_eq!((&refused["state"], available()), (&json!("FAILED"), 330_94), "{refused}");
    let fee = sandbox.done("fee_enquiry", &json!({"card": "ana", "amount": 50_00}));
    assert_eq!((&fee["fee"], &fee["share_percent"]), (&json!(15_00), &json!(30)), "{fee}");
    assert_eq!(available(), 330_94, "a question costs nothing");
    let room = sandbox.done("preauthorization", &json!({"card": "ana", "amount": 100_00}));
    let room = &room["id"];
    let more = sandbox.done("incremental", &json!({"transaction": room, "amount": 30_00}));
    assert_eq!((&more["response_code"], available()), (&json!("00"), 200_94), "{more}");
    let bill = sandbox.done("completion", &json!({"transaction": room, "amount": 130_00}));
    assert_eq!((&bill["response_code"], available()), (&json!("00"), 200_94), "{bill}");
    let purchase = sandbox.done("purchase", &json!({"card": "ana", "amount": 10_00}));
    let cleared = sandbox.done("clearing", &json!({}));
    let lines = cleared["lines"].as_array().unwrap();
    assert_eq!(lines.len(), 2, "the completion and the purchase: {cleared}");
    // A completion and a 0200 have posted at once: clearing finds them and changes nothing.
    assert!(lines.iter().all(|line| line["outcome"] == "adjusted"), "{cleared}");
    assert_eq!(lines[1]["transaction"], purchase["id"]);
    assert_eq!(available(), 190_94);
    assert_eq!(sandbox.simulate("clearing", &json!({})).0, 409, "nothing is left");
    let hold = sandbox.done("preauthorization", &json!({"card": "ana", "amount": 5_00}));
    let more = json!({"transaction": hold["id"], "amount": 6_00});
    let more = sandbox.done("clearing", &more);
    let (line, left) = (&more["lines"][0], available());
    assert_eq!((&line["outcome"], left), (&json!("posted"), 184_94), "{more}");
}

#[test]
fn a_pin_that_was_changed_is_the_one_that_is_typed_from_then_on() {
    let sandbox = Sandbox::start("sandbox-pin", &["--sandbox"]);
    let changed = sandbox.done("pin_change", &json!({"card": "bor", "new_pin": "4321"}));
    assert_eq!(changed["response_code"], "00", "{changed}");
    let old = json!({"card": "bor", "amount": 20_00, "pin": "1234"});
    assert_eq!(sandbox.done("withdrawal", &old)["response_code"], "55");
    let new = sandbox.done("withdrawal", &json!({"card": "bor", "amount": 20_00}));
    assert_eq!(new["response_code"], "00", "{new}");
    let (status, told) = sandbox.simulate("pin_change", &json!({"card": "bor"}));
    assert_eq!((status, &told["error"]["param"]), (400, &json!("new_pin")));
}

#[test]
fn cents_choose_what_goes_wrong_and_the_money_stays_right() {
    let sandbox = Sandbox::start("sandbox-cents", &["--sandbox"]);
    let available = || sandbox.available("ana");
    let purchase = |cents: u64| sandbox.done("purchase", &json!({"card": "ana", "amount": cents}));
    let lost = purchase(10_91);
    assert_eq!((&lost["world"], &lost["response_code"]), (&json!("answer_lost"), &json!("00")));
    assert_eq!(available(), 89_09, "repeated and counted once: {lost}");
    let twice = purchase(10_94);
    assert_eq!((&twice["world"], &twice["response_code"]), (&json!("sent_twice"), &json!("00")));
    assert_eq!(available(), 78_15, "{twice}");
    assert_eq!(twice["line"].as_array().unwrap().len(), 1, "one answer too many: {twice}");
    let late = purchase(10_68);
    assert_eq!((&late["response_code"], &late["reversed"]), (&Value::Null, &json!("68")), "{late}");
    assert_eq!(available(), 78_15, "{late}");
    let noted = late["line"].as_array().unwrap();
    assert!(noted.iter().any(|note| note == "reversal answered 00"), "{late}");
    let wrong = purchase(10_55);
    assert_eq!((&wrong["response_code"], available()), (&json!("55"), 78_15), "{wrong}");
    let well = json!({"card": "ana", "amount": 8_91, "world": "well"});
    let well = sandbox.done("purchase", &well);
    assert_eq!((&well["world"], available()), (&Value::Null, 69_24), "{well}");
    let cash = |cents: u64| sandbox.done("withdrawal", &json!({"card": "bor", "amount": cents}));
    let jam = cash(50_21);
    assert_eq!(
        (&jam["amount"], &jam["dispensed"], &jam["reversed"]),
        (&json!(50_00), &json!(0), &json!("21"))
    );
    assert_eq!(sandbox.available("bor"), 100_00, "{jam}");
    let part = cash(7_032);
    assert_eq!((&part["dispensed"], &part["reversed"]), (&json!(50_00), &json!("32")), "{part}");
    assert_eq!((&part["fee"], sandbox.available("bor")), (&json!(15_00), 35_00), "{part}");
    let named = json!({"card": "ana", "amount": 1_00, "world": "dispenser_jams"});
    let (status, told) = sandbox.simulate("purchase", &named);
    assert_eq!((status, &told["error"]["param"]), (400, &json!("world")), "{told}");
}

#[test]
fn what_cannot_be_played_is_refused_with_its_place() {
    let sandbox = Sandbox::start("sandbox-bad", &["--sandbox"]);
    for (kind, body, status, param) in [
        ("theft", json!({"card": "ana", "amount": 1}), 404, Value::Null),
        ("purchase", json!({"card": "nobody", "amount": 1}), 404, json!("card")),
        ("purchase", json!({"amount": 1}), 400, json!("card")),
        ("purchase", json!({"card": "ana"}), 400, json!("amount")),
        ("purchase", json!({"card": "ana", "amount": 0}), 400, json!("amount")),
        ("purchase", json!({"card": "ana", "amount": -5}), 400, Value::Null),
        ("purchase", json!({"card": "ana", "amount": 1.5}), 400, Value::Null),
        ("purchase", json!({"card": "ana", "amount": 1, "colour": "red"}), 400, Value::Null),
        (
            "purchase",
            json!({"card": "ana", "amount": 1, "country": "Kranj"}),
            400,
            json!("country"),
        ),
        ("purchase", json!({"card": "ana", "amount": 1, "entry": "air"}), 400, json!("entry")),
        ("purchase", json!({"card": "ana", "amount": 1, "pin": "12x4"}), 400, json!("pin")),
        (
            "purchase",
            json!({"card": "ana", "amount": 1, "merchant": "Žabe"}),
            400,
            json!("merchant"),
        ),
        ("reversal", json!({}), 400, json!("transaction")),
        ("reversal", json!({"transaction": "sim_0"}), 404, json!("transaction")),
    ] {
        let (told, answer) = sandbox.simulate(kind, &body);
        assert_eq!((told, &answer["error"]["param"]), (status, &param), "{kind} {body}: {answer}");
        assert!(answer["error"]["message"].is_string(), "{answer}");
    }
}

#[test]
fn nothing_can_be_played_without_the_flag() {
    let switch = Sandbox::start("sandbox-off", &[]);
    let (status, _) = switch.simulate("purchase", &json!({"card": "ana", "amount": 1}));
    assert_eq!(status, 404);
}

const TOKEN: &str = "a-token-for-tests";
