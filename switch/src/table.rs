//! The cards of a shard by number: an index read without locks, and cells that never move.
//!
//! The cell knows its number, so that an index need not hold it: four octets a place keep a million
//! cards near. [`OpenIndex`] is our own; [`DashIndex`] is the measured alternative
//! (`cargo bench -p cekr-benches --bench table`).
//! Cards are added, never removed: a closed card stays and says so.

use dashmap::DashMap;
use foldhash::fast::FixedState;

use cekr_iso8583::Pan;
use cekr_issuer::entry::Name;
use cekr_issuer::{Card, CardId, Controls};

use crate::sync::{AtomicU32, AtomicU64, AtomicUsize, Mutex, MutexGuard, OnceLock, Ordering};

/// Finds a card's ordinal by its number.
pub trait CardIndex: Default + Send + Sync {
    /// The ordinal of the card with this number, without a lock. Any number may be asked for; `is`
    /// tells whether a card that seems to be it has the number.
    fn find(&self, number: u64, is: impl Fn(CardId) -> bool) -> Option<CardId>;

    /// Adds a number; the caller adds one number once, and one at a time, in the order of their
    /// ordinals. `number_of` tells the number of an ordinal that was added before.
    fn insert(&self, number: u64, id: CardId, number_of: impl Fn(CardId) -> Option<u64>);
}

/// One card with what is read of it without its lock: four lines of the cache, of which processors
/// fetch two at a time. What can be read without the lock stands at both ends, so that touching it
/// fetches all four.
#[repr(C, align(128))]
pub struct Cell {
    /// A copy of the card's controls, stored under its lock.
    controls: AtomicU64,
    card: Mutex<Card>,
    /// Apart: no decision reads it.
    profile: OnceLock<Box<Profile>>,
    pan: AtomicU64,
}

/// What a card keeps for good besides its number.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// The handle for people.
    pub name: Name,
    /// The nine digits on its back.
    pub mok_id: u32,
}

impl Cell {
    fn vacant() -> Self {
        Self {
            controls: AtomicU64::new(0),
            pan: AtomicU64::new(0),
            card: Mutex::new(Card::unknown()),
            profile: OnceLock::new(),
        }
    }

    /// Takes the card's lock: held well under a microsecond, with no wait and no I/O within.
    pub fn lock(&self) -> MutexGuard<'_, Card> {
        self.card.lock()
    }

    /// The controls as they were last set, without the lock.
    pub fn controls(&self) -> Controls {
        Controls::from_word(self.controls.load(Ordering::Acquire))
    }

    /// Stores the copy of the controls; the caller holds the card's lock.
    pub fn store_controls(&self, controls: Controls) {
        self.controls.store(controls.word(), Ordering::Release);
    }

    /// The card's number.
    pub fn pan(&self) -> Option<Pan> {
        Pan::from_number(self.pan.load(Ordering::Acquire)).ok()
    }

    /// Whether this is the cell of the card with this number.
    pub fn is(&self, number: u64) -> bool {
        self.pan.load(Ordering::Relaxed) == number
    }

    /// Name and MOK ID.
    pub fn profile(&self) -> Option<&Profile> {
        self.profile.get().map(|profile| &**profile)
    }

    /// Reads the lines that a decision will need, so that they are on their way into the cache
    /// while other messages of the same read are parsed.
    pub fn touch(&self) {
        let _ = self.controls.load(Ordering::Relaxed);
        let _ = self.pan.load(Ordering::Relaxed);
    }
}

/// All cards of a shard.
pub struct CardTable<I: CardIndex = OpenIndex> {
    index: I,
    cells: Cells,
    count: AtomicU32,
    /// Serialises additions.
    adding: Mutex<()>,
}

impl<I: CardIndex> Default for CardTable<I> {
    fn default() -> Self {
        Self {
            index: I::default(),
            cells: Cells::default(),
            count: AtomicU32::new(0),
            adding: Mutex::new(()),
        }
    }
}

/// The table is full, or its next place is not the one that the entry names.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AddError {
    /// A number that is there already.
    #[error("the card number is in use already")]
    Duplicate,
    /// [`CARDS_MAX`] cards.
    #[error("a shard holds at most {CARDS_MAX} cards")]
    Full,
    /// A journal whose cards do not come in order.
    #[error("card {found} of the journal comes where card {expected} should")]
    OutOfOrder {
        /// The ordinal that is next.
        expected: u32,
        /// The ordinal in the entry.
        found: u32,
    },
}

impl<I: CardIndex> CardTable<I> {
    /// The card with this number, and its memory on its way.
    pub fn find(&self, pan: Pan) -> Option<&Cell> {
        let number = pan.expose();
        let is = |id| self.cells.at(id).is_some_and(|cell| cell.is(number));
        self.cells.at(self.index.find(number, is)?).inspect(|cell| cell.touch())
    }

