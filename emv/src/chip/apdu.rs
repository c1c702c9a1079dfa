//! Commands and answers of a chip (APDU): their shape, and the two octets that end every answer.
//!
//! Source: ISO/IEC 7816-4, sections 5.1 to 5.3 (short lengths); EMV 4.3 Book 3, section 6.3 and
//! table 33 (status words).

/// A command: header, data, and how many octets of answer are expected at most.
#[derive(Clone, Copy)]
pub(super) struct Command<'a> {
    pub(super) class: u8,
    pub(super) instruction: u8,
    pub(super) parameters: [u8; 2],
    pub(super) data: &'a [u8],
    /// 1 to 256; `None` where the command does not say.
    pub(super) expected: Option<usize>,
}

impl<'a> Command<'a> {
    /// Reads a command of the short form.
    pub(super) fn parse(apdu: &'a [u8]) -> Result<Self, Status> {
        let [class, instruction, first, second, rest @ ..] = apdu else {
            return Err(Status::WrongLength);
        };
        let expected = |octet: u8| Some(if octet == 0 { 256 } else { usize::from(octet) });
        let (data, expected) = match rest {
            [] => (&[][..], None),
            [le] => (&[][..], expected(*le)),
            [lc, body @ ..] if body.len() == usize::from(*lc) => (body, None),
            [lc, body @ .., le] if body.len() == usize::from(*lc) => (body, expected(*le)),
            _ => return Err(Status::WrongLength),
        };
        let parameters = [*first, *second];
        Ok(Self { class: *class, instruction: *instruction, parameters, data, expected })
    }

    /// Header and length of data, as a script's MAC covers them.
    pub(super) fn header(&self) -> [u8; 5] {
        let [first, second] = self.parameters;
        // Data of a short command are at most 255 octets.
        [self.class, self.instruction, first, second, self.data.len() as u8]
    }

    /// Refuses other parameters than these.
    pub(super) fn has_parameters(&self, parameters: [u8; 2]) -> Result<(), Status> {
        (self.parameters == parameters).then_some(()).ok_or(Status::WrongParameters)
    }

    /// Refuses data of another length.
    pub(super) fn has_data_of(&self, len_octets: usize) -> Result<(), Status> {
        (self.data.len() == len_octets).then_some(()).ok_or(Status::WrongLength)
    }
}

/// Status words: the last two octets of every answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Status {
    /// 9000: done.
    Done,
    /// 61xx: done, and so many octets wait for GET RESPONSE (0: 256).
    MoreWaits(u8),
    /// 6283: selected, but blocked.
    SelectedBlocked,
    /// 6300: the issuer's answer is not believed.
    AuthenticationFailed,
    /// 63Cx: the PIN is wrong, so many tries are left.
    PinWrong(u8),
    /// 6700: the length is wrong.
    WrongLength,
    /// 6983: no PIN try is left.
    PinBlocked,
    /// 6985: not now.
    ConditionsNotSatisfied,
    /// 6987: a script without MAC.
    MacMissing,
    /// 6988: a script with a wrong MAC.
    MacWrong,
    /// 6A80: the data are wrong.
    WrongData,
    /// 6A81: not supported, or the card is blocked.
    NotSupported,
    /// 6A82: no such application or file.
    FileNotFound,
    /// 6A83: no such record.
    RecordNotFound,
    /// 6A86: the parameters are wrong.
    WrongParameters,
    /// 6A88: no such data.
    DataNotFound,
    /// 6Cxx: ask again for so many octets (0: 256).
    WrongExpectedLength(u8),
    /// 6D00: no such instruction.
    UnknownInstruction,
    /// 6E00: no such class.
    UnknownClass,
    /// 6F00: the chip contradicts itself, or the room for the answer is too small.
    Internal,
}

impl Status {
    /// The two octets.
    pub fn octets(self) -> [u8; 2] {
        match self {
            Self::Done => [0x90, 0x00],
            Self::MoreWaits(len) => [0x61, len],
            Self::SelectedBlocked => [0x62, 0x83],
            Self::AuthenticationFailed => [0x63, 0x00],
            Self::PinWrong(tries) => [0x63, 0xC0 | tries & 0x0F],
            Self::WrongLength => [0x67, 0x00],
            Self::PinBlocked => [0x69, 0x83],
            Self::ConditionsNotSatisfied => [0x69, 0x85],
            Self::MacMissing => [0x69, 0x87],
            Self::MacWrong => [0x69, 0x88],
            Self::WrongData => [0x6A, 0x80],
            Self::NotSupported => [0x6A, 0x81],
            Self::FileNotFound => [0x6A, 0x82],
            Self::RecordNotFound => [0x6A, 0x83],
            Self::WrongParameters => [0x6A, 0x86],
            Self::DataNotFound => [0x6A, 0x88],
            Self::WrongExpectedLength(len) => [0x6C, len],
            Self::UnknownInstruction => [0x6D, 0x00],
            Self::UnknownClass => [0x6E, 0x00],
            Self::Internal => [0x6F, 0x00],
        }
    }
}

/// How a command ended that was carried out.
#[derive(Clone, Copy)]
pub(super) struct Answer {
    /// So many octets stand in the room for the answer.
    pub(super) len_octets: usize,
    pub(super) status: Status,
}

impl Answer {
    /// Done, with nothing to say.
    pub(super) const DONE: Self = Self { len_octets: 0, status: Status::Done };

    /// Done, with so many octets.
    pub(super) fn of(len_octets: usize) -> Self {
        Self { len_octets, status: Status::Done }
    }
}

/// Why a command was not carried out.
#[derive(Clone, Copy)]
pub(super) enum Stop {
    /// Refused, or failed.
    Status(Status),
    /// The power is gone: no answer at all.
    Torn,
}

impl From<Status> for Stop {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

#[cfg(test)]
mod tests {
    use super::{Command, Status};

    #[test]
    fn reads_the_four_cases_and_nothing_else() {
        let read = |apdu: &[u8]| {
            Command::parse(apdu).map(|command| (command.data.len(), command.expected))
        };
        assert_eq!(read(&[0, 0xB2, 1, 0x0C]), Ok((0, None)));
        assert_eq!(read(&[0, 0xB2, 1, 0x0C, 0]), Ok((0, Some(256))));
        assert_eq!(read(&[0, 0xB2, 1, 0x0C, 9]), Ok((0, Some(9))));
        assert_eq!(read(&[0, 0x82, 0, 0, 2, 7, 7]), Ok((2, None)));
        assert_eq!(read(&[0, 0x82, 0, 0, 2, 7, 7, 0]), Ok((2, Some(256))));
        for apdu in [&[][..], &[0, 0xB2, 1], &[0, 0x82, 0, 0, 2, 7], &[0, 0x82, 0, 0, 1, 7, 7, 0]] {
            assert_eq!(read(apdu), Err(Status::WrongLength), "{apdu:?}");
        }
    }
}
