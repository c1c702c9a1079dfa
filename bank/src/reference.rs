//! Payment references and account numbers: the Slovenian models, the card's own, RF, IBAN.
//!
//! Pure functions of text, for whoever reads a bank's statement or writes a payment order.
//!
//! Source: Združenje bank Slovenije, "Pravila za oblikovanje in uporabo standardiziranih referenc",
//! version 1.4 (November 2023), section 2.2 and appendix 3; ISO 11649 (RF); ISO 13616 (IBAN); the
//! cases of `tests/vectors/domain/`.
//!
//! ```
//! use cekr_bank::reference::{Judged, Verdict, judge};
//! let told = judge("si05 8074720-123456789-200");
//! assert_eq!(told, Judged { verdict: Verdict::Ok, mok_id: Some(123_456_789) });
//! ```

use std::fmt;

/// What is wrong with a reference of an SI model.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SiFault {
    /// Something else than digits and hyphens.
    BadChars,
    /// A check digit is wrong.
    CheckDigit,
    /// Nothing before, between or after hyphens.
    EmptyPart,
    /// A part behind the first begins with a zero.
    LeadingZero,
    /// It does not begin with `SI`.
    NotSi,
    /// The model has more parts, or fewer.
    PartCount,
    /// A part has more than twelve digits.
    PartTooLong,
    /// Model 12 has thirteen digits.
    Si12Length,
    /// More than twenty digits.
    TooLong,
    /// No model has this number.
    UnknownModel,
}

impl SiFault {
    /// Its name for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadChars => "BAD_CHARS",
            Self::CheckDigit => "CHECK_DIGIT",
            Self::EmptyPart => "EMPTY_PART",
            Self::LeadingZero => "LEADING_ZERO",
            Self::NotSi => "NOT_SI",
            Self::PartCount => "PART_COUNT",
            Self::PartTooLong => "PART_TOO_LONG",
            Self::Si12Length => "SI12_LENGTH",
            Self::TooLong => "TOO_LONG",
            Self::UnknownModel => "UNKNOWN_MODEL",
        }
    }
}

/// Whether a reference loads a card, by its form alone: whether there is such a card and what it
/// may take, the switch says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Exactly as it should be.
    Ok,
    /// The MOK ID came without its leading zeros.
    OkPadded,
    /// Hyphens or the letters `SI` were missing.
    OkRepaired,
    /// Not three parts of digits.
    BadParts,
    /// The first part's check digit is wrong.
    P1Check,
    /// The first part is somebody else's.
    P1Mismatch,
    /// The second part has more than nine digits.
    P2Length,
    /// The third part is not the one that loads a card.
    P3Mismatch,
    /// Another model, or nothing.
    WrongModel,
}

impl Verdict {
    /// Its name for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::OkPadded => "OK_PADDED",
            Self::OkRepaired => "OK_REPAIRED",
            Self::BadParts => "BAD_PARTS",
            Self::P1Check => "P1_CHECK",
            Self::P1Mismatch => "P1_MISMATCH",
            Self::P2Length => "P2_LENGTH",
            Self::P3Mismatch => "P3_MISMATCH",
            Self::WrongModel => "WRONG_MODEL",
        }
    }
}

/// What a reference says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Judged {
    /// Whether it loads a card.
    pub verdict: Verdict,
    /// The card's number on its back, at most nine digits; there if the verdict is a good one.
    pub mok_id: Option<u32>,
}

/// An account number with the length of its country and right check digits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Iban(String);

