//! The security module in software: the keys are in this process, wiped when it ends.
//!
//! Keys come as key blocks under the start key, or are the published test keys ([`CardKeys`]);
//! those that links exchange stand beside them until the process ends. Nothing here branches on a
//! PIN or a MAC before the whole of it was compared.

use std::collections::HashMap;

use cekr_emv::CardNumber;
use cekr_emv::crypto::aes::KeyLength;
use cekr_emv::crypto::cavv::{Authentication, cavv};
use cekr_emv::crypto::cvn::{Rules, Scheme};
use cekr_emv::crypto::cvv::{self, Cvv, Expiry, ServiceCode};
use cekr_emv::crypto::dukpt::{aes, tdes};
use cekr_emv::crypto::mac::{self, Padding};
use cekr_emv::crypto::pin_block::{PinBlockError, decipher_zone, encipher_format0, format4};
use cekr_emv::crypto::script::{Occasion, PinChangeKeys};
use cekr_emv::crypto::tr31;
use cekr_emv::crypto::{ibm3624, pvv};
use cekr_emv::data::{Cvr, IssuerData};
use cekr_emv::issuer::{
    Card, Fault, Letter, Outcome, Profile, Proven, Request, ScriptResult, SealedCommand, Told,
    When, pin_change, respond, script_id, template, verify,
};
use cekr_emv::keys::{Kcv, Key, Mak, Zpk};
use cekr_emv::pin::Pin;
use cekr_emv::tlv::Writer;
use cekr_iso8583::Pan;
use cekr_issuer::{
    ChipFault, ChipProof, ChipRight, ChipScript, ChipSeen, ChipVersion, ConfirmationNumber,
    Findings, NewPinProof, PinProof, SecondFactor,
};

use super::{
    CHIP_ANSWER_OCTETS_MAX, CardKeys, ChipAnswer, ChipOrder, ExchangeError, Hsm, PinReference,
    SealedPin, Unavailable,
};
use crate::sync::{Arc, Mutex};

/// The module in software.
pub struct SoftHsm {
    keys: CardKeys,
    profile: Profile,
    /// Keys that links exchanged, by the listener's number.
    links: Mutex<HashMap<u32, LinkKeys>>,
    /// Cryptograms that were found right just now. Their answer is asked for next, as a rule, and
    /// to derive its key again would take longer than to make it. Each is taken out with that.
    proven: [Mutex<Option<(Pan, Proven)>>; PROVEN_MAX],
}

/// The working keys of one link; what it did not exchange is the keys' common one.
#[derive(Clone, Default)]
struct LinkKeys {
    pin: Option<Arc<Key<Zpk>>>,
    mac: Option<Arc<Key<Mak>>>,
}

impl SoftHsm {
    /// With these keys, for cards of the usual profile.
    #[must_use]
    pub fn new(keys: CardKeys) -> Self {
        let (links, proven) = (Mutex::default(), std::array::from_fn(|_| Mutex::default()));
        Self { keys, profile: Profile::PREPAID, links, proven }
    }

    /// With the published test keys: no secret, for simulated cards and terminals only.
    #[must_use]
    pub fn development() -> Self {
        Self::new(CardKeys::development())
    }

    fn card_of(&self, pan: Pan) -> Option<Card> {
        let number = CardNumber::from_number(pan.expose())?;
        Some(Card { number, sequence: self.profile.sequence })
    }

    /// Where a card's last cryptogram stands, if no other card's took its place.
    fn place(&self, pan: Pan) -> Option<&Mutex<Option<(Pan, Proven)>>> {
        let place = pan.expose() / 10 % PROVEN_MAX as u64;
        self.proven.get(usize::try_from(place).ok()?)
    }

    fn link(&self, link: u32) -> LinkKeys {
        self.links.lock().get(&link).cloned().unwrap_or_default()
    }

