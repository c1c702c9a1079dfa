//! What an issuer has a chip do: asked by an operator, sent with an answer, carried out by a real
//! simulated chip, told by its next message, settled in the card's state.

#![allow(clippy::inconsistent_digit_grouping, reason = "cents are written 15_00")]

mod support;

use cekr_emv::chip::Block;
use cekr_emv::issuer::{Command, Datum, Order, SCRIPT_SENDS_MAX};
use cekr_issuer::policy::CashpointRequires;
use cekr_issuer::{CardId, Fact, Policy, Seq, snapshot};

use support::chip::{Inserted, Played};
use support::{
    Bank, CEKR87_BE2, Told, ana, balance_inquiry, hex_octets, lenient, memory, pin_block, purchase,
    same_cards, shard_over, withdrawal,
};

/// The rules in force: no cash without chip and PIN.
fn bank() -> Bank {
    let policy = Policy { cashpoint_requires: CashpointRequires::ChipAndPin, ..lenient() };
    Bank::new(CEKR87_BE2, policy, &[ana()])
}

fn ask_for(bank: &Bank, order: Order) {
    let (script, _) = bank.control.ask_script(CardId(0), order, bank.now).unwrap();
    assert_eq!((script.state, script.sends), ("pending", 0));
}

fn command(command: Command) -> Order {
    Order::Command(command)
}

/// State and sendings of the card's newest script.
fn newest(bank: &Bank) -> (&'static str, u8) {
    let (scripts, _) = bank.control.scripts(CardId(0)).unwrap();
    let script = scripts.last().unwrap();
    (script.state, script.sends)
}

fn cash(chip: &mut Inserted, bank: &mut Bank, stan: u32) -> Played {
    chip.play(bank, withdrawal(&ana(), stan, 20_00)).expect("the chip takes part")
}

fn look(chip: &mut Inserted, bank: &mut Bank, stan: u32) -> Played {
    chip.play(bank, balance_inquiry(&ana(), stan)).expect("the chip takes part")
}

/// The instruction of the script in a reply, if there is one.
fn script_of(reply: &Told) -> Option<u8> {
    let data = hex_octets(reply.text(55)?);
    let script = cekr_emv::tlv::value_of(&data, 0x72)?;
    cekr_emv::tlv::value_of(script, 0x86).map(|command| command[1])
}

/// What the request tells of a script (9F5B).
fn told_of(request: &Told) -> Option<Vec<u8>> {
    let data = hex_octets(request.text(55)?);
    cekr_emv::tlv::value_of(&data, 0x9F5B).map(<[u8]>::to_vec)
}

/// Sent, carried out, told by the next message, settled; a repeat gets the same octets.
fn goes_out_and_comes_back(bank: &mut Bank, chip: &mut Inserted, instruction: u8) {
    let sent = look(chip, bank, 1);
    assert_eq!(sent.reply.code(), "00");
    assert_eq!(script_of(&sent.reply), Some(instruction));
    assert_eq!(newest(bank), ("sent", 1));
    assert_eq!(bank.ask(&sent.request.clone().of_mti(201)), sent.reply);
    let next = look(chip, bank, 2);
    let mut told = vec![0x20, 0, 0];
    told.extend(1_u16.to_be_bytes());
    assert_eq!(told_of(&next.request), Some(told));
    assert_eq!((newest(bank), script_of(&next.reply)), (("accepted", 1), None));
    assert_eq!(bank.ask(&sent.request.of_mti(201)), sent.reply, "and still the same later");
    assert_eq!(told_of(&look(chip, bank, 3).request), None, "told once");
    bank.audit();
    restarted(bank);
}

/// Replay and a checkpoint's octets give the same card.
fn restarted(bank: &Bank) {
    let fresh = shard_over(memory());
    for seq in 1..=bank.shard().journal().appended().0 {
        fresh.replay(Seq(seq), &bank.shard().journal().entry(Seq(seq)).unwrap()).unwrap();
    }
    same_cards(bank.shard(), &fresh);
    let card = bank.shard().cards().by_id(CardId(0)).unwrap().lock().clone();
    let mut octets = Vec::new();
    snapshot::encode(&card, &mut octets);
    assert_eq!(snapshot::decode(&octets), Ok(card));
}

#[test]
fn pin_tries_are_given_back() {
    let (mut bank, mut chip) = (bank(), Inserted::new(&ana()));
    ask_for(&bank, command(Command::PinUnblock));
    goes_out_and_comes_back(&mut bank, &mut chip, 0x24);
    assert_eq!(chip.chip().kept().pin_tries(), 3);
}

