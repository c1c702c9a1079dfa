//! Values of data elements as types: what a view hands out, proven in shape, not yet judged.

use core::fmt;

use crate::digits;
use crate::error::Track2Error;
use crate::mti::Mti;
use crate::pan::{Pan, PanError};

/// Defines a value of at most so many decimal digits.
macro_rules! number_element {
    ($(#[$doc:meta])* $name:ident($repr:ty), $digits:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name($repr);

        impl $name {
            /// The value of this number; `None` if it has more digits than the element.
            #[inline]
            #[must_use]
            pub fn new(number: $repr) -> Option<$name> {
                (u64::from(number) < digits::power_of_ten($digits)).then_some($name(number))
            }

            /// The digits as a number.
            #[must_use]
            pub const fn number(self) -> $repr {
                self.0
            }

            /// The value of a number that was read from `N` digits, as many as the element has; not
            /// for an element whose digits can write more than it holds.
            #[inline]
            #[allow(dead_code, reason = "some elements have no fixed length")]
            pub(crate) fn proven<const N: u32>(number: u64) -> $name {
                const { assert!(N == $digits && 10_u64.pow(N) - 1 <= <$repr>::MAX as u64) }
                debug_assert!(number < digits::power_of_ten($digits), "digits bound a number");
                $name(number as $repr)
            }

            #[inline]
            #[allow(dead_code, reason = "most elements have a fixed length")]
            pub(crate) fn from_digits(number: u64) -> Option<$name> {
                <$repr>::try_from(number).ok().and_then($name::new)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:0width$}", self.0, width = $digits)
            }
        }
    };
}

