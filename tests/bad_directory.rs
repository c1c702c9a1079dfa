//! A data directory that is damaged, foreign, full or not to be written: the start is refused with
//! exit code 3 and words that name the file, and not an octet is changed.

mod crash_support;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crash_support::book::Book;
use crash_support::load::{self, Counts, Plan};
use crash_support::mount::{self, Mount};
use crash_support::{Ended, Scratch, Setup, copy, skipped};

const CARDS: usize = 4;

/// A directory with some segments, stopped cleanly.
fn used(scratch: &Scratch, name: &str) -> Setup {
    let setup = Setup::new(&scratch.0, CARDS).with("CEKR_JOURNAL_SEGMENT_OCTETS", "4096");
    let setup = setup.over(&scratch.path(name));
    let switch = setup.start();
    let plan = Plan { connections: 1, depth_max: 8, messages: 60, cards: 0..CARDS as u64 };
    let (counts, _) = Counts::new(1, 0);
    load::run(switch.iso, &plan, 1, &counts);
    assert_eq!(switch.stop().code, Some(0));
    assert!(setup.data.join("journal/00000003.seg").exists(), "there are several segments");
    setup
}

/// A start is refused, says why, and changes nothing.
fn refused(setup: &Setup, what: &str) -> Ended {
    let before = setup.files();
    let Err(ended) = setup.try_start(&[]) else { panic!("{what}: it starts") };
    assert_eq!(ended.code, Some(3), "{what}: {ended:?}");
    let after = setup.files();
    let paths =
        |files: &[(PathBuf, _)]| files.iter().map(|file| file.0.clone()).collect::<Vec<_>>();
    assert_eq!(paths(&before), paths(&after), "{what}: files came or went");
    assert!(before == after, "{what}: a file was changed");
    assert!(ended.stderr.contains("error: "), "{what}: {ended:?}");
    ended
}

/// What is done to a directory; the second one is another switch's.
type Spoil = fn(&Setup, &Setup);

/// What is wrong, how it is made so, and a word that the refusal must have.
const SPOILED: [(&str, Spoil, &str); 19] = [
    (
        "a file that is no segment",
        |setup, _| fs::write(setup.data.join("journal/notes.txt"), "hello").unwrap(),
        "notes.txt",
    ),
    (
        "a folder among the segments",
        |setup, _| fs::create_dir(setup.data.join("journal/00000099.seg")).unwrap(),
        "journal",
    ),
    (
        "another switch's segment at the end",
        |setup, other| {
            let next = format!("journal/{:08}.seg", segments(setup).len() + 1);
            let first = other.data.join("journal/00000001.seg");
            fs::copy(first, setup.data.join(next)).unwrap();
        },
        ".seg",
    ),
    (
        "another switch's segment in the middle",
        |setup, other| {
            let name = "journal/00000002.seg";
            fs::copy(other.data.join(name), setup.data.join(name)).unwrap();
        },
        "00000002.seg",
    ),
    (
        "another switch's keys",
        |setup, other| {
            fs::copy(other.data.join("meta"), setup.data.join("meta")).unwrap();
        },
        ".seg",
    ),
    ("keys that were cut short", |setup, _| shorten(setup, "meta", 50), "meta"),
    ("keys that are empty", |setup, _| shorten(setup, "meta", 0), "meta"),
    ("keys with a flipped bit", |setup, _| flip(setup, "meta", 60), "meta"),
    ("keys that are gone", |setup, _| fs::remove_file(setup.data.join("meta")).unwrap(), "journal"),
    (
        "a folder in the place of the keys",
        |setup, _| {
            fs::remove_file(setup.data.join("meta")).unwrap();
            fs::create_dir(setup.data.join("meta")).unwrap();
        },
        "meta",
    ),
    (
        "a journal that is gone",
        |setup, _| fs::remove_dir_all(setup.data.join("journal")).unwrap(),
        "journal",
    ),
    (
        "a file in the place of the journal",
        |setup, _| {
            fs::remove_dir_all(setup.data.join("journal")).unwrap();
            fs::write(setup.data.join("journal"), "hello").unwrap();
        },
        "journal",
    ),
    (
        "a folder in the place of the lock",
        |setup, _| {
            fs::remove_file(setup.data.join("lock")).unwrap();
            fs::create_dir(setup.data.join("lock")).unwrap();
        },
        "lock",
    ),
    ("a flipped bit in the first segment", |setup, _| flip(setup, FIRST, 700), "00000001.seg"),
    ("a segment that was cut short", |setup, _| shorten(setup, FIRST, 1_000), "00000001.seg"),
    ("a segment that is empty", |setup, _| shorten(setup, FIRST, 0), "00000001.seg"),
    (
        "a segment that is gone",
        |setup, _| fs::remove_file(setup.data.join("journal/00000002.seg")).unwrap(),
        "journal",
    ),
    (
        "two segments in each other's place",
        |setup, _| {
            let path = |name: &str| setup.data.join("journal").join(name);
            fs::rename(path("00000001.seg"), path("kept")).unwrap();
            fs::rename(path("00000002.seg"), path("00000001.seg")).unwrap();
            fs::rename(path("kept"), path("00000002.seg")).unwrap();
        },
        "00000001.seg",
    ),
    (
        "an old segment in the place of the newest",
        |setup, _| {
            let newest = segments(setup).pop().unwrap();
            fs::copy(setup.data.join(FIRST), newest).unwrap();
        },
        ".seg",
    ),
];