    /// The command of `order` for one transaction; none where there is no PIN in what was sent.
    fn sealed(
        &self,
        order: &ChipOrder,
        pan: Pan,
        card: &Card,
        rules: &Rules,
        occasion: Occasion,
    ) -> Option<SealedCommand> {
        let smi = card.script_key(&self.keys.imk_smi, rules);
        match order {
            ChipOrder::Command(command) => Some(command.sealed(rules.script, &smi, occasion)),
            ChipOrder::NewPin(sealed) => {
                let pin = self.pin_of(sealed, pan).ok()?;
                let ac = rules.card_key(&self.keys.imk_ac, card.number, card.sequence);
                let smc = card.script_key(&self.keys.imk_smc, rules);
                let keys = PinChangeKeys { ac: &ac, smi: &smi, smc: &smc };
                Some(pin_change(rules.script, &keys, occasion, &pin, None))
            }
        }
    }

    fn pin_of(&self, sealed: &SealedPin, pan: Pan) -> Result<Pin, NoPin> {
        let number = pan.expose();
        let card = CardNumber::from_number(number).ok_or(NoPin)?;
        match *sealed {
            SealedPin::DukptAes { block, ksn } => {
                let [pad @ .., _, _, _, _] = ksn;
                let ksn = aes::Ksn::new(ksn);
                let first = aes::initial_key(&self.keys.bdk_aes, pad);
                let transaction = aes::transaction_key(&first, ksn).map_err(|_| NoPin)?;
                let key = aes::pin_key(&transaction, ksn, KeyLength::Bits128);
                Ok(format4::decipher(&key, block, card)?)
            }
            SealedPin::DukptTdes { block, ksn } => {
                let ksn = tdes::Ksn::new(ksn);
                let first = tdes::initial_key(&self.keys.bdk, ksn);
                let transaction = tdes::transaction_key(&first, ksn).map_err(|_| NoPin)?;
                Ok(decipher_zone(&tdes::pin_key(&transaction), block, number)?)
            }
            SealedPin::Unreadable => Err(NoPin),
            SealedPin::Zone { link, block } => {
                let exchanged = self.link(link).pin;
                let key = exchanged.as_deref().unwrap_or(&self.keys.zpk);
                Ok(decipher_zone(key, block, number)?)
            }
            SealedPin::ZoneAes { block } => Ok(format4::decipher(&self.keys.zpk_aes, block, card)?),
        }
    }
}

/// What came is no PIN block under our key.
struct NoPin;

impl From<PinBlockError> for NoPin {
    fn from(_: PinBlockError) -> Self {
        Self
    }
}

impl Hsm for SoftHsm {
    fn verify_chip(&self, pan: Pan, data: &[u8], told: &Told) -> Result<ChipProof, Unavailable> {
        let request = match Request::parse(data) {
            Ok(request) => request,
            Err(Fault::NoCryptogram) => return Ok(ChipProof::Absent),
            Err(_) => return Ok(ChipProof::Refused(ChipFault::Format)),
        };
        let Some(card) = self.card_of(pan) else {
            return Ok(ChipProof::Refused(ChipFault::Format));
        };
        let verdict = verify(&request, told, &self.keys.imk_ac, &card, &self.profile, None);
        let proven = match (verdict.proven, ChipFault::of(verdict.letter)) {
            (_, Some(fault)) => return Ok(ChipProof::Refused(fault)),
            (Some(proven), None) => proven,
            (None, None) => return Ok(ChipProof::Refused(ChipFault::Invalid)),
        };
        let Some(version) = ChipVersion::of_octet(proven.rules.version) else {
            return Ok(ChipProof::Refused(ChipFault::Unsupported));
        };
        let cvr = IssuerData::parse(request.issuer_data).map_or(Cvr::NONE, |data| data.results);
        let Occasion { atc, arqc } = proven.occasion;
        if let Some(place) = self.place(pan) {
            *place.lock() = Some((pan, proven));
        }
        Ok(ChipProof::Right(ChipRight {
            seen: ChipSeen { atc, arqc, version, script: None },
            findings: if verdict.letter == Letter::C { Findings::Fine } else { Findings::Refused },
            has_verified_pin: cvr.has(Cvr::OFFLINE_PIN_PERFORMED)
                && !cvr.meets(Cvr::OFFLINE_PIN_FAILED),
            is_pin_blocked: cvr.has(Cvr::PIN_TRY_LIMIT_EXCEEDED),
            scripts_sealed: (cvr.script_count(), cvr.has(Cvr::SCRIPT_FAILED)),
            // An answer has one script.
            script_told: request.script_results.and_then(|told| ScriptResult::all(told).next()),
        }))
    }

