//! A card written down object by object: what it answers is what the story says, well formed or
//! not.

use cekr_emv::tlv::{self, Writer};

use crate::scene::Card;

pub(crate) const AID: &[u8] = &[0xA0, 0, 0, 0, 3, 0x10, 0x10];

/// One object.
pub(crate) fn object(tag: u32, value: &[u8]) -> Vec<u8> {
    let mut room = vec![0; value.len() + 8];
    let mut writer = Writer::new(&mut room);
    writer.put(tag, value).expect("a tag");
    writer.written().to_vec()
}

/// Several, one behind the other.
pub(crate) fn objects(list: &[(u32, &[u8])]) -> Vec<u8> {
    list.iter().flat_map(|(tag, value)| object(*tag, value)).collect()
}

/// A card without offline authentication that says what it is told to say.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) aip: [u8; 2],
    /// The objects of its one record.
    pub(crate) record: Vec<(u32, Vec<u8>)>,
    pub(crate) pdol: Vec<u8>,
    /// Tags for GET DATA with their values; others are refused.
    pub(crate) data: Vec<(u16, Vec<u8>)>,
    /// What it answers to each GENERATE AC: the octet of its kind.
    pub(crate) kinds: Vec<u8>,
    /// Status words of VERIFY, one after the other, the last one again.
    pub(crate) pins: Vec<u16>,
    /// Answers that take the place of its own: to the n-th command (0 the first) with this
    /// instruction.
    pub(crate) instead: Vec<(u8, usize, Vec<u8>)>,
    /// Names under which it can be selected, with the status of each.
    pub(crate) names: Vec<(Vec<u8>, u16)>,
    /// The entries of its directory; none: it has no directory.
    pub(crate) directory: Vec<Vec<u8>>,
    /// How many commands of each instruction came.
    pub(crate) counts: [usize; 256],
    /// Which name was selected last.
    pub(crate) last: usize,
}

impl Written {
    /// A card that agrees with everything, without cardholder verification.
    pub(crate) fn plain() -> Self {
        Self {
            aip: [0x08, 0x00],
            record: vec![
                (0x57, vec![0x47, 0x61, 0x73, 0, 0, 0, 0, 0x11, 0xD3, 0x01, 0x22, 0x01, 0x1F]),
                (0x5A, vec![0x47, 0x61, 0x73, 0, 0, 0, 0, 0x11]),
                (0x5F24, vec![0x30, 0x12, 0x31]),
                (0x5F34, vec![0x01]),
                (0x8C, vec![0x9F, 0x02, 6, 0x95, 5, 0x9A, 3, 0x9C, 1, 0x9F, 0x37, 4]),
                (0x8D, vec![0x8A, 2, 0x95, 5, 0x91, 10]),
                (0x9F0D, vec![0; 5]),
                (0x9F0E, vec![0; 5]),
                (0x9F0F, vec![0; 5]),
            ],
            pdol: Vec::new(),
            data: vec![(0x9F17, vec![3])],
            kinds: vec![0x80, 0x40],
            pins: vec![0x9000],
            instead: Vec::new(),
            names: vec![(AID.to_vec(), 0x9000)],
            directory: Vec::new(),
            counts: [0; 256],
            last: 0,
        }
    }

    /// The same with another value of a tag in the record, or with one more.
    pub(crate) fn with(mut self, tag: u32, value: &[u8]) -> Self {
        self.record.retain(|(other, _)| *other != tag);
        self.record.push((tag, value.to_vec()));
        self
    }

    /// The same without a tag.
    pub(crate) fn without(mut self, tag: u32) -> Self {
        self.record.retain(|(other, _)| *other != tag);
        self
    }

    /// The same with an answer of the story's own to the n-th command of an instruction.
    pub(crate) fn instead(mut self, instruction: u8, number: usize, answer: &[u8]) -> Self {
        self.instead.push((instruction, number, answer.to_vec()));
        self
    }

