//! A switch on free ports with two cards, and the few messages that its tests send.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use cekr_iso8583::{CEKR87, Expiry, FieldSet, Framing, Header, Mti, Pan, Spec, Step, View, Writer};
use cekr_issuer::entry::Name;
use cekr_issuer::{Amount, CardStatus, Channels, Controls};
use cekr_switch::clock::Clock;
use cekr_switch::config::Config;
use cekr_switch::keyring::StartKey;
use cekr_switch::server::{ClockBehind, Options, Running, Server, Signals};
use cekr_switch::shard::NewCard;

pub const ANA: &str = "4761730000000011";
pub const BOR: &str = "4761730000000029";
pub const TOKEN: &str = "a-token-for-tests";

/// A switch with these settings (TOML) besides free ports, one lane and the tests' token.
pub fn start(settings: &str) -> Running {
    bind(settings).unwrap().start().unwrap()
}

/// The same with a last word on the settings.
pub fn start_with(settings: &str, change: impl FnOnce(&mut Config)) -> Running {
    bind_with(settings, change).unwrap().start().unwrap()
}

pub fn bind(settings: &str) -> Result<Server, cekr_switch::server::StartError> {
    bind_with(settings, |_| {})
}

fn bind_with(
    settings: &str,
    change: impl FnOnce(&mut Config),
) -> Result<Server, cekr_switch::server::StartError> {
    let mut config = Config::parse(settings, "test").unwrap();
    change(&mut config);
    if !settings.contains("addr") {
        let free = cekr_switch::config::Address::parse("127.0.0.1:0").unwrap();
        config.listener.first_mut().addr = free.clone();
        config.http.addr = free;
    }
    if !settings.contains("durability") {
        config.data.durability = cekr_switch::config::Durability::None;
    }
    config.switch.threads = 1;
    config.http.operator_token = TOKEN.to_owned();
    let options = Options {
        start_key: StartKey::development(),
        clock: Clock::system().unwrap(),
        signals: Signals::Leave,
        clock_behind: ClockBehind::Refuse,
    };
    let server = Server::bind(config, options)?;
    for (name, pan, mok_id) in [("ana", ANA, 123_456_782), ("bor", BOR, 223_456_781)] {
        issue(&server, name, pan, mok_id);
    }
    server.settle().unwrap();
    Ok(server)
}

pub fn issue(server: &Server, name: &str, pan: &str, mok_id: u32) {
    let card = NewCard {
        pan: Pan::parse(pan.as_bytes()).unwrap(),
        name: Name::new(name).unwrap(),
        mok_id,
        controls: Controls {
            status: CardStatus::Active,
            ticks: Channels::ALL,
            expiry: Expiry::new(3012).unwrap(),
            version: 1,
        },
        pin: None,
        limited: false,
        balance: Amount::from_minor(100_000),
    };
    server.control().shard().issue(card, server.clock().now()).unwrap();
}

