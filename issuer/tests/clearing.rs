//! Clearing lines against one card: what each posts, releases, brings back or leaves to a person.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "tests may"
)]

mod support;

use cekr_iso8583::{AuthCode, Mcc, Rrn};
use cekr_issuer::books::{Account as BookAccount, Books};
use cekr_issuer::clearing::Line;
use cekr_issuer::entry::{ClearedAs, LineCause, LineKey};
use cekr_issuer::reply::auth_code;
use cekr_issuer::{Balance, Channels, Fact, Seq};
use support::{Account, Message, NOW};

fn account() -> Account {
    Account::new(Channels::ALL, 1_000_00)
}

fn line(number: u32, cents: i64) -> Line {
    Line {
        key: LineKey { file: 1, line: number, content: 1 },
        rrn: None,
        auth_code: None,
        amount: Balance::from_minor(cents),
        merchant: None,
        mcc: Mcc::new(5411).unwrap(),
    }
}

/// A line that names what the newest approval of the card was called.
fn naming(account: &Account, number: u32, cents: i64) -> Line {
    Line { auth_code: Some(auth_code(account.card.last_seq())), ..line(number, cents) }
}

fn clears(account: &mut Account, line: &Line) -> Fact {
    let fact = line.fact(&account.card);
    account.enter(fact.clone());
    account.audit();
    fact
}

fn cleared_as(account: &mut Account, line: &Line) -> ClearedAs {
    match clears(account, line) {
        Fact::Cleared(cleared) => cleared.how,
        other => panic!("{other:?}"),
    }
}

