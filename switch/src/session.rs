//! One terminal's connection: read what the socket holds, decide every whole frame, write once.
//!
//! A session is one task that never leaves its runtime. It reads into the runtime's buffer, hands
//! all whole frames to the engine with one moment, and writes in one call what may leave; answers
//! that wait for the journal are parked and written by the runtime, once a commit. While the
//! socket takes no more, or `in_flight_max` answers are parked, nothing is read: a slow peer is
//! slowed down through TCP, and what it costs here is bounded.
//!
//! Deadlines cost a read nothing: it notes when it happened, and the runtime's sweep compares.

use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use cekr_iso8583::FrameError;
use cekr_issuer::Seq;
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::clock::Ticks;
use crate::engine::{Outgoing, Ticket};
use crate::lane::{Lane, Scratch};
use crate::listener::Door;
use crate::outbox::Output;
use crate::sync::Arc;

/// Why a connection ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum CloseReason {
    /// A frame's header says what no header can.
    BadFrame,
    /// The switch stops; every request that was received has been answered.
    Drained,
    /// A frame began and did not become whole in time.
    FrameTimeout,
    /// Silence for longer than the listener allows.
    Idle,
    /// The journal has failed: what waits for it is never answered.
    JournalFailed,
    /// A frame longer than `frame_octets_max`.
    Oversize,
    /// The terminal closed.
    PeerClosed,
    /// The connection broke.
    PeerReset,
    /// The terminal left its answers unread.
    SlowReader,
}

impl CloseReason {
    /// Every reason, in the order of its number.
    pub const ALL: [CloseReason; 9] = [
        CloseReason::BadFrame,
        CloseReason::Drained,
        CloseReason::FrameTimeout,
        CloseReason::Idle,
        CloseReason::JournalFailed,
        CloseReason::Oversize,
        CloseReason::PeerClosed,
        CloseReason::PeerReset,
        CloseReason::SlowReader,
    ];

    /// The name in logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            CloseReason::BadFrame => "bad_frame",
            CloseReason::Drained => "drained",
            CloseReason::FrameTimeout => "frame_timeout",
            CloseReason::Idle => "idle",
            CloseReason::JournalFailed => "journal_failed",
            CloseReason::Oversize => "oversize",
            CloseReason::PeerClosed => "peer_closed",
            CloseReason::PeerReset => "peer_reset",
            CloseReason::SlowReader => "slow_reader",
        }
    }

    /// Whether answers to earlier requests are delivered first.
    const fn delivers(self) -> bool {
        match self {
            CloseReason::BadFrame
            | CloseReason::Drained
            | CloseReason::FrameTimeout
            | CloseReason::Idle
            | CloseReason::Oversize
            | CloseReason::PeerClosed => true,
            CloseReason::JournalFailed | CloseReason::PeerReset | CloseReason::SlowReader => false,
        }
    }

    /// Whether the end is of the peer's own doing and no fault of it, or was told for all at once.
    const fn is_ordinary(self) -> bool {
        match self {
            CloseReason::Drained
            | CloseReason::JournalFailed
            | CloseReason::PeerClosed
            | CloseReason::PeerReset => true,
            CloseReason::BadFrame
            | CloseReason::FrameTimeout
            | CloseReason::Idle
            | CloseReason::Oversize
            | CloseReason::SlowReader => false,
        }
    }
}

/// A connection as the other tasks of its runtime see it: the sweep and the release of answers.
pub(crate) struct Connection {
    /// The listener it came through.
    pub(crate) door: Arc<Door>,
    /// The other end, for the log.
    pub(crate) peer: SocketAddr,
    /// Where it stands in the runtime's list.
    pub(crate) place: Cell<usize>,
    /// Whether this commit has released answers of it.
    pub(crate) touched: Cell<bool>,
    /// Whether the session reads no more until answers have left.
    paused: Cell<bool>,
    writer: RefCell<Option<OwnedWriteHalf>>,
    output: RefCell<Output>,
    waker: RefCell<Option<Waker>>,
    ending: Cell<Option<CloseReason>>,
    times: Cell<Times>,
    echo_stan: Cell<u32>,
}

/// When what happened last on a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// It was taken over, or octets came.
    pub(crate) read: Ticks,
    /// The frame that is not whole began.
    pub(crate) frame_begun: Option<Ticks>,
    /// The socket took no more of what may leave.
    pub(crate) blocked: Option<Ticks>,
    /// We sent an echo because of silence.
    pub(crate) echoed: Option<Ticks>,
}

