//! Stories of holds that grow and are completed, and of what was approved elsewhere.

#![allow(clippy::inconsistent_digit_grouping, reason = "cents are written 15_00")]

mod support;

use cekr_issuer::{CardStatus, Policy};
use cekr_switch::control::ChannelsPatch;

use support::{
    Bank, CEKR87_BE2, CardSpec, DAY_MS, DIALECTS, Told, actual, after_ms, ana, approved,
    balance_inquiry, completion, in_every_dialect, increment, lenient, load, no_limits,
    original_of, pan_of, preauth, purchase, purchase_abroad, purchase_online, refund, reversal,
    tick, withdrawal,
};

/// Holds 50.00 of ana's 100.00 for a hotel.
fn hold(bank: &mut Bank) -> (Told, String) {
    let hold = preauth(&ana(), 1, 50_00);
    let code = approved(bank, &hold).text(38).unwrap().to_owned();
    assert_eq!(bank.money("ana"), (100_00, 50_00));
    (hold, code)
}

#[test]
fn a_completion_below_its_hold_releases_the_rest() {
    in_every_dialect(&lenient(), |bank| {
        let (hold, _) = hold(bank);
        let reply = approved(bank, &completion(&hold, 2, 30_00));
        assert!(reply.text(38).is_some());
        assert_eq!(reply.text(4), Some("000000003000"));
        assert_eq!(bank.newest(), "completed");
        assert_eq!(bank.money("ana"), (70_00, 70_00));
        // The hold is gone for good: its last day brings nothing back.
        bank.now = after_ms(31 * DAY_MS);
        assert_eq!(bank.ask(&balance_inquiry(&ana(), 3)).code(), "00");
        assert_eq!(bank.money("ana"), (70_00, 70_00));
    });
}

#[test]
fn a_completion_up_to_a_fifth_above_its_hold_is_posted_even_below_zero() {
    in_every_dialect(&lenient(), |bank| {
        let (hold, _) = hold(bank);
        approved(bank, &purchase(&ana(), 2, 45_00));
        approved(bank, &completion(&hold, 3, 60_00));
        assert_eq!(bank.money("ana"), (-5_00, -5_00));
        let told = bank.ask(&balance_inquiry(&ana(), 4));
        assert_eq!(told.text(54), Some("0001978D0000000005000002978D000000000500"));
        assert_eq!(bank.ask(&purchase(&ana(), 5, 1)).code(), "51", "approvals stop");
        load(bank, 20_00, "branch 1");
        assert_eq!(bank.money("ana"), (15_00, 15_00), "a load repays first");
        approved(bank, &purchase(&ana(), 6, 15_00));
    });
}

#[test]
fn a_completion_of_more_than_that_posts_the_hold_and_parks_the_rest() {
    in_every_dialect(&lenient(), |bank| {
        let (hold, _) = hold(bank);
        let reply = approved(bank, &completion(&hold, 2, 60_01));
        assert!(reply.text(38).is_some());
        assert_eq!(bank.money("ana"), (50_00, 50_00));
    });
}

#[test]
fn a_completion_names_its_hold_by_90_by_37_and_38_or_by_38_alone() {
    type Naming = fn(Told, &Told, &str) -> Told;
    let ways: [Naming; 5] = [
        |told, _, _| told,
        |told, hold, _| told.with(90, format!("0000{}", &original_of(hold)[4..])),
        |told, _, code| told.without(&[90]).with(38, code),
        |told, _, code| told.without(&[90]).with(37, "999999999999").with(38, code),
        |told, _, code| told.without(&[90]).with(41, "OTHER001").with(38, code),
    ];
    for way in ways {
        in_every_dialect(&lenient(), |bank| {
            let (hold, code) = hold(bank);
            approved(bank, &way(completion(&hold, 2, 20_00), &hold, &code));
            assert_eq!(bank.newest(), "completed");
            assert_eq!(bank.money("ana"), (80_00, 80_00));
        });
    }
}

