//! Room of fixed size: lists of octets, and the data objects of one card.

use zeroize::Zeroize;

use crate::tlv::{self, TlvError, Writer};

/// Up to `MAX` octets.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) struct Octets<const MAX: usize> {
    octets: [u8; MAX],
    len: usize,
}

impl<const MAX: usize> Octets<MAX> {
    pub(super) const EMPTY: Self = Self { octets: [0; MAX], len: 0 };

    /// The octets of `value`; `None` if there are too many.
    pub(super) fn of(value: &[u8]) -> Option<Self> {
        let mut octets = Self::EMPTY;
        octets.extend(value).then_some(octets)
    }

    /// Puts `more` behind what is there; nothing, and `false`, if there is no room.
    pub(super) fn extend(&mut self, more: &[u8]) -> bool {
        let Some(place) = self.octets.get_mut(self.len..self.len + more.len()) else {
            return false;
        };
        place.copy_from_slice(more);
        self.len += more.len();
        true
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        self.octets.get(..self.len).unwrap_or_default()
    }

    /// Lets `write` fill the room from its front; it gives how many octets it has written.
    pub(super) fn fill(
        &mut self,
        write: impl FnOnce(&mut [u8]) -> Result<usize, TlvError>,
    ) -> Result<(), TlvError> {
        self.len = 0;
        let len = write(&mut self.octets)?;
        self.len = len.min(MAX);
        Ok(())
    }

    pub(super) fn wipe(&mut self) {
        self.octets.zeroize();
        self.len = 0;
    }
}

/// Data objects, one behind the other.
#[derive(Clone)]
pub(super) struct Store<const MAX: usize> {
    objects: Octets<MAX>,
}

impl<const MAX: usize> Store<MAX> {
    pub(super) const EMPTY: Self = Self { objects: Octets::EMPTY };

    /// The value of the first object with this tag.
    pub(super) fn value(&self, tag: u32) -> Option<&[u8]> {
        tlv::value_of(self.objects.as_slice(), tag)
    }

    /// The value of the first object with this tag among those that came after `mark`.
    pub(super) fn value_since(&self, mark: usize, tag: u32) -> Option<&[u8]> {
        tlv::value_of(self.objects.as_slice().get(mark..).unwrap_or_default(), tag)
    }

    /// A place to look back to, see [`value_since`](Self::value_since).
    pub(super) fn mark(&self) -> usize {
        self.objects.len
    }

    /// Puts an object behind the others.
    pub(super) fn put(&mut self, tag: u32, value: &[u8]) -> Result<(), TlvError> {
        let free = self.objects.octets.get_mut(self.objects.len..).unwrap_or_default();
        let mut writer = Writer::new(free);
        writer.put(tag, value)?;
        self.objects.len += writer.written().len();
        Ok(())
    }

    pub(super) fn wipe(&mut self) {
        self.objects.wipe();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_whole() {
        let mut octets = Octets::<4>::EMPTY;
        assert!(octets.extend(&[1, 2, 3]) && !octets.extend(&[4, 5]) && octets.extend(&[4]));
        assert_eq!(octets.as_slice(), [1, 2, 3, 4]);
        let mut store = Store::<8>::EMPTY;
        assert_eq!(store.put(0x82, &[0x7C, 0x00]), Ok(()));
        let mark = store.mark();
        assert_eq!(store.put(0x95, &[0; 5]), Err(TlvError::NoRoom));
        assert_eq!(store.put(0x9C, &[0x01]), Ok(()));
        assert_eq!(
            (store.value(0x82), store.value_since(mark, 0x82)),
            (Some(&[0x7C, 0][..]), None)
        );
        assert_eq!(store.value_since(mark, 0x9C), Some(&[1][..]));
    }
}
