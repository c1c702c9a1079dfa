//! The chip's part in a visit to a terminal: from the card in the slot to its last word.
//!
//! A terminal without a kernel, or a card without a chip, has none: then a chip entry sends what
//! the stripe's image would hold.

use cekr_emv::crypto::rsa::PublicKey;
use cekr_emv::terminal::Decision;

use super::Counter;
use crate::chip_session::{Ask, ChipSession, Pause, PinGiven, PinWanted};
use crate::device::reader::Reader;
use crate::form::Tender;
use crate::moment::Moment;
use crate::outcome::Ending;
use crate::pos::LineEvent;

/// How far the chip is.
#[derive(Debug, Default)]
pub(crate) struct ChipPart {
    /// Where it waits for the terminal.
    pause: Option<Pause>,
    /// It waits for the issuer's answer; whether that approves is to be seen.
    is_asking: bool,
    /// Why it refused what the issuer approved.
    refusal: Option<Ending>,
}

/// What a chip wants before the issuer is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ChipWants {
    /// There is no chip in this.
    NoPart,
    /// The holder's PIN.
    Pin,
    /// Nothing more.
    Request,
}

impl Counter {
    /// The same with a kernel and a reader.
    #[must_use]
    pub fn with_chip(self, chip: ChipSession<Reader>) -> Self {
        Self { chip: Some(chip), ..self }
    }

    /// Begins with the chip of the card that is held.
    pub(crate) fn begin_chip(
        &mut self,
        kind: u8,
        amount: u64,
        now: Moment,
    ) -> Result<ChipWants, Ending> {
        self.part = ChipPart::default();
        let ask = self.held.as_ref().and_then(|held| Ask::of(held, kind, amount, 0));
        let (Some(chip), Some(ask)) = (&mut self.chip, ask) else { return Ok(ChipWants::NoPart) };
        let pause = chip.begin(ask, now);
        self.chip_paused(pause)
    }

    /// Hands the chip the PIN that it wanted; a wrong one is wanted again.
    pub(crate) fn give_chip_pin(&mut self, block: &[u8]) -> Result<ChipWants, Ending> {
        let Some(chip) = &mut self.chip else { return Ok(ChipWants::NoPart) };
        let pause = chip.pin(PinGiven::ForChip(block));
        self.chip_paused(pause)
    }

    /// The number and the key of a chip that wants the PIN itself.
    pub(crate) fn chip_wants_pin(&self) -> Option<([u8; 8], Box<PublicKey>)> {
        match &self.part.pause {
            Some(Pause::Pin(PinWanted::Chip(challenge, key))) => Some((*challenge, key.clone())),
            Some(Pause::Ended(_) | Pause::Online | Pause::Pin(_)) | None => None,
        }
    }

    fn chip_paused(&mut self, pause: Pause) -> Result<ChipWants, Ending> {
        let wants = match &pause {
            Pause::Ended(end) => return Err(end.ending()),
            Pause::Online | Pause::Pin(PinWanted::Never) => ChipWants::Request,
            Pause::Pin(PinWanted::Chip(..) | PinWanted::Issuer) => ChipWants::Pin,
        };
        self.part.pause = Some(pause);
        Ok(wants)
    }

    /// Has the chip make its part of the request, with the PIN that the tender has.
    pub(crate) fn complete_chip(&mut self, tender: &mut Tender) -> Result<(), Ending> {
        let (Some(chip), Some(pause)) = (&mut self.chip, self.part.pause.take()) else {
            return Ok(());
        };
        chip.go_online(pause, tender).map_err(|end| end.ending())?;
        self.part.is_asking = true;
        Ok(())
    }

    /// Tells the chip what its request came to.
    pub(crate) fn tell_chip(&mut self, event: &LineEvent<'_>) {
        let Some(chip) = self.chip.as_mut().filter(|_| self.part.is_asking) else { return };
        match event {
            LineEvent::Sent(_) => return,
            LineEvent::Answered(reply) => {
                let end = chip.answered(reply);
                let is_refused = reply.is_approval() && end.decision != Decision::Approved;
                self.part.refusal = is_refused.then(|| end.ending());
            }
            LineEvent::Refused(_) | LineEvent::TimedOut => {
                chip.unanswered();
            }
        }
        self.part.is_asking = false;
    }

    /// The holder gave up before the issuer was asked.
    pub(crate) fn abandon_chip(&mut self) {
        if let Some(chip) = self.chip.as_mut().filter(|_| self.part.pause.take().is_some()) {
            chip.abandon();
        }
    }

    /// Whether the chip refused what its issuer approved.
    pub(crate) const fn chip_refused(&self) -> bool {
        self.part.refusal.is_some()
    }

    /// Why it did; asked once.
    pub(crate) fn take_refusal(&mut self) -> Option<Ending> {
        self.part.refusal.take()
    }
}
