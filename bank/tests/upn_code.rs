//! The QR code of payment orders: the published cases, and a second program that reads it.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may"
)]

use std::io::ErrorKind;
use std::process::{Command, Stdio};

use cekr_bank::upn::{Code, Field, Payee, Payer, PaymentOrder, payload, picture};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

const CASES: &str = include_str!("../../tests/vectors/domain/upnqr.json");

fn cases() -> Vec<(Value, PaymentOrder)> {
    let file: Value = serde_json::from_str(CASES).unwrap();
    let cases = file["vectors"].as_array().unwrap().clone();
    let order = |case: &Value| {
        let fields = case["fields"].as_array().unwrap().iter().take(19);
        let fields: Vec<&str> = fields.map(|field| field.as_str().unwrap()).collect();
        PaymentOrder::parse(fields.try_into().unwrap()).unwrap()
    };
    cases.into_iter().map(|case| (case.clone(), order(&case))).collect()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[test]
fn every_published_order_becomes_its_code() {
    for (case, order) in cases() {
        let payload = payload(&order);
        assert_eq!(hex(&payload.octets), case["payload_hex"].as_str().unwrap(), "{}", case["id"]);
        assert_eq!(payload.control_sum, case["control_sum"].as_str().unwrap());
        let modules = Code::of(&order).unwrap().modules();
        let digest = hex(&Sha256::digest(modules));
        assert_eq!(digest, case["qr"]["modules_sha256"].as_str().unwrap(), "{}", case["id"]);
    }
}

/// What zbar reads in a picture; `None` where it is not installed.
fn read(picture: &[u8], ending: &str) -> Option<String> {
    let name =
        format!("cekr-upn-{}-{}.{ending}", std::process::id(), hex(&Sha256::digest(picture)));
    let file = std::env::temp_dir().join(name);
    std::fs::write(&file, picture).unwrap();
    let mut command = Command::new("zbarimg");
    let done = command.args(["--quiet", "--raw", "-Sdisable", "-Sqrcode.enable"]).arg(&file);
    let done = done.stdin(Stdio::null()).output();
    std::fs::remove_file(&file).unwrap();
    match done {
        Ok(done) => {
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            Some(String::from_utf8(done.stdout).unwrap())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn zbar_reads_the_fields_of_each_order_in_its_picture() {
    let payer = Payer {
        name: "Žiga Čuk".into(),
        street: "Šmarjetna pot 3 č".into(),
        town: "4000 Kranj".into(),
    };
    let own = PaymentOrder::load(123_456_782, 12_34, &payer, &Payee::default()).unwrap();
    let orders = cases().into_iter().map(|(_, order)| order).chain([own]);
    for order in orders {
        let code = Code::of(&order).unwrap();
        let Some(text) = read(&picture::png(&code, 4), "png") else {
            println!("skipped: zbarimg (Debian's zbar-tools) is not installed");
            return;
        };
        let lines: Vec<&str> = text.lines().collect();
        for field in Field::ALL {
            assert_eq!(lines.get(field.number() - 1), Some(&order.field(field)), "{field:?}");
        }
        assert_eq!(lines.get(19).copied(), Some(payload(&order).control_sum.as_str()));
    }
}
