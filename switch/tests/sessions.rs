//! Connections of terminals, octets in and octets out, through real sockets on free ports.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may")]

mod common;

use std::io::Write as _;
use std::net::TcpStream;

use cekr_iso8583::{CEKR87, Framing, ISO87ASCII, ISO87BINARY};
use cekr_switch::server::StartError;
use cekr_switch::session::CloseReason;
use common::{ANA, BOR, Scratch, Terminal, bind, echo, frame, purchase, start};

/// Ends the switch and tells how many connections ended for this reason.
fn closed(running: cekr_switch::server::Running, reason: CloseReason) -> u64 {
    let metrics = running.metrics().clone();
    running.shutdown().unwrap();
    metrics.lanes().map(|lane| lane.closed(reason)).sum()
}

#[test]
fn a_request_is_answered() {
    let running = start("");
    let mut terminal = Terminal::connect(&running);
    assert_eq!(terminal.echo(1).mti, "0810");
    terminal.send(&frame(Framing::Be2, &purchase(ANA, 2, 24_90)));
    let answer = terminal.answer().unwrap();
    assert_eq!((answer.mti.as_str(), answer.stan, answer.code.as_str()), ("0210", 2, "00"));
    drop(terminal);
    assert_eq!(closed(running, CloseReason::PeerClosed), 1);
}

#[test]
fn a_frame_may_be_split_at_every_octet() {
    let running = start("");
    let mut terminal = Terminal::connect(&running);
    let mut other = Terminal::connect(&running);
    let length = frame(Framing::Be2, &purchase(ANA, 1, 1)).len();
    for split in 1..length {
        let stan = u32::try_from(split).unwrap();
        let request = frame(Framing::Be2, &purchase(ANA, stan, 1));
        terminal.send(&request[..split]);
        // The lane has read the first part when it has answered somebody else.
        other.echo(stan);
        terminal.send(&request[split..]);
        assert_eq!(terminal.answer().unwrap().stan, stan);
    }
}

#[test]
fn many_frames_in_one_segment_are_all_answered_in_order() {
    let running = start("");
    let mut terminal = Terminal::connect(&running);
    let mut segment = Vec::new();
    for stan in 1..=2_000 {
        segment.extend(frame(Framing::Be2, &echo(&CEKR87, stan)));
    }
    // Three octets of a frame to come: they wait for the rest.
    let last = frame(Framing::Be2, &purchase(BOR, 2_001, 5));
    segment.extend(&last[..3]);
    terminal.send(&segment);
    for stan in 1..=2_000 {
        assert_eq!(terminal.answer().unwrap().stan, stan);
    }
    terminal.send(&last[3..]);
    assert_eq!(terminal.answer().unwrap().code, "00");
}

#[test]
fn a_frame_of_length_zero_is_a_keep_alive_and_no_more() {
    let running = start("");
    let mut terminal = Terminal::connect(&running);
    terminal.send(&[0, 0, 0, 0]);
    let mut segment = vec![0, 0];
    segment.extend(frame(Framing::Be2, &echo(&CEKR87, 7)));
    segment.extend([0, 0]);
    terminal.send(&segment);
    assert_eq!(terminal.answer().unwrap().stan, 7);
    assert_eq!(terminal.echo(8).stan, 8);
}

#[test]
fn an_oversize_frame_closes_after_the_requests_before_it_are_answered() {
    let running = start("[switch]\nframe_octets_max = 512\n");
    let mut terminal = Terminal::connect(&running);
    let mut segment = frame(Framing::Be2, &echo(&CEKR87, 1));
    segment.extend([0x02, 0x01]); // 513 octets announced
    terminal.send(&segment);
    assert_eq!(terminal.answer().unwrap().stan, 1);
    assert_eq!(terminal.answer(), None);
    drop(terminal);
    assert_eq!(closed(running, CloseReason::Oversize), 1);
}

