//! The load generator: messages at a steady rate, or as fast as answers allow.
//!
//! Open loop (`Pace::PerSecond`): every message has the moment at which it should start, whatever
//! the switch does, and its latency counts from that moment. A stall therefore shows in every
//! message that it delayed, and not in one only (coordinated omission). The figures from the
//! real moment of sending are reported beside them. Closed loop (`Pace::Max`): each connection
//! keeps `depth` requests under way.
//!
//! One thread with its own runtime drives all connections: messages are encoded before the run
//! and only their STAN and time are written anew, whole batches go out in one write, and
//! outstanding requests stand in a fixed ring per connection. Nothing grows during a run. A run
//! ends within its duration plus its time-out.

mod connection;
pub mod report;
mod template;
pub mod threshold;

use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::io;

use cekr_iso8583::{Framing, Spec, WriteError};
use tokio::net::TcpStream;

use self::connection::Connection;
use self::report::{LoadReport, Tally};
use crate::clock::{Stopwatch, wall};
use crate::mix::Mix;
use crate::moment::Moment;
use crate::quick_chip::QuickChip;
use crate::world::Holder;

/// What a run does.
#[derive(Clone, Debug)]
pub struct LoadPlan {
    /// Host and port of the switch.
    pub to: String,
    /// Dialect of the messages.
    pub spec: &'static Spec,
    /// How messages are divided on the stream.
    pub framing: Framing,
    /// How fast.
    pub pace: Pace,
    /// Connections; each is a terminal of its own.
    pub connections: Connections,
    /// Most requests under way on each connection, at most [`DEPTH_MAX`].
    pub depth: usize,
    /// How long messages are sent.
    pub duration: Duration,
    /// How long answers are waited for after that.
    pub timeout: Duration,
    /// What the messages are about.
    pub mix: Mix,
    /// Whose cards are used.
    pub holders: Vec<Holder>,
    /// Which counters the chips of these cards may use; without them cards have none.
    pub counters: Option<Counters>,
    /// Decides cards, places and sums.
    pub seed: u64,
}

/// Counters that each of a run's chips has for itself. A chip whose counters are used up sends its
/// last cryptogram again, which is declined as a replay.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Counters {
    /// Where the chips stand.
    pub first: u16,
    /// How many more transactions they make.
    pub count: u16,
}

/// The chips of a run's cards, in the order of the holders.
pub(crate) type Chips = Vec<Option<QuickChip>>;

/// A number of connections, at least one and at most [`CONNECTIONS_MAX`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Connections(pub usize);

/// How fast a run sends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pace {
    /// As fast as answers allow: closed loop.
    Max,
    /// So many messages a second over all connections: open loop.
    PerSecond(u64),
}

impl LoadPlan {
    /// A second of a hundred messages over one connection: change what matters.
    #[must_use]
    pub fn new(to: &str, spec: &'static Spec, framing: Framing) -> Self {
        Self {
            to: to.to_owned(),
            spec,
            framing,
            pace: Pace::PerSecond(100),
            connections: Connections(1),
            depth: 64,
            duration: Duration::from_secs(1),
            timeout: Duration::from_secs(5),
            mix: Mix::TOWN,
            holders: vec![],
            counters: None,
            seed: 1,
        }
    }
}

/// Why a run could not begin.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A connection was refused.
    #[error("cannot connect to {to}: {source}")]
    Connect {
        /// The address that was tried.
        to: String,
        /// What the system said.
        source: io::Error,
    },
    /// The plan asks for something outside its bounds.
    #[error("{0}")]
    Plan(&'static str),
    /// The generator's own thread could not start.
    #[error("cannot start the generator: {0}")]
    Start(io::Error),
    /// A message of the mix cannot be written in this dialect.
    #[error("a message of the mix cannot be written in this dialect: {0}")]
    Unwritable(WriteError),
}

/// Runs a plan on a thread of its own and waits for its report without blocking the caller's
/// runtime.
///
/// # Errors
/// Why the run could not begin. Faults during the run are counted in the report.
pub async fn run(plan: LoadPlan) -> Result<LoadReport, LoadError> {
    let (tell, told) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .name("cekr-load".to_owned())
        // A receiver that is gone means that nobody waits for the report any more.
        .spawn(move || drop(tell.send(run_blocking(&plan))))
        .map_err(LoadError::Start)?;
    told.await.unwrap_or(Err(LoadError::Plan("the generator's thread ended without a report")))
}

/// Runs a plan on the calling thread.
///
/// # Errors
/// As [`run`].
pub fn run_blocking(plan: &LoadPlan) -> Result<LoadReport, LoadError> {
    check(plan)?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // The driver is asked for readiness in every round, not only in every 61st.
        .event_interval(1)
        .build()
        .map_err(LoadError::Start)?
        .block_on(drive(plan))
}

fn check(plan: &LoadPlan) -> Result<(), LoadError> {
    let faults = [
        (plan.connections.0 == 0, "there must be at least one connection"),
        (plan.connections.0 > CONNECTIONS_MAX, "at most 4096 connections"),
        (plan.depth == 0, "the depth must be at least 1"),
        (plan.depth > DEPTH_MAX, "the depth may be at most 4096"),
        (plan.pace == Pace::PerSecond(0), "the rate must be at least 1 a second"),
        (plan.mix.is_empty(), "the mix has no weight above 0"),
        (plan.duration > Duration::from_secs(86_400), "a run lasts at most a day"),
        (plan.framing == Framing::None, "a stream needs a framing: be2, nac or ascii4"),
    ];
    match faults.iter().find(|(is_fault, _)| *is_fault) {
        Some((_, words)) => Err(LoadError::Plan(words)),
        None => Ok(()),
    }
}

