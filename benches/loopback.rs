//! What the benches over loopback TCP share: a switch, a bare echo with the same reads and writes,
//! and callers. Each thread stands on a core of its bench's choosing: left to the system, server
//! and caller are at times on one core and at times on two, and a round trip is 15 us or 75.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use cekr_iso8583::CEKR87;
use cekr_switch::clock::Clock;
use cekr_switch::config::{Address, Config, Durability};
use cekr_switch::keyring::StartKey;
use cekr_switch::server::{ClockBehind, Options, Running, Server, Signals};

use crate::{NOW, Template, financial, load_policy, new_card};

/// Cards of a switch over loopback.
pub const CARDS: u64 = 1_024;

/// Answers that are kept: few enough that a run of seconds has come round, so that it measures a
/// switch at work and not the first touch of memory.
const ANSWERS: usize = 1 << 18;

/// Puts the calling thread, and those that it starts from then on, on the `n`th core that there is,
/// or on the last.
pub fn stand_on_core(n: usize) {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    if let Some(core) = cores.get(n).or(cores.last()) {
        core_affinity::set_for_current(*core);
    }
}

/// A switch with one lane, in memory or durable in `dir`.
pub fn switch(dir: Option<&Path>) -> Running {
    switch_of(CARDS, dir, |_| {})
}

/// A switch with one lane and `cards` cards, in memory or durable in `dir`, its settings as
/// `change` leaves them.
pub fn switch_of(cards: u64, dir: Option<&Path>, change: impl FnOnce(&mut Config)) -> Running {
    let mut config = Config::default();
    config.data.durability = Durability::None;
    if let Some(dir) = dir {
        config.data.durability = Durability::Sync;
        config.data.dir = dir.to_str().expect("a path of letters").to_owned();
    }
    config.switch.threads = 1;
    config.switch.answers_max = ANSWERS;
    config.switch.answers_window_s = 0;
    load_policy(&mut config.policy);
    config.listener.first_mut().addr = Address::parse("127.0.0.1:0").expect("an address");
    config.http.addr = Address::parse("127.0.0.1:0").expect("an address");
    change(&mut config);
    let server = Server::bind(config, options()).expect("a free port");
    for n in 0..cards {
        while server.control().shard().issue(new_card(n), NOW).is_err() {
            server.settle().expect("a whole disk");
        }
    }
    server.settle().expect("a whole disk");
    server.start().expect("threads")
}

/// How a bench's switch starts.
fn options() -> Options {
    Options {
        start_key: StartKey::development(),
        clock: Clock::system().expect("the calendar"),
        clock_behind: ClockBehind::Accept,
        signals: Signals::Leave,
    }
}

/// Returns what it reads, one write a read, on a thread of its own.
pub fn echo() -> SocketAddr {
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
pub struct Caller {
    socket: TcpStream,
    template: Template,
    key: u64,
}

impl Caller {
    /// The `n`th caller of `to`.
    pub fn new(to: SocketAddr, n: u64) -> Self {
        let socket = TcpStream::connect(to).expect("a connection");
        socket.set_nodelay(true).expect("no delay");
        Self { socket, template: Template::new(&financial(&CEKR87, n)), key: n << 32 }
    }

    /// Sends a message and waits for its answer.
    pub fn call(&mut self) {
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

/// The median of the round trips of `count` calls.
pub fn median_of(caller: &mut Caller, count: usize) -> Duration {
    let timed = |_| {
        let begun = Instant::now();
        caller.call();
        begun.elapsed()
    };
    median(&mut (0..count).map(timed).collect::<Vec<_>>())
}

/// The middle one of these times.
pub fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Messages a second over `connections` that always have `depth` messages under way; the caller
/// stands on core 1. No two runs against one switch may have the same `epoch`.
pub fn rate(to: SocketAddr, connections: usize, depth: usize, epoch: u64) -> f64 {
    stand_on_core(1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let begun = Instant::now();
        let end = begun + RUN;
        let set = tokio::task::LocalSet::new();
        let callers: Vec<_> = (0..connections)
            .map(|n| set.spawn_local(pump(to, depth, (epoch << 8) + n as u64, end)))
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

async fn pump(to: SocketAddr, depth: usize, n: u64, end: Instant) -> u64 {
    let mut socket = tokio::net::TcpStream::connect(to).await.expect("a connection");
    socket.set_nodelay(true).expect("no delay");
    let mut template = Template::new(&financial(&CEKR87, n % CARDS));
    template.set_terminal(n);
    let mut key = 0;
    let mut out = Vec::with_capacity(depth * 300);
    let mut input = vec![0; 64 * 1_024];
    let mut held = 0;
    let mut under_way = 0;
    let mut answered = 0;
    loop {
        if Instant::now() < end {
            out.clear();
            while under_way < depth {
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

/// How long one measurement of a rate takes.
const RUN: Duration = Duration::from_secs(1);
