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
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]
    use quick_xml::Reader;
    use quick_xml::events::{BytesStart, Event};

    use super::*;

    /// What may stand in an element, as pain.001.001.03 has it: what our orders have a use for.
    enum May {
        /// These, in this order, each so often.
        Have(&'static [(&'static str, usize, usize)]),
        /// A text of 1 to so many signs.
        Text(usize),
        /// One of these.
        Word(&'static [&'static str]),
        /// An amount of at most 18 digits, five of them behind the point.
        Decimal,
        /// A day, or a moment.
        Digits(&'static str),
        /// Two letters, two digits, at most thirty of both.
        Iban,
    }

    use May::{Decimal, Digits, Have, Iban, Text, Word};

    /// The parts of the schema, by the path from above: an element may be another elsewhere.
    const SCHEMA: &[(&str, May)] = &[
        ("Document", Have(&[("CstmrCdtTrfInitn", 1, 1)])),
        ("Document/CstmrCdtTrfInitn", Have(&[("GrpHdr", 1, 1), ("PmtInf", 1, usize::MAX)])),
        (
            "GrpHdr",
            Have(&[
                ("MsgId", 1, 1),
                ("CreDtTm", 1, 1),
                ("Authstn", 0, 2),
                ("NbOfTxs", 1, 1),
                ("CtrlSum", 0, 1),
                ("InitgPty", 1, 1),
                ("FwdgAgt", 0, 1),
            ]),
        ),
        (
            "PmtInf",
            Have(&[
                ("PmtInfId", 1, 1),
                ("PmtMtd", 1, 1),
                ("BtchBookg", 0, 1),
                ("NbOfTxs", 0, 1),
                ("CtrlSum", 0, 1),
                ("PmtTpInf", 0, 1),
                ("ReqdExctnDt", 1, 1),
                ("PoolgAdjstmntDt", 0, 1),
                ("Dbtr", 1, 1),
                ("DbtrAcct", 1, 1),
                ("DbtrAgt", 1, 1),
                ("DbtrAgtAcct", 0, 1),
                ("UltmtDbtr", 0, 1),
                ("ChrgBr", 0, 1),
                ("ChrgsAcct", 0, 1),
                ("ChrgsAcctAgt", 0, 1),
                ("CdtTrfTxInf", 1, usize::MAX),
            ]),
        ),
        (
            "PmtTpInf",
            Have(&[("InstrPrty", 0, 1), ("SvcLvl", 0, 1), ("LclInstrm", 0, 1), ("CtgyPurp", 0, 1)]),
        ),
        (
            "CdtTrfTxInf",
            Have(&[
                ("PmtId", 1, 1),
                ("PmtTpInf", 0, 1),
                ("Amt", 1, 1),
                ("XchgRateInf", 0, 1),
                ("ChrgBr", 0, 1),
                ("ChqInstr", 0, 1),
                ("UltmtDbtr", 0, 1),
                ("IntrmyAgt1", 0, 1),
                ("CdtrAgt", 0, 1),
                ("CdtrAgtAcct", 0, 1),
                ("Cdtr", 0, 1),
                ("CdtrAcct", 0, 1),
                ("UltmtCdtr", 0, 1),
                ("Purp", 0, 1),
                ("RltdRmtInf", 0, 10),
                ("RmtInf", 0, 1),
            ]),
        ),
        ("PmtId", Have(&[("InstrId", 0, 1), ("EndToEndId", 1, 1)])),
        ("SvcLvl", Have(&[("Cd", 1, 1)])),
        ("Purp", Have(&[("Cd", 1, 1)])),
        ("Amt", Have(&[("InstdAmt", 1, 1)])),
        ("RmtInf", Have(&[("Ustrd", 0, usize::MAX), ("Strd", 0, usize::MAX)])),
        ("DbtrAgt", Have(&[("FinInstnId", 1, 1), ("BrnchId", 0, 1)])),
        (
            "FinInstnId",
            Have(&[
                ("BIC", 0, 1),
                ("ClrSysMmbId", 0, 1),
                ("Nm", 0, 1),
                ("PstlAdr", 0, 1),
                ("Othr", 0, 1),
            ]),
        ),
        ("InitgPty", Have(&[("Nm", 0, 1), ("PstlAdr", 0, 1), ("Id", 0, 1)])),
        ("Dbtr", Have(&[("Nm", 0, 1), ("PstlAdr", 0, 1), ("Id", 0, 1)])),
        ("Cdtr", Have(&[("Nm", 0, 1), ("PstlAdr", 0, 1), ("Id", 0, 1)])),
        ("DbtrAcct", Have(&[("Id", 1, 1), ("Tp", 0, 1), ("Ccy", 0, 1), ("Nm", 0, 1)])),
        ("CdtrAcct", Have(&[("Id", 1, 1), ("Tp", 0, 1), ("Ccy", 0, 1), ("Nm", 0, 1)])),
        ("Othr", Have(&[("Id", 1, 1), ("SchmeNm", 0, 1), ("Issr", 0, 1)])),
        ("Othr/Id", Text(35)),
        ("DbtrAcct/Id", Have(&[("IBAN", 1, 1)])),
        ("CdtrAcct/Id", Have(&[("IBAN", 1, 1)])),
        ("MsgId", Text(35)),
        ("PmtInfId", Text(35)),
        ("EndToEndId", Text(35)),
        ("Nm", Text(140)),
        ("Ustrd", Text(140)),
        ("PmtMtd", Word(&["CHK", "TRF", "TRA"])),
        ("ChrgBr", Word(&["DEBT", "CRED", "SHAR", "SLEV"])),
        ("Cd", Text(4)),
        ("NbOfTxs", Word(&["1"])),
        ("CtrlSum", Decimal),
        ("InstdAmt", Decimal),
        ("CreDtTm", Digits("dddd-dd-ddTdd:dd:dd")),
        ("ReqdExctnDt", Digits("dddd-dd-dd")),
        ("IBAN", Iban),
    ];

    fn rule(path: &[String]) -> &'static May {
        let path = path.join("/");
        let ends = |known: &str| path == known || path.ends_with(&format!("/{known}"));
        let known = SCHEMA.iter().filter(|(known, _)| ends(known));
        // The longer path says it more closely.
        let found = known.max_by_key(|(known, _)| known.len());
        &found.unwrap_or_else(|| panic!("the schema has no {path}")).1
    }

    fn is_digits(form: &str, text: &str) -> bool {
        form.len() == text.len()
            && form.bytes().zip(text.bytes()).all(|(form, sign)| match form {
                b'd' => sign.is_ascii_digit(),
                other => sign == other,
            })
    }

    fn check(path: &[String], children: &[String], text: &str) {
        let is_right = match rule(path) {
            Have(order) => {
                let places: Vec<usize> = children
                    .iter()
                    .map(|child| order.iter().position(|(name, ..)| name == child).unwrap())
                    .collect();
                let often = order.iter().all(|(name, least, most)| {
                    let count = children.iter().filter(|child| child == name).count();
                    (*least..=*most).contains(&count)
                });
                places.is_sorted() && often && text.trim().is_empty()
            }
            Text(most) => (1..=*most).contains(&text.chars().count()),
            Word(words) => words.contains(&text),
            Decimal => {
                let (whole, part) = text.split_once('.').unwrap_or((text, ""));
                let is_number = |text: &str| text.bytes().all(|sign| sign.is_ascii_digit());
                !whole.is_empty()
                    && is_number(whole)
                    && is_number(part)
                    && part.len() <= 5
                    && whole.len() + part.len() <= 18
            }
            Digits(form) => is_digits(form, text),
            Iban => {
                let (head, tail) = text.split_at_checked(4).unwrap_or_default();
                head.bytes().take(2).all(|sign| sign.is_ascii_uppercase())
                    && head.bytes().skip(2).all(|sign| sign.is_ascii_digit())
                    && (1..=30).contains(&tail.len())
                    && tail.bytes().all(|sign| sign.is_ascii_alphanumeric())
            }
        };
        assert!(is_right, "{}: {children:?} {text:?}", path.join("/"));
    }

    /// Holds a file against the schema, element by element.
    fn conforms(file: &str) {
        let name = |tag: &BytesStart<'_>| tag.name().as_ref().to_owned();
        let mut reader = Reader::from_str(file);
        let mut path: Vec<String> = Vec::new();
        let mut open: Vec<(Vec<String>, String)> = vec![Default::default()];
        loop {
            match reader.read_event().unwrap() {
                Event::Start(tag) => {
                    let attribute = |wanted: &str| {
                        let found = tag.try_get_attribute(wanted).unwrap();
                        found.map(|found| found.value.into_owned())
                    };
                    match name(&tag).as_str() {
                        "Document" => assert_eq!(
                            attribute("xmlns").as_deref(),
                            Some("urn:iso:std:iso:20022:tech:xsd:pain.001.001.03")
                        ),
                        "InstdAmt" => assert_eq!(attribute("Ccy").as_deref(), Some("EUR")),
                        _ => assert_eq!(tag.attributes().count(), 0, "{}", name(&tag)),
                    }
                    open.last_mut().unwrap().0.push(name(&tag));
                    path.push(name(&tag));
                    open.push(Default::default());
                }
                Event::Text(text) => {
                    open.last_mut().unwrap().1.push_str(&text);
                }
                // One sign, whichever.
                Event::GeneralRef(_) => open.last_mut().unwrap().1.push('&'),
                Event::End(_) => {
                    let (children, text) = open.pop().unwrap();
                    check(&path, &children, &text);
                    path.pop();
                }
                Event::Decl(_) => {}
                Event::Eof => break,
                other @ (Event::Empty(_)
                | Event::CData(_)
                | Event::Comment(_)
                | Event::PI(_)
                | Event::DocType(_)) => panic!("an order has no {other:?}"),
            }
        }
        assert_eq!(open.pop().unwrap().0, ["Document"]);
    }

    fn returned() -> Returned {
        Returned {
            item: 7,
            amount: 25_05,
            currency: "EUR",
            payer: "Žan & <Sin>".to_owned(),
            payer_account: "SI56020170014356205".to_owned(),
            bank_reference: "NLB1".to_owned(),
            ordered_at: 1_795_341_600_123,
        }
    }

    #[test]
    fn an_order_says_what_was_returned_to_whom() {
        let file = write(&returned());
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
    }

    #[test]
    fn an_order_keeps_to_the_schema_whatever_the_payer_and_the_bank_wrote() {
        conforms(&write(&returned()));
        let long = "Ž&<'\"".repeat(100);
        let (item, amount) = (u64::MAX, 999_999_999_999);
        let bank_reference = long.clone();
        conforms(&write(&Returned { item, amount, payer: long, bank_reference, ..returned() }));
        let (payer, bank_reference) = (String::new(), String::new());
        conforms(&write(&Returned { amount: 1, payer, bank_reference, ..returned() }));
    }

    #[test]
    #[should_panic(expected = "PmtInf")]
    fn a_file_that_has_its_parts_in_another_order_is_found() {
        let file = write(&returned());
        let method = "<PmtMtd>TRF</PmtMtd>";
        conforms(&file.replace(method, "").replace("<ChrgBr>", &format!("{method}<ChrgBr>")));
    }
}
