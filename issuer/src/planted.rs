//! Faults that are put in on purpose, so that it can be seen that the tests find them.
//!
//! Each stands at the place of the rule that it breaks. Without the feature `planted`, which no
//! release has, [`is`] is the constant `false` and nothing of a fault is in the build.
//!
//! ```
//! use cekr_issuer::planted::{self, Fault};
//!
//! assert!(!planted::is(Fault::WrongRounding), "nothing is planted unless it is chosen");
//! ```

/// A fault of the decision or of what an entry does to its card.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Fault {
    /// A confirmation that a purchase has used up is honoured again.
    ConfirmationTwice = 6,
    /// A reversal gives the amount back and keeps the cashpoint fee.
    FeeKeptOnReversal = 1,
    /// A hold outlives its last day.
    HoldNeverExpired = 2,
    /// One approval in sixteen does not lower the balance.
    LostDecrement = 3,
    /// A second reversal gives back what the first has given back.
    ReversalTwice = 4,
    /// Half a cent of the cashpoint fee is dropped instead of rounded up.
    WrongRounding = 5,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Fault; 6] = [
        Fault::ConfirmationTwice,
        Fault::FeeKeptOnReversal,
        Fault::HoldNeverExpired,
        Fault::LostDecrement,
        Fault::ReversalTwice,
        Fault::WrongRounding,
    ];

    /// The name by which it is chosen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Fault::ConfirmationTwice => "confirmation_twice",
            Fault::FeeKeptOnReversal => "fee_kept_on_reversal",
            Fault::HoldNeverExpired => "hold_never_expired",
            Fault::LostDecrement => "lost_decrement",
            Fault::ReversalTwice => "reversal_twice",
            Fault::WrongRounding => "wrong_rounding",
        }
    }
}

#[cfg(feature = "planted")]
mod chosen {
    use core::sync::atomic::{AtomicU8, Ordering};

    use super::Fault;

    /// The number of the fault; zero is none. This crate knows no environment: the shell sets it.
    static CHOSEN: AtomicU8 = AtomicU8::new(0);

    /// Plants a fault in the whole process.
    pub fn plant(fault: Fault) {
        CHOSEN.store(fault as u8, Ordering::Relaxed);
    }

    /// Whether this fault is planted.
    #[must_use]
    pub fn is(fault: Fault) -> bool {
        CHOSEN.load(Ordering::Relaxed) == fault as u8
    }
}

#[cfg(feature = "planted")]
pub use chosen::{is, plant};

/// Whether this fault is planted: never, in a build without them.
#[cfg(not(feature = "planted"))]
#[must_use]
pub const fn is(_: Fault) -> bool {
    false
}
