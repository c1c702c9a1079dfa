//! The PIN that is typed at a terminal on the command line, and the pad that it is typed into.

use std::time::{SystemTime, UNIX_EPOCH};

use cekr_emv::pin::Pin;
use cekr_iso8583::Pan;
use cekr_terminal_sim::device::pin_pad::{EncipheredPin, PadKind, PinPad};
use clap::ValueEnum;

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
        pad.resume_after(seconds());
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

/// Seconds of the clock, as far as 20 bits hold them.
#[expect(clippy::disallowed_methods, reason = "the edge of the command: nothing decides by it")]
fn seconds() -> u32 {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    u32::try_from(seconds & 0xF_FFFF).unwrap_or(0)
}
