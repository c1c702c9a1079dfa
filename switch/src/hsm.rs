//! Payment verbs over card keys: what a hardware security module would be asked.
//!
//! Nothing here is done under a card's lock: a real module answers in milliseconds.

use cekr_emv::crypto::pin_block::decipher_format0;
use cekr_emv::crypto::pvv::pvv;
use cekr_emv::keys::{Key, Pvk, Zpk};
use cekr_emv::pin::Pin;
use cekr_iso8583::{Pan, PinBlock};
use cekr_issuer::{NewPinProof, PinProof};

/// The module in software.
pub struct SoftHsm {
    zone_pin_key: Key<Zpk>,
    verification_key: Key<Pvk>,
}

/// Which of several verification keys made a value; we have one.
const VERIFICATION_KEY_INDEX: u8 = 1;

impl SoftHsm {
    /// With the published test keys: no secret, for simulated cards and terminals only.
    #[must_use]
    pub fn development() -> Self {
        Self {
            zone_pin_key: Key::<Zpk>::development(),
            verification_key: Key::<Pvk>::development(),
        }
    }

    /// The verification value of `pin` for the card `pan`, four digits.
    #[must_use]
    pub fn verification_value(&self, pan: Pan, pin: &Pin) -> u16 {
        pvv(&self.verification_key, VERIFICATION_KEY_INDEX, pan.expose(), pin).number()
    }

    /// Whether `block` holds the PIN whose verification value is `expected`.
    #[must_use]
    pub fn verify_pin(&self, block: &PinBlock, pan: Pan, expected: Option<u16>) -> PinProof {
        match decipher_format0(&self.zone_pin_key, *block.expose(), pan.expose()) {
            Err(_) => PinProof::Unreadable,
            Ok(pin) if Some(self.verification_value(pan, &pin)) == expected => PinProof::Right,
            Ok(_) => PinProof::Wrong,
        }
    }

    /// What the block of a new PIN holds.
    #[must_use]
    pub fn read_new_pin(&self, block: &PinBlock, pan: Pan) -> NewPinProof {
        match decipher_format0(&self.zone_pin_key, *block.expose(), pan.expose()) {
            Err(_) => NewPinProof::Unreadable,
            Ok(pin) => NewPinProof::Read { pvv: self.verification_value(pan, &pin) },
        }
    }
}
