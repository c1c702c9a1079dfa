//! A shard: the unit of state, recovery and failure. Its cards, its answers, its journal.
//!
//! Whatever changes a card goes one way: under the card's lock the fact is appended to the
//! journal, which numbers it or refuses, and is applied. Replay after a start applies the same
//! entries with the same function.

pub mod state;

use std::collections::HashMap;

use foldhash::fast::RandomState;

use cekr_emv::pin::Pin;
use cekr_iso8583::Pan;
use cekr_issuer::books::Books;
use cekr_issuer::confirmation::ConfirmationStep;
use cekr_issuer::decide::entry as entry_of;
use cekr_issuer::entry::{
    Authority, EntryError, Issued, LoadName, LoadSource, LoadTakenBack, Loaded, Name, TakeBackCause,
};
use cekr_issuer::limit::OwnLimits;
use cekr_issuer::points::books::PointsBooks;
use cekr_issuer::{
    About, Amount, Balance, Card, CardId, Controls, Desk, Entry, EntryBytes, Fact, Now, Seq, Totals,
};

use crate::answers::{Answers, AnswersConfig};
use crate::clearing::LinesSeen;
use crate::desk::{DeskState, Desks};
use crate::hsm::{Hsm, SoftHsm};
use crate::journal::{Full, Journal, Urgency};
use crate::keyring::Keyring;
use crate::ledger::Ledger;
use crate::planted::{self, Fault};
use crate::statements::Statements;
use crate::sync::{Arc, AtomicU64, Mutex, MutexGuard, Ordering};
use crate::table::{AddError, CardTable, Cell, Profile};

/// The state of a node, and the journal that it rests on.
pub struct Shard {
    cards: CardTable,
    answers: Answers,
    journal: Journal,
    keyring: Keyring,
    hsm: Arc<dyn Hsm>,
    directory: Mutex<Directory>,
    desks: Desks,
    ledger: Mutex<Ledger>,
    /// Taken before a card: lines are carried out one after the other.
    lines_seen: Mutex<LinesSeen>,
    /// Taken before a card or a desk: lines of statements are posted one after the other.
    statements: Mutex<Statements>,
    /// The time of the newest entry: an entry's time never goes back in its shard.
    last_at: AtomicU64,
}

/// Handles and MOK IDs that are taken.
#[derive(Default)]
struct Directory {
    names: HashMap<Name, CardId, RandomState>,
    mok_ids: HashMap<u32, CardId, RandomState>,
}

/// A card to be issued.
pub struct NewCard {
    /// Its number.
    pub pan: Pan,
    /// Its handle for people.
    pub name: Name,
    /// The nine digits on its back.
    pub mok_id: u32,
    /// Status, ticks, expiry.
    pub controls: Controls,
    /// Its PIN, of which only a verification value is kept.
    pub pin: Option<Pin>,
    /// Whether the programme's limits apply.
    pub limited: bool,
    /// What it starts with, in cents.
    pub balance: Amount,
}

/// Why a card cannot be issued.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum IssueError {
    /// The table refuses it.
    #[error(transparent)]
    Add(#[from] AddError),
    /// The journal's queue is full.
    #[error("the journal takes no more entries now; try again")]
    Busy,
    /// Another card has this MOK ID.
    #[error("the MOK ID is in use already")]
    MokIdTaken,
    /// Another card has this name.
    #[error("the card name is in use already")]
    NameTaken,
}

impl From<Full> for IssueError {
    fn from(_: Full) -> Self {
        Self::Busy
    }
}

/// Why an entry of the journal cannot be applied.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ReplayError {
    /// The table refuses the card.
    #[error(transparent)]
    Add(#[from] AddError),
    /// The octets are no entry.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The card's number cannot be opened with the data key.
    #[error("the number of card {0} cannot be opened with this directory's key")]
    Sealed(u32),
    /// An entry of a card that was never issued.
    #[error("card {0} was never issued")]
    Unissued(u32),
}

/// A card as it stands, for people.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot {
    /// Its ordinal.
    pub id: CardId,
    /// Its number.
    pub pan: Pan,
    /// Name and MOK ID.
    pub profile: Profile,
    /// Status, ticks, expiry, version.
    pub controls: Controls,
    /// Holds included.
    pub balance: Balance,
    /// Less holds.
    pub available: Balance,
    /// The holder's own limits.
    pub limits: OwnLimits,
    /// The newest entry behind all this.
    pub last_seq: Seq,
}

