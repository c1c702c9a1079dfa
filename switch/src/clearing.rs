//! Clearing lines: each is carried out once, whatever file or call brings it again.
//!
//! What a line does to a card is the issuer's ([`cekr_issuer::clearing`]); here stands which lines
//! were seen. They are folded from the entries that they left, so that a start knows them again.

mod parked;

use std::collections::BTreeMap;

use cekr_iso8583::{AuthCode, Mcc, MerchantId, Pan, Rrn};
use cekr_issuer::clearing::Line;
use cekr_issuer::entry::{Cleared, ClearedAs, LineCause, LineKey};
use cekr_issuer::{Balance, Card, Desk, Entry, Fact, Now, Seq};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::control::{Control, ControlError};
use crate::shard::Shard;

pub use parked::{NotSettled, SettledView};

/// One line as a clearing file tells it.
#[derive(Clone, Debug)]
pub struct LineTold {
    /// The number that stands in it.
    pub line: u32,
    /// The card: an id of the API, or a number.
    pub card: String,
    /// The network's own name for the transaction. It is no part of any match: no message of a
    /// terminal tells it.
    pub network_id: String,
    /// The acquirer's reference.
    pub rrn: Option<Rrn>,
    /// The approval code.
    pub auth_code: Option<AuthCode>,
    /// Cents: positive takes, negative brings.
    pub amount: i64,
    /// Three letters, or three digits.
    pub currency: String,
    /// The merchant.
    pub merchant: Option<MerchantId>,
    /// The merchant's business.
    pub mcc: Mcc,
    /// The day of the transaction.
    pub date: String,
}

/// What became of a line.
#[derive(Clone, Debug, Serialize)]
pub struct LineOutcome {
    /// The number that stands in it.
    pub line: u32,
    /// `posted`, `adjusted`, `forced`, `refunded`, `charged_back`, `parked`; or `conflict` when
    /// another content came under this file and number before: then nothing was done.
    pub outcome: &'static str,
    /// Whether it was carried out before, and not again.
    pub repeated: bool,
    /// Why it was parked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<&'static str>,
    /// Cents that the card's balance changed by, without the fee.
    pub change: i64,
    /// Cents that it changed by the fee.
    pub fee_change: i64,
    /// Cents of it that wait for a person.
    pub parked: i64,
    /// Its entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
}

/// The lines that were carried out, by file and number.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LinesSeen {
    files: BTreeMap<u64, FileSeen>,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct FileSeen {
    newest_at: u64,
    lines: BTreeMap<u32, (u32, Seq)>,
}

/// Lines are known again for thirteen months, in milliseconds.
const LINE_KEPT_MS: u64 = 396 * 24 * 60 * 60 * 1_000;

impl LinesSeen {
    /// Remembers the line of `entry`, if it came of one.
    pub fn see(&mut self, seq: Seq, entry: &Entry) {
        let Some(key) = entry.line() else {
            return;
        };
        if !self.files.contains_key(&key.file) {
            let since = entry.at.saturating_sub(LINE_KEPT_MS);
            self.files.retain(|_, file| file.newest_at >= since);
        }
        let file = self.files.entry(key.file).or_default();
        file.newest_at = file.newest_at.max(entry.at);
        file.lines.insert(key.line, (key.content, seq));
    }

    /// All files: mark, moment of the newest line, and each line with its content and entry.
    pub(crate) fn files(
        &self,
    ) -> impl Iterator<Item = (u64, u64, impl Iterator<Item = (u32, u32, Seq)>)> {
        self.files.iter().map(|(mark, file)| {
            let lines = file.lines.iter();
            (*mark, file.newest_at, lines.map(|(line, (content, seq))| (*line, *content, *seq)))
        })
    }

    /// A line that was seen before.
    pub(crate) fn restore(&mut self, file: u64, newest_at: u64, line: (u32, u32, Seq)) {
        let (line, content, seq) = line;
        let file = self.files.entry(file).or_default();
        file.newest_at = file.newest_at.max(newest_at);
        file.lines.insert(line, (content, seq));
    }

    fn find(&self, key: LineKey) -> Option<(u32, Seq)> {
        self.files.get(&key.file)?.lines.get(&key.line).copied()
    }
}

impl Control {
    /// Carries out the lines of `file`, in their order, each once.
    ///
    /// # Errors
    /// [`ControlError::Busy`] when the journal takes no more: lines before that one are done, and
    /// all of them may be sent again.
    pub fn clear(
        &self,
        file: &str,
        lines: &[LineTold],
        now: Now,
    ) -> Result<(Vec<LineOutcome>, Seq), ControlError> {
        let shard = self.shard();
        let now = shard.not_before_last(now);
        let file = file_mark(file);
        let mut seen = shard.lines_seen().lock();
        let mut outcomes = Vec::with_capacity(lines.len());
        let mut newest = Seq::NONE;
        for told in lines {
            let key = LineKey { file, line: told.line, content: told.content_mark() };
            let (outcome, seq) = match seen.find(key) {
                Some((content, _)) if content != key.content => (LineOutcome::conflict(key), None),
                Some((_, seq)) => (LineOutcome::repeated(shard, key, seq), Some(seq)),
                None => {
                    let (seq, entry) = self.clear_line(told, key, now)?;
                    seen.see(seq, &entry);
                    (LineOutcome::of(key, seq, &entry), Some(seq))
                }
            };
            newest = newest.max(seq.unwrap_or_default());
            outcomes.push(outcome);
        }
        Ok((outcomes, newest))
    }

