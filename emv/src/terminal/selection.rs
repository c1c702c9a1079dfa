//! Application selection: the card's directory, else the terminal's list; the cardholder's choice.
//!
//! Sources: EMV 4.3 Book 1, section 12; for the contactless directory EMV Contactless Book B,
//! section 3.3.

use crate::tlv::{self, Object, tags};

use super::apdu::{Answer, Apdu, Occurrence};
use super::outcome::Name;
use super::{
    AfterText, Application, Choice, Command, Interface, Kernel, Matching, Next, Phase, Reason,
    Stepped, Text,
};

/// How many applications of one card are looked at.
pub const CANDIDATES_MAX: usize = 16;

/// An application that card and terminal have in common.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Candidate {
    /// Its name on the card (4F or 84).
    pub name: Name,
    /// What it is called (50), ISO 8859.
    pub label: Name,
    /// What it is called in the cardholder's own alphabet (9F12); empty if nothing.
    pub preferred: Name,
    /// Its rank, 1 being the first and 0 none.
    pub rank: u8,
    /// Whether the card wants the cardholder to confirm it.
    pub confirmation: Confirmation,
    /// Its place in the terminal's list.
    application: usize,
}

/// Whether an application may be selected without the cardholder.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Confirmation {
    /// It may.
    NotNeeded,
    /// It may not.
    Needed,
}

/// The applications in common, in the order in which they are offered.
#[derive(Clone, Copy)]
pub(super) struct Candidates {
    rows: [Candidate; CANDIDATES_MAX],
    len: usize,
    /// Whether one that fits is blocked.
    saw_blocked: bool,
}

/// What the machine waits for while it selects.
#[derive(Clone, Copy)]
pub(super) enum SelectionStep {
    /// The directory was selected.
    Directory,
    /// This record of the directory, in this file, is read.
    DirectoryRecord { file: u8, record: u8 },
    /// The name with this place in the terminal's list was selected.
    Listed { place: usize },
    /// The chosen one was selected.
    Final,
}

impl Candidates {
    pub(super) const NONE: Self =
        Self { rows: [NOBODY; CANDIDATES_MAX], len: 0, saw_blocked: false };

    pub(super) fn as_slice(&self) -> &[Candidate] {
        self.rows.get(..self.len).unwrap_or_default()
    }

    /// Adds one, after those whose rank is not worse; one that is there, or that is too many, is
    /// left out.
    fn add(&mut self, candidate: Candidate) {
        if self.as_slice().iter().any(|row| row.name == candidate.name) {
            return;
        }
        // Rank 0 is no rank, and comes last.
        let order = |row: &Candidate| row.rank.wrapping_sub(1);
        let place = self.as_slice().partition_point(|row| order(row) <= order(&candidate));
        let Some(tail) = self.rows.get_mut(place..(self.len + 1).min(CANDIDATES_MAX)) else {
            return;
        };
        tail.rotate_right(1);
        if let Some(first) = tail.first_mut() {
            *first = candidate;
            self.len = (self.len + 1).min(CANDIDATES_MAX);
        }
    }

    fn remove(&mut self, name: Name) {
        if let Some(place) = self.as_slice().iter().position(|row| row.name == name)
            && let Some(tail) = self.rows.get_mut(place..self.len)
        {
            tail.rotate_left(1);
            self.len -= 1;
        }
    }
}

/// What stands in an unused place.
const NOBODY: Candidate = Candidate {
    name: Name::EMPTY,
    label: Name::EMPTY,
    preferred: Name::EMPTY,
    rank: 0,
    confirmation: Confirmation::NotNeeded,
    application: 0,
};

