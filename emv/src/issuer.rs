//! The issuer's side of a chip transaction: check what came in DE 55, and answer it.
//!
//! Cheap checks come first and the cryptogram last: what cannot be read, what contradicts the
//! message, what is of an unknown version or no request never costs a key. What version of
//! cryptogram a card has it says itself, and [`crate::crypto::cvn`] knows by its table what that
//! seals and how it is answered. Whether the counter is new depends on the card's state, so the
//! caller judges it under the card's lock ([`AtcWindow`]), after the cryptogram was found right:
//! no forged message moves a counter.
//!
//! The result is a [`Letter`] and, where there is more to say, a [`Cause`]. A [`Trace`] tells step
//! by step what was computed, for whoever seeks the step at which a card and its issuer differ; it
//! shows check values of keys and never a key.
//!
//! Sources: EMV 4.3 Book 2, sections 8 (cryptograms) and 9 (scripts); the letters as processors
//! publish them (Cybersource, `emvReply_chipValidationResults`).
//!
//! ```
//! use cekr_emv::CardNumber;
//! use cekr_emv::issuer::{Card, Entry, Letter, Outcome, Profile, Request, Told, verify};
//! use cekr_emv::keys::{ImkAc, Key};
//!
//! // The card of a published case: version 10, counter 001C.
//! let imk = Key::<ImkAc>::from_octets(&0x0123456789ABCDEFFEDCBA9876543210_u128.to_be_bytes())?;
//! let card = Card {
//!     number: CardNumber::parse(b"1234567890123456").expect("16 digits"),
//!     sequence: 0x00,
//! };
//! let data = [
//!     0x9F, 0x02, 6, 0, 0, 0, 0, 0x40, 0, 0x9F, 0x03, 6, 0, 0, 0, 0, 0, 0, //
//!     0x9F, 0x1A, 2, 0x01, 0x24, 0x95, 5, 0x80, 0, 0x04, 0x80, 0, 0x5F, 0x2A, 2, 0x01, 0x24, //
//!     0x9A, 3, 0x19, 0x11, 0x05, 0x9C, 1, 0x01, 0x9F, 0x37, 4, 0x52, 0xBF, 0x45, 0x85, //
//!     0x82, 2, 0x18, 0, 0x9F, 0x36, 2, 0, 0x1C, //
//!     0x9F, 0x10, 7, 0x06, 0x01, 0x0A, 0x03, 0xA0, 0x60, 0x10, 0x9F, 0x27, 1, 0x80, //
//!     0x9F, 0x26, 8, 0x29, 0xCC, 0xA1, 0x5A, 0xE6, 0x65, 0xFA, 0x2E,
//! ];
//! let request = Request::parse(&data).expect("whole");
//! let told = Told {
//!     amount: Some(40_00),
//!     currency: 124,
//!     sequence: None,
//!     entry: Entry::Contact,
//!     date: None,
//! };
//! let verdict = verify(&request, &told, &imk, &card, &Profile::PREPAID, None);
//! assert_eq!(verdict.letter, Letter::C);
//! let answer = verdict.proven.expect("with C").answer(*b"00", Outcome::Approved);
//! assert_eq!(answer.octets().len(), 10);
//! # Ok::<(), cekr_emv::keys::KeyError>(())
//! ```

pub mod fuzzing;
mod profile;
mod request;
mod script;
mod trace;
mod verdict;
mod window;

#[cfg(test)]
mod tests;

pub use profile::{Finding, Profile};
pub use request::{Entry, Fault, Request, Told};
pub use script::{
    Command, Datum, Heard, Order, QueuedScript, SCRIPT_SENDS_MAX, SCRIPTS_MAX, ScriptOutcome,
    ScriptQueue, ScriptResult, ScriptState, SealedCommand, When, pin_change, script_id, template,
};
pub use trace::Trace;
pub use verdict::{Cause, IssuerAuthentication, Letter, Outcome, Proven, Verdict};
pub use window::{ATC_JUMP_MAX, AtcJudgement, AtcWindow};

use crate::CardNumber;
use crate::crypto::cvn::{Answer, CardKey, Rules, Scheme, Session};
use crate::crypto::derive;
use crate::crypto::mac;
use crate::crypto::script::Occasion;
use crate::data::{CryptogramType, IssuerData, Tvr};
use crate::keys::{ImkAc, IssuerPurpose, Key};

/// The card whose chip is asked about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Card {
    /// Its number.
    pub number: CardNumber,
    /// Its sequence number (5F34): two packed digits.
    pub sequence: u8,
}

impl Card {
    /// The card's key for the integrity or secrecy of scripts, by the derivation of its version.
    pub fn script_key<P: IssuerPurpose>(&self, imk: &Key<P>, rules: &Rules) -> Key<P::Card> {
        match rules.card_key {
            CardKey::A => derive::card_key_a(imk, self.number, self.sequence),
            CardKey::B => derive::card_key_b(imk, self.number, self.sequence),
        }
    }
}

