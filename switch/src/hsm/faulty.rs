//! A security module that fails and dawdles as planned, for tests: around any other.
//!
//! What it does is a function of the plan and of how many verbs it was asked, so that a run is the
//! same again. Time does not pass in it: it tells how long it would have taken.

use cekr_emv::crypto::cvv::{Cvv, Expiry, ServiceCode};
use cekr_emv::issuer::{Outcome, Told};
use cekr_emv::keys::Kcv;
use cekr_emv::pin::Pin;
use cekr_iso8583::Pan;
use cekr_issuer::{ChipProof, ChipSeen, ConfirmationNumber, NewPinProof, PinProof, SecondFactor};

use super::{ChipAnswer, ChipOrder, ExchangeError, Hsm, PinReference, SealedPin, Unavailable};
use crate::sync::{AtomicU64, Ordering};

/// When the module fails, and how long it takes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Plan {
    /// The verb with this number, and each further one after as many, is not carried out; 0: none.
    pub fails_each: u64,
    /// How long a verb takes, in microseconds.
    pub latency_us: u64,
}

/// A module with faults.
pub struct FaultyHsm<H> {
    inner: H,
    plan: Plan,
    asked: AtomicU64,
}

impl<H: Hsm> FaultyHsm<H> {
    /// `inner` with the faults of `plan`.
    #[must_use]
    pub const fn new(inner: H, plan: Plan) -> Self {
        Self { inner, plan, asked: AtomicU64::new(0) }
    }

    /// How many verbs were asked.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// How long all of it would have taken, in microseconds.
    pub fn taken_us(&self) -> u64 {
        self.asked().saturating_mul(self.plan.latency_us)
    }

    fn enter(&self) -> Result<&H, Unavailable> {
        let number = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        match number.checked_rem(self.plan.fails_each) {
            Some(0) => Err(Unavailable),
            Some(_) | None => Ok(&self.inner),
        }
    }
}

impl<H: Hsm> Hsm for FaultyHsm<H> {
    fn verify_chip(&self, pan: Pan, data: &[u8], told: &Told) -> Result<ChipProof, Unavailable> {
        self.enter()?.verify_chip(pan, data, told)
    }

    fn answer_chip(
        &self,
        pan: Pan,
        seen: &ChipSeen,
        code: [u8; 2],
        outcome: Outcome,
        order: Option<&ChipOrder>,
    ) -> Result<ChipAnswer, Unavailable> {
        self.enter()?.answer_chip(pan, seen, code, outcome, order)
    }

    fn verify_pin(
        &self,
        sealed: &SealedPin,
        pan: Pan,
        reference: &PinReference,
    ) -> Result<PinProof, Unavailable> {
        self.enter()?.verify_pin(sealed, pan, reference)
    }

    fn read_new_pin(&self, sealed: &SealedPin, pan: Pan) -> Result<NewPinProof, Unavailable> {
        self.enter()?.read_new_pin(sealed, pan)
    }

    fn translate_pin(
        &self,
        sealed: &SealedPin,
        pan: Pan,
        to: u32,
    ) -> Result<Option<[u8; 8]>, Unavailable> {
        self.enter()?.translate_pin(sealed, pan, to)
    }

    fn verification_value(&self, pan: Pan, pin: &Pin) -> u16 {
        self.inner.verification_value(pan, pin)
    }

    fn verify_cvv(
        &self,
        pan: Pan,
        expiry: Expiry,
        service: ServiceCode,
        value: Cvv,
    ) -> Result<bool, Unavailable> {
        self.enter()?.verify_cvv(pan, expiry, service, value)
    }

    fn make_cavv(
        &self,
        pan: Pan,
        number: ConfirmationNumber,
        factor: SecondFactor,
    ) -> Result<[u8; 20], Unavailable> {
        self.enter()?.make_cavv(pan, number, factor)
    }

    fn verify_cavv(&self, pan: Pan, cavv: &[u8; 20]) -> Result<bool, Unavailable> {
        self.enter()?.verify_cavv(pan, cavv)
    }

    fn mac(&self, link: u32, octets: &[u8]) -> Result<[u8; 8], Unavailable> {
        self.enter()?.mac(link, octets)
    }

    fn verify_mac(&self, link: u32, octets: &[u8], mac: [u8; 8]) -> Result<bool, Unavailable> {
        self.enter()?.verify_mac(link, octets, mac)
    }

    fn import_key(&self, link: u32, block: &[u8], told: &[u8]) -> Result<Kcv, ExchangeError> {
        self.enter()?.import_key(link, block, told)
    }
}
