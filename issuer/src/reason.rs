//! Why a request was answered as it was: the one table of reasons, codes, names and words.
//!
//! The order of the variants is the order of the decision: the first that applies wins. DE 39 has
//! two characters (ISO 8583:1987, element 39); where networks differ the choice is the issuer's.

use crate::channel::Channels;

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $code:literal, $name:literal,
        $sl:literal, $en:literal;)+) => {
        /// Why a request was answered as it was.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[repr(u8)]
        pub enum Reason { $($(#[$doc])* $variant = $number,)+ }

        impl Reason {
            /// Every reason, in the order of the decision.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// DE 39: two ASCII characters.
            #[must_use]
            pub const fn response_code(self) -> [u8; 2] {
                match self { $(Self::$variant => *$code,)+ }
            }

            /// The name in logs, journal and API: snake case, stable.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What the cardholder reads, in Slovene.
            #[must_use]
            pub const fn words_sl(self) -> &'static str {
                match self { $(Self::$variant => $sl,)+ }
            }

            /// What the cardholder reads, in English.
            #[must_use]
            pub const fn words_en(self) -> &'static str {
                match self { $(Self::$variant => $en,)+ }
            }

            /// The reason whose number stands in a journal entry.
            #[must_use]
            pub const fn from_number(number: u8) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

// The numbers stand in journals: a new reason takes a new number, an old one keeps its own.
reasons! {
    /// The message cannot be read, or lacks an element that its kind needs.
    FormatError = 1, b"30", "format_error", "Napaka v sporočilu terminala", "Terminal message error";
    /// The message or transaction type is not served here.
    NotSupported = 2, b"12", "not_supported", "Ta vrsta transakcije ni mogoča", "This kind of transaction is not possible";
    /// Its reversal came first: the money was given back before it was taken.
    AlreadyReversed = 3, b"12", "already_reversed", "Transakcija je že preklicana", "The transaction was reversed already";
    /// The key of an answered request came back with another card, amount or currency.
    KeyReused = 4, b"94", "key_reused", "Ponovljeno sporočilo", "Duplicate transmission";
    /// No such card, or its check digit is wrong.
    NoSuchCard = 5, b"14", "no_such_card", "Neveljavna številka kartice", "Invalid card number";
    /// The number belongs to no issuer that we know a way to.
    NotOurBin = 6, b"15", "not_our_bin", "Neznan izdajatelj kartice", "No such issuer";
    /// The card was not activated yet.
    NotActivated = 7, b"78", "not_activated", "Kartica še ni aktivirana", "The card is not activated yet";
    /// Reported lost.
    Lost = 8, b"41", "lost", "Kartica je prijavljena kot izgubljena", "The card was reported lost";
    /// Reported stolen.
    Stolen = 9, b"43", "stolen", "Kartica je prijavljena kot ukradena", "The card was reported stolen";
    /// The card account is closed.
    Closed = 10, b"46", "closed", "Kartica je zaprta", "The card is closed";
    /// Past its expiry month, or the expiry that was sent is not the card's.
    Expired = 11, b"54", "expired", "Kartica je potekla", "The card has expired";
    /// As [`Reason::Expired`] where the card is not present: the code tells a guesser nothing.
    ExpiredNotPresent = 12, b"14", "expired", "Neveljavni podatki kartice", "Invalid card details";
    /// The holder locked the card.
    Locked = 13, b"62", "locked", "Kartica je zaklenjena", "The card is locked";
    /// The holder keeps a channel off that the request needs; DE 44 names it.
    ChannelOff = 14, b"57", "channel_off", "Ta način plačevanja je izklopljen", "This way of paying is switched off";
    /// An amount of zero where money moves.
    AmountZero = 15, b"13", "amount_zero", "Neveljaven znesek", "Invalid amount";
    /// A refund or reversal above what it gives back.
    AmountTooLarge = 16, b"13", "amount_too_large", "Znesek presega prvotno transakcijo", "The amount is above the original transaction";
    /// Cash without the chip, or stripe fallback above its cap.
    FallbackRefused = 17, b"57", "fallback_refused", "Uporabite čip kartice", "Use the card's chip";
    /// A message without a MAC where its link requires one.
    MacMissing = 34, b"30", "mac_missing", "Napaka v sporočilu terminala", "Terminal message error";
    /// A message whose MAC is wrong.
    MacWrong = 35, b"63", "mac_wrong", "Napaka v sporočilu terminala", "Terminal message error";
    /// A key that a link sent cannot be taken.
    KeyRefused = 46, b"63", "key_refused", "Ključ je zavrnjen", "The key was refused";
    /// Chip data that cannot be read, or contradict the message (F).
    ChipFormat = 36, b"82", "chip_format", "Napaka pri branju čipa", "The chip could not be read";
    /// A cryptogram that does not ask its issuer (G).
    ChipNotArqc = 37, b"82", "chip_not_arqc", "Napaka pri branju čipa", "The chip could not be read";
    /// A cryptogram version that is not known (U).
    ChipUnsupported = 38, b"82", "chip_unsupported", "Čip kartice ni podprt", "The card's chip is not supported";
    /// A cryptogram that is wrong (I).
    ChipInvalid = 39, b"82", "chip_invalid", "Kartica ni pristna", "The card is not genuine";
    /// A transaction counter that was used before (E).
    ChipReplay = 40, b"82", "chip_replay", "Ponovljena transakcija", "A repeated transaction";
    /// A transaction counter that is out of range, or used up (A).
    ChipCounter = 41, b"82", "chip_counter", "Poskusite znova", "Try once more";
    /// What chip or terminal found declines (T).
    ChipFindings = 42, b"82", "chip_findings", "Preverjanje čipa ni uspelo", "The chip's check failed";
    /// The verification value of a track is wrong.
    CvvWrong = 43, b"82", "cvv_wrong", "Neveljavni podatki kartice", "Invalid card details";
    /// As [`Reason::CvvWrong`] where the card is not present: the code tells a guesser nothing.
    CvvWrongNotPresent = 44, b"14", "cvv_wrong", "Neveljavni podatki kartice", "Invalid card details";
    /// Three wrong PINs were entered.
    PinTriesExceeded = 18, b"75", "pin_tries_exceeded", "Preveč napačnih vnosov PIN", "Too many wrong PIN entries";
    /// A PIN is needed here and none came.
    PinMissing = 19, b"55", "pin_missing", "Vnesite PIN", "Enter the PIN";
    /// The PIN is wrong.
    PinWrong = 20, b"55", "pin_wrong", "Napačen PIN", "Wrong PIN";
    /// The PIN block cannot be deciphered; no try is counted.
    PinBlockUnreadable = 21, b"81", "pin_unreadable", "Napaka pri branju PIN", "The PIN could not be read";
    /// Over the air without a PIN, above what that may take.
    PinRequired = 45, b"70", "pin_required", "Vstavite kartico in vnesite PIN", "Insert the card and enter the PIN";
    /// The day's amount is used up.
    LimitAmount = 22, b"61", "limit_amount", "Dnevni znesek je presežen", "The daily amount limit is exceeded";
    /// The day's count is used up.
    LimitCount = 23, b"65", "limit_count", "Dnevno število transakcij je preseženo", "The daily count limit is exceeded";
    /// An authentication value that is not ours, or not this card's.
    ProofWrong = 47, b"59", "proof_wrong", "Transakcija je zavrnjena", "The transaction was refused";
    /// The holder must confirm it: nothing shows that they did, and no exemption holds.
    ConfirmationRequired = 48, b"1A", "confirmation_required", "Nakup je treba potrditi", "The purchase must be confirmed";
    /// Too many failures around this card, range or terminal.
    SuspectedFraud = 24, b"59", "suspected_fraud", "Transakcija je zavrnjena", "The transaction was refused";
    /// Available funds do not cover amount and fee.
    InsufficientFunds = 25, b"51", "insufficient_funds", "Ni dovolj sredstev", "Insufficient funds";
    /// Part of the amount is approved: what is available.
    Partial = 26, b"10", "partial", "Odobren je del zneska", "Part of the amount is approved";
    /// The account exists; no money was asked for.
    AccountChecked = 27, b"85", "account_checked", "Kartica je veljavna", "The card is valid";
    /// Approved.
    Approved = 28, b"00", "approved", "Odobreno", "Approved";
    /// A reversal names a transaction that is not known (yet): remembered.
    NoOriginal = 29, b"25", "no_original", "Prvotne transakcije ni", "No such original transaction";
    /// No room for new work now: the journal's queue, its disk or the window of answers is full.
    TryLater = 30, b"91", "try_later", "Poskusite pozneje", "Try again later";
    /// An acquirer's totals are not ours.
    TotalsDiffer = 32, b"95", "totals_differ", "Vsote se ne ujemajo", "The totals differ";
    /// A file action about a card that is not in the file.
    NoRecord = 33, b"25", "no_record", "Zapisa ni v datoteki", "No such record in the file";
    /// A fault of ours; nothing was applied.
    Internal = 31, b"96", "internal", "Napaka v sistemu", "System error";
}

impl Reason {
    /// Whether it is what guessing at cards looks like: failures are counted.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        matches!(
            self,
            Self::ChipInvalid
                | Self::CvvWrong
                | Self::CvvWrongNotPresent
                | Self::Expired
                | Self::ExpiredNotPresent
                | Self::NoSuchCard
                | Self::PinTriesExceeded
                | Self::PinWrong
                | Self::ProofWrong
        )
    }

    /// Whether the answer lets the terminal go ahead.
    #[must_use]
    pub const fn is_approval(self) -> bool {
        matches!(self, Self::AccountChecked | Self::Approved | Self::Partial)
    }
}

/// Writes the ticks that a request lacked as DE 44 tells them: alphabetical, with a comma.
///
/// `ABROAD,CASHPOINT,ONLINE` is the longest, 23 characters of the 25 that DE 44 holds.
#[must_use]
pub fn missing_ticks(missing: Channels, out: &mut [u8; 25]) -> usize {
    let mut written = 0;
    for name in missing.names() {
        let separator: &[u8] = if written == 0 { b"" } else { b"," };
        for part in [separator, name.as_bytes()] {
            if let Some(room) = out.get_mut(written..written + part.len()) {
                room.copy_from_slice(part);
                written += part.len();
            }
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_list_of_ticks_fits_de_44() {
        let mut out = [0; 25];
        let all = Channels::ABROAD.union(Channels::CASHPOINT).union(Channels::ONLINE);
        let len = missing_ticks(all, &mut out);
        assert_eq!(&out[..len], b"ABROAD,CASHPOINT,ONLINE");
    }

    #[test]
    fn numbers_are_unique_and_come_back() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from_number(*reason as u8), Some(*reason));
        }
        assert_eq!(Reason::from_number(0), None);
    }

    #[test]
    fn every_reason_has_words_in_both_languages() {
        for reason in Reason::ALL {
            assert!(!reason.words_sl().is_empty() && !reason.words_en().is_empty());
            assert!(reason.name().bytes().all(|c| c.is_ascii_lowercase() || c == b'_'));
        }
    }
}
