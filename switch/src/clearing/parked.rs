//! Parked money, settled by people: what a line, the rest of one, or a disputed reversal comes to.
//!
//! No entry of its own kind is needed. Money that the network has settled is posted as what it is,
//! a cleared line, whose file is this desk's and whose number is that of the parked entry. So it is
//! carried out once, is known again after a start, and is in the books like every other line. Who
//! agreed to it is not the switch's to know.
//!
//! A parked advice and the rest of a completion move nothing here: the network's line will.

use cekr_iso8583::Mcc;
use cekr_issuer::clearing::Line;
use cekr_issuer::decide::entry as entry_of;
use cekr_issuer::entry::{
    Cleared, ClearedAs, LineCause, LineKey, LineParked, Place, ReversalFate, Reversed,
};
use cekr_issuer::transaction::Money;
use cekr_issuer::{Amount, Balance, Card, CardId, CardStatus, Entry, Fact, Now, Seq, fee};
use serde::Serialize;

use super::file_mark;
use crate::control::{Control, ControlError};

/// Why parked money was not settled; nothing has changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotSettled {
    /// More than is left to give back.
    #[error("more would be given back than is left of the transaction")]
    AboveLeft,
    /// It was settled on another card.
    #[error("it was settled on another card, or for another amount")]
    Elsewhere,
    /// What comes is not told in euros.
    #[error("the line is not in euros; clearing has to bring it anew")]
    NotEuros,
    /// No money waits by this number.
    #[error("no money that could be settled waits by this number")]
    NotParked,
    /// It belongs to the card that it is about.
    #[error("it is about another card, which it stays with")]
    OtherCard,
    /// The switch's own reason.
    #[error(transparent)]
    Refused(#[from] ControlError),
    /// The transaction is held, or gone: nothing was taken that could come back.
    #[error("what it is about is not posted: a hold comes back by itself")]
    NotPosted,
    /// The card would not take it.
    #[error("the card does not take it: {}", .0.name())]
    Would(LineCause),
}

/// What parked money came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct SettledView {
    /// Its entry.
    pub seq: u64,
    /// Cents that the card's balance changed by, without the fee.
    pub change: i64,
    /// Cents that it changed by the fee.
    pub fee_change: i64,
    /// It was settled before, and not again.
    pub repeated: bool,
}

impl Control {
    /// Settles the parked entry `parked` on `card`; `back` is what a disputed reversal gives back,
    /// all that is left where nothing is said. The same again is settled once.
    ///
    /// # Errors
    /// [`NotSettled`].
    pub fn settle_parked(
        &self,
        parked: Seq,
        (id, back): (CardId, Option<Amount>),
        now: Now,
    ) -> Result<(SettledView, Seq), NotSettled> {
        let shard = self.shard();
        let entry = shard.entry(parked).ok_or(NotSettled::NotParked)?;
        let key = key_of(parked, id, back).ok_or(NotSettled::NotParked)?;
        let now = shard.not_before_last(now);
        let mut seen = shard.lines_seen().lock();
        if let Some((content, seq)) = seen.find(key) {
            if content != key.content {
                return Err(NotSettled::Elsewhere);
            }
            let known = shard.entry(seq).and_then(|entry| view(seq, &entry, true));
            return known.map(|view| (view, seq)).ok_or(NotSettled::Elsewhere);
        }
        let cell = shard.cards().by_id(id).ok_or(ControlError::NotFound)?;
        let mut card = cell.lock();
        let busy = |_| NotSettled::Refused(ControlError::Busy);
        shard.settle_due(cell, &mut card, now).map_err(busy)?;
        if card.controls().status == CardStatus::Closed {
            return Err(ControlError::Conflict(CardStatus::Closed).into());
        }
        let fact = Fact::Cleared(settled(&entry, key, &card, back)?);
        let entry = entry_of(&card, now, self.with_points(fact, &card, now));
        let seq = shard.commit(cell, &mut card, &entry).map_err(busy)?;
        // Points that go with what was given back: where the journal has no room, they stay due.
        let _ = shard.settle_due(cell, &mut card, now);
        drop(card);
        seen.see(seq, &entry);
        let view = view(seq, &entry, false).ok_or(NotSettled::NotParked)?;
        Ok((view, seq))
    }
}

/// What the parked `entry` comes to on `card`.
fn settled(
    entry: &Entry,
    key: LineKey,
    card: &Card,
    back: Option<Amount>,
) -> Result<Cleared, NotSettled> {
    let its_own = || {
        if entry.card() == Some(card.id()) { Ok(()) } else { Err(NotSettled::OtherCard) }
    };
    if let Fact::LineParked(parked) = &entry.fact {
        if entry.card().is_some() {
            its_own()?;
        }
        return line(parked, key, card);
    }
    if let Fact::Cleared(cleared) = &entry.fact
        && !cleared.parked.is_zero()
    {
        its_own()?;
        return Ok(rest(cleared, key, card));
    }
    if let Fact::Reversed(reversed) = &entry.fact
        && reversed.fate == ReversalFate::Disputed
    {
        its_own()?;
        return disputed(reversed, key, card, back);
    }
    Err(NotSettled::NotParked)
}