/// How long what may last on a connection, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) frame_ms: u64,
    pub(crate) idle_ms: u64,
    pub(crate) write_ms: u64,
    /// Silence before our own echo; 0 never.
    pub(crate) echo_ms: u64,
}

/// What the sweep finds due on a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Due {
    /// End it.
    Close(CloseReason),
    /// Send our own echo.
    Echo,
    /// Nothing.
    Nothing,
}

impl Times {
    /// What is due at `now`; `busy` says that answers have not all left.
    pub(crate) fn due(&self, bounds: &Bounds, busy: bool, now: Ticks) -> Due {
        let longer = |since: Option<Ticks>, ms: u64| since.is_some_and(|at| now.ms_since(at) >= ms);
        if longer(self.blocked, bounds.write_ms) {
            return Due::Close(CloseReason::SlowReader);
        }
        // While nothing is read because of answers that wait, an unfinished frame is our doing.
        if longer(self.frame_begun, bounds.frame_ms) && !busy {
            return Due::Close(CloseReason::FrameTimeout);
        }
        if longer(Some(self.read), bounds.idle_ms) && !busy {
            return Due::Close(CloseReason::Idle);
        }
        let silent = longer(Some(self.read), bounds.echo_ms);
        let echoed = self.echoed.is_some_and(|at| at >= self.read);
        if bounds.echo_ms > 0 && silent && !echoed && !busy {
            return Due::Echo;
        }
        Due::Nothing
    }
}

impl Connection {
    pub(crate) fn new(
        writer: OwnedWriteHalf,
        peer: SocketAddr,
        door: Arc<Door>,
        now: Ticks,
    ) -> Connection {
        Connection {
            door,
            peer,
            place: Cell::new(0),
            touched: Cell::new(false),
            paused: Cell::new(false),
            writer: RefCell::new(Some(writer)),
            output: RefCell::new(Output::default()),
            waker: RefCell::new(None),
            ending: Cell::new(None),
            times: Cell::new(Times { read: now, frame_begun: None, blocked: None, echoed: None }),
            echo_stan: Cell::new(0),
        }
    }

    /// Asks the session to end; the first reason stays, unless the later one will not wait.
    pub(crate) fn end(&self, reason: CloseReason) {
        let stays = self.ending.get().filter(|first| reason.delivers() || !first.delivers());
        self.ending.set(Some(stays.unwrap_or(reason)));
        self.wake();
    }

    /// The deadlines' base.
    pub(crate) fn times(&self) -> Times {
        self.times.get()
    }

    /// Whether answers have not all left.
    pub(crate) fn is_busy(&self) -> bool {
        !self.output.borrow().is_empty()
    }

    /// Moves a released answer to what the socket takes next.
    pub(crate) fn unpark(&self, octets: u32) {
        self.output.borrow_mut().unpark(octets);
    }

    /// Writes what may leave, and lets the session go on if it waited for that.
    pub(crate) fn push(&self, lane: &Lane) {
        let pushed = self.try_write(lane);
        // The session sleeps in its read; it must look again when the socket is full, when it
        // had stopped reading, or when it is only waiting for its answers to leave.
        if pushed != Pushed::All || self.paused.replace(false) || self.ending.get().is_some() {
            self.wake();
        }
    }

    /// Sends octets of our own, such as an echo.
    pub(crate) fn send(&self, octets: &[u8], lane: &Lane, now: Ticks) {
        let mut times = self.times.get();
        times.echoed = Some(now);
        self.times.set(times);
        self.output.borrow_mut().send(octets);
        self.push(lane);
    }

    /// The trace number of our next message on this connection, 1 to 999999.
    pub(crate) fn next_stan(&self) -> u32 {
        let stan = self.echo_stan.get() % STAN_MAX + 1;
        self.echo_stan.set(stan);
        stan
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }

