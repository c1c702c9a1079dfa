//! Canaries: card numbers, tracks, PIN blocks, card verification values and keys of a run, sought
//! in all that the switch leaves behind, in every spelling that a program might give them.
//!
//! What a terminal is answered is not sought through: it gets back what it sent. Everything else
//! is: the log at its most talkative, every file of the data directory, the journal as people read
//! it, metrics, the API's answers and its refusals, the event stream, and the last words of a
//! switch that refuses to start.

mod crash_support;

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use cekr_emv::crypto::pin_block;
use cekr_emv::keys::{Key, Pvk, Zpk};
use cekr_emv::pin::Pin;
use cekr_iso8583::{CEKR87, FieldSet, Framing, Header, Mti, View, Writer};

use crash_support::message::Terminal;
use crash_support::{Scratch, Setup, binary, read_all, run};

const PAN: &str = "4761737391864020";
/// Of our range, and nobody's card.
const STRANGER: &str = "4761739950172647";
/// Of nobody's range.
const FOREIGN: &str = "5413330089604111";
const EXPIRY: &str = "3012";
/// Stripe data behind the expiry: the service code and what the issuer hid there.
const DISCRETIONARY: &str = "2018372650914";
const CVV2: &str = "9203748";
const START_KEY: &str = "c4f9a1d35e0b7286913fd8a64c52e07b8d1f36ea94705bc2e83d19f7602ab5cd";

#[test]
fn nothing_secret_is_left_behind_in_any_spelling() {
    let scratch = Scratch::new("canary");
    let setup = Setup::new(&scratch.0, 0)
        .with("CEKR_LOG", "trace")
        .with("CEKR_START_KEY", START_KEY)
        // The website's files are searched too.
        .with("CEKR_PORTAL_DATABASE_URL", "")
        .with("CEKR_JOURNAL_CHECKPOINT_ENTRIES", "5");
    std::fs::write(&setup.cards, card_file()).unwrap();

    let switch = setup.start();
    let feed = subscribe(&switch.http);
    let mut terminal = Terminal::connect(switch.iso).unwrap();
    let messages = messages();
    for message in &messages {
        assert!(terminal.send(&framed(message)));
        assert!(terminal.reply().is_some(), "an answer to each");
    }
    for message in &messages {
        // Cut off and bent: what is said about the damage must not quote it.
        for end in [message.len() / 2, message.len() - 3] {
            assert!(terminal.send(&framed(&message[..end])));
        }
        let mut bent = message.clone();
        bent[30] = b'!';
        assert!(terminal.send(&framed(&bent)));
    }
    // A frame that is too long, with numbers in it, ends its connection.
    let mut long = vec![0xFF, 0xFF];
    long.extend(PAN.bytes().cycle().take(8_000));
    terminal.send(&long);

    let mut left = Vec::new();
    let base = switch.http.clone();
    for path in [
        "/v1/cards",
        "/v1/books",
        "/v1/openapi.json",
        "/metrics",
        "/healthz",
        "/readyz",
        &format!("/v1/cards/{PAN}"),
        &format!("/v1/cards?name={PAN}"),
        &format!("/v1/cards/{PAN}/transactions"),
        &format!("/nothing/{PAN}?track={PAN}={EXPIRY}{DISCRETIONARY}"),
    ] {
        left.push((format!("GET {path}"), http(&base, "GET", path, "")));
    }
    let id = switch.cards()[0]["id"].as_str().unwrap().to_owned();
    left.push((
        "transactions".to_owned(),
        http(&base, "GET", &format!("/v1/cards/{id}/transactions"), ""),
    ));
    for (path, body) in [
        (format!("/v1/cards/{id}/loads"), format!("{{\"amount\":\"{PAN}\",\"source\":{PAN}}}")),
        ("/v1/cards".to_owned(), format!("{{\"pan\":\"{STRANGER}\",\"expiry\":\"{PAN}\"}}")),
        ("/v1/clearing".to_owned(), format!("{PAN}{{")),
    ] {
        left.push((format!("POST {path}"), http(&base, "POST", &path, &body)));
    }
    left.push(("events".to_owned(), events(feed)));
    assert_eq!(switch.stop().code, Some(0));

    left.push(("log".to_owned(), setup.said().into_bytes()));
    let data = setup.data.to_str().unwrap();
    for words in [&["dump", "--json"][..], &["dump"], &["verify", "--json"], &["doctor", "--json"]]
    {
        let told = run(binary(), &[&["journal"], words, &["--data", data]].concat());
        left.push((format!("journal {words:?}"), [told.stdout, told.stderr].concat()));
    }
    for (path, octets) in setup.files() {
        left.push((format!("file {}", path.display()), octets));
    }
    // A directory that is refused: its last words are words too.
    let other_key = setup.clone().with("CEKR_START_KEY", &START_KEY.replace('c', "d"));
    let refused = other_key.try_start(&[]).err().expect("another start key is refused");
    left.push(("refusal".to_owned(), refused.stderr.into_bytes()));

    let seen: usize = left.iter().map(|(_, octets)| octets.len()).sum();
    assert!(seen > 20_000, "there is something to look through: {seen} octets");
    let log = &left.iter().find(|(place, _)| place == "log").unwrap().1;
    assert!(log.len() > 1_000, "the log talks");
    let mut found = String::new();
    for (what, needles) in canaries() {
        for (spelling, needle) in needles {
            for (place, octets) in &left {
                if octets.windows(needle.len()).any(|window| window == needle) {
                    writeln!(found, "{what} as {spelling} in {place}").unwrap();
                }
            }
        }
    }
    assert!(found.is_empty(), "{found}");
}

