//! The guided tour, started as people start it: every step of its story, in order.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may")]

use std::process::{Command, Stdio};

use serde_json::Value;

/// The answers, and what is available after each.
const ANSWERS: [(&str, &str, i64); 11] = [
    ("purchase", "00", 75_10),
    ("withdrawal", "00", 10_10),
    ("withdrawal_over", "51", 10_10),
    ("wrong_pin", "55", 10_10),
    ("replay", "82", 10_10),
    ("purchase_abroad", "00", 198_10),
    ("purchase_abroad_off", "57", 198_10),
    ("online", "00", 159_10),
    ("purchase_locked", "62", 159_10),
    ("reversal", "00", 171_10),
    ("summary", "", 0),
];

#[test]
fn the_story_is_told_with_a_purchase_that_waits_and_one_that_is_refused() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cekr"));
    command.args(["demo", "--json", "--seed", "1"]).stdin(Stdio::null());
    let out = command.output().unwrap();
    let lines: Vec<Value> = String::from_utf8(out.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut steps =
        lines.iter().filter(|line| line["response_code"].is_string() || line["event"] == "summary");
    for (step, code, available) in ANSWERS {
        let line = steps.next().unwrap();
        if step == "summary" {
            assert_eq!(line["event"], step, "{line}");
            continue;
        }
        assert_eq!((&line["step"], &line["response_code"]), (&step.into(), &code.into()));
        assert_eq!(line["available_after"], available, "{step}");
    }
    let find = |event: &str| lines.iter().find(|line| line["event"] == event);
    let books = find("books").unwrap();
    assert_eq!((&books["balanced"], &books["replay_equal"]), (&true.into(), &true.into()));
    let online = lines.iter().position(|line| line["step"] == "online").unwrap();
    assert_eq!(lines[online]["event"], "authorization");
    if cfg!(feature = "portal") {
        assert_eq!(lines[online]["confirmed_by"], "passkey");
        let refused = &lines[online + 1];
        assert_eq!(refused["event"], "online_refused");
        assert_eq!(
            (&refused["trans_status"], &refused["available_after"]),
            (&"N".into(), &159_10.into())
        );
    } else {
        assert!(find("online_refused").is_none(), "nobody can be asked without the website");
    }
}
