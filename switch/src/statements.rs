//! Bank statements: which lines were posted, and what waits in suspense.
//!
//! Both are folded from entries, so that a start knows them again; a checkpoint holds them as of
//! the newest of these entries. What a line does, and how money leaves suspense, stands in `post`
//! and `resolve`; what a person or the payment provider takes back in `take_back`.
//!
//! A line posts once, whatever file brings it. Its key is kept for thirteen months from the day
//! that the bank booked it on, or that it was posted on where that is later; a line that was booked
//! before then is not posted any more but held in suspense, so that none is forgotten and comes
//! again. A bank's reversal may come before what it takes back: it waits in suspense, and the two
//! leave together.

mod durable;
mod post;
mod resolve;
mod take_back;

use std::collections::{BTreeMap, BTreeSet};

use cekr_issuer::entry::{BankLine, StatementKey, SuspenseHeld, SuspenseReason, SuspenseReleased};
use cekr_issuer::{Balance, CardId, Entry, Fact, LocalDate, Seq};

use crate::control::ControlError;
pub use post::{LineFate, LineKind, LineTarget, StatementLine, StatementOutcome};
pub(crate) use resolve::finish_assigned;
pub use resolve::{SuspenseItem, SuspenseTotal};
pub use take_back::LoadNamed;

/// Keys of lines that are kept; at this many no line more is posted until old ones are dropped.
pub const STATEMENT_KEYS_MAX: usize = 4 << 20;

/// Items that wait in suspense; at this many no line more is posted until some have left.
pub const SUSPENSE_ITEMS_MAX: usize = 256 << 10;

/// Months for which a line is known again.
pub const LINE_KEPT_MONTHS: u32 = 13;

/// The lines that were posted and the money that waits.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Statements {
    /// The newest entry within.
    newest: Seq,
    /// The month of the newest day, as yyyymm.
    month: u32,
    keys: BTreeMap<StatementKey, KeySeen>,
    items: BTreeMap<Seq, Item>,
    /// Items that belong to a card whose own entry is still to come.
    assigned: BTreeSet<Seq>,
    /// Items that the bank took before it told of what it takes back, by the key of that.
    waiting: BTreeSet<(StatementKey, Seq)>,
}

/// Where a line went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct KeySeen {
    /// The entry that says so.
    pub(crate) seq: Seq,
    /// The month from which on the key is kept, as yyyymm.
    pub(crate) month: u32,
}

/// Money in suspense.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Item {
    pub(crate) held: SuspenseHeld,
    /// When it came, ms since 1970.
    pub(crate) at: u64,
    /// The card that it belongs to, and the entry that says so.
    pub(crate) assigned: Option<(CardId, Seq)>,
}

impl Statements {
    /// Takes in the entry `seq`, if it is about a line and newer than all within.
    pub fn see(&mut self, seq: Seq, entry: &Entry) {
        let Some(line) = entry.bank_line().filter(|_| self.newest < seq) else {
            return;
        };
        self.newest = seq;
        self.turn_month(entry.date.month());
        if let Fact::SuspenseAssigned(fact) = &entry.fact {
            if let Some(item) = self.items.get_mut(&fact.item) {
                item.assigned = Some((fact.card, seq));
                self.assigned.insert(fact.item);
            }
            return;
        }
        if let Fact::SuspenseHeld(held) = &entry.fact {
            self.put_item(seq, Item { held: *held, at: entry.at, assigned: None });
        } else if let Some(KeySeen { seq: item, .. }) = self.keys.get(&line.key).copied() {
            // What was held has left: to a card, or with the line that makes nothing of it.
            self.take_item(item);
        }
        if let Fact::SuspenseReleased(SuspenseReleased { by: Some(by), .. }) = &entry.fact {
            self.put_key(*by, seq);
        }
        self.put_key(line, seq);
    }

    /// The entry that says where the line of this key went.
    #[must_use]
    pub fn find(&self, key: StatementKey) -> Option<Seq> {
        self.keys.get(&key).map(|seen| seen.seq)
    }

    /// The newest entry within.
    #[must_use]
    pub const fn newest(&self) -> Seq {
        self.newest
    }

    /// What all items come to, those counted in that belong to a card already, in cents.
    #[must_use]
    pub fn total(&self) -> i128 {
        self.items.values().map(|item| i128::from(item.held.amount.minor())).sum()
    }

