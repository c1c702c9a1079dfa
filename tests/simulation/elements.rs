//! The oracle's own reading of elements, and its own arithmetic.

use crate::support::Told;

/// The cashpoint fee: five hundredths, half a cent up, at least fifteen euros.
pub fn fee_of(cash: u64) -> u64 {
    let hundredths = u128::from(cash) * 5;
    let cents = (hundredths + 50) / 100;
    if cash == 0 { 0 } else { u64::try_from(cents.max(1_500)).unwrap() }
}

/// `of` x `part` / `whole`, half up.
pub fn share(of: u64, part: u64, whole: u64) -> u64 {
    if whole == 0 {
        return of;
    }
    let exact = u128::from(of) * u128::from(part);
    let whole = u128::from(whole);
    let (quotient, rest) = (exact / whole, exact % whole);
    u64::try_from(quotient + u128::from(rest * 2 >= whole)).unwrap()
}

/// An element's characters as they came: damage may have made one that is no ASCII.
pub fn octets(told: &Told, de: u8) -> Vec<u8> {
    let text = told.text(de).unwrap_or_default();
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}

/// The value of a subfield of DE 48.
pub fn private(told: &Told, id: &[u8]) -> Option<Vec<u8>> {
    let text = octets(told, 48);
    let mut rest = text.as_slice();
    loop {
        let (head, tail) = rest.split_at_checked(4)?;
        if !head.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let len = usize::from(head[2] - b'0') * 10 + usize::from(head[3] - b'0');
        let (value, after) = tail.split_at_checked(len)?;
        if &head[..2] == id {
            return Some(value.to_vec());
        }
        rest = after;
    }
}

/// Whether DE 48 ends in the middle of a subfield.
pub fn is_private_cut(told: &Told) -> bool {
    let text = octets(told, 48);
    let mut rest = text.as_slice();
    while let Some((head, tail)) = rest.split_at_checked(4) {
        let len = std::str::from_utf8(&head[2..]).ok().and_then(|len| len.parse::<usize>().ok());
        let is_number = head.iter().all(u8::is_ascii_digit);
        match len.filter(|_| is_number).and_then(|len| tail.split_at_checked(len)) {
            Some((_, after)) => rest = after,
            None => return true,
        }
    }
    told.text(48).is_some() && (text.is_empty() || !rest.is_empty())
}

/// The cash in DE 54; `None` when a part of it cannot be read.
pub fn cashback(told: &Told) -> Option<u64> {
    let text = octets(told, 54);
    let mut cash = 0;
    for part in text.chunks(20) {
        let is_number = |at: std::ops::Range<usize>| {
            part.get(at).is_some_and(|at| at.iter().all(u8::is_ascii_digit))
        };
        if !is_number(0..7) || !is_number(8..20) || !matches!(part[7], b'C' | b'D') {
            return None;
        }
        if &part[2..4] == b"40" {
            cash += std::str::from_utf8(&part[8..]).unwrap().parse::<u64>().unwrap();
        }
    }
    Some(cash)
}

pub fn surcharge(told: &Told) -> u64 {
    let digits = told.text(28).and_then(|text| text.strip_prefix('D'));
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// Four digits; a month that no year has is simply not the card's.
fn expiry_of(text: &str) -> Option<u16> {
    let is_number = text.len() == 4 && text.bytes().all(|c| c.is_ascii_digit());
    is_number.then(|| text.parse().unwrap())
}

/// The card's number and the expiries that were told; `None` is a message that contradicts itself.
pub fn card_told(told: &Told) -> Option<(String, Vec<u16>)> {
    let mut numbers = Vec::new();
    let mut expiries = Vec::new();
    if let Some(number) = told.text(2) {
        numbers.push(number.to_owned());
    }
    if let Some(track) = told.text(35) {
        let at = track.find(['=', 'D'])?;
        numbers.push(track[..at].to_owned());
        expiries.extend(track.get(at + 1..at + 5).and_then(expiry_of));
    }
    if let Some(text) = told.text(14) {
        expiries.push(expiry_of(text)?);
    }
    numbers.dedup();
    match numbers.as_slice() {
        [number] => Some((number.clone(), expiries)),
        _ => None,
    }
}

/// Whether DE 95 can be read: two amounts, and two more with their signs.
pub fn is_replacement(text: &str) -> bool {
    text.len() == 42
        && text.bytes().enumerate().all(|(at, c)| match at {
            24 | 33 => matches!(c, b'C' | b'D'),
            _ => c.is_ascii_digit(),
        })
}
