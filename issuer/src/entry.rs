//! Entries: what happened to a card, as facts of fixed layout.
//!
//! An entry is never a command: it says what was decided, with the answer in it, so that a repeat
//! gets the same answer, and applying the entries of a card in order gives the card. Each takes
//! 128 octets in the journal; [`Entry::encode`] and [`Entry::decode`] are each other's inverse.
//!
//! ```text
//!   0 kind      1 version   2 MTI (u16)   4 card ordinal (u32)   8 previous entry (u64)
//!  16 at, ms since 1970 (u64)            24 local date yyyymmdd (u32)
//!  28 what the kind needs; for an answered request:
//!  28 reason   29 PIN tries left, missing ticks   30 place   31 life of the hold in days
//!  32 acquirer (u64)  40 terminal (8)  48 transmitted (u32)  52 STAN and class (u32)
//!  56 processing code and entry mode (u32)  60 MCC (u16)  62 currency (u16)
//!  64 amount (u48)  70 DE 4 (u48)  76 balance (i48)  82 available (i48)  88 fee (u32)
//!  92 country (2)  94 RRN (12)  106 merchant (15) and cash (u48), or the original of a reversal
//! ```
//! Numbers are little-endian. What a kind does not use is zero.

use core::fmt;

use cekr_iso8583::{
    CurrencyCode, Mcc, MerchantId, Mti, PosEntryMode, ProcessingCode, Rrn, TerminalId,
};

use crate::channel::Channels;
use crate::controls::Controls;
use crate::key::RequestKey;
use crate::money::{Amount, Balance};
use crate::reason::Reason;
use crate::time::LocalDate;

/// The octets of one entry.
pub const ENTRY_OCTETS: usize = 128;

/// One entry as it stands in the journal.
pub type EntryBytes = [u8; ENTRY_OCTETS];

/// The layout that this code writes.
pub const ENTRY_VERSION: u8 = 1;

/// The place of an entry in its shard's journal, from 1; zero is no entry.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Seq(pub u64);

impl Seq {
    /// No entry.
    pub const NONE: Self = Self(0);

    /// The entry after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A card's ordinal in its shard. It never leaves the switch in the clear.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CardId(pub u32);

/// One fact about one card.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// The card it is about.
    pub card: CardId,
    /// The card's entry before this one: the history of a card is a walk along these.
    pub previous: Seq,
    /// Milliseconds since 1970-01-01T00:00:00Z; never goes back within a shard.
    pub at: u64,
    /// The day in the programme's zone.
    pub date: LocalDate,
    /// What happened.
    pub fact: Fact,
}

/// What happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fact {
    /// Money was held or posted at a terminal's request.
    Authorized(Authorized),
    /// Status, ticks or expiry were set; the whole of them stands here.
    ControlsSet(Controls),
    /// A request was declined.
    Declined(Answered),
    /// Declines of one hour that are not entries of their own.
    DeclinesCounted {
        /// How many.
        count: u32,
    },
    /// A hold came to its end without being posted.
    HoldExpired(HoldExpired),
    /// Balances were told.
    Inquired(Answered),
    /// A card came to be.
    Issued(Issued),
    /// Money came in.
    Loaded(Loaded),
    /// A refund was announced; the money comes with clearing.
    RefundPending(Refund),
    /// A reversal named an original that is not known: it will be declined when it comes.
    ReversalRemembered(Remembered),
    /// Money was given back.
    Reversed(Reversed),
}

/// What an answered request asked and was told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Answered {
    /// The message type of the request.
    pub mti: Mti,
    /// What makes a repeat the same request.
    pub key: RequestKey,
    /// Why it was answered so, and with it DE 39.
    pub reason: Reason,
    /// Ticks that were needed and are off (DE 44).
    pub missing: Channels,
    /// PIN tries left after it, where it changed them.
    pub pin_tries: Option<u8>,
    /// DE 3.
    pub processing_code: ProcessingCode,
    /// DE 22.
    pub entry_mode: PosEntryMode,
    /// DE 18.
    pub mcc: Mcc,
    /// DE 49.
    pub currency: CurrencyCode,
    /// DE 4, in the currency of DE 49.
    pub transaction_amount: Amount,
    /// What was approved, held, posted or given back, in cents of the account; for a decline what
    /// was asked.
    pub amount: Amount,
    /// The cashpoint fee that goes with it, in cents.
    pub fee: Amount,
    /// The balance after it.
    pub balance: Balance,
    /// What was available after it.
    pub available: Balance,
    /// The country of the merchant as two letters, or zeros.
    pub country: [u8; 2],
    /// DE 37, or zeros.
    pub rrn: Rrn,
    /// DE 42, or zeros.
    pub merchant: MerchantId,
}

