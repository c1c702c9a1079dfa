//! A small seeded generator of numbers for simulated streets and load mixes; never for secrets.
//!
//! SplitMix64: a counter with a large odd step, mixed by two multiplications (Steele, Lea and
//! Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014). One word of state, no
//! dependency, and the same numbers on every machine, which is what a replayed seed needs.
//!
//! ```
//! use cekr_terminal_sim::random::Random;
//! let (mut a, mut b) = (Random::new(1), Random::new(1));
//! assert_eq!(a.next(), b.next());
//! ```

/// A deterministic sequence of numbers that begins at a seed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The sequence of this seed. Every seed is good, zero included.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `bound` - 1; 0 when `bound` is 0.
    ///
    /// The high half of a product, so there is no division; the bias of at most `bound` / 2^64
    /// is far below what a simulation could notice.
    pub const fn below(&mut self, bound: u64) -> u64 {
        ((self.next() as u128 * bound as u128) >> 64) as u64
    }

    /// A number of this range, its last one excluded; the first one when the range is empty.
    pub const fn within(&mut self, range: &core::ops::Range<u64>) -> u64 {
        range.start + self.below(range.end.saturating_sub(range.start))
    }

    /// One element of a slice, `None` only when it is empty.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(usize::try_from(self.below(of.len() as u64)).unwrap_or(0))
    }

    /// True in `share` of a thousand draws.
    pub const fn per_mille(&mut self, share: u16) -> bool {
        self.below(1000) < share as u64
    }

    /// An independent sequence: its numbers do not depend on how far this one is read later.
    #[must_use]
    pub const fn split(&mut self) -> Self {
        Self::new(self.next())
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn repeats_the_published_sequence_of_seed_1234567() {
        // The figures commonly quoted for SplitMix64 with this seed.
        let mut random = Random::new(1_234_567);
        let drawn: Vec<u64> = (0..5).map(|_| random.next()).collect();
        assert_eq!(
            drawn,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821
            ]
        );
    }

    #[test]
    fn stays_below_its_bound_and_reaches_every_number() {
        let mut random = Random::new(3);
        let mut seen = [0u32; 7];
        for _ in 0..7_000 {
            let drawn = usize::try_from(random.below(7)).expect("below 7");
            seen[drawn] += 1;
        }
        assert!(seen.iter().all(|&count| count > 800), "{seen:?}");
        assert_eq!(random.below(0), 0);
        assert_eq!(random.pick::<u8>(&[]), None);
    }
}
