//! A switch in memory and somebody who speaks to it in octets: what every story needs.
//!
//! Messages are put into the octets of a dialect, framed, given to [`Engine::handle_read`] as a
//! read of a socket would be, and the framed reply is taken apart again. Nothing between is
//! skipped; only the socket and the clock are absent.
#![allow(dead_code, reason = "each suite uses its part")]

pub mod chip;

use std::collections::BTreeMap;
use std::sync::Arc;

use cekr_emv::crypto::pin_block::encipher_format0;
use cekr_emv::keys::{Key, Zpk};
use cekr_emv::pin::Pin;
use cekr_iso8583::{
    CEKR87, Expiry, FieldSet, Framing, Header, ISO87ASCII, ISO87BINARY, Mti, Pan, Spec, Step, View,
    Writer,
};
use cekr_issuer::entry::{LoadSource, Name, Reference};
use cekr_issuer::policy::{Abuse, CashpointRequires, EcommerceRequires, Limits};
use cekr_issuer::{Amount, CardStatus, Channels, Controls, Entry, LocalDate, Now, Policy, Seq};
use cekr_switch::answers::AnswersConfig;
use cekr_switch::control::{ChannelsPatch, Control};
use cekr_switch::engine::{Engine, Link, MacRule, Outgoing, Ticket};
use cekr_switch::journal::{Journal, JournalConfig};
use cekr_switch::keyring::Keyring;
use cekr_switch::shard::{NewCard, Shard};

/// A dialect and the framing it goes by.
#[derive(Clone, Copy)]
pub struct Dialect {
    /// The format of messages.
    pub spec: &'static Spec,
    /// How they are told apart.
    pub framing: Framing,
}

/// The three dialects that every story is told in.
pub const DIALECTS: [Dialect; 3] = [
    Dialect { spec: &CEKR87, framing: Framing::Be2 },
    Dialect { spec: &ISO87ASCII, framing: Framing::Ascii4 },
    Dialect { spec: &ISO87BINARY, framing: Framing::Nac },
];

/// The default one.
pub const CEKR87_BE2: Dialect = DIALECTS[0];

/// 2026-11-22T10:00:00Z, a Sunday in Kranj.
pub const MORNING_MS: u64 = 1_795_341_600_000;

/// A day in milliseconds.
pub const DAY_MS: u64 = 86_400_000;

/// The first moment of every story.
pub const MORNING: Now = Now { unix_ms: MORNING_MS, local_date: LocalDate::new(2026, 11, 22) };

/// The moment `ms` after the first one; the world's local days begin at midnight UTC.
pub fn after_ms(ms: u64) -> Now {
    let unix_ms = MORNING_MS + ms;
    let mut days = unix_ms / DAY_MS - 20_454;
    // 20454 days after 1970-01-01 is 2026-01-01.
    let mut year = 2026;
    loop {
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let lengths = [31, if is_leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        for (month, length) in (1..).zip(lengths) {
            if days < length {
                return Now { unix_ms, local_date: LocalDate::new(year, month, days as u8 + 1) };
            }
            days -= length;
        }
        year += 1;
    }
}

/// A message as a terminal means it: elements by number, values as their ASCII characters.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Told {
    /// The message type.
    pub mti: u16,
    /// The elements; those of class b (52, 55, 64, 128) as the hexadecimal of their octets.
    pub elements: BTreeMap<u8, String>,
}

impl Told {
    /// A message without elements.
    pub fn new(mti: u16) -> Self {
        Self { mti, elements: BTreeMap::new() }
    }

    /// Sets an element.
    pub fn with(mut self, de: u8, value: impl ToString) -> Self {
        self.elements.insert(de, value.to_string());
        self
    }

    /// Takes elements away.
    pub fn without(mut self, elements: &[u8]) -> Self {
        self.elements.retain(|de, _| !elements.contains(de));
        self
    }

    /// The same message with another type.
    pub fn of_mti(mut self, mti: u16) -> Self {
        self.mti = mti;
        self
    }

    /// The element's characters.
    pub fn text(&self, de: u8) -> Option<&str> {
        self.elements.get(&de).map(String::as_str)
    }

    /// The element as a number.
    pub fn number(&self, de: u8) -> Option<u64> {
        self.text(de)?.parse().ok()
    }

