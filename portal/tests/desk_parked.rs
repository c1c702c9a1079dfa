//! Parked clearing at the desk: two people where money moves, one and a reason where none does; the
//! books, the settings and the traffic beside it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may")]

mod support;

use cekr_iso8583::Mcc;
use cekr_switch::clearing::LineTold;
use serde_json::Value;
use support::operator::{on_desk, post};
use support::{Reply, Site, back};

const STRANGER: &str = "4761730000000078";

/// Clears one line of the day's file; what its entry is.
fn cleared(site: &Site, number: u32, card: &str, cents: i64) -> u64 {
    let line = LineTold {
        line: number,
        card: card.to_owned(),
        network_id: format!("N{number}"),
        rrn: None,
        auth_code: None,
        amount: cents,
        currency: "EUR".to_owned(),
        merchant: None,
        mcc: Mcc::default(),
        date: "2026-11-22".to_owned(),
    };
    let durable = site.portal.durable();
    let (outcomes, _) = durable.control().clear("day", &[line], durable.now()).unwrap();
    outcomes[0].seq.unwrap()
}

fn balance(site: &Site, name: &str) -> i64 {
    let (_, page) = site.operator("GET", &format!("/v1/cards?name={name}"), &Value::Null);
    page["data"][0]["balance"].as_i64().unwrap()
}

#[test]
fn parked_money_moves_when_two_people_say_so_and_once() {
    let site = Site::start();
    let ((maja, _), (jan, _)) =
        (on_desk(&site, "Maja", &["finance"]), on_desk(&site, "Jan", &["finance"]));
    let parked = cleared(&site, 1, STRANGER, 12_34);
    let path = |what: &str| format!("/desk/parked/{parked}/{what}");
    let page = maja.get("/desk/parked");
    assert_eq!(page.status, 200, "{}", page.body);
    for words in ["12,34", "kartica ni naša", "476173******0078"] {
        assert!(page.body.contains(words), "{words}: {}", page.body);
    }
    assert!(!page.body.contains(STRANGER));
    let (mok_id, _) = back("ana");
    let said =
        |words: &'static str| [("what", "assign"), ("mok_id", "123456782"), ("words", words)];
    assert_eq!(mok_id, "123456782");
    assert_eq!(post(&maja, &path("propose"), &said("  ")).status, 422, "a reason");
    let nobody = [("what", "assign"), ("mok_id", "111111111"), ("words", "x")];
    assert_eq!(post(&maja, &path("propose"), &nobody).status, 422, "no such card");
    assert_eq!(post(&maja, &path("approve"), &[]).status, 409, "nothing is proposed");
    assert_eq!(post(&maja, &path("propose"), &said("Po klicu z mrežo")).status, 303);
    assert_eq!(post(&maja, &path("approve"), &[]).status, 409, "two people");
    let before = balance(&site, "ana");
    let seen = jan.get("/desk/parked").body;
    assert!(seen.contains("Po klicu z mrežo") && seen.contains("Maja"), "{seen}");
    assert_eq!(post(&jan, &path("refuse"), &[]).status, 303);
    assert_eq!(post(&jan, &path("approve"), &[]).status, 409, "it was refused");
    assert_eq!(post(&maja, &path("propose"), &said("Znova")).status, 303);
    assert_eq!(post(&jan, &path("approve"), &[]).status, 303);
    assert_eq!(balance(&site, "ana"), before - 12_34);
    assert_eq!(post(&jan, &path("approve"), &[]).status, 404, "it waits no more");
    assert_eq!(balance(&site, "ana"), before - 12_34);
    let after = maja.get("/desk/parked").body;
    assert!(after.contains("Nič ne čaka") && after.contains("Znova"), "{after}");
    let (_, audit) = site.operator("GET", "/v1/audit?limit=100", &Value::Null);
    let lines = audit["data"].as_array().unwrap().iter();
    let whats: Vec<&str> = lines.filter_map(|line| line["what"].as_str()).collect();
    let wanted = ["parked_propose", "parked_refuse", "parked_propose", "parked_approve"];
    let told: Vec<&str> = whats.into_iter().filter(|what| what.starts_with("parked_")).collect();
    assert_eq!(told[..4], wanted);
    assert_eq!(told[4..], ["parked_settle"]);
}

#[test]
fn what_moves_no_money_is_closed_by_one_person_with_a_reason() {
    let site = Site::start();
    let (maja, _) = on_desk(&site, "Maja", &["finance"]);
    let (first, second) =
        (cleared(&site, 1, STRANGER, 3_00), cleared(&site, 2, &site.card("ana"), 0));
    let close = |seq: u64, what: &str| {
        let said = [("what", what), ("words", "Mreža je vrstico umaknila"), ("mok_id", "")];
        post(&maja, &format!("/desk/parked/{seq}/propose"), &said)
    };
    assert_eq!(close(second, "assign").status, 422, "nothing of it can be posted");
    assert_eq!(close(first, "write_back").status, 303);
    assert_eq!(close(second, "close").status, 303);
    assert_eq!(close(second, "close").status, 404, "it waits no more");
    assert!(maja.get("/desk/parked").body.contains("Nič ne čaka"));
    let report = maja.get("/desk/clearing");
    assert_eq!(report.status, 200, "{}", report.body);
    assert!(report.body.contains("odloženo") && report.body.contains("3,00"), "{}", report.body);
    let (vesna, _) = on_desk(&site, "Vesna", &["auditor"]);
    let seen = vesna.get("/desk/parked").body;
    assert!(seen.contains("Mreža je vrstico umaknila") && !seen.contains("name=\"words\""));
}

#[test]
fn books_settings_and_traffic_are_there_for_those_whose_they_are() {
    let site = Site::start();
    let (vesna, _) = on_desk(&site, "Vesna", &["auditor"]);
    cleared(&site, 1, &site.card("ana"), 2_00);
    let look = |path: &str| -> Reply {
        let reply = vesna.get(path);
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        reply
    };
    let books = look("/desk/books").body;
    assert!(books.contains("Vsota vseh računov je nič"), "{books}");
    assert!(books.contains("visa_settlement") && books.contains("2,00"), "{books}");
    let settings = look("/desk/settings").body;
    assert!(settings.contains("limits.cash_day") && settings.contains("Prvi zapisani zagon"));
    assert!(!settings.contains(support::TOKEN), "secrets are masked");
    let traffic = look("/desk/traffic").body;
    assert!(traffic.contains("<svg class=\"chart\"") && traffic.contains("cekr87"), "{traffic}");
    let now = look("/desk/traffic/now").body;
    assert!(now.starts_with("<div id=\"traffic\">") && now.contains("<svg"), "{now}");
    assert!(!now.contains("style="));
}
