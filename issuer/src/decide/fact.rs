//! What a decision leaves in the journal: the fact, with the answer in it.

use super::{Authorization, Completion, Decision, Effect, Reversal};
use crate::card::Card;
use crate::channel::Channels;
use crate::entry::{
    Answered, Authorized, Completed, Fact, GivenBack, NO_MERCHANT, NO_RRN, ParkCause, Parked,
    PinChanged, Refund, Remembered, Reversed, Seq,
};
use crate::key::RequestKey;
use crate::money::Amount;
use crate::proof::{ChipSeen, Proofs};
use crate::reason::Reason;
use crate::request::Request;

impl Decision {
    /// The fact that this decision about `request` makes of `card`, or none when it changes
    /// nothing and no answer rests on it.
    ///
    /// The answer is part of the fact, balances after it included.
    #[must_use]
    pub fn fact(&self, request: &Request, proofs: &Proofs, card: &Card) -> Option<Fact> {
        if let Self::Approve(Effect::Park { cause, original }) = self {
            return Some(parked(request, card, *cause, *original));
        }
        if !card.is_known() {
            return None;
        }
        match self {
            Self::Approve(Effect::Authorize(authorization)) => {
                let mut fact = authorized(request, card, authorization);
                if let Fact::Authorized(authorized) = &mut fact {
                    let chip = card.chip_answered(request, proofs, false);
                    authorized.answered = with_proofs(authorized.answered, proofs, chip);
                }
                Some(fact)
            }
            Self::Approve(Effect::ChangePin { pvv }) => {
                let chip = card.chip_answered(request, proofs, true);
                let answered = answered(request, card, Reason::Approved);
                let answered = with_proofs(answered, proofs, chip);
                Some(Fact::PinChanged(PinChanged { answered, pvv: *pvv }))
            }
            Self::Approve(Effect::Complete(completion)) => {
                Some(completed(request, card, completion))
            }
            Self::Approve(Effect::DeclinedElsewhere) => {
                Some(Fact::DeclinedElsewhere(answered(request, card, Reason::Approved)))
            }
            Self::Approve(Effect::Inquire { reason, pin_tries }) => {
                let chip = card.chip_answered(request, proofs, false);
                let answered = with_proofs(answered(request, card, *reason), proofs, chip);
                Some(Fact::Inquired(Answered { pin_tries: *pin_tries, ..answered }))
            }
            Self::Approve(Effect::Park { .. } | Effect::QuoteFee { .. }) | Self::Need(_) => None,
            Self::Approve(Effect::RefundPending { original }) => {
                Some(Fact::RefundPending(Refund {
                    answered: answered(request, card, Reason::Approved),
                    original: *original,
                }))
            }
            Self::Approve(Effect::Remember { original, reason }) => {
                Some(Fact::ReversalRemembered(Remembered {
                    answered: answered(request, card, *reason).without_merchant(),
                    original: RequestKey { acquirer: 0, ..*original },
                }))
            }
            Self::Approve(Effect::Reverse(reversal)) => Some(reversed(request, card, reversal)),
            Self::Decline(decline) => Some(Fact::Declined(Answered {
                missing: decline.missing,
                pin_tries: decline.pin_tries,
                chip: if decline.moves_counter {
                    card.chip_answered(request, proofs, false)
                } else {
                    decline.chip
                },
                ..answered(request, card, decline.reason)
            })),
        }
    }
}

/// What every answered request keeps: balances as they are before any effect.
pub(super) fn answered(request: &Request, card: &Card, reason: Reason) -> Answered {
    Answered {
        mti: request.mti,
        key: request.key,
        reason,
        missing: Channels::NONE,
        pin_tries: None,
        processing_code: request.processing_code,
        entry_mode: request.entry_mode,
        mcc: request.mcc,
        currency: request.currency,
        transaction_amount: request.transaction_amount,
        amount: request.amount,
        fee: Amount::default(),
        balance: card.balance(),
        available: card.available(),
        country: request.country.unwrap_or_default(),
        rrn: request.rrn.unwrap_or(NO_RRN),
        merchant: request.merchant.unwrap_or(NO_MERCHANT),
        chip: None,
        is_pin_proven: false,
    }
}

/// What was proven on the way to an approval.
fn with_proofs(answered: Answered, proofs: &Proofs, chip: Option<ChipSeen>) -> Answered {
    Answered { chip, is_pin_proven: proofs.is_pin_proven(), ..answered }
}

pub(super) fn authorized(request: &Request, card: &Card, authorization: &Authorization) -> Fact {
    let total = authorization.amount.saturating_add(authorization.fee);
    let before = answered(request, card, authorization.reason);
    let is_held = authorization.hold_days > 0;
    Fact::Authorized(Authorized {
        answered: Answered {
            amount: authorization.amount,
            fee: authorization.fee,
            pin_tries: authorization.pin_tries,
            balance: if is_held { before.balance } else { before.balance.minus(total) },
            available: before.available.minus(total),
            ..before
        },
        cash: authorization.cash,
        place: authorization.place,
        hold_days: authorization.hold_days,
        sum: authorization.sum,
        authority: authorization.authority,
        consent: authorization.consent,
    })
}

fn completed(request: &Request, card: &Card, completion: &Completion) -> Fact {
    let total = completion.amount.saturating_add(completion.fee);
    let before = answered(request, card, Reason::Approved);
    Fact::Completed(Completed {
        answered: Answered {
            amount: completion.amount,
            fee: completion.fee,
            balance: before.balance.minus(total),
            available: before.available.plus(completion.held).minus(total),
            ..before
        }
        .without_merchant(),
        original: completion.original,
        held: completion.held,
        parked: completion.parked,
    })
}

fn parked(request: &Request, card: &Card, cause: ParkCause, original: Seq) -> Fact {
    let stranger = if card.is_known() { None } else { request.pan.ok().map(Into::into) };
    Fact::Parked(Parked {
        answered: answered(request, card, Reason::Approved).without_merchant(),
        cause,
        original,
        stranger,
    })
}

fn reversed(request: &Request, card: &Card, reversal: &Reversal) -> Fact {
    let total = reversal.amount.saturating_add(reversal.fee);
    let before = answered(request, card, Reason::Approved);
    let (balance, available) = match reversal.given_back {
        GivenBack::Held => (before.balance, before.available.plus(total)),
        GivenBack::Posted | GivenBack::PostedByClearing => {
            (before.balance.plus(total), before.available.plus(total))
        }
        GivenBack::RefundPending => (before.balance, before.available),
    };
    Fact::Reversed(Reversed {
        answered: Answered {
            amount: reversal.amount,
            fee: reversal.fee,
            balance,
            available,
            ..before
        }
        .without_merchant(),
        original: reversal.original,
        amount_left: reversal.amount_left,
        fee_left: reversal.fee_left,
        given_back: reversal.given_back,
        fate: reversal.fate,
        is_dispense_fault: reversal.is_dispense_fault,
    })
}
