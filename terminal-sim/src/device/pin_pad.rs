//! A PIN pad: digits go in by its keys, and only an enciphered block comes out.
//!
//! The digits stay behind this module's fields: no function returns them, `Debug` shows none, and
//! they are wiped when the block is made or the entry ends. Keys come in as TR-31 key blocks under
//! the pad's protection key and never leave. Three ways to encipher a
//! PIN for the issuer:
//!
//! | key | block | serial |
//! |---|---|---|
//! | zone key (`P0`) | ISO 9564-1 format 0 | none |
//! | DUKPT, triple DES (`B1`) | format 0 | 10 octets, 21 bits of counter |
//! | DUKPT, AES (`B1`) | format 4 | 12 octets, 32 bits of counter |
//!
//! A PIN for the chip is enciphered under the chip's own key ([`PinTarget::Chip`]).
//!
//! A DUKPT pad counts before it uses a key, skips counters with too many bits set, and refuses to
//! work when there is none left (ANSI X9.24-1:2009, Annex A; X9.24-3:2017, section 6.3). A real pad
//! keeps a register of future keys and forgets the first; this one keeps the first key and derives,
//! which gives the same blocks. Opening the case wipes the keys.
//!
//! ```
//! use cekr_terminal_sim::device::keypad::Key;
//! use cekr_terminal_sim::device::pin_pad::{PinPad, PinRequest, PinStep};
//! use cekr_iso8583::Pan;
//! use cekr_terminal_sim::moment::Moment;
//!
//! let mut pad = PinPad::development(1);
//! let pan = Pan::parse(b"4761730000000011").expect("a valid number");
//! pad.begin(PinRequest::online(pan), Moment::default()).expect("a pad with a key");
//! for digit in "1234".chars().filter_map(Key::of_char) {
//!     pad.press(digit, Moment::default());
//! }
//! assert_eq!(pad.step(), PinStep::Typing { digit_count: 4 });
//! pad.press(Key::Enter, Moment::default());
//! assert!(matches!(pad.step(), PinStep::Entered(_)));
//! ```

use core::fmt;

use cekr_emv::CardNumber;
use cekr_emv::crypto::aes::KeyLength;
use cekr_emv::crypto::dukpt::{aes, tdes};
use cekr_emv::crypto::pin_block::{self, format4};
use cekr_emv::crypto::rsa::{MODULUS_OCTETS_MAX, PublicKey};
use cekr_emv::crypto::tr31::{self, BlockError, ProtectionKey};
use cekr_emv::keys::{AesKey, Bdk, DukptIk, Kcv, Key as CipherKey, Zpk};
use cekr_emv::oda::offline_pin;
use cekr_emv::pin::{Pin, PinError};
use cekr_iso8583::Pan;
use zeroize::Zeroize;

use crate::device::keypad::Key;
use crate::moment::Moment;
use crate::random::Random;

/// A PIN as it leaves the pad. `Debug` shows the kind and the serial number only.
#[derive(Clone, Eq, PartialEq)]
pub enum EncipheredPin {
    /// Format 4 under an AES DUKPT key.
    Aes {
        /// The block.
        block: [u8; 16],
        /// Which transaction of which pad.
        ksn: [u8; 12],
    },
    /// Format 0 under a triple DES DUKPT key.
    Tdes {
        /// The block.
        block: [u8; 8],
        /// Which transaction of which pad.
        ksn: [u8; 10],
    },
    /// Format 0 under the zone key.
    Zone {
        /// The block.
        block: [u8; 8],
    },
}

impl EncipheredPin {
    /// A block under the published development zone key, as a scripted terminal sends it.
    #[must_use]
    pub fn development(pin: &Pin, pan: Pan) -> Self {
        let zone = CipherKey::<Zpk>::development();
        Self::Zone { block: pin_block::encipher_format0(&zone, pin, pan.expose()) }
    }
}

impl fmt::Debug for EncipheredPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aes { ksn, .. } => write!(f, "EncipheredPin(AES, KSN {ksn:02X?})"),
            Self::Tdes { ksn, .. } => write!(f, "EncipheredPin(TDES, KSN {ksn:02X?})"),
            Self::Zone { .. } => f.write_str("EncipheredPin(zone)"),
        }
    }
}