#[test]
fn a_completion_is_not_found_by_numbers_of_its_own() {
    in_every_dialect(&lenient(), |bank| {
        let (hold, _) = hold(bank);
        // A till that keeps the trace number and the time of its preauthorization.
        let same = completion(&hold, 1, 20_00).with(7, hold.text(7).unwrap()).without(&[90]);
        approved(bank, &same);
        assert_eq!(bank.newest(), "authorized", "an approval made elsewhere, beside the hold");
        assert_eq!(bank.money("ana"), (80_00, 30_00));
    });
}

#[test]
fn a_hold_is_completed_once() {
    in_every_dialect(&lenient(), |bank| {
        let (hold, _) = hold(bank);
        approved(bank, &completion(&hold, 2, 30_00));
        approved(bank, &completion(&hold, 3, 10_00));
        assert_eq!(bank.newest(), "parked");
        assert_eq!(bank.money("ana"), (70_00, 70_00));
        approved(bank, &completion(&completion(&hold, 2, 30_00), 4, 30_00));
        assert_eq!(bank.newest(), "parked", "a completion is no hold");
        let bought = purchase(&ana(), 5, 10_00);
        approved(bank, &bought);
        approved(bank, &completion(&bought, 6, 12_00));
        assert_eq!(bank.newest(), "parked", "nor is what was posted at once");
        assert_eq!(bank.money("ana"), (60_00, 60_00));
    });
}

#[test]
fn a_hold_that_was_given_back_is_not_completed() {
    in_every_dialect(&lenient(), |bank| {
        let (hold, _) = hold(bank);
        approved(bank, &reversal(&hold, 400, 2));
        approved(bank, &completion(&hold, 3, 30_00));
        assert_eq!(bank.newest(), "parked");
        assert_eq!(bank.money("ana"), (100_00, 100_00));
    });
}

#[test]
fn a_hold_given_back_in_part_is_completed_for_what_it_still_holds() {
    in_every_dialect(&lenient(), |bank| {
        let (hold, _) = hold(bank);
        approved(bank, &reversal(&hold, 420, 2).with(95, actual(20_00)));
        approved(bank, &completion(&hold, 3, 24_01));
        assert_eq!(bank.money("ana"), (80_00, 80_00), "24.00 would be a fifth above");
    });
}

#[test]
fn an_expired_hold_is_completed_for_what_it_held() {
    in_every_dialect(&lenient(), |bank| {
        let (hold, _) = hold(bank);
        bank.now = after_ms(30 * DAY_MS + 1);
        approved(bank, &balance_inquiry(&ana(), 2));
        assert_eq!(bank.money("ana"), (100_00, 100_00));
        approved(bank, &completion(&hold, 3, 60_00));
        assert_eq!(bank.money("ana"), (40_00, 40_00));
    });
    in_every_dialect(&lenient(), |bank| {
        let (hold, _) = hold(bank);
        bank.now = after_ms(30 * DAY_MS + 1);
        approved(bank, &completion(&hold, 2, 60_01));
        assert_eq!(bank.money("ana"), (50_00, 50_00));
    });
}

#[test]
fn a_completion_that_tells_of_no_sale_releases_all() {
    let tellings: [fn(Told) -> Told; 2] =
        [|told| told.with(39, "05"), |told| told.with(4, "000000000000")];
    for telling in tellings {
        in_every_dialect(&lenient(), |bank| {
            let (hold, _) = hold(bank);
            approved(bank, &telling(completion(&hold, 2, 30_00)));
            assert_eq!(bank.money("ana"), (100_00, 100_00));
            approved(bank, &completion(&hold, 3, 30_00));
            assert_eq!(bank.newest(), "parked", "that was its last word");
            assert_eq!(bank.money("ana"), (100_00, 100_00));
        });
    }
    for code in ["00", "08", "10", "11", "85"] {
        in_every_dialect(&lenient(), |bank| {
            let (hold, _) = hold(bank);
            approved(bank, &completion(&hold, 2, 30_00).with(39, code));
            assert_eq!(bank.money("ana"), (70_00, 70_00), "{code} is a sale");
        });
    }
}

