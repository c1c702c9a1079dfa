//! The message log: one line for an answer, at debug level, with STAN and RRN and never a PAN.
//!
//! It reads the answers that are about to leave. While the level is off it costs one look at an
//! atomic for each read of a socket.

use std::net::SocketAddr;

use cekr_iso8583::{Step, View};

use crate::engine::Outgoing;
use crate::listener::Door;

/// Logs every answer of one read.
pub(crate) fn answers(door: &Door, peer: SocketAddr, out: &Outgoing) {
    if !tracing::enabled!(target: TARGET, tracing::Level::DEBUG) {
        return;
    }
    for span in &out.spans {
        let frame = out.bytes().get(span.start as usize..span.end as usize).unwrap_or_default();
        let Ok(Step::Message { message, .. }) = door.link.framing.next(frame, frame.len()) else {
            continue;
        };
        let Ok(view) = View::parse(door.link.spec, message) else { continue };
        tracing::debug!(
            target: TARGET,
            listener = &*door.name,
            %peer,
            mti = %view.mti(),
            stan = view.stan().map(tracing::field::display),
            rrn = view.rrn().map(tracing::field::display),
            terminal = view.terminal().map(tracing::field::display),
            response_code = view.response_code().map(tracing::field::display),
            "answered"
        );
    }
}

const TARGET: &str = "cekr::messages";
