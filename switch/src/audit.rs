//! The audit of a journal: entry by entry, what every entry must prove by itself and with those
//! before it.
//!
//! An entry says what balance and what available money its card had after it. The audit works
//! both out anew, once by applying the entry to the card as the switch does and once by adding up
//! what the entry posts to the card's account, and compares. It holds one card's state a card,
//! the keys of one to two days and those of a year's bank lines, never the journal.
//!
//! ```
//! use cekr_switch::audit::Audit;
//!
//! let (audit, findings) = (Audit::default(), 0);
//! assert_eq!((audit.entries(), audit.end().len()), (0, findings));
//! ```

use std::collections::HashMap;
use std::fmt;

use foldhash::fast::RandomState;

use cekr_issuer::books::{Account, Books, postings};
use cekr_issuer::points::books::change as points_change;
use cekr_issuer::{Balance, Card, CardId, Entry, Fact, RequestKey, Seq};

use crate::statements::Statements;

/// What was worked out so far.
#[derive(Default)]
pub struct Audit {
    cards: HashMap<CardId, Audited, RandomState>,
    keys: Keys,
    books: Books,
    statements: Statements,
    entries: u64,
    newest_at: u64,
    begins: Begins,
}

/// Where the entries begin that are audited.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Begins {
    /// With the first of all.
    #[default]
    First,
    /// Behind entries that were pruned: of cards that were issued in those, and of the books as a
    /// whole, nothing can be proven.
    Pruned,
}

/// A card and what its account adds up to.
struct Audited {
    card: Card,
    posted: i128,
    /// In points of the advantage programme.
    points: i64,
}

/// Something that does not hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Finding {
    /// The card's account does not add up to its balance.
    Account {
        /// What the postings add up to, in cents.
        posted: i128,
        /// The card's balance.
        balance: Balance,
    },
    /// The entry tells another available amount than its card has after it.
    Available {
        /// What it tells.
        told: Balance,
        /// What the card has.
        found: Balance,
    },
    /// The entry tells another balance than its card has after it.
    Balance {
        /// What it tells.
        told: Balance,
        /// What the card has.
        found: Balance,
    },
    /// All accounts together are not zero.
    Books {
        /// What they come to, in cents.
        sum: i128,
    },
    /// The card's points do not add up to those that it has.
    Points {
        /// What its entries add up to.
        posted: i64,
        /// What the card has.
        found: u64,
    },
    /// What all cards hold is not what the books hold.
    Held {
        /// The cards, in cents.
        cards: i128,
        /// The books.
        books: i128,
    },
    /// The entry does not name its card's last one as the one before it.
    Link {
        /// What it names.
        named: Seq,
        /// The card's last one.
        last: Seq,
    },
    /// The key of its request was answered before, within a day.
    KeyTwice {
        /// By which entry.
        first: Seq,
    },
    /// Suspense does not hold what its items come to.
    Suspense {
        /// The items, in cents.
        items: i128,
        /// The account.
        account: i128,
    },
    /// Its postings do not sum to zero.
    Postings {
        /// What they sum to, in cents.
        sum: i128,
    },
    /// It was made before the entry in front of it.
    Time {
        /// By how many milliseconds.
        back_ms: u64,
    },
    /// Its card was never issued.
    Unissued,
}

