//! The records of the application, as personalisation writes them and READ RECORD gives them.
//!
//! | file | records |
//! |---|---|
//! | 1 | track 2 and name |
//! | 2 | authority's index, issuer's certificate, chip's certificate, signed static data, PIN key |
//! | 3 | the card's data, and its lists: what the signatures cover |
//! | 11 | the log of transactions, which is made when it is read |
//!
//! Source: EMV 4.3 Book 3, section 7 (mandatory objects), section 10.2 and 10.3 (file locator and
//! static data); Book 2, sections 5 to 7 (keys and signatures).

use crate::chip::lists::{self, List};
use crate::chip::octets::Octets;
use crate::chip::profile::{Oda, Profile, Version, digits};
use crate::data::{Aip, Auc, Tvr};
use crate::oda::certificate::{self, Certified, ExpiryMonth, Label};
use crate::oda::signed;
use crate::tlv::{TlvError, Writer};

/// Records behind one another, each with its template.
#[derive(Clone, Eq, PartialEq)]
pub(super) struct Files {
    octets: [u8; OCTETS_MAX],
    len_octets: usize,
    records: [Record; RECORDS_MAX],
    record_count: usize,
}

/// Where a record stands.
#[derive(Clone, Copy, Eq, PartialEq)]
struct Record {
    place: Place,
    start: usize,
    len_octets: usize,
}

/// Short file identifier and number of a record, from 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place {
    pub(super) file: u8,
    pub(super) record: u8,
}

/// The file of what a card says about itself and its key.
const OWN: u8 = 1;
const KEYS: u8 = 2;
const DATA: u8 = 3;
/// The file of the log.
pub(super) const LOG: u8 = 11;

/// The longest record in octets, its template with it: what one answer holds.
pub(super) const RECORD_OCTETS_MAX: usize = 256;

const OCTETS_MAX: usize = 2048;
const RECORDS_MAX: usize = 12;

impl Default for Files {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl Files {
    const EMPTY: Self = Self {
        octets: [0; OCTETS_MAX],
        len_octets: 0,
        records: [Record { place: Place { file: 0, record: 0 }, start: 0, len_octets: 0 };
            RECORDS_MAX],
        record_count: 0,
    };

    /// The records of a profile; `None` if they do not fit.
    pub(super) fn of(profile: &Profile) -> Option<Self> {
        let mut files = Self::EMPTY;
        let track2 = track2(profile)?;
        files.put(Place { file: OWN, record: 1 }, |record| {
            record.put(0x57, track2.as_slice())?;
            record.put(0x5F20, profile.name.as_slice())
        })?;
        // The data come before the keys: a certificate covers them.
        files.put_data(profile)?;
        if let Some(oda) = &profile.oda {
            files.put_keys(profile, oda)?;
        }
        Some(files)
    }

    /// What READ RECORD answers; `Err` tells whether there is no such file or no such record.
    pub(super) fn read(&self, place: Place) -> Result<&[u8], Missing> {
        let records = self.records.get(..self.record_count).unwrap_or_default();
        let found = records.iter().find(|record| record.place == place);
        match found {
            Some(record) => Ok(self
                .octets
                .get(record.start..record.start + record.len_octets)
                .unwrap_or_default()),
            None if records.iter().any(|record| record.place.file == place.file) => {
                Err(Missing::Record)
            }
            None => Err(Missing::File),
        }
    }

    /// Writes another record of the same length in its place.
    pub(super) fn update(&mut self, place: Place, content: &[u8]) -> Option<()> {
        let records = self.records.get(..self.record_count)?;
        let record = records.iter().find(|record| record.place == place)?;
        let room = self.octets.get_mut(record.start..record.start + record.len_octets)?;
        (room.len() == content.len()).then(|| room.copy_from_slice(content))
    }

    /// Application file locator (94): which records a terminal reads, and which are signed.
    pub(super) fn locator(&self) -> Octets<12> {
        let last = |file| {
            let records = self.records.get(..self.record_count).unwrap_or_default();
            records.iter().filter(|record| record.place.file == file).count() as u8
        };
        let (keys, data) = (last(KEYS), last(DATA));
        let entries =
            [[OWN << 3, 1, last(OWN), 0], [DATA << 3, 1, data, data], [KEYS << 3, 1, keys, 0]];
        let count = if keys == 0 { 2 } else { 3 };
        let octets = entries.as_flattened();
        octets.get(..4 * count).and_then(Octets::of).unwrap_or(Octets::EMPTY)
    }

