//! The access control server: it says to web shops whether a card's holder confirmed a purchase.
//!
//! EMV 3-D Secure 2.1.0 and 2.2.0. What a card may do is judged by the switch's control alone, what
//! the holder answered stands in the journal; here are the messages, and the evidence.

#[expect(dead_code, reason = "the messages that write rows are on their way")]
pub mod purchase;
pub mod uuid;
