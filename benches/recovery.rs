//! How long a start takes: a journal of purchases over many cards, replayed whole, and from a
//! checkpoint. Budgets: a million entries a second; a million cards in three seconds.
//!
//! A program of its own, for one start is one sample: `cargo bench -p cekr-benches --bench
//! recovery -- 100000 2000000` takes the number of cards and of purchases. Under `cargo test` it
//! runs small.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cekr_benches::{NOW, Random, Template, financial, link, new_card, policy};
use cekr_iso8583::CEKR87;
use cekr_switch::answers::AnswersConfig;
use cekr_switch::checkpoint::{self, Step, Taking};
use cekr_switch::disk::{Disk, FileDisk};
use cekr_switch::engine::{Engine, Outgoing};
use cekr_switch::journal::{JournalConfig, Recovered};
use cekr_switch::keyring::StartKey;
use cekr_switch::recovery::{self, Drive, Plan};
use cekr_switch::shard::Shard;

fn main() {
    let numbers: Vec<u64> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    let (cards, purchases) = match numbers.as_slice() {
        [cards, purchases, ..] => (*cards, *purchases),
        _ if std::env::args().any(|word| word == "--bench") => (100_000, 2_000_000),
        _ => (100, 1_000),
    };
    let folder = std::env::temp_dir().join(format!("cekr-recovery-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    fill(&folder, cards, purchases);
    let file = folder.join(checkpoint::FOLDER);
    let octets: u64 = std::fs::read_dir(&file)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len()))
        .sum();
    println!("checkpoint: {:.1} MB, {} octets a card", octets as f64 / 1e6, octets / cards);
    let (took, recovered) = start(&folder);
    println!(
        "from the checkpoint: {took:.2?} for {cards} cards and {} entries behind it",
        recovered.entries
    );
    std::fs::remove_dir_all(&file).expect("the checkpoints");
    let (took, recovered) = start(&folder);
    let rate = recovered.entries as f64 / took.as_secs_f64() / 1e6;
    println!("whole: {took:.2?} for {} entries, {rate:.2} M/s", recovered.entries);
    std::fs::remove_dir_all(&folder).expect("the folder");
}

/// Makes the directory: cards, purchases, a checkpoint, a tenth of the purchases again.
fn fill(folder: &Path, cards: u64, purchases: u64) {
    let (disk, shard, _) = open(folder);
    let shard = Arc::new(shard);
    for n in 0..cards {
        while shard.issue(new_card(n), NOW).is_err() {
            settle(&shard);
        }
    }
    let engine = Engine::new(shard.clone(), policy());
    let mut random = Random(1);
    let mut out = Outgoing::default();
    let mut buy = |from: u64, count: u64| {
        for n in from..from + count {
            let mut template = Template::new(&financial(&CEKR87, random.draw() % cards));
            template.set_key(n);
            out.clear();
            engine.handle_read(&link(), &template.frame, NOW, &mut out).expect("a whole frame");
            if n % 32_768 == 0 {
                settle(&shard);
            }
        }
        settle(&shard);
    };
    buy(0, purchases);
    // The books follow first, as they do in a switch.
    let _ = shard.books();
    let begun = Instant::now();
    let mut taking = Taking::begin(disk, &shard).expect("the disk").expect("entries came");
    while taking.step(&shard).expect("the disk") != Step::Done {}
    println!("a checkpoint without pauses: {:.2?}", begun.elapsed());
    buy(purchases, purchases / 10);
    shard.journal().close().expect("a clean stop");
}

fn settle(shard: &Shard) {
    while shard.journal().durable() < shard.journal().appended() {
        std::thread::yield_now();
    }
}

fn start(folder: &Path) -> (Duration, Recovered) {
    let begun = Instant::now();
    let busy = busy();
    let (_, shard, recovered) = open(folder);
    let took = begun.elapsed();
    println!("  of which on a core: {:.2?}", self::busy().saturating_sub(busy));
    shard.journal().close().expect("a clean stop");
    (took, recovered)
}

/// How long this thread has been on a core: what is left of a busy machine's noise.
fn busy() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ns = text.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0);
    Duration::from_nanos(ns)
}

fn open(folder: &Path) -> (Arc<dyn Disk>, Shard, Recovered) {
    let disk: Arc<dyn Disk> = Arc::new(FileDisk::own(folder).expect("the folder"));
    let start_key = StartKey::development();
    let plan = Plan {
        start_key: &start_key,
        journal: JournalConfig { recent_max: 1 << 16, ..JournalConfig::default() },
        answers: AnswersConfig { answers_max: 1 << 20, window_min_ms: 0 },
        drive: Drive::Thread,
    };
    let (shard, recovered) =
        recovery::recover(&disk, &plan, &mut |out| out.fill(7)).expect("a whole directory");
    (disk, shard, recovered)
}
