//! A disk in memory that forgets: for tests and simulated worlds, never for service.
//!
//! It keeps, for each file, what is on the platter and what the page cache shows. A write dirties
//! sectors of 512 octets; a sync brings them to the platter; a power cut keeps or loses each
//! dirty sector by the seed. Changes of a directory are lost from the first one that was not
//! synced and that the seed gives up. Within a sector a write is whole or absent.
//!
//! Faults are planted by call number or at will: a sync that fails (each dirty sector is then
//! clean in the cache, and on the platter only by chance: reading it back proves nothing), a sync
//! that lies, a write that stops short, a full disk, a crash before the n-th call.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use crate::disk::{Disk, DiskFile};
use crate::sync::{Arc, Mutex};

/// A simulated disk; clones are the same disk.
#[derive(Clone)]
pub struct SimDisk {
    world: Arc<Mutex<World>>,
}

/// What a simulated disk does wrong. Calls are counted from 1 over everything that changes the
/// disk: create, write, sync, rename, remove, and the same of folders.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Faults {
    /// From this call on every call fails, as if the process had died before it.
    pub crash_at: Option<u64>,
    /// This call, if it is a sync of a file, fails.
    pub fail_sync_at: Option<u64>,
    /// This call, if it is a write, stores some of its sectors and fails.
    pub short_write_at: Option<u64>,
    /// From this call on, syncs of files succeed and bring nothing to the platter.
    pub lie_from: Option<u64>,
    /// Octets that all files together may hold.
    pub octets_max: Option<u64>,
}

impl SimDisk {
    /// An empty disk without faults.
    pub fn new(seed: u64) -> SimDisk {
        let random = Random(seed);
        let world = World {
            current: Names::default(),
            settled: Names::default(),
            pending: Vec::new(),
            files: BTreeMap::new(),
            next_file: 0,
            life: 0,
            calls: 0,
            faults: Faults::default(),
            random,
        };
        SimDisk { world: Arc::new(Mutex::new(world)) }
    }

    /// Plants faults, in the place of those planted before.
    pub fn plant(&self, faults: Faults) {
        self.world.lock().faults = faults;
    }

    /// Calls so far that changed the disk.
    pub fn calls(&self) -> u64 {
        self.world.lock().calls
    }

    /// The power fails: the cache is gone, and of what was not synced the seed keeps some. Faults
    /// are taken away, open files are dead.
    pub fn power_cut(&self) {
        let mut world = self.world.lock();
        let world = &mut *world;
        let kept = world.random.below(world.pending.len() as u64 + 1);
        let pending = std::mem::take(&mut world.pending);
        for change in pending.into_iter().take(usize::try_from(kept).unwrap_or_default()) {
            world.settled.apply(&change);
        }
        world.current = world.settled.clone();
        let named: BTreeSet<u64> = world.current.files.values().copied().collect();
        world.files.retain(|file, _| named.contains(file));
        // Some cuts lose all that was unsynced, some nothing, most a part.
        let lost_of_8 = match world.random.below(4) {
            0 => 8,
            1 => 0,
            _ => 4,
        };
        for file in world.files.values_mut() {
            let random = &mut world.random;
            file.lose_dirty(|| random.below(8) < lost_of_8);
        }
        world.restart();
    }

    /// The process dies and the machine does not: the cache stays. Faults are taken away, open
    /// files are dead.
    pub fn restart(&self) {
        self.world.lock().restart();
    }

    /// What reading the whole file would give.
    pub fn contents(&self, name: &str) -> Option<Vec<u8>> {
        let world = self.world.lock();
        let file = world.current.files.get(name)?;
        world.files.get(file).map(|file| file.shown.clone())
    }

    /// Puts a file there, durably, as rot or a meddling hand would.
    pub fn set_contents(&self, name: &str, octets: &[u8]) {
        let mut world = self.world.lock();
        let file = match world.current.files.get(name) {
            Some(file) => *file,
            None => {
                let file = world.new_file();
                let change = Change::Create { name: name.to_owned(), file };
                world.current.apply(&change);
                world.settled.apply(&change);
                file
            }
        };
        let platter = octets.to_vec();
        let shown = platter.clone();
        world.files.insert(file, SimFileState { platter, shown, ..SimFileState::default() });
    }

    /// Takes a file away, durably.
    pub fn forget(&self, name: &str) {
        let mut world = self.world.lock();
        world.current.files.remove(name);
        world.settled.files.remove(name);
    }

    /// The names of all files, with their folders.
    pub fn names(&self) -> Vec<String> {
        self.world.lock().current.files.keys().cloned().collect()
    }

