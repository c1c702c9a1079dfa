//! Stories of refunds, PIN changes, dispense faults, lists of cards and totals, and of repeats of
//! every message.

#![allow(clippy::inconsistent_digit_grouping, reason = "cents are written 15_00")]

mod support;

use cekr_issuer::policy::Abuse;
use cekr_issuer::{CardStatus, Channels, Policy};
use cekr_switch::engine::Ticket;

use support::{
    Bank, CEKR87_BE2, CardSpec, DAY_MS, DIALECTS, Told, actual, after_ms, ana, approved,
    balance_inquiry, completion, in_every_dialect, increment, lenient, original_of, pan_of,
    pin_block, preauth, purchase, purchase_online, refund, reversal, withdrawal,
};

#[test]
fn a_refund_that_is_taken_back_no_longer_counts() {
    in_every_dialect(&lenient(), |bank| {
        let bought = purchase(&ana(), 1, 30_00);
        approved(bank, &bought);
        let back = |stan, cents| refund(&ana(), stan, cents).with(90, original_of(&bought));
        approved(bank, &back(2, 20_00));
        assert_eq!(bank.ask(&back(3, 10_01)).code(), "13");
        approved(bank, &reversal(&back(2, 20_00), 400, 4).with(95, actual(5_00)));
        approved(bank, &back(5, 25_00));
        assert_eq!(bank.ask(&back(6, 1)).code(), "13");
        approved(bank, &reversal(&back(5, 25_00), 420, 7));
        approved(bank, &reversal(&back(5, 25_00), 420, 8));
        approved(bank, &back(9, 25_00));
        assert_eq!(bank.ask(&back(10, 1)).code(), "13");
        let larger = |mti, stan| reversal(&back(9, 25_00), mti, stan).with(4, "000000002501");
        assert_eq!(bank.ask(&larger(400, 11)).code(), "13");
        approved(bank, &larger(420, 12));
        assert_eq!(bank.money("ana"), (70_00, 70_00), "all this time no money moved");
    });
}

#[test]
fn a_purchase_taken_back_after_its_refund_gives_all_of_it() {
    in_every_dialect(&lenient(), |bank| {
        let bought = purchase(&ana(), 1, 30_00);
        approved(bank, &bought);
        let back = |stan, cents| refund(&ana(), stan, cents).with(90, original_of(&bought));
        approved(bank, &back(2, 10_00));
        approved(bank, &reversal(&bought, 420, 3).with(95, actual(15_00)));
        assert_eq!(bank.money("ana"), (85_00, 85_00));
        assert_eq!(bank.ask(&back(4, 5_01)).code(), "13", "15.00 are left, 10.00 are promised");
        approved(bank, &back(5, 5_00));
        approved(bank, &reversal(&bought, 420, 6));
        assert_eq!(bank.money("ana"), (100_00, 100_00));
    });
}

#[test]
fn a_refund_told_afterwards_is_never_refused_but_parked_when_too_large() {
    in_every_dialect(&lenient(), |bank| {
        let bought = purchase(&ana(), 1, 30_00);
        approved(bank, &bought);
        let back =
            |stan, cents| refund(&ana(), stan, cents).of_mti(220).with(90, original_of(&bought));
        let reply = bank.ask(&back(2, 20_00));
        assert_eq!((reply.mti, reply.code()), (230, "00"));
        assert_eq!(bank.newest(), "refund_pending");
        approved(bank, &back(3, 10_01));
        assert_eq!(bank.newest(), "parked");
        approved(bank, &back(4, 10_00));
        assert_eq!(bank.newest(), "refund_pending");
        assert_eq!(bank.money("ana"), (70_00, 70_00));
    });
}

#[test]
fn a_refund_of_a_completed_hold_is_limited_to_what_was_posted() {
    in_every_dialect(&lenient(), |bank| {
        let hold = preauth(&ana(), 1, 50_00);
        approved(bank, &hold);
        approved(bank, &completion(&hold, 2, 30_00));
        let back = |stan, cents| refund(&ana(), stan, cents).with(90, original_of(&hold));
        assert_eq!(bank.ask(&back(3, 30_01)).code(), "13");
        approved(bank, &back(4, 30_00));
        assert_eq!(bank.ask(&back(5, 1)).code(), "13");
    });
}

