//! When a delivery that failed is tried again: twice as long after each failure, and never at the
//! moment at which everybody else is.

use sha2::{Digest as _, Sha256};

/// Where the jitter comes from: the same seed, delivery and attempt give the same pause.
#[derive(Clone, Copy, Debug)]
pub(super) struct Jitter {
    seed: u64,
}

impl Jitter {
    /// A source with this seed.
    pub(super) const fn seeded(seed: u64) -> Jitter {
        Jitter { seed }
    }

    /// Milliseconds until the next attempt, after `attempts` of them (at least one) have failed:
    /// between half and all of what doubling gives.
    pub(super) fn pause_ms(self, delivery: &str, attempts: u64) -> u64 {
        let doublings = attempts.saturating_sub(1).min(u64::from(DOUBLINGS_MAX));
        let whole = (FIRST_MS << doublings).min(PAUSE_MAX_MS);
        let mut hash = Sha256::new();
        hash.update(self.seed.to_be_bytes());
        hash.update(attempts.to_be_bytes());
        hash.update(delivery.as_bytes());
        let drawn = hash
            .finalize()
            .iter()
            .take(8)
            .fold(0_u64, |sum, octet| sum.wrapping_shl(8) | u64::from(*octet));
        whole / 2 + drawn % (whole / 2 + 1)
    }
}

/// After the first failure.
const FIRST_MS: u64 = 5_000;
/// The longest pause: an endpoint that is back is told within the hour.
const PAUSE_MAX_MS: u64 = 60 * 60 * 1_000;
/// More would be beyond the longest pause.
const DOUBLINGS_MAX: u32 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pause_is_about_twice_the_last_up_to_an_hour() {
        let jitter = Jitter::seeded(7);
        for (attempts, whole) in [(1, 5_000), (2, 10_000), (5, 80_000), (11, PAUSE_MAX_MS)] {
            let pause = jitter.pause_ms("whd_a", attempts);
            assert!((whole / 2..=whole).contains(&pause), "{attempts}: {pause}");
        }
        assert!(jitter.pause_ms("whd_a", u64::MAX) <= PAUSE_MAX_MS);
    }

    #[test]
    fn a_seed_repeats_its_pauses_and_deliveries_do_not_share_them() {
        let pauses = |seed, name| -> Vec<u64> {
            (1..20).map(|attempts| Jitter::seeded(seed).pause_ms(name, attempts)).collect()
        };
        assert_eq!(pauses(1, "whd_a"), pauses(1, "whd_a"));
        assert_ne!(pauses(1, "whd_a"), pauses(1, "whd_b"));
        assert_ne!(pauses(1, "whd_a"), pauses(2, "whd_a"));
    }
}
