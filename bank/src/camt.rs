//! Bank statements of ISO 20022 (camt.052, .053, .054; versions .02 and .08), read strictly.
//!
//! What stands in a file and nothing of what it means: that is `lines`. An entry is handed on as
//! soon as it has ended, so that a file of any length needs the memory of its longest entry.
//! Amounts are digits from beginning to end and never a float.
//!
//! Source: ISO 20022 message definitions camt.052/053/054.001.02 and .001.08. They differ, for what
//! is read here, in the status (text, or a code within), the party's name (beside, or in `Pty`) and
//! the amount of a transaction (`AmtDtls/TxAmt/Amt`, or `Amt`); both are taken from either.

use std::io::BufRead;

use cekr_issuer::LocalDate;

use crate::xml::{Fault, Step, Unreadable, Xml};

/// Lines of a file: transactions, and entries without any.
pub const LINES_MAX: usize = 250_000;

/// Statements of a file.
pub const STATEMENTS_MAX: usize = 1_000;

/// References of one transaction that are looked at.
pub const REFERENCES_MAX: usize = 16;

/// An amount as it is told: never negative, in hundredths of its currency.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Money {
    /// Hundredths.
    pub cents: u64,
    /// Three capitals.
    pub currency: [u8; 3],
}

impl Money {
    /// Whether it is in euros.
    #[must_use]
    pub fn is_euro(&self) -> bool {
        &self.currency == b"EUR"
    }
}

/// Which way money goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// To the account (CRDT).
    Credit,
    /// From it (DBIT).
    Debit,
}

/// Which of the three messages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// camt.054: what happened, one by one.
    Notification,
    /// camt.052: what the day has brought so far.
    Report,
    /// camt.053: the day when it is over.
    Statement,
}

impl Kind {
    /// Its name for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Notification => "camt.054",
            Self::Report => "camt.052",
            Self::Statement => "camt.053",
        }
    }
}

/// A statement, report or notification: everything but its entries.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Statement {
    /// Which message it came in.
    pub kind: Kind,
    /// The message's id.
    pub message: String,
    /// Its own.
    pub id: String,
    /// Its number in the account's row of statements.
    pub sequence: Option<u64>,
    /// `COPY`, `DUPL` or `CODU`.
    pub copy: Option<String>,
    /// The account, as it is told.
    pub account: Option<String>,
    /// What was there before, in cents.
    pub opening: Option<i128>,
    /// What is there afterwards, in cents.
    pub closing: Option<i128>,
}

/// How far the bank has come with an entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Status {
    /// It is booked.
    Booked,
    /// It is not: pending, or for information.
    NotBooked,
}

/// An entry of a statement.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Counted from 1 within its statement.
    pub number: usize,
    /// How much.
    pub amount: Money,
    /// Which way.
    pub direction: Direction,
    /// Whether it takes back an earlier entry.
    pub is_reversal: bool,
    /// How far the bank has come.
    pub status: Status,
    /// The day on which the bank booked it.
    pub booked_on: Option<LocalDate>,
    /// The bank's name for it.
    pub reference: Option<String>,
    /// What it is made of.
    pub transactions: Vec<Transaction>,
}

/// A part of an entry.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Transaction {
    /// The bank's name for it.
    pub reference: Option<String>,
    /// The payer's.
    pub end_to_end: Option<String>,
    /// How much, in version .08.
    pub amount: Option<Money>,
    /// How much, in version .02.
    pub amount_told: Option<Money>,
    /// Which way.
    pub direction: Option<Direction>,
    /// Who pays.
    pub payer: Option<String>,
    /// From which account.
    pub payer_account: Option<String>,
    /// References in their own field.
    pub structured: Vec<String>,
    /// Free text, its pieces with a line feed between.
    pub unstructured: String,
}

