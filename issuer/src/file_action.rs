//! File actions (0302): an acquirer's security desk puts a card on the list of hot cards.
//!
//! Over a link a card can be reported, and never be given back: what was reported lost or stolen is
//! undone by nobody but the issuer.
//!
//! Source: ISO 8583:1987, DE 91 (file update code), DE 101 (file name), DE 120 (the record).

use cekr_iso8583::{Mti, Pan, PanError, View};

use crate::card::Card;
use crate::controls::{CardStatus, Controls};
use crate::entry::{Answered, Fact, FileActioned};
use crate::key::RequestKey;
use crate::network::link_key;
use crate::reason::Reason;
use crate::request::{FORMAT_ERROR, NOT_SUPPORTED, Reject};

/// What is asked of the file of hot cards.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FileAction {
    /// The message type.
    pub mti: Mti,
    /// What makes a repeat the same request.
    pub key: RequestKey,
    /// The card, or what is wrong with its number.
    pub pan: Result<Pan, PanError>,
    /// What to do.
    pub action: Action,
}

/// What to do with the card's record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Is it there (DE 91 = 5).
    Inquire,
    /// Put it there, or say why it is there (DE 91 = 1 or 2).
    Report(CardStatus),
}

impl FileAction {
    /// What becomes of `card`, which is ours.
    #[must_use]
    pub fn fact(&self, card: &Card) -> Fact {
        let before = card.controls();
        let controls = match self.action {
            Action::Report(status) if before.status != CardStatus::Closed => {
                let version = before.version.wrapping_add(u32::from(before.status != status));
                Controls { status, version, ..before }
            }
            Action::Inquire | Action::Report(_) => before,
        };
        let answered = Answered {
            balance: card.balance(),
            available: card.available(),
            ..Answered::about_link(self.mti, self.key, Reason::Approved)
        };
        Fact::FileActioned(FileActioned { answered, controls })
    }
}

pub(crate) fn parse(view: &View<'_>, listener: u32) -> Result<FileAction, Reject> {
    let key = link_key(view, listener)?;
    let pan = view.pan().ok_or(FORMAT_ERROR)?;
    let mut name = [0; FILE_NAME_MAX];
    let name = view.field(101).and_then(|field| field.text(&mut name)).ok_or(FORMAT_ERROR)?;
    let code = view.field(91).and_then(|field| field.characters().next()).ok_or(FORMAT_ERROR)?;
    // What is missing comes before what is there and not served.
    if name.trim_ascii_end() != HOT_CARDS {
        return Err(NOT_SUPPORTED);
    }
    let action = match code {
        b'1' | b'2' => Action::Report(reported(view)),
        b'5' => Action::Inquire,
        _ => return Err(NOT_SUPPORTED),
    };
    Ok(FileAction { mti: view.mti(), key, pan, action })
}

/// Why the card is hot: the record begins with the response code that it is to be declined with.
fn reported(view: &View<'_>) -> CardStatus {
    let begins_with = |code: &[u8; 2]| {
        let record = view.field(120);
        record.is_some_and(|field| field.characters().take(2).eq(code.iter().copied()))
    };
    if begins_with(b"43") { CardStatus::Stolen } else { CardStatus::Lost }
}

/// The file's name in DE 101.
const HOT_CARDS: &[u8] = b"HOTCARD";

/// The longest value of DE 101.
const FILE_NAME_MAX: usize = 17;
