//! What stands in the gaps of an answered request: what was proven before the answer, and on what a
//! purchase without the card rests. The layout stands one level up.

use super::{EntryBytes, put, take};
use crate::confirmation::ConfirmationNumber;
use crate::entry::{Answered, Authorized, Consent, ENTRY_VERSION, Entry, EntryError, Fact};
use crate::proof::{ChipScript, ChipSeen, ChipVersion};

/// What the gaps tell.
struct Verified {
    chip: Option<ChipSeen>,
    is_pin_proven: bool,
    consent: Consent,
}

impl Entry {
    /// An entry of a later version is one of version 1 with something in the gaps.
    pub(super) fn decode_verified(mut octets: EntryBytes) -> Result<Self, EntryError> {
        let Verified { chip, is_pin_proven, consent } = take_verified(&mut octets)?;
        let mut entry = Self::decode(&octets)?;
        match (&mut entry.fact, consent) {
            (Fact::Authorized(fact), _) => fact.consent = consent,
            (_, Consent::NotAsked) => {}
            (_, Consent::Confirmed(_) | Consent::Exempt) => return Err(EntryError::BadField(30)),
        }
        let answered = verifiable(&mut entry.fact).ok_or(EntryError::BadField(1))?;
        (answered.chip, answered.is_pin_proven) = (chip, is_pin_proven);
        Ok(entry)
    }
}

/// The answer of a kind before which something may have been proven.
pub(in crate::entry) const fn verifiable(fact: &mut Fact) -> Option<&mut Answered> {
    match fact {
        Fact::Authorized(fact) => Some(&mut fact.answered),
        Fact::Declined(answered) | Fact::Inquired(answered) => Some(answered),
        Fact::PinChanged(fact) => Some(&mut fact.answered),
        Fact::Cleared(_)
        | Fact::Completed(_)
        | Fact::Confirmation(_)
        | Fact::ControlsSet(_)
        | Fact::CutOver(_)
        | Fact::DeclinedElsewhere(_)
        | Fact::DeclinesCounted { .. }
        | Fact::FileActioned(_)
        | Fact::HoldExpired(_)
        | Fact::Issued(_)
        | Fact::LimitsSet(_)
        | Fact::LineParked(_)
        | Fact::LoadTakenBack(_)
        | Fact::Loaded(_)
        | Fact::Parked(_)
        | Fact::PointsExpired(_)
        | Fact::PointsTakenBack(_)
        | Fact::Reconciled(_)
        | Fact::RefundPending(_)
        | Fact::ReversalRemembered(_)
        | Fact::Reversed(_)
        | Fact::ScriptAsked(_)
        | Fact::ScriptSettled(_)
        | Fact::SuspenseAssigned(_)
        | Fact::SuspenseHeld(_)
        | Fact::SuspenseReleased(_) => None,
    }
}

/// The version of entries about which there is nothing more to say.
pub(super) const VERSION_PLAIN: u8 = 1;

/// The version of entries before which something was proven.
const VERSION_VERIFIED: u8 = 2;

/// The version of entries whose script takes the PIN of its message.
const VERSION_MARKED: u8 = 3;

/// In octet 29, above the missing ticks.
const PIN_PROVEN: u8 = 0x80;

/// In octet 30 of an approval, above the place.
const EXEMPT: u8 = 0x04;
const CONFIRMED: u8 = 0x08;

/// Where the eight octets of a cryptogram stand, or of a confirmation's number.
const EIGHT_AT: [usize; 8] = [37, 38, 39, 63, 69, 75, 126, 127];

/// Puts what was proven, if anything was, into the gaps of `fact`'s octets.
pub(super) fn put_verified(out: &mut EntryBytes, fact: &Fact, answered: Option<&Answered>) {
    let Some(answered) = answered else {
        return;
    };
    let consent = if let Fact::Authorized(Authorized { consent, .. }) = fact {
        *consent
    } else {
        Consent::NotAsked
    };
    if !answered.is_pin_proven && answered.chip.is_none() && consent == Consent::NotAsked {
        return;
    }
    put(out, 1, [VERSION_VERIFIED]);
    let [missing_and_tries] = take(out, 29);
    let proven = if answered.is_pin_proven { PIN_PROVEN } else { 0 };
    put(out, 29, [missing_and_tries | proven]);
    if let Some(chip) = &answered.chip {
        let ([mti_high], [gap]) = (take(out, 3), take(out, 127));
        debug_assert!(mti_high < 8 && gap == 0, "a message type has 11 bits, an entry a gap");
        let script = chip.script.map_or(0, ChipScript::number);
        if let Some(ChipScript::PinChange { mark }) = chip.script {
            put(out, 1, [VERSION_MARKED]);
            put(out, 22, mark.to_le_bytes());
        }
        put(out, 3, [mti_high | (chip.version as u8) << 3 | script << 5]);
        put(out, 14, chip.atc);
        put_eight(out, answered, chip.arqc);
    }
    let [place] = take(out, 30);
    match consent {
        Consent::Confirmed(number) => {
            debug_assert!(answered.chip.is_none(), "no chip confirms a purchase without the card");
            put(out, 1, [ENTRY_VERSION]);
            put(out, 30, [place | CONFIRMED]);
            put_eight(out, answered, number.packed());
        }
        Consent::Exempt => {
            put(out, 1, [ENTRY_VERSION]);
            put(out, 30, [place | EXEMPT]);
        }
        Consent::NotAsked => {}
    }
}

