//! The 128 octets of an entry.
//!
//! ```text
//!   0 kind      1 version   2 MTI (u16)   4 card ordinal or desk (u32)   8 previous entry (u64)
//!  16 at, ms since 1970 (u64)            24 local date yyyymmdd (u32)
//!  28 what the kind needs; for an answered request:
//!  28 reason   29 PIN tries left, missing ticks   30 place and kind   31 life of the hold in days
//!  32 acquirer (u64)  40 terminal (8)  48 transmitted (u32)  52 STAN and class (u32)
//!  56 processing code and entry mode (u32)  60 MCC (u16)  62 currency (u16)
//!  64 amount (u48)  70 DE 4 (u48)  76 balance (i48)  82 available (i48)  88 fee (u32)
//!  92 country (2)  94 RRN (12)  106 merchant (15) and cash (u48), or what the kind needs
//! ```
//! Numbers are little-endian. What a kind does not use is zero.
//!
//! Version 2 says more of an answered request, in places that version 1 leaves zero, since numbers
//! there are smaller than their fields: whether the holder's PIN was proven is bit 7 of octet 29. A
//! cryptogram has its version in bits 3-4 and the chip's script in bits 5-7 of octet 3, its counter
//! in 14-15, its octets in 37-39, 63, 69, 75, 126 and 127. Acquirer and currency make room: 37 bits
//! and the listener's mark (bit 39) in 32-36; currency and MCC in 60-62, 10 above 14 bits. An entry
//! with neither is written as version 1. Version 3 has a script with the holder's PIN: octets
//! 22-23, which no moment reaches, mark the PIN block that it is made of. Version 4 has purchases
//! without the card: bits 2-3 of octet 30 say on what they rest (1 an exemption, 2 a confirmation,
//! whose number stands where a cryptogram would).

mod confirmation;
mod statement;
mod verified;

use cekr_iso8583::{
    CurrencyCode, Mcc, MerchantId, Mti, PosEntryMode, ProcessingCode, Rrn, TerminalId,
};

use super::{
    About, Answered, Authority, Authorized, CardId, Cleared, ClearedAs, Completed, Consent, Desk,
    ENTRY_OCTETS, ENTRY_VERSION, Earned, Entry, EntryBytes, EntryError, Fact, FileActioned,
    GivenBack, HoldExpired, Issued, LineCause, LineKey, LineParked, LoadName, MaskedPan, ParkCause,
    Parked, PinChanged, Place, PointsExpired, PointsTakenBack, Reconciled, Refund, Remembered,
    ReversalFate, Reversed, ScriptAsked, ScriptSettled, Seq, ShortText, Sum,
};
use crate::channel::Channels;
use crate::controls::Controls;
use crate::key::RequestKey;
use crate::limit::OwnLimits;
use crate::money::{Amount, Balance};
use crate::reason::Reason;
use crate::reconciliation::{Total, Totals};
use crate::time::LocalDate;
use statement::Named;
#[cfg(test)]
pub(super) use verified::verifiable;
use verified::{VERSION_PLAIN, put_verified};

