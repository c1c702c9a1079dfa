//! Cardholder verification: the card's list of methods, rule by rule, with everything that can
//! happen to a PIN.
//!
//! Sources: EMV 4.3 Book 3, section 10.5; Book 4, section 6.3.4, what the results say in 6.3.4.5.

use crate::crypto::rsa::PublicKey;
use crate::data::{
    Aip, CvmCondition, CvmList, CvmMethod, CvmResult, CvmResults, CvmRule, TerminalCapabilities,
    Tsi, Tvr,
};
use crate::tlv;

use super::apdu::{Answer, Apdu};
use super::{
    AfterText, Command, Kernel, Kind, Next, Phase, PinEntered, PinRequest, Reason, Stepped, Text,
};

/// How far the list has been gone through.
#[derive(Clone, Copy)]
pub(super) struct Verification {
    /// The place of the rule that is tried next.
    next: usize,
    /// The rule that is tried.
    rule: Option<CvmRule>,
    /// How many PIN tries are left, if the card tells.
    tries_left: Option<u8>,
    /// The chip's number for an enciphered PIN.
    challenge: [u8; 8],
    key: Option<PublicKey>,
    /// Why no PIN will be entered any more: its bit.
    without_pin: Option<Tvr>,
}

impl Verification {
    pub(super) const START: Self = Self {
        next: 0,
        rule: None,
        tries_left: None,
        challenge: [0; 8],
        key: None,
        without_pin: None,
    };
}

/// What the machine waits for while a PIN is verified.
#[derive(Clone, Copy)]
pub(super) enum VerificationStep {
    /// The card's number for an enciphered PIN.
    Challenge,
    /// The cardholder.
    Entry,
    /// The number of PIN tries.
    Tries,
    /// The card's judgement.
    Verify,
}

impl VerificationStep {
    pub(super) fn awaits_answer(self) -> bool {
        match self {
            Self::Challenge | Self::Tries | Self::Verify => true,
            Self::Entry => false,
        }
    }
}

/// Who verifies a PIN.
#[derive(Clone, Copy, Eq, PartialEq)]
enum PinBy {
    ChipEnciphered,
    ChipPlain,
    Issuer,
}

