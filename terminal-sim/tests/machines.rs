//! Till, cashpoint and web shop as machines: what they send and what they make of the answers.
#![allow(
    clippy::inconsistent_digit_grouping,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking, and cents stand as 150_00"
)]

mod support;

use cekr_emv::crypto::pin_block;
use cekr_emv::keys::{Key, Zpk};
use cekr_emv::pin::Pin;
use cekr_iso8583::{CEKR87, View};
use cekr_terminal_sim::cashpoint::{Cashpoint, CashpointEvent, CashpointForm, FeeNotice};
use cekr_terminal_sim::cassettes::{Cassette, Cassettes};
use cekr_terminal_sim::device::pin_pad::EncipheredPin;
use cekr_terminal_sim::form::{self, Cause, Entry, Original, Tender};
use cekr_terminal_sim::link::OnSilence;
use cekr_terminal_sim::message::Message;
use cekr_terminal_sim::moment::Moment;
use cekr_terminal_sim::outcome::{Ending, Outcome};
use cekr_terminal_sim::place::Place;
use cekr_terminal_sim::pos::{LineEvent, Pos, PosEvent, PosForm, TillAction};
use cekr_terminal_sim::reply::Reply;
use cekr_terminal_sim::shop::{Shop, ShopEvent, ShopForm};
use support::{ana, answer, kranj, messages, tender, text, view};

const START: Moment = Moment::from_unix_ms(1_795_341_600_000);

fn submitted(actions: &[TillAction]) -> (Message, OnSilence) {
    match actions {
        [TillAction::Submit(message, on_silence)] => (message.clone(), *on_silence),
        other => panic!("one request expected: {other:?}"),
    }
}

fn octets(message: &Message) -> Vec<u8> {
    let mut out = vec![];
    form::stamp(message.clone(), 7, START).encode(&CEKR87, &mut out).unwrap();
    out
}

fn reply(message: &Message, code: &[u8; 2], fee: Option<u64>) -> Reply {
    let framed = answer(&octets(message), code, fee);
    Reply::read(&view(&messages(&framed)[0]))
}

fn finished(actions: &[TillAction]) -> Outcome {
    match actions {
        [TillAction::Finish(outcome)] => (**outcome).clone(),
        other => panic!("an end expected: {other:?}"),
    }
}

/// The elements of a till's request, started by this form.
fn request_of(form: PosForm) -> (Vec<u8>, OnSilence) {
    let mut till = Pos::new(kranj());
    let (message, on_silence) = submitted(&till.handle(PosEvent::Start(Box::new(form))));
    (octets(&message), on_silence)
}

#[test]
fn a_chip_purchase_carries_number_track_and_enciphered_pin() {
    let form = PosForm::Purchase { tender: tender(Entry::Chip), amount: 24_90, cashback: None };
    let (request, on_silence) = request_of(form);
    assert_eq!(on_silence, OnSilence::Reverse);
    assert_eq!(support::mti(&request), 200);
    for (de, value) in [
        (2, "4761730000000011"),
        (3, "000000"),
        (4, "000000002490"),
        (7, "1122100000"),
        (11, "000007"),
        (12, "110000"),
        (13, "1122"),
        (14, "3012"),
        (18, "5411"),
        (19, "705"),
        (22, "051"),
        (25, "00"),
        (32, "476173"),
        (35, "4761730000000011=3012201"),
        (41, "POS00001"),
        (49, "978"),
        (53, "2001010100000000"),
    ] {
        assert_eq!(text(&request, de).as_deref(), Some(value), "DE {de}");
    }
    assert!(text(&request, 43).unwrap().ends_with("SI"));
    let mut block = [0; 8];
    let block: [u8; 8] =
        view(&request).field(52).unwrap().octets(&mut block).unwrap().try_into().unwrap();
    let pin = pin_block::decipher_format0(&Key::<Zpk>::development(), block, 4_761_730_000_000_011);
    assert_eq!(pin.unwrap(), Pin::parse(b"1234").unwrap());
}

#[test]
fn each_entry_has_its_mode_and_its_card_data() {
    for (entry, mode, has_pan, has_track) in [
        (Entry::Chip, "051", true, true),
        (Entry::Contactless, "071", true, true),
        (Entry::Key, "012", true, false),
        (Entry::Stripe, "902", false, true),
    ] {
        let tender = Tender::new(ana(), entry);
        let (request, _) = request_of(PosForm::Purchase { tender, amount: 1, cashback: None });
        assert_eq!(text(&request, 22).unwrap(), mode);
        assert_eq!((view(&request).has(2), view(&request).has(35)), (has_pan, has_track));
        assert!(!view(&request).has(52) && !view(&request).has(55));
    }
    let form = PosForm::Purchase { tender: tender(Entry::Stripe), amount: 1, cashback: None };
    assert_eq!(text(&request_of(form).0, 22).unwrap(), "901");
}

