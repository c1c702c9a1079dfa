//! The decision of a card issuer: may this card do this, now, for how much.
//!
//! A terminal's message becomes a [`Request`] (or a [`Reject`]), [`decide()`] judges it against one
//! [`Card`] and answers [`Decision`]; what was decided is an [`Entry`], a fact of fixed layout, and
//! [`Card::apply`] is the only way in which a card changes. The live path, crash recovery and the
//! simulation call these same functions.
//!
//! This crate holds no socket, clock, random number, lock or file. Time comes in as [`Now`], what
//! was proven about a PIN as [`Proofs`], what the node saw of attacks as [`Signals`], the settings
//! as [`Policy`]; effects go out as values.
//!
//! Sources: the programme's cardholder pages for channels, lock and fee; ISO 8583:1987 for the
//! messages.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod advice;
pub mod books;
pub mod card;
pub mod channel;
pub mod clearing;
pub mod confirmation;
pub mod consent;
pub mod controls;
pub mod decide;
pub mod entry;
pub mod fee;
pub mod file_action;
pub mod key;
pub mod limit;
pub mod money;
pub mod network;
pub mod planted;
pub mod points;
pub mod policy;
pub mod proof;
pub mod reason;
pub mod reconciliation;
pub mod reply;
pub mod request;
pub mod reversal;
mod settlement;
pub mod snapshot;
pub mod time;
pub mod transaction;

pub use card::Card;
pub use channel::Channels;
pub use confirmation::{
    Confirmation, ConfirmationEnd, ConfirmationId, ConfirmationNumber, ConfirmationState,
    ConfirmationStep, Exemption, NameKey, NewConfirmation, Payee, SecondFactor,
};
pub use consent::{ExemptionClaim, OnlinePurchase, OnlineVerdict};
pub use controls::{CardStatus, Controls};
pub use decide::decide;
pub use decide::{Decision, Decline, Effect, OriginalSeen, Signals};
pub use entry::{About, CardId, Desk, Entry, EntryBytes, Fact, Seq};
pub use file_action::FileAction;
pub use key::RequestKey;
pub use money::{Amount, Balance};
pub use network::{Network, NetworkAsk};
pub use policy::Policy;
pub use proof::{
    CavvProof, ChipFault, ChipProof, ChipRight, ChipScript, ChipSeen, ChipVersion, CvvProof,
    Findings, NewPinProof, PinProof, ProofKind, Proofs,
};
pub use reason::Reason;
pub use reconciliation::{Reconciliation, Totals};
pub use reply::Answer;
pub use request::{Ask, Inbound, Reject, Request};
pub use time::{LocalDate, Now};
