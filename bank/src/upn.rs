//! Payment orders (UPN) that load a card: the order, its QR code, and the code as a picture.
//!
//! Whether an account or a reference is right is not asked here: an order for a card is made of
//! parts that are right already, and other orders are the affair of whoever has them drawn.

pub mod code;
pub mod latin2;
pub mod order;
pub mod picture;

pub use code::{Code, payload};
pub use order::{Field, FieldFault, Payee, Payer, PaymentOrder};
