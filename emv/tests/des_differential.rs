//! Our DES beside the `des` crate, on random keys and blocks.
#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

use cekr_emv::crypto::des::{Des, TripleDes};
use des::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};

/// Pairs of key and block that each test compares.
const CASES: u64 = 20_000;

#[test]
fn des_agrees_with_the_des_crate() {
    let mut words = Words(1);
    for _ in 0..CASES {
        let (key, block) = (words.octets::<8>(), words.octets::<8>());
        let (ours, theirs) = (Des::new(&key), des::Des::new(&Array(key)));
        let mut buffer = Array(block);
        theirs.encrypt_block(&mut buffer);
        assert_eq!(ours.encrypt(block), buffer.0, "key {key:02X?}, block {block:02X?}");
        buffer = Array(block);
        theirs.decrypt_block(&mut buffer);
        assert_eq!(ours.decrypt(block), buffer.0, "key {key:02X?}, block {block:02X?}");
    }
}

#[test]
fn triple_des_with_two_parts_agrees_with_the_des_crate() {
    let mut words = Words(2);
    for _ in 0..CASES {
        let (key, block) = (words.octets::<16>(), words.octets::<8>());
        let (ours, theirs) = (TripleDes::new(&key), des::TdesEde2::new(&Array(key)));
        let mut buffer = Array(block);
        theirs.encrypt_block(&mut buffer);
        assert_eq!(ours.encrypt(block), buffer.0, "key {key:02X?}, block {block:02X?}");
        assert_eq!(ours.decrypt(buffer.0), block, "key {key:02X?}, block {block:02X?}");
    }
}

#[test]
fn triple_des_with_three_parts_agrees_with_the_des_crate() {
    let mut words = Words(3);
    for _ in 0..CASES {
        let (key, block) = (words.octets::<24>(), words.octets::<8>());
        let (ours, theirs) = (TripleDes::with_three_parts(&key), des::TdesEde3::new(&Array(key)));
        let mut buffer = Array(block);
        theirs.encrypt_block(&mut buffer);
        assert_eq!(ours.encrypt(block), buffer.0, "key {key:02X?}, block {block:02X?}");
        assert_eq!(ours.decrypt(buffer.0), block, "key {key:02X?}, block {block:02X?}");
    }
}

/// A stream of words by SplitMix64: the same cases in every run.
struct Words(u64);

impl Words {
    fn octets<const N: usize>(&mut self) -> [u8; N] {
        let mut octets = [0; N];
        for eight in octets.chunks_mut(8) {
            eight.copy_from_slice(&self.next().to_be_bytes()[..eight.len()]);
        }
        octets
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }
}