impl Entry {
    /// The 128 octets of this entry.
    #[must_use]
    pub fn encode(&self) -> EntryBytes {
        let mut out = [0; ENTRY_OCTETS];
        let kind = match &self.fact {
            Fact::Authorized(fact) => {
                encode_answered(&mut out, &fact.answered);
                let (sum, last) = match fact.sum {
                    // What adds to an estimate holds no cash.
                    Sum::AddsTo(hold) => (ADDS_TO, hold.0),
                    Sum::Estimated => (ESTIMATED, fact.cash.minor()),
                    Sum::Exact => (0, fact.cash.minor()),
                };
                let authority = match fact.authority {
                    Authority::Elsewhere => ELSEWHERE,
                    Authority::Here => 0,
                };
                put(&mut out, 30, [fact.place as u8 | sum | authority]);
                put(&mut out, 31, [fact.hold_days]);
                put(&mut out, 106, *fact.answered.merchant.octets());
                put(&mut out, 121, u48(last));
                KIND_AUTHORIZED
            }
            Fact::Cleared(fact) => {
                encode_cleared(&mut out, fact);
                match &fact.earned {
                    Some(earned) => {
                        earned.encode(&mut out);
                        KIND_CLEARED_WITH_POINTS
                    }
                    None => KIND_CLEARED,
                }
            }
            Fact::Completed(fact) => {
                encode_answered(&mut out, &fact.answered);
                put(&mut out, 106, u48(fact.original.0));
                put(&mut out, 112, u48(fact.held.minor()));
                put(&mut out, 118, u48(fact.parked.minor()));
                KIND_COMPLETED
            }
            Fact::Confirmation(step) => confirmation::encode(&mut out, step),
            Fact::ControlsSet(controls) => {
                put(&mut out, 32, controls.word().to_le_bytes());
                KIND_CONTROLS_SET
            }
            Fact::CutOver(answered) => {
                encode_answered(&mut out, answered);
                KIND_CUT_OVER
            }
            Fact::Declined(answered) => {
                encode_answered(&mut out, answered);
                put(&mut out, 106, *answered.merchant.octets());
                KIND_DECLINED
            }
            Fact::DeclinedElsewhere(answered) => {
                encode_answered(&mut out, answered);
                put(&mut out, 106, *answered.merchant.octets());
                KIND_DECLINED_ELSEWHERE
            }
            Fact::DeclinesCounted { count } => {
                put(&mut out, 32, count.to_le_bytes());
                KIND_DECLINES_COUNTED
            }
            Fact::FileActioned(fact) => {
                encode_answered(&mut out, &fact.answered);
                put(&mut out, 106, fact.controls.word().to_le_bytes());
                KIND_FILE_ACTIONED
            }
            Fact::HoldExpired(fact) => {
                put(&mut out, 32, fact.original.0.to_le_bytes());
                put(&mut out, 64, u48(fact.amount.minor()));
                put(&mut out, 88, low_u32(fact.fee.minor()).to_le_bytes());
                KIND_HOLD_EXPIRED
            }
            Fact::Inquired(answered) => {
                encode_answered(&mut out, answered);
                put(&mut out, 106, *answered.merchant.octets());
                KIND_INQUIRED
            }
            Fact::Issued(fact) => {
                encode_issued(&mut out, fact);
                KIND_ISSUED
            }
            Fact::LimitsSet(limits) => {
                encode_limits(&mut out, limits);
                KIND_LIMITS_SET
            }
            Fact::LineParked(fact) => {
                encode_line_parked(&mut out, fact);
                KIND_LINE_PARKED
            }
            Fact::LoadTakenBack(fact) => {
                statement::encode_taken_back(&mut out, fact);
                KIND_LOAD_TAKEN_BACK
            }
            Fact::Loaded(fact) => {
                statement::encode_loaded(&mut out, fact);
                match fact.name {
                    LoadName::Line(_) => KIND_LOADED_BY_LINE,
                    LoadName::Reference(_) => KIND_LOADED,
                }
            }
            Fact::Parked(fact) => {
                encode_answered(&mut out, &fact.answered);
                put(&mut out, 30, [fact.cause as u8, u8::from(fact.stranger.is_some())]);
                put(&mut out, 106, u48(fact.original.0));
                encode_stranger(&mut out, 112, fact.stranger);
                KIND_PARKED
            }
            Fact::PinChanged(fact) => {
                encode_answered(&mut out, &fact.answered);
                put(&mut out, 106, *fact.answered.merchant.octets());
                put(&mut out, 121, fact.pvv.to_le_bytes());
                KIND_PIN_CHANGED
            }
            Fact::PointsExpired(fact) => {
                fact.encode(&mut out);
                KIND_POINTS_EXPIRED
            }
            Fact::PointsTakenBack(fact) => {
                fact.encode(&mut out);
                KIND_POINTS_TAKEN_BACK
            }
            Fact::Reconciled(fact) => {
                encode_key_and_reason(&mut out, &fact.answered);
                encode_totals(&mut out, &fact.totals);
                KIND_RECONCILED
            }
            Fact::RefundPending(fact) => {
                encode_answered(&mut out, &fact.answered);
                put(&mut out, 106, *fact.answered.merchant.octets());
                put(&mut out, 121, u48(fact.original.0));
                KIND_REFUND_PENDING
            }
            Fact::ReversalRemembered(fact) => {
                encode_answered(&mut out, &fact.answered);
                put(&mut out, 106, *fact.original.terminal.octets());
                put(&mut out, 114, fact.original.when.to_le_bytes());
                put(&mut out, 118, stan_and_class(&fact.original).to_le_bytes());
                KIND_REVERSAL_REMEMBERED
            }
            Fact::Reversed(fact) => {
                encode_answered(&mut out, &fact.answered);
                let fault = if fact.is_dispense_fault { DISPENSE_FAULT } else { 0 };
                put(&mut out, 30, [fact.given_back as u8, fact.fate as u8 | fault]);
                put(&mut out, 106, fact.original.0.to_le_bytes());
                put(&mut out, 114, u48(fact.amount_left.minor()));
                put(&mut out, 120, low_u32(fact.fee_left.minor()).to_le_bytes());
                KIND_REVERSED
            }
            Fact::ScriptAsked(fact) => {
                fact.encode(&mut out);
                KIND_SCRIPT_ASKED
            }
            Fact::ScriptSettled(fact) => {
                fact.encode(&mut out);
                KIND_SCRIPT_SETTLED
            }
            Fact::SuspenseAssigned(fact) => {
                statement::encode_assigned(&mut out, fact);
                KIND_SUSPENSE_ASSIGNED
            }
            Fact::SuspenseHeld(fact) => {
                statement::encode_held(&mut out, fact);
                KIND_SUSPENSE_HELD
            }
            Fact::SuspenseReleased(fact) => {
                statement::encode_released(&mut out, fact);
                KIND_SUSPENSE_RELEASED
            }
        };
        put(&mut out, 0, [kind, VERSION_PLAIN]);
        put(&mut out, 4, about_number(self.about).to_le_bytes());
        put(&mut out, 8, self.previous.0.to_le_bytes());
        put(&mut out, 16, self.at.to_le_bytes());
        put(&mut out, 24, self.date.packed().to_le_bytes());
        put_verified(&mut out, &self.fact, self.answered());
        out
    }