impl Kernel<'_> {
    /// Begins with the card's list, if both sides want the cardholder verified.
    pub(super) fn verify_cardholder(&mut self) -> Stepped {
        if !self.profile().has(Aip::CARDHOLDER_VERIFICATION_SUPPORTED) {
            return self.manage_risk();
        }
        match self.card.value(0x8E) {
            None => {
                self.tvr = self.tvr.with(Tvr::ICC_DATA_MISSING);
                self.manage_risk()
            }
            Some(value) => match CvmList::parse(value) {
                Some(list) if list.rules().len() > 0 => self.next_rule(),
                // A list without a rule counts as none, but is there.
                Some(_) => self.manage_risk(),
                None => Err(Reason::BadValue(0x8E)),
            },
        }
    }

    /// Tries the rules from the next one on, until one decides or wants something.
    fn next_rule(&mut self) -> Stepped {
        loop {
            let list = self.card.value(0x8E).and_then(CvmList::parse);
            let list = list.ok_or(Reason::BadValue(0x8E))?;
            let Some(rule) = list.rules().nth(self.verification.next) else {
                return self.verification_failed();
            };
            let limits = [u64::from(list.amount_x), u64::from(list.amount_y)];
            self.verification.next += 1;
            self.verification.rule = Some(rule);
            if !self.applies(rule, limits) {
                continue;
            }
            let pin = match rule.method() {
                CvmMethod::Fail => {
                    self.cvm = CvmResults::of(rule, CvmResult::Failed);
                    return self.verification_failed();
                }
                CvmMethod::NoCvm if self.is_supported(rule) => {
                    self.cvm = CvmResults::of(rule, CvmResult::Successful);
                    return self.verified();
                }
                CvmMethod::Signature if self.is_supported(rule) => {
                    self.cvm = CvmResults::of(rule, CvmResult::Unknown);
                    return self.verified();
                }
                CvmMethod::Unknown(_) => {
                    self.tvr = self.tvr.with(Tvr::UNRECOGNISED_CVM);
                    None
                }
                CvmMethod::NoCvm | CvmMethod::Signature => None,
                CvmMethod::OfflineEncipheredPin | CvmMethod::OfflineEncipheredPinAndSignature => {
                    Some(PinBy::ChipEnciphered)
                }
                CvmMethod::OfflinePlainPin | CvmMethod::OfflinePlainPinAndSignature => {
                    Some(PinBy::ChipPlain)
                }
                CvmMethod::OnlinePin => Some(PinBy::Issuer),
            };
            if let Some(by) = pin
                && let Some(next) = self.begin_pin(rule, by)?
            {
                return Ok(next);
            }
            if !rule.goes_on() {
                return self.verification_failed();
            }
        }
    }

    /// Whether a rule's condition holds (EMV 4.3 Book 3, table 40).
    fn applies(&self, rule: CvmRule, [x, y]: [u64; 2]) -> bool {
        let is_unattended_cash = self.is_cash() && self.config.kind == Kind::Cashpoint;
        let is_manual_cash = self.is_cash() && !is_unattended_cash;
        let amount = self.transaction.amount;
        let in_currency = self.card.value(0x9F42) == Some(&self.config.currency);
        match rule.condition() {
            CvmCondition::Always => true,
            CvmCondition::UnattendedCash => is_unattended_cash,
            CvmCondition::NoCash => !self.is_cash() && !self.is_cashback(),
            CvmCondition::Supported => self.is_supported(rule),
            CvmCondition::ManualCash => is_manual_cash,
            CvmCondition::Cashback => self.is_cashback(),
            CvmCondition::UnderX => in_currency && amount < x,
            CvmCondition::OverX => in_currency && amount > x,
            CvmCondition::UnderY => in_currency && amount < y,
            CvmCondition::OverY => in_currency && amount > y,
            CvmCondition::Unknown(_) => false,
        }
    }

    /// Whether the terminal can do what a rule asks for.
    fn is_supported(&self, rule: CvmRule) -> bool {
        use TerminalCapabilities as Able;

        let able = self.config.capabilities;
        match rule.method() {
            // Failing needs no machine.
            CvmMethod::Fail => true,
            CvmMethod::NoCvm => able.has(Able::NO_CVM),
            CvmMethod::OfflineEncipheredPin => able.has(Able::OFFLINE_ENCIPHERED_PIN),
            CvmMethod::OfflineEncipheredPinAndSignature => {
                able.has(Able::OFFLINE_ENCIPHERED_PIN.with(Able::SIGNATURE))
            }
            CvmMethod::OfflinePlainPin => able.has(Able::OFFLINE_PLAIN_PIN),
            CvmMethod::OfflinePlainPinAndSignature => {
                able.has(Able::OFFLINE_PLAIN_PIN.with(Able::SIGNATURE))
            }
            CvmMethod::OnlinePin => able.has(Able::ONLINE_PIN),
            CvmMethod::Signature => able.has(Able::SIGNATURE),
            CvmMethod::Unknown(_) => false,
        }
    }

    /// Begins with a PIN; `None` where there will be none, and the rule has failed.
    fn begin_pin(&mut self, rule: CvmRule, by: PinBy) -> Result<Option<Next>, Reason> {
        use TerminalCapabilities as Able;

        if !self.is_supported(rule) {
            let pads = Able::OFFLINE_ENCIPHERED_PIN.with(Able::OFFLINE_PLAIN_PIN);
            if !self.config.capabilities.meets(pads.with(Able::ONLINE_PIN)) {
                self.tvr = self.tvr.with(Tvr::PIN_PAD_MISSING);
            }
            return Ok(None);
        }
        // Who went on without a PIN once is not asked again (EMV 4.3 Book 4, section 6.3.4.3).
        if let Some(bit) = self.verification.without_pin {
            self.tvr = self.tvr.with(bit);
            self.cvm = CvmResults::of(rule, CvmResult::Failed);
            return Ok(None);
        }
        match by {
            PinBy::Issuer => Ok(Some(self.ask_pin())),
            PinBy::ChipPlain => self.ask_for_tries().map(Some),
            PinBy::ChipEnciphered => {
                self.verification.key = self.recover_pin_key();
                if self.verification.key.is_none() {
                    self.cvm = CvmResults::of(rule, CvmResult::Failed);
                    return Ok(None);
                }
                self.ask_for_tries().map(Some)
            }
        }
    }

    fn ask_for_tries(&mut self) -> Stepped {
        self.phase = Phase::Verification(VerificationStep::Tries);
        self.send_made(Command::GetData, Apdu::get_data(0x9F17))
    }

    fn ask_pin(&mut self) -> Next {
        self.phase = Phase::Verification(VerificationStep::Entry);
        Next::EnterPin
    }

    /// How the PIN is wanted, while one is.
    pub(super) fn pin_request(&self) -> Option<PinRequest<'_>> {
        if let Phase::ContactlessPin = self.phase {
            return Some(PinRequest::Online);
        }
        let Verification { tries_left, challenge, .. } = self.verification;
        match self.pin_by()? {
            PinBy::ChipEnciphered => {
                let key = self.verification.key.as_ref()?;
                Some(PinRequest::OfflineEnciphered { challenge, key, tries_left })
            }
            PinBy::ChipPlain => Some(PinRequest::OfflinePlain { tries_left }),
            PinBy::Issuer => Some(PinRequest::Online),
        }
    }

    /// Who verifies the PIN of the rule that is tried.
    fn pin_by(&self) -> Option<PinBy> {
        match self.verification.rule?.method() {
            CvmMethod::OfflineEncipheredPin | CvmMethod::OfflineEncipheredPinAndSignature => {
                Some(PinBy::ChipEnciphered)
            }
            CvmMethod::OfflinePlainPin | CvmMethod::OfflinePlainPinAndSignature => {
                Some(PinBy::ChipPlain)
            }
            CvmMethod::OnlinePin => Some(PinBy::Issuer),
            CvmMethod::Fail | CvmMethod::NoCvm | CvmMethod::Signature | CvmMethod::Unknown(_) => {
                None
            }
        }
    }

    pub(super) fn pin_entered(&mut self, entered: PinEntered<'_>) -> Stepped {
        let apdu = match (entered, self.pin_by()) {
            (PinEntered::Bypassed, _) => return self.go_without(Tvr::PIN_NOT_ENTERED),
            (PinEntered::PadBroken, _) => return self.go_without(Tvr::PIN_PAD_MISSING),
            (PinEntered::OnlineDone, Some(PinBy::Issuer)) => {
                self.tvr = self.tvr.with(Tvr::ONLINE_PIN_ENTERED);
                self.results(CvmResult::Unknown);
                return self.verified();
            }
            (PinEntered::Plain(block), Some(PinBy::ChipPlain)) => Apdu::verify(&block, false),
            (PinEntered::Enciphered(block), Some(PinBy::ChipEnciphered)) => {
                Apdu::verify(block, true)
            }
            (PinEntered::OnlineDone | PinEntered::Plain(_) | PinEntered::Enciphered(_), _) => {
                return Err(Reason::UnexpectedEvent);
            }
        };
        self.phase = Phase::Verification(VerificationStep::Verify);
        self.send_made(Command::Verify, apdu)
    }

    /// No PIN will be entered in this transaction.
    fn go_without(&mut self, bit: Tvr) -> Stepped {
        self.verification.without_pin = Some(bit);
        self.pin_failed(bit)
    }

    pub(super) fn verification_answered(
        &mut self,
        step: VerificationStep,
        answer: Answer<'_>,
    ) -> Stepped {
        match step {
            VerificationStep::Tries => {
                // A card that does not tell is asked for its judgement all the same.
                self.verification.tries_left = match tlv::value_of(answer.data, 0x9F17) {
                    Some([tries]) if answer.is_done() => Some(*tries),
                    Some(_) | None => None,
                };
                if self.verification.tries_left == Some(0) {
                    return self.pin_failed(Tvr::PIN_TRY_LIMIT_EXCEEDED);
                }
                self.ask_pin_again()
            }
            VerificationStep::Challenge => match answer.data.try_into() {
                Ok(challenge) if answer.is_done() => {
                    self.verification.challenge = challenge;
                    Ok(self.ask_pin())
                }
                Ok(_) | Err(_) => self.pin_failed(Tvr::default()),
            },
            VerificationStep::Verify => self.pin_judged(answer.status),
            VerificationStep::Entry => Err(Reason::UnexpectedEvent),
        }
    }

    /// Asks for the PIN; one to be enciphered needs the card's number first, anew each time.
    pub(super) fn ask_pin_again(&mut self) -> Stepped {
        if self.pin_by() != Some(PinBy::ChipEnciphered) {
            return Ok(self.ask_pin());
        }
        self.phase = Phase::Verification(VerificationStep::Challenge);
        self.send_made(Command::GetChallenge, Apdu::get_challenge())
    }

    fn pin_judged(&mut self, status: u16) -> Stepped {
        match status {
            0x9000 => {
                // A signature that belongs to the method is for the merchant to judge.
                let with_signature = matches!(
                    self.verification.rule.map(CvmRule::method),
                    Some(
                        CvmMethod::OfflineEncipheredPinAndSignature
                            | CvmMethod::OfflinePlainPinAndSignature
                    )
                );
                self.results(if with_signature {
                    CvmResult::Unknown
                } else {
                    CvmResult::Successful
                });
                self.phase = Phase::Displaying(AfterText::PinVerified);
                Ok(Next::Display(Text::PinOk))
            }
            0x63C0 | 0x6983 | 0x6984 => self.pin_failed(Tvr::PIN_TRY_LIMIT_EXCEEDED),
            0x63C1..=0x63CF => {
                // The last half octet is a number below 16.
                self.verification.tries_left = Some((status & 0x0F) as u8);
                self.phase = Phase::Displaying(AfterText::AskPinAgain);
                Ok(Next::Display(Text::IncorrectPin))
            }
            _ => Err(Reason::BadStatus(Command::Verify, status)),
        }
    }

    pub(super) fn pin_verified(&mut self) -> Stepped {
        self.verified()
    }

    /// The rule's PIN has failed, for the reason of `bit`: the next rule, or the end of the list.
    fn pin_failed(&mut self, bit: Tvr) -> Stepped {
        self.tvr = self.tvr.with(bit);
        self.results(CvmResult::Failed);
        if self.verification.rule.is_some_and(CvmRule::goes_on) {
            self.next_rule()
        } else {
            self.verification_failed()
        }
    }

    fn results(&mut self, result: CvmResult) {
        if let Some(rule) = self.verification.rule {
            self.cvm = CvmResults::of(rule, result);
        }
    }

    fn verified(&mut self) -> Stepped {
        self.tsi = self.tsi.with(Tsi::CARDHOLDER_VERIFICATION_PERFORMED);
        self.manage_risk()
    }

    fn verification_failed(&mut self) -> Stepped {
        self.tvr = self.tvr.with(Tvr::CARDHOLDER_VERIFICATION_FAILED);
        if self.cvm == CvmResults::NONE {
            // Nothing was tried: no rule applied, or none that the terminal can do.
            let CvmResults([method, condition, _]) = CvmResults::NONE;
            self.cvm = CvmResults([method, condition, CvmResult::Failed.octet()]);
        }
        self.verified()
    }
}
