//! Double entry: what each entry posts to which account, and the totals.
//!
//! Every entry's postings sum to zero. Holds are a memorandum: they are no account's money until
//! they are posted.

use crate::entry::{Cleared, ClearedAs, Entry, Fact, GivenBack, LoadSource, TakeBackCause};
use crate::money::{Amount, Balance};

/// The accounts of the programme.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Account {
    /// What the issuer owes its cardholders.
    CardLiability,
    /// What was charged back and is not settled yet.
    ChargebackReceivable,
    /// Fees earned.
    FeeIncome,
    /// What the advantage programme costs.
    PointsCost,
    /// What the payment provider owes for loads by card.
    PspReceivable,
    /// Money that could not be matched to a card.
    Suspense,
    /// The bank account that payment orders, branch cash and opening balances come through.
    UpnClearing,
    /// What is owed to the network for purchases and cash.
    VisaSettlement,
}

impl Account {
    /// Every account, in alphabetical order.
    pub const ALL: [Self; 8] = [
        Self::CardLiability,
        Self::ChargebackReceivable,
        Self::FeeIncome,
        Self::PointsCost,
        Self::PspReceivable,
        Self::Suspense,
        Self::UpnClearing,
        Self::VisaSettlement,
    ];

    /// The name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CardLiability => "card_liability",
            Self::ChargebackReceivable => "chargeback_receivable",
            Self::FeeIncome => "fee_income",
            Self::PointsCost => "points_cost",
            Self::PspReceivable => "psp_receivable",
            Self::Suspense => "suspense",
            Self::UpnClearing => "upn_clearing",
            Self::VisaSettlement => "visa_settlement",
        }
    }
}

/// One line of an entry: credits are positive, debits negative.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Posting {
    /// The account.
    pub account: Account,
    /// Cents.
    pub amount: Balance,
}

/// The postings of `entry`: none, two or three lines that sum to zero.
pub fn postings(entry: &Entry) -> impl Iterator<Item = Posting> + use<> {
    let lines = match &entry.fact {
        Fact::Authorized(fact) if fact.hold_days == 0 => {
            spent(fact.answered.amount, fact.answered.fee)
        }
        Fact::Cleared(fact) => cleared(fact),
        Fact::Completed(fact) => spent(fact.answered.amount, fact.answered.fee),
        Fact::Reversed(fact) if fact.given_back.is_of_balance() => {
            spent(fact.answered.amount, fact.answered.fee).map(|line| line.map(inverse))
        }
        Fact::LoadTakenBack(fact) => taken_back(fact.cause, fact.amount),
        Fact::Loaded(fact) => loaded(fact.source, fact.amount),
        Fact::SuspenseHeld(fact) => suspense(fact.amount),
        Fact::SuspenseReleased(fact) => suspense(fact.amount).map(|line| line.map(inverse)),
        // The money leaves suspense with the card's own entry: until then it is still there.
        Fact::SuspenseAssigned(_)
        | Fact::Authorized(_)
        | Fact::Confirmation(_)
        | Fact::ControlsSet(_)
        | Fact::CutOver(_)
        | Fact::Declined(_)
        | Fact::DeclinedElsewhere(_)
        | Fact::DeclinesCounted { .. }
        | Fact::FileActioned(_)
        | Fact::HoldExpired(_)
        | Fact::Inquired(_)
        | Fact::Issued(_)
        | Fact::LimitsSet(_)
        | Fact::LineParked(_)
        | Fact::Parked(_)
        | Fact::PinChanged(_)
        | Fact::PointsExpired(_)
        | Fact::PointsTakenBack(_)
        | Fact::Reconciled(_)
        | Fact::RefundPending(_)
        | Fact::ReversalRemembered(_)
        | Fact::Reversed(_)
        | Fact::ScriptAsked(_)
        | Fact::ScriptSettled(_) => [None; 3],
    };
    lines.into_iter().flatten().filter(|line| line.amount != Balance::ZERO)
}

/// Totals of all accounts, folded entry by entry.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Books {
    totals: [i128; Account::ALL.len()],
    held: i128,
}

impl Books {
    /// Books with these totals, in the order of [`Account::ALL`], and this much held, in cents.
    #[must_use]
    pub const fn restored(totals: [i128; Account::ALL.len()], held: i128) -> Self {
        Self { totals, held }
    }

    /// Adds the postings of `entry`.
    pub fn add(&mut self, entry: &Entry) {
        for line in postings(entry) {
            if let Some(total) = self.totals.get_mut(line.account as usize) {
                *total += i128::from(line.amount.minor());
            }
        }
        self.held += held(entry);
    }

    /// The total of `account` in cents; credits are positive.
    #[must_use]
    pub fn total(&self, account: Account) -> i128 {
        self.totals.get(account as usize).copied().unwrap_or_default()
    }

