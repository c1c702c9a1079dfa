//! Confirmations of purchases without the card: asked for, pushed, approved, sealed, ended.
//!
//! A step that was taken already changes nothing and tells the same again, so that whoever lost an
//! answer may ask once more. A value leaves for nobody before its seal is durable: the caller waits
//! for the number that comes with it, as for everything here.

use std::fmt;

use cekr_iso8583::Pan;
use cekr_issuer::confirmation::{ConfirmationRefused, ECI_AUTHENTICATED, NewConfirmation};
use cekr_issuer::consent::{OnlinePurchase, OnlineVerdict, judge_online};
use cekr_issuer::decide::entry as entry_of;
use cekr_issuer::{
    Amount, Card, CardId, CardStatus, Confirmation, ConfirmationEnd, ConfirmationId,
    ConfirmationNumber, ConfirmationState, Exemption, Fact, Now, Payee, SecondFactor, Seq,
};

use super::{Control, ControlError};
use crate::entropy;
use crate::table::Cell;

/// A confirmation as those who ask for it see it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ConfirmationView {
    /// What names it.
    pub id: ConfirmationId,
    /// How far it has come.
    pub state: ConfirmationState,
    /// In minor units of the currency: the most that a purchase may ask.
    pub amount: Amount,
    /// In which it is paid.
    pub currency: cekr_iso8583::CurrencyCode,
    /// Who is paid.
    pub payee: Payee,
    /// When it was asked for, ms since 1970.
    pub created_at: u64,
    /// When it falls due where nothing happens before, ms since 1970.
    pub expires_at: u64,
    /// By what the holder was known, as soon as it is sealed.
    pub factor: Option<SecondFactor>,
    /// Why the holder was not asked, where that is so.
    pub exemption: Option<Exemption>,
    /// Proofs that failed.
    pub tries: u8,
    /// The entry of the purchase that was honoured.
    pub consumed_by: Option<Seq>,
}

impl From<&Confirmation> for ConfirmationView {
    fn from(kept: &Confirmation) -> Self {
        Self {
            id: kept.id,
            state: kept.state,
            amount: kept.amount,
            currency: kept.currency,
            payee: kept.payee,
            created_at: kept.created_at,
            expires_at: kept.expires_at,
            factor: kept.factor,
            exemption: kept.exemption,
            tries: kept.tries,
            consumed_by: (kept.consumed_by != Seq::NONE).then_some(kept.consumed_by),
        }
    }
}

/// A sealed confirmation with the value that its shop gets. `Debug` does not show the value.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct SealedConfirmation {
    /// The authentication value, twenty octets.
    pub cavv: [u8; 20],
    /// The electronic commerce indicator that goes with it: 5.
    pub eci: u8,
    /// The record.
    pub view: ConfirmationView,
}

impl fmt::Debug for SealedConfirmation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cavv: _, eci, view } = self;
        let mut shown = f.debug_struct("SealedConfirmation");
        shown.field("eci", eci).field("view", view).finish_non_exhaustive()
    }
}

impl Control {
    /// The card with this number, which nothing is kept of.
    #[must_use]
    pub fn by_number(&self, pan: Pan) -> Option<CardId> {
        self.shard.cards().find(pan).map(|cell| cell.lock().id())
    }