/// What the pad is asked for.
#[derive(Clone, Debug)]
pub struct PinRequest {
    /// Who is to verify the PIN.
    pub target: PinTarget,
    /// Whether confirming without a digit is an answer.
    pub bypass: Bypass,
}

/// Who verifies a PIN.
#[derive(Clone, Debug)]
pub enum PinTarget {
    /// The chip with this number (GET CHALLENGE) and this key.
    Chip([u8; 8], Box<PublicKey>),
    /// The issuer of the card with this number, which enters the block.
    Issuer(Pan),
}

impl PinRequest {
    /// A PIN for the issuer, which must be typed.
    #[must_use]
    pub const fn online(pan: Pan) -> Self {
        Self { target: PinTarget::Issuer(pan), bypass: Bypass::Refused }
    }
}

/// Whether a holder may go on without a PIN.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Bypass {
    /// Confirming without a digit ends the entry.
    Allowed,
    /// It does nothing.
    Refused,
}

/// How far an entry is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PinStep {
    /// The holder confirmed without a digit.
    Bypassed,
    /// The holder gave up.
    Cancelled,
    /// The block for the issuer is made.
    Entered(EncipheredPin),
    /// The block for the chip is made: what VERIFY carries.
    EnteredForChip(Vec<u8>),
    /// The pad cannot make a block.
    Failed(PinPadError),
    /// Nobody asked.
    Idle,
    /// Nobody typed for [`ENTRY_MS`].
    TimedOut,
    /// So many digits stand there, shown as stars.
    Typing {
        /// 0 to 12.
        digit_count: usize,
    },
}

/// Why a pad does not work.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PinPadError {
    /// It does not answer.
    #[error("the PIN pad does not answer")]
    Broken,
    /// The counter of its serial number is at its end: it needs a new first key.
    #[error("the PIN pad has used all its keys")]
    Exhausted,
    /// The key block cannot be believed.
    #[error("key block: {0}")]
    KeyBlock(BlockError),
    /// No key was loaded.
    #[error("the PIN pad has no key")]
    NoKey,
    /// The case was opened and the keys are gone.
    #[error("the PIN pad was opened and has wiped its keys")]
    Tampered,
}

/// How a pad enciphers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PadKind {
    /// Format 4, a key of its own for each PIN.
    DukptAes,
    /// Format 0, a key of its own for each PIN.
    DukptTdes,
    /// Format 0 under one key.
    Zone,
}

/// What breaks, as whoever plays the world wants it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum PinPadFault {
    /// It does not answer.
    Broken,
    /// Nothing.
    #[default]
    None,
}

/// The pad.
pub struct PinPad {
    /// Opens key blocks; a pad without one takes none.
    protection: Option<ProtectionKey>,
    keys: Keys,
    entry: Entry,
    fault: PinPadFault,
    random: Random,
}

/// What the pad enciphers with.
enum Keys {
    Aes { first: AesKey<DukptIk>, pad: [u8; 8], counter: u32 },
    None,
    Tampered,
    Tdes { first: CipherKey<DukptIk>, pad: [u8; 10], counter: u32 },
    Zone(CipherKey<Zpk>),
}

struct Entry {
    request: Option<PinRequest>,
    digits: Digits,
    step: PinStep,
    last_key: Moment,
}

/// What was typed, wiped on drop and on [`Digits::wipe`].
struct Digits {
    ascii: [u8; DIGITS_MAX],
    len: usize,
}

impl PinPad {
    /// A pad without keys that opens key blocks with this protection key. `seed` decides the
    /// random half of format 4 blocks.
    #[must_use]
    pub const fn new(protection: ProtectionKey, seed: u64) -> Self {
        Self::holding(Keys::None, Some(protection), seed)
    }

    /// A pad with the published development zone key, for simulated terminals.
    #[must_use]
    pub fn development(seed: u64) -> Self {
        Self::development_of(PadKind::Zone, seed)
    }

