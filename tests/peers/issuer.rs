//! The switch as an acquirer reaches it, with the data of a kernel that is not ours in DE 55.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use cekr_emv::Pin;
use cekr_emv::crypto::pin_block::encipher_format0;
use cekr_emv::keys::{Key, Zpk};
use cekr_iso8583::{CEKR87, FieldSet, Mti, View, Writer};
use emv::contact::dol_resolve::DolResolveExt as _;
use emv::contact::transaction::TransactionContext;
use emv::core::dol::{Dol, DolEntry};
use emv::core::generate_ac::GenerateAcResponse;
use emv::core::tag::Tag;
use emv::core::tags;
use serde_json::Value;

/// A switch with the built-in cards, in memory. The process ends with this value.
pub struct Switch {
    child: Child,
    line: TcpStream,
    http: String,
    stan: u32,
}

/// What a terminal reads in an answer.
pub struct Answer {
    /// DE 39.
    pub code: [u8; 2],
    /// DE 55: the issuer's answer to the cryptogram, and scripts.
    pub chip: Vec<u8>,
}

impl Switch {
    pub fn new(folder: &Path) -> Self {
        let mut program = Command::new(crate::cekr());
        program.args(["serve", "--durability", "none", "--listen", "127.0.0.1:0"]);
        program.args(["--http", "127.0.0.1:0"]).env("CEKR_OPERATOR_TOKEN", TOKEN);
        program.current_dir(folder).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = program.spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let ready: Value = serde_json::from_str(&ready).unwrap();
        let line = TcpStream::connect(ready["iso8583"].as_str().unwrap()).unwrap();
        let http = ready["http"].as_str().unwrap().trim_start_matches("http://").to_owned();
        Self { child, line, http, stan: 0 }
    }

    /// Sends a purchase or a withdrawal (0200), with the PIN that the issuer is to verify, and
    /// waits for its answer.
    pub fn ask(
        &mut self,
        tx: &TransactionContext<'_>,
        chip: &[u8],
        online_pin: Option<&[u8]>,
    ) -> Answer {
        self.stan += 1;
        let elements = [2, 3, 4, 7, 11, 12, 13, 14, 18, 22, 23, 25, 32, 37, 41, 42, 43, 49, 55];
        let of_pin: &[u8] = if online_pin.is_some() { &[52, 53] } else { &[] };
        let mut elements = [&elements[..], of_pin].concat();
        elements.sort_unstable();
        let mut message = [0; 1024];
        let fields = FieldSet::of(&elements);
        let mut writer =
            Writer::new(&CEKR87, Mti::new(200).unwrap(), fields, &mut message).unwrap();
        let number = packed(tx.tag_store.get(tags::PAN).unwrap());
        let expiry = packed(tx.tag_store.get(tags::APPLICATION_EXPIRATION_DATE).unwrap());
        let sequence = packed(tx.tag_store.get(tags::PAN_SEQUENCE_NUMBER).unwrap());
        for element in elements {
            match element {
                2 => writer.text(2, number.trim_end_matches('F').as_bytes()),
                3 if tx.inputs.transaction_type == CASH => writer.number(3, 10_000),
                4 => writer.number(4, tx.inputs.amount_authorised),
                7 => writer.number(7, 1_123_120_000),
                11 => writer.number(11, self.stan.into()),
                12 => writer.number(12, 120_000),
                13 => writer.number(13, 1123),
                14 => writer.number(14, expiry[..4].parse().unwrap()),
                18 => writer.number(18, tx.terminal.merchant_category_code.into()),
                // Chip, and a PIN can be typed.
                22 => writer.number(22, 51),
                25 if tx.inputs.transaction_type == CASH => writer.number(25, 2),
                23 => writer.number(23, sequence.parse().unwrap()),
                32 => writer.number(32, 510_206),
                37 => writer.text(37, format!("{:012}", self.stan).as_bytes()),
                41 => writer.text(41, b"PEER0001"),
                42 => writer.text(42, b"PEER           "),
                43 => writer.text(43, b"Peer's till           Kranj           SI"),
                49 => writer.number(49, 978),
                52 => writer.octets(52, &pin_block(online_pin.unwrap(), &number)),
                // Format 0, under the zone key 01.
                53 => writer.number(53, 2_001_010_100_000_000),
                55 => writer.octets(55, chip),
                _ => writer.number(element, 0),
            }
            .unwrap();
        }
        let len = writer.finish().unwrap();
        let mut frame = u16::try_from(len).unwrap().to_be_bytes().to_vec();
        frame.extend_from_slice(&message[..len]);
        self.line.write_all(&frame).unwrap();

        let mut len = [0; 2];
        self.line.read_exact(&mut len).unwrap();
        let mut reply = vec![0; usize::from(u16::from_be_bytes(len))];
        self.line.read_exact(&mut reply).unwrap();
        let view = View::parse(&CEKR87, &reply).map_err(|damaged| damaged.error).unwrap();
        Answer {
            code: view.raw(39).unwrap().try_into().unwrap(),
            chip: view.raw(55).unwrap_or_default().to_vec(),
        }
    }

