//! The line between a terminal and its host, event by event.
#![allow(
    clippy::inconsistent_digit_grouping,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking, and cents stand as 150_00"
)]

mod support;

use cekr_emv::crypto::mac::{self, Padding};
use cekr_emv::keys::{Key, Mak};
use cekr_iso8583::Mti;
use cekr_terminal_sim::form::{self, Entry};
use cekr_terminal_sim::link::matcher::{Reason, Unmatched};
use cekr_terminal_sim::link::seal::Macs;
use cekr_terminal_sim::link::{
    CloseCause, Link, LinkAction, LinkConfig, LinkEvent, OnSilence, Refusal, SignOn, Ticket,
};
use cekr_terminal_sim::message::Message;
use cekr_terminal_sim::moment::Moment;
use support::{answer, answer_echoing, framed, kranj, mti, quiet, sent, tender, text, view};

const START: Moment = Moment::from_unix_ms(1_795_341_600_000);

fn connected(config: LinkConfig) -> Link {
    let mut link = Link::new(config);
    link.handle(LinkEvent::Connected, START);
    link
}

fn purchase() -> Message {
    form::purchase(&kranj(), &tender(Entry::Chip), 24_90, None)
}

fn submit(link: &mut Link, on_silence: OnSilence, now: Moment) -> Vec<u8> {
    let actions = link.handle(LinkEvent::Submit(Ticket(1), purchase(), on_silence), now);
    sent(&actions).remove(0)
}

fn unmatched(actions: &[LinkAction]) -> Option<Unmatched> {
    actions.iter().find_map(|action| match action {
        LinkAction::Unmatched(unmatched) => Some(*unmatched),
        _ => None,
    })
}

fn answered_code(actions: &[LinkAction]) -> Option<[u8; 2]> {
    actions.iter().find_map(|action| match action {
        LinkAction::Answered(Ticket(1), reply) => reply.response_code,
        _ => None,
    })
}

#[test]
fn stamps_a_request_and_matches_its_answer() {
    let mut link = connected(quiet());
    let request = submit(&mut link, OnSilence::Reverse, START);
    assert_eq!(view(&request).number(7), Some(1_122_100_000));
    assert_eq!(view(&request).number(11), Some(1));
    assert_eq!(view(&request).number(12), Some(110_000));
    assert_eq!(text(&request, 37).unwrap(), "632610000001");
    let actions = link.handle(LinkEvent::Received(&answer(&request, b"00", None)), START);
    assert_eq!(answered_code(&actions), Some(*b"00"));
    assert_eq!(link.unsettled_count(), 0);
}

#[test]
fn takes_answers_in_single_octets_and_in_one_piece_with_keep_alives() {
    let mut link = connected(quiet());
    let first = submit(&mut link, OnSilence::Reverse, START);
    let mut codes = vec![];
    for octet in answer(&first, b"51", None) {
        codes.extend(answered_code(&link.handle(LinkEvent::Received(&[octet]), START)));
    }
    let second = submit(&mut link, OnSilence::Reverse, START);
    let mut octets = vec![0, 0];
    octets.extend(answer(&second, b"00", None));
    octets.extend([0, 0]);
    codes.extend(answered_code(&link.handle(LinkEvent::Received(&octets), START)));
    assert_eq!(codes, [*b"51", *b"00"]);
}

#[test]
fn reverses_what_stays_unanswered_and_repeats_until_the_host_answers() {
    let mut link = connected(quiet());
    let request = submit(&mut link, OnSilence::Reverse, START);
    let late = START.plus_ms(15_000);
    assert_eq!(link.deadline(), Some(late));
    let actions = link.handle(LinkEvent::Tick, late);
    assert!(actions.iter().any(|action| matches!(action, LinkAction::TimedOut(Ticket(1)))));
    let reversal = sent(&actions).remove(0);
    assert_eq!(mti(&reversal), 420);
    assert_eq!(text(&reversal, 39).unwrap(), "68");
    assert_eq!(
        text(&reversal, 90).unwrap(),
        "0200000001112210000000000476173".to_owned() + &"0".repeat(11)
    );
    assert_eq!(text(&reversal, 37), text(&request, 37));
    assert_eq!(view(&reversal).number(11), Some(2));
    assert!(!view(&reversal).has(35) && !view(&reversal).has(52));

    let mut now = late;
    for _ in 0..5 {
        now = now.plus_ms(15_000);
        let repeat = sent(&link.handle(LinkEvent::Tick, now)).remove(0);
        assert_eq!(mti(&repeat), 421);
        // But for the repeat digit, the very same octets.
        assert_eq!(repeat[4..], reversal[4..]);
        assert_eq!(link.unsettled_count(), 1);
    }
    let actions = link.handle(LinkEvent::Received(&answer(&reversal, b"00", None)), now);
    assert!(actions.iter().any(|action| matches!(action, LinkAction::Reversed(Ticket(1), _))));
    assert_eq!(link.unsettled_count(), 0);
    assert_eq!(link.deadline(), None);
}

