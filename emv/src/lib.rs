//! Card cryptography of a payment card and its issuer.
//!
//! What is here: the DES family and AES, PIN blocks and verification values, card verification
//! values, the derivation of keys, cryptograms and scripts, key blocks, keys that know their
//! purpose, and a reader of chip data. What is not here: files, sockets, clocks, random numbers,
//! allocation, and any judgement about a transaction. A caller brings the octets and the keys; a
//! wrong PIN is a value that differs, not an error.
//!
//! # Layout
//!
//! | module | what |
//! |---|---|
//! | [`keys`] | [`Key<Purpose>`](keys::Key): wiped on drop, shown only by its check value |
//! | [`pin`], [`card_number`] | [`Pin`]: wiped on drop, never shown; [`CardNumber`]: its digits |
//! | [`crypto::des`], [`crypto::aes`] | single blocks |
//! | [`crypto::mac`] | retail MAC, CBC-MAC, CMAC |
//! | [`crypto::derive`] | from issuer to card to transaction |
//! | [`crypto::cvn`], [`crypto::cryptogram`] | what a chip seals, and how it is answered |
//! | [`crypto::script`] | secure messaging with a chip |
//! | [`crypto::pin_block`] | ISO 9564-1 formats 0 to 4 |
//! | [`crypto::pvv`], [`crypto::ibm3624`] | a PIN's verification value and offset |
//! | [`crypto::cvv`], [`crypto::cavv`] | a card's and an authentication's verification value |
//! | [`crypto::dukpt`] | a key for each transaction of a PIN pad |
//! | [`crypto::tr31`] | key blocks: the way in and out for keys |
//! | [`data`] | verification results, profiles and capabilities, bit by bit under their names |
//! | [`crypto::rsa`], [`oda`] | certificates, signatures and enciphered PINs of a chip |
//! | [`issuer`] | the issuer's check of a chip's cryptogram, its answer, its scripts |
//! | [`chip`] | a chip, simulated: commands in, answers out |
//! | [`terminal`] | a terminal's kernel, phase by phase, without a reader |
//! | [`tlv`] | a chip's data: reading, checking, writing, and lists of what it wants to know |
//!
//! # Example
//!
//! A PIN travels under a zone key and is compared by its verification value.
//!
//! ```
//! use cekr_emv::crypto::{pin_block, pvv};
//! use cekr_emv::keys::{Key, Pvk, Zpk};
//! use cekr_emv::pin::Pin;
//!
//! let (zpk, pvk) = (Key::<Zpk>::development(), Key::<Pvk>::development());
//! let pan = 4761730000000011;
//! let issued = pvv::pvv(&pvk, 1, pan, &Pin::parse(b"1234")?);
//!
//! let sent = pin_block::encipher_format0(&zpk, &Pin::parse(b"1234")?, pan);
//! let received = pin_block::decipher_format0(&zpk, sent, pan).expect("a block we made");
//! assert_eq!(pvv::pvv(&pvk, 1, pan, &received), issued);
//! # Ok::<(), cekr_emv::pin::PinError>(())
//! ```
//!
//! # Side channels
//!
//! DES looks up tables by secret values, as every fast software DES does, so it leaks through the
//! processor's cache to code that shares the machine. Run the switch on a machine of its own; a
//! hardware security module takes this crate's place where that does not do.
#![no_std]
#![forbid(unsafe_code)]

pub mod card_number;
pub mod chip;
pub mod crypto;
pub mod data;
pub mod issuer;
pub mod keys;
pub mod oda;
pub mod pin;
pub mod terminal;
pub mod tlv;

pub use card_number::CardNumber;
pub use keys::Key;
pub use pin::Pin;
