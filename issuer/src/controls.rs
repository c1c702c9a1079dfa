//! What the holder and the issuer set about a card: status, ticks, expiry, in one word.
//!
//! The card owns its controls. A copy of the word stands beside the card, stored under the card's
//! lock and read without it, by pages, metrics and the early touch.

use cekr_iso8583::Expiry;

use crate::channel::Channels;

/// The state of a card.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum CardStatus {
    /// In use.
    Active = 1,
    /// The account is closed for good.
    Closed = 2,
    /// Locked by the holder, who may unlock it.
    Locked = 3,
    /// Reported lost.
    Lost = 4,
    /// Issued, and not activated yet.
    NotActivated = 5,
    /// Reported stolen.
    Stolen = 6,
    /// No card of ours: what an unknown number is judged as.
    #[default]
    Unknown = 0,
}

impl CardStatus {
    /// Every status that a card can have.
    pub const ALL: [Self; 6] =
        [Self::Active, Self::Closed, Self::Locked, Self::Lost, Self::NotActivated, Self::Stolen];

    /// The status whose number stands in a journal entry or in the word.
    #[must_use]
    pub const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Active,
            2 => Self::Closed,
            3 => Self::Locked,
            4 => Self::Lost,
            5 => Self::NotActivated,
            6 => Self::Stolen,
            _ => Self::Unknown,
        }
    }

    /// The name in card files and API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Closed => "closed",
            Self::Locked => "locked",
            Self::Lost => "lost",
            Self::NotActivated => "not_activated",
            Self::Stolen => "stolen",
            Self::Unknown => "unknown",
        }
    }

    /// The status that a card file or the API names.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// Status, ticks, expiry and version of a card.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Controls {
    /// The state of the card.
    pub status: CardStatus,
    /// The channels that the holder ticked.
    pub ticks: Channels,
    /// The last month in which the card is valid.
    pub expiry: Expiry,
    /// Counts the changes, so that two readers can tell whether they saw the same.
    pub version: u32,
}

impl Controls {
    /// Packs the controls: status in bits 0-3, ticks in 4-7, expiry in 16-31, version in 32-63.
    #[must_use]
    pub const fn word(self) -> u64 {
        self.status as u64
            | (self.ticks.bits() as u64) << 4
            | (self.expiry.number() as u64) << 16
            | (self.version as u64) << 32
    }

    /// Unpacks what [`Controls::word`] packed.
    #[must_use]
    pub fn from_word(word: u64) -> Self {
        let [low, _, expiry_low, expiry_high, version @ ..] = word.to_le_bytes();
        Self {
            status: CardStatus::from_number(low & 0x0F),
            ticks: Channels::from_bits(low >> 4),
            expiry: Expiry::new(u16::from_le_bytes([expiry_low, expiry_high])).unwrap_or_default(),
            version: u32::from_le_bytes(version),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_word_comes_back_as_the_controls(
            status in 0_u8..7, ticks in 0_u8..8, year in 0_u16..100, month in 1_u16..13,
            version: u32,
        ) {
            let controls = Controls {
                status: CardStatus::from_number(status),
                ticks: Channels::from_bits(ticks),
                expiry: Expiry::new(year * 100 + month).unwrap(),
                version,
            };
            prop_assert_eq!(Controls::from_word(controls.word()), controls);
        }
    }

    #[test]
    fn every_status_keeps_its_name_and_number() {
        for status in CardStatus::ALL {
            assert_eq!(CardStatus::by_name(status.name()), Some(status));
            assert_eq!(CardStatus::from_number(status as u8), status);
        }
    }
}
