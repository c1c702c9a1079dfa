//! What the terminals say, in Slovene and English: one table.

use cekr_iso8583::response::Language;

/// One text of a terminal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Text {
    /// What the card is asked to pay.
    Amount,
    /// DE 39 on a receipt.
    Answer,
    /// DE 38 on a receipt.
    Approval,
    /// What the next purchase may use.
    Available,
    /// Heading and name of a balance inquiry.
    Balance,
    /// The card's number on a receipt.
    Card,
    /// No card is at hand.
    CardKept,
    /// Cancel key in a menu: the card comes back.
    CardBack,
    /// Cassettes of a cashpoint.
    Cassettes,
    /// Choose what to do.
    Choose,
    /// The two keys of a consent.
    ConfirmOrCancel,
    /// Hide the keys.
    CoverKeys,
    /// What comes out.
    CashWithdrawal,
    /// Type an amount and confirm.
    EnterAmount,
    /// PIN prompt.
    EnterPin,
    /// New PIN prompt.
    EnterNewPin,
    /// New PIN again.
    EnterNewPinAgain,
    /// The issuer's fee.
    Fee,
    /// The enquiry was not answered.
    FeeUnknown,
    /// Put the card in.
    InsertCard,
    /// Insert, tap or swipe.
    InsertTapSwipe,
    /// Heading of the keypad.
    Keys,
    /// A language for `l`.
    Language,
    /// Notes that the machine has.
    NotesAre,
    /// The two new PINs differ.
    PinsDiffer,
    /// PIN change.
    PinChange,
    /// The pad does not work.
    PadBroken,
    /// Heading of the printer.
    Printer,
    /// Purchase.
    Purchase,
    /// Refund.
    Refund,
    /// The card has to leave.
    TakeCard,
    /// The last transaction is taken back.
    TakeBack,
    /// Cash is behind the shutter.
    TakeNotes,
    /// DE 41.
    Terminal,
    /// `This withdrawal costs you {share} %.`
    ThisCosts,
    /// Amount and fee.
    Total,
    /// Wait.
    Wait,
    /// The person's cards.
    Wallet,
    /// The card slot is empty.
    NoCard,
    /// The chip is in the reader.
    Inserted,
    /// The card was held to the reader.
    Held,
    /// The stripe was read.
    Swiped,
    /// Paper ends soon.
    PaperLow,
    /// Paper is there.
    PaperOk,
    /// No paper.
    PaperOut,
    /// The card slot.
    Slot,
    /// The notes behind the shutter.
    Tray,
    /// Hands: card in or out.
    HandCard,
    /// Hands: tap.
    HandTap,
    /// Hands: swipe.
    HandSwipe,
    /// Hands: take notes.
    HandNotes,
    /// Hands: next card.
    HandNext,
    /// Leave the terminal.
    Quit,
    /// Greeting.
    Welcome,
}

