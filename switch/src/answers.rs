//! Which requests were answered: fingerprints of their keys, each with the number of its entry.
//!
//! The answer itself is read from the entry, key and all, so that two keys with one fingerprint
//! cost a comparison and never a wrong answer. Keys are kept in stripes, each under its own lock;
//! a stripe is held while its request is decided, so that one key is decided once however many
//! connections bring it at the same moment. Lock order: a card, then a stripe, never two of either.
//!
//! A stripe keeps two generations of fixed size. When the newer one is full the older is dropped,
//! unless it is too young to be forgotten: then new work must wait. The places are atomics outside
//! the lock, so that those a key will need can be fetched ahead without it; places of the two
//! generations stand side by side, so that looking into both is one miss of the cache.

use cekr_issuer::{RequestKey, Seq};

use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering};

/// Sizes of the memory of answers.
#[derive(Clone, Copy, Debug)]
pub struct AnswersConfig {
    /// The most answers that are kept; each takes 16 to 32 octets from the start.
    pub answers_max: usize,
    /// The youngest an answer may be when it is forgotten for want of room, in milliseconds; zero
    /// forgets the oldest whatever its age.
    pub window_min_ms: u64,
}

/// The memory of answers.
pub struct Answers {
    stripes: Box<[Padded]>,
    /// Places of every stripe, stripe after stripe, those of both generations side by side.
    places: Box<[[Place; 2]]>,
    places_per_stripe: usize,
    secret: [u64; 2],
    generation_max: u32,
    window_min_ms: u64,
}

/// The number of the entry that answered, under some bits of the fingerprint; zero is free.
///
/// One word, so that eight places share a line of the cache. The bits only spare most looks at
/// entries of other keys: the entry tells for certain.
#[derive(Default)]
struct Place(AtomicU64);

/// Bits of an entry's number: enough for half a year of a million entries a second.
const SEQ_BITS: u32 = 44;

const SEQ_MASK: u64 = (1 << SEQ_BITS) - 1;

impl Place {
    fn is_free(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    fn put(&self, mark: Mark, seq: Seq) {
        self.0.store(mark.tag() | (seq.0 & SEQ_MASK), Ordering::Relaxed);
    }

    /// The entry that stands here, if it may be that of `mark`.
    fn seq_of(&self, mark: Mark) -> Option<Seq> {
        let word = self.0.load(Ordering::Relaxed);
        (word & !SEQ_MASK == mark.tag()).then_some(Seq(word & SEQ_MASK))
    }
}

/// A stripe on a line of the cache of its own.
#[derive(Default)]
#[repr(align(64))]
struct Padded(Mutex<Stripe>);

/// What a stripe knows of its two generations; its lock guards their places as well.
#[derive(Default)]
struct Stripe {
    /// Which of the two is the newer one.
    newer: u8,
    generations: [Generation; 2],
}

#[derive(Clone, Copy, Default)]
struct Generation {
    len: u32,
    oldest_at: u64,
    newest_at: u64,
}

/// A fingerprint and where it belongs.
#[derive(Clone, Copy)]
pub struct Mark {
    fingerprint: u64,
    stripe: usize,
}

impl Mark {
    /// The bits that a place keeps: of those that choose neither the stripe nor the place.
    const fn tag(self) -> u64 {
        self.fingerprint << 16 & !SEQ_MASK
    }
}

/// One stripe, held while a request with a key in it is decided.
pub struct Held<'a> {
    answers: &'a Answers,
    stripe: MutexGuard<'a, Stripe>,
    mark: Mark,
}

/// How long an answer is kept at the most: a terminal's own day.
const KEPT_MS: u64 = 24 * 60 * 60 * 1_000;

const STRIPES_MAX: usize = 1_024;

