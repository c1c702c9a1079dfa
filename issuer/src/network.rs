//! Network management (08xx): sign-on and sign-off, echo, and the end of an acquirer's day.
//!
//! Only the cutover leaves a trace: it closes the acquirer's totals
//! ([`Totals`](crate::reconciliation::Totals)). Nobody has to sign on to transact.
//!
//! Source: ISO 8583:1987, DE 70.

use cekr_iso8583::{Mti, TerminalId, View};

use crate::entry::{Answered, Fact};
use crate::key::RequestKey;
use crate::reason::Reason;
use crate::request::{FORMAT_ERROR, NOT_SUPPORTED, Reject, acquirer};

/// A message about the link itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Network {
    /// The message type.
    pub mti: Mti,
    /// What makes a repeat the same request.
    pub key: RequestKey,
    /// What is asked.
    pub ask: NetworkAsk,
}

/// What is asked about a link, by DE 70.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NetworkAsk {
    /// 201: the acquirer's day ends.
    Cutover,
    /// 301: are you there.
    Echo,
    /// 101, 161: a working key for the link.
    KeyExchange,
    /// 002.
    SignOff,
    /// 001.
    SignOn,
}

impl Network {
    /// What the end of a day leaves in the journal.
    #[must_use]
    pub fn cut_over(&self) -> Fact {
        Fact::CutOver(Answered::about_link(self.mti, self.key, Reason::Approved))
    }
}

pub(crate) fn parse(view: &View<'_>, listener: u32) -> Result<Network, Reject> {
    let key = link_key(view, listener)?;
    let ask = match view.network_code().ok_or(FORMAT_ERROR)? {
        1 => NetworkAsk::SignOn,
        2 => NetworkAsk::SignOff,
        101 | 161 => NetworkAsk::KeyExchange,
        201 => NetworkAsk::Cutover,
        301 => NetworkAsk::Echo,
        _ => return Err(NOT_SUPPORTED),
    };
    Ok(Network { mti: view.mti(), key, ask })
}

/// The key of a message that needs no terminal: an acquirer's host may send it.
pub(crate) fn link_key(view: &View<'_>, listener: u32) -> Result<RequestKey, Reject> {
    let (Some(transmitted), Some(stan)) = (view.transmission_time(), view.stan()) else {
        return Err(FORMAT_ERROR);
    };
    Ok(RequestKey {
        acquirer: acquirer(view, listener),
        terminal: view.terminal().unwrap_or(NO_TERMINAL),
        when: transmitted.number(),
        stan: stan.number(),
        class: view.mti().class_pair(),
    })
}

/// In place of DE 41 where a message has none.
pub const NO_TERMINAL: TerminalId = TerminalId::new([0; 8]);
