//! The check as a whole: the published cases, each letter once, and whatever octets come.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

extern crate std;

use std::format;
use std::string::String;
use std::vec::Vec;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::crypto::cvn::{ScriptSession, Transaction};
use crate::crypto::pvv;
use crate::data::{Cid, CvmResults};
use crate::keys::{MkSmi, Pvk};
use crate::tlv::{TlvError, Writer, value_of};

const CASES: &str = include_str!("../../../tests/vectors/emv/card_crypto.json");

/// A chip of the tests: it seals what it is told under a key of its own issuer.
#[derive(Clone)]
struct Sealed {
    transaction: Transaction,
    issuer_data: Vec<u8>,
    information: u8,
    cvm_results: Option<[u8; 3]>,
    sequence: Option<u8>,
}

fn imk() -> Key<ImkAc> {
    Key::from_octets(&[0x2A; 16]).unwrap()
}

fn card() -> Card {
    Card { number: CardNumber::from_number(4_761_730_000_000_011).unwrap(), sequence: 0x01 }
}

fn told() -> Told {
    Told {
        amount: Some(24_90),
        currency: 978,
        sequence: Some(1),
        entry: Entry::Contact,
        date: Some([0x11, 0x22]),
    }
}

fn purchase() -> Sealed {
    Sealed {
        transaction: Transaction {
            amount: [0, 0, 0, 0, 0x24, 0x90],
            amount_other: [0; 6],
            country: [0x07, 0x05],
            tvr: [0x00, 0x00, 0x00, 0x80, 0x00],
            currency: [0x09, 0x78],
            date: [0x26, 0x11, 0x22],
            kind: 0,
            unpredictable_number: [1, 2, 3, 4],
            aip: [0x3D, 0x00],
            atc: [0, 28],
        },
        issuer_data: [0x06, 0x01, 0x12, 0x03, 0xA4, 0x00, 0x00].into(),
        information: 0x80,
        cvm_results: Some([0x44, 0x03, 0x02]),
        sequence: Some(1),
    }
}

impl Sealed {
    fn data(&self, imk: &Key<ImkAc>, card: &Card) -> Vec<u8> {
        let known = Rules::of(Scheme::Visa, &self.issuer_data);
        let rules = known.unwrap_or(Rules::by_version(Scheme::Visa, 0x12).unwrap());
        let Transaction { atc, unpredictable_number, .. } = self.transaction;
        let mk = rules.card_key(imk, card.number, card.sequence);
        let sk = rules.session_key(&mk, atc, unpredictable_number);
        let pieces = rules.sealed_of(&self.issuer_data).unwrap();
        self.with_cryptogram(rules.cryptogram(&sk, &self.transaction, pieces))
    }

    fn with_cryptogram(&self, cryptogram: [u8; 8]) -> Vec<u8> {
        let request = Request {
            transaction: self.transaction,
            cryptogram,
            information: Cid(self.information),
            issuer_data: &self.issuer_data,
            sequence: self.sequence,
            cvm_results: self.cvm_results.map(CvmResults),
            script_results: None,
        };
        let mut room = [0; 255];
        let mut writer = Writer::new(&mut room);
        request.write(&mut writer).unwrap();
        assert!(request.issuer_data.len() < 7 || Request::parse(writer.written()) == Ok(request));
        writer.written().into()
    }
}

fn verdict_of(data: &[u8], told: &Told) -> Verdict {
    let request = Request::parse(data).unwrap();
    verify(&request, told, &imk(), &card(), &Profile::PREPAID, None)
}

fn letter_of(sealed: &Sealed) -> (Letter, Option<Cause>) {
    let verdict = verdict_of(&sealed.data(&imk(), &card()), &told());
    let is_proven = matches!(verdict.letter, Letter::C | Letter::T);
    assert_eq!(verdict.proven.is_some(), is_proven, "{:?}", verdict.letter);
    (verdict.letter, verdict.cause)
}

