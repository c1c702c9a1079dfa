//! Cryptograms: what a chip asks of its issuer, what it answers to it, and what it decides alone.

use cekr_emv::chip::profile::{Limits, OptionsList, Profile, Version};
use cekr_emv::data::{Csu, Cvr};
use cekr_emv::issuer::{Letter, Outcome};

use crate::issuer::{answer_with, conclude, conclude_with, judge, recomputed, results};
use crate::terminal::{OK, Terminal, VERSIONS, cryptogram, find, powered, profile};

const LIMITS: Limits =
    Limits { count_lower: 2, count_upper: 4, total_lower: 100_00, total_upper: 200_00 };

/// A card that has been online once and may approve alone since.
fn seasoned(version: Version) -> Terminal {
    let mut terminal = powered(&Profile { limits: LIMITS, ..profile(version) });
    let aip = aip(&mut terminal);
    let made = cryptogram(&terminal.first(0x80));
    let proven = judge(&terminal, &aip, &made).1.unwrap();
    conclude(&mut terminal, &proven, version);
    terminal.issuer_answer.clear();
    terminal
}

fn aip(terminal: &mut Terminal) -> [u8; 2] {
    let options = terminal.begin().0;
    find(&options, &[0x77, 0x82]).unwrap().try_into().unwrap()
}

#[test]
fn the_issuer_computes_the_cryptogram_of_every_version() {
    for version in VERSIONS {
        let mut terminal = powered(&profile(version));
        let aip = aip(&mut terminal);
        let made = cryptogram(&terminal.first(0x80));
        assert_eq!(made.information, 0x80);
        assert_eq!(made.value, recomputed(&terminal, aip, &made, version));
        let (letter, proven) = judge(&terminal, &aip, &made);
        assert_eq!(letter, Letter::C, "{version:?}");
        let last = conclude(&mut terminal, &proven.unwrap(), version);
        assert_eq!(last.information, 0x40, "{version:?}");
        assert_eq!(last.value, recomputed(&terminal, aip, &last, version));
        assert_eq!(last.atc, made.atc);
        assert_eq!(terminal.second(0x40).1, [0x69, 0x85], "there is no third cryptogram");
    }
}

#[test]
fn another_amount_than_the_sealed_one_is_found_out() {
    for version in VERSIONS {
        let mut terminal = powered(&profile(version));
        let aip = aip(&mut terminal);
        let made = cryptogram(&terminal.first(0x80));
        terminal.amount += 1;
        assert_eq!(judge(&terminal, &aip, &made).0, Letter::I, "{version:?}");
    }
}

#[test]
fn a_new_card_goes_online_whatever_the_terminal_wants() {
    let mut terminal = powered(&Profile { limits: LIMITS, ..profile(Version::Eighteen) });
    terminal.begin();
    let made = cryptogram(&terminal.first(0x40));
    assert_eq!(made.information, 0x80);
    assert!(results(&made).has(Cvr::NEW_CARD));
}

#[test]
fn a_terminal_that_declines_gets_its_decline() {
    let mut terminal = powered(&profile(Version::Ten));
    terminal.begin();
    let made = cryptogram(&terminal.first(0x00));
    assert_eq!(made.information, 0x00);
    assert_eq!(terminal.second(0x00).1, [0x69, 0x85]);
}

#[test]
fn a_card_approves_alone_until_a_counter_or_a_sum_is_passed() {
    for version in VERSIONS {
        let mut terminal = seasoned(version);
        for number in 1..=3 {
            terminal.begin();
            let made = cryptogram(&terminal.first(0x40));
            let expected = if number <= 2 { 0x40 } else { 0x80 };
            assert_eq!(made.information, expected, "{version:?}, transaction {number}");
            let is_past = results(&made).has(Cvr::VELOCITY_COUNTERS_EXCEEDED);
            assert_eq!(is_past, number > 2, "{version:?}, transaction {number}");
        }
        let mut terminal = seasoned(version);
        terminal.amount = 100_01;
        terminal.begin();
        assert_eq!(cryptogram(&terminal.first(0x40)).information, 0x80, "{version:?}");
        let mut terminal = seasoned(version);
        terminal.currency = [0x08, 0x40];
        terminal.begin();
        assert_eq!(cryptogram(&terminal.first(0x40)).information, 0x80, "{version:?}");
    }
}

