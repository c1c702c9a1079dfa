//! What a check of chip data came to: a letter, why, and the key to answer with.

use crate::crypto::cryptogram;
use crate::crypto::cvn::{Answer, Rules};
use crate::crypto::script::Occasion;
use crate::data::Csu;
use crate::issuer::profile::Finding;
use crate::issuer::request::Fault;
use crate::keys::{Key, SkAc};

/// The result of a check as one letter, in the alphabet of the trade.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Letter {
    /// The counter is further ahead than it may be, or used up.
    A,
    /// Correct.
    C,
    /// The counter was used before.
    E,
    /// The data cannot be read, or contradict the message.
    F,
    /// A cryptogram, but none that asks the issuer.
    G,
    /// The cryptogram is wrong.
    I,
    /// Chip or terminal found what declines.
    T,
    /// A version that we do not know.
    U,
}

impl Letter {
    /// The letter.
    pub const fn as_char(self) -> char {
        match self {
            Self::A => 'A',
            Self::C => 'C',
            Self::E => 'E',
            Self::F => 'F',
            Self::G => 'G',
            Self::I => 'I',
            Self::T => 'T',
            Self::U => 'U',
        }
    }

    /// What it says.
    pub const fn words(self) -> &'static str {
        match self {
            Self::A => "the transaction counter is out of range",
            Self::C => "correct",
            Self::E => "the transaction counter was used before",
            Self::F => "the chip data cannot be read, or contradict the message",
            Self::G => "no request to the issuer",
            Self::I => "the cryptogram is wrong",
            Self::T => "chip or terminal found what declines",
            Self::U => "an unknown cryptogram version",
        }
    }
}

/// Why a letter other than C was given, where the letter alone does not say it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cause {
    /// The data.
    Data(Fault),
    /// The findings.
    Findings(Finding),
    /// The version that nobody knows.
    Version(u8),
}

/// What a check came to. The counter is not judged yet: that takes the card's state.
#[derive(Debug)]
pub struct Verdict {
    /// The result.
    pub letter: Letter,
    /// Why, where there is more to say.
    pub cause: Option<Cause>,
    /// What is proven and how to answer, after a cryptogram that is right: with C and with T.
    pub proven: Option<Proven>,
}

/// A cryptogram that is right.
#[derive(Debug)]
pub struct Proven {
    /// The rules of its version.
    pub rules: &'static Rules,
    /// Counter and cryptogram.
    pub occasion: Occasion,
    pub(super) answer_key: Key<SkAc>,
}

impl Proven {
    /// The issuer's answer to it.
    ///
    /// `code` is DE 39 of the reply, which the terminal shows the chip as tag 8A.
    pub fn answer(&self, code: [u8; 2], outcome: Outcome) -> IssuerAuthentication {
        IssuerAuthentication::of(self.rules, &self.answer_key, self.occasion.arqc, code, outcome)
    }
}

/// What the issuer decided, as a chip is told it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// Go ahead.
    Approved,
    /// No.
    Declined,
}

impl Outcome {
    /// The card status update: an approval sets the counters of offline spending back, a decline
    /// changes nothing.
    pub const fn status_update(self) -> Csu {
        match self {
            Self::Approved => Csu::from_octets([0x00, 0x82, 0x00, 0x00]),
            Self::Declined => Csu::from_octets([0x00; 4]),
        }
    }
}

/// Issuer authentication data: the value of tag 91.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct IssuerAuthentication {
    octets: [u8; 10],
    len_octets: u8,
}

impl IssuerAuthentication {
    /// The octets, 8 or 10.
    pub fn octets(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len_octets)).unwrap_or_default()
    }

    /// The answer to `arqc` under the key that its rules prescribe.
    pub(super) fn of(
        rules: &Rules,
        key: &Key<SkAc>,
        arqc: [u8; 8],
        code: [u8; 2],
        outcome: Outcome,
    ) -> Self {
        match rules.answer {
            Answer::Method1 | Answer::Method1UnderCardKey => {
                let [a, b, c, d, e, f, g, h] = cryptogram::arpc1(key, arqc, code);
                let [high, low] = code;
                Self { octets: [a, b, c, d, e, f, g, h, high, low], len_octets: 10 }
            }
            Answer::Method2 => {
                let update = outcome.status_update().octets();
                let [a, b, c, d] = cryptogram::arpc2(key, arqc, update, &[]);
                let [e, f, g, h] = update;
                Self { octets: [a, b, c, d, e, f, g, h, 0, 0], len_octets: 8 }
            }
        }
    }
}
