//! The machines inside a terminal: card reader, keys, PIN pad, printer, note dispenser, display.
//!
//! Each is a value without thread, clock or randomness of its own: the moment comes in as an
//! argument, octets are drawn from a seed, and what breaks is set by whoever plays the world
//! ([`keypad::KeypadFault`], [`pin_pad::PinPadFault`], ...). So one seed replays a day at a
//! cashpoint with its jams and its paper that ran out.
//!
//! The card reader is a trait, for a chip may sit in this process or in a real reader; the others
//! are structs, because each has one implementer. The state machines of a terminal
//! ([`crate::pos`], [`crate::cashpoint`]) know none of them: a shell drives both.

pub mod dispenser;
pub mod display;
pub mod keypad;
pub mod pin_pad;
pub mod printer;
pub mod reader;
