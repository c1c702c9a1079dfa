//! Our parser beside others, on one message in one run: read the ratios, not the nanoseconds.
//!
//! Run it with `cargo bench --manifest-path benches/peers/Cargo.toml`; a word behind `--` selects.
//!
//! Input: the 18-field 0100 of the other benches, a purchase in the format `cekr87`. Before
//! anything is measured, each parser must have found the same card number, amount, trace number
//! and terminal in it, and each writer must have written the same octets.
//!
//! `decode`: one iteration parses the message and reads those four values. `cekr` and `nom` know
//! all 128 elements; `nom_this_message_only` knows which 18 come and in which order. These three
//! prove digits, bounds and lengths, and borrow. `iso8583_rs` and `iso8583_core` look at no digits
//! and copy every value. The check digit is left to our `Pan` for all of them.
//!
//! `reply`: one iteration writes the 0110, 12 elements of the parsed request and two of its own.
//! `cekr` writes into the caller's buffer, the others return a vector; nom does not write.
//!
//! No budget stands here: `codec` has the one of our own decoding.

use std::hint::black_box;
use std::process::ExitCode;

use criterion::{Criterion, criterion_group};

use cekr_iso8583::{CEKR87, FieldSet, Pan, View, Writer};

mod with_iso8583_core;
mod with_iso8583_rs;
mod with_nom;

fn main() -> ExitCode {
    if !with_iso8583_rs::has_format() {
        return with_iso8583_rs::run_with_format();
    }
    all_agree();
    peers();
    Criterion::default().configure_from_args().final_summary();
    ExitCode::SUCCESS
}

criterion_group!(peers, decode, reply);

fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    let message = message();
    group.bench_function("cekr", |b| {
        b.iter(|| read(black_box(&parse(black_box(&message)))));
    });
    group.bench_function("nom", |b| {
        b.iter(|| {
            let parsed = with_nom::Message::parse(black_box(&message)).expect("a whole message");
            black_box(&parsed).read()
        });
    });
    group.bench_function("nom_this_message_only", |b| {
        b.iter(|| {
            let parsed = with_nom::Purchase::parse(black_box(&message)).expect("this message");
            black_box(&parsed).read()
        });
    });
    let spec = with_iso8583_rs::format_of_file();
    let mut octets = message.clone();
    group.bench_function("iso8583_rs", |b| {
        b.iter(|| {
            let parsed = with_iso8583_rs::parse(spec, black_box(&mut octets));
            with_iso8583_rs::read(black_box(&parsed))
        });
    });
    group.bench_function("iso8583_core", |b| {
        b.iter(|| {
            let parsed = with_iso8583_core::parse(black_box(&message));
            with_iso8583_core::read(black_box(&parsed))
        });
    });
}

fn reply(c: &mut Criterion) {
    let mut group = c.benchmark_group("reply");
    let mut message = message();
    let view = parse(&message);
    let mut out = [0; 1_024];
    group.bench_function("cekr", |b| {
        b.iter(|| write(black_box(&view), &REPLY, &mut out));
    });
    let parsed = with_iso8583_core::parse(&message);
    group.bench_function("iso8583_core", |b| {
        b.iter(|| with_iso8583_core::reply(black_box(&parsed), &REPLY));
    });
    let parsed = with_iso8583_rs::parse(with_iso8583_rs::format_of_file(), &mut message);
    group.bench_function("iso8583_rs", |b| {
        b.iter(|| with_iso8583_rs::reply(black_box(&parsed), &REPLY));
    });
}

/// Ends the run unless every peer read what we read and wrote what we wrote.
fn all_agree() {
    let mut octets = message();
    let by_rs = with_iso8583_rs::parse(with_iso8583_rs::format_of_file(), &mut octets);
    let message = message();
    assert_eq!(octets, message, "iso8583_rs changed its input");
    let view = parse(&message);
    let by_nom = with_nom::Message::parse(&message).expect("a whole message");
    let by_nom_once = with_nom::Purchase::parse(&message).expect("this message");
    let by_core = with_iso8583_core::parse(&message);

    let ours = read(&view).expect("four values");
    assert_eq!(ours.pan.expose(), 4_761_730_000_000_011);
    assert_eq!((ours.amount, ours.stan, &ours.terminal), (24_90, 123, b"POS00001"));
    assert_eq!(by_nom.read(), Some(ours));
    assert_eq!(by_nom_once.read(), Some(ours));
    assert_eq!(with_iso8583_rs::read(&by_rs), Some(ours));
    assert_eq!(with_iso8583_core::read(&by_core), Some(ours));

    // What is borrowed can be compared whole.
    assert_eq!(by_nom.mti, view.mti().digits());
    assert!((1..=128).all(|de| by_nom.field(de) == view.raw(de)));
    assert!(view.present().iter().map(|de| view.raw(de)).eq(by_nom_once.0.map(Some)));

    let mut out = [0; 1_024];
    let len = write(&view, &REPLY, &mut out);
    assert_eq!(with_iso8583_rs::reply(&by_rs, &REPLY), out[..len]);
    assert_eq!(with_iso8583_core::reply(&by_core, &REPLY), out[..len]);
}

/// What every parser reads of the message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Read {
    pan: Pan,
    /// Cents.
    amount: u64,
    stan: u32,
    terminal: [u8; 8],
}

impl Read {
    /// From values as they stand on the wire.
    fn of_ascii(pan: &[u8], amount: &[u8], stan: &[u8], terminal: &[u8]) -> Option<Read> {
        Some(Read {
            pan: Pan::parse(pan).ok()?,
            amount: str::from_utf8(amount).ok()?.parse().ok()?,
            stan: str::from_utf8(stan).ok()?.parse().ok()?,
            terminal: terminal.try_into().ok()?,
        })
    }
}

/// What every writer answers: elements of the request, and its own.
struct Reply {
    echo: [u8; 12],
    own: [(u8, &'static str); 2],
}

const REPLY: Reply =
    Reply { echo: [2, 3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49], own: [(38, "00001A"), (39, "00")] };

fn parse(message: &[u8]) -> View<'_> {
    View::parse(&CEKR87, message).expect("a whole message")
}

fn read(view: &View<'_>) -> Option<Read> {
    Some(Read {
        pan: view.pan()?.ok()?,
        amount: view.amount(4)?.minor(),
        stan: view.stan()?.number(),
        terminal: *view.terminal()?.octets(),
    })
}

fn write(request: &View<'_>, reply: &Reply, out: &mut [u8]) -> usize {
    let (echo, own) = (FieldSet::of(&reply.echo), FieldSet::of(&reply.own.map(|(de, _)| de)));
    let mti = request.mti().reply().expect("a request");
    let mut writer = Writer::reply(request, mti, echo, own, out).expect("room");
    for (de, value) in reply.own {
        writer.text(de, value.as_bytes()).expect("an element of the reply");
    }
    writer.finish().expect("whole")
}

/// Elements 2, 3, 4, 7, 11 to 14, 18, 19, 22, 25, 32, 37, 41, 42, 43 and 49.
const BITMAP: [u8; 8] = [0x72, 0x3c, 0x64, 0x81, 0x08, 0xe0, 0x80, 0x00];

fn message() -> Vec<u8> {
    let head = [&b"0100"[..], &BITMAP].concat();
    let numbers = b"164761730000000011000000000000002490112210150000012311150011223012\
        54117050510006408972";
    let text = b"632611000123POS00001000000008074720MERCATOR SLOVENSKI TRG    KRANJ       SI978";
    [&head[..], numbers, text].concat()
}
