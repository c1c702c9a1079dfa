//! What leaves the kernel: the values that the card's lists ask for, DE 55, card number and track.

use crate::data::Ttq;
use crate::tlv::dol::{self, Format};
use crate::tlv::{TlvError, Writer, tags};

use super::store::Store;
use super::{Interface, Kernel};

/// How many digits a card number has at most.
pub const PAN_DIGITS_MAX: usize = 19;

/// How many characters track 2 has at most.
pub const TRACK2_CHARACTERS_MAX: usize = 37;

impl Kernel<'_> {
    /// Writes DE 55 of the request, or of the advice after it, and gives its length in octets.
    ///
    /// The objects are those that issuers ask for, as they are now; those that the transaction has
    /// not are left out. While [`GoOnline`](super::Action::GoOnline) stands, they are those that
    /// the card's cryptogram covers.
    ///
    /// # Errors
    ///
    /// [`TlvError::NoRoom`] if `out` is too short; 255 octets always do.
    pub fn write_de55(&self, out: &mut [u8]) -> Result<usize, TlvError> {
        let terminal = self.terminal_values()?;
        let mut writer = Writer::new(out);
        for tag in DE55 {
            let value = match (tag, self.cryptogram.as_ref()) {
                (0x9F10, Some(cryptogram)) => Some(cryptogram.issuer_data()),
                (0x9F26, Some(cryptogram)) => Some(&cryptogram.value[..]),
                (0x9F36, Some(cryptogram)) => Some(&cryptogram.atc[..]),
                _ => self.value(&terminal, tag),
            };
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                writer.put(tag, value)?;
            }
            if let (0x9F26, Some(cryptogram)) = (tag, self.cryptogram) {
                writer.put(0x9F27, &[cryptogram.information.0])?;
            }
        }
        // What a card may add, as far as there is room: nobody has bounded it.
        for tag in DE55_MORE {
            let value = self.card.value(tag).unwrap_or_default();
            if !value.is_empty() {
                let _ = writer.put(tag, value);
            }
        }
        Ok(writer.written().len())
    }

    /// The card number (5A, else from 57) as ASCII digits at the front of `out`.
    ///
    /// `None` before the card has shown one, or if it is none: 12 to 19 digits, filled up with F.
    pub fn pan<'o>(&self, out: &'o mut [u8; PAN_DIGITS_MAX]) -> Option<&'o [u8]> {
        let track = self.card.value(0x57).unwrap_or_default();
        let number = self.card.value(0x5A).unwrap_or(track);
        let mut len = 0;
        let mut ended = false;
        for digit in number.iter().flat_map(|octet| [octet >> 4, octet & 0x0F]) {
            match digit {
                0..=9 if !ended => {
                    *out.get_mut(len)? = b'0' + digit;
                    len += 1;
                }
                0x0F => ended = true,
                // What follows the separator of a track is another matter.
                0x0D if self.card.value(0x5A).is_none() => break,
                _ => return None,
            }
        }
        out.get(..len).filter(|digits| (12..=PAN_DIGITS_MAX).contains(&digits.len()))
    }

    /// What became of the issuer's scripts of this transaction (9F5B): the next message about the
    /// card tells it. Empty where there were none.
    pub fn script_results(&self) -> &[u8] {
        self.scripts.octets()
    }

    /// Track 2 equivalent data (57) as DE 35 has them: ASCII, `=` as separator, at the front of
    /// `out`. `None` if the card has none, or it cannot be read.
    pub fn track2<'o>(&self, out: &'o mut [u8; TRACK2_CHARACTERS_MAX]) -> Option<&'o [u8]> {
        let track = self.card.value(0x57)?;
        let mut len = 0;
        for digit in track.iter().flat_map(|octet| [octet >> 4, octet & 0x0F]) {
            let character = match digit {
                0..=9 => b'0' + digit,
                0x0D => b'=',
                0x0F => break,
                _ => return None,
            };
            *out.get_mut(len)? = character;
            len += 1;
        }
        out.get(..len).filter(|track| !track.is_empty())
    }

    /// Application PAN sequence number (5F34, DE 23), packed.
    pub fn sequence(&self) -> Option<u8> {
        match self.card.value(0x5F34) {
            Some([sequence]) => Some(*sequence),
            Some(_) | None => None,
        }
    }

    /// Until when the card is good (5F24, DE 14): packed year and month.
    pub fn expiry(&self) -> Option<[u8; 2]> {
        match self.card.value(0x5F24) {
            Some([year, month, _]) => Some([*year, *month]),
            Some(_) | None => None,
        }
    }

    /// The languages that the cardholder prefers (5F2D), two letters each, the best one first.
    pub fn languages(&self) -> &[[u8; 2]] {
        self.card.value(0x5F2D).unwrap_or_default().as_chunks::<2>().0
    }

    /// Writes the values that `list` asks for to the front of `room`.
    pub(super) fn fill(&self, list: &[u8], room: &mut [u8]) -> Result<usize, TlvError> {
        let terminal = self.terminal_values()?;
        dol::fill(list, room, |tag| {
            let format = match tags::find(tag).map(|row| row.format) {
                Some(tags::Format::Numeric) => Format::Numeric,
                Some(tags::Format::CompressedNumeric) => Format::CompressedNumeric,
                Some(
                    tags::Format::Alphabetic
                    | tags::Format::Alphanumeric
                    | tags::Format::AlphanumericSpecial
                    | tags::Format::Binary,
                )
                | None => Format::Other,
                // A list cannot ask for other objects' templates.
                Some(tags::Format::Template) => return None,
            };
            self.value(&terminal, tag).map(|value| (value, format))
        })
    }

    /// A value by its tag: what a terminal or an issuer brings never comes from the card.
    fn value<'v>(&'v self, terminal: &'v Store<VALUES_OCTETS_MAX>, tag: u32) -> Option<&'v [u8]> {
        match tags::find(tag)?.source {
            tags::Source::Card => self.card.value(tag),
            tags::Source::Issuer | tags::Source::Terminal => terminal.value(tag),
        }
    }

    /// Everything that terminal and issuer bring, as it is now.
    fn terminal_values(&self) -> Result<Store<VALUES_OCTETS_MAX>, TlvError> {
        let (config, transaction) = (self.config, &self.transaction);
        let mut values = Store::EMPTY;
        let binary = |amount: u64| u32::try_from(amount).unwrap_or(u32::MAX).to_be_bytes();
        if let Some(row) = self.row() {
            values.put(0x9F06, row.aid)?;
            values.put(0x9F09, &row.version)?;
            values.put(0x9F1B, &binary(row.floor_limit))?;
        }
        for (tag, value) in [
            (0x81, &binary(transaction.amount)[..]),
            (0x95, &self.tvr.octets()),
            (0x9A, &transaction.date),
            (0x9B, &self.tsi.octets()),
            (0x9C, &[transaction.kind]),
            (0x9F01, &config.acquirer),
            (0x9F02, &packed::<6>(transaction.amount)),
            (0x9F03, &packed::<6>(transaction.other)),
            (0x9F04, &binary(transaction.other)),
            (0x9F15, &config.category),
            (0x9F16, &config.merchant),
            (0x9F1A, &config.country),
            (0x9F1C, &config.terminal),
            (0x9F1E, &config.serial),
            (0x9F21, &transaction.time),
            (0x9F33, &config.capabilities.octets()),
            (0x9F34, &self.cvm.0),
            (0x9F35, &[config.terminal_type]),
            (0x9F37, &transaction.unpredictable_number),
            (0x9F39, &[self.entry_mode()]),
            (0x9F40, &config.additional.octets()),
            (0x9F41, &packed::<4>(u64::from(transaction.sequence))),
            (0x5F2A, &config.currency),
            (0x5F36, &[config.currency_exponent]),
            (
                0x9F4E,
                config.merchant_name.get(..MERCHANT_OCTETS_MAX).unwrap_or(config.merchant_name),
            ),
            (0x9F5B, self.scripts.octets()),
            (0x9F66, &self.qualifiers().octets()),
        ] {
            values.put(tag, value)?;
        }
        if self.response_code != [0; 2] {
            values.put(0x8A, &self.response_code)?;
        }
        if let Some(data) = self.issuer.authentication() {
            values.put(0x91, data)?;
        }
        if let Some(hash) = self.transaction_hash {
            values.put(0x98, &hash)?;
        }
        Ok(values)
    }

    fn entry_mode(&self) -> u8 {
        match self.transaction.interface {
            Interface::Contact => 0x05,
            Interface::Contactless => 0x07,
        }
    }

    /// Terminal transaction qualifiers with what depends on the amount: every cryptogram at the
    /// contactless reader goes online, and above the limit the cardholder is verified.
    pub(super) fn qualifiers(&self) -> Ttq {
        let ttq = self.config.ttq.with(Ttq::ONLINE_CRYPTOGRAM_REQUIRED);
        if self.wants_verification() { ttq.with(Ttq::CVM_REQUIRED) } else { ttq }
    }
}

