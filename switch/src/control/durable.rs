//! The control interface for those who can wait: nothing is told before it is durable.
//!
//! [`Control`] changes cards at once and says which entry must be on disk before anybody hears of
//! it. Here stands the waiting, for every face that is spoken to over a network: the API's handlers
//! and the website's pages.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use cekr_issuer::{Now, Seq};
use tokio::sync::{Notify, watch};

use super::process::Process;
use super::{Control, ControlError};
use crate::clock::Clock;
use crate::journal::Journal;
use crate::shutdown::Stop;
use crate::sync::Arc;

/// The interface, with the clock and the journal that it waits for. Cheap to clone.
#[derive(Clone)]
pub struct Durable {
    control: Control,
    clock: Clock,
    /// Rung by the journal once a commit.
    committed: Arc<Notify>,
    stop: watch::Receiver<Stop>,
    process: Process,
}

/// The journal has failed: what was waited for will never be durable, and the switch is stopping.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the journal has failed; the switch is stopping")]
pub struct JournalFailed;

impl Durable {
    pub(crate) const fn new(
        control: Control,
        clock: Clock,
        committed: Arc<Notify>,
        stop: watch::Receiver<Stop>,
        process: Process,
    ) -> Self {
        Self { control, clock, committed, stop, process }
    }

    /// The cards; what it says is for nobody until [`Self::told`] has waited for it.
    #[must_use]
    pub const fn control(&self) -> &Control {
        &self.control
    }

    /// What is told of the process itself.
    #[must_use]
    pub const fn process(&self) -> &Process {
        &self.process
    }

    /// The clock that everything asks.
    #[must_use]
    pub fn now(&self) -> Now {
        self.clock.now()
    }

    /// The newest durable entry.
    #[must_use]
    pub fn newest(&self) -> Seq {
        self.journal().durable()
    }

    /// What `done` says, as soon as it is durable.
    ///
    /// ```text
    /// let card = durable.told(durable.control().lock(id, durable.now())).await?;
    /// ```
    ///
    /// # Errors
    /// The control's own, or [`ControlError::JournalFailed`].
    pub async fn told<T>(&self, done: Result<(T, Seq), ControlError>) -> Result<T, ControlError> {
        let (told, seq) = done?;
        self.wait(seq).await.map_err(|JournalFailed| ControlError::JournalFailed)?;
        Ok(told)
    }

    /// Waits until the entry `seq`, and with it all before, is durable.
    ///
    /// # Errors
    /// [`JournalFailed`]: it never will be.
    pub async fn wait(&self, seq: Seq) -> Result<(), JournalFailed> {
        loop {
            let mut committed = pin!(self.committed.notified());
            // Registered before the look: a commit in between is not missed.
            committed.as_mut().enable();
            if self.newest() >= seq {
                return Ok(());
            }
            if self.journal().failure().is_some() {
                return Err(JournalFailed);
            }
            tokio::select! {
                () = committed => {}
                // A journal that has failed rings no more.
                () = tokio::time::sleep(FAILURE_LOOK) => {}
            }
        }
    }

    /// Waits for a commit, or a moment: in memory nothing rings.
    pub fn moment(&self) -> impl Future<Output = ()> + Send + use<> {
        let committed = self.committed.clone();
        async move {
            let _ = tokio::time::timeout(COMMIT_LOOK, committed.notified()).await;
        }
    }

    /// Waits until the switch stops: a stream that has no end of its own ends then.
    pub fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut stop = self.stop.clone();
        async move {
            let _ = stop.wait_for(|stop| *stop == Stop::Drain).await;
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *self.stop.borrow() == Stop::Drain
    }

    pub(crate) const fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn journal(&self) -> &Journal {
        self.control.shard().journal()
    }
}

/// How often a waiting call looks whether the journal has failed.
const FAILURE_LOOK: Duration = Duration::from_millis(250);
/// How often who follows the entries looks for new ones when no commit rings.
const COMMIT_LOOK: Duration = Duration::from_millis(20);