impl Iban {
    /// Reads one; spaces, hyphens and points between its signs are left out.
    ///
    /// Slovenian ones have a second pair of check digits, the last two, which must be right too.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_kept = |letter: &char| !letter.is_whitespace() && !matches!(letter, '-' | '.');
        let compact: String = text.chars().filter(is_kept).take(IBAN_SIGNS_READ_MAX).collect();
        let upper = compact.to_ascii_uppercase();
        let (country, account) = upper.split_at_checked(2).filter(|_| upper.is_ascii())?;
        let (_, len) = IBAN_LENGTHS.iter().find(|(code, _)| *code == country)?;
        let is_national = country != "SI" || {
            let digits = account.get(2..).and_then(|digits| digits.parse::<u64>().ok());
            digits.is_some_and(|digits| digits % 97 == 1)
        };
        (upper.len() == *len && is_mod97(&upper) && is_national).then_some(Self(upper))
    }

    /// Without spaces, in capitals.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Iban {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The check digit of up to twelve digits: weights 2, 3 and so on from the right, modulo 11.
///
/// Where the result would be 10 or 11 it is 0, so two faults of a digit in a hundred go unseen.
/// `None` for anything but one to twelve digits.
#[must_use]
pub fn mod11(data: &str) -> Option<u32> {
    let digits: Option<Vec<u32>> = data.chars().map(|digit| digit.to_digit(10)).collect();
    let digits = digits.filter(|digits| (1..=DIGITS_WEIGHTED_MAX).contains(&digits.len()))?;
    let sum: u32 = (2..).zip(digits.iter().rev()).map(|(weight, digit)| weight * digit).sum();
    Some(match 11 - sum % 11 {
        10 | 11 => 0,
        check => check,
    })
}

/// A model's rules: which parts share a check digit, and how many parts there are.
struct Model {
    /// Each group is a range of parts; its last digit checks all before it.
    checked: &'static [std::ops::RangeInclusive<usize>],
    part_count: std::ops::RangeInclusive<usize>,
}

/// The rules of a two-digit model; `None` for one that does not exist.
fn model(number: &str) -> Option<Model> {
    let (checked, part_count): (&'static [_], _) = match number {
        "00" => (&[], 1..=3),
        "01" => (&[0..=2], 1..=3),
        "02" => (&[1..=1, 2..=2], 3..=3),
        "03" => (&[0..=0, 1..=1, 2..=2], 3..=3),
        "04" => (&[0..=0, 2..=2], 3..=3),
        "05" | "55" => (&[0..=0], 1..=3),
        "06" => (&[1..=2], 2..=3),
        "07" => (&[1..=1], 2..=3),
        "08" => (&[0..=1, 2..=2], 3..=3),
        "09" => (&[0..=1], 1..=3),
        "10" => (&[0..=0, 1..=2], 2..=3),
        "12" => (&[0..=0], 1..=1),
        // Table and text contradict each other on the second part of 21 and 31; the table holds.
        "21" | "22" | "31" | "32" => (&[0..=0], 2..=2),
        "23" => (&[0..=0, 1..=1], 2..=2),
        "11" | "18" | "19" | "28" | "38" | "40" | "41" | "48" | "49" | "51" | "58" => {
            (&[0..=0, 1..=1], 2..=3)
        }
        "99" => (&[], 0..=0),
        _ => return None,
    };
    Some(Model { checked, part_count })
}

/// Without white space, the two letters of the kind in upper case.
#[must_use]
pub fn normalized(input: &str) -> String {
    let compact = input.chars().filter(|letter| !letter.is_whitespace());
    let upper = |(place, letter): (usize, char)| {
        if place < 2 { letter.to_ascii_uppercase() } else { letter }
    };
    compact.enumerate().map(upper).collect()
}