impl Shard {
    /// An empty shard over `journal`.
    #[must_use]
    pub fn new(journal: Journal, keyring: Keyring, answers: AnswersConfig) -> Self {
        planted::prepare();
        let answers = Answers::new(answers, keyring.fingerprint_key());
        Self {
            cards: CardTable::default(),
            answers,
            journal,
            keyring,
            hsm: Arc::new(SoftHsm::development()),
            directory: Mutex::default(),
            desks: Desks::default(),
            ledger: Mutex::default(),
            lines_seen: Mutex::default(),
            statements: Mutex::default(),
            last_at: AtomicU64::new(0),
        }
    }

    /// The cards.
    #[must_use]
    pub const fn cards(&self) -> &CardTable {
        &self.cards
    }

    /// The answers.
    #[must_use]
    pub const fn answers(&self) -> &Answers {
        &self.answers
    }

    /// The journal.
    #[must_use]
    pub const fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The keys of the directory.
    #[must_use]
    pub const fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// The same with this module in place of the one with the published test keys.
    #[must_use]
    pub fn with_hsm(mut self, hsm: Arc<dyn Hsm>) -> Self {
        self.hsm = hsm;
        self
    }

    /// The module that verifies.
    #[must_use]
    pub fn hsm(&self) -> &dyn Hsm {
        &*self.hsm
    }

    /// When the newest entry was made, ms since 1970.
    #[must_use]
    pub fn last_at(&self) -> u64 {
        self.last_at.load(Ordering::Relaxed)
    }

    /// `now`, or the time of the newest entry where the clock went back behind it.
    #[must_use]
    pub fn not_before_last(&self, now: Now) -> Now {
        let last = self.last_at.load(Ordering::Relaxed);
        if last >= now.unix_ms {
            return Now { unix_ms: last, ..now };
        }
        let last = self.last_at.fetch_max(now.unix_ms, Ordering::Relaxed);
        Now { unix_ms: now.unix_ms.max(last), ..now }
    }

    /// Appends `entry` about the locked `card` and applies it.
    ///
    /// # Errors
    /// [`Full`] when the journal takes no more now; then nothing has changed.
    pub fn commit(
        &self,
        cell: &Cell,
        card: &mut MutexGuard<'_, Card>,
        entry: &Entry,
    ) -> Result<Seq, Full> {
        if planted::is(Fault::LockNotDurable) && matches!(entry.fact, Fact::ControlsSet(_)) {
            let last = card.last_seq();
            card.apply(last, entry);
            cell.store_controls(card.controls());
            return Ok(last);
        }
        // Journal before apply: after a crash the replay must see every change that a terminal saw.
        let appended = self.journal.append_as(&entry.encode(), urgency(&entry.fact))?;
        let seq = appended.seq;
        if appended.at == entry.at {
            card.apply(seq, entry);
        } else {
            // Another card's entry came in between with a later moment: this one got it as well.
            card.apply(seq, &Entry { at: appended.at, ..entry.clone() });
        }
        if matches!(entry.fact, Fact::ControlsSet(_) | Fact::FileActioned(_)) {
            cell.store_controls(card.controls());
        }
        self.keep_ledger_near(seq, entry);
        Ok(seq)
    }

    /// The clearing lines that were carried out.
    #[must_use]
    pub const fn lines_seen(&self) -> &Mutex<LinesSeen> {
        &self.lines_seen
    }

    /// The lines of bank statements that were posted, and what waits in suspense.
    #[must_use]
    pub const fn statements(&self) -> &Mutex<Statements> {
        &self.statements
    }

    /// The desks.
    #[must_use]
    pub const fn desks(&self) -> &Desks {
        &self.desks
    }

    /// Appends `fact` about the locked `desk`.
    ///
    /// # Errors
    /// [`Full`] when the journal takes no more now; then nothing has changed.
    pub fn commit_desk(
        &self,
        desk: Desk,
        state: &mut MutexGuard<'_, DeskState>,
        now: Now,
        fact: Fact,
    ) -> Result<(Seq, Entry), Full> {
        let mut entry = Entry {
            about: About::Desk(desk),
            previous: state.last_seq,
            at: now.unix_ms.max(state.last_at),
            date: now.local_date,
            fact,
        };
        let appended = self.journal.append_as(&entry.encode(), urgency(&entry.fact))?;
        entry.at = appended.at;
        **state = DeskState { last_seq: appended.seq, last_at: entry.at };
        self.keep_ledger_near(appended.seq, &entry);
        Ok((appended.seq, entry))
    }

