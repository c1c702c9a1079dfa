//! Files as the journal sees them: a few calls over named files, and the real directory behind
//! them.
//!
//! The calls are the ones that fault injectors reach (`pwrite`, `pread`, `fdatasync`, `rename`);
//! everything that the switch keeps goes through them, so that a simulated disk
//! ([`SimDisk`](crate::journal::SimDisk)) can stand in and lose what was never synced.
//!
//! Names are relative to the disk's root, parts joined by `/`: `meta`, `journal/00000001.seg`.
//!
//! ```
//! use cekr_switch::disk::{Disk, FileDisk};
//!
//! # let folder = std::env::temp_dir().join(format!("cekr-disk-{}", std::process::id()));
//! let disk = FileDisk::own(&folder)?;
//! let file = disk.create("note")?;
//! file.write_at(0, b"kept")?;
//! file.sync_data()?;
//! disk.sync_dir("")?;
//! assert_eq!(file.len()?, 4);
//! assert!(FileDisk::own(&folder).is_err(), "one owner at a time");
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::sync::Arc;

/// A directory of files.
///
/// A change of the directory itself (create, rename, remove) is only durable after
/// [`Disk::sync_dir`] of the folders it touched.
pub trait Disk: Send + Sync {
    /// Makes a new, empty file; a file of that name is an error.
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Makes a folder; one that exists already is no error.
    fn create_dir(&self, name: &str) -> io::Result<()>;
    /// Whether a file or folder of that name exists.
    fn exists(&self, name: &str) -> io::Result<bool>;
    /// The names of the files and folders in a folder (`""` is the root), sorted, without path.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;
    /// Opens an existing file.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Renames a file or folder; a file that has the new name is replaced at once.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Makes durable which files a folder (`""` is the root) holds.
    fn sync_dir(&self, folder: &str) -> io::Result<()>;
}

/// One open file.
pub trait DiskFile: Send + Sync {
    /// Length in octets.
    fn len(&self) -> io::Result<u64>;
    /// Whether the file holds no octet.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Fills `out` from `offset`; tells how many octets there were before the end of the file.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<usize>;
    /// Makes an empty file so long, of zeros, with its room on the disk taken, but not written.
    fn reserve(&self, octets: u64) -> io::Result<()>;
    /// Makes content and length durable. After an error nothing is known of what was written
    /// since the last success, and trying again proves nothing.
    fn sync_data(&self) -> io::Result<()>;
    /// Writes all of `octets` at `offset`, extending the file where needed.
    fn write_at(&self, offset: u64, octets: &[u8]) -> io::Result<()>;
}

/// Reads a whole file of at most `octets_max`.
///
/// # Errors
/// What the disk says, or `InvalidData` for a longer file.
pub fn read_all(file: &dyn DiskFile, octets_max: u64) -> io::Result<Vec<u8>> {
    let len = file.len()?;
    let fits = if len <= octets_max { usize::try_from(len).ok() } else { None };
    let Some(len) = fits else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is too long"));
    };
    let mut octets = vec![0; len];
    let read = file.read_at(0, &mut octets)?;
    octets.truncate(read);
    Ok(octets)
}

/// A real directory: owned by this process for as long as the value lives, or only looked at.
pub struct FileDisk {
    root: PathBuf,
    // Held for its lock only: the kernel lets go of it when the process ends, however it ends.
    // Without it nothing can be changed.
    lock: Option<File>,
}

/// Why a directory could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// The directory or its lock file cannot be made or opened.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// What could not be opened.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process has it.
    #[error(
        "{path} is in use by another cekr ({owner}); stop that one, or give this one its own \
         --data",
        path = path.display()
    )]
    Taken {
        /// The directory.
        path: PathBuf,
        /// Who holds it, as it wrote itself down.
        owner: String,
    },
}

