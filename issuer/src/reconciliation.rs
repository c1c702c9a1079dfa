//! Reconciliation (05xx): an acquirer's totals since its last cutover, against ours.
//!
//! What was posted counts, by the acquirer (DE 32) of the message that posted it: purchases and
//! cash are debits, refunds are credits, and what gave them back are their reversals. Holds do not
//! count before they are completed, and fees never do: they are the issuer's own. What a clearing
//! line posted counts as little as its reversal: no message of the acquirer's posted it.
//!
//! Source: ISO 8583:1987, DE 66, 74 to 77, 86 to 89 and 97.

use cekr_iso8583::{FieldSet, Mti, Sign, SignedAmount, View, WriteError, Writer};

use crate::entry::{Answered, Entry, Fact, GivenBack, Reconciled};
use crate::key::RequestKey;
use crate::money::Amount;
use crate::network::link_key;
use crate::reason::Reason;
use crate::reply::NO_MAC;
use crate::request::{FORMAT_ERROR, Reject};

/// Counts and amounts of one acquirer.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Totals {
    /// Refunds (DE 74, 86).
    pub credits: Total,
    /// Refunds that were taken back (DE 75, 87).
    pub credit_reversals: Total,
    /// Purchases and cash (DE 76, 88).
    pub debits: Total,
    /// Purchases and cash that were given back (DE 77, 89).
    pub debit_reversals: Total,
}

/// How many, and how much.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Total {
    /// Messages.
    pub count: u32,
    /// Cents, without fees.
    pub amount: Amount,
}

impl Total {
    fn add(&mut self, amount: Amount) {
        self.count = self.count.saturating_add(1);
        self.amount = self.amount.saturating_add(amount);
    }
}

/// What an acquirer claims.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reconciliation {
    /// The message type.
    pub mti: Mti,
    /// What makes a repeat the same request; its acquirer is the one whose totals are meant.
    pub key: RequestKey,
    counts: [Option<u64>; 4],
    amounts: [Option<u64>; 4],
    net: Option<SignedAmount>,
}

impl Totals {
    /// Adds what `entry` posts; the acquirer of its request is the caller's affair.
    pub fn add(&mut self, entry: &Entry) {
        match &entry.fact {
            Fact::Authorized(fact) if fact.answered.key.class == 2 => {
                self.debits.add(fact.answered.amount);
            }
            Fact::Completed(fact) => self.debits.add(fact.answered.amount),
            Fact::RefundPending(fact) if fact.answered.key.class == 2 => {
                self.credits.add(fact.answered.amount);
            }
            Fact::Reversed(fact) => match fact.given_back {
                GivenBack::Posted if !fact.answered.amount.is_zero() => {
                    self.debit_reversals.add(fact.answered.amount);
                }
                GivenBack::RefundPending if !fact.answered.amount.is_zero() => {
                    self.credit_reversals.add(fact.answered.amount);
                }
                GivenBack::Held
                | GivenBack::Posted
                | GivenBack::PostedByClearing
                | GivenBack::RefundPending => {}
            },
            Fact::Authorized(_)
            | Fact::Cleared(_)
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
            | Fact::LoadTakenBack(_)
            | Fact::Loaded(_)
            | Fact::Parked(_)
            | Fact::PinChanged(_)
            | Fact::PointsExpired(_)
            | Fact::PointsTakenBack(_)
            | Fact::Reconciled(_)
            | Fact::RefundPending(_)
            | Fact::ReversalRemembered(_)
            | Fact::ScriptAsked(_)
            | Fact::ScriptSettled(_)
            | Fact::SuspenseAssigned(_)
            | Fact::SuspenseHeld(_)
            | Fact::SuspenseReleased(_) => {}
        }
    }

