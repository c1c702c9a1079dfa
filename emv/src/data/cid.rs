//! What kind of cryptogram a card gave, and what it says about it (CID, tag 9F27).
//!
//! Source: EMV 4.3 Book 3, section 6.5.5.4, table 14.

use core::fmt;

/// Cryptogram information data (tag 9F27).
///
/// ```
/// use cekr_emv::data::{Cid, CryptogramType};
/// assert_eq!(Cid(0x80).cryptogram(), Some(CryptogramType::Arqc));
/// assert_eq!(Cid::of(CryptogramType::Tc).0, 0x40);
/// ```
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Cid(pub u8);

/// The kinds of cryptogram, and what a terminal can ask for.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum CryptogramType {
    /// Application authentication cryptogram: declined.
    Aac,
    /// Transaction certificate: approved without the issuer, or after it.
    Tc,
    /// Authorisation request cryptogram: the issuer is to decide.
    Arqc,
}

/// Why a card answers as it does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CidReason {
    /// None, or one of the numbers that are kept for later.
    NoInformation,
    /// The service is not allowed.
    ServiceNotAllowed,
    /// No PIN try is left.
    PinTryLimitExceeded,
    /// The issuer's answer was not believed.
    IssuerAuthenticationFailed,
}

impl Cid {
    /// Nothing but the kind of cryptogram.
    pub const fn of(cryptogram: CryptogramType) -> Self {
        Self(cryptogram.octet())
    }

    /// The kind of cryptogram; `None` for the number that is kept for later.
    pub const fn cryptogram(self) -> Option<CryptogramType> {
        match self.0 >> 6 {
            0 => Some(CryptogramType::Aac),
            1 => Some(CryptogramType::Tc),
            2 => Some(CryptogramType::Arqc),
            _ => None,
        }
    }

    /// Whether the card wants an advice to be sent.
    pub const fn wants_advice(self) -> bool {
        self.0 & 0x08 != 0
    }

    /// Why the card answers so.
    pub const fn reason(self) -> CidReason {
        match self.0 & 0x07 {
            1 => CidReason::ServiceNotAllowed,
            2 => CidReason::PinTryLimitExceeded,
            3 => CidReason::IssuerAuthenticationFailed,
            _ => CidReason::NoInformation,
        }
    }
}

impl CryptogramType {
    /// The octet that asks for it in GENERATE AC, without a signature, and that answers with it.
    pub const fn octet(self) -> u8 {
        match self {
            Self::Aac => 0x00,
            Self::Tc => 0x40,
            Self::Arqc => 0x80,
        }
    }
}

impl fmt::Debug for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cryptogram() {
            Some(cryptogram) => write!(f, "Cid({:02X}: {cryptogram:?}", self.0)?,
            None => write!(f, "Cid({:02X}: no cryptogram", self.0)?,
        }
        if self.wants_advice() {
            f.write_str(", Advice required")?;
        }
        match self.reason() {
            CidReason::NoInformation => f.write_str(")"),
            CidReason::ServiceNotAllowed => f.write_str(", Service not allowed)"),
            CidReason::PinTryLimitExceeded => f.write_str(", PIN Try Limit exceeded)"),
            CidReason::IssuerAuthenticationFailed => f.write_str(", Issuer authentication failed)"),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::format;

    use super::*;

    #[test]
    fn each_kind_is_read_as_it_is_written() {
        for kind in [CryptogramType::Aac, CryptogramType::Tc, CryptogramType::Arqc] {
            assert_eq!(Cid::of(kind).cryptogram(), Some(kind));
        }
        assert_eq!(Cid(0xC0).cryptogram(), None);
    }

    #[test]
    fn advice_and_reason_are_named() {
        assert_eq!(
            format!("{:?}", Cid(0x0A)),
            "Cid(0A: Aac, Advice required, PIN Try Limit exceeded)"
        );
        assert_eq!(Cid(0x05).reason(), CidReason::NoInformation);
    }
}