    /// What an operator asks or tells about a card of this name.
    pub fn operator(&self, method: &str, name: &str, path: &str, body: &str) -> Value {
        let card = &self.http(&["GET", &format!("/v1/cards?name={name}")], "")["data"][0];
        let path = format!("/v1/cards/{}{path}", card["id"].as_str().unwrap());
        self.http(&[method, &path], body)
    }

    fn http(&self, [method, path]: &[&str; 2], body: &str) -> Value {
        let mut stream = TcpStream::connect(&self.http).unwrap();
        let (host, len) = (&self.http, body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {TOKEN}\r\n\
             Content-Type: application/json\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n\
             {body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{method} {path}: {answer}");
        serde_json::from_str(body).unwrap()
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a pad of the acquirer's zone lets out of digits.
fn pin_block(digits: &[u8], number: &str) -> [u8; 8] {
    let ascii: Vec<u8> = digits.iter().map(|digit| b'0' + digit).collect();
    let pin = Pin::parse(&ascii).unwrap();
    let pan = number.trim_end_matches('F').parse().unwrap();
    encipher_format0(&Key::<Zpk>::development(), &pin, pan)
}

/// DE 55: what the kernel's own resolver says of each tag, and the first cryptogram.
pub fn chip_data(tx: &TransactionContext<'_>, first: &GenerateAcResponse) -> Vec<u8> {
    let mut data = vec![];
    for (tag, length) in RESOLVED {
        let value = Dol(vec![DolEntry { tag: Tag(tag), length }]).resolve(tx);
        put(&mut data, tag, &value);
    }
    // With a signature, the cryptogram was recovered from it and stands in the store.
    let stored = tx.tag_store.get(tags::APPLICATION_CRYPTOGRAM);
    let cryptogram = first.ac.as_ref().map(|ac| &ac[..]).or(stored).unwrap();
    put(&mut data, 0x9F26, cryptogram);
    put(&mut data, 0x9F27, &[first.cid.to_byte()]);
    put(&mut data, 0x9F36, &first.atc);
    put(&mut data, 0x9F10, first.iad.as_ref().unwrap());
    put(&mut data, 0x82, &tx.aip.as_ref().unwrap().to_bytes());
    put(&mut data, 0x84, &tx.selected.as_ref().unwrap().df_name);
    for tag in [tags::PAN_SEQUENCE_NUMBER, tags::CVM_RESULTS] {
        put(&mut data, tag.0, tx.tag_store.get(tag).unwrap());
    }
    data
}

fn put(data: &mut Vec<u8>, tag: u32, value: &[u8]) {
    data.extend(tag.to_be_bytes().into_iter().skip_while(|octet| *octet == 0));
    data.push(u8::try_from(value.len()).unwrap());
    data.extend_from_slice(value);
}

fn packed(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02X}")).collect()
}

/// Of the terminal and of the transaction.
const RESOLVED: [(u32, u8); 12] = [
    (0x95, 5),
    (0x9A, 3),
    (0x9C, 1),
    (0x5F2A, 2),
    (0x9F02, 6),
    (0x9F03, 6),
    (0x9F1A, 2),
    (0x9F33, 3),
    (0x9F35, 1),
    (0x9F37, 4),
    (0x9F1E, 8),
    (0x9F41, 4),
];

/// Tag 9C of a withdrawal.
pub const CASH: u8 = 0x01;

/// Any token will do: this switch is ours alone.
const TOKEN: &str = "peer-terminal-operator";