impl Kernel<'_> {
    /// Begins: the directory is selected.
    pub(super) fn begin(&mut self) -> Stepped {
        let directory: &[u8] = match self.transaction.interface {
            Interface::Contact => b"1PAY.SYS.DDF01",
            Interface::Contactless => {
                self.check_contactless_limit()?;
                b"2PAY.SYS.DDF01"
            }
        };
        self.phase = Phase::Selection(SelectionStep::Directory);
        self.send_made(Command::Select, Apdu::select(directory, Occurrence::First))
    }

    pub(super) fn selection_answered(
        &mut self,
        step: SelectionStep,
        answer: Answer<'_>,
    ) -> Stepped {
        match step {
            SelectionStep::Directory => self.directory_selected(answer),
            SelectionStep::DirectoryRecord { file, record } => {
                self.directory_read(file, record, answer)
            }
            SelectionStep::Listed { place } => self.listed_selected(place, answer),
            SelectionStep::Final => self.finally_selected(answer),
        }
    }

    fn directory_selected(&mut self, answer: Answer<'_>) -> Stepped {
        if answer.status == CARD_BLOCKED {
            return Err(Reason::CardBlocked);
        }
        let proprietary = Some(answer).filter(Answer::is_done).and_then(|answer| {
            let fci = answer.object().ok().filter(|object| object.tag == 0x6F)?;
            tlv::value_of(fci.value, 0xA5)
        });
        match (self.transaction.interface, proprietary) {
            (Interface::Contactless, Some(proprietary)) => {
                let entries = tlv::value_of(proprietary, 0xBF0C).unwrap_or_default();
                self.add_entries(entries);
                self.choose()
            }
            (Interface::Contactless, None) => Err(Reason::NoApplication),
            (Interface::Contact, Some(proprietary)) => {
                match tlv::value_of(proprietary, 0x88) {
                    // Files 1 to 10 are the payment system's own.
                    Some([file @ 1..=10]) => self.read_directory(*file, 1),
                    Some(_) | None => self.select_listed(0),
                }
            }
            (Interface::Contact, None) => self.select_listed(0),
        }
    }

    fn read_directory(&mut self, file: u8, record: u8) -> Stepped {
        self.phase = Phase::Selection(SelectionStep::DirectoryRecord { file, record });
        self.send_made(Command::ReadRecord, Apdu::read_record(file, record))
    }

    fn directory_read(&mut self, file: u8, record: u8, answer: Answer<'_>) -> Stepped {
        let template = answer.object().ok().filter(|object| object.tag == 0x70);
        match (answer.status, template) {
            (0x9000, Some(template)) => {
                self.add_entries(template.value);
                if record < DIRECTORY_RECORDS_MAX {
                    return self.read_directory(file, record + 1);
                }
                if self.candidates.len > 0 { self.choose() } else { self.select_listed(0) }
            }
            (NO_RECORD, _) if self.candidates.len > 0 => self.choose(),
            // A directory that cannot be read, or names nothing that fits: the list decides.
            _ => {
                self.candidates = Candidates::NONE;
                self.select_listed(0)
            }
        }
    }

    /// Adds what the directory's entries name and the terminal takes.
    fn add_entries(&mut self, entries: &[u8]) {
        for entry in tlv::objects(entries).map_while(Result::ok).filter(|entry| entry.tag == 0x61) {
            let Some(name) = tlv::value_of(entry.value, 0x4F) else { continue };
            if let Some((application, _)) = self.match_name(name) {
                self.candidates.add(candidate(application, name, entry.value));
            }
        }
    }

    /// The first row of the terminal's list that takes an application of this name.
    fn match_name(&self, name: &[u8]) -> Option<(usize, &Application<'_>)> {
        self.config.applications.iter().enumerate().find(|(_, row)| takes(row, name))
    }

    /// Selects the name at `place` in the terminal's list; after the last one, chooses.
    fn select_listed(&mut self, place: usize) -> Stepped {
        let Some(row) = self.config.applications.get(place) else { return self.choose() };
        self.phase = Phase::Selection(SelectionStep::Listed { place });
        self.send_made(Command::Select, Apdu::select(row.aid, Occurrence::First))
    }

    fn listed_selected(&mut self, place: usize, answer: Answer<'_>) -> Stepped {
        if answer.status == CARD_BLOCKED {
            return Err(Reason::CardBlocked);
        }
        let row = self.config.applications.get(place).ok_or(Reason::NoApplication)?;
        let is_blocked = answer.status == APPLICATION_BLOCKED;
        self.candidates.saw_blocked |= is_blocked;
        let fci = answer.object().ok().filter(|object| object.tag == 0x6F);
        let name = fci.and_then(|fci| tlv::value_of(fci.value, 0x84));
        let (Some(fci), Some(name), true) = (fci, name, answer.is_done() || is_blocked) else {
            return self.select_listed(place + 1);
        };
        let is_known = self.candidates.as_slice().iter().any(|row| row.name.octets() == name);
        if takes(row, name) && !is_blocked && !is_known {
            let proprietary = tlv::value_of(fci.value, 0xA5).unwrap_or_default();
            self.candidates.add(candidate(place, name, proprietary));
        }
        // A card that gives the same one again would go on for ever.
        if name == row.aid || row.matching == Matching::Exact || is_known {
            return self.select_listed(place + 1);
        }
        self.send_made(Command::Select, Apdu::select(row.aid, Occurrence::Next))
    }

    /// Chooses among the candidates, or has the cardholder choose.
    pub(super) fn choose(&mut self) -> Stepped {
        let by_cardholder = self.config.choice == Choice::Cardholder
            && self.transaction.interface == Interface::Contact;
        let candidates = self.candidates.as_slice();
        match candidates {
            [] if self.candidates.saw_blocked => Err(Reason::ApplicationBlocked),
            [] => Err(Reason::NoApplication),
            [only] if only.confirmation == Confirmation::NotNeeded => self.select_finally(*only),
            _ if by_cardholder => {
                self.phase = Phase::Choosing;
                Ok(Next::Choose)
            }
            _ => {
                let free = |row: &&Candidate| row.confirmation == Confirmation::NotNeeded;
                let first = *candidates.iter().find(free).ok_or(Reason::NoApplication)?;
                self.select_finally(first)
            }
        }
    }

    pub(super) fn chosen(&mut self, choice: Option<usize>) -> Stepped {
        let row = choice.and_then(|place| self.candidates.as_slice().get(place));
        match row.copied() {
            Some(candidate) => self.select_finally(candidate),
            None => Err(Reason::Cancelled),
        }
    }

    fn select_finally(&mut self, candidate: Candidate) -> Stepped {
        self.application = candidate.application;
        (self.name, self.label) = (candidate.name, candidate.label);
        self.phase = Phase::Selection(SelectionStep::Final);
        self.send_made(Command::Select, Apdu::select(candidate.name.octets(), Occurrence::First))
    }

    fn finally_selected(&mut self, answer: Answer<'_>) -> Stepped {
        let fci = answer.object().ok().filter(|object| object.tag == 0x6F);
        let Some(fci) = fci.filter(|_| answer.is_done()) else {
            self.candidates.saw_blocked |= answer.status == APPLICATION_BLOCKED;
            return self.try_another();
        };
        let name = tlv::value_of(fci.value, 0x84)
            .filter(|name| name.starts_with(self.name.octets()))
            .filter(|name| (5..=16).contains(&name.len()));
        let (Some(name), Some(proprietary)) = (name, tlv::value_of(fci.value, 0xA5)) else {
            return self.try_another();
        };
        self.name = Name::of(name).unwrap_or(self.name);
        self.card.wipe();
        self.keep(0x84, name)?;
        let discretionary = tlv::value_of(proprietary, 0xBF0C).unwrap_or_default();
        for object in [proprietary, discretionary].into_iter().flat_map(tlv::objects) {
            self.keep_selected(object.map_err(|_| Reason::MalformedAnswer(Command::Select))?)?;
        }
        if let Some(label) = self.card.value(0x50).and_then(Name::of) {
            self.label = label;
        }
        self.initiate()
    }

    /// Keeps an object of the selection's answer, if it is known and the first of its tag.
    fn keep_selected(&mut self, object: Object<'_>) -> Result<(), Reason> {
        let is_known = tags::find(object.tag).is_some_and(|row| row.source == tags::Source::Card);
        if !is_known || object.is_constructed() || self.card.value(object.tag).is_some() {
            return Ok(());
        }
        self.keep(object.tag, object.value)
    }

    /// Leaves the chosen application out and chooses again.
    pub(super) fn try_another(&mut self) -> Stepped {
        self.candidates.remove(self.name);
        self.name = Name::EMPTY;
        if self.candidates.len == 0 {
            return self.choose();
        }
        self.phase = Phase::Displaying(AfterText::NextCandidate);
        Ok(Next::Display(Text::TryAgain))
    }
}

