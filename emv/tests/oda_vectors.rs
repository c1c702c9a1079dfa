//! Certificates and signatures that another implementation made: `tests/vectors/emv/oda.json`.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use cekr_emv::Pin;
use cekr_emv::crypto::rsa::PublicKey;
use cekr_emv::oda::certificate::{self, Certified};
use cekr_emv::oda::development::TestKey;
use cekr_emv::oda::{offline_pin, signed};
use cekr_emv::tlv;
use serde_json::Value;

const CASES: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/emv/oda.json"));

/// The hexadecimal value of one field.
fn octets(case: &Value, name: &str) -> Vec<u8> {
    let text = case[name].as_str().unwrap_or_else(|| panic!("a case lacks `{name}`"));
    let digits: Vec<u8> = text.chars().map(|digit| digit.to_digit(16).unwrap() as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn array<const N: usize>(case: &Value, name: &str) -> [u8; N] {
    octets(case, name).try_into().unwrap()
}

fn key(case: &Value, name: &str) -> PublicKey {
    PublicKey::new(&octets(case, name), &octets(case, &format!("{name}_exponent"))).unwrap()
}

#[test]
fn every_case_is_believed_and_gives_what_was_put_in() {
    let file: Value = serde_json::from_str(CASES).unwrap();
    for case in file["vectors"].as_array().unwrap() {
        let (given, expected) = (&case["in"], &case["out"]);
        let id = case["id"].as_str().unwrap();
        match case["op"].as_str().unwrap() {
            operation @ ("issuer_certificate" | "icc_certificate") => {
                let names = ["certificate", "remainder", "exponent", "pan"];
                let [shown, remainder, exponent, pan] = names.map(|name| octets(given, name));
                let shown =
                    Certified { certificate: &shown, remainder: &remainder, exponent: &exponent };
                let date = array(given, "date");
                let found = if operation == "issuer_certificate" {
                    certificate::issuer_key(&key(given, "authority"), shown, &pan, date)
                } else {
                    let data = octets(given, "static_data");
                    certificate::icc_key(&key(given, "issuer"), shown, &[&data], &pan, date)
                };
                assert_eq!(found.unwrap().modulus(), octets(expected, "modulus"), "{id}");
            }
            "static" => {
                let (signature, data) = (octets(given, "signature"), octets(given, "static_data"));
                let code = signed::static_data(&key(given, "issuer"), &signature, &[&data]);
                assert_eq!(code, Ok(array(expected, "code")), "{id}");
            }
            "dynamic" => {
                let (signature, data) =
                    (octets(given, "signature"), octets(given, "terminal_data"));
                let number = signed::dynamic(&key(given, "icc"), &signature, &data).unwrap();
                assert_eq!(number.octets(), octets(expected, "number"), "{id}");
            }
            "combined" => {
                let names = ["pdol", "cdol", "answer"];
                let [pdol, cdol, answer] = names.map(|name| octets(given, name));
                let transaction = signed::transaction_hash(&[&pdol, &cdol], &answer).unwrap();
                let signature = tlv::value_of(&answer, 0x9F4B).unwrap();
                let number = array(given, "unpredictable_number");
                let icc = key(given, "icc");
                let read = signed::combined(&icc, signature, 0x80, transaction, number).unwrap();
                assert_eq!(read.number.octets(), octets(expected, "number"), "{id}");
                assert_eq!(read.cryptogram, array(expected, "cryptogram"), "{id}");
            }
            "offline_pin" => {
                let pair = TestKey::ChipPin.pair();
                let (sealed, challenge) = (octets(given, "sealed"), array(given, "challenge"));
                let expected = Pin::parse(expected["pin"].as_str().unwrap().as_bytes()).unwrap();
                assert_eq!(offline_pin::decipher(&pair, &sealed, challenge), Ok(expected), "{id}");
            }
            other => panic!("nobody computes {other}"),
        }
    }
}