    /// A disk of its own with what this one shows, all of it durable.
    pub fn copy(&self, seed: u64) -> SimDisk {
        let copy = SimDisk::new(seed);
        {
            let from = self.world.lock();
            let mut to = copy.world.lock();
            to.current = from.current.clone();
            to.settled = from.current.clone();
            to.next_file = from.next_file;
            for (file, state) in &from.files {
                let shown = state.shown.clone();
                let platter = shown.clone();
                to.files.insert(*file, SimFileState { platter, shown, ..SimFileState::default() });
            }
        }
        copy
    }
}

struct World {
    /// What a running process sees.
    current: Names,
    /// What a power cut would leave.
    settled: Names,
    /// The changes between the two, in order.
    pending: Vec<Change>,
    files: BTreeMap<u64, SimFileState>,
    next_file: u64,
    /// Counts restarts, so that a handle from before one is dead.
    life: u64,
    calls: u64,
    faults: Faults,
    random: Random,
}

#[derive(Clone, Default)]
struct Names {
    files: BTreeMap<String, u64>,
    folders: BTreeSet<String>,
}

enum Change {
    Create { name: String, file: u64 },
    CreateDir { name: String },
    Remove { name: String },
    Rename { from: String, to: String },
}

#[derive(Default)]
struct SimFileState {
    /// What is on the disk.
    platter: Vec<u8>,
    /// What the page cache shows.
    shown: Vec<u8>,
    /// Sectors in which the two may differ and that a sync would write.
    dirty: BTreeSet<u64>,
}

struct SimFile {
    disk: SimDisk,
    file: u64,
    life: u64,
}

impl World {
    /// Counts a call that changes the disk.
    fn call(&mut self) -> io::Result<u64> {
        if self.faults.crash_at.is_some_and(|at| self.calls.saturating_add(1) >= at) {
            return Err(io::Error::other("the simulated process has crashed"));
        }
        self.calls = self.calls.saturating_add(1);
        Ok(self.calls)
    }

    fn new_file(&mut self) -> u64 {
        self.next_file = self.next_file.saturating_add(1);
        self.files.insert(self.next_file, SimFileState::default());
        self.next_file
    }

    fn change(&mut self, change: Change) {
        self.current.apply(&change);
        self.pending.push(change);
    }

    fn restart(&mut self) {
        self.life = self.life.saturating_add(1);
        self.faults = Faults::default();
    }
}

impl Names {
    fn has(&self, name: &str) -> bool {
        name.is_empty() || self.files.contains_key(name) || self.folders.contains(name)
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::Create { name, file } => {
                self.files.insert(name.clone(), *file);
            }
            Change::CreateDir { name } => {
                self.folders.insert(name.clone());
            }
            Change::Remove { name } => {
                self.files.remove(name);
            }
            Change::Rename { from, to } => {
                if let Some(file) = self.files.remove(from) {
                    self.files.insert(to.clone(), file);
                }
                if self.folders.remove(from) {
                    self.folders.insert(to.clone());
                    let within = format!("{from}/");
                    let moved: Vec<(String, u64)> = self
                        .files
                        .iter()
                        .filter(|(name, _)| name.starts_with(&within))
                        .map(|(name, file)| (name.clone(), *file))
                        .collect();
                    for (name, file) in moved {
                        self.files.remove(&name);
                        self.files.insert(name.replacen(from, to, 1), file);
                    }
                }
            }
        }
    }
}

impl Change {
    fn touches(&self, folder: &str) -> bool {
        match self {
            Change::Create { name, .. } | Change::CreateDir { name } | Change::Remove { name } => {
                folder_of(name) == folder
            }
            Change::Rename { from, to } => folder_of(from) == folder || folder_of(to) == folder,
        }
    }
}

impl SimFileState {
    fn write(&mut self, offset: usize, octets: &[u8]) {
        let end = offset.saturating_add(octets.len());
        if self.shown.len() < end {
            self.shown.resize(end, 0);
        }
        if let Some(place) = self.shown.get_mut(offset..end) {
            place.copy_from_slice(octets);
        }
        let last = end.saturating_sub(1) / SECTOR_OCTETS;
        self.dirty.extend((offset / SECTOR_OCTETS..=last).map(|sector| sector as u64));
    }

    /// Brings a sector of the cache to the platter.
    fn settle(&mut self, sector: u64) {
        copy_sector(&self.shown, &mut self.platter, sector);
    }

    fn settle_all(&mut self) {
        for sector in std::mem::take(&mut self.dirty) {
            self.settle(sector);
        }
        self.platter.resize(self.shown.len(), 0);
    }

    fn lose_dirty(&mut self, mut lost: impl FnMut() -> bool) {
        for sector in std::mem::take(&mut self.dirty) {
            if !lost() {
                self.settle(sector);
            }
        }
        self.shown.clone_from(&self.platter);
    }

