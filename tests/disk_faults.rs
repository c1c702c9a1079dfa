//! Every write and every sync fails once, or is the last: killed there, refused by the disk,
//! without room, or told done while nothing was written.
//!
//! The real binary under `strace -e inject`, one run for each call of a run of 200 messages, until
//! a run meets no fault any more. `CEKR_FAULT_STEP=1` takes every call, as `.ci/proof` does;
//! otherwise one in sixteen is taken, or one in
//! two of those that are few.

mod crash_support;

use std::fs;
use std::path::{Path, PathBuf};

use crash_support::book::Book;
use crash_support::load::{self, Counts, Plan};
use crash_support::message::Terminal;
use crash_support::tracer::{self, Call, Tracer};
use crash_support::{Ended, Scratch, Setup, copy, count, must, skipped};

const CARDS: usize = 4;

/// What a call meets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fault {
    /// The process ends on entering the call.
    Kill,
    /// The disk says no, with this error.
    Error(&'static str),
    /// The disk says that 64 octets are written, and writes none.
    Lie,
}

impl Fault {
    fn expression(self, call: &str, number: u32) -> String {
        match self {
            Fault::Kill => format!("{call}:signal=KILL:when={number}"),
            Fault::Error(error) => format!("{call}:error={error}:when={number}"),
            Fault::Lie => format!("{call}:retval=64:when={number}"),
        }
    }
}

/// Small segments, so that 200 messages fill several.
fn setup(scratch: &Path) -> Setup {
    Setup::new(scratch, CARDS).with("CEKR_JOURNAL_SEGMENT_OCTETS", "4096")
}

/// What came of all runs of a sweep.
#[derive(Debug, Default)]
struct Tally {
    runs: u32,
    killed: u32,
    stopped: u32,
    went_on: u32,
    refused: u32,
}

/// Runs 200 messages again and again; the Nth run has the fault at the Nth `call` of a thread.
fn sweep_serving(name: &str, call: &str, fault: Fault) {
    if let Some(why) = tracer::missing() {
        return skipped(&why);
    }
    let scratch = Scratch::new(name);
    let setup = setup(&scratch.0);
    let fresh = setup.over(&scratch.path("fresh"));
    assert_eq!(fresh.start().stop().code, Some(0));
    let mut tally = Tally::default();
    // Of the calls that are few, more are taken.
    let sparse = if matches!(call, "fsync" | "rename") { 2 } else { 16 };
    let step = count("CEKR_FAULT_STEP", sparse);
    let mut number = 1;
    loop {
        let _ = fs::remove_dir_all(&setup.data);
        copy(&fresh.data, &setup.data);
        match serve_once(&setup, call, fault, number, &mut tally) {
            Ok(true) => {}
            Ok(false) => break,
            Err(why) => return skipped(&why),
        }
        number += step;
    }
    println!("{call} {fault:?}: {tally:?}");
    assert!(tally.runs > 0, "there were such calls");
}

/// One run; tells whether it met its fault.
fn serve_once(
    setup: &Setup,
    call: &str,
    fault: Fault,
    number: u32,
    tally: &mut Tally,
) -> Result<bool, String> {
    let what = format!("{call} {number} {fault:?}");
    let mut switch = setup.start();
    let expression = fault.expression(call, number);
    let tracer = Tracer::attach(&switch, "pwrite64,fdatasync,fsync,rename", &expression)?;
    let plan = Plan { connections: 2, depth_max: 8, messages: 100, cards: 0..CARDS as u64 };
    let (counts, _) = Counts::new(1, 0);
    let mut book = Book::default();
    book.note(load::run(switch.iso, &plan, u64::from(number), &counts));
    let ended = match switch.ended() {
        Some(ended) => ended,
        None => switch.stop(),
    };
    let calls = tracer.finish();
    let is_met = ended.code.is_none() || calls.iter().any(Call::is_injected);
    tally.runs += u32::from(is_met);
    match fault {
        Fault::Kill if is_met => {
            tally.killed += 1;
            assert_eq!(ended.code, None, "{what}: {ended:?}");
        }
        Fault::Kill | Fault::Lie => assert_eq!(ended.code, Some(0), "{what}: {ended:?}"),
        Fault::Error(_) => check_stop(&calls, &ended, &what, tally),
    }
    check_after(setup, &mut book, fault, &what, tally);
    Ok(is_met)
}

