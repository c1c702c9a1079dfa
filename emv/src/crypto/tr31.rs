//! Key blocks (TR-31): how a key travels with what it may be used for.
//!
//! A header in clear text says use, algorithm and mode; the key follows enciphered under a
//! protection key, and a MAC over both, so that nobody can turn a PIN key into a data key. Versions
//! A and C derive their two keys by a mask, B by CMAC under triple DES, D and E by CMAC under AES;
//! E counts instead of chaining. Optional blocks are skipped, but stand under the MAC like the
//! rest.
//!
//! The header of a block is untrusted until [`open`] has returned it.
//!
//! Source: ANSI X9.143:2021 (formerly TR-31:2018) for A to D, ISO 20038:2017 for E.
//!
//! ```
//! use cekr_emv::crypto::tr31::{self, Header, ProtectionKey, Version};
//! use cekr_emv::keys::{Key, Zpk};
//!
//! let kbpk = ProtectionKey::aes(&[0x42; 16])?;
//! let header = Header::new(Version::D, *b"P0", b'T');
//! let mut room = [0; tr31::BLOCK_OCTETS_MAX];
//! let len = tr31::seal(&kbpk, header, b"sixteen octets!!", [0; 64], &mut room)?;
//! let opened = tr31::open(&kbpk, &room[..len])?;
//! assert_eq!(opened.header(), header);
//! assert!(opened.des_key::<Zpk>().is_ok());
//! assert!(opened.des_key::<cekr_emv::keys::Bdk>().is_err());
//! # Ok::<(), tr31::BlockError>(())
//! ```

pub mod fuzzing;

use core::fmt;

use zeroize::Zeroize;

use crate::crypto::aes::Aes;
use crate::crypto::des::TripleDes;
use crate::crypto::mac::{self, Padding};
use crate::crypto::modes;
use crate::keys::{AesKey, Kbpk, Key, KeyError, Purpose};

/// How a block is protected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Version {
    /// Triple DES, keys by mask, MAC over the enciphered key; superseded by C.
    A,
    /// Triple DES, keys by CMAC, MAC over the clear key.
    B,
    /// As A.
    C,
    /// AES in a chain.
    D,
    /// AES with a counter.
    E,
}

impl Version {
    fn parse(letter: u8) -> Option<Self> {
        Some(match letter {
            b'A' => Self::A,
            b'B' => Self::B,
            b'C' => Self::C,
            b'D' => Self::D,
            b'E' => Self::E,
            _ => return None,
        })
    }

    fn letter(self) -> u8 {
        match self {
            Self::A => b'A',
            Self::B => b'B',
            Self::C => b'C',
            Self::D => b'D',
            Self::E => b'E',
        }
    }

    fn mac_octets(self) -> usize {
        match self {
            Self::A | Self::C => 4,
            Self::B => 8,
            Self::D | Self::E => 16,
        }
    }

    /// What the length of the whole block and of the enciphered key is a multiple of.
    fn block_octets(self) -> usize {
        match self {
            Self::A | Self::B | Self::C => 8,
            Self::D => 16,
            Self::E => 1,
        }
    }
}

/// What a block says about its key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Header {
    /// How the block is protected.
    pub version: Version,
    /// What the key is for, two characters, such as `P0` for PIN blocks.
    pub usage: [u8; 2],
    /// Which cipher the key is of: `T` triple DES, `A` AES.
    pub algorithm: u8,
    /// What may be done with the key: `E` encipher, `D` decipher, `N` anything, and so on.
    pub mode: u8,
    /// The key's own version, `00` where it has none.
    pub key_version: [u8; 2],
    /// Who may wrap the key again: `E`, `S`, or `N` for nobody.
    pub exportability: u8,
}

impl Header {
    /// A header for any mode of use, which nobody may wrap again.
    pub fn new(version: Version, usage: [u8; 2], algorithm: u8) -> Self {
        Self { version, usage, algorithm, mode: b'N', key_version: *b"00", exportability: b'N' }
    }
}

