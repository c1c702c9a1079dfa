//! The oracle's reading of a whole message: who asks, for what, how much, and what it names.

use crate::elements::{
    card_told, cashback, is_private_cut, is_replacement, octets, private, share, surcharge,
};
use crate::oracle::Rules;
use crate::support::{Told, hex_octets, luhn_holds};

/// What makes two messages one request.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Key {
    /// The first two digits of the message type; 0 in a name stands for any.
    pub class: u16,
    /// DE 32, or the listener.
    pub acquirer: String,
    /// DE 41; what the link itself and lists are about has none.
    pub terminal: String,
    /// DE 11.
    pub stan: String,
    /// DE 7.
    pub when: String,
}

/// What is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ask {
    Balance,
    Check,
    Enquiry,
    PinChange,
    Purchase,
    Refund,
    Withdrawal,
}

/// Where something is paid.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place {
    Cashpoint,
    Online,
    Shop,
}

/// A request about a card, read.
pub struct Read<'t> {
    pub told: &'t Told,
    pub key: Key,
    pub number: String,
    pub expiries: Vec<u16>,
    /// DE 4.
    pub asked: u64,
    pub currency: String,
    /// Cents of the account.
    pub billed: u64,
    /// The cash of it, without the machine owner's surcharge.
    pub cash: u64,
    pub place: Place,
    pub is_online: bool,
    pub is_cash: bool,
    pub is_abroad: bool,
}

impl Read<'_> {
    pub fn is_euro(&self) -> bool {
        self.currency == "978"
    }

    /// DE 25 = 06: the last word on the amount comes later.
    pub fn is_estimate(&self) -> bool {
        self.told.number(25) == Some(6)
    }

    /// Whether this is an 0x20 or its repeat: told, not asked.
    pub fn is_advice(&self) -> bool {
        self.told.mti % 100 / 10 == 2
    }

    /// DE 39 of an advice: whether what it tells of did happen.
    pub fn did_happen(&self) -> bool {
        self.told.text(39).is_none_or(|code| ["00", "08", "10", "11", "85"].contains(&code))
    }

    /// The original by DE 90 at the message's own terminal.
    pub fn original_by_90(&self) -> Option<Key> {
        let text = self.told.text(90)?;
        let is_number = text.len() == 42 && text.bytes().all(|c| c.is_ascii_digit());
        (is_number && is_time(&text[10..20])).then(|| Key {
            class: text[..4].parse::<u16>().unwrap() / 100,
            stan: text[4..10].to_owned(),
            when: text[10..20].to_owned(),
            ..self.key.clone()
        })
    }

    /// The original of a reversal: by DE 90, else by its own numbers.
    pub fn original(&self) -> Key {
        self.original_by_90().unwrap_or_else(|| Key { class: 0, ..self.key.clone() })
    }
}

/// An answer to a number that no card of ours has.
pub fn stranger(number: &str) -> &'static str {
    let is_number = (13..=19).contains(&number.len()) && !number.starts_with('0');
    let is_card = is_number && luhn_holds(number.parse().unwrap());
    if is_card && !number.starts_with("476173") { "15" } else { "14" }
}

/// A transmission time as keys hold it, in 32 bits: the months that exist are far below.
fn is_time(text: &str) -> bool {
    text.parse::<u32>().is_ok()
}

/// The key of a message about no card: the link's own, a reconciliation, a file action.
pub fn read_key(told: &Told) -> Result<Key, &'static str> {
    if [7, 11].iter().any(|de| told.text(*de).is_none()) || !told.text(7).is_some_and(is_time) {
        return Err("30");
    }
    let text = |de: u8| told.text(de).unwrap_or_default().to_owned();
    Ok(Key {
        class: told.mti / 100,
        acquirer: acquirer(told),
        terminal: text(41),
        stan: text(11),
        when: text(7),
    })
}

fn acquirer(told: &Told) -> String {
    told.text(32).map_or("the listener".to_owned(), |id| format!("{id:0>11}"))
}

/// The elements that every request about a card has.
fn read_card(told: &Told, rules: &Rules) -> Result<(Key, String, Vec<u16>), &'static str> {
    if rules.private_is_tagged && is_private_cut(told) {
        return Err("30");
    }
    if [3, 41, 49].iter().any(|de| told.text(*de).is_none()) {
        return Err("30");
    }
    if !told.text(49).unwrap().bytes().all(|c| c.is_ascii_digit()) {
        return Err("30");
    }
    let key = read_key(told)?;
    let (number, expiries) = card_told(told).ok_or("30")?;
    Ok((key, number, expiries))
}

fn billed(told: &Told, asked: u64) -> Result<u64, &'static str> {
    if told.text(49) == Some("978") || asked == 0 {
        return Ok(asked);
    }
    match (told.number(6), told.text(51)) {
        (Some(billed), Some("978")) => Ok(billed),
        _ => Err("12"),
    }
}

fn is_bank(told: &Told) -> bool {
    matches!(told.number(18), Some(6010 | 6011))
}