#[test]
fn a_length_that_is_none_closes() {
    let running = start(
        "[[listener]]\nframing = \"ascii4\"\naddr = \"127.0.0.1:0\"\n[http]\naddr = \"127.0.0.1:0\"\n",
    );
    let mut terminal = Terminal::speaking(&running, 0, &CEKR87, Framing::Ascii4);
    assert_eq!(terminal.echo(1).stan, 1);
    terminal.send(b"00x1");
    assert_eq!(terminal.answer(), None);
    drop(terminal);
    assert_eq!(closed(running, CloseReason::BadFrame), 1);
}

#[test]
fn every_listener_speaks_its_own_dialect() {
    let running = start(
        "[[listener]]\naddr = \"127.0.0.1:0\"\n\
         [[listener]]\naddr = \"127.0.0.1:0\"\nspec = \"iso87ascii\"\nframing = \"ascii4\"\n\
         [[listener]]\naddr = \"127.0.0.1:0\"\nspec = \"iso87binary\"\nframing = \"nac\"\n\
         [http]\naddr = \"127.0.0.1:0\"\n",
    );
    let dialects =
        [(&CEKR87, Framing::Be2), (&ISO87ASCII, Framing::Ascii4), (&ISO87BINARY, Framing::Nac)];
    for (listener, (spec, framing)) in dialects.into_iter().enumerate() {
        let mut terminal = Terminal::speaking(&running, listener, spec, framing);
        assert_eq!(terminal.echo(42).stan, 42, "{}", spec.name());
    }
}

#[test]
fn a_frame_that_does_not_become_whole_in_time_closes() {
    let running = start(
        "[[listener]]\naddr = \"127.0.0.1:0\"\nframe_timeout_ms = 30\n[http]\naddr = \"127.0.0.1:0\"\n",
    );
    let mut terminal = Terminal::connect(&running);
    assert_eq!(terminal.echo(1).stan, 1);
    terminal.send(&[0]);
    assert_eq!(terminal.answer(), None);
    drop(terminal);
    assert_eq!(closed(running, CloseReason::FrameTimeout), 1);
}

#[test]
fn a_silent_connection_closes_and_an_echo_of_ours_comes_before() {
    let running = start(
        "[[listener]]\naddr = \"127.0.0.1:0\"\nidle_timeout_s = 2\necho_idle_s = 1\n\
         [http]\naddr = \"127.0.0.1:0\"\n",
    );
    let mut terminal = Terminal::connect(&running);
    let ours = terminal.answer().unwrap();
    assert_eq!((ours.mti.as_str(), ours.stan), ("0800", 1));
    assert_eq!(terminal.answer(), None);
    drop(terminal);
    assert_eq!(closed(running, CloseReason::Idle), 1);
}

#[test]
fn an_unreadable_message_is_answered_30_and_the_connection_lives() {
    let running = start("");
    let mut terminal = Terminal::connect(&running);
    let mut damaged = purchase(ANA, 5, 1);
    damaged.push(b'x');
    terminal.send(&frame(Framing::Be2, &damaged));
    let answer = terminal.answer().unwrap();
    assert_eq!((answer.stan, answer.code.as_str()), (5, "30"));
    terminal.send(&frame(Framing::Be2, b"no message at all"));
    assert_eq!(terminal.echo(6).stan, 6);
}

#[test]
fn connections_beyond_the_bound_are_refused_and_a_place_comes_free() {
    let running = start("[switch]\nconnections_max = 2\n");
    let mut first = Terminal::connect(&running);
    let mut second = Terminal::connect(&running);
    assert_eq!((first.echo(1).stan, second.echo(2).stan), (1, 2));
    assert_eq!(Terminal::connect(&running).answer(), None);
    assert_eq!(running.metrics().edge().connections_refused.read(), 1);
    drop(first);
    // The place is free once the lane has seen the end: connect until it is.
    let taken = std::iter::repeat_with(|| {
        let mut third = Terminal::connect(&running);
        let request = frame(Framing::Be2, &echo(&CEKR87, 3));
        third.socket.write_all(&request).ok().and_then(|()| third.answer())
    })
    .take(10_000)
    .flatten()
    .next();
    assert_eq!(taken.unwrap().stan, 3);
}

