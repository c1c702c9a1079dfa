//! The oracle's own rules of confirmed purchases: which record a value names, what needs none.

use cekr_emv::CardNumber;
use cekr_emv::crypto::cavv::{Authentication, cavv};
use cekr_emv::keys::{Cvk, Key};
use cekr_issuer::{CardStatus, Now};

use crate::account::{Account, Line};
use crate::elements::{octets, private};
use crate::oracle::{Rules, Verdict, say};
use crate::read::{Ask, Read};

/// A step of a confirmation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    Ask,
    Push,
    Approve,
    Seal,
    Deny,
    Cancel,
}

/// What the holder is shown, and by what it is known.
#[derive(Clone, Debug)]
pub struct Shown {
    pub card: usize,
    pub id: u8,
    pub cents: u64,
    pub merchant: &'static str,
}

impl Shown {
    /// The number of its value.
    pub fn number(&self) -> [u8; 8] {
        let two = |number: u8| ((number / 10 % 10) << 4) | (number % 10);
        [0x48, 0x15, 0x16, 0x23, 0x42, two(self.id / 100), 0x08, two(self.id)]
    }
}

/// A confirmation, and how far it has come.
#[derive(Clone, Debug)]
pub struct Record {
    id: u8,
    stage: Stage,
    due: u64,
    cents: u64,
    merchant: &'static str,
    number: [u8; 8],
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Created,
    Pending,
    Approved,
    Sealed,
    Used,
    Denied,
    Cancelled,
    TooLate,
}

impl Stage {
    fn is_open(self) -> bool {
        matches!(self, Self::Created | Self::Pending | Self::Approved)
    }
}

/// On what an approved purchase rests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ground {
    Nothing,
    Exempt,
    /// This record.
    Record(usize),
}

const MINUTE_MS: u64 = 60_000;
const NINETY_DAYS_MS: u64 = 90 * 24 * 60 * MINUTE_MS;

impl Account {
    /// What nobody answered in time, and what no shop has used.
    pub fn expire_records(&mut self, now: Now) {
        for record in &mut self.records {
            let is_live = record.stage.is_open() || record.stage == Stage::Sealed;
            if is_live && record.due <= now.unix_ms {
                record.stage = Stage::TooLate;
            }
        }
    }

    /// A step of a confirmation; tells whether it is possible.
    pub fn confirm(&mut self, step: Step, shown: &Shown, now: Now) -> bool {
        self.expire_records(now);
        let is_active = self.status == CardStatus::Active;
        let open = self.records.iter().filter(|record| record.stage.is_open()).count();
        let Some(record) = self.records.iter_mut().find(|record| record.id == shown.id) else {
            let is_possible = step == Step::Ask && is_active && open < 5;
            if is_possible {
                self.records.push(Record {
                    id: shown.id,
                    stage: Stage::Created,
                    due: now.unix_ms + 10 * MINUTE_MS,
                    cents: shown.cents,
                    merchant: shown.merchant,
                    number: shown.number(),
                });
            }
            return is_possible;
        };
        let next = match (step, record.stage) {
            (Step::Ask, _)
            | (Step::Push, Stage::Pending)
            | (Step::Approve, Stage::Approved | Stage::Sealed)
            | (Step::Seal, Stage::Sealed)
            | (Step::Deny, Stage::Denied)
            | (Step::Cancel, Stage::Cancelled) => return true,
            (Step::Push, Stage::Created) => (Stage::Pending, 5 * MINUTE_MS),
            (Step::Approve, Stage::Pending) => (Stage::Approved, 10 * MINUTE_MS),
            (Step::Seal, Stage::Approved) => (Stage::Sealed, NINETY_DAYS_MS),
            (Step::Deny, Stage::Created | Stage::Pending) => (Stage::Denied, 0),
            (Step::Cancel, stage) if stage.is_open() || stage == Stage::Sealed => {
                (Stage::Cancelled, 0)
            }
            _ => return false,
        };
        let is_end = matches!(step, Step::Deny | Step::Cancel);
        if !is_end && !is_active {
            return false;
        }
        (record.stage, record.due) = (next.0, now.unix_ms + next.1);
        if step == Step::Approve {
            self.asked_times += 1;
            self.unasked = 0;
        }
        true
    }

    /// The number that the message's value names: none without a value, an error where it is none
    /// of this card's.
    pub fn value(&self, read: &Read<'_>) -> Result<Option<[u8; 8]>, Verdict> {
        let Some(text) = private(read.told, b"43") else { return Ok(None) };
        let wrong = || say("59");
        let octets = base64(&text).ok_or_else(wrong)?;
        let number: [u8; 8] = octets[7..15].try_into().unwrap();
        let card = CardNumber::from_number(read.number.parse().unwrap()).unwrap();
        let two = |octet: u8| (octet >> 4) * 10 + (octet & 0x0F);
        let what =
            Authentication { number, outcome: octets[0], second_factor: two(octets[1]), key_id: 1 };
        match cavv(&Key::<Cvk>::development(), card, what) {
            Some(right) if right.as_slice() == octets => Ok(Some(number)),
            Some(_) | None => Err(wrong()),
        }
    }

