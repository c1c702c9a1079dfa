//! What opening a journal finds, why it cannot be opened, and how it can end.

use std::fmt;
use std::io;

use super::Seq;

/// What opening found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Recovered {
    /// The journal was made now.
    pub created: bool,
    /// Entries replayed.
    pub entries: u64,
    /// The entry behind which the replay began, when it was not the first.
    pub started_behind: Seq,
    /// The newest of them.
    pub last: Seq,
    /// The epoch that new entries get.
    pub epoch: u32,
    /// Segments read.
    pub segments: u32,
    /// What was cut off the end.
    pub cut: Option<Cut>,
    /// A seal was lost in a power cut, and the batch behind it was not.
    pub seal_rebuilt: bool,
}

/// A torn end that was cut off: a batch that no answer had waited for to the end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cut {
    /// The segment's file.
    pub file: String,
    /// Where the cut begins, in octets.
    pub offset: u64,
    /// Octets cut, up to the last that was not zero.
    pub octets: u64,
    /// Octets by which the file was shorter than it had been made. No crash does that: a copy
    /// was cut short.
    pub missing_octets: u64,
    /// Entries that the torn batch says it held; 0 when its header cannot be read.
    pub entries: u32,
}

/// Why a journal cannot be opened. Nothing was changed, except after [`OpenError::Io`].
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A setting is out of its range.
    #[error("{setting}: {reason}")]
    Config {
        /// The setting's name.
        setting: &'static str,
        /// Its range, in words.
        reason: &'static str,
    },
    /// What was durable once cannot be read, and it is not the torn end of a crash.
    #[error("{file} is damaged at offset {offset}: {cause}; nothing was changed")]
    Damaged {
        /// The segment's file.
        file: String,
        /// Where, in octets.
        offset: u64,
        /// What is wrong.
        cause: Damage,
    },
    /// A batch of another journal.
    #[error(
        "{file} belongs to another journal (offset {offset}); put back this directory's own \
         file, or give the other journal its own --data"
    )]
    Foreign {
        /// The segment's file.
        file: String,
        /// Where, in octets.
        offset: u64,
    },
    /// The disk refused.
    #[error("{file}: {source}")]
    Io {
        /// The file or folder.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// The directory has keys and no journal.
    #[error(
        "the directory has been in use, but its folder `journal` is gone; put it back, or start \
         in an empty directory"
    )]
    Missing,
    /// Written by a newer program.
    #[error("{file} has journal format {version}; this program reads up to format 1")]
    Newer {
        /// The segment's file.
        file: String,
        /// Its version.
        version: u8,
    },
    /// No journal has begun in the directory.
    #[error("there is no journal here")]
    NotBegun,
    /// The state at hand has entries in it that this journal does not have.
    #[error("the journal does not bear out the checkpoint: {reason}")]
    NoStart {
        /// In what.
        reason: &'static str,
    },
    /// The journal's folder holds something else.
    #[error("{file} is no journal segment; move it away")]
    NotASegment {
        /// The file.
        file: String,
    },
    /// An entry was read whole and refused by what it was replayed into.
    #[error("entry {seq} cannot be replayed: {reason}")]
    Replay {
        /// The entry.
        seq: Seq,
        /// What the replay said.
        reason: String,
    },
    /// The system gave no thread.
    #[error("the journal's thread cannot be started: {0}")]
    Thread(io::Error),
}

impl OpenError {
    /// The segment's file and the octet in it, where the error has a place.
    #[must_use]
    pub fn place(&self) -> Option<(&str, u64)> {
        match self {
            OpenError::Damaged { file, offset, .. } | OpenError::Foreign { file, offset } => {
                Some((file, *offset))
            }
            OpenError::Newer { file, .. } => Some((file, 0)),
            OpenError::Config { .. }
            | OpenError::Io { .. }
            | OpenError::Missing
            | OpenError::NoStart { .. }
            | OpenError::NotASegment { .. }
            | OpenError::NotBegun
            | OpenError::Replay { .. }
            | OpenError::Thread(_) => None,
        }
    }
}

/// What is wrong with a damaged journal.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Damage {
    /// The chain stops, but not at the end.
    #[error(
        "what stands here is no whole batch, but one follows at offset {whole_offset} of \
         {whole_file}"
    )]
    Broken {
        /// Where a whole batch was found.
        whole_file: String,
        /// Where in it, in octets.
        whole_offset: u64,
    },
    /// A seal is missing between batches that were both durable.
    #[error("a seal is missing here, and batches that were written later follow")]
    LostSeal,
    /// A whole batch that does not follow on the one before it.
    #[error("a whole batch that does not belong here: repeated, moved, or from an older copy")]
    Misplaced,
    /// A segment that must be there is not.
    #[error("this segment is missing")]
    MissingSegment,
    /// The first batch of all is not there.
    #[error("the journal's first batch is not there")]
    NoFirstBatch,
}

/// A write or sync that failed. The journal takes and acknowledges nothing more.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "the journal has failed: {action} {file}: {message}; nothing later is acknowledged, and \
     nothing is tried again"
)]
pub struct JournalFailure {
    /// What was tried.
    pub action: FailedAction,
    /// On which file or folder.
    pub file: String,
    /// The kind of error.
    pub kind: io::ErrorKind,
    /// What the system said.
    pub message: String,
}

/// What was tried when a journal failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FailedAction {
    /// Finding room for what still waited at a clean stop.
    MakeRoom,
    /// Making written octets durable.
    Sync,
    /// Making durable which files a folder holds.
    SyncFolder,
    /// Writing a batch.
    Write,
}

impl fmt::Display for FailedAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FailedAction::MakeRoom => "making room behind",
            FailedAction::Sync => "sync of",
            FailedAction::SyncFolder => "sync of folder",
            FailedAction::Write => "write to",
        })
    }
}
