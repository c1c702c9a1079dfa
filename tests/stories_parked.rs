//! Parked money, settled by people: posted once, on one card, and in the books like every line.

mod support;

use cekr_iso8583::{AuthCode, Mcc};
use cekr_issuer::{Amount, CardStatus, Seq};
use cekr_switch::clearing::{LineOutcome, LineTold, NotSettled};
use cekr_switch::control::ControlError;

use support::{
    Bank, CEKR87_BE2, CardSpec, Told, actual, ana, approved, lenient, purchase, reversal,
    withdrawal,
};

const STRANGER: &str = "4761739999999999";

fn bor() -> CardSpec {
    CardSpec { name: "bor".to_owned(), pan: support::pan_of(2), ..ana() }
}

fn line(number: u32, card: &str, cents: i64) -> LineTold {
    LineTold {
        line: number,
        card: card.to_owned(),
        network_id: format!("N{number}"),
        rrn: None,
        auth_code: None,
        amount: cents,
        currency: "EUR".to_owned(),
        merchant: None,
        mcc: Mcc::default(),
        date: "2026-11-22".to_owned(),
    }
}

/// What becomes of one line of the day's file.
fn clear(bank: &Bank, line: LineTold) -> LineOutcome {
    let (mut outcomes, _) = bank.control.clear("day", &[line], bank.now).unwrap();
    outcomes.remove(0)
}

fn settle(
    bank: &Bank,
    parked: u64,
    name: &str,
    back: Option<u64>,
) -> Result<(i64, bool), NotSettled> {
    let id = bank.control.find(name).unwrap();
    let back = back.map(Amount::from_minor);
    let settled = bank.control.settle_parked(Seq(parked), (id, back), bank.now);
    settled.map(|(view, _)| (view.change + view.fee_change, view.repeated))
}

#[test]
fn a_line_of_no_card_of_ours_is_taken_or_brought_once_on_the_card_that_people_name() {
    let mut bank = Bank::new(CEKR87_BE2, lenient(), &[ana(), bor()]);
    let takes = clear(&bank, line(1, STRANGER, 12_00)).seq.unwrap();
    let brings = clear(&bank, line(2, STRANGER, -7_50)).seq.unwrap();
    assert_eq!(bank.money("ana"), (100_00, 100_00));
    assert_eq!(settle(&bank, takes, "ana", None), Ok((-12_00, false)));
    assert_eq!(settle(&bank, takes, "ana", None), Ok((-12_00, true)), "the same again");
    assert_eq!(settle(&bank, takes, "bor", None), Err(NotSettled::Elsewhere));
    assert_eq!(settle(&bank, brings, "bor", None), Ok((7_50, false)));
    assert_eq!(bank.money("ana"), (88_00, 88_00));
    assert_eq!(bank.money("bor"), (107_50, 107_50));
    approved(&mut bank, &purchase(&ana(), 1, 5_00));
    bank.audit();
}

#[test]
fn the_rest_of_a_line_stays_with_its_card_and_costs_no_fee() {
    let mut bank = Bank::new(CEKR87_BE2, lenient(), &[ana(), bor()]);
    let bought = approved(&mut bank, &purchase(&ana(), 1, 20_00));
    let code = bought.text(38).unwrap().as_bytes().try_into().unwrap();
    let told =
        LineTold { auth_code: Some(AuthCode::new(code)), ..line(1, &ana().pan.to_string(), 30_00) };
    let outcome = clear(&bank, told);
    assert_eq!((outcome.parked, bank.money("ana").0), (10_00, 80_00));
    let seq = outcome.seq.unwrap();
    assert_eq!(settle(&bank, seq, "bor", None), Err(NotSettled::OtherCard));
    assert_eq!(settle(&bank, seq, "ana", None), Ok((-10_00, false)));
    assert_eq!(bank.money("ana"), (70_00, 70_00));
    bank.audit();
}

#[test]
fn a_disputed_withdrawal_gives_back_what_the_count_shows_with_its_fee() {
    let rich = CardSpec { balance: 1_000_00, limited: false, ..ana() };
    let fault = |cash: &Told, stan| reversal(cash, 420, stan).with(95, actual(0)).with(39, "32");
    for (back, gives) in [(None, 115_00), (Some(100_00), 115_00), (Some(40_00), 40_00)] {
        let mut bank = Bank::new(CEKR87_BE2, lenient(), std::slice::from_ref(&rich));
        for stan in 1..=3 {
            let cash = withdrawal(&rich, stan, 100_00);
            approved(&mut bank, &cash);
            approved(&mut bank, &fault(&cash, stan + 10));
        }
        assert_eq!(bank.money("ana").0, 885_00, "the third waits for the count");
        let disputed = bank.entries().len() as u64;
        assert_eq!(settle(&bank, disputed, "ana", Some(100_01)), Err(NotSettled::AboveLeft));
        assert_eq!(settle(&bank, disputed, "ana", back), Ok((gives, false)));
        assert_eq!(bank.money("ana").0, 885_00 + gives);
        assert_eq!(settle(&bank, disputed, "ana", Some(1)), Err(NotSettled::Elsewhere));
        bank.audit();
    }
}

#[test]
fn what_cannot_be_settled_is_refused_with_its_reason_and_changes_nothing() {
    let mut bank = Bank::new(CEKR87_BE2, lenient(), &[ana(), bor()]);
    let dollars = LineTold { currency: "USD".to_owned(), ..line(1, &ana().pan.to_string(), 5_00) };
    let dollars = clear(&bank, dollars).seq.unwrap();
    assert_eq!(settle(&bank, dollars, "ana", None), Err(NotSettled::NotEuros));
    approved(&mut bank, &purchase(&ana(), 1, 5_00));
    for seq in [1, 2, bank.entries().len() as u64, 999] {
        assert_eq!(settle(&bank, seq, "ana", None), Err(NotSettled::NotParked), "{seq}");
    }
    let huge = clear(&bank, line(2, STRANGER, 99_999_999_999_999)).seq.unwrap();
    assert!(matches!(settle(&bank, huge, "ana", None), Err(NotSettled::Would(_))));
    let entries = bank.entries().len();
    let closed = NotSettled::Refused(ControlError::Conflict(CardStatus::Closed));
    assert!(!closed.to_string().is_empty());
    assert_eq!(bank.entries().len(), entries);
    bank.audit();
}