/// A new PIN, in DE 48 of `cekr87`.
fn pin_change(stan: u32, old: &str, new: &str) -> Told {
    withdrawal(&ana(), stan, 0)
        .without(&[4])
        .with(3, "920000")
        .with(52, pin_block(ana().pan, old))
        .with(48, format!("5416{}", pin_block(ana().pan, new)))
}

#[test]
fn a_new_pin_takes_the_old_one_and_no_tick_and_no_fee() {
    let card = CardSpec { ticks: Channels::NONE, ..ana() };
    let mut bank = Bank::new(CEKR87_BE2, lenient(), &[card]);
    let bank = &mut bank;
    let shop = |stan, pin| purchase(&ana(), stan, 1_00).with(52, pin_block(ana().pan, pin));
    assert_eq!(bank.ask(&pin_change(1, "9999", "2580")).code(), "55");
    let reply = approved(bank, &pin_change(2, "1234", "2580"));
    assert_eq!((reply.text(8), reply.text(38).is_some()), (None, true));
    assert_eq!(bank.newest(), "pin_changed");
    assert_eq!(bank.money("ana"), (100_00, 100_00));
    assert_eq!(bank.ask(&shop(3, "1234")).code(), "55");
    approved(bank, &shop(4, "2580"));
    // The same change again has the same answer, and changes nothing again.
    approved(bank, &pin_change(2, "1234", "2580").of_mti(201));
    let third = pin_change(5, "2580", "777123456789").of_mti(100);
    approved(bank, &third);
    approved(bank, &shop(6, "777123456789"));
    approved(bank, &reversal(&third.with(4, "000000000000"), 400, 7));
    approved(bank, &shop(8, "777123456789"));
    bank.audit();
}

#[test]
fn a_new_pin_that_cannot_be_read_changes_nothing() {
    let mut bank = Bank::new(CEKR87_BE2, lenient(), &[ana()]);
    let bank = &mut bank;
    let change = |stan| pin_change(stan, "1234", "2580");
    assert_eq!(bank.ask(&change(1).without(&[48])).code(), "30");
    assert_eq!(bank.ask(&change(2).with(48, "54150123456789ABCDE")).code(), "30");
    assert_eq!(bank.ask(&change(3).with(48, "54160123456789ABCDEX")).code(), "30");
    assert_eq!(bank.ask(&change(4).with(48, "54160123456789ABCDEF")).code(), "81");
    assert_eq!(bank.ask(&change(5).with(52, "0123456789ABCDEF")).code(), "81");
    assert_eq!(bank.ask(&change(6).without(&[52])).code(), "55");
    let id = bank.control.find("ana").unwrap();
    bank.control.lock(id, bank.now).unwrap();
    assert_eq!(bank.ask(&change(7)).code(), "62");
    bank.control.unlock(id, bank.now).unwrap();
    for stan in 8..=10 {
        assert_eq!(bank.ask(&pin_change(stan, "9999", "2580")).code(), "55", "none was counted");
    }
    assert_eq!(bank.ask(&change(11)).code(), "75");
    let shop = purchase(&ana(), 12, 1_00).with(52, pin_block(ana().pan, "1234"));
    assert_eq!(bank.ask(&shop).code(), "75");
    bank.audit();
}

/// A cashpoint tells that it dispensed so much.
fn fault(cash: &Told, stan: u32, cents: u64, code: &str) -> Told {
    reversal(cash, 420, stan).with(95, actual(cents)).with(39, code)
}