    /// DE 39 of a reply.
    pub fn code(&self) -> &str {
        self.text(39).unwrap_or("(none)")
    }

    /// The octets of this message in a dialect, without a frame.
    pub fn octets(&self, spec: &Spec) -> Vec<u8> {
        let present: Vec<u8> = self.elements.keys().copied().collect();
        let mut out = [0; 4096];
        let mti = Mti::new(self.mti).unwrap();
        let mut writer = Writer::new(spec, mti, FieldSet::of(&present), &mut out).unwrap();
        for (de, value) in &self.elements {
            let written = match de {
                52 | 55 | 64 | 128 => writer.octets(*de, &hex_octets(value)),
                _ => writer.text(*de, value.as_bytes()),
            };
            written.unwrap_or_else(|error| panic!("DE {de} = {value:?}: {error:?}"));
        }
        let len = writer.finish().unwrap();
        out[..len].to_vec()
    }

    /// The same in its frame.
    pub fn framed(&self, dialect: Dialect) -> Vec<u8> {
        framed(dialect.framing, &self.octets(dialect.spec))
    }

    /// What a view shows.
    pub fn of(view: &View<'_>) -> Self {
        let characters = |de| {
            let field = view.field(de).unwrap();
            field.characters().map(char::from).collect::<String>()
        };
        let elements = view.present().iter().filter(|de| *de > 1).map(|de| (de, characters(de)));
        Self { mti: view.mti().number(), elements: elements.collect() }
    }
}

/// Puts a frame around octets, with a terminal's TPDU where there is one.
pub fn framed(framing: Framing, message: &[u8]) -> Vec<u8> {
    let mut out = vec![0; framing.header_len()];
    let header = Header { tpdu: [0x60, 0, 1, 0, 2] };
    framing.write_header(header, message.len(), &mut out).unwrap();
    out.extend_from_slice(message);
    out
}

/// Octets from hexadecimal.
pub fn hex_octets(hex: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digit).collect()
}

/// A reply as it left.
#[derive(Clone, Debug)]
pub struct Reply {
    /// What it says.
    pub told: Told,
    /// What it waits for.
    pub ticket: Ticket,
    /// Its octets, frame included.
    pub octets: Vec<u8>,
}

/// A card of a story.
#[derive(Clone, Debug)]
pub struct CardSpec {
    /// The handle.
    pub name: String,
    /// The number.
    pub pan: u64,
    /// YYMM.
    pub expiry: u16,
    /// The state.
    pub status: CardStatus,
    /// The ticks.
    pub ticks: Channels,
    /// Cents.
    pub balance: u64,
    /// The PIN.
    pub pin: &'static str,
    /// Whether limits apply.
    pub limited: bool,
}

/// ana of the built-in set: all ticks, 100.00 euros, PIN 1234.
pub fn ana() -> CardSpec {
    CardSpec {
        name: "ana".to_owned(),
        pan: 4_761_730_000_000_011,
        expiry: 3012,
        status: CardStatus::Active,
        ticks: Channels::ALL,
        balance: 100_00,
        pin: "1234",
        limited: true,
    }
}

/// The number of the `account`-th card of our range, with its check digit.
pub fn pan_of(account: u64) -> u64 {
    let body = 476_173_000_000_000 + account;
    (0..10).map(|check| body * 10 + check).find(|pan| luhn_holds(*pan)).unwrap()
}

/// The Luhn rule, written down once more.
pub fn luhn_holds(pan: u64) -> bool {
    let digits = pan.to_string();
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let value = u32::from(digit - b'0') * if place % 2 == 1 { 2 } else { 1 };
            value / 10 + value % 10
        })
        .sum();
    sum.is_multiple_of(10)
}

/// DE 52 in hexadecimal: this PIN for this card under the published zone key.
pub fn pin_block(pan: u64, pin: &str) -> String {
    let pin = Pin::parse(pin.as_bytes()).unwrap();
    let block = encipher_format0(&Key::<Zpk>::development(), &pin, pan);
    block.iter().map(|octet| format!("{octet:02X}")).collect()
}

