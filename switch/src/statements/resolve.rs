//! How money leaves suspense: to a card, or back to its payer.
//!
//! An assignment concerns the desk and a card, so it is two entries that name one line: the desk's,
//! and, when that is durable, the card's. Until then the money is in suspense still, in the books
//! as well; whatever was begun is finished by whoever comes next, and after a start.

use cekr_issuer::decide::entry as entry_of;
use cekr_issuer::entry::{
    LoadName, LoadSource, LoadTakenBack, ReleaseCause, SuspenseAssigned, SuspenseReleased,
    TakeBackCause,
};
use cekr_issuer::{Amount, Balance, CardId, Fact, Now, Seq};
use serde::Serialize;

use super::{Item, Statements};
use crate::control::{Control, ControlError, Page};
use crate::entry_view::moment;
use crate::journal::Full;
use crate::shard::{Shard, loaded};

/// Money in suspense as people see it.
#[derive(Clone, Debug, Serialize)]
pub struct SuspenseItem {
    /// What names it: the number of its entry.
    pub item: u64,
    /// The key of the line that brought it, 32 hexadecimal digits.
    pub statement_key: String,
    /// Cents: positive came in, negative was taken by the bank.
    pub amount: i64,
    /// Always `EUR`.
    pub currency: &'static str,
    /// Why it is there, in the words of the matching verdicts.
    pub reason: &'static str,
    /// The number of a card's back that the payer told, nine digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mok_id: Option<String>,
    /// The key of the line that it takes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of_key: Option<String>,
    /// The day on which the bank booked it.
    pub booked_on: String,
    /// When it came, RFC 3339.
    pub held_at: String,
    /// Days since then.
    pub age_days: u64,
    /// The id of the card that it belongs to, where that card's own entry is still to come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assigned_to: Option<String>,
}

/// What waits in suspense together.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct SuspenseTotal {
    /// Items.
    pub count: usize,
    /// Cents.
    pub amount: i128,
}

impl Control {
    /// Money in suspense in the order of its coming, behind the item `after`, at most `limit`.
    #[must_use]
    pub fn suspense(&self, after: Seq, limit: usize, now: Now) -> (Page<SuspenseItem>, Seq) {
        let statements = self.shard().statements().lock();
        let mut behind = statements.items.range(after.next()..);
        let items: Vec<_> =
            behind.by_ref().take(limit).map(|(seq, item)| self.item(*seq, item, now)).collect();
        (Page { has_more: behind.next().is_some(), items }, statements.newest())
    }

    /// What waits in suspense together, and the newest entry behind it.
    #[must_use]
    pub fn suspense_total(&self) -> (SuspenseTotal, Seq) {
        let statements = self.shard().statements().lock();
        let total = SuspenseTotal { count: statements.items.len(), amount: statements.total() };
        (total, statements.newest())
    }

    /// Assigns an item of suspense to a card: the first of two entries. The second follows in
    /// [`Control::finish_assignments`], once the first is durable.
    ///
    /// # Errors
    /// [`ControlError::NoSuchItem`], [`ControlError::ItemLeft`] when it went elsewhere, and what
    /// keeps a card from a load.
    pub fn assign(&self, item: Seq, card: CardId, now: Now) -> Result<Seq, ControlError> {
        let shard = self.shard();
        let now = shard.not_before_last(now);
        let mut statements = shard.statements().lock();
        let Some(found) = statements.items.get(&item).copied() else {
            return match self.left(&statements, item)? {
                (Left::Card(went), seq) if went == card => Ok(seq),
                (Left::Card(_) | Left::Released(_), _) => Err(ControlError::ItemLeft),
            };
        };
        match found.assigned {
            Some((went, seq)) if went == card => return Ok(seq),
            Some(_) => return Err(ControlError::ItemLeft),
            None => {}
        }
        let cell = shard.cards().by_id(card).ok_or(ControlError::NotFound)?;
        {
            let locked = cell.lock();
            if found.held.amount > Balance::ZERO {
                self.allow_load(&locked, found.held.amount.spendable(), now)?;
            } else if locked.available().changed_by(found.held.amount) < Balance::TOLD_MIN {
                return Err(ControlError::AmountTooLarge);
            }
        }
        let fact =
            SuspenseAssigned { line: found.held.line, item, amount: found.held.amount, card };
        let (seq, entry) = self.at_desk(Fact::SuspenseAssigned(fact), now)?;
        statements.see(seq, &entry);
        Ok(seq)
    }

    /// Brings what was assigned to its cards, as far as the assignments are durable. The number is
    /// that of the newest entry of statements.
    ///
    /// # Errors
    /// [`ControlError::Busy`]: the rest is brought later.
    pub fn finish_assignments(&self, now: Now) -> Result<Seq, ControlError> {
        finish_assigned(self.shard(), now).map_err(|_| ControlError::Busy)
    }

