//! The octets of a confirmation's entries.
//!
//! ```text
//!  28 how it ended, or the second factor   29 exemption   32 id (16)
//!  48 kind of payee   49 payee (16)        65 amount (u48)   71 currency (u16)   73 number (8)
//! ```
//! What a step does not tell is zero.

use cekr_iso8583::{CurrencyCode, MerchantId};

use super::{amount48, put, take, u48};
use crate::confirmation::{
    ConfirmationEnd, ConfirmationId, ConfirmationNumber, ConfirmationStep, Exemption, NameKey,
    NewConfirmation, Payee, Sealed, SecondFactor,
};
use crate::entry::{EntryBytes, EntryError};

pub(super) const KIND_ASKED: u8 = 29;
pub(super) const KIND_PUSHED: u8 = 30;
pub(super) const KIND_APPROVED: u8 = 31;
pub(super) const KIND_FAILED: u8 = 32;
pub(super) const KIND_SEALED: u8 = 33;
pub(super) const KIND_ENDED: u8 = 34;
pub(super) const KIND_UNBLOCKED: u8 = 35;

/// Writes what a step tells; gives its kind.
pub(super) fn encode(out: &mut EntryBytes, step: &ConfirmationStep) -> u8 {
    match step {
        ConfirmationStep::Approved(id) => {
            put(out, 32, id.0);
            KIND_APPROVED
        }
        ConfirmationStep::Asked(new) => {
            encode_purchase(out, new);
            KIND_ASKED
        }
        ConfirmationStep::Ended(id, end) => {
            put(out, 28, [*end as u8]);
            put(out, 32, id.0);
            KIND_ENDED
        }
        ConfirmationStep::Failed(id) => {
            put(out, 32, id.0);
            KIND_FAILED
        }
        ConfirmationStep::Pushed(id) => {
            put(out, 32, id.0);
            KIND_PUSHED
        }
        ConfirmationStep::Sealed(sealed) => {
            let exemption = sealed.exemption.map_or(0, |exemption| exemption as u8);
            put(out, 28, [sealed.factor.number(), exemption]);
            encode_purchase(out, &sealed.purchase);
            put(out, 73, sealed.number.packed());
            KIND_SEALED
        }
        ConfirmationStep::Unblocked => KIND_UNBLOCKED,
    }
}

/// Reads the step of an entry of this kind; none where the kind is no confirmation's.
pub(super) fn decode(
    kind: u8,
    octets: &EntryBytes,
) -> Result<Option<ConfirmationStep>, EntryError> {
    let id = ConfirmationId(take(octets, 32));
    let [end, exemption] = take(octets, 28);
    Ok(Some(match kind {
        KIND_APPROVED => ConfirmationStep::Approved(id),
        KIND_ASKED => ConfirmationStep::Asked(decode_purchase(octets)?),
        KIND_ENDED => {
            let end = ConfirmationEnd::from_number(end).ok_or(EntryError::BadField(28))?;
            ConfirmationStep::Ended(id, end)
        }
        KIND_FAILED => ConfirmationStep::Failed(id),
        KIND_PUSHED => ConfirmationStep::Pushed(id),
        KIND_SEALED => ConfirmationStep::Sealed(Sealed {
            purchase: decode_purchase(octets)?,
            factor: SecondFactor::from_number(end).ok_or(EntryError::BadField(28))?,
            exemption: match exemption {
                0 => None,
                number => Some(Exemption::from_number(number).ok_or(EntryError::BadField(29))?),
            },
            number: ConfirmationNumber::from_packed(take(octets, 73))
                .ok_or(EntryError::BadField(73))?,
        }),
        KIND_UNBLOCKED => ConfirmationStep::Unblocked,
        _ => return Ok(None),
    }))
}

fn encode_purchase(out: &mut EntryBytes, new: &NewConfirmation) {
    put(out, 32, new.id.0);
    put(out, 48, new.payee.octets());
    put(out, 65, u48(new.amount.minor()));
    put(out, 71, new.currency.number().to_le_bytes());
}

fn decode_purchase(octets: &EntryBytes) -> Result<NewConfirmation, EntryError> {
    Ok(NewConfirmation {
        id: ConfirmationId(take(octets, 32)),
        payee: Payee::from_octets(&take(octets, 48)).ok_or(EntryError::BadField(48))?,
        amount: amount48(octets, 65),
        currency: CurrencyCode::new(u16::from_le_bytes(take(octets, 71)))
            .ok_or(EntryError::BadField(71))?,
    })
}

impl Payee {
    /// Its kind, and its number or name in sixteen octets.
    pub(crate) fn octets(&self) -> [u8; 17] {
        let mut octets = [0; 17];
        let (kind, value) = octets.split_at_mut(1);
        match self {
            Self::Merchant(merchant) => {
                kind.fill(PAYEE_MERCHANT);
                value.iter_mut().zip(merchant.octets()).for_each(|(to, from)| *to = *from);
            }
            Self::Name(name) => {
                kind.fill(PAYEE_NAME);
                value.copy_from_slice(&name.octets());
            }
        }
        octets
    }

    pub(crate) fn from_octets(octets: &[u8; 17]) -> Option<Self> {
        let (kind, value) = octets.split_first()?;
        match *kind {
            PAYEE_MERCHANT => {
                let (merchant, rest) = value.split_first_chunk::<15>()?;
                (rest == [0]).then(|| Self::Merchant(MerchantId::new(*merchant)))
            }
            PAYEE_NAME => Some(Self::Name(NameKey::from_octets(value.try_into().ok()?))),
            _ => None,
        }
    }
}

const PAYEE_MERCHANT: u8 = 1;
const PAYEE_NAME: u8 = 2;