    /// A pad under the published development keys. A DUKPT pad is the first of its kind and has
    /// used no counter.
    #[must_use]
    pub fn development_of(kind: PadKind, seed: u64) -> Self {
        let keys = match kind {
            PadKind::DukptAes => Keys::Aes {
                first: aes::initial_key(&AesKey::<Bdk>::development(), AES_PAD),
                pad: AES_PAD,
                counter: 0,
            },
            PadKind::DukptTdes => Keys::Tdes {
                first: tdes::initial_key(
                    &CipherKey::<Bdk>::development(),
                    tdes::Ksn::new(TDES_PAD),
                ),
                pad: TDES_PAD,
                counter: 0,
            },
            PadKind::Zone => Keys::Zone(CipherKey::<Zpk>::development()),
        };
        Self::holding(keys, None, seed)
    }

    const fn holding(keys: Keys, protection: Option<ProtectionKey>, seed: u64) -> Self {
        let digits = Digits { ascii: [0; DIGITS_MAX], len: 0 };
        let last_key = Moment::from_unix_ms(0);
        Self {
            protection,
            keys,
            entry: Entry { request: None, digits, step: PinStep::Idle, last_key },
            fault: PinPadFault::None,
            random: Random::new(seed),
        }
    }

    /// Loads a zone key and says its check value.
    ///
    /// # Errors
    /// [`PinPadError::KeyBlock`] when the block was changed, is for another use or under another
    /// protection key; [`PinPadError::Tampered`]. The old key then stays.
    pub fn load_zone_key(&mut self, block: &[u8]) -> Result<Kcv, PinPadError> {
        let key = self.open(block)?.des_key::<Zpk>().map_err(PinPadError::KeyBlock)?;
        let kcv = key.kcv();
        self.keys = Keys::Zone(key);
        Ok(kcv)
    }

    /// Loads the first key of a triple DES DUKPT pad; `initial` is its serial number, whose
    /// counter (the last 21 bits) is taken as 0.
    ///
    /// # Errors
    /// As [`PinPad::load_zone_key`].
    pub fn load_tdes(&mut self, block: &[u8], initial: [u8; 10]) -> Result<Kcv, PinPadError> {
        let first = self.open(block)?.des_key::<DukptIk>().map_err(PinPadError::KeyBlock)?;
        let kcv = first.kcv();
        self.keys = Keys::Tdes { first, pad: initial, counter: 0 };
        Ok(kcv)
    }

    /// Loads the first key of an AES DUKPT pad; `pad` are the first eight octets of its serial
    /// numbers.
    ///
    /// # Errors
    /// As [`PinPad::load_zone_key`].
    pub fn load_aes(&mut self, block: &[u8], pad: [u8; 8]) -> Result<Kcv, PinPadError> {
        let first = self.open(block)?.aes_key::<DukptIk>().map_err(PinPadError::KeyBlock)?;
        let kcv = first.kcv();
        self.keys = Keys::Aes { first, pad, counter: 0 };
        Ok(kcv)
    }

    /// Lets a DUKPT pad go on from a counter: it has used this one and all before it.
    pub fn resume_after(&mut self, used: u32) {
        match &mut self.keys {
            Keys::Aes { counter, .. } | Keys::Tdes { counter, .. } => *counter = used,
            Keys::None | Keys::Tampered | Keys::Zone(_) => {}
        }
    }

    /// Breaks or mends it.
    pub fn set_fault(&mut self, fault: PinPadFault) {
        self.fault = fault;
    }

    /// Somebody opens the case: keys and what was typed are gone for good.
    pub fn tamper(&mut self) {
        self.keys = Keys::Tampered;
        self.end(PinStep::Failed(PinPadError::Tampered));
    }

    /// Asks the holder for a PIN. An entry under way is given up.
    ///
    /// # Errors
    /// Why no PIN can be taken; the holder is then not asked.
    pub fn begin(&mut self, request: PinRequest, now: Moment) -> Result<(), PinPadError> {
        self.end(PinStep::Idle);
        self.check()?;
        self.entry.request = Some(request);
        self.entry.last_key = now;
        self.entry.step = PinStep::Typing { digit_count: 0 };
        Ok(())
    }

    /// A scripted holder types a whole PIN at once, without being asked.
    ///
    /// # Errors
    /// Why there is no block.
    pub fn enter(&mut self, pin: &Pin, pan: Pan) -> Result<EncipheredPin, PinPadError> {
        self.end(PinStep::Idle);
        self.encipher(pin, pan)
    }

