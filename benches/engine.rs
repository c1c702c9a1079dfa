//! Octets to octets: one iteration is one framed 0100 in, one framed 0110 out, journal in memory.
//! Budgets: approval at most 250 ns hot and 600 ns over a million cards cold; decline on controls
//! at most 200 ns.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

use cekr_benches::{NOW, Random, Template, authorization, engine, link};
use cekr_iso8583::CEKR87;
use cekr_issuer::{CardStatus, Channels};
use cekr_switch::engine::{Engine, Outgoing};

const HOT: u64 = 8;
const COLD: u64 = 1_000_000;

fn one_by_one(c: &mut Criterion, name: &str, engine: &Engine, cards: u64) {
    let mut templates: Vec<Template> =
        (0..cards.min(200_000)).map(|n| Template::new(&authorization(&CEKR87, n))).collect();
    let link = link();
    let mut out = Outgoing::default();
    let mut random = Random(1);
    let mut key = 0;
    c.bench_function(name, |b| {
        b.iter(|| {
            key += 1;
            let at = (random.next() % templates.len() as u64) as usize;
            let template = &mut templates[at];
            template.set_key(key);
            out.clear();
            let consumed = engine.handle_read(&link, black_box(&template.frame), NOW, &mut out);
            assert_eq!(consumed, Ok(template.frame.len()));
            out.bytes().len()
        });
    });
}

/// A read of 64 frames, as a saturated connection brings them: time is for all 64.
fn by_reads(c: &mut Criterion, name: &str, engine: &Engine, cards: u64) {
    const FRAMES: usize = 64;
    let link = link();
    let mut out = Outgoing::default();
    let mut random = Random(2);
    let mut key = 1_000_000_000;
    let mut templates: Vec<Template> =
        (0..cards.min(200_000)).map(|n| Template::new(&authorization(&CEKR87, n))).collect();
    let mut group = c.benchmark_group("engine");
    group.throughput(Throughput::Elements(FRAMES as u64));
    group.bench_function(name, |b| {
        b.iter_batched_ref(
            || {
                let mut read = Vec::with_capacity(FRAMES * 300);
                for _ in 0..FRAMES {
                    key += 1;
                    let at = (random.next() % templates.len() as u64) as usize;
                    templates[at].set_key(key);
                    read.extend_from_slice(&templates[at].frame);
                }
                read
            },
            |read| {
                out.clear();
                let consumed = engine.handle_read(&link, black_box(read), NOW, &mut out);
                assert_eq!(consumed, Ok(read.len()));
                out.spans.len()
            },
            BatchSize::SmallInput,
        );
    });
}

fn benches(c: &mut Criterion) {
    {
        let approving = engine(HOT, CardStatus::Active, Channels::ALL);
        one_by_one(c, "engine/approve_hot", &approving, HOT);
        by_reads(c, "approve_hot_64_frames", &approving, HOT);
    }
    {
        let locked = engine(HOT, CardStatus::Locked, Channels::ALL);
        one_by_one(c, "engine/decline_locked_hot", &locked, HOT);
    }
    {
        let many = engine(COLD, CardStatus::Active, Channels::ALL);
        one_by_one(c, "engine/approve_cold_1m", &many, COLD);
        by_reads(c, "approve_cold_1m_64_frames", &many, COLD);
    }
}

criterion_group!(engine_benches, benches);
criterion_main!(engine_benches);
