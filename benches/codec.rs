//! Frame, decode and encode. One iteration is one 18-field 0100 of about 220 octets.
//! Budgets: decode in cekr87 at most 120 ns; no allocation anywhere. `decode` walks each message,
//! `decode_alike` knows its shape, as nearly every message of a running switch.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};

use cekr_benches::{Template, authorization};
use cekr_iso8583::{
    CEKR87, FieldSet, Framing, ISO87ASCII, ISO87BINARY, Shapes, Step, View, Writer,
};

fn frame(c: &mut Criterion) {
    let template = Template::new(&authorization(&CEKR87, 1));
    c.bench_function("frame/be2", |b| {
        b.iter(|| match Framing::Be2.next(black_box(&template.frame), 4_096) {
            Ok(Step::Message { message, .. }) => message.len(),
            _ => unreachable!("one whole frame"),
        });
    });
}

fn decode(c: &mut Criterion) {
    for spec in [&CEKR87, &ISO87ASCII, &ISO87BINARY] {
        let message = authorization(spec, 1);
        c.bench_function(&format!("decode/{}", spec.name()), |b| {
            b.iter(|| {
                let view = View::parse(spec, black_box(&message)).expect("a whole message");
                black_box(&view).present()
            });
        });
    }
}

/// As a lane reads: a message of the same shape was read before.
fn decode_alike(c: &mut Criterion) {
    for spec in [&CEKR87, &ISO87ASCII, &ISO87BINARY] {
        let message = authorization(spec, 1);
        let mut shapes = Shapes::default();
        c.bench_function(&format!("decode_alike/{}", spec.name()), |b| {
            b.iter(|| {
                let mut view = View::empty(spec);
                let read = view.read_alike(spec, black_box(&message), &mut shapes);
                assert_eq!(read, Ok(()));
                black_box(&view).present()
            });
        });
    }
}

fn encode(c: &mut Criterion) {
    let message = authorization(&CEKR87, 1);
    let view = View::parse(&CEKR87, &message).expect("a whole message");
    let echo = FieldSet::of(&[2, 3, 4, 7, 11, 12, 13, 15, 32, 33, 37, 41, 42, 49]);
    let own = FieldSet::of(&[38, 39]);
    let mti = view.mti().reply().expect("0110");
    let mut out = [0; 1_024];
    c.bench_function("encode/reply", |b| {
        b.iter(|| {
            let mut writer =
                Writer::reply(black_box(&view), mti, echo, own, &mut out).expect("room");
            writer.text(38, b"00001A").expect("DE 38");
            writer.text(39, b"00").expect("DE 39");
            writer.finish().expect("whole")
        });
    });
}

criterion_group!(codec, frame, decode, decode_alike, encode);
criterion_main!(codec);
