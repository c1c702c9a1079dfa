//! Whether the holder agreed to a purchase without the card, or need not be asked (rows 18 and 19).
//!
//! A purchase in a web shop rests on a sealed confirmation, which it names by its authentication
//! value, or on an exemption. Exemptions are judged by the card's own counters; what an acquirer
//! claims helps only where its analysis of the risk may.
//!
//! Sources: Regulation (EU) 2018/389, articles 5, 11, 12, 16 and 18; for the bounds, the
//! programme's rules.
//!
//! ```
//! use cekr_issuer::card::Unasked;
//! use cekr_issuer::consent::{Allowance, Passed};
//! use cekr_issuer::Amount;
//!
//! let small = Allowance {
//!     single: Amount::from_minor(30_00),
//!     sum: Amount::from_minor(100_00),
//!     count: 0,
//! };
//! let nothing_yet = Unasked::default();
//! assert_eq!(small.covers(Amount::from_minor(30_00), nothing_yet), Ok(()));
//! assert_eq!(small.covers(Amount::from_minor(30_01), nothing_yet), Err(Passed::Single));
//! ```

use cekr_iso8583::{CurrencyCode, Expiry, Mcc};

use crate::card::{Card, Unasked};
use crate::channel::Channels;
use crate::confirmation::Exemption;
use crate::controls::CardStatus;
use crate::money::Amount;
use crate::policy::{AbroadScope, Limits, Policy};
use crate::reason::Reason;
use crate::time::Now;

/// What may be paid without the holder being asked. Zero is no bound.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Allowance {
    /// One payment, in cents.
    pub single: Amount,
    /// All since the holder was last asked, in cents.
    pub sum: Amount,
    /// How many since then.
    pub count: u32,
}

/// The bound that a payment would pass.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Passed {
    /// Too many payments.
    Count,
    /// Too large a payment.
    Single,
    /// Too large a sum.
    Sum,
}

impl Allowance {
    /// Whether a payment of `amount` may follow what was paid `so_far`.
    ///
    /// # Errors
    /// With the bound that it would pass.
    pub fn covers(&self, amount: Amount, so_far: Unasked) -> Result<(), Passed> {
        let is_above = |bound: Amount, amount: Amount| !bound.is_zero() && amount > bound;
        if is_above(self.single, amount) {
            return Err(Passed::Single);
        }
        if is_above(self.sum, so_far.sum().saturating_add(amount)) {
            return Err(Passed::Sum);
        }
        if self.count > 0 && u32::from(so_far.count()) >= self.count {
            return Err(Passed::Count);
        }
        Ok(())
    }

    /// Over the air, without a PIN.
    #[must_use]
    pub const fn contactless(limits: &Limits) -> Self {
        Self {
            single: limits.contactless_max,
            sum: limits.contactless_sum,
            count: limits.contactless_count,
        }
    }

    /// Without the card; none where no amount is small enough.
    #[must_use]
    pub const fn remote(limits: &Limits) -> Option<Self> {
        let Limits { remote_max, remote_sum, remote_count, .. } = *limits;
        if remote_max.is_zero() {
            return None;
        }
        Some(Self { single: remote_max, sum: remote_sum, count: remote_count })
    }
}

/// An exemption that an acquirer claims (DE 48 id 45), by the tags of Visa's data set 4A.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ExemptionClaim {
    /// `88`: a secure corporate payment.
    Corporate,
    /// `8A`: somebody else has asked the holder.
    Delegated,
    /// `87`: a small amount.
    LowValue,
    /// `89`: the acquirer has analysed the risk.
    RiskAnalysis,
    /// `84`: the holder trusts the shop.
    TrustedPayee,
}

impl ExemptionClaim {
    /// Reads the two characters; none of ours is no claim.
    #[must_use]
    pub const fn parse(octets: &[u8]) -> Option<Self> {
        match octets {
            b"84" => Some(Self::TrustedPayee),
            b"87" => Some(Self::LowValue),
            b"88" => Some(Self::Corporate),
            b"89" => Some(Self::RiskAnalysis),
            b"8A" => Some(Self::Delegated),
            _ => None,
        }
    }
}

/// A payment as exemptions see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exemptible {
    /// In cents of the account, where that is known.
    pub(crate) amount: Option<Amount>,
    /// What the acquirer claims.
    pub(crate) claim: Option<ExemptionClaim>,
    /// Whether it is a fare or parking at a machine that nobody attends.
    pub(crate) is_unattended_fare: bool,
}

