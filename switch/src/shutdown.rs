//! The clean stop: who asks for it, and what everybody watches.
//!
//! A stop goes in one direction. Acceptors and the control API close first, lanes answer what they
//! have received, the journal is sealed last; [`crate::server::Running::shutdown`] holds the order.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::journal::JournalFailure;

/// What the parts of a switch are told to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stop {
    /// Take no more connections, answer what was received, end.
    Drain,
    /// Serve.
    Serve,
}

/// Why a running switch should stop.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum StopCause {
    /// The journal failed: nothing more is acknowledged.
    JournalFailed(JournalFailure),
    /// The system asked for it, by the signal of this name.
    Signal(&'static str),
}

/// The system's wish to stop: SIGTERM, or Ctrl-C on a terminal. From when this value is made, a
/// signal no longer ends the process by itself.
pub struct Wish {
    terminate: Signal,
    interrupt: Signal,
}

impl Wish {
    /// Watches the signals. Called within a runtime.
    ///
    /// # Errors
    /// If they cannot be watched.
    pub fn watch() -> std::io::Result<Wish> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Wish { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for one and gives its name.
    pub async fn made(mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