    /// Appends and applies what fell due for the locked `card` before it is judged.
    ///
    /// # Errors
    /// [`Full`].
    pub fn settle_due(
        &self,
        cell: &Cell,
        card: &mut MutexGuard<'_, Card>,
        now: Now,
    ) -> Result<(), Full> {
        self.settle_some(cell, card, now, usize::MAX).map(|_| ())
    }

    /// The same for at most `max` facts; tells how many there were.
    ///
    /// # Errors
    /// [`Full`].
    pub fn settle_some(
        &self,
        cell: &Cell,
        card: &mut MutexGuard<'_, Card>,
        now: Now,
        max: usize,
    ) -> Result<usize, Full> {
        let mut entered = 0;
        while entered < max
            && let Some(fact) = card.due(now)
        {
            let entry = entry_of(card, now, fact);
            self.commit(cell, card, &entry)?;
            entered += 1;
        }
        Ok(entered)
    }

    /// Issues a card with its opening balance; its entries are durable once the returned one is.
    ///
    /// # Errors
    /// [`IssueError`]; then nothing was issued.
    pub fn issue(&self, new: NewCard, now: Now) -> Result<Seq, IssueError> {
        let now = self.not_before_last(now);
        let mut directory = self.directory.lock();
        if directory.names.contains_key(&new.name) {
            return Err(IssueError::NameTaken);
        }
        if directory.mok_ids.contains_key(&new.mok_id) {
            return Err(IssueError::MokIdTaken);
        }
        let pvv = new.pin.as_ref().map(|pin| self.hsm.verification_value(new.pan, pin));
        let profile = Profile { name: new.name, mok_id: new.mok_id };
        let mut last = Seq::NONE;
        let id = self.cards.add(new.pan, profile, |id| {
            let issued = Issued {
                sealed_pan: self.keyring.seal_pan(id.0, new.pan.expose()),
                controls: new.controls,
                mok_id: new.mok_id,
                pvv,
                limited: new.limited,
                name: new.name,
                opening: new.balance,
            };
            let mut card = Card::issued(id, &issued);
            let mut entry = entry_of(&card, now, Fact::Issued(issued));
            let appended = self.journal.append_as(&entry.encode(), Urgency::CanWait)?;
            entry.at = appended.at;
            last = appended.seq;
            card.apply(last, &entry);
            Ok::<_, IssueError>(card)
        })?;
        if let Some(cell) = self.cards.by_id(id) {
            let mut card = cell.lock();
            // Where the journal has no room for the opening balance, it stays due.
            let _ = self.settle_due(cell, &mut card, now);
            last = card.last_seq();
        }
        directory.names.insert(new.name, id);
        directory.mok_ids.insert(new.mok_id, id);
        Ok(last)
    }

    /// Applies an entry of the journal at start, in its order.
    ///
    /// # Errors
    /// [`ReplayError`]: the journal is whole and does not make sense, so the start is refused.
    pub fn replay(&self, seq: Seq, octets: &EntryBytes) -> Result<(), ReplayError> {
        self.replay_entry(seq, &Entry::decode(octets)?)
    }

    /// The same for entries in their order, `first` the number of the first.
    ///
    /// # Errors
    /// The entry that makes no sense, and why.
    pub fn replay_all(&self, first: Seq, all: &[EntryBytes]) -> Result<(), (Seq, ReplayError)> {
        let mut seqs = (first.0..).map(Seq);
        for octets in all.chunks(REPLAYED_TOGETHER) {
            let mut entries = Vec::with_capacity(REPLAYED_TOGETHER);
            for (seq, octets) in seqs.by_ref().take(octets.len()).zip(octets) {
                entries.push((seq, Entry::decode(octets).map_err(|error| (seq, error.into()))?));
            }
            // Loads that stand together are waited for together, as in a read of many messages.
            for (_, entry) in &entries {
                if let About::Card(id) = entry.about
                    && let Some(cell) = self.cards.by_id(id)
                {
                    cell.touch();
                }
            }
            for answered in entries.iter().filter_map(|(_, entry)| entry.answered()) {
                self.answers.touch(self.answers.mark(&answered.key));
            }
            for (seq, entry) in &entries {
                self.replay_entry(*seq, entry).map_err(|cause| (*seq, cause))?;
            }
        }
        Ok(())
    }