    /// Reads the 128 octets of an entry.
    ///
    /// # Errors
    /// When a newer version wrote them, or a field holds what none writes.
    pub fn decode(octets: &EntryBytes) -> Result<Self, EntryError> {
        let [kind, version] = take(octets, 0);
        if version == 0 || version > ENTRY_VERSION {
            return Err(EntryError::UnknownVersion(version));
        }
        if version > VERSION_PLAIN {
            return Self::decode_verified(*octets);
        }
        let answered = || decode_answered(octets);
        let fact = match kind {
            KIND_AUTHORIZED => Fact::Authorized(decode_authorized(octets, answered()?)?),
            KIND_CLEARED => Fact::Cleared(decode_cleared(octets)?),
            KIND_CLEARED_WITH_POINTS => {
                let earned = Some(Earned::decode(octets)?);
                Fact::Cleared(Cleared { earned, ..decode_cleared(octets)? })
            }
            KIND_COMPLETED => Fact::Completed(Completed {
                answered: answered()?.without_merchant(),
                original: Seq(amount48(octets, 106).minor()),
                held: amount48(octets, 112),
                parked: amount48(octets, 118),
            }),
            KIND_CONTROLS_SET => {
                Fact::ControlsSet(Controls::from_word(u64::from_le_bytes(take(octets, 32))))
            }
            KIND_CUT_OVER => Fact::CutOver(answered()?),
            KIND_DECLINED => Fact::Declined(answered()?),
            KIND_DECLINED_ELSEWHERE => Fact::DeclinedElsewhere(answered()?),
            KIND_DECLINES_COUNTED => {
                Fact::DeclinesCounted { count: u32::from_le_bytes(take(octets, 32)) }
            }
            KIND_FILE_ACTIONED => Fact::FileActioned(FileActioned {
                answered: answered()?.without_merchant(),
                controls: Controls::from_word(u64::from_le_bytes(take(octets, 106))),
            }),
            KIND_HOLD_EXPIRED => Fact::HoldExpired(HoldExpired {
                original: Seq(u64::from_le_bytes(take(octets, 32))),
                amount: amount48(octets, 64),
                fee: amount32(octets, 88),
            }),
            KIND_INQUIRED => Fact::Inquired(answered()?),
            KIND_ISSUED => Fact::Issued(decode_issued(octets)?),
            KIND_LIMITS_SET => Fact::LimitsSet(decode_limits(octets)),
            KIND_LINE_PARKED => Fact::LineParked(decode_line_parked(octets)?),
            KIND_LOADED => Fact::Loaded(statement::decode_loaded(octets, Named::ByReference)?),
            KIND_LOADED_BY_LINE => Fact::Loaded(statement::decode_loaded(octets, Named::ByLine)?),
            KIND_LOAD_TAKEN_BACK => Fact::LoadTakenBack(statement::decode_taken_back(octets)?),
            KIND_SUSPENSE_ASSIGNED => Fact::SuspenseAssigned(statement::decode_assigned(octets)),
            KIND_SUSPENSE_HELD => Fact::SuspenseHeld(statement::decode_held(octets)?),
            KIND_SUSPENSE_RELEASED => Fact::SuspenseReleased(statement::decode_released(octets)?),
            KIND_PARKED => Fact::Parked(decode_parked(octets, answered()?)?),
            KIND_PIN_CHANGED => Fact::PinChanged(PinChanged {
                answered: answered()?,
                pvv: u16::from_le_bytes(take(octets, 121)),
            }),
            KIND_POINTS_EXPIRED => Fact::PointsExpired(PointsExpired::decode(octets)),
            KIND_POINTS_TAKEN_BACK => Fact::PointsTakenBack(PointsTakenBack::decode(octets)),
            KIND_RECONCILED => Fact::Reconciled(Reconciled {
                answered: decode_key_and_reason(octets)?,
                totals: decode_totals(octets),
            }),
            KIND_REFUND_PENDING => Fact::RefundPending(Refund {
                answered: answered()?,
                original: Seq(amount48(octets, 121).minor()),
            }),
            KIND_REVERSAL_REMEMBERED => Fact::ReversalRemembered(Remembered {
                answered: answered()?.without_merchant(),
                original: decode_original(octets),
            }),
            KIND_REVERSED => Fact::Reversed(Reversed {
                answered: answered()?.without_merchant(),
                original: Seq(u64::from_le_bytes(take(octets, 106))),
                amount_left: amount48(octets, 114),
                fee_left: amount32(octets, 120),
                given_back: GivenBack::from_number(take::<1>(octets, 30)[0])
                    .ok_or(EntryError::BadField(30))?,
                fate: ReversalFate::from_number(take::<1>(octets, 31)[0] & !DISPENSE_FAULT)
                    .ok_or(EntryError::BadField(31))?,
                is_dispense_fault: take::<1>(octets, 31)[0] & DISPENSE_FAULT != 0,
            }),
            KIND_SCRIPT_ASKED => Fact::ScriptAsked(ScriptAsked::decode(octets)?),
            KIND_SCRIPT_SETTLED => Fact::ScriptSettled(ScriptSettled::decode(octets)?),
            _ => match confirmation::decode(kind, octets)? {
                Some(step) => Fact::Confirmation(step),
                None => return Err(EntryError::UnknownKind(kind)),
            },
        };
        Ok(Self {
            about: about_of(u32::from_le_bytes(take(octets, 4))).ok_or(EntryError::BadField(4))?,
            previous: Seq(u64::from_le_bytes(take(octets, 8))),
            at: u64::from_le_bytes(take(octets, 16)),
            date: LocalDate::from_packed(u32::from_le_bytes(take(octets, 24))),
            fact,
        })
    }
}

