//! Typed reads of a view: lazy, one for each element that an issuer decides by.
//!
//! `None` means that the element is absent. Shape is proven by the time a view exists; whether a
//! card number passes its check or a date is on the calendar is told or left open here, and judged
//! elsewhere.

use crate::amount::{AdditionalAmounts, Amount, ReplacementAmounts, SignedAmount};
use crate::digits;
use crate::element::{
    AuthCode, CountryCode, CurrencyCode, Expiry, Institution, Location, Mcc, MerchantId, MonthDay,
    OriginalData, PinBlock, PosEntryMode, ProcessingCode, ResponseCode, Rrn, Stan, TerminalId,
    TimeOfDay, Track2, TransmissionTime,
};
use crate::error::{Malformed, Track2Error};
use crate::pan::{Pan, PanError};
use crate::spec::Check;
use crate::subfield::Tagged;
use crate::view::View;

impl<'a> View<'a> {
    /// Primary account number (DE 2).
    #[inline(always)]
    #[must_use]
    pub fn pan(&self) -> Option<Result<Pan, PanError>> {
        let (def, _) = self.entry(2)?;
        if def.check() == Check::Digits {
            // Decoding has proven the digits.
            return self.raw(2).map(Pan::of_digits);
        }
        Some(self.pan_elsewise())
    }

    fn pan_elsewise(&self) -> Result<Pan, PanError> {
        let mut text = [0; 19];
        let ascii = self.field(2).and_then(|field| field.text(&mut text));
        ascii.map_or(Err(PanError::BadLength), Pan::parse)
    }

    /// Processing code (DE 3).
    #[inline]
    #[must_use]
    pub fn processing_code(&self) -> Option<ProcessingCode> {
        self.digits::<6>(3).map(ProcessingCode::proven::<6>)
    }

    /// An amount: DE 4 transaction, 5 settlement, 6 billing, 8 billing fee.
    #[inline]
    #[must_use]
    pub fn amount(&self, de: u8) -> Option<Amount> {
        match self.fixed_digits::<12>(de) {
            Some(octets) => Some(digits::of_array(octets)),
            None if self.has(de) => self.number_elsewise(de, u64::MAX),
            None => None,
        }
        .map(Amount::from_minor)
    }

    /// Transmission date and time (DE 7). Ten digits can be more than its 32 bits hold: a month
    /// that far out is none, and must not be taken for another.
    #[inline]
    #[must_use]
    pub fn transmission_time(&self) -> Option<TransmissionTime> {
        self.digits::<10>(7).and_then(TransmissionTime::from_digits)
    }

    /// System trace audit number (DE 11).
    #[inline]
    #[must_use]
    pub fn stan(&self) -> Option<Stan> {
        self.digits::<6>(11).map(Stan::proven::<6>)
    }

    /// Local time (DE 12).
    #[inline]
    #[must_use]
    pub fn local_time(&self) -> Option<TimeOfDay> {
        self.digits::<6>(12).map(TimeOfDay::proven::<6>)
    }

    /// Local date (DE 13).
    #[inline]
    #[must_use]
    pub fn local_date(&self) -> Option<MonthDay> {
        self.digits::<4>(13).map(MonthDay::proven::<4>)
    }

    /// Expiry (DE 14).
    #[inline]
    #[must_use]
    pub fn expiry(&self) -> Option<Expiry> {
        self.digits::<4>(14).map(Expiry::proven::<4>)
    }

    /// Merchant category (DE 18).
    #[inline]
    #[must_use]
    pub fn mcc(&self) -> Option<Mcc> {
        self.digits::<4>(18).map(Mcc::proven::<4>)
    }

    /// Country of the acquirer (DE 19).
    #[inline]
    #[must_use]
    pub fn acquirer_country(&self) -> Option<CountryCode> {
        self.digits::<3>(19).map(CountryCode::proven::<3>)
    }

    /// Entry mode (DE 22).
    #[inline]
    #[must_use]
    pub fn pos_entry_mode(&self) -> Option<PosEntryMode> {
        self.digits::<3>(22).map(PosEntryMode::from_digits)
    }

    /// Point of service condition code (DE 25), two digits.
    #[inline]
    #[must_use]
    pub fn pos_condition(&self) -> Option<u8> {
        // Two digits: below a hundred.
        self.digits::<2>(25).map(|code| code as u8)
    }

    /// A fee or net amount with its sign (DE 28 to 31, 97).
    #[inline]
    #[must_use]
    pub fn fee_amount(&self, de: u8) -> Option<SignedAmount> {
        let mut text = [0; 17];
        SignedAmount::parse(self.field(de)?.text(&mut text)?)
    }

    /// Acquiring institution (DE 32).
    #[inline]
    #[must_use]
    pub fn acquirer(&self) -> Option<Institution> {
        self.number(32).and_then(Institution::from_digits)
    }

    /// Forwarding institution (DE 33).
    #[inline]
    #[must_use]
    pub fn forwarder(&self) -> Option<Institution> {
        self.number(33).and_then(Institution::from_digits)
    }

    /// Track 2 (DE 35).
    #[inline]
    #[must_use]
    pub fn track2(&self) -> Option<Result<Track2, Track2Error>> {
        let field = self.field(35)?;
        if let Some(ascii) = field.ascii() {
            return Some(Track2::parse(ascii));
        }
        let mut text = [0; 37];
        Some(field.text(&mut text).map_or(Err(Track2Error::NoSeparator), Track2::parse))
    }