    /// Lets an item of suspense go back to its payer; the order to the bank is the caller's.
    ///
    /// # Errors
    /// [`ControlError::NoSuchItem`], [`ControlError::ItemLeft`] when it went elsewhere, and
    /// [`ControlError::ItemTaken`] for what the bank took: that can go to nobody.
    pub fn return_to_payer(&self, item: Seq, now: Now) -> Result<Seq, ControlError> {
        let shard = self.shard();
        let now = shard.not_before_last(now);
        let mut statements = shard.statements().lock();
        let Some(found) = statements.items.get(&item).copied() else {
            return match self.left(&statements, item)? {
                (Left::Released(ReleaseCause::Returned), seq) => Ok(seq),
                (Left::Card(_) | Left::Released(_), _) => Err(ControlError::ItemLeft),
            };
        };
        if found.assigned.is_some() {
            return Err(ControlError::ItemLeft);
        }
        if found.held.amount < Balance::ZERO {
            return Err(ControlError::ItemTaken);
        }
        let fact = SuspenseReleased {
            line: found.held.line,
            item,
            amount: found.held.amount,
            cause: ReleaseCause::Returned,
            by: None,
        };
        let (seq, entry) = self.at_desk(Fact::SuspenseReleased(fact), now)?;
        statements.see(seq, &entry);
        Ok(seq)
    }

    /// Where an item went that is in suspense no more.
    fn left(&self, statements: &Statements, item: Seq) -> Result<(Left, Seq), ControlError> {
        let shard = self.shard();
        let held = match shard.entry(item).map(|entry| entry.fact) {
            Some(Fact::SuspenseHeld(held)) => held,
            _ => return Err(ControlError::NoSuchItem),
        };
        let seq = statements.find(held.line.key).ok_or(ControlError::ItemLeft)?;
        let entry = shard.entry(seq).ok_or(ControlError::ItemLeft)?;
        match (&entry.fact, entry.card()) {
            (Fact::SuspenseReleased(fact), _) => Ok((Left::Released(fact.cause), seq)),
            (_, Some(card)) => Ok((Left::Card(card), seq)),
            (_, None) => Err(ControlError::ItemLeft),
        }
    }

    fn item(&self, seq: Seq, item: &Item, now: Now) -> SuspenseItem {
        let Item { held, at, assigned } = item;
        let keyring = self.shard().keyring();
        SuspenseItem {
            item: seq.0,
            statement_key: held.line.key.to_string(),
            amount: held.amount.minor(),
            currency: "EUR",
            reason: held.reason.name(),
            mok_id: held.mok_id.map(|number| format!("{number:09}")),
            of_key: held.of.map(|key| key.to_string()),
            booked_on: held.line.booked_on.to_string(),
            held_at: moment(*at),
            age_days: now.unix_ms.saturating_sub(*at) / DAY_MS,
            assigned_to: assigned.map(|(card, _)| keyring.card_id(card.0).to_string()),
        }
    }
}

/// Where an item went.
enum Left {
    Card(CardId),
    Released(ReleaseCause),
}

/// Brings what was assigned to its cards, as far as the assignments are durable; tells the newest
/// entry of statements.
pub(crate) fn finish_assigned(shard: &Shard, now: Now) -> Result<Seq, Full> {
    let now = shard.not_before_last(now);
    let mut statements = shard.statements().lock();
    let durable = shard.journal().durable();
    let is_due = |item: &Seq| {
        let assigned = statements.items.get(item).and_then(|item| item.assigned);
        assigned.is_some_and(|(_, by)| by <= durable)
    };
    let due: Vec<Seq> = statements.assigned.iter().copied().filter(is_due).collect();
    for item in due {
        finish_one(shard, &mut statements, item, now)?;
    }
    Ok(statements.newest())
}

/// Brings one assigned item to its card. The card takes it whatever it has become since: that the
/// money is its holder's stands in the journal.
pub(super) fn finish_one(
    shard: &Shard,
    statements: &mut Statements,
    item: Seq,
    now: Now,
) -> Result<(), Full> {
    let found = statements.items.get(&item).and_then(|item| Some((item.held, item.assigned?.0)));
    let Some((held, cell)) = found.and_then(|(held, id)| Some((held, shard.cards().by_id(id)?)))
    else {
        return Ok(());
    };
    let name = LoadName::Line(held.line);
    let mut card = cell.lock();
    shard.settle_due(cell, &mut card, now)?;
    let fact = if held.amount > Balance::ZERO {
        loaded(&card, held.amount.spendable(), LoadSource::Suspense, name)
    } else {
        let amount = Amount::from_minor(held.amount.minor().unsigned_abs());
        Fact::LoadTakenBack(LoadTakenBack {
            load: Seq::NONE,
            cause: TakeBackCause::Suspense,
            amount,
            left: Amount::default(),
            name,
            balance: card.balance().minus(amount),
            available: card.available().minus(amount),
        })
    };
    let entry = entry_of(&card, now, fact);
    let seq = shard.commit(cell, &mut card, &entry)?;
    drop(card);
    statements.see(seq, &entry);
    Ok(())
}

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
