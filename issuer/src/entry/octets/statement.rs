//! The octets of loads and of what bank statements bring.
//!
//! ```text
//! 28 source, cause or reason   29 length of the reference, or what is there besides
//! 32 amount (48)   64 reference (64), or key (16) and day (u32) of the bank's line
//!  loaded, taken back:  38 balance (i48)  44 available (i48)  50 load (u48)  56 left (u48)
//!  suspense:            38 the item's entry (u48)  44 card or MOK ID (u32)
//!                       48 key of the line that is taken back (16)  96 the other line (20)
//! ```

use super::{amount48, balance48, i48, put, take, u48};
use crate::entry::{
    BankLine, CardId, EntryBytes, EntryError, LoadName, LoadSource, LoadTakenBack, Loaded,
    Reference, ReleaseCause, Seq, ShortText, StatementKey, SuspenseAssigned, SuspenseHeld,
    SuspenseReason, SuspenseReleased, TakeBackCause,
};
use crate::time::LocalDate;

pub(super) fn encode_loaded(out: &mut EntryBytes, fact: &Loaded) {
    put(out, 28, [fact.source as u8]);
    put(out, 32, u48(fact.amount.minor()));
    put(out, 38, i48(fact.balance.minor()));
    put(out, 44, i48(fact.available.minor()));
    encode_name(out, &fact.name);
}

pub(super) fn decode_loaded(octets: &EntryBytes, named: Named) -> Result<Loaded, EntryError> {
    let [source] = take(octets, 28);
    Ok(Loaded {
        amount: amount48(octets, 32),
        source: LoadSource::from_number(source).ok_or(EntryError::BadField(28))?,
        name: decode_name(octets, named)?,
        balance: balance48(octets, 38),
        available: balance48(octets, 44),
    })
}

pub(super) fn encode_taken_back(out: &mut EntryBytes, fact: &LoadTakenBack) {
    put(out, 28, [fact.cause as u8]);
    put(out, 30, [u8::from(fact.name.line().is_some())]);
    put(out, 32, u48(fact.amount.minor()));
    put(out, 38, i48(fact.balance.minor()));
    put(out, 44, i48(fact.available.minor()));
    put(out, 50, u48(fact.load.0));
    put(out, 56, u48(fact.left.minor()));
    encode_name(out, &fact.name);
}

pub(super) fn decode_taken_back(octets: &EntryBytes) -> Result<LoadTakenBack, EntryError> {
    let [cause, _, named] = take(octets, 28);
    let named = match named {
        0 => Named::ByReference,
        1 => Named::ByLine,
        _ => return Err(EntryError::BadField(30)),
    };
    Ok(LoadTakenBack {
        load: Seq(amount48(octets, 50).minor()),
        cause: TakeBackCause::from_number(cause).ok_or(EntryError::BadField(28))?,
        amount: amount48(octets, 32),
        left: amount48(octets, 56),
        name: decode_name(octets, named)?,
        balance: balance48(octets, 38),
        available: balance48(octets, 44),
    })
}

pub(super) fn encode_held(out: &mut EntryBytes, fact: &SuspenseHeld) {
    let there = fact.mok_id.map_or(0, |_| HAS_MOK_ID) | fact.of.map_or(0, |_| HAS_OF);
    put(out, 28, [fact.reason as u8, there]);
    put(out, 32, i48(fact.amount.minor()));
    put(out, 44, fact.mok_id.unwrap_or_default().to_le_bytes());
    put(out, 48, fact.of.unwrap_or_default().0);
    encode_line(out, 64, fact.line);
}

pub(super) fn decode_held(octets: &EntryBytes) -> Result<SuspenseHeld, EntryError> {
    let [reason, there] = take(octets, 28);
    let mok_id = u32::from_le_bytes(take(octets, 44));
    Ok(SuspenseHeld {
        line: decode_line(octets, 64),
        amount: balance48(octets, 32),
        reason: SuspenseReason::from_number(reason).ok_or(EntryError::BadField(28))?,
        mok_id: (there & HAS_MOK_ID != 0).then_some(mok_id),
        of: (there & HAS_OF != 0).then(|| StatementKey(take(octets, 48))),
    })
}

pub(super) fn encode_assigned(out: &mut EntryBytes, fact: &SuspenseAssigned) {
    put(out, 32, i48(fact.amount.minor()));
    put(out, 38, u48(fact.item.0));
    put(out, 44, fact.card.0.to_le_bytes());
    encode_line(out, 64, fact.line);
}

pub(super) fn decode_assigned(octets: &EntryBytes) -> SuspenseAssigned {
    SuspenseAssigned {
        line: decode_line(octets, 64),
        item: Seq(amount48(octets, 38).minor()),
        amount: balance48(octets, 32),
        card: CardId(u32::from_le_bytes(take(octets, 44))),
    }
}

pub(super) fn encode_released(out: &mut EntryBytes, fact: &SuspenseReleased) {
    put(out, 28, [fact.cause as u8, fact.by.map_or(0, |_| HAS_BY)]);
    put(out, 32, i48(fact.amount.minor()));
    put(out, 38, u48(fact.item.0));
    encode_line(out, 64, fact.line);
    encode_line(out, 96, fact.by.unwrap_or_default());
}

pub(super) fn decode_released(octets: &EntryBytes) -> Result<SuspenseReleased, EntryError> {
    let [cause, there] = take(octets, 28);
    Ok(SuspenseReleased {
        line: decode_line(octets, 64),
        item: Seq(amount48(octets, 38).minor()),
        amount: balance48(octets, 32),
        cause: ReleaseCause::from_number(cause).ok_or(EntryError::BadField(28))?,
        by: (there & HAS_BY != 0).then(|| decode_line(octets, 96)),
    })
}

/// How an entry names its load.
#[derive(Clone, Copy)]
pub(super) enum Named {
    ByLine,
    ByReference,
}

fn encode_name(out: &mut EntryBytes, name: &LoadName) {
    match name {
        LoadName::Line(line) => encode_line(out, 64, *line),
        LoadName::Reference(reference) => {
            put(out, 29, [reference.len]);
            put(out, 64, reference.octets);
        }
    }
}

fn decode_name(octets: &EntryBytes, named: Named) -> Result<LoadName, EntryError> {
    match named {
        Named::ByLine => Ok(LoadName::Line(decode_line(octets, 64))),
        Named::ByReference => {
            let [len] = take(octets, 29);
            if usize::from(len) > 64 {
                return Err(EntryError::BadField(29));
            }
            let reference: Reference = ShortText { octets: take(octets, 64), len };
            Ok(LoadName::Reference(reference))
        }
    }
}

fn encode_line(out: &mut EntryBytes, at: usize, line: BankLine) {
    put(out, at, line.key.0);
    put(out, at + 16, line.booked_on.packed().to_le_bytes());
}

fn decode_line(octets: &EntryBytes, at: usize) -> BankLine {
    BankLine {
        key: StatementKey(take(octets, at)),
        booked_on: LocalDate::from_packed(u32::from_le_bytes(take(octets, at + 16))),
    }
}

const HAS_MOK_ID: u8 = 0x01;
const HAS_OF: u8 = 0x02;
const HAS_BY: u8 = 0x01;
