//! What a terminal asks, read once from its message: a closed set, or why it cannot be read so.
//!
//! Here the elements of a message get their meaning: which kind of request it is, in whose
//! currency it counts, whether the card is at hand, whether it is cash, whether it is abroad.
//! Nothing here knows a card or a setting.
//!
//! Sources: ISO 8583:1987 for the elements; which signal tells which channel is the issuer's rule
//! and stands beside each function.

use cekr_iso8583::View;
use cekr_iso8583::{
    AuthCode, CEKR87, CountryCode, CurrencyCode, Expiry, Mcc, MerchantId, Mti, OriginalData, Pan,
    PanError, PinBlock, PosEntryMode, ProcessingCode, Rrn, Sign, SignedAmount,
};

use crate::channel::Channels;
use crate::entry::Place;
use crate::key::RequestKey;
use crate::money::Amount;
use crate::reason::Reason;

/// A message that the issuer serves.
#[derive(Clone, Debug)]
pub enum Inbound {
    /// About a card.
    Card(Request),
    /// About the link itself.
    Network(NetworkAsk),
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
    /// Whether chip data came (DE 55).
    pub has_chip_data: bool,
    /// Whether the terminal can take an approval of part of the amount (DE 48 id 61).
    pub partial_allowed: bool,
}

/// The closed set of what can be asked about a card.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ask {
    /// Does the account exist (DE 25 = 51, amount zero).
    AccountCheck,
    /// How much is there (DE 3 = 30, 31).
    BalanceInquiry,
    /// What would a withdrawal cost (DE 3 = 32).
    FeeEnquiry,
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

/// What a reversal names and asks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReversalAsk {
    /// The original by DE 90, or by the reversal's own trace number, time and terminal.
    pub original: RequestKey,
    /// DE 38, by which it may be found together with DE 37.
    pub auth_code: Option<AuthCode>,
    /// Whether it tells what happened (042x) instead of asking (040x).
    pub is_advice: bool,
    /// The amount that did happen (DE 95), in the currency of DE 49; zero for none of it.
    pub actual: Amount,
}

/// Network management (08xx), by DE 70.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NetworkAsk {
    /// 201: the acquirer's day ends.
    Cutover,
    /// 301: are you there.
    Echo,
    /// 002.
    SignOff,
    /// 001.
    SignOn,
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
        let mti = view.mti();
        if !mti.is_request() {
            return Err(Reject::IsAnswer);
        }
        match mti.number() {
            100 | 101 | 200 | 201 => parse_card(view, mti, listener, card_ask),
            400 | 401 | 420 | 421 => {
                parse_card(view, mti, listener, |read| Ok(Ask::Reversal(reversal_ask(read)?)))
            }
            800 | 801 => parse_network(view),
            _ => Err(Reject::Answer(Reason::NotSupported)),
        }
    }
}

impl Request {
    /// Whether the card is not at hand: entry by e-commerce or mail and phone.
    #[must_use]
    pub const fn is_not_present(&self) -> bool {
        self.needs.contains(Channels::ONLINE)
    }

    /// Whether money leaves the card.
    #[must_use]
    pub const fn takes_money(&self) -> bool {
        matches!(self.ask, Ask::Purchase | Ask::Withdrawal)
    }

    /// Whether the amount is in the account's own currency.
    #[must_use]
    pub fn is_domestic_currency(&self) -> bool {
        self.currency == CurrencyCode::EUR
    }

    /// Whether the card was read by its stripe although it has a chip (DE 22 = 80).
    #[must_use]
    pub const fn is_fallback(&self) -> bool {
        self.entry_mode.entry == 80
    }
}

/// The elements that every request about a card must have, and the view for the rest.
struct Read<'v, 'a> {
    view: &'v View<'a>,
    mti: Mti,
    key: RequestKey,
    code: ProcessingCode,
    mcc: Mcc,
    condition: u8,
}

const FORMAT_ERROR: Reject = Reject::Answer(Reason::FormatError);
const NOT_SUPPORTED: Reject = Reject::Answer(Reason::NotSupported);

fn parse_network(view: &View<'_>) -> Result<Inbound, Reject> {
    let (Some(_), Some(_), Some(code)) =
        (view.transmission_time(), view.stan(), view.network_code())
    else {
        return Err(FORMAT_ERROR);
    };
    let ask = match code {
        1 => NetworkAsk::SignOn,
        2 => NetworkAsk::SignOff,
        201 => NetworkAsk::Cutover,
        301 => NetworkAsk::Echo,
        _ => return Err(NOT_SUPPORTED),
    };
    Ok(Inbound::Network(ask))
}

