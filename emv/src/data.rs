//! What chip, terminal and issuer tell one another in single bits, by the standard's names.
//!
//! Each value keeps the octets of its tag. Every named bit is a constant of the type, so values are
//! put together, asked and compared by names alone; a bit of one type cannot be asked of another.
//! `Debug` shows the octets and the names of what is set. Nothing here judges what a bit means for
//! a transaction.
//!
//! The tables follow EMV 4.3 Book 3, Annex C, and Book 4, Annexes A2 to A4; the sources of Visa's
//! own values stand beside them. Octets and bits are counted as there: octet 1 comes first, bit 8
//! is the highest.
//!
//! ```
//! use cekr_emv::data::Tvr;
//!
//! let seen = Tvr::EXPIRED_APPLICATION.with(Tvr::TRANSACTION_EXCEEDS_FLOOR_LIMIT);
//! assert_eq!(seen.octets(), [0x00, 0x40, 0x00, 0x80, 0x00]);
//! assert!(seen.has(Tvr::EXPIRED_APPLICATION) && !seen.has(Tvr::NEW_CARD));
//! assert_eq!(format!("{:?}", Tvr::NEW_CARD), "Tvr(0008000000: New card)");
//! ```

mod capabilities;
mod cid;
mod contactless;
mod cvm;
mod issuer_data;
mod profile;
mod results;

pub use capabilities::{AdditionalCapabilities, TerminalCapabilities};
pub use cid::{Cid, CidReason, CryptogramType};
pub use contactless::{Ctq, Ttq};
pub use cvm::{CvmCondition, CvmList, CvmMethod, CvmResult, CvmResults, CvmRule};
pub use issuer_data::{CounterUpdate, Csu, Cvr, IssuerData, IssuerDataFormat};
pub use profile::{Aip, Auc};
pub use results::{Tsi, Tvr};

use core::fmt;

/// One named bit: a row of a value's table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bit {
    /// Which octet, the first being 1.
    pub octet: u8,
    /// The bit in that octet.
    pub mask: u8,
    /// Its name in the standard's words.
    pub words: &'static str,
}

/// The names of those bits of `table` that are set in `octets`, in the table's order.
///
/// ```
/// use cekr_emv::data::{Tsi, set_bits};
/// let set: Vec<_> = set_bits(Tsi::BITS, &[0x20, 0x00]).collect();
/// assert_eq!(set, ["Card risk management was performed"]);
/// ```
pub fn set_bits<'v>(table: &'v [Bit], octets: &'v [u8]) -> impl Iterator<Item = &'static str> + 'v {
    table
        .iter()
        .filter(|bit| {
            let octet = octets.get(usize::from(bit.octet).wrapping_sub(1));
            octet.is_some_and(|octet| octet & bit.mask != 0)
        })
        .map(|bit| bit.words)
}

/// Octets in hexadecimal and the names of what is set in them.
fn debug(f: &mut fmt::Formatter<'_>, name: &str, octets: &[u8], table: &[Bit]) -> fmt::Result {
    write!(f, "{name}(")?;
    for octet in octets {
        write!(f, "{octet:02X}")?;
    }
    for (place, words) in set_bits(table, octets).enumerate() {
        write!(f, "{} {words}", if place == 0 { ":" } else { "," })?;
    }
    f.write_str(")")
}

/// All zeros but for one bit, both counted as the standard counts them.
#[expect(clippy::indexing_slicing, reason = "constants only: a wrong place does not compile")]
const fn place<const LEN: usize>(octet: usize, bit: u32) -> [u8; LEN] {
    let mut octets = [0; LEN];
    octets[octet - 1] = 1 << (bit - 1);
    octets
}