/// The settings of most stories: nothing is required that simulated cards cannot give yet, and
/// nobody counts failures.
pub fn lenient() -> Policy {
    Policy {
        abuse: Abuse {
            card_failures: 0,
            bin_failures: 0,
            terminal_failures: 0,
            ..Abuse::default()
        },
        cashpoint_requires: CashpointRequires::Any,
        ecommerce_requires: EcommerceRequires::Tick,
        ..Policy::default()
    }
}

/// Limits that are all switched off.
pub fn no_limits() -> Limits {
    let zero = Amount::from_minor(0);
    Limits {
        cash_day: zero,
        cash_count_day: 0,
        pos_day: zero,
        online_day: zero,
        contactless_max: zero,
        contactless_sum: zero,
        load_day: zero,
        load_month: zero,
        balance_max: zero,
        ..Limits::default()
    }
}

/// A memory of answers that holds all that a story asks.
pub const ANSWERS: AnswersConfig = AnswersConfig { answers_max: 1 << 16, window_min_ms: 0 };

/// An empty shard over a journal, with keys that are the same each time.
pub fn shard_over(journal: Journal) -> Shard {
    let keyring = Keyring::ephemeral(&mut |out| out.fill(7));
    Shard::new(journal, keyring, ANSWERS)
}

/// A journal in memory that keeps what a story makes.
pub fn memory() -> Journal {
    Journal::memory(&JournalConfig { recent_max: 1 << 14, ..JournalConfig::default() })
}

/// A switch with cards, and a line to it.
pub struct Bank {
    /// The decision.
    pub engine: Arc<Engine>,
    /// What operators may ask.
    pub control: Control,
    /// The line.
    pub link: Link,
    /// The moment of the next message.
    pub now: Now,
    out: Outgoing,
}

impl Bank {
    /// A switch in memory.
    pub fn new(dialect: Dialect, policy: Policy, cards: &[CardSpec]) -> Self {
        Self::over(shard_over(memory()), dialect, policy, cards)
    }

    /// A switch over a shard; the cards are issued to it.
    pub fn over(shard: Shard, dialect: Dialect, policy: Policy, cards: &[CardSpec]) -> Self {
        for (mok_id, card) in (FIRST_MOK_ID..).zip(cards) {
            let pin = Some(Pin::parse(card.pin.as_bytes()).unwrap());
            let controls = Controls {
                status: card.status,
                ticks: card.ticks,
                expiry: Expiry::new(card.expiry).unwrap(),
                version: 0,
            };
            let new = NewCard {
                pan: Pan::from_number(card.pan).unwrap(),
                name: Name::new(&card.name).unwrap(),
                mok_id,
                controls,
                pin,
                limited: card.limited,
                balance: Amount::from_minor(card.balance),
            };
            shard.issue(new, MORNING).unwrap();
        }
        Self::around(shard, dialect, policy)
    }

    /// A switch over a shard that has its cards already.
    pub fn around(shard: Shard, dialect: Dialect, policy: Policy) -> Self {
        let shard = Arc::new(shard);
        let control = Control::new(Arc::clone(&shard), Arc::new(policy.clone()));
        let engine = Arc::new(Engine::new(shard, policy));
        let (spec, framing) = (dialect.spec, dialect.framing);
        let link = Link { id: 1, spec, framing, octets_max: 4_096, mac: MacRule::Off };
        Self { engine, control, link, now: MORNING, out: Outgoing::default() }
    }

    /// The shard.
    pub fn shard(&self) -> &Shard {
        self.engine.shard()
    }

    /// The line's dialect.
    pub fn dialect(&self) -> Dialect {
        Dialect { spec: self.link.spec, framing: self.link.framing }
    }

    /// Gives `input` as one read, which must be whole frames, and takes the replies.
    pub fn read(&mut self, input: &[u8]) -> Vec<Reply> {
        self.out.clear();
        let consumed = self.engine.handle_read(&self.link, input, self.now, &mut self.out).unwrap();
        assert_eq!(consumed, input.len(), "whole frames are taken whole");
        let bytes = self.out.bytes();
        let spans: Vec<_> = self.out.spans.iter().collect();
        let replies = spans.iter().map(|span| {
            let octets = bytes[span.start as usize..span.end as usize].to_vec();
            let Step::Message { message, consumed, .. } =
                self.link.framing.next(&octets, 4_096).unwrap()
            else {
                panic!("a reply is one frame")
            };
            assert_eq!(consumed, octets.len(), "and nothing besides");
            let told = Told::of(&View::parse(self.link.spec, message).unwrap());
            Reply { told, ticket: span.ticket, octets }
        });
        replies.collect()
    }

