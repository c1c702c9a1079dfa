//! What the issuer has the chip do after a transaction, by commands with secure messaging.
//!
//! A command's MAC is over the last transaction's counter and cryptogram, so it is good for that
//! one only, and none is taken twice. What is refused is told to the issuer in the next cryptogram,
//! as is how many were carried out after the last one.
//!
//! A blocked application makes no cryptogram; its issuer unblocks it by a script that is sealed for
//! the last one it made.
//!
//! Source: EMV 4.3 Book 3, sections 6.5.1 to 6.5.3, 6.5.10 and 10.10; Book 2, section 9; classes of
//! PUT DATA and UPDATE RECORD as `tests/vectors/emv/card_crypto.json` has them.

use zeroize::Zeroize;

use crate::Pin;
use crate::chip::Chip;
use crate::chip::apdu::{Answer, Command, Status, Stop};
use crate::chip::files::Place;
use crate::chip::kept::{Block, Kept};
use crate::chip::session::{Phase, SCRIPTS_MAX};
use crate::crypto::cvn::{Rules, ScriptSession};
use crate::crypto::mac;
use crate::crypto::pin_block;
use crate::crypto::script::{self, Occasion};

/// What a command changes.
enum Change<'c> {
    Block(Block),
    Datum {
        tag: u16,
        value: u64,
    },
    /// The tries are given back with it.
    Pin(Pin, u8),
    PinTries(u8),
    Record(Place, &'c [u8]),
}

impl Chip {
    /// A command with secure messaging: its MAC first, then what it wants.
    pub(super) fn script(&mut self, command: &Command<'_>) -> Result<Answer, Stop> {
        self.application()?;
        let occasion = self.script_occasion(command)?;
        let after_last = self.session.transaction.phase == Phase::Done;
        match self
            .authentic(command, occasion)
            .and_then(|data| self.change_of(command, occasion, data))
        {
            Ok(change) => self.keep(|kept| {
                // A change that the memory does not take was refused before.
                let _ = change.apply(kept);
                if after_last {
                    kept.scripts.count = kept.scripts.count.saturating_add(1);
                }
            })?,
            Err(status) => {
                self.session.transaction.has_failed_script = true;
                self.keep(|kept| kept.scripts.has_failed = true)?;
                return Err(status.into());
            }
        }
        Ok(Answer::DONE)
    }

    /// The transaction that scripts may answer now.
    fn script_occasion(&self, command: &Command<'_>) -> Result<Occasion, Status> {
        let is_unblock = (command.class, command.instruction) == (0x84, 0x18);
        let is_now = match (self.session.transaction.phase, self.kept.block) {
            (Phase::Online | Phase::Done, _) => true,
            (Phase::None | Phase::Initiated, Block::Application) => is_unblock,
            (Phase::None | Phase::Initiated, Block::Card | Block::None) => false,
        };
        self.kept.occasion.filter(|_| is_now).ok_or(Status::ConditionsNotSatisfied)
    }

