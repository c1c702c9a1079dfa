//! What the lines of a statement mean: which are posted, to which card, and under which key.
//!
//! Posted is what is booked on the programme's own account; a credit loads the card that its
//! reference names or waits in suspense, and a reversal takes back an earlier credit. A key makes a
//! line the same again, whatever file brings it: it is made of the account and the bank's own name
//! for the transaction, and where the bank gave none, of all that tells one payment from another.

use std::collections::HashMap;
use std::io::BufRead;

use cekr_issuer::entry::{BankLine, StatementKey, SuspenseReason};
use cekr_issuer::{Amount, LocalDate};
use cekr_switch::statements::{LineKind, LineTarget, StatementLine};
use sha2::{Digest as _, Sha256};

use crate::camt::{self, Direction, Entry, Money, Statement, Status, Transaction};
use crate::reference::{self, Judged, OWN_ACCOUNT, Verdict};
use crate::xml::{Fault, Unreadable};

/// A file that was read to its end.
#[derive(Clone, Debug)]
pub struct Contents {
    /// Its statements, each with what its entries come to.
    pub statements: Vec<Sums>,
    /// Its lines in their order.
    pub lines: Vec<Line>,
}

/// A statement and the sums of its booked entries.
#[derive(Clone, Debug)]
pub struct Sums {
    /// The statement.
    pub statement: Statement,
    /// Whether it is of the programme's own account.
    pub is_own: bool,
    /// Cents that came.
    pub credits: i128,
    /// Cents that went.
    pub debits: i128,
}

impl Sums {
    /// What is missing of the closing balance, or too much of it, in cents; `None` where the
    /// statement tells no balances.
    #[must_use]
    pub fn difference(&self) -> Option<i128> {
        let expected = self.statement.opening? + self.credits - self.debits;
        Some(self.statement.closing? - expected)
    }
}

/// A line: a transaction, or an entry without any.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its statement's number in the file, from 0.
    pub statement: usize,
    /// Its entry's number in the statement, from 1.
    pub entry: usize,
    /// Its number in the entry, from 1; 0 for an entry as a whole.
    pub transaction: usize,
    /// The bank's name for it.
    pub bank_reference: String,
    /// The payer's name for it.
    pub end_to_end: String,
    /// Who paid.
    pub payer: String,
    /// From which account.
    pub payer_account: String,
    /// The reference as it was told, in its own field or in free text.
    pub reference: String,
    /// Cents.
    pub cents: u64,
    /// Three capitals.
    pub currency: [u8; 3],
    /// What is done with it.
    pub doing: Doing,
}

/// What is done with a line.
#[derive(Clone, Copy, Debug)]
pub enum Doing {
    /// Nothing.
    Ignore(Ignored),
    /// It is posted.
    Post {
        /// As the switch takes it.
        line: StatementLine,
        /// What its reference says.
        verdict: Told,
    },
}

/// What a line's reference says of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Told {
    /// It was read as one reference.
    Reference(Verdict),
    /// It was not asked for.
    Nothing,
    /// There are several.
    Several,
}

/// Why nothing is done with a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ignored {
    /// Money went from the account, by our own order.
    Debit,
    /// The bank has not booked it.
    NotBooked,
    /// Nothing came.
    Nothing,
    /// It is of another account.
    OtherAccount,
    /// What went from the account came back.
    ReversalOfDebit,
}

impl Ignored {
    /// Its name for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debit => "DEBIT",
            Self::NotBooked => "PDNG",
            Self::Nothing => "ZERO",
            Self::OtherAccount => "OTHER_ACCOUNT",
            Self::ReversalOfDebit => "REVERSAL_OF_DEBIT",
        }
    }
}

