//! What the journal promises, tried with every crash, cut and flip that a small one can have.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeSet;

use proptest::prelude::{Strategy, any, prop_oneof};

use super::*;
use crate::sync::{AtomicU64, Ordering};

mod reading;

const ID: JournalId = JournalId(0xFEED_BEEF_0BAD_CAFE);

fn small() -> JournalConfig {
    JournalConfig {
        journal_id: ID,
        segment_octets: 4096,
        queue_max: 64,
        recent_max: 64,
        batch_max: 8,
        ..JournalConfig::default()
    }
}

fn entry(number: u64) -> EntryBytes {
    let mut entry = [0x5A; ENTRY_OCTETS];
    *entry.first_chunk_mut().unwrap() = number.to_le_bytes();
    *entry.last_chunk_mut().unwrap() = (!number).to_le_bytes();
    entry
}

type Opened = (Journal, Recovered, Vec<EntryBytes>);

fn open_with(disk: &SimDisk, config: &JournalConfig) -> Result<Opened, OpenError> {
    let mut replayed = Vec::new();
    let disk = Arc::new(disk.clone());
    let (journal, recovered) = Journal::with_disk_inline(disk, config, &mut |seq, entry| {
        assert_eq!(seq.0, replayed.len() as u64 + 1, "in order and without a gap");
        replayed.push(*entry);
        Ok(())
    })?;
    assert_eq!(recovered.last, journal.durable());
    assert_eq!(recovered.entries, replayed.len() as u64);
    Ok((journal, recovered, replayed))
}

fn open(disk: &SimDisk) -> Result<Opened, OpenError> {
    open_with(disk, &small())
}

/// Entries 1 to `count`, in that order and no others.
fn assert_entries(replayed: &[EntryBytes], count: u64) {
    assert_eq!(replayed.len() as u64, count);
    assert!(replayed.iter().zip(1..).all(|(found, number)| *found == entry(number)));
}

/// Appends entries in batches of the given sizes.
fn fill(journal: &Journal, batches: &[u64]) {
    for batch in batches {
        for _ in 0..*batch {
            journal.append(&entry(journal.appended().0 + 1)).unwrap();
        }
        journal.commit_now().unwrap();
    }
}

/// A disk with a journal that was closed after batches of the given sizes.
fn closed_journal(batches: &[u64]) -> SimDisk {
    let disk = SimDisk::new(7);
    let (journal, _, _) = open(&disk).unwrap();
    fill(&journal, batches);
    journal.close().unwrap();
    disk
}

const FIRST: &str = "journal/00000001.seg";
const SECOND: &str = "journal/00000002.seg";

#[test]
fn reads_back_what_was_committed() {
    let disk = closed_journal(&[1, 2, 8, 3]);
    let (journal, recovered, replayed) = open(&disk).unwrap();
    assert_entries(&replayed, 14);
    assert_eq!(recovered.cut, None);
    assert_eq!((recovered.created, recovered.epoch, recovered.segments), (false, 1, 1));
    assert_eq!(journal.entry(Seq(14)), Some(entry(14)), "recent entries are served after a start");
    assert_eq!(journal.entry(Seq(0)), None);
    assert_eq!(journal.entry(Seq(15)), None);
    fill(&journal, &[5]);
    drop(journal);
    assert_entries(&open(&disk).unwrap().2, 19);
}

#[test]
fn goes_on_in_segment_after_segment() {
    let disk = closed_journal(&[8; 40]);
    let (journal, recovered, replayed) = open(&disk).unwrap();
    assert_entries(&replayed, 320);
    assert!(recovered.segments > 10, "{recovered:?}");
    assert_eq!(journal.recent_entry(Seq(320 - 64)), None, "the ring has its bound");
    assert_eq!(journal.recent_entry(Seq(320 - 63)), Some(entry(320 - 63)));
    let names = disk.names();
    let (segments, others): (Vec<_>, Vec<_>) =
        names.iter().partition(|name| name.starts_with("journal/"));
    assert_eq!(segments.len(), recovered.segments as usize, "segments and nothing else");
    assert!(others.iter().all(|name| name.starts_with("spare/")), "{others:?}");
    assert!(segments.iter().all(|name| disk.contents(name).unwrap().len() == 4096));
}

