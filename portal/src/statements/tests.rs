//! Statement files against a switch: what is read, what is refused, and what comes of it in any
//! order and however often.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]
#![allow(clippy::indexing_slicing, reason = "a test may")]

mod reading;
mod switch;

use std::collections::BTreeMap;

use cekr_issuer::Seq;
use cekr_switch::control::ControlError;
use serde_json::Value;

use super::import::{Outcome, Report, import};
use super::projection;
use super::suspense::{self, Actor, SuspenseFailed};
use super::upload::Received;
use switch::Bank;

/// The five files of one day, in the order of their coming.
pub(super) const FILES: [(&str, &str); 5] = [
    ("01", include_str!("../../../tests/vectors/domain/camt/01-camt054-intraday.xml")),
    ("02", include_str!("../../../tests/vectors/domain/camt/02-camt053-v08-eod.xml")),
    (
        "03",
        include_str!("../../../tests/vectors/domain/camt/03-camt053-v08-redelivered-same-ids.xml"),
    ),
    (
        "04",
        include_str!("../../../tests/vectors/domain/camt/04-camt053-v08-duplicate-new-msgid.xml"),
    ),
    ("05", include_str!("../../../tests/vectors/domain/camt/05-camt053-v02-eod.xml")),
];
const EXPECTED: &str = include_str!("../../../tests/vectors/domain/camt/expected.json");

pub(super) fn received(name: &str, text: &str) -> Received {
    Received::read(name.to_owned(), text.as_bytes()).unwrap_or_else(|why| panic!("{name}: {why}"))
}

fn imported(bank: &Bank, name: &str, text: &str) -> Report {
    let file = received(name, text);
    bank.wait(import(&bank.portal, &file, "tests")).unwrap()
}

/// What `expected.json` says of cards and suspense after all files.
fn check_totals(bank: &Bank, order: &str) {
    let expected: Value = serde_json::from_str(EXPECTED).unwrap();
    for (mok_id, cents) in expected["card totals"].as_object().unwrap() {
        assert_eq!(bank.balance(mok_id), cents.as_i64().unwrap(), "{mok_id} after {order}");
    }
    let held = expected["suspense after 02"].as_array().unwrap();
    let waiting: BTreeMap<String, (i64, String)> = bank
        .waiting()
        .into_iter()
        .map(|item| (item.bank_reference, (item.item.amount, item.item.reason.to_owned())))
        .collect();
    assert_eq!(waiting.len(), held.len(), "after {order}");
    for item in held {
        let (cents, reason) = &waiting[item["bank_ref"].as_str().unwrap()];
        assert_eq!(
            (Some(*cents), Some(reason.as_str())),
            (item["cents"].as_i64(), item["reason"].as_str())
        );
    }
    let total = bank.wait(suspense::reconciled(&bank.portal)).unwrap();
    assert_eq!((total.amount, total.booked, total.is_reconciled), (95_00, 95_00, true));
}

#[test]
fn the_day_of_the_vectors_posts_what_they_say_line_by_line() {
    let bank = Bank::new();
    let expected: Value = serde_json::from_str(EXPECTED).unwrap();
    let posted = |report: &Report, outcome| -> Vec<(String, u64)> {
        let lines = report.lines.iter().filter(|line| !line.repeated && line.outcome == outcome);
        lines.map(|line| (line.bank_reference.clone(), line.amount)).collect()
    };
    let told = |name: &str, sign: i64| -> Vec<(String, u64)> {
        let items = expected[name].as_array().unwrap().iter();
        let name = |item: &Value| {
            let name = item.get("bank_ref").or_else(|| item.get("original")).unwrap();
            name.as_str().unwrap().to_owned()
        };
        items.map(|item| (name(item), (item["cents"].as_i64().unwrap() * sign) as u64)).collect()
    };
    let sorted = |mut lines: Vec<(String, u64)>| {
        lines.sort();
        lines
    };
    let first = imported(&bank, "01", FILES[0].1);
    assert_eq!(posted(&first, Outcome::Posted), told("after 01", 1));
    let second = imported(&bank, "02", FILES[1].1);
    assert_eq!(sorted(posted(&second, Outcome::Posted)), sorted(told("after 02 (new)", 1)));
    assert_eq!(posted(&second, Outcome::Suspense), told("suspense after 02", 1));
    assert_eq!(posted(&second, Outcome::Reversed), told("reversed", -1));
    let ignored: Vec<_> = second.lines.iter().filter_map(|line| line.reason).collect();
    assert_eq!(ignored, ["P1_CHECK", "WRONG_MODEL", "MOKID_UNKNOWN", "PDNG", "DEBIT"]);
    assert_eq!((second.alarms.as_slice(), second.totals.repeated), (&[][..], 1));
    for (name, text) in &FILES[2..] {
        let again = imported(&bank, name, text);
        assert!(again.lines.iter().all(|line| line.repeated || line.outcome == Outcome::Ignored));
        // The third is the second, octet for octet.
        assert_eq!(again.already_imported, *name == "03", "{name}");
        assert_eq!(again.statements[0].already_imported, *name == "03", "{name}");
        assert!(again.alarms.is_empty(), "{name}: {:?}", again.alarms);
    }
    assert!(imported(&bank, "02 again", FILES[1].1).already_imported);
    check_totals(&bank, "all");
}

