//! What a terminal is, what it takes, and what it is told about one transaction.

use crate::CardNumber;
use crate::data::{AdditionalCapabilities, TerminalCapabilities, Ttq, Tvr};
use crate::oda::Authority;

/// A terminal as its acquirer has set it up.
///
/// Start from [`Config::point_of_sale`], [`Config::unattended`] or [`Config::cashpoint`] and change
/// what differs.
#[derive(Clone, Copy, Debug)]
pub struct Config<'c> {
    /// What kind of machine it is.
    pub kind: Kind,
    /// Who decides about a transaction that the terminal neither declines nor approves.
    pub reach: Reach,
    /// Who chooses where the card has several applications.
    pub choice: Choice,
    /// Terminal country code (9F1A), packed ISO 3166 number.
    pub country: [u8; 2],
    /// Transaction currency code (5F2A), packed ISO 4217 number.
    pub currency: [u8; 2],
    /// Transaction currency exponent (5F36).
    pub currency_exponent: u8,
    /// Terminal capabilities (9F33).
    pub capabilities: TerminalCapabilities,
    /// Additional terminal capabilities (9F40).
    pub additional: AdditionalCapabilities,
    /// Terminal type (9F35), packed.
    pub terminal_type: u8,
    /// Terminal transaction qualifiers (9F66); what depends on the amount is added to them.
    pub ttq: Ttq,
    /// Interface device serial number (9F1E), eight characters.
    pub serial: [u8; 8],
    /// Terminal identification (9F1C, DE 41), eight characters.
    pub terminal: [u8; 8],
    /// Merchant identifier (9F16, DE 42), fifteen characters.
    pub merchant: [u8; 15],
    /// Merchant category code (9F15), packed.
    pub category: [u8; 2],
    /// Acquirer identifier (9F01), packed.
    pub acquirer: [u8; 6],
    /// Merchant name and location (9F4E), characters.
    pub merchant_name: &'c [u8],
    /// The applications that it takes, in its order of preference.
    pub applications: &'c [Application<'c>],
    /// The certification authorities that it trusts.
    pub authorities: &'c [Authority],
    /// The exception file: numbers of cards that are not to be taken offline.
    pub exceptions: &'c [CardNumber],
}

/// What kind of machine a terminal is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A person stands at it.
    Attended,
    /// It pays out cash and nobody stands at it.
    Cashpoint,
    /// Nobody stands at it.
    Unattended,
}

/// Whether a terminal can ask the issuer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reach {
    /// It never can: types 23 and 26.
    OfflineOnly,
    /// It can where it has to: types 22 and 25.
    OnlineCapable,
    /// It always asks: types 21, 24 and 14.
    OnlineOnly,
}

/// Who chooses among a card's applications.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Choice {
    /// The cardholder is asked where there is more than one.
    Cardholder,
    /// The card's priorities decide; what needs the cardholder's confirmation is left out.
    Priority,
}

/// An application that a terminal takes.
#[derive(Clone, Copy, Debug)]
pub struct Application<'c> {
    /// Application identifier (9F06), 5 to 16 octets.
    pub aid: &'c [u8],
    /// Whether longer names that begin with it are taken too.
    pub matching: Matching,
    /// Application version number of the terminal (9F09).
    pub version: [u8; 2],
    /// The acquirer's action codes.
    pub action_codes: ActionCodes,
    /// Amounts from here on go online (9F1B), in minor units.
    pub floor_limit: u64,
    /// How many of the smaller amounts go online by chance; `None`: none.
    pub random: Option<RandomSelection>,
    /// Data object list for dynamic signatures where the card has none.
    pub default_ddol: &'c [u8],
    /// Data object list for the hash of a transaction where the card has none.
    pub default_tdol: &'c [u8],
    /// The limits at the contactless reader; `None` takes none there.
    pub contactless: Option<ContactlessLimits>,
}

/// How a card's name is compared with a terminal's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Matching {
    /// They are equal.
    Exact,
    /// The card's begins with the terminal's.
    Partial,
}

/// Terminal action codes: for which findings the acquirer wants what. All zeros where it says
/// nothing (EMV 4.3 Book 3, section 10.7).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ActionCodes {
    /// Declined without asking.
    pub denial: Tvr,
    /// Asked online.
    pub online: Tvr,
    /// Declined where it cannot be asked online.
    pub default: Tvr,
}

/// Random selection of small amounts (EMV 4.3 Book 3, section 10.6.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RandomSelection {
    /// Below this, in minor units, the chance is the target; above it grows up to the floor limit.
    pub threshold: u64,
    /// Of a hundred small ones, 0 to 99.
    pub target_percent: u8,
    /// Of a hundred just below the floor limit, not less than the target.
    pub target_percent_max: u8,
}