    fn remember(&self, waker: &Waker) {
        let mut kept = self.waker.borrow_mut();
        if !kept.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
            *kept = Some(waker.clone());
        }
    }

    /// Hands the socket what may leave, as far as it takes it now.
    fn try_write(&self, lane: &Lane) -> Pushed {
        let mut output = self.output.borrow_mut();
        while !output.unsent().is_empty() {
            match self.write_some(output.unsent(), lane) {
                Ok(octets) => output.sent(octets),
                Err(Refused::Broken) => return Pushed::Broken,
                Err(Refused::Full) => return Pushed::Part,
            }
        }
        if self.times.get().blocked.is_some() {
            self.times.set(Times { blocked: None, ..self.times.get() });
        }
        Pushed::All
    }

    fn write_some(&self, octets: &[u8], lane: &Lane) -> Result<usize, Refused> {
        let writer = self.writer.borrow();
        match writer.as_ref().ok_or(Refused::Broken)?.try_write(octets) {
            Ok(0) => Err(Refused::Broken),
            Ok(taken) => {
                lane.metrics().octets_out.add(taken as u64);
                Ok(taken)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if self.times.get().blocked.is_none() {
                    let blocked = Some(lane.clock.ticks());
                    self.times.set(Times { blocked, ..self.times.get() });
                }
                Err(Refused::Full)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(0),
            Err(_) => Err(Refused::Broken),
        }
    }

    /// Sends on what one read brought: now what may leave, later what waits for the journal.
    fn deliver(self: &Rc<Self>, lane: &Lane, out: &Outgoing, durable: Seq, now: Ticks) {
        let mut output = self.output.borrow_mut();
        let ready = |ticket: Ticket| match ticket {
            Ticket::After(seq) => seq <= durable,
            Ticket::Now => true,
        };
        let all_ready = out.spans.iter().all(|span| ready(span.ticket));
        if all_ready && output.is_empty() {
            // The usual case without a disk: one write, straight from the engine's buffer.
            let mut rest = out.bytes();
            while !rest.is_empty() {
                match self.write_some(rest, lane) {
                    Ok(taken) => rest = rest.get(taken..).unwrap_or_default(),
                    Err(_) => break,
                }
            }
            output.send(rest);
            return;
        }
        for span in &out.spans {
            let Some(answer) = out.bytes().get(span.start as usize..span.end as usize) else {
                continue;
            };
            if ready(span.ticket) && output.may_overtake(self.door.ordered) {
                output.send(answer);
                continue;
            }
            let seq = match span.ticket {
                Ticket::After(seq) => seq,
                // It needs no entry of its own, only its turn behind the one before it.
                Ticket::Now => Seq::NONE,
            };
            output.park(answer);
            lane.park(seq, span.end - span.start, self, now);
        }
        drop(output);
        // A full socket is the session's to wait for: it looks before it reads again.
        self.try_write(lane);
    }
}

/// One connection's task.
pub(crate) struct Session {
    reader: OwnedReadHalf,
    connection: Rc<Connection>,
    /// The beginning of a frame that is not whole yet; never more than one frame.
    partial: Vec<u8>,
}

impl Session {
    pub(crate) fn new(reader: OwnedReadHalf, connection: Rc<Connection>) -> Session {
        Session { reader, connection, partial: Vec::new() }
    }

    /// Serves until the connection ends and says why.
    pub(crate) async fn run(&mut self, lane: &Lane) -> CloseReason {
        let reason = std::future::poll_fn(|context| self.poll(lane, context)).await;
        // The half that writes says the end to the peer when it is dropped.
        self.connection.writer.borrow_mut().take();
        if reason.delivers() && reason != CloseReason::PeerClosed {
            // Octets left unread would make the kernel answer with a reset, which can overtake
            // the answers on their way: read on and drop, until the peer closes or for a moment.
            let linger = std::future::poll_fn(|context| self.discard(lane, context));
            let _ = tokio::time::timeout(LINGER, linger).await;
        }
        if !reason.is_ordinary() {
            let peer = self.connection.peer;
            let (listener, reason) = (&*self.connection.door.name, reason.name());
            tracing::warn!(%peer, listener, reason, "connection closed");
        }
        reason
    }

