//! A message as a view over the octets that were received: checked once, copied never.
//!
//! [`View::parse`] walks the announced fields in one pass and remembers where each stands. What it
//! accepts is proven in shape: bounds, lengths, digits, no octets left over. The typed reads decode
//! lazily and judge nothing.
//!
//! Adjacent ASCII fields of digits, with their digit prefixes, are one run of digits: the walk only
//! adds up lengths, and each run is checked in one sweep where it ends. Only a failing run is
//! searched for its culprit.

use crate::bitmap::FieldSet;
use crate::element::{
    AdditionalAmounts, Amount, AuthCode, CountryCode, CurrencyCode, Expiry, Institution, Location,
    Mcc, MerchantId, MonthDay, OriginalData, PinBlock, PosEntryMode, ProcessingCode,
    ReplacementAmounts, ResponseCode, Rrn, SignedAmount, Stan, TerminalId, TimeOfDay, Track2,
    TransmissionTime,
};
use crate::error::{Damaged, Malformed, ParseError, ParseErrorKind, Track2Error};
use crate::field::Field;
use crate::mti::Mti;
use crate::pan::{Pan, PanError};
use crate::spec::{Check, Class, Counts, Encoding, FieldDef, Length, Spec, all_track, hex_value};
use crate::subfield::Tagged;
use crate::{digits, ebcdic};

/// The longest message a view takes, in octets: what a two-octet frame length can announce.
pub const MESSAGE_OCTETS_MAX: usize = 65_535;

/// A message read by a spec.
///
/// ```
/// use cekr_iso8583::{CEKR87, View};
/// let damaged = View::parse(&CEKR87, b"0800\x82").unwrap_err();
/// assert_eq!(damaged.error.to_string(), "bitmap: message ends too early (offset 4, need 8, have 1)");
/// assert_eq!(damaged.mti().map(|mti| mti.number()), Some(800));
/// ```
#[derive(Clone, Copy)]
pub struct View<'a> {
    spec: &'a Spec,
    bytes: &'a [u8],
    present: FieldSet,
    mti: Mti,
    /// Start and end of each element with its prefix; element 1 first.
    slots: [Slot; 128],
}

/// Start and end in octets from the MTI, packed so that all slots fit eight cache lines.
#[derive(Clone, Copy)]
struct Slot(u32);

impl Slot {
    const NONE: Slot = Slot(0);

    #[inline]
    const fn new(start: usize, end: usize) -> Slot {
        // Both are at most MESSAGE_OCTETS_MAX.
        Slot((start as u32) << 16 | end as u32)
    }

    #[inline]
    const fn start(self) -> usize {
        (self.0 >> 16) as usize
    }

    #[inline]
    const fn end(self) -> usize {
        (self.0 & 0xffff) as usize
    }
}

impl<'a> View<'a> {
    /// Reads a message. It must be whole and must end with its last field.
    ///
    /// # Errors
    /// [`Damaged`] with the first fault and a view of the fields before it.
    #[expect(clippy::result_large_err, reason = "both outcomes carry a view, on the stack")]
    #[inline]
    pub fn parse(spec: &'a Spec, bytes: &'a [u8]) -> Result<View<'a>, Damaged<'a>> {
        let mut view = View {
            spec,
            bytes,
            present: FieldSet::EMPTY,
            mti: Mti::default(),
            slots: [Slot::NONE; 128],
        };
        match view.walk() {
            Ok(()) => Ok(view),
            Err(error) => Err(Damaged { error, read: view }),
        }
    }