#[test]
fn each_letter_is_given_for_what_it_says() {
    assert_eq!(letter_of(&purchase()), (Letter::C, None));

    let mut other_way = told();
    other_way.entry = Entry::of_mode(90);
    let swiped = verdict_of(&purchase().data(&imk(), &card()), &other_way);
    assert_eq!(swiped.cause, Some(Cause::Data(Fault::NotByChip)));
    assert_eq!(swiped.letter, Letter::F);

    let certificate = Sealed { information: 0x40, ..purchase() };
    let no_request = Cause::Findings(Finding::NoRequest);
    assert_eq!(letter_of(&certificate), (Letter::G, Some(no_request)));

    let mut data = purchase().data(&imk(), &card());
    let at = data.windows(2).position(|tag| tag == [0x9F, 0x37]).unwrap();
    data[at + 3] ^= 1;
    assert_eq!(verdict_of(&data, &told()).letter, Letter::I);

    let mut unknown = purchase();
    unknown.issuer_data[2] = 0x43;
    assert_eq!(letter_of(&unknown), (Letter::U, Some(Cause::Version(0x43))));

    let mut failed = purchase();
    failed.transaction.tvr = Tvr::CDA_FAILED.octets();
    let finding = Finding::Terminal(Tvr::CDA_FAILED);
    assert_eq!(letter_of(&failed), (Letter::T, Some(Cause::Findings(finding))));

    // A and E are what the card's window says of a counter whose cryptogram is right.
    let window = AtcWindow::NEW.after([0, 28]);
    assert_eq!(window.judge([0, 28], ATC_JUMP_MAX), AtcJudgement::Replayed);
    assert!(matches!(window.judge([1, 28], ATC_JUMP_MAX), AtcJudgement::Jumped(_)));
    for letter in
        [Letter::A, Letter::C, Letter::E, Letter::F, Letter::G, Letter::I, Letter::T, Letter::U]
    {
        assert_eq!(format!("{letter:?}"), String::from(letter.as_char()));
        assert!(!letter.words().is_empty());
    }
}

#[test]
fn a_pin_that_only_the_terminal_saw_declines() {
    let mut lie = purchase();
    for results in [[0x03, 0xA0, 0, 0], [0x03, 0xA6, 0, 0]] {
        lie.issuer_data[3..].copy_from_slice(&results);
        let finding = Cause::Findings(Finding::PinClaimed);
        assert_eq!(letter_of(&lie), (Letter::T, Some(finding)), "{results:02X?}");
    }
    for told in [[0x1F, 0x03, 0x02], [0x42, 0x03, 0x00], [0x44, 0x03, 0x01]] {
        lie.cvm_results = Some(told);
        assert_eq!(letter_of(&lie).0, Letter::C, "{told:02X?}");
    }
    lie.issuer_data[4] = 0x90;
    let finding = Cause::Findings(Finding::NoRequest);
    assert_eq!(letter_of(&lie), (Letter::T, Some(finding)), "what is sealed is a certificate");
}

#[test]
fn what_the_message_tells_otherwise_is_named_by_its_tag() {
    let data = purchase().data(&imk(), &card());
    for (told, fault) in [
        (Told { amount: Some(24_91), ..told() }, Fault::Differs(0x9F02)),
        (Told { currency: 840, ..told() }, Fault::Differs(0x5F2A)),
        (Told { sequence: Some(2), ..told() }, Fault::Differs(0x5F34)),
        (Told { date: Some([0x11, 0x23]), ..told() }, Fault::Differs(0x9A)),
        (Told { entry: Entry::Other, ..told() }, Fault::NotByChip),
    ] {
        let verdict = verdict_of(&data, &told);
        assert_eq!((verdict.letter, verdict.cause), (Letter::F, Some(Cause::Data(fault))));
    }
    let silent = Told { amount: None, sequence: None, date: None, ..told() };
    assert_eq!(verdict_of(&data, &silent).letter, Letter::C);
    let second_card = Sealed { sequence: Some(2), ..purchase() };
    let cause = Some(Cause::Data(Fault::Differs(0x5F34)));
    let unasked = Told { sequence: None, ..told() };
    assert_eq!(verdict_of(&second_card.data(&imk(), &card()), &unasked).cause, cause);
    let mut no_digits = purchase();
    no_digits.transaction.amount = [0, 0, 0, 0, 0x2A, 0];
    assert_eq!(letter_of(&no_digits).1, Some(Cause::Data(Fault::BadValue(0x9F02))));
    no_digits = purchase();
    no_digits.transaction.date = [0x26, 0x13, 0x01];
    assert_eq!(letter_of(&no_digits).1, Some(Cause::Data(Fault::BadValue(0x9A))));
}