#[test]
fn cashback_stands_in_de_54_within_the_total() {
    let form =
        PosForm::Purchase { tender: tender(Entry::Chip), amount: 44_90, cashback: Some(20_00) };
    let (request, _) = request_of(form);
    assert_eq!(text(&request, 3).unwrap(), "090000");
    assert_eq!(text(&request, 4).unwrap(), "000000004490");
    assert_eq!(text(&request, 54).unwrap(), "0040978D000000002000");
}

#[test]
fn refund_preauthorization_completion_and_balance_have_their_types() {
    let original = Original {
        sent: Some(form::Sent { mti: 100, stan: 7, transmitted: 1_122_100_000, acquirer: 476_173 }),
        rrn: Some(*b"632610000007"),
        auth_code: Some(*b"A1B2C3"),
    };
    let tender = || tender(Entry::Chip);
    let (refund, silence) =
        request_of(PosForm::Refund { tender: tender(), amount: 5_00, of: original });
    assert_eq!((support::mti(&refund), silence), (200, OnSilence::Reverse));
    assert_eq!(text(&refund, 3).unwrap(), "200000");
    assert!(!view(&refund).has(52));

    let (hold, silence) = request_of(PosForm::Preauthorize { tender: tender(), amount: 80_00 });
    assert_eq!((support::mti(&hold), silence), (100, OnSilence::Reverse));
    assert_eq!(text(&hold, 25).unwrap(), "06");

    let (completion, silence) =
        request_of(PosForm::Complete { tender: tender(), amount: 75_00, of: original });
    assert_eq!((support::mti(&completion), silence), (220, OnSilence::Repeat));
    assert_eq!(text(&completion, 38).unwrap(), "A1B2C3");
    assert_eq!(text(&completion, 37).unwrap(), "632610000007");
    let ninety = text(&completion, 90).unwrap();
    assert_eq!(ninety, "010000000711221000000000047617300000000000");

    let (balance, silence) = request_of(PosForm::Balance(tender()));
    assert_eq!((support::mti(&balance), silence), (200, OnSilence::Forget));
    assert_eq!(text(&balance, 3).unwrap(), "310000");
    assert!(!view(&balance).has(4));
}

#[test]
fn a_pin_change_carries_both_blocks() {
    let new_pin = EncipheredPin::development(&Pin::parse(b"4321").unwrap(), *ana().pan());
    let (request, _) = request_of(PosForm::PinChange { tender: tender(Entry::Chip), new_pin });
    assert_eq!(text(&request, 3).unwrap(), "920000");
    assert!(view(&request).has(52));
    let private = text(&request, 48).unwrap();
    assert!(private.starts_with("5416") && private.len() == 20, "{private}");
}

#[test]
fn a_till_tells_approval_decline_and_silence_apart() {
    let mut till = Pos::new(kranj());
    let form = || PosForm::Purchase { tender: tender(Entry::Chip), amount: 24_90, cashback: None };
    let (message, _) = submitted(&till.handle(PosEvent::Start(Box::new(form()))));
    // A second start while the first waits changes nothing.
    assert!(till.handle(PosEvent::Start(Box::new(form()))).is_empty());
    let sent = form::stamp(message.clone(), 7, START);
    till.handle(PosEvent::Line(LineEvent::Sent(sent)));
    let approval = reply(&message, b"00", None);
    let outcome = finished(&till.handle(PosEvent::Line(LineEvent::Answered(&approval))));
    assert!(outcome.is_approved());
    assert_eq!((outcome.amount, outcome.available), (24_90, Some(75_10)));
    assert_eq!(outcome.stan(), Some(7));
    assert_eq!(outcome.auth_code_text().as_deref(), Some("A1B2C3"));

    let (message, _) = submitted(&till.handle(PosEvent::Start(Box::new(form()))));
    let decline = reply(&message, b"57", None);
    let outcome = finished(&till.handle(PosEvent::Line(LineEvent::Answered(&decline))));
    assert_eq!((outcome.response_code(), outcome.amount), (Some(*b"57"), 0));

    submitted(&till.handle(PosEvent::Start(Box::new(form()))));
    let outcome = finished(&till.handle(PosEvent::Line(LineEvent::TimedOut)));
    assert_eq!((outcome.ending, outcome.reversed), (Ending::TimedOut, Some(Cause::TooLate)));
    // An answer that comes now belongs to nothing.
    assert!(till.handle(PosEvent::Line(LineEvent::Answered(&approval))).is_empty());
}