/// A number as `LEN` octets of packed digits; only its last digits where it has more.
fn packed<const LEN: usize>(mut number: u64) -> [u8; LEN] {
    let mut digits = [0; LEN];
    for octet in digits.iter_mut().rev() {
        // Both are below ten.
        let (ones, tens) = ((number % 10) as u8, (number / 10 % 10) as u8);
        *octet = tens << 4 | ones;
        number /= 100;
    }
    digits
}

/// The objects of DE 55, in their order; 9F27 follows 9F26.
const DE55: [u32; 20] = [
    0x82, 0x84, 0x95, 0x9A, 0x9C, 0x5F2A, 0x5F34, 0x9F02, 0x9F03, 0x9F10, 0x9F1A, 0x9F26, 0x9F33,
    0x9F34, 0x9F35, 0x9F36, 0x9F37, 0x9F1E, 0x9F41, 0x9F5B,
];

/// What a card may add: form factor, customer's data, payment account reference.
const DE55_MORE: [u32; 3] = [0x9F6E, 0x9F7C, 0x9F24];

/// Octets of the merchant's name that a card can ask for.
const MERCHANT_OCTETS_MAX: usize = 64;

/// Octets of all values of terminal and issuer.
const VALUES_OCTETS_MAX: usize = 768;

#[cfg(test)]
mod tests {
    use super::packed;

    #[test]
    fn numbers_are_packed_from_the_right() {
        assert_eq!(packed::<6>(12_345), [0, 0, 0, 1, 0x23, 0x45]);
        assert_eq!(packed::<1>(1_299), [0x99]);
        assert_eq!(packed::<4>(0), [0; 4]);
    }
}
