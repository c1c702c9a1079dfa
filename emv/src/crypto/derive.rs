//! From the issuer's master key to the key of one card, and from there to that of one transaction.
//!
//! A card's key is the issuer's key over the card's number and sequence number. Option A takes
//! their last sixteen digits; option B hashes them first where there are more than sixteen. Session
//! keys follow from the transaction counter (ATC), and in scripts from the cryptogram. Derived keys
//! have odd parity, unless their definition leaves it open.
//!
//! Source: EMV 4.3 Book 2, Annex A1.3 (session keys) and A1.4 (options A and B), and EMV 4.1 Book
//! 2, Annex A1.3.1 (the tree); the session keys of Visa's scripts and of M/Chip as the cases of
//! `tests/vectors/emv/card_crypto.json` fix them.
//!
//! ```
//! use cekr_emv::crypto::derive;
//! use cekr_emv::keys::{ImkAc, Key};
//! use cekr_emv::CardNumber;
//!
//! let imk = Key::<ImkAc>::from_octets(&0x0123456789ABCDEFFEDCBA9876543210_u128.to_be_bytes())?;
//! let card = CardNumber::parse(b"9901234567890123").expect("16 digits");
//! let mk = derive::card_key_a(&imk, card, 0x45);
//! assert_eq!(mk.kcv().octets()[..2], [0x1D, 0xA5]);
//! let sk = derive::session_common(&mk, 0x1234567890123456_u64.to_be_bytes());
//! assert_eq!(sk.kcv().octets()[..2], [0x09, 0x95]);
//! # Ok::<(), cekr_emv::keys::KeyError>(())
//! ```

use sha1::{Digest, Sha1};

use crate::CardNumber;
use crate::crypto::decimal::decimalized;
use crate::crypto::des::TripleDes;
use crate::crypto::modes::xor;
use crate::keys::{CardPurpose, IssuerPurpose, Key};

/// Application transaction counter (tag 9F36), two octets big-endian.
pub type Atc = [u8; 2];

/// A card's key by option A.
///
/// `sequence` is the card's sequence number as tag 5F34 has it, two digits packed in one octet, 0
/// where the card has none.
pub fn card_key_a<P: IssuerPurpose>(imk: &Key<P>, card: CardNumber, sequence: u8) -> Key<P::Card> {
    let digits = card.packed() << 8 | u128::from(sequence);
    card_key(imk, (digits as u64).to_be_bytes())
}

/// A card's key by option B, which is option A for up to sixteen digits.
///
/// `sequence` as in [`card_key_a`].
pub fn card_key_b<P: IssuerPurpose>(imk: &Key<P>, card: CardNumber, sequence: u8) -> Key<P::Card> {
    if card.len_digits() <= 16 {
        return card_key_a(imk, card, sequence);
    }
    let digits = (card.packed() << 8 | u128::from(sequence)).to_be_bytes();
    // An odd number of digits gets a zero before it.
    let unused = digits.len() - usize::from(card.len_digits()).div_ceil(2) - 1;
    let mut hash = Sha1::new();
    hash.update(digits.get(unused..).unwrap_or_default());
    let hash: [u8; 20] = hash.finalize().into();
    card_key(imk, (decimalized(&hash, 16)).to_be_bytes())
}

fn card_key<P: IssuerPurpose>(imk: &Key<P>, digits: [u8; 8]) -> Key<P::Card> {
    Key::derived(pair(imk.cipher(), digits, digits.map(|octet| !octet)))
}

/// The EMV common session key: the card's key over eight octets that differ in each transaction.
///
/// The third octet is replaced by `F0` and `0F` for the two parts.
pub fn session_common<P: CardPurpose>(mk: &Key<P>, diversifier: [u8; 8]) -> Key<P::Session> {
    let [a, b, _, rest @ ..] = diversifier;
    let [d, e, f, g, h] = rest;
    let with = |third| [a, b, third, d, e, f, g, h];
    Key::derived(pair(mk.cipher(), with(0xF0), with(0x0F)))
}

/// The EMV common session key of a transaction counter, as cryptograms use it.
pub fn session_common_of_atc<P: CardPurpose>(mk: &Key<P>, atc: Atc) -> Key<P::Session> {
    let [high, low] = atc;
    session_common(mk, [high, low, 0, 0, 0, 0, 0, 0])
}

/// M/Chip's session key for cryptograms: common, over counter and unpredictable number (9F37).
pub fn session_mchip<P: CardPurpose>(
    mk: &Key<P>,
    atc: Atc,
    unpredictable_number: [u8; 4],
) -> Key<P::Session> {
    let ([high, low], [a, b, c, d]) = (atc, unpredictable_number);
    session_common(mk, [high, low, 0, 0, a, b, c, d])
}