#[test]
fn an_entry_is_durable_only_after_its_commit() {
    let disk = SimDisk::new(3);
    let (journal, recovered, _) = open(&disk).unwrap();
    assert!(recovered.created);
    let told = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&told);
    journal.on_commit(Box::new(move |seq| seen.store(seq.0, Ordering::SeqCst)));
    assert_eq!(journal.append(&entry(1)), Ok(Seq(1)));
    assert_eq!(journal.append(&entry(2)), Ok(Seq(2)));
    assert_eq!((journal.appended(), journal.durable()), (Seq(2), Seq(0)));
    assert_eq!(journal.entry(Seq(2)), Some(entry(2)), "served before it is durable");
    assert_eq!(journal.commit_now(), Ok(Seq(2)));
    assert_eq!((journal.durable(), told.load(Ordering::SeqCst)), (Seq(2), 2));
}

#[test]
fn a_full_queue_refuses_and_takes_again_after_a_commit() {
    let (journal, _, _) = open(&SimDisk::new(3)).unwrap();
    for number in 1..=64 {
        journal.append(&entry(number)).unwrap();
    }
    assert_eq!(journal.append(&entry(65)), Err(Full));
    assert_eq!(journal.appended(), Seq(64));
    journal.commit_now().unwrap();
    assert_eq!(journal.append(&entry(65)), Ok(Seq(65)));
}

#[test]
fn in_memory_an_entry_is_durable_at_once_and_memory_is_bounded() {
    let journal = Journal::memory(&small());
    for number in 1..=1_000 {
        assert_eq!(journal.append(&entry(number)), Ok(Seq(number)));
        assert_eq!(journal.durable(), Seq(number));
    }
    assert_eq!(journal.entry(Seq(1_000 - 64)), None);
    assert_eq!(journal.entry(Seq(1_000 - 63)), Some(entry(1_000 - 63)));
    assert_eq!(journal.commit_now(), Ok(Seq(1_000)));
    journal.close().unwrap();
    assert_eq!(journal.append(&entry(1_001)), Err(Full));
}

#[test]
fn a_journal_cut_short_anywhere_gives_a_beginning_and_says_what_is_missing() {
    // Batches end at 64 (the opening seal) + 192, + 64 (seal), and so on.
    let whole = closed_journal(&[1, 3, 2]);
    let octets = whole.contents(FIRST).unwrap();
    let end = octets.iter().rposition(|octet| *octet != 0).unwrap() + 1;
    let mut counts = BTreeSet::new();
    for len in 0..=octets.len() {
        if len > end + 4 && len % 61 != 0 {
            continue;
        }
        let disk = whole.copy(len as u64);
        disk.set_contents(FIRST, &octets[..len]);
        match open(&disk) {
            Ok((journal, recovered, replayed)) => {
                assert!(len >= 64, "length {len}");
                assert_entries(&replayed, replayed.len() as u64);
                counts.insert(replayed.len());
                if len == octets.len() {
                    assert_eq!(recovered.cut, None);
                } else {
                    let cut = recovered.cut.unwrap();
                    assert_eq!(cut.missing_octets, (octets.len() - len) as u64);
                    assert_eq!(recovered.epoch, 2);
                }
                fill(&journal, &[2]);
                disk.power_cut();
                let (_, again, replayed_again) = open(&disk).unwrap();
                assert_entries(&replayed_again, replayed.len() as u64 + 2);
                assert_eq!(again.cut, None, "length {len}");
            }
            Err(OpenError::Damaged { cause: Damage::NoFirstBatch, .. }) => assert!(len < 64),
            Err(error) => panic!("length {len}: {error}"),
        }
    }
    assert_eq!(counts, BTreeSet::from([0, 1, 4, 6]));
}

#[test]
fn a_torn_last_batch_is_zeroed_counted_and_raises_the_epoch() {
    let disk = closed_journal(&[1, 3]);
    let (journal, _, _) = open(&disk).unwrap();
    let before = disk.contents(FIRST).unwrap();
    fill(&journal, &[2]);
    let after = disk.contents(FIRST).unwrap();
    drop(journal);
    let start = before.iter().zip(&after).position(|(before, after)| before != after).unwrap();
    // Without the seal that followed it, every way of losing its end is a tear.
    let end = start + 64 + 2 * ENTRY_OCTETS;
    for len in start + 1..end {
        let disk = disk.copy(len as u64);
        let mut torn = before.clone();
        torn[..len].copy_from_slice(&after[..len]);
        if torn == before {
            continue;
        }
        disk.set_contents(FIRST, &torn);
        let (journal, recovered, replayed) = open(&disk).unwrap();
        assert_entries(&replayed, 4);
        let cut = recovered.cut.unwrap();
        assert_eq!((cut.file.as_str(), cut.offset), (FIRST, start as u64));
        assert_eq!(cut.entries, if len >= start + 64 { 2 } else { 0 });
        assert_eq!((recovered.epoch, journal.epoch()), (2, 2));
        let zeroed = disk.contents(FIRST).unwrap();
        assert!(zeroed[start + 64..].iter().all(|octet| *octet == 0), "behind the new seal");
        fill(&journal, &[1]);
        drop(journal);
        let (journal, recovered, replayed) = open(&disk).unwrap();
        assert_eq!((replayed.len(), recovered.cut, journal.epoch()), (5, None, 2));
    }
}