    /// The same with a list of cardholder verification rules, and the bit that it is to be used.
    pub(crate) fn verifying(mut self, rules: &[[u8; 2]]) -> Self {
        self.aip[0] |= 0x10;
        let list: Vec<u8> = [0; 8].into_iter().chain(rules.concat()).collect();
        self.with(0x8E, &list).with(0x9F42, &[0x09, 0x78])
    }

    fn select(&mut self, name: &[u8], is_next: bool) -> (Vec<u8>, u16) {
        if name == b"1PAY.SYS.DDF01" {
            if self.directory.is_empty() {
                return (Vec::new(), 0x6A82);
            }
            let inner = objects(&[(0x84, name), (0xA5, &object(0x88, &[1]))]);
            return (object(0x6F, &inner), 0x9000);
        }
        let first = if is_next { self.last + 1 } else { 0 };
        let found = self.names.iter().enumerate().skip(first);
        let Some((place, (full, status))) =
            found.into_iter().find(|(_, (full, _))| full.starts_with(name))
        else {
            return (Vec::new(), 0x6A82);
        };
        self.last = place;
        let mut proprietary = object(0x50, b"WRITTEN");
        if !self.pdol.is_empty() {
            proprietary.extend(object(0x9F38, &self.pdol));
        }
        (object(0x6F, &objects(&[(0x84, full), (0xA5, &proprietary)])), *status)
    }

    fn reply(&mut self, apdu: &[u8]) -> (Vec<u8>, u16) {
        let data = match apdu.get(4) {
            Some(len) if apdu.len() > 5 => &apdu[5..5 + usize::from(*len)],
            _ => &[],
        };
        match apdu[1] {
            0xA4 => self.select(data, apdu[3] == 2),
            0xA8 => {
                let body = [&self.aip[..], &[0x08, 0x01, 0x01, 0x00]].concat();
                (object(0x80, &body), 0x9000)
            }
            // The directory is file 1 too, but is read before anything else.
            0xB2 if self.counts[0xA8] == 0 => match self.directory.get(usize::from(apdu[2]) - 1) {
                Some(entry) => (object(0x70, &object(0x61, entry)), 0x9000),
                None => (Vec::new(), 0x6A83),
            },
            0xB2 => {
                let record = self.record.iter().flat_map(|(tag, value)| object(*tag, value));
                (object(0x70, &record.collect::<Vec<_>>()), 0x9000)
            }
            0xCA => {
                let tag = u16::from_be_bytes([apdu[2], apdu[3]]);
                match self.data.iter().find(|(other, _)| *other == tag) {
                    Some((_, value)) => (object(u32::from(tag), value), 0x9000),
                    None => (Vec::new(), 0x6A88),
                }
            }
            0x84 => (vec![7; 8], 0x9000),
            0x20 => {
                let place = (self.counts[0x20] - 1).min(self.pins.len() - 1);
                (Vec::new(), self.pins[place])
            }
            0xAE => {
                let place = (self.counts[0xAE] - 1).min(self.kinds.len() - 1);
                let head = [self.kinds[place], 0x00, 0x07];
                let body = [&head[..], &[0xAC; 8], &[6, 1, 10, 3, 0xA0, 0, 0]].concat();
                (object(0x80, &body), 0x9000)
            }
            0x82 => (Vec::new(), 0x9000),
            _ => (Vec::new(), 0x6D00),
        }
    }
}

impl Card for Written {
    fn answer(&mut self, apdu: &[u8]) -> Vec<u8> {
        let instruction = apdu[1];
        let number = self.counts[usize::from(instruction)];
        self.counts[usize::from(instruction)] += 1;
        let instead = self.instead.iter().find(|(i, n, _)| (*i, *n) == (instruction, number));
        if let Some((_, _, answer)) = instead {
            return answer.clone();
        }
        let (data, status) = self.reply(apdu);
        debug_assert!(tlv::check(&data).is_ok() || instruction == 0x84);
        [&data[..], &status.to_be_bytes()].concat()
    }
}
