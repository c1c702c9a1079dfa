//! Answers that may not leave yet: what waits for the journal, and what waits for the socket.
//!
//! Pure bookkeeping, without socket, clock or thread. An [`Outbox`] is the one FIFO of a runtime:
//! which connection's oldest parked answer leaves next, and at which entry. [`Output`] is one
//! connection's share of it: the octets themselves. A commit takes the FIFO's front off, and each
//! connection it touched writes once.
//!
//! Answers of a connection may overtake one another, because terminals match them by DE 11, 41
//! and 7: what waits for no entry does not wait for what does. An ordered listener parks
//! everything behind the first answer that waits.

use std::collections::VecDeque;

use bytes::{Buf as _, BytesMut};
use cekr_issuer::Seq;

/// The parked answers of one runtime, in the order in which they were decided.
///
/// `C` names a connection. Entries are released from the front only: an answer that needs an older
/// entry than the one before it (a repeat) leaves with that one, which is never too early.
pub struct Outbox<C> {
    waiting: VecDeque<Waiting<C>>,
}

struct Waiting<C> {
    seq: Seq,
    octets: u32,
    connection: C,
}

impl<C> Default for Outbox<C> {
    fn default() -> Outbox<C> {
        Outbox { waiting: VecDeque::new() }
    }
}

impl<C> Outbox<C> {
    /// Parks one answer of `octets` octets until the entry `seq` is durable.
    pub fn park(&mut self, seq: Seq, octets: u32, connection: C) {
        self.waiting.push_back(Waiting { seq, octets, connection });
    }

    /// Takes off every answer that may go now that `durable` is, and says how long it is.
    pub fn release(&mut self, durable: Seq, mut each: impl FnMut(u32, C)) {
        while let Some(front) = self.waiting.pop_front_if(|front| front.seq <= durable) {
            each(front.octets, front.connection);
        }
    }

    /// The entry that the oldest parked answer waits for.
    #[must_use]
    pub fn front(&self) -> Option<Seq> {
        self.waiting.front().map(|front| front.seq)
    }

    /// How many answers are parked.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nothing is parked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// One connection's answers: parked ones, and ones that may leave when the socket takes them.
#[derive(Default)]
pub struct Output {
    parked: BytesMut,
    parked_count: u32,
    unsent: BytesMut,
}

impl Output {
    /// Whether an answer that needs no entry may leave before those that are parked.
    #[must_use]
    pub fn may_overtake(&self, ordered: bool) -> bool {
        !ordered || self.parked_count == 0
    }

    /// Queues octets for the socket.
    pub fn send(&mut self, octets: &[u8]) {
        self.unsent.extend_from_slice(octets);
    }

    /// Keeps an answer until [`Output::unpark`] names its length.
    pub fn park(&mut self, answer: &[u8]) {
        self.parked.extend_from_slice(answer);
        self.parked_count += 1;
    }

    /// The oldest parked answer, `octets` long, may leave.
    pub fn unpark(&mut self, octets: u32) {
        let octets = usize::try_from(octets).unwrap_or(usize::MAX).min(self.parked.len());
        if let Some(answer) = self.parked.get(..octets) {
            self.unsent.extend_from_slice(answer);
        }
        self.parked.advance(octets);
        self.parked_count = self.parked_count.saturating_sub(1);
    }

    /// What the socket should take next.
    #[must_use]
    pub fn unsent(&self) -> &[u8] {
        &self.unsent
    }

    /// The socket took the first `octets`.
    pub fn sent(&mut self, octets: usize) {
        self.unsent.advance(octets.min(self.unsent.len()));
    }

    /// How many answers are parked.
    #[must_use]
    pub fn parked_count(&self) -> u32 {
        self.parked_count
    }

    /// Whether every answer has left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parked_count == 0 && self.unsent.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn released(outbox: &mut Outbox<&'static str>, durable: u64) -> Vec<(u32, &'static str)> {
        let mut all = Vec::new();
        outbox.release(Seq(durable), |octets, connection| all.push((octets, connection)));
        all
    }

    #[test]
    fn an_answer_leaves_with_the_commit_of_its_entry_and_not_before() {
        let mut outbox = Outbox::default();
        outbox.park(Seq(1), 10, "a");
        outbox.park(Seq(2), 20, "b");
        outbox.park(Seq(3), 30, "a");
        assert_eq!(released(&mut outbox, 0), []);
        assert_eq!(released(&mut outbox, 2), [(10, "a"), (20, "b")]);
        assert_eq!(outbox.front(), Some(Seq(3)));
        assert_eq!(released(&mut outbox, 3), [(30, "a")]);
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_repeat_that_needs_an_older_entry_never_leaves_before_it() {
        let mut outbox = Outbox::default();
        outbox.park(Seq(7), 1, "new");
        outbox.park(Seq(5), 2, "repeat");
        assert_eq!(released(&mut outbox, 5), []);
        assert_eq!(released(&mut outbox, 7), [(1, "new"), (2, "repeat")]);
    }

    #[test]
    fn parked_answers_join_what_the_socket_has_not_taken_yet() {
        let mut output = Output::default();
        output.send(b"now1");
        output.park(b"first");
        output.park(b"second");
        output.sent(2);
        output.unpark(5);
        assert_eq!(output.unsent(), b"w1first");
        assert_eq!(output.parked_count(), 1);
        output.sent(7);
        output.unpark(6);
        assert_eq!(output.unsent(), b"second");
        output.sent(6);
        assert!(output.is_empty());
    }

    #[test]
    fn only_an_ordered_connection_holds_back_what_needs_no_entry() {
        let mut output = Output::default();
        assert!(output.may_overtake(true));
        output.park(b"waits");
        assert!(output.may_overtake(false));
        assert!(!output.may_overtake(true));
    }
}