/// Checks a [`normalized`] reference of an SI model.
///
/// # Errors
/// What is wrong with it.
pub fn si_reference(reference: &str) -> Result<(), SiFault> {
    let Some(rest) = reference.strip_prefix("SI") else { return Err(SiFault::NotSi) };
    let Some((number, content)) = rest.split_at_checked(2) else {
        return Err(SiFault::UnknownModel);
    };
    let Some(model) = model(number) else { return Err(SiFault::UnknownModel) };
    if content.is_empty() {
        return if *model.part_count.start() == 0 { Ok(()) } else { Err(SiFault::PartCount) };
    }
    if *model.part_count.end() == 0 {
        return Err(SiFault::PartCount);
    }
    if !content.bytes().all(|octet| octet.is_ascii_digit() || octet == b'-') {
        return Err(SiFault::BadChars);
    }
    let parts: Vec<&str> = content.split('-').collect();
    if parts.iter().any(|part| part.is_empty()) {
        return Err(SiFault::EmptyPart);
    }
    if !model.part_count.contains(&parts.len()) {
        return Err(SiFault::PartCount);
    }
    if number == "12" && content.len() != SI12_DIGITS {
        return Err(SiFault::Si12Length);
    }
    if number != "12" && parts.iter().any(|part| part.len() > PART_DIGITS_MAX) {
        return Err(SiFault::PartTooLong);
    }
    if parts.iter().map(|part| part.len()).sum::<usize>() > DIGITS_MAX {
        return Err(SiFault::TooLong);
    }
    if parts.iter().skip(1).any(|part| part.len() > 1 && part.starts_with('0')) {
        return Err(SiFault::LeadingZero);
    }
    let is_checked = model.checked.iter().all(|group| {
        let taken = parts.iter().enumerate().filter(|(place, _)| group.contains(place));
        let digits: String = taken.map(|(_, part)| *part).collect();
        has_right_check_digit(&digits)
    });
    if is_checked { Ok(()) } else { Err(SiFault::CheckDigit) }
}

/// Whether the last digit checks those before it. No digits are right, since a model may lack them;
/// more than the rules weight cannot be judged and are let through.
fn has_right_check_digit(digits: &str) -> bool {
    let Some((data, check)) = digits.len().checked_sub(1).map(|at| digits.split_at(at)) else {
        return true;
    };
    let expected = if data.is_empty() { Some(0) } else { mod11(data) };
    expected.is_none_or(|expected| check.parse() == Ok(expected))
}

/// Whether a payment is for a card, and for which: `SI05 8074720-MOK ID-200`.
///
/// Hyphens that are missing and a MOK ID without its leading zeros are put right, and said to be.
/// Only the first part has a check digit, so a wrong digit in the MOK ID is another card.
#[must_use]
pub fn judge(input: &str) -> Judged {
    let bad = |verdict| Judged { verdict, mok_id: None };
    let compact: String = input.chars().filter(|letter| !letter.is_whitespace()).collect();
    let compact = compact.to_ascii_uppercase();
    let (model_and_rest, mut is_repaired) = match compact.strip_prefix("SI") {
        Some(rest) => (rest, false),
        None => (compact.as_str(), true),
    };
    let Some(content) = model_and_rest.strip_prefix("05") else { return bad(Verdict::WrongModel) };
    let split: Vec<&str> = content.split('-').collect();
    let (first, mok_id, last) = match split.as_slice() {
        [first, mok_id, last] => (*first, *mok_id, *last),
        // Both fixed parts are known, so there is one way to split.
        [whole] if whole.len() == 19 && whole.is_ascii() => {
            is_repaired = true;
            let (first, rest) = whole.split_at(7);
            let (mok_id, last) = rest.split_at(9);
            (first, mok_id, last)
        }
        _ => return bad(Verdict::BadParts),
    };
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if ![first, mok_id, last].into_iter().all(is_number) || first.len() > PART_DIGITS_MAX {
        return bad(Verdict::BadParts);
    }
    if !has_right_check_digit(first) {
        return bad(Verdict::P1Check);
    }
    if first != PAYEE_PART {
        return bad(Verdict::P1Mismatch);
    }
    if mok_id.len() > MOK_ID_DIGITS {
        return bad(Verdict::P2Length);
    }
    if last != PURPOSE_PART {
        return bad(Verdict::P3Mismatch);
    }
    let verdict = match (mok_id.len() < MOK_ID_DIGITS, is_repaired) {
        (true, _) => Verdict::OkPadded,
        (false, true) => Verdict::OkRepaired,
        (false, false) => Verdict::Ok,
    };
    Judged { verdict, mok_id: mok_id.parse().ok() }
}

