//! One turn of the issuer without what makes it last: an 18-field message decoded, its card found
//! and locked, decided, the reply encoded. Budgets: 250 ns hot, 600 ns over a million cards cold.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};

use cekr_benches::{NOW, Random, engine, financial, policy};
use cekr_iso8583::{CEKR87, View};
use cekr_issuer::reply::Extra;
use cekr_issuer::{
    Answer, CardStatus, Channels, Decision, Inbound, Policy, Proofs, Signals, decide,
};
use cekr_switch::shard::Shard;

fn turn(shard: &Shard, policy: &Policy, message: &[u8], out: &mut [u8]) -> usize {
    let read = View::parse(&CEKR87, message);
    let Ok(view) = &read else { unreachable!("a whole message") };
    let Ok(Inbound::Card(request)) = &Inbound::parse(view, 0) else {
        unreachable!("a request about a card")
    };
    let pan = request.pan.expect("a card number");
    let card = shard.cards().find(pan).expect("every number is issued").lock();
    let decision = decide(request, &Proofs::default(), &card, &Signals::default(), NOW, policy);
    drop(card);
    assert!(matches!(decision, Decision::Approve(_)));
    let answer = Answer::of_decision(&decision);
    let mti = view.mti().reply().expect("a reply");
    answer.write(view, mti, Extra::default(), out).expect("room")
}

fn turns(c: &mut Criterion) {
    let policy = policy();
    let mut out = vec![0; 4_096];
    for (name, cards) in [("turn/hot", 8), ("turn/cold_1m", 1_000_000)] {
        let engine = engine(cards, CardStatus::Active, Channels::ALL);
        let mut random = Random(1);
        let messages: Vec<Vec<u8>> = (0..cards.min(200_000))
            .map(|n| financial(&CEKR87, if cards > 8 { random.draw() % cards } else { n }))
            .collect();
        let mut at = 0;
        c.bench_function(name, |b| {
            b.iter(|| {
                at = (at + 1) % messages.len();
                turn(engine.shard(), &policy, black_box(&messages[at]), &mut out)
            });
        });
    }
}

criterion_group!(benches, turns);
criterion_main!(benches);
