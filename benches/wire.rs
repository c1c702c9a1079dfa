//! Over loopback TCP, beside a bare tokio echo with the same reads and writes, in turns within one
//! run: what the switch adds to the wire.
//!
//! `round_trip`: one connection, one message under way; the median of each, and their ratio.
//! `saturated`: 64 connections with 64 messages under way on each; messages a second, and ratio.
//! Budgets: round trip at most 1.15 times the echo's in memory; saturated at least 0.3 of it.
//! Absolute figures are this machine's and this minute's; read the ratios.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use cekr_benches::{NOW, Template, authorization, load_policy, new_card};
use cekr_iso8583::CEKR87;
use cekr_switch::clock::Clock;
use cekr_switch::config::{Address, Config, Durability};
use cekr_switch::keyring::StartKey;
use cekr_switch::server::{ClockBehind, Options, Running, Server, Signals};

const CARDS: u64 = 1_024;
const CONNECTIONS: usize = 64;
const DEPTH: usize = 64;

/// A switch in memory with one lane.
fn switch() -> Running {
    let mut config = Config::default();
    config.data.durability = Durability::None;
    config.switch.threads = 1;
    config.switch.answers_window_s = 0;
    load_policy(&mut config.policy);
    config.listener.first_mut().addr = Address::parse("127.0.0.1:0").expect("an address");
    config.http.addr = Address::parse("127.0.0.1:0").expect("an address");
    let options = Options {
        start_key: StartKey::development(),
        clock: Clock::system().expect("the calendar"),
        signals: Signals::Leave,
        clock_behind: ClockBehind::Refuse,
    };
    let server = Server::bind(config, options).expect("a free port");
    for n in 0..CARDS {
        server.control().shard().issue(new_card(n), NOW).expect("a new card");
    }
    server.start().expect("threads")
}

/// Returns what it reads, one write a read, on a thread of its own.
fn echo() -> SocketAddr {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            tell.send(listener.local_addr().expect("an address")).expect("a reader");
            tokio::task::LocalSet::new()
                .run_until(async {
                    loop {
                        let (mut socket, _) = listener.accept().await.expect("a connection");
                        socket.set_nodelay(true).expect("no delay");
                        tokio::task::spawn_local(async move {
                            let mut buffer = vec![0; 64 * 1_024];
                            while let Ok(octets @ 1..) = socket.read(&mut buffer).await {
                                if socket.write_all(&buffer[..octets]).await.is_err() {
                                    break;
                                }
                            }
                        });
                    }
                })
                .await;
        });
    });
    told.recv().expect("the echo is up")
}

/// One connection that sends a new message and waits for its answer.
struct Caller {
    socket: TcpStream,
    template: Template,
    key: u64,
}

impl Caller {
    fn new(to: SocketAddr, n: u64) -> Self {
        let socket = TcpStream::connect(to).expect("a connection");
        socket.set_nodelay(true).expect("no delay");
        Self { socket, template: Template::new(&authorization(&CEKR87, n)), key: n << 32 }
    }

    fn call(&mut self) {
        self.key += 1;
        self.template.set_key(self.key);
        self.socket.write_all(&self.template.frame).expect("a peer");
        let mut head = [0; 2];
        self.socket.read_exact(&mut head).expect("an answer");
        let mut body = [0; 1_024];
        let len = usize::from(u16::from_be_bytes(head));
        self.socket.read_exact(&mut body[..len]).expect("a whole answer");
    }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn round_trip(c: &mut Criterion) {
    let running = switch();
    let mut to_switch = Caller::new(running.iso_addrs[0], 1);
    let mut to_echo = Caller::new(echo(), 1);
    c.bench_function("wire/round_trip/echo", |b| b.iter(|| to_echo.call()));
    c.bench_function("wire/round_trip/switch", |b| b.iter(|| to_switch.call()));
    let mut ratios = Vec::new();
    for _ in 0..40 {
        let [echo, switch] = [&mut to_echo, &mut to_switch].map(|caller| {
            let mut times: Vec<Duration> = (0..500)
                .map(|_| {
                    let begun = Instant::now();
                    caller.call();
                    begun.elapsed()
                })
                .collect();
            median(&mut times)
        });
        ratios.push((switch.as_secs_f64() / echo.as_secs_f64(), switch, echo));
    }
    ratios.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
    let (ratio, switch, echo) = ratios[ratios.len() / 2];
    println!("round trip p50: switch {switch:?}, echo {echo:?}, ratio {ratio:.3} (budget 1.15)");
    running.shutdown().expect("a clean stop");
}

/// Messages a second over many connections that always have `DEPTH` messages under way.
fn rate(to: SocketAddr, seconds: f64, epoch: u64) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let begun = Instant::now();
        let end = begun + Duration::from_secs_f64(seconds);
        let set = tokio::task::LocalSet::new();
        let callers: Vec<_> = (0..CONNECTIONS)
            .map(|n| set.spawn_local(pump(to, (epoch << 8) + n as u64, end)))
            .collect();
        let answered: u64 = set
            .run_until(async {
                let mut sum = 0;
                for caller in callers {
                    sum += caller.await.expect("a caller");
                }
                sum
            })
            .await;
        answered as f64 / begun.elapsed().as_secs_f64()
    })
}

async fn pump(to: SocketAddr, n: u64, end: Instant) -> u64 {
    let mut socket = tokio::net::TcpStream::connect(to).await.expect("a connection");
    socket.set_nodelay(true).expect("no delay");
    let mut template = Template::new(&authorization(&CEKR87, n % CARDS));
    template.set_terminal(n);
    let mut key = 0;
    let mut out = Vec::with_capacity(DEPTH * 300);
    let mut input = vec![0; 64 * 1_024];
    let mut held = 0;
    let mut under_way = 0;
    let mut answered = 0;
    loop {
        if Instant::now() < end {
            out.clear();
            while under_way < DEPTH {
                key += 1;
                template.set_key(key);
                out.extend_from_slice(&template.frame);
                under_way += 1;
            }
            socket.write_all(&out).await.expect("a peer");
        } else if under_way == 0 {
            return answered;
        }
        held += socket.read(&mut input[held..]).await.expect("answers");
        let mut at = 0;
        while let Some(head) = input[at..held].first_chunk::<2>() {
            let frame = 2 + usize::from(u16::from_be_bytes(*head));
            if held - at < frame {
                break;
            }
            at += frame;
            under_way -= 1;
            answered += 1;
        }
        input.copy_within(at..held, 0);
        held -= at;
    }
}

fn saturated(_: &mut Criterion) {
    let running = switch();
    let echo = echo();
    let mut ratios = Vec::new();
    for epoch in 0..5 {
        let echo_rate = rate(echo, 1.0, epoch);
        let switch_rate = rate(running.iso_addrs[0], 1.0, epoch);
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