    /// Enters one new line: about its card, or at the desk for what concerns none.
    fn clear_line(
        &self,
        told: &LineTold,
        key: LineKey,
        now: Now,
    ) -> Result<(Seq, Entry), ControlError> {
        let shard = self.shard();
        let line = Line {
            key,
            rrn: told.rrn,
            auth_code: told.auth_code,
            amount: Balance::from_minor(told.amount),
            merchant: told.merchant,
            mcc: told.mcc,
        };
        let pan = Pan::parse(told.card.as_bytes()).ok();
        let cell = match self.id(&told.card) {
            Some(id) => shard.cards().by_id(id),
            None => pan.and_then(|pan| shard.cards().find(pan)),
        };
        let Some(cell) = cell else {
            let stranger = pan.map(Into::into);
            let parked = line.parked(LineCause::CardUnknown, Seq::NONE, stranger);
            let mut desk = shard.desks().lock(Desk::Suspense);
            return shard
                .commit_desk(Desk::Suspense, &mut desk, now, Fact::LineParked(parked))
                .map_err(|_| ControlError::Busy);
        };
        let mut card = cell.lock();
        shard.settle_due(cell, &mut card, now).map_err(|_| ControlError::Busy)?;
        let fact = if matches!(told.currency.as_str(), "EUR" | "978") {
            self.with_points(settled(shard, &line, &card), &card, now)
        } else {
            Fact::LineParked(line.parked(LineCause::CurrencyForeign, Seq::NONE, None))
        };
        let entry = cekr_issuer::decide::entry(&card, now, fact);
        let seq = shard.commit(cell, &mut card, &entry).map_err(|_| ControlError::Busy)?;
        // Points that go with what was given back: where the journal has no room, they stay due.
        let _ = shard.settle_due(cell, &mut card, now);
        Ok((seq, entry))
    }

    /// What a line earns is part of its entry: a crash finds both or neither.
    fn with_points(&self, fact: Fact, card: &Card, now: Now) -> Fact {
        let Fact::Cleared(cleared) = fact else {
            return fact;
        };
        let earned = self.policy().programme.earned(card, &cleared, now.local_date);
        Fact::Cleared(Cleared { earned, ..cleared })
    }
}

/// What the line does to `card`. Before it is posted as something that we know nothing of, its
/// approval code is looked up: one of ours that the card keeps no more is not approved elsewhere.
fn settled(shard: &Shard, line: &Line, card: &Card) -> Fact {
    let fact = line.fact(card);
    if !matches!(&fact, Fact::Cleared(cleared) if cleared.how == ClearedAs::Forced) {
        return fact;
    }
    let named = line.auth_code.and_then(cekr_issuer::reply::seq_of);
    let is_ours = named.and_then(|seq| shard.entry(seq)).is_some_and(|entry| {
        entry.card() == Some(card.id())
            && matches!(entry.fact, Fact::Authorized(_) | Fact::Completed(_))
    });
    match named.filter(|_| is_ours) {
        Some(seq) => Fact::LineParked(line.parked(LineCause::OriginalOld, seq, None)),
        None => fact,
    }
}

impl LineTold {
    /// A fingerprint of all that stands in the line.
    fn content_mark(&self) -> u32 {
        let mut hash = Sha256::new();
        let texts = [&self.card, &self.network_id, &self.currency, &self.date];
        for text in texts {
            hash.update(text.as_bytes());
            hash.update([0]);
        }
        hash.update(self.rrn.map_or([0; 12], |rrn| *rrn.octets()));
        hash.update(self.auth_code.map_or([0; 6], |code| *code.octets()));
        hash.update(self.merchant.map_or([0; 15], |merchant| *merchant.octets()));
        hash.update(self.amount.to_le_bytes());
        hash.update(self.mcc.number().to_le_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        digest.first_chunk().map_or(0, |octets| u32::from_le_bytes(*octets))
    }
}

/// A fingerprint of a file's name.
fn file_mark(name: &str) -> u64 {
    let digest: [u8; 32] = Sha256::digest(name.as_bytes()).into();
    digest.first_chunk().map_or(0, |octets| u64::from_le_bytes(*octets))
}

impl LineOutcome {
    fn conflict(key: LineKey) -> Self {
        Self {
            line: key.line,
            outcome: "conflict",
            repeated: false,
            cause: None,
            change: 0,
            fee_change: 0,
            parked: 0,
            seq: None,
        }
    }

    fn repeated(shard: &Shard, key: LineKey, seq: Seq) -> Self {
        let known = shard.entry(seq).map(|entry| Self::of(key, seq, &entry));
        let unknown = Self { outcome: "posted", seq: Some(seq.0), ..Self::conflict(key) };
        Self { repeated: true, ..known.unwrap_or(unknown) }
    }

    fn of(key: LineKey, seq: Seq, entry: &Entry) -> Self {
        let mut outcome = Self { seq: Some(seq.0), ..Self::conflict(key) };
        if let Fact::Cleared(cleared) = &entry.fact {
            outcome.outcome = cleared.how.name();
            outcome.change = cleared.change.minor();
            outcome.fee_change = cleared.fee_change.minor();
            outcome.parked = i64::try_from(cleared.parked.minor()).unwrap_or(i64::MAX);
        }
        if let Fact::LineParked(parked) = &entry.fact {
            outcome.outcome = "parked";
            outcome.cause = Some(parked.cause.name());
            outcome.parked = parked.amount.minor();
        }
        outcome
    }
}
