//! What a card keeps of confirmations: the records, the failures, and what was paid without one.
//!
//! The questions (may this step be taken) give a fact or say why not; what a fact does is applied
//! without a question, as everywhere. A step that was taken already gives none: whoever asks again
//! gets the same record.

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use super::{Card, Rare};
use crate::confirmation::{
    BLOCKED_MS, Confirmation, ConfirmationEnd, ConfirmationId, ConfirmationNumber,
    ConfirmationRefused, ConfirmationState, ConfirmationStep, ENDED_KEPT_MAX, Exemption,
    FAILURES_MAX, NewConfirmation, OPEN_MAX, PENDING_MS, Payee, SEALED_MAX, SEALED_MS, STEP_MS,
    Sealed, SecondFactor,
};
use crate::entry::{Entry, Fact, Seq};
use crate::money::Amount;
use crate::planted::{self, Fault};
use crate::snapshot::{Reader, SnapshotError, Writer};

/// What was paid without the holder being asked, since the holder last was: the sum that an
/// exemption looks at. An epoch ends when the holder is asked.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Unasked {
    cents: u32,
    count: u16,
    epoch: u16,
}

impl Unasked {
    /// The sum.
    #[must_use]
    pub const fn sum(self) -> Amount {
        Amount::from_minor(self.cents as u64)
    }

    /// How many payments it is the sum of.
    #[must_use]
    pub const fn count(self) -> u16 {
        self.count
    }

    /// What tells the payments since the holder was last asked from those before. It wraps after
    /// 65,536 times, which is more than a card is used while a reversal may still come.
    #[must_use]
    pub const fn epoch(self) -> u16 {
        self.epoch
    }

    pub(super) fn add(&mut self, amount: Amount) {
        self.cents = self.cents.saturating_add(cents(amount));
        self.count = self.count.saturating_add(1);
    }

    /// A payment of this epoch did not happen.
    pub(super) fn take_back(&mut self, amount: Amount, epoch: u16) {
        if epoch == self.epoch {
            self.cents = self.cents.saturating_sub(cents(amount));
            self.count = self.count.saturating_sub(1);
        }
    }

    /// The holder was asked. Nothing changes where nothing was paid since.
    pub(super) const fn begin_anew(&mut self) {
        if self.count > 0 || self.cents > 0 {
            *self = Self { cents: 0, count: 0, epoch: self.epoch.wrapping_add(1) };
        }
    }

    pub(super) fn write_state(self, out: &mut Writer<'_>) {
        let Self { cents, count, epoch } = self;
        out.small(cents);
        out.put(count.to_le_bytes());
        out.put(epoch.to_le_bytes());
    }

    pub(super) fn read_state(from: &mut Reader<'_>) -> Result<Self, SnapshotError> {
        let cents = from.small()?;
        let (count, epoch) = (from.take()?, from.take()?);
        Ok(Self { cents, count: u16::from_le_bytes(count), epoch: u16::from_le_bytes(epoch) })
    }

    /// As older layouts tell it: a sum alone.
    pub(super) const fn of_sum(cents: u32) -> Self {
        Self { cents, count: 0, epoch: 0 }
    }
}

fn cents(amount: Amount) -> u32 {
    u32::try_from(amount.minor()).unwrap_or(u32::MAX)
}

/// Everything about the confirmations of one card.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Confirmations {
    /// In the order in which they were asked for.
    kept: VecDeque<Confirmation>,
    /// Failed proofs since the last one that was right.
    failures: u8,
    /// Until when nothing is confirmed, ms since 1970; zero when nothing stands in the way.
    blocked_until: u64,
    /// Paid without one since the last.
    pub(super) unasked: Unasked,
}

impl Confirmations {
    fn get_mut(&mut self, id: ConfirmationId) -> Option<&mut Confirmation> {
        self.kept.iter_mut().find(|kept| kept.id == id)
    }

    /// The first that falls due, and when.
    pub(super) fn first_due(&self) -> Option<(u64, ConfirmationId)> {
        let live = self.kept.iter().filter(|kept| !kept.state.is_ended());
        live.map(|kept| (kept.expires_at, kept.id)).min()
    }

    /// Keeps one more, and forgets what there is no place for.
    fn push(&mut self, new: Confirmation) {
        self.kept.retain(|kept| kept.id != new.id);
        self.kept.push_back(new);
    }

    fn trim(&mut self) {
        let count = |is: fn(ConfirmationState) -> bool, kept: &VecDeque<Confirmation>| {
            kept.iter().filter(|kept| is(kept.state)).count()
        };
        let is_sealed = |state| state == ConfirmationState::Sealed;
        while count(is_sealed, &self.kept) > SEALED_MAX
            && let Some(oldest) = self.kept.iter_mut().find(|kept| is_sealed(kept.state))
        {
            oldest.state = ConfirmationState::Expired;
        }
        while count(ConfirmationState::is_ended, &self.kept) > ENDED_KEPT_MAX
            && let Some(oldest) = self.kept.iter().position(|kept| kept.state.is_ended())
        {
            self.kept.remove(oldest);
        }
    }