#[test]
fn any_order_and_repetition_of_the_files_comes_to_the_same() {
    for order in ["54321", "21435", "3152", "51515", "412", "2"] {
        let bank = Bank::new();
        for digit in order.chars() {
            let place = digit.to_digit(10).unwrap() as usize - 1;
            imported(&bank, FILES[place].0, FILES[place].1);
        }
        check_totals(&bank, order);
    }
}

#[test]
fn evidence_without_its_postings_is_completed_by_the_same_file() {
    let bank = Bank::new();
    let file = received("02", FILES[1].1);
    // As if the process had ended between the evidence and the journal.
    bank.wait(super::evidence::keep(bank.portal.database(), &file, "tests", 1)).unwrap();
    assert!(bank.waiting().is_empty());
    let report = imported(&bank, "02", FILES[1].1);
    assert!(!report.already_imported && report.totals.repeated == 0);
    check_totals(&bank, "a half-done import");
}

#[test]
fn suspense_is_assigned_by_two_people_and_returned_once() {
    let bank = Bank::new();
    imported(&bank, "02", FILES[1].1);
    let [broken, other, _] = <[_; 3]>::try_from(bank.waiting()).unwrap();
    assert_eq!((broken.payer.as_str(), broken.assignment.clone()), ("Janez Novak", None));
    let (first, second) = (Actor::person("ana"), Actor::person("bor"));
    let portal = &bank.portal;
    let item = broken.item.item;
    let card = bank.card("234567891");
    let nothing = bank.wait(suspense::approve(portal, item, &second)).unwrap_err();
    assert!(matches!(nothing, SuspenseFailed::NothingProposed));
    let proposed = bank.wait(suspense::propose(portal, item, card, &first)).unwrap();
    assert_eq!(proposed.assignment.unwrap().proposed_by, "person:ana");
    let alone = bank.wait(suspense::approve(portal, item, &first)).unwrap_err();
    assert!(matches!(alone, SuspenseFailed::SamePerson));
    assert_eq!(bank.balance("234567891"), 0, "nothing moved");
    for _ in 0..2 {
        bank.wait(suspense::approve(portal, item, &second)).unwrap();
        assert_eq!(bank.balance("234567891"), 30_00);
    }
    let gone = bank.wait(suspense::give_back(portal, item, &first)).unwrap_err();
    assert!(matches!(gone, SuspenseFailed::Control(ControlError::ItemLeft)));

    let item = other.item.item;
    let early = bank.wait(suspense::returned(portal, item)).unwrap_err();
    assert!(matches!(early, SuspenseFailed::NotReturned));
    for _ in 0..2 {
        let returned = bank.wait(suspense::give_back(portal, item, &first)).unwrap();
        assert_eq!(returned.amount, 25_00);
        assert_eq!(returned.payer_account, "SI56020170014356205");
    }
    assert_eq!(bank.wait(suspense::returned(portal, item)).unwrap().amount, 25_00);
    let total = bank.wait(suspense::reconciled(portal)).unwrap();
    assert_eq!((total.count, total.amount, total.is_reconciled), (1, 40_00, true));
    let unknown = bank.wait(suspense::propose(portal, 999_999, card, &first)).unwrap_err();
    assert!(matches!(unknown, SuspenseFailed::Control(ControlError::NoSuchItem)));
    let (rest, has_more) = bank.wait(suspense::list(portal, Seq(item), 9)).unwrap();
    assert_eq!((rest.len(), has_more), (1, false));
}

