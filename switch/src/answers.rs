//! Which requests were answered: fingerprints of their keys, each with the number of its entry.
//!
//! The answer itself is read from the entry, key and all, so that two keys with one fingerprint
//! cost a comparison and never a wrong answer. Keys are kept in stripes, each under its own lock;
//! a stripe is held while its request is decided, so that one key is decided once however many
//! connections bring it at the same moment. Lock order: a card, then a stripe, never two of either.
//!
//! A stripe keeps two generations of fixed size. When the newer one is full the older is dropped,
//! unless it is too young to be forgotten: then new work must wait.

use cekr_issuer::{RequestKey, Seq};

use crate::sync::{Mutex, MutexGuard};

/// Sizes of the memory of answers.
#[derive(Clone, Copy, Debug)]
pub struct AnswersConfig {
    /// The most answers that are kept.
    pub answers_max: usize,
    /// The youngest an answer may be when it is forgotten for want of room, in milliseconds; zero
    /// forgets the oldest whatever its age.
    pub window_min_ms: u64,
}

/// The memory of answers.
pub struct Answers {
    stripes: Box<[Mutex<Stripe>]>,
    secret: [u64; 2],
    generation_max: usize,
    window_min_ms: u64,
}

/// One stripe, held while a request with a key in it is decided.
pub struct Held<'a> {
    stripe: MutexGuard<'a, Stripe>,
    fingerprint: u64,
    generation_max: usize,
    window_min_ms: u64,
}

/// How long an answer is kept at the most: a terminal's own day.
const KEPT_MS: u64 = 24 * 60 * 60 * 1_000;

const STRIPES_MAX: usize = 1_024;

impl Answers {
    /// An empty memory whose fingerprints nobody can foresee without `secret`.
    #[must_use]
    pub fn new(config: AnswersConfig, secret: [u64; 2]) -> Self {
        let stripes = (config.answers_max / 16).clamp(1, STRIPES_MAX).next_power_of_two();
        Self {
            stripes: (0..stripes).map(|_| Mutex::default()).collect(),
            secret,
            generation_max: (config.answers_max / stripes / 2).max(1),
            window_min_ms: config.window_min_ms,
        }
    }

    /// Takes the stripe of `key`.
    #[must_use]
    pub fn hold(&self, key: &RequestKey) -> Option<Held<'_>> {
        // Zero marks a free place.
        let fingerprint = key.fingerprint(self.secret).max(1);
        // The low bits choose the place within a generation.
        let at = (fingerprint >> 48) as usize & (self.stripes.len() - 1);
        let stripe = self.stripes.get(at)?.lock();
        let (generation_max, window_min_ms) = (self.generation_max, self.window_min_ms);
        Some(Held { stripe, fingerprint, generation_max, window_min_ms })
    }
}

impl Held<'_> {
    /// Entries whose keys have this fingerprint, newest generation first.
    pub fn candidates(&self) -> impl Iterator<Item = Seq> {
        let generations = [&self.stripe.newer, &self.stripe.older];
        generations.into_iter().flat_map(|kept| kept.find(self.fingerprint))
    }

    /// Whether one more answer can be kept without forgetting one that is too young.
    #[must_use]
    pub fn has_room(&self, now_ms: u64) -> bool {
        let is_full = self.stripe.newer.len >= self.generation_max;
        let older = &self.stripe.older;
        let is_young = older.newest_at.saturating_add(self.window_min_ms) > now_ms;
        !is_full || older.len == 0 || !is_young
    }

    /// Keeps `seq` as the answer to this key.
    pub fn remember(&mut self, seq: Seq, now_ms: u64) {
        let stripe = &mut *self.stripe;
        let is_day_old = stripe.newer.oldest_at.saturating_add(KEPT_MS) <= now_ms;
        if stripe.newer.len > 0 && (stripe.newer.len >= self.generation_max || is_day_old) {
            std::mem::swap(&mut stripe.newer, &mut stripe.older);
            stripe.newer.clear();
        }
        stripe.newer.insert(self.fingerprint, seq, now_ms);
    }
}

#[derive(Default)]
struct Stripe {
    newer: Generation,
    older: Generation,
}

/// Open addressing over (fingerprint, entry); at most half of the places are taken.
#[derive(Default)]
struct Generation {
    places: Vec<(u64, Seq)>,
    len: usize,
    oldest_at: u64,
    newest_at: u64,
}

impl Generation {
    fn find(&self, fingerprint: u64) -> impl Iterator<Item = Seq> {
        let mask = self.places.len().wrapping_sub(1);
        let probe = (0..self.places.len()).map_while(move |step| {
            let at = (fingerprint as usize).wrapping_add(step) & mask;
            self.places.get(at).copied().filter(|place| place.0 != 0)
        });
        probe.filter(move |place| place.0 == fingerprint).map(|place| place.1)
    }

    fn insert(&mut self, fingerprint: u64, seq: Seq, now_ms: u64) {
        if self.len * 2 >= self.places.len() {
            self.grow();
        }
        self.put(fingerprint, seq);
        if self.len == 0 {
            self.oldest_at = now_ms;
        }
        self.newest_at = now_ms;
        self.len += 1;
    }

    fn put(&mut self, fingerprint: u64, seq: Seq) {
        let mask = self.places.len().wrapping_sub(1);
        for step in 0..self.places.len() {
            let at = (fingerprint as usize).wrapping_add(step) & mask;
            if let Some(place) = self.places.get_mut(at).filter(|place| place.0 == 0) {
                *place = (fingerprint, seq);
                return;
            }
        }
    }

    fn grow(&mut self) {
        let places = vec![(0, Seq::NONE); (self.places.len() * 2).max(FIRST_PLACES)];
        for (fingerprint, seq) in std::mem::replace(&mut self.places, places) {
            if fingerprint != 0 {
                self.put(fingerprint, seq);
            }
        }
    }

    fn clear(&mut self) {
        self.places.fill((0, Seq::NONE));
        self.len = 0;
    }
}

const FIRST_PLACES: usize = 16;

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

    fn finds(answers: &Answers, stan: u32) -> Option<Seq> {
        answers.hold(&key(stan)).unwrap().candidates().next()
    }

    #[test]
    fn every_answer_of_both_generations_is_found() {
        let answers = memory(64, 0);
        for stan in 1..=32 {
            assert_eq!(finds(&answers, stan), None);
            answers.hold(&key(stan)).unwrap().remember(Seq(u64::from(stan)), 0);
        }
        for stan in 20..=32 {
            assert_eq!(finds(&answers, stan), Some(Seq(u64::from(stan))));
        }
    }

    #[test]
    fn a_young_generation_is_not_forgotten_and_an_old_one_is() {
        let answers = memory(8, 600_000);
        for stan in 1..=8 {
            let mut held = answers.hold(&key(stan)).unwrap();
            assert!(held.has_room(1_000), "answer {stan} of 8 has room");
            held.remember(Seq(u64::from(stan)), 1_000);
        }
        assert!(!answers.hold(&key(9)).unwrap().has_room(600_999));
        let mut held = answers.hold(&key(9)).unwrap();
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