impl Finding {
    /// The name in JSON.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Account { .. } => "account",
            Self::Available { .. } => "available",
            Self::Balance { .. } => "balance",
            Self::Books { .. } => "books",
            Self::Held { .. } => "held",
            Self::KeyTwice { .. } => "key_twice",
            Self::Link { .. } => "link",
            Self::Points { .. } => "points",
            Self::Postings { .. } => "postings",
            Self::Suspense { .. } => "suspense",
            Self::Time { .. } => "time",
            Self::Unissued => "unissued",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account { posted, balance } => write!(
                f,
                "the card's account comes to {posted} cents and its balance is {}",
                balance.minor()
            ),
            Self::Available { told, found } => write!(
                f,
                "it tells {} cents available, and the card has {}",
                told.minor(),
                found.minor()
            ),
            Self::Balance { told, found } => write!(
                f,
                "it tells a balance of {} cents, and the card has {}",
                told.minor(),
                found.minor()
            ),
            Self::Points { posted, found } => {
                write!(f, "the card's points come to {posted}, and it has {found}")
            }
            Self::Books { sum } => write!(f, "all accounts together come to {sum} cents"),
            Self::Held { cards, books } => {
                write!(f, "all cards hold {cards} cents, and the books {books}")
            }
            Self::KeyTwice { first } => {
                write!(f, "the key of its request was answered by entry {first} already")
            }
            Self::Link { named, last } => {
                write!(f, "it names entry {named} as its card's last one, which was {last}")
            }
            Self::Postings { sum } => write!(f, "its postings come to {sum} cents"),
            Self::Suspense { items, account } => {
                write!(f, "items in suspense come to {items} cents, and its account to {account}")
            }
            Self::Time { back_ms } => {
                write!(f, "it was made {back_ms} ms before the entry in front of it")
            }
            Self::Unissued => f.write_str("its card was never issued"),
        }
    }
}

impl Audit {
    /// An audit of a journal that begins so.
    #[must_use]
    pub fn new(begins: Begins) -> Self {
        Self { begins, ..Self::default() }
    }

    /// Entries seen.
    #[must_use]
    pub const fn entries(&self) -> u64 {
        self.entries
    }

    /// Cards seen.
    #[must_use]
    pub fn cards(&self) -> usize {
        self.cards.len()
    }

    /// The books of all entries seen.
    #[must_use]
    pub const fn books(&self) -> &Books {
        &self.books
    }

    /// Takes the next entry and tells what does not hold with it.
    pub fn add(&mut self, seq: Seq, entry: &Entry, mut tell: impl FnMut(Finding)) {
        self.entries += 1;
        if entry.at < self.newest_at {
            tell(Finding::Time { back_ms: self.newest_at - entry.at });
        }
        self.newest_at = self.newest_at.max(entry.at);
        let sum: i128 = postings(entry).map(|line| i128::from(line.amount.minor())).sum();
        if sum != 0 {
            tell(Finding::Postings { sum });
        }
        self.books.add(entry);
        self.statements.see(seq, entry);
        if let Some(answered) = entry.answered()
            && let Some(first) = self.keys.answered_before(&answered.key, seq, entry.at)
        {
            tell(Finding::KeyTwice { first });
        }
        if let Some(card) = card_of(entry) {
            self.add_to_card(card, seq, entry, &mut tell);
        }
    }

    fn add_to_card(&mut self, id: CardId, seq: Seq, entry: &Entry, tell: &mut impl FnMut(Finding)) {
        if let Fact::Issued(issued) = &entry.fact {
            let card = Card::issued(id, issued);
            self.cards.entry(id).or_insert(Audited { card, posted: 0, points: 0 });
        }
        let Some(Audited { card, posted, points }) = self.cards.get_mut(&id) else {
            return match self.begins {
                Begins::First => tell(Finding::Unissued),
                Begins::Pruned => {}
            };
        };
        if card.last_seq() != entry.previous {
            tell(Finding::Link { named: entry.previous, last: card.last_seq() });
        }
        card.apply(seq, entry);
        let of_card = postings(entry).filter(|line| line.account == Account::CardLiability);
        *posted += of_card.map(|line| i128::from(line.amount.minor())).sum::<i128>();
        if *posted != i128::from(card.balance().minor()) {
            tell(Finding::Account { posted: *posted, balance: card.balance() });
        }
        let change = points_change(&entry.fact);
        *points = points.saturating_add(change);
        if change != 0 && u64::try_from(*points) != Ok(card.points()) {
            tell(Finding::Points { posted: *points, found: card.points() });
        }
        if let Some((balance, available)) = entry.balances() {
            if balance != card.balance() {
                tell(Finding::Balance { told: balance, found: card.balance() });
            }
            if available != card.available() {
                tell(Finding::Available { told: available, found: card.available() });
            }
        }
    }

