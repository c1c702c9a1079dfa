//! A data directory looked at from outside: its keys and its journal, read without a lock and
//! without changing an octet, while a switch may be running on it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use foldhash::fast::RandomState;
use serde_json::Value;

use cekr_iso8583::Pan;
use cekr_issuer::{CardId, Entry, EntryBytes, Fact, Seq};

use crate::audit::card_of;
use crate::checkpoint;
use crate::disk::{Disk as _, FileDisk};
use crate::entry_view;
use crate::journal::{self, JOURNAL_FOLDER, OpenError, ReadEnd};
use crate::keyring::{Keyring, KeyringError, StartKey};

/// A directory with its keys, to be read.
pub struct Archive {
    dir: PathBuf,
    disk: FileDisk,
    keyring: Keyring,
}

/// Why a directory cannot be read. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The journal is damaged, or is none.
    #[error("{}: {cause}", dir.display())]
    Journal {
        /// The directory.
        dir: PathBuf,
        /// Why.
        cause: OpenError,
    },
    /// The keys cannot be had.
    #[error("{}: {cause}", dir.display())]
    Keys {
        /// The directory.
        dir: PathBuf,
        /// Why.
        cause: KeyringError,
    },
}

impl Archive {
    /// Opens a directory with the key that its own keys are wrapped by.
    ///
    /// # Errors
    /// [`ArchiveError`]: there is no journal, or its keys cannot be had.
    pub fn open(dir: &Path, start_key: &StartKey) -> Result<Archive, ArchiveError> {
        let disk = FileDisk::look(dir);
        if !disk.exists(JOURNAL_FOLDER).unwrap_or(false) {
            let cause = OpenError::NotBegun;
            return Err(ArchiveError::Journal { dir: dir.to_owned(), cause });
        }
        let keyring = Keyring::open(&disk, start_key)
            .map_err(|cause| ArchiveError::Keys { dir: dir.to_owned(), cause })?;
        Ok(Archive { dir: dir.to_owned(), disk, keyring })
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The keys of the directory.
    #[must_use]
    pub const fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// The directory's files, to be read.
    #[must_use]
    pub const fn disk(&self) -> &FileDisk {
        &self.disk
    }

    /// Whether the journal's beginning was pruned away.
    #[must_use]
    pub fn is_pruned(&self) -> bool {
        let first = journal::segment_file(1);
        !self.disk.exists(&first).unwrap_or(true)
    }

    /// Reads all entries in order, each as its octets, up to the last whole batch.
    ///
    /// # Errors
    /// [`OpenError`]: damage, with file and offset, or what `visit` said.
    pub fn read(
        &self,
        visit: &mut dyn FnMut(Seq, &EntryBytes) -> Result<(), String>,
    ) -> Result<ReadEnd, OpenError> {
        journal::read(&self.disk, self.keyring.journal_id(), visit)
    }

    /// The same as whoever called must be told it: with the directory.
    #[must_use]
    pub fn refused(&self, cause: OpenError) -> ArchiveError {
        ArchiveError::Journal { dir: self.dir.clone(), cause }
    }
}

/// Which card has which number, as the entries tell it that were seen so far.
#[derive(Default)]
pub struct Numbers {
    pans: HashMap<CardId, Pan, RandomState>,
}

impl Numbers {
    /// Looks at an entry; those of new cards tell their numbers.
    pub fn see(&mut self, keyring: &Keyring, entry: &Entry) {
        if let Fact::Issued(issued) = &entry.fact
            && let Some(card) = card_of(entry)
            && let Some(number) = keyring.open_pan(card.0, &issued.sealed_pan)
            && let Ok(pan) = Pan::from_number(number)
        {
            self.pans.insert(card, pan);
        }
    }

    /// Takes the numbers of cards whose first entries may have been pruned from the newest
    /// checkpoint that can be read; without one they stay unknown.
    pub fn see_checkpoint(&mut self, archive: &Archive) {
        for seq in checkpoint::newest_first(&archive.disk).unwrap_or_default() {
            let looked = checkpoint::look_at(&archive.disk, seq, &mut |(ordinal, sealed)| {
                let number = archive.keyring.open_pan(ordinal, &sealed);
                if let Some(pan) = number.and_then(|number| Pan::from_number(number).ok()) {
                    self.pans.insert(CardId(ordinal), pan);
                }
            });
            if looked.is_ok() {
                return;
            }
        }
    }

    /// The number of a card that was seen.
    #[must_use]
    pub fn of(&self, card: CardId) -> Option<Pan> {
        self.pans.get(&card).copied()
    }

    /// The object of `entry`, which was seen.
    #[must_use]
    pub fn json(&self, keyring: &Keyring, seq: Seq, entry: &Entry) -> Value {
        let pan = card_of(entry).and_then(|card| self.of(card));
        entry_view::json_of(keyring, pan, seq, entry)
    }
}