/// An approval that moves or holds money.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Authorized {
    /// The request and its answer.
    pub answered: Answered,
    /// The part of the amount that is cash, without a machine owner's surcharge.
    pub cash: Amount,
    /// Where the money was spent: which limits it uses up.
    pub place: Place,
    /// Days until the hold expires; zero when the money was posted at once.
    pub hold_days: u8,
}

/// A refund that was announced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refund {
    /// The request and its answer.
    pub answered: Answered,
    /// The entry of the purchase that it gives back, or none when it names none that is known.
    pub original: Seq,
}

/// Where money is spent.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum Place {
    /// At a cashpoint or a bank's counter: all of it is cash.
    Cashpoint = 1,
    /// Without the card at hand.
    Online = 2,
    /// In a shop, some of it perhaps as cashback.
    #[default]
    Shop = 3,
}

impl Place {
    /// The name in metrics and API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cashpoint => "cashpoint",
            Self::Online => "online",
            Self::Shop => "pos",
        }
    }

    const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Cashpoint),
            2 => Some(Self::Online),
            3 => Some(Self::Shop),
            _ => None,
        }
    }
}

/// A reversal that found its original.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reversed {
    /// The request and its answer; amount and fee are what was given back.
    pub answered: Answered,
    /// The entry that is reversed; none when a declined request was reversed.
    pub original: Seq,
    /// What is left of the original's amount.
    pub amount_left: Amount,
    /// What is left of its fee.
    pub fee_left: Amount,
    /// Whether the money had been posted, and not held only.
    pub posted: bool,
    /// Whether it asked for more than there was, gave back nothing, and waits for a person.
    pub parked: bool,
}

/// A reversal without an original.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Remembered {
    /// The request and its answer.
    pub answered: Answered,
    /// The key of the original that it names.
    pub original: RequestKey,
}

/// The end of a hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HoldExpired {
    /// The entry that made the hold.
    pub original: Seq,
    /// What was still held, in cents.
    pub amount: Amount,
    /// The fee that was held with it.
    pub fee: Amount,
}

/// A new card.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Issued {
    /// The PAN, sealed by the shell under the data key: this crate never sees it open here.
    pub sealed_pan: [u8; 24],
    /// Status, ticks, expiry.
    pub controls: Controls,
    /// The number on the back of the card.
    pub mok_id: u32,
    /// The PIN's verification value, where a PIN was set.
    pub pvv: Option<u16>,
    /// Whether the programme's limits apply to this card.
    pub limited: bool,
    /// The card's handle for people.
    pub name: Name,
}

/// Where a load came from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum LoadSource {
    /// Cash at a branch.
    BranchCash = 1,
    /// Another card, through the website.
    Card = 2,
    /// The balance that a card file gives a new card; no limit applies.
    Opening = 3,
    /// A payment order.
    Upn = 4,
}

impl LoadSource {
    const ALL: [Self; 4] = [Self::BranchCash, Self::Card, Self::Opening, Self::Upn];

    /// The name in API and journal.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BranchCash => "branch_cash",
            Self::Card => "card",
            Self::Opening => "opening",
            Self::Upn => "upn",
        }
    }

    /// The source that the API names.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }

    fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|source| *source as u8 == number)
    }
}

/// Money that came in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Loaded {
    /// Cents.
    pub amount: Amount,
    /// Where it came from.
    pub source: LoadSource,
    /// What names this load at its source; the same reference posts once.
    pub reference: Reference,
    /// The balance after it.
    pub balance: Balance,
    /// What was available after it.
    pub available: Balance,
}

/// A short text of at most `N` octets, kept inline.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct ShortText<const N: usize> {
    octets: [u8; N],
    len: u8,
}

/// A card's handle for people, at most 32 octets of UTF-8.
pub type Name = ShortText<32>;

/// A load's reference, at most 64 octets of UTF-8.
pub type Reference = ShortText<64>;

impl<const N: usize> ShortText<N> {
    /// Takes `text` when it is not longer than `N` octets.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let mut octets = [0; N];
        octets.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self { octets, len: u8::try_from(text.len()).ok()? })
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let octets = self.octets.get(..usize::from(self.len)).unwrap_or_default();
        core::str::from_utf8(octets).unwrap_or_default()
    }
}

impl<const N: usize> fmt::Debug for ShortText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

/// Why octets are no entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EntryError {
    /// A field holds what no version of this layout writes; the octet at which it stands.
    BadField(u8),
    /// A kind that this code does not know.
    UnknownKind(u8),
    /// Written by a newer version.
    UnknownVersion(u8),
}

