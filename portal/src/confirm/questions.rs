//! Questions that devices were asked and have not answered yet, each about one purchase.
//!
//! They are kept here and not in the browser, so that an answer can be given to no other question,
//! and not twice. Their number is bounded: the oldest gives way.

use std::collections::VecDeque;

use cekr_switch::sync::Mutex;
use webauthn_rs::prelude::PasskeyAuthentication;

use super::challenge::Said;
use crate::identity::{HolderId, secret};
use crate::page::failed::Failed;

/// What was asked.
pub(super) struct Question {
    /// Who was asked.
    pub(super) holder: HolderId,
    /// The one passkey that may answer.
    pub(super) passkey: String,
    /// The purchase as it was shown.
    pub(super) said: Said,
    /// Drawn for this question.
    pub(super) nonce: [u8; 32],
    /// What the answer is checked against.
    pub(super) state: Box<PasskeyAuthentication>,
}

/// The questions under way, the oldest first.
#[derive(Default)]
pub(super) struct Questions {
    open: Mutex<VecDeque<(String, Question)>>,
}

impl Questions {
    /// Keeps one and names it.
    ///
    /// # Errors
    /// [`Failed`] if the system gives no random octets.
    pub(super) fn keep(&self, question: Question, now_ms: u64) -> Result<String, Failed> {
        let name = secret::token()?;
        let mut open = self.open.lock();
        open.retain(|(_, known)| known.said.expires_at > now_ms);
        let theirs = |known: &(String, Question)| known.1.holder == question.holder;
        if open.iter().filter(|known| theirs(known)).count() >= QUESTIONS_EACH_MAX
            && let Some(oldest) = open.iter().position(theirs)
        {
            open.remove(oldest);
        }
        if open.len() >= QUESTIONS_MAX {
            open.pop_front();
        }
        open.push_back((name.clone(), question));
        Ok(name)
    }

    /// Takes one out: an answer is judged once.
    pub(super) fn take(&self, name: &str) -> Option<Question> {
        let mut open = self.open.lock();
        let place = open.iter().position(|(known, _)| known == name)?;
        open.remove(place).map(|(_, question)| question)
    }
}

/// Of one holder: five purchases of a card, and each begun anew now and then.
const QUESTIONS_EACH_MAX: usize = 16;
const QUESTIONS_MAX: usize = 4_096;
