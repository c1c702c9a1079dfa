//! Statements and `kill -9`: whoever was told that a line is posted finds it posted, whatever was
//! under way is whole or not there, and all of it sent once more posts nothing twice.
//!
//! The program runs itself again as the one that is killed.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may"
)]

#[path = "common/mod.rs"]
mod common;

use std::env;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use cekr_issuer::books::Account;
use cekr_issuer::entry::{BankLine, StatementKey, SuspenseReason};
use cekr_issuer::{Amount, CardId, LocalDate, Seq};
use cekr_switch::clock::Clock;
use cekr_switch::config::Config;
use cekr_switch::control::Durable;
use cekr_switch::keyring::StartKey;
use cekr_switch::server::{ClockBehind, Options, Server, Signals};
use cekr_switch::statements::{LineFate, LineKind, LineTarget, StatementLine};

use common::{ANA, Scratch};

/// Where the one that is killed keeps its data.
const DIRECTORY: &str = "CEKR_TEST_KILLED_IN";
const MOK_ID: u32 = 123_456_782;
/// Lines of the statement, of which every fifth names no card; each brings a cent more than the
/// one before.
const LINES: u64 = 3_000;
const LINES_TOGETHER: usize = 40;
const OPENING: i64 = 100_000;

fn main() {
    match env::var_os(DIRECTORY) {
        Some(directory) => post_until_killed(Path::new(&directory)),
        None => tell(),
    }
}

fn line(number: u64) -> StatementLine {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&number.to_le_bytes());
    let target = if is_matched(number) {
        LineTarget::MokId(MOK_ID)
    } else {
        LineTarget::Suspense { reason: SuspenseReason::P1Check, mok_id: None }
    };
    StatementLine {
        line: BankLine { key: StatementKey(key), booked_on: LocalDate::new(2026, 11, 20) },
        amount: Amount::from_minor(number),
        kind: LineKind::Credit(target),
    }
}

const fn is_matched(number: u64) -> bool {
    !number.is_multiple_of(5)
}

fn bind(directory: &Path) -> Server {
    let settings = format!(
        "[data]\ndir = \"{}\"\ndurability = \"sync\"\n[journal]\nsegment_octets = 65536\n\
         checkpoint_entries = 200\n[[listener]]\naddr = \"127.0.0.1:0\"\n[http]\n\
         addr = \"127.0.0.1:0\"\noperator_token = \"t\"\n",
        directory.display()
    );
    let config = Config::parse(&settings, "test").unwrap();
    let (clock, _) = Clock::manual(1_795_341_600_000);
    let (start_key, clock_behind) = (StartKey::development(), ClockBehind::Accept);
    let options = Options { start_key, clock, signals: Signals::Leave, clock_behind };
    Server::bind(config, options).unwrap()
}

/// Posts, assigns and returns, and says so, until somebody ends it.
fn post_until_killed(directory: &Path) {
    let server = bind(directory);
    let durable = server.durable().clone();
    let _running = server.start().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    loop {
        let lines: Vec<StatementLine> = (1..=LINES).map(line).collect();
        for some in lines.chunks(LINES_TOGETHER) {
            runtime.block_on(durable.post_lines(some)).unwrap();
            if let Some(last) = some.last() {
                println!("{}", last.amount.minor());
            }
            runtime.block_on(look_at_suspense(&durable));
        }
    }
}

/// A person assigns the oldest item of suspense to ana, or returns it, by its amount.
async fn look_at_suspense(durable: &Durable) {
    let (page, _) = durable.control().suspense(Seq::NONE, 1, durable.now());
    if let Some(item) = page.items.first() {
        if is_returned(item.amount) {
            durable.return_to_payer(Seq(item.item)).await.unwrap();
        } else {
            durable.assign(Seq(item.item), CardId(0)).await.unwrap();
        }
    }
}

const fn is_returned(cents: i64) -> bool {
    cents % 2 == 0
}

fn tell() {
    let scratch = Scratch::new("statements-killed");
    let server = bind(&scratch.0);
    common::issue(&server, "ana", ANA, MOK_ID);
    server.settle().unwrap();
    drop(server);
    for said_before_kill in [1, 2, 5, 11, 23, 37, 60] {
        let mut killed = Command::new(env::current_exe().unwrap())
            .env(DIRECTORY, &scratch.0)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(killed.stdout.take().unwrap()).lines();
        let last = said.take(said_before_kill).last().unwrap().unwrap();
        killed.kill().unwrap();
        killed.wait().unwrap();
        check(&scratch.0, last.parse().unwrap());
    }
    finish(&scratch.0);
    println!("statements survive kill -9: ok");
}

/// Money is whole after a kill, and lines up to `told` are posted.
fn check(directory: &Path, told: u64) {
    let server = bind(directory);
    let control = server.control();
    control.finish_assignments(server.clock().now()).unwrap();
    let posted: Vec<StatementLine> = (1..=told).map(line).collect();
    let (outcomes, _) = control.post_lines(&posted, server.clock().now()).unwrap();
    for outcome in &outcomes {
        assert!(outcome.repeated, "{outcome:?} was told to be durable");
        assert!(outcome.outcome != LineFate::Conflict, "{outcome:?}");
    }
    // What was begun and not told may be there or not: each line once, for which its key speaks.
    let keys = control.shard().statements().lock().counts().0;
    assert!((told..=LINES).contains(&keys), "{keys} lines, {told} of them told");
    let all: u64 = (1..=keys).sum();
    let (books, _) = {
        server.settle().unwrap();
        control.shard().books()
    };
    assert_eq!(books.sum(), 0);
    let suspense = control.suspense_total().0.amount;
    assert_eq!(books.total(Account::Suspense), suspense);
    let balance = control.card(CardId(0)).unwrap().0.balance;
    assert_eq!(books.total(Account::CardLiability), i128::from(balance));
    let returned = i128::from(all) - suspense - i128::from(balance - OPENING);
    assert!(returned >= 0, "{returned} cents went back");
    assert_eq!(-books.total(Account::UpnClearing), suspense + i128::from(balance));
}

/// The whole statement once more, and all that a person has to do.
fn finish(directory: &Path) {
    let server = bind(directory);
    let durable = server.durable();
    let lines: Vec<StatementLine> = (1..=LINES).map(line).collect();
    server.block_on(durable.post_lines(&lines)).unwrap();
    let now = durable.now();
    let control = durable.control();
    let (page, _) = control.suspense(Seq::NONE, 10_000, now);
    for item in &page.items {
        if is_returned(item.amount) {
            control.return_to_payer(Seq(item.item), now).unwrap();
        } else {
            control.assign(Seq(item.item), CardId(0), now).unwrap();
        }
    }
    server.settle().unwrap();
    control.finish_assignments(now).unwrap();
    let cents = |number: u64| i64::try_from(number).unwrap();
    let kept: i64 =
        (1..=LINES).filter(|n| is_matched(*n) || !is_returned(cents(*n))).map(cents).sum();
    assert_eq!(control.card(CardId(0)).unwrap().0.balance, OPENING + kept);
    assert_eq!(control.suspense_total().0.count, 0);
}
