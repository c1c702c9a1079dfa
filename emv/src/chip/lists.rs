//! What the chip wants to be told, and when: the lists PDOL, CDOL1, CDOL2 and DDOL.
//!
//! A list is written into the card as tags and lengths; what comes back are the values side by
//! side, found again by the same list.

use crate::chip::octets::Octets;
use crate::chip::profile::{OptionsList, Version};
use crate::chip::session::Interface;
use crate::crypto::cvn::Transaction;
use crate::crypto::derive::Atc;

/// Tags with the lengths of their values.
pub(super) type List = &'static [(u16, u8)];

/// In a chip reader: the terminal's capabilities, country and type.
const PDOL_CONTACT: List = &[(0x9F33, 3), (0x9F1A, 2), (0x9F35, 1)];

/// At a contactless reader: all that a cryptogram needs, for there is no second question.
const PDOL_CONTACTLESS: List = &[
    (0x9F66, 4),
    (0x9F02, 6),
    (0x9F03, 6),
    (0x9F1A, 2),
    (0x95, 5),
    (0x5F2A, 2),
    (0x9A, 3),
    (0x9C, 1),
    (0x9F37, 4),
];

/// For the first cryptogram.
pub(super) const CDOL1: List = &[
    (0x9F02, 6),
    (0x9F03, 6),
    (0x9F1A, 2),
    (0x95, 5),
    (0x5F2A, 2),
    (0x9A, 3),
    (0x9C, 1),
    (0x9F37, 4),
    (0x9F35, 1),
    (0x9F45, 2),
    (0x9F4C, 8),
    (0x9F34, 3),
];

/// For the second cryptogram, where the issuer's answer has come by itself.
const CDOL2: List = &[
    (0x8A, 2),
    (0x9F02, 6),
    (0x9F03, 6),
    (0x9F1A, 2),
    (0x95, 5),
    (0x5F2A, 2),
    (0x9A, 3),
    (0x9C, 1),
    (0x9F37, 4),
];

/// For the second cryptogram, with the issuer's answer in it.
const CDOL2_WITH_ANSWER: List = &[
    (0x91, 8),
    (0x8A, 2),
    (0x9F02, 6),
    (0x9F03, 6),
    (0x9F1A, 2),
    (0x95, 5),
    (0x5F2A, 2),
    (0x9A, 3),
    (0x9C, 1),
    (0x9F37, 4),
];

/// For a signature.
pub(super) const DDOL: List = &[(0x9F37, 4)];

/// The list of GET PROCESSING OPTIONS; empty where the card asks nothing.
pub(super) fn pdol(interface: Interface, options: OptionsList) -> List {
    match (interface, options) {
        (Interface::Contact, OptionsList::Nothing) => &[],
        (Interface::Contact, OptionsList::Terminal) => PDOL_CONTACT,
        (Interface::Contactless, OptionsList::Nothing | OptionsList::Terminal) => PDOL_CONTACTLESS,
    }
}

/// The list for the second cryptogram.
pub(super) fn cdol2(version: Version) -> List {
    match version {
        Version::Ten => CDOL2,
        Version::Eighteen | Version::TwentyTwo => CDOL2_WITH_ANSWER,
    }
}

/// How many octets the values are together.
pub(super) fn len_of(list: List) -> usize {
    list.iter().map(|(_, len)| usize::from(*len)).sum()
}

/// The list as a card shows it.
pub(super) fn encoded(list: List) -> Option<Octets<48>> {
    let mut room = [0; 48];
    let mut len_octets = 0;
    for (tag, len) in list {
        let [high, low] = tag.to_be_bytes();
        let octets = if high == 0 { &[low, *len][..] } else { &[high, low, *len] };
        room.get_mut(len_octets..len_octets + octets.len())?.copy_from_slice(octets);
        len_octets += octets.len();
    }
    Octets::of(room.get(..len_octets)?)
}

/// The value of a tag among the values of a list.
pub(super) fn value_in(list: List, values: &[u8], tag: u16) -> Option<&[u8]> {
    let mut rest = values;
    for (listed, len) in list {
        let (value, after) = rest.split_at_checked(usize::from(*len))?;
        if *listed == tag {
            return Some(value);
        }
        rest = after;
    }
    None
}

/// The value of a tag whose length is known.
pub(super) fn array_in<const N: usize>(list: List, values: &[u8], tag: u16) -> Option<[u8; N]> {
    value_in(list, values, tag)?.try_into().ok()
}

/// What a cryptogram seals, out of the values of a list that has all of it.
pub(super) fn transaction(
    list: List,
    values: &[u8],
    aip: [u8; 2],
    atc: Atc,
) -> Option<Transaction> {
    let [kind] = array_in(list, values, 0x9C)?;
    Some(Transaction {
        amount: array_in(list, values, 0x9F02)?,
        amount_other: array_in(list, values, 0x9F03)?,
        country: array_in(list, values, 0x9F1A)?,
        tvr: array_in(list, values, 0x95)?,
        currency: array_in(list, values, 0x5F2A)?,
        date: array_in(list, values, 0x9A)?,
        kind,
        unpredictable_number: array_in(list, values, 0x9F37)?,
        aip,
        atc,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_value_is_found_by_the_list_that_asked_for_it() {
        let values: [u8; 43] = core::array::from_fn(|place| place as u8);
        assert_eq!(len_of(CDOL1), values.len());
        assert_eq!(value_in(CDOL1, &values, 0x9F1A), Some(&[12, 13][..]));
        assert_eq!(value_in(CDOL1, &values, 0x8A), None);
        assert_eq!(value_in(CDOL1, &values[..13], 0x9F1A), None);
        assert_eq!(array_in::<3>(CDOL1, &values, 0x9F1A), None);
    }

    #[test]
    fn every_list_but_the_signatures_has_what_a_cryptogram_seals() {
        for list in [CDOL1, CDOL2, CDOL2_WITH_ANSWER, PDOL_CONTACTLESS] {
            assert!(transaction(list, &[0; 64], [0; 2], [0; 2]).is_some());
            assert!(encoded(list).is_some());
        }
        assert_eq!(encoded(DDOL).unwrap().as_slice(), [0x9F, 0x37, 4]);
        assert_eq!(encoded(PDOL_CONTACT).unwrap().as_slice()[..3], [0x9F, 0x33, 3]);
    }
}
