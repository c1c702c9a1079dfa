//! What a checkpoint of a million cards does to the traffic beside it: the p99 of durable round
//! trips while one is taken, beside that of the same connections while none is. Budget: less than
//! twice.
//!
//! A program of its own, for a checkpoint lasts seconds: `cargo bench -p cekr-benches --bench
//! checkpoint -- 1000000 60` takes the number of cards and for how many seconds to look. Under
//! `cargo test` it runs small.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cekr_benches::loopback::{Caller, switch_of};
use cekr_switch::checkpoint::FOLDER;

const CALLERS: u64 = 8;

fn main() {
    let numbers: Vec<u64> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    let (cards, seconds, every) = match numbers.as_slice() {
        [cards, seconds, ..] => (*cards, *seconds, EVERY),
        _ if std::env::args().any(|word| word == "--bench") => (1_000_000, 60, EVERY),
        _ => (1_000, 1, 100),
    };
    let folder = std::env::temp_dir().join(format!("cekr-checkpoint-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let running = switch_of(cards, Some(&folder), |config| {
        config.journal.checkpoint_entries = every;
    });
    let end = Instant::now() + Duration::from_secs(seconds);
    let taking = AtomicBool::new(false);
    let calls: Vec<Call> = std::thread::scope(|scope| {
        scope.spawn(|| watch(&folder.join(FOLDER), &taking, end));
        let callers: Vec<_> = (0..CALLERS)
            .map(|n| {
                let (to, taking) = (running.iso_addrs[0], &taking);
                // Far from one another among the cards.
                scope.spawn(move || call(to, n * (cards / CALLERS), taking, end))
            })
            .collect();
        callers.into_iter().flat_map(|caller| caller.join().expect("a caller")).collect()
    });
    running.shutdown().expect("a clean stop");
    std::fs::remove_dir_all(&folder).expect("the folder");
    report(calls);
}

/// One round trip, and whether a checkpoint was being taken when it began and when it ended.
struct Call {
    took: Duration,
    beside: [bool; 2],
}

fn call(to: std::net::SocketAddr, card: u64, taking: &AtomicBool, end: Instant) -> Vec<Call> {
    let mut caller = Caller::new(to, card);
    let mut calls = Vec::new();
    while Instant::now() < end {
        let before = taking.load(Ordering::Acquire);
        let begun = Instant::now();
        caller.call();
        let took = begun.elapsed();
        calls.push(Call { took, beside: [before, taking.load(Ordering::Acquire)] });
    }
    calls
}

/// A checkpoint that is being taken has a name that is not that of a whole one.
fn watch(folder: &Path, taking: &AtomicBool, end: Instant) {
    while Instant::now() < end {
        let names = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let is_taking = names
            .map(|entry| entry.path())
            .any(|path| path.extension().is_none_or(|extension| extension != "ckp"));
        taking.store(is_taking, Ordering::Release);
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn report(calls: Vec<Call>) {
    let of = |wanted: bool| {
        let chosen = calls.iter().filter(|call| call.beside == [wanted; 2]);
        let mut times: Vec<Duration> = chosen.map(|call| call.took).collect();
        times.sort_unstable();
        times
    };
    let (alone, beside) = (of(false), of(true));
    let [Some(p99_alone), Some(p99_beside)] = [&alone, &beside].map(|times| at(times, 99)) else {
        println!("no checkpoint began and ended in this time; give it more seconds");
        return;
    };
    for (name, times) in [("without", &alone), ("beside one", &beside)] {
        let [p50, p99, p999] =
            [500, 990, 999].map(|per_mille| times[times.len() * per_mille / 1_000]);
        println!("{name}: {} calls, p50 {p50:.0?}, p99 {p99:.0?}, p99.9 {p999:.0?}", times.len());
    }
    let ratio = p99_beside.as_secs_f64() / p99_alone.as_secs_f64();
    println!("checkpoint: p99 beside one {ratio:.2} of without (budget 2)");
}

fn at(times: &[Duration], percent: usize) -> Option<Duration> {
    times.get(times.len() * percent / 100).copied()
}

/// Entries between two checkpoints: one begins, ends, and leaves some seconds without.
const EVERY: u64 = 60_000;