impl fmt::Display for EntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadField(at) => write!(f, "octet {at} of the entry holds no value of its field"),
            Self::UnknownKind(kind) => write!(f, "entry kind {kind} is not known"),
            Self::UnknownVersion(version) => write!(
                f,
                "entry version {version} was written by a newer cekr; this one reads up to \
                 {ENTRY_VERSION}"
            ),
        }
    }
}

impl core::error::Error for EntryError {}

impl Entry {
    /// The name of the kind in journal and API.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.fact {
            Fact::Authorized(_) => "authorized",
            Fact::ControlsSet(_) => "controls_set",
            Fact::Declined(_) => "declined",
            Fact::DeclinesCounted { .. } => "declines_counted",
            Fact::HoldExpired(_) => "hold_expired",
            Fact::Inquired(_) => "inquired",
            Fact::Issued(_) => "issued",
            Fact::Loaded(_) => "loaded",
            Fact::RefundPending(_) => "refund_pending",
            Fact::ReversalRemembered(_) => "reversal_remembered",
            Fact::Reversed(_) => "reversed",
        }
    }

    /// The answer within, where the entry came of a terminal's request.
    #[must_use]
    pub const fn answered(&self) -> Option<&Answered> {
        match &self.fact {
            Fact::Authorized(Authorized { answered, .. })
            | Fact::Declined(answered)
            | Fact::Inquired(answered)
            | Fact::RefundPending(Refund { answered, .. })
            | Fact::ReversalRemembered(Remembered { answered, .. })
            | Fact::Reversed(Reversed { answered, .. }) => Some(answered),
            Fact::ControlsSet(_)
            | Fact::DeclinesCounted { .. }
            | Fact::HoldExpired(_)
            | Fact::Issued(_)
            | Fact::Loaded(_) => None,
        }
    }

    /// The 128 octets of this entry.
    #[must_use]
    pub fn encode(&self) -> EntryBytes {
        let mut out = [0; ENTRY_OCTETS];
        let kind = match &self.fact {
            Fact::Authorized(fact) => {
                encode_answered(&mut out, &fact.answered);
                put(&mut out, 30, [fact.place as u8]);
                put(&mut out, 31, [fact.hold_days]);
                put(&mut out, 106, *fact.answered.merchant.octets());
                put(&mut out, 121, u48(fact.cash.minor()));
                KIND_AUTHORIZED
            }
            Fact::ControlsSet(controls) => {
                put(&mut out, 32, controls.word().to_le_bytes());
                KIND_CONTROLS_SET
            }
            Fact::Declined(answered) => {
                encode_answered(&mut out, answered);
                put(&mut out, 106, *answered.merchant.octets());
                KIND_DECLINED
            }
            Fact::DeclinesCounted { count } => {
                put(&mut out, 32, count.to_le_bytes());
                KIND_DECLINES_COUNTED
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
            Fact::Loaded(fact) => {
                encode_loaded(&mut out, fact);
                KIND_LOADED
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
                put(&mut out, 30, [u8::from(fact.posted), u8::from(fact.parked)]);
                put(&mut out, 106, fact.original.0.to_le_bytes());
                put(&mut out, 114, u48(fact.amount_left.minor()));
                put(&mut out, 120, low_u32(fact.fee_left.minor()).to_le_bytes());
                KIND_REVERSED
            }
        };
        put(&mut out, 0, [kind, ENTRY_VERSION]);
        put(&mut out, 4, self.card.0.to_le_bytes());
        put(&mut out, 8, self.previous.0.to_le_bytes());
        put(&mut out, 16, self.at.to_le_bytes());
        put(&mut out, 24, self.date.packed().to_le_bytes());
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
        let answered = || decode_answered(octets);
        let fact = match kind {
            KIND_AUTHORIZED => Fact::Authorized(Authorized {
                answered: answered()?,
                cash: amount48(octets, 121),
                place: Place::from_number(take::<1>(octets, 30)[0])
                    .ok_or(EntryError::BadField(30))?,
                hold_days: take::<1>(octets, 31)[0],
            }),
            KIND_CONTROLS_SET => {
                Fact::ControlsSet(Controls::from_word(u64::from_le_bytes(take(octets, 32))))
            }
            KIND_DECLINED => Fact::Declined(answered()?),
            KIND_DECLINES_COUNTED => {
                Fact::DeclinesCounted { count: u32::from_le_bytes(take(octets, 32)) }
            }
            KIND_HOLD_EXPIRED => Fact::HoldExpired(HoldExpired {
                original: Seq(u64::from_le_bytes(take(octets, 32))),
                amount: amount48(octets, 64),
                fee: amount32(octets, 88),
            }),
            KIND_INQUIRED => Fact::Inquired(answered()?),
            KIND_ISSUED => Fact::Issued(decode_issued(octets)?),
            KIND_LOADED => Fact::Loaded(decode_loaded(octets)?),
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
                posted: take::<1>(octets, 30) != [0],
                parked: take::<1>(octets, 31) != [0],
            }),
            _ => return Err(EntryError::UnknownKind(kind)),
        };
        Ok(Self {
            card: CardId(u32::from_le_bytes(take(octets, 4))),
            previous: Seq(u64::from_le_bytes(take(octets, 8))),
            at: u64::from_le_bytes(take(octets, 16)),
            date: LocalDate::from_packed(u32::from_le_bytes(take(octets, 24))),
            fact,
        })
    }
}

