//! Commands to the card, and what it answers.
//!
//! Sources: EMV 4.3 Book 1, section 11.3 (SELECT), Book 3, section 6.5 (the others).

use crate::tlv::{TlvError, Writer};

use super::Command;
use super::store::Octets;

/// The longest command: header, length, 255 octets, expected length.
pub(super) const COMMAND_OCTETS_MAX: usize = 5 + 255 + 1;

/// A command under way.
#[derive(Clone, Copy)]
pub(super) struct Apdu {
    octets: Octets<COMMAND_OCTETS_MAX>,
    pub(super) command: Command,
}

/// Whether a command wants data back.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Back {
    Data,
    Nothing,
}

impl Apdu {
    pub(super) const NONE: Self = Self { octets: Octets::EMPTY, command: Command::Select };

    pub(super) fn octets(&self) -> &[u8] {
        self.octets.as_slice()
    }

    pub(super) fn wipe(&mut self) {
        self.octets.wipe();
    }

    /// Wipes a command that holds a PIN, once it has been sent.
    pub(super) fn wipe_if_secret(&mut self) {
        if self.command == Command::Verify {
            self.octets.wipe();
        }
    }

    /// Selects by name: the first application that begins with it, or the next one.
    pub(super) fn select(name: &[u8], which: Occurrence) -> Option<Self> {
        let p2 = match which {
            Occurrence::First => 0x00,
            Occurrence::Next => 0x02,
        };
        Self::with(Command::Select, [0x00, 0xA4, 0x04, p2], name, Back::Data)
    }

    /// Reads a record of a file by its short identifier.
    pub(super) fn read_record(file: u8, record: u8) -> Option<Self> {
        let header = [0x00, 0xB2, record, file << 3 | 0x04];
        Self::with(Command::ReadRecord, header, &[], Back::Data)
    }

    /// Tells the card the values that its PDOL asks for.
    pub(super) fn get_processing_options(values: &[u8]) -> Option<Self> {
        let mut template = [0; 255];
        let mut writer = Writer::new(&mut template);
        writer.put(0x83, values).ok()?;
        let header = [0x80, 0xA8, 0x00, 0x00];
        Self::with(Command::GetProcessingOptions, header, writer.written(), Back::Data)
    }

    /// Asks for a signature over what the DDOL asks for.
    pub(super) fn internal_authenticate(values: &[u8]) -> Option<Self> {
        let header = [0x00, 0x88, 0x00, 0x00];
        Self::with(Command::InternalAuthenticate, header, values, Back::Data)
    }

    /// Asks for one object that stands in no record: 9F13, 9F17, 9F36.
    pub(super) fn get_data(tag: u16) -> Option<Self> {
        let [p1, p2] = tag.to_be_bytes();
        Self::with(Command::GetData, [0x80, 0xCA, p1, p2], &[], Back::Data)
    }

    pub(super) fn get_challenge() -> Option<Self> {
        Self::with(Command::GetChallenge, [0x00, 0x84, 0x00, 0x00], &[], Back::Data)
    }

    /// Shows the card a PIN: a block of format 2, or one enciphered.
    pub(super) fn verify(block: &[u8], is_enciphered: bool) -> Option<Self> {
        let p2 = if is_enciphered { 0x88 } else { 0x80 };
        Self::with(Command::Verify, [0x00, 0x20, 0x00, p2], block, Back::Nothing)
    }

    /// Asks for a cryptogram; `p1` says of which kind, and whether signed.
    pub(super) fn generate_ac(p1: u8, values: &[u8]) -> Option<Self> {
        Self::with(Command::GenerateAc, [0x80, 0xAE, p1, 0x00], values, Back::Data)
    }

    pub(super) fn external_authenticate(data: &[u8]) -> Option<Self> {
        let header = [0x00, 0x82, 0x00, 0x00];
        Self::with(Command::ExternalAuthenticate, header, data, Back::Nothing)
    }

    /// A command as the issuer wrote it; `None` if it is too short or too long for one.
    pub(super) fn script(octets: &[u8]) -> Option<Self> {
        let octets = Octets::of(octets).filter(|octets| octets.as_slice().len() >= 4)?;
        Some(Self { octets, command: Command::Script })
    }

    /// Fetches what a card of the older protocol announces by 61xx.
    pub(super) fn get_response(self, len: u8) -> Option<Self> {
        let octets = Octets::of(&[0x00, 0xC0, 0x00, 0x00, len])?;
        Some(Self { octets, ..self })
    }