    /// On what a purchase rests that names `value`.
    pub fn ground(
        &self,
        read: &Read<'_>,
        ask: Ask,
        rules: &Rules,
        value: Option<[u8; 8]>,
    ) -> Result<Ground, Verdict> {
        let eci = private(read.told, b"42").unwrap_or_default();
        let eci = match eci.as_slice() {
            [digit] | [b'0', digit] if digit.is_ascii_digit() => digit - b'0',
            _ => 0,
        };
        let condition = read.told.number(25).unwrap_or(0);
        let is_kept = read.told.text(22).is_some_and(|mode| mode.starts_with("10"));
        let is_out = (matches!(condition, 1 | 8) || is_kept) && !matches!(eci, 5..=7);
        let is_asked = ask == Ask::Purchase && read.is_online && !is_out && is_in_eea(read);
        let is_needed = is_asked && rules.confirms;
        if let Some(number) = value {
            let fits = |record: &Record| {
                record.stage == Stage::Sealed
                    && record.number == number
                    && read.asked <= record.cents
                    && read.is_euro()
                    && read.told.text(42).is_some_and(|shop| shop.trim() == record.merchant)
            };
            let is_online = ask == Ask::Purchase && read.is_online && eci == 5;
            let is_online = is_online && read.told.text(55).is_none();
            return match self.records.iter().position(fits).filter(|_| is_online) {
                Some(record) => Ok(Ground::Record(record)),
                None if is_needed => Err(say("1A")),
                None => Ok(Ground::Nothing),
            };
        }
        if !is_needed {
            return Ok(Ground::Nothing);
        }
        let business = read.told.number(18).unwrap_or(0);
        let is_fare = condition == 2 && [4111, 4112, 4131, 4784, 7523].contains(&business);
        let is_small = read.billed <= 30_00 && self.unasked + read.billed <= 100_00;
        let claim = private(read.told, b"45").unwrap_or_default();
        let is_analysed = claim == b"89" && read.billed <= 100_00;
        if is_fare || is_small || is_analysed { Ok(Ground::Exempt) } else { Err(say("1A")) }
    }

    /// The newest line rests on this.
    pub fn rests_on(&mut self, ground: Ground) {
        let Some(line) = self.lines.last_mut() else { return };
        match ground {
            Ground::Nothing => {}
            Ground::Exempt => {
                line.unasked = Some((self.asked_times, line.billed));
                self.unasked += line.billed;
            }
            Ground::Record(record) => self.records[record].stage = Stage::Used,
        }
    }

    /// All of a payment came back.
    pub fn take_back_unasked(&mut self, at: usize) {
        if let Some((asked_times, cents)) = self.lines[at].unasked
            && asked_times == self.asked_times
        {
            self.unasked = self.unasked.saturating_sub(cents);
        }
    }
}

impl Line {
    /// What comes back of the sum when all that was posted does: no more than was counted.
    pub fn unasked_of(&self, posted: u64) -> Option<(u32, u64)> {
        let (asked_times, counted) = self.unasked?;
        (posted <= counted).then_some((asked_times, posted))
    }
}

/// By DE 43, else by DE 19; who tells neither counts as one of them.
fn is_in_eea(read: &Read<'_>) -> bool {
    let location = octets(read.told, 43);
    let letters = location.get(38..).filter(|country| country.iter().all(u8::is_ascii_alphabetic));
    if let Some(letters) = letters {
        let country = String::from_utf8(letters.to_ascii_uppercase()).unwrap();
        return EEA.iter().any(|(name, _)| *name == country);
    }
    let number = read.told.number(19);
    number.is_none_or(|number| EEA.iter().any(|(_, numeric)| *numeric == number))
}

const EEA: [(&str, u64); 30] = [
    ("AT", 40),
    ("BE", 56),
    ("BG", 100),
    ("HR", 191),
    ("CY", 196),
    ("CZ", 203),
    ("DK", 208),
    ("EE", 233),
    ("FI", 246),
    ("FR", 250),
    ("DE", 276),
    ("GR", 300),
    ("HU", 348),
    ("IS", 352),
    ("IE", 372),
    ("IT", 380),
    ("LV", 428),
    ("LI", 438),
    ("LT", 440),
    ("LU", 442),
    ("MT", 470),
    ("NL", 528),
    ("NO", 578),
    ("PL", 616),
    ("PT", 620),
    ("RO", 642),
    ("SK", 703),
    ("SI", 705),
    ("ES", 724),
    ("SE", 752),
];

/// Twenty octets out of 27 characters and their padding, bit by bit.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let (digits, padding) = text.split_at_checked(27)?;
    if padding != b"=" {
        return None;
    }
    let alphabet = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['+', '/']);
    let alphabet: Vec<u8> = alphabet.map(|c| c as u8).collect();
    let mut bits = Vec::new();
    for digit in digits {
        let value = alphabet.iter().position(|known| known == digit)?;
        bits.extend((0..6).rev().map(|bit| value >> bit & 1));
    }
    let (octets, rest) = bits.split_at(160);
    let octets = octets.chunks(8).map(|bits| bits.iter().fold(0, |all, bit| all << 1 | bit));
    let octets = octets.map(|octet| u8::try_from(octet).unwrap()).collect();
    rest.iter().all(|bit| *bit == 0).then_some(octets)
}
