//! The keys of a data directory: drawn once, kept in `meta` wrapped by the start key.
//!
//! Three keys. The data key (AES-256) seals PANs where entries and checkpoints carry them; the id
//! key (AES-128) turns a card's ordinal into the opaque id that leaves the switch; the fingerprint
//! key names requests, so that no peer can choose colliding ones. They are wrapped by AES-256 in
//! GCM-SIV mode (RFC 8452), and so are PANs: the nonce is the card's ordinal, and where a PAN is
//! sealed twice for one ordinal, that mode shows at most that both are equal.
//!
//! The file, 120 octets, integers little-endian: magic `CEKRMETA`; version, 2 octets; two zeros;
//! check value of the start key, 4; journal id, 8; nonce, 12; wrapped data key (32), id key (16)
//! and fingerprint key (16); tag, 16; CRC-32C of everything before it, 4. The first 24 octets are
//! the associated data of the wrapping.
//!
//! ```
//! use cekr_switch::keyring::Keyring;
//!
//! let mut seed = 0;
//! let keys = Keyring::ephemeral(&mut |out| out.fill_with(|| { seed += 1; seed }));
//! let sealed = keys.seal_pan(3, 4761_7300_0000_0011);
//! assert_eq!(keys.open_pan(3, &sealed), Some(4761_7300_0000_0011));
//! assert_eq!(keys.open_pan(4, &sealed), None);
//! let token = keys.card_id(3);
//! assert!(token.as_str().starts_with("card_"));
//! assert_eq!(keys.ordinal(token.as_str()), Some(3));
//! ```

use std::fmt;
use std::io;

use aes::Aes128;
use aes::cipher::{Block, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use aes_gcm_siv::aead::AeadInOut;
use aes_gcm_siv::aead::inout::InOutBuf;
use aes_gcm_siv::{Aes256GcmSiv, Nonce, Tag};
use cekr_emv::crypto::tr31::{BlockError, ProtectionKey};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::disk::{self, Disk};
use crate::journal::{JOURNAL_FOLDER, JournalId, KEYS_NAME, UNBORN_FOLDER};

/// The key that wraps all others. It comes from outside and is never stored.
pub struct StartKey {
    key: Zeroizing<[u8; 32]>,
    origin: Origin,
}

/// Where a start key came from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Origin {
    Development,
    Given,
}

/// The keys of one data directory; wiped when dropped.
pub struct Keyring {
    journal_id: JournalId,
    data: Aes256GcmSiv,
    id: Aes128,
    fingerprint: Zeroizing<[u64; 2]>,
    created: bool,
}

/// A card's opaque id: `card_` and 26 characters of base 32, lower case.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct CardToken {
    // ASCII only, see [`Keyring::card_id`].
    text: [u8; TOKEN_CHARACTERS],
}

/// Why the keys of a directory cannot be had. Nothing was written, except after
/// [`KeyringError::Io`].
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The file is not what was written.
    #[error("meta is damaged: put it back from a copy; without it no PAN can be read")]
    Damaged,
    /// The disk refused.
    #[error("meta: {0}")]
    Io(#[from] io::Error),
    /// There is a journal and no keys for it.
    #[error("meta is gone, but there is a journal: put meta back from a copy")]
    Missing,
    /// Written by a newer program.
    #[error("meta has version {version}; this program reads up to version 1")]
    Newer {
        /// Its version.
        version: u16,
    },
    /// Another start key wrapped these keys.
    #[error("the start key (CEKR_START_KEY) is not the one that this directory was made with")]
    WrongStartKey,
}

impl StartKey {
    /// A start key from outside.
    pub fn new(key: [u8; 32]) -> StartKey {
        StartKey { key: Zeroizing::new(key), origin: Origin::Given }
    }

    /// A start key from 64 hexadecimal digits; `None` for anything else.
    pub fn from_hex(text: &str) -> Option<StartKey> {
        let mut key = Zeroizing::new([0; 32]);
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if !rest.is_empty() || pairs.len() != key.len() {
            return None;
        }
        for (octet, [high, low]) in key.iter_mut().zip(pairs) {
            *octet = (hex_digit(*high)? << 4) | hex_digit(*low)?;
        }
        Some(StartKey { key, origin: Origin::Given })
    }