    /// The card that seems to have this number, without a look at the card itself: another one for
    /// some numbers, none for most that no card has.
    pub fn guess(&self, number: u64) -> Option<&Cell> {
        self.cells.at(self.index.find(number, |_| true)?)
    }

    /// The card with this ordinal.
    pub fn by_id(&self, id: CardId) -> Option<&Cell> {
        (id.0 < self.len()).then(|| self.cells.at(id)).flatten()
    }

    /// How many cards there are.
    pub fn len(&self) -> u32 {
        self.count.load(Ordering::Acquire)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a card at the next ordinal. `make` gets that ordinal and makes the card, or refuses
    /// by an error of its own; the card can be found only after it was made.
    ///
    /// # Errors
    /// As `make` says, or [`AddError`].
    pub fn add<E: From<AddError>>(
        &self,
        pan: Pan,
        profile: Profile,
        make: impl FnOnce(CardId) -> Result<Card, E>,
    ) -> Result<CardId, E> {
        let _adding = self.adding.lock();
        let id = CardId(self.len());
        if id.0 >= CARDS_MAX {
            return Err(AddError::Full.into());
        }
        if self.find(pan).is_some() {
            return Err(AddError::Duplicate.into());
        }
        let cell = self.cells.prepare(id).ok_or(AddError::Full)?;
        let card = make(id)?;
        cell.store_controls(card.controls());
        cell.pan.store(pan.expose(), Ordering::Release);
        // A place is prepared once: nobody set its profile before.
        let _ = cell.profile.set(Box::new(profile));
        *cell.lock() = card;
        self.count.store(id.0 + 1, Ordering::Release);
        let number_of = |id| Some(self.cells.at(id)?.pan.load(Ordering::Relaxed));
        self.index.insert(pan.expose(), id, number_of);
        Ok(id)
    }
}

/// The most cards that one shard holds.
pub const CARDS_MAX: u32 = FIRST_CHUNK as u32 * ((1 << CHUNKS) - 1);

/// Cells in chunks that double, so that none ever moves and reading one takes no lock.
#[derive(Default)]
struct Cells {
    chunks: [OnceLock<Box<[Cell]>>; CHUNKS],
}

const CHUNKS: usize = 16;
const FIRST_CHUNK: usize = 1_024;

impl Cells {
    fn at(&self, id: CardId) -> Option<&Cell> {
        let (chunk, place) = Self::place(id);
        self.chunks.get(chunk)?.get()?.get(place)
    }

    fn prepare(&self, id: CardId) -> Option<&Cell> {
        let (chunk, place) = Self::place(id);
        let cells = self
            .chunks
            .get(chunk)?
            .get_or_init(|| (0..FIRST_CHUNK << chunk).map(|_| Cell::vacant()).collect());
        cells.get(place)
    }

    /// Chunk `k` begins at ordinal `FIRST_CHUNK * (2^k - 1)`.
    const fn place(id: CardId) -> (usize, usize) {
        let from_one = id.0 as usize / FIRST_CHUNK + 1;
        let chunk = from_one.ilog2() as usize;
        (chunk, id.0 as usize - FIRST_CHUNK * ((1 << chunk) - 1))
    }
}

/// Open addressing over ordinals, in tables that double.
///
/// A table is at most half full. When it is, the next one is filled aside and then published;
/// readers of the old one still find what was there. Old tables stay until the end: together they
/// are no larger than the newest.
///
/// A place is one word: six bits of what the number spreads to, over one more than the ordinal;
/// zero is free. A card in the way is told apart by these bits, in all but one of 64 cases,
/// without a look at it.
pub struct OpenIndex {
    tables: [OnceLock<Box<[AtomicU32]>>; TABLES],
    newest: AtomicUsize,
}

const TABLES: usize = 20;
const FIRST_TABLE: usize = 2_048;
/// The bits of a place that hold the ordinal.
const ORDINAL_BITS: u32 = 26;
const _: () = assert!(CARDS_MAX < 1 << ORDINAL_BITS, "an ordinal and one more fit");

impl Default for OpenIndex {
    fn default() -> Self {
        let index = Self { tables: Default::default(), newest: AtomicUsize::new(0) };
        index.prepare(0);
        index
    }
}

impl OpenIndex {
    fn prepare(&self, table: usize) -> Option<&[AtomicU32]> {
        let places = self
            .tables
            .get(table)?
            .get_or_init(|| (0..FIRST_TABLE << table).map(|_| AtomicU32::new(0)).collect());
        Some(places)
    }

    /// The places of a table that a number may stand in, the likeliest first.
    fn probe(places: &[AtomicU32], spread: u64) -> impl Iterator<Item = &AtomicU32> {
        let mask = places.len() - 1;
        // The low bits choose the place, the top ones tell cards apart.
        let start = spread as usize;
        (0..places.len()).filter_map(move |step| places.get(start.wrapping_add(step) & mask))
    }

