//! The order to the bank by which money goes back to its payer: pain.001.001.03.
//!
//! Source: ISO 20022 CustomerCreditTransferInitiationV03, as UJP documents it for Slovenia; the
//! purpose code of a return is that of the external code set (`OTHR`, with words beside it).

use std::fmt::Write as _;

use super::suspense::Returned;
use cekr_bank::reference::OWN_ACCOUNT;

/// The order as a file.
#[must_use]
pub fn write(returned: &Returned) -> String {
    let Returned { item, amount, payer, payer_account, bank_reference, ordered_at, .. } = returned;
    let moment = moment(*ordered_at);
    let day = moment.split('T').next().unwrap_or_default();
    let sum = format!("{}.{:02}", amount / 100, amount % 100);
    let name = escaped(if payer.is_empty() { "NOTPROVIDED" } else { payer }, NAME_SIGNS_MAX);
    let words = format!("Vračilo neprepoznanega plačila {bank_reference}");
    let words = escaped(words.trim_end(), WORDS_SIGNS_MAX);
    let mut file = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        file,
        "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pain.001.001.03\"><CstmrCdtTrfInitn>\
         <GrpHdr><MsgId>CEKR-RET-{item}</MsgId><CreDtTm>{moment}</CreDtTm><NbOfTxs>1</NbOfTxs>\
         <CtrlSum>{sum}</CtrlSum><InitgPty><Nm>{OWN_NAME}</Nm></InitgPty></GrpHdr>\
         <PmtInf><PmtInfId>CEKR-RET-{item}</PmtInfId><PmtMtd>TRF</PmtMtd><NbOfTxs>1</NbOfTxs>\
         <CtrlSum>{sum}</CtrlSum><PmtTpInf><SvcLvl><Cd>SEPA</Cd></SvcLvl></PmtTpInf>\
         <ReqdExctnDt>{day}</ReqdExctnDt><Dbtr><Nm>{OWN_NAME}</Nm></Dbtr>\
         <DbtrAcct><Id><IBAN>{OWN_ACCOUNT}</IBAN></Id></DbtrAcct>\
         <DbtrAgt><FinInstnId><Othr><Id>NOTPROVIDED</Id></Othr></FinInstnId></DbtrAgt>\
         <ChrgBr>SLEV</ChrgBr><CdtTrfTxInf>\
         <PmtId><EndToEndId>CEKR-RET-{item}</EndToEndId></PmtId>\
         <Amt><InstdAmt Ccy=\"EUR\">{sum}</InstdAmt></Amt>\
         <Cdtr><Nm>{name}</Nm></Cdtr>\
         <CdtrAcct><Id><IBAN>{payer_account}</IBAN></Id></CdtrAcct>\
         <Purp><Cd>OTHR</Cd></Purp><RmtInf><Ustrd>{words}</Ustrd></RmtInf>\
         </CdtTrfTxInf></PmtInf></CstmrCdtTrfInitn></Document>"
    );
    file
}

/// The moment without its zone and parts of a second, as the bank takes it.
fn moment(unix_ms: u64) -> String {
    let ms = i64::try_from(unix_ms).unwrap_or(i64::MAX);
    let moment = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
    moment.to_string().split(['.', 'Z']).next().unwrap_or_default().to_owned()
}

/// Text for between two tags, cut to so many signs.
fn escaped(text: &str, signs_max: usize) -> String {
    let mut out = String::with_capacity(text.len());
    for sign in text.chars().take(signs_max) {
        match sign {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\n' | '\r' | '\t' => out.push(' '),
            _ => out.push(sign),
        }
    }
    out
}

/// Who pays: whoever holds the programme's account.
const OWN_NAME: &str = "Mestna občina Kranj";
/// Max70Text, and Max140Text.
const NAME_SIGNS_MAX: usize = 70;
const WORDS_SIGNS_MAX: usize = 140;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    #[test]
    fn an_order_is_xml_whatever_the_payer_is_called() {
        let returned = Returned {
            item: 7,
            amount: 25_05,
            currency: "EUR",
            payer: "Žan & <Sin>".to_owned(),
            payer_account: "SI56020170014356205".to_owned(),
            bank_reference: "NLB1".to_owned(),
            ordered_at: 1_795_341_600_123,
        };
        let file = write(&returned);
        for part in [
            "<InstdAmt Ccy=\"EUR\">25.05</InstdAmt>",
            "<CtrlSum>25.05</CtrlSum>",
            "<Cdtr><Nm>Žan &amp; &lt;Sin&gt;</Nm></Cdtr>",
            "<CdtrAcct><Id><IBAN>SI56020170014356205</IBAN>",
            "<CreDtTm>2026-11-22T10:00:00</CreDtTm>",
            "<ReqdExctnDt>2026-11-22</ReqdExctnDt>",
        ] {
            assert!(file.contains(part), "{part} is not in {file}");
        }
        let mut reader = quick_xml::Reader::from_str(&file);
        while reader.read_event().unwrap() != quick_xml::events::Event::Eof {}
    }
}