fn parse_card<'v, 'a>(
    view: &'v View<'a>,
    mti: Mti,
    listener: u32,
    ask: impl FnOnce(&Read<'v, 'a>) -> Result<Ask, Reject>,
) -> Result<Inbound, Reject> {
    let (Some(code), Some(transmitted), Some(stan), Some(terminal), Some(currency)) = (
        view.processing_code(),
        view.transmission_time(),
        view.stan(),
        view.terminal(),
        view.currency(49),
    ) else {
        return Err(FORMAT_ERROR);
    };
    let key = RequestKey {
        acquirer: acquirer(view, listener),
        terminal,
        when: transmitted.number(),
        stan: stan.number(),
        class: mti.class_pair(),
    };
    if is_private_cut(view) {
        return Err(FORMAT_ERROR);
    }
    let condition = view.pos_condition().unwrap_or_default();
    let mcc = view.mcc().unwrap_or_default();
    let read = Read { view, mti, key, code, mcc, condition };
    let (pan, expiry) = card_data(view)?;
    let ask = ask(&read)?;
    let transaction_amount = transaction_amount(view, ask)?;
    let amount = billing_amount(view, currency, transaction_amount)?;
    let cash = cash_part(&read, ask, currency, transaction_amount, amount)?;
    let country = country(view);
    let entry_mode = view.pos_entry_mode().unwrap_or_default();
    let is_online = is_not_present(&read, entry_mode);
    Ok(Inbound::Card(Request {
        mti,
        key,
        ask,
        pan,
        expiry,
        processing_code: code,
        transaction_amount,
        currency,
        amount,
        cash,
        place: place(ask, is_online),
        needs: needs(&read, ask, is_online, cash, country),
        entry_mode,
        condition,
        mcc,
        country,
        rrn: view.rrn(),
        merchant: view.merchant(),
        pin_block: view.pin_block(),
        has_chip_data: view.has(55),
        partial_allowed: private_is(view, b"61", b"1"),
    }))
}

fn acquirer(view: &View<'_>, listener: u32) -> u64 {
    view.acquirer().map_or(RequestKey::listener(listener), |institution| institution.number())
}

/// The number and the expiry, from DE 2 and 14, from track 2, or from both when they agree.
fn card_data(view: &View<'_>) -> Result<(Result<Pan, PanError>, ExpiryRead), Reject> {
    let track = match view.track2() {
        None => None,
        Some(Ok(track)) => Some(track),
        Some(Err(_)) => return Err(FORMAT_ERROR),
    };
    let pan = match (view.pan(), track) {
        (None, None) => return Err(FORMAT_ERROR),
        (Some(pan), None) => pan,
        (None, Some(track)) => track.pan,
        (Some(pan), Some(track)) if pan == track.pan && (pan.is_ok() || is_one_number(view)) => pan,
        (Some(_), Some(_)) => return Err(FORMAT_ERROR),
    };
    let told = view.expiry();
    if view.has(14) && told.is_none() {
        return Err(FORMAT_ERROR);
    }
    let expiry = match (told, track.and_then(|track| track.expiry)) {
        (None, None) => ExpiryRead::Absent,
        (Some(expiry), None) | (None, Some(expiry)) => ExpiryRead::Told(expiry),
        (Some(one), Some(other)) if one == other => ExpiryRead::Told(one),
        (Some(_), Some(_)) => ExpiryRead::Contradictory,
    };
    Ok((pan, expiry))
}

/// Whether DE 2 and track 2 write the same digits: two numbers with one fault can differ.
fn is_one_number(view: &View<'_>) -> bool {
    let (Some(number), Some(track)) = (view.field(2), view.field(35)) else {
        return false;
    };
    number.characters().eq(track.characters().take_while(u8::is_ascii_digit))
}