/// Puts eight octets where numbers are smaller than their fields; acquirer, business and currency
/// make room.
fn put_eight(out: &mut EntryBytes, answered: &Answered, eight: [u8; 8]) {
    let acquirer = answered.key.acquirer;
    let [a, b, c, d, e, f, g, _] = acquirer.to_le_bytes();
    debug_assert!(e < 0x80 && f == 0 && g == 0, "eleven digits have 37 bits");
    put(out, 32, [a, b, c, d, e | if acquirer >> 63 == 0 { 0 } else { 0x80 }]);
    let business = u32::from(answered.mcc.number()) | u32::from(answered.currency.number()) << 14;
    let [a, b, c, _] = business.to_le_bytes();
    put(out, 60, [a, b, c]);
    for (at, octet) in EIGHT_AT.into_iter().zip(eight) {
        put(out, at, [octet]);
    }
}

/// Takes the eight octets out again: acquirer, business and currency stand as in version 1 then.
fn take_eight(octets: &mut EntryBytes) -> [u8; 8] {
    let eight = EIGHT_AT.map(|at| take::<1>(octets, at)[0]);
    for at in EIGHT_AT {
        put(octets, at, [0]);
    }
    let [a, b, c, d, e] = take(octets, 32);
    put(octets, 32, [a, b, c, d, e & 0x7F, 0, 0, e & 0x80]);
    let [a, b, c] = take(octets, 60);
    let business = u32::from_le_bytes([a, b, c, 0]);
    let [mcc_low, mcc_high, ..] = (business & 0x3FFF).to_le_bytes();
    let [currency_low, currency_high, ..] = (business >> 14).to_le_bytes();
    put(octets, 60, [mcc_low, mcc_high, currency_low, currency_high]);
    eight
}

/// Takes what later versions say more out of the octets: they are those of version 1 then.
fn take_verified(octets: &mut EntryBytes) -> Result<Verified, EntryError> {
    let [version] = take(octets, 1);
    put(octets, 1, [VERSION_PLAIN]);
    let mark = if version < VERSION_MARKED { 0 } else { u16::from_le_bytes(take(octets, 22)) };
    if version >= VERSION_MARKED {
        put(octets, 22, [0; 2]);
    }
    let [missing_and_tries] = take(octets, 29);
    put(octets, 29, [missing_and_tries & !PIN_PROVEN]);
    let is_pin_proven = missing_and_tries & PIN_PROVEN != 0;
    let [mti_high] = take(octets, 3);
    let chip = if mti_high >> 3 == 0 {
        None
    } else {
        put(octets, 3, [mti_high & 0x07]);
        let script = match mti_high >> 5 {
            0 => None,
            number => Some(ChipScript::from_number(number, mark).ok_or(EntryError::BadField(3))?),
        };
        let version =
            ChipVersion::from_number(mti_high >> 3 & 0x03).ok_or(EntryError::BadField(3))?;
        let atc = take(octets, 14);
        put(octets, 14, [0; 2]);
        Some(ChipSeen { atc, arqc: take_eight(octets), version, script })
    };
    let consent = if version < ENTRY_VERSION {
        Consent::NotAsked
    } else {
        take_consent(octets, chip.is_some())?
    };
    Ok(Verified { chip, is_pin_proven, consent })
}

fn take_consent(octets: &mut EntryBytes, has_chip: bool) -> Result<Consent, EntryError> {
    let [place] = take(octets, 30);
    put(octets, 30, [place & !(EXEMPT | CONFIRMED)]);
    match place & (EXEMPT | CONFIRMED) {
        0 => Ok(Consent::NotAsked),
        EXEMPT => Ok(Consent::Exempt),
        CONFIRMED if !has_chip => ConfirmationNumber::from_packed(take_eight(octets))
            .map(Consent::Confirmed)
            .ok_or(EntryError::BadField(37)),
        _ => Err(EntryError::BadField(30)),
    }
}