#[test]
fn where_nobody_is_reached_the_upper_limits_decide() {
    let mut terminal = seasoned(Version::Eighteen);
    terminal.amount = 150_00;
    terminal.begin();
    terminal.first(0x40);
    terminal.code = *b"Y3";
    let last = cryptogram(&terminal.second(0x40));
    assert_eq!(last.information, 0x40);
    assert!(results(&last).has(Cvr::UNABLE_TO_GO_ONLINE));

    terminal.begin();
    let first = cryptogram(&terminal.first(0x40));
    assert!(results(&first).has(Cvr::LAST_ONLINE_NOT_COMPLETED), "nobody has answered since");
    let last = cryptogram(&terminal.second(0x40));
    assert_eq!(last.information, 0x00, "the sum is past the upper limit");
}

#[test]
fn a_new_card_is_not_approved_where_nobody_is_reached() {
    let mut terminal = powered(&Profile { limits: LIMITS, ..profile(Version::Ten) });
    terminal.begin();
    terminal.first(0x80);
    terminal.code = *b"Y3";
    assert_eq!(cryptogram(&terminal.second(0x40)).information, 0x00);
}

#[test]
fn without_the_issuers_answer_there_is_no_approval() {
    for version in VERSIONS {
        let mut terminal = powered(&profile(version));
        terminal.begin();
        terminal.first(0x80);
        let last = cryptogram(&terminal.second(0x40));
        assert_eq!(last.information, 0x00, "{version:?}");
        assert!(results(&last).has(Cvr::ISSUER_AUTHENTICATION_MISSING));
        terminal.begin();
        let next = cryptogram(&terminal.first(0x80));
        assert!(results(&next).has(Cvr::LAST_ONLINE_NOT_COMPLETED), "{version:?}");
    }
}

#[test]
fn a_forged_answer_is_refused_and_told_next_time() {
    for version in VERSIONS {
        let mut terminal = powered(&profile(version));
        terminal.begin();
        let made = cryptogram(&terminal.first(0x80));
        if version == Version::Ten {
            let mut answer = [0; 10];
            answer[8..].copy_from_slice(b"00");
            let (_, status) = terminal.send([0x00, 0x82, 0x00, 0x00], &answer);
            assert_eq!(status, [0x63, 0x00]);
            let (_, again) = terminal.send([0x00, 0x82, 0x00, 0x00], &answer);
            assert_eq!(again, [0x69, 0x85], "one answer a transaction");
        } else {
            terminal.issuer_answer = answer_with(version, &made, Csu::ISSUER_APPROVES);
            terminal.issuer_answer[7] ^= 1;
        }
        let last = cryptogram(&terminal.second(0x40));
        assert_eq!(last.information, 0x00, "{version:?}");
        assert!(results(&last).has(Cvr::ISSUER_AUTHENTICATION_FAILED));
        terminal.begin();
        let next = results(&cryptogram(&terminal.first(0x80)));
        assert!(next.has(Cvr::LAST_ISSUER_AUTHENTICATION_FAILED), "{version:?}");
    }
}

#[test]
fn a_decline_of_the_issuer_is_a_decline_whatever_the_terminal_says() {
    for version in [Version::Eighteen, Version::TwentyTwo] {
        let mut terminal = powered(&profile(version));
        let aip = aip(&mut terminal);
        let made = cryptogram(&terminal.first(0x80));
        let proven = judge(&terminal, &aip, &made).1.unwrap();
        let mut lying = terminal.clone();
        let declined = conclude_with(&mut terminal, &proven, version, Outcome::Declined);
        assert_eq!(declined.information, 0x00);
        lying.issuer_answer = terminal.issuer_answer.clone();
        assert_eq!(cryptogram(&lying.second(0x40)).information, 0x00, "{version:?}");
    }
}

