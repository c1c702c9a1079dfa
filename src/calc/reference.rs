//! Payment references and account numbers: the Slovenian models, the card's own, RF, IBAN.
//!
//! Pure functions of text, for whoever reads a bank's statement or writes a payment order. They
//! stand with the calculator until the website and the bank's side have a crate of their own, and
//! move there.
//!
//! Source: Združenje bank Slovenije, "Pravila za oblikovanje in uporabo standardiziranih referenc",
//! version 1.4 (November 2023), section 2.2 and appendix 3; ISO 11649 (RF); ISO 13616 (IBAN); the
//! cases of `tests/vectors/domain/`.

use serde_json::json;

use super::given::Operation;

/// Every calculation of this family.
pub(crate) const OPERATIONS: &[Operation] = &[
    ("mod11", |given| {
        let check = mod11(given.text("data")?)
            .ok_or("`data` has not 1 to 12 digits: the weights end with the twelfth")?;
        Ok(json!({ "k": check }))
    }),
    ("si_reference", |given| {
        let normalized = normalized(given.text("input")?);
        let result = si_reference(&normalized);
        Ok(json!({ "normalized": normalized, "result": result }))
    }),
    ("cekr_reference", |given| {
        let (verdict, mok_id) = cekr_reference(given.text("input")?);
        Ok(json!({ "verdict": verdict, "mok_id": mok_id }))
    }),
    ("rf_reference", |given| Ok(json!({ "valid": is_rf_reference(given.text("input")?) }))),
    ("iban", |given| Ok(json!({ "valid": is_iban(given.text("input")?) }))),
];

/// The check digit of up to twelve digits: weights 2, 3 and so on from the right, modulo 11.
///
/// Where the result would be 10 or 11 it is 0, so two faults of a digit in a hundred go unseen.
fn mod11(data: &str) -> Option<u32> {
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
fn normalized(input: &str) -> String {
    let compact = input.chars().filter(|letter| !letter.is_whitespace());
    let upper = |(place, letter): (usize, char)| {
        if place < 2 { letter.to_ascii_uppercase() } else { letter }
    };
    compact.enumerate().map(upper).collect()
}

/// What is wrong with a normalized reference of an SI model, `OK` if nothing is.
fn si_reference(reference: &str) -> &'static str {
    let Some(rest) = reference.strip_prefix("SI") else { return "NOT_SI" };
    let Some((number, content)) = rest.split_at_checked(2) else { return "UNKNOWN_MODEL" };
    let Some(model) = model(number) else { return "UNKNOWN_MODEL" };
    if content.is_empty() {
        return if *model.part_count.start() == 0 { "OK" } else { "PART_COUNT" };
    }
    if *model.part_count.end() == 0 {
        return "PART_COUNT";
    }
    if !content.bytes().all(|octet| octet.is_ascii_digit() || octet == b'-') {
        return "BAD_CHARS";
    }
    let parts: Vec<&str> = content.split('-').collect();
    if parts.iter().any(|part| part.is_empty()) {
        return "EMPTY_PART";
    }
    if !model.part_count.contains(&parts.len()) {
        return "PART_COUNT";
    }
    if number == "12" && content.len() != SI12_DIGITS {
        return "SI12_LENGTH";
    }
    if number != "12" && parts.iter().any(|part| part.len() > PART_DIGITS_MAX) {
        return "PART_TOO_LONG";
    }
    if parts.iter().map(|part| part.len()).sum::<usize>() > DIGITS_MAX {
        return "TOO_LONG";
    }
    if parts.iter().skip(1).any(|part| part.len() > 1 && part.starts_with('0')) {
        return "LEADING_ZERO";
    }
    let is_checked = model.checked.iter().all(|group| {
        let taken = parts.iter().enumerate().filter(|(place, _)| group.contains(place));
        let digits: String = taken.map(|(_, part)| *part).collect();
        has_right_check_digit(&digits)
    });
    if is_checked { "OK" } else { "CHECK_DIGIT" }
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
fn cekr_reference(input: &str) -> (&'static str, Option<String>) {
    let compact: String = input.chars().filter(|letter| !letter.is_whitespace()).collect();
    let compact = compact.to_ascii_uppercase();
    let (model_and_rest, mut is_repaired) = match compact.strip_prefix("SI") {
        Some(rest) => (rest, false),
        None => (compact.as_str(), true),
    };
    let Some(content) = model_and_rest.strip_prefix("05") else { return ("WRONG_MODEL", None) };
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
        _ => return ("BAD_PARTS", None),
    };
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if ![first, mok_id, last].into_iter().all(is_number) || first.len() > PART_DIGITS_MAX {
        return ("BAD_PARTS", None);
    }
    let verdict = if !has_right_check_digit(first) {
        "P1_CHECK"
    } else if first != PAYEE_PART {
        "P1_MISMATCH"
    } else if mok_id.len() > MOK_ID_DIGITS {
        "P2_LENGTH"
    } else if last != PURPOSE_PART {
        "P3_MISMATCH"
    } else if mok_id.len() < MOK_ID_DIGITS {
        return ("OK_PADDED", Some(format!("{mok_id:0>MOK_ID_DIGITS$}")));
    } else {
        return (if is_repaired { "OK_REPAIRED" } else { "OK" }, Some(mok_id.to_owned()));
    };
    (verdict, None)
}

