//! Statements through the face that waits: more lines than the journal's queue takes, a restart.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may")]

mod common;

use cekr_issuer::entry::{BankLine, StatementKey, SuspenseReason};
use cekr_issuer::{Amount, CardId, LocalDate, Seq};
use cekr_switch::clock::Clock;
use cekr_switch::config::Config;
use cekr_switch::keyring::StartKey;
use cekr_switch::server::{ClockBehind, Options, Server, Signals};
use cekr_switch::statements::{LineFate, LineKind, LineTarget, StatementLine};

use common::{ANA, Scratch};

const MORNING_MS: u64 = 1_795_341_600_000;

fn bind(scratch: &Scratch) -> Server {
    let free = "[[listener]]\naddr = \"127.0.0.1:0\"\n[http]\naddr = \"127.0.0.1:0\"\n";
    let settings = format!("{}{free}operator_token = \"t\"\n", scratch.settings());
    let mut config = Config::parse(&settings, "test").unwrap();
    (config.journal.recent_max, config.journal.queue_max) = (64, 64);
    let (clock, _) = Clock::manual(MORNING_MS);
    let start_key = StartKey::development();
    let clock_behind = ClockBehind::Accept;
    Server::bind(config, Options { start_key, clock, signals: Signals::Leave, clock_behind })
        .unwrap()
}

fn lines(count: u32) -> Vec<StatementLine> {
    let line = |number: u32| {
        let mut key = [0; 16];
        key[..4].copy_from_slice(&number.to_le_bytes());
        let is_matched = !number.is_multiple_of(10);
        let target = if is_matched {
            LineTarget::MokId(123_456_782)
        } else {
            LineTarget::Suspense { reason: SuspenseReason::P2Length, mok_id: None }
        };
        StatementLine {
            line: BankLine { key: StatementKey(key), booked_on: LocalDate::new(2026, 11, 20) },
            amount: Amount::from_minor(1_00),
            kind: LineKind::Credit(target),
        }
    };
    (0..count).map(line).collect()
}

#[test]
fn a_file_far_longer_than_the_queue_is_posted_whole_and_known_after_a_restart() {
    let scratch = Scratch::new("statements");
    let lines = lines(1_500);
    for round in 0..2 {
        let server = bind(&scratch);
        if round == 0 {
            common::issue(&server, "ana", ANA, 123_456_782);
            server.settle().unwrap();
        }
        let durable = server.durable();
        let outcomes = server.block_on(durable.post_lines(&lines)).unwrap();
        assert_eq!(outcomes.len(), 1_500);
        for (number, outcome) in outcomes.iter().enumerate() {
            let is_matched = !number.is_multiple_of(10);
            let fate = if is_matched { LineFate::Loaded } else { LineFate::Suspense };
            // What left suspense since tells where it went.
            let fate = match (round, number) {
                (1, 0) => LineFate::Loaded,
                (1, 10) => LineFate::Returned,
                _ => fate,
            };
            assert_eq!(outcome.outcome, fate, "line {number}");
            assert!(Seq(outcome.seq) <= durable.newest());
        }
        assert_eq!(outcomes.iter().filter(|outcome| outcome.repeated).count() == 1_500, round == 1);
        let control = durable.control();
        let (card, _) = control.card(CardId(0)).unwrap();
        assert_eq!(card.balance, 1_000_00 + 1_350_00 + round * 1_00);
        assert_eq!(control.suspense_total().0.count as i64, 150 - round * 2);
        if round == 0 {
            let (page, _) = control.suspense(Seq::NONE, 2, durable.now());
            let [assigned, returned] = [0, 1].map(|at| Seq(page.items[at].item));
            server.block_on(durable.assign(assigned, CardId(0))).unwrap();
            server.block_on(durable.return_to_payer(returned)).unwrap();
            assert_eq!(control.card(CardId(0)).unwrap().0.balance, 2_351_00);
        }
    }
}
