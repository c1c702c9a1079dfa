//! Stories of the terminal kernel: it meets written cards and our simulated chip, with people and
//! issuers of every kind, and each story ends.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod any_answers;
mod cardholder;
mod chip;
mod completion;
mod contactless;
mod matrix;
mod risk;
mod scene;
mod selection;
mod written;
