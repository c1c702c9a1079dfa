//! Connections of the control API: bounded in number, ended when they are late or silent, and so
//! dealt with that connections which ask nothing never keep out one that does.
//!
//! A request's head must be whole within `header_timeout_s` of the accept or of its first octet;
//! between two requests a connection may rest for `idle_timeout_s`. At `connections_max` the one
//! that has rested longest is closed for the newcomer, else the one whose head is longest under
//! way. Only when every connection is being answered is a newcomer told 503.

use std::collections::HashMap;
use std::future::Future as _;
use std::io::{self, Write as _};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Request, Response};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, Sleep};

use crate::config::HttpConfig;
use crate::metrics::Metrics;
use crate::shutdown::Stop;
use crate::sync::{Arc, Mutex};

/// Accepts and serves until the switch stops and every request under way has been answered.
pub(super) async fn serve(
    socket: TcpListener,
    router: Router,
    settings: &HttpConfig,
    metrics: &Metrics,
    mut stop: watch::Receiver<Stop>,
) {
    let bounds = Bounds {
        connections_max: usize::try_from(settings.connections_max).unwrap_or(usize::MAX),
        header: Duration::from_secs(settings.header_timeout_s),
        idle: Duration::from_secs(settings.idle_timeout_s),
    };
    let service = TowerToHyperService::new(router);
    let mut room = Room::default();
    let watched = stop.clone();
    let mut stopped = pin!(stop.wait_for(|stop| *stop == Stop::Drain));
    loop {
        metrics.edge().http_connections.set(room.seats.len() as u64);
        let accepted = tokio::select! {
            _ = &mut stopped => break,
            true = room.reap() => continue,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) if room.has_place(bounds.connections_max, metrics) => {
                let _ = stream.set_nodelay(true);
                let seat = Arc::new(Seat::new());
                let connection = Connection::new(stream, seat.clone(), bounds);
                let served = answer(connection, seat.clone(), service.clone(), watched.clone());
                room.take(seat, served, metrics);
            }
            Ok((stream, peer)) => {
                metrics.edge().http_refused.add(1);
                tracing::warn!(%peer, "control API: every connection is in use");
                refuse(stream);
            }
            Err(error) => {
                tracing::warn!(%error, "control API: accept failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(socket);
    while room.reap().await {}
    metrics.edge().http_connections.set(0);
}

#[derive(Clone, Copy)]
struct Bounds {
    connections_max: usize,
    /// For a request's head.
    header: Duration,
    /// Without a move, at any other time.
    idle: Duration,
}

/// Every connection that is open.
#[derive(Default)]
struct Room {
    tasks: JoinSet<Ended>,
    seats: HashMap<tokio::task::Id, (AbortHandle, Arc<Seat>)>,
}

/// How a connection ended.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Ended {
    /// Its request's head was not whole in time.
    Late,
    /// In any other way.
    Other,
}

impl Room {
    fn take<F>(&mut self, seat: Arc<Seat>, served: F, metrics: &Metrics)
    where
        F: Future<Output = Ended> + Send + 'static,
    {
        let metrics = metrics.clone();
        let handle = self.tasks.spawn(async move {
            let ended = served.await;
            if ended == Ended::Late {
                metrics.edge().http_late.add_shared(1);
            }
            ended
        });
        self.seats.insert(handle.id(), (handle, seat));
    }

    /// Waits for a connection to end; `false` when there is none.
    async fn reap(&mut self) -> bool {
        let Some(ended) = self.tasks.join_next_with_id().await else { return false };
        let id = match ended {
            Ok((id, _)) => id,
            Err(error) => error.id(),
        };
        self.seats.remove(&id);
        true
    }

    /// Whether one more connection may come, after closing one that asks nothing if need be.
    fn has_place(&mut self, connections_max: usize, metrics: &Metrics) -> bool {
        if self.seats.len() < connections_max {
            return true;
        }
        let order = |doing: Doing| match doing {
            Doing::Answering => None,
            Doing::Heading(since) => Some((1, since)),
            Doing::Resting(since) => Some((0, since)),
        };
        let quiet =
            self.seats.iter().filter_map(|(id, (_, seat))| Some((order(seat.doing())?, *id)));
        let Some((_, id)) = quiet.min_by_key(|(order, _)| *order) else { return false };
        if let Some((handle, _)) = self.seats.remove(&id) {
            handle.abort();
            metrics.edge().http_evicted.add_shared(1);
        }
        true
    }
}

/// What a connection is about.
#[derive(Clone, Copy)]
enum Doing {
    /// A request was read and its answer has not been handed over in full.
    Answering,
    /// The head of a request has been awaited, or been under way, since then.
    Heading(Instant),
    /// Its last answer ended then, and nothing has come since.
    Resting(Instant),
}

/// A connection's place: what it does, for its deadlines and for those that want its place.
struct Seat(Mutex<Doing>);

impl Seat {
    fn new() -> Seat {
        Seat(Mutex::new(Doing::Heading(Instant::now())))
    }

    fn doing(&self) -> Doing {
        *self.0.lock()
    }

    /// Octets came: where none was under way, a head has begun.
    fn received(&self) {
        let mut doing = self.0.lock();
        match *doing {
            Doing::Answering | Doing::Heading(_) => {}
            Doing::Resting(_) => *doing = Doing::Heading(Instant::now()),
        }
    }
}

/// A request under way; its drop, with the last of the answer, ends it.
struct Answering(Arc<Seat>);

impl Answering {
    fn begin(seat: &Arc<Seat>) -> Answering {
        *seat.0.lock() = Doing::Answering;
        Answering(seat.clone())
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        *self.0.0.lock() = Doing::Resting(Instant::now());
    }
}

/// An answer's body, and that it is under way.
struct Watched {
    body: Body,
    _answering: Answering,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Serves one connection to its end.
async fn answer(
    connection: Connection,
    seat: Arc<Seat>,
    service: TowerToHyperService<Router>,
    mut stop: watch::Receiver<Stop>,
) -> Ended {
    let service = service_fn(move |request: Request<Incoming>| {
        let answering = Answering::begin(&seat);
        let answered = service.call(request);
        async move {
            let watch = |body| Body::new(Watched { body, _answering: answering });
            answered.await.map(|response: Response<Body>| response.map(watch))
        }
    });
    let mut server = http1::Builder::new();
    server.max_buf_size(BUFFER_OCTETS_MAX);
    let mut served = pin!(server.serve_connection(TokioIo::new(connection), service));
    let stopped = async move {
        let _ = stop.wait_for(|stop| *stop == Stop::Drain).await;
    };
    let outcome = tokio::select! {
        outcome = served.as_mut() => outcome,
        () = stopped => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    match outcome {
        Err(error) if std::error::Error::source(&error).is_some_and(is_late) => Ended::Late,
        Ok(()) | Err(_) => Ended::Other,
    }
}

fn is_late(cause: &(dyn std::error::Error + 'static)) -> bool {
    let io = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    io.is_some_and(|cause| cause.is::<HeadLate>())
}

/// The head of a request was not whole in time.
#[derive(Debug, thiserror::Error)]
#[error("the head of the request took too long")]
struct HeadLate;

/// Tells a newcomer for whom there is no place, as far as it listens at once, and closes.
fn refuse(stream: TcpStream) {
    if let Ok(mut stream) = stream.into_std() {
        // Never waits: the socket does not block, and what it does not take is not sent.
        let _ = stream.write_all(NO_PLACE.as_bytes());
        let _ = stream.shutdown(std::net::Shutdown::Write);
    }
}

/// One connection's socket; reads and writes fail once a deadline of its seat has passed.
struct Connection {
    stream: TcpStream,
    seat: Arc<Seat>,
    bounds: Bounds,
    moved: Instant,
    alarm: Pin<Box<Sleep>>,
}

impl Connection {
    fn new(stream: TcpStream, seat: Arc<Seat>, bounds: Bounds) -> Connection {
        let alarm = Box::pin(tokio::time::sleep(bounds.header));
        Connection { stream, seat, bounds, moved: Instant::now(), alarm }
    }

    /// Fails once the time for what the connection is about is up.
    fn poll_late<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        let silent = self.moved + self.bounds.idle;
        let (deadline, cause) = match self.seat.doing() {
            Doing::Heading(since) => {
                let late = io::Error::new(io::ErrorKind::TimedOut, HeadLate);
                (since + self.bounds.header, late)
            }
            Doing::Answering | Doing::Resting(_) => (silent, io::ErrorKind::TimedOut.into()),
        };
        if self.alarm.deadline() != deadline {
            self.alarm.as_mut().reset(deadline);
        }
        self.alarm.as_mut().poll(context).map(|()| Err(cause))
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_read(context, buffer) {
            Poll::Ready(read) => {
                self.moved = Instant::now();
                self.seat.received();
                Poll::Ready(read)
            }
            Poll::Pending => self.poll_late(context),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(context, octets) {
            Poll::Ready(written) => {
                self.moved = Instant::now();
                Poll::Ready(written)
            }
            Poll::Pending => self.poll_late(context),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// How long an accept rests when the system is out of something.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a connection may make us keep of its request's head or of an answer that it does not read.
const BUFFER_OCTETS_MAX: usize = 32_768;

/// To a newcomer while every connection is being answered; the shape is that of every error.
const NO_PLACE: &str = "HTTP/1.1 503 Service Unavailable\r\n\
    Content-Type: application/json\r\nContent-Length: 137\r\nRetry-After: 1\r\n\
    Cache-Control: no-store\r\nConnection: close\r\n\r\n\
    {\"error\":{\"type\":\"api_error\",\"code\":\"try_later\",\
    \"message\":\"every connection is in use; [http] connections_max bounds them\",\"param\":null}}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_is_as_long_as_it_says() {
        let (head, body) = NO_PLACE.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{}", body.len());
        let told: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(told["error"]["code"], "try_later");
    }
}
