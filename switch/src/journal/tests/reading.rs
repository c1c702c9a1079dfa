//! Looking at a journal: readers beside it, entries that left the ring, cuts, moments and reserve.

use super::*;

#[test]
fn a_reader_finds_what_recovery_finds_and_changes_nothing() {
    let disk = closed_journal(&[1, 8, 3, 8, 8, 8, 8, 2]);
    let (calls, before) = (disk.calls(), disk.names());
    let mut seen = Vec::new();
    let end = read(&disk, ID, &mut |seq, entry| {
        assert_eq!(seq.0, seen.len() as u64 + 1);
        seen.push(*entry);
        Ok(())
    })
    .unwrap();
    assert_entries(&seen, 46);
    assert_eq!((end.entries, end.last, end.epoch, end.torn), (46, Seq(46), 1, None));
    assert_eq!((disk.calls(), disk.names()), (calls, before));
    let recovered = open(&disk).unwrap().1;
    assert_eq!(end.segments, recovered.segments);

    // Every octet of every batch, as the entries of the last segment see it when it is torn.
    let name = end.file.clone();
    let whole = disk.contents(&name).unwrap();
    for at in 0..usize::try_from(end.offset).unwrap() {
        let other = disk.copy(1);
        let mut octets = whole.clone();
        octets[at..].fill(0);
        other.set_contents(&name, &octets);
        let looked = read(&other, ID, &mut |_, _| Ok(())).unwrap();
        let (_, recovered, replayed) = open(&other).unwrap();
        assert_eq!(looked.entries, replayed.len() as u64, "octet {at}");
        assert_eq!(looked.torn, recovered.cut, "octet {at}");
    }
}

#[test]
fn a_cut_at_any_batch_leaves_a_journal_that_starts_and_anywhere_else_nothing_changes() {
    let disk = closed_journal(&[1, 8, 3, 8, 8, 2]);
    let count = 30;
    let mut cuts = 0;
    for segment in 1..=2 {
        for offset in 0..4096 {
            let place = Place { segment, offset };
            let other = disk.copy(1);
            let before = other.calls();
            match cut(&other, ID, place, CutMay::LoseEntries) {
                Ok(gone) => {
                    let (_, recovered, replayed) = open(&other).unwrap();
                    assert_entries(&replayed, count - gone.behind.entries);
                    assert!(recovered.cut.is_some() && recovered.epoch == 2, "{place:?}");
                    cuts += 1;
                }
                Err(CutError::NoBoundary { .. } | CutError::NothingLeft) => {
                    assert_eq!(other.calls(), before);
                }
                Err(error) => panic!("{place:?}: {error}"),
            }
            let gentle = cut(&disk.copy(1), ID, place, CutMay::LoseNothing);
            let end = read(&disk, ID, &mut |_, _| Ok(())).unwrap();
            let is_end = (segment, offset) == (end.segments, end.offset);
            assert_eq!(gentle.is_ok(), is_end, "{place:?}");
        }
    }
    assert!(cuts > 10, "{cuts}");
}

#[test]
fn a_crash_at_every_call_of_a_cut_leaves_the_damage_or_the_cut() {
    let disk = closed_journal(&[8; 12]);
    let mut octets = disk.contents(FIRST).unwrap();
    octets[200] ^= 1;
    disk.set_contents(FIRST, &octets);
    let place = match open(&disk.copy(1)) {
        Err(OpenError::Damaged { offset, .. }) => Place { segment: 1, offset },
        other => panic!("{other:?}", other = other.map(|opened| opened.1)),
    };
    for at in 1.. {
        let other = disk.copy(at);
        other.plant(Faults { crash_at: Some(at), ..Faults::default() });
        let done = cut(&other, ID, place, CutMay::LoseEntries).is_ok();
        other.power_cut();
        let again = cut(&other, ID, place, CutMay::LoseEntries);
        assert!(again.is_ok(), "call {at}: {again:?}");
        assert_entries(&open(&other).unwrap().2, 0);
        if done {
            break;
        }
    }
}