async fn drive(plan: &LoadPlan) -> Result<LoadReport, LoadError> {
    let mut chips: Chips = plan.counters.map_or_else(Vec::new, |Counters { first, count }| {
        let chip =
            |holder: &Holder| QuickChip::new(&holder.card, holder.pin.as_ref(), first, count);
        plan.holders.iter().map(chip).collect()
    });
    let mut connections = open(plan, &mut chips).await?;
    if let Pace::PerSecond(_) = plan.pace {
        prepare(&mut connections, ns(plan.duration), &mut chips);
    }
    let watch = Stopwatch::start();
    let start = wall();
    let duration_ns = ns(plan.duration);
    let end_ns = duration_ns.saturating_add(ns(plan.timeout));
    let mut tally = Tally::new();
    let mut sent_until_ns = 0;
    loop {
        let now_ns = watch.ns();
        let moment = start.plus_ms(now_ns / 1_000_000);
        let sent_before = tally.sent;
        let mut progress = false;
        for connection in &mut connections {
            connection.fill(now_ns, duration_ns, moment, (&mut tally, &mut chips));
            progress |= connection.flush(&mut tally);
            progress |= connection.drain(&watch, &mut tally);
        }
        if tally.sent > sent_before {
            sent_until_ns = now_ns;
        }
        let is_busy = |one: &Connection| one.under_way_count() > 0 || one.wants_to_send();
        let is_over = !connections.iter().any(is_busy) && now_ns >= duration_ns;
        if is_over || now_ns >= end_ns || connections.iter().all(Connection::is_lost) {
            break;
        }
        if progress {
            // The next round asks the driver which sockets have become ready.
            tokio::task::yield_now().await;
        } else {
            let limit_ns = if now_ns < duration_ns { duration_ns } else { end_ns };
            rest(&mut connections, &watch, limit_ns).await;
        }
    }
    for connection in &connections {
        tally.unanswered += connection.under_way_count() as u64;
        tally.unsent += connection.unsent_count(duration_ns);
    }
    let elapsed_ns = watch.ns().min(duration_ns);
    Ok(tally.report(elapsed_ns.max(sent_until_ns)))
}

/// Has the chips make what the run will send, in the order in which it is due: a chip counts, and
/// an issuer takes no counter that lies far below the last one. A closed loop has no such order,
/// and a long run more than is kept: there chips are asked when a message is sent.
fn prepare(connections: &mut [Connection], end_ns: u64, chips: &mut Chips) {
    let mut at = 0;
    let count = |connections: &[Connection]| -> usize {
        connections.iter().map(Connection::prepared_count).sum()
    };
    while count(connections) < PREPARED_MAX {
        let mut is_due = false;
        for connection in &mut *connections {
            is_due |= connection.prepare(at, end_ns, chips);
        }
        if !is_due {
            return;
        }
        at += 1;
    }
}

async fn open(plan: &LoadPlan, chips: &mut Chips) -> Result<Vec<Connection>, LoadError> {
    let mut connections = Vec::with_capacity(plan.connections.0);
    let now: Moment = wall();
    for number in 0..plan.connections.0 {
        let refused = |source| LoadError::Connect { to: plan.to.clone(), source };
        let stream = TcpStream::connect(&plan.to).await.map_err(refused)?;
        stream.set_nodelay(true).map_err(refused)?;
        let templates =
            template::templates(plan, number, now, chips).map_err(LoadError::Unwritable)?;
        connections.push(Connection::new(stream, plan, number, templates, now));
    }
    Ok(connections)
}

/// Waits until a socket is ready or the next message is due. The runtime's timer is a
/// millisecond coarse, so the last stretch before a due message is spent in short rounds.
async fn rest(connections: &mut [Connection], watch: &Stopwatch, limit_ns: u64) {
    let due_ns = connections.iter().filter_map(Connection::due_ns).min();
    let wait_ns = due_ns.map_or(limit_ns, |due| due.saturating_sub(TIMER_NS)).min(limit_ns);
    let left_ns = wait_ns.saturating_sub(watch.ns());
    if left_ns < 1_000 {
        tokio::task::yield_now().await;
        return;
    }
    let mut timer = pin!(tokio::time::sleep(Duration::from_nanos(left_ns)));
    poll_fn(|context| {
        // The first that is ready suffices: the round visits all of them.
        let is_ready = connections.iter_mut().any(|connection| connection.poll_ready(context));
        let is_over = timer.as_mut().poll(context).is_ready();
        if is_ready || is_over { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

fn ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Most connections of a run.
pub const CONNECTIONS_MAX: usize = 4096;
/// Most cryptograms that are made before a run, some twenty octets each.
const PREPARED_MAX: usize = 1 << 20;
/// Most requests under way on a connection.
pub const DEPTH_MAX: usize = 4096;
/// How much earlier than due the runtime's timer is set.
const TIMER_NS: u64 = 1_500_000;
