//! The thread around the writer: turns it while there is work, spins a little, sleeps.

use super::queue::Queue;
use super::writer::{Turn, Writer};
use super::{JournalFailure, Listeners};
use crate::sync;

/// Turns the writer until the queue is closed and empty, or until a write or sync fails.
pub(super) fn run(mut writer: Writer, queue: &Queue, listeners: &Listeners, spin_us: u32) {
    let outcome = turn_until_closed(&mut writer, queue, listeners, spin_us);
    if let Err(failure) = outcome.and_then(|()| writer.finish()) {
        queue.close();
        listeners.failed(failure);
    }
}

fn turn_until_closed(
    writer: &mut Writer,
    queue: &Queue,
    listeners: &Listeners,
    spin_us: u32,
) -> Result<(), JournalFailure> {
    let committed = |seq| listeners.committed(seq);
    let mut waits_after_close = 0;
    loop {
        match writer.turn(queue, &committed)? {
            Turn::Committed(_) => {}
            Turn::Dry => {
                if sync::spin(spin_us, || queue.is_stirring()) {
                    continue;
                }
                if queue.fall_asleep() {
                    sync::park(0);
                } else if !queue.is_open() && !queue.is_stirring() {
                    return Ok(());
                }
            }
            Turn::Waiting => {
                // A full disk must not keep the process from ending: what waits was never
                // acknowledged.
                if !queue.is_open() {
                    waits_after_close += 1;
                    if waits_after_close > WAITS_AFTER_CLOSE_MAX {
                        return Err(writer.no_room());
                    }
                }
                sync::park(WAIT_US);
            }
        }
    }
}

/// Pause before looking again for the next segment.
const WAIT_US: u64 = 1_000;
/// Such pauses at a clean stop, before what waits for room is given up: two seconds.
const WAITS_AFTER_CLOSE_MAX: u32 = 2_000;
