//! The words of DE 39: what each response code says, to a cardholder's receipt and an operator.
//!
//! Source: ISO 8583:1987, annex on response codes, with the codes above 76 as Visa uses them. What
//! a code means for a card's state is the issuer's business, not a table's.

use crate::element::ResponseCode;

/// Languages of the texts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Language {
    /// English.
    En,
    /// Slovenian.
    Sl,
}

impl ResponseCode {
    /// Approved.
    pub const APPROVED: ResponseCode = ResponseCode::new(*b"00");

    /// Whether money may be given: approved in full, or in part.
    ///
    /// ```
    /// use cekr_iso8583::ResponseCode;
    /// assert!(ResponseCode::new(*b"10").is_approval());
    /// assert!(!ResponseCode::new(*b"51").is_approval());
    /// ```
    #[must_use]
    pub const fn is_approval(&self) -> bool {
        matches!(self.octets(), b"00" | b"08" | b"10" | b"11" | b"85")
    }

    /// What the code says; `None` for a code without a common meaning.
    ///
    /// ```
    /// use cekr_iso8583::{ResponseCode, response::Language};
    /// let code = ResponseCode::new(*b"51");
    /// assert_eq!(code.words(Language::En), Some("Not sufficient funds"));
    /// assert_eq!(code.words(Language::Sl), Some("Premalo sredstev"));
    /// ```
    #[must_use]
    pub const fn words(&self, language: Language) -> Option<&'static str> {
        let (en, sl) = match self.octets() {
            b"00" => ("Approved", "Odobreno"),
            b"01" => ("Refer to card issuer", "Pokličite izdajatelja kartice"),
            b"03" => ("Invalid merchant", "Neveljavno prodajno mesto"),
            b"04" => ("Pick up card", "Zadržite kartico"),
            b"05" => ("Do not honour", "Zavrnjeno"),
            b"08" => ("Honour with identification", "Odobreno z osebnim dokumentom"),
            b"10" => ("Approved for a partial amount", "Delno odobreno"),
            b"11" => ("Approved", "Odobreno"),
            b"12" => ("Invalid transaction", "Neveljavna transakcija"),
            b"13" => ("Invalid amount", "Neveljaven znesek"),
            b"14" => ("Invalid card number", "Neveljavna številka kartice"),
            b"15" => ("No such issuer", "Neznan izdajatelj"),
            b"17" => ("Customer cancellation", "Stranka je preklicala"),
            b"21" => ("No action taken", "Brez učinka"),
            b"25" => ("Original not found", "Izvirnik ni najden"),
            b"30" => ("Format error", "Napaka v sporočilu"),
            b"32" => ("Completed partially", "Delno izvedeno"),
            b"41" => ("Lost card", "Izgubljena kartica"),
            b"43" => ("Stolen card", "Ukradena kartica"),
            b"46" => ("Closed account", "Zaprta kartica"),
            b"51" => ("Not sufficient funds", "Premalo sredstev"),
            b"54" => ("Expired card", "Kartica je potekla"),
            b"55" => ("Incorrect PIN", "Napačna koda PIN"),
            b"57" => ("Transaction not permitted to cardholder", "Transakcija ni dovoljena"),
            b"58" => ("Transaction not permitted to terminal", "Terminalu ni dovoljeno"),
            b"59" => ("Suspected fraud", "Sum zlorabe"),
            b"61" => ("Exceeds amount limit", "Presežen limit zneska"),
            b"62" => ("Restricted card", "Kartica je zaklenjena"),
            b"63" => ("Security violation", "Kršitev varnosti"),
            b"65" => ("Exceeds frequency limit", "Presežen limit števila"),
            b"68" => ("Response received too late", "Odgovor je prišel prepozno"),
            b"70" => ("PIN required", "Potrebna je koda PIN"),
            b"75" => ("PIN tries exceeded", "Preveč poskusov kode PIN"),
            b"78" => ("Card not activated", "Kartica ni aktivirana"),
            b"81" => ("Cryptographic error in PIN", "Kode PIN ni mogoče prebrati"),
            b"82" => ("Card verification failed", "Preverjanje kartice ni uspelo"),
            b"85" => ("No reason to decline", "Ni razloga za zavrnitev"),
            b"91" => ("Issuer not available", "Izdajatelj ni dosegljiv"),
            b"94" => ("Duplicate transmission", "Podvojeno sporočilo"),
            b"95" => ("Reconciliation error", "Vsote se ne ujemajo"),
            b"96" => ("System malfunction", "Napaka sistema"),
            b"1A" => ("Authentication required", "Potrebna je potrditev"),
            _ => return None,
        };
        Some(match language {
            Language::En => en,
            Language::Sl => sl,
        })
    }
}
