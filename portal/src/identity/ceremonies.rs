//! Ceremonies that have begun: what somebody must answer within five minutes, once.
//!
//! They are kept here and not in the browser, so that an answer can be given to no other question,
//! and not twice. Their number is bounded: the oldest gives way.

use std::collections::{HashMap, VecDeque};

use cekr_switch::sync::Mutex;
use webauthn_rs::prelude::{
    DiscoverableAuthentication, PasskeyAuthentication, PasskeyRegistration,
};

use super::codes::{Enrolment, Right};
use super::passkeys::Owner;
use super::rekono::Away;
use super::secret;
use crate::page::failed::Failed;

/// What was asked.
pub(super) enum Ceremony {
    /// Another passkey for somebody who is signed in.
    Add(Owner, Box<PasskeyRegistration>),
    /// An operator's code was right: whose passkey?
    DeskEnrolled(Right, Owner),
    /// The passkey of an operator who had the code.
    DeskRegister(Right, Owner, Box<PasskeyRegistration>),
    /// A card's back and its code were right: whose passkey?
    Enrolled(Enrolment),
    /// Somebody who is signed in proves it anew.
    Prove(Owner, Box<PasskeyAuthentication>),
    /// The first passkey of whoever had the code.
    Register(Enrolment, Owner, Box<PasskeyRegistration>),
    /// Away at the provider.
    Rekono(Box<Away>),
    /// Whoever it may be.
    SignIn(Box<DiscoverableAuthentication>),
}

/// The ceremonies under way.
#[derive(Default)]
pub(super) struct Ceremonies {
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    by_name: HashMap<String, (u64, Ceremony)>,
    /// Names by age, the oldest first.
    order: VecDeque<(u64, String)>,
}

impl Ceremonies {
    /// Keeps one and names it.
    ///
    /// # Errors
    /// [`Failed`] if the system gives no random octets.
    pub(super) fn keep(&self, ceremony: Ceremony, now_ms: u64) -> Result<String, Failed> {
        let name = secret::token()?;
        let until_ms = now_ms.saturating_add(CEREMONY_MS);
        let mut inside = self.inside.lock();
        while let Some((over_ms, _)) = inside.order.front() {
            if *over_ms > now_ms && inside.order.len() < CEREMONIES_MAX {
                break;
            }
            if let Some((_, oldest)) = inside.order.pop_front() {
                inside.by_name.remove(&oldest);
            }
        }
        inside.order.push_back((until_ms, name.clone()));
        inside.by_name.insert(name.clone(), (until_ms, ceremony));
        Ok(name)
    }

    /// The enrolment of this name, which stays: a device may be asked again until the code is used.
    pub(super) fn enrolment(&self, name: &str, now_ms: u64) -> Option<Enrolment> {
        let inside = self.inside.lock();
        match inside.by_name.get(name)? {
            (until_ms, Ceremony::Enrolled(enrolment)) => {
                (now_ms < *until_ms).then(|| enrolment.clone())
            }
            (
                _,
                Ceremony::Add(..)
                | Ceremony::DeskEnrolled(..)
                | Ceremony::DeskRegister(..)
                | Ceremony::Prove(..)
                | Ceremony::Register(..)
                | Ceremony::Rekono(_)
                | Ceremony::SignIn(_),
            ) => None,
        }
    }

    /// Takes one out: an answer is judged once.
    pub(super) fn take(&self, name: &str, now_ms: u64) -> Option<Ceremony> {
        let (until_ms, ceremony) = self.inside.lock().by_name.remove(name)?;
        (now_ms < until_ms).then_some(ceremony)
    }
}

impl std::fmt::Debug for Ceremonies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ceremonies(..)")
    }
}

/// How long an answer may take.
const CEREMONY_MS: u64 = 5 * 60 * 1_000;
const CEREMONIES_MAX: usize = 16_384;