/// A line that named nothing which it could settle: a person says that it is this card's.
fn line(parked: &LineParked, key: LineKey, card: &Card) -> Result<Cleared, NotSettled> {
    match parked.cause {
        LineCause::CurrencyForeign => return Err(NotSettled::NotEuros),
        LineCause::AmountZero => return Err(NotSettled::NotParked),
        LineCause::AlreadyCleared
        | LineCause::AmountTooLarge
        | LineCause::CardClosed
        | LineCause::CardUnknown
        | LineCause::CreditTooLarge
        | LineCause::OriginalOld
        | LineCause::OriginalReversed
        | LineCause::OriginalUnknown => {}
    }
    let named = |cleared: Cleared| Cleared { rrn: parked.rrn, ..cleared };
    if parked.amount < Balance::ZERO {
        let brought = Amount::from_minor(parked.amount.minor().unsigned_abs());
        let change = (Balance::ZERO.plus(brought), Balance::ZERO);
        let place = place_of(parked.mcc);
        let told = Told { how: ClearedAs::Refunded, original: Seq::NONE, place, change };
        return Ok(named(told.on(card, key, (parked.merchant, parked.mcc))));
    }
    // No reference: what it names did not fit, and is not looked for again.
    let line = Line {
        key,
        rrn: None,
        auth_code: None,
        amount: parked.amount,
        merchant: Some(parked.merchant),
        mcc: parked.mcc,
    };
    let fact = line.fact(card);
    if let Fact::Cleared(cleared) = fact {
        return Ok(named(cleared));
    }
    let Fact::LineParked(again) = fact else {
        return Err(NotSettled::NotParked);
    };
    Err(NotSettled::Would(again.cause))
}

/// What a line asked above what was posted of it. Its fee was computed with the line.
fn rest(cleared: &Cleared, key: LineKey, card: &Card) -> Cleared {
    let change = (Balance::ZERO.minus(cleared.parked), Balance::ZERO);
    let told = Told { how: ClearedAs::Forced, original: Seq::NONE, place: cleared.place, change };
    told.on(card, key, (cleared.merchant, cleared.mcc))
}

/// A withdrawal whose machine did not dispense, once its cash was counted.
fn disputed(
    reversed: &Reversed,
    key: LineKey,
    card: &Card,
    back: Option<Amount>,
) -> Result<Cleared, NotSettled> {
    let taken = card.transactions().by_seq(reversed.original).ok_or(NotSettled::NotPosted)?;
    if taken.money != Money::Posted || taken.amount_left.is_zero() {
        return Err(NotSettled::NotPosted);
    }
    let back = back.unwrap_or(taken.amount_left);
    if back.is_zero() || back > taken.amount_left {
        return Err(NotSettled::AboveLeft);
    }
    let left = taken.amount_left.saturating_sub(back);
    // The fee is that of the cash which was dispensed after all.
    let fee_left =
        if left.is_zero() { Amount::default() } else { fee::cashpoint(taken.cash_of(left)) };
    let fee_back = taken.fee_left.saturating_sub(fee_left);
    let change = (Balance::ZERO.plus(back), Balance::ZERO.plus(fee_back));
    let told = Told { how: ClearedAs::Adjusted, original: taken.seq, place: taken.place, change };
    Ok(Cleared { rrn: taken.rrn, ..told.on(card, key, (taken.merchant, Mcc::default())) })
}

/// What a person's word comes to.
struct Told {
    how: ClearedAs,
    original: Seq,
    place: Place,
    /// On the account, without the fee and by it.
    change: (Balance, Balance),
}

impl Told {
    fn on(
        &self,
        card: &Card,
        line: LineKey,
        (merchant, mcc): (cekr_iso8583::MerchantId, Mcc),
    ) -> Cleared {
        let (change, fee_change) = self.change;
        let after = |before: Balance| before.changed_by(change).changed_by(fee_change);
        Cleared {
            line,
            how: self.how,
            original: self.original,
            place: self.place,
            change,
            fee_change,
            held: Amount::default(),
            parked: Amount::default(),
            balance: after(card.balance()),
            available: after(card.available()),
            rrn: cekr_issuer::entry::NO_RRN,
            merchant,
            mcc,
            earned: None,
        }
    }
}

const fn place_of(mcc: Mcc) -> Place {
    if matches!(mcc.number(), 6010 | 6011) { Place::Cashpoint } else { Place::Shop }
}

/// The line that settling `parked` is: the same card and amount are the same line again.
fn key_of(parked: Seq, card: CardId, back: Option<Amount>) -> Option<LineKey> {
    let file = file_mark(&format!("{FILE}/{}", parked.0 >> 32));
    let line = u32::try_from(parked.0 & u64::from(u32::MAX)).ok()?;
    let back = back.map_or(0, Amount::minor);
    let content = file_mark(&format!("{}/{back}", card.0)) & u64::from(u32::MAX);
    Some(LineKey { file, line, content: u32::try_from(content).ok()? })
}

fn view(seq: Seq, entry: &Entry, repeated: bool) -> Option<SettledView> {
    let Fact::Cleared(cleared) = &entry.fact else {
        return None;
    };
    let (change, fee_change) = (cleared.change.minor(), cleared.fee_change.minor());
    Some(SettledView { seq: seq.0, change, fee_change, repeated })
}

/// The file whose lines are what people settled; no clearing file has a name with a control sign.
const FILE: &str = "\u{1}desk";
