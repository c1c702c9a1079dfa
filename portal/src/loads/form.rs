//! Forms of loads: what was typed, what is wrong with it, and the fields as a page shows them.
//!
//! What was typed is shown again as it was; what is wrong stands beside its field in the reader's
//! language.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

use crate::page::money;
use crate::page::texts::Say;

/// What somebody typed, by the names of fields.
pub type Typed = HashMap<String, String>;

/// A form that was sent: its values, and what is wrong with them.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    typed: Typed,
    /// Field and the key of a text; the first of a field counts.
    faults: Vec<(&'static str, &'static str)>,
}

/// A field as a page shows it.
#[derive(Clone, Debug)]
pub struct Input {
    /// The field's name and id.
    pub name: &'static str,
    /// What it is called.
    pub label: String,
    /// What helps to fill it in; may be empty.
    pub hint: String,
    /// What was typed.
    pub value: String,
    /// What is wrong; empty where nothing is.
    pub error: String,
    /// `text`, `email`.
    pub kind: &'static str,
    /// `decimal`, `numeric`, `text`, `email`.
    pub keys: &'static str,
    /// What a browser may fill in.
    pub autocomplete: &'static str,
    /// Characters.
    pub chars_max: usize,
}

/// A field that there is.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// The field's name; the texts are `loads-NAME` and `loads-NAME-hint`.
    pub name: &'static str,
    /// `text`, `email`.
    pub kind: &'static str,
    /// `decimal`, `numeric`, `text`, `email`.
    pub keys: &'static str,
    /// What a browser may fill in.
    pub autocomplete: &'static str,
    /// Characters.
    pub chars_max: usize,
}

impl Sent {
    /// What was typed, nothing being wrong yet.
    #[must_use]
    pub fn new(typed: Typed) -> Sent {
        Sent { typed, faults: Vec::new() }
    }

    /// A field, without white space at its ends.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.typed.get(name).map_or("", |value| value.trim())
    }

    /// Whether a box was ticked.
    #[must_use]
    pub fn is_ticked(&self, name: &str) -> bool {
        !self.text(name).is_empty()
    }

    /// Gives a field a value where nothing was typed.
    pub fn fill(&mut self, name: &str, value: &str) {
        if self.text(name).is_empty() {
            self.typed.insert(name.to_owned(), value.to_owned());
        }
    }

    /// Says what is wrong with a field.
    pub fn fault(&mut self, name: &'static str, words: &'static str) {
        self.faults.push((name, words));
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_right(&self) -> bool {
        self.faults.is_empty()
    }

    /// What is wrong with a field: the key of a text, or nothing.
    #[must_use]
    pub fn wrong(&self, name: &str) -> Option<&'static str> {
        self.faults.iter().find(|(field, _)| *field == name).map(|(_, words)| *words)
    }

    /// An amount of cents between these.
    pub fn amount(&mut self, name: &'static str, least: u64, most: u64) -> u64 {
        let words = match money::read(self.text(name)) {
            _ if self.text(name).is_empty() => "loads-fault-amount-missing",
            None => "loads-fault-amount",
            Some(cents) if cents < least => "loads-fault-amount-small",
            Some(cents) if cents > most => "loads-fault-amount-large",
            Some(cents) => return cents,
        };
        self.fault(name, words);
        0
    }

    /// A line of text for people; `""` where it is wrong, which is then said.
    pub fn line(&mut self, name: &'static str, chars_max: usize, need: Need) -> String {
        let text = self.text(name).to_owned();
        let words = if text.is_empty() && need == Need::Asked {
            "loads-fault-missing"
        } else if text.chars().count() > chars_max {
            "loads-fault-long"
        } else if text.chars().any(is_unseen) {
            "loads-fault-letters"
        } else {
            return text;
        };
        self.fault(name, words);
        String::new()
    }

    /// An address of e-mail, as far as one can be told by its look.
    pub fn email(&mut self, name: &'static str, chars_max: usize) -> String {
        let text = self.line(name, chars_max, Need::Asked);
        let parts = text.split_once('@');
        let is_email = parts.is_some_and(|(local, host)| {
            !local.is_empty()
                && host.contains('.')
                && !host.starts_with('.')
                && !host.ends_with('.')
        });
        let is_plain = !text.chars().any(char::is_whitespace) && text.matches('@').count() == 1;
        if !(text.is_empty() || is_email && is_plain) {
            self.fault(name, "loads-fault-email");
        }
        text
    }

    /// The fields as a page shows them.
    #[must_use]
    pub fn inputs(&self, asked: &[Asked], say: &Say) -> Vec<Input> {
        let input = |asked: &Asked| {
            let Asked { name, kind, keys, autocomplete, chars_max } = *asked;
            Input {
                name,
                label: say.text(&format!("loads-{name}")),
                hint: say.text(&format!("loads-{name}-hint")),
                value: self.typed.get(name).cloned().unwrap_or_default(),
                error: self.wrong(name).map(|words| say.text(words)).unwrap_or_default(),
                kind,
                keys,
                autocomplete,
                chars_max,
            }
        };
        asked.iter().map(input).collect()
    }

    /// A mark of everything that was typed: the same form sent again has the same.
    #[must_use]
    pub fn mark(&self, who: &str) -> String {
        let mut fields: Vec<_> = self.typed.iter().filter(|(name, _)| *name != "csrf").collect();
        fields.sort();
        let mut hash = Sha256::new();
        for part in fields.into_iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]) {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        hash.update(who);
        let digest: [u8; 32] = hash.finalize().into();
        hex(&digest)
    }
}

