//! Initiation and reading: what the card wants to know, what it can do, and its records.
//!
//! A record that cannot be read, an object that stands there twice, and one that must be there and
//! is not, all end the transaction (EMV 4.3 Book 3, sections 7.5 and 10.2).

use crate::tlv::{self, Object, tags};

use super::apdu::{Answer, Apdu};
use super::store::Octets;
use super::{Command, Interface, Kernel, Phase, Reason, Stepped};

/// How far the records have been read.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    /// The group of the file locator.
    group: usize,
    /// How many records of it have been read.
    read: u8,
}

impl Reading {
    pub(super) const START: Self = Self { group: 0, read: 0 };
}

/// One group of the application file locator (94; EMV 4.3 Book 3, section 10.2).
#[derive(Clone, Copy)]
struct Group {
    file: u8,
    first: u8,
    last: u8,
    /// How many of its records, from the first on, static signatures cover.
    signed: u8,
}

impl Group {
    fn parse([file, first, last, signed]: [u8; 4]) -> Option<Self> {
        let is_range = first >= 1 && last >= first;
        let is_file = file & 0x07 == 0 && (1..=30).contains(&(file >> 3));
        let group = Self { file: file >> 3, first, last, signed };
        (is_range && is_file && signed <= last - first + 1).then_some(group)
    }
}

