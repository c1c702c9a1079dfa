//! Terminals on tokio sockets: a thin shell around the machines and the line.
//!
//! A [`Host`] is one connection of one terminal. [`PosTerminal`], [`CashpointTerminal`] and
//! [`ShopTerminal`] run one transaction at a time over it and return its [`Outcome`]. A
//! transaction that times out is reversed while the terminal goes on; [`Host::settle`] waits until
//! the host has answered all reversals and advices.
//!
//! What the line reports beside the transactions (unmatched answers with their reason, reversals,
//! closed connections) collects in [`Host::take_notes`].

pub mod front_line;
mod terminals;

use core::fmt;
use core::time::Duration;
use std::collections::VecDeque;
use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::card::Card;
use crate::cashpoint::{Cashpoint, CashpointEvent};
use crate::clock::{Clock, Stopwatch};
use crate::form::{Authentication, Original};
use crate::link::matcher::Unmatched;
use crate::link::{CloseCause, Link, LinkAction, LinkConfig, LinkEvent, Ticket};
use crate::outcome::Outcome;
use crate::place::Place;
use crate::pos::{LineEvent, Pos, PosEvent, TillAction};
use crate::reply::Reply;
use crate::shop::{Shop, ShopEvent, ShopForm};

pub use terminals::{CashPart, CashpointTerminal, PosTerminal, WithdrawOptions};

/// One terminal's connection to its host.
#[derive(Debug)]
pub struct Host {
    to: String,
    stream: Option<TcpStream>,
    link: Link,
    clock: Clock,
    reply_timeout_ms: u64,
    ticket_next: u64,
    notes: VecDeque<Note>,
    buffer: Vec<u8>,
}

/// Something that a person at the terminal should know.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Note {
    /// The terminal closed the connection.
    Closed(CloseCause),
    /// The connection was lost.
    Lost(String),
    /// An automatic reversal was answered with this code.
    Reversed([u8; 2]),
    /// The sign-on was answered with this code.
    SignedOn([u8; 2]),
    /// An answer belongs to no request.
    Unmatched(Unmatched),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(cause) => write!(f, "connection closed: {cause}"),
            Self::Lost(why) => write!(f, "connection lost: {why}"),
            Self::Reversed(code) => {
                write!(f, "reversal answered {}", String::from_utf8_lossy(code))
            }
            Self::SignedOn(code) => write!(f, "sign-on answered {}", String::from_utf8_lossy(code)),
            Self::Unmatched(unmatched) => write!(f, "{unmatched}"),
        }
    }
}

/// Why a terminal has no connection.
#[derive(Debug, thiserror::Error)]
#[error("cannot connect to {to}: {source}")]
pub struct ConnectError {
    /// The address that was tried.
    pub to: String,
    /// What the system said.
    pub source: io::Error,
}

impl Host {
    /// Opens a connection and, unless the configuration says otherwise, signs on.
    ///
    /// # Errors
    /// The system's error with the address.
    pub async fn connect(to: &str, config: LinkConfig) -> Result<Self, ConnectError> {
        let mut host = Self {
            to: to.to_owned(),
            stream: None,
            link: Link::new(config),
            clock: Clock::start(),
            reply_timeout_ms: config.reply_timeout_ms,
            ticket_next: 0,
            notes: VecDeque::new(),
            buffer: vec![0; READ_OCTETS],
        };
        host.open().await?;
        Ok(host)
    }

    /// What happened beside the transactions since the last call.
    pub fn take_notes(&mut self) -> Vec<Note> {
        self.notes.drain(..).collect()
    }

    /// Reversals and advices that the host has not answered yet.
    #[must_use]
    pub fn unsettled_count(&self) -> usize {
        self.link.unsettled_count()
    }

    /// Repeats reversals and advices until the host has answered all of them or `patience` is
    /// over; connects again when the connection is gone. Returns what is left.
    pub async fn settle(&mut self, patience: Duration) -> usize {
        let end = Instant::now() + patience;
        while self.link.unsettled_count() > 0 && Instant::now() < end {
            if self.stream.is_none() && self.open().await.is_err() {
                tokio::time::sleep_until((Instant::now() + RECONNECT_AFTER).min(end)).await;
                continue;
            }
            self.step(end).await;
        }
        self.link.unsettled_count()
    }

    /// Serves the line for this long: answers the host's echo, sends its own, repeats reversals.
    pub async fn idle(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end && self.stream.is_some() {
            self.step(end).await;
        }
    }

    async fn open(&mut self) -> Result<(), ConnectError> {
        let refused = |source| ConnectError { to: self.to.clone(), source };
        let stream = TcpStream::connect(&self.to).await.map_err(refused)?;
        stream.set_nodelay(true).map_err(refused)?;
        self.stream = Some(stream);
        let actions = self.link.handle(LinkEvent::Connected, self.clock.now());
        self.carry_out(actions).await;
        Ok(())
    }