#[test]
fn the_epoch_rises_although_recovery_itself_is_cut_short() {
    let mut torn = closed_journal(&[1, 3]).contents(FIRST).unwrap();
    let end = torn.iter().rposition(|octet| *octet != 0).unwrap() + 1;
    // In later sectors than the seal that recovery writes: the power cut may keep only one.
    torn[end + 512..end + 1_500].fill(0xA5);
    for seed in 0..40 {
        for call in 1..10 {
            let disk = SimDisk::new(seed * 100 + call);
            disk.create_dir(segment::FOLDER).unwrap();
            disk.sync_dir("").unwrap();
            disk.set_contents(FIRST, &torn);
            disk.plant(Faults { crash_at: Some(disk.calls() + call), ..Faults::default() });
            drop(open(&disk));
            disk.power_cut();
            let (journal, _, replayed) = open(&disk).unwrap();
            assert_entries(&replayed, 4);
            assert!(journal.epoch() >= 2, "seed {seed}, call {call}");
        }
    }
}

#[test]
fn no_flipped_bit_of_a_small_journal_passes_in_silence() {
    let whole = closed_journal(&[1, 8, 8, 2]);
    let octets = whole.contents(FIRST).unwrap();
    assert_eq!(octets.len(), 4096);
    let end = octets.iter().rposition(|octet| *octet != 0).unwrap() + 1;
    let last_seal = end.next_multiple_of(64) - 64;
    let (mut refused, mut reported) = (0, 0);
    let disk = whole.copy(1);
    for bit in 0..octets.len() * 8 {
        let mut changed = octets.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        disk.set_contents(FIRST, &changed);
        match open(&disk) {
            Err(OpenError::Damaged { file, .. }) => {
                assert_eq!(file, FIRST);
                assert!(bit / 8 < last_seal, "bit {bit}");
                assert_eq!(disk.contents(FIRST).unwrap(), changed, "nothing was changed");
                refused += 1;
            }
            Ok((_, recovered, replayed)) => {
                // The seal itself, and the zeros behind it, hold no entry.
                assert!(bit / 8 >= last_seal, "bit {bit} of {end} octets was not seen");
                assert_entries(&replayed, 19);
                assert!(recovered.cut.unwrap().octets > 0);
                reported += 1;
            }
            Err(error) => panic!("bit {bit}: {error}"),
        }
    }
    assert_eq!(refused, last_seal * 8);
    assert_eq!(refused + reported, 4096 * 8);
}

#[test]
fn swapped_dropped_repeated_and_stale_segments_are_refused() {
    let whole = closed_journal(&[8; 12]);
    let segments: Vec<String> =
        whole.names().into_iter().filter(|name| name.starts_with("journal/")).collect();
    let count = segments.len();
    assert!(count >= 4);
    let contents: Vec<Vec<u8>> =
        segments.iter().map(|name| whole.contents(name).unwrap()).collect();
    let refused = |what: &str, disk: &SimDisk| {
        let names = disk.names();
        let calls = disk.calls();
        match open(disk) {
            Err(OpenError::Damaged { .. }) => {}
            Err(error) => panic!("{what}: {error}"),
            Ok((_, recovered, _)) => panic!("{what} was accepted: {recovered:?}"),
        }
        assert_eq!((disk.names(), disk.calls()), (names, calls), "{what}: nothing was changed");
    };
    for a in 0..count {
        let dropped = whole.copy(1);
        dropped.forget(&segments[a]);
        refused(&format!("without {}", segments[a]), &dropped);
        for b in 0..count {
            if a == b {
                continue;
            }
            let repeated = whole.copy(1);
            repeated.set_contents(&segments[b], &contents[a]);
            refused(&format!("{} in the place of {}", segments[a], segments[b]), &repeated);
            let swapped = repeated;
            swapped.set_contents(&segments[a], &contents[b]);
            refused(&format!("{} and {} swapped", segments[a], segments[b]), &swapped);
        }
        let stale = whole.copy(1);
        stale.set_contents(&segment::name(count as u32 + 1), &contents[a]);
        refused(&format!("{} once more at the end", segments[a]), &stale);
    }
    let gap = whole.copy(1);
    gap.set_contents(&segment::name(count as u32 + 2), &[0; 4096]);
    refused("a gap", &gap);
}

