//! How a transaction ends, and what is to be kept of it.

use core::fmt;

use crate::data::{Cid, CvmMethod, CvmResult, CvmResults, Tsi, Tvr};

use super::store::Octets;
use super::{Command, Kernel, Next, Phase};

/// The end of a transaction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Outcome {
    /// What was decided.
    pub decision: Decision,
    /// How it was decided.
    pub route: Route,
    /// Authorisation response code (8A): the issuer's, or Y1, Z1, Y3, Z3; zeros if none.
    pub response_code: [u8; 2],
    /// The card's last cryptogram, if it gave one.
    pub cryptogram: Option<Cryptogram>,
    /// Whether the issuer must be told that what it approved, or may have approved, did not happen.
    pub needs_reversal: bool,
    /// Cardholder verification method results (9F34).
    pub cvm: CvmResults,
    /// Terminal verification results (95).
    pub tvr: Tvr,
    /// Transaction status information (9B).
    pub tsi: Tsi,
    /// Results of the issuer's scripts (9F5B).
    pub scripts: ScriptResults,
    /// Name of the card's application (84), for the receipt.
    pub application: Name,
    /// Its label (50), for the receipt.
    pub label: Name,
}

impl Outcome {
    /// Whether the receipt needs a signature.
    pub fn wants_signature(&self) -> bool {
        let by_signature = match self.cvm.method() {
            CvmMethod::OfflineEncipheredPinAndSignature
            | CvmMethod::OfflinePlainPinAndSignature
            | CvmMethod::Signature => true,
            CvmMethod::Fail
            | CvmMethod::NoCvm
            | CvmMethod::OfflineEncipheredPin
            | CvmMethod::OfflinePlainPin
            | CvmMethod::OnlinePin
            | CvmMethod::Unknown(_) => false,
        };
        by_signature && self.cvm.result() != CvmResult::Failed
    }
}

/// What was decided.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Decision {
    /// The card gave a transaction certificate, or, contactless, the issuer approved.
    Approved,
    /// Card, terminal or issuer declined.
    Declined,
    /// The transaction could not be brought to a decision.
    Terminated(Reason),
}

/// How it was decided.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Route {
    /// Between card and terminal.
    Offline,
    /// The issuer answered.
    Online,
    /// The issuer was to be asked, and could not be.
    UnableToGoOnline,
}

/// Why a transaction ended without a decision.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    /// Every application that fits is blocked.
    ApplicationBlocked,
    /// The card refused a command with this status word.
    BadStatus(Command, u16),
    /// The value of this tag cannot be read.
    BadValue(u32),
    /// The cardholder chose no application.
    Cancelled,
    /// The card is blocked, or does not know SELECT.
    CardBlocked,
    /// The card was torn out, or is silent.
    CardGone,
    /// What the card wants to be told does not fit a command.
    CommandTooLong(Command),
    /// The records hold this tag twice.
    Duplicate(u32),
    /// An answer that is none.
    MalformedAnswer(Command),
    /// The card lacks this tag.
    Missing(u32),
    /// The card has no application that this terminal takes.
    NoApplication,
    /// More data than there is room for.
    TooMuchData,
    /// More than [`COMMANDS_MAX`](super::COMMANDS_MAX) commands.
    TooManyCommands,
    /// The device reported what was not asked of it.
    UnexpectedEvent,
    /// The card gave a cryptogram that it was not asked for.
    WrongCryptogram,
    /// Above the limit of the contactless reader, or the card wants its contacts: insert it.
    UseContact,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApplicationBlocked => f.write_str("the card's application is blocked"),
            Self::BadStatus(command, status) => write!(f, "{command:?} refused: {status:04X}"),
            Self::BadValue(tag) => write!(f, "tag {tag:X}: a value that cannot be read"),
            Self::Cancelled => f.write_str("no application was chosen"),
            Self::CardBlocked => f.write_str("the card is blocked"),
            Self::CardGone => f.write_str("the card is gone"),
            Self::CommandTooLong(command) => write!(f, "{command:?}: too much to be told"),
            Self::Duplicate(tag) => write!(f, "tag {tag:X}: twice in the records"),
            Self::MalformedAnswer(command) => write!(f, "{command:?}: the answer is malformed"),
            Self::Missing(tag) => write!(f, "tag {tag:X}: missing"),
            Self::NoApplication => f.write_str("no application that is taken here"),
            Self::TooMuchData => f.write_str("more data than a card has"),
            Self::TooManyCommands => f.write_str("the card needs too many commands"),
            Self::UnexpectedEvent => f.write_str("the device reported what was not asked"),
            Self::WrongCryptogram => f.write_str("a cryptogram that was not asked for"),
            Self::UseContact => f.write_str("insert the card"),
        }
    }
}