#[test]
fn a_part_that_was_approved_is_what_a_completion_can_have() {
    let mut bank = Bank::new(CEKR87_BE2, lenient(), &[ana()]);
    let asked = preauth(&ana(), 1, 150_00).with(48, "61011");
    assert_eq!(bank.ask(&asked).code(), "10");
    assert_eq!(bank.money("ana"), (100_00, 0));
    approved(&mut bank, &completion(&asked, 2, 150_00));
    assert_eq!(bank.money("ana"), (0, 0));
    bank.audit();
}

#[test]
fn cash_completed_for_another_amount_pays_the_fee_of_that_amount() {
    let rich = CardSpec { balance: 1_000_00, ..ana() };
    let (policy, per_dialect) = (Policy { limits: no_limits(), ..lenient() }, DIALECTS);
    for dialect in per_dialect {
        let new = || Bank::new(dialect, policy.clone(), std::slice::from_ref(&rich));
        let cash = withdrawal(&rich, 1, 600_00).of_mti(100);
        for (dispensed, fee) in
            [(600_00, 30_00), (400_00, 20_00), (100_00, 15_00), (0, 0), (720_00, 36_00)]
        {
            let mut bank = new();
            assert_eq!(approved(&mut bank, &cash).text(8), Some("00003000"));
            approved(&mut bank, &completion(&cash, 2, dispensed));
            let left = 1_000_00 - dispensed as i64 - fee;
            assert_eq!(bank.money("ana"), (left, left), "{dispensed} was dispensed");
            bank.audit();
        }
        // The machine owner's surcharge is no cash: 302.50 are 300.00 of cash.
        let mut bank = new();
        let cash = withdrawal(&rich, 1, 402_50).with(28, "D00000250").of_mti(100);
        assert_eq!(approved(&mut bank, &cash).text(8), Some("00002000"));
        approved(&mut bank, &completion(&cash, 2, 302_50));
        assert_eq!(bank.money("ana").0, 1_000_00 - 302_50 - 15_00);
        bank.audit();
    }
}

#[test]
fn cashback_completed_bears_a_fee_where_its_hold_did() {
    for (cashback_fee, fee) in [(false, 0), (true, 15_00)] {
        let policy = Policy { cashback_fee, ..lenient() };
        in_every_dialect(&policy, |bank| {
            let cashback = purchase(&ana(), 1, 45_00)
                .of_mti(100)
                .with(3, "090000")
                .with(54, "0040978D000000002000");
            approved(bank, &cashback);
            assert_eq!(bank.money("ana").1, 55_00 - fee);
            approved(bank, &completion(&cashback, 2, 35_00));
            assert_eq!(bank.money("ana").0, 65_00 - fee, "25.00 of goods, 10.00 of cash");
        });
    }
}

#[test]
fn a_reversal_of_a_completion_or_of_its_hold_gives_back_what_was_posted() {
    in_every_dialect(&lenient(), |bank| {
        let (hold, _) = hold(bank);
        let completed = completion(&hold, 2, 40_00);
        approved(bank, &completed);
        assert_eq!(bank.money("ana"), (60_00, 60_00));
        approved(bank, &reversal(&completed, 420, 3).with(95, actual(25_00)));
        assert_eq!(bank.money("ana"), (75_00, 75_00));
        approved(bank, &reversal(&hold, 420, 4).with(95, actual(10_00)));
        assert_eq!(bank.money("ana"), (90_00, 90_00));
        approved(bank, &reversal(&hold, 400, 5));
        assert_eq!(bank.money("ana"), (100_00, 100_00));
        approved(bank, &reversal(&completed, 400, 6));
        assert_eq!(bank.money("ana"), (100_00, 100_00), "once");
        approved(bank, &completion(&hold, 7, 40_00));
        assert_eq!(bank.money("ana"), (100_00, 100_00), "and it is not completed anew");
    });
}

