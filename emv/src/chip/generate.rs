//! The cryptograms of a transaction, and what leads to them: processing options, signatures, the
//! issuer's answer, and the one question of a contactless reader.
//!
//! The counter is written when a transaction begins and what a cryptogram changes before it leaves,
//! so a chip that is torn out never makes two of one counter.
//!
//! Source: EMV 4.3 Book 3, sections 6.5.4 (EXTERNAL AUTHENTICATE), 6.5.5 (GENERATE AC), 6.5.8 (GET
//! PROCESSING OPTIONS), 6.5.9 (INTERNAL AUTHENTICATE), 10.11; Book 2, sections 6.5, 6.6 and 8; EMV
//! Contactless Book C-3, section 5 (the fast path of kernel 3).

use crate::chip::apdu::{Answer, Command, Status, Stop};
use crate::chip::files;
use crate::chip::kept::{Block, Kept, LOG_OCTETS, Scripts, Unfinished};
use crate::chip::lists::{self, List};
use crate::chip::octets::Octets;
use crate::chip::profile::Version;
use crate::chip::risk::{self, Limit, Reached};
use crate::chip::session::{Interface, IssuerCheck, Phase, Signature, Transaction};
use crate::chip::{Chip, DATA_OCTETS_MAX};
use crate::crypto::cryptogram;
use crate::crypto::cvn;
use crate::crypto::mac;
use crate::crypto::script::Occasion;
use crate::data::{
    Aip, Cid, CounterUpdate, CryptogramType, Csu, Ctq, Cvr, IssuerData, IssuerDataFormat, Ttq, Tvr,
};
use crate::keys::{Key, SkAc};
use crate::oda::signed::{self, Combined, DynamicNumber};
use crate::tlv::{TlvError, Writer};

impl Chip {
    /// GET PROCESSING OPTIONS: takes a new counter and says what the chip can do, and in a
    /// contactless reader everything else as well.
    pub(super) fn processing_options(
        &mut self,
        command: &Command<'_>,
        room: &mut [u8],
    ) -> Result<Answer, Stop> {
        self.application()?;
        command.has_parameters([0, 0])?;
        let is_new = self.session.transaction.phase == Phase::None;
        if !is_new || self.kept.block != Block::None || self.kept.atc == u16::MAX {
            return Err(Status::ConditionsNotSatisfied.into());
        }
        let list = lists::pdol(self.session.interface, self.profile.options);
        let [0x83, len, values @ ..] = command.data else { return Err(Status::WrongData.into()) };
        if usize::from(*len) != values.len() || values.len() != lists::len_of(list) {
            return Err(Status::WrongLength.into());
        }
        let atc = self.kept.atc + u16::from(!self.faults.stuck_atc);
        self.keep(|kept| kept.atc = atc)?;
        let pdol = Octets::of(values).ok_or(Status::Internal)?;
        self.session.transaction =
            Transaction { phase: Phase::Initiated, pdol, ..Transaction::NONE };
        let written = match self.session.interface {
            Interface::Contact => self.write_options(room).map_err(|_| Status::Internal)?,
            Interface::Contactless => self.tap(list, values, room)?,
        };
        Ok(Answer::of(written))
    }

    fn write_options(&self, room: &mut [u8]) -> Result<usize, TlvError> {
        template(room, |inner| {
            inner.put(0x82, &self.profile.aip().octets())?;
            inner.put(0x94, self.kept.files.locator().as_slice())
        })
    }

    /// The whole payment at a contactless reader: a request for the issuer, or a decline where the
    /// reader reaches nobody.
    fn tap(&mut self, list: List, values: &[u8], room: &mut [u8]) -> Result<usize, Stop> {
        // No offline authentication, so none of its bits; the kernel reads the others its own way.
        let aip = Aip::default();
        let atc = self.kept.atc.to_be_bytes();
        let sealed = lists::transaction(list, values, aip.octets(), atc).ok_or(Status::Internal)?;
        let ttq = lists::array_in(list, values, 0x9F66).map_or(Ttq::default(), Ttq::from_octets);
        let kind = if ttq.has(Ttq::OFFLINE_ONLY) || risk::amount(&sealed).is_none() {
            CryptogramType::Aac
        } else {
            CryptogramType::Arqc
        };
        let found = self.findings(&sealed).with_first_cryptogram(kind);
        let made = self.made(kind, found, &sealed)?;
        self.session.transaction.phase = Phase::Done;
        let entry = log_entry(&sealed, kind);
        self.keep(|kept| {
            kept.occasion = Some(made.occasion(atc));
            kept.log.add(entry);
        })?;
        let track2 = files::track2(&self.profile).ok_or(Status::Internal)?;
        let wants_cvm = ttq.has(Ttq::CVM_REQUIRED);
        let ctq = match (wants_cvm, ttq.has(Ttq::ONLINE_PIN_SUPPORTED)) {
            (true, true) => Ctq::ONLINE_PIN_REQUIRED,
            (true, false) => Ctq::SIGNATURE_REQUIRED,
            (false, _) => Ctq::default(),
        };
        let shown = made.shown(self.faults.wrong_cryptogram);
        let written = template(room, |inner| {
            inner.put(0x82, &aip.octets())?;
            inner.put(0x57, track2.as_slice())?;
            inner.put(0x5F34, &[self.profile.sequence])?;
            inner.put(0x9F10, made.issuer_data.as_slice())?;
            inner.put(0x9F26, &shown)?;
            inner.put(0x9F27, &[kind.octet()])?;
            inner.put(0x9F36, &atc)?;
            inner.put(0x9F6C, &ctq.octets())?;
            inner.put(0x9F6E, &FORM_FACTOR)
        });
        Ok(written.map_err(|_| Status::Internal)?)
    }