const KIND_AUTHORIZED: u8 = 1;
const KIND_CONTROLS_SET: u8 = 2;
const KIND_DECLINED: u8 = 3;
const KIND_DECLINES_COUNTED: u8 = 4;
const KIND_HOLD_EXPIRED: u8 = 5;
const KIND_INQUIRED: u8 = 6;
const KIND_ISSUED: u8 = 7;
const KIND_LOADED: u8 = 8;
const KIND_REFUND_PENDING: u8 = 9;
const KIND_REVERSAL_REMEMBERED: u8 = 10;
const KIND_REVERSED: u8 = 11;
const KIND_COMPLETED: u8 = 12;
const KIND_CUT_OVER: u8 = 13;
const KIND_DECLINED_ELSEWHERE: u8 = 14;
const KIND_FILE_ACTIONED: u8 = 15;
const KIND_PARKED: u8 = 16;
const KIND_PIN_CHANGED: u8 = 17;
const KIND_RECONCILED: u8 = 18;
const KIND_CLEARED: u8 = 19;
const KIND_LINE_PARKED: u8 = 20;
const KIND_LOADED_BY_LINE: u8 = 21;
const KIND_LOAD_TAKEN_BACK: u8 = 22;
const KIND_SUSPENSE_ASSIGNED: u8 = 23;
const KIND_SUSPENSE_HELD: u8 = 24;
const KIND_SUSPENSE_RELEASED: u8 = 25;
const KIND_SCRIPT_ASKED: u8 = 26;
const KIND_SCRIPT_SETTLED: u8 = 27;
const KIND_LIMITS_SET: u8 = 28;
const KIND_CLEARED_WITH_POINTS: u8 = 39;
const KIND_POINTS_TAKEN_BACK: u8 = 40;
const KIND_POINTS_EXPIRED: u8 = 41;

