//! One connection of a load run: its schedule, its ring of outstanding requests, its buffers.

use core::task::{Context, Poll};
use std::collections::VecDeque;

use cekr_iso8583::{Framing, Spec, Step, View};
use tokio::net::TcpStream;

use super::report::Tally;
use super::template::{ChipPart, Stamp, Template, terminal};
use super::{Chips, LoadPlan, Pace};
use crate::clock::Stopwatch;
use crate::moment::Moment;
use crate::quick_chip::Request;
use crate::random::Random;

/// A terminal that sends its templates in turn.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Option<TcpStream>,
    spec: &'static Spec,
    framing: Framing,
    pace: Pace,
    terminal: [u8; 8],
    depth: usize,
    templates: Vec<Template>,
    /// What each template was last sent with, for reversals.
    stamps: Vec<Stamp>,
    /// What chips say to the messages to come, made before the run, in their order.
    prepared: VecDeque<Option<Request>>,
    template_next: usize,
    stan_next: u32,
    /// When the next message should start, in nanoseconds since the run began.
    due_ns: u64,
    /// Nanoseconds between two messages of this connection, with a fraction of 32 bits.
    interval: u128,
    sent_count: u64,
    /// Nothing of this run is left to send.
    is_done: bool,
    /// Nanoseconds by which this connection's schedule lags behind the first one's.
    offset_ns: u64,
    slots: Vec<Slot>,
    under_way: usize,
    out: Vec<u8>,
    out_sent: usize,
    input: Vec<u8>,
    input_len: usize,
}

/// A request under way; STAN 0 marks a free slot.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    stamp: Stamp,
    intended_ns: u64,
    sent_ns: u64,
}

impl Connection {
    pub(crate) fn new(
        stream: TcpStream,
        plan: &LoadPlan,
        number: usize,
        templates: Vec<Template>,
        now: Moment,
    ) -> Self {
        let connections = plan.connections.0.max(1) as u128;
        let interval = match plan.pace {
            Pace::Max => 0,
            Pace::PerSecond(rate) => {
                ((1_000_000_000u128 * connections) << 32) / u128::from(rate.max(1))
            }
        };
        let offset_ns = u64::try_from((interval * number as u128 / connections) >> 32).unwrap_or(0);
        let first = Random::new(now.unix_ms() ^ ((number as u64) << 44)).below(STAN_COUNT);
        Self {
            stream: Some(stream),
            spec: plan.spec,
            framing: plan.framing,
            pace: plan.pace,
            terminal: terminal(number, now),
            depth: plan.depth,
            stamps: vec![Stamp::default(); templates.len()],
            templates,
            prepared: VecDeque::new(),
            template_next: 0,
            stan_next: u32::try_from(first).unwrap_or(0) + 1,
            due_ns: offset_ns,
            interval,
            sent_count: 0,
            is_done: false,
            offset_ns,
            slots: vec![Slot::default(); (plan.depth * 4).next_power_of_two()],
            under_way: 0,
            out: Vec::with_capacity(OUT_OCTETS),
            out_sent: 0,
            input: vec![0; INPUT_OCTETS],
            input_len: 0,
        }
    }

    /// Requests without an answer so far.
    pub(crate) fn under_way_count(&self) -> usize {
        self.under_way
    }

    /// Has chips make what the message number `at` of this connection needs, if it is sent before
    /// `end_ns`. False when it will not be sent.
    pub(crate) fn prepare(&mut self, at: u64, end_ns: u64, chips: &mut Chips) -> bool {
        if self.due_of(at) >= end_ns {
            return false;
        }
        let place = usize::try_from(at).unwrap_or(0).checked_rem(self.templates.len());
        let template = place.and_then(|place| self.templates.get(place));
        if let Some(part) = template.and_then(Template::chip) {
            self.prepared.push_back(ask(chips, part));
        }
        true
    }

    /// Requests of chips that stand ready.
    pub(crate) fn prepared_count(&self) -> usize {
        self.prepared.len()
    }

    /// True once the stream is gone.
    pub(crate) fn is_lost(&self) -> bool {
        self.stream.is_none()
    }