    /// The spec it was read by.
    #[must_use]
    pub const fn spec(&self) -> &'a Spec {
        self.spec
    }

    /// The whole message.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The message type; 0000 if a damaged message's could not be read.
    #[must_use]
    pub const fn mti(&self) -> Mti {
        self.mti
    }

    /// The data elements that can be read.
    #[must_use]
    pub const fn present(&self) -> FieldSet {
        self.present
    }

    /// Whether the data element is there.
    #[inline]
    #[must_use]
    pub const fn has(&self, de: u8) -> bool {
        self.present.has(de)
    }

    /// The value's octets as on the wire, without a length prefix.
    #[inline]
    #[must_use]
    pub fn raw(&self, de: u8) -> Option<&'a [u8]> {
        let (def, slot) = self.entry(de)?;
        self.bytes.get(slot.start() + def.prefix_octets()..slot.end())
    }

    /// The field's octets as on the wire, with a length prefix.
    #[inline]
    #[must_use]
    pub fn wire(&self, de: u8) -> Option<&'a [u8]> {
        let (_, slot) = self.entry(de)?;
        self.bytes.get(slot.start()..slot.end())
    }

    /// Where the field begins, its prefix included: octets from the MTI.
    #[must_use]
    pub fn offset(&self, de: u8) -> Option<usize> {
        self.entry(de).map(|(_, slot)| slot.start())
    }

    /// Where the value begins, behind its prefix: octets from the MTI.
    pub(crate) fn value_offset(&self, de: u8) -> Option<usize> {
        self.entry(de).map(|(def, slot)| slot.start() + def.prefix_octets())
    }

    /// The field with its definition.
    #[must_use]
    pub fn field(&self, de: u8) -> Option<Field<'a>> {
        let (def, slot) = self.entry(de)?;
        let value_at = slot.start() + def.prefix_octets();
        let value = self.bytes.get(value_at..slot.end())?;
        let len = match def.length() {
            Length::Absent => return None,
            Length::Fixed(length) => usize::from(length),
            Length::Variable { prefix, .. } => {
                let claimed = prefix.read(self.bytes.get(slot.start()..value_at)?)?;
                characters_of(def, prefix.counts, claimed)
            }
        };
        Some(Field::new(value, def, len))
    }

    /// The value of a numeric field of at most 19 digits; `None` if it is absent, longer, or of a
    /// class that lets other characters through and has them.
    #[inline]
    #[must_use]
    pub fn number(&self, de: u8) -> Option<u64> {
        let (def, slot) = self.entry(de)?;
        if def.check() == Check::Digits {
            let value = self.bytes.get(slot.start() + def.prefix_octets()..slot.end())?;
            return digits::number(value);
        }
        self.field(de)?.number()
    }

    /// Primary account number (DE 2).
    #[must_use]
    pub fn pan(&self) -> Option<Result<Pan, PanError>> {
        let field = self.field(2)?;
        if let Some(ascii) = field.ascii() {
            return Some(Pan::parse(ascii));
        }
        let mut text = [0; 19];
        Some(field.text(&mut text).map_or(Err(PanError::BadLength), Pan::parse))
    }

    /// Processing code (DE 3).
    #[must_use]
    pub fn processing_code(&self) -> Option<ProcessingCode> {
        self.number(3).and_then(ProcessingCode::from_digits)
    }

    /// An amount: DE 4 transaction, 5 settlement, 6 billing, 8 billing fee.
    #[must_use]
    pub fn amount(&self, de: u8) -> Option<Amount> {
        self.number(de).map(Amount::from_minor)
    }

    /// Transmission date and time (DE 7).
    #[must_use]
    pub fn transmission_time(&self) -> Option<TransmissionTime> {
        self.number(7).and_then(TransmissionTime::from_digits)
    }

    /// System trace audit number (DE 11).
    #[must_use]
    pub fn stan(&self) -> Option<Stan> {
        self.number(11).and_then(Stan::from_digits)
    }

    /// Local time (DE 12).
    #[must_use]
    pub fn local_time(&self) -> Option<TimeOfDay> {
        self.number(12).and_then(TimeOfDay::from_digits)
    }

    /// Local date (DE 13).
    #[must_use]
    pub fn local_date(&self) -> Option<MonthDay> {
        self.number(13).and_then(MonthDay::from_digits)
    }

    /// Expiry (DE 14).
    #[must_use]
    pub fn expiry(&self) -> Option<Expiry> {
        self.number(14).and_then(Expiry::from_digits)
    }

    /// Merchant category (DE 18).
    #[must_use]
    pub fn mcc(&self) -> Option<Mcc> {
        self.number(18).and_then(Mcc::from_digits)
    }

    /// Country of the acquirer (DE 19).
    #[must_use]
    pub fn acquirer_country(&self) -> Option<CountryCode> {
        self.number(19).and_then(CountryCode::from_digits)
    }

    /// Entry mode (DE 22).
    #[must_use]
    pub fn pos_entry_mode(&self) -> Option<PosEntryMode> {
        self.number(22).map(PosEntryMode::from_digits)
    }

    /// Point of service condition code (DE 25), two digits.
    #[must_use]
    pub fn pos_condition(&self) -> Option<u8> {
        self.number(25).and_then(|code| u8::try_from(code).ok())
    }

    /// A fee or net amount with its sign (DE 28 to 31, 97).
    #[must_use]
    pub fn fee_amount(&self, de: u8) -> Option<SignedAmount> {
        let mut text = [0; 17];
        SignedAmount::parse(self.field(de)?.text(&mut text)?)
    }

    /// Acquiring institution (DE 32).
    #[must_use]
    pub fn acquirer(&self) -> Option<Institution> {
        self.number(32).and_then(Institution::from_digits)
    }

    /// Forwarding institution (DE 33).
    #[must_use]
    pub fn forwarder(&self) -> Option<Institution> {
        self.number(33).and_then(Institution::from_digits)
    }

    /// Track 2 (DE 35).
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
    #[must_use]
    pub fn rrn(&self) -> Option<Rrn> {
        self.array(37).map(Rrn::new)
    }

    /// Authorization code (DE 38).
    #[must_use]
    pub fn auth_code(&self) -> Option<AuthCode> {
        self.array(38).map(AuthCode::new)
    }

    /// Response code (DE 39).
    #[must_use]
    pub fn response_code(&self) -> Option<ResponseCode> {
        self.array(39).map(ResponseCode::new)
    }

    /// Terminal (DE 41).
    #[must_use]
    pub fn terminal(&self) -> Option<TerminalId> {
        self.array(41).map(TerminalId::new)
    }

    /// Merchant (DE 42).
    #[must_use]
    pub fn merchant(&self) -> Option<MerchantId> {
        self.array(42).map(MerchantId::new)
    }

    /// Where the merchant is (DE 43).
    #[must_use]
    pub fn location(&self) -> Option<Location> {
        self.array(43).map(Location::new)
    }

    /// Subfields of DE 48.
    #[must_use]
    pub fn private(&self) -> Option<Tagged<'a>> {
        self.field(48)?.ascii().map(Tagged::new)
    }

    /// A currency: DE 49 transaction, 50 settlement, 51 billing. `None` if it is absent or not
    /// three digits.
    #[must_use]
    pub fn currency(&self, de: u8) -> Option<CurrencyCode> {
        self.number(de).and_then(CurrencyCode::from_digits)
    }

    /// PIN block (DE 52).
    #[must_use]
    pub fn pin_block(&self) -> Option<PinBlock> {
        let mut octets = [0; 8];
        self.field(52)?.octets(&mut octets)?.as_array().copied().map(PinBlock::new)
    }

    /// Further amounts (DE 54).
    #[must_use]
    pub fn additional_amounts(&self) -> Option<AdditionalAmounts<'a>> {
        self.field(54).map(AdditionalAmounts::new)
    }

    /// Data of the chip (DE 55), BER-TLV octets; `scratch` serves a spec that writes them as
    /// text. `None` if the field is absent, the text no hexadecimal one, or `scratch` too short.
    #[must_use]
    pub fn chip_data<'o>(&self, scratch: &'o mut [u8]) -> Option<&'o [u8]>
    where
        'a: 'o,
    {
        self.field(55)?.octets(scratch)
    }

    /// Network management code (DE 70): 1 sign-on, 2 sign-off, 301 echo.
    #[must_use]
    pub fn network_code(&self) -> Option<u16> {
        self.number(70).and_then(|code| u16::try_from(code).ok())
    }

    /// What the message says of its original (DE 90).
    #[must_use]
    pub fn original_data(&self) -> Option<OriginalData> {
        self.array(90).and_then(|text| OriginalData::parse(&text))
    }

    /// Replacement amounts (DE 95).
    #[must_use]
    pub fn replacement_amounts(&self) -> Option<Result<ReplacementAmounts, Malformed>> {
        self.array(95).map(|text| ReplacementAmounts::parse(&text))
    }

    /// The octets from the start of one field to the end of another that follows it, itself
    /// included.
    pub(crate) fn span(&self, first: u8, last: u8) -> Option<&'a [u8]> {
        let (_, from) = self.entry(first)?;
        let (_, to) = self.entry(last)?;
        self.bytes.get(from.start()..to.end())
    }

    fn array<const N: usize>(&self, de: u8) -> Option<[u8; N]> {
        self.field(de).map(|field| field.array())
    }

    #[inline]
    fn entry(&self, de: u8) -> Option<(&'a FieldDef, Slot)> {
        if !self.has(de) {
            return None;
        }
        let index = usize::from(de).wrapping_sub(1);
        Some((self.spec.fields().get(index)?, *self.slots.get(index)?))
    }

    /// Fills MTI, set and slots; on a fault they hold what stands before it.
    fn walk(&mut self) -> Result<(), ParseError> {
        let (spec, bytes) = (self.spec, self.bytes);
        if bytes.len() > MESSAGE_OCTETS_MAX {
            let have = MESSAGE_OCTETS_MAX;
            return Err(fault(0, 0, bytes.len(), have, ParseErrorKind::OverMax));
        }
        let (mti, at) = read_mti(spec.mti(), bytes)?;
        self.mti = mti;
        let (announced, mut at) = read_bitmaps(spec.bitmap(), bytes, at)?;

        let mut digits_from = at;
        let mut last = 1;
        let halves = [(announced.bits() as u64, 0), ((announced.bits() >> 64) as u64, 64)];
        for (half, base) in halves {
            let mut rest = half;
            while rest != 0 {
                let index = base + rest.trailing_zeros() as usize;
                rest &= rest - 1;
                let (Some(def), Some(slot)) = (spec.fields().get(index), self.slots.get_mut(index))
                else {
                    break;
                };
                // At most 128.
                let de = index as u8 + 1;
                let value_at = at + def.prefix_octets();
                let end = match field_end(def, bytes, at) {
                    Ok(end) => end,
                    Err(error) => {
                        return Err(self.stop(announced, de, digits_from..at, error.of(de)));
                    }
                };
                match def.check() {
                    // The run of digits goes on.
                    Check::Digits => {}
                    check @ (Check::Anything | Check::Other | Check::Track) => {
                        let run = digits_from..at;
                        let value = bytes.get(value_at..end).unwrap_or_default();
                        let good = match check {
                            Check::Anything | Check::Digits => true,
                            Check::Track => all_track(value),
                            Check::Other => false,
                        };
                        if !digits::all_digits(bytes.get(run.clone()).unwrap_or_default())
                            || !good && value_fault(def, bytes, at, value).is_some()
                        {
                            let error = value_fault(def, bytes, at, value)
                                .unwrap_or_else(|| At::one(at, ParseErrorKind::NotDigits));
                            return Err(self.stop(announced, de, run, error.of(de)));
                        }
                        digits_from = end;
                    }
                }
                *slot = Slot::new(at, end);
                at = end;
                last = de;
            }
        }
        let trailing =
            At { offset: at, need: 0, have: bytes.len() - at, kind: ParseErrorKind::Trailing };
        if trailing.have != 0 || !digits::all_digits(bytes.get(digits_from..at).unwrap_or_default())
        {
            let error = self.stop(announced, 129, digits_from..at, trailing.of(last));
            return Err(error);
        }
        self.present = announced;
        Ok(())
    }

    /// Ends the walk at element `de`. An earlier octet of the run of digits that is no digit comes
    /// before the error at hand.
    #[cold]
    fn stop(
        &mut self,
        announced: FieldSet,
        de: u8,
        run: core::ops::Range<usize>,
        error: ParseError,
    ) -> ParseError {
        self.present = announced.below(de);
        let octets = self.bytes.get(run.clone()).unwrap_or_default();
        let Some(bad) = octets.iter().position(|octet| !octet.is_ascii_digit()) else {
            return error;
        };
        let bad = run.start + bad;
        let culprit = self.present.iter().find(|de| {
            self.entry(*de).is_some_and(|(_, slot)| (slot.start()..slot.end()).contains(&bad))
        });
        let Some(culprit) = culprit else { return error };
        self.present = announced.below(culprit);
        At::one(bad, ParseErrorKind::NotDigits).of(culprit)
    }
}

