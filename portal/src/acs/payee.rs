//! What a shop calls itself, made safe to show: one line, short, and no character that hides or
//! turns others.
//!
//! Whoever shows it escapes it besides. Source of the characters: Unicode Standard Annex 9 (marks
//! of direction) and Unicode's default ignorable code points.

/// The name as it may be shown; `instead` where nothing of it is left.
#[must_use]
pub(super) fn safe(name: &str, instead: &str) -> String {
    let shown = cleaned(name);
    if shown.is_empty() { cleaned(instead) } else { shown }
}

fn cleaned(name: &str) -> String {
    let mut words = String::new();
    for word in name.split(|letter: char| letter.is_whitespace() || letter.is_control()) {
        let mut marks = 0;
        let word = word.chars().filter(|letter| !is_hidden(*letter)).filter(|letter| {
            // Marks stacked on one letter cover the lines above and below.
            marks = if is_mark(*letter) { marks + 1 } else { 0 };
            marks <= MARKS_MAX
        });
        let word: String = word.collect();
        if !word.is_empty() {
            if !words.is_empty() {
                words.push(' ');
            }
            words.push_str(&word);
        }
    }
    words.chars().take(CHARS_MAX).collect::<String>().trim_end().to_owned()
}

/// Not seen, or changes how its neighbours are seen.
const fn is_hidden(letter: char) -> bool {
    matches!(
        letter,
        '\u{00ad}'
            | '\u{034f}'
            | '\u{061c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{ffff}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
            | '\u{e000}'..='\u{f8ff}'
            | '\u{f0000}'..='\u{10ffff}'
    )
}

const fn is_mark(letter: char) -> bool {
    matches!(
        letter,
        '\u{0300}'..='\u{036f}'
            | '\u{0483}'..='\u{0489}'
            | '\u{1ab0}'..='\u{1aff}'
            | '\u{1dc0}'..='\u{1dff}'
            | '\u{20d0}'..='\u{20ff}'
            | '\u{fe20}'..='\u{fe2f}'
    )
}

/// What a message may tell of a name.
const CHARS_MAX: usize = 40;
const MARKS_MAX: usize = 2;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hostile_names_become_one_plain_line() {
        for (name, shown) in [
            ("Trgovina d.o.o.", "Trgovina d.o.o."),
            ("  Čebelarstvo\t\nŽnidaršič ", "Čebelarstvo Žnidaršič"),
            ("\u{202e}ofni.knab\u{202c}", "ofni.knab"),
            ("A\u{200b}\u{2066}B\u{2069}\u{0}C", "AB C"),
            ("<script>alert(1)</script>", "<script>alert(1)</script>"),
            ("Z\u{0301}\u{0301}\u{0301}\u{0301}\u{0301}o", "Z\u{0301}\u{0301}o"),
            ("\u{200f}\u{feff}", "MERCH1"),
            ("", "MERCH1"),
        ] {
            assert_eq!(safe(name, "MERCH1"), shown);
        }
        assert_eq!(safe(&"x".repeat(1_000), "").chars().count(), CHARS_MAX);
    }

    proptest! {
        #[test]
        fn whatever_it_is_called_it_is_short_and_hides_nothing(name in any::<String>()) {
            let shown = safe(&name, "shop");
            prop_assert!(!shown.is_empty() && shown.chars().count() <= CHARS_MAX);
            prop_assert!(!shown.chars().any(|letter| letter.is_control() || is_hidden(letter)));
            prop_assert_eq!(safe(&shown, "shop"), shown);
        }
    }
}
