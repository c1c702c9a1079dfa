//! Where a terminal stands: the data elements that stay the same from one message to the next.
//!
//! DE 18, 19, 32, 41, 42 and 43 of every request. DE 43 is 40 characters: name 25, city 13,
//! country 2 (ISO 8583:1987, DE 43; country as ISO 3166 alpha-2). DE 19 is the numeric code of
//! the same country and is left out for a country that this table does not know.
//!
//! ```
//! use cekr_terminal_sim::place::Place;
//! let till = Place::shop("Mercator Kranj", "Kranj", *b"SI");
//! assert_eq!(&till.location()[..14], b"Mercator Kranj");
//! assert_eq!(&till.location()[38..], b"SI");
//! ```

/// A terminal's fixed data.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// The merchant's or bank's name, shown on receipts and in DE 43.
    pub name: String,
    /// The town, in DE 43.
    pub city: String,
    /// ISO 3166 alpha-2.
    pub country: [u8; 2],
    /// Merchant category code, DE 18 (ISO 18245).
    pub mcc: u16,
    /// Terminal, DE 41.
    pub terminal: [u8; 8],
    /// Merchant, DE 42.
    pub merchant: [u8; 15],
    /// Acquiring institution, DE 32, at most eleven digits.
    pub acquirer: u64,
}

impl Place {
    /// A grocery's till: MCC 5411.
    #[must_use]
    pub fn shop(name: &str, city: &str, country: [u8; 2]) -> Self {
        Self {
            name: name.to_owned(),
            city: city.to_owned(),
            country,
            mcc: 5411,
            terminal: *b"POS00001",
            merchant: *b"CEKRSHOP0000001",
            acquirer: 476_173,
        }
    }

    /// A bank's cash machine: MCC 6011.
    #[must_use]
    pub fn cashpoint(name: &str, city: &str, country: [u8; 2]) -> Self {
        Self {
            mcc: 6011,
            terminal: *b"ATM00001",
            merchant: *b"CEKRBANK0000001",
            ..Self::shop(name, city, country)
        }
    }

    /// A web shop: MCC 5964, catalogue merchants.
    #[must_use]
    pub fn web_shop(name: &str, city: &str, country: [u8; 2]) -> Self {
        Self {
            mcc: 5964,
            terminal: *b"WEB00001",
            merchant: *b"CEKRWEB00000001",
            ..Self::shop(name, city, country)
        }
    }

    /// DE 43. Letters outside ASCII lose their marks: the dialects of this crate carry ASCII.
    #[must_use]
    pub fn location(&self) -> [u8; 40] {
        let mut out = [b' '; 40];
        let name = self.name.chars().take(25).map(plain);
        let city = self.city.chars().take(13).map(plain);
        for (to, from) in out.iter_mut().zip(name) {
            *to = from;
        }
        for (to, from) in out.iter_mut().skip(25).zip(city) {
            *to = from;
        }
        for (to, from) in out.iter_mut().skip(38).zip(self.country) {
            *to = from;
        }
        out
    }

    /// DE 19: the country's ISO 3166 numeric code, when this crate knows it.
    #[must_use]
    pub fn country_number(&self) -> Option<u16> {
        COUNTRIES.iter().find(|(alpha, _)| **alpha == self.country).map(|(_, number)| *number)
    }

    /// The country as text, for people.
    #[must_use]
    pub fn country_text(&self) -> &str {
        core::str::from_utf8(&self.country).unwrap_or("??")
    }
}

/// An identifier of fixed length, spaces behind; `None` when the text is too long or not printable
/// ASCII.
#[must_use]
pub fn padded<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.is_empty() || text.len() > N || !text.bytes().all(|c| c == b' ' || c.is_ascii_graphic())
    {
        return None;
    }
    let mut out = [b' '; N];
    for (to, from) in out.iter_mut().zip(text.bytes()) {
        *to = from;
    }
    Some(out)
}

/// The ASCII letter nearest to a character of our neighbours' names.
fn plain(c: char) -> u8 {
    match c {
        'č' | 'ć' => b'c',
        'Č' | 'Ć' => b'C',
        'š' => b's',
        'Š' => b'S',
        'ž' => b'z',
        'Ž' => b'Z',
        'đ' => b'd',
        'Đ' => b'D',
        c if c == ' ' || c.is_ascii_graphic() => u8::try_from(c).unwrap_or(b'?'),
        _ => b'?',
    }
}

/// ISO 3166 alpha-2 and numeric codes of the countries where this street has shops, and those
/// that a person is likely to type.
const COUNTRIES: &[(&[u8; 2], u16)] = &[
    (b"AT", 40),
    (b"BA", 70),
    (b"BE", 56),
    (b"BG", 100),
    (b"CH", 756),
    (b"CZ", 203),
    (b"DE", 276),
    (b"DK", 208),
    (b"ES", 724),
    (b"FI", 246),
    (b"FR", 250),
    (b"GB", 826),
    (b"GR", 300),
    (b"HR", 191),
    (b"HU", 348),
    (b"IE", 372),
    (b"IT", 380),
    (b"LU", 442),
    (b"ME", 499),
    (b"MK", 807),
    (b"NL", 528),
    (b"NO", 578),
    (b"PL", 616),
    (b"PT", 620),
    (b"RO", 642),
    (b"RS", 688),
    (b"SE", 752),
    (b"SI", 705),
    (b"SK", 703),
    (b"TR", 792),
    (b"US", 840),
];

#[cfg(test)]
mod tests {
    use super::{Place, padded};

    #[test]
    fn fills_forty_columns_with_name_city_and_country() {
        let place = Place::shop("Konzum Češki Šport in še nekaj več", "Zagreb", *b"HR");
        let text = String::from_utf8(place.location().to_vec()).unwrap();
        assert_eq!(text, "Konzum Ceski Sport in se Zagreb       HR");
        assert_eq!(place.country_number(), Some(191));
        assert_eq!(Place { country: *b"XX", ..place }.country_number(), None);
    }

    #[test]
    fn pads_identifiers_and_refuses_long_ones() {
        assert_eq!(padded::<8>("T1"), Some(*b"T1      "));
        assert_eq!(padded::<8>("TERMINAL1"), None);
        assert_eq!(padded::<8>("Č"), None);
        assert_eq!(padded::<8>(""), None);
    }
}
