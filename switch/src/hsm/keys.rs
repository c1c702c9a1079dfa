//! The keys of a card programme: key blocks (TR-31) under the start key, or published test keys.
//!
//! A block is version D under AES with 256 bits, the start key itself. What it says of its key's
//! use must fit the place that it stands in; a wrong one is refused by the name of its setting.
//! Where no block stands, the published test key takes its place, and [`CardKeys::load`] tells
//! which, so that the start can say so loudly.

use cekr_emv::crypto::tr31::{self, BlockError, Opened, ProtectionKey};
use cekr_emv::keys::{AesKey, Bdk, Cvk, ImkAc, ImkSmc, ImkSmi, Kbpk, Kcv, Key, Mak, Pvk, Zpk};

use zeroize::{Zeroize, Zeroizing};

use crate::keyring::StartKey;

/// The keys of a card programme and of its links.
pub struct CardKeys {
    pub(super) imk_ac: Key<ImkAc>,
    pub(super) imk_smi: Key<ImkSmi>,
    pub(super) imk_smc: Key<ImkSmc>,
    pub(super) pvk: Key<Pvk>,
    pub(super) cvk: Key<Cvk>,
    pub(super) zpk: Key<Zpk>,
    pub(super) zpk_aes: AesKey<Zpk>,
    pub(super) bdk: Key<Bdk>,
    pub(super) bdk_aes: AesKey<Bdk>,
    pub(super) mak: Key<Mak>,
    pub(super) exchange: ProtectionKey,
}

/// The key blocks of a programme, by the names of their settings; empty for a test key.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyBlocks<'a> {
    /// Cryptograms of chips (usage E0).
    pub imk_ac: &'a str,
    /// Integrity of scripts (E2).
    pub imk_smi: &'a str,
    /// Secrecy of scripts (E1).
    pub imk_smc: &'a str,
    /// PIN verification values (V2).
    pub pvk: &'a str,
    /// Card verification values (C0).
    pub cvk: &'a str,
    /// PIN blocks of links (P0), triple DES.
    pub zpk: &'a str,
    /// PIN blocks of format 4 (P0), AES.
    pub zpk_aes: &'a str,
    /// PIN pads with DUKPT over triple DES (B0).
    pub bdk: &'a str,
    /// PIN pads with DUKPT over AES (B0).
    pub bdk_aes: &'a str,
    /// MACs of messages (M3).
    pub mak: &'a str,
    /// What links send their working keys under (K1), AES.
    pub exchange: &'a str,
}

/// A key block that cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("[keys] {name}: {cause}")]
pub struct KeysError {
    /// The setting.
    pub name: &'static str,
    /// What is wrong with it.
    pub cause: BlockError,
}

impl CardKeys {
    /// The published test keys: no secret.
    #[must_use]
    pub fn development() -> Self {
        Self {
            imk_ac: Key::<ImkAc>::development(),
            imk_smi: Key::<ImkSmi>::development(),
            imk_smc: Key::<ImkSmc>::development(),
            pvk: Key::<Pvk>::development(),
            cvk: Key::<Cvk>::development(),
            zpk: Key::<Zpk>::development(),
            zpk_aes: AesKey::<Zpk>::development(),
            bdk: Key::<Bdk>::development(),
            bdk_aes: AesKey::<Bdk>::development(),
            mak: Key::<Mak>::development(),
            exchange: ProtectionKey::Aes(AesKey::<Kbpk>::development()),
        }
    }

    /// The keys of these blocks, and the names of those that are test keys.
    ///
    /// # Errors
    /// The first block that does not open, or is for another use.
    pub fn load(
        blocks: &KeyBlocks<'_>,
        start_key: &StartKey,
    ) -> Result<(Self, Vec<&'static str>), KeysError> {
        let mut keys = Self::development();
        let mut tests = Vec::new();
        let protection = start_key.protection_key();
        let mut open = |name, block: &str, take: &mut dyn FnMut(&Opened) -> Taken| {
            if block.is_empty() {
                tests.push(name);
                return Ok(());
            }
            let opened = protection.as_ref().map_err(|cause| *cause);
            let opened = opened.and_then(|key| tr31::open(key, block.as_bytes()));
            opened.and_then(|opened| take(&opened)).map_err(|cause| KeysError { name, cause })
        };
        open("imk_ac", blocks.imk_ac, &mut |block| put(&mut keys.imk_ac, block.des_key()))?;
        open("imk_smi", blocks.imk_smi, &mut |block| put(&mut keys.imk_smi, block.des_key()))?;
        open("imk_smc", blocks.imk_smc, &mut |block| put(&mut keys.imk_smc, block.des_key()))?;
        open("pvk", blocks.pvk, &mut |block| put(&mut keys.pvk, block.des_key()))?;
        open("cvk", blocks.cvk, &mut |block| put(&mut keys.cvk, block.des_key()))?;
        open("zpk", blocks.zpk, &mut |block| put(&mut keys.zpk, block.des_key()))?;
        open("zpk_aes", blocks.zpk_aes, &mut |block| put(&mut keys.zpk_aes, block.aes_key()))?;
        open("bdk", blocks.bdk, &mut |block| put(&mut keys.bdk, block.des_key()))?;
        open("bdk_aes", blocks.bdk_aes, &mut |block| put(&mut keys.bdk_aes, block.aes_key()))?;
        open("mak", blocks.mak, &mut |block| put(&mut keys.mak, block.des_key()))?;
        open("exchange", blocks.exchange, &mut |block| {
            put(&mut keys.exchange, block.aes_key().map(ProtectionKey::Aes))
        })?;
        Ok((keys, tests))
    }
}

