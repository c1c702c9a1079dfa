//! Stories of purchases that the holder confirms: what is honoured, what is not, and what needs no
//! confirmation.

#![allow(clippy::inconsistent_digit_grouping, reason = "cents are written 15_00")]

mod support;

use cekr_iso8583::{CurrencyCode, subfield};
use cekr_issuer::confirmation::SEALED_MS;
use cekr_issuer::entry::Consent;
use cekr_issuer::policy::{EcommerceRequires, Limits};
use cekr_issuer::{
    Amount, ConfirmationEnd, ConfirmationId, ConfirmationNumber, ConfirmationState, Fact, NameKey,
    NewConfirmation, OnlinePurchase, Payee, Policy, SecondFactor,
};
use cekr_switch::control::{ChannelsPatch, SealedConfirmation};
use cekr_switch::engine::Ticket;
use serde_json::Value;

use support::{
    Bank, CEKR87_BE2, CardSpec, Told, after_ms, ana, in_every_dialect, lenient, load, no_limits,
    pan_of, pin_block, purchase, purchase_online, reversal, tick,
};

/// What web shops must prove by default.
fn confirmed_only() -> Policy {
    Policy { ecommerce_requires: EcommerceRequires::Confirmation, ..lenient() }
}

fn number(seed: u8) -> ConfirmationNumber {
    ConfirmationNumber::from_packed([0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, seed]).unwrap()
}

fn asked(seed: u8, cents: u64) -> NewConfirmation {
    NewConfirmation {
        id: ConfirmationId([seed; 16]),
        amount: Amount::from_minor(cents),
        currency: CurrencyCode::EUR,
        payee: Payee::of("KRANJ0000000001", "MIMOVRSTE").unwrap(),
    }
}

/// The holder of `name` confirms what is asked, and the shop gets its value.
fn confirm_for(bank: &Bank, name: &str, seed: u8, new: NewConfirmation) -> SealedConfirmation {
    let (card, now) = (bank.control.find(name).unwrap(), bank.now);
    bank.control.ask_confirmation(card, new, now).unwrap();
    bank.control.push_confirmation(card, new.id, now).unwrap();
    bank.control.approve_confirmation(card, new.id, now).unwrap();
    let factor = SecondFactor::OutOfBandBiometric;
    bank.control.seal_confirmation_as(card, new.id, factor, number(seed), now).unwrap().0
}

fn confirm(bank: &Bank, seed: u8, cents: u64) -> SealedConfirmation {
    confirm_for(bank, "ana", seed, asked(seed, cents))
}

/// The shop sends what it got (DE 48 ids 42 and 43).
fn with_value(told: Told, cavv: &[u8; 20]) -> Told {
    let text = subfield::cavv_text(cavv);
    told.with(48, format!("4202054328{}", std::str::from_utf8(&text).unwrap()))
}

fn bought(stan: u32, cents: u64, sealed: &SealedConfirmation) -> Told {
    with_value(purchase_online(&ana(), stan, cents), &sealed.cavv)
}

fn state(bank: &Bank, seed: u8) -> ConfirmationState {
    let card = bank.control.find("ana").unwrap();
    let id = ConfirmationId([seed; 16]);
    bank.control.confirmation(card, id, bank.now).unwrap().0.state
}

/// Paid without a confirmation since the last one: the sum, and how many.
fn unasked(bank: &Bank) -> (u64, u16) {
    let card = bank.control.find("ana").unwrap();
    let remote = bank.shard().cards().by_id(card).unwrap().lock().unasked_remote();
    (remote.sum().minor(), remote.count())
}