impl Answers {
    /// An empty memory whose fingerprints nobody can foresee without `secret`.
    #[must_use]
    pub fn new(config: AnswersConfig, secret: [u64; 2]) -> Self {
        let stripes = (config.answers_max / 16).clamp(1, STRIPES_MAX).next_power_of_two();
        let generation_max = (config.answers_max / stripes / 2).max(1);
        // At most half of the places are taken, so that a probe is short and ends.
        let places_per_stripe = (generation_max * 2).next_power_of_two();
        Self {
            stripes: (0..stripes).map(|_| Padded::default()).collect(),
            places: (0..stripes * places_per_stripe).map(|_| Default::default()).collect(),
            places_per_stripe,
            secret,
            generation_max: u32::try_from(generation_max).unwrap_or(u32::MAX),
            window_min_ms: config.window_min_ms,
        }
    }

    /// The mark of `key`, by which it is held.
    #[must_use]
    pub fn mark(&self, key: &RequestKey) -> Mark {
        let fingerprint = key.fingerprint(self.secret);
        // The low bits choose the place within a generation.
        let stripe = (fingerprint >> 48) as usize & (self.stripes.len() - 1);
        Mark { fingerprint, stripe }
    }

    /// Reads the places where `mark` would stand, and the lock of its stripe, so that they are on
    /// their way into the cache.
    pub fn touch(&self, mark: Mark) {
        if let Some([place, _]) = self.places.get(self.index(mark, 0)) {
            let _ = place.is_free();
        }
        if let Some(stripe) = self.stripes.get(mark.stripe) {
            let _ = stripe.0.is_locked();
        }
    }

    /// Takes the stripe of `mark`.
    #[must_use]
    pub fn hold(&self, mark: Mark) -> Option<Held<'_>> {
        let stripe = self.stripes.get(mark.stripe)?.0.lock();
        Some(Held { answers: self, stripe, mark })
    }

    /// The place at which the probe of `mark` arrives after `step` steps.
    const fn index(&self, mark: Mark, step: usize) -> usize {
        let within = (mark.fingerprint as usize).wrapping_add(step) & (self.places_per_stripe - 1);
        mark.stripe * self.places_per_stripe + within
    }

    /// The places of a generation along the probe of `mark`.
    fn probe(&self, generation: u8, mark: Mark) -> impl Iterator<Item = &Place> {
        let steps = 0..self.places_per_stripe;
        steps.filter_map(move |step| of(self.places.get(self.index(mark, step))?, generation))
    }

    fn clear(&self, generation: u8, stripe: usize) {
        let first = stripe * self.places_per_stripe;
        let places = self.places.get(first..first + self.places_per_stripe).unwrap_or_default();
        for place in places.iter().filter_map(|both| of(both, generation)) {
            place.0.store(0, Ordering::Relaxed);
        }
    }
}

/// Of two places side by side, the one of `generation`.
fn of(both: &[Place; 2], generation: u8) -> Option<&Place> {
    both.get(usize::from(generation))
}

/// The entries of [`Held::candidates`]: a loop by hand, for most keys end it at the first free
/// place of each generation.
pub struct Candidates<'a> {
    answers: &'a Answers,
    mark: Mark,
    /// The generation that is looked through, and whether another one follows.
    generation: u8,
    is_last: bool,
    step: usize,
}

impl Iterator for Candidates<'_> {
    type Item = Seq;

    #[inline]
    fn next(&mut self) -> Option<Seq> {
        loop {
            let index = self.answers.index(self.mark, self.step);
            let place = self.answers.places.get(index).and_then(|both| of(both, self.generation));
            match place {
                Some(place) if self.step < self.answers.places_per_stripe && !place.is_free() => {
                    self.step += 1;
                    if let Some(seq) = place.seq_of(self.mark) {
                        return Some(seq);
                    }
                }
                Some(_) | None if self.is_last => return None,
                Some(_) | None => {
                    self.generation = 1 - self.generation;
                    (self.is_last, self.step) = (true, 0);
                }
            }
        }
    }
}