    /// The key that everybody knows, for development: it protects nothing.
    pub fn development() -> StartKey {
        StartKey { key: Zeroizing::new(DEVELOPMENT_KEY), origin: Origin::Development }
    }

    /// Whether this is the key that everybody knows.
    pub fn is_development(&self) -> bool {
        match self.origin {
            Origin::Development => true,
            Origin::Given => *self.key == DEVELOPMENT_KEY,
        }
    }

    /// The same key as the one that protects key blocks, AES with 256 bits.
    ///
    /// # Errors
    /// None: thirty-two octets are such a key.
    pub fn protection_key(&self) -> Result<ProtectionKey, BlockError> {
        ProtectionKey::aes(&*self.key)
    }

    /// Tells start keys apart without telling the key.
    fn check_value(&self) -> [u8; 4] {
        let digest = Sha256::new().chain_update(CHECK_LABEL).chain_update(*self.key).finalize();
        let mut value = [0; 4];
        value.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        value
    }

    fn cipher(&self) -> Aes256GcmSiv {
        Aes256GcmSiv::new(&(*self.key).into())
    }
}

impl Keyring {
    /// Reads the keys of a directory, or draws and keeps new ones where there are none.
    ///
    /// # Errors
    /// [`KeyringError::WrongStartKey`] before anything is written; [`KeyringError::Missing`] when
    /// there is a journal already, which new keys could not go with.
    pub fn open_or_create(
        disk: &dyn Disk,
        start_key: &StartKey,
        entropy: &mut dyn FnMut(&mut [u8]),
    ) -> Result<Keyring, KeyringError> {
        if disk.exists(KEYS_NAME)? {
            let octets = disk::read_all(&*disk.open(KEYS_NAME)?, META_OCTETS_READ)?;
            return Keyring::read(&octets, start_key);
        }
        if disk.exists(JOURNAL_FOLDER)? {
            return Err(KeyringError::Missing);
        }
        let drawn = Drawn::new(entropy);
        // The journal will be born in this folder; keys without it or the journal itself would
        // tell of a journal that was taken away.
        disk.create_dir(UNBORN_FOLDER)?;
        disk.sync_dir("")?;
        if disk.exists(MAKING_NAME)? {
            disk.remove(MAKING_NAME)?;
        }
        let file = disk.create(MAKING_NAME)?;
        file.write_at(0, &drawn.wrap(start_key, entropy))?;
        file.sync_data()?;
        disk.rename(MAKING_NAME, KEYS_NAME)?;
        disk.sync_dir("")?;
        Ok(drawn.keyring(true))
    }

    /// Reads the keys of a directory that is only looked at.
    ///
    /// # Errors
    /// [`KeyringError`]; [`KeyringError::Missing`] when there are none.
    pub fn open(disk: &dyn Disk, start_key: &StartKey) -> Result<Keyring, KeyringError> {
        if !disk.exists(KEYS_NAME)? {
            return Err(KeyringError::Missing);
        }
        let octets = disk::read_all(&*disk.open(KEYS_NAME)?, META_OCTETS_READ)?;
        Keyring::read(&octets, start_key)
    }

    /// Keys that are kept nowhere, for a switch in memory.
    pub fn ephemeral(entropy: &mut dyn FnMut(&mut [u8])) -> Keyring {
        Drawn::new(entropy).keyring(true)
    }

    /// The id of the journal that goes with these keys.
    pub fn journal_id(&self) -> JournalId {
        self.journal_id
    }

    /// Whether the keys were drawn now and not read.
    pub fn is_new(&self) -> bool {
        self.created
    }

