//! `cekr calc` as people run it: the object that comes out, and what is said of a wrong use.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// Runs a calculation with its input on the command line.
fn calc(operation: &str, input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cekr"));
    command.args(["calc", operation, "--in", input]).output().unwrap()
}

fn object(done: &Output) -> Value {
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(done.stdout.iter().filter(|octet| **octet == b'\n').count(), 1, "one line");
    serde_json::from_slice(&done.stdout).unwrap()
}

#[test]
fn a_cryptogram_comes_out_unmasked_whether_its_input_is_an_argument_or_piped() {
    let input =
        r#"{"key":"F84315C7B95BD3B0C74694922C3808B0","arqc":"4B46013359B7A58B","arc":"0000"}"#;
    let expected = json!({ "arpc": "F8C9CECAABD55AD1" });
    assert_eq!(object(&calc("arpc1", input)), expected);
    let mut command = Command::new(env!("CARGO_BIN_EXE_cekr"));
    let command = command.args(["calc", "arpc1", "--in", "-"]).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    assert_eq!(object(&child.wait_with_output().unwrap()), expected);
}

#[test]
fn a_reference_and_a_fee_come_out_as_plain_objects() {
    let reference = calc("cekr_reference", r#"{"input":"si05 8074720-123456789-200"}"#);
    assert_eq!(object(&reference), json!({ "verdict": "OK", "mok_id": "123456789" }));
    let fee = object(&calc("atm_fee", r#"{"amount":30010}"#));
    assert_eq!(fee, json!({ "fee": 15_01, "hold_total": 315_11 }));
}

#[test]
fn a_wrong_use_ends_with_2_its_reason_and_the_calculations_there_are() {
    for (operation, input, reason) in [
        ("arqc_cvn19", "{}", "no calculation is called `arqc_cvn19`"),
        ("arqc_cvn18", "{}", "`tag_9c` is missing"),
        ("arqc_cvn18", "{", "`--in` is no JSON"),
        ("tr31_unwrap", r#"{"kbpk":"","block":"B"}"#, "`kbpk`"),
    ] {
        let done = calc(operation, input);
        let said = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(2), "{said}");
        assert!(said.contains(reason) && said.contains("arqc_cvn18 arqc_cvn22"), "{said}");
        assert!(done.stdout.is_empty());
    }
}
