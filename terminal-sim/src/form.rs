//! The messages of each transaction, element by element.
//!
//! Source: ISO 8583:1987 and the flow table of the card's wire rules: which message type, which
//! processing code (DE 3), which entry mode (DE 22) and condition (DE 25) a transaction has. The
//! link adds what differs from message to message: DE 7, 11, 12, 13 and 37.
//!
//! | transaction | MTI | DE 3 | DE 25 |
//! |---|---|---|---|
//! | purchase, with cashback | 0200 | 000000, 090000 | 00 |
//! | web purchase | 0100 | 000000 | 59 |
//! | refund | 0200 | 200000 | 00 |
//! | preauthorization, completion | 0100, 0220 | 000000 | 06 |
//! | withdrawal, its fee enquiry | 0200, 0100 | 010000, 320000 | 02 |
//! | balance | 0200 | 310000 | as the terminal |
//! | PIN change | 0100 | 920000 | as the terminal |

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cekr_emv::pin::Pin;
use cekr_iso8583::Mti;

use crate::card::Card;
use crate::device::pin_pad::EncipheredPin;
use crate::message::Message;
use crate::moment::{Moment, digits};
use crate::place::Place;

/// How the card's data reach the terminal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Entry {
    /// Chip in the reader: DE 22 = 051.
    Chip,
    /// Chip by radio: DE 22 = 071.
    Contactless,
    /// Typed into a web page: DE 22 = 812, DE 25 = 59, ECI 07 in DE 48.
    Ecommerce,
    /// Typed at a till: DE 22 = 012, DE 25 = 00.
    Key,
    /// Stripe read in full: DE 22 = 901 where a PIN can be typed, else 902.
    Stripe,
}

impl Entry {
    /// DE 22, three digits: how the number came in, and whether a PIN can be typed.
    #[must_use]
    pub const fn mode(self, pin_pad: PinPad) -> u16 {
        match (self, pin_pad) {
            (Self::Chip, PinPad::Present) => 51,
            (Self::Chip, PinPad::Absent) => 52,
            (Self::Contactless, PinPad::Present) => 71,
            (Self::Contactless, PinPad::Absent) => 72,
            (Self::Ecommerce, PinPad::Present | PinPad::Absent) => 812,
            (Self::Key, PinPad::Present | PinPad::Absent) => 12,
            (Self::Stripe, PinPad::Present) => 901,
            (Self::Stripe, PinPad::Absent) => 902,
        }
    }
}

/// Whether a PIN can be typed at a terminal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PinPad {
    /// No keys.
    Absent,
    /// Keys, and the development zone PIN key behind them.
    Present,
}

/// A card held to a terminal, with what the PIN pad made of its holder's PIN.
#[derive(Clone, Debug)]
pub struct Tender {
    /// The card.
    pub card: Card,
    /// How it is read.
    pub entry: Entry,
    /// What the PIN pad let out; `None` when no PIN was typed.
    pub pin: Option<EncipheredPin>,
    /// What the chip and the terminal's kernel have to say; `None` where no chip took part.
    pub chip: Option<ChipData>,
}

/// A chip's part of a request.
#[derive(Clone, Debug)]
pub struct ChipData {
    /// DE 55, BER-TLV.
    pub data: Vec<u8>,
    /// DE 23.
    pub sequence: Option<u8>,
    /// DE 35, the chip's image of track 2; empty when the chip has none. Not shown by `Debug`.
    pub track2: Track2,
}

/// Track 2 as DE 35 carries it; `Debug` does not show it.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Track2(pub Vec<u8>);

impl core::fmt::Debug for Track2 {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Track2(..)")
    }
}

impl Tender {
    /// A card without a PIN.
    #[must_use]
    pub fn new(card: Card, entry: Entry) -> Self {
        Self { card, entry, pin: None, chip: None }
    }