#[test]
fn the_third_dispense_fault_within_thirty_days_is_disputed() {
    let rich = CardSpec { balance: 1_000_00, limited: false, ..ana() };
    for dialect in DIALECTS {
        let mut bank = Bank::new(dialect, lenient(), std::slice::from_ref(&rich));
        let bank = &mut bank;
        let cash = |stan| withdrawal(&rich, stan, 100_00);
        for stan in 1..=3 {
            approved(bank, &cash(stan));
        }
        assert_eq!(bank.money("ana").0, 655_00);
        approved(bank, &fault(&cash(1), 11, 0, "32"));
        assert_eq!(bank.money("ana").0, 770_00);
        // A repeat is the same one, a second word on it is no second fault.
        approved(bank, &fault(&cash(1), 11, 0, "32").of_mti(421));
        approved(bank, &fault(&cash(1), 12, 0, "21"));
        approved(bank, &fault(&cash(2), 13, 80_00, "21"));
        approved(bank, &fault(&cash(2), 20, 60_00, "32"));
        assert_eq!(bank.money("ana").0, 810_00, "of one withdrawal it is one");
        approved(bank, &fault(&cash(3), 14, 0, "32"));
        assert_eq!(bank.money("ana").0, 810_00, "not before the cash is counted");
        assert_eq!(bank.newest(), "reversed");
        // Late answers and changed minds never count, and are not held up.
        approved(bank, &fault(&cash(3), 15, 0, "68"));
        assert_eq!(bank.money("ana").0, 925_00);
        approved(bank, &purchase(&rich, 16, 5_00));
        approved(bank, &fault(&purchase(&rich, 16, 5_00), 17, 0, "32"));
        assert_eq!(bank.money("ana").0, 925_00, "no cashpoint, no fault");
        // A month later it is the first one again.
        bank.now = after_ms(31 * DAY_MS);
        approved(bank, &cash(18));
        approved(bank, &fault(&cash(18), 19, 0, "32"));
        assert_eq!(bank.money("ana").0, 925_00);
        bank.audit();
    }
}

#[test]
fn dispense_faults_are_not_counted_where_that_is_off() {
    let rich = CardSpec { balance: 1_000_00, limited: false, ..ana() };
    let abuse = Abuse { dispense_faults: 0, ..lenient().abuse };
    let policy = Policy { abuse, ..lenient() };
    let mut bank = Bank::new(CEKR87_BE2, policy, std::slice::from_ref(&rich));
    for stan in 1..=5 {
        let cash = withdrawal(&rich, stan, 100_00);
        approved(&mut bank, &cash);
        approved(&mut bank, &fault(&cash, stan + 10, 0, "32"));
    }
    assert_eq!(bank.money("ana"), (1_000_00, 1_000_00));
    bank.audit();
}

#[test]
fn a_reversal_in_another_currency_cannot_be_matched() {
    in_every_dialect(&lenient(), |bank| {
        let bought = purchase(&ana(), 1, 30_00);
        approved(bank, &bought);
        let dollars = |mti, stan| {
            reversal(&bought, mti, stan).with(49, "840").with(6, "000000003000").with(51, "978")
        };
        assert_eq!(bank.ask(&dollars(400, 2)).code(), "13");
        approved(bank, &dollars(420, 3));
        assert_eq!(bank.money("ana"), (70_00, 70_00));
        approved(bank, &reversal(&bought, 400, 4));
        assert_eq!(bank.money("ana"), (100_00, 100_00));
    });
}

#[test]
fn a_reversal_of_what_moved_no_money_is_00() {
    in_every_dialect(&lenient(), |bank| {
        let zero = |told: Told| told.with(4, "000000000000");
        let inquiry = zero(balance_inquiry(&ana(), 1));
        let check = purchase(&ana(), 2, 0).with(25, "51");
        let declined = purchase(&ana(), 3, 900_00);
        let elsewhere = purchase(&ana(), 4, 10_00).of_mti(220).with(39, "05");
        for told in [&inquiry, &check, &declined, &elsewhere] {
            bank.ask(told);
        }
        for (stan, told) in (10..).zip([inquiry, check, declined, elsewhere]) {
            for (nth, mti) in [(0, 400), (1, 420)] {
                approved(bank, &reversal(&told, mti, stan + 10 * nth));
            }
        }
        assert_eq!(bank.money("ana"), (100_00, 100_00));
    });
}

/// A card is put on the list of those out of use.
fn file_action(card: u64, stan: u32, action: &str) -> Told {
    Told::new(302)
        .with(2, card)
        .with(7, "1122100000")
        .with(11, format!("{stan:06}"))
        .with(91, action)
        .with(101, "HOTCARD")
}

