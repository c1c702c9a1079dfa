//! A small terminal that says what it is told to say: enough to bring a chip anywhere.

use cekr_emv::chip::profile::{Oda, Profile, Version};
use cekr_emv::chip::{ANSWER_OCTETS_MAX, Chip};
use cekr_emv::tlv::dol::{self, Format};
use cekr_emv::{CardNumber, Pin, tlv};

/// The card of all stories.
pub(crate) const NUMBER: &[u8] = b"4761730000000011";
/// Its number as tag 5A has it.
pub(crate) const PAN: [u8; 8] = [0x47, 0x61, 0x73, 0, 0, 0, 0, 0x11];
/// Its sequence number.
pub(crate) const SEQUENCE: u8 = 0x01;
/// What the terminal draws.
pub(crate) const UNPREDICTABLE: [u8; 4] = [0xC0, 0xDE, 0x00, 0x07];
/// The day.
pub(crate) const DATE: [u8; 3] = [0x26, 0x11, 0x22];
/// The name of the application.
pub(crate) const AID: [u8; 7] = [0xA0, 0, 0, 0, 3, 0x10, 0x10];

pub(crate) const VERSIONS: [Version; 3] = [Version::Ten, Version::Eighteen, Version::TwentyTwo];

/// Done.
pub(crate) const OK: [u8; 2] = [0x90, 0x00];

pub(crate) fn pin(digits: &str) -> Pin {
    Pin::parse(digits.as_bytes()).unwrap()
}

pub(crate) fn profile(version: Version) -> Profile {
    let number = CardNumber::parse(NUMBER).unwrap();
    Profile::development(number, SEQUENCE, 3012, &pin("1234"), version).unwrap()
}

pub(crate) fn long_profile(version: Version) -> Profile {
    Profile { oda: Some(Oda::LONG), ..profile(version) }
}

pub(crate) fn powered(profile: &Profile) -> Terminal {
    let mut chip = Chip::new(profile);
    chip.reset([0x5E; 32]);
    Terminal::new(chip)
}

/// An answer: its data and its status.
pub(crate) type Answer = (Vec<u8>, [u8; 2]);

/// A chip in a reader, with what the terminal has learnt of it.
#[derive(Clone)]
pub(crate) struct Terminal {
    pub(crate) chip: Chip,
    pub(crate) amount: u64,
    pub(crate) currency: [u8; 2],
    pub(crate) tvr: [u8; 5],
    pub(crate) kind: u8,
    pub(crate) ttq: [u8; 4],
    /// Tags 8A and 91.
    pub(crate) code: [u8; 2],
    pub(crate) issuer_answer: Vec<u8>,
    /// The values sent for each list.
    pub(crate) lists: Vec<Vec<u8>>,
}

impl Terminal {
    pub(crate) fn new(chip: Chip) -> Self {
        Self {
            chip,
            amount: 24_90,
            currency: [0x09, 0x78],
            tvr: [0; 5],
            kind: 0,
            ttq: [0x36, 0x80, 0x40, 0],
            code: *b"00",
            issuer_answer: Vec::new(),
            lists: Vec::new(),
        }
    }

    /// Sends octets as they are; an empty answer says that there is no power.
    pub(crate) fn raw(&mut self, apdu: &[u8]) -> Option<Answer> {
        let mut out = [0; ANSWER_OCTETS_MAX];
        let len = self.chip.process(apdu, &mut out);
        let (data, status) = out[..len].split_last_chunk::<2>()?;
        Some((data.to_vec(), *status))
    }

    pub(crate) fn send(&mut self, header: [u8; 4], data: &[u8]) -> Answer {
        self.try_send(header, data).expect("the chip has power")
    }

    pub(crate) fn try_send(&mut self, header: [u8; 4], data: &[u8]) -> Option<Answer> {
        let mut apdu = header.to_vec();
        if !data.is_empty() {
            apdu.push(data.len() as u8);
            apdu.extend(data);
        }
        apdu.push(0);
        self.raw(&apdu)
    }

    pub(crate) fn select(&mut self, name: &[u8]) -> Answer {
        self.send([0x00, 0xA4, 0x04, 0x00], name)
    }

    pub(crate) fn read(&mut self, file: u8, record: u8) -> Answer {
        self.send([0x00, 0xB2, record, file << 3 | 4], &[])
    }

    pub(crate) fn datum(&mut self, tag: u16) -> Answer {
        let [high, low] = tag.to_be_bytes();
        self.send([0x80, 0xCA, high, low], &[])
    }

