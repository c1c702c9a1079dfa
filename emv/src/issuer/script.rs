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

/// What a chip is to do: a command, or to take the holder's PIN, which stands in no queue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Order {
    /// A command that is sealed as it stands.
    Command(Command),
    /// Take the PIN that the holder has: it is sent with an answer to a message that brings it.
    PinChange,
}

impl Order {
    /// Whether a chip that has carried it out makes no cryptogram any more.
    pub const fn silences(self) -> bool {
        matches!(self, Self::Command(Command::ApplicationBlock | Command::CardBlock))
    }

    /// Whether it asks a silenced chip to speak again.
    pub const fn unblocks(self) -> bool {
        matches!(self, Self::Command(Command::ApplicationUnblock))
    }
}

/// The life of a script.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ScriptState {
    /// The chip has carried it out.
    Accepted,
    /// It is not to be sent any more.
    Cancelled,
    /// It was sent as often as it may be, and the chip has not carried it out.
    Failed,
    /// It waits for a transaction.
    Pending,
    /// It went out, and nothing was heard of it yet.
    Sent,
}

/// A script with what became of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct QueuedScript {
    /// Its place among all scripts of the card, from 1.
    pub number: u32,
    /// What the chip is to do.
    pub order: Order,
    /// How far it came.
    pub state: ScriptState,
    /// How often it went out.
    pub sends: u8,
    /// With the answer to which counter, the last time.
    pub at: Atc,
}

impl QueuedScript {
    /// Whether it is still to be carried out.
    pub const fn is_open(&self) -> bool {
        match self.state {
            ScriptState::Pending | ScriptState::Sent => true,
            ScriptState::Accepted | ScriptState::Cancelled | ScriptState::Failed => false,
        }
    }
}

/// What a message tells of scripts.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Heard {
    /// The counter of its cryptogram, where that was found right and new.
    pub alive_at: Option<Atc>,
    /// What the chip has sealed with it: how many commands it carried out after its last
    /// transaction, and whether it refused one.
    pub sealed: (u8, bool),
    /// What the terminal tells (9F5B).
    pub told: Option<ScriptResult>,
}

/// What became of a script that went out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ScriptOutcome {
    /// The chip has carried it out.
    Accepted,
    /// It needs no sending any more.
    Cancelled,
    /// The chip has not carried it out, and it was sent as often as it may be.
    Failed,
    /// The chip has not carried it out: it is sent again.
    Refused,
}

/// The scripts of one card: a few places, the settled ones make room, the oldest first.
///
/// A script goes out with the answer to one cryptogram and is named by that one's counter
/// ([`script_id`]): nothing of it has to be kept to make it again.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ScriptQueue {
    places: [Option<QueuedScript>; SCRIPTS_MAX],
    made: u32,
}

/// The name (9F18) of the script that goes out with the answer to the counter `at`.
pub const fn script_id(at: Atc) -> [u8; 4] {
    let [high, low] = at;
    [0, 0, high, low]
}

impl ScriptQueue {
    /// The queue of these scripts after `made` were made; what is above its places is left out.
    pub fn restored(scripts: impl IntoIterator<Item = QueuedScript>, made: u32) -> Self {
        let mut queue = Self { places: [None; SCRIPTS_MAX], made };
        for (place, script) in queue.places.iter_mut().zip(scripts) {
            *place = Some(script);
        }
        queue
    }

    /// How many scripts were ever made for the card.
    pub const fn made(&self) -> u32 {
        self.made
    }

    /// Whether `order` would be taken: it waits already, or a place is free.
    pub fn takes(&self, order: Order) -> bool {
        self.waiting(order).is_some() || self.open().count() < SCRIPTS_MAX
    }

    /// Adds a script and gives its number; `None` when each place is taken by one that waits.
    ///
    /// One that waits with the same order is kept instead; a PIN begins anew, for it may be
    /// another. To block and to unblock undo each other: what waits of the one is cancelled.
    pub fn add(&mut self, order: Order) -> Option<u32> {
        for queued in self.places.iter_mut().flatten() {
            let is_undone = order.silences() && queued.order.unblocks() && queued.is_open()
                || order.unblocks() && queued.order.silences();
            if is_undone {
                queued.state = ScriptState::Cancelled;
            }
        }
        if let Some(number) = self.waiting(order) {
            if order == Order::PinChange {
                self.change(number, |queued| {
                    (queued.state, queued.sends) = (ScriptState::Pending, 0);
                });
            }
            return Some(number);
        }
        let (number, state) = (self.made.wrapping_add(1), ScriptState::Pending);
        *self.free_place()? = Some(QueuedScript { number, order, state, sends: 0, at: [0; 2] });
        self.made = number;
        Some(number)
    }

    /// The scripts that are still to be carried out, the oldest first.
    pub fn open(&self) -> impl Iterator<Item = &QueuedScript> {
        self.all().filter(|queued| queued.is_open())
    }

    /// All that is remembered, the oldest first.
    pub fn all(&self) -> impl Iterator<Item = &QueuedScript> {
        self.places.iter().flatten()
    }

