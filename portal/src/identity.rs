//! Who somebody is: sessions, what they may do, and the cards that are theirs.
//!
//! A session is a cookie with 256 random bits of which only the hash is kept. It ends after five
//! minutes without anything being asked for by hand, and a new one takes its place whenever
//! somebody proves anew who they are. What a page may do depends on how sure that proof was and how
//! old it is ([`level`]); which cards it may touch, on [`holder`].

pub mod attempts;
pub mod holder;
pub mod level;
pub mod local_path;
pub mod posted;
pub mod secret;
pub mod session;
pub mod sessions;

use cekr_switch::control::Durable;

pub use attempts::Attempts;
pub use holder::{HolderId, cards_of, held_card};
pub use level::{Action, Level, StepUp};
pub use local_path::LocalPath;
pub use posted::Posted;
pub use session::{Csrf, SignedIn, Watching};

use secret::Secret;

/// What identity keeps while the website runs.
pub struct Identity {
    attempts: Attempts,
    secret: Secret,
}

impl Identity {
    pub(crate) fn new(durable: &Durable) -> Identity {
        let secret = Secret::of(durable);
        Identity { attempts: Attempts::new(&secret), secret }
    }

    /// Wrong pairs of MOK ID and last digits.
    #[must_use]
    pub const fn attempts(&self) -> &Attempts {
        &self.attempts
    }

    /// What hashes of codes are made with.
    #[must_use]
    pub const fn secret(&self) -> &Secret {
        &self.secret
    }
}
