//! A terminal's front on a socket: carries what it submits, and brings it the answers.
//!
//! The owner of the keys and the screen waits on [`FrontLine::wait`] beside its other sources of
//! events and hands what it brought to [`FrontLine::react`]; a wait may be dropped at any point. A
//! lost connection is opened again while the front goes on.

use core::time::Duration;
use std::collections::VecDeque;

use tokio::time::{Instant, timeout};

use super::{Host, News, Note, PATIENCE_TIMEOUTS, RECONNECT_AFTER, Wake};
use crate::front::{Front, FrontAction, FrontEvent};
use crate::link::{LinkEvent, Ticket};
use crate::moment::Moment;
use crate::pos::LineEvent;

/// The connection of one front.
#[derive(Debug)]
pub struct FrontLine {
    host: Host,
    /// The request that the front waits for.
    current: Ticket,
    /// When the front is told that nobody answered, whatever is still being repeated.
    patience_end: Option<Instant>,
}

impl FrontLine {
    /// A front's line over this connection.
    #[must_use]
    pub fn new(host: Host) -> Self {
        let current = Ticket(host.ticket_next);
        Self { host, current, patience_end: None }
    }

    /// The present moment by the line's clock.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.host.clock.now()
    }

    /// Waits for octets, for a deadline of the line, or for `time`. It may be dropped.
    pub async fn wait(&mut self, time: Duration) -> Wake {
        let pause = if self.host.stream.is_none() { time.min(RECONNECT_AFTER) } else { time };
        self.host.wait(Instant::now() + pause).await
    }

    /// Brings the front what a wait brought, and sends what it then wants sent.
    pub async fn react(&mut self, wake: Wake, front: &mut impl Front) {
        let news = self.host.react(wake).await;
        if self.host.stream.is_none() {
            // A host that is down says no at once; one that is silent must not stop the keys.
            let _ = timeout(CONNECT_PATIENCE, self.host.open()).await;
        }
        let mut todo = self.tell(news, front);
        if self.patience_end.is_some_and(|end| Instant::now() >= end) {
            self.patience_end = None;
            let now = self.now();
            todo.extend(front.handle(FrontEvent::Line(LineEvent::TimedOut), now));
        }
        todo.extend(front.handle(FrontEvent::Tick, self.now()));
        self.deliver(todo, front).await;
    }

    /// Sends what the front wants sent, and tells it at once what became of that.
    pub async fn deliver(&mut self, todo: Vec<FrontAction>, front: &mut impl Front) {
        let mut todo: VecDeque<FrontAction> = todo.into();
        while let Some(FrontAction::Submit(message, on_silence)) = todo.pop_front() {
            self.current = Ticket(self.host.ticket_next);
            self.host.ticket_next += 1;
            let patience = self.host.reply_timeout_ms.saturating_mul(PATIENCE_TIMEOUTS);
            self.patience_end = Some(Instant::now() + Duration::from_millis(patience));
            let event = LinkEvent::Submit(self.current, message, on_silence);
            let actions = self.host.link.handle(event, self.host.clock.now());
            let news = self.host.carry_out(actions).await;
            todo.extend(self.tell(news, front));
        }
    }

    /// What happened beside the transactions since the last call.
    pub fn take_notes(&mut self) -> Vec<Note> {
        self.host.take_notes()
    }

    /// See [`Host::settle`].
    pub async fn settle(&mut self, patience: Duration) -> usize {
        self.host.settle(patience).await
    }

    fn tell(&mut self, news: Vec<(Ticket, News)>, front: &mut impl Front) -> Vec<FrontAction> {
        let now = self.now();
        let mut todo = vec![];
        for (_, news) in news.into_iter().filter(|(ticket, _)| *ticket == self.current) {
            let event = match &news {
                News::Answered(reply) => LineEvent::Answered(reply),
                News::Refused(why) => LineEvent::Refused(*why),
                News::Sent(message) => LineEvent::Sent(message.clone()),
                News::TimedOut => LineEvent::TimedOut,
            };
            if !matches!(event, LineEvent::Sent(_)) {
                self.patience_end = None;
            }
            todo.extend(front.handle(FrontEvent::Line(event), now));
        }
        todo
    }
}

/// How long a connection may take to be opened again.
const CONNECT_PATIENCE: Duration = Duration::from_millis(500);