#[test]
fn reverses_by_the_number_alone_when_the_card_was_read_by_its_stripe() {
    let mut link = connected(quiet());
    let message = form::purchase(&kranj(), &tender(Entry::Stripe), 24_90, None);
    let event = LinkEvent::Submit(Ticket(1), message, OnSilence::Reverse);
    let request = sent(&link.handle(event, START)).remove(0);
    assert_eq!(text(&request, 35).unwrap(), "4761730000000011=3012201");
    assert!(!view(&request).has(2));
    let reversal = sent(&link.handle(LinkEvent::Tick, START.plus_ms(15_000))).remove(0);
    assert_eq!(text(&reversal, 2).unwrap(), "4761730000000011");
    assert!(!view(&reversal).has(35));
}

#[test]
fn calls_a_late_answer_late_and_reverses_a_late_approval_once_more() {
    let mut link = connected(quiet());
    let request = submit(&mut link, OnSilence::Reverse, START);
    let reversal = sent(&link.handle(LinkEvent::Tick, START.plus_ms(15_000))).remove(0);
    let now = START.plus_ms(16_000);

    // While the reversal is under way, nothing more is needed.
    let actions = link.handle(LinkEvent::Received(&answer(&request, b"00", None)), now);
    assert_eq!(unmatched(&actions).unwrap().reason, Reason::Late);
    assert_eq!(
        unmatched(&actions).unwrap().to_string(),
        "0210 STAN 000001: came after the time-out"
    );
    assert!(sent(&actions).is_empty());

    // After its answer, an approval may have been decided behind it.
    link.handle(LinkEvent::Received(&answer(&reversal, b"00", None)), now);
    let actions = link.handle(LinkEvent::Received(&answer(&request, b"00", None)), now);
    let again = sent(&actions).remove(0);
    assert_eq!(mti(&again), 420);
    assert_eq!(text(&again, 90), text(&reversal, 90));
    assert_eq!(text(&again, 38).unwrap(), "A1B2C3");
}

#[test]
fn a_late_decline_is_reported_and_nothing_else() {
    let mut link = connected(quiet());
    let request = submit(&mut link, OnSilence::Reverse, START);
    let reversal = sent(&link.handle(LinkEvent::Tick, START.plus_ms(15_000))).remove(0);
    let now = START.plus_ms(16_000);
    link.handle(LinkEvent::Received(&answer(&reversal, b"00", None)), now);
    let actions = link.handle(LinkEvent::Received(&answer(&request, b"51", None)), now);
    assert!(unmatched(&actions).is_some() && sent(&actions).is_empty());
}

#[test]
fn keeps_reversals_over_a_lost_connection() {
    let mut link = connected(quiet());
    submit(&mut link, OnSilence::Reverse, START);
    let actions = link.handle(LinkEvent::Disconnected, START.plus_ms(10));
    assert!(actions.iter().any(|action| matches!(action, LinkAction::TimedOut(_))));
    assert_eq!(link.unsettled_count(), 1);
    let actions = link.handle(LinkEvent::Connected, START.plus_ms(20));
    assert_eq!(mti(&sent(&actions)[0]), 420);
    link.handle(LinkEvent::Disconnected, START.plus_ms(30));
    let actions = link.handle(LinkEvent::Connected, START.plus_ms(40));
    assert_eq!(mti(&sent(&actions)[0]), 421);
}