    /// A sync fails: each dirty sector got there or not, is clean from now on, and the cache
    /// shows the new content or the old.
    fn fail_sync(&mut self, random: &mut Random) {
        for sector in std::mem::take(&mut self.dirty) {
            match random.below(4) {
                0 => self.settle(sector),
                1 => copy_sector(&self.platter, &mut self.shown, sector),
                _ => {}
            }
        }
    }
}

fn copy_sector(from: &[u8], to: &mut Vec<u8>, sector: u64) {
    let start = usize::try_from(sector).unwrap_or_default().saturating_mul(SECTOR_OCTETS);
    let end = start.saturating_add(SECTOR_OCTETS).min(from.len());
    let octets = from.get(start..end).unwrap_or_default();
    if to.len() < end && !octets.is_empty() {
        to.resize(end, 0);
    }
    if let Some(place) = to.get_mut(start..end) {
        place.copy_from_slice(octets);
    }
}

impl Disk for SimDisk {
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut world = self.world.lock();
        world.call()?;
        if world.current.has(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if !world.current.has(folder_of(name)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let file = world.new_file();
        world.change(Change::Create { name: name.to_owned(), file });
        Ok(Arc::new(SimFile { disk: self.clone(), file, life: world.life }))
    }

    fn create_dir(&self, name: &str) -> io::Result<()> {
        let mut world = self.world.lock();
        if !world.current.has(name) {
            world.call()?;
            world.change(Change::CreateDir { name: name.to_owned() });
        }
        Ok(())
    }

    fn exists(&self, name: &str) -> io::Result<bool> {
        Ok(self.world.lock().current.has(name))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let world = self.world.lock();
        if !world.current.has(folder) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let all = world.current.files.keys().chain(&world.current.folders);
        let mut names: Vec<String> =
            all.filter(|name| folder_of(name) == folder).map(|name| file_of(name)).collect();
        names.sort();
        Ok(names)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let world = self.world.lock();
        let file = world.current.files.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(SimFile { disk: self.clone(), file: *file, life: world.life }))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut world = self.world.lock();
        world.call()?;
        if !world.current.files.contains_key(name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        world.change(Change::Remove { name: name.to_owned() });
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut world = self.world.lock();
        world.call()?;
        if !world.current.has(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        world.change(Change::Rename { from: from.to_owned(), to: to.to_owned() });
        Ok(())
    }

    fn sync_dir(&self, folder: &str) -> io::Result<()> {
        let mut world = self.world.lock();
        let world = &mut *world;
        world.call()?;
        if !world.current.has(folder) {
            return Err(io::ErrorKind::NotFound.into());
        }
        // A journaling file system keeps the order of such changes: syncing one settles all
        // before it.
        let last = world.pending.iter().rposition(|change| change.touches(folder));
        let settled = last.map_or(0, |last| last.saturating_add(1));
        for change in world.pending.drain(..settled) {
            world.settled.apply(&change);
        }
        Ok(())
    }
}

impl SimFile {
    fn with<T>(&self, run: impl FnOnce(&mut World, u64) -> io::Result<T>) -> io::Result<T> {
        let mut world = self.disk.world.lock();
        if world.life != self.life {
            return Err(io::Error::other("a file that was open before the crash"));
        }
        run(&mut world, self.file)
    }
}

impl DiskFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        self.with(|world, file| Ok(world.file(file)?.shown.len() as u64))
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        self.with(|world, file| {
            let shown = &world.file(file)?.shown;
            let start = usize::try_from(offset).unwrap_or(usize::MAX).min(shown.len());
            let octets = shown.get(start..).unwrap_or_default();
            let read = octets.len().min(out.len());
            out.iter_mut().zip(octets).for_each(|(to, from)| *to = *from);
            Ok(read)
        })
    }

