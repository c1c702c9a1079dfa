//! A card's state as octets, whatever its entries made of it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may")]

mod support;

use cekr_issuer::entry::{LoadName, LoadSource, LoadTakenBack, Loaded, Reference, TakeBackCause};
use cekr_issuer::limit::OwnLimits;
use cekr_issuer::snapshot::{self, SNAPSHOT_VERSION, SnapshotError};
use cekr_issuer::{Amount, Card, Channels, Controls, Fact, Seq};
use proptest::prelude::*;
use support::{Account, Message};

/// Something that may happen to a card.
#[derive(Clone, Debug)]
enum Event {
    /// A message of this type about so many cents; the flag asks for cash.
    Asked {
        mti: u16,
        cents: u64,
        is_cash: bool,
        is_estimated: bool,
    },
    /// A completion or reversal of an earlier message.
    Named {
        mti: u16,
        earlier: usize,
        cents: u64,
    },
    Loaded(u64),
    TakenBack(u64),
    Locked,
    /// The holder sets limits of their own, or takes them off.
    Limited(Option<u64>),
    Later {
        ms: u64,
    },
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let cents = 1..60_00_u64;
    let event = prop_oneof![
        4 => (prop_oneof![Just(100_u16), Just(200), Just(120), Just(220)], cents.clone(),
            any::<bool>(), any::<bool>())
            .prop_map(|(mti, cents, is_cash, is_estimated)| Event::Asked {
                mti, cents, is_cash, is_estimated,
            }),
        3 => (prop_oneof![Just(220_u16), Just(400), Just(420)], 0..8_usize, cents.clone())
            .prop_map(|(mti, earlier, cents)| Event::Named { mti, earlier, cents }),
        1 => cents.clone().prop_map(Event::Loaded),
        1 => cents.prop_map(Event::TakenBack),
        1 => Just(Event::Locked),
        1 => prop::option::of(0..40_00_u64).prop_map(Event::Limited),
        1 => prop_oneof![Just(1_000_u64), Just(3_600_000), Just(3 * 86_400_000)]
            .prop_map(|ms| Event::Later { ms }),
    ];
    proptest::collection::vec(event, 1..40)
}

fn happen(account: &mut Account, asked: &mut Vec<Message>, stan: u32, event: &Event) {
    match event {
        Event::Asked { mti, cents, is_cash, is_estimated } => {
            let message = if *is_cash {
                Message::withdrawal(stan, *cents)
            } else {
                Message::purchase(stan, *cents)
            };
            let message = message.of_mti(*mti);
            let message = if *is_estimated { message.with(25, "06") } else { message };
            account.ask(&message);
            asked.push(message);
        }
        Event::Named { mti, earlier, cents } => {
            if let Some(message) = asked.iter().rev().nth(*earlier) {
                let named = message.reversed(*mti, stan).with(4, format!("{cents:012}"));
                account.ask(&named);
            }
        }
        Event::Loaded(cents) => {
            let amount = Amount::from_minor(*cents);
            let loaded = Loaded {
                amount,
                source: LoadSource::Upn,
                name: LoadName::Reference(Reference::new(&stan.to_string()).unwrap()),
                balance: account.card.balance().plus(amount),
                available: account.card.available().plus(amount),
            };
            account.enter(Fact::Loaded(loaded));
        }
        Event::TakenBack(cents) => {
            let amount = Amount::from_minor(*cents);
            let load = account.card.last_seq();
            let name = LoadName::Reference(Reference::new(&stan.to_string()).unwrap());
            let taken = LoadTakenBack {
                load,
                cause: TakeBackCause::Refund,
                amount,
                left: Amount::default(),
                name,
                balance: account.card.balance().minus(amount),
                available: account.card.available().minus(amount),
            };
            account.enter(Fact::LoadTakenBack(taken));
            assert!(account.card.has_taken_back(load, &name));
            assert_eq!(account.card.taken_back_of(load), amount);
        }
        Event::Locked => {
            let controls = account.card.controls();
            let version = controls.version + 1;
            account.enter(Fact::ControlsSet(Controls { version, ..controls }));
        }
        Event::Limited(cents) => {
            let limit = cents.map(Amount::from_minor);
            let count = cents.map(|_| 2);
            account.enter(Fact::LimitsSet(OwnLimits {
                cash_day: limit,
                cash_count_day: count,
                ..OwnLimits::NONE
            }));
        }
        Event::Later { ms } => account.now.unix_ms += ms,
    }
}