#[test]
fn every_spelling_is_found_where_it_stands() {
    for (what, needles) in canaries() {
        for (spelling, needle) in needles {
            assert!(needle.len() >= 7, "{what} as {spelling} is long enough to be no accident");
        }
    }
    let text = base64(format!("x{PAN}yz").as_bytes());
    let needles = spellings(PAN.as_bytes());
    assert!(
        needles.iter().any(|(_, needle)| text.windows(needle.len()).any(|part| part == needle)),
        "base64 hides nothing, whatever stands before"
    );
}

/// What to look for, by the names of its spellings.
type Needles = Vec<(&'static str, Vec<u8>)>;

/// What must be found nowhere, each in all its spellings.
fn canaries() -> Vec<(&'static str, Needles)> {
    let number: u64 = PAN.parse().unwrap();
    let zpk = Key::<Zpk>::development();
    let mut all = Vec::new();
    for (what, pan) in [("the number", PAN), ("a stranger", STRANGER), ("a foreigner", FOREIGN)] {
        let mut needles = spellings(pan.as_bytes());
        needles.extend(spellings(&packed(pan)));
        let word: u64 = pan.parse().unwrap();
        needles.push(("a little-endian word", word.to_le_bytes().to_vec()));
        needles.push(("a big-endian word", word.to_be_bytes().to_vec()));
        let spaced: Vec<&str> = (0..4).map(|part| &pan[part * 4..part * 4 + 4]).collect();
        needles.push(("groups of four", spaced.join(" ").into_bytes()));
        needles.push(("groups with hyphens", spaced.join("-").into_bytes()));
        all.push((what, needles));
    }
    all.push(("stripe data", spellings(DISCRETIONARY.as_bytes())));
    all.push(("CVV2 with its id", vec![("text", CVV2.as_bytes().to_vec())]));
    for (what, pin) in [("the PIN's block", "1234"), ("a wrong PIN's block", "9876")] {
        let clear = pin_block::encode_format0(&Pin::parse(pin.as_bytes()).unwrap(), number);
        let sent = pin_block::encipher_format0(&zpk, &Pin::parse(pin.as_bytes()).unwrap(), number);
        all.push((what, [spellings(&clear), spellings(&sent)].concat()));
    }
    all.push(("the zone key", spellings(zpk.expose())));
    all.push(("the PIN verification key", spellings(Key::<Pvk>::development().expose())));
    let start: Vec<u8> = (0..START_KEY.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&START_KEY[at..at + 2], 16).unwrap())
        .collect();
    all.push(("the start key", spellings(&start)));
    all
}