    fn apply(&mut self, at: u64, step: &ConfirmationStep) {
        match step {
            ConfirmationStep::Approved(id) => {
                self.failures = 0;
                self.unasked.begin_anew();
                self.set(*id, ConfirmationState::Approved, at.saturating_add(STEP_MS));
            }
            ConfirmationStep::Asked(new) => self.push(Confirmation::asked(new, at)),
            ConfirmationStep::Ended(id, end) => self.set(*id, end.state(), at),
            ConfirmationStep::Failed(id) => self.apply_failed(*id, at),
            ConfirmationStep::Pushed(id) => {
                self.set(*id, ConfirmationState::Pending, at.saturating_add(PENDING_MS));
            }
            ConfirmationStep::Sealed(sealed) => self.apply_sealed(sealed, at),
            ConfirmationStep::Unblocked => (self.failures, self.blocked_until) = (0, 0),
        }
        self.trim();
    }

    fn set(&mut self, id: ConfirmationId, state: ConfirmationState, expires_at: u64) {
        if let Some(kept) = self.get_mut(id) {
            (kept.state, kept.expires_at) = (state, expires_at);
        }
    }

    fn apply_failed(&mut self, id: ConfirmationId, at: u64) {
        if let Some(kept) = self.get_mut(id) {
            kept.tries = kept.tries.saturating_add(1);
        }
        // What failed before a block that is over counts no more.
        if self.blocked_until != 0 && at >= self.blocked_until {
            (self.failures, self.blocked_until) = (0, 0);
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures >= FAILURES_MAX {
            self.blocked_until = at.saturating_add(BLOCKED_MS);
            for open in self.kept.iter_mut().filter(|kept| kept.state.is_open()) {
                (open.state, open.expires_at) = (ConfirmationState::Denied, at);
            }
        }
    }

    fn apply_sealed(&mut self, sealed: &Sealed, at: u64) {
        let Sealed { purchase, factor, exemption, number } = sealed;
        if self.get_mut(purchase.id).is_none() {
            self.push(Confirmation::asked(purchase, at));
        }
        if let Some(kept) = self.get_mut(purchase.id) {
            kept.state = ConfirmationState::Sealed;
            kept.expires_at = at.saturating_add(SEALED_MS);
            (kept.factor, kept.exemption) = (Some(*factor), *exemption);
            kept.number = *number;
        }
    }

    /// A purchase of `amount` has used up the record with this number.
    fn consume(&mut self, number: ConfirmationNumber, by: Seq, amount: Amount) -> bool {
        let mut sealed = self.kept.iter_mut().filter(|kept| kept.is_sealed());
        let Some(record) = sealed.find(|kept| kept.number == number) else {
            return false;
        };
        if !planted::is(Fault::ConfirmationTwice) {
            record.state = ConfirmationState::Consumed;
        }
        record.consumed_by = by;
        let is_unasked = record.exemption.is_some();
        if is_unasked {
            self.unasked.add(amount);
        }
        self.trim();
        is_unasked
    }

    pub(super) fn write_state(&self, out: &mut Writer<'_>) {
        let Self { kept, failures, blocked_until, unasked } = self;
        out.put([*failures]);
        out.number(*blocked_until);
        unasked.write_state(out);
        out.all(kept.iter(), |out, kept| {
            out.put(kept.id.0);
            out.amount(kept.amount);
            out.put(kept.currency.number().to_le_bytes());
            out.put(kept.payee.octets());
            out.number(kept.created_at);
            out.number(kept.expires_at);
            let factor = kept.factor.map_or(0, SecondFactor::number);
            let exemption = kept.exemption.map_or(0, |exemption| exemption as u8);
            out.put([kept.state as u8, factor, exemption, kept.tries]);
            out.put(kept.number.packed());
            out.number(kept.consumed_by.0);
        });
    }

    pub(super) fn read_state(from: &mut Reader<'_>) -> Result<Self, SnapshotError> {
        let [failures] = from.take()?;
        let blocked_until = from.number()?;
        let unasked = Unasked::read_state(from)?;
        let kept = from.all(read_confirmation)?;
        Ok(Self { kept, failures, blocked_until, unasked })
    }
}

fn read_confirmation(from: &mut Reader<'_>) -> Result<Confirmation, SnapshotError> {
    let bad = SnapshotError::BadField;
    let id = ConfirmationId(from.take()?);
    let amount = from.amount()?;
    let currency = u16::from_le_bytes(from.take()?);
    let currency = cekr_iso8583::CurrencyCode::new(currency).ok_or(bad)?;
    let payee = Payee::from_octets(&from.take()?).ok_or(bad)?;
    let (created_at, expires_at) = (from.number()?, from.number()?);
    let [state, factor, exemption, tries] = from.take()?;
    let factor = match factor {
        0 => None,
        number => Some(SecondFactor::from_number(number).ok_or(bad)?),
    };
    let exemption = match exemption {
        0 => None,
        number => Some(Exemption::from_number(number).ok_or(bad)?),
    };
    Ok(Confirmation {
        id,
        state: ConfirmationState::from_number(state).ok_or(bad)?,
        amount,
        currency,
        payee,
        created_at,
        expires_at,
        factor,
        exemption,
        number: ConfirmationNumber::from_packed(from.take()?).ok_or(bad)?,
        tries,
        consumed_by: Seq(from.number()?),
    })
}

impl Confirmation {
    fn is_sealed(&self) -> bool {
        self.state == ConfirmationState::Sealed
    }
}

/// What a step that may be taken comes to: its fact, or none where it was taken already.
type Step = Result<Option<Fact>, ConfirmationRefused>;

const fn step(step: ConfirmationStep) -> Step {
    Ok(Some(Fact::Confirmation(step)))
}

impl Card {
    /// The confirmations that it remembers, in the order in which they were asked for.
    pub fn confirmations(&self) -> impl Iterator<Item = &Confirmation> {
        self.rare.iter().flat_map(|rare| &rare.confirmations.kept)
    }

