//! The states of a load by card, and what is to be done next: pure and total.
//!
//! `CREATED -> AUTHENTICATING -> AUTHORIZED -> CAPTURED -> CREDITED -> REFUNDED | CHARGED_BACK`,
//! and `FAILED` or `EXPIRED` before money was taken. The table of moves stands in the database
//! (`card_load_move`), which refuses any other.

use super::psp::{Payment, PaymentStatus, ReversalCause};

/// How far a load by card has come.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum State {
    /// The payer's bank asks who is paying.
    Authenticating,
    /// The money is held at the payer's bank.
    Authorized,
    /// The money was taken.
    Captured,
    /// The payer's bank took all of it back.
    ChargedBack,
    /// It was ordered.
    Created,
    /// The money is on the card.
    Credited,
    /// Nobody paid in time.
    Expired,
    /// It was refused or given up; no money was taken.
    Failed,
    /// All of it was given back.
    Refunded,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 9] = [
        Self::Authenticating,
        Self::Authorized,
        Self::Captured,
        Self::ChargedBack,
        Self::Created,
        Self::Credited,
        Self::Expired,
        Self::Failed,
        Self::Refunded,
    ];

    /// The name in the database and the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Authenticating => "AUTHENTICATING",
            Self::Authorized => "AUTHORIZED",
            Self::Captured => "CAPTURED",
            Self::ChargedBack => "CHARGED_BACK",
            Self::Created => "CREATED",
            Self::Credited => "CREDITED",
            Self::Expired => "EXPIRED",
            Self::Failed => "FAILED",
            Self::Refunded => "REFUNDED",
        }
    }

    /// The state of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether nothing more can happen.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::ChargedBack | Self::Expired | Self::Failed | Self::Refunded => true,
            Self::Authenticating
            | Self::Authorized
            | Self::Captured
            | Self::Created
            | Self::Credited => false,
        }
    }

    /// Whether it is known how the payment ended, so that nobody needs to know who paid.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        self.is_final() || matches!(self, Self::Credited)
    }

    /// The key of the text that tells it.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Authenticating | Self::Created => "loads-state-open",
            Self::Authorized | Self::Captured => "loads-state-paid",
            Self::ChargedBack => "loads-state-charged-back",
            Self::Credited => "loads-state-credited",
            Self::Expired => "loads-state-expired",
            Self::Failed => "loads-state-failed",
            Self::Refunded => "loads-state-refunded",
        }
    }
}

/// Why no money was taken, or was given back at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Failure {
    /// The payer gave it up.
    Cancelled,
    /// The payer's bank refused.
    Declined,
    /// Nobody paid in time.
    Expired,
    /// The card does not take the amount: a limit, or it was closed.
    NotTaken,
    /// It was to be paid by a card of this programme.
    OwnCard,
    /// The provider has another amount than was ordered.
    WrongAmount,
}

impl Failure {
    const ALL: [Self; 6] = [
        Self::Cancelled,
        Self::Declined,
        Self::Expired,
        Self::NotTaken,
        Self::OwnCard,
        Self::WrongAmount,
    ];

    /// The name in the database and the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Declined => "declined",
            Self::Expired => "expired",
            Self::NotTaken => "not_taken",
            Self::OwnCard => "own_card",
            Self::WrongAmount => "wrong_amount",
        }
    }

    /// The failure of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|failure| failure.name() == name)
    }

    /// The key of the text that tells it.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Cancelled => "loads-failure-cancelled",
            Self::Declined => "loads-failure-declined",
            Self::Expired => "loads-failure-expired",
            Self::NotTaken => "loads-failure-not-taken",
            Self::OwnCard => "loads-failure-own-card",
            Self::WrongAmount => "loads-failure-wrong-amount",
        }
    }
}