    /// INTERNAL AUTHENTICATE: a signature over what the terminal sends.
    pub(super) fn internal_authenticate(
        &mut self,
        command: &Command<'_>,
        room: &mut [u8],
    ) -> Result<Answer, Stop> {
        self.application()?;
        command.has_parameters([0, 0])?;
        command.has_data_of(lists::len_of(lists::DDOL))?;
        if self.session.transaction.phase != Phase::Initiated {
            return Err(Status::ConditionsNotSatisfied.into());
        }
        let number = DynamicNumber::new(&self.session.draw()).ok_or(Status::Internal)?;
        let key = self.icc.as_ref().ok_or(Status::UnknownInstruction)?;
        let signature =
            signed::sign_dynamic(key, number, command.data).map_err(|_| Status::Internal)?;
        let shown = self.spoiled(signature.octets());
        self.session.transaction.signature = Signature::Made;
        let written = template(room, |inner| inner.put(0x9F4B, shown.as_slice()));
        Ok(Answer::of(written.map_err(|_| Status::Internal)?))
    }

    /// EXTERNAL AUTHENTICATE: the issuer's answer to the request, once a transaction.
    pub(super) fn external_authenticate(&mut self, command: &Command<'_>) -> Result<Answer, Stop> {
        self.application()?;
        command.has_parameters([0, 0])?;
        let transaction = &self.session.transaction;
        let is_now =
            transaction.phase == Phase::Online && transaction.issuer == IssuerCheck::NotDone;
        let is_ours = match self.profile.version {
            Version::Ten => true,
            Version::Eighteen | Version::TwentyTwo => false,
        };
        if !is_now || !is_ours {
            return Err(Status::ConditionsNotSatisfied.into());
        }
        let (answer, rest) = command.data.split_first_chunk::<8>().ok_or(Status::WrongLength)?;
        let code: [u8; 2] = rest.try_into().map_err(|_| Status::WrongLength)?;
        let ours = cryptogram::arpc1(&self.answer_key([0; 4])?, transaction.arqc, code);
        if mac::is_equal(ours, *answer) {
            self.session.transaction.issuer = IssuerCheck::Passed(None);
            return Ok(Answer::DONE);
        }
        self.session.transaction.issuer = IssuerCheck::Failed;
        self.keep(|kept| kept.unfinished.issuer_authentication = true)?;
        Err(Status::AuthenticationFailed.into())
    }

    /// GENERATE AC, the first or the second.
    pub(super) fn generate(
        &mut self,
        command: &Command<'_>,
        room: &mut [u8],
    ) -> Result<Answer, Stop> {
        self.application()?;
        let [control, 0x00] = command.parameters else {
            return Err(Status::WrongParameters.into());
        };
        let wish = Cid(control & 0xC0).cryptogram().filter(|_| control & 0x2F == 0);
        let wish = wish.ok_or(Status::WrongParameters)?;
        let signature = if control & COMBINED != 0 && self.icc.is_some() {
            Signature::Made
        } else {
            Signature::None
        };
        let written = match self.session.transaction.phase {
            Phase::Initiated => self.generate_first(command.data, wish, signature, room)?,
            Phase::Online => self.generate_second(command.data, wish, signature, room)?,
            Phase::None | Phase::Done => return Err(Status::ConditionsNotSatisfied.into()),
        };
        Ok(Answer::of(written))
    }

