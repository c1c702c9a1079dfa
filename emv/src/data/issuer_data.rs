//! What a Visa chip tells its issuer (CVR, within tag 9F10), and what the issuer tells it (CSU).
//!
//! Tag 9F10 has two layouts, known by its first octet. 06 (formats 0, 1 and 3): key index, version,
//! results in four octets of which the first counts the others, then what the issuer likes. 1F
//! (format 2): version, key index, results in five octets, then 24 octets of the issuer's. The
//! octets 2 to 4 of the results mean the same in both.
//!
//! Sources: the public table of versions and formats (Thredd, "Visa Cryptogram Version Number
//! Values"); the public descriptions of the results, as emv-utils lists them; EMV 4.3 Book 3,
//! Annex C10 for the CSU. What Visa does not publish has no name here.
//!
//! ```
//! use cekr_emv::data::{CryptogramType, IssuerData, IssuerDataFormat};
//!
//! let data = IssuerData::parse(&[0x06, 0x01, 0x12, 0x03, 0xA0, 0x00, 0x00]).expect("format 1");
//! assert_eq!((data.format, data.version), (IssuerDataFormat::Short, 0x12));
//! assert_eq!(data.results.first_cryptogram(), Some(CryptogramType::Arqc));
//! assert_eq!(data.results.second_cryptogram(), None);
//! ```

use super::{CryptogramType, bits};

bits! {
    /// Card verification results of a Visa card, the first four octets.
    ///
    /// In the short format the first octet counts the other three; in format 2 it says who has
    /// verified the cardholder on a phone. Octet 2 begins with two kinds of cryptogram, octet 4
    /// with a number; they have functions instead of names.
    Cvr, 4 octets:
    2:4 ISSUER_AUTHENTICATION_FAILED "Issuer authentication performed and failed";
    2:3 OFFLINE_PIN_PERFORMED "Offline PIN verification performed";
    2:2 OFFLINE_PIN_FAILED "Offline PIN verification failed";
    2:1 UNABLE_TO_GO_ONLINE "Unable to go online";
    3:8 LAST_ONLINE_NOT_COMPLETED "Last online transaction not completed";
    3:7 PIN_TRY_LIMIT_EXCEEDED "PIN Try Limit exceeded";
    3:6 VELOCITY_COUNTERS_EXCEEDED "Exceeded velocity checking counters";
    3:5 NEW_CARD "New card";
    3:4 LAST_ISSUER_AUTHENTICATION_FAILED
        "Issuer authentication failure on last online transaction";
    3:3 ISSUER_AUTHENTICATION_MISSING
        "Issuer authentication not performed after online authorization";
    3:2 APPLICATION_BLOCKED "Application blocked by card because PIN Try Limit exceeded";
    3:1 LAST_SDA_FAILED
        "Offline static data authentication failed on last transaction, declined offline";
    4:4 SCRIPT_FAILED "Issuer script processing failed";
    4:3 LAST_DDA_FAILED
        "Offline dynamic data authentication failed on last transaction, declined offline";
    4:2 DDA_PERFORMED "Offline dynamic data authentication performed";
    4:1 PIN_NOT_RECEIVED "PIN verification command not received for a PIN-expecting card";
}

impl Cvr {
    /// No finding yet: neither cryptogram was asked for; the first octet counts three.
    pub const NONE: Self = Self([0x03, 0x80, 0x00, 0x00]);

    /// What the first GENERATE AC answered; `None` for the number that is kept for later.
    pub fn first_cryptogram(self) -> Option<CryptogramType> {
        let [_, kinds, _, _] = self.0;
        two_bits(kinds >> 4)
    }

    /// What the second GENERATE AC answered; `None` if there was none.
    pub fn second_cryptogram(self) -> Option<CryptogramType> {
        let [_, kinds, _, _] = self.0;
        // The number of an ARQC, which a second one cannot be, says that there was none.
        two_bits(kinds >> 6).filter(|kind| *kind != CryptogramType::Arqc)
    }

    /// The same with what the first GENERATE AC answers, and no second one.
    #[must_use]
    pub const fn with_first_cryptogram(self, kind: CryptogramType) -> Self {
        let [first, kinds, third, fourth] = self.0;
        Self([first, kinds & 0x0F | 0x80 | kind.octet() >> 2, third, fourth])
    }

    /// The same with what the second GENERATE AC answers; an ARQC says that there is none.
    #[must_use]
    pub const fn with_second_cryptogram(self, kind: CryptogramType) -> Self {
        let [first, kinds, third, fourth] = self.0;
        Self([first, kinds & 0x3F | kind.octet(), third, fourth])
    }