/// Makes the type of a value out of the table of its bits.
macro_rules! bits {
    (
        $(#[$attribute:meta])*
        $name:ident, $len:literal octets:
        $($octet:literal : $bit:literal $constant:ident $words:literal;)+
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Default, Eq, Hash, PartialEq)]
        pub struct $name([u8; $len]);

        impl $name {
            $(
                #[doc = concat!($words, ": octet ", $octet, ", bit ", $bit, ".")]
                pub const $constant: Self = Self(crate::data::place($octet, $bit));
            )+

            /// Every named bit, in the order of the octets.
            pub const BITS: &'static [crate::data::Bit] = &[$(
                crate::data::Bit { octet: $octet, mask: 1 << ($bit - 1), words: $words },
            )+];

            /// How many octets the value has.
            pub const LEN_OCTETS: usize = $len;

            /// The value of these octets, as they stand behind the tag.
            pub const fn from_octets(octets: [u8; $len]) -> Self {
                Self(octets)
            }

            /// Reads what stands behind the tag; `None` for another length.
            pub fn parse(value: &[u8]) -> Option<Self> {
                Some(Self(value.try_into().ok()?))
            }

            /// The octets, as they stand behind the tag.
            pub const fn octets(self) -> [u8; $len] {
                self.0
            }

            /// Whether every bit of `bits` is set.
            pub fn has(self, bits: Self) -> bool {
                self.with(bits) == self
            }

            /// Whether a bit of `bits` is set.
            pub fn meets(self, bits: Self) -> bool {
                self.without(bits) != self
            }

            /// The same with every bit of `bits` set.
            #[must_use]
            pub fn with(mut self, bits: Self) -> Self {
                self.0.iter_mut().zip(bits.0).for_each(|(octet, bits)| *octet |= bits);
                self
            }

            /// The same with no bit of `bits` set.
            #[must_use]
            pub fn without(mut self, bits: Self) -> Self {
                self.0.iter_mut().zip(bits.0).for_each(|(octet, bits)| *octet &= !bits);
                self
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                crate::data::debug(f, stringify!($name), &self.0, Self::BITS)
            }
        }
    };
}

use bits;

#[cfg(test)]
mod tests {
    extern crate std;

    use std::collections::BTreeSet;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn no_place_and_no_name_stands_in_a_table_twice() {
        for (table, len) in [
            (Aip::BITS, Aip::LEN_OCTETS),
            (Auc::BITS, Auc::LEN_OCTETS),
            (AdditionalCapabilities::BITS, AdditionalCapabilities::LEN_OCTETS),
            (Csu::BITS, Csu::LEN_OCTETS),
            (Ctq::BITS, Ctq::LEN_OCTETS),
            (Cvr::BITS, Cvr::LEN_OCTETS),
            (TerminalCapabilities::BITS, TerminalCapabilities::LEN_OCTETS),
            (Tsi::BITS, Tsi::LEN_OCTETS),
            (Ttq::BITS, Ttq::LEN_OCTETS),
            (Tvr::BITS, Tvr::LEN_OCTETS),
        ] {
            let places: Vec<_> = table.iter().map(|bit| (bit.octet, u8::MAX - bit.mask)).collect();
            assert!(places.is_sorted(), "the order of the standard: {table:?}");
            assert_eq!(places.iter().collect::<BTreeSet<_>>().len(), table.len());
            let names: BTreeSet<_> = table.iter().map(|bit| bit.words).collect();
            assert_eq!(names.len(), table.len());
            assert!(table.iter().all(|bit| (1..=len).contains(&usize::from(bit.octet))));
        }
    }

    #[test]
    fn has_wants_all_and_meets_wants_one() {
        let two = Tvr::NEW_CARD.with(Tvr::EXPIRED_APPLICATION);
        assert!(two.has(Tvr::NEW_CARD) && !Tvr::NEW_CARD.has(two));
        assert!(two.meets(Tvr::NEW_CARD) && Tvr::NEW_CARD.meets(two));
        assert!(!two.meets(Tvr::SDA_FAILED) && !two.meets(Tvr::default()));
        assert!(two.has(Tvr::default()));
        assert_eq!(two.without(Tvr::NEW_CARD), Tvr::EXPIRED_APPLICATION);
    }

    #[test]
    fn another_length_is_no_value() {
        assert_eq!(Tsi::parse(&[0x68, 0x00]), Some(Tsi::from_octets([0x68, 0x00])));
        assert_eq!(Tsi::parse(&[0x68]), None);
        assert_eq!(Tvr::parse(&[0; 6]), None);
    }
}