    /// What does not hold of the whole, after the last entry.
    #[must_use]
    pub fn end(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let sum = self.books.sum();
        if sum != 0 {
            findings.push(Finding::Books { sum });
        }
        let held = |audited: &Audited| {
            let Audited { card, .. } = audited;
            i128::from(card.balance().minor()) - i128::from(card.available().minor())
        };
        let (cards, books) = (self.cards.values().map(held).sum(), self.books.held());
        if cards != books && self.begins == Begins::First {
            findings.push(Finding::Held { cards, books });
        }
        let (items, account) = (self.statements.total(), self.books.total(Account::Suspense));
        if items != account && self.begins == Begins::First {
            findings.push(Finding::Suspense { items, account });
        }
        findings
    }
}

/// The card that `entry` is about.
#[must_use]
pub fn card_of(entry: &Entry) -> Option<CardId> {
    entry.card()
}

/// Keys that were answered, in two generations of a day each.
#[derive(Default)]
struct Keys {
    newer: Generation,
    older: Generation,
}

#[derive(Default)]
struct Generation {
    since_ms: u64,
    seen: HashMap<u128, (Seq, u64), RandomState>,
}

impl Keys {
    /// The entry that answered this key within the last day; keeps that `seq` has now.
    fn answered_before(&mut self, key: &RequestKey, seq: Seq, at: u64) -> Option<Seq> {
        if at.saturating_sub(self.newer.since_ms) >= DAY_MS {
            let fresh = Generation { since_ms: at, ..Generation::default() };
            self.older = std::mem::replace(&mut self.newer, fresh);
        }
        // Two fingerprints of 64 bits: that two keys share both is out of the question.
        let [low, high] = [[1, 2], [3, 4]].map(|secret| u128::from(key.fingerprint(secret)));
        let mark = high << 64 | low;
        let before = self.newer.seen.insert(mark, (seq, at));
        let (first, answered_at) = before.or_else(|| self.older.seen.get(&mark).copied())?;
        (at.saturating_sub(answered_at) < DAY_MS).then_some(first)
    }
}

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use cekr_iso8583::{Expiry, Pan};
    use cekr_issuer::entry::{Name, PointsExpired};
    use cekr_issuer::{Amount, CardStatus, Channels, Controls, LocalDate, Now};

    use super::*;
    use crate::answers::AnswersConfig;
    use crate::journal::{Journal, JournalConfig};
    use crate::keyring::Keyring;
    use crate::shard::{NewCard, Shard};

    const NOW: Now = Now { unix_ms: 1_795_341_600_000, local_date: LocalDate::new(2026, 11, 22) };

    /// The entries of two cards that were issued with 100.00 and 50.00.
    fn entries() -> Vec<(Seq, Entry)> {
        let journal = Journal::memory(&JournalConfig { recent_max: 8, ..JournalConfig::default() });
        let keyring = Keyring::ephemeral(&mut |out| out.fill(7));
        let sizes = AnswersConfig { answers_max: 64, window_min_ms: 0 };
        let shard = Shard::new(journal, keyring, sizes);
        for (pan, mok_id, cents) in
            [(4_761_730_000_000_011, 1, 100_00), (4_761_730_000_000_029, 2, 50_00)]
        {
            let new = NewCard {
                pan: Pan::from_number(pan).unwrap(),
                name: Name::new(&format!("card {mok_id}")).unwrap(),
                mok_id,
                controls: Controls {
                    status: CardStatus::Active,
                    ticks: Channels::NONE,
                    expiry: Expiry::new(3012).unwrap(),
                    version: 1,
                },
                pin: None,
                limited: true,
                balance: Amount::from_minor(cents),
            };
            shard.issue(new, NOW).unwrap();
        }
        (1..=4).map(|seq| (Seq(seq), shard.entry(Seq(seq)).unwrap())).collect()
    }

    /// What an audit of these entries finds, each with its entry.
    fn findings(entries: &[(Seq, Entry)]) -> Vec<(u64, &'static str)> {
        let mut audit = Audit::default();
        let mut found = Vec::new();
        for (seq, entry) in entries {
            audit.add(*seq, entry, |finding| {
                assert!(!finding.to_string().is_empty());
                found.push((seq.0, finding.name()));
            });
        }
        found.extend(audit.end().iter().map(|finding| (0, finding.name())));
        found
    }

    fn changed(at: usize, change: impl Fn(&mut Entry)) -> Vec<(u64, &'static str)> {
        let mut entries = entries();
        change(&mut entries.get_mut(at).unwrap().1);
        findings(&entries)
    }

    #[test]
    fn what_a_shard_writes_agrees() {
        assert_eq!(findings(&entries()), []);
    }

    #[test]
    fn an_entry_that_tells_another_balance_is_found() {
        let found = changed(1, |entry| {
            if let Fact::Loaded(loaded) = &mut entry.fact {
                loaded.balance = Balance::from_minor(100_01);
            }
        });
        assert_eq!(found, [(2, "balance")]);
    }

    #[test]
    fn points_that_no_purchase_earned_are_found() {
        let month = cekr_issuer::points::Month::from_number(1);
        let expired = Fact::PointsExpired(PointsExpired { month, points: 7 });
        let found = changed(3, |entry| entry.fact = expired.clone());
        assert!(found.contains(&(4, "points")), "{found:?}");
    }

    #[test]
    fn an_entry_of_another_amount_is_found() {
        let found = changed(3, |entry| {
            if let Fact::Loaded(loaded) = &mut entry.fact {
                loaded.amount = Amount::from_minor(50_01);
            }
        });
        assert_eq!(found, [(4, "balance"), (4, "available")]);
    }

    #[test]
    fn a_missing_entry_and_a_missing_card_are_found() {
        let mut missing = entries();
        missing.remove(0);
        assert_eq!(findings(&missing), [(2, "unissued")]);
        assert_eq!(changed(1, |entry| entry.previous = Seq(7)), [(2, "link")]);
    }

    #[test]
    fn suspense_holds_what_its_items_come_to() {
        use cekr_issuer::entry::{BankLine, StatementKey, SuspenseReason};

        use crate::control::Control;
        use crate::statements::{LineKind, LineTarget, StatementLine};

        let journal = Journal::memory(&JournalConfig { recent_max: 8, ..JournalConfig::default() });
        let keyring = Keyring::ephemeral(&mut |out| out.fill(7));
        let sizes = AnswersConfig { answers_max: 64, window_min_ms: 0 };
        let shard = crate::sync::Arc::new(Shard::new(journal, keyring, sizes));
        let control = Control::new(shard.clone(), crate::sync::Arc::default());
        let lines = [1, 2].map(|number| StatementLine {
            line: BankLine { key: StatementKey([number; 16]), booked_on: NOW.local_date },
            amount: Amount::from_minor(20_00),
            kind: LineKind::Credit(LineTarget::Suspense {
                reason: SuspenseReason::BadParts,
                mok_id: None,
            }),
        });
        control.post_lines(&lines, NOW).unwrap();
        control.return_to_payer(Seq(1), NOW).unwrap();
        let mut entries: Vec<_> =
            (1..=3).map(|seq| (Seq(seq), shard.entry(Seq(seq)).unwrap())).collect();
        assert_eq!(findings(&entries), []);
        if let Fact::SuspenseReleased(released) = &mut entries.last_mut().unwrap().1.fact {
            released.amount = Balance::from_minor(19_99);
        }
        assert_eq!(findings(&entries), [(0, "suspense")]);
    }

    #[test]
    fn time_that_goes_back_is_found() {
        assert_eq!(changed(2, |entry| entry.at -= 1), [(3, "time")]);
    }

    #[test]
    fn a_key_counts_as_answered_for_a_day() {
        let key = RequestKey {
            acquirer: 408_972,
            terminal: cekr_iso8583::TerminalId::new(*b"ATM00001"),
            when: 1_122_101_500,
            stan: 1,
            class: 2,
        };
        let start = NOW.unix_ms;
        for (later_ms, first) in [(1, Some(Seq(1))), (DAY_MS - 1, Some(Seq(1))), (DAY_MS, None)] {
            let mut keys = Keys::default();
            assert_eq!(keys.answered_before(&key, Seq(1), start), None);
            let other = RequestKey { stan: 2, ..key };
            assert_eq!(keys.answered_before(&other, Seq(2), start + later_ms / 2), None);
            assert_eq!(keys.answered_before(&key, Seq(3), start + later_ms), first, "{later_ms}");
        }
    }
}