    /// The same with a PIN under the published development zone key.
    #[must_use]
    pub fn with_pin(self, pin: &Pin) -> Self {
        let pin = EncipheredPin::development(pin, *self.card.pan());
        self.with_enciphered(pin)
    }

    /// The same with what its chip says.
    #[must_use]
    pub fn with_chip(mut self, chip: ChipData) -> Self {
        self.chip = Some(chip);
        self
    }

    /// The same with what a PIN pad let out.
    #[must_use]
    pub fn with_enciphered(mut self, pin: EncipheredPin) -> Self {
        self.pin = Some(pin);
        self
    }
}

/// The transaction that a completion or a reversal refers to. What is known is sent: DE 90 when
/// `sent` is there, DE 37 and 38 when those are.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Original {
    /// Message type, STAN and transmission time of the request.
    pub sent: Option<Sent>,
    /// DE 37 of the request.
    pub rrn: Option<[u8; 12]>,
    /// DE 38 of its answer.
    pub auth_code: Option<[u8; 6]>,
}

/// The first four parts of DE 90; the forwarder is zero.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sent {
    /// Message type, four digits as a number.
    pub mti: u16,
    /// DE 11.
    pub stan: u32,
    /// DE 7.
    pub transmitted: u32,
    /// DE 32.
    pub acquirer: u64,
}

impl Sent {
    /// DE 90: 42 digits.
    #[must_use]
    pub fn element(&self) -> [u8; 42] {
        let mut out = [b'0'; 42];
        let parts = digits::<4>(self.mti.into())
            .into_iter()
            .chain(digits::<6>(self.stan.into()))
            .chain(digits::<10>(self.transmitted.into()))
            .chain(digits::<11>(self.acquirer));
        for (to, from) in out.iter_mut().zip(parts) {
            *to = from;
        }
        out
    }
}

/// Purchase in a shop, 0200. `cashback` cents are part of `amount` (DE 54 type 40).
#[must_use]
pub fn purchase(place: &Place, tender: &Tender, amount: u64, cashback: Option<u64>) -> Message {
    let message = payment(200, place, tender, amount).number(25, PRESENTED);
    match cashback {
        None => message.number(3, 0),
        Some(cents) => {
            message.number(3, 90_000).text(54, format!("0040978D{cents:012}").as_bytes())
        }
    }
}

/// What a shop got from the card's issuer before it asks for the money.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Authentication {
    /// The electronic commerce indicator, two digits.
    pub eci: [u8; 2],
    /// The authentication value (CAVV).
    pub cavv: [u8; 20],
}

/// Order in a web shop, 0100: the number is typed, and nobody has confirmed it.
#[must_use]
pub fn web_purchase(place: &Place, card: &Card, amount: u64, cvv2: Option<[u8; 3]>) -> Message {
    order(place, card, amount, b"420207".to_vec(), cvv2)
}

/// The same with what the issuer gave for it: DE 48 ids 42 and 43.
#[must_use]
pub fn authenticated_purchase(
    place: &Place,
    card: &Card,
    amount: u64,
    cvv2: Option<[u8; 3]>,
    given: &Authentication,
) -> Message {
    let mut private = b"4202".to_vec();
    private.extend_from_slice(&given.eci);
    private.extend_from_slice(b"4328");
    private.extend_from_slice(STANDARD.encode(given.cavv).as_bytes());
    order(place, card, amount, private, cvv2)
}

fn order(
    place: &Place,
    card: &Card,
    amount: u64,
    mut private: Vec<u8>,
    cvv2: Option<[u8; 3]>,
) -> Message {
    let tender = Tender::new(card.clone(), Entry::Ecommerce);
    if let Some(cvv2) = cvv2 {
        private.extend_from_slice(b"9203");
        private.extend_from_slice(&cvv2);
    }
    payment(100, place, &tender, amount).number(3, 0).number(25, ECOMMERCE).text(48, &private)
}

