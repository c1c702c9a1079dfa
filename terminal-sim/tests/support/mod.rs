//! A host as small as one can be: it answers what a test tells it to.
#![allow(dead_code, reason = "each test file uses its part of it")]

use cekr_iso8583::{CEKR87, FieldSet, Framing, Pan, Step, View, Writer};
use cekr_terminal_sim::card::Card;
use cekr_terminal_sim::form::{Entry, Tender};
use cekr_terminal_sim::link::{LinkAction, LinkConfig, SignOn};
use cekr_terminal_sim::place::Place;

pub(crate) fn ana() -> Card {
    Card::new("ana", Pan::parse(b"4761730000000011").unwrap(), 3012).unwrap()
}

pub(crate) fn tender(entry: Entry) -> Tender {
    Tender::new(ana(), entry).with_pin(&cekr_emv::pin::Pin::parse(b"1234").unwrap())
}

pub(crate) fn kranj() -> Place {
    Place::shop("Mercator Kranj", "Kranj", *b"SI")
}

/// A quiet line: no sign-on, no echo.
pub(crate) fn quiet() -> LinkConfig {
    LinkConfig {
        sign_on: SignOn::Never,
        echo_idle_ms: 0,
        ..LinkConfig::new(&CEKR87, Framing::Be2, *b"POS00001")
    }
}

/// The messages in these octets, without their frames.
pub(crate) fn messages(octets: &[u8]) -> Vec<Vec<u8>> {
    let mut found = vec![];
    let mut rest = octets;
    while let Ok(Step::Message { message, consumed, .. }) = Framing::Be2.next(rest, 4096) {
        found.push(message.to_vec());
        rest = &rest[consumed..];
    }
    found
}

/// The messages that a line wants sent.
pub(crate) fn sent(actions: &[LinkAction]) -> Vec<Vec<u8>> {
    actions
        .iter()
        .flat_map(|action| match action {
            LinkAction::Send(octets) => messages(octets),
            _ => vec![],
        })
        .collect()
}

pub(crate) fn view(message: &[u8]) -> View<'_> {
    View::parse(&CEKR87, message).map_err(|damaged| damaged.error).unwrap()
}

pub(crate) fn text(message: &[u8], de: u8) -> Option<String> {
    let mut buffer = [0; 999];
    let text = view(message).field(de)?.text(&mut buffer)?.to_vec();
    Some(String::from_utf8(text).unwrap())
}

pub(crate) fn mti(message: &[u8]) -> u16 {
    view(message).mti().number()
}

/// A framed answer with this code, and a fee (DE 8) where there is one.
pub(crate) fn answer(request: &[u8], code: &[u8; 2], fee: Option<u64>) -> Vec<u8> {
    answer_echoing(request, code, fee, ECHOED)
}

/// The same with DE 55, unless it is empty.
pub(crate) fn answer_with_chip(
    request: &[u8],
    code: &[u8; 2],
    fee: Option<u64>,
    chip_data: &[u8],
) -> Vec<u8> {
    written(request, code, fee, ECHOED, chip_data)
}

const ECHOED: &[u8] = &[2, 3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49, 70];

pub(crate) fn answer_echoing(
    request: &[u8],
    code: &[u8; 2],
    fee: Option<u64>,
    echo: &[u8],
) -> Vec<u8> {
    written(request, code, fee, echo, &[])
}

fn written(
    request: &[u8],
    code: &[u8; 2],
    fee: Option<u64>,
    echo: &[u8],
    chip_data: &[u8],
) -> Vec<u8> {
    let view = view(request);
    let is_approval = code == b"00" && view.mti().class() != 8;
    let mut own = FieldSet::of(&[39]);
    if fee.is_some() {
        own = own.with(8);
    }
    if is_approval {
        own = own.with(38).with(54);
    }
    if !chip_data.is_empty() {
        own = own.with(55);
    }
    let mut buffer = [0; 1024];
    let reply = view.mti().reply().unwrap();
    let mut writer = Writer::reply(&view, reply, FieldSet::of(echo), own, &mut buffer).unwrap();
    if let Some(fee) = fee {
        writer.number(8, fee).unwrap();
    }
    if is_approval {
        writer.text(38, b"A1B2C3").unwrap();
    }
    writer.text(39, code).unwrap();
    if is_approval {
        writer.text(54, b"0001978C0000000075100002978C000000007510").unwrap();
    }
    if !chip_data.is_empty() {
        writer.octets(55, chip_data).unwrap();
    }
    let len = writer.finish().unwrap();
    framed(&buffer[..len])
}

pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    let mut out = vec![];
    cekr_terminal_sim::message::frame_of_terminal(Framing::Be2, message, &mut out);
    out
}
