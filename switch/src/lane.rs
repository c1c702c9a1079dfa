//! One runtime that serves terminals: a thread, its connections, its FIFO of waiting answers.
//!
//! A switch has as many lanes as cores in use. A socket is dealt to one when it is accepted and
//! never moves; everything here is single-threaded and holds no lock. A commit of the journal
//! wakes the lane once; the lane then lets go every answer whose entry is durable, with one write
//! for each connection.

use std::cell::RefCell;
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use cekr_issuer::Seq;
use tokio::sync::{Notify, mpsc, watch};

use crate::clock::{Clock, Ticks};
use crate::echo;
use crate::engine::{Engine, Outgoing};
use crate::journal::Journal;
use crate::listener::{Door, Seat};
use crate::metrics::LaneMetrics;
use crate::outbox::Outbox;
use crate::session::{CloseReason, Connection, Due, Session};
use crate::shutdown::Stop;
use crate::sync::Arc;

/// What a lane is made of; it crosses to the lane's thread.
pub(crate) struct LaneParts {
    pub(crate) engine: Arc<Engine>,
    pub(crate) journal: Journal,
    pub(crate) clock: Clock,
    pub(crate) metrics: Arc<LaneMetrics>,
    pub(crate) limits: LaneLimits,
    /// Sockets from the acceptors.
    pub(crate) dealt: mpsc::UnboundedReceiver<Dealt>,
    /// Rung by the journal once a commit.
    pub(crate) committed: Arc<Notify>,
    pub(crate) stop: watch::Receiver<Stop>,
}

/// The bounds of a lane's connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LaneLimits {
    /// Parked answers of one connection before it is read no more.
    pub(crate) in_flight_max: u32,
    /// How often deadlines are compared.
    pub(crate) sweep_ms: u64,
    /// How long a stop goes on answering peers that do not pause.
    pub(crate) drain_ms: u64,
    /// Spin instead of sleeping.
    pub(crate) busy_poll: bool,
}

/// A socket on its way to its lane.
pub(crate) struct Dealt {
    pub(crate) socket: TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) door: Arc<Door>,
    pub(crate) seat: Seat,
}

/// The buffers that all sessions of a lane share, one after the other: they stay in the cache.
pub(crate) struct Scratch {
    pub(crate) input: Box<[u8]>,
    pub(crate) out: Outgoing,
}

/// A lane at work.
pub(crate) struct Lane {
    pub(crate) engine: Arc<Engine>,
    pub(crate) journal: Journal,
    pub(crate) clock: Clock,
    pub(crate) limits: LaneLimits,
    pub(crate) scratch: RefCell<Scratch>,
    metrics: Arc<LaneMetrics>,
    outbox: RefCell<Outbox<Parked>>,
    touched: RefCell<Vec<Rc<Connection>>>,
    connections: RefCell<Vec<Rc<Connection>>>,
}

/// Whose answer is parked, and since when.
struct Parked {
    connection: Rc<Connection>,
    at: Ticks,
}

/// Runs a lane on the calling thread until it is told to stop and its connections have ended.
///
/// # Errors
/// If the system has no room for a runtime.
pub(crate) fn run(parts: LaneParts) -> std::io::Result<()> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all();
    if parts.limits.busy_poll {
        // Every turn of the spinning task looks at the sockets.
        builder.event_interval(1);
    }
    let runtime = builder.build_local(tokio::runtime::LocalOptions::default())?;
    runtime.block_on(Lane::serve(parts));
    Ok(())
}

impl Lane {
    async fn serve(parts: LaneParts) {
        let LaneParts { mut dealt, committed, mut stop, limits, .. } = parts;
        let lane = Rc::new(Lane {
            engine: parts.engine,
            journal: parts.journal,
            clock: parts.clock,
            limits,
            scratch: RefCell::new(Scratch {
                input: vec![0; INPUT_OCTETS].into_boxed_slice(),
                out: Outgoing::default(),
            }),
            metrics: parts.metrics,
            outbox: RefCell::default(),
            touched: RefCell::default(),
            connections: RefCell::default(),
        });
        let mut tasks = vec![
            tokio::task::spawn_local(lane.clone().release_on_commit(committed)),
            tokio::task::spawn_local(lane.clone().sweep_deadlines()),
        ];
        if limits.busy_poll {
            tasks.push(tokio::task::spawn_local(spin()));
        }
        loop {
            tokio::select! {
                next = dealt.recv() => match next {
                    Some(next) => lane.open(next),
                    None => break,
                },
                _ = stop.wait_for(|stop| *stop == Stop::Drain) => break,
            }
        }
        // What the acceptors still deal is served too; they end first.
        while let Some(next) = dealt.recv().await {
            lane.open(next);
        }
        lane.drain().await;
        for task in tasks {
            task.abort();
        }
    }

    /// This lane's counters.
    pub(crate) fn metrics(&self) -> &LaneMetrics {
        &self.metrics
    }

