//! Failures around a card, a range of cards or a terminal: what a guesser leaves behind.
//!
//! A failure is a number that does not exist, a wrong expiry, a wrong PIN. Whoever collects too
//! many of them within a window is refused what would otherwise be approved. The counters are this
//! node's, in memory and of fixed size: a restart forgets them, and where two keys meet in one
//! place the one with fewer failures gives way.
//!
//! Reading takes no lock: every approval asks.

use cekr_iso8583::{Pan, TerminalId};
use cekr_issuer::policy::Abuse;
use cekr_issuer::{CardId, Now, Policy, Request};

use crate::sync::{AtomicU64, Mutex, Ordering};

/// The counters.
pub struct Failures {
    places: Box<[Place]>,
    /// Until when a window can be open, ms since 1970: while nobody guesses, that is all that is
    /// looked at.
    open_until: AtomicU64,
    /// Counting is rare and goes one at a time.
    counting: Mutex<()>,
    secret: u64,
}

/// One counter: the mark of its key, and its window's start and count.
#[derive(Default)]
struct Place {
    mark: AtomicU64,
    /// Milliseconds since 1970 of the first failure, above [`COUNT_BITS`] bits of count.
    window: AtomicU64,
}

/// Failures that one counter tells apart; settings above are as good as off.
pub const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;

const COUNT_BITS: u32 = 20;
const PLACES: usize = 1 << 14;
/// Places in which a key may stand.
const PROBED: usize = 4;

/// What failures are counted around.
#[derive(Clone, Copy)]
enum Around {
    Card(CardId),
    Range(u64),
    Terminal { acquirer: u64, terminal: TerminalId },
}

impl Failures {
    /// Empty counters; nobody who does not know `secret` can choose keys that meet in one place.
    #[must_use]
    pub fn new(secret: u64) -> Self {
        let places = (0..PLACES).map(|_| Place::default()).collect();
        Self { places, open_until: AtomicU64::new(0), counting: Mutex::new(()), secret }
    }

    /// Whether failures around the request's card, range or terminal have reached their bound.
    #[must_use]
    pub fn are_too_many(
        &self,
        request: &Request,
        card: Option<CardId>,
        policy: &Policy,
        now: Now,
    ) -> bool {
        if now.unix_ms >= self.open_until.load(Ordering::Relaxed) {
            return false;
        }
        around(request, card, policy).any(|(around, max)| {
            max > 0 && self.count(around, policy.abuse, now) >= u64::from(max).min(COUNT_MAX)
        })
    }

    /// Counts a failure of the request.
    pub fn add(&self, request: &Request, card: Option<CardId>, policy: &Policy, now: Now) {
        let _counting = self.counting.lock();
        let end = now.unix_ms.saturating_add(u64::from(policy.abuse.window_s) * 1_000);
        self.open_until.fetch_max(end, Ordering::Relaxed);
        for (around, max) in around(request, card, policy) {
            if max > 0 {
                self.add_one(around, policy.abuse, now);
            }
        }
    }

    fn count(&self, around: Around, abuse: Abuse, now: Now) -> u64 {
        let mark = self.mark(around);
        let place = self.probe(mark).find(|place| place.mark.load(Ordering::Acquire) == mark);
        place.map_or(0, |place| live_count(place.window.load(Ordering::Relaxed), abuse, now))
    }

    fn add_one(&self, around: Around, abuse: Abuse, now: Now) {
        let mark = self.mark(around);
        let live = |place: &Place| live_count(place.window.load(Ordering::Relaxed), abuse, now);
        let own = self.probe(mark).find(|place| place.mark.load(Ordering::Relaxed) == mark);
        let Some(place) = own.or_else(|| self.probe(mark).min_by_key(|place| live(place))) else {
            return;
        };
        let is_own = place.mark.load(Ordering::Relaxed) == mark;
        let window = match live(place) {
            before if is_own && before > 0 => {
                place.window.load(Ordering::Relaxed) + u64::from(before < COUNT_MAX)
            }
            _ => now.unix_ms << COUNT_BITS | 1,
        };
        // A reader between the two stores sees another key's count for once.
        place.window.store(window, Ordering::Relaxed);
        place.mark.store(mark, Ordering::Release);
    }

