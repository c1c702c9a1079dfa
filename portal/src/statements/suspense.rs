//! Money in suspense: seen with its evidence, assigned by two people, or sent back to its payer.
//!
//! What waits, and that it left, stands in the journal. Here stands who said so: an assignment is
//! proposed by one person and approved by another, and only then is the switch asked.

use cekr_issuer::{CardId, Seq};
use cekr_switch::control::ControlError;
use cekr_switch::statements::SuspenseItem;
use serde::Serialize;
use sqlx::Row as _;

use super::evidence::{self, Payer};
use crate::Portal;
use cekr_bank::reference::Iban;

/// Days after which it is proposed to send money back.
pub const RETURN_PROPOSED_DAYS: u64 = 30;

/// Somebody who acts at the desk. Two of them are one if their names are equal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Actor(String);

impl Actor {
    /// Whoever has the operator's token: all of them are one, since nothing tells them apart.
    #[must_use]
    pub fn token() -> Self {
        Self("operator-token".to_owned())
    }

    /// A person who has signed in at the desk, by what names them for good.
    #[must_use]
    pub fn person(id: &str) -> Self {
        Self(format!("person:{id}"))
    }

    /// What is written down.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// An item with its evidence.
#[derive(Clone, Debug, Serialize)]
pub struct Waiting {
    /// What the journal says.
    #[serde(flatten)]
    pub item: SuspenseItem,
    /// Who paid.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub payer: String,
    /// From which account.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub payer_account: String,
    /// The bank's name for it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub bank_reference: String,
    /// The reference as it was told.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reference: String,
    /// It has waited so long that it should go back.
    pub return_proposed: bool,
    /// Who says where it belongs, while nobody else has agreed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignment: Option<Proposal>,
}

/// Who says where an item belongs.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Proposal {
    /// The card's id.
    pub card: String,
    /// Who says so.
    pub proposed_by: String,
    /// When, ms since 1970.
    pub proposed_at: u64,
    /// Who agreed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
}

/// Why something is not done with an item.
#[derive(Debug, thiserror::Error)]
pub enum SuspenseFailed {
    /// The switch's reason.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The database's.
    #[error("the website's database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// Nothing was proposed.
    #[error("no assignment of this item was proposed; propose one first")]
    NothingProposed,
    /// The one who proposed it would approve it.
    #[error("who proposed an assignment does not approve it; another person must")]
    SamePerson,
    /// There is no account to send it to.
    #[error("the statement names no account of the payer's that an order could go to")]
    NoAccount,
    /// It was not sent back.
    #[error("no return of this item was ordered")]
    NotReturned,
}

/// Money in suspense, with who paid it and what is proposed.
///
/// # Errors
/// [`SuspenseFailed::Database`].
pub async fn list(
    portal: &Portal,
    after: Seq,
    limit: usize,
) -> Result<(Vec<Waiting>, bool), SuspenseFailed> {
    let durable = portal.durable();
    let (page, seq) = durable.control().suspense(after, limit, durable.now());
    durable.wait(seq).await.map_err(|_| ControlError::JournalFailed)?;
    let mut waiting = Vec::with_capacity(page.items.len());
    for item in page.items {
        let payer = evidence::payer(portal.database(), &item.statement_key).await?;
        let proposed = newest_proposal(portal, item.item, &item.statement_key).await?;
        let assignment = proposed.map(|(_, proposal)| proposal);
        let Payer { bank_reference, name, account, reference, .. } = payer.unwrap_or_default();
        waiting.push(Waiting {
            return_proposed: item.age_days >= RETURN_PROPOSED_DAYS && item.amount > 0,
            item,
            payer: name,
            payer_account: account,
            bank_reference,
            reference,
            assignment,
        });
    }
    Ok((waiting, page.has_more))
}

/// Proposes to assign an item to a card. A later proposal takes the place of an earlier one.
///
/// # Errors
/// [`SuspenseFailed`].
pub async fn propose(
    portal: &Portal,
    item: u64,
    card: CardId,
    by: &Actor,
) -> Result<Waiting, SuspenseFailed> {
    let durable = portal.durable();
    let (view, _) = durable.control().card(card)?;
    let found = one(portal, item).await?;
    if found.item.assigned_to.is_some() {
        return Err(ControlError::ItemLeft.into());
    }
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|_| ControlError::Busy)?;
    let id: String = id.iter().map(|octet| format!("{octet:02x}")).collect();
    let insert = "INSERT INTO suspense_proposal \
         (id, item, statement_key, card, proposed_by, proposed_at, approved_by, approved_at) \
         VALUES ($1, $2, $3, $4, $5, $6, '', 0)";
    sqlx::query(insert)
        .bind(id)
        .bind(number(item))
        .bind(found.item.statement_key)
        .bind(view.id)
        .bind(by.name())
        .bind(number(durable.now().unix_ms))
        .execute(portal.database().pool())
        .await?;
    one(portal, item).await
}