    /// The same command with the length that the card wants (6Cxx).
    pub(super) fn with_expected_len(self, len: u8) -> Option<Self> {
        let (_, head) = self.octets().split_last().filter(|(_, head)| head.len() >= 4)?;
        let mut octets = Octets::of(head)?;
        octets.extend(&[len]).then_some(Self { octets, ..self })
    }

    fn with(command: Command, header: [u8; 4], data: &[u8], back: Back) -> Option<Self> {
        let mut octets = Octets::of(&header)?;
        let mut fits = true;
        if !data.is_empty() {
            let len = u8::try_from(data.len()).ok()?;
            fits = octets.extend(&[len]) && octets.extend(data);
        }
        if back == Back::Data {
            fits = fits && octets.extend(&[0x00]);
        }
        fits.then_some(Self { octets, command })
    }
}

/// Which of the applications with a name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Occurrence {
    /// The first.
    First,
    /// The one after that which was selected last.
    Next,
}

/// What a card answered: data and status word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Answer<'a> {
    pub(super) data: &'a [u8],
    pub(super) status: u16,
}

impl<'a> Answer<'a> {
    /// Takes the status word off; `None` if there is none.
    pub(super) fn parse(octets: &'a [u8]) -> Option<Self> {
        let (data, status) = octets.split_last_chunk::<2>()?;
        Some(Self { data, status: u16::from_be_bytes(*status) })
    }

    pub(super) fn is_done(&self) -> bool {
        self.status == 0x9000
    }

    /// The only object of the answer, a template or a list without tags.
    pub(super) fn object(&self) -> Result<crate::tlv::Object<'a>, TlvError> {
        crate::tlv::check(self.data)?;
        let mut objects = crate::tlv::objects(self.data);
        let first = objects.next().ok_or(TlvError::Truncated)??;
        if objects.next().is_some() { Err(TlvError::TooMany) } else { Ok(first) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets(apdu: Option<Apdu>) -> Octets<COMMAND_OCTETS_MAX> {
        apdu.expect("fits").octets
    }

    #[test]
    fn commands_are_those_of_the_standard() {
        for (apdu, expected) in [
            (Apdu::select(b"\xA0\x00", Occurrence::Next), &b"\x00\xA4\x04\x02\x02\xA0\x00\x00"[..]),
            (Apdu::read_record(2, 1), b"\x00\xB2\x01\x14\x00"),
            (Apdu::get_processing_options(&[]), b"\x80\xA8\x00\x00\x02\x83\x00\x00"),
            (Apdu::get_data(0x9F17), b"\x80\xCA\x9F\x17\x00"),
            (Apdu::get_challenge(), b"\x00\x84\x00\x00\x00"),
            (Apdu::verify(&[0x24], false), b"\x00\x20\x00\x80\x01\x24"),
            (Apdu::generate_ac(0x80, &[7]), b"\x80\xAE\x80\x00\x01\x07\x00"),
            (Apdu::external_authenticate(&[7]), b"\x00\x82\x00\x00\x01\x07"),
            (Apdu::internal_authenticate(&[7]), b"\x00\x88\x00\x00\x01\x07\x00"),
        ] {
            assert_eq!(octets(apdu).as_slice(), expected);
        }
        let long = Apdu::get_processing_options(&[0; 200]).expect("fits");
        assert_eq!(long.octets().get(..8), Some(&b"\x80\xA8\x00\x00\xCB\x83\x81\xC8"[..]));
        assert!(Apdu::generate_ac(0, &[0; 256]).is_none());
        assert!(Apdu::get_processing_options(&[0; 253]).is_none());
    }

    #[test]
    fn a_card_of_the_older_protocol_is_asked_again() {
        let apdu = Apdu::read_record(1, 1).expect("fits");
        assert_eq!(octets(apdu.with_expected_len(9)).as_slice(), b"\x00\xB2\x01\x0C\x09");
        assert_eq!(octets(apdu.get_response(9)).as_slice(), b"\x00\xC0\x00\x00\x09");
        assert!(Apdu::script(&[0x84, 0x24, 0x00]).is_none());
        assert!(Apdu::script(&[0; 262]).is_none());
    }

    #[test]
    fn an_answer_without_a_status_is_none() {
        assert_eq!(Answer::parse(&[0x90]), None);
        let answer = Answer::parse(&[0x80, 0x01, 0x07, 0x90, 0x00]).expect("whole");
        assert!(answer.is_done());
        assert_eq!(answer.object().map(|object| (object.tag, object.value)), Ok((0x80, &[7][..])));
        let two = Answer::parse(&[0x82, 0x00, 0x82, 0x00, 0x90, 0x00]).expect("whole");
        assert_eq!(two.object(), Err(TlvError::TooMany));
    }
}
