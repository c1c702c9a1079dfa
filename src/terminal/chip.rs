//! The chip of a card that is used at a simulated terminal, and the reader that it is put into.
//!
//! The chip is made for each command under the published test keys. It counts on from where the
//! chips of this machine have come to ([`crate::chip_counter`]); `--atc` says another counter.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cekr_emv::chip::{Chip, Faults};
use cekr_emv::pin::Pin;
use cekr_terminal_sim::card::Card;
use cekr_terminal_sim::chip_session::{ChipSession, IssuerProof};
use cekr_terminal_sim::device::reader::{ChipSlot, Reader};
use cekr_terminal_sim::form::PinPad;
use cekr_terminal_sim::place::Place;
use clap::ValueEnum;

use super::Fault;
use crate::chip_counter;

/// What can be said about a chip.
#[derive(Debug, clap::Args)]
pub(super) struct ChipArgs {
    /// Counter that the chip has come to; without it the next one of this machine
    #[arg(long, value_name = "N")]
    atc: Option<u16>,
    /// Something to be wrong with the chip
    #[arg(long, value_enum, value_name = "FAULT")]
    chip_fault: Option<ChipFault>,
    /// A reader of this machine instead of the simulated chip: a part of its name
    #[cfg(feature = "pcsc")]
    #[arg(long, value_name = "NAME")]
    reader: Option<String>,
}

/// What can be wrong with a chip.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ChipFault {
    /// Its counter stands still: with `--atc` every command is a replay
    StuckCounter,
    /// Its cryptogram is wrong
    WrongCryptogram,
}

impl ChipArgs {
    /// The chip of a card, for at most so many transactions.
    pub(super) fn chip(&self, card: &Card, pin: Option<&Pin>, uses: u16) -> Option<Box<Chip>> {
        // A card that is known by its number only has a PIN that nobody knows.
        let unknown = Pin::parse(UNKNOWN_PIN).ok()?;
        let atc = self.atc.unwrap_or_else(|| chip_counter::take(uses, clock().as_secs()));
        let mut chip = card.development_chip(pin.unwrap_or(&unknown), atc)?;
        *chip.faults() = match self.chip_fault {
            None => Faults::default(),
            Some(ChipFault::StuckCounter) => Faults { stuck_atc: true, ..Faults::default() },
            Some(ChipFault::WrongCryptogram) => {
                Faults { wrong_cryptogram: true, ..Faults::default() }
            }
        };
        Some(chip)
    }

    /// A kernel with an empty slot, or with a real reader.
    pub(super) fn session(&self, place: &Place, pad: PinPad) -> Result<ChipSession<Reader>, Fault> {
        let mut seed = [0; 8];
        cekr_switch::entropy::fill(&mut seed);
        let seed = u64::from_be_bytes(seed);
        Ok(ChipSession::new(self.reader(seed)?, place, pad, PROOF, seed))
    }

    #[cfg(feature = "pcsc")]
    fn reader(&self, seed: u64) -> Result<Reader, Fault> {
        use cekr_terminal_sim::device::reader::pcsc::PcscReader;

        match &self.reader {
            None => Ok(Reader::Slot(ChipSlot::new(seed))),
            Some(name) => PcscReader::open(name)
                .map(Reader::Pcsc)
                .map_err(|error| Fault::Use(format!("--reader {name}: {error}"))),
        }
    }

    #[cfg(not(feature = "pcsc"))]
    #[expect(clippy::unnecessary_wraps, reason = "a real reader may be missing")]
    fn reader(&self, seed: u64) -> Result<Reader, Fault> {
        Ok(Reader::Slot(ChipSlot::new(seed)))
    }
}

/// Since the epoch.
#[expect(clippy::disallowed_methods, reason = "the edge of the command: nothing decides by it")]
pub(crate) fn clock() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// An approval that the issuer does not prove is refused by the card.
const PROOF: IssuerProof = IssuerProof::Required;
const UNKNOWN_PIN: &[u8] = b"0000";
