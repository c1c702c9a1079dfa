//! A payment chip, simulated: commands in, answers out, and a memory that survives being torn out.
//!
//! [`Chip::process`] takes the octets of one command and writes those of its answer; whatever the
//! octets are, the answer ends with two octets of [`Status`]. Nothing is allocated, no clock is
//! read, and no random number is drawn: what must be unforeseeable follows from the entropy of
//! [`Chip::reset`]. What a chip must not forget stands in [`Kept`], and is written before the
//! answer leaves that depends on it. [`Faults`] spoil the chip on purpose.
//!
//! | module | what |
//! |---|---|
//! | [`profile`] | what it is personalised with |
//! | `select` | directories, applications, records, single data |
//! | `generate` | processing options, cryptograms, signatures, contactless payments |
//! | `risk` | what the chip finds and decides by itself |
//! | `verify` | PINs and challenges |
//! | `script` | what its issuer has it do |
//!
//! How a Visa chip weighs its findings is not published in full; where the public standards leave
//! it open, `risk` says what we chose.
//!
//! Source: EMV 4.3 Books 1 to 3; the layout of 9F10 as [`crate::data`] has it.
//!
//! ```
//! use cekr_emv::chip::{Chip, profile::{Profile, Version}};
//! use cekr_emv::{CardNumber, Pin, tlv};
//!
//! let number = CardNumber::parse(b"4761730000000011").expect("16 digits");
//! let pin = Pin::parse(b"1234").expect("4 digits");
//! let profile = Profile::development(number, 0x01, 3012, &pin, Version::Eighteen);
//! let mut chip = Chip::new(&profile.expect("a month"));
//! chip.reset([7; 32]);
//!
//! let mut answer = [0; cekr_emv::chip::ANSWER_OCTETS_MAX];
//! let select = b"\x00\xA4\x04\x00\x07\xA0\x00\x00\x00\x03\x10\x10\x00";
//! let len = chip.process(select, &mut answer);
//! let (data, status) = answer[..len].split_at(len - 2);
//! assert_eq!(status, [0x90, 0x00]);
//! let template = tlv::value_of(data, 0x6F).expect("a template");
//! assert_eq!(tlv::value_of(template, 0x84), Some(&select[5..12]));
//! ```

mod apdu;
mod files;
pub mod fuzzing;
mod generate;
mod kept;
mod lists;
mod octets;
pub mod profile;
mod risk;
mod script;
mod select;
mod session;
mod verify;

pub use apdu::Status;
pub use kept::{Block, Kept};
pub use octets::Octets;
pub use session::Protocol;

use apdu::{Answer, Command, Stop};
use files::Files;
use kept::{Log, Scripts, Unfinished};
use profile::Profile;
use session::{Selected, Session, Waiting, fingerprint};

use crate::crypto::rsa::PrivateKey;

/// One card's chip.
#[derive(Clone)]
pub struct Chip {
    profile: Profile,
    icc: Option<PrivateKey>,
    pin_key: Option<PrivateKey>,
    kept: Kept,
    session: Session,
    faults: Faults,
}

impl Chip {
    /// A chip as it comes from personalisation, without power.
    pub fn new(profile: &Profile) -> Self {
        let icc = profile.oda.map(|oda| oda.chip.pair());
        let pin_key = profile.oda.map(|oda| oda.pin.unwrap_or(oda.chip).pair());
        let files = Files::of(profile);
        debug_assert!(files.is_some(), "the records of a profile fit into a chip");
        let unfinished = Unfinished { is_new: true, ..Unfinished::default() };
        let kept = Kept {
            atc: 0,
            atc_last_online: 0,
            total_since_online: 0,
            limits: profile.limits,
            pin: profile.pin.clone(),
            pin_tries: profile.pin_tries_max,
            block: Block::None,
            unfinished,
            occasion: None,
            scripts: Scripts::default(),
            log: Log::EMPTY,
            files: files.unwrap_or_default(),
        };
        let session = Session::new([0; 32], Protocol::default());
        Self { profile: profile.clone(), icc, pin_key, kept, session, faults: Faults::default() }
    }