#[test]
fn upper_limits_are_set() {
    let (mut bank, mut chip) = (bank(), Inserted::new(&ana()));
    ask_for(&bank, command(Command::PutData(Datum::new(0x9F59, &[5]).unwrap())));
    goes_out_and_comes_back(&mut bank, &mut chip, 0xDA);
    assert_eq!(chip.chip().kept().limits().count_upper, 5);
    let total = Datum::new(0x9F5C, &[0, 0, 0, 0x01, 0x50, 0]).unwrap();
    ask_for(&bank, command(Command::PutData(total)));
    look(&mut chip, &mut bank, 4);
    look(&mut chip, &mut bank, 5);
    assert_eq!(newest(&bank), ("accepted", 1));
    assert_eq!(chip.chip().kept().limits().total_upper, 150_00);
}

#[test]
fn the_chip_takes_the_pin_that_its_holder_uses() {
    let (mut bank, mut chip) = (bank(), Inserted::new(&ana()));
    ask_for(&bank, Order::PinChange);
    let without = look(&mut chip, &mut bank, 9);
    assert_eq!(script_of(&without.reply), Some(0x24), "an inquiry brings the PIN");
    let other = without.request.clone().of_mti(201).with(52, pin_block(ana().pan, "4321"));
    assert_eq!(script_of(&bank.ask(&other)), None, "a repeat with another block gets no script");
    assert_eq!(bank.ask(&without.request.of_mti(201)), without.reply);
}

#[test]
fn a_pin_that_was_changed_at_a_cashpoint_is_the_chips_pin_too() {
    let (mut bank, mut chip) = (bank(), Inserted::new(&ana()));
    let new = pin_block(ana().pan, "4321");
    let change = balance_inquiry(&ana(), 1)
        .of_mti(100)
        .with(3, "920000")
        .with(48, format!("54{:02}{new}", new.len()));
    let changed = chip.play(&mut bank, change).unwrap();
    assert_eq!((changed.reply.code(), script_of(&changed.reply)), ("00", Some(0x24)));
    assert_eq!(bank.ask(&changed.request.of_mti(101)), changed.reply);
    let asked = |stan, pin| balance_inquiry(&ana(), stan).with(52, pin_block(ana().pan, pin));
    let after = chip.play(&mut bank, asked(2, "4321")).unwrap();
    assert_eq!((after.reply.code(), newest(&bank)), ("00", ("accepted", 1)));
    assert!(chip.has_pin("4321"));
    restarted(&bank);
}

#[test]
fn a_new_pin_that_the_chip_missed_follows_with_the_next_right_one() {
    let (mut bank, mut chip) = (bank(), Inserted::new(&ana()));
    let new = pin_block(ana().pan, "4321");
    let change = balance_inquiry(&ana(), 1)
        .of_mti(100)
        .with(3, "920000")
        .with(48, format!("54{:02}{new}", new.len()));
    chip.session.reader.withholds = true;
    chip.play(&mut bank, change).unwrap();
    assert!(chip.has_pin("1234"));
    chip.session.reader.withholds = false;
    let asked = |stan, pin| balance_inquiry(&ana(), stan).with(52, pin_block(ana().pan, pin));
    let wrong = chip.play(&mut bank, asked(2, "1234")).unwrap();
    assert_eq!((wrong.reply.code(), script_of(&wrong.reply)), ("55", None));
    let right = chip.play(&mut bank, asked(3, "4321")).unwrap();
    assert_eq!((right.reply.code(), script_of(&right.reply)), ("00", Some(0x24)));
    assert!(chip.has_pin("4321"));
    chip.play(&mut bank, asked(4, "4321")).unwrap();
    assert_eq!(newest(&bank), ("accepted", 2));
}

/// The advice of a terminal whose transaction ended with a script: what became of it, unsealed.
fn advice(stan: u32, atc: u16, result: u8) -> Told {
    purchase(&ana(), stan, 20_00)
        .of_mti(120)
        .with(22, "051")
        .with(39, "05")
        .with(55, format!("9F5B05{result:02X}0000{atc:04X}"))
}