#[test]
fn batches_swapped_dropped_or_repeated_within_a_segment_are_refused() {
    let whole = closed_journal(&[2, 2, 2, 2]);
    let octets = whole.contents(FIRST).unwrap();
    // After the opening seal: four times a batch of two entries and, at the end, the seal.
    let (start, len) = (64, 64 + 2 * ENTRY_OCTETS + 64);
    let batch = |number: usize| start + number * len..start + (number + 1) * len;
    let mut cases: Vec<Vec<u8>> = Vec::new();
    for a in 0..4 {
        for b in 0..4 {
            if a != b {
                let mut repeated = octets.clone();
                repeated[batch(b)].copy_from_slice(&octets[batch(a)]);
                let mut swapped = repeated.clone();
                swapped[batch(a)].copy_from_slice(&octets[batch(b)]);
                cases.extend([repeated, swapped]);
            }
        }
        if a < 3 {
            let mut dropped = octets.clone();
            dropped.drain(batch(a));
            dropped.resize(4096, 0);
            let mut zeroed = octets.clone();
            zeroed[batch(a)].fill(0);
            cases.extend([dropped, zeroed]);
        }
        let mut again = octets.clone();
        again[batch(4)].copy_from_slice(&octets[batch(a)]);
        cases.push(again);
    }
    for (number, case) in cases.iter().enumerate() {
        let disk = whole.copy(1);
        disk.set_contents(FIRST, case);
        assert!(matches!(open(&disk), Err(OpenError::Damaged { .. })), "case {number}");
        assert_eq!(disk.contents(FIRST).unwrap(), *case);
    }
}

#[test]
fn a_foreign_journal_a_newer_one_and_a_stray_file_are_told_apart() {
    let disk = closed_journal(&[3]);
    let other = JournalConfig { journal_id: JournalId(1), ..small() };
    assert!(matches!(open_with(&disk, &other), Err(OpenError::Foreign { offset: 0, .. })));
    let shard = JournalConfig { shard: 5, ..small() };
    let refused = open_with(&disk, &shard).err().unwrap();
    assert!(matches!(refused, OpenError::Damaged { cause: Damage::Misplaced, .. }));

    let stray = disk.copy(1);
    stray.set_contents("journal/notes.txt", b"hello");
    let refused = open(&stray).err().unwrap();
    assert_eq!(refused.to_string(), "journal/notes.txt is no journal segment; move it away");

    let later = disk.copy(1);
    let foreign = SimDisk::new(1);
    let (journal, _, _) = open_with(&foreign, &other).unwrap();
    fill(&journal, &[2]);
    later.set_contents(SECOND, &foreign.contents(FIRST).unwrap());
    assert!(matches!(open(&later), Err(OpenError::Foreign { offset: 0, .. })));
}

#[test]
fn a_journal_that_was_taken_away_is_missed() {
    let disk = closed_journal(&[3]);
    let emptied = disk.copy(1);
    emptied.forget(FIRST);
    let refused = open(&emptied).err().unwrap();
    assert!(matches!(refused, OpenError::Damaged { cause: Damage::MissingSegment, .. }));

    let keys_only = SimDisk::new(1);
    keys_only.set_contents("meta", b"keys");
    assert!(matches!(open(&keys_only), Err(OpenError::Missing)));
    keys_only.create_dir(UNBORN_FOLDER).unwrap();
    assert!(open(&keys_only).unwrap().1.created, "the journal was never born");
}

#[test]
fn a_seal_lost_in_a_power_cut_is_made_anew_and_elsewhere_missed() {
    let disk = SimDisk::new(7);
    let (journal, _, _) = open(&disk).unwrap();
    fill(&journal, &[1, 2]);
    drop(journal);
    let octets = disk.contents(FIRST).unwrap();
    // The opening seal, a batch of one, its seal, a batch of two, its seal.
    let first_seal = 64 + 64 + ENTRY_OCTETS;
    let second_seal = first_seal + 64 + 64 + 2 * ENTRY_OCTETS;
    let mut lost = octets.clone();
    lost[first_seal..first_seal + 64].fill(0);
    lost[second_seal..second_seal + 64].fill(0);
    disk.set_contents(FIRST, &lost);
    let (_, recovered, replayed) = open(&disk).unwrap();
    assert_entries(&replayed, 3);
    assert!(recovered.seal_rebuilt && recovered.cut.is_none());
    assert_eq!(disk.contents(FIRST).unwrap()[..second_seal], octets[..second_seal], "and written");
    assert!(!open(&disk).unwrap().1.seal_rebuilt);

    // With the second seal there, the first was durable once.
    let mut rotten = octets.clone();
    rotten[first_seal..first_seal + 64].fill(0);
    disk.set_contents(FIRST, &rotten);
    let refused = open(&disk).err().unwrap();
    assert!(matches!(
        refused,
        OpenError::Damaged { offset, cause: Damage::LostSeal, .. } if offset == first_seal as u64
    ));
}