#[test]
fn a_purchase_that_was_confirmed_is_approved_and_its_entry_uses_the_record_up() {
    in_every_dialect(&confirmed_only(), |bank| {
        let sealed = confirm(bank, 1, 39_00);
        let reply = bank.ask(&bought(1, 39_00, &sealed));
        assert_eq!(reply.code(), "00");
        assert_eq!(bank.money("ana"), (100_00, 61_00));
        assert_eq!(state(bank, 1), ConfirmationState::Consumed);
        let entries = bank.entries();
        let Some(Fact::Authorized(fact)) = entries.last().map(|entry| &entry.fact) else {
            panic!("the hold is the newest entry")
        };
        assert_eq!(fact.consent, Consent::Confirmed(number(1)));
        let card = bank.control.find("ana").unwrap();
        let view = bank.control.confirmation(card, ConfirmationId([1; 16]), bank.now).unwrap().0;
        assert_eq!(view.consumed_by, Some(bank.shard().journal().appended()));
    });
}

#[test]
fn a_purchase_without_a_proof_is_sent_back_to_be_confirmed_and_changes_nothing() {
    in_every_dialect(&confirmed_only(), |bank| {
        for (stan, private) in [(1, "420205"), (2, "420207"), (3, "420206")] {
            let told = purchase_online(&ana(), stan, 30_01).with(48, private);
            let replies = bank.read(&told.framed(bank.dialect()));
            assert_eq!((replies[0].told.code(), replies[0].ticket), ("1A", Ticket::Now));
        }
        assert_eq!(bank.money("ana"), (100_00, 100_00));
        assert_eq!(bank.ask(&purchase(&ana(), 4, 39_00)).code(), "00", "a shop in the street");
    });
}

/// What is between the holder's consent and the purchase, and what comes of it.
struct Case {
    what: &'static str,
    code: &'static str,
    happens: fn(&mut Bank, &SealedConfirmation) -> Told,
}

fn case(
    what: &'static str,
    code: &'static str,
    happens: fn(&mut Bank, &SealedConfirmation) -> Told,
) -> Case {
    Case { what, code, happens }
}

fn cases() -> Vec<Case> {
    vec![
        case("the same", "00", |_, sealed| bought(1, 39_00, sealed)),
        case("less", "00", |_, sealed| bought(1, 38_99, sealed)),
        case("posted at once", "00", |_, sealed| bought(1, 39_00, sealed).of_mti(200)),
        case("more", "1A", |_, sealed| bought(1, 39_01, sealed)),
        case("another shop", "1A", |_, sealed| {
            bought(1, 39_00, sealed).with(42, "KRANJ0000000002")
        }),
        case("no shop", "1A", |_, sealed| bought(1, 39_00, sealed).without(&[42])),
        case("another currency", "1A", |_, sealed| {
            bought(1, 39_00, sealed).with(49, "840").with(51, "978").with(6, "000000003590")
        }),
        case("used already", "1A", |bank, sealed| {
            assert_eq!(bank.ask(&bought(7, 10_00, sealed)).code(), "00");
            bought(1, 10_00, sealed)
        }),
        case("used, and small enough to need none", "1A", |bank, sealed| {
            assert_eq!(bank.ask(&bought(7, 1_00, sealed)).code(), "00");
            bought(1, 1_00, sealed)
        }),
        case("used and reversed", "1A", |bank, sealed| {
            let first = bought(7, 39_00, sealed);
            assert_eq!(bank.ask(&first).code(), "00");
            assert_eq!(bank.ask(&reversal(&first, 400, 8)).code(), "00");
            bought(1, 39_00, sealed)
        }),
        case("after ninety days", "1A", |bank, sealed| {
            bank.now = after_ms(SEALED_MS);
            bought(1, 39_00, sealed)
        }),
        case("just before ninety days", "00", |bank, sealed| {
            bank.now = after_ms(SEALED_MS - 1);
            bought(1, 39_00, sealed)
        }),
        case("taken back", "1A", |bank, sealed| {
            let card = bank.control.find("ana").unwrap();
            let end = ConfirmationEnd::Cancelled;
            bank.control.end_confirmation(card, sealed.view.id, end, bank.now).unwrap();
            bought(1, 39_00, sealed)
        }),
        case("locked in between", "62", |bank, sealed| {
            bank.control.lock(bank.control.find("ana").unwrap(), bank.now).unwrap();
            bought(1, 39_00, sealed)
        }),
        case("unticked in between", "57", |bank, sealed| {
            tick(bank, ChannelsPatch { online: Some(false), ..ChannelsPatch::default() });
            bought(1, 39_00, sealed)
        }),
        case("spent in between", "51", |bank, sealed| {
            assert_eq!(bank.ask(&purchase(&ana(), 7, 61_01)).code(), "00");
            bought(1, 39_00, sealed)
        }),
        case("no ECI", "1A", |_, sealed| {
            let told = bought(1, 39_00, sealed);
            let private = told.text(48).unwrap().replacen("420205", "", 1);
            told.with(48, private)
        }),
        case("an ECI of no authentication", "1A", |_, sealed| {
            let told = bought(1, 39_00, sealed);
            let private = told.text(48).unwrap().replacen("420205", "420207", 1);
            told.with(48, private)
        }),
        case("with a chip's data", "1A", |_, sealed| {
            bought(1, 39_00, sealed).with(55, "9A03261122")
        }),
        case("a value that is none", "59", |_, sealed| {
            let told = bought(1, 39_00, sealed);
            let private = told.text(48).unwrap().replacen('=', "!", 1);
            told.with(48, private)
        }),
        case("a value that is cut", "59", |_, _| {
            purchase_online(&ana(), 1, 39_00).with(48, "4202054304AAAA")
        }),
        case("another card's", "59", |_, sealed| {
            let bor = CardSpec { name: "bor".to_owned(), pan: pan_of(7), ..ana() };
            with_value(purchase_online(&bor, 1, 39_00), &sealed.cavv)
        }),
        case("of a record that is nobody's", "1A", |bank, _| {
            let pan = cekr_iso8583::Pan::from_number(ana().pan).unwrap();
            let factor = SecondFactor::OutOfBandBiometric;
            let cavv = bank.shard().hsm().make_cavv(pan, number(0x99), factor).unwrap();
            with_value(purchase_online(&ana(), 1, 39_00), &cavv)
        }),
    ]
}

