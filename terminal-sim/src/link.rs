//! A terminal's line to its host: frames, STANs, sign-on, echo, answers, time-outs, reversals.
//!
//! A pure state machine. Octets, orders and the passing of time come in as [`LinkEvent`]s; octets
//! to send, answers and reports go out as [`LinkAction`]s. It reads no clock and touches no
//! socket: [`crate::client`] does both for it, a simulated network in the tests.
//!
//! What it promises about money:
//! - A request that may have moved money and gets no answer in time is reversed (0420, DE 39 =
//!   68), and the reversal is repeated as 0421 until the host answers it, across reconnections.
//! - An answer that comes too late changes nothing here; when it is an approval whose reversal the
//!   host had already answered, it is reversed once more, because it may have been decided after
//!   the first. A second reversal has no second effect.
//! - Advices (0220) are repeated as 0221 until answered.
//! - Where the line has MACs, an answer whose MAC is missing or wrong is no answer.
//!
//! What it does not know: cards, amounts and receipts. Those belong to the machines of
//! [`crate::pos`], [`crate::cashpoint`] and [`crate::shop`].

pub mod matcher;
pub mod seal;

use std::collections::VecDeque;

use cekr_iso8583::{FrameError, Framing, Header, Spec, Step, View, WriteError};

use self::matcher::{Key, Matcher, Reason, Unmatched};
use self::seal::Macs;
use crate::form::{self, Cause};
use crate::message::{Message, frame};
use crate::moment::Moment;
use crate::reply::{Reply, text};

/// How a line behaves.
#[derive(Clone, Copy, Debug)]
pub struct LinkConfig {
    /// Dialect of the messages.
    pub spec: &'static Spec,
    /// How messages are divided on the stream.
    pub framing: Framing,
    /// DE 41 of network messages.
    pub terminal: [u8; 8],
    /// The first STAN, 1 to 999999.
    pub stan_first: u32,
    /// How long an answer may take, in milliseconds.
    pub reply_timeout_ms: u64,
    /// Our own echo (0800/301) after so many quiet milliseconds; 0 = never.
    pub echo_idle_ms: u64,
    /// Whether to sign on (0800/001) when the line comes up.
    pub sign_on: SignOn,
    /// Longest message in octets; a longer one closes the line.
    pub octets_max: usize,
    /// Most requests, reversals included, that wait at a time.
    pub waiting_max: usize,
    /// Whether messages have MACs.
    pub macs: Macs,
}

impl LinkConfig {
    /// The usual line of a terminal: answers within 15 s, echo after a quiet minute.
    #[must_use]
    pub const fn new(spec: &'static Spec, framing: Framing, terminal: [u8; 8]) -> Self {
        Self {
            spec,
            framing,
            terminal,
            stan_first: 1,
            reply_timeout_ms: 15_000,
            echo_idle_ms: 60_000,
            sign_on: SignOn::AtConnect,
            octets_max: 4096,
            waiting_max: 256,
            macs: Macs::None,
        }
    }
}

/// Whether a terminal signs on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SignOn {
    /// 0800/001 as soon as the line is up. Transactions do not wait for its answer.
    AtConnect,
    /// Never.
    Never,
}

/// The sender's own number for a request.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Ticket(pub u64);

/// What to do about a request that stays unanswered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OnSilence {
    /// Report it; nothing moved.
    Forget,
    /// Send it again as a repeat until it is answered.
    Repeat,
    /// Take it back with an automatic 0420.
    Reverse,
}

/// What happens to a line.
#[derive(Debug)]
pub enum LinkEvent<'a> {
    /// The stream is open.
    Connected,
    /// The stream is gone.
    Disconnected,
    /// Octets arrived, in whatever pieces.
    Received(&'a [u8]),
    /// Send this request.
    Submit(Ticket, Message, OnSilence),
    /// Time has passed.
    Tick,
}

/// What a line wants done.
#[derive(Debug)]
pub enum LinkAction {
    /// The answer to a request.
    Answered(Ticket, Reply),
    /// Close the stream: what arrives cannot be divided into messages, or an echo stays unanswered.
    Close(CloseCause),
    /// A request was not sent.
    Refused(Ticket, Refusal),
    /// A reversal that the line sent by itself was answered.
    Reversed(Ticket, Reply),
    /// Write these octets to the stream.
    Send(Vec<u8>),
    /// The request as it went out, with STAN and times: what a reversal refers to.
    Sent(Ticket, Message),
    /// The host answered the sign-on.
    SignedOn(Reply),
    /// No answer in time. A reversal is on its way if the request was to be reversed.
    TimedOut(Ticket),
    /// A message that answers nothing; report it.
    Unmatched(Unmatched),
}

