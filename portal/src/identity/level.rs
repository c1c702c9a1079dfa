//! How sure a proof of identity is, how fresh it is, and what each action asks of it.
//!
//! What protects a card must be quick: any session of the middle level may lock it. What opens it
//! again asks for the highest level, proven within the last five minutes. The levels are those of
//! Implementing Regulation (EU) 2015/1502 with Rekono's numbers for them.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cekr_switch::http::ApiError;

use super::local_path::LocalPath;

/// A level of assurance.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Level {
    /// 10: a password, or nobody knows.
    Low,
    /// 20: two factors.
    Medium,
    /// 30: two factors bound to the person, a passkey among them.
    High,
}

impl Level {
    /// 10, 20 or 30.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::Low => 10,
            Self::Medium => 20,
            Self::High => 30,
        }
    }

    /// The level of a number; what is none of the three is the lowest.
    #[must_use]
    pub const fn of(number: i64) -> Level {
        match number {
            20 => Self::Medium,
            30 => Self::High,
            _ => Self::Low,
        }
    }
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Bind another passkey or another card.
    LinkDevice,
    /// Load by another card.
    Load,
    /// Lock a card.
    Lock,
    /// Report a card lost or stolen.
    Report,
    /// Change limits.
    SetLimits,
    /// Open a channel.
    Tick,
    /// Unlock a card.
    Unlock,
    /// Close a channel.
    Untick,
}

impl Action {
    /// The least level.
    #[must_use]
    pub const fn level(self) -> Level {
        match self {
            Self::Load | Self::Lock | Self::Report | Self::Untick => Level::Medium,
            Self::LinkDevice | Self::SetLimits | Self::Tick | Self::Unlock => Level::High,
        }
    }

    /// Whether level `level`, proven at `proven_at`, is enough at `now_ms`.
    #[must_use]
    pub const fn allows(self, level: Level, proven_at: u64, now_ms: u64) -> bool {
        let fresh = match self {
            Self::Load | Self::Lock | Self::Report | Self::Untick => true,
            Self::LinkDevice | Self::SetLimits | Self::Tick | Self::Unlock => {
                now_ms.saturating_sub(proven_at) <= FRESH_MS
            }
        };
        fresh && level.number() >= self.level().number()
    }
}

/// The proof is too weak or too old: a page leads to where it can be made anew and back, the API
/// answers 403 with the code `step_up`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StepUp {
    /// Where to go on afterwards.
    pub next: LocalPath,
    /// Who asks.
    pub asker: Asker,
    /// The page where it is made anew.
    pub door: &'static str,
}

/// What kind of program sent a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Asker {
    /// One that reads JSON.
    Api,
    /// A page's htmx.
    Htmx,
    /// A browser that opens pages.
    Page,
}

impl Asker {
    /// Leads a browser to `address`.
    #[must_use]
    pub fn lead(self, address: &str) -> Response {
        let Ok(address) = HeaderValue::from_str(address) else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        match self {
            // Its own way: a redirect would be followed by the script and put into the page.
            Self::Htmx => (StatusCode::OK, [(HX_REDIRECT, address)]).into_response(),
            Self::Api | Self::Page => {
                (StatusCode::SEE_OTHER, [(header::LOCATION, address)]).into_response()
            }
        }
    }
}

impl IntoResponse for StepUp {
    fn into_response(self) -> Response {
        match self.asker {
            Asker::Api => {
                let message = "this asks for a proof of identity of level 30 that is at most five \
                               minutes old; make it at /prove";
                ApiError::with_status(StatusCode::FORBIDDEN, "step_up", message).into_response()
            }
            Asker::Htmx | Asker::Page => {
                self.asker.lead(&format!("{}?next={}", self.door, self.next.in_query()))
            }
        }
    }
}

/// How old a proof may be for what opens a card.
pub const FRESH_MS: u64 = 5 * 60 * 1_000;
const HX_REDIRECT: HeaderName = HeaderName::from_static("hx-redirect");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_protects_a_card_needs_no_fresh_proof() {
        for action in [Action::Lock, Action::Untick, Action::Report, Action::Load] {
            assert!(action.allows(Level::Medium, 0, 100 * FRESH_MS), "{action:?}");
            assert!(!action.allows(Level::Low, 0, 0), "{action:?}");
        }
    }

    #[test]
    fn what_opens_a_card_needs_the_highest_level_of_the_last_five_minutes() {
        for action in [Action::Tick, Action::Unlock, Action::SetLimits, Action::LinkDevice] {
            assert!(action.allows(Level::High, 1_000, 1_000 + FRESH_MS), "{action:?}");
            assert!(!action.allows(Level::High, 1_000, 1_001 + FRESH_MS), "{action:?}");
            assert!(!action.allows(Level::Medium, 1_000, 1_000), "{action:?}");
        }
    }
}
