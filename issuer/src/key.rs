//! The key of a request: what makes a retransmission the same request as before.
//!
//! Class of the message (the first two digits; the repeat digit is not looked at), acquirer
//! (DE 32), terminal (DE 41), trace number (DE 11) and transmission time (DE 7). ISO 8583:1987
//! leaves the choice to the parties; trace number and terminal alone collide within a day, and the
//! trace number alone within a minute.

use cekr_iso8583::TerminalId;

/// What identifies one request for as long as its answer is kept.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct RequestKey {
    /// DE 32 as a number, or [`RequestKey::listener`] where the message has none.
    pub acquirer: u64,
    /// DE 41.
    pub terminal: TerminalId,
    /// DE 7 as MMDDhhmmss.
    pub when: u32,
    /// DE 11.
    pub stan: u32,
    /// The first two digits of the MTI: 1, 2 or 4.
    pub class: u8,
}

impl RequestKey {
    /// The stand-in for DE 32 of messages that come without one: the listener they came by.
    #[must_use]
    pub const fn listener(id: u32) -> u64 {
        1 << 63 | id as u64
    }

    /// The acquirer's number, where the message named one.
    #[must_use]
    pub const fn acquirer_number(&self) -> Option<u64> {
        if self.acquirer >> 63 == 0 { Some(self.acquirer) } else { None }
    }

    /// A fingerprint under `secret`: equal keys have equal fingerprints, others seldom do, and a
    /// peer that does not know the secret cannot choose keys that meet.
    #[must_use]
    pub const fn fingerprint(&self, secret: [u64; 2]) -> u64 {
        let [left, right] = secret;
        let numbers = (self.stan as u64) << 32 | self.when as u64;
        let terminal = u64::from_le_bytes(*self.terminal.octets());
        let once = folded(self.acquirer ^ left, terminal ^ right ^ (self.class as u64) << 56);
        folded(once ^ numbers, left ^ 0x9E37_79B9_7F4A_7C15)
    }
}

/// Both halves of the 128-bit product, folded together: each input bit reaches every output bit.
pub(crate) const fn folded(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    (product as u64) ^ (product >> 64) as u64
}
