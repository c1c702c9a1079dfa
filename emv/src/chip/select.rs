//! How a terminal finds its way in a chip: directories, applications, records, single data.
//!
//! Source: EMV 4.3 Book 1, sections 11.2 (READ RECORD), 11.3 (SELECT, tables 43 to 45), 12.2
//! (directory) and 12.3 (selection by a list of names); Book 3, section 6.5.7 (GET DATA); EMV
//! Contactless Book B, section 3.3 (the directory of contactless applications).

use crate::chip::apdu::{Answer, Command, Status, Stop};
use crate::chip::files::{self, Missing, Place};
use crate::chip::kept::{Block, LOG_COUNT, LOG_FORMAT};
use crate::chip::lists;
use crate::chip::profile::Application;
use crate::chip::session::{Interface, Selected, Transaction};
use crate::chip::{Chip, DATA_OCTETS_MAX};
use crate::tlv::{TlvError, Writer};

impl Chip {
    /// SELECT by name: a directory, or an application by its whole name or the beginning of it.
    pub(super) fn select(
        &mut self,
        command: &Command<'_>,
        room: &mut [u8],
    ) -> Result<Answer, Stop> {
        let occurrence = match command.parameters {
            [0x04, 0x00] => Occurrence::First,
            [0x04, 0x02] => Occurrence::Next,
            _ => return Err(Status::WrongParameters.into()),
        };
        let name = command.data;
        let selected = if occurrence == Occurrence::First && name == DIRECTORY {
            self.session.interface = Interface::Contact;
            Selected::Directory
        } else if occurrence == Occurrence::First && name == PROXIMITY {
            self.session.interface = Interface::Contactless;
            Selected::Proximity
        } else {
            Selected::Application(self.find(name, occurrence).ok_or(Status::FileNotFound)?)
        };
        self.session.selected = selected;
        self.session.transaction = Transaction::NONE;
        self.session.challenge = None;
        let len_octets = self.write_selected(selected, room).map_err(|_| Status::Internal)?;
        let status = match (selected, self.kept.block) {
            (Selected::Application(_), Block::Application) => Status::SelectedBlocked,
            _ => Status::Done,
        };
        Ok(Answer { len_octets, status })
    }

    /// The first application, or the next after the selected one, whose name begins so.
    fn find(&self, name: &[u8], occurrence: Occurrence) -> Option<usize> {
        if !(NAME_OCTETS_MIN..=NAME_OCTETS_MAX).contains(&name.len()) {
            return None;
        }
        let after = match (occurrence, self.session.selected) {
            (Occurrence::Next, Selected::Application(place)) => place + 1,
            (Occurrence::Next, _) => return None,
            (Occurrence::First, _) => 0,
        };
        let applications = self.profile.applications.iter().enumerate().skip(after);
        applications
            .filter(|(_, application)| application.aid.starts_with(name))
            .map(|(place, _)| place)
            .next()
    }

    /// File control information (6F) of what was selected.
    fn write_selected(&self, selected: Selected, room: &mut [u8]) -> Result<usize, TlvError> {
        let (mut whole, mut proprietary) = ([0; DATA_OCTETS_MAX], [0; DATA_OCTETS_MAX]);
        let mut inner = Writer::new(&mut proprietary);
        let name = match selected {
            Selected::Nothing => return Err(TlvError::NoRoom),
            Selected::Directory => {
                inner.put(0x88, &[DIRECTORY_FILE])?;
                inner.put(0x5F2D, LANGUAGES)?;
                DIRECTORY
            }
            Selected::Proximity => {
                let mut list = [0; DATA_OCTETS_MAX];
                let mut list = Writer::new(&mut list);
                self.write_entries(&mut list)?;
                inner.put(0xBF0C, list.written())?;
                PROXIMITY
            }
            Selected::Application(place) => {
                let application = self.profile.applications.get(place).ok_or(TlvError::NoRoom)?;
                self.write_application(application, &mut inner)?;
                application.aid
            }
        };
        let mut outer = Writer::new(&mut whole);
        outer.put(0x84, name)?;
        outer.put(0xA5, inner.written())?;
        let mut writer = Writer::new(room);
        writer.put(0x6F, outer.written())?;
        Ok(writer.written().len())
    }