/// The kind of a 01xx or 02xx by the first two digits of DE 3.
fn card_ask(read: &Read<'_, '_>) -> Result<Ask, Reject> {
    let is_bank_cash = matches!(read.mcc.number(), 6010 | 6011);
    match read.code.transaction() {
        0 if read.condition == 51 && is_zero(read.view) => Ok(Ask::AccountCheck),
        0 | 9 | 11 if is_bank_cash => Ok(Ask::Withdrawal),
        0 | 9 | 11 => Ok(Ask::Purchase),
        1 | 17 => Ok(Ask::Withdrawal),
        20 => Ok(Ask::Refund { original: original_data(read) }),
        30 | 31 => Ok(Ask::BalanceInquiry),
        32 => Ok(Ask::FeeEnquiry),
        _ => Err(NOT_SUPPORTED),
    }
}

fn is_zero(view: &View<'_>) -> bool {
    view.amount(4).unwrap_or_default().minor() == 0
}

/// The request that DE 90 names, at this message's own terminal.
fn original_data(read: &Read<'_, '_>) -> Option<RequestKey> {
    let OriginalData { mti, stan, transmitted, .. } = read.view.original_data()?;
    Some(RequestKey {
        acquirer: read.key.acquirer,
        terminal: read.key.terminal,
        when: transmitted.number(),
        stan: stan.number(),
        // A terminal that does not know the type it sent fills in zeros.
        class: mti.class_pair(),
    })
}

fn reversal_ask(read: &Read<'_, '_>) -> Result<ReversalAsk, Reject> {
    let view = read.view;
    let itself = RequestKey { class: 0, ..read.key };
    let actual = match view.replacement_amounts() {
        None => Amount::default(),
        Some(Ok(amounts)) => amounts.transaction,
        Some(Err(_)) => return Err(FORMAT_ERROR),
    };
    Ok(ReversalAsk {
        original: original_data(read).unwrap_or(itself),
        auth_code: view.auth_code(),
        is_advice: matches!(read.mti.number(), 420 | 421),
        actual,
    })
}

/// DE 4, which must be there where money moves.
fn transaction_amount(view: &View<'_>, ask: Ask) -> Result<Amount, Reject> {
    let amount = view.amount(4);
    match ask {
        Ask::AccountCheck | Ask::BalanceInquiry => Ok(amount.unwrap_or_default()),
        Ask::FeeEnquiry
        | Ask::Purchase
        | Ask::Refund { .. }
        | Ask::Reversal(_)
        | Ask::Withdrawal => amount.ok_or(FORMAT_ERROR),
    }
}

/// What the transaction is in cents of the account: the network converts, the issuer does not.
fn billing_amount(
    view: &View<'_>,
    currency: CurrencyCode,
    transaction_amount: Amount,
) -> Result<Amount, Reject> {
    if currency == CurrencyCode::EUR || transaction_amount.minor() == 0 {
        return Ok(transaction_amount);
    }
    match (view.amount(6), view.currency(51)) {
        (Some(amount), Some(CurrencyCode::EUR)) => Ok(amount),
        _ => Err(NOT_SUPPORTED),
    }
}

/// The cash in `amount`, in cents: a withdrawal less the machine owner's surcharge (DE 28), or
/// the cash part of a purchase (DE 54, amount type 40).
fn cash_part(
    read: &Read<'_, '_>,
    ask: Ask,
    currency: CurrencyCode,
    transaction_amount: Amount,
    amount: Amount,
) -> Result<Amount, Reject> {
    let in_transaction_currency = match ask {
        Ask::FeeEnquiry | Ask::Withdrawal => {
            let surcharge = surcharge(read.view);
            transaction_amount.checked_sub(surcharge).ok_or(FORMAT_ERROR)?
        }
        Ask::Purchase => {
            let cash = cashback(read.view)?;
            transaction_amount.checked_sub(cash).ok_or(FORMAT_ERROR)?;
            cash
        }
        Ask::AccountCheck | Ask::BalanceInquiry | Ask::Refund { .. } | Ask::Reversal(_) => {
            Amount::default()
        }
    };
    if currency == CurrencyCode::EUR {
        return Ok(in_transaction_currency);
    }
    Ok(amount.share(in_transaction_currency, transaction_amount))
}

/// What the machine's owner adds to the cash (DE 28 with a debit sign).
fn surcharge(view: &View<'_>) -> Amount {
    match view.fee_amount(28) {
        Some(SignedAmount { sign: Sign::Debit, amount }) => amount,
        Some(SignedAmount { sign: Sign::Credit, .. }) | None => Amount::default(),
    }
}