#[test]
fn a_list_of_cards_out_of_use_gets_an_entry() {
    in_every_dialect(&lenient(), |bank| {
        let action = |stan, code: &str| file_action(ana().pan, stan, code);
        approved(bank, &action(1, "5"));
        approved(bank, &purchase(&ana(), 2, 1_00));
        assert_eq!(bank.ask(&action(3, "3")).code(), "12");
        for missing in [2, 7, 91, 101] {
            assert_eq!(bank.ask(&action(4, "1").without(&[missing])).code(), "30");
        }
        assert_eq!(bank.ask(&file_action(pan_of(77), 5, "1")).code(), "25");
        approved(bank, &purchase(&ana(), 6, 1_00));
        approved(bank, &action(7, "1").with(120, "41 by telephone"));
        assert_eq!(bank.newest(), "file_action");
        assert_eq!(bank.ask(&purchase(&ana(), 8, 1_00)).code(), "41");
        approved(bank, &action(9, "2").with(120, "43"));
        assert_eq!(bank.ask(&purchase(&ana(), 10, 1_00)).code(), "43");
        // The repeat of an action of before changes nothing again.
        approved(bank, &action(7, "1").with(120, "41 by telephone").of_mti(303));
        assert_eq!(bank.ask(&purchase(&ana(), 11, 1_00)).code(), "43");
        approved(bank, &action(12, "1"));
        assert_eq!(bank.ask(&purchase(&ana(), 13, 1_00)).code(), "41");
    });
}

#[test]
fn a_closed_card_stays_closed_on_any_list() {
    let closed = CardSpec { status: CardStatus::Closed, ..ana() };
    let mut bank = Bank::new(CEKR87_BE2, lenient(), &[closed]);
    approved(&mut bank, &file_action(ana().pan, 1, "1"));
    assert_eq!(bank.ask(&purchase(&ana(), 2, 1_00)).code(), "46");
    bank.audit();
}

fn totals(stan: u32) -> Told {
    Told::new(500).with(7, "1122230000").with(11, format!("{stan:06}")).with(32, "408972")
}

fn cutover(stan: u32) -> Told {
    totals(stan).of_mti(800).with(70, "201")
}

/// Counts 74 to 77, amounts 86 to 89, and the net.
fn sums(told: &Told) -> ([u64; 4], [u64; 4], &str) {
    let number = |de| told.number(de).unwrap();
    ([74, 75, 76, 77].map(number), [86, 87, 88, 89].map(number), told.text(97).unwrap())
}

#[test]
fn an_acquirer_and_we_count_the_same_since_the_last_cutover() {
    let rich = CardSpec { balance: 2_000_00, limited: false, ..ana() };
    for dialect in DIALECTS {
        let mut bank = Bank::new(dialect, lenient(), std::slice::from_ref(&rich));
        let bank = &mut bank;
        let empty = bank.ask(&totals(1));
        assert_eq!((empty.mti, empty.code(), empty.text(66)), (510, "00", Some("1")));
        assert_eq!(sums(&empty), ([0; 4], [0; 4], "C0000000000000000"));

        let bought = purchase(&rich, 2, 30_00);
        let cash = withdrawal(&rich, 3, 400_00);
        let held = preauth(&rich, 4, 50_00);
        let dropped = purchase_online(&rich, 5, 10_00);
        for told in [&bought, &cash, &held, &dropped] {
            approved(bank, told);
        }
        approved(bank, &reversal(&dropped, 420, 6));
        approved(bank, &completion(&held, 7, 45_00));
        approved(bank, &purchase(&rich, 8, 7_00).of_mti(220));
        approved(bank, &refund(&rich, 9, 12_00));
        approved(bank, &refund(&rich, 10, 3_00).of_mti(220));
        approved(bank, &reversal(&refund(&rich, 9, 12_00), 400, 11).with(95, actual(10_00)));
        approved(bank, &reversal(&cash, 420, 12).with(95, actual(300_00)));
        approved(bank, &reversal(&cash, 420, 13).with(95, actual(350_00)));
        approved(bank, &reversal(&held, 420, 14).with(95, actual(40_00)));
        // Another acquirer's, and what moved nothing.
        approved(bank, &purchase(&rich, 15, 1_00).with(32, "408973"));
        assert_eq!(bank.ask(&purchase(&rich, 16, 9_000_00)).code(), "51");

        // 15.00 - 2.00 of credits; 482.00 of debits, 105.00 of them given back.
        let ours = bank.ask(&totals(20));
        let counted = ([2, 1, 4, 2], [15_00, 2_00, 482_00, 105_00], "D0000000000036400");
        assert_eq!((ours.code(), ours.text(66)), ("00", Some("1")));
        assert_eq!(sums(&ours), counted);

        let mut theirs = totals(21).of_mti(520);
        for de in [74, 75, 76, 77, 86, 87, 88, 89, 97] {
            theirs = theirs.with(de, ours.text(de).unwrap());
        }
        let equal = bank.ask(&theirs);
        assert_eq!((equal.mti, equal.code(), equal.text(66)), (530, "00", Some("1")));
        let unlike = bank.ask(&theirs.clone().with(11, "000022").with(88, "0000000000048201"));
        assert_eq!((unlike.code(), unlike.text(66)), ("95", Some("2")));
        assert_eq!(sums(&unlike), counted);

        // What comes later is not in an answer of before.
        let first = bank.read(&theirs.framed(dialect)).remove(0);
        approved(bank, &purchase(&rich, 23, 1_00));
        let again = bank.read(&theirs.of_mti(521).framed(dialect)).remove(0);
        assert_eq!(first.octets, again.octets);
        assert!(matches!(again.ticket, Ticket::After(_)));

        approved(bank, &cutover(24));
        assert_eq!(bank.newest(), "cut_over");
        assert_eq!(sums(&bank.ask(&totals(25))), ([0; 4], [0; 4], "C0000000000000000"));
        approved(bank, &reversal(&bought, 420, 26));
        approved(bank, &cutover(24).of_mti(801));
        let after = ([0, 0, 0, 1], [0, 0, 0, 30_00], "C0000000000003000");
        assert_eq!(sums(&bank.ask(&totals(27))), after, "a repeated cutover cuts once");
        let other = bank.ask(&totals(28).with(32, "408973"));
        assert_eq!(sums(&other), ([0, 0, 1, 0], [0, 0, 1_00, 0], "D0000000000000100"));
        bank.audit();
    }
}