    /// The values that a list asks for.
    pub(crate) fn filled(&self, list: &[u8]) -> Vec<u8> {
        let mut amount = [0; 6];
        let mut rest = self.amount;
        for octet in amount.iter_mut().rev() {
            *octet = (((rest / 10 % 10) << 4) | (rest % 10)) as u8;
            rest /= 100;
        }
        let mut room = [0; 256];
        let len = dol::fill(list, &mut room, |tag| {
            let value: &[u8] = match tag {
                0x8A => &self.code,
                0x91 => &self.issuer_answer,
                0x95 => &self.tvr,
                0x9A => &DATE,
                0x9C => std::slice::from_ref(&self.kind),
                0x5F2A => &self.currency,
                0x9F02 => &amount,
                0x9F1A => &[0x07, 0x05],
                0x9F33 => &[0xE0, 0xF8, 0xC8],
                0x9F35 => &[0x22],
                0x9F37 => &UNPREDICTABLE,
                0x9F66 => &self.ttq,
                _ => return None,
            };
            Some((value, Format::Other))
        });
        room[..len.unwrap()].to_vec()
    }

    /// Selects the application and begins a transaction; the answer to GET PROCESSING OPTIONS.
    pub(crate) fn begin(&mut self) -> Answer {
        self.lists.clear();
        let (fci, status) = self.select(&AID);
        assert_eq!(status, OK);
        let list = find(&fci, &[0x6F, 0xA5, 0x9F38]).expect("a PDOL");
        self.options(&list)
    }

    pub(crate) fn options(&mut self, list: &[u8]) -> Answer {
        let values = self.filled(list);
        let data = [&[0x83, values.len() as u8], &values[..]].concat();
        self.lists.push(values);
        self.send([0x80, 0xA8, 0, 0], &data)
    }

    /// Every record of the locator, each with the sign whether static data cover it.
    pub(crate) fn records(&mut self, options: &[u8]) -> Vec<(Vec<u8>, bool)> {
        let locator = find(options, &[0x77, 0x94]).expect("a locator");
        let mut records = Vec::new();
        for entry in locator.chunks(4) {
            for record in entry[1]..=entry[2] {
                let (content, status) = self.read(entry[0] >> 3, record);
                assert_eq!(status, OK, "record {record} of {entry:02X?}");
                let content = tlv::value_of(&content, 0x70).expect("a template").to_vec();
                tlv::check(&content).expect("a list of objects");
                records.push((content, record - entry[1] < entry[3]));
            }
        }
        records
    }

    /// The first GENERATE AC with the list in the card; `control` as its first parameter.
    pub(crate) fn first(&mut self, control: u8) -> Answer {
        self.generate(control, 0x8C)
    }

    pub(crate) fn second(&mut self, control: u8) -> Answer {
        self.generate(control, 0x8D)
    }

    fn generate(&mut self, control: u8, list: u32) -> Answer {
        let (record, _) = self.read(3, 2);
        let list = find(&record, &[0x70, list]).expect("a list");
        let values = self.filled(&list);
        self.lists.push(values.clone());
        self.send([0x80, 0xAE, control, 0x00], &values)
    }

    /// VERIFY in clear.
    pub(crate) fn verify(&mut self, digits: &str) -> [u8; 2] {
        let block = cekr_emv::crypto::pin_block::encode_format2(&pin(digits));
        self.send([0x00, 0x20, 0x00, 0x80], &block).1
    }
}

/// The value of the last tag, each inside the one before.
pub(crate) fn find(data: &[u8], path: &[u32]) -> Option<Vec<u8>> {
    path.iter().try_fold(data, |data, tag| tlv::value_of(data, *tag)).map(<[u8]>::to_vec)
}

/// What an answer to GENERATE AC, or to GET PROCESSING OPTIONS of a tap, says.
pub(crate) struct Cryptogram {
    pub(crate) information: u8,
    pub(crate) atc: [u8; 2],
    pub(crate) value: [u8; 8],
    pub(crate) issuer_data: Vec<u8>,
}

pub(crate) fn cryptogram(answer: &Answer) -> Cryptogram {
    assert_eq!(answer.1, OK);
    let value = |tag| find(&answer.0, &[0x77, tag]).unwrap_or_else(|| panic!("{tag:X} is missing"));
    Cryptogram {
        information: value(0x9F27)[0],
        atc: value(0x9F36).try_into().unwrap(),
        value: value(0x9F26).try_into().unwrap(),
        issuer_data: value(0x9F10),
    }
}
