//! Stories of bounds: a journal that cannot follow, and somebody who guesses.

#![allow(clippy::inconsistent_digit_grouping, reason = "cents are written 15_00")]

mod support;

use cekr_issuer::Policy;
use cekr_issuer::policy::Abuse;
use cekr_switch::engine::Ticket;
use cekr_switch::journal::{Journal, JournalConfig, SimDisk};

use support::{
    Bank, CEKR87_BE2, CardSpec, DIALECTS, Dialect, Told, after_ms, ana, approved, balance_inquiry,
    completion, in_every_dialect, lenient, pan_of, pin_block, preauth, purchase, purchase_online,
    refund, reversal, shard_over, withdrawal,
};

/// Entries that may wait for the disk in these stories.
const QUEUE_MAX: usize = 4;

/// A switch whose journal writes when it is told to, and takes no more than `QUEUE_MAX` before.
fn narrow(dialect: Dialect, cards: &[CardSpec]) -> Bank {
    let config = JournalConfig {
        queue_max: QUEUE_MAX,
        segment_octets: 1 << 14,
        recent_max: 1 << 12,
        reserve_octets: 0,
        ..JournalConfig::default()
    };
    let disk = std::sync::Arc::new(SimDisk::new(1));
    let (journal, _) = Journal::with_disk_inline(disk, &config, &mut |_, _| Ok(())).unwrap();
    let bank = Bank::over(shard_over(journal), dialect, lenient(), cards);
    bank.shard().journal().commit_now().unwrap();
    bank
}

#[test]
fn what_the_journal_cannot_take_is_91_and_changes_nothing() {
    for dialect in DIALECTS {
        let mut bank = narrow(dialect, &[ana()]);
        for stan in 1..=4 {
            approved(&mut bank, &purchase(&ana(), stan, 5_00));
        }
        let (money, appended) = (bank.money("ana"), bank.shard().journal().appended());
        let hold = preauth(&ana(), 9, 5_00);
        let refused = [
            purchase(&ana(), 5, 5_00),
            purchase_online(&ana(), 6, 5_00),
            withdrawal(&ana(), 7, 10_00),
            balance_inquiry(&ana(), 8),
            hold.clone(),
            completion(&hold, 10, 5_00),
            purchase(&ana(), 11, 5_00).of_mti(120),
            refund(&ana(), 12, 5_00),
            reversal(&purchase(&ana(), 1, 5_00), 400, 13),
            reversal(&purchase(&ana(), 1, 5_00), 420, 14),
            purchase(&ana(), 15, 5_00).with(52, pin_block(ana().pan, "9999")),
        ];
        for told in &refused {
            let reply = bank.read(&told.framed(dialect)).remove(0);
            assert_eq!((reply.told.code(), reply.ticket), ("91", Ticket::Now), "{told:?}");
            assert_eq!(reply.told.text(38), None);
        }
        let id = bank.control.find("ana").unwrap();
        assert!(bank.control.lock(id, bank.now).is_err(), "nor is a lock acknowledged");
        assert_eq!(bank.money("ana"), money);
        assert_eq!(bank.shard().journal().appended(), appended);
        // What was answered before is answered again: that needs no room.
        approved(&mut bank, &purchase(&ana(), 4, 5_00).of_mti(201));
        let echo = Told::new(800).with(7, "1122100000").with(11, "000001").with(70, "301");
        approved(&mut bank, &echo);

        // The disk follows, and the same messages are taken as if they had never been sent.
        for told in &refused {
            bank.shard().journal().commit_now().unwrap();
            let code = bank.ask(&told.clone().of_mti(told.mti | 1)).code().to_owned();
            assert_eq!(code, if told.text(52).is_some_and(is_wrong) { "55" } else { "00" });
        }
        // 100.00 less four purchases, of which one was taken back twice, the one of stan 5, a
        // withdrawal with its fee, and a completed hold; two more holds are open.
        assert_eq!(bank.money("ana"), (50_00, 40_00));
        bank.shard().journal().commit_now().unwrap();
        bank.audit();
    }
}

fn is_wrong(block: &str) -> bool {
    block == pin_block(ana().pan, "9999")
}

