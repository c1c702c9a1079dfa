//! A simulated chip that is asked for requests to its issuer and for nothing else.
//!
//! Streets and load runs want thousands of cryptograms. This is the real chip
//! ([`cekr_emv::chip::Chip`]) with the shortest terminal around it: it is selected, tells its
//! options, and makes the cryptogram. No certificates, no PIN by the chip, no second cryptogram; so
//! the chip says each time that its last transaction was not completed, which declines nothing.
//!
//! A chip counts to 65,534 and is refused for ever after: [`QuickChip::ask`] stops at the end of
//! the counters that its caller has set aside.

use cekr_emv::CardNumber;
use cekr_emv::chip::profile::{Profile, Version};
use cekr_emv::chip::{ANSWER_OCTETS_MAX, Chip};
use cekr_emv::crypto::cvn::Transaction;
use cekr_emv::data::{Cid, CvmResults};
use cekr_emv::issuer;
use cekr_emv::pin::Pin;
use cekr_emv::tlv::{self, Writer};

use crate::card::{CHIP_SEQUENCE, Card};
use crate::form::{ChipData, Track2};

/// One chip.
#[derive(Clone)]
pub struct QuickChip {
    chip: Box<Chip>,
    card: Card,
    uses_left: u16,
}

/// What terminal and transaction are to the chip.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Terms {
    /// Cents, cash included.
    pub amount: u64,
    /// Cents of it in cash back.
    pub cashback: u64,
    /// The first two digits of DE 3, packed.
    pub kind: u8,
    /// The country's number, four packed digits.
    pub country: [u8; 2],
    /// Year, month and day, packed.
    pub date: [u8; 3],
    /// Whether a PIN goes to the issuer.
    pub has_pin: bool,
    /// Tag 9F37.
    pub unpredictable_number: [u8; 4],
}

/// A request to the issuer: what of a message is another each time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Request {
    /// Tag 9F36.
    pub atc: [u8; 2],
    /// Tag 9F26.
    pub arqc: [u8; 8],
    /// Tag 9F10.
    pub issuer_data: [u8; 7],
    aip: [u8; 2],
}

impl QuickChip {
    /// The chip of `card`, whose counter has come to `atc`, for so many requests. `None` for a
    /// number that no chip takes.
    #[must_use]
    pub fn new(card: &Card, pin: Option<&Pin>, atc: u16, uses: u16) -> Option<Self> {
        let number = CardNumber::from_number(card.pan().expose())?;
        // A card that is known by its number only has a PIN that nobody knows.
        let unknown = Pin::parse(b"0000").ok()?;
        let pin = pin.unwrap_or(&unknown);
        let profile =
            Profile::development(number, CHIP_SEQUENCE, card.expiry(), pin, Version::Eighteen)?;
        let mut chip = Box::new(Chip::new(&Profile { oda: None, ..profile }));
        chip.restore(chip.kept().clone().with_atc(atc));
        Some(Self { chip, card: card.clone(), uses_left: uses.min(COUNTER_MAX - atc) })
    }

    /// The next request; `None` when no counter is left.
    pub fn ask(&mut self, terms: &Terms) -> Option<Request> {
        self.uses_left = self.uses_left.checked_sub(1)?;
        let mut out = [0; ANSWER_OCTETS_MAX];
        self.answer(SELECT, &mut out)?;
        let mut command = [0; 64];
        // The chip asks for capabilities, country and type of the terminal (PDOL).
        let [first, second] = terms.country;
        let options = [0x83, 6, 0xE0, 0xF8, 0xC8, first, second, TERMINAL_TYPE];
        let len = command_of([0x80, 0xA8, 0x00, 0x00], &[&options], &mut command)?;
        let answer = self.answer(command.get(..len)?, &mut out)?;
        let aip = tlv::value_of(tlv::value_of(answer, 0x77)?, 0x82)?.try_into().ok()?;
        // And for the first cryptogram, in the order of its CDOL1.
        let values = [
            &packed::<6>(terms.amount)[..],
            &packed::<6>(terms.cashback),
            &terms.country,
            &terms.tvr(),
            &EUR,
            &terms.date,
            &[terms.kind],
            &terms.unpredictable_number,
            &[TERMINAL_TYPE],
            &[0; 2],
            &[0; 8],
            &terms.cvm_results(),
        ];
        let len = command_of([0x80, 0xAE, 0x80, 0x00], &values, &mut command)?;
        let answer = self.answer(command.get(..len)?, &mut out)?;
        let inner = tlv::value_of(answer, 0x77)?;
        let is_request = tlv::value_of(inner, 0x9F27)? == [0x80];
        is_request.then_some(())?;
        Some(Request {
            atc: tlv::value_of(inner, 0x9F36)?.try_into().ok()?,
            arqc: tlv::value_of(inner, 0x9F26)?.try_into().ok()?,
            aip,
            issuer_data: tlv::value_of(inner, 0x9F10)?.try_into().ok()?,
        })
    }