/// Octets as themselves, backwards, in UTF-16, as hexadecimal digits and in base64 at each offset.
fn spellings(octets: &[u8]) -> Needles {
    let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    let wide: Vec<u8> = octets.iter().flat_map(|octet| [*octet, 0]).collect();
    let listed: Vec<String> = octets.iter().map(u8::to_string).collect();
    let mut all = vec![
        ("octets", octets.to_vec()),
        ("octets backwards", octets.iter().rev().copied().collect()),
        ("UTF-16", wide),
        ("hexadecimal", hex.clone().into_bytes()),
        ("hexadecimal capitals", hex.to_uppercase().into_bytes()),
        ("a list of numbers", listed.join(", ").into_bytes()),
    ];
    for offset in 0..3 {
        let mut shifted = vec![0; offset];
        shifted.extend_from_slice(octets);
        // Characters that the octets before or behind could change are left out.
        let text = base64(&shifted);
        let from = (offset * 8).div_ceil(6);
        let to = shifted.len() * 8 / 6;
        all.push(("base64", text[from..to].to_vec()));
    }
    all
}

fn base64(octets: &[u8]) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: Vec<u8> =
        octets.iter().flat_map(|octet| (0..8).rev().map(move |bit| octet >> bit & 1)).collect();
    let letter = |six: &[u8]| {
        let value = (0..6).fold(0, |sum, at| sum << 1 | six.get(at).copied().unwrap_or(0));
        LETTERS[usize::from(value)]
    };
    bits.chunks(6).map(letter).collect()
}

fn packed(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().map(|digit| digit - b'0').collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).copied().unwrap_or(0xF)).collect()
}

fn card_file() -> String {
    format!(
        "[[card]]\nname = \"canary\"\npan = \"{PAN}\"\nexpiry = \"2030-12\"\n\
         mok_id = \"123456782\"\nbalance = \"500.00\"\n\
         channels = [\"online\", \"abroad\", \"cashpoint\"]\nstate = \"active\"\npin = \"1234\"\n"
    )
}

/// One of each way in which a secret comes in.
fn messages() -> Vec<Vec<u8>> {
    let zpk = Key::<Zpk>::development();
    let block = |pin: &str| {
        let pin = Pin::parse(pin.as_bytes()).unwrap();
        pin_block::encipher_format0(&zpk, &pin, PAN.parse().unwrap())
    };
    let (right, wrong) = (block("1234"), block("9876"));
    let hex: String = right.iter().map(|octet| format!("{octet:02X}")).collect();
    let track = format!("{PAN}={EXPIRY}{DISCRETIONARY}");
    let chip = chip_data();
    let text = |text: &str| text.as_bytes().to_vec();
    [
        // By key, with the value from its back.
        (200, "000000", "812", vec![(2, text(PAN)), (14, text(EXPIRY)), (48, text(CVV2))]),
        // By stripe with a PIN, right and wrong.
        (200, "000000", "902", vec![(35, text(&track)), (52, right.to_vec())]),
        (100, "000000", "902", vec![(35, text(&track)), (52, wrong.to_vec())]),
        (200, "010000", "021", vec![(35, text(&track)), (52, wrong.to_vec())]),
        // By chip, with the number and the track once more in the chip's data.
        (200, "000000", "051", vec![(35, text(&track)), (55, chip), (52, right.to_vec())]),
        (
            100,
            "920000",
            "051",
            vec![(35, text(&track)), (48, text(&format!("5416{hex}"))), (52, right.to_vec())],
        ),
        // Advised, reversed, nobody's, and of nobody's range.
        (220, "000000", "011", vec![(2, text(PAN)), (14, text(EXPIRY))]),
        (420, "000000", "902", vec![(35, text(&track))]),
        (200, "000000", "011", vec![(2, text(STRANGER)), (14, text(EXPIRY))]),
        (220, "000000", "011", vec![(2, text(STRANGER)), (14, text(EXPIRY))]),
        (200, "000000", "011", vec![(2, text(FOREIGN)), (14, text(EXPIRY))]),
        // Two numbers that contradict each other; a type that is not known.
        (200, "000000", "902", vec![(2, text(STRANGER)), (35, text(&track))]),
        (200, "550000", "902", vec![(35, text(&track))]),
    ]
    .into_iter()
    .zip(1_u64..)
    .map(|((mti, code, entry, own), stan)| message(mti, code, entry, &own, stan))
    .collect()
}