impl FileDisk {
    /// Takes a directory, making it where it is missing. Its lock file is taken before anything
    /// else in it is read.
    ///
    /// # Errors
    /// [`TakeError::Taken`] while another process holds it.
    pub fn own(root: &Path) -> Result<FileDisk, TakeError> {
        let failed = |path: &Path| {
            let path = path.to_path_buf();
            move |source| TakeError::Io { path, source }
        };
        make_durable_dir(root).map_err(failed(root))?;
        let path = root.join(LOCK_NAME);
        let lock = OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .mode(FILE_MODE)
            .open(&path)
            .map_err(failed(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let owner = std::fs::read_to_string(&path).unwrap_or_default();
                let owner = owner.trim();
                let owner = if owner.is_empty() { "unknown process" } else { owner };
                return Err(TakeError::Taken {
                    path: root.to_path_buf(),
                    owner: owner.chars().take(OWNER_CHARACTERS_MAX).collect(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed(&path)(source)),
        }
        // For people only: who holds it. The lock itself is what counts.
        lock.set_len(0).map_err(failed(&path))?;
        writeln!(&lock, "process {}", std::process::id()).map_err(failed(&path))?;
        Ok(FileDisk { root: root.to_path_buf(), lock: Some(lock) })
    }

    /// A directory to be read and nothing else, whoever owns it: no lock is taken, files are
    /// opened for reading, and every call that would change something is refused.
    #[must_use]
    pub fn look(root: &Path) -> FileDisk {
        FileDisk { root: root.to_path_buf(), lock: None }
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Refuses what only an owner may do.
    fn owned(&self) -> io::Result<()> {
        match self.lock {
            Some(_) => Ok(()),
            None => Err(io::ErrorKind::ReadOnlyFilesystem.into()),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.root.clone() } else { self.root.join(name) }
    }
}

impl Disk for FileDisk {
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.owned()?;
        let mut options = OpenOptions::new();
        options.create_new(true).read(true).write(true).mode(FILE_MODE);
        Ok(Arc::new(options.open(self.path(name))?))
    }

    fn create_dir(&self, name: &str) -> io::Result<()> {
        self.owned()?;
        DirBuilder::new().recursive(true).mode(DIR_MODE).create(self.path(name))
    }

    fn exists(&self, name: &str) -> io::Result<bool> {
        self.path(name).try_exists()
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(self.path(folder))? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(self.lock.is_some());
        Ok(Arc::new(options.open(self.path(name))?))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.owned()?;
        std::fs::remove_file(self.path(name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.owned()?;
        std::fs::rename(self.path(from), self.path(to))
    }

    fn sync_dir(&self, folder: &str) -> io::Result<()> {
        self.owned()?;
        File::open(self.path(folder))?.sync_all()
    }
}

impl DiskFile for File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = out.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let at = offset.saturating_add(filled as u64);
            match FileExt::read_at(self, rest, at) {
                Ok(0) => break,
                Ok(read) => filled = filled.saturating_add(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    #[cfg(target_os = "linux")]
    fn reserve(&self, octets: u64) -> io::Result<()> {
        Ok(rustix::fs::fallocate(self, rustix::fs::FallocateFlags::empty(), 0, octets)?)
    }

    // Elsewhere room cannot be taken by a call that is the same everywhere: better no file.
    #[cfg(not(target_os = "linux"))]
    fn reserve(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync_data(&self) -> io::Result<()> {
        File::sync_data(self)
    }

    fn write_at(&self, offset: u64, octets: &[u8]) -> io::Result<()> {
        self.write_all_at(octets, offset)
    }
}

/// Makes the directory and syncs the one above, so that a power cut cannot take it away again.
fn make_durable_dir(root: &Path) -> io::Result<()> {
    if root.try_exists()? {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(DIR_MODE).create(root)?;
    let above = match root.parent() {
        Some(above) if !above.as_os_str().is_empty() => above,
        Some(_) | None => Path::new("."),
    };
    File::open(above)?.sync_all()
}

/// The file whose lock says who owns the directory.
const LOCK_NAME: &str = "lock";
/// Only the owner reads what the switch keeps.
const FILE_MODE: u32 = 0o600;
const DIR_MODE: u32 = 0o700;
/// Of a lock file's text, what an error message shows.
const OWNER_CHARACTERS_MAX: usize = 40;

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    #[test]
    fn reserved_room_reads_as_zeros_and_can_be_written() {
        let folder = std::env::temp_dir().join(format!("cekr-reserve-{}", std::process::id()));
        let disk = FileDisk::own(&folder).unwrap();
        let file = disk.create("room").unwrap();
        file.reserve(8_192).unwrap();
        file.write_at(4_096, b"here").unwrap();
        file.sync_data().unwrap();
        let octets = read_all(&*file, 8_192).unwrap();
        assert_eq!(octets.len(), 8_192);
        assert_eq!(octets.iter().filter(|octet| **octet != 0).count(), 4);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
