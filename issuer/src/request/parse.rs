//! Reading a request out of a message: which element means what.
//!
//! Sources: ISO 8583:1987 for the elements; which signal tells which channel is the issuer's rule
//! and stands beside each function.

use cekr_iso8583::View;
use cekr_iso8583::{
    CEKR87, CountryCode, CurrencyCode, FieldSet, Mcc, Mti, OriginalData, Pan, PanError, PinBlock,
    PosEntryMode, ProcessingCode, Sign, SignedAmount, subfield,
};

use super::{
    AdviceAsk, Ask, ExpiryRead, Inbound, Named, Outcome, Reject, Request, ReversalAsk, Spend, alarm,
};
use crate::channel::Channels;
use crate::confirmation::ECI_AUTHENTICATED;
use crate::consent::{ExemptionClaim, is_in_eea, is_numbered_in_eea};
use crate::entry::Place;
use crate::key::RequestKey;
use crate::money::Amount;
use crate::network::NO_TERMINAL;
use crate::reason::Reason;
use crate::{file_action, network, reconciliation};

/// Reads a message; `listener` stands in for an acquirer that the message does not name.
pub(super) fn inbound(view: &View<'_>, listener: u32) -> Result<Inbound, Reject> {
    let mti = view.mti();
    if !mti.is_request() {
        return Err(Reject::IsAnswer);
    }
    match mti.number() {
        100 | 101 | 200 | 201 => card(view, mti, listener, Kind::Request),
        120 | 121 | 220 | 221 => card(view, mti, listener, Kind::Advice),
        302 | 303 => file_action::parse(view, listener).map(Inbound::File),
        400 | 401 | 420 | 421 => card(view, mti, listener, Kind::Reversal),
        500 | 501 | 520 | 521 => reconciliation::parse(view, listener).map(Inbound::Reconciliation),
        800 | 801 => network::parse(view, listener).map(Inbound::Network),
        _ => Err(NOT_SUPPORTED),
    }
}

/// What a message about a card is, by the function and class of its MTI.
#[derive(Clone, Copy)]
enum Kind {
    Advice,
    Request,
    Reversal,
}

/// The elements that every request about a card must have, and the view for the rest.
pub(super) struct Read<'v, 'a> {
    pub(super) view: &'v View<'a>,
    pub(super) mti: Mti,
    pub(super) key: &'v RequestKey,
    pub(super) code: ProcessingCode,
    pub(super) mcc: Mcc,
    pub(super) condition: u8,
    /// Whether something came that only a card at hand gives: a track, a PIN, chip data.
    pub(super) is_read_off_a_card: bool,
    private: Private<'a>,
}

/// Tracks, PIN and chip data.
const READ_OFF_A_CARD: FieldSet = FieldSet::of(&[35, 45, 52, 55]);

/// What is decided by of DE 48.
#[derive(Clone, Copy, Default)]
struct Private<'a> {
    has_aes_pin: bool,
    has_cavv: bool,
    has_cvv2: bool,
    has_eci: bool,
    /// Its number where it is one, else zero.
    eci: u8,
    claim: Option<ExemptionClaim>,
    new_pin_block: Option<&'a [u8]>,
    takes_part: bool,
}

impl<'a> Private<'a> {
    /// Reads what stands there, once. What cannot be read to its end is refused: an ECI that was
    /// cut off may not pass for none. Only `cekr87` says what stands in it.
    #[inline(never)]
    fn fill(&mut self, view: &View<'a>) -> Result<(), Reject> {
        let Some(parts) = view.private() else {
            return Ok(());
        };
        if view.spec().name() == CEKR87.name() && !parts.is_well_formed() {
            return Err(FORMAT_ERROR);
        }
        self.has_aes_pin = parts.value(subfield::PIN_BLOCK).is_some();
        self.has_cvv2 = parts.value(subfield::CVV2).is_some();
        let eci = parts.value(subfield::ECI);
        self.has_eci = eci.is_some();
        self.eci = eci.map_or(0, eci_number);
        self.has_cavv = parts.value(subfield::CAVV).is_some();
        self.claim = parts.value(subfield::EXEMPTION).and_then(ExemptionClaim::parse);
        self.new_pin_block = parts.value(subfield::NEW_PIN_BLOCK);
        self.takes_part = parts.value(subfield::PARTIAL_APPROVAL) == Some(b"1");
        Ok(())
    }
}

/// The indicator as a number; what is none stands for no authentication.
fn eci_number(digits: &[u8]) -> u8 {
    match digits {
        [digit] | [b'0', digit] if digit.is_ascii_digit() => digit & 0x0F,
        _ => 0,
    }
}

pub(crate) const FORMAT_ERROR: Reject = Reject::Answer(Reason::FormatError);
pub(crate) const NOT_SUPPORTED: Reject = Reject::Answer(Reason::NotSupported);