/// Checks chip data against the message around them and the issuer's key.
///
/// All but the counter is judged; `trace` is filled as far as the check comes.
pub fn verify(
    request: &Request<'_>,
    told: &Told,
    imk: &Key<ImkAc>,
    card: &Card,
    profile: &Profile,
    mut trace: Option<&mut Trace>,
) -> Verdict {
    let verdict = match readable(request, told, card, profile) {
        Ok(read) => judged(request, &read, imk, card, profile, trace.as_deref_mut()),
        Err((letter, cause)) => Verdict { letter, cause: Some(cause), proven: None },
    };
    if let Some(trace) = trace {
        trace.letter = Some(verdict.letter);
    }
    verdict
}

/// The issuer's answer to a cryptogram that was found right earlier, from what is kept of it.
///
/// The same as [`Proven::answer`], with the keys derived anew; `None` for a version that we do not
/// know or whose keys take more than the counter.
pub fn respond(
    imk: &Key<ImkAc>,
    card: &Card,
    (scheme, version): (Scheme, u8),
    occasion: Occasion,
    code: [u8; 2],
    outcome: Outcome,
) -> Option<IssuerAuthentication> {
    let rules = Rules::by_version(scheme, version)?;
    let is_of_counter = match rules.session {
        Session::Common | Session::None => true,
        Session::MChip => false,
    };
    is_of_counter.then_some(())?;
    let mk = rules.card_key(imk, card.number, card.sequence);
    let key = rules.answer_key(&mk, occasion.atc, [0; 4]);
    Some(IssuerAuthentication::of(rules, &key, occasion.arqc, code, outcome))
}

/// What the cheap checks have found out.
struct Read<'a> {
    rules: &'static Rules,
    /// The part of 9F10 that is sealed.
    pieces: [&'a [u8]; 2],
    issuer_data: Option<IssuerData<'a>>,
}

fn readable<'a>(
    request: &Request<'a>,
    told: &Told,
    card: &Card,
    profile: &Profile,
) -> Result<Read<'a>, (Letter, Cause)> {
    let unreadable = |fault| (Letter::F, Cause::Data(fault));
    request.agrees(told).map_err(unreadable)?;
    if request.sequence.is_some_and(|sequence| sequence != card.sequence) {
        return Err(unreadable(Fault::Differs(SEQUENCE)));
    }
    let data = request.issuer_data;
    let Some(rules) = Rules::of(profile.scheme, data) else {
        let version = match data {
            [0x1F, version, ..] | [_, _, version, ..] => *version,
            _ => 0,
        };
        return Err((Letter::U, Cause::Version(version)));
    };
    let bad_data = unreadable(Fault::BadValue(ISSUER_DATA));
    let issuer_data = match profile.scheme {
        Scheme::MChip => None,
        Scheme::Visa => Some(IssuerData::parse(data).ok_or(bad_data)?),
    };
    let pieces = rules.sealed_of(data).ok_or(bad_data)?;
    match request.information.cryptogram() {
        Some(CryptogramType::Arqc) => Ok(Read { rules, pieces, issuer_data }),
        Some(CryptogramType::Aac | CryptogramType::Tc) | None => {
            Err((Letter::G, Cause::Findings(Finding::NoRequest)))
        }
    }
}

fn judged(
    request: &Request<'_>,
    read: &Read<'_>,
    imk: &Key<ImkAc>,
    card: &Card,
    profile: &Profile,
    trace: Option<&mut Trace>,
) -> Verdict {
    let Read { rules, pieces, issuer_data } = *read;
    let transaction = &request.transaction;
    let mk = rules.card_key(imk, card.number, card.sequence);
    let sk = rules.session_key(&mk, transaction.atc, transaction.unpredictable_number);
    let expected = rules.cryptogram(&sk, transaction, pieces);
    if let Some(trace) = trace {
        trace.note_input(transaction, pieces);
        trace.version = Some(rules.version);
        trace.issuer_key = Some(imk.kcv());
        trace.card_key = Some(mk.kcv());
        trace.session_key = Some(sk.kcv());
        trace.expected = Some(expected);
        trace.got = Some(request.cryptogram);
    }
    if !mac::is_equal(expected, request.cryptogram) {
        return Verdict { letter: Letter::I, cause: None, proven: None };
    }
    let answer_key = match rules.answer {
        Answer::Method1 | Answer::Method2 => sk,
        Answer::Method1UnderCardKey => {
            rules.answer_key(&mk, transaction.atc, transaction.unpredictable_number)
        }
    };
    let occasion = Occasion { atc: transaction.atc, arqc: request.cryptogram };
    let proven = Some(Proven { rules, occasion, answer_key });
    let tvr = Tvr::from_octets(transaction.tvr);
    match profile.judge(tvr, issuer_data.as_ref(), request.cvm_results) {
        Ok(()) => Verdict { letter: Letter::C, cause: None, proven },
        Err(finding) => {
            Verdict { letter: Letter::T, cause: Some(Cause::Findings(finding)), proven }
        }
    }
}

const ISSUER_DATA: u32 = 0x9F10;
const SEQUENCE: u32 = 0x5F34;
