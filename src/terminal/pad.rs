//! The PIN that is typed at a terminal on the command line, and the pad that it is typed into.

use cekr_emv::pin::Pin;
use cekr_iso8583::Pan;
use cekr_terminal_sim::device::pin_pad::{EncipheredPin, PadKind, PinPad};
use clap::ValueEnum;

use super::chip::clock;
use super::{Fault, pin};

/// What is typed, and into what.
#[derive(Debug, clap::Args)]
pub(super) struct PadArgs {
    /// The PIN that is typed
    #[arg(long, value_name = "PIN", value_parser = pin)]
    pin: Option<Pin>,
    /// How the PIN pad enciphers it: under the zone key, or a key for each PIN (DUKPT)
    #[arg(long, value_enum, value_name = "KEY", default_value_t = PadName::Zone)]
    pin_key: PadName,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum PadName {
    /// Format 4 in DE 48, AES
    DukptAes,
    /// Format 0, triple DES
    DukptTdes,
    /// Format 0 under one key
    Zone,
}

impl PadArgs {
    /// What the pad makes of the PIN; `None` where none is typed.
    pub(super) fn typed(&self, pan: Pan) -> Result<Option<EncipheredPin>, Fault> {
        let Some(pin) = &self.pin else { return Ok(None) };
        let kind = match self.pin_key {
            PadName::DukptAes => PadKind::DukptAes,
            PadName::DukptTdes => PadKind::DukptTdes,
            PadName::Zone => PadKind::Zone,
        };
        let mut seed = [0; 8];
        cekr_switch::entropy::fill(&mut seed);
        let mut pad = PinPad::development_of(kind, u64::from_be_bytes(seed));
        // A pad counts on for ever; this one is new each time and takes its counter from the clock.
        pad.resume_after(u32::try_from(clock().as_secs() & COUNTER_MASK).unwrap_or(0));
        let typed = pad.enter(pin, pan);
        typed.map(Some).map_err(|error| Fault::Use(error.to_string()))
    }

    /// The new PIN of a change, which has to be under the key of the old one.
    pub(super) fn new_pin(&self, new_pin: &Pin, pan: Pan) -> Result<EncipheredPin, Fault> {
        match self.pin_key {
            PadName::Zone => Ok(EncipheredPin::development(new_pin, pan)),
            PadName::DukptAes | PadName::DukptTdes => {
                Err(Fault::Use("a PIN change takes --pin-key zone: both are under one key".into()))
            }
        }
    }
}

/// Bits of the clock's seconds that a counter takes: a triple DES pad has 21.
const COUNTER_MASK: u64 = 0xF_FFFF;
