//! The power goes: what had not been synced is really lost, and nothing that was answered is.
//!
//! A kill leaves the page cache, so it cannot tell an answer that left before its sync from one
//! that waited. Here the data lie on an ext4 of the test's own, in an image, and are cut off in
//! two ways: by copying the image below the mounted file system while the switch stands still,
//! and by the file system's own shutdown without a flush. A file that was written and not synced
//! just before shows that the loss is real.
//!
//! Needs root, loop devices and e2fsprogs; `CEKR_POWER_CUTS` says how often.

mod crash_support;

use std::fs;
use std::path::Path;
use std::thread;

use crash_support::book::Book;
use crash_support::load::{self, Counts, Plan};
use crash_support::message::Terminal;
use crash_support::mount::{self, Disk};
use crash_support::{PATIENCE, Random, Scratch, Setup, Switch, count, must, skipped};

const CARDS: usize = 4;
const IMAGE_OCTETS: u64 = 32 << 20;

/// How the power goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Cut {
    /// The image is copied while the switch stands still; the copy is what is left.
    Copy,
    /// The file system ends without writing anything more.
    Shutdown,
}

#[test]
fn nothing_answered_is_lost_when_the_image_is_copied_off_under_load() {
    cut_again_and_again("power-copy", Cut::Copy, &["losetup", "mkfs.ext4", "mount", "cp"]);
}

#[test]
fn nothing_answered_is_lost_when_the_file_system_is_shut_down_under_load() {
    let programs = ["losetup", "mkfs.ext4", "mount", "perl"];
    cut_again_and_again("power-shutdown", Cut::Shutdown, &programs);
}

fn cut_again_and_again(name: &str, cut: Cut, programs: &[&str]) {
    if let Some(why) = mount::missing(programs) {
        return skipped(&why);
    }
    let wanted = count("CEKR_POWER_CUTS", 2);
    let mut random = Random::new(Random::seed());
    let scratch = Scratch::new(name);
    let empty = scratch.path("empty.img");
    if let Err(why) = Disk::format(&empty, IMAGE_OCTETS) {
        return skipped(&why);
    }
    let (mut losses, mut runs, mut heard, mut unheard) = (0, 0, 0, 0);
    while losses < wanted {
        assert!(runs < 2 * wanted + 4, "unsynced data do not get lost here: {losses} of {runs}");
        runs += 1;
        match cut_once(&scratch, &empty, cut, &mut random) {
            Ok(found) => {
                losses += u32::from(found.is_real);
                heard += found.heard;
                unheard += found.unheard;
            }
            Err(why) => return skipped(&why),
        }
    }
    println!(
        "{cut:?}: {losses} cuts with real loss of {runs}; {heard} approvals heard, none lost; \
         {unheard} messages unanswered when the power went"
    );
}

struct Found {
    /// Whether unsynced octets were lost.
    is_real: bool,
    heard: usize,
    unheard: usize,
}

fn cut_once(
    scratch: &Scratch,
    empty: &Path,
    cut: Cut,
    random: &mut Random,
) -> Result<Found, String> {
    let (image, left) = (scratch.path("disk.img"), scratch.path("left.img"));
    fs::copy(empty, &image).unwrap();
    let disk = Disk::mount(&image, &scratch.path("disk"))?;
    let segment = if random.below(2) == 0 { "4096" } else { "65536" };
    let setup = Setup::new(&scratch.0, CARDS).with("CEKR_JOURNAL_SEGMENT_OCTETS", segment);
    let setup = setup.over(&disk.folder().join("data"));
    let switch = setup.start();
    let canary = disk.folder().join("unsynced");

    let (counts, bell) = Counts::new(1, 20 + random.below(400) as u32);
    let plan = Plan { connections: 3, depth_max: 8, messages: 1_000_000, cards: 0..CARDS as u64 };
    let (seed, iso) = (random.below(u64::from(u32::MAX)), switch.iso);
    let said = thread::scope(|scope| {
        let load = scope.spawn(|| load::run(iso, &plan, seed, &counts));
        bell.recv_timeout(PATIENCE).expect("there were answers");
        fs::write(&canary, [0x5A; 4_096]).unwrap();
        match cut {
            Cut::Copy => {
                // Whatever is heard from now on had left before the copy began.
                must("sh", &["-c", &format!("kill -STOP {}", switch.pid())]);
                disk.copy_as_on_disk(&left);
                switch.kill();
            }
            Cut::Shutdown => {
                disk.cut_power(&canary);
                end(switch);
            }
        }
        load.join().unwrap()
    });
    drop(disk);

    let image = if cut == Cut::Copy { &left } else { &image };
    let disk = Disk::mount(image, &scratch.path("left"))?;
    let canary = fs::read(disk.folder().join("unsynced")).unwrap_or_default();
    let unheard = said.iter().filter(|(_, reply)| reply.is_none()).count();
    let mut book = Book::default();
    book.note(said);
    let heard = book.approved();
    check(&setup.over(&disk.folder().join("data")), &mut book);
    Ok(Found { is_real: canary != [0x5A; 4_096], heard, unheard })
}

/// A switch whose disk is gone stops, or waits for room for its next segment until it is told to
/// stop; either way it says why.
fn end(switch: Switch) {
    let ended = switch.stop();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("the journal has failed"), "{ended:?}");
}

/// What was heard is in the journal, and the switch goes on with it.
fn check(setup: &Setup, book: &mut Book) {
    let standings = book.must_hold(&setup.dump());
    let switch = setup.start();
    for card in switch.cards() {
        let standing = &standings[card["name"].as_str().unwrap()];
        assert_eq!(card["balance"], standing.balance, "{card}");
        assert_eq!(card["available"], standing.available, "{card}");
    }
    let mut line = Terminal::connect(switch.iso).unwrap();
    let sent: Vec<_> = book.all().map(|(ask, _)| ask.clone()).take(200).collect();
    let again = sent.into_iter().map(|ask| {
        let reply = line.ask(&ask);
        (ask, reply)
    });
    let again = again.collect();
    book.note(again);
    drop(line);
    assert_eq!(switch.stop().code, Some(0));
    book.must_hold(&setup.dump());
}
