//! Money at the desks: cash over the counter with its receipt, and files of statements.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may")]

mod support;

use serde_json::Value;
use support::operator::{on_desk, post, send_file};
use support::{Site, back};

/// A day's statement whose cards are none of ours here.
const STATEMENT: &str = include_str!("../../tests/vectors/domain/camt/05-camt053-v02-eod.xml");

fn balance(site: &Site, name: &str) -> i64 {
    let (_, page) = site.operator("GET", &format!("/v1/cards?name={name}"), &Value::Null);
    page["data"][0]["balance"].as_i64().unwrap()
}

#[test]
fn cash_is_loaded_once_however_often_its_form_is_sent_and_has_a_receipt() {
    let site = Site::start();
    let (tina, _) = on_desk(&site, "Tina", &["branch"]);
    let before = balance(&site, "ana");
    let (mok_id, last_six) = back("ana");
    let form = tina.get("/desk/cash").field("form");
    let fields = |amount| {
        [("mok_id", &*mok_id), ("last_four", &last_six[2..]), ("amount", amount), ("form", &*form)]
    };
    let taken = post(&tina, "/desk/cash", &fields("50,00"));
    assert_eq!(taken.status, 303, "{}", taken.body);
    let receipt = tina.get(&taken.location);
    assert_eq!(receipt.status, 200);
    for words in ["50,00", "476173******0011", "Prevzel: Tina", &form] {
        assert!(receipt.body.contains(words), "{words}: {}", receipt.body);
    }
    assert_eq!(post(&tina, "/desk/cash", &fields("50")).location, taken.location, "sent again");
    assert_eq!(balance(&site, "ana"), before + 50_00);
    assert_eq!(post(&tina, "/desk/cash", &fields("60")).status, 409, "the same form, other money");
    assert_eq!(balance(&site, "ana"), before + 50_00);
    let list = tina.get("/desk/cash").body;
    assert!(list.contains("50,00") && list.contains("Tina"), "{list}");
    let (jan, _) = on_desk(&site, "Jan", &["branch"]);
    assert!(!jan.get("/desk/cash").body.contains("Tina"), "each counts their own drawer");
    let (vesna, _) = on_desk(&site, "Vesna", &["auditor"]);
    let seen = vesna.get("/desk/cash").body;
    assert!(seen.contains("Tina") && !seen.contains("name=\"amount\""), "looks, and takes nothing");
    let (_, audit) = site.operator("GET", "/v1/audit?limit=100", &Value::Null);
    let lines = audit["data"].as_array().unwrap();
    assert_eq!(lines.iter().filter(|line| line["what"] == "cash_load").count(), 1);
}

#[test]
fn what_is_wrong_with_cash_is_said_before_any_money_changes_hands() {
    let site = Site::start();
    let (tina, _) = on_desk(&site, "Tina", &["branch"]);
    let before = balance(&site, "ana");
    let (mok_id, last_six) = back("ana");
    let last_four = &last_six[2..];
    let take = |mok_id: &str, last_four: &str, amount: &str| {
        let form = tina.get("/desk/cash").field("form");
        let fields =
            [("mok_id", mok_id), ("last_four", last_four), ("amount", amount), ("form", &form)];
        post(&tina, "/desk/cash", &fields)
    };
    for (mok_id, last_four, amount) in [
        (&*mok_id, "0029", "50"),
        ("111111111", last_four, "50"),
        (&mok_id, last_four, "0"),
        (&mok_id, last_four, "1.234"),
    ] {
        assert_eq!(take(mok_id, last_four, amount).status, 422, "{mok_id} {last_four} {amount}");
    }
    let above = take(&mok_id, last_four, "1500");
    assert_eq!(above.status, 409);
    assert!(above.body.contains("Denarja ne prevzemite"), "{}", above.body);
    let foreign = [("mok_id", &*mok_id), ("last_four", last_four), ("amount", "5"), ("form", "x")];
    assert_eq!(post(&tina, "/desk/cash", &foreign).status, 422, "a reference of another's making");
    assert_eq!(balance(&site, "ana"), before);
    assert_eq!(tina.get("/desk/cash/1").status, 404, "no load in cash");
}

#[test]
fn a_statement_is_imported_from_a_form_and_each_line_is_told() {
    let site = Site::start();
    let (maja, _) = on_desk(&site, "Maja", &["finance"]);
    let broken = send_file(&maja, "/desk/statements", "izpisek.xml", "<nothing/>");
    assert_eq!(broken.status, 422, "{}", broken.body);
    assert!(broken.body.contains("Nič ni bilo knjiženo"), "{}", broken.body);
    let before = balance(&site, "ana");
    let told = send_file(&maja, "/desk/statements", "izpisek.xml", STATEMENT);
    assert_eq!(told.status, 200, "{}", told.body);
    assert!(told.body.contains("izpisek.xml") && told.body.contains("20,00"), "{}", told.body);
    assert!(told.body.contains("čaka kot neprepoznano"), "{}", told.body);
    assert_eq!(balance(&site, "ana"), before, "it names no card");
    assert!(maja.get("/desk/suspense").body.contains("20,00"));
    let again = send_file(&maja, "/desk/statements", "izpisek.xml", STATEMENT);
    assert!(again.body.contains("Nič ni bilo knjiženo znova"), "{}", again.body);
    let files = maja.get("/desk/statements").body;
    assert!(files.contains("Maja") && files.contains("knjižena do konca"), "{files}");

    let (branch, _) = on_desk(&site, "Tina", &["branch"]);
    assert_eq!(send_file(&branch, "/desk/statements", "a.xml", STATEMENT).status, 403);
    let strange = maja.post_body("/desk/statements", "text/plain", "a".into());
    assert_eq!(strange.status, 422, "{}", strange.body);
    let mut no_token = String::from("--b\r\nContent-Disposition: form-data; name=\"file\"; ");
    no_token.push_str("filename=\"a.xml\"\r\n\r\n<a/>\r\n--b--\r\n");
    let refused = maja.post_body("/desk/statements", "multipart/form-data; boundary=b", no_token);
    assert_eq!(refused.status, 403, "without the desk's token");
}
