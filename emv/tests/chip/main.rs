//! Stories of the simulated chip: a terminal and an issuer meet it, in octets.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod any_octets;
mod issuer;
mod offline;
mod payment;
mod scripts;
mod selection;
mod tearing;
mod terminal;
mod verification;
