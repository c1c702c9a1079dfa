//! What a card remembers of its loads: which were posted, and what was taken back of them.

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use super::points::Points;
use super::{Card, remember};
use crate::entry::{Entry, LoadName, LoadSource, LoadTakenBack, Loaded, Reference, Seq};
use crate::money::Amount;

/// References of loads that one card remembers; the oldest is forgotten first.
pub const LOADS_REMEMBERED_MAX: usize = 256;

/// What was taken back of loads that one card remembers: when there are as many, no more is taken.
pub const TAKEN_BACK_MAX: usize = 256;

/// How long a load can be taken back, in milliseconds: thirteen months, the longest that a payer
/// may dispute a payment.
pub const LOAD_TAKEN_BACK_MS: u64 = 396 * 24 * 60 * 60 * 1_000;

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Loads {
    /// Marks of those that were posted by a reference, each with its entry.
    pub(super) posted: VecDeque<(u64, Seq)>,
    /// What was taken back, the newest last.
    pub(super) taken_back: VecDeque<TakenBack>,
    /// What the card is to begin with and was not loaded yet.
    pub(super) opening: Amount,
    /// The programme's, where it has any.
    pub(super) points: Option<Box<Points>>,
}

/// What was taken back of a load at once.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct TakenBack {
    /// The load's entry.
    pub(super) load: Seq,
    pub(super) amount: Amount,
    /// The mark of what names it.
    pub(super) mark: u64,
    /// When, ms since 1970.
    pub(super) at: u64,
}

impl Card {
    /// Whether a load of this source and reference was posted already.
    #[must_use]
    pub fn has_load(&self, source: LoadSource, reference: &Reference) -> bool {
        self.load_of(source, reference).is_some()
    }

    /// The entry of the load of this source and reference, as long as the card remembers it;
    /// [`Seq::NONE`] where it was posted and its entry is not remembered.
    #[must_use]
    pub fn load_of(&self, source: LoadSource, reference: &Reference) -> Option<Seq> {
        let mark = load_mark(source, reference);
        let posted = self.loads.iter().flat_map(|loads| &loads.posted);
        posted.rev().find(|(posted, _)| *posted == mark).map(|(_, seq)| *seq)
    }

    /// What was taken back of the load of this entry, in cents.
    #[must_use]
    pub fn taken_back_of(&self, load: Seq) -> Amount {
        let taken = self.taken_back().filter(|taken| taken.load == load);
        taken.fold(Amount::default(), |sum, taken| sum.saturating_add(taken.amount))
    }

    /// Whether this was taken back of the load of this entry already.
    #[must_use]
    pub fn has_taken_back(&self, load: Seq, name: &LoadName) -> bool {
        let mark = name_mark(name);
        self.taken_back().any(|taken| taken.load == load && taken.mark == mark)
    }

    /// Whether it can remember what is taken back of one more load at `unix_ms`.
    #[must_use]
    pub fn remembers_taking_back(&self, unix_ms: u64) -> bool {
        self.taken_back().filter(|taken| is_kept(taken, unix_ms)).count() < TAKEN_BACK_MAX
    }

    fn taken_back(&self) -> impl Iterator<Item = &TakenBack> {
        self.loads.iter().flat_map(|loads| &loads.taken_back)
    }

    pub(super) fn apply_loaded(&mut self, seq: Seq, entry: &Entry, fact: &Loaded) {
        self.balance = self.balance.plus(fact.amount);
        if fact.source != LoadSource::Opening {
            self.spent.add_load(entry.date, fact.amount);
        }
        // Lines of statements are known again by all cards together: the switch keeps their keys.
        if let LoadName::Reference(reference) = &fact.name {
            let mark = load_mark(fact.source, reference);
            let loads = self.loads.get_or_insert_default();
            remember(&mut loads.posted, (mark, seq), LOADS_REMEMBERED_MAX);
        }
        if fact.source == LoadSource::Opening {
            self.loads.get_or_insert_default().opening = Amount::default();
            self.due_first = self.next_due();
        }
    }

    pub(super) fn apply_load_taken_back(&mut self, entry: &Entry, fact: &LoadTakenBack) {
        self.balance = self.balance.minus(fact.amount);
        if fact.load == Seq::NONE {
            return;
        }
        let loads = self.loads.get_or_insert_default();
        loads.taken_back.retain(|taken| is_kept(taken, entry.at));
        let (load, amount, at) = (fact.load, fact.amount, entry.at);
        let taken = TakenBack { load, amount, mark: name_mark(&fact.name), at };
        remember(&mut loads.taken_back, taken, TAKEN_BACK_MAX);
    }
}

/// The load was there before: when this is too old, the load is.
const fn is_kept(taken: &TakenBack, unix_ms: u64) -> bool {
    unix_ms.saturating_sub(taken.at) <= LOAD_TAKEN_BACK_MS
}

/// FNV-1a over source and reference. A card keeps a few hundred of them, so that two different
/// references of one card meeting in 64 bits is out of reach of anything but intent, and whoever
/// can choose references can load money anyway.
fn load_mark(source: LoadSource, reference: &Reference) -> u64 {
    fnv(core::iter::once(source as u8).chain(reference.as_str().bytes()))
}

fn name_mark(name: &LoadName) -> u64 {
    match name {
        LoadName::Line(line) => fnv(core::iter::once(0).chain(line.key.0)),
        LoadName::Reference(reference) => {
            fnv(core::iter::once(1).chain(reference.as_str().bytes()))
        }
    }
}

fn fnv(octets: impl Iterator<Item = u8>) -> u64 {
    octets.fold(0xCBF2_9CE4_8422_2325, |mark, octet| {
        (mark ^ u64::from(octet)).wrapping_mul(0x0100_0000_01B3)
    })
}
