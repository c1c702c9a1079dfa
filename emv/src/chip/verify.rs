//! PINs that the chip compares, and the challenges that enciphered ones answer.
//!
//! A try is spent before the comparison and given back after a right PIN, so that tearing the card
//! out saves none. Whatever holds no right PIN costs a try: a block that deciphers to nothing as
//! much as a wrong one.
//!
//! Source: EMV 4.3 Book 3, sections 6.5.6 (GET CHALLENGE) and 6.5.12 (VERIFY, tables 23 and 24);
//! Book 2, section 7.2 (enciphered PIN).

use crate::Pin;
use crate::chip::Chip;
use crate::chip::apdu::{Answer, Command, Status, Stop};
use crate::chip::session::{Phase, PinCheck};
use crate::crypto::pin_block;
use crate::oda::offline_pin;

impl Chip {
    /// GET CHALLENGE: eight octets, good for one VERIFY.
    pub(super) fn challenge(
        &mut self,
        command: &Command<'_>,
        room: &mut [u8],
    ) -> Result<Answer, Stop> {
        self.application()?;
        command.has_parameters([0, 0])?;
        command.has_data_of(0)?;
        let challenge = self.session.draw();
        room.get_mut(..8).ok_or(Status::Internal)?.copy_from_slice(&challenge);
        self.session.challenge = Some(challenge);
        Ok(Answer::of(8))
    }

    /// VERIFY.
    pub(super) fn verify(&mut self, command: &Command<'_>) -> Result<Answer, Stop> {
        self.application()?;
        match self.session.transaction.phase {
            Phase::None => return Err(Status::ConditionsNotSatisfied.into()),
            Phase::Initiated | Phase::Online | Phase::Done => (),
        }
        let entered = match command.parameters {
            [0x00, PLAIN] => {
                let block = command.data.try_into().map_err(|_| Status::WrongLength)?;
                self.spend_try()?;
                pin_block::decode_format2(block).ok()
            }
            [0x00, ENCIPHERED] => {
                let key = self.pin_key.as_ref().ok_or(Status::WrongParameters)?;
                command.has_data_of(key.public().len_octets())?;
                let challenge = self.session.challenge.take();
                let challenge = challenge.ok_or(Status::ConditionsNotSatisfied)?;
                let pin = offline_pin::decipher(key, command.data, challenge).ok();
                self.spend_try()?;
                pin
            }
            _ => return Err(Status::WrongParameters.into()),
        };
        self.compare(entered)
    }

    fn spend_try(&mut self) -> Result<(), Stop> {
        self.session.transaction.pin = PinCheck::Failed;
        let left = self.kept.pin_tries.checked_sub(1).ok_or(Status::PinBlocked)?;
        self.keep(|kept| kept.pin_tries = left)
    }

    fn compare(&mut self, entered: Option<Pin>) -> Result<Answer, Stop> {
        if entered.as_ref() != Some(&self.kept.pin) {
            return Err(Status::PinWrong(self.kept.pin_tries).into());
        }
        let tries_max = self.profile.pin_tries_max;
        self.keep(|kept| kept.pin_tries = tries_max)?;
        self.session.transaction.pin = PinCheck::Passed;
        Ok(Answer::DONE)
    }
}

/// Reference of a PIN in clear: a block of format 2.
const PLAIN: u8 = 0x80;

/// Reference of a PIN enciphered under the chip's key.
const ENCIPHERED: u8 = 0x88;