/// A failed write or sync of the journal is the end: nothing is tried again, and the process says
/// so. Whatever else failed is no reason to stop. Each thread meets its own Nth call, so that one
/// run may have faults of both kinds.
fn check_stop(calls: &[Call], ended: &Ended, what: &str, tally: &mut Tally) {
    let Some(at) = calls.iter().position(|call| call.is_injected() && is_final(call)) else {
        tally.went_on += u32::from(calls.iter().any(Call::is_injected));
        return assert_eq!(ended.code, Some(0), "{what}: {ended:?}");
    };
    tally.stopped += 1;
    assert_eq!(ended.code, Some(1), "{what}: {} {ended:?}", calls[at].text);
    assert!(ended.stderr.contains("journal"), "{what}: {ended:?}");
    let retried = calls[at + 1..].iter().find(|call| {
        let is_write = matches!(call.name(), "pwrite64" | "fdatasync");
        is_write && call.is_below("journal")
    });
    assert!(retried.is_none(), "{what}: the journal went on with {retried:?}");
}

/// The next segment and a checkpoint may fail to be made; what has its name already may not.
fn is_final(call: &Call) -> bool {
    let is_made_ahead = call.is_below("checkpoint")
        || call.is_below("spare") && call.name() != "fsync"
        || call.text.contains("/data>")
        || call.name() == "rename";
    !is_made_ahead
}

/// No acknowledged answer is lost, and the switch starts again. A disk that lied may be refused
/// instead, in clear words and with nothing changed.
fn check_after(setup: &Setup, book: &mut Book, fault: Fault, what: &str, tally: &mut Tally) {
    if fault == Fault::Lie
        && let Err(ended) = setup.try_dump()
    {
        tally.refused += 1;
        assert_refused(setup, what);
        assert!(ended.stderr.contains(".seg"), "{what}: {ended:?}");
        return;
    }
    let dump = setup.dump();
    let standings = book.check(&dump).unwrap_or_else(|fault| panic!("{what}: {fault}"));
    book.must_hold(&dump);
    let switch = setup.start();
    for card in switch.cards() {
        let standing = &standings[card["name"].as_str().unwrap()];
        assert_eq!(card["balance"], standing.balance, "{what}: {card}");
        assert_eq!(card["available"], standing.available, "{what}: {card}");
    }
    let mut line = Terminal::connect(switch.iso).unwrap();
    let sent: Vec<_> = book.all().map(|(ask, _)| ask.clone()).take(40).collect();
    let again = sent.into_iter().map(|ask| {
        let reply = line.ask(&ask);
        (ask, reply)
    });
    let again = again.collect();
    book.note(again);
    drop(line);
    assert_eq!(switch.stop().code, Some(0), "{what}");
    book.must_hold(&setup.dump());
}

/// A start is refused with exit code 3, and leaves every file as it was.
fn assert_refused(setup: &Setup, what: &str) -> Ended {
    let before = setup.files();
    let ended = match setup.try_start(&[]) {
        Err(ended) => ended,
        Ok(_) => panic!("{what}: it starts"),
    };
    assert_eq!(ended.code, Some(3), "{what}: {ended:?}");
    let after = setup.files();
    let paths =
        |files: &[(PathBuf, _)]| files.iter().map(|file| file.0.clone()).collect::<Vec<_>>();
    assert_eq!(paths(&before), paths(&after), "{what}: files came or went");
    assert!(before == after, "{what}: a file was changed");
    ended
}

macro_rules! sweeps {
    ($($name:ident: $call:literal $fault:expr;)*) => {$(
        #[test]
        fn $name() {
            sweep_serving(stringify!($name), $call, $fault);
        }
    )*};
}

sweeps! {
    a_kill_at_any_write_loses_nothing: "pwrite64" Fault::Kill;
    a_kill_at_any_sync_loses_nothing: "fdatasync" Fault::Kill;
    a_kill_at_any_sync_of_a_folder_loses_nothing: "fsync" Fault::Kill;
    a_kill_at_any_rename_loses_nothing: "rename" Fault::Kill;
    a_write_that_fails_ends_the_switch: "pwrite64" Fault::Error("EIO");
    a_write_without_room_ends_the_switch: "pwrite64" Fault::Error("ENOSPC");
    a_sync_that_fails_ends_the_switch: "fdatasync" Fault::Error("EIO");
    a_sync_without_room_ends_the_switch: "fdatasync" Fault::Error("ENOSPC");
    a_folder_whose_sync_fails_ends_the_switch: "fsync" Fault::Error("EIO");
    a_rename_that_fails_is_tried_again: "rename" Fault::Error("EIO");
    a_write_that_was_told_and_not_made_is_found: "pwrite64" Fault::Lie;
}