/// In octet 30 of an approval, above the place.
const ELSEWHERE: u8 = 0x10;
const ESTIMATED: u8 = 0x20;
const ADDS_TO: u8 = 0x40;
const PLACE_BITS: u8 = 0x0F;

/// In octet 31 of a reversal, above its fate.
const DISPENSE_FAULT: u8 = 0x80;

/// Ordinals from here on are no card's.
const DESK_LINKS: u32 = 0xFFFF_FFF0;
const DESK_SUSPENSE: u32 = 0xFFFF_FFF1;

const fn about_number(about: About) -> u32 {
    match about {
        About::Card(id) => id.0,
        About::Desk(Desk::Links) => DESK_LINKS,
        About::Desk(Desk::Suspense) => DESK_SUSPENSE,
    }
}

const fn about_of(number: u32) -> Option<About> {
    match number {
        DESK_LINKS => Some(About::Desk(Desk::Links)),
        DESK_SUSPENSE => Some(About::Desk(Desk::Suspense)),
        0..DESK_LINKS => Some(About::Card(CardId(number))),
        _ => None,
    }
}

/// In octet 29: no PIN try was counted or forgiven.
const PIN_TRIES_UNCHANGED: u8 = 0x0F;

fn encode_key_and_reason(out: &mut EntryBytes, answered: &Answered) {
    let tries = answered.pin_tries.unwrap_or(PIN_TRIES_UNCHANGED) & 0x0F;
    put(out, 2, answered.mti.number().to_le_bytes());
    put(out, 28, [answered.reason as u8, tries | answered.missing.bits() << 4]);
    put(out, 32, answered.key.acquirer.to_le_bytes());
    put(out, 40, *answered.key.terminal.octets());
    put(out, 48, answered.key.when.to_le_bytes());
    put(out, 52, stan_and_class(&answered.key).to_le_bytes());
}

fn encode_answered(out: &mut EntryBytes, answered: &Answered) {
    encode_key_and_reason(out, answered);
    let code_and_mode =
        answered.processing_code.number() | u32::from(answered.entry_mode.number()) << 20;
    put(out, 56, code_and_mode.to_le_bytes());
    put(out, 60, answered.mcc.number().to_le_bytes());
    put(out, 62, answered.currency.number().to_le_bytes());
    put(out, 64, u48(answered.amount.minor()));
    put(out, 70, u48(answered.transaction_amount.minor()));
    put(out, 76, i48(answered.balance.minor()));
    put(out, 82, i48(answered.available.minor()));
    put(out, 88, low_u32(answered.fee.minor()).to_le_bytes());
    put(out, 92, answered.country);
    put(out, 94, *answered.rrn.octets());
}

fn decode_key_and_reason(octets: &EntryBytes) -> Result<Answered, EntryError> {
    let [reason, tries_and_missing] = take(octets, 28);
    let stan_and_class = u32::from_le_bytes(take(octets, 52));
    let tries = tries_and_missing & 0x0F;
    let mti = Mti::new(u16::from_le_bytes(take(octets, 2))).ok_or(EntryError::BadField(2))?;
    let key = RequestKey {
        acquirer: u64::from_le_bytes(take(octets, 32)),
        terminal: TerminalId::new(take(octets, 40)),
        when: u32::from_le_bytes(take(octets, 48)),
        stan: stan_and_class & 0x00FF_FFFF,
        class: stan_and_class.to_le_bytes()[3],
    };
    let reason = Reason::from_number(reason).ok_or(EntryError::BadField(28))?;
    Ok(Answered {
        missing: Channels::from_bits(tries_and_missing >> 4),
        pin_tries: (tries != PIN_TRIES_UNCHANGED).then_some(tries),
        ..Answered::about_link(mti, key, reason)
    })
}