    /// Adds a record: template 70 around what `write` writes.
    fn put(
        &mut self,
        place: Place,
        write: impl FnOnce(&mut Writer<'_>) -> Result<(), TlvError>,
    ) -> Option<()> {
        let mut content = [0; RECORD_OCTETS_MAX];
        let mut inner = Writer::new(&mut content);
        write(&mut inner).ok()?;
        let mut outer = Writer::new(self.octets.get_mut(self.len_octets..)?);
        outer.put(0x70, inner.written()).ok()?;
        let len_octets = outer.written().len();
        if len_octets > RECORD_OCTETS_MAX {
            return None;
        }
        *self.records.get_mut(self.record_count)? =
            Record { place, start: self.len_octets, len_octets };
        self.record_count += 1;
        self.len_octets += len_octets;
        Some(())
    }

    fn put_data(&mut self, profile: &Profile) -> Option<()> {
        let pan = number(profile)?;
        let rules = cvm_rules(profile);
        self.put(Place { file: DATA, record: 1 }, |record| {
            record.put(0x5A, pan.as_slice())?;
            record.put(0x5F34, &[profile.sequence])?;
            record.put(0x5F24, &profile.expiry)?;
            record.put(0x5F25, &profile.effective)?;
            record.put(0x5F28, &profile.country)?;
            record.put(0x5F30, &profile.service_code)?;
            record.put(0x9F07, &EVERYWHERE.octets())?;
            record.put(0x9F42, &profile.currency)?;
            record.put(0x9F44, &[2])?;
            record.put(0x8E, rules.as_slice())?;
            record.put(0x9F0D, &DEFAULT.octets())?;
            record.put(0x9F0E, &[0; 5])?;
            record.put(0x9F0F, &ONLINE.octets())?;
            record.put(0x9F08, &[0x00, 0x96])
        })?;
        let list = |list: List| lists::encoded(list);
        let (first, second) = (list(lists::CDOL1)?, list(lists::cdol2(profile.version))?);
        self.put(Place { file: DATA, record: 2 }, |record| {
            record.put(0x8C, first.as_slice())?;
            record.put(0x8D, second.as_slice())?;
            // Static data end with the interchange profile.
            record.put(0x9F4A, &[0x82])
        })
    }

    fn put_keys(&mut self, profile: &Profile, oda: &Oda) -> Option<()> {
        let (authority, issuer) = (oda.authority.pair(), oda.issuer.pair());
        let pan = number(profile)?;
        let [year, month, _] = profile.expiry;
        let label = Label { expiry: ExpiryMonth([month, year]), serial: [0x00, 0x00, 0x01] };
        let identifier: [u8; 3] = *pan.as_slice().first_chunk()?;
        let [first, second, third] = identifier;
        let identifier = [first, second, third, 0xFF];
        let of_issuer =
            certificate::sign_issuer_key(&authority, &identifier, label, issuer.public()).ok()?;

        let aip = profile.aip().octets();
        let [data, list] = [1, 2].map(|record| self.content(Place { file: DATA, record }));
        let static_data = [data?, list?, &aip];
        let chip = oda.chip.pair();
        let of_chip =
            certificate::sign_icc_key(&issuer, pan.as_slice(), label, chip.public(), &static_data);
        let of_chip = of_chip.ok()?;
        let code = signed::sign_static(&issuer, [0xDA, 0xC1], &static_data).ok()?;

        let mut next = 0;
        let mut place = || {
            next += 1;
            Place { file: KEYS, record: next }
        };
        let shown = of_issuer.as_certified();
        self.put(place(), |record| {
            record.put(0x8F, &[oda.authority_index])?;
            put_beside(record, shown, [0x92, 0x9F32])
        })?;
        self.put(place(), |record| record.put(0x90, shown.certificate))?;
        let shown = of_chip.as_certified();
        let list = lists::encoded(lists::DDOL)?;
        self.put(place(), |record| {
            put_beside(record, shown, [0x9F48, 0x9F47])?;
            record.put(0x9F49, list.as_slice())
        })?;
        self.put(place(), |record| record.put(0x9F46, shown.certificate))?;
        self.put(place(), |record| record.put(0x93, code.octets()))?;
        if let Some(key) = oda.pin {
            let key = key.pair();
            let of_pin =
                certificate::sign_icc_key(&issuer, pan.as_slice(), label, key.public(), &[])
                    .ok()?;
            let shown = of_pin.as_certified();
            self.put(place(), |record| record.put(0x9F2D, shown.certificate))?;
            self.put(place(), |record| put_beside(record, shown, [0x9F2F, 0x9F2E]))?;
        }
        Some(())
    }

    /// What stands in a record's template.
    fn content(&self, place: Place) -> Option<&[u8]> {
        crate::tlv::value_of(self.read(place).ok()?, 0x70)
    }
}

/// What READ RECORD did not find.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Missing {
    /// The file.
    File,
    /// The record in it.
    Record,
}

impl Profile {
    /// Application interchange profile (82) in a chip reader.
    pub fn aip(&self) -> Aip {
        let mut aip =
            Aip::CARDHOLDER_VERIFICATION_SUPPORTED.with(Aip::TERMINAL_RISK_MANAGEMENT_WANTED);
        if self.oda.is_some() {
            aip = aip.with(Aip::SDA_SUPPORTED).with(Aip::DDA_SUPPORTED).with(Aip::CDA_SUPPORTED);
        }
        match self.version {
            Version::Ten => aip.with(Aip::ISSUER_AUTHENTICATION_SUPPORTED),
            // The second GENERATE AC carries the issuer's answer.
            Version::Eighteen | Version::TwentyTwo => aip,
        }
    }
}

/// A remainder, where there is one, and an exponent.
fn put_beside(
    record: &mut Writer<'_>,
    shown: Certified<'_>,
    [remainder, exponent]: [u32; 2],
) -> Result<(), TlvError> {
    if !shown.remainder.is_empty() {
        record.put(remainder, shown.remainder)?;
    }
    record.put(exponent, shown.exponent)
}

/// Card number (5A).
pub(super) fn number(profile: &Profile) -> Option<Octets<10>> {
    Octets::packed(digits(profile.number))
}

/// Track 2 equivalent (57).
pub(super) fn track2(profile: &Profile) -> Option<Octets<19>> {
    let [year, month, _] = profile.expiry;
    let [first, second] = profile.service_code;
    let both = |octet: u8| [octet >> 4, octet & 0x0F];
    let fixed = [both(year), both(month)];
    let service = [first & 0x0F, second >> 4, second & 0x0F];
    Octets::packed(
        digits(profile.number)
            .chain([SEPARATOR])
            .chain(fixed.into_iter().flatten())
            .chain(service)
            .chain(profile.discretionary),
    )
}

/// D, between number and date.
const SEPARATOR: u8 = 0x0D;

/// How the cardholder is verified (8E): online at cashpoints; else by the chip, enciphered where it
/// can be; else online, by signature, or not at all.
fn cvm_rules(profile: &Profile) -> Octets<24> {
    /// What was not successful is followed by the next rule.
    const NEXT: u8 = 0x40;
    let enciphered: &[u8] = if profile.oda.is_some() { &[NEXT | 0x04, IF_SUPPORTED] } else { &[] };
    let mut rules = [0; 24];
    let content = [0; 8]
        .into_iter()
        .chain([0x02, IF_UNATTENDED_CASH])
        .chain(enciphered.iter().copied())
        .chain([NEXT | 0x01, IF_SUPPORTED, NEXT | 0x02, IF_SUPPORTED])
        .chain([NEXT | 0x1E, IF_SUPPORTED, 0x1F, IF_SUPPORTED]);
    let len = rules.iter_mut().zip(content).map(|(to, from)| *to = from).count();
    rules.get(..len).and_then(Octets::of).unwrap_or(Octets::EMPTY)
}

const IF_UNATTENDED_CASH: u8 = 0x01;
const IF_SUPPORTED: u8 = 0x03;

/// Where the card may be used (9F07): everywhere, for everything.
const EVERYWHERE: Auc = Auc::from_octets([0xFF, 0xC0]);

/// What makes a terminal decline where it cannot go online (9F0D): failed or missing data
/// authentication, expiry, a service that is not allowed, failed verification, limits.
const DEFAULT: Tvr = Tvr::from_octets([0xFC, 0x50, 0x9C, 0xA0, 0x00]);

/// What makes a terminal go online (9F0F): the same, a new card, and every reason of its own.
const ONLINE: Tvr = Tvr::from_octets([0xFC, 0x78, 0x9C, 0xF8, 0x00]);
