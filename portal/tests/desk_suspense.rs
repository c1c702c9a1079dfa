//! Money in suspense at the desk: one person proposes a card, another approves.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may")]

mod support;

use cekr_issuer::Amount;
use cekr_issuer::entry::{BankLine, StatementKey, SuspenseReason};
use cekr_switch::statements::{LineKind, LineTarget, StatementLine};
use serde_json::{Value, json};
use support::authenticator::Authenticator;
use support::{Browser, Reply, Site, back};

/// An operator of these roles who is signed in.
fn on_desk<'s>(site: &'s Site, name: &str, roles: &Value) -> Browser<'s> {
    let body = json!({"name": name, "roles": roles});
    let (status, made) = site.operator("POST", "/v1/operators", &body);
    assert_eq!(status, 200, "{made}");
    let (browser, mut device) = (site.browser(), Authenticator::new(&site.url));
    let code = made["code"].as_str().unwrap();
    let judged = browser.post("/desk/register", &[("name", name), ("code", code)]);
    let ceremony = judged.field("ceremony");
    let begun = browser.post("/desk/register/begin", &[("ceremony", &ceremony)]).json();
    let credential = device.create(&begun["publicKey"]).to_string();
    let ceremony = begun["ceremony"].as_str().unwrap();
    let fields = [("ceremony", ceremony), ("credential", &*credential)];
    assert_eq!(browser.post("/desk/register/finish", &fields).status, 303);
    browser
}

/// Cents that wait because nobody can tell whose they are.
fn waits(site: &Site, cents: i64, key: u8) {
    let durable = site.portal.durable();
    let now = durable.now();
    let line = BankLine { key: StatementKey([key; 16]), booked_on: now.local_date };
    let target = LineTarget::Suspense { reason: SuspenseReason::WrongModel, mok_id: None };
    let amount = Amount::from_minor(cents.unsigned_abs());
    let line = StatementLine { line, amount, kind: LineKind::Credit(target) };
    durable.control().post_lines(&[line], now).unwrap();
}

fn item_of(page: &Reply) -> String {
    let (_, rest) = page.body.split_once("/desk/suspense/").unwrap();
    rest.split('/').next().unwrap().to_owned()
}

fn balance(site: &Site, name: &str) -> i64 {
    let (_, page) = site.operator("GET", &format!("/v1/cards?name={name}"), &Value::Null);
    page["data"][0]["balance"].as_i64().unwrap()
}

#[test]
fn one_proposes_another_approves_and_the_money_comes_once() {
    let site = Site::start();
    let (maja, jan) = (
        on_desk(&site, "Maja", &json!(["reconciliation"])),
        on_desk(&site, "Jan", &json!(["reconciliation"])),
    );
    let before = balance(&site, "ana");
    waits(&site, 12_34, 7);
    let page = maja.get("/desk/suspense");
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(page.body.contains("12,34") && page.body.contains("WRONG_MODEL"), "{}", page.body);
    let (item, csrf) = (item_of(&page), page.field("csrf"));
    let act = |browser: &Browser<'_>, what: &str, fields: &[(&str, &str)]| {
        browser.post(&format!("/desk/suspense/{item}/{what}"), fields)
    };
    let (mok_id, _) = back("ana");
    let belongs = [("csrf", &*csrf), ("mok_id", &*mok_id)];
    assert_eq!(act(&maja, "approve", &[("csrf", &csrf)]).status, 409, "nothing is proposed");
    assert_eq!(act(&maja, "propose", &[("csrf", &csrf), ("mok_id", "111")]).status, 422);
    assert_eq!(act(&maja, "propose", &belongs).status, 303);
    assert_eq!(act(&maja, "approve", &[("csrf", &csrf)]).status, 409, "two people");
    assert!(maja.get("/desk/suspense").body.contains("potrditi jo mora druga oseba"));
    assert_eq!(balance(&site, "ana"), before);

    let theirs = jan.get("/desk/suspense").field("csrf");
    assert_eq!(act(&jan, "approve", &[("csrf", &csrf)]).status, 403, "another's token");
    assert_eq!(act(&jan, "approve", &[("csrf", &theirs)]).status, 303);
    assert_eq!(balance(&site, "ana"), before + 12_34);
    act(&jan, "approve", &[("csrf", &theirs)]);
    assert_eq!(balance(&site, "ana"), before + 12_34, "once");
    assert!(jan.get("/desk/suspense").body.contains("Nič ne čaka"));
    let (_, audit) = site.operator("GET", "/v1/audit?limit=100", &Value::Null);
    let lines = audit["data"].as_array().unwrap().iter();
    let told = lines.filter(|line| line["about"] == item.as_str()).map(|line| &line["what"]);
    let told: Vec<&Value> = told.collect();
    assert_eq!(told[..2], ["suspense_propose", "suspense_approve"]);
}

#[test]
fn only_those_who_reconcile_see_it_and_money_without_an_account_does_not_go_back() {
    let site = Site::start();
    assert_eq!(site.browser().get("/desk/suspense").status, 303);
    let branch = on_desk(&site, "Tina", &json!(["branch"]));
    assert_eq!(branch.get("/desk/suspense").status, 403);
    let csrf = branch.get("/desk").field("csrf");
    assert_eq!(branch.post("/desk/suspense/1/approve", &[("csrf", &csrf)]).status, 403);

    let maja = on_desk(&site, "Maja", &json!(["reconciliation"]));
    waits(&site, 5_00, 9);
    let page = maja.get("/desk/suspense");
    let (item, csrf) = (item_of(&page), page.field("csrf"));
    let back = maja.post(&format!("/desk/suspense/{item}/return"), &[("csrf", &csrf)]);
    assert_eq!(back.status, 409, "{}", back.body);
    assert_eq!(maja.post("/desk/suspense/999999/return", &[("csrf", &csrf)]).status, 404);
}