    /// The sum of all accounts: zero, or the books are wrong.
    #[must_use]
    pub fn sum(&self) -> i128 {
        self.totals.iter().sum()
    }

    /// What all holds set aside, in cents.
    #[must_use]
    pub const fn held(&self) -> i128 {
        self.held
    }
}

/// What `entry` adds to the holds.
fn held(entry: &Entry) -> i128 {
    let total = |amount: Amount, fee: Amount| i128::from(amount.saturating_add(fee).minor());
    match &entry.fact {
        Fact::Authorized(fact) if fact.hold_days > 0 => {
            total(fact.answered.amount, fact.answered.fee)
        }
        Fact::HoldExpired(fact) => -total(fact.amount, fact.fee),
        Fact::Cleared(fact) => -i128::from(fact.held.minor()),
        Fact::Completed(fact) => -i128::from(fact.held.minor()),
        Fact::Reversed(fact) if fact.given_back == GivenBack::Held => {
            -total(fact.answered.amount, fact.answered.fee)
        }
        Fact::Authorized(_)
        | Fact::Confirmation(_)
        | Fact::ControlsSet(_)
        | Fact::CutOver(_)
        | Fact::Declined(_)
        | Fact::DeclinedElsewhere(_)
        | Fact::DeclinesCounted { .. }
        | Fact::FileActioned(_)
        | Fact::Inquired(_)
        | Fact::Issued(_)
        | Fact::LimitsSet(_)
        | Fact::LineParked(_)
        | Fact::LoadTakenBack(_)
        | Fact::Loaded(_)
        | Fact::Parked(_)
        | Fact::PinChanged(_)
        | Fact::PointsExpired(_)
        | Fact::PointsTakenBack(_)
        | Fact::Reconciled(_)
        | Fact::RefundPending(_)
        | Fact::ReversalRemembered(_)
        | Fact::Reversed(_)
        | Fact::ScriptAsked(_)
        | Fact::ScriptSettled(_)
        | Fact::SuspenseAssigned(_)
        | Fact::SuspenseHeld(_)
        | Fact::SuspenseReleased(_) => 0,
    }
}

type Lines = [Option<Posting>; 3];

const fn spent(amount: Amount, fee: Amount) -> Lines {
    [
        debit(Account::CardLiability, amount.saturating_add(fee)),
        credit(Account::VisaSettlement, amount),
        credit(Account::FeeIncome, fee),
    ]
}

/// The account's change and where it comes from, or goes to.
fn cleared(fact: &Cleared) -> Lines {
    let (change, fee_change) = (fact.change.minor(), fact.fee_change.minor());
    let other = match fact.how {
        ClearedAs::ChargedBack => Account::ChargebackReceivable,
        ClearedAs::Adjusted | ClearedAs::Forced | ClearedAs::Posted | ClearedAs::Refunded => {
            Account::VisaSettlement
        }
    };
    let line = |account, minor| Some(Posting { account, amount: Balance::from_minor(minor) });
    [
        line(Account::CardLiability, change + fee_change),
        line(other, -change),
        line(Account::FeeIncome, -fee_change),
    ]
}

const fn loaded(source: LoadSource, amount: Amount) -> Lines {
    let from = match source {
        LoadSource::BranchCash | LoadSource::Opening | LoadSource::Upn => Account::UpnClearing,
        LoadSource::Card => Account::PspReceivable,
        LoadSource::Suspense => Account::Suspense,
    };
    [debit(from, amount), credit(Account::CardLiability, amount), None]
}

const fn taken_back(cause: TakeBackCause, amount: Amount) -> Lines {
    let to = match cause {
        TakeBackCause::BankReversal => Account::UpnClearing,
        TakeBackCause::Chargeback => Account::ChargebackReceivable,
        TakeBackCause::Refund => Account::PspReceivable,
        TakeBackCause::Suspense => Account::Suspense,
    };
    [debit(Account::CardLiability, amount), credit(to, amount), None]
}

/// Money on the bank account that is nobody's yet; negative where the bank took it.
const fn suspense(amount: Balance) -> Lines {
    let bank = Posting { account: Account::UpnClearing, amount };
    [Some(inverse(bank)), Some(Posting { account: Account::Suspense, amount }), None]
}

const fn credit(account: Account, amount: Amount) -> Option<Posting> {
    Some(Posting { account, amount: Balance::ZERO.plus(amount) })
}

const fn debit(account: Account, amount: Amount) -> Option<Posting> {
    Some(Posting { account, amount: Balance::ZERO.minus(amount) })
}

const fn inverse(line: Posting) -> Posting {
    Posting { account: line.account, amount: Balance::from_minor(-line.amount.minor()) }
}