    /// Seals a PAN for the card of that ordinal: eight octets enciphered, and a tag.
    pub fn seal_pan(&self, ordinal: u32, pan: u64) -> [u8; 24] {
        let mut octets = pan.to_be_bytes();
        let buffer = InOutBuf::from(octets.as_mut_slice());
        let mut sealed = [0; 24];
        let Ok(tag) = self.data.encrypt_inout_detached(&pan_nonce(ordinal), &[], buffer) else {
            debug_assert!(false, "eight octets are never too many");
            // Zeros open nothing, and nothing can be read from them.
            return sealed;
        };
        let parts = octets.into_iter().chain(tag);
        sealed.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
        sealed
    }

    /// The PAN that was sealed for the card of that ordinal; `None` when it was not.
    pub fn open_pan(&self, ordinal: u32, sealed: &[u8; 24]) -> Option<u64> {
        let (octets, tag) = sealed.split_first_chunk::<8>()?;
        let tag = Tag::from(*tag.first_chunk::<16>()?);
        let mut octets = Zeroizing::new(*octets);
        let buffer = InOutBuf::from(octets.as_mut_slice());
        self.data.decrypt_inout_detached(&pan_nonce(ordinal), &[], buffer, &tag).ok()?;
        Some(u64::from_be_bytes(*octets))
    }

    /// The id of the card of that ordinal outside the switch.
    pub fn card_id(&self, ordinal: u32) -> CardToken {
        let mut octets = CARD_LABEL;
        let (_, place) = octets.split_at_mut(CARD_LABEL.len() - size_of::<u32>());
        place.copy_from_slice(&ordinal.to_be_bytes());
        let mut block = Block::<Aes128>::from(octets);
        self.id.encrypt_block(&mut block);
        let mut bits = u128::from_be_bytes(block.0);
        let mut text = *b"card_00000000000000000000000000";
        // 130 bits for 128: the last character carries three of the block's bits and two zeros.
        for (place, width) in text
            .iter_mut()
            .skip(TOKEN_PREFIX.len())
            .rev()
            .zip(std::iter::once(LAST_CHARACTER_BITS).chain(std::iter::repeat(CHARACTER_BITS)))
        {
            let low = (bits & ((1 << width) - 1)) << (CHARACTER_BITS - width);
            let character = usize::try_from(low).ok().and_then(|low| BASE32.get(low));
            *place = character.copied().unwrap_or(b'a');
            bits >>= width;
        }
        CardToken { text }
    }

    /// The ordinal of the card with that id; `None` for a text that is the id of none.
    pub fn ordinal(&self, token: &str) -> Option<u32> {
        let characters = token.strip_prefix(TOKEN_PREFIX)?.as_bytes();
        if characters.len() != TOKEN_CHARACTERS - TOKEN_PREFIX.len() {
            return None;
        }
        let (last, others) = characters.split_last()?;
        let mut bits = 0_u128;
        for character in others {
            bits = (bits << CHARACTER_BITS) | base32_value(*character)?;
        }
        let last = base32_value(*last)?;
        let unused = CHARACTER_BITS - LAST_CHARACTER_BITS;
        if last & ((1 << unused) - 1) != 0 {
            return None;
        }
        bits = (bits << LAST_CHARACTER_BITS) | (last >> unused);
        let mut block = Block::<Aes128>::from(bits.to_be_bytes());
        self.id.decrypt_block(&mut block);
        let (label, ordinal) = block.0.split_last_chunk::<4>()?;
        CARD_LABEL.starts_with(label).then_some(u32::from_be_bytes(*ordinal))
    }

    /// The key under which requests are named.
    pub fn fingerprint_key(&self) -> [u64; 2] {
        *self.fingerprint
    }