#[test]
fn more_requests_than_may_be_in_flight_are_all_answered() {
    let scratch = Scratch::new("in-flight");
    let running = start(&format!("{}[switch]\nin_flight_max = 2\n", scratch.settings()));
    let mut terminal = Terminal::connect(&running);
    for stan in 1..=300 {
        terminal.send(&frame(Framing::Be2, &purchase(ANA, stan, 1)));
    }
    let mut stans: Vec<u32> = (0..300).map(|_| terminal.answer().unwrap().stan).collect();
    stans.sort_unstable();
    assert_eq!(stans, (1..=300).collect::<Vec<_>>());
    let (metrics, journal) = (running.metrics().clone(), running.journal().clone());
    assert_eq!(metrics.sum(|lane| &lane.in_flight), 0);
    assert_eq!(journal.durable(), journal.appended());
}

#[test]
fn an_ordered_listener_answers_in_the_order_of_the_requests() {
    let scratch = Scratch::new("ordered");
    let listener = "[[listener]]\naddr = \"127.0.0.1:0\"\nordered = true\n";
    let http = "[http]\naddr = \"127.0.0.1:0\"\n";
    let running = start(&format!("{}{listener}{http}", scratch.settings()));
    let mut terminal = Terminal::connect(&running);
    let mut segment = Vec::new();
    for stan in (1..=200).step_by(2) {
        // The purchase waits for the disk, the echo for nothing but its turn.
        segment.extend(frame(Framing::Be2, &purchase(ANA, stan, 1)));
        segment.extend(frame(Framing::Be2, &echo(&CEKR87, stan + 1)));
    }
    terminal.send(&segment);
    for stan in 1..=200 {
        assert_eq!(terminal.answer().unwrap().stan, stan);
    }
}

#[test]
fn a_terminal_that_does_not_read_its_answers_is_closed() {
    let running = start("[switch]\nwrite_timeout_ms = 50\n");
    let mut terminal = Terminal::connect(&running);
    let mut segment = Vec::new();
    for stan in 1..=1_000 {
        segment.extend(frame(Framing::Be2, &echo(&CEKR87, stan)));
    }
    // Socket buffers take some megabytes of answers; then the switch reads no more, and closes.
    let ended = (0..100_000).any(|_| terminal.socket.write_all(&segment).is_err());
    assert!(ended);
    drop(terminal);
    assert_eq!(closed(running, CloseReason::SlowReader), 1);
}

#[test]
fn a_stop_answers_what_it_has_received() {
    let scratch = Scratch::new("drain");
    let running = start(&scratch.settings());
    let mut terminal = Terminal::connect(&running);
    terminal.echo(1_000);
    for stan in 1..=200 {
        terminal.send(&frame(Framing::Be2, &purchase(ANA, stan, 1)));
    }
    let (journal, metrics) = (running.journal().clone(), running.metrics().clone());
    let stopping = std::thread::spawn(move || running.shutdown());
    let mut stans: Vec<u32> =
        std::iter::from_fn(|| terminal.answer()).map(|answer| answer.stan).collect();
    stans.sort_unstable();
    assert_eq!(stans, (1..=200).collect::<Vec<_>>());
    drop(terminal);
    stopping.join().unwrap().unwrap();
    assert_eq!(journal.durable(), journal.appended());
    assert_eq!(metrics.lanes().map(|lane| lane.closed(CloseReason::Drained)).sum::<u64>(), 1);
}

