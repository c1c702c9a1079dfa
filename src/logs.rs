//! Logs: text on a terminal, JSON lines elsewhere, always on standard error.
//!
//! `CEKR_LOG` chooses levels as `RUST_LOG` does elsewhere (`debug`, `cekr::messages=debug`);
//! `NO_COLOR` turns colours off.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// Sends logs to standard error; `level` holds where `CEKR_LOG` says nothing.
pub fn start(level: &str) {
    let wanted = std::env::var("CEKR_LOG").unwrap_or_default();
    let wanted = if wanted.is_empty() { level } else { &wanted };
    let filter = EnvFilter::try_new(wanted).unwrap_or_else(|_| EnvFilter::new(level));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if std::io::stderr().is_terminal() {
        let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        builder.with_ansi(colours).with_target(false).try_init()
    } else {
        builder.json().flatten_event(true).with_current_span(false).try_init()
    };
    // Only a second call fails, and the first one's logs are as good.
    drop(started);
}