/// Limits at the contactless reader, in minor units.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ContactlessLimits {
    /// Above it the card is to be inserted.
    pub transaction: u64,
    /// Above it the cardholder is to be verified.
    pub verification: u64,
}

/// One transaction, as the terminal begins it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Transaction {
    /// Amount, authorised (9F02): cashback included, in minor units, below 10^12.
    pub amount: u64,
    /// Amount, other (9F03): the cashback, in minor units, below 10^12.
    pub other: u64,
    /// Transaction type (9C), packed: 00 purchase, 01 cash, 09 with cashback, 20 refund.
    pub kind: u8,
    /// Transaction date (9A), packed year, month and day.
    pub date: [u8; 3],
    /// Transaction time (9F21), packed hour, minute and second.
    pub time: [u8; 3],
    /// Transaction sequence counter (9F41), its last eight digits.
    pub sequence: u32,
    /// Unpredictable number (9F37), drawn anew each time.
    pub unpredictable_number: [u8; 4],
    /// Drawn anew each time; random selection follows it.
    pub entropy: u64,
    /// How the card is read.
    pub interface: Interface,
    /// Whether the merchant wants the issuer asked in any case.
    pub online: Online,
}

/// How a card is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Interface {
    /// Inserted.
    Contact,
    /// Held to the reader.
    Contactless,
}

/// Whether the issuer is asked in any case.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Online {
    /// Where risk management says so.
    ByRisk,
    /// Always: the merchant forced it.
    Forced,
}

impl<'c> Config<'c> {
    /// A till in Slovenia that takes euros: type 22, both kinds of PIN, signature, all methods of
    /// offline data authentication.
    pub fn point_of_sale(
        applications: &'c [Application<'c>],
        authorities: &'c [Authority],
    ) -> Config<'c> {
        Config {
            kind: Kind::Attended,
            reach: Reach::OnlineCapable,
            choice: Choice::Cardholder,
            country: [0x07, 0x05],
            currency: [0x09, 0x78],
            currency_exponent: 2,
            capabilities: TerminalCapabilities::from_octets([0xE0, 0xF8, 0xC8]),
            additional: AdditionalCapabilities::from_octets([0x70, 0x00, 0xF0, 0xF0, 0x01]),
            terminal_type: 0x22,
            ttq: Ttq::from_octets([0x36, 0x00, 0x40, 0x00]),
            serial: *b"00000000",
            terminal: *b"00000000",
            merchant: *b"000000000000000",
            category: [0x54, 0x11],
            acquirer: [0; 6],
            merchant_name: b"",
            applications,
            authorities,
            exceptions: &[],
        }
    }

    /// A vending machine or a ticket machine: as a till, type 25, without signature, the card's
    /// priorities choosing.
    pub fn unattended(
        applications: &'c [Application<'c>],
        authorities: &'c [Authority],
    ) -> Config<'c> {
        Config {
            kind: Kind::Unattended,
            choice: Choice::Priority,
            capabilities: TerminalCapabilities::from_octets([0x60, 0xD8, 0xC8]),
            terminal_type: 0x25,
            ..Config::point_of_sale(applications, authorities)
        }
    }

    /// A cashpoint: type 14, always online, PIN to the issuer only, no offline authentication.
    pub fn cashpoint(
        applications: &'c [Application<'c>],
        authorities: &'c [Authority],
    ) -> Config<'c> {
        Config {
            kind: Kind::Cashpoint,
            reach: Reach::OnlineOnly,
            capabilities: TerminalCapabilities::from_octets([0x60, 0x40, 0x20]),
            additional: AdditionalCapabilities::from_octets([0x84, 0x00, 0xF0, 0xF0, 0x01]),
            terminal_type: 0x14,
            category: [0x60, 0x11],
            ..Config::point_of_sale(applications, authorities)
        }
    }
}

impl Application<'static> {
    /// Visa credit and debit, every amount online, with the action codes that acquirers publish:
    /// expired, not allowed and failed authentication go online, a missing PIN pad too.
    pub const VISA: Application<'static> = Application {
        aid: &[0xA0, 0x00, 0x00, 0x00, 0x03, 0x10, 0x10],
        matching: Matching::Partial,
        version: [0x00, 0x96],
        action_codes: ActionCodes {
            denial: Tvr::from_octets([0x00, 0x10, 0x00, 0x00, 0x00]),
            online: Tvr::from_octets([0xD8, 0x40, 0x04, 0xF8, 0x00]),
            default: Tvr::from_octets([0xD8, 0x40, 0x00, 0xA8, 0x00]),
        },
        floor_limit: 0,
        random: None,
        default_ddol: &[0x9F, 0x37, 0x04],
        default_tdol: &[0x9F, 0x02, 0x06, 0x5F, 0x2A, 0x02, 0x9A, 0x03],
        contactless: Some(ContactlessLimits { transaction: 500_00, verification: 50_00 }),
    };
}