#[test]
fn what_is_between_consent_and_purchase_decides() {
    for Case { what, code, happens } in cases() {
        let bor = CardSpec { name: "bor".to_owned(), pan: pan_of(7), ..ana() };
        let mut bank = Bank::new(CEKR87_BE2, confirmed_only(), &[ana(), bor]);
        let sealed = confirm(&bank, 1, 39_00);
        let told = happens(&mut bank, &sealed);
        let before = bank.money("ana");
        let reply = bank.ask(&told);
        assert_eq!(reply.code(), code, "{what}");
        if code != "00" {
            assert_eq!(bank.money("ana"), before, "{what}: no money moves");
            assert_eq!(bank.ask(&told).code(), code, "{what}: the same answer again");
        }
        bank.audit();
    }
}

#[test]
fn a_value_of_which_any_octet_is_another_is_a_wrong_proof_or_names_no_record() {
    let mut bank = Bank::new(CEKR87_BE2, confirmed_only(), &[ana()]);
    let sealed = confirm(&bank, 1, 39_00);
    for place in 0..20 {
        let mut cavv = sealed.cavv;
        cavv[place] ^= 0x01;
        let told = with_value(purchase_online(&ana(), 50 + place as u32, 39_00), &cavv);
        // The first twelve digits of the number are not among what the value is made of.
        let code = if (7..13).contains(&place) { "1A" } else { "59" };
        assert_eq!(bank.ask(&told).code(), code, "octet {place}");
    }
    assert_eq!(bank.ask(&bought(1, 39_00, &sealed)).code(), "00", "the right one still counts");
}