#[test]
fn rot_in_the_last_batch_of_a_clean_stop_is_damage() {
    let disk = closed_journal(&[2, 1]);
    let mut octets = disk.contents(FIRST).unwrap();
    let end = octets.iter().rposition(|octet| *octet != 0).unwrap() + 1;
    octets[end.next_multiple_of(64) - 64 - 1] ^= 1;
    disk.set_contents(FIRST, &octets);
    let refused = open(&disk).err().unwrap().to_string();
    assert!(refused.starts_with("journal/00000001.seg is damaged at offset "), "{refused}");
    assert!(refused.ends_with("nothing was changed"), "{refused}");
}

/// Appends and commits by a fixed plan until something fails; the entries acknowledged.
fn work(journal: &Journal, upto: u64) -> u64 {
    let mut size = 1;
    while journal.appended().0 < upto {
        for _ in 0..size {
            if journal.append(&entry(journal.appended().0 + 1)).is_err() {
                return journal.durable().0;
            }
        }
        if journal.commit_now().is_err() {
            return journal.durable().0;
        }
        size = size % 7 + 1;
    }
    journal.durable().0
}

/// Opens, works, and returns what was acknowledged and what was appended at most.
fn live(disk: &SimDisk, upto: u64) -> (u64, u64) {
    match open(disk) {
        Ok((journal, _, replayed)) => {
            assert_entries(&replayed, replayed.len() as u64);
            let acknowledged = work(&journal, upto);
            (acknowledged, journal.appended().0)
        }
        Err(OpenError::Io { .. }) => (0, 0),
        Err(error) => panic!("{error}"),
    }
}

/// Runs a life with faults, ends it, and checks what the next life finds.
fn check_after(disk: &SimDisk, seed: u64, what: &str, known: u64, end: fn(&SimDisk)) -> u64 {
    let (acknowledged, appended) = live(disk, known + 60);
    end(disk);
    let (journal, recovered, replayed) =
        open(disk).unwrap_or_else(|error| panic!("seed {seed}, {what}: {error}"));
    let missing = recovered.cut.map_or(0, |cut| cut.missing_octets);
    assert_eq!(missing, 0, "seed {seed}, {what}: no crash makes a segment shorter");
    let segments = disk.names().iter().filter(|name| name.starts_with("journal/")).count();
    assert_eq!(segments, recovered.segments as usize, "seed {seed}, {what}: empty ones are gone");
    let found = replayed.len() as u64;
    assert_entries(&replayed, found);
    let acknowledged = acknowledged.max(known);
    assert!(found >= acknowledged, "seed {seed}, {what}: {found} of {acknowledged} left");
    assert!(found <= appended.max(known), "seed {seed}, {what}: more than was appended");
    drop(journal);
    found
}

#[test]
fn a_power_cut_before_every_call_loses_nothing_that_was_acknowledged() {
    let calls = {
        let disk = SimDisk::new(0);
        live(&disk, 60);
        disk.calls()
    };
    assert!(calls > 60, "the life rolls segments");
    for seed in 0..12 {
        for call in 1..=calls + 1 {
            let disk = SimDisk::new(seed * 10_000 + call);
            disk.plant(Faults { crash_at: Some(call), ..Faults::default() });
            let what = format!("cut before call {call}");
            let found = check_after(&disk, seed, &what, 0, SimDisk::power_cut);
            // And once more, in the recovery or in the work after it.
            let at = disk.calls() + 1 + call % 11;
            disk.plant(Faults { crash_at: Some(at), ..Faults::default() });
            let what = format!("cut before call {call}, then before {at}");
            check_after(&disk, seed, &what, found, SimDisk::power_cut);
        }
    }
}

