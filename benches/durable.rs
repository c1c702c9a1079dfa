//! What it costs that nothing answered is lost: the switch with its journal on disk, beside a bare
//! echo, a bare write and sync on the same file system, and the switch in memory, in turns within
//! one run. `CEKR_BENCH_DIR` says where; by default the system's directory for temporary files.
//!
//! `round_trip`: one 0200 under way, all on one core. Budget: at most 1.4 times the echo's median
//! plus that of a write of 256 octets with `fdatasync`, on a file written before.
//! `saturated`: 64 connections with 8, then with 64 messages under way. Budget: at least 0.55 of
//! the same in memory.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};

use cekr_benches::loopback::{Caller, echo, median, median_of, rate, stand_on_core, switch};

const CONNECTIONS: usize = 64;

/// A directory of this bench's own, gone when it is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let base =
            std::env::var_os("CEKR_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        let dir = base.join(format!("cekr-bench-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("room for a directory");
        Self(dir)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Best effort: what is left over is left in a directory for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Writes and syncs as a journal of one entry at a time must, and nothing else.
struct RawLog {
    file: File,
    at: u64,
}

const RAW_OCTETS: u64 = 8 << 20;

impl RawLog {
    fn new(dir: &Path) -> Self {
        let file = File::create(dir.join("raw")).expect("room for a file");
        file.write_all_at(&vec![0; RAW_OCTETS as usize], 0).expect("room");
        file.sync_all().expect("a whole disk");
        Self { file, at: 0 }
    }

    fn write(&mut self) -> Duration {
        let begun = Instant::now();
        self.file.write_all_at(&[7; 256], self.at).expect("room");
        self.file.sync_data().expect("a whole disk");
        self.at = (self.at + 256) % RAW_OCTETS;
        begun.elapsed()
    }
}

fn round_trip(_: &mut Criterion) {
    stand_on_core(0);
    let dir = Scratch::new("round-trip");
    let mut raw = RawLog::new(&dir.0);
    let running = switch(Some(&dir.0.join("data")));
    let mut to_switch = Caller::new(running.iso_addrs[0], 1);
    let mut to_echo = Caller::new(echo(), 1);
    let mut ratios = Vec::new();
    for _ in 0..20 {
        let echo = median_of(&mut to_echo, 200);
        let disk = median(&mut (0..200).map(|_| raw.write()).collect::<Vec<_>>());
        let switch = median_of(&mut to_switch, 200);
        ratios.push((switch.as_secs_f64() / (echo + disk).as_secs_f64(), switch, echo, disk));
    }
    ratios.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
    let (ratio, switch, echo, disk) = ratios[ratios.len() / 2];
    println!(
        "durable round trip p50: switch {switch:?}, echo {echo:?} + write and sync {disk:?}, \
         ratio {ratio:.3} (budget 1.4)"
    );
    running.shutdown().expect("a clean stop");
}

fn saturated(_: &mut Criterion) {
    for depth in [8, 64] {
        stand_on_core(0);
        let dir = Scratch::new("saturated");
        let durable = switch(Some(&dir.0));
        let memory = switch(None);
        let mut ratios = Vec::new();
        for epoch in 0..7 {
            let memory_rate = rate(memory.iso_addrs[0], CONNECTIONS, depth, epoch);
            let durable_rate = rate(durable.iso_addrs[0], CONNECTIONS, depth, epoch);
            ratios.push((durable_rate / memory_rate, durable_rate, memory_rate));
        }
        ratios.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
        let (ratio, on_disk, in_memory) = ratios[ratios.len() / 2];
        println!(
            "durable {CONNECTIONS} x {depth}: {on_disk:.0}/s, in memory {in_memory:.0}/s, \
             ratio {ratio:.3} (budget 0.55)"
        );
        durable.shutdown().expect("a clean stop");
        memory.shutdown().expect("a clean stop");
    }
}

criterion_group!(durable, round_trip, saturated);
criterion_main!(durable);
