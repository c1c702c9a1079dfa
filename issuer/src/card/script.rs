//! What a card's chip is to do: the queue of its scripts, which of them goes out, what came of it.
//!
//! A script goes out with the answer to a cryptogram that was found right, one an answer, the
//! oldest first. The entry of the answer says which kind it is; what more it takes to make it again
//! for a repeat stands here (a datum) or in the message itself (a PIN, which is kept nowhere).

use alloc::collections::VecDeque;

use cekr_emv::crypto::derive::Atc;
use cekr_emv::issuer::{
    Command, Datum, Entry as ChipEntry, Heard, Order, QueuedScript, SCRIPT_SENDS_MAX,
    ScriptOutcome, ScriptQueue, ScriptState,
};

use super::{Card, remember};
use crate::decide::Decision;
use crate::entry::{Fact, ScriptAsked, ScriptSettled};
use crate::proof::{ChipProof, ChipScript, ChipSeen, ChipVersion, PinProof, Proofs};
use crate::request::{Ask, Request};
use crate::snapshot::{Reader, SnapshotError, Writer};

/// Values that went out to one chip and can be sent again to who asks again; of older ones the
/// answer is out of reach.
pub const DATA_REMEMBERED_MAX: usize = 16;

/// Everything about the scripts of one card.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Scripts {
    queue: ScriptQueue,
    /// Values by the counter that they went out with the answer to.
    data: VecDeque<(Atc, Datum)>,
    /// What a chip that was told to be silent has made last: its release is sealed for that.
    silenced: Option<ChipSeen>,
}

impl Card {
    /// The scripts that it remembers, the oldest first.
    pub fn scripts(&self) -> impl Iterator<Item = &QueuedScript> {
        self.rare.iter().flat_map(|rare| rare.scripts.queue.all())
    }

    /// What asking for `order` comes to: the fact, or none where it waits already.
    ///
    /// # Errors
    /// [`ScriptsFull`].
    pub fn ask_script(&self, order: Order) -> Result<Option<Fact>, ScriptsFull> {
        let mut queue = self.queue();
        let before = queue.made();
        let number = queue.add(order).ok_or(ScriptsFull)?;
        let is_new = queue.made() != before || order == Order::PinChange && queue != self.queue();
        Ok(is_new.then_some(Fact::ScriptAsked(ScriptAsked { number, order })))
    }

    /// The value that went out with the answer to the counter `atc`.
    #[must_use]
    pub fn datum_sent(&self, atc: Atc) -> Option<Datum> {
        let data = self.rare.iter().flat_map(|rare| &rare.scripts.data);
        data.into_iter().find(|(at, _)| *at == atc).map(|(_, datum)| *datum)
    }

    /// What `request`, decided so, tells of the scripts that went out: facts to be entered before
    /// the answer is.
    pub fn script_news(
        &self,
        request: &Request,
        decision: &Decision,
        proofs: &Proofs,
    ) -> impl Iterator<Item = Fact> {
        let heard = self.rare.as_ref().and_then(|_| heard(request, decision, proofs));
        let news = heard.map(|heard| self.queue().news(heard).collect::<VecDeque<_>>());
        news.into_iter().flatten().map(|(script, outcome)| {
            let QueuedScript { number, order, sends, at, .. } = script;
            Fact::ScriptSettled(ScriptSettled { number, order, outcome, sends, at })
        })
    }

    /// The cryptogram that the answer to `request` answers, with what the chip is to do after it.
    /// `takes_pin`: the request brings a new PIN, and gets it.
    pub(crate) fn chip_answered(
        &self,
        request: &Request,
        proofs: &Proofs,
        takes_pin: bool,
    ) -> Option<ChipSeen> {
        match proofs.chip {
            Some(ChipProof::Right(right)) => {
                let queued = self.script_due(request, proofs, takes_pin);
                // Where its own tries are used up and the holder's PIN is right here, it may take
                // PINs again.
                let unblocks = right.is_pin_blocked && proofs.pin == Some(PinProof::Right);
                let script = queued.or(unblocks.then_some(ChipScript::PinUnblock));
                Some(ChipSeen { script, ..right.seen })
            }
            Some(ChipProof::Absent) => self.release(request),
            Some(ChipProof::Refused(_)) | None => None,
        }
    }

    fn script_due(
        &self,
        request: &Request,
        proofs: &Proofs,
        takes_pin: bool,
    ) -> Option<ChipScript> {
        // Over the air a chip has left before the answer comes.
        if !is_inserted(request) {
            return None;
        }
        let mark = proofs.pin_mark;
        if takes_pin {
            return self.queue().takes(Order::PinChange).then_some(ChipScript::PinChange { mark });
        }
        let is_pin_right = proofs.pin == Some(PinProof::Right) && request.ask != Ask::PinChange;
        let mut open = self.scripts().filter(|script| script.is_open());
        open.find_map(|script| match script.order {
            Order::Command(Command::ApplicationUnblock) => None,
            Order::Command(command) => Some(ChipScript::of(command)),
            Order::PinChange => is_pin_right.then_some(ChipScript::PinChange { mark }),
        })
    }

    /// For a chip that makes no cryptogram: that it may.
    fn release(&self, request: &Request) -> Option<ChipSeen> {
        let silenced = self.rare.as_ref()?.scripts.silenced?;
        let mut open = self.scripts().filter(|script| script.is_open());
        let is_due = open.any(|script| script.order.unblocks() && script.sends < SCRIPT_SENDS_MAX);
        let script = Some(ChipScript::ApplicationUnblock);
        (is_due && is_inserted(request)).then_some(ChipSeen { script, ..silenced })
    }