impl Answered {
    /// A reversal's entry keeps the original where others keep the merchant.
    #[must_use]
    pub(crate) fn without_merchant(mut self) -> Self {
        self.merchant = NO_MERCHANT;
        self
    }
}

/// In place of DE 37 where a request has none.
pub const NO_RRN: Rrn = Rrn::new([0; 12]);

/// In place of DE 42 where a request has none.
pub const NO_MERCHANT: MerchantId = MerchantId::new([0; 15]);

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

/// In octet 29: no PIN try was counted or forgiven.
const PIN_TRIES_UNCHANGED: u8 = 0x0F;

fn encode_answered(out: &mut EntryBytes, answered: &Answered) {
    let tries = answered.pin_tries.unwrap_or(PIN_TRIES_UNCHANGED) & 0x0F;
    put(out, 2, answered.mti.number().to_le_bytes());
    put(out, 28, [answered.reason as u8, tries | answered.missing.bits() << 4]);
    put(out, 32, answered.key.acquirer.to_le_bytes());
    put(out, 40, *answered.key.terminal.octets());
    put(out, 48, answered.key.when.to_le_bytes());
    put(out, 52, stan_and_class(&answered.key).to_le_bytes());
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

fn decode_answered(octets: &EntryBytes) -> Result<Answered, EntryError> {
    let [reason, tries_and_missing] = take(octets, 28);
    let stan_and_class = u32::from_le_bytes(take(octets, 52));
    let code_and_mode = u32::from_le_bytes(take(octets, 56));
    let tries = tries_and_missing & 0x0F;
    let mode = u16::try_from(code_and_mode >> 20).map_err(|_| EntryError::BadField(56))?;
    Ok(Answered {
        mti: Mti::new(u16::from_le_bytes(take(octets, 2))).ok_or(EntryError::BadField(2))?,
        key: RequestKey {
            acquirer: u64::from_le_bytes(take(octets, 32)),
            terminal: TerminalId::new(take(octets, 40)),
            when: u32::from_le_bytes(take(octets, 48)),
            stan: stan_and_class & 0x00FF_FFFF,
            class: stan_and_class.to_le_bytes()[3],
        },
        reason: Reason::from_number(reason).ok_or(EntryError::BadField(28))?,
        missing: Channels::from_bits(tries_and_missing >> 4),
        pin_tries: (tries != PIN_TRIES_UNCHANGED).then_some(tries),
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
    })
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
    })
}

/// In place of a verification value, which has four digits: no PIN was set.
const PVV_NONE: u16 = u16::MAX;

fn encode_loaded(out: &mut EntryBytes, fact: &Loaded) {
    put(out, 28, [fact.source as u8, fact.reference.len]);
    put(out, 32, u48(fact.amount.minor()));
    put(out, 38, i48(fact.balance.minor()));
    put(out, 44, i48(fact.available.minor()));
    put(out, 64, fact.reference.octets);
}

fn decode_loaded(octets: &EntryBytes) -> Result<Loaded, EntryError> {
    let [source, reference_len] = take(octets, 28);
    if usize::from(reference_len) > 64 {
        return Err(EntryError::BadField(29));
    }
    Ok(Loaded {
        amount: amount48(octets, 32),
        source: LoadSource::from_number(source).ok_or(EntryError::BadField(28))?,
        reference: ShortText { octets: take(octets, 64), len: reference_len },
        balance: balance48(octets, 38),
        available: balance48(octets, 44),
    })
}

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
fn put<const N: usize>(out: &mut EntryBytes, at: usize, value: [u8; N]) {
    debug_assert!(at + N <= ENTRY_OCTETS, "a field of an entry lies within it");
    if let Some(room) = out.get_mut(at..at + N) {
        room.copy_from_slice(&value);
    }
}

fn take<const N: usize>(octets: &EntryBytes, at: usize) -> [u8; N] {
    octets.get(at..).and_then(|rest| rest.first_chunk::<N>()).copied().unwrap_or([0; N])
}

#[cfg(test)]
mod tests;