const FIRST: &str = "journal/00000001.seg";

fn segments(setup: &Setup) -> Vec<PathBuf> {
    let folder = fs::read_dir(setup.data.join("journal")).unwrap();
    let mut files: Vec<PathBuf> = folder.map(|item| item.unwrap().path()).collect();
    files.sort();
    files
}

fn shorten(setup: &Setup, name: &str, len: u64) {
    let file = fs::OpenOptions::new().write(true).open(setup.data.join(name)).unwrap();
    file.set_len(len).unwrap();
}

fn flip(setup: &Setup, name: &str, at: usize) {
    let path = setup.data.join(name);
    let mut octets = fs::read(&path).unwrap();
    octets[at] ^= 1;
    fs::write(path, octets).unwrap();
}

#[test]
fn what_is_damaged_or_foreign_is_refused_by_name_and_left_as_it_is() {
    let scratch = Scratch::new("spoiled");
    let whole = used(&scratch, "whole");
    let other = used(&scratch, "other");
    for (what, spoil, word) in SPOILED {
        let setup = whole.over(&scratch.path("data"));
        let _ = fs::remove_dir_all(&setup.data);
        copy(&whole.data, &setup.data);
        spoil(&setup, &other);
        let ended = refused(&setup, what);
        let told = ended.stderr.split("error: ").last().unwrap();
        assert!(told.contains(word), "{what}: {told}");
        println!("{what}: {}", told.lines().next().unwrap_or_default());
    }
    assert_eq!(whole.start().stop().code, Some(0));
}

#[test]
fn any_octet_of_a_stopped_journal_may_rot_and_none_in_silence() {
    // Every bit and every length are tried in the journal's own tests; here some reach the words
    // that people see, and the books.
    let scratch = Scratch::new("rot");
    let whole = used(&scratch, "whole");
    let entries = whole.dump();
    let path = segments(&whole)[1].clone();
    let octets = fs::read(&path).unwrap();
    // Behind the batch that closes a segment there are zeros that nobody reads.
    let end = octets.iter().rposition(|octet| *octet != 0).unwrap() + 1;
    for at in (0..end).step_by(97) {
        let mut changed = octets.clone();
        changed[at] ^= 1 << (at % 8);
        fs::write(&path, &changed).unwrap();
        let ended = refused(&whole, "a flipped bit");
        assert!(ended.stderr.contains("00000002.seg"), "octet {at}: {ended:?}");
    }
    fs::write(&path, &octets).unwrap();
    assert_eq!(whole.dump(), entries);
}