/// Reads a file to its end.
///
/// # Errors
/// Where and why it cannot be read.
pub fn read(input: impl BufRead) -> Result<Contents, Unreadable> {
    let mut lines = Vec::new();
    let mut sums: Vec<(i128, i128)> = Vec::new();
    let mut same = Same::default();
    let statements = camt::read(input, |index, statement, entry| {
        if sums.len() <= index {
            sums.resize(index + 1, (0, 0));
            same = Same::default();
        }
        if let Some((credits, debits)) = sums.get_mut(index).filter(|_| is_counted(&entry)) {
            match entry.direction {
                Direction::Credit => *credits += i128::from(entry.amount.cents),
                Direction::Debit => *debits += i128::from(entry.amount.cents),
            }
        }
        Reading { index, statement, entry: &entry, same: &mut same, lines: &mut lines }.read()
    })?;
    sums.resize(statements.len(), (0, 0));
    let with_sums = |(statement, (credits, debits)): (Statement, (i128, i128))| Sums {
        is_own: is_own(&statement),
        statement,
        credits,
        debits,
    };
    let statements = statements.into_iter().zip(sums).map(with_sums).collect();
    Ok(Contents { statements, lines })
}

fn is_counted(entry: &Entry) -> bool {
    entry.status == Status::Booked && entry.amount.is_euro()
}

fn is_own(statement: &Statement) -> bool {
    let compact =
        |text: &str| text.chars().filter(|sign| !sign.is_whitespace()).collect::<String>();
    statement.account.as_deref().is_some_and(|account| compact(account) == OWN_ACCOUNT)
}

/// What makes a statement the same again: 32 hexadecimal digits.
#[must_use]
pub fn statement_name(statement: &Statement) -> String {
    let sequence = statement.sequence.map_or([0; 9], |number| {
        let mut told = [1; 9];
        told.iter_mut().skip(1).zip(octets(number)).for_each(|(place, octet)| *place = octet);
        told
    });
    let name = key_of(&[
        b"statement",
        statement.kind.name().as_bytes(),
        statement.account.as_deref().unwrap_or_default().as_bytes(),
        statement.message.as_bytes(),
        statement.id.as_bytes(),
        &sequence,
    ]);
    StatementKey(name).to_string()
}

/// How often the same was seen in this statement.
#[derive(Default)]
struct Same {
    seen: HashMap<[u8; 16], u64>,
}

/// An entry on its way to lines.
struct Reading<'a> {
    index: usize,
    statement: &'a Statement,
    entry: &'a Entry,
    same: &'a mut Same,
    lines: &'a mut Vec<Line>,
}

