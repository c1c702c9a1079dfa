//! A reader on the loopback with `cekr chip serve` in it, as the peer's kernel wants one: whole
//! commands in, whole answers out.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command as Program, Stdio};

use emv::core::apdu::{Command, Response};
use emv::core::card_reader::CardReader;

/// A chip in the reader. The process ends with this value.
pub struct Inserted {
    chip: Child,
    stream: TcpStream,
    /// Instructions of the commands so far, in order.
    pub instructions: Vec<u8>,
}

impl Inserted {
    /// The chip of a card of the built-in set, powered on.
    pub fn new(card: &str, version: &str, folder: &std::path::Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        let mut program = Program::new(crate::cekr());
        program.args(["chip", "serve", "--vpcd", &addr, "--card", card, "--cvn", version]);
        // Its counter is this test's own.
        program.args(["--atc", "0"]).env("CEKR_STATE_DIR", folder);
        let chip = program.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let (stream, _) = listener.accept().unwrap();
        let mut inserted = Self { chip, stream, instructions: vec![] };
        inserted.send(&[POWER_ON]).unwrap();
        inserted
    }

    /// Out of the reader and in again: what the chip keeps without power stays.
    pub fn reset(&mut self) {
        self.send(&[RESET]).unwrap();
        self.instructions.clear();
    }

    fn send(&mut self, body: &[u8]) -> io::Result<()> {
        let mut message = u16::try_from(body.len()).unwrap().to_be_bytes().to_vec();
        message.extend_from_slice(body);
        self.stream.write_all(&message)
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut len = [0; 2];
        self.stream.read_exact(&mut len)?;
        let mut body = vec![0; usize::from(u16::from_be_bytes(len))];
        self.stream.read_exact(&mut body)?;
        Ok(body)
    }
}

impl CardReader for &mut Inserted {
    type Error = String;

    fn transmit(&mut self, command: &Command) -> Result<Response, String> {
        let octets = command.to_bytes().map_err(|fault| fault.to_string())?;
        self.instructions.push(octets[1]);
        self.send(&octets).map_err(|fault| fault.to_string())?;
        let answer = self.receive().map_err(|fault| fault.to_string())?;
        Response::parse(&answer).map_err(|fault| fault.to_string())
    }
}

impl Drop for Inserted {
    fn drop(&mut self) {
        let _ = self.chip.kill();
        let _ = self.chip.wait();
    }
}

/// Control messages of vpcd's protocol.
const POWER_ON: u8 = 1;
const RESET: u8 = 2;