/// Whether a row of the terminal's list takes an application of this name.
fn takes(row: &Application<'_>, name: &[u8]) -> bool {
    let is_name = (5..=16).contains(&name.len());
    is_name
        && match row.matching {
            Matching::Exact => name == row.aid,
            Matching::Partial => name.starts_with(row.aid),
        }
}

/// A candidate whose label, rank and preferred name stand in `described`.
fn candidate(application: usize, name: &[u8], described: &[u8]) -> Candidate {
    let text = |tag| tlv::value_of(described, tag).and_then(Name::of).unwrap_or(Name::EMPTY);
    let indicator = match tlv::value_of(described, 0x87) {
        Some([indicator]) => *indicator,
        Some(_) | None => 0,
    };
    Candidate {
        name: Name::of(name).unwrap_or(Name::EMPTY),
        label: text(0x50),
        preferred: text(0x9F12),
        rank: indicator & 0x0F,
        confirmation: if indicator & 0x80 == 0 {
            Confirmation::NotNeeded
        } else {
            Confirmation::Needed
        },
        application,
    }
}

/// SELECT is not supported, or the card is blocked.
const CARD_BLOCKED: u16 = 0x6A81;
/// The selected file is invalidated.
const APPLICATION_BLOCKED: u16 = 0x6283;
/// There is no such record.
const NO_RECORD: u16 = 0x6A83;
/// How many records of a directory are read.
const DIRECTORY_RECORDS_MAX: u8 = 16;
