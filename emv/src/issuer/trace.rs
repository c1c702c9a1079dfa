//! What a check computed, step by step, for whoever looks for the step at which two sides part.
//!
//! Only check values of keys stand in it, never a key. It is made where a caller asks for it, and
//! nowhere else: it holds a cryptogram that is right.

use core::fmt;

use crate::crypto::cvn::Transaction;
use crate::issuer::verdict::Letter;
use crate::keys::Kcv;

/// The steps of one check, as far as it came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// The cryptogram version, where it is one that we know.
    pub version: Option<u8>,
    /// The issuer's key.
    pub issuer_key: Option<Kcv>,
    /// The card's key, by number and sequence number.
    pub card_key: Option<Kcv>,
    /// The key of the cryptogram.
    pub session_key: Option<Kcv>,
    input: Input,
    /// The cryptogram that the card should have sent.
    pub expected: Option<[u8; 8]>,
    /// The one that came.
    pub got: Option<[u8; 8]>,
    /// What it came to.
    pub letter: Option<Letter>,
}

impl Trace {
    /// What was sealed, before padding.
    pub fn input(&self) -> &[u8] {
        self.input.octets.get(..self.input.len_octets).unwrap_or_default()
    }

    pub(super) fn note_input(&mut self, transaction: &Transaction, issuer_pieces: [&[u8]; 2]) {
        let [first, second] = issuer_pieces;
        let Transaction { amount, amount_other, country, tvr, currency, date, kind, .. } =
            transaction;
        let Transaction { unpredictable_number, aip, atc, .. } = transaction;
        let pieces: [&[u8]; 12] = [
            amount,
            amount_other,
            country,
            tvr,
            currency,
            date,
            core::slice::from_ref(kind),
            unpredictable_number,
            aip,
            atc,
            first,
            second,
        ];
        self.input = Input::default();
        for (to, from) in self.input.octets.iter_mut().zip(pieces.into_iter().flatten()) {
            *to = *from;
            self.input.len_octets += 1;
        }
    }
}

impl fmt::Display for Trace {
    /// One step a line; what was not reached is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(version) = self.version {
            writeln!(f, "cryptogram version {version:02X}")?;
        }
        let keys = [
            ("issuer's key", self.issuer_key),
            ("card's key", self.card_key),
            ("session key", self.session_key),
        ];
        for (name, kcv) in keys {
            if let Some(kcv) = kcv {
                writeln!(f, "{name}: check value {kcv}")?;
            }
        }
        for (name, octets) in [
            ("sealed", self.input()),
            ("expected", self.expected.as_ref().map_or(&[][..], |value| value)),
            ("got", self.got.as_ref().map_or(&[][..], |value| value)),
        ] {
            if !octets.is_empty() {
                write!(f, "{name}: ")?;
                octets.iter().try_for_each(|octet| write!(f, "{octet:02X}"))?;
                writeln!(f)?;
            }
        }
        match self.letter {
            Some(letter) => writeln!(f, "{}: {}", letter.as_char(), letter.words()),
            None => Ok(()),
        }
    }
}

/// Thirty-three octets of the transaction and at most thirty-two of the issuer's data.
#[derive(Clone, Copy, PartialEq)]
struct Input {
    octets: [u8; 65],
    len_octets: usize,
}

impl Default for Input {
    fn default() -> Self {
        Self { octets: [0; 65], len_octets: 0 }
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} octets", self.len_octets)
    }
}
