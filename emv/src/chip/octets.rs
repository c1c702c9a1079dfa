//! A few octets in a place of fixed size, as a chip without a heap keeps them.

use core::fmt;

use zeroize::Zeroize;

/// Up to `N` octets. `Debug` shows how many; they are wiped on drop.
#[derive(Clone, Eq, PartialEq)]
pub struct Octets<const N: usize> {
    octets: [u8; N],
    len_octets: usize,
}

impl<const N: usize> Octets<N> {
    /// None.
    pub const EMPTY: Self = Self { octets: [0; N], len_octets: 0 };

    /// A copy; `None` if there are more than `N`.
    pub fn of(octets: &[u8]) -> Option<Self> {
        let mut copy = Self::EMPTY;
        copy.octets.get_mut(..octets.len())?.copy_from_slice(octets);
        copy.len_octets = octets.len();
        Some(copy)
    }

    /// Digits packed two to an octet, F behind an odd number of them; `None` if they are too many.
    pub(crate) fn packed(digits: impl Iterator<Item = u8>) -> Option<Self> {
        let mut packed = Self::EMPTY;
        let mut digits = digits.peekable();
        while let Some(high) = digits.next() {
            let low = digits.next().unwrap_or(0x0F);
            *packed.octets.get_mut(packed.len_octets)? = high << 4 | low & 0x0F;
            packed.len_octets += 1;
        }
        Some(packed)
    }

    /// The octets.
    pub fn as_slice(&self) -> &[u8] {
        self.octets.get(..self.len_octets).unwrap_or_default()
    }
}

impl<const N: usize> Drop for Octets<N> {
    fn drop(&mut self) {
        self.octets.zeroize();
    }
}

impl<const N: usize> fmt::Debug for Octets<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} octets", self.len_octets)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::Octets;

    #[test]
    fn packs_digits_and_fills_up_an_odd_number() {
        let packed = |digits: &[u8]| Octets::<2>::packed(digits.iter().copied());
        assert_eq!(packed(&[1, 2, 3]).unwrap().as_slice(), [0x12, 0x3F]);
        assert_eq!(packed(&[1, 2, 0xD, 4]).unwrap().as_slice(), [0x12, 0xD4]);
        assert_eq!(packed(&[1, 2, 3, 4, 5]), None);
        assert_eq!(Octets::<2>::of(&[1, 2, 3]), None);
    }
}