    /// What the switch would make of a purchase without the card, as far as it can be told before:
    /// by the same rows, and by the counters as they are now.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub fn judge_online(
        &self,
        card: CardId,
        asked: &OnlinePurchase,
        now: Now,
    ) -> Result<OnlineVerdict, ControlError> {
        let cell = self.shard.cards().by_id(card).ok_or(ControlError::NotFound)?;
        let now = self.shard.not_before_last(now);
        Ok(judge_online(&cell.lock(), asked, now, &self.policy))
    }

    /// Creates a confirmation. The same id again gives the same record, however far it has come.
    ///
    /// # Errors
    /// [`ControlError::Conflict`] unless the card is active;
    /// [`ControlError::Confirmation`]: blocked, too many open, or the id names another purchase.
    pub fn ask_confirmation(
        &self,
        card: CardId,
        new: NewConfirmation,
        now: Now,
    ) -> Result<(ConfirmationView, Seq), ControlError> {
        if new.amount.is_zero() {
            return Err(ControlError::AmountZero);
        }
        self.step(card, new.id, Needs::Active, now, |card, at| card.ask_confirmation(&new, at))
    }

    /// The holder is asked: five minutes from now it expires.
    ///
    /// # Errors
    /// [`ControlError::Conflict`] unless the card is active; [`ControlError::Confirmation`].
    pub fn push_confirmation(
        &self,
        card: CardId,
        id: ConfirmationId,
        now: Now,
    ) -> Result<(ConfirmationView, Seq), ControlError> {
        self.step(card, id, Needs::Active, now, |card, at| card.push_confirmation(id, at))
    }

    /// The holder agreed: failures are forgotten, and the sums that need no confirmation begin
    /// anew.
    ///
    /// # Errors
    /// [`ControlError::Conflict`] unless the card is active; [`ControlError::Confirmation`].
    pub fn approve_confirmation(
        &self,
        card: CardId,
        id: ConfirmationId,
        now: Now,
    ) -> Result<(ConfirmationView, Seq), ControlError> {
        self.step(card, id, Needs::Active, now, |card, at| card.approve_confirmation(id, at))
    }

    /// A proof failed. The fifth one after the other denies what is open and blocks the card's
    /// confirmations for a day, or until [`Self::unblock_confirmations`].
    ///
    /// # Errors
    /// [`ControlError::Confirmation`].
    pub fn fail_confirmation(
        &self,
        card: CardId,
        id: ConfirmationId,
        now: Now,
    ) -> Result<(ConfirmationView, Seq), ControlError> {
        self.step(card, id, Needs::Nothing, now, |card, at| card.fail_confirmation(id, at))
    }

    /// Seals an approved confirmation for ninety days. The same again gives the same value.
    ///
    /// # Errors
    /// [`ControlError::Conflict`] unless the card is active; [`ControlError::Confirmation`];
    /// [`ControlError::SecurityModule`].
    pub fn seal_confirmation(
        &self,
        card: CardId,
        id: ConfirmationId,
        factor: SecondFactor,
        now: Now,
    ) -> Result<(SealedConfirmation, Seq), ControlError> {
        self.seal_confirmation_as(card, id, factor, drawn(), now)
    }

    /// The same with a number that the caller drew.
    ///
    /// # Errors
    /// As [`Self::seal_confirmation`].
    pub fn seal_confirmation_as(
        &self,
        card: CardId,
        id: ConfirmationId,
        factor: SecondFactor,
        number: ConfirmationNumber,
        now: Now,
    ) -> Result<(SealedConfirmation, Seq), ControlError> {
        let sealed = self.step(card, id, Needs::Active, now, |card, _| {
            card.seal_confirmation(id, factor, number)
        });
        sealed.and_then(|(view, seq)| self.with_value(card, view, seq))
    }

    /// Seals a purchase of which the holder need not be asked; judged under the card's lock.
    ///
    /// # Errors
    /// [`ControlError::NotExempt`] where [`Self::judge_online`] says anything but exempt; else as
    /// [`Self::seal_confirmation`].
    pub fn seal_frictionless(
        &self,
        card: CardId,
        new: NewConfirmation,
        asked: &OnlinePurchase,
        now: Now,
    ) -> Result<(SealedConfirmation, Seq), ControlError> {
        self.seal_frictionless_as(card, new, asked, drawn(), now)
    }

    /// The same with a number that the caller drew.
    ///
    /// # Errors
    /// As [`Self::seal_frictionless`].
    pub fn seal_frictionless_as(
        &self,
        card: CardId,
        new: NewConfirmation,
        asked: &OnlinePurchase,
        number: ConfirmationNumber,
        now: Now,
    ) -> Result<(SealedConfirmation, Seq), ControlError> {
        if new.amount.is_zero() {
            return Err(ControlError::AmountZero);
        }
        let asked = OnlinePurchase { amount: new.amount, currency: new.currency, ..*asked };
        let policy = &self.policy;
        let id = new.id;
        let sealed = self.locked(card, now, |cell, locked, now| {
            if !locked.sealed_already(&new) {
                needs_active(locked)?;
                let OnlineVerdict::Exempt(exemption) = judge_online(locked, &asked, now, policy)
                else {
                    return Err(ControlError::NotExempt);
                };
                let fact = locked.seal_frictionless(&new, exemption, number)?;
                self.enter(cell, locked, fact, now)?;
            }
            view_of(locked, id)
        });
        sealed.and_then(|(view, seq)| self.with_value(card, view, seq))
    }

    /// Ends a confirmation without a purchase.
    ///
    /// # Errors
    /// [`ControlError::Confirmation`].
    pub fn end_confirmation(
        &self,
        card: CardId,
        id: ConfirmationId,
        end: ConfirmationEnd,
        now: Now,
    ) -> Result<(ConfirmationView, Seq), ControlError> {
        self.step(card, id, Needs::Nothing, now, |card, _| card.end_confirmation(id, end))
    }

    /// Lets a card's confirmations go on after too many failures; what was denied stays denied.
    ///
    /// # Errors
    /// [`ControlError::NotFound`], [`ControlError::Busy`].
    pub fn unblock_confirmations(&self, card: CardId, now: Now) -> Result<((), Seq), ControlError> {
        self.locked(card, now, |cell, locked, now| {
            self.enter(cell, locked, locked.unblock_confirmations(), now)
        })
    }

    /// One confirmation.
    ///
    /// # Errors
    /// [`ControlError::Confirmation`]: nothing is known by this id.
    pub fn confirmation(
        &self,
        card: CardId,
        id: ConfirmationId,
        now: Now,
    ) -> Result<(ConfirmationView, Seq), ControlError> {
        self.locked(card, now, |_, locked, _| view_of(locked, id))
    }

    /// The confirmations that the card remembers, the oldest first.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub fn confirmations(
        &self,
        card: CardId,
        now: Now,
    ) -> Result<(Vec<ConfirmationView>, Seq), ControlError> {
        self.locked(card, now, |_, locked, _| Ok(locked.confirmations().map(Into::into).collect()))
    }

    /// Until when the card's confirmations are blocked, ms since 1970; none when they are not.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub fn confirmations_blocked(
        &self,
        card: CardId,
        now: Now,
    ) -> Result<(Option<u64>, Seq), ControlError> {
        self.locked(card, now, |_, locked, now| Ok(locked.confirmations_blocked(now.unix_ms)))
    }

    /// Takes one step under the card's lock, and shows the record after it.
    fn step(
        &self,
        card: CardId,
        id: ConfirmationId,
        needs: Needs,
        now: Now,
        step: impl FnOnce(&Card, u64) -> Result<Option<Fact>, ConfirmationRefused>,
    ) -> Result<(ConfirmationView, Seq), ControlError> {
        self.locked(card, now, |cell, locked, now| {
            let fact = step(locked, now.unix_ms)?;
            if fact.is_some() && needs == Needs::Active {
                needs_active(locked)?;
            }
            self.enter(cell, locked, fact, now)?;
            view_of(locked, id)
        })
    }

    /// Does something with the locked card after what has fallen due; tells its newest entry.
    fn locked<T>(
        &self,
        card: CardId,
        now: Now,
        act: impl FnOnce(&Cell, &mut Locked<'_>, Now) -> Result<T, ControlError>,
    ) -> Result<(T, Seq), ControlError> {
        let cell = self.shard.cards().by_id(card).ok_or(ControlError::NotFound)?;
        let now = self.shard.not_before_last(now);
        let mut locked = cell.lock();
        self.shard.settle_due(cell, &mut locked, now).map_err(|_| ControlError::Busy)?;
        let done = act(cell, &mut locked, now)?;
        Ok((done, locked.last_seq()))
    }

    fn enter(
        &self,
        cell: &Cell,
        locked: &mut Locked<'_>,
        fact: Option<Fact>,
        now: Now,
    ) -> Result<(), ControlError> {
        if let Some(fact) = fact {
            let entry = entry_of(locked, now, fact);
            self.shard.commit(cell, locked, &entry).map_err(|_| ControlError::Busy)?;
        }
        Ok(())
    }

    /// Outside the card's lock, as everything that the security module does.
    fn with_value(
        &self,
        card: CardId,
        view: ConfirmationView,
        seq: Seq,
    ) -> Result<(SealedConfirmation, Seq), ControlError> {
        let cell = self.shard.cards().by_id(card).ok_or(ControlError::NotFound)?;
        let number = cell.lock().confirmation(view.id).map(|kept| kept.number);
        let (Some(pan), Some(number), Some(factor)) = (cell.pan(), number, view.factor) else {
            return Err(ControlError::NotFound);
        };
        let cavv = self.shard.hsm().make_cavv(pan, number, factor);
        let cavv = cavv.map_err(|_| ControlError::SecurityModule)?;
        Ok((SealedConfirmation { cavv, eci: ECI_AUTHENTICATED, view }, seq))
    }
}

type Locked<'l> = crate::sync::MutexGuard<'l, Card>;

/// What a step needs of its card.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Needs {
    Active,
    Nothing,
}

fn needs_active(card: &Card) -> Result<(), ControlError> {
    let status = card.controls().status;
    if status == CardStatus::Active { Ok(()) } else { Err(ControlError::Conflict(status)) }
}

fn view_of(card: &Card, id: ConfirmationId) -> Result<ConfirmationView, ControlError> {
    let kept = card.confirmation(id).ok_or(ConfirmationRefused::NotFound)?;
    Ok(kept.into())
}

fn drawn() -> ConfirmationNumber {
    let mut octets = [0; 8];
    entropy::fill(&mut octets);
    ConfirmationNumber::of_entropy(octets)
}