/// The key that protects blocks.
#[derive(Debug)]
pub enum ProtectionKey {
    /// For versions D and E.
    Aes(AesKey<Kbpk>),
    /// For versions A, B and C.
    Tdes(Key<Kbpk>),
}

impl ProtectionKey {
    /// An AES key of 16, 24 or 32 octets.
    ///
    /// # Errors
    ///
    /// [`BlockError::BadProtectionKey`] for any other number of octets.
    pub fn aes(clear: &[u8]) -> Result<Self, BlockError> {
        AesKey::from_octets(clear).map(Self::Aes).map_err(|_| BlockError::BadProtectionKey)
    }

    /// A triple DES key of 16 or 24 octets.
    ///
    /// # Errors
    ///
    /// [`BlockError::BadProtectionKey`] for any other number of octets.
    pub fn tdes(clear: &[u8]) -> Result<Self, BlockError> {
        Key::from_octets(clear).map(Self::Tdes).map_err(|_| BlockError::BadProtectionKey)
    }

    /// The key as a block of `version` takes it.
    ///
    /// # Errors
    ///
    /// [`BlockError::BadProtectionKey`] for a number of octets that does not fit the version.
    pub fn for_version(version: Version, clear: &[u8]) -> Result<Self, BlockError> {
        match version {
            Version::A | Version::B | Version::C => Self::tdes(clear),
            Version::D | Version::E => Self::aes(clear),
        }
    }

    /// The two keys of one version.
    fn split(&self, version: Version) -> Result<Split, BlockError> {
        match (version, self) {
            (Version::A | Version::C, Self::Tdes(key)) => split_by_mask(key),
            (Version::B, Self::Tdes(key)) => split_tdes(key),
            (Version::D, Self::Aes(key)) => Ok(split_aes(key, ENCIPHER_IN_CHAIN)),
            (Version::E, Self::Aes(key)) => Ok(split_aes(key, ENCIPHER_BY_COUNTER)),
            (Version::A | Version::B | Version::C, Self::Aes(_))
            | (Version::D | Version::E, Self::Tdes(_)) => Err(BlockError::BadProtectionKey),
        }
    }
}

/// A key that came out of a block, with the header that holds for it. Wiped on drop.
pub struct Opened {
    header: Header,
    plain: Plain,
    len_octets: usize,
}

impl Opened {
    /// What the block says about the key.
    pub fn header(&self) -> Header {
        self.header
    }

    /// The clear octets: for calculators and test benches. A switch has no use for it.
    pub fn expose(&self) -> &[u8] {
        self.plain.0.get(2..2 + self.len_octets).unwrap_or_default()
    }

    /// The key as one of DES for a purpose.
    ///
    /// # Errors
    ///
    /// [`BlockError::OtherUse`] if the block says that it is for something else, and
    /// [`BlockError::BadKey`] if it has no length of a DES key.
    pub fn des_key<P: Purpose>(&self) -> Result<Key<P>, BlockError> {
        self.check_use::<P>(b"TD")?;
        Key::from_octets(self.expose()).map_err(|KeyError::BadLength| BlockError::BadKey)
    }

    /// The key as one of AES for a purpose.
    ///
    /// # Errors
    ///
    /// As [`Opened::des_key`].
    pub fn aes_key<P: Purpose>(&self) -> Result<AesKey<P>, BlockError> {
        self.check_use::<P>(b"A")?;
        AesKey::from_octets(self.expose()).map_err(|KeyError::BadLength| BlockError::BadKey)
    }

    fn check_use<P: Purpose>(&self, algorithms: &[u8]) -> Result<(), BlockError> {
        let is_for =
            P::USAGES.contains(&&self.header.usage) && algorithms.contains(&self.header.algorithm);
        is_for.then_some(()).ok_or(BlockError::OtherUse)
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("header", &self.header).finish_non_exhaustive()
    }
}

