//! `cekr calc`: computes keys, cryptograms, PIN blocks, references and fees, each by itself.
//!
//! Made for people who test a terminal or another host against this one and need to know which step
//! differs. What goes in and what comes out is JSON in the shapes of `tests/vectors/`; nothing is
//! masked and nothing is kept.

pub(crate) mod chip;
pub(crate) mod given;
pub(crate) mod keys;
pub(crate) mod money;
pub(crate) mod pin;
pub(crate) mod reference;
pub(crate) mod upn_qr;

use std::io::{self, Read as _};
use std::process::ExitCode;

use serde_json::Value;

use self::given::{Given, Operation};

/// Computes a cryptogram, a key, a PIN block, a reference or a fee from its parts, in clear
#[derive(clap::Args)]
#[command(after_help = "Examples:
  cekr calc des_kcv --in '{\"key\":\"0123456789ABCDEFFEDCBA9876543210\"}'
  cekr calc atm_fee --in '{\"amount\":30010}'
  cekr calc arqc_cvn18 --in - < transaction.json
Keys, PINs and card numbers come out as they are. A command line can be read by others on the same
machine: give real keys by `--in -`. Octets are hexadecimal; amounts are cents.
An unknown name shows the list of calculations.")]
pub(crate) struct CalcArgs {
    /// Which calculation, for example arqc_cvn18
    #[arg(value_name = "OP")]
    operation: String,
    /// Its input as a JSON object, or - to read it from standard input
    #[arg(long = "in", value_name = "JSON|-", allow_hyphen_values = true)]
    input: String,
    /// One JSON object on one line, which is what it prints in any case
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(args: &CalcArgs) -> ExitCode {
    let CalcArgs { operation, input, json: _ } = args;
    match read(input).and_then(|input| compute(operation, &input)) {
        Ok(out) => {
            println!("{out}");
            ExitCode::SUCCESS
        }
        Err(reason) => {
            eprintln!("error: {reason}\nhelp: the calculations are\n{}", names());
            ExitCode::from(WRONG_USE)
        }
    }
}

/// The output of a calculation, or why there is none.
fn compute(operation: &str, input: &Value) -> Result<Value, String> {
    let known = operations().find(|(name, _)| *name == operation);
    let (_, function) = known.ok_or_else(|| format!("no calculation is called `{operation}`"))?;
    let given = Given::new(input).map_err(|reason| format!("{operation}: {reason}"))?;
    function(&given).map_err(|reason| format!("{operation}: {reason}"))
}

fn read(input: &str) -> Result<Value, String> {
    let mut text = String::new();
    let text = if input == "-" {
        let read = io::stdin().take(INPUT_OCTETS_MAX).read_to_string(&mut text);
        read.map_err(|error| format!("standard input: {error}"))?;
        &text
    } else {
        input
    };
    serde_json::from_str(text).map_err(|error| format!("`--in` is no JSON: {error}"))
}

fn operations() -> impl Iterator<Item = &'static Operation> {
    let families = [
        chip::OPERATIONS,
        pin::OPERATIONS,
        keys::OPERATIONS,
        money::OPERATIONS,
        reference::OPERATIONS,
        upn_qr::OPERATIONS,
    ];
    families.into_iter().flatten()
}

/// The names of all calculations, as many to a line as fit.
fn names() -> String {
    let mut lines = String::from(" ");
    let mut column = 1;
    for (name, _) in operations() {
        if column + 1 + name.len() > COLUMNS {
            lines.push_str("\n ");
            column = 1;
        }
        lines.push(' ');
        lines.push_str(name);
        column += 1 + name.len();
    }
    lines
}

/// More than any calculation needs.
const INPUT_OCTETS_MAX: u64 = 1 << 20;

const COLUMNS: usize = 80;

