//! Secure messaging: what the issuer has the chip do, sealed and, where secret, enciphered.
//!
//! A command's MAC covers its header, the transaction counter, the cryptogram and the data, so a
//! script answers one transaction and no other. A new PIN travels as a block of its own format,
//! enciphered as Visa's cards read it: length, data, mark, whole blocks one by one.
//!
//! Source: EMV 4.3 Book 2, section 9; the chain of MAC input and the PIN blocks as the published
//! cases of `tests/vectors/emv/card_crypto.json` fix them.

use zeroize::Zeroize;

use crate::crypto::cvn::ScriptSession;
use crate::crypto::derive::{self, Atc};
use crate::crypto::mac::{self, Padding};
use crate::crypto::modes::xor;
use crate::crypto::pin_block;
use crate::keys::{CardPurpose, Key, MkAc, MkSmc, MkSmi, SkSmc, SkSmi};
use crate::pin::Pin;

/// The transaction that a script answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Occasion {
    /// The card's counter (9F36).
    pub atc: Atc,
    /// The card's cryptogram (9F26).
    pub arqc: [u8; 8],
}

/// Header of a command: class, instruction, two parameters and the length of data and MAC.
pub type Header = [u8; 5];

impl ScriptSession {
    /// The key of one transaction's scripts.
    pub fn key<P: CardPurpose>(self, mk: &Key<P>, occasion: Occasion) -> Key<P::Session> {
        match self {
            ScriptSession::CommonOfCryptogram => derive::session_common(mk, occasion.arqc),
            ScriptSession::Visa => derive::session_visa_script(mk, occasion.atc),
        }
    }
}

/// MAC of a command, eight octets, which follow its data.
pub fn mac(sk: &Key<SkSmi>, header: Header, occasion: Occasion, data: &[u8]) -> [u8; 8] {
    let pieces = [&header[..], &occasion.atc, &occasion.arqc, data];
    mac::retail_of(sk.cipher(), &pieces, Padding::Marked)
}

/// A PIN block enciphered as Visa's cards read it: sixteen octets.
///
/// The block is preceded by its length and filled up by a mark and zeros; the two blocks are not
/// chained. `clear` is wiped by the caller.
pub fn encipher_visa(sk: &Key<SkSmc>, clear: [u8; 8]) -> [u8; 16] {
    let [a, b, c, d, e, f, g, h] = clear;
    let first = u64::from_be_bytes(sk.cipher().encrypt([8, a, b, c, d, e, f, g]));
    let second = u64::from_be_bytes(sk.cipher().encrypt([h, 0x80, 0, 0, 0, 0, 0, 0]));
    (u128::from(first) << 64 | u128::from(second)).to_be_bytes()
}

/// Undoes [`encipher_visa`]; `None` if length and mark are not where they belong. The caller wipes
/// the block.
pub fn decipher_visa(sk: &Key<SkSmc>, sealed: [u8; 16]) -> Option<[u8; 8]> {
    let ([first, second], []) = sealed.as_chunks::<8>() else { return None };
    let mut first = sk.cipher().decrypt(*first);
    let mut second = sk.cipher().decrypt(*second);
    let [len, a, b, c, d, e, f, g] = first;
    let [h, rest @ ..] = second;
    first.zeroize();
    second.zeroize();
    (len == 8 && rest == [0x80, 0, 0, 0, 0, 0, 0]).then_some([a, b, c, d, e, f, g, h])
}

/// A PIN block enciphered in a chain, as M/Chip reads it: a whole block gets no mark.
pub fn encipher_mchip(sk: &Key<SkSmc>, clear: [u8; 8]) -> [u8; 8] {
    sk.cipher().encrypt(clear)
}