    /// Retrieval reference number (DE 37).
    #[inline]
    #[must_use]
    pub fn rrn(&self) -> Option<Rrn> {
        self.array(37).map(Rrn::new)
    }

    /// Authorization code (DE 38).
    #[inline]
    #[must_use]
    pub fn auth_code(&self) -> Option<AuthCode> {
        self.array(38).map(AuthCode::new)
    }

    /// Response code (DE 39).
    #[inline]
    #[must_use]
    pub fn response_code(&self) -> Option<ResponseCode> {
        self.array(39).map(ResponseCode::new)
    }

    /// Terminal (DE 41).
    #[inline]
    #[must_use]
    pub fn terminal(&self) -> Option<TerminalId> {
        self.array(41).map(TerminalId::new)
    }

    /// Merchant (DE 42).
    #[inline]
    #[must_use]
    pub fn merchant(&self) -> Option<MerchantId> {
        self.array(42).map(MerchantId::new)
    }

    /// Where the merchant is (DE 43).
    #[inline]
    #[must_use]
    pub fn location(&self) -> Option<Location> {
        self.array(43).map(Location::new)
    }

    /// Its last two characters, where they are letters: the merchant's country (DE 43).
    #[inline(always)]
    #[must_use]
    pub fn location_country(&self) -> Option<[u8; 2]> {
        let letters = match self.fixed_text::<40>(43) {
            Some(octets) => *octets.last_chunk::<2>()?,
            None => *self.location()?.octets().last_chunk::<2>()?,
        };
        letters.iter().all(u8::is_ascii_alphabetic).then_some(letters)
    }

    /// Subfields of DE 48.
    #[inline]
    #[must_use]
    pub fn private(&self) -> Option<Tagged<'a>> {
        self.field(48)?.ascii().map(Tagged::new)
    }

    /// A currency: DE 49 transaction, 50 settlement, 51 billing. `None` if it is absent or not
    /// three digits.
    #[inline]
    #[must_use]
    pub fn currency(&self, de: u8) -> Option<CurrencyCode> {
        match self.fixed_text::<3>(de) {
            Some(octets) if digits::are_three(octets) => Some(digits::of_array(octets)),
            Some(_) => None,
            None if self.has(de) => self.number_elsewise(de, 1_000),
            None => None,
        }
        .map(CurrencyCode::proven::<3>)
    }

    /// PIN block (DE 52).
    #[inline]
    #[must_use]
    pub fn pin_block(&self) -> Option<PinBlock> {
        if self.has(52) { self.pin_block_there() } else { None }
    }

    fn pin_block_there(&self) -> Option<PinBlock> {
        let mut octets = [0; 8];
        self.field(52)?.octets(&mut octets)?.as_array().copied().map(PinBlock::new)
    }

    /// Further amounts (DE 54).
    #[inline(always)]
    #[must_use]
    pub fn additional_amounts(&self) -> Option<AdditionalAmounts<'a>> {
        if self.has(54) { self.field(54).map(AdditionalAmounts::new) } else { None }
    }

    /// Data of the chip (DE 55), BER-TLV octets; `scratch` serves a spec that writes them as
    /// text. `None` if the field is absent, the text no hexadecimal one, or `scratch` too short.
    #[inline]
    #[must_use]
    pub fn chip_data<'o>(&self, scratch: &'o mut [u8]) -> Option<&'o [u8]>
    where
        'a: 'o,
    {
        self.field(55)?.octets(scratch)
    }

    /// Network management code (DE 70): 1 sign-on, 2 sign-off, 301 echo.
    #[inline]
    #[must_use]
    pub fn network_code(&self) -> Option<u16> {
        // Three digits: below a thousand.
        self.digits::<3>(70).map(|code| code as u16)
    }

    /// What the message says of its original (DE 90).
    #[inline]
    #[must_use]
    pub fn original_data(&self) -> Option<OriginalData> {
        self.array(90).and_then(|text| OriginalData::parse(&text))
    }

    /// Replacement amounts (DE 95).
    #[inline]
    #[must_use]
    pub fn replacement_amounts(&self) -> Option<Result<ReplacementAmounts, Malformed>> {
        self.array(95).map(|text| ReplacementAmounts::parse(&text))
    }

    /// As [`View::number`], for a field that commonly has `N` ASCII digits; `None` where it is a
    /// number of more. Always inlined: then the element and every length in the conversion are
    /// known when it is compiled.
    #[inline(always)]
    fn digits<const N: usize>(&self, de: u8) -> Option<u64> {
        match self.fixed_digits::<N>(de) {
            Some(octets) => Some(digits::of_array(octets)),
            None if self.has(de) => self.number_elsewise(de, const { 10_u64.pow(N as u32) }),
            None => None,
        }
    }

    /// A number below `end`, by its definition.
    #[cold]
    fn number_elsewise(&self, de: u8, end: u64) -> Option<u64> {
        self.number(de).filter(|number| *number < end)
    }

    #[inline(always)]
    fn array<const N: usize>(&self, de: u8) -> Option<[u8; N]> {
        match self.fixed_text::<N>(de) {
            Some(octets) => Some(*octets),
            None if self.has(de) => self.array_elsewise(de),
            None => None,
        }
    }

    #[cold]
    fn array_elsewise<const N: usize>(&self, de: u8) -> Option<[u8; N]> {
        self.field(de).map(|field| field.array())
    }
}
