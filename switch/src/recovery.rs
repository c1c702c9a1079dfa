//! A shard out of a directory: its keys, the newest checkpoint that does, and the journal behind
//! it.

use crate::answers::AnswersConfig;
use crate::checkpoint;
use crate::disk::Disk;
use crate::journal::{Journal, JournalConfig, OpenError, Recovered, Senseless, Seq};
use crate::keyring::{Keyring, KeyringError, StartKey};
use crate::shard::{ReplayError, Shard};
use crate::sync::Arc;

/// How a shard is kept.
pub struct Plan<'a> {
    /// The key that opens the directory's keys.
    pub start_key: &'a StartKey,
    /// The sizes of the journal; its id comes from the keys.
    pub journal: JournalConfig,
    /// The sizes of the memory of answers.
    pub answers: AnswersConfig,
    /// Who commits.
    pub drive: Drive,
}

/// Who commits the journal's entries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Drive {
    /// Whoever calls [`Journal::commit_now`].
    Inline,
    /// A thread of its own.
    Thread,
}

/// Why there is no shard.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The journal cannot be opened.
    #[error(transparent)]
    Journal(#[from] OpenError),
    /// The keys cannot be had.
    #[error(transparent)]
    Keys(#[from] KeyringError),
    /// The journal is whole, and an entry of it does not make sense.
    #[error("entry {seq}: {cause}")]
    Replay {
        /// The entry.
        seq: Seq,
        /// Why.
        cause: ReplayError,
    },
}

/// Recovers the shard of a directory, or makes a new one.
///
/// # Errors
/// [`RecoveryError`]; nothing was changed, except when the disk itself refused.
pub fn recover(
    disk: &Arc<dyn Disk>,
    plan: &Plan<'_>,
    entropy: &mut dyn FnMut(&mut [u8]),
) -> Result<(Shard, Recovered), RecoveryError> {
    let checkpoints = checkpoint::newest_first(&**disk).unwrap_or_else(|error| {
        tracing::warn!(%error, "checkpoints cannot be listed; replaying without one");
        Vec::new()
    });
    for seq in checkpoints {
        // Each try begins anew: what a broken checkpoint has told is worth nothing.
        let shard = empty(disk, plan, entropy)?;
        let start = match checkpoint::load(&**disk, seq, &shard, back_max(plan)) {
            Ok(start) => start,
            Err(error) => {
                tracing::warn!(%error, "a checkpoint is of no use; trying without it");
                continue;
            }
        };
        match replay(&shard, plan, Some(&start)) {
            Err(RecoveryError::Journal(error)) if checkpoint::is_refused(&error) => {
                tracing::warn!(%error, %seq, "a checkpoint is of no use; trying without it");
            }
            done => return done.map(|recovered| (shard, recovered)),
        }
    }
    let shard = empty(disk, plan, entropy)?;
    let recovered = replay(&shard, plan, None)?;
    Ok((shard, recovered))
}

fn empty(
    disk: &Arc<dyn Disk>,
    plan: &Plan<'_>,
    entropy: &mut dyn FnMut(&mut [u8]),
) -> Result<Shard, RecoveryError> {
    let keyring = Keyring::open_or_create(&**disk, plan.start_key, entropy)?;
    let config = JournalConfig { journal_id: keyring.journal_id(), ..plan.journal.clone() };
    let journal = Journal::unread(Arc::clone(disk), &config)?;
    Ok(Shard::new(journal, keyring, plan.answers))
}

fn replay(
    shard: &Shard,
    plan: &Plan<'_>,
    start: Option<&crate::journal::Start>,
) -> Result<Recovered, RecoveryError> {
    let senseless = std::cell::RefCell::new(None);
    let told = |done: Result<(), (Seq, ReplayError)>| {
        done.map_err(|(seq, cause)| {
            *senseless.borrow_mut() = Some((seq, cause));
            Senseless { seq, reason: cause.to_string() }
        })
    };
    let mut refill = |first, entries: &[_]| told(shard.refill_all(first, entries));
    let mut replay = |first, entries: &[_]| told(shard.replay_all(first, entries));
    let journal = shard.journal();
    let recovered = match plan.drive {
        Drive::Inline => journal.recover_from_inline(start, &mut refill, &mut replay),
        Drive::Thread => journal.recover_from(start, &mut refill, &mut replay),
    };
    if let Some((seq, cause)) = senseless.into_inner() {
        return Err(RecoveryError::Replay { seq, cause });
    }
    Ok(recovered?)
}

/// Entries in front of a checkpoint's mark that are read again at most. Keys are spread evenly
/// over the places of answers: of twice as many as there are, hardly one is still kept.
fn back_max(plan: &Plan<'_>) -> u64 {
    (plan.answers.answers_max as u64).saturating_mul(2)
}
