//! A card as its page shows it: the number's end, the balance, the three switches and the state.

use cekr_switch::control::{CardView, ChannelsPatch};
use serde::Deserialize;

use crate::page::texts::Say;

/// One of the three channels, as forms and addresses name it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Payments outside Slovenia.
    Abroad,
    /// Cash.
    Cashpoint,
    /// Purchases without the card.
    Online,
}

impl Channel {
    /// As the page lists them.
    pub const ALL: [Self; 3] = [Self::Online, Self::Abroad, Self::Cashpoint];

    /// The name in forms, addresses and keys of texts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Abroad => "abroad",
            Self::Cashpoint => "cashpoint",
            Self::Online => "online",
        }
    }

    /// The change of this channel alone.
    #[must_use]
    pub fn patch(self, ticked: bool) -> ChannelsPatch {
        let mut patch = ChannelsPatch::default();
        match self {
            Self::Abroad => patch.abroad = Some(ticked),
            Self::Cashpoint => patch.cashpoint = Some(ticked),
            Self::Online => patch.online = Some(ticked),
        }
        patch
    }
}

/// A switch of the page.
#[derive(Clone, Debug)]
pub struct Tick {
    /// The channel's name in forms.
    pub channel: &'static str,
    /// What it is called.
    pub title: String,
    /// What it does.
    pub does: String,
    /// What it does not stop.
    pub spares: String,
    /// Whether it is on.
    pub is_on: bool,
}

/// What the page shows of a card.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The opaque id.
    pub id: String,
    /// The page's address.
    pub address: String,
    /// The number's last four digits.
    pub last_four: String,
    /// Nine digits.
    pub mok_id: String,
    /// What may be spent.
    pub available: String,
    /// The same in cents.
    pub available_cents: i64,
    /// What is on it, holds included.
    pub balance: String,
    /// What is held; `None` for nothing.
    pub held: Option<String>,
    /// The state's name in the API.
    pub state: &'static str,
    /// The state in words.
    pub state_words: String,
    /// The three switches.
    pub ticks: Vec<Tick>,
}

impl Shown {
    /// `card` in the language of `say`.
    #[must_use]
    pub fn of(card: &CardView, say: &Say) -> Shown {
        let held = card.balance - card.available;
        let from = card.pan_masked.len().saturating_sub(LAST_DIGITS);
        let tick = |channel: Channel| {
            let name = channel.name();
            Tick {
                channel: name,
                title: say.text(&format!("card-tick-{name}")),
                does: say.text(&format!("card-tick-{name}-does")),
                spares: say.text(&format!("card-tick-{name}-spares")),
                is_on: match channel {
                    Channel::Abroad => card.channels.abroad,
                    Channel::Cashpoint => card.channels.cashpoint,
                    Channel::Online => card.channels.online,
                },
            }
        };
        Shown {
            id: card.id.clone(),
            address: format!("/cards/{}", card.id),
            last_four: card.pan_masked.get(from..).unwrap_or_default().to_owned(),
            mok_id: card.mok_id.clone(),
            available: say.money(&card.available),
            available_cents: card.available,
            balance: say.money(&card.balance),
            held: (held != 0).then(|| say.money(&held)),
            state: card.state,
            state_words: say.text(&format!("card-state-{}", card.state.replace('_', "-"))),
            ticks: Channel::ALL.into_iter().map(tick).collect(),
        }
    }

    /// Whether payments can be approved at all.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.state == "active"
    }

    /// Whether its holder locked it.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.state == "locked"
    }

    /// Whether it was reported or closed: its switches move no more.
    #[must_use]
    pub fn is_out(&self) -> bool {
        matches!(self.state, "lost" | "stolen" | "closed")
    }
}

const LAST_DIGITS: usize = 4;