/// Checks a block and takes its key out.
///
/// # Errors
///
/// The first [`BlockError`] that applies, in its order. The MAC is checked before anything of the
/// enciphered part is believed.
pub fn open(kbpk: &ProtectionKey, block: &[u8]) -> Result<Opened, BlockError> {
    let (header, text_len) = read_header(block)?;
    let version = header.version;
    let (text, sealed) = block.split_at_checked(text_len).ok_or(BlockError::BadLength)?;
    let mac_at = sealed.len().checked_sub(2 * version.mac_octets()).ok_or(BlockError::BadLength)?;
    let (sealed, mac_text) = sealed.split_at_checked(mac_at).ok_or(BlockError::BadLength)?;
    let mut mac = [0; 16];
    let mac_len = read_hex(mac_text, &mut mac)?;
    let mut plain = Plain([0; PLAIN_OCTETS_MAX]);
    let plain_len = read_hex(sealed, &mut plain.0)?;
    let data = plain.0.get_mut(..plain_len).ok_or(BlockError::BadLength)?;
    let is_whole = plain_len > 0 && plain_len.is_multiple_of(version.block_octets());
    if !is_whole || !block.len().is_multiple_of(version.block_octets()) {
        return Err(BlockError::BadLength);
    }
    let keys = kbpk.split(version)?;
    let ours = keys.decipher_and_mac(version, text, data, mac).ok_or(BlockError::BadLength)?;
    if !mac::is_equal(ours, mac) || mac_len != version.mac_octets() {
        return Err(BlockError::BadMac);
    }
    let [high, low, ..] = plain.0;
    let bits = usize::from(u16::from_be_bytes([high, low]));
    let len_octets = bits / 8;
    if !bits.is_multiple_of(8) || len_octets == 0 || len_octets + 2 > plain_len {
        return Err(BlockError::BadKey);
    }
    Ok(Opened { header, plain, len_octets })
}

/// Writes a block without optional blocks into `room` and returns its length in octets.
///
/// Keys of one cipher make blocks of one length, so that a block does not tell how long its key
/// is. `filler` is drawn anew for each block.
///
/// # Errors
///
/// [`BlockError::BadKey`] for a key that is empty or longer than 32 octets,
/// [`BlockError::BadLength`] if `room` is too small ([`BLOCK_OCTETS_MAX`] suffices), and
/// [`BlockError::BadProtectionKey`].
pub fn seal(
    kbpk: &ProtectionKey,
    header: Header,
    key: &[u8],
    filler: [u8; 64],
    room: &mut [u8],
) -> Result<usize, BlockError> {
    let Header { version, usage, algorithm, mode, key_version, exportability } = header;
    let bits = u16::try_from(8 * key.len()).map_err(|_| BlockError::BadKey)?;
    if key.is_empty() || key.len() > KEY_SEALED_OCTETS_MAX {
        return Err(BlockError::BadKey);
    }
    let masked = if algorithm == b'A' { 32 } else { 24 }.max(key.len());
    let plain_len = (masked + 2).next_multiple_of(version.block_octets().max(16));
    let mac_len = version.mac_octets();
    let len = HEADER_OCTETS + 2 * (plain_len + mac_len);
    let mut plain = Plain([0; PLAIN_OCTETS_MAX]);
    let content = bits.to_be_bytes().into_iter().chain(key.iter().copied()).chain(filler);
    for (to, from) in plain.0.iter_mut().take(plain_len).zip(content) {
        *to = from;
    }
    let mut text = [b'0'; HEADER_OCTETS];
    let digit = |power: usize| b'0' + (len / power % 10) as u8;
    let (digits, [u, v], [k, l]) = ([1000, 100, 10, 1].map(digit), usage, key_version);
    let [a, b, c, d] = digits;
    let front = [version.letter(), a, b, c, d, u, v, algorithm, mode, k, l, exportability];
    for (to, from) in text.iter_mut().zip(front) {
        *to = from;
    }
    let data = plain.0.get_mut(..plain_len).ok_or(BlockError::BadLength)?;
    let keys = kbpk.split(version)?;
    let mac = keys.mac_and_encipher(version, &text, data).ok_or(BlockError::BadLength)?;
    let room = room.get_mut(..len).ok_or(BlockError::BadLength)?;
    let octets = data.iter().chain(mac.iter().take(mac_len));
    let hex = octets.flat_map(|octet| [hex_digit(octet >> 4), hex_digit(octet & 0x0F)]);
    for (to, from) in room.iter_mut().zip(text.into_iter().chain(hex)) {
        *to = from;
    }
    Ok(len)
}

