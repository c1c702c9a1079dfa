//! Application cryptograms and the issuer's answer to them.
//!
//! A chip seals what it saw of a transaction with a key that only it and its issuer have (ARQC).
//! The issuer computes the same, and answers with a cryptogram of its own (ARPC) that goes to the
//! chip in tag 91. What exactly is sealed depends on the card's cryptogram version
//! ([`super::cvn`]).
//!
//! Source: EMV 4.3 Book 2, sections 8.1 (cryptogram) and 8.2 (ARPC methods 1 and 2).

use crate::crypto::mac::{self, Padding};
use crate::crypto::modes::xor;
use crate::keys::{Key, SkAc};

/// A cryptogram over `pieces`, one after the other: eight octets, as tag 9F26 has it.
pub fn seal(sk: &Key<SkAc>, pieces: &[&[u8]], padding: Padding) -> [u8; 8] {
    mac::retail_of(sk.cipher(), pieces, padding)
}

/// The issuer's answer by method 1: eight octets. Tag 91 is this and the response code.
///
/// `code` is the two-octet response code that the terminal shows the chip in tag 8A: ASCII digits.
pub fn arpc1(sk: &Key<SkAc>, arqc: [u8; 8], code: [u8; 2]) -> [u8; 8] {
    let [high, low] = code;
    sk.cipher().encrypt(xor(arqc, [high, low, 0, 0, 0, 0, 0, 0]))
}

/// The issuer's answer by method 2: four octets. Tag 91 is this, the status update and what
/// follows it.
///
/// `update` is the card status update; `proprietary` has at most eight octets and is often empty.
pub fn arpc2(sk: &Key<SkAc>, arqc: [u8; 8], update: [u8; 4], proprietary: &[u8]) -> [u8; 4] {
    debug_assert!(proprietary.len() <= 8, "proprietary authentication data has at most 8 octets");
    let pieces = [&arqc[..], &update, proprietary];
    let [a, b, c, d, ..] = mac::retail_of(sk.cipher(), &pieces, Padding::Marked);
    [a, b, c, d]
}
