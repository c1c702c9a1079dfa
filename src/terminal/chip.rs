//! The chip of a card that is used at a simulated terminal, and the reader that it is put into.
//!
//! The chip is made for each command under the published test keys. A real one counts on from
//! where it was; this one takes its counter from the clock, in seconds, so that it rises from one
//! command to the next, for eighteen hours at a time. A command that used it stays until its second
//! is over, so that commands one after the other never share a counter; those at the same time
//! may. `--atc` says another counter and waits for nothing.

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

/// What can be said about a chip.
#[derive(Debug, clap::Args)]
pub(super) struct ChipArgs {
    /// Counter that the chip has come to; without it the seconds of the clock
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
    /// The chip of a card.
    pub(super) fn chip(&self, card: &Card, pin: Option<&Pin>) -> Option<Box<Chip>> {
        // A card that is known by its number only has a PIN that nobody knows.
        let unknown = Pin::parse(UNKNOWN_PIN).ok()?;
        let atc = self.atc.unwrap_or_else(clock_atc);
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

impl ChipArgs {
    /// Waits until nobody else can take the counter that a command of this moment took.
    pub(super) async fn outlive(&self, started: Duration) {
        let next = Duration::from_secs(started.as_secs() + 1);
        if self.atc.is_none() {
            tokio::time::sleep(next.saturating_sub(clock())).await;
        }
    }
}

/// Since the epoch.
#[expect(clippy::disallowed_methods, reason = "the edge of the command: nothing decides by it")]
pub(super) fn clock() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Seconds of the clock, below the last counter that a card has.
pub(crate) fn clock_atc() -> u16 {
    u16::try_from(clock().as_secs() % ATC_MAX).unwrap_or(0)
}

/// An approval that the issuer does not prove is refused by the card.
const PROOF: IssuerProof = IssuerProof::Required;
/// The counter at its end is refused for ever: 65,535. Some are left for what follows.
const ATC_MAX: u64 = 65_000;
const UNKNOWN_PIN: &[u8] = b"0000";
