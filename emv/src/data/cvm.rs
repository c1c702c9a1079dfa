//! How a cardholder is recognised: the card's list (tag 8E) and what came of it (tag 9F34).
//!
//! What is here reads and writes; going through a list is the terminal's work.
//!
//! Source: EMV 4.3 Book 3, section 10.5 and Annex C3; Book 4, Annex A4.

use core::fmt;

/// Cardholder verification method list (tag 8E).
///
/// ```
/// use cekr_emv::data::{CvmCondition, CvmList, CvmMethod};
/// let value = [0, 0, 0, 0, 0, 0, 0, 0, 0x42, 0x01, 0x1F, 0x03];
/// let list = CvmList::parse(&value).expect("two rules");
/// let rule = list.rules().next().expect("a rule");
/// assert_eq!(rule.method(), CvmMethod::OnlinePin);
/// assert_eq!(rule.condition(), CvmCondition::UnattendedCash);
/// assert!(rule.goes_on());
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CvmList<'a> {
    /// Amount X in minor units of the application's currency.
    pub amount_x: u32,
    /// Amount Y in minor units of the application's currency.
    pub amount_y: u32,
    rules: &'a [[u8; 2]],
}

impl<'a> CvmList<'a> {
    /// Reads what stands behind the tag: two amounts, then pairs of octets.
    ///
    /// `None` where the amounts are cut short or half a rule stands at the end. A list without a
    /// rule is read; it counts as none (EMV 4.3 Book 3, section 10.5).
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let (amounts, rules) = value.split_first_chunk::<8>()?;
        let [x @ .., _, _, _, _] = *amounts;
        let [_, _, _, _, y @ ..] = *amounts;
        let (rules, []) = rules.as_chunks::<2>() else { return None };
        Some(Self { amount_x: u32::from_be_bytes(x), amount_y: u32::from_be_bytes(y), rules })
    }

    /// The rules, in the card's order.
    pub fn rules(&self) -> impl ExactSizeIterator<Item = CvmRule> + 'a {
        self.rules.iter().map(|[code, condition]| CvmRule { code: *code, condition: *condition })
    }
}

/// One cardholder verification rule: how, and when.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CvmRule {
    /// First octet: the method, and whether the next rule follows a failure.
    pub code: u8,
    /// Second octet: the condition.
    pub condition: u8,
}

impl CvmRule {
    /// The method.
    pub const fn method(self) -> CvmMethod {
        CvmMethod::of(self.code)
    }

    /// When the rule applies.
    pub const fn condition(self) -> CvmCondition {
        CvmCondition::of(self.condition)
    }

    /// Whether the next rule is tried when this one is not successful.
    pub const fn goes_on(self) -> bool {
        self.code & 0x40 != 0
    }
}

/// How a cardholder is verified (EMV 4.3 Book 3, table 39).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CvmMethod {
    /// Fail CVM processing.
    Fail,
    /// Plaintext PIN verification performed by ICC.
    OfflinePlainPin,
    /// Enciphered PIN verified online.
    OnlinePin,
    /// Plaintext PIN verification performed by ICC and signature (paper).
    OfflinePlainPinAndSignature,
    /// Enciphered PIN verification performed by ICC.
    OfflineEncipheredPin,
    /// Enciphered PIN verification performed by ICC and signature (paper).
    OfflineEncipheredPinAndSignature,
    /// Signature (paper).
    Signature,
    /// No CVM required.
    NoCvm,
    /// A number that the standard keeps for later, or leaves to schemes and issuers.
    Unknown(u8),
}

impl CvmMethod {
    /// The method of a rule's first octet; the upper two bits say something else.
    pub const fn of(code: u8) -> Self {
        match code & 0x3F {
            0x00 => Self::Fail,
            0x01 => Self::OfflinePlainPin,
            0x02 => Self::OnlinePin,
            0x03 => Self::OfflinePlainPinAndSignature,
            0x04 => Self::OfflineEncipheredPin,
            0x05 => Self::OfflineEncipheredPinAndSignature,
            0x1E => Self::Signature,
            0x1F => Self::NoCvm,
            other => Self::Unknown(other),
        }
    }

    /// The name in the standard's words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Fail => "Fail CVM processing",
            Self::OfflinePlainPin => "Plaintext PIN verification performed by ICC",
            Self::OnlinePin => "Enciphered PIN verified online",
            Self::OfflinePlainPinAndSignature => {
                "Plaintext PIN verification performed by ICC and signature"
            }
            Self::OfflineEncipheredPin => "Enciphered PIN verification performed by ICC",
            Self::OfflineEncipheredPinAndSignature => {
                "Enciphered PIN verification performed by ICC and signature"
            }
            Self::Signature => "Signature",
            Self::NoCvm => "No CVM required",
            Self::Unknown(0x3F) => "No CVM performed",
            Self::Unknown(_) => "Method not known",
        }
    }
}

/// When a rule applies (EMV 4.3 Book 3, table 40).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CvmCondition {
    /// Always.
    Always,
    /// If unattended cash.
    UnattendedCash,
    /// If not unattended cash and not manual cash and not purchase with cashback.
    NoCash,
    /// If terminal supports the CVM.
    Supported,
    /// If manual cash.
    ManualCash,
    /// If purchase with cashback.
    Cashback,
    /// If transaction is in the application currency and is under X value.
    UnderX,
    /// If transaction is in the application currency and is over X value.
    OverX,
    /// If transaction is in the application currency and is under Y value.
    UnderY,
    /// If transaction is in the application currency and is over Y value.
    OverY,
    /// A number that the standard keeps for later, or leaves to schemes.
    Unknown(u8),
}