    /// A finger presses a key; outside an entry it does nothing.
    pub fn press(&mut self, key: Key, now: Moment) {
        let Some(request) = self.entry.request.clone() else { return };
        self.entry.last_key = now;
        match key {
            Key::Cancel => self.end(PinStep::Cancelled),
            Key::Clear => {
                self.entry.digits.wipe();
                self.entry.step = PinStep::Typing { digit_count: 0 };
            }
            Key::Digit(digit) => {
                self.entry.digits.push(b'0' + digit.value());
                self.entry.step = PinStep::Typing { digit_count: self.entry.digits.len };
            }
            Key::Enter => self.confirm(request),
        }
    }

    /// Lets time pass: an entry that nobody continues ends.
    pub fn tick(&mut self, now: Moment) {
        if self.entry.request.is_some() && now.ms_since(self.entry.last_key) >= ENTRY_MS {
            self.end(PinStep::TimedOut);
        }
    }

    /// How far the entry is.
    #[must_use]
    pub fn step(&self) -> PinStep {
        match (self.fault, &self.entry.request) {
            (PinPadFault::Broken, Some(_)) => PinStep::Failed(PinPadError::Broken),
            (PinPadFault::Broken | PinPadFault::None, _) => self.entry.step.clone(),
        }
    }

    fn confirm(&mut self, request: PinRequest) {
        match (Pin::parse(self.entry.digits.typed()), request.bypass) {
            (Ok(pin), _) => {
                let made = match request.target {
                    PinTarget::Chip(challenge, key) => {
                        self.encipher_for_chip(&pin, challenge, &key).map(PinStep::EnteredForChip)
                    }
                    PinTarget::Issuer(pan) => self.encipher(&pin, pan).map(PinStep::Entered),
                };
                self.end(made.unwrap_or_else(PinStep::Failed));
            }
            (Err(_), Bypass::Allowed) if self.entry.digits.len == 0 => {
                self.end(PinStep::Bypassed);
            }
            // Too few digits: the holder types on.
            (Err(PinError::BadLength | PinError::NotDigits), _) => {}
        }
    }

    fn encipher(&mut self, pin: &Pin, pan: Pan) -> Result<EncipheredPin, PinPadError> {
        self.check()?;
        let entropy = self.random.next().to_be_bytes();
        match &mut self.keys {
            Keys::None => Err(PinPadError::NoKey),
            Keys::Tampered => Err(PinPadError::Tampered),
            Keys::Zone(key) => Ok(EncipheredPin::Zone {
                block: pin_block::encipher_format0(key, pin, pan.expose()),
            }),
            Keys::Tdes { first, pad, counter } => {
                *counter = following(*counter, TDES_COUNTER_MAX, TDES_ONES_MAX)?;
                let ksn = tdes_ksn(*pad, *counter);
                let key = tdes::transaction_key(first, tdes::Ksn::new(ksn));
                let key = tdes::pin_key(&key.map_err(|_| PinPadError::Exhausted)?);
                let block = pin_block::encipher_format0(&key, pin, pan.expose());
                Ok(EncipheredPin::Tdes { block, ksn })
            }
            Keys::Aes { first, pad, counter } => {
                *counter = following(*counter, u32::MAX, AES_ONES_MAX)?;
                let ksn = aes_ksn(*pad, *counter);
                let key = aes::transaction_key(first, aes::Ksn::new(ksn));
                let key = key.map_err(|_| PinPadError::Exhausted)?;
                let key = aes::pin_key(&key, aes::Ksn::new(ksn), KeyLength::Bits128);
                let card = CardNumber::from_number(pan.expose()).ok_or(PinPadError::Broken)?;
                Ok(EncipheredPin::Aes { block: format4::encipher(&key, pin, card, entropy), ksn })
            }
        }
    }

    fn encipher_for_chip(
        &mut self,
        pin: &Pin,
        challenge: [u8; 8],
        key: &PublicKey,
    ) -> Result<Vec<u8>, PinPadError> {
        self.check()?;
        let mut filler = [0; MODULUS_OCTETS_MAX];
        for place in filler.as_chunks_mut::<8>().0 {
            *place = self.random.next().to_be_bytes();
        }
        let block = offline_pin::encipher(key, pin, challenge, filler);
        block.map(|block| block.octets().to_vec()).map_err(|_| PinPadError::Broken)
    }