    /// How many script commands with secure messaging came after the second GENERATE AC of the last
    /// transaction, up to 15.
    pub const fn script_count(self) -> u8 {
        let [_, _, _, counts] = self.0;
        counts >> 4
    }

    /// The same with that number of script commands; above 15 it is 15.
    #[must_use]
    pub const fn with_script_count(self, count: u8) -> Self {
        let [first, second, third, counts] = self.0;
        let count = if count > 15 { 15 } else { count };
        Self([first, second, third, counts & 0x0F | count << 4])
    }
}

const fn two_bits(kind: u8) -> Option<CryptogramType> {
    match kind & 0x03 {
        0 => Some(CryptogramType::Aac),
        1 => Some(CryptogramType::Tc),
        2 => Some(CryptogramType::Arqc),
        _ => None,
    }
}

/// Issuer application data (tag 9F10) of a Visa card.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct IssuerData<'a> {
    /// Which layout it has.
    pub format: IssuerDataFormat,
    /// Cryptogram version number as one octet: 0A is version 10, 12 is 18, 22 is called 22.
    pub version: u8,
    /// Derivation key index: which master key of the issuer.
    pub key_index: u8,
    /// Card verification results.
    pub results: Cvr,
    /// What follows the results: of format 2 their fifth octet and the issuer's own octets, of the
    /// short format the issuer's octets with their length in front, or nothing.
    pub rest: &'a [u8],
}

/// The layouts of [`IssuerData`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum IssuerDataFormat {
    /// Formats 0, 1 and 3: seven octets, perhaps with the issuer's own behind them.
    Short,
    /// Format 2: always 32 octets.
    Two,
}

impl<'a> IssuerData<'a> {
    /// Reads what stands behind the tag; `None` for another layout, format 4 among them.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        match value {
            [0x06, key_index, version, 0x03, second, third, fourth, rest @ ..]
                if value.len() <= LEN_OCTETS_MAX =>
            {
                Some(Self {
                    format: IssuerDataFormat::Short,
                    version: *version,
                    key_index: *key_index,
                    results: Cvr([0x03, *second, *third, *fourth]),
                    rest,
                })
            }
            [0x1F, version @ 0x20..=0x2F, key_index, results @ ..]
                if value.len() == LEN_OCTETS_MAX =>
            {
                let (results, rest) = results.split_first_chunk()?;
                Some(Self {
                    format: IssuerDataFormat::Two,
                    version: *version,
                    key_index: *key_index,
                    results: Cvr(*results),
                    rest,
                })
            }
            _ => None,
        }
    }

    /// Writes what stands behind the tag to the front of `room`, and gives it.
    ///
    /// `None` where `rest` and room do not allow for the layout: format 2 is 32 octets with a
    /// `rest` of at most 25, filled up with zeros; the short format at most 32.
    pub fn write<'r>(&self, room: &'r mut [u8]) -> Option<&'r [u8]> {
        let [first, second, third, fourth] = self.results.0;
        let (head, len) = match self.format {
            IssuerDataFormat::Short => {
                ([0x06, self.key_index, self.version, 0x03], 7 + self.rest.len())
            }
            IssuerDataFormat::Two => ([0x1F, self.version, self.key_index, first], LEN_OCTETS_MAX),
        };
        let fits = len <= LEN_OCTETS_MAX && self.rest.len() <= LEN_OCTETS_MAX - 7;
        let room = room.get_mut(..len).filter(|_| fits)?;
        let octets = head
            .into_iter()
            .chain([second, third, fourth])
            .chain(self.rest.iter().copied())
            .chain(core::iter::repeat(0));
        room.iter_mut().zip(octets).for_each(|(to, from)| *to = from);
        Some(room)
    }
}

bits! {
    /// Card status update: the issuer's wishes within tag 91 (EMV 4.3 Book 3, Annex C10).
    ///
    /// The low half of octet 1 is the number of PIN tries; the last two bits of octet 2 say what
    /// becomes of the counters, see [`CounterUpdate`](Csu::counter_update).
    Csu, 4 octets:
    1:8 PROPRIETARY_DATA_INCLUDED "Proprietary Authentication Data included";
    2:8 ISSUER_APPROVES "Issuer approves online transaction";
    2:7 CARD_BLOCK "Card block";
    2:6 APPLICATION_BLOCK "Application block";
    2:5 UPDATE_PIN_TRY_COUNTER "Update PIN Try Counter";
    2:4 GO_ONLINE_NEXT "Set Go Online on Next Transaction";
    2:3 MADE_BY_PROXY "CSU generated by proxy for the issuer";
}

impl Csu {
    /// The number of PIN tries that the card shall have, if
    /// [`UPDATE_PIN_TRY_COUNTER`](Self::UPDATE_PIN_TRY_COUNTER) is set.
    pub const fn pin_tries(self) -> u8 {
        let [first, _, _, _] = self.0;
        first & 0x0F
    }