    /// What is left when credits and debits are set off: credit is the cardholders' favour (DE 97).
    #[must_use]
    pub fn net(&self) -> SignedAmount {
        let credit = self.credits.amount.saturating_add(self.debit_reversals.amount);
        let debit = self.debits.amount.saturating_add(self.credit_reversals.amount);
        if credit >= debit {
            SignedAmount { sign: Sign::Credit, amount: credit.saturating_sub(debit) }
        } else {
            SignedAmount { sign: Sign::Debit, amount: debit.saturating_sub(credit) }
        }
    }

    /// In the order of their elements.
    pub(crate) const fn each(&self) -> [Total; 4] {
        [self.credits, self.credit_reversals, self.debits, self.debit_reversals]
    }
}

impl Reconciliation {
    /// The outcome against `totals`, ours.
    #[must_use]
    pub fn fact(&self, totals: Totals) -> Fact {
        let reason =
            if self.agrees_with(&totals) { Reason::Approved } else { Reason::TotalsDiffer };
        Fact::Reconciled(Reconciled {
            answered: Answered::about_link(self.mti, self.key, reason),
            totals,
        })
    }

    /// Whether everything that was claimed is ours too; what was not claimed cannot differ.
    fn agrees_with(&self, totals: &Totals) -> bool {
        let ours = totals.each();
        let counts = self.counts.iter().zip(&ours);
        let amounts = self.amounts.iter().zip(&ours);
        counts.into_iter().all(|(told, our)| told.is_none_or(|told| told == u64::from(our.count)))
            && amounts.into_iter().all(|(told, our)| told.is_none_or(|t| t == our.amount.minor()))
            && self.net.is_none_or(|net| is_same(net, totals.net()))
    }
}

/// Nothing has no side.
fn is_same(told: SignedAmount, ours: SignedAmount) -> bool {
    told.amount == ours.amount && (told.sign == ours.sign || ours.amount.is_zero())
}

pub(crate) fn parse(view: &View<'_>, listener: u32) -> Result<Reconciliation, Reject> {
    let key = link_key(view, listener)?;
    let net = view.fee_amount(NET);
    if view.has(NET) && net.is_none() {
        return Err(FORMAT_ERROR);
    }
    let counts = COUNTS.map(|de| view.number(de));
    let amounts = AMOUNTS.map(|de| view.number(de));
    Ok(Reconciliation { mti: view.mti(), key, counts, amounts, net })
}

/// Writes the reply that stands in `fact` to the message behind `view`; gives its length in octets.
///
/// # Errors
/// When it does not fit `out`.
pub fn write_reply(
    fact: &Reconciled,
    view: &View<'_>,
    mti: Mti,
    mac: Option<u8>,
    out: &mut [u8],
) -> Result<usize, WriteError> {
    let own = mac.map_or(OWN, |element| OWN.with(element));
    let mut writer = Writer::reply(view, mti, ECHOED, own, out)?;
    writer.text(39, &fact.answered.reason.response_code())?;
    // Settlement code: 1 in balance, 2 out of balance.
    writer.number(66, if fact.answered.reason == Reason::Approved { 1 } else { 2 })?;
    for (de, total) in COUNTS.into_iter().zip(fact.totals.each()) {
        writer.number(de, u64::from(total.count))?;
    }
    for (de, total) in AMOUNTS.into_iter().zip(fact.totals.each()) {
        writer.number(de, total.amount.minor())?;
    }
    writer.signed(NET, fact.totals.net())?;
    if let Some(element) = mac {
        writer.octets(element, &NO_MAC)?;
    }
    writer.finish()
}

const COUNTS: [u8; 4] = [74, 75, 76, 77];
const AMOUNTS: [u8; 4] = [86, 87, 88, 89];
const NET: u8 = 97;
const ECHOED: FieldSet = FieldSet::of(&[7, 11, 12, 13, 15, 32, 33, 37, 41, 42, 49, 50, 99]);
const OWN: FieldSet = FieldSet::of(&[39, 66, 74, 75, 76, 77, 86, 87, 88, 89, 97]);
