//! What a reader makes of files: of the vectors, of odd ones, and of hostile ones.

use std::fmt::Write as _;
use std::io::{self, BufReader, Read};

use cekr_issuer::entry::StatementKey;
use cekr_switch::statements::{LineKind, LineTarget};

use super::{FILES, received};
use cekr_bank::lines::{self, Contents, Doing};
use cekr_bank::xml::{DEPTH_MAX, FIELD_OCTETS_MAX, Fault, PIECE_OCTETS_MAX, Unreadable};

const HEAD: &str = "<Document><BkToCstmrStmt><GrpHdr><MsgId>M</MsgId></GrpHdr><Stmt><Id>S</Id>\
     <Acct><Id><IBAN>SI56029000000200020</IBAN></Id></Acct>";
const TAIL: &str = "</Stmt></BkToCstmrStmt></Document>";

/// A statement with so many entries of a cent, each with a name and without a reference.
pub(super) fn many(count: usize) -> String {
    let mut text = HEAD.to_owned();
    for number in 0..count {
        let _ = writeln!(
            text,
            "<Ntry><Amt Ccy=\"EUR\">0.01</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts>\
             <BookgDt><Dt>2026-11-20</Dt></BookgDt><AcctSvcrRef>R{number}</AcctSvcrRef>\
             <NtryDtls><TxDtls><RltdPties><Dbtr><Nm>Šterk Živa &amp; sin</Nm></Dbtr></RltdPties>\
             </TxDtls></NtryDtls></Ntry>"
        );
    }
    text.push_str(TAIL);
    text
}

fn entry(parts: &str) -> String {
    format!(
        "{HEAD}<Ntry><Amt Ccy=\"EUR\">10.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts>\
         <BookgDt><Dt>2026-11-20</Dt></BookgDt>{parts}</Ntry>{TAIL}"
    )
}

fn read(text: &str) -> Result<Contents, Unreadable> {
    lines::read(text.as_bytes())
}

fn fault(text: &str) -> Fault {
    read(text).map(|contents| panic!("{text}: {contents:?}")).unwrap_err().fault
}

fn keys(text: &str) -> Vec<StatementKey> {
    let contents = read(text).unwrap_or_else(|why| panic!("{text}: {why}"));
    let posted = contents.lines.iter().filter_map(|line| match line.doing {
        Doing::Post { line, .. } => Some(line.line.key),
        Doing::Ignore(_) => None,
    });
    posted.collect()
}

/// The card of the only line, or why it waits.
fn target(text: &str) -> Result<u32, &'static str> {
    let contents = read(text).unwrap_or_else(|why| panic!("{text}: {why}"));
    let [line] = contents.lines.as_slice() else { panic!("{text}: {:?}", contents.lines) };
    match line.doing {
        Doing::Post { line, .. } => match line.kind {
            LineKind::Credit(LineTarget::MokId(number)) => Ok(number),
            LineKind::Credit(LineTarget::Suspense { reason, .. }) => Err(reason.name()),
            LineKind::Reversal { .. } => Err("reversal"),
        },
        Doing::Ignore(why) => Err(why.name()),
    }
}

#[test]
fn both_versions_say_the_same_and_the_balances_hold() {
    let all: Vec<_> = FILES.iter().map(|(name, text)| received(name, text)).collect();
    for file in &all[1..] {
        let sums = &file.contents.statements[0];
        assert_eq!((sums.credits, sums.debits, sums.difference()), (240_00, 25_00, Some(0)));
    }
    assert_eq!(all[0].contents.statements[0].difference(), None);
    assert_eq!(keys(FILES[1].1), keys(FILES[4].1));
    assert_eq!(keys(FILES[0].1)[0], keys(FILES[1].1)[0]);
    let payer = |file: usize| all[file].contents.lines[2].payer.clone();
    assert_eq!((payer(1), payer(4)), ("Šterk Živa".to_owned(), "Šterk Živa".to_owned()));
}

#[test]
fn prefixes_comments_and_sections_change_nothing() {
    let plain = keys(FILES[0].1);
    let prefixed = FILES[0].1.replace("</", "</c:").replace('<', "<c:").replace("<c:/c:", "</c:");
    let prefixed = prefixed.replace("<c:?", "<?").replace("xmlns=", "xmlns:c=");
    assert_eq!(keys(&prefixed), plain);
    let odd =
        FILES[0].1.replace("NLB20261120-0001<", "<!-- x --><![CDATA[NLB20261120]]>&#45;0001<");
    assert_eq!(keys(&odd), plain);
}