/// Whether a reference of ISO 11649 is right: `RF`, two check digits, up to 21 letters and digits.
fn is_rf_reference(input: &str) -> bool {
    let compact: String = input.chars().filter(|letter| !letter.is_whitespace()).collect();
    let upper = compact.to_ascii_uppercase();
    let Some(rest) = upper.strip_prefix("RF") else { return false };
    (3..=23).contains(&rest.len()) && is_mod97(&upper)
}

/// Whether an account number has the length of its country and right check digits.
///
/// Slovenian ones have a second pair of check digits, the last two, which must be right as well.
fn is_iban(input: &str) -> bool {
    let is_kept = |letter: &char| !letter.is_whitespace() && !matches!(letter, '-' | '.');
    let compact: String = input.chars().filter(is_kept).collect();
    let upper = compact.to_ascii_uppercase();
    let Some((country, account)) = upper.split_at_checked(2).filter(|_| upper.is_ascii()) else {
        return false;
    };
    let Some((_, len)) = IBAN_LENGTHS.iter().find(|(code, _)| *code == country) else {
        return false;
    };
    let is_national = country != "SI" || {
        let digits = account.get(2..).and_then(|digits| digits.parse::<u64>().ok());
        digits.is_some_and(|digits| digits % 97 == 1)
    };
    upper.len() == *len && is_mod97(&upper) && is_national
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

/// The first part of every reference of this programme.
const PAYEE_PART: &str = "8074720";

/// The last part of a reference that loads a card.
const PURPOSE_PART: &str = "200";

const MOK_ID_DIGITS: usize = 9;

/// The most digits that have a weight.
const DIGITS_WEIGHTED_MAX: usize = 12;

/// The most digits of one part.
const PART_DIGITS_MAX: usize = 12;

/// The most digits of all parts together.
const DIGITS_MAX: usize = 20;

/// Model 12 has one part of one length.
const SI12_DIGITS: usize = 13;

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
            assert_eq!(si_reference(&normalized(input)), result, "{input}");
        }
    }

    #[test]
    fn a_reference_is_put_right_where_there_is_one_way_to() {
        for (input, verdict, mok_id) in [
            ("SI058074720123456789200", "OK_REPAIRED", Some("123456789")),
            ("05 8074720-123456789-200", "OK_REPAIRED", Some("123456789")),
            ("SI058074720-12345678-200", "OK_PADDED", Some("012345678")),
            ("SI058074720-1234567890-200", "P2_LENGTH", None),
            ("SI058074720-123456789", "BAD_PARTS", None),
            ("SI058074720--200", "BAD_PARTS", None),
            ("SI058074720-12345678A-200", "BAD_PARTS", None),
            ("SI05807472012345678920", "BAD_PARTS", None),
            ("SI05č74720123456789200", "BAD_PARTS", None),
            ("RF712348231", "WRONG_MODEL", None),
        ] {
            assert_eq!(cekr_reference(input), (verdict, mok_id.map(str::to_owned)), "{input}");
        }
    }

    #[test]
    fn every_changed_digit_of_an_account_number_is_seen() {
        let iban = "SI56029000000200020";
        assert!(is_iban(iban));
        for place in 2..iban.len() {
            for digit in '0'..='9' {
                let mut other: Vec<char> = iban.chars().collect();
                other[place] = digit;
                let other: String = other.into_iter().collect();
                assert_eq!(is_iban(&other), other == iban, "{other}");
            }
        }
        assert!(is_iban("DE89 3704 0044 0532 0130 00"));
        assert!(is_iban("GB29 NWBK 6016 1331 9268 19"));
        for wrong in
            ["", "SI", "XX56029000000200020", "DE8937040044053201300", "SI56č29000000200020"]
        {
            assert!(!is_iban(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_creditor_reference_has_digits_and_letters_only() {
        assert!(is_rf_reference("rf45 sbo2 010"));
        for wrong in ["RF45SBO-2010", "RFAB123", "RF45", "RF", "SI99", "RF71č2348231"] {
            assert!(!is_rf_reference(wrong), "{wrong}");
        }
    }
}