#[test]
fn a_failed_sync_or_short_write_at_every_call_ends_the_journal_and_loses_nothing() {
    let calls = {
        let disk = SimDisk::new(0);
        live(&disk, 60);
        disk.calls()
    };
    let ends: [fn(&SimDisk); 2] = [SimDisk::power_cut, SimDisk::restart];
    for seed in 0..6 {
        for call in 1..=calls {
            for (number, end) in ends.into_iter().enumerate() {
                let disk = SimDisk::new(seed * 10_000 + call);
                let at = Some(call);
                let faults = [
                    Faults { fail_sync_at: at, ..Faults::default() },
                    Faults { short_write_at: at, ..Faults::default() },
                ];
                for fault in faults {
                    let disk = disk.copy(seed + call);
                    disk.plant(fault);
                    let what = format!("{fault:?}, end {number}");
                    let found = check_after(&disk, seed, &what, 0, end);
                    // What was read from the cache must be on the disk by now, also under the
                    // work that comes after.
                    check_after(&disk, seed, &what, found, SimDisk::power_cut);
                }
            }
        }
    }
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged_or_taken_and_it_is_told_once() {
    let disk = SimDisk::new(3);
    let (journal, _, _) = open(&disk).unwrap();
    fill(&journal, &[2]);
    let told = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&told);
    journal.on_failure(Box::new(move |failure| seen.lock().push(failure.to_string())));
    disk.plant(Faults { fail_sync_at: Some(disk.calls() + 2), ..Faults::default() });
    journal.append(&entry(3)).unwrap();
    let failure = journal.commit_now().unwrap_err();
    assert_eq!(failure.action, FailedAction::Sync);
    assert_eq!(journal.commit_now(), Err(failure.clone()), "not tried again");
    assert_eq!(journal.close(), Err(failure.clone()));
    assert_eq!((journal.durable(), journal.append(&entry(4))), (Seq(2), Err(Full)));
    assert_eq!(journal.failure(), Some(failure.clone()));
    assert_eq!(
        *told.lock(),
        ["the journal has failed: sync of journal/00000001.seg: simulated sync error; nothing \
          later is acknowledged, and nothing is tried again"]
    );
    let late = Arc::clone(&told);
    journal.on_failure(Box::new(move |_| late.lock().push("late".to_owned())));
    assert_eq!(told.lock().len(), 2, "whoever asks later is told at once");
}

#[test]
fn a_sync_that_lies_is_found_only_where_it_leaves_a_trace() {
    // A disk that says "written" and is not can lose what was acknowledged: no journal on one
    // disk can know. What it may not do is give back anything but a beginning.
    let mut lost = 0;
    for seed in 0..60 {
        let disk = SimDisk::new(seed);
        let (journal, _, _) = open(&disk).unwrap();
        disk.plant(Faults { lie_from: Some(disk.calls() + 1 + seed), ..Faults::default() });
        let acknowledged = work(&journal, 40);
        disk.power_cut();
        match open(&disk) {
            Ok((_, _, replayed)) => {
                assert_entries(&replayed, replayed.len() as u64);
                lost += u32::from((replayed.len() as u64) < acknowledged);
            }
            Err(OpenError::Damaged { .. }) => {}
            Err(error) => panic!("seed {seed}: {error}"),
        }
    }
    assert!(lost > 0, "the simulated lie has teeth");
}

#[test]
fn a_full_disk_holds_entries_back_until_there_is_room() {
    let disk = SimDisk::new(3);
    let (journal, _, _) = open(&disk).unwrap();
    disk.plant(Faults { octets_max: Some(4096), ..Faults::default() });
    for number in 1..=64 {
        journal.append(&entry(number)).unwrap();
    }
    let durable = journal.commit_now().unwrap();
    assert!(durable > Seq(0) && durable < Seq(64), "{durable}");
    assert_eq!(journal.commit_now(), Ok(durable), "no failure, no progress");
    disk.plant(Faults::default());
    assert_eq!(journal.commit_now(), Ok(Seq(64)));
    journal.close().unwrap();
    assert_entries(&open(&disk).unwrap().2, 64);
}

#[test]
fn entries_that_can_wait_are_taken_again_once_there_is_room_though_no_other_comes() {
    let disk = SimDisk::new(3);
    let config = JournalConfig { reserve_octets: 2048, ..small() };
    let (journal, _) = Journal::open(Arc::new(disk.clone()), &config, &mut |_, _| Ok(())).unwrap();
    // Two segments and no third: the journal knows it before the second is full.
    disk.plant(Faults { octets_max: Some(2 * 4096 + 1024), ..Faults::default() });
    let mut taken = 0;
    while journal.durable() < Seq(taken) || journal.append(&entry(taken + 1)) == Ok(Seq(taken + 1))
    {
        taken = journal.appended().0;
        std::thread::yield_now();
    }
    assert_eq!((journal.durable(), journal.appended()), (Seq(taken), Seq(taken)), "it is idle");
    disk.plant(Faults::default());
    while journal.append(&entry(taken + 1)) == Err(Full) {
        std::thread::yield_now();
    }
    journal.close().unwrap();
    assert_eq!(journal.durable(), Seq(taken + 1));
}

