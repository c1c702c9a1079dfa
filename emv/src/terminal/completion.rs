//! After the first cryptogram: the issuer's answer, its scripts, and the card's second cryptogram.
//!
//! Sources: EMV 4.3 Book 3, sections 10.9 to 10.11; Book 4, sections 6.3.7 to 6.3.9 and Annex A5.

use crate::data::{Aip, CryptogramType, Tsi, Tvr};
use crate::tlv;

use super::action::Given;
use super::apdu::{Answer, Apdu};
use super::store::Octets;
use super::{
    Command, Decision, Interface, IssuerDecision, Kernel, OnlineResult, Phase, Reason, Route,
    Stepped,
};

/// What the issuer answered.
#[derive(Clone, Copy)]
pub(super) struct IssuerSaid {
    decision: Option<IssuerDecision>,
    /// Its objects: 91, 71, 72.
    data: Octets<CHIP_DATA_OCTETS_MAX>,
}

impl IssuerSaid {
    pub(super) const NOTHING: Self = Self { decision: None, data: Octets::EMPTY };

    /// Whether the issuer has answered at all.
    pub(super) fn answered(&self) -> bool {
        self.decision.is_some()
    }

    /// Whether the issuer has approved.
    pub(super) fn approved(&self) -> bool {
        self.decision == Some(IssuerDecision::Approve)
    }

    /// Issuer authentication data (91), if it has any.
    pub(super) fn authentication(&self) -> Option<&[u8]> {
        tlv::value_of(self.data.as_slice(), 0x91)
    }

    /// The script template of this tag and number, the first being 0.
    fn script(&self, tag: u32, number: usize) -> Option<&[u8]> {
        let objects = tlv::objects(self.data.as_slice()).map_while(Result::ok);
        objects.filter(|object| object.tag == tag).nth(number).map(|object| object.value)
    }
}

/// Which command of which script is under way.
#[derive(Clone, Copy)]
pub(super) struct ScriptPlace {
    pub(super) when: When,
    /// The script, the first being 0.
    script: usize,
    /// The command in it, the first being 0.
    command: usize,
}

/// When a script is run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum When {
    /// After the second cryptogram: template 72.
    AfterFinal,
    /// Before it: template 71.
    BeforeFinal,
}

impl When {
    fn tag(self) -> u32 {
        match self {
            Self::AfterFinal => 0x72,
            Self::BeforeFinal => 0x71,
        }
    }

    fn failed(self) -> Tvr {
        match self {
            Self::AfterFinal => Tvr::SCRIPT_FAILED_AFTER_FINAL,
            Self::BeforeFinal => Tvr::SCRIPT_FAILED_BEFORE_FINAL,
        }
    }
}