    fn replay_entry(&self, seq: Seq, entry: &Entry) -> Result<(), ReplayError> {
        self.not_before_ms(entry.at);
        match (entry.about, &entry.fact) {
            (About::Card(id), Fact::Issued(issued)) if self.cards.by_id(id).is_none() => {
                self.replay_issued(seq, entry, id, issued)?;
            }
            (About::Card(id), _) => {
                let cell = self.cards.by_id(id).ok_or(ReplayError::Unissued(id.0))?;
                let mut card = cell.lock();
                // A checkpoint may have it already.
                if card.last_seq() < seq || planted::is(Fault::CheckpointWithoutSeq) {
                    card.apply(seq, entry);
                    cell.store_controls(card.controls());
                }
            }
            (About::Desk(desk), _) => {
                let mut state = self.desks.lock(desk);
                if state.last_seq < seq {
                    *state = DeskState { last_seq: seq, last_at: entry.at };
                }
            }
        }
        self.remember_answer(seq, entry);
        if entry.line().is_some() {
            self.lines_seen.lock().see(seq, entry);
        }
        if entry.bank_line().is_some() {
            self.statements.lock().see(seq, entry);
        }
        let mut ledger = self.ledger.lock();
        if ledger.seen() < seq {
            ledger.add(seq, entry);
        }
        Ok(())
    }

    fn remember_answer(&self, seq: Seq, entry: &Entry) {
        if let Some(answered) = entry.answered()
            && let Some(mut held) = self.answers.hold(self.answers.mark(&answered.key))
        {
            held.remember(seq, entry.at);
        }
    }

    /// No entry gets a moment before this one, ms since 1970.
    pub(crate) fn not_before_ms(&self, at: u64) {
        self.last_at.fetch_max(at, Ordering::Relaxed);
    }

    /// How many cards there are, those counted in whose entries may be durable already.
    pub(crate) fn card_count_settled(&self) -> u32 {
        // A card is being issued under this lock: between its entry and its place in the table.
        let _issuing = self.directory.lock();
        self.cards.len()
    }

    fn replay_issued(
        &self,
        seq: Seq,
        entry: &Entry,
        due: CardId,
        issued: &Issued,
    ) -> Result<(), ReplayError> {
        let pan = self
            .keyring
            .open_pan(due.0, &issued.sealed_pan)
            .and_then(|number| Pan::from_number(number).ok())
            .ok_or(ReplayError::Sealed(due.0))?;
        let profile = Profile { name: issued.name, mok_id: issued.mok_id };
        let id = self.cards.add(pan, profile, |id| {
            if id != due {
                let (expected, found) = (id.0, due.0);
                return Err(ReplayError::Add(AddError::OutOfOrder { expected, found }));
            }
            let mut card = Card::issued(id, issued);
            card.apply(seq, entry);
            Ok(card)
        })?;
        let mut directory = self.directory.lock();
        directory.names.insert(issued.name, id);
        directory.mok_ids.insert(issued.mok_id, id);
        Ok(())
    }

    /// The card with this handle.
    #[must_use]
    pub fn id_by_name(&self, name: &str) -> Option<CardId> {
        self.directory.lock().names.get(&Name::new(name)?).copied()
    }

    /// The card with this MOK ID.
    #[must_use]
    pub fn id_by_mok_id(&self, mok_id: u32) -> Option<CardId> {
        self.directory.lock().mok_ids.get(&mok_id).copied()
    }

    /// The card as it stands.
    #[must_use]
    pub fn snapshot(&self, id: CardId) -> Option<Snapshot> {
        let cell = self.cards.by_id(id)?;
        let card = cell.lock();
        self.snapshot_of(cell, &card)
    }

    /// The locked card as it stands.
    #[must_use]
    pub fn snapshot_of(&self, cell: &Cell, card: &Card) -> Option<Snapshot> {
        Some(Snapshot {
            id: card.id(),
            pan: cell.pan()?,
            profile: *cell.profile()?,
            controls: card.controls(),
            balance: card.balance(),
            available: card.available(),
            limits: card.own_limits().copied().unwrap_or_default(),
            last_seq: card.last_seq(),
        })
    }

