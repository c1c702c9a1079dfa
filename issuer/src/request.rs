//! What a terminal asks, read once from its message: a closed set, or why it cannot be read so.
//!
//! Here the elements of a message get their meaning: which kind of request it is, in whose
//! currency it counts, whether the card is at hand, whether it is cash, whether it is abroad.
//! Nothing here knows a card or a setting.
//!
//! Sources: ISO 8583:1987 for the elements; which signal tells which channel is the issuer's rule
//! and stands beside each function.

mod alarm;
mod parse;

pub use alarm::Alarms;
pub(crate) use parse::{FORMAT_ERROR, NOT_SUPPORTED, acquirer};

use cekr_iso8583::View;
use cekr_iso8583::{
    AuthCode, CurrencyCode, Expiry, Mcc, MerchantId, Mti, Pan, PanError, PinBlock, PosEntryMode,
    ProcessingCode, ResponseCode, Rrn,
};

use crate::card::{CONTACTLESS_CHIP, CONTACTLESS_STRIPE};
use crate::channel::Channels;
use crate::consent::ExemptionClaim;
use crate::entry::Place;
use crate::file_action::FileAction;
use crate::key::RequestKey;
use crate::money::Amount;
use crate::network::Network;
use crate::reason::Reason;
use crate::reconciliation::Reconciliation;

/// A message that the issuer serves.
#[derive(Clone, Debug)]
pub enum Inbound {
    /// About a card and its money.
    Card(Request),
    /// About a card's entry in a file (03xx).
    File(FileAction),
    /// About the link itself (08xx).
    Network(Network),
    /// About an acquirer's totals (05xx).
    Reconciliation(Reconciliation),
}

/// What a terminal asks about a card.
#[derive(Clone, Debug)]
pub struct Request {
    /// The message type.
    pub mti: Mti,
    /// What makes a repeat the same request.
    pub key: RequestKey,
    /// What is asked.
    pub ask: Ask,
    /// The card number, or what is wrong with it.
    pub pan: Result<Pan, PanError>,
    /// DE 14 or the track's expiry.
    pub expiry: ExpiryRead,
    /// DE 3.
    pub processing_code: ProcessingCode,
    /// DE 4, in the currency of DE 49.
    pub transaction_amount: Amount,
    /// DE 49.
    pub currency: CurrencyCode,
    /// What is asked in cents of the account: DE 4, or DE 6 of a foreign transaction.
    pub amount: Amount,
    /// The cash in it, in cents, without a machine owner's surcharge.
    pub cash: Amount,
    /// Where it is spent.
    pub place: Place,
    /// The channels that it falls under.
    pub needs: Channels,
    /// DE 22; zero when it is absent.
    pub entry_mode: PosEntryMode,
    /// DE 25; zero when it is absent.
    pub condition: u8,
    /// DE 18; zero when it is absent.
    pub mcc: Mcc,
    /// The merchant's country, where DE 43 tells it in letters.
    pub country: Option<[u8; 2]>,
    /// DE 37.
    pub rrn: Option<Rrn>,
    /// DE 42.
    pub merchant: Option<MerchantId>,
    /// DE 52.
    pub pin_block: Option<PinBlock>,
    /// The new PIN of a PIN change (DE 48 id 54).
    pub new_pin_block: Option<PinBlock>,
    /// Whether chip data came (DE 55).
    pub has_chip_data: bool,
    /// Whether a verification value may stand in it: a track, or CVV2 (DE 48 id 92).
    pub has_verification_value: bool,
    /// Whether a PIN block of format 4 came (DE 48 id 52).
    pub has_aes_pin: bool,
    /// Whether the holder must have confirmed it, or an exemption must hold: money without the
    /// card, in a shop of the EEA, neither by mail or phone nor begun by the merchant.
    pub asks_consent: bool,
    /// Whether an authentication value came (DE 48 id 43).
    pub has_cavv: bool,
    /// Whether the shop says that the holder was authenticated (ECI 05).
    pub is_authenticated: bool,
    /// The exemption that the acquirer claims (DE 48 id 45).
    pub claim: Option<ExemptionClaim>,
    /// Whether the terminal can take an approval of part of the amount (DE 48 id 61).
    pub partial_allowed: bool,
    /// What in it does not fit together.
    pub alarms: Alarms,
}

