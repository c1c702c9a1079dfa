//! A reader for chips: power, commands and answers, and whether a card is there.
//!
//! The terminal's kernel speaks through [`CardReader`] to a chip in this process or, behind the
//! feature `pcsc`, to a card in a reader of this machine. The trait carries octets and judges
//! none of them.

#[cfg(feature = "pcsc")]
pub mod pcsc;

use cekr_emv::chip::Chip;

use crate::random::Random;

/// A reader with one slot.
pub trait CardReader {
    /// Powers the card on, or resets it; its answer to reset is written into `atr`, its length
    /// returned. [`ATR_OCTETS_MAX`] octets suffice.
    ///
    /// # Errors
    /// [`ReaderError`].
    fn power_on(&mut self, atr: &mut [u8]) -> Result<usize, ReaderError>;

    /// Sends a command and writes the answer with its two status octets into `answer`; returns
    /// its length. [`ANSWER_OCTETS_MAX`] octets suffice.
    ///
    /// # Errors
    /// [`ReaderError`].
    fn transmit(&mut self, command: &[u8], answer: &mut [u8]) -> Result<usize, ReaderError>;

    /// Powers the card off.
    fn power_off(&mut self);
}

/// The reader of a terminal: a slot in this process or, where built with it, a real one.
#[derive(Debug)]
pub enum Reader {
    /// By PC/SC.
    #[cfg(feature = "pcsc")]
    Pcsc(pcsc::PcscReader),
    /// In this process.
    Slot(ChipSlot),
}

impl Reader {
    /// The slot in this process, if it is one.
    pub fn slot(&mut self) -> Option<&mut ChipSlot> {
        match self {
            #[cfg(feature = "pcsc")]
            Self::Pcsc(_) => None,
            Self::Slot(slot) => Some(slot),
        }
    }

    fn any(&mut self) -> &mut dyn CardReader {
        match self {
            #[cfg(feature = "pcsc")]
            Self::Pcsc(reader) => reader,
            Self::Slot(slot) => slot,
        }
    }
}

impl CardReader for Reader {
    fn power_on(&mut self, atr: &mut [u8]) -> Result<usize, ReaderError> {
        self.any().power_on(atr)
    }

    fn transmit(&mut self, command: &[u8], answer: &mut [u8]) -> Result<usize, ReaderError> {
        self.any().transmit(command, answer)
    }

    fn power_off(&mut self) {
        self.any().power_off();
    }
}

/// A slot in this process: a simulated chip goes in and comes out again.
pub struct ChipSlot {
    chip: Option<Box<Chip>>,
    is_broken: bool,
    waited_ms: u64,
    random: Random,
}

impl ChipSlot {
    /// An empty slot; `seed` decides what the chips draw while they are in it.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { chip: None, is_broken: false, waited_ms: 0, random: Random::new(seed) }
    }

    /// Puts a chip in; the one that was in comes out.
    pub fn insert(&mut self, chip: Box<Chip>) -> Option<Box<Chip>> {
        self.chip.replace(chip)
    }

    /// Takes the chip out, in the middle of whatever it does.
    pub fn remove(&mut self) -> Option<Box<Chip>> {
        self.chip.take()
    }

    /// The chip that is in, for those who spoil it.
    pub fn chip(&mut self) -> Option<&mut Chip> {
        self.chip.as_deref_mut()
    }

    /// Breaks or mends the reader's contacts.
    pub fn set_broken(&mut self, is_broken: bool) {
        self.is_broken = is_broken;
    }

    /// How long slow chips have kept it waiting, in milliseconds. Nothing sleeps for it: whoever
    /// plays the world lets its clock pass.
    #[must_use]
    pub const fn waited_ms(&self) -> u64 {
        self.waited_ms
    }

    fn reachable(&mut self) -> Result<&mut Chip, ReaderError> {
        if self.is_broken {
            return Err(ReaderError::ReaderBroken);
        }
        self.chip.as_deref_mut().ok_or(ReaderError::CardGone)
    }
}

