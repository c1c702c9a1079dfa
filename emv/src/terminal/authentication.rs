//! Offline data authentication: which method both sides know, and whether it convinces.
//!
//! Static data are checked at once, a dynamic signature is asked for, a combined one comes with the
//! cryptogram. A failure is a finding (TVR), never an end: what follows from it, action analysis
//! decides.
//!
//! Sources: EMV 4.3 Book 3, section 10.3; Book 2, sections 5 and 6; Book 4, section 6.3.2.

use crate::crypto::rsa::PublicKey;
use crate::data::{Aip, TerminalCapabilities, Tsi, Tvr};
use crate::oda::{certificate, certificate::Certified, signed};
use crate::tlv;

use super::apdu::{Answer, Apdu};
use super::store::Octets;
use super::{Command, Kernel, Phase, Reason, Stepped};

/// Which method is used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Method {
    /// Combined with the cryptogram.
    Combined,
    /// A signature of its own.
    Dynamic,
    /// None: one side knows none.
    None,
    /// What the issuer signed.
    Static,
}

/// What is missing or wrong; both have their own bit.
enum Fault {
    /// An object that the method needs is not there.
    Missing,
    /// A certificate, a signature or a key does not convince.
    Wrong,
}

impl Kernel<'_> {
    /// Chooses the method, and does it or asks the card for its part.
    pub(super) fn authenticate(&mut self) -> Stepped {
        let aip = self.profile();
        let able = self.config.capabilities;
        self.method = if aip.has(Aip::CDA_SUPPORTED) && able.has(TerminalCapabilities::CDA) {
            Method::Combined
        } else if aip.has(Aip::DDA_SUPPORTED) && able.has(TerminalCapabilities::DDA) {
            Method::Dynamic
        } else if aip.has(Aip::SDA_SUPPORTED) && able.has(TerminalCapabilities::SDA) {
            Method::Static
        } else {
            Method::None
        };
        match self.method {
            Method::None => {
                self.tvr = self.tvr.with(Tvr::OFFLINE_DATA_AUTHENTICATION_NOT_PERFORMED);
                return self.restrict();
            }
            Method::Static => {
                self.tvr = self.tvr.with(Tvr::SDA_SELECTED);
                if let Err(fault) = self.check_static() {
                    self.authentication_failed(&fault);
                }
            }
            Method::Combined => {
                if let Err(fault) = self.recover_icc_key() {
                    self.authentication_failed(&fault);
                }
            }
            Method::Dynamic => {
                return match self.recover_icc_key() {
                    Ok(()) => self.ask_for_signature(),
                    Err(fault) => {
                        self.authentication_failed(&fault);
                        self.restrict()
                    }
                };
            }
        }
        self.tsi = self.tsi.with(Tsi::OFFLINE_DATA_AUTHENTICATION_PERFORMED);
        self.restrict()
    }

    /// Sets the bits of a failure of the method that is used.
    fn authentication_failed(&mut self, fault: &Fault) {
        self.tsi = self.tsi.with(Tsi::OFFLINE_DATA_AUTHENTICATION_PERFORMED);
        let failed = match self.method {
            Method::Combined => Tvr::CDA_FAILED,
            Method::Dynamic => Tvr::DDA_FAILED,
            Method::None => Tvr::OFFLINE_DATA_AUTHENTICATION_NOT_PERFORMED,
            Method::Static => Tvr::SDA_FAILED,
        };
        self.tvr = self.tvr.with(failed);
        if let Fault::Missing = fault {
            self.tvr = self.tvr.with(Tvr::ICC_DATA_MISSING);
        }
    }

    /// The card's application interchange profile (82).
    pub(super) fn profile(&self) -> Aip {
        self.card.value(0x82).and_then(Aip::parse).unwrap_or_default()
    }

    /// What a method needs, or that it is missing.
    fn needed(&self, tag: u32) -> Result<&[u8], Fault> {
        self.card.value(tag).ok_or(Fault::Missing)
    }

    /// A key as the card shows it; only the remainder may be absent.
    fn certified(
        &self,
        [certificate, remainder, exponent]: [u32; 3],
    ) -> Result<Certified<'_>, Fault> {
        Ok(Certified {
            certificate: self.needed(certificate)?,
            remainder: self.card.value(remainder).unwrap_or_default(),
            exponent: self.needed(exponent)?,
        })
    }

    /// Recovers the issuer's key under the authority's that the card names.
    fn recover_issuer_key(&mut self) -> Result<PublicKey, Fault> {
        if let Some(key) = self.issuer_key {
            return Ok(key);
        }
        let [index] = *self.needed(0x8F)? else { return Err(Fault::Wrong) };
        let shown = self.certified([0x90, 0x92, 0x9F32])?;
        let name = self.name;
        let rid = name.octets().first_chunk::<5>().ok_or(Fault::Wrong)?;
        let mut authorities = self.config.authorities.iter();
        let authority = authorities.find(|row| row.rid == *rid && row.index == index);
        let authority = authority.ok_or(Fault::Wrong)?;
        let key = certificate::issuer_key(
            &authority.key,
            shown,
            self.needed(0x5A)?,
            self.transaction.date,
        );
        let key = key.map_err(|_| Fault::Wrong)?;
        self.issuer_key = Some(key);
        Ok(key)
    }

    /// What static signatures cover: the marked records, then the profile if the card lists it.
    fn static_data(&self) -> Result<[&[u8]; 2], Fault> {
        let records = self.signed.as_ref().ok_or(Fault::Wrong)?.as_slice();
        match self.card.value(0x9F4A) {
            None => Ok([records, &[]]),
            // The list may name the profile, and nothing else (EMV 4.3 Book 3, section 10.3).
            Some([0x82]) => Ok([records, self.needed(0x82)?]),
            Some(_) => Err(Fault::Wrong),
        }
    }

    fn check_static(&mut self) -> Result<(), Fault> {
        let issuer = self.recover_issuer_key()?;
        let code = signed::static_data(&issuer, self.needed(0x93)?, &self.static_data()?);
        let code = code.map_err(|_| Fault::Wrong)?;
        self.keep_result(0x9F45, &code);
        Ok(())
    }

    fn recover_icc_key(&mut self) -> Result<(), Fault> {
        let issuer = self.recover_issuer_key()?;
        let shown = self.certified([0x9F46, 0x9F48, 0x9F47])?;
        let data = self.static_data()?;
        let pan = self.needed(0x5A)?;
        let key = certificate::icc_key(&issuer, shown, &data, pan, self.transaction.date);
        self.icc_key = Some(key.map_err(|_| Fault::Wrong)?);
        Ok(())
    }

    /// The key under which a PIN is enciphered: that for PINs, else the card's only one.
    pub(super) fn recover_pin_key(&mut self) -> Option<PublicKey> {
        let issuer = self.recover_issuer_key().ok()?;
        if self.card.value(0x9F2D).is_none() {
            if self.icc_key.is_none() {
                self.recover_icc_key().ok()?;
            }
            return self.icc_key;
        }
        let shown = self.certified([0x9F2D, 0x9F2F, 0x9F2E]).ok()?;
        let pan = self.card.value(0x5A)?;
        certificate::icc_key(&issuer, shown, &[], pan, self.transaction.date).ok()
    }

    fn ask_for_signature(&mut self) -> Stepped {
        let default = self.row().map_or(&[][..], |row| row.default_ddol);
        let list = Octets::<255>::of(self.card.value(0x9F49).unwrap_or(default))
            .ok_or(Reason::BadValue(0x9F49))?;
        let mut values = Octets::<255>::EMPTY;
        let filled = values.fill(|room| self.fill(list.as_slice(), room));
        // A signature that does not cover the terminal's number proves nothing.
        if filled.is_err() || !asks_for(list.as_slice(), 0x9F37) {
            self.authentication_failed(&Fault::Wrong);
            return self.restrict();
        }
        self.dynamic_values = values;
        self.phase = Phase::InternalAuthenticate;
        let apdu = Apdu::internal_authenticate(self.dynamic_values.as_slice());
        self.send_made(Command::InternalAuthenticate, apdu)
    }

    pub(super) fn signature_given(&mut self, answer: Answer<'_>) -> Stepped {
        if !answer.is_done() {
            return Err(Reason::BadStatus(Command::InternalAuthenticate, answer.status));
        }
        let malformed = Reason::MalformedAnswer(Command::InternalAuthenticate);
        let object = answer.object().map_err(|_| malformed)?;
        let signature = match object.tag {
            0x80 => Some(object.value),
            0x77 => tlv::value_of(object.value, 0x9F4B),
            _ => return Err(malformed),
        };
        let number = signature.ok_or(Fault::Missing).and_then(|signature| {
            let key = self.icc_key.ok_or(Fault::Wrong)?;
            let read = signed::dynamic(&key, signature, self.dynamic_values.as_slice());
            read.map_err(|_| Fault::Wrong)
        });
        match number {
            Ok(number) => self.keep_result(0x9F4C, number.octets()),
            Err(fault) => self.authentication_failed(&fault),
        }
        self.tsi = self.tsi.with(Tsi::OFFLINE_DATA_AUTHENTICATION_PERFORMED);
        self.restrict()
    }

    /// Keeps what a signature held, for lists that ask for it; without room it is left out.
    fn keep_result(&mut self, tag: u32, value: &[u8]) {
        if self.card.value(tag).is_none() {
            let _ = self.card.put(tag, value);
        }
    }

    /// Whether the card is to sign its cryptogram.
    pub(super) fn wants_combined(&self) -> bool {
        self.method == Method::Combined && !self.tvr.meets(Tvr::CDA_FAILED)
    }

    /// A combined signature did not come, or does not convince.
    pub(super) fn combined_failed(&mut self) {
        self.authentication_failed(&Fault::Wrong);
    }
}

/// Whether a list asks for this tag with a length that is not zero.
fn asks_for(list: &[u8], tag: u32) -> bool {
    use crate::tlv::dol::{Format, fill};

    let mut asked = false;
    let mut room = [0; 255];
    let filled = fill(list, &mut room, |found| {
        asked |= found == tag;
        Some((&[0xFF][..], Format::Other))
    });
    asked && filled.is_ok_and(|len| len > 0)
}