    fn generate_first(
        &mut self,
        values: &[u8],
        wish: CryptogramType,
        signature: Signature,
        room: &mut [u8],
    ) -> Result<usize, Stop> {
        let list = lists::CDOL1;
        let sealed = self.sealed(list, values)?;
        if signature == Signature::Made {
            self.session.transaction.signature = signature;
        }
        let found = self.findings(&sealed);
        let kind = risk::first(&self.kept, found, wish);
        let made = self.made(kind, found.with_first_cryptogram(kind), &sealed)?;
        let tvr = Tvr::from_octets(sealed.tvr);
        let (occasion, entry) = (made.occasion(sealed.atc), log_entry(&sealed, kind));
        let amount = risk::amount(&sealed).unwrap_or_default();
        self.keep(|kept| {
            kept.occasion = Some(occasion);
            match kind {
                CryptogramType::Arqc => kept.unfinished.online = true,
                CryptogramType::Aac => {
                    kept.unfinished.static_data |= tvr.has(Tvr::SDA_FAILED);
                    kept.unfinished.dynamic_data |=
                        tvr.meets(Tvr::DDA_FAILED.with(Tvr::CDA_FAILED));
                    kept.log.add(entry);
                }
                CryptogramType::Tc => {
                    kept.total_since_online = kept.total_since_online.saturating_add(amount);
                    kept.log.add(entry);
                }
            }
        })?;
        let transaction = &mut self.session.transaction;
        transaction.arqc = made.cryptogram;
        transaction.cdol1 = Octets::of(values).ok_or(Status::Internal)?;
        transaction.phase = match kind {
            CryptogramType::Arqc => Phase::Online,
            CryptogramType::Aac | CryptogramType::Tc => Phase::Done,
        };
        let (pdol, cdol1) = (transaction.pdol.clone(), transaction.cdol1.clone());
        let lists = [pdol.as_slice(), cdol1.as_slice(), &[]];
        self.write_cryptogram(&made, &sealed, signature, lists, room)
    }

    fn generate_second(
        &mut self,
        values: &[u8],
        wish: CryptogramType,
        signature: Signature,
        room: &mut [u8],
    ) -> Result<usize, Stop> {
        if wish == CryptogramType::Arqc {
            return Err(Status::WrongParameters.into());
        }
        let list = lists::cdol2(self.profile.version);
        let sealed = self.sealed(list, values)?;
        let reached = self.reached(list, values)?;
        let is_past_upper = risk::is_past(&self.kept, &sealed, self.profile.currency, Limit::Upper);
        let found = self.findings(&sealed).with_first_cryptogram(CryptogramType::Arqc);
        let (kind, found) = risk::second(&self.kept, found, reached, is_past_upper, wish);
        let made = self.made(kind, found, &sealed)?;
        let entry = log_entry(&sealed, kind);
        let end = End {
            reached,
            kind,
            amount: risk::amount(&sealed).unwrap_or_default(),
            tries_max: self.profile.pin_tries_max,
            has_failed_script: self.session.transaction.has_failed_script,
        };
        self.keep(|kept| {
            kept.log.add(entry);
            end.settle(kept);
        })?;
        self.session.transaction.phase = Phase::Done;
        let transaction = &self.session.transaction;
        let (pdol, cdol1) = (transaction.pdol.clone(), transaction.cdol1.clone());
        let lists = [pdol.as_slice(), cdol1.as_slice(), values];
        self.write_cryptogram(&made, &sealed, signature, lists, room)
    }

    /// Whether the issuer was reached, and what its answer is worth.
    fn reached(&mut self, list: List, values: &[u8]) -> Result<Reached, Stop> {
        let code: [u8; 2] = lists::array_in(list, values, 0x8A).ok_or(Status::Internal)?;
        if OFFLINE_CODES.contains(&code) {
            return Ok(Reached::Nobody);
        }
        let Some(answer) = lists::array_in::<8>(list, values, 0x91) else {
            return Ok(Reached::Issuer(self.session.transaction.issuer));
        };
        // Zeros are what a terminal fills in that got no answer.
        if answer == [0; 8] {
            return Ok(Reached::Issuer(IssuerCheck::NotDone));
        }
        let number = lists::array_in(list, values, 0x9F37).ok_or(Status::Internal)?;
        let [a, b, c, d, update @ ..] = answer;
        let key = self.answer_key(number)?;
        let ours = cryptogram::arpc2(&key, self.session.transaction.arqc, update, &[]);
        let check = if mac::is_equal(ours, [a, b, c, d]) {
            IssuerCheck::Passed(Some(Csu::from_octets(update)))
        } else {
            IssuerCheck::Failed
        };
        self.session.transaction.issuer = check;
        Ok(Reached::Issuer(check))
    }