impl core::fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // Never the octets: they hold card numbers.
        f.debug_struct("View")
            .field("spec", &self.spec.name())
            .field("mti", &self.mti)
            .field("present", &self.present)
            .field("octets", &self.bytes.len())
            .finish()
    }
}

/// A fault whose element is not yet named.
#[derive(Clone, Copy)]
struct At {
    offset: usize,
    need: usize,
    have: usize,
    kind: ParseErrorKind,
}

impl At {
    const fn one(offset: usize, kind: ParseErrorKind) -> At {
        At { offset, need: 1, have: 1, kind }
    }

    const fn of(self, field: u8) -> ParseError {
        fault(field, self.offset, self.need, self.have, self.kind)
    }
}

const fn fault(
    field: u8,
    offset: usize,
    need: usize,
    have: usize,
    kind: ParseErrorKind,
) -> ParseError {
    // A message longer than u32 could say is refused before anything is counted.
    ParseError { field, offset: offset as u32, need: need as u32, have: have as u32, kind }
}

fn truncated(bytes: &[u8], offset: usize, need: usize) -> At {
    let have = bytes.len().saturating_sub(offset);
    At { offset, need, have, kind: ParseErrorKind::Truncated }
}

/// Where the field that begins at `at` ends.
#[inline]
fn field_end(def: &FieldDef, bytes: &[u8], at: usize) -> Result<usize, At> {
    let (value_at, octets) = match def.length() {
        Length::Fixed(_) => (at, def.fixed_octets()),
        Length::Variable { max, prefix } => {
            let value_at = at + prefix.octets();
            let Some(octets) = bytes.get(at..value_at) else {
                return Err(truncated(bytes, at, prefix.octets()));
            };
            let claimed = match (prefix.encoding, octets) {
                (Encoding::Ascii, [tens, ones]) => {
                    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
                    (tens <= 9 && ones <= 9).then(|| usize::from(tens) * 10 + usize::from(ones))
                }
                _ => prefix.read(octets),
            };
            let Some(claimed) = claimed else {
                return Err(bad_prefix(def, octets, at));
            };
            let len = characters_of(def, prefix.counts, claimed);
            if len > usize::from(max) {
                let have = usize::from(max);
                return Err(At { offset: at, need: len, have, kind: ParseErrorKind::OverMax });
            }
            (value_at, def.octets_of(len))
        }
        Length::Absent => {
            return Err(At { offset: at, need: 0, have: 0, kind: ParseErrorKind::UnknownField });
        }
    };
    let end = value_at + octets;
    if end > bytes.len() { Err(truncated(bytes, value_at, octets)) } else { Ok(end) }
}

