//! Over loopback TCP, in memory, beside a bare tokio echo with the same reads and writes, in turns
//! within one run: what the switch adds to the wire. One iteration is one 0200 and its answer.
//!
//! `round_trip`: one connection, one message under way, all on one core, where the wire is fastest
//! and what the switch adds weighs most; the median of each, and their ratio.
//! `saturated`: 64 connections with 64 messages under way on each, server and callers on a core
//! each; messages a second, and ratio.
//! Budgets: round trip at most 1.15 times the echo's; saturated at least 0.3 of it.
//! Absolute figures are this machine's and this minute's; read the ratios.

use criterion::{Criterion, criterion_group, criterion_main};

use cekr_benches::loopback::{Caller, echo, median_of, rate, stand_on_core, switch};

const CONNECTIONS: usize = 64;
const DEPTH: usize = 64;

fn round_trip(c: &mut Criterion) {
    stand_on_core(0);
    let running = switch(None);
    let mut to_switch = Caller::new(running.iso_addrs[0], 1);
    let mut to_echo = Caller::new(echo(), 1);
    c.bench_function("wire/round_trip/echo", |b| b.iter(|| to_echo.call()));
    c.bench_function("wire/round_trip/switch", |b| b.iter(|| to_switch.call()));
    let mut ratios = Vec::new();
    for _ in 0..40 {
        let echo = median_of(&mut to_echo, 500);
        let switch = median_of(&mut to_switch, 500);
        ratios.push((switch.as_secs_f64() / echo.as_secs_f64(), switch, echo));
    }
    ratios.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
    let (ratio, switch, echo) = ratios[ratios.len() / 2];
    println!("round trip p50: switch {switch:?}, echo {echo:?}, ratio {ratio:.3} (budget 1.15)");
    running.shutdown().expect("a clean stop");
}

fn saturated(_: &mut Criterion) {
    stand_on_core(0);
    let running = switch(None);
    let echo = echo();
    let mut ratios = Vec::new();
    for epoch in 0..7 {
        let echo_rate = rate(echo, CONNECTIONS, DEPTH, epoch);
        let switch_rate = rate(running.iso_addrs[0], CONNECTIONS, DEPTH, epoch);
        ratios.push((switch_rate / echo_rate, switch_rate, echo_rate));
    }
    ratios.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
    let (ratio, switch, echo) = ratios[ratios.len() / 2];
    println!(
        "saturated {CONNECTIONS} x {DEPTH}: switch {switch:.0}/s, echo {echo:.0}/s, \
         ratio {ratio:.3} (budget 0.3)"
    );
    running.shutdown().expect("a clean stop");
}

criterion_group!(wire, round_trip, saturated);
criterion_main!(wire);