#[test]
fn a_repeat_gets_the_same_answer_and_uses_nothing_up() {
    in_every_dialect(&confirmed_only(), |bank| {
        let (first, second) = (confirm(bank, 1, 39_00), confirm(bank, 2, 20_00));
        let told = bought(1, 39_00, &first);
        let reply = bank.ask(&told);
        let entries = bank.entries().len();
        for mti in [100, 101] {
            assert_eq!(bank.ask(&told.clone().of_mti(mti)), reply);
        }
        // With another value it is still the same request.
        assert_eq!(bank.ask(&bought(1, 39_00, &second)), reply);
        assert_eq!(bank.entries().len(), entries);
        assert_eq!(state(bank, 2), ConfirmationState::Sealed);
        assert_eq!(bank.money("ana").1, 61_00);
    });
}

#[test]
fn of_two_purchases_in_one_read_that_name_one_record_one_passes() {
    in_every_dialect(&confirmed_only(), |bank| {
        let sealed = confirm(bank, 1, 39_00);
        let dialect = bank.dialect();
        let both = [bought(1, 39_00, &sealed), bought(2, 39_00, &sealed)];
        let input: Vec<u8> = both.iter().flat_map(|told| told.framed(dialect)).collect();
        let codes: Vec<_> =
            bank.read(&input).iter().map(|reply| reply.told.code().to_owned()).collect();
        assert_eq!(codes, ["00", "1A"]);
    });
}

#[test]
fn a_shop_without_a_number_is_known_by_its_name() {
    let mut bank = Bank::new(CEKR87_BE2, confirmed_only(), &[ana()]);
    let named = Payee::of("", "Mimovrste").unwrap();
    assert_eq!(named, Payee::Name(NameKey::of("MIMOVRSTE").unwrap()));
    let new = NewConfirmation { payee: named, ..asked(1, 39_00) };
    let sealed = confirm_for(&bank, "ana", 1, new);
    let elsewhere = bought(1, 39_00, &sealed).with(43, "MIMOGREDE                LJUBLJANA    SI");
    assert_eq!(bank.ask(&elsewhere).code(), "1A");
    let nameless = bought(2, 39_00, &sealed).without(&[43]).with(19, "705");
    assert_eq!(bank.ask(&nameless).code(), "1A");
    let another_number = bought(3, 39_00, &sealed).with(42, "SOMETHING ELSE ");
    assert_eq!(bank.ask(&another_number).code(), "00");
}

#[test]
fn in_dollars_the_dollars_are_compared() {
    let mut bank = Bank::new(CEKR87_BE2, confirmed_only(), &[ana()]);
    let new = NewConfirmation { currency: CurrencyCode::new(840).unwrap(), ..asked(1, 40_00) };
    let sealed = confirm_for(&bank, "ana", 1, new);
    let dollars = |stan, cents| {
        let told = bought(stan, cents, &sealed).with(49, "840").with(51, "978");
        told.with(6, "000000003590")
    };
    assert_eq!(bank.ask(&dollars(1, 40_01)).code(), "1A");
    assert_eq!(bank.ask(&bought(2, 35_90, &sealed)).code(), "1A", "nobody confirmed euros");
    assert_eq!(bank.ask(&dollars(3, 40_00)).code(), "00");
    assert_eq!(bank.money("ana").1, 64_10);
}