/// The one reference for a card in free text: `Ok(None)` if there is none.
///
/// What stands twice the same is one. A reference has `SI` and any model's number before it, or, to
/// be told from other numbers without them, the whole form of ours.
///
/// # Errors
/// [`SeveralReferences`]: which is meant nobody can tell.
pub fn find_in_text(text: &str) -> Result<Option<Judged>, SeveralReferences> {
    let signs: Vec<char> = text.chars().take(TEXT_SIGNS_MAX).collect();
    let mut found: Vec<String> = Vec::new();
    let mut at = 0;
    while at < signs.len() {
        let is_begin = at == 0 || signs.get(at - 1).is_some_and(|sign| !sign.is_alphanumeric());
        let rest = signs.get(at..).unwrap_or_default();
        match is_begin.then(|| reference_at(rest)).flatten() {
            Some((reference, len)) => {
                if !found.contains(&reference) {
                    found.push(reference);
                }
                at += len.max(1);
            }
            None => at += 1,
        }
    }
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(judge(one))),
        _ => Err(SeveralReferences),
    }
}

/// Free text names several cards, or one in several ways.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("several references stand in the text")]
pub struct SeveralReferences;

/// A reference at the very beginning, without white space, and how many signs it takes.
fn reference_at(signs: &[char]) -> Option<(String, usize)> {
    let mut reference = String::new();
    let mut end = 0;
    for (place, sign) in signs.iter().enumerate() {
        let sign = sign.to_ascii_uppercase();
        let is_kind = matches!((reference.len(), sign), (0, 'S') | (1, 'I'))
            && (reference.is_empty() || reference == "S");
        if sign.is_ascii_digit() || is_kind || (sign == '-' && reference.len() > 2) {
            if reference.len() == REFERENCE_SIGNS_MAX {
                // Longer than any: no reference at all, and its digits are none either.
                return None;
            }
            reference.push(sign);
            end = place + 1;
        } else if !sign.is_whitespace() {
            // A letter right behind belongs to another word.
            if sign.is_alphanumeric() && end == place {
                return None;
            }
            break;
        }
        if is_whole(&reference) && signs.get(place + 1).is_none_or(|next| !next.is_ascii_digit()) {
            return Some((reference, end));
        }
    }
    let digits = reference.strip_prefix("SI")?;
    let is_model = digits.bytes().take(2).filter(u8::is_ascii_digit).count() == 2;
    is_model.then(|| (reference.trim_end_matches('-').to_owned(), end))
}

/// Whether it is a reference of ours as far as its form goes, with `SI` or without.
fn is_whole(reference: &str) -> bool {
    let bare = reference.strip_prefix("SI").unwrap_or(reference);
    let Some(content) = bare.strip_prefix("05").and_then(|rest| rest.strip_prefix(PAYEE_PART))
    else {
        return false;
    };
    match content.split('-').collect::<Vec<_>>().as_slice() {
        ["", mok_id, last] => !mok_id.is_empty() && *last == PURPOSE_PART,
        [whole] => whole.len() == MOK_ID_DIGITS + 3 && whole.ends_with(PURPOSE_PART),
        _ => false,
    }
}

/// Whether a reference of ISO 11649 is right: `RF`, two check digits, up to 21 letters and digits.
#[must_use]
pub fn is_rf_reference(input: &str) -> bool {
    let compact: String = input.chars().filter(|letter| !letter.is_whitespace()).collect();
    let upper = compact.to_ascii_uppercase();
    let Some(rest) = upper.strip_prefix("RF") else { return false };
    (3..=23).contains(&rest.len()) && is_mod97(&upper)
}

