//! The decision alone: a request that was read, against one card. One iteration is one decision.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};

use cekr_benches::{NOW, authorization, engine, pan, policy};
use cekr_iso8583::{CEKR87, View};
use cekr_issuer::{CardStatus, Channels, Inbound, Proofs, Signals, decide};

fn decisions(c: &mut Criterion) {
    let message = authorization(&CEKR87, 0);
    let view = View::parse(&CEKR87, &message).expect("a whole message");
    c.bench_function("decide/read_request", |b| {
        b.iter(|| Inbound::parse(black_box(&view), 0).expect("a request"));
    });
    let Ok(Inbound::Card(request)) = Inbound::parse(&view, 0) else {
        unreachable!("a request about a card");
    };
    let policy = policy();
    for (name, status) in [("approve", CardStatus::Active), ("locked", CardStatus::Locked)] {
        let engine = engine(1, status, Channels::ALL);
        let cell = engine.shard().cards().find(pan(0)).expect("the card");
        let card = cell.lock();
        c.bench_function(&format!("decide/{name}"), |b| {
            b.iter(|| {
                let request = black_box(&request);
                decide(request, &Proofs::default(), &card, &Signals::default(), NOW, &policy)
            });
        });
    }
}

criterion_group!(benches, decisions);
criterion_main!(benches);