/// A directory that goes with the value.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Scratch {
        let dir = std::env::temp_dir().join(format!("cekr-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        Scratch(dir)
    }

    /// Settings that keep the data there, with a small journal.
    pub fn settings(&self) -> String {
        format!(
            "[data]\ndir = \"{}\"\ndurability = \"sync\"\n[journal]\nsegment_octets = 65536\n",
            self.0.display()
        )
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// One terminal's connection.
pub struct Terminal {
    pub socket: TcpStream,
    pub spec: &'static Spec,
    pub framing: Framing,
    received: Vec<u8>,
}

/// What of an answer the tests look at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    pub mti: String,
    pub stan: u32,
    pub code: String,
}

impl Terminal {
    pub fn connect(running: &Running) -> Terminal {
        Terminal::speaking(running, 0, &CEKR87, Framing::Be2)
    }

    pub fn speaking(
        running: &Running,
        listener: usize,
        spec: &'static Spec,
        framing: Framing,
    ) -> Terminal {
        let socket = TcpStream::connect(running.iso_addrs[listener]).unwrap();
        socket.set_nodelay(true).unwrap();
        // A test that waits for what never comes fails instead of hanging.
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        socket.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
        Terminal { socket, spec, framing, received: Vec::new() }
    }

    pub fn send(&mut self, octets: &[u8]) {
        self.socket.write_all(octets).unwrap();
    }

    /// The next answer, or `None` at the end of the connection.
    pub fn answer(&mut self) -> Option<Answer> {
        loop {
            match self.framing.next(&self.received, 8_192).unwrap() {
                Step::Message { message, consumed, .. } => {
                    let view = View::parse(self.spec, message).unwrap();
                    let answer = Answer {
                        mti: view.mti().to_string(),
                        stan: view.stan().unwrap().number(),
                        code: view.response_code().map(|c| c.to_string()).unwrap_or_default(),
                    };
                    self.received.drain(..consumed);
                    return Some(answer);
                }
                Step::KeepAlive { consumed } => {
                    self.received.drain(..consumed);
                }
                Step::NeedMore => {
                    let mut buffer = [0; 65_536];
                    match self.socket.read(&mut buffer) {
                        Ok(0) => return None,
                        Ok(octets) => self.received.extend_from_slice(&buffer[..octets]),
                        Err(error) => {
                            let kind = error.kind();
                            assert_eq!(kind, std::io::ErrorKind::ConnectionReset, "{error}");
                            return None;
                        }
                    }
                }
            }
        }
    }

    /// Sends an echo and takes its answer: the lane has had a turn since.
    pub fn echo(&mut self, stan: u32) -> Answer {
        let request = self.frame(&echo(self.spec, stan));
        self.send(&request);
        self.answer().unwrap()
    }

    pub fn frame(&self, message: &[u8]) -> Vec<u8> {
        frame(self.framing, message)
    }
}

pub fn frame(framing: Framing, message: &[u8]) -> Vec<u8> {
    let mut out = vec![0; framing.header_len()];
    let header = Header { tpdu: [0x60, 0, 1, 0, 2] };
    framing.write_header(header, message.len(), &mut out).unwrap();
    out.extend_from_slice(message);
    out
}

/// 0800 with DE 70 = 301.
pub fn echo(spec: &'static Spec, stan: u32) -> Vec<u8> {
    let mut room = [0; 256];
    let mti = Mti::new(800).unwrap();
    let mut writer = Writer::new(spec, mti, FieldSet::of(&[7, 11, 70]), &mut room).unwrap();
    writer.number(7, 1122_101500).unwrap();
    writer.number(11, u64::from(stan)).unwrap();
    writer.number(70, 301).unwrap();
    let octets = writer.finish().unwrap();
    room[..octets].to_vec()
}

/// 0200: a purchase of `cents` in a domestic shop, key-entered.
pub fn purchase(pan: &str, stan: u32, cents: u64) -> Vec<u8> {
    let mut room = [0; 512];
    let fields = FieldSet::of(&[2, 3, 4, 7, 11, 12, 13, 18, 19, 22, 25, 32, 37, 41, 42, 43, 49]);
    let mut writer = Writer::new(&CEKR87, Mti::new(200).unwrap(), fields, &mut room).unwrap();
    writer.text(2, pan.as_bytes()).unwrap();
    writer.number(3, 0).unwrap();
    writer.number(4, cents).unwrap();
    writer.number(7, 1122_101500).unwrap();
    writer.number(11, u64::from(stan)).unwrap();
    writer.number(12, 111500).unwrap();
    writer.number(13, 1122).unwrap();
    writer.number(18, 5411).unwrap();
    writer.number(19, 705).unwrap();
    writer.number(22, 11).unwrap();
    writer.number(25, 0).unwrap();
    writer.number(32, 400_001).unwrap();
    writer.text(37, format!("632610{stan:06}").as_bytes()).unwrap();
    writer.text(41, b"POS00001").unwrap();
    writer.text(42, b"MERCHANT0000001").unwrap();
    writer.text(43, b"MERCATOR              KRANJ           SI").unwrap();
    writer.number(49, 978).unwrap();
    let octets = writer.finish().unwrap();
    room[..octets].to_vec()
}