/// Why a line is closed by the terminal.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CloseCause {
    /// Octets that are no frame.
    #[error("the host's octets are no frame: {0:?}; check --framing")]
    BadFrame(FrameError),
    /// Our echo stayed unanswered.
    #[error("the host did not answer an echo")]
    EchoUnanswered,
}

/// Why a request was not sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The dialect cannot carry a value.
    #[error("the message cannot be written in this dialect: {0}")]
    Unwritable(WriteError),
    /// There is no connection.
    #[error("there is no connection to the host")]
    NotConnected,
    /// Too many requests wait for an answer.
    #[error("too many requests wait for an answer")]
    TooMany,
}

/// One terminal's line.
#[derive(Debug)]
pub struct Link {
    config: LinkConfig,
    line: Line,
    stan_next: u32,
    matcher: Matcher<Pending>,
    /// Repeats that wait for a connection or for room.
    backlog: VecDeque<Pending>,
    /// Requests whose reversal was answered, for approvals that come later still.
    reversed: VecDeque<Message>,
    received: Vec<u8>,
    quiet_since: Moment,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Line {
    Down,
    Up,
}

#[derive(Debug)]
struct Pending {
    purpose: Purpose,
    message: Message,
}

#[derive(Clone, Debug)]
enum Purpose {
    Echo,
    Request(Ticket, OnSilence),
    /// With the message that it takes back.
    Reversal(Ticket, Box<Message>),
    SignOn,
}

impl Link {
    /// A line that is not connected yet.
    #[must_use]
    pub const fn new(config: LinkConfig) -> Self {
        Self {
            config,
            line: Line::Down,
            stan_next: config.stan_first,
            matcher: Matcher::new(config.waiting_max),
            backlog: VecDeque::new(),
            reversed: VecDeque::new(),
            received: Vec::new(),
            quiet_since: Moment::from_unix_ms(0),
        }
    }

    /// Takes one event and says what is to be done, in order.
    pub fn handle(&mut self, event: LinkEvent<'_>, now: Moment) -> Vec<LinkAction> {
        let mut actions = vec![];
        match event {
            LinkEvent::Connected => self.connected(now, &mut actions),
            LinkEvent::Disconnected => self.disconnected(now, &mut actions),
            LinkEvent::Received(octets) => self.receive(octets, now, &mut actions),
            LinkEvent::Submit(ticket, message, on_silence) => {
                self.submit(Purpose::Request(ticket, on_silence), message, now, &mut actions);
            }
            LinkEvent::Tick => {}
        }
        self.pass_time(now, &mut actions);
        actions
    }

    /// When to send the next [`LinkEvent::Tick`] if nothing else happens before.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        let echo = (self.line == Line::Up && self.config.echo_idle_ms > 0)
            .then(|| self.quiet_since.plus_ms(self.config.echo_idle_ms));
        [self.matcher.deadline(), echo].into_iter().flatten().min()
    }

    /// Reversals and advices that the host has not answered yet.
    #[must_use]
    pub fn unsettled_count(&self) -> usize {
        let waiting = self.matcher.payloads().filter(|pending| pending.purpose.is_repeated());
        waiting.count() + self.backlog.len()
    }

    fn connected(&mut self, now: Moment, actions: &mut Vec<LinkAction>) {
        self.line = Line::Up;
        self.received.clear();
        self.quiet_since = now;
        if self.config.sign_on == SignOn::AtConnect {
            let message = form::network(self.config.terminal, SIGN_ON);
            self.submit(Purpose::SignOn, message, now, actions);
        }
    }

    fn disconnected(&mut self, now: Moment, actions: &mut Vec<LinkAction>) {
        self.line = Line::Down;
        for pending in self.matcher.expire_all() {
            self.give_up(pending, now, actions);
        }
    }

    fn receive(&mut self, octets: &[u8], now: Moment, actions: &mut Vec<LinkAction>) {
        self.quiet_since = now;
        let mut received = core::mem::take(&mut self.received);
        received.extend_from_slice(octets);
        let mut taken = 0;
        loop {
            let rest = received.get(taken..).unwrap_or_default();
            match self.config.framing.next(rest, self.config.octets_max) {
                Ok(Step::NeedMore) => break,
                Ok(Step::KeepAlive { consumed }) => taken += consumed,
                Ok(Step::Message { header, message, consumed }) => {
                    self.hear(header, message, now, actions);
                    taken += consumed;
                }
                Err(error) => {
                    actions.push(LinkAction::Close(CloseCause::BadFrame(error)));
                    taken = received.len();
                    break;
                }
            }
        }
        received.drain(..taken.min(received.len()));
        self.received = received;
    }