    /// What becomes of the card's velocity counters.
    pub const fn counter_update(self) -> CounterUpdate {
        let [_, second, _, _] = self.0;
        match second & 0x03 {
            0 => CounterUpdate::Keep,
            1 => CounterUpdate::ToUpperLimits,
            2 => CounterUpdate::ToZero,
            _ => CounterUpdate::AddTransaction,
        }
    }
}

/// What an issuer wants of a card's velocity counters (EMV 4.3 Book 3, Annex C10).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CounterUpdate {
    /// Add this transaction to the offline counters.
    AddTransaction,
    /// Do not update velocity-checking counters.
    Keep,
    /// Set them to the upper offline limits.
    ToUpperLimits,
    /// Reset them to zero.
    ToZero,
}

/// How long tag 9F10 is at most (EMV 4.3 Book 3, Annex A).
const LEN_OCTETS_MAX: usize = 32;

#[cfg(test)]
mod tests {
    extern crate std;

    use std::format;

    use super::*;

    #[test]
    fn the_published_samples_are_read_and_written_again() {
        // Elavon's sample of a version 10, and the test card of Visa's level 3 tests in format 2.
        let short = [0x06, 0x01, 0x0A, 0x03, 0xA0, 0xA0, 0x00];
        let mut long = [0; 32];
        long.iter_mut()
            .zip([0x1F, 0x22, 0x01, 0x00, 0xA0, 0x00, 0x00, 0x00, 0x00, b'V', b'I', b'S', b'A'])
            .for_each(|(to, from)| *to = from);
        for (value, version, rest_len) in [(&short[..], 0x0A, 0), (&long[..], 0x22, 25)] {
            let data = IssuerData::parse(value).expect("whole");
            assert_eq!((data.version, data.key_index), (version, 1));
            assert_eq!(data.rest.len(), rest_len);
            assert_eq!(data.results.first_cryptogram(), Some(CryptogramType::Arqc));
            assert_eq!(data.results.second_cryptogram(), None);
            let mut room = [0xEE; 40];
            assert_eq!(data.write(&mut room), Some(value));
            assert_eq!(data.write(&mut [0; 6]), None);
        }
        let results = IssuerData::parse(&short).expect("whole").results;
        assert_eq!(
            format!("{results:?}"),
            "Cvr(03A0A000: Last online transaction not completed, Exceeded velocity checking \
             counters)"
        );
    }

    #[test]
    fn other_layouts_are_refused() {
        let mut format4 = [0; 32];
        format4.iter_mut().zip([0x1F, 0x43]).for_each(|(to, from)| *to = from);
        for value in [
            &[][..],
            &[0x06, 0x01, 0x0A, 0x03, 0xA0, 0xA0],
            &[0x06, 0x01, 0x0A, 0x04, 0xA0, 0xA0, 0x00, 0x00],
            &[0x1F, 0x22, 0x01, 0x00, 0xA0, 0x00, 0x00],
            &[0x0F; 33],
            &format4,
        ] {
            assert_eq!(IssuerData::parse(value), None, "{value:02X?}");
        }
    }

    #[test]
    fn kinds_and_counts_keep_their_neighbours() {
        let cvr = Cvr::NONE
            .with(Cvr::OFFLINE_PIN_PERFORMED)
            .with(Cvr::SCRIPT_FAILED)
            .with_first_cryptogram(CryptogramType::Arqc)
            .with_script_count(20);
        assert_eq!(cvr.octets(), [0x03, 0xA4, 0x00, 0xF8]);
        assert_eq!(cvr.script_count(), 15);
        for second in [CryptogramType::Aac, CryptogramType::Tc] {
            let after = cvr.with_second_cryptogram(second);
            assert_eq!(after.second_cryptogram(), Some(second));
            assert_eq!(after.first_cryptogram(), Some(CryptogramType::Arqc));
            assert!(after.has(Cvr::OFFLINE_PIN_PERFORMED));
        }
    }

    #[test]
    fn an_approval_adds_the_transaction_and_sets_no_tries() {
        let csu = Csu::from_octets([0x00, 0x83, 0x00, 0x00]);
        assert!(csu.has(Csu::ISSUER_APPROVES) && !csu.meets(Csu::UPDATE_PIN_TRY_COUNTER));
        assert_eq!((csu.pin_tries(), csu.counter_update()), (0, CounterUpdate::AddTransaction));
        assert_eq!(Csu::from_octets([3, 0x12, 0, 0]).pin_tries(), 3);
        assert_eq!(Csu::from_octets([3, 0x12, 0, 0]).counter_update(), CounterUpdate::ToZero);
    }
}