#[test]
fn a_torn_end_is_cut_off_and_told_with_its_place() {
    let scratch = Scratch::new("torn");
    let setup = used(&scratch, "whole");
    let entries = setup.dump();
    let newest = segments(&setup).pop().unwrap();
    let mut octets = fs::read(&newest).unwrap();
    let end = octets.iter().rposition(|octet| *octet != 0).unwrap() + 1;
    let end = end.next_multiple_of(64);
    octets[end..end + 40].fill(0xA5);
    fs::write(&newest, &octets).unwrap();
    let switch = setup.start();
    let said = setup.said();
    let told = said.lines().find(|line| line.contains("cut off")).expect("it is told");
    let file = newest.file_name().unwrap().to_str().unwrap();
    for word in [file, &format!("\"offset\":{end}"), "\"octets\":40"] {
        assert!(told.contains(word), "{word}: {told}");
    }
    assert_eq!(switch.stop().code, Some(0));
    assert_eq!(setup.dump(), entries, "no entry was in it");
}

#[test]
fn a_directory_in_use_is_refused_and_its_owner_goes_on() {
    let scratch = Scratch::new("taken");
    // Without checkpoints, so that the owner changes no file while the other one tries.
    let setup = used(&scratch, "whole").with("CEKR_JOURNAL_CHECKPOINT_ENTRIES", "0");
    let switch = setup.start();
    let second = Setup { log: scratch.path("second"), ..setup.clone() };
    let ended = refused(&second, "a second switch");
    assert!(ended.stderr.contains(&switch.pid().to_string()), "it names the owner: {ended:?}");
    assert_eq!(switch.cards().len(), CARDS);
    assert_eq!(switch.stop().code, Some(0));
}

#[test]
fn a_wrong_start_key_is_refused_before_anything_is_written() {
    let scratch = Scratch::new("start-key");
    let setup = used(&scratch, "whole");
    let ended = refused(&setup.clone().with("CEKR_START_KEY", &"5A".repeat(32)), "another key");
    assert!(ended.stderr.contains("the start key (CEKR_START_KEY) is not the one"), "{ended:?}");
    assert_eq!(setup.start().stop().code, Some(0));
}

#[test]
fn a_file_in_the_place_of_the_directory_is_refused() {
    let scratch = Scratch::new("file-for-directory");
    let setup = Setup::new(&scratch.0, CARDS);
    fs::write(&setup.data, "hello").unwrap();
    let Err(ended) = setup.try_start(&[]) else { panic!("it starts") };
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert_eq!(fs::read(&setup.data).unwrap(), b"hello");
}

#[test]
fn a_read_only_directory_is_refused_and_can_still_be_read() {
    if let Some(why) = mount::missing(&["mount"]) {
        return skipped(&why);
    }
    let scratch = Scratch::new("read-only");
    let whole = used(&scratch, "whole");
    let folder = scratch.path("mounted");
    let mounted = match Mount::new(&["-t", "tmpfs", "none"], &folder) {
        Ok(mounted) => mounted,
        Err(why) => return skipped(&why),
    };
    let setup = whole.over(&folder.join("data"));
    copy(&whole.data, &setup.data);
    crash_support::must("mount", &["-o", "remount,ro", folder.to_str().unwrap()]);
    let ended = refused(&setup, "a read-only directory");
    assert!(ended.stderr.contains("ead-only"), "{ended:?}");
    assert_eq!(setup.dump(), whole.dump(), "what it holds can be read");
    drop(mounted);
}