fn parked_for(account: &mut Account, line: &Line) -> LineCause {
    match clears(account, line) {
        Fact::LineParked(parked) => parked.cause,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_line_posts_the_hold_that_it_names_and_releases_the_rest() {
    let mut account = account();
    assert_eq!(account.code(&Message::purchase(1, 50_00).of_mti(100)), "00");
    assert_eq!(account.money(), (1_000_00, 950_00));
    let line = naming(&account, 1, 40_00);
    assert_eq!(cleared_as(&mut account, &line), ClearedAs::Posted);
    assert_eq!(account.money(), (960_00, 960_00));
    let again = Line { key: LineKey { line: 2, ..line.key }, ..line };
    assert_eq!(parked_for(&mut account, &again), LineCause::AlreadyCleared);
    assert_eq!(account.money(), (960_00, 960_00));
}

#[test]
fn up_to_a_fifth_above_a_hold_is_posted_in_full_and_more_waits() {
    for (cents, left, waits) in [(60_00, 940_00, 0), (60_01, 950_00, 10_01)] {
        let mut account = account();
        account.code(&Message::purchase(1, 50_00).of_mti(100));
        let line = naming(&account, 1, cents);
        let Fact::Cleared(cleared) = clears(&mut account, &line) else { panic!("not cleared") };
        assert_eq!(cleared.parked.minor(), waits);
        assert_eq!(account.money(), (left, left));
    }
}

#[test]
fn what_was_posted_at_once_is_only_adjusted_and_fee_with_cash() {
    let mut account = account();
    account.code(&Message::purchase(1, 50_00));
    let same = naming(&account, 1, 50_00);
    assert_eq!(cleared_as(&mut account, &same), ClearedAs::Adjusted);
    assert_eq!(account.money(), (950_00, 950_00));

    assert_eq!(account.code(&Message::withdrawal(2, 400_00)), "00");
    assert_eq!(account.money(), (530_00, 530_00), "400.00 and a fee of 20.00");
    let less = naming(&account, 2, 380_00);
    assert_eq!(cleared_as(&mut account, &less), ClearedAs::Adjusted);
    assert_eq!(account.money(), (551_00, 551_00), "380.00 and a fee of 19.00");
}

#[test]
fn a_hold_that_expired_is_posted_all_the_same() {
    let mut account = account();
    account.code(&Message::purchase(1, 50_00).of_mti(100));
    let line = naming(&account, 1, 50_00);
    account.now.unix_ms += 6 * 24 * 3_600_000;
    let due = account.card.due(account.now).unwrap();
    account.enter(due);
    assert_eq!(account.money(), (1_000_00, 1_000_00));
    assert_eq!(cleared_as(&mut account, &line), ClearedAs::Posted);
    assert_eq!(account.money(), (950_00, 950_00));
}

#[test]
fn a_hold_is_found_by_its_reference_too() {
    let mut account = account();
    account.code(&Message::purchase(1, 50_00).of_mti(100));
    account.code(&Message::purchase(2, 70_00).of_mti(100));
    let line = Line { rrn: Some(Rrn::new(*b"632610000001")), ..line(1, 50_00) };
    assert_eq!(cleared_as(&mut account, &line), ClearedAs::Posted);
    assert_eq!(account.money(), (950_00, 880_00));
}

#[test]
fn a_line_that_names_nothing_is_posted_by_force_and_may_overdraw() {
    let mut account = Account::new(Channels::NONE, 10_00);
    assert_eq!(cleared_as(&mut account, &line(1, 12_00)), ClearedAs::Forced);
    assert_eq!(account.money(), (-2_00, -2_00));
    assert_eq!(account.code(&Message::purchase(1, 1)), "51");
    let cash = Line { mcc: Mcc::new(6011).unwrap(), ..line(2, 20_00) };
    assert_eq!(cleared_as(&mut account, &cash), ClearedAs::Forced);
    assert_eq!(account.money(), (-37_00, -37_00), "with a fee of 15.00");
}

#[test]
fn a_reversed_purchase_is_not_cleared() {
    let mut account = account();
    let purchase = Message::purchase(1, 50_00).of_mti(100);
    account.code(&purchase);
    let line = naming(&account, 1, 50_00);
    assert_eq!(account.code(&purchase.reversed(420, 2)), "00");
    assert_eq!(parked_for(&mut account, &line), LineCause::OriginalReversed);
    assert_eq!(account.money(), (1_000_00, 1_000_00));
}

#[test]
fn an_announced_refund_comes_with_its_line_and_not_twice() {
    let mut account = account();
    let purchase = Message::purchase(1, 50_00);
    account.code(&purchase);
    let refund = purchase.reversed(200, 2).with(3, "200000").with(4, "000000002000");
    assert_eq!(account.code(&refund), "00");
    assert_eq!(account.money(), (950_00, 950_00), "announced is not paid");
    let line = naming(&account, 1, -20_00);
    assert_eq!(cleared_as(&mut account, &line), ClearedAs::Refunded);
    assert_eq!(account.money(), (970_00, 970_00));
    let again = Line { key: LineKey { line: 2, ..line.key }, ..line };
    assert_eq!(parked_for(&mut account, &again), LineCause::CreditTooLarge);
    // What came back cannot come back a second time by a reversal.
    assert_eq!(account.code(&purchase.reversed(420, 3)), "00");
    assert_eq!(account.money(), (1_000_00, 1_000_00));
}

#[test]
fn a_refund_of_a_purchase_that_was_reversed_meanwhile_waits() {
    let mut account = account();
    let purchase = Message::purchase(1, 50_00);
    account.code(&purchase);
    account.code(&purchase.reversed(200, 2).with(3, "200000"));
    let line = naming(&account, 1, -50_00);
    account.code(&purchase.reversed(420, 3));
    assert_eq!(account.money(), (1_000_00, 1_000_00));
    assert_eq!(parked_for(&mut account, &line), LineCause::OriginalReversed);
    assert_eq!(account.money(), (1_000_00, 1_000_00));
}

#[test]
fn a_chargeback_brings_back_what_was_taken_from_another_account() {
    let mut account = account();
    account.code(&Message::purchase(1, 50_00));
    let line = naming(&account, 1, -50_00);
    assert_eq!(cleared_as(&mut account, &line), ClearedAs::ChargedBack);
    assert_eq!(account.money(), (1_000_00, 1_000_00));
    let mut books = Books::default();
    account.entries.iter().for_each(|entry| books.add(entry));
    assert_eq!(books.total(BookAccount::ChargebackReceivable), -50_00);
    let again = Line { key: LineKey { line: 2, ..line.key }, ..line };
    assert_eq!(parked_for(&mut account, &again), LineCause::CreditTooLarge);
}

#[test]
fn a_posted_purchase_can_be_cleared_for_a_month_and_no_longer_be_reversed_after_a_day() {
    let mut account = account();
    account.code(&Message::purchase(1, 50_00));
    let named = naming(&account, 1, 45_00);
    account.now.unix_ms = NOW.unix_ms + 29 * 24 * 3_600_000;
    account.code(&Message::purchase(2, 1_00));
    assert_eq!(cleared_as(&mut account, &named), ClearedAs::Adjusted);
    assert_eq!(account.money(), (954_00, 954_00));
}

#[test]
fn nothing_and_money_for_nothing_wait_for_a_person() {
    let mut account = account();
    assert_eq!(parked_for(&mut account, &line(1, 0)), LineCause::AmountZero);
    assert_eq!(parked_for(&mut account, &line(2, -5_00)), LineCause::OriginalUnknown);
    assert_eq!(account.money(), (1_000_00, 1_000_00));
    let code = Line { auth_code: Some(AuthCode::new(*b"ZZZZZZ")), ..line(3, 5_00) };
    assert_eq!(cleared_as(&mut account, &code), ClearedAs::Forced);
    assert_eq!(cekr_issuer::reply::seq_of(auth_code(Seq(77))), Some(Seq(77)));
}