    /// Runs one transaction to its end. `respond` plays the person and the dispenser: it answers
    /// the actions that are neither messages nor the end, and sees the last answer. Returns the
    /// outcome and the last answer, an empty one when there was none.
    async fn run<M: Machine>(
        &mut self,
        machine: &mut M,
        first: Vec<TillAction>,
        mut respond: impl FnMut(&mut M, &TillAction, &Reply) -> Vec<TillAction>,
    ) -> (Outcome, Reply) {
        let mut actions: VecDeque<TillAction> = first.into();
        let mut sent_at = Stopwatch::start();
        let mut round_trip_ns = 0;
        let mut patience_end = Instant::now();
        let mut current = Ticket(self.ticket_next);
        let mut last = Reply::default();
        loop {
            while let Some(action) = actions.pop_front() {
                match action {
                    TillAction::Finish(outcome) => {
                        return (Outcome { round_trip_ns, ..*outcome }, last);
                    }
                    TillAction::Submit(message, on_silence) => {
                        current = Ticket(self.ticket_next);
                        self.ticket_next += 1;
                        // An advice is repeated for ever by the line; the person waits a while.
                        let patience = self.reply_timeout_ms.saturating_mul(PATIENCE_TIMEOUTS);
                        patience_end = Instant::now() + Duration::from_millis(patience);
                        let event = LinkEvent::Submit(current, message, on_silence);
                        let todo = self.link.handle(event, self.clock.now());
                        // Before the write: the answer may be there when the write returns.
                        sent_at = Stopwatch::start();
                        let news = self.carry_out(todo).await;
                        tell(machine, news, current, &mut last, &mut actions);
                    }
                    other @ (TillAction::AskConsent(_) | TillAction::Dispense(_)) => {
                        actions.extend(respond(machine, &other, &last));
                    }
                }
            }
            let news = self.step(patience_end).await;
            if news.iter().any(|(ticket, news)| *ticket == current && news.is_answer()) {
                round_trip_ns = sent_at.ns();
            }
            tell(machine, news, current, &mut last, &mut actions);
            if actions.is_empty() && Instant::now() >= patience_end {
                actions.extend(machine.line(LineEvent::TimedOut));
            }
        }
    }

    /// Waits for octets, for the line's next deadline, or for `until`, and lets the line act.
    async fn step(&mut self, until: Instant) -> Vec<(Ticket, News)> {
        let wake = self.wait(until).await;
        self.react(wake).await
    }

    /// Waits for octets, for the line's next deadline, or for `until`. It may be dropped at any
    /// point: octets are taken from the socket only when it returns.
    async fn wait(&mut self, until: Instant) -> Wake {
        let wait_until = match self.link.deadline() {
            None => until,
            Some(moment) => {
                let ms = moment.ms_since(self.clock.now());
                (Instant::now() + Duration::from_millis(ms)).min(until)
            }
        };
        Wake(match &mut self.stream {
            None => {
                tokio::time::sleep_until(wait_until).await;
                None
            }
            Some(stream) => {
                tokio::time::timeout_at(wait_until, stream.read(&mut self.buffer)).await.ok()
            }
        })
    }

    /// Lets the line act on what [`Host::wait`] brought.
    async fn react(&mut self, Wake(read): Wake) -> Vec<(Ticket, News)> {
        let now = self.clock.now();
        let todo = match read {
            None => self.link.handle(LinkEvent::Tick, now),
            Some(Ok(0)) => self.lose("the host closed it", now),
            Some(Err(error)) => self.lose(&error.to_string(), now),
            Some(Ok(len)) => {
                let octets = self.buffer.get(..len).unwrap_or_default();
                self.link.handle(LinkEvent::Received(octets), now)
            }
        };
        self.carry_out(todo).await
    }

    fn lose(&mut self, why: &str, now: crate::moment::Moment) -> Vec<LinkAction> {
        self.stream = None;
        self.note(Note::Lost(why.to_owned()));
        self.link.handle(LinkEvent::Disconnected, now)
    }

    /// Does what the line wants and returns what concerns requests.
    async fn carry_out(&mut self, todo: Vec<LinkAction>) -> Vec<(Ticket, News)> {
        let mut news = vec![];
        let mut todo: VecDeque<LinkAction> = todo.into();
        while let Some(action) = todo.pop_front() {
            match action {
                LinkAction::Answered(ticket, reply) => news.push((ticket, News::Answered(reply))),
                LinkAction::Close(cause) => {
                    self.note(Note::Closed(cause));
                    if self.stream.take().is_some() {
                        todo.extend(self.link.handle(LinkEvent::Disconnected, self.clock.now()));
                    }
                }
                LinkAction::Refused(ticket, why) => news.push((ticket, News::Refused(why))),
                LinkAction::Reversed(_, reply) => {
                    self.note(Note::Reversed(reply.response_code.unwrap_or(*b"??")));
                }
                LinkAction::Send(octets) => {
                    if let Some(stream) = &mut self.stream
                        && let Err(error) = stream.write_all(&octets).await
                    {
                        let why = error.to_string();
                        todo.extend(self.lose(&why, self.clock.now()));
                    }
                }
                LinkAction::Sent(ticket, message) => news.push((ticket, News::Sent(message))),
                LinkAction::SignedOn(reply) => {
                    self.note(Note::SignedOn(reply.response_code.unwrap_or(*b"??")));
                }
                LinkAction::TimedOut(ticket) => news.push((ticket, News::TimedOut)),
                LinkAction::Unmatched(unmatched) => self.note(Note::Unmatched(unmatched)),
            }
        }
        news
    }