/// Refund, 0200.
#[must_use]
pub fn refund(place: &Place, tender: &Tender, amount: u64, of: &Original) -> Message {
    let message = payment(200, place, tender, amount).number(3, 200_000).without(OF_PIN);
    referring(message.number(25, PRESENTED), of)
}

/// Preauthorization, 0100 with an estimated amount.
#[must_use]
pub fn preauthorization(place: &Place, tender: &Tender, amount: u64) -> Message {
    payment(100, place, tender, amount).number(3, 0).number(25, PREAUTHORIZED)
}

/// More on top of a preauthorization, 0100 that names it.
#[must_use]
pub fn increment(place: &Place, tender: &Tender, amount: u64, of: &Original) -> Message {
    referring(preauthorization(place, tender, amount), &Original { rrn: None, ..*of })
}

/// Completion of a preauthorization, 0220 with the final amount.
#[must_use]
pub fn completion(place: &Place, tender: &Tender, amount: u64, of: &Original) -> Message {
    let message = payment(220, place, tender, amount).number(3, 0).without(&[35]).without(OF_PIN);
    referring(message.text(2, pan(&tender.card).as_bytes()).number(25, PREAUTHORIZED), of)
}

/// Withdrawal, 0200. `surcharge` is the machine owner's (DE 28) and part of `amount`.
#[must_use]
pub fn withdrawal(place: &Place, tender: &Tender, amount: u64, surcharge: u64) -> Message {
    let message = payment(200, place, tender, amount).number(3, 10_000).number(25, UNATTENDED);
    with_surcharge(message, surcharge)
}

/// Fee enquiry before the PIN, 0100: what would a withdrawal of this amount cost?
#[must_use]
pub fn fee_enquiry(place: &Place, tender: &Tender, amount: u64, surcharge: u64) -> Message {
    let message = payment(100, place, tender, amount).number(3, 320_000).number(25, UNATTENDED);
    with_surcharge(message.without(OF_PIN), surcharge)
}

/// Balance inquiry, 0200 without an amount.
#[must_use]
pub fn balance(place: &Place, tender: &Tender) -> Message {
    let condition = condition_of(place);
    payment(200, place, tender, 0).number(3, 310_000).number(25, condition).without(&[4])
}

/// PIN change, 0100: the old PIN where every PIN stands, the new block in DE 48 id 54 in
/// hexadecimal. Both are under one key: the serial number that is sent is the old one's.
#[must_use]
pub fn pin_change(place: &Place, tender: &Tender, new_pin: &EncipheredPin) -> Message {
    let new_block = match new_pin {
        EncipheredPin::Aes { block, .. } => hex(block),
        EncipheredPin::Tdes { block, .. } | EncipheredPin::Zone { block } => hex(block),
    };
    let message = payment(100, place, tender, 0)
        .number(3, 920_000)
        .number(25, condition_of(place))
        .without(&[4]);
    with_private(message, NEW_PIN_BLOCK, &new_block)
}

/// Sign-on, sign-off or echo, 0800 (DE 70 = 001, 002, 301).
#[must_use]
pub fn network(terminal: [u8; 8], code: u16) -> Message {
    Message::new(mti(800)).text(41, &terminal).number(70, code.into())
}

/// Why something is taken back: DE 39 of a reversal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cause {
    /// 17: the customer or the till cancels.
    Cancelled,
    /// 21: the machine took no action, no note came out.
    NothingDispensed,
    /// 32: only a part was dispensed.
    PartlyDispensed,
    /// 68: the answer came too late or never.
    TooLate,
}

impl Cause {
    /// DE 39.
    #[must_use]
    pub const fn code(self) -> [u8; 2] {
        match self {
            Self::Cancelled => *b"17",
            Self::NothingDispensed => *b"21",
            Self::PartlyDispensed => *b"32",
            Self::TooLate => *b"68",
        }
    }
}