#[test]
fn a_reversal_of_completed_cash_gives_the_fee_back_with_it() {
    let rich = CardSpec { balance: 1_000_00, ..ana() };
    let policy = Policy { limits: no_limits(), ..lenient() };
    for dialect in DIALECTS {
        let mut bank = Bank::new(dialect, policy.clone(), std::slice::from_ref(&rich));
        let cash = withdrawal(&rich, 1, 600_00).of_mti(100);
        approved(&mut bank, &cash);
        let dispensed = completion(&cash, 2, 500_00);
        approved(&mut bank, &dispensed);
        assert_eq!(bank.money("ana").0, 475_00);
        approved(&mut bank, &reversal(&cash, 420, 3).with(95, actual(400_00)));
        assert_eq!(bank.money("ana").0, 580_00);
        approved(&mut bank, &reversal(&dispensed, 420, 4));
        assert_eq!(bank.money("ana"), (1_000_00, 1_000_00));
        bank.audit();
    }
}

#[test]
fn a_reversal_of_what_was_parked_gives_nothing_back() {
    in_every_dialect(&lenient(), |bank| {
        let (hold, code) = hold(bank);
        approved(bank, &completion(&hold, 2, 40_00));
        // The second word is parked; it carries the reference and the code of the hold as well.
        let second = completion(&hold, 3, 45_00).with(38, code);
        approved(bank, &second);
        assert_eq!(bank.newest(), "parked");
        approved(bank, &reversal(&second, 420, 4));
        assert_eq!(bank.money("ana"), (60_00, 60_00), "DE 90 names what moved nothing");
    });
}

#[test]
fn an_increment_and_its_hold_are_one_hold() {
    in_every_dialect(&lenient(), |bank| {
        let (hold, _) = hold(bank);
        bank.now = after_ms(20 * DAY_MS);
        let more = increment(&ana(), &hold, 2, 20_00);
        assert_eq!(bank.ask(&more).code(), "00");
        assert_eq!(bank.money("ana"), (100_00, 30_00));
        // Both expire thirty days after the newest.
        bank.now = after_ms(50 * DAY_MS - 1);
        approved(bank, &balance_inquiry(&ana(), 3));
        assert_eq!(bank.money("ana"), (100_00, 30_00));
        approved(bank, &completion(&hold, 4, 84_00));
        assert_eq!(bank.money("ana"), (16_00, 16_00), "a fifth above 70.00");
    });
    in_every_dialect(&lenient(), |bank| {
        let (hold, _) = hold(bank);
        bank.now = after_ms(20 * DAY_MS);
        approved(bank, &increment(&ana(), &hold, 2, 20_00));
        bank.now = after_ms(50 * DAY_MS);
        approved(bank, &balance_inquiry(&ana(), 3));
        assert_eq!(bank.money("ana"), (100_00, 100_00));
    });
}

#[test]
fn an_increment_is_named_by_whom_it_belongs_to_and_completed_by_either_name() {
    type Naming = fn(Told, &str) -> Told;
    let ways: [Naming; 3] = [
        |told, _| told,
        |told, code| told.without(&[90]).with(37, "632610000001").with(38, code),
        |told, code| told.without(&[90]).with(38, code),
    ];
    for way in ways {
        in_every_dialect(&lenient(), |bank| {
            let (hold, code) = hold(bank);
            let more = way(increment(&ana(), &hold, 2, 20_00), &code);
            approved(bank, &more);
            approved(bank, &completion(&more, 3, 70_00));
            assert_eq!(bank.money("ana"), (30_00, 30_00));
            approved(bank, &completion(&hold, 4, 70_00));
            assert_eq!(bank.newest(), "parked");
        });
    }
}

#[test]
fn an_increment_of_nothing_is_a_hold_of_its_own() {
    in_every_dialect(&lenient(), |bank| {
        let (first, _) = hold(bank);
        let other = increment(&ana(), &preauth(&ana(), 99, 1), 2, 20_00);
        approved(bank, &other);
        approved(bank, &completion(&first, 3, 70_00));
        assert_eq!(bank.money("ana"), (50_00, 30_00), "50.00 posted, 20.00 still held");
        // A hold that is completed takes no more.
        let late = increment(&ana(), &first, 4, 10_00);
        approved(bank, &late);
        assert_eq!(bank.money("ana"), (50_00, 20_00));
        approved(bank, &completion(&late, 5, 10_00));
        assert_eq!(bank.money("ana"), (40_00, 20_00));
    });
}

