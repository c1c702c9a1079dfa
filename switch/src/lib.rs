//! The shell of a card issuer: sockets, clock, journal, shards, control API.
//!
//! The decision is in `cekr_issuer` and pure; here is what it must be surrounded with so that
//! terminals can ask it: [`engine`] takes the octets of a read and gives replies, [`shard`] holds
//! the cards over a [`journal`], [`control`] is what operators may ask. Of these none knows a
//! socket or a clock; the rest of the crate does.
//!
//! Lock order: the directory or the bank statements, then a card, then a stripe of [`answers`],
//! then the journal's queue.
#![forbid(unsafe_code)]

pub mod abuse;
pub mod answers;
pub mod archive;
pub mod audit;
pub mod background;
pub mod checkpoint;
pub mod clearing;
pub mod clock;
pub mod config;
pub mod control;
pub mod desk;
pub mod disk;
mod echo;
pub mod engine;
pub mod entropy;
pub mod entry_view;
pub mod fuzzing;
pub mod hsm;
pub mod http;
pub mod journal;
pub mod keyring;
mod lane;
pub mod ledger;
mod listener;
mod message_log;
pub mod metrics;
pub mod outbox;
pub mod planted;
pub mod recovery;
pub mod server;
pub mod session;
pub mod shard;
pub mod shutdown;
pub mod statements;
pub mod sync;
pub mod table;