impl Text {
    /// The text in a language.
    #[must_use]
    pub const fn words(self, language: Language) -> &'static str {
        let (en, sl) = match self {
            Self::Amount => ("Amount", "Znesek"),
            Self::Answer => ("Answer", "Odgovor"),
            Self::Approval => ("Approval", "Odobritev"),
            Self::Available => ("Available", "Razpoložljivo"),
            Self::Balance => ("Balance", "Stanje"),
            Self::Card => ("CARD", "KARTICA"),
            Self::CardBack => ("Give the card back", "Vrni kartico"),
            Self::CardKept => ("The card was kept.", "Kartica je zadržana."),
            Self::CashWithdrawal => ("Cash withdrawal", "Dvig gotovine"),
            Self::Cassettes => ("Cassettes", "Kasete"),
            Self::Choose => ("CHOOSE", "IZBERITE"),
            Self::ConfirmOrCancel => ("✓ go on    ✗ give up", "✓ nadaljuj    ✗ prekliči"),
            Self::CoverKeys => ("Cover the keys with your hand.", "Z dlanjo zakrijte tipke."),
            Self::EnterAmount => ("Type the amount, then ✓.", "Vpišite znesek, nato ✓."),
            Self::EnterNewPin => ("ENTER THE NEW PIN", "VPIŠITE NOVI PIN"),
            Self::EnterNewPinAgain => ("THE NEW PIN AGAIN", "NOVI PIN ŠE ENKRAT"),
            Self::EnterPin => ("ENTER YOUR PIN", "VPIŠITE PIN"),
            Self::Fee => ("Fee", "Nadomestilo"),
            Self::FeeUnknown => ("The fee is not known.", "Nadomestilo ni znano."),
            Self::InsertCard => ("Insert your card.", "Vstavite kartico."),
            Self::InsertTapSwipe => {
                ("Insert, hold or swipe the card.", "Vstavite, prislonite ali potegnite kartico.")
            }
            Self::Keys => ("Keys", "Tipke"),
            Self::Language => ("Slovensko", "English"),
            Self::NotesAre => ("Notes", "Bankovci"),
            Self::PadBroken => ("The PIN pad does not work.", "Tipkovnica za PIN ne dela."),
            Self::PinChange => ("PIN change", "Sprememba PIN"),
            Self::PinsDiffer => ("The new PINs differ.", "Nova PIN nista enaka."),
            Self::Printer => ("Printer", "Tiskalnik"),
            Self::Purchase => ("Purchase", "Nakup"),
            Self::Refund => ("Refund", "Vračilo"),
            Self::TakeBack => ("Take back the last one", "Storno zadnjega"),
            Self::TakeCard => ("Take your card.", "Vzemite kartico."),
            Self::TakeNotes => ("TAKE YOUR CASH", "VZEMITE GOTOVINO"),
            Self::Terminal => ("Terminal", "Terminal"),
            Self::ThisCosts => ("This withdrawal costs you", "Ta dvig vas stane"),
            Self::Total => ("Total", "Skupaj"),
            Self::Wait => ("ONE MOMENT", "TRENUTEK"),
            Self::Wallet => ("Wallet", "Denarnica"),
            Self::NoCard => ("empty", "prazna"),
            Self::Inserted => ("(chip)", "(čip)"),
            Self::Held => ("(tapped)", "(prislonjena)"),
            Self::Swiped => ("(swiped)", "(potegnjena)"),
            Self::PaperLow => ("paper low", "malo papirja"),
            Self::PaperOk => ("ready", "v redu"),
            Self::PaperOut => ("no paper", "ni papirja"),
            Self::Slot => ("Slot", "Reža"),
            Self::Tray => ("Cash out", "Predal"),
            Self::HandCard => ("card in/out", "kartica"),
            Self::HandTap => ("tap", "prisloni"),
            Self::HandSwipe => ("swipe", "potegni"),
            Self::HandNotes => ("take cash", "vzemi denar"),
            Self::HandNext => ("next card", "druga kartica"),
            Self::Quit => ("quit", "konec"),
            Self::Welcome => ("WELCOME", "DOBRODOŠLI"),
        };
        match language {
            Language::En => en,
            Language::Sl => sl,
        }
    }
}

/// Cents as people of the language write them: `50,00 €`, `50.00 €`.
#[must_use]
pub fn money(cents: i64, language: Language) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let (euros, rest) = (cents.unsigned_abs() / 100, cents.unsigned_abs() % 100);
    let mark = match language {
        Language::En => '.',
        Language::Sl => ',',
    };
    format!("{sign}{euros}{mark}{rest:02} €")
}

#[cfg(test)]
mod tests {
    use cekr_iso8583::response::Language;

    use super::money;

    #[test]
    fn money_has_the_mark_of_its_language() {
        assert_eq!(money(1_234_50, Language::Sl), "1234,50 €");
        assert_eq!(money(-5, Language::En), "-0.05 €");
    }
}