    /// The confirmation with this id.
    #[must_use]
    pub fn confirmation(&self, id: ConfirmationId) -> Option<&Confirmation> {
        self.confirmations().find(|kept| kept.id == id)
    }

    /// The confirmation that a purchase names by this number, if it is sealed and not used up.
    #[must_use]
    pub fn sealed(&self, number: ConfirmationNumber) -> Option<&Confirmation> {
        self.confirmations().find(|kept| kept.is_sealed() && kept.number == number)
    }

    /// Whether `new` was sealed before without asking the holder.
    #[must_use]
    pub fn sealed_already(&self, new: &NewConfirmation) -> bool {
        self.confirmation(new.id).is_some_and(|kept| {
            kept.is_sealed() && kept.exemption.is_some() && kept.purchase() == *new
        })
    }

    /// Paid without the card and without a confirmation, since the last one.
    #[must_use]
    pub fn unasked_remote(&self) -> Unasked {
        self.rare.as_ref().map(|rare| rare.confirmations.unasked).unwrap_or_default()
    }

    /// Until when its confirmations are blocked, ms since 1970; none when they are not.
    #[must_use]
    pub fn confirmations_blocked(&self, unix_ms: u64) -> Option<u64> {
        let until = self.rare.as_ref().map(|rare| rare.confirmations.blocked_until)?;
        (unix_ms < until).then_some(until)
    }

    /// What asking for `new` comes to.
    ///
    /// # Errors
    /// [`ConfirmationRefused`]; nothing where the same was asked for already.
    pub fn ask_confirmation(&self, new: &NewConfirmation, unix_ms: u64) -> Step {
        if let Some(kept) = self.confirmation(new.id) {
            return if kept.purchase() == *new {
                Ok(None)
            } else {
                Err(ConfirmationRefused::Differs)
            };
        }
        self.not_blocked(unix_ms)?;
        let open = self.confirmations().filter(|kept| kept.state.is_open());
        if open.count() >= OPEN_MAX {
            return Err(ConfirmationRefused::Full);
        }
        step(ConfirmationStep::Asked(*new))
    }

    /// What it comes to that the holder is asked.
    ///
    /// # Errors
    /// [`ConfirmationRefused`].
    pub fn push_confirmation(&self, id: ConfirmationId, unix_ms: u64) -> Step {
        self.not_blocked(unix_ms)?;
        let (from, done) = (ConfirmationState::Created, [ConfirmationState::Pending]);
        self.lead(id, from, &done, ConfirmationStep::Pushed(id))
    }

    /// What the holder's consent comes to.
    ///
    /// # Errors
    /// [`ConfirmationRefused`].
    pub fn approve_confirmation(&self, id: ConfirmationId, unix_ms: u64) -> Step {
        self.not_blocked(unix_ms)?;
        let done = [ConfirmationState::Approved, ConfirmationState::Sealed];
        self.lead(id, ConfirmationState::Pending, &done, ConfirmationStep::Approved(id))
    }

    /// What a failed proof comes to.
    ///
    /// # Errors
    /// [`ConfirmationRefused`].
    pub fn fail_confirmation(&self, id: ConfirmationId, unix_ms: u64) -> Step {
        self.not_blocked(unix_ms)?;
        self.lead(id, ConfirmationState::Pending, &[], ConfirmationStep::Failed(id))
    }

