//! What a chip knows while it has power: the application, the transaction, the challenge.

use sha1::{Digest, Sha1};

use crate::chip::apdu::{Command, Status};
use crate::chip::octets::Octets;
use crate::data::Csu;

/// Everything that ends with the power.
#[derive(Clone)]
pub(super) struct Session {
    entropy: [u8; 32],
    drawn: u32,
    pub(super) protocol: Protocol,
    pub(super) interface: Interface,
    pub(super) selected: Selected,
    pub(super) transaction: Transaction,
    pub(super) challenge: Option<[u8; 8]>,
    pub(super) waiting: Option<Waiting>,
    /// Commands since the power came.
    pub(super) commands: u32,
    pub(super) is_torn: bool,
}

impl Session {
    pub(super) fn new(entropy: [u8; 32], protocol: Protocol) -> Self {
        Self {
            entropy,
            drawn: 0,
            protocol,
            interface: Interface::Contact,
            selected: Selected::Nothing,
            transaction: Transaction::NONE,
            challenge: None,
            waiting: None,
            commands: 0,
            is_torn: false,
        }
    }

    /// Eight octets that nobody can foresee who does not know the entropy; each time others.
    pub(super) fn draw(&mut self) -> [u8; 8] {
        let mut hash = Sha1::new();
        hash.update(self.entropy);
        hash.update(self.drawn.to_be_bytes());
        self.drawn = self.drawn.wrapping_add(1);
        let hash: [u8; 20] = hash.finalize().into();
        let [a, b, c, d, e, f, g, h, ..] = hash;
        [a, b, c, d, e, f, g, h]
    }
}

/// How the reader speaks: who fetches a long answer.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Protocol {
    /// T=0: commands carry data one way only, so answers wait (61xx) or are asked for by their
    /// length (6Cxx).
    T0,
    /// T=1: whole commands, whole answers.
    #[default]
    T1,
}

/// By which way the application was found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Interface {
    Contact,
    Contactless,
}

/// What commands speak to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Selected {
    Nothing,
    /// 1PAY.SYS.DDF01.
    Directory,
    /// 2PAY.SYS.DDF01.
    Proximity,
    /// By its place in the profile.
    Application(usize),
}

/// One transaction, from GET PROCESSING OPTIONS on.
#[derive(Clone)]
pub(super) struct Transaction {
    pub(super) phase: Phase,
    /// The values that came for the lists, which a combined signature covers.
    pub(super) pdol: Octets<64>,
    pub(super) cdol1: Octets<64>,
    /// The first cryptogram.
    pub(super) arqc: [u8; 8],
    pub(super) pin: PinCheck,
    pub(super) signature: Signature,
    pub(super) issuer: IssuerCheck,
    /// MACs of the scripts that came: none is taken twice.
    pub(super) macs: [[u8; 8]; SCRIPTS_MAX],
    pub(super) mac_count: usize,
    /// A script was refused in this very transaction.
    pub(super) has_failed_script: bool,
}

/// How many scripts one transaction may bring.
pub(super) const SCRIPTS_MAX: usize = 16;

impl Transaction {
    pub(super) const NONE: Self = Self {
        phase: Phase::None,
        pdol: Octets::EMPTY,
        cdol1: Octets::EMPTY,
        arqc: [0; 8],
        pin: PinCheck::NotDone,
        signature: Signature::None,
        issuer: IssuerCheck::NotDone,
        macs: [[0; 8]; SCRIPTS_MAX],
        mac_count: 0,
        has_failed_script: false,
    };
}

/// How far a transaction is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    /// There is none.
    None,
    /// The counter is taken; no cryptogram yet.
    Initiated,
    /// An ARQC has left.
    Online,
    /// The last cryptogram has left.
    Done,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum PinCheck {
    NotDone,
    Failed,
    Passed,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Signature {
    None,
    Made,
}

/// What came of the issuer's answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum IssuerCheck {
    NotDone,
    Failed,
    /// With the status update, where the version has one.
    Passed(Option<Csu>),
}

/// An answer that waits for the right length.
#[derive(Clone)]
pub(super) struct Waiting {
    /// The command that made it, without the expected length; `None`: GET RESPONSE fetches it.
    pub(super) command: Option<[u8; 20]>,
    pub(super) answer: Octets<256>,
    pub(super) status: Status,
}

/// What tells one command from another, its expected length left out.
pub(super) fn fingerprint(command: &Command<'_>) -> [u8; 20] {
    let mut hash = Sha1::new();
    hash.update(command.header());
    hash.update(command.data);
    hash.finalize().into()
}