/// Two letters, two check digits and the rest: the rest, letters and check digits as one number
/// leave 1 after division by 97.
fn is_mod97(code: &str) -> bool {
    let Some((front, rest)) = code.split_at_checked(4) else { return false };
    let is_shaped = front.bytes().skip(2).all(|octet| octet.is_ascii_digit());
    let remainder = rest.chars().chain(front.chars()).try_fold(0, |remainder, letter| {
        let value = letter.to_digit(36)?;
        Some(if value < 10 { remainder * 10 + value } else { remainder * 100 + value } % 97)
    });
    is_shaped && remainder == Some(1)
}

/// The programme's own account.
pub const OWN_ACCOUNT: &str = "SI56029000000200020";

/// The first part of every reference of this programme.
pub const PAYEE_PART: &str = "8074720";

/// The last part of a reference that loads a card.
pub const PURPOSE_PART: &str = "200";

/// The digits of a number on a card's back.
pub const MOK_ID_DIGITS: usize = 9;

/// The most digits that have a weight.
const DIGITS_WEIGHTED_MAX: usize = 12;

/// The most digits of one part.
const PART_DIGITS_MAX: usize = 12;

/// The most digits of all parts together.
const DIGITS_MAX: usize = 20;

/// Model 12 has one part of one length.
const SI12_DIGITS: usize = 13;

/// More than any account number has; the rest of a longer text is not read.
const IBAN_SIGNS_READ_MAX: usize = 64;

/// Signs of free text that are looked at: four times what a payment carries.
const TEXT_SIGNS_MAX: usize = 560;

/// `SI`, two digits of the model and 22 signs; a few more, so that what is too long is judged so.
const REFERENCE_SIGNS_MAX: usize = 32;

