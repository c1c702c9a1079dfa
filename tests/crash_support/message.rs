//! Messages of a terminal in `cekr87`, as octets, and what of an answer the proofs look at.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use cekr_emv::crypto::pin_block::encipher_format0;
use cekr_emv::keys::{Key, Zpk};
use cekr_emv::pin::Pin;
use cekr_iso8583::{CEKR87, FieldSet, Framing, Header, Mti, Step, View, Writer};

use super::PATIENCE;

/// When every message says that it was sent: DE 7.
pub const TRANSMITTED: u64 = 1122_101500;

/// The acquirer of every message: DE 32.
pub const ACQUIRER: u64 = 400_001;

/// What names a message for good: class of its MTI, terminal, STAN.
pub type Name = (char, String, String);

/// What a message asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// 0100: holds.
    Hold,
    /// 0200: posts at once.
    Purchase,
    /// 0420 of the message with this STAN, from the same terminal.
    Reversal { mti: u16, stan: u32 },
    /// 0200 at a cashpoint, which costs a fee.
    Withdrawal,
    /// The same with the card's PIN and what its chip says at this counter.
    WithChip(u16),
    /// A purchase with this PIN.
    WithPin(&'static str),
}

/// One message: what it asks, for whom, and its octets.
#[derive(Clone, Debug)]
pub struct Ask {
    pub kind: Kind,
    /// The card's place in the card file.
    pub card: usize,
    pub cents: u64,
    pub terminal: u32,
    pub stan: u32,
    /// DE 55.
    pub chip: Vec<u8>,
    pub frame: Vec<u8>,
}

impl Ask {
    pub fn new(kind: Kind, card: usize, cents: u64, terminal: u32, stan: u32) -> Ask {
        Ask::with_chip(kind, card, cents, (terminal, stan), &[])
    }

    pub fn with_chip(
        kind: Kind,
        card: usize,
        cents: u64,
        (terminal, stan): (u32, u32),
        chip: &[u8],
    ) -> Ask {
        let mut ask =
            Ask { kind, card, cents, terminal, stan, chip: chip.to_vec(), frame: Vec::new() };
        ask.frame = ask.octets();
        ask
    }

    pub fn mti(&self) -> u16 {
        match self.kind {
            Kind::Hold => 100,
            Kind::Purchase | Kind::Withdrawal | Kind::WithChip(_) | Kind::WithPin(_) => 200,
            Kind::Reversal { .. } => 420,
        }
    }

    pub fn key(&self) -> Name {
        let class = format!("{:04}", self.mti()).as_bytes()[1] as char;
        (class, terminal_id(self.terminal), format!("{:06}", self.stan))
    }

    fn octets(&self) -> Vec<u8> {
        let pan = pan(self.card);
        let is_cash = matches!(self.kind, Kind::Withdrawal | Kind::WithChip(_));
        let mut elements = vec![2, 3, 4, 7, 11, 12, 13, 18, 19, 22, 25, 32, 37, 41, 42, 43, 49];
        match self.kind {
            Kind::Reversal { .. } => elements.push(90),
            Kind::WithChip(_) => elements.extend([52, 55]),
            Kind::WithPin(_) => elements.push(52),
            Kind::Hold | Kind::Purchase | Kind::Withdrawal => {}
        }
        let mut room = [0; 512];
        let mti = Mti::new(self.mti()).unwrap();
        let mut writer = Writer::new(&CEKR87, mti, FieldSet::of(&elements), &mut room).unwrap();
        writer.text(2, pan.as_bytes()).unwrap();
        writer.number(3, if is_cash { 10_000 } else { 0 }).unwrap();
        writer.number(4, self.cents).unwrap();
        writer.number(7, TRANSMITTED).unwrap();
        writer.number(11, u64::from(self.stan)).unwrap();
        writer.number(12, 111_500).unwrap();
        writer.number(13, 1122).unwrap();
        writer.number(18, if is_cash { 6011 } else { 5411 }).unwrap();
        writer.number(19, 705).unwrap();
        let is_inserted = matches!(self.kind, Kind::WithChip(_));
        writer.number(22, if is_inserted { 51 } else { 11 }).unwrap();
        writer.number(25, 0).unwrap();
        writer.number(32, ACQUIRER).unwrap();
        writer.text(37, format!("632610{:06}", self.stan).as_bytes()).unwrap();
        writer.text(41, terminal_id(self.terminal).as_bytes()).unwrap();
        writer.text(42, b"MERCHANT0000001").unwrap();
        writer.text(43, b"MERCATOR              KRANJ           SI").unwrap();
        writer.number(49, 978).unwrap();
        let typed = match self.kind {
            Kind::WithChip(_) => Some("1234"),
            Kind::WithPin(pin) => Some(pin),
            Kind::Hold | Kind::Purchase | Kind::Reversal { .. } | Kind::Withdrawal => None,
        };
        if let Some(pin) = typed {
            let pin = Pin::parse(pin.as_bytes()).unwrap();
            let key = Key::<Zpk>::development();
            let block = encipher_format0(&key, &pin, pan.parse().unwrap());
            writer.octets(52, &block).unwrap();
        }
        if is_inserted {
            writer.octets(55, &self.chip).unwrap();
        }
        if let Kind::Reversal { mti, stan } = self.kind {
            let original = format!("{mti:04}{stan:06}{TRANSMITTED:010}{ACQUIRER:011}{:011}", 0);
            writer.text(90, original.as_bytes()).unwrap();
        }
        let len = writer.finish().unwrap();
        let mut frame = vec![0; Framing::Be2.header_len()];
        Framing::Be2.write_header(Header { tpdu: [0; 5] }, len, &mut frame).unwrap();
        frame.extend_from_slice(&room[..len]);
        frame
    }
}