/// Reversal of a message that was sent: 0400 when somebody cancels, else 0420.
///
/// `actual` is the new total in cents (DE 95) when a part of it stays; zero and `None` take all
/// back. Elements 12, 13 and 37 stay those of the original; DE 7 and 11 are new.
#[must_use]
pub fn reversal(
    sent: &Message,
    cause: Cause,
    actual: Option<u64>,
    auth_code: Option<[u8; 6]>,
) -> Message {
    let kind = match cause {
        Cause::Cancelled => mti(400),
        Cause::NothingDispensed | Cause::PartlyDispensed | Cause::TooLate => mti(420),
    };
    let mut message = Message::new(kind).copying(sent, KEPT_IN_REVERSAL).text(39, &cause.code());
    if !sent.has(2) {
        // The stripe is not kept for a reversal: the number alone names the card.
        let track2 = sent.as_text(35).unwrap_or_default();
        let pan: Vec<u8> = track2.iter().copied().take_while(u8::is_ascii_digit).collect();
        message = message.text(2, &pan);
    }
    if let Some(original) = sent_of(sent) {
        message = message.text(90, &original.element());
    }
    if let Some(code) = auth_code {
        message = message.text(38, &code);
    }
    match actual.filter(|cents| *cents > 0) {
        None => message,
        Some(cents) => {
            let element = format!("{cents:012}{:012}D{:08}D{:08}", 0, 0, 0);
            message.text(95, element.as_bytes())
        }
    }
}

/// Adds what differs from message to message: DE 7 and 11 anew; DE 12, 13 and 37 if they are
/// missing, for a reversal keeps those of its original.
#[must_use]
pub fn stamp(message: Message, stan: u32, now: Moment) -> Message {
    let is_network = message.mti().class() == NETWORK_CLASS;
    let mut message = message.number(7, now.transmission().into()).number(11, stan.into());
    if !is_network && !message.has(12) {
        message = message.number(12, now.local_time().into()).number(13, now.local_date().into());
    }
    if !is_network && !message.has(37) {
        message = message.text(37, &now.rrn(stan));
    }
    message
}

/// What DE 90 says of a message, once the link has given it a STAN and a time.
#[must_use]
pub fn sent_of(message: &Message) -> Option<Sent> {
    Some(Sent {
        mti: message.mti().number(),
        stan: u32::try_from(message.as_number(11)?).ok()?,
        transmitted: u32::try_from(message.as_number(7)?).ok()?,
        acquirer: message.as_number(32)?,
    })
}

/// The elements that every request about a card has.
fn payment(kind: u16, place: &Place, tender: &Tender, amount: u64) -> Message {
    let card = &tender.card;
    let pin_pad = match (place.mcc, &tender.pin) {
        (CASHPOINT_MCC, _) | (_, Some(_)) => PinPad::Present,
        (_, None) if tender.entry == Entry::Stripe => PinPad::Absent,
        (_, None) => PinPad::Present,
    };
    let mut message = Message::new(mti(kind))
        .number(4, amount)
        .number(18, place.mcc.into())
        .number(22, tender.entry.mode(pin_pad).into())
        .number(32, place.acquirer)
        .text(41, &place.terminal)
        .text(42, &place.merchant)
        .text(43, &place.location())
        .number(49, EUR);
    if let Some(country) = place.country_number() {
        message = message.number(19, country.into());
    }
    message = match tender.entry {
        // A stripe alone names the card; sending the number twice could only contradict it.
        Entry::Stripe => message.text(35, &card.track2()),
        Entry::Chip | Entry::Contactless => with_number(message, card).text(35, &card.track2()),
        Entry::Ecommerce | Entry::Key => with_number(message, card),
    };
    if let Some(chip) = &tender.chip {
        message = with_chip(message, chip);
    }
    match &tender.pin {
        None => message,
        Some(pin) => with_pin_block(message, pin),
    }
}