    /// Sends one message that is answered.
    pub fn ask(&mut self, message: &Told) -> Told {
        let replies = self.read(&message.framed(self.dialect()));
        assert_eq!(replies.len(), 1, "{} is answered once", message.mti);
        replies.into_iter().next().unwrap().told
    }

    /// Balance and available of a card, in cents.
    pub fn money(&self, name: &str) -> (i64, i64) {
        let id = self.control.find(name).unwrap();
        let card = self.shard().snapshot(id).unwrap();
        (card.balance.minor(), card.available.minor())
    }

    /// What the newest entry is.
    pub fn newest(&self) -> &'static str {
        self.entries().last().unwrap().kind()
    }

    /// All entries so far.
    pub fn entries(&self) -> Vec<Entry> {
        let last = self.shard().journal().appended().0;
        (1..=last).map(|seq| self.shard().entry(Seq(seq)).unwrap()).collect()
    }

    /// The books balance, and agree with the cards; replayed, the journal gives the same cards.
    pub fn audit(&self) {
        let fresh = shard_over(memory());
        for seq in 1..=self.shard().journal().appended().0 {
            let octets = self.shard().journal().entry(Seq(seq)).unwrap();
            fresh.replay(Seq(seq), &octets).unwrap();
        }
        self.audit_against(&fresh);
    }

    /// The same, with a shard that was given the journal's entries.
    pub fn audit_against(&self, replayed: &Shard) {
        let shard = self.shard();
        let (books, seen) = shard.books();
        assert_eq!(seen, shard.journal().durable(), "the books have seen every entry");
        assert_eq!(books.sum(), 0, "all accounts sum to zero");
        same_cards(shard, replayed);
        let cards = (0..shard.cards().len()).map(|id| shard.cards().by_id(id_of(id)).unwrap());
        let (mut balance, mut held) = (0, 0);
        for cell in cards {
            let card = cell.lock();
            balance += i128::from(card.balance().minor());
            held += i128::from(card.held().minor());
        }
        assert_eq!(books.total(cekr_issuer::books::Account::CardLiability), balance);
        assert_eq!(books.held(), held, "holds of the books and of the cards");
        let suspense = shard.statements().lock().total();
        assert_eq!(books.total(cekr_issuer::books::Account::Suspense), suspense);
    }
}

/// The number on the back of the first card; the others' follow.
pub const FIRST_MOK_ID: u32 = 100_000_001;

/// The card with this ordinal.
pub fn id_of(ordinal: u32) -> cekr_issuer::CardId {
    cekr_issuer::CardId(ordinal)
}

/// Both shards hold the same cards and know the same of statements, bit for bit.
pub fn same_cards(one: &Shard, other: &Shard) {
    assert_eq!(one.cards().len(), other.cards().len());
    for ordinal in 0..one.cards().len() {
        let (one, other) = (one.cards().by_id(id_of(ordinal)), other.cards().by_id(id_of(ordinal)));
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!(*one.lock(), *other.lock(), "card {ordinal} after replay");
        assert_eq!(one.controls(), other.controls(), "controls of card {ordinal} after replay");
        assert_eq!(one.pan(), other.pan());
    }
    let (one, other) = (one.statements().lock(), other.statements().lock());
    assert_eq!(*one, *other, "statements after replay");
}

/// Tells a story in every dialect to ana's bank, and audits the books at its end.
pub fn in_every_dialect(policy: &Policy, story: impl Fn(&mut Bank)) {
    for dialect in DIALECTS {
        let mut bank = Bank::new(dialect, policy.clone(), &[ana()]);
        story(&mut bank);
        bank.audit();
    }
}

/// ana brings money.
pub fn load(bank: &Bank, cents: u64, reference: &str) {
    let id = bank.control.find("ana").unwrap();
    let (amount, reference) = (Amount::from_minor(cents), Reference::new(reference).unwrap());
    bank.control.load(id, amount, LoadSource::BranchCash, reference, bank.now).unwrap();
}