/// The first octet of a length prefix that is no digit.
#[cold]
fn bad_prefix(def: &FieldDef, octets: &[u8], at: usize) -> At {
    let Length::Variable { prefix, .. } = def.length() else {
        return At::one(at, ParseErrorKind::BadLength);
    };
    let bad = octets.iter().position(|octet| prefix.read(&[*octet]).is_none()).unwrap_or(0);
    At::one(at + bad, ParseErrorKind::BadLength)
}

/// The first octet of a value that its class forbids. `at` is where the field begins.
#[inline]
fn value_fault(def: &FieldDef, bytes: &[u8], at: usize, value: &[u8]) -> Option<At> {
    let value_at = at + def.prefix_octets();
    let len = match def.length() {
        Length::Absent => return None,
        Length::Fixed(length) => usize::from(length),
        Length::Variable { prefix, .. } => {
            characters_of(def, prefix.counts, prefix.read(bytes.get(at..value_at)?)?)
        }
    };
    def.fault(value, len).map(|(offset, kind)| At::one(value_at + offset, kind))
}

/// Characters that a length prefix's number stands for.
#[inline]
const fn characters_of(def: &FieldDef, counts: Counts, claimed: usize) -> usize {
    match (counts, def.encoding(), def.class()) {
        (Counts::Octets, Encoding::Bcd, _) => claimed * 2,
        (Counts::Octets, Encoding::Hex, Class::B) => claimed / 2,
        (Counts::Characters | Counts::Octets, _, _) => claimed,
    }
}

