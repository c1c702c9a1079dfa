//! What the chip finds by itself, and what kind of cryptogram follows.
//!
//! The public standards say which bits tell what; how a card weighs them is its issuer's. We chose:
//! the chip wants to go online after an unfinished or unbelieved online transaction, while it is
//! new, with no PIN try left, when a lower limit is passed, and when the issuer asked for it.
//! Where nobody can be reached, it declines while it is new, with no try left, or past an upper
//! limit. An issuer that was reached must prove itself: without its answer the chip declines.
//!
//! Source: EMV 4.3 Book 3, sections 9.3 (what a card may answer) and 10.9 to 10.11; Annex C7.

use crate::chip::kept::Kept;
use crate::chip::session::{IssuerCheck, PinCheck, Signature, Transaction};
use crate::crypto::cvn;
use crate::data::{CryptogramType, Csu, Cvr};

/// What the chip has found, without what it will answer.
pub(super) fn findings(
    kept: &Kept,
    transaction: &Transaction,
    sealed: &cvn::Transaction,
    currency: [u8; 2],
) -> Cvr {
    let unfinished = kept.unfinished;
    let pin = match transaction.pin {
        PinCheck::NotDone => Cvr::default(),
        PinCheck::Failed => Cvr::OFFLINE_PIN_PERFORMED.with(Cvr::OFFLINE_PIN_FAILED),
        PinCheck::Passed => Cvr::OFFLINE_PIN_PERFORMED,
    };
    let found = [
        (unfinished.online, Cvr::LAST_ONLINE_NOT_COMPLETED),
        (kept.pin_tries == 0, Cvr::PIN_TRY_LIMIT_EXCEEDED),
        (is_past(kept, sealed, currency, Limit::Lower), Cvr::VELOCITY_COUNTERS_EXCEEDED),
        (unfinished.is_new, Cvr::NEW_CARD),
        (unfinished.issuer_authentication, Cvr::LAST_ISSUER_AUTHENTICATION_FAILED),
        (unfinished.static_data, Cvr::LAST_SDA_FAILED),
        (unfinished.dynamic_data, Cvr::LAST_DDA_FAILED),
        (kept.scripts.has_failed, Cvr::SCRIPT_FAILED),
        (transaction.signature == Signature::Made, Cvr::DDA_PERFORMED),
    ];
    let all = found.into_iter().filter(|(is_so, _)| *is_so);
    all.fold(Cvr::NONE.with(pin), |cvr, (_, bit)| cvr.with(bit))
        .with_script_count(kept.scripts.count)
}

/// The first cryptogram: what the terminal asks for, or more caution.
pub(super) fn first(kept: &Kept, found: Cvr, asked: CryptogramType) -> CryptogramType {
    let wants_online = Cvr::LAST_ONLINE_NOT_COMPLETED
        .with(Cvr::PIN_TRY_LIMIT_EXCEEDED)
        .with(Cvr::VELOCITY_COUNTERS_EXCEEDED)
        .with(Cvr::NEW_CARD)
        .with(Cvr::LAST_ISSUER_AUTHENTICATION_FAILED);
    match asked {
        CryptogramType::Tc if found.meets(wants_online) || kept.unfinished.go_online => {
            CryptogramType::Arqc
        }
        CryptogramType::Aac | CryptogramType::Arqc | CryptogramType::Tc => asked,
    }
}

/// How the way to the issuer ended, as the terminal (8A) and its answer tell.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reached {
    /// Nobody was reached.
    Nobody,
    /// The issuer, and this is what came of its proof.
    Issuer(IssuerCheck),
}

/// The second cryptogram with the bits that say why; `asked` is never an ARQC.
pub(super) fn second(
    kept: &Kept,
    found: Cvr,
    reached: Reached,
    is_past_upper: bool,
    asked: CryptogramType,
) -> (CryptogramType, Cvr) {
    let is_new = kept.unfinished.is_new;
    let (is_refused, cvr) = match reached {
        Reached::Nobody => {
            let is_refused = is_new || kept.pin_tries == 0 || is_past_upper;
            (is_refused, found.with(Cvr::UNABLE_TO_GO_ONLINE))
        }
        Reached::Issuer(IssuerCheck::NotDone) => {
            (true, found.with(Cvr::ISSUER_AUTHENTICATION_MISSING))
        }
        Reached::Issuer(IssuerCheck::Failed) => {
            (true, found.with(Cvr::ISSUER_AUTHENTICATION_FAILED))
        }
        Reached::Issuer(IssuerCheck::Passed(update)) => {
            let is_approved = update.is_none_or(|update| update.has(Csu::ISSUER_APPROVES));
            (!is_approved, found)
        }
    };
    let kind = if is_refused || asked != CryptogramType::Tc {
        CryptogramType::Aac
    } else {
        CryptogramType::Tc
    };
    (kind, cvr.with_second_cryptogram(kind))
}

/// The two limits of each counter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Limit {
    Lower,
    Upper,
}

/// Whether this transaction goes past a limit; another currency than the account's always does.
pub(super) fn is_past(
    kept: &Kept,
    sealed: &cvn::Transaction,
    currency: [u8; 2],
    limit: Limit,
) -> bool {
    let (count_max, total_max) = match limit {
        Limit::Lower => (kept.limits.count_lower, kept.limits.total_lower),
        Limit::Upper => (kept.limits.count_upper, kept.limits.total_upper),
    };
    let count = kept.atc.saturating_sub(kept.atc_last_online);
    let total = amount(sealed).and_then(|amount| kept.total_since_online.checked_add(amount));
    sealed.currency != currency
        || count > u16::from(count_max)
        || total.is_none_or(|total| total > total_max)
}

/// The amount as a number; `None` if its digits are none.
pub(super) fn amount(sealed: &cvn::Transaction) -> Option<u64> {
    sealed.amount.iter().try_fold(0_u64, |amount, octet| {
        let (tens, ones) = (octet >> 4, octet & 0x0F);
        (tens <= 9 && ones <= 9).then_some(())?;
        Some(amount * 100 + u64::from(tens) * 10 + u64::from(ones))
    })
}
