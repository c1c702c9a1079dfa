//! What the benches share: messages of realistic shape, and engines with many cards.

pub mod loopback;

use cekr_emv::pin::Pin;
use cekr_iso8583::{
    CEKR87, CurrencyCode, Expiry, FieldSet, Framing, Header, Mti, Pan, Spec, View, Writer,
};
use cekr_issuer::entry::Name;
use cekr_issuer::policy::{CashpointRequires, EcommerceRequires};
use cekr_issuer::{
    Amount, CardId, CardStatus, Channels, ConfirmationId, Controls, LocalDate, NewConfirmation,
    Now, Payee, Policy, SecondFactor,
};
use cekr_switch::answers::AnswersConfig;
use cekr_switch::config::{self, PolicyConfig};
use cekr_switch::control::Control;
use cekr_switch::engine::{Engine, Link, MacRule};
use cekr_switch::journal::{Journal, JournalConfig};
use cekr_switch::keyring::Keyring;
use cekr_switch::shard::{NewCard, Shard};
use cekr_switch::sync::Arc;

/// The moment of every bench: a Sunday noon in Kranj.
pub const NOW: Now = Now { unix_ms: 1_795_345_200_000, local_date: LocalDate::new(2026, 11, 22) };

/// The `n`th card number of the bench range.
pub fn pan(n: u64) -> Pan {
    let body = 476_173_000_000_000 + n;
    (0..10).find_map(|check| Pan::from_number(body * 10 + check).ok()).expect("a check digit")
}

/// An 18-field 0100 of a purchase in Kranj by card `n`, without framing: it holds money.
pub fn authorization(spec: &Spec, n: u64) -> Vec<u8> {
    message(spec, 100, n)
}

/// The same as 0200: it posts at once.
pub fn financial(spec: &Spec, n: u64) -> Vec<u8> {
    message(spec, 200, n)
}

/// An 0200 of a web shop with the value that it got for a confirmed purchase (DE 48 ids 42, 43).
pub fn ecommerce(n: u64, cavv: &[u8; 20]) -> Vec<u8> {
    let text = cekr_iso8583::subfield::cavv_text(cavv);
    let private = [b"4202054328", text.as_slice()].concat();
    written(&CEKR87, 200, n, &[(22, 812), (25, 59)], Some(&private))
}

fn message(spec: &Spec, mti: u16, n: u64) -> Vec<u8> {
    written(spec, mti, n, &[(22, 51), (25, 0)], None)
}

fn written(
    spec: &Spec,
    mti: u16,
    n: u64,
    entry: &[(u8, u64); 2],
    private: Option<&[u8]>,
) -> Vec<u8> {
    let mut fields =
        FieldSet::of(&[2, 3, 4, 7, 11, 12, 13, 14, 18, 19, 22, 25, 32, 37, 41, 42, 43, 49]);
    if private.is_some() {
        fields = fields.union(FieldSet::of(&[48]));
    }
    let mut out = vec![0; 1_024];
    let mut writer =
        Writer::new(spec, Mti::new(mti).expect("four digits"), fields, &mut out).expect("room");
    let numbers = |writer: &mut Writer<'_, '_>, list: &[(u8, u64)]| {
        for (de, value) in list {
            writer.number(*de, *value).expect("a number of the element's length");
        }
    };
    numbers(
        &mut writer,
        &[
            (2, pan(n).expose()),
            (3, 0),
            (4, 24_90),
            (7, 1_122_101_500),
            (11, 123),
            (12, 111_500),
            (13, 1_122),
            (14, 3_012),
            (18, 5_411),
            (19, 705),
        ],
    );
    numbers(&mut writer, entry);
    numbers(&mut writer, &[(32, 408_972)]);
    writer.text(37, b"632611000123").expect("DE 37");
    writer.text(41, b"POS00001").expect("DE 41");
    writer.text(42, b"000000008074720").expect("DE 42");
    writer.text(43, b"MERCATOR SLOVENSKI TRG    KRANJ       SI").expect("DE 43");
    if let Some(private) = private {
        writer.text(48, private).expect("DE 48");
    }
    writer.text(49, b"978").expect("DE 49");
    let len = writer.finish().expect("all fields were written");
    out.truncate(len);
    out
}

/// A framed message whose trace number and time can be set in place, so that each send is new.
pub struct Template {
    /// The frame.
    pub frame: Vec<u8>,
    stan_at: usize,
    time_at: usize,
    terminal_at: usize,
}

impl Template {
    /// `message` of the spec `cekr87` in `be2`.
    pub fn new(message: &[u8]) -> Self {
        let view = View::parse(&CEKR87, message).expect("a message of ours");
        let header = Framing::Be2.header_len();
        let at = |de| header + view.offset(de).expect("the element is there");
        let (stan_at, time_at, terminal_at) = (at(11), at(7), at(41));
        let mut frame = vec![0; header + message.len()];
        frame[header..].copy_from_slice(message);
        let (head, _) = frame.split_at_mut(header);
        Framing::Be2.write_header(Header::default(), message.len(), head).expect("a short message");
        Self { frame, stan_at, time_at, terminal_at }
    }