impl CvmCondition {
    /// The condition of a rule's second octet.
    pub const fn of(condition: u8) -> Self {
        match condition {
            0x00 => Self::Always,
            0x01 => Self::UnattendedCash,
            0x02 => Self::NoCash,
            0x03 => Self::Supported,
            0x04 => Self::ManualCash,
            0x05 => Self::Cashback,
            0x06 => Self::UnderX,
            0x07 => Self::OverX,
            0x08 => Self::UnderY,
            0x09 => Self::OverY,
            other => Self::Unknown(other),
        }
    }

    /// The name in the standard's words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::UnattendedCash => "If unattended cash",
            Self::NoCash => {
                "If not unattended cash and not manual cash and not purchase with cashback"
            }
            Self::Supported => "If terminal supports the CVM",
            Self::ManualCash => "If manual cash",
            Self::Cashback => "If purchase with cashback",
            Self::UnderX => "If in the application currency and under X value",
            Self::OverX => "If in the application currency and over X value",
            Self::UnderY => "If in the application currency and under Y value",
            Self::OverY => "If in the application currency and over Y value",
            Self::Unknown(_) => "Condition not known",
        }
    }
}

/// Cardholder verification method results (tag 9F34; EMV 4.3 Book 4, Annex A4).
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct CvmResults(pub [u8; 3]);

impl CvmResults {
    /// No method was carried out, and nothing is known of the cardholder.
    pub const NONE: Self = Self([0x3F, 0x00, 0x00]);

    /// What came of the rule that was tried last.
    pub const fn of(rule: CvmRule, result: CvmResult) -> Self {
        Self([rule.code, rule.condition, result.octet()])
    }

    /// Reads what stands behind the tag; `None` for another length.
    pub fn parse(value: &[u8]) -> Option<Self> {
        Some(Self(value.try_into().ok()?))
    }

    /// The method that was tried last.
    pub const fn method(self) -> CvmMethod {
        let [code, _, _] = self.0;
        CvmMethod::of(code)
    }

    /// The condition of that rule.
    pub const fn condition(self) -> CvmCondition {
        let [_, condition, _] = self.0;
        CvmCondition::of(condition)
    }

    /// What came of it; numbers kept for later say nothing.
    pub const fn result(self) -> CvmResult {
        match self.0 {
            [_, _, 1] => CvmResult::Failed,
            [_, _, 2] => CvmResult::Successful,
            _ => CvmResult::Unknown,
        }
    }
}

impl fmt::Debug for CvmResults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [code, condition, result] = self.0;
        let (method, when) = (self.method().words(), self.condition().words());
        write!(f, "CvmResults({code:02X}{condition:02X}{result:02X}: {method}, {when}, ")?;
        write!(f, "{:?})", self.result())
    }
}

/// What came of the last method.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CvmResult {
    /// Unknown: somebody else judges it, such as a signature or a PIN sent online.
    Unknown,
    /// Failed.
    Failed,
    /// Successful.
    Successful,
}

impl CvmResult {
    /// The third octet of the results.
    pub const fn octet(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::Failed => 1,
            Self::Successful => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::format;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn a_list_of_a_card_in_circulation_is_read() {
        let value = [
            0, 0, 0, 0, 0, 0, 0, 0, 0x42, 0x01, 0x44, 0x03, 0x41, 0x03, 0x5E, 0x03, 0x42, 0x03,
            0x1F, 0x03,
        ];
        let list = CvmList::parse(&value).expect("whole");
        let methods: Vec<_> = list.rules().map(CvmRule::method).collect();
        assert_eq!(
            methods,
            [
                CvmMethod::OnlinePin,
                CvmMethod::OfflineEncipheredPin,
                CvmMethod::OfflinePlainPin,
                CvmMethod::Signature,
                CvmMethod::OnlinePin,
                CvmMethod::NoCvm,
            ]
        );
        assert!(list.rules().last().is_some_and(|rule| !rule.goes_on()));
    }

    #[test]
    fn half_a_rule_or_half_an_amount_is_no_list() {
        assert!(CvmList::parse(&[0; 7]).is_none());
        assert!(CvmList::parse(&[0; 9]).is_none());
        assert_eq!(CvmList::parse(&[0; 8]).map(|list| list.rules().len()), Some(0));
        let list = CvmList::parse(&[0, 0, 0x27, 0x10, 0, 0, 0, 1]).expect("whole");
        assert_eq!((list.amount_x, list.amount_y), (100_00, 1));
    }

    #[test]
    fn results_are_read_and_named() {
        let results = CvmResults([0x41, 0x03, 0x02]);
        assert_eq!(results.method(), CvmMethod::OfflinePlainPin);
        assert_eq!(results.result(), CvmResult::Successful);
        assert_eq!(
            format!("{results:?}"),
            "CvmResults(410302: Plaintext PIN verification performed by ICC, If terminal supports \
             the CVM, Successful)"
        );
        assert_eq!(CvmResults::NONE.method().words(), "No CVM performed");
        assert_eq!(CvmResults([0x1F, 0x10, 0x07]).condition(), CvmCondition::Unknown(0x10));
    }
}
