//! Faults of the shell that are put in on purpose, so that it can be seen that the tests find them.
//!
//! In a build with the feature `planted`, which no release has, `CEKR_PLANTED` names the one fault
//! that is in the process; `cekr_issuer::planted` has those of the decision. Without the feature
//! [`is`] is the constant `false`.

use cekr_issuer::{Card, Controls, Now};

#[cfg(feature = "planted")]
use crate::sync::OnceLock;

/// A fault of journal, engine or shard.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// An answer leaves when its entry is written, and the sync follows with the next batch.
    AckBeforeSync,
    /// A checkpoint gets its name before the entries in it are durable.
    CheckpointAhead,
    /// A card in a checkpoint does not tell which entries it has.
    CheckpointWithoutSeq,
    /// A lock or an untick changes the card and makes no entry.
    LockNotDurable,
    /// A key that was answered is decided anew.
    NoDedupe,
    /// A repeat is answered before the entry of its original is durable.
    RepeatBeforeDurable,
    /// An old segment behind the end of the journal is taken for an empty one.
    StaleSegmentAccepted,
    /// The ticks and the lock are read before the card's lock is taken.
    StaleTick,
    /// A batch whose entries are not as they were written is taken for whole.
    TornBatchAccepted,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Fault; 9] = [
        Fault::AckBeforeSync,
        Fault::CheckpointAhead,
        Fault::CheckpointWithoutSeq,
        Fault::LockNotDurable,
        Fault::NoDedupe,
        Fault::RepeatBeforeDurable,
        Fault::StaleSegmentAccepted,
        Fault::StaleTick,
        Fault::TornBatchAccepted,
    ];

    /// The name by which it is chosen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Fault::AckBeforeSync => "ack_before_sync",
            Fault::CheckpointAhead => "checkpoint_ahead",
            Fault::CheckpointWithoutSeq => "checkpoint_without_seq",
            Fault::LockNotDurable => "lock_not_durable",
            Fault::NoDedupe => "no_dedupe",
            Fault::RepeatBeforeDurable => "repeat_before_durable",
            Fault::StaleSegmentAccepted => "stale_segment_accepted",
            Fault::StaleTick => "stale_tick",
            Fault::TornBatchAccepted => "torn_batch_accepted",
        }
    }
}

/// Whether this fault is planted.
#[cfg(feature = "planted")]
#[must_use]
pub fn is(fault: Fault) -> bool {
    choose() == Some(fault)
}

/// Whether this fault is planted: never, in a build without them.
#[cfg(not(feature = "planted"))]
#[must_use]
pub const fn is(_: Fault) -> bool {
    false
}

/// Reads the choice once, and hands a fault of the decision to the issuer.
#[cfg(feature = "planted")]
fn choose() -> Option<Fault> {
    static CHOSEN: OnceLock<Option<Fault>> = OnceLock::new();
    *CHOSEN.get_or_init(|| {
        let name = std::env::var("CEKR_PLANTED").unwrap_or_default();
        if name.is_empty() {
            return None;
        }
        tracing::warn!(fault = name, "A FAULT IS PLANTED: this build is for tests only");
        let issuers = cekr_issuer::planted::Fault::ALL.iter().find(|fault| fault.name() == name);
        if let Some(fault) = issuers {
            cekr_issuer::planted::plant(*fault);
        }
        Fault::ALL.into_iter().find(|fault| fault.name() == name)
    })
}

/// Makes sure that the choice has been read; nothing in a build without faults.
pub fn prepare() {
    #[cfg(feature = "planted")]
    choose();
}

/// The card with controls that were read too early, if that fault is planted.
#[must_use]
pub(crate) fn stale(card: &Card, early: Option<Controls>, now: Now) -> Option<Card> {
    let early = early.filter(|_| is(Fault::StaleTick))?;
    let mut judged = card.clone();
    let fact = cekr_issuer::Fact::ControlsSet(early);
    judged.apply(card.last_seq(), &cekr_issuer::decide::entry(card, now, fact));
    Some(judged)
}
