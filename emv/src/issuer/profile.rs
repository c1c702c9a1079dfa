//! What an issuer accepts of a chip's and a terminal's findings: a profile that is data.
//!
//! A cryptogram proves who speaks, not that all went well: these tables say with which findings a
//! genuine card is declined all the same. What the terminal claims about a PIN is held against what
//! the chip has sealed about it.
//!
//! Sources: EMV 4.3 Book 3, Annex C5 (TVR); which bits a host of a prepaid programme declines by is
//! the issuer's choice, after the public settings of processors (Thredd, "Platform Chip Settings").

use crate::crypto::cvn::Scheme;
use crate::data::{CryptogramType, CvmMethod, CvmResult, CvmResults, Cvr, IssuerData, Tvr};
use crate::issuer::window::ATC_JUMP_MAX;

/// The settings of one card programme.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// Whose rules the cards follow.
    pub scheme: Scheme,
    /// The sequence number of the cards (5F34): two packed digits.
    pub sequence: u8,
    /// Findings of the terminal that decline, one bit a row.
    pub tvr_refused: &'static [Tvr],
    /// Findings of the chip that decline, one bit a row.
    pub cvr_refused: &'static [Cvr],
    /// How far ahead of the last counter a card may be.
    pub atc_jump_max: u16,
}

impl Profile {
    /// A prepaid card that always asks its issuer.
    ///
    /// Offline data authentication that was not performed is usual for it, and no finding. A PIN
    /// that failed offline is none by itself: the holder may have gone on with a PIN online.
    pub const PREPAID: Self = Self {
        scheme: Scheme::Visa,
        sequence: 0x01,
        tvr_refused: &[
            Tvr::SDA_FAILED,
            Tvr::CARD_ON_EXCEPTION_FILE,
            Tvr::DDA_FAILED,
            Tvr::CDA_FAILED,
            Tvr::EXPIRED_APPLICATION,
            Tvr::SERVICE_NOT_ALLOWED,
            Tvr::CARDHOLDER_VERIFICATION_FAILED,
            Tvr::PIN_TRY_LIMIT_EXCEEDED,
            Tvr::ISSUER_AUTHENTICATION_FAILED,
            Tvr::SCRIPT_FAILED_BEFORE_FINAL,
            Tvr::SCRIPT_FAILED_AFTER_FINAL,
        ],
        cvr_refused: &[
            Cvr::ISSUER_AUTHENTICATION_FAILED,
            Cvr::UNABLE_TO_GO_ONLINE,
            Cvr::APPLICATION_BLOCKED,
        ],
        atc_jump_max: ATC_JUMP_MAX,
    };

    /// Judges what chip and terminal found.
    ///
    /// # Errors
    ///
    /// The first [`Finding`] that declines.
    pub fn judge(
        &self,
        tvr: Tvr,
        issuer_data: Option<&IssuerData<'_>>,
        cvm_results: Option<CvmResults>,
    ) -> Result<(), Finding> {
        if let Some(bit) = self.tvr_refused.iter().find(|bit| tvr.meets(**bit)) {
            return Err(Finding::Terminal(*bit));
        }
        // Other schemes seal their findings in a form of their own, which has no table here.
        let Some(cvr) = issuer_data.map(|data| data.results) else {
            return Ok(());
        };
        if cvr.first_cryptogram() != Some(CryptogramType::Arqc) {
            return Err(Finding::NoRequest);
        }
        if let Some(bit) = self.cvr_refused.iter().find(|bit| cvr.meets(**bit)) {
            return Err(Finding::Chip(*bit));
        }
        if cvm_results.is_some_and(|results| is_pin_claimed(results) && !is_pin_sealed(cvr)) {
            return Err(Finding::PinClaimed);
        }
        Ok(())
    }
}

/// Why a genuine card is declined.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Finding {
    /// A bit of the chip's results.
    Chip(Cvr),
    /// The chip has sealed something else than a request to its issuer.
    NoRequest,
    /// The terminal says that the chip found the PIN right, and the chip does not.
    PinClaimed,
    /// A bit of the terminal's results.
    Terminal(Tvr),
}

/// Whether the terminal says that the chip has verified a PIN.
fn is_pin_claimed(results: CvmResults) -> bool {
    let is_offline_pin = match results.method() {
        CvmMethod::OfflinePlainPin
        | CvmMethod::OfflinePlainPinAndSignature
        | CvmMethod::OfflineEncipheredPin
        | CvmMethod::OfflineEncipheredPinAndSignature => true,
        CvmMethod::Fail
        | CvmMethod::OnlinePin
        | CvmMethod::Signature
        | CvmMethod::NoCvm
        | CvmMethod::Unknown(_) => false,
    };
    is_offline_pin && results.result() == CvmResult::Successful
}

/// Whether the chip says so too.
fn is_pin_sealed(cvr: Cvr) -> bool {
    cvr.has(Cvr::OFFLINE_PIN_PERFORMED) && !cvr.meets(Cvr::OFFLINE_PIN_FAILED)
}
