//! What the network's file does to what was approved, held, refunded and reversed before it came.

#![allow(clippy::inconsistent_digit_grouping, reason = "cents are written 15_00")]

mod support;

use cekr_iso8583::{Mcc, MerchantId, Rrn};
use cekr_switch::clearing::{LineOutcome, LineTold};

use support::{
    Bank, CEKR87_BE2, Told, ana, approved, lenient, original_of, purchase, refund, reversal,
};

/// A line about what `told` asked for, named by its reference.
fn line(number: u32, told: &Told, amount: i64) -> LineTold {
    LineTold {
        line: number,
        card: ana().pan.to_string(),
        network_id: String::new(),
        rrn: Some(Rrn::new(told.text(37).unwrap().as_bytes().try_into().unwrap())),
        auth_code: None,
        amount,
        currency: "EUR".to_owned(),
        merchant: Some(MerchantId::new(*b"KRANJ0000000001")),
        mcc: Mcc::new(5411).unwrap(),
        date: "2026-11-22".to_owned(),
    }
}

fn clear(bank: &Bank, told: &LineTold) -> LineOutcome {
    bank.control.clear("one file", std::slice::from_ref(told), bank.now).unwrap().0.remove(0)
}

#[test]
fn a_refund_that_is_cleared_before_its_purchase_leaves_the_hold_as_it_is() {
    let mut bank = Bank::new(CEKR87_BE2, lenient(), &[ana()]);
    let hold = purchase(&ana(), 1, 30_00).of_mti(100);
    approved(&mut bank, &hold);
    let back = refund(&ana(), 2, 12_00).with(90, original_of(&hold));
    approved(&mut bank, &back);
    assert_eq!(clear(&bank, &line(1, &back, -12_00)).outcome, "refunded");
    assert_eq!(bank.money("ana"), (112_00, 82_00), "the purchase is still to come, all of it");
    // No more than the purchase is ever given back.
    let more = refund(&ana(), 3, 18_01).with(90, original_of(&hold));
    assert_eq!(bank.ask(&more).code(), "13");
    let came = clear(&bank, &line(2, &hold, 30_00));
    assert_eq!((came.outcome, came.change, came.parked), ("posted", -30_00, 0));
    assert_eq!(bank.money("ana"), (82_00, 82_00), "and nothing stays set aside");
    bank.audit();
}

#[test]
fn what_a_line_posted_and_a_reversal_gave_back_is_nothing_that_its_acquirer_counts() {
    let mut bank = Bank::new(CEKR87_BE2, lenient(), &[ana()]);
    let hold = purchase(&ana(), 1, 30_00).of_mti(100);
    approved(&mut bank, &hold);
    assert_eq!(clear(&bank, &line(1, &hold, 30_00)).outcome, "posted");
    approved(&mut bank, &reversal(&hold, 400, 2));
    assert_eq!(bank.money("ana"), (100_00, 100_00));
    // What a message posted counts, and so does its reversal.
    let sale = purchase(&ana(), 3, 20_00);
    approved(&mut bank, &sale);
    approved(&mut bank, &reversal(&sale, 400, 4));
    let totals = Told::new(500).with(7, "1122230000").with(11, "000005").with(32, "408972");
    let reply = approved(&mut bank, &totals);
    let told = [74, 75, 76, 77, 86, 87, 88, 89].map(|de| reply.number(de));
    assert_eq!(told, [0, 0, 1, 1, 0, 0, 20_00, 20_00].map(Some));
    bank.audit();
}

#[test]
fn a_chargeback_gives_back_what_is_left_and_the_same_line_gives_nothing_twice() {
    let mut bank = Bank::new(CEKR87_BE2, lenient(), &[ana()]);
    let sale = purchase(&ana(), 1, 30_00);
    approved(&mut bank, &sale);
    assert_eq!(clear(&bank, &line(1, &sale, 33_00)).outcome, "adjusted");
    assert_eq!(bank.money("ana"), (67_00, 67_00));
    let back = line(2, &sale, -20_00);
    assert_eq!(clear(&bank, &back).outcome, "charged_back");
    let again = clear(&bank, &back);
    assert_eq!((again.outcome, again.repeated, again.change), ("charged_back", true, 20_00));
    assert_eq!(clear(&bank, &LineTold { amount: -1, ..back }).outcome, "conflict");
    assert_eq!(bank.money("ana"), (87_00, 87_00));
    let too_much = clear(&bank, &line(3, &sale, -13_01));
    assert_eq!((too_much.outcome, too_much.cause), ("parked", Some("credit_too_large")));
    assert_eq!(clear(&bank, &line(4, &sale, -13_00)).outcome, "charged_back");
    assert_eq!(bank.money("ana"), (100_00, 100_00));
    bank.audit();
}
