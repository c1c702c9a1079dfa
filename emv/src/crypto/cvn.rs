//! Cryptogram versions: what a card seals, with which key, and how it wants to be answered.
//!
//! One table says it all; a version more is a row more. Visa's versions 10, 18 and 22 and M/Chip's
//! 16, 17, 20 and 21 are there. A version that is not is refused by name and never guessed.
//!
//! All of them seal ten values of the terminal and the chip in one order, and then a part of the
//! issuer application data (tag 9F10), whose place depends on the version.
//!
//! Source: the versions' public tables (Thredd, "Visa Cryptogram Version Number Values"), and the
//! cases of `tests/vectors/emv/card_crypto.json`, part of them computed by security modules.
//!
//! ```
//! use cekr_emv::crypto::cvn::{Rules, Scheme};
//!
//! let issuer_data = [0x06, 0x01, 0x12, 0x03, 0xA0, 0x6F, 0x1A];
//! let rules = Rules::of(Scheme::Visa, &issuer_data).expect("version 18");
//! assert_eq!(rules.version, 0x12);
//! assert!(Rules::of(Scheme::Visa, &[0x06, 0x01, 0x43, 0x03, 0, 0, 0]).is_none());
//! ```

use crate::CardNumber;
use crate::crypto::cryptogram;
use crate::crypto::derive::{self, Atc};
use crate::crypto::mac::Padding;
use crate::keys::{ImkAc, Key, MkAc, SkAc};

/// What one cryptogram version prescribes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rules {
    /// Whose card it is.
    pub scheme: Scheme,
    /// The version as the card states it: 0A is version 10, 12 is 18, 22 is called 22.
    pub version: u8,
    /// How the card's key follows from the issuer's.
    pub card_key: CardKey,
    /// How the key of a cryptogram follows from the card's.
    pub session: Session,
    /// What of tag 9F10 is sealed.
    pub sealed: Sealed,
    /// How the last block is filled.
    pub padding: Padding,
    /// How the issuer answers.
    pub answer: Answer,
    /// How the keys of scripts follow from the card's.
    pub script: ScriptSession,
}

/// Whose rules a card follows; the two place the version differently in tag 9F10.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scheme {
    /// Mastercard's M/Chip.
    MChip,
    /// Visa's integrated circuit card specification.
    Visa,
}

/// Derivation of the card's key (EMV Book 2, A1.4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CardKey {
    /// Option A.
    A,
    /// Option B. Sources differ for Visa's 18 and 22; up to sixteen digits A and B are one.
    B,
}

/// Derivation of a cryptogram's key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Session {
    /// EMV common session key over the counter.
    Common,
    /// Common, over counter and unpredictable number.
    MChip,
    /// The card's key itself.
    None,
}

/// The part of tag 9F10 that is sealed after the ten values.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sealed {
    /// All of it.
    All,
    /// The card verification results.
    Results,
    /// The card verification results and the counters of M/Chip.
    ResultsAndCounters,
}

/// How the issuer's own cryptogram is made, and with which key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// Method 1 under the cryptogram's key.
    Method1,
    /// Method 1 under the card's key, though the cryptogram has a session key.
    Method1UnderCardKey,
    /// Method 2 under the cryptogram's key.
    Method2,
}

/// Derivation of the keys of scripts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ScriptSession {
    /// EMV common session key over the cryptogram.
    CommonOfCryptogram,
    /// Visa's: the counter mixed into the card's key.
    Visa,
}

/// What a card saw of a transaction, as the tags carry it, in the order in which it is sealed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Transaction {
    /// Amount, authorised (9F02), twelve packed digits.
    pub amount: [u8; 6],
    /// Amount, other (9F03): cash with a purchase.
    pub amount_other: [u8; 6],
    /// Country of the terminal (9F1A).
    pub country: [u8; 2],
    /// Terminal verification results (95).
    pub tvr: [u8; 5],
    /// Currency (5F2A).
    pub currency: [u8; 2],
    /// Date (9A), packed year, month and day.
    pub date: [u8; 3],
    /// Transaction type (9C).
    pub kind: u8,
    /// Unpredictable number (9F37).
    pub unpredictable_number: [u8; 4],
    /// Application interchange profile (82).
    pub aip: [u8; 2],
    /// Application transaction counter (9F36).
    pub atc: Atc,
}

