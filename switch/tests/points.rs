//! Points through clearing files: once a line, whatever brings it, and the same after a start.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may")]

mod common;

use cekr_iso8583::{AuthCode, Mcc, MerchantId};
use cekr_issuer::points::books::PointsAccount;
use cekr_issuer::{CardId, Seq};
use cekr_switch::clearing::LineTold;
use cekr_switch::clock::{Clock, ManualClock};
use cekr_switch::config::Config;
use cekr_switch::keyring::StartKey;
use cekr_switch::server::{ClockBehind, Options, Server, Signals};

use common::{ANA, Scratch};

const MORNING_MS: u64 = 1_795_341_600_000;
const DAY_MS: u64 = 86_400_000;
const TABLE: &str = "[advantage]\nexpiry_months = 1\nsilver_points = 20\n\
    [[advantage.merchant]]\nnumber = 4\nname = \"Knjigarna\"\nmcc = \"5942\"\n";

fn bind(scratch: &Scratch, table: &str) -> (Server, ManualClock) {
    let free = "[[listener]]\naddr = \"127.0.0.1:0\"\n[http]\naddr = \"127.0.0.1:0\"\n";
    let settings = format!("{}{free}operator_token = \"t\"\n{table}", scratch.settings());
    let config = Config::parse(&settings, "test").unwrap();
    let (clock, hand) = Clock::manual(MORNING_MS);
    let (start_key, clock_behind) = (StartKey::development(), ClockBehind::Accept);
    let options = Options { start_key, clock, signals: Signals::Leave, clock_behind };
    (Server::bind(config, options).unwrap(), hand)
}

/// A line about ana; `of` is the entry that it names.
fn line(number: u32, of: Option<Seq>, cents: i64) -> LineTold {
    LineTold {
        line: number,
        card: ANA.to_owned(),
        network_id: String::new(),
        rrn: None,
        auth_code: of.map(|seq| AuthCode::new(*cekr_issuer::reply::auth_code(seq).octets())),
        amount: cents,
        currency: "EUR".to_owned(),
        merchant: Some(MerchantId::new(*b"KNJIGARNA000001")),
        mcc: Mcc::new(5942).unwrap(),
        date: "2026-11-22".to_owned(),
    }
}

fn points(server: &Server) -> u64 {
    server.control().points(CardId(0), server.clock().now()).unwrap().0.points
}

/// The books of points, which are the card's.
fn audit(server: &Server) {
    server.settle().unwrap();
    let (_, books, _) = server.control().shard().books_with_points();
    assert_eq!(books.sum(), 0);
    assert_eq!(books.total(PointsAccount::Liability), i128::from(points(server)));
}

#[test]
fn a_file_earns_once_however_often_it_comes_and_a_start_knows_it_again() {
    let scratch = Scratch::new("points");
    let forced = [line(1, None, 24_90), line(2, None, 10_00)];
    for round in 0..3 {
        // The last start has another table: what was earned stays.
        let (server, _) = bind(&scratch, if round == 2 { "" } else { TABLE });
        if round == 0 {
            common::issue(&server, "ana", ANA, 123_456_782);
        }
        let now = server.clock().now();
        for _ in 0..2 {
            let (outcomes, _) = server.control().clear("a.csv", &forced, now).unwrap();
            assert!(outcomes.iter().all(|outcome| outcome.outcome == "forced"), "{outcomes:?}");
        }
        if round == 0 {
            assert_eq!(points(&server), 34);
            let entry = server.control().clear("a.csv", &forced[..1], now).unwrap().0[0].seq;
            // It names what the first line posted: a chargeback of 12.45, the half of it.
            let back = [line(3, entry.map(Seq), -12_45)];
            let (outcomes, _) = server.control().clear("a.csv", &back, now).unwrap();
            assert_eq!(outcomes[0].outcome, "charged_back");
        }
        assert_eq!(points(&server), 22, "12 of 24 went, and 10 stay");
        audit(&server);
        let (view, _) = server.control().points(CardId(0), now).unwrap();
        assert_eq!((view.enabled, view.points_of_year), (round < 2, 22));
        if round < 2 {
            assert_eq!((view.tier, view.next_tier), ("silver", Some("gold")));
            assert_eq!(view.expiring.unwrap().on, "2026-12-31");
        }
        let (history, _) = server.control().points_history(CardId(0), None, 10).unwrap();
        let told: Vec<_> = history.items.iter().map(|line| (line.kind, line.points)).collect();
        assert_eq!(told, [("taken_back", -12), ("earned", 10), ("earned", 24)]);
        assert_eq!(history.next, None);
        assert_eq!(history.items[2].name.is_some(), round < 2);
    }
}

#[test]
fn points_expire_on_a_card_that_nobody_uses() {
    let scratch = Scratch::new("points-expire");
    let (server, hand) = bind(&scratch, TABLE);
    common::issue(&server, "ana", ANA, 123_456_782);
    server.control().clear("a.csv", &[line(1, None, 24_90)], server.clock().now()).unwrap();
    // 2026-12-31 is the last day.
    hand.advance_ms(39 * DAY_MS);
    let mut sweeper = cekr_switch::background::Sweeper::default();
    sweeper.turn(server.control().shard(), server.clock().now(), 8);
    assert_eq!(points(&server), 24);
    hand.advance_ms(DAY_MS);
    sweeper.turn(server.control().shard(), server.clock().now(), 8);
    let newest = server.control().shard().journal().appended();
    assert_eq!(server.control().shard().entry(newest).unwrap().kind(), "points_expired");
    assert_eq!(points(&server), 0);
    audit(&server);
}

#[test]
fn what_is_approved_and_not_cleared_is_an_estimate_and_in_no_books() {
    let running = common::start(&TABLE.replace("5942", "5411"));
    let mut terminal = common::Terminal::connect(&running);
    terminal.send(&terminal.frame(&common::purchase(ANA, 1, 19_90)));
    assert_eq!(terminal.answer().unwrap().code, "00");
    let control = running.control();
    let id = control.find("ana").unwrap();
    let (view, _) = control.points(id, Clock::system().unwrap().now()).unwrap();
    assert_eq!((view.points, view.pending, view.tier), (0, 19, "basic"));
    assert_eq!((view.next_tier, view.next_tier_at), (Some("silver"), Some(20)));
    let (_, books, _) = control.shard().books_with_points();
    assert_eq!(books.total(PointsAccount::Liability), 0);
}