#[test]
fn a_refusing_replay_stops_the_start_and_names_the_entry() {
    let disk = closed_journal(&[3]);
    let refused = Journal::with_disk_inline(Arc::new(disk), &small(), &mut |seq, _| {
        if seq == Seq(2) { Err("unknown kind".to_owned()) } else { Ok(()) }
    });
    assert_eq!(refused.err().unwrap().to_string(), "entry 2 cannot be replayed: unknown kind");
}

#[test]
fn settings_out_of_range_are_refused() {
    for segment_octets in [0, 2048, 4097, 1 << 31] {
        let config = JournalConfig { segment_octets, ..small() };
        assert!(matches!(
            open_with(&SimDisk::new(1), &config),
            Err(OpenError::Config { setting: "segment_octets", .. })
        ));
    }
    let config = JournalConfig { queue_max: 0, ..small() };
    assert!(matches!(open_with(&SimDisk::new(1), &config), Err(OpenError::Config { .. })));
}

#[test]
fn segments_may_change_their_length_between_two_starts() {
    let disk = SimDisk::new(4);
    for (start, segment_octets) in [4096, 16_384, 4096, 8192].into_iter().enumerate() {
        let config = JournalConfig { segment_octets, ..small() };
        let (journal, recovered, replayed) = open_with(&disk, &config).unwrap();
        assert_entries(&replayed, start as u64 * 80);
        assert_eq!(recovered.cut, None);
        fill(&journal, &[8; 10]);
        journal.close().unwrap();
    }
}

#[test]
fn the_thread_commits_everything_that_several_threads_append() {
    let disk = SimDisk::new(9);
    let config = JournalConfig { queue_max: 32, batch_max: 5, spin_us: 20, ..small() };
    let (journal, _) = Journal::open(Arc::new(disk.clone()), &config, &mut |_, _| Ok(())).unwrap();
    let commits = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&commits);
    journal.on_commit(Box::new(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
    }));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for number in 0..200 {
                    while journal.append(&entry(number)) == Err(Full) {
                        std::thread::yield_now();
                    }
                }
            });
        }
    });
    assert_eq!(journal.appended(), Seq(600));
    journal.close().unwrap();
    assert_eq!(journal.durable(), Seq(600));
    assert!(commits.load(Ordering::SeqCst) >= 600 / 5);
    let (again, _, replayed) = open_with(&disk, &config).unwrap();
    assert_eq!((replayed.len(), again.durable()), (600, Seq(600)));
}

#[test]
fn the_thread_tells_of_a_failure_and_ends() {
    let disk = SimDisk::new(9);
    let (journal, _) = Journal::open(Arc::new(disk.clone()), &small(), &mut |_, _| Ok(())).unwrap();
    let told = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&told);
    journal.on_failure(Box::new(move |_| {
        seen.fetch_add(1, Ordering::SeqCst);
    }));
    disk.plant(Faults { crash_at: Some(1), ..Faults::default() });
    journal.append(&entry(1)).unwrap();
    assert!(journal.close().is_err());
    assert_eq!((journal.durable(), told.load(Ordering::SeqCst)), (Seq(0), 1));
}

#[test]
fn dropping_the_last_clone_ends_the_threads_and_keeps_what_was_appended() {
    let disk = SimDisk::new(9);
    let (journal, _) = Journal::open(Arc::new(disk.clone()), &small(), &mut |_, _| Ok(())).unwrap();
    journal.append(&entry(1)).unwrap();
    drop(journal.clone());
    journal.append(&entry(2)).unwrap();
    drop(journal);
    assert_entries(&open(&disk).unwrap().2, 2);
}

#[test]
fn a_real_directory_keeps_entries_from_start_to_start() {
    let root = std::env::temp_dir().join(format!("cekr-journal-test-{}", std::process::id()));
    let config = JournalConfig { segment_octets: 8192, ..small() };
    for start in 0..3 {
        let disk = crate::disk::FileDisk::own(&root).unwrap();
        let mut replayed = Vec::new();
        let (journal, recovered) = Journal::open(Arc::new(disk), &config, &mut |_, entry| {
            replayed.push(*entry);
            Ok(())
        })
        .unwrap();
        assert_entries(&replayed, start * 60);
        assert_eq!(recovered.cut, None);
        for _ in 0..60 {
            journal.append(&entry(journal.appended().0 + 1)).unwrap();
        }
        journal.close().unwrap();
    }
    std::fs::remove_dir_all(&root).unwrap();
}