fn card(view: &View<'_>, mti: Mti, listener: u32, kind: Kind) -> Result<Inbound, Reject> {
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
    let mut private = Private::default();
    if view.has(48) {
        private.fill(view)?;
    }
    let condition = view.pos_condition().unwrap_or_default();
    let mcc = view.mcc().unwrap_or_default();
    let is_read_off_a_card = !view.present().intersect(READ_OFF_A_CARD).is_empty();
    let read = Read { view, mti, key: &key, code, mcc, condition, is_read_off_a_card, private };
    let (pan, expiry) = card_data(view)?;
    // Filled in place: most kinds are a word, and the largest is not to be moved for them.
    let mut ask = Ask::Purchase;
    match kind {
        Kind::Advice => advice_ask(&read, &mut ask)?,
        Kind::Request => card_ask(&read, &mut ask)?,
        Kind::Reversal => ask = Ask::Reversal(reversal_ask(&read)?),
    }
    let new_pin_block = new_pin_block(&read, &ask)?;
    let transaction_amount = transaction_amount(view, &ask)?;
    let amount = billing_amount(view, currency, transaction_amount)?;
    let cash = cash_part(&read, &ask, currency, transaction_amount, amount)?;
    let country = view.location_country();
    let entry_mode = view.pos_entry_mode().unwrap_or_default();
    let is_online = is_not_present(&read, entry_mode);
    Ok(Inbound::Card(Request {
        mti,
        key,
        pan,
        expiry,
        processing_code: code,
        transaction_amount,
        currency,
        amount,
        cash,
        place: place(&ask, is_online, mcc),
        needs: needs(&read, &ask, is_online, cash, country),
        entry_mode,
        condition,
        mcc,
        country,
        rrn: view.rrn(),
        merchant: view.merchant(),
        pin_block: view.pin_block(),
        new_pin_block,
        has_chip_data: view.has(55),
        has_verification_value: view.has(35) || read.private.has_cvv2,
        has_aes_pin: read.private.has_aes_pin,
        asks_consent: is_online && asks_consent(&read, &ask, entry_mode, country),
        has_cavv: read.private.has_cavv,
        is_authenticated: read.private.eci == ECI_AUTHENTICATED,
        claim: read.private.claim,
        partial_allowed: read.private.takes_part,
        alarms: alarm::of(&read, is_online, currency, (transaction_amount, amount)),
        ask,
    }))
}

#[inline]
pub(crate) fn acquirer(view: &View<'_>, listener: u32) -> u64 {
    view.acquirer().map_or(RequestKey::listener(listener), |institution| institution.number())
}

/// The number and the expiry, from DE 2 and 14, from track 2, or from both when they agree.
#[inline(always)]
fn card_data(view: &View<'_>) -> Result<(Result<Pan, PanError>, ExpiryRead), Reject> {
    if view.has(35) {
        return card_data_of_track(view);
    }
    let pan = view.pan().ok_or(FORMAT_ERROR)?;
    match view.expiry() {
        Some(expiry) => Ok((pan, ExpiryRead::Told(expiry))),
        None if view.has(14) => Err(FORMAT_ERROR),
        None => Ok((pan, ExpiryRead::Absent)),
    }
}

