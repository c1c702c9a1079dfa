//! The published and cross-checked cases of `tests/vectors/emv/card_crypto.json`.
#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use cekr_emv::crypto::{des::TripleDes, pin_block, pvv};
use cekr_emv::keys::{Key, Pvk};
use cekr_emv::pin::Pin;
use serde_json::Value;

const CASES: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/emv/card_crypto.json"));

#[test]
fn format_0_blocks_are_those_of_the_vectors() {
    each("pinblock0", |given, expected| {
        let (pin, pan) = (Pin::parse(text(given, "pin").as_bytes()).unwrap(), number(given, "pan"));
        let block = octets(text(expected, "block"));
        assert_eq!(pin_block::encode_format0(&pin, pan).as_slice(), block);
        let block = block.try_into().unwrap();
        assert_eq!(pin_block::decode_format0(block, pan), Ok(pin));
    });
}

#[test]
fn verification_values_are_those_of_the_vectors() {
    each("pvv", |given, expected| {
        let pvk = Key::<Pvk>::from_octets(&octets(text(given, "pvk"))).unwrap();
        let pvki = text(given, "pvki").parse().unwrap();
        let pin = Pin::parse(text(given, "pin").as_bytes()).unwrap();
        let value = pvv::pvv(&pvk, pvki, number(given, "pan"), &pin);
        assert_eq!(format!("{:04}", value.number()), text(expected, "pvv"));
    });
}

#[test]
fn check_values_are_those_of_the_vectors() {
    each("des_kcv", |given, expected| {
        let key = octets(text(given, "key")).try_into().unwrap();
        assert_eq!(TripleDes::new(&key).kcv().as_slice(), octets(text(expected, "kcv")));
    });
}

/// Calls `check` with input and output of each case of an operation, and wants at least one.
fn each(operation: &str, check: impl Fn(&Value, &Value)) {
    let file: Value = serde_json::from_str(CASES).unwrap();
    let cases = file["vectors"].as_array().unwrap().iter();
    let mut count = 0;
    for case in cases.filter(|case| case["op"] == operation) {
        println!("{}", case["id"]);
        check(&case["in"], &case["out"]);
        count += 1;
    }
    assert_ne!(count, 0, "no case of {operation}");
}

fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object[name].as_str().unwrap()
}

fn number(object: &Value, name: &str) -> u64 {
    text(object, name).parse().unwrap()
}

fn octets(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}