#[test]
fn a_reference_stands_in_its_own_field_or_in_free_text() {
    let with = |told: &str| {
        entry(&format!("<NtryDtls><TxDtls><RmtInf>{told}</RmtInf></TxDtls></NtryDtls>"))
    };
    let structured =
        |told: &str| format!("<Strd><CdtrRefInf><Ref>{told}</Ref></CdtrRefInf></Strd>");
    let good = "SI058074720-123456789-200";
    let other = "SI058074720-234567891-200";
    for (told, expected) in [
        (structured(good), Ok(123_456_789)),
        (structured(good) + &structured("si05 8074720-123456789-200"), Ok(123_456_789)),
        (structured(good) + &structured(other), Err("BAD_PARTS")),
        (structured("SI99") + "<Ustrd>SI05 8074720-123456789-200</Ustrd>", Ok(123_456_789)),
        (structured("RF18539007547034") + &format!("<Ustrd>{good}</Ustrd>"), Err("WRONG_MODEL")),
        (
            "<Ustrd>Polnjenje SI05 8074720-1234</Ustrd><Ustrd>56789-200</Ustrd>".into(),
            Ok(123_456_789),
        ),
        (format!("<Ustrd>{good} {other}</Ustrd>"), Err("BAD_PARTS")),
        ("<Ustrd>za kartico</Ustrd>".into(), Err("WRONG_MODEL")),
        (String::new(), Err("WRONG_MODEL")),
    ] {
        assert_eq!(target(&with(&told)), expected, "{told}");
    }
    assert_eq!(target(&entry("")), Err("WRONG_MODEL"));
    let dollars = with(&structured(good)).replace("EUR", "USD");
    assert_eq!(target(&dollars), Err("CURRENCY"));
    assert_eq!(target(&entry("<RvslInd>true</RvslInd>")), Err("REVERSAL_OF_DEBIT"));
    assert_eq!(target(&entry("").replace("10.00", "0.00")), Err("ZERO"));
}

#[test]
fn a_batch_that_does_not_sum_up_waits_as_a_whole() {
    let part = |cents: &str, ccy: &str| {
        format!("<TxDtls><Amt Ccy=\"{ccy}\">{cents}</Amt><CdtDbtInd>CRDT</CdtDbtInd></TxDtls>")
    };
    let batch = |parts: &[String]| entry(&format!("<NtryDtls>{}</NtryDtls>", parts.concat()));
    let good = batch(&[part("4.00", "EUR"), part("6.00", "EUR")]);
    assert_eq!(keys(&good).len(), 2);
    for bad in [
        batch(&[part("4.00", "EUR"), part("6.01", "EUR")]),
        batch(&[part("4.00", "EUR"), part("6.00", "USD")]),
        batch(&[part("9.99", "EUR")]),
        batch(&["<TxDtls></TxDtls>".into(), part("10.00", "EUR")]),
        batch(&[part("4.00", "EUR"), part("6.00", "EUR").replace("CRDT", "DBIT")]),
    ] {
        assert_eq!(target(&bad), Err("BATCH_MISMATCH"), "{bad}");
    }
}

#[test]
fn a_line_has_one_key_whatever_tells_it() {
    let named = |entry_name: &str, names: &[&str]| {
        let parts: String = names
            .iter()
            .map(|name| {
                let name = if name.is_empty() {
                    String::new()
                } else {
                    format!("<Refs><AcctSvcrRef>{name}</AcctSvcrRef></Refs>")
                };
                format!("<TxDtls>{name}<Amt Ccy=\"EUR\">{}.00</Amt></TxDtls>", 10 / names.len())
            })
            .collect();
        let details =
            if names.is_empty() { parts } else { format!("<NtryDtls>{parts}</NtryDtls>") };
        keys(&entry(&format!("<AcctSvcrRef>{entry_name}</AcctSvcrRef>{details}")))
    };
    assert_eq!(named("A", &[]), named("A", &["A"]));
    assert_eq!(named("A", &[]), named("A", &[""]));
    assert_eq!(named("B", &["A"]), named("A", &["A"]));
    assert_ne!(named("B", &["A"]), named("B", &[]));
    let twice = named("A", &["", ""]);
    assert_ne!(twice[0], twice[1], "two payments that the bank calls by one name are two");
    assert_eq!(twice, named("B", &["A", "A"]));
    // Without any name: equal payments of one day are told apart by their number alone.
    let nameless = |count: usize, change: &str| {
        let one = "<Ntry><Amt Ccy=\"EUR\">1.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts>\
             <BookgDt><Dt>2026-11-20</Dt></BookgDt>NAME</Ntry>";
        keys(&format!("{HEAD}{}{TAIL}", one.replace("NAME", change).repeat(count)))
    };
    let three = nameless(3, "");
    assert_eq!(three[..1], nameless(1, "")[..]);
    assert!(three[0] != three[1] && three[1] != three[2]);
    assert_eq!(three, nameless(3, "<AcctSvcrRef>NONREF</AcctSvcrRef>"));
    let payer = "<NtryDtls><TxDtls><Refs><EndToEndId>E</EndToEndId></Refs></TxDtls></NtryDtls>";
    assert_ne!(three[0], nameless(1, payer)[0]);
}