    fn answer_chip(
        &self,
        pan: Pan,
        seen: &ChipSeen,
        code: [u8; 2],
        outcome: Outcome,
        order: Option<&ChipOrder>,
    ) -> Result<ChipAnswer, Unavailable> {
        let occasion = Occasion { atc: seen.atc, arqc: seen.arqc };
        let by = (Scheme::Visa, seen.version.octet());
        let answered = self.card_of(pan).and_then(|card| {
            let mut octets = [0; CHIP_ANSWER_OCTETS_MAX];
            let mut len = 0;
            // A chip that is unblocked has no cryptogram under way that could be answered.
            if seen.script != Some(ChipScript::ApplicationUnblock) {
                let proven = self.place(pan).and_then(|place| place.lock().take());
                let is_it =
                    |(of, proven): &(Pan, Proven)| *of == pan && proven.occasion == occasion;
                let issuer = match proven.filter(is_it) {
                    Some((_, proven)) => proven.answer(code, outcome),
                    None => respond(&self.keys.imk_ac, &card, by, occasion, code, outcome)?,
                };
                let mut writer = Writer::new(&mut octets);
                writer.put(ISSUER_AUTHENTICATION, issuer.octets()).ok()?;
                len = writer.written().len();
            }
            let rules = Rules::by_version(by.0, by.1)?;
            let command = order.and_then(|order| self.sealed(order, pan, &card, rules, occasion));
            if let Some(command) = command {
                let room = octets.get_mut(len..)?;
                // After the chip's last cryptogram: one that was blocked before could give none.
                len += template(When::AfterFinal, script_id(seen.atc), &[command], room).ok()?;
            }
            Some(ChipAnswer { octets, len_octets: u8::try_from(len).ok()? })
        });
        Ok(answered.unwrap_or(ChipAnswer::NONE))
    }

    fn verify_pin(
        &self,
        sealed: &SealedPin,
        pan: Pan,
        reference: &PinReference,
    ) -> Result<PinProof, Unavailable> {
        let Ok(pin) = self.pin_of(sealed, pan) else {
            return Ok(PinProof::Unreadable);
        };
        let is_right = match *reference {
            PinReference::None => false,
            PinReference::Offset { offset, validation, table } => {
                ibm3624::offset(&self.keys.pvk, &table, validation, &pin) == offset
            }
            PinReference::Pvv(expected) => self.verification_value(pan, &pin) == expected,
        };
        Ok(if is_right { PinProof::Right } else { PinProof::Wrong })
    }

    fn read_new_pin(&self, sealed: &SealedPin, pan: Pan) -> Result<NewPinProof, Unavailable> {
        Ok(match self.pin_of(sealed, pan) {
            Err(NoPin) => NewPinProof::Unreadable,
            Ok(pin) => NewPinProof::Read { pvv: self.verification_value(pan, &pin) },
        })
    }

    fn translate_pin(
        &self,
        sealed: &SealedPin,
        pan: Pan,
        to: u32,
    ) -> Result<Option<[u8; 8]>, Unavailable> {
        let Ok(pin) = self.pin_of(sealed, pan) else {
            return Ok(None);
        };
        let exchanged = self.link(to).pin;
        let key = exchanged.as_deref().unwrap_or(&self.keys.zpk);
        Ok(Some(encipher_format0(key, &pin, pan.expose())))
    }

    fn verification_value(&self, pan: Pan, pin: &Pin) -> u16 {
        pvv::pvv(&self.keys.pvk, VERIFICATION_KEY_INDEX, pan.expose(), pin).number()
    }