impl core::error::Error for Reason {}

/// A card's cryptogram and what goes with it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cryptogram {
    /// Cryptogram information data (9F27).
    pub information: Cid,
    /// Application transaction counter (9F36), big-endian.
    pub atc: [u8; 2],
    /// Application cryptogram (9F26).
    pub value: [u8; 8],
    pub(super) issuer_data: Octets<32>,
}

impl Cryptogram {
    /// Issuer application data (9F10), up to 32 octets; empty if the card gave none.
    pub fn issuer_data(&self) -> &[u8] {
        self.issuer_data.as_slice()
    }
}

/// A name of up to 16 octets: an application's identifier, or its label.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Name(Octets<16>);

impl Name {
    pub(super) const EMPTY: Self = Self(Octets::EMPTY);

    /// The name; `None` if it is longer.
    pub(super) fn of(octets: &[u8]) -> Option<Self> {
        Some(Self(Octets::of(octets)?))
    }

    /// Its octets.
    pub fn octets(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// As text, if all of it is printable ASCII.
    pub fn as_str(&self) -> Option<&str> {
        let is_printable = self.octets().iter().all(|octet| (b' '..=b'~').contains(octet));
        core::str::from_utf8(self.octets()).ok().filter(|_| is_printable)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_str() {
            Some(text) => write!(f, "Name({text:?})"),
            None => {
                f.write_str("Name(")?;
                self.octets().iter().try_for_each(|octet| write!(f, "{octet:02X}"))?;
                f.write_str(")")
            }
        }
    }
}

impl<const MAX: usize> fmt::Debug for Octets<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().iter().try_for_each(|octet| write!(f, "{octet:02X}"))
    }
}

/// Results of the issuer's scripts (9F5B): five octets each (EMV 4.3 Book 4, Annex A5).
///
/// The first octet has what came of it (0 not performed, 1 failed, 2 successful) and the number of
/// the command that failed; the others are its identifier (9F18), zeros if it has none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ScriptResults(Octets<{ 5 * SCRIPTS_MAX }>);

impl ScriptResults {
    pub(super) const NONE: Self = Self(Octets::EMPTY);

    /// The octets of the tag; empty if there was no script.
    pub fn octets(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// Adds one script's; what is more than there is room for is left out.
    pub(super) fn push(&mut self, result: u8, identifier: [u8; 4]) {
        let [first, second, third, fourth] = identifier;
        self.0.extend(&[result, first, second, third, fourth]);
    }
}

/// Of how many scripts the results are kept.
const SCRIPTS_MAX: usize = 16;

impl Kernel<'_> {
    /// Ends the transaction.
    ///
    /// What the card's cryptogram has decided stays decided, whatever goes wrong after it.
    pub(super) fn end(&mut self, decision: Decision) -> Next {
        let decision = self.decided.unwrap_or(decision);
        // A card that goes while the issuer is asked leaves open what the issuer will say.
        let is_open = matches!(self.phase, Phase::Online)
            && !self.issuer.answered()
            && self.route == Route::Offline;
        let may_stand = is_open || self.issuer.approved();
        self.outcome = Some(self.so_far(decision, may_stand));
        self.phase = Phase::Done;
        Next::Done
    }

    /// The outcome; if there is none yet, the end of the transaction for this reason.
    pub(super) fn ended(&mut self, reason: Reason) -> Outcome {
        if self.outcome.is_none() {
            self.end(Decision::Terminated(reason));
        }
        self.outcome.unwrap_or(self.so_far(Decision::Terminated(reason), false))
    }

    /// What there is to say so far, with this decision.
    fn so_far(&self, decision: Decision, may_stand: bool) -> Outcome {
        Outcome {
            decision,
            route: self.route,
            response_code: self.response_code,
            cryptogram: self.cryptogram,
            needs_reversal: may_stand && decision != Decision::Approved,
            cvm: self.cvm,
            tvr: self.tvr,
            tsi: self.tsi,
            scripts: self.scripts,
            application: self.name,
            label: self.label,
        }
    }
}
