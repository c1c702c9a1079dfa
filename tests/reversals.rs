//! Holds, increments, completions and reversals in every order and number, on one card, against
//! the simulation's oracle: the same answers and the same balances after each step.

#![allow(clippy::inconsistent_digit_grouping, reason = "cents are written 15_00")]
#![allow(dead_code, reason = "the oracle knows more than is asked here")]

mod support;

#[path = "simulation/account.rs"]
mod account;
#[path = "simulation/cleared.rs"]
mod cleared;
#[path = "simulation/consent.rs"]
mod consent;
#[path = "simulation/elements.rs"]
mod elements;
#[path = "simulation/oracle.rs"]
mod oracle;
#[path = "simulation/read.rs"]
mod read;
#[path = "simulation/statements.rs"]
mod statements;
#[path = "simulation/totals.rs"]
mod totals;

use proptest::prelude::*;

use cekr_issuer::Policy;
use oracle::{Oracle, Rules};
use support::{
    Bank, CEKR87_BE2, CardSpec, Told, actual, after_ms, ana, completion, increment, lenient,
    no_limits, preauth, purchase, refund, reversal, withdrawal,
};

/// What it all is about.
#[derive(Clone, Copy, Debug)]
enum Original {
    /// DE 25 = 06: more may be added to it.
    Estimate,
    /// The same, with cash in it.
    Cashback,
    Cash,
    /// Posted at once.
    Purchase,
    /// An approval that somebody else gave.
    Advice,
}

/// The messages of a story, each the same however often it is sent.
const MESSAGES: usize = 6;
const ORIGINAL: usize = 0;
const INCREMENTS: [usize; 2] = [1, 2];
const COMPLETIONS: [usize; 2] = [3, 4];
const REFUND: usize = 5;