#[test]
fn an_application_is_blocked_and_unblocked() {
    let (mut bank, mut chip) = (bank(), Inserted::new(&ana()));
    ask_for(&bank, command(Command::ApplicationBlock));
    let sent = cash(&mut chip, &mut bank, 1);
    assert_eq!((sent.reply.code(), script_of(&sent.reply)), ("00", Some(0x1E)));
    assert_eq!(chip.chip().kept().block(), Block::Application);
    assert!(chip.play(&mut bank, withdrawal(&ana(), 2, 20_00)).is_none(), "it makes none");
    assert_eq!(bank.ask(&advice(3, 1, 0x20)).code(), "00");
    assert_eq!(newest(&bank), ("accepted", 1));

    ask_for(&bank, command(Command::ApplicationUnblock));
    let at_the_branch = purchase(&ana(), 4, 0).with(3, "310000").without(&[4]);
    let at_the_branch = at_the_branch.with(22, "051").with(55, "9F1A020705");
    let reply = bank.ask(&at_the_branch);
    assert_eq!((reply.code(), script_of(&reply)), ("00", Some(0x18)));
    let data = hex_octets(reply.text(55).unwrap());
    assert_eq!(cekr_emv::tlv::value_of(&data, 0x91), None, "there is no cryptogram to answer");
    assert_eq!(bank.ask(&at_the_branch.of_mti(201)), reply);
    let script = cekr_emv::tlv::value_of(&data, 0x72).unwrap();
    chip.run(cekr_emv::tlv::value_of(script, 0x86).unwrap());
    assert_eq!(chip.chip().kept().block(), Block::None);
    assert_eq!(newest(&bank), ("sent", 1));
    assert_eq!(look(&mut chip, &mut bank, 5).reply.code(), "00");
    assert_eq!(newest(&bank), ("accepted", 1), "it speaks");
    bank.audit();
    restarted(&bank);
}

#[test]
fn a_card_is_blocked_for_good_and_a_chip_that_speaks_all_the_same_is_told_again() {
    let (mut bank, mut chip) = (bank(), Inserted::new(&ana()));
    ask_for(&bank, command(Command::CardBlock));
    chip.session.reader.withholds = true;
    assert_eq!(script_of(&look(&mut chip, &mut bank, 1).reply), Some(0x16));
    assert_eq!(bank.ask(&advice(2, 1, 0x20)).code(), "00");
    assert_eq!(newest(&bank), ("accepted", 1), "so its terminal says");
    chip.session.reader.withholds = false;
    assert_eq!(script_of(&look(&mut chip, &mut bank, 3).reply), Some(0x16), "it lied");
    assert_eq!(newest(&bank), ("sent", 2));
    assert_eq!(chip.chip().kept().block(), Block::Card);
    assert!(chip.play(&mut bank, withdrawal(&ana(), 4, 20_00)).is_none());
    restarted(&bank);
}

#[test]
fn a_script_that_fails_is_sent_again_up_to_its_bound_and_then_reported() {
    let (mut bank, mut chip) = (bank(), Inserted::new(&ana()));
    ask_for(&bank, command(Command::PinUnblock));
    chip.session.reader.withholds = true;
    for sending in 1..=SCRIPT_SENDS_MAX {
        let played = look(&mut chip, &mut bank, sending.into());
        assert_eq!((played.reply.code(), script_of(&played.reply)), ("00", Some(0x24)));
        assert_eq!(newest(&bank), ("sent", sending));
    }
    assert_eq!(script_of(&look(&mut chip, &mut bank, 9).reply), None);
    assert_eq!(newest(&bank), ("failed", SCRIPT_SENDS_MAX));
    let settled = bank.entries().into_iter().filter_map(|entry| match entry.fact {
        Fact::ScriptSettled(settled) => Some(settled.outcome_name()),
        _ => None,
    });
    assert_eq!(settled.collect::<Vec<_>>(), ["refused", "refused", "failed"]);
    restarted(&bank);
}

#[test]
fn no_script_changes_what_a_card_may_spend_and_none_goes_over_the_air_or_to_a_replay() {
    let (mut bank, mut chip) = (bank(), Inserted::new(&ana()));
    for order in [command(Command::PinUnblock), Order::PinChange] {
        ask_for(&bank, order);
    }
    assert_eq!(bank.money("ana"), (100_00, 100_00));
    let tapped = support::chip::sealed(1, 1_00).within(purchase(&ana(), 1, 1_00), ana().pan);
    assert_eq!(script_of(&bank.ask(&tapped.with(22, "071"))), None);
    let sent = support::chip::sealed(2, 1_00).within(purchase(&ana(), 2, 1_00), ana().pan);
    assert_eq!(script_of(&bank.ask(&sent)), Some(0x24));
    let replay = bank.ask(&sent.with(11, "000003"));
    assert_eq!((replay.code(), script_of(&replay)), ("82", None));
    assert_eq!(bank.money("ana"), (98_00, 98_00));
    chip.chip();
    bank.audit();
}

#[test]
fn four_scripts_wait_and_a_fifth_is_refused() {
    let bank = bank();
    for count in 1..=4 {
        ask_for(&bank, command(Command::PutData(Datum::new(0x9F59, &[count]).unwrap())));
    }
    let order = command(Command::PinUnblock);
    assert!(bank.control.ask_script(CardId(0), order, bank.now).is_err());
    let again = command(Command::PutData(Datum::new(0x9F59, &[4]).unwrap()));
    let before = bank.entries().len();
    bank.control.ask_script(CardId(0), again, bank.now).unwrap();
    assert_eq!(bank.entries().len(), before, "it waits already");
}
