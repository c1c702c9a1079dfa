//! Finding a card among a million, by our own index and by dashmap, on one and two threads.
//! One iteration is one look-up of a card and a read of its controls.

use std::hint::black_box;
use std::time::Instant;

use criterion::{Criterion, criterion_group, criterion_main};

use cekr_benches::{Random, pan};
use cekr_iso8583::Pan;
use cekr_issuer::Card;
use cekr_issuer::entry::Name;
use cekr_switch::table::{AddError, CardIndex, CardTable, DashIndex, OpenIndex, Profile};

const CARDS: u64 = 1_000_000;

fn table<I: CardIndex>() -> CardTable<I> {
    let table = CardTable::default();
    let profile = Profile { name: Name::new("bench").expect("short"), mok_id: 100_000_000 };
    for n in 0..CARDS {
        let added = table.add(pan(n), profile, |_| Ok::<_, AddError>(Card::unknown()));
        added.expect("a new card");
    }
    table
}

fn look_up<I: CardIndex>(table: &CardTable<I>, pans: &[Pan], count: u64, seed: u64) -> u64 {
    let mut random = Random(seed);
    (0..count).fold(0, |sum, _| {
        let at = (random.draw() % pans.len() as u64) as usize;
        let cell = table.find(black_box(pans[at])).expect("every number was added");
        sum ^ u64::from(cell.controls().version)
    })
}

fn both<I: CardIndex>(c: &mut Criterion, name: &str) {
    let table = table::<I>();
    let all: Vec<Pan> = (0..CARDS).map(pan).collect();
    for (heat, pans) in [("hot", &all[..1_024]), ("cold", &all[..])] {
        c.bench_function(&format!("table/{name}/{heat}/1_thread"), |b| {
            b.iter_custom(|count| {
                let begun = Instant::now();
                black_box(look_up(&table, pans, count, 1));
                begun.elapsed()
            });
        });
        c.bench_function(&format!("table/{name}/{heat}/2_threads"), |b| {
            b.iter_custom(|count| {
                let begun = Instant::now();
                std::thread::scope(|scope| {
                    scope.spawn(|| black_box(look_up(&table, pans, count, 1)));
                    scope.spawn(|| black_box(look_up(&table, pans, count, 2)));
                });
                begun.elapsed()
            });
        });
    }
}

fn benches(c: &mut Criterion) {
    both::<OpenIndex>(c, "open");
    both::<DashIndex>(c, "dashmap");
}

criterion_group!(table_benches, benches);
criterion_main!(table_benches);