fn decode_answered(octets: &EntryBytes) -> Result<Answered, EntryError> {
    let code_and_mode = u32::from_le_bytes(take(octets, 56));
    let mode = u16::try_from(code_and_mode >> 20).map_err(|_| EntryError::BadField(56))?;
    Ok(Answered {
        processing_code: ProcessingCode::new(code_and_mode & 0x000F_FFFF)
            .ok_or(EntryError::BadField(56))?,
        entry_mode: PosEntryMode::new(mode).ok_or(EntryError::BadField(56))?,
        mcc: Mcc::new(u16::from_le_bytes(take(octets, 60))).ok_or(EntryError::BadField(60))?,
        currency: CurrencyCode::new(u16::from_le_bytes(take(octets, 62)))
            .ok_or(EntryError::BadField(62))?,
        amount: amount48(octets, 64),
        transaction_amount: amount48(octets, 70),
        balance: balance48(octets, 76),
        available: balance48(octets, 82),
        fee: amount32(octets, 88),
        country: take(octets, 92),
        rrn: Rrn::new(take(octets, 94)),
        merchant: MerchantId::new(take(octets, 106)),
        ..decode_key_and_reason(octets)?
    })
}

fn decode_authorized(octets: &EntryBytes, answered: Answered) -> Result<Authorized, EntryError> {
    let [place, hold_days] = take(octets, 30);
    let last = amount48(octets, 121);
    let (sum, cash) = match place & (ADDS_TO | ESTIMATED) {
        0 => (Sum::Exact, last),
        ESTIMATED => (Sum::Estimated, last),
        ADDS_TO => (Sum::AddsTo(Seq(last.minor())), Amount::default()),
        _ => return Err(EntryError::BadField(30)),
    };
    let authority = if place & ELSEWHERE == 0 { Authority::Here } else { Authority::Elsewhere };
    let place = Place::from_number(place & PLACE_BITS).ok_or(EntryError::BadField(30))?;
    let consent = Consent::NotAsked;
    Ok(Authorized { answered, cash, place, hold_days, sum, authority, consent })
}

fn decode_parked(octets: &EntryBytes, answered: Answered) -> Result<Parked, EntryError> {
    let [cause, is_stranger] = take(octets, 30);
    Ok(Parked {
        answered: answered.without_merchant(),
        cause: ParkCause::from_number(cause).ok_or(EntryError::BadField(30))?,
        original: Seq(amount48(octets, 106).minor()),
        stranger: (is_stranger != 0).then(|| decode_stranger(octets, 112)),
    })
}

fn encode_line(out: &mut EntryBytes, line: LineKey) {
    put(out, 32, line.file.to_le_bytes());
    put(out, 40, line.line.to_le_bytes());
    put(out, 44, line.content.to_le_bytes());
}

fn decode_line(octets: &EntryBytes) -> LineKey {
    LineKey {
        file: u64::from_le_bytes(take(octets, 32)),
        line: u32::from_le_bytes(take(octets, 40)),
        content: u32::from_le_bytes(take(octets, 44)),
    }
}

fn encode_cleared(out: &mut EntryBytes, fact: &Cleared) {
    encode_line(out, fact.line);
    put(out, 28, [fact.how as u8]);
    put(out, 30, [fact.place as u8]);
    put(out, 48, u48(fact.original.0));
    put(out, 54, i48(fact.change.minor()));
    put(out, 60, i48(fact.fee_change.minor()));
    put(out, 66, u48(fact.held.minor()));
    put(out, 72, u48(fact.parked.minor()));
    put(out, 78, i48(fact.balance.minor()));
    put(out, 84, i48(fact.available.minor()));
    put(out, 90, fact.mcc.number().to_le_bytes());
    put(out, 92, *fact.rrn.octets());
    put(out, 104, *fact.merchant.octets());
}