#[test]
fn a_cancellation_is_a_0400_that_names_its_original() {
    let mut till = Pos::new(kranj());
    let form = PosForm::Purchase { tender: tender(Entry::Chip), amount: 12_00, cashback: None };
    let (message, _) = submitted(&till.handle(PosEvent::Start(Box::new(form))));
    till.handle(PosEvent::Line(LineEvent::Sent(form::stamp(message.clone(), 7, START))));
    let approval = reply(&message, b"00", None);
    let outcome = finished(&till.handle(PosEvent::Line(LineEvent::Answered(&approval))));

    let cancel = PosForm::Cancel { of: Box::new(outcome), actual: Some(10_00) };
    let (reversal, silence) = submitted(&till.handle(PosEvent::Start(Box::new(cancel))));
    assert_eq!(silence, OnSilence::Repeat);
    let reversal = octets(&reversal);
    assert_eq!(support::mti(&reversal), 400);
    assert_eq!(text(&reversal, 38).unwrap(), "A1B2C3");
    assert_eq!(text(&reversal, 39).unwrap(), "17");
    assert_eq!(text(&reversal, 90).unwrap(), "020000000711221000000000047617300000000000");
    let ninety_five = "000000001000000000000000D00000000D00000000";
    assert_eq!(text(&reversal, 95).unwrap(), ninety_five);
    // Whoever reads it gets the amount back.
    let parsed = View::parse(&CEKR87, &reversal).map_err(|damaged| damaged.error).unwrap();
    assert!(matches!(parsed.replacement_amounts(), Some(Ok(_))));
}

fn cashpoint() -> Cashpoint {
    let cassettes = Cassettes::new(&[Cassette::new(10_00, 10), Cassette::new(20_00, 10)]);
    Cashpoint::new(Place::cashpoint("Bankomat Kranj", "Kranj", *b"SI"), cassettes)
}

fn withdraw(machine: &mut Cashpoint, amount: u64) -> Vec<TillAction> {
    let form = CashpointForm::Withdraw { tender: tender(Entry::Chip), amount };
    machine.handle(CashpointEvent::Start(Box::new(form)))
}

/// Enquiry, consent and approval of 50.00; the notes are on their way out.
fn dispensing(machine: &mut Cashpoint) {
    let (enquiry, silence) = submitted(&withdraw(machine, 50_00));
    assert_eq!(silence, OnSilence::Forget);
    let request = octets(&enquiry);
    assert_eq!(support::mti(&request), 100);
    assert_eq!(text(&request, 3).unwrap(), "320000");
    assert!(!view(&request).has(52), "the fee comes before the PIN");
    let answer = reply(&enquiry, b"00", Some(15_00));
    let actions = machine.handle(CashpointEvent::Line(LineEvent::Answered(&answer)));
    let [TillAction::AskConsent(notice)] = actions[..] else { panic!("{actions:?}") };
    assert_eq!(notice, FeeNotice { amount: 50_00, fee: Some(15_00) });
    assert_eq!(notice.share_percent(), Some(30));

    let (withdrawal, silence) = submitted(&machine.handle(CashpointEvent::Consent));
    assert_eq!(silence, OnSilence::Reverse);
    let request = octets(&withdrawal);
    assert_eq!(text(&request, 3).unwrap(), "010000");
    assert_eq!(text(&request, 18).unwrap(), "6011");
    assert_eq!(text(&request, 25).unwrap(), "02");
    assert!(view(&request).has(52));
    let sent = form::stamp(withdrawal.clone(), 7, START);
    machine.handle(CashpointEvent::Line(LineEvent::Sent(sent)));
    let answer = reply(&withdrawal, b"00", Some(15_00));
    let actions = machine.handle(CashpointEvent::Line(LineEvent::Answered(&answer)));
    let [TillAction::Dispense(mix)] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!((mix.total(), mix.note_count()), (50_00, 3));
}

#[test]
fn a_withdrawal_asks_its_fee_then_the_pin_then_pays() {
    let mut machine = cashpoint();
    dispensing(&mut machine);
    let outcome = finished(&machine.handle(CashpointEvent::Dispensed { note_count: 3 }));
    assert_eq!((outcome.amount, outcome.fee, outcome.dispensed), (50_00, 15_00, Some(50_00)));
    assert_eq!(outcome.reversed, None);
    assert_eq!(machine.cashpoint_notes(), [9, 8]);
}

