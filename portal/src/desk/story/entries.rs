//! Entries as operators read them: what the holder reads, and beside it everything else they hold.

use serde_json::Value;

use crate::card::history::{lines, when};
use crate::card::merchants::Merchants;
use crate::page::texts::Say;

/// One entry.
pub(super) struct Row {
    /// Its number.
    pub(super) seq: u64,
    /// When, as people say it.
    pub(super) when: String,
    /// When, as programs do.
    pub(super) at: String,
    /// What happened, in words, or its kind.
    pub(super) what: String,
    /// Where.
    pub(super) place: String,
    /// With sign and currency.
    pub(super) amount: Option<String>,
    /// The cashpoint fee.
    pub(super) fee: Option<String>,
    /// DE 39, where something was answered.
    pub(super) code: Option<String>,
    /// Why, in words.
    pub(super) reason: Option<String>,
    /// What the chip proved.
    pub(super) chip: Option<String>,
    /// What was available afterwards.
    pub(super) available: Option<String>,
    /// Everything that the entry says, by the journal's own names.
    pub(super) facts: Vec<(String, String)>,
}

/// The number of the entry that `item` shows.
pub(super) fn seq_of(item: &Value) -> Option<u64> {
    item.get("seq").and_then(Value::as_u64)
}

/// The rows of `items`, which are a card's entries from the newest.
pub(super) fn rows(say: &Say, items: &[Value]) -> Vec<Row> {
    let mut told = lines(say, items, &Merchants::default()).into_iter().peekable();
    let row = |item: &Value| {
        let seq = seq_of(item).unwrap_or_default();
        // Lines stand in the order of their items; what concerns only the switch has none.
        let line = told.next_if(|line| line.seq == seq);
        let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default();
        let at = text("at").to_owned();
        let available = item.get("available_after").and_then(Value::as_i64);
        let (what, place, amount, fee, reason) = match line {
            Some(line) => (line.what, line.place, line.amount, line.fee, line.reason),
            None => (kind_words(say, text("kind")), String::new(), money(say, item), None, None),
        };
        Row {
            seq,
            when: when(&at, say.language()),
            what,
            place,
            amount,
            fee,
            code: Some(text("response_code").to_owned()).filter(|code| !code.is_empty()),
            reason,
            chip: chip(say, item),
            available: available.map(|cents| say.money(&cents)),
            facts: facts(item),
            at,
        }
    };
    items.iter().map(row).collect()
}

/// A kind of entry in words; one that has none is shown by its name.
pub(in crate::desk) fn kind_words(say: &Say, kind: &str) -> String {
    say.maybe(&format!("desk-kind-{}", kind.replace('_', "-"))).unwrap_or_else(|| kind.to_owned())
}

fn money(say: &Say, item: &Value) -> Option<String> {
    let cents = item.get("amount").and_then(Value::as_i64).filter(|cents| *cents != 0)?;
    Some(say.money(&cents))
}

/// What is kept of a cryptogram: how its check ended, and the chip's counter. The cryptogram itself
/// is kept nowhere.
fn chip(say: &Say, item: &Value) -> Option<String> {
    let letter = item.get("chip_result").and_then(Value::as_str)?;
    let words = say.maybe(&format!("desk-chip-{}", letter.to_lowercase()));
    let words = words.unwrap_or_else(|| letter.to_owned());
    Some(match item.get("atc").and_then(Value::as_u64) {
        Some(atc) => format!("{words} (ATC {atc})"),
        None => words,
    })
}

fn facts(item: &Value) -> Vec<(String, String)> {
    let Some(object) = item.as_object() else {
        return Vec::new();
    };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    object.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use serde_json::json;

    use super::*;
    use crate::page::texts::{Language, Texts};

    #[test]
    fn each_entry_has_a_row_whether_its_holder_reads_of_it_or_not() {
        let say = Texts::built_in().unwrap().say(Language::English);
        let items = [
            json!({"seq": 9, "at": "2026-11-22T13:05:00.000Z", "kind": "declined", "amount": 1200,
                "response_code": "55", "reason": "pin_wrong", "processing_code": "010000",
                "chip_result": "C", "atc": 7, "available_after": 9000}),
            json!({"seq": 8, "at": "2026-11-22T13:04:00.000Z", "kind": "script_asked"}),
            json!({"seq": 7, "at": "2026-11-22T13:03:00.000Z", "kind": "some_new_kind"}),
            json!({"seq": 6, "at": "2026-11-22T13:02:00.000Z", "kind": "loaded", "amount": 500,
                "source": "upn"}),
        ];
        let rows = rows(&say, &items);
        let seqs: Vec<u64> = rows.iter().map(|row| row.seq).collect();
        assert_eq!(seqs, [9, 8, 7, 6]);
        let [declined, script, new, loaded] = rows.try_into().ok().unwrap();
        assert_eq!(declined.code.as_deref(), Some("55"));
        assert!(declined.reason.is_some() && declined.chip.unwrap().contains("ATC 7"));
        assert_eq!(script.what, say.text("desk-kind-script-asked"));
        assert_eq!(new.what, "some_new_kind");
        assert_eq!(loaded.amount.as_deref(), Some("+€5.00"));
        assert!(declined.facts.contains(&("reason".to_owned(), "pin_wrong".to_owned())));
    }
}
