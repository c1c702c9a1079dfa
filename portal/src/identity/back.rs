//! What stands on a card's back, as somebody types it, and the card that it belongs to.
//!
//! Which of the two numbers was wrong is never told, and how often somebody may be wrong is
//! bounded.

use cekr_issuer::CardId;
use cekr_switch::control::LastSix;

use super::attempts::{Blocked, Counted};
use super::session::SignedIn;
use crate::Portal;
use crate::page::failed::Failed;

/// MOK ID and last six digits.
#[derive(Clone, Copy, Debug)]
pub struct Back {
    /// The number on the bottom left.
    pub mok_id: u32,
    /// The end of the card's number.
    pub last_six: LastSix,
}

/// Which of what was typed cannot be such a number.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct BackFault {
    /// No nine digits, or fewer.
    pub mok_id: bool,
    /// No six digits.
    pub last_six: bool,
}

/// Why there is no card.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NoCard {
    /// Too many were wrong before; these were not judged.
    Blocked {
        /// Seconds until they will be.
        retry_after_s: u64,
    },
    /// One of the two is wrong, or both.
    Wrong,
}

impl Back {
    /// Reads both, with spaces where people set them.
    ///
    /// # Errors
    /// [`BackFault`].
    pub fn parse(mok_id: &str, last_six: &str) -> Result<Back, BackFault> {
        let plain = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
        let digits = plain(mok_id);
        let is_number =
            (1..=9).contains(&digits.len()) && digits.bytes().all(|c| c.is_ascii_digit());
        let mok_id = digits.parse().ok().filter(|_| is_number);
        match (mok_id, LastSix::parse(&plain(last_six))) {
            (Some(mok_id), Some(last_six)) => Ok(Back { mok_id, last_six }),
            (mok_id, last_six) => {
                Err(BackFault { mok_id: mok_id.is_none(), last_six: last_six.is_none() })
            }
        }
    }

    /// What an attempt with it is counted under.
    #[must_use]
    pub fn counted<'a>(&self, who: Option<&'a SignedIn>) -> Vec<Counted<'a>> {
        let session = who.map(|who| Counted::Session(who.session()));
        std::iter::once(Counted::MokId(self.mok_id)).chain(session).collect()
    }
}

/// The card with this back. Counts the attempt against the MOK ID and the session.
///
/// # Errors
/// [`NoCard`].
pub fn card_by_back(
    portal: &Portal,
    back: &Back,
    who: Option<&SignedIn>,
) -> Result<CardId, NoCard> {
    let now_ms = portal.durable().now().unix_ms;
    let counted = back.counted(who);
    let attempts = portal.identity().attempts();
    attempts.begin(&counted, now_ms).map_err(|blocked| NoCard::of(blocked, now_ms))?;
    let card = portal.durable().control().card_by_back(back.mok_id, back.last_six);
    let card = card.ok_or(NoCard::Wrong)?;
    attempts.right(&counted);
    Ok(card)
}

impl NoCard {
    pub(super) const fn of(blocked: Blocked, now_ms: u64) -> NoCard {
        let left_ms = blocked.until_ms.saturating_sub(now_ms);
        NoCard::Blocked { retry_after_s: left_ms.div_ceil(1_000) }
    }

    /// The key of the text that says it beside the form.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Blocked { .. } => "identity-back-blocked",
            Self::Wrong => "identity-back-wrong",
        }
    }
}

impl From<NoCard> for Failed {
    fn from(no_card: NoCard) -> Self {
        match no_card {
            NoCard::Blocked { retry_after_s } => Failed::TooMany { retry_after_s },
            NoCard::Wrong => Failed::Unprocessable("identity-back-wrong"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_back_is_read_as_people_type_it() {
        assert_eq!(Back::parse("123 456 782", " 000011").map(|back| back.mok_id), Ok(123_456_782));
        assert_eq!(Back::parse("7", "000011").map(|back| back.mok_id), Ok(7));
        for (mok_id, last_six, fault) in [
            ("", "000011", BackFault { mok_id: true, last_six: false }),
            ("1234567890", "000011", BackFault { mok_id: true, last_six: false }),
            ("+12345678", "000011", BackFault { mok_id: true, last_six: false }),
            ("123456782", "00011", BackFault { mok_id: false, last_six: true }),
            ("x", "y", BackFault { mok_id: true, last_six: true }),
        ] {
            assert_eq!(
                Back::parse(mok_id, last_six).map(|_| ()),
                Err(fault),
                "{mok_id} {last_six}"
            );
        }
    }
}
