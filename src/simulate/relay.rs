//! A line between a simulated terminal and the switch that loses, delays or doubles one message.
//!
//! It stands on a socket of its own, passes octets as they come, and touches one request: the first
//! that moves money. Neither side knows of it.

use std::io;

use cekr_iso8583::{Framing, Spec, Step, View};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::mishap::Mishap;

/// What is done to the line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Trick {
    /// The answer stays here until the reversal has been answered.
    Delay,
    /// The answer is dropped, and the request goes again as a repeat.
    Lose,
    /// The request goes twice.
    Double,
}

/// A line that is about to do it.
pub(super) struct Relay {
    to: String,
    spec: &'static Spec,
    framing: Framing,
    trick: Trick,
    /// The request that it touches: its frame, its DE 11, and where the message begins in it.
    victim: Option<Victim>,
    /// What is held back.
    held: Option<Vec<u8>>,
    is_done: bool,
}

struct Victim {
    stan: u64,
    class: u8,
    frame: Vec<u8>,
    message_at: usize,
}

/// A message on its way, with what it means for the line.
struct Passing {
    stan: Option<u64>,
    class: u8,
    is_request: bool,
    moves_money: bool,
    message_at: usize,
}

impl Relay {
    /// The line for a mishap; none where the line is not to blame.
    pub(super) fn of(
        mishap: Option<Mishap>,
        to: &str,
        spec: &'static Spec,
        framing: Framing,
    ) -> Option<Relay> {
        let trick = match mishap? {
            Mishap::AnswerLate => Trick::Delay,
            Mishap::AnswerLost => Trick::Lose,
            Mishap::SentTwice => Trick::Double,
            Mishap::DispenserJams
            | Mishap::PartlyDispensed
            | Mishap::PayerDeclined
            | Mishap::WrongPin => return None,
        };
        let to = to.to_owned();
        Some(Relay { to, spec, framing, trick, victim: None, held: None, is_done: false })
    }

    /// Opens it for one terminal, and tells where that connects. It ends with either side.
    pub(super) async fn open(self) -> io::Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        tokio::spawn(async move {
            if let Err(error) = self.serve(listener).await {
                tracing::debug!(%error, "a simulated line has ended");
            }
        });
        Ok(address)
    }

    async fn serve(mut self, listener: TcpListener) -> io::Result<()> {
        let (mut terminal, _) = listener.accept().await?;
        drop(listener);
        let mut switch = TcpStream::connect(&self.to).await?;
        terminal.set_nodelay(true)?;
        switch.set_nodelay(true)?;
        let (mut up, mut down) = (Vec::new(), Vec::new());
        let (mut of_terminal, mut of_switch) = (vec![0; READ_OCTETS], vec![0; READ_OCTETS]);
        loop {
            tokio::select! {
                read = terminal.read(&mut of_terminal) => {
                    let Some(octets) = of_terminal.get(..read?).filter(|read| !read.is_empty())
                    else { return Ok(()) };
                    up.extend_from_slice(octets);
                    while let Some(frame) = self.whole(&mut up)? {
                        self.upwards(&mut switch, &frame).await?;
                    }
                }
                read = switch.read(&mut of_switch) => {
                    let Some(octets) = of_switch.get(..read?).filter(|read| !read.is_empty())
                    else { return Ok(()) };
                    down.extend_from_slice(octets);
                    while let Some(frame) = self.whole(&mut down)? {
                        self.downwards(&mut terminal, &mut switch, frame).await?;
                    }
                }
            }
        }
    }

    /// Takes a whole frame off what was read.
    fn whole(&self, read: &mut Vec<u8>) -> io::Result<Option<Vec<u8>>> {
        let step = self.framing.next(read, OCTETS_MAX);
        let consumed = match step {
            Ok(Step::NeedMore) => return Ok(None),
            Ok(Step::KeepAlive { consumed } | Step::Message { consumed, .. }) => consumed,
            Err(_) => return Err(io::ErrorKind::InvalidData.into()),
        };
        Ok(Some(read.drain(..consumed.min(read.len())).collect()))
    }

    fn read(&self, frame: &[u8]) -> Option<Passing> {
        let Ok(Step::Message { message, .. }) = self.framing.next(frame, OCTETS_MAX) else {
            return None;
        };
        let view = View::parse(self.spec, message).ok()?;
        let (mti, code) = (view.mti(), view.number(3).unwrap_or_default() / 10_000);
        let is_enquiry = matches!(code, 30..=39 | 92);
        Some(Passing {
            stan: view.number(11),
            class: mti.class(),
            is_request: mti.is_request(),
            moves_money: matches!(mti.class(), 1 | 2) && !is_enquiry && view.has(4),
            message_at: frame.len().saturating_sub(message.len()),
        })
    }

    async fn upwards(&mut self, switch: &mut TcpStream, frame: &[u8]) -> io::Result<()> {
        switch.write_all(frame).await?;
        let Some(passing) = self.read(frame) else { return Ok(()) };
        if self.victim.is_some() || !passing.is_request || !passing.moves_money {
            return Ok(());
        }
        if self.trick == Trick::Double {
            switch.write_all(frame).await?;
        }
        let Some(stan) = passing.stan else { return Ok(()) };
        let (frame, message_at) = (frame.to_vec(), passing.message_at);
        self.victim = Some(Victim { stan, class: passing.class, frame, message_at });
        Ok(())
    }

    async fn downwards(
        &mut self,
        terminal: &mut TcpStream,
        switch: &mut TcpStream,
        frame: Vec<u8>,
    ) -> io::Result<()> {
        let passing = self.read(&frame);
        let is_answer = passing.as_ref().is_some_and(|passing| {
            let is_its = |victim: &Victim| {
                passing.stan == Some(victim.stan) && passing.class == victim.class
            };
            !passing.is_request && self.victim.as_ref().is_some_and(is_its)
        });
        if is_answer && !self.is_done {
            self.is_done = true;
            match self.trick {
                Trick::Delay => {
                    self.held = Some(frame);
                    return Ok(());
                }
                Trick::Lose => {
                    let again = self.victim.as_ref().map(repeat).unwrap_or_default();
                    return switch.write_all(&again).await;
                }
                Trick::Double => {}
            }
        }
        terminal.write_all(&frame).await?;
        if passing.is_some_and(|passing| passing.class == 4)
            && let Some(held) = self.held.take()
        {
            terminal.write_all(&held).await?;
        }
        Ok(())
    }
}

/// The request as its repeat: 0200 becomes 0201, in digits or packed.
fn repeat(victim: &Victim) -> Vec<u8> {
    let mut frame = victim.frame.clone();
    let is_text = frame.get(victim.message_at) == Some(&b'0');
    let last = victim.message_at + if is_text { 3 } else { 1 };
    if let Some(digit) = frame.get_mut(last) {
        *digit |= 1;
    }
    frame
}

const READ_OCTETS: usize = 4_096;
/// The longest message.
const OCTETS_MAX: usize = 4_096;