    fn read(octets: &[u8], start_key: &StartKey) -> Result<Keyring, KeyringError> {
        let (covered, crc) = octets.split_last_chunk::<4>().ok_or(KeyringError::Damaged)?;
        let mut fields = Fields(covered);
        let whole = crc32c::crc32c(covered) == u32::from_le_bytes(*crc);
        if !whole || fields.take::<8>()? != META_MAGIC {
            return Err(KeyringError::Damaged);
        }
        let version = u16::from_le_bytes(fields.take()?);
        if version > META_VERSION {
            return Err(KeyringError::Newer { version });
        }
        fields.take::<2>()?;
        if fields.take::<4>()? != start_key.check_value() {
            return Err(KeyringError::WrongStartKey);
        }
        let journal_id = JournalId(u64::from_le_bytes(fields.take()?));
        let nonce = Nonce::from(fields.take::<12>()?);
        let mut keys = Zeroizing::new(fields.take::<KEYS_OCTETS>()?);
        let tag = Tag::from(fields.take::<16>()?);
        let (associated, _) = covered.split_at(ASSOCIATED_OCTETS);
        start_key
            .cipher()
            .decrypt_inout_detached(&nonce, associated, keys.as_mut_slice().into(), &tag)
            .map_err(|_| KeyringError::Damaged)?;
        Ok(Drawn { journal_id, keys }.keyring(false))
    }
}

impl CardToken {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.text).unwrap_or_default()
    }
}

impl fmt::Display for CardToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for CardToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("journal_id", &self.journal_id).finish_non_exhaustive()
    }
}

impl fmt::Debug for StartKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartKey").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// Keys as octets, before they become ciphers.
struct Drawn {
    journal_id: JournalId,
    /// Data key, id key, fingerprint key.
    keys: Zeroizing<[u8; KEYS_OCTETS]>,
}

impl Drawn {
    fn new(entropy: &mut dyn FnMut(&mut [u8])) -> Drawn {
        let mut id = [0; 8];
        entropy(&mut id);
        let mut keys = Zeroizing::new([0; KEYS_OCTETS]);
        entropy(keys.as_mut_slice());
        Drawn { journal_id: JournalId(u64::from_le_bytes(id)), keys }
    }

    fn keyring(&self, created: bool) -> Keyring {
        let mut fields = Fields(self.keys.as_slice());
        // The array is as long as its three parts.
        let data = Zeroizing::new(fields.take::<32>().unwrap_or([0; 32]));
        let id = Zeroizing::new(fields.take::<16>().unwrap_or([0; 16]));
        let [first, second] = [(); 2].map(|()| fields.take::<8>().unwrap_or([0; 8]));
        debug_assert!(fields.0.is_empty(), "the keys fill their room");
        Keyring {
            journal_id: self.journal_id,
            data: Aes256GcmSiv::new(&(*data).into()),
            id: Aes128::new(&(*id).into()),
            fingerprint: Zeroizing::new([first, second].map(u64::from_le_bytes)),
            created,
        }
    }

    fn wrap(&self, start_key: &StartKey, entropy: &mut dyn FnMut(&mut [u8])) -> Vec<u8> {
        let mut nonce = [0; 12];
        entropy(&mut nonce);
        let mut octets = Vec::with_capacity(META_OCTETS);
        octets.extend_from_slice(&META_MAGIC);
        octets.extend_from_slice(&META_VERSION.to_le_bytes());
        octets.extend_from_slice(&[0; 2]);
        octets.extend_from_slice(&start_key.check_value());
        octets.extend_from_slice(&self.journal_id.0.to_le_bytes());
        debug_assert_eq!(octets.len(), ASSOCIATED_OCTETS, "what is bound to the keys");
        let mut keys = self.keys.clone();
        let buffer = keys.as_mut_slice().into();
        let cipher = start_key.cipher();
        let Ok(tag) = cipher.encrypt_inout_detached(&nonce.into(), &octets, buffer) else {
            debug_assert!(false, "64 octets are never too many");
            // Better a file that is refused than keys in the clear.
            return Vec::new();
        };
        octets.extend_from_slice(&nonce);
        octets.extend_from_slice(keys.as_slice());
        octets.extend_from_slice(&tag.0);
        let crc = crc32c::crc32c(&octets);
        octets.extend_from_slice(&crc.to_le_bytes());
        octets
    }
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], KeyringError> {
        let (field, rest) = self.0.split_first_chunk::<N>().ok_or(KeyringError::Damaged)?;
        self.0 = rest;
        Ok(*field)
    }
}

/// One ordinal is one card, so that a nonce is used for one PAN only.
fn pan_nonce(ordinal: u32) -> Nonce {
    let [a, b, c, d] = ordinal.to_be_bytes();
    Nonce::from([b'p', b'a', b'n', 0, 0, 0, 0, 0, a, b, c, d])
}

