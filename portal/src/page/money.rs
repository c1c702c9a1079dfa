//! Amounts as people write them, and as they type them: cents in, cents out, no float between.

use super::texts::Language;

/// `1.234,50 €` in Slovene, `€1,234.50` in English; a minus in front of all.
#[must_use]
pub fn show(cents: i64, language: Language) -> String {
    let (thousands, decimal) = match language {
        Language::English => (',', '.'),
        Language::Slovene => ('.', ','),
    };
    let magnitude = cents.unsigned_abs();
    let euros = grouped(magnitude / 100, thousands);
    let amount = format!("{euros}{decimal}{:02}", magnitude % 100);
    let sign = if cents < 0 { "\u{2212}" } else { "" };
    match language {
        Language::English => format!("{sign}\u{20ac}{amount}"),
        Language::Slovene => format!("{sign}{amount}\u{a0}\u{20ac}"),
    }
}

/// The amount as somebody would type it into a form: `1234,50` in Slovene, `1234.50` in English.
#[must_use]
pub fn typed(cents: u64, language: Language) -> String {
    let decimal = match language {
        Language::English => '.',
        Language::Slovene => ',',
    };
    format!("{}{decimal}{:02}", cents / 100, cents % 100)
}

/// Cents out of what somebody typed: `50`, `50,5`, `50.00`, `1 234,50`. A mark before the last one
/// or two digits is decimal; spaces set thousands apart; two different marks are read as thousands
/// and decimal. `None` for anything that can be read in two ways, and for a minus.
#[must_use]
pub fn read(typed: &str) -> Option<u64> {
    let text: String = typed.chars().filter(|c| !c.is_whitespace() && *c != '€').collect();
    let marks = text.chars().filter(|c| matches!(c, '.' | ',')).count();
    let (euros, cents) = match text.rfind(['.', ',']) {
        None => (text.as_str(), ""),
        Some(place) => {
            let (euros, rest) = text.split_at_checked(place)?;
            (euros, rest.get(1..)?)
        }
    };
    let decimal = text.chars().rev().find(|c| matches!(c, '.' | ','));
    // `1.234`: a thousand, or one and a bit? Nobody guesses with money.
    if decimal.is_some() && !(1..=2).contains(&cents.len()) {
        return None;
    }
    let euros = if marks > 1 { without_thousands(euros, decimal?)? } else { euros.to_owned() };
    if euros.is_empty()
        || euros.len() > EUROS_DIGITS_MAX
        || !all_digits(&euros)
        || !all_digits(cents)
    {
        return None;
    }
    let cents: u64 = format!("{cents:0<2}").parse().ok()?;
    euros.parse::<u64>().ok()?.checked_mul(100)?.checked_add(cents)
}

/// The digits of groups of three that are set apart by one mark, which is not the decimal one.
fn without_thousands(euros: &str, decimal: char) -> Option<String> {
    let mark = if decimal == ',' { '.' } else { ',' };
    let mut groups = euros.split(mark);
    let first = groups.next().filter(|group| (1..=3).contains(&group.len()))?;
    let mut digits = first.to_owned();
    for group in groups {
        if group.len() != 3 {
            return None;
        }
        digits.push_str(group);
    }
    Some(digits)
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|octet| octet.is_ascii_digit())
}

fn grouped(number: u64, mark: char) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(mark);
        }
        text.push(digit);
    }
    text
}

/// A hundred million euros is more than any form takes.
const EUROS_DIGITS_MAX: usize = 9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_shown_as_each_language_writes_them() {
        assert_eq!(show(123_450, Language::Slovene), "1.234,50\u{a0}€");
        assert_eq!(show(123_450, Language::English), "€1,234.50");
        assert_eq!(show(-5, Language::Slovene), "\u{2212}0,05\u{a0}€");
        assert_eq!(show(100_000_000, Language::English), "€1,000,000.00");
        assert_eq!(show(i64::MIN, Language::English), "\u{2212}€92,233,720,368,547,758.08");
    }

    #[test]
    fn amounts_are_read_as_people_type_them() {
        for (typed, cents) in [
            ("50", 50_00),
            (" 50,5 ", 50_50),
            ("50.00", 50_00),
            ("0,01", 1),
            ("1 234,50 €", 1_234_50),
            ("1.234,50", 1_234_50),
            ("1,234.50", 1_234_50),
            ("1.234.567,89", 1_234_567_89),
        ] {
            assert_eq!(read(typed), Some(cents), "{typed}");
        }
    }

    #[test]
    fn an_amount_in_a_form_is_read_as_the_same() {
        for language in Language::ALL {
            for cents in [0, 1, 50_00, 1_234_50, 99_999_999_99] {
                assert_eq!(read(&typed(cents, language)), Some(cents));
            }
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_not_read() {
        for typed in [
            "",
            "-5",
            "1.234",
            "1,234",
            "5,",
            ",5",
            "1.23,4.5",
            "12.34,5.6",
            "1e3",
            "0x10",
            "１",
            "5,001",
            "1..5",
            "1.2345,00",
            "9999999999",
            "NaN",
        ] {
            assert_eq!(read(typed), None, "{typed}");
        }
    }
}
