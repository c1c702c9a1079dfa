//! Chips at till and cashpoint, over a socket, against an issuer that checks and answers them.
#![allow(
    clippy::inconsistent_digit_grouping,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking, and cents stand as 150_00"
)]

mod issuer;
mod support;

use cekr_emv::chip::Faults;
use cekr_emv::issuer::Letter;
use cekr_emv::pin::Pin;
use cekr_emv::terminal::Reason;
use cekr_iso8583::{CEKR87, ISO87ASCII, ISO87BINARY, View};
use cekr_terminal_sim::cassettes::Cassettes;
use cekr_terminal_sim::chip_session::{Ask, ChipSession, IssuerProof, kind};
use cekr_terminal_sim::client::{CashpointTerminal, Host, PosTerminal, WithdrawOptions};
use cekr_terminal_sim::device::reader::{ChipSlot, Reader};
use cekr_terminal_sim::form::{self, Entry, PinPad, Tender};
use cekr_terminal_sim::moment::Moment;
use cekr_terminal_sim::outcome::Ending;
use cekr_terminal_sim::place::Place;
use cekr_terminal_sim::reply::Reply;
use issuer::{Issuer, Lie, Seen};
use support::{ana, kranj, quiet, tender};
use tokio::sync::mpsc::UnboundedReceiver;

fn session(place: &Place, pad: PinPad, proof: IssuerProof) -> ChipSession<Reader> {
    let mut slot = ChipSlot::new(1);
    slot.insert(ana().development_chip(&Pin::parse(b"1234").unwrap(), 7).unwrap());
    ChipSession::new(Reader::Slot(slot), place, pad, proof, 1)
}

async fn till(lie: Lie, pad: PinPad) -> (PosTerminal, UnboundedReceiver<Seen>) {
    let (to, seen) = Issuer { lie }.listen().await;
    let session = session(&kranj(), pad, IssuerProof::Required);
    let till = PosTerminal::new(Host::connect(&to, quiet()).await.unwrap(), kranj());
    (till.with_chip(session), seen)
}

async fn cashpoint(lie: Lie) -> (CashpointTerminal, UnboundedReceiver<Seen>) {
    let (to, seen) = Issuer { lie }.listen().await;
    let place = Place::cashpoint("Bankomat Kranj", "Kranj", *b"SI");
    let session = session(&place, PinPad::Present, IssuerProof::Required);
    let host = Host::connect(&to, quiet()).await.unwrap();
    (CashpointTerminal::new(host, place, Cassettes::default()).with_chip(session), seen)
}

fn spoil(chip: &mut ChipSession<Reader>, spoil: impl FnOnce(&mut Faults)) {
    spoil(chip.reader.slot().unwrap().chip().unwrap().faults());
}

fn drained(seen: &mut UnboundedReceiver<Seen>) -> Vec<Seen> {
    core::iter::from_fn(|| seen.try_recv().ok()).collect()
}

#[tokio::test]
async fn a_sale_carries_a_cryptogram_that_the_issuer_finds_right_and_counts_on() {
    let (mut till, mut seen) = till(Lie::None, PinPad::Present).await;
    for atc in [8, 9] {
        let outcome = till.purchase(&tender(Entry::Chip), 24_90).await;
        assert_eq!((outcome.ending, outcome.amount), (Ending::Answered(*b"00"), 24_90));
        let seen = drained(&mut seen);
        assert_eq!(seen.len(), 1);
        assert_eq!((seen[0].letter, seen[0].atc), (Some(Letter::C), atc));
        assert_eq!((seen[0].entry, seen[0].sequence), (Some(51), Some(1)));
        let track2 = seen[0].track2.clone().unwrap();
        assert!(track2.starts_with("4761730000000011=3012201") && track2.len() > 26, "{track2}");
        assert!(seen[0].has_pin);
    }
}

#[tokio::test]
async fn a_tap_needs_a_pin_above_fifty_euros_only() {
    let (mut till, mut seen) = till(Lie::None, PinPad::Present).await;
    let card = Tender::new(ana(), Entry::Contactless);
    assert!(till.purchase(&card, 12_00).await.is_approved());
    assert!(till.purchase(&tender(Entry::Contactless), 60_00).await.is_approved());
    // Above it and without a PIN the reader sends the card to its contacts.
    let outcome = till.purchase(&card, 60_00).await;
    assert_eq!(outcome.ending, Ending::CardFault(Reason::UseContact));
    let seen = drained(&mut seen);
    assert_eq!(seen.iter().map(|it| it.letter).collect::<Vec<_>>(), [Some(Letter::C); 2]);
    assert_eq!(seen[0].entry, Some(71));
}

#[tokio::test]
async fn a_till_without_a_pin_pad_takes_a_signature() {
    let (mut till, mut seen) = till(Lie::None, PinPad::Absent).await;
    let outcome = till.purchase(&Tender::new(ana(), Entry::Chip), 24_90).await;
    assert!(outcome.is_approved(), "{outcome:?}");
    assert_eq!(drained(&mut seen)[0].letter, Some(Letter::C));
}