    fn note(&mut self, note: Note) {
        tracing::debug!(%note, "terminal");
        if self.notes.len() >= NOTES_MAX {
            self.notes.pop_front();
        }
        self.notes.push_back(note);
    }
}

/// What ended a wait: a read, or `None` when the time came.
#[derive(Debug)]
pub struct Wake(Option<io::Result<usize>>);

/// What the line says about a request.
#[derive(Debug)]
enum News {
    Answered(Reply),
    Refused(crate::link::Refusal),
    Sent(crate::message::Message),
    TimedOut,
}

impl News {
    const fn is_answer(&self) -> bool {
        matches!(self, Self::Answered(_))
    }
}

/// A machine that has one request under way.
trait Machine {
    fn line(&mut self, event: LineEvent<'_>) -> Vec<TillAction>;
}

impl Machine for Pos {
    fn line(&mut self, event: LineEvent<'_>) -> Vec<TillAction> {
        self.handle(PosEvent::Line(event))
    }
}

impl Machine for Cashpoint {
    fn line(&mut self, event: LineEvent<'_>) -> Vec<TillAction> {
        self.handle(CashpointEvent::Line(event))
    }
}

impl Machine for Shop {
    fn line(&mut self, event: LineEvent<'_>) -> Vec<TillAction> {
        self.handle(ShopEvent::Line(event))
    }
}

/// Hands news about the current request to its machine; news about earlier ones are past.
fn tell<M: Machine>(
    machine: &mut M,
    news: Vec<(Ticket, News)>,
    current: Ticket,
    last: &mut Reply,
    actions: &mut VecDeque<TillAction>,
) {
    for (ticket, news) in news {
        if ticket == current {
            actions.extend(match news {
                News::Answered(reply) => {
                    *last = reply;
                    machine.line(LineEvent::Answered(last))
                }
                News::Refused(why) => machine.line(LineEvent::Refused(why)),
                News::Sent(message) => machine.line(LineEvent::Sent(message)),
                News::TimedOut => machine.line(LineEvent::TimedOut),
            });
        }
    }
}

/// A web shop with its connection.
#[derive(Debug)]
pub struct ShopTerminal {
    /// The connection.
    pub host: Host,
    shop: Shop,
}

impl ShopTerminal {
    /// A shop with its seat at this place over this connection.
    #[must_use]
    pub const fn new(host: Host, place: Place) -> Self {
        Self { host, shop: Shop::new(place) }
    }

    /// Its seat.
    #[must_use]
    pub const fn place(&self) -> &Place {
        self.shop.place()
    }

    /// An order of so many cents.
    pub async fn buy(&mut self, card: &Card, amount: u64, cvv2: Option<[u8; 3]>) -> Outcome {
        self.transact(ShopForm::Buy { card: card.clone(), amount, cvv2, given: None }).await
    }

    /// The same with what the card's issuer gave for it.
    pub async fn buy_authenticated(
        &mut self,
        card: &Card,
        amount: u64,
        cvv2: Option<[u8; 3]>,
        given: Authentication,
    ) -> Outcome {
        let given = Some(given);
        self.transact(ShopForm::Buy { card: card.clone(), amount, cvv2, given }).await
    }

    /// A refund of so many cents.
    pub async fn refund(&mut self, card: &Card, amount: u64, of: Original) -> Outcome {
        self.transact(ShopForm::Refund { card: card.clone(), amount, of }).await
    }

    /// Takes an order back.
    pub async fn reverse(&mut self, of: &Outcome) -> Outcome {
        self.transact(ShopForm::Cancel { of: Box::new(of.clone()) }).await
    }

    async fn transact(&mut self, form: ShopForm) -> Outcome {
        let first = self.shop.handle(ShopEvent::Start(Box::new(form)));
        self.host.run(&mut self.shop, first, |_, _, _| vec![]).await.0
    }
}

/// Octets taken from the socket at a time.
const READ_OCTETS: usize = 4096;
/// Notes that are kept until somebody takes them.
const NOTES_MAX: usize = 256;
/// How many time-outs long a person waits for the answer to something that is repeated.
const PATIENCE_TIMEOUTS: u64 = 3;
/// Pause before a lost connection is opened again.
const RECONNECT_AFTER: Duration = Duration::from_millis(500);