#[test]
fn only_purchases_that_the_holder_begins_in_shops_of_the_eea_must_be_confirmed() {
    let mut bank =
        Bank::new(CEKR87_BE2, confirmed_only(), &[CardSpec { balance: 900_00, ..ana() }]);
    let told = |stan| purchase_online(&ana(), stan, 50_00);
    let country = |stan, letters: &str| told(stan).with(43, format!("{:38}{letters}", "A SHOP"));
    for (stan, letters, code) in [
        (1, "HR", "1A"),
        (2, "IS", "1A"),
        (3, "no", "1A"),
        (4, "US", "00"),
        (5, "GB", "00"),
        (6, "CH", "00"),
    ] {
        assert_eq!(bank.ask(&country(stan, letters)).code(), code, "{letters}");
    }
    let numbered = |stan, number: &str| told(stan).without(&[43]).with(19, number);
    assert_eq!(bank.ask(&numbered(10, "191")).code(), "1A");
    assert_eq!(bank.ask(&numbered(11, "840")).code(), "00");
    assert_eq!(bank.ask(&told(12).without(&[43])).code(), "1A", "nobody says where it is");
    let by_phone = |stan| told(stan).with(22, "012").with(25, "08");
    assert_eq!(bank.ask(&by_phone(13)).code(), "00");
    assert_eq!(bank.ask(&by_phone(14).with(48, "420207")).code(), "1A", "a web shop all the same");
    let by_merchant = |stan| told(stan).with(22, "102");
    assert_eq!(bank.ask(&by_merchant(15)).code(), "00");
    assert_eq!(bank.ask(&by_merchant(16).with(48, "420205")).code(), "1A");
    assert_eq!(unasked(&bank), (0, 0), "what needs no consent does not count");
}

#[test]
fn with_the_tick_alone_nothing_must_be_confirmed_and_a_wrong_proof_is_still_wrong() {
    let mut bank = Bank::new(CEKR87_BE2, lenient(), &[ana()]);
    assert_eq!(bank.ask(&purchase_online(&ana(), 1, 40_00)).code(), "00");
    let sealed = confirm(&bank, 1, 10_00);
    let mut wrong = sealed.cavv;
    wrong[3] ^= 0x01;
    let told = with_value(purchase_online(&ana(), 2, 10_00), &wrong);
    assert_eq!(bank.ask(&told).code(), "59");
    assert_eq!(bank.ask(&bought(3, 10_00, &sealed)).code(), "00");
    assert_eq!(state(&bank, 1), ConfirmationState::Consumed);
    assert_eq!(bank.ask(&bought(4, 10_00, &sealed)).code(), "00", "nothing is asked for");
    bank.audit();
}

#[test]
fn small_purchases_need_no_confirmation_until_their_sum_is_too_much() {
    in_every_dialect(&confirmed_only(), |bank| {
        load(bank, 200_00, "more");
        let bought_for = |bank: &mut Bank, stan, cents| {
            let told = purchase_online(&ana(), stan, cents);
            let code = bank.ask(&told).code().to_owned();
            (told, code)
        };
        for stan in 1..=3 {
            assert_eq!(bought_for(bank, stan, 30_00).1, "00");
        }
        let (last, code) = bought_for(bank, 4, 10_00);
        assert_eq!((code.as_str(), unasked(bank)), ("00", (100_00, 4)));
        assert_eq!(bought_for(bank, 5, 1).1, "1A");
        // A part that comes back does not count, all of it does.
        let part = reversal(&last, 400, 6).with(95, support::actual(4_00));
        assert_eq!(bank.ask(&part).code(), "00");
        assert_eq!(unasked(bank), (100_00, 4));
        assert_eq!(bank.ask(&reversal(&last, 400, 7)).code(), "00");
        assert_eq!(unasked(bank), (90_00, 3));
        let (tenth, code) = bought_for(bank, 8, 10_00);
        assert_eq!(code, "00");
        // The holder is asked: sums begin anew, and what was before comes back to nothing.
        confirm(bank, 1, 39_00);
        assert_eq!(unasked(bank), (0, 0));
        assert_eq!(bought_for(bank, 9, 30_00).1, "00");
        assert_eq!(bank.ask(&reversal(&tenth, 400, 10)).code(), "00");
        assert_eq!(unasked(bank), (30_00, 1));
    });
}