#[test]
fn an_increment_runs_through_the_whole_decision() {
    in_every_dialect(&lenient(), |bank| {
        let (hold, _) = hold(bank);
        assert_eq!(bank.ask(&increment(&ana(), &hold, 2, 50_01)).code(), "51");
        let id = bank.control.find("ana").unwrap();
        bank.control.lock(id, bank.now).unwrap();
        assert_eq!(bank.ask(&increment(&ana(), &hold, 3, 10_00)).code(), "62");
        assert_eq!(bank.money("ana"), (100_00, 50_00));
    });
}

#[test]
fn a_reversal_of_an_increment_or_of_its_hold_gives_back_its_part() {
    in_every_dialect(&lenient(), |bank| {
        let (hold, _) = hold(bank);
        let more = increment(&ana(), &hold, 2, 20_00);
        approved(bank, &more);
        approved(bank, &reversal(&more, 400, 3));
        assert_eq!(bank.money("ana"), (100_00, 50_00));
        let again = increment(&ana(), &hold, 4, 30_00);
        approved(bank, &again);
        approved(bank, &reversal(&hold, 400, 5));
        assert_eq!(bank.money("ana"), (100_00, 70_00), "the increment is still held");
        approved(bank, &completion(&hold, 6, 36_00));
        assert_eq!(bank.money("ana"), (64_00, 64_00), "a fifth above 30.00");
    });
}

#[test]
fn a_hold_is_remembered_for_a_day_after_its_end_however_old_it_is() {
    type End = fn(&mut Bank, &Told);
    // Given back after three days, or expired after thirty: a late completion is not taken for an
    // approval that was made elsewhere.
    let ends: [(End, u64, i64); 2] = [
        (|bank, hold| drop(approved(bank, &reversal(hold, 400, 90))), 3, 95_00),
        (|bank, _| drop(approved(bank, &balance_inquiry(&ana(), 91))), 30, 65_00),
    ];
    for (end, days, left) in ends {
        in_every_dialect(&lenient(), |bank| {
            let (hold, code) = hold(bank);
            bank.now = after_ms(days * DAY_MS);
            end(bank, &hold);
            bank.now = after_ms(days * DAY_MS + DAY_MS / 2);
            approved(bank, &purchase(&ana(), 92, 5_00));
            let late = completion(&hold, 93, 30_00).without(&[90]).with(38, code);
            approved(bank, &late);
            assert_eq!(bank.money("ana"), (left, left), "ended after {days} days");
        });
    }
}

#[test]
fn a_part_of_a_hold_names_it_as_long_as_it_is_open() {
    in_every_dialect(&lenient(), |bank| {
        let (hold, _) = hold(bank);
        approved(bank, &increment(&ana(), &hold, 2, 20_00));
        approved(bank, &reversal(&hold, 400, 3));
        bank.now = after_ms(12 * DAY_MS);
        approved(bank, &purchase(&ana(), 4, 5_00));
        approved(bank, &completion(&hold, 5, 24_00));
        assert_eq!(bank.newest(), "completed");
        assert_eq!(bank.money("ana"), (71_00, 71_00));
    });
}

#[test]
fn an_increment_does_not_revive_what_was_given_back() {
    in_every_dialect(&lenient(), |bank| {
        let (hold, _) = hold(bank);
        approved(bank, &reversal(&hold, 400, 2));
        let own = increment(&ana(), &hold, 3, 20_00);
        approved(bank, &own);
        approved(bank, &completion(&hold, 4, 20_00));
        assert_eq!(bank.newest(), "parked");
        approved(bank, &completion(&own, 5, 20_00));
        assert_eq!(bank.money("ana"), (80_00, 80_00));
    });
}

