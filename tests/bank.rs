//! `cekr bank import` as people run it: the five files of one day in any order, a file that cannot
//! be read, and a switch that is killed in the middle.
#![cfg(feature = "portal")]

mod crash_support;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crash_support::{Scratch, Setup, Switch, TOKEN, binary};
use serde_json::{Value, json};

const FILES: [&str; 5] = [
    "01-camt054-intraday.xml",
    "02-camt053-v08-eod.xml",
    "03-camt053-v08-redelivered-same-ids.xml",
    "04-camt053-v08-duplicate-new-msgid.xml",
    "05-camt053-v02-eod.xml",
];

const CARDS: &str = r#"
[[card]]
name = "first"
pan = "4761730000000011"
expiry = "2030-12"
mok_id = "123456789"
balance = "0.00"
limits = "off"
[[card]]
name = "second"
pan = "4761730000000029"
expiry = "2030-12"
mok_id = "234567891"
balance = "0.00"
limits = "off"
"#;

fn setup(scratch: &Scratch) -> Setup {
    // With the evidence on disk, as it is outside of tests.
    let setup = Setup::new(&scratch.0, 0).with("CEKR_PORTAL_DATABASE_URL", "");
    fs::write(&setup.cards, CARDS).unwrap();
    setup
}

fn vector(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/domain/camt").join(name)
}

fn command(switch: &Switch, files: &[PathBuf], json: bool) -> Command {
    let mut command = Command::new(binary());
    command.args(["bank", "import", "--api", &switch.http, "--token", TOKEN]).args(files);
    if json {
        command.arg("--json");
    }
    command
}

fn import(switch: &Switch, files: &[PathBuf]) -> Output {
    command(switch, files, true).output().unwrap()
}

