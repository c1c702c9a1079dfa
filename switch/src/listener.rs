//! Where terminals connect: accepts sockets and deals each to the lane with the fewest.
//!
//! Accepting is bounded: beyond `connections_max` a connection is closed as it comes, counted and
//! logged once a second. An accept that fails for want of file descriptors is tried again after a
//! pause, never in a spin.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};

use crate::clock::{Clock, Ticks};
use crate::config::ListenerConfig;
use crate::engine::Link;
use crate::lane::Dealt;
use crate::metrics::Metrics;
use crate::session::Bounds;
use crate::shutdown::Stop;
use crate::sync::{Arc, AtomicUsize, Ordering};

/// A listener as its sessions know it.
pub(crate) struct Door {
    /// Spec, framing and length limit.
    pub(crate) link: Link,
    /// Its address, for logs.
    pub(crate) name: String,
    /// Answers leave in the order of the requests.
    pub(crate) ordered: bool,
    pub(crate) bounds: Bounds,
}

impl Bounds {
    /// The deadlines of one listener's connections.
    pub(crate) fn of(listener: &ListenerConfig, write_ms: u64) -> Bounds {
        Bounds {
            frame_ms: listener.frame_timeout_ms,
            idle_ms: listener.idle_timeout_s.saturating_mul(MS_PER_S),
            write_ms,
            echo_ms: listener.echo_idle_s.saturating_mul(MS_PER_S),
        }
    }

    /// How often deadlines must be looked at so that the shortest is met to within an eighth.
    pub(crate) fn sweep_ms(&self) -> u64 {
        let echo_ms = if self.echo_ms == 0 { u64::MAX } else { self.echo_ms };
        let shortest = self.frame_ms.min(self.idle_ms).min(self.write_ms).min(echo_ms);
        (shortest / SWEEPS_PER_DEADLINE).clamp(SWEEP_MS_MIN, SWEEP_MS_MAX)
    }
}

