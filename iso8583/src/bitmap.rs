//! A set of data elements, as the bitmaps of a message announce it.

use core::fmt;

/// A set of data elements 1 to 128.
///
/// ```
/// use cekr_iso8583::FieldSet;
/// const ECHO: FieldSet = FieldSet::of(&[2, 3, 4, 7, 11]);
/// assert!(ECHO.has(7));
/// assert_eq!(ECHO.without(7).iter().collect::<Vec<_>>(), [2, 3, 4, 11]);
/// ```
#[derive(Clone, Copy, Default, Eq, Hash, PartialEq)]
pub struct FieldSet(u128);

impl FieldSet {
    /// The set without members.
    pub const EMPTY: FieldSet = FieldSet(0);

    /// The set of these elements; numbers outside 1 to 128 are left out.
    #[must_use]
    pub const fn of(elements: &[u8]) -> FieldSet {
        let mut set = FieldSet::EMPTY;
        let mut rest = elements;
        while let [first, tail @ ..] = rest {
            set = set.with(*first);
            rest = tail;
        }
        set
    }

    /// The set whose bit n - 1 stands for element n.
    #[must_use]
    pub const fn from_bits(bits: u128) -> FieldSet {
        FieldSet(bits)
    }

    /// Bit n - 1 stands for element n.
    #[must_use]
    pub const fn bits(self) -> u128 {
        self.0
    }

    /// The elements of the primary bitmap, 1 to 64, and those of the secondary: element 1 and 65 in
    /// the lowest bits.
    #[inline]
    pub(crate) const fn halves(self) -> [u64; 2] {
        [self.0 as u64, (self.0 >> 64) as u64]
    }

    /// Whether the element is a member.
    #[must_use]
    pub const fn has(self, de: u8) -> bool {
        self.0 & bit(de) != 0
    }

    /// The set with one element more.
    #[must_use]
    pub const fn with(self, de: u8) -> FieldSet {
        FieldSet(self.0 | bit(de))
    }

    /// The set with one element less.
    #[must_use]
    pub const fn without(self, de: u8) -> FieldSet {
        FieldSet(self.0 & !bit(de))
    }

    /// What is in either set.
    #[must_use]
    pub const fn union(self, other: FieldSet) -> FieldSet {
        FieldSet(self.0 | other.0)
    }

    /// What is in both sets.
    #[must_use]
    pub const fn intersect(self, other: FieldSet) -> FieldSet {
        FieldSet(self.0 & other.0)
    }

    /// What is in this set and not in the other.
    #[must_use]
    pub const fn minus(self, other: FieldSet) -> FieldSet {
        FieldSet(self.0 & !other.0)
    }

    /// Whether every member of `other` is a member.
    #[must_use]
    pub const fn has_all(self, other: FieldSet) -> bool {
        other.0 & !self.0 == 0
    }

    /// Whether there is no member.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Number of members.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// The smallest member.
    #[must_use]
    pub const fn first(self) -> Option<u8> {
        // At most 128: `trailing_zeros` of a word that is not zero is at most 127.
        if self.0 == 0 { None } else { Some(self.0.trailing_zeros() as u8 + 1) }
    }

    /// The largest member.
    #[must_use]
    pub const fn last(self) -> Option<u8> {
        // At most 128, as above.
        if self.0 == 0 { None } else { Some(128 - self.0.leading_zeros() as u8) }
    }

    /// The members below `de`.
    #[must_use]
    pub const fn below(self, de: u8) -> FieldSet {
        match de {
            0 => FieldSet::EMPTY,
            1..=128 => FieldSet(self.0 & (bit(de).wrapping_sub(1))),
            129..=255 => self,
        }
    }

    /// The members in ascending order.
    #[must_use]
    pub const fn iter(self) -> Members {
        Members(self)
    }
}

/// The members of a [`FieldSet`] in ascending order.
#[derive(Clone, Debug)]
pub struct Members(FieldSet);

impl Iterator for Members {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let first = self.0.first()?;
        self.0 = self.0.without(first);
        Some(first)
    }
}

impl IntoIterator for FieldSet {
    type Item = u8;
    type IntoIter = Members;

    fn into_iter(self) -> Members {
        self.iter()
    }
}

impl fmt::Debug for FieldSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

const fn bit(de: u8) -> u128 {
    match de {
        1..=128 => 1 << (de - 1),
        0 | 129..=255 => 0,
    }
}