    /// The books up to the newest durable entry, with its number.
    ///
    /// Entries are folded when somebody asks, by a background tick, and, where they are kept
    /// nowhere else, before they leave the ring of recent ones.
    #[must_use]
    pub fn books(&self) -> (Books, Seq) {
        let ledger = self.ledger_through(self.journal.durable());
        (ledger.books().clone(), ledger.seen())
    }

    /// The same with the advantage programme's books.
    #[must_use]
    pub fn books_with_points(&self) -> (Books, PointsBooks, Seq) {
        let ledger = self.ledger_through(self.journal.durable());
        (ledger.books().clone(), ledger.points(), ledger.seen())
    }

    /// The totals of `acquirer` up to the newest entry, durable or not.
    #[must_use]
    pub fn totals(&self, acquirer: u64) -> Totals {
        self.ledger_through(self.journal.appended()).totals(acquirer)
    }

    /// The totals of all acquirers up to the newest entry, durable or not.
    pub(crate) fn all_totals(&self) -> Vec<(u64, Totals)> {
        self.ledger_through(self.journal.appended()).acquirers().collect()
    }

    /// The ledger with all entries up to `seq` within.
    fn ledger_through(&self, seq: Seq) -> MutexGuard<'_, Ledger> {
        let mut ledger = self.ledger.lock();
        self.fold(&mut ledger, seq);
        ledger
    }

    fn fold(&self, ledger: &mut Ledger, seq: Seq) {
        while ledger.seen() < seq {
            let next = ledger.seen().next();
            let Some(entry) = self.entry(next) else {
                break;
            };
            ledger.add(next, &entry);
        }
    }

    /// Lets the ledger follow where entries that leave the ring are kept nowhere else: with `entry`
    /// at hand, and a few at a time where it is behind, for a card's lock is held.
    fn keep_ledger_near(&self, seq: Seq, entry: &Entry) {
        let Some(kept) = self.journal.kept_max() else {
            return;
        };
        let mut ledger = self.ledger.lock();
        let behind = seq.0.saturating_sub(ledger.seen().0);
        if behind <= LEDGER_NEAR {
            self.fold(&mut ledger, Seq(seq.0 - 1));
            // Another thread that came later may have been here first.
            if ledger.seen().next() == seq {
                ledger.add(seq, entry);
            }
        } else if behind > kept / 2 {
            let upto = ledger.seen().0.saturating_add(LEDGER_NEAR * 2).min(seq.0);
            self.fold(&mut ledger, Seq(upto));
        }
    }

    /// An entry: a recent one from memory, another one from the disk.
    #[must_use]
    pub fn entry(&self, seq: Seq) -> Option<Entry> {
        Entry::decode(&self.journal.entry(seq)?).ok()
    }
}

/// The fact of a load to the locked card.
pub(crate) fn loaded(card: &Card, amount: Amount, source: LoadSource, name: LoadName) -> Fact {
    Fact::Loaded(Loaded {
        amount,
        source,
        name,
        balance: card.balance().plus(amount),
        available: card.available().plus(amount),
    })
}

/// Whether an entry has to go although the disk is full: what has happened already, and what
/// protects somebody. An approval can be asked for again.
const fn urgency(fact: &Fact) -> Urgency {
    match fact {
        Fact::Authorized(fact) => match fact.authority {
            Authority::Elsewhere => Urgency::MustGo,
            Authority::Here => Urgency::CanWait,
        },
        // Whoever reads statements sends their lines again.
        Fact::LoadTakenBack(LoadTakenBack { cause: TakeBackCause::BankReversal, .. })
        | Fact::Loaded(Loaded { source: LoadSource::Upn, name: LoadName::Line(_), .. })
        | Fact::SuspenseAssigned(_)
        | Fact::SuspenseHeld(_)
        | Fact::SuspenseReleased(_)
        | Fact::Issued(_) => Urgency::CanWait,
        Fact::Confirmation(step) => match step {
            ConfirmationStep::Approved(_)
            | ConfirmationStep::Asked(_)
            | ConfirmationStep::Pushed(_)
            | ConfirmationStep::Sealed(_) => Urgency::CanWait,
            ConfirmationStep::Ended(..)
            | ConfirmationStep::Failed(_)
            | ConfirmationStep::Unblocked => Urgency::MustGo,
        },
        Fact::Cleared(_)
        | Fact::Completed(_)
        | Fact::ControlsSet(_)
        | Fact::CutOver(_)
        | Fact::Declined(_)
        | Fact::DeclinedElsewhere(_)
        | Fact::DeclinesCounted { .. }
        | Fact::FileActioned(_)
        | Fact::HoldExpired(_)
        | Fact::Inquired(_)
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
        | Fact::ScriptSettled(_) => Urgency::MustGo,
    }
}