/// Visa's session key for scripts: the card's key with the counter mixed into both parts.
pub fn session_visa_script<P: CardPurpose>(mk: &Key<P>, atc: Atc) -> Key<P::Session> {
    let [high, low] = atc;
    let mix = [0, 0, 0, 0, 0, 0, high, low, 0, 0, 0, 0, 0, 0, !high, !low];
    Key::derived(xor(mk.two_parts(), mix))
}

/// The card's own key in place of a session key, as CVN 10 and 17 have it.
pub fn session_none<P: CardPurpose>(mk: &Key<P>) -> Key<P::Session> {
    mk.two_parts_as()
}

/// The session key of EMV's tree, which EMV 4.2 dropped; cards of that time still carry it.
///
/// `None` when the tree has fewer than 65 535 leaves, so that two counters would share a key, or
/// more levels than [`Tree::HEIGHT_MAX`].
pub fn session_tree<P: CardPurpose>(mk: &Key<P>, atc: Atc, tree: Tree) -> Option<Key<P::Session>> {
    let leaves = u64::from(tree.branch_count).checked_pow(u32::from(tree.height))?;
    if leaves < u64::from(u16::MAX) || tree.height == 0 || tree.height > Tree::HEIGHT_MAX {
        return None;
    }
    let branch_count = u32::from(tree.branch_count);
    let number = u32::from(u16::from_be_bytes(atc));
    let (mut grandparent, mut parent) = (tree.start, mk.two_parts());
    // From the root down: the branch of a level is what is left of the number above it.
    for below in (1..tree.height).rev() {
        let branch = branch_count.checked_pow(u32::from(below)).map_or(0, |power| number / power);
        let child = tree_child(parent, grandparent, branch % branch_count);
        (grandparent, parent) = (parent, child);
    }
    let leaf = tree_child(parent, grandparent, number % branch_count);
    Some(Key::derived(xor(leaf, grandparent)))
}

/// The shape of a key tree.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tree {
    /// How many children a key has: 2 or 4 in practice.
    pub branch_count: u8,
    /// How many levels lie below the card's key: 16 or 8 in practice.
    pub height: u8,
    /// What stands above the card's key: zeros unless agreed otherwise.
    pub start: [u8; 16],
}

impl Tree {
    /// Two branches need sixteen levels for all counters; more levels than this serve nobody.
    pub const HEIGHT_MAX: u8 = 32;
}

fn tree_child(parent: [u8; 16], grandparent: [u8; 16], branch: u32) -> [u8; 16] {
    let [a, b, c, d, e, f, g, h, right @ ..] = grandparent;
    let branch = u64::from(branch);
    let left = u64::from_be_bytes([a, b, c, d, e, f, g, h]) ^ branch;
    let right = u64::from_be_bytes(right) ^ branch ^ 0xF0;
    pair(&TripleDes::new(&parent), left.to_be_bytes(), right.to_be_bytes())
}

/// Two blocks enciphered under one key, side by side.
fn pair(cipher: &TripleDes, first: [u8; 8], second: [u8; 8]) -> [u8; 16] {
    let [first, second] = cipher.encrypt_two([first, second]).map(u64::from_be_bytes);
    (u128::from(first) << 64 | u128::from(second)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Tree, card_key_a, card_key_b, session_tree};
    use crate::CardNumber;
    use crate::keys::{ImkAc, Key, MkAc};

    #[test]
    fn options_differ_beyond_sixteen_digits_only() {
        let imk = Key::<ImkAc>::from_octets(&[0x2A; 16]).unwrap();
        for (digits, is_same) in [
            (&b"4761730000000011"[..], true),
            (b"47617300000000111", false),
            (b"476173000000001111", false),
            (b"4761730000000011111", false),
        ] {
            let card = CardNumber::parse(digits).unwrap();
            let (a, b) = (card_key_a(&imk, card, 1), card_key_b(&imk, card, 1));
            assert_eq!(a.kcv() == b.kcv(), is_same, "{} digits", digits.len());
        }
    }

    #[test]
    fn a_tree_with_too_few_leaves_or_too_many_levels_is_refused() {
        let mk = Key::<MkAc>::from_octets(&[0x2A; 16]).unwrap();
        for (branch_count, height, is_tree) in [
            (4, 8, true),
            (2, 16, true),
            (4, 7, false),
            (2, 15, false),
            (1, 40, false),
            (2, 40, false),
        ] {
            let tree = Tree { branch_count, height, start: [0; 16] };
            assert_eq!(session_tree(&mk, [0, 1], tree).is_some(), is_tree, "{tree:?}");
        }
    }
}
