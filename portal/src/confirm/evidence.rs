//! What a holder answered, kept as it was given: the assertion, and what it was about.

use cekr_issuer::ConfirmationId;
use sqlx::AnyConnection;

use super::challenge::Said;
use super::open::Channel;
use crate::identity::secret::hex;
use crate::identity::sessions::at;
use crate::page::failed::Failed;

/// What came in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Given {
    /// A proof that was right.
    Approved,
    /// A proof that was not.
    Failed,
    /// The holder's refusal.
    Refused,
}

/// An answer.
pub(super) struct Evidence<'a> {
    pub(super) said: &'a Said,
    pub(super) holder: &'a str,
    pub(super) channel: Channel,
    /// The passkey, or the provider's name for the holder.
    pub(super) device: &'a str,
    pub(super) given: Given,
    /// Drawn for the question.
    pub(super) nonce: &'a [u8; 32],
    /// The device's answer as it came, or the provider's token.
    pub(super) assertion: &'a str,
}

impl Given {
    const fn name(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }
}

impl Evidence<'_> {
    /// Writes it down.
    ///
    /// # Errors
    /// [`Failed`] if the database does not answer.
    pub(super) async fn write(&self, on: &mut AnyConnection, now_ms: u64) -> Result<(), Failed> {
        let said = self.said;
        let insert = "INSERT INTO confirm_answer (nonce, id, card, holder, channel, device, answer, \
                      amount, currency, payee, expires_at, challenge, assertion, made_at) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
        sqlx::query(insert)
            .bind(hex(self.nonce))
            .bind(ConfirmationId(said.id).to_string())
            .bind(&said.card)
            .bind(self.holder)
            .bind(self.channel.name())
            .bind(self.device)
            .bind(self.given.name())
            .bind(at(said.amount))
            .bind(&said.currency)
            .bind(&said.payee)
            .bind(at(said.expires_at))
            .bind(hex(&said.challenge(self.nonce)))
            .bind(self.assertion.chars().take(ASSERTION_CHARS_MAX).collect::<String>())
            .bind(at(now_ms))
            .execute(on)
            .await?;
        Ok(())
    }
}

/// How much of an answer is kept; a right one is far shorter.
const ASSERTION_CHARS_MAX: usize = 8_192;