    fn hear(&mut self, header: Header, message: &[u8], now: Moment, actions: &mut Vec<LinkAction>) {
        match View::parse(self.config.spec, message) {
            Err(damaged) => {
                let stan = damaged.read.number(11).and_then(|stan| u32::try_from(stan).ok());
                let reason = Reason::Damaged(damaged.error);
                actions.push(LinkAction::Unmatched(Unmatched { mti: damaged.mti(), stan, reason }));
            }
            Ok(view) => {
                if let Err(reason) = self.config.macs.check(&view, message) {
                    let stan = view.number(11).and_then(|stan| u32::try_from(stan).ok());
                    let mti = Some(view.mti());
                    actions.push(LinkAction::Unmatched(Unmatched { mti, stan, reason }));
                    return;
                }
                let is_network = view.mti().class() == NETWORK_CLASS;
                if is_network && view.mti().is_request() {
                    self.answer_network(header, &view, actions);
                } else {
                    self.answered(&Reply::read(&view), now, actions);
                }
            }
        }
    }

    /// Our answer to the host's own 0800: sign-on, sign-off and echo are fine, the rest is not.
    fn answer_network(&self, header: Header, view: &View<'_>, actions: &mut Vec<LinkAction>) {
        let Some(mti) = view.mti().reply() else { return };
        let known = matches!(view.number(70), Some(1 | 2 | 301));
        let code: &[u8] = if known { b"00" } else { b"12" };
        let mut reply = Message::new(mti).text(39, code);
        for element in [7, 11, 12, 13, 32, 33, 37, 41, 70] {
            if let Some(value) = text(view, element) {
                reply = reply.text(element, &value);
            }
        }
        let (spec, mut message) = (self.config.spec, vec![]);
        let sealed = self.config.macs.seal(reply, spec);
        if sealed.and_then(|sealed| sealed.encode(spec, &mut message)).is_ok() {
            let mut framed = vec![];
            frame(self.config.framing, header.reply(), &message, &mut framed);
            actions.push(LinkAction::Send(framed));
        } else {
            let stan = view.number(11).and_then(|stan| u32::try_from(stan).ok());
            let mti = Some(view.mti());
            let reason = Reason::NoAnswer;
            actions.push(LinkAction::Unmatched(Unmatched { mti, stan, reason }));
        }
    }

    fn answered(&mut self, reply: &Reply, now: Moment, actions: &mut Vec<LinkAction>) {
        let pending = match self.matcher.take(reply) {
            Ok(pending) => pending,
            Err(unmatched) => {
                actions.push(LinkAction::Unmatched(unmatched));
                if unmatched.reason == Reason::Late {
                    self.reverse_again(reply, now, actions);
                }
                return;
            }
        };
        match pending.purpose {
            Purpose::Echo => {}
            Purpose::Request(ticket, _) => {
                actions.push(LinkAction::Answered(ticket, reply.clone()));
            }
            Purpose::Reversal(ticket, original) => {
                if self.reversed.len() >= REVERSED_MAX {
                    self.reversed.pop_front();
                }
                self.reversed.push_back(*original);
                actions.push(LinkAction::Reversed(ticket, reply.clone()));
            }
            Purpose::SignOn => actions.push(LinkAction::SignedOn(reply.clone())),
        }
    }

    /// An approval after its reversal was answered: the host may have decided in that order.
    fn reverse_again(&mut self, reply: &Reply, now: Moment, actions: &mut Vec<LinkAction>) {
        let is_approval = reply.is_approval();
        let of_reply = |message: &Message| {
            message.as_number(11) == reply.stan.map(u64::from)
                && message.as_number(7) == reply.transmitted.map(u64::from)
        };
        let Some(at) = self.reversed.iter().position(of_reply).filter(|_| is_approval) else {
            return;
        };
        if let Some(original) = self.reversed.remove(at) {
            let message = form::reversal(&original, Cause::TooLate, None, reply.auth_code);
            let purpose = Purpose::Reversal(Ticket(u64::MAX), Box::new(original));
            self.submit(purpose, message, now, actions);
        }
    }

    /// Stamps, encodes, sends, and waits for the answer.
    fn submit(
        &mut self,
        purpose: Purpose,
        message: Message,
        now: Moment,
        actions: &mut Vec<LinkAction>,
    ) {
        let message = self.stamp(message, now);
        let pending = Pending { purpose, message };
        if self.line == Line::Down && !pending.purpose.is_repeated() {
            refuse(&pending.purpose, Refusal::NotConnected, actions);
            return;
        }
        if let Purpose::Request(ticket, _) = &pending.purpose {
            if self.backlog.len() >= self.config.waiting_max {
                refuse(&pending.purpose, Refusal::TooMany, actions);
                return;
            }
            actions.push(LinkAction::Sent(*ticket, pending.message.clone()));
        }
        self.send(pending, now, actions);
    }