#[test]
fn amounts_are_digits_and_whole_cents() {
    let with = |told: &str| entry("").replace("10.00", told);
    for (told, cents) in [
        ("10", 10_00),
        ("10.5", 10_50),
        ("10.50000", 10_50),
        (" 0010.05 ", 10_05),
        ("9999999999.99", 9_999_999_999_99),
    ] {
        assert_eq!(read(&with(told)).unwrap().lines[0].cents, cents, "{told}");
    }
    for told in [
        "",
        ".5",
        "10.",
        "10.001",
        "10.000000",
        "1e3",
        "-1",
        "+1",
        "1,00",
        "0x1",
        "１０",
        "NaN",
        "1 0",
    ] {
        assert_eq!(fault(&with(told)), Fault::Amount, "{told}");
    }
    for told in ["10000000000.00", "18446744073709551616", "99999999999999999999999"] {
        assert_eq!(fault(&with(told)), Fault::AmountTooLarge, "{told}");
    }
    let no_currency = with("1").replace(" Ccy=\"EUR\"", "");
    assert_eq!(fault(&no_currency), Fault::Missing("the currency"));
}

#[test]
fn hostile_and_broken_files_are_refused_with_their_place() {
    let good = entry("");
    for (text, expected) in [
        (String::new(), Fault::Cut),
        ("no xml at all".into(), Fault::Malformed),
        ("<html><body/></html>".into(), Fault::NotCamt),
        ("<Document/>".into(), Fault::NotCamt),
        (format!("<!DOCTYPE x [<!ENTITY a \"b\">]>{good}"), Fault::DocumentType),
        (good.replace("BOOK", "&b;"), Fault::Entity),
        (good.replace("BOOK", "BO\u{1}OK"), Fault::Malformed),
        (format!("<?xml version=\"1.0\" encoding=\"ISO-8859-2\"?>{good}"), Fault::Encoding),
        (good[..good.len() - 3].into(), Fault::Cut),
        (good[..good.len() - TAIL.len()].into(), Fault::Cut),
        (format!("{good}<Document/>"), Fault::Malformed),
        (good.replace("</Sts>", "</Stz>"), Fault::Malformed),
        (good.replace("CRDT", "CREDIT"), Fault::Word),
        (entry("<RvslInd>yes</RvslInd>"), Fault::Word),
        (good.replace("2026-11-20", "2026-02-30"), Fault::Date),
        (good.replace("2026-11-20", "20.11.2026"), Fault::Date),
        (entry("<Amt Ccy=\"EUR\">1.00</Amt>"), Fault::Twice),
        (entry("<Sts>PDNG</Sts>"), Fault::Twice),
        (good.replace("<Id>S</Id>", ""), Fault::Missing("Id")),
        (good.replace("<Sts>BOOK</Sts>", ""), Fault::Missing("Sts")),
        (good.replace("<BookgDt><Dt>2026-11-20</Dt></BookgDt>", ""), Fault::Missing("BookgDt")),
        (good.replace("<MsgId>M</MsgId>", ""), Fault::Missing("GrpHdr/MsgId")),
        ("<a>".repeat(DEPTH_MAX + 1), Fault::NotCamt),
        (entry(&"<a>".repeat(DEPTH_MAX)), Fault::Depth),
        (
            entry(&format!("<AcctSvcrRef>{}</AcctSvcrRef>", "x".repeat(FIELD_OCTETS_MAX + 1))),
            Fault::FieldTooLong,
        ),
        (entry(&format!("<!--{}-->", "x".repeat(PIECE_OCTETS_MAX))), Fault::PieceTooLong),
    ] {
        let shown: String = text.chars().take(300).collect();
        assert_eq!(fault(&text), expected, "{shown}");
    }
    let broken = FILES[1].1.replacen("40.00", "40.001", 1);
    let told = read(&broken).unwrap_err().to_string();
    assert!(
        told.starts_with("line 2, column ") && told.contains("/Ntry/Amt: this is no amount"),
        "{told}"
    );
    assert!(lines::read(&b"<Document>\xff</Document>"[..]).is_err());
    // A long text that nobody reads is none of our business.
    assert!(read(&entry(&format!("<AddtlNtryInf>{}</AddtlNtryInf>", "x".repeat(9_000)))).is_ok());
}

/// The same octets without an end.
struct Endless {
    octets: Vec<u8>,
    at: usize,
}

impl Read for Endless {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let rest = &self.octets[self.at..];
        let len = rest.len().min(out.len());
        out[..len].copy_from_slice(&rest[..len]);
        self.at = (self.at + len) % self.octets.len();
        Ok(len)
    }
}

#[test]
fn a_file_without_an_end_is_read_to_its_bound_and_no_further() {
    let endless = |text: &str| Endless { octets: text.as_bytes().to_vec(), at: 0 };
    let comments = format!("<!--{}-->", "x".repeat(PIECE_OCTETS_MAX / 2));
    for (head, again, expected) in [
        ("<Document>", comments.as_str(), Fault::FileTooLarge),
        ("<Document>", "<a>", Fault::NotCamt),
        ("<Document><BkToCstmrStmt>", "<a>", Fault::Depth),
        ("", " ", Fault::PieceTooLong),
        ("<", "a", Fault::PieceTooLong),
        ("<Document a=\"", "a", Fault::PieceTooLong),
    ] {
        let input = BufReader::new(head.as_bytes().chain(endless(again)));
        assert_eq!(lines::read(input).unwrap_err().fault, expected, "{head}");
    }
}