#[test]
fn repeats_an_advice_and_forgets_an_inquiry() {
    let mut link = connected(quiet());
    let advice = form::completion(
        &kranj(),
        &tender(Entry::Chip),
        80_00,
        &form::Original { auth_code: Some(*b"A1B2C3"), ..form::Original::default() },
    );
    let event = LinkEvent::Submit(Ticket(1), advice, OnSilence::Repeat);
    assert_eq!(mti(&sent(&link.handle(event, START))[0]), 220);
    let repeat = sent(&link.handle(LinkEvent::Tick, START.plus_ms(15_000))).remove(0);
    assert_eq!(mti(&repeat), 221);
    let actions = link.handle(LinkEvent::Received(&answer(&repeat, b"00", None)), START);
    assert_eq!(answered_code(&actions), Some(*b"00"));

    submit(&mut link, OnSilence::Forget, START);
    let actions = link.handle(LinkEvent::Tick, START.plus_ms(15_000));
    assert!(sent(&actions).is_empty());
    assert_eq!(link.unsettled_count(), 0);
}

#[test]
fn signs_on_and_sends_an_echo_when_it_is_quiet() {
    let config = LinkConfig { sign_on: SignOn::AtConnect, echo_idle_ms: 60_000, ..quiet() };
    let mut link = Link::new(config);
    let sign_on = sent(&link.handle(LinkEvent::Connected, START)).remove(0);
    assert_eq!((mti(&sign_on), view(&sign_on).number(70)), (800, Some(1)));
    let actions = link.handle(LinkEvent::Received(&answer(&sign_on, b"00", None)), START);
    assert!(actions.iter().any(|action| matches!(action, LinkAction::SignedOn(_))));

    let idle = START.plus_ms(60_000);
    assert_eq!(link.deadline(), Some(idle));
    let echo = sent(&link.handle(LinkEvent::Tick, idle)).remove(0);
    assert_eq!(view(&echo).number(70), Some(301));
    let actions = link.handle(LinkEvent::Tick, idle.plus_ms(15_000));
    assert!(
        actions
            .iter()
            .any(|action| matches!(action, LinkAction::Close(CloseCause::EchoUnanswered)))
    );
}

#[test]
fn answers_the_hosts_echo_and_refuses_what_it_does_not_serve() {
    let mut link = connected(quiet());
    let mut host = vec![];
    let network = |code| form::stamp(form::network(*b"HOST0001", code), 42, START);
    network(301).encode(&cekr_iso8583::CEKR87, &mut host).unwrap();
    let reply = sent(&link.handle(LinkEvent::Received(&framed(&host)), START)).remove(0);
    assert_eq!(mti(&reply), 810);
    assert_eq!(view(&reply).number(11), Some(42));
    assert_eq!(text(&reply, 39).unwrap(), "00");

    host.clear();
    network(161).encode(&cekr_iso8583::CEKR87, &mut host).unwrap();
    let reply = sent(&link.handle(LinkEvent::Received(&framed(&host)), START)).remove(0);
    assert_eq!(text(&reply, 39).unwrap(), "12");

    host.clear();
    purchase().with_mti(Mti::new(100).unwrap()).encode(&cekr_iso8583::CEKR87, &mut host).unwrap();
    let actions = link.handle(LinkEvent::Received(&framed(&host)), START);
    assert_eq!(unmatched(&actions).unwrap().reason, Reason::NoAnswer);
}

fn mac_of(octets: &[u8]) -> [u8; 8] {
    mac::retail(&Key::<Mak>::development(), octets, Padding::Zeros)
}

/// An answer with a MAC behind it, right or wrong.
fn sealed(answer: &[u8], flipped: u8) -> Vec<u8> {
    let mut message = answer[2..].to_vec();
    // The last bit of the bitmap announces DE 64.
    message[11] |= 1;
    let mut mac = mac_of(&message);
    mac[7] ^= flipped;
    message.extend(mac);
    framed(&message)
}