    /// The chip's part of a message.
    #[must_use]
    pub fn data(&self, terms: &Terms, request: &Request) -> ChipData {
        let whole = issuer::Request {
            transaction: Transaction {
                amount: packed(terms.amount),
                amount_other: packed(terms.cashback),
                country: terms.country,
                tvr: terms.tvr(),
                currency: EUR,
                date: terms.date,
                kind: terms.kind,
                unpredictable_number: terms.unpredictable_number,
                aip: request.aip,
                atc: request.atc,
            },
            cryptogram: request.arqc,
            information: Cid(0x80),
            issuer_data: &request.issuer_data,
            sequence: Some(CHIP_SEQUENCE),
            cvm_results: Some(CvmResults(terms.cvm_results())),
            script_results: None,
        };
        let mut room = [0; 255];
        let mut writer = Writer::new(&mut room);
        // All of it together is below 120 octets.
        let _ = whole.write(&mut writer);
        let data = writer.written().to_vec();
        ChipData { data, sequence: Some(CHIP_SEQUENCE), track2: Track2(self.card.track2()) }
    }

    /// The answer to a command that is carried out.
    fn answer<'o>(&mut self, command: &[u8], out: &'o mut [u8]) -> Option<&'o [u8]> {
        let len = self.chip.process(command, out);
        out.get(..len)?.strip_suffix(&[0x90, 0x00])
    }
}

impl core::fmt::Debug for QuickChip {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("QuickChip").field("uses_left", &self.uses_left).finish_non_exhaustive()
    }
}

impl Terms {
    /// Offline authentication was not performed; perhaps a PIN was entered for the issuer.
    const fn tvr(&self) -> [u8; 5] {
        [0x80, 0x00, if self.has_pin { 0x04 } else { 0x00 }, 0x80, 0x00]
    }

    const fn cvm_results(&self) -> [u8; 3] {
        if self.has_pin { [0x42, 0x03, 0x00] } else { [0x1F, 0x03, 0x02] }
    }
}

/// The last digits of a number, two an octet.
#[must_use]
pub fn packed<const N: usize>(number: u64) -> [u8; N] {
    let mut rest = number;
    let mut octets = [0; N];
    for octet in octets.iter_mut().rev() {
        let pair = u8::try_from(rest % 100).unwrap_or(0);
        *octet = pair / 10 * 16 + pair % 10;
        rest /= 100;
    }
    octets
}

/// Writes a command with data into `out`; its length.
fn command_of(header: [u8; 4], values: &[&[u8]], out: &mut [u8]) -> Option<usize> {
    let len = values.iter().map(|value| value.len()).sum::<usize>();
    let octets = header.into_iter().chain([u8::try_from(len).ok()?]);
    let octets = octets.chain(values.iter().copied().flatten().copied()).chain([0x00]);
    let end = header.len() + 1 + len + 1;
    let room = out.get_mut(..end)?;
    room.iter_mut().zip(octets).for_each(|(to, from)| *to = from);
    Some(end)
}

/// In [`QuickChip::data`]: from the cryptogram to the counter behind it, and from the issuer's data
/// in front of it to the cryptogram.
pub(crate) const ARQC_TO_ATC: usize = 8 + 4 + 6 + 3;
pub(crate) const ISSUER_DATA_TO_ARQC: usize = 7 + 5 + 3;
/// SELECT of our application.
const SELECT: &[u8] = b"\x00\xA4\x04\x00\x07\xA0\x00\x00\x00\x03\x10\x10\x00";
/// Attended, online only.
const TERMINAL_TYPE: u8 = 0x21;
const EUR: [u8; 2] = [0x09, 0x78];
/// The last counter that an issuer takes.
const COUNTER_MAX: u16 = 65_534;

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, clippy::unwrap_used)]

    use cekr_emv::CardNumber;
    use cekr_emv::issuer::{Entry, Letter, Profile, Told, verify};
    use cekr_emv::keys::{ImkAc, Key};
    use cekr_iso8583::Pan;

    use super::*;

    fn terms(amount: u64, has_pin: bool) -> Terms {
        Terms {
            amount,
            cashback: 0,
            kind: 0x01,
            country: [0x07, 0x05],
            date: [0x26, 0x11, 0x22],
            has_pin,
            unpredictable_number: [1, 2, 3, 4],
        }
    }

    #[test]
    fn each_request_is_right_and_counts_on_until_no_counter_is_left() {
        let card = Card::new("ana", Pan::parse(b"4761730000000011").unwrap(), 3012).unwrap();
        let mut chip = QuickChip::new(&card, None, 40, 3).unwrap();
        for (atc, has_pin) in [(41_u16, true), (42, false), (43, true)] {
            let terms = terms(20_00, has_pin);
            let request = chip.ask(&terms).unwrap();
            assert_eq!(request.atc, atc.to_be_bytes());
            let data = chip.data(&terms, &request).data;
            let at = data.windows(8).position(|octets| octets == request.arqc).unwrap();
            assert_eq!(data[at + ARQC_TO_ATC..][..2], request.atc);
            assert_eq!(data[at - ISSUER_DATA_TO_ARQC..][..7], request.issuer_data);
            let read = issuer::Request::parse(&data).unwrap();
            let told = Told {
                amount: Some(20_00),
                currency: 978,
                sequence: Some(1),
                entry: Entry::Contact,
                date: Some([0x11, 0x22]),
            };
            let number = CardNumber::from_number(4_761_730_000_000_011).unwrap();
            let card = issuer::Card { number, sequence: 0x01 };
            let imk = Key::<ImkAc>::development();
            let verdict = verify(&read, &told, &imk, &card, &Profile::PREPAID, None);
            assert_eq!(verdict.letter, Letter::C, "{:?}", verdict.cause);
        }
        assert_eq!(chip.ask(&terms(20_00, true)), None);
        assert!(QuickChip::new(&card, None, 65_534, 9).unwrap().ask(&terms(1, true)).is_none());
    }
}
