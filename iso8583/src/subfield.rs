//! The parts of DE 48 in `cekr87`: two-digit id, two-digit length, value, and so on.

/// The subfields of DE 48, in the order they stand.
///
/// ```
/// use cekr_iso8583::subfield::{self, Tagged};
/// let tagged = Tagged::new(b"4202059203123");
/// assert_eq!(tagged.value(subfield::ECI), Some(&b"05"[..]));
/// assert_eq!(tagged.value(subfield::CVV2), Some(&b"123"[..]));
/// assert!(tagged.is_well_formed());
/// ```
#[derive(Clone, Copy)]
pub struct Tagged<'a> {
    octets: &'a [u8],
}

/// Electronic commerce indicator, two digits: 05 the holder was authenticated.
pub const ECI: [u8; 2] = *b"42";
/// Cardholder authentication verification value, 28 characters of base64.
pub const CAVV: [u8; 2] = *b"43";
/// Exemption from authentication that the acquirer claims.
pub const EXEMPTION: [u8; 2] = *b"45";
/// PIN block of format 4, 32 hexadecimal characters.
pub const PIN_BLOCK: [u8; 2] = *b"52";
/// Key serial number of the PIN block, hexadecimal.
pub const KSN: [u8; 2] = *b"53";
/// New PIN block of format 4, 32 hexadecimal characters.
pub const NEW_PIN_BLOCK: [u8; 2] = *b"54";
/// 1: the terminal takes a partial approval.
pub const PARTIAL_APPROVAL: [u8; 2] = *b"61";
/// Card verification value printed on the card, three digits.
pub const CVV2: [u8; 2] = *b"92";

/// The twenty octets of an authentication value that is written in base64 ([`CAVV`], RFC 4648 with
/// padding); none where it is anything else. One value has one text.
///
/// ```
/// use cekr_iso8583::subfield::{cavv_octets, cavv_text};
/// let cavv = cavv_octets(b"AAgBAGcAAhAAAAAAAAACAAAAAAA=").unwrap();
/// assert_eq!(cavv[..8], [0x00, 0x08, 0x01, 0x00, 0x67, 0x00, 0x02, 0x10]);
/// assert_eq!(&cavv_text(&cavv), b"AAgBAGcAAhAAAAAAAAACAAAAAAA=");
/// ```
#[must_use]
pub fn cavv_octets(text: &[u8]) -> Option<[u8; 20]> {
    let text: &[u8; 28] = text.try_into().ok()?;
    let (digits, [b'=']) = text.split_last_chunk::<1>()? else {
        return None;
    };
    let mut octets = [0; 20];
    let mut to = octets.iter_mut();
    let (mut bits, mut held) = (0_u32, 0);
    for digit in digits {
        let value = BASE64.iter().position(|one| one == digit)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        held += 6;
        if held >= 8 {
            held -= 8;
            *to.next()? = u8::try_from(bits >> held & 0xFF).ok()?;
        }
    }
    (bits.trailing_zeros() >= held).then_some(octets)
}

/// An authentication value in base64, as [`CAVV`] holds it.
#[must_use]
pub fn cavv_text(octets: &[u8; 20]) -> [u8; 28] {
    let mut text = [b'='; 28];
    let (mut bits, mut held, mut from) = (0_u32, 0, octets.iter());
    for digit in text.iter_mut().take(27) {
        while held < 6 {
            bits = bits << 8 | u32::from(from.next().copied().unwrap_or_default());
            held += 8;
        }
        held -= 6;
        let value = usize::try_from(bits >> held & 0x3F).unwrap_or_default();
        *digit = BASE64.get(value).copied().unwrap_or_default();
    }
    text
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// One subfield.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Subfield<'a> {
    /// Two ASCII digits.
    pub id: [u8; 2],
    /// The characters after the length.
    pub value: &'a [u8],
    /// Where the value begins, in octets from the start of the field's value.
    pub offset: usize,
}

impl<'a> Tagged<'a> {
    /// Reads a value of DE 48, without its prefix.
    #[must_use]
    pub const fn new(octets: &'a [u8]) -> Tagged<'a> {
        Tagged { octets }
    }

    /// The value of the first subfield with this id, among those before any damage.
    #[must_use]
    pub fn value(&self, id: [u8; 2]) -> Option<&'a [u8]> {
        self.iter().find(|subfield| subfield.id == id).map(|subfield| subfield.value)
    }

    /// The subfields before any damage.
    #[must_use]
    pub const fn iter(&self) -> Subfields<'a> {
        Subfields { octets: self.octets, at: 0 }
    }

    /// Whether the value is nothing but subfields, at least one.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        let mut subfields = self.iter();
        while subfields.next().is_some() {}
        subfields.at > 0 && subfields.at == self.octets.len()
    }
}

impl<'a> IntoIterator for Tagged<'a> {
    type Item = Subfield<'a>;
    type IntoIter = Subfields<'a>;

    fn into_iter(self) -> Subfields<'a> {
        self.iter()
    }
}

impl core::fmt::Debug for Tagged<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // Ids only: a value may be a card verification value.
        f.debug_list().entries(self.iter().map(|subfield| subfield.id)).finish()
    }
}

/// Iterator over the subfields of DE 48; ends where the form is broken.
#[derive(Clone)]
pub struct Subfields<'a> {
    octets: &'a [u8],
    at: usize,
}

impl Subfields<'_> {
    /// Where the next subfield, or the damage, begins: octets from the start of the field's value.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.at
    }
}

impl<'a> Iterator for Subfields<'a> {
    type Item = Subfield<'a>;

    fn next(&mut self) -> Option<Subfield<'a>> {
        let (head, rest) = self.octets.get(self.at..)?.split_first_chunk::<4>()?;
        if !head.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let [id_high, id_low, tens, ones] = *head;
        let len = usize::from(tens & 0x0f) * 10 + usize::from(ones & 0x0f);
        let value = rest.get(..len)?;
        let offset = self.at + 4;
        self.at = offset + len;
        Some(Subfield { id: [id_high, id_low], value, offset })
    }
}