fn message(mti: u16, code: &str, entry: &str, own: &[(u8, Vec<u8>)], stan: u64) -> Vec<u8> {
    let mut elements: Vec<(u8, Vec<u8>)> = vec![
        (3, code.into()),
        (4, b"000000000150".to_vec()),
        (7, b"1122101500".to_vec()),
        (11, format!("{stan:06}").into_bytes()),
        (22, entry.into()),
        (37, format!("{stan:012}").into_bytes()),
        (41, b"CANARY01".to_vec()),
        (42, b"000000008074720".to_vec()),
        (43, b"TRGOVINA                  KRANJ       SI".to_vec()),
        (49, b"978".to_vec()),
    ];
    elements.extend_from_slice(own);
    elements.sort();
    let fields: Vec<u8> = elements.iter().map(|(de, _)| *de).collect();
    let mut room = [0; 1_024];
    let mut writer =
        Writer::new(&CEKR87, Mti::new(mti).unwrap(), FieldSet::of(&fields), &mut room).unwrap();
    for (de, value) in &elements {
        if matches!(de, 52 | 55) {
            writer.octets(*de, value).unwrap();
        } else {
            writer.text(*de, value).unwrap();
        }
    }
    let len = writer.finish().unwrap();
    assert!(View::parse(&CEKR87, &room[..len]).is_ok());
    room[..len].to_vec()
}

/// What no terminal should send: the number (5A) and the track (57) among a chip's data.
fn chip_data() -> Vec<u8> {
    let mut data = vec![0x5A, 8];
    data.extend(packed(PAN));
    // The separator is D in a packed track.
    let track = packed(&format!("{PAN}={EXPIRY}{DISCRETIONARY}"));
    data.extend([0x57, track.len() as u8]);
    data.extend(track);
    data.extend([0x9F, 0x26, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0x9F, 0x27, 1, 0x80, 0x82, 2, 0x18, 0]);
    data
}

fn framed(message: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; Framing::Be2.header_len()];
    Framing::Be2.write_header(Header { tpdu: [0; 5] }, message.len(), &mut frame).unwrap();
    frame.extend_from_slice(message);
    frame
}

/// An answer of the API, head and body, as it came.
fn http(base: &str, method: &str, path: &str, body: &str) -> Vec<u8> {
    let mut socket = TcpStream::connect(base.trim_start_matches("http://")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Authorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        crash_support::TOKEN,
        body.len()
    );
    socket.write_all(head.as_bytes()).unwrap();
    socket.write_all(body.as_bytes()).unwrap();
    let answer = read_all(socket).into_bytes();
    assert!(answer.starts_with(b"HTTP/1.1 "), "{method} is answered");
    answer
}

/// Events that the messages make at least.
const EVENTS: usize = 8;

/// Asks for the live feed, and waits until it has begun.
fn subscribe(base: &str) -> TcpStream {
    let mut socket = TcpStream::connect(base.trim_start_matches("http://")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let head = format!(
        "GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n",
        crash_support::TOKEN
    );
    socket.write_all(head.as_bytes()).unwrap();
    let mut octets = Vec::new();
    while !octets.windows(4).any(|window| window == b"\r\n\r\n") {
        let mut octet = [0];
        socket.read_exact(&mut octet).unwrap();
        octets.extend(octet);
    }
    socket
}

/// What the live feed told of the messages.
fn events(mut socket: TcpStream) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut buffer = [0; 65_536];
    while octets.windows(6).filter(|window| window == b"event:").count() < EVENTS {
        let read = socket.read(&mut buffer).unwrap();
        assert!(read > 0, "the feed goes on");
        octets.extend_from_slice(&buffer[..read]);
    }
    octets
}
