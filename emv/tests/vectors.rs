//! The published and cross-checked cases of `tests/vectors/emv/card_crypto.json`, each computed the
//! way `cekr calc` computes it.
//!
//! The files under `src/calc/` read a case's JSON and call this crate; they are the binary's own,
//! so that what is checked here is what people run.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../src/calc/chip.rs"]
mod chip;
#[path = "../../src/calc/given.rs"]
mod given;
#[path = "../../src/calc/keys.rs"]
mod keys;
#[path = "../../src/calc/pin.rs"]
mod pin;

use std::collections::BTreeSet;

use serde_json::Value;

const CASES: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/emv/card_crypto.json"));

/// Operations of the vectors that nobody computes, each with the reason: none so far.
const LEFT_OUT: [&str; 0] = [];

/// Cases whose block is misprinted in the standard (its length field does not fit and its MAC
/// covers other octets): a key must not come out of them.
const MISPRINTED: [&str; 1] = ["tr31_pub-test13_tr31_ascii"];

#[test]
fn every_case_gives_what_its_source_says() {
    let file: Value = serde_json::from_str(CASES).unwrap();
    let operations = [chip::OPERATIONS, keys::OPERATIONS, pin::OPERATIONS].concat();
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    for case in file["vectors"].as_array().unwrap() {
        let (id, name) = (case["id"].as_str().unwrap(), case["op"].as_str().unwrap());
        seen.insert(name);
        let Some((_, compute)) = operations.iter().find(|(operation, _)| *operation == name) else {
            if !LEFT_OUT.contains(&name) {
                faults.push(format!("{id}: nobody computes {name}"));
            }
            continue;
        };
        match given::Given::new(&case["in"]).and_then(|given| compute(&given)) {
            Ok(_) if MISPRINTED.contains(&id) => faults.push(format!("{id}: was believed")),
            Err(_) if MISPRINTED.contains(&id) => (),
            Ok(out) => faults.extend(differences(id, &out, &case["out"])),
            Err(reason) => faults.push(format!("{id}: {reason}")),
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert!(seen.len() >= 47, "only {} operations have cases", seen.len());
}

/// What a case wants and did not get; what it got besides may be more than it wants.
fn differences(id: &str, out: &Value, expected: &Value) -> Vec<String> {
    let expected = expected.as_object().unwrap().iter();
    let differing = expected.filter(|(name, value)| out[name.as_str()] != **value);
    differing.map(|(name, value)| format!("{id}: {name} is {}, not {value}", out[name])).collect()
}
