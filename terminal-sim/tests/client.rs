//! Terminals over real sockets against a tiny host in the same process.
#![allow(
    clippy::inconsistent_digit_grouping,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test fails by panicking, and cents stand as 150_00"
)]

mod support;

use core::time::Duration;

use cekr_iso8583::response::Language;
use cekr_iso8583::{CEKR87, Framing};
use cekr_terminal_sim::cassettes::Cassettes;
use cekr_terminal_sim::client::front_line::FrontLine;
use cekr_terminal_sim::client::{
    CashpointTerminal, Host, Note, PosTerminal, ShopTerminal, WithdrawOptions,
};
use cekr_terminal_sim::device::keypad::Key;
use cekr_terminal_sim::form::Entry;
use cekr_terminal_sim::front::cashpoint::CashpointFront;
use cekr_terminal_sim::front::{Counter, Front, FrontEvent, Touch, Wallet};
use cekr_terminal_sim::link::{LinkConfig, SignOn};
use cekr_terminal_sim::load::{self, Connections, LoadPlan, Pace};
use cekr_terminal_sim::outcome::Ending;
use cekr_terminal_sim::place::Place;
use cekr_terminal_sim::world::Holder;
use support::{ana, answer, kranj, messages, mti, quiet, tender, text, view};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Answers every message as `decide` says; `None` stays silent. One task per connection.
async fn host(decide: impl Fn(&[u8]) -> Option<Vec<u8>> + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let decide = decide.clone();
            tokio::spawn(async move {
                let mut pending = vec![];
                let mut buffer = vec![0; 65_536];
                while let Ok(len @ 1..) = stream.read(&mut buffer).await {
                    pending.extend_from_slice(&buffer[..len]);
                    let whole = messages(&pending);
                    let taken: usize = whole.iter().map(|message| message.len() + 2).sum();
                    pending.drain(..taken);
                    let replies: Vec<u8> =
                        whole.iter().filter_map(|message| decide(message)).flatten().collect();
                    if stream.write_all(&replies).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}

fn fee_of(message: &[u8]) -> Option<u64> {
    (view(message).number(18) == Some(6011)).then_some(15_00)
}

#[tokio::test]
async fn a_till_signs_on_sells_and_takes_back() {
    let to = host(|message| Some(answer(message, b"00", None))).await;
    let config = LinkConfig { sign_on: SignOn::AtConnect, ..quiet() };
    let mut till = PosTerminal::new(Host::connect(&to, config).await.unwrap(), kranj());
    let outcome = till.purchase(&tender(Entry::Chip), 24_90).await;
    assert!(outcome.is_approved());
    assert!(outcome.round_trip_ns > 0);
    assert_eq!(outcome.available, Some(75_10));
    let reversal = till.reverse(&outcome).await;
    assert_eq!(reversal.response_code(), Some(*b"00"));
    assert!(till.host.take_notes().contains(&Note::SignedOn(*b"00")));
}

#[tokio::test]
async fn a_cashpoint_pays_and_a_jam_is_corrected() {
    let to = host(|message| Some(answer(message, b"00", fee_of(message)))).await;
    let host = Host::connect(&to, quiet()).await.unwrap();
    let place = Place::cashpoint("Bankomat Kranj", "Kranj", *b"SI");
    let mut machine = CashpointTerminal::new(host, place, Cassettes::default());
    let mut shown = vec![];
    let options = WithdrawOptions { jam_after: Some(1), ..WithdrawOptions::default() };
    let outcome = machine
        .withdraw_asking(&tender(Entry::Chip), 70_00, options, |notice| shown.push(notice.fee))
        .await;
    assert_eq!(shown, [Some(15_00)]);
    assert_eq!((outcome.dispensed, outcome.fee), (Some(50_00), 15_00));

    let stingy = WithdrawOptions { fee_max: Some(10_00), ..WithdrawOptions::default() };
    let outcome = machine.withdraw(&tender(Entry::Chip), 70_00, stingy).await;
    assert_eq!(outcome.ending, Ending::Cancelled);
}

#[tokio::test]
async fn a_front_on_a_socket_asks_the_fee_pays_and_goes_idle() {
    let to = host(|message| Some(answer(message, b"00", fee_of(message)))).await;
    let mut line = FrontLine::new(Host::connect(&to, quiet()).await.unwrap());
    let place = Place::cashpoint("Bankomat Kranj", "Kranj", *b"SI");
    let counter = Counter::new(Wallet::new([ana()]), Language::En, 1);
    let mut front = CashpointFront::new(place, Cassettes::default(), counter);
    let digits = |text: &str| -> Vec<Touch> {
        text.chars().filter_map(Key::of_char).map(Touch::Key).collect()
    };
    let enter = Touch::Key(Key::Enter);
    for (touches, headline) in [
        ([vec![Touch::Card], digits("150"), vec![enter]].concat(), "FEE"),
        ([vec![enter], digits("1234"), vec![enter]].concat(), "TAKE YOUR CASH"),
        (vec![Touch::TakeNotes], "APPROVED (00)"),
        (vec![Touch::Card], "WELCOME"),
    ] {
        for touch in touches {
            let todo = front.handle(FrontEvent::Touch(touch), line.now());
            line.deliver(todo, &mut front).await;
        }
        while front.counter.display.lines()[0] != headline {
            assert!(front.is_busy() || headline == "FEE", "{headline}");
            let wake = line.wait(Duration::from_secs(5)).await;
            line.react(wake, &mut front).await;
        }
    }
    assert_eq!(front.last().unwrap().fee, 15_00);
    assert_eq!(line.settle(Duration::from_secs(5)).await, 0);
}

#[tokio::test]
async fn a_web_shop_hears_a_decline_and_its_remark() {
    let to = host(|message| Some(answer(message, b"57", None))).await;
    let host = Host::connect(&to, quiet()).await.unwrap();
    let place = Place::web_shop("Schuhe im Netz", "Graz", *b"AT");
    let mut shop = ShopTerminal::new(host, place);
    let outcome = shop.buy(&ana(), 39_00, None).await;
    assert_eq!(outcome.response_code_text(), "57");
}

#[tokio::test(start_paused = true)]
async fn silence_is_reversed_and_repeated() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let to = host(move |message| {
        tell.send((mti(message), text(message, 90))).unwrap();
        None
    })
    .await;
    let mut till = PosTerminal::new(Host::connect(&to, quiet()).await.unwrap(), kranj());
    let outcome = till.purchase(&tender(Entry::Chip), 24_90).await;
    assert_eq!(outcome.ending, Ending::TimedOut);
    assert_eq!(till.host.settle(Duration::from_secs(40)).await, 1);
    let mut kinds = vec![];
    while kinds.len() < 3 {
        kinds.push(told.recv().await.unwrap().0);
    }
    assert_eq!(kinds, [200, 420, 421]);
}

#[tokio::test(start_paused = true)]
async fn settling_ends_when_the_reversal_is_answered() {
    let to = host(|message| (mti(message) == 421).then(|| answer(message, b"00", None))).await;
    let mut till = PosTerminal::new(Host::connect(&to, quiet()).await.unwrap(), kranj());
    till.purchase(&tender(Entry::Chip), 24_90).await;
    assert_eq!(till.host.settle(Duration::from_secs(600)).await, 0);
    assert!(till.host.take_notes().contains(&Note::Reversed(*b"00")));
}

#[tokio::test]
async fn a_refused_connection_names_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = listener.local_addr().unwrap().to_string();
    drop(listener);
    let error = Host::connect(&to, quiet()).await.unwrap_err();
    assert!(error.to_string().contains(&to), "{error}");
}

fn plan(to: &str) -> LoadPlan {
    LoadPlan {
        holders: vec![Holder { card: ana(), pin: None }],
        duration: Duration::from_millis(200),
        timeout: Duration::from_secs(5),
        ..LoadPlan::new(to, &CEKR87, Framing::Be2)
    }
}

#[tokio::test]
async fn an_open_loop_sends_what_was_planned_and_matches_every_answer() {
    let to = host(|message| Some(answer(message, b"00", None))).await;
    let report = load::run(LoadPlan {
        pace: Pace::PerSecond(1_000),
        connections: Connections(3),
        ..plan(&to)
    })
    .await
    .unwrap();
    assert_eq!(report.sent + report.unsent, 200, "{report}");
    assert_eq!(report.answered, report.sent, "{report}");
    assert_eq!((report.unmatched, report.damaged, report.connections_lost), (0, 0, 0));
    assert_eq!(report.by_response_code["00"], report.answered);
    assert!(report.corrected.max_ns >= report.raw.p50_ns);
}

#[tokio::test]
async fn a_closed_loop_keeps_its_depth_and_ends() {
    let to = host(|message| Some(answer(message, b"51", None))).await;
    let report = load::run(LoadPlan {
        pace: Pace::Max,
        connections: Connections(2),
        depth: 16,
        ..plan(&to)
    })
    .await
    .unwrap();
    assert!(report.answered > 32, "{report}");
    assert_eq!((report.answered, report.error_count()), (report.sent, 0), "{report}");
}

#[tokio::test]
async fn a_silent_host_ends_a_run_after_its_time_out() {
    let to = host(|_| None).await;
    let report = load::run(LoadPlan {
        pace: Pace::Max,
        depth: 4,
        duration: Duration::from_millis(20),
        timeout: Duration::from_millis(20),
        ..plan(&to)
    })
    .await
    .unwrap();
    assert_eq!((report.sent, report.unanswered, report.answered), (4, 4, 0));
}

#[tokio::test]
async fn a_plan_outside_its_bounds_is_refused_in_words() {
    for (plan, words) in [
        (LoadPlan { connections: Connections(0), ..plan("x") }, "connection"),
        (LoadPlan { depth: 0, ..plan("x") }, "depth"),
        (LoadPlan { pace: Pace::PerSecond(0), ..plan("x") }, "rate"),
        (LoadPlan { framing: Framing::None, ..plan("x") }, "framing"),
    ] {
        let error = load::run(plan).await.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}