    /// Sends from the terminal with this number.
    pub fn set_terminal(&mut self, n: u64) {
        put_digits(&mut self.frame[self.terminal_at..self.terminal_at + 8], n);
    }

    /// Gives the message the key number `n`.
    pub fn set_key(&mut self, n: u64) {
        let mut frame = std::mem::take(&mut self.frame);
        self.set_key_of(&mut frame, n);
        self.frame = frame;
    }

    /// Gives another frame of the same shape the key number `n`.
    pub fn set_key_of(&self, frame: &mut [u8], n: u64) {
        put_digits(&mut frame[self.stan_at..self.stan_at + 6], n % 1_000_000);
        let seconds = n / 1_000_000 % 3_600;
        let time = 1_122_100_000 + seconds / 60 * 100 + seconds % 60;
        put_digits(&mut frame[self.time_at..self.time_at + 10], time);
    }
}

fn put_digits(out: &mut [u8], mut value: u64) {
    for octet in out.iter_mut().rev() {
        *octet = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// The link of all benches: `cekr87` in `be2`.
pub fn link() -> Link {
    Link { id: 0, spec: &CEKR87, framing: Framing::Be2, octets_max: 4_096, mac: MacRule::Off }
}

/// Settings under which nothing but the bench decides: no limits, no confirmation.
pub fn policy() -> Policy {
    Policy {
        ecommerce_requires: EcommerceRequires::Tick,
        cashpoint_requires: CashpointRequires::Any,
        ..Policy::default()
    }
}

/// An engine in memory with `cards` cards, rich and without limits, in this state.
pub fn engine(cards: u64, status: CardStatus, ticks: Channels) -> Engine {
    // Small enough to be reused within a bench, and hot where few cards are: what is measured is
    // the work, not fresh memory.
    let recent_max = if cards > 1_024 { 1 << 16 } else { 1 << 12 };
    let config = JournalConfig { recent_max, ..JournalConfig::default() };
    let journal = Journal::memory(&config);
    let keyring = Keyring::ephemeral(&mut |out| out.fill(7));
    let answers = AnswersConfig { answers_max: recent_max / 2, window_min_ms: 0 };
    let shard = Shard::new(journal, keyring, answers);
    for n in 0..cards {
        let new = new_card(n);
        let new = NewCard { controls: Controls { status, ticks, ..new.controls }, ..new };
        shard.issue(new, NOW).expect("a new card");
    }
    Engine::new(Arc::new(shard), policy())
}

/// An engine in memory whose web shops must bring confirmations.
pub fn confirming_engine(cards: u64) -> Engine {
    let engine = engine(cards, CardStatus::Active, Channels::ALL);
    let ecommerce_requires = EcommerceRequires::Confirmation;
    Engine::new(engine.shard().clone(), Policy { ecommerce_requires, ..policy() })
}

/// The value of a purchase of 24.90 that the holder of `card` confirms.
pub fn confirm(control: &Control, card: CardId, number: u64) -> [u8; 20] {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_le_bytes());
    let new = NewConfirmation {
        id: ConfirmationId(id),
        amount: Amount::from_minor(24_90),
        currency: CurrencyCode::EUR,
        payee: Payee::of("000000008074720", "").expect("a number"),
    };
    control.ask_confirmation(card, new, NOW).expect("asked");
    control.push_confirmation(card, new.id, NOW).expect("pushed");
    control.approve_confirmation(card, new.id, NOW).expect("approved");
    let factor = SecondFactor::OutOfBandBiometric;
    control.seal_confirmation(card, new.id, factor, NOW).expect("sealed").0.cavv
}

/// Card `n` of the bench range: active, all ticked, rich, without limits.
pub fn new_card(n: u64) -> NewCard {
    NewCard {
        pan: pan(n),
        name: Name::new(&format!("card{n}")).expect("a short name"),
        mok_id: 100_000_000 + n as u32,
        controls: Controls {
            status: CardStatus::Active,
            ticks: Channels::ALL,
            expiry: Expiry::new(3_012).expect("December 2030"),
            version: 0,
        },
        pin: None::<Pin>,
        limited: false,
        balance: Amount::from_minor(1_000_000_000_00),
    }
}

/// The same policy in the settings of a server.
pub fn load_policy(policy: &mut PolicyConfig) {
    policy.ecommerce_requires = config::EcommerceRequires::Tick;
    policy.cashpoint_requires = config::CashpointRequires::Any;
}

/// A small generator of even spread (SplitMix64), so that cold benches visit cards at random.
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}
