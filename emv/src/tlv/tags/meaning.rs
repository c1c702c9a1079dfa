//! What a value says, in words: its bits by name, its numbers by meaning.

use core::fmt::Arguments;

use crate::data::{
    AdditionalCapabilities, Aip, Auc, Bit, Cid, Ctq, CvmList, CvmResults, Cvr, IssuerData,
    TerminalCapabilities, Tsi, Ttq, Tvr, set_bits,
};

/// Hands out what the value of `tag` says, one finding after the other; nothing for a value whose
/// octets speak for themselves or cannot be read.
///
/// ```
/// use cekr_emv::tlv::tags;
/// let mut said = Vec::new();
/// tags::explain(0x9F27, &[0x80], &mut |words| said.push(words.to_string()));
/// assert_eq!(said, ["Authorisation Request Cryptogram (ARQC)"]);
/// ```
pub fn explain(tag: u32, value: &[u8], say: &mut dyn FnMut(Arguments<'_>)) {
    match tag {
        0x8E => explain_list(value, say),
        0x9F10 => explain_issuer_data(value, say),
        0x9F27 => explain_cid(value, say),
        0x9F34 => {
            let Some(results) = CvmResults::parse(value) else { return };
            say(format_args!("{}", results.method().words()));
            say(format_args!("{}", results.condition().words()));
            say(format_args!("{:?}", results.result()));
        }
        _ => {
            if let Some((table, len)) = bits(tag)
                && value.len() == len
            {
                set_bits(table, value).for_each(|words| say(format_args!("{words}")));
            }
        }
    }
}

/// The table of a tag whose value is single bits, and its length in octets.
const fn bits(tag: u32) -> Option<(&'static [Bit], usize)> {
    match tag {
        0x82 => Some((Aip::BITS, Aip::LEN_OCTETS)),
        0x95 | 0x9F0D | 0x9F0E | 0x9F0F => Some((Tvr::BITS, Tvr::LEN_OCTETS)),
        0x9B => Some((Tsi::BITS, Tsi::LEN_OCTETS)),
        0x9F07 => Some((Auc::BITS, Auc::LEN_OCTETS)),
        0x9F33 => Some((TerminalCapabilities::BITS, TerminalCapabilities::LEN_OCTETS)),
        0x9F40 => Some((AdditionalCapabilities::BITS, AdditionalCapabilities::LEN_OCTETS)),
        0x9F66 => Some((Ttq::BITS, Ttq::LEN_OCTETS)),
        0x9F6C => Some((Ctq::BITS, Ctq::LEN_OCTETS)),
        _ => None,
    }
}

fn explain_cid(value: &[u8], say: &mut dyn FnMut(Arguments<'_>)) {
    use crate::data::{CidReason, CryptogramType};

    let [octet] = *value else { return };
    let cid = Cid(octet);
    match cid.cryptogram() {
        Some(CryptogramType::Aac) => {
            say(format_args!("Application Authentication Cryptogram (AAC)"));
        }
        Some(CryptogramType::Arqc) => {
            say(format_args!("Authorisation Request Cryptogram (ARQC)"));
        }
        Some(CryptogramType::Tc) => say(format_args!("Transaction Certificate (TC)")),
        None => say(format_args!("A kind of cryptogram that is not known")),
    }
    if cid.wants_advice() {
        say(format_args!("Advice required"));
    }
    match cid.reason() {
        CidReason::NoInformation => {}
        CidReason::ServiceNotAllowed => say(format_args!("Service not allowed")),
        CidReason::PinTryLimitExceeded => say(format_args!("PIN Try Limit exceeded")),
        CidReason::IssuerAuthenticationFailed => {
            say(format_args!("Issuer authentication failed"));
        }
    }
}

fn explain_list(value: &[u8], say: &mut dyn FnMut(Arguments<'_>)) {
    let Some(list) = CvmList::parse(value) else { return };
    if (list.amount_x, list.amount_y) != (0, 0) {
        say(format_args!("X is {}, Y is {} minor units", list.amount_x, list.amount_y));
    }
    for rule in list.rules() {
        let (method, condition) = (rule.method().words(), rule.condition().words());
        let then = if rule.goes_on() { "else the next rule" } else { "else fail" };
        say(format_args!("{method}, {condition}, {then}"));
    }
}

fn explain_issuer_data(value: &[u8], say: &mut dyn FnMut(Arguments<'_>)) {
    let Some(data) = IssuerData::parse(value) else { return };
    say(format_args!("Cryptogram version {:02X}, key index {:02X}", data.version, data.key_index));
    match data.results.first_cryptogram() {
        Some(kind) => say(format_args!("First GENERATE AC: {kind:?}")),
        None => say(format_args!("First GENERATE AC: not known")),
    }
    if let Some(kind) = data.results.second_cryptogram() {
        say(format_args!("Second GENERATE AC: {kind:?}"));
    }
    if data.results.script_count() > 0 {
        say(format_args!("Script commands: {}", data.results.script_count()));
    }
    set_bits(Cvr::BITS, &data.results.octets()).for_each(|words| say(format_args!("{words}")));
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::{String, ToString};
    use std::vec::Vec;

    use super::*;

    fn said(tag: u32, value: &[u8]) -> Vec<String> {
        let mut said = Vec::new();
        explain(tag, value, &mut |words| said.push(words.to_string()));
        said
    }

    #[test]
    fn values_are_put_into_words() {
        assert_eq!(said(0x95, &[0, 0x40, 0, 0, 0]), ["Expired application"]);
        assert_eq!(
            said(0x9F0E, &[0, 0x10, 0, 0, 0])[0],
            "Requested service not allowed for card product"
        );
        assert_eq!(said(0x9F27, &[0x0A])[1..], ["Advice required", "PIN Try Limit exceeded"]);
        assert_eq!(
            said(0x9F34, &[0x42, 0x03, 0x00]),
            ["Enciphered PIN verified online", "If terminal supports the CVM", "Unknown"]
        );
        assert_eq!(
            said(0x9F10, &[0x06, 0x01, 0x0A, 0x03, 0xA4, 0x00, 0x10]),
            [
                "Cryptogram version 0A, key index 01",
                "First GENERATE AC: Arqc",
                "Script commands: 1",
                "Offline PIN verification performed",
            ]
        );
        assert_eq!(
            said(0x8E, &[0, 0, 0, 9, 0, 0, 0, 0, 0x42, 0x01, 0x1F, 0x00]),
            [
                "X is 9, Y is 0 minor units",
                "Enciphered PIN verified online, If unattended cash, else the next rule",
                "No CVM required, Always, else fail",
            ]
        );
    }

    #[test]
    fn what_cannot_be_read_is_not_explained() {
        for tag in [0x82, 0x8E, 0x95, 0x9B, 0x9F10, 0x9F27, 0x9F34, 0xDF01] {
            for value in [&[][..], &[0xFF; 33]] {
                assert!(said(tag, value).is_empty(), "{tag:X}");
            }
        }
    }
}