/// Opens a listening socket. Called within a runtime.
///
/// # Errors
/// If the address cannot be had.
pub(crate) fn bind(addr: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart must not wait for the old connections' last minute.
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

/// The places of one switch's connections: how many each lane has, and how many there may be.
#[derive(Clone)]
pub(crate) struct Seats {
    lanes: Arc<[AtomicUsize]>,
    taken: Arc<AtomicUsize>,
    max: usize,
}

impl Seats {
    pub(crate) fn new(lanes: usize, max: usize) -> Seats {
        Seats {
            lanes: (0..lanes).map(|_| AtomicUsize::new(0)).collect(),
            taken: Arc::default(),
            max,
        }
    }

    /// A place on the lane with the fewest connections, if there is one left.
    pub(crate) fn take(&self) -> Option<Seat> {
        if self.taken.fetch_add(1, Ordering::Relaxed) >= self.max {
            self.taken.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let counts = self.lanes.iter().enumerate();
        let (lane, _) = counts.min_by_key(|(_, count)| count.load(Ordering::Relaxed))?;
        self.lanes.get(lane)?.fetch_add(1, Ordering::Relaxed);
        Some(Seat { seats: self.clone(), lane })
    }

    /// Connections that hold a place.
    #[cfg(test)]
    fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

/// One connection's place; given back when it is dropped.
pub(crate) struct Seat {
    seats: Seats,
    lane: usize,
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(count) = self.seats.lanes.get(self.lane) {
            count.fetch_sub(1, Ordering::Relaxed);
        }
        self.seats.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One listening socket and where its connections go.
pub(crate) struct Acceptor {
    pub(crate) socket: TcpListener,
    pub(crate) door: Arc<Door>,
    pub(crate) seats: Seats,
    pub(crate) lanes: Vec<mpsc::UnboundedSender<Dealt>>,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
}

impl Acceptor {
    /// Accepts until the switch stops.
    pub(crate) async fn run(self, mut stop: watch::Receiver<Stop>) {
        let mut quiet = Quiet::default();
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                _ = stop.wait_for(|stop| *stop == Stop::Drain) => break,
            };
            match accepted {
                Ok((socket, peer)) => self.deal(socket, peer, &mut quiet),
                Err(error) => {
                    self.metrics.edge().accepts_failed.add_shared(1);
                    if quiet.speaks(self.clock.ticks()) {
                        tracing::warn!(listener = &*self.door.name, %error, "accept failed");
                    }
                    if !is_of_one_connection(&error) {
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
        // Connections that the kernel has completed are ours: their first requests are received.
        while let Some(Ok((socket, peer))) = self.accept_ready().await {
            self.deal(socket, peer, &mut quiet);
        }
    }

    /// A connection that waits to be accepted, if there is one now.
    async fn accept_ready(&self) -> Option<std::io::Result<(TcpStream, SocketAddr)>> {
        tokio::select! {
            biased;
            accepted = self.socket.accept() => Some(accepted),
            () = std::future::ready(()) => None,
        }
    }

    fn deal(&self, socket: TcpStream, peer: SocketAddr, quiet: &mut Quiet) {
        let Some(seat) = self.seats.take() else {
            self.metrics.edge().connections_refused.add_shared(1);
            if quiet.speaks(self.clock.ticks()) {
                let max = self.seats.max;
                let listener = &*self.door.name;
                tracing::warn!(listener, %peer, max, "connection refused: connections_max are open");
            }
            return;
        };
        // Answers are small and complete: waiting to fill a segment would only delay them.
        let socket = socket.set_nodelay(true).and_then(|()| socket.into_std());
        let Some(lane) = self.lanes.get(seat.lane) else { return };
        match socket {
            Ok(socket) => {
                let _ = lane.send(Dealt { socket, peer, door: self.door.clone(), seat });
            }
            Err(error) => tracing::debug!(%peer, %error, "connection gone before it was served"),
        }
    }
}

/// Lets a warning through at most once a second.
#[derive(Default)]
struct Quiet {
    spoken: Option<Ticks>,
}

impl Quiet {
    fn speaks(&mut self, now: Ticks) -> bool {
        let speaks = self.spoken.is_none_or(|at| now.ms_since(at) >= MS_PER_S);
        if speaks {
            self.spoken = Some(now);
        }
        speaks
    }
}

/// Whether a failed accept concerns only the connection that was to be accepted.
fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    [ConnectionAborted, ConnectionReset, Interrupted].contains(&error.kind())
}

/// Connections that the kernel completes before we accept them.
const BACKLOG: u32 = 4_096;

/// How long an accept rests when the system is out of something.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const MS_PER_S: u64 = 1_000;
const SWEEPS_PER_DEADLINE: u64 = 8;
const SWEEP_MS_MIN: u64 = 2;
const SWEEP_MS_MAX: u64 = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_goes_to_the_lane_with_the_fewest() {
        let seats = Seats::new(2, 10);
        let first = seats.take().unwrap();
        let second = seats.take().unwrap();
        assert_ne!(first.lane, second.lane);
        let lane = first.lane;
        drop(first);
        assert_eq!(seats.take().unwrap().lane, lane);
    }

    #[test]
    fn the_last_place_is_given_once_and_given_back() {
        let seats = Seats::new(3, 2);
        let first = seats.take().unwrap();
        let _second = seats.take().unwrap();
        assert!(seats.take().is_none());
        drop(first);
        assert!(seats.take().is_some());
        assert_eq!(seats.taken(), 1);
    }

    #[test]
    fn the_sweep_follows_the_shortest_deadline() {
        let bounds = Bounds { frame_ms: 5_000, idle_ms: 300_000, write_ms: 5_000, echo_ms: 0 };
        assert_eq!(bounds.sweep_ms(), 500);
        assert_eq!(Bounds { frame_ms: 80, ..bounds }.sweep_ms(), 10);
        assert_eq!(Bounds { frame_ms: 1, ..bounds }.sweep_ms(), 2);
        assert_eq!(Bounds { echo_ms: 1_000, ..bounds }.sweep_ms(), 125);
    }
}
