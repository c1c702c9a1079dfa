//! Rows 18 and 19: an authentication value that is wrong, and a purchase without the card that
//! nobody confirmed.
//!
//! A value is believed only together with the card's own sealed record, which is looked at under
//! the card's lock and used up by the entry of the approval: of two purchases that name one record
//! one passes.

use super::{Decline, is_fare};
use crate::card::Card;
use crate::confirmation::{Confirmation, Exemption};
use crate::consent::{Allowance, Exemptible};
use crate::entry::Consent;
use crate::money::Amount;
use crate::policy::{EcommerceRequires, Policy};
use crate::proof::{CavvProof, Proofs};
use crate::reason::Reason;
use crate::request::{Ask, Request};
use crate::time::Now;

/// How far the holder's consent is judged.
pub(super) enum ConsentStep {
    /// Judged: on what the purchase rests.
    Judged(Consent),
    /// Its value is not proven yet.
    Need,
}

/// Judges what came of a confirmation, and whether one is needed.
#[inline]
pub(super) fn judge(
    request: &Request,
    proofs: &Proofs,
    card: &Card,
    now: Now,
    policy: &Policy,
) -> Result<ConsentStep, Decline> {
    if !request.has_cavv && !request.asks_consent {
        return Ok(ConsentStep::Judged(Consent::NotAsked));
    }
    judge_asked(request, proofs, card, now, policy)
}

#[inline(never)]
fn judge_asked(
    request: &Request,
    proofs: &Proofs,
    card: &Card,
    now: Now,
    policy: &Policy,
) -> Result<ConsentStep, Decline> {
    let is_needed =
        request.asks_consent && policy.ecommerce_requires == EcommerceRequires::Confirmation;
    if request.has_cavv {
        return match proofs.cavv {
            None => Ok(ConsentStep::Need),
            Some(CavvProof::Wrong) => Err(Reason::ProofWrong.into()),
            Some(CavvProof::Right { number, .. })
                if confirms(request, proofs, card, now, policy) =>
            {
                Ok(ConsentStep::Judged(Consent::Confirmed(number)))
            }
            // A value without its record is no purchase without a value: it was used, or stolen.
            Some(CavvProof::Right { .. }) if is_needed => Err(Reason::ConfirmationRequired.into()),
            Some(CavvProof::Right { .. }) => Ok(ConsentStep::Judged(Consent::NotAsked)),
        };
    }
    if !is_needed {
        return Ok(ConsentStep::Judged(Consent::NotAsked));
    }
    let exemptible = Exemptible {
        amount: Some(request.amount),
        claim: request.claim,
        is_unattended_fare: request.condition == UNATTENDED && is_fare(request),
    };
    match exemptible.exemption(card, policy) {
        Some(_) => Ok(ConsentStep::Judged(Consent::Exempt)),
        None => Err(Reason::ConfirmationRequired.into()),
    }
}

/// Whether the record that the value names is for this purchase.
fn confirms(request: &Request, proofs: &Proofs, card: &Card, now: Now, policy: &Policy) -> bool {
    let Some(CavvProof::Right { number, shop }) = proofs.cavv else {
        return false;
    };
    // Who reads a chip has the card at hand: such a message has no place for a record.
    let is_purchase = matches!(request.ask, Ask::Increment(_) | Ask::Purchase);
    let is_online = is_purchase && request.is_not_present() && !request.has_chip_data;
    let Some(record) = card.sealed(number).filter(|_| is_online) else {
        return false;
    };
    request.is_authenticated
        && now.unix_ms < record.expires_at
        && request.currency == record.currency
        && request.transaction_amount <= record.amount
        && record.payee.is(request.merchant, shop)
        && is_still_exempt(record, request.amount, card, policy)
}

/// Whether a sealed record that was made without asking the holder still needs no question: what
/// was small when it was sealed may be too much together with what was paid since.
fn is_still_exempt(record: &Confirmation, amount: Amount, card: &Card, policy: &Policy) -> bool {
    match record.exemption {
        None | Some(Exemption::Fare) => true,
        Some(Exemption::LowValue) => Allowance::remote(&policy.limits)
            .is_some_and(|small| small.covers(amount, card.unasked_remote()).is_ok()),
        Some(Exemption::RiskAnalysis) => amount <= policy.limits.remote_risk_max,
    }
}

/// A terminal that nobody attends (DE 25).
const UNATTENDED: u8 = 2;
