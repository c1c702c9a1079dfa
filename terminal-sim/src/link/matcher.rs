//! Which request does an answer belong to? By DE 11, 41 and 7, and when none, why.
//!
//! The three elements together are what a host must give back unchanged; matching by fewer would
//! hand one customer's answer to another. An answer that matches nothing is never dropped in
//! silence: [`Unmatched`] says in words what is missing or different.

use core::fmt;
use std::collections::VecDeque;

use cekr_iso8583::{Mti, ParseError};

use crate::moment::Moment;
use crate::reply::{Reply, Title};

/// What the answer to a request must carry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Key {
    /// Message type of the request.
    pub mti: Mti,
    /// DE 11.
    pub stan: u32,
    /// DE 41.
    pub terminal: [u8; 8],
    /// DE 7.
    pub transmitted: u32,
}

/// Requests that wait for an answer, each with a payload of its sender. Bounded.
#[derive(Debug)]
pub struct Matcher<T> {
    waiting: Vec<Waiting<T>>,
    waiting_max: usize,
    /// Requests that were given up or answered, the youngest last.
    past: VecDeque<Past>,
}

#[derive(Debug)]
struct Waiting<T> {
    key: Key,
    deadline: Moment,
    payload: T,
}

#[derive(Clone, Copy, Debug)]
struct Past {
    key: Key,
    end: End,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    Answered,
    GivenUp,
}

impl<T> Matcher<T> {
    /// An empty matcher for at most so many requests at a time.
    #[must_use]
    pub const fn new(waiting_max: usize) -> Self {
        Self { waiting: Vec::new(), waiting_max, past: VecDeque::new() }
    }

    /// Waits for the answer to a request.
    ///
    /// # Errors
    /// Gives the payload back when too many requests wait already.
    pub fn expect(&mut self, key: Key, deadline: Moment, payload: T) -> Result<(), T> {
        if self.waiting.len() >= self.waiting_max {
            return Err(payload);
        }
        self.waiting.push(Waiting { key, deadline, payload });
        Ok(())
    }

    /// Finds the request that this answer belongs to and stops waiting for it.
    ///
    /// # Errors
    /// Why it belongs to none.
    pub fn take(&mut self, reply: &Reply) -> Result<T, Unmatched> {
        let unmatched = |reason| Unmatched { mti: Some(reply.mti), stan: reply.stan, reason };
        if reply.mti.is_request() {
            return Err(unmatched(Reason::NoAnswer));
        }
        let Some(stan) = reply.stan else { return Err(unmatched(Reason::Missing(11))) };
        let Some(terminal) = reply.terminal else { return Err(unmatched(Reason::Missing(41))) };
        let Some(transmitted) = reply.transmitted else {
            return Err(unmatched(Reason::Missing(7)));
        };
        let heard = Heard { mti: reply.mti, stan, terminal, transmitted };
        if let Some(at) = self.waiting.iter().position(|waiting| heard.answers(&waiting.key)) {
            let waiting = self.waiting.swap_remove(at);
            self.remember(waiting.key, End::Answered);
            return Ok(waiting.payload);
        }
        Err(unmatched(self.why_not(&heard)))
    }

    /// Gives up the requests whose time has passed, in the order in which they were sent.
    pub fn expire(&mut self, now: Moment) -> Vec<T> {
        self.give_up(|waiting| waiting.deadline <= now)
    }

    /// Gives up everything, as when the line is cut.
    pub fn expire_all(&mut self) -> Vec<T> {
        self.give_up(|_| true)
    }

    /// The next time at which something would be given up.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        self.waiting.iter().map(|waiting| waiting.deadline).min()
    }

    /// What the waiting requests carry.
    pub fn payloads(&self) -> impl Iterator<Item = &T> {
        self.waiting.iter().map(|waiting| &waiting.payload)
    }

    fn give_up(&mut self, is_over: impl Fn(&Waiting<T>) -> bool) -> Vec<T> {
        let mut over = vec![];
        let mut at = 0;
        while let Some(waiting) = self.waiting.get(at) {
            if is_over(waiting) {
                let waiting = self.waiting.remove(at);
                self.remember(waiting.key, End::GivenUp);
                over.push(waiting.payload);
            } else {
                at += 1;
            }
        }
        over
    }

    fn remember(&mut self, key: Key, end: End) {
        if self.past.len() >= PAST_MAX {
            self.past.pop_front();
        }
        self.past.push_back(Past { key, end });
    }

    /// The nearest miss: what was given up or answered before, then one difference, then none.
    fn why_not(&self, heard: &Heard) -> Reason {
        if let Some(past) = self.past.iter().rev().find(|past| heard.answers(&past.key)) {
            return match past.end {
                End::Answered => Reason::Repeated,
                End::GivenUp => Reason::Late,
            };
        }
        match self.waiting.iter().find(|waiting| waiting.key.stan == heard.stan) {
            None => Reason::NoRequest,
            Some(waiting) if waiting.key.mti.reply() != Some(heard.mti) => {
                Reason::OtherType(waiting.key.mti)
            }
            Some(waiting) if waiting.key.terminal != heard.terminal => Reason::Differs(41),
            Some(_) => Reason::Differs(7),
        }
    }
}

/// The key of an answer.
struct Heard {
    mti: Mti,
    stan: u32,
    terminal: [u8; 8],
    transmitted: u32,
}

impl Heard {
    fn answers(&self, key: &Key) -> bool {
        key.mti.reply() == Some(self.mti)
            && key.stan == self.stan
            && key.terminal == self.terminal
            && key.transmitted == self.transmitted
    }
}