    /// When the next message should start, if its time is fixed and it could be sent then.
    pub(crate) fn due_ns(&self) -> Option<u64> {
        let can_send = self.stream.is_some() && self.under_way < self.depth && !self.is_done;
        (can_send && self.pace != Pace::Max).then_some(self.due_ns)
    }

    /// True while messages of the run are left that this connection can still send.
    pub(crate) fn wants_to_send(&self) -> bool {
        self.stream.is_some() && !self.is_done
    }

    /// Messages that should have started before `end_ns` and did not.
    pub(crate) fn unsent_count(&self, end_ns: u64) -> u64 {
        if self.pace == Pace::Max || self.due_ns >= end_ns {
            return 0;
        }
        let left_ns = u128::from(end_ns - self.due_ns) << 32;
        let due = left_ns.div_ceil(self.interval.max(1));
        u64::try_from(due).unwrap_or(u64::MAX)
    }

    /// Puts into the buffer what is due and may be under way. What was due before `end_ns` is sent
    /// after it too, when the switch had stalled; a closed loop sends nothing more.
    pub(crate) fn fill(
        &mut self,
        now_ns: u64,
        end_ns: u64,
        moment: Moment,
        (tally, chips): (&mut Tally, &mut Chips),
    ) {
        if self.stream.is_none() || self.is_done || self.out.len() >= OUT_OCTETS {
            return;
        }
        let transmitted = moment.transmission();
        while self.under_way < self.depth && self.out.len() < OUT_OCTETS {
            let intended_ns = match self.pace {
                Pace::Max if now_ns < end_ns => now_ns,
                Pace::PerSecond(_) if self.due_ns < end_ns && self.due_ns <= now_ns => self.due_ns,
                Pace::PerSecond(_) if self.due_ns < end_ns => break,
                Pace::Max | Pace::PerSecond(_) => {
                    self.is_done = true;
                    break;
                }
            };
            let stamp = Stamp { stan: self.free_stan(), transmitted };
            let count = SlotCount(self.slots.len());
            let Some(slot) = self.slots.get_mut(slot_of(stamp.stan, count)) else { break };
            *slot = Slot { stamp, intended_ns, sent_ns: now_ns };
            self.under_way += 1;
            self.write(stamp, chips);
            self.sent_count += 1;
            tally.sent += 1;
            self.due_ns = self.due_of(self.sent_count);
        }
    }