    fn poll(&mut self, lane: &Lane, context: &mut Context<'_>) -> Poll<CloseReason> {
        self.connection.remember(context.waker());
        for _ in 0..READS_PER_TURN {
            let ending = self.connection.ending.get();
            if let Some(reason) = ending.filter(|reason| !reason.delivers()) {
                return Poll::Ready(reason);
            }
            if ready!(self.flush(lane, context)).is_err() {
                return Poll::Ready(CloseReason::PeerReset);
            }
            let parked = self.connection.output.borrow().parked_count();
            if let Some(reason) = ending {
                // The commit that releases the last of them wakes this task.
                return if parked == 0 { Poll::Ready(reason) } else { Poll::Pending };
            }
            if parked >= lane.limits.in_flight_max {
                self.connection.paused.set(true);
                return Poll::Pending;
            }
            if let Err(reason) = ready!(self.read(lane, context)) {
                self.connection.ending.set(Some(reason));
            }
        }
        // Others on this runtime have their turn before a peer that never pauses.
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Waits until the socket has taken all that may leave.
    fn flush(&self, lane: &Lane, context: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        loop {
            match self.connection.try_write(lane) {
                Pushed::All => return Poll::Ready(Ok(())),
                Pushed::Broken => return Poll::Ready(Err(Broken)),
                Pushed::Part => {
                    if ready!(self.reader.as_ref().poll_write_ready(context)).is_err() {
                        return Poll::Ready(Err(Broken));
                    }
                }
            }
        }
    }

    /// One read, and all that follows from it.
    fn read(&mut self, lane: &Lane, context: &mut Context<'_>) -> Poll<Result<(), CloseReason>> {
        let mut scratch = lane.scratch.borrow_mut();
        let Scratch { input, out } = &mut *scratch;
        let held = self.partial.len();
        let Some((kept, room)) = input.split_at_mut_checked(held) else {
            return Poll::Ready(Err(CloseReason::Oversize));
        };
        let mut buffer = ReadBuf::new(room);
        if ready!(Pin::new(&mut self.reader).poll_read(context, &mut buffer)).is_err() {
            return Poll::Ready(Err(CloseReason::PeerReset));
        }
        let octets = buffer.filled().len();
        if octets == 0 {
            return Poll::Ready(Err(CloseReason::PeerClosed));
        }
        kept.copy_from_slice(&self.partial);
        let received = input.get(..held + octets).unwrap_or_default();
        Poll::Ready(self.handle(lane, received, octets, out))
    }

    fn handle(
        &mut self,
        lane: &Lane,
        received: &[u8],
        fresh: usize,
        out: &mut Outgoing,
    ) -> Result<(), CloseReason> {
        let connection = &self.connection;
        let begun = lane.clock.ticks();
        let now = lane.clock.now();
        out.clear();
        let mut rest = received;
        let mut fault = Ok(());
        while !rest.is_empty() {
            match lane.engine.handle_read(&connection.door.link, rest, now, out) {
                Ok(0) => break,
                Ok(consumed) => rest = rest.get(consumed..).unwrap_or_default(),
                Err(error) => {
                    fault = Err(close_reason(error));
                    break;
                }
            }
        }
        let mut times = connection.times.get();
        let frame_went_on = rest.len() == received.len() && times.frame_begun.is_some();
        times.read = begun;
        if rest.is_empty() {
            times.frame_begun = None;
        } else if !frame_went_on {
            times.frame_begun = Some(begun);
        }
        connection.times.set(times);
        self.partial.clear();
        if fault.is_ok() {
            self.partial.extend_from_slice(rest);
        }

        let ended = lane.clock.ticks();
        let metrics = lane.metrics();
        metrics.reads.add(1);
        metrics.octets_in.add(fresh as u64);
        metrics.decisions.take(&mut out.tally);
        if !out.spans.is_empty() {
            let answers = out.spans.len() as u64;
            metrics.switch_time.record(ended.ns_since(begun), answers);
            crate::message_log::answers(&connection.door, connection.peer, out);
            connection.deliver(lane, out, lane.journal.durable(), ended);
            // Entries may have become durable between the two looks; their commit has already
            // woken the release, which found nothing of this connection then.
            lane.release();
        }
        fault
    }

    /// Reads on without looking, until the peer closes.
    fn discard(&mut self, lane: &Lane, context: &mut Context<'_>) -> Poll<()> {
        let mut scratch = lane.scratch.borrow_mut();
        loop {
            let mut buffer = ReadBuf::new(&mut scratch.input);
            match ready!(Pin::new(&mut self.reader).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                Ok(()) | Err(_) => return Poll::Ready(()),
            }
        }
    }
}

/// How far a write came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Pushed {
    All,
    Broken,
    Part,
}

/// Why the socket took nothing.
enum Refused {
    Broken,
    Full,
}

/// The connection can no longer be written to.
struct Broken;

fn close_reason(error: FrameError) -> CloseReason {
    match error {
        FrameError::BadLength => CloseReason::BadFrame,
        FrameError::TooLong { .. } => CloseReason::Oversize,
    }
}

/// Reads of one connection before the others of its runtime have their turn.
const READS_PER_TURN: u32 = 8;

/// How long an ended connection waits for the peer to take its answers and close.
const LINGER: std::time::Duration = std::time::Duration::from_millis(300);

/// DE 11 has six digits.
const STAN_MAX: u32 = 999_999;
