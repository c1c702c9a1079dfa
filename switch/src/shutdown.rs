//! The clean stop: who asks for it, and what everybody watches.
//!
//! A stop goes in one direction. Acceptors and the control API close first, lanes answer what they
//! have received, the journal is sealed last; [`crate::server::Running::shutdown`] holds the order.

use tokio::signal::unix::{SignalKind, signal};

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

/// Waits for the system's wish to stop: SIGTERM, or Ctrl-C on a terminal.
///
/// # Errors
/// If the signals cannot be watched.
pub async fn requested() -> std::io::Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let name = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    };
    Ok(name)
}
