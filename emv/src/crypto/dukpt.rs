//! DUKPT: a key of its own for every transaction of a PIN pad, from one key and a counter.
//!
//! The pad holds no key that could open what it sent before; the host computes each key from the
//! base key and the serial number (KSN) that comes with the message. Triple DES in [`tdes`], AES in
//! [`aes`]. A counter has to be one that a pad would use: it is not 0 and has few bits set, since
//! each set bit costs one derivation.

pub mod aes;
pub mod tdes;

use core::fmt;

/// Why a serial number names no transaction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KsnError {
    /// More bits are set than a pad would ever set: it skips such counters.
    Skipped,
    /// The counter is 0, which is the initial key's.
    Zero,
}

impl fmt::Display for KsnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Skipped => "KSN: the counter has more bits set than a PIN pad uses",
            Self::Zero => "KSN: the counter is 0",
        })
    }
}

impl core::error::Error for KsnError {}
