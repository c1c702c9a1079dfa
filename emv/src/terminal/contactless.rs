//! The contactless fast path: one command tells the card everything and brings its cryptogram.
//!
//! The reader's limits come first, the card's wishes (CTQ) decide about the cardholder, the issuer
//! decides about the transaction, and there is no second cryptogram. An approval that the card
//! gives without the issuer is not taken.
//!
//! Source: EMV Contactless Book C-3, sections 2 to 5.

use crate::data::{
    Cid, CryptogramType, Ctq, CvmResult, CvmResults, CvmRule, IssuerData, TerminalCapabilities,
};

use super::store::Octets;
use super::{Command, Cryptogram, Decision, Kernel, Next, Phase, PinEntered, Reason, Stepped};

impl Kernel<'_> {
    /// Refuses an amount that no application takes at the reader.
    pub(super) fn check_contactless_limit(&self) -> Result<(), Reason> {
        let limits = self.config.applications.iter().filter_map(|row| row.contactless);
        let highest = limits.map(|limits| limits.transaction).max();
        if highest.is_some_and(|limit| self.transaction.amount <= limit) {
            Ok(())
        } else {
            Err(Reason::UseContact)
        }
    }

    /// Whether the amount is above what the reader takes without the cardholder.
    pub(super) fn wants_verification(&self) -> bool {
        let limits = self.row().and_then(|row| row.contactless);
        limits.is_some_and(|limits| self.transaction.amount > limits.verification)
    }

    /// The card has answered with its cryptogram; records may follow.
    pub(super) fn contactless_initiated(&mut self) -> Stepped {
        let limits = self.row().and_then(|row| row.contactless);
        if limits.is_none_or(|limits| self.transaction.amount > limits.transaction) {
            return Err(Reason::UseContact);
        }
        self.read_next()
    }

    /// Judges the cryptogram, and has the cardholder verified where card or reader want it.
    pub(super) fn contactless_read(&mut self) -> Stepped {
        let malformed = Reason::MalformedAnswer(Command::GetProcessingOptions);
        let needed = |tag| self.card.value(tag).ok_or(Reason::Missing(tag));
        let value = needed(0x9F26)?.try_into().map_err(|_| malformed)?;
        let atc = needed(0x9F36)?.try_into().map_err(|_| malformed)?;
        let issuer_data = Octets::of(needed(0x9F10)?).ok_or(malformed)?;
        needed(0x57)?;
        let mut digits = [0; super::PAN_DIGITS_MAX];
        self.pan(&mut digits).ok_or(Reason::BadValue(0x57))?;
        // A card that does not say what kind of cryptogram it gave says so to its issuer.
        let kind = match self.card.value(0x9F27) {
            Some([information]) => Cid(*information).cryptogram(),
            Some(_) => None,
            None => IssuerData::parse(issuer_data.as_slice())
                .and_then(|data| data.results.first_cryptogram()),
        };
        let kind = kind.ok_or(malformed)?;
        let information = Cid::of(kind);
        self.cryptogram = Some(Cryptogram { information, atc, value, issuer_data });
        match kind {
            CryptogramType::Aac => {
                self.response_code = *b"Z1";
                Ok(self.end(Decision::Declined))
            }
            // Nobody here checks the signature that would have to come with it.
            CryptogramType::Tc => Err(Reason::WrongCryptogram),
            CryptogramType::Arqc => self.verify_contactless(),
        }
    }

    fn verify_contactless(&mut self) -> Stepped {
        use TerminalCapabilities as Able;

        let wishes = self.card.value(0x9F6C).and_then(Ctq::parse);
        let able = self.config.capabilities;
        let wanted = self.wants_verification();
        let asks = |wish| wishes.is_some_and(|wishes| wishes.has(wish));
        if asks(Ctq::CONSUMER_DEVICE_CVM_PERFORMED) {
            return Ok(self.verified_contactless(NO_CVM, CvmResult::Successful));
        }
        if able.has(Able::ONLINE_PIN)
            && (asks(Ctq::ONLINE_PIN_REQUIRED) || (wanted && wishes.is_none()))
        {
            self.phase = Phase::ContactlessPin;
            return Ok(Next::EnterPin);
        }
        if able.has(Able::SIGNATURE) && (asks(Ctq::SIGNATURE_REQUIRED) || wanted) {
            return Ok(self.verified_contactless(SIGNATURE, CvmResult::Unknown));
        }
        if wanted || asks(Ctq::ONLINE_PIN_REQUIRED) || asks(Ctq::SIGNATURE_REQUIRED) {
            // Nothing that both sides can do: the contacts may find a way.
            return Err(Reason::UseContact);
        }
        Ok(self.verified_contactless(NO_CVM, CvmResult::Successful))
    }

    pub(super) fn contactless_pin_entered(&mut self, entered: PinEntered<'_>) -> Stepped {
        match entered {
            PinEntered::OnlineDone => Ok(self.verified_contactless(ONLINE_PIN, CvmResult::Unknown)),
            PinEntered::Bypassed | PinEntered::PadBroken => Err(Reason::UseContact),
            PinEntered::Enciphered(_) | PinEntered::Plain(_) => Err(Reason::UnexpectedEvent),
        }
    }

    /// The results tell the issuer how; the findings (TVR) stay as the card has sealed them.
    fn verified_contactless(&mut self, code: u8, result: CvmResult) -> Next {
        self.cvm = CvmResults::of(CvmRule { code, condition: 0 }, result);
        self.phase = Phase::Online;
        Next::GoOnline
    }
}

/// Octets of methods (EMV 4.3 Book 3, table 39).
const NO_CVM: u8 = 0x1F;
const ONLINE_PIN: u8 = 0x02;
const SIGNATURE: u8 = 0x1E;