#[test]
fn data_are_read_strictly_and_faults_name_their_tag() {
    let whole = purchase().data(&imk(), &card());
    let tags: Vec<u32> = crate::tlv::objects(&whole).map(|object| object.unwrap().tag).collect();
    let without = |left_out: u32| {
        let mut room = [0; 255];
        let mut writer = Writer::new(&mut room);
        for object in crate::tlv::objects(&whole).map(Result::unwrap) {
            if object.tag != left_out {
                writer.put(object.tag, object.value).unwrap();
            }
        }
        Vec::from(writer.written())
    };
    for tag in tags {
        let parsed = Request::parse(&without(tag)).map(|_| ());
        let is_needed = ![0x9F03, 0x9F34, 0x5F34].contains(&tag);
        assert_eq!(parsed, if is_needed { Err(Fault::Missing(tag)) } else { Ok(()) }, "{tag:X}");
        let mut room = [0; 64];
        let mut writer = Writer::new(&mut room);
        writer.put(tag, value_of(&whole, tag).unwrap()).unwrap();
        let twice = [&whole[..], writer.written()].concat();
        assert_eq!(Request::parse(&twice).map(|_| ()), Err(Fault::Duplicate(tag)));
        let mut room = [0; 64];
        let mut writer = Writer::new(&mut room);
        writer.put(tag, &[0; 33]).unwrap();
        let long = [&without(tag)[..], writer.written()].concat();
        assert_eq!(Request::parse(&long).map(|_| ()), Err(Fault::BadLength(tag)));
    }
    let cut = &whole[..whole.len() - 1];
    assert_eq!(Request::parse(cut), Err(Fault::Malformed(TlvError::Truncated)));
    let terminal_only = [0x9F, 0x1A, 2, 0x07, 0x05, 0x9F, 0x33, 3, 0xE0, 0xF0, 0xC8];
    assert_eq!(Request::parse(&terminal_only), Err(Fault::NoCryptogram));
    assert_eq!(Request::parse(&[]), Err(Fault::NoCryptogram));
}

#[test]
fn a_trace_shows_each_step_and_no_key() {
    let mut trace = Trace::default();
    let data = purchase().with_cryptogram([9; 8]);
    let request = Request::parse(&data).unwrap();
    let verdict = verify(&request, &told(), &imk(), &card(), &Profile::PREPAID, Some(&mut trace));
    assert_eq!((verdict.letter, trace.letter), (Letter::I, Some(Letter::I)));
    let shown = format!("{trace}");
    let rules = Rules::by_version(Scheme::Visa, 0x12).unwrap();
    let mk = rules.card_key(&imk(), card().number, card().sequence);
    let sk = rules.session_key(&mk, [0, 28], [1, 2, 3, 4]);
    for (place, line) in [
        "cryptogram version 12",
        &format!("issuer's key: check value {}", imk().kcv()),
        &format!("card's key: check value {}", mk.kcv()),
        &format!("session key: check value {}", sk.kcv()),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(shown.lines().nth(place), Some(line));
    }
    assert!(shown.contains("sealed: 000000002490000000000000"), "{shown}");
    assert!(shown.contains("got: 0909090909090909\nI: "), "{shown}");
    assert_eq!(trace.input().len(), 33 + 7);
    for key in [imk().expose(), mk.expose(), sk.expose()] {
        let hex: String = key.iter().map(|octet| format!("{octet:02X}")).collect();
        assert!(!shown.contains(&hex) && !format!("{trace:?}").contains(&hex));
    }
}

