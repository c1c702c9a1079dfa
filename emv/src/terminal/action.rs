//! Terminal action analysis, and the card's first cryptogram.
//!
//! Sources: EMV 4.3 Book 3, sections 10.7 and 10.8, 6.5.5; Book 2, section 6.6 (combined).

use sha1::{Digest, Sha1};

use crate::data::{Cid, CryptogramType, Tsi, Tvr};
use crate::oda::signed;
use crate::tlv::{self, Object};

use super::apdu::{Answer, Apdu};
use super::store::Octets;
use super::{
    ActionCodes, Command, Cryptogram, Decision, Kernel, Next, Phase, Reach, Reason, Stepped,
};

/// Codes of terminal and card of one kind, put together.
#[derive(Clone, Copy)]
enum Codes {
    Default,
    Denial,
    Online,
}

/// What came with a cryptogram.
pub(super) enum Given {
    /// A cryptogram that is what it should be.
    Good(Cryptogram, CryptogramType),
    /// A cryptogram of this kind, whose signature is missing or does not convince.
    Unsigned(CryptogramType),
}

impl Kernel<'_> {
    /// Asks for a decline, an approval, or for the issuer, by what was found.
    pub(super) fn analyse(&mut self) -> Stepped {
        let kind = if self.tvr.meets(self.codes(Codes::Denial)) {
            CryptogramType::Aac
        } else {
            match self.config.reach {
                Reach::OnlineOnly => CryptogramType::Arqc,
                Reach::OnlineCapable if self.tvr.meets(self.codes(Codes::Online)) => {
                    CryptogramType::Arqc
                }
                Reach::OfflineOnly if self.tvr.meets(self.codes(Codes::Default)) => {
                    CryptogramType::Aac
                }
                Reach::OfflineOnly | Reach::OnlineCapable => CryptogramType::Tc,
            }
        };
        self.response_code = match kind {
            CryptogramType::Aac => *b"Z1",
            CryptogramType::Tc => *b"Y1",
            CryptogramType::Arqc => [0; 2],
        };
        self.hash_transaction()?;
        self.asked = kind;
        self.phase = Phase::FirstCryptogram;
        self.ask_for_cryptogram(kind, 1, 0x8C)
    }

    /// Whether the findings decline where the issuer cannot be asked.
    pub(super) fn declines_without_issuer(&self) -> bool {
        self.config.reach == Reach::OnlineOnly || self.tvr.meets(self.codes(Codes::Default))
    }

    /// Terminal's and card's action codes together. A card without codes wants everything unusual
    /// online, and nothing declined for certain (EMV 4.3 Book 3, section 10.7).
    fn codes(&self, which: Codes) -> Tvr {
        let ActionCodes { denial, online, default } =
            self.row().map(|row| row.action_codes).unwrap_or_default();
        let all = Tvr::from_octets([0xFF; 5]);
        let (terminal, tag, absent) = match which {
            Codes::Default => (default, 0x9F0D, all),
            Codes::Denial => (denial, 0x9F0E, Tvr::default()),
            Codes::Online => (online, 0x9F0F, all),
        };
        terminal.with(self.card.value(tag).and_then(Tvr::parse).unwrap_or(absent))
    }

    /// The hash of what TDOL asks for, if a list for a cryptogram wants it.
    fn hash_transaction(&mut self) -> Result<(), Reason> {
        let wants = |tag| {
            let list = self.card.value(tag).unwrap_or_default();
            list.contains(&0x98)
        };
        if !wants(0x8C) && !wants(0x8D) {
            return Ok(());
        }
        let default = self.row().map_or(&[][..], |row| row.default_tdol);
        let own = self.card.value(0x97);
        let list = Octets::<255>::of(own.unwrap_or(default)).ok_or(Reason::BadValue(0x97))?;
        if own.is_none() {
            self.tvr = self.tvr.with(Tvr::DEFAULT_TDOL_USED);
        }
        let mut values = Octets::<255>::EMPTY;
        let filled = values.fill(|room| self.fill(list.as_slice(), room));
        filled.map_err(|_| Reason::BadValue(0x97))?;
        self.transaction_hash = Some(Sha1::digest(values.as_slice()).into());
        Ok(())
    }

    /// Asks for a cryptogram with the values of the list under `tag`, which are kept in
    /// `lists[which]`; signed where both sides can.
    pub(super) fn ask_for_cryptogram(
        &mut self,
        kind: CryptogramType,
        which: usize,
        tag: u32,
    ) -> Stepped {
        self.fill_list(which, tag)?;
        let signed = kind != CryptogramType::Aac && self.wants_combined();
        let p1 = kind.octet() | if signed { 0x10 } else { 0x00 };
        let values = self.lists.get(which).map(Octets::as_slice).unwrap_or_default();
        let apdu = Apdu::generate_ac(p1, values);
        self.send_made(Command::GenerateAc, apdu)
    }

    pub(super) fn first_cryptogram_given(&mut self, answer: Answer<'_>) -> Stepped {
        if !answer.is_done() {
            return Err(Reason::BadStatus(Command::GenerateAc, answer.status));
        }
        let given = self.read_cryptogram(answer, 2)?;
        self.tsi = self.tsi.with(Tsi::CARD_RISK_MANAGEMENT_PERFORMED);
        let kind = match given {
            Given::Good(_, kind) | Given::Unsigned(kind) => kind,
        };
        // The card may be stricter than the terminal, never more generous.
        let is_allowed = match self.asked {
            CryptogramType::Aac => kind == CryptogramType::Aac,
            CryptogramType::Arqc => kind != CryptogramType::Tc,
            CryptogramType::Tc => true,
        };
        if !is_allowed {
            return Err(Reason::WrongCryptogram);
        }
        match given {
            Given::Good(cryptogram, kind) => {
                self.cryptogram = Some(cryptogram);
                match kind {
                    CryptogramType::Aac => {
                        self.response_code = *b"Z1";
                        Ok(self.end(Decision::Declined))
                    }
                    CryptogramType::Tc => {
                        self.response_code = *b"Y1";
                        Ok(self.end(Decision::Approved))
                    }
                    CryptogramType::Arqc if self.config.reach == Reach::OfflineOnly => {
                        self.cannot_go_online()
                    }
                    CryptogramType::Arqc => {
                        self.phase = Phase::Online;
                        Ok(Next::GoOnline)
                    }
                }
            }
            Given::Unsigned(kind) => {
                self.combined_failed();
                self.response_code = *b"Z1";
                match kind {
                    CryptogramType::Aac | CryptogramType::Tc => Ok(self.end(Decision::Declined)),
                    // The card waits for a second question: it is told to decline.
                    CryptogramType::Arqc => self.ask_second(CryptogramType::Aac),
                }
            }
        }
    }

    /// Reads the answer to GENERATE AC; a signature covers the first `lists_used` lists.
    pub(super) fn read_cryptogram(
        &mut self,
        answer: Answer<'_>,
        lists_used: usize,
    ) -> Result<Given, Reason> {
        let malformed = Reason::MalformedAnswer(Command::GenerateAc);
        let object = answer.object().map_err(|_| malformed)?;
        let parts = Parts::of(&object).ok_or(malformed)?;
        let information = Cid(parts.information);
        let kind = information.cryptogram().ok_or(malformed)?;
        let signed = kind != CryptogramType::Aac && self.wants_combined();
        let value = match (signed, parts.signature) {
            (false, _) => parts.cryptogram.ok_or(malformed)?,
            (true, None) => return Ok(Given::Unsigned(kind)),
            (true, Some(signature)) => {
                match self.check_combined(signature, parts.information, object.value, lists_used) {
                    Some(value) => value,
                    None => return Ok(Given::Unsigned(kind)),
                }
            }
        };
        let issuer_data = Octets::of(parts.issuer_data).ok_or(malformed)?;
        let cryptogram = Cryptogram { information, atc: parts.atc, value, issuer_data };
        Ok(Given::Good(cryptogram, kind))
    }

    /// The cryptogram inside a combined signature that convinces.
    fn check_combined(
        &mut self,
        signature: &[u8],
        information: u8,
        answer: &[u8],
        lists_used: usize,
    ) -> Option<[u8; 8]> {
        let key = self.icc_key?;
        let lists = self.lists.each_ref().map(Octets::as_slice);
        let hash = signed::transaction_hash(lists.get(..lists_used)?, answer).ok()?;
        let number = self.transaction.unpredictable_number;
        let read = signed::combined(&key, signature, information, hash, number).ok()?;
        Some(read.cryptogram)
    }
}

/// The parts of an answer to GENERATE AC (EMV 4.3 Book 3, section 6.5.5.4).
struct Parts<'a> {
    information: u8,
    atc: [u8; 2],
    cryptogram: Option<[u8; 8]>,
    signature: Option<&'a [u8]>,
    issuer_data: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(object: &Object<'a>) -> Option<Self> {
        match object.tag {
            0x80 => {
                let (head, issuer_data) = object.value.split_first_chunk::<11>()?;
                let [information, high, low, cryptogram @ ..] = *head;
                Some(Self {
                    information,
                    atc: [high, low],
                    cryptogram: Some(cryptogram),
                    signature: None,
                    issuer_data,
                })
            }
            0x77 => {
                let value = |tag| tlv::value_of(object.value, tag);
                let [information] = *value(0x9F27)? else { return None };
                let cryptogram = match value(0x9F26) {
                    Some(value) => Some(value.try_into().ok()?),
                    None => None,
                };
                Some(Self {
                    information,
                    atc: value(0x9F36)?.try_into().ok()?,
                    cryptogram,
                    signature: value(0x9F4B),
                    issuer_data: value(0x9F10).unwrap_or_default(),
                })
            }
            _ => None,
        }
    }
}
