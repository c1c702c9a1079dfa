//! How often somebody may be wrong about what stands on a card's back.
//!
//! Five wrong pairs of MOK ID and last digits within fifteen minutes of each other block a MOK ID,
//! whether a card has it or not, and the session that they came from. The store has a fixed size.
//! Where two keys want one place, the one with fewer failures gives way, so that a guesser who
//! tries many MOK IDs does not free the one that is blocked.

use std::fmt;

use cekr_switch::sync::Mutex;

use super::secret::Secret;

/// What an attempt is counted under.
#[derive(Clone, Copy, Debug)]
pub enum Counted<'a> {
    /// A MOK ID.
    MokId(u32),
    /// A one-time code, by the place where it was entered.
    Code(&'a str),
    /// A session, by its name in the store.
    Session(&'a str),
}

/// The counters. One for the process; a start forgets them.
pub struct Attempts {
    places: Mutex<Vec<Set>>,
    key: [u8; 32],
}

/// Too many were wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Blocked {
    /// When it is over, in milliseconds since 1970.
    pub until_ms: u64,
}

impl Attempts {
    pub(super) fn new(secret: &Secret) -> Attempts {
        let places = Mutex::new(vec![Set::default(); SETS]);
        Attempts { places, key: secret.digest("cekr-attempts-v1", &[]) }
    }

    /// Counts an attempt as wrong before it is judged, so that of many at once no more than five
    /// are judged; [`Self::right`] takes it back.
    ///
    /// # Errors
    /// [`Blocked`]: it must not be judged.
    pub fn begin(&self, counted: &[Counted<'_>], now_ms: u64) -> Result<(), Blocked> {
        let mut places = self.places.lock();
        for key in counted {
            let tag = self.tag(*key);
            let known = set(&mut places, tag).and_then(|set| set.find(tag));
            if let Some(place) = known
                && place.count >= WRONG_MAX
                && now_ms < place.until_ms
            {
                return Err(Blocked { until_ms: place.until_ms });
            }
        }
        for key in counted {
            let tag = self.tag(*key);
            let Some(place) = set(&mut places, tag).and_then(|set| set.take(tag, now_ms)) else {
                continue;
            };
            if now_ms >= place.until_ms {
                place.count = 0;
            }
            place.count = place.count.saturating_add(1);
            place.until_ms = now_ms.saturating_add(BLOCK_MS);
        }
        Ok(())
    }

    /// The attempt was right: it does not count, and those before it still do.
    pub fn right(&self, counted: &[Counted<'_>]) {
        let mut places = self.places.lock();
        for key in counted {
            let tag = self.tag(*key);
            if let Some(place) = set(&mut places, tag).and_then(|set| set.find(tag)) {
                place.count = place.count.saturating_sub(1);
            }
        }
    }

    fn tag(&self, key: Counted<'_>) -> u64 {
        use sha2::{Digest as _, Sha256};
        let mut hash = Sha256::new();
        hash.update(self.key);
        match key {
            Counted::MokId(mok_id) => {
                hash.update([0]);
                hash.update(mok_id.to_be_bytes());
            }
            Counted::Session(session) => {
                hash.update([1]);
                hash.update(session);
            }
            Counted::Code(place) => {
                hash.update([2]);
                hash.update(place);
            }
        }
        let digest: [u8; 32] = hash.finalize().into();
        // 0 marks a free place.
        digest.first_chunk::<8>().map_or(1, |first| u64::from_be_bytes(*first).max(1))
    }
}

impl fmt::Debug for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Attempts(..)")
    }
}

fn set(places: &mut [Set], tag: u64) -> Option<&mut Set> {
    let number = usize::try_from(tag % SETS as u64).ok()?;
    places.get_mut(number)
}

#[derive(Clone, Copy, Default)]
struct Place {
    tag: u64,
    until_ms: u64,
    count: u8,
}

#[derive(Clone, Copy, Default)]
struct Set([Place; WAYS]);

impl Set {
    fn find(&mut self, tag: u64) -> Option<&mut Place> {
        self.0.iter_mut().find(|place| place.tag == tag)
    }

    /// The key's place, else a free one, else that of whoever failed least and longest ago.
    fn take(&mut self, tag: u64, now_ms: u64) -> Option<&mut Place> {
        let known = self.0.iter().position(|place| place.tag == tag);
        let weight = |place: &Place| {
            let is_over = now_ms >= place.until_ms;
            if is_over { (0, 0) } else { (place.count.max(1), place.until_ms) }
        };
        let least = || self.0.iter().enumerate().min_by_key(|(_, place)| weight(place));
        let number = known.or_else(|| Some(least()?.0))?;
        let place = self.0.get_mut(number)?;
        if place.tag != tag {
            *place = Place { tag, ..Place::default() };
        }
        Some(place)
    }
}

/// Wrong attempts before a block.
pub const WRONG_MAX: u8 = 5;
/// How long a block lasts, and how long a wrong attempt counts.
pub const BLOCK_MS: u64 = 15 * 60 * 1_000;
/// 32,768 keys in 768 KiB.
const SETS: usize = 4_096;
const WAYS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts() -> Attempts {
        Attempts { places: Mutex::new(vec![Set::default(); SETS]), key: [7; 32] }
    }

    #[test]
    fn the_sixth_is_not_judged_until_fifteen_minutes_are_over() {
        let attempts = attempts();
        let key = [Counted::MokId(123_456_782)];
        for at in 0..5 {
            assert_eq!(attempts.begin(&key, at), Ok(()));
        }
        let blocked = Blocked { until_ms: 4 + BLOCK_MS };
        assert_eq!(attempts.begin(&key, 5), Err(blocked));
        assert_eq!(
            attempts.begin(&key, 3 + BLOCK_MS),
            Err(blocked),
            "trying on does not prolong it"
        );
        assert_eq!(attempts.begin(&[Counted::MokId(1)], 5), Ok(()), "others go on");
        assert_eq!(attempts.begin(&key, 4 + BLOCK_MS), Ok(()));
    }

    #[test]
    fn a_right_pair_does_not_count_and_pardons_nothing() {
        let attempts = attempts();
        let session = [Counted::Session("s")];
        for at in 0..4 {
            assert_eq!(attempts.begin(&session, at), Ok(()));
            let own = [Counted::MokId(1), Counted::Session("s")];
            assert_eq!(attempts.begin(&own, at), Ok(()));
            attempts.right(&own);
        }
        assert_eq!(attempts.begin(&session, 5), Ok(()));
        assert!(attempts.begin(&session, 6).is_err());
    }

    #[test]
    fn a_blocked_key_stays_blocked_while_many_others_are_tried() {
        let attempts = attempts();
        let key = [Counted::MokId(123_456_782)];
        for _ in 0..5 {
            assert_eq!(attempts.begin(&key, 0), Ok(()));
        }
        for mok_id in 0..100_000 {
            let _ = attempts.begin(&[Counted::MokId(mok_id)], 1);
        }
        assert!(attempts.begin(&key, 2).is_err());
    }
}