fn base32_value(character: u8) -> Option<u128> {
    match character {
        b'a'..=b'z' => Some(u128::from(character - b'a')),
        b'2'..=b'7' => Some(u128::from(character - b'2' + 26)),
        _ => None,
    }
}

fn hex_digit(character: u8) -> Option<u8> {
    let digit = char::from(character).to_digit(16)?;
    u8::try_from(digit).ok()
}

/// Known to everybody, and meant to be.
const DEVELOPMENT_KEY: [u8; 32] = *b"cekr development start key only!";
/// What a start key is hashed with, so that its check value is of no use elsewhere.
const CHECK_LABEL: &[u8] = b"cekr start key check";
/// An enciphered card id: this label, its last four octets replaced by the ordinal.
const CARD_LABEL: [u8; 16] = *b"cekr card id\0\0\0\0";
const META_MAGIC: [u8; 8] = *b"CEKRMETA";
const META_VERSION: u16 = 1;
const META_OCTETS: usize = 120;
/// What is read of the file at most: a newer version may be longer.
const META_OCTETS_READ: u64 = 4_096;
/// Octets before the nonce.
const ASSOCIATED_OCTETS: usize = 24;
const KEYS_OCTETS: usize = 64;
const MAKING_NAME: &str = "meta.new";
const TOKEN_PREFIX: &str = "card_";
const TOKEN_CHARACTERS: usize = 31;
/// RFC 4648, section 6, in lower case and without padding.
const BASE32: [u8; 32] = *b"abcdefghijklmnopqrstuvwxyz234567";
const CHARACTER_BITS: u32 = 5;
const LAST_CHARACTER_BITS: u32 = 3;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;
    use crate::journal::SimDisk;

    fn counting(start: u8) -> impl FnMut(&mut [u8]) {
        let mut next = start;
        move |out: &mut [u8]| {
            out.fill_with(|| {
                next = next.wrapping_mul(5).wrapping_add(3);
                next
            })
        }
    }

    fn never(_: &mut [u8]) {
        panic!("existing keys need no entropy");
    }

    #[test]
    fn keys_are_the_same_after_a_restart() {
        let disk = SimDisk::new(1);
        let key = StartKey::new([9; 32]);
        let first = Keyring::open_or_create(&disk, &key, &mut counting(1)).unwrap();
        assert!(first.is_new());
        disk.power_cut();
        let second = Keyring::open_or_create(&disk, &key, &mut never).unwrap();
        assert!(!second.is_new());
        assert_eq!(first.journal_id(), second.journal_id());
        assert_eq!(first.fingerprint_key(), second.fingerprint_key());
        assert_eq!(second.open_pan(7, &first.seal_pan(7, 42)), Some(42));
        assert_eq!(second.ordinal(first.card_id(7).as_str()), Some(7));
        assert_eq!(disk.contents("meta").unwrap().len(), META_OCTETS);
    }

    #[test]
    fn a_wrong_start_key_is_refused_and_nothing_written() {
        let disk = SimDisk::new(1);
        let key = StartKey::new([9; 32]);
        Keyring::open_or_create(&disk, &key, &mut counting(1)).unwrap();
        let calls = disk.calls();
        let refused = Keyring::open_or_create(&disk, &StartKey::development(), &mut never);
        assert!(matches!(refused, Err(KeyringError::WrongStartKey)));
        assert_eq!(disk.calls(), calls);
    }

    #[test]
    fn keys_are_not_drawn_anew_for_a_journal_that_is_there() {
        let disk = SimDisk::new(1);
        disk.set_contents("journal/00000001.seg", &[1]);
        disk.create_dir(JOURNAL_FOLDER).unwrap();
        let calls = disk.calls();
        let refused = Keyring::open_or_create(&disk, &StartKey::development(), &mut never);
        assert!(matches!(refused, Err(KeyringError::Missing)));
        assert_eq!(disk.calls(), calls);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_of_the_file_is_refused() {
        let disk = SimDisk::new(1);
        let key = StartKey::development();
        Keyring::open_or_create(&disk, &key, &mut counting(1)).unwrap();
        let whole = disk.contents("meta").unwrap();
        for bit in 0..whole.len() * 8 {
            let mut changed = whole.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(Keyring::read(&changed, &key).is_err(), "bit {bit}");
        }
        for len in 0..whole.len() {
            assert!(Keyring::read(&whole[..len], &key).is_err(), "length {len}");
        }
        let mut newer = whole.clone();
        newer[8] = 2;
        let crc = crc32c::crc32c(&newer[..META_OCTETS - 4]);
        newer[META_OCTETS - 4..].copy_from_slice(&crc.to_le_bytes());
        let refused = Keyring::read(&newer, &key);
        assert!(matches!(refused, Err(KeyringError::Newer { version: 2 })));
    }

    #[test]
    fn a_crash_at_every_call_of_the_making_leaves_keys_or_none() {
        for seed in 0..20 {
            let mut at = 1;
            loop {
                let disk = SimDisk::new(seed * 1_000 + at);
                let crash_at = Some(at);
                disk.plant(crate::journal::Faults { crash_at, ..Default::default() });
                let key = StartKey::development();
                let made = Keyring::open_or_create(&disk, &key, &mut counting(1));
                disk.power_cut();
                let again = Keyring::open_or_create(&disk, &key, &mut counting(2)).unwrap();
                if let Ok(made) = made {
                    assert_eq!(made.journal_id(), again.journal_id());
                    break;
                }
                at += 1;
            }
        }
    }

    #[test]
    fn a_sealed_pan_opens_for_its_own_card_only() {
        let keys = Keyring::ephemeral(&mut counting(1));
        let others = Keyring::ephemeral(&mut counting(2));
        let sealed = keys.seal_pan(0, 4_761_730_000_000_011);
        assert_eq!(keys.open_pan(0, &sealed), Some(4_761_730_000_000_011));
        assert_eq!(keys.open_pan(1, &sealed), None);
        assert_eq!(others.open_pan(0, &sealed), None);
        for bit in 0..24 * 8 {
            let mut changed = sealed;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(keys.open_pan(0, &changed), None);
        }
        assert_ne!(sealed[..8], 4_761_730_000_000_011_u64.to_be_bytes());
    }

    #[test]
    fn a_card_id_is_one_text_and_any_other_text_is_none() {
        let keys = Keyring::ephemeral(&mut counting(1));
        let others = Keyring::ephemeral(&mut counting(2));
        let mut seen = std::collections::HashSet::new();
        for ordinal in [0, 1, 2, 255, 65_536, u32::MAX] {
            let token = keys.card_id(ordinal);
            assert_eq!(token.as_str().len(), 31);
            assert!(seen.insert(token.to_string()));
            assert_eq!(keys.ordinal(token.as_str()), Some(ordinal));
            assert_eq!(others.ordinal(token.as_str()), None);
            for place in 5..31 {
                for character in *b"abcdefghijklmnopqrstuvwxyz234567A018 =" {
                    let mut text = token.as_str().as_bytes().to_vec();
                    if text[place] != character {
                        text[place] = character;
                        assert_eq!(keys.ordinal(str::from_utf8(&text).unwrap()), None);
                    }
                }
            }
        }
        let upper = keys.card_id(0).as_str().to_uppercase();
        for wrong in ["", "card_", "card", upper.as_str(), "card_é2345678901234567890123456"] {
            assert_eq!(keys.ordinal(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn nothing_secret_is_shown() {
        let key = StartKey::new([0xAB; 32]);
        assert!(!format!("{key:?}").contains("171"));
        assert!(!key.is_development() && StartKey::development().is_development());
        let hex: String = DEVELOPMENT_KEY.iter().map(|octet| format!("{octet:02x}")).collect();
        assert!(StartKey::from_hex(&hex).unwrap().is_development());
        assert!(StartKey::from_hex(&hex[1..]).is_none());
        assert!(StartKey::from_hex(&hex.replace('6', "g")).is_none());
    }
}