/// A message that answers nothing we asked. `Display` reads `0810 STAN 832686: DE 41 missing`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unmatched {
    /// Message type, when it could be read.
    pub mti: Option<Mti>,
    /// DE 11, when it could be read.
    pub stan: Option<u32>,
    /// What is wrong with it.
    pub reason: Reason,
}

/// Why a message belongs to no request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    /// It could not be read.
    Damaged(ParseError),
    /// A request with this STAN waits, but this element differs.
    Differs(u8),
    /// It came after the time-out.
    Late,
    /// It has no MAC, and the line wants one.
    MacMissing,
    /// Its MAC is wrong: somebody changed it on its way, or the host has another key.
    MacWrong,
    /// This element is missing.
    Missing(u8),
    /// It is itself a request, and one that a terminal does not serve.
    NoAnswer,
    /// No request with this STAN waits.
    NoRequest,
    /// A request with this STAN waits, of this type, and another answer belongs to it.
    OtherType(Mti),
    /// The request was answered before.
    Repeated,
}

impl fmt::Display for Unmatched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mti {
            Some(mti) => write!(f, "{}: {}", Title { mti, stan: self.stan }, self.reason),
            None => write!(f, "message without type: {}", self.reason),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(error) => write!(f, "{error}"),
            Self::Differs(de) => write!(f, "DE {de} differs from the request"),
            Self::Late => f.write_str("came after the time-out"),
            Self::MacMissing => f.write_str("has no MAC (DE 64 or 128)"),
            Self::MacWrong => f.write_str("its MAC is wrong: it is not believed"),
            Self::Missing(de) => write!(f, "DE {de} missing"),
            Self::NoAnswer => f.write_str("is a request that a terminal does not serve"),
            Self::NoRequest => f.write_str("no request with this STAN waits"),
            Self::OtherType(mti) => write!(f, "is no answer to the {mti} with this STAN"),
            Self::Repeated => f.write_str("was answered before"),
        }
    }
}

/// How many finished requests are remembered to tell late from unknown.
const PAST_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use cekr_iso8583::Mti;

    use super::{Key, Matcher, Reason};
    use crate::moment::Moment;
    use crate::reply::Reply;

    fn key() -> Key {
        let mti = Mti::new(200).unwrap();
        Key { mti, stan: 7, terminal: *b"POS00001", transmitted: 1_122_100_000 }
    }

    fn reply() -> Reply {
        Reply {
            mti: Mti::new(210).unwrap(),
            stan: Some(7),
            terminal: Some(*b"POS00001"),
            transmitted: Some(1_122_100_000),
            ..Reply::default()
        }
    }

    fn reason(change: impl Fn(&mut Reply)) -> Reason {
        let mut matcher = Matcher::new(4);
        matcher.expect(key(), Moment::from_unix_ms(1000), ()).unwrap();
        let mut reply = reply();
        change(&mut reply);
        matcher.take(&reply).unwrap_err().reason
    }

    #[test]
    fn gives_the_payload_of_the_request_that_all_three_elements_name() {
        let mut matcher = Matcher::new(4);
        matcher.expect(key(), Moment::from_unix_ms(1000), "mine").unwrap();
        let other = Key { terminal: *b"POS00002", ..key() };
        matcher.expect(other, Moment::from_unix_ms(1000), "other").unwrap();
        assert_eq!(matcher.take(&reply()).unwrap(), "mine");
        assert_eq!(matcher.take(&reply()).unwrap_err().reason, Reason::Repeated);
    }

    #[test]
    fn says_what_is_missing_or_different() {
        assert_eq!(reason(|reply| reply.stan = None), Reason::Missing(11));
        assert_eq!(reason(|reply| reply.terminal = None), Reason::Missing(41));
        assert_eq!(reason(|reply| reply.transmitted = None), Reason::Missing(7));
        assert_eq!(reason(|reply| reply.terminal = Some(*b"POS00009")), Reason::Differs(41));
        assert_eq!(reason(|reply| reply.transmitted = Some(1)), Reason::Differs(7));
        assert_eq!(reason(|reply| reply.stan = Some(8)), Reason::NoRequest);
        let mti = Mti::new(110).unwrap();
        assert_eq!(reason(|reply| reply.mti = mti), Reason::OtherType(key().mti));
        let mti = Mti::new(200).unwrap();
        assert_eq!(reason(|reply| reply.mti = mti), Reason::NoAnswer);
    }

    #[test]
    fn speaks_in_words() {
        let mut matcher = Matcher::<()>::new(4);
        let mti = Mti::new(810).unwrap();
        let lacking = Reply { mti, stan: Some(832_686), ..Reply::default() };
        let unmatched = matcher.take(&lacking).unwrap_err();
        assert_eq!(unmatched.to_string(), "0810 STAN 832686: DE 41 missing");
    }

    #[test]
    fn calls_an_answer_late_once_its_request_was_given_up() {
        let mut matcher = Matcher::new(4);
        matcher.expect(key(), Moment::from_unix_ms(1000), 1).unwrap();
        assert_eq!(matcher.expire(Moment::from_unix_ms(999)), [] as [i32; 0]);
        assert_eq!(matcher.expire(Moment::from_unix_ms(1000)), [1]);
        assert_eq!(matcher.take(&reply()).unwrap_err().reason, Reason::Late);
    }

    #[test]
    fn refuses_what_is_beyond_its_bound() {
        let mut matcher = Matcher::new(1);
        matcher.expect(key(), Moment::from_unix_ms(1), 1).unwrap();
        assert_eq!(matcher.expect(key(), Moment::from_unix_ms(1), 2), Err(2));
    }
}