impl Reading<'_> {
    fn read(&mut self) -> Result<(), Fault> {
        let entry = self.entry;
        let whole = Transaction::default();
        let ignored = match (entry.status, entry.direction, entry.is_reversal) {
            _ if !is_own(self.statement) => Some(Ignored::OtherAccount),
            (Status::NotBooked, ..) => Some(Ignored::NotBooked),
            _ if entry.amount.cents == 0 => Some(Ignored::Nothing),
            (_, Direction::Debit, false) => Some(Ignored::Debit),
            (_, Direction::Credit, true) => Some(Ignored::ReversalOfDebit),
            (_, Direction::Credit, false) | (_, Direction::Debit, true) => None,
        };
        if let Some(why) = ignored {
            let first = entry.transactions.first().unwrap_or(&whole);
            self.push(0, first, entry.amount.cents, Doing::Ignore(why));
            return Ok(());
        }
        let booked_on = entry.booked_on.ok_or(Fault::Missing("BookgDt"))?;
        let adds_up = adds_up(entry);
        if !adds_up || entry.transactions.is_empty() {
            self.post(0, &whole, entry.amount.cents, 0, booked_on, !adds_up);
            return Ok(());
        }
        let is_only = entry.transactions.len() == 1;
        let mut in_entry: HashMap<&str, u64> = HashMap::new();
        for (place, transaction) in entry.transactions.iter().enumerate() {
            let nth = bank_name(transaction, entry).map_or(0, |name| {
                let seen = in_entry.entry(name).or_default();
                std::mem::replace(seen, *seen + 1)
            });
            let told = amount_of(transaction).map_or(0, |amount| amount.cents);
            let cents = if is_only { entry.amount.cents } else { told };
            if cents == 0 {
                self.push(place + 1, transaction, 0, Doing::Ignore(Ignored::Nothing));
            } else {
                self.post(place + 1, transaction, cents, nth, booked_on, false);
            }
        }
        Ok(())
    }

    fn post(
        &mut self,
        place: usize,
        transaction: &Transaction,
        cents: u64,
        nth: u64,
        booked_on: LocalDate,
        is_mismatch: bool,
    ) {
        let name = bank_name(transaction, self.entry);
        let of = match name {
            Some(name) => key_of(&[b"name", OWN_ACCOUNT.as_bytes(), name.as_bytes(), &octets(nth)]),
            None => self.key_without_name(transaction, cents, booked_on),
        };
        let (target, verdict) = if is_mismatch {
            (held(SuspenseReason::BatchMismatch), Told::Nothing)
        } else if !self.entry.amount.is_euro() {
            (held(SuspenseReason::Currency), Told::Nothing)
        } else {
            target(transaction)
        };
        // A reversal often has the name of what it takes back; its own key says what it is.
        let (key, kind) = if self.entry.is_reversal {
            let entry = self.entry.reference.as_deref().unwrap_or_default();
            let key = key_of(&[b"reversal", &of, entry.as_bytes()]);
            (key, LineKind::Reversal { of: StatementKey(of) })
        } else {
            (of, LineKind::Credit(target))
        };
        let line = BankLine { key: StatementKey(key), booked_on };
        let line = StatementLine { line, amount: Amount::from_minor(cents), kind };
        self.push(place, transaction, cents, Doing::Post { line, verdict });
    }

    /// The key of a payment that the bank gave no name: what is the same and comes again within
    /// one day of a statement is told apart by how many came before.
    fn key_without_name(
        &mut self,
        transaction: &Transaction,
        cents: u64,
        booked_on: LocalDate,
    ) -> [u8; 16] {
        let reversal = if self.entry.is_reversal { "reversal" } else { "" };
        let all = [
            b"nameless",
            OWN_ACCOUNT.as_bytes(),
            &octets(u64::from(booked_on.packed())),
            &octets(cents),
            &self.entry.amount.currency,
            transaction.payer_account.as_deref().unwrap_or_default().as_bytes(),
            transaction.end_to_end.as_deref().unwrap_or_default().as_bytes(),
        ];
        let told = told(transaction);
        let same = key_of(&[key_of(&all).as_slice(), told.as_bytes(), reversal.as_bytes()]);
        let seen = self.same.seen.entry(same).or_default();
        let nth = std::mem::replace(seen, *seen + 1);
        // Of what a reversal takes back the place among its like is not known: the first.
        let nth = if self.entry.is_reversal { 0 } else { nth };
        key_of(&[key_of(&all).as_slice(), told.as_bytes(), &octets(nth)])
    }

    fn push(&mut self, place: usize, transaction: &Transaction, cents: u64, doing: Doing) {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let name = bank_name(transaction, self.entry).unwrap_or_default();
        self.lines.push(Line {
            statement: self.index,
            entry: self.entry.number,
            transaction: place,
            bank_reference: name.to_owned(),
            end_to_end: text(&transaction.end_to_end),
            payer: text(&transaction.payer),
            payer_account: text(&transaction.payer_account),
            reference: told(transaction),
            cents,
            currency: self.entry.amount.currency,
            doing,
        });
    }
}

/// The bank's name for a transaction: its own, else its entry's.
fn bank_name<'a>(transaction: &'a Transaction, entry: &'a Entry) -> Option<&'a str> {
    let named = |name: &&str| !name.is_empty() && !NO_NAMES.contains(name);
    let own = transaction.reference.as_deref().filter(named);
    own.or_else(|| entry.reference.as_deref().filter(named))
}

