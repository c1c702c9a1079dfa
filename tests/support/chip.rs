//! Chips of the tests, under the published test keys: one that seals whatever a message says, and a
//! real simulated one in a terminal.
//!
//! [`Sealed`] is no card: it answers no commands and keeps no counter, so that a story can have it
//! say whatever a forger would. [`Inserted`] is one, with the kernel of a terminal around it.

use cekr_emv::CardNumber;
use cekr_emv::chip::Chip;
use cekr_emv::crypto::cvn::{Rules, Scheme, Transaction};
use cekr_emv::crypto::pin_block;
use cekr_emv::data::{Cid, CvmResults};
use cekr_emv::issuer::Request;
use cekr_emv::keys::{ImkAc, Key};
use cekr_emv::pin::Pin;
use cekr_emv::terminal::Interface;
use cekr_emv::tlv::Writer;
use cekr_iso8583::Pan;
use cekr_terminal_sim::card::Card;
use cekr_terminal_sim::chip_session::{Ask, ChipSession, End, IssuerProof, kind};
use cekr_terminal_sim::device::reader::{
    ANSWER_OCTETS_MAX, ATR_OCTETS_MAX, CardReader, ChipSlot, ReaderError,
};
use cekr_terminal_sim::form::{Entry, PinPad, Tender};
use cekr_terminal_sim::moment::Moment;
use cekr_terminal_sim::place::Place;
use cekr_terminal_sim::reply::Reply;

use super::{Bank, CardSpec, Told};

/// What a chip and its terminal say of one transaction.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// The values that are sealed.
    pub transaction: Transaction,
    /// Issuer application data.
    pub issuer_data: Vec<u8>,
    /// How the holder was verified, as the terminal tells it.
    pub cvm_results: [u8; 3],
    /// The kind of cryptogram that the terminal tells.
    pub information: u8,
}

/// A purchase or withdrawal of `cents` at the counter `atc`, by a card of version 18.
pub fn sealed(atc: u16, cents: u64) -> Sealed {
    Sealed {
        transaction: Transaction {
            amount: packed(cents),
            amount_other: [0; 6],
            country: [0x07, 0x05],
            tvr: [0x00, 0x00, 0x00, 0x80, 0x00],
            currency: [0x09, 0x78],
            date: [0x26, 0x11, 0x22],
            kind: 0,
            unpredictable_number: [1, 2, 3, 4],
            aip: [0x3D, 0x00],
            atc: atc.to_be_bytes(),
        },
        issuer_data: vec![0x06, 0x01, 0x12, 0x03, 0xA0, 0x00, 0x00],
        cvm_results: [0x1F, 0x03, 0x02],
        information: 0x80,
    }
}

fn packed(cents: u64) -> [u8; 6] {
    let digits = format!("{cents:012}").into_bytes();
    let mut octets = [0; 6];
    for (octet, pair) in octets.iter_mut().zip(digits.chunks(2)) {
        *octet = (pair[0] & 0x0F) << 4 | (pair[1] & 0x0F);
    }
    octets
}

impl Sealed {
    /// The same by another version: 0x0A is 10, 0x12 is 18.
    pub fn of_version(mut self, version: u8) -> Self {
        self.issuer_data[2] = version;
        self
    }

    /// The cryptogram of the card `pan`, sequence number 01.
    pub fn cryptogram(&self, pan: u64) -> [u8; 8] {
        let card = CardNumber::from_number(pan).unwrap();
        let rules = Rules::of(Scheme::Visa, &self.issuer_data).unwrap();
        let imk = Key::<ImkAc>::development();
        let mk = rules.card_key(&imk, card, 0x01);
        let Transaction { atc, unpredictable_number, .. } = self.transaction;
        let sk = rules.session_key(&mk, atc, unpredictable_number);
        let pieces = rules.sealed_of(&self.issuer_data).unwrap();
        rules.cryptogram(&sk, &self.transaction, pieces)
    }

    /// DE 55 in hexadecimal, with the cryptogram of the card `pan`.
    pub fn hex(&self, pan: u64) -> String {
        let request = Request {
            transaction: self.transaction,
            cryptogram: self.cryptogram(pan),
            information: Cid(self.information),
            issuer_data: &self.issuer_data,
            sequence: Some(0x01),
            cvm_results: Some(CvmResults(self.cvm_results)),
            script_results: None,
        };
        let mut room = [0; 255];
        let mut writer = Writer::new(&mut room);
        request.write(&mut writer).unwrap();
        writer.written().iter().map(|octet| format!("{octet:02X}")).collect()
    }

    /// `message` as a terminal with a chip in it sends it.
    pub fn within(&self, message: Told, pan: u64) -> Told {
        message.with(22, "051").with(23, "001").with(55, self.hex(pan))
    }
}

/// Tag 91 of a reply.
pub fn issuer_answer(reply: &Told) -> Option<Vec<u8>> {
    let data = super::hex_octets(reply.text(55)?);
    cekr_emv::tlv::value_of(&data, 0x91).map(<[u8]>::to_vec)
}

/// A real simulated chip in the reader of a till or a cashpoint.
pub struct Inserted {
    /// The terminal's kernel with its reader.
    pub session: ChipSession<Line>,
    card: Card,
    place: Place,
}

