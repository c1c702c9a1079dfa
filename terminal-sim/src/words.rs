//! What a terminal says for a response code (DE 39), in Slovene and English.
//!
//! A terminal knows only the code: this is its own table, as short as a receipt's line. The
//! issuer has another with its reasons; the two share nothing but the standard's codes
//! (ISO 8583:1987, table of DE 39 values, and the scheme codes that the card's rules name).
//!
//! ```
//! use cekr_terminal_sim::words::{Language, of_code};
//! assert_eq!(of_code(*b"51", Language::English), "insufficient funds");
//! ```

/// The language of a receipt.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Slovene.
    Slovene,
}

/// The words for a response code; a code outside the table is called unknown.
#[must_use]
pub fn of_code(code: [u8; 2], language: Language) -> &'static str {
    let found = TABLE.iter().find(|(known, _, _)| **known == code);
    match (found, language) {
        (Some((_, _, english)), Language::English) => english,
        (Some((_, slovene, _)), Language::Slovene) => slovene,
        (None, Language::English) => "unknown answer",
        (None, Language::Slovene) => "neznan odgovor",
    }
}

/// True for the codes by which a transaction went through: 00, 08, 10, 11 and 85.
#[must_use]
pub fn is_approval(code: [u8; 2]) -> bool {
    matches!(&code, b"00" | b"08" | b"10" | b"11" | b"85")
}

/// Code, Slovene, English.
const TABLE: &[(&[u8; 2], &str, &str)] = &[
    (b"00", "odobreno", "approved"),
    (b"01", "pokličite izdajatelja", "call the issuer"),
    (b"03", "neveljavno prodajno mesto", "invalid merchant"),
    (b"05", "zavrnjeno", "declined"),
    (b"08", "odobreno, preverite istovetnost", "approved with identification"),
    (b"10", "delno odobreno", "partially approved"),
    (b"11", "odobreno", "approved"),
    (b"12", "neveljavna transakcija", "invalid transaction"),
    (b"13", "neveljaven znesek", "invalid amount"),
    (b"14", "neveljavna kartica", "invalid card"),
    (b"15", "izdajatelj ni znan", "no such issuer"),
    (b"1A", "potrebna je potrditev", "confirmation required"),
    (b"25", "izvirne transakcije ni", "original not found"),
    (b"30", "napaka v sporočilu", "format error"),
    (b"41", "izgubljena kartica", "lost card"),
    (b"43", "ukradena kartica", "stolen card"),
    (b"46", "kartica je zaprta", "card is closed"),
    (b"51", "ni dovolj sredstev", "insufficient funds"),
    (b"54", "kartica je potekla", "expired card"),
    (b"55", "napačen PIN", "wrong PIN"),
    (b"57", "za to kartico ni dovoljeno", "not permitted to this card"),
    (b"58", "za ta terminal ni dovoljeno", "not permitted to this terminal"),
    (b"59", "sum zlorabe", "suspected fraud"),
    (b"61", "prekoračen znesek", "amount limit exceeded"),
    (b"62", "kartica je zaklenjena", "card is locked"),
    (b"63", "kršitev varnosti", "security violation"),
    (b"65", "prekoračeno število transakcij", "count limit exceeded"),
    (b"68", "odgovor je prepozen", "answer came too late"),
    (b"70", "vstavite kartico in vnesite PIN", "insert card and enter PIN"),
    (b"75", "prevečkrat napačen PIN", "PIN tries exceeded"),
    (b"76", "izvirne transakcije ni", "original not found"),
    (b"78", "kartica še ni aktivirana", "card is not activated"),
    (b"79", "že preklicano", "already reversed"),
    (b"81", "PIN ni berljiv", "PIN cannot be read"),
    (b"82", "preverjanje kartice ni uspelo", "card verification failed"),
    (b"85", "kartica je v redu", "card is in order"),
    (b"90", "zaključek dneva poteka", "cutover in progress"),
    (b"91", "izdajatelj ni dosegljiv", "issuer unavailable"),
    (b"92", "ni poti do izdajatelja", "no route to the issuer"),
    (b"94", "podvojeno sporočilo", "duplicate message"),
    (b"95", "vsote se ne ujemajo", "totals differ"),
    (b"96", "napaka v sistemu", "system error"),
];

#[cfg(test)]
mod tests {
    use super::{Language, TABLE, is_approval, of_code};

    #[test]
    fn has_both_languages_for_every_code_once_in_ascending_order() {
        assert!(TABLE.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(
            TABLE.iter().all(|(_, slovene, english)| !slovene.is_empty() && !english.is_empty())
        );
    }

    #[test]
    fn calls_a_foreign_code_unknown() {
        assert_eq!(of_code(*b"ZZ", Language::Slovene), "neznan odgovor");
        assert!(!is_approval(*b"ZZ"));
    }
}