    /// What the chip says when the power comes: its protocol, and `CeKR`.
    ///
    /// Source: EMV 4.3 Book 1, section 8.2, tables 15 (T=0) and 16 (T=1).
    pub fn atr(&self) -> &'static [u8] {
        match self.session.protocol {
            Protocol::T0 => &[0x3B, 0x64, 0x00, 0x00, b'C', b'e', b'K', b'R'],
            Protocol::T1 => {
                &[0x3B, 0xE4, 0x00, 0xFF, 0x81, 0x31, 0xFE, 0x45, b'C', b'e', b'K', b'R', 0x2F]
            }
        }
    }

    /// The power comes, or goes and comes again: all is forgotten that is not [`Kept`].
    ///
    /// Challenges and the chip's part of signatures follow from `entropy`.
    pub fn reset(&mut self, entropy: [u8; 32]) {
        self.session = Session::new(entropy, self.session.protocol);
    }

    /// Which protocol the reader speaks, from the next reset on; T=1 unless told otherwise.
    pub fn speak(&mut self, protocol: Protocol) {
        self.session.protocol = protocol;
    }

    /// Carries out one command and returns the length of its answer in octets.
    ///
    /// The answer is at most [`ANSWER_OCTETS_MAX`] octets; in less room the chip may answer 6F00.
    /// 0 says that the chip has no power any more (see [`Faults`]), or that there is no room even
    /// for a status.
    pub fn process(&mut self, apdu: &[u8], out: &mut [u8]) -> usize {
        self.session.commands = self.session.commands.saturating_add(1);
        if self.faults.torn_out_after.is_some_and(|count| self.session.commands > count) {
            self.session.is_torn = true;
        }
        if self.session.is_torn {
            return 0;
        }
        let Some(room_octets) = out.len().checked_sub(2) else { return 0 };
        let room = out.get_mut(..room_octets.min(DATA_OCTETS_MAX)).unwrap_or_default();
        let answer = match self.answer(apdu, room) {
            Ok(answer) => answer,
            Err(Stop::Status(status)) => Answer { len_octets: 0, status },
            Err(Stop::Torn) => {
                self.session.is_torn = true;
                return 0;
            }
        };
        if self.faults.answer_lost_at.is_some_and(|count| self.session.commands > count) {
            self.session.is_torn = true;
            return 0;
        }
        let end = answer.len_octets + 2;
        if let Some(place) = out.get_mut(answer.len_octets..end) {
            place.copy_from_slice(&answer.status.octets());
        }
        end
    }

    /// What is wrong with the chip; settings hold until they are changed.
    pub fn faults(&mut self) -> &mut Faults {
        &mut self.faults
    }

    /// What survives the power.
    pub fn kept(&self) -> &Kept {
        &self.kept
    }

    /// Puts the memory back to an earlier state, as a card in a drawer has it.
    pub fn restore(&mut self, kept: Kept) {
        self.kept = kept;
    }

    /// The answer, cut to what was asked for.
    fn answer(&mut self, apdu: &[u8], room: &mut [u8]) -> Result<Answer, Stop> {
        let command = Command::parse(apdu)?;
        if let Some(waiting) = self.session.waiting.take() {
            let is_fetch = (command.class, command.instruction) == (0x00, 0xC0);
            match waiting.command {
                None if is_fetch => return self.fetch(&command, waiting, room),
                Some(of) if of == fingerprint(&command) => {
                    return self.fetch(&command, waiting, room);
                }
                Some(_) | None => (),
            }
        }
        let answer = self.carry_out(&command, room)?;
        self.cut(&command, answer, room)
    }

    /// An answer that did not fit the expected length, or that this protocol makes wait, is kept.
    fn cut(&mut self, command: &Command<'_>, answer: Answer, room: &[u8]) -> Result<Answer, Stop> {
        let Answer { len_octets, status } = answer;
        let len = (len_octets % 256) as u8;
        let (waits_for, status_now) = match (self.session.protocol, command.expected) {
            _ if len_octets == 0 => return Ok(answer),
            (Protocol::T1, None) => return Ok(answer),
            (Protocol::T1, Some(expected)) if expected >= len_octets => return Ok(answer),
            (Protocol::T0, Some(expected)) if expected == len_octets && command.data.is_empty() => {
                return Ok(answer);
            }
            (Protocol::T0, Some(_)) if command.data.is_empty() => {
                (Some(fingerprint(command)), Status::WrongExpectedLength(len))
            }
            // A warning is told at once, its data wait.
            (Protocol::T0, _) if status != Status::Done => (None, status),
            (Protocol::T0, _) => (None, Status::MoreWaits(len)),
            (Protocol::T1, Some(_)) => {
                (Some(fingerprint(command)), Status::WrongExpectedLength(len))
            }
        };
        let kept = room.get(..len_octets).and_then(Octets::of).ok_or(Status::Internal)?;
        self.session.waiting = Some(Waiting { command: waits_for, answer: kept, status });
        Ok(Answer { len_octets: 0, status: status_now })
    }

    /// Gives what waited, if the length is right now.
    fn fetch(
        &mut self,
        command: &Command<'_>,
        waiting: Waiting,
        room: &mut [u8],
    ) -> Result<Answer, Stop> {
        let kept = waiting.answer.as_slice();
        let is_right = match self.session.protocol {
            Protocol::T0 => command.expected == Some(kept.len()),
            Protocol::T1 => command.expected.is_none_or(|expected| expected >= kept.len()),
        };
        if !is_right {
            let len = (kept.len() % 256) as u8;
            self.session.waiting = Some(waiting);
            return Err(Status::WrongExpectedLength(len).into());
        }
        let place = room.get_mut(..kept.len()).ok_or(Status::Internal)?;
        place.copy_from_slice(kept);
        Ok(Answer { len_octets: kept.len(), status: waiting.status })
    }

    /// Carries out a command, whatever the protocol.
    fn carry_out(&mut self, command: &Command<'_>, room: &mut [u8]) -> Result<Answer, Stop> {
        match self.kept.block {
            Block::Card => return Err(Status::NotSupported.into()),
            Block::Application | Block::None => (),
        }
        match (command.class, command.instruction) {
            (0x00, 0x20) => self.verify(command),
            (0x00, 0x82) => self.external_authenticate(command),
            (0x00, 0x84) => self.challenge(command, room),
            (0x00, 0x88) => self.internal_authenticate(command, room),
            (0x00, 0xA4) => self.select(command, room),
            (0x00, 0xB2) => self.read_record(command, room),
            (0x00, 0xC0) => Err(Status::ConditionsNotSatisfied.into()),
            (0x80, 0xA8) => self.processing_options(command, room),
            (0x80, 0xAE) => self.generate(command, room),
            (0x80, 0xCA) => self.data(command, room),
            (0x84, 0x16 | 0x18 | 0x1E | 0x24) | (0x04, 0xDA | 0xDC) => self.script(command),
            (0x00 | 0x04 | 0x80 | 0x84, _) => Err(Status::UnknownInstruction.into()),
            _ => Err(Status::UnknownClass.into()),
        }
    }

    /// Changes what survives the power. Whoever answers by the change calls this first.
    fn keep(&mut self, change: impl FnOnce(&mut Kept)) -> Result<(), Stop> {
        if let Some(left) = &mut self.faults.writes_left {
            *left = left.checked_sub(1).ok_or(Stop::Torn)?;
        }
        change(&mut self.kept);
        Ok(())
    }

    /// The application that was selected.
    fn application(&self) -> Result<&'static profile::Application, Status> {
        let Selected::Application(place) = self.session.selected else {
            return Err(Status::ConditionsNotSatisfied);
        };
        self.profile.applications.get(place).ok_or(Status::Internal)
    }
}

/// What is wrong with a chip, for tests of those who deal with it. None by default.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Faults {
    /// The chip answers so many commands since the last reset; the one after them it carries out,
    /// and loses its power before anybody hears.
    pub answer_lost_at: Option<u32>,
    /// Signatures are wrong in one bit.
    pub bad_signature: bool,
    /// Milliseconds that the reader shall let pass before it hands on an answer.
    pub slow_ms: u32,
    /// The counter stands still.
    pub stuck_atc: bool,
    /// The chip loses its power after so many commands since the last reset: it answers no more.
    pub torn_out_after: Option<u32>,
    /// The chip loses its power at the write after so many to its memory, in the middle of a
    /// command. Counted down as they happen.
    pub writes_left: Option<u32>,
    /// Cryptograms are wrong in one bit.
    pub wrong_cryptogram: bool,
}

/// The longest answer in octets, its status with it.
pub const ANSWER_OCTETS_MAX: usize = DATA_OCTETS_MAX + 2;

const DATA_OCTETS_MAX: usize = 256;
