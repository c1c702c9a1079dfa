//! A card as a terminal meets it: the number, the expiry, and the stripe.
//!
//! Chip data do not exist yet: a chip or contactless entry sends what its stripe image would
//! hold, and no DE 55. The stripe carries no discretionary data, because a terminal cannot make
//! a CVV or PVV; an issuer judges such data only when they are present.

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

    /// DE 35: number, separator, expiry, service code 201 (international, chip first).
    #[must_use]
    pub fn track2(&self) -> Vec<u8> {
        format!("{}={:04}201", self.pan.expose(), self.expiry).into_bytes()
    }
}