#[test]
fn a_burst_above_what_can_wait_is_served_by_and_by_and_each_request_once() {
    let cards: Vec<_> = (0..2)
        .map(|n| CardSpec { name: format!("card {n}"), pan: pan_of(n + 1), ..ana() })
        .collect();
    for dialect in DIALECTS {
        let mut bank = narrow(dialect, &cards);
        let asked = |stan: u32| purchase(&cards[stan as usize % 2], stan, 3_00);
        let mut waiting: Vec<u32> = (1..=60).collect();
        let mut rounds = 0;
        while !waiting.is_empty() {
            // All of them in one read, as often as it takes.
            let input: Vec<u8> =
                waiting.iter().flat_map(|stan| asked(*stan).of_mti(201).framed(dialect)).collect();
            let replies = bank.read(&input);
            assert_eq!(replies.len(), waiting.len());
            let served = replies.iter().filter(|reply| reply.told.code() == "00").count();
            assert_eq!(served, QUEUE_MAX, "as many as can wait, and no more");
            let refused = replies.iter().filter(|reply| reply.told.code() == "91");
            waiting = refused.map(|reply| reply.told.number(11).unwrap() as u32).collect();
            bank.shard().journal().commit_now().unwrap();
            rounds += 1;
        }
        assert_eq!(rounds, 60 / QUEUE_MAX);
        for card in &cards {
            assert_eq!(bank.money(&card.name), (10_00, 10_00));
        }
        bank.audit();
    }
}

/// Failures are counted; the settings that are not named are off.
fn counting(abuse: Abuse) -> Policy {
    Policy { abuse, ..lenient() }
}

#[test]
fn a_card_that_somebody_guesses_at_is_refused_until_the_window_ends() {
    let abuse = Abuse { card_failures: 3, window_s: 600, ..lenient().abuse };
    in_every_dialect(&counting(abuse), |bank| {
        let expired = |stan| purchase(&ana(), stan, 1_00).with(14, "2901");
        assert_eq!(bank.ask(&expired(1)).code(), "54");
        bank.now = after_ms(300_000);
        assert_eq!(bank.ask(&expired(2).with(22, "812")).code(), "14");
        approved(bank, &purchase(&ana(), 3, 1_00));
        let wrong = purchase(&ana(), 4, 1_00).with(52, pin_block(ana().pan, "9999"));
        assert_eq!(bank.ask(&wrong).code(), "55");
        assert_eq!(bank.ask(&purchase(&ana(), 5, 1_00)).code(), "59");
        // What would have been declined before keeps its reason, what happened is not asked.
        assert_eq!(bank.ask(&expired(6)).code(), "54");
        approved(bank, &reversal(&purchase(&ana(), 3, 1_00), 400, 7));
        approved(bank, &purchase(&ana(), 8, 1_00).of_mti(120));
        bank.now = after_ms(600_000);
        approved(bank, &purchase(&ana(), 9, 1_00));
    });
}

#[test]
fn a_terminal_that_tries_numbers_is_refused_and_another_is_not() {
    let abuse = Abuse { terminal_failures: 5, window_s: 600, ..lenient().abuse };
    in_every_dialect(&counting(abuse), |bank| {
        for stan in 1..=5 {
            let guess = CardSpec { pan: pan_of(100 + u64::from(stan)), ..ana() };
            assert_eq!(bank.ask(&purchase_online(&guess, stan, 1_00)).code(), "14");
        }
        assert_eq!(bank.ask(&purchase_online(&ana(), 6, 1_00)).code(), "59");
        let elsewhere = purchase_online(&ana(), 7, 1_00).with(41, "WEB00002");
        approved(bank, &elsewhere);
        // The same name at another acquirer is another terminal.
        approved(bank, &purchase_online(&ana(), 8, 1_00).with(32, "408973"));
    });
}

#[test]
fn a_range_that_is_searched_across_shops_is_refused_everywhere() {
    let abuse = Abuse { bin_failures: 20, window_s: 600, ..lenient().abuse };
    let mut bank = Bank::new(CEKR87_BE2, counting(abuse), &[ana()]);
    for stan in 1..=20 {
        approved(&mut bank, &purchase(&ana(), 100 + stan, 1_00));
        let guess = CardSpec { pan: pan_of(100 + u64::from(stan)), ..ana() };
        let told = purchase_online(&guess, stan, 1_00).with(41, format!("WEB{stan:05}"));
        assert_eq!(bank.ask(&told).code(), "14");
    }
    assert_eq!(bank.ask(&purchase(&ana(), 200, 1_00)).code(), "59");
    bank.now = after_ms(600_000);
    approved(&mut bank, &purchase(&ana(), 201, 1_00));
    bank.audit();
}