    /// The command's data, if its MAC is good and new.
    fn authentic<'c>(
        &mut self,
        command: &Command<'c>,
        occasion: Occasion,
    ) -> Result<&'c [u8], Status> {
        let (data, theirs) = command.data.split_last_chunk::<8>().ok_or(Status::MacMissing)?;
        let key = self.rules()?.script.key(&self.profile.keys.smi, occasion);
        if !mac::is_equal(script::mac(&key, command.header(), occasion, data), *theirs) {
            return Err(Status::MacWrong);
        }
        let transaction = &mut self.session.transaction;
        let seen = transaction.macs.get(..transaction.mac_count).unwrap_or_default();
        let is_new = !seen.contains(theirs) && transaction.mac_count < SCRIPTS_MAX;
        let place = transaction.macs.get_mut(transaction.mac_count).filter(|_| is_new);
        *place.ok_or(Status::ConditionsNotSatisfied)? = *theirs;
        transaction.mac_count += 1;
        Ok(data)
    }

    /// What an authentic command wants, if the chip can do it.
    fn change_of<'c>(
        &self,
        command: &Command<'_>,
        occasion: Occasion,
        data: &'c [u8],
    ) -> Result<Change<'c>, Status> {
        let Command { class, instruction, parameters, .. } = *command;
        let tries_max = self.profile.pin_tries_max;
        let change = match (class, instruction, parameters) {
            (0x84, 0x16, [0, 0]) => Change::Block(Block::Card),
            (0x84, 0x18, [0, 0]) => Change::Block(Block::None),
            (0x84, 0x1E, [0, 0]) => Change::Block(Block::Application),
            (0x84, 0x24, [0, 0]) => Change::PinTries(tries_max),
            (0x84, 0x24, [0, 0x01]) => {
                Change::Pin(self.new_pin(occasion, data, Some(&self.kept.pin))?, tries_max)
            }
            (0x84, 0x24, [0, 0x02]) => Change::Pin(self.new_pin(occasion, data, None)?, tries_max),
            (0x04, 0xDA, tag) => Change::datum(u16::from_be_bytes(tag), data)?,
            (0x04, 0xDC, [record, reference]) if reference & 0x07 == 0x04 => {
                let place = Place { file: reference >> 3, record };
                let old = self.kept.files.read(place).map_err(|_| Status::RecordNotFound)?;
                let is_fitting = old.len() == data.len();
                Change::Record(place, is_fitting.then_some(data).ok_or(Status::WrongLength)?)
            }
            _ => return Err(Status::WrongParameters),
        };
        let takes_data = match &change {
            Change::Block(_) | Change::PinTries(_) => false,
            Change::Datum { .. } | Change::Pin(..) | Change::Record(..) => true,
        };
        if data.is_empty() == takes_data { Err(Status::WrongLength) } else { Ok(change) }
    }

    /// A new PIN out of its enciphered block.
    fn new_pin(&self, occasion: Occasion, data: &[u8], old: Option<&Pin>) -> Result<Pin, Status> {
        let sealed: [u8; 16] = data.try_into().map_err(|_| Status::WrongLength)?;
        let rules = self.rules()?;
        let key = rules.script.key(&self.profile.keys.smc, occasion);
        let mut clear = script::decipher_visa(&key, sealed).ok_or(Status::WrongData)?;
        let pin = match (rules.script, old) {
            (ScriptSession::CommonOfCryptogram, None) => pin_block::decode_format2(clear).ok(),
            (ScriptSession::CommonOfCryptogram, Some(_)) | (ScriptSession::Visa, _) => {
                script::read_visa_pin_block(&self.profile.keys.ac, clear, old)
            }
        };
        clear.zeroize();
        pin.ok_or(Status::WrongData)
    }

    /// The rules of the chip's version.
    pub(super) fn rules(&self) -> Result<&'static Rules, Status> {
        self.profile.version.rules().ok_or(Status::Internal)
    }
}

impl<'c> Change<'c> {
    /// PUT DATA: limits, and the number of PIN tries.
    fn datum(tag: u16, data: &'c [u8]) -> Result<Self, Status> {
        let len_octets = match tag {
            0x9F17 | 0x9F58 | 0x9F59 => 1,
            0x9F54 | 0x9F5C => 6,
            _ => return Err(Status::DataNotFound),
        };
        if data.len() != len_octets {
            return Err(Status::WrongLength);
        }
        let number = data.iter().try_fold(0_u64, |number, octet| {
            let (tens, ones) = (octet >> 4, octet & 0x0F);
            // Amounts are packed digits, counts are binary.
            match len_octets {
                1 => Some(u64::from(*octet)),
                _ if tens > 9 || ones > 9 => None,
                _ => Some(number * 100 + u64::from(tens) * 10 + u64::from(ones)),
            }
        });
        Ok(Self::Datum { tag, value: number.ok_or(Status::WrongData)? })
    }

    fn apply(self, kept: &mut Kept) -> Option<()> {
        match self {
            Self::Block(block) => kept.block = block,
            Self::Datum { tag: 0x9F54, value } => kept.limits.total_lower = value,
            Self::Datum { tag: 0x9F5C, value } => kept.limits.total_upper = value,
            Self::Datum { tag, value } => {
                let count = u8::try_from(value).ok()?;
                match tag {
                    0x9F17 => kept.pin_tries = count.min(PIN_TRIES_MAX),
                    0x9F58 => kept.limits.count_lower = count,
                    _ => kept.limits.count_upper = count,
                }
            }
            Self::Pin(pin, tries) => (kept.pin, kept.pin_tries) = (pin, tries),
            Self::PinTries(tries) => kept.pin_tries = tries,
            Self::Record(place, content) => kept.files.update(place, content)?,
        }
        Some(())
    }
}

/// More tries than a status word can tell.
const PIN_TRIES_MAX: u8 = 15;