/// Starts again and again; the Nth start has the fault at its Nth call of this name.
fn sweep_starting(name: &str, make: fn(&Setup)) {
    if let Some(why) = tracer::missing() {
        return skipped(&why);
    }
    let scratch = Scratch::new(name);
    let setup = setup(&scratch.0);
    let fresh = setup.over(&scratch.path("fresh"));
    make(&fresh);
    let step = count("CEKR_FAULT_STEP", 16).min(4);
    for call in ["pwrite64", "fdatasync", "fsync", "rename", "mkdir", "ftruncate", "unlink"] {
        for fault in [Fault::Kill, Fault::Error("EIO"), Fault::Error("ENOSPC")] {
            let mut met = 0;
            let mut number = 1;
            while start_once(&setup, &fresh, call, fault, number) {
                met += 1;
                number += step;
            }
            println!("{call} {fault:?}: {met} starts met it");
        }
    }
}

fn start_once(setup: &Setup, fresh: &Setup, call: &str, fault: Fault, number: u32) -> bool {
    let what = format!("{call} {number} {fault:?}");
    let _ = fs::remove_dir_all(&setup.data);
    if fresh.data.exists() {
        copy(&fresh.data, &setup.data);
    }
    let inject = format!("inject={}", fault.expression(call, number));
    let record = setup.log.with_extension("trace");
    let calls = format!("trace={call}");
    let wrapper =
        ["strace", "-f", "-y", "-o", record.to_str().unwrap(), "-e", &calls, "-e", &inject];
    let started = setup.try_start(&wrapper);
    let is_ready = started.is_ok();
    let ended = match started {
        // strace passes the wish to stop on by ending, and lets go: the switch is told itself.
        Ok(switch) => {
            must("sh", &["-c", &format!("kill -TERM {}", owner(setup))]);
            let mut switch = switch;
            switch.wait()
        }
        Err(ended) => ended,
    };
    let calls = tracer::calls(&record);
    let injected = calls.iter().find(|call| call.is_injected());
    let is_killed = calls.iter().any(|call| call.text.contains("killed by SIGKILL"));
    match fault {
        Fault::Kill => {}
        Fault::Error(_) | Fault::Lie => {
            let code = if injected.is_none() || is_ready { [0, 1] } else { [3, 3] };
            assert!(ended.code.is_some_and(|ended| code.contains(&ended)), "{what}: {ended:?}");
            if !is_ready {
                assert!(ended.stderr.contains("error: "), "{what}: {ended:?}");
            }
        }
    }
    let after = setup.start();
    assert_eq!(after.cards().len(), CARDS, "{what}");
    assert_eq!(after.stop().code, Some(0), "{what}");
    let mut book = Book::default();
    let standings = book.must_hold(&setup.dump());
    assert_eq!(standings.len(), CARDS, "{what}");
    is_killed || injected.is_some()
}

/// The process that holds the directory.
fn owner(setup: &Setup) -> String {
    let text = fs::read_to_string(setup.data.join("lock")).unwrap();
    text.chars().filter(char::is_ascii_digit).collect()
}

#[test]
fn a_first_start_that_breaks_off_anywhere_can_be_made_again() {
    sweep_starting("first-start", |_| {});
}

#[test]
fn a_recovery_that_breaks_off_anywhere_can_be_made_again() {
    sweep_starting("recovery", |setup| {
        setup.start().kill();
        // The tail of a batch that was being written when the power went.
        let newest = newest_segment(setup);
        let mut octets = fs::read(&newest).unwrap();
        let end = octets.iter().rposition(|octet| *octet != 0).unwrap() + 1;
        let end = end.next_multiple_of(64);
        octets[end..end + 40].fill(0xA5);
        fs::write(&newest, octets).unwrap();
    });
}

fn newest_segment(setup: &Setup) -> PathBuf {
    let folder = fs::read_dir(setup.data.join("journal")).unwrap();
    let mut files: Vec<PathBuf> = folder.map(|item| item.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
    files.sort();
    files.pop().unwrap()
}