fn octets_of(card: &Card) -> Vec<u8> {
    let mut octets = Vec::new();
    snapshot::encode(card, &mut octets);
    octets
}

proptest! {
    #[test]
    fn any_card_comes_back_from_its_octets_and_lives_on_the_same(
        events in events(), restart in 0..40_usize,
    ) {
        let mut account = Account::new(Channels::ALL, 500_00);
        let mut other = None;
        let mut asked = Vec::new();
        for (at, (event, stan)) in events.iter().zip(1..).enumerate() {
            if at == restart {
                other = Some(snapshot::decode(&octets_of(&account.card)).unwrap());
            }
            let before = account.entries.len();
            happen(&mut account, &mut asked, stan, event);
            if let Some(other) = &mut other {
                for entry in &account.entries[before..] {
                    let seq = other.last_seq().next();
                    other.apply(seq, entry);
                }
            }
            let read = snapshot::decode(&octets_of(&account.card));
            prop_assert_eq!(read.as_ref(), Ok(&account.card));
        }
        if let Some(other) = other {
            prop_assert_eq!(other, account.card);
        }
    }

    #[test]
    fn any_octets_are_a_card_or_refused(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut octets = octets;
        if let Some(version) = octets.first_mut() {
            *version = SNAPSHOT_VERSION;
        }
        if let Ok(card) = snapshot::decode(&octets) {
            prop_assert_eq!(snapshot::decode(&octets_of(&card)), Ok(card));
        }
    }
}

#[test]
fn a_state_that_is_cut_or_goes_on_or_is_newer_is_refused() {
    let mut account = Account::new(Channels::ALL, 500_00);
    account.ask(&Message::purchase(1, 1_00).of_mti(100));
    let whole = octets_of(&account.card);
    for len in 0..whole.len() {
        assert_eq!(snapshot::decode(&whole[..len]), Err(SnapshotError::BadLength), "{len}");
    }
    let mut longer = whole.clone();
    longer.push(0);
    assert_eq!(snapshot::decode(&longer), Err(SnapshotError::BadLength));
    let mut newer = whole;
    newer[0] = SNAPSHOT_VERSION + 1;
    let version = SNAPSHOT_VERSION + 1;
    assert_eq!(snapshot::decode(&newer), Err(SnapshotError::UnknownVersion(version)));
}

/// Of a card whose chip was told nothing: a number, two empty lists, a mark.
const NO_SCRIPTS_OCTETS: usize = 4 + 4 + 4 + 1;

/// What stands for a holder who set no limits: three amounts, a count.
const NO_LIMITS_OCTETS: usize = 3 * (1 + 8) + 1 + 4;

/// Of a card that has confirmed nothing: failures, the end of a block, what was paid without being
/// asked, an empty list.
const NO_CONFIRMATIONS_OCTETS: usize = 1 + 8 + 8 + 4;

/// Of a card without points: three empty lists, a moment.
const NO_POINTS_OCTETS: usize = 3 * 4 + 8;

/// What was paid over the air without a PIN: how often, and since when, which older layouts lack.
fn without_counts(octets: &mut Vec<u8>) {
    octets.drain(48..52);
}

#[test]
fn a_state_of_the_sixth_layout_is_that_of_a_card_without_points() {
    let account = Account::new(Channels::ALL, 100_00);
    let mut octets = octets_of(&account.card);
    octets[0] = 6;
    octets.truncate(octets.len() - NO_POINTS_OCTETS);
    assert_eq!(snapshot::decode(&octets), Ok(account.card));
}