/// Whether the transactions of an entry are what it is made of.
fn adds_up(entry: &Entry) -> bool {
    let is_along = |transaction: &Transaction| {
        transaction.direction.is_none_or(|direction| direction == entry.direction)
    };
    if !entry.transactions.iter().all(is_along) {
        return false;
    }
    match entry.transactions.as_slice() {
        [] => true,
        // What was paid in another currency is what the bank made of it.
        [only] => amount_of(only).is_none_or(|amount| {
            amount.currency != entry.amount.currency || amount.cents == entry.amount.cents
        }),
        all => {
            let sum = all.iter().try_fold(0_u64, |sum, transaction| {
                let amount = amount_of(transaction)?;
                let is_same = amount.currency == entry.amount.currency;
                sum.checked_add(amount.cents).filter(|_| is_same)
            });
            sum == Some(entry.amount.cents)
        }
    }
}

fn amount_of(transaction: &Transaction) -> Option<Money> {
    transaction.amount.or(transaction.amount_told)
}

/// For whom a payment is, by its reference: in its own field, else in free text.
fn target(transaction: &Transaction) -> (LineTarget, Told) {
    let mut structured: Vec<String> = Vec::new();
    for told in named_references(transaction) {
        let compact: String = told.chars().filter(|sign| !sign.is_whitespace()).collect();
        let compact = compact.to_ascii_uppercase();
        if !structured.contains(&compact) {
            structured.push(compact);
        }
    }
    let judged = match structured.as_slice() {
        [] => match reference::find_in_text(&transaction.unstructured) {
            Ok(found) => found.unwrap_or(Judged { verdict: Verdict::WrongModel, mok_id: None }),
            Err(reference::SeveralReferences) => {
                return (held(SuspenseReason::BadParts), Told::Several);
            }
        },
        [one] => reference::judge(one),
        _ => return (held(SuspenseReason::BadParts), Told::Several),
    };
    let reason = match judged.verdict {
        Verdict::Ok | Verdict::OkPadded | Verdict::OkRepaired => None,
        Verdict::BadParts => Some(SuspenseReason::BadParts),
        Verdict::P1Check => Some(SuspenseReason::P1Check),
        Verdict::P1Mismatch => Some(SuspenseReason::P1Mismatch),
        Verdict::P2Length => Some(SuspenseReason::P2Length),
        Verdict::P3Mismatch => Some(SuspenseReason::P3Mismatch),
        Verdict::WrongModel => Some(SuspenseReason::WrongModel),
    };
    let target = match (reason, judged.mok_id) {
        (None, Some(mok_id)) => LineTarget::MokId(mok_id),
        (reason, _) => held(reason.unwrap_or(SuspenseReason::BadParts)),
    };
    (target, Told::Reference(judged.verdict))
}

/// References in their own field, but for those that say that there is none.
fn named_references(transaction: &Transaction) -> impl Iterator<Item = &String> {
    transaction.structured.iter().filter(|told| {
        let compact: String = told.chars().filter(|sign| !sign.is_whitespace()).collect();
        !compact.is_empty() && !NO_REFERENCES.contains(&compact.to_ascii_uppercase().as_str())
    })
}

/// The reference as it was told.
fn told(transaction: &Transaction) -> String {
    let structured: Vec<&str> = named_references(transaction).map(String::as_str).collect();
    if structured.is_empty() { transaction.unstructured.clone() } else { structured.join("\n") }
}

const fn held(reason: SuspenseReason) -> LineTarget {
    LineTarget::Suspense { reason, mok_id: None }
}

/// Sixteen octets of SHA-256 over all parts, each with its length before it.
fn key_of(parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Sha256::new_with_prefix(b"cekr statement line 1");
    for part in parts {
        hash.update(octets(u64::try_from(part.len()).unwrap_or(u64::MAX)));
        hash.update(part);
    }
    let whole: [u8; 32] = hash.finalize().into();
    let (half, _) = whole.split_first_chunk().unwrap_or((&[0; 16], &[]));
    *half
}

const fn octets(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

/// What banks write where they have no name for a transaction.
const NO_NAMES: [&str; 3] = ["NONREF", "NOTPROVIDED", "NOREF"];

/// What payers write, or their banks for them, where there is no reference.
const NO_REFERENCES: [&str; 3] = ["SI99", "NRC", "NOTPROVIDED"];
