//! Buckets of durations at a moment: two of them make what happened in between.

use super::{BUCKETS, Histogram, bucket_end};

/// How many events each bucket had; added up over several histograms.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Buckets {
    counts: Vec<u64>,
}

impl Buckets {
    /// What the histograms hold now.
    pub fn of<'h>(parts: impl Iterator<Item = &'h Histogram>) -> Buckets {
        let mut counts = vec![0_u64; BUCKETS];
        for part in parts {
            for (count, bucket) in counts.iter_mut().zip(&part.buckets) {
                *count = count.wrapping_add(bucket.read());
            }
        }
        Buckets { counts }
    }

    /// What came since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Buckets) -> Buckets {
        let before = earlier.counts.iter().copied().chain(std::iter::repeat(0));
        let counts = self.counts.iter().zip(before);
        Buckets { counts: counts.map(|(now, before)| now.saturating_sub(before)).collect() }
    }

    /// How many events.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The duration that `permille` of the events did not exceed, rounded up to its bucket's end; 0
    /// without events.
    #[must_use]
    pub fn percentile_ns(&self, permille: u16) -> u64 {
        let share = u64::from(permille.min(1_000));
        let rank = self.count().saturating_mul(share).div_ceil(1_000).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return bucket_end(index);
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_moments_make_what_happened_between_them() {
        let (one, other) = (Histogram::default(), Histogram::default());
        one.record(100, 10);
        let before = Buckets::of([&one, &other].into_iter());
        other.record(100, 90);
        one.record(1 << 20, 10);
        let between = Buckets::of([&one, &other].into_iter()).since(&before);
        assert_eq!(between.count(), 100);
        assert!((100..=112).contains(&between.percentile_ns(500)));
        assert!((100..=112).contains(&between.percentile_ns(900)));
        assert!(between.percentile_ns(999) >= 1 << 20);
        assert_eq!(Buckets::default().percentile_ns(500), 0);
        assert_eq!(between.since(&between).count(), 0);
    }
}
