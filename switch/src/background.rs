//! What is done beside the lanes: checkpoints, what fell due on cards that nobody uses, and
//! assignments that are half done.
//!
//! One thread with its own pace, in small steps: it must never be in an answer's way.

use cekr_issuer::{CardId, Now};

use crate::checkpoint::{Keeper, Pace};
use crate::clock::Clock;
use crate::shard::Shard;
use crate::sync::{Arc, AtomicBool, JoinHandle, Ordering, Thread, ThreadBuilder, park};

/// Walks over all cards, again and again, and enters what has fallen due on them.
///
/// A card that is used settles by itself before it is judged; this is for the others, so that
/// their balances tell the truth and their holds do not live on in the books.
#[derive(Debug, Default)]
pub struct Sweeper {
    next: u32,
}

impl Sweeper {
    /// Looks at some cards, a whole round within an hour; enters at most so many facts. Tells
    /// whether it stopped because of that.
    pub fn turn(&mut self, shard: &Shard, now: Now, entries_max: usize) -> bool {
        let cards = shard.cards().len();
        let portion = cards.div_ceil(TURNS_PER_HOUR).max(CARDS_PER_TURN_MIN).min(cards);
        let now = shard.not_before_last(now);
        let mut left = entries_max;
        for _ in 0..portion {
            if self.next >= cards {
                self.next = 0;
            }
            if let Some(cell) = shard.cards().by_id(CardId(self.next)) {
                let mut card = cell.lock();
                match shard.settle_some(cell, &mut card, now, left) {
                    // What the journal does not take now will be due at the next round too.
                    Err(_) => return true,
                    Ok(entered) => left = left.saturating_sub(entered),
                }
            }
            if left == 0 {
                return true;
            }
            self.next += 1;
        }
        false
    }
}

/// The thread and how it is told to end.
pub(crate) struct Background {
    thread: JoinHandle<()>,
    stopping: Arc<AtomicBool>,
}

/// What the thread works on.
pub(crate) struct BackgroundParts {
    pub(crate) shard: Arc<Shard>,
    pub(crate) clock: Clock,
    /// None in memory.
    pub(crate) keeper: Option<Keeper>,
    /// Facts entered at a time: a quarter of a batch.
    pub(crate) entries_max: usize,
}

impl Background {
    pub(crate) fn start(parts: BackgroundParts) -> std::io::Result<Background> {
        let stopping = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stopping);
        let thread = ThreadBuilder::new()
            .name("cekr-background".to_owned())
            .spawn(move || run(parts, &told))?;
        Ok(Background { thread, stopping })
    }

    /// Ends the thread; a checkpoint that is half taken is left behind.
    pub(crate) fn stop(self) {
        self.stopping.store(true, Ordering::Release);
        let thread: &Thread = self.thread.thread();
        thread.unpark();
        if self.thread.join().is_err() {
            tracing::error!("the background thread has panicked");
        }
    }
}

fn run(parts: BackgroundParts, stopping: &AtomicBool) {
    let BackgroundParts { shard, clock, mut keeper, entries_max } = parts;
    let mut sweeper = Sweeper::default();
    let mut swept = clock.ticks();
    while !stopping.load(Ordering::Acquire) {
        if clock.ticks().ms_since(swept) >= SWEEP_MS {
            swept = clock.ticks();
            sweeper.turn(&shard, clock.now(), entries_max);
            // Assignments that a crash or a caller left half done. What the journal does not take
            // now, it takes the next time.
            let _ = crate::statements::finish_assigned(&shard, clock.now());
        }
        match keeper.as_mut().map_or(Pace::Rest, |keeper| keeper.turn(&shard)) {
            Pace::GoOn => park(STEP_PAUSE_US),
            Pace::Rest => park(REST_US),
        }
    }
}

/// Between two looks at cards.
const SWEEP_MS: u64 = 1_000;
const TURNS_PER_HOUR: u32 = 3_600;
/// A small table is swept sooner than within an hour.
const CARDS_PER_TURN_MIN: u32 = 64;
/// Between two blocks of a checkpoint: at 64 KiB a block, 30 MB a second.
const STEP_PAUSE_US: u64 = 2_000;
/// Between two looks whether a checkpoint is due.
const REST_US: u64 = 100_000;