impl Rules {
    /// The rules that a card's issuer application data (9F10) names; `None` for an unknown version.
    pub fn of(scheme: Scheme, issuer_data: &[u8]) -> Option<&'static Rules> {
        let version = match (scheme, issuer_data) {
            // Format 2 has 31 octets after its length and the version first.
            (Scheme::Visa, [0x1F, version, ..]) => *version,
            (Scheme::Visa, [_, _, version, ..]) | (Scheme::MChip, [_, version, ..]) => *version,
            _ => return None,
        };
        Rules::by_version(scheme, version)
    }

    /// The rules of a version; `None` for one that is not in the table.
    pub fn by_version(scheme: Scheme, version: u8) -> Option<&'static Rules> {
        TABLE.iter().find(|rules| rules.scheme == scheme && rules.version == version)
    }

    /// The part of 9F10 that these rules seal, in up to two pieces; `None` if it is too short.
    pub fn sealed_of<'a>(&self, issuer_data: &'a [u8]) -> Option<[&'a [u8]; 2]> {
        let empty = &[][..];
        Some(match (self.scheme, self.sealed) {
            (_, Sealed::All) => [issuer_data, empty],
            (Scheme::Visa, Sealed::Results | Sealed::ResultsAndCounters) => {
                [issuer_data.get(3..7)?, empty]
            }
            (Scheme::MChip, Sealed::Results) => [issuer_data.get(2..8)?, empty],
            (Scheme::MChip, Sealed::ResultsAndCounters) => {
                [issuer_data.get(2..8)?, issuer_data.get(10..18)?]
            }
        })
    }

    /// The card's key for cryptograms.
    pub fn card_key(&self, imk: &Key<ImkAc>, card: CardNumber, sequence: u8) -> Key<MkAc> {
        match self.card_key {
            CardKey::A => derive::card_key_a(imk, card, sequence),
            CardKey::B => derive::card_key_b(imk, card, sequence),
        }
    }

    /// The key of one cryptogram.
    pub fn session_key(&self, mk: &Key<MkAc>, atc: Atc, unpredictable: [u8; 4]) -> Key<SkAc> {
        match self.session {
            Session::Common => derive::session_common_of_atc(mk, atc),
            Session::MChip => derive::session_mchip(mk, atc, unpredictable),
            Session::None => derive::session_none(mk),
        }
    }

    /// The key under which the issuer answers.
    pub fn answer_key(&self, mk: &Key<MkAc>, atc: Atc, unpredictable: [u8; 4]) -> Key<SkAc> {
        match self.answer {
            Answer::Method1 | Answer::Method2 => self.session_key(mk, atc, unpredictable),
            Answer::Method1UnderCardKey => derive::session_none(mk),
        }
    }

    /// The cryptogram of a transaction; `issuer_pieces` as from [`Rules::sealed_of`].
    pub fn cryptogram(
        &self,
        sk: &Key<SkAc>,
        transaction: &Transaction,
        issuer_pieces: [&[u8]; 2],
    ) -> [u8; 8] {
        let [first, second] = issuer_pieces;
        let pieces = [
            &transaction.amount[..],
            &transaction.amount_other,
            &transaction.country,
            &transaction.tvr,
            &transaction.currency,
            &transaction.date,
            &[transaction.kind],
            &transaction.unpredictable_number,
            &transaction.aip,
            &transaction.atc,
            first,
            second,
        ];
        cryptogram::seal(sk, &pieces, self.padding)
    }
}

/// Visa's version 10, on which its later versions differ in single points.
const VISA_10: Rules = Rules {
    scheme: Scheme::Visa,
    version: 0x0A,
    card_key: CardKey::A,
    session: Session::None,
    sealed: Sealed::Results,
    padding: Padding::Zeros,
    answer: Answer::Method1,
    script: ScriptSession::Visa,
};

/// Visa's version 18.
const VISA_18: Rules = Rules {
    version: 0x12,
    card_key: CardKey::B,
    session: Session::Common,
    sealed: Sealed::All,
    padding: Padding::Marked,
    answer: Answer::Method2,
    ..VISA_10
};

/// M/Chip's version 16.
const MCHIP_16: Rules = Rules {
    scheme: Scheme::MChip,
    version: 0x10,
    card_key: CardKey::A,
    session: Session::MChip,
    sealed: Sealed::Results,
    padding: Padding::Marked,
    answer: Answer::Method1UnderCardKey,
    script: ScriptSession::CommonOfCryptogram,
};

/// M/Chip's version 20.
const MCHIP_20: Rules =
    Rules { version: 0x14, session: Session::Common, answer: Answer::Method1, ..MCHIP_16 };

/// Every version that we know.
const TABLE: [Rules; 7] = [
    VISA_10,
    VISA_18,
    Rules { version: 0x22, script: ScriptSession::CommonOfCryptogram, ..VISA_18 },
    MCHIP_16,
    Rules { version: 0x11, sealed: Sealed::ResultsAndCounters, ..MCHIP_16 },
    MCHIP_20,
    Rules { version: 0x15, sealed: Sealed::ResultsAndCounters, ..MCHIP_20 },
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Rules, Scheme};

    #[test]
    fn finds_the_version_where_each_format_has_it() {
        let mut format_2 = [0; 32];
        format_2[..2].copy_from_slice(&[0x1F, 0x22]);
        let version = |scheme, data: &[u8]| Rules::of(scheme, data).map(|rules| rules.version);
        assert_eq!(version(Scheme::Visa, &format_2), Some(0x22));
        assert_eq!(version(Scheme::Visa, &[6, 1, 0x0A, 3, 0, 0, 0]), Some(0x0A));
        assert_eq!(version(Scheme::MChip, &[1, 0x15, 0, 0]), Some(0x15));
        assert_eq!(version(Scheme::MChip, &[1, 0x0A, 0, 0]), None);
        for short in [&[][..], &[6], &[6, 1]] {
            assert_eq!(version(Scheme::Visa, short), None);
        }
    }

    #[test]
    fn takes_out_of_the_issuer_data_what_a_version_seals() {
        let data: [u8; 18] = core::array::from_fn(|place| place as u8);
        let sealed = |scheme, version, len| {
            Rules::by_version(scheme, version).unwrap().sealed_of(&data[..len])
        };
        assert_eq!(sealed(Scheme::Visa, 0x0A, 7), Some([&data[3..7], &[]]));
        assert_eq!(sealed(Scheme::Visa, 0x0A, 6), None);
        assert_eq!(sealed(Scheme::Visa, 0x12, 7), Some([&data[..7], &[]]));
        assert_eq!(sealed(Scheme::MChip, 0x10, 8), Some([&data[2..8], &[]]));
        assert_eq!(sealed(Scheme::MChip, 0x11, 18), Some([&data[2..8], &data[10..18]]));
        assert_eq!(sealed(Scheme::MChip, 0x15, 17), None);
    }
}
