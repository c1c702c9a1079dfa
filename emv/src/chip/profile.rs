//! What a chip is personalised with: data, keys, limits.
//!
//! A [`Profile`] holds a card's own keys and its PIN, so it has no `Debug`; they are wiped on drop.
//! [`Profile::development`] makes a whole test card under the published test keys.

use crate::chip::octets::Octets;
use crate::crypto::cvn::{CardKey, Rules, Scheme};
use crate::crypto::cvv::{self, Expiry, ServiceCode};
use crate::crypto::{derive, pvv};
use crate::keys::{Cvk, ImkAc, ImkSmc, ImkSmi, Key, MkAc, MkSmc, MkSmi, Pvk};
use crate::oda::development::TestKey;
use crate::{CardNumber, Pin};

/// Everything that makes one chip differ from another.
#[derive(Clone)]
pub struct Profile {
    /// Card number (5A).
    pub number: CardNumber,
    /// Sequence number (5F34), two packed digits.
    pub sequence: u8,
    /// Last day of validity (5F24), packed year, month and day.
    pub expiry: [u8; 3],
    /// First day of validity (5F25), packed year, month and day.
    pub effective: [u8; 3],
    /// Service code (5F30), three packed digits behind a zero.
    pub service_code: [u8; 2],
    /// The issuer's digits behind the service code of track 2: key index, verification value of the
    /// PIN, iCVV; one digit each.
    pub discretionary: [u8; 8],
    /// Cardholder's name (5F20), 2 to 26 characters.
    pub name: Octets<26>,
    /// Issuer's country (5F28), packed digits of ISO 3166.
    pub country: [u8; 2],
    /// Currency of the account (9F42), packed digits of ISO 4217.
    pub currency: [u8; 2],
    /// Which rules its cryptograms follow.
    pub version: Version,
    /// Which of the issuer's master keys it has (in 9F10).
    pub key_index: u8,
    /// Its own keys.
    pub keys: CardKeys,
    /// The PIN that the chip compares.
    pub pin: Pin,
    /// How many times in a row a PIN may be wrong: 1 to 15.
    pub pin_tries_max: u8,
    /// How it proves itself offline; `None`: it does not.
    pub oda: Option<Oda>,
    /// What it approves without its issuer.
    pub limits: Limits,
    /// The names under which it can be selected, most wanted first.
    pub applications: &'static [Application],
    /// What it asks of a chip reader before it begins.
    pub options: OptionsList,
}

impl Profile {
    /// A test card under the published test keys: Slovenia, euro, service code 201.
    ///
    /// `sequence` is two packed digits, `expiry` four decimal digits of year and month, such as
    /// 3012. The chip goes online for every approval. `None` where the month is none.
    pub fn development(
        number: CardNumber,
        sequence: u8,
        expiry: u16,
        pin: &Pin,
        version: Version,
    ) -> Option<Self> {
        let (year, month) = (u8::try_from(expiry / 100).ok()?, u8::try_from(expiry % 100).ok()?);
        let last_day = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if year.is_multiple_of(4) => 29,
            2 => 28,
            _ => return None,
        };
        let expiry_octets = [packed(year)?, packed(month)?, packed(last_day)?];
        Some(Self {
            number,
            sequence,
            expiry: expiry_octets,
            effective: [packed(year.saturating_sub(5))?, packed(month)?, 0x01],
            service_code: [0x02, 0x01],
            discretionary: discretionary(number, expiry_octets, pin),
            name: Octets::of(b"CARDHOLDER/TEST")?,
            country: [0x07, 0x05],
            currency: [0x09, 0x78],
            version,
            key_index: 1,
            keys: CardKeys::development(number, sequence, version)?,
            pin: pin.clone(),
            pin_tries_max: 3,
            oda: Some(Oda::USUAL),
            limits: Limits::ONLINE_ONLY,
            applications: &Application::VISA,
            options: OptionsList::Terminal,
        })
    }
}

/// What the chip asks of a chip reader with GET PROCESSING OPTIONS (9F38).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OptionsList {
    /// Nothing: there is no list. Some terminals of hobbyists know no other card.
    Nothing,
    /// Capabilities, country and type of the terminal.
    Terminal,
}

/// The versions of cryptograms that the chip makes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Version {
    /// CVN 10: the card's key itself, answered by EXTERNAL AUTHENTICATE.
    Ten,
    /// CVN 18: session keys, answered with the second GENERATE AC.
    Eighteen,
    /// "CVN 22": as 18, with issuer application data of format 2 and scripts keyed by cryptogram.
    TwentyTwo,
}

impl Version {
    /// The octet that says so in tag 9F10.
    pub const fn octet(self) -> u8 {
        match self {
            Self::Ten => 0x0A,
            Self::Eighteen => 0x12,
            Self::TwentyTwo => 0x22,
        }
    }

    /// What follows from it; every version of this enum stands in the table.
    pub fn rules(self) -> Option<&'static Rules> {
        Rules::by_version(Scheme::Visa, self.octet())
    }
}