/// What a world does to a journal.
#[derive(Clone, Copy, Debug)]
enum Step {
    Append(u64),
    Commit,
    CrashAt(u64),
    FailSyncAt(u64),
    PowerCut,
    Restart,
    Stop,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (1..20_u64).prop_map(Step::Append),
        6 => proptest::strategy::Just(Step::Commit),
        1 => (1..30_u64).prop_map(Step::CrashAt),
        1 => (1..30_u64).prop_map(Step::FailSyncAt),
        1 => proptest::strategy::Just(Step::PowerCut),
        1 => proptest::strategy::Just(Step::Restart),
        1 => proptest::strategy::Just(Step::Stop),
    ];
    proptest::collection::vec(step, 1..60)
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..Default::default()
    })]

    /// Whatever happens in whatever order: what was acknowledged is read back, in order, and
    /// nothing that was never appended.
    #[test]
    fn any_sequence_of_work_and_faults_keeps_what_was_acknowledged(
        seed in any::<u64>(),
        steps in steps(),
    ) {
        let disk = SimDisk::new(seed);
        // `None` while the process is dead.
        let mut journal = open(&disk).ok().map(|(journal, ..)| journal);
        // The bounds of what the next start may find.
        let (mut least, mut most) = (0, 0);
        for step in steps {
            if let Some(journal) = &journal {
                least = least.max(journal.durable().0);
                most = most.max(journal.appended().0);
            }
            match (step, &journal) {
                (Step::Append(count), Some(journal)) => {
                    for _ in 0..count {
                        let _ = journal.append(&entry(journal.appended().0 + 1));
                    }
                }
                (Step::Commit, Some(journal)) => drop(journal.commit_now()),
                (Step::Stop, Some(journal)) => drop(journal.close()),
                (Step::CrashAt(calls), _) => {
                    let crash_at = Some(disk.calls() + calls);
                    disk.plant(Faults { crash_at, ..Faults::default() });
                }
                (Step::FailSyncAt(calls), _) => {
                    let fail_sync_at = Some(disk.calls() + calls);
                    disk.plant(Faults { fail_sync_at, ..Faults::default() });
                }
                (Step::PowerCut | Step::Restart, _) | (_, None) => {
                    if let Some(journal) = journal.take() {
                        least = least.max(journal.durable().0);
                        most = most.max(journal.appended().0);
                    }
                    if matches!(step, Step::Restart) {
                        disk.restart();
                    } else {
                        disk.power_cut();
                    }
                    let (opened, _, replayed) = open(&disk).unwrap();
                    let found = replayed.len() as u64;
                    assert_entries(&replayed, found);
                    proptest::prop_assert!(found >= least && found <= most.max(least));
                    (least, most) = (found, found);
                    journal = Some(opened);
                }
            }
        }
    }
}

#[test]
fn the_format_page_shows_the_header_as_it_is() {
    let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/journal.md"));
    let mut offset = 0;
    for (name, octets) in batch::FIELDS {
        let row = format!("| {offset} | {octets} | {name} |");
        assert!(page.contains(&row), "docs/journal.md has no row `{row}`");
        offset += octets;
    }
    assert_eq!(offset, batch::HEADER_OCTETS);
    for fact in [
        format!("Format version {}.", batch::VERSION),
        format!("`{}`", batch::MAGIC.map(|octet| format!("{octet:02X}")).join(" ")),
        format!("{} octets for each entry", ENTRY_OCTETS),
    ] {
        assert!(page.contains(&fact), "docs/journal.md does not say: {fact}");
    }
    // The picture: the same journal as in the page, octet for octet.
    let disk = SimDisk::new(1);
    let config = JournalConfig { journal_id: JournalId(0x1122_3344_5566_7788), ..small() };
    let (journal, _, _) = open_with(&disk, &config).unwrap();
    journal.append(&[0xEE; ENTRY_OCTETS]).unwrap();
    journal.close().unwrap();
    let octets = disk.contents(FIRST).unwrap();
    for (line, row) in octets.chunks(16).take(20).enumerate() {
        let hex: Vec<String> = row.iter().map(|octet| format!("{octet:02x}")).collect();
        let row = format!("{:04x}  {}", line * 16, hex.join(" "));
        if !hex.iter().all(|octet| octet == "ee") {
            assert!(page.contains(&row), "docs/journal.md does not show:\n{row}");
        }
    }
}