fn decode_cleared(octets: &EntryBytes) -> Result<Cleared, EntryError> {
    Ok(Cleared {
        line: decode_line(octets),
        how: ClearedAs::from_number(take::<1>(octets, 28)[0]).ok_or(EntryError::BadField(28))?,
        place: Place::from_number(take::<1>(octets, 30)[0]).ok_or(EntryError::BadField(30))?,
        original: Seq(amount48(octets, 48).minor()),
        change: balance48(octets, 54),
        fee_change: balance48(octets, 60),
        held: amount48(octets, 66),
        parked: amount48(octets, 72),
        balance: balance48(octets, 78),
        available: balance48(octets, 84),
        mcc: Mcc::new(u16::from_le_bytes(take(octets, 90))).ok_or(EntryError::BadField(90))?,
        rrn: Rrn::new(take(octets, 92)),
        merchant: MerchantId::new(take(octets, 104)),
        earned: None,
    })
}

fn encode_line_parked(out: &mut EntryBytes, fact: &LineParked) {
    encode_line(out, fact.line);
    put(out, 28, [fact.cause as u8, u8::from(fact.stranger.is_some())]);
    put(out, 48, u48(fact.original.0));
    put(out, 54, i48(fact.amount.minor()));
    put(out, 60, fact.mcc.number().to_le_bytes());
    put(out, 62, *fact.rrn.octets());
    put(out, 74, *fact.merchant.octets());
    encode_stranger(out, 90, fact.stranger);
}

fn decode_line_parked(octets: &EntryBytes) -> Result<LineParked, EntryError> {
    let [cause, is_stranger] = take(octets, 28);
    Ok(LineParked {
        line: decode_line(octets),
        cause: LineCause::from_number(cause).ok_or(EntryError::BadField(28))?,
        original: Seq(amount48(octets, 48).minor()),
        amount: balance48(octets, 54),
        mcc: Mcc::new(u16::from_le_bytes(take(octets, 60))).ok_or(EntryError::BadField(60))?,
        rrn: Rrn::new(take(octets, 62)),
        merchant: MerchantId::new(take(octets, 74)),
        stranger: (is_stranger != 0).then(|| decode_stranger(octets, 90)),
    })
}

fn encode_stranger(out: &mut EntryBytes, at: usize, stranger: Option<MaskedPan>) {
    if let Some(MaskedPan { first_six, last_four }) = stranger {
        put(out, at, first_six.to_le_bytes());
        put(out, at + 4, last_four.to_le_bytes());
    }
}

fn decode_stranger(octets: &EntryBytes, at: usize) -> MaskedPan {
    MaskedPan {
        first_six: u32::from_le_bytes(take(octets, at)),
        last_four: u16::from_le_bytes(take(octets, at + 4)),
    }
}

/// Four counts, then four amounts.
fn encode_totals(out: &mut EntryBytes, totals: &Totals) {
    for (number, total) in totals.each().into_iter().enumerate() {
        put(out, 56 + 4 * number, total.count.to_le_bytes());
        put(out, 72 + 8 * number, total.amount.minor().to_le_bytes());
    }
}

fn decode_totals(octets: &EntryBytes) -> Totals {
    let total = |number: usize| Total {
        count: u32::from_le_bytes(take(octets, 56 + 4 * number)),
        amount: Amount::from_minor(u64::from_le_bytes(take(octets, 72 + 8 * number))),
    };
    Totals {
        credits: total(0),
        credit_reversals: total(1),
        debits: total(2),
        debit_reversals: total(3),
    }
}

fn decode_original(octets: &EntryBytes) -> RequestKey {
    let stan_and_class = u32::from_le_bytes(take(octets, 118));
    RequestKey {
        acquirer: 0,
        terminal: TerminalId::new(take(octets, 106)),
        when: u32::from_le_bytes(take(octets, 114)),
        stan: stan_and_class & 0x00FF_FFFF,
        class: stan_and_class.to_le_bytes()[3],
    }
}

