//! A chip of the tests: it seals what a message says under the published test keys.
//!
//! It is no card: it answers no commands and keeps no counter, so that a story can have it say
//! whatever a forger would.

use cekr_emv::CardNumber;
use cekr_emv::crypto::cvn::{Rules, Scheme, Transaction};
use cekr_emv::keys::{ImkAc, Key};
use cekr_emv::tlv::Writer;

use super::Told;

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
        let t = &self.transaction;
        let cryptogram = self.cryptogram(pan);
        let mut room = [0; 255];
        let mut writer = Writer::new(&mut room);
        for (tag, value) in [
            (0x82, &t.aip[..]),
            (0x95, &t.tvr),
            (0x9A, &t.date),
            (0x9C, &[t.kind]),
            (0x5F2A, &t.currency),
            (0x5F34, &[0x01]),
            (0x9F02, &t.amount),
            (0x9F03, &t.amount_other),
            (0x9F10, &self.issuer_data),
            (0x9F1A, &t.country),
            (0x9F26, &cryptogram),
            (0x9F27, &[self.information]),
            (0x9F34, &self.cvm_results),
            (0x9F36, &t.atc),
            (0x9F37, &t.unpredictable_number),
        ] {
            writer.put(tag, value).unwrap();
        }
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
