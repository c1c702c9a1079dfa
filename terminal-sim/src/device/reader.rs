//! A reader for chips: power, commands and answers, and whether a card is there.
//!
//! The terminal's kernel speaks through [`CardReader`] to a chip in this process or, behind the
//! feature `pcsc`, to a card in a reader of this machine. The trait carries octets and judges
//! none of them.

#[cfg(feature = "pcsc")]
pub mod pcsc;

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

/// ISO/IEC 7816-3: an answer to reset has at most 33 octets.
pub const ATR_OCTETS_MAX: usize = 33;
/// A short answer: 256 octets and the status.
pub const ANSWER_OCTETS_MAX: usize = 258;