/// Approves the newest proposal for an item, and brings the money to its card.
///
/// # Errors
/// [`SuspenseFailed`]; above all [`SuspenseFailed::SamePerson`].
pub async fn approve(portal: &Portal, item: u64, by: &Actor) -> Result<Proposal, SuspenseFailed> {
    let durable = portal.durable();
    // Where it has left already, the same again is told what became of it.
    let key = match one(portal, item).await {
        Ok(found) => found.item.statement_key,
        Err(SuspenseFailed::Control(ControlError::NoSuchItem)) => String::new(),
        Err(failed) => return Err(failed),
    };
    let (id, mut proposal) =
        newest_proposal(portal, item, &key).await?.ok_or(SuspenseFailed::NothingProposed)?;
    if proposal.proposed_by == by.name() {
        return Err(SuspenseFailed::SamePerson);
    }
    let card = durable.control().id(&proposal.card).ok_or(ControlError::NotFound)?;
    // Written first: nothing moves without somebody's name on it. The same again is one assignment.
    let update = "UPDATE suspense_proposal SET approved_by = $1, approved_at = $2 \
         WHERE id = $3 AND approved_by = ''";
    sqlx::query(update)
        .bind(by.name())
        .bind(number(durable.now().unix_ms))
        .bind(id)
        .execute(portal.database().pool())
        .await?;
    durable.assign(Seq(item), card).await?;
    proposal.approved_by = Some(by.name().to_owned());
    Ok(proposal)
}

/// An order that money goes back to its payer.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Returned {
    /// The item.
    pub item: u64,
    /// Cents.
    pub amount: u64,
    /// Always `EUR`.
    pub currency: &'static str,
    /// Who paid.
    pub payer: String,
    /// To which account it goes.
    pub payer_account: String,
    /// The bank's name for the payment.
    pub bank_reference: String,
    /// When it was ordered, ms since 1970.
    pub ordered_at: u64,
}

/// Sends an item back to its payer. The same again is one order.
///
/// # Errors
/// [`SuspenseFailed`].
pub async fn give_back(portal: &Portal, item: u64, by: &Actor) -> Result<Returned, SuspenseFailed> {
    let found = match one(portal, item).await {
        Ok(found) => found,
        Err(SuspenseFailed::Control(ControlError::NoSuchItem)) => {
            portal.durable().return_to_payer(Seq(item)).await?;
            return order(portal, item).await?.ok_or(SuspenseFailed::NotReturned);
        }
        Err(failed) => return Err(failed),
    };
    let amount = u64::try_from(found.item.amount).map_err(|_| ControlError::ItemTaken)?;
    if found.item.assigned_to.is_some() {
        return Err(ControlError::ItemLeft.into());
    }
    let account = Iban::parse(&found.payer_account).ok_or(SuspenseFailed::NoAccount)?;
    // Written first: what leaves has its order. One that was written before and went no further
    // is written anew.
    let insert = "INSERT INTO suspense_return (item, statement_key, ordered_by, ordered_at, \
         amount, payer, payer_account, bank_reference) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
         ON CONFLICT (item) DO UPDATE SET statement_key = excluded.statement_key, \
         ordered_by = excluded.ordered_by, ordered_at = excluded.ordered_at, \
         amount = excluded.amount, payer = excluded.payer, \
         payer_account = excluded.payer_account, bank_reference = excluded.bank_reference";
    sqlx::query(insert)
        .bind(number(item))
        .bind(found.item.statement_key)
        .bind(by.name())
        .bind(number(portal.durable().now().unix_ms))
        .bind(number(amount))
        .bind(found.payer)
        .bind(account.as_str())
        .bind(found.bank_reference)
        .execute(portal.database().pool())
        .await?;
    if let Err(refused) = portal.durable().return_to_payer(Seq(item)).await {
        // It went elsewhere meanwhile: there is nothing to order.
        if matches!(refused, ControlError::ItemLeft | ControlError::ItemTaken) {
            let delete = "DELETE FROM suspense_return WHERE item = $1";
            sqlx::query(delete).bind(number(item)).execute(portal.database().pool()).await?;
        }
        return Err(refused.into());
    }
    order(portal, item).await?.ok_or(SuspenseFailed::NotReturned)
}