#[test]
fn a_statement_that_does_not_add_up_is_posted_with_an_alarm() {
    let bank = Bank::new();
    let off = FILES[1].1.replace("1215.00", "1215.01");
    let kinds =
        |report: &Report| -> Vec<&str> { report.alarms.iter().map(|alarm| alarm.kind).collect() };
    let report = imported(&bank, "off", &off);
    assert_eq!(kinds(&report), ["balance"]);
    assert!(report.alarms[0].message.contains("0.01 EUR"), "{:?}", report.alarms);
    check_totals(&bank, "a wrong balance");
    let later = FILES[1].1.replace(">225<", ">228<").replace("2026-225", "2026-228");
    let report = imported(&bank, "later", &later);
    assert_eq!(kinds(&report), ["sequence_gap"]);
    assert!(report.alarms[0].message.contains("226 to 227"), "{:?}", report.alarms);
    let foreign = FILES[1].1.replace("SI56029000000200020", "SI56191000000123438");
    let report = imported(&bank, "foreign", &foreign);
    assert_eq!(kinds(&report), ["other_account"]);
    assert!(report.lines.iter().all(|line| line.reason == Some("OTHER_ACCOUNT")));
    let changed = FILES[0].1.replace(">50.00<", ">51.00<");
    assert_eq!(kinds(&imported(&bank, "changed", &changed)), ["conflict"]);
    check_totals(&bank, "all of them");
}

#[test]
fn a_file_of_a_hundred_thousand_entries_is_imported_once() {
    let bank = Bank::new();
    let text = reading::many(100_000);
    let report = imported(&bank, "many", &text);
    let posted = report.totals.by_outcome[&Outcome::Suspense];
    assert_eq!((posted.count, posted.amount), (100_000, 100_000));
    assert!(imported(&bank, "many", &text).already_imported);
    let total = bank.wait(suspense::reconciled(&bank.portal)).unwrap();
    assert_eq!((total.count, total.is_reconciled), (100_000, true));
}

#[test]
fn the_rows_of_loads_and_suspense_are_the_same_when_they_are_made_anew() {
    let bank = Bank::new();
    let database = bank.portal.database();
    let rows = || -> Vec<String> {
        let read = "SELECT 'load ' || seq || ' ' || at || ' ' || card || ' ' || amount || ' ' || \
             source || ' ' || name || ' ' || booked_on || ' ' || taken_back FROM load_projection \
             UNION ALL SELECT 'item ' || item || ' ' || statement_key || ' ' || at || ' ' || \
             amount || ' ' || reason || ' ' || mok_id || ' ' || booked_on || ' ' || state || ' ' || \
             card || ' ' || changed_by FROM suspense_projection ORDER BY 1";
        bank.wait(sqlx::query_scalar(read).fetch_all(database.pool())).unwrap()
    };
    imported(&bank, "02", FILES[1].1);
    bank.wait(projection::catch_up(&bank.portal)).unwrap();
    let portal = &bank.portal;
    let items: Vec<u64> = bank.waiting().iter().map(|item| item.item.item).collect();
    let (first, second) = (Actor::person("ana"), Actor::person("bor"));
    bank.wait(suspense::propose(portal, items[0], bank.card("234567891"), &first)).unwrap();
    bank.wait(suspense::approve(portal, items[0], &second)).unwrap();
    bank.wait(suspense::give_back(portal, items[1], &first)).unwrap();
    let newest = bank.wait(projection::catch_up(&bank.portal)).unwrap();
    let followed = rows();
    let states: Vec<&str> = ["loaded", "returned", "waiting"]
        .into_iter()
        .filter(|state| followed.iter().any(|row| row.contains(state)))
        .collect();
    assert_eq!(states.len(), 3, "{followed:#?}");
    let loaded = followed.iter().filter(|row| row.starts_with("load "));
    assert!(loaded.clone().any(|row| row.ends_with(" 2000")), "one was taken back: {followed:#?}");
    let rebuilt = bank.wait(projection::rebuild(portal)).unwrap();
    assert_eq!((rebuilt.seq, rebuilt.suspense), (newest, 3));
    assert_eq!(rows(), followed);
    bank.wait(projection::catch_up(&bank.portal)).unwrap();
    assert_eq!(rows(), followed, "nothing counts twice");
}