#[inline(never)]
fn card_data_of_track(view: &View<'_>) -> Result<(Result<Pan, PanError>, ExpiryRead), Reject> {
    let Some(Ok(track)) = view.track2() else {
        return Err(FORMAT_ERROR);
    };
    let pan = match view.pan() {
        None => track.pan,
        Some(pan) if pan == track.pan && (pan.is_ok() || is_one_number(view)) => pan,
        Some(_) => return Err(FORMAT_ERROR),
    };
    let told = view.expiry();
    if view.has(14) && told.is_none() {
        return Err(FORMAT_ERROR);
    }
    let expiry = match (told, track.expiry) {
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
fn card_ask(read: &Read<'_, '_>, ask: &mut Ask) -> Result<(), Reject> {
    if read.condition == 51 && read.code.transaction() == 0 && is_zero(read.view) {
        *ask = Ask::AccountCheck;
        return Ok(());
    }
    match (read.code.transaction(), spend(read)) {
        (_, Some(Spend::Withdrawal)) => *ask = Ask::Withdrawal,
        (_, Some(Spend::Purchase)) => match increment(read) {
            Some(named) => *ask = Ask::Increment(named),
            None => *ask = Ask::Purchase,
        },
        (20, None) => *ask = Ask::Refund { original: original_data(read) },
        (30 | 31, None) => *ask = Ask::BalanceInquiry,
        (32, None) => *ask = Ask::FeeEnquiry,
        (92, None) => *ask = Ask::PinChange,
        (_, None) => return Err(NOT_SUPPORTED),
    }
    Ok(())
}

/// What is bought, by the first two digits of DE 3 and the merchant's business; none of it when
/// nothing is.
fn spend(read: &Read<'_, '_>) -> Option<Spend> {
    match read.code.transaction() {
        0 | 9 | 11 if is_bank(read.mcc) => Some(Spend::Withdrawal),
        0 | 9 | 11 => Some(Spend::Purchase),
        1 | 17 => Some(Spend::Withdrawal),
        _ => None,
    }
}

/// A cashpoint (6011) or a bank's counter (6010).
pub(super) fn is_bank(mcc: Mcc) -> bool {
    matches!(mcc.number(), 6010 | 6011)
}

/// A message with an estimated amount that names another one adds to its hold.
fn increment(read: &Read<'_, '_>) -> Option<Named> {
    if read.condition != 6 || read.key.class != 1 {
        return None;
    }
    let named = named(read);
    (named != Named::default()).then_some(named)
}

fn named(read: &Read<'_, '_>) -> Named {
    // What is there and cannot be read names nothing that is known: it is not the same as none.
    let original = read.view.has(90).then(|| original_data(read).unwrap_or(NOBODY));
    Named { original, auth_code: read.view.auth_code() }
}

/// The key of no message: none has such a class.
const NOBODY: RequestKey =
    RequestKey { acquirer: 0, terminal: NO_TERMINAL, when: 0, stan: 0, class: u8::MAX };

/// What a 012x or 022x tells.
fn advice_ask(read: &Read<'_, '_>, ask: &mut Ask) -> Result<(), Reject> {
    let is_refund = read.key.class == 2 && read.code.transaction() == 20;
    *ask = match spend(read) {
        Some(spend) => {
            Ask::Advice(AdviceAsk { spend, named: named(read), outcome: outcome(read.view) })
        }
        None if is_refund => Ask::Refund { original: original_data(read) },
        None => return Err(NOT_SUPPORTED),
    };
    Ok(())
}

fn outcome(view: &View<'_>) -> Outcome {
    match view.response_code() {
        None => Outcome::Approved,
        Some(code) if APPROVALS.contains(code.octets()) => Outcome::Approved,
        Some(_) => Outcome::Declined,
    }
}

/// Codes with which a terminal may go ahead (ISO 8583:1987, DE 39): approved, with identification,
/// in part, for a very important person, no reason to decline.
const APPROVALS: [[u8; 2]; 5] = [*b"00", *b"08", *b"10", *b"11", *b"85"];

/// The block of a PIN change, which must be there.
fn new_pin_block(read: &Read<'_, '_>, ask: &Ask) -> Result<Option<PinBlock>, Reject> {
    if *ask != Ask::PinChange {
        return Ok(None);
    }
    let digits = read.private.new_pin_block.ok_or(FORMAT_ERROR)?;
    // Of format 4 it is twice as long, and the shell takes it out of the message by itself.
    if digits.len() == 32 && digits.iter().all(u8::is_ascii_hexdigit) {
        return Ok(None);
    }
    octets_of_hex(digits).map(|octets| Some(PinBlock::new(octets))).ok_or(FORMAT_ERROR)
}

fn octets_of_hex(digits: &[u8]) -> Option<[u8; 8]> {
    let digits: &[u8; 16] = digits.try_into().ok()?;
    let mut octets = [0; 8];
    for (octet, pair) in octets.iter_mut().zip(digits.as_chunks::<2>().0) {
        let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
        *octet = u8::try_from(high? << 4 | low?).ok()?;
    }
    Some(octets)
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
    let itself = RequestKey { class: 0, ..*read.key };
    let actual = match view.replacement_amounts() {
        None => Amount::default(),
        Some(Ok(amounts)) => amounts.transaction,
        Some(Err(_)) => return Err(FORMAT_ERROR),
    };
    Ok(ReversalAsk {
        original: original_data(read).unwrap_or(itself),
        auth_code: view.auth_code(),
        is_advice: matches!(read.mti.number(), 420 | 421),
        cause: view.response_code(),
        actual,
    })
}

/// DE 4, which must be there where money moves.
fn transaction_amount(view: &View<'_>, ask: &Ask) -> Result<Amount, Reject> {
    let amount = view.amount(4);
    match ask {
        Ask::AccountCheck | Ask::BalanceInquiry | Ask::PinChange => Ok(amount.unwrap_or_default()),
        Ask::Advice(_)
        | Ask::FeeEnquiry
        | Ask::Increment(_)
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
#[inline(always)]
fn cash_part(
    read: &Read<'_, '_>,
    ask: &Ask,
    currency: CurrencyCode,
    transaction_amount: Amount,
    amount: Amount,
) -> Result<Amount, Reject> {
    let in_transaction_currency = match ask {
        Ask::Advice(AdviceAsk { spend: Spend::Withdrawal, .. })
        | Ask::FeeEnquiry
        | Ask::Withdrawal => {
            let surcharge = surcharge(read.view);
            transaction_amount.checked_sub(surcharge).ok_or(FORMAT_ERROR)?
        }
        Ask::Advice(AdviceAsk { spend: Spend::Purchase, .. }) | Ask::Purchase => {
            let cash = cashback(read.view)?;
            transaction_amount.checked_sub(cash).ok_or(FORMAT_ERROR)?;
            cash
        }
        Ask::AccountCheck
        | Ask::BalanceInquiry
        | Ask::Increment(_)
        | Ask::PinChange
        | Ask::Refund { .. }
        | Ask::Reversal(_) => Amount::default(),
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

#[inline(always)]
fn place(ask: &Ask, is_online: bool, mcc: Mcc) -> Place {
    let elsewhere = if is_online { Place::Online } else { Place::Shop };
    match ask {
        Ask::Advice(AdviceAsk { spend: Spend::Withdrawal, .. })
        | Ask::FeeEnquiry
        | Ask::Withdrawal => Place::Cashpoint,
        Ask::AccountCheck | Ask::BalanceInquiry | Ask::PinChange if is_bank(mcc) => {
            Place::Cashpoint
        }
        Ask::AccountCheck
        | Ask::Advice(_)
        | Ask::BalanceInquiry
        | Ask::Increment(_)
        | Ask::PinChange
        | Ask::Purchase
        | Ask::Refund { .. }
        | Ask::Reversal(_) => elsewhere,
    }
}

/// Whether the card is not at hand: e-commerce and stored credentials by DE 22 or an ECI, always;
/// mail, phone and the like by DE 25 only where nothing was read off a card.
#[inline(always)]
fn is_not_present(read: &Read<'_, '_>, entry_mode: PosEntryMode) -> bool {
    if matches!(entry_mode.entry, 9 | 10 | 81 | 82) || read.private.has_eci {
        return true;
    }
    matches!(read.condition, 1 | 5 | 8 | 59) && !read.is_read_off_a_card
}

/// Whether a request without the card is one that the holder must have confirmed: a purchase in a
/// shop of the EEA, unless it came by mail or phone, or the merchant began it.
///
/// The indicator of an authentication (05 to 07) contradicts mail and phone, and a merchant's own
/// doing; the stricter reading counts. A shop that tells no country counts as one of the EEA.
#[inline(never)]
fn asks_consent(
    read: &Read<'_, '_>,
    ask: &Ask,
    entry_mode: PosEntryMode,
    country: Option<[u8; 2]>,
) -> bool {
    if !matches!(ask, Ask::Increment(_) | Ask::Purchase) {
        return false;
    }
    let says_web = matches!(read.private.eci, 5..=7);
    let is_by_mail_or_phone = matches!(read.condition, 1 | 8);
    // Credentials that the merchant keeps, used while the holder is not there.
    let is_begun_by_merchant = entry_mode.entry == 10;
    if (is_by_mail_or_phone || is_begun_by_merchant) && !says_web {
        return false;
    }
    match (country, read.view.acquirer_country()) {
        (Some(letters), _) => is_in_eea(letters),
        (None, Some(number)) => is_numbered_in_eea(number.number()),
        (None, None) => true,
    }
}

/// The channels that a request falls under; a signal that contradicts another adds its channel.
#[inline(always)]
fn needs(
    read: &Read<'_, '_>,
    ask: &Ask,
    is_online: bool,
    cash: Amount,
    country: Option<[u8; 2]>,
) -> Channels {
    let is_cash = match ask {
        Ask::Withdrawal => true,
        // Type 09 says that there is cash in it even where DE 54 does not say how much.
        Ask::Increment(_) | Ask::Purchase => cash.minor() > 0 || read.code.transaction() == 9,
        Ask::AccountCheck
        | Ask::Advice(_)
        | Ask::BalanceInquiry
        | Ask::FeeEnquiry
        | Ask::PinChange
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
    !is_slovenian_terminal(view)
}

/// Whether the chip's data say so. Apart, for few messages tell it nowhere else.
#[cold]
fn is_slovenian_terminal(view: &View<'_>) -> bool {
    let mut scratch = [0; CHIP_DATA_MAX];
    let terminal_country = view
        .chip_data(&mut scratch)
        .and_then(|chip_data| cekr_emv::tlv::value_of(chip_data, TERMINAL_COUNTRY_CODE));
    terminal_country == Some(&[0x07, 0x05])
}

/// Tag of the terminal's country in the chip's data (EMV Book 3, Annex A): ISO 3166-1 numeric.
const TERMINAL_COUNTRY_CODE: u32 = 0x9F1A;

/// What an authorization carries of the chip's data; more than this is no request of a terminal.
const CHIP_DATA_MAX: usize = 256;
