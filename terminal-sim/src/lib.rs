//! Terminals for a card issuer: tills, cashpoints, web shops, a street of them, and a load
//! generator.
//!
//! A terminal of this crate is the issuer's peer: it shares the messages (`cekr_iso8583`) and the
//! card cryptography (`cekr_emv`) with it, and none of its judgement. What a terminal knows about
//! fees, balances and reasons it has read in an answer.
//!
//! Four layers, each usable alone:
//!
//! | layer | modules | what |
//! |---|---|---|
//! | machines | [`pos`], [`cashpoint`], [`shop`] | events in, actions out; no I/O, no clock |
//! | line | [`link`] | frames, STANs, sign-on, echo, matching, time-outs, reversals; as pure |
//! | devices | [`device`] | keys, PIN pad, printer, dispenser, display; as pure |
//! | client | [`client`], [`load`] | the machines and the line on tokio sockets |
//!
//! [`world`] is a seeded street of terminals whose messages a simulation replays; it needs none of
//! the layers above it but the forms.
//!
//! Chips are those of [`cekr_emv::chip`] under the published test keys; PINs are enciphered under
//! the published development key unless a pad has another.
#![forbid(unsafe_code)]
#![allow(clippy::inconsistent_digit_grouping, reason = "cents stand as 150_00")]

pub mod amount;
pub mod card;
pub mod cashpoint;
pub mod cassettes;
pub mod chip_session;
pub mod client;
pub mod clock;
pub mod device;
pub mod form;
pub mod front;
pub mod link;
pub mod load;
pub mod message;
pub mod mix;
pub mod moment;
pub mod outcome;
pub mod place;
pub mod pos;
pub mod quick_chip;
pub mod random;
pub mod reply;
#[cfg(feature = "screen")]
pub mod screen;
pub mod shop;
pub mod three_ds;
pub mod world;