fn objects(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn balance(switch: &Switch, name: &str) -> i64 {
    let path = format!("/v1/cards?name={name}");
    let (status, page) = switch.call("GET", &path, &Value::Null).unwrap();
    assert_eq!(status, 200, "{page}");
    page["data"][0]["balance"].as_i64().unwrap()
}

/// Balances, and what waits in suspense by items and by books.
fn standing(switch: &Switch) -> (i64, i64, Value) {
    let (status, page) = switch.call("GET", "/v1/suspense", &Value::Null).unwrap();
    assert_eq!(status, 200, "{page}");
    (balance(switch, "first"), balance(switch, "second"), page["total"].clone())
}

fn expected(more: i64) -> (i64, i64, Value) {
    let total = json!({ "count": 3, "amount": 9500, "booked": 9500, "is_reconciled": true });
    (125_00 + more, 0, total)
}

#[test]
fn the_files_of_a_day_come_to_the_same_in_two_orders_and_after_a_restart() {
    for order in [[0, 1, 2, 3, 4], [4, 3, 1, 0, 2]] {
        let scratch = Scratch::new("bank-order");
        let setup = setup(&scratch);
        let switch = setup.start();
        let files: Vec<PathBuf> = order.map(|at| vector(FILES[at])).to_vec();
        let done = import(&switch, &files);
        assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
        let told = objects(&done);
        let summary = told.last().unwrap();
        assert_eq!((&summary["event"], &summary["files"]), (&json!("summary"), &json!(5)));
        assert_eq!(summary["outcomes"]["posted"], json!({ "count": 5, "amount": 145_00 }));
        assert_eq!(summary["outcomes"]["suspense"], json!({ "count": 3, "amount": 95_00 }));
        assert_eq!(summary["outcomes"]["reversed"], json!({ "count": 1, "amount": 20_00 }));
        assert_eq!(standing(&switch), expected(0));
        assert_eq!(switch.stop().code, Some(0));
        let switch = setup.start();
        let again = import(&switch, &files);
        let lines = objects(&again);
        let posted = |line: &&Value| line["event"] == "line" && line["outcome"] != "ignored";
        assert!(lines.iter().filter(posted).all(|line| line["repeated"] == true));
        assert_eq!(standing(&switch), expected(0));
    }
}

#[test]
fn a_file_that_cannot_be_read_posts_nothing_and_the_others_are_posted() {
    let scratch = Scratch::new("bank-broken");
    let setup = setup(&scratch);
    let switch = setup.start();
    let broken = scratch.path("broken.xml");
    let text = fs::read_to_string(vector(FILES[1])).unwrap();
    fs::write(&broken, text.replace("40.00", "40.001")).unwrap();
    let done = import(&switch, &[broken.clone(), vector(FILES[0])]);
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(said.contains("broken.xml: line 2, column") && said.contains("Ntry/Amt"), "{said}");
    assert_eq!((balance(&switch, "first"), balance(&switch, "second")), (50_00, 0));
    let missing = import(&switch, &[vector(FILES[1]), scratch.path("missing.xml")]);
    assert_eq!(missing.status.code(), Some(2));
    assert_eq!(balance(&switch, "first"), 50_00, "nothing was sent");
    let people = command(&switch, &[vector(FILES[1])], false).output().unwrap();
    let said = String::from_utf8(people.stdout).unwrap();
    for part in
        ["40.00 EUR  suspense: MOKID_UNKNOWN  NLB20261120-0005", "ignored: PDNG", "(posted before)"]
    {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    // Whoever proposes an assignment does not approve it: the token is one person.
    let (_, page) = switch.call("GET", "/v1/suspense?limit=1", &Value::Null).unwrap();
    let path = format!("/v1/suspense/{}", page["data"][0]["item"]);
    let body = json!({ "mok_id": "234567891" });
    let (status, told) = switch.call("POST", &format!("{path}/assignments"), &body).unwrap();
    assert_eq!((status, &told["assignment"]["proposed_by"]), (200, &json!("operator-token")));
    let approve = format!("{path}/assignments/approve");
    let (status, told) = switch.call("POST", &approve, &json!({})).unwrap();
    assert_eq!((status, &told["error"]["code"]), (409, &json!("two_people")));
    let (status, told) = switch.call("POST", &format!("{path}/return"), &json!({})).unwrap();
    assert_eq!((status, &told["amount"]), (200, &json!(30_00)), "{told}");
    for wrong in ["x", "0", "99999999999999999999"] {
        let path = format!("/v1/suspense/{wrong}/return");
        assert_eq!(switch.call("POST", &path, &json!({})).unwrap().0, 404, "{wrong}");
    }
}

/// So many payments of a cent for the first card.
fn many(count: usize) -> String {
    let mut text = "<Document><BkToCstmrStmt><GrpHdr><MsgId>MANY</MsgId></GrpHdr><Stmt><Id>1</Id>\
         <Acct><Id><IBAN>SI56029000000200020</IBAN></Id></Acct>"
        .to_owned();
    for number in 0..count {
        write!(
            text,
            "<Ntry><Amt Ccy=\"EUR\">0.01</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts>\
             <BookgDt><Dt>2026-11-20</Dt></BookgDt><AcctSvcrRef>MANY{number}</AcctSvcrRef>\
             <NtryDtls><TxDtls><RmtInf><Ustrd>SI05 8074720-123456789-200</Ustrd></RmtInf></TxDtls>\
             </NtryDtls></Ntry>"
        )
        .unwrap();
    }
    text + "</Stmt></BkToCstmrStmt></Document>"
}

#[test]
fn killed_in_the_middle_of_an_import_it_posts_what_was_missing_and_no_more() {
    let scratch = Scratch::new("bank-kill");
    let setup = setup(&scratch);
    let large = scratch.path("large.xml");
    fs::write(&large, many(20_000)).unwrap();
    let mut files: Vec<PathBuf> = FILES.map(vector).to_vec();
    files.insert(1, large);
    for cents in [1, 5_000, 15_000] {
        let switch = setup.start();
        let mut importing = command(&switch, &files, true);
        let importing = importing.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = importing.spawn().unwrap();
        // As soon as so much has arrived, whatever is going on then.
        while balance(&switch, "first") < cents && child.try_wait().unwrap().is_none() {}
        switch.kill();
        let _ = child.wait();
    }
    let switch = setup.start();
    for _ in 0..2 {
        let done = import(&switch, &files);
        assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
        assert_eq!(standing(&switch), expected(200_00));
    }
    switch.stop();
    let rebuild = |data: &Path| {
        let mut command = Command::new(binary());
        let output = command.args(["portal", "rebuild", "--json", "--data"]).arg(data).output();
        output.unwrap()
    };
    let rebuilt = rebuild(&setup.data);
    assert_eq!(rebuilt.status.code(), Some(0), "{}", String::from_utf8_lossy(&rebuilt.stderr));
    let told = objects(&rebuilt).remove(0);
    // Two cards were issued with nothing on them; the fifth payment of the day was taken back.
    assert_eq!((&told["event"], &told["suspense"]), (&json!("rebuilt"), &json!(3)), "{told}");
    assert!(told["loads"].as_u64().unwrap() >= 20_005, "{told}");
    assert_eq!(rebuild(&scratch.path("nowhere")).status.code(), Some(3));
}