fn octets(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap().as_bytes();
    let nibble = |digit: u8| (digit as char).to_digit(16).unwrap() as u8;
    text.chunks(2).map(|pair| nibble(pair[0]) << 4 | nibble(pair[1])).collect()
}

#[test]
fn the_published_cryptograms_are_found_right_and_answered_alike_later() {
    let file: Value = serde_json::from_str(CASES).unwrap();
    let lenient = Profile { tvr_refused: &[], cvr_refused: &[], ..Profile::PREPAID };
    let mut count = 0;
    for case in file["vectors"].as_array().unwrap() {
        let version = match case["op"].as_str().unwrap() {
            "arqc_cvn10" => 0x0A,
            "arqc_cvn18" => 0x12,
            "arqc_cvn22" => 0x22,
            _ => continue,
        };
        let given = &case["in"];
        let issuer_data = match given.get("cvr") {
            Some(results) => [&[0x06, 0x01, version][..], &octets(results)].concat(),
            None => octets(&given["tag_9f10"]),
        };
        let fixed = |name: &str| octets(&given[name]);
        let sealed = Sealed {
            transaction: Transaction {
                amount: fixed("tag_9f02").try_into().unwrap(),
                amount_other: fixed("tag_9f03").try_into().unwrap(),
                country: fixed("tag_9f1a").try_into().unwrap(),
                tvr: fixed("tag_95").try_into().unwrap(),
                currency: fixed("tag_5f2a").try_into().unwrap(),
                date: fixed("tag_9a").try_into().unwrap(),
                kind: fixed("tag_9c")[0],
                unpredictable_number: fixed("tag_9f37").try_into().unwrap(),
                aip: fixed("tag_82").try_into().unwrap(),
                atc: fixed("tag_9f36").try_into().unwrap(),
            },
            issuer_data,
            information: 0x80,
            cvm_results: None,
            sequence: None,
        };
        let arqc: [u8; 8] = octets(&case["out"]["arqc"]).try_into().unwrap();
        let data = sealed.with_cryptogram(arqc);
        let currency: String = fixed("tag_5f2a").iter().map(|o| format!("{o:02X}")).collect();
        let told = Told {
            amount: None,
            currency: currency.parse().unwrap(),
            sequence: None,
            entry: Entry::Contact,
            date: None,
        };
        let card = Card {
            number: CardNumber::parse(given["pan"].as_str().unwrap().as_bytes()).unwrap(),
            sequence: fixed("psn")[0],
        };
        let imk = Key::from_octets(&fixed("imk")).unwrap();
        let request = Request::parse(&data).unwrap();
        let verdict = verify(&request, &told, &imk, &card, &lenient, None);
        assert!(matches!(verdict.letter, Letter::C | Letter::T), "{}", case["id"]);
        let proven = verdict.proven.unwrap();
        let answer = proven.answer(*b"51", Outcome::Declined);
        let by = (Scheme::Visa, version);
        let later = respond(&imk, &card, by, proven.occasion, *b"51", Outcome::Declined);
        assert_eq!(later, Some(answer), "{}", case["id"]);
        assert_ne!(proven.answer(*b"00", Outcome::Approved), answer);
        count += 1;
    }
    assert!(count >= 7, "{count} cases");
}

#[test]
fn the_published_answers_and_scripts_come_out() {
    let file: Value = serde_json::from_str(CASES).unwrap();
    let mut count = 0;
    for case in file["vectors"].as_array().unwrap() {
        let (given, out) = (&case["in"], &case["out"]);
        let op = case["op"].as_str().unwrap();
        let session = if op.ends_with("cvn22") {
            ScriptSession::CommonOfCryptogram
        } else {
            ScriptSession::Visa
        };
        let occasion = || Occasion {
            atc: octets(&given["atc"]).try_into().unwrap(),
            arqc: octets(&given["arqc"]).try_into().unwrap(),
        };
        let command = if op.starts_with("script_put_data_cvn") {
            let header = octets(&given["header"]);
            let tag = u16::from_be_bytes([header[2], header[3]]);
            Command::PutData(Datum::new(tag, &octets(&given["data"])).unwrap())
        } else if op.starts_with("script_mac_cvn") {
            match given["cmd"].as_str() {
                Some("pin_unblock") => Command::PinUnblock,
                Some("app_block") => Command::ApplicationBlock,
                Some("app_unblock") => Command::ApplicationUnblock,
                Some("card_block") => Command::CardBlock,
                Some(_) | None => continue,
            }
        } else {
            continue;
        };
        let smi = Key::from_octets(&octets(&given["mk_smi"])).unwrap();
        let sealed = command.sealed(session, &smi, occasion());
        assert_eq!(sealed.octets(), octets(&out["apdu"]), "{}", case["id"]);
        count += 1;
    }
    assert!(count >= 18, "{count} cases");
}