#[test]
fn a_status_update_blocks_gives_tries_and_calls_back() {
    let version = Version::Eighteen;
    let updated = |update: Csu| {
        let mut terminal = seasoned(version);
        terminal.begin();
        terminal.verify("9999");
        let made = cryptogram(&terminal.first(0x80));
        terminal.issuer_answer = answer_with(version, &made, update);
        assert_eq!(cryptogram(&terminal.second(0x40)).information, 0x40);
        terminal
    };
    let approves = Csu::ISSUER_APPROVES;
    let blocked = updated(approves.with(Csu::APPLICATION_BLOCK));
    assert_eq!(blocked.chip.kept().block(), cekr_emv::chip::Block::Application);
    let blocked = updated(approves.with(Csu::CARD_BLOCK));
    assert_eq!(blocked.chip.kept().block(), cekr_emv::chip::Block::Card);
    assert_eq!(updated(approves).chip.kept().pin_tries(), 2);
    let tries = Csu::from_octets([0x03, 0, 0, 0]).with(Csu::UPDATE_PIN_TRY_COUNTER);
    assert_eq!(updated(approves.with(tries)).chip.kept().pin_tries(), 3);

    let mut called = updated(approves.with(Csu::GO_ONLINE_NEXT));
    called.begin();
    assert_eq!(cryptogram(&called.first(0x40)).information, 0x80);
    let mut usual = updated(Csu::from_octets([0, 0x82, 0, 0]));
    usual.begin();
    assert_eq!(cryptogram(&usual.first(0x40)).information, 0x40);
}

#[test]
fn what_failed_at_a_declined_terminal_is_told_next_time() {
    let mut terminal = powered(&profile(Version::Ten));
    terminal.tvr = [0x48, 0, 0, 0, 0];
    terminal.begin();
    terminal.first(0x00);
    terminal.tvr = [0; 5];
    terminal.begin();
    let told = results(&cryptogram(&terminal.first(0x80)));
    assert!(told.has(Cvr::LAST_SDA_FAILED.with(Cvr::LAST_DDA_FAILED)));
}

#[test]
fn one_tap_asks_the_issuer_everything() {
    for version in VERSIONS {
        let mut terminal = powered(&profile(version));
        terminal.select(b"2PAY.SYS.DDF01");
        let answer = terminal.begin();
        let made = cryptogram(&answer);
        let value = |tag| find(&answer.0, &[0x77, tag]).unwrap();
        let aip: [u8; 2] = value(0x82).try_into().unwrap();
        assert_eq!(made.information, 0x80);
        assert_eq!(made.value, recomputed(&terminal, aip, &made, version), "{version:?}");
        assert_eq!(value(0x57)[..9], *b"\x47\x61\x73\x00\x00\x00\x00\x11\xD3");
        assert_eq!(value(0x9F6C), [0, 0], "nobody asked for a PIN");
        assert_eq!(terminal.chip.kept().atc(), 1);
        assert_eq!(terminal.first(0x80).1, [0x69, 0x85], "the tap was all");
    }
}

#[test]
fn a_tap_that_wants_a_pin_is_told_how() {
    for (ttq, ctq) in [([0x36, 0xC0, 0, 0], 0x80), ([0x32, 0xC0, 0, 0], 0x40)] {
        let mut terminal = powered(&profile(Version::Ten));
        terminal.ttq = ttq;
        terminal.select(b"2PAY.SYS.DDF01");
        let answer = terminal.begin();
        assert_eq!(find(&answer.0, &[0x77, 0x9F6C]).unwrap(), [ctq, 0]);
    }
    let mut terminal = powered(&profile(Version::Ten));
    terminal.ttq = [0x28, 0, 0, 0];
    terminal.select(b"2PAY.SYS.DDF01");
    assert_eq!(cryptogram(&terminal.begin()).information, 0x00, "an offline reader is declined");
}