    fn verify_cvv(
        &self,
        pan: Pan,
        expiry: Expiry,
        service: ServiceCode,
        value: Cvv,
    ) -> Result<bool, Unavailable> {
        let card = CardNumber::from_number(pan.expose());
        Ok(card.is_some_and(|card| cvv::cvv(&self.keys.cvk, card, expiry, service) == value))
    }

    fn make_cavv(
        &self,
        pan: Pan,
        number: ConfirmationNumber,
        factor: SecondFactor,
    ) -> Result<[u8; 20], Unavailable> {
        let what = Authentication {
            number: number.packed(),
            outcome: CAVV_AUTHENTICATED,
            second_factor: factor.number(),
            key_id: CAVV_KEY_ID,
        };
        let card = CardNumber::from_number(pan.expose());
        card.and_then(|card| cavv(&self.keys.cvk, card, what)).ok_or(Unavailable)
    }

    fn verify_cavv(&self, pan: Pan, value: &[u8; 20]) -> Result<bool, Unavailable> {
        let [outcome, second_factor, key_id, _, _, _, _, number @ .., _, _, _, _, _] = *value;
        if key_id != CAVV_KEY_ID {
            return Ok(false);
        }
        let made = CardNumber::from_number(pan.expose()).zip(from_digits(second_factor));
        let made = made.and_then(|(card, second_factor)| {
            let what = Authentication { number, outcome, second_factor, key_id };
            cavv(&self.keys.cvk, card, what)
        });
        Ok(made.is_some_and(|made| mac::is_equal(made, *value)))
    }

    fn mac(&self, link: u32, octets: &[u8]) -> Result<[u8; 8], Unavailable> {
        let exchanged = self.link(link).mac;
        let key = exchanged.as_deref().unwrap_or(&self.keys.mak);
        Ok(mac::retail(key, octets, Padding::Zeros))
    }

    fn verify_mac(&self, link: u32, octets: &[u8], theirs: [u8; 8]) -> Result<bool, Unavailable> {
        Ok(mac::is_equal(self.mac(link, octets)?, theirs))
    }

    fn import_key(&self, link: u32, block: &[u8], told: &[u8]) -> Result<Kcv, ExchangeError> {
        let opened = tr31::open(&self.keys.exchange, block)?;
        let (keys, kcv) = if opened.header().usage == *b"P0" {
            let key = opened.des_key::<Zpk>()?;
            let kcv = key.kcv();
            (LinkKeys { pin: Some(Arc::new(key)), mac: None }, kcv)
        } else {
            let key = opened.des_key::<Mak>()?;
            let kcv = key.kcv();
            (LinkKeys { pin: None, mac: Some(Arc::new(key)) }, kcv)
        };
        if !told.is_empty() && !kcv.to_string().as_bytes().eq_ignore_ascii_case(told) {
            return Err(ExchangeError::CheckValue);
        }
        let mut links = self.links.lock();
        let kept = links.entry(link).or_default();
        kept.pin = keys.pin.or_else(|| kept.pin.take());
        kept.mac = keys.mac.or_else(|| kept.mac.take());
        Ok(kcv)
    }
}

/// Two packed digits as a number.
fn from_digits(octet: u8) -> Option<u8> {
    let (high, low) = (octet >> 4, octet & 0x0F);
    (high <= 9 && low <= 9).then_some(high * 10 + low)
}

/// Cryptograms that wait for their answer: a few lanes have one each.
const PROVEN_MAX: usize = 16;

/// Which of several verification keys made a value; we have one.
const VERIFICATION_KEY_INDEX: u8 = 1;

/// Which pair of keys makes authentication values; we have one.
const CAVV_KEY_ID: u8 = 1;

/// The outcome in the value of an authentication that succeeded.
const CAVV_AUTHENTICATED: u8 = 0;

/// The tag of the issuer's answer (EMV 4.3 Book 3, Annex A).
const ISSUER_AUTHENTICATION: u32 = 0x91;