/// Whether a line must be filled in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Need {
    /// It must.
    Asked,
    /// It may.
    Free,
}

/// Octets as lower-case hexadecimal digits.
#[must_use]
pub fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// A name that nobody can guess; `None` where the system has no randomness.
#[must_use]
pub fn drawn() -> Option<String> {
    let mut octets = [0; 16];
    getrandom::fill(&mut octets).ok()?;
    Some(hex(&octets))
}

/// What is not seen, or turns round what is: controls, marks of direction, joiners of no width.
fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{00AD}'
                | '\u{061C}'
                | '\u{180E}'
                | '\u{200B}'..='\u{200F}'
                | '\u{2028}'..='\u{202E}'
                | '\u{2060}'..='\u{206F}'
                | '\u{FE00}'..='\u{FE0F}'
                | '\u{FEFF}'
                | '\u{FFF9}'..='\u{FFFB}'
                | '\u{E0000}'..='\u{E0FFF}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(name: &str, value: &str) -> Sent {
        Sent::new(HashMap::from([(name.to_owned(), value.to_owned())]))
    }

    #[test]
    fn names_that_hide_or_turn_letters_are_refused_beside_their_field() {
        let long = "a".repeat(71);
        for (name, words) in [
            ("", "loads-fault-missing"),
            ("   ", "loads-fault-missing"),
            (long.as_str(), "loads-fault-long"),
            ("Ana\u{202E}kavoN", "loads-fault-letters"),
            ("Ana\u{200B}Novak", "loads-fault-letters"),
            ("Ana\nNovak", "loads-fault-letters"),
        ] {
            let mut form = sent("name", name);
            assert_eq!(form.line("name", 70, Need::Asked), "");
            assert_eq!(form.wrong("name"), Some(words), "{name:?}");
        }
        for name in ["<b>Ana</b>", "Žiga Čuk", "O'Neill & Söhne", "山田 太郎"] {
            let mut form = sent("name", name);
            assert_eq!(form.line("name", 70, Need::Asked), name);
            assert!(form.is_right());
        }
    }

    #[test]
    fn an_address_of_e_mail_looks_like_one() {
        for right in ["ana@example.si", "a.b+c@d.e.f"] {
            assert_eq!(sent("email", right).email("email", 100), right);
        }
        for wrong in ["ana", "ana@", "@a.b", "a@b", "a@b.", "a@.b", "a b@c.d", "a@b@c.d"] {
            let mut form = sent("email", wrong);
            let _ = form.email("email", 100);
            assert_eq!(form.wrong("email"), Some("loads-fault-email"), "{wrong}");
        }
    }

    #[test]
    fn an_amount_is_told_why_it_is_refused() {
        for (typed, words) in [
            ("", "loads-fault-amount-missing"),
            ("1.234", "loads-fault-amount"),
            ("-5", "loads-fault-amount"),
            ("0,99", "loads-fault-amount-small"),
            ("1000,01", "loads-fault-amount-large"),
        ] {
            let mut form = sent("amount", typed);
            assert_eq!(form.amount("amount", 1_00, 1_000_00), 0);
            assert_eq!(form.wrong("amount"), Some(words), "{typed}");
        }
        assert_eq!(sent("amount", "1.000,00 €").amount("amount", 1_00, 1_000_00), 1_000_00);
    }

    #[test]
    fn the_same_form_has_the_same_mark_and_any_change_another() {
        let mark = sent("a", "b").mark("");
        assert_eq!(sent("a", "b").mark(""), mark);
        for other in [sent("a", "c").mark(""), sent("ab", "").mark(""), sent("a", "b").mark("x")] {
            assert_ne!(other, mark);
        }
    }
}
