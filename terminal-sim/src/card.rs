//! A card as a terminal meets it: the number, the expiry, the stripe, and a chip for its number.
//!
//! The stripe carries no discretionary data, because a terminal cannot make a CVV or PVV; an issuer
//! judges such data only when they are present. A chip is a thing of its own ([`Chip`]): it counts,
//! so it must not be made anew for each transaction of one card.

use cekr_emv::chip::Chip;
use cekr_emv::chip::profile::{Profile, Version};
use cekr_emv::{CardNumber, Pin};
use cekr_iso8583::Pan;

/// A card in somebody's hand. `Debug` masks the number.
#[derive(Clone, Debug)]
pub struct Card {
    /// What people call it: `ana`.
    pub name: String,
    pan: Pan,
    expiry: u16,
}

impl Card {
    /// A card with its expiry as `YYMM`; `None` when the month is not 01 to 12.
    #[must_use]
    pub fn new(name: &str, pan: Pan, expiry: u16) -> Option<Self> {
        let is_date = expiry <= 9912 && matches!(expiry % 100, 1..=12);
        is_date.then(|| Self { name: name.to_owned(), pan, expiry })
    }

    /// The number on its front.
    #[must_use]
    pub const fn pan(&self) -> &Pan {
        &self.pan
    }

    /// DE 14: `YYMM` as a number.
    #[must_use]
    pub const fn expiry(&self) -> u16 {
        self.expiry
    }

    /// A chip for this card under the published test keys, version 18, whose counter has come to
    /// `atc`. `None` for a number that no chip takes.
    #[must_use]
    pub fn development_chip(&self, pin: &Pin, atc: u16) -> Option<Box<Chip>> {
        let number = CardNumber::from_number(self.pan.expose())?;
        let profile =
            Profile::development(number, CHIP_SEQUENCE, self.expiry, pin, Version::Eighteen)?;
        let mut chip = Box::new(Chip::new(&profile));
        let used = chip.kept().clone().with_atc(atc);
        chip.restore(used);
        Some(chip)
    }

    /// DE 35: number, separator, expiry, service code 201 (international, chip first).
    #[must_use]
    pub fn track2(&self) -> Vec<u8> {
        format!("{}={:04}201", self.pan.expose(), self.expiry).into_bytes()
    }
}

/// The sequence number (5F34) of our test cards.
pub(crate) const CHIP_SEQUENCE: u8 = 0x01;
