//! What the issuer has a chip do after a transaction: commands, their template, and their fate.
//!
//! A script is one or more whole commands in tag 71 (before the chip's last cryptogram) or 72
//! (after it). Each command is sealed for one transaction ([`crate::crypto::script`]), so it is
//! made anew when it is sent again. The terminal tells in tag 9F5B what became of it.
//!
//! Source: EMV 4.3 Book 3, sections 6.5.1 to 6.5.11 (commands) and 10.10 (templates); Book 4, Annex
//! A5 (results); PUT DATA with its class as `tests/vectors/emv/card_crypto.json` has it.
//!
//! ```
//! use cekr_emv::issuer::{Command, ScriptResult};
//!
//! assert_eq!(Command::PinUnblock.header(), [0x84, 0x24, 0x00, 0x00, 0x08]);
//! let results = ScriptResult::all(&[0x20, 0x00, 0x00, 0x00, 0x2A]);
//! assert!(results.eq([ScriptResult { id: [0, 0, 0, 0x2A], is_done: true }]));
//! ```

use crate::crypto::cvn::ScriptSession;
use crate::crypto::derive::Atc;
use crate::crypto::script::{self, Occasion, PinChangeKeys};
use crate::keys::{Key, MkSmi};
use crate::pin::Pin;
use crate::tlv::{TlvError, Writer};

/// A command without a secret in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Command {
    /// The application answers no more; it can be unblocked.
    ApplicationBlock,
    /// It answers again.
    ApplicationUnblock,
    /// The card answers no more, for good.
    CardBlock,
    /// The PIN tries of the chip are given back.
    PinUnblock,
    /// A value takes the place of another.
    PutData(Datum),
}

/// A value of a chip that a script may set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Datum {
    /// Its tag, two octets.
    pub tag: u16,
    octets: [u8; DATUM_OCTETS_MAX],
    len_octets: u8,
}

impl Datum {
    /// The value of `tag`; `None` for more than six octets.
    ///
    /// These are 9F58 and 9F59 (how many transactions in a row without the issuer), 9F54 and 9F5C
    /// (for how much), 9F17 (PIN tries).
    pub fn new(tag: u16, value: &[u8]) -> Option<Self> {
        let mut octets = [0; DATUM_OCTETS_MAX];
        octets.get_mut(..value.len())?.copy_from_slice(value);
        Some(Self { tag, octets, len_octets: u8::try_from(value.len()).ok()? })
    }

    /// The value.
    pub fn value(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len_octets)).unwrap_or_default()
    }
}

impl Command {
    /// Class, instruction, parameters and the length of data and MAC.
    pub fn header(self) -> [u8; 5] {
        match self {
            Self::ApplicationBlock => [0x84, 0x1E, 0x00, 0x00, 0x08],
            Self::ApplicationUnblock => [0x84, 0x18, 0x00, 0x00, 0x08],
            Self::CardBlock => [0x84, 0x16, 0x00, 0x00, 0x08],
            Self::PinUnblock => [0x84, 0x24, 0x00, 0x00, 0x08],
            Self::PutData(datum) => {
                let [high, low] = datum.tag.to_be_bytes();
                [0x04, 0xDA, high, low, datum.len_octets + 8]
            }
        }
    }

    fn data(&self) -> &[u8] {
        match self {
            Self::ApplicationBlock
            | Self::ApplicationUnblock
            | Self::CardBlock
            | Self::PinUnblock => &[],
            Self::PutData(datum) => datum.value(),
        }
    }

    /// The whole command, sealed for one transaction.
    pub fn sealed(
        &self,
        session: ScriptSession,
        smi: &Key<MkSmi>,
        occasion: Occasion,
    ) -> SealedCommand {
        let (header, data) = (self.header(), self.data());
        let mac = script::mac(&session.key(smi, occasion), header, occasion, data);
        SealedCommand::of([&header, data, &mac])
    }
}

/// A new PIN for a chip, enciphered and sealed for one transaction.
///
/// The chip checks `old` too where it is given.
pub fn pin_change(
    session: ScriptSession,
    keys: &PinChangeKeys<'_>,
    occasion: Occasion,
    pin: &Pin,
    old: Option<&Pin>,
) -> SealedCommand {
    SealedCommand::of([&script::pin_change_visa(session, keys, occasion, pin, old), &[], &[]])
}

/// A whole command with its MAC.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SealedCommand {
    octets: [u8; COMMAND_OCTETS_MAX],
    len_octets: u8,
}

impl SealedCommand {
    fn of(parts: [&[u8]; 3]) -> Self {
        let mut sealed = Self { octets: [0; COMMAND_OCTETS_MAX], len_octets: 0 };
        for (to, from) in sealed.octets.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
            sealed.len_octets += 1;
        }
        sealed
    }

    /// The octets that the terminal passes on to the chip.
    pub fn octets(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len_octets)).unwrap_or_default()
    }
}

/// When a terminal passes a script on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum When {
    /// After the chip's last cryptogram (tag 72).
    AfterFinal,
    /// Before it (tag 71).
    BeforeFinal,
}