    /// Keys of lines that are kept, and items in suspense.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.keys.len() as u64, self.items.len() as u64)
    }

    /// Whether no line more can be posted.
    fn is_full(&self) -> bool {
        self.keys.len() >= STATEMENT_KEYS_MAX || self.items.len() >= SUSPENSE_ITEMS_MAX
    }

    /// The item that the bank took from the line of this key before it told of it.
    fn waiting_for(&self, key: StatementKey, amount: Balance) -> Option<(Seq, Item)> {
        let of_key = self.waiting.range((key, Seq::NONE)..=(key, Seq(u64::MAX)));
        of_key.filter_map(|(_, seq)| Some((*seq, *self.items.get(seq)?))).find(|(_, item)| {
            item.assigned.is_none() && item.held.amount == Balance::from_minor(-amount.minor())
        })
    }

    fn put_key(&mut self, line: BankLine, seq: Seq) {
        let month = self.month.max(line.booked_on.month());
        self.keys.insert(line.key, KeySeen { seq, month });
    }

    fn put_item(&mut self, seq: Seq, item: Item) {
        if let Some(of) = item.held.of {
            self.waiting.insert((of, seq));
        }
        if item.assigned.is_some() {
            self.assigned.insert(seq);
        }
        self.items.insert(seq, item);
    }

    fn take_item(&mut self, seq: Seq) {
        if let Some(item) = self.items.remove(&seq) {
            self.assigned.remove(&seq);
            if let Some(of) = item.held.of {
                self.waiting.remove(&(of, seq));
            }
        }
    }

    /// Drops the keys that a line may have no more without being too old.
    fn turn_month(&mut self, month: u32) {
        if month <= self.month {
            return;
        }
        self.month = month;
        let since =
            LocalDate::from_packed(month * 100 + 1).months_earlier(LINE_KEPT_MONTHS).month();
        let items = &self.items;
        // What still waits is known again however long it does.
        self.keys.retain(|_, seen| seen.month >= since || items.contains_key(&seen.seq));
    }

    /// All keys with what is known of them, for a checkpoint.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (StatementKey, KeySeen)> {
        self.keys.iter().map(|(key, seen)| (*key, *seen))
    }

    /// All items in the order of their coming, for a checkpoint.
    pub(crate) fn items(&self) -> impl Iterator<Item = (Seq, Item)> {
        self.items.iter().map(|(seq, item)| (*seq, *item))
    }

    /// The month of the newest day, for a checkpoint.
    pub(crate) const fn month(&self) -> u32 {
        self.month
    }

    /// Goes on behind the entry `newest` of this month.
    pub(crate) const fn restore(&mut self, newest: Seq, month: u32) {
        (self.newest, self.month) = (newest, month);
    }

    /// A key as it was then.
    pub(crate) fn restore_key(&mut self, key: StatementKey, seen: KeySeen) {
        self.keys.insert(key, seen);
    }

    /// An item as it was then.
    pub(crate) fn restore_item(&mut self, seq: Seq, item: Item) {
        self.put_item(seq, item);
    }
}

/// Whether the bank booked a line so long ago that its key may be forgotten.
fn is_old(line: BankLine, today: LocalDate) -> bool {
    line.booked_on < today.months_earlier(LINE_KEPT_MONTHS)
}

/// The reason for which a line that should have loaded a card waits.
const fn reason_of(refused: ControlError) -> Option<SuspenseReason> {
    match refused {
        ControlError::Conflict(_) => Some(SuspenseReason::CardClosed),
        ControlError::Limit(_) => Some(SuspenseReason::Limit),
        ControlError::NotFound => Some(SuspenseReason::MokIdUnknown),
        ControlError::AmountTooLarge
        | ControlError::AmountZero
        | ControlError::Busy
        | ControlError::Confirmation(_)
        | ControlError::ItemLeft
        | ControlError::ItemTaken
        | ControlError::JournalFailed
        | ControlError::LimitAboveProgramme(_)
        | ControlError::NoSuchItem
        | ControlError::NoSuchLoad
        | ControlError::NotExempt
        | ControlError::ScriptsFull
        | ControlError::SecurityModule
        | ControlError::StatementsFull
        | ControlError::TakenBackTooMuch => None,
    }
}
