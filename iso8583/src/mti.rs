//! The message type indicator: version, class, function and origin of a message in four digits.

use core::fmt;

use crate::digits;

/// A message type indicator, as the number its four decimal digits write: 200 for `0200`.
///
/// ```
/// use cekr_iso8583::Mti;
/// let repeat = Mti::new(421).ok_or("four digits")?;
/// assert_eq!(repeat.to_string(), "0421");
/// assert!(repeat.is_repeat() && repeat.is_request());
/// assert_eq!(repeat.reply(), Mti::new(430)); // the answer to a repeat is the first answer
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Mti(u16);

impl Mti {
    /// The indicator of this number, 0 to 9999.
    #[must_use]
    pub const fn new(number: u16) -> Option<Mti> {
        if number <= 9999 { Some(Mti(number)) } else { None }
    }

    /// The indicator that four ASCII digits write.
    #[inline]
    #[must_use]
    pub fn parse(ascii: &[u8]) -> Option<Mti> {
        let four = ascii.as_array::<4>()?;
        // Below 10000.
        digits::are_four(four).then(|| Mti(digits::of_array(four) as u16))
    }

    /// The four digits as a number: 200 for `0200`.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The four ASCII digits.
    #[must_use]
    pub const fn digits(self) -> [u8; 4] {
        // Two pairs of digits side by side: 103 / 1024 is near enough to a tenth below a hundred.
        let pairs = (self.0 / 100) as u32 | ((self.0 % 100) as u32) << 16;
        let tens = ((pairs * 103) >> 10) & 0x000f_000f;
        let ones = pairs - tens * 10;
        (0x3030_3030 | tens | ones << 8).to_le_bytes()
    }

    /// First digit: 0 for the 1987 edition, 1 for 1993, 2 for 2003.
    #[must_use]
    pub const fn version(self) -> u8 {
        (self.0 / 1000) as u8
    }

    /// Second digit: 1 authorization, 2 financial, 3 file action, 4 reversal, 5 reconciliation,
    /// 8 network management.
    #[must_use]
    pub const fn class(self) -> u8 {
        (self.0 / 100 % 10) as u8
    }

    /// First two digits as a number: 2 for `0200` and `0221`; they are part of a request's key.
    #[must_use]
    pub const fn class_pair(self) -> u8 {
        (self.0 / 100) as u8
    }

    /// Third digit: even asks or advises, odd answers.
    #[must_use]
    pub const fn function(self) -> u8 {
        (self.0 / 10 % 10) as u8
    }

    /// Fourth digit: who began, and whether it is a repeat.
    #[must_use]
    pub const fn origin(self) -> u8 {
        (self.0 % 10) as u8
    }

    /// Whether the sender says that it has sent this message before (odd fourth digit).
    #[must_use]
    pub const fn is_repeat(self) -> bool {
        self.0 % 2 == 1
    }

    /// Whether the message wants an answer (even third digit).
    #[must_use]
    pub const fn is_request(self) -> bool {
        self.function().is_multiple_of(2)
    }

    /// What the class is called.
    #[must_use]
    pub const fn class_words(self) -> &'static str {
        match self.class() {
            1 => "authorization",
            2 => "financial",
            3 => "file action",
            4 => "reversal",
            5 => "reconciliation",
            6 => "administrative",
            7 => "fee collection",
            8 => "network management",
            _ => "reserved",
        }
    }

    /// What the function is called, and whether it is a repeat.
    #[must_use]
    pub const fn function_words(self) -> &'static str {
        match (self.function(), self.is_repeat()) {
            (0, false) => "request",
            (0, true) => "request, repeated",
            (1, _) => "response",
            (2, false) => "advice",
            (2, true) => "advice, repeated",
            (3, _) => "advice response",
            (4, _) => "notification",
            _ => "message",
        }
    }

    /// The same message marked as a repeat: 0420 becomes 0421.
    #[must_use]
    pub const fn repeat(self) -> Mti {
        if self.is_repeat() { self } else { Mti(self.0 + 1) }
    }

    /// The indicator of the answer: third digit one higher, repeat digit cleared. `None` for what
    /// is itself an answer.
    #[must_use]
    pub const fn reply(self) -> Option<Mti> {
        if !self.is_request() {
            return None;
        }
        let first_time = if self.is_repeat() { self.0 - 1 } else { self.0 };
        Some(Mti(first_time + 10))
    }
}

impl fmt::Display for Mti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.0)
    }
}