    /// When the message number `at` should start.
    fn due_of(&self, at: u64) -> u64 {
        let passed = (self.interval * u128::from(at)) >> 32;
        self.offset_ns.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX))
    }

    fn write(&mut self, stamp: Stamp, chips: &mut Chips) {
        let at = self.template_next;
        self.template_next = if at + 1 < self.templates.len() { at + 1 } else { 0 };
        if let Some(template) = self.templates.get(at) {
            let original = template.original().and_then(|at| self.stamps.get(at)).copied();
            // What was not made ahead is made now: the message waits for it.
            let request = template
                .chip()
                .and_then(|part| self.prepared.pop_front().unwrap_or_else(|| ask(chips, part)));
            template.write(stamp, original, request, &mut self.out);
        }
        if let Some(last) = self.stamps.get_mut(at) {
            *last = stamp;
        }
    }

    /// The next STAN whose slot is free. There are four times as many slots as requests may be
    /// under way, so one is found soon.
    fn free_stan(&mut self) -> u32 {
        loop {
            let stan = self.stan_next;
            self.stan_next = if u64::from(stan) >= STAN_COUNT { 1 } else { stan + 1 };
            let slot = self.slots.get(slot_of(stan, SlotCount(self.slots.len())));
            if slot.is_none_or(|slot| slot.stamp.stan == 0) {
                return stan;
            }
        }
    }

    /// Writes what the socket takes. True when it took something.
    pub(crate) fn flush(&mut self, tally: &mut Tally) -> bool {
        let Some(stream) = &self.stream else { return false };
        let pending = self.out.get(self.out_sent..).unwrap_or_default();
        if pending.is_empty() {
            return false;
        }
        match stream.try_write(pending) {
            Ok(len) => {
                self.out_sent += len;
                if self.out_sent >= self.out.len() {
                    self.out.clear();
                    self.out_sent = 0;
                }
                true
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => false,
            Err(_) => {
                self.lose(tally);
                false
            }
        }
    }

    /// Reads and counts what has arrived. True when something had.
    pub(crate) fn drain(&mut self, watch: &Stopwatch, tally: &mut Tally) -> bool {
        let Some(stream) = &self.stream else { return false };
        let room = self.input.get_mut(self.input_len..).unwrap_or_default();
        match stream.try_read(room) {
            Ok(0) => {
                self.lose(tally);
                false
            }
            Ok(len) => {
                self.input_len += len;
                self.take_frames(watch.ns(), tally);
                true
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => false,
            Err(_) => {
                self.lose(tally);
                false
            }
        }
    }

    fn take_frames(&mut self, now_ns: u64, tally: &mut Tally) {
        let input = core::mem::take(&mut self.input);
        let mut taken = 0;
        loop {
            let rest = input.get(taken..self.input_len).unwrap_or_default();
            match self.framing.next(rest, REPLY_OCTETS_MAX) {
                Ok(Step::NeedMore) => break,
                Ok(Step::KeepAlive { consumed }) => taken += consumed,
                Ok(Step::Message { message, consumed, .. }) => {
                    self.take_reply(message, now_ns, tally);
                    taken += consumed;
                }
                Err(_) => {
                    tally.damaged += 1;
                    self.lose(tally);
                    break;
                }
            }
        }
        self.input = input;
        self.input.copy_within(taken..self.input_len, 0);
        self.input_len -= taken;
    }

    fn take_reply(&mut self, message: &[u8], now_ns: u64, tally: &mut Tally) {
        let Ok(view) = View::parse(self.spec, message) else {
            tally.damaged += 1;
            return;
        };
        if view.mti().is_request() {
            // The host's own echo: this terminal is too busy to answer it.
            return;
        }
        let stan = view.number(11).and_then(|stan| u32::try_from(stan).ok()).unwrap_or(0);
        let count = SlotCount(self.slots.len());
        let slot = self.slots.get_mut(slot_of(stan, count)).filter(|slot| {
            stan != 0
                && slot.stamp.stan == stan
                && view.number(7) == Some(u64::from(slot.stamp.transmitted))
                && view.terminal().is_some_and(|terminal| *terminal.octets() == self.terminal)
        });
        let Some(slot) = slot else {
            tally.unmatched += 1;
            return;
        };
        let code = view.response_code().map_or(*b"--", |code| *code.octets());
        tally.answer(
            code,
            now_ns.saturating_sub(slot.intended_ns),
            now_ns.saturating_sub(slot.sent_ns),
        );
        *slot = Slot::default();
        self.under_way -= 1;
    }

    /// Registers for the next readiness. True when the socket is ready already.
    pub(crate) fn poll_ready(&mut self, context: &mut Context<'_>) -> bool {
        let Some(stream) = &self.stream else { return false };
        let can_read = matches!(stream.poll_read_ready(context), Poll::Ready(_));
        let wants_write = !self.out.is_empty();
        can_read || (wants_write && matches!(stream.poll_write_ready(context), Poll::Ready(_)))
    }

    fn lose(&mut self, tally: &mut Tally) {
        self.stream = None;
        self.out.clear();
        self.out_sent = 0;
        tally.connections_lost += 1;
        tally.unanswered += self.under_way as u64;
        self.under_way = 0;
    }
}

fn ask(chips: &mut Chips, part: &ChipPart) -> Option<Request> {
    chips.get_mut(part.holder)?.as_mut()?.ask(&part.terms)
}

/// A power of two.
#[derive(Clone, Copy)]
struct SlotCount(usize);

fn slot_of(stan: u32, slots: SlotCount) -> usize {
    stan as usize & (slots.0 - 1)
}

/// STANs are 1 to this.
const STAN_COUNT: u64 = 999_999;
/// A write buffer is not filled beyond this before the socket takes it.
const OUT_OCTETS: usize = 64 * 1024;
/// Octets of answers read at a time.
const INPUT_OCTETS: usize = 64 * 1024;
/// Longest answer.
const REPLY_OCTETS_MAX: usize = 4096;
