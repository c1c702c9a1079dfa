//! The chip's data of a request (DE 55), read strictly and compared with the message around it.
//!
//! One pass: what comes twice, has another length than its tag prescribes or breaks off is refused
//! by the tag's name. Tags that the check does not need are passed over. No octet is copied that
//! is longer than a few.
//!
//! Source: EMV 4.3 Book 3, Annex A (tags and lengths); which of them an authorization brings: the
//! public lists of acquirers, where the ten sealed values, 9F10, 9F26 and 9F27 are common to all.

use core::fmt;

use crate::crypto::cvn::Transaction;
use crate::data::{Cid, CvmResults};
use crate::tlv::{self, TlvError, Writer};

/// What an authorization's DE 55 says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Request<'a> {
    /// The ten values that every version seals.
    pub transaction: Transaction,
    /// The application cryptogram (9F26).
    pub cryptogram: [u8; 8],
    /// What kind of cryptogram it is (9F27).
    pub information: Cid,
    /// Issuer application data (9F10), 7 to 32 octets.
    pub issuer_data: &'a [u8],
    /// Which of several cards of one number (5F34): two packed digits.
    pub sequence: Option<u8>,
    /// How the holder was verified, as the terminal tells it (9F34).
    pub cvm_results: Option<CvmResults>,
    /// What became of the scripts of an earlier answer (9F5B).
    pub script_results: Option<&'a [u8]>,
}

/// What the message around DE 55 says of the same things.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Told {
    /// DE 4 in minor units; `None` where the message carries no amount.
    pub amount: Option<u64>,
    /// DE 49: three digits as a number.
    pub currency: u16,
    /// DE 23: three digits as a number.
    pub sequence: Option<u16>,
    /// DE 22.
    pub entry: Entry,
    /// DE 13: month and day, packed digits.
    pub date: Option<[u8; 2]>,
}

/// How the card was read, by DE 22.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Entry {
    /// By its contacts (05), or by a chip whose data are not sure (95).
    Contact,
    /// Over the air by chip data (07).
    Contactless,
    /// Any other way, or nothing is said: then no chip data belong in the message.
    Other,
}

impl Entry {
    /// The first two digits of DE 22.
    pub fn of_mode(entry: u8) -> Self {
        match entry {
            5 | 95 => Self::Contact,
            7 => Self::Contactless,
            _ => Self::Other,
        }
    }
}

/// Why chip data cannot be judged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// A value has another length than its tag prescribes.
    BadLength(u32),
    /// A value is no packed digits, or no date.
    BadValue(u32),
    /// The value is another than the message around it tells.
    Differs(u32),
    /// The tag stands there twice.
    Duplicate(u32),
    /// The list cannot be read as such.
    Malformed(TlvError),
    /// A value that has to be there is not.
    Missing(u32),
    /// Nothing of a cryptogram is there: such data describe a terminal and prove nothing.
    NoCryptogram,
    /// The message says that no chip was read.
    NotByChip,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadLength(tag) => write!(f, "tag {tag:X} has a wrong length"),
            Self::BadValue(tag) => write!(f, "tag {tag:X} holds what it cannot"),
            Self::Differs(tag) => write!(f, "tag {tag:X} is not what the message says"),
            Self::Duplicate(tag) => write!(f, "tag {tag:X} stands there twice"),
            Self::Malformed(error) => error.fmt(f),
            Self::Missing(tag) => write!(f, "tag {tag:X} is missing"),
            Self::NoCryptogram => f.write_str("the chip data hold no cryptogram"),
            Self::NotByChip => f.write_str("chip data, but the card was not read by its chip"),
        }
    }
}

impl core::error::Error for Fault {}

impl<'a> Request<'a> {
    /// Reads the value of DE 55.
    ///
    /// # Errors
    ///
    /// The first [`Fault`] in the order of the data; what is missing is found last, in the order
    /// in which it is sealed.
    pub fn parse(data: &'a [u8]) -> Result<Self, Fault> {
        let mut found = Found::default();
        for object in tlv::objects(data) {
            let object = object.map_err(Fault::Malformed)?;
            found.take(object.tag, object.value)?;
        }
        found.into_request()
    }