    fn answer_key(&self, unpredictable: [u8; 4]) -> Result<Key<SkAc>, Status> {
        let atc = self.kept.atc.to_be_bytes();
        Ok(self.rules()?.answer_key(&self.profile.keys.ac, atc, unpredictable))
    }

    fn findings(&self, sealed: &cvn::Transaction) -> Cvr {
        risk::findings(&self.kept, &self.session.transaction, sealed, self.profile.currency)
    }

    /// The values of a list as a cryptogram seals them.
    fn sealed(&self, list: List, values: &[u8]) -> Result<cvn::Transaction, Status> {
        if values.len() != lists::len_of(list) {
            return Err(Status::WrongLength);
        }
        let aip = self.profile.aip().octets();
        lists::transaction(list, values, aip, self.kept.atc.to_be_bytes()).ok_or(Status::Internal)
    }

    /// A cryptogram by the chip's version, with the issuer application data that it seals.
    fn made(
        &self,
        kind: CryptogramType,
        results: Cvr,
        sealed: &cvn::Transaction,
    ) -> Result<Made, Status> {
        let rules = self.rules()?;
        let format = match self.profile.version {
            Version::Ten | Version::Eighteen => IssuerDataFormat::Short,
            Version::TwentyTwo => IssuerDataFormat::Two,
        };
        let (version, key_index) = (rules.version, self.profile.key_index);
        let mut room = [0; 32];
        let data = IssuerData { format, version, key_index, results, rest: &[] };
        let data = data.write(&mut room).ok_or(Status::Internal)?;
        let pieces = rules.sealed_of(data).ok_or(Status::Internal)?;
        let key = rules.session_key(&self.profile.keys.ac, sealed.atc, sealed.unpredictable_number);
        Ok(Made {
            kind,
            cryptogram: rules.cryptogram(&key, sealed, pieces),
            issuer_data: Octets::of(data).ok_or(Status::Internal)?,
        })
    }

    /// The answer to GENERATE AC, signed where that was asked and the chip does not decline.
    fn write_cryptogram(
        &mut self,
        made: &Made,
        sealed: &cvn::Transaction,
        signature: Signature,
        lists: [&[u8]; 3],
        room: &mut [u8],
    ) -> Result<usize, Stop> {
        let information = [made.kind.octet()];
        let shown = made.shown(self.faults.wrong_cryptogram);
        let is_signed = signature == Signature::Made && made.kind != CryptogramType::Aac;
        let written = if is_signed {
            let mut covered = [0; 64];
            let mut covered = Writer::new(&mut covered);
            made.write_clear(&mut covered, sealed.atc).map_err(|_| Status::Internal)?;
            let transaction = signed::transaction_hash(&lists, covered.written());
            let transaction = transaction.map_err(|_| Status::Internal)?;
            let number = DynamicNumber::new(&self.session.draw()).ok_or(Status::Internal)?;
            let content = Combined { number, information: made.kind.octet(), cryptogram: shown };
            let key = self.icc.as_ref().ok_or(Status::Internal)?;
            let unpredictable = sealed.unpredictable_number;
            let signature = signed::sign_combined(key, content, transaction, unpredictable);
            let signature = self.spoiled(signature.map_err(|_| Status::Internal)?.octets());
            template(room, |inner| {
                made.write_clear(inner, sealed.atc)?;
                inner.put(0x9F4B, signature.as_slice())
            })
        } else {
            template(room, |inner| {
                inner.put(0x9F27, &information)?;
                inner.put(0x9F36, &sealed.atc)?;
                inner.put(0x9F26, &shown)?;
                inner.put(0x9F10, made.issuer_data.as_slice())
            })
        };
        Ok(written.map_err(|_| Status::Internal)?)
    }

    /// A signature as it leaves: wrong in one bit where a fault wants it so.
    fn spoiled(&self, signature: &[u8]) -> Octets<248> {
        let mut octets = [0; 248];
        for (to, from) in octets.iter_mut().zip(signature) {
            *to = *from;
        }
        if let (true, Some(octet)) = (self.faults.bad_signature, octets.get_mut(20)) {
            *octet ^= 0x01;
        }
        octets.get(..signature.len()).and_then(Octets::of).unwrap_or(Octets::EMPTY)
    }
}

/// How a transaction ended at the second cryptogram.
struct End {
    reached: Reached,
    kind: CryptogramType,
    amount: u64,
    tries_max: u8,
    has_failed_script: bool,
}