impl Exemptible {
    /// Why it needs no confirmation, if it does not.
    pub(crate) fn exemption(&self, card: &Card, policy: &Policy) -> Option<Exemption> {
        if self.is_unattended_fare {
            return Some(Exemption::Fare);
        }
        let amount = self.amount?;
        let small = Allowance::remote(&policy.limits);
        if small.is_some_and(|small| small.covers(amount, card.unasked_remote()).is_ok()) {
            return Some(Exemption::LowValue);
        }
        let is_analysed = self.claim == Some(ExemptionClaim::RiskAnalysis);
        (is_analysed && amount <= policy.limits.remote_risk_max).then_some(Exemption::RiskAnalysis)
    }
}

/// A purchase without the card before it is asked for at the switch.
#[derive(Clone, Copy, Debug)]
pub struct OnlinePurchase {
    /// The card's expiry as the buyer told it.
    pub expiry: Option<Expiry>,
    /// In minor units of the currency.
    pub amount: Amount,
    /// In which it is paid.
    pub currency: CurrencyCode,
    /// The shop's country, ISO 3166 alpha-2 in capitals.
    pub country: [u8; 2],
    /// The shop's business.
    pub mcc: Mcc,
    /// The exemption that the shop's acquirer claims.
    pub claim: Option<ExemptionClaim>,
}

/// What becomes of a purchase without the card, as far as it can be told before it is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OnlineVerdict {
    /// The holder need not be asked.
    Exempt(Exemption),
    /// The holder must confirm it.
    NeedsConfirmation,
    /// The switch would decline it for this reason.
    Refused(Reason),
}

/// Judges a purchase without the card by the rows that the switch will judge it by: state, expiry,
/// lock, channels, exemptions. What can only be told then (limits, funds) is left to it. A shop
/// outside the EEA that asks is treated like one inside.
#[must_use]
pub fn judge_online(
    card: &Card,
    asked: &OnlinePurchase,
    now: Now,
    policy: &Policy,
) -> OnlineVerdict {
    let controls = card.controls();
    let refused = match controls.status {
        CardStatus::Unknown => Some(Reason::NoSuchCard),
        CardStatus::NotActivated => Some(Reason::NotActivated),
        CardStatus::Lost => Some(Reason::Lost),
        CardStatus::Stolen => Some(Reason::Stolen),
        CardStatus::Closed => Some(Reason::Closed),
        CardStatus::Active | CardStatus::Locked => None,
    };
    if let Some(reason) = refused {
        return OnlineVerdict::Refused(reason);
    }
    let differs = asked.expiry.is_some_and(|expiry| expiry != controls.expiry);
    if differs || now.local_date.is_past(controls.expiry) {
        return OnlineVerdict::Refused(Reason::ExpiredNotPresent);
    }
    if controls.status == CardStatus::Locked {
        return OnlineVerdict::Refused(Reason::Locked);
    }
    let is_abroad =
        !asked.country.eq_ignore_ascii_case(b"SI") && policy.abroad_scope == AbroadScope::All;
    let needs = Channels::ONLINE.with(Channels::ABROAD, is_abroad);
    if !needs.minus(controls.ticks).is_empty() {
        return OnlineVerdict::Refused(Reason::ChannelOff);
    }
    let amount = (asked.currency == CurrencyCode::EUR).then_some(asked.amount);
    let exemptible = Exemptible { amount, claim: asked.claim, is_unattended_fare: false };
    match exemptible.exemption(card, policy) {
        Some(exemption) => OnlineVerdict::Exempt(exemption),
        None => OnlineVerdict::NeedsConfirmation,
    }
}

/// Whether the rules about the holder's consent hold in this country: the European Economic Area.
#[must_use]
pub const fn is_in_eea(country: [u8; 2]) -> bool {
    matches!(
        [country[0].to_ascii_uppercase(), country[1].to_ascii_uppercase()].as_slice(),
        b"AT"
            | b"BE"
            | b"BG"
            | b"CY"
            | b"CZ"
            | b"DE"
            | b"DK"
            | b"EE"
            | b"ES"
            | b"FI"
            | b"FR"
            | b"GR"
            | b"HR"
            | b"HU"
            | b"IE"
            | b"IS"
            | b"IT"
            | b"LI"
            | b"LT"
            | b"LU"
            | b"LV"
            | b"MT"
            | b"NL"
            | b"NO"
            | b"PL"
            | b"PT"
            | b"RO"
            | b"SE"
            | b"SI"
            | b"SK"
    )
}

/// The same for the number of a country (ISO 3166-1).
#[must_use]
pub const fn is_numbered_in_eea(country: u16) -> bool {
    matches!(
        country,
        40 | 56
            | 100
            | 191
            | 196
            | 203
            | 208
            | 233
            | 246
            | 250
            | 276
            | 300
            | 348
            | 352
            | 372
            | 380
            | 428
            | 438
            | 440
            | 442
            | 470
            | 528
            | 578
            | 616
            | 620
            | 642
            | 703
            | 705
            | 724
            | 752
    )
}