    pub(super) fn apply_script_asked(&mut self, fact: &ScriptAsked) {
        let scripts = &mut self.rare.get_or_insert_default().scripts;
        scripts.queue.add(fact.order);
    }

    pub(super) fn apply_script_settled(&mut self, fact: &ScriptSettled) {
        let scripts = &mut self.rare.get_or_insert_default().scripts;
        scripts.queue.settle(fact.number, fact.outcome);
    }

    /// The chip's PIN is to follow the holder's.
    pub(super) fn apply_new_pin(&mut self) {
        let scripts = &mut self.rare.get_or_insert_default().scripts;
        scripts.queue.add(Order::PinChange);
    }

    /// A cryptogram was answered, perhaps with a script.
    pub(super) fn apply_chip_answered(&mut self, chip: &ChipSeen) {
        let Some(rare) = &mut self.rare else {
            return;
        };
        let scripts = &mut rare.scripts;
        if scripts.silenced.is_some_and(|silenced| silenced.atc != chip.atc) {
            scripts.silenced = None;
        }
        let Some(script) = chip.script else {
            return;
        };
        let sent = scripts.queue.note_sent(|order| script.is(order), chip.atc);
        match sent {
            Some(Order::Command(Command::PutData(datum))) => {
                remember(&mut scripts.data, (chip.atc, datum), DATA_REMEMBERED_MAX);
            }
            Some(order) if order.silences() => {
                scripts.silenced = Some(ChipSeen { script: None, ..*chip });
            }
            Some(_) | None => {}
        }
    }

    fn queue(&self) -> ScriptQueue {
        self.rare.as_ref().map(|rare| rare.scripts.queue).unwrap_or_default()
    }
}

/// Each place for scripts is taken by one that waits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ScriptsFull;

/// What a message tells of scripts, if it may tell anything.
fn heard(request: &Request, decision: &Decision, proofs: &Proofs) -> Option<Heard> {
    let is_fresh = match decision {
        Decision::Approve(_) => true,
        Decision::Decline(decline) => decline.moves_counter,
        Decision::Need(_) => false,
    };
    match proofs.chip {
        Some(ChipProof::Right(right)) if is_fresh => Some(Heard {
            alive_at: Some(right.seen.atc),
            sealed: right.scripts_sealed,
            told: right.script_told,
        }),
        Some(ChipProof::Absent) if is_inserted(request) => Some(Heard::default()),
        Some(ChipProof::Absent | ChipProof::Refused(_) | ChipProof::Right(_)) => None,
        None => proofs.script_told.map(|told| Heard { told: Some(told), ..Heard::default() }),
    }
}

fn is_inserted(request: &Request) -> bool {
    ChipEntry::of_mode(request.entry_mode.entry) == ChipEntry::Contact
}

impl Scripts {
    pub(super) fn write_state(&self, out: &mut Writer<'_>) {
        let Self { queue, data, silenced } = self;
        out.small(queue.made());
        let scripts: VecDeque<_> = queue.all().collect();
        out.all(scripts.iter(), |out, script| {
            out.small(script.number);
            write_order(out, script.order);
            out.put([state_number(script.state), script.sends]);
            out.put(script.at);
        });
        out.all(data.iter(), |out, (at, datum)| {
            out.put(*at);
            write_order(out, Order::Command(Command::PutData(*datum)));
        });
        out.put([silenced.map_or(0, |seen| seen.version as u8)]);
        if let Some(seen) = silenced {
            out.put(seen.atc);
            out.put(seen.arqc);
        }
    }

    pub(super) fn read_state(from: &mut Reader<'_>) -> Result<Self, SnapshotError> {
        let made = from.small()?;
        let scripts: VecDeque<_> = from.all(|from| {
            let number = from.small()?;
            let order = read_order(from)?;
            let [state, sends] = from.take()?;
            let state = state_of(state).ok_or(SnapshotError::BadField)?;
            Ok(QueuedScript { number, order, state, sends, at: from.take()? })
        })?;
        let data = from.all(|from| match (from.take()?, read_order(from)?) {
            (at, Order::Command(Command::PutData(datum))) => Ok((at, datum)),
            (_, Order::Command(_) | Order::PinChange) => Err(SnapshotError::BadField),
        })?;
        let silenced = match from.take()? {
            [0] => None,
            [version] => {
                let version = ChipVersion::from_number(version).ok_or(SnapshotError::BadField)?;
                Some(ChipSeen { atc: from.take()?, arqc: from.take()?, version, script: None })
            }
        };
        Ok(Self { queue: ScriptQueue::restored(scripts, made), data, silenced })
    }
}

fn write_order(out: &mut Writer<'_>, order: Order) {
    out.put(ScriptAsked::order_octets(order));
}

fn read_order(from: &mut Reader<'_>) -> Result<Order, SnapshotError> {
    ScriptAsked::order_of(&from.take()?).ok_or(SnapshotError::BadField)
}

const STATES: [ScriptState; 5] = [
    ScriptState::Accepted,
    ScriptState::Cancelled,
    ScriptState::Failed,
    ScriptState::Pending,
    ScriptState::Sent,
];

fn state_number(state: ScriptState) -> u8 {
    (1..).zip(STATES).find(|(_, known)| *known == state).map_or(0, |(number, _)| number)
}

fn state_of(number: u8) -> Option<ScriptState> {
    STATES.get(usize::from(number).checked_sub(1)?).copied()
}

impl ScriptSettled {
    /// The name of what became of it, in journal and API.
    #[must_use]
    pub const fn outcome_name(&self) -> &'static str {
        match self.outcome {
            ScriptOutcome::Accepted => "accepted",
            ScriptOutcome::Cancelled => "cancelled",
            ScriptOutcome::Failed => "failed",
            ScriptOutcome::Refused => "refused",
        }
    }
}