/// A new PIN in Visa's own block, mixed with the card's key and the old PIN where that is asked.
///
/// The caller enciphers the block and wipes it.
pub fn visa_pin_block(mk: &Key<MkAc>, pin: &Pin, old: Option<&Pin>) -> [u8; 8] {
    let [_, _, _, _, a, b, c, d, ..] = mk.two_parts();
    // Format 2 without its control nibble.
    let [first, rest @ ..] = pin_block::encode_format2(pin);
    let [r, s, t, u, v, w, x] = rest;
    let mut block = xor([first & 0x0F, r, s, t, u, v, w, x], [0, 0, 0, 0, a, b, c, d]);
    if let Some(old) = old {
        let left_aligned = old.packed() << (64 - 4 * u32::from(old.len_digits()));
        block = xor(block, left_aligned.to_be_bytes());
    }
    block
}

/// The PIN in a block of [`visa_pin_block`]; `None` if there is none, or `old` is not the old one.
pub fn read_visa_pin_block(mk: &Key<MkAc>, block: [u8; 8], old: Option<&Pin>) -> Option<Pin> {
    let [_, _, _, _, a, b, c, d, ..] = mk.two_parts();
    let mut clear = xor(block, [0, 0, 0, 0, a, b, c, d]);
    if let Some(old) = old {
        let left_aligned = old.packed() << (64 - 4 * u32::from(old.len_digits()));
        clear = xor(clear, left_aligned.to_be_bytes());
    }
    // With its control nibble it is format 2.
    let pin = pin_block::decode_format2(xor(clear, [0x20, 0, 0, 0, 0, 0, 0, 0])).ok();
    clear.zeroize();
    pin
}

/// The card's keys that a PIN change takes.
pub struct PinChangeKeys<'k> {
    /// For the PIN block.
    pub ac: &'k Key<MkAc>,
    /// For the MAC.
    pub smi: &'k Key<MkSmi>,
    /// For the secrecy of the block.
    pub smc: &'k Key<MkSmc>,
}

/// The whole command that gives a Visa card a new PIN: header, enciphered block, MAC.
///
/// With the old PIN in it the chip checks that too (parameter 01), else not (02). Cards whose
/// scripts are keyed by the cryptogram take format 2 where no old PIN is sent.
pub fn pin_change_visa(
    session: ScriptSession,
    keys: &PinChangeKeys<'_>,
    occasion: Occasion,
    pin: &Pin,
    old: Option<&Pin>,
) -> [u8; 29] {
    let mut clear = match (session, old) {
        (ScriptSession::CommonOfCryptogram, None) => pin_block::encode_format2(pin),
        (ScriptSession::CommonOfCryptogram, Some(_)) | (ScriptSession::Visa, _) => {
            visa_pin_block(keys.ac, pin, old)
        }
    };
    let sealed = encipher_visa(&session.key(keys.smc, occasion), clear);
    clear.zeroize();
    let parameter = if old.is_some() { 0x01 } else { 0x02 };
    let header = [0x84, 0x24, 0x00, parameter, 0x18];
    let mac = mac(&session.key(keys.smi, occasion), header, occasion, &sealed);
    let mut command = [0; 29];
    for (to, from) in command.iter_mut().zip(header.into_iter().chain(sealed).chain(mac)) {
        *to = from;
    }
    command
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_chip_reads_the_pin_that_was_sent(
            digits in "[0-9]{4,12}", old in "[0-9]{4,12}", key: [u8; 16]
        ) {
            let (mk, sk) = (Key::from_octets(&key).unwrap(), Key::from_octets(&key).unwrap());
            let pin = Pin::parse(digits.as_bytes()).unwrap();
            let old = Pin::parse(old.as_bytes()).unwrap();
            for old in [None, Some(&old)] {
                let block = visa_pin_block(&mk, &pin, old);
                let sealed = encipher_visa(&sk, block);
                prop_assert_eq!(decipher_visa(&sk, sealed), Some(block));
                prop_assert_eq!(read_visa_pin_block(&mk, block, old), Some(pin.clone()));
            }
        }

        #[test]
        fn what_was_not_enciphered_is_refused(sealed: [u8; 16]) {
            let sk = Key::from_octets(&[0x2A; 16]).unwrap();
            if let Some(block) = decipher_visa(&sk, sealed) {
                prop_assert_eq!(encipher_visa(&sk, block), sealed);
            }
        }
    }
}