/// A reader that can keep the issuer's commands from its chip.
pub struct Line {
    /// The slot with the chip.
    pub slot: ChipSlot,
    /// Whether commands with secure messaging are answered by the reader itself: not now.
    pub withholds: bool,
    /// The commands with secure messaging that came by.
    pub scripts: Vec<Vec<u8>>,
}

impl CardReader for Line {
    fn power_on(&mut self, atr: &mut [u8]) -> Result<usize, ReaderError> {
        self.slot.power_on(atr)
    }

    fn transmit(&mut self, command: &[u8], answer: &mut [u8]) -> Result<usize, ReaderError> {
        if matches!(command.first(), Some(0x84 | 0x04)) && command.get(1) != Some(&0x84) {
            self.scripts.push(command.to_vec());
            if self.withholds {
                answer[..2].copy_from_slice(&[0x69, 0x85]);
                return Ok(2);
            }
        }
        self.slot.transmit(command, answer)
    }

    fn power_off(&mut self) {
        self.slot.power_off();
    }
}

/// SELECT of the application.
const SELECT: &[u8] = b"\x00\xA4\x04\x00\x07\xA0\x00\x00\x00\x03\x10\x10\x00";

/// What one transaction came to.
#[derive(Debug)]
pub struct Played {
    /// The request, as it was sent.
    pub request: Told,
    /// The reply.
    pub reply: Told,
    /// How card and terminal ended it.
    pub end: End,
}

impl Inserted {
    /// The chip of `card`, whose counter stands at zero, at a cashpoint.
    pub fn new(card: &CardSpec) -> Self {
        let pan = Pan::from_number(card.pan).unwrap();
        let place = Place::cashpoint("Bankomat Kranj", "Kranj", *b"SI");
        let held = Card::new(&card.name, pan, card.expiry).unwrap();
        let mut slot = ChipSlot::new(card.pan);
        slot.insert(held.development_chip(&Pin::parse(card.pin.as_bytes()).unwrap(), 0).unwrap());
        let line = Line { slot, withholds: false, scripts: Vec::new() };
        let session = ChipSession::new(line, &place, PinPad::Present, IssuerProof::Required, 1);
        Self { session, card: held, place }
    }

    /// The chip.
    pub fn chip(&mut self) -> &mut Chip {
        self.session.reader.slot.chip().unwrap()
    }

    /// Gives the chip a command after it was selected, outside a transaction; it must take it.
    pub fn run(&mut self, command: &[u8]) {
        let mut answer = [0; ANSWER_OCTETS_MAX];
        self.session.reader.power_on(&mut [0; ATR_OCTETS_MAX]).unwrap();
        self.session.reader.transmit(SELECT, &mut answer).unwrap();
        let len = self.session.reader.transmit(command, &mut answer).unwrap();
        assert_eq!(&answer[..len], [0x90, 0x00], "{command:02X?}");
    }

    /// Whether the chip's own PIN is this one. A copy of the chip is asked: nothing changes.
    pub fn has_pin(&mut self, digits: &str) -> bool {
        let mut chip = self.chip().clone();
        chip.reset([1; 32]);
        let mut answer = [0; ANSWER_OCTETS_MAX];
        chip.process(SELECT, &mut answer);
        chip.process(b"\x80\xA8\x00\x00\x08\x83\x06\xE0\xF8\xC8\x07\x05\x22\x00", &mut answer);
        let pin = Pin::parse(digits.as_bytes()).unwrap();
        let block = pin_block::encode_format2(&pin);
        let command = [&[0x00, 0x20, 0x00, 0x80, 0x08], &block[..]].concat();
        let len = chip.process(&command, &mut answer);
        answer[..len] == [0x90, 0x00]
    }

    /// Plays `message` with the chip's part in it; `None` where the chip ends it before the issuer
    /// is asked.
    pub fn play(&mut self, bank: &mut Bank, message: Told) -> Option<Played> {
        let cents = message.number(4).unwrap_or(0);
        let kind = match message.text(3).unwrap() {
            "010000" => kind::CASH,
            "310000" => kind::BALANCE,
            "920000" => kind::PIN_CHANGE,
            _ => kind::PURCHASE,
        };
        let ask = Ask { amount: cents, cashback: 0, kind, interface: Interface::Contact };
        self.session.relocate(&self.place);
        let now = Moment::from_unix_ms(super::MORNING_MS);
        let pause = self.session.begin(ask, now);
        // The PIN of the message is the test's business.
        let pin = Pin::parse(b"0000").unwrap();
        let mut tender = Tender::new(self.card.clone(), Entry::Chip).with_pin(&pin);
        self.session.go_online(pause, &mut tender).ok()?;
        let data = tender.chip.unwrap().data;
        let hex: String = data.iter().map(|octet| format!("{octet:02X}")).collect();
        let request = message.with(22, "051").with(23, "001").with(55, hex);
        let reply = bank.ask(&request);
        let chip_data = reply.text(55).map(super::hex_octets).unwrap_or_default();
        let code = reply.code().as_bytes().try_into().ok();
        let end =
            self.session.answered(&Reply { response_code: code, chip_data, ..Reply::default() });
        Some(Played { request, reply, end })
    }
}
