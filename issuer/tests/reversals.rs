//! Reversals in every order and number have one outcome: a state machine against a small model.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may")]

mod support;

use cekr_issuer::Channels;
use proptest::prelude::*;

use support::{Account, Message};

const OPENING: u64 = 1_000_00;

/// What is reversed.
#[derive(Clone, Copy, Debug)]
struct Original {
    cents: u64,
    is_cash: bool,
    is_held: bool,
}

/// One step of a story.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The request itself arrives.
    Request,
    /// A reversal that leaves this share of a thousand; `asks` is 0400, else an advice.
    Reverse { kept_per_mille: u64, asks: bool },
    /// A reversal of more than there was.
    Larger { asks: bool },
}

fn original() -> impl Strategy<Value = Original> {
    (1..=600_00_u64, any::<bool>(), any::<bool>()).prop_map(|(cents, is_cash, is_held)| Original {
        cents,
        is_cash,
        is_held,
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Request),
        3 => (0..=1_000_u64, any::<bool>())
            .prop_map(|(kept_per_mille, asks)| Step::Reverse { kept_per_mille, asks }),
        2 => any::<bool>().prop_map(|asks| Step::Reverse { kept_per_mille: 0, asks }),
        1 => any::<bool>().prop_map(|asks| Step::Larger { asks }),
    ]
}

/// The fee as the rule words it.
fn fee_of(cash: u64) -> u64 {
    if cash == 0 { 0 } else { ((cash * 5 + 50) / 100).max(15_00) }
}

/// What must be so after each step: nothing but the least that any reversal told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Model {
    /// Neither the request nor a reversal came.
    Untouched,
    /// A reversal came first.
    Dead,
    /// Approved, and this is left.
    Approved { left: u64 },
}

fn told(original: Original, stan: u32) -> Message {
    let message = if original.is_cash {
        Message::withdrawal(stan, original.cents)
    } else {
        Message::purchase(stan, original.cents)
    };
    message.of_mti(if original.is_held { 100 } else { 200 })
}

fn actual(cents: u64) -> String {
    format!("{cents:012}000000000000D00000000D00000000")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn what_is_left_is_the_least_that_any_reversal_told(
        original in original(),
        steps in prop::collection::vec(step(), 1..12),
    ) {
        let mut account = Account::new(Channels::ALL, OPENING);
        let request = told(original, 1);
        let mut model = Model::Untouched;
        for (stan, step) in (2..).zip(steps) {
            match step {
                Step::Request => {
                    // A repeat is kept off by its key, before anything is decided.
                    if matches!(model, Model::Approved { .. }) {
                        continue;
                    }
                    let code = account.code(&request);
                    if model == Model::Dead {
                        prop_assert_eq!(code, "12");
                    } else {
                        prop_assert_eq!(code, "00");
                        model = Model::Approved { left: original.cents };
                    }
                }
                Step::Reverse { kept_per_mille, asks } => {
                    let mti = if asks { 400 } else { 420 };
                    let kept = original.cents * kept_per_mille / 1_000;
                    let code = account.code(&request.reversed(mti, stan).with(95, actual(kept)));
                    model = match model {
                        Model::Approved { left } => {
                            prop_assert_eq!(code, "00");
                            Model::Approved { left: left.min(kept) }
                        }
                        Model::Dead | Model::Untouched => {
                            prop_assert_eq!(code, if asks { "25" } else { "00" });
                            Model::Dead
                        }
                    };
                }
                Step::Larger { asks } => {
                    let mti = if asks { 400 } else { 420 };
                    let larger = actual(original.cents + 1);
                    let code = account.code(&request.reversed(mti, stan).with(95, larger));
                    if let Model::Approved { .. } = model {
                        prop_assert_eq!(code, if asks { "13" } else { "00" });
                    } else {
                        model = Model::Dead;
                    }
                }
            }
            let taken = match model {
                Model::Untouched | Model::Dead => 0,
                Model::Approved { left } => left + if original.is_cash { fee_of(left) } else { 0 },
            };
            let (balance, available) = account.money();
            prop_assert_eq!(available, (OPENING - taken) as i64, "{:?}", model);
            let is_posted = !original.is_held;
            prop_assert_eq!(balance, (OPENING - if is_posted { taken } else { 0 }) as i64);
        }
        account.audit();
    }

    #[test]
    fn a_foreign_share_is_what_was_billed_of_it_half_up(
        asked in 1..=100_000_u64,
        billed in 1..=90_000_u64,
        kept_per_mille in 0..=1_000_u64,
    ) {
        let mut account = Account::new(Channels::ALL, OPENING);
        let request = Message::purchase(1, asked)
            .with(49, "840")
            .with(6, format!("{billed:012}"))
            .with(51, "978");
        prop_assert_eq!(account.code(&request), "00");
        let kept = asked * kept_per_mille / 1_000;
        let back = request.reversed(420, 2).with(95, actual(kept));
        prop_assert_eq!(account.code(&back), "00");
        // Twice the share, a half added, and cut: no floats, and another form than the code's.
        let left = (2 * billed * kept).div_euclid(asked) + 1;
        prop_assert_eq!(account.money().0, (OPENING - left / 2) as i64);
        account.audit();
    }
}

#[test]
fn a_reversal_names_its_original_at_its_own_terminal_only() {
    let mut account = Account::new(Channels::ALL, OPENING);
    let request = Message::purchase(1, 10_00);
    assert_eq!(account.code(&request), "00");
    let elsewhere = request.reversed(400, 2).with(41, "POS00002").without(37);
    assert_eq!(account.code(&elsewhere), "25");
    assert_eq!(account.code(&request.reversed(400, 3)), "00");
    assert_eq!(account.money(), (OPENING as i64, OPENING as i64));
}

#[test]
fn one_fault_of_a_machine_stays_one_when_its_hold_was_completed_meanwhile() {
    let mut account = Account::new(Channels::ALL, 1_000_00);
    let withdrawal = Message::withdrawal(1, 100_00).of_mti(100);
    assert_eq!(account.code(&withdrawal), "00");
    let actual = format!("{:012}{:012}C{:08}C{:08}", 60_00, 0, 0, 0);
    let part = withdrawal.reversed(420, 2).with(39, "32").with(95, actual);
    assert_eq!(account.code(&part), "00");
    assert_eq!(account.card.dispense_faults(account.now), 1);

    let completion = withdrawal.reversed(220, 3).with(4, "000000006000");
    assert_eq!(account.code(&completion), "00");
    assert_eq!(account.money(), (925_00, 925_00), "60.00 and a fee of 15.00");
    assert_eq!(account.code(&completion.reversed(420, 4).with(39, "21")), "00");
    assert_eq!(account.money(), (1_000_00, 1_000_00));
    assert_eq!(account.card.dispense_faults(account.now), 1);
    account.audit();
}