    fn put(places: &[AtomicU32], number: u64, id: CardId) {
        let spread = spread(number);
        // At most half of the places are taken, so that one is free.
        let free = Self::probe(places, spread).find(|place| place.load(Ordering::Relaxed) == 0);
        if let Some(place) = free {
            // Whoever sees the ordinal sees its cell.
            place.store(mark(spread) | (id.0 + 1), Ordering::Release);
        }
    }
}

impl CardIndex for OpenIndex {
    fn find(&self, number: u64, is: impl Fn(CardId) -> bool) -> Option<CardId> {
        let places = self.tables.get(self.newest.load(Ordering::Acquire))?.get()?;
        let spread = spread(number);
        for place in Self::probe(places, spread) {
            let word = place.load(Ordering::Acquire);
            let id = CardId((word & ((1 << ORDINAL_BITS) - 1)).checked_sub(1)?);
            if word >> ORDINAL_BITS == mark(spread) >> ORDINAL_BITS && is(id) {
                return Some(id);
            }
        }
        None
    }

    fn insert(&self, number: u64, id: CardId, number_of: impl Fn(CardId) -> Option<u64>) {
        let newest = self.newest.load(Ordering::Acquire);
        let Some(table) = self.tables.get(newest).and_then(OnceLock::get) else {
            return;
        };
        if (id.0 as usize + 1) * 2 <= table.len() {
            return Self::put(table, number, id);
        }
        let Some(next) = self.prepare(newest + 1) else {
            return;
        };
        for known in (0..id.0).map(CardId) {
            if let Some(number) = number_of(known) {
                Self::put(next, number, known);
            }
        }
        Self::put(next, number, id);
        self.newest.store(newest + 1, Ordering::Release);
    }
}

/// Spreads numbers that differ in their last digits: both halves of a product.
fn spread(number: u64) -> u64 {
    let product = u128::from(number) * 0x9E37_79B9_7F4A_7C15;
    (product as u64) ^ (product >> 64) as u64
}

/// The bits of a place above the ordinal.
const fn mark(spread: u64) -> u32 {
    (spread >> 32) as u32 >> ORDINAL_BITS << ORDINAL_BITS
}

/// The same by dashmap with a fast hash.
pub struct DashIndex(DashMap<u64, u32, FixedState>);

impl Default for DashIndex {
    fn default() -> Self {
        Self(DashMap::with_hasher(FixedState::default()))
    }
}

impl CardIndex for DashIndex {
    fn find(&self, number: u64, _: impl Fn(CardId) -> bool) -> Option<CardId> {
        self.0.get(&number).map(|id| CardId(*id))
    }

    fn insert(&self, number: u64, id: CardId, _: impl Fn(CardId) -> Option<u64>) {
        self.0.insert(number, id.0);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use super::*;

    fn pan(account: u64) -> Pan {
        let body = 476_173_000_000_000 + account;
        (0..10).find_map(|check| Pan::from_number(body * 10 + check).ok()).unwrap()
    }

    fn finds_all_of<I: CardIndex>(count: u32) {
        let table = CardTable::<I>::default();
        let profile = Profile { name: Name::new("x").unwrap(), mok_id: 1 };
        for account in 0..count {
            let added = table.add(pan(u64::from(account)), profile, |id| {
                assert_eq!(id, CardId(account));
                Ok::<_, AddError>(Card::unknown())
            });
            assert_eq!(added, Ok(CardId(account)));
        }
        for account in 0..count {
            let cell = table.find(pan(u64::from(account))).unwrap();
            assert_eq!(cell.pan(), Some(pan(u64::from(account))));
            let by_id = table.by_id(CardId(account)).unwrap();
            assert!(std::ptr::eq(cell, by_id), "both ways lead to one cell");
        }
        for stranger in count..count * 2 {
            assert!(table.find(pan(u64::from(stranger))).is_none(), "nobody has {stranger}");
        }
        assert!(table.by_id(CardId(count)).is_none());
        let again = table.add(pan(0), profile, |_| Ok::<_, AddError>(Card::unknown()));
        assert_eq!(again, Err(AddError::Duplicate));
    }

    #[test]
    fn every_card_is_found_across_growth_by_number_and_by_ordinal() {
        finds_all_of::<OpenIndex>(20_000);
    }

    #[test]
    fn the_alternative_index_finds_the_same() {
        finds_all_of::<DashIndex>(3_000);
    }

    #[test]
    fn readers_find_what_was_added_while_the_table_grows() {
        let table = CardTable::<OpenIndex>::default();
        let profile = Profile { name: Name::new("x").unwrap(), mok_id: 1 };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for account in 0..20_000 {
                    table
                        .add(pan(account), profile, |_| Ok::<_, AddError>(Card::unknown()))
                        .unwrap();
                }
            });
            scope.spawn(|| {
                while table.len() < 20_000 {
                    let known = u64::from(table.len());
                    // The index is told after the count: the newest may still be on its way.
                    if known > 1 {
                        assert!(table.find(pan(known - 2)).is_some(), "card {} is lost", known - 2);
                    }
                }
            });
        });
    }
}