#[test]
fn a_state_of_the_fifth_layout_is_that_of_a_card_that_has_confirmed_nothing() {
    let account = Account::new(Channels::ALL, 100_00);
    let mut octets = octets_of(&account.card);
    octets[0] = 5;
    octets.truncate(octets.len() - NO_CONFIRMATIONS_OCTETS - NO_POINTS_OCTETS);
    without_counts(&mut octets);
    assert_eq!(snapshot::decode(&octets), Ok(account.card));
}

#[test]
fn a_state_of_the_fourth_layout_is_that_of_a_card_without_limits_of_the_holders_own() {
    let account = Account::new(Channels::ALL, 100_00);
    let mut octets = octets_of(&account.card);
    octets[0] = 4;
    octets.truncate(octets.len() - NO_LIMITS_OCTETS - NO_CONFIRMATIONS_OCTETS - NO_POINTS_OCTETS);
    without_counts(&mut octets);
    assert_eq!(snapshot::decode(&octets), Ok(account.card));
}

#[test]
fn limits_that_are_taken_off_again_leave_nothing_behind() {
    let mut account = Account::new(Channels::ALL, 0);
    assert_eq!(account.card.own_limits(), None);
    let own = OwnLimits { pos_day: Some(Amount::from_minor(5_00)), ..OwnLimits::NONE };
    account.enter(Fact::LimitsSet(own));
    assert_eq!(account.card.own_limits(), Some(&own));
    account.enter(Fact::LimitsSet(OwnLimits::NONE));
    assert_eq!(account.card.own_limits(), None);
}

#[test]
fn a_state_of_the_third_layout_is_that_of_a_card_whose_chip_was_told_nothing() {
    let account = Account::new(Channels::ALL, 100_00);
    let mut octets = octets_of(&account.card);
    octets[0] = 3;
    octets.truncate(
        octets.len()
            - NO_SCRIPTS_OCTETS
            - NO_LIMITS_OCTETS
            - NO_CONFIRMATIONS_OCTETS
            - NO_POINTS_OCTETS,
    );
    without_counts(&mut octets);
    assert_eq!(snapshot::decode(&octets), Ok(account.card));
}

#[test]
fn a_state_of_an_older_layout_is_that_of_a_card_that_knew_less() {
    let mut account = Account::new(Channels::ALL, 0);
    // A hold falls due, and a load is remembered.
    happen(&mut account, &mut Vec::new(), 7, &Event::Loaded(100_00));
    let mut octets = octets_of(&account.card);
    octets.truncate(
        octets.len()
            - NO_SCRIPTS_OCTETS
            - NO_LIMITS_OCTETS
            - NO_CONFIRMATIONS_OCTETS
            - NO_POINTS_OCTETS,
    );
    without_counts(&mut octets);
    // Version 2 keeps no entries of its two loads, and nothing that was taken back of them.
    let opening_and_taken_back = 12;
    let second_load = octets.len() - opening_and_taken_back - 4;
    assert_eq!(octets.split_off(octets.len() - 4), [0; 4]);
    for load_seq in [second_load - 8, second_load - 8 - 16] {
        octets.drain(load_seq..load_seq + 8);
    }
    octets[0] = 2;
    let older = snapshot::decode(&octets).unwrap();
    for (source, reference) in [(LoadSource::Opening, "opening"), (LoadSource::Upn, "7")] {
        let reference = Reference::new(reference).unwrap();
        assert_eq!(older.load_of(source, &reference), Some(Seq::NONE));
        assert!(account.card.load_of(source, &reference) > Some(Seq::NONE));
    }
    assert_eq!(older.balance(), account.card.balance());
    // Version 1, and without what came after the PIN's tries and its value: it knows no chip.
    octets[0] = 1;
    octets.drain(34..48);
    assert_eq!(snapshot::decode(&octets), Ok(older));
    octets[0] = 0;
    assert_eq!(snapshot::decode(&octets), Err(SnapshotError::BadField));
}