/// How long an account number is in each country (IBAN registry), by its two letters.
const IBAN_LENGTHS: [(&str, usize); 78] = [
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BR", 29),
    ("BY", 28),
    ("CH", 21),
    ("CR", 22),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DK", 18),
    ("DO", 28),
    ("EE", 20),
    ("EG", 29),
    ("ES", 24),
    ("FI", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("GT", 28),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IQ", 23),
    ("IS", 26),
    ("IT", 27),
    ("JO", 30),
    ("KW", 30),
    ("KZ", 20),
    ("LB", 28),
    ("LC", 32),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("LY", 25),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MR", 27),
    ("MT", 31),
    ("MU", 30),
    ("NL", 18),
    ("NO", 15),
    ("PK", 24),
    ("PL", 28),
    ("PS", 29),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("SA", 24),
    ("SC", 31),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("ST", 25),
    ("SV", 28),
    ("TL", 23),
    ("TN", 24),
    ("TR", 26),
    ("UA", 29),
    ("VA", 22),
    ("VG", 24),
    ("XK", 20),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may")]
    use super::*;

    #[test]
    fn a_model_says_how_many_parts_there_are_and_which_are_checked() {
        for (input, result) in [
            ("SI081236-17-345679", "OK"),
            ("SI081236-17-345678", "CHECK_DIGIT"),
            ("SI011-24", "OK"),
            ("SI03140-140-140", "OK"),
            ("SI03140-140", "PART_COUNT"),
            ("SI2119-5", "OK"),
            ("SI2119-3-4", "PART_COUNT"),
            ("SI121033842574531-1", "PART_COUNT"),
            ("SI00", "PART_COUNT"),
            ("SI991", "PART_COUNT"),
            ("SI001--3", "EMPTY_PART"),
            ("SI001-01", "LEADING_ZERO"),
            ("SI13123", "UNKNOWN_MODEL"),
            ("SIAB123", "UNKNOWN_MODEL"),
            ("SI", "UNKNOWN_MODEL"),
            ("RF712348231", "NOT_SI"),
            ("", "NOT_SI"),
            ("SI0112345678901-2345678-0", "OK"),
        ] {
            let told = si_reference(&normalized(input)).map_or_else(SiFault::name, |()| "OK");
            assert_eq!(told, result, "{input}");
        }
    }

    #[test]
    fn a_reference_is_put_right_where_there_is_one_way_to() {
        for (input, verdict, mok_id) in [
            ("SI058074720123456789200", "OK_REPAIRED", Some(123_456_789)),
            ("05 8074720-123456789-200", "OK_REPAIRED", Some(123_456_789)),
            ("SI058074720-12345678-200", "OK_PADDED", Some(12_345_678)),
            ("SI058074720-1234567890-200", "P2_LENGTH", None),
            ("SI058074720-123456789", "BAD_PARTS", None),
            ("SI058074720--200", "BAD_PARTS", None),
            ("SI058074720-12345678A-200", "BAD_PARTS", None),
            ("SI05807472012345678920", "BAD_PARTS", None),
            ("SI05č74720123456789200", "BAD_PARTS", None),
            ("RF712348231", "WRONG_MODEL", None),
        ] {
            let judged = judge(input);
            assert_eq!((judged.verdict.name(), judged.mok_id), (verdict, mok_id), "{input}");
        }
    }

    #[test]
    fn every_changed_digit_of_an_account_number_is_seen() {
        let iban = "SI56029000000200020";
        assert!(Iban::parse(iban).is_some());
        for place in 2..iban.len() {
            for digit in '0'..='9' {
                let mut other: Vec<char> = iban.chars().collect();
                other[place] = digit;
                let other: String = other.into_iter().collect();
                assert_eq!(Iban::parse(&other).is_some(), other == iban, "{other}");
            }
        }
        assert!(Iban::parse("DE89 3704 0044 0532 0130 00").is_some());
        assert!(Iban::parse("GB29 NWBK 6016 1331 9268 19").is_some());
        for wrong in
            ["", "SI", "XX56029000000200020", "DE8937040044053201300", "SI56č29000000200020"]
        {
            assert!(Iban::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_creditor_reference_has_digits_and_letters_only() {
        assert!(is_rf_reference("rf45 sbo2 010"));
        for wrong in ["RF45SBO-2010", "RFAB123", "RF45", "RF", "SI99", "RF71č2348231"] {
            assert!(!is_rf_reference(wrong), "{wrong}");
        }
    }

    #[test]
    fn free_text_names_a_card_once_or_not_at_all() {
        let ours = |mok_id| Ok(Some((Verdict::Ok, Some(mok_id))));
        for (text, told) in [
            ("Polnjenje SI05 8074720-123456789-200", ours(123_456_789)),
            ("polnjenje si05 8074720 - 123456789 - 200, hvala", ours(123_456_789)),
            ("/ROC/SI058074720-123456789-200//URI/SI05 8074720-123456789-200", ours(123_456_789)),
            ("SI05 8074720-123456789-200 22.11.2026", ours(123_456_789)),
            ("ref:05 8074720-123456789-200", Ok(Some((Verdict::OkRepaired, Some(123_456_789))))),
            ("SI058074720123456789200", Ok(Some((Verdict::OkRepaired, Some(123_456_789))))),
            ("SI058074720-12345678-200", Ok(Some((Verdict::OkPadded, Some(12_345_678))))),
            ("SI05 8074721-123456789-200 hvala", Ok(Some((Verdict::P1Check, None)))),
            ("SI058074720-123456789-201", Ok(Some((Verdict::P3Mismatch, None)))),
            ("racun SI00 225268-32526-222", Ok(Some((Verdict::WrongModel, None)))),
            ("", Ok(None)),
            ("Polnjenje kartice 123456789", Ok(None)),
            ("telefon 051234567", Ok(None)),
            ("XSI05 8074720-123456789-200", Ok(None)),
            ("SI05", Ok(Some((Verdict::BadParts, None)))),
            ("SI05 8074720-123456789-200 SI05 8074720-234567891-200", Err(SeveralReferences)),
            ("SI05 8074720-123456789-200 in SI00 1", Err(SeveralReferences)),
        ] {
            let found = find_in_text(text).map(|hit| hit.map(|hit| (hit.verdict, hit.mok_id)));
            assert_eq!(found, told, "{text}");
        }
    }
}
