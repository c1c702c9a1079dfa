//! Statements for those who can wait: nothing is told before it is durable.

use cekr_issuer::{CardId, Seq};

use super::{StatementLine, StatementOutcome};
use crate::control::{ControlError, Durable};

impl Durable {
    /// Posts lines of bank statements in their order, each once, some thousands at a time, and
    /// waits for room in between.
    ///
    /// # Errors
    /// As [`Control::post_lines`](crate::control::Control::post_lines): lines before the one that
    /// was refused are posted, and all of them may be sent again. [`ControlError::Busy`] when no
    /// room came for some seconds.
    pub async fn post_lines(
        &self,
        lines: &[StatementLine],
    ) -> Result<Vec<StatementOutcome>, ControlError> {
        let mut outcomes = Vec::with_capacity(lines.len());
        for some in lines.chunks(LINES_TOGETHER) {
            let mut tries = 0;
            let posted = loop {
                match self.control().post_lines(some, self.now()) {
                    Err(ControlError::Busy) if tries < TRIES_MAX => {
                        tries += 1;
                        self.moment().await;
                    }
                    done => break done,
                }
            };
            outcomes.extend(self.told(posted).await?);
        }
        Ok(outcomes)
    }

    /// Assigns an item of suspense to a card and brings it there.
    ///
    /// # Errors
    /// As [`Control::assign`](crate::control::Control::assign). An assignment that was entered is
    /// brought to its card sooner or later, whatever this says.
    pub async fn assign(&self, item: Seq, card: CardId) -> Result<(), ControlError> {
        let assigned = self.control().assign(item, card, self.now());
        self.told(assigned.map(|seq| ((), seq))).await?;
        let finished = self.control().finish_assignments(self.now());
        self.told(finished.map(|seq| ((), seq))).await
    }

    /// Lets an item of suspense go back to its payer.
    ///
    /// # Errors
    /// As [`Control::return_to_payer`](crate::control::Control::return_to_payer).
    pub async fn return_to_payer(&self, item: Seq) -> Result<(), ControlError> {
        let returned = self.control().return_to_payer(item, self.now());
        self.told(returned.map(|seq| ((), seq))).await
    }
}

/// Lines posted under one holding of the lock: some milliseconds.
const LINES_TOGETHER: usize = 2_048;
/// Commits, or moments of 20 ms, that are waited for room.
const TRIES_MAX: usize = 500;