#[test]
fn an_answer_whose_mac_is_missing_or_wrong_is_no_answer() {
    let mut link = connected(LinkConfig { macs: Macs::TestKey, ..quiet() });
    let request = submit(&mut link, OnSilence::Reverse, START);
    let (covered, told) = request.split_at(request.len() - 8);
    assert!(view(&request).has(64) && mac_of(covered) == told, "ours has one");
    let bare = answer(&request, b"00", None);
    let actions = link.handle(LinkEvent::Received(&bare), START);
    assert_eq!(unmatched(&actions).unwrap().reason, Reason::MacMissing);
    let actions = link.handle(LinkEvent::Received(&sealed(&bare, 1)), START);
    assert_eq!(unmatched(&actions).unwrap().reason, Reason::MacWrong);
    // Somebody in the middle makes an approval of a decline.
    let mut forged = sealed(&answer(&request, b"51", None), 0);
    let at = forged.windows(2).rposition(|pair| pair == b"51").unwrap();
    forged[at..at + 2].copy_from_slice(b"00");
    let actions = link.handle(LinkEvent::Received(&forged), START);
    assert_eq!(unmatched(&actions).unwrap().reason, Reason::MacWrong);
    let actions = link.handle(LinkEvent::Received(&sealed(&bare, 0)), START);
    assert_eq!(answered_code(&actions), Some(*b"00"));

    // Where nothing else comes, what may have been approved is taken back, and sealed.
    let request = submit(&mut link, OnSilence::Reverse, START);
    link.handle(LinkEvent::Received(&answer(&request, b"00", None)), START);
    let reversal = sent(&link.handle(LinkEvent::Tick, START.plus_ms(15_000))).remove(0);
    assert_eq!(mti(&reversal), 420);
    let (covered, told) = reversal.split_at(reversal.len() - 8);
    assert!(view(&reversal).has(128) && mac_of(covered) == told);
}

#[test]
fn says_why_an_answer_is_unmatched() {
    let config = LinkConfig { stan_first: 832_686, ..quiet() };
    let mut link = Link::new(LinkConfig { sign_on: SignOn::AtConnect, ..config });
    let sign_on = sent(&link.handle(LinkEvent::Connected, START)).remove(0);
    let lacking = answer_echoing(&sign_on, b"00", None, &[7, 11, 70]);
    let actions = link.handle(LinkEvent::Received(&lacking), START);
    assert_eq!(unmatched(&actions).unwrap().to_string(), "0810 STAN 832686: DE 41 missing");

    let mut damaged = answer(&sign_on, b"00", None);
    damaged.truncate(damaged.len() - 3);
    let len = u16::try_from(damaged.len() - 2).unwrap();
    damaged[..2].copy_from_slice(&len.to_be_bytes());
    let actions = link.handle(LinkEvent::Received(&damaged), START);
    let words = unmatched(&actions).unwrap().to_string();
    assert!(words.starts_with("0810 STAN 832686: DE "), "{words}");
}

#[test]
fn closes_the_line_when_octets_are_no_frame() {
    let mut link = connected(LinkConfig { octets_max: 100, ..quiet() });
    let actions = link.handle(LinkEvent::Received(&[0x7f, 0xff, 1, 2]), START);
    assert!(matches!(actions[..], [LinkAction::Close(CloseCause::BadFrame(_))]));
}

#[test]
fn refuses_without_a_connection_and_beyond_its_bound() {
    let mut link = Link::new(quiet());
    let event = LinkEvent::Submit(Ticket(1), purchase(), OnSilence::Reverse);
    let actions = link.handle(event, START);
    assert!(matches!(actions[..], [LinkAction::Refused(Ticket(1), Refusal::NotConnected)]));

    let mut link = connected(LinkConfig { waiting_max: 1, ..quiet() });
    submit(&mut link, OnSilence::Reverse, START);
    let event = LinkEvent::Submit(Ticket(2), purchase(), OnSilence::Reverse);
    let actions = link.handle(event, START);
    assert!(
        actions
            .iter()
            .any(|action| matches!(action, LinkAction::Refused(Ticket(2), Refusal::TooMany)))
    );
}

#[test]
fn counts_stans_from_999999_to_1() {
    let mut link = connected(LinkConfig { stan_first: 999_999, ..quiet() });
    assert_eq!(view(&submit(&mut link, OnSilence::Forget, START)).number(11), Some(999_999));
    assert_eq!(view(&submit(&mut link, OnSilence::Forget, START)).number(11), Some(1));
}