    fn check(&self) -> Result<(), PinPadError> {
        match (self.fault, &self.keys) {
            (PinPadFault::Broken, _) => Err(PinPadError::Broken),
            (PinPadFault::None, Keys::None) => Err(PinPadError::NoKey),
            (PinPadFault::None, Keys::Tampered) => Err(PinPadError::Tampered),
            (PinPadFault::None, Keys::Aes { counter, .. }) => {
                following(*counter, u32::MAX, AES_ONES_MAX).map(|_| ())
            }
            (PinPadFault::None, Keys::Tdes { counter, .. }) => {
                following(*counter, TDES_COUNTER_MAX, TDES_ONES_MAX).map(|_| ())
            }
            (PinPadFault::None, Keys::Zone(_)) => Ok(()),
        }
    }

    fn open(&self, block: &[u8]) -> Result<tr31::Opened, PinPadError> {
        match self.keys {
            Keys::Tampered => Err(PinPadError::Tampered),
            Keys::Aes { .. } | Keys::None | Keys::Tdes { .. } | Keys::Zone(_) => {
                let protection = self.protection.as_ref().ok_or(PinPadError::NoKey)?;
                tr31::open(protection, block).map_err(PinPadError::KeyBlock)
            }
        }
    }

    fn end(&mut self, step: PinStep) {
        self.entry.digits.wipe();
        self.entry.request = None;
        self.entry.step = step;
    }
}

impl fmt::Debug for PinPad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PinPad").field("step", &self.entry.step).finish_non_exhaustive()
    }
}

impl Digits {
    fn push(&mut self, digit: u8) {
        if let Some(place) = self.ascii.get_mut(self.len) {
            *place = digit;
            self.len += 1;
        }
    }

    fn typed(&self) -> &[u8] {
        self.ascii.get(..self.len).unwrap_or_default()
    }

    fn wipe(&mut self) {
        self.ascii.zeroize();
        self.len = 0;
    }
}

impl Drop for Digits {
    fn drop(&mut self) {
        self.wipe();
    }
}

/// The counter after this one that a pad uses.
///
/// Adding the lowest set bit clears a run of ones, so few steps lead over a long stretch of
/// counters with too many of them.
fn following(counter: u32, last: u32, ones_max: u32) -> Result<u32, PinPadError> {
    let mut next = counter.checked_add(1).ok_or(PinPadError::Exhausted)?;
    while next.count_ones() > ones_max {
        next = next.checked_add(next & next.wrapping_neg()).ok_or(PinPadError::Exhausted)?;
    }
    if next <= last { Ok(next) } else { Err(PinPadError::Exhausted) }
}

/// The pad's serial number with this counter in its last 21 bits.
fn tdes_ksn(pad: [u8; 10], counter: u32) -> [u8; 10] {
    let [a, b, c, d, e, f, g, h, _, _] = pad;
    let [_, high, middle, low] = counter.to_be_bytes();
    [a, b, c, d, e, f, g, h & 0xE0 | high, middle, low]
}

fn aes_ksn(pad: [u8; 8], counter: u32) -> [u8; 12] {
    let [a, b, c, d, e, f, g, h] = pad;
    let [i, j, k, l] = counter.to_be_bytes();
    [a, b, c, d, e, f, g, h, i, j, k, l]
}

/// How long the pad waits for the next key, in milliseconds.
pub const ENTRY_MS: u64 = 30_000;
/// The serial numbers of our development pads, before their counters.
const AES_PAD: [u8; 8] = *b"CEKRPAD1";
const TDES_PAD: [u8; 10] = *b"CEKRPAD\x20\0\0";
/// ISO 9564-1: a PIN has at most twelve digits.
const DIGITS_MAX: usize = 12;
/// 21 bits.
const TDES_COUNTER_MAX: u32 = 0x1F_FFFF;
const TDES_ONES_MAX: u32 = 10;
const AES_ONES_MAX: u32 = 16;

#[cfg(test)]
mod tests;