fn heard(atc: u16, sealed: (u8, bool), told: Option<(u16, bool)>) -> Heard {
    let told = told.map(|(at, is_done)| ScriptResult { id: script_id(at.to_be_bytes()), is_done });
    Heard { alive_at: Some(atc.to_be_bytes()), sealed, told }
}

/// What is heard of the only open script, settled.
fn settled(queue: &mut ScriptQueue, heard: Heard) -> Option<ScriptOutcome> {
    let news: Vec<_> = queue.news(heard).collect();
    assert!(news.len() <= 1);
    let (queued, outcome) = news.first().copied()?;
    queue.settle(queued.number, outcome);
    Some(outcome)
}

fn state(queue: &ScriptQueue) -> ScriptState {
    queue.all().last().unwrap().state
}

#[test]
fn a_script_goes_out_until_the_chip_has_carried_it_out_or_its_sendings_are_spent() {
    let unblock = Order::Command(Command::PinUnblock);
    let mut queue = ScriptQueue::default();
    assert_eq!(queue.add(unblock), Some(1));
    assert_eq!(queue.add(unblock), Some(1), "once is enough");
    assert_eq!(settled(&mut queue, heard(1, (0, true), Some((1, false)))), None, "nothing is out");
    queue.note_sent(|order| order == unblock, [0, 1]);
    assert_eq!(settled(&mut queue, heard(2, (0, false), None)), None, "nobody tells anything");
    queue.note_sent(|order| order == unblock, [0, 2]);
    let refused = settled(&mut queue, heard(3, (0, true), Some((2, false))));
    assert_eq!((refused, state(&queue)), (Some(ScriptOutcome::Refused), ScriptState::Pending));
    queue.note_sent(|order| order == unblock, [0, 3]);
    assert_eq!(
        settled(&mut queue.clone(), heard(4, (1, false), Some((3, true)))),
        Some(ScriptOutcome::Accepted)
    );
    let silence = settled(&mut queue, heard(4, (0, false), None));
    assert_eq!((silence, state(&queue)), (Some(ScriptOutcome::Failed), ScriptState::Failed));
}

#[test]
fn a_terminal_that_claims_what_the_chip_does_not_seal_is_not_believed() {
    let mut queue = ScriptQueue::default();
    queue.add(Order::PinChange).unwrap();
    queue.note_sent(|order| order == Order::PinChange, [0, 7]);
    let told = ScriptResult { id: script_id([0, 7]), is_done: true };
    let by_advice = Heard { told: Some(told), ..Heard::default() };
    assert_eq!(settled(&mut queue, by_advice), None, "no cryptogram stands behind it");
    let claimed = settled(&mut queue, heard(8, (0, false), Some((7, true))));
    assert_eq!(claimed, Some(ScriptOutcome::Refused));
}

#[test]
fn a_silenced_chip_is_told_of_by_its_terminal_and_believed_until_it_speaks() {
    let mut queue = ScriptQueue::default();
    let block = Order::Command(Command::ApplicationBlock);
    queue.add(block).unwrap();
    queue.note_sent(Order::silences, [0, 7]);
    let told = ScriptResult { id: script_id([0, 7]), is_done: true };
    let by_advice = Heard { told: Some(told), ..Heard::default() };
    assert_eq!(settled(&mut queue, by_advice), Some(ScriptOutcome::Accepted));
    assert_eq!(
        settled(&mut queue.clone(), heard(8, (0, false), None)),
        Some(ScriptOutcome::Refused)
    );
    let unblock = Order::Command(Command::ApplicationUnblock);
    queue.add(unblock).unwrap();
    queue.note_sent(Order::unblocks, [0, 7]);
    assert_eq!(settled(&mut queue, heard(8, (1, false), None)), Some(ScriptOutcome::Accepted));
    assert_eq!(queue.news(heard(9, (0, false), None)).count(), 0, "the block was undone");
}