/// Entries whose cards are fetched ahead together.
const REPLAYED_TOGETHER: usize = 32;

/// So far behind the ledger catches up at once: those entries are still in the cache.
const LEDGER_NEAR: u64 = 16;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use cekr_iso8583::Expiry;
    use cekr_issuer::entry::Reference;
    use cekr_issuer::{CardStatus, Channels, LocalDate};

    use super::*;
    use crate::journal::{JournalConfig, SimDisk};
    use crate::sync::Arc;

    const NOW: Now = Now { unix_ms: 1_795_341_600_000, local_date: LocalDate::new(2026, 11, 22) };

    fn new_card(pan: u64, mok_id: u32, cents: u64) -> NewCard {
        NewCard {
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
        }
    }

    fn shard(queue_max: usize) -> Shard {
        let config = JournalConfig {
            queue_max,
            recent_max: 1,
            segment_octets: 4_096,
            ..JournalConfig::default()
        };
        let disk = Arc::new(SimDisk::new(1));
        let (journal, _) = Journal::with_disk_inline(disk, &config, &mut |_, _| Ok(())).unwrap();
        let keyring = Keyring::ephemeral(&mut |out| out.fill(7));
        Shard::new(journal, keyring, AnswersConfig { answers_max: 64, window_min_ms: 0 })
    }

    #[test]
    fn an_opening_balance_that_found_no_room_is_loaded_before_anything_else() {
        let shard = shard(3);
        let first = shard.issue(new_card(4_761_730_000_000_011, 1, 100_00), NOW);
        assert_eq!(first, Ok(Seq(2)));
        let second = || new_card(4_761_730_000_000_029, 2, 50_00);
        assert_eq!(shard.issue(second(), NOW), Ok(Seq(3)), "two entries, one place");
        let id = shard.id_by_mok_id(2).unwrap();
        assert_eq!(shard.snapshot(id).unwrap().balance, Balance::ZERO);
        let third = new_card(4_761_730_000_000_037, 3, 0);
        assert_eq!(shard.issue(third, NOW), Err(IssueError::Busy));
        shard.journal().commit_now().unwrap();
        let cell = shard.cards().by_id(id).unwrap();
        shard.settle_due(cell, &mut cell.lock(), NOW).unwrap();
        assert_eq!(shard.snapshot(id).unwrap().balance, Balance::from_minor(50_00));
        assert_eq!(shard.entry(Seq(4)).unwrap().previous, Seq(3));
        shard.settle_due(cell, &mut cell.lock(), NOW).unwrap();
        assert_eq!(shard.snapshot(id).unwrap().balance, Balance::from_minor(50_00), "once");
    }

    #[test]
    fn the_books_lose_no_entry_that_leaves_a_memory_of_eight() {
        let config = JournalConfig { recent_max: 8, ..JournalConfig::default() };
        let keyring = Keyring::ephemeral(&mut |out| out.fill(7));
        let sizes = AnswersConfig { answers_max: 64, window_min_ms: 0 };
        let shard = Shard::new(Journal::memory(&config), keyring, sizes);
        shard.issue(new_card(4_761_730_000_000_011, 1, 100_00), NOW).unwrap();
        let cell = shard.cards().by_id(CardId(0)).unwrap();
        for number in 1..=100 {
            let mut card = cell.lock();
            let name = LoadName::Reference(Reference::new(&number.to_string()).unwrap());
            let fact = loaded(&card, Amount::from_minor(1), LoadSource::Upn, name);
            let entry = entry_of(&card, NOW, fact);
            shard.commit(cell, &mut card, &entry).unwrap();
        }
        let (books, seen) = shard.books();
        assert_eq!(seen, Seq(102));
        assert_eq!(books.total(cekr_issuer::books::Account::CardLiability), 101_00);
        assert_eq!(shard.entry(Seq(90)), None, "it has left");
    }
}