impl Held<'_> {
    /// Entries whose keys have this fingerprint, newest generation first.
    pub fn candidates(&self) -> Candidates<'_> {
        Candidates {
            answers: self.answers,
            mark: self.mark,
            generation: self.stripe.newer,
            is_last: false,
            step: 0,
        }
    }

    /// Whether one more answer can be kept without forgetting one that is too young.
    #[must_use]
    pub fn has_room(&self, now_ms: u64) -> bool {
        let [newer, older] = self.generations();
        let is_full = newer.len >= self.answers.generation_max;
        let is_young = older.newest_at.saturating_add(self.answers.window_min_ms) > now_ms;
        !is_full || older.len == 0 || !is_young
    }

    /// Keeps `seq` as the answer to this key.
    pub fn remember(&mut self, seq: Seq, now_ms: u64) {
        let [newer, _] = self.generations();
        let is_day_old = newer.oldest_at.saturating_add(KEPT_MS) <= now_ms;
        if newer.len > 0 && (newer.len >= self.answers.generation_max || is_day_old) {
            self.stripe.newer = 1 - self.stripe.newer;
            self.answers.clear(self.stripe.newer, self.mark.stripe);
            *self.newer_mut() = Generation::default();
        }
        let answers = self.answers;
        let mut probe = answers.probe(self.stripe.newer, self.mark);
        if let Some(free) = probe.find(|place| place.is_free()) {
            free.put(self.mark, seq);
        }
        let newer = self.newer_mut();
        if newer.len == 0 {
            newer.oldest_at = now_ms;
        }
        newer.newest_at = now_ms;
        newer.len += 1;
    }

    /// The newer generation, then the older.
    fn generations(&self) -> [Generation; 2] {
        let [first, second] = self.stripe.generations;
        if self.stripe.newer == 0 { [first, second] } else { [second, first] }
    }

    fn newer_mut(&mut self) -> &mut Generation {
        let Stripe { newer, generations: [first, second] } = &mut *self.stripe;
        if *newer == 0 { first } else { second }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]
    use cekr_iso8583::TerminalId;

    use super::*;

    fn key(stan: u32) -> RequestKey {
        let terminal = TerminalId::new(*b"ATM00001");
        RequestKey { acquirer: 408_972, terminal, when: 1_122_101_500, stan, class: 2 }
    }

    fn memory(answers_max: usize, window_min_ms: u64) -> Answers {
        Answers::new(AnswersConfig { answers_max, window_min_ms }, [1, 2])
    }

    fn held(answers: &Answers, stan: u32) -> Held<'_> {
        answers.hold(answers.mark(&key(stan))).unwrap()
    }

    fn finds(answers: &Answers, stan: u32) -> Option<Seq> {
        held(answers, stan).candidates().next()
    }

    #[test]
    fn every_answer_of_both_generations_is_found() {
        let answers = memory(64, 0);
        for stan in 1..=32 {
            assert_eq!(finds(&answers, stan), None);
            held(&answers, stan).remember(Seq(u64::from(stan)), 0);
        }
        for stan in 20..=32 {
            assert_eq!(finds(&answers, stan), Some(Seq(u64::from(stan))));
        }
    }

    #[test]
    fn a_young_generation_is_not_forgotten_and_an_old_one_is() {
        let answers = memory(8, 600_000);
        for stan in 1..=8 {
            let mut held = held(&answers, stan);
            assert!(held.has_room(1_000), "answer {stan} of 8 has room");
            held.remember(Seq(u64::from(stan)), 1_000);
        }
        assert!(!held(&answers, 9).has_room(600_999));
        let mut held = held(&answers, 9);
        assert!(held.has_room(601_000));
        held.remember(Seq(9), 601_000);
        drop(held);
        assert_eq!(finds(&answers, 1), None);
        assert_eq!(finds(&answers, 8), Some(Seq(8)));
    }

    #[test]
    fn keys_that_differ_in_one_part_have_other_fingerprints() {
        let one = key(1);
        let others = [
            RequestKey { acquirer: 408_973, ..one },
            RequestKey { terminal: TerminalId::new(*b"ATM00002"), ..one },
            RequestKey { when: 1_122_101_501, ..one },
            RequestKey { stan: 2, ..one },
            RequestKey { class: 4, ..one },
        ];
        for other in others {
            assert_ne!(one.fingerprint([1, 2]), other.fingerprint([1, 2]));
        }
    }
}