#[test]
fn four_scripts_wait_and_the_oldest_settled_one_makes_room() {
    let datum = |value| Order::Command(Command::PutData(Datum::new(0x9F58, &[value]).unwrap()));
    let mut queue = ScriptQueue::default();
    for value in 0..4 {
        assert!(queue.add(datum(value)).is_some());
    }
    assert!(!queue.takes(datum(4)));
    assert_eq!(queue.add(datum(4)), None, "four wait");
    queue.settle(2, ScriptOutcome::Cancelled);
    assert_eq!(queue.add(datum(4)), Some(5));
    let kept: Vec<_> = queue.all().copied().collect();
    assert_eq!(kept.iter().map(|queued| queued.number).collect::<Vec<_>>(), [1, 3, 4, 5]);
    assert_eq!(ScriptQueue::restored(kept, 5).all().count(), 4);
}

#[test]
fn a_template_holds_its_id_and_whole_commands() {
    let smi = Key::<MkSmi>::from_octets(&[0x11; 16]).unwrap();
    let occasion = Occasion { atc: [0, 1], arqc: [2; 8] };
    let sealed = Command::PinUnblock.sealed(ScriptSession::Visa, &smi, occasion);
    let mut room = [0; 64];
    let len = template(When::AfterFinal, [0, 0, 0, 7], &[sealed], &mut room).unwrap();
    assert_eq!(room[..9], [0x72, 22, 0x9F, 0x18, 4, 0, 0, 0, 7]);
    assert_eq!(room[9..11], [0x86, 13]);
    assert_eq!(&room[11..len], sealed.octets());
    assert_eq!(
        template(When::BeforeFinal, [0; 4], &[sealed], &mut room[..8]),
        Err(TlvError::NoRoom)
    );
    // A verification value and a script need different keys; the types keep them apart.
    let pin = crate::Pin::parse(b"1234").unwrap();
    let pvk = Key::<Pvk>::development();
    assert!(pvv::pvv(&pvk, 1, 4_761_730_000_000_011, &pin).number() < 10_000);
}

proptest! {
    #[test]
    fn any_octets_come_to_a_letter(data in prop::collection::vec(any::<u8>(), 0..255)) {
        if let Ok(request) = Request::parse(&data) {
            let verdict =
                verify(&request, &told(), &imk(), &card(), &Profile::PREPAID, None);
            prop_assert!(verdict.proven.is_none());
        }
    }

    #[test]
    fn a_changed_bit_of_what_is_sealed_is_found(
        place in 0_usize..33, bit in 0_u32..8, version in prop::sample::select(std::vec![10_u8, 18]),
    ) {
        let mut sealed = purchase();
        sealed.issuer_data[2] = version;
        let whole = sealed.data(&imk(), &card());
        let mut changed = Request::parse(&whole).unwrap();
        let t = &mut changed.transaction;
        let mut fields: [&mut [u8]; 10] = [
            &mut t.amount, &mut t.amount_other, &mut t.country, &mut t.tvr, &mut t.currency,
            &mut t.date, core::slice::from_mut(&mut t.kind), &mut t.unpredictable_number,
            &mut t.aip, &mut t.atc,
        ];
        let mut at = place;
        for field in &mut fields {
            if let Some(octet) = field.get_mut(at) {
                *octet ^= 1 << bit;
                break;
            }
            at -= field.len();
        }
        let verdict = verify(&changed, &told(), &imk(), &card(), &Profile::PREPAID, None);
        prop_assert!(matches!(verdict.letter, Letter::F | Letter::I), "{:?}", verdict);
    }
}