    fn reserve(&self, octets: u64) -> io::Result<()> {
        self.with(|world, file| {
            world.call()?;
            let octets_now = world.file(file)?.shown.len() as u64;
            world.grow(octets.saturating_sub(octets_now))?;
            let len = usize::try_from(octets).map_err(|_| io::ErrorKind::InvalidInput)?;
            world.file(file)?.shown.resize(len, 0);
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.with(|world, file| {
            let call = world.call()?;
            if world.faults.lie_from.is_some_and(|from| call >= from) {
                return Ok(());
            }
            if world.faults.fail_sync_at == Some(call) {
                let mut random = world.random.fork();
                world.file(file)?.fail_sync(&mut random);
                return Err(io::Error::other("simulated sync error"));
            }
            world.file(file)?.settle_all();
            Ok(())
        })
    }

    fn write_at(&self, offset: u64, octets: &[u8]) -> io::Result<()> {
        self.with(|world, file| {
            let call = world.call()?;
            let offset = usize::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
            let growth = {
                let len = world.file(file)?.shown.len();
                offset.saturating_add(octets.len()).saturating_sub(len) as u64
            };
            world.grow(growth)?;
            if world.faults.short_write_at == Some(call) {
                let kept = world.random.below(octets.len() as u64);
                let kept = octets.get(..usize::try_from(kept).unwrap_or_default());
                world.file(file)?.write(offset, kept.unwrap_or_default());
                return Err(io::Error::other("simulated short write"));
            }
            world.file(file)?.write(offset, octets);
            Ok(())
        })
    }
}

impl World {
    /// Whether there is room for so many octets more.
    fn grow(&self, octets: u64) -> io::Result<()> {
        let held: u64 = self.files.values().map(|file| file.shown.len() as u64).sum();
        if self.faults.octets_max.is_some_and(|max| held.saturating_add(octets) > max) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn file(&mut self, file: u64) -> io::Result<&mut SimFileState> {
        self.files.get_mut(&file).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

fn folder_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn file_of(name: &str) -> String {
    name.rsplit_once('/').map_or(name, |(_, file)| file).to_owned()
}

/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): a small generator whose every seed is good.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`; 0 when the limit is 0.
    fn below(&mut self, limit: u64) -> u64 {
        self.next().checked_rem(limit).unwrap_or(0)
    }

    fn fork(&mut self) -> Random {
        Random(self.next())
    }
}

/// What a disk writes whole or not at all.
const SECTOR_OCTETS: usize = 512;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_was_synced_survives_and_the_rest_by_chance() {
        let (mut lost, mut kept) = (0, 0);
        for seed in 0..64 {
            let disk = SimDisk::new(seed);
            let file = disk.create("a").unwrap();
            file.write_at(0, &[1; 1024]).unwrap();
            file.sync_data().unwrap();
            disk.sync_dir("").unwrap();
            file.write_at(512, &[2; 1024]).unwrap();
            disk.power_cut();
            assert!(file.len().is_err(), "the handle is dead");
            let left = disk.contents("a").unwrap();
            assert_eq!(left.get(..512).unwrap(), [1; 512]);
            let second = left.get(512..1024).unwrap();
            assert!(second == [1; 512] || second == [2; 512], "a sector is whole");
            if second == [1; 512] { lost += 1 } else { kept += 1 }
        }
        assert!(lost > 8 && kept > 8, "{lost} lost, {kept} kept");
    }

    #[test]
    fn an_unsynced_name_may_vanish_and_a_renamed_file_is_one_or_the_other() {
        let mut seen = BTreeSet::new();
        for seed in 0..64 {
            let disk = SimDisk::new(seed);
            disk.create("a").unwrap();
            disk.sync_dir("").unwrap();
            disk.rename("a", "b").unwrap();
            disk.create("c").unwrap();
            disk.power_cut();
            seen.insert(disk.names().join(","));
        }
        let seen: Vec<String> = seen.into_iter().collect();
        assert_eq!(seen, ["a", "b", "b,c"]);
    }

    #[test]
    fn after_a_failed_sync_reading_back_proves_nothing() {
        let mut trapped = 0;
        for seed in 0..64 {
            let disk = SimDisk::new(seed);
            let file = disk.create("a").unwrap();
            disk.sync_dir("").unwrap();
            file.write_at(0, &[0; 512]).unwrap();
            file.sync_data().unwrap();
            file.write_at(0, &[7; 512]).unwrap();
            disk.plant(Faults { fail_sync_at: Some(disk.calls() + 1), ..Faults::default() });
            assert!(file.sync_data().is_err());
            assert!(file.sync_data().is_ok(), "the second sync has nothing left to say");
            let shown = disk.contents("a").unwrap();
            disk.power_cut();
            let left = disk.contents("a").unwrap();
            trapped += u32::from(shown == [7; 512] && left == [0; 512]);
        }
        assert!(trapped > 16, "{trapped}");
    }

    #[test]
    fn faults_strike_at_their_call() {
        let disk = SimDisk::new(5);
        let file = disk.create("a").unwrap();
        disk.plant(Faults { octets_max: Some(1000), ..Faults::default() });
        file.write_at(0, &[1; 1000]).unwrap();
        let full = file.write_at(1000, &[1]).unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        disk.plant(Faults { short_write_at: Some(disk.calls() + 1), ..Faults::default() });
        assert!(file.write_at(0, &[2; 1000]).is_err());
        assert!(file.write_at(0, &[2; 1000]).is_ok());
        disk.plant(Faults { crash_at: Some(disk.calls() + 2), ..Faults::default() });
        assert!(file.write_at(0, &[3; 10]).is_ok());
        assert!(file.write_at(0, &[3; 10]).is_err());
        assert!(disk.create("b").is_err());
        disk.plant(Faults { lie_from: Some(disk.calls()), ..Faults::default() });
        assert!(file.sync_data().is_ok());
    }
}
