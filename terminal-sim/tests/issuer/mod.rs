//! An issuer as small as one can be: it checks each cryptogram and proves itself, or lies.
#![allow(dead_code, reason = "each test file uses its part of it")]

use cekr_emv::CardNumber;
use cekr_emv::issuer::{Card, Entry, Letter, Outcome, Profile, Request, Told, verify};
use cekr_emv::keys::{ImkAc, Key};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::support::{answer_with_chip, messages, mti, text, view};

/// What the issuer does wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Lie {
    /// It declines all with this code, and proves it.
    Declines([u8; 2]),
    /// It approves and proves nothing.
    NoProof,
    /// Nothing.
    None,
    /// It approves with a proof of another key.
    WrongProof,
}

/// What it saw of one message.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) mti: u16,
    pub(crate) letter: Option<Letter>,
    pub(crate) atc: u16,
    pub(crate) entry: Option<u64>,
    pub(crate) sequence: Option<u64>,
    pub(crate) track2: Option<String>,
    pub(crate) has_pin: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Issuer {
    pub(crate) lie: Lie,
}

impl Issuer {
    /// Answers one connection after the other; tells what it saw.
    pub(crate) async fn listen(self) -> (String, UnboundedReceiver<Seen>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (tell, told) = unbounded_channel();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut pending = vec![];
                let mut buffer = vec![0; 65_536];
                while let Ok(len @ 1..) = stream.read(&mut buffer).await {
                    pending.extend_from_slice(&buffer[..len]);
                    let whole = messages(&pending);
                    let taken: usize = whole.iter().map(|message| message.len() + 2).sum();
                    pending.drain(..taken);
                    for message in whole {
                        let (seen, reply) = self.answer(&message);
                        // A test that has seen enough listens no more.
                        let _ = tell.send(seen);
                        stream.write_all(&reply).await.unwrap();
                    }
                }
            }
        });
        (address, told)
    }

    /// What it saw, and its framed answer.
    pub(crate) fn answer(self, message: &[u8]) -> (Seen, Vec<u8>) {
        let it = view(message);
        let mut room = [0; 999];
        let data = it.field(55).and_then(|field| Some(field.octets(&mut room)?.to_vec()));
        let mut seen = Seen {
            mti: mti(message),
            letter: None,
            atc: 0,
            entry: it.number(22),
            sequence: it.number(23),
            track2: text(message, 35),
            has_pin: it.has(52),
        };
        let is_cash = it.number(18) == Some(6011) && it.has(4);
        let fee = is_cash.then_some(15_00);
        let Some(data) = data else { return (seen, answer_with_chip(message, b"00", fee, &[])) };
        let request = Request::parse(&data).unwrap();
        let imk = match self.lie {
            Lie::WrongProof => Key::<ImkAc>::from_octets(&[0x5A; 16]).unwrap(),
            Lie::Declines(_) | Lie::NoProof | Lie::None => Key::<ImkAc>::development(),
        };
        let number = CardNumber::from_number(it.number(2).unwrap()).unwrap();
        let told = Told {
            amount: it.number(4),
            currency: 978,
            sequence: it.number(23).map(|sequence| sequence as u16),
            entry: Entry::of_mode((it.number(22).unwrap() / 10) as u8),
            date: None,
        };
        let card = Card { number, sequence: 0x01 };
        let verdict = verify(&request, &told, &imk, &card, &Profile::PREPAID, None);
        seen.letter = Some(verdict.letter);
        seen.atc = u16::from_be_bytes(request.transaction.atc);
        let (code, outcome) = match (self.lie, verdict.letter) {
            (Lie::Declines(code), _) => (code, Outcome::Declined),
            (Lie::NoProof | Lie::WrongProof, _) | (Lie::None, Letter::C) => {
                (*b"00", Outcome::Approved)
            }
            (Lie::None, _) => (*b"82", Outcome::Declined),
        };
        let proof = match (self.lie, verdict.proven) {
            (Lie::NoProof, _) => vec![],
            (Lie::WrongProof, _) => [&[0x91, 8][..], &[0xAA; 8]].concat(),
            (Lie::Declines(_) | Lie::None, None) => vec![],
            (Lie::Declines(_) | Lie::None, Some(proven)) => {
                let proof = proven.answer(code, outcome);
                [&[0x91, proof.octets().len() as u8][..], proof.octets()].concat()
            }
        };
        (seen, answer_with_chip(message, &code, fee, &proof))
    }
}