/// Writes a script of these commands into `room` and gives its length in octets.
///
/// `id` comes back in tag 9F5B.
///
/// # Errors
///
/// [`TlvError::NoRoom`].
pub fn template(
    when: When,
    id: [u8; 4],
    commands: &[SealedCommand],
    room: &mut [u8],
) -> Result<usize, TlvError> {
    let mut inner = [0; TEMPLATE_OCTETS_MAX];
    let mut writer = Writer::new(&mut inner);
    writer.put(SCRIPT_ID, &id)?;
    commands.iter().try_for_each(|command| writer.put(SCRIPT_COMMAND, command.octets()))?;
    let mut outer = Writer::new(room);
    let tag = match when {
        When::AfterFinal => 0x72,
        When::BeforeFinal => 0x71,
    };
    outer.put(tag, writer.written())?;
    Ok(outer.written().len())
}

/// What a terminal tells of one script.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ScriptResult {
    /// The script.
    pub id: [u8; 4],
    /// Whether the chip carried out all of its commands.
    pub is_done: bool,
}

impl ScriptResult {
    /// The results in tag 9F5B, five octets each; what is left at the end is passed over.
    pub fn all(value: &[u8]) -> impl Iterator<Item = Self> {
        // 2 in the upper half says done; 0 not tried, 1 failed at the command in the lower half.
        let (results, _) = value.as_chunks::<5>();
        results.iter().map(|[result, id @ ..]| Self { id: *id, is_done: result >> 4 == 2 })
    }
}

/// The life of a script.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ScriptState {
    /// The chip has carried it out, as it told at this counter.
    Accepted {
        /// The counter.
        at: Atc,
    },
    /// It is not to be sent any more.
    Cancelled,
    /// It waits for a transaction.
    Pending,
    /// It went out, and nothing was heard of it yet.
    Sent {
        /// How often.
        count: u8,
        /// With the answer to which counter, the last time.
        at: Atc,
    },
}

/// A script with what became of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct QueuedScript {
    /// What the chip is to do.
    pub command: Command,
    /// How far it came.
    pub state: ScriptState,
    id: [u8; 4],
}

/// The scripts of one card: a few places, the settled ones make room.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ScriptQueue {
    places: [Option<QueuedScript>; SCRIPTS_MAX],
    made: u32,
}

impl ScriptQueue {
    /// Adds a script; `None` when every place is taken by one that still waits.
    ///
    /// The id that it gets comes back with its result. One that waits with the same command is
    /// kept instead.
    pub fn add(&mut self, command: Command) -> Option<[u8; 4]> {
        let waiting = self.open().find(|queued| queued.command == command);
        if let Some(queued) = waiting {
            return Some(queued.id);
        }
        let is_free = |place: &&mut Option<QueuedScript>| match place {
            None => true,
            Some(queued) => !queued.is_open(),
        };
        let place = self.places.iter_mut().find(is_free)?;
        self.made = self.made.wrapping_add(1);
        let id = self.made.to_be_bytes();
        *place = Some(QueuedScript { command, state: ScriptState::Pending, id });
        Some(id)
    }

    /// The scripts that are still to be carried out, in no order.
    pub fn open(&self) -> impl Iterator<Item = &QueuedScript> {
        self.places.iter().flatten().filter(|queued| queued.is_open())
    }

    /// All that is remembered.
    pub fn all(&self) -> impl Iterator<Item = &QueuedScript> {
        self.places.iter().flatten()
    }

    /// Notes that the script `id` went out with the answer to the counter `at`.
    pub fn note_sent(&mut self, id: [u8; 4], at: Atc) {
        self.change(id, |state| match state {
            ScriptState::Pending => ScriptState::Sent { count: 1, at },
            ScriptState::Sent { count, .. } => {
                ScriptState::Sent { count: count.saturating_add(1), at }
            }
            ScriptState::Accepted { .. } | ScriptState::Cancelled => state,
        });
    }

    /// Notes what a terminal told at the counter `at`: a script that failed waits again.
    pub fn note_result(&mut self, result: ScriptResult, at: Atc) {
        self.change(result.id, |state| match state {
            ScriptState::Sent { .. } if result.is_done => ScriptState::Accepted { at },
            ScriptState::Sent { .. } => ScriptState::Pending,
            ScriptState::Accepted { .. } | ScriptState::Cancelled | ScriptState::Pending => state,
        });
    }

    /// Takes back a script that waits or went out.
    pub fn cancel(&mut self, id: [u8; 4]) {
        self.change(id, |state| match state {
            ScriptState::Pending | ScriptState::Sent { .. } => ScriptState::Cancelled,
            ScriptState::Accepted { .. } | ScriptState::Cancelled => state,
        });
    }

    fn change(&mut self, id: [u8; 4], change: impl FnOnce(ScriptState) -> ScriptState) {
        let queued = self.places.iter_mut().flatten().find(|queued| queued.id == id);
        if let Some(queued) = queued {
            queued.state = change(queued.state);
        }
    }
}

impl QueuedScript {
    /// What its result names it by.
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    fn is_open(&self) -> bool {
        match self.state {
            ScriptState::Pending | ScriptState::Sent { .. } => true,
            ScriptState::Accepted { .. } | ScriptState::Cancelled => false,
        }
    }
}

/// Scripts that one card remembers.
pub const SCRIPTS_MAX: usize = 4;

/// The longest value that a script sets: an amount.
const DATUM_OCTETS_MAX: usize = 6;

/// The longest command: a PIN change.
const COMMAND_OCTETS_MAX: usize = 29;

/// EMV 4.3 Book 3, 10.10: all scripts of one answer together.
const TEMPLATE_OCTETS_MAX: usize = 128;

const SCRIPT_COMMAND: u32 = 0x86;
const SCRIPT_ID: u32 = 0x9F18;
