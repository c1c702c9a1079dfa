//! Real messages against one card, without a switch: parse, decide, apply, answer.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each suite uses its part"
)]

use std::collections::BTreeMap;

use cekr_iso8583::{CEKR87, Expiry, FieldSet, Mti, View, Writer};
use cekr_issuer::books::Books;
use cekr_issuer::decide::entry;
use cekr_issuer::entry::{Issued, LoadName, LoadSource, Loaded, Name, Reference};
use cekr_issuer::policy::{CashpointRequires, EcommerceRequires, Limits};
use cekr_issuer::{
    Amount, Answer, Balance, Card, CardId, CardStatus, Channels, Controls, Entry, Fact, Inbound,
    LocalDate, Now, OriginalSeen, Policy, Proofs, Reason, Reject, Signals, decide, snapshot,
};

/// 2026-11-22T10:00:00Z.
pub const NOW: Now = Now { unix_ms: 1_795_341_600_000, local_date: LocalDate::new(2026, 11, 22) };

/// A vector file of the project.
pub fn vectors(name: &str) -> serde_json::Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/domain/");
    let text = std::fs::read_to_string(format!("{folder}{name}")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A message by the characters of its elements.
#[derive(Clone, Debug)]
pub struct Message {
    mti: u16,
    elements: BTreeMap<u8, String>,
}

impl Message {
    /// A purchase in a shop in Kranj.
    pub fn purchase(stan: u32, cents: u64) -> Self {
        let elements = [
            (2, "4761730000000011".to_owned()),
            (3, "000000".to_owned()),
            (4, format!("{cents:012}")),
            (7, "1122100000".to_owned()),
            (11, format!("{stan:06}")),
            (14, "3012".to_owned()),
            (18, "5411".to_owned()),
            (22, "012".to_owned()),
            (25, "00".to_owned()),
            (32, "408972".to_owned()),
            (37, format!("632610{stan:06}")),
            (41, "POS00001".to_owned()),
            (42, "KRANJ0000000001".to_owned()),
            (43, "MERCATOR                 KRANJ        SI".to_owned()),
            (49, "978".to_owned()),
        ];
        Self { mti: 200, elements: elements.into() }
    }

    /// Cash at a machine in Kranj.
    pub fn withdrawal(stan: u32, cents: u64) -> Self {
        Self::purchase(stan, cents).with(3, "010000").with(18, "6011").with(41, "ATM00001")
    }

    /// A reversal of this message, named by DE 90.
    pub fn reversed(&self, mti: u16, stan: u32) -> Self {
        let own = |de| self.elements[&de].clone();
        let original = format!("{:04}{}{}{:0>11}{:011}", self.mti, own(11), own(7), own(32), 0);
        let reversal = self.clone().of_mti(mti).with(90, original);
        reversal.with(11, format!("{stan:06}")).with(7, "1122100500")
    }

    /// Sets an element.
    pub fn with(mut self, de: u8, value: impl ToString) -> Self {
        self.elements.insert(de, value.to_string());
        self
    }

    /// Takes an element away.
    pub fn without(mut self, de: u8) -> Self {
        self.elements.remove(&de);
        self
    }

    /// The same with another type.
    pub fn of_mti(mut self, mti: u16) -> Self {
        self.mti = mti;
        self
    }

    /// The message in `cekr87`.
    pub fn octets(&self) -> Vec<u8> {
        let present: Vec<u8> = self.elements.keys().copied().collect();
        let mut out = [0; 1024];
        let mti = Mti::new(self.mti).unwrap();
        let mut writer = Writer::new(&CEKR87, mti, FieldSet::of(&present), &mut out).unwrap();
        for (de, value) in &self.elements {
            writer.text(*de, value.as_bytes()).unwrap();
        }
        let len = writer.finish().unwrap();
        out[..len].to_vec()
    }
}

/// Settings under which whatever comes is judged and nothing must.
pub fn lenient() -> Policy {
    let off = Amount::from_minor(0);
    Policy {
        cashpoint_requires: CashpointRequires::Any,
        ecommerce_requires: EcommerceRequires::Tick,
        limits: Limits {
            cash_day: off,
            cash_count_day: 0,
            pos_day: off,
            online_day: off,
            ..Limits::default()
        },
        ..Policy::default()
    }
}

/// One card with everything that happened to it.
pub struct Account {
    /// The card.
    pub card: Card,
    /// The settings.
    pub policy: Policy,
    /// The moment of the next message.
    pub now: Now,
    /// Every entry so far.
    pub entries: Vec<Entry>,
}

impl Account {
    /// A card with these ticks and this much on it.
    pub fn new(ticks: Channels, cents: u64) -> Self {
        let controls = Controls {
            status: CardStatus::Active,
            ticks,
            expiry: Expiry::new(3012).unwrap(),
            version: 0,
        };
        let issued = Issued {
            sealed_pan: [0; 24],
            controls,
            mok_id: 1,
            pvv: None,
            limited: true,
            name: Name::new("ana").unwrap(),
            opening: Amount::default(),
        };
        let card = Card::issued(CardId(0), &issued);
        let mut account = Self { card, policy: lenient(), now: NOW, entries: Vec::new() };
        account.enter(Fact::Issued(issued));
        let amount = Amount::from_minor(cents);
        let balance = Balance::ZERO.plus(amount);
        account.enter(Fact::Loaded(Loaded {
            amount,
            source: LoadSource::Opening,
            name: LoadName::Reference(Reference::new("opening").unwrap()),
            balance,
            available: balance,
        }));
        account
    }

    /// Makes an entry and applies it.
    pub fn enter(&mut self, fact: Fact) -> Answer {
        let made = entry(&self.card, self.now, fact);
        let seq = self.card.last_seq().next();
        self.card.apply(seq, &made);
        let answer = Answer::of_entry(seq, &made);
        self.entries.push(made);
        answer.unwrap_or_else(|| Reason::Internal.into())
    }

    /// What a message is answered.
    pub fn ask(&mut self, message: &Message) -> Answer {
        while let Some(fact) = self.card.due(self.now) {
            self.enter(fact);
        }
        let octets = message.octets();
        let view = View::parse(&CEKR87, &octets).unwrap();
        let request = match Inbound::parse(&view, 1) {
            Ok(Inbound::Card(request)) => request,
            Ok(Inbound::File(_) | Inbound::Network(_) | Inbound::Reconciliation(_)) => {
                panic!("it is about a card")
            }
            Err(Reject::Answer(reason)) => return reason.into(),
            Err(Reject::IsAnswer) => panic!("it is a request"),
        };
        let signals = Signals { original: OriginalSeen::Unseen, ..Signals::default() };
        let decision =
            decide(&request, &Proofs::default(), &self.card, &signals, self.now, &self.policy);
        match decision.fact(&request, &Proofs::default(), &self.card) {
            Some(fact) => self.enter(fact),
            None => Answer::of_decision(&decision),
        }
    }

    /// DE 39 of what a message is answered.
    pub fn code(&mut self, message: &Message) -> String {
        let code = self.ask(message).reason.response_code();
        String::from_utf8(code.to_vec()).unwrap()
    }

    /// Balance and available in cents.
    pub fn money(&self) -> (i64, i64) {
        (self.card.balance().minor(), self.card.available().minor())
    }

    /// The books balance and agree with the card, and its entries give the card again.
    pub fn audit(&self) {
        let mut books = Books::default();
        let mut again = Card::unknown();
        for (seq, entry) in (1..).zip(&self.entries) {
            books.add(entry);
            let read = Entry::decode(&entry.encode()).unwrap();
            assert_eq!(read, *entry);
            again.apply(cekr_issuer::Seq(seq), &read);
        }
        assert_eq!(books.sum(), 0);
        let liability = books.total(cekr_issuer::books::Account::CardLiability);
        assert_eq!(liability, i128::from(self.card.balance().minor()));
        assert_eq!(books.held(), i128::from(self.card.held().minor()));
        assert_eq!(again, self.card, "the entries give the card again");
        let mut octets = Vec::new();
        snapshot::encode(&self.card, &mut octets);
        assert_eq!(snapshot::decode(&octets).as_ref(), Ok(&self.card), "so does its state");
    }
}
