//! What banks send and read: statements, payment references, and orders with their QR code.
//!
//! A file of statements is read to its end before anything is done with it ([`xml`], [`camt`]),
//! and each of its lines is judged by its reference ([`mod@reference`]) into what the switch is
//! asked to do ([`lines`]). The other way round, [`upn`] fills in the order that a payer takes to
//! a bank. All of it is octets in and values out: no database, no network, no page.

pub mod camt;
pub mod fuzzing;
pub mod lines;
pub mod reference;
pub mod upn;
pub mod xml;