    /// Writes the value of DE 55 from which [`Request::parse`] reads this one.
    ///
    /// # Errors
    ///
    /// [`TlvError::NoRoom`].
    pub fn write(&self, out: &mut Writer<'_>) -> Result<(), TlvError> {
        let t = &self.transaction;
        out.put(AIP, &t.aip)?;
        out.put(TVR, &t.tvr)?;
        out.put(DATE, &t.date)?;
        out.put(KIND, &[t.kind])?;
        out.put(CURRENCY, &t.currency)?;
        if let Some(sequence) = self.sequence {
            out.put(SEQUENCE, &[sequence])?;
        }
        out.put(AMOUNT, &t.amount)?;
        out.put(AMOUNT_OTHER, &t.amount_other)?;
        out.put(ISSUER_DATA, self.issuer_data)?;
        out.put(COUNTRY, &t.country)?;
        out.put(CRYPTOGRAM, &self.cryptogram)?;
        out.put(INFORMATION, &[self.information.0])?;
        if let Some(CvmResults(results)) = self.cvm_results {
            out.put(CVM_RESULTS, &results)?;
        }
        out.put(ATC, &t.atc)?;
        out.put(UNPREDICTABLE_NUMBER, &t.unpredictable_number)?;
        match self.script_results {
            None => Ok(()),
            Some(results) => out.put(SCRIPT_RESULTS, results),
        }
    }

    /// Compares what stands in both places, and whether values are of their kind.
    ///
    /// # Errors
    ///
    /// The first [`Fault`].
    pub fn agrees(&self, told: &Told) -> Result<(), Fault> {
        let Transaction { amount, amount_other, currency, date, .. } = &self.transaction;
        match told.entry {
            Entry::Contact | Entry::Contactless => {}
            Entry::Other => return Err(Fault::NotByChip),
        }
        let sealed = digits(amount).ok_or(Fault::BadValue(AMOUNT))?;
        digits(amount_other).ok_or(Fault::BadValue(AMOUNT_OTHER))?;
        if told.amount.is_some_and(|told| told != sealed) {
            return Err(Fault::Differs(AMOUNT));
        }
        if digits(currency) != Some(u64::from(told.currency)) {
            return Err(Fault::Differs(CURRENCY));
        }
        let [_, month, day] = *date;
        let is_date = digits(date).is_some()
            && (0x01..=0x12).contains(&month)
            && (0x01..=0x31).contains(&day);
        is_date.then_some(()).ok_or(Fault::BadValue(DATE))?;
        if told.date.is_some_and(|told| told != [month, day]) {
            return Err(Fault::Differs(DATE));
        }
        match (self.sequence, told.sequence) {
            (Some(ours), Some(told)) if digits(&[ours]) != Some(u64::from(told)) => {
                Err(Fault::Differs(SEQUENCE))
            }
            (Some(_) | None, Some(_) | None) => Ok(()),
        }
    }
}

/// What the pass over DE 55 has met so far.
#[derive(Default)]
struct Found<'a> {
    amount: Option<[u8; 6]>,
    amount_other: Option<[u8; 6]>,
    country: Option<[u8; 2]>,
    tvr: Option<[u8; 5]>,
    currency: Option<[u8; 2]>,
    date: Option<[u8; 3]>,
    kind: Option<[u8; 1]>,
    unpredictable_number: Option<[u8; 4]>,
    aip: Option<[u8; 2]>,
    atc: Option<[u8; 2]>,
    cryptogram: Option<[u8; 8]>,
    information: Option<[u8; 1]>,
    issuer_data: Option<&'a [u8]>,
    sequence: Option<[u8; 1]>,
    cvm_results: Option<[u8; 3]>,
    script_results: Option<&'a [u8]>,
    /// Whether a tag was met that only a cryptogram brings.
    is_sealed: bool,
}