#[test]
fn of_two_acquirers_with_the_same_numbers_each_completes_its_own_hold() {
    in_every_dialect(&lenient(), |bank| {
        let own = preauth(&ana(), 1, 30_00);
        let other = preauth(&ana(), 1, 50_00).with(32, "608972");
        approved(bank, &own);
        approved(bank, &other);
        approved(bank, &completion(&own, 2, 36_00));
        assert_eq!(bank.money("ana"), (64_00, 14_00));
        approved(bank, &completion(&other, 3, 40_00));
        assert_eq!(bank.money("ana"), (24_00, 24_00));
    });
}

#[test]
fn a_foreign_completion_is_taken_back_by_shares_of_what_was_billed() {
    in_every_dialect(&lenient(), |bank| {
        let dollars = |told: Told, billed: u64| {
            told.with(49, "840").with(6, format!("{billed:012}")).with(51, "978")
        };
        let hold = dollars(preauth(&ana(), 1, 50_00), 40_00);
        approved(bank, &hold);
        // 120.00 dollars were 96.00 euros: 40.00 are posted, the rest waits.
        let completed = dollars(completion(&hold, 2, 120_00), 96_00);
        approved(bank, &completed);
        assert_eq!(bank.money("ana"), (60_00, 60_00));
        let kept = |stan, cents| reversal(&completed, 420, stan).with(95, actual(cents));
        approved(bank, &kept(3, 60_00));
        assert_eq!(bank.money("ana"), (60_00, 60_00), "48.00 euros are more than was posted");
        approved(bank, &kept(4, 30_00));
        assert_eq!(bank.money("ana"), (76_00, 76_00), "24.00 euros are less");
    });
}

#[test]
fn what_a_hold_came_to_counts_in_its_place_on_its_day() {
    let rich = CardSpec { balance: 9_000_00, ..ana() };
    for dialect in DIALECTS {
        let mut bank = Bank::new(dialect, lenient(), std::slice::from_ref(&rich));
        let bank = &mut bank;
        let hold = preauth(&rich, 1, 1_900_00);
        approved(bank, &hold);
        assert_eq!(bank.ask(&purchase(&rich, 2, 100_01)).code(), "61");
        approved(bank, &completion(&hold, 3, 1_000_00));
        approved(bank, &purchase(&rich, 4, 1_000_00));
        assert_eq!(bank.ask(&purchase(&rich, 5, 1)).code(), "61");
        approved(bank, &reversal(&hold, 420, 6).with(95, actual(900_00)));
        approved(bank, &purchase(&rich, 7, 100_00));
        assert_eq!(bank.ask(&purchase(&rich, 8, 1)).code(), "61");
        // What a shop posts above its hold is no cash.
        let shop = preauth(&rich, 9, 10_00).of_mti(120);
        approved(bank, &shop);
        approved(bank, &completion(&shop, 10, 12_00));
        for stan in 11..=13 {
            approved(bank, &withdrawal(&rich, stan, 100_00));
        }
        assert_eq!(bank.ask(&withdrawal(&rich, 14, 10_00)).code(), "65");
        bank.audit();
    }
}

#[test]
fn goods_that_were_added_to_cashback_are_no_cash() {
    let policy = Policy { cashback_fee: true, ..lenient() };
    let rich = CardSpec { balance: 2_000_00, ..ana() };
    for dialect in DIALECTS {
        let mut bank = Bank::new(dialect, policy.clone(), std::slice::from_ref(&rich));
        let bank = &mut bank;
        let cashback = preauth(&rich, 1, 45_00).with(3, "090000").with(54, "0040978D000000002000");
        approved(bank, &cashback);
        approved(bank, &increment(&rich, &cashback, 2, 600_00));
        let reply = approved(bank, &completion(&cashback, 3, 645_00));
        assert_eq!(reply.text(8), Some("00001500"), "20.00 of cash");
        assert_eq!(bank.money("ana").0, 2_000_00 - 645_00 - 15_00);
        bank.audit();
    }
}