/// The merchant's country, where positions 39 and 40 of DE 43 are letters.
fn country(view: &View<'_>) -> Option<[u8; 2]> {
    let letters = view.location()?.octets().last_chunk::<2>().copied()?;
    letters.iter().all(u8::is_ascii_alphabetic).then_some(letters)
}

/// The cash of a purchase; what cannot be read may not pass for none.
fn cashback(view: &View<'_>) -> Result<Amount, Reject> {
    let Some(mut amounts) = view.additional_amounts() else {
        return Ok(Amount::default());
    };
    amounts.try_fold(Amount::default(), |sum, part| match part {
        Ok(part) if part.kind == 40 => Ok(sum.saturating_add(part.amount)),
        Ok(_) => Ok(sum),
        Err(_) => Err(FORMAT_ERROR),
    })
}

fn place(ask: Ask, is_online: bool) -> Place {
    match ask {
        Ask::FeeEnquiry | Ask::Withdrawal => Place::Cashpoint,
        Ask::AccountCheck
        | Ask::BalanceInquiry
        | Ask::Purchase
        | Ask::Refund { .. }
        | Ask::Reversal(_) => {
            if is_online {
                Place::Online
            } else {
                Place::Shop
            }
        }
    }
}

/// Whether the card is not at hand: e-commerce and stored credentials by DE 22 or an ECI, always;
/// mail, phone and the like by DE 25 only where nothing was read off a card.
fn is_not_present(read: &Read<'_, '_>, entry_mode: PosEntryMode) -> bool {
    let view = read.view;
    if matches!(entry_mode.entry, 9 | 10 | 81 | 82) || has_private(view, b"42") {
        return true;
    }
    let is_read_off_a_card = view.has(35) || view.has(45) || view.has(52) || view.has(55);
    matches!(read.condition, 1 | 5 | 8 | 59) && !is_read_off_a_card
}

/// The channels that a request falls under; a signal that contradicts another adds its channel.
fn needs(
    read: &Read<'_, '_>,
    ask: Ask,
    is_online: bool,
    cash: Amount,
    country: Option<[u8; 2]>,
) -> Channels {
    let is_cash = match ask {
        Ask::Withdrawal => true,
        // Type 09 says that there is cash in it even where DE 54 does not say how much.
        Ask::Purchase => cash.minor() > 0 || read.code.transaction() == 9,
        Ask::AccountCheck
        | Ask::BalanceInquiry
        | Ask::FeeEnquiry
        | Ask::Refund { .. }
        | Ask::Reversal(_) => false,
    };
    Channels::NONE
        .with(Channels::CASHPOINT, is_cash)
        .with(Channels::ONLINE, is_online)
        .with(Channels::ABROAD, is_abroad(read.view, country))
}

/// Whether the merchant is outside Slovenia: DE 43, else DE 19, else the terminal's own country
/// (tag 9F1A); a merchant who tells none of them counts as abroad.
fn is_abroad(view: &View<'_>, country: Option<[u8; 2]>) -> bool {
    if let Some(letters) = country {
        return !letters.eq_ignore_ascii_case(b"SI");
    }
    if let Some(country) = view.acquirer_country() {
        return country != CountryCode::SLOVENIA;
    }
    let mut scratch = [0; CHIP_DATA_MAX];
    let terminal_country = view
        .chip_data(&mut scratch)
        .and_then(|chip_data| cekr_emv::tlv::value_of(chip_data, TERMINAL_COUNTRY_CODE));
    terminal_country != Some(&[0x07, 0x05])
}

/// Tag of the terminal's country in the chip's data (EMV Book 3, Annex A): ISO 3166-1 numeric.
const TERMINAL_COUNTRY_CODE: u32 = 0x9F1A;

/// What an authorization carries of the chip's data; more than this is no request of a terminal.
const CHIP_DATA_MAX: usize = 256;

/// Whether DE 48 cannot be read to its end: an ECI that was cut off may not pass for none. Only
/// `cekr87` says what stands in it.
fn is_private_cut(view: &View<'_>) -> bool {
    view.has(48)
        && view.spec().name() == CEKR87.name()
        && view.private().is_some_and(|parts| !parts.is_well_formed())
}

fn has_private(view: &View<'_>, id: &[u8; 2]) -> bool {
    view.private().is_some_and(|parts| parts.value(*id).is_some())
}

fn private_is(view: &View<'_>, id: &[u8; 2], value: &[u8]) -> bool {
    view.private().is_some_and(|parts| parts.value(*id) == Some(value))
}