#[tokio::test]
async fn cash_is_asked_for_its_fee_first_and_its_cryptogram_covers_the_amount() {
    let (mut machine, mut seen) = cashpoint(Lie::None).await;
    let any = WithdrawOptions::default();
    let outcome = machine.withdraw(&tender(Entry::Chip), 50_00, any).await;
    assert_eq!((outcome.ending, outcome.dispensed), (Ending::Answered(*b"00"), Some(50_00)));
    let told = drained(&mut seen);
    assert_eq!(told.iter().map(|it| it.mti).collect::<Vec<_>>(), [100, 200]);
    assert_eq!((told[0].letter, told[1].letter), (None, Some(Letter::C)));
    // Who gives up at the fee leaves no cryptogram behind.
    let stingy = WithdrawOptions { fee_max: Some(1), ..any };
    let outcome = machine.withdraw(&tender(Entry::Chip), 50_00, stingy).await;
    assert_eq!(outcome.ending, Ending::Cancelled);
    assert_eq!(drained(&mut seen).len(), 1);
    assert!(machine.balance(&tender(Entry::Chip)).await.is_approved());
    assert_eq!(drained(&mut seen)[0].letter, Some(Letter::C));
}

#[tokio::test]
async fn a_forged_approval_is_refused_by_the_card_and_taken_back() {
    for lie in [Lie::NoProof, Lie::WrongProof] {
        let (mut till, mut seen) = till(lie, PinPad::Present).await;
        let outcome = till.purchase(&tender(Entry::Chip), 24_90).await;
        assert_eq!((outcome.ending, outcome.amount), (Ending::CardRefused, 0), "{lie:?}");
        let kinds: Vec<u16> = drained(&mut seen).iter().map(|it| it.mti).collect();
        assert_eq!(kinds, [200, 400], "{lie:?}");

        let (mut machine, mut seen) = cashpoint(lie).await;
        let options = WithdrawOptions::default();
        let outcome = machine.withdraw(&tender(Entry::Chip), 50_00, options).await;
        assert_eq!((outcome.ending, outcome.dispensed), (Ending::CardRefused, Some(0)), "{lie:?}");
        let kinds: Vec<u16> = drained(&mut seen).iter().map(|it| it.mti).collect();
        assert_eq!(kinds, [100, 200, 420], "{lie:?}");
    }
}

#[tokio::test]
async fn a_host_that_knows_no_chips_may_be_believed() {
    let (to, _seen) = Issuer { lie: Lie::NoProof }.listen().await;
    let session = session(&kranj(), PinPad::Present, IssuerProof::WhereGiven);
    let till = PosTerminal::new(Host::connect(&to, quiet()).await.unwrap(), kranj());
    let mut till = till.with_chip(session);
    for entry in [Entry::Chip, Entry::Contactless, Entry::Contactless, Entry::Chip] {
        let outcome = till.purchase(&tender(entry), 24_90).await;
        assert!(outcome.is_approved(), "{entry:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn whatever_is_wrong_with_the_chip_the_issuer_or_the_terminal_says_no() {
    let (mut till, mut seen) = till(Lie::None, PinPad::Present).await;
    spoil(till.chip.as_mut().unwrap(), |faults| faults.wrong_cryptogram = true);
    let outcome = till.purchase(&tender(Entry::Chip), 24_90).await;
    assert_eq!(outcome.ending, Ending::Answered(*b"82"));
    assert_eq!(drained(&mut seen)[0].letter, Some(Letter::I));

    // Torn out at any command: nothing is sold, and what was approved is taken back.
    for commands in 0..14 {
        let chip = till.chip.as_mut().unwrap();
        spoil(chip, |faults| {
            *faults = Faults { torn_out_after: Some(commands), ..Faults::default() };
        });
        let outcome = till.purchase(&tender(Entry::Chip), 24_90).await;
        let kinds: Vec<u16> = drained(&mut seen).iter().map(|it| it.mti).collect();
        match outcome.ending {
            Ending::CardFault(_) => assert!(kinds.is_empty() || kinds == [200, 400], "{kinds:?}"),
            Ending::Answered(code) => assert_eq!((code, kinds), (*b"00", vec![200])),
            other => panic!("{other:?} after {commands}"),
        }
    }
    till.chip.as_mut().unwrap().reader.slot().unwrap().remove();
    let outcome = till.purchase(&tender(Entry::Chip), 24_90).await;
    assert_eq!(outcome.ending, Ending::CardFault(Reason::CardGone));
}

#[tokio::test]
async fn a_decline_leaves_nothing_to_take_back() {
    let (mut till, mut seen) = till(Lie::Declines(*b"51"), PinPad::Present).await;
    let outcome = till.purchase(&tender(Entry::Chip), 24_90).await;
    assert_eq!(outcome.ending, Ending::Answered(*b"51"));
    assert_eq!(drained(&mut seen).len(), 1, "there is nothing to take back");
}

#[test]
fn chip_data_arrive_as_they_were_in_every_dialect() {
    let mut session = session(&kranj(), PinPad::Present, IssuerProof::Required);
    let mut tender = tender(Entry::Chip);
    let ask = Ask::of(&tender, kind::PURCHASE, 24_90, 0).unwrap();
    let pause = session.begin(ask, Moment::from_unix_ms(1_795_341_600_000));
    session.go_online(pause, &mut tender).unwrap();
    let data = tender.chip.clone().unwrap().data;
    let message = form::stamp(form::purchase(&kranj(), &tender, 24_90, None), 1, Moment::default());
    for spec in [&CEKR87, &ISO87ASCII, &ISO87BINARY] {
        let mut octets = vec![];
        message.encode(spec, &mut octets).unwrap();
        let view = View::parse(spec, &octets).map_err(|damaged| damaged.error).unwrap();
        let mut room = [0; 999];
        let read = view.field(55).unwrap().octets(&mut room).unwrap();
        assert_eq!(read, data, "{}", spec.name());
        assert_eq!(Reply::read(&view).chip_data, data);
    }
    assert!(!format!("{tender:?}").contains("0000000011"), "nor track 2, nor the number");
}
