//! What a calculation was given: the fields of a JSON object, read strictly and named in errors.

use cekr_emv::keys::{AesKey, Key, Purpose};
use cekr_emv::{CardNumber, Pin};
use serde_json::{Map, Value};

/// A calculation: its name, and the function from input to output.
pub(crate) type Operation = (&'static str, fn(&Given<'_>) -> Result<Value, String>);

/// The input of one calculation.
pub(crate) struct Given<'a>(&'a Map<String, Value>);

impl<'a> Given<'a> {
    /// The input, which must be a JSON object.
    pub(crate) fn new(input: &'a Value) -> Result<Self, String> {
        input.as_object().map(Self).ok_or_else(|| "the input is no JSON object".to_owned())
    }

    /// A field as it is; one that is null counts as absent.
    pub(crate) fn value(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// Whether a field is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// A text.
    pub(crate) fn text(&self, name: &str) -> Result<&'a str, String> {
        let value = self.value(name).ok_or_else(|| format!("`{name}` is missing"))?;
        value.as_str().ok_or_else(|| format!("`{name}` is no text"))
    }

    /// A whole number, not negative.
    pub(crate) fn number(&self, name: &str) -> Result<u64, String> {
        let value = self.value(name).ok_or_else(|| format!("`{name}` is missing"))?;
        value.as_u64().ok_or_else(|| format!("`{name}` is no whole number from 0"))
    }

    /// A number of at most 255.
    pub(crate) fn small(&self, name: &str) -> Result<u8, String> {
        u8::try_from(self.number(name)?).map_err(|_| format!("`{name}` is above 255"))
    }

    /// Octets in hexadecimal.
    pub(crate) fn octets(&self, name: &str) -> Result<Vec<u8>, String> {
        let text = self.text(name)?;
        let nibble = |digit: &u8| char::from(*digit).to_digit(16);
        let (pairs, odd) = text.as_bytes().as_chunks::<2>();
        let octets =
            pairs.iter().map(|[high, low]| u8::try_from(nibble(high)? << 4 | nibble(low)?).ok());
        let octets: Option<Vec<u8>> = octets.collect();
        octets.filter(|_| odd.is_empty()).ok_or_else(|| {
            format!("`{name}` is no sequence of octets in hexadecimal, two digits each")
        })
    }

    /// So many octets in hexadecimal.
    pub(crate) fn array<const N: usize>(&self, name: &str) -> Result<[u8; N], String> {
        let octets = self.octets(name)?;
        let len = octets.len();
        octets.try_into().map_err(|_| format!("`{name}` has {len} octets instead of {N}"))
    }

    /// A card number of 12 to 19 digits; its check digit is not judged.
    pub(crate) fn card(&self) -> Result<CardNumber, String> {
        CardNumber::parse(self.text("pan")?.as_bytes())
            .ok_or_else(|| "`pan` has not 12 to 19 digits".to_owned())
    }

    /// The card number as a number, for what takes its last digits only.
    pub(crate) fn pan(&self) -> Result<u64, String> {
        self.card()?;
        self.text("pan")?.parse().map_err(|_| "`pan` has not 12 to 19 digits".to_owned())
    }

    /// A card's sequence number, two digits; 00 where none is given.
    pub(crate) fn sequence(&self) -> Result<u8, String> {
        if !self.has("psn") {
            return Ok(0);
        }
        match self.text("psn")?.as_bytes() {
            [high @ b'0'..=b'9', low @ b'0'..=b'9'] => Ok((high & 0x0F) << 4 | low & 0x0F),
            _ => Err("`psn` has not two digits".to_owned()),
        }
    }

    /// A PIN.
    pub(crate) fn pin(&self, name: &str) -> Result<Pin, String> {
        Pin::parse(self.text(name)?.as_bytes()).map_err(|error| format!("`{name}`: {error}"))
    }

    /// A triple DES key; one of eight octets stands for both of its parts.
    pub(crate) fn key<P: Purpose>(&self, name: &str) -> Result<Key<P>, String> {
        let mut octets = self.octets(name)?;
        if octets.len() == 8 {
            octets.extend_from_within(..);
        }
        Key::from_octets(&octets).map_err(|error| format!("`{name}`: {error}"))
    }

    /// An AES key.
    pub(crate) fn aes_key<P: Purpose>(&self, name: &str) -> Result<AesKey<P>, String> {
        AesKey::from_octets(&self.octets(name)?).map_err(|error| format!("`{name}`: {error}"))
    }
}

/// Octets in upper-case hexadecimal.
pub(crate) fn hex(octets: impl AsRef<[u8]>) -> String {
    octets.as_ref().iter().map(|octet| format!("{octet:02X}")).collect()
}