/// Why a block gives no key, in the order in which it is looked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BlockError {
    /// The header is not of a version that we know, or not of letters and digits.
    BadHeader,
    /// An optional block breaks off or says a length that cannot be.
    BadOptional,
    /// A length that does not fit: the block's, its key's or its MAC's.
    BadLength,
    /// Something else than hexadecimal digits where the key and the MAC are.
    NotHex,
    /// The protection key is not one for this version.
    BadProtectionKey,
    /// The MAC is wrong: another protection key, or a changed block.
    BadMac,
    /// The key inside has an impossible length.
    BadKey,
    /// The key is for another purpose or cipher than it was taken out for.
    OtherUse,
}

impl fmt::Display for BlockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadHeader => "key block: no header of version A to E",
            Self::BadOptional => "key block: a damaged optional block",
            Self::BadLength => "key block: a length that does not fit",
            Self::NotHex => "key block: key and MAC are not hexadecimal",
            Self::BadProtectionKey => "key block: the protection key is not one for this version",
            Self::BadMac => "key block: the MAC is wrong",
            Self::BadKey => "key block: the key inside has an impossible length",
            Self::OtherUse => "key block: the key is for another use",
        })
    }
}

impl core::error::Error for BlockError {}

/// The keys of one block: for the key inside, and for the MAC.
#[expect(clippy::large_enum_variant, reason = "lives on the stack of one call, without a heap")]
enum Split {
    Aes { cipher: Aes, mac: Aes },
    Tdes { cipher: TripleDes, mac: TripleDes },
}

impl Split {
    /// Deciphers `data` and gives the MAC that the block should have, zeros behind it.
    fn decipher_and_mac(
        &self,
        version: Version,
        text: &[u8],
        data: &mut [u8],
        mac: [u8; 16],
    ) -> Option<[u8; 16]> {
        let [a, b, c, d, e, f, g, h, ..] = mac;
        match (self, version) {
            (Self::Tdes { cipher, mac }, Version::A | Version::C) => {
                let ours = mac_over_sealed(mac, text, data);
                modes::cbc_decipher(cipher, *text.first_chunk()?, data)?;
                Some(ours)
            }
            (Self::Tdes { cipher, mac }, Version::B | Version::D | Version::E) => {
                modes::cbc_decipher(cipher, [a, b, c, d, e, f, g, h], data)?;
                Some(widened(mac::cmac(mac, &[text, data])))
            }
            (Self::Aes { cipher, mac: key }, Version::E) => {
                modes::counter(cipher, mac, data);
                Some(mac::cmac(key, &[text, data]))
            }
            (Self::Aes { cipher, mac: key }, Version::A | Version::B | Version::C | Version::D) => {
                modes::cbc_decipher(cipher, mac, data)?;
                Some(mac::cmac(key, &[text, data]))
            }
        }
    }