    fn probe(&self, mark: u64) -> impl Iterator<Item = &Place> {
        let start = mark as usize;
        (0..PROBED).filter_map(move |step| self.places.get((start + step) % PLACES))
    }

    /// Never zero, which a free place has.
    fn mark(&self, around: Around) -> u64 {
        let (left, right) = match around {
            Around::Card(card) => (1, u64::from(card.0)),
            Around::Range(prefix) => (2, prefix),
            Around::Terminal { acquirer, terminal } => {
                (acquirer.rotate_left(8) ^ 3, u64::from_le_bytes(*terminal.octets()))
            }
        };
        let product = u128::from(left ^ self.secret) * u128::from(right ^ SPREAD);
        (product as u64 ^ (product >> 64) as u64) | 1 << 63
    }
}

/// What a failure of this request is counted around, each with its bound.
fn around<'p>(
    request: &Request,
    card: Option<CardId>,
    policy: &'p Policy,
) -> impl Iterator<Item = (Around, u32)> + use<'p> {
    let Abuse { card_failures, bin_failures, terminal_failures, .. } = policy.abuse;
    let terminal =
        Around::Terminal { acquirer: request.key.acquirer, terminal: request.key.terminal };
    let range = request.pan.ok().and_then(|pan| range_of(pan, policy));
    [
        card.map(|card| (Around::Card(card), card_failures)),
        range.map(|prefix| (Around::Range(prefix), bin_failures)),
        Some((terminal, terminal_failures)),
    ]
    .into_iter()
    .flatten()
}

fn range_of(pan: Pan, policy: &Policy) -> Option<u64> {
    policy.bins.iter().find(|bin| bin.holds(pan)).map(|bin| bin.prefix)
}

/// The count of a window that is still open.
const fn live_count(window: u64, abuse: Abuse, now: Now) -> u64 {
    let started = window >> COUNT_BITS;
    let is_open = now.unix_ms < started + abuse.window_s as u64 * 1_000;
    if is_open { window & COUNT_MAX } else { 0 }
}

const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use cekr_issuer::LocalDate;

    use super::*;

    fn now(passed_ms: u64) -> Now {
        let unix_ms = 1_795_341_600_000 + passed_ms;
        Now { unix_ms, local_date: LocalDate::new(2026, 11, 22) }
    }

    #[test]
    fn failures_are_counted_around_their_key_until_the_window_ends() {
        let failures = Failures::new(7);
        let abuse = Abuse { window_s: 600, ..Abuse::default() };
        let (one, other) = (Around::Card(CardId(1)), Around::Card(CardId(2)));
        for passed in 0..5 {
            failures.add_one(one, abuse, now(passed * 100_000));
        }
        assert_eq!(failures.count(one, abuse, now(599_999)), 5);
        assert_eq!(failures.count(other, abuse, now(599_999)), 0);
        assert_eq!(failures.count(one, abuse, now(600_000)), 0, "the window began with the first");
        failures.add_one(one, abuse, now(600_000));
        assert_eq!(failures.count(one, abuse, now(700_000)), 1);
    }

    #[test]
    fn however_many_keys_fail_the_counters_do_not_grow_and_the_worst_stay() {
        let failures = Failures::new(7);
        let abuse = Abuse::default();
        let worst = Around::Range(476_173);
        for _ in 0..50 {
            failures.add_one(worst, abuse, now(0));
        }
        for card in 0..100_000 {
            failures.add_one(Around::Card(CardId(card)), abuse, now(1));
        }
        assert_eq!(failures.count(worst, abuse, now(2)), 50);
    }

    #[test]
    fn a_counter_ends_at_its_largest_number() {
        let abuse = Abuse::default();
        let failures = Failures::new(7);
        let card = Around::Card(CardId(1));
        failures.add_one(card, abuse, now(0));
        let place = failures.probe(failures.mark(card)).next().unwrap();
        place.window.store(now(0).unix_ms << COUNT_BITS | COUNT_MAX, Ordering::Relaxed);
        failures.add_one(card, abuse, now(1));
        assert_eq!(failures.count(card, abuse, now(2)), COUNT_MAX);
    }
}