fn encode_issued(out: &mut EntryBytes, fact: &Issued) {
    put(out, 28, [u8::from(fact.limited), fact.name.len]);
    put(out, 32, fact.sealed_pan);
    put(out, 56, fact.controls.word().to_le_bytes());
    put(out, 64, fact.mok_id.to_le_bytes());
    put(out, 68, fact.pvv.unwrap_or(PVV_NONE).to_le_bytes());
    put(out, 72, fact.name.octets);
    put(out, 104, u48(fact.opening.minor()));
}

fn decode_issued(octets: &EntryBytes) -> Result<Issued, EntryError> {
    let [limited, name_len] = take(octets, 28);
    let pvv = u16::from_le_bytes(take(octets, 68));
    if usize::from(name_len) > 32 {
        return Err(EntryError::BadField(29));
    }
    Ok(Issued {
        sealed_pan: take(octets, 32),
        controls: Controls::from_word(u64::from_le_bytes(take(octets, 56))),
        mok_id: u32::from_le_bytes(take(octets, 64)),
        pvv: (pvv != PVV_NONE).then_some(pvv),
        limited: limited != 0,
        name: ShortText { octets: take(octets, 72), len: name_len },
        opening: amount48(octets, 104),
    })
}

/// Which of them there are stands in octet 28, a bit each; then the amounts, then the count.
fn encode_limits(out: &mut EntryBytes, limits: &OwnLimits) {
    let OwnLimits { cash_day, cash_count_day, online_day, pos_day } = limits;
    let amounts = [cash_day, online_day, pos_day];
    let mut there = u8::from(cash_count_day.is_some()) << 3;
    for (number, amount) in amounts.into_iter().enumerate() {
        there |= u8::from(amount.is_some()) << number;
        put(out, 32 + 6 * number, u48(amount.unwrap_or_default().minor()));
    }
    put(out, 28, [there]);
    put(out, 50, cash_count_day.unwrap_or_default().to_le_bytes());
}

fn decode_limits(octets: &EntryBytes) -> OwnLimits {
    let [there] = take(octets, 28);
    let amount =
        |number: usize| (there >> number & 1 == 1).then(|| amount48(octets, 32 + 6 * number));
    let count = u32::from_le_bytes(take(octets, 50));
    OwnLimits {
        cash_day: amount(0),
        cash_count_day: (there >> 3 & 1 == 1).then_some(count),
        online_day: amount(1),
        pos_day: amount(2),
    }
}

/// In place of a verification value, which has four digits: no PIN was set.
const PVV_NONE: u16 = u16::MAX;

const fn stan_and_class(key: &RequestKey) -> u32 {
    key.stan & 0x00FF_FFFF | (key.class as u32) << 24
}

/// Twelve digits, all that an amount on the wire can have, fit 40 bits; sums of them fit 48.
const fn u48(value: u64) -> [u8; 6] {
    let [a, b, c, d, e, f, _, _] = value.to_le_bytes();
    [a, b, c, d, e, f]
}

const fn i48(value: i64) -> [u8; 6] {
    u48(value.cast_unsigned())
}

/// A fee has at most the eight digits of DE 8.
fn low_u32(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn amount48(octets: &EntryBytes, at: usize) -> Amount {
    let [a, b, c, d, e, f] = take(octets, at);
    Amount::from_minor(u64::from_le_bytes([a, b, c, d, e, f, 0, 0]))
}

fn balance48(octets: &EntryBytes, at: usize) -> Balance {
    let [a, b, c, d, e, f] = take(octets, at);
    // Up and down again, so that the sign bit of 48 bits becomes that of 64.
    let wide = i64::from_le_bytes([0, 0, a, b, c, d, e, f]);
    Balance::from_minor(wide >> 16)
}

fn amount32(octets: &EntryBytes, at: usize) -> Amount {
    Amount::from_minor(u64::from(u32::from_le_bytes(take(octets, at))))
}

/// Places are constants below 128, so the range is always there and the check folds away.
pub(super) fn put<const N: usize>(out: &mut EntryBytes, at: usize, value: [u8; N]) {
    debug_assert!(at + N <= ENTRY_OCTETS, "a field of an entry lies within it");
    if let Some(room) = out.get_mut(at..at + N) {
        room.copy_from_slice(&value);
    }
}

pub(super) fn take<const N: usize>(octets: &EntryBytes, at: usize) -> [u8; N] {
    octets.get(at..).and_then(|rest| rest.first_chunk::<N>()).copied().unwrap_or([0; N])
}
