//! ISO 8583 messages as views over received octets: decode without copying, encode into a caller's
//! buffer, frame, and describe with what is secret left out.
//!
//! A [`Spec`] is a table of field definitions; one interpreter serves every table. Built in are
//! [`CEKR87`], [`ISO87ASCII`] and [`ISO87BINARY`], all over the 128 elements of ISO 8583:1987.
//! This crate judges nothing: whether a card may do what a message asks is not its business. It
//! has no clock, no socket, no randomness, and allocates nothing.
//!
//! ```
//! use cekr_iso8583::{CEKR87, FieldSet, Mti, View, Writer};
//!
//! let echo = Mti::new(800).ok_or("four digits")?;
//! let mut buffer = [0; 64];
//! let mut writer = Writer::new(&CEKR87, echo, FieldSet::of(&[7, 11, 70]), &mut buffer)?;
//! writer.number(7, 1122_101500)?; // 22 November, 10:15:00
//! writer.number(11, 123)?;
//! writer.number(70, 301)?;
//! let len = writer.finish()?;
//!
//! let message = buffer.get(..len).ok_or("longer than its buffer")?;
//! let view = View::parse(&CEKR87, message).map_err(|damaged| damaged.error)?;
//! assert_eq!(view.network_code(), Some(301));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod chip;
mod digits;
mod ebcdic;

pub mod amount;
pub mod bitmap;
pub mod describe;
pub mod element;
pub mod error;
pub mod field;
pub mod frame;
#[doc(hidden)]
pub mod fuzzing;
pub mod mask;
pub mod mti;
pub mod pan;
pub mod read;
pub mod response;
pub mod shape;
pub mod spec;
pub mod subfield;
pub mod table;
pub mod view;
pub mod writer;

pub use amount::{AdditionalAmount, Amount, ReplacementAmounts, Sign, SignedAmount};
pub use bitmap::FieldSet;
pub use describe::{Description, Show};
pub use element::{
    AuthCode, CountryCode, CurrencyCode, Expiry, Institution, Location, Mcc, MerchantId, MonthDay,
    OriginalData, PinBlock, PosEntryMode, ProcessingCode, ResponseCode, Rrn, Stan, TerminalId,
    TimeOfDay, Track2, TransmissionTime,
};
pub use error::{Damaged, Malformed, ParseError, ParseErrorKind, Track2Error, WriteError};
pub use field::Field;
pub use frame::{FrameError, Framing, Header, NoRoom, Step};
pub use mti::Mti;
pub use pan::{Pan, PanError};
pub use shape::Shapes;
pub use spec::{Class, Encoding, FieldDef, Length, Mask, Prefix, Spec, Subfields};
pub use table::{CEKR87, ISO87ASCII, ISO87BINARY};
pub use view::View;
pub use writer::Writer;