#[test]
fn a_reconciliation_needs_a_time_and_a_trace_number() {
    in_every_dialect(&lenient(), |bank| {
        assert_eq!(bank.ask(&totals(1).without(&[7])).code(), "30");
        let silent = totals(2).without(&[11]);
        assert!(bank.read(&silent.framed(bank.dialect())).is_empty());
        // Without DE 32 it is the listener that counts.
        approved(bank, &purchase(&ana(), 3, 5_00).without(&[32]));
        let listener = bank.ask(&totals(4).without(&[32]));
        assert_eq!(sums(&listener).1, [0, 0, 5_00, 0]);
    });
}

#[test]
fn every_message_has_one_answer_however_often_it_comes() {
    in_every_dialect(&lenient(), |bank| {
        let dialect = bank.dialect();
        let held = preauth(&ana(), 1, 20_00);
        let given = refund(&ana(), 2, 5_00);
        let is_tagged = dialect.spec.name() == CEKR87_BE2.spec.name();
        let mut requests = vec![
            held.clone(),
            increment(&ana(), &held, 3, 10_00),
            completion(&held, 4, 33_00),
            completion(&held, 5, 33_00),
            reversal(&held, 420, 6).with(95, actual(30_00)),
            purchase(&ana(), 7, 4_00).of_mti(120),
            purchase(&ana(), 8, 4_00).of_mti(220),
            purchase(&ana(), 9, 4_00).of_mti(220).with(39, "05"),
            purchase(&ana(), 10, 4_00).with(90, original_of(&given)).of_mti(120),
            given.clone(),
            reversal(&given, 400, 11),
            file_action(ana().pan, 12, "5"),
            file_action(pan_of(77), 13, "1"),
            totals(14),
            totals(15).with(88, "0000000000000001"),
            cutover(16),
        ];
        if is_tagged {
            requests.push(pin_change(17, "1234", "2580"));
        }
        requests.push(file_action(ana().pan, 18, "1"));
        let first: Vec<_> =
            requests.iter().map(|told| bank.read(&told.framed(dialect)).remove(0)).collect();
        let (money, entries) = (bank.money("ana"), bank.entries().len());
        bank.now = after_ms(23 * 3_600_000);
        for (request, first) in requests.iter().zip(&first) {
            for mti in [request.mti, request.mti + 1] {
                let again = request.clone().of_mti(mti);
                let reply = bank.read(&again.framed(dialect)).remove(0);
                assert_eq!(reply.octets, first.octets, "{again:?}");
            }
        }
        assert_eq!(bank.money("ana"), money);
        assert_eq!(bank.entries().len(), entries, "a repeat makes no entry");
    });
}