    /// Keeps an answer until the journal has its entry.
    pub(crate) fn park(&self, seq: Seq, octets: u32, connection: &Rc<Connection>, at: Ticks) {
        let parked = Parked { connection: connection.clone(), at };
        let mut outbox = self.outbox.borrow_mut();
        outbox.park(seq, octets, parked);
        self.metrics.in_flight.set(outbox.len() as u64);
    }

    /// Lets go every answer whose entry is durable: one write for each connection.
    pub(crate) fn release(&self) {
        let mut outbox = self.outbox.borrow_mut();
        let Some(front) = outbox.front() else { return };
        let durable = self.journal.durable();
        if front > durable {
            return;
        }
        let now = self.clock.ticks();
        let mut touched = self.touched.borrow_mut();
        outbox.release(durable, |octets, Parked { connection, at }| {
            self.metrics.commit_wait.record(now.ns_since(at), 1);
            connection.unpark(octets);
            if !connection.touched.replace(true) {
                touched.push(connection);
            }
        });
        self.metrics.in_flight.set(outbox.len() as u64);
        drop(outbox);
        for connection in touched.drain(..) {
            connection.touched.set(false);
            connection.push(self);
        }
    }

    /// Takes a socket over and serves it in a task of its own.
    fn open(self: &Rc<Self>, dealt: Dealt) {
        let Dealt { socket, peer, door, seat } = dealt;
        let socket = match tokio::net::TcpStream::from_std(socket) {
            Ok(socket) => socket,
            Err(error) => {
                tracing::warn!(%peer, %error, "connection not taken over");
                return;
            }
        };
        let (reader, writer) = socket.into_split();
        let connection = Rc::new(Connection::new(writer, peer, door, self.clock.ticks()));
        self.enroll(&connection);
        let lane = self.clone();
        tokio::task::spawn_local(async move {
            let mut session = Session::new(reader, connection.clone());
            let reason = session.run(&lane).await;
            lane.strike_off(&connection, reason);
            drop(seat);
        });
    }

    fn enroll(&self, connection: &Rc<Connection>) {
        let mut all = self.connections.borrow_mut();
        connection.place.set(all.len());
        all.push(connection.clone());
        self.metrics.connections.set(all.len() as u64);
        self.metrics.connections_opened.add(1);
        tracing::debug!(peer = %connection.peer, listener = &*connection.door.name, "connected");
    }

    fn strike_off(&self, connection: &Rc<Connection>, reason: CloseReason) {
        let mut all = self.connections.borrow_mut();
        let place = connection.place.get();
        if place < all.len() {
            all.swap_remove(place);
        }
        if let Some(moved) = all.get(place) {
            moved.place.set(place);
        }
        self.metrics.connections.set(all.len() as u64);
        self.metrics.connection_closed(reason);
        tracing::debug!(peer = %connection.peer, reason = reason.name(), "disconnected");
    }

    async fn release_on_commit(self: Rc<Self>, committed: Arc<Notify>) {
        loop {
            // A ring that came while nobody listened is kept, so no commit is missed.
            committed.notified().await;
            self.release();
        }
    }

    async fn sweep_deadlines(self: Rc<Self>) {
        let mut clock = tokio::time::interval(Duration::from_millis(self.limits.sweep_ms));
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            clock.tick().await;
            let now = self.clock.ticks();
            for connection in self.connections.borrow().iter() {
                let due =
                    connection.times().due(&connection.door.bounds, connection.is_busy(), now);
                match due {
                    Due::Close(reason) => connection.end(reason),
                    Due::Echo => echo::send(connection, &self, now),
                    Due::Nothing => {}
                }
            }
        }
    }

    /// Ends every connection: one that is quiet at once, a busy one when its time is up.
    async fn drain(&self) {
        let begun = self.clock.ticks();
        loop {
            let now = self.clock.ticks();
            let elapsed_ms = now.ms_since(begun);
            let is_lost = self.journal.failure().is_some();
            for connection in self.connections.borrow().iter() {
                // Requests that the kernel holds count as received: a moment of silence shows
                // that none is left.
                let silent_ms = elapsed_ms.min(now.ms_since(connection.times().read));
                if is_lost && connection.is_busy() && elapsed_ms >= QUIET_MS {
                    connection.end(CloseReason::JournalFailed);
                } else if elapsed_ms >= self.limits.drain_ms + DRAIN_GRACE_MS {
                    connection.end(CloseReason::SlowReader);
                } else if silent_ms >= QUIET_MS || elapsed_ms >= self.limits.drain_ms {
                    connection.end(CloseReason::Drained);
                }
            }
            if self.connections.borrow().is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(DRAIN_STEP_MS)).await;
        }
    }
}

/// Keeps the runtime from sleeping: it looks at its sockets again and again.
async fn spin() {
    loop {
        tokio::task::yield_now().await;
    }
}

/// Octets read at once: several hundred messages, and no more than a second-level cache holds.
const INPUT_OCTETS: usize = 65_536;

/// Silence of a connection that shows that a stop has answered all it had sent.
const QUIET_MS: u64 = 25;

/// How often a stop looks.
const DRAIN_STEP_MS: u64 = 5;

/// After the end of the drain: room for the last commit and for answers to leave.
const DRAIN_GRACE_MS: u64 = 1_500;