fn with_chip(mut message: Message, chip: &ChipData) -> Message {
    if let Some(sequence) = chip.sequence {
        // Two packed digits in the chip, three digits in the message.
        let number = u64::from(sequence >> 4) * 10 + u64::from(sequence & 0x0F);
        message = message.number(23, number);
    }
    if !chip.track2.0.is_empty() {
        message = message.text(35, &chip.track2.0);
    }
    message.octets(55, &chip.data)
}

/// The PIN where its format has its place: eight octets in DE 52, more in DE 48 id 52; a serial
/// number in DE 48 id 53.
fn with_pin_block(message: Message, pin: &EncipheredPin) -> Message {
    match pin {
        EncipheredPin::Aes { block, ksn } => {
            let message = with_private(message, PIN_BLOCK_FORMAT_4, &hex(block));
            with_private(message, KEY_SERIAL, &hex(ksn))
        }
        EncipheredPin::Tdes { block, ksn } => {
            with_private(message.octets(52, block), KEY_SERIAL, &hex(ksn))
        }
        EncipheredPin::Zone { block } => message.octets(52, block).number(53, PIN_BLOCK_FORMAT_0),
    }
}

/// Adds a part to DE 48: two digits of id, two of length, the value.
fn with_private(message: Message, id: u8, value: &str) -> Message {
    let mut private = message.as_text(48).unwrap_or_default().to_vec();
    private.extend_from_slice(format!("{id:02}{:02}{value}", value.len()).as_bytes());
    message.text(48, &private)
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02X}")).collect()
}

fn with_number(message: Message, card: &Card) -> Message {
    message.text(2, pan(card).as_bytes()).number(14, card.expiry().into())
}

fn with_surcharge(message: Message, surcharge: u64) -> Message {
    match surcharge {
        0 => message,
        cents => message.text(28, format!("D{cents:08}").as_bytes()),
    }
}

fn referring(mut message: Message, of: &Original) -> Message {
    if let Some(sent) = &of.sent {
        message = message.text(90, &sent.element());
    }
    if let Some(rrn) = &of.rrn {
        message = message.text(37, rrn);
    }
    if let Some(code) = &of.auth_code {
        message = message.text(38, code);
    }
    message
}

fn pan(card: &Card) -> String {
    card.pan().expose().to_string()
}

const fn condition_of(place: &Place) -> u64 {
    if place.mcc == CASHPOINT_MCC { UNATTENDED } else { PRESENTED }
}

/// A message type by the number that its four digits write.
fn mti(number: u16) -> Mti {
    debug_assert!(number <= 9999, "a message type has four digits");
    Mti::new(number).unwrap_or_default()
}

/// Where a PIN stands in the messages of this module.
const OF_PIN: &[u8] = &[48, 52, 53];

/// What a reversal repeats of its original.
const KEPT_IN_REVERSAL: &[u8] =
    &[2, 3, 4, 12, 13, 14, 18, 19, 22, 25, 28, 32, 37, 41, 42, 43, 49, 54];

/// Euro, ISO 4217.
const EUR: u64 = 978;
/// Second digit of 0800.
const NETWORK_CLASS: u8 = 8;
/// Cash machines, ISO 18245.
const CASHPOINT_MCC: u16 = 6011;
/// DE 25: normal presentment, unattended cash machine, preauthorization, e-commerce.
const PRESENTED: u64 = 0;
const UNATTENDED: u64 = 2;
const PREAUTHORIZED: u64 = 6;
const ECOMMERCE: u64 = 59;
/// Parts of DE 48: format 4 PIN block, key serial number, new PIN block.
const PIN_BLOCK_FORMAT_4: u8 = 52;
const KEY_SERIAL: u8 = 53;
const NEW_PIN_BLOCK: u8 = 54;
/// DE 53: the PIN block is of format 0 under the zone key 01.
const PIN_BLOCK_FORMAT_0: u64 = 2_001_010_100_000_000;