#[test]
fn a_full_disk_at_the_first_start_is_refused_and_serves_once_there_is_room() {
    if let Some(why) = mount::missing(&["mount"]) {
        return skipped(&why);
    }
    let scratch = Scratch::new("full-first");
    let folder = scratch.path("mounted");
    let _mounted = match Mount::new(&["-t", "tmpfs", "-o", "size=64k", "none"], &folder) {
        Ok(mounted) => mounted,
        Err(why) => return skipped(&why),
    };
    // From no room at all to just enough: each page less must be refused, and harm nothing.
    let setup = Setup::new(&scratch.0, CARDS).with("CEKR_JOURNAL_SEGMENT_OCTETS", "4096");
    let setup = setup.over(&folder.join("data"));
    let mut refusals = 0;
    for pages in (1..16).rev() {
        fs::write(folder.join("ballast"), vec![0x5A; pages * 4096]).unwrap();
        match setup.try_start(&[]) {
            Ok(switch) => {
                let cards = switch.cards().len();
                assert_eq!(cards, CARDS, "{pages} pages are taken");
                assert_eq!(switch.stop().code, Some(0));
            }
            Err(ended) => {
                refusals += 1;
                assert!(matches!(ended.code, Some(1 | 3)), "{ended:?}");
                assert!(ended.stderr.contains("error: "), "{ended:?}");
            }
        }
    }
    fs::remove_file(folder.join("ballast")).unwrap();
    let switch = setup.start();
    assert_eq!(switch.cards().len(), CARDS);
    assert_eq!(switch.stop().code, Some(0));
    assert!(refusals > 0, "there was too little room at first");
}

#[test]
fn a_disk_that_fills_up_under_load_loses_nothing_and_recovers() {
    if let Some(why) = mount::missing(&["mount"]) {
        return skipped(&why);
    }
    let scratch = Scratch::new("full-later");
    let folder = scratch.path("mounted");
    let _mounted = match Mount::new(&["-t", "tmpfs", "-o", "size=256k", "none"], &folder) {
        Ok(mounted) => mounted,
        Err(why) => return skipped(&why),
    };
    // Room for about ten segments; what waits for more is few enough to be refused soon.
    let setup = Setup::new(&scratch.0, CARDS)
        .with("CEKR_JOURNAL_SEGMENT_OCTETS", "4096")
        .with("CEKR_JOURNAL_QUEUE_MAX", "32");
    let setup = setup.over(&folder.join("data"));
    fs::write(folder.join("ballast"), vec![0x5A; 216 * 1024]).unwrap();
    let mut switch = setup.start();
    let (counts, bell) = Counts::new(1, u32::MAX);
    // One message at a time, so that a full queue is never the end of a connection's patience.
    let plan = Plan { connections: 40, depth_max: 1, messages: 12, cards: 0..CARDS as u64 };
    let iso = switch.iso;
    let said = std::thread::scope(|scope| {
        let load = scope.spawn(|| load::run(iso, &plan, 3, &counts));
        // Until the switch says that there is no room, or nobody asks any more: then there is.
        for _ in 0..5_000 {
            let is_over = bell.recv_timeout(Duration::from_millis(2)).is_ok();
            if is_over || is_full(&setup) || switch.ended().is_some() {
                break;
            }
        }
        fs::remove_file(folder.join("ballast")).unwrap();
        load.join().unwrap()
    });
    let mut book = Book::default();
    let refused = |said: &(_, Option<crash_support::message::Reply>)| {
        said.1.as_ref().is_some_and(|reply| reply.code == "91")
    };
    let refusals = said.iter().filter(|said| refused(said)).count();
    let kept = said.into_iter().filter(|said| !refused(said)).collect();
    book.note(kept);
    assert_eq!(switch.stop().code, Some(0));
    book.must_hold(&setup.dump());
    println!(
        "{} approvals heard on a disk that was full for a while, {refusals} answers 91",
        book.approved()
    );
    assert!(is_full(&setup), "the disk was full");
}

fn is_full(setup: &Setup) -> bool {
    setup.said().contains("cannot be prepared")
}
