//! The worked cases of channels, fee and currency, each as a real message.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may")]

mod support;

use cekr_issuer::policy::AbroadScope;
use cekr_issuer::{Amount, Channels, fee};

use support::{Account, Message, vectors};

#[test]
fn every_combination_of_ticks_and_kinds_of_transaction_is_decided_as_listed() {
    let cases = vectors("channel_decisions.json");
    let cases = cases.as_array().unwrap();
    assert_eq!(cases.len(), 96, "every combination");
    for (stan, case) in (1..).zip(cases) {
        let is_set = |name: &str| case[name].as_bool().unwrap();
        let flag = |name: &str| case["flags"][name].as_u64() == Some(1);
        let ticks = Channels::NONE
            .with(Channels::ABROAD, flag("ABROAD"))
            .with(Channels::CASHPOINT, flag("CASHPOINT"))
            .with(Channels::ONLINE, flag("ONLINE"));
        let mut account = Account::new(ticks, 1_000_00);
        account.policy.abroad_scope = match case["abroad_scope"].as_str().unwrap() {
            "all" => AbroadScope::All,
            "card_present" => AbroadScope::CardPresent,
            other => panic!("{other}"),
        };
        let plain = if is_set("cash") {
            Message::withdrawal(stan, 50_00)
        } else {
            Message::purchase(stan, 50_00)
        };
        let country = case["country"].as_str().unwrap();
        let located = plain.with(43, format!("{:38}{country}", "SOMEBODY SOMEWHERE"));
        let message = if is_set("card_not_present") {
            located.with(22, "812").with(25, "59")
        } else {
            located
        };
        let answer = account.ask(&message);
        let missing: Vec<_> = answer.missing.names().collect();
        let expected: Vec<_> =
            case["missing"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        assert_eq!(missing, expected, "{case}");
        let code = String::from_utf8(answer.reason.response_code().to_vec()).unwrap();
        assert_eq!(code, case["response"].as_str().unwrap(), "{case}");
        account.audit();
    }
}

#[test]
fn every_scenario_of_the_fee_comes_out_as_listed() {
    let vectors = vectors("atm_fee.json");
    let mut told = 0;
    for case in vectors["scenarios"].as_array().unwrap() {
        let number = |name: &str| case[name].as_u64();
        // What clears with another amount comes with clearing.
        let (Some(available), Some(amount)) = (number("available"), number("amount")) else {
            assert!(case.get("cleared").is_some(), "{case}");
            continue;
        };
        let mut account = Account::new(Channels::ALL, available);
        let is_foreign = case["case"].as_str().unwrap().contains("USD");
        let cash = Message::withdrawal(1, amount).of_mti(100);
        let cash = if is_foreign {
            cash.with(4, "000000010000")
                .with(49, "840")
                .with(6, format!("{amount:012}"))
                .with(51, "978")
        } else {
            cash
        };
        let code = account.code(&cash);
        assert_eq!(code, case["result"].as_str().unwrap_or("00"), "{case}");
        if let Some(kept) = number("actual") {
            let zeros = "000000000000D00000000D00000000";
            let back = cash.reversed(420, 2).with(95, format!("{kept:012}{zeros}"));
            assert_eq!(account.code(&back), "00", "{case}");
        }
        let held = account.card.held().minor();
        let expected = number("hold_after").or(number("hold")).unwrap_or(0);
        assert_eq!(held, expected, "{case}");
        let left = u64::try_from(account.money().1).unwrap();
        assert_eq!(left, number("available_after").unwrap_or(available), "{case}");
        account.audit();
        told += 1;
    }
    assert!(told >= 8, "{told} scenarios");
}

#[test]
fn every_worked_fee_is_told_and_taken() {
    for (stan, case) in (1..).zip(vectors("atm_fee.json")["fee"].as_array().unwrap()) {
        let (amount, fee) = (case["amount"].as_u64().unwrap(), case["fee"].as_u64().unwrap());
        if amount == 0 || fee > 99_999_999 {
            continue;
        }
        let mut account = Account::new(Channels::ALL, amount + fee);
        let told = account.ask(&Message::withdrawal(stan, amount).of_mti(100).with(3, "320000"));
        assert_eq!(told.fee, Some(Amount::from_minor(fee)), "{case}");
        assert_eq!(account.code(&Message::withdrawal(stan, amount)), "00", "{case}");
        assert_eq!(account.money(), (0, 0), "{case}");
        let mut poorer = Account::new(Channels::ALL, amount + fee - 1);
        assert_eq!(poorer.code(&Message::withdrawal(stan, amount)), "51", "{case}");
    }
}

#[test]
fn what_is_billed_in_euros_counts_whatever_the_currency() {
    for (stan, case) in (1..).zip(vectors("fx.json").as_array().unwrap()) {
        let text = |name: &str| case[name].as_str().unwrap();
        let billed = case["de6"].as_u64().unwrap();
        let message = Message::purchase(stan, 0).with(4, text("de4")).with(49, text("de49"));
        let foreign =
            message.with(6, format!("{billed:012}")).with(10, text("de10")).with(51, "978");
        let mut account = Account::new(Channels::ALL, 1_000_00);
        assert_eq!(account.code(&foreign), "00", "{case}");
        assert_eq!(account.money().0, 1_000_00 - i64::try_from(billed).unwrap(), "{case}");
        // Cash in that currency: the fee is of what is billed.
        let cash = foreign.with(3, "010000").with(11, "900000");
        let mut account = Account::new(Channels::ALL, 1_000_00);
        let told = account.ask(&cash).fee;
        assert_eq!(told, Some(fee::cashpoint(Amount::from_minor(billed))), "{case}");
        account.audit();
    }
}