#[test]
fn a_refund_of_a_hold_counts_against_its_completion() {
    in_every_dialect(&lenient(), |bank| {
        let (hold, _) = hold(bank);
        let back = |stan, cents| refund(&ana(), stan, cents).with(90, original_of(&hold));
        approved(bank, &back(2, 20_00));
        approved(bank, &completion(&hold, 3, 30_00));
        assert_eq!(bank.ask(&back(4, 10_01)).code(), "13");
        approved(bank, &reversal(&back(2, 20_00), 400, 5).with(95, actual(15_00)));
        approved(bank, &back(6, 15_00));
        assert_eq!(bank.ask(&back(7, 1)).code(), "13");
    });
}

#[test]
fn an_advice_moves_money_whatever_the_card_allows() {
    in_every_dialect(&lenient(), |bank| {
        let id = bank.control.find("ana").unwrap();
        let off =
            ChannelsPatch { online: Some(false), abroad: Some(false), cashpoint: Some(false) };
        tick(bank, off);
        bank.control.lock(id, bank.now).unwrap();
        let held = bank.ask(&purchase_online(&ana(), 1, 70_00).of_mti(120));
        assert_eq!((held.mti, held.code()), (130, "00"));
        assert!(held.text(38).is_some());
        assert_eq!(bank.newest(), "authorized");
        assert_eq!(bank.money("ana"), (100_00, 30_00));
        let posted = bank.ask(&purchase_abroad(&ana(), 2, 60_00).of_mti(220));
        assert_eq!((posted.mti, posted.code()), (230, "00"));
        assert!(posted.text(38).is_some());
        assert_eq!(bank.money("ana"), (40_00, -30_00));
        // A hold of a web shop lives for ten days.
        bank.now = after_ms(10 * DAY_MS - 1);
        approved(bank, &purchase(&ana(), 3, 1).with(3, "200000"));
        assert_eq!(bank.money("ana"), (40_00, -30_00));
        bank.control.unlock(id, after_ms(10 * DAY_MS)).unwrap();
        bank.now = after_ms(10 * DAY_MS);
        approved(bank, &purchase(&ana(), 4, 40_00));
        assert_eq!(bank.money("ana"), (0, 0));
    });
}

#[test]
fn an_advice_of_cash_bears_the_fee() {
    in_every_dialect(&lenient(), |bank| {
        let held = bank.ask(&withdrawal(&ana(), 1, 20_00).of_mti(120));
        assert_eq!((held.code(), held.text(8)), ("00", Some("00001500")));
        assert_eq!(bank.money("ana"), (100_00, 65_00));
        let posted = withdrawal(&ana(), 2, 402_50).with(28, "D00000250").of_mti(220);
        assert_eq!(bank.ask(&posted).text(8), Some("00002000"));
        assert_eq!(bank.money("ana"), (-322_50, -357_50));
        approved(bank, &reversal(&posted, 420, 3));
        assert_eq!(bank.money("ana"), (100_00, 65_00));
        approved(bank, &completion(&withdrawal(&ana(), 1, 20_00).of_mti(120), 4, 20_00));
        assert_eq!(bank.money("ana"), (65_00, 65_00));
    });
}

#[test]
fn an_advice_counts_towards_the_limits_of_its_day() {
    let rich = CardSpec { balance: 9_000_00, ..ana() };
    for dialect in DIALECTS {
        let mut bank = Bank::new(dialect, lenient(), std::slice::from_ref(&rich));
        approved(&mut bank, &purchase(&rich, 1, 2_500_00).of_mti(220));
        assert_eq!(bank.ask(&purchase(&rich, 2, 1)).code(), "61");
        for stan in 3..=5 {
            approved(&mut bank, &withdrawal(&rich, stan, 10_00).of_mti(120));
        }
        assert_eq!(bank.ask(&withdrawal(&rich, 6, 10_00)).code(), "65");
        bank.audit();
    }
}

