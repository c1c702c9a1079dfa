//! Terminals that ask at once, until they have asked enough or the switch is gone.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::Random;
use super::message::{Ask, Kind, Reply, Terminal};

/// What one connection said, and heard first of each.
pub type Said = Vec<(Ask, Option<Reply>)>;

/// Who asks, how much, about which cards.
#[derive(Clone, Debug)]
pub struct Plan {
    pub connections: u32,
    /// At most so many messages are sent before their answers are read.
    pub depth_max: u64,
    /// Messages of each connection.
    pub messages: u32,
    pub cards: Range<u64>,
}

/// Numbers that no two messages share, and a bell that rings at a certain answer.
pub struct Counts {
    stan: AtomicU32,
    heard: AtomicU32,
    ring_at: u32,
    bell: Sender<()>,
}

impl Counts {
    /// STANs from `first`; the receiver hears when `ring_at` answers have come, and when the last
    /// clone of the sender is gone.
    pub fn new(first: u32, ring_at: u32) -> (Counts, Receiver<()>) {
        let (bell, rung) = channel();
        let (stan, heard) = (AtomicU32::new(first), AtomicU32::new(0));
        (Counts { stan, heard, ring_at, bell }, rung)
    }

    pub fn next_stan(&self) -> u32 {
        self.stan.fetch_add(1, Ordering::Relaxed)
    }

    pub fn heard(&self) {
        if self.heard.fetch_add(1, Ordering::AcqRel) + 1 == self.ring_at {
            let _ = self.bell.send(());
        }
    }

    /// Rings although fewer answers have come: nobody asks any more.
    pub fn done(&self) {
        let _ = self.bell.send(());
    }
}

/// Lets all connections ask; ends when all have ended.
pub fn run(addr: SocketAddr, plan: &Plan, seed: u64, counts: &Counts) -> Said {
    let all: Vec<Said> = thread::scope(|scope| {
        let threads: Vec<_> = (0..plan.connections)
            .map(|terminal| {
                let random = Random::new(seed ^ u64::from(terminal + 1) << 32);
                scope.spawn(move || drive(addr, plan, terminal, random, counts))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    counts.done();
    all.into_iter().flatten().collect()
}

fn drive(
    addr: SocketAddr,
    plan: &Plan,
    terminal: u32,
    mut random: Random,
    counts: &Counts,
) -> Said {
    let mut said: Said = Vec::new();
    let Some(mut line) = Terminal::connect(addr) else { return said };
    let mut reversed = HashSet::new();
    while said.len() < plan.messages as usize {
        let known = said.len();
        let mut octets = Vec::new();
        let mut awaited = 0;
        for _ in 0..=random.below(plan.depth_max) {
            awaited += 1;
            if known > 0 && random.below(8) == 0 {
                // A repeat, in the middle of everything.
                octets.extend(&said[random.below(known as u64) as usize].0.frame);
                continue;
            }
            let ask = next(plan, terminal, &mut random, counts, &said[..known], &mut reversed);
            octets.extend(&ask.frame);
            said.push((ask, None));
        }
        if !line.send(&octets) {
            return said;
        }
        for _ in 0..awaited {
            let Some(reply) = line.reply() else { return said };
            let key = reply.key();
            let (_, told) =
                said.iter_mut().rev().find(|(ask, _)| ask.key() == key).expect("it was asked");
            match told {
                None => *told = Some(reply),
                // "Try later" is no answer for good.
                Some(first) if first.code == "91" => *told = Some(reply),
                Some(first) => assert_eq!(*first, reply, "a repeat is answered the same"),
            }
            counts.heard();
        }
    }
    said
}

fn next(
    plan: &Plan,
    terminal: u32,
    random: &mut Random,
    counts: &Counts,
    said: &[(Ask, Option<Reply>)],
    reversed: &mut HashSet<u32>,
) -> Ask {
    let stan = counts.next_stan();
    if !said.is_empty() && random.below(6) == 0 {
        let (ask, reply) = &said[random.below(said.len() as u64) as usize];
        let is_approved = reply.as_ref().is_some_and(Reply::is_approved);
        let can_be = matches!(ask.kind, Kind::Hold | Kind::Purchase);
        if is_approved && can_be && reversed.insert(ask.stan) {
            let kind = Kind::Reversal { mti: ask.mti(), stan: ask.stan };
            return Ask::new(kind, ask.card, ask.cents, terminal, stan);
        }
    }
    let card = plan.cards.start + random.below(plan.cards.end - plan.cards.start);
    let (kind, cents_max) = match random.below(10) {
        0..=2 => (Kind::Hold, 9_00),
        // Beyond 300.00 the fee is a share, and has to be rounded.
        3 => (Kind::Withdrawal, 900_00),
        _ => (Kind::Purchase, 9_00),
    };
    let cents = 1 + random.below(cents_max);
    Ask::new(kind, card as usize, cents, terminal, stan)
}