/// The card's keys.
pub struct CardKeys {
    /// For cryptograms.
    pub ac: Key<MkAc>,
    /// For the secrecy of scripts.
    pub smc: Key<MkSmc>,
    /// For the integrity of scripts.
    pub smi: Key<MkSmi>,
}

impl CardKeys {
    /// The keys of one card under the published test keys of the issuer.
    pub fn development(number: CardNumber, sequence: u8, version: Version) -> Option<Self> {
        let (ac, smc, smi) = (
            Key::<ImkAc>::development(),
            Key::<ImkSmc>::development(),
            Key::<ImkSmi>::development(),
        );
        Some(match version.rules()?.card_key {
            CardKey::A => Self {
                ac: derive::card_key_a(&ac, number, sequence),
                smc: derive::card_key_a(&smc, number, sequence),
                smi: derive::card_key_a(&smi, number, sequence),
            },
            CardKey::B => Self {
                ac: derive::card_key_b(&ac, number, sequence),
                smc: derive::card_key_b(&smc, number, sequence),
                smi: derive::card_key_b(&smi, number, sequence),
            },
        })
    }
}

impl Clone for CardKeys {
    fn clone(&self) -> Self {
        Self { ac: self.ac.copied(), smc: self.smc.copied(), smi: self.smi.copied() }
    }
}

/// The keys of offline data authentication, all of them published test keys.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Oda {
    /// Index of the authority's key (8F).
    pub authority_index: u8,
    /// Certifies the issuer's key.
    pub authority: TestKey,
    /// Certifies the chip's keys and signs its static data.
    pub issuer: TestKey,
    /// The chip's own.
    pub chip: TestKey,
    /// Deciphers PINs; `None`: the chip's own key does.
    pub pin: Option<TestKey>,
}

impl Oda {
    /// Keys of 1408, 1152 and 1024 bits.
    pub const USUAL: Self = Self {
        authority_index: 0xF0,
        authority: TestKey::Authority,
        issuer: TestKey::Issuer,
        chip: TestKey::Chip,
        pin: None,
    };

    /// Keys of 1984, 1984 and 1408 bits, and one of 1024 bits for PINs.
    pub const LONG: Self = Self {
        authority_index: 0xF1,
        authority: TestKey::AuthorityLong,
        issuer: TestKey::IssuerLong,
        chip: TestKey::ChipLong,
        pin: Some(TestKey::ChipPin),
    };
}

/// How far the chip goes without its issuer; scripts may change them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Transactions since the issuer was last reached after which the chip wants to go online
    /// (9F58).
    pub count_lower: u8,
    /// After which it declines where it cannot (9F59).
    pub count_upper: u8,
    /// Cents of the account's currency since then after which it wants to go online (9F54).
    pub total_lower: u64,
    /// After which it declines where it cannot (9F5C).
    pub total_upper: u64,
}

impl Limits {
    /// Nothing is approved without the issuer.
    pub const ONLINE_ONLY: Self =
        Self { count_lower: 0, count_upper: 0, total_lower: 0, total_upper: 0 };
}

/// A name under which the chip can be selected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Application {
    /// Its name (4F), 5 to 16 octets.
    pub aid: &'static [u8],
    /// What a person reads (50), at most 16 characters.
    pub label: &'static [u8],
    /// Its place among the others (87), 1 is the first.
    pub priority: u8,
}

impl Application {
    /// The one application of our test cards.
    pub const VISA: [Self; 1] =
        [Self { aid: &[0xA0, 0, 0, 0, 3, 0x10, 0x10], label: b"CeKR VISA", priority: 1 }];
}

/// Key index 1, then the values of PIN and chip under the published test keys.
fn discretionary(number: CardNumber, expiry: [u8; 3], pin: &Pin) -> [u8; 8] {
    let [year, month, _] = expiry;
    let pan = digits(number)
        .fold(0_u64, |pan, digit| pan.wrapping_mul(10).wrapping_add(u64::from(digit)));
    let pvv = pvv::pvv(&Key::<Pvk>::development(), 1, pan, pin).number();
    let until = Expiry::from_packed(u16::from_be_bytes([year, month]));
    let icvv = cvv::cvv(&Key::<Cvk>::development(), number, until, ServiceCode::ICVV).number();
    let digit = |number: u16, power: u16| (number / power % 10) as u8;
    [
        1,
        digit(pvv, 1000),
        digit(pvv, 100),
        digit(pvv, 10),
        digit(pvv, 1),
        digit(icvv, 100),
        digit(icvv, 10),
        digit(icvv, 1),
    ]
}

/// The digits of a card number from the left.
pub(super) fn digits(number: CardNumber) -> impl Iterator<Item = u8> {
    let len = number.len_digits();
    (0..len).map(move |place| (number.packed() >> (4 * u32::from(len - 1 - place)) & 0x0F) as u8)
}

fn packed(number: u8) -> Option<u8> {
    (number < 100).then_some((number / 10) << 4 | (number % 10))
}