#[inline]
fn read_mti(encoding: Encoding, bytes: &[u8]) -> Result<(Mti, usize), ParseError> {
    let not_digits = |at| At::one(at, ParseErrorKind::NotDigits).of(0);
    match encoding {
        Encoding::Bcd | Encoding::Binary => {
            let Some([a, b]) = bytes.first_chunk::<2>() else {
                return Err(truncated(bytes, 0, 2).of(0));
            };
            let text = [a >> 4, a & 0x0f, b >> 4, b & 0x0f].map(|nibble| b'0' + nibble);
            let bad = text.iter().position(|digit| !digit.is_ascii_digit()).unwrap_or(0) / 2;
            Mti::parse(&text).map(|mti| (mti, 2)).ok_or_else(|| not_digits(bad))
        }
        Encoding::Ascii | Encoding::Ebcdic | Encoding::Hex => {
            let Some(text) = bytes.first_chunk::<4>() else {
                return Err(truncated(bytes, 0, 4).of(0));
            };
            let text = match encoding {
                Encoding::Ebcdic => text.map(ebcdic::to_ascii),
                Encoding::Ascii | Encoding::Bcd | Encoding::Binary | Encoding::Hex => *text,
            };
            let bad = text.iter().position(|digit| !digit.is_ascii_digit());
            Mti::parse(&text).map(|mti| (mti, 4)).ok_or_else(|| not_digits(bad.unwrap_or(0)))
        }
    }
}