/// Reads a file to its end, and gives each entry to `take` with its statement's number from 0.
///
/// # Errors
/// Where and why it cannot be read. Entries before that place were given all the same: whoever
/// takes them does nothing with them until the end has come.
pub fn read(
    input: impl BufRead,
    mut take: impl FnMut(usize, &Statement, Entry) -> Result<(), Fault>,
) -> Result<Vec<Statement>, Unreadable> {
    let mut xml = Xml::new(input);
    let mut draft = Draft::default();
    let mut tags: Vec<Tag> = Vec::new();
    loop {
        let step = xml.step().map_err(|fault| xml.at(fault))?;
        let done = match step {
            Step::Open => {
                tags.push(Tag::of(xml.names().last().map_or("", |name| name)));
                draft.open(&tags, &xml)
            }
            Step::Close => {
                let done = draft.close(&tags, &xml, &mut take);
                tags.pop();
                done
            }
            Step::End if draft.statements.is_empty() => Err(Fault::NotCamt),
            Step::End => return Ok(draft.statements),
        };
        done.map_err(|fault| xml.at(fault))?;
    }
}

/// What has been read and has not ended.
#[derive(Default)]
struct Draft {
    message: Option<String>,
    statements: Vec<Statement>,
    entries: usize,
    lines: usize,
    entry: EntryDraft,
    transaction: Transaction,
    balance: BalanceDraft,
    currency: Option<[u8; 3]>,
}

#[derive(Default)]
struct EntryDraft {
    amount: Option<Money>,
    direction: Option<Direction>,
    is_reversal: Option<bool>,
    status: Option<Status>,
    booked_on: Option<LocalDate>,
    valued_on: Option<LocalDate>,
    reference: Option<String>,
    transactions: Vec<Transaction>,
}

#[derive(Default)]
struct BalanceDraft {
    is_opening: bool,
    is_closing: bool,
    amount: Option<Money>,
    direction: Option<Direction>,
}

impl Draft {
    fn open<R: BufRead>(&mut self, tags: &[Tag], xml: &Xml<R>) -> Result<(), Fault> {
        match tags {
            [Tag::Document] | [Tag::Document, Tag::Message(_)] => {}
            [Tag::Document, Tag::Message(kind), Tag::Statement] => {
                if self.statements.len() == STATEMENTS_MAX {
                    return Err(Fault::TooManyStatements);
                }
                self.entries = 0;
                self.statements.push(Statement {
                    kind: *kind,
                    message: self.message.clone().ok_or(Fault::Missing("GrpHdr/MsgId"))?,
                    id: String::new(),
                    sequence: None,
                    copy: None,
                    account: None,
                    opening: None,
                    closing: None,
                });
            }
            [Tag::Document, Tag::Message(_), ..] => {}
            _ => return Err(Fault::NotCamt),
        }
        match tags.last() {
            Some(Tag::Entry) => self.entry = EntryDraft::default(),
            Some(Tag::Transaction) => {
                self.lines += 1;
                if self.lines > LINES_MAX {
                    return Err(Fault::TooManyLines);
                }
                self.transaction = Transaction::default();
            }
            Some(Tag::Balance) => self.balance = BalanceDraft::default(),
            Some(Tag::Amount) => {
                let told = xml.attribute("Ccy")?;
                let code = told.and_then(|code| <[u8; 3]>::try_from(code.into_bytes()).ok());
                self.currency = code.filter(|code| code.iter().all(u8::is_ascii_uppercase));
            }
            _ => {}
        }
        Ok(())
    }

    fn close<R: BufRead>(
        &mut self,
        tags: &[Tag],
        xml: &Xml<R>,
        take: &mut impl FnMut(usize, &Statement, Entry) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        match tags {
            [_, _, Tag::GroupHeader, Tag::MessageId] => put(&mut self.message, xml.text()?.into()),
            [_, _, Tag::Statement] => match self.statements.last() {
                Some(statement) if statement.id.is_empty() => Err(Fault::Missing("Id")),
                _ => Ok(()),
            },
            [_, _, Tag::Statement, Tag::Entry] => self.end_entry(take),
            [_, _, Tag::Statement, Tag::Entry, rest @ ..] => self.close_in_entry(rest, xml),
            [_, _, Tag::Statement, rest @ ..] => self.close_in_statement(rest, xml),
            _ => Ok(()),
        }
    }