impl Kernel<'_> {
    /// Takes the issuer's answer, or that there is none.
    pub(super) fn online_done(&mut self, result: OnlineResult<'_>) -> Stepped {
        let (decision, response_code, chip_data) = match result {
            OnlineResult::Unable => return self.cannot_go_online(),
            OnlineResult::Answered { decision, response_code, chip_data } => {
                (decision, response_code, chip_data)
            }
        };
        self.route = Route::Online;
        self.response_code = response_code;
        // What cannot be read as a whole is not there: the card then misses what it needs.
        let is_whole = tlv::check(chip_data).is_ok();
        let data = Octets::of(chip_data).filter(|_| is_whole).unwrap_or(Octets::EMPTY);
        self.issuer = IssuerSaid { decision: Some(decision), data };
        if self.transaction.interface == Interface::Contactless {
            return Ok(self.end(match decision {
                IssuerDecision::Approve => Decision::Approved,
                IssuerDecision::Decline => Decision::Declined,
            }));
        }
        let by_command = self.profile().has(Aip::ISSUER_AUTHENTICATION_SUPPORTED);
        match self.issuer.authentication() {
            Some(data) if by_command => {
                let apdu = Apdu::external_authenticate(data);
                let is_fitting = (8..=16).contains(&data.len());
                self.tsi = self.tsi.with(Tsi::ISSUER_AUTHENTICATION_PERFORMED);
                if !is_fitting {
                    self.tvr = self.tvr.with(Tvr::ISSUER_AUTHENTICATION_FAILED);
                    return self.next_script_command(When::BeforeFinal.start());
                }
                self.phase = Phase::ExternalAuthenticate;
                self.send_made(Command::ExternalAuthenticate, apdu)
            }
            Some(_) | None => self.next_script_command(When::BeforeFinal.start()),
        }
    }

    /// Decides without the issuer, by the default codes.
    pub(super) fn cannot_go_online(&mut self) -> Stepped {
        self.route = Route::UnableToGoOnline;
        if self.transaction.interface == Interface::Contactless {
            self.response_code = *b"Z3";
            return Ok(self.end(Decision::Declined));
        }
        let (code, kind) = if self.declines_without_issuer() {
            (*b"Z3", CryptogramType::Aac)
        } else {
            (*b"Y3", CryptogramType::Tc)
        };
        self.response_code = code;
        self.ask_second(kind)
    }

    pub(super) fn issuer_authenticated(&mut self, answer: Answer<'_>) -> Stepped {
        if !answer.is_done() {
            self.tvr = self.tvr.with(Tvr::ISSUER_AUTHENTICATION_FAILED);
        }
        self.next_script_command(When::BeforeFinal.start())
    }

    /// Sends the script command at `place`, or what follows the last one.
    fn next_script_command(&mut self, mut place: ScriptPlace) -> Stepped {
        while let Some(script) = self.issuer.script(place.when.tag(), place.script) {
            self.tsi = self.tsi.with(Tsi::SCRIPT_PROCESSING_PERFORMED);
            let objects = tlv::objects(script).map_while(Result::ok);
            let mut commands = objects.filter(|object| object.tag == 0x86);
            let Some(command) = commands.nth(place.command) else {
                self.script_done(place, SUCCESSFUL);
                place = place.next_script();
                continue;
            };
            match Apdu::script(command.value) {
                Some(apdu) => {
                    self.phase = Phase::Script(place);
                    return self.send(apdu);
                }
                None => {
                    self.script_failed(place);
                    place = place.next_script();
                }
            }
        }
        match place.when {
            When::BeforeFinal if self.issuer.approved() => self.ask_second(CryptogramType::Tc),
            When::BeforeFinal => self.ask_second(CryptogramType::Aac),
            When::AfterFinal => Ok(self.end(self.decided.unwrap_or(Decision::Declined))),
        }
    }

    pub(super) fn script_answered(&mut self, place: ScriptPlace, answer: Answer<'_>) -> Stepped {
        let [first, _] = answer.status.to_be_bytes();
        // Warnings do not stop a script (EMV 4.3 Book 3, section 10.10).
        if matches!(first, 0x62 | 0x63 | 0x90) {
            return self.next_script_command(place.next_command());
        }
        self.script_failed(place);
        self.next_script_command(place.next_script())
    }

    fn script_failed(&mut self, place: ScriptPlace) {
        self.tvr = self.tvr.with(place.when.failed());
        let number = u8::try_from(place.command + 1).unwrap_or(u8::MAX).min(0x0F);
        self.script_done(place, FAILED | number);
    }

    fn script_done(&mut self, place: ScriptPlace, result: u8) {
        let script = self.issuer.script(place.when.tag(), place.script).unwrap_or_default();
        let identifier = tlv::value_of(script, 0x9F18).and_then(|value| value.try_into().ok());
        self.scripts.push(result, identifier.unwrap_or_default());
    }

    /// Asks for the second cryptogram.
    pub(super) fn ask_second(&mut self, kind: CryptogramType) -> Stepped {
        self.asked = kind;
        self.phase = Phase::SecondCryptogram;
        self.ask_for_cryptogram(kind, 2, 0x8D)
    }

    pub(super) fn second_cryptogram_given(&mut self, answer: Answer<'_>) -> Stepped {
        if !answer.is_done() {
            return Err(Reason::BadStatus(Command::GenerateAc, answer.status));
        }
        let decision = match self.read_cryptogram(answer, 3)? {
            Given::Good(_, CryptogramType::Arqc) | Given::Unsigned(CryptogramType::Arqc) => {
                return Err(Reason::WrongCryptogram);
            }
            Given::Good(_, CryptogramType::Tc) if self.asked != CryptogramType::Tc => {
                return Err(Reason::WrongCryptogram);
            }
            Given::Good(cryptogram, kind) => {
                self.cryptogram = Some(cryptogram);
                match kind {
                    CryptogramType::Tc => Decision::Approved,
                    CryptogramType::Aac | CryptogramType::Arqc => Decision::Declined,
                }
            }
            Given::Unsigned(CryptogramType::Aac | CryptogramType::Tc) => {
                self.combined_failed();
                Decision::Declined
            }
        };
        self.decided = Some(decision);
        self.next_script_command(When::AfterFinal.start())
    }

    /// What an end in the middle of a script means for its result.
    pub(super) fn note_broken_script(&mut self) {
        if let Phase::Script(place) = self.phase {
            self.script_failed(place);
        }
    }
}

impl When {
    fn start(self) -> ScriptPlace {
        ScriptPlace { when: self, script: 0, command: 0 }
    }
}

impl ScriptPlace {
    fn next_command(self) -> Self {
        Self { command: self.command + 1, ..self }
    }

    fn next_script(self) -> Self {
        Self { script: self.script + 1, command: 0, ..self }
    }
}

/// The upper half of a script's result (EMV 4.3 Book 4, Annex A5).
const FAILED: u8 = 0x10;
const SUCCESSFUL: u8 = 0x20;

/// Octets of what an issuer can say to a card.
const CHIP_DATA_OCTETS_MAX: usize = 512;