#[derive(Clone, Debug)]
enum Step {
    /// A message arrives, for the first time or again.
    Send { message: usize, again: bool },
    /// One is taken back: so much of a thousand is kept, or more than all; by 0400 or 0420; named
    /// by DE 90 or by DE 37 and 38.
    Reverse { message: usize, kept_per_mille: u64, asks: bool, by_code: bool, cause: &'static str },
    /// A reversal of before comes again.
    Again { nth: usize },
    /// Time goes by.
    Pass { hours: u64 },
}

#[derive(Clone, Debug)]
struct Story {
    original: Original,
    cents: u64,
    /// In thousandths of the original.
    increments: [u64; 2],
    completions: [u64; 2],
    steps: Vec<Step>,
}

fn story() -> impl Strategy<Value = Story> {
    let original = prop_oneof![
        4 => Just(Original::Estimate),
        2 => Just(Original::Cashback),
        2 => Just(Original::Cash),
        1 => Just(Original::Purchase),
        2 => Just(Original::Advice),
    ];
    let share = prop_oneof![0..=2_000_u64, Just(1_000), Just(1_200), Just(1_201), Just(0)];
    let steps = prop::collection::vec(step(), 1..16);
    (original, 1..=600_00_u64, [1..=800_u64, 1..=800], [share.clone(), share], steps).prop_map(
        |(original, cents, increments, completions, steps)| Story {
            original,
            cents,
            increments,
            completions,
            steps,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let message = || prop_oneof![3 => Just(ORIGINAL), 5 => 0..MESSAGES];
    let kept = prop_oneof![3 => Just(0_u64), 3 => 0..=1_000_u64, 1 => Just(1_001)];
    let cause = prop_oneof![Just("17"), Just("21"), Just("32")];
    prop_oneof![
        6 => (message(), prop::bool::weighted(0.2))
            .prop_map(|(message, again)| Step::Send { message, again }),
        6 => (message(), kept, any::<bool>(), prop::bool::weighted(0.2), cause).prop_map(
            |(message, kept_per_mille, asks, by_code, cause)| {
                Step::Reverse { message, kept_per_mille, asks, by_code, cause }
            }
        ),
        2 => (0..16_usize).prop_map(|nth| Step::Again { nth }),
        1 => prop_oneof![Just(1_u64), Just(7), Just(13)].prop_map(|hours| Step::Pass { hours }),
    ]
}

fn messages(story: &Story, card: &CardSpec) -> [Told; MESSAGES] {
    let cents = story.cents;
    let original = match story.original {
        Original::Estimate => preauth(card, 1, cents),
        Original::Cashback => preauth(card, 1, cents)
            .with(3, "090000")
            .with(54, format!("0040978D{:012}", cents / 2 + 1)),
        Original::Cash => withdrawal(card, 1, cents).of_mti(100),
        Original::Purchase => purchase(card, 1, cents),
        Original::Advice => preauth(card, 1, cents).of_mti(120),
    };
    let share = |per_mille: u64| cents * per_mille / 1_000;
    let more = |nth: usize, stan| {
        increment(card, &original, stan, share(story.increments[nth]).max(1))
            .with(41, original.text(41).unwrap())
    };
    let last = |nth: usize, stan| completion(&original, stan, share(story.completions[nth]));
    let back = refund(card, 6, cents.div_ceil(2)).with(90, support::original_of(&original));
    let back = back.with(41, original.text(41).unwrap());
    [original.clone(), more(0, 2), more(1, 3), last(0, 4), last(1, 5), back]
}

/// One card at the switch and at the oracle.
struct Both {
    bank: Bank,
    oracle: Oracle,
    card: CardSpec,
    codes: [Option<String>; MESSAGES],
}

impl Both {
    fn new(cashback_fee: bool) -> Self {
        let card = CardSpec { balance: 1_000_00, limited: false, ..ana() };
        let policy = Policy { cashback_fee, limits: no_limits(), ..lenient() };
        let rules = Rules {
            abroad_with_card_only: false,
            cashback_fee,
            chip_at_cashpoints: false,
            confirms: false,
            dispense_faults: 3,
            limits: false,
            private_is_tagged: true,
        };
        let bank = Bank::new(CEKR87_BE2, policy, std::slice::from_ref(&card));
        let oracle = Oracle::new(rules, std::slice::from_ref(&card));
        Self { bank, oracle, card, codes: Default::default() }
    }

    /// Sends a message to both; gives DE 38.
    fn send(&mut self, told: &Told) -> Option<String> {
        let verdict = self.oracle.judge(told, self.bank.now);
        let reply = self.bank.ask(told);
        assert_eq!(reply.code(), verdict.code, "{told:?}");
        assert_eq!(reply.number(8), verdict.fee, "{told:?}");
        assert_eq!(reply.text(38).is_some(), verdict.has_auth_code, "{told:?}");
        let code = reply.text(38).map(str::to_owned);
        if let Some(code) = &code {
            self.oracle.learn(code);
        }
        self.compare(told);
        code
    }

    fn compare(&mut self, last: &Told) {
        let id = self.bank.control.find("ana").unwrap();
        let cell = self.bank.shard().cards().by_id(id).unwrap();
        let mut card = cell.lock();
        self.bank.shard().settle_due(cell, &mut card, self.bank.now).unwrap();
        let money = (i128::from(card.balance().minor()), i128::from(card.available().minor()));
        drop(card);
        assert_eq!(money, self.oracle.money(self.card.pan, self.bank.now), "after {last:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_order_of_holds_completions_and_reversals_ends_where_the_oracle_says(
        story in story(),
        cashback_fee in any::<bool>(),
    ) {
        let mut both = Both::new(cashback_fee);
        let messages = messages(&story, &both.card);
        let mut reversals: Vec<Told> = Vec::new();
        let mut hours = 0;
        for (stan, step) in (100..).zip(&story.steps) {
            match *step {
                Step::Send { message, again } => {
                    let told = &messages[message];
                    let told = told.clone().of_mti(told.mti | u16::from(again));
                    let code = both.send(&told);
                    both.codes[message] = both.codes[message].take().or(code);
                }
                Step::Reverse { message, kept_per_mille, asks, by_code, cause } => {
                    let of = &messages[message];
                    let cents = of.number(4).unwrap();
                    let kept = (cents * kept_per_mille).div_ceil(1_000);
                    let mut told = reversal(of, if asks { 400 } else { 420 }, stan)
                        .with(95, actual(kept))
                        .with(39, cause);
                    if let Some(code) = both.codes[message].clone().filter(|_| by_code) {
                        told = told.without(&[90]).with(38, code);
                    }
                    both.send(&told);
                    reversals.push(told);
                }
                Step::Again { nth } => {
                    if let Some(told) = reversals.get(nth).cloned() {
                        both.send(&told.clone().of_mti(told.mti | 1));
                    }
                }
                // Keys and names are promised for a day.
                Step::Pass { hours: more } if hours + more < 24 => {
                    hours += more;
                    both.bank.now = after_ms(hours * 3_600_000);
                }
                Step::Pass { .. } => {}
            }
        }
        both.bank.audit();
    }

    #[test]
    fn reversals_of_a_completed_hold_have_one_outcome_in_every_order(
        cents in 1..=600_00_u64,
        per_mille in 1..=1_200_u64,
        is_cash in any::<bool>(),
        kept in prop::collection::vec((0..=1_000_u64, any::<bool>(), any::<bool>()), 1..6),
    ) {
        let outcome = |kept: &[(u64, bool, bool)]| {
            let mut both = Both::new(false);
            let original = if is_cash { Original::Cash } else { Original::Estimate };
            let told = Story {
                original,
                cents,
                increments: [1, 1],
                completions: [per_mille, 1],
                steps: Vec::new(),
            };
            let messages = messages(&told, &both.card);
            both.send(&messages[ORIGINAL]);
            both.send(&messages[COMPLETIONS[0]]);
            let posted = messages[COMPLETIONS[0]].number(4).unwrap();
            for (stan, (kept_per_mille, names_hold, asks)) in (100..).zip(kept) {
                let of = &messages[if *names_hold { ORIGINAL } else { COMPLETIONS[0] }];
                let mti = if *asks { 400 } else { 420 };
                let kept = posted * kept_per_mille / 1_000;
                both.send(&reversal(of, mti, stan).with(95, actual(kept)));
            }
            both.bank.audit();
            let least = kept.iter().map(|(kept, ..)| posted * kept / 1_000).min().unwrap();
            (both.bank.money("ana"), least)
        };
        let mut turned = kept.clone();
        turned.reverse();
        let twice = [kept.clone(), turned.clone()].concat();
        let (money, least) = outcome(&kept);
        let fee = if is_cash { elements::fee_of(least) } else { 0 };
        let left = (1_000_00 - least - fee) as i64;
        prop_assert_eq!(money, (left, left), "the least that any of them told");
        prop_assert_eq!(outcome(&turned).0, money);
        prop_assert_eq!(outcome(&twice).0, money);
    }
}

#[test]
fn the_messages_of_a_story_are_what_their_names_say() {
    let story = Story {
        original: Original::Estimate,
        cents: 100_00,
        increments: [200, 300],
        completions: [1_500, 1_800],
        steps: Vec::new(),
    };
    let mut both = Both::new(false);
    let all = messages(&story, &both.card);
    both.send(&all[ORIGINAL]);
    for message in INCREMENTS {
        assert!(both.send(&all[message]).is_some());
    }
    assert_eq!(both.bank.money("ana"), (1_000_00, 850_00));
    both.send(&all[COMPLETIONS[1]]);
    assert_eq!(both.bank.money("ana"), (820_00, 820_00), "180.00 of 150.00 that were held");
    both.send(&all[REFUND]);
    both.send(&all[COMPLETIONS[0]]);
    assert_eq!(both.bank.money("ana"), (820_00, 820_00));
}
