//! What key blocks promise: what was sealed opens, and nothing else does.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

extern crate std;

use std::format;

use proptest::prelude::*;

use super::{BLOCK_OCTETS_MAX, BlockError, Header, ProtectionKey, Version, open, seal};
use crate::keys::{Bdk, Kbpk, Key, Zpk};

const VERSIONS: [Version; 5] = [Version::A, Version::B, Version::C, Version::D, Version::E];

/// A block of a two-part PIN key, and the key that protects it.
fn sample(version: Version) -> (ProtectionKey, [u8; BLOCK_OCTETS_MAX], usize) {
    let kbpk = ProtectionKey::for_version(version, b"0123456789ABCDEF").unwrap();
    let mut room = [0; BLOCK_OCTETS_MAX];
    let header = Header::new(version, *b"P0", b'T');
    let len = seal(&kbpk, header, b"sixteen octets!!", [0x5C; 64], &mut room).unwrap();
    (kbpk, room, len)
}

#[test]
fn no_octet_of_a_block_can_be_changed() {
    for version in VERSIONS {
        let (kbpk, block, len) = sample(version);
        assert_eq!(open(&kbpk, &block[..len]).unwrap().expose(), b"sixteen octets!!");
        for place in 0..len {
            let mut other = block;
            // Another digit that is as good a digit there.
            other[place] = if other[place] == b'1' { b'2' } else { b'1' };
            assert!(open(&kbpk, &other[..len]).is_err(), "{version:?} at {place}");
        }
        for short in 0..len {
            assert!(open(&kbpk, &block[..short]).is_err(), "{version:?}, {short} octets");
        }
    }
}

#[test]
fn a_key_serves_the_purpose_of_its_header_only() {
    let (kbpk, block, len) = sample(Version::D);
    let opened = open(&kbpk, &block[..len]).unwrap();
    let zpk = Key::<Zpk>::from_octets(b"sixteen octets!!").unwrap();
    assert_eq!(opened.des_key::<Zpk>().unwrap().kcv(), zpk.kcv());
    assert_eq!(opened.des_key::<Bdk>().err(), Some(BlockError::OtherUse));
    assert_eq!(opened.aes_key::<Zpk>().err(), Some(BlockError::OtherUse));
    assert_eq!(opened.des_key::<Kbpk>().err(), Some(BlockError::OtherUse));
}

#[test]
fn names_what_is_wrong() {
    let (kbpk, block, len) = sample(Version::B);
    let opens = |change: &dyn Fn(&mut [u8])| {
        let mut other = block;
        change(&mut other[..len]);
        open(&kbpk, &other[..len]).err()
    };
    assert_eq!(opens(&|block| block[0] = b'F'), Some(BlockError::BadHeader));
    assert_eq!(opens(&|block| block[8] = b'-'), Some(BlockError::BadHeader));
    assert_eq!(opens(&|block| block[2] = b'9'), Some(BlockError::BadLength));
    // An optional block of three octets would not even hold its own name and length.
    let short = |block: &mut [u8]| {
        block[13] = b'1';
        block[18..20].copy_from_slice(b"03");
    };
    assert_eq!(opens(&short), Some(BlockError::BadOptional));
    assert_eq!(opens(&|block| block[20] = b'G'), Some(BlockError::NotHex));
    assert_eq!(opens(&|block| block[0] = b'E'), Some(BlockError::BadProtectionKey));
    assert_eq!(opens(&|block| block[8] = b'E'), Some(BlockError::BadMac));
    let header = Header::new(Version::B, *b"P0", b'T');
    let mut room = [0; 20];
    assert_eq!(seal(&kbpk, header, &[], [0; 64], &mut room), Err(BlockError::BadKey));
    assert_eq!(seal(&kbpk, header, &[7; 33], [0; 64], &mut room), Err(BlockError::BadKey));
    assert_eq!(seal(&kbpk, header, &[7; 16], [0; 64], &mut room), Err(BlockError::BadLength));
}

proptest! {
    #[test]
    fn opens_what_was_sealed(
        version in 0..5_usize, key in prop::collection::vec(any::<u8>(), 1..=32),
        filler in prop::array::uniform32(any::<u8>()), long: bool
    ) {
        let version = VERSIONS[version];
        let kbpk = ProtectionKey::for_version(version, &[0x6B; 24][..if long { 24 } else { 16 }]);
        let (kbpk, mut room) = (kbpk.unwrap(), [0; BLOCK_OCTETS_MAX]);
        let mut fill = [0; 64];
        fill[..32].copy_from_slice(&filler);
        let header = Header::new(version, *b"K0", b'A');
        let len = seal(&kbpk, header, &key, fill, &mut room).unwrap();
        let opened = open(&kbpk, &room[..len]).unwrap();
        prop_assert_eq!(opened.expose(), &key[..]);
        prop_assert_eq!(opened.header(), header);
    }

    #[test]
    fn any_octets_are_refused_without_a_panic(
        version in "[A-E]", len in "[0-9]{4}", rest in "[0-9A-F]{11,120}"
    ) {
        let mut block = version + &len + &rest;
        let right = format!("{:04}", block.len());
        for block in [block.clone(), { block.replace_range(1..5, &right); block }] {
            for version in VERSIONS {
                let kbpk = ProtectionKey::for_version(version, &[0x6B; 16]).unwrap();
                prop_assert!(open(&kbpk, block.as_bytes()).is_err());
            }
        }
    }
}