#[test]
fn an_entry_that_left_the_ring_is_read_from_its_segment_whatever_the_order() {
    let disk = SimDisk::new(7);
    let config = JournalConfig { recent_max: 1, queue_max: 8, ..small() };
    let (journal, _, _) = open_with(&disk, &config).unwrap();
    let batches: Vec<u64> = (0..120).map(|batch| batch % 8 + 1).collect();
    let count: u64 = batches.iter().sum();
    fill(&journal, &batches);
    let check = |journal: &Journal| {
        for seq in (1..=count).chain((1..=count).rev()).chain((1..=count).step_by(37)) {
            assert_eq!(journal.entry(Seq(seq)), Some(entry(seq)), "{seq}");
        }
        assert_eq!(journal.recent_entry(Seq(1)), None);
        assert_eq!((journal.entry(Seq(0)), journal.entry(journal.appended().next())), (None, None));
    };
    check(&journal);
    // What was read when the segment had not gone so far is read again.
    fill(&journal, &[8]);
    assert_eq!(journal.entry(Seq(count + 8)), Some(entry(count + 8)));
    assert_eq!(journal.entry(Seq(count - 7)), Some(entry(count - 7)));
    journal.append(&entry(count + 9)).unwrap();
    assert_eq!(journal.entry(Seq(count + 9)), Some(entry(count + 9)), "before it is durable");
    drop(journal);
    check(&open_with(&disk, &config).unwrap().0);
}

fn at_moment(at: u64) -> EntryBytes {
    let mut entry = [0; ENTRY_OCTETS];
    entry[16..24].copy_from_slice(&at.to_le_bytes());
    entry
}

#[test]
fn no_entry_has_a_moment_before_that_of_the_one_in_front_of_it() {
    let disk = SimDisk::new(7);
    let (journal, _, _) = open(&disk).unwrap();
    let appended = |at| journal.append_as(&at_moment(at), Urgency::CanWait).unwrap().at;
    assert_eq!([appended(5), appended(4), appended(6)], [5, 6 - 1, 6]);
    assert_eq!([appended(3), appended(0)], [6, 6]);
    journal.commit_now().unwrap();
    drop(journal);
    let (journal, _, replayed) = open(&disk).unwrap();
    assert_eq!(replayed, [5, 5, 6, 6, 6].map(at_moment));
    let next = journal.append_as(&at_moment(1), Urgency::CanWait);
    assert_eq!(next, Ok(Appended { seq: Seq(6), at: 6 }), "after a restart too");
}

#[test]
fn on_a_full_disk_the_last_room_is_for_what_must_go() {
    let disk = SimDisk::new(3);
    let config = JournalConfig { segment_octets: 4096, reserve_octets: 1024, ..small() };
    let (journal, _, _) = open_with(&disk, &config).unwrap();
    let held = disk.names().iter().map(|name| disk.contents(name).unwrap().len() as u64).sum();
    disk.plant(Faults { octets_max: Some(held), ..Faults::default() });
    let mut number = 1;
    let mut add = |urgency| {
        let appended = journal.append_as(&entry(number), urgency).map(|appended| appended.seq);
        number += u64::from(appended.is_ok());
        let _ = journal.commit_now();
        appended
    };
    // Where nothing had to be prepared yet, nobody knows that the disk is full.
    while add(Urgency::CanWait).is_ok() {}
    let refused_from = journal.appended();
    assert_eq!(add(Urgency::CanWait), Err(Full));
    assert_eq!(add(Urgency::MustGo), Ok(refused_from.next()));
    assert!(journal.failure().is_none(), "a full disk is no failure");
    disk.plant(Faults::default());
    journal.commit_now().unwrap();
    assert!(add(Urgency::MustGo).is_ok());
    assert!(add(Urgency::CanWait).is_ok(), "with room again, everybody may");
    assert_eq!(journal.durable(), journal.appended());
}
