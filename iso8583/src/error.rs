//! What can be wrong with a message: small values that say where, and never carry what was there.

use core::fmt;

use crate::mti::Mti;
use crate::view::View;

/// Where and how a message departs from its spec. Octets are counted from the MTI's first.
///
/// ```
/// use cekr_iso8583::{ParseError, ParseErrorKind};
/// let error =
///     ParseError { field: 4, offset: 37, need: 12, have: 5, kind: ParseErrorKind::Truncated };
/// assert_eq!(
///     error.to_string(),
///     "DE 4: message ends too early (offset 37, need 12, have 5)"
/// );
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ParseError {
    /// Data element; 0 is the MTI, 1 a bitmap.
    pub field: u8,
    /// Octets from the start of the MTI.
    pub offset: u32,
    /// Octets the spec asks for there; for [`ParseErrorKind::OverMax`] the length claimed.
    pub need: u32,
    /// Octets that are there; for [`ParseErrorKind::OverMax`] the longest length allowed.
    pub have: u32,
    /// What is wrong.
    pub kind: ParseErrorKind,
}

/// The kinds of damage.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ParseErrorKind {
    /// A bitmap written as text holds something else than hexadecimal digits.
    BadBitmap,
    /// A length prefix holds something else than digits.
    BadLength,
    /// A numeric field holds something else than digits (or sign, or separator).
    NotDigits,
    /// A binary field written as text holds something else than hexadecimal digits.
    NotHex,
    /// A length prefix claims more than the field may have.
    OverMax,
    /// Octets are left after the last field.
    Trailing,
    /// The message ends inside a field.
    Truncated,
    /// The bitmap announces a field that the spec does not define.
    UnknownField,
}

impl ParseErrorKind {
    /// The kind's name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            ParseErrorKind::BadBitmap => "bad_bitmap",
            ParseErrorKind::BadLength => "bad_length",
            ParseErrorKind::NotDigits => "not_digits",
            ParseErrorKind::NotHex => "not_hex",
            ParseErrorKind::OverMax => "over_max",
            ParseErrorKind::Trailing => "trailing",
            ParseErrorKind::Truncated => "truncated",
            ParseErrorKind::UnknownField => "unknown_field",
        }
    }

    /// The kind in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            ParseErrorKind::BadBitmap => "bitmap is not hexadecimal",
            ParseErrorKind::BadLength => "length prefix is not a number",
            ParseErrorKind::NotDigits => "octet is no digit",
            ParseErrorKind::NotHex => "octet is no hexadecimal digit",
            ParseErrorKind::OverMax => "length is over the field's maximum",
            ParseErrorKind::Trailing => "octets are left after the last field",
            ParseErrorKind::Truncated => "message ends too early",
            ParseErrorKind::UnknownField => "field is not in the spec",
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field {
            0 => f.write_str("MTI")?,
            1 => f.write_str("bitmap")?,
            de => write!(f, "DE {de}")?,
        }
        let words = self.kind.words();
        let ParseError { offset, need, have, .. } = self;
        write!(f, ": {words} (offset {offset}, need {need}, have {have})")
    }
}

impl core::error::Error for ParseError {}

/// A message that could not be read to its end: the fault, and what was read before it.
#[derive(Clone, Copy, Debug)]
pub struct Damaged<'a> {
    /// The first fault.
    pub error: ParseError,
    /// The fields before the fault, each of them sound.
    pub read: View<'a>,
}

impl Damaged<'_> {
    /// The message type, unless the fault is in it.
    #[must_use]
    pub fn mti(&self) -> Option<Mti> {
        if self.error.field == 0 { None } else { Some(self.read.mti()) }
    }
}

impl fmt::Display for Damaged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl core::error::Error for Damaged<'_> {}

/// Why a value could not be written. Each but [`WriteError::NoRoom`] is the caller's mistake.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WriteError {
    /// The finished message lacks a field that its bitmap announces.
    Missing {
        /// Data element.
        field: u8,
    },
    /// The buffer is too short.
    NoRoom,
    /// The field was not announced, was written before, or a later one was.
    NotExpected {
        /// Data element.
        field: u8,
    },
    /// The value does not fit the field's class: letters in a number, text in a binary field.
    NotOfClass {
        /// Data element.
        field: u8,
    },
    /// The value has more characters than the field may have.
    TooLong {
        /// Data element.
        field: u8,
    },
    /// A fixed binary field was given fewer octets than it has.
    TooShort {
        /// Data element.
        field: u8,
    },
    /// The spec does not define the field.
    UnknownField {
        /// Data element.
        field: u8,
    },
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WriteError::Missing { field } => write!(f, "DE {field}: announced but never written"),
            WriteError::NoRoom => f.write_str("the message is longer than its buffer"),
            WriteError::NotExpected { field } => {
                write!(f, "DE {field}: not announced, or written out of order")
            }
            WriteError::NotOfClass { field } => {
                write!(f, "DE {field}: value holds characters the field cannot have")
            }
            WriteError::TooLong { field } => write!(f, "DE {field}: value is too long"),
            WriteError::TooShort { field } => write!(f, "DE {field}: value is too short"),
            WriteError::UnknownField { field } => write!(f, "DE {field}: not in the spec"),
        }
    }
}

impl core::error::Error for WriteError {}

/// A value whose field is sound but whose own parts are not (DE 54, DE 95).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value's parts are malformed")
    }
}

impl core::error::Error for Malformed {}

/// Why track 2 data cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Track2Error {
    /// There is no `=` or `D` between number and expiry.
    NoSeparator,
}

impl fmt::Display for Track2Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Track2Error::NoSeparator => f.write_str("track 2 has no separator"),
        }
    }
}

impl core::error::Error for Track2Error {}