#[test]
fn an_advice_of_what_was_declined_elsewhere_moves_nothing() {
    in_every_dialect(&lenient(), |bank| {
        for (stan, code) in [(1, "05"), (2, "51"), (3, "91")] {
            for mti in [120, 220] {
                approved(bank, &purchase(&ana(), stan, 10_00).of_mti(mti).with(39, code));
                assert_eq!(bank.newest(), "declined_elsewhere");
            }
        }
        assert_eq!(bank.money("ana"), (100_00, 100_00));
        for (stan, code) in [(4, "00"), (5, "08"), (6, "10"), (7, "11"), (8, "85")] {
            approved(bank, &purchase(&ana(), stan, 10_00).of_mti(220).with(39, code));
        }
        assert_eq!(bank.money("ana"), (50_00, 50_00));
    });
}

#[test]
fn an_advice_that_cannot_be_posted_is_parked_and_answered_00() {
    let closed =
        CardSpec { name: "closed".to_owned(), pan: pan_of(2), status: CardStatus::Closed, ..ana() };
    let lost = CardSpec { name: "lost".to_owned(), pan: pan_of(3), ..closed.clone() };
    let lost = CardSpec { status: CardStatus::Lost, ..lost };
    let stranger = CardSpec { pan: pan_of(77), ..ana() };
    let foreign = CardSpec { pan: 5_555_555_555_554_444, ..ana() };
    for dialect in DIALECTS {
        let mut bank = Bank::new(dialect, lenient(), &[ana(), closed.clone(), lost.clone()]);
        for mti in [120, 220] {
            for (stan, card) in (11..).zip([&closed, &stranger, &foreign]) {
                approved(&mut bank, &purchase(card, stan, 10_00).of_mti(mti));
                assert_eq!(bank.newest(), "parked");
            }
            let unknown = original_of(&preauth(&ana(), 99, 10_00));
            approved(&mut bank, &purchase(&ana(), 2, 10_00).of_mti(mti).with(90, unknown));
            assert_eq!(bank.newest(), "parked");
            // What was taken back before it came.
            let early = purchase(&ana(), 3, 10_00).of_mti(mti);
            approved(&mut bank, &reversal(&early, 420, u32::from(mti)));
            approved(&mut bank, &early);
            assert_eq!(bank.newest(), "parked");
        }
        assert_eq!(bank.money("ana"), (100_00, 100_00));
        assert_eq!(bank.money("closed"), (100_00, 100_00));
        approved(&mut bank, &purchase(&lost, 4, 10_00).of_mti(220));
        assert_eq!(bank.money("lost"), (90_00, 90_00), "it had happened before the report");
        bank.audit();
    }
}

#[test]
fn an_advice_of_what_moves_no_money_is_12_and_one_of_nothing_posts_nothing() {
    in_every_dialect(&lenient(), |bank| {
        for mti in [120, 220] {
            let enquiry = withdrawal(&ana(), 1, 10_00).with(3, "320000");
            for told in [balance_inquiry(&ana(), 2), enquiry] {
                assert_eq!(bank.ask(&told.of_mti(mti)).code(), "12");
            }
            approved(bank, &purchase(&ana(), 3, 0).of_mti(mti));
            approved(bank, &withdrawal(&ana(), 4, 0).of_mti(mti));
        }
        assert_eq!(bank.ask(&refund(&ana(), 5, 10_00).of_mti(120)).code(), "12");
        assert_eq!(bank.money("ana"), (100_00, 100_00), "nothing dispensed, no fee");
    });
}

#[test]
fn an_advice_with_the_key_of_another_is_94() {
    in_every_dialect(&lenient(), |bank| {
        let advice = purchase(&ana(), 1, 10_00).of_mti(220);
        approved(bank, &advice);
        assert_eq!(bank.ask(&advice.clone().with(4, "000000001001")).code(), "94");
        assert_eq!(bank.ask(&purchase(&ana(), 1, 11_00)).code(), "94", "an 0200 is of its class");
        assert_eq!(bank.money("ana"), (90_00, 90_00));
    });
}
