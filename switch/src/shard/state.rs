//! The state of a shard as records of a checkpoint, and back.
//!
//! Every part tells as of which entry it is, or does not mind to see an entry again: replay goes on
//! behind the checkpoint's mark and leaves out what a part has already.

use cekr_iso8583::Pan;
use cekr_issuer::books::{Account, Books};
use cekr_issuer::entry::{BankLine, Name, StatementKey, SuspenseHeld, SuspenseReason};
use cekr_issuer::points::books::{PointsAccount, PointsBooks};
use cekr_issuer::reconciliation::Total;
use cekr_issuer::snapshot::{self, SnapshotError};
use cekr_issuer::{Amount, Balance, CardId, Desk, Entry, EntryBytes, LocalDate, Seq, Totals};

use super::{ReplayError, Shard};
use crate::checkpoint::Record;
use crate::desk::DeskState;
use crate::statements::{Item, KeySeen};
use crate::table::{AddError, Profile};

/// Why a record cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StateError {
    /// The table refuses the card.
    #[error(transparent)]
    Add(#[from] AddError),
    /// The octets of a card are none.
    #[error(transparent)]
    Card(#[from] SnapshotError),
    /// A record is not as long as its fields, or a field holds no value of its kind.
    #[error("a record of kind {0} cannot be read")]
    Record(u8),
    /// The card's number cannot be opened with the data key.
    #[error("the number of card {0} cannot be opened with this directory's key")]
    Sealed(u32),
    /// Written by a newer program.
    #[error("a record of kind {0} is not known; a newer cekr wrote it")]
    UnknownKind(u8),
}

impl Shard {
    /// The record of the card with this ordinal, taken under its lock; tells its kind.
    pub(crate) fn write_card(&self, ordinal: u32, out: &mut Vec<u8>) -> Option<u8> {
        let cell = self.cards.by_id(CardId(ordinal))?;
        let (pan, profile) = (cell.pan()?, cell.profile()?);
        out.extend_from_slice(&ordinal.to_le_bytes());
        out.extend_from_slice(&self.keyring.seal_pan(ordinal, pan.expose()));
        out.extend_from_slice(&profile.mok_id.to_le_bytes());
        let name = profile.name.as_str().as_bytes();
        // A name has at most 32 octets.
        out.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(name);
        snapshot::encode(&cell.lock(), out);
        Some(CARD)
    }

    /// The records of all that is no card. What is folded is folded up to `mark` before.
    pub(crate) fn write_rest(&self, mark: Seq, tell: &mut dyn FnMut(Record<'_>)) {
        for desk in Desk::ALL {
            let DeskState { last_seq, last_at } = *self.desks.lock(desk);
            let octets = [last_seq.0, last_at].map(u64::to_le_bytes);
            tell((DESK, &[&[desk as u8], octets.as_flattened()].concat()));
        }
        let ledger = self.ledger_through(mark.max(self.journal.durable()));
        let mut octets = ledger.seen().0.to_le_bytes().to_vec();
        for account in Account::ALL {
            octets.extend_from_slice(&ledger.books().total(account).to_le_bytes());
        }
        octets.extend_from_slice(&ledger.books().held().to_le_bytes());
        tell((LEDGER, &octets));
        let points = PointsAccount::ALL.map(|account| ledger.points().total(account).to_le_bytes());
        tell((POINTS, points.as_flattened()));
        for (acquirer, totals) in ledger.acquirers() {
            let mut octets = acquirer.to_le_bytes().to_vec();
            let Totals { credits, credit_reversals, debits, debit_reversals } = totals;
            for total in [credits, credit_reversals, debits, debit_reversals] {
                octets.extend_from_slice(&total.count.to_le_bytes());
                octets.extend_from_slice(&total.amount.minor().to_le_bytes());
            }
            tell((ACQUIRER, &octets));
        }
        drop(ledger);
        let seen = self.lines_seen.lock();
        for (file, newest_at, lines) in seen.files() {
            let mut octets = Vec::new();
            let mut lines = lines.peekable();
            while lines.peek().is_some() {
                octets.clear();
                octets.extend_from_slice(&file.to_le_bytes());
                octets.extend_from_slice(&newest_at.to_le_bytes());
                for (line, content, seq) in lines.by_ref().take(LINES_PER_RECORD) {
                    octets.extend_from_slice(&line.to_le_bytes());
                    octets.extend_from_slice(&content.to_le_bytes());
                    octets.extend_from_slice(&seq.0.to_le_bytes());
                }
                tell((LINES, &octets));
            }
        }
        drop(seen);
        self.write_statements(tell);
    }

    fn write_statements(&self, tell: &mut dyn FnMut(Record<'_>)) {
        // A copy: writing takes longer than whoever posts lines should wait.
        let statements = self.statements.lock().clone();
        let mut octets = statements.newest().0.to_le_bytes().to_vec();
        octets.extend_from_slice(&statements.month().to_le_bytes());
        tell((STATEMENTS, &octets));
        let mut keys = statements.keys().peekable();
        while keys.peek().is_some() {
            octets.clear();
            for (key, seen) in keys.by_ref().take(LINES_PER_RECORD) {
                octets.extend_from_slice(&key.0);
                octets.extend_from_slice(&seen.seq.0.to_le_bytes());
                octets.extend_from_slice(&seen.month.to_le_bytes());
            }
            tell((STATEMENT_KEYS, &octets));
        }
        let mut items = statements.items().peekable();
        while items.peek().is_some() {
            octets.clear();
            for (seq, item) in items.by_ref().take(LINES_PER_RECORD) {
                write_item(seq, &item, &mut octets);
            }
            tell((SUSPENSE_ITEMS, &octets));
        }
    }

    /// Takes over what a record says.
    pub(crate) fn read_record(&self, (kind, octets): Record<'_>) -> Result<(), StateError> {
        let mut fields = Fields { kind, rest: octets };
        match kind {
            CARD => self.read_card(fields),
            DESK => {
                let [number] = fields.take()?;
                let desk = Desk::ALL.into_iter().find(|desk| *desk as u8 == number);
                let desk = desk.ok_or(StateError::Record(kind))?;
                let state =
                    DeskState { last_seq: Seq(fields.number()?), last_at: fields.number()? };
                *self.desks.lock(desk) = state;
                fields.end()
            }
            LEDGER => {
                let seen = Seq(fields.number()?);
                let mut totals = [0; Account::ALL.len()];
                for total in &mut totals {
                    *total = i128::from_le_bytes(fields.take()?);
                }
                let held = i128::from_le_bytes(fields.take()?);
                self.ledger.lock().restore(Books::restored(totals, held), seen);
                fields.end()
            }
            POINTS => {
                let cost = i128::from_le_bytes(fields.take()?);
                let liability = i128::from_le_bytes(fields.take()?);
                let points = PointsBooks::restored(cost, liability);
                self.ledger.lock().restore_points(points);
                fields.end()
            }
            ACQUIRER => {
                let acquirer = fields.number()?;
                let totals = Totals {
                    credits: fields.total()?,
                    credit_reversals: fields.total()?,
                    debits: fields.total()?,
                    debit_reversals: fields.total()?,
                };
                self.ledger.lock().restore_totals(acquirer, totals);
                fields.end()
            }
            LINES => {
                let (file, newest_at) = (fields.number()?, fields.number()?);
                let mut seen = self.lines_seen.lock();
                while !fields.rest.is_empty() {
                    let line = u32::from_le_bytes(fields.take()?);
                    let content = u32::from_le_bytes(fields.take()?);
                    seen.restore(file, newest_at, (line, content, Seq(fields.number()?)));
                }
                Ok(())
            }
            STATEMENTS => {
                let newest = Seq(fields.number()?);
                let month = u32::from_le_bytes(fields.take()?);
                self.statements.lock().restore(newest, month);
                fields.end()
            }
            STATEMENT_KEYS => {
                let mut statements = self.statements.lock();
                while !fields.rest.is_empty() {
                    let key = StatementKey(fields.take()?);
                    let seq = Seq(fields.number()?);
                    let month = u32::from_le_bytes(fields.take()?);
                    statements.restore_key(key, KeySeen { seq, month });
                }
                Ok(())
            }
            SUSPENSE_ITEMS => {
                let mut statements = self.statements.lock();
                while !fields.rest.is_empty() {
                    let (seq, item) = fields.item()?;
                    statements.restore_item(seq, item);
                }
                Ok(())
            }
            _ => Err(StateError::UnknownKind(kind)),
        }
    }

    fn read_card(&self, mut fields: Fields<'_>) -> Result<(), StateError> {
        let ordinal = u32::from_le_bytes(fields.take()?);
        let sealed = fields.take()?;
        let mok_id = u32::from_le_bytes(fields.take()?);
        let [name_octets] = fields.take()?;
        let (name, state) = fields
            .rest
            .split_at_checked(usize::from(name_octets))
            .ok_or(StateError::Record(CARD))?;
        let name = str::from_utf8(name).ok().and_then(Name::new);
        let name = name.ok_or(StateError::Record(CARD))?;
        let pan = self.keyring.open_pan(ordinal, &sealed);
        let pan = pan.and_then(|number| Pan::from_number(number).ok());
        let pan = pan.ok_or(StateError::Sealed(ordinal))?;
        let card = snapshot::decode(state)?;
        let found = card.id().0;
        if found != ordinal {
            return Err(StateError::Record(CARD));
        }
        let id = self.cards.add(pan, Profile { name, mok_id }, |id| {
            let expected = id.0;
            if expected == found {
                Ok::<_, StateError>(card)
            } else {
                Err(AddError::OutOfOrder { expected, found }.into())
            }
        })?;
        let mut directory = self.directory.lock();
        directory.names.insert(name, id);
        directory.mok_ids.insert(mok_id, id);
        Ok(())
    }

    /// Takes entries whose effect is in the state already: their answers may be asked for again.
    ///
    /// # Errors
    /// The entry that is none, and why.
    pub fn refill_all(&self, first: Seq, all: &[EntryBytes]) -> Result<(), (Seq, ReplayError)> {
        for (seq, octets) in (first.0..).map(Seq).zip(all) {
            let entry = Entry::decode(octets).map_err(|error| (seq, error.into()))?;
            self.not_before_ms(entry.at);
            self.remember_answer(seq, &entry);
        }
        Ok(())
    }
}

/// Ordinal and sealed number of the card of a record, if it is a card's.
pub(crate) fn sealed_number((kind, octets): Record<'_>) -> Option<(u32, [u8; 24])> {
    let mut fields = Fields { kind, rest: octets };
    let ordinal = fields.take().ok().filter(|_| kind == CARD)?;
    Some((u32::from_le_bytes(ordinal), fields.take().ok()?))
}

fn write_item(seq: Seq, item: &Item, out: &mut Vec<u8>) {
    let Item { held, at, assigned } = item;
    let (card, by) = assigned.unwrap_or_default();
    let there = held.mok_id.map_or(0, |_| HAS_MOK_ID)
        | held.of.map_or(0, |_| HAS_OF)
        | assigned.map_or(0, |_| IS_ASSIGNED);
    out.extend_from_slice(&seq.0.to_le_bytes());
    out.extend_from_slice(&at.to_le_bytes());
    out.extend_from_slice(&held.line.key.0);
    out.extend_from_slice(&held.line.booked_on.packed().to_le_bytes());
    out.extend_from_slice(&held.amount.minor().to_le_bytes());
    out.extend_from_slice(&[held.reason as u8, there]);
    out.extend_from_slice(&held.mok_id.unwrap_or_default().to_le_bytes());
    out.extend_from_slice(&held.of.unwrap_or_default().0);
    out.extend_from_slice(&card.0.to_le_bytes());
    out.extend_from_slice(&by.0.to_le_bytes());
}

/// The fields of a record, one after the other.
struct Fields<'a> {
    kind: u8,
    rest: &'a [u8],
}

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], StateError> {
        let (field, rest) =
            self.rest.split_first_chunk::<N>().ok_or(StateError::Record(self.kind))?;
        self.rest = rest;
        Ok(*field)
    }

    fn number(&mut self) -> Result<u64, StateError> {
        self.take().map(u64::from_le_bytes)
    }

    fn total(&mut self) -> Result<Total, StateError> {
        let count = u32::from_le_bytes(self.take()?);
        Ok(Total { count, amount: Amount::from_minor(self.number()?) })
    }

    fn item(&mut self) -> Result<(Seq, Item), StateError> {
        let seq = Seq(self.number()?);
        let at = self.number()?;
        let key = StatementKey(self.take()?);
        let booked_on = LocalDate::from_packed(u32::from_le_bytes(self.take()?));
        let amount = Balance::from_minor(i64::from_le_bytes(self.take()?));
        let [reason, there] = self.take()?;
        let mok_id = u32::from_le_bytes(self.take()?);
        let of = StatementKey(self.take()?);
        let card = CardId(u32::from_le_bytes(self.take()?));
        let by = Seq(self.number()?);
        let held = SuspenseHeld {
            line: BankLine { key, booked_on },
            amount,
            reason: SuspenseReason::from_number(reason).ok_or(StateError::Record(self.kind))?,
            mok_id: (there & HAS_MOK_ID != 0).then_some(mok_id),
            of: (there & HAS_OF != 0).then_some(of),
        };
        let assigned = (there & IS_ASSIGNED != 0).then_some((card, by));
        Ok((seq, Item { held, at, assigned }))
    }

    fn end(self) -> Result<(), StateError> {
        if self.rest.is_empty() { Ok(()) } else { Err(StateError::Record(self.kind)) }
    }
}

const CARD: u8 = 1;
const DESK: u8 = 2;
const LEDGER: u8 = 3;
const ACQUIRER: u8 = 4;
const LINES: u8 = 5;
const STATEMENTS: u8 = 6;
const STATEMENT_KEYS: u8 = 7;
const SUSPENSE_ITEMS: u8 = 8;
const POINTS: u8 = 9;
/// What is told of an item of suspense.
const HAS_MOK_ID: u8 = 0x01;
const HAS_OF: u8 = 0x02;
const IS_ASSIGNED: u8 = 0x04;
/// Lines of a clearing file, keys or items in one record.
const LINES_PER_RECORD: usize = 4_096;