const WRONG_USE: u8 = 2;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    const CRYPTO: &str = include_str!("../tests/vectors/emv/card_crypto.json");
    const CAVV: &str = include_str!("../tests/vectors/domain/cavv.json");
    const FEE: &str = include_str!("../tests/vectors/domain/atm_fee.json");
    const UPN_QR: &str = include_str!("../tests/vectors/domain/upnqr.json");

    /// Cases of a domain file, their list under no name or `vectors`, and what is output of them.
    const DOMAIN: [(&str, &str, &[&str]); 5] = [
        ("mod11", include_str!("../tests/vectors/domain/mod11.json"), &["k"]),
        (
            "si_reference",
            include_str!("../tests/vectors/domain/si_reference.json"),
            &["normalized", "result"],
        ),
        (
            "cekr_reference",
            include_str!("../tests/vectors/domain/cekr_reference.json"),
            &["verdict", "mok_id"],
        ),
        ("rf_reference", include_str!("../tests/vectors/domain/rf_reference.json"), &["valid"]),
        ("iban", include_str!("../tests/vectors/domain/iban.json"), &["valid"]),
    ];

    fn parsed(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    /// Whether a calculation gives the named values of `expected`.
    #[track_caller]
    fn check(operation: &str, input: &Value, expected: &Value, names: &[&str]) {
        let out = compute(operation, input).unwrap_or_else(|why| panic!("{input}: {why}"));
        for name in names {
            assert_eq!(out[name], expected[name], "{operation} of {input}: {name}");
        }
    }

    #[test]
    fn every_case_of_card_cryptography_comes_out() {
        let file = parsed(CRYPTO);
        for case in file["vectors"].as_array().unwrap() {
            // This block is misprinted in its standard; it must not open.
            if case["id"] == "tr31_pub-test13_tr31_ascii" {
                assert!(compute("tr31_unwrap", &case["in"]).is_err());
                continue;
            }
            let names: Vec<&str> =
                case["out"].as_object().unwrap().keys().map(String::as_str).collect();
            check(case["op"].as_str().unwrap(), &case["in"], &case["out"], &names);
        }
    }

    #[test]
    fn every_case_of_references_and_accounts_comes_out() {
        for (operation, text, names) in DOMAIN {
            let file = parsed(text);
            let cases = file.as_array().or_else(|| file["vectors"].as_array()).unwrap();
            assert!(!cases.is_empty(), "{operation}");
            for case in cases {
                check(operation, case, case, names);
            }
        }
    }

    #[test]
    fn every_case_of_fee_and_largest_withdrawal_comes_out() {
        let file = parsed(FEE);
        for case in file["fee"].as_array().unwrap() {
            check("atm_fee", case, case, &["fee", "hold_total"]);
        }
        for case in file["max_withdrawal"].as_array().unwrap() {
            let expected = json!({ "amount": case["max_withdrawal"] });
            check("max_withdrawal", case, &expected, &["amount"]);
        }
    }

    #[test]
    fn every_authentication_value_comes_out() {
        let file = parsed(CAVV);
        for case in file["vectors"].as_array().unwrap() {
            let mut input = case.clone();
            input["key_a"] = file["keys"]["A"].clone();
            input["key_b"] = file["keys"]["B"].clone();
            check("cavv", &input, case, &["cavv_hex"]);
        }
    }

    #[test]
    fn every_payment_order_becomes_its_code() {
        let file = parsed(UPN_QR);
        for case in file["vectors"].as_array().unwrap() {
            let mut expected = case.clone();
            expected["modules_sha256"] = case["qr"]["modules_sha256"].clone();
            let names = ["payload_hex", "control_sum", "modules_sha256"];
            check("upn_qr", case, &expected, &names);
        }
    }

    #[test]
    fn a_name_stands_for_one_calculation() {
        let all: Vec<&str> = operations().map(|(name, _)| *name).collect();
        let unlike: BTreeSet<&str> = all.iter().copied().collect();
        assert_eq!(all.len(), unlike.len());
        assert!(names().split_whitespace().eq(all));
        assert!(names().lines().all(|line| line.len() <= COLUMNS), "{}", names());
    }

    #[test]
    fn input_that_is_missing_or_odd_is_refused_by_its_name() {
        for (operation, input, reason) in [
            ("nothing", json!({}), "no calculation is called `nothing`"),
            ("pvv", json!([]), "pvv: the input is no JSON object"),
            ("udk_a", json!({"imk": "00"}), "udk_a: `imk`: a DES key has 16 or 24 octets"),
            ("arpc1", json!({"key": "0".repeat(32)}), "arpc1: `arqc` is missing"),
            ("arpc1", json!({"key": 5}), "arpc1: `key` is no text"),
            ("des_kcv", json!({"key": "0"}), "des_kcv: `key` is no sequence of octets"),
            ("des_kcv", json!({"key": "0č"}), "des_kcv: `key` is no sequence of octets"),
            ("atm_fee", json!({"amount": -1}), "atm_fee: `amount` is no whole number"),
            ("atm_fee", json!({"amount": u64::MAX}), "atm_fee: `amount` is too large"),
            ("mod11", json!({"data": "1234567890123"}), "mod11: `data` has not 1 to 12 digits"),
            ("pinblock2", json!({"pin": "123"}), "pinblock2: `pin`: a PIN has 4 to 12 digits"),
            ("pinblock0", json!({"pin": "1234", "pan": "12345678901"}), "pinblock0: `pan` has not"),
        ] {
            let why = compute(operation, &input).unwrap_err();
            assert!(why.starts_with(reason), "{why}");
        }
    }

    #[test]
    fn no_calculation_panics_whatever_it_is_given() {
        let odd = [
            json!(""),
            json!("0"),
            json!("00"),
            json!("F".repeat(32)),
            json!("9".repeat(19)),
            json!(0),
            json!(255),
            json!(u64::MAX),
            json!(-1),
            json!([]),
            json!({}),
            json!("č"),
        ];
        let file = parsed(CRYPTO);
        for case in file["vectors"].as_array().unwrap() {
            for name in case["in"].as_object().unwrap().keys() {
                for value in &odd {
                    let mut input = case["in"].clone();
                    input[name] = value.clone();
                    let _ = compute(case["op"].as_str().unwrap(), &input);
                }
            }
        }
    }
}