#[test]
fn what_was_answered_is_there_after_a_restart() {
    let scratch = Scratch::new("restart");
    let running = start(&scratch.settings());
    let mut terminal = Terminal::connect(&running);
    terminal.send(&frame(Framing::Be2, &purchase(ANA, 1, 24_90)));
    assert_eq!(terminal.answer().unwrap().code, "00");
    drop(terminal);
    running.shutdown().unwrap();

    let config = cekr_switch::config::Config::parse(
        &format!(
            "{}[[listener]]\naddr = \"127.0.0.1:0\"\n[http]\naddr = \"127.0.0.1:0\"\n",
            scratch.settings()
        ),
        "test",
    )
    .unwrap();
    let options = cekr_switch::server::Options {
        start_key: cekr_switch::keyring::StartKey::development(),
        clock: cekr_switch::clock::Clock::system().unwrap(),
        signals: cekr_switch::server::Signals::Leave,
        clock_behind: cekr_switch::server::ClockBehind::Refuse,
    };
    let server = cekr_switch::server::Server::bind(config, options).unwrap();
    let id = server.control().find("ana").unwrap();
    assert_eq!(server.control().card(id).unwrap().0.available, 100_000 - 24_90);
    assert_eq!(server.recovered().unwrap().entries, 5);
}

#[test]
fn a_peer_that_closes_its_half_still_gets_its_answers() {
    let scratch = Scratch::new("half-closed");
    let running = start(&scratch.settings());
    let mut terminal = Terminal::connect(&running);
    for stan in 1..=50 {
        terminal.send(&frame(Framing::Be2, &purchase(ANA, stan, 1)));
    }
    terminal.socket.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(std::iter::from_fn(|| terminal.answer()).count(), 50);
}

#[test]
fn a_port_in_use_is_named_with_the_option_that_changes_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let refused = bind(&format!("[[listener]]\naddr = \"{addr}\"\n")).err().unwrap();
    assert!(matches!(refused, StartError::Bind { .. }));
    let message = refused.to_string();
    assert!(message.contains(&addr.to_string()) && message.contains("--listen"), "{message}");
    let settings = format!("[[listener]]\naddr = \"127.0.0.1:0\"\n[http]\naddr = \"{addr}\"\n");
    let message = bind(&settings).err().unwrap().to_string();
    assert!(message.contains(&addr.to_string()) && message.contains("--http"), "{message}");
}

#[test]
fn a_thousand_connections_are_served_at_once() {
    let running = start("");
    let mut terminals: Vec<Terminal> = (0..1_100).map(|_| Terminal::connect(&running)).collect();
    for (terminal, stan) in terminals.iter_mut().zip(1..) {
        terminal.send(&frame(Framing::Be2, &echo(&CEKR87, stan)));
    }
    for (terminal, stan) in terminals.iter_mut().zip(1..) {
        assert_eq!(terminal.answer().unwrap().stan, stan);
    }
    assert_eq!(running.metrics().sum(|lane| &lane.connections), 1_100);
}

#[test]
fn a_connection_that_breaks_harms_no_other() {
    let running = start("");
    let mut terminal = Terminal::connect(&running);
    for _ in 0..50 {
        let socket = TcpStream::connect(running.iso_addrs[0]).unwrap();
        (&socket).write_all(&frame(Framing::Be2, &echo(&CEKR87, 1))).unwrap();
        drop(socket);
        assert_eq!(terminal.echo(2).stan, 2);
    }
}

#[test]
fn a_terminal_that_guesses_at_numbers_is_refused_what_it_could_have_had() {
    let running = start("[abuse]\nterminal_failures = 3\n");
    let mut terminal = Terminal::connect(&running);
    let mut code = |pan: &str, stan: u32| {
        let request = terminal.frame(&purchase(pan, stan, 100));
        terminal.send(&request);
        terminal.answer().unwrap().code
    };
    assert_eq!(code(ANA, 1), "00");
    for (stan, guess) in [(2, "4761730000000037"), (3, "4761730000000045"), (4, "4761730000000052")]
    {
        assert_eq!(code(guess, stan), "14");
    }
    assert_eq!(code(ANA, 5), "59");
    assert_eq!(code(BOR, 6), "59");
    // What is found before the row of suspicion keeps its own code.
    assert_eq!(code("4761730000000060", 7), "14");
    // A repeat gets the answer that was given.
    assert_eq!(code(ANA, 1), "00");
}