/// The order by which an item went back, once the journal has it.
///
/// # Errors
/// [`SuspenseFailed::NotReturned`], and the database's.
pub async fn returned(portal: &Portal, item: u64) -> Result<Returned, SuspenseFailed> {
    let order = order(portal, item).await?.ok_or(SuspenseFailed::NotReturned)?;
    match one(portal, item).await {
        // Still there: the order was written, and the entry was not.
        Ok(_) => Err(SuspenseFailed::NotReturned),
        Err(SuspenseFailed::Control(ControlError::NoSuchItem)) => Ok(order),
        Err(failed) => Err(failed),
    }
}

async fn order(portal: &Portal, item: u64) -> Result<Option<Returned>, sqlx::Error> {
    let read = "SELECT amount, payer, payer_account, bank_reference, ordered_at \
         FROM suspense_return WHERE item = $1";
    let row = sqlx::query(read).bind(number(item)).fetch_optional(portal.database().pool()).await?;
    row.map(|row| {
        let (amount, at): (i64, i64) = (row.try_get(0)?, row.try_get(4)?);
        Ok(Returned {
            item,
            amount: u64::try_from(amount).unwrap_or(0),
            currency: "EUR",
            payer: row.try_get(1)?,
            payer_account: row.try_get(2)?,
            bank_reference: row.try_get(3)?,
            ordered_at: u64::try_from(at).unwrap_or(0),
        })
    })
    .transpose()
}

/// One item that waits.
async fn one(portal: &Portal, item: u64) -> Result<Waiting, SuspenseFailed> {
    let before = Seq(item.checked_sub(1).ok_or(ControlError::NoSuchItem)?);
    let (mut found, _) = list(portal, before, 1).await?;
    found.retain(|found| found.item.item == item);
    found.pop().ok_or_else(|| ControlError::NoSuchItem.into())
}

async fn newest_proposal(
    portal: &Portal,
    item: u64,
    statement_key: &str,
) -> Result<Option<(String, Proposal)>, sqlx::Error> {
    let read = "SELECT id, card, proposed_by, proposed_at, approved_by FROM suspense_proposal \
         WHERE item = $1 AND ($2 = '' OR statement_key = $3) \
         ORDER BY proposed_at DESC, id DESC LIMIT 1";
    let row = sqlx::query(read)
        .bind(number(item))
        .bind(statement_key)
        .bind(statement_key)
        .fetch_optional(portal.database().pool())
        .await?;
    row.map(|row| {
        let (at, approved_by): (i64, String) = (row.try_get(3)?, row.try_get(4)?);
        let proposal = Proposal {
            card: row.try_get(1)?,
            proposed_by: row.try_get(2)?,
            proposed_at: u64::try_from(at).unwrap_or(0),
            approved_by: Some(approved_by).filter(|name| !name.is_empty()),
        };
        Ok((row.try_get(0)?, proposal))
    })
    .transpose()
}

/// How suspense stands, by the items and by the books.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Reconciled {
    /// Items.
    pub count: usize,
    /// Cents of all items.
    pub amount: i64,
    /// Cents of the books' account.
    pub booked: i64,
    /// Whether the two are one sum.
    pub is_reconciled: bool,
}

/// Compares the items with the books' account, both as of one durable entry.
///
/// # Errors
/// [`ControlError::JournalFailed`], and [`ControlError::Busy`] where entries kept coming.
pub async fn reconciled(portal: &Portal) -> Result<Reconciled, ControlError> {
    let durable = portal.durable();
    for _ in 0..RECONCILE_TRIES {
        let (total, seq) = durable.control().suspense_total();
        durable.wait(seq).await.map_err(|_| ControlError::JournalFailed)?;
        let (books, _) = durable.control().shard().books();
        // Only if nothing of suspense came between the two looks do they speak of one moment.
        if durable.control().suspense_total() == (total, seq) {
            let booked = books.total(cekr_issuer::books::Account::Suspense);
            let cents = |sum: i128| i64::try_from(sum).unwrap_or(i64::MAX);
            return Ok(Reconciled {
                count: total.count,
                amount: cents(total.amount),
                booked: cents(booked),
                is_reconciled: booked == total.amount,
            });
        }
    }
    Err(ControlError::Busy)
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

const RECONCILE_TRIES: usize = 16;