#[test]
fn options_of_another_length_take_no_counter() {
    let mut terminal = powered(&profile(Version::Ten));
    terminal.select(&crate::terminal::AID);
    let options = [0x80, 0xA8, 0, 0];
    assert_eq!(terminal.send(options, &[0x83, 0]).1, [0x67, 0x00]);
    assert_eq!(terminal.send(options, &[0x83, 7, 0, 0, 0, 0, 0, 0]).1, [0x67, 0x00]);
    assert_eq!(terminal.send(options, &[0x84, 0]).1, [0x6A, 0x80]);
    assert_eq!(terminal.chip.kept().atc(), 0);
    assert_eq!(terminal.send(options, &[0x83, 6, 0, 0, 0, 0, 0, 0]).1, OK);
    assert_eq!(terminal.send(options, &[0x83, 6, 0, 0, 0, 0, 0, 0]).1, [0x69, 0x85]);
}

#[test]
fn a_card_that_asks_nothing_begins_without_being_told() {
    let card = Profile { options: OptionsList::Nothing, ..profile(Version::Eighteen) };
    let mut terminal = powered(&card);
    let (fci, _) = terminal.select(&crate::terminal::AID);
    assert_eq!(find(&fci, &[0x6F, 0xA5, 0x9F38]), None);
    assert_eq!(terminal.options(&[]).1, OK);
    assert_eq!(cryptogram(&terminal.first(0x80)).information, 0x80);
}

#[test]
fn after_a_request_that_nobody_answered_a_card_approves_nothing_alone() {
    let mut terminal = seasoned(Version::Ten);
    terminal.begin();
    assert_eq!(cryptogram(&terminal.clone().first(0x40)).information, 0x40);
    terminal.first(0x80);
    terminal.begin();
    assert_eq!(cryptogram(&terminal.first(0x40)).information, 0x80);
}

#[test]
fn a_counter_at_its_end_begins_no_transaction() {
    let mut terminal = powered(&profile(Version::Eighteen));
    let worn = terminal.chip.kept().clone().with_atc(u16::MAX - 1);
    terminal.chip.restore(worn);
    assert_eq!(terminal.begin().1, OK);
    assert_eq!(cryptogram(&terminal.first(0x80)).atc, [0xFF, 0xFF]);
    assert_eq!(terminal.begin().1, [0x69, 0x85]);
    assert_eq!(terminal.chip.kept().atc(), u16::MAX);
}

#[test]
fn with_no_pin_try_left_a_card_neither_approves_nor_goes_without_its_issuer() {
    let mut terminal = seasoned(Version::Eighteen);
    terminal.begin();
    for _ in 0..3 {
        terminal.verify("9999");
    }
    let made = cryptogram(&terminal.first(0x40));
    assert_eq!(made.information, 0x80);
    terminal.code = *b"Y3";
    assert_eq!(cryptogram(&terminal.second(0x40)).information, 0x00);
}

#[test]
fn a_profile_says_what_its_chip_can_do() {
    for (card, expected) in [
        (profile(Version::Ten), [0x7D, 0]),
        (profile(Version::Eighteen), [0x79, 0]),
        (profile(Version::TwentyTwo), [0x79, 0]),
        (Profile { oda: None, ..profile(Version::Ten) }, [0x1C, 0]),
    ] {
        let mut terminal = powered(&card);
        assert_eq!(aip(&mut terminal), expected, "{:?}", card.version);
        let answer = [0x22; 10];
        terminal.first(0x80);
        let (_, status) = terminal.send([0x00, 0x82, 0x00, 0x00], &answer);
        let is_asked = card.version == Version::Ten;
        assert_eq!(status, if is_asked { [0x63, 0x00] } else { [0x69, 0x85] });
    }
}

#[test]
fn faults_show_where_they_were_put() {
    let version = Version::Eighteen;
    let mut terminal = powered(&profile(version));
    terminal.chip.faults().wrong_cryptogram = true;
    let aip = aip(&mut terminal);
    let made = cryptogram(&terminal.first(0x80));
    assert_eq!(judge(&terminal, &aip, &made).0, Letter::I);

    let mut terminal = powered(&profile(version));
    terminal.chip.faults().stuck_atc = true;
    for _ in 0..2 {
        terminal.begin();
        assert_eq!(cryptogram(&terminal.first(0x80)).atc, [0, 0]);
    }
}
