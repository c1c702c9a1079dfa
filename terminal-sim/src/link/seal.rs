//! MACs of a line: what a terminal puts under its messages and wants under the host's (DE 64, 128).
//!
//! The MAC covers the octets of the message from its type up to the element, and is the last of
//! them: DE 128 where the message has a second bitmap, else DE 64.
//!
//! Source: ISO 8583:1987, DE 64 and 128; ANSI X9.19 (the retail MAC).

use cekr_emv::crypto::mac::{self, Padding};
use cekr_emv::keys::{Key, Mak};
use cekr_iso8583::{Spec, View, WriteError};

use super::matcher::Reason;
use crate::message::Message;

/// Whether messages of a line have MACs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Macs {
    /// None is sent, none is looked at.
    #[default]
    None,
    /// Every message has one under the published test key; an answer without, or with a wrong
    /// one, is no answer.
    TestKey,
}

impl Macs {
    /// The message as it goes out.
    ///
    /// # Errors
    /// A value that its element cannot hold.
    pub(super) fn seal(self, message: Message, spec: &Spec) -> Result<Message, WriteError> {
        let element = if (65..=127).any(|de| message.has(de)) { 128 } else { 64 };
        let message = match self {
            Self::None => return Ok(message),
            Self::TestKey => message.octets(element, &[0; 8]),
        };
        let mut octets = vec![];
        message.encode(spec, &mut octets)?;
        let end = View::parse(spec, &octets).ok().and_then(|view| view.offset(element));
        let covered = end.and_then(|end| octets.get(..end)).unwrap_or_default();
        let sealed = self.of(covered);
        Ok(message.octets(element, &sealed))
    }

    /// Whether `message`, read as `view`, is what the host sent.
    pub(super) fn check(self, view: &View<'_>, message: &[u8]) -> Result<(), Reason> {
        if self == Self::None {
            return Ok(());
        }
        let element = [128, 64].into_iter().find(|element| view.has(*element));
        let element = element.ok_or(Reason::MacMissing)?;
        let mut room = [0; 8];
        let told = view.field(element).and_then(|field| field.octets(&mut room));
        let covered = view.offset(element).and_then(|end| message.get(..end));
        let (told, covered) = told.zip(covered).ok_or(Reason::MacMissing)?;
        let is_right = told.try_into().is_ok_and(|told| mac::is_equal(self.of(covered), told));
        if is_right { Ok(()) } else { Err(Reason::MacWrong) }
    }

    fn of(self, covered: &[u8]) -> [u8; 8] {
        mac::retail(&Key::<Mak>::development(), covered, Padding::Zeros)
    }
}