impl Kernel<'_> {
    /// Tells the card what it wants to know, and asks what it can do.
    pub(super) fn initiate(&mut self) -> Stepped {
        self.fill_list(0, PDOL)?;
        self.phase = Phase::Initiation;
        let [values, _, _] = &self.lists;
        let apdu = Apdu::get_processing_options(values.as_slice());
        self.send_made(Command::GetProcessingOptions, apdu)
    }

    pub(super) fn initiated(&mut self, answer: Answer<'_>) -> Stepped {
        let is_contact = self.transaction.interface == Interface::Contact;
        match answer.status {
            0x9000 => {}
            NOT_NOW if is_contact => return self.try_another(),
            OTHER_INTERFACE if !is_contact => return Err(Reason::UseContact),
            status => return Err(Reason::BadStatus(Command::GetProcessingOptions, status)),
        }
        let malformed = Reason::MalformedAnswer(Command::GetProcessingOptions);
        let object = answer.object().map_err(|_| malformed)?;
        match (object.tag, object.value) {
            (0x80, [first, second, locator @ ..]) => {
                self.keep(AIP, &[*first, *second])?;
                self.keep(AFL, locator)?;
            }
            (0x77, objects) => {
                for object in tlv::objects(objects) {
                    self.keep_known(object.map_err(|_| malformed)?, None)?;
                }
            }
            _ => return Err(malformed),
        }
        self.records_mark = self.card.mark();
        self.card.value(AIP).ok_or(Reason::Missing(AIP))?;
        if !is_contact {
            return self.contactless_initiated();
        }
        let locator = self.card.value(AFL).ok_or(Reason::Missing(AFL))?;
        let (groups, rest) = locator.as_chunks::<4>();
        let is_whole = !groups.is_empty() && rest.is_empty();
        if !is_whole || groups.iter().any(|group| Group::parse(*group).is_none()) {
            return Err(Reason::BadValue(AFL));
        }
        self.read_next()
    }

    /// Reads the next record of the locator; after the last one, goes on.
    pub(super) fn read_next(&mut self) -> Stepped {
        loop {
            let Some(group) = self.group() else { return self.records_read() };
            if let Some(record) = group.first.checked_add(self.records.read)
                && record <= group.last
            {
                self.phase = Phase::Records;
                let apdu = Apdu::read_record(group.file, record);
                return self.send_made(Command::ReadRecord, apdu);
            }
            self.records = Reading { group: self.records.group + 1, read: 0 };
        }
    }

    fn group(&self) -> Option<Group> {
        let (groups, _) = self.card.value(AFL).unwrap_or_default().as_chunks::<4>();
        groups.get(self.records.group).copied().and_then(Group::parse)
    }

    pub(super) fn record_read(&mut self, answer: Answer<'_>) -> Stepped {
        if !answer.is_done() {
            return Err(Reason::BadStatus(Command::ReadRecord, answer.status));
        }
        let malformed = Reason::MalformedAnswer(Command::ReadRecord);
        let group = self.group().ok_or(malformed)?;
        let template = answer.object().ok().filter(|object| object.tag == 0x70);
        // Files above 10 are not the payment system's: what stands there need not be objects.
        let is_own = group.file > 10;
        if template.is_none() && !is_own {
            return Err(malformed);
        }
        if self.records.read < group.signed {
            let covered = match template {
                Some(_) if is_own => Some(answer.data),
                Some(template) => Some(template.value),
                None => None,
            };
            let signed = self.signed.as_mut().zip(covered);
            if !signed.is_some_and(|(signed, covered)| signed.extend(covered)) {
                self.signed = None;
            }
        }
        for object in template.into_iter().flat_map(|template| tlv::objects(template.value)) {
            self.keep_known(object.map_err(|_| malformed)?, Some(self.records_mark))?;
        }
        self.records.read = self.records.read.checked_add(1).ok_or(malformed)?;
        self.read_next()
    }

    /// Keeps an object of the card's, if the standard knows it as one.
    ///
    /// What stood there before `since` stays; what came after it must not come again.
    fn keep_known(&mut self, object: Object<'_>, since: Option<usize>) -> Result<(), Reason> {
        let tag = object.tag;
        let is_known = tags::find(tag).is_some_and(|row| row.source == tags::Source::Card);
        // An empty object counts as one that is not there.
        if !is_known || object.is_constructed() || object.value.is_empty() {
            return Ok(());
        }
        if since.is_some_and(|mark| self.card.value_since(mark, tag).is_some()) {
            return Err(Reason::Duplicate(tag));
        }
        // Tags from 9F50 to 9F7F mean different things in different schemes.
        let is_shared = !(0x9F50..=0x9F7F).contains(&tag);
        if is_shared && !tags::is_len_allowed(tag, object.value.len()) {
            return Err(Reason::BadValue(tag));
        }
        if self.card.value(tag).is_some() {
            return Ok(());
        }
        self.keep(tag, object.value)
    }

    pub(super) fn keep(&mut self, tag: u32, value: &[u8]) -> Result<(), Reason> {
        self.card.put(tag, value).map_err(|_| Reason::TooMuchData)
    }

    /// Checks that what must be there is there, and goes on.
    fn records_read(&mut self) -> Stepped {
        if self.transaction.interface == Interface::Contactless {
            return self.contactless_read();
        }
        for tag in MANDATORY {
            self.card.value(tag).ok_or(Reason::Missing(tag))?;
        }
        let mut digits = [0; super::PAN_DIGITS_MAX];
        self.pan(&mut digits).ok_or(Reason::BadValue(0x5A))?;
        self.authenticate()
    }

    /// Fills `lists[which]` with what the list under `tag` asks for; without a list, with nothing.
    pub(super) fn fill_list(&mut self, which: usize, tag: u32) -> Result<(), Reason> {
        let list = Octets::<255>::of(self.card.value(tag).unwrap_or_default())
            .ok_or(Reason::BadValue(tag))?;
        let mut filled = Octets::EMPTY;
        filled.fill(|room| self.fill(list.as_slice(), room)).map_err(|_| Reason::BadValue(tag))?;
        if let Some(place) = self.lists.get_mut(which) {
            *place = filled;
        }
        Ok(())
    }
}

/// Expiry, card number and both lists for the cryptograms (EMV 4.3 Book 3, section 7.2).
const MANDATORY: [u32; 4] = [0x5F24, 0x5A, 0x8C, 0x8D];

const AIP: u32 = 0x82;
const AFL: u32 = 0x94;
const PDOL: u32 = 0x9F38;

/// Conditions of use are not satisfied: another application may do.
const NOT_NOW: u16 = 0x6985;
/// The contactless card wants its contacts.
const OTHER_INTERFACE: u16 = 0x6984;