/// A key of the settings, as its block says it.
#[derive(Clone, Copy, Debug)]
pub struct KeySetting {
    /// Its name in `[keys]`.
    pub name: &'static str,
    /// The block's usage.
    pub usage: [u8; 2],
    /// The block's algorithm: `T` triple DES, `A` AES.
    pub algorithm: u8,
}

/// Every key of the settings.
pub const SETTINGS: [KeySetting; 11] = [
    setting("imk_ac", *b"E0", b'T'),
    setting("imk_smi", *b"E2", b'T'),
    setting("imk_smc", *b"E1", b'T'),
    setting("pvk", *b"V2", b'T'),
    setting("cvk", *b"C0", b'T'),
    setting("zpk", *b"P0", b'T'),
    setting("zpk_aes", *b"P0", b'A'),
    setting("bdk", *b"B0", b'T'),
    setting("bdk_aes", *b"B0", b'A'),
    setting("mak", *b"M3", b'T'),
    setting("exchange", *b"K1", b'A'),
];

const fn setting(name: &'static str, usage: [u8; 2], algorithm: u8) -> KeySetting {
    KeySetting { name, usage, algorithm }
}

type Taken = Result<(), BlockError>;

fn put<K>(place: &mut K, taken: Result<K, BlockError>) -> Taken {
    *place = taken?;
    Ok(())
}

/// A key that is put together from the parts of several people, none of whom knows it.
///
/// The parts are mixed; each has the length of the key, and a check value of its own to be compared
/// with its holder's sheet.
pub struct Components {
    octets: Zeroizing<[u8; 32]>,
    len_octets: Option<usize>,
    count: usize,
}

/// Why a key does not come of its parts.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ComponentError {
    /// A part is written in pairs of hexadecimal digits.
    #[error("pairs of hexadecimal digits are needed")]
    NotHex,
    /// The part is of another length than the first, or of none that a key has.
    #[error("a part has 16, 24 or 32 octets, and all have the same")]
    BadLength,
    /// The block cannot be made.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// One person alone would know the key.
    #[error("a key comes of two parts or more")]
    TooFew,
}

impl Default for Components {
    fn default() -> Self {
        Self { octets: Zeroizing::new([0; 32]), len_octets: None, count: 0 }
    }
}

impl Components {
    /// Adds a part that was typed in hexadecimal digits, and wipes them.
    ///
    /// # Errors
    /// [`ComponentError::NotHex`], and as [`Components::add`].
    pub fn add_hex(&mut self, typed: String, algorithm: u8) -> Result<Kcv, ComponentError> {
        let mut typed = typed.into_bytes();
        let part = part_of(typed.trim_ascii());
        typed.as_mut_slice().zeroize();
        let (part, len) = part?;
        self.add(part.get(..len).unwrap_or_default(), algorithm)
    }

    /// Adds a part and gives its check value, by the cipher of the key: `T` triple DES, `A` AES.
    ///
    /// # Errors
    /// [`ComponentError::BadLength`].
    pub fn add(&mut self, part: &[u8], algorithm: u8) -> Result<Kcv, ComponentError> {
        let kcv = check_value(part, algorithm)?;
        if self.len_octets.is_some_and(|len| len != part.len()) {
            return Err(ComponentError::BadLength);
        }
        self.len_octets = Some(part.len());
        self.count += 1;
        for (to, from) in self.octets.iter_mut().zip(part) {
            *to ^= from;
        }
        Ok(kcv)
    }

    /// The key as a block for its setting, and its check value.
    ///
    /// # Errors
    /// [`ComponentError`].
    pub fn seal(
        &self,
        start_key: &StartKey,
        usage: [u8; 2],
        algorithm: u8,
        filler: [u8; 64],
    ) -> Result<(String, Kcv), ComponentError> {
        let key = self.octets.get(..self.len_octets.unwrap_or_default()).unwrap_or_default();
        let kcv = check_value(key, algorithm)?;
        if self.count < 2 {
            return Err(ComponentError::TooFew);
        }
        let header = tr31::Header::new(tr31::Version::D, usage, algorithm);
        let mut room = [0; tr31::BLOCK_OCTETS_MAX];
        let len = tr31::seal(&start_key.protection_key()?, header, key, filler, &mut room)?;
        let block = room.get(..len).unwrap_or_default();
        Ok((String::from_utf8_lossy(block).into_owned(), kcv))
    }
}

/// The octets that hexadecimal digits write, and how many they are.
fn part_of(digits: &[u8]) -> Result<(Zeroizing<[u8; 32]>, usize), ComponentError> {
    let (pairs, odd) = digits.as_chunks::<2>();
    let mut part = Zeroizing::new([0; 32]);
    if !odd.is_empty() {
        return Err(ComponentError::NotHex);
    }
    if pairs.len() > part.len() {
        return Err(ComponentError::BadLength);
    }
    let digit = |digit: u8| char::from(digit).to_digit(16).ok_or(ComponentError::NotHex);
    for (octet, [high, low]) in part.iter_mut().zip(pairs) {
        let value = digit(*high)? << 4 | digit(*low)?;
        *octet = u8::try_from(value).map_err(|_| ComponentError::NotHex)?;
    }
    Ok((part, pairs.len()))
}

fn check_value(key: &[u8], algorithm: u8) -> Result<Kcv, ComponentError> {
    let kcv = match algorithm {
        b'A' => AesKey::<Kbpk>::from_octets(key).map(|key| key.kcv()),
        _ => Key::<Kbpk>::from_octets(key).map(|key| key.kcv()),
    };
    kcv.map_err(|_| ComponentError::BadLength)
}