/// ana ticks or unticks.
pub fn tick(bank: &Bank, patch: ChannelsPatch) {
    let id = bank.control.find("ana").unwrap();
    bank.control.set_channels(id, patch, bank.now).unwrap();
}

/// A purchase in a shop in Kranj, by key entry; `stan` makes it one of its own.
pub fn purchase(card: &CardSpec, stan: u32, cents: u64) -> Told {
    Told::new(200)
        .with(2, card.pan)
        .with(3, "000000")
        .with(4, format!("{cents:012}"))
        .with(7, "1122100000")
        .with(11, format!("{stan:06}"))
        .with(12, "110000")
        .with(13, "1122")
        .with(14, format!("{:04}", card.expiry))
        .with(18, "5411")
        .with(22, "012")
        .with(25, "00")
        .with(32, "408972")
        .with(37, format!("632610{stan:06}"))
        .with(41, "POS00001")
        .with(42, "KRANJ0000000001")
        .with(43, "MERCATOR                 KRANJ        SI")
        .with(49, "978")
}

/// The same in Zagreb.
pub fn purchase_abroad(card: &CardSpec, stan: u32, cents: u64) -> Told {
    purchase(card, stan, cents)
        .with(43, "KONZUM                   ZAGREB       HR")
        .with(41, "POSHR001")
}

/// In a web shop in Slovenia.
pub fn purchase_online(card: &CardSpec, stan: u32, cents: u64) -> Told {
    purchase(card, stan, cents)
        .of_mti(100)
        .with(22, "812")
        .with(25, "59")
        .with(41, "WEB00001")
        .with(43, "MIMOVRSTE                LJUBLJANA    SI")
}

/// Cash at a machine in Kranj, with the card's PIN.
pub fn withdrawal(card: &CardSpec, stan: u32, cents: u64) -> Told {
    purchase(card, stan, cents)
        .with(3, "010000")
        .with(18, "6011")
        .with(22, "901")
        .with(25, "02")
        .with(41, "ATM00001")
        .with(52, pin_block(card.pan, card.pin))
}

/// How much is there.
pub fn balance_inquiry(card: &CardSpec, stan: u32) -> Told {
    withdrawal(card, stan, 0).with(3, "310000").without(&[4])
}

/// DE 90 of a message.
pub fn original_of(message: &Told) -> String {
    let part = |de| message.text(de).unwrap();
    format!("{:04}{}{}{:0>11}{:011}", message.mti, part(11), part(7), part(32), 0)
}

/// A reversal of all of `original`, by DE 90.
pub fn reversal(original: &Told, mti: u16, stan: u32) -> Told {
    Told { mti, ..original.clone() }
        .with(11, format!("{stan:06}"))
        .with(7, "1122100500")
        .with(90, original_of(original))
        .without(&[14, 22, 25, 48, 52, 54])
}

/// DE 95: so much did happen.
pub fn actual(cents: u64) -> String {
    format!("{cents:012}{:012}D{:08}D{:08}", 0, 0, 0)
}

/// A hotel's first word on the amount: DE 25 = 06.
pub fn preauth(card: &CardSpec, stan: u32, cents: u64) -> Told {
    purchase(card, stan, cents).of_mti(100).with(25, "06").with(18, "7011")
}

/// More on top of what is set aside for `hold`, named by DE 90.
pub fn increment(card: &CardSpec, hold: &Told, stan: u32, cents: u64) -> Told {
    preauth(card, stan, cents).with(90, original_of(hold))
}

/// The last word on the amount of `hold`, named by DE 90.
pub fn completion(hold: &Told, stan: u32, cents: u64) -> Told {
    Told { mti: 220, ..hold.clone() }
        .with(4, format!("{cents:012}"))
        .with(7, "1122110000")
        .with(11, format!("{stan:06}"))
        .with(90, original_of(hold))
        .without(&[14, 22, 28, 48, 52, 54])
}

/// Money given back by a shop.
pub fn refund(card: &CardSpec, stan: u32, cents: u64) -> Told {
    purchase(card, stan, cents).with(3, "200000")
}

/// Asks for something that is approved with 00, and gives the reply.
pub fn approved(bank: &mut Bank, told: &Told) -> Told {
    let reply = bank.ask(told);
    assert_eq!((reply.code(), reply.mti), ("00", (told.mti & !1) + 10), "{told:?}");
    reply
}