/// What an 0100, 0120, 0200 or 0220 is about.
fn kind_of(told: &Told) -> Option<Ask> {
    let is_bank = is_bank(told);
    let is_check = told.number(25) == Some(51) && told.number(4).unwrap_or(0) == 0;
    let ask = match &told.text(3).unwrap()[..2] {
        "00" if is_check => Ask::Check,
        "00" | "09" | "11" if is_bank => Ask::Withdrawal,
        "00" | "09" | "11" => Ask::Purchase,
        "01" | "17" => Ask::Withdrawal,
        "20" => Ask::Refund,
        "30" | "31" => Ask::Balance,
        "32" => Ask::Enquiry,
        "92" => Ask::PinChange,
        _ => return None,
    };
    match (told.mti / 10, ask) {
        (10 | 20, _) | (12 | 22, Ask::Purchase | Ask::Withdrawal) | (22, Ask::Refund) => Some(ask),
        // What moves no money did not happen anywhere else either.
        (12 | 22, Ask::Check) => Some(Ask::Purchase),
        _ => None,
    }
}

/// Reads an 0100, 0120, 0200 or 0220.
pub fn read_money<'t>(told: &'t Told, rules: &Rules) -> Result<(Read<'t>, Ask), &'static str> {
    let (key, number, expiries) = read_card(told, rules)?;
    let ask = kind_of(told).ok_or("12")?;
    let amount = told.number(4);
    let asked = match ask {
        Ask::Balance | Ask::Check | Ask::PinChange => amount.unwrap_or(0),
        Ask::Enquiry | Ask::Purchase | Ask::Refund | Ask::Withdrawal => amount.ok_or("30")?,
    };
    let billed = billed(told, asked)?;
    let is_euro = told.text(49) == Some("978");
    let cash = match ask {
        Ask::Enquiry | Ask::Withdrawal => asked.checked_sub(surcharge(told)).ok_or("30")?,
        Ask::Purchase => {
            let cash = cashback(told).ok_or("30")?;
            asked.checked_sub(cash).ok_or("30")?;
            cash
        }
        Ask::Balance | Ask::Check | Ask::PinChange | Ask::Refund => 0,
    };
    if ask == Ask::PinChange && new_block(told).is_none() {
        return Err("30");
    }
    let cash = if is_euro { cash } else { share(billed, cash, asked) };
    let mode = told.text(22).unwrap_or("000");
    let is_read = [35, 45, 52, 55].iter().any(|de| told.text(*de).is_some());
    let condition = told.number(25).unwrap_or(0);
    let is_online = matches!(&mode[..2], "09" | "10" | "81" | "82")
        || private(told, b"42").is_some()
        || (matches!(condition, 1 | 5 | 8 | 59) && !is_read);
    let is_cash = match ask {
        Ask::Withdrawal => true,
        Ask::Purchase => cash > 0 || told.text(3).unwrap().starts_with("09"),
        Ask::Balance | Ask::Check | Ask::Enquiry | Ask::PinChange | Ask::Refund => false,
    };
    let place = match ask {
        Ask::Enquiry | Ask::Withdrawal => Place::Cashpoint,
        Ask::Balance | Ask::Check | Ask::PinChange if is_bank(told) => Place::Cashpoint,
        _ if is_online => Place::Online,
        _ => Place::Shop,
    };
    let read = Read {
        told,
        key,
        number,
        expiries,
        asked,
        currency: told.text(49).unwrap().to_owned(),
        billed,
        cash,
        place,
        is_online,
        is_cash,
        is_abroad: is_abroad(told),
    };
    Ok((read, ask))
}

/// The new PIN block of a PIN change: sixteen hexadecimal digits in DE 48.
pub fn new_block(told: &Told) -> Option<String> {
    let value = private(told, b"54")?;
    let is_block = value.len() == 16 && value.iter().all(u8::is_ascii_hexdigit);
    is_block.then(|| String::from_utf8(value).unwrap().to_ascii_uppercase())
}

fn is_abroad(told: &Told) -> bool {
    let location = octets(told, 43);
    match location.get(38..) {
        Some(country) if country.iter().all(u8::is_ascii_alphabetic) => {
            !country.eq_ignore_ascii_case(b"SI")
        }
        // Who tells nothing counts as abroad.
        _ => match told.text(19) {
            Some(country) => country != "705",
            None => tag_9f1a(told).is_none_or(|country| country != [0x07, 0x05]),
        },
    }
}

/// The terminal's country in DE 55, where its list can be read as far as that.
fn tag_9f1a(told: &Told) -> Option<Vec<u8>> {
    let data = told.text(55).filter(|data| data.len().is_multiple_of(2))?;
    let mut rest = data.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| hex_octets(data))?;
    loop {
        let tag_octets = if *rest.first()? & 0x1F == 0x1F { 2 } else { 1 };
        let len = usize::from(*rest.get(tag_octets)?);
        let value = rest.get(tag_octets + 1..tag_octets + 1 + len)?.to_vec();
        if rest.starts_with(&[0x9F, 0x1A]) {
            return Some(value);
        }
        rest.drain(..tag_octets + 1 + len);
    }
}

/// Reads an 0400 or 0420.
pub fn read_reversal<'t>(told: &'t Told, rules: &Rules) -> Result<Read<'t>, &'static str> {
    let (key, number, expiries) = read_card(told, rules)?;
    if told.text(95).is_some_and(|text| !is_replacement(text)) {
        return Err("30");
    }
    let asked = told.number(4).ok_or("30")?;
    Ok(Read {
        told,
        key,
        number,
        expiries,
        asked,
        currency: told.text(49).unwrap().to_owned(),
        billed: billed(told, asked)?,
        cash: 0,
        place: Place::Shop,
        is_online: false,
        is_cash: false,
        is_abroad: false,
    })
}