    /// Enciphers `data` and gives the block's MAC, zeros behind it.
    fn mac_and_encipher(&self, version: Version, text: &[u8], data: &mut [u8]) -> Option<[u8; 16]> {
        match (self, version) {
            (Self::Tdes { cipher, mac }, Version::A | Version::C) => {
                modes::cbc_encipher(cipher, *text.first_chunk()?, data)?;
                Some(mac_over_sealed(mac, text, data))
            }
            (Self::Tdes { cipher, mac }, Version::B | Version::D | Version::E) => {
                let mac: [u8; 8] = mac::cmac(mac, &[text, data]);
                modes::cbc_encipher(cipher, mac, data)?;
                Some(widened(mac))
            }
            (Self::Aes { cipher, mac }, Version::E) => {
                let mac = mac::cmac(mac, &[text, data]);
                modes::counter(cipher, mac, data);
                Some(mac)
            }
            (Self::Aes { cipher, mac }, Version::A | Version::B | Version::C | Version::D) => {
                let mac = mac::cmac(mac, &[text, data]);
                modes::cbc_encipher(cipher, mac, data)?;
                Some(mac)
            }
        }
    }
}

/// The MAC of versions A and C: four octets over the block as it travels.
fn mac_over_sealed(key: &TripleDes, text: &[u8], sealed: &[u8]) -> [u8; 16] {
    let [a, b, c, d, ..] = mac::cbc_of(key, &[text, sealed], Padding::Zeros);
    widened([a, b, c, d, 0, 0, 0, 0])
}

fn widened(mac: [u8; 8]) -> [u8; 16] {
    (u128::from(u64::from_be_bytes(mac)) << 64).to_be_bytes()
}

fn split_by_mask(kbpk: &Key<Kbpk>) -> Result<Split, BlockError> {
    let masked = |mask| {
        let mut octets = [0; 24];
        for (to, from) in octets.iter_mut().zip(kbpk.expose()) {
            *to = from ^ mask;
        }
        tdes_of(octets, kbpk.expose().len())
    };
    Ok(Split::Tdes { cipher: masked(0x45)?, mac: masked(0x4D)? })
}

fn split_tdes(kbpk: &Key<Kbpk>) -> Result<Split, BlockError> {
    let len_octets = kbpk.expose().len();
    let (algorithm, bits) = if len_octets == 16 { (0, 0x80) } else { (1, 0xC0) };
    let derived = |usage| {
        let part = |number| -> [u8; 8] {
            mac::cmac(kbpk.cipher(), &[&[number, 0, usage, 0, 0, algorithm, 0, bits]])
        };
        let mut octets = [0; 24];
        for (to, from) in octets.as_chunks_mut().0.iter_mut().zip([part(1), part(2), part(3)]) {
            *to = from;
        }
        tdes_of(octets, len_octets)
    };
    Ok(Split::Tdes { cipher: derived(ENCIPHER_IN_CHAIN)?, mac: derived(AUTHENTICATE)? })
}

/// A cipher of the first octets, which are wiped.
fn tdes_of(mut octets: [u8; 24], len_octets: usize) -> Result<TripleDes, BlockError> {
    let [two_parts @ .., _, _, _, _, _, _, _, _] = &octets;
    let cipher = match len_octets {
        16 => TripleDes::new(two_parts),
        24 => TripleDes::with_three_parts(&octets),
        _ => return Err(BlockError::BadProtectionKey),
    };
    octets.zeroize();
    Ok(cipher)
}

fn split_aes(kbpk: &AesKey<Kbpk>, encipher: u8) -> Split {
    let length = kbpk.length();
    let [bits_high, bits_low] = length.bits();
    let derived = |usage| {
        let part = |number| -> [u8; 16] {
            let algorithm = length.algorithm();
            let data = [number, 0, usage, 0, 0, algorithm, bits_high, bits_low];
            mac::cmac(kbpk.cipher(), &[&data])
        };
        let mut octets = [0; 32];
        for (to, from) in octets.as_chunks_mut().0.iter_mut().zip([part(1), part(2)]) {
            *to = from;
        }
        let cipher = Aes::of_length(length, &octets);
        octets.zeroize();
        cipher
    };
    Split::Aes { cipher: derived(encipher), mac: derived(AUTHENTICATE) }
}