#[test]
fn a_claim_helps_where_the_acquirer_has_analysed_the_risk_and_up_to_a_hundred() {
    let rich = CardSpec { balance: 900_00, ..ana() };
    let mut bank = Bank::new(CEKR87_BE2, confirmed_only(), &[rich]);
    let claimed = |stan, cents, claim: &str| {
        purchase_online(&ana(), stan, cents).with(48, format!("4202074502{claim}"))
    };
    assert_eq!(bank.ask(&claimed(1, 100_00, "89")).code(), "00");
    assert_eq!(bank.ask(&claimed(2, 100_01, "89")).code(), "1A");
    for (stan, claim) in [(3, "84"), (4, "87"), (5, "88"), (6, "8A"), (7, "ZZ")] {
        assert_eq!(bank.ask(&claimed(stan, 50_00, claim)).code(), "1A", "{claim}");
    }
    // It counts towards the sum of small ones: the holder was not asked.
    assert_eq!(unasked(&bank), (100_00, 1));
    assert_eq!(bank.ask(&purchase_online(&ana(), 8, 1)).code(), "1A");
}

#[test]
fn a_fare_at_a_machine_that_nobody_attends_needs_no_confirmation() {
    let mut bank = Bank::new(CEKR87_BE2, confirmed_only(), &[ana()]);
    let fare = |stan, mcc: &str| purchase_online(&ana(), stan, 31_00).with(18, mcc);
    for (stan, mcc, code) in [(1, "4131", "00"), (2, "7523", "00"), (3, "5942", "1A")] {
        assert_eq!(bank.ask(&fare(stan, mcc).with(25, "02")).code(), code, "{mcc}");
    }
    assert_eq!(bank.ask(&fare(4, "4131")).code(), "1A", "somebody's web shop");
}

#[test]
fn a_value_that_nobody_was_asked_for_counts_like_a_purchase_without_one() {
    let mut bank =
        Bank::new(CEKR87_BE2, confirmed_only(), &[CardSpec { balance: 900_00, ..ana() }]);
    let card = bank.control.find("ana").unwrap();
    let seal = |bank: &Bank, seed, cents| {
        let purchase = OnlinePurchase {
            expiry: None,
            amount: Amount::from_minor(cents),
            currency: CurrencyCode::EUR,
            country: *b"SI",
            mcc: cekr_iso8583::Mcc::new(5942).unwrap(),
            claim: None,
        };
        let new = asked(seed, cents);
        let sealed =
            bank.control.seal_frictionless_as(card, new, &purchase, number(seed), bank.now);
        sealed.map(|(sealed, _)| sealed)
    };
    // Four are small enough when they are sealed; the fourth is too much when it comes.
    let sealed: Vec<_> = (1..=4).map(|seed| seal(&bank, seed, 30_00).unwrap()).collect();
    for (stan, sealed) in (1..).zip(&sealed[..3]) {
        assert_eq!(bank.ask(&bought(stan, 30_00, sealed)).code(), "00");
    }
    assert_eq!(unasked(&bank), (90_00, 3));
    let fourth = bought(4, 30_00, &sealed[3]);
    assert_eq!(bank.ask(&fourth).code(), "1A");
    assert!(seal(&bank, 5, 30_00).is_err());
    // After a confirmation it counts again.
    let confirmed = confirm(&bank, 6, 50_00);
    assert_eq!(bank.ask(&bought(5, 50_00, &confirmed)).code(), "00");
    assert_eq!(bank.ask(&fourth.with(11, "000006")).code(), "00");
    assert_eq!(unasked(&bank), (30_00, 1));
    bank.audit();
}