impl End {
    /// What follows for the next transactions.
    fn settle(&self, kept: &mut Kept) {
        match self.reached {
            Reached::Nobody | Reached::Issuer(IssuerCheck::NotDone) => {
                if self.kind == CryptogramType::Tc {
                    kept.total_since_online = kept.total_since_online.saturating_add(self.amount);
                }
            }
            Reached::Issuer(IssuerCheck::Failed) => kept.unfinished.issuer_authentication = true,
            Reached::Issuer(IssuerCheck::Passed(update)) => {
                self.obey(kept, update.unwrap_or(RESET_COUNTERS));
            }
        }
    }

    /// The issuer has been reached and has proved itself.
    fn obey(&self, kept: &mut Kept, update: Csu) {
        kept.unfinished =
            Unfinished { go_online: update.has(Csu::GO_ONLINE_NEXT), ..Unfinished::default() };
        // What has failed in this very transaction is still to be told.
        kept.scripts = Scripts { count: 0, has_failed: self.has_failed_script };
        match update.counter_update() {
            CounterUpdate::Keep => (),
            CounterUpdate::ToZero => {
                (kept.atc_last_online, kept.total_since_online) = (kept.atc, 0);
            }
            CounterUpdate::ToUpperLimits => {
                let count = u16::from(kept.limits.count_upper);
                kept.atc_last_online = kept.atc.saturating_sub(count);
                kept.total_since_online = kept.limits.total_upper;
            }
            CounterUpdate::AddTransaction => {
                kept.total_since_online = kept.total_since_online.saturating_add(self.amount);
            }
        }
        if update.has(Csu::UPDATE_PIN_TRY_COUNTER) {
            kept.pin_tries = update.pin_tries().min(self.tries_max);
        }
        if update.has(Csu::APPLICATION_BLOCK) {
            kept.block = Block::Application;
        }
        if update.has(Csu::CARD_BLOCK) {
            kept.block = Block::Card;
        }
    }
}

/// A cryptogram with what belongs to it.
struct Made {
    kind: CryptogramType,
    cryptogram: [u8; 8],
    issuer_data: Octets<32>,
}

impl Made {
    /// What scripts and the issuer's answer refer to.
    fn occasion(&self, atc: [u8; 2]) -> Occasion {
        Occasion { atc, arqc: self.cryptogram }
    }

    /// The cryptogram as it leaves: wrong in one bit where a fault wants it so.
    fn shown(&self, is_wrong: bool) -> [u8; 8] {
        let [rest @ .., last] = self.cryptogram;
        let [a, b, c, d, e, f, g] = rest;
        [a, b, c, d, e, f, g, last ^ u8::from(is_wrong)]
    }

    /// The part of a signed answer that a terminal can read before it has checked the signature.
    fn write_clear(&self, inner: &mut Writer<'_>, atc: [u8; 2]) -> Result<(), TlvError> {
        inner.put(0x9F27, &[self.kind.octet()])?;
        inner.put(0x9F36, &atc)?;
        inner.put(0x9F10, self.issuer_data.as_slice())
    }
}

/// Template 77 around what `write` writes, at the front of `room`.
fn template(
    room: &mut [u8],
    write: impl FnOnce(&mut Writer<'_>) -> Result<(), TlvError>,
) -> Result<usize, TlvError> {
    let mut content = [0; DATA_OCTETS_MAX];
    let mut inner = Writer::new(&mut content);
    write(&mut inner)?;
    let mut outer = Writer::new(room);
    outer.put(0x77, inner.written())?;
    Ok(outer.written().len())
}

/// One transaction as the log keeps it, in the order of its format.
fn log_entry(sealed: &cvn::Transaction, kind: CryptogramType) -> [u8; LOG_OCTETS] {
    let mut entry = [0; LOG_OCTETS];
    let octets = (sealed.date.iter())
        .chain([&sealed.kind])
        .chain(&sealed.amount)
        .chain(&sealed.currency)
        .chain(&sealed.country)
        .chain(&sealed.atc);
    for (to, from) in entry.iter_mut().zip(octets.copied().chain([kind.octet()])) {
        *to = from;
    }
    entry
}

/// Bit of GENERATE AC's first parameter that asks for a signature.
const COMBINED: u8 = 0x10;

/// An approval by method 1 sets the counters back, for it has no status update to say so.
const RESET_COUNTERS: Csu = Csu::from_octets([0x00, 0x82, 0x00, 0x00]);

/// What a terminal shows that reached nobody: approved and declined offline by its own reasons.
const OFFLINE_CODES: [[u8; 2]; 2] = [*b"Y3", *b"Z3"];

/// A plastic card with a contactless chip (9F6E).
const FORM_FACTOR: [u8; 4] = [0x20, 0x70, 0x00, 0x00];