    fn write_application(
        &self,
        application: &Application,
        inner: &mut Writer<'_>,
    ) -> Result<(), TlvError> {
        let list = lists::pdol(self.session.interface, self.profile.options);
        let encoded = lists::encoded(list).ok_or(TlvError::NoRoom)?;
        let mut log = [0; 16];
        let mut log = Writer::new(&mut log);
        log.put(0x9F4D, &[files::LOG, LOG_COUNT as u8])?;
        inner.put(0x50, application.label)?;
        inner.put(0x87, &[application.priority])?;
        if !list.is_empty() {
            inner.put(0x9F38, encoded.as_slice())?;
        }
        inner.put(0x5F2D, LANGUAGES)?;
        inner.put(0x9F11, &[0x01])?;
        inner.put(0x9F12, application.label)?;
        inner.put(0xBF0C, log.written())
    }

    /// One entry (61) for each application.
    fn write_entries(&self, writer: &mut Writer<'_>) -> Result<(), TlvError> {
        self.profile.applications.iter().try_for_each(|application| {
            let mut entry = [0; 64];
            let mut entry = Writer::new(&mut entry);
            entry.put(0x4F, application.aid)?;
            entry.put(0x50, application.label)?;
            entry.put(0x87, &[application.priority])?;
            writer.put(0x61, entry.written())
        })
    }

    /// READ RECORD.
    pub(super) fn read_record(
        &mut self,
        command: &Command<'_>,
        room: &mut [u8],
    ) -> Result<Answer, Stop> {
        let [record, reference] = command.parameters;
        if reference & 0x07 != 0x04 || record == 0 {
            return Err(Status::WrongParameters.into());
        }
        let place = Place { file: reference >> 3, record };
        let len_octets = match self.session.selected {
            Selected::Nothing | Selected::Proximity => {
                return Err(Status::ConditionsNotSatisfied.into());
            }
            Selected::Directory if place.file != DIRECTORY_FILE => {
                return Err(Status::FileNotFound.into());
            }
            Selected::Directory if record != 1 => return Err(Status::RecordNotFound.into()),
            Selected::Directory => self.write_directory(room).map_err(|_| Status::Internal)?,
            Selected::Application(_) => self.copy_record(place, room)?,
        };
        Ok(Answer::of(len_octets))
    }

    fn write_directory(&self, room: &mut [u8]) -> Result<usize, TlvError> {
        let mut entries = [0; DATA_OCTETS_MAX];
        let mut entries = Writer::new(&mut entries);
        self.write_entries(&mut entries)?;
        let mut writer = Writer::new(room);
        writer.put(0x70, entries.written())?;
        Ok(writer.written().len())
    }

    fn copy_record(&self, place: Place, room: &mut [u8]) -> Result<usize, Stop> {
        let content = if place.file == files::LOG {
            &self.kept.log.read(place.record).ok_or(Status::RecordNotFound)?[..]
        } else {
            self.kept.files.read(place).map_err(|missing| match missing {
                Missing::File => Status::FileNotFound,
                Missing::Record => Status::RecordNotFound,
            })?
        };
        let room = room.get_mut(..content.len()).ok_or(Status::Internal)?;
        room.copy_from_slice(content);
        Ok(content.len())
    }

    /// GET DATA: counters, PIN tries, and what the log holds.
    pub(super) fn data(&mut self, command: &Command<'_>, room: &mut [u8]) -> Result<Answer, Stop> {
        self.application()?;
        command.has_data_of(0)?;
        let (atc, last) = (self.kept.atc.to_be_bytes(), self.kept.atc_last_online.to_be_bytes());
        let tries = [self.kept.pin_tries];
        let tag = u16::from_be_bytes(command.parameters);
        let value = match tag {
            0x9F13 => &last[..],
            0x9F17 => &tries,
            0x9F36 => &atc,
            0x9F4F => LOG_FORMAT,
            _ => return Err(Status::DataNotFound.into()),
        };
        let mut writer = Writer::new(room);
        writer.put(u32::from(tag), value).map_err(|_| Status::Internal)?;
        Ok(Answer::of(writer.written().len()))
    }
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Occurrence {
    First,
    Next,
}

/// The directory of applications for chip readers.
pub(super) const DIRECTORY: &[u8] = b"1PAY.SYS.DDF01";

/// The one for contactless readers.
pub(super) const PROXIMITY: &[u8] = b"2PAY.SYS.DDF01";

/// The directory's file with the list of applications.
const DIRECTORY_FILE: u8 = 1;

/// What the cardholder reads, most wanted first.
const LANGUAGES: &[u8] = b"slen";

/// How many octets an application's name has (ISO/IEC 7816-4).
const NAME_OCTETS_MIN: usize = 5;
const NAME_OCTETS_MAX: usize = 16;