/// The header, and how long it is with its optional blocks.
fn read_header(block: &[u8]) -> Result<(Header, usize), BlockError> {
    let front: &[u8; HEADER_OCTETS] = block.first_chunk().ok_or(BlockError::BadHeader)?;
    if !front.iter().all(u8::is_ascii_alphanumeric) {
        return Err(BlockError::BadHeader);
    }
    let [letter, a, b, c, d, u, v, algorithm, mode, k, l, exportability, m, n, ..] = *front;
    let version = Version::parse(letter).ok_or(BlockError::BadHeader)?;
    let len = decimal(&[a, b, c, d]).ok_or(BlockError::BadHeader)?;
    let optional_count = decimal(&[m, n]).ok_or(BlockError::BadHeader)?;
    if len != block.len() {
        return Err(BlockError::BadLength);
    }
    let mut at = HEADER_OCTETS;
    for _ in 0..optional_count {
        let rest = block.get(at..).ok_or(BlockError::BadOptional)?;
        at += optional_len(rest).ok_or(BlockError::BadOptional)?;
    }
    let header =
        Header { version, usage: [u, v], algorithm, mode, key_version: [k, l], exportability };
    Ok((header, at))
}

/// How long the optional block is that `rest` begins with, its name and length included.
fn optional_len(rest: &[u8]) -> Option<usize> {
    let short = hex_number(rest.get(2..4)?)?;
    let (len, front) = if short == 0 {
        // A longer one says first by how many pairs of digits its length is written.
        let digits = 2 * hex_number(rest.get(4..6)?)?;
        let is_written = (1..=8).contains(&digits);
        (hex_number(rest.get(6..6 + digits).filter(|_| is_written)?)?, 6 + digits)
    } else {
        (short, 4)
    };
    (len >= front && len <= rest.len()).then_some(len)
}

fn decimal(digits: &[u8]) -> Option<usize> {
    digits.iter().try_fold(0, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + usize::from(digit & 0x0F))
    })
}

fn hex_number(digits: &[u8]) -> Option<usize> {
    digits.iter().try_fold(0, |number, digit| Some(number << 4 | usize::from(nibble(*digit)?)))
}

/// The octets that hexadecimal digits write; gives their number.
fn read_hex(digits: &[u8], octets: &mut [u8]) -> Result<usize, BlockError> {
    let (pairs, odd) = digits.as_chunks::<2>();
    if !odd.is_empty() || pairs.len() > octets.len() {
        return Err(BlockError::BadLength);
    }
    for (to, [high, low]) in octets.iter_mut().zip(pairs) {
        let nibbles = nibble(*high).zip(nibble(*low)).ok_or(BlockError::NotHex)?;
        *to = nibbles.0 << 4 | nibbles.1;
    }
    Ok(pairs.len())
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|nibble| u8::try_from(nibble).ok())
}

fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 }
}

/// The clear part of a block, wiped on drop.
struct Plain([u8; PLAIN_OCTETS_MAX]);

impl Drop for Plain {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// The longest block that [`seal`] writes.
pub const BLOCK_OCTETS_MAX: usize = HEADER_OCTETS + 2 * (48 + 16);

/// The header without optional blocks.
const HEADER_OCTETS: usize = 16;

/// The most that an opened block holds: its length, a symmetric key, and filler that hides which.
const PLAIN_OCTETS_MAX: usize = 256;

/// The longest key that [`seal`] takes: AES with 256 bits.
const KEY_SEALED_OCTETS_MAX: usize = 32;

// What a derived key is for, in derivation data.
const ENCIPHER_IN_CHAIN: u8 = 0;
const AUTHENTICATE: u8 = 1;
const ENCIPHER_BY_COUNTER: u8 = 2;

#[cfg(test)]
mod tests;