/// DE 41 of a terminal.
pub fn terminal_id(terminal: u32) -> String {
    format!("POS{terminal:05}")
}

/// The number of the card at this place of the card file.
pub fn pan(card: usize) -> String {
    let body = format!("476173{:09}", card + 1);
    let doubled = |(at, digit): (usize, char)| {
        let digit = digit.to_digit(10).unwrap();
        // The check digit comes next, so that every second digit from the last one is doubled.
        if at % 2 == 0 { digit * 2 / 10 + digit * 2 % 10 } else { digit }
    };
    let sum: u32 = body.chars().rev().enumerate().map(doubled).sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

/// An answer: its frame, and what tells it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reply {
    pub frame: Vec<u8>,
    /// Second digit of the MTI.
    pub class: char,
    pub stan: u32,
    pub terminal: String,
    pub code: String,
    pub auth_code: Option<String>,
}

impl Reply {
    /// The first answer in `octets`, and how many of them it takes.
    pub fn first(octets: &[u8]) -> Option<(Reply, usize)> {
        let Step::Message { message, consumed, .. } = Framing::Be2.next(octets, 8_192).unwrap()
        else {
            return None;
        };
        let view = View::parse(&CEKR87, message).expect("an answer is readable");
        let reply = Reply {
            frame: octets[..consumed].to_vec(),
            class: view.mti().to_string().as_bytes()[1] as char,
            stan: view.stan().unwrap().number(),
            terminal: view.terminal().unwrap().to_string(),
            code: view.response_code().map(|code| code.to_string()).unwrap_or_default(),
            auth_code: view.auth_code().map(|code| code.to_string()),
        };
        Some((reply, consumed))
    }

    /// The key of the message that it answers.
    pub fn key(&self) -> Name {
        (self.class, self.terminal.clone(), format!("{:06}", self.stan))
    }

    pub fn is_approved(&self) -> bool {
        self.code == "00"
    }
}

/// One terminal's connection.
pub struct Terminal {
    socket: TcpStream,
    received: Vec<u8>,
}

impl Terminal {
    /// A connection, or `None` when nobody listens any more.
    pub fn connect(addr: SocketAddr) -> Option<Terminal> {
        let socket = TcpStream::connect(addr).ok()?;
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        Some(Terminal { socket, received: Vec::new() })
    }

    /// Sends octets; `false` when the connection is gone.
    pub fn send(&mut self, octets: &[u8]) -> bool {
        self.socket.write_all(octets).is_ok()
    }

    /// The next answer, or `None` at the end of the connection.
    pub fn reply(&mut self) -> Option<Reply> {
        loop {
            if let Some((reply, consumed)) = Reply::first(&self.received) {
                self.received.drain(..consumed);
                return Some(reply);
            }
            let mut buffer = [0; 65_536];
            match self.socket.read(&mut buffer) {
                Ok(0) => return None,
                Ok(octets) => self.received.extend_from_slice(&buffer[..octets]),
                Err(error) => {
                    let kind = error.kind();
                    assert_eq!(kind, std::io::ErrorKind::ConnectionReset, "no answer: {error}");
                    return None;
                }
            }
        }
    }

    /// Sends one message and takes its answer.
    pub fn ask(&mut self, ask: &Ask) -> Option<Reply> {
        if !self.send(&ask.frame) {
            return None;
        }
        self.reply()
    }
}
