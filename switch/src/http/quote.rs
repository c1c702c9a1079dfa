//! What an answer or a line of the log may quote of a request: anything but numbers as long as a
//! card's. Somebody will put one into a path, and a parser will say which value it did not like.

use std::borrow::Cow;

/// `text` with each run of twelve digits or more hidden: card numbers and stripe data, whole or
/// not.
#[must_use]
pub fn quotable(text: &str) -> Cow<'_, str> {
    let is_number =
        |part: &[u8]| part.len() >= DIGITS_MIN && part.first().is_some_and(u8::is_ascii_digit);
    let parts =
        || text.as_bytes().chunk_by(|one, next| one.is_ascii_digit() == next.is_ascii_digit());
    if !parts().any(is_number) {
        return Cow::Borrowed(text);
    }
    let shown: Vec<u8> =
        parts().flat_map(|part| if is_number(part) { HIDDEN } else { part }).copied().collect();
    // Only whole runs of ASCII are left out, so that it is text still.
    Cow::Owned(String::from_utf8_lossy(&shown).into_owned())
}

/// The shortest card numbers have thirteen digits; one of them may have got lost.
const DIGITS_MIN: usize = 12;
const HIDDEN: &[u8] = b"[number]";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_numbers_are_hidden_wherever_they_stand() {
        for (text, shown) in [
            ("there is no /v1/cards/4761730000000011", "there is no /v1/cards/[number]"),
            ("4761730000000011=30122011234567890?", "[number]=[number]?"),
            ("476173000000", "[number]"),
            ("476173000000 and 4761730000000011", "[number] and [number]"),
        ] {
            assert_eq!(quotable(text), shown);
        }
    }

    #[test]
    fn what_is_shorter_is_quoted() {
        for text in ["", "line 1 column 24", "amount is 1 to 99999999999", "card_4xru2"] {
            assert_eq!(quotable(text), text);
        }
    }
}
