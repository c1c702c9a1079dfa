//! The issuer of the test cards, who computes everything anew from its master keys.

use cekr_emv::chip::profile::{CardKeys, Version};
use cekr_emv::crypto::script::{Occasion, PinChangeKeys};
use cekr_emv::data::{Csu, Cvr, IssuerData};
use cekr_emv::issuer::{self, Card, Command, Entry, Letter, Outcome, Proven, Request, Told};
use cekr_emv::keys::{ImkAc, Key};
use cekr_emv::tlv::Writer;
use cekr_emv::{CardNumber, Pin};

use crate::terminal::{Cryptogram, DATE, NUMBER, SEQUENCE, Terminal, UNPREDICTABLE, pin};

fn card() -> Card {
    Card { number: CardNumber::parse(NUMBER).unwrap(), sequence: SEQUENCE }
}

/// DE 55 as the terminal would send it.
pub(crate) fn chip_data(terminal: &Terminal, aip: &[u8], made: &Cryptogram) -> Vec<u8> {
    let amount = terminal.filled(&[0x9F, 0x02, 6]);
    let mut room = [0; 256];
    let mut writer = Writer::new(&mut room);
    for (tag, value) in [
        (0x82, aip),
        (0x95, &terminal.tvr),
        (0x9A, &DATE),
        (0x9C, &[terminal.kind]),
        (0x5F2A, &terminal.currency),
        (0x9F02, &amount),
        (0x9F03, &[0; 6]),
        (0x9F1A, &[0x07, 0x05]),
        (0x9F10, &made.issuer_data),
        (0x9F26, &made.value),
        (0x9F27, &[made.information]),
        (0x9F36, &made.atc),
        (0x9F37, &UNPREDICTABLE),
    ] {
        writer.put(tag, value).unwrap();
    }
    writer.written().to_vec()
}

/// The verdict about a request.
pub(crate) fn judge(
    terminal: &Terminal,
    aip: &[u8],
    made: &Cryptogram,
) -> (Letter, Option<Proven>) {
    let data = chip_data(terminal, aip, made);
    let request = Request::parse(&data).expect("whole");
    let currency = if terminal.currency == [0x09, 0x78] { 978 } else { 840 };
    let told = Told {
        amount: Some(terminal.amount),
        currency,
        sequence: None,
        entry: Entry::Contact,
        date: None,
    };
    let imk = Key::<ImkAc>::development();
    let profile = issuer::Profile::PREPAID;
    let verdict = issuer::verify(&request, &told, &imk, &card(), &profile, None);
    (verdict.letter, verdict.proven)
}

/// The cryptogram that the issuer computes for the same data, of whatever kind it is.
pub(crate) fn recomputed(
    terminal: &Terminal,
    aip: [u8; 2],
    made: &Cryptogram,
    version: Version,
) -> [u8; 8] {
    let rules = version.rules().unwrap();
    let data = chip_data(terminal, &aip, made);
    let transaction = Request::parse(&data).expect("whole").transaction;
    let mk = rules.card_key(&Key::<ImkAc>::development(), card().number, SEQUENCE);
    let key = rules.session_key(&mk, made.atc, UNPREDICTABLE);
    rules.cryptogram(&key, &transaction, rules.sealed_of(&made.issuer_data).unwrap())
}

/// The results in issuer application data.
pub(crate) fn results(made: &Cryptogram) -> Cvr {
    IssuerData::parse(&made.issuer_data).expect("one of our layouts").results
}

/// The answer by method 2 with an update of the caller's choice.
pub(crate) fn answer_with(version: Version, made: &Cryptogram, update: Csu) -> Vec<u8> {
    let rules = version.rules().unwrap();
    let mk = rules.card_key(&Key::<ImkAc>::development(), card().number, SEQUENCE);
    let key = rules.answer_key(&mk, made.atc, UNPREDICTABLE);
    let answer = cekr_emv::crypto::cryptogram::arpc2(&key, made.value, update.octets(), &[]);
    [&answer[..], &update.octets()].concat()
}

/// Tells the chip the issuer's answer, by whichever way its version has, and asks for the last
/// cryptogram.
pub(crate) fn conclude(terminal: &mut Terminal, proven: &Proven, version: Version) -> Cryptogram {
    conclude_with(terminal, proven, version, Outcome::Approved)
}

pub(crate) fn conclude_with(
    terminal: &mut Terminal,
    proven: &Proven,
    version: Version,
    outcome: Outcome,
) -> Cryptogram {
    let (code, control) = match outcome {
        Outcome::Approved => (*b"00", 0x40),
        Outcome::Declined => (*b"05", 0x00),
    };
    let answer = proven.answer(code, outcome).octets().to_vec();
    terminal.code = code;
    if version == Version::Ten {
        let (_, status) = terminal.send([0x00, 0x82, 0x00, 0x00], &answer);
        assert_eq!(status, crate::terminal::OK);
    } else {
        terminal.issuer_answer = answer;
    }
    let last = terminal.second(control);
    crate::terminal::cryptogram(&last)
}

/// A script command of the issuer, sealed for a transaction.
pub(crate) fn sealed(version: Version, occasion: Occasion, command: Command) -> Vec<u8> {
    let keys = keys(version);
    let session = version.rules().unwrap().script;
    command.sealed(session, &keys.smi, occasion).octets().to_vec()
}

/// A command with any header and data, sealed as the issuer seals.
pub(crate) fn sealed_raw(
    version: Version,
    occasion: Occasion,
    header: [u8; 4],
    data: &[u8],
) -> Vec<u8> {
    let session = version.rules().unwrap().script;
    let [class, instruction, first, second] = header;
    let header = [class, instruction, first, second, data.len() as u8 + 8];
    let key = session.key(&keys(version).smi, occasion);
    let mac = cekr_emv::crypto::script::mac(&key, header, occasion, data);
    [&header[..], data, &mac].concat()
}

/// A new PIN.
pub(crate) fn new_pin(
    version: Version,
    occasion: Occasion,
    digits: &str,
    old: Option<&Pin>,
) -> Vec<u8> {
    let keys = keys(version);
    let keys = PinChangeKeys { ac: &keys.ac, smi: &keys.smi, smc: &keys.smc };
    let session = version.rules().unwrap().script;
    issuer::pin_change(session, &keys, occasion, &pin(digits), old).octets().to_vec()
}

fn keys(version: Version) -> CardKeys {
    CardKeys::development(card().number, SEQUENCE, version).unwrap()
}