    /// What it comes to that a value for the holder's consent leaves; `number` is used where there
    /// is none yet.
    ///
    /// # Errors
    /// [`ConfirmationRefused`].
    pub fn seal_confirmation(
        &self,
        id: ConfirmationId,
        factor: SecondFactor,
        number: ConfirmationNumber,
    ) -> Step {
        let kept = self.confirmation(id).ok_or(ConfirmationRefused::NotFound)?;
        if kept.is_sealed() && kept.factor == Some(factor) {
            return Ok(None);
        }
        let purchase = kept.purchase();
        let sealed = Sealed { purchase, factor, exemption: None, number };
        self.lead(id, ConfirmationState::Approved, &[], ConfirmationStep::Sealed(sealed))
    }

    /// What it comes to that a value leaves for `new`, of which the holder is not asked because of
    /// `exemption`.
    ///
    /// # Errors
    /// [`ConfirmationRefused`].
    pub fn seal_frictionless(
        &self,
        new: &NewConfirmation,
        exemption: Exemption,
        number: ConfirmationNumber,
    ) -> Step {
        match self.confirmation(new.id) {
            Some(kept) if kept.purchase() != *new => Err(ConfirmationRefused::Differs),
            Some(kept) if kept.is_sealed() && kept.exemption.is_some() => Ok(None),
            Some(kept) if kept.state != ConfirmationState::Created => {
                Err(ConfirmationRefused::Wrong(kept.state))
            }
            Some(_) | None => step(ConfirmationStep::Sealed(Sealed {
                purchase: *new,
                factor: SecondFactor::Frictionless,
                exemption: Some(exemption),
                number,
            })),
        }
    }

    /// What it comes to that a confirmation ends so.
    ///
    /// # Errors
    /// [`ConfirmationRefused`].
    pub fn end_confirmation(&self, id: ConfirmationId, end: ConfirmationEnd) -> Step {
        let state = self.state_of(id)?;
        let is_allowed = match end {
            ConfirmationEnd::Cancelled => state.is_open() || state == ConfirmationState::Sealed,
            ConfirmationEnd::Denied | ConfirmationEnd::Expired => {
                matches!(state, ConfirmationState::Created | ConfirmationState::Pending)
            }
        };
        if state == end.state() {
            Ok(None)
        } else if is_allowed {
            step(ConfirmationStep::Ended(id, end))
        } else {
            Err(ConfirmationRefused::Wrong(state))
        }
    }

    /// What it comes to that the card's confirmations go on: nothing where they are not blocked and
    /// nothing failed.
    #[must_use]
    pub fn unblock_confirmations(&self) -> Option<Fact> {
        let confirmations = &self.rare.as_ref()?.confirmations;
        let is_needed = confirmations.failures > 0 || confirmations.blocked_until > 0;
        is_needed.then_some(Fact::Confirmation(ConfirmationStep::Unblocked))
    }

    /// A step that leads on from one state, and was taken already in others.
    fn lead(
        &self,
        id: ConfirmationId,
        from: ConfirmationState,
        done: &[ConfirmationState],
        next: ConfirmationStep,
    ) -> Step {
        let state = self.state_of(id)?;
        if state == from {
            step(next)
        } else if done.contains(&state) {
            Ok(None)
        } else {
            Err(ConfirmationRefused::Wrong(state))
        }
    }

    fn state_of(&self, id: ConfirmationId) -> Result<ConfirmationState, ConfirmationRefused> {
        self.confirmation(id).map(|kept| kept.state).ok_or(ConfirmationRefused::NotFound)
    }

    fn not_blocked(&self, unix_ms: u64) -> Result<(), ConfirmationRefused> {
        match self.confirmations_blocked(unix_ms) {
            Some(until) => Err(ConfirmationRefused::Blocked { until }),
            None => Ok(()),
        }
    }

    pub(super) fn apply_confirmation(&mut self, entry: &Entry, step: &ConfirmationStep) {
        self.rare.get_or_insert_default().confirmations.apply(entry.at, step);
        self.forget_empty();
        self.due_first = self.next_due();
    }

    /// A card that has nothing rare any more has no box for it: a checkpoint keeps none either.
    pub(super) fn forget_empty(&mut self) {
        self.rare = self.rare.take().filter(|rare| **rare != Rare::default());
    }

    /// A purchase has used up a confirmation; tells whether the holder had been asked of nothing.
    pub(super) fn apply_consumed(
        &mut self,
        number: ConfirmationNumber,
        by: Seq,
        amount: Amount,
    ) -> bool {
        let consume = |rare: &mut Box<Rare>| rare.confirmations.consume(number, by, amount);
        let is_unasked = self.rare.as_mut().is_some_and(consume);
        self.due_first = self.next_due();
        is_unasked
    }
}
