//! Octets to octets, journal in memory: one framed 0200 in, its entry made, one framed 0210 out.
//! Budget: a decline on controls alone takes at most 200 ns. What an approval adds over `turn` is
//! what makes it last: its entry, the answer that is kept, the transaction that can be reversed.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use cekr_benches::{
    NOW, Random, Template, confirm, confirming_engine, ecommerce, engine, financial, link,
};
use cekr_iso8583::CEKR87;
use cekr_issuer::{CardId, CardStatus, Channels};
use cekr_switch::control::Control;
use cekr_switch::engine::{Engine, Outgoing};
use cekr_switch::sync::Arc;

const HOT: u64 = 8;
const COLD: u64 = 1_000_000;

/// Frames in the order in which they are sent, so that a bench reads them as a socket would bring
/// them: the next one is near, its card is anywhere.
struct Frames {
    octets: Vec<u8>,
    template: Template,
    next: usize,
    key: u64,
}

impl Frames {
    fn new(cards: u64) -> Self {
        let mut random = Random(1);
        let count = if cards > HOT { 200_000 } else { cards };
        let mut octets = Vec::new();
        for n in 0..count {
            let card = if cards > HOT { random.draw() % cards } else { n };
            octets.extend_from_slice(&Template::new(&financial(&CEKR87, card)).frame);
        }
        Self { octets, template: Template::new(&financial(&CEKR87, 0)), next: 0, key: 0 }
    }

    /// The next `count` frames, each with a key of its own.
    fn next(&mut self, count: usize) -> &[u8] {
        let frame = self.template.frame.len();
        if (self.next + count) * frame > self.octets.len() {
            self.next = 0;
        }
        let read = &mut self.octets[self.next * frame..(self.next + count) * frame];
        self.next += count;
        for octets in read.chunks_exact_mut(frame) {
            self.key += 1;
            self.template.set_key_of(octets, self.key);
        }
        read
    }
}

/// Reads of `count` frames; the time is for one frame with one, for all with more.
fn reads(c: &mut Criterion, name: &str, engine: &Engine, cards: u64, count: usize) {
    let mut frames = Frames::new(cards);
    let link = link();
    let mut out = Outgoing::default();
    let mut group = c.benchmark_group("engine");
    group.throughput(Throughput::Elements(count as u64));
    group.bench_function(name, |b| {
        b.iter(|| {
            let read = frames.next(count);
            out.clear();
            let consumed = engine.handle_read(&link, black_box(read), NOW, &mut out);
            assert_eq!(consumed, Ok(read.len()));
            out.spans.len()
        });
    });
}

/// Purchases in a web shop, each with the value of a confirmation of its own: the value is proven,
/// its record found, compared and used up by the entry. Budget: 3 us. What the holder does before,
/// from the question to the seal, is not timed.
fn confirmed(c: &mut Criterion) {
    let engine = confirming_engine(HOT);
    let control = Control::new(engine.shard().clone(), Arc::new(engine.policy().clone()));
    let (link, mut out, mut number) = (link(), Outgoing::default(), 0_u64);
    let mut next = || {
        number += 1;
        let card = CardId(u32::try_from(number % HOT).expect("few cards"));
        let sealed = confirm(&control, card, number);
        let mut template = Template::new(&ecommerce(number % HOT, &sealed));
        template.set_key(number);
        template.frame
    };
    let mut group = c.benchmark_group("engine");
    group.throughput(Throughput::Elements(1));
    group.bench_function("approve_confirmed_hot", |b| {
        b.iter_custom(|count| {
            let mut taken = Duration::ZERO;
            for _ in 0..count {
                let frame = next();
                out.clear();
                let begun = Instant::now();
                let consumed = engine.handle_read(&link, black_box(&frame), NOW, &mut out);
                taken += begun.elapsed();
                assert_eq!(consumed, Ok(frame.len()));
                assert!(out.bytes().windows(2).any(|octets| octets == b"00"), "it is approved");
            }
            taken
        });
    });
}

fn benches(c: &mut Criterion) {
    confirmed(c);
    {
        let approving = engine(HOT, CardStatus::Active, Channels::ALL);
        reads(c, "approve_hot", &approving, HOT, 1);
    }
    {
        let locked = engine(HOT, CardStatus::Locked, Channels::ALL);
        reads(c, "decline_locked_hot", &locked, HOT, 1);
    }
    {
        let many = engine(COLD, CardStatus::Active, Channels::ALL);
        reads(c, "approve_cold_1m", &many, COLD, 1);
        reads(c, "approve_cold_1m_64_frames", &many, COLD, 64);
    }
}

criterion_group!(engine_benches, benches);
criterion_main!(engine_benches);