#[test]
fn counters_of_payments_without_a_question_follow_the_published_cases() {
    let text = include_str!("vectors/domain/sca_counters.json");
    let cases: Vec<Value> = serde_json::from_str(text).unwrap();
    assert!(cases.len() >= 5);
    for case in &cases {
        let cents = |key: &str| Amount::from_minor(case[key].as_u64().unwrap());
        let off = Amount::from_minor(0);
        let (sum, count) = match case["mode"].as_str().unwrap() {
            "amount" => (cents("cap_sum"), 0),
            _ => (off, u32::try_from(case["cap_count"].as_u64().unwrap()).unwrap()),
        };
        let id = case["id"].as_str().unwrap();
        let is_remote = id.starts_with("remote");
        let limits = if is_remote {
            let remote_max = cents("single");
            Limits { remote_max, remote_sum: sum, remote_count: count, ..no_limits() }
        } else {
            let contactless_max = cents("single");
            Limits {
                contactless_max,
                contactless_sum: sum,
                contactless_count: count,
                ..no_limits()
            }
        };
        let policy = Policy { limits, ..confirmed_only() };
        let rich = CardSpec { balance: 9_000_00, ..ana() };
        let mut bank = Bank::new(CEKR87_BE2, policy, &[rich]);
        let card = bank.control.find("ana").unwrap();
        let out = case["out"].as_array().unwrap();
        for (stan, (tx, out)) in (1..).zip(case["tx"].as_array().unwrap().iter().zip(out)) {
            let out = out.as_str().unwrap();
            let Some(cents) = tx.as_u64() else {
                assert_eq!((tx.as_str(), out), (Some("SCA"), "reset"), "{id}");
                if is_remote {
                    confirm(&bank, u8::try_from(stan).unwrap(), 39_00);
                } else {
                    let told = tapped(stan, 1).with(52, pin_block(ana().pan, "1234"));
                    assert_eq!(bank.ask(&told).code(), "00");
                }
                continue;
            };
            let told =
                if is_remote { purchase_online(&ana(), stan, cents) } else { tapped(stan, cents) };
            let reply = bank.ask(&told);
            let counted = {
                let card = bank.shard().cards().by_id(card).unwrap().lock();
                if is_remote { card.unasked_remote() } else { card.contactless() }
            };
            match out.strip_prefix("ok ") {
                Some(sums) => {
                    assert_eq!(reply.code(), "00", "{id}, {stan}: {out}");
                    let told = format!("sum={} n={}", counted.sum().minor(), counted.count());
                    assert_eq!(told, sums, "{id}, {stan}");
                }
                None => {
                    let code = if is_remote { "1A" } else { "70" };
                    assert_eq!(reply.code(), code, "{id}, {stan}: {out}");
                }
            }
        }
        bank.audit();
    }
}

/// A purchase over the air, from the stripe's data.
fn tapped(stan: u32, cents: u64) -> Told {
    purchase(&ana(), stan, cents).with(22, "911")
}

#[test]
fn sums_and_records_survive_a_checkpoint() {
    let mut bank = Bank::new(CEKR87_BE2, confirmed_only(), &[ana()]);
    confirm(&bank, 1, 39_00);
    assert_eq!(bank.ask(&purchase_online(&ana(), 1, 12_00)).code(), "00");
    assert_eq!(bank.ask(&tapped(2, 7_00)).code(), "00");
    let card = bank.control.find("ana").unwrap();
    let card = bank.shard().cards().by_id(card).unwrap().lock().clone();
    let mut octets = Vec::new();
    cekr_issuer::snapshot::encode(&card, &mut octets);
    let restored = cekr_issuer::snapshot::decode(&octets).unwrap();
    assert_eq!(restored, card);
    assert_eq!(restored.unasked_remote().sum().minor(), 12_00);
    assert_eq!(restored.contactless().sum().minor(), 7_00);
    assert!(restored.sealed(number(1)).is_some());
}

#[test]
fn a_small_purchase_that_was_taken_back_leaves_what_a_checkpoint_leaves() {
    let mut bank = Bank::new(CEKR87_BE2, confirmed_only(), &[ana()]);
    let told = purchase_online(&ana(), 1, 4_20);
    assert_eq!(bank.ask(&told).code(), "00");
    assert_eq!(bank.ask(&reversal(&told, 400, 2)).code(), "00");
    let card = bank.control.find("ana").unwrap();
    let card = bank.shard().cards().by_id(card).unwrap().lock().clone();
    let mut octets = Vec::new();
    cekr_issuer::snapshot::encode(&card, &mut octets);
    assert_eq!(cekr_issuer::snapshot::decode(&octets), Ok(card));
}