    fn close_in_statement<R: BufRead>(&mut self, rest: &[Tag], xml: &Xml<R>) -> Result<(), Fault> {
        let Some(statement) = self.statements.last_mut() else { return Ok(()) };
        match rest {
            [Tag::Id] if statement.id.is_empty() => {
                xml.text()?.clone_into(&mut statement.id);
                Ok(())
            }
            [Tag::Id] => Err(Fault::Twice),
            [Tag::Sequence] => {
                let number = digits(xml.text()?).ok_or(Fault::Word)?;
                put(&mut statement.sequence, number)
            }
            [Tag::Copy] => put(&mut statement.copy, xml.text()?.into()),
            [Tag::Account, Tag::Id, Tag::Iban] | [Tag::Account, Tag::Id, Tag::Other, Tag::Id] => {
                put(&mut statement.account, xml.text()?.into())
            }
            [Tag::Balance, Tag::Type, Tag::CodeOrOwn, Tag::Code] => {
                let code = xml.text()?;
                self.balance.is_opening = code == "OPBD";
                self.balance.is_closing = code == "CLBD";
                Ok(())
            }
            [Tag::Balance, Tag::Amount] => {
                put(&mut self.balance.amount, money(xml.text()?, self.currency)?)
            }
            [Tag::Balance, Tag::Indicator] => {
                put(&mut self.balance.direction, direction(xml.text()?)?)
            }
            [Tag::Balance] => {
                let BalanceDraft { is_opening, is_closing, amount, direction } = self.balance;
                let amount = amount.ok_or(Fault::Missing("Bal/Amt"))?;
                let cents = match direction.ok_or(Fault::Missing("Bal/CdtDbtInd"))? {
                    Direction::Credit => i128::from(amount.cents),
                    Direction::Debit => -i128::from(amount.cents),
                };
                match (is_opening, is_closing, amount.is_euro()) {
                    (true, _, true) => put(&mut statement.opening, cents),
                    (_, true, true) => put(&mut statement.closing, cents),
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    fn close_in_entry<R: BufRead>(&mut self, rest: &[Tag], xml: &Xml<R>) -> Result<(), Fault> {
        let entry = &mut self.entry;
        match rest {
            [Tag::Amount] => put(&mut entry.amount, money(xml.text()?, self.currency)?),
            [Tag::Indicator] => put(&mut entry.direction, direction(xml.text()?)?),
            [Tag::Reversal] => put(
                &mut entry.is_reversal,
                match xml.text()? {
                    "true" | "1" => true,
                    "false" | "0" => false,
                    _ => return Err(Fault::Word),
                },
            ),
            [Tag::Status] if xml.text()?.is_empty() && entry.status.is_some() => Ok(()),
            [Tag::Status] | [Tag::Status, Tag::Code | Tag::Own] => {
                let status = match xml.text()? {
                    "BOOK" => Status::Booked,
                    "" => return Err(Fault::Missing("the status")),
                    _ => Status::NotBooked,
                };
                put(&mut entry.status, status)
            }
            [Tag::BookedOn, Tag::Day | Tag::Moment] => put(&mut entry.booked_on, day(xml.text()?)?),
            [Tag::ValuedOn, Tag::Day | Tag::Moment] => put(&mut entry.valued_on, day(xml.text()?)?),
            [Tag::BankReference] => put(&mut entry.reference, xml.text()?.into()),
            [Tag::Details, Tag::Transaction] => {
                entry.transactions.push(std::mem::take(&mut self.transaction));
                Ok(())
            }
            [Tag::Details, Tag::Transaction, rest @ ..] => self.close_in_transaction(rest, xml),
            _ => Ok(()),
        }
    }

    fn close_in_transaction<R: BufRead>(
        &mut self,
        rest: &[Tag],
        xml: &Xml<R>,
    ) -> Result<(), Fault> {
        let transaction = &mut self.transaction;
        match rest {
            [Tag::References, Tag::BankReference] => {
                put(&mut transaction.reference, xml.text()?.into())
            }
            [Tag::References, Tag::EndToEnd] => {
                put(&mut transaction.end_to_end, xml.text()?.into())
            }
            [Tag::Amount] => put(&mut transaction.amount, money(xml.text()?, self.currency)?),
            [Tag::AmountDetails, Tag::AmountTold, Tag::Amount] => {
                put(&mut transaction.amount_told, money(xml.text()?, self.currency)?)
            }
            [Tag::Indicator] => put(&mut transaction.direction, direction(xml.text()?)?),
            [Tag::Parties, Tag::Debtor, Tag::Name]
            | [Tag::Parties, Tag::Debtor, Tag::Party, Tag::Name] => {
                put(&mut transaction.payer, xml.text()?.into())
            }
            [Tag::Parties, Tag::DebtorAccount, Tag::Id, Tag::Iban]
            | [Tag::Parties, Tag::DebtorAccount, Tag::Id, Tag::Other, Tag::Id] => {
                put(&mut transaction.payer_account, xml.text()?.into())
            }
            [Tag::Remittance, Tag::Structured, Tag::CreditorReference, Tag::Reference] => {
                if transaction.structured.len() == REFERENCES_MAX {
                    return Err(Fault::FieldTooLong);
                }
                transaction.structured.push(xml.text()?.into());
                Ok(())
            }
            [Tag::Remittance, Tag::Unstructured] => {
                let text = xml.text()?;
                let kept = &mut transaction.unstructured;
                if kept.len() + text.len() >= crate::xml::FIELD_OCTETS_MAX {
                    return Err(Fault::FieldTooLong);
                }
                if !kept.is_empty() {
                    kept.push('\n');
                }
                kept.push_str(text);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn end_entry(
        &mut self,
        take: &mut impl FnMut(usize, &Statement, Entry) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let draft = std::mem::take(&mut self.entry);
        let index = self.statements.len().saturating_sub(1);
        let statement = self.statements.last().ok_or(Fault::NotCamt)?;
        if statement.account.is_none() {
            return Err(Fault::Missing("the account, which stands before the first entry,"));
        }
        self.entries += 1;
        if draft.transactions.is_empty() {
            self.lines += 1;
            if self.lines > LINES_MAX {
                return Err(Fault::TooManyLines);
            }
        }
        let entry = Entry {
            number: self.entries,
            amount: draft.amount.ok_or(Fault::Missing("Amt"))?,
            direction: draft.direction.ok_or(Fault::Missing("CdtDbtInd"))?,
            is_reversal: draft.is_reversal.unwrap_or(false),
            status: draft.status.ok_or(Fault::Missing("Sts"))?,
            booked_on: draft.booked_on.or(draft.valued_on),
            reference: draft.reference,
            transactions: draft.transactions,
        };
        take(index, statement, entry)
    }
}

/// The elements that are looked at; all others are one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Tag {
    Account,
    Amount,
    AmountDetails,
    AmountTold,
    Balance,
    BankReference,
    BookedOn,
    Code,
    CodeOrOwn,
    Copy,
    CreditorReference,
    Day,
    Debtor,
    DebtorAccount,
    Details,
    Document,
    EndToEnd,
    Entry,
    GroupHeader,
    Iban,
    Id,
    Indicator,
    Message(Kind),
    MessageId,
    Moment,
    Name,
    Other,
    Own,
    Parties,
    Party,
    Reference,
    References,
    Remittance,
    Reversal,
    Sequence,
    Statement,
    Status,
    Structured,
    Transaction,
    Type,
    Unknown,
    Unstructured,
    ValuedOn,
}

impl Tag {
    fn of(name: &str) -> Self {
        match name {
            "Acct" => Self::Account,
            "AcctSvcrRef" => Self::BankReference,
            "Amt" => Self::Amount,
            "AmtDtls" => Self::AmountDetails,
            "Bal" => Self::Balance,
            "BkToCstmrAcctRpt" => Self::Message(Kind::Report),
            "BkToCstmrDbtCdtNtfctn" => Self::Message(Kind::Notification),
            "BkToCstmrStmt" => Self::Message(Kind::Statement),
            "BookgDt" => Self::BookedOn,
            "Cd" => Self::Code,
            "CdOrPrtry" => Self::CodeOrOwn,
            "CdtDbtInd" => Self::Indicator,
            "CdtrRefInf" => Self::CreditorReference,
            "CpyDplctInd" => Self::Copy,
            "Dbtr" => Self::Debtor,
            "DbtrAcct" => Self::DebtorAccount,
            "Document" => Self::Document,
            "Dt" => Self::Day,
            "DtTm" => Self::Moment,
            "ElctrncSeqNb" => Self::Sequence,
            "EndToEndId" => Self::EndToEnd,
            "GrpHdr" => Self::GroupHeader,
            "IBAN" => Self::Iban,
            "Id" => Self::Id,
            "MsgId" => Self::MessageId,
            "Nm" => Self::Name,
            "Ntfctn" | "Rpt" | "Stmt" => Self::Statement,
            "Ntry" => Self::Entry,
            "NtryDtls" => Self::Details,
            "Othr" => Self::Other,
            "Prtry" => Self::Own,
            "Pty" => Self::Party,
            "Ref" => Self::Reference,
            "Refs" => Self::References,
            "RltdPties" => Self::Parties,
            "RmtInf" => Self::Remittance,
            "RvslInd" => Self::Reversal,
            "Strd" => Self::Structured,
            "Sts" => Self::Status,
            "Tp" => Self::Type,
            "TxAmt" => Self::AmountTold,
            "TxDtls" => Self::Transaction,
            "Ustrd" => Self::Unstructured,
            "ValDt" => Self::ValuedOn,
            _ => Self::Unknown,
        }
    }
}

/// What may be there once is there once.
fn put<T>(place: &mut Option<T>, value: T) -> Result<(), Fault> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Fault::Twice),
    }
}

fn direction(text: &str) -> Result<Direction, Fault> {
    match text {
        "CRDT" => Ok(Direction::Credit),
        "DBIT" => Ok(Direction::Debit),
        _ => Err(Fault::Word),
    }
}

/// An amount: digits, and behind a point up to five more, of which the first two may be others
/// than zeros.
fn money(text: &str, currency: Option<[u8; 3]>) -> Result<Money, Fault> {
    let currency = currency.ok_or(Fault::Missing("the currency"))?;
    let (whole, fraction) = match text.split_once('.') {
        None => (text, "00"),
        Some((_, fraction)) if fraction.is_empty() || fraction.len() > 5 => {
            return Err(Fault::Amount);
        }
        Some((whole, fraction)) => (whole, fraction),
    };
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return Err(Fault::Amount);
    }
    let (cents, rest) = fraction.split_at_checked(2).unwrap_or((fraction, ""));
    if rest.bytes().any(|digit| digit != b'0') {
        return Err(Fault::Amount);
    }
    let whole: u64 = whole.parse().map_err(|_| Fault::AmountTooLarge)?;
    let cents: u64 = format!("{cents:0<2}").parse().map_err(|_| Fault::Amount)?;
    let cents = whole.checked_mul(100).and_then(|whole| whole.checked_add(cents));
    let cents = cents.filter(|cents| *cents <= CENTS_MAX).ok_or(Fault::AmountTooLarge)?;
    Ok(Money { cents, currency })
}

/// A day as `2026-11-20`, with whatever of time and zone behind it.
fn day(text: &str) -> Result<LocalDate, Fault> {
    let (day, rest) = text.split_at_checked(10).ok_or(Fault::Date)?;
    let is_digit = |octet: u8| octet.is_ascii_digit();
    let is_shaped = day.bytes().enumerate().all(|(at, octet)| match at {
        4 | 7 => octet == b'-',
        _ => is_digit(octet),
    });
    let is_end = rest.is_empty() || rest.starts_with(['T', 'Z', '+', '-']);
    if !is_shaped || !is_end {
        return Err(Fault::Date);
    }
    let day: jiff::civil::Date = day.parse().map_err(|_| Fault::Date)?;
    let (year, month, day) = (day.year(), day.month(), day.day());
    match (u16::try_from(year), u8::try_from(month), u8::try_from(day)) {
        (Ok(year), Ok(month), Ok(day)) => Ok(LocalDate::new(year, month, day)),
        _ => Err(Fault::Date),
    }
}

fn digits(text: &str) -> Option<u64> {
    let is_digits = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    text.parse().ok().filter(|_| is_digits)
}

/// The largest amount: twelve digits, as a message has.
const CENTS_MAX: u64 = 9_999_999_999_99;