#[test]
fn a_jam_tells_the_issuer_what_really_came_out() {
    let mut machine = cashpoint();
    dispensing(&mut machine);
    let (advice, silence) = submitted(&machine.handle(CashpointEvent::Dispensed { note_count: 2 }));
    assert_eq!(silence, OnSilence::Repeat);
    let request = octets(&advice);
    assert_eq!(support::mti(&request), 420);
    assert_eq!(text(&request, 39).unwrap(), "32");
    assert!(text(&request, 95).unwrap().starts_with("000000004000"));
    let answer = reply(&advice, b"00", Some(15_00));
    let outcome = finished(&machine.handle(CashpointEvent::Line(LineEvent::Answered(&answer))));
    assert!(outcome.is_approved());
    assert_eq!((outcome.amount, outcome.dispensed), (40_00, Some(40_00)));
    assert_eq!(outcome.reversed, Some(Cause::PartlyDispensed));
    assert_eq!(machine.cashpoint_notes(), [10, 8]);
}

#[test]
fn a_jam_before_the_first_note_takes_all_back() {
    let mut machine = cashpoint();
    dispensing(&mut machine);
    let (advice, _) = submitted(&machine.handle(CashpointEvent::Dispensed { note_count: 0 }));
    let request = octets(&advice);
    assert_eq!(text(&request, 39).unwrap(), "21");
    assert!(!view(&request).has(95));
    let outcome = finished(&machine.handle(CashpointEvent::Line(LineEvent::TimedOut)));
    assert_eq!((outcome.amount, outcome.dispensed), (0, Some(0)));
}

#[test]
fn a_person_may_leave_at_the_sight_of_the_fee() {
    let mut machine = cashpoint();
    let (enquiry, _) = submitted(&withdraw(&mut machine, 50_00));
    let answer = reply(&enquiry, b"00", Some(15_00));
    machine.handle(CashpointEvent::Line(LineEvent::Answered(&answer)));
    let outcome = finished(&machine.handle(CashpointEvent::Cancel));
    assert_eq!(outcome.ending, Ending::Cancelled);
    // The machine is free again.
    submitted(&withdraw(&mut machine, 50_00));
}

#[test]
fn an_unanswered_enquiry_leaves_the_fee_unknown_and_the_withdrawal_possible() {
    let mut machine = cashpoint();
    submitted(&withdraw(&mut machine, 50_00));
    let actions = machine.handle(CashpointEvent::Line(LineEvent::TimedOut));
    let [TillAction::AskConsent(notice)] = actions[..] else { panic!("{actions:?}") };
    assert_eq!(notice.fee, None);
    submitted(&machine.handle(CashpointEvent::Consent));
}

#[test]
fn a_machine_without_the_notes_sends_nothing() {
    let mut machine = cashpoint();
    let outcome = finished(&withdraw(&mut machine, 55_00));
    assert_eq!((outcome.ending, outcome.sent.is_none()), (Ending::NoNotes, true));
}

#[test]
fn an_owners_surcharge_stands_in_de_28_within_de_4() {
    let mut machine = cashpoint().with_surcharge(2_00);
    let (enquiry, _) = submitted(&withdraw(&mut machine, 50_00));
    let request = octets(&enquiry);
    assert_eq!(text(&request, 4).unwrap(), "000000005200");
    assert!(view(&request).fee_amount(28).is_some());
}

#[test]
fn a_web_order_says_that_the_card_is_not_there() {
    let mut shop = Shop::new(Place::web_shop("Spletna knjigarna", "Ljubljana", *b"SI"));
    let form = ShopForm::Buy { card: ana(), amount: 39_00, cvv2: Some(*b"123"), given: None };
    let (order, silence) = submitted(&shop.handle(ShopEvent::Start(Box::new(form))));
    assert_eq!(silence, OnSilence::Reverse);
    let request = octets(&order);
    assert_eq!(support::mti(&request), 100);
    assert_eq!(text(&request, 22).unwrap(), "812");
    assert_eq!(text(&request, 25).unwrap(), "59");
    assert_eq!(text(&request, 48).unwrap(), "4202079203123");
    assert!(!view(&request).has(35) && !view(&request).has(52));
    let answer = reply(&order, b"00", None);
    let outcome = finished(&shop.handle(ShopEvent::Line(LineEvent::Answered(&answer))));
    assert!(outcome.is_approved());
}

trait Notes {
    fn cashpoint_notes(&self) -> Vec<u32>;
}

impl Notes for Cashpoint {
    fn cashpoint_notes(&self) -> Vec<u32> {
        self.cassettes().contents().iter().map(|cassette| cassette.note_count).collect()
    }
}

#[test]
fn nothing_that_is_printed_shows_the_number() {
    let form = PosForm::Purchase { tender: tender(Entry::Chip), amount: 1, cashback: None };
    let shown = format!("{form:?}");
    assert!(!shown.contains("4761730000000011") && !shown.contains("1234\""), "{shown}");
    let mut till = Pos::new(kranj());
    let actions = format!("{:?}", till.handle(PosEvent::Start(Box::new(form))));
    assert!(!actions.contains("4761730000000011"), "{actions}");
    assert!(actions.contains("0200 with DE 2 3 4"), "{actions}");
}
