//! What falls due on a card that nobody uses.

#![allow(clippy::inconsistent_digit_grouping, reason = "cents are written 15_00")]

mod support;

use cekr_issuer::{Fact, Policy};
use cekr_switch::background::Sweeper;

use support::{Bank, CEKR87_BE2, DAY_MS, after_ms, ana, lenient, no_limits, purchase};

#[test]
fn holds_expire_a_few_at_a_time_without_anybody_using_the_card() {
    let mut bank = Bank::new(CEKR87_BE2, Policy { limits: no_limits(), ..lenient() }, &[ana()]);
    let ana = ana();
    for stan in 1..=10 {
        assert_eq!(bank.ask(&purchase(&ana, stan, 1_00).of_mti(100)).code(), "00");
    }
    assert_eq!(bank.money("ana"), (100_00, 90_00));
    let shard = bank.control.shard().clone();
    let before = shard.journal().appended().0;
    let mut sweeper = Sweeper::default();
    assert!(!sweeper.turn(&shard, after_ms(4 * DAY_MS), 4), "nothing is due");
    assert_eq!(shard.journal().appended().0, before);

    let later = after_ms(6 * DAY_MS);
    assert!(sweeper.turn(&shard, later, 4), "there is more than it may enter");
    assert_eq!(bank.money("ana"), (100_00, 94_00));
    assert!(sweeper.turn(&shard, later, 4));
    assert!(!sweeper.turn(&shard, later, 4));
    assert_eq!(bank.money("ana"), (100_00, 100_00));
    let entries = before + 1..=shard.journal().appended().0;
    assert_eq!(entries.clone().count(), 10);
    for seq in entries.map(cekr_issuer::Seq) {
        assert!(matches!(shard.entry(seq).unwrap().fact, Fact::HoldExpired(_)));
    }
    bank.audit();
}