impl CardReader for ChipSlot {
    fn power_on(&mut self, atr: &mut [u8]) -> Result<usize, ReaderError> {
        let mut entropy = [0; 32];
        for place in entropy.as_chunks_mut::<8>().0 {
            *place = self.random.next().to_be_bytes();
        }
        let chip = self.reachable()?;
        chip.reset(entropy);
        let told = chip.atr();
        atr.get_mut(..told.len()).ok_or(ReaderError::TooLong)?.copy_from_slice(told);
        Ok(told.len())
    }

    fn transmit(&mut self, command: &[u8], answer: &mut [u8]) -> Result<usize, ReaderError> {
        let chip = self.reachable()?;
        let slow_ms = chip.faults().slow_ms;
        let len = chip.process(command, answer);
        self.waited_ms += u64::from(slow_ms.min(PATIENCE_MS));
        if len == 0 || slow_ms > PATIENCE_MS { Err(ReaderError::CardGone) } else { Ok(len) }
    }

    fn power_off(&mut self) {}
}

impl core::fmt::Debug for ChipSlot {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ChipSlot").field("has_chip", &self.chip.is_some()).finish_non_exhaustive()
    }
}

/// Why a reader gives no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ReaderError {
    /// The card is not there, or no more.
    #[error("the card was taken out")]
    CardGone,
    /// The reader does not work.
    #[error("the card reader does not answer")]
    ReaderBroken,
    /// The answer is longer than the room for it.
    #[error("the card's answer is too long")]
    TooLong,
}

/// How long a reader waits for a card: the working waiting time of ISO/IEC 7816-3 in its default of
/// about a second, ten times over for its extensions.
const PATIENCE_MS: u32 = 10_000;
/// ISO/IEC 7816-3: an answer to reset has at most 33 octets.
pub const ATR_OCTETS_MAX: usize = 33;
/// A short answer: 256 octets and the status.
pub const ANSWER_OCTETS_MAX: usize = 258;

#[cfg(test)]
mod tests {
    use cekr_emv::pin::Pin;
    use cekr_iso8583::Pan;

    use super::{ANSWER_OCTETS_MAX, ATR_OCTETS_MAX, CardReader, ChipSlot, ReaderError};
    use crate::card::Card;

    const SELECT: &[u8] = b"\x00\xA4\x04\x00\x07\xA0\x00\x00\x00\x03\x10\x10\x00";

    fn slot() -> ChipSlot {
        let card = Card::new("ana", Pan::parse(b"4761730000000011").unwrap(), 3012).unwrap();
        let mut slot = ChipSlot::new(1);
        slot.insert(card.development_chip(&Pin::parse(b"1234").unwrap(), 0).unwrap());
        slot
    }

    fn select(slot: &mut ChipSlot) -> Result<usize, ReaderError> {
        slot.transmit(SELECT, &mut [0; ANSWER_OCTETS_MAX])
    }

    #[test]
    fn a_chip_answers_while_it_is_in() {
        let mut slot = slot();
        let mut atr = [0; ATR_OCTETS_MAX];
        let len = slot.power_on(&mut atr).unwrap();
        assert_eq!(atr[0], 0x3B);
        assert_eq!(slot.power_on(&mut atr[..len - 1]), Err(ReaderError::TooLong));
        assert!(select(&mut slot).unwrap() > 2);
        slot.remove().unwrap();
        assert_eq!(select(&mut slot), Err(ReaderError::CardGone));
        assert_eq!(slot.power_on(&mut atr), Err(ReaderError::CardGone));
    }

    #[test]
    fn broken_contacts_slow_chips_and_torn_ones_are_told_apart() {
        let mut slot = slot();
        slot.set_broken(true);
        assert_eq!(select(&mut slot), Err(ReaderError::ReaderBroken));
        slot.set_broken(false);
        slot.chip().unwrap().faults().slow_ms = 700;
        assert!(select(&mut slot).is_ok());
        assert_eq!(slot.waited_ms(), 700);
        slot.chip().unwrap().faults().slow_ms = 60_000;
        assert_eq!(select(&mut slot), Err(ReaderError::CardGone));
        slot.chip().unwrap().faults().slow_ms = 0;
        slot.chip().unwrap().faults().torn_out_after = Some(0);
        assert_eq!(select(&mut slot), Err(ReaderError::CardGone));
    }
}
