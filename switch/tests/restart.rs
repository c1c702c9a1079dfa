//! Starts on a directory that was in use: by which clock, and with how much of the past at hand.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may")]

mod common;

use cekr_switch::clock::{Clock, ManualClock};
use cekr_switch::config::{Config, Durability};
use cekr_switch::http::TokenPlace;
use cekr_switch::keyring::StartKey;
use cekr_switch::server::{ClockBehind, Options, Server, Signals, StartError};

use common::{ANA, Scratch};

const MORNING_MS: u64 = 1_795_341_600_000;
const MINUTE_MS: u64 = 60_000;

/// A switch on this directory whose clock says so, with so many entries in memory.
fn bind(
    scratch: &Scratch,
    in_memory: usize,
    unix_ms: u64,
    clock_behind: ClockBehind,
) -> Result<(Server, ManualClock), StartError> {
    let free = "[[listener]]\naddr = \"127.0.0.1:0\"\n[http]\naddr = \"127.0.0.1:0\"\n";
    let settings = format!("{}{free}operator_token = \"t\"\n", scratch.settings());
    let mut config = Config::parse(&settings, "test").unwrap();
    (config.journal.recent_max, config.journal.queue_max) = (in_memory, in_memory);
    config.journal.segment_octets = 4096;
    let (clock, hand) = Clock::manual(unix_ms);
    let start_key = StartKey::development();
    let options = Options { start_key, clock, signals: Signals::Leave, clock_behind };
    Ok((Server::bind(config, options)?, hand))
}

/// Issues a card at the clock's moment.
fn issue(server: &Server) {
    common::issue(server, "ana", ANA, 123_456_782);
    server.settle().unwrap();
}

#[test]
fn a_clock_more_than_five_minutes_behind_the_journal_is_refused_unless_accepted() {
    let scratch = Scratch::new("clock");
    let (server, _) = bind(&scratch, 64, MORNING_MS, ClockBehind::Refuse).unwrap();
    issue(&server);
    drop(server);
    let start = |behind_ms, then| {
        bind(&scratch, 64, MORNING_MS - behind_ms, then).map(|(server, _)| server)
    };
    assert!(start(5 * MINUTE_MS, ClockBehind::Refuse).is_ok());
    let refused = match start(5 * MINUTE_MS + 1, ClockBehind::Refuse) {
        Err(error @ StartError::ClockBehind { .. }) => error.to_string(),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it started"),
    };
    assert!(refused.contains("made at 2026-11-22T10:00:00.000Z"), "{refused}");
    assert!(refused.contains("--accept-clock"), "{refused}");

    let server = start(60 * MINUTE_MS, ClockBehind::Accept).unwrap();
    let control = server.control();
    let id = control.find("ana").unwrap();
    control.lock(id, server.clock().now()).unwrap();
    let newest = control.shard().journal().appended();
    let entry = control.shard().entry(newest).unwrap();
    assert_eq!(entry.at, MORNING_MS, "time does not go back in the journal");
}

#[test]
fn history_goes_back_to_the_issue_however_few_entries_are_in_memory() {
    let scratch = Scratch::new("history");
    for round in 0..2 {
        let (server, _) = bind(&scratch, 8, MORNING_MS, ClockBehind::Refuse).unwrap();
        if round == 0 {
            issue(&server);
        }
        let control = server.control();
        let id = control.find("ana").unwrap();
        if round == 0 {
            for _ in 0..30 {
                control.lock(id, server.clock().now()).unwrap();
                server.settle().unwrap();
                control.unlock(id, server.clock().now()).unwrap();
                server.settle().unwrap();
            }
        }
        let mut seqs = Vec::new();
        let mut before = None;
        loop {
            let (page, _) = control.transactions(id, before, 7).unwrap();
            seqs.extend(page.items.iter().map(|item| item["seq"].as_u64().unwrap()));
            before = seqs.last().map(|seq| cekr_issuer::Seq(*seq));
            if !page.has_more {
                break;
            }
        }
        assert_eq!(seqs, (1..=62).rev().collect::<Vec<_>>());
        assert_eq!(control.shard().books().1, cekr_issuer::Seq(62));
    }
}

#[test]
fn a_switch_at_work_takes_checkpoints_and_starts_from_them() {
    let scratch = Scratch::new("checkpoints");
    let running = common::start_with(&scratch.settings(), |config| {
        config.journal.segment_octets = 4096;
        config.journal.checkpoint_entries = 50;
    });
    let control = running.control().clone();
    let id = control.find("ana").unwrap();
    let folder = scratch.0.join("checkpoint");
    let count = || std::fs::read_dir(&folder).map_or(0, |files| files.count());
    // Work is what makes them due.
    let clock = Clock::system().unwrap();
    while count() < 2 {
        control.lock(id, clock.now()).unwrap();
        control.unlock(id, clock.now()).unwrap();
        while running.journal().durable() < running.journal().appended() {
            std::thread::yield_now();
        }
    }
    let version = control.card(id).unwrap().0.version;
    let appended = running.journal().appended();
    drop(control);
    running.shutdown().unwrap();

    let (server, _) = bind(&scratch, 64, clock.now().unix_ms, ClockBehind::Refuse).unwrap();
    let recovered = server.recovered().unwrap();
    assert!(recovered.started_behind > cekr_issuer::Seq::NONE);
    assert_eq!(recovered.last, appended);
    assert_eq!(server.control().card(id).unwrap().0.version, version);
    assert_eq!(server.control().shard().cards().len(), 2);
}

#[test]
fn servers_of_one_process_draw_their_tokens_into_files_of_their_own() {
    let servers: Vec<Server> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let free =
                        "[[listener]]\naddr = \"127.0.0.1:0\"\n[http]\naddr = \"127.0.0.1:0\"";
                    let mut config = Config::parse(free, "test").unwrap();
                    config.data.durability = Durability::None;
                    let options = Options {
                        start_key: StartKey::development(),
                        clock: Clock::system().unwrap(),
                        signals: Signals::Leave,
                        clock_behind: ClockBehind::Refuse,
                    };
                    Server::bind(config, options).unwrap()
                })
            })
            .collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    let mut paths = std::collections::BTreeSet::new();
    for server in servers {
        let running = server.start().unwrap();
        let TokenPlace::TemporaryFile(path) = running.token_place().clone() else {
            panic!("a switch in memory keeps its token no longer than itself");
        };
        assert!(path.exists(), "no other server took {}", path.display());
        assert!(paths.insert(path), "two servers share one file");
        running.shutdown().unwrap();
    }
    assert!(paths.iter().all(|path| !path.exists()), "they went with their servers");
}