/// What is known here when the provider has told how a payment stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Known {
    /// How far the load has come.
    pub state: State,
    /// What was ordered, in cents.
    pub amount: u64,
    /// What was taken back of the card, in cents.
    pub taken_back: u64,
    /// Why it is being ended, if it is.
    pub failure: Option<Failure>,
    /// Whether it waited for longer than it may.
    pub is_late: bool,
    /// Whether the means of payment is a card of this programme.
    pub is_own_card: bool,
    /// Whether the card takes the amount now.
    pub is_taken: bool,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// Note why, then end the payment.
    Cancel(Failure),
    /// Take the money.
    Capture,
    /// Put it on the card.
    Credit,
    /// Write down that it came further.
    Move(State),
    /// Note why, then give all of it back to the payer, nothing being on the card.
    Return(Failure),
    /// Take off the card what went back to the payer.
    TakeBack,
    /// Nothing, until the provider has news.
    Wait,
}

/// What is to be done next with a load whose payment stands so.
#[must_use]
pub fn next(known: &Known, payment: Option<&Payment>) -> Step {
    match known.state {
        State::ChargedBack | State::Expired | State::Failed | State::Refunded => Step::Wait,
        State::Captured => captured(known, payment),
        State::Credited => {
            let returned = payment.map_or(0, Payment::returned).min(known.amount);
            if returned > known.taken_back {
                Step::TakeBack
            } else if returned >= known.amount {
                Step::Move(state_returned(payment))
            } else {
                Step::Wait
            }
        }
        State::Authenticating | State::Authorized | State::Created => open(known, payment),
    }
}

/// Before money was taken, as far as is known here.
fn open(known: &Known, payment: Option<&Payment>) -> Step {
    let late = if known.is_late { Step::Cancel(Failure::Expired) } else { Step::Wait };
    let Some(payment) = payment else { return late };
    let ahead = match known.state {
        State::Created => Step::Move(State::Authenticating),
        State::Authenticating => Step::Move(State::Authorized),
        State::Authorized
        | State::Captured
        | State::ChargedBack
        | State::Credited
        | State::Expired
        | State::Failed
        | State::Refunded => Step::Move(State::Captured),
    };
    match payment.status {
        PaymentStatus::Open => late,
        PaymentStatus::Authenticating if known.state == State::Created => ahead,
        PaymentStatus::Authenticating => late,
        PaymentStatus::Authorized if known.state == State::Authorized => {
            if let Some(failure) = known.failure {
                return Step::Cancel(failure);
            }
            match refusal(known, payment) {
                Some(failure) => Step::Cancel(failure),
                None if !known.is_taken => Step::Cancel(Failure::NotTaken),
                None if known.is_late => Step::Cancel(Failure::Expired),
                None => Step::Capture,
            }
        }
        PaymentStatus::Authorized | PaymentStatus::Captured => ahead,
        PaymentStatus::Declined => Step::Move(State::Failed),
        PaymentStatus::Cancelled if known.failure == Some(Failure::Expired) => {
            Step::Move(State::Expired)
        }
        PaymentStatus::Cancelled => Step::Move(State::Failed),
    }
}

/// Money was taken, and is not known to be on the card.
fn captured(known: &Known, payment: Option<&Payment>) -> Step {
    let Some(payment) = payment else { return Step::Wait };
    if payment.returned() >= payment.amount {
        // It may be on the card all the same, if the answer to that was lost.
        return if known.taken_back < known.amount {
            Step::TakeBack
        } else {
            Step::Move(state_returned(Some(payment)))
        };
    }
    // A noted return was begun, or is still to be: nothing is credited any more.
    match known.failure.or_else(|| refusal(known, payment)) {
        Some(failure) => Step::Return(failure),
        None => Step::Credit,
    }
}

fn refusal(known: &Known, payment: &Payment) -> Option<Failure> {
    if known.is_own_card {
        Some(Failure::OwnCard)
    } else if payment.amount != known.amount {
        Some(Failure::WrongAmount)
    } else {
        None
    }
}

fn state_returned(payment: Option<&Payment>) -> State {
    let mut reversals = payment.into_iter().flat_map(|payment| &payment.reversals);
    if reversals.any(|reversal| reversal.cause == ReversalCause::Chargeback) {
        State::ChargedBack
    } else {
        State::Refunded
    }
}