/// The closed set of what can be asked about a card.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ask {
    /// Does the account exist (DE 25 = 51, amount zero).
    AccountCheck,
    /// Something happened already (012x, 022x): the completion of a hold, or an approval that was
    /// given elsewhere.
    Advice(AdviceAsk),
    /// How much is there (DE 3 = 30, 31).
    BalanceInquiry,
    /// What would a withdrawal cost (DE 3 = 32).
    FeeEnquiry,
    /// More for a hold whose amount was estimated (0100 with DE 25 = 06 that names one).
    Increment(Named),
    /// Another PIN (DE 3 = 92).
    PinChange,
    /// Goods and services, some of it perhaps as cash (DE 3 = 00, 09, 11).
    Purchase,
    /// Money back to the card (DE 3 = 20).
    Refund {
        /// The purchase that it names by DE 90.
        original: Option<RequestKey>,
    },
    /// An earlier request did not happen, or not in full (04xx).
    Reversal(ReversalAsk),
    /// Cash (DE 3 = 01, 17, or a purchase at a cashpoint or bank counter).
    Withdrawal,
}

/// How a message names an earlier transaction of its card.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Named {
    /// By DE 90, at this message's own terminal.
    pub original: Option<RequestKey>,
    /// By DE 38.
    pub auth_code: Option<AuthCode>,
}

/// What an advice tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AdviceAsk {
    /// Whether it is about cash (DE 3 = 01, 17, or a cashpoint's MCC).
    pub spend: Spend,
    /// The transaction that it names, if it names one.
    pub named: Named,
    /// What came of it (DE 39).
    pub outcome: Outcome,
}

/// What money was spent on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Spend {
    /// Goods and services.
    Purchase,
    /// Cash.
    Withdrawal,
}

/// What came of a transaction that an advice tells of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It was approved; so it is read when DE 39 is absent.
    Approved,
    /// It was declined, or did not happen: DE 39 is no approval.
    Declined,
}

/// What a reversal names and asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReversalAsk {
    /// The original by DE 90, or by the reversal's own trace number, time and terminal.
    pub original: RequestKey,
    /// DE 38, by which it may be found together with DE 37.
    pub auth_code: Option<AuthCode>,
    /// Whether it tells what happened (042x) instead of asking (040x).
    pub is_advice: bool,
    /// Why (DE 39), where it tells that.
    pub cause: Option<ResponseCode>,
    /// The amount that did happen (DE 95), in the currency of DE 49; zero for none of it.
    pub actual: Amount,
}

/// The card's expiry as a message tells it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ExpiryRead {
    /// Neither DE 14 nor a track.
    Absent,
    /// DE 14 and track 2 differ.
    Contradictory,
    /// The one that came, or both alike.
    Told(Expiry),
}

/// Why a message is no request of ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reject {
    /// Answer it with this reason.
    Answer(Reason),
    /// It is itself an answer: never answer an answer.
    IsAnswer,
}

impl Inbound {
    /// Reads a message; `listener` stands in for an acquirer that the message does not name.
    ///
    /// # Errors
    /// [`Reject`] when it is no request that the issuer serves.
    pub fn parse(view: &View<'_>, listener: u32) -> Result<Self, Reject> {
        parse::inbound(view, listener)
    }
}

impl Request {
    /// Whether the card is not at hand: entry by e-commerce or mail and phone.
    #[must_use]
    pub const fn is_not_present(&self) -> bool {
        self.needs.contains(Channels::ONLINE)
    }

    /// Whether it asks for money of the card.
    #[must_use]
    pub const fn takes_money(&self) -> bool {
        matches!(self.ask, Ask::Increment(_) | Ask::Purchase | Ask::Withdrawal)
    }

    /// Whether it tells what happened already (012x, 022x).
    #[must_use]
    pub const fn is_advice(&self) -> bool {
        matches!(self.mti.number(), 120 | 121 | 220 | 221)
    }

    /// Whether its amount is an estimate, to be completed later (DE 25 = 06).
    #[must_use]
    pub const fn is_estimated(&self) -> bool {
        self.condition == 6 && self.key.class == 1
    }

    /// Whether the amount is in the account's own currency.
    #[must_use]
    pub fn is_domestic_currency(&self) -> bool {
        self.currency == CurrencyCode::EUR
    }

    /// Whether a PIN came, in whatever block.
    #[must_use]
    pub const fn has_pin(&self) -> bool {
        self.pin_block.is_some() || self.has_aes_pin
    }

    /// Whether the card was read over the air (DE 22 = 07, or 91 for the stripe's data).
    #[must_use]
    pub const fn is_contactless(&self) -> bool {
        matches!(self.entry_mode.entry, CONTACTLESS_CHIP | CONTACTLESS_STRIPE)
    }

    /// Whether the card was read by its stripe although it has a chip (DE 22 = 80).
    #[must_use]
    pub const fn is_fallback(&self) -> bool {
        self.entry_mode.entry == 80
    }
}