    fn send(&mut self, pending: Pending, now: Moment, actions: &mut Vec<LinkAction>) {
        if self.line == Line::Down {
            self.backlog.push_back(pending);
            return;
        }
        let (spec, framing) = (self.config.spec, self.config.framing);
        let message = pending.message.clone();
        let mut framed = vec![];
        let sealed = self.config.macs.seal(message.clone(), spec);
        if let Err(error) =
            sealed.and_then(|sealed| sealed.encode_framed(spec, framing, &mut framed))
        {
            refuse(&pending.purpose, Refusal::Unwritable(error), actions);
            return;
        }
        let Some(key) = key_of(&message, self.config.terminal) else {
            debug_assert!(false, "a stamped message has a key");
            return;
        };
        let deadline = now.plus_ms(self.config.reply_timeout_ms);
        match self.matcher.expect(key, deadline, pending) {
            Err(pending) if pending.purpose.is_repeated() => self.backlog.push_back(pending),
            Err(pending) => refuse(&pending.purpose, Refusal::TooMany, actions),
            Ok(()) => actions.push(LinkAction::Send(framed)),
        }
    }

    fn pass_time(&mut self, now: Moment, actions: &mut Vec<LinkAction>) {
        for pending in self.matcher.expire(now) {
            self.give_up(pending, now, actions);
        }
        // A backlog entry that finds no room goes back to the end: one round, no more.
        for _ in 0..self.backlog.len() {
            if self.line == Line::Down {
                break;
            }
            if let Some(pending) = self.backlog.pop_front() {
                self.send(pending, now, actions);
            }
        }
        let idle_ms = self.config.echo_idle_ms;
        if self.line == Line::Up && idle_ms > 0 && now.ms_since(self.quiet_since) >= idle_ms {
            self.quiet_since = now;
            let message = form::network(self.config.terminal, ECHO);
            self.submit(Purpose::Echo, message, now, actions);
        }
    }

    /// No answer: what moved money is taken back, what must arrive is sent again.
    fn give_up(&mut self, pending: Pending, now: Moment, actions: &mut Vec<LinkAction>) {
        let Pending { purpose, message } = pending;
        match purpose {
            Purpose::Echo => {
                if self.line == Line::Up {
                    actions.push(LinkAction::Close(CloseCause::EchoUnanswered));
                }
            }
            Purpose::Request(ticket, OnSilence::Forget) => {
                actions.push(LinkAction::TimedOut(ticket));
            }
            Purpose::Request(ticket, OnSilence::Reverse) => {
                actions.push(LinkAction::TimedOut(ticket));
                let reversal = form::reversal(&message, Cause::TooLate, None, None);
                let reversal = self.stamp(reversal, now);
                let purpose = Purpose::Reversal(ticket, Box::new(message));
                self.backlog.push_back(Pending { purpose, message: reversal });
            }
            Purpose::Request(_, OnSilence::Repeat) | Purpose::Reversal(..) => {
                let message = message.with_mti(message.mti().repeat());
                self.backlog.push_back(Pending { purpose, message });
            }
            Purpose::SignOn => {}
        }
    }

    fn stamp(&mut self, message: Message, now: Moment) -> Message {
        form::stamp(message, self.next_stan(), now)
    }

    /// 1 to 999999, then 1 again.
    fn next_stan(&mut self) -> u32 {
        let stan = self.stan_next.clamp(1, STAN_MAX);
        self.stan_next = if stan == STAN_MAX { 1 } else { stan + 1 };
        stan
    }
}

impl Purpose {
    /// True for what is sent again until the host answers.
    const fn is_repeated(&self) -> bool {
        match self {
            Self::Request(_, OnSilence::Repeat) | Self::Reversal(..) => true,
            Self::Echo
            | Self::Request(_, OnSilence::Forget | OnSilence::Reverse)
            | Self::SignOn => false,
        }
    }
}

fn refuse(purpose: &Purpose, why: Refusal, actions: &mut Vec<LinkAction>) {
    match purpose {
        Purpose::Request(ticket, _) | Purpose::Reversal(ticket, _) => {
            actions.push(LinkAction::Refused(*ticket, why));
        }
        Purpose::Echo | Purpose::SignOn => {}
    }
}

fn key_of(message: &Message, terminal: [u8; 8]) -> Option<Key> {
    Some(Key {
        mti: message.mti(),
        stan: u32::try_from(message.as_number(11)?).ok()?,
        terminal: message.as_text(41).and_then(|text| text.try_into().ok()).unwrap_or(terminal),
        transmitted: u32::try_from(message.as_number(7)?).ok()?,
    })
}

/// DE 70.
const SIGN_ON: u16 = 1;
const ECHO: u16 = 301;
/// Second digit of 0800.
const NETWORK_CLASS: u8 = 8;
/// Six digits.
const STAN_MAX: u32 = 999_999;
/// Reversed requests that are remembered for late approvals.
const REVERSED_MAX: usize = 256;