    /// Notes that the oldest open script of which `is_it` holds went out with the answer to `at`.
    pub fn note_sent(&mut self, is_it: impl Fn(Order) -> bool, at: Atc) -> Option<Order> {
        let queued = self.open().find(|queued| is_it(queued.order))?;
        let (number, order) = (queued.number, queued.order);
        self.change(number, |queued| {
            queued.sends = queued.sends.saturating_add(1);
            (queued.state, queued.at) = (ScriptState::Sent, at);
        });
        Some(order)
    }

    /// What `heard` says of the scripts that went out, the oldest first.
    ///
    /// A chip that makes a cryptogram is not blocked, whatever was told of it. Of the others the
    /// chip's own word counts, which its cryptogram seals: what a terminal tells settles only that
    /// nothing was done, and what no cryptogram can tell, that a chip was silenced.
    pub fn news(&self, heard: Heard) -> impl Iterator<Item = (QueuedScript, ScriptOutcome)> {
        let last_sent = self.open().map(|queued| queued.at).max().unwrap_or_default();
        self.all().filter_map(move |queued| {
            let is_later = heard.alive_at.filter(|atc| *atc > queued.at);
            let told = heard.told.filter(|result| result.id == script_id(queued.at));
            let is_last = queued.at == last_sent;
            let refused = || {
                let is_spent = queued.sends >= SCRIPT_SENDS_MAX;
                if is_spent { ScriptOutcome::Failed } else { ScriptOutcome::Refused }
            };
            let outcome = match (queued.state, is_later, told) {
                (ScriptState::Accepted | ScriptState::Sent, Some(_), _)
                    if queued.order.silences() =>
                {
                    Some(refused())
                }
                (ScriptState::Pending, Some(_), _) if queued.order.unblocks() => {
                    Some(ScriptOutcome::Cancelled)
                }
                (ScriptState::Sent, Some(_), _) if queued.order.unblocks() => {
                    Some(ScriptOutcome::Accepted)
                }
                (ScriptState::Sent, Some(_), _) => match (heard.sealed, told) {
                    ((_, true), _) if is_last => Some(refused()),
                    ((1.., false), _) if is_last => Some(ScriptOutcome::Accepted),
                    (_, Some(_)) => Some(refused()),
                    (_, None) if queued.sends >= SCRIPT_SENDS_MAX => Some(ScriptOutcome::Failed),
                    (_, None) => None,
                },
                (ScriptState::Sent, None, Some(ScriptResult { is_done: true, .. })) => {
                    queued.order.silences().then_some(ScriptOutcome::Accepted)
                }
                (ScriptState::Sent, None, Some(ScriptResult { is_done: false, .. })) => {
                    Some(refused())
                }
                (ScriptState::Sent, None, None)
                | (
                    ScriptState::Accepted
                    | ScriptState::Cancelled
                    | ScriptState::Failed
                    | ScriptState::Pending,
                    _,
                    _,
                ) => None,
            };
            Some((*queued, outcome?))
        })
    }

    /// Settles the script of this number.
    pub fn settle(&mut self, number: u32, outcome: ScriptOutcome) {
        self.change(number, |queued| {
            queued.state = match outcome {
                ScriptOutcome::Accepted => ScriptState::Accepted,
                ScriptOutcome::Cancelled => ScriptState::Cancelled,
                ScriptOutcome::Failed => ScriptState::Failed,
                ScriptOutcome::Refused => ScriptState::Pending,
            };
        });
    }

    fn waiting(&self, order: Order) -> Option<u32> {
        self.open().find(|queued| queued.order == order).map(|queued| queued.number)
    }

    /// The place behind the last script; where there is none, the oldest settled one goes.
    fn free_place(&mut self) -> Option<&mut Option<QueuedScript>> {
        let used = self.all().count();
        if used < SCRIPTS_MAX {
            return self.places.get_mut(used);
        }
        let oldest = self.all().position(|queued| !queued.is_open())?;
        self.places.get_mut(oldest..)?.rotate_left(1);
        self.places.last_mut()
    }

    fn change(&mut self, number: u32, change: impl FnOnce(&mut QueuedScript)) {
        let queued = self.places.iter_mut().flatten().find(|queued| queued.number == number);
        if let Some(queued) = queued {
            change(queued);
        }
    }
}

/// Scripts that one card remembers.
pub const SCRIPTS_MAX: usize = 4;

/// How often a script goes out before it counts as failed.
pub const SCRIPT_SENDS_MAX: u8 = 3;

/// The longest value that a script sets: an amount.
const DATUM_OCTETS_MAX: usize = 6;

/// The longest command: a PIN change.
const COMMAND_OCTETS_MAX: usize = 29;

/// EMV 4.3 Book 3, 10.10: all scripts of one answer together.
const TEMPLATE_OCTETS_MAX: usize = 128;

const SCRIPT_COMMAND: u32 = 0x86;
const SCRIPT_ID: u32 = 0x9F18;