/// The announced elements, and where the first of them begins.
#[inline]
fn read_bitmaps(
    encoding: Encoding,
    bytes: &[u8],
    at: usize,
) -> Result<(FieldSet, usize), ParseError> {
    let (primary, at) = read_bitmap(encoding, bytes, at)?;
    let (secondary, at) =
        if primary & 1 == 0 { (0, at) } else { read_bitmap(encoding, bytes, at)? };
    // Element 1 only announces the second bitmap.
    let bits = u128::from(secondary) << 64 | u128::from(primary & !1);
    Ok((FieldSet::from_bits(bits), at))
}

/// One bitmap, its first bit lowest.
#[inline]
fn read_bitmap(encoding: Encoding, bytes: &[u8], at: usize) -> Result<(u64, usize), ParseError> {
    let rest = bytes.get(at..).unwrap_or_default();
    match encoding {
        Encoding::Bcd | Encoding::Binary => match rest.first_chunk::<8>() {
            Some(octets) => Ok((u64::from_be_bytes(*octets).reverse_bits(), at + 8)),
            None => Err(truncated(bytes, at, 8).of(1)),
        },
        Encoding::Ascii | Encoding::Ebcdic | Encoding::Hex => {
            let Some(text) = rest.first_chunk::<16>() else {
                return Err(truncated(bytes, at, 16).of(1));
            };
            let mut bits = 0;
            for (place, octet) in text.iter().enumerate() {
                let character = match encoding {
                    Encoding::Ebcdic => ebcdic::to_ascii(*octet),
                    Encoding::Ascii | Encoding::Bcd | Encoding::Binary | Encoding::Hex => *octet,
                };
                let Some(nibble) = hex_value(character) else {
                    return Err(At::one(at + place, ParseErrorKind::BadBitmap).of(1));
                };
                bits = bits << 4 | u64::from(nibble);
            }
            Ok((bits.reverse_bits(), at + 16))
        }
    }
}
