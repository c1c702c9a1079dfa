//! Transaction ids of 3-D Secure: UUIDs as 36 characters, read in either case, written in small.
//!
//! Source: RFC 9562, section 4 (text form) and 5.4 (version 4, drawn at random).

use std::fmt;

use crate::identity::secret::draw;
use crate::page::failed::Failed;

/// A UUID, any version.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    /// A fresh one.
    ///
    /// # Errors
    /// [`Failed::TryLater`] if the system gives no random octets.
    pub fn drawn() -> Result<Uuid, Failed> {
        let mut octets = draw::<16>()?;
        let [_, _, _, _, _, _, version, _, variant, ..] = &mut octets;
        *version = (*version & 0x0f) | 0x40;
        *variant = (*variant & 0x3f) | 0x80;
        Ok(Uuid(octets))
    }

    /// Reads the text form: 36 characters, hyphens where they belong.
    #[must_use]
    pub fn parse(text: &str) -> Option<Uuid> {
        let is_shaped = text.len() == TEXT_OCTETS
            && text.bytes().enumerate().all(|(at, octet)| match at {
                8 | 13 | 18 | 23 => octet == b'-',
                _ => octet.is_ascii_hexdigit(),
            });
        if !is_shaped {
            return None;
        }
        let digits: String = text.chars().filter(|letter| *letter != '-').collect();
        u128::from_str_radix(&digits, 16).ok().map(|number| Uuid(number.to_be_bytes()))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, octet) in self.0.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{octet:02x}")?;
        }
        Ok(())
    }
}

const TEXT_OCTETS: usize = 36;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    #[test]
    fn reads_what_it_wrote_and_nothing_else() {
        let text = "d7c1ee99-9478-44a6-b1f2-391e29c6b340";
        assert_eq!(Uuid::parse(text).unwrap().to_string(), text);
        assert_eq!(Uuid::parse(&text.to_uppercase()).unwrap().to_string(), text);
        let drawn = Uuid::drawn().unwrap();
        assert_eq!(Uuid::parse(&drawn.to_string()), Some(drawn));
        assert_eq!(drawn.to_string().as_bytes().get(14), Some(&b'4'));
        for wrong in ["", "d7c1ee99947844a6b1f2391e29c6b340", &text[1..], &format!("{text}0")] {
            assert_eq!(Uuid::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Uuid::parse(&text.replace('d', "g")), None);
        assert_eq!(Uuid::parse(&text.replace('-', "+")), None);
    }
}