impl<'a> Found<'a> {
    fn take(&mut self, tag: u32, value: &'a [u8]) -> Result<(), Fault> {
        self.is_sealed |= matches!(tag, CRYPTOGRAM | INFORMATION | ISSUER_DATA | ATC);
        match tag {
            AMOUNT => fixed(&mut self.amount, tag, value),
            AMOUNT_OTHER => fixed(&mut self.amount_other, tag, value),
            COUNTRY => fixed(&mut self.country, tag, value),
            TVR => fixed(&mut self.tvr, tag, value),
            CURRENCY => fixed(&mut self.currency, tag, value),
            DATE => fixed(&mut self.date, tag, value),
            KIND => fixed(&mut self.kind, tag, value),
            UNPREDICTABLE_NUMBER => fixed(&mut self.unpredictable_number, tag, value),
            AIP => fixed(&mut self.aip, tag, value),
            ATC => fixed(&mut self.atc, tag, value),
            CRYPTOGRAM => fixed(&mut self.cryptogram, tag, value),
            INFORMATION => fixed(&mut self.information, tag, value),
            ISSUER_DATA => ranged(&mut self.issuer_data, tag, value, (7, 32)),
            SEQUENCE => fixed(&mut self.sequence, tag, value),
            CVM_RESULTS => fixed(&mut self.cvm_results, tag, value),
            SCRIPT_RESULTS => ranged(&mut self.script_results, tag, value, (0, 255)),
            _ => Ok(()),
        }
    }

    fn into_request(self) -> Result<Request<'a>, Fault> {
        if !self.is_sealed {
            return Err(Fault::NoCryptogram);
        }
        let missing = Fault::Missing;
        Ok(Request {
            transaction: Transaction {
                amount: self.amount.ok_or(missing(AMOUNT))?,
                // A terminal without cash has no second amount, and the chip sealed zeros for it.
                amount_other: self.amount_other.unwrap_or_default(),
                country: self.country.ok_or(missing(COUNTRY))?,
                tvr: self.tvr.ok_or(missing(TVR))?,
                currency: self.currency.ok_or(missing(CURRENCY))?,
                date: self.date.ok_or(missing(DATE))?,
                kind: self.kind.map(|[kind]| kind).ok_or(missing(KIND))?,
                unpredictable_number: self
                    .unpredictable_number
                    .ok_or(missing(UNPREDICTABLE_NUMBER))?,
                aip: self.aip.ok_or(missing(AIP))?,
                atc: self.atc.ok_or(missing(ATC))?,
            },
            cryptogram: self.cryptogram.ok_or(missing(CRYPTOGRAM))?,
            information: self.information.map(|[octet]| Cid(octet)).ok_or(missing(INFORMATION))?,
            issuer_data: self.issuer_data.ok_or(missing(ISSUER_DATA))?,
            sequence: self.sequence.map(|[sequence]| sequence),
            cvm_results: self.cvm_results.map(CvmResults),
            script_results: self.script_results,
        })
    }
}

fn fixed<const N: usize>(place: &mut Option<[u8; N]>, tag: u32, value: &[u8]) -> Result<(), Fault> {
    if place.is_some() {
        return Err(Fault::Duplicate(tag));
    }
    *place = Some(value.try_into().map_err(|_| Fault::BadLength(tag))?);
    Ok(())
}

fn ranged<'a>(
    place: &mut Option<&'a [u8]>,
    tag: u32,
    value: &'a [u8],
    (least, most): (usize, usize),
) -> Result<(), Fault> {
    if place.is_some() {
        return Err(Fault::Duplicate(tag));
    }
    if value.len() < least || value.len() > most {
        return Err(Fault::BadLength(tag));
    }
    *place = Some(value);
    Ok(())
}

/// The number that packed digits write.
fn digits(octets: &[u8]) -> Option<u64> {
    octets.iter().try_fold(0_u64, |number, octet| {
        let (high, low) = (octet >> 4, octet & 0x0F);
        (high <= 9 && low <= 9).then(|| number * 100 + u64::from(high) * 10 + u64::from(low))
    })
}

const AIP: u32 = 0x82;
const AMOUNT: u32 = 0x9F02;
const AMOUNT_OTHER: u32 = 0x9F03;
const ATC: u32 = 0x9F36;
const COUNTRY: u32 = 0x9F1A;
const CRYPTOGRAM: u32 = 0x9F26;
const CURRENCY: u32 = 0x5F2A;
const CVM_RESULTS: u32 = 0x9F34;
const DATE: u32 = 0x9A;
const INFORMATION: u32 = 0x9F27;
const ISSUER_DATA: u32 = 0x9F10;
const KIND: u32 = 0x9C;
const SCRIPT_RESULTS: u32 = 0x9F5B;
const SEQUENCE: u32 = 0x5F34;
const TVR: u32 = 0x95;
const UNPREDICTABLE_NUMBER: u32 = 0x9F37;