/// Defines a text of so many octets.
macro_rules! text_element {
    ($(#[$doc:meta])* $name:ident, $octets:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name([u8; $octets]);

        impl $name {
            /// The value of these ASCII octets, padded with spaces on the right.
            #[must_use]
            pub const fn new(octets: [u8; $octets]) -> $name {
                $name(octets)
            }

            /// The ASCII octets, with their padding.
            #[must_use]
            pub const fn octets(&self) -> &[u8; $octets] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_text(self.0.trim_ascii_end(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

number_element! {
    /// System trace audit number (DE 11), six digits.
    Stan(u32), 6
}
number_element! {
    /// Processing code (DE 3), six digits: transaction, account from, account to.
    ProcessingCode(u32), 6
}
number_element! {
    /// Transmission date and time (DE 7), UTC, `MMDDhhmmss`. Not proven to be on the calendar.
    TransmissionTime(u32), 10
}
number_element! {
    /// Local time of the transaction (DE 12), `hhmmss`.
    TimeOfDay(u32), 6
}
number_element! {
    /// A day without its year (DE 13, 15), `MMDD`.
    MonthDay(u16), 4
}
number_element! {
    /// Expiry of a card (DE 14), `YYMM`.
    Expiry(u16), 4
}
number_element! {
    /// Merchant category code (DE 18, ISO 18245), four digits.
    Mcc(u16), 4
}
number_element! {
    /// Country (DE 19, ISO 3166-1 numeric), three digits.
    CountryCode(u16), 3
}
number_element! {
    /// Currency (DE 49, 50, 51; ISO 4217 numeric), three digits.
    CurrencyCode(u16), 3
}
number_element! {
    /// An institution's identification (DE 32, 33), at most eleven digits; shown with all eleven,
    /// as DE 90 writes it.
    Institution(u64), 11
}
text_element! {
    /// Retrieval reference number (DE 37), twelve characters.
    Rrn, 12
}
text_element! {
    /// Authorization identification response (DE 38), six characters.
    AuthCode, 6
}
text_element! {
    /// Response code (DE 39), two characters.
    ResponseCode, 2
}
text_element! {
    /// Card acceptor terminal identification (DE 41), eight characters.
    TerminalId, 8
}
text_element! {
    /// Card acceptor identification code (DE 42), fifteen characters: the merchant.
    MerchantId, 15
}

impl ProcessingCode {
    /// First two digits: what is done. 00 purchase, 01 cash, 20 refund, 31 balance.
    #[must_use]
    pub const fn transaction(self) -> u8 {
        (self.0 / 10_000) as u8
    }

    /// Middle two digits: the account taken from.
    #[must_use]
    pub const fn account_from(self) -> u8 {
        (self.0 / 100 % 100) as u8
    }

    /// Last two digits: the account given to.
    #[must_use]
    pub const fn account_to(self) -> u8 {
        (self.0 % 100) as u8
    }
}

impl Expiry {
    /// Year within its century.
    #[must_use]
    pub const fn year(self) -> u8 {
        (self.0 / 100) as u8
    }

    /// Month; 1 to 12 if the card is real.
    #[must_use]
    pub const fn month(self) -> u8 {
        (self.0 % 100) as u8
    }
}

impl CountryCode {
    /// Slovenia, 705.
    pub const SLOVENIA: CountryCode = CountryCode(705);
}

impl CurrencyCode {
    /// Euro, 978.
    pub const EUR: CurrencyCode = CurrencyCode(978);
}

/// Point of service entry mode (DE 22): how the card was read, and whether a PIN can be entered.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PosEntryMode {
    /// First two digits: 01 key, 05 chip, 07 contactless chip, 81 e-commerce, 90 magnetic stripe.
    pub entry: u8,
    /// Third digit: 0 unknown, 1 a PIN can be entered, 2 it cannot.
    pub pin_capability: u8,
}

impl PosEntryMode {
    /// The mode of these three digits; `None` if there are more.
    #[must_use]
    pub const fn new(number: u16) -> Option<PosEntryMode> {
        if number > 999 {
            return None;
        }
        Some(PosEntryMode::from_digits(number as u64))
    }

    /// The three digits as a number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.entry as u16 * 10 + self.pin_capability as u16
    }

    pub(crate) const fn from_digits(number: u64) -> PosEntryMode {
        // Three digits: below 100 and below 10.
        PosEntryMode { entry: (number / 10 % 100) as u8, pin_capability: (number % 10) as u8 }
    }
}

/// Card acceptor name and location (DE 43): 40 characters, name, city, and a country in the last
/// two.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Location([u8; 40]);

impl Location {
    pub(crate) const fn new(octets: [u8; 40]) -> Location {
        Location(octets)
    }

    /// All 40 characters.
    #[must_use]
    pub const fn octets(&self) -> &[u8; 40] {
        &self.0
    }

    /// Positions 1 to 25, without their padding.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        self.0.get(..25).unwrap_or_default().trim_ascii_end()
    }

    /// Positions 26 to 38, without their padding.
    #[must_use]
    pub fn city(&self) -> &[u8] {
        self.0.get(25..38).unwrap_or_default().trim_ascii_end()
    }

    /// Positions 39 and 40 if they are upper-case letters (ISO 3166-1 alpha-2).
    #[must_use]
    pub fn country(&self) -> Option<[u8; 2]> {
        self.0.last_chunk::<2>().copied().filter(|code| code.iter().all(u8::is_ascii_uppercase))
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Location(")?;
        write_text(&self.0, f)?;
        f.write_str(")")
    }
}

/// An enciphered PIN block (DE 52), eight octets. Shows nothing.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct PinBlock([u8; 8]);

impl PinBlock {
    /// The block of these octets.
    #[must_use]
    pub const fn new(octets: [u8; 8]) -> PinBlock {
        PinBlock(octets)
    }

    /// The octets, for the security module.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Debug for PinBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinBlock(..)")
    }
}

/// Track 2 (DE 35), what the issuer decides by: number, expiry, service code. The discretionary
/// data, where the card's verification value stands, is not kept. `Debug` masks the number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Track2 {
    /// The card number before the separator.
    pub pan: Result<Pan, PanError>,
    /// Four digits after the separator.
    pub expiry: Option<Expiry>,
    /// Three digits after the expiry.
    pub service_code: Option<u16>,
}

impl Track2 {
    /// Reads `PAN=YYMMSSS...`; a `D` stands for the `=` just as well (ISO/IEC 7813).
    ///
    /// # Errors
    /// [`Track2Error::NoSeparator`]. A bad number or a missing expiry is left to the reader.
    pub fn parse(ascii: &[u8]) -> Result<Track2, Track2Error> {
        let at = separator(ascii).ok_or(Track2Error::NoSeparator)?;
        let after = ascii.get(at + 1..).unwrap_or_default();
        let number = |range: core::ops::Range<usize>| {
            let part = after.get(range)?;
            if digits::all_digits(part) { digits::number(part) } else { None }
        };
        Ok(Track2 {
            pan: Pan::parse(ascii.get(..at).unwrap_or_default()),
            expiry: number(0..4).and_then(Expiry::from_digits),
            service_code: number(4..7).and_then(|code| u16::try_from(code).ok()),
        })
    }
}

/// Where the separator of track 2 stands.
pub(crate) fn separator(track: &[u8]) -> Option<usize> {
    digits::find_either(track, b'=', b'D')
}

/// What DE 90 says of the original message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OriginalData {
    /// Its MTI.
    pub mti: Mti,
    /// Its DE 11.
    pub stan: Stan,
    /// Its DE 7.
    pub transmitted: TransmissionTime,
    /// Its DE 32.
    pub acquirer: Institution,
    /// Its DE 33.
    pub forwarder: Institution,
}

impl OriginalData {
    /// Reads 42 ASCII digits. `None` if one is no digit.
    #[must_use]
    pub fn parse(text: &[u8; 42]) -> Option<OriginalData> {
        Some(OriginalData {
            mti: Mti::parse(text.get(0..4)?)?,
            stan: Stan::from_digits(number(text.get(4..10)?)?)?,
            transmitted: TransmissionTime::from_digits(number(text.get(10..20)?)?)?,
            acquirer: Institution::from_digits(number(text.get(20..31)?)?)?,
            forwarder: Institution::from_digits(number(text.get(31..42)?)?)?,
        })
    }

    /// Writes the 42 ASCII digits of DE 90.
    #[must_use]
    pub fn octets(&self) -> [u8; 42] {
        let mut text = [b'0'; 42];
        let parts = [
            (0..4, u64::from(self.mti.number())),
            (4..10, u64::from(self.stan.number())),
            (10..20, u64::from(self.transmitted.number())),
            (20..31, self.acquirer.number()),
            (31..42, self.forwarder.number()),
        ];
        for (range, number) in parts {
            if let Some(part) = text.get_mut(range) {
                digits::write_number(number, part);
            }
        }
        text
    }
}

/// Writes printable ASCII as it is and every other octet as `\xNN`, so that a log line or a
/// terminal cannot be hijacked by a peer's text.
pub(crate) fn write_text<W: fmt::Write + ?Sized>(text: &[u8], f: &mut W) -> fmt::Result {
    for octet in text {
        match octet {
            b'\\' => f.write_str("\\\\")?,
            b' '..=b'~' => f.write_char(char::from(*octet))?,
            _ => write!(f, "\\x{octet:02x}")?,
        }
    }
    Ok(())
}

/// The number of ASCII digits; `None` if one is none.
pub(crate) fn number(ascii: &[u8]) -> Option<u64> {
    if digits::all_digits(ascii) { digits::number(ascii) } else { None }
}
